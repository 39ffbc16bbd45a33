"""What the pages' cells print: charts, tables and the foot, as Markdown in which whatever comes from data is escaped.

    from scripts.site import page
    page.chart("convnext")            # in a cell with `#| output: asis`
    page.table(frame, "Caption.", label="tbl-picks", link="report/data/picks.csv")
    page.footer()

Cells print Markdown with raw HTML blocks and never give `text/html`: for that, Quarto adds scripts from a CDN to the page.
Needs pandas and what `make figures` wrote: images/manifest.json, images/<name>.jpg and, where it was drawn here, charts/<name>.json.
"""

from __future__ import annotations

import json
import math
import numbers
import re
from html import escape
from pathlib import Path
from typing import Callable, Mapping

import pandas as pd

from scripts.common import provenance
from scripts.common.errors import UserError
from scripts.common.paths import CHARTS, IMAGES, ROOT

_used: dict[str, dict] = {}  # path -> source, of what this page has shown; one kernel runs one page


class Html(str):
    """Text that is HTML already. Whoever makes one has escaped what is in it; `link` and `code` do, also for use within Markdown."""


def link(text: str, href: str) -> Html:
    """A link with `text` escaped. Only http(s), mailto and paths are links; anything else (javascript:) stays text."""
    if re.match(r"\s*[a-z][a-z0-9+.-]*:", str(href), re.I) and not re.match(r"(https?|mailto):", str(href), re.I):
        return Html(_inert(text))
    return Html(f'<a href="{_inert(href)}">{_inert(text)}</a>')


def code(text: str) -> Html:
    """`text` as code."""
    return Html(f"<code>{_inert(text)}</code>")


class text:
    """Any value as inline text in which nothing is markup, and which may break after _ : `` `{python} page.text(name)` ``."""

    def __init__(self, value: object):
        self.value = str(value)

    def _repr_markdown_(self) -> str:
        return _inline(_breaking(self.value))

    def __repr__(self) -> str:
        return repr(self.value)


def chart(name: str) -> None:
    """Print the chart `name` as figure `@fig-<name>` (underscores become hyphens): picture, caption, sources, links to its data.

    assets/charts.js puts the interactive chart in the picture's place. A chart that is missing becomes a note that says what to run.
    """
    label = "fig-" + re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
    entry, why = _entry(name)
    if why:
        _print(f'::: {{#{label} .chart-missing}}\n\n{_block(f"<p>{why}</p>")}\n\n{_inline(_safe(f"Not drawn yet: {name}."))}\n\n:::')
        return
    for one in entry.get("sources", []):
        _used.setdefault(str(one.get("path", "")), {**one, "hardware": entry.get("hardware", ""), "date": entry.get("date", "")})
    _print(f"::: {{#{label} .chart-figure}}\n\n{_block(_picture(name, entry))}\n\n{_inline(_caption(name, entry))}\n\n:::")


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
        return {}, (f"The chart {code(name)} is not in {code('images/manifest.json')}: {redraw}. It may need results that {code('make bench')} or "
                    f"{code('make train')} write.")
    if not _there(IMAGES / f"{name}.jpg"):
        return {}, f"The picture {code(f'images/{name}.jpg')} is missing: {redraw}."
    return entry, ""


def _picture(name: str, entry: dict) -> str:
    """The container that charts.js looks for, with the JPG (and its phone version, where there is one) inside."""
    shown = entry.get("shown") or entry.get("jpg") or {}
    width, height = (int(shown.get(key) or 0) for key in ("width", "height"))
    data = f' data-src="charts/{name}.json"' if _there(CHARTS / f"{name}.json") else ""
    phone, source = _entry(f"{name}-phone")[0], ""
    if phone:
        small = phone.get("shown") or {}
        data += f' data-phone="charts/{name}-phone.json"' if _there(CHARTS / f"{name}-phone.json") else ""
        size = f'width="{int(small.get("width", 540))}" height="{int(small.get("height", 824))}"'
        source = f'<source media="(max-width: 600px)" srcset="/images/{name}-phone.jpg" {size}>'
    image = f'<img src="/images/{name}.jpg" alt="{_safe(entry.get("alt", ""))}" width="{width}" height="{height}" loading="lazy" class="img-fluid">'
    return f'<div class="chart" data-figure="{name}"{data}><picture>{source}{image}</picture></div>'


