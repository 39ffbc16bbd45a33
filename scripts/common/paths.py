"""The one place that knows where things are, how to write so that nobody ever sees half of it, and how to read what
others wrote.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import glob
import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.common.errors import UserError, disk_error

ROOT = Path(os.environ.get("BEST_IMAGE_MODELS_ROOT") or Path(__file__).resolve().parents[2])

DATA = ROOT / "report" / "data"  # CSVs that scripts write, each with a .json sidecar; committed
IMAGES = ROOT / "images"  # JPG charts and manifest.json; committed
CHARTS = ROOT / "charts"  # each chart's figure JSON and drawn CSV, for the site; ignored
ASSETS = ROOT / "assets"  # what the pages load: styles and scripts of our own
CACHE = Path(os.environ.get("BEST_IMAGE_MODELS_CACHE") or ROOT / ".cache")  # downloads, journals of runs; ignored
BUILD = ROOT / "build"  # stamps and logs; ignored
SITE = ROOT / "_site"  # the website; ignored


def relative(path: Path | str) -> str:
    """`path` as seen from the project's root, in POSIX form: what goes into sidecars, manifests and pages."""
    path = Path(path).resolve()
    return path.relative_to(ROOT.resolve()).as_posix() if path.is_relative_to(ROOT.resolve()) else path.name


def local(text: str) -> Path:
    """The path that a user typed. Raises UserError for an address, of which Path makes a folder called https:."""
    if found := re.match(r"([a-z][a-z0-9+.-]+)://", text, re.IGNORECASE):
        here = found[1].lower() in ("file", "sqlite")
        what = "write its path alone" if here else "download it and name its place here"
        raise UserError(f"{text[:200]}: an address where a file or folder is meant; {what}")
    return Path(text)


def no_address(path: Path | str) -> None:
    """Raise UserError for a place to write to that was an address: s3://bucket/x would be a folder called s3:."""
    first = Path(path).parts[:1]
    if first and re.fullmatch(r"[a-z][a-z0-9+.-]+:", first[0], re.IGNORECASE):
        raise UserError(f"{path}: an address where a folder of this machine is meant; name one, and upload it yourself")


def make_folder(path: Path | str) -> Path:
    """`path` and its parents, made where they are missing. Raises UserError (full disk, a file in the way, …)."""
    no_address(path)
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error, path) from None
    return Path(path)


def atomic_write(path: Path | str, content: bytes | str) -> Path:
    """Write `content` to `path` by temporary file, fsync and rename: readers see the old file or the new one, never a
    part.

    Makes the parent folder if its own parent exists. Raises UserError (full disk, no permission, …); the old file
    then stands.
    """
    write_together({Path(path): content})
    return Path(path)


def write_together(files: Mapping[Path, bytes | str]) -> None:
    """Write several files as `atomic_write` does one: all are on the disk before the first takes its place, in the
    order given. Put last the one that tells whether they belong together (a checksum): after a kill between two
    renames it is the old one. Raises UserError; the old files then stand.
    """
    waiting: list[tuple[str, Path]] = []
    path = Path()
    try:
        for path, content in files.items():
            no_address(path)
            if path.parent.parent.is_dir():
                path.parent.mkdir(exist_ok=True)
            # the process in its name lets the next one tell (`_tidy`) whether somebody still writes it
            handle, temporary = tempfile.mkstemp(f".{os.getpid()}.tmp", f".{path.name[:80]}.", path.parent)
            waiting.append((temporary, path))
            with os.fdopen(handle, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)  # mkstemp lets nobody else read it
            if path.is_dir():  # seen before the first rename, not after it
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        while waiting:
            path = waiting[0][1]
            os.replace(*waiting[0])
            waiting.pop(0)
            _tidy(path)
    except OSError as error:
        raise disk_error(error, path) from error
    finally:
        for temporary, _ in waiting:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _tidy(path: Path) -> None:
    """Remove what processes that are gone left of `path` when they were killed."""
    for left in path.parent.glob(f".{glob.escape(path.name[:80])}.*.tmp"):
        try:
            os.kill(int(left.name.split(".")[-2]), 0)
        except (ProcessLookupError, OverflowError):
            left.unlink(missing_ok=True)
        except (ValueError, OSError):  # of another kind, or another user's
            continue


def csv_text(frame) -> str:
    """A data frame as the CSV that is written everywhere: no index, \\n line ends."""
    return frame.to_csv(index=False, lineterminator="\n")


def atomic_csv(frame, path: Path | str) -> Path:
    """Write a data frame as CSV by `atomic_write`."""
    return atomic_write(path, csv_text(frame))


