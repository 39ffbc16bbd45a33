"""Write down what a training run does: settings, metrics, confusion matrix, model. No account needed, and never in the
run's way.

Every run has a folder of its own, runs/<date>-<name>/, with

    log.jsonl  one JSON object a line, appended by single writes: whole but for the last line, even after kill -9
    events.out.tfevents.…          the same for TensorBoard (tensorboard --logdir runs)
    comet/<id>.zip  with --tracker comet and no COMET_API_KEY: to upload later with `comet upload`; its path is printed

    with tracking.start("pets", {"arch": "resnet18", "lr": 1e-3}, tracker="local") as run:
        run.metrics({"loss": 0.71}, step=12)
        run.metrics({"accuracy": 0.81}, epoch=1)
        run.confusion([[8, 2], [1, 9]], ["cat", "dog"])

A tracker that fails is a warning, once, and then silent; the others go on. --tracker: local (default), comet (local as
well), none. scripts.train.runs reads the logs.
"""

from __future__ import annotations

import datetime
import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.common import provenance
from scripts.common.errors import UserError
from scripts.common.hardware import slugify
from scripts.common.paths import ROOT, relative

RUNS = ROOT / "runs"
TRACKERS = ("local", "comet", "none")
SCHEMA = 1


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
    """The log that is always there. A line is one write to a file opened for appending, so a kill leaves whole
    lines.
    """

    name = "the log"

    def __init__(self, path: Path, name: str):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._write("start", schema=SCHEMA, name=name, pid=os.getpid())

    def _write(self, event: str, **values) -> None:
        line = (
            json.dumps(
                {"event": event, "time": round(time.time(), 3), **_plain(values)}, ensure_ascii=False, allow_nan=False
            ).encode()
            + b"\n"
        )
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


class Run(Tracker):
    """One run told to several trackers. As a context manager it closes them; after an exception the status says
    which.
    """

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
        self.close(
            "finished"
            if kind is None
            else "interrupted"
            if issubclass(kind, KeyboardInterrupt)
            else f"failed: {str(error)[:200]}"
        )


def start(name: str, params: Mapping[str, Any], tracker: str = "local", folder: Path | None = None) -> Run:
    """A new run called `name` with its settings `params`. tracker: local, comet or none. Raises UserError for
    another one.
    """
    if tracker not in TRACKERS:
        raise UserError(f"no tracker called {tracker[:40]!r}; choose {', '.join(TRACKERS)}")
    if tracker == "none":
        return Run(name, None)
    home = _new_folder(folder or RUNS, name)
    run = Run(name, home)
    run.add("the log", lambda: JsonLines(home / "log.jsonl", name))
    run.add("TensorBoard", lambda: TensorBoard(home))
    if tracker == "comet":
        from scripts.train.comet import Comet

        run.add(
            "Comet",
            lambda: Comet(home / "comet", name, lambda text: print(f"{name}: {text}", file=sys.stderr, flush=True)),
        )
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
