"""Measure one timm model on this machine: how many images a second it classifies, or trains on.

Random weights and random images, held on the device and rotated so that none is still in the last-level cache; inference mode, or a
whole training step (forward, loss, backward, optimiser). `timing` says when it is warm and when it is known well enough. Out comes one
row: timm's columns, then ours (`columns`). A model that fails is a row with its reason.

    python -m scripts.bench.measure resnet50                      # inference here, the fastest batch size that fits, as JSON
    python -m scripts.bench.measure levit_128s --part train --batch 8 --device cuda --precision amp --layout nhwc
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import sys
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.bench import nvml
from scripts.bench.timing import CpuClock, CudaClock, Timing, probe, time_steps
from scripts.common.errors import UserError, cli
from scripts.common.hardware import cores
from scripts.common.provenance import now

PARTS, PRECISIONS, LAYOUTS = ("infer", "train"), ("fp32", "amp", "bf16"), ("nchw", "nhwc")
COMPILE_MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")
SECONDS = {("cpu", "infer"): 5.0, ("cpu", "train"): 7.0, ("cuda", "infer"): 4.0, ("cuda", "train"): 5.0}  # budget a model
BATCHES = {("cpu", "infer"): (1, 64), ("cpu", "train"): (2, 64), ("cuda", "infer"): (32, 1024), ("cuda", "train"): (32, 512)}
WORTH_IT = 1.03  # a larger batch must be this much faster: what is less is noise, and the smaller one answers sooner

# timm's columns carry the part (infer_…, train_…); then what timm's tables lack.
TIMM_COLUMNS = ("{}_samples_per_sec", "{}_step_time", "{}_batch_size", "{}_img_size", "param_count", "{}_gmacs", "{}_macts")
OUR_COLUMNS = {
    "status": "ok, failed (see reason), or nonfinite (the output held NaN or infinity; no figures)",
    "reason": "why it failed, one line",
    "samples_per_sec_low": "95% interval of the median, lower end, images per second",
    "samples_per_sec_high": "the same, upper end",
    "converged": "whether that interval is within 1% of the median",
    "step_p50_ms": "median latency of a step",
    "step_p90_ms": "90% of steps took no longer",
    "step_p99_ms": "99% of steps took no longer",
    "batch1_p50_ms": "median latency of one image at batch 1 (inference, batch auto)",
    "batch1_p90_ms": "90% of single images took no longer",
    "batch_asked": "auto, or the batch size asked for",
    "batch_halved": "times that the batch was halved because memory ran out",
    "threads": "CPU threads that computed",
    "precision": "fp32; amp: autocast to fp16 on CUDA and bf16 on a CPU; bf16: weights too",
    "layout": "nchw, or nhwc (channels last)",
    "compile_mode": "mode of torch.compile, empty when eager",
    "cuda_graph": "whether a captured graph was replayed",
    "peak_memory_mb": "largest memory of the model's measurement: allocated on the GPU, or resident and added to the process",
    "build_secs": "seconds to build the model and move it to the device",
    "compile_secs": "seconds of the first call when compiled",
    "warm_steps": "steps run before timing",
    "blocks": "timed blocks of steps that count",
    "blocks_left_out": "blocks left out: a neighbour took over 5% of the core, or the chip was slowed by heat or power supply",
    "core_share": "share of a core that the process got while timed (one thread)",
    "timed_secs": "seconds spent in the timed part",
    "wall_secs": "seconds for the model, everything counted",
    "energy_j": "joules an image, where NVML says",
    "sm_clock_mhz": "median SM clock while timed",
    "sm_clock_min_mhz": "lowest SM clock seen",
    "slowed": "share of samples in which heat or power supply slowed the chip",
    "power_capped": "share of samples at the power limit",
    "arithmetic_pct": "percent of the arithmetic limit: a strict bound (see roofline)",
    "roofline_pct": "percent of the roofline, whose memory term is an estimate",
    "torch": "version",
    "timm": "version",
    "measured_at": "UTC",
}


def columns(part: str) -> list[str]:
    """The columns of a row, in order."""
    return ["model", *(name.format(part) for name in TIMM_COLUMNS), *OUR_COLUMNS]


@dataclass(frozen=True)
class Settings:
    """How to measure. batch: None finds the fastest that fits. seconds: budget for a model. img_size: None takes the model's own."""

    part: str = "infer"
    device: str = "cpu"
    precision: str = "fp32"
    layout: str = "nchw"
    compile_mode: str = ""
    cuda_graph: bool = False
    batch: int | None = None
    threads: int = 1
    seconds: float = 5.0
    img_size: int | None = None

    @property
    def kind(self) -> str:
        return self.device.partition(":")[0]


