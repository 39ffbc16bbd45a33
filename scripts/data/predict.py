"""Measure twenty, know them all: every network's speed on a machine of which a few were measured, with intervals.

    python -m scripts.data.predict --hardware HERE --model convnext_base     # one model; HERE is this machine, or a machine's slug
    python -m scripts.data.predict --hardware HERE                           # the frontier, and what to measure next
    python -m scripts.data.predict --design 20                               # which models to measure, most telling first
    python -m scripts.data.predict --check                                   # measured by design against predicted, on this machine

Measured speeds come from report/data/benchmark-*.csv, what is known of other machines from timm's tables, which are needed here; how wide
the intervals must be from report/data/predict-calibration.csv. A network that no table has, or whose interval is far
wider than usual, is marked as unlike and not predicted. Precisions that no table of the same kind of processor has are refused, and so are
measurements at much smaller batches than the tables' on a GPU.
"""

from __future__ import annotations

import argparse
import functools
import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scripts.common.errors import UserError, cli
from scripts.common.paths import DATA
from scripts.common.tables import read_table
from scripts.data import measured, names, predict_model, predict_tables, read_data
from scripts.data.claims import rate
from scripts.data.frontier import on_frontier
from scripts.data.predict_tables import KEY, References

PARTS = ("infer", "train", "latency")   # latency: images per second at batch 1, where the tables are of that: on CPUs
LEVEL = 0.9                             # of the intervals
WIDEST, WIDER = 16.0, 3.0               # an interval is no prediction beyond this (high over low), or so many times as wide as usual in log units
SMALLER_BATCH = 16                      # times smaller than the tables' batch: another quantity
DRAWS = 400                             # of the speeds, for probabilities
NORMAL = 1.645                          # standard deviations of a normal's 90% interval
NEEDS = {"fast": 0.9, "balanced": 0.5, "accurate": 0.0}   # the quantile of speeds that a pick must reach, as in scripts/data/summary.py


@dataclass(frozen=True)
class Prediction:
    """networks: `KEY`, family, kind, `COUNTS`, samples_per_sec, low, high (90%), status: measured, predicted or unlike (then NaN); notes: what a
    reader should know, a line each; used: measurements that counted; multiplier: (n,) of the model's spread."""

    settings: dict
    hardware_name: str
    networks: pd.DataFrame
    notes: tuple[str, ...]
    used: int
    outliers: tuple[str, ...]
    multiplier: np.ndarray
    posterior: predict_model.Posterior
    known: References


def multiplier(count: int) -> float:
    """How many spreads make a 90% interval after `count` measurements. Raises UserError without the calibration's table."""
    table = read_table(DATA / "predict-calibration.csv", required=["measured"], numeric=["measured", "level", "multiplier"], key=["measured"])
    table = table.sort_values("measured", kind="stable")
    return float(np.interp(np.log(count), np.log(table["measured"]), table["multiplier"]))


def family_factors() -> pd.Series:
    """How much wider than others' a family's intervals must be, by family."""
    return read_table(DATA / "predict-families.csv", required=["family"], numeric=["factor"], key=["family"]).set_index("family")["factor"]


def machine_rows(hardware: str = "", part: str = "infer") -> pd.DataFrame:
    """The measured rows of a machine (default: this one), one per network: those of its fullest file. Raises UserError where there are none."""
    rows = measured.load("infer" if part == "latency" else part)
    slug = hardware or (measured.machine() if len(rows) else "")
    own = rows[rows["hardware"] == slug]
    if own.empty:
        raise UserError(f"{slug or 'this machine'}: nothing measured ({part}) in report/data; measure the models of `python -m scripts.data.predict --design 20` "
                        f"with `python -m scripts.bench.sweep{' --part train' if part == 'train' else ''} --models …`")
    file = own.groupby("file")["arch"].nunique().sort_values(kind="stable").index[-1]
    return own[own["file"] == file].drop_duplicates(KEY).reset_index(drop=True)


