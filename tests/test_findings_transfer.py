"""Does ImageNet's order hold elsewhere? On made-up runs with a known answer, and again by plain pandas."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scripts.common.errors import UserError
from scripts.common.paths import DATA
from scripts.data import fastai_timm, pepr, public
from scripts.findings import claims_transfer, costs, transfer
from scripts.findings.claims import CONDITIONAL, FAILS, HOLDS, NO_DATA

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
            "memory_gb": 1.0 + i,
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
    once = table.drop_duplicates("model")
    alone = transfer.regrets(transfer.networks(once), 1.0, transfer.halves(once, several=False))
    split = transfer.regrets(transfer.networks(table), 1.0, transfer.halves(table, several=True))
    assert alone[0] > 1 and abs(split[0]) < 0.5 and split[1] < 0 < split[2]


def test_the_interval_grows_where_networks_of_a_family_are_alike():
    random = np.random.default_rng(2)
    table = runs(lambda top1: top1)
    table["accuracy"] = random.normal(0, 5, 5)[table["family"].str[-1].astype(int)] + random.normal(0, 0.1, len(table))
    table["top1"] = random.normal(0, 5, 5)[table["family"].str[-1].astype(int)] + random.normal(0, 0.1, len(table))
    table = transfer.networks(table)
    _, low, high = transfer.order(table)
    assert high - low > 0.5  # of 20 independent networks it would be about 0.7 wide at 0, but far less at 0.9


def test_too_few_networks_say_nothing():
    with pytest.raises(UserError, match="too few"):
        transfer.summary([one(runs(lambda top1: top1).head(5))])


def claimed(found):
    every = [{**each, "table": transfer.networks(each["runs"])} for each in found]
    return claims_transfer.judged(every).set_index(["claim", "configuration"])


@pytest.mark.parametrize(
    "dataset, share, claim",
    [("pets", 1.0, "order_pets"), ("planet", 1.0, "order_satellite"), ("derma", 1.0, "order_medical")],
)
def test_a_verdict_on_an_order_follows_its_tables(dataset, share, claim):
    """Kept, turned round, loosely kept, and of three networks only: each has a verdict of its own."""
    random = np.random.default_rng(3)
    said = []
    for accuracy in (lambda top1: top1, lambda top1: 100 - top1, lambda top1: top1 + random.normal(0, 8)):
        found = claimed([one(runs(accuracy), dataset=dataset, share=share)])
        said.append(found.loc[(claim, "from scratch"), "verdict"])
        assert list(found.index) == [(claim, "from scratch")]
    assert said == [HOLDS, FAILS, CONDITIONAL]
    few = claimed([one(runs(lambda top1: top1).head(3), dataset=dataset, share=share)])
    assert few["verdict"].item() == NO_DATA and "only 3 networks" in few["evidence"].item()


def test_a_larger_network_is_better_worse_or_a_tie_as_the_small_sets_say():
    up = one(runs(lambda top1: top1), dataset="a_small", share=0.1)
    down = one(runs(lambda top1: 100 - top1, seed=1), dataset="b_small", share=0.1)
    large = one(runs(lambda top1: top1), dataset="c")
    key = ("larger_small_data", "from scratch, 10% of the pictures")
    assert claimed([up, large]).loc[key, "verdict"] == HOLDS
    assert claimed([down, large]).loc[key, "verdict"] == FAILS
    both = claimed([up, down, large]).loc[key]
    assert both["verdict"] == CONDITIONAL and both["tie"] and both["sets"] == "a_small b_small"
    assert both["estimate"] == 0 and both["low"] < -0.9 and both["high"] > 0.9, "two sets that disagree leave it open"


def test_three_backbones_of_ours_are_no_order():
    own = pd.DataFrame(
        {
            "backbone": ["a", "a", "b", "c"],
            "imagenet_top1": [75.0, np.nan, 76.0, 77.0],
            "test_accuracy": 0.9,
            "seconds": 4.0,
        }
    )
    row = claimed(list(claims_transfer.own_sets({"trash": own}))).loc[("order_own", "frozen features")]
    assert row["verdict"] == NO_DATA and row["networks"] == 3


def test_the_last_point_costs_what_the_best_took_over_the_cheapest_near_it():
    table = runs(lambda top1: top1).assign(energy_kwh=lambda rows: rows["cost"] ** 2, memory_gb=2.0)
    found = costs.table([one(table)]).set_index("cost")
    assert found.loc["energy", "factor"] == pytest.approx(20**2 / 19**2, abs=0.11) or found.loc["energy", "factor"] == 1
    assert found.loc["memory", "factor"] == 1 and set(found.index) == {"energy", "memory"}
    assert (found["low"] <= found["factor"]).all() and (found["factor"] <= found["high"] + 1e-9).all()


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
        assert transfer.order(table.assign(family=table["model"]))[0] == pytest.approx(expected, abs=1e-9)
    frame = pd.read_csv(REAL / "fastai-timm" / "fastai_timm.csv").dropna(subset=["error_rate"])
    mine = fastai_timm.load()
    for name, part in frame.groupby("dataset"):
        expected = 100 * part.groupby("model_name")["error_rate"].mean()
        found = mine[mine["dataset"] == name].groupby("model")["error"].mean()
        pd.testing.assert_series_equal(found, expected, check_names=False)


@pytest.mark.skipif(not (REAL / "pepr").is_dir(), reason="the public tables are not here")
def test_every_committed_figure_is_what_plain_pandas_gives_on_the_raw_files():
    """Rank correlations with intervals of whole families, verdicts, regrets and costs, a second time."""
    raw = pd.read_csv(REAL / "pepr" / "all_results.csv")
    known = pd.read_csv(REAL / "pepr" / "full_data_pepr_imagenet.csv").set_index("model")["top1"]
    raw["top1"] = raw["model"].map(known[known > 0])
    raw["best"] = 100 * raw[[f"test_0{epoch}" for epoch in range(10)]].max(axis=1)
    raw["family"] = raw["model"].map(transfer._family)
    raw = raw.dropna(subset=["top1"])
    said = pd.read_csv(DATA / "transfer.csv").set_index("dataset")
    costs_said = pd.read_csv(DATA / "transfer-costs.csv").set_index(["dataset", "cost"])
    ranks = {}
    for name, part in raw.groupby("dataset"):
        row = said.loc[name]
        assert row["rho"] == pytest.approx(part["top1"].corr(part["best"], method="spearman"), abs=6e-4)
        assert row["rho_size"] == pytest.approx(part["num_param"].corr(part["best"], method="spearman"), abs=6e-4)
        for by, share, column in (
            ("train_time", 1.0, "none"),
            ("train_time", 0.5, "half"),
            ("train_time", 0.25, "quarter"),
            ("memM", 0.5, "memory_half"),
            ("memM", 0.25, "memory_quarter"),
        ):
            cheap = part[part[by] <= part[by].quantile(share)]
            lost = cheap["best"].max() - cheap.loc[cheap["top1"].idxmax(), "best"]
            assert row[f"regret_{column}"] == pytest.approx(lost, abs=6e-4)
        top = part.loc[part["best"].idxmax()]
        near = part[part["best"] >= top["best"] - 1]
        assert costs_said.loc[(name, "energy"), "factor"] == pytest.approx(
            top["energy"] / near["energy"].min(), abs=6e-4
        )
        ranks[name] = (
            part.set_index("model")[["top1", "num_param", "best"]]
            .rank()
            .assign(family=part.set_index("model")["family"])
        )
    claims = pd.read_csv(DATA / transfer.CLAIMS)
    random = np.random.default_rng(9)
    for row in claims[claims["sets"].str.startswith(("derma", "lidc"))].itertuples():
        names, by = row.sets.split(), "num_param" if row.claim == "larger_small_data" else "top1"
        pairs = [ranks[one][[by, "best"]].to_numpy() for one in names]
        own = [np.flatnonzero(ranks[names[0]]["family"] == each) for each in ranks[names[0]]["family"].unique()]
        drawn = []
        for _ in range(300):
            sets = random.integers(0, len(names), len(names))
            at = np.concatenate([own[i] for i in random.integers(0, len(own), len(own))])
            drawn.append(np.mean([np.corrcoef(pairs[i][at].T)[0, 1] for i in sets]))
        estimate = np.mean([ranks[one][by].corr(ranks[one]["best"]) for one in names])
        low, high = np.quantile(drawn, [0.025, 0.975])
        assert (row.estimate, row.low, row.high) == (
            pytest.approx(estimate, abs=6e-4),
            pytest.approx(low, abs=0.1),
            pytest.approx(high, abs=0.1),
        )
        limit = 0 if row.claim == "larger_small_data" else 0.5
        if min(abs(low - limit), abs(high - limit)) > 0.1:
            assert row.verdict == (HOLDS if low > limit else FAILS if high < limit else CONDITIONAL)
