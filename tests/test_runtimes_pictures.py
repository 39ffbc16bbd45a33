"""Which pictures a calibration rests on."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from scripts.common.errors import UserError
from scripts.runtimes import pictures
from scripts.runtimes.network import Network

NETWORK = Network("n", 32)


def photos(folder, names, count):
    for name in names:
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = np.random.default_rng(i).integers(0, 255, (40, 50, 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.jpg")
    return folder


def test_pictures_come_evenly_from_all_classes(tmp_path):
    photos(tmp_path, ["a", "b"], 30)
    chosen = pictures.files(tmp_path, 20)
    assert [sum(path.parent.name == name for path in chosen) for name in "ab"] == [10, 10]


def test_one_class_beside_others_is_refused(tmp_path):
    photos(tmp_path, ["cats", "dogs"], 40)
    with pytest.raises(UserError, match="one class, beside dogs"):
        pictures.batch(NETWORK, tmp_path / "cats", calibrate=True)
    assert pictures.batch(NETWORK, tmp_path, most=40, calibrate=True).shape == (40, 3, 32, 32)


@pytest.mark.parametrize("count", [1, pictures.FEWEST // 2 - 1])
def test_too_few_are_refused(tmp_path, count):
    photos(tmp_path, ["a", "b"], count)
    with pytest.raises(UserError, match=f"{2 * count} pictures; int8"):
        pictures.batch(NETWORK, tmp_path, calibrate=True)


def test_damaged_pictures_are_left_out_and_none_at_all_is_an_error(tmp_path):
    photos(tmp_path, ["a"], 3)
    (tmp_path / "a" / "broken.jpg").write_bytes(b"\xff\xd8no")
    assert len(pictures.batch(NETWORK, tmp_path)) == 3
    for path in (tmp_path / "a").iterdir():
        path.write_bytes(b"<html>")
    with pytest.raises(UserError, match="0 of 4 pictures"):
        pictures.batch(NETWORK, tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        pictures.batch(NETWORK, tmp_path / "nowhere")


def test_the_carried_photos_are_enough_to_calibrate_for_a_speed():
    found = pictures.batch(NETWORK)
    assert len(found) >= pictures.FEWEST and np.isfinite(found).all() and found.std() > 0.5
