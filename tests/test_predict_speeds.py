"""Predictions from a few measurements: what they refuse, what they mark, and that they recover a machine made from
the others.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from scripts.common import provenance
from scripts.common.errors import UserError
from scripts.data import measured, read_data
from scripts.predict import (
    choice as predict_choice,
    command as predict_command,
    design as predict_design,
    speeds,
    stored,
    tables as predict_tables,
)
from scripts.predict.tables import KEY

ARCHS = [
    f"{family}{i:03d}"
    for i in range(30)
    for family in ("resnet", "regnetx_", "levit_", "vit_small_patch16_", "convnext_tiny_")
]
FILES = [
    "benchmark-infer-amp-nchw-pt240-cu124-rtx3090.csv",
    "benchmark-infer-amp-nchw-pt291-cu128-4090.csv",
    "benchmark-infer-amp-nchw-pt291-cu130-5090.csv",
    "benchmark-infer-fp32-nchw-pt240-cpu-i7_12700h-dynamo.csv",
    "benchmark-infer-fp32-nchw-pt240-cpu-i9_10940x-dynamo.csv",
]


def world(seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """(rows, tables, truth) of invented machines: speeds from arithmetic and activations in each machine's own
    proportion.
    """
    rng = np.random.default_rng(seed)
    size = rng.choice([224, 288], len(ARCHS))
    gmacs, macts = np.exp(rng.normal(1, 1.2, len(ARCHS))), np.exp(rng.normal(2.5, 1, len(ARCHS)))
    params = gmacs * np.exp(rng.normal(2, 0.4, len(ARCHS)))
    keys = pd.DataFrame({"arch": ARCHS, "img_size": size, "gmacs": gmacs, "macts": macts, "param_count": params})
    parts = []
    for i, file in enumerate(FILES):
        share = 0.8 if "cpu" in file else 0.35 + 0.05 * i
        level, noise = (3 if "cpu" in file else 8), rng.normal(0, 0.02, len(ARCHS))
        log = level - share * np.log(gmacs) - (1 - share) * np.log(macts) + noise
        parts.append(keys.assign(file=file, samples_per_sec=np.exp(log), batch_size=1 if "cpu" in file else 1024))
    return pd.concat(parts, ignore_index=True), pd.DataFrame([predict_tables.settings_of(file) for file in FILES]), keys


@pytest.fixture
def tables(monkeypatch, moved, tmp_path):
    """Only the invented tables are at hand, and a calibration of two spreads."""
    rows, about, keys = world()
    monkeypatch.setattr(predict_tables, "published", lambda: (rows, about))
    monkeypatch.setattr(predict_tables, "ours", lambda: (rows.iloc[:0], about.iloc[:0]))
    moved(DATA=tmp_path)
    (tmp_path / "predict-calibration.csv").write_text(
        "case,measured,level,multiplier\nlike,5,0.9,2.5\nlike,20,0.9,2.0\nnew,5,0.9,2.5\nnew,20,0.9,2.0\n"
    )
    (tmp_path / "predict-families.csv").write_text("family,factor\nlevit,1.5\n")
    predict_tables.references.cache_clear()
    yield rows, keys
    predict_tables.references.cache_clear()


def machine(
    keys: pd.DataFrame,
    count: int | None = 20,
    file: str = "benchmark-infer-bf16-nchw-pt2150-cu130-h200.csv",
    noise: float = 0.0,
    seed: int = 1,
    **change,
) -> pd.DataFrame:
    """`count` measured rows of a machine between the invented ones; all of them for None."""
    rng = np.random.default_rng(seed)
    speed = np.exp(9 - 0.42 * np.log(keys["gmacs"]) - 0.58 * np.log(keys["macts"]) + noise * rng.normal(size=len(keys)))
    frame = keys.assign(
        samples_per_sec=speed,
        batch_size=pd.array([256] * len(keys), "Int64"),
        file=file,
        hardware="h200",
        hardware_name="NVIDIA H200",
        kind_of_hardware="gpu",
        date="2026-11-21",
        samples_per_sec_low=speed * 0.99,
        samples_per_sec_high=speed * 1.01,
    ).assign(**change)
    return frame if count is None else frame.sample(count, random_state=seed).reset_index(drop=True)


def bf16(monkeypatch):
    """Let one of the invented cards' tables be in bf16, so that the precision is known."""
    rows, about = predict_tables.published()
    about = about.assign(precision=["bf16", *about["precision"][1:]])
    monkeypatch.setattr(predict_tables, "published", lambda: (rows, about))
    predict_tables.references.cache_clear()


