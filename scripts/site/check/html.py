"""The built site's files, looked at without a browser: HTML that is valid, ids that are unique, links, anchors and
resources that are there.

    for problem in problems(Path("_site")): print(problem)

A site on GitHub Pages lies in a folder (https://name.github.io/project/), so an address that starts at the server's
root is a broken one.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit
from xml.etree import ElementTree

from scripts.common.errors import UserError
from scripts.site.extras import DOWNLOAD, FEED, MODELS, NOT_FOUND, SITEMAP

SAMPLE = 40  # of 1,900 pages of models and old names; all of them take two minutes
_HASHED = re.compile(r"-[0-9a-f]{8}$")  # a name that was made safe: always looked at
HTML = "{http://www.w3.org/1999/xhtml}"

# element -> attributes that make the browser fetch something
FETCHED = {
    **dict.fromkeys(("script", "iframe", "audio", "track", "embed", "input"), ("src",)),
    **dict.fromkeys(("image", "use", "link"), ("href",)),
    **{"img": ("src", "srcset"), "source": ("src", "srcset"), "video": ("src", "poster"), "object": ("data",)},
}
# what assets/charts.js fetches, as seen from the site's root: a figure, always as a script, and the tables of a machine
OURS = {
    **dict.fromkeys(("data-src", "data-phone"), lambda value: [re.sub(r"\.json$", ".js", value)]),
    "data-explore": lambda value: [f"charts/picker/{quote(name)}.js" for name in ("models", value)],
}
# rel of a link that is only an address
NOT_FETCHED = {"canonical", "alternate", "author", "license", "next", "prev", "me"}
NAMES = ("for", "aria-labelledby", "aria-describedby", "aria-controls", "aria-owns", "headers", "list", "popovertarget")
# Quarto's own switches (colours, menu): scripts in attributes, on links to nowhere
QUARTO = re.compile(r"\s*(?:if \()?window\.quarto")
# Markdown that nothing resolved, and missing values
LEAKS = re.compile(r"\?@(?:fig|tbl|sec|eq)-|\{\{<|`\{python\}|^\s*:::|\bnan\b%?|^\s*NaN\s*%?\s*$", re.M)


@dataclass(frozen=True)
class Problem:
    """where: file (and line); what is wrong, in a sentence."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass
class Page:
    """A parsed page: path in the site, its root element, the ids on it."""

    path: str
    root: ElementTree.Element
    ids: set[str] = field(default_factory=set)

    def all(self, *names: str) -> Iterator[ElementTree.Element]:
        """Elements by local name, in order; all of them where none is named."""
        return (node for node in self.root.iter() if isinstance(node.tag, str) and (not names or local(node) in names))


def local(node: ElementTree.Element) -> str:
    """An element's name without namespace."""
    return node.tag.rpartition("}")[2]


def text(node: ElementTree.Element) -> str:
    return " ".join("".join(node.itertext()).split())


def looked_at(site: Path) -> list[Path]:
    """The pages that are checked: all but the models', which one template makes; of these every SAMPLE-th."""
    paths = sorted(site.rglob("*.html"))
    models = [path for path in paths if path.parent == site / MODELS]
    left_out = {path for at, path in enumerate(models) if at % SAMPLE and _HASHED.search(path.stem) is None}
    return [path for path in paths if path not in left_out]


def pages(site: Path) -> tuple[list[Page], list[Problem]]:
    """(pages, what is wrong with their HTML). Raises UserError where there is no site."""
    import html5lib

    paths = looked_at(site) if site.is_dir() else []
    if not (site / "index.html").is_file():
        raise UserError(f"{site}: no index.html in it; build the site first (`make site`)")
    found, problems = [], []
    for path in paths:
        name = path.relative_to(site).as_posix()
        content = path.read_bytes()
        parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("etree"))
        page = Page(name, parser.parse(content, transport_encoding="utf-8"))
        for (line, _), code, details in parser.errors:
            what = html5lib.constants.E.get(code, code) % details
            problems.append(Problem(f"{name}:{line}", f"not valid HTML: {what}"))
        for node in page.all():
            identity = node.get("id")
            if identity is not None and (not identity or re.search(r"\s", identity)):
                problems.append(Problem(name, f"<{local(node)}> has an empty id or one with a blank: {identity!r}"))
            # Quarto names each of its style sheets alike; nothing refers to them
            elif identity in page.ids and local(node) not in ("link", "style"):
                problems.append(Problem(name, f"the id {identity!r} stands twice"))
            page.ids.add(identity or "")
        page.ids |= {node.get("name", "") for node in page.all("a")}
        found.append(page)
    return found, problems


