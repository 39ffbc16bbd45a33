"""The measuring of runtimes: who takes turns, what is a row, what goes on where it stopped. No speeds are asserted."""

from __future__ import annotations

import functools
import itertools
import json
import os
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from scripts.bench import energy, process, runtimes, worker
from scripts.bench.runtimes import Settings, Turn, measure, pairs, row, take_turns, times_eager
from scripts.bench.runtimes_worker import Asked, Block
from scripts.common.errors import UserError
from scripts.common.schema import unknown
from scripts.runtimes import kinds

ASKED = Asked("m", "eager", "fp32", 4, 1)


def pretend_load(asked):
    if asked.runtime == os.environ.get("FAILS"):
        raise UserError("this runtime cannot take it")
    if asked.runtime == os.environ.get("DIES"):
        os._exit(9)
    os.environ["IS"] = f"{asked.runtime} {asked.precision}"
    return {"infer_img_size": 32, "computes": asked.precision, "export_secs": 0, "quantise_secs": 0, "compile_secs": 0}


def pretend_answers(pictures):
    found = np.eye(4, 10, dtype=np.float32)
    if os.environ["IS"].split()[0] == os.environ.get("BREAKS"):
        found[1, 1] = np.nan
    return found


PRETEND = {
    "load": pretend_load,
    "answers": pretend_answers,
    "count": lambda: {"param_count": 1.0, "gmacs": 2.0, "macts": 3.0},
    "block": lambda seconds: Block([0.01, 0.01], 1.0, 0.5),
    "memory": lambda: 100.0,
}
process.PRELOADED[:] = ["pandas", "pytest", "scripts.bench.runtimes"]  # all that the stand-in needs: no torch


@pytest.fixture
def standing_in(monkeypatch):
    monkeypatch.setattr(runtimes.runtimes_worker, "serve", serve_pretended)
    monkeypatch.setattr(
        kinds, "why_not", lambda runtime, precision, device="cpu": "" if runtime != "kept" else "not here"
    )


@functools.cache
def told(verb: str, *arguments: str):
    """What the real process says: started once for all tests, since torch and timm take seconds to import."""
    with process.Measurer() as measurer:
        return measurer.ask(verb, *map(json.loads, arguments))


@pytest.fixture
def once(monkeypatch):
    class Once(process.Measurer):
        def ask(self, verb, *arguments, **_):
            return told(verb, *map(json.dumps, arguments))

    monkeypatch.setattr(runtimes, "Measurer", Once)


def serve_pretended(pipe):
    worker.serve(pipe, PRETEND)


def turn(blocks, asked=ASKED):
    found = Turn(asked)
    found.blocks = blocks
    return found


def test_a_runtime_that_fails_dies_or_answers_no_number_is_a_row_with_its_reason(standing_in, monkeypatch):
    monkeypatch.setenv("FAILS", "nhwc")
    monkeypatch.setenv("DIES", "compile")
    monkeypatch.setenv("BREAKS", "openvino")
    asked = [(name, "fp32") for name in ("eager", "kept", "nhwc", "compile", "onnxruntime", "openvino")]
    rows = {found["runtime"]: found for found in measure("m", asked, Settings(seconds=0.05))}
    assert rows["eager"]["status"] == rows["onnxruntime"]["status"] == "ok"
    assert rows["onnxruntime"]["infer_samples_per_sec"] == 400 and rows["onnxruntime"]["times_eager"] == 1
    assert rows["kept"]["reason"] == "not here"
    assert rows["nhwc"]["reason"] == "this runtime cannot take it"
    assert "exit code 9" in rows["compile"]["reason"]
    assert rows["openvino"]["status"] == "nonfinite" and rows["openvino"]["infer_samples_per_sec"] == ""


def test_without_eager_the_others_still_have_speeds(standing_in, monkeypatch):
    monkeypatch.setenv("FAILS", "eager")
    rows = measure("m", [("eager", "fp32"), ("openvino", "fp32")], Settings(seconds=0.05))
    assert rows[0]["status"] == "failed" and rows[1]["status"] == "ok" and rows[1]["times_eager"] == ""
    assert rows[1]["difference"] == ""


