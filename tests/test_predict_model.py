"""The model, the design, the evaluation and its calibration, on invented tables; and on timm's where they are at
hand.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from scripts.common import provenance
from scripts.common.errors import UserError
from scripts.data import measured
from scripts.predict import (
    design as predict_design,
    evaluate as predict_evaluate,
    kinds,
    model as predict_model,
    tables as predict_tables,
)
from scripts.predict.tables import KEY
from tests.test_predict_speeds import FILES, machine, tables, world  # noqa: F401  (a fixture)

GPU = dict(hardware="h200", kind="gpu", part="infer", precision="amp", layout="nchw", compiled=False, torch="2.9.1")


def test_gaps_are_filled_from_the_other_tables():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 4))
    base = rng.normal(size=(200, 2))
    full = base @ rng.normal(size=(2, 6))
    holes = np.where(rng.random(full.shape) < 0.1, np.nan, full)
    filled = predict_tables.fill(holes, features)
    gap = np.isnan(holes)
    assert not np.isnan(filled).any() and np.array_equal(filled[~gap], full[~gap])
    assert np.abs(filled - full)[gap].mean() < 0.05 * full.std()


def test_references_leave_a_hardware_out_and_have_no_gaps(tables):
    every, some = predict_tables.references(), predict_tables.references(without="rtx4090")
    assert set(every.tables["hardware"]) - set(some.tables["hardware"]) == {"rtx4090"}
    assert some.speeds.shape == (len(some.keys), len(FILES) - 1) and not np.isnan(some.speeds).any()
    place = every.find(
        pd.DataFrame({"arch": [every.keys["arch"][7], "nothing"], "img_size": [every.keys["img_size"][7], 224]})
    )
    assert list(place) == [7, -1]


def test_missing_arithmetic_comes_from_another_size(tables, monkeypatch):
    rows, about = predict_tables.published()
    size = int(rows["img_size"][0])
    other = rows[rows["arch"] == rows["arch"][0]].assign(img_size=2 * size, gmacs=np.nan, macts=np.nan)
    monkeypatch.setattr(predict_tables, "published", lambda: (pd.concat([rows, other], ignore_index=True), about))
    predict_tables.references.cache_clear()
    keys = predict_tables.references().keys.set_index(KEY)["gmacs"]
    assert keys[rows["arch"][0], 2 * size] == pytest.approx(4 * rows["gmacs"][0])


def test_a_sparse_table_of_ours_is_no_reference(monkeypatch):
    frame = machine(world()[2])
    monkeypatch.setattr(measured, "load", lambda: frame)
    rows, about = predict_tables.ours()
    assert rows.empty and about.empty
    monkeypatch.setattr(predict_tables, "LEAST_ROWS", 20)
    rows, about = predict_tables.ours()
    assert len(rows) == 20 and list(about["hardware"]) == ["h200"]


def test_the_mean_follows_tables_of_the_same_kind(tables):
    known = predict_tables.references()
    gpu, cpu = (
        predict_model.Prior(known, {**GPU, "kind": kind, "precision": precision})
        for kind, precision in (("gpu", "amp"), ("cpu", "fp32"))
    )
    kinds = known.tables["kind"].to_numpy()
    near = known.speeds[:, kinds == "gpu"].mean(axis=1)
    assert np.corrcoef(gpu.mean, near)[0, 1] > np.corrcoef(cpu.mean, near)[0, 1]


def test_the_covariance_is_one(tables):
    prior = predict_model.Prior(predict_tables.references(), GPU)
    every = np.arange(60)
    covariance = prior.covariance(every, every)
    assert np.allclose(covariance, covariance.T) and np.linalg.eigvalsh(covariance).min() > -1e-9
    assert np.allclose(np.diag(covariance), prior.variance()[:60])


def test_measuring_lowers_the_spread_there_most(tables):
    prior = predict_model.Prior(predict_tables.references(), GPU)
    at = np.arange(0, 40, 2)
    made = predict_model.posterior(prior, at, prior.mean[at] + 3)
    rest = np.setdiff1d(np.arange(len(prior.mean)), at)
    assert made.spread[at].mean() < made.spread[rest].mean() and np.allclose(
        made.log[rest], prior.mean[rest] + 3, atol=0.2
    )
    assert np.allclose(np.sqrt(np.diag(made.joint(rest[:5]))), made.spread[rest[:5]], rtol=0.2)


def test_outliers_never_leave_fewer_than_needed(tables):
    prior = predict_model.Prior(predict_tables.references(), GPU)
    at = np.arange(predict_model.LEAST)
    logs = prior.mean[at].copy()
    logs[0] += 5
    assert len(predict_model.posterior(prior, at, logs).used) == predict_model.LEAST
    with pytest.raises(UserError, match="4 measured"):
        predict_model.posterior(prior, at[:4], logs[:4])


def test_the_design_is_ordered_and_beats_chance(tables):
    prior = predict_model.Prior(predict_tables.references(), GPU)
    every = np.arange(len(prior.mean))
    order, left = predict_model.design(prior, every, 12)
    assert len(set(order)) == 12 and all(a > b for a, b in itertools.pairwise(left))
    _, goes_on = predict_model.design(prior, every, 2, have=np.array(order[:10]))
    assert np.allclose(goes_on, left[10:], rtol=1e-6)
    chance = [
        np.median(
            predict_model.posterior(
                prior, np.random.default_rng(seed).choice(every, 12, replace=False), np.zeros(12)
            ).spread
        )
        for seed in range(5)
    ]
    assert np.sqrt(left[-1] ** 2) < 1 and np.isfinite(chance).all()
    random = [
        predict_model.design(prior, np.random.default_rng(seed).choice(every, 12, replace=False), 12)[1][-1]
        for seed in range(10)
    ]
    assert left[-1] < np.median(random)


def test_without_any_table_it_says_so(tables):
    known = predict_tables.references()
    with pytest.raises(UserError, match="no table of any other machine"):
        predict_model.Prior(
            predict_tables.References(
                known.keys, known.speeds[:, :0], known.known[:, :0], known.tables.iloc[:0], known.features
            ),
            GPU,
        )


# --- how far a machine is from those that were timed ------------------------------------------------------------------

TIMED = {
    "rtx3090": "gpu",
    "rtx4090": "gpu",
    "rtx5090": "gpu",
    "pro6000maxq": "gpu",
    "i7_12700h": "cpu",
    "i9_10940x": "cpu",
}


@pytest.mark.parametrize(
    "slug, case",
    [
        ("rtx5090", "like"),
        ("nvidia_geforce_rtx_5080", "like"),
        ("nvidia_geforce_rtx_4060_ti", "like"),
        ("rtx_3080", "like"),
        ("12th_gen_intel_core_i5_1240p_8c", "like"),
        ("h200", "new"),
        ("l4", "new"),
        ("amd_epyc_2c", "new"),
        ("apple_m2_8c", "new"),
        ("intel_xeon_platinum_8259cl_4c", "new"),
        ("nvidia_a30", "new"),
        ("nvidia_rtx_a4000", "new"),
    ],
)
def test_which_case_a_machine_is(slug, case):
    assert kinds.case(slug, TIMED) == case


def test_what_is_put_away_in_each_case():
    blackwells = ("pro6000maxq", "rtx5090")
    assert kinds.left_out("rtx5090", TIMED, "like") == ("rtx5090",)
    assert kinds.left_out("rtx5090", TIMED, "generation") == blackwells
    for card in (*blackwells, "rtx4090"):
        assert kinds.left_out(card, TIMED, "new") == ("pro6000maxq", "rtx4090", "rtx5090"), "the 3090 alone is known"
    assert kinds.left_out("rtx3090", TIMED, "new") == ("rtx3090", "rtx4090")
    assert kinds.left_out("i7_12700h", TIMED, "new") == ("i7_12700h", "i9_10940x"), "no processor is known"
    odd = {**TIMED, "mi300x": "gpu"}
    assert kinds.left_out("mi300x", odd, "generation") == ("mi300x",)
    assert "mi300x" in kinds.left_out("mi300x", odd, "new") and "i7_12700h" not in kinds.left_out("mi300x", odd, "new")


# --- calibration and evaluation ---------------------------------------------------------------------------------------


def test_every_machine_counts_alike_in_the_calibration():
    z = pd.DataFrame({"machine": ["a"] * 10_000 + ["b"] * 10, "z": [0.1] * 10_000 + [5.0] * 10})
    assert predict_evaluate.multiplier(z) == 5.0 and predict_evaluate.multiplier(z[z["machine"] == "a"]) == 0.1


def test_an_odd_family_gets_wider_intervals_as_far_as_numbers_speak_for_it():
    rng = np.random.default_rng(0)
    z = pd.DataFrame({"machine": rng.choice(["a", "b"], 4000), "family": "resnet", "z": rng.normal(size=4000)})
    z.loc[:600, "family"], z.loc[601:605, "family"] = "levit", "vgg"
    z.loc[:605, "z"] *= 3
    factors = predict_evaluate.family_factors(z)
    assert factors["levit"] > 1.3 > factors["vgg"] and factors["resnet"] < 1


def test_coverage_is_judged_by_the_other_machines():
    rng = np.random.default_rng(0)
    about = dict(kind="gpu", part="infer", case="like", measured=20, method="model", family="resnet", network="convnet")
    numbers = {name: rng.normal(size=1500) for name in ("z", "truth")}
    frame = pd.DataFrame({"machine": np.repeat(["a", "b", "c"], 500), **about, **numbers})
    frame["file"], frame["error"] = frame["machine"] + ".csv", frame["z"] * 0.1
    frame.loc[frame["machine"] == "c", "z"] *= 10
    evaluation, calibration, _ = predict_evaluate.evaluate(frame)
    covered = evaluation.set_index("machine")["coverage"]
    assert covered["c"] < 0.4 and covered["a"] > 0.95
    assert list(evaluation.columns) == predict_evaluate.ERRORS and calibration["multiplier"].iloc[0] > 2
    # in a harder case the intervals come from that case, and a new generation is given those of a new kind
    hard = frame.assign(case="new", z=frame["z"] * 3)
    every = pd.concat([frame, hard, hard[hard["machine"] == "a"].assign(case="generation")], ignore_index=True)
    evaluation, calibration, _ = predict_evaluate.evaluate(every)
    covered = evaluation.set_index(["machine", "case"])["coverage"]
    assert covered["a", "new"] == covered["a", "generation"] > 0.95
    wide = calibration.set_index("case")["multiplier"]
    assert wide["new"] == pytest.approx(3 * wide["like"]) and set(wide.index) == {"like", "new"}


def test_the_whole_evaluation_on_invented_tables(tables, monkeypatch):
    monkeypatch.setattr(predict_evaluate, "LARGEST", {"gpu": 1e9, "cpu": 1e9})
    found = pd.concat(predict_evaluate.errors((5, 20)), ignore_index=True)
    evaluation, calibration, factors = predict_evaluate.evaluate(found)
    assert set(evaluation.loc[evaluation["kind"] == "cpu", "case"]) == {"like", "new"}
    twenty = evaluation[(evaluation["measured"] == 20) & (evaluation["case"] == "like")]
    main = twenty.pivot(index="file", columns="method", values="median_error")
    assert set(main.columns) == {"model", *predict_evaluate.RIVALS} and len(main) == len(FILES)
    assert (main["model"] < main[["gmacs", "activations"]].min(axis=1)).all() and main["model"].max() < 0.1
    every = [("like", 5), ("like", 20), ("new", 5), ("new", 20)]
    assert list(zip(calibration["case"], calibration["measured"])) == every
    assert (factors["factor"] > 0).all()
    assert set(predict_evaluate.by_group(found)["kind"]) == {"cpu", "gpu"}


# --- the committed lists and figures ----------------------------------------------------------------------------------


def test_the_committed_design(monkeypatch):
    for kind in ("gpu", "cpu"):
        twenty, forty = predict_design.design(20, kind), predict_design.design(40, kind)
        assert forty[:20] == twenty and len(set(forty)) == 40
        assert not set(forty) & set(predict_design.design(30, kind, role="check"))
        assert predict_design.design(20, kind, {twenty[0]}) == twenty[1:]
        assert 5 <= len(predict_design.design(None, kind)) <= 40
        left = predict_design.table().query("kind == @kind and role == 'measure'")["expected_error"]
        assert left.is_monotonic_decreasing
    for wrong in ((0, "gpu"), (41, "gpu"), (20, "tpu")):
        with pytest.raises(UserError, match="choose"):
            predict_design.design(*wrong)


def test_the_committed_evaluation_is_whole_and_within_its_bounds():
    frame = predict_evaluate.table()
    main = frame[(frame["measured"] == predict_evaluate.MAIN) & (frame["part"] == "infer")]
    hard, main = (main[main["case"] == case] for case in ("new", "like"))
    new = hard[hard["method"] == "model"].groupby("kind")["median_error"].max()
    assert 0.1 < new["gpu"] < 0.15 and 0.16 < new["cpu"] < 0.2, "what a new kind of machine has to expect"
    ours = main[main["method"] == "model"].set_index("file")
    assert len(ours) == 20 and set(main["method"]) == {"model", *predict_evaluate.RIVALS}
    gpu = ours[ours["kind"] == "gpu"]
    assert gpu["median_error"].max() <= 0.08 and ours[ours["kind"] == "cpu"]["median_error"].max() <= 0.15
    assert gpu.groupby("machine")["spearman"].median().min() >= 0.99
    covered = ours.groupby("machine")["coverage"].mean()
    assert covered.between(0.85, 0.95).all(), covered
    rivals = main[main["method"] != "model"].pivot(index="file", columns="method", values="median_error")
    assert (ours["median_error"] < rivals[["gmacs", "activations"]].min(axis=1).reindex(ours.index)).all()
    for name in ("predict-evaluation", "predict-calibration", "predict-families", "predict-networks", "predict-design"):
        path = predict_evaluate.DATA / f"{name}.csv"
        assert provenance.read_sidecar(path)["sha256"] == provenance.sha256(path)


def test_real_tables_one_card_left_out(timm_tables, monkeypatch):
    monkeypatch.setenv("TIMM_RESULTS", str(timm_tables))
    predict_tables.references.cache_clear()
    predict_tables.published.cache_clear()
    rows, about = predict_tables.published()
    settings = about[about["file"].str.contains("291-cu130-5090.csv", regex=False)].iloc[0].to_dict()
    known = predict_tables.references(without="rtx5090")
    assert not rows.duplicated([*KEY, "file"]).any() and len(known.keys) > 1500
    table = rows[rows["file"] == settings["file"]]
    truth = np.full(len(known.keys), np.nan)
    truth[known.find(table)] = np.log(table["samples_per_sec"])
    designed = predict_design.table().query("kind == 'gpu' and role == 'measure'").head(20)
    at = known.find(designed.rename(columns={"model": "arch"}))
    chosen = at[(at >= 0) & ~np.isnan(truth[at])]
    made = predict_model.posterior(predict_model.Prior(known, settings), chosen, truth[chosen])
    rest = ~np.isnan(truth)
    rest[chosen] = False
    assert np.median(np.abs(np.expm1(made.log - truth)[rest])) < 0.08
    predict_tables.references.cache_clear()
