"""The comparison for people and machines: one self-contained HTML file, JSON, and (from the JSON) a Markdown summary.

Whatever comes from a file is text here: it is escaped, and the page forbids itself every script but its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path

from scripts.common.errors import UserError
from scripts.common.paths import atomic_write
from scripts.common.provenance import now
from scripts.common.words import counted, listing
from scripts.diff.causes import CAUSES, QUIET, UNREADABLE, Change, summary
from scripts.diff.comment import SCHEMA, cut, markdown, share, signed, similarity, size
from scripts.diff.pixels import TOLERANCE, Pixels

ROWS = 100  # values of one table that the page shows; the JSON has more


@dataclass
class Report:
    """A comparison. code: scripts that draw or compute and that differ; notes: what else a reader should know."""

    base: str
    head: str
    changes: list[Change]
    identical: int
    code: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def loud(self) -> list[Change]:
        """What counts as a change."""
        return [change for change in self.changes if change.cause not in QUIET or change.pixels]

    @property
    def exit_code(self) -> int:
        """0 nothing changed, 1 changed, 2 something could not be compared."""
        return 2 if any(change.cause == UNREADABLE for change in self.changes) else int(bool(self.loud))

    @property
    def headline(self) -> str:
        """What changed, in a line: 2 figures and 1 table changed; 38 files identical."""
        kinds = Counter(change.kind for change in self.loud)
        parts = [counted(kinds[kind], kind) for kind in ("figure", "table", "file") if kinds[kind]]
        what = f"{listing(parts)} changed" if parts else "Nothing changed"
        return f"{what}; {counted(self.identical, 'file')} identical"


def write(report: Report, out: Path) -> None:
    """Write index.html, summary.md and diff.json into the folder `out`. Raises UserError where that cannot be."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out}: cannot be made ({error.strerror}); choose another folder with --out") from None
    plain = as_json(report)
    atomic_write(out / "index.html", html(report))
    atomic_write(out / "summary.md", markdown(plain))
    atomic_write(out / "diff.json", json.dumps(plain, indent=1, ensure_ascii=False) + "\n")


def as_json(report: Report) -> dict:
    """The comparison as plain data."""

    def one(change: Change) -> dict:
        plain = {"kind": change.kind, "path": change.path, "cause": change.cause, "summary": summary(change)}
        plain["why"], also = change.why, ("before", "machine", "fields", "sources")
        plain.update({key: value for key in also if (value := getattr(change, key))})
        if change.pixels:
            measured = {key: value for key, value in vars(change.pixels).items() if key != "overlay"}
            plain["pixels"] = {**measured, "level": change.pixels.level}
        if change.table:
            plain["table"] = asdict(change.table)
        return plain

    return {
        "schema": SCHEMA,
        "date": now(),
        **{name: getattr(report, name) for name in ("headline", "base", "head", "exit_code", "identical")},
        "causes": dict(Counter(change.cause for change in report.changes)),
        "code": report.code,
        "notes": report.notes,
        "changes": [one(change) for change in report.changes],
    }


