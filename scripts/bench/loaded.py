"""One model on the device, ready to be timed at any batch size; and the memory it takes."""

from __future__ import annotations

import gc
import math
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path

from scripts.bench import nvml
from scripts.bench.settings import Settings
from scripts.bench.timing import CpuClock, QueueClock, Timing, probe, time_steps
from scripts.common import device as devices
from scripts.runtimes import allocator


class OutOfMemory(Exception):
    """The batch does not fit."""


def is_out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or "out of memory" in text
        or "not enough memory" in text
        or "can't allocate memory" in text
        or "alloc_failed" in text
    )


def input_size(model_name: str, part: str, img_size: int | None = None) -> tuple[int, int, int]:
    """(channels, height, width) as timm's own benchmark takes it: the test size for inference where the model has
    one, else the training size.
    """
    import timm

    config = timm.models.get_pretrained_cfg(model_name)
    size = (
        (config.test_input_size if part == "infer" and config.test_input_size else config.input_size)
        if config
        else (3, 224, 224)
    )
    return (size[0], img_size, img_size) if img_size else tuple(size)


class Bench:
    """One model on the device with its settings. `time(batch, seconds)` measures it at one batch size."""

    def __init__(self, name: str, settings: Settings):
        import timm
        import torch

        from scripts.bench.count import size_argument

        self.settings, self.torch = settings, torch
        self.size = input_size(name, settings.part, settings.img_size)
        self.compile_seconds = self.first_seconds = 0.0
        self.meter = nvml.meter(settings.device)
        self.clock = QueueClock(settings.kind) if settings.group == "gpu" else CpuClock(settings.threads)
        start = time.perf_counter()
        try:
            with torch.device(
                settings.device
            ):  # random weights are drawn where they are used: seconds saved for large models
                self.model = timm.create_model(name, **size_argument(name, self.size))
        except (RuntimeError, TypeError, NotImplementedError):  # a few compute with NumPy while they are built
            self.model = timm.create_model(name, **size_argument(name, self.size))
        self.classes = getattr(self.model, "num_classes", 0) or 1000
        self.model.to(device=settings.device, dtype=torch.bfloat16 if settings.precision == "bf16" else None)
        if settings.layout == "nhwc":
            self.model.to(memory_format=torch.channels_last)
        self.model.train(settings.part == "train")
        self.call = self.model
        self.build_seconds = time.perf_counter() - start

    def autocast(self):
        if self.settings.precision != "amp":
            return nullcontext()
        dtype = devices.amp_type(self.settings.kind)
        return self.torch.autocast(self.settings.kind, dtype=dtype, cache_enabled=not self.settings.cuda_graph)

    def inputs(self, batch: int) -> list:
        """Random images, as many batches as twice the last-level cache holds (at least two, at most 64): the first
        one's, each shifted by a pixel more, since drawing them all takes a twentieth of a model's time.
        """
        torch, settings = self.torch, self.settings
        shape = (batch, *self.size)
        a_batch = math.prod(shape) * (2 if settings.precision == "bf16" else 4)
        many = min(64, max(2, math.ceil(2 * last_level_cache(settings.device) / a_batch)))
        dtype = torch.bfloat16 if settings.precision == "bf16" else torch.float32
        layout = torch.channels_last if settings.layout == "nhwc" else torch.contiguous_format
        drawn = torch.randn(shape, device=settings.device, dtype=dtype)
        return [drawn.roll(by, -1).contiguous(memory_format=layout) for by in range(many)]

    def step(self, batch: int):
        """(step, finite): a callable of a counter that runs the model once, and one that tells whether its last
        output was finite.
        """
        torch, images = self.torch, self.inputs(batch)
        last = {}
        if self.settings.part == "infer":

            def step(i: int):
                with self.autocast():
                    last["out"] = self.call(images[i % len(images)])

            if self.settings.cuda_graph:
                step = self._graphed(step, images, last)
        else:
            labels = [torch.randint(self.classes, (batch,), device=self.settings.device) for _ in images]
            loss = torch.nn.CrossEntropyLoss()
            optimiser = torch.optim.SGD(
                self.model.parameters(), lr=1e-4, momentum=0.9, fused=devices.traits(self.settings.kind).fused or None
            )
            half = self.settings.precision == "amp" and devices.amp_type(self.settings.kind) == torch.float16
            scaler = torch.amp.GradScaler(self.settings.kind, enabled=half)

            def step(i: int):
                with self.autocast():
                    out = self.call(images[i % len(images)])
                    last["out"] = loss(out[0] if isinstance(out, tuple) else out, labels[i % len(images)])
                scaler.scale(last["out"]).backward()
                scaler.step(optimiser)
                scaler.update()
                optimiser.zero_grad(set_to_none=True)

        finite = lambda: all(bool(out.isfinite().all()) for out in torch.utils._pytree.tree_leaves(last["out"]))
        return step, finite

    def _graphed(self, step, images: list, last: dict):
        """`step` as a captured CUDA graph: an image batch is copied to its place, then one launch replays every
        kernel.
        """
        place = images[0].clone()
        rotating, images[:] = list(images), [place]
        again = devices.captured(lambda: step(0))

        def replay(i: int):
            place.copy_(rotating[i % len(rotating)])
            again()

        return replay

    @contextmanager
    def ready(self, batch: int):
        """(step, finite) as `step` gives them, run once; memory that runs out is OutOfMemory."""
        try:
            with self.torch.inference_mode() if self.settings.part == "infer" else nullcontext():
                step, finite = self.step(batch)
                start = time.perf_counter()
                step(0)
                finite()  # waits for the device
                self.first_seconds = time.perf_counter() - start
                if self.call is not self.model and not self.compile_seconds:
                    self.compile_seconds = self.first_seconds
                yield step, finite
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                raise OutOfMemory(str(error)) from None
            raise

    def time(self, batch: int, seconds: float, warm_seconds: float, alone: bool = False) -> Timing | None:
        """The timing at `batch`; None where the output was not finite. Raises OutOfMemory.

        alone: each step waits for the last one's answer, as a single request does; otherwise a GPU's queue is kept
        full.
        """
        with self.ready(batch) as (step, finite):
            if not finite():
                return None
            if alone and self.settings.group == "gpu":
                timing = time_steps(
                    lambda i: (step(i), devices.synchronize(self.settings.kind)),
                    CpuClock(threads=0),
                    seconds,
                    warm_seconds,
                )
            else:
                timing = time_steps(step, self.clock, seconds, warm_seconds, self.meter)
            return timing if finite() else None

    def probe(self, batch: int, seconds: float, slow_seconds: float = math.inf) -> float:
        """Seconds of a step at `batch`, roughly; on a CPU of the first step where that took over `slow_seconds`.
        Raises OutOfMemory.
        """
        with self.ready(batch) as (step, _):
            slow = self.settings.kind == "cpu" and self.first_seconds > slow_seconds
            return self.first_seconds if slow else probe(step, self.clock, seconds)

    def compile(self) -> None:
        """Compile the model; it happens at the first call. For inference, weights become constants (Inductor's
        freezing).
        """
        if self.settings.part == "infer":
            import torch._inductor.config as inductor

            inductor.freezing = True
        self.call = self.torch.compile(self.model, mode=self.settings.compile_mode, dynamic=False)

    def free(self) -> None:
        """Give back what the last batch held."""
        gc.collect()
        devices.empty_cache(self.settings.kind)


