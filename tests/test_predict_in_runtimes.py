"""Speeds in every runtime from a few: what is learned, what is refused, and intervals that hold what they say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scripts.common.errors import DataMissing, UserError
from scripts.data import measured
from scripts.predict import in_runtimes, speeds
from scripts.predict.in_runtimes import LEAST, WAY
from tests.test_predict_speeds import machine as eager_rows, tables  # noqa: F401 - a fixture

CPU = {"file": "benchmark-infer-fp32-nchw-pt2150-cpu1t-some_cpu.csv", "hardware": "some_cpu", "kind_of_hardware": "cpu"}


@pytest.fixture
def machine(tables, monkeypatch):
    _, keys = tables
    rows = eager_rows(keys, 40, noise=0.05, batch_size=1, **CPU)
    monkeypatch.setattr(speeds, "machine_rows", lambda slug="", part="infer": rows)
    return in_runtimes.Machine("some_cpu")


def timed(machine, many: int = 25, noise: float = 0.05, seed: int = 0, **change) -> pd.DataFrame:
    """`many` of the machine's networks in eager and in a runtime whose gain grows with activations per multiply-add."""
    rng, keys = np.random.default_rng(seed), machine.known.keys
    at = rng.choice(list(machine.measured), many, replace=False)
    gain = 2.0 * np.exp(0.3 * machine.lines[at, 0] + rng.normal(0, noise, many))
    eager = np.exp([machine.measured[int(one)] for one in at])
    parts = []
    for runtime, times in (("eager", np.ones(many)), ("openvino", gain)):
        parts.append(
            pd.DataFrame(
                {
                    **{"model": keys["arch"].iloc[at].to_numpy(), "arch": keys["arch"].iloc[at].to_numpy()},
                    **{"img_size": keys["img_size"].iloc[at].to_numpy(), "runtime": runtime, "precision": "fp32"},
                    **{"speed": eager * times, "times_eager": times, "hardware": "some_cpu", "file": "x.csv"},
                    **{"samples_per_sec_low": eager * times * 0.99, "samples_per_sec_high": np.nan},
                    **change,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def test_a_gain_that_follows_the_properties_is_found_for_networks_never_timed(machine):
    table = timed(machine)
    found = in_runtimes.learned(table, machine)
    errors = in_runtimes.left_out(found, machine)
    made = in_runtimes.predict(found, machine, errors)
    assert made["status"].value_counts()["measured"] == 25 and len(made) == len(machine.known.keys)
    assert (made["low"] <= made["samples_per_sec"]).all() and (made["samples_per_sec"] <= made["high"]).all()
    truth = np.exp(machine.made.posterior.log) * 2.0 * np.exp(0.3 * machine.lines[:, 0])
    guessed = made["status"].eq("predicted").to_numpy()
    assert np.median(np.abs(made["samples_per_sec"].to_numpy()[guessed] / truth[guessed] - 1)) < 0.1
    plain = np.median(np.abs(2.0 * np.exp(machine.made.posterior.log)[guessed] / truth[guessed] - 1))
    assert plain > 0.15, "one gain for all would be far off"


def test_a_measured_network_keeps_its_figures(machine):
    table = timed(machine)
    found = in_runtimes.learned(table, machine)
    errors = in_runtimes.left_out(found, machine)
    made = in_runtimes.predict(found, machine, errors).set_index(["arch", "img_size"])
    for row in table[table["runtime"] == "openvino"].itertuples():
        assert made.loc[(row.arch, row.img_size), "samples_per_sec"] == pytest.approx(row.speed)


def test_a_runtime_that_cannot_be_foreseen_is_not_predicted(machine):
    found = in_runtimes.learned(timed(machine, noise=1.0), machine)
    made = in_runtimes.predict(found, machine, in_runtimes.left_out(found, machine))
    assert len(made) == 25 and made["status"].eq("measured").all()


def test_each_network_is_predicted_without_its_own_figures(machine):
    table = timed(machine)
    before = in_runtimes.left_out(in_runtimes.learned(table, machine), machine)
    name = table["model"].iloc[0]
    absurd = table.assign(speed=table["speed"].where(table["model"] != name, 50 * table["speed"]))
    after = in_runtimes.left_out(in_runtimes.learned(absurd, machine), machine)
    at = machine.known.find(table.head(1))[0]
    one, other = (some.set_index("at").loc[at, "predicted"] for some in (before, after))
    assert one == pytest.approx(other)
    assert after.set_index("at").loc[at, "log"] > before.set_index("at").loc[at, "log"] + 1


def test_the_intervals_hold_what_they_say_on_networks_left_out(machine):
    covered = []
    for seed in range(4):
        table = timed(machine, 30, noise=0.15, seed=seed)
        found = in_runtimes.learned(table, machine)
        checked = in_runtimes.checked(found, machine, in_runtimes.left_out(found, machine))
        covered.append(in_runtimes.summary(checked)["coverage"].iloc[0])
    assert 0.8 <= np.mean(covered) <= 1.0


def test_those_held_out_are_predicted_from_the_others_together(machine, monkeypatch):
    table = timed(machine)
    held = sorted(table["arch"].unique())[:4]
    monkeypatch.setattr(in_runtimes, "HELD_OUT", tuple(held))
    found = in_runtimes.learned(table, machine)
    checked = in_runtimes.checked(found, machine, in_runtimes.left_out(found, machine))
    apart = checked[checked["left_out"] == "all held out"]
    assert sorted(apart["arch"]) == held and (checked["left_out"] == "itself").sum() == 25


def test_too_few_networks_are_no_prediction(machine, monkeypatch, tmp_path):
    assert in_runtimes.learned(timed(machine, LEAST - 1), machine).empty
    monkeypatch.setattr(in_runtimes.timed, "speeds", lambda: timed(machine, LEAST - 1))
    monkeypatch.setattr(in_runtimes, "Machine", lambda slug: machine)
    with pytest.raises(UserError, match="fewer than"):
        in_runtimes.write("some_cpu")
    with pytest.raises(DataMissing, match="make bench"):
        in_runtimes.write("another_cpu")


def test_rows_without_a_speed_or_in_no_table_teach_nothing(machine):
    table = timed(machine)
    table.loc[table["runtime"] == "openvino", "speed"] = np.nan
    assert in_runtimes.learned(table, machine).empty
    assert in_runtimes.learned(timed(machine, img_size=99), machine).empty


def test_nothing_kept_and_damaged_tables_are_named(monkeypatch, moved, tmp_path):
    moved(DATA=tmp_path)
    monkeypatch.setattr(measured, "machine", lambda: "some_cpu")
    assert not in_runtimes.there()
    with pytest.raises(DataMissing, match="make predict"):
        in_runtimes.read()
    in_runtimes.path("runtimes", "some_cpu").write_text("runtime,precision\nopenvino,fp32\n")
    with pytest.raises(UserError, match="predict-runtimes-some_cpu.csv"):
        in_runtimes.read()


def test_the_committed_tables_fit_together():
    kept = list(in_runtimes.DATA.glob("predict-runtimes-*.csv"))
    for path in kept:
        slug = path.stem.removeprefix("predict-runtimes-")
        table, out = in_runtimes.read(slug), in_runtimes.read(slug, "left-out")
        assert table["low"].le(table["samples_per_sec"]).all() and table["high"].ge(table["samples_per_sec"]).all()
        ways = set(map(tuple, table[WAY].drop_duplicates().to_numpy()))
        assert ways == set(map(tuple, out[WAY].drop_duplicates().to_numpy()))
        assert out.groupby("left_out").size().get("itself", 0) == table["status"].eq("measured").sum()
