import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn_metrics

from scripts.common import provenance
from scripts.common.errors import UserError
from scripts.common.tables import read_table
from scripts.train import results


def row(model="resnet18", seed=0, accuracy=0.9, weights="scratch", **other):
    return {
        "model": model,
        "arch": model,
        "source": "timm",
        "weights": weights,
        "seed": seed,
        "img_size": 32,
        "epochs": 5,
        "batch": 64,
        "lr": 0.001,
        "recipe": "default",
        "precision": "fp32",
        "compiled": "no",
        "accuracy": accuracy,
        "roc_auc": np.nan,
        "note": "",
        **other,
    }


def record(path, one, files=("a.jpg", "b.jpg"), labels=("cats", "dogs"), share=0.75):
    history = pd.DataFrame({"epoch": [1, 2], "train_loss": [0.7, 0.5]})
    classes = pd.DataFrame({"class": ["cats", "dogs"], "precision": [1.0, np.nan], "images": [1, 1]})
    test = pd.DataFrame({"file": files, "label": labels, "cats": [share, 0.25], "dogs": [1 - share, 0.75]})
    results.record(path, one, history, classes, test)


def test_rows_are_replaced_one_by_one_and_others_stay(tmp_path):
    path = results.path("pets", "cpu", folder=tmp_path)
    for model in ("lenet5", "resnet18", "vit_tiny"):
        record(path, row(model))
    record(path, row("resnet18", accuracy=0.5), share=0.6)
    found = results.read(path)
    assert sorted(found["model"]) == ["lenet5", "resnet18", "vit_tiny"]
    assert found.set_index("model").loc["resnet18", "accuracy"] == 0.5
    assert len(results.read(results.part(path, "-history"))) == 6
    long = results.predictions(results.part(path, "-predictions"))
    assert (
        len(long) == 6 and long.loc[(long["model"] == "resnet18") & (long["file"] == "a.jpg"), "p:cats"].item() == 0.6
    )
    assert long["right"].all()


def test_seeds_add_up_but_rows_by_other_settings_go(tmp_path):
    path = results.path("pets", "cpu", folder=tmp_path)
    for seed, accuracy in ((0, 0.8), (1, 0.9)):
        record(path, row(seed=seed, accuracy=accuracy))
    record(path, row(weights="in1k", seed=0, accuracy=0.99))
    summary = results.summary(results.read(path)).set_index("weights")
    assert summary.loc["scratch", ["accuracy", "seeds"]].tolist() == [pytest.approx(0.85), 2]
    assert summary.loc["scratch", "accuracy_sd"] == pytest.approx(0.0707, abs=1e-4) and np.isnan(
        summary.loc["in1k", "accuracy_sd"]
    )
    record(path, row(seed=5, accuracy=0.7, epochs=50))
    found = results.read(path)
    assert sorted(zip(found["weights"], found["seed"])) == [("in1k", 0), ("scratch", 5)]
    assert set(results.read(results.part(path, "-classes"))["seed"]) == {0, 5}
    assert set(results.predictions(results.part(path, "-predictions"))["seed"]) == {0, 5}


def test_other_test_photos_do_not_mix_with_the_old_ones(tmp_path):
    path = results.path("pets", "cpu", folder=tmp_path)
    record(path, row("lenet5"))
    record(path, row("resnet18"), files=("b.jpg", "c.jpg"), labels=("cats", "dogs"))
    long = results.predictions(results.part(path, "-predictions"))
    assert long[["model", "file", "label"]].values.tolist() == [
        ["lenet5", "a.jpg", "cats"],
        ["lenet5", "b.jpg", "dogs"],
        ["resnet18", "b.jpg", "cats"],
        ["resnet18", "c.jpg", "dogs"],
    ]


def test_na_stays_na_and_a_model_called_na_stays_a_name(tmp_path):
    path = results.path("pets", "cpu", folder=tmp_path)
    record(path, row("NA", note="ROC AUC n/a: no test image of '<script>'"))
    found = results.read(path)
    assert found["model"][0] == "NA" and np.isnan(found["roc_auc"][0]) and "<script>" in found["note"][0]


def test_precision_is_a_number_by_class_and_a_word_by_run(tmp_path):
    path = results.path("pets", "cpu", folder=tmp_path)
    record(path, row())
    classes = results.read(results.part(path, "-classes"))
    assert classes["precision"].tolist() == [1.0, pytest.approx(np.nan, nan_ok=True)] and results.read(path)[
        "precision"
    ].tolist() == ["fp32"]


def test_a_damaged_table_is_an_error_not_an_empty_result(tmp_path):
    path = results.path("pets", "cpu", folder=tmp_path)
    record(path, row())
    whole = path.read_text()
    path.write_text(whole[:-5])
    with pytest.raises(UserError, match="zoo-pets-cpu.csv"):
        results.read(path)
    with pytest.raises(UserError):
        record(path, row("lenet5"))
    path.write_text("<html>")
    with pytest.raises(UserError, match="web page"):
        results.read(path)
    with pytest.raises(UserError, match="no such file"):
        results.read(tmp_path / "zoo-none.csv")


