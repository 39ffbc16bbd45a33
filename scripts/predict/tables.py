"""What the prediction of speeds learns from: every table of speeds at hand as one matrix of networks × tables, gaps
filled, and the networks' properties.

    from scripts.predict import tables as predict_tables
    known = predict_tables.references(without="rtx3090")       # as if no table of that hardware had ever been seen

A network is an architecture at an image size: its speed does not depend on its weights. Names from before timm's
renaming are read under today's. A table of ours counts when it is nearly as full as timm's; a handful of rows would be
mostly filled gaps.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.common import families, hardware
from scripts.common.hardware import parse_benchmark_name
from scripts.common.provenance import Source, carry, sources
from scripts.data import measured, names, read_data

KEY = ["arch", "img_size"]
SETTINGS = ["hardware", "kind", "part", "precision", "layout", "compiled", "torch"]  # what tells two tables apart
COUNTS = ["gmacs", "macts", "param_count"]
LEAST_ROWS = 300  # networks in a table of ours from which it counts as a reference
# share by which a network's parameter count may differ between tables: beyond, it was re-parameterised in some
STEADY = 0.002
RIDGE = 1e-4  # added to the tables' covariance while gaps are filled, in squared log units: 1% noise
ROUNDS = 12  # of filling; the largest change is below 0.01 then


@dataclass(frozen=True)
class References:
    """keys: n networks (`KEY`, family, network (its kind), `COUNTS`, steady (the same network in every table)); speeds:
    (n, p) log of images per second, gaps filled; known: (n, p) whether that was measured; tables: p rows of `SETTINGS`
    and `file`; features: (n, 4) log GMACs, activations, parameters and size, standardised; sources: where all of it
    was read."""

    keys: pd.DataFrame
    speeds: np.ndarray
    known: np.ndarray
    tables: pd.DataFrame
    features: np.ndarray
    sources: tuple[Source, ...] = ()

    def find(self, frame: pd.DataFrame) -> np.ndarray:
        """Position of each row's network (`KEY`) among `keys`; -1 where no table has it."""
        place = {key: i for i, key in enumerate(zip(self.keys["arch"], self.keys["img_size"]))}
        return np.array([place.get((arch, int(size)), -1) for arch, size in zip(frame["arch"], frame["img_size"])], int)


def settings_of(file: str, kind: str = "") -> dict:
    """`SETTINGS` of a benchmark file by its name; kind (gpu, cpu) where the hardware is not a known one."""
    about = parse_benchmark_name(file)
    return {
        **{name: about[name] for name in SETTINGS if name in about},
        "kind": hardware.named(about["hardware"]).kind or kind,
        "file": file,
    }


@functools.lru_cache(maxsize=1)
def published() -> tuple[pd.DataFrame, pd.DataFrame]:
    """(rows, tables) of timm's newest vintage: rows have `KEY`, file, samples_per_sec, batch_size and `COUNTS`, once
    per network and file; tables carry their sources.

    Raises TablesMissing where they can't be had.
    """
    files = read_data.configs(read_data.NOW)
    results = read_data.results(read_data.NOW)
    today = set(results["arch"])
    parts, read = [], [results]
    for file in files:
        rows = read_data.benchmark(read_data.NOW, file)
        read.append(rows)
        bare = rows["model"].str.partition(".")[0]
        arch = [name if name in today else names.today(name).partition(".")[0] or name for name in bare]
        parts.append(
            rows.assign(arch=arch, renamed=bare.ne(pd.Series(arch, bare.index)), file=file)
            .sort_values("renamed", kind="stable")
            .drop_duplicates(KEY)
        )
    frame = pd.concat(parts, ignore_index=True)
    tables = pd.DataFrame([settings_of(file) for file in files])
    carry(tables, *sources(*read))
    return frame[[*KEY, "file", "samples_per_sec", "batch_size", *COUNTS]], tables


def ours() -> tuple[pd.DataFrame, pd.DataFrame]:
    """(rows, tables), as `published`, of our own measurements that are full enough to learn from."""
    rows = measured.load().drop_duplicates([*KEY, "file"])
    full = rows[rows.groupby("file")["arch"].transform("size") >= LEAST_ROWS]
    tables = [settings_of(file, kind) for file, kind in full.groupby("file")["kind_of_hardware"].first().items()]
    known = pd.DataFrame(tables, columns=[*SETTINGS, "file"])
    carry(known, *sources(rows))
    return full[[*KEY, "file", "samples_per_sec", "batch_size", *COUNTS]], known


