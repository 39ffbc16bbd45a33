import json

import pytest

from scripts.common import provenance
from scripts.common.errors import UserError
from scripts.common.paths import ROOT


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
    import pandas as pd

    path, facts = tmp_path / "derived.csv", provenance.sidecar()
    assert provenance.write_derived(pd.DataFrame({"a": [1]}), path, {**facts, "date": "then"})
    assert not provenance.write_derived(pd.DataFrame({"a": [1]}), path, {**facts, "date": "now"})
    assert provenance.read_sidecar(path)["date"] == "then"
    assert provenance.write_derived(pd.DataFrame({"a": [2]}), path, {**facts, "date": "now"})
    assert provenance.read_sidecar(path)["date"] == "now"
