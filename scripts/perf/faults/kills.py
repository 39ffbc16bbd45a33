"""Kill -9 at a random moment: does the next run end as an undisturbed one does, and is nothing half taken for whole?

Each step (data, findings, figures, site, zoo, export, search, app) runs on small made-up inputs in a copy of the
project. A round puts the older state back, starts the step, kills it (its main process alone, or all of them) at a
random moment of its normal duration or, in every second round, within some milliseconds of a file that it makes,
renames or removes, and looks: every file is the old or the new one, and no process stays. Then the step runs again, and
everything has to be as after an undisturbed run: files and their content (dates and times aside), with nothing left
over. Rounds are kept, so that the command can be run in pieces.

    python -m scripts.perf.faults.kills                             # a round of each step
    python -m scripts.perf.faults.kills --rounds 25 --seconds 200   # for so long; build/kills.jsonl has every round
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil

from scripts.common.errors import UserError, cli
from scripts.common.paths import BUILD, make_folder
from scripts.perf.faults import outcome, steps

GONE_S = 30  # in which the processes that a killed one started have ended
NEAR_S = 0.03  # after a file was made, renamed or removed: the next one is a few milliseconds away


def _family(process: int) -> list[psutil.Process]:
    try:
        return psutil.Process(process).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _running(process: psutil.Process) -> bool:
    try:
        return process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False


class Changes:
    """How often files were made, renamed or removed in the folders of MADE and one level below, as far as a look each
    millisecond tells.
    """

    def __init__(self) -> None:
        self.count, self.seen = 0, self._look()

    def _look(self) -> dict[str, int]:
        found = {}
        for folder in (".", *outcome.MADE):
            with suppress(OSError):
                found[folder] = os.stat(folder).st_mtime_ns
                found |= {one.path: one.stat().st_mtime_ns for one in os.scandir(folder) if one.is_dir()}
        return found

    def wait(self, until: float, number: int = -1) -> None:
        """Until that moment (monotonic), or change `number`."""
        while time.monotonic() < until and self.count != number:
            time.sleep(0.001)
            if (now := self._look()) != self.seen:
                self.count, self.seen = self.count + 1, now


def counted(step: steps.Step) -> tuple[dict[str, str], int]:
    """(what there is after an undisturbed run, the changes in it)."""
    changes, ended = Changes(), threading.Event()

    def count() -> None:
        while not ended.is_set():
            changes.wait(time.monotonic() + 0.1)

    counting = threading.Thread(target=count, daemon=True)
    counting.start()
    try:
        return steps.undisturbed(step), changes.count
    finally:
        ended.set()
        counting.join()


def _kill(step: steps.Step, moment: float, whole: bool, change: int = -1, later: float = 0) -> tuple[list[str], bool]:
    """Start the step, kill it after `moment` seconds or `later` seconds after that change, with all that it started or
    alone. Returns what then runs on, and whether it was still alive.
    """
    changes = Changes()
    port = str(steps.free_port())
    process = steps.begin(step.module, (*step.arguments, *(("--port", port) if step.serves else ())), Path("said.txt"))
    ended = threading.Event()

    def ask() -> None:
        with suppress(UserError):
            while not ended.is_set():
                steps.asked(f"http://127.0.0.1:{port}", lambda: not ended.is_set())

    asking = threading.Thread(target=ask, daemon=True)
    if step.serves:
        asking.start()
    changes.wait(time.monotonic() + moment, change)
    time.sleep(later)
    family, alive = _family(process), _running(psutil.Process(process))
    os.kill(process, signal.SIGKILL)
    for one in family if whole else []:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    steps.finish(process)
    ended.set()
    if step.serves:
        asking.join()
    _, left = psutil.wait_procs(family, timeout=GONE_S)
    left = [one for one in left if _running(one)]
    names = [" ".join(one.cmdline())[:100] for one in left]
    for one in left:
        one.kill()
    return names, alive


def halves(found: dict[str, str], old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Files that are neither as before nor as after; tables and records may have rows and entries of both."""
    both = {name: {*old.get(name, "").splitlines(), *new.get(name, "").splitlines()} for name in found}
    return [name for name, text in found.items() if not set(text.splitlines()) <= both[name]]


