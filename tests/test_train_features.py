"""Features kept by what is in a photo: killed runs, damaged files, changed photos."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scripts.common.errors import UserError
from scripts.runtimes import network as networks
from scripts.train import features


def backbone(size: int = 32, value: float = 1.0) -> features.Backbone:
    """A network of one convolution."""

    def make() -> networks.Network:
        torch.manual_seed(0)
        module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, 2), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
        with torch.no_grad():
            module[0].weight.mul_(value)
        return networks.of_module("tiny", module, size)

    return features.Backbone("tiny", size, "made-up", "abc", make)


@pytest.fixture
def photos() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (70, 3, 37, 37), np.uint8)


@pytest.fixture(autouse=True)
def eager(monkeypatch):
    monkeypatch.setattr(features, "RUNTIMES", {"cpu": (("eager", "fp32"),)})


def test_features_are_those_of_the_network(photos, tmp_path):
    extractor = features.Extractor(backbone(), cache=tmp_path)
    hashes = features.hashes(photos)
    assert extractor.run(photos, hashes)
    network = backbone().make()
    seen = torch.from_numpy(features.crop(photos[:5], 32)).float() / 255
    mean, std = (torch.tensor(values)[:, None, None] for values in (network.mean, network.std))
    with torch.inference_mode():
        expected = network.module((seen - mean) / std).numpy()
    assert np.allclose(extractor.matrix(hashes)[:5], expected, atol=2e-3)  # kept in half precision
    assert extractor.speed > 0


def test_a_killed_run_goes_on_with_the_features_that_are_whole(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(features, "PART", 32)
    hashes = features.hashes(photos)
    first = features.Extractor(backbone(), cache=tmp_path)
    calls = []

    def dies(self, squares):
        calls.append(len(squares))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return np.ones((len(squares), 4), np.float16), 0.1

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(features.Extractor, "_features", dies)
        first.run(photos, hashes)
    again = features.Extractor(backbone(), cache=tmp_path)
    assert len(again.missing(hashes)) == 70 - 32
    assert again.run(photos, hashes) and not features.Extractor(backbone(), cache=tmp_path).missing(hashes)


@pytest.mark.parametrize("damage", [lambda content: content[:-20], lambda content: b"", lambda content: b"<html>" * 99])
def test_a_damaged_part_is_computed_again(photos, tmp_path, damage):
    hashes = features.hashes(photos)
    features.Extractor(backbone(), cache=tmp_path).run(photos, hashes)
    (part,) = tmp_path.rglob("*.npz")
    part.write_bytes(damage(part.read_bytes()))
    again = features.Extractor(backbone(), cache=tmp_path)
    assert len(again.missing(hashes)) == 70 and again.run(photos, hashes)


def test_a_renamed_photo_is_known_and_a_changed_one_is_not(photos, tmp_path):
    features.Extractor(backbone(), cache=tmp_path).run(photos, features.hashes(photos))
    turned = photos[::-1].copy()
    turned[0, 0, 0, 0] ^= 1
    again = features.Extractor(backbone(), cache=tmp_path)
    assert again.missing(features.hashes(turned)) == [0]
    other = features.Extractor(
        features.Backbone("tiny", 32, "made-up", "other weights", backbone().make), cache=tmp_path
    )
    assert len(other.missing(features.hashes(photos))) == 70


def test_time_that_is_up_leaves_what_was_done(photos, tmp_path):
    extractor = features.Extractor(backbone(), cache=tmp_path)
    assert not extractor.run(photos, features.hashes(photos), deadline=0.0) and extractor.known == {}


def test_a_network_that_gives_no_numbers_is_named(photos, tmp_path):
    extractor = features.Extractor(backbone(value=float("nan")), cache=tmp_path)
    with pytest.raises(UserError, match="tiny at 32 pixels: its features are not all finite"):
        extractor.run(photos, features.hashes(photos))


def test_no_runtime_is_one_line(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(features, "RUNTIMES", {"cpu": (("tensorrt", "fp32"),)})
    with pytest.raises(UserError, match="no runtime here takes it"):
        features.Extractor(backbone(), cache=tmp_path).run(photos, features.hashes(photos))


def test_a_full_disk_is_one_line(photos, small_disk):
    extractor = features.Extractor(backbone(), cache=small_disk)
    with pytest.raises(UserError, match="disk is full"):
        extractor.run(
            np.repeat(photos, 4, 0),
            features.hashes(np.repeat(photos, 4, 0) + np.arange(280, dtype=np.uint8)[:, None, None, None]),
        )


def test_the_colour_histogram_counts_colours():
    red = np.zeros((1, 3, 8, 8), np.uint8)
    red[:, 0] = 255
    found = features.histogram(red)
    assert found.shape == (1, 512) and found.max() == 1 and found.argmax() == 7 * 64
