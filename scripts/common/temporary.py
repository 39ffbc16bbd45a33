"""Folders for what a process needs only while it runs: the next one removes those that killed processes left."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

LOCK = ".lock"  # held as long as the folder is in use; it ends with the process, however that ends
TRIES, PAUSE_S = 30, 0.1  # of removing it: a Chrome that was told to end writes its profile once more


def short_place() -> Path:
    """Where temporary folders have a short path: programs make sockets in them, and Unix allows 107 characters."""
    usual = tempfile.gettempdir()
    return Path("/tmp" if len(usual) > 40 and os.access("/tmp", os.W_OK) else usual)


@contextlib.contextmanager
def temporary_folder(name: str, where: Path | str | None = None) -> Iterator[Path]:
    """A new folder called `name`-… in `where` (default: the system's place for temporary files), until the end of the
    block. Those of processes that were killed go first. Raises OSError where none can be made.
    """
    from filelock import FileLock

    where = Path(where or tempfile.gettempdir())
    _sweep(name, where)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=where))
        lock = FileLock(folder / LOCK)
        with contextlib.suppress(FileNotFoundError):  # swept by another before it was locked
            lock.acquire()
            if (folder / LOCK).exists():
                break
    try:
        yield folder
    finally:
        remove(folder)
        with contextlib.suppress(OSError):
            lock.release()


def remove(folder: Path) -> None:
    """Remove a folder, whose lock the caller holds (or whose holder has died); what still writes into it makes it
    stay, with a lock in it, for the next to remove.
    """
    for _ in range(TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        try:
            (folder / LOCK).touch()
        except OSError:  # gone, or nothing can be written any more
            return
        time.sleep(PAUSE_S)


def _sweep(name: str, where: Path) -> None:
    from filelock import FileLock, Timeout

    for left in where.glob(f"{name}-*"):
        try:
            mine = not hasattr(os, "getuid") or left.lstat().st_uid == os.getuid()
            if mine and left.is_dir() and not left.is_symlink() and (left / LOCK).is_file():
                with FileLock(left / LOCK, timeout=0):
                    remove(left)
        except (Timeout, OSError):  # in use, or gone meanwhile
            continue
