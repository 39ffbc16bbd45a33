"""A dataset's pictures, decoded once: uint8 squares end to end in the cache, memory-mapped, so that the next run
decodes nothing.

The cache is keyed by the folder and by each file's name, size and time; a changed file, another size or another version
of the decoder makes a new one, and the old one of that folder goes. Each picture is kept once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from scripts.common import hardware
from scripts.common.errors import disk_error, printable
from scripts.common.paths import atomic_write
from scripts.common.words import duration
from scripts.train import photos
from scripts.train.folders import Item
from scripts.train.splits import TEST, VALID

VERSION = 2  # of what the decoder makes of a file


class Store:
    """The decoded pictures of one folder at one size."""

    def __init__(self, root: Path, name: str, side: int, cache: Path):
        # Two folders of one name (pets/images, mood/images) have a cache each.
        place = hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:8]
        self.root, self.side, self.cache, self.stem = root, side, cache, f"{name}-{place}-{side}"

    def read(self, items: list[Item], workers: int | None = None) -> dict:
        """{'rows': [[position, file, label, split, sha256, path]], 'excluded': [[file, reason]], 'notes': lines}."""
        key = hashlib.sha256(
            repr(([self._stamp(item) for item in items], photos.FORMATS, photos.MAX_PIXELS, VERSION)).encode()
        ).hexdigest()[:16]
        self.index, self.file = self.cache / f"{self.stem}-{key}.json", self.cache / f"{self.stem}-{key}.u8"
        kept = self._known()
        if kept is None:
            kept = self._decode(items, workers)
            atomic_write(self.index, json.dumps(kept))
            for old in self.cache.glob(f"{self.stem}-*"):
                if old.name[: -len(old.suffix)] != self.index.stem and old.suffix in (".json", ".u8"):
                    old.unlink(missing_ok=True)
        if drop_duplicates(kept["rows"])[1]:
            kept = self._without_duplicates(kept)
            atomic_write(self.index, json.dumps(kept))
        return kept

    def pixels(self, count: int) -> np.ndarray:
        """uint8 (count, 3, side, side), memory-mapped."""
        return np.memmap(self.file, np.uint8, "r", shape=(count, 3, self.side, self.side))

    def _stamp(self, item: Item) -> tuple:
        try:
            found = os.stat(self.root / item.path)
        except OSError:  # gone, or not to be read: the decoder says which
            return item, 0, 0
        return item, found.st_size, found.st_mtime_ns

    def _known(self) -> dict | None:
        """The cache's table of contents, or None where there is none or the pixels are not all there."""
        try:
            kept = json.loads(self.index.read_bytes())
            return kept if self.file.stat().st_size == len(kept["rows"]) * 3 * self.side**2 else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _decode(self, items: list[Item], workers: int | None = None) -> dict:
        """Decode every item. Threads suffice: Pillow decodes and scales outside Python's lock."""

        def one(item: Item):
            try:
                return photos.read(self.root / item.path, self.side)
            except photos.Refused as reason:
                return str(reason)

        rows, excluded, notes, started = [], [], Counter(), time.monotonic()
        with whole(self.file) as file, ThreadPoolExecutor(workers or hardware.cores()) as pool:
            for start in range(0, len(items), 512):  # bounds what waits in memory
                for item, picture in zip(items[start : start + 512], pool.map(one, items[start : start + 512])):
                    if isinstance(picture, str):
                        excluded.append([item.file, picture])
                    else:
                        file.write(picture.pixels.tobytes())
                        rows.append([len(rows), item.file, item.label, item.split, picture.sha256, item.path])
                        notes.update([picture.note] if picture.note else [])
        print(
            f"{printable(self.root.name)}: {len(rows):,} pictures decoded in {duration(time.monotonic() - started)}",
            file=sys.stderr,
            flush=True,
        )
        said = [f"{count:,} picture{'s' * (count > 1)} {note}" for note, count in sorted(notes.items())]
        return {"rows": rows, "excluded": excluded, "notes": said}

    def _without_duplicates(self, kept: dict) -> dict:
        """`kept` with each picture once, and the file written again accordingly, a picture at a time: it may be larger
        than the memory.
        """
        rows, doubled = drop_duplicates(kept["rows"])
        pixels = self.pixels(len(kept["rows"]))
        with whole(self.file) as file:
            for row in rows:
                file.write(pixels[row[0]].tobytes())
        rows = [[number, *row[1:]] for number, row in enumerate(rows)]
        return {**kept, "rows": rows, "excluded": [*kept["excluded"], *doubled]}


@contextlib.contextmanager
def whole(store: Path):
    """A file to write into, renamed to `store` at the end. Raises UserError (full disk, …); then nothing is there."""
    temporary = None
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{store.name}.", suffix=".tmp", dir=store.parent)
        with os.fdopen(handle, "wb") as file:
            yield file
        os.replace(temporary, store)
    except OSError as error:
        raise disk_error(error, store) from error
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)


def drop_duplicates(rows: list[list]) -> tuple[list[list], list[tuple[str, str]]]:
    """(rows, excluded): each picture once. Of a test photo's copies the test photo stays; a picture with two labels
    goes altogether.
    """
    order = {TEST: 0, VALID: 1}
    first: dict[str, list] = {}
    labels: dict[str, set] = {}
    for row in sorted(rows, key=lambda row: (order.get(row[3], 2), row[1])):
        first.setdefault(row[4], row)
        labels.setdefault(row[4], set()).add(row[2])
    kept, excluded = [], []
    for row in rows:
        if len(labels[row[4]]) > 1:
            excluded.append((row[1], f"the same picture has the labels {' and '.join(sorted(labels[row[4]]))}"))
        elif first[row[4]] is not row:
            other = first[row[4]]
            excluded.append(
                (row[1], f"the same file as {other[1]}" + (", a test photo" if other[3] == TEST != row[3] else ""))
            )
        else:
            kept.append(row)
    return kept, excluded
