"""The command line of scripts/predict/speeds.py: one network's speed, the frontier and the picks, and predictions
against measurements.

    python -m scripts.predict --hardware HERE --model convnext_base
    # also writes report/data/predict-check-<machine>.csv and its sidecar, from which page and chart are made
    python -m scripts.predict --check
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.common import hardware
from scripts.common.errors import UserError, cli, parser_of
from scripts.common.paths import DATA
from scripts.common.provenance import origin, read_sidecar, sidecar, sources, write_derived
from scripts.common.tables import read_table, significant
from scripts.common.uncertainty import spearman
from scripts.common.words import rate
from scripts.data import names, read_data
from scripts.predict import choice as predict_choice, design as predict_design, speeds, tables as predict_tables

CHECK = ["arch", "img_size", "samples_per_sec", "predicted", "low", "high"]


def find(prediction: speeds.Prediction, name: str) -> pd.DataFrame:
    """The networks of a model by its architecture, full name or name of 2022. Raises UserError for an unknown one."""
    for wanted in filter(None, dict.fromkeys([str(name), names.today(str(name))])):
        found = prediction.networks[prediction.networks["arch"] == wanted.partition(".")[0]]
        if len(found):
            return found
    close = names.nearest(name, prediction.networks["arch"].unique())
    raise UserError(
        f"{str(name)[:80]!r}: no table has it, so its speed is not guessed; measure it with `python -m "
        f"scripts.bench.sweep --models {str(name)[:80]}`" + (f", or did you mean {', '.join(close)}?" if close else "")
    )


def check(rows: pd.DataFrame, part: str = "infer") -> tuple[speeds.Prediction, pd.DataFrame]:
    """Predict from those of `rows` that the design names, and compare with the others: arch, img_size, samples_per_sec
    (measured), predicted, low, high.

    The same, where no row is outside the design or too few are in it: UserError says what to measure.
    """
    kind = predict_tables.settings_of(rows["file"].iloc[0], str(rows["kind_of_hardware"].iloc[0]))["kind"]
    chosen = rows["arch"].isin(predict_design.design(20, kind))
    made = speeds.predict(rows[chosen], part)
    others = rows[~chosen & (made.known.find(rows) >= 0) & (speeds.measured_speeds(rows, part) > 0)]
    if others.empty:
        raise UserError(
            "every measured model is one to predict from; measure the models of `python -m scripts.predict --design "
            f"30 --role check --kind {kind}` too"
        )
    at = made.known.find(others)
    half = (made.multiplier * made.posterior.spread)[at]
    log = made.posterior.log[at]
    found = {"samples_per_sec": speeds.measured_speeds(others, part), "predicted": np.exp(log)}
    ends = {"low": np.exp(log - half), "high": np.exp(log + half)}
    return made, others[predict_tables.KEY].reset_index(drop=True).assign(**found, **ends)


def checked(compared: pd.DataFrame) -> dict:
    """Of `check`: networks, median_error, p90_error (shares), spearman, coverage of the 90% interval."""
    off = (compared["predicted"] / compared["samples_per_sec"] - 1).abs()
    return {
        "networks": len(compared),
        "median_error": float(off.median()),
        "p90_error": float(off.quantile(0.9)),
        "spearman": spearman(compared["predicted"], compared["samples_per_sec"]),
        "coverage": float(compared["samples_per_sec"].between(compared["low"], compared["high"]).mean()),
    }


def write_check(rows: pd.DataFrame, made: speeds.Prediction, compared: pd.DataFrame) -> Path:
    """Keep what `check` found of a machine's `rows`; the sidecar is the machine's, with `used` measurements."""
    path = DATA / f"predict-check-{made.settings['hardware']}.csv"
    own = [one for one in sources(rows) if Path(one.path).name == rows["file"].iloc[0]]
    facts = {
        **sidecar(packages=("pandas", "numpy"), used=made.used, **origin([*made.known.sources, *own])),
        "hardware": read_sidecar(DATA / rows["file"].iloc[0])["hardware"],
    }
    write_derived(significant(compared, CHECK[2:], 5), path, facts)
    return path


def update() -> None:
    """Compare again on every machine that was checked: what it rests on may have changed. Raises TablesMissing."""
    for path in sorted(DATA.glob("predict-check-*.csv")):
        try:
            rows = speeds.machine_rows(path.stem.removeprefix("predict-check-"))
            write_check(rows, *check(rows))
        except read_data.TablesMissing:
            raise
        except UserError as error:
            print(f"notice: {path.name} is kept as it is: {error}", file=sys.stderr)


def read_check(hardware: str) -> tuple[pd.DataFrame, dict]:
    """(what `write_check` wrote of a machine, its sidecar). Raises UserError where there is none."""
    path = DATA / f"predict-check-{hardware}.csv"
    if not path.exists():
        raise UserError(f"{hardware}: predictions not checked here yet; run `python -m scripts.perf.predict --measure`")
    return read_table(path, required=CHECK[:1], numeric=CHECK[1:], key=CHECK[:2]), read_sidecar(path)


def say(row) -> str:
    """One network's speed in words."""
    if row.status == "unlike":
        return f"{row.arch} at {row.img_size} pixels: unlike anything measured, not predicted"
    how = "measured" if row.status == "measured" else "predicted, 90%"
    return (
        f"{row.arch} at {row.img_size} pixels: {rate(row.samples_per_sec)} images/s ({how} {rate(row.low)} to "
        f"{rate(row.high)})"
    )


