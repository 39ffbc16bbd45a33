"""Measure many timm models on this machine, and keep what was measured.

One process measures them all (imports are paid once); a model that takes it down is tried once more in a fresh one, and then becomes a
row with its reason. Out comes report/data/benchmark-{part}-{precision}-{layout}-pt{version}-{cuda|cpu}-{hardware}[-compiled].csv, the form
of timm's own tables with more columns (`measure.columns`), and its .json sidecar, both written anew after every model by temporary file and
rename. Interrupted or killed, the same command goes on where it was; once complete, it measures again and replaces row by row.

    python -m scripts.bench.sweep --models quick                       # this machine's inference speed, about two minutes
    python -m scripts.bench.sweep --models quick --part train
    python -m scripts.bench.sweep --models key --device cuda --precision bf16 --compile --minutes 9
    python -m scripts.bench.sweep --models resnet50 'levit_*' --batch 1     # latency: batch1-infer-….csv
    python -m scripts.bench.sweep --models quick --curve                    # every batch size: curve-infer-….csv
    python -m scripts.bench.sweep --models repeat --repeat 3                # run-to-run difference: repeat-infer-….csv

On a CPU one thread computes unless --threads says otherwise, and the name says so: cpu1t; plain cpu is every core, as in timm's files.
"""

from __future__ import annotations

import argparse
import contextlib
import glob
import hashlib
import json
import os
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd

from scripts.bench import measure, roofline
from scripts.bench.process import Measurer
from scripts.bench.settings import Settings, add_arguments, settings_from
from scripts.common import hardware, paths
from scripts.common.errors import UserError, cli, disk_error
from scripts.common.progress import Progress, duration
from scripts.common.provenance import now, sidecar, write_sidecar
from scripts.common.tables import read_table

CURVE = {"cpu": (1, 2, 4, 8, 16, 32), "cuda": (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)}


class Run:
    """A sweep on one CSV: its tasks, what is done, and the rows. A journal in the ignored cache says which run the rows belong to.

    tasks: dictionaries of the columns that tell rows apart (model, and batch_asked or round where the file has several of a model).
    """

    def __init__(self, out: Path, part: str, tasks: list[dict], settings: dict, facts: dict, fresh: bool = False):
        self.out, self.tasks, self.facts = out, tasks, facts
        self.extra = [name for name in tasks[0] if name not in ("model", "batch_asked")]
        self.columns = [*measure.columns(part), *self.extra]
        self.key = [*tasks[0]]
        self.rows = self._read()
        digest = hashlib.sha256(json.dumps([str(out.resolve()), settings, tasks], sort_keys=True).encode()).hexdigest()[:16]
        self.journal = paths.CACHE / "bench" / f"{out.stem[:80]}-{digest}.json"
        self.state = {} if fresh else self._resume()
        if not self.state:
            self.state = {"began": now(), "done": [], "ceilings": None, "settings": settings}

    def _read(self) -> dict[tuple, dict]:
        """The rows that are there, by key. Raises UserError for a file of another form: nothing is ever appended to it."""
        if not self.out.exists():
            return {}
        found = read_table(self.out)
        if list(found.columns) != self.columns:
            odd = sorted(set(found.columns) ^ set(self.columns))
            raise UserError(f"{self.out.name}: columns of another form ({', '.join(odd[:3]) or 'in another order'}); it was left as it is: move "
                            "it away, or name another file with --out")
        rows = {self._key(row): row for row in found.to_dict("records")}
        if len(rows) < len(found):
            raise UserError(f"{self.out.name}: the same {' + '.join(self.key)} stands twice; it was left as it is: mend it or move it away")
        return rows

    def _resume(self) -> dict:
        """The journal of an interrupted run with the same settings; {} where there is none, or it was completed, or is damaged."""
        try:
            state = json.loads(self.journal.read_text())
            return state if isinstance(state["done"], list) and isinstance(state["began"], str) and "ceilings" in state else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _key(self, row: dict) -> tuple:
        return tuple(str(row[name]) for name in self.key)

    def left(self) -> list[dict]:
        """Tasks that this run has not done; one whose row is gone from the file is done again."""
        done = {tuple(key) for key in self.state["done"]}
        return [task for task in self.tasks if self._key(task) not in done or self._key(task) not in self.rows]

    def note(self) -> None:
        """Write the journal."""
        paths.CACHE.mkdir(parents=True, exist_ok=True)
        paths.atomic_write(self.journal, json.dumps(self.state))

    def add(self, row: dict) -> None:
        """Put a measured row in its place (or at the end) and write CSV, sidecar and journal."""
        key = self._key(row)
        self.rows[key] = {name: row.get(name, "") for name in self.columns}
        self.state["done"].append(list(key))
        self._write()
        self.note()

    def _write(self) -> None:
        """The CSV, then its sidecar."""
        paths.atomic_csv(pd.DataFrame(list(self.rows.values()), columns=self.columns), self.out)
        mine = {self._key(task) for task in self.tasks}
        write_sidecar(self.out, {**self.facts, "date": now(), "began": self.state["began"], "ceilings": self.state["ceilings"],
                                 "settings": self.state["settings"], "models": len({task["model"] for task in self.tasks}),
                                 "rows": len(self.rows), "rows_of_other_runs": len(set(self.rows) - mine), "complete": not self.left()})

    def raise_ceilings(self, again: dict, part: str) -> None:
        """Keep the higher of the ceilings at the start and `again`, at the end (a neighbour may have lowered either), and state this run's
        percentages by them."""
        self.state["ceilings"] = {name: max(value, again[name]) if isinstance(value, float) else value for name, value in self.state["ceilings"].items()}
        for task in self.tasks:
            row = self.rows[self._key(task)]
            if row["status"] == "ok":
                row.update(roofline.percentages(row, part, self.state["ceilings"]))
        self._write()

    def finish(self) -> None:
        self.journal.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(out: Path):
    """Hold the lock of `out`; UserError where another sweep holds it. The lock ends with the process, however that ends."""
    folder = paths.CACHE / "bench"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = open(folder / f"{hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:16]}.lock", "a")
    except OSError as error:
        raise disk_error(error, folder) from None
    with file:
        try:
            _lock(file)
        except OSError:
            raise UserError(f"{out.name}: another sweep is writing it; wait for that one, or name another file with --out") from None
        for left in out.parent.glob(f".{glob.escape(out.stem[:70])}*.tmp"):  # by a run that was killed while it wrote
            left.unlink(missing_ok=True)
        yield


