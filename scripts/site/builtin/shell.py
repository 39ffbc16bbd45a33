"""What stands around a page's text, whichever renderer made it: head, navigation, contents, footer. The words come
from `_quarto.yml`.
"""

from __future__ import annotations

import re
from html import escape, unescape
from pathlib import Path
from string import Template

from scripts.common.errors import UserError
from scripts.site.builtin import pandoc
from scripts.site.builtin.config import Site
from scripts.site.builtin.source import Page

# In it, the typeface's faces, which stand in the style sheet, are asked for before the text is laid out: they are there
# when it is, and nothing moves.
TEMPLATE = Template((Path(__file__).parent / "page.html").read_text(encoding="utf-8"))
STYLE, SCRIPT = "assets/shell.css", "assets/shell.js"  # the frame's own look and manners


class Shell:
    """Titles of all pages, and the site's frame. `pages` are the parsed pages."""

    def __init__(self, site: Site, pages: list[Page]):
        self.site = site
        self.titles = {page.name: str(page.meta.get("title") or page.name) for page in pages}
        self.brand = pandoc.inline_html(
            str(site.website.get("navbar", {}).get("title") or site.website.get("title", "")), "_quarto.yml"
        )
        self.foot = self._footer()

    def wrap(
        self, page: Page, title: str, subtitle: str, description: str, toc: str, body: str, generator: str = ""
    ) -> str:
        """The whole HTML document of `page`; title, subtitle, description, toc and body are HTML from Pandoc.

        generator: what made that HTML, where it was not the built-in renderer.
        """
        meta, web = page.meta, self.site.website
        root = self.root(page)
        plain_title = _text(str(meta.get("pagetitle") or _strip(title)))
        site_title = _text(str(web.get("title", "")))
        both = [plain_title, *([site_title] if site_title != plain_title else [])]
        pagetitle = " – ".join(filter(None, both))
        has_toc = bool(toc.strip()) and meta.get("toc", False)
        toc_title = escape(str(meta.get("toc-title", "On this page")))
        contents = (
            f'<nav id="TOC" class="toc" aria-labelledby="toc-title"><h2 id="toc-title">{toc_title}</h2>{toc}</nav>'
        )
        block = f'<h1 class="title">{title}</h1>' if title else ""
        block += f'<p class="subtitle lead">{subtitle}</p>' if subtitle else ""
        block += f'<div class="description">{description}</div>' if description else ""
        html = TEMPLATE.substitute(
            lang=escape(str(meta.get("lang", "en"))),
            generator=escape(generator or f"the built-in renderer, Pandoc {pandoc.version()}"),
            pagetitle=pagetitle,
            meta=self._meta(_strip(description) or str(web.get("description", "")), root),
            styles=self._styles(page, root),
            head=self._include(page, "include-in-header"),
            home=root + "index.html",
            brand=self.brand,
            left=self._items(web.get("navbar", {}).get("left", []), page, root),
            bodyclass=("" if has_toc else "fullcontent ") + f"page-{page.name.removesuffix('.qmd').replace('/', '-')}",
            layout="with-toc" if has_toc else "",
            titleblock=f'<header id="title-block-header">{block}</header>' if block else "",
            body=body,
            toc=contents if has_toc else "",
            footer=self.foot,
            after=f'<script src="{root}{SCRIPT}" defer></script>\n' + self._include(page, "include-after-body"),
        )
        return _relative(html, root)

    def root(self, page: Page) -> str:
        """The way from the page to the site's root: '', '../', …"""
        return "../" * page.name.count("/")

    def _meta(self, description: str, root: str) -> str:
        web, tags = self.site.website, []
        if description:
            tags.append(f'<meta name="description" content="{_text(description)}">')
        icon = root + web["favicon"] if web.get("favicon") else "data:,"  # without one, browsers ask for /favicon.ico
        tags.append(f'<link rel="icon" href="{escape(icon)}">')
        return "\n".join(tags)

    def _styles(self, page: Page, root: str) -> str:
        own = page.meta.get("css") or []
        paths = [STYLE, *([own] if isinstance(own, str) else own)]
        return "\n".join(f'<link rel="stylesheet" href="{root}{escape(path)}">' for path in paths)

    def _include(self, page: Page, key: str) -> str:
        items = page.meta.get(key) or []
        out = []
        for item in items if isinstance(items, list) else [items]:
            if isinstance(item, dict) and "text" in item:
                out.append(str(item["text"]))
                continue
            path = str(item.get("file") if isinstance(item, dict) else item)
            try:
                out.append((self.site.root / path).read_text(encoding="utf-8"))
            except OSError:
                where = page.line_of(re.escape(key)) if key in page.text else "_quarto.yml"
                raise UserError(f"{where}: {key} names {path}, which cannot be read") from None
        return "\n".join(out)

    def _href(self, target: str, root: str, where: str) -> str:
        if re.match(r"[a-z]+:|#", target):
            return escape(target)
        path, mark, rest = target.partition("#")
        path = path.lstrip("/")
        if path.endswith(".qmd"):
            if path not in self.titles:
                raise UserError(f"_quarto.yml: {where} names {path}, which is no page of 'render'")
            path = path.removesuffix(".qmd") + ".html"
        return escape(root + path + mark + rest)

    def _items(self, items: list, page: Page, root: str) -> str:
        out = []
        for item in items:
            item = {"href": item} if isinstance(item, str) else item
            if "menu" in item:
                inner = self._items(item["menu"], page, root)
                summary = f"<summary>{escape(str(item.get('text', '')))}</summary>"
                out.append(f'<li><details class="dropdown">{summary}<ul>{inner}</ul></details></li>')
                continue
            href = item.get("href", "")
            label = escape(str(item.get("text") or self.titles.get(href, href)))
            here = ' aria-current="page"' if href.lstrip("/") == page.name else ""
            out.append(f'<li><a href="{self._href(href, root, "navigation")}"{here}>{label}</a></li>')
        return "".join(out)

    def _footer(self) -> str:
        footer = self.site.website.get("page-footer")
        parts = footer if isinstance(footer, dict) else {"center": footer} if footer else {}
        inner = "".join(
            f'<div class="nav-footer-{side}">{pandoc.inline_html(str(parts[side]), "_quarto.yml")}</div>'
            for side in ("left", "center", "right")
            if isinstance(parts.get(side), str)
        )
        return f'<footer class="footer"><div class="nav-footer">{inner}</div></footer>' if inner else ""


def _strip(html: str) -> str:
    """HTML in one line without its tags, still escaped."""
    return " ".join(re.sub(r"<[^>]+>", "", html).split())


def _text(text: str) -> str:
    """Text for an attribute or title, escaped once whether it came escaped or not."""
    return escape(unescape(text))


_TAG = re.compile(r"<[a-zA-Z][^<>]*>")
_ROOTED = re.compile(r"""(\s(?:href|src|srcset|poster)=["'])/(?!/)""")


def _relative(html: str, root: str) -> str:
    """Paths from the site's root (/images/x.jpg), also in raw HTML, as paths from the page, so that the site works
    in any folder.
    """
    return _TAG.sub(lambda tag: _ROOTED.sub(lambda match: match[1] + (root or "./"), tag[0]), html)
