"""A list of names with a dot each: what is compared is long names and one number, so the names stand at the left
and the dots on one axis.
"""

from __future__ import annotations

import pandas as pd

from scripts.common import families
from scripts.figures.labels import safe, width
from scripts.figures.theme import CONTEXT, MUTED, PAPER, PHONE, WIDE, Axis, Canvas

ROOM = {WIDE: 24, PHONE: 17}  # rows


def draw(
    table: pd.DataFrame,
    axis: Axis,
    title: str,
    subtitle: str,
    footer: str,
    size: tuple[int, int],
    mark: tuple[float, str] | None = None,
) -> Canvas:
    """table: a row a dot, in the order shown: label, value, low and high (NaN where unknown: no line), family, kind,
    and details (lines for the hover). Where there are more rows than room, an even choice of them, and the subtitle
    says so. mark: a value of note and its name.
    """
    room = ROOM[size]
    if len(table) > room:
        subtitle += f"; shown: {room} of {len(table)}"
        table = table.iloc[[round(i * (len(table) - 1) / (room - 1)) for i in range(room)]]
    canvas = Canvas(
        size,
        title,
        subtitle,
        footer,
        axis,
        Axis("", -0.7, len(table) - 0.3 + bool(mark), names=table.label.to_list()[::-1]),
    )
    heights = list(range(len(table) - 1, -1, -1))
    for row, height in zip(table.itertuples(), heights):
        if pd.notna(row.low) and pd.notna(row.high) and row.high > row.low:
            canvas.figure.add_scatter(
                x=[row.low, row.high],
                y=[height, height],
                mode="lines",
                hoverinfo="skip",
                line={"color": CONTEXT[0], "width": 4},
            )
    if mark and axis.low < mark[0] < axis.high:
        canvas.figure.add_vline(x=mark[0], line={"color": MUTED[0], "width": 1, "dash": "dot"})
        half = (
            width(mark[1], canvas.small) / 2 + 6
        )  # its name above it, or as near as the edges of the picture let it be
        at = float(canvas.pixels(mark[0], 0)[0, 0])
        canvas.note(
            x=axis.coordinate(mark[0]),
            y=1,
            yref="paper",
            yanchor="top",
            bgcolor=PAPER[0],
            text=safe(mark[1]),
            showarrow=False,
            name="mark",
            xshift=round(min(max(at, half), size[0] - half) - at),
            font={"size": canvas.small, "color": MUTED[0]},
        )
    canvas.figure.add_scatter(
        x=table.value,
        y=heights,
        mode="markers",
        hovertemplate="%{text}<extra></extra>",
        text=[
            f"<b>{safe(row.label, 80)}</b><br>{safe(families.label(row.family))}<br>{row.details}"
            for row in table.itertuples()
        ],
        marker={
            "size": 11,
            "color": [families.colour(family) for family in table.family],
            "symbol": [families.SYMBOLS.get(kind, "circle") for kind in table.kind],
        },
    )
    return canvas
