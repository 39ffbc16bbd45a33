"""How well speeds are predicted: each machine left out in turn, alone and with all that are like it; calibration of
the intervals from the same.

    # writes report/data/predict-{evaluation,calibration,families,networks}.csv, with sidecars
    python -m scripts.predict.evaluate

For each of timm's tables: choose which networks to "measure" by the design, look up their speeds in the table, predict
all others, and compare. Cases (see `kinds`): `like`, the tables of that hardware put away; `generation`, those of its
generation, too, where there are others of it; `new`, all but those of one distant generation, of processors all. Rivals
get the same measurements: `similar` takes the table of another machine that fits them best and scales it by the median
ratio; `gmacs` and `activations` are straight lines in log-log. The intervals' width comes from the machines that are
not being judged (split conformal prediction with the machine as the unit), in the case that they are judged in, so
coverage is as honest as the errors. Training tables exist for one card only: left out, its training speeds are
predicted from inference tables of other machines.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from scripts.common import families
from scripts.common.errors import cli
from scripts.common.paths import DATA
from scripts.common.provenance import origin, sidecar, sources, write_derived
from scripts.common.tables import read_table
from scripts.common.uncertainty import spearman
from scripts.predict import kinds, model as predict_model, tables as predict_tables
from scripts.predict.tables import References

BUDGETS = (5, 10, 20, 40)  # networks measured
MAIN = 20
LEVEL = 0.9
DRAWN = 60  # predictions that a family's factor of 1 is worth
LARGEST = {
    "gpu": 70.0,
    "cpu": 20.0,
}  # GMACs of a network that is worth measuring: seconds a step on a card, on two cores
RIVALS = ("similar", "gmacs", "activations")
ERRORS = [
    "machine",
    "kind",
    "part",
    "file",
    "case",
    "measured",
    "method",
    "networks",
    "median_error",
    "p90_error",
    "spearman",
    "coverage",
]


def candidates(known: References, kind: str) -> np.ndarray:
    """Positions of the networks that may be chosen for measuring: of bounded arithmetic, the same in most tables,
    not timm's test networks.
    """
    keys = known.keys
    return np.flatnonzero(
        (keys["gmacs"] <= LARGEST[kind])
        & (known.known.mean(axis=1) >= 0.75)
        & keys["steady"]
        & keys["family"].ne(families.TEST)
    )


def errors(budgets: tuple[int, ...] = BUDGETS) -> Iterator[pd.DataFrame]:
    """For each table, case, and number of measurements: the networks that were predicted, with machine, kind, part,
    file, case, measured, method, family, network, `error` (log predicted over true), `z` (error over spread, `model`
    only), true and predicted log speed."""
    rows, tables = predict_tables.published()
    for without, case, about in trials(tables):
        known = predict_tables.references(without=without)
        table = rows[rows["file"] == about["file"]]
        at = known.find(table)
        truth = np.full(len(known.keys), np.nan)
        truth[at[at >= 0]] = np.log(table["samples_per_sec"].to_numpy(float)[at >= 0])
        there = ~np.isnan(truth)
        prior = predict_model.Prior(known, about)
        possible = np.intersect1d(candidates(known, about["kind"]), np.flatnonzero(there))
        order, _ = predict_model.design(prior, possible, max(budgets), goal=np.flatnonzero(there)[::3])
        for budget in budgets:
            chosen = np.array(order[:budget])
            rest = np.setdiff1d(np.flatnonzero(there), chosen)
            made = predict_model.posterior(prior, chosen, truth[chosen])
            guesses = {"model": made.log} | (rivals(known, chosen, truth[chosen]) if budget == MAIN else {})
            for method, guess in guesses.items():
                yield pd.DataFrame(
                    {
                        "machine": about["hardware"],
                        "kind": about["kind"],
                        "part": about["part"],
                        "file": about["file"],
                        "case": case,
                        "measured": budget,
                        "method": method,
                        "family": known.keys["family"].to_numpy()[rest],
                        "network": known.keys["network"].to_numpy()[rest],
                        "error": guess[rest] - truth[rest],
                        "truth": truth[rest],
                        "z": (guess - truth)[rest] / made.spread[rest] if method == "model" else np.nan,
                    }
                )


def trials(tables: pd.DataFrame) -> list[tuple[tuple[str, ...], str, dict]]:
    """(machines put away, case, table) of every trial, those with the same machines together: each table in each case
    that is another one for its machine; training, of one card only, as `like`."""
    kind = dict(zip(tables["hardware"], tables["kind"]))
    found: dict[tuple, tuple] = {}
    for about in tables.sort_values(["hardware", "file"]).to_dict("records"):
        for case in ("like", "new", "generation"):  # where two put away the same machines, the last is left out
            without = kinds.left_out(about["hardware"], kind, case)
            if case == "like" or about["part"] == "infer":
                found.setdefault((without, about["file"]), (without, case, about))
    return sorted(found.values(), key=lambda one: (one[0], one[2]["file"]))


def rivals(known: References, at: np.ndarray, logs: np.ndarray) -> dict[str, np.ndarray]:
    """{method: (n,) log images/s} of the simple methods, given log speeds `logs` at positions `at`."""
    away = logs[:, None] - known.speeds[at]
    best = int(np.argmin(np.median(np.abs(away - np.median(away, axis=0)), axis=0)))
    made = {"similar": known.speeds[:, best] + np.median(away[:, best])}
    for name, column in (("gmacs", "gmacs"), ("activations", "macts")):
        x = np.log(known.keys[column].to_numpy(float))
        made[name] = np.polyval(np.polyfit(x[at], logs, 1), x)
    return made


def weighted_quantile(values: np.ndarray, weights: np.ndarray, level: float) -> float:
    order = np.argsort(values)
    share = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(share, level)), len(values) - 1)])


def multiplier(z: pd.DataFrame, level: float = LEVEL) -> float:
    """The number of spreads within which a share `level` of predictions lie, every machine counting alike; z:
    machine, z.
    """
    weights = 1 / z.groupby("machine")["z"].transform("size")
    return weighted_quantile(z["z"].abs().to_numpy(), weights.to_numpy(), level)


def family_factors(z: pd.DataFrame) -> pd.Series:
    """By family: how wide its intervals must be relative to others', from |z| averaged over machines and drawn towards
    1 as far as few predictions speak for it; z: machine, family, z."""
    size = z["z"].abs().clip(upper=5).groupby([z["machine"], z["family"]]).mean()
    usual, number = size.groupby("machine").mean().mean(), z.groupby("family").size()
    return (((size.groupby("family").mean() / usual) * number + DRAWN) / (number + DRAWN)).clip(0.5, 4).rename("factor")


def evaluate(found: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """(evaluation, calibration, factors) from `errors`: columns ERRORS with a row per table, case, budget and method,
    each judged by what the other machines say; per case and budget the multiplier of the spread for `LEVEL`, and per
    family its factor, both from all machines of inference. A machine of a new generation is given the intervals of a
    new kind: nobody knows before how far its neighbours are from it."""
    ours = found[(found["method"] == "model") & (found["part"] == "infer")]

    def calibrated(z: pd.DataFrame) -> tuple[pd.Series, dict[Any, float]]:
        z = z[z["case"] != "generation"]
        factors = family_factors(z[(z["case"] == "like") & (z["measured"] == min(MAIN, z["measured"].max()))])
        z = z.assign(z=z["z"] / z["family"].map(factors).fillna(1))
        return factors, {place: multiplier(rows) for place, rows in z.groupby(["case", "measured"])}

    judges = {machine: calibrated(ours[ours["machine"] != machine]) for machine in found["machine"].unique()}
    rows = []
    for (machine, kind, part, file, case, budget, method), group in found.groupby(
        ["machine", "kind", "part", "file", "case", "measured", "method"], sort=False
    ):
        off, covered = np.abs(np.expm1(group["error"])), np.nan
        if method == "model":
            factors, wide = judges[machine]
            half = wide["like" if case == "like" else "new", budget]
            covered = (group["z"].abs() <= half * group["family"].map(factors).fillna(1)).mean()
        rows.append(
            (
                machine,
                kind,
                part,
                file,
                case,
                budget,
                method,
                len(group),
                off.median(),
                off.quantile(0.9),
                spearman(group["truth"] + group["error"], group["truth"]),
                covered,
            )
        )
    factors, wide = calibrated(ours)
    calibration = pd.DataFrame(
        [(case, budget, LEVEL, value) for (case, budget), value in wide.items()],
        columns=["case", "measured", "level", "multiplier"],
    )
    return pd.DataFrame(rows, columns=ERRORS), calibration, factors.reset_index()


def table() -> pd.DataFrame:
    """The committed evaluation, numbers as numbers. Raises UserError where it is missing or damaged."""
    return read_table(
        DATA / "predict-evaluation.csv",
        required=ERRORS[:7],
        numeric=ERRORS[7:-1] + ["measured"],
        optional_numeric=["coverage"],
        key=["file", "case", "measured", "method"],
    )


def by_machine(frame: pd.DataFrame, case: str = "like") -> pd.DataFrame:
    """Of `table`, at MAIN measurements of inference in one case, a row per machine: machine, kind, tables, the median
    over its tables of the median error of `model` and each of RIVALS, and of the model's spearman; coverage is the mean
    over its tables."""
    main = frame[(frame["measured"] == MAIN) & (frame["part"] == "infer") & (frame["case"] == case)]
    ours = main[main["method"] == "model"].groupby("machine")
    errors_ = main.pivot_table(index="machine", columns="method", values="median_error", aggfunc="median").reindex(
        columns=["model", *RIVALS]
    )
    return errors_.assign(
        kind=ours["kind"].first(),
        tables=ours.size(),
        spearman=ours["spearman"].median(),
        coverage=ours["coverage"].mean(),
    ).reset_index()


def by_group(found: pd.DataFrame) -> pd.DataFrame:
    """Errors by kind of network: case, kind (of processor), network, networks, median_error, p90_error at MAIN
    measurements of inference.
    """
    found = found[(found["method"] == "model") & (found["measured"] == MAIN) & (found["part"] == "infer")].assign(
        off=lambda rows: np.abs(np.expm1(rows["error"]))
    )
    grouped = found.groupby(["case", "kind", "network"])["off"]
    return pd.DataFrame(
        {"networks": grouped.size(), "median_error": grouped.median(), "p90_error": grouped.quantile(0.9)}
    ).reset_index()


def update() -> None:
    """Evaluate and write the tables that changed. Raises TablesMissing where timm's can't be had."""
    found = pd.concat(errors(), ignore_index=True)
    evaluation, calibration, factors = evaluate(found)
    known = predict_tables.published()[1]
    ours = "each machine left out in turn, alone and with those like it"
    facts = sidecar(packages=("pandas", "numpy"), **origin(sources(known), ours))
    for name, frame in {
        "predict-evaluation": evaluation,
        "predict-calibration": calibration,
        "predict-families": factors,
        "predict-networks": by_group(found),
    }.items():
        write_derived(frame.round(dict.fromkeys(frame.select_dtypes("float"), 4)), DATA / f"{name}.csv", facts)


@cli
def main() -> None:
    argparse.ArgumentParser(
        prog="python -m scripts.predict.evaluate",
        description=__doc__.split("\n\n")[0],
        epilog="example: TIMM_RESULTS=copy/of/tables python -m scripts.predict.evaluate",
    ).parse_args()
    update()
    shown = table()
    shown = shown[(shown["measured"] == MAIN) & (shown["method"] == "model")]
    print(
        shown[["file", "case", "median_error", "p90_error", "spearman", "coverage"]].to_string(
            index=False, float_format="{:.3f}".format
        )
    )


if __name__ == "__main__":
    sys.exit(main())