def defaults(device: str, part: str) -> dict:
    """The settings that fit a device: fp32 on a CPU, autocast and channels last on a GPU."""
    kind = device.partition(":")[0]
    on_gpu = {"precision": "amp", "layout": "nhwc"} if kind == "cuda" else {"precision": "fp32", "layout": "nchw"}
    return {**on_gpu, "threads": 1, "seconds": SECONDS[kind, part]}


class OutOfMemory(Exception):
    """The batch does not fit."""


def is_out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "not enough memory" in text or "can't allocate memory" in text or "alloc_failed" in text


def input_size(model_name: str, part: str, img_size: int | None = None) -> tuple[int, int, int]:
    """(channels, height, width) as timm's own benchmark takes it: the test size for inference where the model has one, else the training size."""
    import timm

    config = timm.models.get_pretrained_cfg(model_name)
    size = (config.test_input_size if part == "infer" and config.test_input_size else config.input_size) if config else (3, 224, 224)
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
        self.clock = CudaClock() if settings.kind == "cuda" else CpuClock(settings.threads)
        start = time.perf_counter()
        try:
            with torch.device(settings.device):  # random weights are drawn where they are used: seconds saved for large models
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
        dtype = self.torch.float16 if self.settings.kind == "cuda" else self.torch.bfloat16
        return self.torch.autocast(self.settings.kind, dtype=dtype, cache_enabled=not self.settings.cuda_graph)

    def inputs(self, batch: int) -> list:
        """Random images, as many batches as twice the last-level cache holds (at least two, at most 64)."""
        torch, settings = self.torch, self.settings
        shape = (batch, *self.size)
        a_batch = math.prod(shape) * (2 if settings.precision == "bf16" else 4)
        many = min(64, max(2, math.ceil(2 * last_level_cache(settings.device) / a_batch)))
        dtype = torch.bfloat16 if settings.precision == "bf16" else torch.float32
        layout = torch.channels_last if settings.layout == "nhwc" else torch.contiguous_format
        return [torch.randn(shape, device=settings.device, dtype=dtype).contiguous(memory_format=layout) for _ in range(many)]

    def step(self, batch: int):
        """(step, finite): a callable of a counter that runs the model once, and one that tells whether its last output was finite."""
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
            optimiser = torch.optim.SGD(self.model.parameters(), lr=1e-4, momentum=0.9, fused=self.settings.kind == "cuda" or None)
            scaler = torch.amp.GradScaler("cuda", enabled=self.settings.precision == "amp" and self.settings.kind == "cuda")

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
        """`step` as a captured CUDA graph: an image batch is copied to its place, then one launch replays every kernel."""
        torch = self.torch
        place = images[0].clone()
        rotating, images[:] = list(images), [place]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # libraries set themselves up outside the capture
            for _ in range(3):
                step(0)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step(0)

        def replay(i: int):
            place.copy_(rotating[i % len(rotating)])
            graph.replay()
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

    def time(self, batch: int, seconds: float, warm_seconds: float) -> Timing | None:
        """The timing at `batch`; None where the output was not finite. Raises OutOfMemory."""
        with self.ready(batch) as (step, finite):
            timing = time_steps(step, self.clock, seconds, warm_seconds, self.meter) if finite() else None
            return timing if finite() else None

    def probe(self, batch: int, seconds: float) -> float:
        """Seconds of a step at `batch`, roughly; of the first step where that took ten times `seconds`. Raises OutOfMemory."""
        with self.ready(batch) as (step, _):
            return self.first_seconds if self.first_seconds > 10 * seconds else probe(step, self.clock, seconds)

    def compile(self) -> None:
        """Compile the model; it happens at the first call. For inference, weights become constants (Inductor's freezing)."""
        if self.settings.part == "infer":
            import torch._inductor.config as inductor
            inductor.freezing = True
        self.call = self.torch.compile(self.model, mode=self.settings.compile_mode, dynamic=False)

    def free(self) -> None:
        """Give back what the last batch held."""
        gc.collect()
        if self.settings.kind == "cuda":
            self.torch.cuda.empty_cache()


