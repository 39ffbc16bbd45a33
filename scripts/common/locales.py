"""A locale that is not UTF-8 changes nothing but what its terminal can show. scripts/__init__.py calls this first.

Every file and pipe of ours names its encoding (a test holds that). What is left: the terminal, where a letter that it
lacks becomes a question mark instead of a traceback; and the Pythons that we start, which work in UTF-8.
Standard library alone.
"""

from __future__ import annotations

import codecs
import locale
import os
import sys


def is_utf8(encoding: str | None) -> bool:
    """Whether an encoding, as a stream names its own, has every letter."""
    try:
        return codecs.lookup(encoding or "ascii").name == "utf-8"
    except LookupError:
        return False


def make_do() -> None:
    """Let the terminal show what it can, and the processes that are started use UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        if not is_utf8(getattr(stream, "encoding", "utf-8")) and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if not is_utf8(locale.getpreferredencoding(False)):
        os.environ["PYTHONUTF8"] = "1"
