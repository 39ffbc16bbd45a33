"""Quarto's blocks in Pandoc's JSON: callouts, tabsets, notes in the margin, grids, pictures, links. What no page
uses is refused.
"""

from __future__ import annotations

import itertools
import posixpath
import re

from scripts.common.errors import UserError
from scripts.site.builtin.pandoc import attr, div, plain, quoted, raw, rewrite, string, text_of, walk
from scripts.site.builtin.source import Page

CALLOUTS = ("note", "tip", "warning", "important", "caution")
# Classes that mean something to Quarto (or to the Bootstrap it brings): those that are supported, and the pattern of
# all of them.
CLASSES = {
    *(f"callout-{kind}" for kind in CALLOUTS),
    *("panel-tabset", "column-margin", "grid", "unnumbered", "lead"),
    *("cell", "cell-output", "cell-output-display", "cell-output-stdout", "cell-output-stderr", "cell-code"),
}
_QUARTO = re.compile(
    r"^(callout.*|panel-.*|column-.*|aside|margin-.*|content-.*|g-col-.*|g-start-.*|sidebar|lightbox|theorem|proof|"
    r"remark|solution|tbl-.*|fig-.*|layout-.*|cell.*|quarto-.*|nav.*|card.*|row|col|col-.*|alert.*|accordion.*|"
    r"badge.*|d-.*|btn.*|text-.*|bg-.*|listing.*|embed|landscape|smaller|incremental|fragment|mermaid|dot|ojs|"
    r"no-anchor|toc-.*|code-.*|list-table|bi-.*)$"
)
_GRID = re.compile(r"^g-col-(md-)?(4|6|8|12)$")  # those that assets/site.css knows
ATTRIBUTES = {"title", "group", "fig-alt", "width", "height", "style", "role", "tabindex", "loading", "alt", "start"}


def check(document: dict, page: Page) -> None:
    """Refuse classes and attributes that Quarto would act on and the built-in renderer would not."""
    for element in walk(document):
        attributes = attr(element)
        for name in attributes[1] if attributes else ():
            if _QUARTO.match(name) and name not in CLASSES and not _GRID.match(name):
                raise UserError(
                    f"{page.line_of('[.{ ]' + re.escape(name))}: .{name} is not supported by the built-in renderer; "
                    "take it out, or render with Quarto"
                )
        for key, value in attributes[2] if attributes else ():
            if not (key in ATTRIBUTES or key.startswith(("aria-", "data-"))):
                raise UserError(
                    f"{page.line_of(re.escape(key) + ' *=')}: the attribute {key}={value!r} is not supported by the "
                    "built-in renderer"
                )
        if element["t"] in ("RawBlock", "RawInline") and element["c"][0] != "html":
            where = page.line_of(re.escape(element["c"][1][:30].splitlines()[0]))
            raise UserError(f"{where}: raw {element['c'][0]} would be lost in HTML; write Markdown or HTML")


def structure(document: dict, page: Page) -> dict:
    """Callouts and tabsets: before headings are numbered, because their titles are written as headings."""
    counter = itertools.count(1)

    def change(element: dict):
        if element["t"] != "Div":
            return None
        (identifier, classes, pairs), content = element["c"]
        callout = next((name[8:] for name in classes if name.startswith("callout-")), None)
        if callout:
            return _callout(callout, identifier, dict(pairs), content)
        return _tabset(page, dict(pairs), content, counter) if "panel-tabset" in classes else None

    document = rewrite(document, change)
    return {**document, "blocks": _margin_notes(document["blocks"])}


def _margin_notes(blocks: list) -> list:
    """Notes in the margin that follow each other in one container, as Quarto sets them."""
    out: list = []
    for block in blocks:
        classes = block["c"][0][1] if block["t"] == "Div" else []
        if "column-margin" not in classes:
            out.append(block)
            continue
        (identifier, _, pairs), content = block["c"]
        note = div(content, identifier, [name for name in classes if name != "column-margin"], **dict(pairs))
        if not (out and out[-1]["t"] == "Div" and "column-container" in out[-1]["c"][0][1]):
            out.append(div([], classes=["column-margin", "column-container"]))
        out[-1]["c"][1].append(note)
    return out


def transform(document: dict, page: Page, pages: list[str], exists) -> dict:
    """Turn Quarto's other blocks into HTML elements. `exists(path)` tells of a file by its path from the site's
    root.
    """
    handlers = {
        "Image": lambda e: _image(e, page, exists),
        "Link": lambda e: _link(e, page, pages),
        "Table": _table,
    }
    return rewrite(document, lambda element: handlers.get(element["t"], lambda _: None)(element))


