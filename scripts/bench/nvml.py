"""What an NVIDIA chip does while it is timed: SM clock, energy, and whether heat or power supply slowed it. All
blank without NVML.
"""

from __future__ import annotations

import math
from statistics import median

# nvmlClocksEventReason bits: hardware slowdown, software thermal, hardware thermal, power brake. A power cap (0x4) is a
# chip's normal
# state under full load: it is counted, and nothing is left out for it.
SLOWED = 0x8 | 0x20 | 0x40 | 0x80
POWER_CAPPED = 0x4


class Meter:
    """Readings of one GPU. `start`, `sample` while it works, `slowed` after each block, `stop`."""

    def __init__(self, device: str):
        import pynvml  # from nvidia-ml-py; ImportError: no meter, see `meter`

        self.nvml = pynvml
        pynvml.nvmlInit()
        import torch

        chip = torch.cuda.get_device_properties(
            device
        ).uuid  # NVML counts chips that CUDA_VISIBLE_DEVICES hides, so no index
        self.handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{chip}")
        self.start()

    def start(self) -> None:
        self.clocks, self.reasons, self.fresh = [], [], 0
        self.energy = self._read("nvmlDeviceGetTotalEnergyConsumption")

    def sample(self) -> None:
        clock = self._read("nvmlDeviceGetClockInfo", 1)  # NVML_CLOCK_SM
        if clock is not None:
            self.clocks.append(clock)
        reasons = self._read("nvmlDeviceGetCurrentClocksEventReasons")
        self.fresh = (
            self._read("nvmlDeviceGetCurrentClocksThrottleReasons") if reasons is None else reasons
        ) or 0  # its name in older drivers
        self.reasons.append(self.fresh)

    def slowed(self) -> bool:
        return bool(self.fresh & SLOWED)

    def stop(self, steps: int) -> dict:
        """sm_clock_mhz (median), sm_clock_min_mhz, slowed and power_capped (share of samples), energy_j_per_step;
        NaN where unknown.
        """
        energy = self._read("nvmlDeviceGetTotalEnergyConsumption")
        share = lambda bits: (
            sum(bool(reason & bits) for reason in self.reasons) / len(self.reasons) if self.reasons else math.nan
        )
        return {
            "sm_clock_mhz": median(self.clocks) if self.clocks else math.nan,
            "sm_clock_min_mhz": min(self.clocks, default=math.nan),
            "slowed": share(SLOWED),
            "power_capped": share(POWER_CAPPED),
            "energy_j_per_step": (energy - self.energy) / 1e3 / steps
            if energy is not None and self.energy is not None
            else math.nan,
        }

    def _read(self, function: str, *arguments):
        try:
            return getattr(self.nvml, function)(self.handle, *arguments)
        except (self.nvml.NVMLError, AttributeError):
            return None  # this chip or driver does not say


def meter(device: str) -> Meter | None:
    """A meter for 'cuda' or 'cuda:N'; None on a CPU, or where NVML does not answer."""
    if not device.startswith("cuda"):
        return None
    try:
        return Meter(device)
    except Exception:  # no package, no library, no permission: each is "not known", and no reason not to measure
        return None