def _lock(file) -> None:
    """An exclusive lock of the operating system's on an open file; OSError where it is taken."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def check_out(out: Path) -> Path:
    """`out`, if a CSV can be written there. Raises UserError before anything is measured."""
    if out.suffix != ".csv":
        raise UserError(f"--out {out}: name a file that ends in .csv")
    if not out.parent.is_dir():
        raise UserError(f"--out {out}: the folder {out.parent} does not exist; create it first")
    if out.is_dir() or not os.access(out.parent, os.W_OK) or (out.exists() and not os.access(out, os.W_OK)):
        raise UserError(f"--out {out}: cannot be written; choose another place or change its permissions")
    return out


def file_name(settings: Settings, machine: dict, curve: bool, repeat: int) -> str:
    """The name of the CSV. Only the fastest-batch sweep has timm's `benchmark-`: the others hold several rows of a model, or another batch."""
    threads = "" if settings.kind == "cuda" or settings.threads == hardware.cores() else f"{settings.threads}t"
    name = hardware.benchmark_name(settings.part, settings.precision, settings.layout, machine["torch"], machine["platform"] + threads,
                                   machine["slug"], bool(settings.compile_mode))
    what = "repeat" if repeat > 1 else "curve" if curve else f"batch{settings.batch}" if settings.batch else "benchmark"
    if settings.img_size:
        what += f"{settings.img_size}px" if what != "benchmark" else f"size{settings.img_size}px"
    if settings.cuda_graph:
        what += "graph"
    return name.replace("benchmark", what, 1)


def plan(models: list[str], kind: str, curve: bool, repeat: int) -> list[dict]:
    """The tasks: each model once; at each batch size for a curve; in `repeat` rounds, so that minutes lie between two measurements of one."""
    if curve:
        return [{"model": name, "batch_asked": batch} for name in models for batch in CURVE[kind]]
    if repeat > 1:
        return [{"model": name, "round": turn} for turn in range(1, repeat + 1) for name in models]
    return [{"model": name} for name in models]


def run_to_run(frame: pd.DataFrame, part: str) -> pd.DataFrame:
    """Per model of a repeat-….csv: rounds, median images per second, and difference_pct = (largest - smallest) / median."""
    rate = f"{part}_samples_per_sec"
    frame = frame[frame["status"] == "ok"].assign(**{rate: lambda rows: rows[rate].astype(float)})
    by_model = frame.groupby("model", sort=False)[rate]
    spread = 100 * (by_model.max() - by_model.min()) / by_model.median()
    return pd.DataFrame({"rounds": by_model.size(), rate: by_model.median(), "difference_pct": spread}).query("rounds > 1").reset_index()


