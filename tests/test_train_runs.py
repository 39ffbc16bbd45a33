"""The logs of runs: strange lines, names that match nothing, a log told again to another tracker, a command without
runs.
"""

from __future__ import annotations

import pytest

from scripts.common.errors import UserError
from scripts.train import runs, tracking


@pytest.fixture(autouse=True)
def no_tensorboard(monkeypatch):
    """TensorBoard's import takes seconds; its own test pays them."""
    monkeypatch.setattr(tracking, "TensorBoard", lambda folder: tracking.Tracker())


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"null",
        b"[1]",
        b"\xff\xfe\x00",
        b'{"event": 5}',
        b"[" * 100_000,
        b'{"event": "metrics", "values": "x"}',
        b'{"event": "params", "values": [1]}',
        b'{"event": "end"',
        b'{"event": "metrics", "values": {"a": NaN}, "epoch": "x"}',
    ],
)
def test_a_strange_line_in_a_log_is_no_trouble(tmp_path, line):
    with tracking.start("a", {}, folder=tmp_path) as run:
        run.metrics({"loss": 1.0}, epoch=1)
    log = next(tmp_path.glob("*/log.jsonl"))
    log.write_bytes(line + b"\n" + log.read_bytes() + line)
    assert runs.table(runs.read_runs(tmp_path)).loss.iloc[0] == 1.0


def test_runs_are_found_by_the_beginning_of_their_name(tmp_path):
    run = tracking.start("pets", {}, folder=tmp_path)
    run.close()
    assert runs.find(run.folder.name[:12], tmp_path) == run.folder
    for name in ("nothing", "", "../..", "\x1b[31m"):
        with pytest.raises(UserError):
            runs.find(name, tmp_path)


def test_a_log_can_be_told_to_another_tracker(tmp_path):
    with tracking.start("a", {"lr": 1}, folder=tmp_path) as run:
        run.metrics({"loss": 0.5, "bad": float("nan")}, step=3)
        run.confusion([[1, 0], [0, 1]], ["x", "y"])
    heard = []

    class Listener(tracking.Tracker):
        def params(self, values):
            heard.append(values)

        def metrics(self, values, step=None, epoch=None):
            heard.append((values, step))

        def confusion(self, matrix, classes):
            heard.append(classes)

        def close(self, status):
            heard.append(status)

    runs.replay(run.folder, Listener())
    assert heard == [{"lr": 1}, ({"loss": 0.5}, 3), ["x", "y"], "finished"]


def test_the_command_lists_and_writes_the_runs(tmp_path, monkeypatch, moved, capsys):
    import pandas as pd

    monkeypatch.setattr(tracking, "RUNS", tmp_path / "runs")
    moved(DATA=tmp_path / "data")
    monkeypatch.setattr("sys.argv", ["runs"])
    assert runs.main() == 2 and capsys.readouterr().err.startswith("error: no runs in")
    for name in ("pets", "cnn"):
        with tracking.start(name, {"lr": 1}) as run:
            run.metrics({"valid_loss": 0.5}, epoch=1)
    assert not runs.main() and "cnn" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["runs", "--write"])
    assert not runs.main()
    written = {path.name.endswith("-history.csv"): pd.read_csv(path) for path in (tmp_path / "data").glob("*.csv")}
    assert (
        set(written[False].name) == set(written[True].name) == {"pets", "cnn"}
        and (written[True].valid_loss == 0.5).all()
    )
    assert len(list((tmp_path / "data").glob("*.json"))) == 2


def test_a_table_whose_sidecar_cannot_be_written_stays_as_it_was(tmp_path, monkeypatch, moved):
    monkeypatch.setattr(tracking, "RUNS", tmp_path / "runs")
    moved(DATA=tmp_path / "data")
    with tracking.start("a", {}) as run:
        run.metrics({"valid_loss": 0.5}, epoch=1)
    path, _ = runs.write()
    before = path.read_bytes()
    path.with_suffix(".json").unlink()
    path.with_suffix(".json").mkdir()
    with tracking.start("b", {}) as run:
        run.metrics({"valid_loss": 0.25}, epoch=1)
    with pytest.raises(UserError):
        runs.write()
    assert path.read_bytes() == before


def test_a_training_without_a_log_ends_well(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tracking, "RUNS", tmp_path / "runs")
    runs.note("cpu")
    assert capsys.readouterr().err.startswith("warning: this run is not on the page of runs (no runs in")


def test_what_is_no_number_is_left_out_of_the_history(tmp_path, monkeypatch, moved):
    from scripts.train import photo_results

    monkeypatch.setattr(tracking, "RUNS", tmp_path / "runs")
    moved(DATA=tmp_path / "data")
    with tracking.start("a", {}) as run:
        run.metrics({"valid_loss": float("nan"), "train_loss": 0.5}, epoch=1)
        run.metrics({"valid_loss": 0.25, "train_loss": 0.5}, epoch=2)
    runs.write()
    assert photo_results.runs(tmp_path / "data").tables["-history"].valid_loss.dropna().tolist() == [0.25]
