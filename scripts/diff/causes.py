"""Which figures and tables differ between two sides, and why.

    changes(base, head) -> list[Change]

A figure's cause comes from the two manifests: other data, other style (same data, other figure), renderer only (same
figure, drawn by another Chrome, font or kaleido, and no other pixels than those draw). No record is believed that can
be checked: a picture, table or sidecar that its checksum does not account for (edited or saved again by hand), one
without a record, one that a record's words don't explain, are a cause of their own.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from scripts.common import hardware
from scripts.common.errors import UserError
from scripts.common.provenance import read_sidecar, sidecar_path
from scripts.common.words import counted
from scripts.diff import pixels, tables
from scripts.diff.comment import percent
from scripts.diff.sides import PARTS, Side, digest
from scripts.figures.export import MANIFEST

DATA, STYLE, RENDERER, UNRECORDED = "data", "style", "renderer only", "unrecorded"
ADDED, REMOVED, RENAMED, SWAPPED, UNREADABLE = "added", "removed", "renamed", "swapped", "unreadable"
OTHER = "other results"  # said by `make verify` alone
WITHIN, REWRITTEN, SIDECAR = tables.WITHIN, tables.REWRITTEN, "record only"

# cause -> what it means, in the order of the report
CAUSES = {
    UNREADABLE: "could not be compared",
    DATA: "other numbers: rows or values moved, came or went",
    STYLE: "same data, other figure",
    UNRECORDED: "not what its manifest or sidecar records: edited or saved again by hand, or the record is gone",
    SWAPPED: "holds what another file held",
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
ALONE, UNSIGNED = "it has no sidecar, so nobody knows what made it", "its sidecar has no checksum"
TORN = "its sidecar's checksum is of another table: one of the two was edited"
OF_PICTURE = ("figure_sha256", "renderer", "jpg", "sources")  # of a manifest's entry: judged by themselves


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
    differ = [*(change for change in found if change), *_ghosts(base, head)]
    _swaps(differ, base, head)
    _link(differ, base, head)
    kinds, causes = ("figure", "table", "file"), list(CAUSES)
    differ.sort(key=lambda one: (kinds.index(one.kind), causes.index(one.cause), one.machine, one.path))
    return differ, sum(change is None for change in found)


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
    both = [path for path in paths if path in base.files and path in head.files]
    pairs: list[tuple[str | None, str | None]] = [*zip(both, both)]
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
    before, machine = old if old and new and old != new else "", _machine(path, head if new else base)
    files = {"base": base.files.get(old), "head": head.files.get(new)}
    change = Change(_kind(path), path, "", before=before, machine=machine, **files)
    try:
        if not (old and new):
            change.cause = ADDED if new else REMOVED
            if change.kind == "figure":
                pixels.open_image(change.head or change.base)
            elif change.kind == "table":
                tables.read_table(change.head or change.base)
                change.why += [why for why in [new and no_pair(change.head)] if why]
        else:
            {"figure": _figure, "table": _table, "file": _file}[change.kind](change, old, new, base, head)
    except UserError as error:
        change.cause, change.why = UNREADABLE, [str(error)]
    if change.before and change.cause != UNREADABLE:
        change.why.insert(0, f"was {change.before}")
        if change.cause != UNRECORDED or digest(change.base) == digest(change.head):
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


def _ghosts(base: Side, head: Side) -> list[Change]:
    """Pictures that the new side's manifest alone has an entry of."""
    paths = [f"{PARTS[0]}/{name}.jpg" for name in head.charts or {} if name not in (base.charts or {})]
    why = "the manifest has an entry for it, and there is no such picture"
    gone = [path for path in paths if path not in head.files and path not in base.files]
    return [Change("figure", path, UNRECORDED, [why]) for path in gone]


def _swaps(differ: list[Change], base: Side, head: Side) -> None:
    """Tell a file that holds what another one should: swapped where that one changed, too, else a copy of it."""
    suspects = {
        change.path: change
        for change in differ
        if change.base and change.head and not change.before and change.cause not in (UNREADABLE, RENDERER, *QUIET)
    }
    if not suspects:
        return
    there: dict[str, list[str]] = {}  # what makes a file the same -> where it is on the new side
    for path in sorted({*base.files} & {*head.files}):
        for identity in _identities(path, head):
            there.setdefault(identity, []).append(path)
    for path, change in suspects.items():
        same = {other for identity in _identities(path, base) for other in there.get(identity, [])}
        moved = (one for one in suspects if one != path and _looks_moved(change, suspects[one]))
        other = next(iter(sorted(same - {path})), "") or next(moved, "")
        if other and _kind(other) == change.kind:
            change.cause = SWAPPED if other in suspects else UNRECORDED
            change.why.insert(0, f"the {base.label} one is the {head.label} {PurePosixPath(other).name}")


def _looks_moved(change: Change, other: Change) -> bool:
    """Whether the old picture of `change` is the new one of `other`, drawn by another renderer."""
    pair = (change, other)
    if any(one.cause != UNRECORDED or not one.pixels or one.pixels.resized for one in pair):
        return False
    return pixels.measure(change.base, other.head).by_renderer


