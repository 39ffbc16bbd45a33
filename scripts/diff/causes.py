"""Which figures and tables differ between two sides, and why.

    changes(base, head) -> list[Change]

A figure's cause comes from the two manifests, not from its pixels: other data, other style (same data, other figure),
renderer only (same figure, other Chrome, font or kaleido). A picture that its manifest does not account for (edited or
saved again by hand) is a cause of its own.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from scripts.common import hardware
from scripts.common.errors import UserError
from scripts.common.provenance import read_sidecar
from scripts.common.words import counted
from scripts.diff import pixels, tables
from scripts.diff.comment import percent
from scripts.diff.sides import PARTS, Side, digest
from scripts.figures.export import MANIFEST

DATA, STYLE, RENDERER, UNRECORDED = "data", "style", "renderer only", "unrecorded"
ADDED, REMOVED, RENAMED, UNREADABLE = "added", "removed", "renamed", "unreadable"
OTHER = "other results"  # said by `make verify` alone
WITHIN, REWRITTEN, SIDECAR = tables.WITHIN, tables.REWRITTEN, "record only"

# cause -> what it means, in the order of the report
CAUSES = {
    UNREADABLE: "could not be compared",
    DATA: "other numbers: rows or values moved, came or went",
    STYLE: "same data, other figure",
    UNRECORDED: "the picture is not the one its manifest records: edited or saved again by hand",
    ADDED: "only on the new side",
    REMOVED: "only on the old side",
    RENAMED: "same content under another name",
    OTHER: "drawn from results that came later; the picture is true to those it names",
    RENDERER: "same figure, drawn by another browser, font or kaleido",
    WITHIN: "values moved less than runs of the same machine do",
    REWRITTEN: "same values in another order or spelling",
    SIDECAR: "the same, but other facts are recorded about it",
}
QUIET = {WITHIN, REWRITTEN, SIDECAR}  # shown, but no change
WORDS = ("title", "alt", "caption")


@dataclass
class Change:
    """One file that differs. kind: figure, table or file; path as in the project; before: its old path where it was
    renamed.

    why: sentences. fields: (what, old, new) of the manifest's entry or sidecar. machine: whose results, '' for all.
    base, head: the files.
    """

    kind: str
    path: str
    cause: str
    why: list[str] = field(default_factory=list)
    before: str = ""
    machine: str = ""
    fields: list[tuple[str, str, str]] = field(default_factory=list)
    pixels: pixels.Pixels | None = None
    table: tables.TableChange | None = None
    sources: list[str] = field(default_factory=list)
    base: Path | None = None
    head: Path | None = None

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name


def changes(base: Side, head: Side) -> tuple[list[Change], int]:
    """(what differs, in the order of CAUSES; number of files that are identical). Unreadable files are changes, not
    exceptions.
    """
    paths = [path for path in sorted({*base.files, *head.files}) if path != f"{PARTS[0]}/{MANIFEST}"]
    sidecars = {_sidecar(path) for path in paths if path.endswith(".csv")}
    pairs = _pairs([path for path in paths if path not in sidecars], base, head)
    with ThreadPoolExecutor(hardware.cores()) as pool:
        found = list(pool.map(lambda pair: _change(*pair, base, head), pairs))
    differ = [change for change in found if change]
    _link(differ, base, head)
    order = list(CAUSES)
    differ.sort(
        key=lambda change: (
            ("figure", "table", "file").index(change.kind),
            order.index(change.cause),
            change.machine,
            change.path,
        )
    )
    return differ, len(found) - len(differ)


def _sidecar(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(".json"))


def _kind(path: str) -> str:
    suffix = PurePosixPath(path).suffix.lower()
    return "figure" if suffix in pixels.SUFFIXES else "table" if suffix == ".csv" else "file"


def _entry(side: Side, path: str) -> dict | None:
    """The manifest's entry of the picture `path`."""
    name = PurePosixPath(path)
    return (side.charts or {}).get(name.stem) if name.parent.as_posix() == PARTS[0] and name.suffix == ".jpg" else None


