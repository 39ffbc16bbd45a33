"""Measure twenty, know them all: every network's speed on a machine of which a few were measured, with intervals.

    # one model; HERE is this machine, or a machine's slug
    python -m scripts.predict --hardware HERE --model convnext_base
    python -m scripts.predict --hardware HERE                           # the frontier, and what to measure next
    python -m scripts.predict --design 20                               # which models to measure, most telling first
    # measured by design against predicted, on this machine
    python -m scripts.predict --check

Measured speeds come from report/data/benchmark-*.csv, what is known of other machines from timm's tables, which are
needed here; how wide the intervals must be from report/data/predict-calibration.csv. A network that no table has, or
whose interval is far wider than usual, is marked as unlike and not predicted. Precisions that no table of the same kind
of processor has are refused, and so are measurements at much smaller batches than the tables' on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.common import families
from scripts.common.errors import UserError
from scripts.common.paths import DATA
from scripts.common.tables import read_table
from scripts.common.words import counted
from scripts.data import measured, read_data
from scripts.predict import kinds, model as predict_model, tables as predict_tables
from scripts.predict.tables import KEY, References

PARTS = ("infer", "train", "latency")  # latency: images per second at batch 1, where the tables are of that: on CPUs
# an interval is no prediction beyond this (high over low), or so many times as wide as usual in log units
WIDEST, WIDER = 16.0, 3.0
SMALLER_BATCH = 16  # times smaller than the tables' batch: another quantity
DRAWS = 400  # of the speeds, for probabilities
SPEED = ["samples_per_sec", "low", "high"]
NORMAL = 1.645  # standard deviations of a normal's 90% interval


@dataclass(frozen=True)
class Prediction:
    """networks: `KEY`, family, kind, `COUNTS`, samples_per_sec, low, high (90%), status: measured, predicted or unlike
    (then NaN); notes: what a reader should know, a line each; used: measurements that counted; multiplier: (n,) of the
    model's spread; case: how far the machine is from those that were timed (see `kinds`)."""

    settings: dict
    hardware_name: str
    networks: pd.DataFrame
    notes: tuple[str, ...]
    used: int
    outliers: tuple[str, ...]
    multiplier: np.ndarray
    posterior: predict_model.Posterior
    known: References
    case: str = "new"


def multiplier(count: int, case: str = "new") -> float:
    """How many spreads make a 90% interval after `count` measurements. Raises UserError without calibration."""
    numbers = ["measured", "level", "multiplier"]
    table = read_table(DATA / "predict-calibration.csv", required=["case"], numeric=numbers, key=["case", "measured"])
    table = table[table["case"] == case].sort_values("measured", kind="stable")
    # it was counted at 5, 10, 20 and 40 measurements: between them a straight line in their logarithm
    return float(np.interp(np.log(count), np.log(table["measured"]), table["multiplier"]))


def family_factors() -> pd.Series:
    """How much wider than others' a family's intervals must be, by family."""
    table = read_table(DATA / "predict-families.csv", required=["family"], numeric=["factor"], key=["family"])
    return table.set_index("family")["factor"]


def path(table: str, slug: str) -> Path:
    """Where a table of what was predicted for a machine is kept."""
    return DATA / f"predict-{table}-{slug}.csv"


def machine_rows(hardware: str = "", part: str = "infer") -> pd.DataFrame:
    """The rows of a machine's fullest file (default: this one), one per network. Raises UserError for none."""
    rows = measured.load("infer" if part == "latency" else part)
    slug = hardware or (measured.machine() if len(rows) else "")
    own = rows[rows["hardware"] == slug]
    if own.empty:
        raise UserError(
            f"{slug or 'this machine'}: nothing measured ({part}) in report/data; measure the models of `python -m "
            "scripts.predict --design 20` "
            f"with `python -m scripts.bench.sweep{' --part train' if part == 'train' else ''} --models …`"
        )
    file = own.groupby("file")["arch"].nunique().sort_values(kind="stable").index[-1]
    return own[own["file"] == file].drop_duplicates(KEY).reset_index(drop=True)


def here() -> Prediction:
    """This machine's. Raises as `machine_rows` and `predict` do."""
    return predict(machine_rows())