def _caption(name: str, entry: dict) -> str:
    sources = [_source(one) for one in entry.get("sources", [])]
    shown = ", ".join(sources[:3]) + (f" and {len(sources) - 3} more" if len(sources) > 3 else "")
    facts = [fact for fact in (f"Source: {shown}" if shown else "", _safe(entry.get("hardware", "")), _safe(entry.get("date", ""))) if fact]
    links = [link("data (CSV)", f"/charts/{name}.csv")] if _there(CHARTS / f"{name}.csv") else []
    links.append(link("picture", f"/images/{name}.jpg"))
    return f'{_safe(entry.get("caption", ""))} <span class="source">{" · ".join([*facts, *links])}</span>'


def _source(one: dict) -> str:
    path = str(one.get("path", ""))
    if one.get("url"):
        return link(Path(path).name, one["url"])
    return link(Path(path).name, "/" + path) if path.startswith("report/data/") else _safe(Path(path).name)


def table(frame: pd.DataFrame, caption: str = "", label: str | None = None, link: str | None = None,
          formats: Mapping[str, str | Callable] | None = None) -> None:
    """Print `frame` without its index as an HTML table: numbers to the right, the first column as the rows' heads, empty cells as '–'.

    caption: text (escaped). label: 'tbl-…' makes it a numbered table that `@tbl-…` refers to. link: path of the CSV it comes from.
    formats: column -> '{:.1f}' or a function; a value that is `Html` stays as it is. An empty frame becomes a line that says so.
    """
    if label is not None and not re.fullmatch(r"tbl-[A-Za-z0-9-]+", label):
        raise UserError(f"table: the label {label!r} should look like 'tbl-name'")
    words = _safe(caption)
    if link:
        uses(link)
        words += f' <span class="source"><a href="/{_safe(link.lstrip("/"))}">data (CSV)</a></span>'
    if frame.empty:
        body = '<p class="empty">No rows: there is nothing to show yet.</p>'
    else:
        body = _table_html(frame, formats or {}, caption)
    if label:
        _print(f"::: {{#{label} .table-figure}}\n\n{_block(body)}\n\n{_inline(words or '&#8203;')}\n\n:::")
    else:
        _print(_block(f'<figure class="table-figure">{body}{f"<figcaption>{words}</figcaption>" if words else ""}</figure>'))


def _table_html(frame: pd.DataFrame, formats: Mapping, caption: str) -> str:
    numeric = [pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind) for kind in frame.dtypes]
    align = [' class="number"' if n or name in formats else _room(frame[name]) for n, name in zip(numeric, frame.columns)]
    head = "".join(f'<th scope="col"{a}>{_safe(name)}</th>' for name, a in zip(frame.columns, align))
    rows = []
    for values in frame.itertuples(index=False, name=None):
        cells = [_cell(value, formats.get(name)) for name, value in zip(frame.columns, values)]
        rows.append("<tr>" + "".join(f'<th scope="row"{a}>{c}</th>' if i == 0 else f"<td{a}>{c}</td>" for i, (c, a) in enumerate(zip(cells, align))) + "</tr>")
    name = f' role="region" aria-label="{_safe(caption)}"' if caption else ""
    return (f'<div class="table-scroll" tabindex="0"{name}><table class="table" data-quarto-disable-processing="true">\n<thead><tr>{head}</tr></thead>\n'
            f"<tbody>\n{chr(10).join(rows)}\n</tbody></table></div>")


