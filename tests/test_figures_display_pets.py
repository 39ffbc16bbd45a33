"""The charts and tables of photos, convnet, runs and searches, from made-up tables with names that would be markup."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from scripts.common import schema
from scripts.common.errors import DataMissing, UserError
from scripts.common.paths import atomic_csv, atomic_write
from scripts.figures import display_pets
from scripts.pages import cnn, pets, runs as runs_page
from scripts.train import photo_results, runs, tracking

EVIL = "<img src=x onerror=alert(1)>"
HARDWARE = {"name": "Box & Co", "slug": "box"}


@pytest.fixture
def tables(tmp_path, monkeypatch, moved):
    """A report/data of made-up results."""
    data = tmp_path / "report" / "data"
    data.mkdir(parents=True)
    moved(DATA=data)
    monkeypatch.setattr(tracking, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(display_pets, "source", lambda path: {"path": f"report/data/{path.name}", "sha256": ""})
    rng = np.random.default_rng(0)

    known = {"schema": 1, "hardware": HARDWARE, "date": "2026-11-21T00:00:00Z", "versions": {"torch": "2.15.0"}}

    def write(name: str, frame: pd.DataFrame, **facts) -> None:
        atomic_csv(frame, data / f"{name}.csv")
        atomic_write(data / f"{name}.json", json.dumps({**known, **facts}))

    epochs = pd.DataFrame({
        "epoch": [1, 2, 3], "phase": "all", "train_loss": [0.7, 0.6, 0.5], "valid_loss": [0.7, 0.65, 0.6],
        "error_rate": [0.4, 0.3, 0.25], "lr": 1e-3, "seconds": 2.0,
    })  # fmt: skip
    photos = pd.DataFrame({"photo": range(1, 41), "split": ["valid", "test"] * 20, "label": ["cat", EVIL] * 20})
    photos["predicted"] = np.where(rng.random(40) < 0.7, photos.label, "cat")
    photos["probability"], photos["loss"] = rng.random(40) / 2 + 0.5, rng.random(40) * 3
    facts = {
        "arch": "resnet18", "dataset": EVIL, "weights": "scratch", "size": 96, "train_images": 100, "valid_images": 20,
        "test_images": 20, "classes": ["cat", EVIL], "error_rate": {"valid": 0.25, "test": 0.3},
    }  # fmt: skip
    write("pets-photos-resnet18-box", epochs, **facts)
    write("pets-photos-resnet18-box-predictions", photos, **facts)
    cnn = {
        "recipe": "original", "train_images": 180, "valid_images": 20, "test_images": 50, "train_loss": 0.6,
        "test_loss": 0.65, "train_accuracy": 0.7, "test_accuracy": 0.6, "epochs": 2, "batch": 32, "lr": 1e-4,
        "size": 224, "train_seconds": 9.0, "precision": "fp32",
    }  # fmt: skip
    write("cnn-photos-original-box", pd.DataFrame([cnn]), dataset="photos")
    write("cnn-photos-original-box-history", epochs.assign(valid_accuracy=0.5), dataset="photos")
    starts = [
        {"start": start, "seed": seed, "train_size": size, "accuracy": share + seed / 50}
        for start, share, size in (("frozen", 0.8, ""), ("fine-tuned", 0.9, 48), ("scratch", 0.6, 48))
        for seed in range(3)
    ]
    same = {"model": "resnet18", "img_size": 64, "epochs": 2, "train_images": 100, "test_images": 20}
    write("starts-photos-box", pd.DataFrame(starts).assign(**same), dataset=EVIL)
    layer = {
        "stage": "stage1", "kind": "Conv2d", "output": "64×8×8", "parameters": 10, "used_before": False,
        "output_mb": 1.0, "mult_adds": 1e6,
    }  # fmt: skip
    totals = {"parameters": 10, "mult_adds": 1e6, "forward_backward_mb": 1.0, "total_mb": 2.0}
    write("cnn-summary", pd.DataFrame([layer]), totals=totals)
    trials = pd.DataFrame({
        "trial": range(9), "state": ["complete"] * 6 + ["pruned", "pruned", "fail"],
        "accuracy": [*np.linspace(0.5, 0.9, 8), np.nan], "epochs": 4, "seconds": 1.0, "note": [""] * 8 + [EVIL],
        "lr": np.geomspace(1e-4, 1e-2, 9), "batch": [32, 64, 128] * 3, "model": ["resnet20", EVIL, "lenet5"] * 3,
    })  # fmt: skip
    about = {"data": "digits", "model": "resnet20", "epochs": 4, "sampler": "tpe"}
    write("search-digits-box", trials, **about, importance={"lr": 0.7, "batch": 0.2, "model": 0.1})
    return data


DRAW = [
    f"draw_{name}"
    for name in (
        "pets_curves", "pets_confusion", "pets_losses", "starts", "cnn_curves", "search_parallel", "search_importance"
    )
]  # fmt: skip


@pytest.mark.parametrize("name", DRAW)
def test_a_chart_is_drawn_at_both_sizes_and_says_what_it_shows(tables, name):
    drawing = getattr(display_pets, name)()
    assert drawing.title and drawing.alt and drawing.caption and len(drawing.data) and drawing.hardware == "Box & Co"
    for figure in (drawing.figure, drawing.phone):
        shown = json.dumps(figure.to_plotly_json(), default=str)
        assert "<img" not in shown  # Plotly draws some tags


@pytest.mark.parametrize("name", [*DRAW, "draw_runs"])
def test_a_chart_without_data_is_left_out(tmp_path, monkeypatch, moved, name):
    moved(DATA=tmp_path)
    monkeypatch.setattr(tracking, "RUNS", tmp_path / "runs")
    with pytest.raises(DataMissing):
        getattr(display_pets, name)()


def test_the_title_of_the_confusion_matrix_is_the_most_frequent_mistake(tables):
    counts = display_pets.confusion(photo_results.pets()[0])
    frame = photo_results.pets()[0].tables["-predictions"].query("split == 'test'")
    wrong = frame[frame.label != frame.predicted]
    assert counts.to_numpy().sum() == 20 and counts.loc[EVIL, "cat"] == len(wrong)
    assert f"{len(wrong)} of {(frame.label == EVIL).sum()} photos" in display_pets.draw_pets_confusion().title


def test_top_losses_are_mistakes_in_order(tables):
    data = display_pets.draw_pets_losses().data
    assert (data.label != data.predicted).all() and data.loss.is_monotonic_decreasing


def test_a_model_without_mistakes_has_no_top_losses(tables):
    path = tables / "pets-photos-resnet18-box-predictions.csv"
    frame = pd.read_csv(path)
    atomic_csv(frame.assign(predicted=frame.label), path)
    with pytest.raises(DataMissing, match="every photo right"):
        display_pets.draw_pets_losses()


def test_a_damaged_table_is_named(tables):
    path = tables / "pets-photos-resnet18-box.csv"
    path.write_text(path.read_text().replace("0.65", "fast"))
    with pytest.raises(UserError, match="pets-photos-resnet18-box.csv, line 3"):
        photo_results.pets()


def test_runs_are_compared_as_they_were_written_down(tables, tmp_path, moved):
    moved(DATA=tables)
    for name, hour, ends in (("pets", 10, 0.5), ("cnn", 10, 0.3), ("pets", 11, 0.7)):
        tracker = tracking.JsonLines(tmp_path / "runs" / f"20261121-{hour}0000-{name}" / "log.jsonl", name)
        tracker.params({"dataset": EVIL})
        for epoch in (1, 2):
            tracker.metrics({"valid_loss": ends + 0.2 / epoch}, epoch=epoch)
        tracker.metrics({"test_accuracy": 0.6}, epoch=2)
        tracker.close("finished")
    runs.write()
    drawing = display_pets.draw_runs()
    assert "3 runs, cnn gets" in drawing.title and "0.40" in drawing.title and len(drawing.data) == 6
    assert {"pets, 11-21 10:00", "pets, 11-21 11:00"} <= {trace.name for trace in drawing.figure.data}
    assert not schema.unknown(tables)


def test_one_run_is_no_contest(tables, tmp_path, moved):
    moved(DATA=tables)
    tracker = tracking.JsonLines(tmp_path / "runs" / "20261121-100004-pets" / "log.jsonl", "pets")
    tracker.metrics({"valid_loss": 0.5}, epoch=1)
    tracker.close("finished")
    runs.write()
    assert (
        display_pets.draw_runs().title == "The validation loss of pets goes down to 0.50"
        and runs_page.said().count == "1 run"
    )


def test_guessing_is_no_result(tables):
    path = next(path for path in tables.glob("cnn-*.csv") if "history" not in path.name and "summary" not in path.name)
    atomic_csv(pd.read_csv(path).assign(test_accuracy=0.52), path)
    assert "not learned anything yet" in display_pets.draw_cnn_curves().title


def test_the_zoos_page_and_this_one_are_told_apart(tables, monkeypatch, capsys):
    facts = next(run.facts for run in photo_results.pets())
    table = pd.DataFrame({
        "arch": [facts["arch"]], "weights": [facts["weights"]], "accuracy": 0.9, "train_images": 77.0,
        "img_size": 64.0, "epochs": 60,
    })  # fmt: skip
    monkeypatch.setattr(pets.zoo_runs, "chosen", lambda which: SimpleNamespace(facts={"checksum": "x"}, table=table))
    pets.beside_zoo()
    assert not capsys.readouterr().out  # other photos, as far as one can tell
    file = next(run.paths[""] for run in photo_results.pets()).with_suffix(".json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "checksum": "x"}))
    pets.beside_zoo()
    said = capsys.readouterr().out
    assert (
        "(/report/zoo.qmd)" in said and "90.0% right there" in said and "77 of them at 64 pixels in 60 epochs" in said
    )


def test_the_pages_tables_are_escaped(tables, capsys):
    assert pets.facts().there and pets.facts().error == "30.0%"
    for show in (pets.table, cnn.table, cnn.layers, runs_page.table, runs_page.search_table):
        show()
    said = capsys.readouterr().out
    assert "<img" not in said and "30.0%" in said and "0.1815" in said
    assert "2 epochs on 180 photos of 224 pixels (" in cnn.said() and "fp32), on Box & Co" in cnn.said()


def test_the_pages_say_what_is_missing(tmp_path, monkeypatch, moved, capsys):
    moved(DATA=tmp_path)
    monkeypatch.setattr(tracking, "RUNS", tmp_path / "runs")
    assert not pets.facts().there and cnn.sizes().parameters == "n/a" and runs_page.said().count == "0 runs"
    for show in (pets.table, cnn.table, cnn.layers, runs_page.table, runs_page.search_table):
        show()
    assert capsys.readouterr().out.count("callout-note") == 5


def test_a_probe_that_was_kept_is_called_one_beside_the_network_from_scratch(tables):
    assert pets.ways() == ""
    run = photo_results.pets()[0]
    (data,) = {path.parent for path in run.paths.values()}
    facts = {**run.facts, "arch": "lite0", "size": 224, "weights": "in1k", "kept": "probe", "checksum": "one",
             "error_rate": {"valid": 0.02, "test": 0.011}, "date": "2026-11-28T00:00:00Z"}  # fmt: skip
    atomic_write(run.paths[""].with_suffix(".json"), json.dumps({**run.facts, "checksum": "one"}))
    epochs = run.tables[""].assign(phase=["probe", "all", "all"], epoch=[0, 1, 2])
    for part, table in (("", epochs), ("-predictions", run.tables["-predictions"])):
        atomic_csv(table, data / f"pets-photos-lite0-box{part}.csv")
        atomic_write(data / f"pets-photos-lite0-box{part}.json", json.dumps(facts))
    assert pets.ways() == (
        "On the same test photos, right: 98.9% a probe on frozen features (lite0 at 224 pixels) and "
        "70.0% from scratch (resnet18 at 96 pixels)."
    )
    assert pets.facts().how == (
        "a probe on frozen features, pretrained weights in1k; 2 epochs of fine-tuning gave nothing better"
    )
    assert display_pets.draw_pets_curves().title == "A probe on lite0 is right on 98.9% of the test photos"


def test_the_starts_are_compared_by_the_means_of_their_seeds(tables):
    data = display_pets.draw_starts().data.set_index("start")
    assert data["mean"].round(3).to_dict() == {"fine-tuned": 0.92, "frozen": 0.82, "scratch": 0.62}
    assert data.loc["frozen", "max"] == pytest.approx(0.84) and (data["size"] == 3).all()
    said = pets.starts()
    assert "resnet18 gets right at 64 pixels (it learns at 48), means over 3 seeds" in said
    assert "62.0% from scratch in 2 epochs, 82.0% frozen, 92.0% fine-tuned in 2 epochs" in said
