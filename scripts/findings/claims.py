"""What a claim is, and what its judges have in common.

A claim is a sentence, its origin, and a function that judges it on one hardware configuration. The function takes the
tidy table of that configuration (timm's test networks left out) and `Tables`, from which it may ask for another one. It
returns a `Finding`. Verdicts:

    holds         the figures say so by more than their uncertainty
    conditional   only for some models, only with more pretraining, or by less than the uncertainty (a tie, and said so)
    fails         they say otherwise. A family that has to be on the frontier and is not fails, though it be by less
                  than the uncertainty: then the evidence says so
    no data       the table lacks the rows or columns to tell; never counted as holding

The judges are in `claims_families` (who leads) and `claims_speed` (what decides speed), those about other test sets in
`robustness`; `findings` runs them all. A new claim about machines also needs its advice for readers:
`scripts/pages/advice.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from scripts.common import hardware
from scripts.common.uncertainty import TIMING_SPREAD, top1_uncertainty

HOLDS, CONDITIONAL, FAILS, NO_DATA = VERDICTS = ("holds", "conditional", "fails", "no data")
LEAST_ROWS = 10  # fewer weights than this are no field of rivals
NOTEBOOK = "Which image models are best? (Howard and Wightman, 2022)"


@dataclass(frozen=True)
class Finding:
    """A verdict with its evidence. margin: by how much, in `unit`; uncertainty: what of it may be chance; models:
    those concerned.
    """

    verdict: str
    evidence: str
    models: tuple[str, ...] = ()
    margin: float = float("nan")
    uncertainty: float = float("nan")
    unit: str = ""
    tie: bool = False


def version_key(text: str) -> tuple[int, ...]:
    """A version as numbers, for sorting: '2.9.1' -> (2, 9, 1)."""
    return tuple(int(number) for number in str(text).split(".") if number.isdigit())


@dataclass
class Tables:
    """The tidy tables at hand, by configuration, for claims that compare two."""

    tables: list[pd.DataFrame] = field(default_factory=list)

    def find(self, like: pd.Series, **change) -> pd.DataFrame | None:
        """The table of the configuration of row `like`, with some of its properties changed; None where there is
        none.
        """
        wanted = {
            name: like[name] for name in ("vintage", "part", "hardware", "precision", "layout", "compiled", "torch")
        } | change
        return next(
            (table for table in self.tables if all(table.iloc[0][name] == value for name, value in wanted.items())),
            None,
        )

    def gpus(self, part: str, vintage: str) -> list[pd.DataFrame]:
        """Tables of GPUs of one vintage and part, mixed precision: the newest torch of each card, eager and
        compiled.
        """
        newest: dict = {}
        for table in self.tables:
            head = table.iloc[0]
            if (head["part"], head["vintage"], head["precision"], hardware.named(head["hardware"]).kind) == (
                part,
                vintage,
                "amp",
                "gpu",
            ):
                key, version = (head["hardware"], bool(head["compiled"])), version_key(head["torch"])
                newest[key] = max(newest.get(key, (version, table)), (version, table), key=lambda pair: pair[0])
        return [table for _, table in newest.values()]


@dataclass(frozen=True)
class Claim:
    """key: its name in findings.csv; sentence: as the report's sources put it; judge: see this module's docstring;
    accuracy: it needs top-1; applies: whether it is about the configuration of a given row at all."""

    key: str
    sentence: str
    origin: str
    judge: Callable[[pd.DataFrame, Tables], Finding]
    accuracy: bool = True
    applies: Callable[[pd.Series], bool] = lambda head: True


def no_data(why: str) -> Finding:
    return Finding(NO_DATA, why)


def verdict(margin: float, uncertainty: float) -> tuple[str, bool]:
    """(verdict, tie) of a lead: beyond its uncertainty it holds, within it it is a tie, behind by more it fails."""
    tie = abs(margin) <= uncertainty
    return (CONDITIONAL if tie else HOLDS if margin > 0 else FAILS), tie


def leads(members: pd.DataFrame, rivals: pd.DataFrame) -> pd.DataFrame:
    """`members` with, over the most accurate rival at least as fast: `lead` (points of top-1; infinite without one),
    `rival`, its `uncertainty`, and `clear`: the lead exceeds that, rivals slower by no more than the timing spread
    included."""
    order = rivals.sort_values("samples_per_sec", ascending=False, kind="stable")
    top1 = order["top1"].to_numpy()
    best = np.maximum.accumulate(top1) if len(top1) else top1
    which = np.maximum.accumulate(np.where(top1 == best, np.arange(len(top1)), 0)) if len(top1) else top1
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
