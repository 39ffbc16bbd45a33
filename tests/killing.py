"""Kill -9 at each step of something that writes: a process of its own ends just before its first change to the disk,
then just before its second, and so on.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink", "shutil.rmtree")


def kills(work: Callable[[], object], reset: Callable[[], object] = lambda: None) -> Iterator[int]:
    """Yield after each kill, with the number of changes that were made before it; ends when `work` is done before its
    turn came. Before each, `reset` puts things back in this process.
    """
    for number in itertools.count():
        reset()
        if (process := os.fork()) == 0:
            _end(work, number)
        _, status = os.waitpid(process, 0)
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0, f"failed after {number} changes"
            return
        yield number


def _end(work: Callable[[], object], left: int) -> None:
    """In the process: work, and be killed before the change number `left`."""

    def hook(event: str, given: tuple) -> None:
        nonlocal left
        written = event == "open" and isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if event in CHANGES or (written and not str(given[0]).endswith(".lock")):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    code = 1
    try:
        sys.addaudithook(hook)
        work()
        code = 0
    finally:
        os._exit(code)


def snapshot(folder: Path, *suffixes: str) -> dict[str, bytes]:
    """Path -> content of every file in `folder` (whose name ends in one of `suffixes`)."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name.endswith(suffixes or ("",))
    }