def predict(rows: pd.DataFrame, part: str = "infer", without: str | None = None) -> Prediction:
    """Predict all networks of the tables from `rows` of one machine and setting, as of `machine_rows`.

    without: hardware whose tables are left out (default: the machine's own). Raises TablesMissing, and UserError for fewer than five usable
    measurements, several settings in one, or a precision or quantity that no table of that kind of processor has.
    """
    if part not in PARTS:
        raise UserError(f"part {str(part)[:40]!r}: choose one of {', '.join(PARTS)}")
    if rows.empty:
        raise UserError(f"nothing measured: at least {predict_model.LEAST} measurements are needed; see `python -m scripts.data.predict --design 20`")
    if rows["file"].nunique() != 1 or rows.duplicated(KEY).any():
        raise UserError("measurements of several settings, or a network twice: give the rows of one file, a row per architecture and size")
    head = rows.iloc[0]
    settings = predict_tables.settings_of(head["file"], str(head.get("kind_of_hardware", "")))
    known = predict_tables.references(without=settings["hardware"] if without is None else without)
    _learned(settings, part, known)
    notes, speeds = [], rows["samples_per_sec"].to_numpy(float)
    if part == "latency":
        single = pd.to_numeric(rows.get("batch1_p50_ms", pd.Series(np.nan, rows.index)), errors="coerce").to_numpy(float)
        speeds = np.where(rows["batch_size"].eq(1).fillna(False), speeds, np.nan)
        speeds = np.where(single > 0, 1000 / np.where(single > 0, single, 1), speeds)
    at = known.find(rows)
    good = (at >= 0) & (speeds > 0) & np.isfinite(speeds)
    small = good & _small_batch(rows, settings) if part != "latency" else np.zeros(len(rows), bool)
    if small.any():
        notes.append(f"left out, measured at batches over {SMALLER_BATCH} times smaller than the tables': {_listed(rows['arch'][small])}")
    if (at < 0).any():
        notes.append(f"in no table, so no help in predicting others: {_listed(rows['arch'][at < 0])}")
    use = good & ~small & known.known[np.maximum(at, 0)].any(axis=1)
    made = predict_model.posterior(predict_model.Prior(known, settings), at[use], np.log(speeds[use]), _noise(rows[use]) if part != "latency" else None)
    outliers = tuple(f"{known.keys['arch'][i]} ({factor:.2g} times what the others say)" for i, factor in made.outliers.items())
    if outliers:
        notes.append(f"left out as contradicted by all others: {'; '.join(outliers)}. Measure again")
    times = multiplier(len(made.used))
    networks = known.keys.rename(columns={"network": "kind"}).copy()
    factor = networks["family"].map(family_factors()).fillna(1.0).to_numpy()
    half = times * factor * made.spread
    networks["samples_per_sec"], networks["low"], networks["high"] = np.exp(made.log), np.exp(made.log - half), np.exp(made.log + half)
    unlike = ~known.known.any(axis=1) | (2 * half > np.log(WIDEST)) | (half > WIDER * np.median(half))
    networks["status"] = np.where(unlike, "unlike", "predicted")
    networks.loc[unlike, ["samples_per_sec", "low", "high"]] = np.nan
    seen = good & ~small
    networks.loc[at[seen], "status"] = "measured"
    networks.loc[at[seen], "samples_per_sec"] = speeds[seen]
    for name, column in (("low", "samples_per_sec_low"), ("high", "samples_per_sec_high")):
        ends = pd.to_numeric(rows[column], errors="coerce") if column in rows and part != "latency" else pd.Series(np.nan, rows.index)
        networks.loc[at[seen], name] = ends.fillna(pd.Series(speeds, rows.index))[seen].to_numpy()
    if unlike.sum():
        notes.append(f"{int(unlike.sum())} networks are unlike anything measured and were not predicted")
    return Prediction({**settings, "part": part}, str(head.get("hardware_name", settings["hardware"])), networks, tuple(notes), len(made.used), outliers, times * factor, made, known)


