"""Measure networks in every runtime of this machine, the runtimes taking turns, so that drift hits all alike.

    python -m scripts.bench.runtimes                                    # the telling networks in every runtime here
    python -m scripts.bench.runtimes --models quick --minutes 5         # again goes on
    python -m scripts.bench.runtimes --models resnet50 --runtime eager openvino --precision fp32 int8
    python -m scripts.bench.runtimes --models quick --batch 1 --threads 2       # how long one photo takes

Out comes report/data/runtimes-infer-batch4-pt{version}-cpu1t-{hardware}.csv: timm's columns, the runtime and precision,
what exporting and compiling cost, how far the answers are from eager fp32's, and `times_eager`, the speed over eager
fp32's in the same rounds. With one thread the time is the processor's, what the process got of its core: beside other
work a wall clock would show that work. Weights are random: a speed depends on the arithmetic. A runtime that is not
installed or can't take a network is a row with its reason.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from scripts.bench import runtimes_worker
from scripts.bench.measure import significant
from scripts.bench.process import Crashed, Measurer
from scripts.bench.timing import MIN_BLOCKS, MIN_CORE_SHARE, TOLERANCE, median_interval
from scripts.common import device as devices, hardware, paths
from scripts.common.errors import UserError, cli
from scripts.common.progress import Progress
from scripts.common.provenance import now, sidecar
from scripts.common.schema.bench import RUNTIME_COLUMNS
from scripts.common.table_run import Run, check_out, folder_of, locked
from scripts.common.words import duration
from scripts.runtimes import check, kinds

BLOCK = 0.25  # seconds of a turn
PICTURES = 16  # on which answers are compared
FIRST = ("eager", "fp32")  # what all others are compared with
TIMM = (
    "infer_samples_per_sec infer_step_time infer_batch_size infer_img_size param_count infer_gmacs infer_macts".split()
)
COLUMNS = ["model", *TIMM, *RUNTIME_COLUMNS]
PACKAGE = {"onnxruntime": "onnxruntime", "tensorrt": "onnxruntime", "openvino": "openvino"}  # else torch


@dataclass(frozen=True)
class Settings:
    """seconds: budget a runtime and network, shared by all that take turns."""

    batch: int = 4
    threads: int = 1
    seconds: float = 2.0
    device: str = "cpu"
    img_size: int | None = None


class Turn(Measurer):
    """One runtime's process: its blocks so far, and why it can't go on ('' where it can)."""

    def __init__(self, asked: runtimes_worker.Asked):
        super().__init__(runtimes_worker.serve)
        self.asked, self.reason, self.status = asked, "", "ok"
        self.facts: dict = {}
        self.blocks: list[runtimes_worker.Block] = []
        self.agreement: check.Agreement | None = None

    def tell(self, verb: str, *arguments):
        """The process's answer; None where it has a reason instead."""
        if self.reason:
            return None
        try:
            return self.ask(verb, *arguments)
        except UserError as error:
            self.reason, self.status = str(error), "failed"
            if isinstance(error, Crashed):
                self.stop()
            return None

    def calm(self, block: runtimes_worker.Block) -> bool:
        return self.asked.threads > 1 or self.asked.device != "cpu" or block.share >= MIN_CORE_SHARE

    def mean(self, block: runtimes_worker.Block) -> float:
        """Seconds of a step of a block; with one thread on a CPU those that the process got of its core."""
        alone = self.asked.threads == 1 and self.asked.device == "cpu"
        return sum(block.steps) / len(block.steps) * (min(1.0, block.share) if alone and block.share > 0 else 1.0)

    def step(self) -> tuple[float, float, float, int]:
        """(median seconds of a step over blocks, interval, blocks left out): the undisturbed ones, all where most were
        disturbed.
        """
        good = [block for block in self.blocks if self.calm(block)]
        kept = good if 2 * len(good) >= len(self.blocks) else self.blocks
        means = [self.mean(block) for block in kept]
        return (*median_interval(means), len(self.blocks) - len(kept))

    def converged(self) -> bool:
        if len(self.blocks) < MIN_BLOCKS:
            return False
        middle, low, high, _ = self.step()
        return (high - low) / 2 <= TOLERANCE * middle


def pairs(runtimes: list[str], precisions: list[str], device: str) -> list[tuple[str, str]]:
    """(runtime, precision) to measure, eager fp32 first; those that no runtime of this kind has are left out."""
    kind = device.partition(":")[0]
    found = [
        (runtime, precision)
        for runtime, known in kinds.RUNTIMES.items()
        for precision in known.precisions
        if runtime in runtimes and precision in precisions and kind in known.devices
    ]
    return [FIRST, *(pair for pair in found if pair != FIRST)]


