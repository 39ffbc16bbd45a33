"""Joules that the processor's package or the GPU has used, where the system lets one read them.

RAPL counts the whole package, neighbours included: it says what an image costs on a machine that does nothing else.
"""

from __future__ import annotations

import math
from pathlib import Path

RAPL = Path("/sys/class/powercap")


def packages(root: Path = RAPL) -> list[Path]:
    """The counters of the processor's packages, not of their parts, that can be read here."""
    found = []
    for folder in sorted(root.glob("intel-rapl:*")):
        try:
            if folder.name.count(":") == 1 and (folder / "name").read_text(encoding="utf-8").startswith("package"):
                int((folder / "energy_uj").read_text(encoding="utf-8"))
                found.append(folder)
        except (OSError, ValueError):  # root's alone since 2020 (CVE-2020-8694), or not there
            continue
    return found


class Counter:
    """`start`, then `joules` since; NaN where nothing can be read."""

    def __init__(self, root: Path = RAPL):
        self.folders = packages(root)
        self.start()

    def _read(self) -> list[int]:
        return [int((folder / "energy_uj").read_text(encoding="utf-8")) for folder in self.folders]

    def start(self) -> None:
        self.before = self._read()

    def joules(self) -> float:
        if not self.folders:
            return math.nan
        used = 0
        for folder, before, after in zip(self.folders, self.before, self._read()):
            wrap = 0 if after >= before else int((folder / "max_energy_range_uj").read_text(encoding="utf-8"))
            used += after - before + wrap
        return used / 1e6
