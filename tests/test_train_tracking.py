"""Tracking: the log survives a kill, and no tracker ever stops a run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts.common.errors import UserError
from scripts.common.paths import ROOT
from scripts.train import runs, tracking


@pytest.fixture(autouse=True)
def quick_trackers(request, monkeypatch):
    """TensorBoard's import takes seconds; only the test of it pays."""
    if "tensorboard" not in request.node.name:
        monkeypatch.setattr(tracking, "TensorBoard", lambda folder: tracking.Tracker())


def test_a_run_is_read_back(tmp_path):
    with tracking.start("pets", {"lr": 0.1, "arch": "resnet18"}, folder=tmp_path) as run:
        run.metrics({"loss": 0.7}, step=0)
        run.metrics({"accuracy": 0.5}, epoch=1)
        run.metrics({"accuracy": 0.75}, epoch=2)
        run.confusion([[3, 1], [0, 4]], ["cat", "dog"])
    (found,) = runs.read_runs(tmp_path)
    assert found["status"] == "finished" and found["params"] == {"lr": 0.1, "arch": "resnet18"}
    assert found["confusion"] == [[3, 1], [0, 4]] and found["classes"] == ["cat", "dog"]
    row = runs.table([found]).iloc[0]
    assert (row.accuracy, row.epochs, row["name"]) == (0.75, 2, "pets")


@pytest.mark.parametrize("error, status", [(KeyboardInterrupt, "interrupted"), (ValueError("boom"), "failed: boom")])
def test_how_a_run_ended_is_written_down(tmp_path, error, status):
    with pytest.raises((KeyboardInterrupt, ValueError)):
        with tracking.start("a", {}, folder=tmp_path):
            raise error
    assert runs.read_runs(tmp_path)[0]["status"] == status


def test_two_runs_in_one_second_have_folders_of_their_own(tmp_path):
    folders = {tracking.start("same name", {}, folder=tmp_path).folder for _ in range(3)}
    assert len(folders) == 3 and len(runs.read_runs(tmp_path)) == 3


def test_the_log_is_whole_after_kill_9(tmp_path):
    code = (
        f"import sys, itertools; sys.path.insert(0, {str(ROOT)!r})\n"
        "from scripts.train import tracking\nfrom pathlib import Path\n"
        "tracking.TensorBoard = lambda folder: tracking.Tracker()\nrun = tracking.start('killed', {'lr': 1}, "
        f"folder=Path({str(tmp_path)!r}))\nprint('on', flush=True)\n"
        "for step in itertools.count(): run.metrics({'loss': 1 / (step + 1)}, step=step)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"on\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    lines = next(tmp_path.glob("*/log.jsonl")).read_bytes().split(b"\n")
    assert all(json.loads(line) for line in lines[:-1])  # every line but the last, which is empty or cut
    (found,) = runs.read_runs(tmp_path)
    assert [point["step"] for point in found["history"]] == list(range(len(found["history"]))) and len(
        found["history"]
    ) > 10
    assert found["status"] == "unfinished"


def test_numbers_that_are_none_are_logged_as_text(tmp_path):
    import numpy as np

    with tracking.start("a", {"size": np.int64(3)}, folder=tmp_path) as run:
        run.metrics({"loss": float("nan"), "other": np.float32(0.5)}, step=1)
    (point,) = runs.read_runs(tmp_path)[0]["history"]
    assert point["loss"] == "nan" and point["other"] == 0.5


class Broken(tracking.Tracker):
    name = "a broken tracker"

    def metrics(self, *_, **__):
        raise RuntimeError("no\nconnection")


def test_a_tracker_that_fails_is_one_warning_and_the_others_go_on(tmp_path, capsys):
    with tracking.start("a", {}, folder=tmp_path) as run:
        run.trackers.insert(0, Broken())
        for step in range(3):
            run.metrics({"loss": 1.0}, step=step)
    assert capsys.readouterr().err.splitlines() == [
        "warning: a broken tracker failed (no connection); training goes on without it"
    ]
    assert len(runs.read_runs(tmp_path)[0]["history"]) == 3


def test_a_tracker_that_cannot_start_is_one_warning(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tracking, "TensorBoard", lambda folder: 1 / 0)
    with tracking.start("a", {}, folder=tmp_path) as run:
        run.metrics({"loss": 1.0}, step=0)
    assert capsys.readouterr().err.count("\n") == 1 and runs.read_runs(tmp_path)


def test_a_full_disk_stops_the_log_and_not_the_run(small_disk, capsys):
    with tracking.start("a", {}, folder=small_disk) as run:
        for step in range(200):
            run.metrics({"loss": float(step)}, step=step)
    assert "training goes on" in capsys.readouterr().err
    assert all(point["step"] is not None for found in runs.read_runs(small_disk) for point in found["history"])


def test_a_folder_that_cannot_be_made_is_a_warning(tmp_path, capsys):
    (tmp_path / "runs").write_text("a file")
    with tracking.start("a", {}, folder=tmp_path / "runs") as run:
        run.metrics({"loss": 1.0}, step=0)
    assert "warning: the log failed" in capsys.readouterr().err


def test_an_unknown_tracker_is_refused(tmp_path):
    with pytest.raises(UserError, match="choose local, comet, none"):
        tracking.start("a", {}, tracker="wandb", folder=tmp_path)


def test_tensorboard_reads_what_was_written(tmp_path):
    with tracking.start("a", {"lr": 1}, folder=tmp_path) as run:
        run.metrics({"loss": 0.5}, step=3)
        run.metrics({"accuracy": 0.9}, epoch=1)
        run.confusion([[1, 0], [0, 1]], ["x", "y"])
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(run.folder))
    found.Reload()
    assert [(event.step, round(event.value, 3)) for event in found.Scalars("step/loss")] == [(3, 0.5)]
    assert [(event.step, round(event.value, 3)) for event in found.Scalars("epoch/accuracy")] == [(1, 0.9)]


