"""What a published site has besides its pages, made alike after either renderer: social card, 404 page, sitemap, RSS of
changes, one download.

    # SITE_URL=https://name.github.io/project for a site that is published
    python -m scripts.site.extras --site _site

Adds to each page's head its title and picture for links shared elsewhere, and the feed's address. Writes
social-card.jpg, 404.html, feed.xml (what changed in the results, from git's history), results.zip (every CSV with its
sidecar) and, where SITE_URL says where the site will lie, sitemap.xml. Run again it changes nothing but what another
SITE_URL changes.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
import zipfile
from datetime import datetime, timezone
from email.utils import format_datetime
from html import escape, unescape
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pandas as pd
import yaml

from scripts.common import git
from scripts.common.errors import UserError, cli, parser_of
from scripts.common.paths import DATA, IMAGES, ROOT, SITE, atomic_write, local
from scripts.common.words import counted
from scripts.findings.verdicts import CLAIMS

MODELS, INDEX = "model", "data/v1/index.json"  # the models' pages, and what says which there are
NOT_FOUND, SITEMAP, FEED, DOWNLOAD = "404.html", "sitemap.xml", "feed.xml", "results.zip"

CARD, CARD_SIZE = "social-card.jpg", (1200, 630)  # the size that link previews ask for
CARD_CHART = "frontier_gpu"
HEAD, HEAD_END = "<!-- shared links -->", "<!-- /shared links -->"  # around what `head` wrote
ENTRIES = 30  # commits that the feed looks at
FINDING = ["claim", "vintage", "hardware", "part", "precision", "layout", "compiled", "torch"]  # what names a verdict


def site_url() -> str:
    """Where the site will lie, with a slash at its end; '' where SITE_URL does not say. Raises UserError for what
    is no web address.
    """
    address = os.environ.get("SITE_URL", "").strip()
    parts = urlsplit(address)
    whole = parts.scheme in ("http", "https") and parts.hostname and not re.search(r"[\s<>\"']", address)
    if address and not whole:
        raise UserError(f"SITE_URL={address[:80]!r}: not a web address; write it as https://name.github.io/project")
    return f"{address.rstrip('/')}/" if address else ""


def add(site: Path, url: str = "") -> None:
    """Write all of it into `site`. Raises UserError where there is no site or the disk is full."""
    if not (site / "index.html").is_file():
        raise UserError(f"{site}: no index.html in it; build the site first (`make site`)")
    name = _title((site / "index.html").read_text(encoding="utf-8"))[1]
    atomic_write(site / CARD, card(name))
    every = [path.relative_to(site).as_posix() for path in sorted(site.rglob("*.html")) if path.name != NOT_FOUND]
    names = [name for name in every if not name.startswith(f"{MODELS}/")]  # the models' have their own head
    about = description()
    titles = {page: head(site / page, page, url, about) for page in names}
    atomic_write(site / NOT_FOUND, not_found(name, titles, url))
    atomic_write(site / FEED, feed(name, url, changes()))
    atomic_write(site / DOWNLOAD, download())
    if url:
        atomic_write(site / SITEMAP, sitemap(url, [*names, *model_pages(site)]))


def model_pages(site: Path) -> list[str]:
    """The models' pages of a site, those of old names apart."""
    try:
        files = json.loads((site / INDEX).read_text(encoding="utf-8"))["models"].values()
    except (OSError, ValueError, KeyError, AttributeError):
        return []
    return [f"{MODELS}/{Path(file).stem}.html" for file in files]


def _title(html: str) -> tuple[str, str]:
    """(the page's title, the site's) from a title 'Page – Site'."""
    found = re.search(r"<title>(.*?)</title>", html, re.S)
    page, _, site = " ".join(unescape(found[1]).split()).rpartition(" – ") if found else ("", "", "")
    return (page, site) if page else (site, site)


def description() -> str:
    """What _quarto.yml says the site is about; '' where it says nothing."""
    try:
        return str(yaml.safe_load((ROOT / "_quarto.yml").read_text(encoding="utf-8"))["website"]["description"])
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return ""


