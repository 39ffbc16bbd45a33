"""What energy and memory a point of accuracy costs, when a network is trained on other pictures.

    python -m scripts.findings.transfer          # writes report/data/transfer-costs.csv, too

For each set of pictures: how many times the energy (the training time, where no meter ran) and the memory of the
cheapest network within a point that the most accurate network took. Intervals (95%) come from drawing whole families.
The most accurate is partly luck where each network was trained once, so that a factor is what was paid for the best
figure, not what a better network must cost.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from scripts.common.uncertainty import LEVEL, family_draws

POINT = 1.0  # points of accuracy below the best
COLUMNS = "dataset cost unit best best_cost near near_cost factor low high".split()
COSTS = {"energy": ("energy_kwh", "kWh"), "time": ("train_seconds", "s"), "memory": ("memory_gb", "GB")}


def cheapest(accuracy: np.ndarray, cost: np.ndarray) -> tuple[int, int]:
    """(position of the most accurate, of the cheapest within a POINT of it)."""
    best = int(np.argmax(accuracy))
    near = np.flatnonzero(accuracy >= accuracy[best] - POINT)
    return best, int(near[np.argmin(cost[near])])


def table(found: list[dict]) -> pd.DataFrame:
    """`COLUMNS`: a row a set and cost: accuracies in percent, costs in `unit`; factor: the best's cost over the near
    one's, with its interval. found: as `transfer.sets` gives them.
    """
    rows = []
    for one in found:
        for name, (column, unit) in COSTS.items():
            if column not in one["runs"] or (name == "time" and "energy_kwh" in one["runs"]):
                continue
            nets = one["runs"].groupby("model").agg({"family": "first", "accuracy": "mean", column: "mean"})
            accuracy, cost = nets["accuracy"].to_numpy(float), nets[column].to_numpy(float)
            best, near = cheapest(accuracy, cost)
            factors = []
            for drawn in family_draws(nets["family"]):
                first, second = cheapest(accuracy[drawn], cost[drawn])
                factors.append(cost[drawn][first] / cost[drawn][second])
            figures = accuracy[best], cost[best], accuracy[near], cost[near], cost[best] / cost[near]
            rows.append((one["dataset"], name, unit, *figures, *np.quantile(factors, LEVEL)))
    return pd.DataFrame(rows, columns=COLUMNS).round(3)
