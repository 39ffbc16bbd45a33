"""Waiting for another process: long enough for a machine that is busy with eight others, and never for a corpse."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil

PATIENCE_S = 240  # for what takes seconds on two quiet cores


def until(condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Return as soon as `condition()` is true; fail with `what` where it does not become so."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {patience_s:.0f} s"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether the process runs. A zombie, whose parent has not asked for its end yet, does not."""
    try:
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False