def _learned(settings: dict, part: str, known: References) -> None:
    """Raises UserError for a precision or quantity that no table of the machine's kind of processor has."""
    same = known.tables[known.tables["kind"] == settings["kind"]]
    kind = {"gpu": "GPU", "cpu": "CPU"}.get(settings["kind"], "such processor")
    if same.empty:
        raise UserError(f"{settings['hardware']}: no table of a {kind} at hand to learn from; the measured speeds stand, nothing is predicted")
    if settings["precision"] not in set(same["precision"]):
        raise UserError(f"measured in {settings['precision']}, and no table of a {kind} is: their speeds differ by network; measure with --precision "
                        f"{' or '.join(sorted(set(same['precision'])))}")
    if part == "latency" and settings["kind"] != "cpu":
        raise UserError("latency at batch 1: no table of a GPU has it; measure with `python -m scripts.bench.sweep --batch 1`")


def _small_batch(rows: pd.DataFrame, settings: dict) -> np.ndarray:
    """Whether a row's batch is so much smaller than the tables' for that network on that kind of processor that its speed is something else."""
    table, tables = predict_tables.published()
    files = tables.loc[(tables["kind"] == settings["kind"]) & (tables["part"] == settings["part"]), "file"]
    usual = table[table["file"].isin(files)].groupby(KEY)["batch_size"].median()
    batch = pd.to_numeric(rows["batch_size"], errors="coerce").astype(float)
    return (batch * SMALLER_BATCH < usual.reindex(pd.MultiIndex.from_frame(rows[KEY])).to_numpy(float)).fillna(False).to_numpy(bool)


def _noise(rows: pd.DataFrame) -> np.ndarray:
    """Variance of each measurement in log units, from its 95% interval; 0 where there is none."""
    if not {"samples_per_sec_low", "samples_per_sec_high"} <= set(rows):
        return np.zeros(len(rows))
    low, high = (pd.to_numeric(rows[f"samples_per_sec_{end}"], errors="coerce") for end in ("low", "high"))
    wide = np.log((high / low).where((low > 0) & (high >= low), 1.0)) / 3.92
    return wide.fillna(0).to_numpy(float) ** 2


def _listed(some, most: int = 5) -> str:
    some = [str(name)[:60] for name in some]
    return ", ".join(some[:most]) + (f" and {len(some) - most} more" if len(some) > most else "")


@functools.lru_cache(maxsize=4)
def here(part: str = "infer", hardware: str = "") -> Prediction:
    """`predict` for this machine, or another measured one by its slug."""
    return predict(machine_rows(hardware, part), part)


def weights(prediction: Prediction) -> pd.DataFrame:
    """Every set of weights with published accuracy whose speed is measured or predicted: the tidy columns of `read_data.TIDY`, low, high, status,
    hardware_name, kind_of_hardware; fastest first. batch_size is not known for a prediction."""
    results = read_data.results(read_data.NOW)
    columns = ["arch", "img_size", "family", "kind", "gmacs", "macts", "samples_per_sec", "low", "high", "status"]
    known = prediction.networks[prediction.networks["samples_per_sec"].notna() & prediction.networks["family"].ne("test")][columns]
    frame = results.merge(known, on=KEY, how="inner", validate="m:1")
    settings = prediction.settings
    single = 1 if settings["part"] == "latency" else pd.NA
    frame = frame.assign(pretrain=frame["model"].map(read_data.pretraining), secs=1 / frame["samples_per_sec"], vintage="predicted", batch_size=single,
                         hardware_name=prediction.hardware_name, kind_of_hardware=settings["kind"],
                         **{name: settings[name] for name in ("part", "hardware", "precision", "layout", "compiled", "torch")})
    extra = ["low", "high", "status", "hardware_name", "kind_of_hardware"]
    return frame.astype({"batch_size": "Int64"})[[*read_data.TIDY, *extra]].sort_values("samples_per_sec", ascending=False, kind="stable").reset_index(drop=True)