def test_disturbed_blocks_are_left_out_and_all_count_on_a_machine_that_is_never_quiet():
    quiet, busy = Block([0.01], 1.0, 0), Block([0.05], 0.4, 0)
    assert turn([quiet] * 6 + [busy] * 3).step()[0::3] == (0.01, 3)
    assert turn([quiet] + [busy] * 6).step()[0::3] == (pytest.approx(0.02), 0)  # what it got of its core


def test_the_ratio_is_taken_round_by_round():
    slow_then_fast = [Block([0.04], 1.0, 0)] * 3 + [Block([0.02], 1.0, 0)] * 3
    own = [Block([0.02], 1.0, 0)] * 3 + [Block([0.01], 1.0, 0)] * 3
    found = times_eager(turn(own), turn(slow_then_fast))
    assert found == {"times_eager": 2, "times_eager_low": 2, "times_eager_high": 2}


def test_every_runtime_has_its_turns(standing_in):
    turns = [Turn(ASKED._replace(runtime=name)) for name in ("eager", "openvino")]
    try:
        for one in turns:
            one.tell("load", one.asked)
        take_turns(turns, 0.05)
        assert len({len(one.blocks) for one in turns}) == 1 and len(turns[0].blocks) >= 6
    finally:
        for one in turns:
            one.stop()


def test_a_row_has_the_columns_that_the_dictionary_knows(tmp_path):
    found = row(turn([Block([0.01], 1.0, float("nan"))] * 6), turn([]), {}, Settings())
    assert list(found) == runtimes.COLUMNS and found["energy_j"] == ""
    pd.DataFrame([found]).to_csv(tmp_path / "runtimes-infer-batch4-pt2150-cpu1t-x.csv", index=False)
    assert unknown(tmp_path) == []


def test_pairs_begin_with_eager_and_hold_what_can_be():
    assert pairs(["openvino", "eager"], ["int8", "fp32"], "cpu") == [
        ("eager", "fp32"),
        ("openvino", "fp32"),
        ("openvino", "int8"),
    ]
    assert all(runtime not in ("kept", "openvino") for runtime, _ in pairs(list(kinds.RUNTIMES), ["fp32"], "cuda:0"))


def test_the_command_goes_on_where_it_stopped(standing_in, once, tmp_path, capsys, monkeypatch):
    out = tmp_path / "r.csv"
    command = ["--models", "resnet18", "resnet34", "--runtime", "eager", "openvino", "--precision", "fp32"]
    command += ["--seconds", "0.02", "--device", "cpu", "--out", str(out)]
    ticks = itertools.count(0, 20)  # seconds between two looks at the clock
    monkeypatch.setattr(runtimes, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    assert runtimes.main([*command, "--minutes", "2"]) == 0
    assert "2 left" in capsys.readouterr().out
    monkeypatch.setattr(runtimes, "time", time)
    assert runtimes.main(command) == 0
    found = pd.read_csv(out)
    assert list(found["model"]) == ["resnet18"] * 2 + ["resnet34"] * 2
    facts = json.loads(out.with_suffix(".json").read_text())
    assert facts["complete"] and "openvino" in facts["versions"] and "int8" in facts["instructions"]


@pytest.mark.parametrize("wrong", [["--threads", "99"], ["--batch", "0"], ["--minutes", "-1"], ["--seconds", "nan"]])
def test_a_value_that_makes_no_sense_is_one_line(once, wrong, tmp_path, capsys):
    assert (
        runtimes.main(["--models", "resnet18", "resnet34", "--device", "cpu", "--out", str(tmp_path / "a.csv"), *wrong])
        == 2
    )
    assert capsys.readouterr().err.startswith("error: " + wrong[0])


def test_energy_is_read_where_the_system_lets_one_and_wraps(tmp_path):
    assert np.isnan(energy.Counter(tmp_path).joules())
    folder = tmp_path / "intel-rapl:0"
    folder.mkdir()
    for name, value in {"name": "package-0", "energy_uj": "900", "max_energy_range_uj": "1000"}.items():
        (folder / name).write_text(value)
    counter = energy.Counter(tmp_path)
    (folder / "energy_uj").write_text("100")
    assert counter.joules() == pytest.approx(200e-6)
