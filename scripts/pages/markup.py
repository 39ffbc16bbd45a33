"""Text that is safe in HTML and in Quarto's Markdown: what comes from data is escaped here, once, for every page.

from scripts.pages.markup import Html, safe, block
"""

from __future__ import annotations

import re
from html import escape


class Html(str):
    """Text that is HTML already. Whoever makes one has escaped what is in it; `link` and `code` do, also for use within
    Markdown."""


def link(text: str, href: str) -> Html:
    """A link with `text` escaped. Only http(s), mailto and paths are links; anything else (javascript:) stays text."""
    if re.match(r"\s*[a-z][a-z0-9+.-]*:", str(href), re.I) and not re.match(r"(https?|mailto):", str(href), re.I):
        return Html(inert(text))
    return Html(f'<a href="{inert(href)}">{inert(text)}</a>')


def code(text: str) -> Html:
    """`text` as code."""
    return Html(f"<code>{inert(text)}</code>")


class text:
    """Any value as inline text in which nothing is markup, and which may break after _: `{python} page.text(name)`."""

    def __init__(self, value: object):
        self.value = str(value)

    def _repr_markdown_(self) -> str:
        return quoted(self.value)

    def __repr__(self) -> str:
        return repr(self.value)


def quoted(value: object) -> str:
    """What `text` shows, as Markdown for a sentence that is made in Python."""
    return inline(breaking(value) or "<!-- -->")  # Quarto shows the expression itself where an inline value is empty


def safe(value: object) -> str:
    """Escaped for HTML, and for Quarto, which looks for shortcodes even in raw HTML."""
    return escape(str(value), quote=True).replace("{{", "{&#123;")


def inert(value: object) -> str:
    """Escaped so that nothing is markup in Markdown either: every sign but / . , : ; - becomes a character
    reference."""
    return re.sub(r"[^\w\s/.,:;-]|_", lambda sign: f"&#{ord(sign[0])};", str(value))


def breaking(value: object) -> str:
    """Escaped text that may go on in the next line after an underscore, as long model names must on a phone."""
    return safe(value).replace("_", "_<wbr>")


def block(html: str) -> str:
    """A raw HTML block of Markdown. Blank lines are taken out; no text can end it early."""
    html = re.sub(r"\n\s*\n", "\n", html)
    mark = "`" * max([3, *(len(run) + 1 for run in re.findall(r"`{3,}", html))])
    return f"{mark}{{=html}}\n{html}\n{mark}"


def inline(html: str) -> str:
    """Raw HTML inside a line of Markdown; nothing for nothing, for which Markdown has no signs."""
    html = " ".join(html.split()).replace("`", "&#96;")
    return f"`{html}`{{=html}}" if html else ""
