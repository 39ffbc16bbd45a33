"""Does accuracy on ImageNet carry over? timm evaluates the same weights on five other test sets.

    from scripts.findings import robustness
    robustness.load(read_data.NOW)            # one row per weights and size, a column per test set
    robustness.correlations(read_data.NOW)    # rank correlation with ImageNet, overall and among the hundred best
    robustness.families_losses(read_data.NOW) # which families lose least

A and R cover 200 of the classes: their loss is counted from timm's accuracy on ImageNet's images of just those classes.
"""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from scripts.common import families
from scripts.common.provenance import carry, sources
from scripts.common.uncertainty import spearman, spearman_interval
from scripts.data import download, read_data
from scripts.data.pretraining import pretraining
from scripts.findings.claims import CONDITIONAL, HOLDS, Claim, Finding, decide, no_data

# column -> (timm's file, the test set's name, its clean counterpart's file, its number of images)
SETS = {
    "v2": ("results-imagenetv2-matched-frequency.csv", "ImageNet-V2", read_data.RESULTS, 10_000),
    "real": ("results-imagenet-real.csv", "ReaL", read_data.RESULTS, 46_837),
    "r": ("results-imagenet-r.csv", "ImageNet-R", "results-imagenet-r-clean.csv", 30_000),
    "a": ("results-imagenet-a.csv", "ImageNet-A", "results-imagenet-a-clean.csv", 7_500),
    "sketch": ("results-sketch.csv", "ImageNet-Sketch", read_data.RESULTS, 50_889),
}
BEST = 100  # "among the top hundred"
LEAST_OF_A_FAMILY = 5


def load(vintage: str) -> pd.DataFrame:
    """One row per weights and size: model, arch, family, kind, pretrain, img_size, top1, and for each of `SETS` that
    the vintage has its top-1 (percent) and `…_loss` (points below ImageNet; negative for a gain).

    Raises TablesMissing or UserError as `read_data.results` does.
    """
    key, there = ["model", "img_size"], download.files(vintage)
    frame = read_data.results(vintage)
    parts = [frame]
    frame = families.contenders(frame)
    for column, (file, _, clean, _) in SETS.items():
        if not {file, clean} <= set(there):
            continue
        for name, what in ((file, column), (clean, "clean")):
            parts.append(read_data.results(vintage, name))
            scores = parts[-1][[*key, "top1"]].rename(columns={"top1": what})
            frame = frame.merge(scores, on=key, how="left", validate="1:1")
        frame[f"{column}_loss"] = frame.pop("clean") - frame[column]
    frame = frame.assign(
        family=frame["arch"].map(families.family),
        kind=frame["arch"].map(families.kind),
        pretrain=frame["model"].map(pretraining),
    )
    carry(frame, *sources(*parts))
    return frame


def correlations(vintage: str, frame: pd.DataFrame | None = None) -> pd.DataFrame:
    """Per test set: `set`, `name`, `n`, Spearman's `rho` with ImageNet's top-1, `rho_best` among the hundred best, the
    ends of their 95% intervals, families resampled (`rho_low`, `rho_high`, `rho_best_low`, `rho_best_high`), and the
    median `loss` in points."""
    frame = load(vintage) if frame is None else frame
    best = frame.nlargest(BEST, "top1")
    rows = []
    for column, name in ((column, name) for column, (_, name, _, _) in SETS.items() if column in frame):
        row = {"set": column, "name": name, "n": int(frame[column].notna().sum())}
        for what, part in (("rho", frame), ("rho_best", best)):
            part = part.dropna(subset=["top1", column])
            pair = part[["top1", column]].to_numpy(float)
            low, high = spearman_interval(part["family"], *pair.T)
            row |= {what: spearman(*pair.T), f"{what}_low": low, f"{what}_high": high}
        rows.append({**row, "loss": frame[f"{column}_loss"].median()})
    return pd.DataFrame(rows)


def beyond_expected(frame: pd.DataFrame, column: str) -> pd.Series:
    """Points of top-1 on the test set `column` above what ImageNet's top-1 lets one expect: the residual of a straight
    line through the logits (effective robustness: Taori et al., 2020), put back into points."""

    def logit(percent):
        share = (percent / 100).clip(0.0005, 0.9995)
        return np.log(share / (1 - share))

    known = frame[["top1", column]].dropna()
    slope, offset = np.polyfit(logit(known["top1"]), logit(known[column]), 1)
    expected = 100 / (1 + np.exp(-(slope * logit(frame["top1"]) + offset)))
    return frame[column] - expected


def families_losses(vintage: str, frame: pd.DataFrame | None = None) -> pd.DataFrame:
    """Per family (of five or more weights) and test set: `family`, `set`, `n`, median `loss` in points, and median
    `beyond`, the points above what its ImageNet accuracy lets one expect. Sorted within each set, the best first."""
    frame = load(vintage) if frame is None else frame
    rows = []
    for column in (column for column in SETS if column in frame):
        scored = frame.assign(beyond=beyond_expected(frame, column), loss=frame[f"{column}_loss"])
        for family, members in scored.groupby("family"):
            if members["beyond"].notna().sum() >= LEAST_OF_A_FAMILY:
                rows.append((column, family, len(members), *members[["loss", "beyond"]].median()))
    found = pd.DataFrame(rows, columns=["set", "family", "n", "loss", "beyond"])
    return found.sort_values(["set", "beyond"], ascending=[True, False], kind="stable").reset_index(drop=True)


def carries_over(column: str, frame: pd.DataFrame) -> Finding:
    if column not in frame or frame[column].notna().sum() < BEST:
        return no_data("no such test set in this vintage")
    row = correlations("", frame).set_index("set").loc[column]
    ends = [(row[f"{what}_low"], row[f"{what}_high"]) for what in ("rho", "rho_best")]
    (all_, tie), (best, near) = decide(*ends[0], 0.9, 0.7), decide(*ends[1], 0.7, -1.0)
    outcome = all_ if all_ != HOLDS else best
    decider = 1 if all_ == HOLDS and (best != HOLDS or ends[1][0] - 0.7 < ends[0][0] - 0.9) else 0
    said = (
        f"rank correlation {row['rho']:.3f} over {row['n']} weights, {row['rho_best']:.2f} among the {BEST} best; "
        f"the median loses {row['loss']:.1f} points"
    )
    leaders = [frame["model"].iloc[frame[name].argmax()] for name in ("top1", column)]
    if leaders[0] != leaders[1]:
        said += f"; the best there is {leaders[1]}, not {leaders[0]}"
    low, high = map(float, ends[decider])
    rho, unit = (row["rho"], "over all weights") if decider == 0 else (row["rho_best"], f"among the {BEST} best")
    tie, said = (tie, near)[decider] and outcome == CONDITIONAL, said.replace("loses -", "gains ")
    models = tuple(dict.fromkeys(leaders))
    return Finding(outcome, said, models, float(rho), low, high, f"rank correlation {unit}", tie=tie)


ESTIMAND = (
    f"rank correlation of top-1 there with top-1 on ImageNet, over all weights and among the {BEST} best on ImageNet; "
    "families resampled"
)
RULE = "holds above 0.9 over all and 0.7 among the best, fails below 0.7 over all, each by the whole interval"
CLAIMS = tuple(
    Claim(
        f"carries_over_{column}",
        f"Accuracy on ImageNet carries over to {name}",
        "this report",
        ESTIMAND,
        RULE,
        functools.partial(lambda column, frame, tables: carries_over(column, frame), column),
    )
    for column, (_, name, _, _) in SETS.items()
)
