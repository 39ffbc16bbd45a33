"""What leaving one process costs and gives: images a second of N training processes over one, and the seconds that
fast_local_mode adds.

    python -m scripts.perf.scaling              # a few minutes; leave the machine alone meanwhile
    # and write report/data/scaling-<hardware>.csv, which report/scale.qmd shows
    python -m scripts.perf.scaling --write

Every process computes with one thread (or has one GPU). The runs take turns, 1, 2, …, 1, 2, …, so that a busy
neighbour slows all alike; each prints the images per second of its own steps, after warming up, by the clock of its
first process; the ratio is that of the medians. fast_local_mode is timed around a stand-in for the training that ends
at once, so that what remains is what it adds to the plain command.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from scripts.common import device as devices, hardware, provenance
from scripts.common.errors import UserError, cli
from scripts.common.paths import DATA
from scripts.perf import ran, verdict

TARGETS = {"two processes": 1.6, "fast_local_mode": 2.0}
# run_training whose training ends at once; says how long that took.
STAND_IN = """
import sys, time
from scripts.cloud import fast_local
from scripts.train import run_training
run, spent = fast_local.subprocess.run, []
def timed(command, **options):
    started = time.perf_counter()
    done = run([sys.executable, "-c", "pass"], **options)
    spent.append(time.perf_counter() - started)
    return done
fast_local.subprocess.run = timed
run_training.main(sys.argv[1:])
print(spent[0])
"""


def work(model: str, size: int, batch: int, steps: int, device: str) -> dict:
    """Train `model` for `steps` steps after three to warm up, with the processes that torchrun started; images per
    second of all together.
    """
    import torch

    from scripts.train import datasets, distributed, fit, models
    from scripts.train.recipe import Recipe

    where = distributed.device(device)
    if where == "cpu":
        torch.set_num_threads(1)
    with distributed.together(where):
        dataset = datasets.digits(size)
        network = models.build(models.find(model), len(dataset.classes), size).model
        trainer = fit.Trainer(network, dataset, Recipe(epochs=1000, batch=batch), 0, where, "fp32")
        generator, rows = torch.Generator(trainer.device).manual_seed(0), trainer.train_rows
        trainer.model.train()

        def step(number: int) -> float:
            started = time.perf_counter()
            at = number * batch % (len(rows) - batch)
            distributed.total(trainer.step(rows[at : at + batch], False, generator)).item()  # waits for everybody
            return time.perf_counter() - started

        for number in range(3):
            step(number)
        seconds = [step(number) for number in range(steps)]
        return {
            "images_per_sec": batch / statistics.median(seconds),
            "step_ms": 1000 * statistics.median(seconds),
            "rank": distributed.rank(),
        }


def launch(options: argparse.Namespace, size: int, processes: int) -> dict:
    """`work` in `processes` processes of its own. Raises UserError where it fails."""
    own = {name: str(getattr(options, name)) for name in ("model", "batch", "steps", "device")} | {"size": str(size)}
    given = ["--work", *(part for name, value in own.items() for part in (f"--{name}", value))]
    several = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)] * (processes > 1)
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = ran(*several, "-m", "scripts.perf.scaling", *given, timeout=900, env=one_thread)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise UserError(f"{processes} processes: {(done.stderr.strip().splitlines() or ['no output'])[-1][:200]}")
    return json.loads(lines[-1])


def overhead(rounds: int = 5) -> list[float]:
    """Seconds that run_training adds around a training that takes no time, folders, sample, process and reading
    back included.
    """
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            started = time.perf_counter()
            done = ran("-c", STAND_IN, "--out", folder, "--keep", folder, timeout=120)
            if done.returncode:
                raise UserError(f"fast_local_mode: {done.stderr.strip().splitlines()[-1][:200]}")
            found.append(time.perf_counter() - started - float(done.stdout.splitlines()[-1]))
    return found


@cli
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--model", default="resnet18")
    parser.add_argument(
        "--size",
        default="64,128",
        help="pixels a side, comma-separated: the gradients to exchange are the same, the computing between is not",
    )
    parser.add_argument("--batch", type=int, default=64, help="pictures in a step, of all processes together")
    parser.add_argument("--steps", type=int, default=6, help="timed in each run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each number of processes")
    parser.add_argument(
        "--processes", default="", help="numbers, comma-separated; empty: 1, 2, 4 … up to the cores or GPUs"
    )
    parser.add_argument("--device", default="auto", help=devices.CHOICES)
    parser.add_argument("--write", action="store_true", help="write report/data/scaling-<hardware>.csv")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.work:
        found = work(options.model, int(options.size), options.batch, options.steps, options.device)
        if not found.pop("rank"):
            print(json.dumps(found), flush=True)
        return
    device = devices.check(options.device)
    most = hardware.cores() if device == "cpu" else len(list(Path("/dev").glob("nvidia[0-9]*")))
    numbers = [int(part) for part in options.processes.split(",") if part]
    numbers = numbers or [number for number in (1, 2, 4, 8, 16, 32) if number <= max(most, 2)]
    runs = []
    for turn in range(options.rounds):
        for size in [int(part) for part in options.size.split(",")]:
            for processes in numbers:
                found = launch(options, size, processes)
                runs.append({"model": options.model, "size": size, "processes": processes, "round": turn + 1, **found})
                what = f"round {turn + 1}, {size} px, {processes} process{'es' * (processes > 1)}"
                print(f"{what}: {found['images_per_sec']:.1f} images/s", file=sys.stderr, flush=True)
    seconds = overhead()
    for (size, processes), (speed, ratio) in summary(runs).items():
        least = TARGETS["two processes"]
        wanted = f", target {least:g}: {verdict(ratio >= least)}" if processes == 2 else ""
        print(
            f"{options.model}, {size} px, batch {options.batch}: {processes} process{'es' * (processes > 1)} "
            f"{speed:.1f} images/s, {ratio:.2f}× of one{wanted}"
        )
    added = statistics.median(seconds)
    print(
        f"fast_local_mode adds {added:.2f} s (median of {len(seconds)}), target under {TARGETS['fast_local_mode']:g}: "
        f"{verdict(added < TARGETS['fast_local_mode'])}"
    )
    if options.write:
        write(runs, options, device, added)


def summary(runs: list[dict]) -> dict[tuple[int, int], tuple[float, float]]:
    """(size, processes) -> median images per second, and its ratio to the fewest processes at that size."""
    keys = sorted({(run["size"], run["processes"]) for run in runs})
    speeds = {
        key: statistics.median(run["images_per_sec"] for run in runs if (run["size"], run["processes"]) == key)
        for key in keys
    }
    fewest = min(processes for _, processes in keys)
    return {(size, processes): (speed, speed / speeds[size, fewest]) for (size, processes), speed in speeds.items()}


def write(runs: list[dict], options: argparse.Namespace, device: str, added: float) -> Path:
    import pandas as pd

    path = DATA / f"scaling-{hardware.slug(device)}.csv"
    table = pd.DataFrame(runs).round({"images_per_sec": 2, "step_ms": 2})
    settings = {name: getattr(options, name) for name in ("model", "batch", "steps")}
    settings |= {"precision": "fp32", "threads": 1}
    packages = ("torch", "timm")
    facts = provenance.sidecar(device, packages, settings=settings, fast_local_seconds=round(added, 2))
    provenance.write_pair(table, path, facts)
    print(f"wrote {path.name}")
    return path


if __name__ == "__main__":
    sys.exit(main())
