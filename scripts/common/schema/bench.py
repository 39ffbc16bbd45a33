"""The tables of measured speeds, and the accuracies beside them."""

from __future__ import annotations

from dataclasses import replace

from scripts.common.schema.base import MODEL, Column, Table

# Our benchmark columns that say what was asked and how it was run; all the others were timed or sampled.
ASKED = "status reason batch_asked threads precision layout compile_mode cuda_graph torch timm".split()
TEXTS = {  # column -> the form of its cells
    "model": r"[a-z0-9_]{2,80}(\.[a-z0-9_]{1,80})?",
    "status": r"[a-z]{0,20}",
    "reason": r"[^\x00-\x1f\x7f]{0,500}",
    "converged": r"True|False|",
    "batch_asked": r"auto|\d{1,7}",
    "precision": r"[a-z0-9]{2,16}",
    "layout": r"nchw|nhwc",
    "compile_mode": r"[a-z-]{0,40}",
    "cuda_graph": r"True|False|",
    "torch": r"(\d{1,2}\.\d{1,3}\.\d{1,2}[\w.+]{0,40})?",
    "timm": r"(\d{1,2}\.\d{1,3}\.\d{1,3}[\w.+]{0,40})?",
    "measured_at": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|",
}
RANGES = {  # column -> least and most that is possible; all others are at least 0
    "samples_per_sec_low": (0, 1e8),
    "samples_per_sec_high": (0, 1e8),
    "core_share": (0, 2),
    "slowed": (0, 1),
    "power_capped": (0, 1),
    "threads": (1, 4096),
    "sm_clock_mhz": (0, 1e5),
    "sm_clock_min_mhz": (0, 1e5),
}
COUNTS = ("batch_halved", "threads", "warm_steps", "blocks", "blocks_left_out")
# What timm's tables lack, in the order in which they are written.
OUR_COLUMNS = {
    "status": "ok, failed (see reason), or nonfinite (the output held NaN or infinity; no figures)",
    "reason": "why it failed, one line",
    "samples_per_sec_low": "95% interval of the median, lower end, images per second",
    "samples_per_sec_high": "the same, upper end",
    "converged": "whether that interval is within 1% of the median",
    "step_p50_ms": "median latency of a step",
    "step_p90_ms": "90% of steps took no longer",
    "step_p99_ms": "99% of steps took no longer",
    "batch1_p50_ms": "median latency of one image at batch 1, from the call until the answer is there (inference, "
    "batch auto, eager)",
    "batch1_p90_ms": "90% of single images took no longer",
    "batch_asked": "auto, or the batch size asked for",
    "batch_halved": "times that the batch was halved because memory ran out",
    "threads": "CPU threads that computed",
    "precision": "fp32; amp: autocast to fp16 on CUDA and bf16 on a CPU; bf16: weights too",
    "layout": "nchw, or nhwc (channels last)",
    "compile_mode": "mode of torch.compile, empty when eager",
    "cuda_graph": "whether a captured graph was replayed",
    "peak_memory_mb": "largest memory of the model's measurement: allocated on the GPU, or resident and added to the "
    "process",
    "build_secs": "seconds to build the model and move it to the device",
    "compile_secs": "seconds of the first call when compiled",
    "warm_steps": "steps run before timing",
    "blocks": "timed blocks of steps that count",
    "blocks_left_out": "blocks left out: a neighbour took over 5% of the core, or the chip was slowed by heat or "
    "power supply",
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


def _ours(*names: str) -> dict[str, str]:
    return {name: OUR_COLUMNS[name] for name in names}


# Of a runtime's measurement, after timm's columns.
RUNTIME_COLUMNS = {
    "runtime": "what computed: a name of scripts.runtimes.kinds",
    "precision": "fp32; bf16: weights and activations; int8: calibrated, all but the first eighth of the layers",
    "status": "ok, failed (see reason), or nonfinite (an answer held NaN or infinity; no figures)",
    "reason": "why there is no figure, one line",
    **_ours("samples_per_sec_low", "samples_per_sec_high", "converged"),
    "times_eager": "speed over eager fp32's, median of the rounds in which both had the core to themselves",
    "times_eager_low": "95% interval of that median, lower end",
    "times_eager_high": "the same, upper end",
    **_ours("step_p50_ms", "step_p90_ms", "threads", "layout"),
    "computes": "the precision that the runtime says it computes in",
    "export_secs": "seconds to write the ONNX file, once a network",
    "quantise_secs": "seconds to make it int8, once a network and set of pictures",
    "compile_secs": "seconds to load the network and give the first answer",
    "difference": "largest difference of a logit from eager fp32's, over the largest logit",
    "equal_top1": "share of the pictures with the same most likely class (random weights: it tells little)",
    "memory_mb": "resident memory of the process, torch's own included",
    "energy_j": "joules an image of processor package or GPU, neighbours included; empty where it can't be read",
    **_ours("blocks", "blocks_left_out", "core_share"),
    "version": "of what computes",
    **_ours("torch", "timm", "measured_at"),
}
STATED = (*ASKED, "runtime", "computes", "version")  # by a runtime's row


def _runtimes() -> Table:
    """Before the pattern of other batch sizes, which would match it, too."""
    timm = _benchmark("infer", "").columns
    ours = {name: Column(meaning, varies=name not in STATED) for name, meaning in RUNTIME_COLUMNS.items()}
    return Table(
        "runtimes-infer-*.csv",
        "Speed of inference in every runtime of one machine",
        "a model in a runtime at a precision; the first columns are timm's own",
        "model runtime precision",
    ).of(**{name: column for name, column in timm.items() if name not in OUR_COLUMNS} | ours)


def _column(name: str, meaning: str) -> Column:
    varies = name not in ASKED
    if name in TEXTS:
        return Column(meaning, varies=varies, form=TEXTS[name])
    least, most = RANGES.get(name, (0, 1e12))
    return Column(meaning, varies=varies, least=least, most=most, whole=name in COUNTS)


def _benchmark(part: str, of: str, one: bool = True) -> Table:
    timm = {
        "model": replace(MODEL["model"], form=TEXTS["model"]),
        f"{part}_samples_per_sec": Column("throughput, median", "images/s", True, 0, 1e8),
        f"{part}_step_time": Column("time of a step (one batch)", "ms", True, 0, 1e8),
        f"{part}_batch_size": Column("batch size", "images", least=1, most=1e6, whole=True),
        f"{part}_img_size": MODEL["img_size"],
        "param_count": MODEL["param_count"],
        f"{part}_gmacs": Column("multiply-accumulates of a forward pass", "10⁹", least=0, most=1e6),
        f"{part}_macts": Column("activations of a forward pass", "millions", least=0, most=1e6),
    }
    ours = {name: _column(name, meaning) for name, meaning in OUR_COLUMNS.items()}
    if one:
        return Table(
            f"benchmark-{part}-*.csv",
            f"Speed of {of} on one machine",
            "a model and image size; the first columns are timm's own, so that its tables and these can be read alike",
            f"model {part}_img_size",
        ).of(**timm, **ours)
    return Table(
        f"*-{part}-*-pt*-*.csv",
        f"Speed of {of} at other batch sizes, or measured again",
        "a model, batch size asked for, and round",
        f"model {part}_img_size batch_asked round",
    ).of(**timm, **ours, round=Column("which repetition"))


TABLES = [
    _runtimes(),
    _benchmark("infer", "inference"),
    _benchmark("train", "training"),
    _benchmark("infer", "inference", one=False),
    _benchmark("train", "training", one=False),
    Table(
        "accuracy.csv",
        "Published ImageNet accuracies",
        "a set of weights at an image size, compiled by hand from its source",
        "model img_size",
    ).of(
        **MODEL,
        tag=Column("weights"),
        top5=Column("ImageNet top-5 accuracy; empty where not published", "%"),
        pretrain=Column("data it was pretrained on"),
        source=Column("where it was published"),
    ),
]
