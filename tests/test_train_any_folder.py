"""Any folder of photos, with real photos, rubbish, links and names as they come: what is a photo is used under its
folder's class or listed with a reason, and no command that reads such a folder ends in a traceback."""

import contextlib
import io
import os
import re
import shutil
import sys
import tempfile
import unicodedata
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings, strategies as st
from PIL import Image

from scripts.common.errors import UserError
from scripts.train import by_label, datasets, folders

SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck), database=None)
SIDE = 8


def photo(number: int, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    picture = Image.new("RGB", (SIDE + 2, SIDE), (number * 5 % 256, number % 251, 90))
    picture.putpixel((number % SIDE, number // SIDE % SIDE), (255, 255, 0))
    picture.save(file, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return file.getvalue()


PHOTOS = [photo(number, kind) for number in range(40) for kind in ("PNG", "JPEG")]
RUBBISH = [b"", b"\0", b"<html>", PHOTOS[0][:40], b"version https://git-lfs", b"\xff\xd8\xff" + bytes(50),
           b"GIF89a\1\0\1\0", b"%PDF-", b"II*\0\x08\0\0\0\xff\xff" + bytes(60), b"\0\0\0\x18ftypheic"]  # fmt: skip
KNOWN = ["cats", "dogs", "Dogs", "train", "Train Images", "test", "val", "dev", "eval", "seg_train", "seg_pred", "data",
         "images", "models", "thumbs", ".git", "@eaDir", "Cafe\u0301", "Caf\u00e9", "file", "label", "train ", "test.",
         "annotations", "class", "unlabeled"]  # fmt: skip
PLAIN = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8)
BYTES = st.lists(st.sampled_from(b"ab\xe9\xff\xc3\xa9 \\"), min_size=1, max_size=5).map(
    lambda one: os.fsdecode(bytes(one))
)
NAMES = (st.sampled_from(KNOWN) | PLAIN | BYTES).map(lambda name: name if name.strip(".") else "x")
ENDINGS = st.sampled_from([".jpg", ".PNG", ".jpeg", "", ".txt", ".heic", ".db", ".csv"])
FILE = st.tuples(NAMES, ENDINGS).map("".join)
THINGS = st.sampled_from(
    ["rubbish"] * 4 + ["photo", "link", "broken", "loop", "up", "pipe", "folder", "hard", "locked"]
)
FOLDER = st.tuples(st.lists(NAMES, min_size=1, max_size=3), st.integers(0, 8))  # and how many good photos are in it
NOISE = st.lists(st.tuples(st.integers(0, 99), FILE, THINGS, st.integers(0, 99)), max_size=10)


@st.composite
def layouts(draw) -> tuple[list, list]:
    """Classes as people lay them out, with or without splits, and something beside them now and then."""
    classes = draw(st.lists(NAMES, min_size=2, max_size=3, unique=True))
    splits = draw(st.sampled_from([[""], [""], ["train"], ["train", "test"], ["Train Images", "val", "test"],
                                   ["seg_train/seg_train", "seg_test/seg_test"], ["dev", "eval"]]))  # fmt: skip
    inside = draw(st.booleans()) and splits != [""]
    folders_ = [
        ([*(name for name in ([label, split] if inside else [*split.split("/"), label]) if name), *deeper], 6)
        for split in splits
        for label in classes
        for deeper in ([], *([[draw(NAMES)]] if draw(st.integers(0, 5)) == 0 else []))
    ]
    return [*folders_, *draw(st.lists(FOLDER, max_size=2))], draw(NOISE)


TREES = layouts() | layouts() | st.tuples(st.lists(FOLDER, min_size=1, max_size=5), NOISE)


def plant(root: Path, tree) -> None:
    """Make the tree; what the file system refuses is left out."""
    made, places = 0, [root]  # folders to put things into
    root.mkdir()
    for names, count in tree[0]:
        folder = root.joinpath(*names)
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            places.append(folder)
            for _ in range(count):
                (folder / f"{made}.png").write_bytes(PHOTOS[made % len(PHOTOS)])
                made += 1
    for where, name, what, number in tree[1]:
        path = places[where % len(places)] / name
        if os.path.lexists(path):
            continue
        with contextlib.suppress(OSError):
            if what == "photo":
                path.write_bytes(PHOTOS[number % len(PHOTOS)])
            elif what == "rubbish":
                path.write_bytes(RUBBISH[number % len(RUBBISH)])
            elif what == "pipe":
                os.mkfifo(path)
            elif what == "folder":
                path.mkdir()
            elif what == "hard":
                os.link(next((one for one in root.rglob("*.png") if one.is_file()), "none"), path)
            elif what == "locked":
                path.write_bytes(PHOTOS[0])
                path.chmod(0)
            else:
                path.symlink_to(
                    {"link": places[number % len(places)], "broken": "nowhere", "loop": name, "up": ".."}[what]
                )


def missing(root: Path, base: Path, dataset: datasets.Dataset) -> set[str]:
    """Files and links in `root` that are neither used nor listed, themselves or by a folder above them."""
    used = {folders.text(os.path.relpath(path, base)) for path in dataset.paths}
    used |= {place[:at] for place in used for at, letter in enumerate(place) if letter == "/"}  # a class that is a link
    listed = {name for name, _ in [*dataset.excluded, *dataset.beside]}
    lost = set()
    for here, names, files in os.walk(root):
        for name in [*files, *(name for name in names if os.path.islink(os.path.join(here, name)))]:
            place = folders.text(os.path.relpath(os.path.join(here, name), base))
            above = {place[: at + 1] for at, letter in enumerate(place) if letter == "/"}
            if place not in used | listed and f"{place}/" not in listed and not above & listed:
                lost.add(place)
    return lost


@contextlib.contextmanager
def planted(tree):
    """(the folder of the tree, the folder it is in), gone afterwards."""
    home = Path(tempfile.mkdtemp())
    try:
        plant(home / "data", tree)
        yield home / "data", home
    finally:
        shutil.rmtree(home)


def load(root: Path, home: Path) -> datasets.Dataset | None:
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            return datasets.load(str(root), SIDE, cache=home / "cache", workers=1)
        except UserError as error:
            assert "\n" not in str(error) and str(error).isprintable()
            return None


def called(main, *words) -> tuple[int, str]:
    """(exit code, what was printed) of a command, which may end in anything but a traceback."""
    said, before = io.StringIO(), sys.argv
    sys.argv = ["command", *map(str, words)]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = main()
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv = before
    text = said.getvalue()
    text.encode("utf-8")  # nothing that a terminal can't write
    assert code in (0, 1, 2), text
    return code, text


SPLITS = ([(["train", "a"], 6), (["train", "b"], 6), (["test", "a"], 2), (["test", "b"], 2), (["x"], 3)], [])


@settings(SETTINGS, max_examples=30)
@example(SPLITS)
@given(TREES)
def test_every_photo_is_used_under_its_folder_or_listed(tree):
    with planted(tree) as (root, home):
        dataset = load(root, home)
        if dataset is None:
            return
        base = folders.unwrap(root)
        assert missing(root, base, dataset) == set()
        for path, label in zip(dataset.paths, dataset.labels):
            above = unicodedata.normalize("NFC", folders.text(os.path.relpath(path, base))).casefold().split("/")[:-1]
            assert dataset.classes[label].casefold().strip() in [part.strip() for part in above]
        assert len(set(dataset.files)) == len(dataset.files)
        assert all(reason for _, reason in [*dataset.excluded, *dataset.beside])
        again = load(root, home)  # from the cache
        assert (again.files, again.excluded, again.checksum) == (dataset.files, dataset.excluded, dataset.checksum)


@settings(SETTINGS, max_examples=20)
@given(TREES, st.sampled_from(["", "(.)", "(", "(.*)x|", "(?P<a>\\w+)", "."]))
def test_commands_on_any_folder_end_in_words(tree, pattern):
    with planted(tree) as (root, home):
        datasets.CACHE, before = home, datasets.CACHE
        try:
            code, text = called(datasets.main, root, "--size", SIDE)
        finally:
            datasets.CACHE = before
        assert code != 0 or "to train on" in text
        code, text = called(by_label.main, root, home / "out", *(["--pattern", pattern] if pattern else []))
        if code == 0:
            count = int(re.search(r": ([\d,]+) photos in", text)[1].replace(",", ""))
            assert count == sum(path.is_file() and not path.is_symlink() for path in (home / "out").rglob("*"))


CELLS = st.sampled_from(["file", "label", "a.png", "0.png", "b", "..", "/", "", "x,y", '"', "Café", " "]) | PLAIN
TABLES = st.lists(st.lists(CELLS, min_size=1, max_size=3), max_size=6)


@settings(SETTINGS, max_examples=20)
@given(TREES, TABLES, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]))
def test_any_table_of_labels_ends_in_words(tree, rows, encoding):
    with planted(tree) as (root, home):
        text = "\n".join(",".join(row) for row in [["file", "label"], *rows])
        (home / "labels.csv").write_bytes(text.encode(encoding, "replace"))
        called(by_label.main, root, home / "out", "--csv", home / "labels.csv")
        assert {path.name for path in home.iterdir()} <= {"data", "out", "labels.csv"}  # a label leads nowhere else
