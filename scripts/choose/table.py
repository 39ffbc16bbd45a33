"""A finished race as a table: each backbone's accuracy with its interval, and whether the best is really ahead of
it."""

from __future__ import annotations

import math

import pandas as pd

from scripts.choose import compare
from scripts.choose.race import Photos, Runner
from scripts.common.errors import UserError
from scripts.data import download, read_data
from scripts.train.features import BATCH


def table(runners: list[Runner], best: Runner, photos: Photos) -> pd.DataFrame:
    """A row per runner, columns as scripts.common.schema.choose says; the best first, then by accuracy, floors last."""
    frame = pd.DataFrame([row(runner, best, photos) for runner in runners])
    frame.insert(frame.columns.get_loc("verdict"), "imagenet_top1", imagenet(frame))
    place = frame["verdict"].map({"best": 0, "ahead": 1, "tied": 1, "behind": 1, "floor": 2, "untried": 3, "failed": 4})
    order = frame.assign(place=place, fewer=-frame["photos"], wrong=-frame["cv_accuracy"])
    return frame.loc[order.sort_values(["place", "fewer", "wrong"], kind="stable").index].reset_index(drop=True)


def imagenet(frame: pd.DataFrame) -> list[float]:
    """Each row's top-1 on ImageNet in percent, as timm publishes it for these weights at this size; NaN where it does
    not, or where its table is not at hand.
    """
    try:
        known = read_data.results(list(download.VINTAGES)[-1])
    except UserError:
        return [math.nan] * len(frame)
    top1 = dict(zip(zip(known["model"], known["img_size"].astype(int)), known["top1"]))
    names = [
        name if "." in name else f"{name}.{tag}" for name, tag in zip(frame["backbone"], frame["weights"], strict=True)
    ]
    return [float(top1.get(key, math.nan)) for key in zip(names, frame["img_size"].astype(int))]


def row(runner: Runner, best: Runner, photos: Photos) -> dict:
    """What is known of one backbone. behind: of the best, on the training photos that both were judged on."""
    backbone, extractor = runner.extractor.backbone, runner.extractor
    nothing = compare.Interval(math.nan, math.nan, math.nan)
    cv, behind, test = nothing, nothing, nothing
    if runner.photos:
        shared = runner.photos if runner.photos in best.right else 0
        rows = photos.train[: runner.photos]
        cv = compare.accuracy(runner.right[runner.photos], photos.weights(rows), photos.groups[rows])
        if runner is not best and shared:
            mine, theirs = runner.right[shared], best.right[shared]
            behind = compare.difference(theirs, mine, photos.weights(rows), photos.groups[rows])
    if runner.test_probabilities is not None:
        right = runner.test_probabilities.argmax(1) == photos.labels[photos.test]
        test = compare.accuracy(right, photos.weights(photos.test), photos.groups[photos.test])
    return {
        "backbone": backbone.name,
        "weights": backbone.weights,
        "img_size": backbone.size,
        "pretrain": backbone.pretrain,
        "verdict": verdict(runner, best, behind),
        "photos": runner.photos,
        "cv_accuracy": cv.value,
        "cv_low": cv.low,
        "cv_high": cv.high,
        "neighbours": runner.neighbours,
        "test_accuracy": test.value,
        "test_low": test.low,
        "test_high": test.high,
        "behind": behind.value,
        "behind_low": behind.low,
        "behind_high": behind.high,
        "images_per_sec": float(f"{extractor.speed:.4g}"),
        "runtime": extractor.runtime,
        "precision": extractor.precision,
        "threads": extractor.threads,
        "batch": BATCH,
        "seconds": round(extractor.seconds, 2),
        "features": len(next(iter(extractor.known.values()))) if extractor.known else math.nan,
        "note": runner.note,
    }


def verdict(runner: Runner, best: Runner, behind: compare.Interval) -> str:
    if runner is best:
        return "best"
    if not runner.photos:
        return "failed" if runner.state == "failed" else "untried"
    if runner.floor:
        return "floor"
    return "behind" if behind.low > 0 else "ahead" if behind.high < 0 else "tied"


def cheaper(frame: pd.DataFrame) -> pd.Series | None:
    """Of those tied with the best on all photos the fastest, where it is faster than the best."""
    best = frame.iloc[0]
    tied = frame[(frame["verdict"] == "tied") & (frame["photos"] == best["photos"])]
    tied = tied[tied["images_per_sec"] > best["images_per_sec"]]
    return None if tied.empty else tied.loc[tied["images_per_sec"].idxmax()]


def rounded(frame: pd.DataFrame) -> pd.DataFrame:
    """As the CSV keeps it: shares to six digits."""
    shares = [name for name in frame.columns if name.startswith(("cv_", "test_", "behind", "neighbours"))]
    return frame.round(dict.fromkeys(shares, 6))