# --- HTML -------------------------------------------------------------------------------------------------------------
def html(report: Report) -> str:
    """The whole report as one page that loads nothing and runs no script but its own."""
    here = Path(__file__).parent
    style, script = (here / "report.css").read_text(encoding="utf-8"), (here / "report.js").read_text(encoding="utf-8")
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'; base-uri "
        "'none'; form-action 'none'"
    )
    counts = Counter(change.cause for change in report.changes)
    filters = "".join(
        f'<button type="button" data-filter="{escape(cause)}" aria-pressed="false" '
        f'title="{escape(CAUSES[cause])}">{escape(cause)} {counts[cause]}</button>'
        for cause in CAUSES
        if counts[cause]
    )
    numbered = list(enumerate(report.changes))
    toc = "".join(
        f'<li data-cause="{escape(change.cause)}"><a href="#c{number}">{escape(cut(change.name, 70))}</a> '
        f"{_badge(change)}</li>"
        for number, change in numbered
    )
    sections = []
    for heading, kinds in (("Figures", ("figure",)), ("Tables and other files", ("table", "file"))):
        group = [(number, change) for number, change in numbered if change.kind in kinds]
        for machine in sorted({change.machine for _, change in group}):
            title = f"{heading} of {machine}" if machine else heading
            cards = "".join(_card(number, change) for number, change in group if change.machine == machine)
            sections.append(f"<section><h2>{escape(title)}</h2>{cards}</section>")
    views = {"side": "Side by side", "swipe": "Swipe", "onion": "Onion skin", "difference": "Difference"}
    modes = "".join(
        f'<button type="button" data-set-mode="{mode}" aria-pressed="{str(mode == "side").lower()}">{name} '
        f"<kbd>{key}</kbd></button>"
        for key, (mode, name) in enumerate(views.items(), 1)
    )
    notes = [*report.notes, *([f"Scripts that differ: {', '.join(report.code)}"] if report.code else [])]
    bar = (
        f"""<div class="bar">
<div class="group" role="group" aria-label="View">{modes}</div>
<div class="group" role="group" aria-label="Picture">
<button type="button" data-toggle="full" aria-pressed="false">Full size <kbd>z</kbd></button>
<button type="button" data-toggle="noboxes" aria-pressed="true">Boxes <kbd>b</kbd></button>
<button type="button" data-help>Keys <kbd>?</kbd></button></div>
<div class="group" role="group" aria-label="Cause">
<button type="button" data-filter="" aria-pressed="true">all {len(report.changes)}</button>{filters}</div>
<span class="muted" id="status" role="status"></span></div>"""
        if report.changes
        else ""
    )
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{escape(report.headline)}</title>
<style>{style}</style></head>
<body data-mode="side"><div class="page"><main>
<h1>{escape(report.headline)}</h1>
<p class="muted">{escape(report.base)} → {escape(report.head)}, {now()[:16].replace("T", " ")} UTC.
A pixel counts as changed when a channel is off by more than {TOLERANCE} of 255
and antialiasing does not explain it.</p>
{"".join(f"<p>{escape(note)}</p>" for note in notes)}
{bar}
<ul class="toc">{toc}</ul>
{"".join(sections)}
</main></div>
<dialog aria-label="Keys"><dl>
<dt><kbd>j</kbd> <kbd>k</kbd></dt><dd>next, previous change</dd>
<dt><kbd>1</kbd>–<kbd>4</kbd></dt><dd>side by side, swipe, onion skin, difference</dd>
<dt><kbd>←</kbd> <kbd>→</kbd></dt><dd>move the swipe or the onion skin of the current figure</dd>
<dt><kbd>space</kbd></dt><dd>flip between old and new (in swipe and onion skin)</dd>
<dt><kbd>z</kbd></dt><dd>full size</dd><dt><kbd>b</kbd></dt><dd>boxes around what changed</dd>
<dt><kbd>0</kbd></dt><dd>all causes</dd></dl>
<form method="dialog"><button>Close</button></form></dialog>
<script>{script}</script></body></html>
"""


def _badge(change: Change) -> str:
    return f'<span class="cause {escape(change.cause.split()[0])}">{escape(change.cause)}</span>'


def _card(number: int, change: Change) -> str:
    """One change as an article."""
    seen = change.pixels
    state = " single" if not (change.base and change.head) else " resized" if seen and seen.resized else " pixels"
    why = "".join(f"<li>{escape(cut(reason, 400))}</li>" for reason in change.why)
    words = summary(change) if change.table else CAUSES[change.cause]
    viewer = _viewer(change) if change.kind == "figure" else ""
    return f"""<article id="c{number}" class="{change.kind}{state}" data-cause="{escape(change.cause)}"
 tabindex="-1" aria-labelledby="h{number}">
