"""Measuring one model: what a row holds, and what becomes of models that fail."""

from __future__ import annotations

import gc
import json
import sys
import weakref
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")

from scripts.bench import loaded, measure, settings, worker
from scripts.bench.settings import Settings
from scripts.common import device
from scripts.common.errors import UserError

FAST = Settings(seconds=0.2, batch=2)


class Odd(torch.nn.Module):
    """A model of our own for timm.create_model: `behave` may raise, or spoil the output."""

    def __init__(self, behave):
        super().__init__()
        self.num_classes, self.behave = 10, behave
        self.head = torch.nn.Linear(3, 10)

    def forward(self, images):
        return self.behave(self.head(images.mean((2, 3))))


@pytest.fixture
def odd(monkeypatch):
    def use(behave):
        monkeypatch.setattr(timm, "create_model", lambda name, **_: Odd(behave))

    return use


def test_an_inference_row_is_whole():
    row = measure.measure("test_resnet", FAST, {"matmul_tflops": 0.1, "copy_gbps": 20})
    assert list(row) == measure.columns("infer") and row["status"] == "ok" and row["reason"] == ""
    rate = row["infer_samples_per_sec"]
    assert row["samples_per_sec_low"] <= rate <= row["samples_per_sec_high"]
    assert rate == pytest.approx(2000 / row["infer_step_time"], rel=1e-3)
    assert row["step_p50_ms"] <= row["step_p90_ms"] <= row["step_p99_ms"]
    assert (row["infer_batch_size"], row["infer_img_size"], row["batch_halved"]) == (2, 160, 0)
    assert 0 < row["arithmetic_pct"] <= row["roofline_pct"]
    assert row["wall_secs"] >= row["timed_secs"] > 0
    json.dumps(row)


def test_a_training_row_has_its_own_columns_and_auto_finds_a_batch():
    row = measure.measure("test_vit", Settings(part="train", seconds=0.4))
    assert row["status"] == "ok" and row["train_samples_per_sec"] > 0 and row["train_batch_size"] >= 2
    assert not any(name.startswith("infer_") for name in row)


@pytest.mark.parametrize("change", [{"precision": "bf16"}, {"precision": "amp"}, {"layout": "nhwc"}, {"img_size": 64}])
def test_each_setting_measures(change):
    row = measure.measure("test_resnet", Settings(seconds=0.05, batch=1, **change))
    assert row["status"] == "ok", row["reason"]
    assert all(row[key] == value for key, value in change.items() if key != "img_size")
    assert row["infer_img_size"] == change.get("img_size", 160)


@pytest.mark.parametrize("fastest", [1, 2])
def test_batch_auto_measures_single_images_too_and_nothing_twice(monkeypatch, fastest):
    timed, time = [], loaded.Bench.time
    monkeypatch.setattr(measure, "fastest_batch", lambda bench, budget: fastest)
    monkeypatch.setattr(loaded.Bench, "time", lambda self, batch, *more, **rest: (
        timed.append(batch), time(self, batch, *more, **rest))[1])  # fmt: skip
    row = measure.measure("test_vit", Settings(seconds=0.4))
    assert row["batch_asked"] == "auto" and 0 < row["batch1_p50_ms"] <= row["batch1_p90_ms"]
    assert timed == list(dict.fromkeys([1, fastest])), timed


def test_the_search_for_a_batch_takes_a_slow_first_step_for_an_answer_at_the_smallest_batch_only():
    asked = []
    model = SimpleNamespace(settings=SimpleNamespace(kind="cpu", part="infer"), first_seconds=0.0, free=lambda: None)
    model.probe = lambda batch, seconds, slow_seconds: asked.append((batch, slow_seconds)) or 0.2 * batch
    assert measure.fastest_batch(model, budget=8.0) == 1
    assert asked == [(1, 1.0), (2, 2.0), (4, 2.0)]


def test_not_finite_output_has_no_figures(odd):
    odd(lambda out: out / 0 * 0)
    row = measure.measure("test_vit", FAST)
    assert (
        row["status"] == "nonfinite"
        and "NaN" in row["reason"]
        and row["infer_samples_per_sec"] == ""
        and row["infer_batch_size"] == 2
    )


def test_memory_that_runs_out_halves_the_batch_and_says_so(odd):
    def behave(out):
        if len(out) > 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")
        return out

    odd(behave)
    row = measure.measure("test_vit", Settings(seconds=0.2, batch=8))
    assert (row["status"], row["infer_batch_size"], row["batch_halved"], row["batch_asked"]) == ("ok", 2, 2, 8)
    row = measure.measure("test_vit", Settings(seconds=0.2))
    assert row["status"] == "ok" and row["infer_batch_size"] <= 2


