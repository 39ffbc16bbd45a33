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
import hashlib
import math
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from scripts.common import hardware, net
from scripts.common.errors import UserError, cli, printable
from scripts.common.paths import CACHE, local
from scripts.train import decoded, folders, splits
from scripts.train.folders import Found, Item, class_name, unwrap
from scripts.train.splits import TEST, TRAIN

EMBEDDED = "digits"
PETS_URL = "https://thor.robots.ox.ac.uk/datasets/pets"  # torchvision's
TEST_FRACTION = 0.2  # where a dataset has no test photos of its own
TEST_SEED = 20220401  # the same test photos whatever the run's seed
MIN_IMAGES = 5  # a class: one for testing, one for validation, three to learn from
UNBALANCED = 10  # largest class over smallest from which it is said


@dataclass
class Dataset:
    """pixels: uint8 (n, 3, side, side), maybe memory-mapped; labels: int64 (n,) into classes; test: bool (n,); files: n
    names.

    size: what the networks see; flip: whether a mirrored picture keeps its label; excluded: [(file or folder/,
    reason)] that could have been photos; beside: the same of what never was one (README.md, .DS_Store); checksum: of
    all files; paths: where the files are, for datasets on the disk; notes: what was taken for what, a line each.
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
    beside: list[tuple[str, str]] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def split(self, seed: int, fraction: float = 0.1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Indices of (train, valid, test). Validation: `fraction` of each class's training photos, at least one,
        drawn by `seed`.
        """
        rest = np.flatnonzero(~self.test)
        held_out = rest[stratified(self.labels[rest], fraction, seed)]
        return np.setdiff1d(rest, held_out), held_out, np.flatnonzero(self.test)

    def facts(self) -> dict:
        """For a sidecar: name, checksum, classes with counts, and how much was left out. No file is named: sidecars are
        published.
        """

        def count(rows) -> dict[str, int]:
            return dict(zip(self.classes, np.bincount(self.labels[rows], minlength=len(self.classes)).tolist()))

        return {
            "dataset": self.name,
            "checksum": self.checksum,
            "training_images": count(~self.test),
            "test_images": count(self.test),
            "excluded": len(self.excluded),
        }

    def lines(self) -> list[str]:
        """What a user should know, a line each."""
        sizes = np.bincount(self.labels)
        said = [
            f"{self.name}: {len(self.classes)} classes, {(~self.test).sum():,} images to train on, "
            f"{self.test.sum():,} to test on",
            *(f"{self.name}: {note}" for note in self.notes),
        ]
        if self.excluded:
            shown = "; ".join(f"{file} ({reason})" for file, reason in self.excluded[:5])
            folders = sum(file.endswith("/") for file, _ in self.excluded)
            what = " and ".join(
                f"{count} {kind}{'s' * (count > 1)}"
                for count, kind in ((len(self.excluded) - folders, "file"), (folders, "folder"))
                if count
            )
            said.append(f"{self.name}: {what} left out: {shown}{' …' if len(self.excluded) > 5 else ''}")
        if sizes.max() >= UNBALANCED * sizes.min():
            said.append(
                f"{self.name}: unbalanced, {sizes.max():,} images of {self.classes[sizes.argmax()]!r} and "
                f"{sizes.min():,} of "
                f"{self.classes[sizes.argmin()]!r}; read the macro averages, not the accuracy"
            )
        return [printable(line) for line in said]


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
    given = pets_folder(cache or CACHE) if data == "pets" else local(data).expanduser()
    root = unwrap(given)
    named = root
    while named != given and splits.read(named.name):  # photos/train is called photos
        named = named.parent
    name = hardware.short_name(named.resolve().name)
    if name in (EMBEDDED, "pets") and data != "pets":
        name = f"{name}-folder"
    return folder(root, name, size, cache or CACHE / "photos", workers, above=given)


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
        reason = net.why(error, PETS_URL) or str(error)[:80]
        raise UserError(
            f"Oxford-IIIT Pets cannot be downloaded ({reason}); name a folder of your own with --data FOLDER"
        ) from None
    finally:
        socket.setdefaulttimeout(before)
    return cache / "oxford-iiit-pet"


# --- a folder of pictures ---------------------------------------------------------------------------------------------


def scan(root: Path) -> list[Item]:
    """All files of the dataset in `root`, by the layouts of scripts.train.folders. Raises UserError."""
    return survey(root).items


def survey(root: Path, above: Path | None = None) -> Found:
    """What is in the dataset's folder, and Oxford-IIIT Pets by its own lists. Raises UserError."""
    if (root / "annotations" / "trainval.txt").is_file():
        return scan_pets(root, above)
    return folders.survey(root, above)