def problems(site: Path) -> list[Problem]:
    """All that is wrong with the files of `site`. Raises UserError where there is no site."""
    found, wrong = pages(site)
    by_path = {page.path: page for page in found}
    for page in found:
        wrong += _page(page)
        wrong += _addresses(page, by_path, site)
    for path in sorted(site.rglob("*.css")):
        wrong += _style(path.read_text(encoding="utf-8", errors="replace"), path.relative_to(site).as_posix(), site)
    return [*wrong, *_whole(site, by_path)]


def _page(page: Page) -> Iterator[Problem]:
    """Title, language, headings, alternative texts, names that are referred to, Markdown that leaked."""

    def once(what: str, count: int) -> Iterator[Problem]:
        if count != 1:
            yield Problem(page.path, f"{count} {what} where there should be one")

    if not page.root.get("lang"):
        yield Problem(page.path, "the page does not say its language (<html lang>)")
    titles = [text(node) for node in page.root.findall(f"{HTML}head/{HTML}title")]
    yield from once("titles", len([title for title in titles if title]))
    yield from once("headings <h1>", len(list(page.all("h1"))))
    yield from once("<main>", len(list(page.all("main"))))
    metas = {node.get("name") or node.get("property"): node.get("content", "") for node in page.all("meta")}
    leads_on = any(node.get("http-equiv") == "refresh" for node in page.all("meta"))
    if page.path != NOT_FOUND and not leads_on and metas.get("robots") != "noindex":
        for name in ("viewport", "description", "og:title", "og:image"):
            if not metas.get(name):
                yield Problem(page.path, f"no <meta> {name}")
    for node in page.all("img"):
        if node.get("alt") is None:
            yield Problem(page.path, f"the image {node.get('src', '')[:120]} has no alt text")
    for node in page.all():
        classes = (node.get("class") or "").split()
        if "chart" in classes and not any(image.get("alt", "").strip() for image in node.iter(f"{HTML}img")):
            yield Problem(page.path, f"the chart {node.get('data-figure', '')!r} has no picture with alt text")
        for attribute in NAMES:
            for name in (node.get(attribute) or "").split():
                if name not in page.ids:
                    yield Problem(page.path, f"{attribute}={name!r} of <{local(node)}> names no id on the page")
        own = {name: value for name, value in node.attrib.items() if re.fullmatch(r"on[a-z]+", str(name))}
        events = [name for name, value in own.items() if not QUARTO.match(value)]
        if events:
            yield Problem(page.path, f"<{local(node)}> has a script in {events[0]}")
    for node in page.all("main"):
        leak = LEAKS.search("\n".join(_prose(node)))
        if leak:
            yield Problem(page.path, f"{leak.group().strip()!r} stands in the text")


def _prose(node: ElementTree.Element) -> Iterator[str]:
    """Texts below `node`, those of code, scripts and styles apart."""
    if local(node) in ("code", "pre", "script", "style", "textarea"):
        return
    yield node.text or ""
    for child in node:
        if isinstance(child.tag, str):
            yield from _prose(child)
        yield child.tail or ""


def _addresses(page: Page, by_path: dict[str, Page], site: Path) -> Iterator[Problem]:
    """Links, anchors and resources of a page that lead nowhere or leave the site."""
    for node in page.all():
        name = local(node)
        rel = set((node.get("rel") or "").split())
        fetched = FETCHED.get(name, ()) if not (name == "link" and rel & NOT_FETCHED) else ()
        style = node.get("style") or (node.text or "" if name == "style" else "")
        if style:
            yield from _style(style, page.path, site)
        for attribute in dict.fromkeys([*fetched, *OURS, *(("href",) if name in ("a", "area", "link") else ())]):
            value = node.get(attribute, node.get("{http://www.w3.org/1999/xlink}href") if attribute == "href" else None)
            if value is None or (value == "" and QUARTO.match(node.get("onclick", ""))):
                continue
            ours = attribute in OURS
            read = OURS[attribute] if ours else _srcset if attribute == "srcset" else lambda text: [text.strip()]
            where = "index.html" if ours else page.path
            for address in read(value):
                what = _wrong(address, where, by_path, site, fetched=ours or attribute in fetched)
                if what:
                    yield Problem(page.path, f"<{name} {attribute}={address[:160]!r}>: {what}")


def _srcset(value: str) -> list[str]:
    """The addresses of a srcset; a data: address keeps its comma."""
    return [part.split()[0] for part in re.split(r",\s+", value.strip()) if part.split()]


