"""The chart and the page of predictions: drawn from real tables where they are at hand, and an honest line where
they are not.
"""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from scripts.common.errors import DataMissing, UserError
from scripts.data import measured, read_data
from scripts.figures import display_predicted
from scripts.figures.theme import label_boxes
from scripts.pages import machine, method, yours
from scripts.predict import command as predict_command, evaluate as predict_evaluate, speeds, stored

EVIL = "<script>alert(1)</script> ```"


def raising(error):
    def no(*arguments, **named):
        raise error

    return no


def test_the_page_without_predictions_says_so_and_goes_on(monkeypatch, capsys):
    monkeypatch.setattr(stored, "read", raising(UserError(f"nothing predicted: {EVIL}")))
    facts = yours.facts()
    yours.notes()
    yours.picks()
    yours.measure_next()
    yours.frontier()
    yours.other_parts()
    said = capsys.readouterr().out
    monkeypatch.setattr(predict_evaluate, "table", raising(UserError("no such file")))
    yours.trust()
    assert capsys.readouterr().out == "" and "no others predicted" in facts.words and "nan" not in facts.words
    assert f"{facts.within:.2f}" == "n/a"
    assert "Nothing is predicted" in said and "<script>" not in said and "tbl-yours-frontier" not in said


def test_the_page_without_measurements_names_what_to_measure(monkeypatch, capsys):
    monkeypatch.setattr(speeds, "machine_rows", raising(UserError("nothing measured")))
    monkeypatch.setattr(stored, "read", raising(UserError("nothing measured")))
    monkeypatch.setattr(predict_command, "read_check", raising(UserError("not checked")))
    assert yours.facts().used == 0
    yours.measure_next()
    yours.check()
    said = capsys.readouterr().out
    assert "python -m scripts.bench.sweep --models " in said and "has not been checked" in said


@pytest.fixture
def checked(monkeypatch):
    """Three models of a machine that were predicted and then measured, one outside its interval."""
    compared = pd.DataFrame(
        [
            ("resnet18", 224, 100.0, 100.0, 90.0, 110.0),
            ("vgg11", 224, 10.0, 20.0, 15.0, 25.0),
            ("levit_128s", 224, 900.0, 800.0, 700.0, 950.0),
        ],
        columns=predict_command.CHECK,
    )
    about = {"hardware": {"name": f"Box {EVIL}"}, "used": 20, "date": "2026-11-21T10:00:00Z"}
    monkeypatch.setattr(measured, "machine", lambda: "box")
    monkeypatch.setattr(predict_command, "read_check", lambda hardware: (compared, about))
    monkeypatch.setattr(display_predicted, "source", lambda path, url="": {"path": path.name, "sha256": "0"})


def test_the_check_chart_has_a_dot_and_an_interval_for_each_model(checked):
    drawing = display_predicted.draw_check()
    assert "2 of 3 in their 90% interval" in drawing.title
    assert list(drawing.data["arch"]) == ["levit_128s", "resnet18", "vgg11"]
    (dots,) = [trace for trace in drawing.figure.data if trace.mode == "markers"]
    assert list(dots.x) == [1.125, 1.0, 0.5] and sum(trace.mode == "lines" for trace in drawing.figure.data) == 3
    assert "<script>" not in str(drawing.figure.layout.annotations)


def test_the_page_says_what_the_check_found(checked, capsys, monkeypatch):
    monkeypatch.setattr(yours.page, "chart", lambda name: print(f"chart {name}"))
    yours.check()
    said = capsys.readouterr().out
    assert "20 measured models of the design predicted 3 others" in said and "67% of the measured speeds" in said
    assert "chart predicted_check" in said


def test_energy_is_a_sentence_either_way(monkeypatch):
    rows = pd.DataFrame({"arch": ["a", "b"], "energy_j": ["0.5", "2"]})
    monkeypatch.setattr(speeds, "machine_rows", lambda: rows)
    assert "between 0.5 joules (a) and 2 joules (b)" in machine.energy().value
    monkeypatch.setattr(speeds, "machine_rows", lambda: rows.assign(energy_j=""))
    assert "not known here" in machine.energy().value
    monkeypatch.setattr(speeds, "machine_rows", raising(UserError("nothing")))
    assert machine.energy().value == ""


def test_the_gpus_steps_are_a_table(capsys):
    method.gpu_steps()
    said = capsys.readouterr().out
    assert all(name in said for name in method.gpu.STEPS) and "tbl-gpu-steps" in said


