"""Image datasets, checked before anything trains on them and decoded once.

A dataset is `digits` (scikit-learn's, always there), `pets` (Oxford-IIIT Pets, downloaded by torchvision), or a folder:

    FOLDER/cats/*.jpg FOLDER/dogs/*.jpg  one folder per class; a fifth is set aside as test photos
    FOLDER/training_set/cats/… FOLDER/test_set/cats/…  Kaggle's layout (also train, test, val), nested twice or not

Every file is decoded, in parallel, to one uint8 square; what does not decode, what stands twice, and what carries two
labels is left out and listed with the reason. The squares stay in a cache under .cache/photos, memory-mapped, so that
the next run decodes nothing. The test photos depend on no seed; the validation photos on the run's, so those in val/
are learned from, too, or tested on where there is no test/.

    python -m scripts.train.datasets FOLDER        # check a dataset and say what is in it
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import math
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scripts.common import hardware
from scripts.common.errors import UserError, cli, disk_error
from scripts.common.paths import CACHE, atomic_write
from scripts.common.words import duration
from scripts.train import photos

EMBEDDED = "digits"
TEST_FRACTION = 0.2  # where a dataset has no test photos of its own
TEST_SEED = 20220401  # the same test photos whatever the run's seed
MIN_IMAGES = 5  # a class: one for testing, one for validation, three to learn from
UNBALANCED = 10  # largest class over smallest from which it is said
SPLITS = {
    "training_set": "train",
    "train": "train",
    "training": "train",
    "test_set": "test",
    "test": "test",
    "testing": "test",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
}


class Item(NamedTuple):
    """One file: name relative to the dataset's folder, its class, and train, test, valid or '' (not split yet)."""

    file: str
    label: str
    split: str


@dataclass
class Dataset:
    """pixels: uint8 (n, 3, side, side), maybe memory-mapped; labels: int64 (n,) into classes; test: bool (n,); files: n
    names.

    size: what the networks see; flip: whether a mirrored picture keeps its label; excluded: [(file, reason)]; checksum:
    of all files.
    """

    name: str
    classes: list[str]
    pixels: np.ndarray
    labels: np.ndarray
    test: np.ndarray
    files: list[str]
    size: int
    checksum: str
    flip: bool = True
    excluded: list[tuple[str, str]] = field(default_factory=list)

    def split(self, seed: int, fraction: float = 0.1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Indices of (train, valid, test). Validation: `fraction` of each class's training photos, at least one,
        drawn by `seed`.
        """
        rest = np.flatnonzero(~self.test)
        held_out = rest[stratified(self.labels[rest], fraction, seed)]
        return np.setdiff1d(rest, held_out), held_out, np.flatnonzero(self.test)

    def facts(self) -> dict:
        """For a sidecar: name, checksum, classes with counts, and what was left out."""
        count = lambda rows: {
            name: int(n) for name, n in zip(self.classes, np.bincount(self.labels[rows], minlength=len(self.classes)))
        }
        return {
            "dataset": self.name,
            "checksum": self.checksum,
            "training_images": count(~self.test),
            "test_images": count(self.test),
            "excluded": [{"file": file, "reason": reason} for file, reason in self.excluded],
        }

    def lines(self) -> list[str]:
        """What a user should know, a line each."""
        sizes = np.bincount(self.labels)
        said = [
            f"{self.name}: {len(self.classes)} classes, {(~self.test).sum():,} images to train on, "
            f"{self.test.sum():,} to test on"
        ]
        if self.excluded:
            shown = "; ".join(f"{file} ({reason})" for file, reason in self.excluded[:5])
            said.append(
                f"{self.name}: {len(self.excluded)} files left out: {shown}{' …' if len(self.excluded) > 5 else ''}"
            )
        if sizes.max() >= UNBALANCED * sizes.min():
            said.append(
                f"{self.name}: unbalanced, {sizes.max():,} images of {self.classes[sizes.argmax()]!r} and "
                f"{sizes.min():,} of "
                f"{self.classes[sizes.argmin()]!r}; read the macro averages, not the accuracy"
            )
        return said


def stratified(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Positions of `fraction` of each class, at least one each and never all, drawn by `seed`."""
    random = np.random.default_rng(seed)
    chosen = []
    for label in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == label))
        chosen.append(rows[: min(len(rows) - 1, max(1, round(fraction * len(rows))))])
    return np.sort(np.concatenate(chosen))


