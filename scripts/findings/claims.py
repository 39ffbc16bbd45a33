"""What a claim is, and what its judges have in common.

A claim is a sentence, its origin, what is estimated (the estimand) with the rule that makes a verdict of it, and a
function that judges it on one hardware configuration. The function takes the tidy table of that configuration (timm's
test networks left out) and `Tables`, from which it may ask for another one. It returns a `Finding`. One rule for all
(`decide`): a verdict is given where the whole 95% interval of what is estimated lies on one side of its limit.

    holds         the interval lies beyond the limit
    conditional   only for some models, only with more pretraining, or the interval reaches the limit: a tie, said so
    fails         the interval lies on the other side
    no data       the table lacks the rows or columns to tell; never counted as holding

The judges are in `claims_families` (who leads) and `claims_speed` (what decides speed), those about other test sets in
`robustness`; `verdicts` runs them all. A new claim about machines also needs its advice for readers:
`scripts/pages/advice.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from scripts.common import hardware
from scripts.common.uncertainty import IMAGES, TIMING_SPREAD, top1_least_uncertainty, top1_uncertainty

HOLDS, CONDITIONAL, FAILS, NO_DATA = VERDICTS = ("holds", "conditional", "fails", "no data")
LEAST_ROWS = 10  # fewer weights than this are no field of rivals
CENSUS = 300  # weights measured here from which a lead over them is a lead; timm's smallest table has 547
NOTEBOOK = "Which image models are best? (Howard and Wightman, 2022)"
POINTS = "points of top-1"
CONFIGURATION = ["vintage", "hardware", "part", "precision", "layout", "compiled", "torch"]
KEY = ["model", "img_size"]


@dataclass(frozen=True)
class Finding:
    """A verdict with its evidence. estimate: what the claim's estimand is here, in `unit`; low, high: the 95% interval
    that decides; tie: it reaches the limit; paired: the verdict were the errors of two models nested (see
    `uncertainty`), '' where that is the same; models: those concerned, the rival last."""

    verdict: str
    evidence: str
    models: tuple[str, ...] = ()
    estimate: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    unit: str = ""
    tie: bool = False
    paired: str = ""


class TableClaim(NamedTuple):
    """One judged on a table of its own. estimand: what is estimated; rule: how a verdict follows."""

    key: str
    sentence: str
    estimand: str
    rule: str

    def row(self, found: Finding, **about) -> dict:
        """What a table of verdicts says of one, with what it is `about`; its numbers to four digits."""
        said = {name: getattr(found, name) for name in ("verdict", "tie", "unit", "evidence")}
        numbers = {name: round(getattr(found, name), 4) for name in ("estimate", "low", "high")}
        return {**self._asdict(), "claim": self.key, **about, **said, **numbers}


def version_key(text: str) -> tuple[int, ...]:
    """A version as numbers, for sorting, in which 2.10 is newer than 2.9: '2.9.1' -> (2, 9, 1)."""
    return tuple(int(number) for number in str(text).split(".") if number.isdigit())


@dataclass
class Tables:
    """The tidy tables at hand, by configuration, for claims that compare two."""

    tables: list[pd.DataFrame] = field(default_factory=list)

    def like(self, head: pd.Series, **change) -> list[pd.DataFrame]:
        """The tables of the configuration of row `head`, some properties changed; one of None may be anything."""
        wanted = {name: head[name] for name in CONFIGURATION} | change
        return [
            table
            for table in self.tables
            if all(value is None or table.iloc[0][name] == value for name, value in wanted.items())
        ]

    def find(self, head: pd.Series, **change) -> pd.DataFrame | None:
        """The first of `like`; None where there is none."""
        return next(iter(self.like(head, **change)), None)

    def gpus(self, like: pd.Series, vintage: str) -> list[pd.DataFrame]:
        """Tables of GPUs of one vintage that were run as `like` was (part, layout, compiled or not), in mixed
        precision: the newest torch of each card."""
        newest: dict = {}
        for table in self.like(like, vintage=vintage, hardware=None, precision="amp", torch=None):
            head = table.iloc[0]
            if hardware.named(head["hardware"]).kind == "gpu":
                version = version_key(head["torch"])
                key = head["hardware"]
                newest[key] = max(newest.get(key, (version, table)), (version, table), key=lambda pair: pair[0])
        return [table for _, table in newest.values()]

    def updates(self, vintage: str) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
        """(before, after) of the same GPU run the same way, eagerly: nothing but a newer torch changed."""
        series: dict[tuple, list[pd.DataFrame]] = {}
        for table in self.tables:
            head = table.iloc[0]
            alike = (head["vintage"], head["part"], head["precision"]) == (vintage, "infer", "amp")
            if alike and not head["compiled"] and hardware.named(head["hardware"]).kind == "gpu":
                series.setdefault((head["hardware"], head["layout"]), []).append(table)
        ordered = [sorted(own, key=lambda table: version_key(table["torch"].iloc[0])) for own in series.values()]
        return [pair for own in ordered for pair in zip(own, own[1:])]

    def complete(self, table: pd.DataFrame) -> pd.DataFrame:
        """`table` with `lent`: '', or the layout of another file of the same card and torch that timed weights which
        this one lacks; their speed is that one's times the median ratio of the two files. A rival whose row is missing
        is a rival still."""
        parts = [table.assign(lent="")]
        known = pd.MultiIndex.from_frame(table[KEY])
        for other in self.like(table.iloc[0], layout=None):
            if other["layout"].iloc[0] == table["layout"].iloc[0]:  # itself
                continue
            there = other.set_index(KEY)
            both = there.index.intersection(known)
            missing = other[~there.index.isin(known)]
            if len(both) < LEAST_ROWS or missing.empty:
                continue
            here = table.set_index(KEY)["samples_per_sec"]
            ratio = (here.loc[both] / there.loc[both, "samples_per_sec"]).median()
            scaled = {"samples_per_sec": missing["samples_per_sec"] * ratio, "secs": missing["secs"] / ratio}
            parts.append(missing.assign(lent=other["layout"].iloc[0], **scaled))
            known = known.union(pd.MultiIndex.from_frame(missing[KEY]))
        return pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]


@dataclass(frozen=True)
class Claim:
    """key: its name in findings.csv; sentence: as the report's sources put it; estimand: what is estimated, in one
    line; rule: how a verdict follows; judge: see this module's docstring; accuracy: it needs top-1; rivals: it is about
    who leads, so rivals that the file lacks are looked for in the card's other files; sound: verdicts that stay true
    when only a part of all models was timed; applies: whether it is about the configuration of a given row at all."""

    key: str
    sentence: str
    origin: str
    estimand: str
    rule: str
    judge: Callable[[pd.DataFrame, Tables], Finding]
    accuracy: bool = True
    rivals: bool = False
    sound: tuple[str, ...] = (HOLDS, CONDITIONAL, FAILS)
    applies: Callable[[pd.Series], bool] = lambda head: True


def pictures(table: pd.DataFrame) -> int:
    """On how many pictures the accuracies of a table rest: its `pictures`, else ImageNet's validation set."""
    return int(table["pictures"].iloc[0]) if "pictures" in table and len(table) else IMAGES