@pytest.fixture
def known(tables, monkeypatch):
    bf16(monkeypatch)
    return tables[1]


def test_twenty_measurements_tell_the_others(known):
    made = speeds.predict(machine(known))
    truth = machine(known, None).set_index(KEY)["samples_per_sec"]
    others = made.networks[made.networks["status"] == "predicted"].set_index(KEY)
    off = (others["samples_per_sec"] / truth.reindex(others.index) - 1).abs()
    assert made.used == 20 and len(others) > 100 and off.median() < 0.05
    assert truth.reindex(others.index).between(others["low"], others["high"]).mean() > 0.8
    assert (others["low"] < others["samples_per_sec"]).all() and (others["samples_per_sec"] < others["high"]).all()


def test_measured_speeds_stand_as_measured(known):
    rows = machine(known)
    made = speeds.predict(rows).networks.set_index(KEY)
    mine = made[made["status"] == "measured"]
    assert len(mine) == 20 and np.allclose(
        mine["samples_per_sec"].reindex(pd.MultiIndex.from_frame(rows[KEY])), rows["samples_per_sec"]
    )
    assert (mine["high"] / mine["low"] < 1.03).all()


def test_this_machine_is_predicted_from_its_own_rows(known, monkeypatch):
    monkeypatch.setattr(speeds, "machine_rows", lambda: machine(known))
    assert speeds.here().used == 20


@pytest.mark.parametrize(
    "count, words", [(0, "nothing measured"), (2, "2 measured networks.*at least 5.*--design 20"), (4, "4 measured")]
)
def test_too_few_measurements_predict_nothing_and_say_what_is_missing(known, count, words):
    with pytest.raises(UserError, match=words):
        speeds.predict(machine(known).head(count))


def test_nothing_measured_says_what_to_measure(monkeypatch):
    monkeypatch.setattr(measured, "load", lambda part: pd.DataFrame(columns=["hardware", "file", "arch"]))
    with pytest.raises(UserError, match="--design 20.*sweep"):
        speeds.machine_rows()


def test_a_noisy_machine_gets_wider_intervals(known):
    calm, noisy = (speeds.predict(machine(known, noise=noise)).networks for noise in (0.0, 0.3))
    wide = [np.log(frame["high"] / frame["low"])[frame["status"] == "predicted"].median() for frame in (calm, noisy)]
    assert wide[1] > 2 * wide[0]


def test_wide_measured_intervals_count_as_noise(known):
    rows = machine(known)
    rough = speeds.predict(
        rows.assign(samples_per_sec_low=rows["samples_per_sec"] / 2, samples_per_sec_high=rows["samples_per_sec"] * 2)
    ).posterior
    assert np.median(rough.spread) > np.median(speeds.predict(rows).posterior.spread)


def test_a_measurement_off_by_a_factor_is_named_and_left_out(known):
    rows = machine(known)
    rows.loc[3, "samples_per_sec"] *= 10
    made = speeds.predict(rows)
    assert made.used == 19 and len(made.outliers) == 1 and rows["arch"][3] in made.outliers[0]
    assert any(rows["arch"][3] in note and "contradicted" in note for note in made.notes)
    clean = speeds.predict(machine(known).drop(index=3)).networks["samples_per_sec"]
    assert (made.networks["samples_per_sec"] / clean - 1).abs().median() < 0.01


