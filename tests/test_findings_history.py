"""One card since 2021: on made-up tables with a known answer, on damaged ones, and on timm's own history.

TIMM_MIRROR=<git directory of a clone of timm's repository> runs what needs the real tables.
"""

import functools
import hashlib
import io
import json
import os
import subprocess

import numpy as np
import pandas as pd
import pytest

from scripts.common.errors import UserError
from scripts.common.paths import DATA
from scripts.data import names, public, timm_history
from scripts.data.download import TablesMissing
from scripts.figures import display_history
from scripts.findings import history

MIRROR = os.environ.get("TIMM_MIRROR", "")
needs_mirror = pytest.mark.skipif(not MIRROR, reason="TIMM_MIRROR names no clone of timm's repository")
STEP = "timm-3090-2024-09"
HEAD = "model,infer_img_size,infer_samples_per_sec,infer_step_time,infer_batch_size,param_count\n"
SPEEDS = HEAD + "resnet18,224,1000.0,256.0,256,11.7\nresnet34,224,500.0,512.0,256,21.8\nvit_huge,224,,,,600\n"
SCORES = "model,img_size,top1,param_count\nresnet18.a1_in1k,224,71.5,11.7\nresnet34.a1_in1k,224,76.5,21.8\n"


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """write(speeds, scores): a folder of TABLES with one step in it, pinned as it is."""
    one = public.source(STEP)
    file = next(name for name in one.files if name != timm_history.RESULTS)

    def write(speeds=SPEEDS, scores=SCORES):
        made = {file: speeds, timm_history.RESULTS: scores}
        (tmp_path / STEP).mkdir(exist_ok=True)
        for name, text in made.items():
            (tmp_path / STEP / name).write_text(text, encoding="utf-8")
        pins = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in made.items()}
        fresh = {**public.sources.__wrapped__(), STEP: public.Source(**{**vars(one), "files": pins})}
        monkeypatch.setattr(public, "sources", lambda: fresh)
        public.locate.cache_clear()

    monkeypatch.setenv("TABLES", str(tmp_path))
    yield write
    public.locate.cache_clear()


def test_a_step_is_speeds_joined_with_accuracies(copy):
    copy()
    found = timm_history.load(STEP).set_index("net")
    assert list(found.index) == ["resnet18", "resnet34"] and set(found["family"]) == {"resnet"}
    assert found.loc["resnet34", "samples_per_sec"] == 500 and found.loc["resnet34", "top1"] == 76.5


@pytest.mark.parametrize(
    "speeds, scores, words",
    [
        (SPEEDS[:-9], SCORES, "cut short|cells where"),
        ("<html>no</html>", SCORES, "web page"),
        (SPEEDS, "<!doctype html>", "web page"),
        (SPEEDS.replace("infer_samples_per_sec", "throughput"), SCORES, "is missing"),
        (SPEEDS.replace("infer_", "train_"), SCORES, "is missing"),
        (SPEEDS.replace("resnet18", " "), SCORES, "without the name"),
        (SPEEDS.replace("256.0", "0.256").replace("512.0", "0.512"), SCORES, "unit changed"),
        (SPEEDS.replace("1000.0", "1.0").replace("500.0", "0.5"), SCORES, "unit changed"),
        (SPEEDS, SCORES.replace("71.5", "7150"), "unit changed"),
        (SPEEDS + "resnet18,224,900.0,284.0,256,11.7\n", SCORES, "stands twice"),
        (SPEEDS, SCORES + "resnet18.a1_in1k,224,71.5,11.7\n", "stands twice"),
        (SPEEDS.replace("1000.0", "0"), SCORES, "0 or less"),
        (HEAD + "resnet18,224,,,,11.7\n", SCORES, "no speeds"),
        (SPEEDS.replace("resnet", "resnest"), SCORES, "belong together"),
    ],
)
def test_a_damaged_step_is_refused_in_one_line(copy, speeds, scores, words):
    copy(speeds, scores)
    with pytest.raises(UserError, match=words) as error:
        timm_history.load(STEP)
    assert "\n" not in str(error.value)


def made_up(software=1.0, new=()):
    """Sixteen networks of eight families, 70 to 85% at 1,600 to 100 images/s, times `software`, and `new` ones."""
    rows = [(f"net{i}", f"family{i % 8}", 70.0 + i, (1600 - 100 * i) * software, 10.0 + i) for i in range(16)]
    frame = pd.DataFrame([*rows, *new], columns=["net", "family", "top1", "samples_per_sec", "param_count"])
    return frame.assign(img_size=224, model=frame["net"])


def test_software_and_networks_are_told_apart_and_multiply_to_the_whole():
    found = history.factors(made_up(), made_up(2.0))
    assert (found["software"], found["networks"], found["median"]) == (pytest.approx(2), pytest.approx(1), 2)
    best = [("better", "family0", 85.0, 1600 * 3.0, 5.0)]  # as accurate as the best, three times as fast as any
    found = history.factors(made_up(), made_up(2.0, best))
    assert found["software"] == pytest.approx(2) and found["networks"] > 1.5
    assert found["together"] == pytest.approx(found["software"] * found["networks"])
    assert found["networks_low"] < found["networks"] <= found["networks_high"] + 1e-9, "one family brought all of it"


