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
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import sys
from pathlib import Path

from scripts.common import hardware
from scripts.common.errors import UserError, cli
from scripts.common.paths import BUILD, IMAGES, ROOT
from scripts.common.provenance import read_sidecar, sha256
from scripts.common.words import counted
from scripts.diff import compare, report, sides
from scripts.diff.causes import ADDED, CAUSES, DATA, OTHER, RENDERER, UNREADABLE, Change
from scripts.diff.sides import PARTS, Side
from scripts.figures import export
from scripts.figures.drawing import Chart

OUT = BUILD / "verify"
DRAWN = BUILD / "verify-drawn"  # temporary; of one name, so that what a killed run leaves does not pile up


def verify(
    charts: dict[str, Chart], folder: Path, only: list[str] | None = None, committed: Path = IMAGES
) -> report.Report:
    """Draw `charts` (or those in `only`) into `folder` and compare with the pictures in `committed`.

    Raises UserError: unknown chart, damaged manifest, Chrome missing, crashed or hung.
    """
    base = (
        sides.of_folder(committed, "committed")
        if (committed / export.MANIFEST).is_file()
        else Side("committed", {}, {})
    )
    entries = base.charts or {}
    pinned = {
        name: dataclasses.replace(chart, draw=_as_committed(chart, entries.get(name, {})))
        for name, chart in charts.items()
    }
    done = export.export(pinned, only, folder, force=True)
    drawn = bool(done["drawn"])
    head = sides.of_folder(folder, "drawn again") if drawn else Side("drawn again", {}, {})
    wanted = set(only or charts) | (set() if only else set(entries))
    lacking = [name for name in done["skipped"] if name in entries and not entries[name]["sources"]]
    left = {name + kind for name in [*done["kept"], *lacking] for kind in ("", export.PHONE)}
    made = compare.compare(
        *(_part(side, wanted | {name + export.PHONE for name in wanted}, left) for side in (base, head))
    )
    for change in made.changes:
        if change.cause in (DATA, ADDED) and _of_other_results(change, entries, head.charts or {}):
            change.cause = OTHER
            change.why = [
                "the committed picture is true to tables that are still here; `make figures` draws it of the newer ones"
                if change.base
                else "its results are new here; `make figures` draws it"
            ]
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
    for path in (
        source["path"]
        for source in entry.get("sources", [])
        if source["path"].startswith(f"{PARTS[1]}/") and ".." not in source["path"]
    ):
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
    return untouched and bool(set(_results(now)) - set(ours))


def _committed_with_the_pictures(path: str) -> bool:
    """Whether a table was there already in the commit that last changed the manifest, so that a picture of it
    should have come with it.
    """
    commit = sides.git("log", "-1", "--format=%H", "--", f"{PARTS[0]}/{export.MANIFEST}", check=False).decode().strip()
    return bool(commit) and bool(sides.git("ls-tree", "--name-only", commit, "--", path, check=False))


def _part(side: Side, wanted: set[str], left: set[str]) -> Side:
    """The side with the charts in `wanted` alone, and without those in `left`."""
    charts = {name: entry for name, entry in (side.charts or {}).items() if name in wanted and name not in left}
    kept = {f"{PARTS[0]}/{name}.jpg" for name in charts}
    return Side(side.label, {path: place for path, place in side.files.items() if path in kept}, charts)


def exit_code(made: report.Report) -> int:
    """0 as committed, renderer only or of other results; 1 anything else; 2 unreadable."""
    causes = {change.cause for change in made.changes}
    return 2 if UNREADABLE in causes else int(bool(causes - {RENDERER, OTHER}))


@cli
def main(arguments: list[str] | None = None) -> int:
    from scripts.figures.catalogue import CHARTS

    parser = argparse.ArgumentParser(
        prog="python -m scripts.diff.verify",
        description=__doc__.split("\n\n")[0],
        epilog="example: python -m scripts.diff.verify --only convnext",
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="draw only these charts")
    parser.add_argument(
        "--out", type=Path, default=OUT, metavar="DIR", help="where the report goes (default: build/verify)"
    )
    options = parser.parse_args(arguments)
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
