"""timm's tables: the join, the notebook's view, and everything that can be wrong with a table."""

from __future__ import annotations

import csv
import re

import pandas as pd
import pytest

from scripts.common.errors import UserError
from scripts.data import download, read_data

FILE = "benchmark-infer-amp-nchw-pt291-cu130-5090.csv"
RESULTS = [
    "model,img_size,top1,top1_err,top5,top5_err,param_count,crop_pct,interpolation",
    'eva_giant_patch14_336.clip_ft_in1k,336,89.466,10.534,98.826,1.174,"1,013.01",1.000,bicubic',
    "resnet50.a1_in1k,224,80.2,19.8,94.6,5.4,25.56,0.950,bicubic",
    "resnet50.a1_in1k,288,81.2,18.8,95.1,4.9,25.56,1.000,bicubic",
    "resnet50.tv_in1k,224,76.1,23.9,92.9,7.1,25.56,0.875,bilinear",
    "levit_128s.fb_dist_in1k,224,76.5,23.5,92.9,7.1,7.78,0.900,bicubic",
    "nest_base_jx.goog_in1k,224,83.5,16.5,96.4,3.6,67.72,0.875,bicubic",
]
SPEEDS = [
    "model,infer_img_size,infer_samples_per_sec,infer_step_time,infer_batch_size,param_count,infer_gmacs,infer_macts",
    "levit_128s,224,30000.5,34.1,1024.0,7.78,0.31,1.88",
    "resnet50,224,4000.0,256.0,1024,25.56,4.11,11.11",
    "resnet50,288,2500.0,409.6,1024,25.56,6.8,18.37",
    "jx_nest_base,224,900.0,284.4,256,67.72,17.96,53.39",
    'eva_giant_patch14_336,336,60.0,1066.7,64,"1,013.01",620.64,550.67',
]


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A function that lays out a copy of the tables from lines of text, and points TIMM_RESULTS at it."""

    def lay(results=RESULTS, speeds=SPEEDS, file=FILE, vintage=read_data.NOW):
        for name in download.VINTAGES:
            (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / vintage / read_data.RESULTS).write_text(
            results if isinstance(results, str) else "\n".join(results) + "\n"
        )
        (tmp_path / vintage / file).write_text(speeds if isinstance(speeds, str) else "\n".join(speeds) + "\n")
        monkeypatch.setenv("TIMM_RESULTS", str(tmp_path))
        return tmp_path

    return lay


@pytest.fixture
def real(timm_tables, monkeypatch):
    monkeypatch.setenv("TIMM_RESULTS", str(timm_tables))
    return timm_tables


def load() -> pd.DataFrame:
    return read_data.load("infer", read_data.NOW, FILE)


def test_tidy_has_the_columns_of_the_contract_and_joins_by_size(copy):
    copy()
    frame = load()
    assert list(frame.columns) == read_data.TIDY and len(frame) == 6
    speed = {(row.model, row.img_size): row.samples_per_sec for row in frame.itertuples()}
    assert speed["resnet50.a1_in1k", 224] == speed["resnet50.tv_in1k", 224] == 4000
    assert speed["resnet50.a1_in1k", 288] == 2500
    eva = frame[frame.arch == "eva_giant_patch14_336"].iloc[0]
    assert eva.param_count == 1013.01 and eva.batch_size == 64 and eva.secs == pytest.approx(1 / 60)
    assert eva.pretrain == "web"
    assert set(frame.hardware) == {"rtx5090"} and set(frame.torch) == {"2.9.1"} and not frame.compiled.any()


def test_a_model_timed_under_its_old_name_is_found_under_todays(copy):
    copy()
    assert load().query("model == 'nest_base_jx.goog_in1k'").samples_per_sec.item() == 900
    audit = read_data.audit(read_data.NOW, FILE).set_index("family")
    assert audit.loc["nest", ["matched", "renamed"]].tolist() == [1, 1] and audit.renamed.sum() == 1


def test_audit_tells_wrong_size_from_not_timed(copy):
    copy(
        results=[
            *RESULTS,
            "resnet18.tv_in1k,224,69.8,30.2,89.1,10.9,11.69,0.875,bilinear",
            "resnet50.a1_in1k,320,80.1,19.9,94.5,5.5,25.56,1.000,bicubic",
        ],
        speeds=[*SPEEDS, "vgg11,224,3000.0,341.3,1024,132.86,7.61,7.44", "resnet34,224,9000,113.8,1024,21.8,3.67,3.74"],
    )
    row = read_data.audit(read_data.NOW, FILE).set_index("family").loc["resnet"]
    assert row[["results", "matched", "wrong_size", "dropped", "timed_only"]].tolist() == [5, 3, 1, 1, 1]


def test_without_macs_the_columns_are_there_and_empty(copy):
    copy(
        speeds=[",".join(line.split(",")[:-2]) for line in SPEEDS[:-1]]
        + ["eva_giant_patch14_336,336,60.0,1066.7,64,1013.01"]
    )
    assert load().gmacs.isna().all() and load().macts.dtype == float


def test_a_row_without_speed_is_left_out(copy):
    copy(speeds=[*SPEEDS[:2], "resnet50,224,,,,25.56,4.11,11.11", *SPEEDS[3:]])
    assert sorted(load().query("arch == 'resnet50'").img_size) == [288]


@pytest.mark.parametrize(
    "results, speeds, said",
    [
        ([*RESULTS, RESULTS[2]], SPEEDS, ["results-imagenet.csv", "line 8", "resnet50.a1_in1k", "twice"]),
        (RESULTS, [*SPEEDS, SPEEDS[1]], [FILE, "levit_128s", "twice"]),
        (RESULTS, [*SPEEDS, "vgg11,224,3000.0"], [FILE, "line 7", "3 cells"]),
        (RESULTS, [*SPEEDS, "vgg11,224,3000.0,341.3,1024,132.86,7.61,7.44,9"], [FILE, "line 7", "9 cells"]),
        (RESULTS, "\n".join(SPEEDS)[:-9], [FILE, "line 6"]),
        (
            RESULTS,
            [SPEEDS[0].replace("infer_samples_per_sec", "speed"), *SPEEDS[1:]],
            [FILE, "infer_samples_per_sec", "missing"],
        ),
        (RESULTS, [*SPEEDS, "vgg11,224,fast,341.3,1024,132.86,7.61,7.44"], [FILE, "'fast'", "not a number"]),
        (RESULTS, [*SPEEDS, "vgg11,224,-3,341.3,1024,132.86,7.61,7.44"], [FILE, "vgg11", "samples_per_sec"]),
        (RESULTS, [*SPEEDS, "vgg11,224.5,3000,341.3,1024,132.86,7.61,7.44"], [FILE, "vgg11", "whole number"]),
        (
            [*RESULTS, "vgg11.tv_in1k,224,690.2,30,89,11,132.86,0.875,bilinear"],
            SPEEDS,
            ["results-imagenet.csv", "top1", "690.2"],
        ),
        ("<!DOCTYPE html><html>Sign in</html>\n", SPEEDS, ["results-imagenet.csv", "web page"]),
        (RESULTS, "", [FILE, "no rows"]),
        ([*RESULTS, "NA,224,80,20,95,5,1,1,bicubic"], SPEEDS, ["NA", "families.py"]),
        (
            [*RESULTS, "<script>alert(1)</script>,224,80,20,95,5,1,1,bicubic"],
            SPEEDS,
            ["<script>alert(1)</script>", "families.py"],
        ),
        (RESULTS, [*SPEEDS, "hypernet_x9000,224,1,1,1,1,1,1"], ["hypernet_x9000", "families.py"]),
    ],
)
def test_a_damaged_table_is_one_line_that_names_file_and_place(copy, results, speeds, said):
    copy(results, speeds)
    with pytest.raises(UserError) as error:
        load()
    assert all(part in str(error.value) for part in said), str(error.value)
    assert "\n" not in str(error.value)


def test_html_in_a_tag_stays_text(copy):
    evil = "resnet50.<img src=x onerror=alert(1)>"
    copy(results=[*RESULTS, f"{evil},224,70,30,90,10,25.56,0.875,bilinear"])
    assert load().query("model == @evil").tag.item() == "<img src=x onerror=alert(1)>"


def test_a_model_called_NA_is_not_a_missing_value(copy):
    copy(results=[*RESULTS, "resnet50.NA,224,70,30,90,10,25.56,0.875,bilinear"])
    assert load().query("model == 'resnet50.NA'").tag.item() == "NA"


@pytest.mark.parametrize(
    "results",
    [
        [line.replace("levit_128s.", "levit_128s@") for line in RESULTS],  # architectures can't be told any more
        [line.replace(",224,76.5", ",225,76.5") for line in RESULTS],  # every LeViT at a size that was not timed
    ],
)
def test_a_family_that_the_join_loses_is_an_error_with_its_name(copy, results):
    copy(results=results)
    with pytest.raises(UserError, match="levit"):
        load()


def test_names_that_match_nothing_at_all(copy):
    copy(speeds=[SPEEDS[0], "vgg11,224,3000.0,341.3,1024,132.86,7.61,7.44"])
    with pytest.raises(UserError, match="lost families: every one"):
        load()


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: read_data.load("test", read_data.NOW), "infer or train"),
        (lambda: read_data.load("infer", "2023-01-01"), " or ".join(read_data.VINTAGES)),
        (lambda: read_data.load("infer", read_data.NOW, "benchmark-infer-nothing.csv"), "not in TIMM_RESULTS"),
        (lambda: read_data.load("train", read_data.NOW, FILE), "not a benchmark-train"),
        (lambda: read_data.load("infer", read_data.NOW, "../../../../etc/passwd"), "not a benchmark-infer"),
    ],
)
def test_what_is_not_there_is_said(copy, call, said):
    copy()
    with pytest.raises(UserError, match=re.escape(said)):
        call()


def test_command_line(copy, tmp_path, capsys):
    copy()
    out = tmp_path / "tidy.csv"
    assert read_data.main(["--part", "infer", "--vintage", read_data.NOW, "--file", FILE, "--out", str(out)]) == 0
    with open(out, newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6 and list(rows[0]) == read_data.TIDY
    assert read_data.main(["--part", "infer", "--vintage", read_data.NOW, "--view", "notebook", "--out", str(out)]) == 2
    assert read_data.THEN in capsys.readouterr().err
    assert read_data.main(["--part", "infer", "--vintage", read_data.THEN, "--out", str(out)]) == 2
    with open(out, newline="") as file:
        assert len(list(csv.DictReader(file))) == 6, "a failed run spoilt the file of the run before"


# ---- on timm's real tables


@pytest.mark.parametrize("part, rows, key_rows", [("infer", 165, 61), ("train", 168, 62)])
def test_the_notebook_of_2022_row_by_row(real, part, rows, key_rows):
    """Against the notebook's own steps, done plainly: no merge, no pandas string methods."""

    def read(name):
        with open(real / read_data.THEN / name, newline="") as file:
            return list(csv.DictReader(file))

    accuracy = {row["model"]: row for row in read(read_data.RESULTS)}
    expected = {}
    for row in read(read_data.NOTEBOOK_FILE.format(part=part)):
        name = row["model"]
        if name not in accuracy or name.endswith("gn"):
            continue
        family = re.match(r"^([a-z]+?(?:v2)?)(?:\d|_|$)", name)[1]
        family += "_in22" * ("in22" in name)
        family += "d" * bool(re.search("resnet.*d", name))
        if re.search("^re[sg]netd?|beit|convnext|levit|efficient|vit|vgg", family):
            expected[name] = (family, 1 / float(row[f"{part}_samples_per_sec"]), float(accuracy[name]["top1"]))
    frame = read_data.notebook(part)
    assert len(frame) == rows == len(expected)
    for row in frame.itertuples():
        assert (row.family, pytest.approx(row.secs), row.top1) == expected[row.model]
    subset = read_data.notebook(part, subset=True)
    assert len(subset) == key_rows
    families = "beit convnext convnext_in22 efficientnetv2 levit regnetx resnet resnetd vgg"
    assert sorted(set(subset.family)) == families.split()
    assert {"param_count_x", f"{part}_img_size", "img_size", f"{part}_samples_per_sec"} <= set(frame.columns)


