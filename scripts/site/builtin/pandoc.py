"""Pandoc, which `pypandoc_binary` carries, and the few helpers for its JSON that the built-in renderer needs."""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Callable
from html import escape
from pathlib import Path

from scripts.common.errors import UserError


@functools.cache
def path() -> str:
    """Pandoc's program. Raises UserError where there is none."""
    try:
        import pypandoc

        return pypandoc.get_pandoc_path()
    except (ImportError, OSError):
        raise UserError("pandoc: not installed; run `make setup` (the package pypandoc_binary carries it)") from None


@functools.cache
def version() -> str:
    return call("", "pandoc", "--version").split()[1]


def call(text: str, name: str, *arguments: str, folder: Path | None = None) -> str:
    """Run Pandoc over `text`; `name` is the page, for messages; `folder`: where the arguments' files are. Raises
    UserError where Pandoc refuses or takes a minute.
    """
    try:
        kept = {"capture_output": True, "encoding": "utf-8", "errors": "replace", "check": True}
        return subprocess.run([path(), *arguments], cwd=folder, input=text, timeout=60, **kept).stdout
    except subprocess.TimeoutExpired:
        raise UserError(
            f"{name}: Pandoc did not finish in a minute; the page is too large or nested too deep"
        ) from None
    except subprocess.CalledProcessError as error:
        raise UserError(f"{name}: Pandoc refused it: {error.stderr[-300:]}") from None


def read(text: str, name: str) -> dict:
    """Markdown as Pandoc's JSON document."""
    return json.loads(call(text, name, "--from=markdown", "--to=json"))


def write(document: dict, name: str, *arguments: str, folder: Path | None = None) -> str:
    """Pandoc's JSON document as HTML."""
    words = ("--from=json", "--to=html5", "--mathml", "--wrap=none", *arguments)
    return call(json.dumps(document), name, *words, folder=folder)


def inline_html(text: str, name: str) -> str:
    """A line of Markdown (a navigation text, a footer) as HTML without a paragraph around it."""
    html = call(text, name, "--from=markdown", "--to=html5", "--wrap=none").strip()
    return html.removeprefix("<p>").removesuffix("</p>") if html.count("<p>") == 1 else html


def rewrite(node, change: Callable[[dict], object]):
    """`node` with `change(element)` applied to each element, children first and in order; None keeps, a list takes
    its place.
    """
    if isinstance(node, list):
        result = []
        for item in node:
            new = rewrite(item, change)
            several = isinstance(new, list) and isinstance(item, dict) and "t" in item
            result += new if several else [new]
        return result
    if isinstance(node, dict):
        node = {key: rewrite(value, change) if key in ("c", "blocks") else value for key, value in node.items()}
        new = change(node) if "t" in node else None
        return node if new is None else new
    return node


def walk(node):
    """Every element below `node`, parents first, in order."""
    if isinstance(node, list):
        for item in node:
            yield from walk(item)
    elif isinstance(node, dict):
        if "t" in node:
            yield node
        yield from walk([value for key, value in node.items() if key in ("c", "blocks")])


def attr(element: dict) -> list | None:
    """[id, classes, [[key, value], …]] of an element that has one."""
    if element["t"] == "Header":
        return element["c"][1]
    first = ("Div", "Span", "CodeBlock", "Code", "Link", "Image", "Figure", "Table")
    return element["c"][0] if element["t"] in first else None


def text_of(inlines) -> str:
    """Plain text of inlines or blocks."""
    parts = []
    for element in walk(inlines):
        if element["t"] == "Str":
            parts.append(element["c"])
        elif element["t"] in ("Space", "SoftBreak", "LineBreak"):
            parts.append(" ")
        elif element["t"] in ("Code", "Math"):
            parts.append(element["c"][1])
    return "".join(parts)


def raw(html: str) -> dict:
    return {"t": "RawBlock", "c": ["html", html]}


def div(content: list, identifier: str = "", classes: list[str] = (), **attributes: str) -> dict:
    pairs = [[key.replace("_", "-"), value] for key, value in attributes.items()]
    return {"t": "Div", "c": [[identifier, list(classes), pairs], content]}


def plain(inlines: list) -> dict:
    return {"t": "Plain", "c": inlines}


def string(text: str) -> dict:
    return {"t": "Str", "c": text}


def quoted(value: str) -> str:
    """A value for an HTML attribute."""
    return escape(str(value), quote=True)
