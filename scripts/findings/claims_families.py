"""Claims about who leads: LeViT among the fast, ConvNeXt in the middle, BEiT among the slow, what pretraining has to do
with it, and VGG.

Each judge is documented in `claims`: it takes one configuration's tidy table and returns a verdict with its evidence.
"""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from scripts.common import families
from scripts.common.frontier import on_frontier
from scripts.common.uncertainty import TIMING_SPREAD, share_difference, top1_least_uncertainty, top1_uncertainty
from scripts.common.words import rate
from scripts.data import names
from scripts.findings.claims import (
    CONDITIONAL,
    FAILS,
    HOLDS,
    NOTEBOOK,
    POINTS,
    Claim,
    Finding,
    Tables,
    decide,
    lead_of,
    leads,
    no_data,
    pictures,
)

BEIT = ("beit", "beitv2", "beit3")
PLAIN = ("in1k", "distilled")  # no images beyond ImageNet-1k
MORE = ("in21k", "web")
TWICE = 2.0  # times as fast: what shows how far things have come
LEAST_FAMILIES = 4  # families of which both kinds of weights were timed; fewer have no spread to speak of


def levit_fastest(table: pd.DataFrame, tables: Tables) -> Finding:
    mine = table[table["family"] == "levit"]
    if mine.empty or mine["top1"].isna().all():
        return no_data("no LeViT in this table")
    size = mine["arch"].str.replace("levit_conv_", "levit_", regex=False)  # the same weights, written with convolutions
    mine = mine.loc[mine.groupby(size)["samples_per_sec"].idxmax()]
    mine = leads(mine, table[table["family"] != "levit"]).sort_values("low", kind="stable")
    each = [
        [decide(low, high)[0] for low, high in zip(mine[f"{which}low"], mine[f"{which}high"])]
        for which in ("", "paired_")
    ]
    outcomes = [one[0] if len(set(one)) == 1 else CONDITIONAL for one in each]
    least, most = mine.iloc[0], mine.iloc[-1]
    clear, close = each[0].count(HOLDS), each[0].count(CONDITIONAL)
    said = f"{clear} of {len(mine)} LeViTs are clearly more accurate than any other model as fast"
    said += f", {close} can’t be told from the best" if close else ""
    if outcomes[0] != HOLDS:
        said += f"; {least['arch']} is {_apart(least['lead'])} {least['rival']}"
    if outcomes[0] == FAILS and len(mine) > 1:
        said += f", and the nearest, {most['arch']}, {_apart(most['lead'])} {most['rival']}"
    faster = table[on_frontier(table) & (table["samples_per_sec"] > mine["samples_per_sec"].max())]
    faster = faster.sort_values("samples_per_sec", kind="stable")["family"]
    if len(faster):
        said += f"; faster than all of them are {', '.join(dict.fromkeys(families.label(name) for name in faster))}"
    decider = most if outcomes[0] == FAILS else least
    return lead_of(decider, said, tuple(mine["model"]), tuple(outcomes))


def _apart(lead: float) -> str:
    """'0.42 points ahead of', '1.20 points behind'."""
    return f"{abs(lead):.2f} points {'ahead of' if lead >= 0 else 'behind'}"


def convnext_middle(table: pd.DataFrame, tables: Tables) -> Finding:
    mine = table["family"] == "convnext"
    if not mine.any():
        return no_data("no ConvNeXt in this table")
    low, high = table["samples_per_sec"].quantile([0.25, 0.75])
    middle = mine & table["samples_per_sec"].between(low, high)
    span = f"{rate(low)} to {rate(high)} images/s"
    if not middle.any():
        return no_data(f"no ConvNeXt among the middle half of the speeds ({span})")
    plain = table["pretrain"].isin(PLAIN)
    best = leads(table[middle], table[~mine]).sort_values("lead", kind="stable").iloc[-1]
    said = f"in the middle ({span}) the best placed ConvNeXt, {best['model']}, is "
    said += f"{_apart(best['lead'])} {best['rival']}, which is as fast" if best["rival"] else "as fast as anything else"
    alike = leads(table[middle & plain], table[~mine & plain]).sort_values("lead", kind="stable")
    if alike.empty:
        known = table["pretrain"].ne("unknown").any()
        said += f"; {'none of those timed was pretrained on ImageNet-1k only' if known else 'pretraining is not known'}"
        clear = decide(best["low"], best["high"])[0] == HOLDS
        return lead_of(best, said, verdicts=(CONDITIONAL, CONDITIONAL)) if clear else lead_of(best, said)
    fair = alike.iloc[-1]
    said += f"; among those pretrained on ImageNet-1k only, {fair['model']} is "
    said += f"{_apart(fair['lead'])} {fair['rival']}" if fair["rival"] else "as fast as anything else"
    outcomes = []
    for which in ("", "paired_"):
        all_, same = (decide(row[f"{which}low"], row[f"{which}high"])[0] for row in (best, fair))
        outcomes.append(all_ if all_ != HOLDS else HOLDS if same == HOLDS else CONDITIONAL)
    decider = fair if decide(best["low"], best["high"])[0] == HOLDS and fair["low"] <= best["low"] else best
    return lead_of(decider, said, verdicts=tuple(outcomes))


