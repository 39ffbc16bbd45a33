import numpy as np
import pandas as pd
from PIL import Image

from scripts.train import mistakes, results
from scripts.train.datasets import Dataset


def test_the_surest_mistakes_of_the_best_network(tmp_path):
    path = results.path("pets", "cpu", folder=tmp_path)
    files, labels = [f"{i}.jpg" for i in range(5)], ["cats", "cats", "dogs", "dogs", "dogs"]
    row = {"arch": "", "source": "timm", "weights": "scratch", "seed": 0, "img_size": 16, "epochs": 1, "batch": 1, "lr": 1.0, "recipe": "default",
           "precision": "fp32"}
    for model, accuracy, cats in (("good", 0.6, [0.9, 0.3, 0.95, 0.4, 0.1]), ("bad", 0.0, [0.1, 0.1, 0.9, 0.9, 0.9])):
        test = pd.DataFrame({"file": files, "label": labels, "cats": cats, "dogs": 1 - np.array(cats)})
        results.record(path, {**row, "model": model, "accuracy": accuracy}, pd.DataFrame({"epoch": [1]}), pd.DataFrame({"class": ["cats"]}), test)
    wrong = mistakes.surest(path)
    assert wrong[["model", "file", "predicted", "confidence"]].values.tolist() == [["good", "2.jpg", "cats", 0.95], ["good", "1.jpg", "dogs", 0.7]]

    pixels = np.zeros((5, 3, 18, 18), np.uint8)
    pixels[2, 0] = 255
    dataset = Dataset("pets", ["cats", "dogs"], pixels, np.array([0, 0, 1, 1, 1]), np.ones(5, bool), files, 16, "x")
    sheet = Image.open(mistakes.write(dataset, path, tmp_path))
    red, green, _ = sheet.getpixel((mistakes.SIDE // 2, mistakes.SIDE // 2))
    assert red > 200 and green < 50 and sheet.getpixel((mistakes.SIDE + mistakes.GAP + 20, 20)) == (0, 0, 0)
    assert pd.read_csv(tmp_path / "mistakes-pets.csv")["file"].tolist() == ["2.jpg", "1.jpg"]

    gone = Dataset("pets", ["cats", "dogs"], pixels[:1], np.array([0]), np.ones(1, bool), ["other.jpg"], 16, "x")
    assert mistakes.write(gone, path, tmp_path) is None
