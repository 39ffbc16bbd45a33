"""The figures that the pages' prose quotes, computed from timm's tables and kept in one small CSV, so that the report
can be rebuilt where those tables cannot be had.

    # writes summary.csv, picks.csv and joins.csv to report/data, with sidecars
    python -m scripts.findings.summary

summary.csv has key, value, unit; a page reads a figure by its key and types none. picks.csv has, for each machine
(then, gpu and cpu are those that the pages name; any other by its own name) and need (fast, balanced, accurate), the
most accurate model: fast means among the fastest tenth of the models in that table, balanced at least as fast as its
median, accurate at any speed; a pick within the noise of its floor names the runner-up. joins.csv counts, per table,
what the join of speeds with accuracies did to its rows.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pandas as pd

from scripts.common import families, hardware
from scripts.common.errors import cli, parser_of
from scripts.common.frontier import NEEDS, on_frontier
from scripts.common.paths import DATA
from scripts.common.provenance import origin, sidecar, sources, write_derived
from scripts.common.tables import read_table
from scripts.common.uncertainty import TIMING_SPREAD, spearman
from scripts.data import read_data
from scripts.findings import machines
from scripts.findings.claims import version_key

TABLES = {  # what the pages call a machine -> its table, as long as timm has it: see `chosen`
    "then": (read_data.THEN, "benchmark-infer-amp-nhwc-pt111-cu113-rtx3090.csv"),
    "gpu": (read_data.NOW, "benchmark-infer-amp-nchw-pt291-cu130-5090.csv"),
    "cpu": (read_data.NOW, "benchmark-infer-fp32-nchw-pt240-cpu-i7_12700h-dynamo.csv"),
    "card": (read_data.NOW, "benchmark-infer-amp-nhwc-pt240-cu124-rtx3090.csv"),  # that of "then", with newer software
}
MACHINES = ("then", "gpu", "cpu")  # those that have picks
NOTEBOOK_FAMILIES = ("levit", "convnext", "beit", "vgg")

Figure = tuple[str, object, str]  # key, value, unit


def chosen(machine: str) -> tuple[str, str]:
    """(vintage, file) of one of `TABLES`. Where timm no longer has the file, or it can't be joined, of the nearest that
    can: the same hardware before the same kind of processor, then the same precision, layout and compiler, the newest
    torch. Raises TablesMissing where there is none of that kind.
    """
    vintage, wanted = TABLES[machine]
    like = hardware.parse_benchmark_name(wanted)
    there = [table["file"].iloc[0] for table in read_data.tables("infer", vintage)]
    alike = [file for file in there if _kind(file) == _kind(wanted)]
    if not alike:
        kind = {"gpu": "graphics card", "cpu": "processor"}[_kind(wanted)]
        raise read_data.TablesMissing(f"timm has no table of a {kind} that can be read")
    return vintage, wanted if wanted in alike else max(alike, key=lambda file: _likeness(file, like))


def table_of(machine: str) -> pd.DataFrame:
    """The tidy table of `chosen`, without timm's test networks."""
    return families.contenders(read_data.load("infer", *chosen(machine)))


def _kind(file: str) -> str:
    return hardware.named(hardware.parse_benchmark_name(file)["hardware"]).kind


def _likeness(file: str, like: dict) -> tuple:
    about = hardware.parse_benchmark_name(file)
    same = [about[name] == like[name] for name in ("hardware", "precision", "layout", "compiled")]
    return *same, version_key(about["torch"]), about["hardware"]


