"""Today's question on today's tables: which models are worth their time, on a current graphics card, on a laptop's
processor, and what the years between two tables have brought on the same card.

frontier_gpu, frontier_cpu: a frontier chart each. frontier_then_now: the two frontiers of the notebook's card.

    python -m scripts.figures.export --only frontier_gpu frontier_cpu frontier_then_now
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from scripts.common import families, words
from scripts.common.hardware import named
from scripts.common.provenance import published as said, sources
from scripts.common.words import counted, listing, plain
from scripts.data import read_data
from scripts.figures import frontier_chart, published
from scripts.figures.drawing import Drawing
from scripts.figures.theme import INK, MUTED, PAPER, Axis, Canvas, Head, Size, both, frontier
from scripts.findings.summary import chosen, table_of

SUBTITLE = (
    "ImageNet top-1 accuracy against images per second in inference; the line is the best accuracy at that speed or "
    "faster"
)
FLOOR = 70.0  # percent top-1; below, the charts would be mostly empty
CLAIMS = {
    "LeViT": ("levit",),
    "ConvNeXt": ("convnext",),
    "BEiT": ("beit", "beitv2", "beit3"),
}  # what the notebook recommended, with successors
CARD = {"then": "then", "now": "card"}  # one card, years apart: names of `summary.TABLES`


def verdict(table: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Which of the notebook's families are on the table's frontier above FLOOR, and which are not. A family that is
    there only through a successor goes by the successor's name."""
    present = set(frontier(frontier_chart.visible(table[families.contending(table)], FLOOR)).family)
    found = {claim: [name for name in names if name in present] for claim, names in CLAIMS.items()}
    return [families.label(names[0]) for names in found.values() if names], [
        claim for claim, names in found.items() if not names
    ]


def headline(where: str, there: list[str], gone: list[str]) -> str:
    """The finding in a sentence."""
    if not gone:
        return f"On {where}, {listing(there)} are all on the frontier"
    if not there:
        return f"On {where}, none of {listing(gone)} is on the frontier any more"
    reach, do = "reach" if len(there) > 1 else "reaches", "do" if len(gone) > 1 else "does"
    return f"On {where}, {listing(there)} {reach} the frontier; {listing(gone)} no longer {do}"


def draw_frontier(machine: str, where: str) -> Drawing:
    """The frontier chart of one of `summary.TABLES`; `where` is how the title calls the machine: 'an {}'."""
    table = read_data.load("infer", *chosen(machine))
    table = table[families.contending(table)]
    head = table.iloc[0]
    where = where.format(named(head.hardware).name)
    there, gone = verdict(table)
    shown = frontier_chart.visible(table, FLOOR)
    edge = frontier(shown)
    title = headline(where, there, gone)
    claims = tuple(
        name for names in CLAIMS.values() for name in names if not set(names) & {claim.lower() for claim in gone}
    )
    best, fast = edge.iloc[0], edge.iloc[-1]
    counts = edge.family.map(families.label).value_counts()
    leading = listing([f"{name} ({number})" for name, number in counts.head(4).items()])
    left_out, hidden = len(table) - len(shown), len(frontier(table)) - len(edge)
    return Drawing(
        **both(frontier_chart.draw, shown, title, SUBTITLE, published.footer(table), first=claims),
        title=title,
        data=shown.assign(on_frontier=shown.index.isin(edge.index)),
        alt=f"Scatter chart of {counted(len(shown), 'set')} of weights on {where}: images per second on a log axis "
        f"against ImageNet top-1 accuracy, with the frontier as a falling step line of {counted(len(edge), 'model')}, "
        f"from {best.model} ({best.top1:.1f}%, {plain(best.samples_per_sec)} images/s) to {fast.model} "
        f"({fast.top1:.1f}%, {plain(fast.samples_per_sec)} images/s).",
        caption=(
            f"{title}. {counted(len(edge), 'model')} of {len(shown):,} {'makes' if len(edge) == 1 else 'make'} up "
            f"the frontier, most of them {leading}. "
            + (
                f"{counted(left_out, 'model')} below {FLOOR:g}% {'is' if left_out == 1 else 'are'} not drawn"
                + (f", {hidden} of them on the whole frontier of {len(edge) + hidden}." if hidden else ".")
                if left_out
                else ""
            )
        ).strip(),
        explore={"machine": f"{head.hardware}{'-compiled' * bool(head.compiled)}", "part": "infer"},
        **published.provenance(table),
    )


def best_at(edge: pd.DataFrame, speed: float) -> float:
    """The frontier's accuracy (percent) at `speed` images/s or faster; NaN beyond its fastest model."""
    return edge.top1[edge.samples_per_sec >= speed].max()


