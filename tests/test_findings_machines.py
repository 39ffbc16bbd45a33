"""Machines side by side: frontiers, stable picks, penalties, speed-ups, and who dethroned 2022."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scripts.common.errors import UserError
from scripts.data import measured, read_data
from scripts.findings import machines
from tests.test_findings_verdicts import about, field, frontier, raw, table

SIX = (
    "benchmark-infer-amp-nchw-pt291-cu130-5090.csv",
    "benchmark-infer-amp-nchw-pt291-cu130-5090-dynamo.csv",
    "benchmark-infer-amp-nchw-pt291-cu130-pro6000maxq.csv",
    "benchmark-infer-amp-nchw-pt291-cu128-4090.csv",
    "benchmark-infer-fp32-nchw-pt240-cpu-i7_12700h-dynamo.csv",
    "benchmark-infer-fp32-nchw-pt240-cpu-i9_10940x-dynamo.csv",
)


def test_a_model_on_more_frontiers_comes_first():
    one = field(("levit_256.fb_dist_in1k", 224, 81.0, 90000, 19.0))
    two = field(("levit_256.fb_dist_in1k", 224, 81.0, 9, 19.0))
    picks = machines.stable_picks({"a": one, "b": two})
    assert picks.iloc[0]["model"] == "levit_256.fb_dist_in1k" and picks.iloc[0]["machines"] == 2
    assert picks.iloc[0]["where"] == "a b"
    assert set(picks["machines"]) == {1, 2} and (picks["timed"] == 2).all()


def test_rows_without_accuracy_never_reach_a_frontier():
    frame = field()
    frame.loc[len(frame) - 1, "top1"] = np.nan
    assert len(machines.frontiers({"a": frame})) == len(frame) - 1
    with pytest.raises(UserError, match="accuracies"):
        machines.frontiers({"a": frame.assign(top1=np.nan)})


def test_agreement_is_one_on_the_diagonal_and_minus_one_for_the_reverse():
    frame = field()
    back = frame.assign(samples_per_sec=1 / frame["samples_per_sec"])
    grid = machines.agreement({"a": frame, "b": back})
    assert grid.loc["a", "a"] == pytest.approx(1) and grid.loc["a", "b"] == pytest.approx(-1)


def test_reparameterised_networks_are_flagged_and_left_out_of_speedups():
    before = table([("repvgg_a0.rvgg_in1k", 224, 72.4, 1000, 9.11), ("resnet50.a1_in1k", 224, 80.2, 1000, 25.56)])
    after = before.assign(samples_per_sec=2000.0, param_count=[8.31, 25.56])
    found = machines.speedups(before, after).set_index("arch")
    assert found.loc["repvgg_a0", "changed"] and np.isnan(found.loc["repvgg_a0", "speedup"])
    assert not found.loc["resnet50", "changed"] and found.loc["resnet50", "speedup"] == 2


def test_the_main_table_of_a_machine_is_its_newest_torch(monkeypatch):
    old, new, half = field(torch="2.9.0"), field(torch="2.10.0"), field(torch="2.11.0", precision="bf16")
    tables = {"a.csv": old, "b.csv": new, "c.csv": half}
    monkeypatch.setattr(read_data, "configs", lambda vintage, part: list(tables))
    monkeypatch.setattr(read_data, "load", lambda part, vintage, file: tables[file])
    found = machines.main_tables(ours=False)
    assert list(found) == ["rtx5090"] and found["rtx5090"]["torch"].iloc[0] == "2.10.0"


def test_without_timms_tables_our_own_machines_remain(monkeypatch):
    def missing(*arguments):
        raise read_data.TablesMissing("none")

    monkeypatch.setattr(read_data, "configs", missing)
    ours = field(hardware="our_cpu").assign(
        vintage="measured", file="x.csv", hardware_name="Our CPU", kind_of_hardware="cpu", date="2026-11-01"
    )
    monkeypatch.setattr(measured, "load", lambda part=None: ours)
    found = machines.main_tables()
    assert list(found) == ["our_cpu"] and machines.name_of("our_cpu", found) == "Our CPU"


def test_a_few_models_measured_here_stand_beside_timms_table_of_the_same_card(monkeypatch):
    from scripts.choose import files as picker_files

    file = "benchmark-infer-amp-nchw-pt291-cu130-5090.csv"
    monkeypatch.setattr(read_data, "configs", lambda vintage, part=None: [file] if part == "infer" else [])
    monkeypatch.setattr(read_data, "load", lambda part, vintage, file: field())
    about = {"vintage": "measured", "hardware_name": "RTX 5090", "kind_of_hardware": "gpu", "date": "2026-11-01"}
    both = [field(torch="2.15.0", compiled=one).head(3).assign(file=f"{one}", **about) for one in (False, True)]
    ours = pd.concat(both)
    monkeypatch.setattr(measured, "load", lambda part=None: ours.assign(part=part))
    tables, training = machines.main_tables(), machines.main_tables("train")
    assert {key: len(table) for key, table in tables.items()} == {
        "rtx5090": 12,
        "rtx5090-measured": 3,
        "rtx5090-measured-compiled": 3,
    }
    assert list(training) == ["rtx5090-measured", "rtx5090-measured-compiled"]  # not beside timm's inference
    assert machines.name_of("rtx5090-measured-compiled", tables) == "RTX 5090, measured here, compiled"
    assert machines.name_of("rtx5090", tables) == "RTX 5090"
    shown = {one["key"]: one for one in picker_files.picker_data(tables, training)["models"]["machines"]}
    assert shown["rtx5090"]["models"] == 12 and not shown["rtx5090"]["training"]
    assert shown["rtx5090-measured"]["training"] and shown["rtx5090-measured"]["year"] == 2025


# ---- on the real tables


@pytest.fixture
def real(timm_tables, monkeypatch):
    monkeypatch.setenv("TIMM_RESULTS", str(timm_tables))
    return timm_tables


def test_75_models_on_some_frontier_and_6_on_all_of_the_six_newest(real):
    tables = {file: read_data.load("infer", read_data.NOW, file) for file in SIX}
    picks = machines.stable_picks({file: frame[frame["family"] != "test"] for file, frame in tables.items()})
    assert len(picks) == 75 and (picks["machines"] == 6).sum() == 6
    counted: dict = {}
    for file in SIX:
        for key in {(row["model"], row["size"]) for row in frontier(raw(real, read_data.NOW, file, "infer"))}:
            counted[key] = counted.get(key, 0) + 1
    assert {(row.model, row.img_size): row.machines for row in picks.itertuples()} == counted


def test_each_machine_once_and_eager_apart_from_compiled(real):
    tables = machines.main_tables(ours=False)
    both = {f"{name}{end}" for name in ("rtx4090", "rtx5090", "pro6000maxq") for end in ("", "-compiled")}
    assert set(tables) == {"rtx3090", *both, "i7_12700h-compiled", "i9_10940x-compiled"}
    assert not any((frame["family"] == "test").any() for frame in tables.values())
    assert "rtx5090-compiled" not in machines.main_tables(ours=False, compiled=False)
    assert tables["rtx5090"]["torch"].iloc[0] == "2.9.1" and tables["rtx3090"]["torch"].iloc[0] == "2.4.0"


def test_at_equal_size_neither_processor_penalises_transformers_beyond_chance(real):
    """The penalty was 1.36 on the i7, sizes not held equal and networks taken as independent."""
    found = machines.cpu_penalties(machines.main_tables(ours=False)).query("kind == 'transformer'").set_index("cpu")
    assert dict(found["ratio"].round(2)) == {"i7_12700h-compiled": 1.12, "i9_10940x-compiled": 1.00}
    assert ((found["low"] < 1) & (found["high"] > 1)).all() and (found["gpus"] == 3).all(), "compiled cards only"


def test_same_card_new_torch(real):
    before, after = (
        read_data.load("infer", read_data.NOW, file)
        for file in (
            "benchmark-infer-amp-nchw-pt240-cu124-rtx4090.csv",
            "benchmark-infer-amp-nchw-pt291-cu128-4090.csv",
        )
    )
    found = machines.speedups(before, after)
    assert {"repvgg", "repvit", "mobileone", "fastvit"} <= set(found[found["changed"]]["family"])
    assert found["speedup"].median() == pytest.approx(1.015, abs=0.01) and found["changed"].sum() < 0.1 * len(found)


def test_the_frontier_of_2022_and_what_dethroned_it(real):
    found = machines.succession().set_index("model")
    old = frontier(raw(real, read_data.THEN, read_data.NOTEBOOK_FILE.format(part="infer"), "infer"))
    assert {row["model"] for row in old} == set(found.index)
    assert found.loc["levit_128s", "still"] and not found.loc["beit_large_patch16_512", "still"]
    gone = found[found["still"].eq(False)]
    assert gone["by"].notna().all() and (gone["by_top1"] >= gone["top1"] - 0.35).all(), (
        "whoever dethroned it is at least as accurate"
    )
    rows = raw(real, read_data.NOW, "benchmark-infer-amp-nchw-pt240-cu124-rtx3090.csv", "infer")
    beit = next(row for row in rows if row["model"].startswith("beit_large_patch16_512."))
    best = max((row for row in rows if row["speed"] >= beit["speed"]), key=lambda row: row["top1"])
    assert found.loc["beit_large_patch16_512", "by"] == best["model"]


def test_a_card_that_only_one_vintage_timed(real):
    with pytest.raises(UserError, match="no table"):
        machines.succession("h200")


def test_about_is_what_the_file_name_says():
    assert about(SIX[1])["compiled"] and not about(SIX[0])["compiled"] and isinstance(field(), pd.DataFrame)
