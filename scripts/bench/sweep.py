"""Measure many timm models on this machine, and keep what was measured.

One process measures them all (imports are paid once); a model that takes it down is tried once more in a fresh one, and
then becomes a row with its reason. Out comes
report/data/benchmark-{part}-{precision}-{layout}-pt{version}-{cuda|cpu}-{hardware}[-compiled].csv, the form of timm's
own tables with more columns (`measure.columns`), and its .json sidecar, both written anew after every model by
temporary file and rename. Interrupted or killed, the same command goes on where it was; once complete, it measures
again and replaces row by row.

    # this machine's inference speed, about two minutes
    python -m scripts.bench.sweep --models quick
    python -m scripts.bench.sweep --models quick --part train
    # the most telling models first: what predicting all others needs
    python -m scripts.bench.sweep --models design --minutes 2
    python -m scripts.bench.sweep --models key --device cuda --precision bf16 --compile --minutes 9
    # CSV, sidecar and what resuming needs, all in that folder
    python -m scripts.bench.sweep --models key --out folder
    python -m scripts.bench.sweep --models resnet50 'levit_*' --batch 1     # latency: batch1-infer-….csv
    python -m scripts.bench.sweep --models quick --curve                    # every batch size: curve-infer-….csv
    python -m scripts.bench.sweep --models repeat --repeat 3                # run-to-run: repeat-infer-….csv

On a CPU one thread computes unless --threads says otherwise, and the name says so: cpu1t; plain cpu is every core, as
in timm's files.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd

from scripts.bench import measure, roofline
from scripts.bench.process import Measurer
from scripts.bench.settings import Settings, add_arguments, settings_from
from scripts.common import device as devices, hardware, paths
from scripts.common.errors import UserError, cli
from scripts.common.progress import Progress
from scripts.common.provenance import sidecar
from scripts.common.table_run import Run, check_out, folder_of, locked
from scripts.common.words import duration

CURVE = {"cpu": (1, 2, 4, 8, 16, 32), "gpu": (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)}


def file_name(settings: Settings, machine: dict, curve: bool, repeat: int) -> str:
    """The name of the CSV. Only the fastest-batch sweep has timm's `benchmark-`: the others hold several rows of a
    model, or another batch.
    """
    threads = "" if settings.group == "gpu" or settings.threads == hardware.cores() else f"{settings.threads}t"
    name = hardware.benchmark_name(
        settings.part,
        settings.precision,
        settings.layout,
        machine["torch"],
        machine["platform"] + threads,
        machine["slug"],
        bool(settings.compile_mode),
    )
    what = "repeat" if repeat > 1 else "curve" if curve else f"batch{settings.batch}" if settings.batch else "benchmark"
    if settings.img_size:
        what += f"{settings.img_size}px" if what != "benchmark" else f"size{settings.img_size}px"
    if settings.cuda_graph:
        what += "graph"
    if settings.kept:
        what = f"kept{what.removeprefix('benchmark')}"
    return name.replace("benchmark", what, 1)


def plan(models: list[str], kind: str, curve: bool, repeat: int) -> list[dict]:
    """The tasks: each model once; at each batch size for a curve; in `repeat` rounds, so that minutes lie between
    two measurements of one.
    """
    if curve:
        return [{"model": name, "batch_asked": batch} for name in models for batch in CURVE[devices.group(kind)]]
    if repeat > 1:
        return [{"model": name, "round": turn} for turn in range(1, repeat + 1) for name in models]
    return [{"model": name} for name in models]


def run_to_run(frame: pd.DataFrame, part: str) -> pd.DataFrame:
    """Per model of a repeat-….csv: rounds, median images per second, and difference_pct = (largest - smallest) /
    median.
    """
    rate = f"{part}_samples_per_sec"
    frame = frame[frame["status"] == "ok"].assign(**{rate: lambda rows: rows[rate].astype(float)})
    by_model = frame.groupby("model", sort=False)[rate]
    spread = 100 * (by_model.max() - by_model.min()) / by_model.median()
    return (
        pd.DataFrame({"rounds": by_model.size(), rate: by_model.median(), "difference_pct": spread})
        .query("rounds > 1")
        .reset_index()
    )


def sweep(run: Run, measurer: Measurer, settings: Settings, minutes: float | None) -> int:
    """Do what is left of `run`. Stops before a model that would likely end after `minutes`. Returns how many tasks
    remain.
    """
    left, started, slowest = run.left(), time.monotonic(), 0.0
    run.note()
    if run.state.get("ceilings") is None and left:
        run.state["ceilings"] = measurer.ask("ceilings", settings.device, settings.precision, settings.threads)
    part = settings.part
    with Progress(
        len(run.tasks), "training speed" if part == "train" else "inference speed", len(run.tasks) - len(left)
    ) as progress:
        for task in left:
            begun = time.monotonic()
            if minutes is not None and begun - started + slowest > 60 * minutes:
                return len(run.left())
            now_ = replace(settings, batch=_batch(run, task, settings))
            why = _beyond(run, task, settings)
            row = {
                **(
                    measure.blank(task["model"], now_, why)
                    if why
                    else measurer.measure(task["model"], now_, run.state["ceilings"])
                ),
                **task,
            }
            run.add(row)
            slowest = max(slowest, time.monotonic() - begun)
            progress.advance(_line(row, part))
    raise_ceilings(run, measurer.ask("ceilings", settings.device, settings.precision, settings.threads), part)
    run.finish()
    return 0


def raise_ceilings(run: Run, again: dict, part: str) -> None:
    """Keep the higher of the ceilings at the start and `again`, at the end (a neighbour may have lowered either), and
    state this run's percentages by them.
    """
    run.state["ceilings"] = {
        name: max(value, again[name]) if isinstance(value, float) else value
        for name, value in run.state["ceilings"].items()
    }
    for row in map(run.row, run.tasks):
        if row["status"] == "ok":
            row.update(roofline.percentages(row, part, run.state["ceilings"]))
    run.write()


def _batch(run: Run, task: dict, settings: Settings) -> int | None:
    """The batch size of a task: its own on a curve; in later rounds what the first one found, so that only time
    differs.
    """
    if "batch_asked" in task:
        return int(task["batch_asked"])
    first = run.rows.get((task["model"], "1")) if task.get("round", 1) > 1 else None
    return int(float(first[f"{settings.part}_batch_size"])) if first and first["status"] == "ok" else settings.batch


def _beyond(run: Run, task: dict, settings: Settings) -> str:
    """Why a batch size of a curve is not worth trying, '' where it is: a smaller one filled the memory or, by its
    speed, a step of this one would outlast the model's budget."""
    for row in run.rows.values():
        if (
            row["model"] == task["model"]
            and "batch_asked" in task
            and str(row["batch_asked"]).isdigit()
            and int(row["batch_asked"]) < task["batch_asked"]
        ):
            if row["status"] == "failed" or int(float(row["batch_halved"] or 0)):
                return f"not tried: batch {row['batch_asked']} did not work"
            step = float(row[f"{settings.part}_step_time"] or 0) / 1e3 * task["batch_asked"] / int(row["batch_asked"])
            if step > settings.seconds:
                return (
                    f"not tried: a step would take about {step:.1f} s, longer than the budget of {settings.seconds:g} s"
                )
    return ""