def _networks() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, np.ndarray]:
    """(rows, tables, keys, features) of all tables at hand, as `published` and `References` have them."""
    pairs = [published(), ours()]
    rows, tables = (pd.concat(pair, ignore_index=True) for pair in zip(*pairs))
    carry(tables, *sources(*(pair[1] for pair in pairs)))
    # a network's properties do not depend on the machine: they are known from any table
    keys = rows.groupby(KEY, as_index=False)[COUNTS].median()
    keys["steady"] = (
        rows.groupby(KEY)["param_count"].agg(np.ptp)
        <= STEADY * keys.set_index(pd.MultiIndex.from_frame(keys[KEY]))["param_count"]
    ).to_numpy()
    keys = _counted(
        keys.assign(
            family=[families.family(arch) for arch in keys["arch"]],
            network=[families.kind(arch) for arch in keys["arch"]],
        )
    )
    features = np.log(np.column_stack([keys[COUNTS].to_numpy(float), keys["img_size"].to_numpy(float)]))
    return rows, tables, keys, (features - features.mean(axis=0)) / features.std(axis=0)


@functools.lru_cache(maxsize=16)
def references(without: str | tuple[str, ...] = "") -> References:
    """All tables at hand but those of the hardware `without` (a slug, or several). Raises TablesMissing where timm's
    can't be had.
    """
    rows, tables, keys, features = _networks()
    known = sources(tables)
    gone = [without] if isinstance(without, str) else without
    tables = tables[~tables["hardware"].isin(gone)].reset_index(drop=True)
    wide = rows[rows["file"].isin(tables["file"])].pivot(index=KEY, columns="file", values="samples_per_sec")
    speeds = np.log(wide.reindex(pd.MultiIndex.from_frame(keys[KEY]))[tables["file"]].to_numpy(float))
    used = set(tables["file"])
    read = [one for one in known if not one.setting or Path(one.path).name in used]
    return References(keys, fill(speeds, features), ~np.isnan(speeds), tables, features, tuple(read))


def _counted(keys: pd.DataFrame) -> pd.DataFrame:
    """`keys` with no gap in `COUNTS`: from the architecture's nearest other size (arithmetic and activations grow with
    the square of the size), else the family's median per parameter."""
    keys = keys.copy()
    for column in ("gmacs", "macts"):
        keys[column] = keys[column].clip(lower=1e-3)
        for row in keys.index[keys[column].isna()]:
            same = keys[(keys["arch"] == keys["arch"][row]) & keys[column].notna()]
            if len(same):
                near = (same["img_size"] - keys["img_size"][row]).abs().idxmin()
                keys.loc[row, column] = keys[column][near] * (keys["img_size"][row] / keys["img_size"][near]) ** 2
        kin = (keys[column] / keys["param_count"] / keys["img_size"] ** 2).groupby(keys["family"]).transform("median")
        guess = (
            kin.fillna((keys[column] / keys["param_count"] / keys["img_size"] ** 2).median())
            * keys["param_count"]
            * keys["img_size"] ** 2
        )
        keys[column] = keys[column].fillna(guess)
    return keys


def fill(speeds: np.ndarray, features: np.ndarray, rounds: int = ROUNDS) -> np.ndarray:
    """`speeds` (n, p) without gaps: each is what the network's other tables lead one to expect, the tables taken as
    jointly normal (EM without the variance term); a network in no table gets what its properties, to second order, lead
    to."""
    filled, gaps = speeds.copy(), np.isnan(speeds)
    design = np.column_stack([np.ones(len(features)), features, features**2])
    for column in range(speeds.shape[1]):
        seen = ~gaps[:, column]
        weights = np.linalg.lstsq(design[seen], speeds[seen, column], rcond=None)[0]
        filled[~seen, column] = design[~seen] @ weights
    patterns: dict[bytes, list[int]] = {}
    for row in np.flatnonzero(gaps.any(axis=1) & ~gaps.all(axis=1)):
        patterns.setdefault(gaps[row].tobytes(), []).append(int(row))
    for _ in range(rounds):
        mean = filled.mean(axis=0)
        covariance = np.cov((filled - mean).T).reshape(len(mean), -1) + RIDGE * np.eye(len(mean))
        for pattern, alike in patterns.items():
            gap, rows = np.frombuffer(pattern, bool), np.array(alike)
            weights = np.linalg.solve(covariance[np.ix_(~gap, ~gap)], covariance[np.ix_(~gap, gap)])
            filled[np.ix_(rows, gap)] = mean[gap] + (filled[np.ix_(rows, ~gap)] - mean[~gap]) @ weights
    return filled