def _pairs(paths: list[str], base: Side, head: Side) -> list[tuple[str | None, str | None]]:
    """(old path, new path) of every file; a file that went and one that came with the same content are one that was
    renamed.
    """
    gone = [path for path in paths if path not in head.files]
    came = [path for path in paths if path not in base.files]
    pairs: list[tuple[str | None, str | None]] = [
        (path, path) for path in paths if path in base.files and path in head.files
    ]
    for new in came:
        identity = _identities(new, head) if gone else set()
        old = next((path for path in gone if _kind(path) == _kind(new) and identity & _identities(path, base)), None)
        pairs.append((old, new))
        if old:
            gone.remove(old)
    return pairs + [(old, None) for old in gone]


def _identities(path: str, side: Side) -> set[str]:
    """What makes a file the same under another name: its bytes, and a figure's own hash."""
    return {digest(side.files[path]), (_entry(side, path) or {}).get("figure_sha256", "")} - {""}


def _change(old: str | None, new: str | None, base: Side, head: Side) -> Change | None:
    """The difference between one file's two versions; None where there is none."""
    path = new or old
    change = Change(
        _kind(path),
        path,
        "",
        before=old if old and new and old != new else "",
        machine=_machine(path, head if new else base),
        base=base.files.get(old),
        head=head.files.get(new),
    )
    try:
        if not (old and new):
            change.cause = ADDED if new else REMOVED
            if change.kind == "figure":
                pixels.open_image(change.head or change.base)
            elif change.kind == "table":
                tables.read_table(change.head or change.base)
        else:
            {"figure": _figure, "table": _table, "file": _file}[change.kind](change, old, new, base, head)
    except UserError as error:
        change.cause, change.why = UNREADABLE, [str(error)]
    if change.before and change.cause != UNREADABLE:
        change.why.insert(0, f"was {change.before}")
        change.cause = RENAMED
    return change if change.cause else None


def _machine(path: str, side: Side) -> str:
    """Whose results a table holds: the sidecar's hardware of a file that is named after it; '' for tables over all
    machines.
    """
    if not path.endswith(".csv"):
        return ""
    try:
        known = read_sidecar(side.files[path])["hardware"]
        return str(known.get("name", "")) if str(known.get("slug", "\0")) in PurePosixPath(path).stem else ""
    except UserError:
        pass
    try:
        return hardware.named(hardware.parse_benchmark_name(path)["hardware"]).name
    except UserError:
        return ""


def _figure(change: Change, old: str, new: str, base: Side, head: Side) -> None:
    """Set cause, reasons and pixels of a picture that is on both sides."""
    was, now = _entry(base, old), _entry(head, new)
    sums = digest(change.base), digest(change.head)
    same_picture = sums[0] == sums[1]
    if not same_picture:
        change.pixels = pixels.measure(change.base, change.head)
    if not (was and now):
        if not same_picture:
            side = "old" if not was else "new"
            change.cause, change.why = (
                UNRECORDED,
                [f"the {side} side's manifest has no entry for it, so the cause cannot be told"],
            )
        return
    change.fields = [
        (word, str(was.get(word, "")), str(now.get(word, "")))
        for word in (*WORDS, "hardware", "date")
        if was.get(word) != now.get(word)
    ]
    same_figure = was["figure_sha256"] == now["figure_sha256"]
    if not same_picture and (now["jpg"]["sha256"] != sums[1] or (same_figure and was["jpg"]["sha256"] != sums[0])):
        side = base if now["jpg"]["sha256"] == sums[1] else head
        change.cause = UNRECORDED
        change.why = [
            f"the {side.label} picture is not the one that its manifest records; `make figures` draws it again"
        ]
    elif not same_figure:
        moved, change.sources = _data(was, now)
        change.cause = DATA if moved else STYLE
        if moved and not change.sources:
            change.why.append("the same tables, but other values were computed from them")
        elif not moved:
            change.why.append("drawn from the same numbers")
        if same_picture:
            change.why.append("the JPG is the same; what differs shows only in the interactive chart")
    elif not same_picture:
        change.cause = RENDERER
        how = _differences(was.get("renderer", {}), now.get("renderer", {}))
        change.fields += how
        change.why.append(
            "; ".join(f"{what} {a or 'none'} → {b or 'none'}" for what, a, b in how)
            or "the recorded versions are the same: the system's libraries or fonts differ, or it was saved again"
        )
    elif any(field_[0] in WORDS for field_ in change.fields):
        change.cause = STYLE
        change.why.append("only its words: " + ", ".join(what for what, _, _ in change.fields if what in WORDS))
    elif change.fields or was["sources"] != now["sources"]:
        change.cause, change.sources = SIDECAR, _data(was, now)[1]


