"""What stands in a table: a column's meaning, unit and whether it varies; a table's rows and key."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Column:
    """meaning in a few words; unit; varies: a measurement that another run would not repeat to the digit.

    least, most: what is possible, in the unit; whole: no fractions. form: a regular expression for all of a text.
    """

    meaning: str
    unit: str = ""
    varies: bool = False
    least: float = -math.inf
    most: float = math.inf
    whole: bool = False
    form: str = ""


@dataclass(frozen=True)
class Table:
    """pattern over file names; title; what a row is; names of the columns that together name a row; the columns, by
    name or pattern.
    """

    pattern: str
    title: str
    row: str
    names: str
    columns: dict[str, Column] = field(default_factory=dict)

    def of(self, **columns: Column) -> Table:
        """It with these columns, in order."""
        return replace(self, columns=columns)

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(self.names.split())

    def column(self, name: str) -> Column | None:
        """The entry for a column; one named exactly before one that a pattern matches."""
        return self.columns.get(name) or next(
            (entry for pattern, entry in self.columns.items() if "*" in pattern and fnmatchcase(name, pattern)), None
        )


# Columns that several tables have.
MODEL = {
    "model": Column("architecture, or architecture.weights, as timm names it"),
    "arch": Column("architecture"),
    "family": Column("family of architectures"),
    "img_size": Column("edge of the square picture", "pixels", least=8, most=4096, whole=True),
    "top1": Column("ImageNet top-1 accuracy", "%"),
    "param_count": Column("parameters", "millions", least=1e-4, most=1e5),
}
SPEED = Column("throughput", "images/s")
RUN = {
    "model": Column("name in this project's registry"),
    "weights": Column("scratch, or the pretrained weights that training started from"),
    "seed": Column("seed of initialisation, split, order and augmentation"),
}
RHO = Column("Spearman's rank correlation")
