"""The Markdown summary of a comparison, for a pull request's comment; from the JSON alone, with the standard library
alone.

    python3 -m scripts.diff.comment build/diff/diff.json --out build/comment.md

A pull request from a fork draws its figures with its own code, so what its report says may be anything. The workflow
that comments has the right to write; it runs this script of the main branch, which takes the report for data: each
field of the kind it should be, cut to length, and as plain text: no markup, HTML, links, mentions or references.
"""

from __future__ import annotations

import json
import sys
from html import escape

from scripts.common.errors import UserError, cli, parser_of, printable
from scripts.common.paths import atomic_write, local

SCHEMA = 1
MARKER = "<!-- figure-diff -->"  # the workflow finds its own comment by it
LONGEST = 60_000  # GitHub takes comments of 65,536 characters
LARGEST = 32 * 2**20  # bytes of a report that is read
LARGEST_SIDE = 10**6  # pixels that are shown; a report may say any number
ROWS = 8  # values of one table that are shown
VALUE = 160  # characters of a cell or a field that are shown


def cut(text, limit: int = VALUE) -> str:
    """Text on one line, shortened in the middle, without what can't be seen: control characters, marks of direction."""
    text = printable(" ".join(str(text)[:10_000].split()))
    return text if len(text) <= limit else f"{text[: limit * 2 // 3]} … {text[-limit // 4 :]}"


def percent(change: float) -> str:
    """A relative change for people: 0.5%, 12%, 310%."""
    return f"{change * 100:.2g}%" if abs(change) < 1 else f"{change * 100:.4g}%"


def signed(change: float | None) -> str:
    """A relative change with its sign; '' for None."""
    return "" if change is None else ("+" if change > 0 else "−") + percent(abs(change))


def share(value: float) -> str:
    """A share of pixels: 0, 0.004%, 12%; never 0% for something."""
    return "0" if not value else f"{value * 100:.2g}%"


def similarity(value: float) -> str:
    """Structural similarity, with as many nines as it takes to tell it from 1."""
    return (
        "1"
        if value == 1
        else next((f"{value:.{digits}f}" for digits in range(3, 9) if round(value, digits) < 1), f"{value:.8f}")
    )


def size(base: list[int], head: list[int]) -> str:
    """The size in pixels, or both where they differ."""
    old, new = (f"{wide:,} × {high:,}" for wide, high in (base, head))
    return new if old == new else f"{old} → {new}"


def plain(text, limit: int = VALUE) -> str:
    """Any text as Markdown that shows it as it is."""
    shown = escape(cut(text, limit), quote=False)
    for character in "\\`*_{}[]()#+!|~$":
        shown = shown.replace(character, f"\\{character}")
    for start in ("@", "://", "www.", "GH-", "\\#"):  # a zero-width space keeps them from becoming links and mentions
        shown = shown.replace(start, f"{start[:1]}\u200b{start[1:]}" if start != "\\#" else "\\#\u200b")
    return shown


def markdown(report: dict) -> str:
    """The summary of `report` (the content of diff.json), at most LONGEST characters. Raises UserError where it is
    no such report.
    """
    try:
        lines = _lines(report)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise UserError(
            f"diff.json: not a report of this project ({type(error).__name__}: {cut(error, 80)}); make it again with "
            "`make diff`"
        ) from None
    kept, length = [], 0
    for line in lines:
        length += len(line) + 1
        if length > LONGEST:
            kept += ["", "… and more: the report has all of it."]
            break
        kept.append(line)
    return "\n".join(kept).rstrip() + "\n"


def _lines(report: dict) -> list[str]:
    if report["schema"] != SCHEMA:
        raise ValueError(f"schema {report['schema']}")
    lines = [MARKER, f"### {plain(report['headline'])}", "", f"{plain(report['base'])} → {plain(report['head'])}", ""]
    if report["code"]:
        lines += [f"Scripts that differ: {plain(', '.join(map(str, report['code'])), 400)}", ""]
    lines += [f"- {plain(note, 400)}" for note in report["notes"]] + [""] * bool(report["notes"])
    figures = [change for change in report["changes"] if change["kind"] == "figure"]
    others = [change for change in report["changes"] if change["kind"] != "figure"]
    if figures:
        lines += ["| figure | cause | pixels changed | similarity | why |", "|---|---|---|---|---|"]
        for change in figures:
            seen = change.get("pixels")
            resized = seen and seen["base_size"] != seen["head_size"]
            pixels = "" if not seen else plain(_size(seen)) if resized else share(float(seen["changed"]))
            lines.append(
                f"| {plain(_name(change))} | **{plain(change['cause'], 20)}** | {pixels} | "
                f"{similarity(float(seen['ssim'])) if seen and not resized else ''} | "
                f"{plain('; '.join(map(str, change['why'])), 300)} |"
            )
        lines.append("")
    if others:
        lines += ["| table | machine | cause | what |", "|---|---|---|---|"]
        lines += [
            f"| {plain(_name(change))} | {plain(change.get('machine', ''), 60)} | **{plain(change['cause'], 20)}** | "
            f"{plain('; '.join([str(change['summary']), *map(str, change['why'])]), 300)} |"
            for change in others
        ]
        lines.append("")
    for change in others:
        cells = [cell for cell in (change.get("table") or {}).get("cells", []) if not cell["within"]][:ROWS]
        if cells:
            lines += [
                f"<details><summary>{plain(_name(change))}: the largest changes</summary>",
                "",
                "| row | column | was | is | change |",
                "|---|---|---|---|---|",
            ]
            lines += [
                f"| {plain(cell['key'], 80)} | {plain(cell['column'], 40)} | {plain(cell['base'], 40)} | "
                f"{plain(cell['head'], 40)} | "
                f"{signed(None if cell['change'] is None else float(cell['change']))} |"
                for cell in cells
            ]
            lines += ["", "</details>", ""]
    return lines


def _name(change: dict) -> str:
    return str(change["path"]).rsplit("/", 1)[-1]


def _size(seen: dict) -> str:
    return size(*([min(int(side), LARGEST_SIDE) for side in seen[name][:2]] for name in ("base_size", "head_size")))


@cli
def main(arguments: list[str] | None = None) -> None:
    parser = parser_of(
        "scripts.diff.comment", __doc__, "python3 -m scripts.diff.comment build/diff/diff.json --out build/comment.md"
    )
    parser.add_argument("report", type=local, help="diff.json of `make diff`")
    parser.add_argument("--out", type=local, required=True, metavar="FILE", help="where the Markdown goes")
    options = parser.parse_args(arguments)
    try:
        if options.report.stat().st_size > LARGEST:
            raise UserError(
                f"{options.report.name}: {options.report.stat().st_size / 2**20:.0f} MB is too large for a report; "
                "make it again with `make diff`"
            )
        report = json.loads(options.report.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"{options.report}: not a readable report ({getattr(error, 'strerror', None) or type(error).__name__}); "
            "make it with `make diff`"
        ) from None
    atomic_write(options.out, markdown(report))


if __name__ == "__main__":
    sys.exit(main())