def picker_table(part: str = "infer", hardware: str = "") -> tuple[str, pd.DataFrame] | None:
    """(key, tidy table) of this machine with measured and predicted speeds for the picker, key '<slug>-predicted'; None where it can't be made."""
    try:
        prediction = here(part, hardware)
        table = weights(prediction)
    except UserError:
        return None
    table = table.assign(hardware_name=f"{prediction.hardware_name}, mostly predicted", date=machine_rows(hardware, part)["date"].iloc[0])
    try:
        single = here("latency", hardware).networks.set_index(KEY)["samples_per_sec"]
        table["batch1_p50_ms"] = 1000 / single.reindex(pd.MultiIndex.from_frame(table[KEY])).to_numpy(float)
    except UserError:
        pass  # a GPU, or batch 1 was not measured
    return f"{prediction.settings['hardware']}-predicted", table


def draws(prediction: Prediction, rows: pd.DataFrame, count: int = DRAWS, seed: int = 0) -> np.ndarray:
    """(count, len(rows)) log speeds of `rows` (of `weights`) as they might be: measured ones within their interval, the others jointly."""
    at = prediction.known.find(rows)
    where, back = np.unique(at, return_inverse=True)
    wider = prediction.multiplier[where] / NORMAL
    covariance = prediction.posterior.joint(where) * np.outer(wider, wider)
    values, vectors = np.linalg.eigh(covariance)
    normal = np.random.default_rng(seed).standard_normal((count, len(where)))
    moved = ((normal * np.sqrt(np.maximum(values, 0))) @ vectors.T)[:, back]
    timing = normal[:, back] * (np.log(rows["high"] / rows["low"]) / 3.92).to_numpy(float)
    return np.log(rows["samples_per_sec"].to_numpy(float)) + np.where(rows["status"].eq("measured").to_numpy(), timing, moved)


def frontier(prediction: Prediction, table: pd.DataFrame | None = None) -> pd.DataFrame:
    """The rows of `weights` that may be on the frontier, fastest first, with `expected` (on the frontier of expected speeds) and `sure`: in what
    share of draws it is on it. Rows that are on it in fewer than 1% and not expected are left out."""
    table = weights(prediction) if table is None else table
    order = table.sort_values(["top1", "samples_per_sec"], ascending=False).reset_index(drop=True)
    order["expected"] = on_frontier(order)
    beaten = order["low"].groupby(order["top1"], sort=False).transform("max").cummax().shift(fill_value=0.0)
    order = order[(order["high"] >= beaten) | order["expected"]].reset_index(drop=True)
    speed = draws(prediction, order)
    ahead = np.maximum.accumulate(np.column_stack([np.full(len(speed), -np.inf), speed[:, :-1]]), axis=1)
    order["sure"] = (speed > ahead).mean(axis=0)
    kept = order[order["expected"] | (order["sure"] >= 0.01)]
    return kept.sort_values("samples_per_sec", ascending=False, kind="stable").reset_index(drop=True)


def picks(prediction: Prediction, table: pd.DataFrame | None = None) -> pd.DataFrame:
    """The most accurate weights for each of NEEDS, as scripts/data/summary.py has them, with `need`, `floor` (images/s) and `sure`: the share of
    draws in which it is the pick; `rival`: what else it would be most often, '' for nothing."""
    table = weights(prediction) if table is None else table
    order = table.sort_values(["top1", "samples_per_sec"], ascending=False).reset_index(drop=True)
    rows = []
    for need, quantile in NEEDS.items():
        floor = float(table["samples_per_sec"].quantile(quantile)) if quantile else 0.0
        possible = order[order["high"] >= floor].reset_index(drop=True)
        certain = np.flatnonzero(possible["low"] >= floor)
        possible = possible.iloc[:certain[0] + 1] if len(certain) else possible
        best = int(np.argmax(possible["samples_per_sec"].to_numpy() >= floor))
        enough = draws(prediction, possible) >= (np.log(floor) if floor else -np.inf)
        first = np.where(enough.any(axis=1), enough.argmax(axis=1), best)
        share = np.bincount(first, minlength=len(possible)) / len(first)
        others = np.where(np.arange(len(possible)) == best, 0, share)
        rival = possible["model"].iloc[int(others.argmax())] if others.max() > 0.02 else ""
        rows.append({**possible.iloc[best].to_dict(), "need": need, "floor": floor, "sure": share[best], "rival": rival})
    return pd.DataFrame(rows)


