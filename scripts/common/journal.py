"""How far long work has come: a small JSON file in the cache, from which the same command goes on after a kill.

journal = Journal(CACHE / "bench" / "name.json")
state = journal.read("done", "began")      # {} where there is none, or it is damaged
journal.write({"done": [...], "began": ...})
journal.forget()                           # at the end
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from scripts.common.paths import atomic_write, make_folder


def digest(key) -> str:
    """16 hexadecimal digits for what has to be equal for a run to go on: JSON values only."""
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]


class Journal:
    """The file at `path`. Whoever reads it checks the values; that they are there is checked here."""

    def __init__(self, path: Path):
        self.path = path

    def read(self, *names: str) -> dict:
        """What was written last, if it is an object with all of `names`; else {}, and the work begins anew."""
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) and set(names) <= set(found) else {}

    def write(self, state: dict) -> None:
        """Replace it whole. Raises UserError where the disk refuses."""
        make_folder(self.path.parent)
        atomic_write(self.path, json.dumps(state))

    def forget(self) -> None:
        """Remove it, if it is there."""
        self.path.unlink(missing_ok=True)
