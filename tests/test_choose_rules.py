"""Picks, replacements, what is nearest when nothing fits, and the page's data."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from scripts.choose import files as picker_files, rules
from scripts.choose.rules import Needs
from scripts.common.errors import UserError
from scripts.data import licences, measured, read_data
from scripts.findings import fields, machines
from scripts.predict import stored
from tests.test_findings_verdicts import field, table

NC = "convnextv2_tiny.fcmae_ft_in1k"  # timm: cc-by-nc-4.0


def rows(*special, **about):
    return rules.complete(field(*special, **about))


def test_the_picks_are_the_frontier_of_what_fits_best_first():
    found = rules.pick(rows(("vgg16.tv_in1k", 224, 60.0, 100, 138.0)), Needs(min_throughput=100))
    assert (
        found.rows["top1"].tolist() == [72.0, 71.0, 70.0] and found.fitting == 9
    )  # eight ResNets of 100 images/s or more, and VGG
    assert found.rows["reason"].iloc[0].startswith("the most accurate of the 9")
    assert found.rows["reason"].iloc[1] == "2× as fast for 1.00 points less"


def test_models_that_accuracy_cannot_tell_apart_are_ties():
    found = rules.pick(rows(("vgg16.tv_in1k", 224, 75.9, 5, 138.0)), Needs())
    assert found.rows["model"].iloc[0] == "resnet50.v11_in1k" and found.rows["ties"].iloc[0] == ("vgg16.tv_in1k",)
    assert "vgg16.tv_in1k" not in found.rows["ties"].iloc[1]


def test_the_same_weights_at_two_sizes_are_one_pick():
    found = rules.pick(rows(("vgg16.tv_in1k", 224, 80.0, 10, 138.0), ("vgg16.tv_in1k", 288, 81.0, 5, 138.0)), Needs())
    assert found.rows["model"].is_unique and found.rows["img_size"].iloc[0] == 288


@pytest.mark.parametrize(
    "needs, left",
    [
        (Needs(min_throughput=12800), 1),
        (Needs(max_params=13), 2),
        (Needs(max_size=224), 1),
        (Needs(min_top1=75), 2),
        (Needs(pretrain=("in1k",)), 12),
        (Needs(pretrain=("web", "in1k")), 12),
        (Needs(min_throughput=100, max_params=13), 2),
    ],
)
def test_each_need_bounds_what_fits(needs, left):
    assert rules.pick(rows(), needs).fitting == left


def test_an_impossible_combination_names_the_nearest_and_what_it_lacks():
    found = rules.pick(rows(), Needs(min_throughput=9000, min_top1=66))
    assert found.rows.empty and found.note.startswith("nothing fits; the nearest is resnet50.v0_in1k")
    assert "top-1 (%) is 65, asked for at least 66" in found.note and "throughput" not in found.note
    assert "pretraining is ImageNet-1k only" in rules.pick(rows(), Needs(pretrain=("web",))).note
    assert "not measured here" in rules.pick(rows(), Needs(max_latency=3)).note
    assert "licence" in rules.pick(rows(), Needs(commercial=True)).note


def test_latency_is_that_of_one_image():
    frame = field().assign(batch_size=1)
    assert rules.complete(frame)["latency_ms"].iloc[0] == pytest.approx(1000 / 12800)
    assert rules.complete(field())["latency_ms"].isna().all(), "a batch of 256 says nothing about one image"
    measured_here = rules.complete(field().assign(batch1_p50_ms="7.5"))
    assert measured_here["latency_ms"].eq(7.5).all() and rules.pick(measured_here, Needs(max_latency=8)).fitting == 12


def test_training_speed_where_it_was_timed():
    training = field(part="train").head(3)
    frame = rules.complete(field(), training)
    assert (
        frame["train_samples_per_sec"].notna().sum() == 3 and rules.pick(frame, Needs(min_training=12000)).fitting == 1
    )


def test_licences():
    assert licences.commercial(NC) == "no" and licences.commercial("resnet50.a1_in1k") == "yes"
    assert (
        licences.commercial("mobileone_s0.apple_in1k") == "own" and licences.commercial("never.heard_of") == "unknown"
    )
    frame = rules.complete(table([(NC, 224, 83.0, 100, 28.6), ("resnet50.a1_in1k", 224, 80.0, 100, 25.6)]))
    assert rules.pick(frame, Needs(commercial=True)).rows["model"].tolist() == ["resnet50.a1_in1k"]


def test_licences_agree_with_timm():
    timm = pytest.importorskip("timm")
    for model in (
        "resnet50.a1_in1k",
        NC,
        "eva02_large_patch14_448.mim_m38m_ft_in22k_in1k",
        "levit_128s.fb_dist_in1k",
        "regnety_320.seer_ft_in1k",
    ):
        assert licences.licence(model) == timm.models.get_pretrained_cfg(model).license


def test_replace_needs_both_axes_beyond_the_uncertainty():
    slower = rows(("vgg16.tv_in1k", 224, 70.5, 300, 138.0))
    assert "nothing here beats" in rules.replace(slower, "vgg16").note, "the next better ResNet runs at 200 images/s"
    close = rows(("vgg16.tv_in1k", 224, 71.9, 100, 138.0))
    assert "nothing here beats" in rules.replace(close, "vgg16").note, "72.0 against 71.9 is a tie"
    clear = rows(("vgg16.tv_in1k", 224, 71.0, 99, 138.0))
    assert rules.replace(clear, "vgg16.tv_in1k").rows["model"].iloc[0] == "resnet50.v7_in1k"


def test_replace_never_offers_the_same_architecture():
    assert "nothing here beats" in rules.replace(rows(), "resnet50").note


def test_replace_by_a_name_of_2022_and_by_none():
    frame = rows(("convnext_tiny.fb_in22k_ft_in1k", 224, 60.0, 6, 28.6))
    assert len(rules.replace(frame, "convnext_tiny_in22ft1k").rows) == 3
    with pytest.raises(UserError, match="did you mean resnet50"):
        rules.replace(frame, "resnet5O")
    with pytest.raises(UserError, match="not timed"):
        rules.replace(frame, "<script>")
    with pytest.raises(UserError):
        rules.replace(frame, "")


def test_hardware_that_is_not_there_names_those_that_are(monkeypatch):
    monkeypatch.setattr(machines, "main_tables", lambda part="infer": {"our_cpu": field(hardware="our_cpu")})
    with pytest.raises(UserError, match="our_cpu"):
        rules.table("rtx9090")
    monkeypatch.setattr(
        machines, "main_tables", lambda part="infer": {"our_cpu": field(hardware="our_cpu").assign(top1=np.nan)}
    )
    with pytest.raises(UserError, match="published accuracy"):
        rules.table("our_cpu")


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        (["--hardware", "rtx9090"], 2, "not among"),
        (["--hardware", "rtx5090", "--pretrain", "magic"], 2, "choose among"),
        ([], 2, "no --hardware"),
        (["--hardware", "rtx5090", "--min-throughput", "100"], 0, "timm.create_model"),
        (["--list"], 0, "rtx5090"),
        (["--hardware", "rtx5090", "--min-throughput", "1e9"], 0, "nothing fits; the nearest is"),
        (["--hardware", "rtx5090", "--replace", "vgg16"], 2, "not timed"),
    ],
)
def test_command_line(monkeypatch, capsys, arguments, code, said):
    monkeypatch.setattr(machines, "main_tables", lambda part="infer": {"rtx5090": field()} if part == "infer" else {})
    assert rules.main(arguments) == code
    both = capsys.readouterr()
    assert said in both.out + both.err and "Traceback" not in both.err


def test_help_prints(capsys):
    with pytest.raises(SystemExit) as exit:
        rules.main(["--help"])
    assert exit.value.code == 0 and "top-1 (%)" in capsys.readouterr().out


@pytest.mark.parametrize("value", ["-3", "0", "nan", "inf", "many"])
def test_a_bound_that_is_no_number_above_zero(capsys, value):
    with pytest.raises(SystemExit) as exit:
        rules.main(["--hardware", "rtx5090", f"--min-throughput={value}"])
    assert exit.value.code == 2 and "not a number above 0" in capsys.readouterr().err


# ---- the page's data


def parse(script: str):
    assert script.startswith("pickerData(") and script.endswith(");\n")
    return json.loads("[" + script[len("pickerData(") : -3] + "]")


def test_the_scripts_are_json_in_a_call_and_give_back_the_table():
    frame = field(("levit_256.fb_dist_in1k", 224, 81.0, 9000.4, 19.0))
    made = picker_files.scripts(
        picker_files.picker_data(
            {"rtx5090": frame}, {"rtx5090": frame.head(2).assign(date="2022-07-27", torch="1.12.0")}
        )
    )
    (_, models), (key, columns) = parse(made["models.js"]), parse(made["rtx5090.js"])
    assert key == columns["key"] == "rtx5090" and models["schema"] == picker_files.SCHEMA
    back = {
        (models["names"][models["rows"]["name"][i]], models["rows"]["size"][i]): (
            models["rows"]["top1"][i],
            columns["speed"][i],
        )
        for i in range(len(models["rows"]["name"]))
    }
    assert back == {
        (row.model, row.img_size): (row.top1, float(f"{row.samples_per_sec:.4g}")) for row in frame.itertuples()
    }
    levit = models["names"].index("levit_256.fb_dist_in1k")
    assert models["pretrains"][models["pretrain"][levit]][0] == "distilled" and models["families"][
        models["family"][levit]
    ] == ["levit", "LeViT"]
    assert models["kinds"][models["kind"][levit]] == "hybrid"
    assert sum(value is not None for value in columns["training"]) == 2 and columns["latency_ms"] is None
    assert models["machines"][0] == {
        "key": "rtx5090",
        "name": "RTX 5090",
        "kind": "gpu",
        "year": 2025,
        "compiled": False,
        "models": 13,
        "latency": False,
        "training": True,
        "source": "timm’s table of 2026-01-06, torch 2.9.1, amp",
        "training_source": "timm’s table of 2022-07-27, torch 1.12.0, amp",
        "usd": None,
        "price": "",
    }
    assert list(models["runtimes"]) == ["eager"] and "runtimes" not in columns and columns["joules"] is None


def in_others(frame: pd.DataFrame, gain: float = 2.0, **ways) -> pd.DataFrame:
    """Speeds of `frame` in OpenVINO fp32, `gain` times eager's, and in each of `ways` (runtime_precision=gain)."""
    parts = [
        frame[["arch", "img_size"]].assign(
            runtime=name.partition("_")[0],
            precision=name.partition("_")[2],
            samples_per_sec=frame["samples_per_sec"] * times,
            low=frame["samples_per_sec"] * times / 1.5,
            high=frame["samples_per_sec"] * times * 1.5,
            status=["measured"] + ["predicted"] * (len(frame) - 1),
        )
        for name, times in {"openvino_fp32": gain, **ways}.items()
    ]
    return pd.concat(parts, ignore_index=True)