def picks(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """One row per need: the most accurate model that is fast enough; of equals the fastest. runner_up: that among the
    models above the floor by more than timings vary, where the pick is not."""
    table = families.contenders(table)
    rows = []
    for need, quantile in NEEDS.items():
        floor = table.samples_per_sec.quantile(quantile)
        enough = table[table.samples_per_sec >= floor]
        order = enough.sort_values(["top1", "samples_per_sec"], ascending=False)
        best, surely = order.iloc[0], order[order.samples_per_sec >= floor * TIMING_SPREAD]
        near = quantile > 0 and best.samples_per_sec < floor * TIMING_SPREAD and len(surely) > 0
        rows.append(
            {
                "machine": name,
                "hardware": best.hardware,
                "vintage": best.vintage,
                "date": best.date,
                "compiled": bool(best.compiled),
                "need": need,
                "floor_samples_per_sec": round(floor, 1),
                "model": best.model,
                "family": best.family,
                "img_size": int(best.img_size),
                "top1": best.top1,
                "samples_per_sec": best.samples_per_sec,
                "param_count": best.param_count,
                "runner_up": surely.iloc[0].model if near else "",
                "runner_up_top1": surely.iloc[0].top1 if near else float("nan"),
                "runner_up_samples_per_sec": surely.iloc[0].samples_per_sec if near else float("nan"),
            }
        )
    return pd.DataFrame(rows)


def machine_figures(name: str, table: pd.DataFrame) -> Iterator[Figure]:
    """What one table says: its size, its frontier, its extremes, and the notebook's families in it."""
    table = families.contenders(table)
    front = table[on_frontier(table)]
    yield f"{name}.hardware", hardware.named(table.hardware.iloc[0]).name, ""
    speeds, accuracies = sources(table)
    yield f"{name}.date", speeds.date, "date"
    yield f"{name}.accuracies", accuracies.date, "date"
    yield f"{name}.weights", len(table), "weights"
    yield f"{name}.architectures", table.arch.nunique(), "architectures"
    yield f"{name}.families", table.family.nunique(), "families"
    yield f"{name}.frontier.weights", len(front), "weights"
    kin = front.sort_values("samples_per_sec", kind="stable").family.unique()
    yield f"{name}.frontier.families", ", ".join(map(families.label, kin)), ""
    yield f"{name}.spearman.parameters", spearman(table.param_count, table.samples_per_sec), "rank correlation"
    for column in ("gmacs", "macts"):
        if table[column].notna().mean() > 0.9:
            yield f"{name}.spearman.{column}", spearman(table[column], table.samples_per_sec), "rank correlation"
    middle = table[table.param_count.between(20, 30)]
    yield f"{name}.span_20_30m", middle.samples_per_sec.max() / middle.samples_per_sec.min(), "ratio"
    for family in NOTEBOOK_FAMILIES:
        members = table[table.family == family]
        yield f"{name}.{family}.weights", len(members), "weights"
        yield f"{name}.{family}.frontier", int(front.family.eq(family).sum()), "weights"
        if len(members):
            yield from _model(f"{name}.{family}.best", members.loc[members.top1.idxmax()])
            yield from _model(f"{name}.{family}.fastest", members.loc[members.samples_per_sec.idxmax()])
    yield from _model(f"{name}.best", table.iloc[table.top1.argmax()])
    vgg = table[table.family == "vgg"]
    if len(vgg):
        best_vgg = vgg.loc[vgg.top1.idxmax()]
        rivals = table[table.top1 >= best_vgg.top1]
        rival = rivals.loc[rivals.samples_per_sec.idxmax()]
        yield from _model(f"{name}.vgg.rival", rival)
        yield f"{name}.vgg.rival.speedup", rival.samples_per_sec / best_vgg.samples_per_sec, "ratio"


def _model(key: str, row: pd.Series) -> Iterator[Figure]:
    yield f"{key}.model", row.model, ""
    yield f"{key}.top1", row.top1, "%"
    yield f"{key}.samples_per_sec", row.samples_per_sec, "images/s"
    yield f"{key}.param_count", row.param_count, "millions"
    yield f"{key}.img_size", int(row.img_size), "pixels"


def newest_training() -> pd.DataFrame:
    """The training table of the newest torch that timm has published."""
    every = read_data.every_table("train")
    return max(every, key=lambda table: (version_key(table["torch"].iloc[0]), table["date"].iloc[0]))


def training_figures(gpu: pd.DataFrame) -> Iterator[Figure]:
    """Training against inference on the notebook's card: the same models, measured both ways; and which families of the
    newest card's table `gpu` no training table has.
    """
    files = {part: read_data.NOTEBOOK_FILE.format(part=part) for part in read_data.PARTS}
    infer, train = (read_data.load(part, read_data.THEN, file) for part, file in files.items())
    both = infer.merge(train, on=machines.KEY, suffixes=("_infer", "_train"))
    yield "training.models", len(both), "models"
    yield "training.spearman", spearman(both.samples_per_sec_infer, both.samples_per_sec_train), "rank correlation"
    ratio = both.samples_per_sec_infer / both.samples_per_sec_train
    yield "training.cost.median", ratio.median(), "ratio"
    yield "training.cost.low", ratio.quantile(0.1), "ratio"
    yield "training.cost.high", ratio.quantile(0.9), "ratio"
    newest = newest_training()
    yield "training.newest.hardware", hardware.named(newest["hardware"].iloc[0]).name, ""
    yield "training.newest.torch", newest["torch"].iloc[0], ""
    yield "training.newest.date", newest["date"].iloc[0], "date"
    missing = set(gpu["family"]) - set(newest["family"])
    yield "training.newest.missing", len(missing), "families"
    front = gpu[on_frontier(gpu)].sort_values("top1", ascending=False, kind="stable")["family"]
    lacks = [families.label(name) for name in front.unique() if name in missing]
    yield "training.newest.lacks", ", ".join(lacks) or "none", ""


def notebook_figures() -> Iterator[Figure]:
    """How many rows and families the notebook drew."""
    for part in ("infer", "train"):
        drawn = read_data.notebook(part)
        yield f"notebook.{part}.rows", len(drawn), "models"
        yield f"notebook.{part}.families", drawn.family.nunique(), "families"
        yield f"notebook.{part}.key_rows", len(read_data.notebook(part, subset=True)), "models"


def convnext_figures(table: pd.DataFrame) -> Iterator[Figure]:
    """How many ConvNeXts there are, and the best of them at 224 pixels. What their steps buy is in families.csv."""
    nets = table[table.family == "convnext"]
    yield "convnext.weights", len(nets), "weights"
    for row in nets[nets.img_size == 224].nlargest(1, "top1").itertuples():
        yield "convnext.best224.model", row.model, ""
        yield "convnext.best224.top1", row.top1, "%"


def numbers() -> dict[str, float | str]:
    """The committed summary by key: numbers as float, the rest as text. Empty where it was never made."""
    path = DATA / "summary.csv"
    if not path.exists():
        return {}
    table = read_table(path, required=["key", "value", "unit"], key=["key"])
    rows = zip(table["key"], table["value"], table["unit"])
    return {key: float(value) if unit not in ("", "date") else value for key, value, unit in rows}


def update() -> None:
    """Compute the three tables and write those that changed. Raises TablesMissing where timm's tables can't be had."""
    tables = {}
    for name in MACHINES:
        try:
            tables[name] = table_of(name)
        except read_data.TablesMissing as missing:
            if name != "cpu":
                raise
            print(f"notice: {missing}; the pages do without it", file=sys.stderr)
    figures = [*notebook_figures(), *training_figures(tables["gpu"]), *convnext_figures(tables["gpu"])]
    for name, table in tables.items():
        figures += machine_figures(name, table)
    said = pd.DataFrame(figures, columns=["key", "value", "unit"])
    said["value"] = [f"{value:.6g}" if isinstance(value, float) else str(value) for value in said.value]
    named = {tables[name].hardware.iloc[0] for name in ("gpu", "cpu") if name in tables}
    known = machines.main_tables(ours=False, compiled=False).values()
    others = {table.hardware.iloc[0]: table for table in known if table.hardware.iloc[0] not in named}
    picked = pd.concat([picks(name, table) for name, table in {**tables, **others}.items()])
    counts = ["results", "matched", "renamed", "wrong_size", "dropped", "timed_only"]
    joins = read_data.audits().groupby(["vintage", "file", "date"], as_index=False)[counts].sum()
    notebook = [read_data.notebook(part) for part in read_data.PARTS]
    made = {
        "summary": (said, sources(*tables.values(), *notebook, newest_training())),
        "picks": (picked, sources(*tables.values(), *others.values())),
        "joins": (joins, sources(*read_data.every_table())),
    }
    facts = sidecar(packages=("pandas",))
    for name, (frame, found) in made.items():
        write_derived(frame, DATA / f"{name}.csv", {**facts, **origin(found)})
    print(f"{len(said)} figures and {len(picked)} picks in report/data")


@cli
def main() -> None:
    parser_of(
        "scripts.findings.summary", __doc__, "TIMM_RESULTS=copy/of/tables python -m scripts.findings.summary"
    ).parse_args()
    update()


if __name__ == "__main__":
    sys.exit(main())
