"""Search for the settings a network trains best with: Optuna over the zoo's recipe, kept in SQLite so that it resumes
and can be shared.

    python -m scripts.train.search --data digits --trials 24
    python -m scripts.train.search --data FOLDER --space space.json --sampler random --workers 2 --timeout 3600

Every trial trains on the training photos and is judged by its accuracy on the validation photos; the test photos are
never looked at. Trials that fall behind the median are pruned. The same command goes on where a stopped one ended, and
several may work on one study at once. Writes report/data/search-<study>-<hardware>.csv, a row per trial; its sidecar
holds the space and each setting's importance (PED-ANOVA, Watanabe et al. 2023, arXiv:2304.10255). What can be searched:
scripts.train.search_space.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import json
import multiprocessing
import os
import sqlite3
import sys
import time
import warnings
from pathlib import Path

import pandas as pd

from scripts.common import device as devices, hardware, provenance
from scripts.common.errors import UserError, cli
from scripts.common.paths import CACHE, DATA, local, make_folder, relative
from scripts.train import results as tables, tracking
from scripts.train.search_space import SPACE, grid, read_space, suggest

SAMPLERS = ("tpe", "random", "grid")
LOCK_SECONDS = 20  # how long one worker waits for another's write
STARTUP = 4  # trials before the median is worth anything


@dataclasses.dataclass(frozen=True)
class Options:
    """One search. trials and timeout (seconds, 0: none) count for the study, whoever works on it."""

    study: str
    db: Path
    data: str
    model: str
    epochs: int
    size: int
    sampler: str
    trials: int
    timeout: float
    seed: int
    space: dict
    device: str
    threads: int
    checksum: str = ""  # of the dataset


@contextlib.contextmanager
def database(options: Options):
    """Turns the database's errors into one line that says which file."""
    import optuna
    from sqlalchemy.exc import DatabaseError

    try:
        yield
    except (DatabaseError, optuna.exceptions.StorageInternalError) as error:
        text = f"{error} {error.__cause__ or ''}"
        if "locked" in text:
            raise UserError(
                f"{options.db}: another program keeps the database locked; end it, or name another with --db"
            ) from None
        if "full" in text:
            raise UserError(
                f"{options.db}: the disk is full; free some space and run it again, finished trials are kept"
            ) from None
        why = (
            "not an SQLite database"
            if "not a database" in text
            else "readonly"
            if "readonly" in text
            else "cannot be opened"
            if "unable to open" in text
            else "damaged, or not Optuna's"
        )
        raise UserError(f"{options.db}: {why}; name another with --db") from None
    except RuntimeError as error:
        if "schema" in str(error):
            raise UserError(f"{options.db}: written by another version of Optuna; name another with --db") from None
        raise


def open_study(options: Options, number: int = 0):
    """The study, new or as an earlier run left it. Raises UserError: locked, not a database, or searched over
    something else.
    """
    import optuna
    from sqlalchemy.pool import QueuePool

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", module="optuna")
    make_folder(options.db.parent)
    # The path stands in no URL: there ? % # and {} would mean something.
    connect = functools.partial(sqlite3.connect, options.db, timeout=LOCK_SECONDS, check_same_thread=False)
    storage = optuna.storages.RDBStorage("sqlite://", engine_kwargs={"creator": connect, "poolclass": QueuePool})
    study = optuna.create_study(
        storage=storage,
        study_name=options.study,
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=1),
    )
    seed = options.seed + 1000 * number + len(study.trials)  # a resumed search must not draw the same again
    if options.sampler == "grid":
        study.sampler = optuna.samplers.GridSampler(grid(options.space), seed=options.seed)
    elif options.sampler == "random":
        study.sampler = optuna.samplers.RandomSampler(seed=seed)
    else:
        study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=2 * STARTUP, constant_liar=True)
    about = identity(options)
    before = study.user_attrs.get("about")
    if before is None:
        study.set_user_attr("about", about)
    elif before != about:
        changed = (
            ", ".join(name for name in about if before.get(name) != about[name]) if isinstance(before, dict) else "all"
        )
        raise UserError(
            f"the study {options.study!r} in {options.db} was made with another {changed}; choose another --study name"
        )
    return study


def dataset_name(data: str) -> str:
    """What a study calls its dataset."""
    return data if data in ("digits", "pets") else hardware.short_name(Path(data).resolve().name)


def identity(options: Options) -> dict:
    """What trials of one study share; as JSON gives it back."""
    name = dataset_name(options.data)
    return json.loads(
        json.dumps(
            {
                "space": options.space,
                "data": name,
                "model": options.model,
                "epochs": options.epochs,
                "size": options.size,
                "checksum": options.checksum,
            }
        )
    )


