"""What a user types after `make`: slips are refused with the values that there are, paths are taken as they stand."""

import os
import shutil
import subprocess

import pytest

from scripts.common.paths import ROOT

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="needs make")
PROBE = """probe:
\t@printf '%s\\n' "$$DATA" "$$TABLES" "$$FOLDER"
\t@$(MAKE) --no-print-directory -f Makefile -f probe.mk again
again:
\t@printf '%s\\n' "$$DATA"
"""


def make(folder, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "probe.mk").write_text(PROBE, encoding="utf-8")
    settings = ("PROFILE", "RENDERER", "MINUTES", "PORT", "DATA", "TABLES", "FOLDER", "MAKEFLAGS", "MAKELEVEL")
    clean = {name: value for name, value in os.environ.items() if name not in settings}
    return subprocess.run(
        ["make", "-f", "Makefile", "-f", "probe.mk", *arguments],
        cwd=folder, env={**clean, **environment}, capture_output=True, encoding="utf-8", timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize(
    "slip, values",
    [
        ("PROFILE=Full", "auto quick full"),
        ("PROFILE=fulll", "auto quick full"),
        ("PROFILE=quick full", "auto quick full"),
        ("PROFILE=", "auto quick full"),
        ("RENDERER=Quarto", "auto quarto builtin"),
        ("MINUTES=two", "give a number"),
        ("MINUTES=2,5", "give a number"),
        ("MINUTES=1 2", "give a number"),
        ("PORT=80a", "give a number"),
    ],
)
@pytest.mark.parametrize("by_environment", [False, True])
def test_a_slip_is_refused_before_anything_runs(tmp_path, slip, values, by_environment):
    name, _, value = slip.partition("=")
    found = make(tmp_path, "help", **{name: value}) if by_environment else make(tmp_path, "help", slip)
    assert found.returncode == 2 and f"{slip}: " in found.stderr and values in found.stderr and not found.stdout


@pytest.mark.parametrize(
    "setting", ["PROFILE=full", "PROFILE=auto", "RENDERER=builtin", "MINUTES=2", "MINUTES=0.5", "PORT=1"]
)
def test_what_is_right_is_taken(tmp_path, setting):
    assert make(tmp_path, "help", setting).returncode == 0


@pytest.mark.parametrize(
    "path", ["/data/a$b", "/data/a $(id) `id`", 'it\'s "mine" #1', "/Fotos/Müller & Söhne; 写真", "a\\b", ""]
)
@pytest.mark.parametrize("by_environment", [False, True])
def test_a_path_arrives_letter_by_letter(tmp_path, path, by_environment):
    found = make(tmp_path, "probe", DATA=path) if by_environment else make(tmp_path, "probe", f"DATA={path}")
    assert found.stdout.splitlines() == [path, "", "", path], found.stderr


def test_the_lists_of_scripts_are_not_taken_for_settings(tmp_path):
    assert make(tmp_path, "probe", "FOLDER=/x y").stdout.splitlines()[1:3] == ["", "/x y"]
