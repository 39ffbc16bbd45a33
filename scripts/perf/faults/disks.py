"""A full disk, a read-only one and others beside it under each step: one line, the old state whole, and the next run
ends as always?

Each step of scripts.perf.faults.kills (but the app) runs in a copy of the project on a disk of its own of 128 MB, with
the temporary files on another. Faults: `full`, with a random part of the room that the step needs; `read-only`;
`temporary full` and `temporary read-only`, the same of the temporary files' disk; `apart`, each folder that is written
to on a file system of its own. Needs root on Linux (mount).

    python -m scripts.perf.faults.disks
    python -m scripts.perf.faults.disks --rounds 5 zoo export       # of each fault
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from scripts.common.errors import UserError, cli
from scripts.perf.faults import outcome, steps
from scripts.perf.faults.kills import differs, halves, restore

FAULTS = ("full", "read-only", "temporary full", "temporary read-only", "apart")
SIZE = "128m"
KEPT = Path("../kept")  # the older state
STEPS = [name for name, step in steps.STEPS.items() if not step.serves]


@contextlib.contextmanager
def disk(folder: Path) -> Iterator[None]:
    """A file system of its own at `folder`, over what is there. Raises UserError where none can be mounted."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        why = done.stderr.strip()[:100]
        raise UserError(f"no disk of its own can be mounted here ({why}); run it as root on Linux")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def fault(kind: str, home: Path, needed: int) -> Iterator[None]:
    """The disk as `kind` says: a part of the `needed` bytes left, or nothing to be written."""
    if kind == "apart":
        with contextlib.ExitStack() as mounted:
            for name in outcome.MADE:
                mounted.enter_context(disk(home / name))
                shutil.copytree(KEPT / name, home / name, symlinks=True, dirs_exist_ok=True)
            yield
        return
    place = home.parent / "tmp" if kind.startswith("temporary") else home
    if kind.endswith("read-only"):
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        yield
        subprocess.run(["mount", "-o", "remount,rw", str(place)], check=True)
        return
    filler, room = place / "filler", random.randrange(0, max(needed, 1))
    with filler.open("wb") as file:
        file.write(bytes(max(0, shutil.disk_usage(place).free - room)))
    yield
    filler.unlink()


def rounds(step: steps.Step, many: int) -> None:
    """In the copy, which is the working folder: `many` rounds of each fault; a line of JSON for each."""
    home, said = Path.cwd(), Path("../said.txt")
    old, free = steps.prepared(step, KEPT), shutil.disk_usage(home).free
    new = steps.undisturbed(step)
    needed = {"full": free - shutil.disk_usage(home).free + 200_000, "temporary full": 200_000}
    for kind in [kind for kind in FAULTS for _ in range(many)]:
        restore(KEPT)
        with fault(kind, home, needed.get(kind, 0)):
            code = steps.finish(steps.begin(step.module, step.arguments, said))
            found = outcome.look(step.made)
        lines = [line for line in said.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        wrong = []
        errors = [line for line in lines if line.startswith("error: ")]
        if code == 0 and (other := differs(found, new)):
            wrong.append(f"succeeded with {', '.join(other)[:200]}")
        if code and (code != 2 or len(errors) != 1 or any("Traceback" in line for line in lines)):
            wrong.append(f"exit code {code}: {' / '.join(lines[-3:])[-400:]}")
        if half := halves(found, old, new):
            wrong.append(f"half: {', '.join(half)[:200]}")
        try:
            if other := differs(steps.undisturbed(step), new):
                wrong.append(f"afterwards: {', '.join(other)[:200]}")
        except UserError as error:
            wrong.append(f"afterwards: {error}")
        print(json.dumps({"fault": kind, "code": code, "said": errors[-1:], "wrong": wrong}), flush=True)


@cli
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"of {', '.join(STEPS)}; all where none is named")
    parser.add_argument("--rounds", type=int, default=1, help="of each fault (default 1)")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    steps.known(given.steps, STEPS)
    if given.here:
        rounds(steps.STEPS[given.steps[0]], given.rounds)
        return 0
    bad = 0
    for name in given.steps or STEPS:
        with tempfile.TemporaryDirectory() as folder, disk(Path(folder) / "home"), disk(Path(folder) / "tmp"):
            home = Path(folder) / "home"
            steps.copy(home)
            command = [sys.executable, "-m", "scripts.perf.faults.disks", name, "--here", "--rounds", str(given.rounds)]
            own = {"TMPDIR": str(Path(folder) / "tmp"), "PYTHONPATH": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
            done = subprocess.run(
                command, cwd=home, env={**steps.environment(), **own}, stdout=subprocess.PIPE, encoding="utf-8"
            )
        for row in map(json.loads, done.stdout.splitlines()):
            bad += bool(row["wrong"])
            print(f"{name}, {row['fault']}: {'; '.join(row['wrong'] or row['said'] or ['room enough'])}", flush=True)
        if done.returncode:
            raise UserError(f"{name}: ended with exit code {done.returncode}; what it said stands above")
    print(f"disks: {bad or 'no'} faults")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
