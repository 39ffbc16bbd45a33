"""What follows from predicted speeds: the frontier with its uncertainty, a pick for each need with how sure it is, and
what to measure to be surer.

from scripts.predict import choice, speeds
choice.picks(speeds.here())
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from scripts.common.frontier import NEEDS, on_frontier
from scripts.predict import speeds
from scripts.predict.evaluate import LARGEST
from scripts.predict.tables import KEY

SURE = 0.95  # a pick that holds in this share of draws needs no further measurement


def frontier(prediction: speeds.Prediction, table: pd.DataFrame | None = None) -> pd.DataFrame:
    """The rows of `weights` that may be on the frontier, fastest first, with `expected` (on the frontier of expected
    speeds) and `sure`: in what share of draws it is on it. Rows that are on it in fewer than 1% and not expected are
    left out."""
    table = speeds.weights(prediction) if table is None else table
    order = table.sort_values(["top1", "samples_per_sec"], ascending=False).reset_index(drop=True)
    order["expected"] = on_frontier(order)
    beaten = order["low"].groupby(order["top1"], sort=False).transform("max").cummax().shift(fill_value=0.0)
    order = order[(order["high"] >= beaten) | order["expected"]].reset_index(drop=True)
    speed = speeds.draws(prediction, order)
    ahead = np.maximum.accumulate(np.column_stack([np.full(len(speed), -np.inf), speed[:, :-1]]), axis=1)
    order["sure"] = (speed > ahead).mean(axis=0)
    kept = order[order["expected"] | (order["sure"] >= 0.01)]
    return kept.sort_values("samples_per_sec", ascending=False, kind="stable").reset_index(drop=True)


def picks(prediction: speeds.Prediction, table: pd.DataFrame | None = None) -> pd.DataFrame:
    """The most accurate weights for each of NEEDS, with `need`, `floor`
    (images/s) and `sure`: the share of draws in which it is the pick; `rival`: what else it would be most often, '' for
    nothing; `measure`: the one or two networks whose measuring decides between the two, none where it is sure
    enough."""
    table = speeds.weights(prediction) if table is None else table
    order = table.sort_values(["top1", "samples_per_sec"], ascending=False).reset_index(drop=True)
    rows = []
    for need, quantile in NEEDS.items():
        floor = float(table["samples_per_sec"].quantile(quantile)) if quantile else 0.0
        possible = order[order["high"] >= floor].reset_index(drop=True)
        certain = np.flatnonzero(possible["low"] >= floor)
        # what is less accurate than one that is surely fast enough is never the pick
        possible = possible.iloc[: certain[0] + 1] if len(certain) else possible
        best = int(np.argmax(possible["samples_per_sec"].to_numpy() >= floor))
        enough = speeds.draws(prediction, possible) >= (np.log(floor) if floor else -np.inf)
        first = np.where(enough.any(axis=1), enough.argmax(axis=1), best)
        share = np.bincount(first, minlength=len(possible)) / len(first)
        others = np.where(np.arange(len(possible)) == best, 0, share)
        # what is the pick in one draw of fifty is no rival
        pair = possible.iloc[[best, int(others.argmax())] if others.max() > 0.02 else [best]]
        rival = pair["model"].iloc[1] if len(pair) > 1 else ""
        largest = LARGEST.get(prediction.settings["kind"], np.inf)
        open_ = pair[(pair["status"] == "predicted") & ~(pair["gmacs"] > largest)]
        rows.append(
            {
                **possible.iloc[best].to_dict(),
                "need": need,
                "floor": floor,
                "sure": share[best],
                "rival": rival,
                "measure": tuple(dict.fromkeys(open_["arch"])) if share[best] < SURE else (),
            }
        )
    return pd.DataFrame(rows)


def measure_next(prediction: speeds.Prediction, edge: pd.DataFrame, count: int = 2) -> pd.DataFrame:
    """The unmeasured networks of `edge` (of `frontier`) whose measuring would settle most of what is open about the
    frontier, best first: arch, img_size, samples_per_sec, low, high, gain (share of the open variance that it
    removes)."""
    kept = dict.fromkeys(["status", "gmacs", "samples_per_sec", "low", "high"], "first")
    edge = edge.assign(doubt=edge["sure"] * (1 - edge["sure"]))
    doubt = edge.groupby(KEY, as_index=False).agg({"doubt": "max", **kept})
    doubt = doubt[doubt["status"] == "predicted"].reset_index(drop=True)
    chosen = []
    if len(doubt):
        covariance = prediction.posterior.joint(prediction.known.find(doubt))
        worth = doubt["doubt"].to_numpy() / np.diag(covariance)
        allowed = doubt["gmacs"].to_numpy() <= LARGEST.get(prediction.settings["kind"], np.inf)
        total = (worth * np.diag(covariance)).sum()
        for _ in range(min(count, int(allowed.sum()))):
            gain = np.where(allowed, (worth @ covariance**2) / np.diag(covariance), -1)
            i = int(gain.argmax())
            chosen.append({**doubt.iloc[i].to_dict(), "gain": gain[i] / total if total else 0.0})
            allowed[i] = False
            covariance = covariance - np.outer(covariance[:, i], covariance[i]) / covariance[i, i]
            covariance += 1e-12 * np.eye(len(doubt))  # that of a network taken is zero now, and is divided by
    return pd.DataFrame(chosen, columns=[*KEY, "samples_per_sec", "low", "high", "gain"])