def _line(row: dict, part: str) -> str:
    if row["status"] != "ok":
        return f"{row['model']}: {row['status']}, {row['reason']}"
    rate = row[f"{part}_samples_per_sec"]
    spread = 50 * (row["samples_per_sec_high"] - row["samples_per_sec_low"]) / rate
    return f"{row['model']}: {rate:.5g} images/s ± {spread:.1f}%, batch {row[f'{part}_batch_size']}"


def _told(run: Run, kind: str) -> str:
    """How far the design's models have come: what is expected of the predictions of all others."""
    from scripts.predict import design as predict_design

    kind = devices.group(kind)
    names, errors = predict_design.design(None, kind), predict_design.expected(kind)
    done = [name for name in names if any(row["model"] == name and row["status"] == "ok" for row in run.rows.values())]
    here = f"{len(done)} of the {len(names)} most telling models measured"
    if not done:
        return here
    return f"{here}: the others' speeds are expected to be off by {errors[len(done) - 1]:.0%}" + (
        ", and one more would hardly lower that"
        if len(done) == len(names)
        else f", with all by {errors[len(names) - 1]:.0%}"
    )


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument(
        "--models",
        nargs="+",
        default=["quick"],
        metavar="NAME",
        help="timm names, globs in quotes, or a set: quick, key, compiled, repeat, design, check, all",
    )
    add_arguments(options)
    options.add_argument("--curve", action="store_true", help="measure at every batch size that fits")
    options.add_argument(
        "--repeat",
        type=int,
        default=1,
        metavar="N",
        help="measure all models N times over, for the run-to-run difference",
    )
    options.add_argument(
        "--minutes", type=float, help="stop before a model that would end later than this; the same command goes on"
    )
    options.add_argument(
        "--out",
        type=Path,
        help="the CSV, or a folder for it (default: in report/data, named after what is measured and where)",
    )
    options.add_argument("--fresh", action="store_true", help="begin anew where an interrupted run could go on")
    options.add_argument("--list", action="store_true", help="print the models that --models names, and stop")
    return options