def own_archs() -> pd.DataFrame:
    return (frame := field()).assign(arch=[f"resnet{place}" for place in range(len(frame))])


def test_a_runtime_takes_eagers_place():
    frame = rules.complete(own_archs())
    others = in_others(frame, 2.0, openvino_int8=4.0, kept_fp32=9.0)
    others = others[~(others["precision"].eq("int8") & others["arch"].eq(frame["arch"].iloc[0]))]
    same = rules.in_runtime(frame, others)
    assert same["samples_per_sec"].tolist() == frame["samples_per_sec"].tolist()
    found = rules.in_runtime(frame, others, "openvino")
    assert found["samples_per_sec"].to_numpy() == pytest.approx(2 * frame["samples_per_sec"].to_numpy(), rel=0.026)
    assert len(rules.in_runtime(frame, others, "openvino", "int8")) == len(frame) - 1
    assert rules.in_runtime(frame, others, "onnxruntime").empty
    fastest = rules.in_runtime(frame, others, "any", "any")  # no line says how memory is kept, so it is not offered
    assert len(fastest) == len(frame) and set(fastest["way"]) == {("openvino", "fp32"), ("openvino", "int8")}
    assert fastest["latency_ms"].isna().all(), "timed in eager alone"
    assert "--runtime openvino --precision int8" in rules.code(fastest.iloc[-1])