def test_where_the_code_has_run_is_read_from_the_committed_tables(tmp_path, moved, capsys):
    moved(DATA=tmp_path)
    for name in ("cpu1t-box_2c", "cu132-rtx5090", "mps-apple_m2_gpu"):
        (tmp_path / f"benchmark-infer-amp-nhwc-pt2150-{name}.csv").write_text("", encoding="utf-8")
    method.ran_where()
    rows = [row for row in capsys.readouterr().out.split("<tr>") if "--device" in row]
    assert [("measured</td>" in row) for row in rows] == [True, True, False, True, False]
    assert all("stand-ins" in row for row in (rows[2], rows[4]))


def test_the_evaluation_says_what_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(predict_evaluate, "table", raising(UserError("no such file")))
    method.evaluation()
    assert "Not computed yet" in capsys.readouterr().out and method.evaluation_facts() is None


def test_the_evaluation_shows_every_table_and_rival(capsys):
    method.evaluation()
    said = capsys.readouterr().out
    assert said.count("<tr>") > len(predict_evaluate.table()["file"].unique()) and "Similar machine, scaled" in said
    assert "tbl-predict-kinds" in said
    facts = method.evaluation_facts()
    yours.trust()
    said = capsys.readouterr().out
    assert f"{facts.gpu:.1%} on any inference table of a graphics card" in said
    assert f"known up to {facts.new_gpu:.1%}" in said
    assert facts.gpu < facts.new_gpu and facts.cpu < facts.new_cpu, "a new kind of machine has more to expect"
    assert 0 < facts.gpu < facts.cpu < 1 and 0 <= facts.beaten <= facts.tables
    assert all(least <= most for least, most in facts.covered.values())


@pytest.mark.parametrize(
    "error, expected", [(UserError("too few"), DataMissing), (read_data.TablesMissing("none"), read_data.TablesMissing)]
)
def test_the_chart_says_what_is_missing(monkeypatch, error, expected):
    monkeypatch.setattr(stored, "read" if isinstance(error, UserError) else "weights", raising(error))
    with pytest.raises(expected):
        display_predicted.draw()


def test_the_page_says_which_case_the_machine_is(monkeypatch, capsys):
    kept = stored.read()
    for case, words in (("like", "counts as a machine like those timed"), ("new", "counts as a new kind of machine")):
        infer = dataclasses.replace(kept.parts["infer"], case=case, hardware_name=EVIL)
        mine = dataclasses.replace(kept, parts={**kept.parts, "infer": infer})
        monkeypatch.setattr(stored, "read", lambda mine=mine: mine)
        yours.trust()
        said = capsys.readouterr().out
        assert words in said and "<script>" not in said


def test_measurements_newer_than_the_predictions_are_said(monkeypatch, capsys):
    kept = dataclasses.replace(stored.read(), sha256="0" * 64)
    monkeypatch.setattr(speeds, "machine_rows", lambda: pd.DataFrame({"file": [kept.file]}))
    monkeypatch.setattr(stored, "read", lambda: kept)
    yours.notes()
    assert "Measured again since" in capsys.readouterr().out


def test_the_chart_and_page_on_real_tables(timm_tables, monkeypatch, capsys):
    monkeypatch.setenv("TIMM_RESULTS", str(timm_tables))
    try:
        rows = speeds.machine_rows()
    except UserError:
        pytest.skip("nothing measured here")
    if len(rows) < 5:
        pytest.skip("too little measured here")
    drawing = display_predicted.draw()
    shown = drawing.data
    solid = [
        trace for trace in drawing.figure.data if trace.mode == "markers" and "open" not in str(trace.marker.symbol)
    ]
    hollow = [trace for trace in drawing.figure.data if trace.mode == "markers" and "open" in str(trace.marker.symbol)]
    assert sum(len(trace.x) for trace in solid) == (shown["status"] == "measured").sum() > 0
    assert sum(len(trace.x) for trace in hollow) == (shown["status"] == "predicted").sum() > 500
    for figure in (drawing.figure, drawing.phone):
        boxes = [box for _, box in label_boxes(figure)]
        assert len(boxes) >= 3 and not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    yours.picks()
    yours.frontier()
    assert "tbl-yours-picks" in (said := capsys.readouterr().out) and "tbl-yours-frontier" in said
    key, table = stored.picker_table()
    assert key.endswith("-predicted") and not table.duplicated(["model", "img_size"]).any()
    assert pd.notna(table["samples_per_sec"]).all()