def predict(rows: pd.DataFrame, part: str = "infer", without: str | None = None) -> Prediction:
    """Predict all networks of the tables from `rows` of one machine and setting, as of `machine_rows`.

    without: hardware whose tables are left out (default: the machine's own). Raises TablesMissing, and UserError for
    fewer than five usable measurements, several settings in one, or a precision or quantity that no table of that kind
    of processor has.
    """
    if part not in PARTS:
        raise UserError(f"part {str(part)[:40]!r}: choose one of {', '.join(PARTS)}")
    if rows.empty:
        raise UserError(
            f"nothing measured: at least {predict_model.LEAST} measurements are needed; see `python -m "
            "scripts.predict --design 20`"
        )
    if rows["file"].nunique() != 1 or rows.duplicated(KEY).any():
        raise UserError(
            "measurements of several settings, or a network twice: give the rows of one file, a row per architecture "
            "and size"
        )
    head = rows.iloc[0]
    settings = predict_tables.settings_of(head["file"], str(head.get("kind_of_hardware", "")))
    known = predict_tables.references(without=settings["hardware"] if without is None else without)
    _learned(settings, part, known)
    notes, speeds = [], measured_speeds(rows, part)
    at = known.find(rows)
    good = (at >= 0) & (speeds > 0) & np.isfinite(speeds)
    small = good & _small_batch(rows, settings) if part != "latency" else np.zeros(len(rows), bool)
    if small.any():
        notes.append(
            f"left out, measured at batches over {SMALLER_BATCH} times smaller than the tables': "
            f"{_listed(rows['arch'][small])}"
        )
    if (at < 0).any():
        notes.append(f"in no table, so no help in predicting others: {_listed(rows['arch'][at < 0])}")
    use = good & ~small & known.known[np.maximum(at, 0)].any(axis=1)
    noise = _noise(rows[use]) if part != "latency" else None
    made = predict_model.posterior(predict_model.Prior(known, settings), at[use], np.log(speeds[use]), noise)
    outliers = tuple(
        f"{known.keys['arch'][i]} ({factor:.2g} times what the others say)" for i, factor in made.outliers.items()
    )
    if outliers:
        notes.append(f"left out as contradicted by all others: {'; '.join(outliers)}. Measure again")
    case = kinds.case(settings["hardware"], predict_tables.published()[1]["hardware"])
    times = multiplier(len(made.used), case)
    networks = known.keys.rename(columns={"network": "kind"}).copy()
    factor = networks["family"].map(family_factors()).fillna(1.0).to_numpy()
    half = times * factor * made.spread
    for name, log in zip(SPEED, (made.log, made.log - half, made.log + half)):
        networks[name] = np.exp(log)
    unlike = ~known.known.any(axis=1) | (2 * half > np.log(WIDEST)) | (half > WIDER * np.median(half))
    networks["status"] = np.where(unlike, "unlike", "predicted")
    networks.loc[unlike, SPEED] = np.nan
    seen = good & ~small
    networks.loc[at[seen], "status"] = "measured"
    networks.loc[at[seen], "samples_per_sec"] = speeds[seen]
    for name in ("low", "high"):
        ends = pd.Series(speeds, rows.index)
        if (column := f"samples_per_sec_{name}") in rows and part != "latency":
            ends = pd.to_numeric(rows[column], errors="coerce").fillna(ends)
        networks.loc[at[seen], name] = ends[seen].to_numpy()
    if few := int(unlike.sum()):
        was = "was" if few == 1 else "were"
        notes.append(f"{counted(few, 'network')} unlike anything measured {was} not predicted")
    return Prediction(
        {**settings, "part": part},
        str(head.get("hardware_name", settings["hardware"])),
        networks,
        tuple(notes),
        len(made.used),
        outliers,
        times * factor,
        made,
        known,
        case,
    )


def measured_speeds(rows: pd.DataFrame, part: str) -> np.ndarray:
    """(n,) images per second of measured rows; for latency those of single pictures, NaN where not timed."""
    speeds = rows["samples_per_sec"].to_numpy(float)
    if part != "latency":
        return speeds
    single = pd.to_numeric(rows.get("batch1_p50_ms", pd.Series(np.nan, rows.index)), errors="coerce").to_numpy(float)
    speeds = np.where(rows["batch_size"].eq(1).fillna(False), speeds, np.nan)
    return np.where(single > 0, 1000 / np.where(single > 0, single, 1), speeds)