def differs(found: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """What is missing, other, or too much."""
    return [name for name in sorted({*found, *wanted}) if found.get(name) != wanted.get(name)]


def restore(kept: Path) -> None:
    for name in outcome.MADE:
        shutil.rmtree(name, ignore_errors=True)
        shutil.copytree(kept / name, name, symlinks=True)


def rounds(step: steps.Step, many: int, until: float, told) -> None:
    """In the copy, which is the working folder: `many` rounds of `step`, each handed to `told`."""
    kept = Path("../kept")
    old = steps.prepared(step, kept)
    new = steps.undisturbed(step)
    restore(kept)
    began = time.monotonic()
    again, changes = counted(step)
    if strange := differs(again, new):
        raise UserError(f"{step.name}: two undisturbed runs differ in {', '.join(strange)[:400]}")
    duration = time.monotonic() - began
    for number in range(many):
        if time.monotonic() > until:
            return
        restore(kept)
        whole, change, later = random.random() < 0.5, -1, 0.0
        moment = random.uniform(0, duration)
        if number % 2 and changes:
            moment, change, later = 2 * duration, random.randint(1, changes), random.uniform(0, NEAR_S)
        row = {"step": step.name, "moment": round(moment, 3), "of": round(duration, 3), "whole": whole}
        left, alive = _kill(step, moment, whole, change, later)
        found = outcome.look(step.made)
        row |= {"change": change, "of_changes": changes, "alive": alive}
        row |= {"left": left, "half": halves(found, old, new), "changed": len(differs(found, old))}
        try:
            row["differs"] = differs(steps.undisturbed(step), new)
        except UserError as error:
            row["differs"] = [str(error)]
        told(row)


def in_copy(name: str, many: int, seconds: float) -> None:
    """Rounds of the step `name` in a copy of the project, by the copy's own code."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        steps.copy(home)
        command = [sys.executable, "-m", "scripts.perf.faults.kills", name, "--here", "--rounds", str(many)]
        environment = {**steps.environment(), "TMPDIR": str(home / "tmp"), "PYTHONPATH": str(home)}
        with subprocess.Popen(
            [*command, "--seconds", str(seconds)], cwd=home, env=environment, stdout=subprocess.PIPE, encoding="utf-8"
        ) as process:
            for line in process.stdout:
                row = json.loads(line)
                with (make_folder(BUILD) / "kills.jsonl").open("a", encoding="utf-8") as file:
                    file.write(line)
                if trouble := [f"{what}: {', '.join(row[what])}" for what in ("left", "half", "differs") if row[what]]:
                    when = f"change {row['change']}" if row["change"] > 0 else f"{row['moment']} of {row['of']} s"
                    print(f"{name}, killed after {when}: {'; '.join(trouble)[:600]}")
        if process.returncode:
            raise UserError(f"{name}: the rounds ended with exit code {process.returncode}; what it said stands above")


def summary() -> int:
    """Print what the rounds so far found; returns how many found something."""
    rows = [json.loads(line) for line in (BUILD / "kills.jsonl").read_text(encoding="utf-8").splitlines()]
    bad = collections.Counter(row["step"] for row in rows if row["left"] or row["half"] or row["differs"])
    for name, count in collections.Counter(row["step"] for row in rows).items():
        mine = [row for row in rows if row["step"] == name]
        alive, part = sum(row.get("alive", True) for row in mine), sum(1 for row in mine if row["changed"])
        print(f"{name}: {count} rounds, {alive} alive, {part} with something written, {bad[name] or 'no'} fault")
    print(f"kills: {len(rows)} rounds, {bad.total() or 'no'} faults")
    return bad.total()


@cli
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    which = f"of {', '.join(steps.STEPS)}; all where none is named"
    parser.add_argument("steps", nargs="*", metavar="STEP", help=which)
    parser.add_argument("--rounds", type=int, default=1, help="of each step, those of earlier runs counted (default 1)")
    parser.add_argument("--seconds", type=float, default=600, help="no round begins after so long (default 600)")
    parser.add_argument("--afresh", action="store_true", help="forget the rounds of earlier runs")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    until = time.monotonic() + given.seconds
    steps.known(given.steps)
    if given.here:
        rounds(steps.STEPS[given.steps[0]], given.rounds, until, lambda row: print(json.dumps(row), flush=True))
        return 0
    kept = BUILD / "kills.jsonl"
    if given.afresh:
        kept.unlink(missing_ok=True)
    done = collections.Counter(
        json.loads(line)["step"] for line in (kept.read_text(encoding="utf-8").splitlines() if kept.exists() else [])
    )
    for name in given.steps or steps.STEPS:
        if done[name] < given.rounds and time.monotonic() < until:
            print(f"== {name}", flush=True)
            in_copy(name, given.rounds - done[name], until - time.monotonic())
    return int(bool(summary()))


if __name__ == "__main__":
    sys.exit(main())
