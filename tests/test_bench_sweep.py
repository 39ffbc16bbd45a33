"""The sweep: resuming, crashes, locks, files of another form. A stand-in for the measuring process keeps torch out of
most of it.

Run as a program, this file is a sweep with that stand-in: what the tests kill.
"""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # when run as a program

from scripts.bench import measure, process, sweep, worker
from scripts.bench.settings import Settings
from scripts.common import hardware, paths, table_run
from scripts.common.errors import UserError
from scripts.common.provenance import read_sidecar, sha256
from scripts.predict import design as predict_design
from tests.waiting import until

MODELS = [f"model{i}" for i in range(6)]
KNOWN = {
    "describe": {
        "device": "cpu",
        "platform": "cpu",
        "torch": "2.15.0+cpu",
        "timm": "1.0.31",
        "allocator": "as it is",
        "uuid": "",
        "code": {"scripts/bench/measure.py": "0" * 16},
    },
    "ceilings": {"matmul_tflops": 0.1, "copy_gbps": 20.0, "device": "cpu"},
}


def answer(verb: str, arguments: tuple):
    """What the stand-in answers. Models by name: crash (always), a path (the first time), fail; others get a row."""
    if verb == "choose":
        if "unknown" in arguments[0]:
            raise UserError("unknown model 'unknown'; did you mean x?")
        return list(arguments[0])
    if verb != "measure":
        return KNOWN[verb]
    name, settings, _ = arguments
    if name in os.environ.get("STAND_IN_HANGS", "").split():
        threading.Event().wait()
    if name == "crash" or (name.startswith("/") and not Path(name).exists() and not Path(name).write_text("")):
        os.kill(os.getpid(), signal.SIGKILL)
    row, batch = dict.fromkeys(measure.columns(settings.part), ""), settings.batch or 4
    row.update(
        model=name,
        precision="fp32",
        status="failed" if name == "fail" else "ok",
        reason="it fails" if name == "fail" else "",
        batch_asked=settings.batch or "auto",
        measured_at=f"{time.time():.6f}",
    )
    if name != "fail":
        row.update(
            {
                f"{settings.part}_samples_per_sec": 10.0 * batch,
                f"{settings.part}_batch_size": batch,
                f"{settings.part}_img_size": 224,
                f"{settings.part}_gmacs": 1.0,
                f"{settings.part}_macts": 2.0,
                "param_count": 5.0,
                "samples_per_sec_low": 9.0,
                "samples_per_sec_high": 41.0,
            }
        )
    return row


process.PRELOADED[:] = ["pandas", "pytest", "scripts.bench.sweep"]  # all that the stand-in needs: no torch