def _figure(change: Change, old: str, new: str, base: Side, head: Side) -> None:
    """Set cause, reasons and pixels of a picture that is on both sides."""
    was, now = _entry(base, old), _entry(head, new)
    sums = digest(change.base), digest(change.head)
    same_picture = sums[0] == sums[1]
    if not same_picture:
        change.pixels = pixels.measure(change.base, change.head)
    if not (was and now):
        if was or now or not same_picture:
            side = head if was else base
            change.cause = UNRECORDED
            change.why = [f"the {side.label} manifest has no entry for it, so the cause cannot be told"]
        return
    change.fields = [
        (word, str(was.get(word, "")), str(now.get(word, ""))) for word in WORDS if was.get(word) != now.get(word)
    ]
    own = ({key: entry[key] for key in entry if key not in WORDS + OF_PICTURE} for entry in (was, now))
    others = _differences(*own)
    moved, sources = _data(was, now)
    how = _differences(was.get("renderer", {}), now.get("renderer", {}))
    same_figure = was["figure_sha256"] == now["figure_sha256"]
    wrong = [
        side
        for side, entry, found in ((base, was, sums[0]), (head, now, sums[1]))
        if entry["jpg"]["sha256"] != found and (same_figure or side is head)
    ]
    if wrong and not (same_picture and len(wrong) == 2):  # what was wrong before and was not touched is no change
        change.cause = UNRECORDED
        change.why = [
            f"the {wrong[0].label} picture is not the one that its manifest records; `make figures` draws it again"
        ]
    elif not same_figure:
        change.sources = sources
        change.fields += others
        change.cause = DATA if moved else STYLE
        if moved and not sources:
            change.why.append("the same tables, but other values were computed from them")
        elif not moved:
            change.why.append("drawn from the same numbers")
        if same_picture:
            change.why.append("the JPG is the same; what differs shows only in the interactive chart")
    elif not same_picture and not (how and change.pixels.by_renderer):
        change.cause = UNRECORDED
        change.fields += how
        change.why.append(
            "the same figure, but more of the picture differs than another renderer draws"
            if how
            else "the same figure, drawn by the same browser and font as both manifests say, but the pictures differ"
        )
    elif change.fields:
        change.cause = STYLE
        change.why.append("only its words: " + ", ".join(what for what, _, _ in change.fields))
        change.fields += others + how
    elif others or was["sources"] != now["sources"]:
        change.cause, change.sources = SIDECAR, sources
        change.fields = others + how
    elif not same_picture:
        change.cause, change.fields = RENDERER, how
        change.why.append("; ".join(f"{what} {a or 'none'} → {b or 'none'}" for what, a, b in how))
    elif facts := how + _differences(was["jpg"], now["jpg"]):
        change.cause, change.fields = SIDECAR, facts


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
    before, after = no_pair(change.base), no_pair(change.head)
    same = digest(change.base) == digest(change.head)
    if not same:
        change.table = tables.compare(change.base, change.head, new)
    if after and not (after == before and (same or after != TORN)):
        change.cause, change.why = UNRECORDED, [after]
        return
    change.fields = _facts(old, new, base, head)
    if same:
        change.cause = SIDECAR if change.fields or before != after else ""
    else:
        change.cause = DATA if change.table.status == tables.MOVED else change.table.status


def no_pair(table: Path) -> str:
    """Why a table and the sidecar beside it are no pair, in a sentence; '' where they are. Raises UserError where the
    sidecar can't be read.
    """
    if not sidecar_path(table).is_file():
        return ALONE
    recorded = read_sidecar(table).get("sha256")
    return UNSIGNED if recorded is None else "" if recorded == digest(table) else TORN


def _facts(old: str, new: str, base: Side, head: Side) -> list[tuple[str, str, str]]:
    """What differs between the two sidecars of a CSV; the CSV's own checksum apart."""
    sides = ((old, base), (new, head))
    facts = [read_sidecar(side.files[path]) if _sidecar(path) in side.files else {} for path, side in sides]
    return _differences(*({key: value for key, value in one.items() if key != "sha256"} for one in facts))


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
            moved = table and table.head and table.cause not in (SIDECAR, UNREADABLE)
            if moved and digest(table.head) != source["sha256"]:
                table.why.append(f"{name} was not drawn again since")


def summary(change: Change) -> str:
    """A table's change in a few words: 3 values moved (largest +0.5%), 1 row gone."""
    table = change.table
    if not table:
        return change.cause
    parts = []
    if table.moved:
        sizes = [abs(cell.change) for cell in table.cells if cell.change is not None and not cell.within]
        most = f" (by up to {percent(max(sizes))})" if sizes else ""
        parts.append(f"{counted(table.moved, 'value')} moved{most}")
    if table.within:
        parts.append(f"{table.within:,} within tolerance")
    for names, word in ((table.added, "added"), (table.gone, "gone")):
        if names:
            parts.append(f"{counted(len(names), 'row')} {word}")
    for names, word in ((table.columns_added, "added"), (table.columns_gone, "gone")):
        if names:
            parts.append(f"column{'s' * (len(names) != 1)} {', '.join(names)} {word}")
    return ", ".join(parts) or "same values in another order or spelling"