def _room(column: pd.Series) -> str:
    """The class that gives a column of text room on a phone, where it would else break after every word and underscore."""
    longest = max(len(re.sub(r"<[^>]*>", "", value) if isinstance(value, Html) else str(value)) for value in column)
    return ' class="prose"' if longest > 60 else ' class="long"' if longest > 20 else ""


def _cell(value: object, how: str | Callable | None) -> str:
    if isinstance(value, Html):
        return value
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if how is not None:
        made = how.format(value) if isinstance(how, str) else how(value)
        return made if isinstance(made, Html) else _safe(made)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return f"{int(value):,}"
    if isinstance(value, numbers.Real):
        return f"{float(value):,.4g}" if abs(value) < 1000 else f"{float(value):,.0f}"
    return _breaking(value)


def data_link(path: str, words: str | None = None) -> Html:
    """A link to a CSV of the project (report/data/….csv), which then is named at the page's foot. Raises UserError where it is missing."""
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
        facts |= {"hardware": found["hardware"].get("name", ""), "date": str(found.get("date", ""))[:10], "sha256": found.get("sha256", ""),
                  "command": found.get("command", "")}
    except UserError:
        pass
    _used[path] = facts


def footer() -> None:
    """Print the page's foot: which data its charts and tables come from; the renderer, commit and date are filled in at the end."""
    rows = []
    for path in sorted(_used):
        one = _used[path]
        facts = " · ".join(_safe(one[key]) for key in ("hardware", "date") if one.get(key))
        digest = f' · <code title="SHA-256 {_safe(one["sha256"])}">{_safe(str(one["sha256"])[:12])}</code>' if one.get("sha256") else ""
        sidecar = ""
        if path.startswith("report/data/") and _there(ROOT / Path(path).with_suffix(".json")):
            sidecar = " · " + link("how it was made", "/" + Path(path).with_suffix(".json").as_posix())
        rows.append(f"<li>{_source(one)}{' · ' + facts if facts else ''}{digest}{sidecar}</li>")
    summary = f"<summary>Data behind this page: {len(rows)} {'table' if len(rows) == 1 else 'tables'}</summary>"
    data = f"<details>{summary}<ul>{''.join(rows)}</ul></details>" if rows else ""
    _print(_block(f'<footer class="provenance">{data}\n<!-- site: foot --></footer>'))


# --- printing

def _print(markdown: str) -> None:
    print(f"\n\n{markdown}\n\n")


def _safe(value: object) -> str:
    """Escaped for HTML, and for Quarto, which looks for shortcodes even in raw HTML."""
    return escape(str(value), quote=True).replace("{{", "{&#123;")


def _inert(value: object) -> str:
    """Escaped so that nothing is markup in Markdown either: every sign but / . , : ; - becomes a character reference."""
    return re.sub(r"[^\w\s/.,:;-]|_", lambda sign: f"&#{ord(sign[0])};", str(value))


def _breaking(value: object) -> str:
    """Escaped text that may go on in the next line after an underscore, as long model names must on a phone."""
    return _safe(value).replace("_", "_<wbr>")


def _there(path: Path) -> bool:
    """Whether a file is there; by opening it, so that the renderer hears of it and runs the page again when that changes."""
    try:
        with open(path, "rb"):
            return True
    except OSError:
        return False


def _block(html: str) -> str:
    """A raw HTML block of Markdown. Blank lines are taken out; no text can end it early."""
    html = re.sub(r"\n\s*\n", "\n", html)
    mark = "`" * max([3, *(len(run) + 1 for run in re.findall(r"`{3,}", html))])
    return f"{mark}{{=html}}\n{html}\n{mark}"


def _inline(html: str) -> str:
    """Raw HTML inside a line of Markdown."""
    html = " ".join(html.split()).replace("`", "&#96;")
    return f"`{html}`{{=html}}"


def escaped(value: object) -> str:
    """Any value as text inside HTML that a caller builds."""
    return _safe(value)


def html(text: str) -> None:
    """Print HTML whose values the caller has `escaped`."""
    _print(_block(text))
