"""The page about leaving the machine: its tables say what the files say, and what is missing is said."""

import json

import pandas as pd
import pytest

from scripts.pages import page, scale


@pytest.fixture
def folder(tmp_path, moved):
    moved(DATA=tmp_path)
    return tmp_path


def write(folder, name, speeds, date="2026-01-01T00:00:00Z"):
    columns = ["model", "size", "processes", "round", "images_per_sec", "step_ms"]
    rows = [("net", 64, count, turn, speed, 10.0) for count in speeds for turn, speed in enumerate(speeds[count], 1)]
    pd.DataFrame(rows, columns=columns).to_csv(folder / f"scaling-{name}.csv", index=False)
    facts = {"schema": 1, "date": date, "hardware": {"name": f"Machine {name}"}, "fast_local_seconds": 0.7}
    facts["settings"] = {"batch": 32, "precision": "fp32"}
    (folder / f"scaling-{name}.json").write_text(json.dumps(facts))


def test_ratios_are_of_the_medians(folder):
    write(folder, "x", {1: [10, 100, 12], 2: [18, 19, 1]})
    found = scale.medians(folder / "scaling-x.csv")
    assert list(found["images_per_sec"]) == [12, 18] and list(found["ratio"]) == [1.0, 1.5]
    assert list(found["efficiency"]) == [1.0, 0.75]
    assert list(found["rounds"]) == [3, 3]


def test_sentences_are_of_the_newest_measurement(folder):
    write(folder, "x", {1: [10], 2: [18]})
    write(folder, "a", {1: [10], 2: [19], 4: [30]}, date="2026-02-01T00:00:00Z")
    found = scale.facts()
    said = "4 processes train 3.00 times as many images a second as one, on Machine a (2026-02-01)."
    assert found.measured == f"Measured here: {said}"
    assert "0.7 seconds" in found.added


def test_nothing_measured_is_said(folder, capsys):
    scale.scaling()
    assert "scripts.perf.scaling --write" in capsys.readouterr().out
    assert scale.facts().measured == scale.facts().added == ""


def test_prices_and_plan_show_their_dates(capsys, monkeypatch):
    monkeypatch.setattr(page, "_used", {})
    scale.price_list(), scale.plan(), scale.per_dollar()
    out = capsys.readouterr().out
    assert "ml.g5.xlarge" in out and "On paper, not run" in out and scale.facts().given.date in out
