"""Charts of how much of the machine is used: percent of the limits, and speed by batch size; and what is missing,
said.
"""

from __future__ import annotations

import json

import pandas as pd
import pytest

from scripts.common import hardware
from scripts.common.errors import DataMissing, UserError
from scripts.data import measured
from scripts.figures import display_limits

CURVE = "curve-infer-fp32-nchw-pt2150-cpu1t-box_2c.csv"
TABLE = "benchmark-infer-fp32-nchw-pt2150-cpu1t-box_2c.csv"
HEAD = (
    "model infer_samples_per_sec infer_step_time infer_batch_size infer_img_size param_count infer_gmacs infer_macts "
    "status samples_per_sec_low samples_per_sec_high arithmetic_pct roofline_pct threads"
).split()


@pytest.fixture
def box(monkeypatch, moved, tmp_path):
    """write(name, rows) puts a measured CSV of a machine of our own, which is "this machine", into a folder that
    stands for report/data.
    """
    moved(DATA=tmp_path)
    monkeypatch.setattr(hardware, "present", lambda: ("box_2c",))

    facts = {
        "schema": 1,
        "date": "2026-11-21T10:00:00Z",
        "hardware": {"slug": "box_2c", "name": "Box, 2 cores", "kind": "cpu"},
        "ceilings": {"matmul_tflops": 0.1, "copy_gbps": 25.0},
        "settings": {"precision": "fp32", "threads": 1, "torch": "2.15.0+cpu"},
    }

    def write(name: str, rows: list[dict]):
        pd.DataFrame(rows).to_csv(tmp_path / name, index=False)
        (tmp_path / name).with_suffix(".json").write_text(json.dumps(facts))

    return write


def rows(roofline: dict[str, float]) -> list[dict]:
    return [
        dict(zip(HEAD, [model, 20.0, 100.0, 2, 224, 5.0, 1.0, 2.0, "ok", 19.0, 21.0, percent, percent, 1]))
        for model, percent in roofline.items()
    ]


def curve(speeds: dict[str, list[float]]) -> list[dict]:
    columns = "model batch_asked infer_samples_per_sec samples_per_sec_low samples_per_sec_high status".split()
    return [
        dict(zip(columns, [model, 2**i, speed or "", 1, 99, "ok" if speed else "failed"]))
        for model, values in speeds.items()
        for i, speed in enumerate(values)
    ]


def test_limits_are_sorted_and_the_title_says_the_median(box):
    box(TABLE, rows({"resnet18": 80.0, "vgg11": 30.0, "levit_128s": 60.0}))
    drawing = display_limits.draw_limits()
    assert (
        list(drawing.data.arch) == ["resnet18", "levit_128s", "vgg11"]
        and "median model uses 60%" in drawing.title
        and "vgg11 30%" in drawing.title
    )
    assert "0.1 TFLOP/s" in drawing.caption and drawing.hardware.startswith("Box") and drawing.phone is not None


def test_the_limits_of_one_model(box):
    box(TABLE, rows({"resnet18": 80.0}))
    assert display_limits.draw_limits().title == "Box, 2 cores: resnet18 uses 80% of what the machine can do"


def test_limits_that_were_not_measured_are_missing(box):
    box(TABLE, [{**row, "roofline_pct": ""} for row in rows({"resnet18": 0})])
    with pytest.raises(DataMissing, match="make bench"):
        display_limits.draw_limits()


def test_a_curve_is_relative_to_single_pictures_and_leaves_out_what_failed(box):
    box(TABLE, rows({"resnet18": 80.0}))
    box(CURVE, curve({"resnet18": [10.0, 15.0, 14.0], "vgg11": [2.0, 2.1, 0.0], "levit_128s": [0.0, 90.0, 95.0]}))
    drawing = display_limits.draw_curve()
    shown = drawing.data.set_index(["model", "batch"]).gain
    assert (
        shown["resnet18", 2] == 1.5 and ("vgg11", 4) not in shown.index and "levit_128s" not in set(drawing.data.model)
    )  # no batch 1 to compare with
    assert "1 of 2 models" in drawing.title and "resnet18 1.50 times" in drawing.title
    assert len([trace for trace in drawing.figure.data if "lines" in trace.mode]) == 2


def test_a_curve_that_gains_nothing_says_so(box):
    box(TABLE, rows({"resnet18": 80.0}))
    box(CURVE, curve({"resnet18": [10.0, 10.1], "vgg11": [2.0, 1.9]}))
    assert "no model gains 10%" in display_limits.draw_curve().title


def test_no_curve_says_how_to_measure_one(box):
    box(TABLE, rows({"resnet18": 80.0}))
    with pytest.raises(DataMissing, match="--curve"):
        display_limits.draw_curve()


def test_a_damaged_curve_is_named(box, tmp_path):
    box(CURVE, curve({"resnet18": [10.0, 15.0]}) * 2)
    with pytest.raises(UserError, match="curve-infer"):
        measured.curve("box_2c", tmp_path)
    assert measured.curve("other", tmp_path) is None
