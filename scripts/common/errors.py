"""Errors a user can act on: one line that says what, where and what to do.

Raise `UserError` for a mistake of the user or of the outside world; wrap a command's `main` in `cli` so that it becomes
one line on stderr and exit code 2. Ctrl-C becomes one line and exit code 130. Anything else keeps its traceback: that
is a defect of ours.
"""

from __future__ import annotations

import errno
import functools
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable


class UserError(Exception):
    """Something the user can mend. The message is one line: what, where, what to do."""

    def __init__(self, message: str):
        super().__init__(printable(" ".join(str(message).split())))


def printable(text: str) -> str:
    """`text` for a terminal: control characters, and bytes of file names that are no UTF-8, become question marks."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


class DataMissing(UserError):
    """What this chart is drawn from has not been measured yet; the chart is left out, which is no error."""


def disk_error(error: OSError, path) -> UserError:
    """The `UserError` for a write to `path` that the operating system refused."""
    number = error.errno
    if isinstance(error, shutil.Error) and (first := re.search(r"\[Errno (\d+)\]", str(error))):
        number = int(first[1])  # copytree goes on, and lists what became of each file
    reasons = {
        errno.ENOSPC: "the disk is full; free some space and run it again, what was there before is still whole",
        errno.EDQUOT: "your disk quota is used up; free some space and run it again",
        errno.EACCES: "you may not write there; choose another folder or change its permissions",
        errno.EPERM: "you may not write there; choose another folder or change its permissions",
        errno.EROFS: "the file system is read-only; choose another folder",
        errno.ENOENT: "the folder does not exist; create it first",
        errno.ENOTDIR: "part of this path is a file, not a folder; choose another",
        errno.EBUSY: "a file system is mounted right there; choose a place inside it",
        errno.EISDIR: "this is a folder, not a file; choose another name",
    }
    return UserError(f"cannot write {path}: {reasons.get(number or 0, error.strerror or str(error)[:200])}")


def parser_of(command: str, doc: str | None, example: str):
    """The ArgumentParser of `python -m command`: its --help says the first paragraph of `doc`, and an example."""
    import argparse

    about = (doc or "").split("\n\n")[0]
    return argparse.ArgumentParser(prog=f"python -m {command}", description=about, epilog=f"example: {example}")


def cli(main: Callable[..., int | None]) -> Callable[..., int]:
    """Wrap a command's `main` so that users see one line instead of a traceback. Returns the exit code."""

    @functools.wraps(main)
    def wrapped(*args, **kwargs) -> int:
        try:
            return main(*args, **kwargs) or 0
        except UserError as error:
            said = str(error).splitlines()[-1:] or [""]  # fastai puts a line of its own before a callback's error
            print(f"error: {said[0].strip()}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("interrupted; run the same command again and it goes on from here", file=sys.stderr)
            return 130  # as a shell says of what Ctrl-C ended
        except BrokenPipeError:  # `… | head`: the reader left, which is no mistake
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the flush at exit fails once more
            return 128 + signal.SIGPIPE
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                print(f"error: {disk_error(error, error.filename or 'a file')}", file=sys.stderr)
                return 2
            if error.errno in (errno.EACCES, errno.EPERM) and error.filename:
                place = printable(os.fsdecode(error.filename))
                print(f"error: {place}: {error.strerror}; change its permissions or its place", file=sys.stderr)
                return 2
            raise

    return wrapped
