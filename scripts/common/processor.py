"""The processor that this process runs on: what it is called, and how much of it may be used.

Standard library alone: scripts/__init__.py asks before anything else is imported.
"""

from __future__ import annotations

import math
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

# ARM's processors have no name in /proc/cpuinfo, but an implementer and a part.
# Linux: arch/arm64/include/asm/cputype.h; util-linux: sys-utils/lscpu-arm.c.
ARM = {
    0x41: (
        "ARM",
        {
            0xC07: "Cortex-A7", 0xC0F: "Cortex-A15", 0xD03: "Cortex-A53", 0xD04: "Cortex-A35", 0xD05: "Cortex-A55",
            0xD07: "Cortex-A57", 0xD08: "Cortex-A72", 0xD09: "Cortex-A73", 0xD0A: "Cortex-A75", 0xD0B: "Cortex-A76",
            0xD0C: "Neoverse-N1", 0xD0D: "Cortex-A77", 0xD40: "Neoverse-V1", 0xD41: "Cortex-A78", 0xD42: "Cortex-A78AE",
            0xD44: "Cortex-X1", 0xD46: "Cortex-A510", 0xD47: "Cortex-A710", 0xD48: "Cortex-X2", 0xD49: "Neoverse-N2",
            0xD4A: "Neoverse-E1", 0xD4D: "Cortex-A715", 0xD4E: "Cortex-X3", 0xD4F: "Neoverse-V2", 0xD80: "Cortex-A520",
            0xD81: "Cortex-A720", 0xD82: "Cortex-X4", 0xD84: "Neoverse-V3", 0xD85: "Cortex-X925", 0xD87: "Cortex-A725",
            0xD8E: "Neoverse-N3",
        },
    ),
    0x46: ("Fujitsu", {0x001: "A64FX"}),
    0x48: ("HiSilicon", {0xD01: "TaiShan-v110", 0xD02: "TaiShan-v120"}),
    0x4E: ("NVIDIA", {0x003: "Denver 2", 0x004: "Carmel", 0x010: "Olympus"}),
    0x51: ("Qualcomm", {0x001: "Oryon", 0x800: "Kryo Gold", 0x801: "Kryo Silver", 0xC00: "Falkor"}),
    0x61: (
        "Apple",
        {
            **dict.fromkeys((0x022, 0x023), "M1"), **dict.fromkeys((0x024, 0x025), "M1 Pro"),
            **dict.fromkeys((0x028, 0x029), "M1 Max"), **dict.fromkeys((0x032, 0x033), "M2"),
            **dict.fromkeys((0x034, 0x035), "M2 Pro"), **dict.fromkeys((0x038, 0x039), "M2 Max"),
        },
    ),
    0xC0: ("Ampere", {0xAC3: "Ampere-1", 0xAC4: "Ampere-1a", 0xAC5: "Ampere-1b"}),
}  # fmt: skip


def model() -> str:
    """The operating system's name of the processor, without trademark signs and clock; 'unknown cpu' for none."""
    text = ""
    if sys.platform == "linux":
        said = _read("/proc/cpuinfo")
        found = re.search(r"^model name\s*:\s*(.+)$", said, re.M)
        text = found.group(1) if found else _board(said) or _arm(said)
    elif sys.platform == "darwin":
        text = output("sysctl", "-n", "machdep.cpu.brand_string")
    text = text or platform.processor() or f"{platform.machine()} cpu"
    text = re.sub(r"\((r|tm|c)\)|\bcpu\b|\d+-core processor|processor|@.*$", " ", text, flags=re.I)
    return " ".join(text.split()) or "unknown cpu"


def _board(cpuinfo: str) -> str:
    """What a single-board computer is: "Raspberry Pi 4 Model B" (the revision left out), '' for other machines."""
    found = re.search(r"^Model\s*:\s*(.+)$", cpuinfo, re.M)
    text = found.group(1) if found else _read("/proc/device-tree/model")
    return re.sub(r"\s+Rev .*$", "", text.strip("\0 \n"))


def _arm(cpuinfo: str) -> str:
    """The cores of an ARM processor by implementer and part, each kind once; '' where they are not told."""
    pairs = re.findall(
        r"^CPU implementer\s*:\s*(0x[0-9a-f]+).*?^CPU part\s*:\s*(0x[0-9a-f]+)", cpuinfo, re.M | re.S | re.I
    )
    names = []
    for implementer, part in pairs:
        maker, parts = ARM.get(int(implementer, 16), (f"ARM implementer {implementer}", {}))
        names.append(f"{maker} {parts.get(int(part, 16), f'part {part}')}")
    return " and ".join(dict.fromkeys(names))


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def output(*command: str) -> str:
    """What a command prints, '' where it is not there or fails."""
    try:
        return subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=20, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def quota() -> float:
    """Cores' worth of time that the control groups of this process allow, as `docker run --cpus` sets it; inf where
    they don't say. Neither the affinity nor the number of processors shows it.
    """
    least = math.inf
    groups = dict(line.split(":", 2)[1:] for line in _read("/proc/self/cgroup").splitlines() if line.count(":") > 1)
    path = next((path for names, path in groups.items() if "cpu" in names.split(",")), "/")
    for root, inside, files in (
        ("/sys/fs/cgroup", groups.get("", "/"), ("cpu.max",)),  # version 2
        ("/sys/fs/cgroup/cpu", path, ("cpu.cfs_quota_us", "cpu.cfs_period_us")),  # version 1
    ):
        place = Path(root) / inside.strip("/")
        for folder in (place, *place.parents):  # a group is bound by those above it
            if not folder.is_relative_to(root):
                break
            values = " ".join(_read(folder / file) for file in files).split()
            if len(values) == 2 and all(value.isdigit() and int(value) for value in values):
                least = min(least, int(values[0]) / int(values[1]))
    return least


def allowed() -> int:
    """Processors that this process may run on, whatever its control group allows."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share() -> float:
    """The quota where it is less than the processors that this process may run on, else 0."""
    limit = quota()
    return limit if limit < allowed() else 0


def cores() -> int:
    """Processor cores that this process may use (a container's share, not the host's), at least one."""
    return max(1, math.ceil(min(allowed(), quota())))


def limit_threads() -> None:
    """Before numerical libraries are imported: as many threads as the quota has cores, unless the user says."""
    if share():
        os.environ.setdefault("OMP_NUM_THREADS", str(cores()))
