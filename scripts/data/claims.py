"""The report's claims, each a sentence, its origin, and a function that judges it on one hardware configuration.

A function takes the tidy table of the configuration (timm's test networks left out) and `Tables`, from which it may ask for another one
of the same machine. It returns a `Finding`, or None where the claim is not about that kind of configuration. Verdicts:

    holds         the figures say so by more than their uncertainty
    conditional   only for some models, only with more pretraining, or by less than the uncertainty (a tie, and said so)
    fails         they say otherwise
    no data       the table lacks the rows or columns to tell; never counted as holding

`findings` runs them all; `robustness` adds those about other test sets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable

import numpy as np
import pandas as pd

from scripts.common import families, hardware
from scripts.data.frontier import on_frontier
from scripts.data.uncertainty import TIMING_SPREAD, spearman_uncertainty, top1_uncertainty

HOLDS, CONDITIONAL, FAILS, NO_DATA = VERDICTS = ("holds", "conditional", "fails", "no data")
LEAST_ROWS = 10          # fewer weights than this are no field of rivals
NOTEBOOK = "Which image models are best? (Howard and Wightman, 2022)"
BEIT = ("beit", "beitv2", "beit3")


@dataclass(frozen=True)
class Finding:
    """A verdict with its evidence. margin: by how much, in `unit`; uncertainty: what of it may be chance; models: those concerned."""

    verdict: str
    evidence: str
    models: tuple[str, ...] = ()
    margin: float = float("nan")
    uncertainty: float = float("nan")
    unit: str = ""
    tie: bool = False


@dataclass
class Tables:
    """The tidy tables at hand, by configuration, for claims that compare two."""

    tables: list[pd.DataFrame] = field(default_factory=list)

    def find(self, like: pd.Series, **change) -> pd.DataFrame | None:
        """The table of the configuration of row `like`, with some of its properties changed; None where there is none."""
        wanted = {name: like[name] for name in ("vintage", "part", "hardware", "precision", "layout", "compiled", "torch")} | change
        return next((table for table in self.tables if all(table.iloc[0][name] == value for name, value in wanted.items())), None)

    def gpus(self, part: str, vintage: str) -> list[pd.DataFrame]:
        """Tables of GPUs of one vintage and part, mixed precision."""
        return [table for table in self.tables if (head := table.iloc[0])["part"] == part and head["vintage"] == vintage
                and head["precision"] == "amp" and hardware.named(head["hardware"]).kind == "gpu"]


@dataclass(frozen=True)
class Claim:
    """key: its name in findings.csv; sentence: as the report's sources put it; judge: see this module's docstring."""

    key: str
    sentence: str
    origin: str
    judge: Callable[[pd.DataFrame, Tables], Finding | None]


def no_data(why: str) -> Finding:
    return Finding(NO_DATA, why)


def verdict(margin: float, uncertainty: float) -> tuple[str, bool]:
    """(verdict, tie) of a lead: beyond its uncertainty it holds, within it it is a tie, behind by more it fails."""
    tie = abs(margin) <= uncertainty
    return (CONDITIONAL if tie else HOLDS if margin > 0 else FAILS), tie


def rate(value: float) -> str:
    """Images per second for a sentence: 33, 994, 1.07k, 44.5k."""
    return f"{value / 1000:.3g}k" if value >= 1000 else f"{value:.3g}"


def leads(members: pd.DataFrame, rivals: pd.DataFrame) -> pd.DataFrame:
    """`members` with, over the most accurate rival at least as fast: `lead` (points of top-1; infinite without one), `rival`, its
    `uncertainty`, and `clear`: the lead exceeds that, rivals slower by no more than the timing spread included."""
    order = rivals.sort_values("samples_per_sec", ascending=False)
    best = order["top1"].cummax().to_numpy()
    which = order["top1"].expanding().apply(lambda seen: int(np.argmax(seen)), raw=True).astype(int).to_numpy() if len(order) else np.array([], int)
    speeds = -order["samples_per_sec"].to_numpy()
    out = members.copy()

    def against(speed):
        count = np.searchsorted(speeds, -np.asarray(speed), side="right")
        return np.where(count > 0, best[np.maximum(count, 1) - 1] if len(best) else 0.0, -np.inf), count

    top, count = against(out["samples_per_sec"])
    near, _ = against(out["samples_per_sec"] / TIMING_SPREAD)
    out["lead"] = out["top1"] - top
    out["rival"] = [order["model"].iloc[which[n - 1]] if n else "" for n in count]
    finite = np.where(np.isfinite(top), top, out["top1"])
    out["uncertainty"] = top1_uncertainty(out["top1"], finite)
    out["clear"] = out["top1"] - near > out["uncertainty"]
    return out


def levit_fastest(table: pd.DataFrame, tables: Tables) -> Finding:
    mine = table[table["family"] == "levit"]
    if mine.empty or mine["top1"].isna().all():
        return no_data("no LeViT in this table")
    size = mine["arch"].str.replace("levit_conv_", "levit_", regex=False)  # the same weights, written with convolutions
    mine = mine.loc[mine.groupby(size)["samples_per_sec"].idxmax()]
    mine = leads(mine, table[table["family"] != "levit"]).sort_values("samples_per_sec", ascending=False)
    ahead = mine[mine["lead"] > 0]
    faster = table[on_frontier(table) & (table["samples_per_sec"] > mine["samples_per_sec"].max())].sort_values("samples_per_sec")
    said = f"{len(ahead)} of {len(mine)} LeViTs are more accurate than anything as fast"
    close = int((~ahead["clear"]).sum())
    said += f" ({close} by less than the uncertainty)" if close else ""
    beaten = mine[mine["lead"] <= 0]
    said += "".join(f"; {row.arch} is behind {row.rival} by {-row.lead:.2f} points" for row in beaten.head(1).itertuples())
    if len(faster):
        said += f"; faster than all of them are {', '.join(dict.fromkeys(families.label(name) for name in faster['family']))}"
    clear = int(ahead["clear"].sum())
    outcome = FAILS if ahead.empty else HOLDS if clear == len(mine) else CONDITIONAL
    edge = (ahead if len(ahead) else mine).sort_values("lead").iloc[0]
    return Finding(outcome, said, tuple(mine["model"]), edge["lead"], edge["uncertainty"], "points of top-1", tie=len(ahead) > 0 and clear == 0)


def convnext_middle(table: pd.DataFrame, tables: Tables) -> Finding:
    mine = table[table["family"] == "convnext"]
    if mine.empty or mine["top1"].isna().all():
        return no_data("no ConvNeXt in this table")
    low, high = table["samples_per_sec"].quantile([0.25, 0.75])
    front = table[on_frontier(table)]
    there = front[front["family"] == "convnext"]
    middle = there[there["samples_per_sec"].between(low, high)]
    ranked = leads(mine[mine["samples_per_sec"].between(low, high)], table[table["family"] != "convnext"]).sort_values("lead", ascending=False)
    span = f"{rate(low)} to {rate(high)} images/s"
    if ranked.empty:
        return no_data(f"no ConvNeXt among the middle half of the speeds ({span})")
    best = ranked.iloc[0]
    if there.empty:
        return Finding(FAILS, f"no ConvNeXt is on the frontier; the nearest in the middle ({span}) is {best['model']}, {-best['lead']:.2f} points behind "
                       f"{best['rival']}, which is as fast", (best["model"], best["rival"]), best["lead"], best["uncertainty"], "points of top-1",
                       tie=bool(-best["lead"] <= best["uncertainty"]))
    plain = middle[middle["pretrain"].isin(["in1k", "distilled"])]
    outcome = HOLDS if len(plain) and best["clear"] else CONDITIONAL
    said = f"{len(there)} ConvNeXt on the frontier of {len(front)}, {len(middle)} of them in the middle ({span})"
    if not len(plain):
        said += ", all pretrained on more than ImageNet-1k"
    return Finding(outcome, said, tuple(there["model"]), best["lead"], best["uncertainty"], "points of top-1",
                   tie=bool(best["lead"] > 0 and not best["clear"]))


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
    front = table[on_frontier(table) & table["family"].isin(BEIT)].sort_values("top1", ascending=False)
    said = f"the best BEiT of the slowest quarter, {ours['model']}, reaches {ours['top1']:.2f}%; {theirs['model']} {theirs['top1']:.2f}%"
    said += f"; on the frontier at any speed: {', '.join(front['model'].head(3))}" if len(front) else "; none is on the frontier at any speed"
    return Finding(outcome, said, (ours["model"], theirs["model"]), margin, doubt, "points of top-1", tie)


def parameters_say_little(table: pd.DataFrame, tables: Tables) -> Finding:
    """Says little: below 0.7 in absolute rank correlation; says much: 0.9 or more, a tenfold span at equal size notwithstanding."""
    nets = table.drop_duplicates(["arch", "img_size"])
    rho = abs(nets["param_count"].corr(nets["samples_per_sec"], "spearman"))
    doubt = float(spearman_uncertainty(rho, len(nets)))
    outcome = HOLDS if rho < 0.7 else FAILS if rho >= 0.9 else CONDITIONAL
    alike = nets[nets["param_count"].between(20, 30)]["samples_per_sec"]
    said = f"rank correlation with speed −{rho:.2f} over {len(nets)} networks"
    if len(alike) > 1:
        said += f", yet those of 20 to 30 M span {alike.max() / alike.min():.0f}×"
    for column, name in (("macts", "activations"), ("gmacs", "GMACs")):
        if nets[column].notna().mean() > 0.9:
            said += f"; {name} −{abs(nets[column].corr(nets['samples_per_sec'], 'spearman')):.2f}"
    margin = min((0.7, 0.9), key=lambda bound: abs(bound - rho)) - rho
    return Finding(outcome, said, (), margin, doubt, "rank correlation", tie=abs(margin) <= doubt)


def training_like_inference(table: pd.DataFrame, tables: Tables) -> Finding | None:
    head = table.iloc[0]
    if head["part"] != "train":
        return None
    other = tables.find(head, part="infer")
    if other is None:
        return no_data("no inference table of the same machine and torch")
    both = table.merge(other[["model", "img_size", "samples_per_sec"]], on=["model", "img_size"], suffixes=("", "_infer"))
    if len(both) < LEAST_ROWS:
        return no_data(f"only {len(both)} models timed both ways")
    rho = both["samples_per_sec"].corr(both["samples_per_sec_infer"], "spearman")
    doubt = float(spearman_uncertainty(rho, len(both)))
    cost = (both["samples_per_sec_infer"] / both["samples_per_sec"]).quantile([0.1, 0.5, 0.9]).to_list()
    said = f"rank correlation {rho:.3f} over {len(both)} models; a training step costs {cost[1]:.1f} inferences ({cost[0]:.1f} to {cost[2]:.1f} for eight in ten)"
    outcome, margin = (HOLDS, rho - 0.9) if rho >= 0.9 else (CONDITIONAL, rho - 0.9) if rho >= 0.7 else (FAILS, rho - 0.7)
    return Finding(outcome, said, (), margin, doubt, "rank correlation", tie=abs(margin) <= doubt)


CLAIMS: tuple[Claim, ...] = (
    Claim("levit_fastest", "LeViT is the fastest for its accuracy", NOTEBOOK, levit_fastest),
    Claim("convnext_middle", "ConvNeXt leads the middle", NOTEBOOK, convnext_middle),
    Claim("beit_slow", "BEiT is the most accurate of the slow", NOTEBOOK, beit_slow),
    Claim("parameters", "Parameter count says little about speed", NOTEBOOK, parameters_say_little),
    Claim("training", "Training trends look like inference trends", NOTEBOOK, training_like_inference),
)
