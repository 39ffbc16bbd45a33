"""What `_quarto.yml` and a page's front matter say, read strictly for the built-in renderer.

Quarto knows some hundred keys; the built-in renderer knows those below. A key or value that is not here is refused by
file and line, so that no page quietly looks otherwise than under Quarto. Keys marked QUIET only matter to Quarto's own
styles and scripts.
"""

from __future__ import annotations

import glob
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from scripts.common.errors import UserError

ANY = QUIET = object()
TEXT, FLAG, NUMBER = str, bool, int

EXECUTE = {"echo": FLAG, "output": {True, False, "asis"}, "eval": FLAG, "include": FLAG, "warning": FLAG}
HTML = {
    "toc": FLAG,
    "toc-depth": NUMBER,
    "toc-title": TEXT,
    "css": ANY,
    "include-in-header": ANY,
    "include-after-body": ANY,
    "html-math-method": {"mathml"},
    "lightbox": {False},
    "theme": QUIET,
    "code-copy": QUIET,
}
ITEM = {"href": TEXT, "text": TEXT, "menu": [dict(href=TEXT, text=TEXT)]}
NAVBAR = {"title": ANY, "left": [ITEM], "search": {False}}
WEBSITE = {
    "title": TEXT,
    "description": TEXT,
    "site-url": TEXT,
    "favicon": TEXT,
    "navbar": NAVBAR,
    "page-footer": ANY,
    "search": {False},
}
PROJECT = {
    "type": {"website"},
    "output-dir": TEXT,
    "render": [TEXT],
    "resources": [TEXT],
    "execute-dir": {"project", "file"},
    "post-render": QUIET,
}
BOTH = {"format": {"html": HTML}, "execute": EXECUTE, "lang": TEXT}
TOP = {"project": PROJECT, "website": WEBSITE, **BOTH}
PAGE = {"title": TEXT, "subtitle": TEXT, "description": TEXT, "pagetitle": TEXT, **BOTH, **HTML}


@dataclass
class Site:
    """`_quarto.yml` of the project in `root`: pages (POSIX paths, in the order of `render`), website, html and execute
    options, and where cells run: in the page's own folder ("file") or in `root` ("project")."""

    root: Path
    pages: list[str]
    resources: list[str] = field(default_factory=list)
    website: dict = field(default_factory=dict)
    html: dict = field(default_factory=dict)
    execute: dict = field(default_factory=dict)
    lang: str = "en"
    execute_dir: str = "file"


def load(root: Path, strict: bool = True) -> Site:
    """Read `root/_quarto.yml`. Raises UserError naming file and line of what the built-in renderer does not know.

    strict: False takes what is not known, too, for pages that Quarto rendered.
    """
    path = root / "_quarto.yml"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"_quarto.yml: not in {root}; run this in the project's folder") from None
    data = parse(text, "_quarto.yml", 1, TOP if strict else ANY)
    project = data.get("project", {})
    if project.get("type") != "website" or not project.get("render"):
        raise UserError(
            "_quarto.yml: 'project' needs 'type: website' and a 'render' list, so that every renderer makes the same "
            "pages"
        )
    resources = [str(item) for item in project.get("resources", [])]
    html, lang = data.get("format", {}).get("html") or {}, data.get("lang", "en")
    named, folder = {key: data.get(key, {}) for key in ("website", "execute")}, project.get("execute-dir", "file")
    return Site(root, _pages(root, project["render"]), resources, html=html, lang=lang, execute_dir=folder, **named)


def _pages(root: Path, patterns: list[str]) -> list[str]:
    pages: list[str] = []
    for pattern in patterns:
        if pattern.startswith("!"):
            gone = set(glob.glob(pattern[1:], root_dir=root, recursive=True))
            pages = [page for page in pages if page not in gone]
            continue
        found = sorted(glob.glob(pattern, root_dir=root, recursive=True))
        if not found and not glob.has_magic(pattern):
            raise UserError(
                f"_quarto.yml: 'render' names {pattern}, which is not there; write the page or take it off the list"
            )
        pages += [Path(page).as_posix() for page in found if page not in pages]
    wrong = [page for page in pages if not page.endswith(".qmd")]
    if wrong:
        raise UserError(f"_quarto.yml: 'render' names {wrong[0]}; the built-in renderer takes .qmd pages only")
    if not pages:
        raise UserError("_quarto.yml: 'render' matches no page")
    return pages


def front_matter(text: str, name: str, strict: bool = True) -> tuple[dict, int]:
    """(metadata, number of lines it takes up) of a page's text; `format: html:` options are lifted to the top."""
    lines = text.split("\n")
    if not lines or lines[0].rstrip() != "---":
        return {}, 0
    end = next((i for i, line in enumerate(lines[1:], 1) if line.rstrip() in ("---", "...")), None)
    if end is None:
        raise UserError(f"{name}:1: the front matter that starts with --- has no end")
    meta = parse("\n".join(lines[1:end]), name, 2, PAGE if strict else ANY)
    own = meta.pop("format", {})
    html = own.get("html") if isinstance(own, dict) else None
    return {**(html if isinstance(html, dict) else {}), **meta}, end + 1


def parse(text: str, name: str, first_line: int, spec: dict) -> dict:
    """YAML `text` (its first line is line `first_line` of file `name`) as a dictionary that holds nothing outside
    `spec`.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = first_line + (mark.line if mark else 0)
        raise UserError(f"{name}:{line}: not valid YAML ({getattr(error, 'problem', error)})") from None
    if data is None:
        return {}
    _check(node, data, spec, name, first_line, "")
    return data


def _check(node, value, spec, name: str, first: int, where: str) -> None:
    at = f"{name}:{first + node.start_mark.line}"
    if (
        spec is ANY
        or (where == "format.html" and value in (None, "default"))
        or (where == "format" and value == "html")
    ):
        return
    if isinstance(spec, dict):
        if not isinstance(value, dict):
            if isinstance(value, str) and "href" in spec:  # a bare path stands for {href: path}
                return
            raise UserError(f"{at}: {where or 'the file'} should hold 'key: value' pairs")
        seen = set()
        for key_node, value_node in node.value:
            key = yaml.safe_load(yaml.serialize(key_node))
            line, inside = f"{name}:{first + key_node.start_mark.line}", f"{where}.{key}".removeprefix(".")
            if key not in spec:
                raise UserError(
                    f"{line}: the built-in renderer does not know '{inside}'; take it out, or render with Quarto"
                )
            if key in seen:
                raise UserError(f"{line}: '{key}' stands twice")
            seen.add(key)
            _check(value_node, value[key], spec[key], name, first, inside)
    elif isinstance(spec, list):
        for child, item in zip(node.value, value) if isinstance(value, list) else ():
            _check(child, item, spec[0], name, first, where)
        if not isinstance(value, list):
            raise UserError(f"{at}: '{where}' should be a list")
    elif isinstance(spec, set):
        if not any(value == choice and type(value) is type(choice) for choice in spec):
            known = sorted(str(choice).lower() if isinstance(choice, bool) else str(choice) for choice in spec)
            raise UserError(
                f"{at}: '{where}: {value}' is not supported by the built-in renderer (it knows {', '.join(known)})"
            )
    elif not isinstance(value, spec) or (spec is int and isinstance(value, bool)):
        raise UserError(
            f"{at}: '{where}' should be {dict(str='text', bool='true or false', int='a number')[spec.__name__]}, not "
            f"{value!r}"
        )