def go(arguments: list[str] | None = None) -> tuple[Path | None, int]:
    """A sweep by its command line. Returns its CSV and how many tasks remain; (None, 0) for --list."""
    options = parser().parse_args(arguments)
    folder = folder_of(options.out)
    if options.out and not folder:
        check_out(options.out)
    if options.curve and (options.batch != "auto" or options.repeat > 1):
        raise UserError("--curve measures every batch size once; leave --batch and --repeat away")
    if options.repeat < 1 or (options.minutes is not None and not options.minutes > 0):
        raise UserError("--repeat and --minutes: give a number over 0")
    with Measurer() as measurer:
        machine = measurer.ask("describe", options.device)
        models = measurer.ask(
            "choose", ["all"] if options.list and options.models == ["quick"] else options.models, machine["device"]
        )
        if options.list:
            print("\n".join(models))
            return None, 0
        settings = settings_from(options, machine["device"])
        facts = sidecar(
            settings.device,
            uuid=machine["uuid"],
            platform=machine["platform"],
            allocator="freed memory is kept" if settings.kept else "the C library's own way",
        )
        facts["code"] |= machine["code"]
        machine["slug"] = facts["hardware"]["slug"]
        out = (
            options.out
            if options.out and not folder
            else (folder or paths.DATA) / file_name(settings, machine, options.curve, options.repeat)
        )
        check_out(out)
        with locked(out):
            same = {**asdict(settings), "torch": machine["torch"], "timm": machine["timm"], "hardware": machine["slug"]}
            tasks = plan(models, settings.kind, options.curve, options.repeat)
            extra = [name for name in tasks[0] if name not in ("model", "batch_asked")]
            columns = [*measure.columns(settings.part), *extra]
            run = Run(out, columns, tasks, same, facts, options.fresh, bool(folder))
            started, before = time.monotonic(), len(run.left())
            remaining = sweep(run, measurer, settings, options.minutes)
        failed = [row for row in map(run.row, run.tasks) if row and row["status"] != "ok"]
        print(
            f"{paths.relative(out)}: {before - remaining} measured in {duration(time.monotonic() - started)}"
            + (
                f", {len(failed)} without figures ({', '.join(str(row['model']) for row in failed[:5])})"
                if failed
                else ""
            )
            + (f", {remaining} left: run the same command again" if remaining else "")
        )
        if "design" in options.models:
            print(_told(run, settings.kind))
        if options.repeat > 1 and not remaining:
            spread = run_to_run(pd.DataFrame(list(run.rows.values())), settings.part)["difference_pct"]
            if len(spread):
                print(
                    f"run-to-run difference over {len(spread)} models: median {spread.median():.2f}%, p95 "
                    f"{spread.quantile(0.95):.2f}%"
                )
    return out, remaining


@cli
def main(arguments: list[str] | None = None) -> int:
    go(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