def test_the_pages_runtimes_are_the_command_lines():
    frame = own_archs()
    others = in_others(frame, 2.0, onnxruntime_int8=0.5)
    data = picker_files.picker_data({"rtx5090": frame}, {}, {"rtx5090": others})
    ways = data["rtx5090"]["runtimes"]
    assert [(way["runtime"], way["precision"], way["within"]) for way in ways] == [
        ("openvino", "fp32", 1.5),
        ("onnxruntime", "int8", 1.5),
    ]
    told = [data["models"]["rules"]["step"] ** steps for way in ways for steps in way["steps"] if steps is not None]
    assert sorted(set(np.round(told, 1))) == [0.5, 2.0] and all(len(way["measured"]) >= 1 for way in ways)
    assert list(data["models"]["runtimes"]) == list(data["models"]["lines"]) == ["eager", "onnxruntime", "openvino"]


def test_a_hostile_name_cannot_leave_its_script():
    evil = "resnet50.</script><script>alert(1)</script>"
    made = picker_files.scripts(picker_files.picker_data({"rtx5090": field((evil, 224, 90.0, 1, 1.0))}, {}))
    assert "<" not in made["models.js"] and evil in parse(made["models.js"])[1]["names"]


def test_a_network_of_other_parameters_on_one_machine_is_noted():
    frame = field()
    other = frame.assign(hardware="rtx4090", param_count=frame["param_count"] * 1.1)
    data = picker_files.picker_data({"rtx5090": frame, "rtx4090": other}, {})
    assert data["rtx5090"]["params"] == {} and len(data["rtx4090"]["params"]) == 12


