"""Read the logs that training left in runs/: list them, write them down for the report, tell one to Comet afterwards.

    python -m scripts.train.runs                    # the runs on disk, newest first
    # the same as report/data/runs-<hardware>.csv and …-history.csv, for the report;
    python -m scripts.train.runs --write
                                                    # pets_export and train_cnn do so themselves when they end
    python -m scripts.train.runs --comet RUN        # send a run's log to Comet (offline zip without a key)

A run that was killed has a log that is whole but for its last line; what is not a line of ours is left out.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from scripts.common import provenance
from scripts.common.errors import UserError, cli
from scripts.common.hardware import slug
from scripts.common.paths import DATA, relative
from scripts.train import tracking

MAX_LINE = 4 * 2**20  # a longer line of a log is not ours


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
    """One run: run, name, started and seconds, status, params, history (one dict a metrics event), confusion,
    classes, files.
    """
    run = {
        "run": folder.name,
        "name": "",
        "started": 0.0,
        "seconds": 0.0,
        "status": "unfinished",
        "params": {},
        "history": [],
        "confusion": None,
        "classes": [],
        "files": [],
    }
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
    if (
        run["status"] == "unfinished"
        and isinstance(pid, int)
        and pid > 0
        and Path(f"/proc/{pid}").exists()
        and time.time() - run["started"] < 86_400
    ):
        run["status"] = "running"
    return run


def read_runs(folder: Path | None = None) -> list[dict]:
    """Every run on disk, newest first."""
    found = []
    for path in sorted((folder or tracking.RUNS).glob("*/log.jsonl"), reverse=True):
        try:
            found.append(read_run(path.parent))
        except OSError:
            continue
    return found


def table(runs: Sequence[dict]):
    """A data frame, a row per run: run, name, date, status, minutes, epochs, settings, and the last value of each
    metric told by epoch.
    """
    import pandas as pd

    rows = []
    for run in runs:
        last = {}
        for point in run["history"]:
            if point["epoch"] is not None:
                last.update(
                    {
                        name: value
                        for name, value in point.items()
                        if name not in ("step", "epoch") and isinstance(value, (int, float))
                    }
                )
        date = (
            datetime.datetime.fromtimestamp(run["started"], datetime.timezone.utc).strftime("%Y-%m-%d %H:%M")
            if run["started"]
            else ""
        )
        settings = {name: value for name, value in run["params"].items() if isinstance(value, (str, int, float, bool))}
        epochs = [point["epoch"] for point in run["history"] if isinstance(point["epoch"], (int, float))]
        rows.append(
            {
                "run": run["run"],
                "name": run["name"],
                "date": date,
                "status": run["status"].partition(":")[0],
                "minutes": round(run["seconds"] / 60, 2),
                "epochs": max(epochs, default=0),
                "settings": json.dumps(settings, ensure_ascii=False),
                **last,
            }
        )
    return pd.DataFrame(rows)


def epochs(runs: Sequence[dict]):
    """A data frame, a row per run and epoch: run, name, epoch, and every metric told by epoch."""
    import pandas as pd

    rows: dict[tuple, dict] = {}
    for run in runs:
        for point in run["history"]:
            if isinstance(point.get("epoch"), int):
                row = rows.setdefault((run["run"], point["epoch"]), {"run": run["run"], "name": run["name"]})
                row.update(
                    {name: value for name, value in point.items() if name != "step" and isinstance(value, (int, float))}
                )
    return pd.DataFrame(list(rows.values()), columns=None if rows else ["run", "name", "epoch"])


def write(device: str = "cpu") -> list[Path]:
    """The runs on disk as report/data/runs-<hardware>.csv, a row each, and …-history.csv, a row per epoch. Raises
    UserError where there are none.
    """
    found = [run for run in read_runs() if run["history"]]
    if not found:
        raise UserError(
            f"no runs in {relative(tracking.RUNS)}; train something first, for example python -m "
            "scripts.train.pets_export"
        )
    sidecar = provenance.sidecar(device, ("torch", "fastai", "timm"))
    paths = []
    for name, frame in (("", table(found)), ("-history", epochs(found))):
        paths.append(provenance.write_pair(frame, DATA / f"runs-{slug(device)}{name}.csv", sidecar))
    return paths


def note(device: str) -> None:
    """`write` when a training has ended: where that can't be done, it is a warning, since the training has tables
    of its own.
    """
    try:
        write(device)
    except UserError as error:
        print(f"warning: this run is not on the page of runs ({error})", file=sys.stderr)


def find(name: str, folder: Path | None = None) -> Path:
    """The folder of the run called `name`, which may be shortened to its beginning. Raises UserError where there is
    none, or several.
    """
    folder = folder or tracking.RUNS
    matches = (
        [path.parent for path in sorted(folder.glob("*/log.jsonl")) if path.parent.name.startswith(Path(name).name)]
        if name.strip("./")
        else []
    )
    if len(matches) != 1 and not any(path.name == Path(name).name for path in matches):
        raise UserError(
            f"{len(matches) or 'no'} runs in {relative(folder)} are called {re.sub(r'[^ -~]', '?', name)[:60]!r}; "
            "list them with python -m scripts.train.runs"
        )
    return next((path for path in matches if path.name == Path(name).name), matches[0])


def replay(folder: Path, tracker: tracking.Tracker) -> None:
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
    parser.add_argument(
        "--write", action="store_true", help="write them to report/data/runs-<hardware>.csv, for the report"
    )
    parser.add_argument("--comet", metavar="RUN", help="send a run's log to Comet (offline zip without COMET_API_KEY)")
    arguments = parser.parse_args()
    if arguments.comet:
        folder = find(arguments.comet)
        from scripts.train.comet import Comet

        replay(folder, Comet(folder / "comet", folder.name, print))
        return
    if arguments.write:
        print("\n".join(relative(path) for path in write()))
        return
    found = read_runs()
    if not found:
        raise UserError(
            f"no runs in {relative(tracking.RUNS)}; train something first, for example python -m "
            "scripts.train.pets_export"
        )
    print(table(found).drop(columns="settings").to_string(index=False))


if __name__ == "__main__":
    sys.exit(main())
