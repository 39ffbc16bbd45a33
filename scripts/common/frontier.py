"""The frontier: the weights that no other beats on both axes, speed and accuracy."""

from __future__ import annotations

import pandas as pd

# what one may need of a model -> the quantile of all models' speeds that a pick must reach
NEEDS = {"fast": 0.9, "balanced": 0.5, "accurate": 0.0}


def on_frontier(table: pd.DataFrame, speed: str = "samples_per_sec", quality: str = "top1") -> pd.Series:
    """Boolean, aligned with `table`: no other row is at least as fast and more accurate, or faster and as accurate.

    Rows equal on both axes are all on it. speed and quality: columns, larger is better.
    """
    order = table.sort_values([speed, quality], ascending=False)
    best_of_faster = order.groupby(speed, sort=False)[quality].max().cummax().shift(fill_value=float("-inf"))
    best_at_speed = order.groupby(speed, sort=False)[quality].max()
    chosen = (order[quality] > order[speed].map(best_of_faster)) & (order[quality] == order[speed].map(best_at_speed))
    return chosen.reindex(table.index)
