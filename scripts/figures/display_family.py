"""One family up close: all its members by pretraining and size on a current graphics card, and what a larger picture
buys against what a larger network buys.

family_<name> for the families of FAMILIES, convnext_steps. Any other family, from timm's tables where they are at hand:

    python -m scripts.figures.export --only family_convnext convnext_steps
    python -m scripts.figures.export --family swin --out FOLDER
"""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pandas as pd

from scripts.common import families
from scripts.common.errors import UserError
from scripts.common.words import counted, listing, plain
from scripts.data.pretraining import CLASSES, LABELS
from scripts.figures import published
from scripts.figures.drawing import Chart, Drawing
from scripts.figures.frontier_chart import hover
from scripts.figures.theme import (
    CONTEXT,
    INK,
    MUTED,
    PAPER,
    TIMES,
    VEIL,
    Axis,
    Canvas,
    Head,
    Size,
    both,
    corner,
    dark_map,
    even,
    frontier,
    mix,
    symbols,
    text_colour,
)
from scripts.findings import family as closeup
from scripts.findings.summary import table_of

FAMILIES = ("convnext", "vit", "efficientnet", "resnet", "levit", "eva")  # those drawn with the report
# Share of paper in the family's colour: the more data, the darker; web-scale is ink.
SHADES = {"in1k": 0.5, "distilled": 0.28, "in21k": 0.0}
SUBTITLE = (
    "ImageNet top-1 accuracy against images per second in inference; grey: all other models, the line: their common "
    "frontier"
)
LEAST = 3  # members that make a chart


def shade(key: str, pretrain: str) -> tuple[str, str]:
    """(light, dark) colour of a family's weights of one pretraining class."""
    light, dark = families.colour(key), families.colour(key, dark=True)
    if pretrain not in SHADES:
        return INK if pretrain == "web" else CONTEXT
    return mix(light, PAPER[0], SHADES[pretrain]), mix(dark, PAPER[1], SHADES[pretrain])


@functools.lru_cache(maxsize=1)
def _table() -> pd.DataFrame:
    return table_of("gpu").dropna(subset=["top1"]).reset_index(drop=True)


def draw_family(key: str) -> Drawing:
    """All members of the family `key` on the card of `summary.table_of('gpu')`. Raises UserError where it has fewer
    than LEAST there.
    """
    table = _table()
    own = closeup.members(table, key)
    if len(own) < LEAST:
        raise UserError(
            f"{families.label(key)} has {counted(len(own), 'member')} in {table.file.iloc[0]}; a chart needs {LEAST}"
        )
    name = families.label(key)
    front, best = own[own["front"]], own.loc[own["top1"].idxmax()]
    classes = [one for one in CLASSES if one in set(own["pretrain"])]
    tops = own.groupby("pretrain")["top1"].max()
    title = (
        f"{name}: {len(front)} of {counted(len(own), 'set')} of weights {'is' if len(front) == 1 else 'are'} on the "
        "frontier"
        if len(front)
        else f"{name}: none of its {counted(len(own), 'set')} of weights is on the frontier"
    )
    by_class = listing([f"{LABELS[one]} {tops[one]:.1f}%" for one in classes])
    return Drawing(
        **both(_members, table, own, key, (title, SUBTITLE, published.footer(table))),
        title=title,
        data=own,
        alt=f"Scatter chart of {counted(len(own), 'set')} of {name} weights: images per second on a log axis against "
        f"ImageNet top-1 accuracy, shaded by what they were trained on. The best reaches {best.top1:.1f}% at "
        f"{plain(best.samples_per_sec)} images/s ({best.model}); best by pretraining: {by_class}.",
        caption=f"{title}. Lines go from a network to the next larger one of the same recipe, dots from a picture to a "
        f"larger one. Best by pretraining: {by_class}.",
        **published.provenance(table),
    )


