"""The search: strange spaces, a database that is locked or someone else's, resuming, pruning, two workers on one
study.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
import subprocess
import sys

import optuna
import pandas as pd
import pytest
from PIL import Image

from scripts.common.errors import UserError
from scripts.train import search, search_space
from tests.threads import one_thread  # noqa: F401 - used by every test of the module

SPACE = {"lr": {"low": 1e-3, "high": 1e-2, "log": True}, "batch": [64, 128]}


@pytest.fixture
def options(tmp_path, monkeypatch, moved):
    """A search whose trials take no time: accuracy is a function of the settings, so that its best is known."""
    moved(DATA=tmp_path / "data", CACHE=tmp_path)
    monkeypatch.setattr(
        search,
        "evaluate",
        lambda trial, settings, options, *_: 1 - abs(settings["lr"] - 0.004) * 10 - settings["batch"] / 1e4,
    )
    return search.Options(
        "study", tmp_path / "search.sqlite", "digits", "lenet5", 1, 32, "tpe", 6, 0, 0, SPACE, "cpu", 1
    )


def trials(options) -> pd.DataFrame:
    return search.results(search.open_study(options))[0]


@pytest.mark.parametrize(
    "space, what",
    [
        ([], "not a JSON object"),
        ({}, "not a JSON object"),
        ({"learning_rate": [1]}, "no setting called 'learning_rate'"),
        ({"epochs": [1]}, "no setting"),
        ({"lr": []}, "lr is neither"),
        ({"lr": {"low": 1, "high": 1}}, "lr is neither"),
        ({"lr": {"low": 0, "high": 1, "log": True}}, "lr is neither"),
        ({"lr": ["fast"]}, "lr is neither"),
        ({"lr": [float("nan")]}, "lr is neither"),
        ({"model": {"low": 1, "high": 2}}, "model is neither"),
        ({"model": [3]}, "model is neither"),
        ({"batch": {"low": 1, "high": 8, "step": 2}}, "batch is neither"),
        ({"lr": True}, "lr is neither"),
        ({"batch": [0]}, "batch is neither .* from 2 to"),
        ({"lr": [-1]}, "lr is neither"),
        ({"warmup": {"low": 0, "high": 1}}, "warmup is neither"),
        ({"lr": {"low": 1e-3, "high": 1e-2, "points": "a"}}, "lr is neither"),
        ({"lr": {"low": 1e-3, "high": 1e-2, "points": 10**9}}, "lr is neither"),
    ],
)
def test_a_space_that_makes_no_sense_is_named(space, what):
    with pytest.raises(UserError, match=what):
        search_space.check_space(space, "space.json")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_a_space_file_that_is_no_json_is_named(tmp_path, content):
    (tmp_path / "space.json").write_bytes(content)
    with pytest.raises(UserError, match="not JSON"):
        search_space.read_space(tmp_path / "space.json")
    with pytest.raises(UserError, match="cannot be read"):
        search_space.read_space(tmp_path / "none.json")


def test_the_default_space_is_one():
    assert search_space.check_space(search_space.SPACE, "default") == search_space.read_space(None)


def test_a_search_finds_the_better_settings_and_resumes(options):
    search.work(dataclasses.replace(options, trials=4))
    assert len(trials(options)) == 4
    search.work(dataclasses.replace(options, trials=30))
    found = trials(options)
    assert found.trial.tolist() == list(range(30)) and (found.state == "complete").all()
    best = found.loc[found.accuracy.idxmax()]
    assert best.batch == 64 and 0.002 < best.lr < 0.007
    assert not found.lr.duplicated().any()  # a resumed sampler doesn't draw the same again
    path = search.write(options, search.open_study(options))
    sidecar = json.loads(path.with_suffix(".json").read_text())
    assert sidecar["space"] == SPACE and set(sidecar["importance"]) == {"lr", "batch"}


def test_a_table_whose_sidecar_cannot_be_written_stays_as_it_was(options):
    study = search.open_study(options)
    study.tell(study.ask(), 0.5)
    path = search.write(options, study)
    before = path.read_bytes()
    path.with_suffix(".json").unlink()
    path.with_suffix(".json").mkdir()
    study.tell(study.ask(), 0.75)
    with pytest.raises(UserError):
        search.write(options, study)
    assert path.read_bytes() == before


def test_a_grid_is_searched_once_and_wholly(options):
    gridded = dataclasses.replace(options, sampler="grid", trials=100)
    search.work(gridded)
    found = trials(gridded)
    assert len(found) == search_space.GRID_POINTS * 2 and not found.duplicated(["lr", "batch"]).any()
    assert sorted(set(found.lr.round(6))) == [0.001, 0.003162, 0.01]


def test_random_draws_differ_between_workers(options):
    for number in (0, 1):
        search.work(dataclasses.replace(options, sampler="random", trials=3 * (number + 1)), number)
    assert not trials(options).lr.duplicated().any()


def test_another_space_is_another_study(options):
    search.work(options)
    for change in (
        {"space": {"lr": [1.0]}},
        {"data": "elsewhere"},
        {"epochs": 9},
        {"size": 64},
        {"model": "resnet20"},
        {"checksum": "other pictures"},
    ):
        with pytest.raises(UserError, match=f"made with another {next(iter(change))}; choose another --study"):
            search.open_study(dataclasses.replace(options, **change))


def test_what_is_no_database_is_named_and_left_alone(options):
    options.db.write_text("my diary")
    with pytest.raises(UserError, match="not an SQLite database"):
        search.work(options)
    assert options.db.read_text() == "my diary"


def test_another_programs_database_is_named(options):
    with sqlite3.connect(options.db) as other:
        other.execute("create table studies (recipe text)")
    with pytest.raises(UserError, match="search.sqlite"):
        search.work(options)


def test_a_locked_database_is_one_line(options, monkeypatch):
    search.work(dataclasses.replace(options, trials=1))
    monkeypatch.setattr(search, "LOCK_SECONDS", 0.2)
    other = sqlite3.connect(options.db, isolation_level=None)
    other.execute("begin exclusive")
    try:
        with pytest.raises(UserError, match="keeps the database locked"):
            search.work(options)
    finally:
        other.execute("rollback")
    search.work(options)
    assert len(trials(options)) == options.trials


def test_a_trial_that_cannot_be_trained_is_noted_and_the_rest_goes_on(options, monkeypatch):
    from scripts.train import fit

    good = search.evaluate

    def sometimes(trial, settings, *rest):
        if trial.number == 1:
            raise fit.Failed("the loss is nan in epoch 1; try a smaller --lr")
        return good(trial, settings, *rest)

    monkeypatch.setattr(search, "evaluate", sometimes)
    search.work(options)
    found = trials(options)
    assert found.state.tolist().count("fail") == 1 and (found.state == "complete").sum() == options.trials
    assert "the loss is nan" in found.note[1]


def test_a_search_in_which_everything_fails_ends(options, monkeypatch):
    tried = []

    def never(*_):
        tried.append(1)
        assert len(tried) <= options.trials
        raise UserError("no patch size divides 7 pixels")

    monkeypatch.setattr(search, "evaluate", never)
    search.work(options)
    assert trials(options).state.tolist() == ["fail"] * options.trials


def test_a_size_that_the_network_refuses_is_said_before_the_search(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["search", "--model", "lenet5", "--size", "64", "--db", str(tmp_path / "s.sqlite")])
    assert (
        search.main() == 2
        and "lenet5: takes only 32 pixels" in capsys.readouterr().err
        and not (tmp_path / "s.sqlite").exists()
    )


def test_a_search_without_a_success_says_why(options, monkeypatch):
    def never(*_):
        raise UserError("no patch size divides 7 pixels")

    monkeypatch.setattr(search, "evaluate", never)
    study = search.open_study(options)
    study.ask()
    with pytest.raises(UserError, match="no trial"):
        search.write(options, study)


def test_a_killed_workers_trial_is_tried_again(options):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    study = search.open_study(options)
    trial = study.ask()
    trial.set_user_attr("pid", dead.pid)
    drawn = search_space.suggest(trial, options.space, "tpe")
    search.bury_dead(study)
    search.work(options)
    found = trials(options)
    assert found.state[0] == "fail" and (found.state == "complete").sum() == options.trials
    assert found.lr[1] == pytest.approx(drawn["lr"])


@pytest.mark.parametrize("moment", ["asked", "named", "drawn", "buried"])
def test_wherever_a_worker_is_killed_no_point_of_the_grid_is_lost(options, moment):
    options = dataclasses.replace(options, sampler="grid", space={"lr": [0.1, 0.01], "batch": [64]}, trials=9)
    study = search.open_study(options)
    for _ in range(2):  # the last point, too
        trial = study.ask()
        if moment != "asked":
            trial.set_user_attr("pid", 2**30)
        if moment in ("drawn", "buried"):
            search_space.suggest(trial, options.space, "grid")
        if moment == "buried":  # and the next run between burying it and saying that it is to be tried again
            with contextlib.suppress(RuntimeError):
                study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    search.bury_dead(study)
    search.bury_dead(study)
    search.work(options)
    found = trials(options)
    assert sorted(found.lr[found.state == "complete"]) == [0.01, 0.1]


def test_trials_that_fall_behind_are_pruned(tmp_path, monkeypatch, moved):
    """The real objective, on digits: a rate of nothing learns nothing and is given up."""
    from sklearn import datasets as sklearn_datasets

    digits = sklearn_datasets.load_digits()
    digits.images, digits.target = digits.images[::3], digits.target[::3]  # 600 are learned in a third of the time
    monkeypatch.setattr(sklearn_datasets, "load_digits", lambda: digits)
    moved(CACHE=tmp_path)
    monkeypatch.setattr(search, "STARTUP", 1)
    options = search.Options(
        "real",
        tmp_path / "s.sqlite",
        "digits",
        "lenet5",
        3,
        32,
        "grid",
        8,
        0,
        3,  # a seed by which 1e-9 comes last: the first trial has nothing to fall behind
        {"lr": [1e-2, 5e-3, 1e-9], "batch": [32]},
        "cpu",
        1,
    )
    search.work(options)
    found = trials(options).set_index("lr")
    assert len(found) == 3 and found.accuracy.drop(1e-9).max() > 0.8
    assert found.state[1e-9] == "pruned" and found.epochs[1e-9] < 3
    assert (found.drop(1e-9)[["state", "epochs"]] == ["complete", 3]).all(axis=None)


def test_two_workers_share_one_study(tmp_path, monkeypatch, moved, capfd):
    """Two processes on one database: together they do exactly as many trials as were asked for."""
    space = tmp_path / "space.json"
    (tmp_path / "report" / "data").mkdir(parents=True)
    for light, name in enumerate(("dark", "bright")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(16):
            picture = Image.new("RGB", (32, 32), (200 * light + number, 0, 0))
            picture.save(tmp_path / "photos" / name / f"{number}.png")
    space.write_text(json.dumps({"lr": {"low": 1e-3, "high": 1e-2}, "batch": [8]}))
    monkeypatch.setenv("BEST_IMAGE_MODELS_ROOT", str(tmp_path))  # the workers'
    moved(DATA=tmp_path / "report" / "data", CACHE=tmp_path / ".cache")
    words = "--model lenet5 --size 32 --epochs 1 --trials 3 --workers 2".split()
    places = ["--data", str(tmp_path / "photos"), "--space", str(space), "--db", str(tmp_path / "s.sqlite")]
    monkeypatch.setattr(sys, "argv", ["search", *words, *places])
    assert search.main() == 0, capfd.readouterr().err
    found = pd.read_csv(next((tmp_path / "report").rglob("search-*.csv")))
    assert len(found) == 3 and (found.state == "complete").all()


@pytest.mark.parametrize(
    "name",
    ["a?mode=memory", "50%41", "x#y", "{SCHEMA_VERSION}", "Größe 'a' \"b\" &", "a:b@c/ü"],
)
def test_a_database_stands_where_its_path_says(options, tmp_path, name):
    odd = dataclasses.replace(options, db=tmp_path / name / "s t.sqlite", trials=2)
    search.work(odd)
    assert len(trials(odd)) == 2 and odd.db.read_bytes().startswith(b"SQLite format 3")
    search.work(dataclasses.replace(odd, trials=3))  # and is found again
    assert len(trials(odd)) == 3
    assert {path.name for path in odd.db.parent.iterdir()} <= {"s t.sqlite", "s t.sqlite-journal"}
