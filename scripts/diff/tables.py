"""What moved between two versions of a CSV: rows matched by key, not by line; numbers by relative change with a
tolerance per column.

    compare(base_path, head_path, "report/data/x.csv") -> TableChange
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.common import schema
from scripts.common.tables import read_table

REWRITTEN, WITHIN, MOVED = "rewritten", "within tolerance", "moved"
MOST_NAMES = 20  # leading columns among which the name of a row is looked for
MOST = 500  # differing cells that are kept, largest first; all are counted


@dataclass
class Cell:
    """One value that differs. change is relative (0.01 = 1% up), None where it is no number on both sides or was 0."""

    key: str
    column: str
    base: str
    head: str
    change: float | None
    within: bool


@dataclass
class TableChange:
    """What moved in one CSV. status: REWRITTEN (other order or spelling, same values), WITHIN tolerance, or MOVED.

    cells hold at most MOST of the differing values, those beyond tolerance first, the largest change first; moved and
    within count all.
    """

    path: str
    status: str
    key: list[str]
    rows: tuple[int, int]
    added: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    columns_added: list[str] = field(default_factory=list)
    columns_gone: list[str] = field(default_factory=list)
    moved: int = 0
    within: int = 0
    cells: list[Cell] = field(default_factory=list)


def compare(base: Path, head: Path, path: str) -> TableChange:
    """Compare two readable CSVs whose bytes differ. Raises UserError (from read_table) where one is no whole table."""
    one, two = read_table(base), read_table(head)
    shared = [column for column in one.columns if column in two.columns]
    change = TableChange(path, REWRITTEN, [], (len(one), len(two)))
    change.columns_added = [column for column in two.columns if column not in shared]
    change.columns_gone = [column for column in one.columns if column not in shared]
    if not shared:
        change.status = MOVED
        change.added, change.gone = [f"{len(two)} rows"], [f"{len(one)} rows"]
        return change
    change.key = key = key_of(path, one[shared], two[shared])
    names_one, names_two = _names(one, key), _names(two, key)
    old, new = set(names_one), set(names_two)
    change.added = [name for name in names_two if name not in old]
    change.gone = [name for name in names_one if name not in new]
    one.index, two.index = names_one, names_two
    both = one.index.intersection(two.index, sort=False)
    cells: list[Cell] = []
    others = [column for column in shared if column not in key]
    apart = (one.loc[both, others].to_numpy(str) != two.loc[both, others].to_numpy(str)).any(axis=0)
    for column in [column for column, differs in zip(others, apart) if differs]:
        cells += _cells(one.loc[both, column], two.loc[both, column], column, schema.tolerance(path, column))
    change.within = sum(cell.within for cell in cells)
    change.moved = len(cells) - change.within
    change.cells = sorted(cells, key=_size)[:MOST]
    if change.moved or change.added or change.gone or change.columns_added or change.columns_gone:
        change.status = MOVED
    elif change.within:
        change.status = WITHIN
    return change


def key_of(path: str, *frames: pd.DataFrame) -> list[str]:
    """The columns that name a row: the schema's, else the shortest run of leading columns without measurements
    that is unique.

    [] where nothing is unique: rows are then told apart by all their cells.
    """
    columns = list(frames[0].columns)
    known = [column for column in schema.key(path) if column in columns]
    names = [column for column in columns[:MOST_NAMES] if not all(_is_fraction(frame[column]) for frame in frames)]
    candidates = [known, *(names[:count] for count in range(1, len(names) + 1))]
    return next((key for key in candidates if key and not any(frame.duplicated(key).any() for frame in frames)), [])


def _is_fraction(values: pd.Series) -> bool:
    """Whether a column holds measurements: numbers, at least one of them not whole."""
    numbers = _numbers(values)
    return bool(numbers.notna().all() and (numbers % 1 != 0).any())


def _numbers(values: pd.Series) -> pd.Series:
    """Cells as numbers, '1,014' too; NaN for what is none."""
    return pd.to_numeric(values.str.replace(",", "", regex=False), errors="coerce")


def _names(frame: pd.DataFrame, key: list[str]) -> list[str]:
    """A name for each row, unique: its key; equal rows of a table without key are numbered."""
    if not len(frame):
        return []
    first, *others = key or list(frame.columns)
    names = frame[first].str.cat([frame[column] for column in others], sep=" · ") if others else frame[first]
    again = names.groupby(names).cumcount()
    return [f"{name} (again, {count + 1})" if count else name for name, count in zip(names, again)]


def _cells(base: pd.Series, head: pd.Series, column: str, tolerance: float) -> list[Cell]:
    """The values of one column that differ; two spellings of a number (1.0 and 1.00, '1,014' and 1014) do not."""
    apart = base.str.strip() != head.str.strip()
    base, head = base[apart], head[apart]
    old, new = (_numbers(side).to_numpy(float) for side in (base, head))
    with np.errstate(divide="ignore", invalid="ignore"):
        changes = np.where(old == 0, np.nan, (new - old) / np.abs(old))
    cells = []
    for name, was, now, a, b, change in zip(base.index, base, head, old, new, changes):
        if a == b:
            continue
        relative = float(change) if math.isfinite(change) else None
        within = relative is not None and abs(relative) <= tolerance
        cells.append(Cell(str(name), column, was, now, relative, within))
    return cells


def _size(cell: Cell) -> tuple:
    """Sorts what matters first: beyond tolerance, what is no number, then the largest relative change."""
    return cell.within, cell.change is not None, -abs(cell.change or 0), cell.key, cell.column
