"""What else the best backbone's probe says of the photos: would more of them help, which classes are taken for which
others, and which labels look wrong.

Doubtful photos are shown to the reader alone: charts/choose-<dataset>-doubtful.jpg and .csv, in an ignored folder.
"""

from __future__ import annotations

import io
import math
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from scripts.choose import compare
from scripts.choose.race import Photos, Runner, drawing_order
from scripts.common.paths import CHARTS, atomic_csv, atomic_write
from scripts.train import probe

SHARES, REPEATS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1), 3
DOUBT = 0.95  # a photo is doubtful where the probe, which has not seen it, gives another class so much
SHOWN, COLUMNS, SIDE, GAP = 24, 6, 128, 4
WORTH = 0.5  # points that twice the photos must bring to be worth saying so


class Forecast(NamedTuple):
    """gain: points that twice as many photos would bring, by the power law through the curve; photos: learned from
    now."""

    gain: float
    photos: int


def learning_curve(best: Runner, photos: Photos, seed: int = 0, deadline: float = math.inf) -> pd.DataFrame:
    """photos (that a probe learned from), accuracy, low, high: on the test photos, or on a fifth held out, mean of
    draws.

    low and high: compare.LEVEL's interval of the mean over photos and draws. After `deadline` (time.monotonic) one draw
    each has to do.
    """
    rows = photos.train[: best.photos]
    test = photos.test if best.test_probabilities is not None else photos.test[:0]
    if not len(test):
        held = probe.folds(photos.labels[rows], photos.groups[rows], seed) < 2
        rows, test = rows[~held], rows[held]
    features = {
        part: best.extractor.matrix([photos.hashes[row] for row in some])
        for part, some in (("train", rows), ("test", test))
    }
    weight, found = photos.weights(test), []
    for share in SHARES:
        count = round(share * len(rows))
        if count < max(2 * len(photos.classes), 10):
            continue
        rights = []
        for repeat in range(1 if share == 1 else REPEATS):
            if repeat and time.monotonic() > deadline:
                break
            if share == 1 and len(rows) == len(photos.train):  # the probe on all of them is known
                rights.append(best.test_probabilities.argmax(1) == photos.labels[test])
                break
            some = drawing_order(photos.labels[rows], seed + repeat)[:count]
            labels = photos.labels[rows[some]]
            fold = probe.folds(labels, photos.groups[rows[some]], repeat)
            head = probe.judge(
                features["train"][some], labels, fold, len(photos.classes), photos.weights(rows[some])
            ).head
            rights.append(head.probabilities(features["test"]).argmax(1) == photos.labels[test])
        mean = np.mean(rights, 0)
        interval = compare.accuracy(mean, weight, photos.groups[test])
        found.append({"photos": count, "accuracy": interval.value, "low": interval.low, "high": interval.high})
    return pd.DataFrame(found, columns=["photos", "accuracy", "low", "high"]).round(6)


def forecast(curve: pd.DataFrame) -> Forecast | None:
    """What twice the photos would bring; None where the curve has too few points or no errors are left to lose."""
    wrong = 1 - curve["accuracy"].to_numpy()
    if len(curve) < 3 or (wrong <= 0).any():
        return None
    slope, level = np.polyfit(np.log(curve["photos"]), np.log(wrong), 1)
    now = int(curve["photos"].iloc[-1])
    at = lambda count: math.exp(level + min(slope, 0.0) * math.log(count))
    return Forecast(100 * wrong[-1] * (1 - at(2 * now) / at(now)), now)


def judged(best: Runner, photos: Photos) -> tuple[np.ndarray, np.ndarray]:
    """(rows, probabilities) of all photos, each by a probe that has not seen it."""
    rows = photos.train[: best.photos]
    if best.test_probabilities is None:
        return rows, best.judged.probabilities
    return np.concatenate([rows, photos.test]), np.concatenate([best.judged.probabilities, best.test_probabilities])


def confusion(best: Runner, photos: Photos) -> pd.DataFrame:
    """label, predicted, photos (of the label taken for it), of (photos of the label), share; the most frequent
    first."""
    rows, probabilities = judged(best, photos)
    labels, predicted = photos.labels[rows], probabilities.argmax(1)
    counts = np.zeros((len(photos.classes),) * 2, int)
    np.add.at(counts, (labels, predicted), 1)
    found = [
        {"label": photos.classes[one], "predicted": photos.classes[other], "photos": counts[one, other],
         "of": counts[one].sum(), "share": round(counts[one, other] / counts[one].sum(), 6)}
        for one, other in zip(*np.nonzero(counts)) if one != other
    ]  # fmt: skip
    frame = pd.DataFrame(found, columns=["label", "predicted", "photos", "of", "share"])
    return frame.sort_values(["photos", "share"], ascending=False, kind="stable").reset_index(drop=True)


def doubtful(best: Runner, photos: Photos, files: list[str]) -> pd.DataFrame:
    """file, label, predicted, probability (of the prediction), row: photos whose label looks wrong, the surest
    first."""
    rows, probabilities = judged(best, photos)
    labels, predicted, sure = photos.labels[rows], probabilities.argmax(1), probabilities.max(1)
    found = np.flatnonzero((predicted != labels) & (sure >= DOUBT))
    found = found[np.argsort(-sure[found], kind="stable")]
    return pd.DataFrame(
        {
            "file": [files[rows[at]] for at in found],
            "label": [photos.classes[labels[at]] for at in found],
            "predicted": [photos.classes[predicted[at]] for at in found],
            "probability": sure[found].round(4),
            "row": rows[found],
        }
    )


def show(table: pd.DataFrame, photos: Photos, dataset: str, folder: Path | None = None) -> Path | None:
    """Write the doubtful photos as one picture and a CSV beside it. Returns the picture's path, None where none is."""
    from PIL import Image

    picture = (folder or CHARTS) / f"choose-{dataset}-doubtful.jpg"
    if table.empty:
        picture.unlink(missing_ok=True)
        picture.with_suffix(".csv").unlink(missing_ok=True)
        return None
    step, shown = SIDE + GAP, table.head(SHOWN)
    canvas = Image.new("RGB", (COLUMNS * step - GAP, -(-len(shown) // COLUMNS) * step - GAP), "white")
    for at, row in enumerate(shown["row"]):
        square = Image.fromarray(np.ascontiguousarray(photos.pixels[row].transpose(1, 2, 0)))
        canvas.paste(square.resize((SIDE, SIDE)), (at % COLUMNS * step, at // COLUMNS * step))
    buffer = io.BytesIO()
    canvas.save(buffer, "JPEG", quality=88)
    atomic_csv(table.drop(columns="row"), picture.with_suffix(".csv"))
    return atomic_write(picture, buffer.getvalue())