def stand_in(pipe) -> None:
    """`answer` in a process of its own, in place of `worker.serve`."""
    threading.Thread(target=worker._end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    while True:
        try:
            pipe.send(("ok", answer(*pipe.recv())))
        except EOFError:
            return


class InProcess(process.Measurer):
    """The stand-in without a process: quick. By the sweep's clock, `seconds`, each model takes 0.1 s."""

    seconds = 0.0

    def ask(self, verb, *arguments, patience=0.0):
        InProcess.seconds += 0.1 * (verb == "measure")
        return answer(verb, arguments)


@pytest.fixture
def run(monkeypatch, moved, tmp_path):
    """run(*models and options) is a sweep on tmp_path/out.csv with the stand-in; returns its exit code."""
    moved(CACHE=tmp_path / "cache", DATA=tmp_path)
    monkeypatch.setattr(sweep, "time", SimpleNamespace(monotonic=lambda: InProcess.seconds))

    def go(*arguments, out=tmp_path / "out.csv", measurer=InProcess):
        monkeypatch.setattr(sweep, "Measurer", measurer)
        return sweep.main(["--models", *arguments, *(["--out", str(out)] if out else [])])

    go.out = tmp_path / "out.csv"
    return go


def read(path):
    return pd.read_csv(path, keep_default_na=False, dtype=str)


def journals(folder):
    return list((folder / "cache" / "runs").glob("*.json"))


def test_a_sweep_writes_rows_and_sidecar_and_ends_without_a_journal(run, tmp_path, capsys):
    assert run(*MODELS) == 0
    frame = read(run.out)
    assert list(frame.columns) == measure.columns("infer") and list(frame["model"]) == MODELS
    facts = read_sidecar(run.out)
    assert (
        facts["complete"]
        and facts["rows"] == 6
        and facts["sha256"] == sha256(run.out)
        and facts["ceilings"] == KNOWN["ceilings"]
    )
    assert facts["settings"]["threads"] == 1 and facts["hardware"]["slug"]
    assert journals(tmp_path) == [] and "6 measured" in capsys.readouterr().out


def test_percentages_are_of_the_highest_ceilings_seen(run, monkeypatch):
    seen = iter([{**KNOWN["ceilings"], "copy_gbps": 30.0}, {**KNOWN["ceilings"], "matmul_tflops": 0.2}])
    monkeypatch.setattr(
        InProcess,
        "ask",
        lambda self, verb, *arguments, **_: next(seen) if verb == "ceilings" else answer(verb, arguments),
    )
    run("model0", "fail")
    assert read_sidecar(run.out)["ceilings"] == {"matmul_tflops": 0.2, "copy_gbps": 30.0, "device": "cpu"}
    assert list(read(run.out)["arithmetic_pct"]) == ["40.0", ""]  # 40 images/s of 2 GFLOP each, at 0.2 TFLOP/s


def test_a_complete_run_measures_again_and_replaces_rows_in_place(run):
    run(*MODELS)
    before = read(run.out)
    run("model3", "model1")
    after = read(run.out)
    changed = before["measured_at"] != after["measured_at"]
    assert list(after["model"]) == MODELS and set(after["model"][changed]) == {"model1", "model3"}
    assert read_sidecar(run.out)["rows_of_other_runs"] == 4


def test_a_committed_csv_does_not_stand_for_this_run(run, tmp_path):
    """A clone brings the CSV and no journal: everything is measured again."""
    run(*MODELS)
    before = read(run.out)
    for path in journals(tmp_path):
        path.unlink()
    run(*MODELS)
    assert not set(before["measured_at"]) & set(read(run.out)["measured_at"])


def test_minutes_stops_and_the_next_run_goes_on(run, tmp_path, monkeypatch, capsys):
    assert run(*MODELS, "--minutes", "0.006") == 0
    first = read(run.out)
    assert len(first) == 3 and not read_sidecar(run.out)["complete"]
    assert "left: run the same command again" in capsys.readouterr().out
    assert len(journals(tmp_path)) == 1
    run(*MODELS)
    whole = read(run.out)
    assert list(whole["model"]) == MODELS and list(whole["measured_at"][: len(first)]) == list(first["measured_at"])


def test_other_settings_do_not_continue_a_run(run, monkeypatch):
    run(*MODELS, "--minutes", "0.006")
    first = read(run.out)
    run(*MODELS, "--seconds", "1")
    assert not set(first["measured_at"]) & set(read(run.out)["measured_at"])


def test_fresh_begins_anew(run, monkeypatch):
    run(*MODELS, "--minutes", "0.006")
    first = read(run.out)
    run(*MODELS, "--fresh")
    assert not set(first["measured_at"]) & set(read(run.out)["measured_at"])


def test_a_row_that_vanished_from_the_file_is_measured_again(run, monkeypatch):
    run(*MODELS, "--minutes", "0.006")
    run.out.unlink()
    run(*MODELS)
    assert sorted(read(run.out)["model"]) == MODELS


def test_a_damaged_journal_is_no_journal(run, tmp_path, monkeypatch):
    run(*MODELS, "--minutes", "0.006")
    journals(tmp_path)[0].write_text('{"done": [["mod')
    assert run(*MODELS) == 0 and list(read(run.out)["model"]) == MODELS


def test_killed_with_kill_9_at_most_one_models_work_is_lost(run, tmp_path):
    whole, out, after = tmp_path / "whole.csv", tmp_path / "out.csv", 2
    run(*MODELS, out=whole)
    child = subprocess.Popen(
        [sys.executable, __file__, "--models", *MODELS, "--out", str(out)],
        env={**os.environ, "BEST_IMAGE_MODELS_CACHE": str(tmp_path / "cache"), "STAND_IN_HANGS": MODELS[4]},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    until(lambda: out.exists() and len(read(out)) >= after, "two models are measured")
    child.kill()
    child.wait()
    left = read(out)
    assert after <= len(left) < 6
    assert len(journals(tmp_path)) == 1 and run(*MODELS, out=out) == 0
    resumed, uninterrupted = read(out), read(whole)
    assert list(resumed["model"]) == list(uninterrupted["model"]) and list(resumed.columns) == list(
        uninterrupted.columns
    )
    assert (resumed["measured_at"][: len(left)] == left["measured_at"]).sum() >= len(left) - 1


class Killed(BaseException):
    """kill -9 in the middle of things: nothing of ours catches it."""


@pytest.mark.parametrize("moment", range(1, 12))
def test_killed_at_any_write_the_next_run_ends_as_an_uninterrupted_one(run, tmp_path, monkeypatch, moment):
    """A sweep of three models writes its journal, and for each model CSV, sidecar, journal: killed before each of
    these writes in turn.
    """
    models, whole = MODELS[:3], tmp_path / "whole.csv"
    run(*models, out=whole)
    writes = {"left": moment}

    def killing(write):
        def counted(*arguments, **named):
            writes["left"] -= 1
            if not writes["left"]:
                raise Killed
            return write(*arguments, **named)

        return counted

    with monkeypatch.context() as patch:
        for module, name in ((paths, "atomic_write"), (paths, "atomic_csv"), (table_run, "write_sidecar")):
            patch.setattr(module, name, killing(getattr(module, name)))
        with pytest.raises(Killed):
            run(*models)
    left = read(run.out) if run.out.exists() else pd.DataFrame(columns=["model", "measured_at"])
    assert run(*models) == 0
    resumed, uninterrupted = read(run.out), read(whole)
    assert list(resumed["model"]) == models and list(resumed.columns) == list(uninterrupted.columns)
    kept = resumed.set_index("model")["measured_at"].reindex(left["model"]).to_numpy() == left["measured_at"].to_numpy()
    assert kept.sum() >= len(left) - 1 and journals(tmp_path) == []
    assert read_sidecar(run.out)["complete"] and read_sidecar(run.out)["sha256"] == sha256(run.out)


def test_a_folder_holds_all_that_going_on_elsewhere_needs(run, tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    run(*MODELS, "--minutes", "0.006", out=tmp_path / "there")
    (first,) = (tmp_path / "there").glob("benchmark-infer-*.csv")
    done = read(first)
    assert 0 < len(done) < 6 and journals(tmp_path) == []
    (tmp_path / "there").rename(tmp_path / "here")
    assert run(*MODELS, out=tmp_path / "here") == 0
    (table,) = (tmp_path / "here").glob("*.csv")
    assert list(read(table)["model"]) == MODELS and list(read(table)["measured_at"][: len(done)]) == list(
        done["measured_at"]
    )
    assert sorted(path.suffix for path in (tmp_path / "here").iterdir()) == [".csv", ".json"]  # no journal is left


def test_a_model_that_crashes_the_process_is_tried_once_more_and_then_a_row(run, tmp_path):
    once = str(tmp_path / "crashed-once")
    assert run("model0", "crash", "model1", once, "model2", measurer=lambda: process.Measurer(stand_in)) == 0
    frame = read(run.out).set_index("model")
    assert frame["status"].to_dict() == {"model0": "ok", "crash": "failed", "model1": "ok", once: "ok", "model2": "ok"}
    assert "SIGKILL" in frame.loc["crash", "reason"]


def test_a_model_that_never_answers_is_a_row(monkeypatch):
    monkeypatch.setenv("STAND_IN_HANGS", "model0")
    monkeypatch.setattr(process, "PATIENCE", 0.5)
    with process.Measurer(stand_in) as measurer:
        row = measurer.measure("model0", Settings(seconds=0.01), None)
    assert row["status"] == "failed" and "no answer" in row["reason"]


def test_failed_models_are_named_and_the_rest_is_kept(run, capsys):
    assert run("model0", "fail") == 0
    assert "1 without figures (fail)" in capsys.readouterr().out and list(read(run.out)["status"]) == ["ok", "failed"]


def test_what_a_killed_run_left_half_written_is_removed(run, tmp_path):
    (tmp_path / ".out.csv.abc123.tmp").write_text("model,inf")
    (tmp_path / ".other.csv.abc123.tmp").write_text("another file's")
    run("model0")
    assert [path.name for path in tmp_path.glob(".*.tmp")] == [".other.csv.abc123.tmp"]


def test_two_sweeps_on_one_file_the_second_refuses(run, capsys):
    run(*MODELS)
    before = run.out.read_bytes()
    holds, go = threading.Event(), threading.Event()

    def hold():  # another holder: a thread may take its own lock again
        with sweep.locked(run.out):
            holds.set()
            go.wait()

    other = threading.Thread(target=hold)
    other.start()
    holds.wait()
    try:
        assert run("model0") == 2
    finally:
        go.set()
        other.join()
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "another run is writing" in error and run.out.read_bytes() == before
    assert run("model0") == 0  # the lock is gone with its holder


@pytest.mark.parametrize(
    "content",
    ["model,top1\nresnet50,80.1\n", "<html>not found</html>\n", "", "model,infer_samples_per_sec\nresnet50\n"],
)
def test_a_file_of_another_form_is_left_as_it_is(run, content, capsys):
    run.out.write_text(content)
    assert run(*MODELS) == 2
    assert run.out.read_text() == content and len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_training_csv_is_not_continued_with_inference(run, capsys):
    run(*MODELS, "--part", "train")
    before = run.out.read_bytes()
    assert run(*MODELS) == 2 and run.out.read_bytes() == before and "another form" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["missing/out.csv", "out.txt", "folder.csv", "file.txt/out.csv"])
def test_out_that_cannot_be_written_is_one_line_before_anything_is_measured(run, tmp_path, place, capsys):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file.txt").write_text("x")
    assert run("model0", out=tmp_path / place) == 2
    error = capsys.readouterr().err.strip()
    assert "--out" in error and len(error.splitlines()) == 1 and not (tmp_path / "missing").exists()


def test_a_full_disk_keeps_what_was_there(run, small_disk, capsys):
    out = small_disk / "out.csv"
    out.write_text("")
    out.unlink()
    assert run(*[f"a-model-with-a-very-long-name-{i:0900d}" for i in range(8)], out=out) == 2
    assert "disk is full" in capsys.readouterr().err
    if out.exists():
        assert list(read(out).columns) == measure.columns("infer")


def test_unknown_models_and_odd_options_are_one_line(run, capsys):
    assert run("unknown") == 2 and "did you mean" in capsys.readouterr().err
    for odd in (["--curve", "--batch", "4"], ["--repeat", "0"], ["--minutes", "0"], ["--batch", "none"]):
        assert run("model0", *odd) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_curve_has_a_row_for_each_batch_and_repeats_one_for_each_round(run, tmp_path, capsys):
    run("model0", "--curve", out=None)
    (curve,) = tmp_path.glob("curve-infer-*.csv")
    assert list(read(curve)["batch_asked"]) == ["1", "2", "4", "8", "16", "32"]
    run("model0", "model1", "--repeat", "3", out=None)
    (repeats,) = tmp_path.glob("repeat-infer-*.csv")
    assert list(read(repeats)["round"]) == ["1", "1", "2", "2", "3", "3"] and list(read(repeats)["model"][:2]) == [
        "model0",
        "model1",
    ]
    assert (
        list(read(repeats)["batch_asked"]) == ["auto"] * 2 + ["4"] * 4
    )  # the batch of the first round: only time may differ
    assert "run-to-run difference over 2 models" in capsys.readouterr().out


def test_a_curve_stops_where_a_step_would_outlast_the_budget_or_memory_ends(run, tmp_path, monkeypatch):
    def slower(verb, arguments):
        found = answer(verb, arguments)
        if verb == "measure":
            name, settings, _ = arguments
            found.update(
                infer_step_time=700.0 * settings.batch if name == "slow" else 1.0,
                batch_halved=int(name == "large" and settings.batch >= 4),
            )
        return found

    monkeypatch.setattr(InProcess, "ask", lambda self, verb, *arguments, **_: slower(verb, arguments))
    run("slow", "large", "model0", "--curve", "--seconds", "3", out=None)
    (curve,) = tmp_path.glob("curve-infer-*.csv")
    frame = read(curve)
    tried = {name: list(rows.loc[rows["status"] == "ok", "batch_asked"]) for name, rows in frame.groupby("model")}
    assert tried == {"slow": ["1", "2", "4"], "large": ["1", "2", "4"], "model0": ["1", "2", "4", "8", "16", "32"]}
    reasons = frame.set_index(["model", "batch_asked"])["reason"]
    assert (
        "5.6 s" in reasons["slow", "8"]
        and "batch 4 did not work" in reasons["large", "8"]
        and not (frame["status"] == "").any()
    )


def test_the_design_says_what_is_expected_of_the_predictions(run, monkeypatch, capsys):
    monkeypatch.setattr(predict_design, "design", lambda count, kind, **_: MODELS if kind == "cpu" else ["a card's"])
    monkeypatch.setattr(predict_design, "expected", lambda kind: [0.5, 0.4, 0.3, 0.25, 0.21, 0.2])
    ask = InProcess.ask
    monkeypatch.setattr(
        InProcess, "ask", lambda self, verb, *given, **_: MODELS if verb == "choose" else ask(self, verb, *given)
    )
    run("design", "--minutes", "0.0001")
    assert (
        "1 of the 6 most telling models measured" in (said := capsys.readouterr().out)
        and "off by 50%, with all by 20%" in said
    )
    run("design")
    assert "off by 20%, and one more would hardly lower that" in capsys.readouterr().out


def test_run_to_run_difference():
    frame = pd.DataFrame(
        {"model": ["a", "a", "b", "b", "c"], "status": "ok", "infer_samples_per_sec": ["100", "102", "10", "10", "5"]}
    )
    found = sweep.run_to_run(frame, "infer").set_index("model")
    assert found["difference_pct"].round(3).to_dict() == {"a": 1.98, "b": 0.0}


def test_names_say_what_was_measured_and_where(monkeypatch):
    monkeypatch.setattr(hardware, "cpu_model", lambda: "Foobar Chip 9000")
    monkeypatch.setattr(hardware, "cores", lambda: 8)
    machine = {"torch": "2.15.0+cu132", "platform": "cpu", "slug": hardware.slug("cpu")}
    name = lambda curve=False, repeat=1, **settings: sweep.file_name(Settings(**settings), machine, curve, repeat)
    assert (
        name() == "benchmark-infer-fp32-nchw-pt2150-cpu1t-foobar_chip_9000_8c.csv"
    )  # an unknown machine: its own name, no guess
    assert name(threads=8) == "benchmark-infer-fp32-nchw-pt2150-cpu-foobar_chip_9000_8c.csv"
    assert name(compile_mode="default").endswith("-compiled.csv")
    assert hardware.parse_benchmark_name(name(part="train"))["hardware"] == "foobar_chip_9000_8c"
    others = [name(curve=True), name(repeat=2), name(batch=1), name(img_size=96)]
    assert len({name(), *others}) == 5 and not any(other.startswith("benchmark-") for other in others)


def test_it_needs_no_package_beyond_torch_timm_pandas(tmp_path):
    """On the machine that only measures there is no rich, psutil, NVML or plotting."""
    if not importlib.util.find_spec("timm"):
        pytest.skip("timm is not installed")
    code = (
        "import sys\nfor name in ('rich', 'psutil', 'pynvml', 'plotly', 'kaleido', 'sklearn', 'fastai', "
        "'matplotlib', 'scipy', 'IPython'): sys.modules[name] = None\n"
        "if __name__ == '__main__':\n    from scripts.bench import sweep\n    sys.exit(sweep.main(sys.argv[1:]))\n"
    )
    (tmp_path / "go.py").write_text(code)
    done = subprocess.run(
        [
            sys.executable,
            str(tmp_path / "go.py"),
            "--models",
            "test_vit",
            "--device",
            "cpu",
            "--batch",
            "1",
            "--seconds",
            "0.2",
            "--out",
            str(tmp_path / "out.csv"),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(paths.ROOT), "BEST_IMAGE_MODELS_ROOT": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    row = read(tmp_path / "out.csv").iloc[0]
    assert row["status"] == "ok" and float(row["infer_samples_per_sec"]) > 0 and float(row["arithmetic_pct"]) > 0
    assert json.loads((tmp_path / "out.json").read_text())["versions"]["timm"]


def test_measuring_and_reading_stay_apart():
    """The parent process of a sweep is light: it must start in no time, and hold no memory that a model could use."""
    code = "import sys; import scripts.bench.sweep; sys.exit('torch' in sys.modules or 'timm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT).returncode == 0


def test_what_fails_before_any_model_is_one_line_and_the_process_lives():
    with process.Measurer() as measurer:
        with pytest.raises(UserError, match="^ceilings: RuntimeError: .*nosuch"):
            measurer.ask("ceilings", "nosuch", "fp32", 1)
        pid = measurer.process.pid
        machine = measurer.ask("describe", "cpu")
        assert measurer.process.pid == pid and {"scripts/bench/count.py", "scripts/bench/roofline.py"} <= set(
            machine["code"]
        )


if __name__ == "__main__":
    sweep.Measurer = lambda: process.Measurer(stand_in)
    sys.exit(sweep.main(sys.argv[1:]))
