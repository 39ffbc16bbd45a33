"""What was predicted for a machine before it was measured: kept once, never written again, held against what came.

    promise.keep(table, telling)   # report/data/promised-<table>.csv and its sidecar, from the telling networks alone
    promise.compared(path)         # the networks that were measured after it was kept

A prediction needs a few networks of the machine; those are named in the sidecar and never count as predicted. Of the
others only rows whose time of measurement lies after the promise's count, so none could have been known to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.common.errors import UserError
from scripts.common.files import sha256
from scripts.common.hardware import MACHINE_NAME, named, parse_benchmark_name
from scripts.common.paths import DATA
from scripts.common.provenance import origin, read_sidecar, sidecar, write_pair
from scripts.common.tables import read_table
from scripts.data import measured
from scripts.predict import speeds
from scripts.predict.command import CHECK
from scripts.predict.tables import KEY

COLUMNS = [*KEY, "predicted", "low", "high"]
PREFIX = "promised"
CASES = ("like", "new")  # of a machine, see `predict.kinds`


def path_of(table: Path) -> Path:
    """Where the predictions for a table (benchmark-….csv) are kept: beside it."""
    return table.with_name(table.name.replace("benchmark", PREFIX, 1))


def kept(folder: Path | None = None) -> list[Path]:
    """All that were kept, by name."""
    return sorted((folder or DATA).glob(f"{PREFIX}-*.csv"))


def rows_of(table: Path) -> pd.DataFrame:
    """The measured rows of one table, a row a network. Raises UserError where it is missing or damaged."""
    if not table.is_file():
        raise UserError(f"{table.name}: no such table; run `make contribute`, which measures it")
    about = parse_benchmark_name(table.name)
    rows = measured.load(about["part"], table.parent)
    return rows[rows["file"] == table.name].drop_duplicates(KEY).reset_index(drop=True)


def keep(table: Path, telling: Iterable[str]) -> tuple[Path, speeds.Prediction]:
    """Predict from those of `telling` (architectures) that `table` has, and keep it unless that was done before. What
    is kept stays as it is, also where today's method would say something else; where nothing can be predicted, nothing
    is written.

    Raises TablesMissing, and UserError for too few measurements."""
    rows = rows_of(table)
    used = rows[rows["arch"].isin(list(telling))]
    part = parse_benchmark_name(table.name)["part"]
    made = speeds.predict(used, part)
    path = path_of(table)
    if path.exists():
        return path, made
    networks = made.networks[made.networks["status"] == "predicted"].rename(columns={"samples_per_sec": "predicted"})
    shown = networks[COLUMNS].assign(
        **{name: networks[name].map("{:.5g}".format).astype(float) for name in COLUMNS[2:]}
    )
    if shown.empty:
        return path, made
    facts = {
        **sidecar(packages=("pandas", "numpy"), **origin(made.known.sources)),
        "hardware": read_sidecar(table)["hardware"],
        "table": table.name,
        "from": [f"{row.arch}@{row.img_size}" for row in used.itertuples()],
        "used": made.used,
        "case": made.case,
    }
    write_pair(shown, path, facts)
    return path, made


def read(path: Path) -> tuple[pd.DataFrame, dict]:
    """(what was kept, its sidecar). Raises UserError where either is missing, damaged, or not the other's."""
    frame = read_table(path, required=["arch"], numeric=COLUMNS[1:], key=KEY)
    facts = read_sidecar(path)
    if facts.get("sha256") != sha256(path):
        raise UserError(f"{path.name}: changed since it was kept; put back the pair that `make contribute` wrote")
    if not _ours(facts, path.name.replace(PREFIX, "benchmark", 1)):
        raise UserError(
            f"{path.stem}.json: does not say which machine it is of, or what it was predicted from; put back what "
            "`make contribute` wrote"
        )
    frame = frame.assign(img_size=frame["img_size"].astype(int))
    odd = frame[~((0 < frame["low"]) & (frame["low"] <= frame["predicted"]) & (frame["predicted"] <= frame["high"]))]
    if len(odd):
        raise UserError(f"{path.name}: {odd['arch'].iloc[0][:60]} is predicted outside its own interval")
    return frame, facts


def _ours(facts: dict, table: str) -> bool:
    """Whether a sidecar says what `keep` says of predictions for a table of that name. Raises UserError for a name that
    is no table's."""
    own, machine = parse_benchmark_name(table)["hardware"], facts["hardware"]
    name, slug, used = machine.get("name"), machine.get("slug"), facts.get("from")
    return (
        facts.get("table") == table
        and isinstance(used, list)
        and all(isinstance(one, str) for one in used)
        and facts.get("used") in range(1, 10_000)  # JSON has numbers too long to be written
        and facts.get("case", CASES[1]) in CASES
        and machine.get("kind") in ("cpu", "gpu")
        and isinstance(name, str)
        and MACHINE_NAME.fullmatch(name) is not None
        and isinstance(slug, str)
        and named(slug).slug == own
    )


def again(path: Path) -> float:
    """How far what was kept lies from what today's method says from the same networks: the median relative difference.
    Large where it was predicted otherwise, or where the method or these networks' speeds changed since. Raises
    TablesMissing, and UserError where it can't be predicted."""
    frame, facts = read(path)
    rows = rows_of(path.with_name(facts["table"]))
    used = set(facts["from"])
    own = np.array([f"{row.arch}@{row.img_size}" in used for row in rows[KEY].itertuples()], bool)
    made = speeds.predict(rows[own], parse_benchmark_name(facts["table"])["part"])
    both = frame.merge(made.networks[[*KEY, "samples_per_sec"]].dropna(), on=KEY, how="inner", validate="1:1")
    return float(np.expm1(np.abs(np.log(both["predicted"] / both["samples_per_sec"])).median()))


def compared(path: Path) -> pd.DataFrame:
    """`predict.command.CHECK` of the networks that were predicted and then measured, in the table's order; empty
    before any was. Raises UserError for a damaged pair or table."""
    frame, facts = read(path)
    table = path.with_name(facts["table"])
    rows = rows_of(table) if table.is_file() else pd.DataFrame(columns=[*KEY, "measured_at", "samples_per_sec"])
    rows = rows[_after(rows["measured_at"], str(facts.get("date", "")))]
    used = set(facts["from"])
    rows = rows[np.array([f"{row.arch}@{row.img_size}" not in used for row in rows[KEY].itertuples()], bool)]
    return rows[[*KEY, "samples_per_sec"]].merge(frame, on=KEY, how="inner", validate="1:1")[CHECK]


def _after(times: pd.Series, kept_at: str) -> np.ndarray:
    """Whether a row was measured after a moment. A time that none can read counts as before."""
    return np.array([(then := moment(text)) is not None and (kept := moment(kept_at)) is not None and then > kept
                     for text in times], bool)  # fmt: skip


def moment(text) -> datetime | None:
    """A sidecar's or row's time; None for none, or one without its zone."""
    try:
        # up to Python 3.10 a Z is no zone
        found = datetime.fromisoformat(str(text)[:40].replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else None
