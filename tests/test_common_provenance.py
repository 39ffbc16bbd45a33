import json
import os

import pandas as pd
import pytest

from scripts.common import provenance
from scripts.common.errors import UserError
from scripts.common.paths import ROOT
from tests.killing import kills


def test_a_sidecar_reads_back_and_names_what_made_it(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("a\n1\n")
    provenance.write_sidecar(table, provenance.sidecar(seed=3))
    facts = provenance.read_sidecar(table)
    assert facts["seed"] == 3 and facts["sha256"] == provenance.sha256(table)
    assert facts["hardware"]["name"] and facts["date"].endswith("Z") and facts["versions"]["python"]


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "is missing"),
        ("{", "not a readable sidecar"),
        ("[]", "no 'hardware'"),
        ("{}", "no 'hardware'"),
        (json.dumps({"hardware": {}, "schema": 99}), "update the project"),
        (json.dumps({"hardware": {}, "schema": -5}), "schema -5"),
        (json.dumps({"hardware": {}, "schema": True}), "schema True"),
        ("[" * 100_000, "not a readable sidecar"),
        ('{"schema": ' + "9" * 9000 + "}", "not a readable sidecar"),
        (" " * (2**20 + 1), "at most 1 are read"),
    ],
)
def test_a_bad_sidecar_is_one_line(tmp_path, content, message):
    if content is not None:
        (tmp_path / "table.json").write_text(content)
    with pytest.raises(UserError, match=message):
        provenance.read_sidecar(tmp_path / "table.csv")


@pytest.mark.parametrize(
    "argument, shown",
    [
        ("/home/jane/photos", "photos"),
        ("--data=/home/jane/photos", "--data=photos"),
        ("--data=~/photos", "--data=photos"),
        ("~/photos", "photos"),
        ("--data=../../../../jane/photos", "--data=photos"),
        ("x/../../../../../jane/photos", "photos"),
        ("/home/jane/a=b", "a=b"),
        ("--data=x/../../../../../jane/photos", "--data=photos"),
        (str(ROOT / "report" / "data"), "report/data"),
        ("--models", "--models"),
        ("resnet50", "resnet50"),
        ("--lr=0.1", "--lr=0.1"),
    ],
)
def test_the_command_shows_no_folder_of_this_machine(argument, shown, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert provenance._public(argument) == shown


def test_a_derived_table_keeps_its_date_until_it_changes(tmp_path):
    path, facts = tmp_path / "derived.csv", provenance.sidecar()
    assert provenance.write_derived(pd.DataFrame({"a": [1]}), path, {**facts, "date": "then"})
    assert not provenance.write_derived(pd.DataFrame({"a": [1]}), path, {**facts, "date": "now"})
    assert provenance.read_sidecar(path)["date"] == "then"
    assert provenance.write_derived(pd.DataFrame({"a": [2]}), path, {**facts, "date": "now"})
    assert provenance.read_sidecar(path)["date"] == "now"


@pytest.mark.parametrize("first", [False, True])
def test_a_table_and_its_record_are_a_pair_again_after_a_kill_at_any_step(tmp_path, first):
    path, facts = tmp_path / "derived.csv", provenance.sidecar()
    old, new = pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]})

    def reset():
        for file in tmp_path.iterdir():
            file.unlink()
        if not first:
            provenance.write_derived(old, path, {**facts, "date": "then"})

    def work():
        provenance.write_derived(new, path, {**facts, "date": "killed"})

    states = set()
    for _ in kills(work, reset):
        states.add((path.exists() and path.read_text(), path.with_suffix(".json").exists()))
        provenance.write_derived(new, path, {**facts, "date": "now"})
        found = provenance.read_sidecar(path)
        assert path.read_text() == "a\n2\n" and found["sha256"] == provenance.sha256(path) and found["date"] == "now"
    assert ("a\n2\n", not first) in states  # killed between the two was among them


@pytest.mark.parametrize("sidecar", ["", "{", json.dumps({"hardware": {}, "schema": 1})])
def test_a_derived_table_beside_a_damaged_record_is_written_again(tmp_path, sidecar):
    path, facts = tmp_path / "derived.csv", provenance.sidecar()
    provenance.write_derived(pd.DataFrame({"a": [1]}), path, facts)
    path.with_suffix(".json").write_text(sidecar)
    assert provenance.write_derived(pd.DataFrame({"a": [1]}), path, {**facts, "date": "now"})
    assert provenance.read_sidecar(path)["date"] == "now"


def test_a_full_disk_leaves_both_of_a_pair(small_disk):
    os.truncate(small_disk / "filler", 220 * 1024)
    path, facts = small_disk / "t.csv", {"schema": 1, "hardware": {}, "date": "then"}
    provenance.write_pair(pd.DataFrame({"a": [1]}), path, facts)
    with pytest.raises(UserError, match="disk is full"):  # the table fits, its sidecar does not
        provenance.write_pair(pd.DataFrame({"a": [2]}), path, {**facts, "note": "x" * 100_000})
    assert path.read_text() == "a\n1\n" and provenance.read_sidecar(path)["date"] == "then"


@pytest.mark.parametrize("told", [None, 5, "text", {"path": "x"}, [5, "text", ["path"], {}, {"path": "x"}]])
def test_a_strange_list_of_sources_is_none(told):
    assert provenance.made_from({"sources": told}) == ()
    assert len(provenance.made_from({"sources": [told, {"path": "x", "sha256": "0"}]})) == 1
