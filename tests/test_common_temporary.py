"""Temporary folders: what killed processes left goes, what others use stays."""

import subprocess
import sys

from scripts.common import temporary
from scripts.common.temporary import temporary_folder
from tests.waiting import until

HOLD = """import pathlib, sys, time
from scripts.common.temporary import temporary_folder
with temporary_folder("mine", sys.argv[1]) as folder:
    (folder / "photo.jpg").write_bytes(b"x")
    time.sleep(600)
"""


def test_a_killed_process_leaves_a_folder_to_the_next_and_others_stay(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    processes = [subprocess.Popen(command) for _ in range(2)]
    until(lambda: len(list(tmp_path.glob("mine-*/photo.jpg"))) == 2, "both have a folder")
    (tmp_path / "mine-of-somebody").mkdir()  # no lock in it: none of ours
    (tmp_path / "mine-link").symlink_to(tmp_path / "mine-of-somebody")
    processes[0].kill()
    processes[0].wait()
    try:
        with temporary_folder("mine", tmp_path) as folder:
            assert len(list(tmp_path.glob("mine-*/photo.jpg"))) == 1 and folder.is_dir()
            assert (tmp_path / "mine-of-somebody").is_dir() and (tmp_path / "mine-link").is_symlink()
            with temporary_folder("mine", tmp_path) as second:  # this process has two
                assert folder.is_dir() and second != folder
        assert not folder.exists()
    finally:
        processes[1].kill()
        processes[1].wait()


def test_what_is_written_while_a_folder_goes_is_left_to_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(temporary, "PAUSE_S", 0)
    remove = temporary.shutil.rmtree

    def written_again(folder, **how):  # by a process that is not yet gone
        remove(folder, **how)
        (folder / "profile").mkdir(parents=True)

    with monkeypatch.context() as late:
        late.setattr(temporary.shutil, "rmtree", written_again)
        with temporary_folder("mine", tmp_path) as folder:
            pass
    assert (folder / "profile").is_dir()
    with temporary_folder("mine", tmp_path) as second:
        assert list(tmp_path.iterdir()) == [second]
    assert not list(tmp_path.iterdir())