def sweep(folder: Path, name: str = "") -> None:
    """Remove what killed runs left half-written in `folder` (of the file or folder `name`, or all). The caller holds
    the lock: nobody else is writing.
    """
    for path in folder.glob(f".{glob.escape(name)}.*.tmp" if name else ".*.tmp"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: Path | str, wait: float = 0) -> Iterator[None]:
    """Hold the lock of `path`, a file or folder that one process at a time writes; what this thread holds already it
    may hold again. The lock ends with the process, however that ends. Raises UserError where another still holds it
    after `wait` seconds.
    """
    from filelock import FileLock, Timeout  # the comment on a pull request is made without any package

    no_address(path)
    path = Path(path).resolve()
    name = f"{path.name[:60]}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}.lock"
    lock = FileLock(make_folder(CACHE / "locks") / name, is_singleton=True)
    try:
        try:
            lock.acquire(timeout=0)  # at once, or say what is waited for
        except Timeout:
            if wait:
                print(f"{relative(path)}: another run is writing it; waiting for that one", file=sys.stderr, flush=True)
            lock.acquire(timeout=wait)
    except Timeout:
        raise UserError(
            f"{relative(path)}: another run is writing it; wait for that one to end, or name another place with --out"
        ) from None
    except OSError as error:
        raise disk_error(error, CACHE / "locks") from None
    try:
        yield
    finally:
        lock.release()


def publish(new: Path, out: Path) -> None:
    """Put the folder `new` in the place of the folder `out`, on whatever file system that is: readers see the old one
    or the new one, whole. What then is at `new` is the caller's to remove. Raises OSError; `out` then is as it was.
    """
    try:
        _exchange(new, out)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent))
        try:
            for path in sorted(new.rglob("*")):  # shutil.copytree goes on when the disk is full, and lists each file
                place = copy / path.relative_to(new)
                place.mkdir() if path.is_dir() else shutil.copyfile(path, place)
            copy.chmod(stat.S_IMODE(new.stat().st_mode))
            _exchange(copy, out)
        finally:
            shutil.rmtree(copy, ignore_errors=True)


def _exchange(new: Path, out: Path) -> None:
    """`publish` within one file system; OSError with EXDEV where they are two."""
    if not out.exists():
        new.rename(out)
        return
    try:  # Linux exchanges two names in one step: renameat2(AT_FDCWD, …, RENAME_EXCHANGE)
        library = ctypes.CDLL(None, use_errno=True)
        if library.renameat2(-100, os.fsencode(new), -100, os.fsencode(out), 2) == 0:
            return
        if ctypes.get_errno() == errno.EXDEV:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(out))
    except AttributeError:
        pass
    old = set_aside(out)
    shutil.rmtree(old, ignore_errors=True)
    out.rename(old)
    try:
        new.rename(out)
    except OSError:
        old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def set_aside(out: Path) -> Path:
    """Where the old folder lies for a moment, on systems that can't exchange two names in one step."""
    return out.with_name(f".{out.name}.old.tmp")


def bring_back(out: Path) -> None:
    """Undo what a killed `publish` left: the old folder comes back if there is no new one. The caller has the lock."""
    if set_aside(out).is_dir() and not out.exists():
        set_aside(out).rename(out)
    sweep(out.parent, out.name)


def check_place(out: Path) -> None:
    """Raise UserError where `publish` could not put a folder at `out`, before hours are spent on making it."""
    if os.path.ismount(out):
        raise UserError(f"{out}: a file system is mounted right there; name a folder inside it")
    try:
        make_folder(out.parent)
        os.rmdir(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent))
    except OSError as error:
        raise disk_error(error, out) from None


class TooLarge(UserError):
    """A file of more bytes than its kind has."""


def read_file(path: Path | str, limit: float, links: bool = False) -> bytes:
    """The bytes of a regular file of at most `limit` bytes. A pipe doesn't hang it, a device doesn't fill the memory.

    links: a link to a file will do (one's own data; not what strangers hand in). Raises UserError for anything that is
    no file or larger, OSError where it can't be opened.
    """
    path = Path(path)
    # without O_NONBLOCK the opening of a pipe waits for whoever writes into it
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | (0 if links else getattr(os, "O_NOFOLLOW", 0))
    try:
        handle = os.open(path, flags)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK) and path.is_symlink():
            raise UserError(f"{path.name}: a link where a file should be; put the file itself there") from None
        if error.errno == errno.ENXIO:  # a socket
            raise UserError(f"{path.name}: no regular file; put a file there") from None
        raise
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(found.st_mode):
            raise UserError(f"{path.name}: a pipe or device where a file should be; put a file there")
        content = file.read() if found.st_size <= limit else b""
        if (size := max(found.st_size, len(content))) > limit:
            raise TooLarge(f"{path.name}: {size / 2**20:,.3g} MB, and at most {limit / 2**20:,.3g} are read")
        return content
