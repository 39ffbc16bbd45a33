"""One card since 2021: how much faster the same accuracy became, by networks and by software, from history.csv.

python -m scripts.figures.export --only history_card
"""

from __future__ import annotations

from datetime import date

import pandas as pd

from scripts.common import families
from scripts.common.errors import DataMissing
from scripts.common.paths import DATA
from scripts.common.provenance import source
from scripts.common.tables import read_table
from scripts.common.words import counted, day, month
from scripts.data import public, timm_history
from scripts.figures.drawing import Drawing
from scripts.figures.theme import INK, PALE, PAPER, TIMES, Axis, Canvas, Head, Size, both, mix
from scripts.findings import history

PARTS = ("together", "software", "networks")
COLOURS = {"together": INK[0], "software": families.COLOURS["convnext"][0], "networks": families.COLOURS["levit"][0]}


def table(span: str) -> pd.DataFrame:
    """The rows of report/data/history.csv of one span (step, since). Raises DataMissing where it is not there."""
    path = DATA / history.STEPS_FILE
    if not path.exists():
        raise DataMissing(f"{path.name} is not there; run `make data`")
    numbers = [f"{name}{end}" for name in PARTS for end in ("", "_low", "_high")]
    found = read_table(path, required=["span", "first", "last", "change"], numeric=[*numbers, "held", "median"])
    return found[found["span"] == span].reset_index(drop=True)


def _years(text: str) -> float:
    """2021-10-28 as 2021.82."""
    at = date.fromisoformat(text)
    return at.year + (at.timetuple().tm_yday - 1) / 365.25


def draw() -> Drawing:
    """Three lines from 1 in 2021: the same accuracy, how many times as fast; and the two factors of it."""
    found = table("since")
    last = found.iloc[-1]
    title = (
        f"The same accuracy on the same {timm_history.CARD}, {last.together:.1f} times as fast: "
        f"{last.networks:.2f} times by better networks, {last.software:.2f} by newer software"
    )
    subtitle = (
        f"Speed at the same ImageNet top-1 against {month(last['first'])}, mean over accuracies from "
        f"{history.LEVELS[0]:g}%; bars at the end: 95% intervals over families"
    )
    one = public.source(next(iter(timm_history.STEPS)))
    foot = (
        f"Source: {one.repository} ({one.licence}), tables of {day(last['first'])} to {day(last['last'])} · "
        f"{timm_history.CARD}, mixed precision, eager"
    )
    return Drawing(
        **both(_lines, found, (title, subtitle, foot)),
        title=title,
        data=found,
        hardware=timm_history.CARD,
        date=str(last["last"]),
        sources=[source(DATA / history.STEPS_FILE)],
        alt=f"Three lines rise from 1 in {month(last['first'])}: in {month(last['last'])} the same accuracy is to be "
        f"had {last.together:.2f} times as fast; networks make {last.networks:.2f} of it, software "
        f"{last.software:.2f}.",
        caption=f"{title}. Software is PyTorch, its CUDA and timm’s own code, seen on the same "
        f"{counted(int(last.held), 'network')}; in April 2022 the batch grew, too.",
    )


def _lines(found: pd.DataFrame, head: Head, size: Size) -> Canvas:
    at = [_years(found["first"].iloc[0]), *map(_years, found["last"])]
    high = max(found[f"{name}_high"].iloc[-1] for name in PARTS)
    x = Axis("", at[0] - 0.1, at[-1] + 0.32, write="{:.0f}".format, whole=True)
    y = Axis("times as fast", 0.95, high + 0.1, write=TIMES)
    canvas = Canvas(size, *head, x, y, right=110)
    ends, row = [], found.iloc[-1]
    for i, name in enumerate(PARTS):
        bar = [at[-1] + 0.08 * (i + 1)] * 2
        canvas.line(bar, [row[f"{name}_low"], row[f"{name}_high"]], mix(COLOURS[name], PAPER[0], PALE), 5)
        canvas.marks(
            at,
            [1.0, *found[name]],
            [f"<b>{name}</b>", *(f"<b>{name}</b> {value:.2f}×" for value in found[name])],
            {"size": 8, "color": COLOURS[name]},
            mode="lines+markers",
            name=name,
            line={"color": COLOURS[name], "width": 3 if name == "together" else 2},
        )
        ends.append((at[-1], float(row[name]), f"{name} {row[name]:.2f}×", {"colour": COLOURS[name]}))
    canvas.label_ends(ends)
    return canvas