# Comet changes how other packages are imported, so each case runs in a process of its own.
COMET = """
import sys; sys.path.insert(0, {root!r})
from pathlib import Path
from scripts.train import tracking
tracking.TensorBoard = lambda folder: tracking.Tracker()
with tracking.start("a", {{"lr": 1}}, tracker="comet", folder=Path({folder!r})) as run:
    run.metrics({{"loss": 0.5}}, step=1)
    run.confusion([[1, 0], [0, 1]], ["x", "y"])
"""


def comet(tmp_path, **environment) -> tuple[list[str], float]:
    """(lines on stderr, seconds) of a run tracked by Comet."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", COMET.format(root=str(ROOT), folder=str(tmp_path))],
        capture_output=True,
        text=True,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("COMET")},
            "HOME": str(tmp_path),
            **environment,
        },
    )
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines(), time.monotonic() - began


def check_offline(folder: Path, lines: list[str]) -> None:
    import zipfile

    (archive,) = folder.glob("*/comet/*.zip")
    assert zipfile.ZipFile(archive).testzip() is None
    assert f"upload it with: comet upload {archive}" in lines[-1]
    assert len(runs.read_runs(folder)[0]["history"]) == 1


def test_comet_without_a_key_writes_a_zip_and_says_where(tmp_path):
    lines, _ = comet(tmp_path)
    check_offline(tmp_path, lines)
    assert len(lines) == 1


def test_comet_without_a_network_is_kept_offline(tmp_path):
    lines, _ = comet(tmp_path, COMET_API_KEY="x" * 25, COMET_URL_OVERRIDE="http://127.0.0.1:9/clientlib/")
    check_offline(tmp_path, lines)
    assert len(lines) == 2 and "cannot be reached" in lines[0]


def test_comet_with_a_wrong_key_is_kept_offline(tmp_path):
    import http.server
    import threading

    class Refuses(http.server.BaseHTTPRequestHandler):
        def answer(self):
            self.send_response(401)
            self.end_headers()
            self.wfile.write(b'{"msg": "API key is not valid", "code": 401}')

        do_GET = do_POST = do_HEAD = answer

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuses)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        lines, _ = comet(
            tmp_path, COMET_API_KEY="x" * 25, COMET_URL_OVERRIDE=f"http://127.0.0.1:{server.server_port}/clientlib/"
        )
    finally:
        server.shutdown()
    check_offline(tmp_path, lines)
    assert len(lines) == 2 and "key" in lines[0]
