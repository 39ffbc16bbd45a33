"""Which model should I use on my hardware? Picks from the tables, with the reason for each; and what replaces a model
in use.

    python -m scripts.choose.rules --list
    python -m scripts.choose.rules --hardware rtx4090 --min-throughput 5000 --commercial
    python -m scripts.choose.rules --hardware i7_12700h-compiled --max-latency 50 --pretrain in1k,distilled
    python -m scripts.choose.rules --hardware rtx5090 --replace resnet50
    python -m scripts.choose.rules --hardware amd_epyc_2c-predicted --runtime openvino --precision int8

Of what fits, the picks are the most accurate and the next two that trade accuracy for speed best (the frontier of what
fits); a model whose accuracy can't be told from a pick's, by twice the standard error on 50,000 images, is named as a
tie. The page's data come from `picker_data`; the page applies the same rules (its schema is described in
scripts/choose/files.py).
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from scripts.common import families
from scripts.common.errors import UserError, cli
from scripts.common.frontier import on_frontier
from scripts.common.uncertainty import TIMING_SPREAD, top1_uncertainty
from scripts.common.words import rate
from scripts.data import licences, names
from scripts.data.pretraining import CLASSES, LABELS
from scripts.findings import fields, machines
from scripts.predict import in_runtimes, stored
from scripts.runtimes import kinds, lines

PICKS = 3
TIES = 5  # named per pick
STEP = 1.05  # of a runtime's gain


@dataclass(frozen=True)
class Needs:
    """What a model must satisfy; None asks for nothing. Throughputs in images per second, latency in ms at batch 1,
    parameters in millions.
    """

    min_throughput: float | None = None
    min_training: float | None = None
    max_latency: float | None = None
    max_params: float | None = None
    max_size: int | None = None
    min_top1: float | None = None
    pretrain: tuple[str, ...] = ()
    commercial: bool = False

    def bounds(self) -> dict[str, tuple[str, float, str]]:
        """{field: (column, bound, 'least' or 'most')} of the numeric needs that are set."""
        all_ = {
            "min_throughput": ("samples_per_sec", "least"),
            "min_training": ("train_samples_per_sec", "least"),
            "max_latency": ("latency_ms", "most"),
            "max_params": ("param_count", "most"),
            "max_size": ("img_size", "most"),
            "min_top1": ("top1", "least"),
        }
        return {
            name: (column, float(getattr(self, name)), sense)
            for name, (column, sense) in all_.items()
            if getattr(self, name) is not None
        }


@dataclass(frozen=True)
class Picked:
    """`rows`: the picks, best first, with `reason` and `ties` (names); `fitting`: how many fit; `note`: why there
    are none, and what is nearest.
    """

    rows: pd.DataFrame
    fitting: int
    note: str = ""
    asked: Needs = field(default_factory=Needs)


def table(key: str) -> pd.DataFrame:
    """The machine's tidy rows with published accuracy, and `latency_ms` (batch 1, NaN where only larger batches were
    timed), `energy_j`, `train_samples_per_sec` (NaN where they are not known) and `commercial`. key: as in
    `machines.main_tables`.

    Raises UserError for a machine that is not there, naming those that are.
    """
    known, training = _known(), machines.main_tables("train")
    for part, some in (("infer", known), ("train", training)) if key.endswith("-predicted") else ():
        if (predicted := stored.picker_table(part)) and predicted[0] == key:
            some[key] = predicted[1]
    if key not in known:
        raise UserError(
            f"hardware {str(key)[:60]!r}: not among "
            f"{', '.join(known) or 'the tables at hand (run `make data` or `make bench`)'}"
        )
    rows = known[key].dropna(subset=["top1"])
    if rows.empty:
        raise UserError(f"hardware {key}: no model timed there has a published accuracy in report/data/accuracy.csv")
    return complete(rows, training.get(key.removesuffix("-compiled")))


def _known() -> dict[str, pd.DataFrame]:
    """The tables of every machine that the picker offers but predicted ones."""
    return {**machines.main_tables(), **fields.phone()}


def complete(rows: pd.DataFrame, training: pd.DataFrame | None = None) -> pd.DataFrame:
    """`rows` with the columns that `table` adds."""
    single = 1000.0 / rows["samples_per_sec"].where(rows["batch_size"].eq(1).fillna(False).astype(bool))
    given = pd.to_numeric(rows["batch1_p50_ms"], errors="coerce") if "batch1_p50_ms" in rows else np.nan
    rows = rows.assign(
        latency_ms=single.fillna(given) if isinstance(given, pd.Series) else single,
        energy_j=pd.to_numeric(rows["energy_j"], errors="coerce") if "energy_j" in rows else np.nan,
        commercial=rows["model"].map(licences.commercial),
    )
    if training is None:
        return rows.assign(train_samples_per_sec=np.nan).reset_index(drop=True)
    timed = training.drop_duplicates(machines.KEY)[[*machines.KEY, "samples_per_sec"]].rename(
        columns={"samples_per_sec": "train_samples_per_sec"}
    )
    return rows.merge(timed, on=machines.KEY, how="left", validate="m:1")


def with_ways(rows: pd.DataFrame, speeds: pd.DataFrame) -> pd.DataFrame:
    """`rows` once for each runtime and precision that `speeds` (`in_runtimes.read`) knows its network in: `row` (its
    place among `rows`), `way` (runtime, precision), `eager`, `samples_per_sec`, `low`, `high`, `status` there.
    A gain over eager is told in `steps` of STEP, far less than its interval.
    """
    columns = ["samples_per_sec", "low", "high", "status"]
    mine = rows.drop(columns=columns[1:], errors="ignore").assign(row=range(len(rows)))
    mine = mine.rename(columns={"samples_per_sec": "eager"}).dropna(subset=["eager"])
    known = speeds[speeds["runtime"].isin(list(lines.TEMPLATES))]
    known = known.assign(way=list(zip(known["runtime"], known["precision"])))
    both = mine.merge(known[["arch", "img_size", "way", *columns]], on=["arch", "img_size"], how="inner")
    steps = (np.log(both["samples_per_sec"] / both["eager"]) / np.log(STEP)).round()
    return both.assign(steps=steps.astype(int), samples_per_sec=both["eager"] * STEP**steps)


def fastest_way(found: pd.DataFrame) -> pd.DataFrame:
    """Of `with_ways` one row each: the fastest, of equals the first."""
    best = found.groupby("row", sort=False)["samples_per_sec"].idxmax()
    return found.loc[best].sort_values("row").reset_index(drop=True)


def in_runtime(rows: pd.DataFrame, speeds: pd.DataFrame, runtime: str = "eager", precision: str = "fp32"):
    """`rows` (as of `complete`) with the speeds of a runtime and precision, 'any': the fastest; only those that have
    one. Latency and joules are eager's, so they are unknown there. Adds `way`.
    """
    plain = rows.assign(row=range(len(rows)), way=[("eager", "fp32")] * len(rows))
    if (runtime, precision) == ("eager", "fp32"):
        return plain.drop(columns="row")
    both = pd.concat([plain, with_ways(rows, speeds)], ignore_index=True)
    asked = [runtime in ("any", one) and precision in ("any", two) for one, two in both["way"]]
    return fastest_way(both[asked]).assign(latency_ms=np.nan).drop(columns=["row", "eager", "steps"])


def fits(rows: pd.DataFrame, needs: Needs) -> pd.DataFrame:
    """One boolean column per need that is set, aligned with `rows`. What is not known (NaN) does not fit."""
    checks = {}
    for name, (column, bound, sense) in needs.bounds().items():
        checks[name] = rows[column] >= bound if sense == "least" else rows[column] <= bound
    if needs.pretrain:
        checks["pretrain"] = rows["pretrain"].isin(needs.pretrain)
    if needs.commercial:
        checks["commercial"] = rows["commercial"] == "yes"
    return pd.DataFrame(checks, index=rows.index)


def pick(rows: pd.DataFrame, needs: Needs) -> Picked:
    """The best models of `rows` (see `complete`) for `needs`. None fits: `Picked.note` says what is nearest."""
    good = rows[fits(rows, needs).all(axis=1)]
    if good.empty:
        return Picked(rows.iloc[:0], 0, _nearest(rows, needs), needs)
    front = good[on_frontier(good)].sort_values(["top1", "samples_per_sec"], ascending=False).drop_duplicates("model")
    others = (
        good[~good["model"].isin(front["model"])]
        .sort_values(["top1", "samples_per_sec"], ascending=False)
        .drop_duplicates("model")
    )
    chosen = pd.concat([front, others]).head(PICKS)
    reasons, ties = [], []
    for position, row in enumerate(chosen.itertuples()):
        best = chosen.iloc[0]
        if position == 0:
            reasons.append(
                f"the most accurate of the {len(good)} that fit" if len(good) > 1 else "the only one that fits"
            )
        elif row.model in set(front["model"]):
            reasons.append(
                f"{row.samples_per_sec / best['samples_per_sec']:.2g}× as fast for {best['top1'] - row.top1:.2f} "
                "points less"
            )
        else:
            reasons.append("next in accuracy; a pick above beats it on both counts")
        close = good[
            (good["model"] != row.model) & ((good["top1"] - row.top1).abs() <= top1_uncertainty(good["top1"], row.top1))
        ]
        ties.append(
            tuple(
                close.sort_values("samples_per_sec", ascending=False, kind="stable")
                .drop_duplicates("model")["model"]
                .head(TIES)
            )
        )
    return Picked(chosen.assign(reason=reasons, ties=ties).reset_index(drop=True), len(good), asked=needs)


def _nearest(rows: pd.DataFrame, needs: Needs) -> str:
    """'nothing fits; the nearest is …': the model that misses the fewest needs, then misses them by the least, and
    by how much.
    """
    missed = ~fits(rows, needs)
    distance = pd.Series(0.0, index=rows.index)
    for name, (column, bound, sense) in needs.bounds().items():
        known = rows[column].where(rows[column] > 0)
        distance += (
            np.log(bound / known if sense == "least" else known / bound).abs().fillna(50).where(missed[name], 0.0)
            if bound > 0
            else 0.0
        )
    order = pd.DataFrame({"missed": missed.sum(axis=1), "distance": distance, "top1": -rows["top1"]}).sort_values(
        ["missed", "distance", "top1"]
    )
    row, lacks = rows.loc[order.index[0]], missed.loc[order.index[0]]
    said = []
    for name in lacks.index[lacks]:
        if name in needs.bounds():
            column, bound, sense = needs.bounds()[name]
            value = "not measured here" if pd.isna(row[column]) else f"{row[column]:.4g}"
            said.append(
                f"{OPTIONS[name]} is {value}, asked for {'at least' if sense == 'least' else 'at most'} {bound:g}"
            )
        else:
            said.append(
                f"its pretraining is {LABELS[row['pretrain']]}"
                if name == "pretrain"
                else f"its licence is {licences.licence(row['model'])}"
            )
    return f"nothing fits; the nearest is {row['model']} at {row['img_size']} pixels: {'; '.join(said)}"


def find(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows of a model by its full name, its architecture, or its name of 2022. Raises UserError where it is not
    in the table.
    """
    for wanted in dict.fromkeys([name, names.today(name)]):
        found = rows[(rows["model"] == wanted) | (rows["arch"] == wanted)]
        if len(found) and wanted:
            return found
    close = names.nearest(name, [*rows["arch"].unique(), *rows["model"].unique()])
    raise UserError(
        f"{str(name)[:80]!r}: not timed on this machine with a known accuracy"
        + (f"; did you mean {', '.join(close)}?" if close else "")
    )