def _data(was: dict, now: dict) -> tuple[bool, list[str]]:
    """(whether other values are drawn, paths of the source tables that differ)."""
    before, after = ({source["path"]: source["sha256"] for source in entry["sources"]} for entry in (was, now))
    differ = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    if was.get("data_sha256") and now.get("data_sha256"):
        return was["data_sha256"] != now["data_sha256"], differ
    return bool(differ), differ


def _differences(was: dict, now: dict, inside: str = "") -> list[tuple[str, str, str]]:
    """(field, old, new) of what differs between two nested dictionaries."""
    found = []
    for key in sorted({*map(str, was), *map(str, now)}):
        a, b = was.get(key, ""), now.get(key, "")
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{inside}{key}.")
        elif a != b:
            found.append((f"{inside}{key}", str(a), str(b)))
    return found


def _table(change: Change, old: str, new: str, base: Side, head: Side) -> None:
    """Set cause, reasons and cells of a CSV that is on both sides."""
    change.fields = _facts(old, new, base, head)
    if digest(change.base) == digest(change.head):
        change.cause = SIDECAR if change.fields else ""
        return
    change.table = tables.compare(change.base, change.head, new)
    change.cause = DATA if change.table.status == tables.MOVED else change.table.status


def _facts(old: str, new: str, base: Side, head: Side) -> list[tuple[str, str, str]]:
    """What differs between the two sidecars of a CSV; the CSV's own checksum apart."""
    facts = []
    for path, side in ((old, base), (new, head)):
        if _sidecar(path) not in side.files:
            facts.append({})
            continue
        facts.append({key: value for key, value in read_sidecar(side.files[path]).items() if key != "sha256"})
    return _differences(*facts)


def _file(change: Change, old: str, new: str, base: Side, head: Side) -> None:
    if digest(change.base) != digest(change.head):
        change.cause = DATA
        change.why.append(f"{change.base.stat().st_size:,} → {change.head.stat().st_size:,} bytes")


def _link(differ: list[Change], base: Side, head: Side) -> None:
    """Tell each figure which tables moved under it, and each moved table which figures were not drawn again since.

    A figure whose tables hold the same values in another order or spelling has the same data after all.
    """
    by_path = {change.path: change for change in differ}
    for change in differ:
        if change.kind == "figure":
            tables_ = [by_path.get(path) for path in change.sources]
            if change.cause == DATA and tables_ and all(table and table.cause == REWRITTEN for table in tables_):
                change.cause = STYLE
            for path in change.sources:
                table = by_path.get(path)
                change.why.append(f"{path}: {summary(table)}" if table else f"{path}: another version of this table")
    for name, entry in (head.charts or {}).items():
        for source in entry["sources"]:
            table = by_path.get(source["path"])
            if (
                table
                and table.head
                and table.cause not in (SIDECAR, UNREADABLE)
                and digest(table.head) != source["sha256"]
            ):
                table.why.append(f"{name} was not drawn again since")


def summary(change: Change) -> str:
    """A table's change in a few words: 3 values moved (largest +0.5%), 1 row gone."""
    table = change.table
    if not table:
        return change.cause
    parts = []
    if table.moved:
        largest = max(
            (abs(cell.change) for cell in table.cells if cell.change is not None and not cell.within), default=None
        )
        parts.append(
            f"{counted(table.moved, 'value')} moved"
            + (f" (by up to {percent(largest)})" if largest is not None else "")
        )
    if table.within:
        parts.append(f"{table.within:,} within tolerance")
    for names, word in ((table.added, "added"), (table.gone, "gone")):
        if names:
            parts.append(f"{counted(len(names), 'row')} {word}")
    for names, word in ((table.columns_added, "added"), (table.columns_gone, "gone")):
        if names:
            parts.append(f"column{'s' * (len(names) != 1)} {', '.join(names)} {word}")
    return ", ".join(parts) or "same values in another order or spelling"
