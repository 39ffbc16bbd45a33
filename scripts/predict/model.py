"""The model behind the predictions: a Gaussian process over networks, whose mean and covariance come from other
machines' tables.

A machine's log speeds are a weighted mean of the tables most like it (same kind of processor, compiled or not, layout,
precision, torch), or one of these tables, plus one unknown factor, plus a deviation. Deviations are alike for networks
that other tables tell apart from that mean in the same way (the leading factors of the tables), that have similar
properties, and that are of one family or kind. Twenty measurements then say where this machine deviates. How large
deviations are is estimated from the measurements, so a machine unlike the others, or a noisy one, gets wider intervals.
Which network to measure next does not depend on what was measured: it is the one that lowers the expected variance over
all networks most (A-optimal design, chosen greedily).

Other methods were measured beside it: scripts/predict/evaluate.py. Everything is numpy; a fit takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scripts.common.errors import UserError
from scripts.predict.tables import References

# Variances of the parts of a deviation, in squared log units before the machine's own scale; `length` in standard
# deviations of the
# properties. Found by search on the same tables, each machine left out in turn, so its figures are a little kind to
# them: the first guess, before any
# search, gave a mean over tables of 6.0% for the median error, these give 5.6%.
FACTORS, MEAN, LINEAR, LINEAR_KIND, SMOOTH, FAMILY, FAMILY_SMOOTH, KIND, NOISE, LENGTH = (
    12,
    0.004,
    0.011,
    0.0024,
    0.022,
    0.017,
    0.033,
    0.009,
    0.002,
    1.0,
)
# How much less a table counts for each way in which it differs from the machine's settings (exponents).
UNLIKE = {"kind": 8.0, "part": 8.0, "compiled": 3.0, "layout": 1.0, "precision": 0.6}
UNLIKE_TORCH = 0.5  # for each minor version between them; another major version counts as ten
SCALE, SCALE_WEIGHT = (
    0.25,
    1.0,
)  # the scale expected beforehand (median over machines) and the number of measurements it is worth
# Besides the weighted mean, each table that weighs at least this share of the heaviest is tried as the mean, and counts
# as its likelihood does.
MEANS_SHARE, MEANS_POWER = 0.02, 0.5
LEAST = 5  # measurements below which nothing is predicted
OUTLIER, OUTLIER_FACTOR = (
    6.0,
    1.6,
)  # a measurement this many times the robust spread from what the others say, and off by this factor


def version(torch: str) -> float:
    """'2.9.1' as 29; '' (unknown) as NaN is never compared: it counts as the newest of 2."""
    major, minor, *_ = (*str(torch).split("."), "0")
    return 10.0 * float(major or 2) + min(float(minor or 9), 20.0)


class Prior:
    """What is believed of a machine with `settings` before it is measured. mean: (n,) log images/s up to one factor;
    means: (n, k) that and the tables most like it, each of which might be the better mean."""

    def __init__(self, known: References, settings: dict):
        tables = known.tables
        if tables.empty:
            raise UserError("no table of any other machine at hand; run `make data`")
        distance = sum(weight * (tables[name] != settings[name]).to_numpy(float) for name, weight in UNLIKE.items())
        distance = distance + UNLIKE_TORCH * np.abs(
            tables["torch"].map(version).to_numpy(float) - version(settings["torch"])
        )
        weights = np.exp(-(distance - distance.min())) / np.sqrt(
            tables.groupby("hardware")["hardware"].transform("size").to_numpy(float)
        )
        self.mean = known.speeds @ (weights / weights.sum())
        self.means = np.column_stack([self.mean, known.speeds[:, weights > MEANS_SHARE * weights.max()]])
        away = known.speeds - self.mean[:, None]
        left, sizes, _ = np.linalg.svd(away - away.mean(axis=0), full_matrices=False)
        self.factors = np.column_stack(
            [
                left[:, :FACTORS] * (sizes[:FACTORS] / np.sqrt(len(tables))),
                np.sqrt(MEAN) * (self.mean - self.mean.mean()),
            ]
        )
        self.features = known.features / 2
        self.family, self.network = (
            np.unique(known.keys[name], return_inverse=True)[1] for name in ("family", "network")
        )

    def covariance(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """(len(a), len(b)) covariance of the deviations of networks at positions `a` and `b`."""
        fa, fb = self.features[a], self.features[b]
        apart = np.maximum((fa**2).sum(1)[:, None] + (fb**2).sum(1) - 2 * fa @ fb.T, 0)
        smooth = np.exp(-2 * apart / LENGTH**2)
        kin, alike = self.family[a][:, None] == self.family[b], self.network[a][:, None] == self.network[b]
        return (
            self.factors[a] @ self.factors[b].T
            + (LINEAR + LINEAR_KIND * alike) * (fa @ fb.T)
            + SMOOTH * smooth
            + kin * (FAMILY + FAMILY_SMOOTH * smooth)
            + KIND * alike
        )

    def variance(self) -> np.ndarray:
        """(n,) diagonal of `covariance` over all networks."""
        return (
            (self.factors**2).sum(1)
            + (LINEAR + LINEAR_KIND) * (self.features**2).sum(1)
            + SMOOTH
            + FAMILY
            + FAMILY_SMOOTH
            + KIND
        )


@dataclass(frozen=True)
class Posterior:
    """log: (n,) expected log images/s; spread: (n,) standard deviation in log units, before calibration; scale: of the
    machine's deviations; used: positions that counted; outliers: {position: factor by which its measurement is off},
    left out."""

    prior: Prior
    log: np.ndarray
    spread: np.ndarray
    scale: float
    used: np.ndarray
    outliers: dict[int, float]
    noise: np.ndarray

    def joint(self, at: np.ndarray) -> np.ndarray:
        """(k, k) covariance of the predictions at positions `at`, before calibration."""
        cross = self.prior.covariance(at, self.used)
        inner = self.prior.covariance(self.used, self.used) + np.diag(self.noise)
        return self.scale**2 * (
            self.prior.covariance(at, at) - cross @ np.linalg.solve(inner, cross.T) + NOISE * np.eye(len(at))
        )


def posterior(prior: Prior, at: np.ndarray, logs: np.ndarray, noise: np.ndarray | None = None) -> Posterior:
    """What is believed after measuring log images/s `logs` at positions `at` (each once). noise: variance of each
    measurement, log units.

    A measurement that the others contradict is left out, the worst first, at most one in five. Raises UserError for
    fewer than LEAST.
    """
    at, logs = np.asarray(at, int), np.asarray(logs, float)
    noise = NOISE + (np.zeros(len(at)) if noise is None else np.asarray(noise, float) / SCALE)
    keep = np.ones(len(at), bool)
    outliers: dict[int, float] = {}
    for _ in range(1 + len(at) // 5):
        if keep.sum() < LEAST:
            raise UserError(
                f"{keep.sum()} measured network{'s' if keep.sum() != 1 else ''} that other machines' tables know: at "
                f"least {LEAST} are needed, 20 advised; "
                "measure the next of `python -m scripts.predict --design 20`"
            )
        used = at[keep]
        inverse = np.linalg.inv(prior.covariance(used, used) + np.diag(noise[keep]))
        away = logs[keep] - prior.mean[used]
        level = inverse.sum(0) @ away / inverse.sum()
        pull = inverse @ (away - level)
        left_out = pull / np.diag(inverse)  # each measurement less what the others say of it
        odd = np.abs(left_out) * np.sqrt(np.diag(inverse))
        odd = odd / max(np.median(odd) / 0.6745, np.sqrt(SCALE) / 4)
        worst = int(np.argmax(odd))
        if (
            keep.sum() <= LEAST
            or len(outliers) == len(at) // 5
            or odd[worst] < OUTLIER
            or abs(left_out[worst]) < np.log(OUTLIER_FACTOR)
        ):
            break
        outliers[int(used[worst])] = float(np.exp(left_out[worst]))
        keep[np.flatnonzero(keep)[worst]] = False
    every = np.arange(len(prior.mean))
    away = logs[keep][:, None] - prior.means[used]
    levels = inverse.sum(0) @ away / inverse.sum()
    pulls = inverse @ (away - levels)
    misfit = ((away - levels) * pulls).sum(0)
    share = (SCALE_WEIGHT * SCALE + misfit) ** (-MEANS_POWER * (SCALE_WEIGHT + len(used) - 1))
    share /= share.sum()
    cross = prior.covariance(every, used)
    variance = prior.variance() - np.einsum("ij,jk,ik->i", cross, inverse, cross)
    unsure = (1 - cross @ inverse.sum(0)) ** 2 / inverse.sum()  # of the machine's one factor
    scale2 = (SCALE_WEIGHT * SCALE + share @ misfit) / (SCALE_WEIGHT + len(used) - 1)
    return Posterior(
        prior,
        prior.means @ share + levels @ share + cross @ (pulls @ share),
        np.sqrt(scale2 * (np.maximum(variance, 0) + unsure + NOISE)),
        float(np.sqrt(scale2)),
        used,
        outliers,
        noise[keep],
    )


def design(
    prior: Prior, candidates: np.ndarray, count: int, have: Sequence[int] = (), goal: np.ndarray | None = None
) -> tuple[list[int], list[float]]:
    """Positions of the `count` of `candidates` to measure next, in order, after those at `have`, and after each the
    expected standard deviation (root mean square over `goal`, default all; log units at the expected scale)."""
    goal = np.arange(len(prior.mean)) if goal is None else goal
    candidates = np.setdiff1d(candidates, have)
    every = np.unique(np.concatenate([goal, candidates, np.asarray(have, int)]))
    covariance = prior.covariance(every, every) + 1.0  # 1: the machine's unknown factor
    wanted, open_ = np.isin(every, goal), np.isin(every, candidates)

    def measure(i: int) -> None:
        nonlocal covariance
        covariance = covariance - np.outer(covariance[:, i], covariance[i] / (covariance[i, i] + NOISE))

    for position in have:
        measure(int(np.searchsorted(every, position)))
    order, left = [], []
    for _ in range(min(count, len(candidates))):
        gain = (covariance[wanted] ** 2).sum(axis=0) / (np.diag(covariance) + NOISE)
        i = int(np.argmax(np.where(open_, gain, -1)))
        open_[i] = False
        measure(i)
        order.append(int(every[i]))
        left.append(float(np.sqrt(SCALE * np.diag(covariance)[wanted].mean())))
    return order, left
