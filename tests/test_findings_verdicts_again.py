"""Every verdict on timm's real tables, computed a second time: plain pandas and scipy over the raw CSVs, none of the
project's joins, frontiers or judges. Of the project only what is a definition is used: a network's family and kind, and
what a tag says about its pretraining."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from scripts.common import families
from scripts.common.hardware import parse_benchmark_name
from scripts.data.pretraining import pretraining
from scripts.findings import verdicts
from scripts.findings.claims import CONDITIONAL, FAILS, HOLDS, NO_DATA

stats = pytest.importorskip("scipy.stats")
THEN, NOW = "2022-04-01", "2026-08-08"
NAMED_AS_IN_2022 = (
    "pt111",
    "pt112",
    "pt113",
)  # among today's tables, those whose names need the translator; read in the folder of 2022 only


def accuracies(folder, vintage):
    frame = pd.read_csv(folder / vintage / "results-imagenet.csv", thousands=",", keep_default_na=False)
    return frame[["model", "img_size", "top1"]].assign(arch=frame["model"].str.split(".").str[0])


def speeds(folder, vintage, file):
    frame = pd.read_csv(folder / vintage / file, thousands=",", keep_default_na=False)
    part = file.split("-")[1]
    frame = frame.assign(
        speed=pd.to_numeric(frame[f"{part}_samples_per_sec"], errors="coerce"),
        img_size=pd.to_numeric(frame[f"{part}_img_size"], errors="coerce"),
    )
    frame = frame.dropna(subset=["speed", "img_size"]).astype({"img_size": int, "param_count": float})
    frame["family"] = frame["model"].map(families.family)
    frame["kind"] = frame["model"].map(families.kind)
    return frame.loc[frame["family"] != "test", ["model", "img_size", "speed", "param_count", "family", "kind"]].rename(
        columns={"model": "arch"}
    )


def joined(folder, vintage, file):
    both = accuracies(folder, vintage).merge(speeds(folder, vintage, file), on=["arch", "img_size"])
    return both.assign(pretrain=both["model"].map(pretraining)).reset_index(drop=True)


def front(frame):
    """By the definition: no other row at least as fast and more accurate, or faster and as accurate."""
    speed, top1 = frame["speed"].to_numpy(), frame["top1"].to_numpy()
    beaten = [bool((((speed >= s) & (top1 > t)) | ((speed > s) & (top1 >= t))).any()) for s, t in zip(speed, top1)]
    return ~np.array(beaten)


def doubt(a, b):
    def variance(percent):
        return percent / 100 * (1 - percent / 100) / 50_000

    return 200 * np.sqrt(variance(a) + variance(b))


def clearly_ahead(row, rivals):
    """Ahead by more than chance of the best rival that is as fast or slower by no more than timings vary; None
    where one is ahead at once.
    """
    as_fast, nearly = rivals[rivals["speed"] >= row.speed], rivals[rivals["speed"] >= row.speed / 1.026]
    if len(as_fast) and as_fast["top1"].max() >= row.top1:
        return None
    base = as_fast["top1"].max() if len(as_fast) else row.top1
    return row.top1 - (nearly["top1"].max() if len(nearly) else -np.inf) > doubt(row.top1, base)


def levit_fastest(frame, folder, vintage, file):
    mine = frame[frame["family"] == "levit"].assign(size=lambda rows: rows["arch"].str.replace("_conv", ""))
    mine = mine.sort_values("speed").groupby("size").tail(1)
    found = [clearly_ahead(row, frame[frame["family"] != "levit"]) for row in mine.itertuples()]
    return FAILS if all(one is None for one in found) else HOLDS if all(found) else CONDITIONAL


def convnext_middle(frame, folder, vintage, file):
    there = frame[front(frame) & (frame["family"] == "convnext")]
    if there.empty:
        return FAILS
    low, high = np.percentile(frame["speed"], [25, 75])
    plain = there[there["speed"].between(low, high) & there["pretrain"].isin(["in1k", "distilled"])]
    leads = [bool(clearly_ahead(row, frame[frame["family"] != "convnext"])) for row in plain.itertuples()]
    return HOLDS if any(leads) else CONDITIONAL


def beit_slow(frame, folder, vintage, file):
    slow = frame[frame["speed"] <= np.percentile(frame["speed"], 25)]
    own = slow["family"].isin(["beit", "beitv2", "beit3"])
    mine, other = slow["top1"][own].max(), slow["top1"][~own].max()
    return CONDITIONAL if abs(mine - other) <= doubt(mine, other) else HOLDS if mine > other else FAILS


def pretraining_explains(frame, folder, vintage, file):
    best = frame[front(frame)]
    best = best[best["top1"] >= best["top1"].median()]
    share = best["pretrain"].isin(["in21k", "web"]).mean()
    return FAILS if share < 0.5 else HOLDS if share >= 0.9 else CONDITIONAL


def vgg(frame, folder, vintage, file):
    old, others = frame[frame["family"] == "vgg"], frame[frame["family"] != "vgg"]
    best = old.sort_values("top1").iloc[-1]
    ratio = others["speed"][others["top1"] - best.top1 > doubt(others["top1"], best.top1)].max() / best.speed
    return HOLDS if ratio >= 2 else FAILS if ratio <= 1 else CONDITIONAL


def parameters(frame, folder, vintage, file):
    nets = frame.drop_duplicates(["arch", "img_size"])
    rho = abs(stats.spearmanr(nets["param_count"], nets["speed"]).statistic)
    return HOLDS if rho < 0.7 else FAILS if rho >= 0.9 else CONDITIONAL


def training(frame, folder, vintage, file):
    other = folder / vintage / file.replace("-train-", "-infer-")
    if not other.exists():
        return NO_DATA
    both = speeds(folder, vintage, file).merge(speeds(folder, vintage, other.name), on=["arch", "img_size"])
    rho = stats.spearmanr(both["speed_x"], both["speed_y"]).statistic
    return HOLDS if rho >= 0.9 else CONDITIONAL if rho >= 0.7 else FAILS


def compiling(frame, folder, vintage, file):
    other = folder / vintage / file.replace("-dynamo", "")
    if not other.exists():
        return NO_DATA
    both = frame.merge(
        joined(folder, vintage, other.name)[["model", "img_size", "speed"]],
        on=["model", "img_size"],
        suffixes=("", "_eager"),
    )
    before, now = front(both.assign(speed=both["speed_eager"])), front(both)
    lost = [
        row
        for row, was, still in zip(both.itertuples(), before, now)
        if was and not still and (both["top1"][both["speed"] >= row.speed * 1.026] > row.top1).any()
    ]
    return HOLDS if len(lost) / before.sum() >= 1 / 3 else CONDITIONAL if lost else FAILS


JUDGES = {
    "levit_fastest": levit_fastest,
    "convnext_middle": convnext_middle,
    "beit_slow": beit_slow,
    "vgg": vgg,
    "parameters": parameters,
    "training": training,
    "compiling": compiling,
    "pretraining": pretraining_explains,
}


@pytest.fixture(scope="module")
def real(timm_tables):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIMM_RESULTS", str(timm_tables))
        yield verdicts.compute(), timm_tables


def tables(folder):
    return [
        (vintage, path.name)
        for vintage in (THEN, NOW)
        for path in sorted((folder / vintage).glob("benchmark-*.csv"))
        if vintage == THEN or not any(torch in path.name for torch in NAMED_AS_IN_2022)
    ]


def row_of(frame, claim, vintage, file):
    about = parse_benchmark_name(file)
    rows = frame[(frame["claim"] == claim) & (frame["vintage"] == vintage)]
    for name in ("part", "precision", "layout", "compiled", "torch", "hardware"):
        rows = rows[rows[name] == about[name]]
    assert len(rows) <= 1
    return rows.iloc[0] if len(rows) else None


@pytest.mark.parametrize("claim", JUDGES)
def test_every_verdict_a_second_time(real, claim):
    frame, folder = real
    compared = []
    for vintage, file in tables(folder):
        row = row_of(frame, claim, vintage, file)
        if row is None:
            continue
        again = JUDGES[claim](joined(folder, vintage, file), folder, vintage, file)
        assert row.verdict == again, (vintage, file, row.evidence)
        compared.append(again)
    assert len(compared) >= {"training": 2, "compiling": 7}.get(claim, 24)


def test_more_data_lifts_the_same_network(real):
    """The other half of the pretraining claim: the mean gain, on every table of today."""
    frame, folder = real
    for vintage, file in [pair for pair in tables(folder) if pair[0] == NOW]:
        rows = joined(folder, vintage, file)
        more = rows["pretrain"].isin(["in21k", "web"])
        best = (
            rows.assign(more=more)
            .pivot_table(index=["arch", "img_size"], columns="more", values="top1", aggfunc="max")
            .dropna()
        )
        gain = best[True] - best[False]
        said = re.search(
            r"gains (-?[\d.]+) ± ([\d.]+) points from it \((\d+) pairs\)",
            row_of(frame, "pretraining", vintage, file).evidence,
        )
        assert (float(said[1]), int(said[3])) == (round(gain.mean(), 1), len(gain)) and stats.ttest_1samp(
            gain, 0
        ).pvalue < 1e-6


def test_processors_a_second_time(real):
    """Medians of slow-downs against every card of the same vintage, newest torch, and a bootstrap of another seed."""
    frame, folder = real
    cards: dict = {}
    for vintage, file in tables(folder):
        about = parse_benchmark_name(file)
        if vintage == NOW and about["part"] == "infer" and about["precision"] == "amp":
            key = (about["hardware"], about["compiled"])
            cards.setdefault(key, []).append(
                (tuple(int(one) for one in about["torch"].split(".")), about["layout"] == "nchw", file)
            )
    random, judged = np.random.default_rng(7), 0
    for vintage, file in tables(folder):
        row = row_of(frame, "transformers_cpu", vintage, file)
        if row is None or vintage != NOW:
            continue
        here, ratios, lows = speeds(folder, NOW, file).drop_duplicates(["arch", "img_size"]), [], []
        for options in cards.values():
            there = speeds(folder, NOW, sorted(options)[-1][2]).drop_duplicates(["arch", "img_size"])
            both = here.merge(there, on=["arch", "img_size"], suffixes=("", "_gpu"))
            known = accuracies(folder, NOW)  # the project judges networks with published accuracy
            both = both.merge(known[["arch", "img_size"]].drop_duplicates(), on=["arch", "img_size"])
            both = both[
                (both["param_count"] - both["param_count_gpu"]).abs()
                <= np.maximum(0.011, 1e-4 * both["param_count_gpu"]) + 1e-9
            ]
            slower = {
                kind: (both["speed_gpu"] / both["speed"])[both["kind"] == kind].to_numpy()
                for kind in ("transformer", "convnet")
            }
            ratios.append(np.median(slower["transformer"]) / np.median(slower["convnet"]))
            drawn = [
                np.median(random.choice(slower["transformer"], len(slower["transformer"])))
                / np.median(random.choice(slower["convnet"], len(slower["convnet"])))
                for _ in range(300)
            ]
            lows.append(np.quantile(drawn, 0.025))
        low, high = map(float, re.search(r"loses ([\d.]+) to ([\d.]+) times", row.evidence).groups())
        assert low == pytest.approx(min(ratios), abs=0.02) and high == pytest.approx(max(ratios), abs=0.02), file
        assert row.verdict == (HOLDS if min(lows) > 1.1 else FAILS if max(ratios) <= 1.1 else CONDITIONAL), file
        judged += 1
    assert judged == 3


def test_other_test_sets_a_second_time(real):
    frame, folder = real
    sets = {
        "v2": "results-imagenetv2-matched-frequency.csv",
        "real": "results-imagenet-real.csv",
        "r": "results-imagenet-r.csv",
        "a": "results-imagenet-a.csv",
        "sketch": "results-sketch.csv",
    }
    for vintage in (THEN, NOW):
        base = accuracies(folder, vintage)
        base = base[base["arch"].map(families.family) != "test"]
        for name, file in sets.items():
            there = pd.read_csv(folder / vintage / file, thousands=",", keep_default_na=False)[
                ["model", "img_size", "top1"]
            ]
            both = base.merge(there, on=["model", "img_size"], suffixes=("", "_there"))
            rho = stats.spearmanr(both["top1"], both["top1_there"]).statistic
            best = base.nlargest(100, "top1").merge(there, on=["model", "img_size"], suffixes=("", "_there"))
            near = stats.spearmanr(best["top1"], best["top1_there"]).statistic
            row = frame[(frame["claim"] == f"carries_over_{name}") & (frame["vintage"] == vintage)].iloc[0]
            assert row.verdict == (FAILS if rho < 0.7 else HOLDS if rho >= 0.9 and near >= 0.7 else CONDITIONAL), (
                vintage,
                name,
            )


def test_what_is_known_of_the_tables(real):
    """LeViT on the frontier of 22 of 22, BEiT fails today, ConvNeXt on none of the three newest cards run eagerly,
    the two processors disagree.
    """
    frame, folder = real
    count = 0
    for path in sorted((folder / NOW).glob("benchmark-*.csv")):
        if any(torch in path.name for torch in NAMED_AS_IN_2022):
            verdict = row_of(frame, "levit_fastest", NOW, path.name).verdict
            count += verdict in (HOLDS, CONDITIONAL)
            continue
        rows = joined(folder, NOW, path.name)
        count += bool((rows["family"][front(rows)] == "levit").any())
    assert count == 22
    today = frame[(frame["vintage"] == NOW) & (frame["claim"] == "beit_slow") & (frame["part"] == "infer")]
    assert set(today["verdict"]) == {FAILS}
    eager = [
        file
        for vintage, file in tables(folder)
        if vintage == NOW and "pt291" in file and "-amp-" in file and "dynamo" not in file
    ]
    assert len(eager) == 3 and all(
        (joined(folder, NOW, file).pipe(lambda rows: rows["family"][front(rows)]) != "convnext").all() for file in eager
    )
    chips = frame[(frame["claim"] == "transformers_cpu") & (frame["torch"] == "2.4.0")].set_index("hardware")["verdict"]
    assert dict(chips) == {"i7_12700h": HOLDS, "i9_10940x": FAILS}
