import pandas as pd
import pytest

from scripts.common import frontier
from scripts.common.provenance import Source, carry
from scripts.data import read_data
from scripts.findings import summary


def table(rows):
    """A tidy table with what `summary` needs; rows: (model, family, samples_per_sec, top1)."""
    frame = pd.DataFrame(rows, columns=["model", "family", "samples_per_sec", "top1"])
    frame = frame.assign(
        arch=frame.model.str.partition(".")[0],
        tag="",
        img_size=224,
        param_count=25.0,
        gmacs=1.0,
        macts=float("nan"),
        hardware="rtx5090",
        compiled=False,
        vintage="newest",
        date="2026-01-06",
    )
    carry(frame, Source("speeds", "1", "2026-01-06"), Source("accuracies", "2", "2025-10-30"))
    return frame


def test_picks_are_the_most_accurate_that_are_fast_enough():
    frame = table([(f"vit_{i}", "vit", float(i), 90.0 - i) for i in range(1, 21)])
    got = summary.picks("gpu", frame).set_index("need").samples_per_sec
    assert got["accurate"] == 1 and got["balanced"] == 11 and got["fast"] == 19


def test_of_equally_accurate_models_the_faster_is_picked():
    frame = table([("vit_a", "vit", 10.0, 80.0), ("vit_b", "vit", 20.0, 80.0)])
    assert summary.picks("gpu", frame).set_index("need").model["accurate"] == "vit_b"


def test_nobody_is_told_to_use_a_test_network():
    frame = table([("test_vit", "test", 1e6, 99.0), ("vit_a", "vit", 10.0, 80.0)])
    assert set(summary.picks("gpu", frame).model) == {"vit_a"}
    assert {key: value for key, value, _ in summary.machine_figures("gpu", frame)}["gpu.best.model"] == "vit_a"


def test_a_family_without_members_gives_no_best():
    figures = {key for key, *_ in summary.machine_figures("gpu", table([("vit_a", "vit", 10.0, 80.0)]))}
    assert "gpu.vit.best.model" not in figures and "gpu.levit.best.model" not in figures
    assert "gpu.levit.frontier" in figures


def test_the_committed_figures_read_back(tmp_path, moved):
    moved(DATA=tmp_path)
    assert summary.numbers() == {}
    (tmp_path / "summary.csv").write_text("key,value,unit\na.top1,90.056,%\na.model,NA,\na.date,2026-01-06,date\n")
    assert summary.numbers() == {"a.top1": 90.056, "a.model": "NA", "a.date": "2026-01-06"}


def test_the_committed_summary_is_that_of_the_tables(timm_tables, monkeypatch):
    """What prose quotes is recomputed here from the tables, by plain pandas."""
    monkeypatch.setenv("TIMM_RESULTS", str(timm_tables))
    committed = summary.numbers()
    results = pd.read_csv(timm_tables / read_data.NOW / "results-imagenet.csv", thousands=",", keep_default_na=False)
    assert committed["gpu.best.top1"] == pytest.approx(results.top1.max())
    assert committed["gpu.best.model"] == results.model[results.top1.idxmax()]
    speeds = pd.read_csv(timm_tables / read_data.NOW / summary.TABLES["gpu"][1], keep_default_na=False)
    results["arch"] = results.model.str.split(".").str[0]
    joined = results.merge(speeds, left_on=["arch", "img_size"], right_on=["model", "infer_img_size"])
    joined = joined[~joined.arch.str.startswith("test_")]
    assert committed["gpu.weights"] == len(joined)
    best, count = -1.0, 0
    for _, same_speed in joined.sort_values("infer_samples_per_sec", ascending=False).groupby(
        "infer_samples_per_sec", sort=False
    ):
        if same_speed.top1.max() > best:
            best = same_speed.top1.max()
            count += int((same_speed.top1 == best).sum())
    assert committed["gpu.frontier.weights"] == count
    for part, rows, key_rows in (("infer", 165, 61), ("train", 168, 62)):
        assert committed[f"notebook.{part}.rows"] == rows and committed[f"notebook.{part}.key_rows"] == key_rows


def test_frontier_counts_follow_the_frontier(timm_tables, monkeypatch):
    monkeypatch.setenv("TIMM_RESULTS", str(timm_tables))

    table_ = summary.table_of("then")
    levit = table_[frontier.on_frontier(table_) & (table_.family == "levit")]
    assert summary.numbers()["then.levit.frontier"] == len(levit) == 5