def speed_for(edge: pd.DataFrame, score: float) -> float:
    """The frontier's speed (images/s) at `score` percent or better; NaN above its best model."""
    return edge.samples_per_sec[edge.top1 >= score].max()


def draw_years() -> Drawing:
    """The frontier of the notebook's card in its tables and in the newest."""
    tables = {year: table_of(machine) for year, machine in CARD.items()}
    edges = {year: frontier(frontier_chart.visible(table, FLOOR)) for year, table in tables.items()}
    then, now = (table.iloc[0] for table in tables.values())
    card = named(now.hardware).name
    if then.hardware != now.hardware:
        raise read_data.TablesMissing(f"timm no longer has a table of the {named(then.hardware).name}")
    score = float(np.floor(edges["then"].top1.quantile(0.5)))
    faster = speed_for(edges["now"], score) / speed_for(edges["then"], score)
    gain = edges["now"].top1.max() - edges["then"].top1.max()
    years = {"then": words.year(then.date), "now": words.year(now.date)}
    title = (
        f"The same {card}, {words.apart(then.date, now.date):.1f} years on: {score:g}% accuracy in {years['now']} "
        f"comes {faster:.1f} times as fast"
    )
    foot = (
        f"Source: timm’s published {said(sources(tables['then']))}, and {said(sources(tables['now']))} · "
        f"{named(then.hardware).name}, mixed precision, eager, PyTorch {then.torch} and {now.torch}"
    )
    head = title, "Best ImageNet top-1 accuracy at that speed or faster, in inference", foot
    data = pd.concat([edge.assign(year=years[year]) for year, edge in edges.items()])
    speeds = np.geomspace(data.samples_per_sec.min(), edges["then"].samples_per_sec.max(), 200)
    above = np.mean([best_at(edges["now"], speed) >= best_at(edges["then"], speed) for speed in speeds])
    where = "nowhere below" if above == 1 else f"at {above:.0%} of the speeds at or above"
    return Drawing(
        **both(two_frontiers, edges, years, head),
        title=title,
        data=data,
        alt="Two falling step lines of images per second (log axis) against the best ImageNet top-1 accuracy on an "
        f"{card}: that of {years['now']} lies {where} "
        f"that of {years['then']}; its best model has {edges['now'].top1.max():.1f}%, {gain:.1f} points more.",
        caption=f"{title}, and the best accuracy has risen by {gain:.1f} points. Part of the speed is newer software, "
        "the rest is newer models.",
        **published.provenance(*tables.values()),
    )


def two_frontiers(edges: dict[str, pd.DataFrame], years: dict[str, str], head: Head, size: Size) -> Canvas:
    """Step lines of `edges` (then and now), each with its year and some of its models by name."""
    every = pd.concat(edges.values())
    y = Axis.top1(every.top1)
    canvas = Canvas(size, *head, Axis.speed(every.samples_per_sec, after=0.09), y)
    colours, dashes = {"then": MUTED[0], "now": INK[0]}, {"then": "dot", "now": "solid"}
    looks = {"then": {"size": 8, "opacity": 0.55}, "now": {"size": 10, "line": {"color": PAPER[0], "width": 1.2}}}
    segments, points = [], []
    for year, edge in edges.items():
        segments.append(canvas.step(edge, "samples_per_sec", "top1", colours[year], years[year], dashes[year]))
        for family, rows in edge.groupby("family", sort=False):
            frontier_chart.scatter(canvas, rows, family, {"color": families.colour(family), **looks[year]})
        points.append(canvas.pixels(edge.samples_per_sec, edge.top1))
    lines, dots = np.vstack(segments), np.vstack(points)
    middle = {year: edge.iloc[len(edge) * 2 // 3] for year, edge in edges.items()}
    beside = {"then": (0.85, -1.0), "now": (1.15, 1.0)}  # the older line's year stands below it, the newer one's above
    canvas.label(
        [
            (
                row.samples_per_sec * beside[year][0],
                row.top1 + beside[year][1],
                years[year],
                {"style": "Bold", "size": canvas.base + 6, "colour": colours[year], "radius": 0},
            )
            for year, row in middle.items()
        ],
        dots,
        lines,
    )
    for year, number, text in (
        ("now", 4 if canvas.phone else 6, canvas.base),
        ("then", 3 if canvas.phone else 5, canvas.small),
    ):
        fresh = edges[year] if year == "now" else edges[year][~edges[year].arch.isin(edges["now"].arch)]
        style = {"colour": colours[year], "size": text, "radius": 7, "veil": True}
        named = frontier_chart.leaders(fresh, "samples_per_sec", y.low, number)
        canvas.label([(row.samples_per_sec, row.top1, row.arch, style) for row in named.itertuples()], dots, lines)
    return canvas