def last_level_cache(device: str) -> int:
    """Bytes of the last-level cache; 32 MB where the machine does not say."""
    if device.startswith("cuda"):
        import torch
        return getattr(torch.cuda.get_device_properties(device), "L2_cache_size", 0) or 32 << 20
    try:
        text = Path("/sys/devices/system/cpu/cpu0/cache/index3/size").read_text().strip()
        return int(text[:-1]) << {"K": 10, "M": 20}[text[-1]]
    except (OSError, ValueError, KeyError):
        return 32 << 20


def fastest_batch(bench: Bench, budget: float) -> int:
    """Doubles the batch until that no longer pays, no longer fits, or a step would outlast an eighth of `budget` seconds, so that the
    timing which follows sees several. Of those within 3% of the fastest, the smallest."""
    batch, largest = BATCHES[bench.settings.kind, bench.settings.part]
    rates: dict[int, float] = {}
    start = time.perf_counter()
    while batch <= largest:
        bench.free()  # what the last batch held
        try:
            seconds = bench.probe(batch, budget / 40)
        except OutOfMemory:
            if rates or batch == 1:
                break
            batch = largest = batch // 2  # not even the smallest fits: look below it
            continue
        except RuntimeError as error:
            if rates and "CUDA error" not in str(error):
                break  # a kernel that can't index a tensor so large
            raise
        rates[batch] = batch / seconds
        best = max(rates, key=rates.get)
        if batch >= 4 * best or 2 * seconds > budget / 8 or time.perf_counter() - start > budget / 3:
            break
        batch *= 2
    if not rates:
        raise OutOfMemory("not even the smallest batch fits")
    return min(size for size, rate in rates.items() if rate * WORTH_IT >= max(rates.values()))


def measure(name: str, settings: Settings, ceilings: dict | None = None) -> dict:
    """One row (`columns(settings.part)`) for the timm model `name`. ceilings: of this machine, from `roofline.ceilings`, for the two percentages.

    Never raises for the model's sake: a failure is a row with status and reason. A CUDA fault is raised, since the process is then lost.
    """
    import timm
    import torch

    from scripts.bench import roofline

    started = time.perf_counter()
    part = settings.part
    row = dict.fromkeys(columns(part), "")
    row.update(model=name, status="failed", batch_asked=settings.batch or "auto", batch_halved=0, threads=settings.threads,
               precision=settings.precision, layout=settings.layout, compile_mode=settings.compile_mode, cuda_graph=settings.cuda_graph,
               torch=torch.__version__, timm=timm.__version__)
    try:
        row[f"{part}_img_size"] = input_size(name, part, settings.img_size)[-1]
        figures = _figures(name, settings)
        row.update(figures)
        if row["status"] == "ok" and ceilings:
            row.update(roofline.percentages(row, part, ceilings))
    except OutOfMemory:
        row["reason"] = "out of memory at the smallest batch"
    except Exception as error:  # noqa: BLE001 - any model may fail in any way, and the others are still to be measured
        if "CUDA error" in str(error):
            raise
        row["reason"] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    finally:
        if settings.compile_mode:
            torch._dynamo.reset()
        gc.collect()
        if settings.kind == "cuda":
            torch.cuda.empty_cache()
    row.update(measured_at=now(), wall_secs=round(time.perf_counter() - started, 3))
    return {key: _plain(value) for key, value in row.items()}