def beit_slow(table: pd.DataFrame, tables: Tables) -> Finding:
    if not table["family"].isin(BEIT).any():
        return no_data("no BEiT in this table")
    quarter = table["samples_per_sec"].quantile(0.25)
    sides = []  # of those surely, likely and perhaps among the slowest quarter: the most accurate BEiT and other model
    for limit in (quarter / TIMING_SPREAD, quarter, quarter * TIMING_SPREAD):
        slow = table[table["samples_per_sec"] <= limit].sort_values("top1", ascending=False, kind="stable")
        own = slow["family"].isin(BEIT)
        if not own.any() or own.all():
            return no_data("no BEiT, or nothing else, in the slowest quarter of this table")
        sides.append((slow[own].iloc[0], slow[~own].iloc[0]))
    (least, _), (ours, theirs), (most, nearly) = sides
    ends = {}
    for which, uncertainty in (("", top1_uncertainty), ("paired_", top1_least_uncertainty)):
        doubt = functools.partial(uncertainty, images=pictures(table))
        ends[f"{which}low"] = least["top1"] - nearly["top1"] - doubt(least["top1"], nearly["top1"])
        ends[f"{which}high"] = most["top1"] - sides[0][1]["top1"] + doubt(most["top1"], sides[0][1]["top1"])
    row = pd.Series({"lead": ours["top1"] - theirs["top1"], "model": ours["model"], "rival": theirs["model"], **ends})
    front = table[on_frontier(table) & table["family"].isin(BEIT)].sort_values("top1", ascending=False, kind="stable")
    said = (
        f"the best BEiT of the slowest quarter, {ours['model']}, reaches {ours['top1']:.2f}%, the best other model, "
        f"{theirs['model']}, {theirs['top1']:.2f}%; "
    )
    best = ", ".join(front["model"].head(3))
    said += f"on the frontier at any speed: {best}" if best else "no BEiT is on the frontier at any speed"
    return lead_of(row, said)


def pretraining_goes_with_it(table: pd.DataFrame, tables: Tables) -> Finding:
    more = table["pretrain"].isin(MORE)
    front = table[on_frontier(table)]
    leaders = front[front["top1"] >= front["top1"].median()]
    if more.all() or not more.any() or len(leaders) < 4:
        return no_data("not both kinds of pretraining in this table, or too short a frontier")
    rest, hits = table.drop(index=leaders.index), leaders["pretrain"].isin(MORE)
    ahead, low, high = share_difference(hits, leaders["family"], more[rest.index], rest["family"])
    gain, spread, kin, pairs = gains(table)
    outcome, tie = decide(low, high)
    said = (
        f"{int(hits.sum())} of the {len(leaders)} most accurate on the frontier saw more than ImageNet-1k, of the "
        f"other weights {more[rest.index].mean():.0%}; the leaders are of {leaders['family'].nunique()} families"
    )
    if kin >= LEAST_FAMILIES:
        said += (
            f"; the same network is {gain:.1f} ± {spread:.1f} points more accurate with more data "
            f"({pairs} pairs in {kin} families)"
        )
    fair = table[table["pretrain"] == "in1k"]
    alone = fair[on_frontier(fair)].sort_values("top1", ascending=False, kind="stable")
    if len(alone):
        top, most = alone.iloc[0], alone["family"].value_counts().index[:4]
        said += (
            f"; with ImageNet-1k only {top['model']} leads with {top['top1']:.2f}%, and the frontier is "
            f"{', '.join(families.label(name) for name in most)}"
        )
    models = tuple(leaders["model"][hits].head(5))
    if outcome == HOLDS and not gain > spread:  # then it is the gain that decides
        return Finding(CONDITIONAL, said, models, gain, gain - spread, gain + spread, POINTS, tie=bool(gain >= -spread))
    return Finding(outcome, said, models, ahead, low, high, "more of the leaders", tie=tie)


