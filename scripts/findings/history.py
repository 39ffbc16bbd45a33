"""The history of one card: the frontier year by year, and how much came from networks and how much from software.

    TABLES=folder python -m scripts.findings.history       # report/data/history*.csv with sidecars

Between two tables of the same card the speed at which an accuracy is to be had changes by a factor. It is the product
of two, exactly: *software*, the same networks in both tables, with the accuracies of the first; *networks*, with the
speeds of the second, all that it has against those same networks. Each is the geometric mean over the accuracies that
both frontiers reach (LEVELS). Intervals (95%) come from drawing whole families. Between January and April 2022 PyTorch
stayed and the batch grew from 256 pictures to 1,024: that step is no gain of PyTorch, and is said apart.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from scripts.common.errors import UserError, cli, parser_of
from scripts.common.paths import DATA
from scripts.common.provenance import sidecar, write_derived
from scripts.common.uncertainty import DRAWS, LEVEL
from scripts.data import public, read_data, timm_history
from scripts.findings.claims_speed import same_network

STEPS_FILE, FRONTIER_FILE = "history.csv", "history-frontier.csv"
LEVELS = np.arange(70.0, 90.0)  # percent top-1
BATCH, SOFTWARE = "batch", "software"
LEAST = 10  # networks in both tables


def pair(before: pd.DataFrame, after: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(the weights of `before` whose network `after` timed too, with `later`, its speed there; all that was to be had
    then: these, and the weights of `after`). Networks whose parameter count changed are others.
    """
    key = ["net", "img_size"]
    there = after.sort_values("param_count", kind="stable").drop_duplicates(key)
    both = before.merge(there[[*key, "samples_per_sec", "param_count"]], on=key, suffixes=("", "_later"))
    both = both[same_network(both["param_count"], both["param_count_later"])]
    held = both.rename(columns={"samples_per_sec_later": "later"}).drop(columns="param_count_later")
    known = held.assign(samples_per_sec=held["later"])
    columns = ["family", "top1", "samples_per_sec"]
    return held, pd.concat([known[columns], after[columns]], ignore_index=True)


def fastest(table: pd.DataFrame, speed: str, groups: list[str]) -> np.ndarray:
    """(levels, families): the highest speed at each of LEVELS or better, 0 where a family has none."""
    codes = table["family"].map({name: i for i, name in enumerate(groups)}).to_numpy()
    found = np.zeros((len(LEVELS), len(groups)))
    for i, level in enumerate(LEVELS):
        enough = table["top1"].to_numpy() >= level
        np.maximum.at(found[i], codes[enough], table[speed].to_numpy(float)[enough])
    return found


def factors(before: pd.DataFrame, after: pd.DataFrame) -> dict[str, float]:
    """`software` and `networks` with their intervals, `together`, and on how many networks and levels they rest."""
    held, available = pair(before, after)
    if len(held) < LEAST:
        raise UserError(f"only {len(held)} networks stand in both tables; are they of the same card?")
    groups = sorted(set(available["family"]) | set(held["family"]))
    sides = [fastest(held, "samples_per_sec", groups), fastest(held, "later", groups)]
    sides.append(fastest(available, "samples_per_sec", groups))
    software, networks = (_gain(one, other) for one, other in zip(sides, sides[1:]))
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(DRAWS):
        kept = np.unique(random.integers(0, len(groups), len(groups)))
        some = [side[:, kept] for side in sides]
        drawn.append((_gain(some[0], some[1]), _gain(some[1], some[2]), _gain(some[0], some[2])))
    ends = np.nanquantile(np.array(drawn), LEVEL, axis=0)
    ratio = held.drop_duplicates(["net", "img_size"])
    found = {"software": software, "networks": networks, "together": _gain(sides[0], sides[2])}
    for i, name in enumerate(list(found)):
        found |= {f"{name}_low": float(ends[0, i]), f"{name}_high": float(ends[1, i])}
    return {
        **found,
        "median": float((ratio["later"] / ratio["samples_per_sec"]).median()),
        "held": len(ratio),
        "levels": int((sides[0].max(axis=1) > 0).sum()),
    }


def _gain(one: np.ndarray, other: np.ndarray) -> float:
    """Geometric mean over the levels that both reach of the fastest of `other` over the fastest of `one`."""
    a, b = one.max(axis=1), other.max(axis=1)
    known = (a > 0) & (b > 0)
    return float(np.exp(np.log(b[known] / a[known]).mean())) if known.any() else float("nan")


def steps(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """history.csv: a row between each two tables in a row, oldest first, then one from the first to each."""
    order = list(tables)
    rows = []
    pairs = [("step", *both) for both in zip(order, order[1:])] + [("since", order[0], one) for one in order[1:]]
    for span, *ends in pairs:
        first, last = (public.source(step).date for step in ends)
        one, other = (timm_history.STEPS[step] for step in ends)
        about = {"span": span, "first": first, "last": last, "torch_first": one, "torch_last": other}
        change = BATCH if one == other else SOFTWARE
        rows.append({**about, "change": change, **factors(*(tables[step] for step in ends))})
    return pd.DataFrame(rows).round(3)


def frontiers(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """history-frontier.csv: for each table and level of LEVELS that it reaches, the fastest weights as accurate."""
    rows = []
    for step, table in tables.items():
        about = public.source(step).date, timm_history.STEPS[step], len(table), table["top1"].max()
        for level in LEVELS[LEVELS <= table["top1"].max()]:
            enough = table[table["top1"] >= level]
            best = enough.loc[enough["samples_per_sec"].idxmax()]
            rows.append((*about, level, best["model"], best["samples_per_sec"]))
    return pd.DataFrame(rows, columns="date torch weights best level model samples_per_sec".split())


def update() -> bool:
    """Compute and write both tables with their sidecars. Returns whether one changed. Raises TablesMissing."""
    tables = {step: timm_history.load(step) for step in timm_history.STEPS}
    facts = sidecar(packages=("pandas", "numpy"), sources=[public.record(step) for step in tables], draws=DRAWS)
    made = {STEPS_FILE: steps(tables), FRONTIER_FILE: frontiers(tables)}
    changed = [write_derived(frame, DATA / name, facts) for name, frame in made.items()]
    return any(changed)


@cli
def main(argv: list[str] | None = None) -> None:
    parser_of("scripts.findings.history", __doc__, "TABLES=folder python -m scripts.findings.history").parse_args(argv)
    try:
        changed = update()
    except read_data.TablesMissing as missing:
        print(f"notice: {missing}; {STEPS_FILE} stays as it is", file=sys.stderr)
        return
    print(f"history: {STEPS_FILE} {'written' if changed else 'stands as it was'}")


if __name__ == "__main__":
    sys.exit(main())