def replace(rows: pd.DataFrame, name: str, needs: Needs = Needs()) -> Picked:
    """What beats the model `name` on both axes: more accurate by more than the uncertainty and no slower than timing
    can tell, of what fits.

    Its best weights at their best size count: who uses it should not be promised what its better weights give already.
    """
    mine = find(rows, name).sort_values(["top1", "samples_per_sec"], ascending=False).iloc[0]
    others = rows[rows["arch"] != mine["arch"]]
    better = others[
        (others["samples_per_sec"] * TIMING_SPREAD >= mine["samples_per_sec"])
        & (others["top1"] - mine["top1"] > top1_uncertainty(others["top1"], mine["top1"]))
    ]
    known = (
        f"{mine['model']} ({mine['top1']:.2f}% at {mine['img_size']} pixels, {rate(mine['samples_per_sec'])} images/s)"
    )
    if better.empty:
        return Picked(rows.iloc[:0], 0, f"nothing here beats {known} on both accuracy and speed", needs)
    picked = pick(better, needs)
    if picked.rows.empty:
        return picked
    reasons = [
        f"{row.top1 - mine['top1']:.2f} points more accurate and "
        f"{row.samples_per_sec / mine['samples_per_sec']:.2g}× as fast as {known}"
        for row in picked.rows.itertuples()
    ]
    return Picked(picked.rows.assign(reason=reasons), picked.fitting, asked=needs)


