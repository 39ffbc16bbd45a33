"""What the pages' cells print: charts, tables and the foot, as Markdown in which whatever comes from data is escaped.

    from scripts.pages import page
    page.chart("convnext")            # in a cell with `#| output: asis`
    page.table(frame, "Caption.", label="tbl-picks", link="report/data/picks.csv")
    page.footer()

Cells print Markdown with raw HTML blocks and never give `text/html`: for that, Quarto adds scripts from a CDN to the
page. Needs pandas and what `make figures` wrote: images/manifest.json, images/<name>.jpg and, where it was drawn here,
charts/<name>.json.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from scripts.common import provenance
from scripts.common.errors import UserError
from scripts.common.paths import CHARTS, IMAGES, ROOT
from scripts.pages import how_made, html_table
from scripts.pages.markup import Html, block, breaking, code, inline, link, safe, text

_used: dict[str, dict] = {}  # path -> source, of what this page has shown; one kernel runs one page


def chart(name: str) -> None:
    """Print the chart `name` as figure `@fig-<name>` (underscores become hyphens): picture, caption, sources, links to
    its data.

    assets/charts.js puts the interactive chart in the picture's place. A chart that is missing becomes a note that says
    what to run.
    """
    label = "fig-" + re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
    entry, why = _entry(name)
    if why:
        _print(
            f"::: {{#{label} "
            f".chart-missing}}\n\n{block(f'<p>{why}</p>')}\n\n{inline(safe(f'Not drawn yet: {name}.'))}\n\n:::"
        )
        return
    for one in entry.get("sources", []):
        path = str(one.get("path", ""))
        _used.setdefault(
            path,
            {
                **one,
                **(
                    how_made.published(one)
                    if one.get("url")
                    else {"hardware": entry.get("hardware", ""), "date": entry.get("date", "")}
                ),
            },
        )
    button = how_made.made("chart", entry.get("sources", []), _drawn(name, entry))
    _print(
        f"::: {{#{label} "
        f".chart-figure}}\n\n{block(_picture(name, entry))}\n\n{inline(_caption(name, entry, button))}\n\n:::"
    )


def _entry(name: str) -> tuple[dict, str]:
    """(manifest entry, why there is none as HTML)."""
    redraw = f"run {code('make figures')} and render again"
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        return {}, f"{code(name)} is no chart's name."
    try:
        entry = json.loads((IMAGES / "manifest.json").read_text(encoding="utf-8"))["charts"].get(name)
    except FileNotFoundError:
        return {}, f"The charts have not been drawn yet: {redraw}."
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}, f"{code('images/manifest.json')} cannot be read: restore it, or delete it and {redraw}."
    if not isinstance(entry, dict):
        return {}, (
            f"The chart {code(name)} is not in {code('images/manifest.json')}: {redraw}. It may need results that "
            f"{code('make bench')} or "
            f"{code('make train')} write."
        )
    if not _there(IMAGES / f"{name}.jpg"):
        return {}, f"The picture {code(f'images/{name}.jpg')} is missing: {redraw}."
    return entry, ""


def _picture(name: str, entry: dict) -> str:
    """The container that charts.js looks for, with the JPG (and its phone version, where there is one) inside."""
    shown = entry.get("shown") or entry.get("jpg") or {}
    width, height = (int(shown.get(key) or 0) for key in ("width", "height"))
    data = f' data-src="charts/{name}.json"' if _there(CHARTS / f"{name}.json") else ""
    explore = entry.get("explore") or {}
    if all(
        _there(CHARTS / "picker" / f"{one}.js") for one in ("models", explore.get("machine"))
    ):  # the reader's choice of machine
        data += f' data-explore="{safe(explore["machine"])}" data-part="{safe(explore.get("part", "infer"))}"'
    phone, source = _entry(f"{name}-phone")[0], ""
    if phone:
        small = phone.get("shown") or {}
        data += f' data-phone="charts/{name}-phone.json"' if _there(CHARTS / f"{name}-phone.json") else ""
        size = f'width="{int(small.get("width", 540))}" height="{int(small.get("height", 824))}"'
        source = f'<source media="(max-width: 600px)" srcset="/images/{name}-phone.jpg" {size}>'
    image = (
        f'<img src="/images/{name}.jpg" alt="{safe(entry.get("alt", ""))}" width="{width}" height="{height}" '
        'loading="lazy" class="img-fluid">'
    )
    return f'<div class="chart" data-figure="{name}"{data}><picture>{source}{image}</picture></div>'


def _drawn(name: str, entry: dict) -> list[tuple[str, str]]:
    """How the picture was drawn: command, versions, checksums."""
    how = entry.get("renderer") if isinstance(entry.get("renderer"), dict) else {}
    versions = ", ".join(
        f"{what} {version}" if what in ("plotly", "kaleido") else str(version) for what, version in how.items()
    )
    return [
        ("drawn by", code(f"python -m scripts.figures.export --only {name.removesuffix('-phone')}")),
        ("with", safe(versions)),
        ("SHA-256", f"<code>{safe((entry.get('jpg') or {}).get('sha256', ''))}</code>"),
    ]


def _caption(name: str, entry: dict, button: str) -> str:
    paths = [str(one.get("path", "")) for one in entry.get("sources", [])]
    linked = [_source(one) for one in entry.get("sources", [])]
    shown = ", ".join(linked[:3]) + (f" and {len(linked) - 3} more" if len(linked) > 3 else "")
    facts = [
        fact
        for fact in (
            f"Source: {shown}" if shown else "",
            how_made.mark(paths),
            safe(entry.get("hardware", "")),
            safe(entry.get("date", "")),
        )
        if fact
    ]
    links = [link("data (CSV)", f"/charts/{name}.csv")] if _there(CHARTS / f"{name}.csv") else []
    links += [link("picture", f"/images/{name}.jpg"), button]
    return f'{safe(entry.get("caption", ""))} <span class="source">{" · ".join([*facts, *links])}</span>'


def _source(one: dict) -> str:
    path = str(one.get("path", ""))
    if one.get("url"):
        return link(Path(path).name, one["url"])
    return link(Path(path).name, "/" + path) if path.startswith("report/data/") else safe(Path(path).name)


def table(
    frame: pd.DataFrame,
    caption: str = "",
    label: str | None = None,
    link: str | None = None,
    formats: Mapping[str, str | Callable] | None = None,
    sort: bool = True,
) -> None:
    """Print `frame` without its index as an HTML table: numbers to the right, the first column as the rows' heads,
    empty cells as '–'.

    caption: text (escaped). label: 'tbl-…' makes it a numbered table that `@tbl-…` refers to. link: path of the CSV it
    comes from. formats: column -> '{:.1f}' or a function; a value that is `Html` stays as it is. An empty frame becomes
    a line that says so. sort: whether readers may sort it (assets/tables.js).
    """
    if label is not None and not re.fullmatch(r"tbl-[A-Za-z0-9-]+", label):
        raise UserError(f"table: the label {label!r} should look like 'tbl-name'")
    words = safe(caption)
    if link:
        uses(link)
        path = link.lstrip("/")
        button = how_made.made("table", [{"path": path, "sha256": _used[path].get("sha256", "")}])
        about = filter(None, [f'<a href="/{safe(path)}">data (CSV)</a>', how_made.mark([path]), button])
        words += f' <span class="source">{" · ".join(about)}</span>'
    if frame.empty:
        body = '<p class="empty">No rows: there is nothing to show yet.</p>'
    else:
        body = html_table.html(frame, formats or {}, caption, sort)
    if label:
        _print(f"::: {{#{label} .table-figure}}\n\n{block(body)}\n\n{inline(words or '&#8203;')}\n\n:::")
    else:
        _print(
            block(f'<figure class="table-figure">{body}{f"<figcaption>{words}</figcaption>" if words else ""}</figure>')
        )


@contextlib.contextmanager
def or_note() -> Iterator[None]:
    """Print a note where a table would stand that is missing or damaged (UserError), so that the rest of the page
    can be read. Also a decorator.
    """
    try:
        yield
    except UserError as error:
        parts = str(error).replace(f"{ROOT}/", "").split("`")  # commands stand between backticks
        said = [inline(code(part)) if i % 2 else text(part)._repr_markdown_() for i, part in enumerate(parts)]
        _print(f"::: {{.callout-warning}}\n## A table is missing here\n{''.join(said)}\n:::")


def data_link(path: str, words: str | None = None) -> Html:
    """A link to a CSV of the project (report/data/….csv), which then is named at the page's foot. Raises UserError
    where it is missing.
    """
    if not _there(ROOT / path):
        raise UserError(f"{path}: no such file; run `make bench` or `make train`, or mend the name")
    uses(path)
    return link(words or Path(path).name, "/" + path)


def uses(path: str) -> None:
    """Name a CSV of the project at the page's foot, with its sidecar's hardware and date where it has one."""
    path = path.lstrip("/")
    facts: dict = {"path": path}
    try:
        found = provenance.read_sidecar(ROOT / path)
        made, behind = str(found.get("date", ""))[:10], how_made.computed_from(found)
        facts |= {
            "hardware": found["hardware"].get("name", ""),
            "date": f"computed on {made} from {behind}" if behind else made,
            "sha256": found.get("sha256", ""),
            "command": found.get("command", ""),
        }
    except UserError:
        pass
    _used[path] = facts


def footer() -> None:
    """Print the page's foot: which data its charts and tables come from; the renderer, commit and date are filled
    in at the end.
    """
    rows = []
    for path in sorted(_used):
        one = _used[path]
        facts = " · ".join(
            filter(None, [how_made.mark([path]), *(safe(one.get(key, "")) for key in ("hardware", "date"))])
        )
        digest = (
            f' · <code title="SHA-256 {safe(one["sha256"])}">{safe(str(one["sha256"])[:12])}</code>'
            if one.get("sha256")
            else ""
        )
        sidecar = ""
        if path.startswith("report/data/") and _there(ROOT / Path(path).with_suffix(".json")):
            sidecar = " · " + link("how it was made", "/" + Path(path).with_suffix(".json").as_posix())
        rows.append(f"<li>{_source(one)}{' · ' + facts if facts else ''}{digest}{sidecar}</li>")
    summary = f"<summary>Data behind this page: {len(rows)} {'table' if len(rows) == 1 else 'tables'}</summary>"
    data = f"<details>{summary}<ul>{''.join(rows)}</ul></details>" if rows else ""
    _print(block(f'<footer class="provenance">{data}\n<!-- site: foot --></footer>\n{how_made.panels()}'))


# --- printing


def _print(markdown: str) -> None:
    print(f"\n\n{markdown}\n\n")


def _there(path: Path) -> bool:
    """Whether a file is there; by opening it, so that the renderer hears of it and runs the page again when that
    changes.
    """
    try:
        with open(path, "rb"):
            return True
    except OSError:
        return False


def escaped(value: object) -> str:
    """Any value as text inside HTML that a caller builds."""
    return safe(value)


def breakable(name: object) -> str:
    """A model's name, escaped, that may go on in the next line after _ and before a point."""
    return breaking(name).replace(".", "<wbr>.")


def markdown(text: str) -> None:
    """Print Markdown that holds nothing from data, or only what is made safe."""
    _print(text)


def note(title: str, text: str) -> None:
    """Print a callout with a title and Markdown in it."""
    print(f"\n::: {{.callout-note}}\n## {title}\n{text}\n:::\n")


def html(text: str) -> None:
    """Print HTML whose values the caller has `escaped`."""
    _print(block(text))
