"""Two processes on this machine's processor, started by torchrun: the arithmetic of one, one set of tables, one
line for a mistake.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from scripts.common import device
from scripts.common.errors import UserError
from scripts.common.paths import ROOT
from scripts.train import distributed, results

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
TRAIN = ["--models", "lenet5", "--epochs", "3", "--device", "cpu", "--precision", "fp32", "--threads", "1"]

# Trains without anything drawn by chance, alone or in two processes; prints weights' sum and test probabilities.
EXACT = """
import json, sys, torch
from torch import nn
from scripts.train import datasets, distributed, fit
from scripts.train.recipe import Recipe
torch.set_num_threads(1)
with distributed.together("cpu"):
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


def run(command, tmp_path):
    return subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "BEST_IMAGE_MODELS_CACHE": str(tmp_path / "cache"),
            "OMP_NUM_THREADS": "1",
        },
    )


def test_two_processes_compute_what_one_does(tmp_path):
    script = tmp_path / "exact.py"
    script.write_text(EXACT)
    done = run([*TORCHRUN, str(script), str(tmp_path / "two.json")], tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert run([sys.executable, str(script), str(tmp_path / "one.json")], tmp_path).returncode == 0
    one, two = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("one", "two"))
    assert np.abs(np.subtract(one["weights"], two["weights"])).max() < 1e-4
    assert np.abs(np.subtract(one["probabilities"], two["probabilities"])).max() < 1e-3 and np.allclose(
        one["loss"], two["loss"], atol=1e-4
    )
    assert two["notes"] == ["2 processes (gloo)"] and one["notes"] == []


def test_the_zoo_trained_by_two_is_that_of_one_within_its_spread(tmp_path):
    alone = run(
        [sys.executable, "-m", "scripts.train.train_models", *TRAIN, "--seeds", "3", "--out", str(tmp_path / "one")],
        tmp_path,
    )
    assert alone.returncode == 0, alone.stderr[-2000:]
    both = run(
        [
            *TORCHRUN,
            "-m",
            "scripts.train.train_models",
            *TRAIN,
            "--out",
            str(tmp_path / "two"),
            "--keep",
            str(tmp_path / "models"),
        ],
        tmp_path,
    )
    assert both.returncode == 0, both.stderr[-2000:]
    one, two = (results.read(results.runs(tmp_path / name)[0]) for name in ("one", "two"))
    assert len(two) == 1 and "2 processes" in two["note"][0]  # one process writes
    for column in ("epochs", "batch", "lr", "train_images", "test_images"):
        assert two[column][0] == one[column][0]
    error = np.sqrt(one["accuracy"].mean() * (1 - one["accuracy"].mean()) / one["test_images"][0])
    assert abs(two["accuracy"][0] - one["accuracy"].mean()) <= 2 * one["accuracy"].std() + 2 * error
    history = results.read(results.part(results.runs(tmp_path / "two")[0], "-history"))
    assert list(history["epoch"]) == [1, 2, 3]
    assert both.stderr.count("1,438 images to train on") == 1  # one process speaks
    from scripts.train import exported

    config = exported.load(tmp_path / "models" / "digits-lenet5-0").config
    assert (
        config.classes == tuple("0123456789") and config.side == config.size
    )  # digits are tested without a margin, and so they are served


def test_a_mistake_of_all_is_said_once(tmp_path):
    done = run(
        [*TORCHRUN, "-m", "scripts.train.train_models", *TRAIN, "--batch", "3", "--out", str(tmp_path / "out")],
        tmp_path,
    )
    assert done.returncode != 0 and done.stderr.count("over 2 processes leaves fewer than 2 images for each") == 1
    assert not results.runs(tmp_path / "out")


def test_a_failure_of_the_first_does_not_leave_the_others_waiting(tmp_path):
    (tmp_path / "fails.py").write_text("""
from scripts.train import distributed
with distributed.together("cpu"):
    for attempt in range(2):
        try:
            with distributed.first():
                raise ValueError("refused")
        except ValueError:
            print("on")
    assert distributed.same(distributed.rank()) == 0
""")
    done = run([*TORCHRUN, str(tmp_path / "fails.py")], tmp_path)
    assert done.returncode == 0 and done.stdout.count("on") == 2, done.stderr[-2000:]  # the second process is silent


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