def head(path: Path, page: str, url: str, about: str) -> str:
    """Put the tags for shared links and the feed into a page's head, in the place of those that an earlier run put
    there. Returns the page's title.

    about describes a page that does not describe itself.
    """
    before = path.read_text(encoding="utf-8")
    html = re.sub(rf"{HEAD}.*?{HEAD_END}\n", "", before, flags=re.S)
    title, site = _title(html)
    up = "../" * page.count("/")
    described = re.search(r'<meta name="description" content="([^"]*)"', html)
    about = unescape(described[1]) if described else about
    tags = [f'<meta name="description" content="{escape(about)}">'] if about and not described else []
    what = f"{escape(site)}: what changed"
    tags.append(f'<link rel="alternate" type="application/rss+xml" title="{what}" href="{up}{FEED}">')
    facts = {
        "og:title": title or site,
        "og:site_name": site,
        "og:type": "website",
        "og:image": f"{url or up}{CARD}",
        "og:image:width": str(CARD_SIZE[0]),
        "og:image:height": str(CARD_SIZE[1]),
        "og:image:alt": f"{site}: accuracy against speed",
        **({"og:description": about} if about else {}),
        **({"og:url": url + page.removesuffix("index.html")} if url else {}),
    }
    lacking = {key: value for key, value in facts.items() if f'property="{key}"' not in html}
    tags += [f'<meta property="{key}" content="{escape(value)}">' for key, value in lacking.items()]
    tags += ['<meta name="twitter:card" content="summary_large_image">'] if 'name="twitter:card"' not in html else []
    html = html.replace("</head>", "\n".join([HEAD, *tags, HEAD_END]) + "\n</head>", 1)
    if html != before:
        atomic_write(path, html)
    return title or site


def card(name: str) -> bytes:
    """The picture for shared links: the site's name over its first chart, as a JPG of CARD_SIZE pixels."""
    from PIL import Image, ImageDraw, ImageFont

    from scripts.common.browser import font_files

    image = Image.new("RGB", CARD_SIZE, "#ffffff")
    pen = ImageDraw.Draw(image)
    pen.rectangle([0, 0, CARD_SIZE[0], 118], fill="#154470")
    pen.text((48, 26), name, fill="#ffffff", font=ImageFont.truetype(str(font_files()["Bold"]), 54))
    path = IMAGES / f"{CARD_CHART}.jpg"
    if path.is_file():
        with Image.open(path) as chart:
            chart = chart.convert("RGB")
        room = (CARD_SIZE[0] - 96, CARD_SIZE[1] - 118 - 24)
        wide = chart.resize((room[0], round(chart.height * room[0] / chart.width)), Image.Resampling.LANCZOS)
        image.paste(wide.crop((0, 0, room[0], min(wide.height, room[1]))), (48, 130))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=88, optimize=True)
    return out.getvalue()


