"""What computes: the processor, or an accelerator that PyTorch knows. All that differs between them stands here.

CUDA and ROCm (which PyTorch calls cuda too), Apple's Metal (mps), Intel's GPUs (xpu); another that `torch.accelerator`
finds gets what PyTorch offers for all. A device is 'cpu', 'cuda', 'cuda:1', 'mps', …; each function takes it, or its
kind alone. torch is imported where it is used.

    python -m scripts.common.device            # what PyTorch finds here, as JSON
"""

from __future__ import annotations

import contextlib
import json
import math
import platform
import re
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from scripts.common import processor
from scripts.common.errors import UserError, cli


class Kind(NamedTuple):
    """name: for people. amp: the type of mixed precision when measured, which is autocast's own there. fused: whether
    SGD is one kernel. graphs: whether steps can be captured and replayed. collectives: what joins several processes,
    '' where they can't be.
    """

    name: str
    amp: str = "float16"
    fused: bool = False
    graphs: bool = False
    collectives: str = ""


CPU = Kind("CPU", amp="bfloat16", collectives="gloo")
KNOWN = {
    "cuda": Kind("NVIDIA GPU (or AMD's, by ROCm)", fused=True, graphs=True, collectives="nccl"),
    "mps": Kind("Apple GPU (Metal)"),
    "xpu": Kind("Intel GPU", amp="bfloat16", fused=True, collectives="xccl"),
}
CHOICES = "auto, cpu, cuda or cuda:N, mps, xpu or xpu:N"  # what --device may say
_ANOTHER_NAME = {"rocm": "cuda", "hip": "cuda", "gpu": "auto", "metal": "mps", "nvidia": "cuda"}


def kind(device: str) -> str:
    return str(device).partition(":")[0]


def on_gpu(device: str) -> bool:
    """Whether it is an accelerator."""
    return kind(device) != "cpu"


def group(device: str) -> str:
    """'cpu' or 'gpu': which defaults hold."""
    return "gpu" if on_gpu(device) else "cpu"


def traits(device: str) -> Kind:
    return CPU if not on_gpu(device) else KNOWN.get(kind(device), Kind(kind(device).upper()))


def found() -> tuple[str, int]:
    """(kind, how many) of the accelerator that PyTorch can use here; ('', 0) where there is none."""
    import torch

    there = torch.accelerator.current_accelerator(check_available=True)
    return (there.type, torch.accelerator.device_count()) if there else ("", 0)


def check(asked: str) -> str:
    """A device for --device; 'auto' is the accelerator, else cpu. Raises UserError for one that torch does not find."""
    here, count = found()
    if asked == "auto":
        return here or "cpu"
    parts = re.fullmatch(r"([a-z]+)(?::(\d{1,3}))?", asked)
    if not parts or parts[1] not in ("cpu", here, *KNOWN) or asked.startswith("cpu:"):
        other = _ANOTHER_NAME.get(kind(asked.lower()), kind(asked.lower()))
        hint = f"; PyTorch calls it {other}" if other != asked and other in ("auto", "cpu", *KNOWN) else ""
        raise UserError(f"--device {asked[:40]}: not a device; use {CHOICES}{hint}")
    if asked == "cpu":
        return asked
    many = count if parts[1] == here else 0
    if int(parts[2] or 0) >= many:
        what = "GPU" if parts[1] in ("cuda", here) else traits(parts[1]).name
        raise UserError(f"--device {asked}: torch finds {many or 'no'} {what}{'s' * (many > 1)} here; use --device cpu")
    return asked


def module(device: str):
    """torch.cuda, torch.mps, torch.xpu, …"""
    import torch

    return torch.get_device_module(kind(device))


def select(device: str) -> None:
    """Make it the one that new tensors of its kind go to; on CUDA, search the fastest convolution and multiply fp32 in
    TF32, as timm's benchmark does.
    """
    import torch

    if not on_gpu(device):
        return
    if hasattr(module(device), "set_device"):
        module(device).set_device(device if ":" in device else 0)
    if kind(device) == "cuda":
        torch.backends.cudnn.benchmark = True  # pictures are of one size, so that the search pays
    torch.set_float32_matmul_precision("high")


def synchronize(device: str) -> None:
    """Wait for what was asked of it."""
    if on_gpu(device):
        module(device).synchronize()


def event(device: str):
    """A mark in the accelerator's queue that knows when it was passed: record, synchronize, elapsed_time (in ms)."""
    return module(device).Event(enable_timing=True)


def empty_cache(device: str) -> None:
    """Give back the memory that no tensor holds."""
    if on_gpu(device):
        module(device).empty_cache()


def free_bytes(device: str) -> int:
    """Memory of the accelerator that nobody holds; what Metal recommends, on a Mac."""
    torch_module = module(device)
    if hasattr(torch_module, "mem_get_info"):
        return torch_module.mem_get_info(device)[0]
    return max(0, torch_module.recommended_max_memory() - torch_module.driver_allocated_memory())


