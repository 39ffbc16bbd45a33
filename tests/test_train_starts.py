"""The same network from three starts: a row each, taken up again where it stopped, refused where nothing is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scripts.train import pets_export, photo_results, starts, weights


@pytest.fixture
def folder(tmp_path, monkeypatch, moved):
    """Photos of two colours with test photos, and everything that is written in a temporary folder."""
    rng = np.random.default_rng(0)
    for split, count in (("training_set", 10), ("test_set", 4)):
        for name, colour in (("sea", (60, 90, 190)), ("wood", (80, 170, 60))):
            (tmp_path / "photos" / split / name).mkdir(parents=True)
            for number in range(count):
                noise = np.clip(rng.integers(-60, 60, (40, 40, 3)) + np.array(colour), 0, 255).astype(np.uint8)
                Image.fromarray(noise).save(tmp_path / "photos" / split / name / f"{number}.png")
    moved(CACHE=tmp_path / "cache")
    (tmp_path / "cache").mkdir()
    moved(DATA=tmp_path)
    monkeypatch.setattr(pets_export, "EPOCHS", (1, 1))
    monkeypatch.setattr(pets_export, "SCRATCH_EPOCHS", 1)
    return tmp_path / "photos"


ARGUMENTS = ["--arch", "tf_efficientnet_lite0", "--size", "64", "--seeds", "1"]


def run(folder) -> pd.DataFrame:
    assert starts.main(ARGUMENTS + ["--data", str(folder)]) == 0
    (found,) = photo_results.starts(starts.DATA)
    return found.tables[""].set_index("start")


def test_each_start_is_a_row_and_only_what_is_missing_is_trained(folder, monkeypatch, capsys):
    asked, train = [], starts.train
    fail = [True]

    def watched(start, *more):
        if start == "scratch" and fail.pop():
            raise KeyboardInterrupt
        asked.append(start)
        return train(start, *more)

    monkeypatch.setattr(starts, "train", watched)
    assert starts.main(ARGUMENTS + ["--data", str(folder)]) == 130
    fail.append(False)
    found = run(folder)
    assert asked == ["frozen", "fine-tuned", "scratch"]
    assert found.loc["frozen", "accuracy"] == 1 and found.loc["fine-tuned", "accuracy"] == 1  # colours are easy
    assert found["epochs"].to_dict() == {"frozen": 0, "fine-tuned": 1, "scratch": 1}
    assert (found["test_images"] == 8).all() and (found["train_images"] == 16).all()
    assert found.loc["scratch", "weights"] == "" and found.loc["frozen", "weights"]


def test_without_pretrained_weights_there_is_nothing_to_compare(folder, monkeypatch, capsys):
    monkeypatch.setattr(weights, "find", lambda name, folder=None: (None, "the weights' hub cannot be reached"))
    monkeypatch.setattr(weights, "embedded_for", lambda size: None)
    assert starts.main(ARGUMENTS + ["--data", str(folder)]) == 2
    assert "no pretrained weights to compare with" in capsys.readouterr().err
