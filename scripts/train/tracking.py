"""Write down what a training run does: settings, metrics, confusion matrix, model. No account needed, and never in the run's way.

Every run has a folder of its own, runs/<date>-<name>/, with

    log.jsonl                      one JSON object a line, appended by single writes: whole but for the last line, even after kill -9
    events.out.tfevents.…          the same for TensorBoard (tensorboard --logdir runs)
    comet/<id>.zip                 with --tracker comet and no COMET_API_KEY: to upload later with `comet upload`; its path is printed

    with tracking.start("pets", {"arch": "resnet18", "lr": 1e-3}, tracker="local") as run:
        run.metrics({"loss": 0.71}, step=12)
        run.metrics({"accuracy": 0.81}, epoch=1)
        run.confusion([[8, 2], [1, 9]], ["cat", "dog"])

    python -m scripts.train.tracking                    # the runs on disk, newest first
    python -m scripts.train.tracking --write            # the same as report/data/runs-<hardware>.csv and …-history.csv, for the report
    python -m scripts.train.tracking --comet RUN        # send a run's log to Comet afterwards (offline zip without a key)

A tracker that fails is a warning, once, and then silent; the others go on. --tracker: local (default), comet (local as well), none.
"""

from __future__ import annotations

import argparse
import datetime
import json
import logging
import math
import os
import re
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, Sequence

from scripts.common import provenance
from scripts.common.errors import UserError, cli
from scripts.common.hardware import slug, slugify
from scripts.common.paths import DATA, ROOT, atomic_csv, relative

RUNS = ROOT / "runs"
TRACKERS = ("local", "comet", "none")
SCHEMA = 1
MAX_LINE = 4 * 2**20  # a longer line of a log is not ours
PROBE_SECONDS = 3.0   # Comet's own client tries for 35 s where there is no network


