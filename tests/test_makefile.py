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


PRETENDED = """#!/bin/sh
echo "begin $2" >>log
case $2 in "$FAILS") echo "error: $2: mend it" >&2; exit 2;; esac
sleep 0.1
echo "end $2" >>log
"""


@pytest.fixture
def findings(tmp_path):
    """findings(*options, FAILS=module) makes build/findings.stamp with a Python that only writes down what it is asked
    for; returns how make ended, and the lines.
    """
    for name in ("requirements-site.lock", "requirements-setup.lock", "scripts/setup/install.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PRETENDED, encoding="utf-8")
    python.chmod(0o755)
    (tmp_path / ".venv" / "light.stamp").touch()

    def go(*options: str, fails: str = ""):
        (tmp_path / "log").unlink(missing_ok=True)
        found = make(tmp_path, *options, "build/findings.stamp", FAILS=fails)
        return found, (tmp_path / "log").read_text(encoding="utf-8").splitlines()

    return go


@pytest.mark.parametrize("options", [(), ("-j3",)])
def test_what_reads_anothers_file_waits_for_it(findings, tmp_path, options):
    found, lines = findings(*options)
    assert found.returncode == 0 and not found.stderr and (tmp_path / "build" / "findings.stamp").exists()
    at = lines.index
    picker, board = "begin scripts.choose.files", "begin scripts.contribute.board"
    assert at("end scripts.findings.update") < min(at(line) for line in lines if line != lines[0] and "begin" in line)
    assert max(at("end scripts.predict.stored"), at("end scripts.predict.in_runtimes")) < at(picker)
    assert at("end scripts.findings.runtimes") < at("begin scripts.findings.int8") and board in lines
    assert len(lines) == len(set(lines)) == 16


def test_a_step_that_fails_stops_the_rest_with_its_line(findings, tmp_path):
    found, lines = findings(fails="scripts.predict.stored")
    assert found.returncode == 2 and found.stderr.count("error: ") == 1
    assert "begin scripts.choose.files" not in lines and not (tmp_path / "build" / "findings.stamp").exists()
