"""Is this machine fit to be measured now? Other work, the mains, heat, a card that others use: what the system tells.

    look.around("cpu")       # a `Seen` for each question; about two seconds

What a system does not tell is said to be unknown, and is no reason not to measure.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from scripts.bench.nvml import SLOWED
from scripts.common import device as devices
from scripts.common.processor import output
from scripts.common.words import listing

FINE, TROUBLE, UNKNOWN = "fine", "trouble", "unknown"
BUSY = 10.0  # percent of all cores that other programs may use: a neighbour on one of two cores costs up to a third
STOLEN = 2.0  # percent of the time that a host may give to other virtual machines
SECONDS = 1.5
_FREQUENCY, _HEAT = Path("/sys/devices/system/cpu/cpu0/cpufreq"), Path("/sys/devices/system/cpu")


@dataclass(frozen=True)
class Seen:
    """An answer. said: how it stands, for anybody to read; remedy: what to do about trouble, for the terminal alone
    (it may name programs)."""

    what: str
    state: str
    said: str
    remedy: str = ""


def around(device: str = "cpu") -> list[Seen]:
    """All questions about the machine, those about a graphics card where `device` is one."""
    return [*load(), mains(), clock(), *(card(device) if devices.kind(device) == "cuda" else [])]


def load(seconds: float = SECONDS) -> list[Seen]:
    """Other programs, and other machines on the same host."""
    own = psutil.Process()
    some = [one for one in psutil.process_iter(["name"]) if one.pid != own.pid]
    for one in some:
        _share(one)  # the first call begins the count
    own.cpu_percent()
    times = psutil.cpu_times_percent(interval=seconds)
    mine = own.cpu_percent() / (psutil.cpu_count() or 1)
    busy = max(0.0, 100 - times.idle - getattr(times, "iowait", 0) - getattr(times, "steal", 0) - mine)
    said = f"other programs use {busy:.0f}% of the processor"
    if busy > BUSY:
        most = sorted(((_share(one), str(one.info["name"])) for one in some), reverse=True)[:3]
        names = list(dict.fromkeys(name for share, name in most if share > BUSY))
        found = [Seen("other work", TROUBLE, said, f"end {listing(names) or 'what else runs'}, or wait")]
    else:
        found = [Seen("other work", FINE, said)]
    stolen = getattr(times, "steal", 0.0)
    if stolen > STOLEN:
        told = f"the host gave {stolen:.0f}% of the time to other machines"
        found.append(Seen("the host", TROUBLE, told, "measure at a quieter time"))
    return found


def _share(process: psutil.Process) -> float:
    try:
        return process.cpu_percent()
    except psutil.Error:  # gone, or not ours to ask
        return 0.0


def mains() -> Seen:
    """Whether it is plugged in."""
    ask = getattr(psutil, "sensors_battery", None)
    try:
        battery = ask() if ask else None
    except (OSError, RuntimeError, ValueError):
        battery = None
    if ask is None:
        return Seen("the mains", UNKNOWN, "this system does not say whether it runs on mains")
    if battery is None:
        return Seen("the mains", FINE, "no battery: it runs on mains")
    if battery.power_plugged is None:
        return Seen("the mains", UNKNOWN, "the battery does not say whether it is plugged in")
    if not battery.power_plugged:
        return Seen("the mains", TROUBLE, "it runs on battery", "plug it in")
    return Seen("the mains", FINE, "plugged in")


def clock() -> Seen:
    """Whether the processor's clock is held down, and how often heat has slowed it since it was started."""
    what = "the clock"
    if sys.platform == "darwin":
        limit = next((line for line in output("pmset", "-g", "therm").splitlines() if "CPU_Speed_Limit" in line), "")
        share = limit.rpartition("=")[2].strip()
        if share.isdigit():
            told = f"the processor runs at {share}% of its speed"
            return Seen(what, FINE if int(share) >= 100 else TROUBLE, told, "let it cool down")
    try:
        most, may = (
            int((_FREQUENCY / name).read_text(encoding="ascii")) for name in ("cpuinfo_max_freq", "scaling_max_freq")
        )
    except (OSError, ValueError):
        return Seen(what, UNKNOWN, "this system does not tell the processor’s clock")
    if may < 0.98 * most:
        told = f"the processor is held at {may / 1e6:.1f} of {most / 1e6:.1f} GHz"
        return Seen(what, TROUBLE, told, "choose the power plan for speed")
    return Seen(what, FINE, f"the processor may run at its {most / 1e6:.1f} GHz")


def slowed_by_heat() -> int | None:
    """How often heat has slowed the processor's cores since the machine was started; None where it does not say."""
    counts = [_number(path) for path in sorted(_HEAT.glob("cpu[0-9]*/thermal_throttle/core_throttle_count"))]
    return sum(count for count in counts if count is not None) if counts else None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def card(device: str) -> list[Seen]:
    """Whether others compute on an NVIDIA card, and whether it is held back."""
    asked = "utilization.gpu,temperature.gpu,clocks_throttle_reasons.active"
    index = device.partition(":")[2] or "0"
    told = output("nvidia-smi", f"--query-gpu={asked}", "--format=csv,noheader,nounits", "-i", index).split(",")
    try:
        used, degrees, reasons = int(told[0]), int(told[1]), int(told[2].strip(), 16)
    except (ValueError, IndexError):
        return [Seen("the card", UNKNOWN, "the driver does not tell what the card does")]
    busy = Seen("the card", FINE, f"the card is {used}% busy, {degrees} °C")
    if used > BUSY:
        busy = Seen("the card", TROUBLE, busy.said, "end what computes on it (nvidia-smi lists it)")
    if not reasons & SLOWED:
        return [busy]
    return [busy, Seen("the card’s clock", TROUBLE, "heat or power slows the card", "let it cool down")]