def load(data: str, size: int, cache: Path | None = None, workers: int | None = None) -> Dataset:
    """The dataset called `data` for networks that see `size`×`size` pixels. Raises UserError where it can't be
    trained on.
    """
    if data == EMBEDDED:
        return digits(size)
    if not data.strip():  # Path("") would be the current folder
        raise UserError("--data is empty; name a folder of photos, digits or pets")
    root = pets_folder(cache or CACHE) if data == "pets" else unwrap(Path(data).expanduser())
    name = hardware.slugify(root.resolve().name).replace("_", "-")
    return folder(
        root,
        f"{name}-folder" if name in (EMBEDDED, "pets") and data != "pets" else name,
        size,
        cache or CACHE / "photos",
        workers,
    )


def digits(size: int) -> Dataset:
    """scikit-learn's 1,797 handwritten digits, 8×8 in 17 greys, scaled up. Source: UCI, Alpaydin and Kaynak 1998."""
    import torch
    from sklearn.datasets import load_digits

    bunch = load_digits()
    small = torch.from_numpy(bunch.images).float().mul(255 / 16)[:, None]
    pixels = (
        torch.nn.functional.interpolate(small, size=(size, size), mode="bilinear")
        .round()
        .to(torch.uint8)
        .expand(-1, 3, -1, -1)
    )
    labels = bunch.target.astype(np.int64)
    test = np.zeros(len(labels), bool)
    test[stratified(labels, TEST_FRACTION, TEST_SEED)] = True
    return Dataset(
        EMBEDDED,
        [str(name) for name in bunch.target_names],
        pixels.contiguous().numpy(),
        labels,
        test,
        [f"digits/{i:04d}" for i in range(len(labels))],
        size,
        hashlib.sha256(bunch.images.tobytes()).hexdigest(),
        flip=False,
    )


def pets_folder(cache: Path) -> Path:
    """Oxford-IIIT Pets under `cache`, downloaded by torchvision the first time. Raises UserError where it can't be
    had.
    """
    import socket

    from torchvision.datasets import OxfordIIITPet

    before = socket.getdefaulttimeout()
    try:
        socket.setdefaulttimeout(10)  # torchvision sets none and waits for ever
        cache.mkdir(parents=True, exist_ok=True)
        OxfordIIITPet(cache, download=True)
    except (OSError, RuntimeError, EOFError) as error:  # out of reach; a wrong checksum; an archive cut short
        raise UserError(
            f"Oxford-IIIT Pets cannot be downloaded ({str(error)[:80]}); name a folder of your own with --data FOLDER"
        ) from None
    finally:
        socket.setdefaulttimeout(before)
    return cache / "oxford-iiit-pet"


# --- a folder of pictures ---------------------------------------------------------------------------------------------


def _folders(path: Path) -> list[Path]:
    return sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith((".", "__")))


def unwrap(root: Path) -> Path:
    """`root`, or the folder it merely wraps, as archives do (training_set/training_set, cat-and-dog/train)."""
    if not root.exists():
        raise UserError(
            f"{root}: no such folder; name one with a folder per class, or with training_set/ and test_set/"
        )
    if not root.is_dir():
        raise UserError(f"{root}: a file, not a folder; unpack it first and name the folder")
    try:
        inside = _folders(root)
        while len(inside) == 1 and _folders(inside[0]):
            root, inside = inside[0], _folders(inside[0])
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be read ({error.strerror}); check its permissions") from None
    return root


