"""Two processes on this machine's processor, started by torchrun: the arithmetic of one, one set of tables, one
line for a mistake.
"""

import json
import os
import runpy
import subprocess
import sys

import numpy as np
import pytest
import torch

from scripts.common import device
from scripts.common.errors import UserError
from scripts.common.paths import ROOT
from scripts.train import distributed, exported, results, train_models

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
TRAIN = ["--models", "lenet5", "--epochs", "3", "--device", "cpu", "--precision", "fp32", "--threads", "1"]

# Trains without anything drawn by chance, alone or in two processes; writes weights' sum and test probabilities.
EXACT = """
import json, sys, torch
from torch import nn
from scripts.train import datasets, distributed, fit
from scripts.train.recipe import Recipe
torch.set_num_threads(1)
with distributed.together("cpu"):
    for attempt in range(2):
        try:
            with distributed.first():
                raise ValueError("refused")
        except ValueError:
            print("on")
    assert distributed.same(distributed.rank()) == 0
    rows = torch.arange(7)
    assert distributed.gather(distributed.share(rows), 7).tolist() == list(range(7))
    assert distributed.gather(distributed.share(rows[:1]), 1).tolist() == [0]  # fewer rows than processes
    torch.manual_seed(distributed.rank())  # each its own weights, until DDP makes them one
    model = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.GELU(), nn.Flatten(), nn.Linear(200, 10))
    # a batch of 33 that two processes cannot halve; no crops, colours, dropout or batch norm
    recipe = Recipe(epochs=2, batch=33, scale=1.0, ratio=1.0, colour=0.0, ema=0.9)
    trainer = fit.Trainer(model, datasets.digits(12), recipe, 1)
    outcome = trainer.run()
    weights = torch.cat([value.flatten() for value in trainer.model.state_dict().values()])
    if not distributed.rank():
        json.dump({"weights": weights.tolist(), "probabilities": outcome.probabilities.tolist(), "notes": outcome.notes,
                   "loss": [row["train_loss"] for row in outcome.history]}, open(sys.argv[1], "w"))
"""


def run(folder, *words: str) -> subprocess.CompletedProcess:
    """A program or module in two processes; its cache lies in `folder`."""
    return subprocess.run(
        [*TORCHRUN, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "BEST_IMAGE_MODELS_CACHE": str(folder / "cache"),
            "OMP_NUM_THREADS": "1",
        },
    )


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """(what two processes said, the file that they wrote) of EXACT."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "exact.py").write_text(EXACT)
    return run(folder, str(folder / "exact.py"), str(folder / "two.json")), folder / "two.json"


@pytest.fixture
def one_thread():
    """Torch as the others have it, whatever the test sets."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_failure_of_the_first_does_not_leave_the_others_waiting(two):
    done, _ = two
    assert done.returncode == 0 and done.stdout.count("on") == 2, done.stderr[-2000:]  # the second process is silent


def test_two_processes_compute_what_one_does(two, tmp_path, monkeypatch, moved, one_thread):
    moved(CACHE=tmp_path / "cache")
    (tmp_path / "exact.py").write_text(EXACT)
    monkeypatch.setattr(sys, "argv", ["exact.py", str(tmp_path / "one.json")])
    runpy.run_path(str(tmp_path / "exact.py"))
    alone, both = (json.loads(path.read_text()) for path in (tmp_path / "one.json", two[1]))
    assert np.abs(np.subtract(alone["weights"], both["weights"])).max() < 1e-4
    assert np.abs(np.subtract(alone["probabilities"], both["probabilities"])).max() < 1e-3
    assert np.allclose(alone["loss"], both["loss"], atol=1e-4)
    assert both["notes"] == ["2 processes (gloo)"] and alone["notes"] == []


def test_the_zoo_trained_by_two_is_that_of_one_within_its_spread(tmp_path, moved, one_thread):
    moved(CACHE=tmp_path / "cache")
    places = ["--out", str(tmp_path / "two"), "--keep", str(tmp_path / "models")]
    done = run(tmp_path, "-m", "scripts.train.train_models", *TRAIN, *places)
    assert done.returncode == 0, done.stderr[-2000:]
    path = train_models.train(train_models.arguments([*TRAIN, "--seeds", "3", "--out", str(tmp_path / "one")]))
    alone, both = results.read(path), results.read(results.runs(tmp_path / "two")[0])
    assert len(both) == 1 and "2 processes" in both["note"][0]  # one process writes
    for column in ("epochs", "batch", "lr", "train_images", "test_images"):
        assert both[column][0] == alone[column][0]
    error = np.sqrt(alone["accuracy"].mean() * (1 - alone["accuracy"].mean()) / alone["test_images"][0])
    assert abs(both["accuracy"][0] - alone["accuracy"].mean()) <= 2 * alone["accuracy"].std() + 2 * error
    history = results.read(results.part(results.runs(tmp_path / "two")[0], "-history"))
    assert list(history["epoch"]) == [1, 2, 3]
    assert done.stderr.count("1,438 images to train on") == 1  # one process speaks
    config = exported.load(tmp_path / "models" / "digits-lenet5-0").config
    assert (
        config.classes == tuple("0123456789") and config.side == config.size
    )  # digits are tested without a margin, and so they are served


def test_a_mistake_of_all_is_said_once(tmp_path):
    done = run(tmp_path, "-m", "scripts.train.train_models", *TRAIN, "--batch", "3", "--out", str(tmp_path / "out"))
    assert done.returncode != 0 and done.stderr.count("over 2 processes leaves fewer than 2 images for each") == 1
    assert not results.runs(tmp_path / "out")


def test_each_process_takes_its_own_gpu(monkeypatch):
    for name, value in (("TORCHELASTIC_RUN_ID", "x"), ("WORLD_SIZE", "2"), ("RANK", "1"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(device, "found", lambda: ("cuda", 2))
    assert distributed.device("auto") == "cuda:1" and distributed.device("cpu") == "cpu"
    monkeypatch.setattr(device, "found", lambda: ("cuda", 1))
    with pytest.raises(UserError, match="more than the 1 GPUs here"):
        distributed.device("cuda")
    with pytest.raises(UserError, match="leave --device away"):
        distributed.device("cuda:0")
    monkeypatch.setattr(device, "found", lambda: ("mps", 1))
    with pytest.raises(UserError, match="can't train together"):
        distributed.device("auto")


def test_variables_of_other_launchers_are_not_for_us(monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("RANK", "3")
    assert distributed.world() == 1 and distributed.rank() == 0
