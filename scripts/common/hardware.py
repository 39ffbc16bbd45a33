"""Names of hardware: what timm's file names say, what a driver says, and what to call it on a chart.

One ordered table, more specific patterns first. A machine that is not in it keeps an honest name made from what its
driver or operating system reports; nothing is guessed.

    python -m scripts.common.hardware          # what this machine is called, as JSON
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import platform
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from scripts.common import device as devices
from scripts.common.errors import UserError, cli
from scripts.common.processor import cores, model as cpu_model, output as _output, share


class Hardware(NamedTuple):
    """slug: as in file names; name: for people; kind: gpu or cpu; year: of its launch, 0 where unknown."""

    slug: str
    name: str
    kind: str
    year: int


# What makes another card of it: Ti, D, Laptop, … in a driver's words ("4090 Laptop") as in a slug ("4090_laptop").
_ALONE = r"(?![a-z\d]|[ _](d|laptop|mobile|max|ti|\d))"

# (pattern over what a driver reports or timm's file name says, in lower case) -> hardware; more specific ones first.
# Launch years: the vendors' announcements. A card's virtual share ("T4-16Q") is not the card.
KNOWN: list[tuple[str, Hardware]] = [
    (r"pro[ _]?6000.*max[-_ ]?q", Hardware("pro6000maxq", "RTX PRO 6000 Max-Q", "gpu", 2025)),
    (r"rtx[ _]?pro[ _]?6000", Hardware("pro6000", "RTX PRO 6000", "gpu", 2025)),
    (rf"(?<!\d)5090{_ALONE}", Hardware("rtx5090", "RTX 5090", "gpu", 2025)),
    (rf"(?<!\d)4090{_ALONE}", Hardware("rtx4090", "RTX 4090", "gpu", 2022)),
    (rf"(?<!\d)3090{_ALONE}", Hardware("rtx3090", "RTX 3090", "gpu", 2020)),
    # the NVL and PCIe cards differ: they keep their own names
    (r"^(nvidia )?h200$", Hardware("h200", "NVIDIA H200", "gpu", 2023)),
    (r"^(nvidia )?h100 80gb hbm3$", Hardware("h100_sxm", "NVIDIA H100 SXM", "gpu", 2022)),
    (r"\bl40s\b(?!-)", Hardware("l40s", "NVIDIA L40S", "gpu", 2023)),
    (r"\bl4\b(?!-)", Hardware("l4", "NVIDIA L4", "gpu", 2023)),
    (r"\ba10g\b(?!-)", Hardware("a10g", "NVIDIA A10G", "gpu", 2021)),
    (r"\bt4\b(?!-)", Hardware("t4", "NVIDIA T4", "gpu", 2018)),
    (r"i7[-_]12700h\b", Hardware("i7_12700h", "Core i7-12700H", "cpu", 2022)),
    (r"i9[-_]10940x\b", Hardware("i9_10940x", "Core i9-10940X", "cpu", 2019)),
]

PRECISIONS = {"amp": "mixed precision", "fp32": "32-bit floats", "bf16": "bfloat16", "amp_bf16": "mixed bfloat16"}

ASKED = {  # of nvidia-smi -> what a sidecar calls it
    "name": "reported_name",
    "driver_version": "driver",
    "memory.total": "gpu_memory",
    "clocks.max.sm": "max_sm_clock",
    "clocks.max.memory": "max_memory_clock",
    "power.limit": "power_limit",
}
# of a machine, and of its processor: letters, digits and a few signs
MACHINE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .,/()+_-]{0,79}")
_NAME = re.compile(
    r"^benchmark-(?P<part>infer|train)-(?P<precision>[a-z0-9_]+)-(?P<layout>nchw|nhwc)-pt(?P<torch>\d{3,5})-"
    r"(?:(?P<cuda>cu\d+|rocm\d+|mps|xpu|cpu(?:\d+t)?)-)?"
    r"(?P<hardware>[a-z0-9_.]+?)(?P<compiled>-dynamo|-compiled)?\.csv$"
)


def lookup(text: str) -> Hardware | None:
    """The known hardware that `text` (a file name's part or a driver's name) speaks of, or None."""
    return next((hardware for pattern, hardware in KNOWN if re.search(pattern, text.lower())), None)


def named(slug: str) -> Hardware:
    """The hardware of a file name's slug. An unknown one keeps its slug as name, without kind or year."""
    known = next((hardware for _, hardware in KNOWN if hardware.slug == slug), None) or lookup(slug)
    return known or Hardware(slug, slug.replace("_", " "), "", 0)


