"""The probe against refits by scikit-learn, and features that tell nothing."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.train import probe


def blobs(n: int, d: int, classes: int, apart: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    return (random.normal(size=(n, d)) + apart * random.normal(size=(classes, d))[labels]).astype(np.float32), labels


@pytest.mark.parametrize(("n", "d"), [(60, 20), (40, 90)])  # either Gram matrix
@pytest.mark.parametrize("weighted", [False, True])
def test_held_out_predictions_are_those_of_a_refit(n, d, weighted, monkeypatch):
    from sklearn.linear_model import Ridge

    monkeypatch.setattr(probe, "PENALTIES", np.array([0.3]))
    x, labels = blobs(n, d, 3, 0.5)
    weights = np.linspace(0.5, 1.5, n) if weighted else np.ones(n)
    fold = probe.folds(labels, np.arange(n))
    judged = probe.judge(x, labels, fold, 3, weights)
    mean, base = np.average(x, 0, weights), np.average(np.eye(3)[labels], 0, weights)
    penalty = 0.3 * ((x - mean) ** 2 * weights[:, None]).sum(1).mean()
    for number in np.unique(fold):
        learned, held = fold != number, fold == number
        model = Ridge(alpha=penalty, fit_intercept=False)
        model.fit((x - mean)[learned], np.eye(3)[labels[learned]] - base, weights[learned])
        scores = model.predict((x - mean)[held]) + base
        factors = [probe.softmax(scores * factor) for factor in probe.TEMPERATURES]
        assert min(np.abs(judged.probabilities[held] - one).max() for one in factors) < 2e-3


def test_the_head_is_one_linear_layer():
    x, labels = blobs(300, 16, 3, 1.5)
    judged = probe.judge(x, labels, probe.folds(labels, np.arange(300)), 3)
    assert (judged.head.probabilities(x).argmax(1) == labels).mean() > 0.9
    assert judged.head.weight.shape == (16, 3) and judged.head.weight.dtype == np.float32
    held = (judged.probabilities.argmax(1) == labels).mean()
    assert abs(judged.probabilities.max(1).mean() - held) < 0.1  # as sure as it is right


def test_noise_is_not_learned():
    random = np.random.default_rng(0)
    x, labels = random.normal(size=(400, 50)).astype(np.float32), random.integers(0, 2, 400)
    judged = probe.judge(x, labels, probe.folds(labels, np.arange(400)), 2)
    assert 0.4 < (judged.probabilities.argmax(1) == labels).mean() < 0.6
    assert judged.probabilities.max(1).mean() < 0.65


def test_copies_in_one_fold_are_not_known_from_another():
    """Each photo twice, labels at random: who has seen the copy gets it right, who has not cannot."""
    random = np.random.default_rng(1)
    x = np.repeat(random.normal(size=(100, 200)).astype(np.float32), 2, 0)
    labels, groups = np.repeat(random.integers(0, 2, 100), 2), np.repeat(np.arange(100), 2)
    apart = probe.judge(x, labels, probe.folds(labels, np.arange(200)), 2).probabilities.argmax(1) == labels
    together = probe.judge(x, labels, probe.folds(labels, groups), 2).probabilities.argmax(1) == labels
    assert apart.mean() > 0.85 and together.mean() < 0.65
    assert len(set(zip(probe.folds(labels, groups), groups))) == 100


def test_constant_features_and_single_photos_end_in_numbers():
    labels = np.array([0, 0, 0, 1, 1, 2])
    fold = probe.folds(labels, np.arange(6))
    judged = probe.judge(np.ones((6, 4), np.float32), labels, fold, 3)
    assert np.isfinite(judged.probabilities).all() and np.allclose(judged.probabilities.sum(1), 1, atol=1e-5)
    assert np.isfinite(probe.neighbours(np.zeros((6, 4)), labels, fold, 3)).all()


def test_a_rare_class_counts_with_weights():
    random = np.random.default_rng(2)
    labels = np.array([0] * 300 + [1] * 20)
    x = (random.normal(size=(320, 10)) + 1.0 * labels[:, None]).astype(np.float32)
    fold = probe.folds(labels, np.arange(320))
    weights = (1 / np.bincount(labels))[labels]
    plain, fair = probe.judge(x, labels, fold, 2), probe.judge(x, labels, fold, 2, weights)
    recall = lambda judged: (judged.probabilities.argmax(1)[labels == 1] == 1).mean()
    assert recall(fair) > recall(plain) and recall(fair) > 0.7


def test_neighbours_vote_without_their_own_fold():
    x, labels = blobs(90, 8, 3, 3.0)
    fold = probe.folds(labels, np.arange(90))
    assert (probe.neighbours(x, labels, fold, 3) == labels).mean() > 0.9
    assert (probe.neighbours_of(x[:30], x[30:], labels[30:], 3) == labels[:30]).mean() > 0.9


def test_many_classes_fit_into_memory():
    x, labels = blobs(2000, 32, 500, 2.0)
    judged = probe.judge(x, labels, probe.folds(labels, np.arange(2000)), 500)
    assert judged.probabilities.shape == (2000, 500)
