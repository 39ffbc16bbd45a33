"""The comparison with a process per model: its arithmetic, and that the other side measures."""

from __future__ import annotations

import pytest

from scripts.perf import bench


def side(rate, timed, wall):
    return {"samples_per_sec": rate, "timed_secs": timed, "wall_secs": wall}


def test_summary_counts_the_start_and_takes_the_median():
    rows = [
        {"ours": side(101, 1, 2), "theirs": side(100, 4, 10)},
        {"ours": side(98, 1, 2), "theirs": side(100, 4, 10)},
        {"ours": side(150, 1, 2), "theirs": side(100, 4, 10)},
    ]
    found = bench.summary(rows, start_secs=3)
    assert found["ratio"] == pytest.approx(9 / 30) and found["ours_secs"] == 3 and found["theirs_secs"] == 10
    assert found["agreement"] == pytest.approx(0.02) and found["worst"] == pytest.approx(0.5)
    assert found["ours_timing"] == pytest.approx(3 / 9) and found["theirs_timing"] == pytest.approx(12 / 30)


def test_pairs_that_a_neighbour_disturbed_are_left_out_of_the_agreement():
    calm = {"ours": side(101, 1, 2) | {"core_share": 1.0}, "theirs": side(100, 4, 10) | {"core_share": 0.99}}
    busy = {"ours": side(150, 1, 2) | {"core_share": 1.0}, "theirs": side(100, 4, 10) | {"core_share": 0.6}}
    assert bench.disturbed(busy) and not bench.disturbed(calm)
    found = bench.summary([calm, busy], start_secs=0)
    assert found["agreement"] == found["worst"] == pytest.approx(0.01) and found["calm"] == 1
    assert (
        bench.summary([busy], start_secs=0)["agreement"] == pytest.approx(0.5)
        and bench.summary([busy], start_secs=0)["calm"] == 0
    )


def test_the_other_side_measures_a_model():
    pytest.importorskip("timm")
    found = bench.process_for_one("test_vit", batch=1)
    assert (
        found["samples_per_sec"] == pytest.approx(bench.TIMED_STEPS / found["timed_secs"])
        and 0 < found["core_share"] < 1.05
    )
