"""Where a result comes from: the sidecar beside each measured CSV. Captions and footers are written from it.

`<name>.csv` has `<name>.json`: command, git commit, whether the tree was dirty, date, hardware as measured, versions,
fingerprints of the scripts that ran, and what the script adds (dataset and its checksum, seed, settings).
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from scripts.common import code, git, hardware, words
from scripts.common.errors import UserError
from scripts.common.files import content, sha256
from scripts.common.paths import atomic_write, csv_text, read_file, relative, write_together

SCHEMA = 1
BY_HAND = ("accuracy.csv",)  # tables without a sidecar: each row names its source
MAX_BYTES = 2**20  # of a sidecar; our largest has 2 kB
TIMM = "timm-results/"  # how the path of one of timm's tables begins
CARRIED = "sources"  # where a data frame keeps what it was read from (`DataFrame.attrs`)


@dataclass(frozen=True)
class Source:
    """A table that a result is made from, as its reader found it.

    path: in the project, or timm-results/<vintage>/<file>; date: the day (UTC) on which the file last changed upstream,
    or was measured, '' where that is not known; setting: how its speeds were measured, '' for accuracies.
    """

    path: str
    sha256: str
    date: str = ""
    licence: str = ""
    setting: str = ""
    url: str = ""

    def __deepcopy__(self, memo) -> Source:
        """Itself: pandas copies what a frame carries at every step."""
        return self

    def facts(self) -> dict[str, str]:
        """For the manifest and sidecars: what is known of it."""
        return {name: value for name, value in asdict(self).items() if value}


def carry(frame, *found: Source) -> None:
    """From now on `frame` says that it was read from `found`."""
    frame.attrs[CARRIED] = found


def sources(*frames) -> tuple[Source, ...]:
    """What `frames` were read from, as far as they know, each table once."""
    return tuple(dict.fromkeys(one for frame in frames for one in frame.attrs.get(CARRIED, ())))


def published(found: Iterable[Source], write: Callable[[str], str] = words.day) -> str:
    """How old timm's tables among them are: speeds of 6 January 2026 and accuracies of 30 October 2025; '' for none."""
    theirs = [one for one in found if one.path.startswith(TIMM)]
    days = {"speeds": [one.date for one in theirs if one.setting]}
    days["accuracies"] = [one.date for one in theirs if not one.setting]
    said = {kind: words.span(some, write) for kind, some in days.items() if some}
    said = {kind: f", {when}" if when == words.UNKNOWN else f" of {when}" for kind, when in said.items()}
    if len(said) == 2 and said["speeds"] == said["accuracies"]:
        return f"speeds and accuracies{said['speeds']}"
    return " and ".join(f"{kind}{when}" for kind, when in said.items())


def origin(found: Iterable[Source], ours: str = "") -> dict:
    """For the sidecar of a table computed from others: in words, and one by one. ours: which of the project's own."""
    found = list(found)
    theirs = published(found)
    words = [f"timm's published {theirs}"] * bool(theirs) + [ours] * bool(ours)
    return {"source": "; ".join(words), "sources": [one.facts() for one in found]}


def made_from(facts: dict) -> tuple[Source, ...]:
    """The tables that a sidecar's result was computed from, as far as it says so."""
    fields, told = Source.__dataclass_fields__, facts.get("sources")
    listed = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    known = [{name: str(one[name]) for name in fields if name in one} for one in listed]
    return tuple(Source(**one) for one in known if {"path", "sha256"} <= set(one))


def now() -> str:
    """The present in UTC, to the second: 2026-11-21T06:30:00Z."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def git_commit() -> tuple[str, bool | None]:
    """(commit, dirty): the checkout's commit; dirty where tracked code differs (results under report/data and images
    apart). ('', None) where git tells neither: `git.why_not` says why.
    """
    if git.why_not():
        return "", None
    changes = git.says("status", "--porcelain", "--untracked-files=no", "--", ".", ":!report/data", ":!images")
    return git.says("rev-parse", "--verify", "--quiet", "HEAD").strip(), bool(changes)


def versions(*packages: str) -> dict[str, str]:
    """Installed versions of `packages`, those that are there, and Python's."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            pass
    return found


