import os
import re

import numpy as np
import pytest
from PIL import Image

from scripts.common import hardware
from scripts.common.errors import UserError
from scripts.train import datasets, photos


def paint(path, seed: int, size=(40, 32)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)).save(path)


def pictures(root, classes=("cats", "dogs"), count=6, first=0):
    for i, name in enumerate(classes):
        for j in range(count):
            paint(root / name / f"{name}.{j}.png", first + 100 * i + j)
    return root


def load(root, tmp_path, size=16):
    return datasets.load(str(root), size, cache=tmp_path / "cache")


def test_one_folder_per_class(tmp_path):
    found = load(pictures(tmp_path / "My Pets!"), tmp_path)
    assert (found.name, found.classes, found.pixels.shape) == ("my-pets", ["cats", "dogs"], (12, 3, 19, 19))
    assert found.test.sum() == 2 and not found.excluded
    train, valid, test = found.split(seed=0, fraction=0.2)
    assert sorted([*train, *valid, *test]) == list(range(12))
    assert set(found.labels[valid]) == set(found.labels[test]) == {0, 1}


def test_the_pixels_are_those_of_the_files(tmp_path):
    root = pictures(tmp_path / "data")
    found = load(root, tmp_path)
    for i in (0, 7, 11):
        assert (found.pixels[i] == photos.read(root / found.files[i], 19).pixels).all()


def test_validation_follows_the_seed_and_the_test_photos_do_not(tmp_path):
    found = load(pictures(tmp_path / "data", count=30), tmp_path)
    splits = [found.split(seed, 0.2) for seed in (0, 0, 1)]
    assert (splits[0][1] == splits[1][1]).all() and (splits[0][1] != splits[2][1]).any()
    assert (splits[0][2] == splits[2][2]).all()


@pytest.mark.parametrize(
    "train, test",
    [
        ("training_set", "test_set"),
        ("train", "test"),
        ("Train", "val"),
        ("training_set/training_set", "test_set/test_set"),
    ],
)
def test_layouts_with_a_test_folder(tmp_path, train, test):
    pictures(tmp_path / "data" / train)
    pictures(tmp_path / "data" / test, count=2, first=1000)
    found = load(tmp_path / "data", tmp_path)
    assert found.test.sum() == 4 and (~found.test).sum() == 12
    assert all(found.files[i].startswith(test) for i in np.flatnonzero(found.test))


def test_the_second_time_nothing_is_decoded(tmp_path, monkeypatch):
    root = pictures(tmp_path / "data")
    first = load(root, tmp_path)
    monkeypatch.setattr(photos, "read", lambda *_: pytest.fail("decoded again"))
    again = load(root, tmp_path)
    assert (again.pixels == first.pixels).all() and again.checksum == first.checksum


def test_a_changed_file_is_decoded_again_and_the_old_cache_goes(tmp_path):
    root = pictures(tmp_path / "data")
    before = load(root, tmp_path)
    paint(root / "cats" / "cats.0.png", 999)
    os.utime(root / "cats" / "cats.0.png", ns=(1, 1))
    after = load(root, tmp_path)
    assert after.checksum != before.checksum and (after.pixels[0] != before.pixels[0]).any()
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_a_cache_cut_short_is_not_believed(tmp_path):
    root = pictures(tmp_path / "data")
    whole = np.array(load(root, tmp_path).pixels)
    store = next((tmp_path / "cache").glob("*.u8"))
    os.truncate(store, store.stat().st_size - 1)
    assert (load(root, tmp_path).pixels == whole).all()


def test_bad_files_are_left_out_and_listed(tmp_path):
    root = pictures(tmp_path / "data")
    (root / "cats" / "page.jpg").write_text("<html>not found</html>")
    (root / "dogs" / "cut.png").write_bytes((root / "dogs" / "dogs.0.png").read_bytes()[:500])
    (root / "dogs" / ".DS_Store").write_bytes(b"x")
    found = load(root, tmp_path)
    assert dict(found.excluded).keys() == {"cats/page.jpg", "dogs/cut.png"} and len(found.files) == 12
    assert "web page" in dict(found.excluded)["cats/page.jpg"]
    assert any("2 files left out" in line for line in found.lines())
    assert load(root, tmp_path).excluded == found.excluded  # also from the cache


