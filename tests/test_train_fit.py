import dataclasses
import sys

import numpy as np
import pytest
import torch
from torch import nn

from scripts.common.errors import UserError
from scripts.train import datasets, fit
from scripts.train.recipe import Recipe
from tests.threads import one_thread  # noqa: F401 - used by every test of the module

RECIPE = Recipe(epochs=3, batch=32, scale=0.7, lr=5e-3)


@pytest.fixture(scope="module")
def digits():
    """The first 300 digits, small."""
    found = datasets.digits(12)
    few = slice(0, 300)
    return dataclasses.replace(
        found, pixels=found.pixels[few], labels=found.labels[few], test=found.test[few], files=found.files[few]
    )


def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Dropout(0.1), nn.Linear(400, 10)
    )


def trainer(digits, model=None, recipe=RECIPE, **options):
    return fit.Trainer(model or net(), digits, recipe, seed=1, **options)


def weights(trained) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in trained.model.state_dict().values()])


def test_it_learns_and_counts(digits):
    outcome = trainer(digits, recipe=dataclasses.replace(RECIPE, epochs=12, ema=0.9)).run()
    labels = digits.labels[digits.test]
    assert (outcome.probabilities.argmax(1) == labels).mean() > 0.7
    assert outcome.probabilities.shape == (len(labels), 10) and np.allclose(outcome.probabilities.sum(1), 1, atol=1e-5)
    elapsed = [row["elapsed_seconds"] for row in outcome.history]
    assert len(elapsed) == 12 and elapsed == sorted(elapsed) and outcome.train_seconds == elapsed[-1]
    assert outcome.history[-1]["train_loss"] < outcome.history[0]["train_loss"] and outcome.infer_images_per_sec > 0
    if sys.platform == "linux":
        assert outcome.peak_memory_mb > 10
    else:  # no other system says what the peak was since a moment
        assert np.isnan(outcome.peak_memory_mb)


def test_the_same_seed_gives_the_same_network_and_another_does_not(digits):
    one, again = trainer(digits), trainer(digits)
    other = fit.Trainer(net(), digits, RECIPE, seed=2)
    for each in (one, again, other):
        each.run()
    assert torch.equal(weights(one), weights(again)) and not torch.equal(weights(one), weights(other))


@pytest.mark.parametrize("extra", [{}, {"ema": 0.9, "mix": 0.5}])
def test_a_resumed_run_equals_an_uninterrupted_one(digits, tmp_path, monkeypatch, extra):
    monkeypatch.setattr(fit, "CHECKPOINT_SECONDS", 0)
    recipe = dataclasses.replace(RECIPE, **extra)
    whole = trainer(digits, recipe=recipe)
    whole.run()

    class Killed(Exception):
        pass

    def kill(text):
        if text.startswith("epoch 3/"):
            raise Killed  # after two checkpoints, before the third

    with pytest.raises(Killed):
        trainer(digits, recipe=recipe, checkpoint=tmp_path / "a.pt", report=kill).run()
    resumed = trainer(digits, recipe=recipe, checkpoint=tmp_path / "a.pt")
    outcome = resumed.run()
    assert torch.equal(weights(whole), weights(resumed))
    assert [row["train_loss"] for row in outcome.history] == [row["train_loss"] for row in whole.history]
    assert outcome.notes == ["resumed after epoch 2"]


@pytest.mark.parametrize("spoil", ["truncate", "pickle", "other"])
def test_a_checkpoint_that_is_no_use_is_said_and_not_run(digits, tmp_path, monkeypatch, capsys, spoil):
    monkeypatch.setattr(fit, "CHECKPOINT_SECONDS", 0)
    path = tmp_path / "a.pt"
    trainer(digits, checkpoint=path).run()
    if spoil == "truncate":
        path.write_bytes(path.read_bytes()[:2000])
    elif spoil == "pickle":

        class Evil:
            def __reduce__(self):
                return (open, (str(tmp_path / "owned"), "w"))

        torch.save({"identity": Evil()}, path)
    else:
        torch.save({"identity": {"seed": 77}}, path)
    outcome = trainer(digits, checkpoint=path).run()
    assert len(outcome.history) == 3 and not outcome.notes and not (tmp_path / "owned").exists()
    said = capsys.readouterr().err
    assert "a.pt: not used" in said and said.count("\n") == 1


