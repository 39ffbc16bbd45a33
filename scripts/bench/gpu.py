"""The report's GPU measurements, in pieces of minutes: the same command, run again until it says that all is done.

Each step is a sweep (scripts/bench/sweep.py) and goes on where it was stopped. With --out everything that going on
needs stands in that folder, so that it can be carried from one lent machine to the next; copy its CSVs and sidecars to
report/data when all is done.

    python -m scripts.bench.gpu                                  # all steps, into report/data
    python -m scripts.bench.gpu --minutes 9 --out .cache/gpu     # as many as fit, models and steps
    python -m scripts.bench.gpu --list                           # the steps, with what each is expected to take
    # what came out: best over plain, percent of roofline, run-to-run difference
    python -m scripts.bench.gpu --summary --out .cache/gpu

It needs torch (2.11 or newer), timm, pandas and the standard library; energy and clocks need nvidia-ml-py.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.bench import sweep
from scripts.common import hardware, paths
from scripts.common.errors import UserError, cli
from scripts.common.journal import Journal
from scripts.common.table_run import folder_of
from scripts.common.tables import read_table

# name: (minutes expected on an H200, what for, arguments of the sweep). Expected, not measured: six to eight seconds a
# model, a minute to compile one.
STEPS = {
    "eager": (8, "inference of the report's networks: autocast, channels last", ["--models", "key"]),
    "plain": (
        3,
        "twenty of them as they come, autocast: what `best` is compared with",
        ["--models", "compiled", "--precision", "amp", "--layout", "nchw"],
    ),
    "best": (
        16,
        "the twenty compiled, bf16, channels last",
        ["--models", "compiled", "--precision", "bf16", "--compile", "reduce-overhead"],
    ),
    "repeat": (
        7,
        "thirty networks three times over: the run-to-run difference",
        ["--models", "repeat", "--repeat", "3", "--seconds", "2"],
    ),
    "train": (9, "training steps of the report's networks", ["--models", "key", "--part", "train"]),
    "predict": (6, "the models that predictions need, and thirty to test them by", ["--models", "design", "check"]),
}


class Steps:
    """Which steps are done, in a small file in `folder`; all of them again once all are."""

    def __init__(self, folder: Path):
        self.journal = Journal(folder / ".gpu-steps.json")
        self.done = {name: str(file) for name, file in self.journal.read().items() if name in STEPS}

    def left(self) -> list[str]:
        return [name for name in STEPS if name not in self.done]

    def add(self, name: str, csv: Path) -> None:
        self.done[name] = csv.name
        self.journal.write(self.done)

    def finish(self) -> None:
        self.journal.forget()


def run(device: str, folder: Path | None, minutes: float | None, wanted: list[str]) -> list[str]:
    """Do what is left of the steps `wanted` (all: empty) for up to `minutes`. Returns the steps that are not done."""
    (folder or paths.CACHE).mkdir(parents=True, exist_ok=True)
    steps, started = Steps(folder or paths.CACHE), time.monotonic()
    for name in [name for name in steps.left() if not wanted or name in wanted]:
        left = None if minutes is None else minutes - (time.monotonic() - started) / 60
        if left is not None and left < 0.5:
            break
        print(f"== {name}: {STEPS[name][1]} (about {STEPS[name][0]} min)", flush=True)
        csv, remaining = sweep.go(
            [
                "--device",
                device,
                *STEPS[name][2],
                *(["--minutes", f"{left:.2f}"] if left else []),
                *(["--out", str(folder)] if folder else []),
            ]
        )
        if remaining:
            break
        steps.add(name, csv)
    open_ = [name for name in steps.left() if not wanted or name in wanted]
    if not steps.left():
        steps.finish()
    return open_


def _newest(folder: Path, pattern: str, compiled: bool = False) -> dict[str, Path]:
    """Card (slug) -> its table of the newest torch, of the tables in `folder` that fit the pattern."""
    found: dict[str, tuple] = {}
    for path in folder.glob(pattern):
        about = hardware.parse_benchmark_name(path.name.replace(path.name.partition("-")[0], "benchmark", 1))
        if about["compiled"] == compiled:
            rank = ([int(number) for number in about["torch"].split(".")], path)
            found[about["hardware"]] = max(found.get(about["hardware"], rank), rank)
    return {slug: path for slug, (_, path) in sorted(found.items())}


def _rows(path: Path) -> pd.DataFrame:
    frame = read_table(path, required=["model", "status"])
    frame = frame[frame["status"] == "ok"]
    return frame.assign(
        rate=frame["infer_samples_per_sec"].astype(float),
        roofline=pd.to_numeric(frame["roofline_pct"], errors="coerce"),
    ).set_index("model")


def summary(folder: Path) -> list[str]:
    """What the measurements in `folder` say, for each card a line for what is there."""
    best, plain, repeats = (
        _newest(folder, *which)
        for which in (
            ("benchmark-infer-bf16-nhwc-*-cu*.csv", True),
            ("benchmark-infer-amp-nchw-*-cu*.csv",),
            ("repeat-infer-*-cu*.csv",),
        )
    )
    lines, cards = [], sorted({*best, *plain, *repeats})
    for card in cards:
        on = f"{hardware.named(card).name}: " if len(cards) > 1 else ""
        if card in best:
            rows = _rows(best[card])
            gain = (rows["rate"] / _rows(plain[card])["rate"].reindex(rows.index)).dropna() if card in plain else []
            if len(gain):
                lines.append(
                    f"{on}best over plain: {np.exp(np.log(gain).mean()):.2f} (geometric mean over {len(gain)} "
                    "models; aim: 1.8 or more)"
                )
            lines.append(
                f"{on}percent of roofline, compiled: {rows['roofline'].median():.0f} (median of "
                f"{rows['roofline'].notna().sum()}; aim: 50 or more)"
            )
        if card in repeats:
            spread = sweep.run_to_run(read_table(repeats[card], required=["model", "status", "round"]), "infer")[
                "difference_pct"
            ]
            lines.append(
                f"{on}run-to-run difference: p95 {spread.quantile(0.95):.2f}% over {len(spread)} models (aim: 1.5 or "
                "less)"
            )
    return lines


@cli
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "steps", nargs="*", metavar="STEP", help=f"which ones: {', '.join(STEPS)}; all where none is given"
    )
    parser.add_argument("--device", default="cuda", help="cuda or cuda:N")
    parser.add_argument("--minutes", type=float, help="stop before a model that would end later than this")
    parser.add_argument("--out", type=Path, help="a folder for everything (default: report/data)")
    parser.add_argument("--list", action="store_true", help="print the steps and stop")
    parser.add_argument("--summary", action="store_true", help="print what came out and stop")
    options = parser.parse_args(arguments)
    if unknown := set(options.steps) - set(STEPS):
        raise UserError(f"{sorted(unknown)[0]}: no such step; choose from {', '.join(STEPS)}")
    if options.minutes is not None and not options.minutes > 0:
        raise UserError("--minutes: give a number over 0")
    if options.list:
        print(
            "\n".join(
                f"{name:8} about {minutes:2} min  {what}: {' '.join(arguments)}"
                for name, (minutes, what, arguments) in STEPS.items()
            )
        )
        return 0
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        if folder_of(options.out) is None:
            raise UserError(f"--out {options.out}: name a folder")
    if options.summary:
        print("\n".join(summary(options.out or paths.DATA)) or "nothing measured on a GPU there")
        return 0
    left = run(options.device, options.out, options.minutes, options.steps)
    print("\n".join(summary(options.out or paths.DATA)))
    print(
        f"left: {', '.join(left)}; run the same command again"
        if left
        else "nothing left of those asked for"
        if options.steps
        else "all steps done"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
