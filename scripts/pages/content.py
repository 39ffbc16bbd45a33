"""What the pages say, computed: sentences, tables and figures that would otherwise be typed.

    from scripts.pages import content
    n = content.numbers()                # figures for inline code: n["gpu.best.top1"]
    content.stored("joins", …)           # prints Markdown, in a cell with `#| output: asis`

Everything comes from the CSVs in report/data, so that pages render where timm's tables cannot be had.
"""

from __future__ import annotations

from scripts.common import uncertainty
from scripts.common.paths import DATA
from scripts.common.tables import read_table
from scripts.common.words import signed
from scripts.findings import summary
from scripts.pages import page


class Missing(float):
    """A figure that is not there: NaN, and 'n/a' in a sentence."""

    def __format__(self, _: str) -> str:
        return "n/a"

    def __str__(self) -> str:
        return "n/a"

    __repr__ = __str__


MISSING = Missing("nan")


class Numbers(dict):
    """The summary's figures by key. A key that is not there says n/a on the page instead of failing it."""

    def __missing__(self, key: str) -> float:
        return MISSING


def numbers() -> Numbers:
    return Numbers(summary.numbers())


def with_ends(value: float, low: float, high: float, digits: int = 2) -> str:
    """A figure with its interval: '0.63 (0.42 to 0.79)'."""
    return f"{signed(value, digits)} ({signed(low, digits)} to {signed(high, digits)})"


def few(number: float) -> str:
    """A count for a sentence: 'none' for 0, 'n/a' where it is not known."""
    return "n/a" if number != number else f"{number:.0f}" if number else "none"


def top1_standard_error(top1: float) -> float:
    """Binomial standard error in points of a top-1 accuracy (%) on ImageNet's validation set."""
    return float(uncertainty.top1_se(top1))


@page.or_note()
def stored(
    name: str,
    columns: dict[str, str],
    caption: str,
    numeric: tuple[str, ...] = (),
    formats: dict | None = None,
    rows=None,
    label: str = "",
) -> None:
    """Print a table of report/data by its file name: `columns` renames and orders, `numeric` are read as numbers,
    `rows` filters the frame."""
    path = DATA / f"{name}.csv"
    if not path.exists():
        page.note("Not computed yet", f"`make data` writes `report/data/{name}.csv`.")
        return
    frame = read_table(path, required=list(columns), optional_numeric=numeric)
    frame = frame if rows is None else frame[rows(frame)]
    page.table(
        frame[list(columns)].rename(columns=columns),
        caption,
        label=label or f"tbl-{name.replace('_', '-')}",
        link=f"report/data/{name}.csv",
        formats=formats,
    )
