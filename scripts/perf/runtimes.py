"""What another runtime brings on this machine, as ratios: networks with one thread, four pictures at a time, and a
photo answered by the web app's predictor, heat map included.

    python -m scripts.perf.runtimes                          # three small networks and the app
    python -m scripts.perf.runtimes --models quick           # all of the quick set; minutes
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from scripts.bench.models import QUICK
from scripts.bench.runtimes import FIRST, Settings, measure, pairs
from scripts.common.errors import UserError, cli
from scripts.common.hardware import describe
from scripts.demo import fastest
from scripts.demo.predict import Predictor
from scripts.demo.serving import untrained
from scripts.runtimes import check, kinds

LIMITS = {"fp32": 1.6, "any": 3.0, "app": 0.5}  # times as fast, at least; share of PyTorch's time, at most
SMALL = ("levit_128s", "resnet18", "regnetx_004")
PHOTOS = 11


def gains(models: list[str], seconds: float) -> dict[str, float]:
    """Geometric means over networks of the best speed over eager's: 'fp32' with equal answers, 'any' precision."""
    asked = pairs([runtime for runtime in kinds.RUNTIMES if runtime != "compile"], list(kinds.PRECISIONS), "cpu")
    best: dict[str, list[float]] = {"fp32": [], "any": []}
    for model in models:
        rows = [row for row in measure(model, asked, Settings(seconds=seconds)) if row["times_eager"] != ""]
        if not rows:
            raise UserError(f"{model}: could not be measured in any runtime; name others with --models")
        equal = [row for row in rows if row["precision"] == "fp32" and row["difference"] <= check.LARGEST_DIFFERENCE]
        for name, some in (("fp32", equal or rows[:1]), ("any", rows)):
            first = max(some, key=lambda row: row["times_eager"])
            best[name].append(first["times_eager"])
            same = (first["runtime"], first["precision"]) == FIRST
            print(f"{model}, {name}: {'none faster' if same else kinds.label(first['runtime'], first['precision'])} "
                  f"{first['times_eager']:.2f} times", flush=True)  # fmt: skip
    return {name: statistics.geometric_mean(values) for name, values in best.items()}


def answer() -> tuple[float, str]:
    """(time of a photo's answer over PyTorch's, taking turns; the runtime that was chosen)."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = untrained(Path(temporary) / "resnet18")
        plain, quick = Predictor(folder), Predictor(folder)
        fastest.choose(quick)
        quick.take_remembered()
        photo = Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8))
        ratios = []
        for _ in range(PHOTOS):
            eager = plain.ask(photo).milliseconds
            ratios.append(quick.ask(photo).milliseconds / eager)
    return statistics.median(ratios), quick.chosen.label


@cli
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(SMALL), metavar="NAME", help="networks, or quick")
    parser.add_argument("--seconds", type=float, default=1.0, help="budget a runtime and network (default 1)")
    options = parser.parse_args(argv)
    models = [name for word in options.models for name in (QUICK if word == "quick" else (word,))]
    print(f"{describe()['name']}, {kinds.machine()}")
    for name, value in gains(models, options.seconds).items():
        what = "equal answers in fp32" if name == "fp32" else "any precision"
        print(f"{what}: {value:.2f} times as fast as eager (to reach: {LIMITS[name]:g})")
    share, runtime = answer()
    print(f"a photo in the app, {runtime}: {share:.2f} of PyTorch's time (to reach: {LIMITS['app']:g})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
