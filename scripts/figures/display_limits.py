"""How much of the machine a model uses: the share of its two measured ceilings, and what larger batches bring.

measured_limits: per model, the time that arithmetic and memory must take at the least, over the time it took.
measured_curve: images per second at each batch size, over that at batch 1. Both for this machine, which is the present
one if it was measured, else the one measured last.

    python -m scripts.figures.export --only measured_limits measured_curve
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from scripts.common import families, hardware, words
from scripts.common.errors import DataMissing
from scripts.common.paths import DATA
from scripts.common.provenance import read_sidecar, source
from scripts.common.words import counted, plain
from scripts.data import measured
from scripts.figures import list_chart
from scripts.figures.display_measured import about, footer, machine_rows, of_fullest_file
from scripts.figures.drawing import Drawing
from scripts.figures.labels import safe
from scripts.figures.theme import CONTEXT, PERCENT, TEXT, WIDE, Axis, Canvas, Head, Size, beside, both, text_colour

GAIN = 1.1  # a batch size that makes a model so many times as fast pays
NAMED = 8  # models: the five that gain most and the three that gain least


def draw_limits() -> Drawing:
    """Raises DataMissing where the ceilings were not measured."""
    table = of_fullest_file(machine_rows("infer"))
    for name in ("roofline_pct", "arithmetic_pct"):
        table[name] = pd.to_numeric(table[name], errors="coerce") if name in table else float("nan")
    table = table[table.roofline_pct > 0].sort_values("roofline_pct", ascending=False, kind="stable")
    if not len(table):
        raise DataMissing("what this machine can do was not measured; run `make bench`")
    where, best, last = table.hardware_name.iloc[0], table.iloc[0], table.iloc[-1]
    ceilings = read_sidecar(DATA / table.file.iloc[0])["ceilings"]
    half = table.roofline_pct.median()
    title = (
        f"{where}: {'the median model' if len(table) > 1 else best.arch} uses {half:.0f}% of what the machine can do"
        + (f", {best.arch} {best.roofline_pct:.0f}%, {last.arch} {last.roofline_pct:.0f}%" if len(table) > 1 else "")
    )
    rows = table.assign(
        label=table.arch,
        value=table.roofline_pct,
        details=[
            f"{row.roofline_pct:.0f}% of the roofline, {row.arithmetic_pct:.0f}% of the arithmetic "
            f"limit<br>{plain(row.samples_per_sec)} images/s at batch {row.batch_size}"
            for row in table.itertuples()
        ],
    )
    axis = Axis.around("share of the roofline", rows.value, 0.0, 105.0, before=0.0, after=0.02, write=PERCENT)
    subtitle = (
        f"Least time that arithmetic ({ceilings['matmul_tflops']:.3g} TFLOP/s) and memory ({ceilings['copy_gbps']:.3g} "
        "GB/s) take, both measured here, over the time that the model took in inference"
    )
    head = title, subtitle, footer(table, with_accuracy=False)
    return Drawing(
        **both(list_chart.draw, rows, axis, *head, mark=(100.0, "the machine’s limit")),
        title=title,
        data=table,
        alt=f"List of {counted(len(table), 'model')} by the share of the roofline that they reach on {where}, from "
        f"{best.arch} ({best.roofline_pct:.0f}%) to {last.arch} ({last.roofline_pct:.0f}%).",
        caption=f"Share of what {where} can do. Its two ceilings were measured in the same run: "
        f"{ceilings['matmul_tflops']:.3g} TFLOP/s in a matrix product or convolution and "
        f"{ceilings['copy_gbps']:.3g} GB/s in a copy. The arithmetic part is a strict bound, the memory part an "
        "estimate.",
        **about(table),
    )


def draw_curve() -> Drawing:
    """Raises DataMissing where no curve was measured on this machine."""
    table = measured.curve(measured.machine()) if len(measured.load("infer")) else None
    if table is None:
        raise DataMissing(
            "batch sizes not measured here yet; run `python -m scripts.bench.sweep --models quick --curve --seconds 3`"
        )
    first = table[table.batch == table.groupby("model").batch.transform("min")].set_index("model")
    table = table[table.model.isin(first.index[first.batch == 1])]
    table = table.assign(gain=table.samples_per_sec / table.model.map(first.samples_per_sec))
    best = table.loc[table.groupby("model").gain.idxmax()].sort_values("gain", ascending=False, kind="stable")
    if not len(best):
        raise DataMissing("no model has a curve that begins at batch 1")
    facts, where = read_sidecar(DATA / table.file.iloc[0]), table.hardware_name.iloc[0]
    paying = int((best.gain >= GAIN).sum())
    title = (
        f"{where}: a larger batch makes {paying} of {counted(len(best), 'model')} more than {100 * (GAIN - 1):.0f}% "
        f"faster, {best.model.iloc[0]} {best.gain.iloc[0]:.2f} times"
        if paying
        else f"{where}: no model gains {100 * (GAIN - 1):.0f}% from a larger batch"
    )
    subtitle = (
        "Images per second in inference at each batch size, over those of single pictures; a line ends where a step "
        "would take longer than the time given"
    )
    foot = (
        f"Source: measured by this project on {words.day(str(facts['date'])[:10])} · {where}, "
        f"{hardware.PRECISIONS.get(facts['settings']['precision'], '')}, "
        f"{counted(int(facts['settings']['threads']), 'thread')}, PyTorch {facts['settings']['torch'].split('+')[0]}"
    )
    ends = best.iloc[[0, -1]]
    return Drawing(
        **both(_curve, table, best, (title, subtitle, foot)),
        title=title,
        data=table,
        alt=f"Line chart of {counted(len(best), 'model')} on {where}: speed by batch size, over that at batch 1. "
        + "; ".join(f"{row.model} is fastest at batch {row.batch}, {row.gain:.2f} times" for row in ends.itertuples())
        + ".",
        caption=f"What larger batches bring on {where}: the median model is fastest at batch "
        f"{int(best.batch.median())}, {best.gain.median():.2f} times as fast as with single pictures.",
        sources=[source(DATA / table.file.iloc[0])],
        hardware=where,
        date=str(facts["date"])[:10],
    )


def _curve(table: pd.DataFrame, best: pd.DataFrame, head: Head, size: Size) -> Canvas:
    """A line per model; those that gain most and least by name, the others pale."""
    y = Axis.around("", table.gain, 1.0, before=0.06, after=0.06, write="{:.3g}×".format)
    table = table.assign(doublings=np.log2(table.batch))
    x = Axis.around(
        "images in a batch (log scale)",
        table.doublings,
        before=0.02,
        after=0.02,
        whole=True,
        write=lambda doublings: f"{2**doublings:g}",
    )
    named = [*best.model[: NAMED - 3], *best.model[NAMED - 3 :][-3:]]
    canvas = Canvas(size, *head, x, y, right=beside(named, size, TEXT[WIDE][0]))
    ends = []
    for model, line in sorted(table.groupby("model", sort=False), key=lambda one: one[0] in named):
        family, strong, shown = line.family.iloc[0], model in named, safe(model, 80)
        colour = families.colour(family) if strong else CONTEXT[0]
        canvas.marks(
            line.doublings,
            line.gain,
            [
                f"<b>{shown}</b><br>batch {row.batch}: {plain(row.samples_per_sec)} images/s, {row.gain:.2f}×"
                for row in line.itertuples()
            ],
            {"color": colour, "size": 6, "symbol": families.SYMBOLS.get(line.kind.iloc[0], "circle")},
            mode="lines+markers",
            name=safe(model),
            line={"color": colour, "width": 2.2 if strong else 1.4},
        )
        if strong:
            last = line.iloc[-1]
            ends.append((float(last.doublings), float(last.gain), model, {"colour": text_colour(family)}))
    canvas.label_ends(ends)
    return canvas