def sweep(run: Run, measurer: Measurer, settings: Settings, minutes: float | None) -> int:
    """Do what is left of `run`. Stops before a model that would likely end after `minutes`. Returns how many tasks remain."""
    left, started, slowest = run.left(), time.monotonic(), 0.0
    run.note()
    if run.state["ceilings"] is None and left:
        run.state["ceilings"] = measurer.ask("ceilings", settings.device, settings.precision, settings.threads)
    part = settings.part
    with Progress(len(run.tasks), "training speed" if part == "train" else "inference speed", len(run.tasks) - len(left)) as progress:
        for task in left:
            begun = time.monotonic()
            if minutes is not None and begun - started + slowest > 60 * minutes:
                return len(run.left())
            row = {**measurer.measure(task["model"], replace(settings, batch=_batch(run, task, settings)), run.state["ceilings"]), **task}
            run.add(row)
            slowest = max(slowest, time.monotonic() - begun)
            progress.advance(_line(row, part))
    run.raise_ceilings(measurer.ask("ceilings", settings.device, settings.precision, settings.threads), part)
    run.finish()
    return 0


def _batch(run: Run, task: dict, settings: Settings) -> int | None:
    """The batch size of a task: its own on a curve; in later rounds what the first one found, so that only time differs."""
    if "batch_asked" in task:
        return int(task["batch_asked"])
    first = run.rows.get((task["model"], "1")) if task.get("round", 1) > 1 else None
    return int(float(first[f"{settings.part}_batch_size"])) if first and first["status"] == "ok" else settings.batch


def _line(row: dict, part: str) -> str:
    if row["status"] != "ok":
        return f"{row['model']}: {row['status']}, {row['reason']}"
    rate = row[f"{part}_samples_per_sec"]
    spread = 50 * (row["samples_per_sec_high"] - row["samples_per_sec_low"]) / rate
    return f"{row['model']}: {rate:.5g} images/s ± {spread:.1f}%, batch {row[f'{part}_batch_size']}"


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--models", nargs="+", default=["quick"], metavar="NAME",
                         help="timm names, globs in quotes, or a set: quick, key, compiled, repeat, all")
    add_arguments(options)
    options.add_argument("--curve", action="store_true", help="measure at every batch size that fits")
    options.add_argument("--repeat", type=int, default=1, metavar="N", help="measure all models N times over, for the run-to-run difference")
    options.add_argument("--minutes", type=float, help="stop before a model that would end later than this; the same command goes on")
    options.add_argument("--out", type=Path, help="the CSV (default: in report/data, named after what is measured and where)")
    options.add_argument("--fresh", action="store_true", help="begin anew where an interrupted run could go on")
    options.add_argument("--list", action="store_true", help="print the models that --models names, and stop")
    return options


@cli
def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    if options.out:
        check_out(options.out)
    if options.curve and (options.batch != "auto" or options.repeat > 1):
        raise UserError("--curve measures every batch size once; leave --batch and --repeat away")
    if options.repeat < 1 or (options.minutes is not None and not options.minutes > 0):
        raise UserError("--repeat and --minutes: give a number over 0")
    with Measurer() as measurer:
        models = measurer.ask("choose", ["all"] if options.list and options.models == ["quick"] else options.models)
        if options.list:
            print("\n".join(models))
            return 0
        machine = measurer.ask("describe", options.device)
        settings = settings_from(options, machine["device"])
        facts = sidecar(settings.device, platform=machine["platform"])
        machine["slug"] = facts["hardware"]["slug"]
        out = check_out(options.out or paths.DATA / file_name(settings, machine, options.curve, options.repeat))
        with locked(out):
            same = {**asdict(settings), "torch": machine["torch"], "timm": machine["timm"], "hardware": machine["slug"]}
            run = Run(out, settings.part, plan(models, settings.kind, options.curve, options.repeat), same, facts, options.fresh)
            started, before = time.monotonic(), len(run.left())
            remaining = sweep(run, measurer, settings, options.minutes)
        failed = [row for row in map(run.rows.get, map(run._key, run.tasks)) if row and row["status"] != "ok"]
        print(f"{paths.relative(out)}: {before - remaining} measured in {duration(time.monotonic() - started)}"
              + (f", {len(failed)} without figures ({', '.join(str(row['model']) for row in failed[:5])})" if failed else "")
              + (f", {remaining} left: run the same command again" if remaining else ""))
        if options.repeat > 1 and not remaining:
            spread = run_to_run(pd.DataFrame(list(run.rows.values())), settings.part)["difference_pct"]
            if len(spread):
                print(f"run-to-run difference over {len(spread)} models: median {spread.median():.2f}%, p95 {spread.quantile(0.95):.2f}%")
    return 0


if __name__ == "__main__":
    sys.exit(main())