def _members(table: pd.DataFrame, own: pd.DataFrame, key: str, head: Head, size: Size) -> Canvas:
    x, y = Axis.speed(own.samples_per_sec, before=0.1, after=0.1), Axis.top1(own.top1, before=0.05, after=0.09)
    canvas = Canvas(size, *head, x, y)
    inside, edge = (
        rows[rows.samples_per_sec.between(x.low, x.high) & rows.top1.between(y.low, y.high)]
        for rows in (table, frontier(table))
    )
    canvas.figure.add_scatter(
        x=inside.samples_per_sec,
        y=inside.top1,
        mode="markers",
        hoverinfo="skip",
        marker={"size": 3.5, "color": CONTEXT[0]},
    )
    segments = canvas.step(edge, "samples_per_sec", "top1", MUTED[0], line_width=1.2) if len(edge) else np.empty((0, 4))
    at = {(row.model, row.img_size): (row.samples_per_sec, row.top1, row.pretrain) for row in own.itertuples()}
    for step in closeup.steps(own).itertuples():
        (x0, y0, _), (x1, y1, pretrain) = at[step.from_model, step.from_size], at[step.to_model, step.to_size]
        canvas.line([x0, x1], [y0, y1], shade(key, pretrain)[0], 1, "dot" if step.what == "picture" else "solid")
    newer = own.series.str.extract(r"v(\d)")[0].fillna("1").astype(int) > 1
    newer &= not newer.all()
    swap = {}
    for pretrain, later in itertools.product(CLASSES, (False, True)):
        rows = own[(own.pretrain == pretrain) & (newer == later)]
        if not len(rows):
            continue
        colour, dark = shade(key, pretrain)
        swap[colour] = dark
        rim = {"width": 2, "color": colour} if later else {"width": 0.8, "color": PAPER[0]}
        marker = {"size": 5 + rows.img_size / 55, "color": colour, "line": rim}
        marker["symbol"] = symbols(rows.kind, "-open" if later else "")
        canvas.marks(rows.samples_per_sec, rows.top1, hover(rows), marker, name=LABELS[pretrain])
    canvas.figure.update_layout(meta={"scale": canvas.figure.layout.meta["scale"], "dark": {**dark_map(), **swap}})
    _key(canvas, own, key, bool(newer.any()))
    points = canvas.weighed(own.samples_per_sec, own.top1, 1.0)
    style = {"radius": 7, "veil": True}
    wanted = even(frontier(own), 5 if canvas.phone else 7)
    canvas.label([(row.samples_per_sec, row.top1, row.base, style) for row in wanted.itertuples()], points, segments)
    return canvas


def _key(canvas: Canvas, own: pd.DataFrame, key: str, generations: bool) -> None:
    """What the shades mean, in words of their colour in the empty corner at the lower left."""
    lines = [(LABELS[one], shade(key, one)[0]) for one in CLASSES if one in set(own.pretrain)]
    lines += [("hollow: version 2 and later", MUTED[0])] if generations else []
    for number, (words, colour) in enumerate(reversed(lines)):
        sign = "○" if words.startswith("hollow") else "●"
        # apart from its words: a page in dark mode exchanges the colours of fonts, not those in a text
        for text, right, ink in ((words, 8 + 1.3 * canvas.small, INK[0]), (sign, 8, colour)):
            canvas.note(
                **corner("left", "bottom", xshift=right, yshift=8 + number * canvas.base * 1.35),
                text=text,
                name="key",
                font={"size": canvas.small, "color": ink},
                bgcolor=VEIL[0],
            )