def bury_dead(study) -> None:
    """Trials of processes that are no more are failed, and tried again with the same settings; also those that an
    earlier run failed, and was killed before it said so.
    """
    import optuna

    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        pid = trial.user_attrs.get("pid")
        if not (isinstance(pid, int) and _alive(pid)):
            with contextlib.suppress(RuntimeError):  # of the grid's last point; see `work`
                study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    trials = study.get_trials(deepcopy=False)
    died = [trial.state == optuna.trial.TrialState.FAIL and "note" not in trial.user_attrs for trial in trials]
    tried = [drawn(study, trial) for trial, gone in zip(trials, died) if not gone]
    for trial, gone in zip(trials, died):
        if gone and (settings := drawn(study, trial)) and settings not in tried:
            study.enqueue_trial(settings)
            tried.append(settings)


def drawn(study, trial) -> dict:
    """A trial's settings: those it drew, or will draw; {} where it ended before."""
    if trial.params or "fixed_params" in trial.system_attrs:
        return trial.params or trial.system_attrs["fixed_params"]
    if (number := trial.system_attrs.get("grid_id")) is None:
        return {}
    return dict(zip(study.sampler._param_names, study.sampler._all_grids[number]))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def work(options: Options, number: int = 0) -> None:
    """Take trials until the study has enough of them, time is up, or as many as were asked for have failed here."""
    import optuna
    import torch
    from filelock import FileLock

    from scripts.train import datasets, fit

    states = optuna.trial.TrialState
    if options.threads:
        torch.set_num_threads(options.threads)
    dataset = datasets.load(options.data, options.size)
    pixels = fit.Pixels(dataset, options.device)
    started = time.monotonic()
    lock = FileLock(make_folder(CACHE / "locks") / f"search-{hardware.short_name(options.study)}.lock")
    failed = 0
    with database(options):
        study = open_study(options, number)
        while failed < options.trials and not (options.timeout and time.monotonic() - started > options.timeout):
            with lock:  # so that two workers never start the last trial twice
                taken = study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED, states.RUNNING))
                waiting = study.get_trials(deepcopy=False, states=(states.WAITING,))  # the grid's sampler forgets them
                if len(taken) >= options.trials or (
                    options.sampler == "grid" and not waiting and study.sampler.is_exhausted(study)
                ):
                    break
                trial = study.ask()
                trial.set_user_attr("pid", os.getpid())
                settings = suggest(trial, options.space, options.sampler)
            began = time.monotonic()
            state, value, note = states.COMPLETE, None, ""
            try:
                value = evaluate(trial, settings, options, dataset, pixels)
            except optuna.TrialPruned:
                state = states.PRUNED
            except (fit.Failed, UserError) as error:
                state, note, failed = states.FAIL, str(error), failed + 1
            trial.set_user_attr("seconds", round(time.monotonic() - began, 2))
            if note:
                trial.set_user_attr("note", note)
            with contextlib.suppress(RuntimeError):  # the grid's sampler asks for a stop that only `optimize` knows
                study.tell(trial, value, state)
            told = f"accuracy {value:.4f}" if value is not None else state.name.lower()
            print(
                f"[{trial.number + 1}] {told}: "
                f"{', '.join(f'{k}={v:.4g}' if isinstance(v, float) else f'{k}={v}' for k, v in settings.items())} "
                f"{note}",
                file=sys.stderr,
                flush=True,
            )


def worker(options: Options, number: int) -> None:
    """`work` in a process of its own: its errors are one line, too."""
    sys.exit(cli(work)(options, number))