def _figures(name: str, settings: Settings) -> dict:
    """The measured cells of a row."""
    import torch

    from scripts.bench.count import count

    part = settings.part
    torch.set_num_threads(settings.threads)
    if ":" in settings.device:
        torch.cuda.set_device(settings.device)
    torch.backends.cudnn.benchmark = True
    memory = Memory(settings.device)
    bench = Bench(name, settings)
    single, halved, batch = None, 0, settings.batch
    if batch is None:
        batch = fastest_batch(bench, settings.seconds)
        if part == "infer" and not settings.compile_mode:  # compiled, another batch size would be another compilation
            single = bench.time(1, settings.seconds / 8, settings.seconds / 40)
    if settings.compile_mode:
        bench.compile()
    while True:
        bench.free()
        memory.reset()
        try:
            timing = bench.time(batch, settings.seconds * (0.45 if settings.batch is None else 0.8), settings.seconds * 0.1)
            break
        except OutOfMemory:
            if batch == 1:
                raise
            batch, halved = batch // 2, halved + 1
    counts = {f"{part}_{key}" if key != "param_count" else key: round(value, 4) for key, value in count(name, bench.size).items()}
    found = {**counts, f"{part}_batch_size": batch, "batch_halved": halved, "build_secs": round(bench.build_seconds, 3)}
    if timing is None:
        return {**found, "status": "nonfinite", "reason": "the output held NaN or infinity"}
    chip = dict(timing.chip)
    energy = chip.pop("energy_j_per_step", math.nan) / batch
    return {**found, "status": "ok", f"{part}_samples_per_sec": significant(batch / timing.step), f"{part}_step_time": significant(timing.step * 1e3),
            "samples_per_sec_low": significant(batch / timing.high), "samples_per_sec_high": significant(batch / timing.low),
            "converged": timing.converged, **{f"step_p{p}_ms": significant(timing.percentile(p / 100) * 1e3) for p in (50, 90, 99)},
            **({f"batch1_p{p}_ms": significant(single.percentile(p / 100) * 1e3) for p in (50, 90)} if single else {}),
            "peak_memory_mb": round(memory.peak_mb(), 1), "compile_secs": round(bench.compile_seconds, 2) if settings.compile_mode else "",
            "warm_steps": timing.warm_steps, "blocks": timing.blocks, "blocks_left_out": timing.blocks_left_out,
            "core_share": round(timing.core_share, 4), "timed_secs": round(timing.timed_seconds, 3), "energy_j": significant(energy),
            **{key: round(value, 3) for key, value in chip.items()}}


class Memory:
    """Peak memory since `reset`: what the GPU's allocator says, or how much the process has grown since this was made (Linux; NaN elsewhere)."""

    def __init__(self, device: str):
        gc.collect()
        self.device = device
        self.before = math.nan if device.startswith("cuda") or not Path("/proc/self/status").exists() else self._status("VmRSS")

    def reset(self) -> None:
        if self.device.startswith("cuda"):
            import torch
            torch.cuda.reset_peak_memory_stats(self.device)
            return
        try:
            Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
        except OSError:
            self.before = math.nan

    @staticmethod
    def _status(field: str) -> float:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
        return math.nan

    def peak_mb(self) -> float:
        if self.device.startswith("cuda"):
            import torch
            return torch.cuda.max_memory_allocated(self.device) / 2**20
        return self._status("VmHWM") - self.before if self.before == self.before else math.nan


def significant(value: float, digits: int = 5) -> float:
    """`value` to so many significant digits."""
    return float(f"{value:.{digits}g}")