def test_the_same_picture_in_both_splits_stays_a_test_photo(tmp_path):
    root = tmp_path / "data"
    pictures(root / "train")
    pictures(root / "test", count=2, first=1000)
    (root / "train" / "cats" / "copy.png").write_bytes((root / "test" / "cats" / "cats.0.png").read_bytes())
    found = load(root, tmp_path)
    assert found.excluded == [("train/cats/copy.png", "the same file as test/cats/cats.0.png, a test photo")]
    assert "test/cats/cats.0.png" in found.files and found.pixels.shape[0] == len(found.labels) == 16
    again = load(root, tmp_path)  # from the cache, and still not a copy in memory
    assert (
        isinstance(found.pixels, np.memmap)
        and isinstance(again.pixels, np.memmap)
        and (again.pixels == found.pixels).all()
    )
    assert again.excluded == found.excluded and again.files == found.files


def test_the_same_picture_with_two_labels_goes(tmp_path):
    root = pictures(tmp_path / "data")
    (root / "dogs" / "copy.png").write_bytes((root / "cats" / "cats.3.png").read_bytes())
    found = load(root, tmp_path)
    assert sorted(file for file, _ in found.excluded) == ["cats/cats.3.png", "dogs/copy.png"]
    assert all("labels cats and dogs" in reason for _, reason in found.excluded)
    assert (
        found.pixels[found.files.index("cats/cats.4.png")] == photos.read(root / "cats" / "cats.4.png", 19).pixels
    ).all()


