"""Claims about who leads: LeViT among the fast, ConvNeXt in the middle, BEiT among the slow, what pretraining has to do
with it, and VGG.

Each judge is documented in `claims`: it takes one configuration's tidy table and returns a verdict with its evidence.
"""

from __future__ import annotations

import pandas as pd

from scripts.common import families
from scripts.common.frontier import on_frontier
from scripts.common.uncertainty import TIMING_SPREAD, top1_uncertainty
from scripts.common.words import rate
from scripts.data import names
from scripts.findings.claims import CONDITIONAL, FAILS, HOLDS, NOTEBOOK, Claim, Finding, Tables, leads, no_data, verdict

BEIT = ("beit", "beitv2", "beit3")
PLAIN = ("in1k", "distilled")  # no images beyond ImageNet-1k


def levit_fastest(table: pd.DataFrame, tables: Tables) -> Finding:
    mine = table[table["family"] == "levit"]
    if mine.empty or mine["top1"].isna().all():
        return no_data("no LeViT in this table")
    size = mine["arch"].str.replace("levit_conv_", "levit_", regex=False)  # the same weights, written with convolutions
    mine = mine.loc[mine.groupby(size)["samples_per_sec"].idxmax()]
    mine = leads(mine, table[table["family"] != "levit"]).sort_values("samples_per_sec", ascending=False, kind="stable")
    ahead = mine[mine["lead"] > 0]
    faster = table[on_frontier(table) & (table["samples_per_sec"] > mine["samples_per_sec"].max())].sort_values(
        "samples_per_sec", kind="stable"
    )
    said = f"{len(ahead)} of {len(mine)} LeViTs are more accurate than any rival as fast"
    close = int((~ahead["clear"]).sum())
    said += f" ({close} by less than the uncertainty)" if close else ""
    beaten = mine[mine["lead"] <= 0]
    said += "".join(
        f"; {row.arch} is behind {row.rival} by {-row.lead:.2f} points" for row in beaten.head(1).itertuples()
    )
    if len(faster):
        said += (
            "; faster than all of them are "
            f"{', '.join(dict.fromkeys(families.label(name) for name in faster['family']))}"
        )
    clear = int(ahead["clear"].sum())
    outcome = FAILS if ahead.empty else HOLDS if clear == len(mine) else CONDITIONAL
    edge = (ahead if len(ahead) else mine).sort_values("lead", kind="stable").iloc[0]
    return Finding(
        outcome,
        said,
        tuple(mine["model"]),
        edge["lead"],
        edge["uncertainty"],
        "points of top-1",
        tie=len(ahead) > 0 and clear == 0,
    )


def convnext_middle(table: pd.DataFrame, tables: Tables) -> Finding:
    mine = table[table["family"] == "convnext"]
    if mine.empty or mine["top1"].isna().all():
        return no_data("no ConvNeXt in this table")
    low, high = table["samples_per_sec"].quantile([0.25, 0.75])
    front = table[on_frontier(table)]
    there = front[front["family"] == "convnext"]
    middle = there[there["samples_per_sec"].between(low, high)]
    ranked = leads(mine[mine["samples_per_sec"].between(low, high)], table[table["family"] != "convnext"]).sort_values(
        "lead", ascending=False, kind="stable"
    )
    span = f"{rate(low)} to {rate(high)} images/s"
    if ranked.empty:
        return no_data(f"no ConvNeXt among the middle half of the speeds ({span})")
    best = ranked.iloc[0]
    if there.empty:
        return Finding(
            FAILS,
            f"no ConvNeXt is on the frontier; the nearest in the middle ({span}) is {best['model']}, "
            f"{-best['lead']:.2f} points behind "
            f"{best['rival']}, which is as fast",
            (best["model"], best["rival"]),
            best["lead"],
            best["uncertainty"],
            "points of top-1",
            tie=bool(-best["lead"] <= best["uncertainty"]),
        )
    plain = middle[middle["pretrain"].isin(PLAIN)]
    outcome = HOLDS if len(plain) and best["clear"] else CONDITIONAL
    said = (
        f"{len(there)} of the {len(front)} on the frontier are ConvNeXt, {len(middle) or 'none'} of them in the "
        f"middle ({span})"
    )
    if not there["pretrain"].isin(PLAIN).any():
        said += ", all pretrained on more than ImageNet-1k"
    return Finding(
        outcome,
        said,
        tuple(there["model"]),
        best["lead"],
        best["uncertainty"],
        "points of top-1",
        tie=bool(best["lead"] > 0 and not best["clear"]),
    )


def beit_slow(table: pd.DataFrame, tables: Tables) -> Finding:
    slow = table[table["samples_per_sec"] <= table["samples_per_sec"].quantile(0.25)]
    if not table["family"].isin(BEIT).any():
        return no_data("no BEiT in this table")
    mine, others = slow[slow["family"].isin(BEIT)], slow[~slow["family"].isin(BEIT)]
    if mine.empty or others.empty:
        return no_data("no BEiT, or nothing else, in the slowest quarter of this table")
    ours, theirs = mine.loc[mine["top1"].idxmax()], others.loc[others["top1"].idxmax()]
    margin, doubt = ours["top1"] - theirs["top1"], float(top1_uncertainty(ours["top1"], theirs["top1"]))
    outcome, tie = verdict(margin, doubt)
    front = table[on_frontier(table) & table["family"].isin(BEIT)].sort_values("top1", ascending=False, kind="stable")
    said = (
        f"the best BEiT of the slowest quarter, {ours['model']}, reaches {ours['top1']:.2f}%; {theirs['model']} "
        f"{theirs['top1']:.2f}%"
    )
    said += (
        f"; on the frontier at any speed: {', '.join(front['model'].head(3))}"
        if len(front)
        else "; none is on the frontier at any speed"
    )
    return Finding(outcome, said, (ours["model"], theirs["model"]), margin, doubt, "points of top-1", tie)


