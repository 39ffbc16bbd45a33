"""Does ImageNet's order hold on other pictures? Two public tables of networks trained on them, and our own runs.

    TABLES=folder python -m scripts.findings.transfer     # report/data/transfer.csv and transfer-families.csv, sidecars

Two estimands for each set of pictures, over the networks whose ImageNet accuracy is known:

- rank correlation of ImageNet's top-1 with the accuracy on the set (Spearman); - regret: the points that one loses by
taking ImageNet's best within a budget instead of the set's own best within it. Where a network was run several times,
half of its runs say which is the set's best and the other half what that gives, so that luck does not count as skill.
Where there is one run each, the set's best is partly luck, and the regret an upper bound.

Networks of one family are alike, so intervals (90%) come from drawing whole families.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import numpy as np
import pandas as pd

from scripts.common import families
from scripts.common.errors import UserError, cli
from scripts.common.paths import DATA
from scripts.common.provenance import sidecar, write_derived
from scripts.common.uncertainty import spearman
from scripts.data import fastai_timm, names, pepr, public, read_data

FILE = "transfer.csv"
HOLDS = 0.5  # a rank correlation above it, interval and all, is called an order that holds
BUDGETS = {"none": 1.0, "half": 0.5, "quarter": 0.25}  # share of the networks that it leaves, the cheapest
DRAWS = 400
SPLITS = 50
LEVEL = (0.05, 0.95)
LEAST = 10  # networks; fewer say nothing of an order


def sets() -> list[dict]:
    """Each set of pictures: `source`, `dataset`, `what`, `pretrained`, `several` (runs a network), and `runs`, a table
    of `model`, `family`, `top1` (ImageNet's), `accuracy` (percent on the set), `cost` (train_seconds), `params`.

    Raises TablesMissing where a source is not at hand.
    """
    found = []
    table = pepr.load()
    for name, runs in table.groupby("dataset", sort=False):
        found.append(
            {
                "source": pepr.SOURCE,
                "dataset": name,
                "what": pepr.SETS[str(name)][0],
                "share": pepr.SETS[str(name)][1],
                "pretrained": name in pepr.PRETRAINED,
                "several": False,
                "runs": runs.assign(cost=runs["train_seconds"]),
            }
        )
    known = _top1_of_2022()
    table = fastai_timm.load()
    for name, runs in table.groupby("dataset", sort=False):
        runs = runs.merge(known, on="model", how="left", validate="m:1")
        found.append(
            {
                "source": fastai_timm.SOURCE,
                "dataset": name,
                "what": fastai_timm.SETS[str(name)],
                "share": 1.0,
                "pretrained": True,
                "several": True,
                "runs": runs.assign(accuracy=100 - runs["error"], cost=runs["train_seconds"]),
            }
        )
    for one in found:
        runs = one["runs"].dropna(subset=["top1", "accuracy"])
        one["runs"] = runs.assign(family=[_family(model) for model in runs["model"]])
    return found


def _family(model: str) -> str:
    """The family of a network by its name of any year; its own name where no table knows it."""
    row = families.lookup(names.today(model).partition(".")[0]) or families.lookup(model)
    return row.family if row else model


def _top1_of_2022() -> pd.DataFrame:
    """`model`, `top1`, `params` (millions) of 2022's published results, each at its smallest picture."""
    frame = read_data.results(next(iter(read_data.VINTAGES))).sort_values("img_size", kind="stable")
    frame = frame.drop_duplicates("model").rename(columns={"param_count": "params"})
    return frame[["model", "top1", "params"]]


def networks(runs: pd.DataFrame) -> pd.DataFrame:
    """A row a network, its runs averaged: `family`, `top1`, `accuracy`, `cost`, `params`; by name."""
    return runs.groupby("model").agg(
        family=("family", "first"),
        top1=("top1", "first"),
        accuracy=("accuracy", "mean"),
        cost=("cost", "mean"),
        params=("params", "first"),
    )


def by_families(table: pd.DataFrame, figure: Callable[[pd.DataFrame], float], seed: int = 0) -> tuple[float, float]:
    """The 90% interval of `figure` of a table of networks, from DRAWS draws of whole families with replacement."""
    groups = list(table.groupby("family", sort=True).indices.values())
    random = np.random.default_rng(seed)
    drawn = (random.integers(0, len(groups), len(groups)) for _ in range(DRAWS))
    values = [figure(table.iloc[np.concatenate([groups[i] for i in which])]) for which in drawn]
    low, high = np.nanquantile(values, LEVEL)
    return float(low), float(high)


def order(table: pd.DataFrame) -> float:
    """Spearman's rank correlation of ImageNet's top-1 with the accuracy on the set."""
    return spearman(table["top1"], table["accuracy"])


def within(table: pd.DataFrame, share: float) -> pd.DataFrame:
    """The cheapest `share` of the networks of a table."""
    return table[table["cost"] <= table["cost"].quantile(share)]


def regret(choice: pd.DataFrame, judged: pd.Series, best: pd.Series) -> float:
    """Points lost by ImageNet's best of `choice` against the set's own: `best` says which that is, `judged` what each
    gives, by network.
    """
    own, theirs = str(best.reindex(choice.index).idxmax()), str(choice["top1"].idxmax())
    return float(judged[own] - judged[theirs])


def regret_of(runs: pd.DataFrame, share: float, several: bool, seed: int = 0) -> float:
    """`regret` within a budget. several: with runs split in two SPLITS times, and the mean of these."""
    table = networks(runs)
    choice = within(table, share)
    if not several:
        return regret(choice, table["accuracy"], table["accuracy"])
    random = np.random.default_rng(seed)
    runs = runs[runs["model"].isin(choice.index)]
    values = []
    for _ in range(SPLITS):
        mixed = runs.iloc[random.permutation(len(runs))]
        half = mixed.groupby("model").cumcount() % 2 == 0
        choosing, judging = (mixed[part].groupby("model")["accuracy"].mean() for part in (half, ~half))
        both = choice.loc[choosing.index.intersection(judging.index)]
        values.append(regret(both, judging, choosing))
    return float(np.mean(values))


def verdict(low: float, high: float) -> str:
    """Of a rank correlation's interval: the order holds, fails, or nobody can tell."""
    return "holds" if low > HOLDS else "fails" if high < HOLDS else "cannot tell"


def summary(found: list[dict] | None = None) -> pd.DataFrame:
    """The table transfer.csv: a row a set of pictures; see scripts/common/schema/findings.py."""
    rows = []
    for one in sets() if found is None else found:
        table = networks(one["runs"])
        if len(table) < LEAST:
            raise UserError(f"{one['dataset']}: only {len(table)} networks with a known ImageNet accuracy; too few")
        low, high = by_families(table, order)
        size = by_families(table, lambda drawn: spearman(drawn["params"], drawn["accuracy"]))
        row = {
            **{name: one[name] for name in ("source", "dataset", "what", "share", "pretrained")},
            "networks": len(table),
            "families": table["family"].nunique(),
            "runs": len(one["runs"]),
            "rho": order(table),
            "rho_low": low,
            "rho_high": high,
            "verdict": verdict(low, high),
            "rho_size": spearman(table["params"], table["accuracy"]),
            "rho_size_low": size[0],
            "rho_size_high": size[1],
            "best": float(table["accuracy"].max()),
            "one_run": not one["several"],
        }
        for name, share in BUDGETS.items():
            row[f"regret_{name}"] = regret_of(one["runs"], share, one["several"])
        rows.append(row)
    return pd.DataFrame(rows).round(3)


def travellers(found: list[dict] | None = None, least: int = 3) -> pd.DataFrame:
    """Which families travel well: per set and family of `least` networks, the mean difference between a network's rank
    on the set and on ImageNet, in shares of all ranks (positive: better than ImageNet lets one expect).
    """
    rows = []
    for one in sets() if found is None else found:
        table = networks(one["runs"])
        gain = table["accuracy"].rank(pct=True) - table["top1"].rank(pct=True)
        for family, part in gain.groupby(table["family"]):
            if len(part) >= least:
                rows.append({"dataset": one["dataset"], "family": family, "networks": len(part), "gain": part.mean()})
    return pd.DataFrame(rows, columns=["dataset", "family", "networks", "gain"]).round(3)


def update() -> bool:
    """Compute and write both tables with their sidecars. Returns whether either changed."""
    found = sets()
    facts = sidecar(
        packages=("pandas", "numpy"),
        sources=[public.record(pepr.SOURCE), public.record(fastai_timm.SOURCE)],
        draws=DRAWS,
        splits=SPLITS,
    )
    written = [
        write_derived(summary(found), DATA / FILE, facts),
        write_derived(travellers(found), DATA / "transfer-families.csv", facts),
    ]
    return any(written)


@cli
def main(argv: list[str] | None = None) -> None:
    argparse.ArgumentParser(
        prog="python -m scripts.findings.transfer",
        description=__doc__.split("\n\n")[0],
        epilog="example: TABLES=folder python -m scripts.findings.transfer",
    ).parse_args(argv)
    try:
        changed = update()
    except read_data.TablesMissing as missing:
        print(f"notice: {missing}; {FILE} stays as it is", file=sys.stderr)
        return
    print(f"transfer: {FILE} {'written' if changed else 'stands as it was'}")


if __name__ == "__main__":
    sys.exit(main())
