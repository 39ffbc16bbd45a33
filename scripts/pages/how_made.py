"""How a chart or a table was made, a click away: command, commit, hardware, versions and checksum, in a popover (no
script, works by keyboard).

    button = how_made.made("chart", [{"path": "report/data/x.csv", "sha256": …}])    # in the caption
    how_made.panels()                                                               # at the page's foot

A result that is older than the script that makes it is marked beside its source; `make status` lists all of them.
"""

from __future__ import annotations

import re
from pathlib import Path

from scripts.common import provenance
from scripts.common.errors import UserError
from scripts.common.paths import DATA, ROOT, relative
from scripts.common.status import stale
from scripts.pages.markup import link, safe

_panels: dict[str, str] = {}  # what it says -> id; one kernel runs one page, so that ids are unique on it
FOLDER = f"{relative(DATA)}/"


def of(path: str) -> dict:
    """What is known about a table of the project: its sidecar, {} where it has none or the file lies elsewhere."""
    if not path.startswith(FOLDER) or ".." in path:
        return {}
    try:
        return provenance.read_sidecar(ROOT / path)
    except UserError:
        return {}


def mark(paths: list[str]) -> str:
    """'' or the mark for what is drawn from results older than their script, as HTML; the popover says which script."""
    why = next((why for path in paths if path.startswith(FOLDER) and ".." not in path and (why := stale(path))), "")
    return f'<span class="stale" title="{safe(why)}">older than its script</span>' if why else ""


def published(one: dict) -> dict[str, str]:
    """hardware and date of one of timm's tables, from its entry among a manifest's or a sidecar's sources."""
    return {"hardware": str(one.get("setting", "")).partition(",")[0], "date": str(one.get("date", ""))}


def computed_from(known: dict) -> str:
    """timm's tables that a result was computed from, as its sidecar tells: 'timm’s speeds of 2024-09-04 to 2026-01-06
    and accuracies of 2025-10-30'; '' for none."""
    found = provenance.published(provenance.made_from(known), str)
    return f"timm’s {found}" if found else ""


def made(what: str, tables: list[dict], facts: list[tuple[str, str]] = ()) -> str:
    """A button as HTML; what it opens is printed at the page's foot (`panels`), once for all that were made alike.

    what: 'chart' or 'table'; tables: manifest sources (path, sha256, url); facts: what else, as (name, HTML)."""
    tables = [{**one, "path": str(one.get("path", ""))} for one in tables]
    theirs = [one for one in tables if one.get("url") or one["path"].startswith("timm-results/")]
    parts = [_list(facts)] if facts else []
    parts += [f'<p class="made-name">{source(one)}</p>{_list(_facts(one))}' for one in tables if one not in theirs]
    if theirs:
        rows = "".join(
            f"<li>{source(one)}, {safe(published(one)['date'])}: {_digest(one.get('sha256', ''))}</li>"
            for one in theirs
        )
        parts.append(f'<p class="made-name">Published by timm, with SHA-256</p><ul>{rows}</ul>')
    body = f"<strong>How this {safe(what)} was made</strong></p>{''.join(parts)}"
    identity = _panels.setdefault(body, f"made-{len(_panels) + 1}")
    return f'<button type="button" class="made" popovertarget="{identity}">how it was made</button>'


def panels() -> str:
    """What the buttons of this page open, as HTML. Outside of what could be hidden, where a popover could not show."""
    return "".join(
        f'<div popover id="{identity}" class="evidence made-panel" role="dialog" '
        f'aria-labelledby="{identity}-head"><p id="{identity}-head">{body}'
        f'<p><button type="button" class="made" popovertarget="{identity}" '
        'popovertargetaction="hide">Close</button></p></div>\n'
        for body, identity in _panels.items()
    )


def source(one: dict) -> str:
    """A table's name as HTML, a link where it can be had."""
    path = str(one.get("path", ""))
    address = one.get("url") or (f"/{path}" if path.startswith(FOLDER) else "")
    return link(Path(path).name, address) if address else safe(Path(path).name)


def _facts(one: dict) -> list[tuple[str, str]]:
    """A table's command, commit, machine, versions, checksum and sidecar, as (name, HTML)."""
    path, known = one["path"], of(one["path"])
    if not known:
        return [("made", "by hand: each row names its source"), ("SHA-256", _digest(one.get("sha256", "")))]
    machine = known["hardware"]
    commit = str(known.get("commit", ""))
    if re.fullmatch(r"[0-9a-f]{40}", commit):
        commit = f"<code>{commit[:12]}</code>" + (" with changes not yet committed" if known.get("dirty") else "")
    else:
        commit = safe(f"unknown: {known['repository']}" if known.get("repository") else "unknown")
    about = [str(machine[key]) for key in ("name", "driver", "power_limit", "system") if machine.get(key)]
    versions = known.get("versions") if isinstance(known.get("versions"), dict) else {}
    sidecar = provenance.sidecar_path(path).as_posix()
    found = [
        ("command", f"<code>{safe(known.get('command', ''))}</code>"),
        ("commit", commit),
        ("computed from", safe(computed_from(known))),
        ("made on", safe(str(known.get("date", ""))[:10])),
        ("hardware", safe(", ".join(about))),
        ("versions", safe(", ".join(f"{name} {version}" for name, version in versions.items()))),
        ("SHA-256", _digest(one.get("sha256") or known.get("sha256", ""))),
        ("all of it", link(Path(sidecar).name, f"/{sidecar}")),
    ]
    why = stale(path)
    return [
        *([("note", f'<span class="stale">{safe(why)}</span>')] if why else []),
        *((name, value) for name, value in found if value),
    ]


def _digest(text: object) -> str:
    return f"<code>{safe(text)}</code>" if text else "unknown"


def _list(facts: list[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<div><dt>{safe(name)}</dt><dd>{value}</dd></div>" for name, value in facts) + "</dl>"
