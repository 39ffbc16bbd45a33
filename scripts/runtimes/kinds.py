"""Which runtimes there are, what each can compute, and why one cannot be used here.

python -m scripts.runtimes.kinds      # what this machine has
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from scripts.common import device as devices, hardware
from scripts.common.errors import UserError, cli

PRECISIONS = ("fp32", "bf16", "int8")


class Runtime(NamedTuple):
    """label: for people; devices and precisions that it knows; package: the one that it needs besides torch."""

    label: str
    devices: tuple[str, ...]
    precisions: tuple[str, ...]
    package: str = ""
    exported: bool = False  # it runs an ONNX file, without torch


TORCH = ("cpu", *devices.KNOWN)
# In the order in which tables name them. The first is the headline: what a plain Python process gives.
RUNTIMES = {
    "eager": Runtime("PyTorch eager", TORCH, ("fp32", "bf16")),
    "kept": Runtime("PyTorch eager, freed memory kept", ("cpu",), ("fp32", "bf16")),
    "nhwc": Runtime("PyTorch eager, channels last", TORCH, ("fp32", "bf16")),
    "compile": Runtime("torch.compile", TORCH, ("fp32", "bf16")),
    "cudagraph": Runtime("PyTorch, CUDA graph", ("cuda",), ("fp32", "bf16")),
    "onnxruntime": Runtime("ONNX Runtime", ("cpu", "cuda"), ("fp32", "int8"), "onnxruntime", True),
    "tensorrt": Runtime("TensorRT by ONNX Runtime", ("cuda",), ("fp32", "bf16", "int8"), "onnxruntime", True),
    "openvino": Runtime("OpenVINO", ("cpu",), ("fp32", "bf16", "int8"), "openvino", True),
}
# What a processor with instructions for a precision says in /proc/cpuinfo.
INSTRUCTIONS = {
    "bf16": ("avx512_bf16", "amx_bf16", "bf16"),
    "int8": ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"),
}
PROVIDERS = {("onnxruntime", "cuda"): "CUDAExecutionProvider", ("tensorrt", "cuda"): "TensorrtExecutionProvider"}


def label(runtime: str, precision: str) -> str:
    """A runtime at a precision for people: OpenVINO int8."""
    return f"{RUNTIMES[runtime].label} {precision}" if runtime in RUNTIMES else f"{runtime} {precision}"


def check(runtime: str, precision: str) -> None:
    """Raise UserError for a name that is none of RUNTIMES or PRECISIONS."""
    if runtime not in RUNTIMES:
        raise UserError(f"--runtime {runtime}: choose from {', '.join(RUNTIMES)}")
    if precision not in PRECISIONS:
        raise UserError(f"--precision {precision}: choose from {', '.join(PRECISIONS)}")


def why_not(runtime: str, precision: str, device: str = "cpu") -> str:
    """Why `runtime` cannot compute in `precision` on a device here, in a few words; '' where it can."""
    check(runtime, precision)
    kind = device.partition(":")[0]
    known = RUNTIMES[runtime]
    if kind not in known.devices:
        return f"{known.label} does not compute on a {'processor' if kind == 'cpu' else 'GPU of this kind'}"
    if precision not in known.precisions:
        return f"{known.label} has no {precision} for these networks"
    if known.package and not find_spec(known.package):
        return f"{known.package} is not installed"
    if runtime == "compile" and kind == "cpu" and not shutil.which(compiler()):
        return f"it needs a C++ compiler, and {compiler()[:80]} is not installed"
    if precision == "int8" and not find_spec("nncf"):
        return "nncf, which makes int8 networks, is not installed"
    if provider := PROVIDERS.get((runtime, kind)):
        import onnxruntime

        if provider not in onnxruntime.get_available_providers():
            return f"this onnxruntime has no {provider}"
    return ""


def compiler() -> str:
    """The C++ compiler that torch.compile asks for on a processor."""
    return os.environ.get("CXX") or {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")


def instructions() -> dict[str, list[str]]:
    """Precision -> the processor's instructions for it; an empty list: none, or the system does not say."""
    path = Path("/proc/cpuinfo")
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.M)
    flags = set(found.group(1).split()) if found else set()
    return {precision: [name for name in names if name in flags] for precision, names in INSTRUCTIONS.items()}


def versions() -> dict[str, str]:
    """Package -> version of what runs or quantises networks here."""
    found = {}
    for package in ("torch", "timm", "onnx", "onnxruntime", "openvino", "nncf"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            pass
    return found


def machine() -> str:
    """What an engine made here depends on: processor, its instructions, cores."""
    known = " ".join(name for names in instructions().values() for name in names)
    return f"{hardware.cpu_model()}, {hardware.cores()} cores{', ' + known if known else ''}"


@cli
def main() -> None:
    print(f"{machine()}; " + ", ".join(f"{package} {number}" for package, number in versions().items()))
    for name, known in RUNTIMES.items():
        for precision in PRECISIONS:
            reason = why_not(name, precision, known.devices[0])
            print(f"{name:12} {precision}  {reason or 'yes'}")
    for precision, names in instructions().items():
        if not names:
            print(f"this processor names no instructions for {precision}: it may be slower than fp32; measure it")


if __name__ == "__main__":
    sys.exit(main())
