"""Are a machine's numbers plausible? Held against alike machines, with the reason where they are not.

    alike, doubts = plausible.judge(rows, known)   # rows of one table; known: `predict.tables.references`

Machines rank networks alike: after one factor for the whole machine, timm's tables of one kind of processor differ by
a typical share. A machine that differs from its nearest by more than any of theirs does, or that is much slower than
tables of the same hardware, is doubted; so is a network that all others contradict. A row says itself what may be the
reason: other work, heat, memory, times that never settled.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scripts.common import hardware
from scripts.common.uncertainty import spearman
from scripts.common.words import listing
from scripts.predict import tables as predict_tables
from scripts.predict.tables import References

LEAST = 5  # networks in common: from as few the speeds of others are predicted (predict.model.LEAST)
SAME = (0.63, 1.76)  # timm's own repeats on one card lie within (1 to 99%)
CORE_SHARE, SLOWED, SPREAD = 0.9, 0.05, 0.1  # of a core; share of samples; half an interval over the speed
# A network off by more than this factor from what all others lead to expect: of timm's 30,098 rows 46 are, each table
# held against other hardware's, all on processors.
ODD = 3.0


@dataclass(frozen=True)
class Alike:
    """The table that ranks networks most like this machine. factor: this machine's speed over its; spread: the median
    relative difference after it; rho: rank correlation; networks: in common; usual: the largest spread between one of
    timm's machines and the one most like it."""

    table: str
    factor: float
    spread: float
    rho: float
    networks: int
    usual: float

    def __str__(self) -> str:
        return (
            f"most like {self.table}: {self.factor:.2g} times as fast, after which half of {self.networks} networks "
            f"lie within {self.spread:.0%}; rank correlation {self.rho:.3f}"
        )


def judge(rows: pd.DataFrame, known: References, contradicted: tuple[str, ...] = ()) -> tuple[Alike | None, list[str]]:
    """(the most alike table, or None where none has LEAST of the networks; what is doubtful, a sentence each).

    rows: of one table of ours, as `promise.rows_of`; known: without the machine's own tables; contradicted: networks
    that the predictions left out, as sentences."""
    settings = predict_tables.settings_of(rows["file"].iloc[0], str(rows["kind_of_hardware"].iloc[0]))
    alike = nearest(rows, known, settings)
    doubts = []
    if alike and alike.spread > alike.usual:
        doubts.append(
            f"its order of networks is like no machine's that was timed: {alike.spread:.0%} from the nearest, where "
            f"timm's differ by up to {alike.usual:.0%}. {_why(rows)}"
        )
    same = nearest(rows, predict_tables.references(), settings, settings["hardware"])
    if same and not SAME[0] <= same.factor <= SAME[1]:
        word = "slower" if same.factor < 1 else "faster"
        doubts.append(
            f"it is {max(same.factor, 1 / same.factor):.2g} times {word} than {same.table}, where repeats lie within "
            f"{SAME[0]:g} to {SAME[1]:g}. {_why(rows)}"
        )
    named = {said.partition(" ")[0]: f"{said} contradicts all others" for said in contradicted}
    named = {**odd(rows, known, settings), **named}
    doubts += [f"{said}. {_why(rows[rows['arch'] == arch])}" for arch, said in named.items()]
    return alike, doubts


def odd(rows: pd.DataFrame, known: References, settings: dict) -> dict[str, str]:
    """{network: sentence} of those more than ODD times off from what every table of that kind of processor leads to
    expect, after the machine's own factor."""
    least = np.full(len(rows), np.inf)
    side = np.zeros(len(rows))
    for both, away, _ in _apart(rows, known, settings):
        off = away - np.median(away)
        closer = np.abs(off) < np.abs(least[both])
        where = np.flatnonzero(both)[closer]
        least[where], side[where] = np.abs(off[closer]), np.sign(off[closer])
    found = np.flatnonzero(np.isfinite(least) & (least > np.log(ODD)))
    archs = rows["arch"].to_numpy(str)
    return {
        archs[i]: f"{archs[i]} is {np.exp(least[i]):.2g} times {'faster' if side[i] > 0 else 'slower'} than any table "
        "of such a processor leads to expect"
        for i in found
    }


def _apart(rows: pd.DataFrame, known: References, settings: dict, slug: str = "") -> Iterator[tuple]:
    """(rows that a table has, log of this machine's speed over its, column) of each table of that kind and part (of the
    hardware `slug` alone, where given)."""
    at = known.find(rows)
    logs = np.log(rows["samples_per_sec"].to_numpy(float))
    for column, about in enumerate(known.tables.to_dict("records")):
        same = about["kind"] == settings["kind"] and about["part"] == settings["part"]
        if not same or slug not in ("", about["hardware"]) or about["file"] == settings["file"]:
            continue
        both = (at >= 0) & known.known[np.maximum(at, 0), column]
        if both.sum() >= LEAST:
            yield both, logs[both] - known.speeds[at[both], column], column


def nearest(rows: pd.DataFrame, known: References, settings: dict, slug: str = "") -> Alike | None:
    """The most alike table of the same kind of processor and part (of the hardware `slug` alone, where given)."""
    found = []
    logs = np.log(rows["samples_per_sec"].to_numpy(float))
    for both, away, column in _apart(rows, known, settings, slug):
        spread = float(np.expm1(np.median(np.abs(away - np.median(away)))))
        rho = spearman(logs[both], logs[both] - away)
        file = str(known.tables["file"].iloc[column])
        found.append((spread, file, float(np.exp(np.median(away))), rho, int(both.sum())))
    if not found:
        return None
    spread, file, factor, rho, count = min(found)
    return Alike(hardware.setting(file), factor, spread, rho, count, usual(settings["kind"]))


@functools.lru_cache(maxsize=4)
def usual(kind: str) -> float:
    """How far one of timm's machines of a kind is at most from the machine most like it: the largest least spread."""
    known = predict_tables.references()
    columns = [i for i, about in enumerate(known.tables.to_dict("records")) if about["kind"] == kind]
    machines = known.tables["hardware"].to_numpy()
    least = []
    for one in columns:
        spreads = []
        for other in columns:
            both = known.known[:, one] & known.known[:, other]
            if machines[one] != machines[other] and both.sum() >= LEAST:
                away = known.speeds[both, one] - known.speeds[both, other]
                spreads.append(float(np.expm1(np.median(np.abs(away - np.median(away))))))
        if spreads:
            least.append(min(spreads))
    return max(least, default=1.0)


def _why(rows: pd.DataFrame) -> str:
    """What the rows say of themselves that would explain it, as a sentence."""

    def column(name: str) -> pd.Series:
        return pd.to_numeric(rows.get(name, pd.Series(np.nan, rows.index)), errors="coerce")

    half = (column("samples_per_sec_high") - column("samples_per_sec_low")) / 2 / column("samples_per_sec")
    share, slow = column("core_share").median(), column("slowed").median()
    halved = int((column("batch_halved") > 0).sum())
    found = []
    if share < CORE_SHARE:
        found.append(f"other work took part of the processor ({share:.0%} of a core was left)")
    if slow > SLOWED:
        found.append(f"heat or power slowed it in {slow:.0%} of the samples")
    if half.median() > SPREAD:
        found.append(f"its times never settled (± {half.median():.0%})")
    if len(rows) and halved > len(rows) / 2:
        found.append("memory was too small for the batches that it asked for")
    if not found:
        return "Its rows show no reason; measure it again with nothing else running."
    return f"The likely reason: {listing(found)}. Mend that and measure again."
