import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from scripts.common import provenance
from scripts.common.errors import UserError
from scripts.train import mistakes, results
from scripts.train.datasets import Dataset


def test_the_pictures_that_most_networks_get_wrong_then_the_surest(tmp_path):
    path = results.path("pets", "cpu", folder=tmp_path)
    files, labels = [f"{i}.jpg" for i in range(5)], ["cats", "cats", "dogs", "dogs", "dogs"]
    row = {
        "arch": "",
        "source": "timm",
        "weights": "scratch",
        "seed": 0,
        "img_size": 16,
        "epochs": 1,
        "batch": 1,
        "lr": 1.0,
        "recipe": "default",
        "precision": "fp32",
    }
    for model, accuracy, cats in (("good", 0.6, [0.9, 0.3, 0.95, 0.4, 0.1]), ("bad", 0.0, [0.1, 0.1, 0.9, 0.9, 0.9])):
        test = pd.DataFrame({"file": files, "label": labels, "cats": cats, "dogs": 1 - np.array(cats)})
        results.record(
            path,
            {**row, "model": model, "accuracy": accuracy},
            pd.DataFrame({"epoch": [1]}),
            pd.DataFrame({"class": ["cats"]}),
            test,
        )
    wrong = mistakes.hardest(path, most=3)
    assert wrong.drop(columns="label").values.tolist() == [
        ["2.jpg", "cats", 0.95, 2, 2],
        ["1.jpg", "dogs", 0.9, 2, 2],
        ["0.jpg", "dogs", 0.9, 1, 2],
    ]

    pixels = np.zeros((5, 3, 18, 18), np.uint8)
    pixels[2, 0] = 255
    dataset = Dataset("pets", ["cats", "dogs"], pixels, np.array([0, 0, 1, 1, 1]), np.ones(5, bool), files, 16, "x")
    sheet = Image.open(mistakes.write(dataset, path, tmp_path))
    red, green, _ = sheet.getpixel((mistakes.SIDE // 2, mistakes.SIDE // 2))
    assert red > 200 and green < 50 and sheet.getpixel((mistakes.SIDE + mistakes.GAP + 20, 20)) == (0, 0, 0)
    assert pd.read_csv(tmp_path / "mistakes-pets.csv")["file"].tolist() == ["2.jpg", "1.jpg", "0.jpg", "3.jpg", "4.jpg"]

    gone = Dataset("pets", ["cats", "dogs"], pixels[:1], np.array([0]), np.ones(1, bool), ["other.jpg"], 16, "x")
    assert mistakes.write(gone, path, tmp_path) is None


def test_wrong_digits_are_written_down_with_their_pixels_and_go_when_none_is_wrong(tmp_path):
    path = results.path("digits", "cpu", folder=tmp_path)
    provenance.write_sidecar(path, {"schema": 1, "hardware": {"name": "Box"}})
    table = results.part(path, results.MISTAKES)
    mistakes.digits(
        pd.DataFrame(
            {
                "file": ["digits/0005"],
                "label": ["5"],
                "predicted": ["9"],
                "confidence": [0.7],
                "wrong": [2],
                "runs": [3],
            }
        ),
        path,
    )
    found = results.mistakes(table)
    assert found["pixels"][0] == load_digits().images[5].astype(int).ravel().tolist() and results.runs(tmp_path) == []
    table.write_text(table.read_text().replace(" 16 ", " 17 ", 1))
    with pytest.raises(UserError, match="pixels are not 64 numbers"):
        results.mistakes(table)
    mistakes.digits(found.head(0), path)
    assert not table.exists() and not table.with_suffix(".json").exists()
