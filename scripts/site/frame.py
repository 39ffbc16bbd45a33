"""Quarto's pages in our own frame: what Quarto made of a page's text, with the head, navigation, contents and foot that
the built-in renderer writes.

Why: Quarto's frame is Bootstrap twice (light and dark), its icons and eight scripts, 1.5 MB on each page, and looks
otherwise than the built-in renderer's. With one frame there is one look, one script and one style to keep.
"""

from __future__ import annotations

import re
from pathlib import Path

from scripts.common.errors import UserError
from scripts.site.builtin import config, source
from scripts.site.builtin.shell import Shell

MADE = 'id="quarto-content" class="quarto-container'  # Quarto's frame; ours has another class there
_MAIN = re.compile(r'<main\b[^>]*\bid="quarto-document-content"[^>]*>(.*)</main>', re.S)
_TITLE_BLOCK = re.compile(r'<header id="title-block-header".*?</header>', re.S)
_CONTENTS = re.compile(r'<nav id="TOC".*?</h2>(.*?)</nav>', re.S)
_TAB = re.compile(r'<a (class="nav-link[^"]*"[^>]*? role="tab"[^>]*?) href=""([^>]*)>(.*?)</a>', re.S)
_TABLE = re.compile(r'<table class="caption-top [^>]*>.*?</table>', re.S)  # one written in Markdown; a cell's has none
_BOOTSTRAP = re.compile(r'\s+data-(?:bs-[\w-]+|scroll-target|anchor-id)="[^"]*"')


class Frame:
    """Puts pages of the project in `root` that Quarto rendered into our frame."""

    def __init__(self, root: Path):
        self.site = config.load(root, strict=False)
        self._pages = {name: source.head(self.site, name, strict=False)[0] for name in self.site.pages}
        self.shell = Shell(self.site, list(self._pages.values()))

    def page(self, name: str, html: str) -> str:
        """The page `name` (index.html, report/zoo.html) in our frame; one that Quarto did not make as it is.

        Raises UserError where it is none of the project's pages or does not look as Quarto's do.
        """
        if MADE not in html:
            return html
        page, main = self._pages.get(name.removesuffix(".html") + ".qmd"), _MAIN.search(html)
        if not page or not main:
            raise UserError(f"{name}: not a page of the project as Quarto writes them; is it newer than this renderer?")
        block = _TITLE_BLOCK.search(main[1])
        body = main[1].replace(block[0], "", 1) if block else main[1]
        contents = _CONTENTS.search(html)
        generator = re.search(r'<meta name="generator" content="([^"]*)"', html)
        return self.shell.wrap(
            page,
            *(_part(block, tag) for tag in ('h1 class="title', 'p class="subtitle', 'div class="description')),
            re.sub(r'\s(?:class|id)="[^"]*"', "", _BOOTSTRAP.sub("", contents[1])) if contents else "",
            mended(body).strip(),
            generator[1] if generator else "Quarto",
        )


def mended(body: str) -> str:
    """A page's text by Quarto without what only Bootstrap's scripts need; tabs, links to nowhere, as buttons."""
    body = _TAB.sub(r'<button type="button" \1\2>\3</button>', body)
    body = _TABLE.sub(r'<div class="table-scroll" tabindex="0">\g<0></div>', body)
    body = body.replace('<div class="tabset-margin-container"></div>', "")
    return _BOOTSTRAP.sub("", body)


def _part(block: re.Match | None, start: str) -> str:
    """What stands in the title block's element that starts with `start`; '' where there is none."""
    found = block and re.search(rf"<{start}[^>]*>(.*?)</{start.split()[0]}>", block[0], re.S)
    return found[1].strip() if found else ""
