"""How far apart two figures must be before the difference means anything.

top-1: binomial standard error on ImageNet's 50,000 validation images; two models are told apart by twice the standard
error of their difference. (Both saw the same images, which makes the true error of a difference smaller: this errs on
the side of calling a tie.) Speed: timm's repeats of one model on one card lie within 0.984 to 1.026 of each other (5th
to 95th percentile).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

IMAGES = 50_000  # ImageNet-1k's validation set
TIMING_SPREAD = 1.026
SIGMAS = 2.0


def top1_se(percent, images: int = IMAGES):
    """Standard error, in points, of an accuracy in percent. Array in, array out."""
    share = np.asarray(percent, float) / 100
    return 100 * np.sqrt(share * (1 - share) / images)


def top1_uncertainty(a, b, images: int = IMAGES):
    """Points by which accuracies `a` and `b` (percent) must differ to be told apart."""
    return SIGMAS * np.hypot(top1_se(a, images), top1_se(b, images))


def spearman(a, b) -> float:
    """Spearman's rank correlation of two columns, over the rows where both are known. (pandas' own imports all of
    scipy.stats for it.)
    """
    both = pd.DataFrame({"a": np.asarray(a, float), "b": np.asarray(b, float)}).dropna()
    return float(both["a"].rank().corr(both["b"].rank()))


def spearman_uncertainty(rho: float, n: int) -> float:
    """Twice the standard error of a rank correlation over n pairs (Bonett and Wright, 2000); infinite below 4 pairs."""
    return SIGMAS * (1 - rho**2) * np.sqrt((1 + rho**2 / 2) / (n - 3)) if n > 3 else float("inf")