def measure(model: str, asked: list[tuple[str, str]], settings: Settings) -> list[dict]:
    """A row for each (runtime, precision) of `model`."""
    turns = [
        Turn(
            runtimes_worker.Asked(
                model, runtime, precision, settings.batch, settings.threads, settings.device, settings.img_size
            )
        )
        for runtime, precision in asked
    ]
    try:
        counts, expected = {}, None
        for turn in turns:
            turn.reason = kinds.why_not(turn.asked.runtime, turn.asked.precision, settings.device)
            turn.status = "failed" if turn.reason else "ok"
            turn.facts = turn.tell("load", turn.asked) or {}
            found = turn.tell("answers", PICTURES)
            if turn is turns[0]:
                counts, expected = turn.tell("count") or {}, found
            if found is not None and expected is not None:
                turn.agreement = check.compare(expected, found)
                if not turn.agreement.finite:
                    turn.reason, turn.status = "an answer held NaN or infinity", "nonfinite"
            turn.tell("block", 0)  # the first is for warmth
        take_turns(turns, settings.seconds)
        return [row(turn, turns[0], counts, settings) for turn in turns]
    finally:
        for turn in turns:
            turn.stop()


def take_turns(turns: list[Turn], seconds: float) -> None:
    """Rounds of a block each, in an order that moves on, until each is known to 1% or its seconds are used up."""
    begun = time.monotonic()
    while alive := [turn for turn in turns if not turn.reason]:
        shift = len(alive[0].blocks) % len(alive)
        for turn in alive[shift:] + alive[:shift]:
            if block := turn.tell("block", min(BLOCK, seconds / MIN_BLOCKS)):
                turn.blocks.append(block)
        used = time.monotonic() - begun
        few = min((len(turn.blocks) for turn in turns if not turn.reason), default=MIN_BLOCKS) < MIN_BLOCKS
        if used >= 3 * seconds * len(alive) or (not few and used >= seconds * len(alive)):
            return
        if not few and all(turn.converged() for turn in turns if not turn.reason):
            return


def times_eager(turn: Turn, eager: Turn) -> dict:
    """Speed over eager fp32's in the same rounds, with the interval of its median; {} where there is none."""
    rounds = list(zip(eager.blocks, turn.blocks))
    calm = [(one, own) for one, own in rounds if eager.calm(one) and turn.calm(own)]
    both = [eager.mean(one) / turn.mean(own) for one, own in (calm if 2 * len(calm) >= len(rounds) else rounds)]
    if not both:
        return {}
    middle, low, high = median_interval(both)
    names = ("times_eager", "times_eager_low", "times_eager_high")
    return {name: significant(value, 4) for name, value in zip(names, (middle, low, high))}


def row(turn: Turn, eager: Turn, counts: dict, settings: Settings) -> dict:
    """The cells of COLUMNS for one runtime."""
    asked, versions = turn.asked, kinds.versions()
    found = {
        **dict.fromkeys(COLUMNS, ""),
        "model": asked.model,
        "runtime": asked.runtime,
        "precision": asked.precision,
        "status": turn.status,
        "reason": turn.reason,
        "infer_batch_size": asked.batch,
        "threads": asked.threads,
        "layout": "nhwc" if asked.runtime == "nhwc" else "nchw",
        "version": versions.get(PACKAGE.get(asked.runtime, "torch"), ""),
        "torch": versions.get("torch", ""),
        "timm": versions.get("timm", ""),
        "measured_at": now(),
        **turn.facts,
        **{name if name == "param_count" else f"infer_{name}": round(value, 4) for name, value in counts.items()},
    }
    if turn.agreement and turn.agreement.finite:
        found |= {"difference": significant(turn.agreement.difference, 3)}
        found |= {"equal_top1": round(turn.agreement.equal_top1, 4)}
    if turn.reason or not turn.blocks:
        return found
    middle, low, high, left_out = turn.step()
    latencies = sorted(step for block in turn.blocks for step in block.steps)
    joules = sum(block.joules for block in turn.blocks) / (len(latencies) * asked.batch)
    memory = turn.tell("memory")
    return found | {
        "infer_samples_per_sec": significant(asked.batch / middle),
        "infer_step_time": significant(1e3 * middle),
        "samples_per_sec_low": significant(asked.batch / high),
        "samples_per_sec_high": significant(asked.batch / low),
        "converged": turn.converged(),
        **times_eager(turn, eager),
        "step_p50_ms": significant(1e3 * median(latencies)),
        "step_p90_ms": significant(1e3 * latencies[math.ceil(0.9 * len(latencies)) - 1]),
        "memory_mb": round(memory, 1) if memory and memory == memory else "",
        "energy_j": "" if math.isnan(joules) else significant(joules),
        "blocks": len(turn.blocks) - left_out,
        "blocks_left_out": left_out,
        "core_share": round(median(block.share for block in turn.blocks), 4),
    }


def file_name(settings: Settings, machine: dict) -> str:
    """runtimes-infer-batch4-pt2150-cpu1t-amd_epyc_2c.csv"""
    all_cores = settings.device != "cpu" or settings.threads == hardware.cores()
    threads = "" if all_cores else f"{settings.threads}t"
    size = f"-size{settings.img_size}px" if settings.img_size else ""
    digits = hardware.torch_digits(machine["torch"])
    return f"runtimes-infer-batch{settings.batch}{size}-pt{digits}-{machine['platform']}{threads}-{machine['slug']}.csv"


