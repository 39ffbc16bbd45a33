"""The one place that knows where things are, and how to write a file so that nobody ever sees half of it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from scripts.common.errors import disk_error

ROOT = Path(os.environ.get("BEST_IMAGE_MODELS_ROOT") or Path(__file__).resolve().parents[2])

DATA = ROOT / "report" / "data"  # CSVs that scripts write, each with a .json sidecar; committed
IMAGES = ROOT / "images"  # JPG charts and manifest.json; committed
CHARTS = ROOT / "charts"  # each chart's figure JSON and drawn CSV, for the site; ignored
ASSETS = ROOT / "assets"  # what the pages load: styles and scripts of our own
CACHE = Path(
    os.environ.get("BEST_IMAGE_MODELS_CACHE") or ROOT / ".cache"
)  # downloads and journals of runs in progress; ignored
BUILD = ROOT / "build"  # stamps and logs; ignored
SITE = ROOT / "_site"  # the website; ignored


def relative(path: Path | str) -> str:
    """`path` as seen from the project's root, in POSIX form: what goes into sidecars, manifests and pages."""
    path = Path(path).resolve()
    return path.relative_to(ROOT.resolve()).as_posix() if path.is_relative_to(ROOT.resolve()) else path.name


def make_folder(path: Path | str) -> Path:
    """`path` and its parents, made where they are missing. Raises UserError (full disk, no permission, a file in
    the way, …).
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error, path) from None
    return Path(path)


def atomic_write(path: Path | str, content: bytes | str) -> Path:
    """Write `content` to `path` by temporary file, fsync and rename: readers see the old file or the new one, never a
    part.

    Makes the parent folder if its own parent exists. Raises UserError (full disk, no permission, …); the old file then
    stands.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    temporary = None
    try:
        if path.parent.parent.is_dir():
            path.parent.mkdir(exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:80]}.", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise disk_error(error, path) from error
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
    return path


def atomic_csv(frame, path: Path | str) -> Path:
    """Write a data frame as CSV (no index, \\n line ends) by `atomic_write`."""
    return atomic_write(path, frame.to_csv(index=False, lineterminator="\n"))
