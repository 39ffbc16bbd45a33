"""The contract of every CSV under report/data: its key, and of each column the meaning, the unit, and whether it varies
from run to run.

One statement for three readers: the data dictionary on the site (report/data.qmd), the diff (rows matched by key, a
tolerance per column), and the tests. A new table is a `Table` in the module of its room, here.

    schema.tolerance("report/data/zoo-digits-x.csv", "train_seconds")
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import pandas as pd

from scripts.common.paths import DATA
from scripts.common.schema import bench, choose, findings, predict, train
from scripts.common.schema.base import Table
from scripts.common.tables import read_table

EXACT = 1e-9  # relative: what is counted, published or computed from fixed tables does not vary
VARIES = 0.05  # relative: one model timed twice on one machine; timm's own repeats lie within 0.984-1.026 (5-95%)
TABLES: list[Table] = [*bench.TABLES, *train.TABLES, *choose.TABLES, *predict.TABLES, *findings.TABLES]


def table(name: str) -> Table | None:
    """The entry for a file's name or path; None where the dictionary has none."""
    name = PurePosixPath(name).name
    return next((entry for entry in TABLES if fnmatchcase(name, entry.pattern)), None)


def key(name: str) -> tuple[str, ...]:
    """The columns that name a row of the file `name`; () where the dictionary does not know it."""
    found = table(name)
    return found.key if found else ()


def tolerance(name: str, column: str) -> float:
    """The relative change in `column` of the file `name` that may be chance."""
    found = table(name)
    entry = found.column(column) if found else None
    return VARIES if entry and entry.varies else EXACT


def impossible(name: str, frame: pd.DataFrame) -> dict[str, pd.Series]:
    """What can't be in a table by the contract of its columns: a sentence -> the rows (boolean) that it is about.
    Columns of numbers hold numbers, NaN where a cell is empty; all others text.
    """
    found: dict[str, pd.Series] = {}
    entry = table(name)
    for column in frame.columns:
        known, values = entry.column(column) if entry else None, frame[column]
        if known is None:
            continue
        if pd.api.types.is_numeric_dtype(values):
            off = values.notna() & ~values.between(known.least, known.most)
            found[f"has a {column} outside {known.least:g} to {known.most:g}"] = off
            if known.whole:
                found[f"has a {column} that is no whole number"] = values.notna() & ~off & (values % 1 != 0)
        elif known.form:
            found[f"has a {column} of another form than `make bench` writes"] = ~values.str.fullmatch(known.form)
    return {sentence: rows for sentence, rows in found.items() if rows.any()}


def unknown(folder: Path = DATA) -> list[str]:
    """Tables and columns that the dictionary does not explain: 'file', or 'file: column'."""
    found = []
    for path in sorted(folder.glob("*.csv")):
        entry = table(path.name)
        names = [] if entry is None else [name for name in read_table(path).columns if entry.column(name) is None]
        found += [path.name] if entry is None else [f"{path.name}: {name}" for name in names]
    return found


def remedy(missing: list[str]) -> str:
    """What to do about what `unknown` found, in a sentence."""
    return (
        f"not in the data dictionary: {'; '.join(missing)}. Add a Table for a file, a Column for a column (meaning, "
        "unit, whether it varies from run to run) to TABLES in scripts/common/schema; report/data.qmd then explains "
        "it and `make diff` knows its key and tolerance"
    )


def files(entry: Table, folder: Path = DATA) -> list[Path]:
    """The committed CSVs of an entry; a file belongs to the first entry that matches."""
    return [path for path in sorted(folder.glob(entry.pattern)) if table(path.name) is entry]
