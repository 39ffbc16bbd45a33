"""The plain convnet: its size to the last parameter, its table, and a short run."""

from __future__ import annotations

import argparse
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scripts.common.errors import UserError
from scripts.train import exported, runs, tracking, train_cnn
from tests.threads import one_thread  # noqa: F401 - used by every test of the module


@pytest.fixture(scope="module")
def counted():
    return train_cnn.summary()


def test_the_network_has_exactly_the_known_size(counted):
    rows, totals = counted
    assert totals["parameters"] == rows.parameters.sum() == 2_668_418
    assert totals["mult_adds"] == rows.mult_adds.sum() and round(totals["mult_adds"] / 1e9, 2) == 13.62
    assert round(totals["forward_backward_mb"], 2) == 188.26 and round(totals["total_mb"], 2) == 199.54


def test_the_table_shows_the_shared_stage_four_times(counted):
    rows, _ = counted
    convolutions = rows[rows.kind == "Conv2d"]
    assert convolutions.output.tolist() == [
        "64×224×224",
        "512×112×112",
        "512×56×56",
        "512×28×28",
        "512×14×14",
        "512×7×7",
    ]
    assert convolutions.used_before.tolist() == [False, False, False, True, True, True]
    assert (rows.parameters[rows.used_before] == 0).all()
    assert rows.kind.tolist()[:4] == ["Conv2d", "ReLU", "BatchNorm2d", "MaxPool2d"] and rows.output.iloc[-2] == "4608"


@pytest.fixture
def given(tmp_path, monkeypatch, moved):
    rng = np.random.default_rng(0)
    for name, light in (("day", 160), ("night", 0)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(14):
            Image.fromarray((rng.integers(0, 90, (70, 70, 3)) + light).astype(np.uint8)).save(
                tmp_path / "photos" / name / f"{i}.png"
            )
    moved(DATA=tmp_path / "data", CACHE=tmp_path)
    monkeypatch.setattr(tracking, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(exported, "to_onnx", lambda model, config: b"")
    monkeypatch.setattr(exported, "onnx_difference", lambda content, model, sample: 0.0)
    (tmp_path / "cache").mkdir()
    return argparse.Namespace(
        data=str(tmp_path / "photos"),
        size=64,
        limit=6,
        recipe="original",
        precision=None,
        epochs=2,
        batch=4,
        lr=0.0,
        seed=0,
        out=tmp_path / "models" / "cnn",
        tracker="none",
    )


@pytest.mark.parametrize("recipe", ["original", "zoo"])
def test_a_short_run_writes_its_tables_and_a_model(given, recipe):
    given.recipe = recipe
    row = train_cnn.train(given, "cpu")
    path = next(path for path in train_cnn.DATA.glob(f"cnn-photos-{recipe}-6-*.csv") if "history" not in path.name)
    found = pd.read_csv(path).iloc[0]
    assert found.test_loss == pytest.approx(row["test_loss"], rel=1e-4) and (found.train_images, found.test_images) == (
        10,
        6,
    )
    assert json.loads(path.with_suffix(".json").read_text())["limit"] == 6
    history = pd.read_csv(next(train_cnn.DATA.glob(f"cnn-photos-{recipe}-6-*-history.csv")))
    assert history.epoch.tolist() == [1, 2]
    if recipe == "original":
        assert (history.lr == 1e-4).all()
    model = exported.load(given.out)
    assert model.config.size == model.config.side == 64  # it saw whole photos, without a margin, and so it is served
    rng = np.random.default_rng(1)
    shares = model.probabilities(model.pixels(Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8))))
    assert shares.shape == (1, 2) and np.isclose(shares.sum(), 1)


def test_the_original_recipe_is_adam_at_a_constant_rate(given):
    import torch

    from scripts.train import models
    from scripts.train.recipe import Recipe

    dataset = train_cnn.load_data(given.data, 64, 10)
    recipe = Recipe(**{**train_cnn.PLAIN, **train_cnn.RECIPES["original"]})
    trains = train_cnn.trainer(
        "original",
        models.build(models.find("sharedconvnet"), 2, 64).model,
        dataset,
        recipe,
        0,
        "cpu",
        "fp32",
        None,
        print,
    )
    assert type(trains.optimizer) is torch.optim.Adam and (recipe.batch, recipe.epochs, recipe.lr) == (32, 20, 1e-4)
    pixels = trains.pixels.batch(torch.tensor([0]))
    from scripts.train import recipe as recipes

    for seed in range(4):  # nothing but mirroring is done to a photo
        seen = recipes.augment(pixels, 64, recipe, True, torch.Generator().manual_seed(seed))
        plain = recipes.plain(pixels, 64)
        assert min((seen - plain).abs().max(), (seen.flip(-1) - plain).abs().max()) < 0.02


