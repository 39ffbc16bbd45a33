"""The two sides of a comparison: a git revision, the working tree, or a folder, each as a folder with images/ and
report/data/.

    with side("HEAD~3") as base, side() as head: ...
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.common import git as repository
from scripts.common.errors import UserError
from scripts.common.paths import CHARTS, DATA, IMAGES, ROOT, read_file
from scripts.common.provenance import sha256
from scripts.figures.export import MANIFEST, SCHEMA

PARTS = tuple(path.relative_to(ROOT).as_posix() for path in (IMAGES, DATA))  # images, report/data
UNSEEN = re.compile(r"\..*\.tmp|\.DS_Store|\.ipynb_checkpoints")  # other hidden files are looked at
MAX_FILE = 64 * 2**20  # bytes; our largest table has a hundredth of it


@dataclass
class Side:
    """files: path as in the project (images/x.jpg, report/data/y.csv) -> where it lies. charts: the manifest's
    entries by name; None without one.
    """

    label: str
    files: dict[str, Path]
    charts: dict[str, dict] | None = None
    revision: str = ""


def git(*arguments: str, check: bool = True) -> bytes:
    """What git says; b'' where it fails and `check` is off. Raises UserError where there is no git."""
    try:
        done = repository.run(*arguments)
    except FileNotFoundError:
        raise UserError("git: not installed; install it, or compare with a folder (--base DIR)") from None
    except subprocess.TimeoutExpired:
        raise UserError(
            f"git {arguments[0]}: no answer in 120 s; look at what holds the repository, and try again"
        ) from None
    if done.returncode and check:
        said = done.stderr.decode(errors="replace").strip().split("\n")[-1]
        raise UserError(f"git {arguments[0]}: {said[:200]}")
    return b"" if done.returncode else done.stdout


def _needed() -> None:
    if repository.why_not():
        raise UserError(f"{repository.trouble()}; or compare with a folder (--base DIR)")


def default_base() -> str:
    """The merge base of HEAD with main (origin's, else the local one); HEAD itself where that is main's head."""
    _needed()
    for main in ("origin/main", "main", "origin/master", "master"):
        if git("rev-parse", "--verify", "--quiet", f"{main}^{{commit}}", check=False):
            base = git("merge-base", "HEAD", main, check=False).decode().strip()
            if base:
                return base
            raise UserError(f"HEAD and {main} have no common commit here{_shallow()}; or name one with --base REV")
    raise UserError(f"there is no branch main to compare with{_shallow()}; or name a revision with --base REV")


def _shallow() -> str:
    if git("rev-parse", "--is-shallow-repository", check=False).strip() != b"true":
        return "; fetch it"
    return ": this clone is shallow, run `git fetch --unshallow` (in a workflow: fetch-depth: 0)"


@contextlib.contextmanager
def side(what: str = "") -> Iterator[Side]:
    """The side that `what` names: '' the working tree, a folder, or a git revision (its files are laid out in a
    temporary folder).

    Raises UserError: no such revision or folder, a shallow clone, a damaged manifest or one from a newer version.
    """
    if not what:
        yield of_folder(ROOT, "working tree")
    elif Path(what).is_dir():
        yield of_folder(Path(what), Path(what).name or what)
    else:
        _needed()
        asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{what}^{{commit}}")
        commit = git(*asked, check=False).decode().strip()
        if not commit:
            raise UserError(
                f"{what}: neither a folder nor a revision of this repository{_shallow()}, or check the name with "
                "`git log`"
            )
        with tempfile.TemporaryDirectory(prefix="figure-diff-") as folder:
            _lay_out(commit, Path(folder))
            named = "" if commit.startswith(what) else f"{what} "
            yield of_folder(Path(folder), f"{named}{commit[:10]}", commit)


def _lay_out(commit: str, folder: Path) -> None:
    """Write the files of `commit` under PARTS into `folder`."""
    there = [part for part in PARTS if git("ls-tree", "-d", commit, "--", part)]
    if not there:
        return
    archive = git("archive", "--format=tar", commit, "--", *there)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            if member.isfile() and member.size <= MAX_FILE:  # links and giants stay out: they are reported as not there
                target = folder / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(tar.extractfile(member).read())


def of_folder(folder: Path, label: str, revision: str = "") -> Side:
    """A folder as a side: one that holds images/ and report/data/, or a bare folder of pictures with its manifest."""
    bare = not any((folder / part).is_dir() for part in PARTS) and (folder / MANIFEST).is_file()
    parts = {PARTS[0]: folder} if bare else {part: folder / part for part in PARTS}
    files = {}
    for part, place in parts.items():
        for path in sorted(place.rglob("*")):
            inside = path.relative_to(place)
            passed_over = UNSEEN.fullmatch(inside.parts[0]) or UNSEEN.fullmatch(path.name)
            drawn_from = bare and inside.parts[0] == CHARTS.name  # a folder of pictures has the figures in it
            if path.is_file() and not path.is_symlink() and not passed_over and not drawn_from:
                files[f"{part}/{inside.as_posix()}"] = path
    if not files and not revision and label != "working tree":
        raise UserError(
            f"{folder}: neither {PARTS[0]}/ nor {PARTS[1]}/ nor {MANIFEST} in it; name the folder above them"
        )
    return Side(label, files, manifest(files.get(f"{PARTS[0]}/{MANIFEST}"), label), revision)


def manifest(path: Path | None, label: str) -> dict[str, dict] | None:
    """The entries of a manifest; None where there is none. Raises UserError where it is damaged or from a newer
    version.
    """
    if path is None:
        return None
    try:
        content = json.loads(read_file(path, MAX_FILE))
        schema, charts = content["schema"], content["charts"]
        known = isinstance(schema, int) and schema >= 1 and isinstance(charts, dict)
        bad = [name for name, entry in charts.items() if not _whole(entry)] if known and schema <= SCHEMA else []
    except (ValueError, TypeError, KeyError, RecursionError, OSError):
        known = False
    if not known:
        raise UserError(
            f"{MANIFEST} of {label}: not a readable manifest; restore it with git, or draw again with `make figures`"
        )
    if schema > SCHEMA:
        raise UserError(f"{MANIFEST} of {label}: schema {schema}, this version knows {SCHEMA}; update the project")
    if bad:
        raise UserError(
            f"{MANIFEST} of {label}: the entry of {bad[0][:80]!r} is damaged; draw it again with `make figures`"
        )
    return charts


def _whole(entry) -> bool:
    """Whether a manifest's entry has what the comparison reads."""
    try:
        texts = [entry["figure_sha256"], entry["jpg"]["sha256"]]
        texts += [source[key] for source in entry["sources"] for key in ("path", "sha256")]
        return isinstance(entry.get("renderer", {}), dict) and all(isinstance(text, str) for text in texts)
    except (KeyError, TypeError):
        return False


def digest(path: Path) -> str:
    """SHA-256 of a file. Raises UserError where it cannot be read."""
    try:
        return sha256(path)
    except OSError as error:
        raise UserError(f"{path.name}: cannot be read ({error.strerror}); check its permissions") from None
