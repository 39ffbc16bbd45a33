"""Other test sets: what is joined with what, and which families keep their accuracy."""

from __future__ import annotations

import csv
import statistics

import numpy as np
import pandas as pd
import pytest

from scripts.common import families
from scripts.common.errors import UserError
from scripts.data import read_data
from scripts.findings import robustness
from scripts.findings.claims import CONDITIONAL, FAILS, HOLDS, NO_DATA


def scores(n=150, noise=0.0, seed=0) -> pd.DataFrame:
    """n weights, half ResNets and half ViTs; V2 is ten points below, ViTs two points better than expected."""
    top1 = np.linspace(60, 88, n)
    vit = np.arange(n) % 2 == 1
    v2 = top1 - 10 + 2 * vit + np.random.default_rng(seed).normal(0, noise or 1e-9, n)
    arch = np.where(vit, "vit_base_patch16_224", "resnet50")
    frame = pd.DataFrame(
        {"model": [f"{a}.v{i}_in1k" for i, a in enumerate(arch)], "img_size": 224, "arch": arch, "top1": top1}
    )
    frame["family"] = frame["arch"].map(families.family)
    for column in robustness.SETS:
        frame[column], frame[f"{column}_loss"] = v2, top1 - v2
    return frame


def test_a_family_better_than_its_accuracy_suggests_stands_first():
    losses = robustness.families_losses("", scores())
    v2 = losses[losses["set"] == "v2"]
    assert v2["family"].tolist() == ["vit", "resnet"] and v2["beyond"].iloc[0] > 0 > v2["beyond"].iloc[1]
    assert v2.set_index("family").loc["resnet", "loss"] == pytest.approx(10)


def test_small_families_are_left_out():
    frame = scores()
    frame.loc[frame["family"].eq("vit") & (frame.index > 8), "family"] = "resnet"
    assert set(robustness.families_losses("", frame)["family"]) == {"resnet"}


def test_verdicts_follow_the_correlations():
    assert robustness.carries_over("v2", scores()).verdict == HOLDS
    assert robustness.carries_over("v2", scores(noise=1.8)).verdict == HOLDS
    mixed = scores().assign(v2=np.random.default_rng(1).permutation(np.linspace(50, 80, 150)))
    assert robustness.carries_over("v2", mixed).verdict == FAILS
    many = scores(600)  # the hundred best in any order: still a high correlation over all
    best = many.index >= 500
    many.loc[best, "v2"] = np.random.default_rng(2).permutation(many.loc[best, "v2"])
    found = robustness.carries_over("v2", many)
    assert found.verdict == CONDITIONAL and "0.9" in found.evidence.split(" over ")[0]


def test_a_missing_test_set_is_no_data():
    frame = scores()
    assert robustness.carries_over("v2", frame.drop(columns="v2")).verdict == NO_DATA
    assert robustness.carries_over("v2", frame.assign(v2=np.nan)).verdict == NO_DATA
    assert robustness.carries_over("v2", frame.head(20)).verdict == NO_DATA


@pytest.fixture
def real(timm_tables, monkeypatch):
    monkeypatch.setenv("TIMM_RESULTS", str(timm_tables))
    return timm_tables


def read(folder, file) -> dict:
    with open(folder / read_data.NOW / file, newline="") as handle:
        return {(row["model"], row["img_size"]): float(row["top1"]) for row in csv.DictReader(handle)}


def test_losses_against_the_files(real):
    frame = robustness.load(read_data.NOW)
    assert len(frame) == 1543 and not (frame["family"] == "test").any()
    files = ("imagenet-a-clean", "imagenet-a", "imagenet", "imagenetv2-matched-frequency")
    clean, hard, base, v2 = (read(real, f"results-{file}.csv") for file in files)
    for row in frame.sample(50, random_state=2).itertuples():
        key = (row.model, str(row.img_size))
        assert row.a_loss == pytest.approx(clean[key] - hard[key]) and row.v2_loss == pytest.approx(base[key] - v2[key])
        assert row.top1 == base[key]
    table = robustness.correlations(read_data.NOW).set_index("set")
    assert list(table.index) == list(robustness.SETS) and (table["rho_best"] < table["rho"]).all()
    assert table.loc["v2", "loss"] == pytest.approx(statistics.median(frame["v2_loss"]))


def test_changing_what_load_returned_changes_nothing(real):
    table = robustness.load(read_data.NOW)
    table["top1"] = 0
    assert robustness.load(read_data.NOW)["top1"].max() > 80


def test_an_unknown_vintage(real):
    with pytest.raises(UserError, match=" or ".join(read_data.VINTAGES)):
        robustness.load("2024-01-01")
