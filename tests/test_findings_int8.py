"""Which families survive 8 bits: against the committed tables by plain pandas, and on made-up ones."""

import numpy as np
import pandas as pd
import pytest

from scripts.common.errors import DataMissing
from scripts.common.paths import DATA
from scripts.findings import int8


def test_the_means_of_torchvisions_families_a_second_time():
    raw = pd.read_csv(DATA / "runtimes-published.csv")
    said = pd.read_csv(DATA / int8.FILE).query("source == 'torchvision'").set_index("family")
    for family, start in (("resnet", "resne"), ("shufflenet", "shufflenet"), ("mobilenetv3", "mobilenet_v3")):
        own = raw[raw["model"].str.startswith(start)]
        share, other = own["top1"] / 100, own["top1_int8"] / 100
        doubt = 200 * np.sqrt((share * (1 - share) + other * (1 - other)) / 50_000)
        row = said.loc[family]
        assert row["weights"] == len(own)
        assert row["loss"] == pytest.approx((own["top1"] - own["top1_int8"]).mean(), abs=6e-4)
        assert row["high"] - row["loss"] == pytest.approx(doubt.mean(), abs=2e-3)
    assert said["weights"].sum() == len(raw)


def test_a_thousand_pictures_tell_no_loss_that_they_cannot():
    raw = pd.read_csv(DATA / "phones.csv").dropna(subset=["float_top1", "int8_top1"])
    said = pd.read_csv(DATA / int8.FILE).query("source == 'Qualcomm'")
    assert said["weights"].sum() == len(raw) and ((said["high"] - said["low"]) > 4).all()
    assert set(said["verdict"]) <= {int8.UNKNOWN, int8.LOSES}


@pytest.mark.parametrize(
    "after, pictures, verdict",
    [
        (75.9, 50_000, int8.SURVIVES),
        (70.0, 50_000, int8.LOSES),
        (75.2, 50_000, int8.LOSES),
        (75.5, 50_000, int8.UNKNOWN),
    ],
)
def test_a_verdict_follows_the_loss(tmp_path, monkeypatch, after, pictures, verdict):
    monkeypatch.setattr(int8, "DATA", tmp_path)
    with pytest.raises(DataMissing, match="make data"):
        int8.compute()
    (tmp_path / "runtimes-published.csv").write_text(f"model,top1,top1_int8\nresnet50,76.0,{after}\n")
    assert int8.compute()["verdict"].to_list() == [verdict]


def test_answers_that_change_are_no_loss(tmp_path, monkeypatch):
    monkeypatch.setattr(int8, "DATA", tmp_path)
    (tmp_path / "runtimes-answers-x.csv").write_text(
        "model,runtime,precision,equal_top1,pictures\ntf_efficientnet_lite0,a,int8,0.9,100\n"
        "tf_efficientnet_lite0,b,int8,0.95,100\ntf_efficientnet_lite0,a,bf16,0.5,100\n"
    )
    row = int8.compute().iloc[0]
    assert row["loss"] == pytest.approx(5) and row["verdict"] == "answers changed" and row["low"] < 5 < row["high"]