def _learned(settings: dict, part: str, known: References) -> None:
    """Raises UserError for a precision or quantity that no table of the machine's kind of processor has."""
    same = known.tables[known.tables["kind"] == settings["kind"]]
    kind = {"gpu": "GPU", "cpu": "CPU"}.get(settings["kind"], "such processor")
    if same.empty:
        raise UserError(
            f"{settings['hardware']}: no table of a {kind} at hand to learn from; the measured speeds stand, nothing "
            "is predicted"
        )
    if settings["precision"] not in set(same["precision"]):
        raise UserError(
            f"measured in {settings['precision']}, and no table of a {kind} is: their speeds differ by network; "
            f"measure with --precision {' or '.join(sorted(set(same['precision'])))}"
        )
    if part == "latency" and settings["kind"] != "cpu":
        raise UserError(
            "latency at batch 1: no table of a GPU has it; measure with `python -m scripts.bench.sweep --batch 1`"
        )


def _small_batch(rows: pd.DataFrame, settings: dict) -> np.ndarray:
    """Whether a row's batch is so much smaller than the tables' that its speed is something else."""
    table, tables = predict_tables.published()
    files = tables.loc[(tables["kind"] == settings["kind"]) & (tables["part"] == settings["part"]), "file"]
    usual = table[table["file"].isin(files)].groupby(KEY)["batch_size"].median()
    batch = pd.to_numeric(rows["batch_size"], errors="coerce").astype(float)
    return (batch * SMALLER_BATCH < usual.reindex(pd.MultiIndex.from_frame(rows[KEY])).to_numpy(float)).to_numpy(bool)


def _noise(rows: pd.DataFrame) -> np.ndarray:
    """Variance of each measurement in log units, from its 95% interval; 0 where there is none."""
    if not {"samples_per_sec_low", "samples_per_sec_high"} <= set(rows):
        return np.zeros(len(rows))
    low, high = (pd.to_numeric(rows[f"samples_per_sec_{end}"], errors="coerce") for end in ("low", "high"))
    wide = np.log((high / low).where((low > 0) & (high >= low), 1.0)) / 3.92  # 2 × 1.96
    return wide.fillna(0).to_numpy(float) ** 2


def _listed(some, most: int = 5) -> str:
    some = [str(name)[:60] for name in some]
    return ", ".join(some[:most]) + (f" and {len(some) - most} more" if len(some) > most else "")


def weights(prediction) -> pd.DataFrame:
    """Every set of weights with published accuracy whose speed is measured or predicted (a `Prediction`, or what
    `stored` kept of one): the tidy columns of `read_data.TIDY`, low, high, status, hardware_name, kind_of_hardware;
    fastest first. batch_size is not known for a prediction."""
    results = read_data.results(read_data.NOW)
    columns = ["arch", "img_size", "family", "kind", "gmacs", "macts", "samples_per_sec", "low", "high", "status"]
    known = families.contenders(prediction.networks[prediction.networks["samples_per_sec"].notna()])[columns]
    frame = results.merge(known, on=KEY, how="inner", validate="m:1")
    settings = prediction.settings
    single = 1 if settings["part"] == "latency" else pd.NA
    frame = frame.assign(
        pretrain=frame["model"].map(read_data.pretraining),
        secs=1 / frame["samples_per_sec"],
        vintage="predicted",
        batch_size=single,
        hardware_name=prediction.hardware_name,
        kind_of_hardware=settings["kind"],
        **{name: settings[name] for name in ("part", "hardware", "precision", "layout", "compiled", "torch", "file")},
        date="",
    )
    extra = ["low", "high", "status", "hardware_name", "kind_of_hardware"]
    frame = frame.astype({"batch_size": "Int64"})[[*read_data.TIDY, *extra]]
    return frame.sort_values("samples_per_sec", ascending=False, kind="stable", ignore_index=True)


def draws(prediction: Prediction, rows: pd.DataFrame, count: int = DRAWS, seed: int = 0) -> np.ndarray:
    """(count, len(rows)) log speeds of `rows` as they might be: measured ones within their interval, others jointly."""
    at = prediction.known.find(rows)
    where, back = np.unique(at, return_inverse=True)
    wider = prediction.multiplier[where] / NORMAL
    covariance = prediction.posterior.joint(where) * np.outer(wider, wider)
    values, vectors = np.linalg.eigh(covariance)  # by rounding the least may be under zero
    normal = np.random.default_rng(seed).standard_normal((count, len(where)))
    moved = ((normal * np.sqrt(np.maximum(values, 0))) @ vectors.T)[:, back]
    timing = normal[:, back] * np.log((rows["high"] / rows["low"]).to_numpy(float)) / 3.92
    away = np.where(rows["status"].eq("measured").to_numpy(), timing, moved)
    return np.log(rows["samples_per_sec"].to_numpy(float)) + away
