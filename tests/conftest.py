"""Shared by all tests: the real tables and photos where they are at hand, and a project folder of one's own to
spoil.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.common import paths
from scripts.data import download

SHARED = paths.ROOT.parent / "shared"


@pytest.fixture(scope="session")
def timm_tables() -> Path:
    """The folder of timm's real tables, two vintages; the test is skipped where they are not at hand."""
    for candidate in (os.environ.get("TIMM_RESULTS", ""), SHARED / "timm-results", paths.CACHE / "timm-results"):
        if candidate and all((Path(candidate) / vintage).is_dir() for vintage in download.VINTAGES):
            return Path(candidate)
    pytest.skip("timm's tables are not at hand; `make data` fetches them")


@pytest.fixture(scope="session")
def photos() -> Path:
    """The folder of real cat and dog photos; the test is skipped where they are not at hand."""
    if not (SHARED / "cats-and-dogs" / "training_set").is_dir():
        pytest.skip("the cat and dog photos are not at hand")
    return SHARED / "cats-and-dogs"


@contextlib.contextmanager
def tmpfs(folder: Path, size: str):
    """A file system of its own at `folder`. Needs root on Linux; skipped elsewhere."""
    folder.mkdir()
    if not (hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("mount")):
        pytest.skip("a small tmpfs needs root")
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True
    ).returncode:
        pytest.skip("tmpfs cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path):
    """A full disk: a 256 kB tmpfs with 4 kB left."""
    with tmpfs(tmp_path / "small-disk", "256k") as folder:
        (folder / "filler").write_bytes(b"x" * 252 * 1024)
        yield folder


@pytest.fixture
def other_disk(tmp_path):
    """Another file system: an empty tmpfs of 64 MB."""
    with tmpfs(tmp_path / "other-disk", "64m") as folder:
        yield folder