<header><h3 id="h{number}">{escape(cut(change.path))}</h3>{_badge(change)}
<span class="muted">{escape(cut(words, 300))}</span></header>
{f"<ul>{why}</ul>" if why else ""}{_measures(seen) if seen else ""}{viewer}{_table(change)}{_fields(change)}
</article>"""


def _measures(seen: Pixels) -> str:
    facts = [("size", size(seen.base_size, seen.head_size))]
    if not seen.resized:
        facts += [
            ("pixels changed", share(seen.changed)),
            ("edges only", share(seen.antialiased)),
            ("touched at all", share(seen.touched)),
            ("mean", f"{seen.mean:.3g} of 255"),
            ("largest", f"{seen.maximum} of 255, of 8 × 8 blocks {seen.block}"),
            ("similarity (SSIM)", f"{similarity(seen.ssim)}, worst window {similarity(seen.ssim_worst)}"),
            ("difference", seen.level),
        ]
    listed = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    return f'<dl class="measures">{listed}</dl>'


def _viewer(change: Change) -> str:
    """The pictures of a figure, each in a frame; the style sheet lays them beside or over each other."""
    seen = change.pixels
    widest = max(seen.base_size[0], seen.head_size[0]) if seen else 1
    panes = []
    for which, path in (("old", change.base), ("new", change.head)):
        if not path or (picture := _data_url(path)) is None or (which == "old" and change.head and not seen):
            continue
        wide, high = (seen.base_size if which == "old" else seen.head_size) if seen else (0, 0)
        scale = f' style="width:{100 * wide / widest:.3f}%"' if seen and seen.resized else ""
        boxes = (
            "".join(
                '<span class="box" '
                f'style="left:{100 * left / wide:.3f}%;top:{100 * top / high:.3f}%;'
                f'width:{100 * (right - left) / wide:.3f}%;height:{100 * (bottom - top) / high:.3f}%"></span>'
                for left, top, right, bottom in seen.boxes
            )
            if seen and not seen.resized
            else ""
        )
        over = (
            f'<img class="over" alt="" src="data:image/png;base64,{base64.b64encode(seen.overlay).decode()}">'
            if seen and seen.overlay and which == "new"
            else ""
        )
        caption = "old and new, the same picture" if change.head and not seen and change.base else which
        panes.append(
            f'<figure class="pane {which}"><div class="frame"{scale}><img alt="{escape(cut(change.name, 80))}, '
            f'{which}" decoding="async" src="{picture}">'
            f"{over}{boxes}</div><figcaption>{caption}</figcaption></figure>"
        )
    slide = (
        '<input class="slide" type="range" min="0" max="100" value="50" aria-label="from old to new: '
        f'{escape(cut(change.name, 80))}">'
        if len(panes) == 2
        else ""
    )
    return f'<div class="viewer"><div class="stage">{"".join(panes)}</div>{slide}</div>' if panes else ""


def _data_url(path: Path) -> str | None:
    """The picture as a data: URL; None for what is no picture, so that nothing else can slip into the page."""
    content = path.read_bytes()
    kinds = {b"\xff\xd8\xff": "jpeg", b"\x89PNG": "png", b"RIFF": "webp"}
    kind = next((kind for start, kind in kinds.items() if content.startswith(start)), None)
    if not kind or len(content) >= 20 * 2**20:
        return None
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _table(change: Change) -> str:
    """What moved in a table: values by size, rows that came and went."""
    table = change.table
    if not table:
        return ""
    parts = [
        f'<p class="muted">{table.rows[0]:,} → {table.rows[1]:,} rows, matched by '
        f"{escape(' + '.join(table.key) or 'the whole row')}</p>"
    ]
    for names, word in ((table.added, "Added"), (table.gone, "Gone")):
        if names:
            listed = "".join(f"<li>{escape(cut(name))}</li>" for name in names[:ROWS])
            listed += f"<li>… and {len(names) - ROWS:,} more</li>" if len(names) > ROWS else ""
            parts.append(
                f"<details{' open' * (len(names) <= 12)}><summary>{word}: "
                f"{counted(len(names), 'row')}</summary><ul>{listed}</ul></details>"
            )
    if table.cells:
        number = lambda cell: ' class="number"' if cell.change is not None else ""
        rows = "".join(
            f"<tr{' class=within' * cell.within}><td>{escape(cut(cell.key))}</td><td>{escape(cut(cell.column))}</td>"
            f"<td{number(cell)}><del>{escape(cut(cell.base))}</del></td>"
            f"<td{number(cell)}><ins>{escape(cut(cell.head))}</ins></td><td "
            f'class="number">{signed(cell.change)}</td></tr>'
            for cell in table.cells[:ROWS]
        )
        left = table.moved + table.within - min(len(table.cells), ROWS)
        parts.append(
            '<div class="scroll"><table><thead><tr><th>row</th><th>column</th><th>was</th><th>is</th><th>change</th>'
            f"</tr></thead><tbody>{rows}</tbody></table></div>"
            + (f'<p class="muted">… and {left:,} more, smaller ones.</p>' if left else "")
        )
    return "".join(parts)


def _fields(change: Change) -> str:
    """What differs between the manifests' entries or the sidecars."""
    if not change.fields:
        return ""
    rows = "".join(
        f"<tr><td>{escape(cut(what))}</td><td><del>{escape(cut(old, 600))}</del></td>"
        f"<td><ins>{escape(cut(new, 600))}</ins></td></tr>"
        for what, old, new in change.fields
    )
    return (
        f"<details><summary>{counted(len(change.fields), 'recorded fact')} changed</summary>"
        '<div class="scroll"><table><thead><tr><th>fact</th><th>was</th><th>is</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></details>"
    )
