"""What each CSV under report/data holds: its key, and of each column the meaning, the unit, and whether it varies from run to run.

One table for three readers: the data dictionary on the site (report/data.qmd), the diff (rows matched by key, a tolerance per column),
and the check of a machine that someone contributes.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from pathlib import PurePosixPath

EXACT = 1e-9       # relative: what is computed or published does not vary
VARIES = 0.05      # relative: timings of one model on one machine; timm's own repeats lie within 0.984-1.026 (5-95%)


@dataclass(frozen=True)
class Column:
    """meaning in a few words; unit; varies: a measurement that another run would not repeat to the digit."""

    meaning: str
    unit: str = ""
    varies: bool = False


@dataclass(frozen=True)
class Table:
    """pattern over file names; what the table is; the columns that together name a row; the columns."""

    pattern: str
    title: str
    about: str
    key: tuple[str, ...]
    columns: dict[str, Column] = field(default_factory=dict)


def _speed(part: str) -> dict[str, Column]:
    return {
        f"{part}_samples_per_sec": Column("throughput", "images/s", True),
        f"{part}_step_time": Column("time of one step (a batch)", "ms", True),
        f"{part}_batch_size": Column("batch size", "images"),
        f"{part}_img_size": Column("edge of the square input image", "pixels"),
    }


TABLES: list[Table] = [
    Table("benchmark-infer-*.csv", "Inference speed of one machine", "One row per model and image size.", ("model", "infer_img_size"),
          {"model": Column("architecture, as timm names it"), **_speed("infer")}),
    Table("benchmark-train-*.csv", "Training speed of one machine", "One row per model and image size.", ("model", "train_img_size"),
          {"model": Column("architecture, as timm names it"), **_speed("train")}),
]


def table(name: str) -> Table | None:
    """The entry for a file's name or path; None where the dictionary has none."""
    name = PurePosixPath(name).name
    return next((entry for entry in TABLES if fnmatch.fnmatchcase(name, entry.pattern)), None)


def key(name: str) -> tuple[str, ...]:
    """The columns that name a row of the file `name`; () where the dictionary does not know it."""
    found = table(name)
    return found.key if found else ()


def tolerance(name: str, column: str) -> float:
    """The relative change in `column` of the file `name` that may be chance."""
    found = table(name)
    entry = found.columns.get(column) if found else None
    return VARIES if entry and entry.varies else EXACT
