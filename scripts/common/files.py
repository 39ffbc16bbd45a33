"""Files read once in a process: their content and checksum are kept until they change.

A table is parsed, hashed and named in footers by several modules; each asks here.
"""

from __future__ import annotations

import functools
import hashlib
import math
from pathlib import Path

from scripts.common.paths import read_file

LARGEST = 4 * 2**20  # bytes of a file that is worth keeping; the largest table has 0.2 MB


def content(path: Path | str) -> bytes:
    """The bytes of a file. Raises OSError, and UserError for a pipe or a device."""
    path = Path(path)
    stamp = _stamp(path)
    return _read(str(path), stamp)[0] if stamp[1] <= LARGEST else read_file(path, math.inf, links=True)


def sha256(path: Path | str) -> str:
    """SHA-256 of a file, in hexadecimal. Raises OSError."""
    path = Path(path)
    stamp = _stamp(path)
    if stamp[1] <= LARGEST:
        return _read(str(path), stamp)[1]
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _stamp(path: Path) -> tuple[int, int, int]:
    """What tells a file from the one that stood there before."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


@functools.lru_cache(maxsize=512)
def _read(path: str, stamp: tuple[int, int, int]) -> tuple[bytes, str]:
    data = read_file(path, LARGEST, links=True)
    return data, hashlib.sha256(data).hexdigest()
