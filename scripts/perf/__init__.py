"""`make perf`: benchmarks of our own code, each as a ratio with both sides measured in one run. Never part of the
tests.
"""

from __future__ import annotations

import subprocess
import sys

from scripts.common.paths import ROOT


def ran(*arguments: str, **settings) -> subprocess.CompletedProcess[str]:
    """This Python with `arguments`, in the project's folder, with what it says as text. settings: of subprocess.run."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace", **settings
    )


def verdict(reached: bool) -> str:
    """How a target was met."""
    return "reached" if reached else "MISSED"
