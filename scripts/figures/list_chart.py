"""A list of names with a dot each: what is compared is long names and one number, so the names stand at the left
and the dots on one axis.
"""

from __future__ import annotations

import pandas as pd

from scripts.common import families
from scripts.figures.labels import safe, width
from scripts.figures.theme import CONTEXT, MUTED, PAPER, PHONE, WIDE, Axis, Canvas, Size, even, look

ROOM = {WIDE: 24, PHONE: 17}  # rows whose names stand apart at the size of text there
UNKNOWN = {"family": "other", "kind": "convnet"}  # how a row is drawn that is no network, or one that timm lacks


def draw(
    table: pd.DataFrame,
    axis: Axis,
    title: str,
    subtitle: str,
    footer: str,
    size: Size,
    mark: tuple[float, str] | None = None,
) -> Canvas:
    """table: a row a dot, in the order shown: label, value, details (lines for the hover), and where known low and high
    (NaN: no line), family and kind. Where there are more rows than room, an even choice of them, and the subtitle
    says so. mark: a value of note and its name.
    """
    room = ROOM[size]
    if len(table) > room:
        subtitle += f"; shown: {room} of {len(table)}"
    absent = {name: value for name, value in {"low": None, "high": None, **UNKNOWN}.items() if name not in table}
    table = even(table, room).assign(**absent)
    canvas = Canvas(size, title, subtitle, footer, axis, Axis.rows(table.label.to_list(), above=bool(mark)))
    heights = list(range(len(table) - 1, -1, -1))
    for row, height in zip(table.itertuples(), heights):
        if pd.notna(row.low) and pd.notna(row.high) and row.high > row.low:
            canvas.line([row.low, row.high], [height, height], CONTEXT[0], 4)
    if mark and axis.low < mark[0] < axis.high:
        canvas.figure.add_vline(x=mark[0], line={"color": MUTED[0], "width": 1, "dash": "dot"})
        # its name stands above it, or as near as the edges of the picture let it be
        half, at = width(mark[1], canvas.small) / 2 + 6, float(canvas.pixels(mark[0], 0)[0, 0])
        canvas.note(
            x=axis.coordinate(mark[0]),
            y=1,
            yref="paper",
            yanchor="top",
            bgcolor=PAPER[0],
            text=safe(mark[1]),
            name="mark",
            xshift=round(min(max(at, half), size[0] - half) - at),
            font={"size": canvas.small, "color": MUTED[0]},
        )
    texts = [
        f"<b>{safe(row.label, 80)}</b><br>{safe(families.label(row.family))}<br>{row.details}"
        for row in table.itertuples()
    ]
    canvas.marks(table.value, heights, texts, {"size": 11, **look(table.family, table.kind)})
    return canvas