def last_level_cache(device: str) -> int:
    """Bytes of the last-level cache; 32 MB where the machine does not say."""
    if devices.on_gpu(device):
        return devices.cache_bytes(device) or 32 << 20
    try:
        text = Path("/sys/devices/system/cpu/cpu0/cache/index3/size").read_text(encoding="utf-8").strip()
        return int(text[:-1]) << {"K": 10, "M": 20}[text[-1]]
    except (OSError, ValueError, KeyError):
        return 32 << 20


class Memory:
    """Peak memory since `reset`: what the GPU's allocator says, or how much the process has grown since this was
    made (Linux; NaN elsewhere).
    """

    def __init__(self, device: str):
        gc.collect()
        allocator.give_back()  # what the models before left
        self.device = device
        self.before = (
            math.nan if devices.on_gpu(device) or not Path("/proc/self/status").exists() else self._status("VmRSS")
        )

    def reset(self) -> None:
        if devices.on_gpu(self.device):
            devices.reset_peak(self.device)
            return
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets the high-water mark
        except OSError:
            self.before = math.nan

    @staticmethod
    def _status(field: str) -> float:
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
        return math.nan

    def peak_mb(self) -> float:
        if devices.on_gpu(self.device):
            return devices.peak_bytes(self.device) / 2**20
        return self._status("VmHWM") - self.before if self.before == self.before else math.nan