def code(row) -> str:
    """The lines that run the model of a row, in its runtime where it has one."""
    return "\n    ".join(lines.of(row.model, row.img_size, *getattr(row, "way", ())))


OPTIONS = {
    "min_throughput": "throughput (images/s)",
    "min_training": "training throughput (images/s)",
    "max_latency": "latency (ms)",
    "max_params": "parameters (M)",
    "max_size": "image size (pixels)",
    "min_top1": "top-1 (%)",
}


@cli
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.choose.rules", description="Which model should I use on my hardware?"
    )
    parser.add_argument("--list", action="store_true", help="name the machines")
    parser.add_argument("--hardware", help="a machine of --list")
    for name, meaning in OPTIONS.items():
        sense = "at least" if name.startswith("min") else "at most"
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=_positive, metavar="N", help=f"{sense}: {meaning}".replace("%", "%%")
        )
    parser.add_argument(
        "--pretrain", default="", metavar="A,B", help=f"only these kinds of pretraining: {', '.join(CLASSES[:-1])}"
    )
    parser.add_argument(
        "--commercial", action="store_true", help="only licences that allow commercial use, as timm states them"
    )
    for name, choices in (("runtime", lines.TEMPLATES), ("precision", kinds.PRECISIONS)):
        known = ", ".join(choices)
        parser.add_argument(
            f"--{name}", choices=[*choices, "any"], metavar=name[0].upper(), help=f"{known}, or any: the fastest"
        )
    parser.add_argument("--replace", metavar="MODEL", help="what beats this model on both axes")
    options = parser.parse_args(argv)
    if options.list or not options.hardware:
        known = _known()
        print(
            "\n".join(f"{key:<24}{machines.name_of(key, known)}, {len(rows)} models" for key, rows in known.items())
            or "no tables at hand"
        )
        if not options.list:
            raise UserError("no --hardware; choose one of these")
        return
    classes = tuple(filter(None, options.pretrain.split(",")))
    if set(classes) - set(CLASSES):
        raise UserError(f"--pretrain {options.pretrain}: choose among {', '.join(CLASSES[:-1])}")
    needs = Needs(**{name: getattr(options, name) for name in OPTIONS}, pretrain=classes, commercial=options.commercial)
    rows = table(options.hardware)
    if options.runtime or options.precision:
        rows = in_runtime(rows, _speeds(options.hardware), options.runtime or "eager", options.precision or "fp32")
        if rows.empty:
            raise UserError(f"--runtime {options.runtime} --precision {options.precision}: no network is known in it")
    picked = replace(rows, options.replace, needs) if options.replace else pick(rows, needs)
    for row in picked.rows.itertuples():
        print(
            f"{row.model}   {row.top1:.2f}% top-1 at {row.img_size} pixels, {rate(row.samples_per_sec)} images/s, "
            f"{row.param_count:.1f} M parameters, "
            f"{families.label(row.family)}, {LABELS[row.pretrain]}, licence {licences.licence(row.model)}\n    "
            f"{row.reason}\n    {code(row)}"
        )
        if row.ties:
            print(f"    can't be told from it by accuracy: {', '.join(row.ties)}")
    if picked.note:
        print(picked.note)


def _speeds(key: str) -> pd.DataFrame:
    """Speeds in other runtimes of a machine of `table`. Raises UserError where none are kept."""
    slug = key.removesuffix("-predicted")
    if slug == key or not in_runtimes.there(slug):
        raise UserError(f"--hardware {key}: speeds in other runtimes are known of machines after `make predict` alone")
    return in_runtimes.read(slug)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


if __name__ == "__main__":
    sys.exit(main())
