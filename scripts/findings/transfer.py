"""Does ImageNet's order hold on other pictures? Two public tables of networks trained on them, and our own runs.

    TABLES=folder python -m scripts.findings.transfer     # report/data/transfer*.csv with sidecars

Two estimands for each set of pictures, over the networks whose ImageNet accuracy is known:

- rank correlation of ImageNet's top-1 with the accuracy on the set (Spearman);
- regret: the points that one loses by taking ImageNet's best within a budget instead of the set's own best within it.

Where a network was run several times,
half of its runs say which is the set's best and the other half what that gives, so that luck does not count as skill.
Where there is one run each, the set's best is partly luck, and the regret an upper bound.

Networks of one family are alike, so intervals (95%) come from drawing whole families; a regret's also from the split.
What each is worth as a claim is judged in `claims_transfer`, what accuracy costs in `costs`.
"""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pandas as pd

from scripts.common import families
from scripts.common.errors import UserError, cli, parser_of
from scripts.common.paths import DATA
from scripts.common.provenance import sidecar, write_derived
from scripts.common.tables import read_table
from scripts.common.uncertainty import DRAWS, LEVEL, SIGMAS, family_draws, spearman, spearman_interval
from scripts.data import fastai_timm, names, pepr, public, read_data
from scripts.findings import claims_transfer, costs
from scripts.findings.claims import CONDITIONAL, decide
from scripts.findings.claims_transfer import HOLDS, LEAST

FILE = "transfer.csv"
CLAIMS = "transfer-claims.csv"
# what is short, training time or memory, and the share of the networks that a budget leaves, the cheapest
BUDGETS = {
    "none": ("cost", 1.0),
    "half": ("cost", 0.5),
    "quarter": ("cost", 0.25),
    "memory_half": ("memory_gb", 0.5),
    "memory_quarter": ("memory_gb", 0.25),
}
SPLITS = 50


def sets() -> list[dict]:
    """Each set of pictures: `source`, `dataset`, `what`, `pretrained`, `several` (runs a network), and `runs`, a table
    of `model`, `family`, `top1` (ImageNet's), `accuracy` (percent on the set), `cost` (train_seconds), `params`.

    Raises TablesMissing where a source is not at hand.
    """
    found = []
    for name, runs in pepr.load().groupby("dataset", sort=False):
        what, share = pepr.SETS[str(name)]
        about = {"source": pepr.SOURCE, "dataset": name, "what": what, "share": share, "several": False}
        runs = runs.assign(cost=runs["train_seconds"])
        found.append({**about, "pretrained": name in pepr.PRETRAINED, "runs": runs})
    known = _top1_of_2022()
    for name, runs in fastai_timm.load().groupby("dataset", sort=False):
        runs = runs.merge(known, on="model", how="left", validate="m:1")
        what = fastai_timm.SETS[str(name)]
        about = {"source": fastai_timm.SOURCE, "dataset": name, "what": what, "share": 1.0, "several": True}
        runs = runs.assign(accuracy=100 - runs["error"], cost=runs["train_seconds"])
        found.append({**about, "pretrained": True, "runs": runs})
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
    """A row a network, its runs averaged: family, top1, accuracy, cost, params, memory_gb (NaN: not known)."""
    first, mean = ("family", "top1", "params"), ("accuracy", "cost", "memory_gb")
    return runs.groupby("model").agg(dict.fromkeys(first, "first") | dict.fromkeys(mean, "mean"))


def order(table: pd.DataFrame, by: str = "top1") -> tuple[float, float, float]:
    """(Spearman's rank correlation of `by`, ImageNet's top-1, with the accuracy on the set, low, high)."""
    pair = table[by].to_numpy(float), table["accuracy"].to_numpy(float)
    return spearman(*pair), *spearman_interval(table["family"], *pair)


def halves(runs: pd.DataFrame, several: bool, seed: int = 0) -> tuple[pd.Index, np.ndarray, np.ndarray]:
    """(networks by name, choosing, judging): each (splits, networks), a network's mean accuracy in the half of its runs
    that says which is best, and in the other; NaN where a half is empty. Not several: both are all its runs.
    """
    means = runs.groupby("model")["accuracy"].mean()
    if not several:
        return means.index, means.to_numpy()[None], means.to_numpy()[None]
    random = np.random.default_rng(seed)
    sides: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for _ in range(SPLITS):
        mixed = runs.iloc[random.permutation(len(runs))]
        half = mixed.groupby("model").cumcount() % 2 == 0  # each network's runs dealt alternately to both halves
        for side, part in zip(sides, (half, ~half)):
            side.append(mixed[part].groupby("model")["accuracy"].mean().reindex(means.index).to_numpy())
    return means.index, np.array(sides[0]), np.array(sides[1])


def regret(top1: np.ndarray, choosing: np.ndarray, judging: np.ndarray) -> float:
    """Points lost by ImageNet's best network against the set's own, over the splits: `choosing` (splits, networks)
    says which that is, `judging` what each gives. NaN where nothing is known.
    """
    known = ~np.isnan(choosing) & ~np.isnan(judging)
    values = []
    for some, first, second in zip(known, choosing, judging):
        if some.any():
            own = np.argmax(np.where(some, first, -np.inf))
            values.append(second[own] - second[np.argmax(np.where(some, top1, -np.inf))])
    return float(np.mean(values)) if values else float("nan")


