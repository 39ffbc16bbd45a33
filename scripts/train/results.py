"""The tables that training writes, and how to read them. Needs pandas only, so that charts and pages can import it.

report/data/zoo-<dataset>-<hardware>.csv: one row per model, weights and seed.

| column | what | |---|---| | model, arch, source | the registry's name; timm's name where it has one; timm, torchvision
or here | | weights | scratch, or the tag of the pretrained weights that training started from | | img_size, epochs,
batch, lr, recipe | how it was trained; recipe: what differs from the defaults of scripts/train/recipe.py | | seed | of
initialisation, validation split, order and augmentation; the test photos never change | | precision, compiled,
micro_batch | arithmetic (fp32, bf16, fp16); yes (torch.compile), graphs (CUDA graphs) or no; images at once where
memory ran out, else batch | | param_count | millions | | train_images, valid_images, test_images | how many | |
accuracy, precision_macro, recall_macro, f1_macro, roc_auc, log_loss, ece | on the test photos (ROC AUC: one class
against the rest); empty: n/a, see note | | …_low, …_high | 95% bootstrap interval of each | | seconds_per_epoch,
train_seconds, train_images_per_sec | training alone, without validation; the first and the last are medians over epochs
| | target_accuracy, seconds_to_target | training seconds until the validation accuracy first reached the target; empty:
it did not | | infer_images_per_sec | predicting the test photos, preprocessing included | | peak_memory_mb | 10⁶
bytes: of the device's allocator on a GPU, of the process on a CPU | | note | what is n/a and why, weights that could
not be had, memory that ran out, a resumed run | | date | UTC |

…-history.csv: model, weights, seed, epoch, train_loss, valid_loss, valid_accuracy, lr, seconds, elapsed_seconds,
images_per_sec. …-classes.csv: model, weights, seed, class, precision, recall, f1 (each with _low, _high), images (of
the class among the test photos). …-predictions.csv: one row per test image: file, label, then a column
`<model>:<weights>:<seed>:<class>` with the class's probability. `predictions` reads it as one row per model, seed and
image. …-mistakes.csv (digits only): file, label, predicted, confidence (the surest wrong answer), wrong, runs (how
many of how many runs are wrong), pixels (64 numbers from 0 to 16, row by row).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.common.errors import UserError
from scripts.common.hardware import slugify
from scripts.common.paths import DATA, atomic_csv
from scripts.common.provenance import read_sidecar, sidecar_path
from scripts.common.tables import read_table

KEY = ["model", "weights", "seed"]
SETTINGS = [
    "img_size",
    "epochs",
    "batch",
    "lr",
    "recipe",
    "precision",
]  # rows of one model that differ here are not seeds of one thing
TEXT = [
    "model",
    "arch",
    "source",
    "weights",
    "recipe",
    "precision",
    "compiled",
    "note",
    "date",
    "class",
    "file",
    "label",
]
WHOLE = [
    "seed",
    "epoch",
    "epochs",
    "batch",
    "img_size",
    "micro_batch",
    "train_images",
    "valid_images",
    "test_images",
    "images",
]
PARTS = ("", "-history", "-classes", "-predictions")
MISTAKES = "-mistakes"  # the wrong digits with their pixels; photos have none, they are the reader's own


def path(dataset: str, hardware: str, part: str = "", folder: Path = DATA) -> Path:
    """Where a table lies: part is '', '-history', '-classes' or '-predictions'; hardware a slug."""
    return folder / f"zoo-{dataset}-{hardware}{part}.csv"


def apart(dataset: str, checksum: str | None, hardware: str, folder: Path = DATA) -> str:
    """What to call `dataset` in the zoo's tables: see `own_name`."""
    return own_name(dataset, checksum, lambda name: path(name, hardware, folder=folder))


def own_name(dataset: str, checksum: str | None, place: Callable[[str], Path]) -> str:
    """What to call `dataset`: where the table at `place(dataset)` is of other pictures (a folder that has changed, or
    another of that name), with the checksum's first six digits, so that rows of different pictures are never ranked
    together and none is lost.
    """
    known = checksum_of(place(dataset))
    return dataset if None in (known, checksum) or known == checksum else f"{dataset}-{slugify(str(checksum))[:6]}"


def checksum_of(csv_path: Path) -> str | None:
    """The checksum of the pictures that a table speaks of, None where there is no such table or it doesn't say."""
    return read_sidecar(csv_path).get("checksum") if csv_path.exists() and sidecar_path(csv_path).exists() else None