def torch_version(digits: str) -> str:
    """`pt` digits of a file name as a version: 113 -> 1.13, 240 -> 2.4.0, 2150 -> 2.15.0."""
    return f"1.{digits[1:]}" if digits[0] == "1" else f"{digits[0]}.{digits[1:-1]}.{digits[-1]}"


def torch_digits(version: str) -> str:
    """A version as a file name's `pt` digits, build and pre-release left out: 2.15.0+cu130 -> 2150; '' for none."""
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    return "".join(found.groups("0")) if found else ""


def parse_benchmark_name(filename: str) -> dict:
    """What a benchmark file's name says: part, precision, layout, torch, cuda, hardware (slug), compiled (bool).

    Raises UserError for a name of another form.
    """
    match = _NAME.match(Path(filename).name)
    if not match:
        raise UserError(
            f"{Path(filename).name}: not a benchmark file's name; expected "
            "benchmark-{infer,train}-{precision}-{layout}-pt{version}-{cuda|cpu}-{hardware}[-compiled].csv"
        )
    found = match.groupdict()
    return {
        **found,
        "torch": torch_version(found["torch"]),
        "cuda": found["cuda"] or "",
        "compiled": bool(found["compiled"]),
        "hardware": named(found["hardware"]).slug,
    }


def setting(filename: str) -> str:
    """How a file was measured: RTX 5090, mixed precision, eager, PyTorch 2.9.1. Raises UserError for another form."""
    about = parse_benchmark_name(filename)
    precision = PRECISIONS.get(about["precision"], about["precision"])
    compiled = "compiled" if about["compiled"] else "eager"
    return f"{named(about['hardware']).name}, {precision}, {compiled}, PyTorch {about['torch']}"


def benchmark_name(part: str, precision: str, layout: str, torch: str, cuda: str, hardware: str, compiled: bool) -> str:
    """The file name for a measurement (DESIGN: timm's form). `torch` is a version such as 2.15.0+cu130."""
    name = f"benchmark-{part}-{precision}-{layout}-pt{torch_digits(torch)}-{cuda}-{hardware}"
    return f"{name}{'-compiled' if compiled else ''}.csv"


def slugify(text: str) -> str:
    """Lower case letters, digits and single underscores: what a file name may hold."""
    # a file's name holds 255 bytes in all
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:60] or "unknown"


def short_name(text: str) -> str:
    """What the results of a folder or study called `text` are called: small letters, digits and hyphens, without
    accents; '' for ''. A name that these can't tell (写真) ends in six digits that stand for it.
    """
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    found = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:60]
    if text and (not found or re.search(r"[^\W\d_a-zA-Z]|[\udc80-\udcff]", plain)):
        same = unicodedata.normalize("NFC", text).encode("utf-8", "surrogateescape")
        return f"{found[:53] or 'photos'}-{hashlib.sha256(same).hexdigest()[:6]}"
    return found


def has_gpu() -> bool:
    """Whether there is a GPU that PyTorch computes on, asked without torch where that can be."""
    return bool(devices.without_torch())


def _rocm() -> bool:
    """Whether torch's `cuda` is AMD's here; torch is asked where it is loaded, else its version."""
    torch = sys.modules.get("torch")
    with contextlib.suppress(PackageNotFoundError):
        return bool(getattr(getattr(torch, "version", None), "hip", None)) if torch else "+rocm" in version("torch")
    return False