def test_every_row_of_the_5090_and_its_numbers(real):
    frame = load()
    assert len(frame) == 1556 and frame.duplicated(["model", "img_size"]).sum() == 0
    with open(real / read_data.NOW / FILE, newline="") as file:
        speed = {
            (row["model"], row["infer_img_size"]): float(row["infer_samples_per_sec"]) for row in csv.DictReader(file)
        }
    for row in frame.sample(200, random_state=1).itertuples():
        assert speed[row.model.split(".")[0], str(row.img_size)] == row.samples_per_sec


def test_all_tables_read_and_no_family_is_lost(real):
    audits = read_data.audits()
    assert audits.file.nunique() == len(read_data.configs(read_data.NOW)) + len(read_data.configs(read_data.THEN)) == 30
    assert (audits.matched + audits.wrong_size + audits.dropped == audits.results).all()
    totals = audits.groupby(["vintage", "file"]).matched.sum()
    assert totals[read_data.THEN, read_data.NOTEBOOK_FILE.format(part="infer")] == 580
    assert totals[read_data.NOW, FILE] == 1556
    frame = read_data.load("infer", read_data.NOW)
    configuration = ["hardware", "precision", "layout", "compiled", "torch"]
    assert frame.groupby(configuration).ngroups == 20
    assert not frame.duplicated([*configuration, "model", "img_size"]).any()


def test_robustness_tables_read_too(real):
    for name in ("results-sketch.csv", "results-imagenet-a.csv", "results-imagenet-real.csv"):
        assert len(read_data.results(read_data.NOW, name)) == 1556
