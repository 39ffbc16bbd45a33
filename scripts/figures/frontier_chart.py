"""The chart of this project: speed against accuracy with the frontier, used for timm's tables and for our own
measurements alike.

Right and up is better. Grey: families there for context. Colour: the key families, pale where another model is both
faster and at least as accurate, strong on the frontier. The step line is the frontier: the best accuracy at that speed
or faster.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from scripts.common import families
from scripts.common.words import plain, wait
from scripts.figures.labels import LONGEST, safe
from scripts.figures.theme import CONTEXT, LEADER, PAPER, WIDE, Axis, Canvas, frontier, nice_range, pale, text_colour

NAMED = 7


def hover(table: pd.DataFrame, rate: str) -> list[str]:
    """What each point says of itself: name, family, accuracy, speed, size."""
    rows = []
    for row in table.itertuples():
        speed = getattr(row, rate)
        size = f" · {row.param_count:.3g} M parameters" if pd.notna(getattr(row, "param_count", math.nan)) else ""
        rows.append(
            f"<b>{safe(row.model, 80)}</b><br>{safe(families.label(row.family))}, "
            f"{safe(row.kind)}<br>{row.top1:.2f}% top-1 at {int(row.img_size)} px"
            f"<br>{plain(speed, 4)} images/s, {wait(1000 / speed)} an image{size}"
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
    rate: str = "samples_per_sec",
    axis_title: str = "images per second (log scale)",
    size: tuple[int, int] = WIDE,
    first: tuple[str, ...] = (),
    everyone: bool = False,
) -> Canvas:
    """A chart of `table`: columns model, arch, family, kind, img_size, top1 (percent), param_count (millions) and
    `rate` (images/s).

    first: families whose best frontier model is named in any case. everyone: name all models that there is room for,
    not only leaders.
    """
    table = table.sort_values("top1", ascending=False, kind="stable")
    x = Axis(axis_title, *nice_range(table[rate], log=True, before=0.03, after=0.07), log=True)
    y = Axis("top-1", *nice_range(table.top1, log=False, before=0.03, after=0.07), write="{:g}%".format)
    canvas = Canvas(size, title, subtitle, footer, x, y)
    edge = frontier(table, rate)
    on_edge = table.index.isin(edge.index)
    key = table.family.isin(families.KEY_FAMILIES)
    if everyone:
        for family, rows in table[~on_edge].groupby("family", sort=False):
            scatter(
                canvas, rows, rate, family, {"size": 8, "color": families.colour(family), "line": {"width": 2}}, "-open"
            )
    else:
        scatter(canvas, table[~key & ~on_edge], rate, "others", {"size": 4.5, "color": CONTEXT[0]})
        for family in [name for name in families.KEY_FAMILIES if (table.family == name).any()]:
            scatter(
                canvas, table[(table.family == family) & ~on_edge], rate, family, {"size": 6, "color": pale(family)}
            )
    segments = canvas.step(edge, rate, "top1")
    for family, rows in edge.groupby("family", sort=False):
        scatter(
            canvas,
            rows,
            rate,
            family,
            {"size": 10, "color": families.colour(family), "line": {"color": PAPER[0], "width": 1.2}},
        )
    bounds = interval(table, rate)
    if bounds is not None:
        segments = np.vstack(
            [segments, np.hstack([canvas.pixels(bounds.low, table.top1), canvas.pixels(bounds.high, table.top1)])]
        )
    points = np.column_stack([canvas.pixels(table[rate], table.top1), np.where(on_edge, 3.0, np.where(key, 0.5, 0.2))])
    named = leaders(edge, rate, y.low, 5 if canvas.phone else NAMED, first)
    if everyone:
        named = pd.concat([named, edge.drop(named.index), table.drop(edge.index)])
    repeated = named.arch.duplicated(keep=False)
    canvas.label(
        [
            (
                row[rate],
                row.top1,
                _short_name(row, again),
                {"radius": 7, "style": "Semibold", **({"colour": text_colour(row.family)} if everyone else {})},
            )
            for (_, row), again in zip(named.iterrows(), repeated)
        ],
        points,
        segments,
    )
    if not everyone:
        canvas.label(list(family_labels(canvas, table, edge, rate)), points, segments)
    return canvas


def scatter(canvas: Canvas, rows: pd.DataFrame, rate: str, family: str, marker: dict, form: str = "") -> None:
    """Draw `rows` of one family; form: '-open' for hollow symbols. The interval of a speed is drawn where it was
    measured.
    """
    if not len(rows):
        return
    symbols = [families.SYMBOLS.get(kind, "circle") + form for kind in rows.kind]
    bounds = interval(rows, rate)
    bars = (
        {}
        if bounds is None
        else {
            "error_x": {
                "type": "data",
                "array": bounds.high - rows[rate],
                "arrayminus": rows[rate] - bounds.low,
                "color": LEADER[0],
                "thickness": 1,
                "width": 3,
            }
        }
    )
    canvas.figure.add_scatter(
        x=rows[rate],
        y=rows.top1,
        mode="markers",
        name=families.label(family),
        meta={"family": family},
        **bars,
        text=hover(rows, rate),
        customdata=rows[["model", "img_size"]].astype(str).to_numpy(),
        hovertemplate="%{text}<extra></extra>",
        marker={**marker, "symbol": symbols if len(set(symbols)) > 1 else symbols[0]},
    )


def interval(rows: pd.DataFrame, rate: str) -> pd.DataFrame | None:
    """`low` and `high` of the rate where they were measured, else None."""
    ends = [f"{rate}_low", f"{rate}_high"]
    if not set(ends) <= set(rows):
        return None
    return rows[ends].apply(pd.to_numeric, errors="coerce").set_axis(["low", "high"], axis=1)


def _short_name(row: pd.Series, with_size: bool) -> str:
    size = str(int(row.img_size))
    name = row.arch if len(row.arch) <= LONGEST else row.arch[: LONGEST - 1] + "…"
    return f"{name}, {size} px" if with_size and size not in row.arch else name


def family_labels(canvas: Canvas, table: pd.DataFrame, edge: pd.DataFrame, rate: str):
    """(x, y, text, options) for each key family, at the point that has most of its own around it, few of others,
    and no rival's frontier model.
    """
    key = table[table.family.isin(families.KEY_FAMILIES)]
    pixels, edges = canvas.pixels(key[rate], key.top1), canvas.pixels(edge[rate], edge.top1)
    group = key.family.map(_kin).to_numpy()
    for family in dict.fromkeys(group):
        own = np.flatnonzero(group == family)
        near = _within(pixels[own], pixels, 45)
        score = (near & (group == family)).sum(axis=1) - 0.35 * (near & (group != family)).sum(axis=1)
        score -= 3.0 * (_within(pixels[own], edges, 50) & (edge.family.map(_kin).to_numpy() != family)).sum(axis=1)
        at = key.iloc[own[int(np.argmax(score))]]
        names = [
            families.label(name)
            for name in families.KEY_FAMILIES
            if _kin(name) == family and (key.family == name).any()
        ]
        yield (
            at[rate],
            at.top1,
            _joined(names),
            {"style": "Semibold", "colour": text_colour(family), "size": canvas.base + 1, "veil": True},
        )


def _kin(family: str) -> str:
    """The family whose colour this one shares."""
    return families.SHARED_COLOUR.get(family, family)


def _within(these: np.ndarray, those: np.ndarray, distance: float) -> np.ndarray:
    """(n, m): which of `those` pixels lie within `distance` of `these`."""
    return np.hypot(these[:, None, 0] - those[None, :, 0], these[:, None, 1] - those[None, :, 1]) < distance


def _joined(names: list[str]) -> str:
    """ResNet / RegNet; BEiT / v2 / -3 where they share their beginning."""
    return " / ".join([names[0]] + [name.removeprefix(names[0]).strip() for name in names[1:]])
