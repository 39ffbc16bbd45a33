"""Intervals that hold what they promise, and ties that are called ties."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.choose import check, compare, race

ALONE = np.arange(200)


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95, 0.99])
def test_90_percent_intervals_hold_the_truth_nine_times_of_ten(share):
    random = np.random.default_rng(0)
    weight = np.ones(200)
    rights = random.random((2000, 200)) < share
    held = [one.low <= share <= one.high for one in (compare.accuracy(right, weight, ALONE) for right in rights)]
    assert 0.85 <= np.mean(held) <= 0.95


@pytest.mark.parametrize(("both", "one", "other"), [(0.8, 0.1, 0.05), (0.95, 0.02, 0.01), (0.6, 0.1, 0.1)])
def test_intervals_of_a_difference_hold_it(both, one, other):
    random = np.random.default_rng(1)
    held = []
    for _ in range(1500):
        which = random.choice(4, 200, p=[both, one, other, 1 - both - one - other])
        interval = compare.difference(which <= 1, (which == 0) | (which == 2), np.ones(200), ALONE)
        held.append(interval.low <= one - other <= interval.high)
    assert 0.85 <= np.mean(held) <= 0.97


def test_photos_that_are_copies_count_once():
    right = np.repeat(np.random.default_rng(0).random(50) < 0.8, 4)
    apart, together = (compare.accuracy(right, np.ones(200), groups) for groups in (ALONE, np.repeat(np.arange(50), 4)))
    assert together.high - together.low > 1.8 * (apart.high - apart.low)
    assert compare.effective(np.ones(200), np.repeat(np.arange(50), 4)) == pytest.approx(50)


def test_all_right_is_not_certain():
    interval = compare.accuracy(np.ones(20, bool), np.ones(20), np.arange(20))
    assert interval.value == 1 and interval.low < 0.9 and interval.high == pytest.approx(1)


def test_equal_answers_are_a_tie_and_clear_ones_are_not():
    right = np.random.default_rng(0).random(200) < 0.9
    same = compare.difference(right, right, np.ones(200), ALONE)
    assert same.value == 0 and same.low < 0 < same.high
    worse = right & (np.random.default_rng(1).random(200) < 0.8)
    assert compare.difference(right, worse, np.ones(200), ALONE).low > 0


def test_classes_count_the_same_where_they_are_unequal():
    labels = np.array([0] * 90 + [1] * 10)
    right = labels == 0  # whoever always says 0
    plain, fair = (
        compare.accuracy(right, compare.weights(labels, balanced), np.arange(100)) for balanced in (False, True)
    )
    assert plain.value == pytest.approx(0.9) and fair.value == pytest.approx(0.5)
    assert fair.high - fair.low > plain.high - plain.low


@pytest.mark.slow
def test_intervals_cover_and_the_choice_is_right_on_repeated_halves():
    random = np.random.default_rng(4)
    labels = np.arange(900) % 3
    noise = random.normal(size=(3, 900, 12))
    values = {name: noise[at] + signal * np.eye(12)[labels] for at, (name, signal) in
              enumerate({"good": 2.2, "fair": 1.6, "poor": 0.8}.items())}  # fmt: skip
    photos = race.Photos(np.zeros((900, 3, 1, 1), np.uint8), [], labels, ["a", "b", "c"], np.arange(600),
                         np.arange(600, 900), np.arange(900))  # fmt: skip
    found = check.check(values, photos, 20)
    assert found["right"].mean() >= 0.95 and 0.75 <= found["covered"].mean() <= 1
    assert set(found["named"]) <= {"good", "fair"}
    values["good"], values["poor"] = values["poor"], values["good"]
    assert set(check.check(values, photos, 3)["named"]) <= {"poor", "fair"}


def test_two_shares_far_apart_are_not_covered():
    right = np.arange(200) < 180
    weight, groups = np.full(200, 1 / 200), np.arange(200)
    assert check.covered(right, right, weight, groups)
    assert not check.covered(right, np.arange(200) < 150, weight, groups)
