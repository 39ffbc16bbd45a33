from types import SimpleNamespace

import numpy as np
import pytest

from scripts.perf.train import Plain, Side, jpegs, verdict
from scripts.train import datasets
from scripts.train.recipe import Recipe

OPTIONS = SimpleNamespace(model="regnetx_002", target=0.65, epochs=15)
DATASET = SimpleNamespace(name="pets", size=128)


def test_the_ratio_is_the_median_over_seeds():
    said = verdict(
        OPTIONS,
        DATASET,
        [
            (Side(30.0, True), Side(10.0, True)),
            (Side(50.0, True), Side(10.0, True)),
            (Side(10.0, True), Side(10.0, True)),
        ],
        2.0,
    )
    assert "ratio 3.00, target 2: reached" in said and "3 seeds" in said
    assert "ratio 1.00, target 2: MISSED" in verdict(OPTIONS, DATASET, [(Side(10.0, True), Side(10.0, True))], 2.0)


def test_a_loop_that_never_got_there_gives_a_lower_bound_and_ours_gives_none():
    assert "ratio at least 3.00" in verdict(OPTIONS, DATASET, [(Side(30.0, False), Side(10.0, True))], 2.0)
    assert "ours did not reach 65%" in verdict(OPTIONS, DATASET, [(Side(30.0, True), Side(10.0, False))], 2.0)


@pytest.mark.timeout(120)
def test_both_sides_see_the_same_photos(tmp_path):
    import torch

    root = jpegs(tmp_path / "digits-jpeg", count=120)
    dataset = datasets.load(str(root), 32, cache=tmp_path / "cache")
    plain = Plain(
        torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(10)),
        dataset,
        root,
        0,
        "cpu",
        Recipe(batch=16, colour=0.0),
        False,
        0.25,
    )
    train, held_out, _ = dataset.split(0, 0.25)
    assert list(plain.train.dataset.rows) == list(train) and list(plain.valid.dataset.rows) == list(held_out)
    picture, label = plain.valid.dataset[0]
    assert picture.shape == (3, 32, 32) and label == dataset.labels[held_out[0]]
    from scripts.train.recipe import plain as ours

    mine, other = ours(torch.from_numpy(np.array(dataset.pixels[held_out[:2]])), 32)
    assert (
        (picture - mine).abs().mean() < 0.25 < 0.5 < (picture - other).abs().mean()
    )  # half a pixel and libjpeg's own scaling apart
    assert plain.epoch() > 0 and 0 <= plain.accuracy() <= 1
