"""Public tables beside timm's: one registry, public_tables.json, of where each comes from and what may be done with it.

    python -m scripts.data.public                  # what there is, and what of it is at hand
    TABLES=folder python -m scripts.findings.transfer

Each file is pinned by commit and SHA-256, downloaded once into the ignored cache, and never committed. `TABLES` names
another copy: a folder with a subfolder for each source, or a base URL of the same layout. copy says whether the licence
lets rows be shown; where it is false only what is computed from them is.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.common.errors import UserError, cli
from scripts.common.paths import CACHE
from scripts.common.provenance import sha256
from scripts.data import download
from scripts.data.download import TablesMissing

REGISTRY = Path(__file__).with_name("public_tables.json")
RAW = "https://raw.githubusercontent.com/{repository}/{commit}/{path}"
PAGE = "https://github.com/{repository}/blob/{commit}/{path}"


@dataclass(frozen=True)
class Source:
    """A repository at a commit: its files with their SHA-256, the date of that commit, and what its licence allows."""

    name: str
    repository: str
    commit: str
    date: str
    folder: str
    licence: str
    copy: bool
    holds: str
    cite: str
    files: dict[str, str]

    def path(self, file: str) -> str:
        """Where `file` stands in the repository."""
        return f"{self.folder}/{file}".lstrip("/")

    def address(self, file: str) -> str:
        """The page of `file` at its commit, for people."""
        return PAGE.format(repository=self.repository, commit=self.commit, path=self.path(file))


@functools.lru_cache(maxsize=1)
def sources() -> dict[str, Source]:
    """Every source of the registry, by name."""
    return {name: Source(name, **facts) for name, facts in json.loads(REGISTRY.read_text(encoding="utf-8")).items()}


def source(name: str) -> Source:
    """One source. Raises UserError for a name that is not in the registry."""
    if name not in sources():
        raise UserError(f"{name[:40]!r}: no such source of tables; there are {', '.join(sources())}")
    return sources()[name]


@functools.lru_cache(maxsize=512)
def locate(name: str, file: str) -> Path:
    """The path of a file on this machine, downloaded first where it has to be, its SHA-256 checked.

    Raises TablesMissing where it can't be had, UserError where it is another file than the registry pins.
    """
    one = source(name)
    wanted = one.files.get(file)
    if wanted is None:
        raise UserError(f"{file[:80]!r}: not a file of {name}; there are {', '.join(list(one.files)[:6])}")
    copy = os.environ.get("TABLES", "").strip().rstrip("/")
    if copy and not copy.startswith(("http://", "https://")):
        path = Path(copy).expanduser() / name / file
        if not path.is_file():
            raise TablesMissing(f"{name}/{file}: not in TABLES={copy}; name a folder that has it, or unset TABLES")
    else:
        path = CACHE / "public-tables" / one.commit[:12] / name / file
        if not (path.is_file() and sha256(path) == wanted):
            url = (
                f"{copy}/{name}/{file}"
                if copy
                else RAW.format(repository=one.repository, commit=one.commit, path=one.path(file))
            )
            try:
                download._download(url, path, wanted)
            except TablesMissing:
                raise TablesMissing(
                    f"{name}/{file} can't be reached and is not in the cache; connect once, or set TABLES to a folder "
                    f"with {name}/ in it"
                ) from None
    if sha256(path) != wanted:
        raise UserError(f"{name}/{file}: not the pinned file (another SHA-256); fetch it again, or mend TABLES")
    return path


def record(name: str) -> dict:
    """What a table's sidecar says of a source: repository, commit, date, licence, files, and one digest of them all."""
    one = source(name)
    digest = hashlib.sha256("".join(f"{file} {sha}\n" for file, sha in sorted(one.files.items())).encode()).hexdigest()
    return {
        "source": name,
        "repository": one.repository,
        "commit": one.commit,
        "date": one.date,
        "licence": one.licence,
        "files": len(one.files),
        "sha256": digest,
    }


def credit(name: str) -> str:
    """The line under each chart and table that rests on a source: who, when, under which licence."""
    one = source(name)
    return f"{one.cite} ({one.repository}, {one.date}; licence: {one.licence})"


def at_hand() -> Iterator[tuple[Source, str]]:
    """Each source, and '' where all its files are here, else why not."""
    for one in sources().values():
        try:
            for file in one.files:
                locate(one.name, file)
        except UserError as error:
            yield one, str(error)
        else:
            yield one, ""


@cli
def main(argv: list[str] | None = None) -> None:
    argparse.ArgumentParser(
        prog="python -m scripts.data.public",
        description=__doc__.split("\n\n")[0],
        epilog="example: TABLES=folder python -m scripts.data.public",
    ).parse_args(argv)
    for one, why in at_hand():
        print(f"{one.name}: {one.holds}")
        print(f"    {one.repository} at {one.commit[:12]}, {one.date}; licence: {one.licence}")
        print(f"    {why or f'{len(one.files)} files at hand'}")


if __name__ == "__main__":
    sys.exit(main())
