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
from scripts.common.words import counted
from scripts.pages import how_made, html_table
from scripts.pages.markup import Html, block, breaking, code, inline, link, quoted, safe, text as text

_used: dict[str, dict] = {}  # path -> source, of what this page has shown; one kernel runs one page
escaped = safe  # any value as text inside HTML that a caller builds


def chart(name: str) -> None:
    """Print the chart `name` as figure `@fig-<name>` (underscores become hyphens): picture, caption, sources, links to
    its data.

    assets/charts.js puts the interactive chart in the picture's place. A chart that is missing becomes a note that says
    what to run."""
    label = "fig-" + re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
    entry, why = _entry(name)
    if why:
        _figure(f"{label} .chart-missing", f"<p>{why}</p>", safe(f"Not drawn yet: {name}."))
        return
    ours = {"hardware": entry.get("hardware", ""), "date": entry.get("date", "")}
    # setdefault: where a table of the page shows the same file, its own sidecar says more than the chart (`uses`)
    for one in entry.get("sources", []):
        about = how_made.published(one) if one.get("url") else ours
        _used.setdefault(str(one.get("path", "")), {**one, **about})
    button = how_made.made("chart", entry.get("sources", []), _drawn(name, entry))
    _figure(f"{label} .chart-figure", _picture(name, entry), _caption(name, entry, button))


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
            f"{code('make bench')} or {code('make train')} write."
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
    # the reader's choice of machine
    if all(_there(CHARTS / "picker" / f"{one}.js") for one in ("models", explore.get("machine"))):
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
    linked = [how_made.source(one) for one in entry.get("sources", [])]
    shown = ", ".join(linked[:3]) + (f" and {len(linked) - 3} more" if len(linked) > 3 else "")
    facts = [f"Source: {shown}" if shown else "", how_made.mark(paths)]
    facts += [safe(entry.get(key, "")) for key in ("hardware", "date")]
    facts += [link("data (CSV)", f"/charts/{name}.csv")] if _there(CHARTS / f"{name}.csv") else []
    facts += [link("picture", f"/images/{name}.jpg"), button]
    return f'{safe(entry.get("caption", ""))} <span class="source">{" · ".join(filter(None, facts))}</span>'


def table(
    frame: pd.DataFrame | Mapping[str, object],
    caption: str = "",
    label: str | None = None,
    link: str | None = None,
    formats: Mapping[str, str | Callable] | None = None,
    sort: bool = True,
) -> None:
    """Print `frame` without its index as an HTML table: numbers to the right, the first column as the rows' heads,
    empty cells as '–'.

    frame: or its columns by title, each as values or (values, format). caption: text (escaped). label: 'tbl-…' makes
    it a numbered table that `@tbl-…` refers to. link: path of the CSV it comes from. formats: column -> '{:.1f}' or a
    function; a value that is `Html` stays as it is. An empty frame becomes a line that says so. sort: whether readers
    may sort it (assets/tables.js)."""
    if label is not None and not re.fullmatch(r"tbl-[A-Za-z0-9-]+", label):
        raise UserError(f"table: the label {label!r} should look like 'tbl-name'")
    if not isinstance(frame, pd.DataFrame):
        pairs = {title: given if isinstance(given, tuple) else (given, None) for title, given in frame.items()}
        formats = {title: how for title, (_, how) in pairs.items()}
        frame = pd.DataFrame({title: values for title, (values, _) in pairs.items()})
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
        _figure(f"{label} .table-figure", body, words or "&#8203;")
    else:
        html(f'<figure class="table-figure">{body}{f"<figcaption>{words}</figcaption>" if words else ""}</figure>')


@contextlib.contextmanager
def or_note() -> Iterator[None]:
    """Print a note where a table would stand that is missing or damaged (UserError), so that the rest of the page can
    be read. Also a decorator."""
    try:
        yield
    except UserError as error:
        parts = str(error).replace(f"{ROOT}/", "").split("`")  # commands stand between backticks
        said = [inline(code(part)) if i % 2 else quoted(part) for i, part in enumerate(parts)]
        markdown(f"::: {{.callout-warning}}\n## A table is missing here\n{''.join(said)}\n:::")


def data_link(path: str, words: str | None = None) -> Html:
    """A link to a CSV of the project (report/data/….csv), which then is named at the page's foot. Raises UserError
    where it is missing."""
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
        }
    except UserError:
        pass
    _used[path] = facts


def footer() -> None:
    """Print the page's foot: which data its charts and tables come from; the renderer, commit and date are filled in at
    the end."""
    rows = []
    for path, one in sorted(_used.items()):
        facts = [how_made.source(one), how_made.mark([path]), *(safe(one.get(key, "")) for key in ("hardware", "date"))]
        if digest := one.get("sha256"):
            facts.append(f'<code title="SHA-256 {safe(digest)}">{safe(str(digest)[:12])}</code>')
        if path.startswith(how_made.FOLDER) and _there(ROOT / (sidecar := Path(path).with_suffix(".json"))):
            facts.append(link("how it was made", f"/{sidecar.as_posix()}"))
        rows.append(f"<li>{' · '.join(filter(None, facts))}</li>")
    summary = f"<summary>Data behind this page: {counted(len(rows), 'table')}</summary>"
    data = f"<details>{summary}<ul>{''.join(rows)}</ul></details>" if rows else ""
    html(f'<footer class="provenance">{data}\n<!-- site: foot --></footer>\n{how_made.panels()}')


# --- printing


def _figure(attributes: str, body: str, caption: str) -> None:
    """Print a div that Quarto numbers: HTML with its caption."""
    markdown(f"::: {{#{attributes}}}\n\n{block(body)}\n\n{inline(caption)}\n\n:::")


def _there(path: Path) -> bool:
    """Whether a file is there; by opening it, so that the renderer hears of it and runs the page again when that
    changes."""
    try:
        with open(path, "rb"):
            return True
    except OSError:
        return False


def breakable(name: object) -> str:
    """A model's name, escaped, that may go on in the next line after _ and before a point."""
    return breaking(name).replace(".", "<wbr>.")


def markdown(words: str) -> None:
    """Print Markdown that holds nothing from data, or only what is made safe."""
    print(f"\n\n{words}\n\n")


def note(title: str, words: str) -> None:
    """Print a callout with a title and Markdown in it."""
    print(f"\n::: {{.callout-note}}\n## {title}\n{words}\n:::\n")


def html(words: str) -> None:
    """Print HTML whose values the caller has `escaped`."""
    markdown(block(words))
