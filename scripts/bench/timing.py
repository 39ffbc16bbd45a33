"""Time a repeated step: warm up until it is steady, then blocks of steps until the median is known well enough.

`time_steps` knows nothing of models: a step is any callable of a counter. On a CPU each step is timed on the wall
clock, and a block in which this process got less than 95% of a core (a neighbour ran) is left out; on a GPU, events on
the stream time the steps and nothing waits inside a block; a block during which the chip was slowed by heat or its
power supply is left out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from scripts.common import device as devices

TOLERANCE = 0.01  # warm-up: two windows agree within this; timing: half-width of the interval over the median
MIN_BLOCKS = 6  # the fewest whose extremes hold the median with 95% confidence: 1 - 2 / 2**6 = 0.969
FEWEST_STEPS = 3  # where a single step outlasts the budget
AT_LEAST = 0.25  # of the budget: six alike blocks in a row may all lie in one quiet moment
HOPELESS = 0.4  # of the budget: from then on an interval that cannot narrow to TOLERANCE in the rest is not waited for
FAR = 1.5  # times TOLERANCE, since the width itself is a guess
MIN_CORE_SHARE = 0.95


@dataclass
class Timing:
    """step: median seconds of a step over blocks, with the interval low..high; latencies: every timed step, in
    seconds.
    """

    step: float
    low: float
    high: float
    latencies: list[float]
    blocks: int
    blocks_left_out: int
    converged: bool
    warm_steps: int
    timed_seconds: float
    core_share: float = math.nan
    chip: dict = field(default_factory=dict)  # what `nvml.Meter.stop` says

    def percentile(self, share: float) -> float:
        """The latency in seconds that `share` (0–1) of the steps stay within: the nearest rank, so always a step
        that happened.
        """
        ordered = sorted(self.latencies)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median_interval(samples: list[float]) -> tuple[float, float, float]:
    """(median, low, high): a distribution-free 95% interval from order statistics (Conover, Practical Nonparametric
    Statistics, 3.2).

    With fewer than six samples the extremes are returned; they hold the median with less than 95% confidence.
    """
    ordered = sorted(samples)
    n, rank, below = len(ordered), 0, 1
    while (
        40 * below <= 2**n
    ):  # below / 2**n: chance that at most `rank` samples lie under the median; twice that may be 5%
        rank += 1
        below += math.comb(n, rank)
    cut = max(0, rank - 1)
    return median(ordered), ordered[cut], ordered[n - 1 - cut]


class CpuClock:
    """Wall clock for steps that return when they are done. With one thread it also knows the share of a core that
    the step got.
    """

    def __init__(self, threads: int):
        self.one_thread = threads == 1

    def run(self, step: Callable[[int], object], first: int, count: int, meter=None) -> tuple[list[float], float]:
        """Seconds of each of `count` steps numbered from `first`, and the share of a core (NaN with several
        threads).
        """
        times, busy = [], time.thread_time()
        for i in range(first, first + count):
            start = time.perf_counter()
            step(i)
            times.append(time.perf_counter() - start)
        share = (time.thread_time() - busy) / sum(times) if self.one_thread else math.nan
        return times, share


class QueueClock:
    """Events on the current stream: the device's own time between the ends of consecutive steps, the queue never
    drained inside a block.
    """

    def __init__(self, device: str):
        self.device = device

    def run(self, step: Callable[[int], object], first: int, count: int, meter=None) -> tuple[list[float], float]:
        events = [devices.event(self.device) for _ in range(count + 1)]
        events[0].record()
        for i in range(count):
            step(first + i)
            events[i + 1].record()
        if meter:
            meter.sample()  # while the chip works
        events[-1].synchronize()
        return [events[i].elapsed_time(events[i + 1]) / 1e3 for i in range(count)], math.nan


def warm_up(step: Callable[[int], object], clock, seconds: float) -> tuple[int, float]:
    """Run `step`, which ran once before, until two windows agree within 1%, or `seconds` are over.

    Returns (steps run, seconds of a step in the last window).
    """
    start, done, window, before = time.perf_counter(), 0, 1, math.nan
    while True:
        times, _ = clock.run(step, done, window)
        done, last = done + window, median(times)
        if abs(last - before) <= TOLERANCE * last or time.perf_counter() - start >= seconds:
            return done, last
        before, window = last, min(1000, max(1, round(seconds / 8 / last)))


def probe(step: Callable[[int], object], clock, seconds: float) -> float:
    """Least seconds of a step, which ran once before: two or more, until `seconds` are over."""
    times, start = [], time.perf_counter()
    while len(times) < 2 or time.perf_counter() - start < seconds:
        times += clock.run(step, len(times), 1)[0]
    return min(times)


def time_steps(step: Callable[[int], object], clock, seconds: float, warm_seconds: float, meter=None) -> Timing:
    """Warm up, then time blocks of `step` until the 95% interval of the median is within 1%, or `seconds` are over, or
    the interval, which narrows with the root of the time, would not get there in what is left.

    seconds: budget for the timed part; three steps are run even where they take longer. meter: an `nvml.Meter` or None.
    """
    warm_steps, guess = warm_up(step, clock, warm_seconds)
    a_block = min(1000, max(1, round(seconds / 40 / guess)))
    good, bad, latencies, spare, shares = [], [], [], [], []
    done, start = warm_steps, time.perf_counter()
    if meter:
        meter.start()
    while True:
        times, share = clock.run(step, done, a_block, meter)
        done += a_block
        shares.append(share)
        disturbed = share < MIN_CORE_SHARE or bool(meter and meter.slowed())
        (bad if disturbed else good).append(sum(times) / a_block)
        (spare if disturbed else latencies).extend(times)
        elapsed = time.perf_counter() - start
        share_used = elapsed / seconds
        if len(good) >= MIN_BLOCKS:
            middle, low, high = median_interval(good)
            width = (high - low) / 2 / middle
            enough = share_used >= AT_LEAST and width <= TOLERANCE
            hopeless = share_used >= HOPELESS and width * math.sqrt(share_used) > FAR * TOLERANCE
            if share_used >= 1 or enough or hopeless:
                break
        elif share_used >= 1 and len(good) + len(bad) >= FEWEST_STEPS:
            break
        elif share_used >= HOPELESS and len(good) < MIN_BLOCKS * share_used and len(bad) >= MIN_BLOCKS:
            break  # at this rate the machine stays too busy for a sound interval
    chip = meter.stop(done - warm_steps) if meter else {}
    kept = len(good) >= MIN_BLOCKS or len(good) >= len(
        bad
    )  # a machine that was never quiet: everything counts, the interval says so
    samples, steps = (good, latencies) if kept else (good + bad, latencies + spare)
    middle, low, high = median_interval(samples)
    return Timing(
        middle,
        low,
        high,
        steps,
        len(samples),
        len(bad) if kept else 0,
        len(samples) >= MIN_BLOCKS and (high - low) / 2 <= TOLERANCE * middle,
        warm_steps,
        elapsed,
        median(shares),
        chip,
    )