def test_models_not_timed_on_a_machine_are_null():
    data = picker_files.picker_data(
        {"a": field(hardware="rtx4090"), "b": field(("vgg16.tv_in1k", 224, 70, 300, 138.0))}, {}
    )
    assert data["a"]["speed"].count(None) == 1 and data["b"]["speed"].count(None) == 0


def test_nothing_to_offer():
    with pytest.raises(UserError, match="make bench"):
        picker_files.picker_data({"a": field().assign(top1=np.nan)}, {})


def test_writing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(machines, "main_tables", lambda part="infer": {"rtx5090": field()} if part == "infer" else {})
    monkeypatch.setattr(stored, "picker_table", lambda part: None)  # what this machine measured depends on the machine
    assert picker_files.main(["--out", str(tmp_path / "data")]) == 0
    assert (
        sorted(path.name for path in (tmp_path / "data").iterdir())
        == [
            "dragonwing_iq_9075_evk.js",
            "galaxy_s25.js",
            "models.js",
            "rtx5090.js",
            "snapdragon_x_elite_crd.js",
        ]
        and "kB gzipped" in capsys.readouterr().out
    )


@pytest.fixture
def real(timm_tables, monkeypatch):
    monkeypatch.setenv("TIMM_RESULTS", str(timm_tables))
    return timm_tables


def test_all_machines_stay_within_the_budget(real, tmp_path):
    sizes = picker_files.write(tmp_path / "data")
    assert sum(sizes.values()) < 120_000, "150 kB gzipped for data and script together"
    assert max(size for name, size in sizes.items() if name != "models.js") < 20_000


def test_real_picks_against_a_plain_search(real):
    frame = rules.table("rtx4090")
    found = rules.pick(frame, Needs(min_throughput=5000, commercial=True)).rows
    fitting = [
        row for row in frame.itertuples() if row.samples_per_sec >= 5000 and licences.commercial(row.model) == "yes"
    ]
    assert found["top1"].iloc[0] == max(row.top1 for row in fitting)
    for pick in found.itertuples():
        assert not any(row.top1 > pick.top1 and row.samples_per_sec >= pick.samples_per_sec for row in fitting)
    replaced = rules.replace(frame, "resnet50").rows
    mine = frame[frame["arch"] == "resnet50"].nlargest(1, "top1").iloc[0]
    assert (replaced["top1"] > mine["top1"]).all() and (
        replaced["samples_per_sec"] * 1.03 > mine["samples_per_sec"]
    ).all()


def test_offline_the_picker_offers_the_machines_measured_here(monkeypatch):
    def missing(*arguments):
        raise read_data.TablesMissing("none")

    monkeypatch.setattr(read_data, "configs", missing)
    ours = measured.load("infer")
    if ours.empty or ours["top1"].isna().all():
        pytest.skip("nothing measured with known accuracy in this checkout")
    data = picker_files.picker_data()
    assert {
        machine["key"].removesuffix("-compiled").removesuffix("-predicted") for machine in data["models"]["machines"]
    } <= {*ours["hardware"], *fields.phone()}
