"""What was measured by this project: speed against accuracy in inference and in training, the wait for a single
picture, and what compiling a model brings.

measured_inference, measured_training, measured_latency: this machine, which is the present one if it was measured, else
the one measured last. measured_gpu_inference, measured_gpu_training, measured_gpu_compiled: the GPU measured last.
Accuracies are the published ones.

    python -m scripts.figures.export --only measured_inference measured_training measured_latency
"""

from __future__ import annotations

import pandas as pd

from scripts.common import hardware, words
from scripts.common.errors import DataMissing
from scripts.common.hardware import named
from scripts.common.paths import DATA
from scripts.common.provenance import source
from scripts.common.words import counted, plain, short, wait
from scripts.data import measured
from scripts.figures import frontier_chart, list_chart
from scripts.figures.drawing import Drawing
from scripts.figures.theme import TIMES, Axis, both, frontier
from scripts.findings import machines

STEP = {"infer": "inference", "train": "a training step"}
CAMERA = 30  # pictures a second


def machine_rows(part: str, gpu: bool = False) -> pd.DataFrame:
    """Our rows of `part` for this machine (gpu: for the GPU measured last), all of its files. Raises DataMissing
    where there are none.
    """
    table = measured.load(part)
    if not len(table):
        raise DataMissing(f"nothing measured yet ({STEP[part]}); run `make bench`")
    if gpu:
        table = table[table.kind_of_hardware == "gpu"]
        if not len(table):
            raise DataMissing("nothing measured on a GPU yet; run `make bench-gpu` where there is one")
        slug = table.sort_values("date", kind="stable").hardware.iloc[-1]
    else:
        slug = measured.machine()
    own = table[table.hardware == slug]
    if not len(own):
        raise DataMissing(f"{STEP[part]} not measured on {named(slug).name} yet; run `make bench`")
    return own


