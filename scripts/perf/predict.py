"""How long predictions take, and how true they are on this machine.

    python -m scripts.perf.predict             # seconds to read the tables, fit and predict everything (limit 20 s on two cores)
    python -m scripts.perf.predict --measure   # first measure the design's twenty and the check's thirty here (minutes), then compare

Prints the times, the share that reading takes, and, where models outside the design were measured too, how far off their predictions are. With
--measure the twenty are timed by themselves (limit: two minutes on a GPU, five on two CPU cores).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from scripts.common import hardware
from scripts.common.errors import UserError, cli
from scripts.data import predict, predict_design, predict_tables


def timed() -> dict[str, float]:
    """Seconds: read (the tables), fit (fill gaps, learn, predict every network), rank (frontier, picks, what to measure next)."""
    spent, begun = {}, time.perf_counter()

    def lap(name: str) -> None:
        nonlocal begun
        now = time.perf_counter()
        spent[name], begun = now - begun, now

    predict_tables.published()
    lap("read")
    made = predict.predict(predict.machine_rows())
    lap("fit")
    table = predict.weights(made)
    edge = predict.frontier(made, table)
    predict.picks(made, table)
    predict.measure_next(made, edge)
    lap("rank")
    return spent


def measure(device: str) -> float:
    """Measure the design's twenty, then the check's thirty. Returns the seconds that the twenty took."""
    kind = "gpu" if device.startswith("cuda") else "cpu"
    options = ["--precision", "bf16", "--layout", "nhwc"] if kind == "gpu" else []
    spent = 0.0
    for role, count in (("measure", 20), ("check", predict_design.CHECKED)):
        begun = time.perf_counter()
        ended = subprocess.run([sys.executable, "-m", "scripts.bench.sweep", "--device", device, *options, "--models", *predict_design.design(count, kind, role=role)])
        if ended.returncode:
            raise UserError(f"the sweep of the {role} models ended with {ended.returncode}; run the same again to go on")
        spent = spent or time.perf_counter() - begun
    return spent


@cli
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.perf.predict", description=__doc__.split("\n\n")[0], epilog="example: python -m scripts.perf.predict")
    parser.add_argument("--measure", action="store_true", help="measure the twenty and the thirty here first")
    parser.add_argument("--device", default="cuda" if hardware.has_gpu() else "cpu", help="for --measure")
    options = parser.parse_args(argv)
    if options.measure:
        spent = measure(options.device)
        print(f"measuring twenty: {spent:.0f} s on {hardware.describe(options.device)['name']} (limit {120 if options.device.startswith('cuda') else 300} s)")
    spent = timed()
    print(f"all predictions: {sum(spent.values()):.1f} s (limit 20 s): " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in spent.items()))
    try:
        made, compared = predict.check(predict.machine_rows())
    except UserError as error:
        print(f"no check on this machine yet: {error}")
        return
    found = predict.checked(compared)
    print(f"{made.hardware_name}: {made.used} measured, {found['networks']} others predicted and measured: median error {found['median_error']:.1%}, 90% below "
          f"{found['p90_error']:.1%}, rank correlation {found['spearman']:.3f}, {found['coverage']:.0%} within the 90% interval")


if __name__ == "__main__":
    sys.exit(main())
