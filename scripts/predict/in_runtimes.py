"""Every model's speed in every runtime of a machine, from the networks that were measured in each.

    python -m scripts.predict.in_runtimes         # report/data/predict-{runtimes,left-out}-<machine>.csv, with sidecars
    in_runtimes.read()                            # in a page: this machine's

A speed in a runtime that was not timed is PyTorch eager's, as measured or predicted, times a gain: what the network's
properties and the networks like it lead to expect, drawn to the mean of all. It is a Gaussian process with the
covariance of eager's speeds (scripts/predict/model.py) and a line in `properties`. How wide an interval must be is
counted on the measured networks, each predicted without its own figures, eager's included; predict-left-out says how
that came out. A runtime with fewer than LEAST networks is left out. On a busy machine the processor's time that eager
takes grows by more than that of the others: so the speeds are learned, and not the gains that were timed beside it.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scripts.common.errors import DataMissing, UserError, cli, parser_of
from scripts.common.paths import DATA
from scripts.common.provenance import origin, read_sidecar, sha256, sidecar, write_derived
from scripts.common.tables import read_table, significant
from scripts.data import measured, read_data
from scripts.predict import model as predict_model, speeds
from scripts.predict.speeds import SPEED, path
from scripts.predict.tables import KEY, References
from scripts.runtimes import timed

LEAST = 9  # networks; from fewer no 90% interval can be counted
LEVEL = 0.9
WORST = 0.3  # of the median error of networks left out: beyond, a runtime's other networks are not predicted
# Variances in squared log units, set on the first ten networks.
LINE, NOISE = 0.05, 0.02
WAY = ["runtime", "precision"]
COLUMNS = {
    "runtimes": [*WAY, *KEY, "status", *SPEED],
    "left-out": ["left_out", *WAY, *KEY, "samples_per_sec", "predicted", "low", "high"],
}
# Of predict-design.csv's list to check predictions by: predicted from the others alone.
HELD_OUT = (
    "resnet14t hardcorenas_a xcit_nano_12_p8_224 levit_conv_256d dla60x_c deit_tiny_distilled_patch16_224 "
    "ese_vovnet19b_slim regnetz_005 eva02_tiny_patch14_224"
).split()


@dataclass(frozen=True)
class Fit:
    """What the networks at positions `at` say of all (n,): log of what eager's speed is to be multiplied by, and its
    spread before calibration."""

    log: np.ndarray
    spread: np.ndarray


class Machine:
    """A machine's eager speeds, and what each is believed to be without some networks' own measurements."""

    def __init__(self, slug: str):
        rows = speeds.machine_rows(slug)
        self.made = speeds.predict(rows)
        self.known, self.prior = self.made.known, self.made.posterior.prior
        at, logs = self.known.find(rows), np.log(speeds.measured_speeds(rows, "infer"))
        self.measured = {int(one): float(log) for one, log in zip(at, logs) if one >= 0}
        noise = dict(zip(at, speeds._noise(rows)))
        self.used = self.made.posterior.used
        self.noise = np.array([noise[one] for one in self.used])
        self.lines = properties(self.known)
        self.file = str(rows["file"].iloc[0])
        self.known_without: dict[tuple[int, ...], predict_model.Posterior] = {}

    def without(self, gone: tuple[int, ...]) -> predict_model.Posterior:
        """What eager's speeds are believed to be without the measurements at positions `gone`."""
        if gone not in self.known_without:
            keep = ~np.isin(self.used, gone)
            logs = np.array([self.measured[int(one)] for one in self.used[keep]])
            self.known_without[gone] = predict_model.posterior(self.prior, self.used[keep], logs, self.noise[keep])
        return self.known_without[gone]

    def covariance(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return self.prior.covariance(a, b) + LINE * self.lines[a] @ self.lines[b].T

    def fit(self, at: np.ndarray, logs: np.ndarray, to: np.ndarray) -> Fit:
        """What `logs` at positions `at` say of those at `to`."""
        inverse = np.linalg.inv(self.covariance(at, at) + NOISE * np.eye(len(at)))
        level = inverse.sum(0) @ logs / inverse.sum()
        pull = inverse @ (logs - level)
        cross = self.covariance(to, at)
        own = np.array([self.covariance(one, one)[0, 0] for one in to.reshape(-1, 1)])
        left = own - np.einsum("ij,jk,ik->i", cross, inverse, cross) + (1 - cross @ inverse.sum(0)) ** 2 / inverse.sum()
        scale = ((logs - level) @ pull + 1) / (len(at) + 1)  # 1: the scale expected beforehand, worth one network
        return Fit(level + cross @ pull, np.sqrt(scale * (np.maximum(left, 0) + NOISE)))


def properties(known: References) -> np.ndarray:
    """(n, 2) activations for each multiply-add, and whether it is a transformer; standardised."""
    keys = known.keys
    ratio = np.log(keys["macts"].to_numpy(float) / keys["gmacs"].to_numpy(float))
    found = np.column_stack([ratio, keys["network"].eq("transformer").to_numpy(float)])
    return (found - found.mean(axis=0)) / np.maximum(found.std(axis=0), 1e-9)


def learned(table: pd.DataFrame, machine: Machine) -> pd.DataFrame:
    """The rows of `timed.speeds` that can be learned from: WAY, `at` (position among all networks), `log` (of
    images/s), low, high; runtimes with fewer than LEAST networks are left out.
    """
    found = table.dropna(subset=["speed"])
    found = found[(found["runtime"] + found["precision"] != "eagerfp32") & found["img_size"].gt(0)]
    found = found.assign(at=machine.known.find(found.astype({"img_size": int})), log=np.log(found["speed"]))
    for name, column in (("low", "samples_per_sec_low"), ("high", "samples_per_sec_high")):
        found[name] = found[column].fillna(found["speed"])
    enough = found.groupby(WAY)["at"].transform("nunique") >= LEAST
    return found[enough & (found["at"] >= 0)].reset_index(drop=True)


def left_out(found: pd.DataFrame, machine: Machine, of: pd.DataFrame | None = None) -> pd.DataFrame:
    """Each row of `of` predicted from `found` without its network: WAY, at, log (measured), predicted, spread.
    of: default `found` itself, each network left out in turn.
    """
    of = found if of is None else of
    rows = []
    together = () if of is found else tuple(sorted({int(at) for at in of["at"]}))
    offsets = {int(at): machine.without((int(at),)).log[int(at)] for at in found["at"].unique()}
    for (runtime, precision), some in of.groupby(WAY, sort=False):
        known = found[(found["runtime"] == runtime) & (found["precision"] == precision)]
        for place, log in zip(some["at"].to_numpy(int), some["log"].to_numpy(float)):
            gone = together or (int(place),)
            own = known[~known["at"].isin(gone)]
            at = own["at"].to_numpy(int)
            logs = own["log"].to_numpy() - np.array([offsets[int(one)] for one in at])
            fit, eager = machine.fit(at, logs, np.array([place])), machine.without(gone)
            spread = np.hypot(fit.spread[0], eager.spread[place])
            rows.append((runtime, precision, place, log, eager.log[place] + fit.log[0], spread))
    return pd.DataFrame(rows, columns=[*WAY, "at", "log", "predicted", "spread"])


def multiplier(errors: pd.DataFrame) -> float:
    """How many spreads hold LEVEL of `left_out`'s errors: the next larger of them (conformal)."""
    away = np.sort((errors["log"] - errors["predicted"]).abs() / errors["spread"])
    return float(away[min(len(away), math.ceil(LEVEL * (len(away) + 1))) - 1])


def checked(found: pd.DataFrame, machine: Machine, errors: pd.DataFrame) -> pd.DataFrame:
    """COLUMNS' left-out: each network predicted from the others, then those HELD_OUT from all others together. Each
    interval is as wide as the other networks ask for.
    """
    wide = {at: multiplier(errors[errors["at"] != at]) for at in errors["at"].unique()}
    parts = [errors.assign(left_out="itself", half=errors["at"].map(wide) * errors["spread"])]
    held = machine.known.keys["arch"].isin(HELD_OUT).to_numpy()[found["at"]]
    if held.any() and (~held).sum() >= LEAST:
        apart = left_out(found[~held], machine, found[held])
        half = multiplier(left_out(found[~held], machine)) * apart["spread"]
        parts.append(apart.assign(left_out="all held out", half=half))
    both = pd.concat(parts, ignore_index=True)
    keys = machine.known.keys.iloc[both["at"]].reset_index(drop=True)
    logs = {"samples_per_sec": both["log"], "predicted": both["predicted"]}
    logs |= {"low": both["predicted"] - both["half"], "high": both["predicted"] + both["half"]}
    return both.assign(**{name: keys[name] for name in KEY}, **{name: np.exp(log) for name, log in logs.items()})


def predict(found: pd.DataFrame, machine: Machine, errors: pd.DataFrame) -> pd.DataFrame:
    """COLUMNS' runtimes: every network whose eager speed is known, in every runtime of `found`; only those measured
    where `left_out`'s errors are beyond WORST.
    """
    times = multiplier(errors)
    off = errors.assign(off=np.abs(np.expm1(errors["predicted"] - errors["log"]))).groupby(WAY)["off"].median()
    networks = machine.made.networks.reset_index(drop=True)
    known = networks["samples_per_sec"].notna().to_numpy()
    every, eager = np.flatnonzero(known), np.log(networks["samples_per_sec"].to_numpy(float))
    parts = []
    for (runtime, precision), some in found.groupby(WAY, sort=False):
        at = some["at"].to_numpy()
        own = some["log"].to_numpy() - np.array([machine.without((int(one),)).log[one] for one in at])
        fit = machine.fit(at, own, every)
        made = networks.loc[every, KEY].assign(runtime=runtime, precision=precision, status="predicted")
        log, half = eager[every] + fit.log, times * np.hypot(fit.spread, machine.made.posterior.spread[every])
        made = made.assign(samples_per_sec=np.exp(log), low=np.exp(log - half), high=np.exp(log + half))
        for column, name in zip(SPEED, ("speed", "low", "high")):
            made.loc[at, column] = some[name].to_numpy(float)
        made.loc[at, "status"] = "measured"
        parts.append(made if off[(runtime, precision)] <= WORST else made[made["status"] == "measured"])
    return pd.concat(parts, ignore_index=True)


def write(slug: str) -> pd.DataFrame:
    """Predict a machine's runtimes and keep what changed. Raises TablesMissing, DataMissing where nothing was measured
    in several runtimes, UserError where that is too little. Returns the table of `checked`.
    """
    table = timed.speeds()
    if table["hardware"].iloc[0] != slug:
        raise DataMissing(f"{slug}: not measured in several runtimes; run `make bench`")
    machine = Machine(slug)
    found = learned(table, machine)
    if found.empty:
        raise UserError(f"{table['file'].iloc[0]}: fewer than {LEAST} networks in each runtime; run `make bench` again")
    errors = left_out(found, machine)
    written = {"runtimes": predict(found, machine, errors), "left-out": checked(found, machine, errors)}
    file = str(table["file"].iloc[0])
    facts = {
        **sidecar(packages=("pandas", "numpy"), **origin(machine.known.sources, machine.file)),
        "hardware": read_sidecar(DATA / file)["hardware"],
        "measured": {"file": file, "sha256": sha256(DATA / file), "date": str(table["date"].iloc[0])},
        "networks": int(found["at"].nunique()),
    }
    for name, frame in written.items():
        numbers = [column for column in COLUMNS[name] if column in {*SPEED, "predicted"}]
        write_derived(significant(frame[COLUMNS[name]], numbers, 4), path(name, slug), facts)
    return written["left-out"]


def there(slug: str = "") -> bool:
    """Whether speeds in runtimes are kept of a machine (default: this one)."""
    return path("runtimes", slug or measured.machine()).exists()


def read(slug: str = "", table: str = "runtimes") -> pd.DataFrame:
    """A table of COLUMNS of a machine (default: this one). Raises DataMissing, and UserError for a damaged one."""
    file = path(table, slug or measured.machine())
    if not file.exists():
        raise DataMissing(f"{file.name}: not predicted yet; run `make bench`, then `make predict`")
    texts = [name for name in COLUMNS[table] if name in {*WAY, "arch", "status", "left_out"}]
    numbers = [name for name in COLUMNS[table] if name not in texts]
    key = [name for name in ("left_out", *WAY, *KEY) if name in COLUMNS[table]]
    return read_table(file, required=texts, numeric=numbers, key=key).astype({"img_size": int})


def summary(compared: pd.DataFrame) -> pd.DataFrame:
    """For each runtime and precision: networks, median_error and p90_error (shares), coverage of the interval."""
    off = (compared["predicted"] / compared["samples_per_sec"] - 1).abs()
    within = compared["samples_per_sec"].between(compared["low"], compared["high"])
    grouped = compared.assign(off=off, within=within).groupby(WAY, sort=False)
    return grouped.agg(
        networks=("off", "size"),
        median_error=("off", "median"),
        p90_error=("off", lambda some: some.quantile(0.9)),
        coverage=("within", "mean"),
    ).reset_index()


@cli
def main(argv: list[str] | None = None) -> None:
    parser_of("scripts.predict.in_runtimes", __doc__, "make predict").parse_args(argv)
    try:
        compared = write(measured.machine())
    except (DataMissing, read_data.TablesMissing, UserError) as error:  # what is kept still stands
        print(f"notice: {error}", file=sys.stderr)
        return
    for name, some in compared.groupby("left_out", sort=False):
        row = summary(some.assign(runtime="all", precision="")).iloc[0]
        print(
            f"other runtimes, left out {name}: {row['networks']} speeds off by {row['median_error']:.1%} (median), "
            f"{row['coverage']:.0%} within their interval"
        )


if __name__ == "__main__":
    sys.exit(main())
