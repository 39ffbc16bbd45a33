import errno
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.common import paths
from scripts.common.errors import UserError, cli
from scripts.common.paths import ROOT, atomic_write, publish, read_file, relative, write_together, writing
from tests.killing import kills, snapshot


def test_a_full_disk_is_one_line_and_leaves_the_old_file(small_disk):
    path = small_disk / "table.csv"
    atomic_write(path, "old\n")
    with pytest.raises(UserError, match="disk is full"):
        atomic_write(path, b"x" * 100_000)
    assert path.read_text() == "old\n"
    assert sorted(file.name for file in small_disk.iterdir()) == ["filler", "table.csv"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="no-such/deeper.*folder does not exist"):
        atomic_write(tmp_path / "no-such" / "deeper" / "table.csv", "x")


def test_a_folder_in_the_way(tmp_path):
    (tmp_path / "table.csv").mkdir()
    with pytest.raises(UserError, match="folder, not a file"):
        atomic_write(tmp_path / "table.csv", "x")
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_several_files_are_written_all_or_none(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "a").write_text("old")
    with pytest.raises(UserError, match="b: this is a folder"):
        write_together({tmp_path / "a": "new", tmp_path / "b": "new"})
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a", "b"] and (tmp_path / "a").read_text() == "old"


def test_the_next_write_removes_what_a_killed_one_left_and_nothing_else(tmp_path):
    left = []
    for _ in kills(lambda: write_together({tmp_path / "a": "x", tmp_path / "b": "y"})):
        left.append(len({path.name for path in tmp_path.iterdir()} - {"a", "b"}))
        (tmp_path / f".a.x.{os.getpid()}.tmp").touch()
        write_together({tmp_path / "a": "x", tmp_path / "b": "y"})
        assert {path.name for path in tmp_path.iterdir()} == {"a", "b", f".a.x.{os.getpid()}.tmp"}
        (tmp_path / f".a.x.{os.getpid()}.tmp").unlink()
    assert max(left) == 2


@pytest.mark.parametrize("plain", [False, True], ids=["exchanged", "renamed"])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "other file system"])
def test_a_folder_changes_places_whole_wherever_it_is_killed(tmp_path, other_disk, monkeypatch, elsewhere, plain):
    home = other_disk if elsewhere else tmp_path / "here"
    new, out = tmp_path / "new", home / "out"

    def reset():
        shutil.rmtree(new, ignore_errors=True)
        for place, text in ((new, "new"), (out, "old")):
            place.mkdir(parents=True, exist_ok=True)
            for name in ("x", "y"):
                (place / name).write_text(text)

    if plain:
        monkeypatch.setattr(paths.ctypes, "CDLL", lambda *_, **__: object())
    for _ in kills(lambda: publish(new, out), reset):
        paths.bring_back(out)
        assert [path.name for path in home.iterdir()] == ["out"]
        assert set(snapshot(out)) == {"x", "y"} and len(set(snapshot(out).values())) == 1
        reset()
        publish(new, out)
        assert set(snapshot(out).values()) == {b"new"} and [path.name for path in home.iterdir()] == ["out"]


