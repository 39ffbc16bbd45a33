"""Metrics of a classifier from its test predictions, each with a bootstrap interval.

Point values are scikit-learn's; the expected calibration error is Guo et al.'s (arXiv:1706.04599, 15 bins). Intervals:
95%, percentiles over 1,000 resamples of the test images with replacement (Efron 1979). They say how much a value could
differ on other test photos, not how much another training run would: that is what `--seeds` is for. A value that the
data leave undefined is NaN, with the reason.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd

RESAMPLES = 1000
BINS = 15  # of confidence, for the calibration error
FLOOR = 1e-7  # smallest probability in a log loss
NAMES = ("accuracy", "precision_macro", "recall_macro", "f1_macro", "roc_auc", "log_loss", "ece")


class Metrics(NamedTuple):
    """values: {name: (value, low, high)}; per_class: class, precision, recall, f1 (each with _low, _high), images;
    reasons: what is n/a, why.
    """

    values: dict[str, tuple[float, float, float]]
    per_class: pd.DataFrame
    reasons: list[str]


def evaluate(
    probabilities: np.ndarray, labels: np.ndarray, classes: list[str], resamples: int = RESAMPLES, seed: int = 0
) -> Metrics:
    """All metrics. probabilities: (n, classes), rows sum to 1; labels: int (n,)."""
    probabilities = np.asarray(probabilities, float)
    count = len(classes)
    chosen = probabilities.argmax(1)
    point, shares, reasons = _points(probabilities, labels, chosen, classes)
    spread, class_spread = _bootstrap(probabilities, labels, chosen, count, resamples, seed)
    values = {}
    for name in NAMES:
        drawn = spread[name][np.isfinite(spread[name])]
        low, high = np.percentile(drawn, [2.5, 97.5]) if np.isfinite(point[name]) and len(drawn) else (np.nan, np.nan)
        values[name] = (point[name], low, high)
    table = {"class": classes}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a class without images has no spread either
        for i, name in enumerate(("precision", "recall", "f1")):
            low, high = np.nanpercentile(class_spread[:, i], [2.5, 97.5], axis=0)
            defined = np.isfinite(shares[i])
            table |= {
                name: shares[i],
                f"{name}_low": np.where(defined, low, np.nan),
                f"{name}_high": np.where(defined, high, np.nan),
            }
    table["images"] = np.bincount(labels, minlength=count)
    return Metrics(values, pd.DataFrame(table), reasons)


def _points(probabilities: np.ndarray, labels: np.ndarray, chosen: np.ndarray, classes: list[str]):
    """({name: value}, (precision, recall, f1) per class, reasons for NaN), by scikit-learn."""
    from sklearn import metrics

    every = np.arange(len(classes))
    shares = np.array(metrics.precision_recall_fscore_support(labels, chosen, labels=every, zero_division=np.nan)[:3])
    never_chosen = [classes[i] for i in every if not (chosen == i).any()]
    never_there = [classes[i] for i in every if not (labels == i).any()]
    reasons = []
    if never_chosen:
        reasons.append(f"precision n/a: never predicted {_some(never_chosen)}")
    if never_there:
        reasons.append(f"recall, F1 and ROC AUC n/a: no test image of {_some(never_there)}")
        auc = np.nan
    else:
        auc = np.mean(
            [
                metrics.roc_auc_score(labels == i, probabilities[:, i])
                for i in (every[1:] if len(classes) == 2 else every)
            ]
        )
    shares[2, [classes.index(name) for name in never_there]] = np.nan
    floored = np.clip(probabilities, FLOOR, 1)
    point = {
        "accuracy": metrics.accuracy_score(labels, chosen),
        "precision_macro": shares[0].mean(),
        "recall_macro": shares[1].mean(),
        "f1_macro": shares[2].mean(),
        "roc_auc": auc,
        "log_loss": metrics.log_loss(labels, floored / floored.sum(1, keepdims=True), labels=every),
        "ece": calibration_error(probabilities, labels),
    }
    return {name: float(value) for name, value in point.items()}, shares, reasons


def _some(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """Mean distance between confidence and accuracy over equal-width bins of confidence, weighted by how many
    images fall in each.
    """
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    return float(np.abs(np.bincount(which, right - confidence, bins)).sum() / len(labels))


def _bootstrap(
    probabilities: np.ndarray, labels: np.ndarray, chosen: np.ndarray, count: int, resamples: int, seed: int
):
    """({name: (resamples,)}, (resamples, 3, classes)): the metrics on images drawn with replacement, as weights on
    the same images.
    """
    n = len(labels)
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), resamples).astype(float)
    hit = chosen == labels
    counts = lambda which, weights: np.stack(
        [np.bincount(which, row, count) for row in weights]
    )  # no confusion matrices: 8 GB of 1,000 classes
    right, actual, predicted = counts(labels[hit], weights[:, hit]), counts(labels, weights), counts(chosen, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.stack(
            [right / predicted, right / actual, np.where(actual > 0, 2 * right / (actual + predicted), np.nan)], 1
        )
    probability = np.clip(probabilities, FLOOR, 1)
    losses = -np.log((probability / probability.sum(1, keepdims=True))[np.arange(n), labels])
    confidence = probabilities.max(1)
    which = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gap = hit - confidence
    bins = np.zeros((n, BINS))
    bins[np.arange(n), which] = gap
    spread = {
        "accuracy": right.sum(1) / n,
        "precision_macro": shares[:, 0].mean(1),
        "recall_macro": shares[:, 1].mean(1),
        "f1_macro": shares[:, 2].mean(1),
        "log_loss": weights @ losses / n,
        "ece": np.abs(weights @ bins).sum(1) / n,
        "roc_auc": np.mean(
            [_weighted_auc(probabilities[:, i], labels == i, weights) for i in ([1] if count == 2 else range(count))], 0
        ),
    }
    return spread, shares


def _weighted_auc(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve for each row of weights: P(a positive scores higher than a negative), ties count
    half.
    """
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) > 0])
    ups = np.add.reduceat(weights[:, order] * positive[order], starts, axis=1)
    downs = np.add.reduceat(weights[:, order] * ~positive[order], starts, axis=1)
    below = np.cumsum(downs, 1) - downs / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return (ups * below).sum(1) / (ups.sum(1) * downs.sum(1))
