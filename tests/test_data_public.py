"""The registry of public tables, and what is refused of each of them."""

import contextlib
import hashlib
import io
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from scripts.common.errors import UserError
from scripts.common.paths import ROOT
from scripts.data import fastai_timm, pepr, public, qualcomm
from scripts.data.download import TablesMissing
from scripts.figures.catalogue import CHARTS
from scripts.pages import history as history_page, other_pictures, phones as phones_page, transfer as transfer_page

REAL = Path(os.environ.get("TABLES", "") or ROOT.parent / "shared" / "public-tables")

HEAD = ["model", "dataset", "num_param", "memM", "energy", "train_time", *pepr.EPOCHS]
PEPR = ",".join(HEAD) + "\nresnet18,derma,11000000,3.1,0.01,9.5," + ",".join(["0.7"] * 10) + "\n"
TOP1 = "model,top1\nresnet18,69.7\n"
RUNS = "dataset,model_name,GPU_mem,error_rate,fit_time\npets,resnet18,1.5,0.08,60\npets,resnet34,,,\n"


def job(**change):
    return {
        "job_status": "Passed",
        "inference_time_milliseconds": 1.5,
        "estimated_peak_memory_range_mb": {"min": 0, "max": 20},
        "primary_compute_unit": "NPU",
        "layer_counts": {"total": 10, "npu": 9},
        **change,
    }