def test_all_off_by_one_factor_is_just_another_machine(known):
    made = speeds.predict(machine(known).assign(samples_per_sec=lambda rows: rows["samples_per_sec"] * 7))
    assert not made.outliers and made.used == 20


def test_a_precision_that_no_table_has_is_refused(tables):
    with pytest.raises(UserError, match="measured in fp32.*--precision amp"):
        speeds.predict(machine(tables[1], file="benchmark-infer-fp32-nchw-pt2150-cu130-h200.csv"))


def test_much_smaller_batches_are_left_out_and_named(known):
    rows = machine(known)
    rows.loc[:2, "batch_size"] = 4
    made = speeds.predict(rows)
    assert made.used == 17 and any(
        "smaller than the tables'" in note and rows["arch"][0] in note for note in made.notes
    )
    with pytest.raises(UserError, match="at least 5"):
        speeds.predict(machine(known, batch_size=pd.array([1] * len(known), "Int64")))


def test_latency_is_refused_on_a_gpu(known):
    with pytest.raises(UserError, match="no table of a GPU"):
        speeds.predict(machine(known), "latency")


def test_latency_on_a_cpu_is_predicted_from_batch_1(tables):
    keys = tables[1]
    rows = machine(keys, file="benchmark-infer-fp32-nchw-pt2150-cpu-some_cpu.csv", kind_of_hardware="cpu")
    rows["batch1_p50_ms"] = 2000 / rows["samples_per_sec"]
    made = speeds.predict(rows, "latency").networks.set_index(KEY)
    mine = made.loc[list(map(tuple, rows[KEY].to_numpy()))]
    assert np.allclose(mine["samples_per_sec"], rows["samples_per_sec"] / 2)
    with pytest.raises(UserError, match="0 measured"):
        speeds.predict(rows.drop(columns="batch1_p50_ms"), "latency")


def test_latency_is_checked_against_latency(tables, monkeypatch):
    rows = machine(tables[1], 40, file="benchmark-infer-fp32-nchw-pt2150-cpu-some_cpu.csv", kind_of_hardware="cpu")
    rows["batch1_p50_ms"] = 2000 / rows["samples_per_sec"]
    rows.loc[30:, "batch1_p50_ms"] = np.nan
    monkeypatch.setattr(predict_design, "design", lambda count, kind: list(rows["arch"][:20]))
    _, compared = predict_command.check(rows, "latency")
    assert len(compared) == 10 and predict_command.checked(compared)["median_error"] < 0.1
    assert np.allclose(compared["samples_per_sec"], rows["samples_per_sec"][20:30] / 2)


def test_two_settings_in_one_are_refused(known):
    rows = machine(known)
    with pytest.raises(UserError, match="several settings"):
        speeds.predict(pd.concat([rows, rows.assign(file=FILES[0])]))
    with pytest.raises(UserError, match="twice"):
        speeds.predict(pd.concat([rows, rows.head(1)]))


def test_a_new_architecture_is_shown_as_no_help_and_never_guessed(known):
    rows = machine(known)
    new = rows.head(1).assign(arch="vit_brandnew_patch16")
    made = speeds.predict(pd.concat([rows, new], ignore_index=True))
    assert made.used == 20 and any("vit_brandnew_patch16" in note for note in made.notes)
    with pytest.raises(UserError, match="no table has it.*sweep --models vit_brandnew_patch16"):
        predict_command.find(made, "vit_brandnew_patch16")


