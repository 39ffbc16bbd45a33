import numpy as np
import pandas as pd

from scripts.common.frontier import on_frontier


def brute_force(table):
    return [
        not any(
            (o.samples_per_sec >= r.samples_per_sec and o.top1 > r.top1)
            or (o.samples_per_sec > r.samples_per_sec and o.top1 >= r.top1)
            for o in table.itertuples()
        )
        for r in table.itertuples()
    ]


def test_it_agrees_with_the_definition_on_ties_and_all():
    random = np.random.default_rng(0)
    for _ in range(50):
        places = {"samples_per_sec": random.integers(1, 12, 40), "top1": random.integers(60, 75, 40)}
        table = pd.DataFrame(places, index=random.permutation(100)[:40], dtype=float)
        assert list(on_frontier(table)) == brute_force(table)


def test_a_single_row_is_its_own_frontier():
    assert on_frontier(pd.DataFrame({"samples_per_sec": [1.0], "top1": [50.0]})).all()
