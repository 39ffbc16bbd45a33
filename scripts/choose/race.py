"""Judge backbones on the same photos within the time there is: all on a few photos first, then the better ones on more.

Each rung has four times the photos of the one before, drawn from every class in its share. While everything left fits
into the time, nothing is dropped. Where it does not, those go that are surely behind the best of their rung (paired,
scripts.choose.compare), then the worst, and their row says after how many photos. Time for all photos of one is kept
back from the start. The best is found by cross-validation on the training photos alone; the test photos, where there
are any, are looked at once, at the end. After the first rung all are timed in turn, so that a moment when the machine
was busy weighs on all alike.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from threadpoolctl import threadpool_limits

from scripts.choose import compare
from scripts.choose.candidates import HISTOGRAM, RANDOM
from scripts.common.errors import UserError
from scripts.common.words import duration
from scripts.train import features, probe
from scripts.train.features import Extractor

FIRST, PER_CLASS, RUNG = 240, 12, 4
SPARE = 0.9  # of the time left, to plan with: photos of other sizes and a busier machine take longer than the estimate
ROUNDS = 3  # of timing all backbones in turn, a batch each
SURE = 0.99  # level at which one is dropped early: of ten on 240 photos, 90% drops some that are as good as the best
UNBALANCED = 10  # largest class over smallest from which each class counts the same


@dataclass
class Photos:
    """What backbones are judged on. pixels: uint8 (n, 3, side, side); train and test: rows of it, train in drawing
    order.

    groups: (n,) equal for near-copies; balanced: each class counts the same, as they are very unequal.
    """

    pixels: np.ndarray
    hashes: list[bytes]
    labels: np.ndarray
    classes: list[str]
    train: np.ndarray
    test: np.ndarray
    groups: np.ndarray
    balanced: bool = False

    def weights(self, rows: np.ndarray) -> np.ndarray:
        return compare.weights(self.labels[rows], self.balanced)


@dataclass
class Runner:
    """One backbone in the race. right: rung (photos) -> which of them cross-validation gets right; state: racing,
    whole, dropped, out of time, untried or failed; note: why."""

    extractor: Extractor
    state: str = "racing"
    note: str = ""
    right: dict[int, np.ndarray] = field(default_factory=dict)
    neighbours: float = math.nan
    judged: probe.Judged | None = None
    test_probabilities: np.ndarray | None = None

    @property
    def name(self) -> str:
        return self.extractor.backbone.label

    @property
    def floor(self) -> bool:
        """Whether it knows nothing, and only shows what knowing is worth."""
        return self.extractor.backbone.weights == RANDOM or self.extractor.backbone.name == HISTOGRAM

    @property
    def photos(self) -> int:
        """Training photos that it was judged on."""
        return max(self.right, default=0)


def drawing_order(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """Positions such that any first part holds each class in its share, at random within."""
    random = np.random.default_rng(seed)
    place = np.empty(len(labels))
    for label in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == label))
        place[rows] = (np.arange(len(rows)) + random.random()) / len(rows)
    return np.argsort(place, kind="stable")


def rungs(photos: int, classes: int) -> list[int]:
    """Numbers of photos to judge on, the last all of them."""
    sizes = [max(FIRST, PER_CLASS * classes)]
    while sizes[-1] * RUNG < photos:
        sizes.append(sizes[-1] * RUNG)
    return [size for size in sizes if size < 0.7 * photos] + [photos]


def run(runners: list[Runner], photos: Photos, deadline: float, say: Callable[[str], None]) -> Runner:
    """Race them until `deadline` (time.monotonic). Returns the best. Raises UserError where time is too short for
    one."""
    began = time.monotonic()
    all_rungs = rungs(len(photos.train), len(photos.classes))
    everything = [*photos.train, *photos.test]
    for step, size in enumerate(all_rungs):
        last = step == len(all_rungs) - 1
        rows = photos.train[:size]
        if step:
            drop(runners, photos, everything if last else list(rows), everything, deadline, say)
        spent: list[float] = []  # seconds of each that ran, with its start
        first = leader(alive(runners), photos) if step else None
        order = sorted(alive(runners), key=lambda one: (one is not first, one.floor, cost_guess(one)))
        for runner in order:
            hashes = [photos.hashes[row] for row in rows]
            fresh = runner.extractor.missing(hashes)
            needs = runner.extractor.seconds_for(hashes) if step else max(spent, default=0.0)
            if runner is not first and fresh and too_late(runners, photos, everything, needs, deadline):
                if step:
                    out(runner, "the time did not suffice for more photos", say)
                else:
                    runner.state, runner.note = "untried", "the time did not suffice to try it"
                    say(f"{runner.name}: {runner.note}")
                continue
            at = time.monotonic()
            advance(runner, photos, rows, size, deadline, say)
            spent += [time.monotonic() - at] if fresh else []
        if not any(runner.right for runner in runners):
            raise too_short(runners, began, deadline)
        if not step:
            time_in_turn(alive(runners), photos, deadline)
    best = leader(runners, photos)
    for runner in sorted(alive(runners), key=lambda runner: (runner is not best, runner.floor, cost_guess(runner))):
        finish(runner, photos, deadline, say)
    return best


def alive(runners: list[Runner]) -> list[Runner]:
    return [runner for runner in runners if runner.state == "racing"]


def cost_guess(runner: Runner) -> float:
    """Cheap ones first: by their speed where it is known, else by the pixels they see."""
    speed = runner.extractor.speed
    return runner.extractor.backbone.size**2 if math.isnan(speed) else 10_000.0**2 / speed**2


def advance(runner: Runner, photos: Photos, rows: np.ndarray, size: int, deadline: float, say) -> None:
    """Features and cross-validation of one runner on the photos `rows`."""
    hashes = [photos.hashes[row] for row in rows]
    try:
        whole = runner.extractor.run(features.Rows(photos.pixels, rows), hashes, deadline)
    except UserError as error:
        runner.state, runner.note = "failed", str(error)
        say(f"{runner.name}: left out, {error}")
        return
    if not whole:
        runner.state = "out of time"
        runner.note = f"time was up after {len(hashes) - len(runner.extractor.missing(hashes))} of {len(hashes)} photos"
        say(f"{runner.name}: {runner.note}")
        return
    labels, groups = photos.labels[rows], photos.groups[rows]
    weight = photos.weights(rows)
    found = runner.extractor.matrix(hashes)
    fold = probe.folds(labels, groups)
    with threadpool_limits(1):  # two threads that wait for each other are slower where anything else runs
        runner.judged = probe.judge(found, labels, fold, len(photos.classes), weight)
        voted = probe.neighbours(found, labels, fold, len(photos.classes))
    runner.right[size] = runner.judged.probabilities.argmax(1) == labels
    runner.neighbours = float(((voted == labels) * weight).sum())
    share = compare.accuracy(runner.right[size], weight, groups)
    say(
        f"{runner.name}: {share.value:.1%} of {size:,} photos by cross-validation"
        + ("" if math.isnan(runner.extractor.speed) else f", {runner.extractor.speed:.0f} a second")
    )


def too_late(runners: list[Runner], photos: Photos, everything: list, needs: float, deadline: float) -> bool:
    """Whether `needs` seconds for one more would leave too little time for all photos of the cheapest of those judged
    on most photos.
    """
    hashes = [photos.hashes[row] for row in everything]
    judged = [runner for runner in alive(runners) if runner.right and not runner.floor]
    most = max((runner.photos for runner in judged), default=0)
    whole = [runner.extractor.seconds_for(hashes) for runner in judged if runner.photos == most]
    return bool(whole and needs) and time.monotonic() + needs + min(whole) / SPARE > deadline


def time_in_turn(runners: list[Runner], photos: Photos, deadline: float) -> None:
    """Measure the speed of those that run, a batch each in turn, the median of the rounds."""
    those = [one.extractor for one in runners if one.extractor.running and math.isnan(one.extractor.in_turn)]
    left = deadline - time.monotonic()
    if ROUNDS * sum(features.BATCH / one.speed for one in those if one.speed > 0) > left / 4:
        return
    squares = np.array(photos.pixels[np.sort(photos.train[: features.BATCH])])
    rates = [[one.time_one(squares) for one in those] for _ in range(ROUNDS)]
    for at, one in enumerate(those):
        one.note_speed(float(np.median([rate[at] for rate in rates])))


def drop(runners: list[Runner], photos: Photos, rows: list, everything: list, deadline: float, say) -> None:
    """Take out runners until what is left to do fits into the time."""
    left = SPARE * (deadline - time.monotonic())
    hashes, all_hashes = [photos.hashes[row] for row in rows], [photos.hashes[row] for row in everything]
    kept_back = 0.0  # seconds for the rest of the photos of one

    def too_much(known: list[bytes]) -> bool:
        return sum(runner.extractor.seconds_for(known) for runner in alive(runners)) > left - kept_back

    if not too_much(all_hashes):
        return
    floors = [runner for runner in alive(runners) if runner.floor]
    for runner in floors if len(floors) < len(alive(runners)) else []:
        out(runner, "a floor: a few photos tell enough", say)
    alone = {runner.name: runner.extractor.seconds_for(all_hashes) for runner in alive(runners)}
    best = leader(alive(runners), photos)
    size = best.photos
    weight, groups = photos.weights(photos.train[:size]), photos.groups[photos.train[:size]]
    order = sorted(alive(runners), key=lambda runner: ((runner.right[size] * weight).sum(), -alone[runner.name]))
    for runner in order:
        if runner is best or not too_much(all_hashes):
            continue
        ahead = compare.difference(best.right[size], runner.right[size], weight, groups, SURE)
        if ahead.low > 0:
            out(runner, f"really behind {best.name} on {size:,} photos", say)
    if any(alone[runner.name] <= left for runner in alive(runners)):
        for runner in [runner for runner in alive(runners) if alone[runner.name] > left]:
            out(runner, "all photos would take longer than the time left", say)
    best = leader(alive(runners), photos)
    kept_back = max(0.0, alone[best.name] - best.extractor.seconds_for(hashes))
    for runner in order:
        if runner is not best and runner.state == "racing" and too_much(hashes):
            out(runner, "the time did not suffice for more photos", say)


def out(runner: Runner, why: str, say) -> None:
    runner.state, runner.note = "dropped", f"dropped after {runner.photos:,} photos: {why}"
    say(f"{runner.name}: {runner.note}")


def leader(runners: list[Runner], photos: Photos) -> Runner:
    """The one with most right answers among those judged on most photos, floors apart unless there is nothing else."""
    judged = [runner for runner in runners if runner.right]
    real = [runner for runner in judged if not runner.floor] or judged
    most = max(runner.photos for runner in real)
    whole = [runner for runner in real if runner.photos == most]
    weight = photos.weights(photos.train[:most])
    return max(whole, key=lambda runner: (float((runner.right[most] * weight).sum()), runner.extractor.speed))


def finish(runner: Runner, photos: Photos, deadline: float, say) -> None:
    """The test photos, by the probe that learned from all training photos."""
    if runner.photos < len(photos.train):
        return
    runner.state = "whole"
    if not len(photos.test):
        return
    hashes = [photos.hashes[row] for row in photos.test]
    try:
        if not runner.extractor.run(features.Rows(photos.pixels, photos.test), hashes, deadline):
            runner.note = "time was up before the test photos"
            return
    except UserError as error:
        runner.note = str(error)
        return
    runner.test_probabilities = runner.judged.head.probabilities(runner.extractor.matrix(hashes))


def too_short(runners: list[Runner], began: float, deadline: float) -> UserError:
    """Why nothing came of it, and how much time would do."""
    failed = [runner for runner in runners if runner.state == "failed"]
    if len(failed) == len(runners):
        return UserError(f"no backbone could be used; the first: {failed[0].note}")
    done = max(sum(photos for photos, _, _ in runner.extractor.timings) for runner in runners)
    spent = time.monotonic() - began
    need = max(60.0, 2 * spent * FIRST / done) if done else max(60.0, 3 * spent)
    return UserError(
        f"{duration(max(0, deadline - began))} were left after reading the photos, too little for one backbone; "
        f"choose about MINUTES={math.ceil((spent + need) / 60)} or more"
    )