def draw_steps(key: str) -> Drawing:
    """Gain and cost of every step to a larger picture or a larger network within the family `key`."""
    table = _table()
    found = closeup.steps(closeup.members(table, key))
    trades = {what: closeup.trade(found, what) for what in ("picture", "network")}
    if any(np.isnan(one["price"]) for one in trades.values()):
        raise UserError(f"{families.label(key)}: too few steps to a larger picture or network in {table.file.iloc[0]}")
    name, winner = families.label(key), closeup.compare(found)
    prices = {what: f"{one['price']:.1f}" for what, one in trades.items()}
    verdict = {
        "picture": "A larger picture buys more than a larger network",
        "network": "A larger network buys more than a larger picture",
        "tie": "A larger picture and a larger network buy about as much",
    }[winner]
    title = f"{name}: {verdict[0].lower()}{verdict[1:]} for the same time"
    subtitle = (
        "Points of ImageNet top-1 gained by one step, against what it costs in time; lines: the median price of each "
        "kind of step"
    )
    said = (
        f"doubling the time brings {prices['network']} points by a larger network (median of "
        f"{counted(trades['network']['n'], 'step')}) and "
        f"{prices['picture']} by a larger picture ({counted(trades['picture']['n'], 'step')})"
    )
    return Drawing(
        **both(_trade, found, trades, key, (title, subtitle, published.footer(table))),
        title=title,
        data=found,
        alt=f"Scatter chart of {counted(len(found), 'step')} within {name}: how many times slower the step makes the "
        f"model, on a log axis, against the points of top-1 that it gains. In the median, {said}.",
        caption=f"{title}: in the median, {said}. A step changes only the size of the network or only that of the "
        "picture."
        + (
            f" {counted(odd, 'step')} with gains far off the others {'is' if odd == 1 else 'are'} not drawn."
            if (odd := len(found) - len(usual(found)))
            else ""
        ),
        **published.provenance(table),
    )


def usual(found: pd.DataFrame) -> pd.DataFrame:
    """The steps that the chart has room for: without the few whose gain is far off, because one of the two weights
    was tested far off its best.
    """
    middle, spread = found.gain.median(), found.gain.quantile(0.75) - found.gain.quantile(0.25)
    return found[(found.gain - middle).abs() <= 4 * max(spread, 0.1)]


def _trade(found: pd.DataFrame, trades: dict, key: str, head: Head, size: Size) -> Canvas:
    shown = usual(found)
    x = Axis.around("times slower", shown.cost, before=0.06, after=0.08, write=TIMES)
    y = Axis.around("points gained", shown.gain, before=0.06, after=0.08, write="{:+g}".format)
    canvas = Canvas(size, *head, x, y)
    looks = {
        "network": (families.colour(key), text_colour(key), "circle", "solid"),
        "picture": (MUTED[0], MUTED[0], "circle-open", "dot"),
    }
    lines, labels = [], []
    for what, (colour, text, symbol, dash) in looks.items():
        rows = shown[shown.what == what]
        texts = [
            f"<b>{row.from_model}</b>, {row.from_size} px<br>to <b>{row.to_model}</b>, {row.to_size} "
            f"px<br>{row.gain:+.2f} points, {row.cost:.2f} times slower"
            for row in rows.itertuples()
        ]
        rim = {"width": 2, "color": colour} if what == "picture" else {"width": 0.8, "color": PAPER[0]}
        marker = {"size": 9, "symbol": symbol, "color": colour, "line": rim}
        canvas.marks(rows.cost, rows.gain, texts, marker, name=f"larger {what}")
        price = trades[what]["price"]
        ends = np.linspace(max(1.0, x.low), x.high, 40)
        heights = price * np.log2(ends)
        canvas.line(ends, heights, colour, 1.6, dash)
        lines.append(canvas.segments(ends[:-1], heights[:-1], ends[1:], heights[1:]))
        at = x.high * 0.97
        words = f"a larger {what}: {price:.1f} points per doubling"
        style = {"style": "Semibold", "colour": text, "radius": 2, "veil": True}
        labels.append((at, float(np.clip(price * np.log2(at), y.low, y.high)), words, style))
    canvas.label(labels, canvas.weighed(shown.cost, shown.gain, 1.0), np.vstack(lines))
    return canvas


def chart(name: str) -> Chart:
    """The chart of the family that people call `name`, such as swin or MaxViT. Raises UserError for an unknown one."""
    key = closeup.resolve(name, _table()["family"])
    return Chart(f"family_{key}", functools.partial(draw_family, key), "timm")
