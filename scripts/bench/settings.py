"""How to measure: the settings, their defaults, and the options of the command line that `measure` and `sweep`
share.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

from scripts.common import device as devices
from scripts.common.errors import UserError
from scripts.common.hardware import cores
from scripts.runtimes import allocator

PARTS, PRECISIONS, LAYOUTS = ("infer", "train"), ("fp32", "amp", "bf16"), ("nchw", "nhwc")
COMPILE_MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")
SECONDS = {
    ("cpu", "infer"): 5.0,
    ("cpu", "train"): 7.0,
    ("gpu", "infer"): 4.0,
    ("gpu", "train"): 5.0,
}  # budget a model


@dataclass(frozen=True)
class Settings:
    """How to measure. batch: None finds the fastest that fits. seconds: budget for a model. img_size: None takes
    the model's own. kept: the process keeps the memory that a step frees.
    """

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
    kept: bool = False

    @property
    def kind(self) -> str:
        return devices.kind(self.device)

    @property
    def group(self) -> str:
        """'cpu' or 'gpu', whoever made it."""
        return devices.group(self.kind)


def defaults(device: str, part: str) -> dict:
    """The settings that fit a device: fp32 on a CPU, autocast and channels last on a GPU."""
    group = devices.group(device)
    on_gpu = {"precision": "amp", "layout": "nhwc"} if group == "gpu" else {"precision": "fp32", "layout": "nchw"}
    return {**on_gpu, "threads": 1, "seconds": SECONDS[group, part]}


check_device = devices.check


def prepare(device: str, threads: int, kept: bool = False) -> None:
    """Set torch as timm's benchmark does: the device, the CPU's threads, the fastest convolution for a size, fp32
    products in TF32 on a GPU. kept: the process keeps the memory that a step frees."""
    import torch

    if kept:
        allocator.keep_freed_memory()
    torch.set_num_threads(threads)
    devices.select(device)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that `measure` and `sweep` share."""
    parser.add_argument("--part", choices=PARTS, default="infer", help="inference or training steps")
    parser.add_argument("--device", default="auto", help=devices.CHOICES)
    parser.add_argument("--precision", choices=PRECISIONS, help="default: fp32 on a CPU, amp on a GPU")
    parser.add_argument(
        "--layout", choices=LAYOUTS, help="nhwc is channels last; default: nchw on a CPU, nhwc on a GPU"
    )
    parser.add_argument(
        "--compile",
        nargs="?",
        const="default",
        default="",
        choices=COMPILE_MODES,
        metavar="MODE",
        help="torch.compile, in a mode: " + ", ".join(COMPILE_MODES),
    )
    parser.add_argument(
        "--cuda-graph", action="store_true", help="replay a captured CUDA graph (inference, eager, on an NVIDIA GPU)"
    )
    parser.add_argument(
        "--batch", default="auto", help="auto: the fastest that fits; or a number (1 is the latency case)"
    )
    parser.add_argument(
        "--threads", default="1", help="CPU threads: a number, or all (default 1: steady on a machine with neighbours)"
    )
    parser.add_argument(
        "--img-size", type=int, help="pixels; default: what the model is tested at (inference) or trained at"
    )
    parser.add_argument(
        "--kept-memory",
        action="store_true",
        help="keep the memory that a step frees, as a long-running program may; default: as in a plain Python process",
    )
    parser.add_argument(
        "--seconds", type=float, help="time budget a model; default 5 and 7 on a CPU, 4 and 5 on a GPU (infer, train)"
    )


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
    if arguments.cuda_graph and (not devices.traits(device).graphs or arguments.part != "infer" or arguments.compile):
        raise UserError(
            "--cuda-graph: works for inference on a GPU of NVIDIA's without --compile (its mode reduce-overhead uses "
            "graphs itself)"
        )
    return replace(
        Settings(),
        part=arguments.part,
        device=device,
        compile_mode=arguments.compile,
        cuda_graph=arguments.cuda_graph,
        batch=None if arguments.batch == "auto" else int(arguments.batch),
        img_size=arguments.img_size,
        kept=arguments.kept_memory,
        **{**chosen, "threads": cores() if arguments.threads == "all" else int(arguments.threads)},
    )