def test_a_network_that_no_reference_timed_is_marked_unlike(tables, monkeypatch):
    rows, about = predict_tables.published()
    lonely = rows[rows["file"] == FILES[0]].head(1).assign(arch="vgg99")
    more = pd.concat([rows, lonely.assign(file=FILES[1])], ignore_index=True)
    monkeypatch.setattr(predict_tables, "published", lambda: (more, about))
    predict_tables.references.cache_clear()
    keys = tables[1]
    made = speeds.predict(machine(keys, file="benchmark-infer-amp-nchw-pt291-cu128-4090.csv"))
    row = predict_command.find(made, "vgg99").iloc[0]
    assert row["status"] == "unlike" and np.isnan(row["samples_per_sec"])
    assert any("unlike" in note for note in made.notes)
    assert "not predicted" in predict_command.say(row)


def test_the_machines_own_tables_are_left_out(tables):
    made = speeds.predict(machine(tables[1], file="benchmark-infer-amp-nchw-pt291-cu128-4090.csv"))
    assert "rtx4090" not in set(made.known.tables["hardware"])


def test_no_tables_of_that_kind_is_an_error(tables, monkeypatch):
    rows, about = predict_tables.published()
    monkeypatch.setattr(predict_tables, "published", lambda: (rows, about[about["kind"] == "cpu"]))
    predict_tables.references.cache_clear()
    with pytest.raises(UserError, match="nothing is predicted"):
        speeds.predict(machine(tables[1]))


def test_without_tables_the_measured_ones_are_still_shown(monkeypatch, capsys):
    def missing(*arguments, **named):
        raise read_data.TablesMissing("timm's tables: neither network nor cache")

    monkeypatch.setattr(predict_tables, "published", missing)
    monkeypatch.setattr(speeds, "machine_rows", lambda slug, part: machine(world()[2]))
    predict_tables.references.cache_clear()
    predict_command.main(["--hardware", "HERE"])
    said = capsys.readouterr()
    assert len(said.err.strip().splitlines()) == 1 and "only what was measured" in said.err
    assert len(said.out.splitlines()) == 20


def test_a_damaged_calibration_is_named(known, tmp_path):
    (tmp_path / "predict-calibration.csv").write_text("<html>")
    with pytest.raises(UserError, match="predict-calibration.csv"):
        speeds.predict(machine(known))


def results(keys: pd.DataFrame) -> pd.DataFrame:
    top1 = 70 + 3 * np.log(keys["gmacs"]) + np.random.default_rng(3).normal(0, 1, len(keys))
    return keys[KEY].assign(
        model=keys["arch"] + ".in1k", tag="in1k", top1=np.clip(top1, 60, 95), top5=95.0, param_count=keys["param_count"]
    )


def test_frontier_picks_and_what_to_measure_next(known, monkeypatch):
    monkeypatch.setattr(read_data, "results", lambda vintage: results(known))
    made = speeds.predict(machine(known))
    table = speeds.weights(made)
    assert set(read_data.TIDY) <= set(table) and table["samples_per_sec"].is_monotonic_decreasing
    edge = predict_choice.frontier(made, table)
    assert edge["sure"].between(0, 1).all() and edge["expected"].any()
    assert edge.loc[edge["top1"].idxmax(), "sure"] == 1  # nothing is more accurate
    chosen = predict_choice.picks(made, table).set_index("need")
    assert chosen.loc["accurate", "sure"] == 1 and chosen["sure"].between(0, 1).all()
    assert (chosen["samples_per_sec"] >= chosen["floor"]).all()
    unmeasured = set(made.networks.loc[made.networks["status"] == "predicted", "arch"])
    for pick in chosen.itertuples():
        assert set(pick.measure) <= unmeasured & {pick.arch, pick.rival.partition(".")[0]}
        assert pick.measure == () if pick.sure >= predict_choice.SURE else len(pick.measure) <= 2
    after = predict_choice.measure_next(made, edge)
    done = made.networks[made.networks["status"] == "measured"]["arch"]
    assert len(after) <= 2 and not set(after["arch"]) & set(done) and (after["gain"] > 0).all()


