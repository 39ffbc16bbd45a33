"""Replicas of the notebook's charts of the key families, with a least-squares line through each, and its ConvNeXt
models by name.

inference_graph_2, training_graph: LeViT, ResNet, RegNetX, VGG, ConvNeXt, EfficientNetV2 and BEiT. convnext: the
pretrained ConvNeXt models.

    python -m scripts.figures.export --only inference_graph_2 training_graph convnext
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from scripts.common.words import counted, listing
from scripts.data import read_data
from scripts.figures import published
from scripts.figures.display_data import PARTS, bubbles, for_phone
from scripts.figures.drawing import Drawing
from scripts.figures.labels import Area, Label, place
from scripts.figures.theme import PHONE, TEXT, nice_range

KEY = r"levit|resnetd?|regnetx|vgg|convnext.*|efficientnetv2|beit"  # the notebook's choice
MARGIN = {"l": 70, "t": 80, "r": 190, "b": 70}


def key_families(table: pd.DataFrame) -> pd.DataFrame:
    """The notebook's subset of its own view: one key family of each kind."""
    return table[table.family.str.fullmatch(KEY)]


def with_lines(table: pd.DataFrame, part: str) -> go.Figure:
    """The notebook's `show_subs`: bubbles and, through each family, accuracy regressed on log10 of the seconds."""
    return bubbles(table, part, PARTS[part], trendline="ols", trendline_options={"log_x": True})


def convnext(table: pd.DataFrame) -> go.Figure:
    """ConvNeXt models of the notebook's view in its look, each named; those pretrained on ImageNet-22k are a family
    of their own.
    """
    return named(convnext_marks(table), table, 13)


def convnext_marks(table: pd.DataFrame) -> go.Figure:
    figure = bubbles(table, "infer", "ConvNeXt, pretrained models")
    return figure.update_layout(margin={**MARGIN, "autoexpand": False})


def named(figure: go.Figure, table: pd.DataFrame, size: float) -> go.Figure:
    """The figure with axes that leave room for names, and a name of `size` pixels at each mark."""
    x0, x1 = nice_range(table.secs, log=True, before=0.12, after=0.15)
    y0, y1 = nice_range(table.top1, log=False, before=0.1, after=0.1)
    figure.update_xaxes(range=[math.log10(x0), math.log10(x1)])
    figure.update_yaxes(range=[y0, y1])
    layout, margin = figure.layout, figure.layout.margin
    area = Area(margin.l, margin.t, layout.width - margin.r, layout.height - margin.b)
    across = area.left + np.log(table.secs / x0) / math.log(x1 / x0) * area.wide
    down = area.bottom - (table.top1 - y0) / (y1 - y0) * area.high
    sizeref = next(trace.marker.sizeref for trace in figure.data)
    radius = np.sqrt(table.infer_img_size**2 / sizeref / 2)  # as Plotly draws it
    labels = [Label(name, x, y, size, radius=r) for name, x, y, r in zip(table.model, across, down, radius)]
    where = {label.text: (math.log10(secs), top1) for label, secs, top1 in zip(labels, table.secs, table.top1)}
    for one in place(labels, area, np.column_stack([across, down])):
        figure.add_annotation(**one.annotation(*where[one.label.text], name="label"))
    return figure


def draw_key_families(part: str) -> Drawing:
    table = key_families(read_data.notebook(part))
    word = PARTS[part].lower()
    fast, slow = table.secs.quantile(1 / 3), table.secs.quantile(2 / 3)
    bands = {
        "fast": table[table.secs <= fast],
        "middle": table[table.secs.between(fast, slow)],
        "slow": table[table.secs >= slow],
    }
    best = {band: rows.loc[rows.top1.idxmax()] for band, rows in bands.items()}
    figure = with_lines(table, part)
    said = listing([f"{row.family} in the {band} third ({row.model}, {row.top1:.1f}%)" for band, row in best.items()])
    return Drawing(
        figure=figure,
        phone=for_phone(figure),
        title=f"{PARTS[part]}, key families of the original analysis",
        alt=f"Scatter chart of {counted(len(table), 'model')} of "
        f"{counted(table.family.nunique(), 'family', 'families')}, with a regression line per family: "
        f"seconds per image in {word} on a log axis against ImageNet top-1 accuracy. Most accurate: {said}.",
        caption=f"{PARTS[part]}: the key families with a least-squares line through each, as the original analysis "
        f"drew them (a guide to the eye: the families do not lie on lines). Most accurate is {said}.",
        data=table,
        **published.provenance(table),
    )


def draw_convnext() -> Drawing:
    table = read_data.notebook("infer")
    table = table[table.model.str.startswith("convnext")].sort_values("secs", kind="stable")
    plain, more = table[table.family == "convnext"], table[table.family != "convnext"]
    pairs = more.assign(base=more.model.str.replace("_384", "").str.split("_in22").str[0]).merge(
        plain[["model", "top1", "infer_img_size"]],
        left_on=["base", "infer_img_size"],
        right_on=["model", "infer_img_size"],
        suffixes=("", "_plain"),
    )
    gain = pairs.top1 - pairs.top1_plain
    fastest, best = table.iloc[0], table.loc[table.top1.idxmax()]
    return Drawing(
        figure=convnext(table),
        phone=named(for_phone(convnext_marks(table)), table, TEXT[PHONE][1]),
        title="Pretrained ConvNeXt models: speed and accuracy",
        alt=f"Scatter chart of {counted(len(table), 'pretrained ConvNeXt model')}, each named: seconds per image on a "
        f"log axis against ImageNet top-1 accuracy, from {fastest.model} ({fastest.top1:.1f}%) to {best.model} "
        f"({best.top1:.1f}%). Models pretrained on ImageNet-22k lie above the others.",
        caption=f"{counted(len(table), 'pretrained ConvNeXt model')}. Pretraining on the 22,000 categories of the full "
        f"ImageNet lifts the same network at the same speed by {gain.min():.1f} to {gain.max():.1f} points.",
        data=table,
        **published.provenance(table),
    )