def of_fullest_file(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the file (precision, layout) with the most architectures, one per architecture and size: that of
    the best published weights.
    """
    file = table.groupby("file").arch.nunique().sort_values(kind="stable").index[-1]
    return (
        table[table.file == file]
        .sort_values("top1", ascending=False, kind="stable")
        .drop_duplicates(["arch", "img_size"])
        .reset_index(drop=True)
    )


def about(table: pd.DataFrame) -> dict:
    """sources, hardware and date of a Drawing made from rows of one measured file."""
    path = DATA / table.file.iloc[0]
    sources = [source(path)] + ([source(DATA / measured.ACCURACY)] if (DATA / measured.ACCURACY).exists() else [])
    return {
        "sources": sources,
        "hardware": f"{table.hardware_name.iloc[0]}, {setting(table)}",
        "date": table.date.iloc[0],
    }


def setting(table: pd.DataFrame) -> str:
    row = table.iloc[0]
    threads = (
        f", {counted(int(float(row.threads)), 'thread')}"
        if row.get("kind_of_hardware") == "cpu" and str(row.get("threads", "")).strip()
        else ""
    )
    return (
        f"{hardware.PRECISIONS.get(row.precision, row.precision)}, "
        f"{'compiled' if row.compiled else 'eager'}{threads}, PyTorch {row.torch}"
    )


def footer(table: pd.DataFrame, with_accuracy: bool = True) -> str:
    return (
        f"Source: measured by this project on {words.day(table.date.iloc[0])} · {table.hardware_name.iloc[0]}, "
        f"{setting(table)}" + (" · accuracy: timm’s published results" if with_accuracy else "")
    )


def draw_measured(part: str, gpu: bool = False) -> Drawing:
    """The frontier chart of this machine, or of the GPU measured last. Raises DataMissing where nothing was
    measured or no accuracy is known.
    """
    everything = of_fullest_file(machine_rows(part, gpu))
    table = everything[everything.top1.notna()]
    if not len(table):
        raise DataMissing(f"no published accuracy for the models measured on {everything.hardware_name.iloc[0]}")
    edge = frontier(table)
    where = table.hardware_name.iloc[0]
    fast, best = edge.iloc[-1], edge.iloc[0]
    ratio = fast.samples_per_sec / best.samples_per_sec
    title = f"{where}: {fast.arch} is fastest" + (
        f", {best.top1 - fast.top1:.1f} points more take {ratio:.2g} times as long" if len(edge) > 1 else ""
    )
    subtitle = (
        f"ImageNet top-1 accuracy against images per second in {STEP[part]}; the line is the best accuracy at that "
        "speed or faster"
    )
    some, every = table.arch.nunique(), everything.arch.nunique()
    if some < every:
        subtitle += f"; shown: the {some} of {every} networks with a published accuracy"
    return Drawing(
        **both(frontier_chart.draw, table, title, subtitle, footer(table), everyone=len(table) <= 24),
        title=title,
        data=table.assign(on_frontier=table.index.isin(edge.index)),
        alt=f"Scatter chart of {counted(len(table), 'model')} measured on {where}: images per second in {STEP[part]} "
        f"on a log axis against ImageNet top-1 accuracy. {counted(len(edge), 'model')} "
        f"{'is' if len(edge) == 1 else 'are'} on the frontier, from {best.model} ({best.top1:.1f}%, "
        f"{short(best.samples_per_sec)} images/s) to {fast.model} ({fast.top1:.1f}%, {short(fast.samples_per_sec)} "
        "images/s).",
        caption=f"Speed in {STEP[part]} as measured on {where}, with a published accuracy of each architecture "
        "at that picture size. "
        f"{counted(len(edge), 'model')} of {len(table)} {'is' if len(edge) == 1 else 'are'} on the frontier.",
        explore={} if gpu else {"machine": machines.key_of(table.iloc[0], machines.published()), "part": part},
        **about(table),
    )


def draw_latency() -> Drawing:
    """Median and 90th percentile of the time for one picture. Raises DataMissing where it was not measured."""
    table = of_fullest_file(machine_rows("infer"))
    for percentile in ("p50", "p90"):
        table[percentile] = (
            pd.to_numeric(table[f"batch1_{percentile}_ms"], errors="coerce")
            if f"batch1_{percentile}_ms" in table
            else float("nan")
        )
    table = table[table.p50 > 0].sort_values("p50", kind="stable")
    if not len(table):
        raise DataMissing("the wait for a single picture was not measured; run `make bench`")
    where = table.hardware_name.iloc[0]
    first, last = table.iloc[0], table.iloc[-1]
    quick = int((table.p50 <= 1000 / CAMERA).sum())
    title = (
        f"{where}: {quick} of {counted(len(table), 'model')} {'keeps' if len(table) == 1 else 'keep'} up with a "
        f"camera of {CAMERA} pictures a second"
    )
    rows = table.assign(
        label=table.arch,
        value=table.p50,
        low=table.p50,
        high=table.p90,
        details=[f"median {wait(row.p50)}, 90% below {wait(row.p90)}" for row in table.itertuples()],
    )
    axis = Axis.around(
        "time for one picture (log scale)", table.p50, table.p90, log=True, before=0.06, after=0.06, write=wait
    )
    subtitle = "Time for a single picture at batch size 1: median, and the time that 90% stay below"
    mark = (1000 / CAMERA, f"{CAMERA} pictures a second")
    return Drawing(
        **both(list_chart.draw, rows, axis, title, subtitle, footer(table, with_accuracy=False), mark=mark),
        title=title,
        data=table,
        alt=f"List of {counted(len(table), 'model')} by the time that one picture takes on {where}, from {first.arch} "
        f"({wait(first.p50)}) to {last.arch} ({wait(last.p50)}), on a log axis.",
        caption=f"Time for a single picture on {where}: the dot is the median, the line ends where 90% of pictures are "
        "done.",
        **about(table),
    )


def draw_compiled() -> Drawing:
    """Speed-up by torch.compile on the GPU measured last. Raises DataMissing where both sides were not measured."""
    table = machine_rows("infer", gpu=True)
    where = table.hardware_name.iloc[0]
    if table.compiled.nunique() < 2:
        raise DataMissing(f"compiled models not measured on {where} yet; run `make bench-gpu` there")
    eager, compiled = (of_fullest_file(table[table.compiled == compiled]) for compiled in (False, True))
    table = compiled.merge(
        eager[["arch", "img_size", "samples_per_sec"]], on=["arch", "img_size"], suffixes=("", "_eager"), validate="1:1"
    )
    if not len(table):
        raise DataMissing(f"no model was measured both eager and compiled on {where}")
    table = table.assign(speedup=table.samples_per_sec / table.samples_per_sec_eager).sort_values(
        "speedup", ascending=False, kind="stable"
    )
    best, last = table.iloc[0], table.iloc[-1]
    title = (
        f"{where}: compiling makes "
        + (f"the median model {table.speedup.median():.2f} times as fast, " if len(table) > 1 else "")
        + f"{best.arch} {best.speedup:.2f} times"
        + ("" if len(table) > 1 else " as fast")
    )
    rows = table.assign(
        label=table.arch,
        value=table.speedup,
        details=[
            f"{row.speedup:.2f} times as fast: {plain(row.samples_per_sec)} after {plain(row.samples_per_sec_eager)} "
            "images/s"
            for row in table.itertuples()
        ],
    )
    axis = Axis.around("speed compiled / eager", table.speedup, 1.0, before=0.05, after=0.05, write=TIMES)
    subtitle = "Images per second in inference with torch.compile, over those without"
    foot = footer(table, with_accuracy=False)
    files = [source(DATA / file) for file in sorted({table.file.iloc[0], eager.file.iloc[0]})]
    return Drawing(
        **both(list_chart.draw, rows, axis, title, subtitle, foot, mark=(1.0, "no change")),
        title=title,
        data=table,
        alt=f"List of {counted(len(table), 'model')} by how much faster torch.compile makes them on {where}, from "
        f"{best.arch} ({best.speedup:.2f} times) to {last.arch} ({last.speedup:.2f} times).",
        caption=f"What torch.compile brings on {where}: {int((table.speedup > 1).sum())} of "
        f"{counted(len(table), 'model')} {'becomes' if len(table) == 1 else 'become'} faster, the median one "
        f"{table.speedup.median():.2f} times.",
        **{**about(table), "sources": files},
    )
