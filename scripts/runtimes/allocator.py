"""Memory on a CPU as a long-running program has it: what a step frees is kept for the next step.

By default glibc gives large blocks back to the kernel when they are freed and fetches them again, page by page, in the
next step. How many depends on what the process allocated before: the same model's speed then differs between two fresh
processes, and a light model loses most (`python -m scripts.perf.bench --kept-memory` measures it). PyTorch's
guide for CPUs advises an allocator that keeps memory (jemalloc, TCMalloc) for this reason:
https://docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html
"""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h; see mallopt(3)


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed memory in this process, from now on. False where the C library is another one:
    nothing is changed then.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, musl, Windows
        return False
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, 2**31 - 1))


def give_back() -> None:
    """Give what is kept and unused back to the kernel, so that the next model starts as the first did."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        pass