def test_draws_keep_measured_ones_near_their_measurement(known, monkeypatch):
    monkeypatch.setattr(read_data, "results", lambda vintage: results(known))
    made = speeds.predict(machine(known))
    table = speeds.weights(made)
    spread = pd.Series(speeds.draws(made, table).std(axis=0), table["status"])
    assert spread["measured"].max() < 0.02 < spread["predicted"].median() * 4


def test_the_check_needs_models_outside_the_design(known, monkeypatch):
    rows = machine(known, 40)
    monkeypatch.setattr(predict_design, "design", lambda count, kind: list(rows["arch"][:20]))
    made, compared = predict_command.check(rows)
    found = predict_command.checked(compared)
    assert made.used == 20 and found["networks"] == 20 and found["median_error"] < 0.1 and 0 <= found["coverage"] <= 1
    with pytest.raises(UserError, match="--role check"):
        predict_command.check(rows.head(20))


def test_a_doubtful_pick_names_what_to_measure_and_measuring_it_makes_it_sure(known, monkeypatch):
    """Two networks of nearly one speed, the better one at the floor of `fast`: which is the pick is open until both
    are measured.
    """
    monkeypatch.setattr(read_data, "results", lambda vintage: results(known))
    rows = machine(known)
    made = speeds.predict(rows)
    doubtful = predict_choice.picks(made).query("sure < @predict_choice.SURE")
    assert len(doubtful) and doubtful["measure"].map(len).between(1, 2).all()
    pick = doubtful.iloc[0]
    more = machine(known, None)
    again = speeds.predict(pd.concat([rows, more[more["arch"].isin(pick["measure"])]], ignore_index=True))
    after = predict_choice.picks(again).set_index("need").loc[pick["need"]]
    assert after["sure"] > pick["sure"]
    assert not set(pick["measure"]) & set(after["measure"])


def test_what_the_check_found_is_kept_for_page_and_chart(known, monkeypatch, moved, tmp_path):
    rows = machine(known, 40)
    monkeypatch.setattr(predict_design, "design", lambda count, kind: list(rows["arch"][:20]))
    moved(DATA=tmp_path)
    with pytest.raises(UserError, match="perf.predict --measure"):
        predict_command.read_check("h200")
    (tmp_path / rows["file"][0]).with_suffix(".json").write_text(
        '{"schema": 1, "hardware": {"slug": "h200", "name": "NVIDIA H200", "kind": "gpu"}}'
    )
    made, compared = predict_command.check(rows)
    path = predict_command.write_check(rows, made, compared)
    again, about = predict_command.read_check("h200")
    assert path.name == "predict-check-h200.csv" and about["used"] == 20 and about["hardware"]["name"] == "NVIDIA H200"
    assert len(again) == 20
    before = path.read_bytes()
    monkeypatch.setattr(speeds, "machine_rows", lambda hardware: rows)
    path.write_text(path.read_text().replace("224", "225", 1))
    predict_command.update()
    assert path.read_bytes() == before
    monkeypatch.setattr(speeds, "machine_rows", lambda hardware: rows.head(3))
    predict_command.update()  # too few measurements now: kept, with a notice
    assert path.read_bytes() == before
    assert predict_command.checked(again)["median_error"] == pytest.approx(
        predict_command.checked(compared)["median_error"], abs=1e-4
    )


@pytest.mark.parametrize("bad", [["--part", "both"], ["--kind", "tpu"], ["--design", "x"]])
def test_bad_options_end_with_2(bad):
    with pytest.raises(SystemExit) as ended:
        predict_command.main(bad)
    assert ended.value.code == 2


# ---- kept as files, read by page, picker and chart


