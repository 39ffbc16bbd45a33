"""Read a CSV and believe nothing: pandas accepts truncated rows, turns a model called NA into a missing value, and
guesses types.

    from scripts.common.tables import read_table
    read_table(path, required=["model", "top1"], numeric=["top1"], key=["model"])
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.common import files
from scripts.common.errors import UserError


class MissingColumn(UserError):
    """A table that is whole but lacks a column that was asked for."""


MAX_BYTES = 64 * 2**20  # the largest table of timm's is 0.2 MB
MAX_COLUMNS = 20_000  # predictions of forty networks for a hundred classes have 4,000


@dataclass(frozen=True, eq=False)
class Text:
    """A table of which every cell is still text, and the line of each row in its file."""

    name: str
    cells: pd.DataFrame
    lines: list[int]


def read_text(path: Path | str, max_bytes: float = MAX_BYTES) -> Text:
    """Read a CSV strictly. max_bytes: a larger file is none of ours.

    Raises UserError with file, line and remedy: not a CSV (HTML, binary), no rows, a doubled column, a row with too few
    or too many cells, a line cut short.
    """
    path = Path(path)
    rows = _rows(path, max_bytes)
    header = rows[0][1]
    doubled = sorted(name for name, times in Counter(header).items() if times > 1)
    if doubled:
        raise UserError(
            f"{path.name}: column {doubled[0]!r} stands twice in the header; download or write the file again"
        )
    frame = pd.DataFrame([cells for _, cells in rows[1:]], columns=header, dtype=str)
    return Text(path.name, frame, [line for line, _ in rows[1:]])


def typed(
    text: Text,
    required: Iterable[str] = (),
    numeric: Iterable[str] = (),
    key: Iterable[str] = (),
    optional_numeric: Iterable[str] = (),
) -> pd.DataFrame:
    """A copy of the table in which the columns named in `numeric` or `optional_numeric` are numbers.

    numeric: must be finite numbers ("1,014.45" is one). optional_numeric: numbers where the column and cell are there;
    an empty cell is NaN. key: columns whose values together occur once. Raises UserError with file, line and remedy:
    missing columns, text in a number, a duplicate key.
    """
    numeric, optional_numeric, key = list(numeric), list(optional_numeric), list(key)
    header = dict.fromkeys(map(str, text.cells))
    missing = [name for name in [*required, *numeric, *key] if name not in header]
    if missing:
        raise MissingColumn(
            f"{text.name}: column {missing[0]!r} is missing (it has {', '.join(header)[:200]}); is this the right file?"
        )
    frame = text.cells.copy()
    for name in [*numeric, *(column for column in optional_numeric if column in header)]:
        values = pd.to_numeric(frame[name], errors="coerce").astype(float)
        if np.isfinite(values).all():  # nearly always
            frame[name] = values
            continue
        cells = frame[name].str.strip().str.replace(",", "", regex=False)
        values = pd.to_numeric(cells, errors="coerce").astype(float)
        empty_is_fine = (cells == "") if name in optional_numeric else pd.Series(False, index=frame.index)
        bad = frame.index[(values.isna() | values.abs().eq(float("inf"))) & ~empty_is_fine]
        if len(bad):
            raise UserError(
                f"{text.name}, line {text.lines[bad[0]]}: {str(frame[name][bad[0]])[:60]!r} in column {name!r} is not "
                "a number; mend the row or download the file again"
            )
        frame[name] = values
    if key:
        twice = frame.index[frame.duplicated(key)]
        if len(twice):
            what = ", ".join(str(frame[name][twice[0]])[:80] for name in key)
            raise UserError(
                f"{text.name}, line {text.lines[twice[0]]}: {what} stands twice; each {' + '.join(key)} may occur once"
            )
    return frame


def read_table(
    path: Path | str,
    required: Iterable[str] = (),
    numeric: Iterable[str] = (),
    key: Iterable[str] = (),
    optional_numeric: Iterable[str] = (),
    max_bytes: float = MAX_BYTES,
) -> pd.DataFrame:
    """Read a CSV strictly. Every cell stays text unless its column is named in `numeric` or `optional_numeric`. See
    `read_text` and `typed`, whose errors it raises.
    """
    return typed(read_text(path, max_bytes), required, numeric, key, optional_numeric)


def significant(frame: pd.DataFrame, columns: Iterable[str], digits: int) -> pd.DataFrame:
    """`frame` with the numbers of `columns` to so many significant digits."""
    return frame.assign(**{name: frame[name].map(f"{{:.{digits}g}}".format).astype(float) for name in columns})


def _rows(path: Path, max_bytes: float) -> list[tuple[int, list[str]]]:
    """(line number, cells) of each row, header first; every row as long as the header."""
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise UserError(f"{path.name}: {size / 2**20:.0f} MB is too large for a table; is this the right file?")
        text = files.content(path).decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(
            f"{path.name}: no such file in {path.parent}; run `make data` or `make bench`, or check the name"
        ) from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder, not a CSV; name the file") from None
    except UnicodeDecodeError:
        raise UserError(f"{path.name}: not a text file; download it again") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    if text.lstrip()[:1] == "<":
        raise UserError(
            f"{path.name}: a web page stands where a CSV should be; check the address and download it again"
        )
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        rows = [(reader.line_num, cells) for cells in reader if cells]
    except csv.Error as error:
        raise UserError(
            f"{path.name}, line {reader.line_num}: {error}; the file is damaged, download it again"
        ) from None
    if len(rows) < 2:
        raise UserError(f"{path.name}: no rows; the file is empty or was cut short, make or download it again")
    width = len(rows[0][1])
    if width > MAX_COLUMNS:
        raise UserError(
            f"{path.name}: {width:,} columns, and at most {MAX_COLUMNS:,} are read; is this the right file?"
        )
    for line, cells in rows:
        if len(cells) != width:
            raise UserError(
                f"{path.name}, line {line}: {len(cells)} cells where the header has {width}; the file is damaged, "
                "download it again"
            )
    if not text.endswith(("\n", "\r")):
        raise UserError(
            f"{path.name}, line {rows[-1][0]}: the last line has no end; the file was cut short, download it again"
        )
    return rows
