"""What a page says, whoever rendered it: headings, ids, figures, tables, callouts, tabs, links, alt texts, words.

    python -m scripts.site.check.outline _site build/_builtin   # where two sites differ, page by page
    python -m scripts.site.check.outline --renew                # Quarto's of tests/everything.qmd, for the tests

The contract of the two renderers: for the pages' features they give the same outline. A test renders one page that has
every feature with the built-in renderer and compares it with the stored outline of Quarto's.
"""

from __future__ import annotations

import argparse
import difflib
import posixpath
import re
import shutil
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import yaml

from scripts.common.errors import UserError, cli
from scripts.common.paths import ROOT, atomic_write
from scripts.site.check.html import local

EVERYTHING = ROOT / "tests" / "everything.qmd"
STORED = EVERYTHING.with_suffix(".outline.txt")
TEXTS = ("callout-title-container",)  # blocks of text by class
BLOCKS = {"p", "li", "pre", "summary", "figcaption", "td", "th", "dt", "dd", "button", "label", "option"}
# Ids that a renderer makes up for itself: of captions, of lines of code, of tabs.
OWN = re.compile(r"caption-|^cb\d|^toc-|^tabset-|^quarto-|^title-block|-tab$|^fnref?\d")
KEPT = (  # starts of the classes that matter
    *("callout-note", "callout-warning", "g-col-", "column-margin", "table", "chart", "number", "cards", "answer"),
    *("lead", "verdict"),
)
UNSEEN = ("build-line", "screen-reader-only", "callout-icon", "code-copy-button")


def outline(html: str, page: str = "index.html") -> list[str]:
    """The outline of a page's <main>, a line for each thing, in order; links from the site's root.

    page: where it lies in the site.
    """
    import html5lib

    root = html5lib.parse(html, namespaceHTMLElements=False)
    main = next(root.iter("main"), None)
    return list(_lines(main, posixpath.dirname(page))) if main is not None else []


def _lines(node: ElementTree.Element, folder: str):
    for child in node:
        if not isinstance(child.tag, str) or local(child) in ("script", "style"):
            continue
        name, classes = local(child), (child.get("class") or "").split()
        if any(one in UNSEEN for one in classes):
            continue
        line = []
        if re.fullmatch(r"h[1-6]|figure|table|img|details|math|select|input|textarea", name):
            line.append(name)
        if child.get("id") and not OWN.search(child.get("id")):
            line.append(f"#{child.get('id')}")
        line += sorted(f".{one}" for one in classes if one.startswith(KEPT))
        if child.get("role") in ("tab", "tablist", "tabpanel"):
            line.append(child.get("role"))
        line += [f"{key}={child.get(key)!r}" for key in ("alt", "data-src") if child.get(key) is not None]
        if child.get("href") is not None:
            line.append(f"href={_from_root(child.get('href'), folder)}")
        if name in BLOCKS or re.fullmatch(r"h[1-6]", name) or child.get("role") == "tab" or set(classes) & set(TEXTS):
            line.append(" ".join(_words(child).split()))
        if any(line):
            yield " ".join(line)
        yield from _lines(child, folder)


def _from_root(address: str, folder: str) -> str:
    path, mark, anchor = address.partition("#")
    return address if ":" in path or not path else posixpath.normpath(posixpath.join(folder, path)) + mark + anchor


def _words(node: ElementTree.Element) -> str:
    """The text of a block, without that of blocks inside it."""
    parts = [node.text or ""]
    for child in node:
        if isinstance(child.tag, str) and not set((child.get("class") or "").split()) & set(UNSEEN):
            parts.append(" " if local(child) in (*BLOCKS, "ul", "ol", "table") else _words(child))
        parts.append(child.tail or "")
    return "".join(parts)


def differences(one: Path, other: Path) -> list[str]:
    """Where the sites `one` and `other` differ: a unified difference for each page. Raises UserError without pages."""
    names = sorted({path.relative_to(site).as_posix() for site in (one, other) for path in site.rglob("*.html")})
    if not names:
        raise UserError(f"{one}, {other}: no pages in them; build the sites first (`make site`)")
    found = []
    for name in names:
        sides = [site / name for site in (one, other)]
        lines = [outline(side.read_text(encoding="utf-8"), name) if side.is_file() else [] for side in sides]
        found += difflib.unified_diff(*lines, *map(str, sides), n=0, lineterm="")
    return found


def everything(folder: Path, renderer: str) -> list[str]:
    """The outline of tests/everything.qmd, rendered in a project of its own in the empty `folder`."""
    from scripts.site import render

    shutil.copytree(ROOT / "assets", folder / "assets", ignore=shutil.ignore_patterns("vendor"))
    settings = yaml.safe_load((ROOT / "_quarto.yml").read_text(encoding="utf-8"))
    settings["project"] = {"type": "website", "render": ["index.qmd"], "execute-dir": "project"}
    settings["website"]["navbar"]["left"] = [{"href": "index.qmd", "text": "Home"}]
    (folder / "_quarto.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    (folder / "index.qmd").write_text(EVERYTHING.read_text(encoding="utf-8"), encoding="utf-8")
    render.render(folder, folder / "_site", renderer)
    return outline((folder / "_site" / "index.html").read_text(encoding="utf-8"))


@cli
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.site.check.outline", description=__doc__.split("\n\n")[0], allow_abbrev=False
    )
    parser.add_argument("sites", nargs="*", type=Path, metavar="SITE", help="two built sites to compare")
    parser.add_argument("--renew", action="store_true", help="store Quarto's outline of tests/everything.qmd")
    options = parser.parse_args(arguments)
    if options.renew:
        with tempfile.TemporaryDirectory() as folder:
            atomic_write(STORED, "\n".join(everything(Path(folder), "quarto")) + "\n")
        print(f"outline: {STORED.relative_to(ROOT)} as Quarto renders it", file=sys.stderr)
        return 0
    if len(options.sites) != 2:
        raise UserError("outline: name two sites, or give --renew")
    found = differences(*options.sites)
    print("\n".join(found) or "outline: both sites say the same")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