def sidecar(device: str = "cpu", packages: tuple[str, ...] = ("torch", "timm"), uuid: str = "", **extra) -> dict:
    """What is known about a result made now on `device` (uuid: which card that is, see `hardware.describe`); `extra`
    adds the script's own facts (dataset, seed, settings)."""
    commit, dirty = git_commit()
    command = sys.orig_argv[1:] if hasattr(sys, "orig_argv") else sys.argv  # as typed: sys.argv has lost the -m
    return {
        "schema": SCHEMA,
        "command": shlex.join(["python", *map(_public, command)]),
        "commit": commit,
        "dirty": dirty,
        **({"repository": git.why_not() or "no commit yet"} if not commit else {}),
        "date": now(),
        "hardware": hardware.describe(device, uuid),
        "versions": versions(*packages),
        "code": code.running(),
        **extra,
    }


def _public(argument: str) -> str:
    """An argument without this machine's folders, `--data=/home/jane/photos` too: relative, or the bare name."""
    name, equals, value = (
        argument.partition("=") if argument.startswith("-") or not _outside(argument) else ("", "", argument)
    )
    return f"{name}{equals}{relative(os.path.expanduser(value))}" if _outside(value) else argument


def _outside(path: str) -> bool:
    """Whether a path may lead out of the project."""
    return path.startswith(("/", "~")) or ".." in Path(path).parts


def sidecar_path(csv_path: Path | str) -> Path:
    return Path(csv_path).with_suffix(".json")


def write_sidecar(csv_path: Path | str, facts: dict) -> Path:
    """Write `facts` beside `csv_path`, with the CSV's SHA-256 where it is there."""
    csv_path = Path(csv_path)
    facts = {**facts, **({"sha256": sha256(csv_path)} if csv_path.exists() else {})}
    return atomic_write(sidecar_path(csv_path), _text(facts))


def _text(facts: dict) -> str:
    return json.dumps(facts, indent=2, ensure_ascii=False) + "\n"


def write_pair(frame, csv_path: Path | str, facts: dict) -> Path:
    """Write a table and its sidecar as one: where a full disk or a kill ends it, both are the old ones, or the
    sidecar's checksum says that they are no pair.
    """
    csv_path = Path(csv_path)
    table = (frame if isinstance(frame, str) else csv_text(frame)).encode()
    facts = {**facts, "sha256": hashlib.sha256(table).hexdigest()}
    write_together({csv_path: table, sidecar_path(csv_path): _text(facts)})  # the one with the checksum last
    return csv_path


def write_derived(frame, csv_path: Path | str, facts: dict) -> bool:
    """Write a table computed from others, and its sidecar, unless the same table stands there already with the sidecar
    that was written with it: its date is then still true, and the sidecar only learns that today's scripts give it
    too, and from what.

    Returns whether it was written.
    """
    csv_path, table = Path(csv_path), csv_text(frame)
    try:
        known = read_sidecar(csv_path)
        same = content(csv_path) == table.encode() and known.get("sha256") == sha256(csv_path)
    except (UserError, OSError):  # missing, damaged or of another version: made anew
        same = False
    if same:
        now_known = {name: facts[name] for name in ("code", "source", "sources") if name in facts}
        if known != known | now_known:
            write_sidecar(csv_path, known | now_known)
        return False
    write_pair(table, csv_path, facts)
    return True


def read_sidecar(csv_path: Path | str) -> dict:
    """The sidecar of `csv_path`. Raises UserError where it is missing, damaged or from a newer version."""
    path = sidecar_path(csv_path)
    try:
        facts = json.loads(read_file(path, MAX_BYTES, links=True))
    except FileNotFoundError:
        raise UserError(
            f"{path.name}: the sidecar of {Path(csv_path).name} is missing; run the command that makes the CSV again"
        ) from None
    except (ValueError, OSError, RecursionError) as error:
        raise UserError(
            f"{path.name}: not a readable sidecar ({str(error)[:80]}); run the command that makes the CSV again"
        ) from None
    if not isinstance(facts, dict) or not isinstance(facts.get("hardware"), dict):
        raise UserError(f"{path.name}: no 'hardware' in it; run the command that makes the CSV again")
    if type(facts.get("schema")) is not int or not 1 <= facts["schema"] <= SCHEMA:
        raise UserError(f"{path.name}: schema {facts.get('schema')!r}, this version knows {SCHEMA}; update the project")
    return facts


def source(path: Path | str, url: str = "") -> dict:
    """A table that a chart was drawn from: its path (or name, outside the project), SHA-256, and address."""
    return {"path": relative(path), "sha256": sha256(path), **({"url": url} if url else {})}
