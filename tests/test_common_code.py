"""The fingerprint of a script: what must not change it, and what must."""

import json

import pytest

from scripts.common import code
from scripts.common.paths import ROOT

SOURCE = '''"""What it is."""
from scripts.data import edges
import json


def best(rows, most=3):
    """The first few."""
    return edges.load(rows)[:most], f"at most {most} of {len(rows):,} " "rows"  # enough
'''


def same(changed: str, path: str = "scripts/data/choice.py") -> bool:
    return code.fingerprint(changed, path) == code.fingerprint(SOURCE, "scripts/data/choice.py")


def test_imports_comments_docstrings_and_formatting_do_not_count():
    moved = (
        SOURCE.replace("import json\n", "import os, json\n")
        .replace("  # enough", "")
        .replace('"""The first few."""', '"""Another."""')
    )
    assert same(moved.replace("return edges", "return (\n        edges").replace('"rows"', '"rows",\n    )'))
    assert same(SOURCE.replace('rows)} " "rows"', 'rows)} rows"').replace('" "rows"', 'rows"'))


@pytest.mark.parametrize(
    "before, after",
    [
        ("most=3", "most=4"),
        ("load(rows)", "load(most)"),
        ("[:most]", "[most:]"),
        ("at most", "at least"),
        (":,}", ":.1f}"),
        ("edges.load", "edges.dump"),
        ("return", "yield"),
    ],
)
def test_what_the_code_does_counts(before, after):
    assert before in SOURCE and not same(SOURCE.replace(before, after))


def test_a_moved_module_and_a_renamed_function_are_followed(monkeypatch):
    renames = {
        "scripts.findings.frontier": "scripts.data.edges",
        "scripts.findings.frontier.points": "scripts.data.edges.load",
        "scripts.choose.rules": "scripts.data.choice",
        "scripts.choose.rules.top": "scripts.data.choice.best",
    }
    monkeypatch.setattr(code, "renames", lambda: renames)
    moved = SOURCE.replace("scripts.data import edges", "scripts.findings import frontier as edge").replace(
        "edges.load", "edge.points"
    )
    assert same(moved.replace("def best", "def top"), "scripts/choose/rules.py")
    assert not same(moved.replace("def best", "def other"), "scripts/choose/rules.py")
    assert code.todays_path("scripts/data/choice.py") == "scripts/choose/rules.py"
    assert code.todays_path("scripts/data/other.py") == "scripts/data/other.py"


def test_a_function_that_stands_for_a_packages_is_that_packages(monkeypatch):
    monkeypatch.setattr(code, "renames", lambda: {"scripts.runtimes.one.core": "openvino.Core"})
    ours, theirs = "from scripts.runtimes import one\none.core().read(1)", "import openvino\nopenvino.Core().read(1)"
    assert code.fingerprint(ours) == code.fingerprint(theirs) != code.fingerprint(ours.replace("core", "cores"))


def test_the_fingerprint_is_the_same_under_every_python():
    assert code.fingerprint(SOURCE) == "50ff8a00b36a8750"


def test_every_renamed_module_is_there():
    for new in json.loads(code.RENAMES.read_text()):
        path = ROOT / f"{new.replace('.', '/')}.py"
        package = path.with_suffix("") / "__init__.py"
        assert path.is_file() or package.is_file() or path.parent.with_suffix(".py").is_file(), new