def test_a_network_with_other_parameters_is_another_network():
    after = made_up(2.0)
    after.loc[0, ["samples_per_sec", "param_count"]] = [1e6, 3.0]
    found = history.factors(made_up(), after)
    assert found["held"] == 15 and found["software"] == pytest.approx(2, abs=0.01)
    with pytest.raises(UserError, match="both tables"):
        history.factors(made_up(), made_up().assign(net="other"))


def test_out_of_reach_the_committed_results_stay(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TABLES", str(tmp_path))
    public.locate.cache_clear()
    with pytest.raises(TablesMissing):
        history.update()
    before = (DATA / history.STEPS_FILE).read_bytes()
    assert history.main([]) == 0 and "stays as it is" in capsys.readouterr().err
    assert (DATA / history.STEPS_FILE).read_bytes() == before
    public.locate.cache_clear()


def test_the_chart_says_what_the_table_holds():
    last = display_history.table("since").iloc[-1]
    drawn = display_history.draw()
    assert f"{last['networks']:.2f} times" in drawn.title and f"{last['software']:.2f}" in drawn.title
    steps = display_history.table("step")
    assert steps["together"].round(2).to_list() == (steps["software"] * steps["networks"]).round(2).to_list()


def test_every_step_is_pinned_by_commit_date_and_checksum():
    raw = json.loads(public.REGISTRY.read_text())
    steps = [raw[name] for name in timm_history.STEPS]
    assert [one["date"] for one in steps] == sorted({one["date"] for one in steps})
    assert all(len(one["commit"]) == 40 and len(one["files"]) == 2 for one in steps)
    assert all(one["repository"] == "huggingface/pytorch-image-models" for one in steps)


# ---- timm's own history


@functools.lru_cache(maxsize=32)
def shown(step, file):
    """A file of a step, straight from the clone."""
    one = public.source(step)
    done = subprocess.run(
        ["git", "-C", MIRROR, "show", f"{one.commit}:{one.path(file)}"], capture_output=True, check=True
    )
    return done.stdout


@needs_mirror
def test_the_registry_pins_what_timms_history_holds():
    for step in timm_history.STEPS:
        for file, digest in public.source(step).files.items():
            assert hashlib.sha256(shown(step, file)).hexdigest() == digest


@needs_mirror
def test_the_committed_history_a_second_time():
    """Both factors of every row by plain loops over the raw files: the fastest of the old networks then, later, and of
    all."""

    def raw(step):
        speeds, scores = (
            pd.read_csv(io.BytesIO(shown(step, file)), thousands=",", keep_default_na=False, na_values=[""])
            for file in sorted(public.source(step).files)
        )
        speeds = speeds.dropna(subset=["infer_samples_per_sec"])
        speeds = speeds[~speeds["model"].str.startswith("test_")]
        known = set(scores["model"].str.split(".").str[0])
        tagged = scores["model"].str.contains(".", regex=False).any()
        found = {}
        for row in speeds.sort_values("param_count").itertuples():
            old = names.today(row.model).split(".")[0] or row.model
            name = row.model if row.model in known or not tagged else old
            found.setdefault((name, row.infer_img_size), (row.infer_samples_per_sec, row.param_count))
        return [
            (
                (names.today(row.model).split(".")[0] or row.model.split(".")[0], row.img_size),
                row.top1,
                *found[(row.model.split(".")[0], row.img_size)],
            )
            for row in scores.itertuples()
            if (row.model.split(".")[0], row.img_size) in found
        ]

    tables = {public.source(step).date: raw(step) for step in timm_history.STEPS}
    said = pd.read_csv(DATA / history.STEPS_FILE)
    assert len(said) == 2 * (len(tables) - 1)
    for row in said.itertuples():
        later = {}
        for net, _, speed, params in sorted(tables[row.last], key=lambda one: one[3]):
            later.setdefault(net, (speed, params))
        held = [
            (top1, speed, later[net][0])
            for net, top1, speed, params in tables[row.first]
            if net in later and abs(params - later[net][1]) <= 0.011 + 1e-4 * later[net][1]
        ]
        every = [(top1, speed) for _, top1, speed, _ in tables[row.last]] + [(top1, after) for top1, _, after in held]
        logs = []
        for level in range(70, 90):
            before = max((speed for top1, speed, _ in held if top1 >= level), default=0)
            if before:
                after = max(after for top1, _, after in held if top1 >= level)
                best = max(speed for top1, speed in every if top1 >= level)
                logs.append((np.log(after / before), np.log(best / after)))
        software, networks = np.exp(np.mean(logs, axis=0))
        assert (row.software, row.networks) == (pytest.approx(software, abs=2e-3), pytest.approx(networks, abs=2e-3))
        assert row.levels == len(logs) and row.together == pytest.approx(software * networks, abs=3e-3)