def _callout(kind: str, identifier: str, values: dict, content: list) -> dict:
    title = [string(values["title"])] if values.get("title") else None
    if not title and content and content[0]["t"] == "Header":
        title, content = content[0]["c"][2], content[1:]
    icon = raw('<div class="callout-icon-container"><i class="callout-icon"></i></div>')
    head = [icon, div([plain(title or [string(kind.capitalize())])], classes=["callout-title-container"])]
    body = div(content, classes=["callout-body-container", "callout-body"])
    classes = ["callout", "callout-style-default", f"callout-{kind}", "callout-titled"]
    return div([div(head, classes=["callout-header"]), body], identifier, classes)


def _tabset(page: Page, values: dict, content: list, counter) -> dict:
    heads = [block["c"][0] for block in content if block["t"] == "Header"]
    if not heads or content[0]["t"] != "Header" or content[0]["c"][0] != min(heads):
        raise UserError(f"{page.line_of('panel-tabset')}: a tabset starts with a heading, one for each tab")
    tabs: list[tuple[list, list]] = []
    for block in content:
        if block["t"] == "Header" and block["c"][0] == min(heads):
            tabs.append((block["c"][2], []))
        else:
            tabs[-1][1].append(block)
    name = f"tabset-{next(counter)}"
    group = f' data-group="{quoted(values["group"])}"' if "group" in values else ""
    out = [raw(f'<div class="panel-tabset"{group}><div class="nav nav-tabs" role="tablist">')]
    panes = []  # blocks of their own, so that a heading inside one ends with it
    for number, (title, body) in enumerate(tabs, 1):
        own, active = f"{name}-{number}", number == 1
        state = 'aria-selected="true"' if active else 'aria-selected="false" tabindex="-1"'
        tab = (
            f'<button type="button" class="nav-link{" active" * active}" role="tab" id="{own}-tab" '
            f'aria-controls="{own}" {state}>'
        )
        out += [raw(tab), plain(title), raw("</button>")]
        classes = ["tab-pane", "active"] if active else ["tab-pane"]
        panes.append(div(body, own, classes, role="tabpanel", aria_labelledby=f"{own}-tab", tabindex="0"))
    return div([*out, raw("</div>"), div(panes, classes=["tab-content"]), raw("</div>")])


def _image(element: dict, page: Page, exists):
    (identifier, classes, pairs), inlines, (target, title) = element["c"]
    values = dict(pairs)
    if target.startswith(("http:", "https:", "//")):
        raise UserError(
            f"{page.line_of(re.escape(target))}: the picture {target} would be fetched from another site; keep a "
            "copy in images/"
        )
    if not target.startswith("data:") and not exists(from_root(page, target)):
        where = page.line_of(re.escape(target))
        raise UserError(f"{where}: the picture {target} is not there; run `make figures`, or mend the path")
    alt = values.get("fig-alt") or values.get("alt") or text_of(inlines)
    kept = [[key, value] for key, value in pairs if key not in ("fig-alt", "alt")]
    words = [string(alt)] if alt else []
    return {"t": "Image", "c": [[identifier, [*classes, "img-fluid"], kept], words, [target, title]]}


def from_root(page: Page, target: str) -> str:
    """A link's path as seen from the site's root, without query and fragment."""
    target = target.partition("#")[0].partition("?")[0]
    folder = "" if target.startswith("/") else posixpath.dirname(page.name)
    return posixpath.normpath(posixpath.join(folder, target.lstrip("/")))


def _link(element: dict, page: Page, pages: list[str]):
    attributes, inlines, (target, title) = element["c"]
    path, mark, rest = target.partition("#")
    if path.endswith(".qmd") and not re.match(r"[a-z]+:", path):
        if from_root(page, path) not in pages:
            raise UserError(f"{page.line_of(re.escape(target))}: the link to {path} leads to no page of this site")
        target = path.removesuffix(".qmd") + ".html" + mark + rest
    return {"t": "Link", "c": [attributes, inlines, [target, title]]}


def _table(element: dict):
    (identifier, classes, pairs), *rest = element["c"]
    if "table" in classes:
        return None
    table = {**element, "c": [[identifier, ["table", *classes], pairs], *rest]}
    return div([table], classes=["table-scroll"], tabindex="0")
