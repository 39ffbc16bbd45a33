"""`make status`: results older than their scripts, and what no longer fits together; fingerprints that are blind to
comments.
"""

import json
import subprocess
from pathlib import Path

import pytest

from scripts.common import code, provenance, status

SCRIPT = '''"""What it does."""
import sys


def double(x):
    """Twice `x`."""
    return 2 * x  # not three times
'''


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of one script, one table with its sidecar, one picture."""
    for name, value in {"ROOT": tmp_path, "DATA": tmp_path / "report/data", "IMAGES": tmp_path / "images"}.items():
        monkeypatch.setattr(status, name, value)
    monkeypatch.setattr(status.git, "ROOT", tmp_path)
    monkeypatch.setattr(status, "relative", lambda path: path.relative_to(tmp_path).as_posix())
    for folder in ("scripts/bench", "report/data", "images"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "scripts/bench/sweep.py").write_text(SCRIPT)
    (tmp_path / "report/data/a.csv").write_text("model\nx\n")
    sidecar(tmp_path)
    here = {"path": "report/data/a.csv", "sha256": provenance.sha256(tmp_path / "report/data/a.csv")}
    charts = {"c": {"sources": [here, {"path": "timm/x.csv", "sha256": "0"}]}}
    (tmp_path / "images/manifest.json").write_text(json.dumps({"charts": charts}))
    fresh()
    return tmp_path


def sidecar(root, **facts):
    table = root / "report/data/a.csv"
    usual = {
        "schema": 1,
        "hardware": {"name": "x"},
        "date": "2026-11-01T00:00:00Z",
        "command": "python -m scripts.bench.sweep",
        "sha256": provenance.sha256(table),
        "code": {"scripts/bench/sweep.py": code.fingerprint(SCRIPT)},
    }
    table.with_suffix(".json").write_text(json.dumps({**usual, **facts}))


def fresh():
    status._now.cache_clear()
    status._then.cache_clear()


def change(root, old, new):
    path = root / "scripts/bench/sweep.py"
    path.write_text(path.read_text().replace(old, new))
    fresh()


def test_a_fitting_project_has_nothing_of_note(project, capsys):
    assert status.report() == [] and status.main([]) == 0
    assert "0 of note; 1 tables" in capsys.readouterr().out


@pytest.mark.parametrize(
    "old, new",
    [
        ("not three times", "really"),
        ("Twice `x`.", "2x."),
        ("import sys\n", "import sys\n\n\n"),
        ("What it does.", "This."),
    ],
)
def test_a_better_comment_makes_nothing_stale(project, old, new):
    change(project, old, new)
    assert status.stale("report/data/a.csv") == ""


@pytest.mark.parametrize("old, new", [("2 * x", "3 * x"), ("double", "twice")])
def test_other_code_makes_its_results_stale(project, old, new):
    change(project, old, new)
    assert status.stale("report/data/a.csv") == "made by an earlier version of scripts/bench/sweep.py"
    assert [path for path, _ in status.report()] == ["report/data/a.csv"]


def test_a_script_that_is_gone_makes_its_results_stale(project):
    (project / "scripts/bench/sweep.py").unlink()
    fresh()
    assert status.stale("report/data/a.csv")


def test_without_fingerprints_the_commit_is_asked(project):
    def git(*arguments):
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
        return subprocess.run(command, cwd=project, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "x")
    commit = git("rev-parse", "HEAD")
    sidecar(project, code={}, commit=commit)
    assert status.stale("report/data/a.csv") == ""
    change(project, "2 * x", "3 * x")
    assert status.stale("report/data/a.csv")
    for unknown in (
        {"commit": "0" * 40},
        {"commit": "--output=x"},
        {"commit": commit, "dirty": True},
        {"commit": commit, "command": "by hand"},
    ):
        sidecar(project, code={}, **unknown)
        assert status.changed(provenance.read_sidecar(project / "report/data/a.csv")) is None


@pytest.mark.parametrize(
    "file, text, path, words",
    [
        ("report/data/a.csv", "model\ny\n", "report/data/a.csv", "not the table that its sidecar describes"),
        ("report/data/a.json", None, "report/data/a.csv", "has no sidecar"),
        ("report/data/a.json", "{", "report/data/a.csv", "not a readable sidecar"),
        ("report/data/b.json", "{}", "report/data/b.json", "without its table"),
        ("images/manifest.json", '{"charts": [1]}', "images/manifest.json", "cannot be read"),
    ],
)
def test_what_does_not_fit_is_named(project, file, text, path, words):
    if text is None:
        (project / file).unlink()
    else:
        (project / file).write_text(text)
    assert any(where == path and words in what for where, what in status.report())


def test_a_picture_of_another_version_of_its_table_is_named(project):
    (project / "report/data/a.csv").write_text("model\ny\n")
    sidecar(project)
    assert status.report() == [
        ("images/c.jpg", "was drawn from another version of report/data/a.csv; `make figures` draws it again")
    ]


def test_a_sidecar_cannot_make_it_read_elsewhere(project):
    sidecar(project, code={"../../etc/passwd": "x", "/etc/passwd": "x", "scripts/../x.py": "x"})
    assert status.stale("report/data/a.csv") == ""


def test_fingerprint_sees_strings_and_hashes_in_them():
    assert code.fingerprint('a = "#1"\n') != code.fingerprint('a = "#2"\n')
    assert code.fingerprint("a = 1  # x\n") == code.fingerprint("a = 1\n\n# y\n")
    with pytest.raises(SyntaxError):
        code.fingerprint("def (\n")


def test_a_sidecar_records_the_scripts_that_ran():
    from scripts.data import names

    source = Path(names.__file__).read_text(encoding="utf-8")
    assert provenance.sidecar()["code"]["scripts/data/names.py"] == code.fingerprint(source, "scripts/data/names.py")
