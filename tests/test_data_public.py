"""The registry of public tables, and what is refused of each of them."""

import hashlib
import shutil

import pytest
import yaml

from scripts.common.errors import UserError
from scripts.data import fastai_timm, pepr, public, qualcomm
from scripts.data.download import TablesMissing

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


def test_no_row_of_a_table_without_licence_is_committed():
    """Only what is computed from a source may be committed where its licence lets nothing be copied."""
    from scripts.common.paths import DATA
    from scripts.common.tables import read_table

    for path in DATA.glob("transfer*.csv"):
        assert not {"model", "model_name", "error_rate", "fit_time"} & set(read_table(path).columns)
    assert [one.name for one in public.sources().values() if not one.copy] == ["fastai-timm"]
