"""Which version of the code made a result: a fingerprint per script, blind to comments, docstrings and blank lines.

A sidecar keeps the fingerprints of the scripts that ran, so that `make status` can tell a result that is older than its script from one
whose script only got a better comment. The git commit can't: results are often made before their script is committed.
"""

from __future__ import annotations

import ast
import hashlib
import io
import sys
import tokenize
from pathlib import Path

from scripts.common.paths import ROOT, relative


def fingerprint(source: str) -> str:
    """16 hexadecimal digits of the SHA-256 of Python `source` without comments, docstrings, blank lines and trailing blanks.

    The same under every Python version (an AST's dump is not). Raises SyntaxError where it is no Python.
    """
    tree, lines = ast.parse(source), source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and body and ast.get_docstring(node, clean=False):
            for row in range(body[0].lineno - 1, body[0].end_lineno):
                lines[row] = ""
    kept = "\n".join(line.rstrip() for line in lines if line.strip())
    return hashlib.sha256(kept.encode()).hexdigest()[:16]


def running() -> dict[str, str]:
    """Path -> fingerprint of the project's scripts loaded in this process, scripts/common and scripts/perf apart."""
    found = {}
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if path and (name.startswith("scripts.") or name == "__main__") and Path(path).is_relative_to(ROOT / "scripts"):
            where = relative(path)
            if where.count("/") == 2 and not where.startswith(("scripts/common/", "scripts/perf/")) and not where.endswith("__init__.py"):
                found[where] = fingerprint(Path(path).read_text(encoding="utf-8"))
    return dict(sorted(found.items()))
