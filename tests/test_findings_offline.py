"""Without timm's tables nothing that was found with them gets worse."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

from scripts.common.paths import DATA
from scripts.data import download, read_data
from scripts.findings import summary, update, verdicts


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """The committed tables in a folder of their own; timm's are neither in a copy nor in the cache nor to be had."""
    own = tmp_path / "data"
    shutil.copytree(DATA, own)
    monkeypatch.delenv("TIMM_RESULTS", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(download, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(download, "REMOTE", "http://127.0.0.1:9/{commit}/{file}")
    monkeypatch.setattr(download, "_unreachable", set())
    monkeypatch.setattr(verdicts, "DATA", own)
    return own


def facts(path):
    """A sidecar but for the fingerprints of the scripts."""
    return {name: value for name, value in json.loads(path.read_text()).items() if name != "code"}


def test_a_run_without_tables_leaves_every_finding_as_it_is(offline):
    before, told = (offline / verdicts.FILE).read_bytes(), facts(offline / "findings.json")
    verdicts.update()
    assert (offline / verdicts.FILE).read_bytes() == before
    assert facts(offline / "findings.json") == told, "timm's tables stay among its sources"


def test_a_damaged_record_of_the_findings_does_not_end_the_run_that_writes_it(offline):
    assert verdicts._known()
    for content in ("{", '{"schema": 1, "hardware": {}, "sources": 5}'):
        (offline / "findings.json").write_text(content)
        assert verdicts._known() == ()
    (offline / "findings.json").unlink()
    assert verdicts._known() == ()


def test_measured_again_without_tables_no_answer_takes_the_place_of_one(offline):
    """What compares with timm's tables can't be judged anew, and keeps its verdict until it can."""
    path = offline / "findings.json"
    told = json.loads(path.read_text())
    for one in told["sources"]:
        if one["path"].startswith("report/data/benchmark-"):
            one["sha256"] = "0" * 64
    path.write_text(json.dumps(told))
    before = verdicts.load().set_index(verdicts.KEY)["verdict"]
    after = verdicts.update().set_index(verdicts.KEY)["verdict"]
    assert list(after.index) == list(before.index)
    assert not ((after == "no data") & (before != "no data")).any()


def test_a_new_machine_is_judged_as_far_as_it_can_be(offline, monkeypatch):
    from scripts.data import measured

    ours = measured.load("infer")
    other = ours[ours["file"] == ours["file"].iloc[0]].assign(hardware="other_cpu", hardware_name="Other")
    tables = [*verdicts.fields.configurations(), other.reset_index(drop=True)]
    monkeypatch.setattr(verdicts.fields, "configurations", lambda: tables)
    before = len(verdicts.load())
    after = verdicts.update()
    mine = after[after["hardware"] == "other_cpu"]
    assert len(after) == before + len(mine) and mine["main"].any() and (mine["verdict"] != "no data").any()


def test_the_command_says_so_in_a_line_and_changes_nothing(offline, monkeypatch, capsys):
    for module in (summary, update.aggregates):
        monkeypatch.setattr(module, "DATA", offline)
    for name in ("transfer", "phones", "history", "predict_evaluate", "predict_command"):
        monkeypatch.setattr(getattr(update, name), "update", lambda: pytest.fail("not without tables"), raising=False)
    before = {path.name: path.read_bytes() for path in offline.iterdir()}
    assert update.main([]) == 0
    assert capsys.readouterr().err.count("notice:") == 1
    assert {path.name: path.read_bytes() for path in offline.iterdir()} == before


def test_one_vintage_without_the_other(timm_tables, offline, monkeypatch, tmp_path):
    """The older tables are at hand, the newest are not: only the older ones are judged anew."""
    pinned = download.locate

    def only_then(vintage, file):
        if vintage == read_data.NOW:
            raise read_data.TablesMissing("none")
        return pinned(vintage, file)

    monkeypatch.setenv("TIMM_RESULTS", str(timm_tables))
    monkeypatch.setattr(download, "locate", only_then)
    before = verdicts.load()
    after = verdicts.update()
    columns = [*verdicts.KEY, "verdict", "year", "main"]
    pd.testing.assert_frame_equal(after[columns].astype(str), before[columns].astype(str))
