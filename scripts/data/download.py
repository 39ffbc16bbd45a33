"""Fetch timm's published tables: two pinned commits, every file checked against its SHA-256, kept in an ignored cache.

    from scripts.data.download import VINTAGES, table
    table(list(VINTAGES)[-1], "results-imagenet.csv")      # its path on this machine, and where it comes from

vintages.json has what is pinned: for each vintage a commit, and for each file of it the day on which it last changed
upstream, and its SHA-256. A vintage is called by its commit's day, which is no file's date: most are older.

`TIMM_RESULTS` names another copy: a folder with one subfolder per vintage, or a base URL of the same layout. Such a
copy may be newer than what is pinned here, so a differing checksum is a notice, and what is in the file is judged when
it is read.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import socket
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from scripts.common import hardware, net
from scripts.common.errors import UserError, disk_error
from scripts.common.files import sha256
from scripts.common.paths import CACHE, atomic_write, make_folder
from scripts.common.provenance import TIMM, Source
from scripts.common.temporary import temporary_folder

REMOTE = "https://raw.githubusercontent.com/{repository}/{commit}/results/{file}"
ADDRESS = "https://github.com/{repository}/blob/{commit}/results/{file}"
PINNED = Path(__file__).with_name("vintages.json")
# seconds until a connection stands, between two packets, for a file (at most 0.2 MB)
CONNECT_S, READ_S, WHOLE_S = 4, 10, 40

_unreachable: set[str] = set()  # hosts that did not answer in this process: asked once, not once per file
_noticed: set[str] = set()


class TablesMissing(UserError):
    """timm's tables are not at hand: no copy named, none in the cache, and no way to download them."""


@dataclass(frozen=True)
class Table:
    """One of timm's tables on this machine: where it comes from, and its path."""

    source: Source
    path: Path


@functools.lru_cache(maxsize=1)
def pinned() -> dict:
    """vintages.json: repository, licence, and for each vintage its commit and {file: {date, sha256}}."""
    return json.loads(PINNED.read_text(encoding="utf-8"))


# vintage -> commit: what the original analysis was drawn from, and the newest
VINTAGES: dict[str, str] = {vintage: one["commit"] for vintage, one in pinned()["vintages"].items()}


def registry() -> dict[str, str]:
    """{'vintage/file': SHA-256} of every table at the pinned commits."""
    return {
        f"{vintage}/{file}": facts["sha256"]
        for vintage, one in pinned()["vintages"].items()
        for file, facts in one["files"].items()
    }


def table(vintage: str, file: str) -> Table:
    """One of timm's tables with what is known of it. Its date is '' where it is not the pinned file (see TIMM_RESULTS).
    Raises as `locate` does.
    """
    path = locate(vintage, file)
    digest = sha256(path)
    facts = pinned()["vintages"][vintage]["files"].get(path.name, {})
    same = facts.get("sha256") == digest
    source = Source(
        path=f"{TIMM}{vintage}/{path.name}",
        sha256=digest,
        date=facts["date"] if same else "",
        licence=pinned()["licence"],
        setting=hardware.setting(path.name) if path.name.startswith("benchmark-") else "",
        url=_web(ADDRESS, vintage, path.name) if same else "",
    )
    return Table(source, path)


def named_copy() -> str:
    """What TIMM_RESULTS says: a folder, a base URL, or ''."""
    return os.environ.get("TIMM_RESULTS", "").strip().rstrip("/")


def files(vintage: str) -> list[str]:
    """Names of the tables of one vintage: those in the named folder, else those pinned here. Raises UserError for
    an unknown vintage.
    """
    copy = named_copy()
    if copy and not _is_url(copy):
        folder = _folder(copy, vintage)
        return sorted(path.name for path in folder.glob("*.csv"))
    known(vintage)
    return sorted(name.split("/")[1] for name in registry() if name.startswith(f"{vintage}/"))


def known(vintage: str) -> str:
    """`vintage` if it is one of the two. Raises UserError otherwise."""
    if vintage not in VINTAGES:
        raise UserError(f"vintage {str(vintage)[:40]!r}: no such one; choose {' or '.join(VINTAGES)}")
    return vintage


def locate(vintage: str, file: str) -> Path:
    """The path of a table on this machine, downloaded first where it has to be.

    Raises TablesMissing where it can't be had (no network and no cache), UserError where what came is not the file.
    """
    known(vintage)
    copy = named_copy()
    wanted = registry().get(f"{vintage}/{file}")
    if copy and not _is_url(copy):
        path = _folder(copy, vintage) / Path(file).name
        if not path.is_file():
            raise UserError(
                f"{file}: not in TIMM_RESULTS for {vintage}; it has {', '.join(files(vintage)) or 'no CSV'}"[:600]
            )
        _notice(path, wanted)
        return path
    if wanted is None:
        raise UserError(
            f"{file[:100]!r} is not one of timm's tables of {vintage}; `python -m scripts.data.read_data --list` "
            "names them"
        )
    if copy:
        path = CACHE / f"timm-results-{hashlib.sha256(copy.encode()).hexdigest()[:8]}" / vintage / file
        if not path.is_file():
            _download(f"{copy}/{vintage}/{file}", path, None)
        _notice(path, wanted)
        return path
    path = CACHE / "timm-results" / vintage / file
    if not (path.is_file() and sha256(path) == wanted):
        _download(_web(REMOTE, vintage, file), path, wanted)
    return path


