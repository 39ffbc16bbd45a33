"""What beats a model on a machine, for all models at once.

Two rivals of each row, of another architecture:

- *better*: the most accurate one that is no slower than timing can tell and more accurate by more than the test's
  error: the first pick of `scripts.choose.rules.replace`;
- *faster*: the fastest one that is at least as accurate, and faster by more than timing can tell.

`rules.replace` asks for one model; asked 15,000 times it would take a minute. Here the rows are walked once by speed
and once by accuracy, which is linear after sorting.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from scripts.common.uncertainty import TIMING_SPREAD, top1_uncertainty


def rivals(rows: pd.DataFrame) -> pd.DataFrame:
    """`better` and `faster`, positions in `rows` (-1: none), aligned with it.

    rows: arch, samples_per_sec, top1, model, img_size; a row without speed or accuracy has no rivals and is none.
    """
    known = np.flatnonzero(rows["samples_per_sec"].notna() & rows["top1"].notna())
    speed, top1 = (rows[name].to_numpy(float) for name in ("samples_per_sec", "top1"))
    arch = rows["arch"].to_numpy(str)
    better = np.full(len(rows), -1)
    faster = np.full(len(rows), -1)
    fast_first = known[np.lexsort((-top1[known], -speed[known]))]
    reach = np.searchsorted(-speed[fast_first], -speed[known] / TIMING_SPREAD, side="right")
    best = _best_two(fast_first, np.column_stack([top1, speed]), arch)
    for row, until in zip(known, reach):
        found = _of_another(best[until], arch, row)
        if found >= 0 and top1[found] - top1[row] > top1_uncertainty(top1[found], top1[row]):
            better[row] = found
    good_first = known[np.lexsort((-speed[known], -top1[known]))]
    reach = np.searchsorted(-top1[good_first], -top1[known], side="right")
    best = _best_two(good_first, np.column_stack([speed, top1]), arch)
    for row, until in zip(known, reach):
        found = _of_another(best[until], arch, row)
        if found >= 0 and speed[found] > speed[row] * TIMING_SPREAD:
            faster[row] = found
    return pd.DataFrame({"better": better, "faster": faster}, index=rows.index)


def _best_two(order: np.ndarray, values: np.ndarray, arch: np.ndarray) -> list[tuple[int, int]]:
    """For each length of a prefix of `order`: its row of the highest `values` (the first column, then the second), and
    the highest of another architecture than that one's; -1 where there is none."""
    first = second = -1
    found = [(first, second)]

    def above(a: int, b: int) -> bool:
        return b < 0 or tuple(values[a]) > tuple(values[b])

    for row in order:
        if first >= 0 and arch[row] == arch[first]:
            first = row if above(row, first) else first
        elif above(row, first):
            first, second = row, first
        elif above(row, second):
            second = row
        found.append((int(first), int(second)))
    return found


def _of_another(two: tuple[int, int], arch: np.ndarray, row: int) -> int:
    return next((one for one in two if one >= 0 and arch[one] != arch[row]), -1)