def runs(folder: Path = DATA) -> list[Path]:
    """The main tables of all training runs in `folder`, by name."""
    return [file for file in sorted(folder.glob("zoo-*.csv")) if not file.stem.endswith((*PARTS[1:], MISTAKES))]


def part(csv_path: Path | str, name: str) -> Path:
    """The table beside the main one: part(path, '-history')."""
    csv_path = Path(csv_path)
    return csv_path.with_name(f"{csv_path.stem}{name}.csv")


def read(csv_path: Path | str) -> pd.DataFrame:
    """One of the tables, numbers as numbers, empty cells in them as NaN. Raises UserError where it is damaged."""
    csv_path = Path(csv_path)
    stem = csv_path.stem
    key = (
        ["file", "label"]
        if stem.endswith("-predictions")
        else [*KEY, "epoch"]
        if stem.endswith("-history")
        else [*KEY, "class"]
        if stem.endswith("-classes")
        else KEY
    )
    text = [
        name for name in TEXT if not (name == "precision" and stem.endswith("-classes"))
    ]  # there it is the metric, else the arithmetic
    size = (
        {"max_bytes": math.inf} if stem.endswith("-predictions") else {}
    )  # images × classes × runs: Food-101 passes 64 MB with five networks
    frame = read_table(
        csv_path,
        required=key,
        key=key,
        optional_numeric=[name for name in _header(csv_path) if name not in text],
        **size,
    )
    for name in WHOLE:
        if name in frame:
            frame[name] = frame[name].astype(int)
    return frame


def _header(csv_path: Path) -> list[str]:
    """The column names, as far as the first line has any; `read_table` then says what is wrong with the file."""
    try:
        with csv_path.open(encoding="utf-8", newline="") as file:
            return next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return []


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Over seeds: one row per model and weights, each number as mean and, in `<name>_sd`, the standard deviation;
    `seeds`: how many.
    """
    groups = frame.groupby(["model", "weights"], sort=False)
    numbers = [name for name in frame.columns if name not in [*TEXT, *KEY]]
    out = groups[numbers].mean().join(groups[numbers].std(ddof=1).add_suffix("_sd"))
    out["seeds"] = groups.size()
    first = groups[["arch", "source", "recipe", "precision"]].first()
    return first.join(out).reset_index()


def predictions(csv_path: Path | str) -> pd.DataFrame:
    """Long form of a -predictions table: model, weights, seed, file, label, predicted, right (bool), and p:<class>
    for each class.
    """
    wide = read(csv_path)
    columns = [name for name in wide.columns if name not in ("file", "label")]
    parts = {}
    for name in columns:
        model, weights, seed, label = name.split(":", 3)
        parts.setdefault((model, weights, int(seed)), {})[f"p:{label}"] = wide[name]
    frames = []
    for (model, weights, seed), columns in parts.items():
        frame = pd.DataFrame(columns).dropna()
        meta = wide.loc[frame.index, ["file", "label"]].assign(model=model, weights=weights, seed=seed)
        meta["predicted"] = frame.idxmax(axis=1).str[2:] if len(frame) else ""
        meta["right"] = meta["predicted"] == meta["label"]
        frames.append(
            pd.concat([meta[["model", "weights", "seed", "file", "label", "predicted", "right"]], frame], axis=1)
        )
    return pd.concat(frames, ignore_index=True)


def mistakes(csv_path: Path | str) -> pd.DataFrame:
    """A -mistakes table, `pixels` as lists of 64 whole numbers from 0 to 16. Raises UserError where they are
    anything else.
    """
    frame = read_table(csv_path, required=["label", "predicted"], numeric=["confidence", "wrong", "runs"], key=["file"])
    pixels = [text.split() for text in frame.get("pixels", pd.Series("", frame.index))]
    if any(
        len(values) != 64 or not all(value.isascii() and value.isdigit() and int(value) <= 16 for value in values)
        for values in pixels
    ):
        raise UserError(
            f"{Path(csv_path).name}: its pixels are not 64 numbers from 0 to 16; run python -m "
            "scripts.train.mistakes --data digits"
        )
    return frame.assign(pixels=[[int(value) for value in values] for values in pixels])


def confusion(long: pd.DataFrame) -> pd.DataFrame:
    """Counts of test images, rows the true class, columns the predicted one, from rows of `predictions` (one run or
    several summed).
    """
    classes = sorted(name[2:] for name in long.columns if name.startswith("p:"))
    return pd.crosstab(long["label"], long["predicted"]).reindex(index=classes, columns=classes, fill_value=0)


def roc(long: pd.DataFrame, label: str) -> pd.DataFrame:
    """ROC curve of one run for the class `label` against the rest: columns fpr, tpr, threshold; ties are one step."""
    scores, positive = long[f"p:{label}"].to_numpy(), (long["label"] == label).to_numpy()
    order = np.argsort(-scores, kind="stable")
    last = np.r_[np.flatnonzero(np.diff(scores[order])), len(scores) - 1]
    ups, downs = np.cumsum(positive[order])[last], np.cumsum(~positive[order])[last]
    if not ups[-1] or not downs[-1]:
        raise UserError(f"no ROC curve for {label!r}: the test photos hold {'only' if ups[-1] else 'no'} images of it")
    return pd.DataFrame(
        {
            "fpr": np.r_[0, downs / downs[-1]],
            "tpr": np.r_[0, ups / ups[-1]],
            "threshold": np.r_[np.inf, scores[order][last]],
        }
    )


def reliability(long: pd.DataFrame, bins: int = 15) -> pd.DataFrame:
    """Calibration of one run: per bin of confidence the mean confidence, accuracy and number of images; empty bins
    are left out.
    """
    confidence = long[[name for name in long.columns if name.startswith("p:")]].max(axis=1)
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    return (
        pd.DataFrame({"confidence": confidence, "accuracy": long["right"].astype(float), "images": 1})
        .groupby(which)
        .agg({"confidence": "mean", "accuracy": "mean", "images": "sum"})
        .reset_index(drop=True)
    )


# --- writing ----------------------------------------------------------------------------------------------------------


def significant(value):
    """A number as the tables keep it: six significant digits; anything else as it is."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def replace(csv_path: Path, rows: pd.DataFrame, displaced) -> None:
    """Write `rows` into the table: rows for which displaced(frame) is true go, the others stay. One rename; nothing
    is ever half there.
    """
    old = read(csv_path) if csv_path.exists() else None
    if old is not None:
        old = old[~displaced(old)]
    frame = rows if old is None or old.empty else pd.concat([old, rows], ignore_index=True)
    columns = [*rows.columns, *(name for name in frame.columns if name not in rows.columns)]
    atomic_csv(frame[columns], csv_path)


