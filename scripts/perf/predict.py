"""How long predictions take, and how true they are on this machine.

    # seconds to read the tables, fit and predict everything (limit 20 s on two cores)
    python -m scripts.perf.predict
    # first measure the design's twenty and the check's thirty here (minutes), then compare
    python -m scripts.perf.predict --measure
    python -m scripts.perf.predict --measure --minutes 4    # in pieces: the same command goes on

Prints the times, the share that reading takes, what measuring the twenty took (limit: two minutes on a GPU, five on two
CPU cores), and, where models outside the design were measured too, how far off their predictions are; that also goes to
report/data/predict-check-<machine>.csv.
"""

from __future__ import annotations

import sys
import time

import pandas as pd

from scripts.common import device as devices
from scripts.common.errors import UserError, cli, parser_of
from scripts.predict import (
    choice as predict_choice,
    command as predict_command,
    design as predict_design,
    speeds,
    tables as predict_tables,
)


def timed() -> dict[str, float]:
    """Seconds: read (the tables), fit (fill gaps, learn, predict every network), rank (frontier, picks, what to
    measure next).
    """
    spent, begun = {}, time.perf_counter()

    def lap(name: str) -> None:
        nonlocal begun
        now = time.perf_counter()
        spent[name], begun = now - begun, now

    predict_tables.published()
    lap("read")
    made = speeds.predict(speeds.machine_rows())
    lap("fit")
    table = speeds.weights(made)
    edge = predict_choice.frontier(made, table)
    predict_choice.picks(made, table)
    predict_choice.measure_next(made, edge)
    lap("rank")
    return spent


def measure(device: str, minutes: float | None) -> int:
    """Measure the design's twenty, then the check's thirty, for up to `minutes`. Returns how many are left."""
    from scripts.bench import sweep

    limit = ["--minutes", str(minutes)] if minutes else []
    return sweep.go(["--device", device, "--models", "design", "check", *limit])[1]


def seconds_of_twenty(rows: pd.DataFrame) -> float:
    """Seconds that the measured models of the design took together, everything counted but the start; NaN where
    fewer than twenty were.
    """
    wanted = predict_design.design(20, str(rows["kind_of_hardware"].iloc[0]))
    own = rows[rows["arch"].isin(wanted)]
    return float(pd.to_numeric(own["wall_secs"]).sum()) if own["arch"].nunique() == len(wanted) else float("nan")


@cli
def main(argv: list[str] | None = None) -> None:
    parser = parser_of("scripts.perf.predict", __doc__, "python -m scripts.perf.predict --measure")
    parser.add_argument("--measure", action="store_true", help="measure the twenty and the thirty here first")
    parser.add_argument("--device", default="auto", help=f"for --measure: {devices.CHOICES}")
    parser.add_argument("--minutes", type=float, help="for --measure: stop before a model that would end later")
    options = parser.parse_args(argv)
    if options.measure and (left := measure(options.device, options.minutes)):
        print(f"{left} models left to measure: run the same command again")
        return
    rows = speeds.machine_rows()
    if (took := seconds_of_twenty(rows)) == took:
        limit = 120 if rows["kind_of_hardware"].iloc[0] == "gpu" else 300
        print(f"measuring twenty: {took:.0f} s on {rows['hardware_name'].iloc[0]} (limit {limit} s)")
    spent = timed()
    each = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in spent.items())
    print(f"all predictions: {sum(spent.values()):.1f} s (limit 20 s): {each}")
    try:
        made, compared = predict_command.check(rows)
        predict_command.write_check(rows, made, compared)
    except UserError as error:
        print(f"no check on this machine yet: {error}")
        return
    found = predict_command.checked(compared)
    print(
        f"{made.hardware_name}: {made.used} measured, {found['networks']} others predicted and measured: median "
        f"error {found['median_error']:.1%}, 90% below {found['p90_error']:.1%}, rank correlation "
        f"{found['spearman']:.3f}, {found['coverage']:.0%} within the 90% interval"
    )


if __name__ == "__main__":
    sys.exit(main())
