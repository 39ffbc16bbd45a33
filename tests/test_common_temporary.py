"""Temporary folders: what killed processes left goes, what others use stays."""

import subprocess
import sys

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
