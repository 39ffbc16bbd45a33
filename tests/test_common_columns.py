"""No line of what is written by hand is over 120 columns, in Python (Ruff holds that too) and in everything else."""

import re
from pathlib import Path

import pytest

from scripts.common import git
from scripts.common.paths import ROOT

MOST = 120
KINDS = {".py", ".qmd", ".md", ".yml", ".yaml", ".toml", ".cff", ".js", ".css", ".html", ".sh", ".in"}
NOT_OURS = re.compile(r"assets/vendor/.*\.(js|css)")  # as its makers wrote it
# An address, or a word of code, that cannot be broken; before it may stand the mark of a list, comment or quotation.
UNBREAKABLE = re.compile(r"\s*(?:(?:[-*#>]|//|\d+\.)\s+)?\S+")


def too_long(text: str) -> list[int]:
    """The numbers of the lines of `text` that are longer than MOST and could be broken."""
    lines = enumerate(text.splitlines(), 1)
    return [number for number, line in lines if len(line) > MOST and not UNBREAKABLE.fullmatch(line)]


def test_no_line_is_too_long_to_read():
    if git.why_not():
        pytest.skip("which files are the project's only git knows")
    ours = [
        name
        for name in git.says("ls-files", "-z").split("\0")
        if (Path(name).suffix in KINDS or Path(name).name == "Makefile") and not NOT_OURS.match(name)
    ]
    assert {"Makefile", "README.md", "_quarto.yml", "assets/site.css"} <= set(ours)
    found = [
        f"{name}:{number}"
        for name in ours
        if (ROOT / name).is_file()  # one that was deleted and not yet committed
        for number in too_long((ROOT / name).read_text(encoding="utf-8"))
    ]
    assert not found, f"over {MOST} columns, wrap them: {', '.join(found)}"


@pytest.mark.parametrize(
    "line, refused",
    [
        ("word " * 24, False),  # 120 with the space
        ("word " * 25, True),
        (f"# {'x' * 130}", False),
        (f"- https://example.org/{'x' * 130}", False),
        (f"see https://example.org/{'x' * 130}", True),
        (f"| a | {'word ' * 30} |", True),
    ],
)
def test_only_what_can_be_broken_is_refused(line, refused):
    assert too_long(f"short\n{line}\n") == [2] * refused
