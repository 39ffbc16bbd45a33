"""Near-copies: found where they are, not where photos only look alike."""

from __future__ import annotations

import numpy as np

from scripts.choose import groups


def photo(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    small = random.integers(0, 255, (3, 8, 8)).astype(np.uint8)
    return np.kron(small, np.ones((1, 8, 8), np.uint8))


def test_a_darker_and_noisier_copy_is_one():
    original = photo(0)
    noise = np.random.default_rng(9).integers(-5, 5, original.shape)
    darker = np.clip(original * 0.7 + noise, 0, 255).astype(np.uint8)
    found = groups.near_copies(np.stack([original, photo(1), darker, photo(2)]))
    assert found[0] == found[2] and len(set(found)) == 3


def test_plain_photos_are_no_copies_of_one_another():
    plain = np.stack([np.full((3, 64, 64), value, np.uint8) for value in (0, 128, 255)])
    assert len(set(groups.near_copies(plain))) == 3


def test_chains_are_one_group_and_chunks_miss_none(monkeypatch):
    monkeypatch.setattr(groups, "CHUNK", 4)
    photos = np.stack([photo(at // 2) for at in range(20)])
    assert len(set(groups.near_copies(photos))) == 10
