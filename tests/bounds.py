"""What a stranger's file may cost: 5 seconds of a processor, a gigabyte of memory."""

from __future__ import annotations

import contextlib
import resource
import time
from collections.abc import Iterator
from pathlib import Path

SECONDS, BYTES = 5, 2**30


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Fail with MemoryError or AssertionError where the block costs more."""
    statm, limits = Path("/proc/self/statm"), resource.getrlimit(resource.RLIMIT_AS)
    if statm.exists():
        used = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, limits[1]))
    began = time.process_time()
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    assert time.process_time() - began < SECONDS
