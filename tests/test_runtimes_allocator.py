"""That freed memory is kept for the next step, and given back between models: seen in the page faults and the size
of a real process.
"""

from __future__ import annotations

import ctypes
import json
import platform
import subprocess
import sys

import pytest

from scripts.common.paths import ROOT
from scripts.runtimes import allocator

STEPS, BLOCK = 50, 8 << 20
PROGRAM = f"""
import ctypes, json, resource, sys
from pathlib import Path
from scripts.runtimes import allocator

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
kept = sys.argv[1] == "kept" and allocator.keep_freed_memory()

def step():  # as a network's: large blocks are taken, written and freed
    blocks = [libc.malloc({BLOCK}) for _ in range(8)]
    for block in blocks:
        ctypes.memset(block, 1, {BLOCK})
    for block in reversed(blocks):
        libc.free(block)

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({STEPS}):
    step()
faults, held = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, resident()
allocator.give_back()
print(json.dumps({{"kept": kept, "faults": faults, "held": held, "after": resident()}}))
"""


def measured(how: str) -> dict:
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_a_step_faults_no_pages_in_once_memory_is_kept():
    kept, default = measured("kept"), measured("default")
    assert kept["kept"] and not default["kept"]
    assert kept["faults"] < STEPS  # not even one page a step
    assert default["faults"] > 10 * STEPS  # else the default would do, and this module could go
    assert kept["held"] - kept["after"] > 6 * BLOCK  # between models it goes back


def test_another_c_library_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not allocator.keep_freed_memory()
    allocator.give_back()