def test_photos_are_asked_for_in_one_line(monkeypatch, moved, tmp_path, capsys):
    moved(DATA=tmp_path / "data")
    monkeypatch.setattr("sys.argv", ["train_cnn"])
    assert train_cnn.main() == 2 and "--data FOLDER" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["train_cnn", "--data", "/no/such/folder"])
    assert train_cnn.main() == 2 and "no such folder" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["train_cnn", "--data", "/no/such/folder", "--limit", "1"])
    assert train_cnn.main() == 2 and "--limit 1: each class needs" in capsys.readouterr().err


def test_a_loss_that_is_no_number_is_one_line(given):
    given.lr = 1e30
    with pytest.raises(UserError, match="loss"):
        train_cnn.train(given, "cpu")
    assert not given.out.exists()


def test_a_stopped_run_goes_on_and_its_log_is_whole(given, monkeypatch):
    from scripts.train import fit

    monkeypatch.setattr(fit, "CHECKPOINT_SECONDS", 0)
    monkeypatch.setattr(tracking, "TensorBoard", lambda folder: tracking.Tracker())
    given.tracker, given.epochs, epoch = "local", 3, fit.Trainer.epoch

    def stop_in_the_third(self, number):
        if number == 2:
            raise KeyboardInterrupt
        return epoch(self, number)

    with monkeypatch.context() as patch:
        patch.setattr(fit.Trainer, "epoch", stop_in_the_third)
        with pytest.raises(KeyboardInterrupt):
            train_cnn.train(given, "cpu")
    assert not train_cnn.DATA.exists()
    train_cnn.train(given, "cpu")
    finished = next(run for run in runs.read_runs() if run["status"] == "finished")
    assert [point["step"] for point in finished["history"] if "loss" in point] == [
        4,
        5,
    ]  # what this run itself trained: the third epoch
    assert finished["files"] and finished["files"][0].endswith("model.safetensors")
    assert "Conv2d" in next(
        event["text"] for event in runs.events(tracking.RUNS / finished["run"]) if event["event"] == "summary"
    )
    histories = {
        run["status"]: [point["epoch"] for point in run["history"] if "valid_loss" in point] for run in runs.read_runs()
    }
    assert histories == {"interrupted": [1, 2], "finished": [1, 2, 3]}
    history = pd.read_csv(next(train_cnn.DATA.glob("cnn-*-history.csv")).as_posix())
    assert history.epoch.tolist() == [1, 2, 3] and not list((train_cnn.CACHE / "train").iterdir())


@pytest.mark.parametrize("difference, kept", [(1e-6, True), (0.5, False)])
def test_onnx_is_held_against_the_network_on_test_photos(given, monkeypatch, capsys, difference, kept):
    shapes = []
    monkeypatch.setattr(
        exported, "onnx_difference", lambda content, model, sample: shapes.append(tuple(sample.shape)) or difference
    )
    given.epochs = 1
    train_cnn.train(given, "cpu")
    assert shapes == [(6, 3, 64, 64)] and (given.out / "model.onnx").exists() == kept
    assert "ONNX against PyTorch on 6 real photos" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train_cnn", "search", "pets_export"])
@pytest.mark.parametrize(
    "device, said", [("cuda:99", "torch finds"), ("gpu", "not a device"), ("cuda:x", "not a device")]
)
def test_a_device_that_is_not_there_is_one_line(monkeypatch, capsys, command, device, said):
    import importlib

    module = importlib.import_module(f"scripts.train.{command}")
    monkeypatch.setattr("sys.argv", [command, "--data", "digits", "--device", device])
    assert module.main() == 2 and capsys.readouterr().err.startswith(f"error: --device {device}: {said}")
