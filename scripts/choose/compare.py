"""How sure an accuracy is, and whether one backbone is really better than another on the same photos.

All intervals are at LEVEL. Photos of one group (near-copies) count as one, and where classes are unequal each class
counts the same: both by weights and the number of photos that carry as much information (Kish 1965, effective sample
size).

An accuracy: Wilson's score interval (1927; Brown, Cai and DasGupta 2001). A difference: the interval of Agresti and
Min (2005) for paired proportions, which adds half a photo to each cell of the table who-was-right, so that few
disagreements are not taken for none.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple

import numpy as np

LEVEL = 0.90


class Interval(NamedTuple):
    """value with its lower and upper end."""

    value: float
    low: float
    high: float


def z(level: float = LEVEL) -> float:
    return NormalDist().inv_cdf(0.5 + level / 2)


def weights(labels: np.ndarray, balanced: bool) -> np.ndarray:
    """(n,), summing to 1: each photo the same, or each class the same."""
    counts = np.bincount(labels)
    share = 1 / counts[labels] if balanced else np.ones(len(labels))
    return share / share.sum()


def effective(weight: np.ndarray, groups: np.ndarray) -> float:
    """Photos that would tell as much if each counted the same and none were alike."""
    per_group = np.bincount(np.unique(groups, return_inverse=True)[1], weight)
    return float(weight.sum() ** 2 / (per_group**2).sum())


def accuracy(right: np.ndarray, weight: np.ndarray, groups: np.ndarray, level: float = LEVEL) -> Interval:
    """Share of right answers, of photos with these weights, and Wilson's interval."""
    n, quantile = effective(weight, groups), z(level)
    share = float((right * weight).sum() / weight.sum())
    middle = (share + quantile**2 / (2 * n)) / (1 + quantile**2 / n)
    half = quantile / (1 + quantile**2 / n) * np.sqrt(share * (1 - share) / n + quantile**2 / (4 * n**2))
    return Interval(share, float(max(0.0, middle - half)), float(min(1.0, middle + half)))


def difference(
    right: np.ndarray, other: np.ndarray, weight: np.ndarray, groups: np.ndarray, level: float = LEVEL
) -> Interval:
    """How much more often `right` is right than `other`, on the same photos, and the interval for paired
    proportions."""
    n = effective(weight, groups)
    share = weight / weight.sum()
    gained = n * float((share * (right & ~other)).sum()) + 0.5
    lost = n * float((share * (~right & other)).sum()) + 0.5
    value = (gained - lost) / (n + 2)
    half = z(level) * np.sqrt(max(0.0, gained + lost - (gained - lost) ** 2 / (n + 2))) / (n + 2)
    return Interval(float((share * (right.astype(float) - other)).sum()), float(value - half), float(value + half))


def ties(
    rights: dict[str, np.ndarray], best: str, weight: np.ndarray, groups: np.ndarray, level: float = LEVEL
) -> dict[str, Interval]:
    """name -> how much `best` is ahead of it, for every other; those whose interval holds 0 are tied with it."""
    return {
        name: difference(rights[best], right, weight, groups, level) for name, right in rights.items() if name != best
    }