def measure_next(prediction: Prediction, edge: pd.DataFrame, count: int = 2) -> pd.DataFrame:
    """The unmeasured networks of `edge` (of `frontier`) whose measuring would settle most of what is open about the frontier, best first:
    arch, img_size, samples_per_sec, low, high, gain (share of the open variance that it removes)."""
    from scripts.data.predict_evaluate import LARGEST
    doubt = edge.assign(doubt=edge["sure"] * (1 - edge["sure"])).groupby(KEY, as_index=False).agg(
        doubt=("doubt", "max"), status=("status", "first"), gmacs=("gmacs", "first"), samples_per_sec=("samples_per_sec", "first"), low=("low", "first"), high=("high", "first"))
    doubt = doubt[doubt["status"] == "predicted"].reset_index(drop=True)
    chosen = []
    if len(doubt):
        covariance = prediction.posterior.joint(prediction.known.find(doubt))
        worth = doubt["doubt"].to_numpy() / np.diag(covariance)
        allowed = doubt["gmacs"].to_numpy() <= LARGEST.get(prediction.settings["kind"], np.inf)
        total = (worth * np.diag(covariance)).sum()
        for _ in range(min(count, int(allowed.sum()))):
            gain = np.where(allowed, (worth @ covariance**2) / np.diag(covariance), -1)
            i = int(gain.argmax())
            chosen.append({**doubt.iloc[i].to_dict(), "gain": gain[i] / total if total else 0.0})
            allowed[i] = False
            covariance = covariance - np.outer(covariance[:, i], covariance[i]) / covariance[i, i] + 1e-12 * np.eye(len(doubt))
    return pd.DataFrame(chosen, columns=[*KEY, "samples_per_sec", "low", "high", "gain"])


def find(prediction: Prediction, name: str) -> pd.DataFrame:
    """The networks of a model by its architecture, full name or name of 2022. Raises UserError for one that no table has."""
    for wanted in dict.fromkeys([str(name), names.today(str(name))]):
        found = prediction.networks[prediction.networks["arch"] == wanted.partition(".")[0]] if wanted else prediction.networks.iloc[:0]
        if len(found):
            return found
    close = names.nearest(name, prediction.networks["arch"].unique())
    raise UserError(f"{str(name)[:80]!r}: no table has it, so its speed is not guessed; measure it with `python -m scripts.bench.sweep --models {str(name)[:80]}`"
                    + (f", or did you mean {', '.join(close)}?" if close else ""))


def check(rows: pd.DataFrame, part: str = "infer") -> tuple[Prediction, pd.DataFrame]:
    """Predict from those of `rows` that the design names, and compare with the others: arch, img_size, samples_per_sec (measured), predicted, low, high.

    The same, where no row is outside the design or too few are in it: UserError says what to measure.
    """
    from scripts.data import predict_design
    kind = predict_tables.settings_of(rows["file"].iloc[0], str(rows["kind_of_hardware"].iloc[0]))["kind"]
    names_ = predict_design.design(20, kind)
    chosen = rows["arch"].isin(names_)
    made = predict(rows[chosen], part)
    others = rows[~chosen & (made.known.find(rows) >= 0)]
    if others.empty:
        raise UserError(f"every measured model is one to predict from; measure the models of `python -m scripts.data.predict --design 30 --role check --kind {kind}` too")
    at = made.known.find(others)
    half = (made.multiplier * made.posterior.spread)[at]
    log = made.posterior.log[at]
    return made, pd.DataFrame({"arch": others["arch"].to_numpy(), "img_size": others["img_size"].to_numpy(), "samples_per_sec": others["samples_per_sec"].to_numpy(float),
                               "predicted": np.exp(log), "low": np.exp(log - half), "high": np.exp(log + half)})


def checked(compared: pd.DataFrame) -> dict:
    """Of `check`: networks, median_error, p90_error (shares), spearman, coverage of the 90% interval."""
    from scripts.data.uncertainty import spearman
    off = (compared["predicted"] / compared["samples_per_sec"] - 1).abs()
    return {"networks": len(compared), "median_error": float(off.median()), "p90_error": float(off.quantile(0.9)),
            "spearman": spearman(compared["predicted"], compared["samples_per_sec"]),
            "coverage": float(compared["samples_per_sec"].between(compared["low"], compared["high"]).mean())}


