"""Which files a page's cells read: recorded inside the kernel, so that a finished page is run again when one of them
changes.

Quarto's `freeze` looks only at the .qmd. Python tells an audit hook of every file it opens and every folder it lists,
also of those that are not there; modules are found in `sys.modules`. What belongs to Python or the system itself is
left out.
"""

from __future__ import annotations

import os
import sys

_opened: set[str] = set()
_listed: set[str] = set()
_started: set[str] = set()


def start() -> None:
    """Begin to record."""
    sys.addaudithook(_hear)


def _hear(event: str, args: tuple) -> None:
    if event == "open" and isinstance(args[0], (str, bytes)):
        mode, flags = args[1], args[2]
        by_flags = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
        if not (set(mode) & set("wax+") if isinstance(mode, str) else by_flags):
            _opened.add(os.path.abspath(os.fsdecode(args[0])))
    elif event in ("os.listdir", "os.scandir") and isinstance(args[0], (str, bytes, type(None))):
        # importlib: the search for a module; what is found is in sys.modules
        if "importlib" not in sys._getframe(1).f_globals.get("__name__", ""):
            _listed.add(os.path.abspath(os.fsdecode(args[0] or ".")))
    elif event == "subprocess.Popen":
        _started.add(os.path.basename(str(args[0])))


def report() -> dict[str, list[str]]:
    """{'files': …, 'folders': …, 'programs': …}: absolute paths and program names, sorted."""
    modules = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    files = _opened | {os.path.abspath(path) for path in modules if path}
    ours, folders = sorted(filter(_ours, files)), sorted(filter(_ours, _listed))
    return {"files": ours, "folders": folders, "programs": sorted(_started)}


def _ours(path: str) -> bool:
    own = (os.path.expanduser(f"~/.{name}") for name in ("ipython", "config", "local"))
    system = (sys.prefix, sys.base_prefix, "/proc", "/sys", "/dev", "/etc", "/usr", "/lib", *own)
    if any(path == folder or path.startswith(folder + os.sep) for folder in system):
        return False
    return "__pycache__" not in path and not os.path.basename(path).startswith("kernel-") and ".tmp" not in path