def _report(options, rows: pd.DataFrame) -> None:
    try:
        made = speeds.predict(rows, options.part)
    except read_data.TablesMissing as missing:
        print(f"notice: {missing}; only what was measured is shown", file=sys.stderr)
        wanted = [name.partition(".")[0] for name in options.model or rows["arch"]]
        for row in (
            rows[rows["arch"].isin(wanted)].sort_values("samples_per_sec", ascending=False, kind="stable").itertuples()
        ):
            print(f"{row.arch} at {row.img_size} pixels: {rate(row.samples_per_sec)} images/s (measured)")
        return
    print(
        f"{made.hardware_name}: {made.used} measured, {int(made.networks['status'].eq('predicted').sum())} predicted "
        f"({options.part})"
    )
    for note in made.notes:
        print(f"note: {note}")
    if options.model:
        for name in options.model:
            print("\n".join(say(row) for row in find(made, name).itertuples()))
        return
    edge = predict_choice.frontier(made)
    for row in edge[edge["expected"]].itertuples():
        print(
            f"{row.top1:6.2f}%  {row.model} ({row.img_size} px): {rate(row.samples_per_sec)} images/s, "
            f"{rate(row.low)} to {rate(row.high)}, on the frontier: {row.sure:.0%}"
        )
    for pick in predict_choice.picks(made).to_dict("records"):
        print(
            f"{pick['need']}: {pick['model']} ({pick['top1']:.2f}%), {pick['sure']:.0%} sure"
            + (f", else {pick['rival']}" if pick["rival"] else "")
            + (f"; to be sure, measure {' and '.join(pick['measure'])}" if pick["measure"] else "")
        )
    for row in predict_choice.measure_next(made, edge).itertuples():
        print(f"measure next: {row.arch} (settles {row.gain:.0%} of what is open)")


@cli
def main(argv: list[str] | None = None) -> None:
    parser = parser_of(
        "scripts.predict", speeds.__doc__, "python -m scripts.predict --hardware HERE --model convnext_base"
    )
    parser.add_argument("--hardware", default="HERE", help="a measured machine's slug; HERE: this one")
    parser.add_argument("--model", nargs="+", help="architectures to look up")
    parser.add_argument("--part", default="infer", choices=speeds.PARTS)
    parser.add_argument("--design", type=int, metavar="N", help="print the N models to measure, most telling first")
    parser.add_argument(
        "--kind", choices=("gpu", "cpu"), help="of the processor that --design is for (default: this machine's)"
    )
    parser.add_argument(
        "--role", choices=("measure", "check"), default="measure", help="check: models to test the predictions by"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="predict from the measured models of the design, compare with the other measured ones",
    )
    options = parser.parse_args(argv)
    if options.design is not None:
        kind = options.kind or ("gpu" if hardware.has_gpu() else "cpu")
        print("\n".join(predict_design.design(options.design, kind, role=options.role)))
        return
    rows = speeds.machine_rows("" if options.hardware.upper() == "HERE" else options.hardware, options.part)
    if options.check:
        made, compared = check(rows, options.part)
        for arch, _, *speed in compared.itertuples(index=False):
            measured, predicted, low, high = (rate(value) for value in speed)
            print(f"{arch:<42}{measured:>8} measured {predicted:>8} predicted, {low} to {high}")
        if options.part == "infer":
            write_check(rows, made, compared)
        found = checked(compared)
        print(
            f"{made.hardware_name}: from {made.used} measured, {found['networks']} others off by "
            f"{found['median_error']:.1%} (median), rank correlation "
            f"{found['spearman']:.3f}, {found['coverage']:.0%} within their 90% interval"
        )
    else:
        _report(options, rows)
