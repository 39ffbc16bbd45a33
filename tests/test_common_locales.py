"""Locales that are not UTF-8: every file and pipe of ours names its encoding, and a terminal that lacks a letter is
spared it.
"""

import ast
import os
import subprocess
import sys

import pytest

from scripts.common.paths import ROOT

TEXT = {"text", "universal_newlines"}
LOCALES = [
    {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONIOENCODING": "ascii:strict", "LANG": "C"},
    {"PYTHONIOENCODING": "cp1252"},
]


def escaped(code: str) -> str:
    """The same program in ASCII."""
    return code.encode("ascii", "backslashreplace").decode()


def unnamed(source: str) -> list[int]:
    """Lines of calls that would read or write text in the locale's encoding."""
    found = []
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        given = {keyword.arg for keyword in call.keywords}
        method = isinstance(call.func, ast.Attribute)
        name = call.func.attr if method else getattr(call.func, "id", "")
        owner = getattr(call.func.value, "id", "") if method else ""
        if given & {"encoding", None}:
            continue
        mode = next((one.value for one in call.keywords if one.arg == "mode"), None)
        at = 1 if name == "fdopen" or not method else 0
        mode = mode or (call.args[at] if len(call.args) > at else ast.Constant("r"))
        as_text = isinstance(mode, ast.Constant) and isinstance(mode.value, str) and "b" not in mode.value
        opens = name in ("open", "fdopen") and as_text and set(mode.value) <= set("rwaxt+")
        if (
            (method and name == "read_text" and not call.args)
            or (method and name == "write_text" and len(call.args) < 2)
            or (name in ("run", "Popen", "check_output") and given & TEXT)
            or (opens and (owner not in ("Image", "os", "tarfile", "gzip") or name == "fdopen"))
        ):
            found.append(call.lineno)
    return found


def test_what_names_no_encoding_is_found():
    for line in (
        "path.read_text()", "path.write_text('x')", "open('x')", "open('x', 'w')", "os.fdopen(1, 'w')",
        "path.open('a')",
        "subprocess.run(['x'], text=True)", "subprocess.Popen(x, universal_newlines=True)",
    ):  # fmt: skip
        assert unnamed(line) == [1], line
    for line in ("path.read_text('utf-8')", "open('x', 'rb')", "Image.open(x)", "os.open(x, 1)", "f(**settings)"):
        assert unnamed(line) == [], line


@pytest.mark.parametrize(
    "room", sorted({path.parent for path in (ROOT / "scripts").rglob("*.py")}), ids=lambda p: p.name
)
def test_every_file_and_pipe_names_its_encoding(room):
    faults = {path.name: unnamed(path.read_text(encoding="utf-8")) for path in room.glob("*.py")}
    assert not {name: lines for name, lines in faults.items() if lines}


@pytest.mark.parametrize("surroundings", LOCALES, ids=lambda one: ",".join(one.values()))
def test_a_terminal_without_a_letter_ends_nothing(surroundings):
    code = (
        "import scripts, sys, subprocess; print('a’b Café 写真 …'); print('’', file=sys.stderr);"
        "sys.stdout.flush();"
        "subprocess.run([sys.executable, '-c', 'import sys; sys.exit(not sys.flags.utf8_mode)'], check='C' in sys.argv)"
    )
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **surroundings}
    is_c = [surroundings.get("LC_ALL", "")]
    done = subprocess.run([sys.executable, "-c", escaped(code), *is_c], cwd=ROOT, env=environment, capture_output=True)
    assert done.returncode == 0 and done.stdout.startswith(b"a") and b"b Caf" in done.stdout, done.stderr


@pytest.mark.parametrize("surroundings", LOCALES, ids=lambda one: ",".join(one.values()))
def test_setup_speaks_too(surroundings):
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **surroundings}
    code = "import runpy, sys; made = runpy.run_path('scripts/setup/install.py'); made['say']('… ’')"
    done = subprocess.run([sys.executable, "-c", escaped(code)], cwd=ROOT, env=environment, capture_output=True)
    assert done.returncode == 0 and done.stdout.startswith(b"setup: "), done.stderr


C = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


@pytest.mark.parametrize("flags", [[], ["-OO"], ["-E"], ["-X", "dev"]], ids=" ".join)
def test_a_command_takes_names_as_utf8_and_writes_what_the_terminal_can(tmp_path, flags):
    words = [sys.executable, *flags, "-m", "scripts.train.by_label", str(tmp_path / "Größe 写"), "out"]
    settings = [(C, "Gr??e ?: no"), ({**C, "PYTHONIOENCODING": "latin-1"}, "Größe ?: no")]
    for more, expected in settings if flags != ["-E"] else settings[:1]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        done = subprocess.run(
            words, cwd=ROOT, env={**environment, **more}, capture_output=True, encoding="latin-1", timeout=120
        )
        assert done.returncode == 2 and "Traceback" not in done.stderr
        # -E hears of no PYTHONUTF8: it stays with what it was started in, and ends
        assert expected in done.stderr or flags == ["-E"], done.stderr
