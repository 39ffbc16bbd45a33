"""Replicas of the notebook's charts of all families: Plotly Express with its own look, from the 2022 tables.

inference_graph_1, training_graph_1: seconds per image (log) against top-1, a bubble per model sized by its picture, a
colour per family. speed_vs_parameters: parameters against seconds per image, both on log axes, coloured by picture
size.

    python -m scripts.figures.export --only inference_graph_1 training_graph_1 speed_vs_parameters
"""

from __future__ import annotations

import math

import pandas as pd
import plotly.express as px
import plotly.graph_objects as go

from scripts.common.words import counted, wait
from scripts.data import read_data
from scripts.figures import published
from scripts.figures.drawing import Drawing
from scripts.figures.labels import safe, width
from scripts.figures.theme import FONT_STACK, LINE, PHONE, REPLICA, TEXT

PARTS = {"infer": "Inference", "train": "Training"}


def scatter(table: pd.DataFrame, **more) -> go.Figure:
    """Plotly Express's scatter chart of the notebook's view, with the notebook's size and the project's typeface; text
    is escaped, since Plotly's labels take pseudo-HTML.
    """
    shown = table.assign(**{column: table[column].map(safe) for column in ("model", "family")})
    figure = px.scatter(shown, width=REPLICA[0], height=REPLICA[1], hover_name="model", **more)
    return figure.update_layout(font_family=FONT_STACK, hoverlabel={"font_family": FONT_STACK})


def bubbles(table: pd.DataFrame, part: str, title: str, **more) -> go.Figure:
    """Seconds per image (log) against top-1, a bubble per model that grows with its picture, a colour per family."""
    size = f"{part}_img_size"
    look = {"size": table[size] ** 2, "color": "family", "hover_data": [size]}
    return scatter(table, title=title, x="secs", y="top1", log_x=True, **look, **more)


def for_phone(figure: go.Figure) -> go.Figure:
    """The replica at the size of a phone: the same marks and colours, smaller bubbles, text that can be read there,
    the legend below.
    """
    figure = go.Figure(figure)
    base, small, title = TEXT[PHONE]
    names = [trace.name for trace in figure.data if trace.showlegend]
    columns = max(1, int((PHONE[0] - 20) // (max((width(name, small) for name in names), default=0) + 52)))
    below = math.ceil(len(names) / columns) * small * LINE * 1.06 + 14 if names else 100  # a legend, or a colour bar
    axes = 2 * base * LINE + 26
    high = PHONE[1] - 60 - axes - below
    figure.update_layout(
        width=PHONE[0],
        height=PHONE[1],
        font_size=base,
        title={"font": {"size": title}, "x": 0.03, "y": 0.98, "yanchor": "top"},
        margin={"l": 74, "r": 16, "t": 60, "b": round(axes + below), "autoexpand": False},
        hoverlabel_font_size=base,
        legend={
            "orientation": "h",
            "title": {"text": ""},
            "x": -0.12,
            "xanchor": "left",
            "y": -axes / high,
            "yanchor": "top",
            "font": {"size": small},
        },
        coloraxis_colorbar={
            "orientation": "h",
            "y": -axes / high,
            "yanchor": "top",
            "thickness": 18,
            "title": {"side": "top", "font": {"size": small}},
            "tickfont": {"size": small},
        },
    )
    figure.update_xaxes(automargin=False, title_standoff=8, dtick="D2")
    figure.update_yaxes(automargin=False, title_standoff=4)
    for trace in figure.data:
        if trace.mode == "markers" and trace.marker.sizeref:
            trace.marker.sizeref *= 2.2  # of the area
    return figure


def all_families(table: pd.DataFrame, part: str) -> go.Figure:
    """The notebook's `show_all`. table: the notebook's view of `part` (infer or train), a row per model."""
    return bubbles(table, part, PARTS[part])


def by_parameters(table: pd.DataFrame) -> go.Figure:
    """The notebook's last inference chart: parameters (millions) against seconds per image."""
    axes = {"x": "param_count_x", "y": "secs", "log_x": True, "log_y": True}
    hover = ["infer_samples_per_sec", "family"]
    return scatter(table, **axes, color="infer_img_size", hover_data=hover)


def draw_all_families(part: str) -> Drawing:
    table = read_data.notebook(part)
    word = PARTS[part].lower()
    fastest, best = table.loc[table.secs.idxmin()], table.loc[table.top1.idxmax()]
    ends = (
        f"from {fastest.model} ({wait(1000 * fastest.secs, 2)} an image, {fastest.top1:.1f}%) to "
        f"{best.model} ({wait(1000 * best.secs, 2)}, {best.top1:.1f}%)"
    )
    figure = all_families(table, part)
    return Drawing(
        figure=figure,
        phone=for_phone(figure),
        title=f"{PARTS[part]}, all families of the original analysis",
        alt=f"Scatter chart of {counted(len(table), 'model')} of "
        f"{counted(table.family.nunique(), 'family', 'families')}: seconds per image in "
        f"{word} on a log axis against ImageNet top-1 accuracy. Slower models tend to be more accurate, {ends}.",
        caption=f"{PARTS[part]} speed and accuracy of {counted(len(table), 'model')}, drawn as the original analysis "
        f"drew them: left is fast, up is accurate, the bubble grows with the size of the picture. They range {ends}.",
        data=table,
        **published.provenance(table),
    )


def draw_by_parameters() -> Drawing:
    table = read_data.notebook("infer")
    rank = table.param_count_x.corr(table.secs, method="spearman")
    middle = table[table.param_count_x.between(20, 30)]
    spread = middle.secs.max() / middle.secs.min()
    figure = by_parameters(table)
    return Drawing(
        figure=figure,
        phone=for_phone(figure),
        title="Parameters are no proxy for speed",
        alt=f"Scatter chart of {counted(len(table), 'model')}: millions of parameters against seconds per image, "
        "both on log axes, coloured by picture "
        f"size. The cloud rises but is wide: models of 20 to 30 million parameters differ {spread:.0f}-fold in speed.",
        caption="The number of parameters against the time per image. The two go together only loosely (rank "
        f"correlation {rank:.2f}): the {len(middle)} of these {counted(len(table), 'model')} that have 20 to 30 "
        f"million parameters span a factor of {spread:.0f} in speed.",
        data=table,
        **published.provenance(table),
    )
