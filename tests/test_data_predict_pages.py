"""The chart and the page of predictions: drawn from real tables where they are at hand, and an honest line where they are not."""

from __future__ import annotations

import pandas as pd
import pytest

from scripts.common.errors import UserError
from scripts.data import predict, predict_evaluate, predict_tables, read_data
from scripts.figures import display_predicted
from scripts.figures.drawing import DataMissing
from scripts.figures.theme import label_boxes
from scripts.site import yours

EVIL = "<script>alert(1)</script> ```"


@pytest.fixture(autouse=True)
def fresh():
    for cached in (yours._made, yours._edge, predict.here):
        cached.cache_clear()
    yield
    for cached in (yours._made, yours._edge, predict.here, predict_tables.references):
        cached.cache_clear()


def raising(error):
    def no(*arguments, **named):
        raise error
    return no


def test_the_page_without_tables_says_so_and_goes_on(monkeypatch, capsys):
    monkeypatch.setattr(predict, "here", raising(read_data.TablesMissing(f"timm's tables: {EVIL}")))
    facts = yours.facts()
    yours.notes()
    yours.picks()
    yours.measure_next()
    yours.frontier()
    yours.other_parts()
    said = capsys.readouterr().out
    assert facts.predicted == 0 and "Nothing is predicted" in said and "<script>" not in said and "tbl-yours-frontier" not in said


def test_the_page_without_measurements_names_what_to_measure(monkeypatch, capsys):
    monkeypatch.setattr(predict, "machine_rows", raising(UserError("nothing measured")))
    monkeypatch.setattr(predict, "here", raising(UserError("nothing measured")))
    assert yours.facts().used == 0
    yours.measure_next()
    yours.check()
    said = capsys.readouterr().out
    assert "python -m scripts.bench.sweep --models " in said and "has not been checked" in said


def test_the_evaluation_says_what_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(predict_evaluate, "table", raising(UserError("no such file")))
    yours.evaluation()
    assert "Not computed yet" in capsys.readouterr().out and yours.evaluation_facts().tables == 0


def test_the_evaluation_shows_every_table_and_rival(capsys):
    yours.evaluation()
    said = capsys.readouterr().out
    assert said.count("<tr>") > len(predict_evaluate.table()["file"].unique()) and "Similar machine, scaled" in said and "tbl-predict-kinds" in said
    facts = yours.evaluation_facts()
    assert 0 < facts.gpu < facts.cpu < 1 and facts.covered_least <= facts.covered_most and 0 <= facts.beaten <= facts.tables


@pytest.mark.parametrize("error, expected", [(UserError("too few"), DataMissing), (read_data.TablesMissing("none"), read_data.TablesMissing)])
def test_the_chart_says_what_is_missing(monkeypatch, error, expected):
    monkeypatch.setattr(predict, "here", raising(error))
    with pytest.raises(expected):
        display_predicted.draw()


def test_the_chart_and_page_on_real_tables(timm_tables, monkeypatch, capsys):
    monkeypatch.setenv("TIMM_RESULTS", str(timm_tables))
    try:
        rows = predict.machine_rows()
    except UserError:
        pytest.skip("nothing measured here")
    if len(rows) < 5:
        pytest.skip("too little measured here")
    drawing = display_predicted.draw()
    shown = drawing.data
    solid = [trace for trace in drawing.figure.data if trace.mode == "markers" and "open" not in str(trace.marker.symbol)]
    hollow = [trace for trace in drawing.figure.data if trace.mode == "markers" and "open" in str(trace.marker.symbol)]
    assert sum(len(trace.x) for trace in solid) == (shown["status"] == "measured").sum() > 0
    assert sum(len(trace.x) for trace in hollow) == (shown["status"] == "predicted").sum() > 500
    for figure in (drawing.figure, drawing.phone):
        boxes = [box for _, box in label_boxes(figure)]
        assert len(boxes) >= 3 and not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    yours.picks()
    yours.frontier()
    assert "tbl-yours-picks" in (said := capsys.readouterr().out) and "tbl-yours-frontier" in said
    key, table = predict.picker_table()
    assert key.endswith("-predicted") and not table.duplicated(["model", "img_size"]).any() and pd.notna(table["samples_per_sec"]).all()