def say(row) -> str:
    """One network's speed in words."""
    if row.status == "unlike":
        return f"{row.arch} at {row.img_size} pixels: unlike anything measured, not predicted"
    how = "measured" if row.status == "measured" else "predicted, 90%"
    return f"{row.arch} at {row.img_size} pixels: {rate(row.samples_per_sec)} images/s ({how} {rate(row.low)} to {rate(row.high)})"


def _report(options) -> None:
    slug = "" if options.hardware.upper() == "HERE" else options.hardware
    rows = machine_rows(slug, options.part)
    try:
        made = predict(rows, options.part)
    except read_data.TablesMissing as missing:
        print(f"notice: {missing}; only what was measured is shown", file=sys.stderr)
        wanted = rows if not options.model else rows[rows["arch"].isin([name.partition(".")[0] for name in options.model])]
        for row in wanted.sort_values("samples_per_sec", ascending=False, kind="stable").itertuples():
            print(f"{row.arch} at {row.img_size} pixels: {rate(row.samples_per_sec)} images/s (measured)")
        return
    print(f"{made.hardware_name}: {made.used} measured, {int(made.networks['status'].eq('predicted').sum())} predicted ({options.part})")
    for note in made.notes:
        print(f"note: {note}")
    if options.model:
        for name in options.model:
            print("\n".join(say(row) for row in find(made, name).itertuples()))
        return
    edge = frontier(made)
    for row in edge[edge["expected"]].itertuples():
        print(f"{row.top1:6.2f}%  {row.model} ({row.img_size} px): {rate(row.samples_per_sec)} images/s, {rate(row.low)} to {rate(row.high)}, on the frontier: {row.sure:.0%}")
    for row in picks(made).itertuples():
        print(f"{row.need}: {row.model} ({row.top1:.2f}%), {row.sure:.0%} sure" + (f", else {row.rival}" if row.rival else ""))
    for row in measure_next(made, edge).itertuples():
        print(f"measure next: {row.arch} (settles {row.gain:.0%} of what is open)")


@cli
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.data.predict", description=__doc__.split("\n\n")[0],
                                     epilog="example: python -m scripts.data.predict --hardware HERE --model convnext_base")
    parser.add_argument("--hardware", default="HERE", help="a measured machine's slug; HERE: this one")
    parser.add_argument("--model", nargs="+", help="architectures to look up")
    parser.add_argument("--part", default="infer", choices=PARTS)
    parser.add_argument("--design", type=int, metavar="N", help="print the N models to measure, most telling first")
    parser.add_argument("--kind", choices=("gpu", "cpu"), help="of the processor that --design is for (default: this machine's)")
    parser.add_argument("--role", choices=("measure", "check"), default="measure", help="check: models to test the predictions by")
    parser.add_argument("--check", action="store_true", help="predict from the measured models of the design, compare with the other measured ones")
    options = parser.parse_args(argv)
    if options.design is not None:
        from scripts.common import hardware
        from scripts.data import predict_design
        print("\n".join(predict_design.design(options.design, options.kind or ("gpu" if hardware.has_gpu() else "cpu"), role=options.role)))
    elif options.check:
        rows = machine_rows("" if options.hardware.upper() == "HERE" else options.hardware, options.part)
        made, compared = check(rows, options.part)
        for row in compared.itertuples():
            print(f"{row.arch:<42}{rate(row.samples_per_sec):>8} measured {rate(row.predicted):>8} predicted, {rate(row.low)} to {rate(row.high)}")
        found = checked(compared)
        print(f"{made.hardware_name}: from {made.used} measured, {found['networks']} others off by {found['median_error']:.1%} (median), rank correlation "
              f"{found['spearman']:.3f}, {found['coverage']:.0%} within their 90% interval")
    else:
        _report(options)


if __name__ == "__main__":
    sys.exit(main())
