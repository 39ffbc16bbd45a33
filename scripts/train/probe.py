"""What frozen features are worth on one's own photos: a linear probe and nearest neighbours, by cross-validation.

The probe is ridge regression onto the classes. Its cross-validation needs one eigenvalue decomposition a backbone: what
the other folds would have predicted follows from the fit to all of them (Golub, Heath and Wahba 1979 for single rows;
the same algebra holds for blocks). The penalty is chosen inside: for each fold by the errors of the others.
Probabilities are a softmax of the scores, at the temperature that fits the scores of photos held out. The result is one
linear layer, so a probe can be exported as the network's classifier, and training can begin from it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

PENALTIES = np.geomspace(0.003, 30, 9)  # times the mean squared length of a centred row
FOLDS = 10
LARGEST_FOLD = 1000  # photos; more folds where they would be larger, as a fold costs its size cubed
NEIGHBOURS = 10
TEMPERATURES = np.geomspace(0.5, 12, 30)  # of scores near 0 and 1; more would start fine-tuning from a flat loss


@dataclass(frozen=True)
class Head:
    """A linear classifier: probabilities = softmax(features @ weight + offset).

    weight: float32 (features, classes); offset: float32 (classes,).
    """

    weight: np.ndarray
    offset: np.ndarray

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """float32 (n, classes) of raw features (n, features)."""
        return softmax(np.asarray(features, np.float32) @ self.weight + self.offset)


class Judged(NamedTuple):
    """probabilities: (n, classes), each photo's by a probe that saw no photo of its fold; head: fitted to all."""

    probabilities: np.ndarray
    head: Head


def unit(features: np.ndarray) -> np.ndarray:
    """Rows of length 1, float32; a row of zeros stays one."""
    features = np.asarray(features, np.float32)
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def folds(labels: np.ndarray, groups: np.ndarray, seed: int = 0) -> np.ndarray:
    """int (n,): the fold of each photo. Classes spread evenly, photos of one group in one fold."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    alone = len(np.unique(groups)) == len(groups)
    number = max(min(FOLDS, int(np.bincount(labels).max())), -(-len(labels) // LARGEST_FOLD))
    number = max(2, min(number, len(np.unique(groups))))
    splitter = (StratifiedKFold if alone else StratifiedGroupKFold)(number, shuffle=True, random_state=seed)
    found = np.zeros(len(labels), int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer photos than folds: some folds then hold none of them
        for number, (_, held) in enumerate(splitter.split(labels, labels, groups)):
            found[held] = number
    return found


def judge(
    features: np.ndarray, labels: np.ndarray, fold: np.ndarray, classes: int, weights: np.ndarray | None = None
) -> Judged:
    """Cross-validate the probe and fit it to all. weights: (n,) of each photo, 1 on average where classes are
    unequal."""
    weights = np.ones(len(labels)) if weights is None else weights / weights.mean()
    root = np.sqrt(weights).astype(np.float32)[:, None]
    x, one_hot = np.asarray(features, np.float32), np.eye(classes, dtype=np.float32)[labels]
    mean, base = (np.average(values, 0, weights).astype(np.float32) for values in (x, one_hot))
    x, y = (x - mean) * root, (one_hot - base) * root
    values, basis = _eigen(x)
    rotated = x @ basis
    correlation = rotated.T @ y
    penalties = PENALTIES * max(float((x**2).sum(1).mean()), 1e-12)
    blocks = [np.flatnonzero(fold == number) for number in np.unique(fold)]

    def errors(penalty: float) -> np.ndarray:
        return ((_held_out(rotated, y, values, correlation, penalty, blocks) - y) ** 2).sum(1)

    error = np.stack([errors(penalty) for penalty in penalties])
    inside = [int((error.sum(1) - error[:, block].sum(1)).argmin()) for block in blocks]  # a penalty for each fold
    scores = np.empty_like(y)
    for at in set(inside):
        mine = [block for block, chosen in zip(blocks, inside) if chosen == at]
        held = _held_out(rotated, y, values, correlation, penalties[at], mine)
        for block in mine:
            scores[block] = held[block]
    scores = scores / root + base
    temperature = _temperature(scores, labels, weights)
    weight = basis @ (correlation / (values + penalties[error.sum(1).argmin()])[:, None])
    head = Head((weight * temperature).astype(np.float32), ((base - mean @ weight) * temperature).astype(np.float32))
    return Judged(softmax(scores * temperature), head)


def judge_blocks(
    features: np.ndarray, blocks: tuple[int, ...], labels: np.ndarray, fold: np.ndarray, classes: int,
    weights: np.ndarray | None = None,
) -> Judged:  # fmt: skip
    """As `judge`, for features of several kinds: each standardised, and each of the `blocks` (numbers in it, in order)
    weighing the same, however many they are.
    """
    features = np.asarray(features, np.float32)
    mean, spread = features.mean(0), features.std(0)
    width = np.repeat(blocks, blocks).astype(np.float32)
    scale = np.where(spread > 1e-6, 1 / (np.maximum(spread, 1e-6) * np.sqrt(width)), 0).astype(np.float32)
    judged = judge((features - mean) * scale, labels, fold, classes, weights)
    weight = judged.head.weight * scale[:, None]
    return judged._replace(head=Head(weight, judged.head.offset - mean @ weight))


def _eigen(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(values, basis) of xᵀx, by the smaller of its two Gram matrices; basis: (features, rank)."""
    if len(x) >= x.shape[1]:
        values, basis = np.linalg.eigh(x.T @ x)
        return np.maximum(values, 0), basis
    values, basis = np.linalg.eigh(x @ x.T)
    kept = values > values.max() * 1e-6
    return values[kept], x.T @ basis[:, kept] / np.sqrt(values[kept])


