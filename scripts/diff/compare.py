"""Which figures and tables changed, why, and by how much: images/ and report/data/ against a git revision or a folder.

    make diff                                                  # against the merge base with main
    python -m scripts.diff.compare --base HEAD~3 --out /tmp/d  # against a revision, or --base FOLDER
    # and record the pictures as they are in images/manifest.json
    python -m scripts.diff.compare --accept

Writes index.html (self-contained), summary.md (for a pull request) and diff.json. Exit code: 0 nothing changed, 1
changed, 2 could not compare. With a folder as base, --accept also copies what changed into it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from scripts.common.errors import UserError, cli, parser_of
from scripts.common.paths import BUILD, ROOT, atomic_write, local
from scripts.diff import report
from scripts.diff.causes import DATA, RENAMED, UNREADABLE, Change, changes
from scripts.diff.pixels import open_image
from scripts.diff.sides import PARTS, Side, default_base, digest, git, side
from scripts.figures.export import MANIFEST, SCHEMA

OUT = BUILD / "diff"
# Code that decides what a figure shows.
DRAWING = [f"scripts/{room}" for room in ("figures", "findings", "predict", "data", "common")]


def compare(base: Side, head: Side) -> report.Report:
    """The differences between two sides. Raises UserError where git fails."""
    differ, identical = changes(base, head)
    made = report.Report(base.label, head.label, differ, identical, code=_code(base, head))
    for change in differ:
        if change.kind == "figure" and change.cause == DATA and made.code:
            change.why.append("scripts differ too, so the look may have changed with the data")
    missing = sorted(name for name in head.charts or {} if f"{PARTS[0]}/{name}.jpg" not in head.files)
    if missing:
        made.notes.append(f"{MANIFEST} names pictures that are not there: {', '.join(missing)}; run `make figures`")
    return made


def _code(base: Side, head: Side) -> list[str]:
    """Scripts that decide what a figure shows and that differ between two revisions, or a revision and the working
    tree.
    """
    if not base.revision:
        return []
    revisions = filter(None, [base.revision, head.revision])
    names = git("diff", "--name-only", *revisions, "--", *DRAWING).decode().split("\n")
    return sorted(name for name in names if name.endswith((".py", ".csv")))


def accept(differ: list[Change], head: Side, target: Path) -> list[str]:
    """Make `target` (a folder with images/ and report/data/) hold what `head` holds, pictures and manifest in step.
    Returns what was written.

    The manifest is written last and records every picture as it is. Raises UserError, with nothing written, while
    something is unreadable.
    """
    unreadable = [change.path for change in differ if change.cause == UNREADABLE]
    if unreadable:
        raise UserError(f"{unreadable[0]}: could not be compared, so nothing was accepted; mend it first")
    written = []
    for change in differ:
        for path in {change.path, change.before} - {""}:
            place = target / path
            source = head.files.get(path)
            if source and source.resolve() != place.resolve():
                _copy(source, place)
                sidecar = source.with_suffix(".json")
                if change.kind == "table" and sidecar.is_file():
                    _copy(sidecar, place.with_suffix(".json"))
                written.append(path)
            elif not source and place.exists():
                place.unlink()
                written.append(path)
    manifest = target / PARTS[0] / MANIFEST
    content = json.dumps({"schema": SCHEMA, "charts": _recorded(head)}, indent=1, ensure_ascii=False) + "\n"
    if head.charts is not None and not (manifest.is_file() and manifest.read_text(encoding="utf-8") == content):
        atomic_write(manifest, content)
        written.append(f"{PARTS[0]}/{MANIFEST}")
    return written


def _copy(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(place, source.read_bytes())


def _recorded(head: Side) -> dict[str, dict]:
    """The manifest's entries with each picture's size and checksum as it is; entries without a picture are dropped."""
    entries = {}
    for name, entry in (head.charts or {}).items():
        path = head.files.get(f"{PARTS[0]}/{name}.jpg")
        if path and digest(path) == entry["jpg"]["sha256"]:
            entries[name] = entry
        elif path:
            high, wide, _ = open_image(path).shape
            jpg = {"width": wide, "height": high, "bytes": path.stat().st_size, "sha256": digest(path)}
            entries[name] = {**entry, "jpg": jpg}
    return entries


def tell(made: report.Report, out: Path, name: str = "diff") -> None:
    """Say on the terminal what was found."""
    for change in made.changes:
        if change.cause == UNREADABLE:
            print(f"error: {change.why[0]}", file=sys.stderr)
            continue
        seen, more = change.pixels, ""
        if seen and seen.resized:
            more = f", {report.size(seen.base_size, seen.head_size)}"
        elif seen:
            more = f", {report.share(seen.changed)} of pixels ({seen.level})"
        if change.table:
            more += f", {report.summary(change)}"
        elif change.cause == RENAMED:
            more += f" from {change.before}"
        print(f"  {change.cause:16} {change.path}{more}")
    where = out.relative_to(ROOT) if out.is_relative_to(ROOT) else out
    print(f"{name}: {made.headline} ({made.base} → {made.head}); report: {where}/index.html")


@cli
def main(arguments: list[str] | None = None) -> int:
    parser = parser_of("scripts.diff.compare", __doc__, "python -m scripts.diff.compare --base HEAD~3 --out /tmp/diff")
    parser.add_argument(
        "--base", default="", metavar="REV|DIR", help="the old side (default: the merge base with main)"
    )
    parser.add_argument("--head", default="", metavar="REV|DIR", help="the new side (default: the working tree)")
    parser.add_argument(
        "--out", type=local, default=OUT, metavar="DIR", help="where the report goes (default: build/diff)"
    )
    parser.add_argument(
        "--accept",
        action="store_true",
        help="take the new side as right: rewrite the manifest, and the base where it is a folder",
    )
    options = parser.parse_args(arguments)
    with side(options.base or default_base()) as base, side(options.head) as head:
        # Path("") is a folder: this one
        folder = Path(options.base) if options.base and Path(options.base).is_dir() else None
        if options.accept and options.head and not folder:
            raise UserError("--accept: there is no folder to write to; use it on the working tree, or with --base DIR")
        made = compare(base, head)
        report.write(made, options.out)
        tell(made, options.out)
        if options.accept:
            written = accept(made.changes, head, folder or ROOT)
            print(f"diff: accepted; wrote {', '.join(written) or 'nothing, all is recorded'}")
            return 0
    return made.exit_code


if __name__ == "__main__":
    sys.exit(main())