def perf(jobs, device="A phone"):
    return yaml.safe_dump({"precisions": {"float": {"components": {"X": {"performance_metrics": {device: jobs}}}}}})


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A folder of made-up tables that the registry pins; write(source, file, text) puts one there."""
    made = {name: {} for name in public.sources()}

    def write(source, file, text, pin=True):
        path = tmp_path / source / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if pin:
            made[source][file] = hashlib.sha256(text.encode()).hexdigest()
        fresh = {name: public.Source(**{**vars(one), "files": made[name]}) for name, one in public_sources.items()}
        monkeypatch.setattr(public, "sources", lambda: fresh)
        public.locate.cache_clear()

    public_sources = public.sources()
    monkeypatch.setenv("TABLES", str(tmp_path))
    write("pepr", "all_results.csv", PEPR)
    write("pepr", "full_data_pepr_imagenet.csv", TOP1)
    write("fastai-timm", "fastai_timm.csv", RUNS)
    write("qualcomm-ai-hub", "levit/perf.yaml", perf({"onnx": job()}))
    yield write
    public.locate.cache_clear()


def test_good_tables_are_read(copy):
    assert pepr.load().iloc[0]["accuracy"] == pytest.approx(70) and pepr.load().iloc[0]["top1"] == 69.7
    assert list(fastai_timm.load()["error"]) == [8.0]  # the run that failed has no figures
    row = qualcomm.latencies().iloc[0]
    assert row["arch"] == "levit_128s" and row["latency_ms"] == 1.5 and row["on_unit"] == 0.9


@pytest.mark.parametrize(
    "source, file, text, words",
    [
        ("pepr", "all_results.csv", PEPR[:-9], "cut short|cells where"),
        ("pepr", "all_results.csv", "<html>no</html>", "web page"),
        ("pepr", "all_results.csv", PEPR.replace("derma,", "moles,"), "no such set"),
        ("pepr", "all_results.csv", PEPR.replace("0.7", "70"), "unit changed"),
        ("pepr", "all_results.csv", PEPR + PEPR.splitlines()[1] + "\n", "stands twice"),
        ("pepr", "all_results.csv", PEPR.replace("train_time", "seconds"), "is missing"),
        ("pepr", "all_results.csv", PEPR.replace("resnet18", " "), "without the name"),
        ("pepr", "all_results.csv", PEPR.replace("0.01,", "0,"), "zero or less"),
        ("pepr", "all_results.csv", PEPR.replace(",9.5,", ",0,"), "zero or less"),
        ("pepr", "all_results.csv", PEPR.replace(",9.5,", ",9500,"), "unit changed"),
        ("pepr", "all_results.csv", PEPR.replace(",0.01,", ",11,"), "unit changed"),
        ("pepr", "all_results.csv", PEPR.replace(",3.1,", ",3100,"), "unit changed"),
        ("pepr", "all_results.csv", PEPR.replace("0.7", "", 1), "test_00|not a number|empty"),
        ("pepr", "full_data_pepr_imagenet.csv", TOP1[:-3], "cut short|cells where"),
        ("pepr", "full_data_pepr_imagenet.csv", "<html>no</html>", "web page"),
        ("pepr", "full_data_pepr_imagenet.csv", TOP1.replace("top1", "acc"), "is missing"),
        ("pepr", "full_data_pepr_imagenet.csv", TOP1.replace("resnet18", " "), "without the name"),
        ("pepr", "full_data_pepr_imagenet.csv", TOP1.replace("69.7", "0.697"), "unit changed"),
        ("pepr", "full_data_pepr_imagenet.csv", TOP1 + "resnet18,69.7\n", "stands twice"),
        ("fastai-timm", "fastai_timm.csv", RUNS[:-4], "cut short|cells where"),
        ("fastai-timm", "fastai_timm.csv", "<html>no</html>", "web page"),
        ("fastai-timm", "fastai_timm.csv", RUNS.replace("error_rate", "accuracy"), "is missing"),
        ("fastai-timm", "fastai_timm.csv", RUNS.replace("pets", "cars"), "no such set"),
        ("fastai-timm", "fastai_timm.csv", RUNS + "pets,resnet18,1.5,0.08,60\n", "stands twice"),
        ("fastai-timm", "fastai_timm.csv", RUNS.replace(",60\n", ",60000\n"), "unit changed"),
        ("fastai-timm", "fastai_timm.csv", RUNS.replace(",1.5,", ",1500,"), "unit changed"),
        ("fastai-timm", "fastai_timm.csv", RUNS.replace("0.08", "8"), "unit changed"),
        ("fastai-timm", "fastai_timm.csv", RUNS.replace("resnet18", " "), "without the name"),
        ("fastai-timm", "fastai_timm.csv", RUNS.replace(",60\n", ",0\n"), "zero or less"),
    ],
)
def test_a_damaged_table_is_refused_in_one_line(copy, source, file, text, words):
    copy(source, file, text)
    with pytest.raises(UserError, match=words) as error:
        (pepr if source == "pepr" else fastai_timm).load()
    assert "\n" not in str(error.value)


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nprecisions: [*b]\n"


@pytest.mark.parametrize(
    "text, words",
    [
        (perf({"onnx": job(inference_time_milliseconds=0)}), "outside"),
        (perf({"onnx": job(inference_time_milliseconds="fast")}), "not a number"),
        (perf({"onnx": job(inference_time_milliseconds=float("nan"))}), "not a number"),
        (perf({"onnx": job(inference_time_milliseconds=1.5e6)}), "unit changed"),
        (perf({"onnx": job(inference_time_milliseconds=1.5e-3)}), "unit changed"),
        (perf({"onnx": job()}) + "precisions: {}\n", "stands twice"),
        (perf({"onnx": job()}).replace("A phone:", "A phone: {}\n          A phone:"), "stands twice"),
        (perf({"onnx": job()}).replace("performance_metrics", "metrics"), "no job"),
        (perf({"onnx": job()}).rstrip()[:-3], "cut short"),
        (perf({"onnx": job()}, device=" "), "without a name"),
        (perf({"onnx": job(job_status="Failed")}), "no job"),
        ("!!python/object/apply:os.system ['true']", "YAML"),
        (BOMB, "alias"),
        ("- 1\n- 2\n", "no mapping"),
        ("precisions: 3\n", "another form"),
        ("<html>", "no mapping|YAML"),
        ("x: " + "[" * 4000, "YAML"),
        ("x: 1\n" * 300_000, "larger"),
    ],
)
def test_a_damaged_description_of_a_phone_is_refused_in_one_line(copy, text, words):
    copy("qualcomm-ai-hub", "levit/perf.yaml", text)
    with pytest.raises(UserError, match=words) as error:
        qualcomm.latencies()
    assert "\n" not in str(error.value)


SCORE = {
    "metrics": [
        {
            "metric_name": "Classification Accuracy",
            "device_metric": {"A phone": {"float": {"onnx": {"partial_metric": 73.9}}}},
        }
    ]
}


@pytest.mark.parametrize(
    "change, words",
    [
        (("73.9", "0.739"), "unit changed"),
        (("73.9", "7390"), "unit changed"),
        (("73.9", "good"), "not a number"),
        (("onnx:", "onnx: 3\n        qnn:"), "another form"),
    ],
)
def test_a_damaged_table_of_a_phones_accuracies_is_refused_in_one_line(copy, change, words):
    copy("qualcomm-ai-hub", "levit/numerics.yaml", yaml.safe_dump(SCORE))
    assert list(qualcomm.accuracies()["top1"]) == [73.9]
    copy("qualcomm-ai-hub", "levit/numerics.yaml", yaml.safe_dump(SCORE).replace(*change))
    with pytest.raises(UserError, match=words) as error:
        qualcomm.accuracies()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", list(public.sources()))
@pytest.mark.parametrize("text", ["", "<!doctype html><title>404</title>", "model,other\na,1\n"])
def test_what_is_not_the_pinned_file_of_a_source_is_refused(tmp_path, monkeypatch, name, text):
    """Cut short, a web page, another commit's: whatever it is, of each source's every file."""
    monkeypatch.setenv("TABLES", str(tmp_path))
    for file in public.source(name).files:
        path = tmp_path / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        public.locate.cache_clear()
        with pytest.raises(UserError, match="not the pinned file"):
            public.locate(name, file)


def test_a_file_that_is_not_the_pinned_one_is_refused(copy):
    copy("pepr", "all_results.csv", PEPR + "\n", pin=False)
    with pytest.raises(UserError, match="not the pinned file"):
        pepr.load()


def test_a_copy_without_the_file_and_an_unknown_source_are_said(copy, tmp_path):
    shutil.rmtree(tmp_path / "pepr")
    public.locate.cache_clear()
    with pytest.raises(TablesMissing, match="TABLES"):
        pepr.load()
    with pytest.raises(UserError, match="no such source"):
        public.source("nobody")
    with pytest.raises(UserError, match="not a file of"):
        public.locate("pepr", "../../etc/passwd")


def committed():
    """The text of every committed file that could hold rows of a table."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.suffix in {".csv", ".json", ".qmd", ".md", ".py", ".js", ".html", ".yml", ".txt"} and path.is_file():
            yield name, path.read_text(encoding="utf-8", errors="replace")


