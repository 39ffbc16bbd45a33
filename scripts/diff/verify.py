"""Do the committed pictures still come out of the committed data and code? Draws every chart again into a temporary
folder and compares.

    make verify                                         # all charts
    python -m scripts.diff.verify --only convnext       # some

Writes the report to build/verify/. Exit code: 0 all as committed, drawn by another browser or font only, or only of
other results; 1 other data, style, words or pictures; 2 could not compare.

Charts of "this machine" are drawn for the machine that the committed picture shows, so that any machine can verify
them. Where that machine's tables are here untouched, but a chart now prefers results that came later (a GPU that was
contributed, a longer training run), the committed picture is still true: that is *other results*, said and no failure;
`make figures` draws it of the newer ones. The same holds for charts of what only the machine that drew them has (run
logs), and charts whose published tables cannot be had here are listed as not drawn again.

Nothing is taken on trust that can be checked: each picture against the manifest's checksum (also of charts that are not
drawn again), each table against its sidecar's, and no file among them that nothing accounts for.
"""

from __future__ import annotations

import dataclasses
import shutil
import sys
from pathlib import Path

from scripts.common import hardware, provenance
from scripts.common.errors import UserError, cli, parser_of
from scripts.common.paths import BUILD, DATA as TABLES, IMAGES, ROOT, local
from scripts.common.provenance import read_sidecar, sha256
from scripts.common.words import counted
from scripts.diff import compare, report, sides
from scripts.diff.causes import (
    ADDED,
    CAUSES,
    DATA,
    OTHER,
    REMOVED,
    RENDERER,
    SWAPPED,
    UNREADABLE,
    UNRECORDED,
    UNSIGNED,
    Change,
    no_pair,
)
from scripts.diff.sides import PARTS, Side
from scripts.figures import export
from scripts.figures.drawing import Chart

OUT = BUILD / "verify"
BY_HAND = ("app.jpg",)  # pictures that are no charts: scripts.demo.screenshot takes it
DRAWN = BUILD / "verify-drawn"  # temporary; of one name, so that what a killed run leaves does not pile up


def verify(
    charts: dict[str, Chart], folder: Path, only: list[str] | None = None, committed: Path = IMAGES
) -> report.Report:
    """Draw `charts` (or those in `only`) into `folder` and compare with the pictures in `committed`.

    Raises UserError: unknown chart, damaged manifest, Chrome missing, crashed or hung.
    """
    base = _committed(committed)
    entries = base.charts or {}
    pinned = {
        name: dataclasses.replace(chart, draw=_as_committed(chart, entries.get(name, {})))
        for name, chart in charts.items()
    }
    done = export.export(pinned, only, folder, force=True)
    drawn = bool(done["drawn"])
    head = sides.of_folder(folder, "drawn again") if drawn else Side("drawn again", {}, {})
    for name, entry in (head.charts or {}).items():  # which browser drew a picture can't be told from the same bytes
        if (was := entries.get(name)) and was["jpg"]["sha256"] == entry["jpg"]["sha256"]:
            entry["renderer"] = was.get("renderer", {})
    wanted = set(only or charts) | (set() if only else set(entries))
    lacking = [name for name in done["skipped"] if name in entries and not entries[name]["sources"]]
    left = {name + kind for name in [*done["kept"], *lacking] for kind in ("", export.PHONE)}
    wanted |= {name + export.PHONE for name in wanted}
    made = compare.compare(_part(base, wanted - left), _part(head, wanted - left))
    for change in made.changes:
        if change.cause == ADDED and change.path in base.files:
            change.why = ["the committed manifest has no entry for it, though its picture is there"]
        elif change.cause in (DATA, ADDED) and _of_other_results(change, entries, head.charts or {}):
            change.cause = OTHER
            change.why = [
                "the committed picture is true to tables that are still here; `make figures` draws it of the newer ones"
                if change.base
                else "its results are new here; `make figures` draws it"
            ]
    found = {change.path: change for change in made.changes}
    for change in _records(base, wanted, left):
        if change.path not in found or found[change.path].cause not in (SWAPPED, UNREADABLE, REMOVED):
            found[change.path] = change
    made.changes = [*found.values(), *([] if only else _strays(base, wanted) + _pairs(_data_beside(committed)))]
    made.changes.sort(key=lambda change: (list(CAUSES).index(change.cause), change.path))
    for names, why in (
        (done["kept"], "their tables cannot be had here"),
        (lacking, "what they show lies on the machine that drew them"),
    ):
        if names:
            made.notes.append(f"{counted(len(names), 'chart')} not drawn again, {why}: {', '.join(names)}")
    return made


def _as_committed(chart: Chart, entry: dict):
    """The chart's draw function, with "this machine" being the one that the committed picture shows."""
    slugs = list(_results(entry).values())

    def draw():
        with hardware.standing_in(slugs):
            return chart.draw()

    return draw


def _results(entry: dict) -> dict[str, str]:
    """The sources of a manifest's entry that hold one machine's results, and are here: path -> the machine's slug."""
    found = {}
    for path in [source["path"] for source in entry.get("sources", [])]:
        if not path.startswith(f"{PARTS[1]}/") or ".." in path:
            continue
        try:
            slug = str(read_sidecar(ROOT / path)["hardware"].get("slug", ""))
        except UserError:
            continue
        if slug and slug in Path(path).stem and (ROOT / path).is_file():
            found[path] = slug
    return found