def _web(form: str, vintage: str, file: str) -> str:
    """The address of a table at its vintage's commit."""
    return form.format(repository=pinned()["repository"], commit=VINTAGES[vintage], file=file)


def _is_url(copy: str) -> bool:
    return copy.startswith(("http://", "https://"))


def _folder(copy: str, vintage: str) -> Path:
    folder = Path(copy).expanduser() / known(vintage)
    if not folder.is_dir():
        raise UserError(
            f"TIMM_RESULTS={copy}: no folder {vintage} in it; name a folder that holds {' and '.join(VINTAGES)}, or "
            "unset it"
        )
    return folder


def _notice(path: Path, wanted: str | None) -> None:
    """Say once that the named copy is not what is pinned here."""
    if "copy" not in _noticed and wanted and sha256(path) != wanted:
        _noticed.add("copy")
        print(
            f"notice: {path.parent.name}/{path.name} in TIMM_RESULTS differs from the pinned table; results may "
            "differ from the committed ones",
            file=sys.stderr,
        )


def _download(url: str, path: Path, wanted: str | None) -> None:
    """Bring `url` to `path`, whole or not at all, within WHOLE_S seconds."""
    import pooch
    import requests

    host = urlsplit(url).hostname or ""
    if host in _unreachable or not _answers(url):
        _unreachable.add(host)
        raise TablesMissing(
            f"{host} can't be reached, and {path.name} is not in the cache; connect once, or set TIMM_RESULTS to a copy"
        )
    outcome: list = []

    def work(folder: Path) -> None:
        try:
            pooch.get_logger().setLevel("ERROR")
            temporary = pooch.retrieve(
                url,
                known_hash=wanted and f"sha256:{wanted}",
                path=folder,
                fname=path.name,
                downloader=pooch.HTTPDownloader(timeout=(CONNECT_S, READ_S)),
            )
            outcome.append(Path(temporary).read_bytes())
        except Exception as error:  # handed to the caller's thread
            outcome.append(error)

    try:
        with temporary_folder("download", make_folder(CACHE)) as folder:
            # a server that trickles must not hold us for ever
            thread = threading.Thread(target=work, args=(folder,), daemon=True)
            thread.start()
            thread.join(WHOLE_S)
    except OSError as error:
        raise disk_error(error, CACHE) from None
    found = outcome[0] if outcome else TimeoutError()
    if isinstance(found, requests.exceptions.HTTPError) and found.response is not None:
        raise UserError(
            f"{path.name}: {host} answers {found.response.status_code}; check the address, or set TIMM_RESULTS to a "
            "copy"
        )
    if isinstance(found, (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)):
        raise UserError(f"{path.name}: the download from {host} was cut short; run it again")
    if isinstance(found, (requests.exceptions.RequestException, TimeoutError)):
        _unreachable.add(host)
        if reason := net.why(found, url):
            raise TablesMissing(f"{host}: {reason}. {path.name} is not in the cache; TIMM_RESULTS may name a copy")
        raise TablesMissing(
            f"{host} stopped answering, and {path.name} is not in the cache; run it again, or set TIMM_RESULTS to a "
            "copy"
        )
    if isinstance(found, ValueError):
        raise UserError(
            f"{path.name}: what {host} sent is not the pinned table (wrong SHA-256: cut short, or another page); run "
            "it again, "
            "or set TIMM_RESULTS to a copy"
        )
    if isinstance(found, OSError):
        raise disk_error(found, CACHE)
    if isinstance(found, Exception):
        raise found
    if found.lstrip()[:1] == b"<":
        raise UserError(f"{path.name}: {host} sent a web page where a CSV should be; check TIMM_RESULTS")
    make_folder(path.parent)
    atomic_write(path, found)


def _answers(url: str) -> bool:
    """Whether a connection to the host stands within CONNECT_S + 1 seconds, its name's look-up included. A proxy is
    taken on trust.
    """
    import requests

    if requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url)):
        return True
    parts = urlsplit(url)
    answer: list[bool] = []

    def work() -> None:
        try:
            socket.create_connection(
                (parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)), timeout=CONNECT_S
            ).close()
            answer.append(True)
        except OSError:
            pass

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(CONNECT_S + 1)
    return bool(answer)
