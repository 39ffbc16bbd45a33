"""What may leave this machine for a rented one, and what may come back.

Leave: the program, without anything that could be a secret, and a folder of photos of a size its owner expects.

The program is packed from a list of folders; a file goes in only if its kind is known and its name is not on the list
of secrets, and a key inside a file stops everything. A data folder's hidden files, and files by names of secrets that
are no photos, stay here.
"""

from __future__ import annotations

import errno
import fnmatch
import gzip
import hashlib
import io
import os
import re
import shutil
import sys
import tarfile
import zlib
from pathlib import Path

from scripts.common.errors import UserError, disk_error
from scripts.common.paths import ROOT

# Names that never go, wherever they lie (compared in lower case).
SECRETS = (
    *".* *.pem *.key *.p12 *.pfx *.kdbx *.keystore id_rsa* id_ed25519* id_ecdsa* *credential* *secret*".split(),
    *"*password* *passwd* *token* *.env env *.sqlite *.db *history kaggle.json service-account* netrc".split(),
)
# These go whatever they are called: secretary_bird/token_1.jpg
PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
FOLDERS = {
    "train": ("scripts/common", "scripts/runtimes", "scripts/cloud", "scripts/train"),
    "bench": ("scripts/common", "scripts/runtimes", "scripts/data", "scripts/predict", "scripts/bench"),
}
# What names the sets of models.
DATA = {"train": (), "bench": ("report/data/accuracy.csv", "report/data/predict-design.csv")}
KINDS = (".py", ".csv", ".json")
# An AWS access key, a private key, a GitHub, Slack, OpenAI/Anthropic or Hugging Face token: what scanners look for.
KEY = re.compile(
    rb"(?<![A-Z0-9])(AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])|-----BEGIN [A-Z ]*PRIVATE "
    rb"KEY-----|gh[pousr]_[A-Za-z0-9]{36}|xox[abprs]-[A-Za-z0-9-]{10,}"
    rb"|sk-[A-Za-z0-9_-]{32,}|hf_[A-Za-z0-9]{30,}"
)
# The image has torch, torchvision and numpy; these come on top, in the locked versions.
PACKAGES = {
    "train": ("timm", "pandas", "scikit-learn", "pillow", "filelock", "psutil", "rich", "safetensors"),
    "bench": ("timm", "pandas", "filelock", "psutil", "rich", "nvidia-ml-py"),
}
REQUIREMENTS = "requirements.txt"

# What may come back: tables and networks of ours, by their names; no paths, no links, nothing that runs.
# bench.sweep.file_name
TABLE = re.compile(
    r"(zoo|mistakes|(benchmark|batch\d+|curve|repeat)((size)?\d+px)?(graph)?)-[\w.+-]{1,150}\.(csv|json)"
)
NETWORK = re.compile(r"([\w-][\w.-]{0,99})/(model\.safetensors|config\.json|SHA256SUMS)")
MAX_BYTES = 20 * 2**30  # unpacked
MAX_RATIO, SMALL = 100, 2**26  # unpacked bytes a packed one, and how many are always read; ours have at most 20
MAX_NOTES = 2**20  # bytes of an archive's notes on one file, such as a long name
NOTES = {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}


def is_secret(path: Path | str) -> bool:
    """Whether any part of the relative `path` is on the list of names that never leave."""
    return any(fnmatch.fnmatchcase(part.lower(), pattern) for part in Path(path).parts for pattern in SECRETS)


def source_files(kind: str, root: Path = ROOT) -> list[str]:
    """The program's files for a job of `kind`, relative to `root`, in order."""
    found = []
    for folder in FOLDERS[kind]:
        for here, folders, names in os.walk(root / folder):
            folders[:] = sorted(name for name in folders if name != "__pycache__" and not is_secret(name))
            found += [
                (Path(here) / name).relative_to(root).as_posix()
                for name in names
                if name.endswith(KINDS) and not is_secret(name) and not (Path(here) / name).is_symlink()
            ]
    return ["scripts/__init__.py", *sorted(found), *(name for name in DATA[kind] if (root / name).exists())]


def pack(kind: str, target: Path, root: Path = ROOT) -> list[str]:
    """Write the program as a .tar.gz, the same bytes for the same files. Returns its files. Raises UserError where
    one holds a key.
    """
    names = source_files(kind, root)
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        open(target, "wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for name, content in [
            *((name, (root / name).read_bytes()) for name in names),
            (REQUIREMENTS, requirements(kind, root).encode()),
        ]:
            if KEY.search(content):
                raise UserError(
                    f"{name}: holds what looks like a key or token, so nothing was uploaded; take it out of the file "
                    "first"
                )
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return [*names, REQUIREMENTS]


