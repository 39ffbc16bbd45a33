"""The help of every command that needs no torch, under several hostile settings at once: no traceback.

All run in forks of one process, which has loaded what they share: a start of Python each would take
minutes.
"""

import os
import re
import subprocess
import sys

import pytest

from scripts.common.paths import ROOT

LIGHT = ("common", "data", "diff", "findings", "predict")  # rooms whose help is there without torch
COMMANDS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
    for room in LIGHT
    for path in (ROOT / "scripts" / room).rglob("*.py")
    if re.search(r'^if __name__ == "__main__":', text := path.read_text(encoding="utf-8"), re.M)
    and re.search(r"ArgumentParser|parser_of\(", text)
)
HELP = """
import os, runpy, sys
import scripts, pandas
for name in sys.argv[1].split():
    sys.stdout.flush()
    child = os.fork()
    if not child:
        os.dup2(1, 2)
        sys.argv = [name, "--help"]
        print("=====", name)
        try:
            runpy.run_module(name, run_name="__main__", alter_sys=True)
        except SystemExit as end:
            print("ended with", end.code or 0)
        finally:
            sys.stdout.flush()
            os._exit(0)
    os.waitpid(child, 0)
"""
HOSTILE = {
    "the user's": {},
    "no home, no letters, no docstrings": {
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONUTF8": "0",
        "PYTHONOPTIMIZE": "2",
        "HTTPS_PROXY": "socks5://127.0.0.1:9",
        "all_proxy": "socks://127.0.0.1:9",
        "XDG_CACHE_HOME": "/proc/none",
    },
    "a bare environment": {"PATH": "", "TERM": "dumb", "COLUMNS": "20", "PYTHONIOENCODING": "cp1252", "TZ": "nowhere"},
}


def helped(settings: dict) -> dict[str, str]:
    """Command -> what its --help printed."""
    environment = {**os.environ, "COLUMNS": "100", "PYTHONPATH": str(ROOT), **settings}
    done = subprocess.run(
        [sys.executable, "-c", HELP, " ".join(COMMANDS)], cwd=ROOT, env=environment, capture_output=True
    )
    found = done.stdout.decode("utf-8", "replace").split("===== ")[1:]
    return {text.split("\n")[0].strip(): text for text in found}


@pytest.mark.slow
@pytest.mark.parametrize("settings", HOSTILE.values(), ids=HOSTILE)
def test_every_help_is_there(settings):
    assert len(COMMANDS) > 10
    found = helped(settings)
    assert sorted(found) == COMMANDS
    wrong = {name: text[-400:] for name, text in found.items() if "Traceback" in text or "ended with 0" not in text}
    assert not wrong
    assert not {name: text for name, text in found.items() if len(text) < 150}  # and says something


def test_docstrings_stay_where_python_drops_them():
    code = "import scripts.common.words as one, sys; sys.exit(not (sys.flags.optimize == 2 and one.__doc__))"
    for optimise in ({"PYTHONOPTIMIZE": "2"}, {"PYTHONOPTIMIZE": "3"}):
        code_ = code.replace("== 2", ">= 2")
        assert subprocess.run([sys.executable, "-c", code_], cwd=ROOT, env={**os.environ, **optimise}).returncode == 0


@pytest.mark.parametrize("name", ["PYTHONSAFEPATH", "PYTHONOPTIMIZE", "PYTHONPATH", "PYTHONHOME"])
def test_make_hands_on_none_of_pythons_variables(name, tmp_path):
    (tmp_path / "make").write_text(f'include {ROOT}/Makefile\nseen:\n\t@echo "[$${name}]"\n', encoding="utf-8")
    done = subprocess.run(
        ["make", "-s", "-f", str(tmp_path / "make"), "seen"],
        cwd=ROOT,
        env={**os.environ, name: "1"},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.stdout.strip() == "[]", done.stderr
