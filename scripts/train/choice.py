"""The table that `make choose` writes, and the backbone that it chose. Needs pandas only.

| file in report/data | a row is |
|---|---|
| choose-<dataset>-<hardware>.csv | a backbone: how often a probe on it is right, its speed, whether the best is ahead |
| …-curve.csv | a number of photos: how often the best backbone's probe is right that learned from so many |
| …-confusion.csv | a class taken for another: how often |

None of them holds a file name or a picture. The best is the first row.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from scripts.common import hardware as machines
from scripts.common.errors import UserError
from scripts.common.paths import DATA
from scripts.common.provenance import read_sidecar, sidecar_path
from scripts.common.tables import read_table

PARTS = ("-curve", "-confusion")
KEY = ["backbone", "weights", "img_size"]
NUMERIC = ["img_size", "photos"]
OPTIONAL = [
    *("cv_accuracy", "cv_low", "cv_high", "neighbours", "test_accuracy", "test_low", "test_high", "behind"),
    *(
        "behind_low",
        "behind_high",
        "images_per_sec",
        "imagenet_top1",
        "threads",
        "batch",
        "seconds",
        "param_count",
        "features",
    ),
]
VERDICTS = {
    "best": "the best",
    "tied": "not told apart from the best",
    "ahead": "ahead on the few photos that time allowed",
    "behind": "really behind the best",
    "floor": "a floor: no pretraining",
    "untried": "not tried",
    "failed": "could not be had",
}


@dataclass
class Chosen:
    """One run of `make choose`: its tables by part ('' is the main one), their paths, and the sidecar."""

    paths: dict[str, Path]
    table: pd.DataFrame
    parts: dict[str, pd.DataFrame]
    facts: dict

    @property
    def best(self) -> pd.Series:
        return self.table.iloc[0]

    @property
    def dataset(self) -> str:
        return str(self.facts.get("dataset", ""))

    @property
    def judged_on(self) -> str:
        """'test' where there were test photos, else 'cv': the accuracy that a reader should take."""
        return "test" if pd.notna(self.best["test_accuracy"]) else "cv"


def path(dataset: str, hardware: str, part: str = "", folder: Path | None = None) -> Path:
    """Where a table lies; hardware: a slug."""
    return (folder or DATA) / f"choose-{dataset}-{hardware}{part}.csv"


def read(main: Path) -> Chosen:
    """The tables of one run. Raises UserError where one is damaged."""
    table = read_table(main, required=[*KEY, "verdict"], numeric=NUMERIC, optional_numeric=OPTIONAL, key=KEY)
    parts = {}
    curve, confusion = (main.with_name(f"{main.stem}{part}.csv") for part in PARTS)
    if curve.exists():
        parts["-curve"] = read_table(curve, numeric=["photos", "accuracy", "low", "high"])
    if confusion.exists():
        parts["-confusion"] = read_table(confusion, required=["label", "predicted"], numeric=["photos", "of", "share"])
    return Chosen({"": main, "-curve": curve, "-confusion": confusion}, table, parts, read_sidecar(main))


def runs(folder: Path | None = None) -> list[Chosen]:
    """Every run of `make choose` in the folder, by name."""
    files = sorted((folder or DATA).glob("choose-*.csv"))
    return [read(file) for file in files if not file.stem.endswith(PARTS) and sidecar_path(file).exists()]


def of(checksum: str, folder: Path | None = None) -> Chosen | None:
    """The newest run on the photos with this checksum, this machine's first. None where there is none."""
    found = []
    for file in (folder or DATA).glob("choose-*.csv"):
        try:
            facts = json.loads(sidecar_path(file).read_text(encoding="utf-8"))
            if not file.stem.endswith(PARTS) and facts.get("checksum") == checksum:
                found.append((facts["hardware"]["slug"] == machines.slug(), str(facts["date"]), file))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    try:
        return read(max(found)[-1]) if found else None
    except UserError:
        return None