def requirements(kind: str, root: Path = ROOT) -> str:
    """The packages that the image lacks, pinned as here; where the lock has one version per Python, the newest
    Python's, as in the image.
    """
    # The lock lists a package's variants from old to new, so that the last one stays.
    pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (root / "requirements.lock").read_text(encoding="utf-8"), re.M))
    return "".join(f"{name}=={pins[name]}\n" for name in PACKAGES[kind] if name in pins)


def data_files(folder: Path, max_gb: float) -> list[tuple[str, int]]:
    """(name relative to `folder`, bytes) of what goes up; says what stays: hidden files, and those by names of secrets
    that are no photos.

    Raises UserError for an empty folder, one larger than `max_gb` (10⁹ bytes), or a link in it: a training here would
    follow that.
    """
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such folder; name one with a folder per class, or leave --data away for a small sample"
        )
    found, staying, total = [], [], 0
    for here, folders, names in os.walk(folder):
        for name in sorted([*folders, *names]):
            path = Path(here) / name
            inside = path.relative_to(folder).as_posix()
            if name.startswith(".") or (name in names and is_secret(inside) and path.suffix.lower() not in PHOTOS):
                staying.append(inside)
            elif path.is_symlink():
                raise UserError(
                    f"{folder}: {inside} is a link, and what it points to is not uploaded; make a copy without links "
                    "(cp -rL) and name that"
                )
            elif path.is_file():
                found.append((inside, path.stat().st_size))
                total += found[-1][1]
                if total > max_gb * 1e9:
                    raise UserError(
                        f"{folder}: more than {max_gb:g} GB; name a smaller folder, or allow it with --max_gb"
                    )
        folders[:] = sorted(name for name in folders if not name.startswith("."))
    if not found:
        raise UserError(f"{folder}: no files in it to train on; name a folder with a folder per class")
    if staying:
        print(
            f"{folder.name}: {len(staying)} stay here, hidden or by a secret's name: "
            f"{', '.join(staying[:5])}{' …' * (len(staying) > 5)}",
            file=sys.stderr,
        )
    return found


def fingerprint(folder: Path, files: list[tuple[str, int]]) -> str:
    """12 hexadecimal digits of the files' names, sizes and times: the same folder is uploaded once."""
    lines = [f"{name} {size} {(folder / name).stat().st_mtime_ns}" for name, size in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


class _Member(tarfile.TarInfo):
    """A file of an archive, whose notes are read only where they are short: tarfile takes them whole into memory."""

    @classmethod
    def frombuf(cls, buf, encoding, errors):
        found = super().frombuf(buf, encoding, errors)
        if found.type in NOTES and found.size > MAX_NOTES:
            raise UserError(f"an archive with {found.size:,} bytes of notes on one file; nothing more of it was read")
        return found


def unpack(archive: Path, folder: Path) -> list[str]:
    """Unpack the files of a .tar.gz that `TABLE` or `NETWORK` admits. Returns the names left out. Raises UserError
    for a damaged archive, one that swells, and a full disk.
    """
    refused, size, read = [], 0, 0
    try:
        most = min(MAX_BYTES, MAX_RATIO * archive.stat().st_size + SMALL)
        with gzip.open(archive) as packed:  # to its end, where the checksum stands: tarfile stops before it
            while part := len(packed.read(1 << 20)):
                read += part
                if read > most:
                    raise UserError(f"{archive.name}: swells to more than {most / 2**20:,.0f} MB; none of it was used")
        with tarfile.open(archive, tarinfo=_Member) as found:
            for member in found:
                name = member.name.removeprefix("./")
                if member.isdir():
                    continue
                size += member.size
                ours = TABLE.fullmatch(name) or NETWORK.fullmatch(name)
                if not member.isfile() or member.issparse() or not ours or size > most:
                    refused.append(name[:80])
                    continue
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with found.extractfile(member) as source, open(target, "wb") as file:
                    shutil.copyfileobj(source, file)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise disk_error(error, folder) from None
        raise UserError(
            f"{archive.name}: cannot be unpacked ({str(error)[:80]}); fetch it again with --attach"
        ) from None
    return refused
