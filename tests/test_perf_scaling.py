"""The benchmark of scaling: its arithmetic, its verdicts, and the table it writes."""

import argparse
import json

import pytest

from scripts.common.errors import UserError
from scripts.common.tables import read_table
from scripts.perf import scaling

RUNS = [
    {"model": "resnet18", "size": 64, "processes": processes, "round": turn, "images_per_sec": speed, "step_ms": 1.0}
    for processes, speeds in ((1, (10.0, 30.0, 11.0)), (2, (20.0, 5.0, 19.0)))
    for turn, speed in enumerate(speeds, 1)
]


def test_the_ratio_is_that_of_medians():
    assert scaling.summary(RUNS) == {(64, 1): (11.0, 1.0), (64, 2): (19.0, 19 / 11)}


@pytest.mark.parametrize(
    "two, seconds, verdicts", [(17.0, 1.0, ["reached", "reached"]), (15.0, 3.0, ["MISSED", "MISSED"])]
)
def test_verdicts_and_the_table(tmp_path, monkeypatch, moved, capsys, two, seconds, verdicts):
    moved(DATA=tmp_path)
    monkeypatch.setattr(
        scaling,
        "launch",
        lambda options, size, processes: {"images_per_sec": {1: 10.0, 2: two}[processes], "step_ms": 5.0},
    )
    monkeypatch.setattr(scaling, "overhead", lambda: [seconds])
    scaling.main(["--processes", "1,2", "--size", "64", "--rounds", "2", "--device", "cpu", "--write"])
    lines = [line for line in capsys.readouterr().out.splitlines() if "target" in line]
    assert [line.rsplit(": ")[-1] for line in lines] == verdicts
    (path,) = tmp_path.glob("scaling-*.csv")
    frame = read_table(path, numeric=["processes", "images_per_sec"], key=["model", "size", "processes", "round"])
    assert list(frame["processes"]) == [1, 2, 1, 2]
    assert json.loads(path.with_suffix(".json").read_text())["fast_local_seconds"] == seconds


def test_a_run_that_fails_is_one_line():
    with pytest.raises(UserError, match="1 processes: .*invalid int value: 'many'"):
        scaling.launch(argparse.Namespace(model="resnet18", batch=8, steps="many", device="cpu"), 32, 1)
