"""Our own measurements read back: failed models, several weights of one architecture, damaged files, machines."""

from __future__ import annotations

import json

import pytest

from scripts.common.errors import UserError
from scripts.data import measured, read_data

HEADER = (
    "model,infer_samples_per_sec,infer_step_time,infer_batch_size,infer_img_size,param_count,infer_gmacs,infer_macts,"
    "status,reason"
)
ROWS = [
    "levit_128s,100.0,10,1,224,7.8,0.3,1.9,ok,",
    "vgg11,,,,224,,,,failed,out of memory",
    "resnet50,10.0,100,1,224,25.6,4.1,11.1,ok,",
]
ACCURACY = [
    "model,arch,tag,img_size,top1,top5,param_count,pretrain,source",
    "levit_128s.fb_dist_in1k,levit_128s,fb_dist_in1k,224,76.5,92.9,7.8,distilled,paper",
    "resnet50.a1_in1k,resnet50,a1_in1k,224,80.2,94.6,25.6,in1k,paper",
    "resnet50.tv_in1k,resnet50,tv_in1k,224,76.1,92.9,25.6,in1k,paper",
]
NAME = "benchmark-infer-fp32-nchw-pt2150-cpu-{}.csv"


@pytest.fixture
def folder(tmp_path):
    """A function that writes one machine's measured CSV and sidecar and returns the folder."""

    def write(
        rows=ROWS, slug="testcpu_2c", date="2026-11-01T10:00:00Z", kind="cpu", header=HEADER, sidecar=True, name=NAME
    ):
        path = tmp_path / name.format(slug)
        path.write_text("\n".join([header, *rows]) + "\n")
        if sidecar:
            path.with_suffix(".json").write_text(
                json.dumps({"schema": 1, "date": date, "hardware": {"slug": slug, "name": slug.upper(), "kind": kind}})
            )
        return tmp_path

    return write


def test_failed_models_are_left_out_and_accuracy_is_optional(folder):
    frame = measured.load("infer", folder())
    assert list(frame.columns[: len(read_data.TIDY)]) == read_data.TIDY
    assert frame.model.tolist() == ["levit_128s", "resnet50"]
    assert frame.top1.isna().all() and set(frame.pretrain) == {"unknown"} and frame.secs.tolist() == [0.01, 0.1]
    assert set(frame.vintage) == {"measured"} and set(frame.date) == {"2026-11-01"}
    assert set(frame.hardware_name) == {"TESTCPU_2C"}


def test_each_published_set_of_weights_is_a_row(folder):
    here = folder([*ROWS, "resnet50.tv_in1k,9.0,111,1,224,25.6,4.1,11.1,ok,"])
    (here / "accuracy.csv").write_text("\n".join(ACCURACY) + "\n")
    frame = measured.load("infer", here)
    rows = {(row.model, row.samples_per_sec): row.top1 for row in frame.itertuples()}
    assert rows == {
        ("levit_128s.fb_dist_in1k", 100.0): 76.5,
        ("resnet50.a1_in1k", 10.0): 80.2,
        ("resnet50.tv_in1k", 10.0): 76.1,
        ("resnet50.tv_in1k", 9.0): 76.1,
    }
    assert frame.query("arch == 'levit_128s'").pretrain.item() == "distilled"


def test_weights_measured_under_a_tag_without_accuracy_are_kept(folder):
    here = folder(["resnet50.a3_in1k,9.0,111,1,224,25.6,4.1,11.1,ok,"])
    (here / "accuracy.csv").write_text("\n".join(ACCURACY) + "\n")
    row = measured.load("infer", here).iloc[0]
    assert len(measured.load("infer", here)) == 1 and row.model == "resnet50.a3_in1k" and row.top1 != row.top1


def test_another_size_gets_no_accuracy(folder):
    here = folder(["resnet50,5.0,200,1,288,25.6,6.8,18.4,ok,"])
    (here / "accuracy.csv").write_text("\n".join(ACCURACY) + "\n")
    assert measured.load("infer", here).top1.isna().all()


def test_nothing_measured(tmp_path):
    frame = measured.load("infer", tmp_path)
    assert frame.empty and list(frame.columns[: len(read_data.TIDY)]) == read_data.TIDY
    with pytest.raises(UserError, match="make bench"):
        measured.machine(tmp_path)


@pytest.mark.parametrize(
    "change, said",
    [
        (dict(rows=[*ROWS, ROWS[0]]), "twice"),
        (dict(rows=["levit_128s,100.0"]), "cells"),
        (dict(rows=["levit_128s,quick,10,1,224,7.8,.3,1.9,ok,"]), "not a number"),
        (dict(header=HEADER.replace("infer_samples_per_sec", "x")), "missing"),
        (dict(sidecar=False), "sidecar"),
        (dict(rows=["levit_128s,0,10,1,224,7.8,.3,1.9,ok,"]), "no sensible speed"),
        (dict(rows=["hypernet,5,10,1,224,7.8,.3,1.9,ok,"]), "hypernet"),
        (dict(name="benchmark-infer-{}.csv"), "not a benchmark file"),
    ],
)
def test_damaged_results_are_one_clear_line(folder, change, said):
    with pytest.raises(UserError, match=said):
        measured.load("infer", folder(**change))


def test_this_machine_is_the_present_one_or_the_newest(folder, monkeypatch):
    folder(slug="old_cpu", date="2025-01-01T00:00:00Z")
    here = folder(slug="new_gpu", date="2026-11-02T00:00:00Z", kind="gpu")
    monkeypatch.setattr(measured.hardware, "present", lambda: ["elsewhere"])
    assert measured.machine(here) == "new_gpu" and measured.machines(here).hardware.tolist() == ["new_gpu", "old_cpu"]
    monkeypatch.setattr(measured.hardware, "present", lambda: ["elsewhere", "old_cpu"])
    assert measured.machine(here) == "old_cpu"


def test_part_must_exist():
    with pytest.raises(UserError, match="infer or train"):
        measured.load("both")


def test_what_is_committed_reads():
    frame = measured.load()
    assert frame.samples_per_sec.gt(0).all() and not frame.duplicated(["file", "model", "img_size"]).any()
