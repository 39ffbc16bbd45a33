"""What stands around a page's text in the built-in renderer: head, navigation, contents, footer. The words come
from `_quarto.yml`.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from string import Template

from scripts.common.errors import UserError
from scripts.site.builtin import pandoc
from scripts.site.builtin.config import Site
from scripts.site.builtin.source import Page

TEMPLATE = Template((Path(__file__).parent / "page.html").read_text())
OWN_STYLE, OWN_SCRIPT = (
    "assets/shell.css",
    "assets/shell.js",
)  # the part of Quarto's look and manners that its own theme brings there
GITHUB = (
    '<svg viewBox="0 0 16 16" width="18" height="18" aria-hidden="true"><path fill="currentColor" d="M8 0a8 8 0 0 '
    "0-2.5 15.6c.4.1.5-.2.5-.4v-1.4c-2.2.5"
    "-2.7-1-2.7-1-.4-1-.9-1.2-.9-1.2-.7-.5.1-.5.1-.5.8.1 1.2.8 1.2.8.7 1.2 1.9.9 "
    "2.3.7.1-.5.3-.9.5-1.1-1.8-.2-3.6-.9-3.6-4 0-.9.3-1.6.8-2.1-.1-.2"
    "-.4-1 .1-2.1 0 0 .7-.2 2.2.8a7.6 7.6 0 0 1 4 0c1.5-1 2.2-.8 2.2-.8.4 1.1.2 1.9.1 2.1.5.6.8 1.3.8 2.1 0 3.1-1.9 "
    "3.8-3.7 4 .3.2.6.7.6 1.5v2.2"
    'c0 .2.1.5.6.4A8 8 0 0 0 8 0z"/></svg>'
)


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
        pagetitle = (
            plain_title
            if not site_title or plain_title == site_title
            else f"{plain_title} – {site_title}"
            if plain_title
            else site_title
        )
        has_toc = bool(toc.strip()) and meta.get("toc", False)
        toc_title = escape(str(meta.get("toc-title", "On this page")))
        sidebar = self._sidebar(page, root)
        block = f'<h1 class="title">{title}</h1>' if title else ""
        block += f'<p class="subtitle lead">{subtitle}</p>' if subtitle else ""
        block += f'<div class="description">{description}</div>' if description else ""
        html = TEMPLATE.substitute(
            lang=escape(str(meta.get("lang", "en"))),
            generator=escape(generator or f"the built-in renderer, Pandoc {pandoc.version()}"),
            pagetitle=pagetitle,
            meta=self._meta(page, _strip(description) or str(web.get("description", "")), pagetitle, root),
            styles=self._styles(page, root),
            head=self._include(page, "include-in-header"),
            home=root + "index.html",
            brand=self.brand,
            left=self._items(web.get("navbar", {}).get("left", []), page, root),
            right=self._items(web.get("navbar", {}).get("right", []), page, root),
            bodyclass=" ".join(
                filter(
                    None,
                    [
                        "nav-fixed",
                        "fullcontent" if not has_toc else "",
                        f"page-{page.name.removesuffix('.qmd').replace('/', '-')}",
                    ],
                )
            ),
            layout="page-layout-"
            + ("full" if meta.get("page-layout") == "full" else "article")
            + (" with-sidebar" if sidebar else "")
            + (" with-toc" if has_toc else ""),
            sidebar=sidebar,
            titleblock=f'<header id="title-block-header">{block}</header>' if block else "",
            body=body,
            pagenav=self._pagenav(page, root),
            toc=f'<nav id="TOC" class="toc" aria-labelledby="toc-title"><h2 id="toc-title">{toc_title}</h2>{toc}</nav>'
            if has_toc
            else "",
            footer=self.foot,
            after=f'<script src="{root}{OWN_SCRIPT}" defer></script>\n' + self._include(page, "include-after-body"),
        )
        return _relative(html, root)

    def root(self, page: Page) -> str:
        """The way from the page to the site's root: '', '../', …; for 404, which is shown at any address, the
        site's own path.
        """
        if page.name == "404.qmd":
            path = re.sub(r"^https?://[^/]+", "", str(self.site.website.get("site-url", ""))).strip("/")
            return f"/{path}/" if path else "/"
        return "../" * page.name.count("/")

    def _meta(self, page: Page, description: str, title: str, root: str) -> str:
        web, tags = self.site.website, []
        if description:
            tags.append(f'<meta name="description" content="{_text(description)}">')
        icon = root + web["favicon"] if web.get("favicon") else "data:,"  # without one, browsers ask for /favicon.ico
        tags.append(f'<link rel="icon" href="{escape(icon)}">')
        if web.get("open-graph") or web.get("twitter-card"):
            tags += [
                f'<meta property="og:title" content="{title}">',
                f'<meta property="og:description" content="{_text(description)}">',
                '<meta name="twitter:card" content="summary_large_image">',
            ]
            image, url = page.meta.get("image") or web.get("image"), str(web.get("site-url", "")).rstrip("/")
            if image and url:
                tags.append(f'<meta property="og:image" content="{escape(url + "/" + str(image).lstrip("/"))}">')
        return "\n".join(tags)

    def _styles(self, page: Page, root: str) -> str:
        own = page.meta.get("css") or []
        return "\n".join(
            f'<link rel="stylesheet" href="{root}{escape(path)}">'
            for path in [OWN_STYLE, *([own] if isinstance(own, str) else own)]
        )

    def _include(self, page: Page, key: str) -> str:
        items = page.meta.get(key) or []
        out = []
        for item in items if isinstance(items, list) else [items]:
            if isinstance(item, dict) and "text" in item:
                out.append(str(item["text"]))
                continue
            path = str(item.get("file") if isinstance(item, dict) else item)
            try:
                out.append((self.site.root / path).read_text())
            except OSError:
                raise UserError(
                    f"{page.line_of(re.escape(key)) if key in page.text else '_quarto.yml'}: {key} names {path}, "
                    "which cannot be read"
                ) from None
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
                out.append(f'<li class="nav-item"><details class="dropdown">{summary}<ul>{inner}</ul></details></li>')
                continue
            href = item.get("href", "")
            label = escape(str(item.get("text") or ("" if item.get("icon") else self.titles.get(href, href))))
            icon = GITHUB if item.get("icon") == "github" else ""
            here = ' aria-current="page"' if href.lstrip("/") == page.name else ""
            aria = f' aria-label="{escape(str(item.get("aria-label") or "GitHub"))}"' if icon and not label else ""
            out.append(
                '<li class="nav-item"><a class="nav-link" '
                f'href="{self._href(href, root, "navigation")}"{here}{aria}>{icon}{label}</a></li>'
            )
        return "".join(out)

    def _sidebar(self, page: Page, root: str) -> str:
        sidebar = self.site.website.get("sidebar")
        if not sidebar:
            return ""
        out = []
        for item in sidebar.get("contents", []):
            if isinstance(item, dict) and "section" in item:
                inner = self._items(item.get("contents", []), page, root)
                out.append(
                    f'<li class="sidebar-section"><span>{escape(str(item["section"]))}</span><ul>{inner}</ul></li>'
                )
            else:
                out.append(self._items([item], page, root))
        title = f'<p class="sidebar-title">{escape(str(sidebar["title"]))}</p>' if sidebar.get("title") else ""
        return f'<nav id="quarto-sidebar" class="sidebar" aria-label="Pages">{title}<ul>{"".join(out)}</ul></nav>'

    def _order(self) -> list[str]:
        """Pages in the sidebar's order, which is that of 'previous' and 'next'."""
        found = []
        for item in self.site.website.get("sidebar", {}).get("contents", []):
            leaves = item.get("contents", []) if isinstance(item, dict) and "section" in item else [item]
            found += [(leaf if isinstance(leaf, str) else leaf.get("href", "")).lstrip("/") for leaf in leaves]
        return [name for name in found if name in self.titles]

    def _pagenav(self, page: Page, root: str) -> str:
        order = self._order()
        if not self.site.website.get("page-navigation") or page.name not in order:
            return ""
        place = order.index(page.name)
        links = []
        for kind, name in (
            ("previous", order[place - 1] if place else None),
            ("next", order[place + 1] if place + 1 < len(order) else None),
        ):
            if name:
                links.append(
                    f'<a class="nav-page-{kind}" rel="{kind[:4]}" '
                    f'href="{root}{name.removesuffix(".qmd")}.html">{escape(self.titles[name])}</a>'
                )
        return (
            f'<nav class="page-navigation" aria-label="Previous and next page">{"".join(links)}</nav>' if links else ""
        )

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
    from html import unescape

    return escape(unescape(text))


_TAG = re.compile(r"<[a-zA-Z][^<>]*>")
_ROOTED = re.compile(r"""(\s(?:href|src|srcset|poster)=["'])/(?!/)""")


def _relative(html: str, root: str) -> str:
    """Paths from the site's root (/images/x.jpg), also in raw HTML, as paths from the page, so that the site works
    in any folder.
    """
    return _TAG.sub(lambda tag: _ROOTED.sub(lambda match: match[1] + (root or "./"), tag[0]), html)
