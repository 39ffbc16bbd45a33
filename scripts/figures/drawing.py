"""What a chart function returns, and what the catalogue keeps of a chart. Only `export` writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # plotly takes two seconds to import
    import pandas as pd
    import plotly.graph_objects as go


@dataclass
class Drawing:
    """A figure and all that stands around it.

    alt says what the picture shows to someone who cannot see it, caption what to take from it; both are computed. data
    is what is drawn, a row per mark; phone the same chart at the size of a phone. explore: {'machine', 'part'} of a
    frontier chart whose data the page's explorer has (the key in charts/picker, infer or train). sources are
    `source(...)` dicts; hardware and date say where and when its numbers were measured.
    """

    figure: go.Figure
    title: str
    alt: str
    caption: str
    data: pd.DataFrame
    sources: list[dict] = field(default_factory=list)
    hardware: str = ""
    date: str = ""
    phone: go.Figure | None = None
    explore: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Chart:
    """name: of its files; draw: makes the Drawing; needs: 'timm' (published tables), 'measured' or 'trained' (this
    project's own).
    """

    name: str
    draw: Callable[[], Drawing]
    needs: str
