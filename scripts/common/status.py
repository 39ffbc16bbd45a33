"""Which results are older than the script that makes them, and which files no longer fit together.

    make status
    from scripts.common.status import stale
    stale("report/data/summary.csv")     # '' or a sentence for the page

A sidecar holds the fingerprints of the scripts that ran (scripts/common/code.py); a result whose scripts read otherwise
today is stale. For a sidecar without them, the scripts of its git commit are looked up. Also listed: tables without
sidecar, tables that were edited since, pictures drawn from other versions of their tables. A stale result is not wrong;
it may be measured again.
"""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
from pathlib import Path

from scripts.common import code, git, provenance
from scripts.common.errors import UserError, cli, parser_of
from scripts.common.paths import DATA, IMAGES, ROOT, relative

MANIFEST = "manifest.json"  # of images/


@functools.lru_cache(maxsize=256)
def _now(path: str) -> str:
    """The fingerprint of a script as it is; '' where it is gone."""
    path = code.todays_path(path)
    try:
        return code.fingerprint((ROOT / path).read_text(encoding="utf-8"), path)
    except (OSError, SyntaxError, UnicodeDecodeError):
        return ""


@functools.lru_cache(maxsize=256)
def _then(commit: str, path: str) -> str:
    """The fingerprint of a script at a commit; '' where it was not there or the commit is not at hand."""
    try:
        shown = git.run("show", f"{commit}:{path}", timeout=20)
        return "" if shown.returncode else code.fingerprint(shown.stdout.decode("utf-8"), path)
    except (OSError, subprocess.SubprocessError, SyntaxError, UnicodeDecodeError):
        return ""


def changed(facts: dict) -> list[str] | None:
    """The scripts of a sidecar that read otherwise today; None where that cannot be told."""
    recorded = facts.get("code")
    if isinstance(recorded, dict) and recorded:
        return [path for path, digest in recorded.items() if _is_script(path) and _now(path) != digest]
    module = re.search(r"-m (scripts(?:\.\w+)+)", str(facts.get("command", "")))
    commit = str(facts.get("commit", ""))
    # a sidecar may be anybody's: git would take a commit called --output=x for an option
    if not module or not re.fullmatch(r"[0-9a-f]{40}", commit) or facts.get("dirty"):
        return None
    path = f"{module[1].replace('.', '/')}.py"
    then = _then(commit, path)
    return None if not then else [path] if then != _now(path) else []


def _is_script(path: str) -> bool:
    return bool(re.fullmatch(r"scripts(/\w+)+\.py", path))  # nothing else is read for a sidecar's sake


def stale(csv_path: Path | str) -> str:
    """'' or why the result is stale, in a sentence. A table without a readable sidecar is not called stale."""
    try:
        scripts = changed(provenance.read_sidecar(ROOT / csv_path))
    except UserError:
        return ""
    if not scripts:
        return ""
    return f"made by an earlier version of {scripts[0]}" + (f" and {len(scripts) - 1} more" if len(scripts) > 1 else "")


def report() -> list[tuple[str, str]]:
    """(path, what about it) of everything that does not fit, tables first."""
    found = []
    for path in sorted(DATA.glob("*.csv")):
        where = relative(path)
        try:
            facts = provenance.read_sidecar(path)
        except UserError as error:
            if provenance.sidecar_path(path).exists():
                found.append((where, str(error)))
            elif path.name not in provenance.BY_HAND:
                found.append((where, "has no sidecar, so nobody knows what made it"))
            continue
        if facts.get("sha256") and facts["sha256"] != provenance.sha256(path):
            what = "is not the table that its sidecar describes (another checksum)"
            found.append((where, f"{what}: edited by hand, or half of a pair was committed"))
        if why := stale(where):
            found.append((where, f"{why}; made {str(facts.get('date', ''))[:10]} by `{facts.get('command', '')}`"))
    found += [
        (relative(path), "is a sidecar without its table")
        for path in sorted(DATA.glob("*.json"))
        if not path.with_suffix(".csv").exists()
    ]
    return found + pictures()


def pictures() -> list[tuple[str, str]]:
    """Pictures that were drawn from other versions of the project's tables than those that are here."""
    try:
        charts = json.loads((IMAGES / MANIFEST).read_text(encoding="utf-8"))["charts"]
        sources = [
            (f"{relative(IMAGES)}/{name}.jpg", source["path"], source["sha256"])
            for name, entry in charts.items()
            for source in entry["sources"]
        ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return [
            (f"{relative(IMAGES)}/{MANIFEST}", "cannot be read; restore it with git, or draw again with `make figures`")
        ]
    here = {
        path: provenance.sha256(ROOT / path)
        for path in {path for _, path, _ in sources}
        if (ROOT / path).is_file() and ".." not in path
    }
    return [
        (picture, f"was drawn from another version of {path}; `make figures` draws it again")
        for picture, path, digest in sources
        if here.get(path, digest) != digest
    ]


@cli
def main(arguments: list[str] | None = None) -> None:
    parser_of("scripts.common.status", __doc__, "make status").parse_args(arguments)
    found = report()
    for path, what in found:
        print(f"{path}: {what}")
    tables = len(list(DATA.glob("*.csv")))
    print(f"status: {len(found)} of note; {tables} tables, {len(list(IMAGES.glob('*.jpg')))} pictures")


if __name__ == "__main__":
    sys.exit(main())
