"""Trees of folders, from the layouts that people have to random ones: every file is used under its folder's class or
listed with a reason."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st

from scripts.common.errors import UserError
from scripts.train import folders


def tree(root: Path, *files: str) -> Path:
    """Empty files, `cats/3` for three of them."""
    for file in files:
        name, count = (file.rpartition("/")[0], int(file.rpartition("/")[2])) if file[-1].isdigit() else (file, 0)
        for path in [root / name / f"{i}.jpg" for i in range(count)] or [root / name]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
    return root


def counts(root: Path) -> dict:
    """(split, class) -> files."""
    found = {}
    for item in folders.survey(folders.unwrap(root), root).items:
        found[item.split, item.label] = found.get((item.split, item.label), 0) + 1
    return found


@pytest.mark.parametrize(
    "files, expected",
    [
        (["cats/3", "dogs/2"], {("", "cats"): 3, ("", "dogs"): 2}),
        (["x/cats/3", "x/dogs/2", "__MACOSX/x/cats/1"], {("", "cats"): 3, ("", "dogs"): 2}),
        (
            ["seg_train/seg_train/a/3", "seg_train/seg_train/b/3", "seg_test/seg_test/a/1", "seg_test/seg_test/b/1",
             "seg_pred/seg_pred/9"],
            {("train", "a"): 3, ("train", "b"): 3, ("test", "a"): 1, ("test", "b"): 1},
        ),
        (["train/a/3", "train/b/3", "models/x.pth"], {("", "a"): 3, ("", "b"): 3}),
        (["train/a/3", "train/b/3", "other/9"], {("train", "a"): 3, ("train", "b"): 3}),
        (["train/a/3", "train/b/3", "valid/a/1", "valid/b/1", "test/9", "labels.csv"],
         {("train", "a"): 3, ("train", "b"): 3, ("test", "a"): 1, ("test", "b"): 1}),
        (["a/3", "b/3", "test/9"], {("", "a"): 3, ("", "b"): 3}),
        (["a/3", "b/3", "test/a/1", "test/b/1"],
         {("train", "a"): 3, ("train", "b"): 3, ("test", "a"): 1, ("test", "b"): 1}),
        (["train/3", "car/2", "plane/2"], {("", "train"): 3, ("", "car"): 2, ("", "plane"): 2}),
        (["train/train/3", "train/car/2", "test/train/1", "test/car/1"],
         {("train", "train"): 3, ("train", "car"): 2, ("test", "train"): 1, ("test", "car"): 1}),
        (["train/a/3", "train/b/3", "training_set/a/1", "training_set/b/1"], {("train", "a"): 4, ("train", "b"): 4}),
        (["Training/a/3", "Training/b/3", "PublicTest/a/1", "PublicTest/b/1", "PrivateTest/a/1", "PrivateTest/b/1"],
         {("train", "a"): 3, ("train", "b"): 3, ("test", "a"): 2, ("test", "b"): 2}),
        (["dev/a/3", "dev/b/3", "eval/a/1", "eval/b/1"],
         {("train", "a"): 3, ("train", "b"): 3, ("test", "a"): 1, ("test", "b"): 1}),
        (["a/train/3", "a/test/1", "b/train/3", "b/test/1", "b/2"],
         {("train", "a"): 3, ("test", "a"): 1, ("train", "b"): 5, ("test", "b"): 1}),
        (["train/A/3", "train/b/3", "test/a/1", "test/B/1"],
         {("train", "A"): 3, ("train", "b"): 3, ("test", "A"): 1, ("test", "b"): 1}),
        (["A/3", "a/2"], {("", "A"): 3, ("", "a"): 2}),
        (["a/3", "b/3", "models/x.pth", "logs/events.log", "test.csv"], {("", "a"): 3, ("", "b"): 3}),
        (["models/3", "actors/3"], {("", "models"): 3, ("", "actors"): 3}),
        (["a/cute/3", "a/2", "b/5", "b/.thumbnails/4", "b/thumbs/4"], {("", "a"): 5, ("", "b"): 5}),
        (["chest/train/a/3", "chest/train/b/3", "chest/test/a/1", "chest/test/b/1", "chest/chest/train/a/3"],
         {("train", "a"): 3, ("train", "b"): 3, ("test", "a"): 1, ("test", "b"): 1}),
    ],
)  # fmt: skip
def test_layouts(tmp_path, files, expected):
    assert counts(tree(tmp_path, *files)) == expected


@pytest.mark.parametrize(
    "files, reason",
    [
        (["val/a/3", "val/b/3", "test/a/1", "test/b/1"], "test/ and val/ without class folders to train on"),
        (["train/20", "test/9"], "without class folders to train on; .*by_label"),
        (["train/20", "train.csv"], "one class, 'train'; .*by_label"),
        (["20"], "no folders; .*by_label"),
        (["train/a/3", "train/b/3", "training_set/a/1", "training_set/c/1"], "its classes .* are not those of train"),
        (["train/steam/9", "train/diesel/9", "car/9", "bus/9"], "name .*/train to use it alone"),
        (["pets/train/a/3", "pets/train/b/3", "cars/train/c/1", "cars/train/d/1"], "splits of its own"),
    ],
)
def test_layouts_that_are_refused(tmp_path, files, reason):
    tree(tmp_path / "data", *files)
    with pytest.raises(UserError, match=reason):
        counts(tmp_path / "data")


def test_two_spellings_of_one_name_are_one_class(tmp_path):
    tree(tmp_path, "train/Caf\u00e9/3", "train/dogs/3", "test/Cafe\u0301/2", "test/dogs/2")
    assert counts(tmp_path)["test", "Caf\u00e9"] == 2
    tree(tmp_path, "train/Cafe\u0301/4")
    assert counts(tmp_path)["train", "Caf\u00e9"] == 7
    assert any("accents" in note for note in folders.survey(tmp_path).notes)


def test_links_pipes_and_broken_things_are_listed(tmp_path):
    root = tree(tmp_path / "data", "a/3", "b/3")
    tree(tmp_path / "elsewhere", "5")
    (root / "a" / "gone.jpg").symlink_to("nowhere.jpg")
    (root / "a" / "loop.jpg").symlink_to("loop.jpg")
    (root / "a" / "more").symlink_to(tmp_path / "elsewhere")
    (root / "a" / "up").symlink_to("..")
    os.mkfifo(root / "b" / "pipe.jpg")
    (root / "c").symlink_to(tmp_path / "elsewhere")  # a class may lie elsewhere
    (root / "d").symlink_to("nowhere")
    found = folders.survey(root)
    assert found.classes == ["a", "b", "c"] and len(found.items) == 11
    assert dict(found.left) == {
        "a/gone.jpg": "a link to nothing",
        "a/loop.jpg": "a link that leads in a circle",
        "a/more/": "a link to a folder, which is not followed",
        "a/up/": "a link to a folder, which is not followed",
        "b/pipe.jpg": "a named pipe",
        "d": "a link to nothing",
    }


def test_a_folder_that_links_to_itself_ends(tmp_path):
    (tmp_path / "data" / "x").mkdir(parents=True)
    (tmp_path / "data" / "x" / "y").symlink_to(tmp_path / "data")
    with pytest.raises(UserError):
        counts(tmp_path / "data")


def test_names_that_are_no_utf8_are_opened_by_what_they_are(tmp_path):
    for name in (b"Caf\xe9", b"th\xe9"):
        folder = os.path.join(os.fsencode(tmp_path), name)
        os.mkdir(folder)
        open(os.path.join(folder, b"\xe9.jpg"), "wb").close()
    found = folders.survey(tmp_path)
    assert found.classes == [r"Caf\xe9", r"th\xe9"]
    assert all((tmp_path / item.path).exists() and item.file.isprintable() for item in found.items)


@pytest.mark.skipif(os.geteuid() != 0, reason="takes another user's rights for a moment")
@pytest.mark.parametrize(
    "where, mode", [("a", 0o700), ("a", 0o744), ("a/inner", 0o700), (".", 0o744), ("a/1.jpg", 0o600)]
)
def test_what_may_not_be_read_is_listed(where, mode):
    home = Path(tempfile.mkdtemp())
    home.chmod(0o755)  # pytest's own folders let nobody else in
    root = tree(home / "data", "a/6", "a/inner/6", "b/6")
    (root / where).chmod(mode)
    try:
        os.seteuid(12345)
        found = folders.survey(folders.unwrap(root), root)
        assert found.classes == ["a", "b"]
        assert sum(item.label == "b" for item in found.items) == (0 if where == "." else 6)
        unread = [name for name, reason in found.left if "Permission denied" in reason]
        assert len(unread) == (
            2 if where == "." else {0o700: 1, 0o744: 7, 0o600: 0}[mode]
        )  # the decoder says it of a file
    finally:
        os.seteuid(0)
        shutil.rmtree(home)


# --- any tree ---------------------------------------------------------------------------------------------------------

FOLDERS = ["cats", "dogs", "Dogs", "train", "Training", "training_set", "test", "testing", "val", "dev", "seg_train",
           "seg_test", "seg_pred", "images", "models", ".thumbnails", "@eaDir", "__MACOSX", "Caf\u00e9", "Cafe\u0301",
           "file", "label", "写真", "a b", "new\nline", "label,price", '"', "-x", "NA", "1",
           b"caf\xe9".decode(errors="surrogateescape"),
           r"caf\xe9"]  # fmt: skip
FILES = ["1.jpg", "2.JPG", "x.png", ".DS_Store", "Thumbs.db", "labels.csv", "notes.txt", "no suffix", "é.jpg",
         b"\xff.jpg".decode(errors="surrogateescape"), r"\xff.jpg", "a:b.jpg", "new\nline.jpg"]  # fmt: skip
KINDS = st.sampled_from(["file"] * 6 + ["broken link", "link up", "link aside", "pipe", "folder"])
ENTRIES = st.lists(
    st.tuples(st.lists(st.sampled_from(FOLDERS), max_size=3), st.sampled_from(FILES), KINDS), min_size=1, max_size=25
)


def plant(root: Path, entries) -> None:
    for place, name, what in entries:
        folder = root.joinpath(*place)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / name
            if os.path.lexists(path):
                continue
            if what == "file":
                path.write_bytes(b"x")
            elif what == "broken link":
                path.symlink_to("nowhere")
            elif what == "link up":
                path.symlink_to("..")
            elif what == "link aside":
                path.symlink_to("../dogs")
            elif what == "pipe":
                os.mkfifo(path)
            else:
                path.mkdir()
        except OSError:  # something of that name is there
            continue


def accounted(root: Path, found: folders.Found, base: Path) -> set[str]:
    """Entries that are neither used nor listed, themselves or by a folder above them."""
    known = {item.file for item in found.items}
    known |= {place[:i] for place in known for i, letter in enumerate(place) if letter == "/"}  # a class that is a link
    listed = {name for name, _ in [*found.left, *found.beside]}
    missing = set()
    for here, names, files in os.walk(root):
        for name in [*files, *(name for name in names if os.path.islink(os.path.join(here, name)))]:
            place = folders.text(os.path.relpath(os.path.join(here, name), base))
            parents = {place[: i + 1] for i, letter in enumerate(place) if letter == "/"}
            if place not in known | listed and f"{place}/" not in listed and not parents & listed:
                missing.add(place)
    return missing


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ENTRIES)
def test_every_file_is_used_under_its_folder_or_listed(entries):
    home = Path(tempfile.mkdtemp())
    try:
        plant(home / "data", entries)
        assume((home / "data").is_dir())
        try:
            base = folders.unwrap(home / "data")
            found = folders.survey(base, home / "data")
        except UserError as error:
            assert "\n" not in str(error) and str(error).isprintable()
            return
        assert accounted(home / "data", found, base) == set()
        assert len({item.file for item in found.items}) == len(found.items)
        for item in found.items:
            assert item.label in found.classes
            assert item.label.casefold() in folders.class_name(item.path).casefold().split("/")[:-1]
        assert all(reason for _, reason in [*found.left, *found.beside])
    finally:
        shutil.rmtree(home)
