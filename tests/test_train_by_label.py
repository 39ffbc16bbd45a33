import os

import pytest

from scripts.common.errors import UserError
from scripts.train import by_label


def files(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def run(monkeypatch, *arguments) -> int:
    monkeypatch.setattr("sys.argv", ["by_label", *map(str, arguments)])
    return by_label.main()


def tree(root) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_names_with_a_number_at_the_end(tmp_path, monkeypatch, capsys):
    photos = files(
        tmp_path / "in", "cat.0.jpg", "train/dog.1.jpg", "american_bulldog_12.jpg", ".thumbnails/cat.9.jpg", "x.txt"
    )
    assert run(monkeypatch, photos, tmp_path / "out") == 0
    assert tree(tmp_path / "out") == [
        "american_bulldog/american_bulldog_12.jpg", "cat/cat.0.jpg", "train/dog/dog.1.jpg"
    ]  # fmt: skip
    assert (tmp_path / "out/cat/cat.0.jpg").read_bytes() == b"cat.0.jpg" and len(tree(photos)) == 5


def test_a_table_by_name_stem_or_path(tmp_path, monkeypatch, capsys):
    photos = files(tmp_path / "in", "1.jpg", "train/2.jpg", "3.jpg", "4.jpg")
    (tmp_path / "l.csv").write_text("ID,Breed,x\n1.jpg,Café,0\ntrain/2.jpg,a/b,0\n3,Café,0\n9,dog,0\n")
    assert run(monkeypatch, photos, tmp_path / "out", "--csv", tmp_path / "l.csv") == 0
    assert tree(tmp_path / "out") == ["Café/1.jpg", "Café/3.jpg", "train/a_b/2.jpg"]
    assert "left out: 4.jpg: no label" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (["in", "out", "--pattern", "("], "no regular expression"),
        (["in", "out", "--pattern", ".*"], "put brackets"),
        (["in", "out", "--csv", "no.csv"], "no such file"),
        (["in", "out", "--csv", "odd.csv"], "which column is the file.*a, b"),
        (["in", "out", "--csv", "other.csv"], "none of 2 photos has a label"),
        (["in", "out", "--csv", "dots.csv"], "can't be a folder's name"),
        (["same", "out"], "one label, 'IMG'"),
        (["in", "full"], "there is something already"),
        (["nothing", "out"], "no such folder"),
    ],
)
def test_what_is_refused(tmp_path, monkeypatch, capsys, arguments, reason):
    monkeypatch.chdir(tmp_path)
    files(tmp_path, "in/cat.1.jpg", "in/dog.1.jpg", "same/IMG_1.jpg", "same/IMG_2.jpg", "full/x")
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    (tmp_path / "other.csv").write_text("file,label\nx,y\n")
    (tmp_path / "dots.csv").write_text("file,label\ncat.1,..\ndog.1,x\n")
    assert run(monkeypatch, *arguments) == 2
    error = capsys.readouterr().err
    assert __import__("re").search(reason, error) and error.count("\n") == 1
    assert not os.path.exists("out")


def test_names_that_are_no_utf8(tmp_path, monkeypatch):
    photos = files(tmp_path / "in", "dog.1.jpg")
    open(os.path.join(os.fsencode(photos), b"caf\xe9.1.jpg"), "wb").close()
    assert run(monkeypatch, photos, tmp_path / "out") == 0
    assert len(tree(tmp_path / "out")) == 2


def test_a_damaged_pattern_is_a_user_error():
    with pytest.raises(UserError):
        by_label.from_names([], "*")


def test_links_lead_to_their_photo_and_what_is_no_file_is_named(tmp_path, monkeypatch, capsys):
    photos = files(tmp_path / "in", "store/a b.jpg", "dog.1.jpg")
    (photos / "cat.1.jpg").symlink_to("store/a b.jpg")  # as git-annex and DVC leave them
    (photos / "cat.2.jpg").symlink_to("nowhere")
    os.mkfifo(photos / "cat.3.jpg")
    (photos / "more").symlink_to("store")
    assert run(monkeypatch, photos, tmp_path / "out") == 0
    assert (tmp_path / "out/cat/cat.1.jpg").read_bytes() == b"store/a b.jpg"
    assert tree(tmp_path / "out") == ["cat/cat.1.jpg", "dog/dog.1.jpg", "store/a b/a b.jpg"]
    said = capsys.readouterr().err
    for line in ("cat.2.jpg: a link to nothing", "cat.3.jpg: a named pipe", "more: a link to a folder, which is not"):
        assert f"left out: {line}" in said


@pytest.mark.parametrize("photo", [os.mkfifo, os.mkdir, lambda path: os.symlink("nowhere", path)])
def test_a_folder_without_one_photo_that_can_be_opened(tmp_path, monkeypatch, capsys, photo):
    (tmp_path / "in").mkdir()
    photo(tmp_path / "in" / "cat.1.jpg")
    assert run(monkeypatch, tmp_path / "in", tmp_path / "out") == 2
    assert "no photos in it" in capsys.readouterr().err and not (tmp_path / "out").exists()