def evaluate(trial, settings: dict, options: Options, dataset, pixels) -> float:
    """Validation accuracy after `options.epochs` epochs. Raises TrialPruned, fit.Failed, UserError."""
    import optuna
    import torch

    from scripts.train import fit, models
    from scripts.train.recipe import Recipe

    settings = dict(settings)
    entry = models.find(settings.pop("model", options.model))
    if "batch" in settings:
        settings["batch"] = int(settings["batch"])
    torch.manual_seed(options.seed)
    model = models.build(entry, len(dataset.classes), options.size).model
    recipe = Recipe(epochs=options.epochs, **settings)
    trainer = fit.Trainer(model, dataset, recipe, options.seed, options.device, pixels=pixels)
    accuracy = 0.0
    for epoch in range(options.epochs):
        trainer.epoch(epoch)
        accuracy, loss = trainer.validate()  # noqa: RUF059
        trial.report(accuracy, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return accuracy


def results(study) -> tuple[pd.DataFrame, dict]:
    """(a row per finished trial: trial, state, accuracy, seconds, note, settings; setting -> importance, shares of
    1).
    """
    import optuna

    rows = []
    for trial in study.get_trials(deepcopy=False):
        if trial.state.is_finished():
            last = (
                trial.value
                if trial.value is not None
                else trial.intermediate_values[max(trial.intermediate_values)]
                if trial.intermediate_values
                else None
            )
            rows.append(
                {
                    "trial": trial.number,
                    "state": trial.state.name.lower(),
                    "accuracy": last,
                    "epochs": len(trial.intermediate_values),
                    "seconds": trial.user_attrs.get("seconds"),
                    "note": trial.user_attrs.get("note", ""),
                    **trial.params,
                }
            )
    try:
        importance = {name: round(share, 4) for name, share in optuna.importance.get_param_importances(study).items()}
    except (ValueError, RuntimeError, ZeroDivisionError):  # too few trials, or all of one value
        importance = {}
    return pd.DataFrame(rows), importance


def write(options: Options, study) -> Path:
    frame, importance = results(study)
    if not len(frame):
        raise UserError(f"no trial of {options.study!r} is finished; give it more --timeout")
    if not (frame.state == "complete").any():
        raise UserError(
            f"no trial of {options.study!r} succeeded; the last said: {frame.note.iloc[-1] or frame.state.iloc[-1]}"
        )
    path = DATA / f"search-{hardware.short_name(options.study)}-{hardware.slug(options.device)}.csv"
    facts = provenance.sidecar(
        options.device,
        ("torch", "timm", "optuna"),
        **identity(options),
        sampler=options.sampler,
        seed=options.seed,
        importance=importance,
    )
    return provenance.write_pair(frame.map(tables.significant), path, facts)


@cli
def main() -> None:
    parser = argparse.ArgumentParser(description="Search for the best settings of the training recipe.")
    parser.add_argument("--data", default="digits", help="digits, pets, or a folder (default digits)")
    parser.add_argument("--study", default="", help="its name (default: from the dataset and the model)")
    parser.add_argument(
        "--model", default="resnet20", help="the network, where the space names none (default resnet20)"
    )
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--size", type=int, default=0, help="pixels a side (default 32 for digits, else 64)")
    parser.add_argument("--space", type=local, help="a JSON file; without it: " + ", ".join(SPACE))
    parser.add_argument("--sampler", choices=SAMPLERS, default="tpe")
    parser.add_argument("--trials", type=int, default=20, help="of the study in all (default 20)")
    parser.add_argument("--timeout", type=float, default=0, help="seconds; a trial in hand is finished first")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--db", type=local, default=tracking.RUNS / "search.sqlite")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help=devices.CHOICES)
    given = parser.parse_args()
    for name, low in (("epochs", 1), ("trials", 1), ("workers", 1), ("timeout", 0)):
        if getattr(given, name) < low:
            raise UserError(f"--{name} {getattr(given, name)}: at least {low}")
    from scripts.train import datasets, distributed, models

    device, space = distributed.device(given.device), read_space(given.space)
    size = given.size or (32 if given.data == datasets.EMBEDDED else 64)
    entries = [models.find(model) for model in space.get("model", [given.model])]
    for entry in entries:  # one alone may bring its own size, several have to share one
        size = models.size_for(entry, size, chosen=bool(given.size) or len(entries) > 1)
    dataset = datasets.load(given.data, size)
    print("\n".join(dataset.lines()), file=sys.stderr)  # what's wrong with the data is said before any worker starts
    name = given.study or f"{dataset_name(given.data)}-{given.model}"
    options = Options(
        name,
        given.db,
        given.data,
        given.model,
        given.epochs,
        size,
        given.sampler,
        given.trials,
        given.timeout,
        given.seed,
        space,
        device,
        max(1, hardware.cores() // given.workers) if given.workers > 1 else 0,
        dataset.checksum,
    )
    with database(options):
        study = open_study(options)
        bury_dead(study)
    if given.workers == 1:
        work(options)
    else:
        context = multiprocessing.get_context("spawn")
        workers = [context.Process(target=worker, args=(options, number)) for number in range(given.workers)]
        for process in workers:
            process.start()
        try:
            for process in workers:
                process.join()
        except KeyboardInterrupt:
            for process in workers:
                process.terminate()
            raise
    with database(options):
        path = write(options, study)
        best = study.best_trial
    print(
        f"{relative(path)}: best validation accuracy {best.value:.4f} with "
        + ", ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in best.params.items())
    )


if __name__ == "__main__":
    sys.exit(main())
