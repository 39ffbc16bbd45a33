"""What beats a model on a machine, for all models at once.

Two rivals of each row, of another architecture:

- *better*: the most accurate one that is no slower than timing can tell and more accurate by more than the test's
  error: the first pick of `scripts.choose.rules.replace`;
- *faster*: the fastest one that is at least as accurate, and faster by more than timing can tell.

`rules.replace` asks for one model; asked 15,000 times it would take a minute. Here the rows are walked once by speed
and once by accuracy, which is linear after sorting.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from scripts.common.uncertainty import TIMING_SPREAD, top1_uncertainty


def rivals(rows: pd.DataFrame) -> pd.DataFrame:
    """`better` and `faster`, positions in `rows` (-1: none), aligned with it.

    rows: arch, samples_per_sec, top1, model, img_size; a row without speed or accuracy has no rivals and is none."""
    known = np.flatnonzero(rows["samples_per_sec"].notna() & rows["top1"].notna())
    speed, top1 = (rows[name].to_numpy(float) for name in ("samples_per_sec", "top1"))
    arch = rows["arch"].to_numpy(str)
    better, faster = np.full(len(rows), -1), np.full(len(rows), -1)

    def of_another(least: np.ndarray, value: np.ndarray, other: np.ndarray) -> Iterator[tuple[int, int]]:
        """(row, the row of another architecture with the highest `other` whose `value` is at least the row's `least`)
        where there is one."""
        order = known[np.lexsort((-other[known], -value[known]))]
        reach = np.searchsorted(-value[order], -least[known], side="right")
        best = _best_two(order, np.column_stack([other, value]), arch)
        for row, until in zip(known, reach):
            if found := [one for one in best[until] if one >= 0 and arch[one] != arch[row]]:
                yield row, found[0]

    for row, rival in of_another(speed / TIMING_SPREAD, speed, top1):
        if top1[rival] - top1[row] > top1_uncertainty(top1[rival], top1[row]):
            better[row] = rival
    for row, rival in of_another(top1, top1, speed):
        if speed[rival] > speed[row] * TIMING_SPREAD:
            faster[row] = rival
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
