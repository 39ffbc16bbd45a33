"""Figures and tables as Quarto makes them: `::: {#fig-x}` and `::: {#tbl-x}` numbered page by page, with a caption.

No page refers to them by `@fig-x`, nor has other things that Quarto numbers: those are refused by file and line.
"""

from __future__ import annotations

import re

from scripts.common.errors import UserError
from scripts.site.builtin.pandoc import attr, div, plain, raw, rewrite, string, walk
from scripts.site.builtin.source import Page

NAMES = {"fig": "Figure", "tbl": "Table"}
_OTHER = re.compile(r"(sec|eq|lst|thm|lem|cor|prp|cnj|def|exm|exr|sol|rem|alg|nte|tip|wrn|imp|cau|vid)-.")


def resolve(document: dict, page: Page) -> dict:
    """Number figures and tables and give them captions. Raises UserError with file and line."""
    numbers = _numbers(document, page)
    return rewrite(document, lambda element: _float(element, numbers))


def _kind(identifier: str) -> str:
    kind, dash, rest = identifier.partition("-")
    return kind if dash and rest and kind in NAMES else ""


def _numbers(document: dict, page: Page) -> dict[str, str]:
    """id -> number, in the order of the page."""
    count, numbers = dict.fromkeys(NAMES, 0), {}
    for element in walk(document):
        if element["t"] == "Cite":
            target = element["c"][0][0]["citationId"]
            raise UserError(
                f"{page.line_of('@' + re.escape(target))}: @{target}: references and citations are not supported by "
                "the built-in renderer; write a link, or \\@ for the sign itself"
            )
        attributes = attr(element)
        if not attributes or not attributes[0]:
            continue
        identifier, kind = attributes[0], _kind(attributes[0])
        where = page.line_of("[#:] ?" + re.escape(identifier))
        if identifier in numbers:
            raise UserError(f"{where}: the id {identifier!r} stands twice on this page")
        if _OTHER.match(identifier) or (kind and element["t"] != "Div"):
            raise UserError(
                f"{where}: the id {identifier!r} is one that Quarto numbers; the built-in renderer numbers figures "
                "and tables written as ::: blocks"
            )
        if kind:
            if any((a := attr(child)) and _kind(a[0]) for child in walk(element["c"])):
                raise UserError(f"{where}: a figure or table inside {identifier}; subfigures are not supported")
            count[kind] += 1
            numbers[identifier] = str(count[kind])
    return numbers


def _float(element: dict, numbers: dict[str, str]) -> dict | None:
    attributes = attr(element)
    kind = _kind(attributes[0]) if attributes else ""
    if not kind:
        return None
    content, caption = list(element["c"][1]), []
    if len(content) > 1 and content[-1]["t"] in ("Para", "Plain"):
        caption = content.pop()["c"]
    number = string(NAMES[kind] + "\u00a0" + numbers[attributes[0]])
    label = [number, *([string(":"), {"t": "Space"}] if caption else [])]
    start = raw(f'<figcaption class="quarto-float-caption quarto-float-{kind}">')
    text = [start, plain([*label, *caption]), raw("</figcaption>")]
    body = [div(content), *text] if kind == "fig" else [*text, div(content)]
    figure = [raw(f'<figure class="quarto-float quarto-float-{kind} figure">'), *body, raw("</figure>")]
    return {"t": "Div", "c": [[attributes[0], ["quarto-float", *attributes[1]], attributes[2]], figure]}