@pytest.mark.skipif(not REAL.is_dir(), reason="the public tables are not here")
def test_no_committed_file_holds_a_row_of_a_table_whose_licence_forbids_it():
    """Of every such source each row's figures, as written, two of which in one line of ours would be a copied row."""
    shut = [one for one in public.sources().values() if not one.copy]
    assert [one.name for one in shut] == ["fastai-timm"], "a source without licence needs its rows looked for here"
    rows = set()
    for one in shut:
        for file in one.files:
            for line in (REAL / one.name / file).read_text().splitlines()[1:]:
                rows |= {cell for cell in line.split(",") if re.fullmatch(r"\d*\.\d{5,}", cell)}
    assert len(rows) > 1000
    known = re.compile(r"\d*\.\d{5,}")
    for name, text in committed():
        for line in text.splitlines():
            assert len(rows.intersection(known.findall(line))) < 2, f"{name} holds a row of {shut[0].name}"


def test_what_rests_on_a_source_names_it():
    """Each page and chart made from a public table says whose it is, and under which licence."""
    charts = {"transfer_order": ("pepr", "fastai-timm"), "phones_frontier": ("qualcomm-ai-hub",)}
    charts |= {"phones_quantised": ("qualcomm-ai-hub",), "history_card": ("timm-3090-2021-10",)}
    for chart, names in charts.items():
        drawn = " ".join(one.text for one in CHARTS[chart].draw().figure.layout.annotations).replace("<br>", " ")
        for name in names:
            one = public.source(name)
            assert one.repository in drawn or one.cite in drawn, f"{chart} does not name {name}"
            assert one.licence in drawn or one.licence == "none stated", f"{chart} does not say the licence of {name}"
    for print_it, names in (
        (transfer_page.credits, ("pepr", "fastai-timm")),
        (phones_page.credits, ("qualcomm-ai-hub",)),
        (other_pictures.claims, ("pepr", "fastai-timm")),
        (history_page.table, ("timm-3090-2021-10",)),
    ):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            print_it()
        for name in names:
            one = public.source(name)
            assert one.cite in said.getvalue() and one.licence in said.getvalue()