def test_missing_empty_and_one_class(tmp_path):
    with pytest.raises(UserError, match="--data is empty"):
        datasets.load(" ", 16, cache=tmp_path)
    with pytest.raises(UserError, match="nowhere: no such folder"):
        load(tmp_path / "nowhere", tmp_path)
    (tmp_path / "file.zip").write_bytes(b"PK")
    with pytest.raises(UserError, match="a file, not a folder; unpack"):
        load(tmp_path / "file.zip", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no folders; a dataset needs"):
        load(tmp_path / "empty", tmp_path)
    (tmp_path / "hollow" / "cats").mkdir(parents=True)
    (tmp_path / "hollow" / "dogs").mkdir()
    with pytest.raises(UserError, match="class folders are empty"):
        load(tmp_path / "hollow", tmp_path)
    with pytest.raises(UserError, match="one class, 'cats'"):
        load(pictures(tmp_path / "single", ("cats",)), tmp_path)


def test_too_few_pictures_names_the_class_and_why(tmp_path):
    root = pictures(tmp_path / "data")
    for file in sorted((root / "dogs").iterdir())[:3]:
        file.write_bytes(b"broken")
    with pytest.raises(
        UserError,
        match=r"too few usable pictures of 'dogs' \(3\).*3 files were left out, the first: dogs/dogs.0.png \(not an "
        r"image\)",
    ):
        load(root, tmp_path)


def test_a_class_of_copies_of_one_picture_is_too_small(tmp_path):
    root = pictures(tmp_path / "data")
    for file in (root / "dogs").iterdir():
        file.write_bytes((root / "dogs" / "dogs.0.png").read_bytes())
    with pytest.raises(
        UserError,
        match=r"too few usable pictures of 'dogs' \(1\).*5 files were left out, the first: dogs/dogs.1.png \(the same "
        r"file as dogs/dogs.0.png\)",
    ):
        load(root, tmp_path)


def test_a_test_set_that_is_a_copy_of_the_training_set(tmp_path):
    pictures(tmp_path / "data" / "train")
    pictures(tmp_path / "data" / "test")
    with pytest.raises(
        UserError, match=r"too few usable pictures of 'cats' \(6\), 'dogs' \(6\); 12 files were left out.*a test photo"
    ):
        load(tmp_path / "data", tmp_path)


def test_unbalanced_is_said(tmp_path):
    root = pictures(tmp_path / "data", ("cats",), count=50)
    pictures(root, ("dogs",), count=5, first=500)
    assert any("unbalanced, 50 images of 'cats' and 5 of 'dogs'" in line for line in load(root, tmp_path).lines())


def test_test_classes_that_differ(tmp_path):
    pictures(tmp_path / "data" / "train")
    pictures(tmp_path / "data" / "test", ("cats", "horses"), first=1000)
    with pytest.raises(UserError, match="test: its classes .*horses.* are not those of train"):
        load(tmp_path / "data", tmp_path)


def test_a_full_disk_is_one_line_and_leaves_no_cache(tmp_path, small_disk):
    with pytest.raises(UserError, match="disk is full"):
        datasets.load(str(pictures(tmp_path / "data")), 64, cache=small_disk)
    assert [file.name for file in small_disk.iterdir()] == ["filler"]


def test_digits_are_real_and_not_mirrored():
    found = datasets.load("digits", 32)
    assert found.pixels.shape == (1797, 3, 32, 32) and found.test.sum() == 359 and not found.flip
    assert found.pixels.min() == 0 and found.pixels.max() == 255
    assert found.split(3)[2].tolist() == np.flatnonzero(found.test).tolist()


def test_the_real_photos(photos, tmp_path):
    found = load(photos, tmp_path, size=32)
    assert (
        found.classes == ["cats", "dogs"]
        and (~found.test).sum() == 2000
        and found.test.sum() == 1500
        and not found.excluded
    )


def oxford(root):
    """Two breeds in Oxford's layout: five photos each to train on, three to test on."""
    breeds = ("Abyssinian", "american_bulldog")
    for i, breed in enumerate(breeds):
        for j in range(8):
            paint(root / "images" / f"{breed}_{j}.jpg", 100 * i + j)
    (root / "annotations").mkdir()
    for name, numbers in (("trainval", range(5)), ("test", range(5, 8))):
        (root / "annotations" / f"{name}.txt").write_text(
            "# Image CLASS-ID SPECIES\n" + "".join(f"{breed}_{j} 1 1 1\n" for breed in breeds for j in numbers)
        )
    return root


def test_pets_layout_and_its_own_lists(tmp_path):
    found = load(oxford(tmp_path / "oxford-iiit-pet"), tmp_path)
    assert found.classes == ["Abyssinian", "american_bulldog"] and found.test.sum() == 6 and len(found.files) == 16


def test_what_stands_beside_oxfords_lists_is_listed(tmp_path):
    root = oxford(tmp_path / "data" / "oxford-iiit-pet")
    for name in ("images/Abyssinian_9.jpg", "images/Abyssinian_9.mat", "more/cat.jpg", "../loose.jpg", "../__MACOSX/x"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"x")
    (root / "images" / "gone.jpg").symlink_to("nowhere")
    (root / "annotations" / "trainval.txt").open("a").write("Abyssinian_77 1 1 1\n")
    found = load(tmp_path / "data", tmp_path)
    assert len(found.files) == 16
    assert dict(found.excluded) == {
        "images/Abyssinian_9.jpg": "in neither of the lists",
        "images/Abyssinian_9.mat": "in neither of the lists",
        "images/gone.jpg": "in neither of the lists",
        "images/Abyssinian_77.jpg": "cannot be read (No such file or directory)",
        "more/": "in neither of the lists, 1 file",
        "../loose.jpg": "not in a class folder",
    }
    assert {name for name, _ in found.beside} == {"annotations/", "../__MACOSX/"}


@pytest.mark.parametrize(
    "text", [b"\0", b"Abyssinian_0\0 1 1 1\n", "Abyssinian_0 1".encode("utf-16"), b"caf\xe9_1 1\n"]
)
def test_oxfords_lists_that_are_no_text(tmp_path, text):
    root = oxford(tmp_path / "data")
    (root / "annotations" / "test.txt").write_bytes(text)
    with pytest.raises(UserError, match=r"test.txt: cannot be read \(not text\)"):
        load(root, tmp_path)


@pytest.mark.parametrize("error", [OSError("Network is unreachable"), RuntimeError("File not found or corrupted.")])
def test_pets_out_of_reach_is_one_line(tmp_path, monkeypatch, error):
    import torchvision.datasets

    def download(*_, **__):
        raise error

    monkeypatch.setattr(torchvision.datasets, "OxfordIIITPet", download)
    with pytest.raises(UserError, match="Oxford-IIIT Pets cannot be downloaded .*--data FOLDER"):
        datasets.load("pets", 16, cache=tmp_path / "cache")


def test_two_folders_of_one_name_have_a_cache_each(tmp_path):
    first = load(pictures(tmp_path / "pets" / "images"), tmp_path)
    second = load(pictures(tmp_path / "mood" / "images", ("happy", "sad"), first=500), tmp_path)
    assert first.name == second.name == "images" and len(list((tmp_path / "cache").iterdir())) == 4
    assert (load(tmp_path / "pets" / "images", tmp_path).pixels == first.pixels).all()


@pytest.mark.parametrize(
    "folder, name",
    [("My Pets!", "my-pets"), ("Caf\u00e9", "cafe"), ("Cafe\u0301", "cafe"), ("写真", r"photos-[0-9a-f]{6}"),
     ("фото", r"photos-[0-9a-f]{6}"), ("写真 2024", r"2024-[0-9a-f]{6}"), ("!!!", r"photos-[0-9a-f]{6}"),
     ("digits", "digits-folder")],
)  # fmt: skip
def test_a_folders_results_have_a_name_of_their_own(tmp_path, folder, name):
    assert re.fullmatch(name, load(pictures(tmp_path / folder), tmp_path).name)


def test_names_in_other_scripts_differ():
    names = [hardware.short_name(text) for text in ("写真", "фото", "写真2", "صور", "")]
    assert len(set(names)) == len(names) and names[-1] == ""


def test_a_file_whose_name_is_no_utf8_is_opened(tmp_path):
    root = pictures(tmp_path / "data")
    os.rename(root / "cats" / "cats.0.png", os.path.join(os.fsencode(root), b"cats", b"Caf\xe9.png"))
    found = load(root, tmp_path)
    row = found.files.index(r"cats/Caf\xe9.png")
    assert found.paths[row].exists() and (found.pixels[row] == photos.read(found.paths[row], 19).pixels).all()
    assert load(root, tmp_path).paths == found.paths  # also from the cache


def test_an_empty_class_is_refused_by_name(tmp_path):
    root = pictures(tmp_path / "data")
    (root / "birds").mkdir()
    with pytest.raises(UserError, match=r"too few usable pictures of 'birds' \(0\); each class needs 5"):
        load(root, tmp_path)
    (root / "birds" / "1.jpg").symlink_to("nowhere")
    with pytest.raises(UserError, match=r"'birds' \(0\); left out: birds/1.jpg \(a link to nothing\)"):
        load(root, tmp_path)


def test_what_was_never_a_photo_is_listed_apart(tmp_path, monkeypatch, moved, capsys):
    root = pictures(tmp_path / "data")
    (root / "README.md").write_text("photos")
    (root / "cats" / ".DS_Store").write_bytes(b"x")
    (root / "loose.jpg").write_bytes(b"x")
    moved(CACHE=tmp_path)
    monkeypatch.setattr("sys.argv", ["datasets", str(root), "--size", "16"])
    assert datasets.main() == 0
    said = capsys.readouterr().out
    assert "1 file left out: loose.jpg (not in a class folder)" in said
    for line in ("README.md: not in a class folder", "cats/.DS_Store: a hidden file"):
        assert f"left out: {line}\n" in said


def test_oxfords_lists_that_are_not_there_or_name_nothing(tmp_path):
    root = tmp_path / "pets-like"
    paint(root / "images" / "a_1.jpg", 0)
    (root / "annotations").mkdir()
    (root / "annotations" / "trainval.txt").write_text("# nothing\n")
    with pytest.raises(UserError, match="test.txt: cannot be read"):
        load(root, tmp_path)
    (root / "annotations" / "test.txt").write_text("a_1 1 1 1\n")
    with pytest.raises(UserError, match="its lists name 1 breeds"):
        load(root, tmp_path)


def test_an_address_is_told_from_a_folder(tmp_path):
    with pytest.raises(UserError, match="an address where a file or folder is meant; download it"):
        datasets.load("https://example.org/photos.zip", 16, cache=tmp_path)
