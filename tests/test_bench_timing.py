"""The clockwork: intervals, warm-up, blocks, disturbed blocks left out. No model, no device: a clock that plays
back prepared times.
"""

from __future__ import annotations

import math
import random
import time

import pytest

from scripts.bench import timing
from scripts.bench.timing import CpuClock, Timing, median_interval, probe, time_steps, warm_up


class Playback:
    """A clock whose steps take the prepared seconds (the last one repeats); `time.perf_counter` follows it."""

    def __init__(self, monkeypatch, seconds, shares=()):
        self.seconds, self.shares, self.now, self.calls = list(seconds), list(shares), 0.0, 0
        monkeypatch.setattr(timing.time, "perf_counter", lambda: self.now)

    def run(self, step, first, count, meter=None):
        times = []
        for i in range(count):
            step(first + i)
            times.append(self.seconds.pop(0) if len(self.seconds) > 1 else self.seconds[0])
        self.now += sum(times)
        self.calls += 1
        if meter:
            meter.sample()
        return times, self.shares.pop(0) if self.shares else 1.0


def test_interval_of_six_samples_is_their_range_and_of_many_is_narrow():
    assert median_interval([3, 1, 2, 6, 5, 4]) == (3.5, 1, 6)
    assert median_interval([1.0]) == (1.0, 1.0, 1.0)
    middle, low, high = median_interval(list(range(101)))
    assert (middle, low, high) == (50, 40, 60)  # ranks 41 and 61 of 101, as in tables of the sign test
    assert median_interval(list(range(5000)))[1] > 2400  # no overflow with thousands of samples


def test_interval_holds_the_true_median_about_95_times_in_100():
    generator = random.Random(1)
    inside = 0
    for _ in range(400):
        _, low, high = median_interval([generator.gauss(10, 1) for _ in range(15)])
        inside += low <= 10 <= high
    assert inside >= 0.93 * 400


def test_warm_up_ends_when_two_windows_agree(monkeypatch):
    clock = Playback(monkeypatch, [3.0, 2.0, 1.5, 1.0, 1.0, 1.0])
    done, last = warm_up(lambda i: None, clock, seconds=100)
    assert last == 1.0 and done < 30


def test_warm_up_ends_with_its_budget_when_steps_never_agree(monkeypatch):
    clock = Playback(monkeypatch, [float(2 ** (i % 2)) for i in range(1000)])
    warm_up(lambda i: None, clock, seconds=1.5)
    assert clock.now <= 4


def test_steady_steps_stop_early_and_nobody_waits_for_wild_ones(monkeypatch):
    steady = time_steps(lambda i: None, Playback(monkeypatch, [0.1]), seconds=8, warm_seconds=1)
    assert steady.converged and steady.step == pytest.approx(0.1) and steady.timed_seconds < 4
    generator = random.Random(2)
    wild = time_steps(
        lambda i: None,
        Playback(monkeypatch, [generator.uniform(0.05, 0.5) for _ in range(1000)]),
        seconds=8,
        warm_seconds=1,
    )
    assert not wild.converged and 0.4 * 8 <= wild.timed_seconds < 6 and wild.low < wild.step < wild.high


def test_an_interval_that_can_still_narrow_is_waited_for(monkeypatch):
    generator = random.Random(4)
    steps = [generator.uniform(0.096, 0.104) for _ in range(1000)]
    found = time_steps(lambda i: None, Playback(monkeypatch, steps), seconds=8, warm_seconds=1)
    width = (found.high - found.low) / 2 / found.step
    assert found.converged and width <= timing.TOLERANCE and found.timed_seconds > 0.25 * 8


def test_a_machine_that_stays_busy_is_not_waited_for(monkeypatch):
    clock = Playback(monkeypatch, [0.1], [1.0, 1.0] + [0.5] * 1000)
    found = time_steps(lambda i: None, clock, seconds=8, warm_seconds=1)
    assert found.timed_seconds < 4 and found.blocks_left_out == 0 and found.blocks >= timing.MIN_BLOCKS


def test_a_step_longer_than_the_budget_is_still_run_three_times(monkeypatch):
    found = time_steps(lambda i: None, Playback(monkeypatch, [20.0]), seconds=4, warm_seconds=0.5)
    assert found.blocks == 3 and found.step == 20 and not found.converged


def test_blocks_that_a_neighbour_disturbed_are_left_out(monkeypatch):
    times, shares = [1.0, 1.0], [1.0, 1.0]  # warm-up
    for i in range(30):
        times.append(3.0 if i % 2 else 1.0)
        shares.append(0.4 if i % 2 else 1.0)
    found = time_steps(lambda i: None, Playback(monkeypatch, times, shares), seconds=40, warm_seconds=1)
    assert found.step == 1.0 and found.blocks_left_out > 0 and max(found.latencies) == 1.0


def test_where_all_blocks_are_disturbed_all_count(monkeypatch):
    generator = random.Random(3)
    times = [1.0, 1.0] + [generator.uniform(1, 3) for _ in range(60)]
    found = time_steps(lambda i: None, Playback(monkeypatch, times, [0.3] * 100), seconds=40, warm_seconds=1)
    assert found.blocks_left_out == 0 and found.blocks >= 3 and not found.converged


def test_blocks_on_a_slowed_chip_are_left_out(monkeypatch):
    class Meter:
        samples = 0

        def start(self):
            pass

        def sample(self):
            self.samples += 1

        def slowed(self):
            return self.samples % 3 == 0

        def stop(self, steps):
            return {"sm_clock_mhz": 1500.0}

    times = [1.0, 1.0] + [5.0 if (i + 1) % 3 == 0 else 1.0 for i in range(60)]
    found = time_steps(lambda i: None, Playback(monkeypatch, times), seconds=30, warm_seconds=1, meter=Meter())
    assert found.step == 1.0 and found.blocks_left_out >= 2 and found.chip == {"sm_clock_mhz": 1500.0}


def test_percentiles_are_steps_that_happened():
    found = Timing(1, 1, 1, [float(i) for i in range(1, 101)], 6, 0, True, 1, 1.0)
    assert [found.percentile(share) for share in (0.5, 0.9, 0.99, 1.0)] == [50, 90, 99, 100]


def test_probe_takes_the_least_of_two_or_more(monkeypatch):
    assert probe(lambda i: None, Playback(monkeypatch, [2.0, 1.0]), seconds=0.1) == 1.0


def test_cpu_clock_times_each_step_and_knows_its_share_of_the_core():
    times, share = CpuClock(threads=1).run(lambda i: sum(range(200_000)), 0, 5)
    assert len(times) == 5 and 0 < share < 1.05
    _, asleep = CpuClock(threads=1).run(lambda i: time.sleep(0.02), 0, 3)
    assert asleep < 0.5
    assert math.isnan(CpuClock(threads=2).run(lambda i: None, 0, 1)[1])


def test_cuda_clock_takes_the_time_between_events_and_samples_while_the_chip_works(monkeypatch):
    torch = pytest.importorskip("torch")
    device = {"now": 0.0, "waited": False}  # milliseconds

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            self.at = device["now"]

        def synchronize(self):
            device["waited"] = True

        def elapsed_time(self, other):
            return other.at - self.at

    class Meter:
        def sample(self):
            assert not device["waited"]

    def step(i):
        device["now"] += 2.0 + i

    monkeypatch.setattr(torch.cuda, "Event", Event)
    times, share = timing.QueueClock("cuda").run(step, first=1, count=3, meter=Meter())
    assert times == pytest.approx([0.003, 0.004, 0.005]) and math.isnan(share) and device["waited"]
