"""Our sweep against a process per model with timm's protocol: wall time, the share of it spent timing, and whether the
speeds agree.

The other side is what timm's benchmark.py does under bulk_runner.py: a fresh process for each model, 10 warm-up and 40
timed steps, one input, the mean. Same models, same batch, fp32, one thread; the two take turns model by model, and who
goes first alternates, so that a busy neighbour hits both alike. The sweep's start (imports, once) is counted in. A pair
of which one side got less than 95% of its core is measured again, up to TRIES times: the mean of forty steps has no
defence against a neighbour, and what is to be compared is the methods. Pairs that stayed disturbed are marked, and left
out of the agreement.

    python -m scripts.perf.bench                                   # the quick set, about eight minutes on one core
    python -m scripts.perf.bench --models resnet18 levit_128s --batch 1
    python -m scripts.perf.bench --kept-memory     # both sides with the memory kept that a step frees
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from statistics import median

from scripts.bench.timing import MIN_CORE_SHARE
from scripts.common.errors import UserError, cli
from scripts.perf import ran

WARM_STEPS, TIMED_STEPS = 10, 40  # timm's benchmark.py
TRIES = 3


def process_for_one(name: str, batch: int, kept: bool = False) -> dict:
    """timm's protocol for one model in this process, on the CPU with one thread: images per second and seconds spent
    timing. kept: keep the memory that a step frees."""
    import timm
    import torch

    from scripts.bench.loaded import input_size
    from scripts.runtimes.allocator import keep_freed_memory

    if kept:
        keep_freed_memory()
    torch.set_num_threads(1)
    model = timm.create_model(name).eval()
    images = torch.randn(batch, *input_size(name, "infer"))
    with torch.no_grad():
        for _ in range(WARM_STEPS):
            model(images)
        start, busy = time.perf_counter(), time.thread_time()
        for _ in range(TIMED_STEPS):
            model(images)  # on a CPU it returns when it is done: nothing to synchronise
        seconds, busy = time.perf_counter() - start, time.thread_time() - busy
    return {"samples_per_sec": TIMED_STEPS * batch / seconds, "timed_secs": seconds, "core_share": busy / seconds}


def other_side(name: str, batch: int, kept: bool = False) -> dict:
    """`process_for_one` in a fresh process, with its wall time. Raises UserError where it fails."""
    start = time.perf_counter()
    own = ["--one", name, "--batch", str(batch), *(["--kept-memory"] if kept else [])]
    done = ran("-m", "scripts.perf.bench", *own, timeout=3600)
    if done.returncode:
        raise UserError(f"{name}: the process-per-model side failed: {done.stderr.strip()[-300:]}")
    return {**json.loads(done.stdout.splitlines()[-1]), "wall_secs": time.perf_counter() - start}


def our_side(measurer, name: str, settings) -> dict:
    """The sweep's measurement of one model, with its wall time. Raises UserError where it fails."""
    begun = time.perf_counter()
    found = measurer.measure(name, settings, None)
    if found["status"] != "ok":
        raise UserError(f"{name}: {found['status']}, {found['reason']}")
    return {
        "samples_per_sec": found["infer_samples_per_sec"],
        "timed_secs": found["timed_secs"],
        "core_share": found["core_share"],
        "wall_secs": time.perf_counter() - begun,
    }


def summary(rows: list[dict], start_secs: float) -> dict[str, float]:
    """Of rows with ours and theirs (samples_per_sec, timed_secs, wall_secs): wall seconds a model, their ratio, timing
    shares, agreement (over pairs of which neither side was disturbed; of all, where every pair was), undisturbed
    pairs."""
    ours, theirs = (sum(row[side]["wall_secs"] for row in rows) for side in ("ours", "theirs"))
    ours += start_secs
    calm = [row for row in rows if not disturbed(row)]
    apart = [abs(row["ours"]["samples_per_sec"] / row["theirs"]["samples_per_sec"] - 1) for row in calm or rows]
    timed = {side: sum(row[side]["timed_secs"] for row in rows) for side in ("ours", "theirs")}
    return {
        "ours_secs": ours / len(rows),
        "theirs_secs": theirs / len(rows),
        "ratio": ours / theirs,
        "ours_timing": timed["ours"] / ours,
        "theirs_timing": timed["theirs"] / theirs,
        "agreement": median(apart),
        "worst": max(apart),
        "calm": len(calm),
    }


def disturbed(row: dict) -> bool:
    """Whether a neighbour took part of the core from one of the sides."""
    return min(row[side].get("core_share", 1.0) for side in ("ours", "theirs")) < MIN_CORE_SHARE


@cli
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["quick"])
    parser.add_argument("--batch", type=int, default=4, help="images a step, on both sides")
    parser.add_argument("--kept-memory", action="store_true", help="keep the memory that a step frees, on both sides")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        print(json.dumps(process_for_one(options.one, options.batch, options.kept_memory)))
        return 0
    from scripts.bench.process import Measurer
    from scripts.bench.settings import Settings

    settings, rows, start = Settings(batch=options.batch, kept=options.kept_memory), [], time.perf_counter()
    with Measurer() as measurer:
        models = measurer.ask("choose", options.models)
        start_secs = time.perf_counter() - start
        print(f"{'model':30} {'images/s':>9} {'theirs':>9} {'apart':>7}   {'wall s':>7} {'theirs':>7}", flush=True)
        for turn, name in enumerate(models):
            for _ in range(TRIES):
                row = {}
                for side in ("ours", "theirs") if turn % 2 else ("theirs", "ours"):
                    if side == "ours":
                        row[side] = our_side(measurer, name, settings)
                    else:
                        row[side] = other_side(name, options.batch, options.kept_memory)
                if not disturbed(row):
                    break
            rows.append(row)
            ours, theirs = row["ours"], row["theirs"]
            print(
                f"{name:30} {ours['samples_per_sec']:9.2f} {theirs['samples_per_sec']:9.2f} "
                f"{ours['samples_per_sec'] / theirs['samples_per_sec'] - 1:+7.1%}   {ours['wall_secs']:7.2f} "
                f"{theirs['wall_secs']:7.2f}" + ("  disturbed" if disturbed(row) else ""),
                flush=True,
            )
    found = summary(rows, start_secs)
    kept = ", freed memory kept" if options.kept_memory else ""
    print(
        f"\n{len(rows)} models, batch {options.batch}, one thread, fp32, on this machine now{kept}:\n"
        f"wall time a model     {found['ours_secs']:.2f} s (start included) against {found['theirs_secs']:.2f} s: "
        f"ratio {found['ratio']:.2f} (aim: 0.33 or less)\n"
        f"share spent timing    {found['ours_timing']:.0%} against {found['theirs_timing']:.0%}\n"
        f"speeds apart          {found['agreement']:.1%} (median over the {found['calm']} models that no neighbour "
        f"disturbed; aim: 5% or less), {found['worst']:.1%} at worst"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
