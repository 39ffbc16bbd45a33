"""Cross-references as Quarto makes them: figures, tables, equations and sections numbered page by page, `@fig-x` turned
into links.

Quarto prints `?@fig-x` for a reference without target and goes on; here it is an error with file and line.
"""

from __future__ import annotations

import re

from scripts.common.errors import UserError
from scripts.site.builtin.pandoc import attr, div, plain, raw, raw_inline, rewrite, string, text_of, walk
from scripts.site.builtin.source import Page

NAMES = {"fig": "Figure", "tbl": "Table", "sec": "Section", "eq": "Equation"}
OTHER = {
    "lst",
    "thm",
    "lem",
    "cor",
    "prp",
    "cnj",
    "def",
    "exm",
    "exr",
    "sol",
    "rem",
    "alg",
    "nte",
    "tip",
    "wrn",
    "imp",
    "cau",
    "vid",
}
_EQUATION = re.compile(r"^\{#(eq-[\w-]+)\}$")


def resolve(document: dict, page: Page) -> dict:
    """Number what has an id, wrap figures and tables, and resolve references. Raises UserError with file and line."""
    numbers: dict[str, str] = {}
    document = rewrite(document, lambda element: _equation(element, page))
    _number(document, page, numbers)
    document = rewrite(document, lambda element: _float(element, page, numbers))
    return rewrite(document, lambda element: _reference(element, page, numbers))


def _kind(identifier: str) -> str:
    kind, dash, rest = identifier.partition("-")
    return kind if dash and rest and (kind in NAMES or kind in OTHER) else ""


def _number(document: dict, page: Page, numbers: dict[str, str]) -> None:
    """Fill `numbers` in the order of the page; write section numbers into headings where the page asks for them."""
    count = dict.fromkeys(NAMES, 0)
    section = [0] * 7
    inside: list[str] = []
    for element in walk(document):
        attributes = attr(element)
        if not attributes:
            continue
        identifier, kind = attributes[0], _kind(attributes[0])
        if identifier in numbers:
            raise UserError(
                f"{page.line_of('[#:] ?' + re.escape(identifier))}: the id {identifier!r} stands twice on this page"
            )
        if kind in OTHER:
            raise UserError(
                f"{page.line_of(re.escape(identifier))}: '{kind}-' ids (Quarto's numbered {kind}) are not supported "
                "by the built-in renderer"
            )
        if element["t"] == "Header" and "unnumbered" not in attributes[1]:
            level = element["c"][0]
            section[level - 1] += 1
            section[level:] = [0] * (7 - level)
            # Quarto leaves the page title's level out, so that ## headings are 1, 2, 3 …
            number = ".".join(map(str, section[1:level] if level > 1 else section[:1]))
            if page.meta.get("number-sections"):
                element["c"][2][:0] = [
                    {"t": "Span", "c": [["", ["header-section-number"], []], [string(number)]]},
                    {"t": "Space"},
                ]
            if kind == "sec":
                numbers[identifier] = number
        elif kind and kind != "sec":
            count[kind] += 1
            numbers[identifier] = str(count[kind])
            inner = [a[0] for child in walk(element["c"]) if (a := attr(child)) and _kind(a[0]) in ("fig", "tbl")]
            if kind in ("fig", "tbl") and inner:
                inside.append(inner[0])
    if inside:
        raise UserError(
            f"{page.line_of(re.escape(inside[0]))}: {inside[0]} stands inside another figure or table; "
            "subfigures are not supported by the built-in renderer"
        )


def _equation(element: dict, page: Page) -> dict | None:
    """A paragraph with $$…$$ {#eq-x}: give the id to the equation."""
    if element["t"] not in ("Para", "Plain"):
        return None
    out: list = []
    for item in element["c"]:
        found = _EQUATION.match(item["c"]) if item["t"] == "Str" else None
        if found:
            while out and out[-1]["t"] in ("Space", "SoftBreak"):
                out.pop()
            if not out or out[-1]["t"] != "Math":
                raise UserError(f"{page.line_of(re.escape(found[0]))}: {found[0]} stands after no equation")
            out[-1] = {"t": "Span", "c": [[found[1], ["equation"], []], [out[-1]]]}
        else:
            out.append(item)
    return {**element, "c": out}


def _float(element: dict, page: Page, numbers: dict[str, str]):
    attributes = attr(element)
    identifier = attributes[0] if attributes else ""
    kind = _kind(identifier)
    if kind == "eq" and element["t"] == "Span":
        return {
            "t": "Span",
            "c": [
                attributes,
                [*element["c"][1], raw_inline(f'<span class="equation-number">({numbers[identifier]})</span>')],
            ],
        }
    if kind not in ("fig", "tbl"):
        return None
    if element["t"] == "Div":
        content, caption = list(element["c"][1]), []
        if len(content) > 1 and content[-1]["t"] in ("Para", "Plain"):
            caption = content.pop()["c"]
    elif element["t"] == "Figure":
        content, caption = element["c"][2], _flat(element["c"][1][1])
    elif element["t"] == "Table":
        caption = _flat(element["c"][1][1])
        content = [{"t": "Table", "c": [["", attributes[1], attributes[2]], [None, []], *element["c"][2:]]}]
    else:
        raise UserError(
            f"{page.line_of(re.escape(identifier))}: the id {identifier} belongs on a figure's or table's own block"
        )
    label = [string(NAMES[kind] + "\u00a0" + numbers[identifier]), *([string(":"), {"t": "Space"}] if caption else [])]
    body = [raw(f'<figure class="quarto-float quarto-float-{kind} figure">'), div(content)]
    text = [
        raw(f'<figcaption class="quarto-float-caption quarto-float-{kind}">'),
        plain([*label, *caption]),
        raw("</figcaption>"),
    ]
    body = body + text if kind == "fig" else [body[0], *text, body[1]]
    return {
        "t": "Div",
        "c": [
            [identifier, ["quarto-float", *attributes[1]], [] if element["t"] == "Table" else attributes[2]],
            [*body, raw("</figure>")],
        ],
    }


def _flat(blocks: list) -> list:
    return [inline for block in blocks for inline in block.get("c", []) if block["t"] in ("Para", "Plain")]


def _reference(element: dict, page: Page, numbers: dict[str, str]):
    if element["t"] != "Cite":
        return None
    out: list = []
    for citation in element["c"][0]:
        target = citation["citationId"]
        label = target[:1].lower() + target[1:]
        kind = _kind(label)
        where = page.line_of("@" + re.escape(target))
        if kind not in NAMES:
            raise UserError(
                f"{where}: @{target} is no cross-reference (fig-, tbl-, sec-, eq-); citations are not supported by "
                "the built-in "
                r"renderer, write \@ for the sign itself"
            )
        if label not in numbers:
            raise UserError(f"{where}: @{target} refers to nothing on this page")
        if kind == "sec" and not page.meta.get("number-sections"):
            raise UserError(f"{where}: @{target} needs 'number-sections: true' in the page's front matter")
        mode, prefix = citation["citationMode"]["t"], citation["citationPrefix"]
        name = text_of(prefix) if prefix else "" if mode == "SuppressAuthor" else NAMES[kind]
        shown = f"{name}\u00a0{numbers[label]}" if name else numbers[label]
        link = {"t": "Link", "c": [["", ["quarto-xref"], []], [string(shown)], ["#" + label, ""]]}
        out += [*([string(","), {"t": "Space"}] if out else []), link]
    return out
