"""The charts and the page of `make choose`, from made-up runs with names that would be markup."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from scripts.choose import table as choose_table
from scripts.common import schema
from scripts.common.errors import DataMissing, UserError
from scripts.common.paths import atomic_csv, atomic_write
from scripts.figures import display_choose
from scripts.pages import choose
from scripts.train import choice

EVIL = "<img src=x onerror=alert(1)>"
SIZES = ("tf_efficientnet_lite0", 224, 144.0, 74.8), ("tf_efficientnet_lite2", 260, 75.0, 77.5)


def row(name: str, size: int, speed: float, top1: float, right: float, verdict: str, tag: str = "in1k") -> dict:
    judged = verdict != "untried"
    nothing = float("nan")
    return {
        "backbone": name, "weights": tag, "img_size": size, "pretrain": tag, "imagenet_top1": top1, "verdict": verdict,
        "photos": 960 if judged else 0, "cv_accuracy": right if judged else nothing, "cv_low": right - 0.01,
        "cv_high": right + 0.01, "neighbours": right, "test_accuracy": right if verdict == "best" else nothing,
        "test_low": right - 0.01, "test_high": right + 0.01, "behind": nothing if verdict == "best" else 0.01,
        "behind_low": nothing if verdict == "best" else -0.01, "behind_high": 0.03, "images_per_sec": speed,
        "runtime": "openvino", "precision": "bf16", "threads": 2, "batch": 32, "seconds": 9.0, "features": 1280,
        "note": "",
    }  # fmt: skip


@pytest.fixture
def data(tmp_path, monkeypatch, moved):
    """A report/data with runs on two of the report's sets and on one of a reader's."""
    moved(DATA=tmp_path)
    monkeypatch.setattr(display_choose, "source", lambda path: {"path": f"report/data/{path.name}", "sha256": ""})
    curve = pd.DataFrame({"photos": [100, 400], "accuracy": [0.9, 0.95], "low": [0.88, 0.93], "high": [0.92, 0.97]})
    confusion = pd.DataFrame({"label": [EVIL], "predicted": ["glass"], "photos": [7], "of": [100], "share": [0.07]})
    for name in ("cats-and-dogs", "trash", EVIL.replace("/", "")):
        (lite0, *first), (lite2, *second) = SIZES
        rows = [row(lite2, *second, 0.98, "best"), row(lite0, *first, 0.97, "tied"),
                row(lite0, 128, 400.0, float("nan"), 0.9, "behind"), row(lite0, 192, 200.0, 0.0, 0.9, "untried"),
                row("colour histogram", 128, 2000.0, float("nan"), 0.6, "floor", "")]  # fmt: skip
        facts = {
            "schema": 1, "hardware": {"name": EVIL, "slug": "box"}, "date": "2026-11-28T00:00:00Z", "dataset": name,
            "checksum": name, "training_images": 960, "test_images": 500, "minutes": 3, "seconds": 170.0, "level": 0.9,
            "said": [f"{EVIL} is right.", "More photos would help.", "Taken for another."],
        }  # fmt: skip
        slug = "own" if "<" in name else name
        for part, frame in (("", pd.DataFrame(rows)), ("-curve", curve), ("-confusion", confusion)):
            path = choice.path(slug, "box", part, tmp_path)
            atomic_csv(frame, path)
            atomic_write(path.with_suffix(".json"), json.dumps(facts))
    return tmp_path


def test_the_frontier_of_a_set_names_the_best_and_escapes_names(data):
    drawing = display_choose.draw_frontier("trash")
    assert drawing.title == "trash: tf_efficientnet_lite2 at 260 pixels is right on 98.0% of the photos"
    assert "500 test photos" in drawing.figure.to_json() and "colour histogram 60.0%" in drawing.caption
    own = display_choose.draw_frontier(display_choose.OWN)
    assert "<img" not in own.figure.to_json() and "<img" not in own.phone.to_json()
    with pytest.raises(DataMissing, match="make choose DATA=FOLDER"):
        display_choose.draw_frontier("seedlings")


def test_the_curve_names_the_set_that_gains_most(data):
    drawing = display_choose.draw_curve()
    assert drawing.title == "cats-and-dogs gains most from more photos: 90% with 100, 95% with 400"
    assert len(drawing.sources) == 2


PARTS = (choose.said, choose.order, choose.order_table, choose.curve, choose.confusion, choose.hurry)


@pytest.mark.parametrize("print_it", PARTS)
def test_the_page_prints_each_part_and_no_markup_of_others(data, print_it, capsys):
    print_it()
    said = capsys.readouterr().out
    assert said.strip() and "<img" not in said and "nan" not in said and "callout" not in said


def test_the_page_says_whether_imagenets_best_wins_and_what_is_cheaper(data, capsys):
    choose.order()
    assert "On trash ImageNet’s best, tf_efficientnet_lite2 at 260 pixels (77.5% there), is the best here, too" in (
        capsys.readouterr().out
    )
    assert "tf_efficientnet_lite0 at 224 pixels is 1.9 times as fast" in choose.cheaper()
    choose.table("trash")
    said = capsys.readouterr().out
    assert "not tried" in said and "960 by cross-validation" in said


def test_without_a_run_the_page_says_the_command(tmp_path, moved, capsys):
    moved(DATA=tmp_path)
    for print_it in (*PARTS, lambda: choose.table("trash")):
        print_it()
        assert "make choose" in capsys.readouterr().out
    assert choose.cheaper() == ""


def test_imagenets_accuracy_is_that_of_the_weights_and_the_size(monkeypatch):
    known = pd.DataFrame({"model": ["net.in1k", "net.in1k"], "img_size": [224, 288], "top1": [80.0, 81.0]})
    monkeypatch.setattr(choose_table.read_data, "results", lambda vintage: known)
    asked = pd.DataFrame({"backbone": ["net", "net.in1k", "net", "net"], "weights": ["in1k", "in1k", "random", "in1k"],
                          "img_size": [224, 288, 224, 128]})  # fmt: skip
    found = choose_table.imagenet(asked)
    assert found[:2] == [80.0, 81.0] and np.isnan(found[2:]).all()

    def missing(vintage):
        raise UserError("no tables")

    monkeypatch.setattr(choose_table.read_data, "results", missing)
    assert np.isnan(choose_table.imagenet(asked)).all()


def test_every_column_is_in_the_dictionary():
    table = next(one for one in schema.TABLES if one.pattern == "choose-*.csv")
    assert set(row("x", 1, 1.0, 1.0, 0.5, "best")) <= set(table.columns)