def _held_out(rotated, y, values, correlation, penalty: float, blocks: list[np.ndarray]) -> np.ndarray:
    """What ridge fitted without a row's block predicts for it: y − (I − H)⁻¹(y − ŷ), H the hat matrix."""
    shrunk = 1 / (values + penalty)
    residual = y - rotated @ (correlation * shrunk[:, None])
    found = np.empty_like(y)
    for block in blocks:
        hat = (rotated[block] * shrunk) @ rotated[block].T
        found[block] = y[block] - np.linalg.solve(np.eye(len(block), dtype=hat.dtype) - hat, residual[block])
    return found


def _temperature(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """The factor of the scores at which the photos' own classes are least surprising."""
    own = np.arange(len(labels))
    losses = [
        -(weights * np.log(np.maximum(softmax(scores * factor)[own, labels], 1e-7))).mean() for factor in TEMPERATURES
    ]
    return float(TEMPERATURES[int(np.argmin(losses))])


def neighbours(features: np.ndarray, labels: np.ndarray, fold: np.ndarray, classes: int) -> np.ndarray:
    """int (n,): the class that the NEIGHBOURS nearest photos of other folds vote for, by their cosine."""
    x = unit(features)
    return np.concatenate(
        [_vote(x[rows] @ x.T, fold[rows, None] == fold[None], labels, classes) for rows in _chunks(len(x))]
    )


def neighbours_of(features: np.ndarray, known: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """int (n,): the vote of the nearest among the photos `known`, which have these labels."""
    x, known = unit(features), unit(known)
    return np.concatenate([_vote(x[rows] @ known.T, None, labels, classes) for rows in _chunks(len(x))])


def _chunks(n: int) -> list[np.ndarray]:
    return np.array_split(np.arange(n), max(1, -(-n // 2000)))


def _vote(cosine: np.ndarray, barred: np.ndarray | None, labels: np.ndarray, classes: int) -> np.ndarray:
    if barred is not None:
        cosine = np.where(barred, -2, cosine)
    nearest = min(NEIGHBOURS, cosine.shape[1] - 1)
    columns = np.argpartition(-cosine, nearest, 1)[:, :nearest] if nearest > 0 else np.zeros((len(cosine), 1), int)
    close = np.take_along_axis(cosine, columns, 1)
    votes = np.zeros((len(cosine), classes))
    np.add.at(votes, (np.arange(len(cosine))[:, None], labels[columns]), np.exp(close / 0.07) * (close > -2))
    return votes.argmax(1)