def _wrong(address: str, page: str, by_path: dict[str, Page], site: Path, fetched: bool) -> str:
    """What is wrong with an address on `page`; '' where nothing is."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "no valid address"
    if parts.scheme in ("http", "https") or address.startswith("//"):
        if fetched:
            return "the page fetches something from another site"
        return "" if parts.hostname and " " not in address else "no valid address"
    if parts.scheme == "mailto":
        return ""
    if parts.scheme == "data":
        return "" if fetched and address.startswith("data:image/") else "a data: address that is no image"
    if parts.scheme:
        return f"an address of the kind {parts.scheme}:"
    if not address:
        return "an empty address"
    if parts.path.startswith("/") and page != NOT_FOUND:
        return "starts at the server's root, so it breaks where the site lies in a folder"
    base = site if parts.path.startswith("/") else (site / page).parent
    target = (base / unquote(parts.path).lstrip("/")) if parts.path else site / page
    target = target.resolve()
    if not target.is_relative_to(site.resolve()):
        return "leads out of the site"
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return "there is no such file in the site"
    if parts.fragment and "=" not in parts.fragment and not fetched:  # a=b is a state, no anchor
        other = by_path.get(target.relative_to(site.resolve()).as_posix())
        if other and unquote(parts.fragment) not in other.ids and parts.fragment != "top":
            return "there is no such anchor on that page"
    return ""


def _style(css: str, where: str, site: Path) -> Iterator[Problem]:
    """Addresses in a style sheet that lead nowhere or leave the site."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.S)
    for found in re.finditer(r"url\(\s*(['\"]?)(.*?)\1\s*\)|@import\s+(['\"])(.*?)\3", css):
        address = found[2] if found[2] is not None else found[4]
        if address.startswith("#"):
            continue
        what = _wrong(address, where, {}, site, fetched=True)
        if what and not address.startswith("data:"):
            yield Problem(where, f"url({address[:160]}): {what}")


def _whole(site: Path, by_path: dict[str, Page]) -> Iterator[Problem]:
    """404 page, sitemap, feed and download."""
    if NOT_FOUND not in by_path:
        yield Problem(NOT_FOUND, "there is no such page; a reader of a broken link finds nothing to go on with")
    root, what = _xml(site / FEED)
    if root is None:
        yield Problem(FEED, what)
    else:
        items = root.findall("channel/item")
        if root.tag != "rss" or not (root.findtext("channel/title") and root.findtext("channel/link")):
            yield Problem(FEED, "not an RSS feed with title and link")
        start = root.findtext("channel/link", "").removesuffix("index.html")
        for number, item in enumerate(items, 1):
            if not all(item.findtext(name) for name in ("title", "guid", "pubDate")):
                yield Problem(FEED, f"item {number} lacks title, guid or date")
            what = _wrong(item.findtext("link", "").removeprefix(start), "index.html", by_path, site, fetched=False)
            if what:
                yield Problem(FEED, f"item {number} links to {item.findtext('link', '')[:120]!r}: {what}")
    if (site / SITEMAP).is_file():  # it needs the site's address, which a build at home does not know
        root, what = _xml(site / SITEMAP)
        if root is None:
            yield Problem(SITEMAP, what)
        found = [] if root is None else root.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")
        listed = [urlsplit(node.text or "").path for node in found]
        for page, parsed in by_path.items() if root is not None else ():
            if any(node.get("http-equiv") or node.get("content") == "noindex" for node in parsed.all("meta")):
                continue
            ends = (f"/{page}", f"/{page.removesuffix('index.html')}")
            if page != NOT_FOUND and not any(path.endswith(ends) for path in listed):
                yield Problem(SITEMAP, f"{page} is not in it")
    try:
        with zipfile.ZipFile(site / DOWNLOAD) as archive:
            if archive.testzip() or not any(name.endswith(".csv") for name in archive.namelist()):
                yield Problem(DOWNLOAD, "damaged, or without a CSV")
    except (OSError, zipfile.BadZipFile):
        yield Problem(DOWNLOAD, "not there, or no archive; all results should be there as one file")


def _xml(path: Path) -> tuple[ElementTree.Element | None, str]:
    """(root, '') or (None, what is wrong). What is read was written by this project; a DOCTYPE is refused all the
    same.
    """
    try:
        content = path.read_bytes()
        if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
            return None, "a DOCTYPE has no place in it"
        return ElementTree.fromstring(content), ""
    except OSError:
        return None, "there is no such file"
    except ElementTree.ParseError as error:
        return None, f"not well-formed: {error}"