class Greedy(nn.Module):
    """Runs out of memory above `most` pictures at once, as a GPU or a CPU says it."""

    def __init__(self, most, error):
        super().__init__()
        self.net, self.most, self.error, self.largest = net(), most, error, 0

    def forward(self, x):
        if len(x) > self.most:
            raise self.error
        self.largest = max(self.largest, len(x))
        return self.net(x)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_out_of_memory_halves_what_goes_through_at_once_and_says_so(digits, error):
    model, said = Greedy(10, error), []
    outcome = trainer(digits, model, report=said.append).run()
    assert outcome.micro_batch == 8 and model.largest <= 10
    assert (
        outcome.notes == ["out of memory: 8 pictures at once, gradients of 4 such parts added up"]
        and outcome.notes[0] in said
    )
    assert len(outcome.probabilities) == digits.test.sum()


def test_added_gradients_are_those_of_the_whole_batch(digits):
    def without_norm():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(3 * 12 * 12, 10))

    still = dataclasses.replace(RECIPE, scale=1.0, ratio=1.0, colour=0.0, epochs=1)
    whole, parts = trainer(digits, without_norm(), still), trainer(digits, without_norm(), still)
    parts.micro = 5
    whole.run(), parts.run()
    assert torch.allclose(weights(whole), weights(parts), atol=1e-5)


def test_out_of_memory_at_any_size_stops_this_model(digits):
    with pytest.raises(fit.Failed, match="out of memory even with"):
        trainer(digits, Greedy(0, torch.OutOfMemoryError("CUDA out of memory"))).run()


def test_another_error_is_not_taken_for_memory(digits):
    with pytest.raises(RuntimeError, match="shape"):
        trainer(digits, Greedy(0, RuntimeError("shape mismatch"))).run()


def test_a_loss_that_is_no_number_stops_this_model(digits):
    class Diverges(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net()

        def forward(self, x):
            return self.net(x) * float("nan")

    with pytest.raises(fit.Failed, match="the loss is nan in epoch 1; try a smaller --lr"):
        trainer(digits, Diverges()).run()


def test_a_full_disk_is_one_line(digits, small_disk, monkeypatch):
    monkeypatch.setattr(fit, "CHECKPOINT_SECONDS", 0)
    with pytest.raises(UserError, match="disk is full"):
        trainer(digits, checkpoint=small_disk / "a.pt").run()
    assert [file.name for file in small_disk.iterdir()] == ["filler"]


def test_a_batch_larger_than_the_dataset(digits):
    outcome = trainer(digits, recipe=dataclasses.replace(RECIPE, batch=100_000)).run()
    assert len(outcome.history) == 3 and np.isfinite(outcome.history[-1]["train_loss"])


def test_precision_follows_the_hardware_and_the_network(monkeypatch):
    from pathlib import Path

    real = Path.read_text
    for flags, expected in (("avx2 avx512_bf16", "bf16"), ("avx2", "fp32")):
        monkeypatch.setattr(
            Path,
            "read_text",
            lambda path, *a, flags=flags, **k: flags if str(path) == "/proc/cpuinfo" else real(path, *a, **k),
        )
        assert fit.precision_for("cpu", net()) == expected
        assert fit.precision_for("cpu", nn.Conv2d(8, 8, 3, groups=8)) == "fp32"  # depthwise: slower in bf16


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("precision", ["bf16", "fp16", "fp32"])
def test_on_a_gpu(digits, precision):
    outcome = trainer(
        digits, recipe=dataclasses.replace(RECIPE, epochs=12, mix=0.5, ema=0.9), device="cuda", precision=precision
    ).run()
    assert (outcome.probabilities.argmax(1) == digits.labels[digits.test]).mean() > 0.6 and outcome.peak_memory_mb > 0


def test_a_compiler_that_fails_is_done_without(digits, monkeypatch):
    def compiler(model, mode=None):
        def broken(x):
            raise RuntimeError("Triton is not there")

        return broken

    monkeypatch.setattr(torch, "compile", compiler)
    trained = trainer(digits, compiled=True)
    outcome = trained.run()
    assert outcome.notes == ["not compiled: RuntimeError"] and not trained.compiled and len(outcome.history) == 3