def sweep(run: Run, settings: Settings, minutes: float | None) -> int:
    """Measure what is left, network by network; stops before one that would likely end after `minutes`. Returns how
    many tasks remain.
    """
    left, started, slowest = run.left(), time.monotonic(), 0.0
    run.note()
    models = list(dict.fromkeys(task["model"] for task in left))
    all_models = list(dict.fromkeys(task["model"] for task in run.tasks))
    with Progress(len(all_models), "runtimes", len(all_models) - len(models)) as progress:
        for model in models:
            begun = time.monotonic()
            if minutes is not None and begun - started + slowest > 60 * minutes:
                return len(run.left())
            asked = [(task["runtime"], task["precision"]) for task in left if task["model"] == model]
            rows = measure(model, [FIRST, *(pair for pair in asked if pair != FIRST)], settings)
            for found in rows:
                if (found["runtime"], found["precision"]) in asked:
                    run.add(found)
            slowest = max(slowest, time.monotonic() - begun)
            progress.advance(line(rows))
    run.finish()
    return 0


def line(rows: list[dict]) -> str:
    """What came out, in a line: the fastest over eager."""
    known = [found for found in rows if found["infer_samples_per_sec"] != ""]
    if not known:
        return f"{rows[0]['model']}: {rows[0]['reason']}"
    best = max(known, key=lambda found: found["infer_samples_per_sec"])
    times = f", {best['times_eager']:.2f} times eager fp32" if best["times_eager"] != "" else ""
    label = kinds.RUNTIMES[best["runtime"]].label
    return f"{best['model']}: {label} {best['precision']} {best['infer_samples_per_sec']:.4g} images/s{times}"


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--models", nargs="+", default=["design"], metavar="NAME", help="as for scripts.bench.sweep")
    options.add_argument(
        "--runtime", nargs="+", default=list(kinds.RUNTIMES), choices=list(kinds.RUNTIMES), metavar="R"
    )
    options.add_argument(
        "--precision", nargs="+", default=list(kinds.PRECISIONS), choices=kinds.PRECISIONS, metavar="P"
    )
    options.add_argument("--device", default="auto", help=devices.CHOICES)
    options.add_argument("--batch", type=int, default=4)
    options.add_argument("--threads", default="1", help="CPU threads: a number, or all (default 1)")
    options.add_argument("--img-size", type=int, help="pixels; default: what the model is tested at")
    options.add_argument("--seconds", type=float, default=2.0, help="budget a runtime and network (default 2)")
    options.add_argument("--minutes", type=float, help="stop before a network that would end later; again goes on")
    options.add_argument("--out", type=Path, help="the CSV, or a folder for it (default: in report/data)")
    options.add_argument("--fresh", action="store_true", help="begin anew where an interrupted run could go on")
    return options


def settings_from(options: argparse.Namespace, device: str) -> Settings:
    """Raises UserError for a value that makes no sense."""
    cores = hardware.cores()
    threads = cores if options.threads == "all" else int(options.threads) if options.threads.isdigit() else 0
    if not 0 < threads <= cores:
        raise UserError(f"--threads {options.threads}: give all or a number from 1 to {cores}, the cores here")
    for name, low in (("batch", 1), ("seconds", 0.01), ("minutes", 0.01), ("img_size", 8)):
        value = getattr(options, name)
        if value is not None and not low <= value < 1e6:
            raise UserError(f"--{name.replace('_', '-')} {value:g}: give a number of {low} or more")
    return Settings(options.batch, threads, options.seconds, device, options.img_size)


@cli
def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    folder = folder_of(options.out)
    with Measurer() as measurer:
        machine = measurer.ask("describe", options.device)
        models = measurer.ask("choose", options.models, machine["device"])
    settings = settings_from(options, machine["device"])
    asked = pairs(options.runtime, options.precision, settings.device)
    packages = ("torch", "timm", "onnx", "onnxruntime", "openvino", "nncf")
    facts = sidecar(settings.device, packages, machine["uuid"], instructions=kinds.instructions())
    facts["code"] |= machine["code"]
    machine["slug"] = facts["hardware"]["slug"]
    out = options.out if options.out and not folder else (folder or paths.DATA) / file_name(settings, machine)
    check_out(out)
    with locked(out):
        tasks = [
            {"model": name, "runtime": runtime, "precision": precision}
            for name in models
            for runtime, precision in asked
        ]
        same = {**asdict(settings), "versions": facts["versions"], "hardware": machine["slug"]}
        run = Run(out, COLUMNS, tasks, same, facts, options.fresh, bool(folder))
        started, before = time.monotonic(), len(run.left())
        remaining = sweep(run, settings, options.minutes)
    print(
        f"{paths.relative(out)}: {before - remaining} rows in {duration(time.monotonic() - started)}"
        + (f", {remaining} left: run the same command again" if remaining else "")
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
