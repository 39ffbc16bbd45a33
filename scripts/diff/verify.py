"""Do the committed pictures still come out of the committed data and code? Draws every chart again into a temporary folder and compares.

    make verify                                         # all charts
    python -m scripts.diff.verify --only convnext       # some

Writes the report to build/verify/. Exit code: 0 all as committed, or drawn by another browser or font only (said so); 1 other data, style,
words or pictures; 2 could not compare. Charts whose tables cannot be had here are listed as not drawn again.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from scripts.common.errors import cli
from scripts.common.paths import BUILD, IMAGES
from scripts.diff import compare, report, sides
from scripts.diff.causes import RENDERER, UNREADABLE
from scripts.diff.sides import PARTS, Side
from scripts.figures import export
from scripts.figures.drawing import Chart, counted

OUT = BUILD / "verify"
DRAWN = BUILD / "verify-drawn"  # temporary; of one name, so that what a killed run leaves does not pile up


def verify(charts: dict[str, Chart], folder: Path, only: list[str] | None = None, committed: Path = IMAGES) -> report.Report:
    """Draw `charts` (or those in `only`) into `folder` and compare with the pictures in `committed`.

    Raises UserError: unknown chart, damaged manifest, Chrome missing, crashed or hung.
    """
    base = sides.of_folder(committed, "committed") if (committed / export.MANIFEST).is_file() else Side("committed", {}, {})
    done = export.export(charts, only, folder, force=True)
    drawn = bool(done["drawn"])
    head = sides.of_folder(folder, "drawn again") if drawn else Side("drawn again", {}, {})
    wanted = set(only or charts) | (set() if only else set(base.charts or {}))
    left = {name + kind for name in done["kept"] for kind in ("", export.PHONE)}
    made = compare.compare(*(_part(side, wanted | {name + export.PHONE for name in wanted}, left) for side in (base, head)))
    if done["kept"]:
        made.notes.append(f"{counted(len(done['kept']), 'chart')} not drawn again, their tables cannot be had here: {', '.join(done['kept'])}")
    return made


def _part(side: Side, wanted: set[str], left: set[str]) -> Side:
    """The side with the charts in `wanted` alone, and without those in `left`."""
    charts = {name: entry for name, entry in (side.charts or {}).items() if name in wanted and name not in left}
    kept = {f"{PARTS[0]}/{name}.jpg" for name in charts}
    return Side(side.label, {path: place for path, place in side.files.items() if path in kept}, charts)


def exit_code(made: report.Report) -> int:
    """0 as committed or renderer only, 1 anything else, 2 unreadable."""
    causes = {change.cause for change in made.changes}
    return 2 if UNREADABLE in causes else int(bool(causes - {RENDERER}))


@cli
def main(arguments: list[str] | None = None) -> int:
    from scripts.figures.catalogue import CHARTS

    parser = argparse.ArgumentParser(prog="python -m scripts.diff.verify", description=__doc__.split("\n\n")[0],
                                     epilog="example: python -m scripts.diff.verify --only convnext")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="draw only these charts")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="where the report goes (default: build/verify)")
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
        print("verify: the committed pictures are not what the committed data and code draw; run `make figures` and commit images/", file=sys.stderr)
    elif made.changes and not code:
        print("verify: other bytes from another browser or font only; nothing to do")
    return code


if __name__ == "__main__":
    sys.exit(main())
