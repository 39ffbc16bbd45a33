"""A reader's click from a chart or table to what made it; a result older than its script is marked, one that is not
is not.
"""

import json

import pytest

from scripts.common import code, provenance, status
from scripts.pages import how_made, page
from tests.site_fixtures import HOSTILE

COMMIT = "0123456789abcdef" * 2 + "01234567"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with one script, and one measured table that it made."""
    for module in (how_made, status, page):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(how_made, "_panels", {})
    monkeypatch.setattr(page, "_used", {})
    status._now.cache_clear()
    (tmp_path / "scripts/bench").mkdir(parents=True)
    (tmp_path / "scripts/bench/sweep.py").write_text("x = 1\n")
    (tmp_path / "report/data").mkdir(parents=True)
    table = tmp_path / "report/data/speeds.csv"
    table.write_text("model,speed\nlevit,1\n")
    provenance.write_sidecar(
        table,
        {
            "schema": 1,
            "command": "python -m scripts.bench.sweep --part infer",
            "commit": COMMIT,
            "dirty": False,
            "date": "2026-11-01T00:00:00Z",
            "hardware": {"slug": "h200", "name": "NVIDIA H200", "driver": "580.1"},
            "versions": {"torch": "2.15.0"},
            "code": {"scripts/bench/sweep.py": code.fingerprint("x = 1\n")},
        },
    )
    yield tmp_path
    status._now.cache_clear()


SOURCE = {"path": "report/data/speeds.csv", "sha256": "a" * 64}


def test_everything_asked_for_is_a_click_away(project):
    button = how_made.made("chart", [SOURCE], [("drawn by", "x")])
    panel = how_made.panels()
    assert 'popovertarget="made-1"' in button and 'popover id="made-1"' in panel
    for what in (
        "python -m scripts.bench.sweep --part infer",
        COMMIT[:12],
        "2026-11-01",
        "NVIDIA H200, 580.1",
        "torch 2.15.0",
        "a" * 64,
        'href="/report/data/speeds.csv"',
        'href="/report/data/speeds.json"',
        "drawn by",
    ):
        assert what in panel.replace("&#45;", "-"), what


def test_a_result_older_than_its_script_is_marked(project):
    assert how_made.mark([SOURCE["path"]]) == "" and "stale" not in how_made.made("table", [SOURCE]) + how_made.panels()
    (project / "scripts/bench/sweep.py").write_text("x = 2\n")
    status._now.cache_clear()
    assert "older than its script" in how_made.mark(["elsewhere.csv", SOURCE["path"]])
    how_made.made("table", [SOURCE])
    assert "made by an earlier version of scripts/bench/sweep.py" in how_made.panels()


def test_a_comment_makes_nothing_stale(project):
    (project / "scripts/bench/sweep.py").write_text("# why\nx = 1\n")
    status._now.cache_clear()
    assert how_made.mark([SOURCE["path"]]) == ""


def test_one_panel_for_all_that_were_made_alike(project):
    assert how_made.made("table", [SOURCE]) == how_made.made("table", [SOURCE])
    assert how_made.panels().count("<div popover") == 1
    assert how_made.made("chart", [SOURCE]) != how_made.made("table", [SOURCE])


def test_published_tables_keep_their_own_machine_and_date():
    speeds = {"path": "timm-results/x/a.csv", "date": "2026-01-06", "setting": "RTX 5090, eager"}
    assert how_made.published(speeds) == {"hardware": "RTX 5090", "date": "2026-01-06"}
    assert how_made.published({"path": "timm-results/x/r.csv"}) == {"hardware": "", "date": ""}, "never its folder's"


def test_a_sidecar_is_not_trusted(project):
    path = project / "report/data/speeds.json"
    facts = json.loads(path.read_text())
    facts |= dict.fromkeys(("command", "commit", "date"), HOSTILE)
    facts |= {"versions": {HOSTILE: HOSTILE}, "hardware": {"slug": "x", "name": HOSTILE}}
    path.write_text(json.dumps(facts))
    strange = [{"path": HOSTILE, "url": "javascript:alert(1)"}, {"path": "report/data/../../../etc/passwd"}, {}]
    how_made.made("chart", [{**SOURCE, "sha256": HOSTILE}, *strange])
    text = how_made.panels()
    assert "<script" not in text and "<img" not in text and "{{" not in text
    assert "javascript:alert" not in text.replace("&#40;", "(").split("href=")[-1]


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": 99, "hardware": {}}'])
def test_a_damaged_sidecar_stops_no_page(project, content):
    (project / "report/data/speeds.json").write_text(content)
    how_made.made("table", [SOURCE])
    assert "speeds.csv" in how_made.panels() and how_made.mark([SOURCE["path"]]) == ""


def test_each_finding_can_be_linked(capsys):
    """The home page and the feed link to the section of a finding."""
    from scripts.findings import verdicts as findings
    from scripts.pages import findings as verdicts

    verdicts.claims()
    text = capsys.readouterr().out
    for key in findings.load().claim.unique():
        assert f"{{#{key.replace('_', '-')}}}" in text
