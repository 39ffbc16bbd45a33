"""The process that holds one network in one runtime, and times blocks of it when asked.

Each runtime has a process of its own, so that none decides how the memory of another is kept; `runtimes` lets them take
turns.
"""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scripts.bench import energy, worker


class Asked(NamedTuple):
    """What a process is to hold."""

    model: str
    runtime: str
    precision: str
    batch: int
    threads: int
    device: str = "cpu"
    img_size: int | None = None


class Block(NamedTuple):
    """seconds of each step; share of a core that the process got; joules of the block, NaN where unknown."""

    steps: list[float]
    share: float
    joules: float


class Held:
    """A loaded network with inputs that together outgrow the last-level cache."""

    def __init__(self, asked: Asked):
        from scripts.bench.loaded import last_level_cache
        from scripts.runtimes.load import load
        from scripts.runtimes.network import of_timm

        self.asked, self.done, self.energy = asked, 0, energy.Counter()
        self.network = of_timm(asked.model, asked.img_size)
        self.loaded = load(self.network, asked.runtime, asked.precision, asked.threads, asked.device, asked.batch)
        shape = (asked.batch, 3, self.network.size, self.network.size)
        many = min(64, max(2, -(-2 * last_level_cache(asked.device) // (4 * int(np.prod(shape))))))
        random = np.random.default_rng(0)
        self.inputs = [self.loaded.place(random.standard_normal(shape, np.float32)) for _ in range(many)]

    def facts(self) -> dict:
        """What a row says of how it was loaded."""
        loaded = self.loaded
        return {
            "infer_img_size": self.network.size,
            "computes": loaded.computes,
            "export_secs": round(loaded.export_seconds, 2),
            "quantise_secs": round(loaded.quantise_seconds, 2),
            "compile_secs": round(loaded.compile_seconds, 2),
        }

    def block(self, seconds: float) -> Block:
        """Steps for about `seconds`, one at least."""
        times: list[float] = []
        self.energy.start()
        begun, busy = time.perf_counter(), time.process_time()
        while not times or time.perf_counter() - begun < seconds:
            start = time.perf_counter()
            out = self.loaded.run(self.inputs[self.done % len(self.inputs)])
            if self.asked.device != "cpu":
                self.loaded.fetch(out)  # waits until it is there
            times.append(time.perf_counter() - start)
            self.done += 1
        share = (time.process_time() - busy) / (time.perf_counter() - begun)
        return Block(times, share, self.energy.joules())


held: list[Held] = []


def load(asked: Asked) -> dict:
    held[:] = [Held(asked)]
    return held[0].facts()


def count() -> dict[str, float]:
    """param_count, gmacs and macts of the network that is held."""
    from scripts.bench.count import count

    size = held[0].network.size
    return count(held[0].asked.model, (3, size, size))


def answers(pictures: int) -> np.ndarray:
    """Logits for the carried pictures, float32 (n, classes)."""
    from scripts.runtimes import check
    from scripts.runtimes.pictures import batch

    return check.answers(held[0].loaded, batch(held[0].network, most=pictures), held[0].asked.batch)


def block(seconds: float) -> Block:
    return held[0].block(seconds)


def memory() -> float:
    """Resident memory of this process in MB; NaN where the system does not say."""
    from scripts.bench.loaded import Memory

    return Memory._status("VmRSS") if Path("/proc/self/status").exists() else float("nan")


VERBS = {"load": load, "count": count, "answers": answers, "block": block, "memory": memory}
serve = functools.partial(worker.serve, verbs=VERBS)