def test_a_larger_batch_that_a_kernel_refuses_ends_the_search(odd):
    def behave(out):
        if len(out) > 2:
            raise RuntimeError("input tensor must fit into 32-bit index math")
        return out

    odd(behave)
    row = measure.measure("test_vit", Settings(seconds=0.2))
    assert row["status"] == "ok" and row["infer_batch_size"] <= 2


def test_memory_grows_with_the_batch():
    small, large = (
        measure.measure("test_resnet", Settings(seconds=0.05, batch=batch))["peak_memory_mb"] for batch in (1, 32)
    )
    if sys.platform == "linux":
        assert large > small + 5
    else:  # no other system says what the peak was since a moment
        assert small == large == ""


def test_a_model_that_holds_itself_is_freed_though_the_collector_looks_past_the_imports(monkeypatch):
    created, build = [], timm.create_model

    def cyclic(*arguments, **options):
        model = build(*arguments, **options)
        model.held = [model]
        created.append(weakref.ref(model))
        return model

    monkeypatch.setattr(timm, "create_model", cyclic)
    worker.import_once.cache_clear()
    gc.unfreeze()
    try:
        rows = [worker.measure(name, Settings(seconds=0.1, batch=1), {}) for name in ("test_vit", "test_resnet")]
        assert gc.get_freeze_count() > 10_000 and [row["status"] for row in rows] == ["ok", "ok"]
        assert len(created) == 4 and not [ref for ref in created if ref()]
    finally:
        gc.freeze()


def test_memory_that_never_suffices_is_a_row(odd):
    def behave(out):
        raise torch.OutOfMemoryError("CUDA out of memory")

    odd(behave)
    for batch in (4, None):
        row = measure.measure("test_vit", Settings(seconds=0.05, batch=batch))
        assert row["status"] == "failed" and "memory" in row["reason"]


def test_a_failing_model_is_a_row_with_its_reason_on_one_line(odd):
    def behave(out):
        raise ValueError("two\nlines")

    odd(behave)
    row = measure.measure("test_vit", FAST)
    assert row["status"] == "failed" and row["reason"] == "ValueError: two lines" and row["infer_samples_per_sec"] == ""


def test_a_cuda_fault_ends_the_process(odd):
    def behave(out):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    odd(behave)
    with pytest.raises(RuntimeError, match="illegal"):
        measure.measure("test_vit", FAST)


def test_sizes_are_those_of_timms_own_benchmark():
    assert loaded.input_size("resnet50", "infer") == (3, 288, 288)
    assert loaded.input_size("resnet50", "train") == (3, 224, 224)
    assert loaded.input_size("resnet50", "train", 96) == (3, 96, 96)


def test_inputs_rotate_beyond_the_last_level_cache(monkeypatch):
    monkeypatch.setattr(loaded, "last_level_cache", lambda device: 10_000_000)
    bench = loaded.Bench("test_resnet", FAST)
    images = bench.inputs(2)
    assert sum(image.numel() * 4 for image in images) >= 2 * 10_000_000
    assert not torch.equal(images[0], images[1]) and len(bench.inputs(64)) == 2


def test_a_gpu_that_is_not_there_is_one_line(monkeypatch):
    monkeypatch.setattr(device, "found", lambda: ("", 0))
    assert settings.check_device("auto") == "cpu" and settings.check_device("cpu") == "cpu"
    for name in ("cuda", "cuda:3", "mps", "xpu", "xpu:1", "tpu", "cpu:1", "cuda:x", ""):
        with pytest.raises(UserError, match="--device"):
            settings.check_device(name)


def test_command_line_prints_one_row(capsys):
    import sys

    arguments, sys.argv = sys.argv, ["measure", "test_vit", "--batch", "1", "--seconds", "0.2", "--device", "cpu"]
    try:
        assert measure.main() == 0
    finally:
        sys.argv = arguments
    assert json.loads(capsys.readouterr().out)["infer_batch_size"] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--batch", "0"],
        ["--batch", "many"],
        ["--threads", "0"],
        ["--threads", "9999"],
        ["--seconds", "0"],
        ["--seconds", "nan"],
        ["--img-size", "1"],
        ["--cuda-graph"],
    ],
)
def test_settings_that_make_no_sense_are_one_line(arguments):
    import argparse

    parser = argparse.ArgumentParser()
    settings.add_arguments(parser)
    with pytest.raises(UserError, match=arguments[0]):
        settings.settings_from(parser.parse_args(arguments), "cpu")


def test_a_gpu_takes_autocast_and_channels_last_by_default():
    assert (
        settings.defaults("cuda:1", "train")["precision"] == "amp"
        and settings.defaults("cuda", "infer")["layout"] == "nhwc"
    )
    assert settings.defaults("cpu", "infer")["precision"] == "fp32"