def scan_pets(root: Path, above: Path | None = None) -> Found:
    """Oxford-IIIT Pets: breeds from the file names, its own two lists as train and test. Raises UserError."""
    found = folders.Collector(root, {root / "images"})
    for split, name in ((TRAIN, "trainval.txt"), (TEST, "test.txt")):
        try:
            lines = (root / "annotations" / name).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            lines, why = ["\0"], getattr(error, "strerror", "") or "not text"
        else:
            why = "not text"
        if any("\0" in line for line in lines):
            raise UserError(
                f"{root / 'annotations' / name}: cannot be read ({why}); a folder with annotations/trainval.txt is "
                "read as Oxford-IIIT Pets, with both its lists"
            )
        for line in lines:
            if line.strip() and not line.startswith("#"):
                file = f"images/{line.split()[0]}.jpg"
                found.items.append(Item(file, Path(file).stem.rpartition("_")[0], split, file))
    found.classes = sorted({item.label for item in found.items})
    if len(found.classes) < 2:
        raise UserError(f"{root}: its lists name {len(found.classes)} breeds; a dataset needs two classes or more")
    listed = {root / item.path for item in found.items}
    for path in sorted([*root.glob("images/*"), *root.iterdir()]):
        if path == root / "annotations":
            found.beside.append(("annotations/", "the lists of Oxford-IIIT Pets"))
        elif path not in listed and path != root / "images":
            found.leave(path, "in neither of the lists")
    over = {path for path in root.parents if path.is_relative_to(above or root)}
    for level in sorted(over):
        found.strays(level, over | {root})
    return found


def folder(root: Path, name: str, size: int, cache: Path, workers: int | None = None, above: Path | None = None):
    """The pictures in `root`, decoded with a margin for cropping (8/7 of `size`, as evaluation at 224 resizes to
    256). above: the folder that was named, where `root` is one in it.
    """
    side = math.ceil(size * 8 / 7)
    found = survey(root, above)
    check_counts(root, found.classes, found.items, [*found.left, *found.beside])
    store = decoded.Store(root, name, side, cache)
    kept = store.read(found.items, workers)
    rows, excluded = kept["rows"], [*map(tuple, kept["excluded"]), *found.left]
    check_counts(root, found.classes, [Item(*row[1:4], "") for row in rows], [*excluded, *found.beside])
    labels = np.array([found.classes.index(row[2]) for row in rows], np.int64)
    test = np.array([row[3] == TEST for row in rows])
    if not test.any():
        test[stratified(labels, TEST_FRACTION, TEST_SEED)] = True
    return Dataset(
        name,
        found.classes,
        store.pixels(len(rows)),
        labels,
        test,
        [row[1] for row in rows],
        size,
        checksum=hashlib.sha256("\n".join(sorted(f"{row[4]} {row[1]}" for row in rows)).encode()).hexdigest(),
        excluded=excluded,
        beside=found.beside,
        paths=[root / row[5] for row in rows],
        notes=[*found.notes, *kept["notes"]],
    )


def check_counts(root: Path, classes: list[str], items: list[Item], excluded: list[tuple[str, str]]) -> None:
    """Raise UserError naming the classes with too few usable pictures, and what became of theirs."""
    train, test = Counter(), Counter()
    for item in items:
        (test if item.split == TEST else train)[item.label] += 1
    few = [name for name in classes if train[name] < MIN_IMAGES - bool(test) or (test and not test[name])]
    if few:
        shown = ", ".join(f"{name!r} ({train[name] + test[name]})" for name in few[:5])
        theirs = [pair for pair in excluded if few[0] in class_name(pair[0]).split("/")]
        amount = f"{len(excluded)} files were left out, the first" if len(excluded) > 1 else "left out"
        why = f"; {amount}: {theirs[0][0]} ({theirs[0][1]})" if theirs else ""
        if not items and not excluded:
            raise UserError(f"{root}: the class folders are empty; put pictures into them")
        raise UserError(
            f"{root}: too few usable pictures of {shown}{why}; each class needs {MIN_IMAGES} or more, and a folder "
            "that is no class has to go elsewhere"
        )


@cli
def main() -> None:
    parser = argparse.ArgumentParser(description="Check an image dataset and say what is in it.")
    parser.add_argument("data", help="digits, pets, or a folder")
    parser.add_argument("--size", type=int, default=128, help="pixels a side (default 128)")
    arguments = parser.parse_args()
    dataset = load(arguments.data, arguments.size)
    print("\n".join(dataset.lines()))
    for file, reason in [*dataset.excluded, *dataset.beside]:
        print(printable(f"left out: {file}: {reason}"))


if __name__ == "__main__":
    sys.exit(main())
