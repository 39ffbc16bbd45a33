"""A fastai Learner from elsewhere becomes a model that is safe to hand on, or one line says why not."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts.train import exported, learner


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, list[Path]]:
    """(model.pkl of a Learner as the course makes one, photos)."""
    from fastai.vision.all import ImageDataLoaders, Normalize, Resize, vision_learner

    folder = tmp_path_factory.mktemp("learner")
    random = np.random.default_rng(0)
    files = []
    for name, colour in (("sea", (60, 90, 190)), ("wood", (80, 170, 60))):
        for number in range(4):
            path = folder / "photos" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            blocks = np.clip(random.integers(-80, 80, (6, 6, 3)) + np.array(colour), 0, 255).astype(np.uint8)
            Image.fromarray(np.kron(blocks, np.ones((10, 10, 1), np.uint8))).save(path)
            files.append(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scaled = {"item_tfms": Resize(32), "batch_tfms": Normalize.from_stats([0.5] * 3, [0.2] * 3)}
        dls = ImageDataLoaders.from_folder(folder / "photos", valid_pct=0.5, seed=0, bs=2, num_workers=0, **scaled)
        found = vision_learner(dls, "test_resnet", pretrained=False, path=folder, normalize=False)
        found.export("model.pkl")
    return folder / "model.pkl", files


def test_it_is_exported_again_and_answers_alike(made, tmp_path, capsys):
    path, files = made
    assert (
        learner.main([str(path), "--out", str(tmp_path / "mine"), "--trust-pickle", "--photos", *map(str, files)]) == 0
    )
    said = capsys.readouterr().out
    assert "test_resnet, 2 classes, 32 pixels" in said and "the same class as the Learner on 8 of 8 photos" in said
    back = exported.load(tmp_path / "mine")  # the safe way: nothing of the pickle is there
    assert back.config.classes == ("sea", "wood") and back.config.mean == (0.5,) * 3 and back.config.margin == 1
    assert not (tmp_path / "mine" / exported.PICKLE).exists()


def test_nothing_is_opened_unless_it_is_trusted(made, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(learner, "opened", lambda path: pytest.fail("opened"))
    assert learner.main([str(made[0]), "--out", str(tmp_path / "mine")]) == 2
    assert "say --trust-pickle" in capsys.readouterr().err and not (tmp_path / "mine").exists()


def test_what_is_no_learner_is_refused_in_one_line(made, tmp_path, capsys):
    (tmp_path / "other.pkl").write_bytes(pickle.dumps({"weights": [1, 2]}))
    (tmp_path / "cut.pkl").write_bytes(made[0].read_bytes()[:1000])
    for name in ("other.pkl", "cut.pkl", "none.pkl"):
        assert learner.main([str(tmp_path / name), "--out", str(tmp_path / "mine"), "--trust-pickle"]) == 2
        (line,) = [one for one in capsys.readouterr().err.splitlines() if one.startswith("error:")]
        assert name in line
    assert not (tmp_path / "mine").exists()


def test_a_network_that_is_not_timms_is_refused(made, tmp_path, monkeypatch):
    from torch import nn

    opened = learner.opened(made[0])
    opened.model = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3)), nn.Sequential(nn.Flatten(), nn.LazyLinear(2)))
    monkeypatch.setattr(learner, "opened", lambda path: opened)
    with pytest.raises(learner.UserError, match="none of timm's"):
        learner.take_in(made[0], tmp_path / "mine", [])
