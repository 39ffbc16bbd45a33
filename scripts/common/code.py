"""Which version of the code made a result: a fingerprint per script, blind to what changes no result.

A sidecar keeps the fingerprints of the scripts that ran, so that `make status` can tell a result that is older than its
script from one whose script was only moved, formatted, commented, or given better names. The git commit can't: results
are often made before their script is committed.

What is hashed is the syntax tree without imports, comments and docstrings. Names that lead to the project's own modules
and functions are taken as they were called first: `renames.json` maps today's dotted names to those of old.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

from scripts.common.paths import ROOT, relative

RENAMES = Path(__file__).with_name("renames.json")
UNSEEN = ("ctx", "kind", "type_comment")  # fields of syntax nodes that say nothing about what the code does


@functools.lru_cache(maxsize=1)
def renames() -> dict[str, str]:
    """Today's dotted name of a module or of a function in it -> the name under which results of old know it."""
    return json.loads(RENAMES.read_text(encoding="utf-8"))


def first_name(dotted: str) -> str:
    """How `dotted`, a name of today, was called first: the longest renamed beginning counts."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        if old := renames().get(".".join(parts[:length])):
            return ".".join([old, *parts[length:]])
    return dotted


def todays_path(path: str) -> str:
    """Where the script that a sidecar calls `path` is today."""
    module = path.removesuffix(".py").replace("/", ".")
    for new, old in renames().items():
        if old == module:
            return f"{new.replace('.', '/')}.py"
    return path


@functools.lru_cache(maxsize=None)
def fingerprint(source: str, path: str = "") -> str:
    """16 hexadecimal digits for what Python `source` does; `path` is where it stands, as seen from the project's root.

    The same under every Python version that can read it. Raises SyntaxError where it is no Python.
    """
    tree = ast.parse(source)
    names = _project_names(tree, path.removesuffix(".py").replace("/", "."))
    lines: list[str] = []
    _write(tree, names, lines.append)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _project_names(tree: ast.Module, module: str) -> dict[str, str]:
    """Name in this file -> dotted name of what it imports from the project, or first name of what it defines."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "scripts":
            found.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = first_name(f"{module}.{node.name}").rpartition(".")[2]
    return found


def _write(node, names: dict[str, str], put: Callable[[str], None]) -> None:
    """The syntax tree as lines of text, each given to `put`: kinds of nodes and their fields, in order."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return
    if isinstance(node, (ast.Name, ast.Attribute)) and (dotted := _dotted(node, names)):
        first = first_name(dotted)
        if first.startswith("scripts.") or not dotted.startswith("scripts."):
            put(first)
            return
        node = ast.parse(first, mode="eval").body  # it was called in a package, before we had one of our own
    put(type(node).__name__)
    for field, value in ast.iter_fields(node):
        if field in UNSEEN or value is None or value == []:
            continue
        put(f".{field}")
        if field == "body" and isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            value = value[1:] if ast.get_docstring(node, clean=False) is not None else value
        if field == "name" and isinstance(node, (ast.FunctionDef, ast.ClassDef)) and value in names:
            put(first_name(names[value]))
            continue
        for part in _joined(value) if isinstance(value, list) else [value]:
            if isinstance(part, ast.AST):
                _write(part, names, put)
            else:
                put(repr(part))
    put("/")


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    """`module.function` as a dotted name of the project; '' for anything else."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value, names)):
        return f"{before}.{node.attr}"
    return ""


def _joined(parts: list) -> list:
    """Neighbouring texts of an f-string as one: some versions of Python keep `f"a" "b"` apart."""
    found: list = []
    for part in parts:
        text = isinstance(part, ast.Constant) and isinstance(part.value, str)
        before = found[-1] if found else None
        if text and isinstance(before, ast.Constant) and isinstance(before.value, str):
            found[-1] = ast.Constant(before.value + part.value)
        else:
            found.append(part)
    return found


def running() -> dict[str, str]:
    """Path -> fingerprint of the project's scripts loaded in this process, scripts/common and scripts/perf apart."""
    found = {}
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if path and (name.startswith("scripts.") or name == "__main__") and Path(path).is_relative_to(ROOT / "scripts"):
            where = relative(path)
            if not where.startswith(("scripts/common/", "scripts/perf/")) and not where.endswith("__init__.py"):
                found[where] = fingerprint(Path(path).read_text(encoding="utf-8"), where)
    return dict(sorted(found.items()))
