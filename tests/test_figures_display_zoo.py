"""Charts and tables of our own trainings: which run they show, what they count, and names that would be markup."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from scripts.common.errors import DataMissing
from scripts.figures import display_zoo, display_zoo_mistakes, theme
from scripts.figures.theme import PHONE, WIDE
from scripts.pages import page, zoo
from scripts.train import results, zoo_runs

EVIL = "<img src=x onerror=alert(1)>"
DRAW = {
    "accuracy": display_zoo.draw_accuracy,
    "time": display_zoo.draw_time,
    "speed": display_zoo.draw_speed,
    "curves": display_zoo.draw_curves,
    "confusion": display_zoo_mistakes.draw_confusion,
    "roc": display_zoo_mistakes.draw_roc,
    "calibration": display_zoo_mistakes.draw_calibration,
}


def write(
    folder, dataset="cats-and-dogs", hardware="box", models=("resnet18", "levit_128s", EVIL), seeds=2,
    classes=("cats", EVIL), pictures=1000, date="2026-11-20", tests=90, **columns,
):  # fmt: skip
    """One run's tables, from made-up probabilities."""
    path = results.path(dataset, hardware, folder=folder)
    random = np.random.default_rng(0)
    labels = random.integers(0, len(classes), tests)
    for i, model in enumerate(models):
        for seed in range(seeds):
            scores = random.random((tests, len(classes)))
            scores += (2 - i / 4) * (random.random((tests, 1)) > 0.3) * np.eye(len(classes))[labels]
            shares = scores / scores.sum(1, keepdims=True)
            right = (shares.argmax(1) == labels).mean()
            row = {
                "model": model, "arch": model, "source": "timm", "weights": "scratch", "seed": seed, "img_size": 32,
                "epochs": 3, "batch": 64, "lr": 0.001, "recipe": "default", "precision": "fp32", "param_count": 5.0,
                "train_images": pictures, "test_images": tests, "accuracy": right, "accuracy_low": right - 0.05,
                "accuracy_high": right + 0.05, "precision_macro": right, "recall_macro": right, "f1_macro": right,
                "roc_auc": 0.9, "log_loss": 0.5, "ece": 0.1 + i / 10, "seconds_per_epoch": 1.0,
                "train_seconds": 10.0 * (i + 1), "target_accuracy": 0.8, "seconds_to_target": np.nan,
                "infer_images_per_sec": 100.0 * (i + 1), "peak_memory_mb": 500.0, "note": EVIL if i else "", **columns,
            }  # fmt: skip
            epochs = {"epoch": [1, 2, 3], "elapsed_seconds": [1.0, 2.0, 3.0], "valid_accuracy": [0.5, 0.6, right]}
            history = pd.DataFrame({**epochs, "train_loss": 0.5, "valid_loss": 0.5})
            shown = dict.fromkeys(("precision", "precision_low", "precision_high", "recall"), right)
            share = pd.DataFrame({"class": classes, **shown, "f1": np.nan, "images": tests // 2})
            test = pd.DataFrame(
                {"file": [f"{EVIL}{j}.jpg" for j in range(tests)], "label": [classes[k] for k in labels]}
            )
            test[list(classes)] = shares
            results.record(path, row, history, share, test)
    hardware = {"name": f"Machine {hardware}"}
    facts = {"schema": 1, "hardware": hardware, "date": f"{date}T00:00:00Z", "versions": {"torch": "2.15.0"}}
    for part in results.PARTS:
        results.part(path, part).with_suffix(".json").write_text(json.dumps(facts))
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch, moved):
    real = results.runs
    monkeypatch.setattr(zoo_runs.results, "runs", lambda: real(tmp_path))
    monkeypatch.setattr(zoo_runs.hardware, "present", lambda: {"mine"})
    monkeypatch.setattr(zoo, "relative", lambda path: f"report/data/{path.name}")
    monkeypatch.setattr(zoo.page, "data_link", lambda path, words: page.link(words, "/" + path))
    monkeypatch.setattr(zoo.page, "chart", lambda name: print(f"chart {name}."))
    moved(CHARTS=tmp_path)
    return tmp_path


def drawn(drawing):
    for figure, size in ((drawing.figure, WIDE), (drawing.phone, PHONE)):
        assert (figure.layout.width, figure.layout.height) == size
        assert "<img" not in json.dumps(figure.to_plotly_json(), default=str)  # Plotly draws some tags
    assert drawing.title and drawing.caption and len(drawing.data) and drawing.sources
    return drawing


@pytest.mark.parametrize("name", DRAW)
@pytest.mark.parametrize(
    "classes", [("cats", EVIL), ("a", "b", "c"), tuple(f"breed {i}" for i in range(15))], ids=["2", "3", "15"]
)
def test_every_chart_at_both_sizes_whatever_the_names(folder, name, classes):
    write(folder, classes=classes)
    drawing = drawn(DRAW[name]())
    assert drawing.title.startswith("Cats and dogs: ")
    assert drawing.hardware == "Machine box"


@pytest.mark.parametrize(
    "draw",
    [
        *(partial(draw, "photos") for draw in DRAW.values()),
        *(partial(draw, "digits") for draw in DRAW.values()),
        display_zoo_mistakes.draw_digits,
    ],
)
def test_without_a_run_there_is_no_chart(folder, draw):
    with pytest.raises(DataMissing, match="make train|train_models --data FOLDER"):
        draw()


def test_photos_and_digits_have_charts_of_their_own(folder):
    write(folder)
    write(folder, "digits", classes=("0", "1"), models=("lenet5", "resnet18"))
    assert display_zoo.draw_accuracy("photos").title.startswith("Cats and dogs") and display_zoo.draw_accuracy(
        "digits"
    ).title.startswith("Digits")
    write(folder, "digits-folder", models=("resnet18",))
    assert zoo_runs.chosen("digits").slug == "digits" and {run.slug for run in zoo_runs.all_runs()} == {
        "cats-and-dogs",
        "digits",
        "digits-folder",
    }


def test_this_machines_run_comes_first_unless_it_is_a_scrap(folder):
    write(folder, hardware="h200", models=("a", "b", "c", "d"), pictures=5000, date="2026-11-22")
    write(folder, "birds", "mine", models=("a", "b"), pictures=100)
    assert zoo_runs.chosen("photos").slug == "birds"
    write(folder, hardware="h200", models=("a", "b", "c", "d", "e"))
    assert zoo_runs.chosen("photos").hardware == "h200"  # 2 of 5 networks are less than half
    write(folder, "pets", "tower", models=("a", "b", "c"), pictures=9000)
    assert zoo_runs.chosen("photos").slug == "pets"  # of other machines' the one with most pictures


def test_one_network_alone_is_no_choice(folder):
    write(folder, models=("resnet18",))
    for draw in (display_zoo.draw_time, display_zoo.draw_speed):
        with pytest.raises(DataMissing, match="times of 1 network"):
            draw()
    for draw in (
        display_zoo.draw_accuracy,
        display_zoo.draw_curves,
        *(DRAW[name] for name in ("confusion", "roc", "calibration")),
    ):
        drawn(draw())


def test_networks_without_times_are_left_out_of_the_time_chart_only(folder):
    write(folder)
    path = write(folder, models=("vit_tiny",), train_seconds=np.nan, infer_images_per_sec=np.nan)
    assert len(results.read(path)) == 8
    assert (
        set(display_zoo.draw_time().data.model) == {"resnet18", "levit_128s", EVIL}
        and len(display_zoo.draw_accuracy().data) == 4
    )


def test_on_the_frontier_of_speed_nothing_is_faster_and_better(folder):
    write(folder)
    data = display_zoo.draw_speed().data
    for row in data.itertuples():
        better = (data.infer_images_per_sec >= row.infer_images_per_sec) & (data.accuracy > row.accuracy) | (
            data.infer_images_per_sec > row.infer_images_per_sec
        ) & (data.accuracy >= row.accuracy)
        assert row.on_frontier == (not better.any())


def test_the_matrix_counts_every_test_picture_of_every_seed_once(folder):
    path = write(folder, classes=("a", "b", "c"))
    data = display_zoo_mistakes.draw_confusion().data
    long = results.predictions(results.part(path, "-predictions"))
    mine = long[long.model == "resnet18"]
    found = data[data.network == "resnet18"].pivot(index="label", columns="predicted", values="pictures")
    assert (
        found.to_numpy() == metrics.confusion_matrix(mine.label, mine.predicted)
    ).all() and found.to_numpy().sum() == 180
    counts = pd.DataFrame([[90, 10], [3, 7]], index=["a", "b"], columns=["a", "b"])
    assert display_zoo_mistakes.worst(counts) == ("b", "a", 3)  # a third of b is worse than a tenth of a


def test_a_phone_shows_as_many_matrices_as_can_be_read(folder):
    write(folder, classes=tuple("abcdefgh"), models=("resnet18", "levit_128s", "vit_tiny_patch16_224"))
    heatmaps = lambda figure: [trace.text[0][0] for trace in figure.data if trace.type == "heatmap"]
    drawing = display_zoo_mistakes.draw_confusion()
    assert len(heatmaps(drawing.figure)) == 3 and len(heatmaps(drawing.phone)) == 2


@pytest.mark.parametrize("family", ["levit", "resnet", "vgg", "eva", "densenet"])
def test_numbers_on_the_diagonal_read_by_day_and_by_night(family):
    full = (theme.text_colour(family), theme.dark_map()[theme.text_colour(family)])
    ink = theme.readable(full[0], 1.0)
    for number, ground in zip((ink, theme.dark_map()[ink]), full):
        assert theme.contrast(number, ground) >= 4.5
    ink = theme.readable(full[0], 0.0)
    assert theme.contrast(ink, theme.GRID[0]) >= 4.5 and theme.contrast(theme.dark_map()[ink], theme.GRID[1]) >= 4.5


@pytest.mark.parametrize("classes", [("a", "b"), ("a", "b", "c")])
def test_the_area_under_the_drawn_curve_is_scikit_learns(folder, classes):
    path = write(folder, classes=classes, seeds=1, tests=2000, models=("resnet18",))
    long = results.predictions(results.part(path, "-predictions"))
    scores = long[[f"p:{name}" for name in classes]].to_numpy()
    curve = display_zoo_mistakes.roc(long)
    expected = metrics.roc_auc_score(long.label, scores[:, 1] if len(classes) == 2 else scores, multi_class="ovr")
    assert np.trapezoid(curve.tpr, curve.fpr) == pytest.approx(expected, abs=0.005)


def test_points_of_a_few_pictures_are_left_out_of_the_calibration(folder):
    write(folder, tests=60)
    assert (display_zoo_mistakes.draw_calibration().data.images >= display_zoo_mistakes.FEW).all()


def test_the_wrong_digits_are_drawn(folder):
    path = write(folder, "digits", classes=("0", "1"), models=("lenet5",), seeds=1)
    with pytest.raises(DataMissing, match="scripts.train.mistakes"):
        display_zoo_mistakes.draw_digits()
    rows = pd.DataFrame({"file": ["digits/1", "digits/2"], "label": ["5", EVIL], "predicted": ["9", "1"], "runs": 3})
    rows = rows.assign(confidence=[0.9, 0.6], wrong=[2, 1], pixels=" ".join(["0", "16"] * 32))
    rows.to_csv(results.part(path, results.MISTAKES), index=False)
    drawing = drawn(display_zoo_mistakes.draw_digits())
    assert drawing.title == "2 of 3 networks take the first 5 for another digit"
    first = drawing.figure.data[0]
    assert [list(row) for row in first.z] == [[0, 1] * 4] * 8 and len(drawing.figure.data) == 2


# --- the page ---------------------------------------------------------------------------------------------------------


def test_tables_show_intervals_and_reasons_and_escape_names(folder, capsys):
    write(folder, roc_auc=np.nan)
    for table in (zoo.quality, zoo.cost, zoo.classes):
        table("photos")
    zoo.runs()
    said = capsys.readouterr().out
    assert "<img" not in said and said.count("tbl-zoo-") == 4
    assert "ROC AUC" in said and "–" in said and "Machine box" in said and "± " in said and "1 more note" not in said
    assert 'class="notes"' in said and "seed 1" in said and "chart zoo_time." in said and "chart zoo_speed." in said


def test_every_metric_by_class_is_there(folder, capsys):
    write(folder, classes=("a", "b"), models=("resnet18",), seeds=1)
    zoo.classes("photos")
    assert capsys.readouterr().out.count(">–<") == 2  # F1 is n/a in these tables; precision and recall are not


def test_a_page_of_one_network_has_no_charts_of_choice(folder, capsys):
    write(folder, models=("resnet18",))
    zoo.cost("photos")
    said = capsys.readouterr().out
    assert "chart" not in said and "tbl-zoo-cost-photos" in said


def test_a_page_without_runs_says_what_to_run(folder, capsys):
    for what in (zoo.quality, zoo.cost, zoo.classes):
        what("photos")
    zoo.mistakes()
    zoo.runs()
    said = capsys.readouterr().out
    assert said.count("train_models --data FOLDER") == 4 and said.count("callout-note") == 5
    assert zoo.about("digits").there is False and zoo.about("digits").best == "none"


def test_sentences_about_a_run(folder):
    write(folder)
    found = zoo.about("photos")
    assert (
        found.best == "resnet18"
        and found.networks == "3 networks"
        and found.seeds == "2 seeds"
        and found.pixels == "32"
    )
    models = pd.DataFrame(
        {"accuracy": [0.9, 0.85, 0.5], "accuracy_low": [0.87, 0.8, 0.4], "accuracy_high": [0.93, 0.89, 0.6]}
    )
    assert zoo.close(models).startswith("1 other network has an interval that reaches")
    assert (
        zoo.close(models.iloc[[0, 2]]) == "No other network’s interval reaches into its own."
        and zoo.close(models.head(1)) == ""
    )


def test_one_network_is_not_called_the_best_of_its_kind(folder):
    write(folder, models=("resnet18",), seeds=1)
    assert zoo.about("photos").leader == "resnet18 (1 seed)"
    said = [display_zoo.draw_accuracy().caption, display_zoo.draw_curves().title, display_zoo.draw_curves().caption]
    assert not any(word in text for text in said for word in ("overlap", "highest", "Highest"))


def test_what_was_not_the_same_for_all_is_said(folder):
    write(folder)
    assert zoo.exceptions() == ""
    write(folder, models=("vit_tiny",), lr=0.0005, precision="bf16")
    assert (
        zoo.exceptions()
        == "Exceptions with cats and dogs: a learning rate of 0.0005 instead of 0.001 for vit_tiny; bf16 arithmetic "
        "instead of fp32 for vit_tiny."
    )


def test_photos_are_shown_from_the_readers_own_run_only(folder, capsys):
    write(folder)
    zoo.mistakes()
    assert "This project holds none" in capsys.readouterr().out
    (folder / "mistakes-cats-and-dogs.jpg").write_bytes(b"\xff\xd8\xff picture")
    pd.DataFrame(
        {"file": ["x"], "label": ["cats"], "predicted": [EVIL], "confidence": [0.9], "wrong": [2], "runs": [3]}
    ).to_csv(folder / "mistakes-cats-and-dogs.csv", index=False)
    zoo.mistakes()
    said = capsys.readouterr().out
    assert "data:image/jpeg;base64,/9j/" in said and "<img src=x" not in said and "90% sure, 2 of 3 wrong" in said