def _of_other_results(change: Change, entries: dict[str, dict], drawn: dict[str, dict]) -> bool:
    """Whether a picture differs only because results that it does not know are here, while those that it shows are
    untouched.
    """
    name = Path(change.path).stem
    was, now = entries.get(name), drawn[name]
    if not now["sources"]:
        return was is None or not was["sources"]
    if was is None:
        return any(not _committed_with_the_pictures(path) for path in _results(now))
    ours = {source["path"]: source["sha256"] for source in was["sources"] if source["path"].startswith(f"{PARTS[1]}/")}
    untouched = all((ROOT / path).is_file() and sha256(ROOT / path) == digest for path, digest in ours.items())
    return untouched and any(not _committed_with_the_pictures(path) for path in set(_results(now)) - set(ours))


def _committed_with_the_pictures(path: str) -> bool:
    """Whether a table was there already in the commit that last changed the manifest, so that a picture of it
    should have come with it.
    """
    commit = sides.git("log", "-1", "--format=%H", "--", f"{PARTS[0]}/{export.MANIFEST}", check=False).decode().strip()
    return bool(commit) and bool(sides.git("ls-tree", "--name-only", commit, "--", path, check=False))


def _committed(folder: Path) -> Side:
    """The committed pictures with what their manifest says; nothing where it is gone."""
    if (folder / export.MANIFEST).is_file():
        return sides.of_folder(folder, "committed")
    return Side("committed", {f"{PARTS[0]}/{path.name}": path for path in sorted(folder.glob("*.jpg"))}, {})


def _part(side: Side, wanted: set[str]) -> Side:
    """The side with the charts in `wanted` alone."""
    charts = {name: entry for name, entry in (side.charts or {}).items() if name in wanted}
    kept = {f"{PARTS[0]}/{name}.jpg" for name in charts}
    return Side(side.label, {path: place for path, place in side.files.items() if path in kept}, charts)


def _records(base: Side, wanted: set[str], left: set[str]) -> list[Change]:
    """Committed pictures that are not what the committed manifest records, also of charts that can't be drawn here."""
    found = []
    for name in sorted(wanted):
        path, entry = f"{PARTS[0]}/{name}.jpg", (base.charts or {}).get(name)
        place, why = base.files.get(path), ""
        if entry and not place:
            found.append(Change("figure", path, REMOVED, ["the manifest has an entry for it, and the picture is gone"]))
        elif place and not entry and name in left:
            why = "the committed manifest has no entry for it"
        elif place and entry and sides.digest(place) != entry["jpg"]["sha256"]:
            why = "the committed picture is not the one that its manifest records; `make figures` draws it again"
        if why:
            found.append(Change("figure", path, UNRECORDED, [why], base=place))
    return found


def _strays(base: Side, wanted: set[str]) -> list[Change]:
    """Files among the committed pictures that no chart draws and no entry names."""
    known = {export.MANIFEST, *BY_HAND, *(f"{name}.jpg" for name in wanted)}
    return [
        Change("file", path, UNRECORDED, ["no chart draws it, and the manifest does not name it"])
        for path in base.files
        if path.removeprefix(f"{PARTS[0]}/") not in known
    ]


def _data_beside(committed: Path) -> Path:
    return TABLES if committed.resolve() == IMAGES.resolve() else committed.parent / PARTS[1]


def _pairs(folder: Path) -> list[Change]:
    """Tables that are no pair with their sidecar, and what else lies among them that nothing accounts for."""
    found = []
    for path in sorted(folder.rglob("*")):
        where, cause, why = f"{PARTS[1]}/{path.relative_to(folder).as_posix()}", UNRECORDED, ""
        try:
            if path.is_symlink():
                why = "a link where a file should be"
            elif path.is_dir() or sides.UNSEEN.fullmatch(path.name):
                continue
            elif path.name.startswith("."):
                why = "a hidden file"
            elif path.suffix == ".csv" and path.name not in provenance.BY_HAND:
                why = no_pair(path)
                if why == UNSIGNED and not _was_signed(where):
                    continue
            elif path.suffix == ".json" and not path.with_suffix(".csv").exists() and "sha256" in read_sidecar(path):
                why = "a sidecar whose table is gone"
        except UserError as error:
            cause, why = UNREADABLE, str(error)
        if why:
            found.append(Change("table" if path.suffix == ".csv" else "file", where, cause, [why]))
    return found


def _was_signed(path: str) -> bool:
    """Whether the committed sidecar of a table has a checksum."""
    sidecar = Path(path).with_suffix(".json").as_posix()
    return b'"sha256"' in sides.git("show", f"HEAD:{sidecar}", check=False)


def exit_code(made: report.Report) -> int:
    """0 as committed, renderer only or of other results; 1 anything else; 2 unreadable."""
    causes = {change.cause for change in made.changes}
    return 2 if UNREADABLE in causes else int(bool(causes - {RENDERER, OTHER}))


@cli
def main(arguments: list[str] | None = None) -> int:
    parser = parser_of("scripts.diff.verify", __doc__, "python -m scripts.diff.verify --only convnext")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="draw only these charts")
    parser.add_argument(
        "--out", type=local, default=OUT, metavar="DIR", help="where the report goes (default: build/verify)"
    )
    options = parser.parse_args(arguments)
    from scripts.figures.catalogue import CHARTS  # torch comes with it, which takes seconds

    shutil.rmtree(DRAWN, ignore_errors=True)
    try:
        made = verify(CHARTS, DRAWN, options.only)
        report.write(made, options.out)
        compare.tell(made, options.out, "verify")
    finally:
        shutil.rmtree(DRAWN, ignore_errors=True)
    for note in made.notes:
        print(f"verify: {note}")
    code = exit_code(made)
    if code == 1:
        print(
            "verify: the committed pictures are not what the committed data and code draw; run `make figures` and "
            "commit images/",
            file=sys.stderr,
        )
    elif made.changes and not code:
        print("verify: nothing that contradicts the committed data and code")
    return code


if __name__ == "__main__":
    sys.exit(main())