def reset_peak(device: str) -> None:
    """Count the accelerator's peak memory from now on."""
    torch_module = module(device)
    if hasattr(torch_module, "reset_peak_memory_stats"):
        torch_module.reset_peak_memory_stats(device)
    else:
        torch_module.empty_cache()  # Metal keeps no peak; what its driver holds only grows until this


def peak_bytes(device: str) -> float:
    """The accelerator's peak since `reset_peak`; NaN where it keeps none."""
    torch_module = module(device)
    for name, arguments in (("max_memory_allocated", (device,)), ("driver_allocated_memory", ())):
        if hasattr(torch_module, name):
            return getattr(torch_module, name)(*arguments)
    return math.nan


def cache_bytes(device: str) -> int:
    """Its last-level cache, 0 where it does not say."""
    if not hasattr(module(device), "get_device_properties"):
        return 0
    properties = module(device).get_device_properties(device)
    return getattr(properties, "L2_cache_size", 0) or getattr(properties, "last_level_cache_size", 0)


def amp_type(device: str):
    """torch's type for mixed precision when measured."""
    import torch

    return getattr(torch, traits(device).amp)


def training_precision(device: str) -> str:
    """What networks are trained in there: bf16 where the accelerator multiplies it, else fp16, and fp32 on those where
    we have not tried less.
    """
    if kind(device) == "cuda":
        return "bf16" if module(device).get_device_capability(device) >= (8, 0) else "fp16"
    if kind(device) == "xpu":
        return "bf16" if module(device).is_bf16_supported() else "fp32"
    return "fp32"


def pinned(pixels):
    """A tensor of the host, where it can go to the accelerator without waiting."""
    return pixels.pin_memory() if found()[0] in ("cuda", "xpu") else pixels


def captured(step: Callable[[], object]) -> Callable[[], None]:
    """`step` as a CUDA graph: one launch replays every kernel, on the same tensors."""
    import torch

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # libraries set themselves up outside the capture
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def uuid(device: str) -> str:
    """Which NVIDIA card it is; '' for all else."""
    return str(module(device).get_device_properties(device).uuid) if kind(device) == "cuda" else ""


def in_file_names(device: str) -> str:
    """What a table's name says of it, in timm's form: cu132, rocm64, mps, xpu, cpu."""
    import torch

    if kind(device) != "cuda":
        return re.sub(r"[^a-z]", "", kind(device))
    built = getattr(torch.version, "hip", None) or torch.version.cuda
    prefix = "rocm" if getattr(torch.version, "hip", None) else "cu"
    return prefix + "".join(built.split(".")[:2]) if built else "cpu"


def without_torch() -> str:
    """The kind of accelerator here, as far as one can tell without torch's seconds; '' for none. NVIDIA's driver is
    asked; a Mac with Apple's chip has Metal; torch built for AMD or Intel is asked itself.
    """
    if processor.output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader"):
        return "cuda"
    if sys.platform == "darwin":
        return "mps" if platform.machine() == "arm64" else ""
    with contextlib.suppress(PackageNotFoundError, ImportError):
        if re.search(r"\+(rocm|xpu)", version("torch")):
            return found()[0]
    return ""


def facts(device: str) -> dict[str, str]:
    """reported_name, and where it is told driver, gpu_memory and compute_units, of an accelerator other than NVIDIA's.
    Raises UserError where it is not there.
    """
    if kind(device) == "mps":
        loaded = sys.modules.get("torch")
        cores = loaded.backends.mps.get_core_count() if loaded and loaded.backends.mps.is_available() else 0
        return {
            "reported_name": f"{processor.model()} GPU",
            "driver": f"macOS {platform.mac_ver()[0]}",
            **({"compute_units": str(cores)} if cores else {}),
        }
    import torch

    try:
        properties = module(device).get_device_properties(device if ":" in device else 0)
    except (RuntimeError, AssertionError, AttributeError, ValueError):
        raise UserError(f"{device}: no such GPU answers; use --device cpu, or check the driver") from None
    hip = getattr(torch.version, "hip", None) if kind(device) == "cuda" else None
    driver = f"ROCm {hip}" if hip else str(getattr(properties, "driver_version", ""))
    return {
        "reported_name": properties.name,
        **({"driver": driver} if driver else {}),
        "gpu_memory": f"{properties.total_memory >> 20} MiB",
    }


@cli
def main() -> None:
    here, count = found()
    name = facts(here) if here and not (here == "cuda" and in_file_names(here).startswith("cu")) else {}
    print(json.dumps({"device": here or "cpu", "count": count, **name}, indent=2))


if __name__ == "__main__":
    sys.exit(main())
