"""An accelerator's paths without one: the same code on the CPU, with stand-ins for what only NVIDIA's, Apple's and
Intel's have (events, streams, graphs), under the names that each has in PyTorch.
"""

from __future__ import annotations

import contextlib
import time
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from scripts.bench import loaded, measure, roofline, settings
from scripts.bench.settings import Settings


class OnStandIn(Settings):
    """Settings of a GPU, though the tensors stay on the CPU."""

    kind = property(lambda self: "cuda")


class OnMetal(Settings):
    kind = property(lambda self: "mps")


class OnIntel(Settings):
    kind = property(lambda self: "xpu")


class Event:
    def __init__(self, enable_timing):
        assert enable_timing

    def record(self):
        self.at = time.perf_counter()

    def synchronize(self):
        assert self.at

    def elapsed_time(self, other):
        return 1e3 * (other.at - self.at)


@pytest.fixture(params=["cuda"])
def gpu(monkeypatch, request):
    """What was asked of the stand-in, by name."""
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here: the sweep itself is the test")
    asked = []
    note = lambda name, answer=None: lambda *arguments, **_: asked.append(name) or answer
    stream = SimpleNamespace(wait_stream=lambda other: None)
    for name, value in {
        "Event": Event,
        "synchronize": note("synchronize"),
        "set_device": note("set_device"),
        "empty_cache": note("empty_cache"),
        "Stream": lambda: stream,
        "current_stream": lambda: stream,
        "stream": lambda _: contextlib.nullcontext(),
        "CUDAGraph": lambda: SimpleNamespace(replay=note("replay")),
        "graph": lambda _: contextlib.nullcontext(),
    }.items():
        if hasattr(there := torch.get_device_module(request.param), name):
            monkeypatch.setattr(there, name, value)
    monkeypatch.setitem(measure.BATCHES, ("gpu", "infer"), (2, 8))
    monkeypatch.setitem(measure.BATCHES, ("gpu", "train"), (2, 4))
    return asked


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "part, precision, layout",
    [
        ("infer", "amp", "nhwc"),
        ("infer", "bf16", "nhwc"),
        ("infer", "fp32", "nchw"),
        ("train", "amp", "nhwc"),
        ("train", "bf16", "nchw"),
    ],
)
def test_a_row_by_events_and_autocast(gpu, part, precision, layout):
    row = measure.measure(
        "test_vit",
        OnStandIn(part=part, precision=precision, layout=layout, seconds=0.03),
        {"matmul_tflops": 1.0, "copy_gbps": 10.0},
    )
    assert row["status"] == "ok", row["reason"]
    assert row[f"{part}_samples_per_sec"] > 0 and row["core_share"] == "" and row["roofline_pct"] > 0
    assert "empty_cache" in gpu and ("synchronize" in gpu) == (part == "infer")  # a single image is waited for
    assert bool(row["batch1_p50_ms"]) == (part == "infer")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("gpu, on", [("mps", OnMetal), ("xpu", OnIntel)], indirect=["gpu"])
@pytest.mark.parametrize("part, precision", [("infer", "amp"), ("train", "amp"), ("infer", "fp32")])
def test_apples_and_intels_gpus_are_measured_by_the_same_code(gpu, on, part, precision, monkeypatch):
    monkeypatch.setattr(torch, "autocast", lambda kind, **_: contextlib.nullcontext())  # on tensors that are there
    monkeypatch.setattr(torch.amp, "GradScaler", lambda kind, enabled: torch.cpu.amp.GradScaler(enabled=False))
    row = measure.measure("test_resnet", on(part=part, precision=precision, layout="nhwc", seconds=0.03))
    assert row["status"] == "ok", row["reason"]
    assert row[f"{part}_samples_per_sec"] > 0 and row["core_share"] == "" and "empty_cache" in gpu
    assert ("synchronize" in gpu) == (part == "infer") and row["sm_clock_mhz"] == ""


@pytest.mark.filterwarnings("ignore")
def test_a_captured_graph_is_replayed_on_new_images(gpu):
    row = measure.measure("test_vit", OnStandIn(precision="bf16", cuda_graph=True, batch=2, seconds=0.03))
    assert row["status"] == "ok" and row["cuda_graph"] is True and gpu.count("replay") >= row["warm_steps"]


class Searched:
    """A model of which only the time of a step is known: per batch, the first and the later ones."""

    def __init__(self, kind, first, later):
        self.settings, self.first, self.later, self.tried = SimpleNamespace(kind=kind, part="infer"), first, later, []

    def free(self):
        pass

    def probe(self, batch, seconds, slow_seconds):
        self.tried.append(batch)
        self.first_seconds = self.first
        return self.later(batch)


def test_the_search_for_a_batch_does_not_count_what_a_first_step_compiles(monkeypatch):
    now = iter(range(0, 10**6, 2))
    monkeypatch.setattr(measure.time, "perf_counter", lambda: float(next(now)))  # each probe takes two seconds
    model = Searched("cuda", first=2.0, later=lambda batch: 0.01 + batch / 1e5)
    assert measure.fastest_batch(model, budget=4.0) == 1024 and model.tried == [128, 256, 512, 1024]
    slow = Searched("cuda", first=0.0, later=lambda batch: 0.01 + batch / 1e5)
    assert measure.fastest_batch(slow, budget=4.0) == 128 and slow.tried == [128]


def test_a_slow_first_step_counts_as_the_speed_on_a_processor_only():
    for kind, expected in (("cpu", 5.0), ("cuda", 0.001)):
        bench = loaded.Bench.__new__(loaded.Bench)
        bench.settings = SimpleNamespace(kind=kind)
        bench.clock = SimpleNamespace(run=lambda step, first, count, meter=None: ([0.001] * count, float("nan")))

        @contextlib.contextmanager
        def ready(batch):
            bench.first_seconds = 5.0  # noqa: B023 - called within the turn
            yield (lambda i: None), (lambda: True)

        bench.ready = ready
        assert bench.probe(128, 0.1, slow_seconds=4.0) == expected and bench.probe(128, 0.1) == 0.001


def test_a_device_by_number_is_the_current_one_for_models_and_ceilings(gpu, monkeypatch):
    chosen = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(torch, "set_float32_matmul_precision", chosen.append)
    settings.prepare("cuda:3", 1)
    settings.prepare("cuda", 1)
    settings.prepare("cpu", 1)
    assert chosen == ["cuda:3", "high", 0, "high"]
    monkeypatch.setattr(roofline, "prepare", lambda device, threads: (_ for _ in ()).throw(KeyError(device)))
    with pytest.raises(KeyError, match="cuda:3"):
        roofline.ceilings("cuda:3", "bf16", 1)