@pytest.fixture
def kept(known, monkeypatch, moved, tmp_path):
    """The predictions of an invented card, made once and kept; afterwards predicting is an error."""
    moved(DATA=tmp_path)
    monkeypatch.setattr(read_data, "results", lambda vintage: results(known))
    rows = machine(known, 25)
    (tmp_path / rows["file"][0]).write_text("the measurements\n")
    (tmp_path / rows["file"][0]).with_suffix(".json").write_text(
        '{"schema": 1, "hardware": {"slug": "h200", "name": "NVIDIA H200", "kind": "gpu"}}'
    )

    def machine_rows(hardware="", part="infer"):
        if part == "train":
            raise UserError("nothing measured (train)")
        return rows

    monkeypatch.setattr(speeds, "machine_rows", machine_rows)
    monkeypatch.setattr(measured, "machine", lambda: "h200")
    with pytest.raises(UserError, match="make predict"):
        stored.read()
    made = speeds.predict(rows)
    stored.write("h200")

    def again(*arguments, **named):
        raise AssertionError("predicted a second time")

    monkeypatch.setattr(speeds, "predict", again)
    return made, tmp_path


def test_what_is_kept_is_what_was_predicted(kept, known):
    made, _ = kept
    back = stored.read()
    infer = back.parts["infer"]
    both = infer.networks.set_index(KEY)
    wanted = made.networks.set_index(KEY).reindex(both.index)
    for name in ("samples_per_sec", "low", "high"):
        assert both[name].to_numpy() == pytest.approx(wanted[name].to_numpy(), rel=1e-4, nan_ok=True)
    assert (both["status"] == wanted["status"]).all() and (both["family"] == wanted["family"]).all()
    assert (infer.used, infer.case, infer.notes, infer.settings) == (made.used, made.case, made.notes, made.settings)
    assert back.parts["train"].why == "nothing measured (train)" and back.parts["train"].networks.empty
    assert back.parts["latency"].why and set(back.picks["need"]) == {"fast", "balanced", "accurate"}
    assert back.frontier["expected"].any() and back.frontier["sure"].between(0, 1).all()
    assert (back.band["least"] <= back.band["most"]).all() and back.band["samples_per_sec"].is_monotonic_increasing
    for name in stored.COLUMNS:
        assert "hand" not in provenance.read_sidecar(stored.path(name, "h200"))["command"]


def test_the_picker_takes_what_is_kept(kept, known):
    key, table = stored.picker_table()
    assert key == "h200-predicted" and table["hardware_name"].eq("NVIDIA H200, mostly predicted").all()
    assert not table.duplicated(["model", "img_size"]).any() and table["samples_per_sec"].notna().all()
    assert set(table["status"]) == {"measured", "predicted"} and stored.picker_table("train") is None


def test_nothing_kept_is_no_entry_in_the_picker(monkeypatch, moved, tmp_path):
    moved(DATA=tmp_path)
    monkeypatch.setattr(measured, "machine", lambda: "h200")
    assert stored.picker_table() is None


def test_damaged_predictions_are_named(kept):
    path = stored.path("frontier", "h200")
    good = path.read_text()
    path.write_text(good.replace("model", "m", 1))
    with pytest.raises(UserError, match="predict-frontier-h200.csv"):
        stored.read()
    path.write_text(good)
    side = stored.path("speeds", "h200").with_suffix(".json")
    stored.path("speeds", "h200").touch()
    for facts in ({}, {"measured": {}, "parts": []}, {"measured": {}, "parts": {"infer": 1}}):
        side.write_text(json.dumps({"schema": 1, "hardware": {}, **facts}))
        with pytest.raises(UserError, match=r"is not ours \(.*\); run `make predict`"):
            stored._read.__wrapped__("h200", ())


def test_made_again_from_the_same_it_is_not_written_again(kept, monkeypatch):
    made, folder = kept
    before = {path.name: path.read_bytes() for path in folder.glob("predict-*-h200.*")}
    monkeypatch.setattr(speeds, "predict", lambda rows, part="infer": made if part == "infer" else _no_table())
    stored.write("h200")
    assert {path.name: path.read_bytes() for path in folder.glob("predict-*-h200.*")} == before and len(before) == 8


def _no_table():
    raise UserError("nothing measured (train)")