def scan(root: Path) -> list[Item]:
    """All files of the dataset in `root`, by the layouts of the module. Raises UserError for fewer than two classes."""
    if (root / "annotations" / "trainval.txt").is_file():
        return scan_pets(root)
    tops = {SPLITS[top.name.lower()]: unwrap(top) for top in _folders(root) if top.name.lower() in SPLITS}
    if "train" in tops and len(tops) == 1:
        root, tops = tops["train"], {}
    if "train" not in tops:
        tops = {"": root}
    elif "test" not in tops:
        tops["test"] = tops.pop("valid")  # the only photos set aside are what the networks are tested on
    names = {split: [_text(folder.name) for folder in _folders(top)] for split, top in tops.items()}
    first = "train" if "train" in tops else ""
    for split, found in names.items():
        if set(found) != set(names[first]):
            raise UserError(
                f"{tops[split].name}: its classes ({_some(found)}) are not those of {tops[first].name} "
                f"({_some(names[first])}); "
                "both need the same folders"
            )
    if len(names[first]) < 2:
        what = f"one class, {names[first][0]!r}" if names[first] else "no folders"
        raise UserError(f"{tops[first]}: {what}; a dataset needs a folder for each of two classes or more")
    return [
        Item(_text(path.relative_to(root).as_posix()), _text(folder.name), split)
        for split, top in tops.items()
        for folder in _folders(top)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    ]


def scan_pets(root: Path) -> list[Item]:
    """Oxford-IIIT Pets: breeds from the file names, its own two lists as train and test."""
    items = []
    for split, name in (("train", "trainval.txt"), ("test", "test.txt")):
        for line in (root / "annotations" / name).read_text().splitlines():
            if line.strip() and not line.startswith("#"):
                stem = line.split()[0]
                items.append(Item(f"images/{stem}.jpg", stem.rpartition("_")[0], split))
    return items


def _text(name: str) -> str:
    """A file name that UTF-8 can write, whatever bytes the disk has."""
    return name.encode("utf-8", "backslashreplace").decode()


def _some(names: list[str]) -> str:
    return ", ".join(names[:4]) + (" …" if len(names) > 4 else "") if names else "none"


def folder(root: Path, name: str, size: int, cache: Path, workers: int | None = None) -> Dataset:
    """The pictures in `root`, decoded with a margin for cropping (8/7 of `size`, as evaluation at 224 resizes to
    256).
    """
    side = math.ceil(size * 8 / 7)
    items = scan(root)
    if not items:
        raise UserError(f"{root}: the class folders are empty; put pictures into them")
    stamps = [
        (item, (stat := os.stat(root / item.file)).st_size, stat.st_mtime_ns)
        if (root / item.file).exists()
        else (item, 0, 0)
        for item in items
    ]
    key = hashlib.sha256(repr((stamps, side, photos.FORMATS, photos.MAX_PIXELS, 1)).encode()).hexdigest()[:16]
    index, store = cache / f"{name}-{side}-{key}.json", cache / f"{name}-{side}-{key}.u8"
    kept = _read_index(index, store, side)
    if kept is None:
        kept = decode_all(root, items, side, store, workers)
        atomic_write(index, json.dumps(kept))
        for old in cache.glob(f"{name}-{side}-*"):
            if old.name[: -len(old.suffix)] != index.stem and old.suffix in (".json", ".u8"):
                old.unlink(missing_ok=True)
    if drop_duplicates(kept["rows"])[1]:
        kept = without_duplicates(kept, store, side)
        atomic_write(index, json.dumps(kept))
    rows, excluded = kept["rows"], [tuple(pair) for pair in kept["excluded"]]
    classes = sorted({item.label for item in items})
    check_counts(root, classes, rows, excluded)
    labels = np.array([classes.index(row[2]) for row in rows], np.int64)
    test = np.array([row[3] == "test" for row in rows])
    if not test.any():
        test[stratified(labels, TEST_FRACTION, TEST_SEED)] = True
    pixels = np.memmap(store, np.uint8, "r", shape=(len(rows), 3, side, side))
    checksum = hashlib.sha256("\n".join(sorted(f"{row[4]} {row[1]}" for row in rows)).encode()).hexdigest()
    return Dataset(name, classes, pixels, labels, test, [row[1] for row in rows], size, checksum, excluded=excluded)