class Tracker:
    """What a run can be told. Every method may fail; `Run` turns that into a warning."""

    name = "nothing"

    def params(self, values: Mapping[str, Any]) -> None: ...
    def metrics(self, values: Mapping[str, float], step: int | None = None, epoch: int | None = None) -> None: ...
    def confusion(self, matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> None: ...
    def summary(self, text: str) -> None: ...
    def file(self, path: Path) -> None: ...
    def close(self, status: str) -> None: ...


class JsonLines(Tracker):
    """The log that is always there. A line is one write to a file opened for appending, so a kill leaves whole lines."""

    name = "the log"

    def __init__(self, path: Path, name: str):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._write("start", schema=SCHEMA, name=name, pid=os.getpid())

    def _write(self, event: str, **values) -> None:
        line = json.dumps({"event": event, "time": round(time.time(), 3), **_plain(values)}, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        if os.write(self.handle, line) != len(line):
            raise OSError("the disk took only a part of the line")

    def params(self, values):
        self._write("params", values=dict(values))

    def metrics(self, values, step=None, epoch=None):
        self._write("metrics", step=step, epoch=epoch, values=dict(values))

    def confusion(self, matrix, classes):
        self._write("confusion", matrix=[list(row) for row in matrix], classes=list(classes))

    def summary(self, text):
        self._write("summary", text=text)

    def file(self, path):
        self._write("file", path=relative(path), bytes=Path(path).stat().st_size, sha256=provenance.sha256(path))

    def close(self, status):
        self._write("end", status=status)
        os.close(self.handle)


class TensorBoard(Tracker):
    """Event files that TensorBoard reads."""

    name = "TensorBoard"

    def __init__(self, folder: Path):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        from torch.utils.tensorboard import SummaryWriter
        self.writer = SummaryWriter(str(folder), flush_secs=10)
        self.steps = 0

    def params(self, values):
        self.writer.add_text("settings", "\n".join(f"- {name}: `{value}`" for name, value in values.items()))

    def metrics(self, values, step=None, epoch=None):
        self.steps = step if step is not None else self.steps
        for name, value in values.items():
            if epoch is None or step is not None:
                self.writer.add_scalar(f"step/{name}", value, self.steps)
            if epoch is not None:
                self.writer.add_scalar(f"epoch/{name}", value, epoch)

    def confusion(self, matrix, classes):
        head = "| | " + " | ".join(map(str, classes)) + " |\n|" + "---|" * (len(classes) + 1)
        rows = [f"| {name} | " + " | ".join(map(str, row)) + " |" for name, row in zip(classes, matrix)]
        self.writer.add_text("confusion matrix", "\n".join([head, *rows]))

    def summary(self, text):
        self.writer.add_text("model", "```\n" + text + "\n```")

    def close(self, status):
        self.writer.close()


class Comet(Tracker):
    """Comet: online with COMET_API_KEY where the server answers and takes the key, offline otherwise. Nothing is logged but what it's told."""

    name = "Comet"
    QUIET = {"log_code": False, "log_graph": False, "auto_param_logging": False, "auto_metric_logging": False, "auto_output_logging": False,
             "parse_args": False, "log_git_metadata": False, "log_git_patch": False, "log_env_details": False, "log_env_gpu": False,
             "log_env_cpu": False, "log_env_host": False, "display_summary_level": 0}

    def __init__(self, folder: Path, name: str, say: Callable[[str], None]):
        os.environ["COMET_ERROR_TRACKING_ENABLE"] = "false"  # else it reports its own errors to a third party
        logging.getLogger("comet_ml").setLevel(logging.CRITICAL)
        key, why = os.environ.get("COMET_API_KEY", "").strip(), ""
        if key and not _answers(os.environ.get("COMET_URL_OVERRIDE", "https://www.comet.com/clientlib/")):
            why = "Comet's server cannot be reached"
        import comet_ml
        logging.getLogger("comet_ml").setLevel(logging.CRITICAL)
        self.experiment = None
        if key and not why:
            try:
                self.experiment = comet_ml.Experiment(api_key=key, project_name="best-image-models", **self.QUIET)
            except Exception as error:  # its client has errors of every kind, ValueError among them
                why = f"Comet refused ({type(error).__name__})"
            if self.experiment is not None and not self.experiment.alive:
                self.experiment, why = None, "Comet did not take the key in COMET_API_KEY"
        self.zip: Path | None = None
        if self.experiment is None:
            folder.mkdir(parents=True, exist_ok=True)
            self.experiment = comet_ml.OfflineExperiment(project_name="best-image-models", offline_directory=str(folder), **self.QUIET)
            self.zip = folder / f"{self.experiment.id}.zip"
            if why:
                say(f"{why}; this run is kept offline")
        self.experiment.set_name(name)
        self.say = say

    def params(self, values):
        self.experiment.log_parameters(dict(values))

    def metrics(self, values, step=None, epoch=None):
        self.experiment.log_metrics(dict(values), step=step, epoch=epoch)

    def confusion(self, matrix, classes):
        self.experiment.log_confusion_matrix(matrix=[list(row) for row in matrix], labels=list(classes))

    def summary(self, text):
        self.experiment.set_model_graph(text)

    def file(self, path):
        self.experiment.log_model(Path(path).parent.name, str(path))

    def close(self, status):
        self.experiment.log_other("status", status)
        self.experiment.end()
        if self.zip and self.zip.is_file():
            self.say(f"offline run for Comet: {self.zip}; upload it with: comet upload {self.zip}")


class Run(Tracker):
    """One run told to several trackers. As a context manager it closes them; after an exception the status says which."""

    def __init__(self, name: str, folder: Path | None):
        self.name, self.folder, self.trackers = name, folder, []

    def add(self, label: str, make: Callable[[], Tracker]) -> None:
        try:
            self.trackers.append(make())
        except Exception as error:
            self._warn(label, error)

    def _warn(self, label: str, error: BaseException) -> None:
        said = " ".join(str(error).split())[:160] or type(error).__name__
        print(f"warning: {label} failed ({said}); training goes on without it", file=sys.stderr, flush=True)

    def _tell(self, method: str, *args, **kwargs) -> None:
        for tracker in list(self.trackers):
            try:
                getattr(tracker, method)(*args, **kwargs)
            except Exception as error:
                self.trackers.remove(tracker)
                self._warn(tracker.name, error)

    def params(self, values):
        self._tell("params", values)

    def metrics(self, values, step=None, epoch=None):
        self._tell("metrics", values, step=step, epoch=epoch)

    def confusion(self, matrix, classes):
        self._tell("confusion", matrix, classes)

    def summary(self, text):
        self._tell("summary", text)

    def file(self, path):
        self._tell("file", path)

    def close(self, status="finished"):
        self._tell("close", status)
        self.trackers = []

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, kind, error, trace) -> None:
        self.close("finished" if kind is None else "interrupted" if issubclass(kind, KeyboardInterrupt) else f"failed: {str(error)[:200]}")


def start(name: str, params: Mapping[str, Any], tracker: str = "local", folder: Path | None = None) -> Run:
    """A new run called `name` with its settings `params`. tracker: local, comet or none. Raises UserError for another one."""
    if tracker not in TRACKERS:
        raise UserError(f"no tracker called {tracker[:40]!r}; choose {', '.join(TRACKERS)}")
    if tracker == "none":
        return Run(name, None)
    home = _new_folder(folder or RUNS, name)
    run = Run(name, home)
    run.add("the log", lambda: JsonLines(home / "log.jsonl", name))
    run.add("TensorBoard", lambda: TensorBoard(home))
    if tracker == "comet":
        run.add("Comet", lambda: Comet(home / "comet", name, lambda text: print(f"{name}: {text}", file=sys.stderr, flush=True)))
    run.params(params)
    return run


def _new_folder(parent: Path, name: str) -> Path:
    """runs/20261121-063812-name; a number is added where two runs start in one second."""
    stem = f"{datetime.datetime.now(datetime.timezone.utc):%Y%m%d-%H%M%S}-{slugify(name)}"
    for number in range(1, 1000):
        home = parent / (stem if number == 1 else f"{stem}-{number}")
        try:
            home.mkdir(parents=True)
            return home
        except FileExistsError:
            continue
        except OSError:
            return home  # the log says why it can't be written
    return parent / stem


def _plain(value):
    """`value` as JSON can say it: NumPy and torch scalars as numbers, numbers that are none as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def _answers(url: str, timeout: float = PROBE_SECONDS) -> bool:
    """Whether any HTTP server answers at `url`."""
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=timeout).close()
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False
    return True


# --- reading ----------------------------------------------------------------------------------------------------------------------


def events(folder: Path) -> Iterable[dict]:
    """The events of one run. A line that a kill cut short, or that isn't ours, is left out."""
    with open(folder / "log.jsonl", "rb") as file:
        for line in iter(lambda: file.readline(MAX_LINE), b""):
            try:
                event = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(event, dict) and isinstance(event.get("event"), str):
                yield event


def read_run(folder: Path) -> dict:
    """One run: run, name, started and seconds, status, params, history (one dict a metrics event), confusion, classes, files."""
    run = {"run": folder.name, "name": "", "started": 0.0, "seconds": 0.0, "status": "unfinished", "params": {}, "history": [],
           "confusion": None, "classes": [], "files": []}
    pid = 0
    for event in events(folder):
        kind, values = event["event"], event.get("values")
        if isinstance(event.get("time"), (int, float)):
            run["started"] = run["started"] or event["time"]
            run["seconds"] = event["time"] - run["started"]
        if kind == "start":
            run["name"], pid = str(event.get("name", "")), event.get("pid", 0)
        elif kind == "params" and isinstance(values, dict):
            run["params"].update(values)
        elif kind == "metrics" and isinstance(values, dict):
            run["history"].append({"step": event.get("step"), "epoch": event.get("epoch"), **values})
        elif kind == "confusion" and isinstance(event.get("matrix"), list):
            run["confusion"], run["classes"] = event["matrix"], event.get("classes", [])
        elif kind == "file":
            run["files"].append(str(event.get("path", "")))
        elif kind == "end":
            run["status"] = str(event.get("status", "finished"))
    if run["status"] == "unfinished" and isinstance(pid, int) and pid > 0 and Path(f"/proc/{pid}").exists() and time.time() - run["started"] < 86_400:
        run["status"] = "running"
    return run


def read_runs(folder: Path | None = None) -> list[dict]:
    """Every run on disk, newest first."""
    found = []
    for path in sorted((folder or RUNS).glob("*/log.jsonl"), reverse=True):
        try:
            found.append(read_run(path.parent))
        except OSError:
            continue
    return found


def table(runs: Sequence[dict]):
    """A data frame, a row per run: run, name, date, status, minutes, epochs, settings, and the last value of each metric told by epoch."""
    import pandas as pd
    rows = []
    for run in runs:
        last = {}
        for point in run["history"]:
            if point["epoch"] is not None:
                last.update({name: value for name, value in point.items() if name not in ("step", "epoch") and isinstance(value, (int, float))})
        date = datetime.datetime.fromtimestamp(run["started"], datetime.timezone.utc).strftime("%Y-%m-%d %H:%M") if run["started"] else ""
        settings = {name: value for name, value in run["params"].items() if isinstance(value, (str, int, float, bool))}
        epochs = [point["epoch"] for point in run["history"] if isinstance(point["epoch"], (int, float))]
        rows.append({"run": run["run"], "name": run["name"], "date": date, "status": run["status"].partition(":")[0], "minutes": round(run["seconds"] / 60, 2),
                     "epochs": max(epochs, default=0), "settings": json.dumps(settings, ensure_ascii=False), **last})
    return pd.DataFrame(rows)


def epochs(runs: Sequence[dict]):
    """A data frame, a row per run and epoch: run, name, epoch, and every metric told by epoch."""
    import pandas as pd
    rows = [{"run": run["run"], "name": run["name"], **{name: value for name, value in point.items() if name != "step"}}
            for run in runs for point in run["history"] if isinstance(point.get("epoch"), int)]
    return pd.DataFrame(rows, columns=None if rows else ["run", "name", "epoch"])


def find(name: str, folder: Path | None = None) -> Path:
    """The folder of the run called `name`, which may be shortened to its beginning. Raises UserError where there is none, or several."""
    folder = folder or RUNS
    matches = [path.parent for path in sorted(folder.glob("*/log.jsonl")) if path.parent.name.startswith(Path(name).name)] if name.strip("./") else []
    if len(matches) != 1 and not any(path.name == Path(name).name for path in matches):
        raise UserError(f"{len(matches) or 'no'} runs in {relative(folder)} are called {re.sub(r'[^ -~]', '?', name)[:60]!r}; "
                        "list them with python -m scripts.train.tracking")
    return next((path for path in matches if path.name == Path(name).name), matches[0])


def replay(folder: Path, tracker: Tracker) -> None:
    """Tell `tracker` what the run's log says."""
    run = read_run(folder)
    tracker.params(run["params"])
    for event in events(folder):
        if event["event"] == "metrics" and isinstance(event.get("values"), dict):
            numbers = {name: value for name, value in event["values"].items() if isinstance(value, (int, float))}
            tracker.metrics(numbers, step=event.get("step"), epoch=event.get("epoch"))
        elif event["event"] == "summary":
            tracker.summary(str(event.get("text", "")))
    if run["confusion"]:
        tracker.confusion(run["confusion"], run["classes"])
    tracker.close(run["status"])


@cli
def main() -> None:
    parser = argparse.ArgumentParser(description="The training runs on disk.")
    parser.add_argument("--write", action="store_true", help="write them to report/data/runs-<hardware>.csv, for the report")
    parser.add_argument("--comet", metavar="RUN", help="send a run's log to Comet (offline zip without COMET_API_KEY)")
    arguments = parser.parse_args()
    if arguments.comet:
        folder = find(arguments.comet)
        replay(folder, Comet(folder / "comet", folder.name, print))
        return
    runs = table(read_runs())
    if not len(runs):
        raise UserError(f"no runs in {relative(RUNS)}; train something first, for example python -m scripts.train.pets_export")
    if arguments.write:
        for name, frame in (("", runs), ("-history", epochs(read_runs()))):
            path = atomic_csv(frame, DATA / f"runs-{slug()}{name}.csv")
            provenance.write_sidecar(path, provenance.sidecar(packages=("torch", "fastai", "timm")))
            print(relative(path))
        return
    print(runs.drop(columns="settings").to_string(index=False))


if __name__ == "__main__":
    sys.exit(main())
