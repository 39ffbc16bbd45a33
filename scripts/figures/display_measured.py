"""What was measured on this machine: speed against accuracy in inference and in training, and the wait for a single picture.

measured_inference, measured_training: frontier charts of our own benchmark, with published accuracies. measured_latency: how long one
picture takes, its median and the time that 90% stay below. "This machine" is the present one if it was measured, else the one measured last.

    python -m scripts.figures.export --only measured_inference measured_training measured_latency
"""

from __future__ import annotations

import math

import pandas as pd

from scripts.common import families
from scripts.common.hardware import named
from scripts.common.paths import DATA
from scripts.data import measured
from scripts.figures import frontier_chart, published
from scripts.figures.drawing import DataMissing, Drawing, counted, source
from scripts.figures.labels import safe
from scripts.figures.theme import CONTEXT, MUTED, PHONE, WIDE, Axis, Canvas, frontier, nice_range, short

STEP = {"infer": "inference", "train": "a training step"}
MOST_ROWS = {WIDE: 24, PHONE: 26}  # models that a list of names has room for


def this_machine(part: str) -> pd.DataFrame:
    """Our rows of `part` for this machine, of its fullest file (precision, layout), a row per architecture and size: that of the best
    published weights. Raises DataMissing where nothing was measured."""
    table = measured.load(part)
    if not len(table):
        raise DataMissing(f"nothing measured yet ({STEP[part]}); run `make bench`")
    slug = measured.machine()
    own = table[table.hardware == slug]
    if not len(own):
        raise DataMissing(f"{STEP[part]} not measured on {named(slug).name} yet; run `make bench`")
    file = own.groupby("file").arch.nunique().sort_values(kind="stable").index[-1]
    return own[own.file == file].sort_values("top1", ascending=False).drop_duplicates(["arch", "img_size"]).reset_index(drop=True)


def about(table: pd.DataFrame) -> dict:
    """sources, hardware and date of a Drawing made from rows of one measured file."""
    path = DATA / table.file.iloc[0]
    sources = [source(path)] + ([source(DATA / measured.ACCURACY)] if (DATA / measured.ACCURACY).exists() else [])
    return {"sources": sources, "hardware": f"{table.hardware_name.iloc[0]}, {setting(table)}", "date": table.date.iloc[0]}


def setting(table: pd.DataFrame) -> str:
    row = table.iloc[0]
    threads = f", {counted(int(float(row.threads)), 'thread')}" if row.get("kind_of_hardware") == "cpu" and str(row.get("threads", "")).strip() else ""
    return f"{published.PRECISIONS.get(row.precision, row.precision)}, {'compiled' if row.compiled else 'eager'}{threads}, PyTorch {row.torch}"


def footer(table: pd.DataFrame, with_accuracy: bool = True) -> str:
    return (f"Source: measured by this project on {published.day(table.date.iloc[0])} · {table.hardware_name.iloc[0]}, {setting(table)}"
            + (" · accuracy: timm's published results" if with_accuracy else ""))


def draw_measured(part: str) -> Drawing:
    """The frontier chart of this machine. Raises DataMissing where nothing was measured or no accuracy is known."""
    everything = this_machine(part)
    table = everything[everything.top1.notna()]
    if not len(table):
        raise DataMissing(f"no published accuracy for the models measured on {everything.hardware_name.iloc[0]}")
    edge = frontier(table)
    where = table.hardware_name.iloc[0]
    fast, best = edge.iloc[-1], edge.iloc[0]
    ratio = fast.samples_per_sec / best.samples_per_sec
    title = f"{where}: {fast.arch} is fastest" + (f", {best.top1 - fast.top1:.1f} points more take {ratio:.2g} times as long" if len(edge) > 1 else "")
    subtitle = f"ImageNet top-1 accuracy against images per second in {STEP[part]}; the line is the best accuracy at that speed or faster"
    wide, phone = (frontier_chart.draw(table, title, subtitle, footer(table), size=size, everyone=len(table) <= 24).figure for size in (WIDE, PHONE))
    return Drawing(
        figure=wide, phone=phone, title=title, data=table.assign(on_frontier=table.index.isin(edge.index)),
        alt=f"Scatter chart of {counted(len(table), 'model')} measured on {where}: images per second in {STEP[part]} on a log axis against ImageNet top-1 "
            f"accuracy. {counted(len(edge), 'model')} {'is' if len(edge) == 1 else 'are'} on the frontier, from {best.model} ({best.top1:.1f}%, "
            f"{short(best.samples_per_sec)} images/s) to {fast.model} ({fast.top1:.1f}%, {short(fast.samples_per_sec)} images/s).",
        caption=f"Speed in {STEP[part]} as measured on {where}, with the best published accuracy of each architecture at that picture size. "
                f"{counted(len(edge), 'model')} of {len(table)} {'is' if len(edge) == 1 else 'are'} on the frontier.", **about(table))