def test_runs_lists_main_tables_only(tmp_path):
    record(results.path("pets", "cpu", folder=tmp_path), row())
    assert [path.name for path in results.runs(tmp_path)] == ["zoo-pets-cpu.csv"]


def test_class_names_with_colons_and_markup_survive(tmp_path):
    path = results.path("odd", "cpu", folder=tmp_path)
    test = pd.DataFrame({"file": ["x,y.jpg", 'q".jpg'], "label": ["a:b", "<b>"], "a:b": [0.9, 0.2], "<b>": [0.1, 0.8]})
    results.record(path, row(), pd.DataFrame({"epoch": [1]}), pd.DataFrame({"class": ["a:b", "<b>"]}), test)
    long = results.predictions(results.part(path, "-predictions"))
    assert long["predicted"].tolist() == ["a:b", "<b>"] and long["file"].tolist() == ["x,y.jpg", 'q".jpg']


@pytest.mark.parametrize(
    "classes",
    [("file", "label"), ("label", "model"), ("NA", "nan"), ("007", "7"), ("a,b", 'x"y'), ("new\nline", "=1+1"),
     ("p:cats", "Caf\u00e9"), ("predicted", "right")],
)  # fmt: skip
def test_classes_called_like_columns_or_worse(tmp_path, classes):
    path = results.path("icons", "cpu", folder=tmp_path)
    for model in ("lenet5", "resnet18"):
        for _ in range(2):  # the second time the table is there already
            test = pd.concat(
                [
                    pd.DataFrame({"file": ["a.jpg", "b.jpg"], "label": list(classes)}),
                    pd.DataFrame([[0.75, 0.25], [0.25, 0.75]], columns=list(classes)),
                ],
                axis=1,
            )
            per_class = pd.DataFrame({"class": list(classes), "precision": [1.0, 0.5], "images": [1, 1]})
            results.record(path, row(model), pd.DataFrame({"epoch": [1], "train_loss": [0.5]}), per_class, test)
    long = results.predictions(results.part(path, "-predictions"))
    assert len(long) == 4 and long["right"].all() and set(long["label"]) == set(classes)
    assert list(results.read(results.part(path, "-classes"))["class"]) == [*classes] * 2
    assert results.confusion(long).to_numpy().trace() == 4


def test_a_table_of_other_pictures_keeps_its_name(tmp_path):
    place = lambda name: tmp_path / f"pets-{name}-cpu.csv"
    assert results.own_name("images", "abc1234", place) == "images"
    place("images").write_text("epoch\n1\n")
    provenance.write_sidecar(place("images"), {"schema": 1, "hardware": {}, "checksum": "abc1234"})
    assert results.own_name("images", "abc1234", place) == "images"
    assert results.own_name("images", "def5678", place) == "images-def567"


def test_curves_are_scikit_learns():
    random = np.random.default_rng(0)
    scores = random.random(200).round(1)  # many ties
    positive = random.random(200) < scores
    long = pd.DataFrame({"label": np.where(positive, "dogs", "cats"), "p:cats": 1 - scores, "p:dogs": scores})
    long["predicted"] = np.where(scores > 0.5, "dogs", "cats")
    long["right"] = long["predicted"] == long["label"]
    curve = results.roc(long, "dogs")
    fpr, tpr, _ = sklearn_metrics.roc_curve(positive, scores, drop_intermediate=False)
    assert np.allclose(curve["fpr"], fpr) and np.allclose(curve["tpr"], tpr)
    assert (
        results.confusion(long).to_numpy() == sklearn_metrics.confusion_matrix(long["label"], long["predicted"])
    ).all()
    bins = results.reliability(long)
    assert bins["images"].sum() == 200 and (bins["confidence"] >= 0.5).all()
    with pytest.raises(UserError, match="no ROC curve for 'dogs'"):
        results.roc(long[long["label"] == "cats"], "dogs")


def test_predictions_may_be_larger_than_a_published_table(tmp_path, monkeypatch):
    monkeypatch.setattr(read_table, "__defaults__", (*read_table.__defaults__[:-1], 100))
    path = results.path("pets", "cpu", folder=tmp_path)
    test = pd.DataFrame({"file": [f"{i}.jpg" for i in range(20)], "label": "cats", "cats": 0.5})
    for seed in (0, 1):
        results._predictions(results.part(path, "-predictions"), row(seed=seed), {seed}, test)
    assert len(results.predictions(results.part(path, "-predictions"))) == 40
    with pytest.raises(UserError, match="too large for a table"):
        read_table(results.part(path, "-predictions"))
