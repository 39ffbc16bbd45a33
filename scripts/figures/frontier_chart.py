"""The chart of this project: speed against accuracy with the frontier, used for timm's tables and for our own
measurements alike.

Right and up is better. Grey: families there for context. Colour: the key families, pale where another model is both
faster and at least as accurate, strong on the frontier. The step line is the frontier: the best accuracy at that speed
or faster.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from scripts.common import families
from scripts.common.words import plain, wait
from scripts.figures.labels import LONGEST, safe
from scripts.figures.theme import CONTEXT, PAPER, WIDE, Axis, Canvas, Size, bars, frontier, pale, symbols, text_colour

NAMED = 7  # models; the names of more would hide the points


def hover(table: pd.DataFrame) -> list[str]:
    """What each point says of itself: name, family, accuracy, speed, size."""
    rows = []
    for row in table.itertuples():
        size = f" · {row.param_count:.3g} M parameters" if pd.notna(getattr(row, "param_count", math.nan)) else ""
        rows.append(
            f"<b>{safe(row.model, 80)}</b><br>{safe(families.label(row.family))}, "
            f"{safe(row.kind)}<br>{row.top1:.2f}% top-1 at {int(row.img_size)} px"
            f"<br>{plain(row.samples_per_sec, 4)} images/s, {wait(1000 / row.samples_per_sec)} an image{size}"
        )
    return rows


def leaders(
    edge: pd.DataFrame, rate: str, low: float, number: int = NAMED, first: tuple[str, ...] = ()
) -> pd.DataFrame:
    """Up to `number` frontier models worth naming: both ends, the best of the families in `first`, then those that hold
    the largest area of the frontier alone.

    The area of a model: the points of accuracy by which it beats the next faster frontier model (above `low`), times
    the log of the speed by which it beats the next more accurate one.
    """
    speed, score = np.log10(edge[rate].to_numpy()), edge.top1.to_numpy()
    area = (score - np.append(score[1:], low)) * (speed - np.append(speed[:1] - 0.15, speed[:-1]))
    area[[0, -1]] = np.inf
    for family in first:
        own = np.flatnonzero(edge.family == family)
        area[own[np.argmax(area[own])] if len(own) else []] = np.inf
    apart = 0.06 * (speed[-1] - speed[0])  # not two names for one corner of the frontier
    keep: list[int] = []
    for index in np.argsort(-area, kind="stable"):
        again = [other for other in keep if edge.family.iloc[other] == edge.family.iloc[index]]
        if len(keep) < number and len(again) < 2 and all(abs(speed[index] - speed[other]) > apart for other in keep):
            keep.append(int(index))
    return edge.iloc[sorted(keep)]


def visible(table: pd.DataFrame, floor: float) -> pd.DataFrame:
    """The models at or above `floor` percent; all of them where none reaches it."""
    return table[table.top1 >= floor] if (table.top1 >= floor).any() else table


def draw(
    table: pd.DataFrame,
    title: str,
    subtitle: str,
    footer: str,
    size: Size = WIDE,
    first: tuple[str, ...] = (),
    everyone: bool = False,
) -> Canvas:
    """A chart of `table`: columns model, arch, family, kind, img_size, top1 (percent), param_count (millions) and
    samples_per_sec (images/s).

    first: families whose best frontier model is named in any case. everyone: name all models that there is room for,
    not only leaders.
    """
    table = table.sort_values("top1", ascending=False, kind="stable")
    y = Axis.top1(table.top1)
    canvas = Canvas(size, title, subtitle, footer, Axis.speed(table.samples_per_sec), y)
    edge = frontier(table)
    on_edge = table.index.isin(edge.index)
    key = table.family.isin(families.KEY_FAMILIES)
    if everyone:
        for family, rows in table[~on_edge].groupby("family", sort=False):
            scatter(canvas, rows, family, {"size": 8, "color": families.colour(family), "line": {"width": 2}}, "-open")
    else:
        scatter(canvas, table[~key & ~on_edge], "others", {"size": 4.5, "color": CONTEXT[0]})
        for family in key_families(table):
            scatter(canvas, table[(table.family == family) & ~on_edge], family, {"size": 6, "color": pale(family)})
    segments = canvas.step(edge, "samples_per_sec", "top1")
    for family, rows in edge.groupby("family", sort=False):
        scatter(canvas, rows, family, {"size": 10, **rimmed(family)})
    bounds = interval(table)
    if bounds is not None:
        segments = np.vstack([segments, canvas.segments(bounds.low, table.top1, bounds.high, table.top1)])
    points = canvas.weighed(table.samples_per_sec, table.top1, np.where(on_edge, 3.0, np.where(key, 0.5, 0.2)))
    named = leaders(edge, "samples_per_sec", y.low, 5 if canvas.phone else NAMED, first)
    if everyone:
        named = pd.concat([named, edge.drop(named.index), table.drop(edge.index)])
    name_models(canvas, named, points, segments, lambda row: {"colour": text_colour(row.family)} if everyone else {})
    if not everyone:
        canvas.label(list(family_labels(canvas, table, edge)), points, segments)
    return canvas


def key_families(table: pd.DataFrame) -> list[str]:
    """The key families that the table has."""
    return [name for name in families.KEY_FAMILIES if (table.family == name).any()]


def rimmed(family: str) -> dict:
    """A filled mark of the family's colour with a rim of paper."""
    return {"color": families.colour(family), "line": {"color": PAPER[0], "width": 1.2}}


