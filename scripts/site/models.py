"""The pages of the models, in the site's own frame, and the files that others build on: the same after either renderer.

    add(root, site)      # model/*.html and data/v1 in the site

The frame is made once and filled 1,300 times; a page loads the styles and scripts that every page does. An old name of
a model has a page that leads to today's.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from scripts.common.errors import disk_error
from scripts.common.paths import make_folder
from scripts.data.pretraining import LABELS
from scripts.pages.markup import breaking
from scripts.publish import address, files, more, page
from scripts.publish.facts import Facts, Model
from scripts.site.builtin.source import Page
from scripts.site.finish import revision
from scripts.site.frame import Frame

FOLDER = "model"
DATA = "data/v1"
SCRIPTS = [{"text": '<script src="/assets/tables.js" defer></script>'}]
COMPARE = [
    {"text": f'<script src="/assets/{name}.js" defer></script>'} for name in ("tables", "compare", "compare-machines")
]
EMBED, COMPARISON = (Path(__file__).with_name(name) for name in ("embed.html", "compare.html"))
_BARE = re.compile(r'(?<=[a-z])="([\w.#-]+(?:/[\w.#-]+)*)"(?=[\s>])')  # an attribute that needs no quotes
_MARKS = TITLE, SUBTITLE, BODY, NAME, ABOUT = [f"%%{word}%%" for word in "title subtitle body name about".split()]
_MARK = re.compile("|".join(_MARKS))


def add(root: Path, site: Path, url: str = "", facts: Facts | None = None) -> int:
    """Write all of it into `site`. Returns the number of models' pages.

    url: where the site will lie. Raises UserError where the disk is full or a table is damaged.
    """
    facts = facts or more.collect()
    known = {name: files.model(one, facts) for name, one in facts.models.items()}
    files.write(make_folder(site / DATA), facts, known)
    frame = Frame(root)
    shell = empty(frame, url)
    folder = make_folder(site / FOLDER)
    try:
        (folder / "compare.html").write_text(compare_page(frame, url, facts), encoding="utf-8")
        (folder / "embed.html").write_text(EMBED.read_text(encoding="utf-8"), encoding="utf-8")
        for one in facts.models.values():
            (folder / f"{one.file}.html").write_text(model_page(shell, one, known[one.name], facts), encoding="utf-8")
        for old in facts.renamed:
            (folder / f"{address.of(old)}.html").write_text(moved(old, facts), encoding="utf-8")
    except OSError as error:
        raise disk_error(error, error.filename or folder) from error
    return len(facts.models)


def empty(frame: Frame, url: str) -> str:
    """The frame of a model's page, with marks where `model_page` puts what is the model's own."""
    html = framed(frame, url, SCRIPTS, TITLE, SUBTITLE, f'{BODY}\n<p class="build-line">Made {escape(revision())}.</p>')
    # a page less its blanks, its quotes and the tags that HTML does not ask for: 1,300 times a kilobyte
    html = re.sub(r"\n\s*", "\n", _BARE.sub(r"=\1", html).replace("</li>", ""))
    return re.sub(r">\n(?=<)", ">", html)


def framed(frame: Frame, url: str, scripts: list[dict], title: str, subtitle: str, body: str) -> str:
    """A page of this room in the site's frame, with NAME and ABOUT in its head."""
    meta = {**frame.site.html, "lang": frame.site.lang, "toc": False, "pagetitle": NAME, "include-after-body": scripts}
    html = frame.shell.wrap(Page(f"{FOLDER}/page.qmd", meta), title, subtitle, "", "", body)
    picture = escape(f"{url or '../'}social-card.jpg")
    tags = f'<meta name="description" content="{ABOUT}">\n<meta property="og:title" content="{NAME}">\n'
    tags += f'<meta property="og:image" content="{picture}">\n<link rel="icon"'
    html = re.sub(r'<meta name="description"[^>]*>\n', "", html).replace('<link rel="icon"', tags, 1)
    return re.sub(r'<meta name="generator"[^>]*>\n', "", html).replace("page-model-page", "page-model")


def compare_page(frame: Frame, url: str, facts: Facts) -> str:
    """Up to four models, and up to four machines, side by side (assets/compare.js, compare-machines.js)."""
    about = {
        "machines": {key: one.name for key, one in facts.machines.items()},
        **{name: files.index(facts)[name] for name in ("sets", "uncertainty")},
        "pretraining": LABELS,
    }
    text = files.text_of(about).replace("<", "\\u003c")
    body = COMPARISON.read_text(encoding="utf-8").replace("$about", text)
    title, said = "Compare models and machines", "Up to four side by side, with what can’t be told apart"
    html = framed(frame, url, COMPARE, title, said, body)
    described = "Up to four image models or machines side by side, with uncertainty."
    return html.replace(NAME, title).replace(ABOUT, described)


def model_page(shell: str, one: Model, about: dict, facts: Facts) -> str:
    """A model's page; about: its file (`files.model`)."""
    filled = {
        TITLE: breaking(one.name),
        SUBTITLE: page.subtitle(about),
        NAME: escape(one.name),
        ABOUT: escape(page.described(about)),
        BODY: page.body(one, about, facts),
    }
    return _MARK.sub(lambda mark: filled[mark[0]], shell)  # at once: a name that looks like a mark stays text


def moved(old: str, facts: Facts) -> str:
    """The page of an old name: it leads to today's, or says that there is none."""
    new = facts.renamed[old]
    if new in facts.models:
        where = f"{facts.models[new].file}.html"
        head = f'<meta http-equiv="refresh" content="0;url={where}">'
        said = f'is today’s <a href="{where}">{escape(new)}</a>.'
    else:
        head = '<meta name="robots" content="noindex">'
        said = 'is gone from timm, and no weights took its place. <a href="../report/picker.html">Choose another.</a>'
    return (
        f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{escape(old)}</title>{head}'
        f"<main><h1>{escape(old)}</h1><p>{said}</main></html>\n"
    )
