"""Where a model is exported to unless --out says: models/pets and the like, but never over a model of other photos.

Which photos a folder's model is of is known on this machine alone, by a note under .cache: the model may be handed on,
and a path is nobody else's business.
"""

from __future__ import annotations

import os
from pathlib import Path

from scripts.common.hardware import short_name
from scripts.common.paths import CACHE, ROOT, atomic_write, make_folder


def _note(home: Path) -> Path:
    return CACHE / "models" / f"{home.name}.txt"


def _place(data: str) -> str:
    """What tells datasets apart: the folder's real place, or the name of one that is not a folder."""
    return data if data in ("pets", "digits") else os.path.realpath(os.path.expanduser(data))


def home(kind: str, data: str) -> Path:
    """models/<kind>, or where that is of other photos models/<kind>-<their folder's name>, -2, -3 …"""
    name = short_name(os.path.basename(_place(data)))
    for ending in ("", f"-{name}", *(f"-{name}-{number}" for number in range(2, 1000))):
        found = ROOT / "models" / f"{kind}{ending}"
        try:
            known = os.fsdecode(_note(found).read_bytes())
        except OSError:
            known = _place(data)
        if not found.exists() or known == _place(data):
            break
    return found


def remember(home: Path, data: str) -> None:
    """Note that the model in `home` is of the photos in `data`."""
    if home.parent.resolve() == (ROOT / "models").resolve():
        make_folder(CACHE / "models")
        atomic_write(_note(home), os.fsencode(_place(data)))