def record(csv_path: Path, row: dict, history: pd.DataFrame, classes: pd.DataFrame, test: pd.DataFrame) -> None:
    """Put one finished run into the four tables. The main one comes last: a run is there when its row is.

    test: file, label, then a column per class with its probability. A new row takes the place of its (model, weights,
    seed), and of the model's rows by other settings, which are no seeds of the same thing.
    """
    key = {name: row[name] for name in KEY}
    stale = set()
    if csv_path.exists():
        old = read(csv_path)
        same = (old["model"] == row["model"]) & (old["weights"] == row["weights"])
        other = (old[SETTINGS] != pd.Series({name: row[name] for name in SETTINGS})).any(axis=1)
        stale = set(old.loc[same & other, "seed"])
    seeds = stale | {row["seed"]}
    mine = lambda frame: (
        (frame["model"] == row["model"]) & (frame["weights"] == row["weights"]) & frame["seed"].isin(seeds)
    )
    replace(part(csv_path, "-history"), history.assign(**key)[[*KEY, *history.columns]], mine)
    replace(part(csv_path, "-classes"), classes.assign(**key)[[*KEY, *classes.columns]], mine)
    _predictions(part(csv_path, "-predictions"), row, seeds, test)
    replace(csv_path, pd.DataFrame([row]), mine)


def _predictions(file: Path, row: dict, seeds: set, test: pd.DataFrame) -> None:
    run = ":".join(str(row[name]) for name in KEY)
    test = test.set_axis(["file", "label", *(f"{run}:{label}" for label in test.columns[2:])], axis=1)
    if file.exists():
        gone = tuple(f"{row['model']}:{row['weights']}:{seed}:" for seed in seeds)
        old = read(file)
        old = old[[name for name in old.columns if not name.startswith(gone)]]
        test = old.merge(test, how="outer", on=["file", "label"])
        test = test[test[[name for name in test.columns if name not in ("file", "label")]].notna().any(axis=1)]
    atomic_csv(test, file)
