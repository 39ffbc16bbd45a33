"""Networks in every runtime of a machine: the committed runtimes-infer-*.csv as tidy rows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from scripts.common import families, hardware
from scripts.common.errors import DataMissing, UserError
from scripts.common.paths import DATA
from scripts.common.provenance import read_sidecar
from scripts.common.tables import read_table
from scripts.runtimes import kinds

SPEEDS = "runtimes-infer-*.csv"
NUMBERS = ["times_eager", "times_eager_low", "times_eager_high", "infer_samples_per_sec", "infer_step_time"]
MORE = ["samples_per_sec_low", "samples_per_sec_high", "difference", "equal_top1", "param_count", "energy_j"]
SECONDS = ["export_secs", "quantise_secs", "compile_secs"]


def _machines(pattern: str, folder: Path) -> list[tuple[Path, dict]]:
    """The files of a pattern with their sidecars."""
    return [(path, read_sidecar(path)) for path in sorted(folder.glob(pattern))]


def speeds(folder: Path | None = None) -> pd.DataFrame:
    """The fullest file of this machine, else of the machine measured last: the CSV's columns, and `family`, `kind`,
    `speed` (images/s), `label`, `file`, `date`, `hardware` (slug), `hardware_name`, `threads`, `batch`. Rows with a
    reason instead of a speed are there, too. Raises DataMissing where nothing was measured, UserError for a damaged
    file.
    """
    found = [
        (facts["hardware"].get("slug") in hardware.present(), str(facts.get("date", "")), path, facts)
        for path, facts in _machines(SPEEDS, folder or DATA)
    ]
    if not found:
        raise DataMissing("no network was measured in several runtimes; run `make bench`")
    ours, date = max(one[:2] for one in found)
    slug = next(facts["hardware"].get("slug") for *key, _, facts in found if tuple(key) == (ours, date))
    tables = [_one(path, facts) for *_, path, facts in found if facts["hardware"].get("slug") == slug]
    best = max(tables, key=lambda table: table["speed"].notna().sum())
    if best["speed"].isna().all():
        raise DataMissing("no network could be measured in any runtime; run `make bench`")
    return best


def _one(path: Path, facts: dict) -> pd.DataFrame:
    frame = read_table(
        path,
        required=["model", "runtime", "precision", "status", "reason", "version"],
        optional_numeric=[*NUMBERS, *MORE, *SECONDS, "threads", "infer_batch_size", "infer_img_size"],
        key=["model", "runtime", "precision"],
    )
    strange = frame[~frame["runtime"].isin(list(kinds.RUNTIMES)) | ~frame["precision"].isin(kinds.PRECISIONS)]
    if len(strange):
        raise UserError(f"{path.name}: {strange['runtime'].iloc[0][:40]!r} is no runtime of ours; measure it again")
    arch = frame["model"].str.partition(".")[0]
    families.check(arch)
    known = frame["status"].eq("ok") & frame["infer_samples_per_sec"].gt(0)
    return frame.assign(
        arch=arch,
        family=arch.map(families.family),
        kind=arch.map(families.kind),
        speed=frame["infer_samples_per_sec"].where(known),
        label=[kinds.label(one, two) for one, two in zip(frame["runtime"], frame["precision"])],
        batch=frame["infer_batch_size"],
        img_size=frame["infer_img_size"],
        file=path.name,
        date=str(facts.get("date", ""))[:10],
        hardware=facts["hardware"].get("slug", ""),
        hardware_name=facts["hardware"].get("name", ""),
    )
