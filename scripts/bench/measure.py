"""Measure one timm model on this machine: how many images a second it classifies, or trains on.

Random weights and random images, held on the device and rotated so that none is still in the last-level cache;
inference mode, or a whole training step (forward, loss, backward, optimiser). `timing` says when it is warm and when it
is known well enough. Out comes one row: timm's columns, then ours (`columns`). A model that fails is a row with its
reason.

    # inference here, the fastest batch size that fits, as JSON
    python -m scripts.bench.measure resnet50
    python -m scripts.bench.measure levit_128s --part train --batch 8 --device cuda --precision amp --layout nhwc
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import sys
import time

from scripts.bench import roofline
from scripts.bench.loaded import Bench, Memory, OutOfMemory, input_size
from scripts.bench.settings import Settings, add_arguments, check_device, prepare, settings_from
from scripts.common import device as devices
from scripts.common.errors import cli
from scripts.common.provenance import now
from scripts.common.schema.bench import OUR_COLUMNS

BATCHES = {
    ("cpu", "infer"): (1, 64),
    ("cpu", "train"): (2, 64),
    ("gpu", "infer"): (128, 1024),
    ("gpu", "train"): (64, 512),
}
WORTH_IT = 1.03  # a larger batch must be this much faster: what is less is noise, and the smaller one answers sooner

# timm's columns carry the part (infer_…, train_…); then what timm's tables lack.
TIMM_COLUMNS = (
    "{}_samples_per_sec",
    "{}_step_time",
    "{}_batch_size",
    "{}_img_size",
    "param_count",
    "{}_gmacs",
    "{}_macts",
)


def columns(part: str) -> list[str]:
    """The columns of a row, in order."""
    return ["model", *(name.format(part) for name in TIMM_COLUMNS), *OUR_COLUMNS]


def blank(name: str, settings: Settings, reason: str = "") -> dict:
    """The row of a model without figures, for `reason`."""
    return {
        **dict.fromkeys(columns(settings.part), ""),
        "model": name,
        "status": "failed",
        "reason": reason,
        "batch_asked": settings.batch or "auto",
        "batch_halved": 0,
        "threads": settings.threads,
        "precision": settings.precision,
        "layout": settings.layout,
        "compile_mode": settings.compile_mode,
        "cuda_graph": settings.cuda_graph,
        "measured_at": now(),
    }


def fastest_batch(bench: Bench, budget: float) -> int:
    """Doubles the batch until that no longer pays, no longer fits, or a step would outlast an eighth of `budget`
    seconds, so that the timing which follows sees several, or probing took a third of it. Of those within 3% of the
    fastest, the smallest."""
    batch, largest = BATCHES[devices.group(bench.settings.kind), bench.settings.part]
    longest = budget / 8  # of two steps
    rates: dict[int, float] = {}
    spent = 0.0  # without first steps: on a GPU these compile kernels and try algorithms, for seconds
    while batch <= largest:
        bench.free()  # what the last batch held
        try:
            start = time.perf_counter()
            # the smallest, where even half of a first step is too long, is what is taken, however fast
            seconds = bench.probe(batch, budget / 40, longest if not rates else 2 * longest)
            spent += time.perf_counter() - start - (bench.first_seconds if devices.on_gpu(bench.settings.kind) else 0)
        except OutOfMemory:
            if rates or batch == 1:
                break
            batch = largest = batch // 2  # not even the smallest fits: look below it
            continue
        except RuntimeError as error:
            if rates and "CUDA error" not in str(error):
                break  # a kernel that can't index a tensor so large
            raise
        rates[batch] = batch / seconds
        best = max(rates, key=rates.get)
        if batch >= 4 * best or 2 * seconds > longest or spent > budget / 3:
            break
        batch *= 2
    if not rates:
        raise OutOfMemory("not even the smallest batch fits")
    return min(size for size, rate in rates.items() if rate * WORTH_IT >= max(rates.values()))


def measure(name: str, settings: Settings, ceilings: dict | None = None) -> dict:
    """One row (`columns(settings.part)`) for the timm model `name`. ceilings: of this machine, from
    `roofline.ceilings`, for the two percentages.

    Never raises for the model's sake: a failure is a row with status and reason. A CUDA fault is raised, since the
    process is then lost.
    """
    import timm
    import torch

    started = time.perf_counter()
    part = settings.part
    row = {**blank(name, settings), "torch": str(torch.__version__), "timm": timm.__version__}
    try:
        row[f"{part}_img_size"] = input_size(name, part, settings.img_size)[-1]
        figures = _figures(name, settings)
        row.update(figures)
        if row["status"] == "ok" and ceilings:
            row.update(roofline.percentages(row, part, ceilings))
    except OutOfMemory:
        row["reason"] = "out of memory at the smallest batch"
    except Exception as error:  # any model may fail in any way, and the others are still to be measured
        if "CUDA error" in str(error):
            raise
        row["reason"] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    finally:
        if settings.compile_mode:
            torch._dynamo.reset()
        gc.collect()
        devices.empty_cache(settings.kind)
    row.update(measured_at=now(), wall_secs=round(time.perf_counter() - started, 3))
    return {key: _plain(value) for key, value in row.items()}


def _figures(name: str, settings: Settings) -> dict:
    """The measured cells of a row."""
    from scripts.bench.count import count

    part = settings.part
    prepare(settings.device, settings.threads, settings.kept)
    memory = Memory(settings.device)
    bench = Bench(name, settings)
    single, halved, batch = None, 0, settings.batch
    # compiled, another batch size would be another compilation
    wants_single = batch is None and part == "infer" and not settings.compile_mode
    if batch is None:
        batch = fastest_batch(bench, settings.seconds)
    if wants_single and (batch > 1 or settings.group == "gpu"):  # else it is what is timed below
        single = bench.time(1, settings.seconds / 8, settings.seconds / 40, alone=True)
    if settings.compile_mode:
        bench.compile()
    while True:
        bench.free()
        memory.reset()
        try:
            timing = bench.time(
                batch, settings.seconds * (0.45 if settings.batch is None else 0.8), settings.seconds * 0.1
            )
            break
        except OutOfMemory:
            if batch == 1:
                raise
            batch, halved = batch // 2, halved + 1
    counts = {
        f"{part}_{key}" if key != "param_count" else key: round(value, 4)
        for key, value in count(name, bench.size).items()
    }
    found = {**counts, f"{part}_batch_size": batch, "batch_halved": halved, "build_secs": round(bench.build_seconds, 3)}
    if timing is None:
        return {**found, "status": "nonfinite", "reason": "the output held NaN or infinity"}
    if wants_single and batch == 1:
        single = single or timing
    chip = dict(timing.chip)
    energy = chip.pop("energy_j_per_step", math.nan) / batch
    return {
        **found,
        "status": "ok",
        f"{part}_samples_per_sec": significant(batch / timing.step),
        f"{part}_step_time": significant(timing.step * 1e3),
        "samples_per_sec_low": significant(batch / timing.high),
        "samples_per_sec_high": significant(batch / timing.low),
        "converged": timing.converged,
        **{f"step_p{p}_ms": significant(timing.percentile(p / 100) * 1e3) for p in (50, 90, 99)},
        **({f"batch1_p{p}_ms": significant(single.percentile(p / 100) * 1e3) for p in (50, 90)} if single else {}),
        "peak_memory_mb": round(memory.peak_mb(), 1),
        "compile_secs": round(bench.compile_seconds, 2) if settings.compile_mode else "",
        "warm_steps": timing.warm_steps,
        "blocks": timing.blocks,
        "blocks_left_out": timing.blocks_left_out,
        "core_share": round(timing.core_share, 4),
        "timed_secs": round(timing.timed_seconds, 3),
        "energy_j": significant(energy),
        **{key: round(value, 3) for key, value in chip.items()},
    }


def significant(value: float, digits: int = 5) -> float:
    """`value` to so many significant digits."""
    return float(f"{value:.{digits}g}")


def _plain(value):
    """A cell: empty for NaN."""
    return "" if isinstance(value, float) and math.isnan(value) else value


@cli
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a timm model")
    add_arguments(parser)
    arguments = parser.parse_args()
    from scripts.bench.models import choose

    settings = settings_from(arguments, check_device(arguments.device))
    (name,) = choose([arguments.model], exact=True)
    row = measure(name, settings)
    print(json.dumps({key: value for key, value in row.items() if value != ""}, indent=2))
    return 0 if row["status"] == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