def test_a_folder_that_cannot_take_the_place_leaves_the_old_one(tmp_path, monkeypatch):
    for name in ("new", "out"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text(name)
    monkeypatch.setattr(paths.ctypes, "CDLL", lambda *_, **__: object())
    rename = paths.Path.rename
    refuse = lambda self, to: (_ for _ in ()).throw(OSError(5, "I/O error")) if self.name == "new" else rename(self, to)
    monkeypatch.setattr(paths.Path, "rename", refuse)
    with pytest.raises(OSError, match="I/O error"):
        publish(tmp_path / "new", tmp_path / "out")
    assert (tmp_path / "out" / "x").read_text() == "out"


def test_one_writer_at_a_time_and_a_killed_one_blocks_nobody(tmp_path):
    code = (
        f"from scripts.common.paths import writing; import os\n"
        f"with writing({str(tmp_path / 'x')!r}):\n    print('at it', flush=True); input()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline()
    with pytest.raises(UserError, match="x: another run is writing it"):
        with writing(tmp_path / "x"):
            pass
    with writing(tmp_path / "y"), writing(tmp_path / "y"):  # a run may hold for long what it takes again to write
        pass
    process.kill()
    process.wait()
    with writing(tmp_path / "x", wait=60):
        pass


def test_only_a_regular_file_of_a_sensible_size_is_read(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 1000)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "zero").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.getcwd()
        os.chdir(tmp_path)  # a socket's path is short
        listening.bind("socket")
        os.chdir(here)
    assert read_file(tmp_path / "file", 1000) == read_file(tmp_path / "link", 1000, links=True)
    for name, links, words in (
        ("file", False, "at most"),
        ("link", False, "a link where a file should be"),
        ("zero", False, "a link where a file should be"),
        ("zero", True, "a pipe or device"),
        ("pipe", False, "a pipe or device"),
        ("socket", True, "no regular file"),
    ):
        with pytest.raises(UserError, match=words):
            read_file(tmp_path / name, 999 if name == "file" else 1000, links)
    with pytest.raises(IsADirectoryError):
        read_file(tmp_path, 1000)


def test_relative_never_shows_this_machine(tmp_path):
    assert relative(ROOT / "images" / "a.jpg") == "images/a.jpg"
    assert relative(tmp_path / "a.jpg") == "a.jpg"


def ended_by(error: BaseException) -> int:
    """The exit code of a command that raises it."""

    @cli
    def main():
        raise error

    return main()


def test_cli_turns_a_user_error_into_one_line(capsys):
    assert ended_by(UserError("no such\nthing: x; do y")) == 2
    assert capsys.readouterr().err == "error: no such thing: x; do y\n"


@pytest.mark.parametrize("number, words", [(errno.ENOSPC, "disk is full"), (errno.EROFS, "is read-only")])
def test_cli_says_what_a_disk_refuses_in_one_line(capsys, number, words):
    assert ended_by(OSError(number, os.strerror(number), "here.csv")) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: cannot write here.csv: ") and words in said and said.count("\n") == 1


def test_cli_says_what_a_callback_of_fastais_raised(capsys):
    error = UserError("cannot write x")
    error.args = ("Exception occured in `Watcher` when calling event `after_epoch`:\n\tcannot write x",)
    assert ended_by(error) == 2 and capsys.readouterr().err == "error: cannot write x\n"


def test_cli_reports_an_interrupt(capsys):
    assert ended_by(KeyboardInterrupt()) == 130
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_cli_hides_no_defect_of_ours():
    with pytest.raises(ZeroDivisionError):
        ended_by(ZeroDivisionError())


@pytest.mark.parametrize("text", ["https://x.org/a.zip", "HTTP://x", "file:///home/x", "s3://b/k", "sqlite:///a.db"])
def test_an_address_is_no_path(text):
    with pytest.raises(UserError, match=r"an address where a file or folder is meant; (download|write)"):
        paths.local(text)


@pytest.mark.parametrize("text", ["a", "C:/x", "a:b", "./https:", "x//y", "~/p", "a?b#c%41", "", "1://x"])
def test_what_is_no_address_is_a_path(text):
    assert paths.local(text) == Path(text)


@pytest.mark.parametrize("text", ["s3://bucket/x", "https://x.org/a", "gs:/b"])
@pytest.mark.parametrize(
    "write",
    [
        lambda path: paths.make_folder(path),
        lambda path: paths.check_place(path / "site"),
        lambda path: paths.atomic_write(path, "x"),
        lambda path: paths.writing(path).__enter__(),
    ],
)
def test_nothing_is_written_into_a_folder_called_like_an_address(tmp_path, monkeypatch, write, text):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="an address where a folder of this machine is meant"):
        write(Path(text))
    assert not list(tmp_path.iterdir())
    paths.make_folder("a:b/c:")  # an odd name, but no address


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied", "/x/a\nb"),
                                   PermissionError(1, "Operation not permitted", b"/caf\xe9")])  # fmt: skip
def test_what_may_not_be_touched_is_one_line(capsys, error):
    assert ended_by(error) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: /") and said.count("\n") == 1 and "permissions" in said
    with pytest.raises(OSError):  # without a place nobody could mend it
        ended_by(PermissionError(13, "Permission denied"))