def _uuid(device: str) -> str:
    """The card's uuid by torch; '' where this process has not begun to compute on a GPU."""
    torch = sys.modules.get("torch")
    return str(torch.cuda.get_device_properties(device).uuid) if torch and torch.cuda.is_initialized() else ""


def describe(device: str = "cpu", uuid: str = "") -> dict:
    """This machine for a sidecar: slug, name, kind, year, cores, memory_gb and, on a GPU, driver, clocks and power as
    the driver says.

    device: 'cpu', or an accelerator (`device.KNOWN`), 'cuda:N' a certain one. uuid: which card that is by torch:
    torch counts the cards that CUDA_VISIBLE_DEVICES leaves, the fastest first, the driver all of them by their slot.
    Left out, it is asked of torch where this process computes with it already, and else N counts as the driver's.
    Raises UserError where that GPU is not there.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else 0.0
    host = {
        "cpu": cpu_model(),
        "cores": cores(),
        **({"cpu_quota": round(share(), 3)} if share() else {}),
        "memory_gb": round(memory, 1),
        "system": f"{platform.system()} {platform.release()}",
    }
    if not devices.on_gpu(device):
        known, part = lookup(cpu_model()), share()
        about = (known or Hardware(cpu_model(), cpu_model(), "cpu", 0))._asdict()
        if part or not known:
            amount = f"{part or cores():.3g}"
            about["slug"] = slugify(f"{about['slug']} {amount}c")
            about["name"] += f", {amount} core{'s' if amount != '1' else ''}" + (" of a container" if part else "")
        return {**about, "kind": "cpu", **host}
    if devices.kind(device) != "cuda" or _rocm():
        told = devices.facts(device)
        return {**_gpu(told["reported_name"]), **told, **host}
    query = (f"--query-gpu={','.join(ASKED)}", "--format=csv,noheader")
    if uuid := uuid or _uuid(device):  # a part of a card (MIG) has a uuid of its own: then the only card that there is
        said = _output("nvidia-smi", f"--id=GPU-{uuid.removeprefix('GPU-')}", *query) or _output("nvidia-smi", *query)
    else:
        said = _output("nvidia-smi", f"--id={device.partition(':')[2] or '0'}", *query)
    values = said.split(", ")
    if len(values) != len(ASKED):
        raise UserError(f"{device}: no such GPU answers nvidia-smi; use --device cpu, or check the driver")
    return {**_gpu(values[0]), **dict(zip(ASKED.values(), values)), **host}


def _gpu(reported: str) -> dict:
    """slug, name, kind and year of a GPU by what its driver calls it."""
    return (lookup(reported) or Hardware(slugify(reported), reported, "", 0))._replace(kind="gpu")._asdict()


def slug(device: str = "cpu") -> str:
    """This machine's name in file names."""
    return describe(device)["slug"]


_stand_in: ContextVar[tuple[str, ...]] = ContextVar("stand_in", default=())


def present() -> tuple[str, ...]:
    """Slugs of "this machine", the faster first: its GPU and its CPU, or those that `standing_in` names."""
    return _stand_in.get() or _detected()


@functools.lru_cache(maxsize=1)
def _detected() -> tuple[str, ...]:
    return tuple(slug(device) for device in filter(None, (devices.without_torch(), "cpu")))


@contextlib.contextmanager
def standing_in(slugs: Iterable[str]) -> Iterator[None]:
    """While inside, "this machine" is another, so that its charts can be drawn here; none named: the present one."""
    token = _stand_in.set(tuple(slugs))
    try:
        yield
    finally:
        _stand_in.reset(token)


@cli
def main() -> None:
    print(json.dumps(describe(devices.without_torch() or "cpu"), indent=2))


if __name__ == "__main__":
    sys.exit(main())