def regrets(table: pd.DataFrame, share: float, parts, by: str = "cost") -> tuple[float, float, float]:
    """(`regret` within the cheapest `share` of the networks by `by`, low, high). parts: of `halves`; each draw of
    families has a split of its own, so that the interval holds both.
    """
    names, choosing, judging = parts
    table = table.loc[names]
    top1, cost = table["top1"].to_numpy(float), table[by].to_numpy(float)

    def lost(rows: np.ndarray, splits: slice) -> float:
        cheap = rows[cost[rows] <= np.quantile(cost[rows], share)]
        return regret(top1[cheap], choosing[splits][:, cheap], judging[splits][:, cheap])

    splits = itertools.cycle(slice(i, i + 1) for i in range(len(choosing)))
    drawn = [lost(rows, split) for rows, split in zip(family_draws(table["family"]), splits)]
    low, high = np.nanquantile(drawn, LEVEL)
    return lost(np.arange(len(table)), slice(None)), float(low), float(high)


def verdict(low: float, high: float) -> str:
    """Of a rank correlation's interval: the order holds, fails, or nobody can tell."""
    return {CONDITIONAL: "cannot tell"}.get(said := decide(low, high, HOLDS, HOLDS)[0], said)


def summary(found: list[dict] | None = None) -> pd.DataFrame:
    """The table transfer.csv: a row a set of pictures; see scripts/common/schema/findings.py."""
    rows = []
    for one in sets() if found is None else found:
        table = networks(one["runs"])
        if len(table) < LEAST:
            raise UserError(f"{one['dataset']}: only {len(table)} networks with a known ImageNet accuracy; too few")
        rho, low, high = order(table)
        size, parts = order(table, "params"), halves(one["runs"], one["several"])
        row = {
            **{name: one[name] for name in ("source", "dataset", "what", "share", "pretrained")},
            "networks": len(table),
            "families": table["family"].nunique(),
            "runs": len(one["runs"]),
            **dict(zip(("rho", "rho_low", "rho_high"), (rho, low, high))),
            "verdict": verdict(low, high),
            **dict(zip(("rho_size", "rho_size_low", "rho_size_high"), size)),
            "best": float(table["accuracy"].max()),
            "one_run": not one["several"],
        }
        for name, (by, share) in BUDGETS.items():
            lost = regrets(table, share, parts, by)
            row |= {f"regret_{name}{end}": value for end, value in zip(("", "_low", "_high"), lost)}
        rows.append(row)
    return pd.DataFrame(rows).round(3)


def travellers(found: list[dict] | None = None, least: int = 3) -> pd.DataFrame:
    """Which families travel well: per set and family of `least` networks, the mean difference between a network's rank
    on the set and on ImageNet, in shares of all ranks (positive: better than ImageNet lets one expect), with its 95%
    interval over the family's networks.
    """
    rows = []
    for one in sets() if found is None else found:
        table = networks(one["runs"])
        gain = table["accuracy"].rank(pct=True) - table["top1"].rank(pct=True)
        for family, part in gain.groupby(table["family"]):
            if len(part) >= least:
                half = SIGMAS * part.std() / np.sqrt(len(part))
                ends = {"gain": part.mean(), "low": part.mean() - half, "high": part.mean() + half}
                rows.append({"dataset": one["dataset"], "family": family, "networks": len(part), **ends})
    return pd.DataFrame(rows, columns=["dataset", "family", "networks", "gain", "low", "high"]).round(3)


def claims(found: list[dict]) -> pd.DataFrame:
    """The table transfer-claims.csv: the claims on these sets and on our own photos."""
    own = {}
    for path in sorted(DATA.glob("choose-*[a-z0-9].csv")):
        if not path.stem.endswith(("-confusion", "-curve")):
            numbers, name = ["imagenet_top1", "test_accuracy", "seconds"], path.stem.split("-", 1)[1].rpartition("-")[0]
            own[name] = read_table(path, required=["backbone"], optional_numeric=numbers)
    every = [*found, *claims_transfer.own_sets(own)]
    return claims_transfer.judged([{**one, "table": networks(one["runs"])} for one in every])


def update() -> bool:
    """Compute and write the tables with their sidecars. Returns whether one changed."""
    found = sets()
    made_of = [public.record(pepr.SOURCE), public.record(fastai_timm.SOURCE)]
    facts = sidecar(packages=("pandas", "numpy"), sources=made_of, draws=DRAWS, splits=SPLITS)
    made = {FILE: summary(found), CLAIMS: claims(found)}
    made |= {"transfer-costs.csv": costs.table(found), "transfer-families.csv": travellers(found)}
    changed = [write_derived(frame, DATA / name, facts) for name, frame in made.items()]
    return any(changed)


@cli
def main(argv: list[str] | None = None) -> None:
    parser_of("scripts.findings.transfer", __doc__, "TABLES=folder python -m scripts.findings.transfer").parse_args(
        argv
    )
    try:
        changed = update()
    except read_data.TablesMissing as missing:
        print(f"notice: {missing}; {FILE} stays as it is", file=sys.stderr)
        return
    print(f"transfer: {FILE} {'written' if changed else 'stands as it was'}")


if __name__ == "__main__":
    sys.exit(main())
