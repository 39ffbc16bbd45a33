"""What is kept is made once, whole or not at all, whoever is killed and however full the disk is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from scripts.common import paths
from scripts.common.errors import UserError
from scripts.runtimes import store

KEY = {"what": "test", "network": "n", "machine": "here"}
SLOW = """
import sys, time
from pathlib import Path
from scripts.common import paths
from scripts.runtimes import store
paths.CACHE = Path(sys.argv[1])

def make():
    print("making", flush=True)
    time.sleep(float(sys.argv[2]))
    return {"a.bin": b"x" * 1000}

print(store.kept({"what": "test", "network": "n", "machine": "here"}, make).name, flush=True)
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, moved):
    moved(CACHE=tmp_path)
    return tmp_path


def start(cache, seconds):
    command = [sys.executable, "-c", SLOW, str(cache), str(seconds)]
    return subprocess.Popen(command, cwd=paths.ROOT, stdout=subprocess.PIPE, text=True)


def test_another_processor_another_entry():
    assert store.place(KEY) != store.place({**KEY, "machine": "elsewhere"})


def test_an_entry_is_made_once_and_read_again():
    made = []
    for _ in range(2):
        folder = store.kept(KEY, lambda: made.append(1) or {"a.bin": b"abc"})
    assert len(made) == 1 and (folder / "a.bin").read_bytes() == b"abc" and store.read(folder)["key"] == KEY


@pytest.mark.parametrize("harm", ["flip", "cut", "about", "sums", "other"])
def test_a_damaged_entry_is_made_again(harm):
    folder = store.kept(KEY, lambda: {"a.bin": b"abc"})
    if harm == "flip":
        (folder / "a.bin").write_bytes(b"abd")
    elif harm == "cut":
        (folder / "a.bin").write_bytes(b"")
    elif harm == "sums":
        (folder / "SHA256SUMS").write_text("")
    else:
        about = "[1]" if harm == "about" else json.dumps({"key": {"what": "of another network"}})
        (folder / "about.json").write_text(about)
        store.seal(folder, {name: (folder / name).read_bytes() for name in ("a.bin", "about.json")})
    assert store.find(KEY) is None
    assert (store.kept(KEY, lambda: {"a.bin": b"new"}) / "a.bin").read_bytes() == b"new"


def test_two_commands_make_it_once(cache):
    both = [start(cache, 1.0) for _ in range(2)]
    said = [process.communicate()[0] for process in both]
    assert sum("making" in text for text in said) == 1
    assert all(process.returncode == 0 for process in both)


def test_a_killed_command_leaves_nothing_that_is_read_and_holds_nobody_up(cache):
    process = start(cache, 60)
    assert process.stdout.readline().strip() == "making"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    begun = time.monotonic()
    store.kept(KEY, lambda: {"a.bin": b"abc"})
    assert time.monotonic() - begun < 30
    assert [path.name for path in store.place(KEY).parent.iterdir()] == [store.place(KEY).name]


def test_a_full_disk_is_one_line_and_the_old_entry_stands(monkeypatch):
    folder = store.kept(KEY, lambda: {"a.bin": b"abc"})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(paths.os, "fsync", full)
    with pytest.raises(UserError, match="full"):
        store.publish(folder, {"a.bin": b"new"}, {"key": KEY})
    monkeypatch.undo()
    assert (folder / "a.bin").read_bytes() == b"abc" and len(list(folder.parent.iterdir())) == 1


def test_what_cannot_be_made_leaves_no_entry():
    with pytest.raises(ValueError):
        store.kept(KEY, lambda: (_ for _ in ()).throw(ValueError("no")))
    assert store.find(KEY) is None
