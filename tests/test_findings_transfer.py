"""Does ImageNet's order hold elsewhere? On made-up runs with a known answer, and again by plain pandas."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scripts.common.errors import UserError
from scripts.data import fastai_timm, pepr, public
from scripts.findings import transfer

REAL = Path(os.environ.get("TABLES", "") or Path(__file__).resolve().parents[2] / "shared" / "public-tables")


def runs(accuracy, several=1, seed=0):
    """Twenty networks of five families, ImageNet accuracies 60 to 79, `accuracy(top1)` on the set, plus noise."""
    random = np.random.default_rng(seed)
    rows = [
        {
            "model": f"net{i}",
            "family": f"family{i % 5}",
            "top1": 60.0 + i,
            "accuracy": accuracy(60.0 + i) + random.normal(0, 0.01),
            "cost": 1.0 + i,
            "params": 1.0 + i,
        }
        for i in range(20)
        for _ in range(several)
    ]
    return pd.DataFrame(rows)


def one(table, **more):
    about = {"source": "x", "dataset": "x", "what": "x", "share": 1.0, "pretrained": False, "several": False}
    return {**about, "runs": table, **more}


def test_an_order_that_is_kept_holds_and_costs_nothing():
    row = transfer.summary([one(runs(lambda top1: top1))]).iloc[0]
    assert row["rho"] == 1 and row["verdict"] == "holds" and row["regret_none"] == pytest.approx(0, abs=0.05)


def test_an_order_that_is_turned_round_fails_and_costs_the_whole_range():
    row = transfer.summary([one(runs(lambda top1: 100 - top1))]).iloc[0]
    assert row["rho"] == -1 and row["verdict"] == "fails" and row["regret_none"] == pytest.approx(19, abs=0.1)
    assert row["regret_quarter"] == pytest.approx(4, abs=0.1)  # among the five cheapest


def test_luck_does_not_count_as_skill():
    """All networks are equal, runs differ by chance: one run a network shows a regret, several split ones none."""
    random = np.random.default_rng(1)
    table = runs(lambda top1: 80.0, several=6)
    table["accuracy"] += random.normal(0, 1, len(table))
    alone = transfer.regret_of(table.drop_duplicates("model"), 1.0, several=False)
    split = transfer.regret_of(table, 1.0, several=True)
    assert alone > 1 and abs(split) < 0.5


def test_the_interval_grows_where_networks_of_a_family_are_alike():
    random = np.random.default_rng(2)
    table = runs(lambda top1: top1)
    table["accuracy"] = random.normal(0, 5, 5)[table["family"].str[-1].astype(int)] + random.normal(0, 0.1, len(table))
    table["top1"] = random.normal(0, 5, 5)[table["family"].str[-1].astype(int)] + random.normal(0, 0.1, len(table))
    table = transfer.networks(table)
    low, high = transfer.by_families(table, transfer.order)
    assert high - low > 0.5  # of 20 independent networks it would be about 0.7 wide at 0, but far less at 0.9


def test_too_few_networks_say_nothing():
    with pytest.raises(UserError, match="too few"):
        transfer.summary([one(runs(lambda top1: top1).head(5))])


@pytest.mark.skipif(not (REAL / "pepr").is_dir(), reason="the public tables are not here")
def test_the_real_tables_give_what_plain_pandas_gives(monkeypatch):
    monkeypatch.setenv("TABLES", str(REAL))
    public.locate.cache_clear()
    raw = pd.read_csv(REAL / "pepr" / "all_results.csv")
    known = pd.read_csv(REAL / "pepr" / "full_data_pepr_imagenet.csv").set_index("model")["top1"]
    raw["best"] = raw[[column for column in raw if column.startswith("test_")]].max(axis=1)
    raw["top1"] = raw["model"].map(known[known > 0])
    mine = pepr.load()
    for name, part in raw.groupby("dataset"):
        expected = part["top1"].corr(part["best"], method="spearman")
        table = mine[mine["dataset"] == name]
        assert transfer.order(table) == pytest.approx(expected, abs=1e-9)
    frame = pd.read_csv(REAL / "fastai-timm" / "fastai_timm.csv").dropna(subset=["error_rate"])
    mine = fastai_timm.load()
    for name, part in frame.groupby("dataset"):
        expected = 100 * part.groupby("model_name")["error_rate"].mean()
        found = mine[mine["dataset"] == name].groupby("model")["error"].mean()
        pd.testing.assert_series_equal(found, expected, check_names=False)