def gains(table: pd.DataFrame) -> tuple[float, float, int, int]:
    """What the same network at the same size gains with weights that saw more than ImageNet-1k: (mean over families of
    their mean in points, twice its standard error, families, pairs). NaN with fewer than LEAST_FAMILIES."""
    network = [names.today(old).partition(".")[0] or old for old in table["model"]]
    keyed = table.assign(network=network, more=table["pretrain"].isin(MORE))
    best = keyed.groupby(["family", "network", "img_size", "more"])["top1"].max().unstack()
    if best.shape[1] < 2:
        return float("nan"), float("nan"), 0, 0
    each = (best[True] - best[False]).dropna()
    own = each.groupby("family").mean()
    if len(own) < LEAST_FAMILIES:
        return float("nan"), float("nan"), len(own), len(each)
    return float(own.mean()), float(2 * own.std() / np.sqrt(len(own))), len(own), len(each)


def vgg_shows_progress(table: pd.DataFrame, tables: Tables) -> Finding:
    old, others = table[table["family"] == "vgg"], table[table["family"] != "vgg"]
    if old.empty or old["top1"].isna().all():
        return no_data("no VGG in this table")
    best = old.loc[old["top1"].idxmax()]
    doubt = top1_uncertainty(others["top1"], best["top1"], pictures(table))
    rivals = others[others["top1"] - best["top1"] > doubt]
    if rivals.empty:
        return Finding(FAILS, f"nothing is clearly more accurate than {best['model']}", (best["model"],))
    fast = rivals.loc[rivals["samples_per_sec"].idxmax()]
    ratio = fast["samples_per_sec"] / best["samples_per_sec"]
    ends = ratio / TIMING_SPREAD, ratio * TIMING_SPREAD
    outcome, tie = decide(*ends, TWICE, 1.0)
    said = (
        f"{fast['model']} is more accurate than {best['model']} ({fast['top1']:.1f} against {best['top1']:.1f}%), "
        f"{ratio:.1f}× as fast, with {fast['param_count'] / best['param_count']:.0%} of its parameters"
    )
    as_fast = others[others["samples_per_sec"] >= best["samples_per_sec"]]
    if len(as_fast):
        top = as_fast.loc[as_fast["top1"].idxmax()]
        said += f"; at its speed {top['model']} is {top['top1'] - best['top1']:.1f} points ahead"
    return Finding(outcome, said, (best["model"], fast["model"]), ratio, *ends, "times as fast", tie=tie)


CLAIMS = (
    Claim(
        "levit_fastest",
        "LeViT is the fastest for its accuracy",
        NOTEBOOK,
        "points of top-1 by which each size of LeViT is ahead of the most accurate other model at least as fast",
        "holds where every size is ahead beyond its uncertainty, fails where every size is behind beyond it; the size "
        "with the least lead is shown, where all are behind the one with the most",
        levit_fastest,
        rivals=True,
        sound=(FAILS,),
    ),
    Claim(
        "convnext_middle",
        "ConvNeXt leads the middle",
        NOTEBOOK,
        "points of top-1 by which the best placed ConvNeXt of the middle half of the speeds is ahead of the most "
        "accurate other model at least as fast; among all weights, and among those pretrained on ImageNet-1k only",
        "holds where both leads exceed their uncertainty, fails where the first is negative beyond it; a lead that "
        "needs more pretraining is conditional; the lead that decides is shown",
        convnext_middle,
        rivals=True,
        sound=(FAILS,),
    ),
    Claim(
        "beit_slow",
        "BEiT is the most accurate of the slow",
        NOTEBOOK,
        "points of top-1 between the most accurate BEiT and the most accurate other model of the slowest quarter",
        "holds where the difference is positive beyond its uncertainty, fails where it is negative beyond it",
        beit_slow,
        rivals=True,
        sound=(FAILS,),
    ),
    Claim(
        "pretraining",
        "The leaders saw more pretraining data than the rest",
        "this report",
        "of the more accurate half of the frontier, the share whose weights saw more than ImageNet-1k, less that share "
        "of all other weights (an association: what else the leaders have in common is not taken out)",
        "holds where the difference is positive beyond its uncertainty and the same network is more accurate with more "
        "data beyond its own, fails where the difference is negative beyond it; weights of one family count together",
        pretraining_goes_with_it,
        rivals=True,
        sound=(),
    ),
    Claim(
        "vgg",
        "VGG shows how far things have come",
        NOTEBOOK,
        "how many times as fast as the most accurate VGG the fastest model is that is clearly more accurate",
        "holds from twice as fast on, beyond what timings vary, fails where it is slower beyond that",
        vgg_shows_progress,
        rivals=True,
        sound=(HOLDS,),
    ),
)