def name_models(
    canvas: Canvas, rows: pd.DataFrame, points: np.ndarray, segments: np.ndarray, style: Callable[[pd.Series], dict]
) -> None:
    """Name the models of `rows`, with the size of the picture where a network is there twice; style(row): more options
    of its label.
    """
    canvas.label(
        [
            (row.samples_per_sec, row.top1, _short_name(row, again), {"radius": 7, "style": "Semibold", **style(row)})
            for (_, row), again in zip(rows.iterrows(), rows.arch.duplicated(keep=False))
        ],
        points,
        segments,
    )


def scatter(
    canvas: Canvas,
    rows: pd.DataFrame,
    family: str,
    marker: dict,
    form: str = "",
    texts: list[str] | None = None,
    bounds: pd.DataFrame | None = None,
) -> None:
    """Draw `rows` of one family; form: '-open' for hollow symbols; texts: what they say on hover, instead of `hover`;
    bounds: `low` and `high` of their speeds, else those that were measured.
    """
    if not len(rows):
        return
    forms, rate = symbols(rows.kind, form), rows.samples_per_sec
    bounds = interval(rows) if bounds is None else bounds
    canvas.marks(
        rate,
        rows.top1,
        texts or hover(rows),
        {**marker, "symbol": forms if len(set(forms)) > 1 else forms[0]},
        name=families.label(family),
        meta={"family": family},
        customdata=rows[["model", "img_size"]].astype(str).to_numpy(),
        **({} if bounds is None else {"error_x": bars(bounds.high - rate, rate - bounds.low)}),
    )


def interval(rows: pd.DataFrame) -> pd.DataFrame | None:
    """`low` and `high` of the speed where they were measured, else None."""
    ends = ["samples_per_sec_low", "samples_per_sec_high"]
    if not set(ends) <= set(rows):
        return None
    return rows[ends].apply(pd.to_numeric, errors="coerce").set_axis(["low", "high"], axis=1)


def _short_name(row: pd.Series, with_size: bool) -> str:
    size = str(int(row.img_size))
    name = row.arch if len(row.arch) <= LONGEST else row.arch[: LONGEST - 1] + "…"
    return f"{name}, {size} px" if with_size and size not in row.arch else name


def family_labels(canvas: Canvas, table: pd.DataFrame, edge: pd.DataFrame):
    """(x, y, text, options) for each key family, at the point that has most of its own around it, few of others,
    and no rival's frontier model.
    """
    key = table[table.family.isin(families.KEY_FAMILIES)]
    pixels, edges = (canvas.pixels(rows.samples_per_sec, rows.top1) for rows in (key, edge))
    group = key.family.map(_kin).to_numpy()
    for family in dict.fromkeys(group):
        own = np.flatnonzero(group == family)
        near = _within(pixels[own], pixels, 45)
        score = (near & (group == family)).sum(axis=1) - 0.35 * (near & (group != family)).sum(axis=1)
        score -= 3.0 * (_within(pixels[own], edges, 50) & (edge.family.map(_kin).to_numpy() != family)).sum(axis=1)
        at = key.iloc[own[int(np.argmax(score))]]
        names = [families.label(name) for name in key_families(key) if _kin(name) == family]
        style = {"style": "Semibold", "colour": text_colour(family), "size": canvas.base + 1, "veil": True}
        yield at.samples_per_sec, at.top1, _joined(names), style


def _kin(family: str) -> str:
    """The family whose colour this one shares."""
    return families.SHARED_COLOUR.get(family, family)


def _within(these: np.ndarray, those: np.ndarray, distance: float) -> np.ndarray:
    """(n, m): which of `those` pixels lie within `distance` of `these`."""
    return np.hypot(these[:, None, 0] - those[None, :, 0], these[:, None, 1] - those[None, :, 1]) < distance


def _joined(names: list[str]) -> str:
    """ResNet / RegNet; BEiT / v2 / -3 where they share their beginning."""
    return " / ".join([names[0]] + [name.removeprefix(names[0]).strip() for name in names[1:]])
