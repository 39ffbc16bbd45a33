"""A locale that is not UTF-8 changes nothing but what its terminal can show. scripts/__init__.py calls this first.

Every file and pipe of ours names its encoding (a test holds that). What is left: the terminal, where a letter that it
lacks becomes a question mark instead of a traceback; and the names of files, for which a command starts itself again in
UTF-8. The Pythons that we start work in it, too.
Standard library alone.
"""

from __future__ import annotations

import codecs
import locale
import os
import sys

TERMINAL = "BEST_IMAGE_MODELS_TERMINAL"  # what a command that was started again writes to stdout and stderr in


def is_utf8(encoding: str | None) -> bool:
    """Whether an encoding, as a stream names its own, has every letter."""
    try:
        return codecs.lookup(encoding or "ascii").name == "utf-8"
    except LookupError:
        return False


def make_do() -> None:
    """Let the terminal show what it can, and this process and those that it starts use UTF-8."""
    terminal = os.environ.pop(TERMINAL, "").split()
    for stream, encoding in zip((sys.stdout, sys.stderr), terminal):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding=encoding)
    for stream in (sys.stdout, sys.stderr):
        if not is_utf8(getattr(stream, "encoding", "utf-8")) and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    if not is_utf8(locale.getpreferredencoding(False)):
        os.environ["PYTHONUTF8"] = "1"
    if not terminal and not is_utf8(sys.getfilesystemencoding()) and _is_command():
        # File names are decoded by an encoding that is fixed at the start: in C, an umlaut in the path of the project
        # itself ended Gradio, which writes the paths of its modules in UTF-8.
        spoken = (getattr(stream, "encoding", None) or "utf-8" for stream in (sys.stdout, sys.stderr))
        os.environ |= {"PYTHONUTF8": "1", TERMINAL: " ".join(spoken)}
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _is_command() -> bool:
    """Whether this process was started as `python -m scripts.…`, so that it can be started again."""
    words = sys.orig_argv
    return bool(sys.executable) and any(
        one == "-m" and two.startswith("scripts.") for one, two in zip(words[1:], words[2:])
    )