def no_data(why: str) -> Finding:
    return Finding(NO_DATA, why)


def decide(low: float, high: float, holds: float = 0.0, fails: float = 0.0) -> tuple[str, bool]:
    """(verdict, tie) of an interval: holds beyond `holds`, fails on the far side of `fails`; where holds < fails, less
    is what is claimed. A tie: neither, and the interval reaches a limit."""
    if holds < fails:  # mirrored, so that one comparison serves both
        low, high, holds, fails = -high, -low, -holds, -fails
    if low > holds:
        return HOLDS, False
    if high < fails:
        return FAILS, False
    return CONDITIONAL, low <= holds <= high or low <= fails <= high


def leads(members: pd.DataFrame, rivals: pd.DataFrame) -> pd.DataFrame:
    """`members` with, over the most accurate rival at least as fast: `lead` (points of top-1; infinite without one),
    `rival`, the interval `low` to `high`, and `paired_low` to `paired_high`, the same were errors nested. A rival
    slower by no more than the timing spread counts for `low`, one faster by less than it does not for `high`."""
    order = rivals.sort_values("samples_per_sec", ascending=False, kind="stable")
    top1, speeds = order["top1"].to_numpy(float), -order["samples_per_sec"].to_numpy(float)
    best = np.maximum.accumulate(top1) if len(top1) else top1
    which = np.maximum.accumulate(np.where(top1 == best, np.arange(len(top1)), 0)) if len(top1) else top1
    own, images = members["top1"].to_numpy(float), pictures(members)

    def against(speed) -> tuple[np.ndarray, np.ndarray]:
        count = np.searchsorted(speeds, -np.asarray(speed, float), side="right")
        return np.where(count > 0, best[np.maximum(count, 1) - 1] if len(best) else 0.0, -np.inf), count

    def doubt(uncertainty, top):
        return np.where(np.isfinite(top), uncertainty(own, np.where(np.isfinite(top), top, own), images), 0.0)

    speed = members["samples_per_sec"].to_numpy(float)
    top, count = against(speed)
    near, _ = against(speed / TIMING_SPREAD)
    far, _ = against(speed * TIMING_SPREAD)
    return members.assign(
        lead=own - top,
        rival=[order["model"].iloc[which[n - 1]] if n else "" for n in count],
        low=own - near - doubt(top1_uncertainty, near),
        high=own - far + doubt(top1_uncertainty, far),
        paired_low=own - near - doubt(top1_least_uncertainty, near),
        paired_high=own - far + doubt(top1_least_uncertainty, far),
    )


def lead_of(
    row: pd.Series, evidence: str, models: tuple[str, ...] = (), verdicts: tuple[str, ...] = ("", "")
) -> Finding:
    """The finding on one row of `leads`, the one that decides. verdicts: where other rows have a say, the verdict they
    lead to, and that were errors nested."""
    found, tie = decide(row["low"], row["high"])
    outcome, paired = verdicts[0] or found, verdicts[1] or decide(row["paired_low"], row["paired_high"])[0]
    models = models or tuple(filter(None, (row["model"], row["rival"])))
    tie, paired = tie and outcome == CONDITIONAL, paired if paired != outcome else ""
    return Finding(outcome, evidence, models, row["lead"], row["low"], row["high"], POINTS, tie=tie, paired=paired)
