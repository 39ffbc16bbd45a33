"""How far apart two figures must be before the difference means anything.

top-1: every model is tested on the same 50,000 pictures, so the error of a difference depends on how often two models
are wrong on the same ones, which no published table says. It lies between two bounds. *Apart*: they err independently,
and the variances add up; the true error is larger only if two models avoid each other's mistakes, which is not seen
among ImageNet models and is assumed not to happen. *Together*: the better one errs only where the other one errs too;
nothing can be smaller. The rule everywhere: two models are told apart by twice the standard error of *apart*; where
*together* would say something else, that is said.

Speed: timm's repeats of one model on one card lie within 0.984 to 1.026 of each other (5th to 95th percentile).

Figures over many networks: networks of one family are alike, so families are what is resampled, not networks.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

IMAGES = 50_000  # ImageNet-1k's validation set
TIMING_SPREAD = 1.026  # see Speed, above
SIGMAS = 2.0  # about 95%
DRAWS = 400  # of the bootstrap over families; its quantiles move by less than 0.01 between seeds
LEVEL = (0.025, 0.975)  # the ends of a 95% interval


def top1_se(percent, images: int = IMAGES):
    """Standard error, in points, of an accuracy in percent. Array in, array out."""
    share = np.asarray(percent, float) / 100
    return 100 * np.sqrt(share * (1 - share) / images)


def top1_uncertainty(a, b, images: int = IMAGES):
    """Points by which accuracies `a` and `b` (percent) must differ to be told apart: the bound *apart*."""
    return SIGMAS * np.hypot(top1_se(a, images), top1_se(b, images))


def top1_least_uncertainty(a, b, images: int = IMAGES):
    """The same where the better one errs only on pictures on which the other one errs too: the bound *together*."""
    return SIGMAS * top1_se(np.abs(np.asarray(a, float) - np.asarray(b, float)), images)


def spearman(a, b) -> float:
    """Spearman's rank correlation over the rows where both are known. (pandas' own imports all of scipy.stats.)"""
    both = pd.DataFrame({"a": np.asarray(a, float), "b": np.asarray(b, float)}).dropna()
    return float(both["a"].rank().corr(both["b"].rank()))


def family_draws(families, seed: int = 0) -> Iterator[np.ndarray]:
    """Positions of the rows of whole families (each row's), drawn with replacement, DRAWS times."""
    families = np.asarray(families, str)
    groups = [np.flatnonzero(families == name) for name in np.unique(families)]
    random = np.random.default_rng(seed)
    for _ in range(DRAWS):
        yield np.concatenate([groups[i] for i in random.integers(0, len(groups), len(groups))])


def family_totals(families, columns: np.ndarray, draws: int = DRAWS) -> np.ndarray:
    """(draws, m) sums of `columns` (n, m) over rows, whole families (each row's) drawn with replacement."""
    names, codes = np.unique(np.asarray(families, str), return_inverse=True)
    totals = np.zeros((len(names), columns.shape[1]))
    np.add.at(totals, codes, np.asarray(columns, float))
    # how often each family is drawn is all that sums need: no rows are copied
    drawn = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), draws)
    return drawn @ totals


def spearman_draws(families, a, b) -> np.ndarray:
    """(DRAWS,) the rank correlation of `a` and `b` (no gaps), families resampled, every row keeping its rank. The same
    families are drawn for every pair over the same rows, so that correlations can be averaged draw by draw.
    """
    a, b = (pd.Series(np.asarray(column, float)).rank().to_numpy() for column in (a, b))
    n, x, y, xx, yy, xy = family_totals(families, np.column_stack([np.ones(len(a)), a, b, a * a, b * b, a * b])).T
    with np.errstate(divide="ignore", invalid="ignore"):
        return (n * xy - x * y) / np.sqrt((n * xx - x * x) * (n * yy - y * y))


def spearman_interval(families, a, b) -> tuple[float, float]:
    """95% interval of the rank correlation, from `spearman_draws`."""
    return interval(spearman_draws(families, a, b))


def interval(values: np.ndarray) -> tuple[float, float]:
    """(low, high): the middle 95% of a bootstrap's `values`; (-inf, inf) where fewer than half of them can tell."""
    known = values[~np.isnan(values)]
    if 2 * len(known) < len(values):
        return float("-inf"), float("inf")
    low, high = np.quantile(known, LEVEL)
    return float(low), float(high)


def share_difference(hits, families, others, their_families) -> tuple[float, float, float]:
    """(difference of the share of `hits` among rows and of `others` among other rows, low, high): Newcombe's interval
    (1998) of two `share_interval`s."""
    a, b = float(np.mean(hits)), float(np.mean(others))
    (a_low, a_high), (b_low, b_high) = (
        share_interval(int(np.sum(one)), own) for one, own in ((hits, families), (others, their_families))
    )
    low, high = np.hypot(a - a_low, b_high - b), np.hypot(a_high - a, b - b_low)
    return a - b, float(a - b - low), float(a - b + high)


def share_interval(hits: int, families) -> tuple[float, float]:
    """95% interval (Wilson, 1927) of a share of which `hits` rows have it. families: each row's; rows of one family
    count as one as far as they stand together: the number that counts is Kish's, (Σn)² / Σn²."""
    sizes = pd.Series(list(families)).value_counts().to_numpy(float)
    n, z = sizes.sum() ** 2 / (sizes**2).sum(), 1.96
    share = hits / sizes.sum()
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return float(middle - half), float(middle + half)