def _read_index(index: Path, store: Path, side: int) -> dict | None:
    """The cache's table of contents, or None where there is none or the pixels are not all there."""
    try:
        kept = json.loads(index.read_text())
        return kept if store.stat().st_size == len(kept["rows"]) * 3 * side * side else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def decode_all(root: Path, items: list[Item], side: int, store: Path, workers: int | None = None) -> dict:
    """Decode every item into `store`, uint8 squares end to end. Returns {'rows': [[position, file, label, split,
    sha256]], 'excluded'}.

    Threads suffice: Pillow decodes and scales outside Python's lock. Written by temporary file and rename.
    """
    import time

    def one(item: Item):
        try:
            return photos.read(root / item.file, side)
        except photos.Refused as reason:
            return str(reason)

    rows, excluded, started = [], [], time.monotonic()
    with whole(store) as file, ThreadPoolExecutor(workers or hardware.cores()) as pool:
        for start in range(0, len(items), 512):  # bounds what waits in memory
            for item, picture in zip(items[start : start + 512], pool.map(one, items[start : start + 512])):
                if isinstance(picture, str):
                    excluded.append([item.file, picture])
                else:
                    file.write(picture.pixels.tobytes())
                    rows.append([len(rows), item.file, item.label, item.split, picture.sha256])
    print(
        f"{root.name}: {len(rows):,} pictures decoded in {duration(time.monotonic() - started)}",
        file=sys.stderr,
        flush=True,
    )
    return {"rows": rows, "excluded": excluded}


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


def without_duplicates(kept: dict, store: Path, side: int) -> dict:
    """`kept` with each picture once, and `store` written again accordingly, a picture at a time: it may be larger
    than the memory.
    """
    rows, doubled = drop_duplicates(kept["rows"])
    pixels = np.memmap(store, np.uint8, "r", shape=(len(kept["rows"]), 3, side, side))
    with whole(store) as file:
        for row in rows:
            file.write(pixels[row[0]].tobytes())
    return {"rows": [[number, *row[1:]] for number, row in enumerate(rows)], "excluded": [*kept["excluded"], *doubled]}


def drop_duplicates(rows: list[list]) -> tuple[list[list], list[tuple[str, str]]]:
    """(rows, excluded): each picture once. Of a test photo's copies the test photo stays; a picture with two labels
    goes altogether.
    """
    order = {"test": 0, "valid": 1}
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
                (row[1], f"the same file as {other[1]}" + (", a test photo" if other[3] == "test" != row[3] else ""))
            )
        else:
            kept.append(row)
    return kept, excluded


def check_counts(root: Path, classes: list[str], rows: list[list], excluded: list) -> None:
    """Raise UserError naming the classes with too few usable pictures."""
    has_test = any(row[3] == "test" for row in rows)
    few = []
    for name in classes:
        train = sum(row[2] == name and row[3] != "test" for row in rows)
        test = sum(row[2] == name and row[3] == "test" for row in rows)
        if train < MIN_IMAGES - has_test or (has_test and not test):
            few.append(f"{name!r} ({train + test})")
    if few:
        why = (
            f"; {len(excluded)} files were left out, the first: {excluded[0][0]} ({excluded[0][1]})" if excluded else ""
        )
        raise UserError(
            f"{root}: too few usable pictures of {', '.join(few[:5])}{why}; each class needs {MIN_IMAGES} or more"
        )


@cli
def main() -> None:
    parser = argparse.ArgumentParser(description="Check an image dataset and say what is in it.")
    parser.add_argument("data", help="digits, pets, or a folder")
    parser.add_argument("--size", type=int, default=128, help="pixels a side (default 128)")
    arguments = parser.parse_args()
    dataset = load(arguments.data, arguments.size)
    print("\n".join(dataset.lines()))
    for file, reason in dataset.excluded:
        print(f"left out: {file}: {reason}")


if __name__ == "__main__":
    sys.exit(main())