def not_found(name: str, titles: dict[str, str], url: str) -> str:
    """The page for broken links. It may be shown under any address, so its links start from the site's own."""
    links = "".join(f'<li><a href="{escape(page)}">{escape(title)}</a></li>' for page, title in titles.items())
    base = urlsplit(url).path or "/"
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Page not found – {escape(name)}</title><base href="{escape(base)}">
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 40rem; margin: 12vh auto; padding: 0 1.25rem;
  color: light-dark(#1b1f24, #e8eaed); background: light-dark(#ffffff, #15181c); }}
a {{ color: light-dark(#154470, #75d6fb); }}
</style></head>
<body><main><h1>This page is not here</h1>
<p>It may have moved. These are the pages of {escape(name)}:</p>
<ul>{links}</ul></main></body></html>
"""


def sitemap(url: str, names: list[str]) -> bytes:
    """The sitemap of the pages `names`."""
    root = ElementTree.Element("urlset", xmlns="http://www.sitemaps.org/schemas/sitemap/0.9")
    for name in names:
        ElementTree.SubElement(ElementTree.SubElement(root, "url"), "loc").text = url + name.removesuffix("index.html")
    return _xml(root)


def feed(name: str, url: str, entries: list[dict]) -> bytes:
    """An RSS 2.0 feed of `entries` (see `changes`)."""
    root = ElementTree.Element("rss", version="2.0")
    channel = ElementTree.SubElement(root, "channel")

    def described(element: ElementTree.Element, title: str, link: str, description: str, **more: str) -> None:
        for key, value in {"title": title, "link": link, "description": description, **more}.items():
            ElementTree.SubElement(element, key).text = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "", value)

    about = "New and changed results, and verdicts that they changed."
    described(channel, f"{name}: what changed", url or "index.html", about)
    for entry in entries:
        item, date = ElementTree.SubElement(channel, "item"), format_datetime(entry["date"])
        described(item, entry["title"], url + entry["link"], "; ".join(entry["lines"]), pubDate=date)
        ElementTree.SubElement(item, "guid", isPermaLink="false").text = entry["commit"]
    return _xml(root)


def _xml(root: ElementTree.Element) -> bytes:
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def changes() -> list[dict]:
    """What the last ENTRIES commits that touched results changed, newest first: commit, date, title, lines, and link to
    the first finding that changed, or to the tables. [] outside a git checkout.
    """
    where = DATA.relative_to(ROOT).as_posix()
    log = _git("log", f"-{ENTRIES}", "--no-merges", "--format=%x1e%H%x1f%cI", "--name-status", "--", f"{where}/*.csv")
    found = []
    for block in log.split("\x1e")[1:]:
        heading, *names = block.strip().split("\n")
        commit, date = heading.split("\x1f")
        status = [line.split("\t") for line in names if "\t" in line]
        tables: dict[str, list[str]] = {}
        for letter, word in (("A", "new"), ("M", "changed"), ("D", "removed")):
            if names := [Path(parts[-1]).name for parts in status if parts[0][:1] == letter]:
                tables[word] = names
        verdicts = _verdicts(commit, f"{where}/findings.csv") if "findings.csv" in tables.get("changed", []) else []
        lines = [line for _, line in verdicts] + [f"{word}: {', '.join(names)}" for word, names in tables.items()]
        counts = [f"{counted(len(verdicts), 'verdict')} changed"] if verdicts else []
        counts += [counted(len(names), f"{word} table") for word, names in tables.items()]
        if lines:
            link = f"report/findings.html#{verdicts[0][0].replace('_', '-')}" if verdicts else "report/data.html"
            when = datetime.fromisoformat(date).astimezone(timezone.utc)
            found.append({"commit": commit, "link": link, "date": when, "title": ", ".join(counts), "lines": lines})
    return found


def _verdicts(commit: str, path: str) -> list[tuple[str, str]]:
    """(claim, sentence) of the verdicts that a commit changed."""
    sides = []
    for revision in (f"{commit}^", commit):
        try:
            table = pd.read_csv(io.StringIO(_git("show", f"{revision}:{path}")), dtype=str, keep_default_na=False)
            sides.append(table.drop_duplicates(FINDING).set_index(FINDING)[["verdict", "year"]])
        except (KeyError, ValueError):
            return []
    both = sides[0].rename(columns={"verdict": "was"})[["was"]].join(sides[1], how="inner")
    sentences = {claim.key: claim.sentence for claim in CLAIMS}
    found = []
    for (claim, _, machine, *_), row in both[both["was"] != both["verdict"]].iterrows():
        where = f"{machine or 'all machines'}, {row.year}"
        found.append((claim, f"{sentences.get(claim, claim)} ({where}): {row.was} → {row.verdict}"))
    return found


def _git(*arguments: str) -> str:
    """What git says, '' where it fails."""
    return "" if git.why_not() else git.says(*arguments)


def download() -> bytes:
    """Every CSV with its sidecar, the licence and how to cite, as one archive; the same bytes for the same files."""
    out = io.BytesIO()
    files = [*sorted(DATA.glob("*.csv")), *sorted(DATA.glob("*.json")), ROOT / "LICENSE", ROOT / "CITATION.cff"]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            if path.is_file() and not path.is_symlink():
                inside = zipfile.ZipInfo(f"best-image-models/{path.name}")
                archive.writestr(inside, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return out.getvalue()


@cli
def main(arguments: list[str] | None = None) -> None:
    parser = parser_of(
        "scripts.site.extras", __doc__, "SITE_URL=https://name.github.io/project python -m scripts.site.extras"
    )
    parser.add_argument("--site", type=local, default=SITE, metavar="DIR", help="the built site (default: _site)")
    options = parser.parse_args(arguments)
    url = site_url()
    add(options.site, url)
    mapped = f", {SITEMAP} for {url}" if url else f"; no {SITEMAP}, for SITE_URL does not say where the site will lie"
    print(f"extras: {CARD}, {NOT_FOUND}, {FEED}, {DOWNLOAD}{mapped}")


if __name__ == "__main__":
    sys.exit(main())
