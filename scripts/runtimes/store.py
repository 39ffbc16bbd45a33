"""What takes seconds to make and is the same next time, kept in the cache: exported files, int8 networks, choices.

An entry is a folder of files with checksums and `about.json`, named after all that it depends on (network, weights,
versions, processor), so that what was made for another machine is never found. It is made under a lock, in a folder
beside, and takes its place once it is whole: two commands make it once, and a killed one or a full disk leaves nothing
that is ever read.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from scripts.common import paths
from scripts.common.errors import UserError, disk_error
from scripts.common.sealed import MAX_TEXT, checksums, seal, verified

ABOUT = "about.json"
WAIT = 900.0  # seconds for another command that makes the same: quantising a large network takes minutes


def place(key: dict) -> Path:
    """Where the entry of `key` is or will be."""
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    return paths.CACHE / "runtimes" / f"{key['what']}-{digest}"


def find(key: dict) -> Path | None:
    """The entry of `key` where it is there and whole."""
    folder = place(key)
    try:
        return folder if read(folder)["key"] == key else None
    except (UserError, KeyError):
        return None


def read(folder: Path) -> dict:
    """What `about.json` says of the folder, once the checksums of all its files hold. Raises UserError."""
    sums = checksums(folder)
    for name in sums:
        verified(folder, name, sums)
    try:
        about = json.loads(verified(folder, ABOUT, sums, MAX_TEXT))
    except ValueError:
        about = None
    if not isinstance(about, dict):
        raise UserError(f"{folder / ABOUT}: not readable; export it again")
    return about


def kept(key: dict, make: Callable[[], dict[str, bytes]], **about) -> Path:
    """The entry of `key`, made by `make` (name -> content) where it is not there. Raises UserError, and what `make`
    raises.
    """
    if found := find(key):
        return found
    folder = place(key)
    with paths.writing(folder, WAIT):
        if found := find(key):
            return found
        started = time.perf_counter()
        files = make()
        publish(folder, files, {"key": key, "seconds": round(time.perf_counter() - started, 3), **about})
    return folder


def publish(folder: Path, files: dict[str, bytes], about: dict) -> None:
    """Write `files`, `about` and checksums as `folder`, whole or not at all. Hold its lock. Raises UserError."""
    paths.make_folder(folder.parent)
    part = None
    try:
        paths.bring_back(folder)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
        part.chmod(0o755)
        whole = {**files, ABOUT: (json.dumps(about, indent=2, ensure_ascii=False) + "\n").encode()}
        seal(part, whole)
        paths.publish(part, folder)
    except OSError as error:
        raise disk_error(error, folder) from None
    finally:
        if part:
            shutil.rmtree(part, ignore_errors=True)