def draw_latency() -> Drawing:
    """Median and 90th percentile of the time for one picture. Raises DataMissing where it was not measured."""
    table = this_machine("infer")
    if "batch1_p50_ms" not in table:
        raise DataMissing("the wait for a single picture was not measured; run `make bench`")
    table = table.assign(p50=pd.to_numeric(table.batch1_p50_ms, errors="coerce"), p90=pd.to_numeric(table.batch1_p90_ms, errors="coerce"))
    table = table[table.p50 > 0].sort_values("p50")
    if not len(table):
        raise DataMissing("the wait for a single picture was not measured; run `make bench`")
    where = table.hardware_name.iloc[0]
    first, last = table.iloc[0], table.iloc[-1]
    quick = int((table.p50 <= 1000 / 30).sum())
    title = f"{where}: {quick} of {counted(len(table), 'model')} keep up with a camera of 30 pictures a second"
    wide, phone = (latency_chart(table, title, footer(table, with_accuracy=False), size).figure for size in (WIDE, PHONE))
    return Drawing(
        figure=wide, phone=phone, title=title, data=table,
        alt=f"List of {counted(len(table), 'model')} by the time that one picture takes on {where}, from {first.arch} ({first.p50:.3g} ms) to "
            f"{last.arch} ({last.p50:.3g} ms), on a log axis.",
        caption=f"Time for a single picture on {where}: the dot is the median, the line ends where 90% of pictures are done.", **about(table))


def milliseconds(value: float) -> str:
    """5 ms, 200 ms, 2 s."""
    return f"{value:.3g} ms" if value < 1000 else f"{value / 1000:.3g} s"


def latency_chart(table: pd.DataFrame, title: str, foot: str, size: tuple[int, int]) -> Canvas:
    """Rows by growing `p50`, milliseconds on a log axis; of more than there is room for, an even choice."""
    room = MOST_ROWS[size]
    if len(table) > room:
        table = table.iloc[[round(i * (len(table) - 1) / (room - 1)) for i in range(room)]]
    values = pd.concat([table.p50, table.p90.fillna(table.p50)])
    x = Axis("time for one picture (log scale)", *nice_range(values, log=True, before=0.06, after=0.06), log=True, write=milliseconds)
    y = Axis("", -0.7, len(table) - 0.3, names=[row.arch for row in table.itertuples()][::-1])
    canvas = Canvas(size, title, "Time for a single picture at batch size 1: median, and the time that 90% stay below", foot, x, y)
    height = range(len(table) - 1, -1, -1)
    for row, at in zip(table.itertuples(), height):
        if row.p90 > row.p50:
            canvas.figure.add_scatter(x=[row.p50, row.p90], y=[at, at], mode="lines", hoverinfo="skip", line={"color": CONTEXT[0], "width": 4})
    canvas.figure.add_scatter(
        x=table.p50, y=list(height), mode="markers", hovertemplate="%{text}<extra></extra>", customdata=table[["model", "img_size"]].astype(str).to_numpy(),
        text=[f"<b>{safe(row.arch, 80)}</b><br>{safe(families.label(row.family))}<br>median {row.p50:.3g} ms, 90% below {row.p90:.3g} ms" for row in table.itertuples()],
        marker={"size": 11, "color": [families.colour(family) for family in table.family], "symbol": [families.SYMBOLS.get(kind, "circle") for kind in table.kind]})
    if x.low < 1000 / 30 < x.high:
        canvas.figure.add_vline(x=1000 / 30, line={"color": MUTED[0], "width": 1, "dash": "dot"})
        canvas.figure.add_annotation(x=math.log10(1000 / 30), y=1, yref="paper", yanchor="bottom", text="30 pictures a second", showarrow=False,
                                     name="mark", font={"size": canvas.base - 1, "color": MUTED[0]})
    return canvas
