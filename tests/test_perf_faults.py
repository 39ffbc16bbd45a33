"""The fault commands notice what they are there for, and a few kills that are quick are tried."""

import json
import sys
import threading
import time

import pytest

from scripts.common import provenance
from scripts.perf.faults import files, kills, outcome

FACTS = {"schema": 1, "hardware": {}, "date": "2026-01-01T00:00:00Z"}


@pytest.fixture
def home(tmp_path, monkeypatch):
    (tmp_path / "report" / "data").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "report" / "data"


def test_dates_and_order_are_no_difference_and_a_cell_is_one(home):
    provenance.write_pair("a,seconds\n1,3\n2,4\n", home / "t.csv", FACTS)
    first = outcome.look(("report/data/*",))
    provenance.write_pair("a,seconds\n2,5\n1,6\n", home / "t.csv", {**FACTS, "date": "2027-01-01T00:00:00Z"})
    assert outcome.look(("report/data/*",)) == first and not outcome.odd()
    provenance.write_pair("a,seconds\n2,5\n3,6\n", home / "t.csv", FACTS)
    assert kills.differs(outcome.look(("report/data/*",)), first) == ["report/data/t.csv"]


def test_half_a_file_and_half_a_pair_are_seen(home):
    provenance.write_pair("a,b\n1,2\n3,4\n", home / "t.csv", FACTS)
    old = outcome.look(("report/data/*",))
    provenance.write_pair("a,b\n5,6\n3,4\n", home / "t.csv", FACTS)
    new = outcome.look(("report/data/*",))
    provenance.write_pair("a,b\n5,6\n1,2\n3,4\n", home / "t.csv", FACTS)  # a row of each: a table that grows
    assert kills.halves(outcome.look(("report/data/*",)), old, new) == []
    (home / "t.csv").write_text("a,b\n1,2\n3,")
    (home / "t.json").write_text(json.dumps(FACTS)[:-5])
    found = outcome.look(("report/data/*",))
    assert kills.halves(found, old, new) == ["report/data/t.csv", "report/data/t.json"]
    (home / "t.json").write_text(json.dumps({**FACTS, "sha256": "0" * 64}))
    assert outcome.odd() == ["report/data/t.csv and its sidecar are no pair"]


def test_what_stays_over_is_seen(home):
    old = outcome.look(("report/data/*",))
    (home / ".t.csv.abc.12.tmp").write_text("x")
    assert kills.differs(outcome.look(("report/data/*",)), old) == ["report/data/.t.csv.abc.#.tmp"]


def test_a_kill_waits_for_a_change_of_the_files(home):
    changes = kills.Changes()
    changes.wait(time.monotonic() + 0.05)
    assert changes.count == 0

    def write():
        for name in ("a", "b"):
            time.sleep(0.05)
            (home / name).touch()

    writer = threading.Thread(target=write)
    writer.start()
    changes.wait(time.monotonic() + 30, 2)
    writer.join()
    assert changes.count == 2 and (home / "b").exists()


def test_downloads_killed_at_a_random_moment(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(kills, "BUILD", tmp_path)
    monkeypatch.setattr(sys, "argv", ["kills", "data", "--rounds", "1"])
    assert kills.main() == 0, capsys.readouterr().out
    assert len((tmp_path / "kills.jsonl").read_text().splitlines()) == 1


def test_there_are_hostile_files_of_enough_kinds():
    known = files.files()
    assert len(known) >= 74 and len({kind for kind, _ in known.values()}) >= 25
    assert known["tiles.tif"][1]() == known["tiles.tif"][1]()  # the same at each call
