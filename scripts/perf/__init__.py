"""`make perf`: benchmarks of our own code, each as a ratio with both sides measured in one run. Never part of the
tests.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from scripts.common.paths import ROOT


def parser(module: str, about: str, example: str = "") -> argparse.ArgumentParser:
    """The parser of `python -m scripts.perf.<module>`. about: its docstring, of which the first paragraph is shown;
    example: arguments.
    """
    called = f"python -m scripts.perf.{module}".removesuffix(".")
    epilog = f"example: {called} {example}" if example else None
    return argparse.ArgumentParser(prog=called, description=about.split("\n\n")[0], epilog=epilog)


def ran(*arguments: str, **settings) -> subprocess.CompletedProcess[str]:
    """This Python with `arguments`, in the project's folder, with what it says as text. settings: of subprocess.run."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace", **settings
    )


def verdict(reached: bool) -> str:
    """How a target was met."""
    return "reached" if reached else "MISSED"