def pretraining_explains(table: pd.DataFrame, tables: Tables) -> Finding:
    """The lead: the frontier's more accurate half. A fair comparison: the same network and size, with and without
    more data.
    """
    front = table[on_frontier(table)]
    leaders = front[front["top1"] >= front["top1"].median()]
    classes = table["pretrain"]
    if not classes.isin(PLAIN).any() or not classes.isin(["in21k", "web"]).any() or len(leaders) < 4:
        return no_data("not both kinds of pretraining in this table, or too short a frontier")
    more = leaders["pretrain"].isin(["in21k", "web"])
    network = [names.today(old).partition(".")[0] or old for old in table["model"]]
    best = table.groupby([network, "img_size", classes.isin(["in21k", "web"])])["top1"].max().unstack().dropna()
    gain = (best[True] - best[False]) if len(best) else pd.Series(dtype=float)
    fair = table[table["pretrain"] == "in1k"]
    alone = fair[on_frontier(fair)].sort_values("top1", ascending=False, kind="stable")
    said = f"{int(more.sum())} of the {len(leaders)} most accurate on the frontier saw more than ImageNet-1k"
    doubt = float("nan")
    if len(gain) > 1:
        doubt = 2 * gain.std() / len(gain) ** 0.5
        said += f"; the same network gains {gain.mean():.1f} ± {doubt:.1f} points from it ({len(gain)} pairs)"
    if len(alone):
        top = alone.iloc[0]
        said += (
            f"; with ImageNet-1k only {top['model']} leads with {top['top1']:.2f}%, and the frontier is "
            f"{', '.join(_most(alone['family']))}"
        )
    clear = len(gain) > 1 and gain.mean() > doubt
    outcome = (
        HOLDS
        if more.mean() >= 0.9 and clear
        else FAILS
        if more.mean() < 0.5 or (len(gain) > 1 and gain.mean() < -doubt)
        else CONDITIONAL
    )
    return Finding(
        outcome,
        said,
        tuple(leaders["model"][more].head(5)),
        gain.mean() if len(gain) else float("nan"),
        doubt,
        "points of top-1",
        tie=bool(len(gain) > 1 and not clear and gain.mean() >= -doubt),
    )


def _most(names: pd.Series, count: int = 4) -> list[str]:
    """The families that stand most often in `names`, labelled."""
    return [families.label(name) for name in names.value_counts().index[:count]]


def vgg_shows_progress(table: pd.DataFrame, tables: Tables) -> Finding:
    old, others = table[table["family"] == "vgg"], table[table["family"] != "vgg"]
    if old.empty or old["top1"].isna().all():
        return no_data("no VGG in this table")
    best = old.loc[old["top1"].idxmax()]
    rivals = others[others["top1"] - best["top1"] > top1_uncertainty(others["top1"], best["top1"])]
    if rivals.empty:
        return Finding(
            FAILS,
            f"nothing is clearly more accurate than {best['model']}",
            (best["model"],),
            0.0,
            TIMING_SPREAD - 1,
            "times the speed",
        )
    fast = rivals.loc[rivals["samples_per_sec"].idxmax()]
    ratio = fast["samples_per_sec"] / best["samples_per_sec"]
    as_fast = others[others["samples_per_sec"] >= best["samples_per_sec"]]
    said = (
        f"{fast['model']} is more accurate than {best['model']} ({fast['top1']:.1f} against {best['top1']:.1f}%), "
        f"{ratio:.1f}× as fast, with "
    )
    said += f"{fast['param_count'] / best['param_count']:.0%} of its parameters"
    if len(as_fast):
        top = as_fast.loc[as_fast["top1"].idxmax()]
        said += f"; at its speed {top['model']} is {top['top1'] - best['top1']:.1f} points ahead"
    outcome = HOLDS if ratio >= 2 else FAILS if ratio <= 1 else CONDITIONAL
    return Finding(
        outcome,
        said,
        (best["model"], fast["model"]),
        ratio - 1,
        TIMING_SPREAD - 1,
        "times the speed",
        tie=abs(ratio - 1) <= TIMING_SPREAD - 1,
    )


CLAIMS = (
    Claim("levit_fastest", "LeViT is the fastest for its accuracy", NOTEBOOK, levit_fastest),
    Claim("convnext_middle", "ConvNeXt leads the middle", NOTEBOOK, convnext_middle),
    Claim("beit_slow", "BEiT is the most accurate of the slow", NOTEBOOK, beit_slow),
    Claim("pretraining", "More pretraining data explains the lead", "this report", pretraining_explains),
    Claim("vgg", "VGG shows how far things have come", NOTEBOOK, vgg_shows_progress),
)