def _plain(value):
    """A cell: empty for NaN."""
    return "" if isinstance(value, float) and math.isnan(value) else value


def check_device(device: str) -> str:
    """A device torch knows: 'auto' becomes cuda where a GPU answers, else cpu. Raises UserError for one that is not there."""
    import torch

    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        return "cuda" if there else "cpu"
    kind, _, index = device.partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdigit()) or (kind == "cpu" and index):
        raise UserError(f"--device {device}: not a device; use auto, cpu, cuda or cuda:N")
    if kind == "cuda" and int(index or 0) >= there:
        raise UserError(f"--device {device}: torch finds {there or 'no'} GPU{'s' if there > 1 else ''} here; use --device cpu")
    return device


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that `measure` and `sweep` share."""
    parser.add_argument("--part", choices=PARTS, default="infer", help="inference or training steps")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--precision", choices=PRECISIONS, help="default: fp32 on a CPU, amp on a GPU")
    parser.add_argument("--layout", choices=LAYOUTS, help="nhwc is channels last; default: nchw on a CPU, nhwc on a GPU")
    parser.add_argument("--compile", nargs="?", const="default", default="", choices=COMPILE_MODES, metavar="MODE",
                        help="torch.compile, in a mode: " + ", ".join(COMPILE_MODES))
    parser.add_argument("--cuda-graph", action="store_true", help="replay a captured CUDA graph (inference, eager, on a GPU)")
    parser.add_argument("--batch", default="auto", help="auto: the fastest that fits; or a number (1 is the latency case)")
    parser.add_argument("--threads", default="1", help="CPU threads: a number, or all (default 1: steady on a machine with neighbours)")
    parser.add_argument("--img-size", type=int, help="pixels; default: what the model is tested at (inference) or trained at")
    parser.add_argument("--seconds", type=float, help="time budget a model; default 5 and 7 on a CPU, 4 and 5 on a GPU (infer, train)")


def settings_from(arguments: argparse.Namespace, device: str) -> Settings:
    """Settings from the command line on a checked `device`. Raises UserError for a value that makes no sense."""
    chosen = defaults(device, arguments.part)
    for key in ("precision", "layout", "seconds"):
        if getattr(arguments, key) is not None:
            chosen[key] = getattr(arguments, key)
    if arguments.batch != "auto" and not (arguments.batch.isdigit() and int(arguments.batch) > 0):
        raise UserError(f"--batch {arguments.batch}: give auto or a number of images, 1 or more")
    if arguments.threads != "all" and not (arguments.threads.isdigit() and 0 < int(arguments.threads) <= cores()):
        raise UserError(f"--threads {arguments.threads}: give all or a number from 1 to {cores()}, the cores here")
    if not 0 < chosen["seconds"] < 86400:
        raise UserError(f"--seconds {chosen['seconds']:g}: give a time over 0")
    if arguments.img_size is not None and not 8 <= arguments.img_size <= 8192:
        raise UserError(f"--img-size {arguments.img_size}: give a size from 8 to 8192 pixels")
    if arguments.cuda_graph and (not device.startswith("cuda") or arguments.part != "infer" or arguments.compile):
        raise UserError("--cuda-graph: works for inference on a GPU without --compile (its mode reduce-overhead uses graphs itself)")
    return replace(Settings(), part=arguments.part, device=device, compile_mode=arguments.compile, cuda_graph=arguments.cuda_graph,
                   batch=None if arguments.batch == "auto" else int(arguments.batch), img_size=arguments.img_size,
                   **{**chosen, "threads": cores() if arguments.threads == "all" else int(arguments.threads)})


@cli
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a timm model")
    add_arguments(parser)
    arguments = parser.parse_args()
    from scripts.bench.models import choose
    settings = settings_from(arguments, check_device(arguments.device))
    (name,) = choose([arguments.model], exact=True)
    row = measure(name, settings)
    print(json.dumps({key: value for key, value in row.items() if value != ""}, indent=2))
    return 0 if row["status"] == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
