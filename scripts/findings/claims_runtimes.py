"""Claims about runtimes, each with what is estimated and the rule that makes a verdict of it; see `claims`.

Judged on one machine's networks in every runtime (`runtimes.speeds`). Intervals of speeds come from drawing whole
families: networks of one family are alike. A field of a few families is said to be too thin.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from scripts.common.uncertainty import (
    TIMING_SPREAD,
    family_draws,
    interval,
    share_interval,
    spearman,
    top1_least_uncertainty,
    top1_uncertainty,
)
from scripts.common.words import counted, listing
from scripts.data import measured
from scripts.findings.claims import CENSUS, FAILS, NO_DATA, Finding, TableClaim, decide, leads, no_data
from scripts.runtimes import check, kinds

LEAST_NETWORKS, LEAST_FAMILIES = 8, 4  # fewer are no field to tell an order from
SWAPPED = 0.05  # share of pairs; two measurements of one runtime swap about none that TIMING_SPREAD tells apart
LOSS = 0.2  # points of top-1: about the standard error of an accuracy on 50,000 pictures
CHANGED = 0.01  # share of answers
HEADLINE = ("eager", "fp32")
COLUMNS = (
    "claim sentence configuration verdict tie estimate low high unit networks estimand rule evidence models".split()
)


RANKING = TableClaim(
    "ranking_same",
    "The ranking of networks is the same in every runtime",
    "of all pairs of networks that PyTorch eager and the other runtime both tell apart (by more than "
    f"{TIMING_SPREAD - 1:.1%}), the share that they put in opposite orders",
    f"holds where the interval lies below {SWAPPED:.0%}, fails where it lies above; families are drawn whole",
)
FASTEST = TableClaim(
    "levit_fastest",
    "LeViT is the fastest for its accuracy in this runtime",
    "points of top-1 by which the LeViT that is furthest ahead leads the most accurate other network measured that is "
    "as fast",
    "fails where even that one is behind beyond its uncertainty; with fewer rivals than a census a lead is no finding",
)
OVER_MODEL = TableClaim(
    "runtime_over_model",
    "The runtime matters more than the model",
    "for each network with a published accuracy: the speed that the best runtime gives it over PyTorch eager’s, "
    "divided by the speed in eager of the fastest network measured that is at least as accurate over its own; "
    "geometric mean",
    "fails where the interval lies below 1, holds where it lies above; more networks could only lower the figure, so "
    "with fewer than a census only failing is a finding",
)
INT8 = TableClaim(
    "int8_free",
    "int8 costs nothing",
    "on published weights: points of ImageNet top-1 lost; on real photos: share of answers that are not fp32’s",
    f"published: holds where the interval of the mean lies below {LOSS} points, fails where it lies above; photos: "
    f"holds below {CHANGED:.0%} of changed answers, fails above",
)


def judged(
    table: pd.DataFrame, answers: pd.DataFrame, published: pd.DataFrame, top1: pd.DataFrame | None = None
) -> pd.DataFrame:
    """`COLUMNS`: a row a claim and what it is judged on. table: `runtimes.speeds`; answers, published: as there; top1:
    published accuracies, see `with_top1`.
    """
    rows = [
        claim.row(found, configuration=configuration, networks=networks, models=" ".join(found.models))
        for claim, configuration, networks, found in _all(table, answers, published, top1)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _all(table, answers, published, top1) -> Iterator[tuple[TableClaim, str, int, Finding]]:
    for runtime, precision in others(table):
        both = beside_eager(table, runtime, precision)
        yield RANKING, kinds.label(runtime, precision), len(both), same_ranking(both)
    for runtime, precision in [HEADLINE, *others(table)]:
        own = with_top1(table[(table["runtime"] == runtime) & (table["precision"] == precision)], top1)
        yield FASTEST, kinds.label(runtime, precision), own["arch"].nunique(), levit_fastest(own)
    for precisions, said in ((("fp32",), "fp32, equal answers"), (kinds.PRECISIONS, "any precision")):
        gains = gains_of(table, precisions, top1)
        yield OVER_MODEL, said, len(gains), runtime_over_model(gains)
    yield INT8, "torchvision’s published weights", len(published), int8_published(published)
    for model, own in answers[answers["precision"].eq("int8") & answers["equal_top1"].notna()].groupby("model"):
        best = own.loc[own["equal_top1"].idxmax()]
        yield INT8, f"{model}, {kinds.label(best['runtime'], 'int8')}, real photos", 1, int8_on_photos(best)


def others(table: pd.DataFrame) -> list[tuple[str, str]]:
    """(runtime, precision) of the table but the headline, in the order of kinds.RUNTIMES."""
    known = set(zip(table["runtime"][table["speed"].notna()], table["precision"][table["speed"].notna()]))
    order = [(runtime, precision) for runtime in kinds.RUNTIMES for precision in kinds.PRECISIONS]
    return [pair for pair in order if pair in known and pair != HEADLINE]


def beside_eager(table: pd.DataFrame, runtime: str, precision: str) -> pd.DataFrame:
    """Networks with a speed in both: arch, family, `eager`, `other` (images/s; the latter is the ratio taken in the
    same rounds, times eager's).
    """
    first = table[(table["runtime"] == HEADLINE[0]) & (table["precision"] == HEADLINE[1])]
    own = table[(table["runtime"] == runtime) & (table["precision"] == precision)].dropna(subset=["times_eager"])
    both = first.merge(own[["model", "times_eager"]], on="model", suffixes=("_first", "")).dropna(subset=["speed"])
    return both.assign(eager=both["speed"], other=both["speed"] * both["times_eager"])


def _thin(table: pd.DataFrame) -> Finding | None:
    families = table["family"].nunique() if len(table) else 0
    if len(table) >= LEAST_NETWORKS and families >= LEAST_FAMILIES:
        return None
    return no_data(
        f"only {counted(len(table), 'network')} of {counted(families, 'family', 'families')}: too thin a field"
    )


def by_families(table: pd.DataFrame, figure) -> tuple[float, float]:
    """95% interval of `figure` of a table, whole families drawn with replacement."""
    return interval(np.array([figure(table.iloc[rows]) for rows in family_draws(table["family"])]))


def swaps(both: pd.DataFrame) -> tuple[float, list[tuple[str, str]]]:
    """(share of pairs told apart by both that they put in opposite orders, those pairs, faster in eager first)."""
    one, other = np.log(both["eager"].to_numpy(float)), np.log(both["other"].to_numpy(float))
    a, b = one[:, None] - one[None, :], other[:, None] - other[None, :]
    limit = np.log(TIMING_SPREAD)
    told = (a > limit) & (np.abs(b) > limit)
    opposite = told & (b < -limit)
    names = both["arch"].to_numpy()
    pairs = sorted(zip(*np.nonzero(opposite)), key=lambda at: b[at])
    return (float(opposite.sum() / told.sum()) if told.any() else float("nan")), [
        (names[i], names[j]) for i, j in pairs
    ]


def same_ranking(both: pd.DataFrame) -> Finding:
    if thin := _thin(both):
        return thin
    share, pairs = swaps(both)
    low, high = by_families(both, lambda drawn: swaps(drawn)[0])
    verdict, tie = decide(low, high, SWAPPED - 1e-9, SWAPPED)
    said = f"{share:.1%} of the pairs change places, rank correlation {spearman(both['eager'], both['other']):.3f}"
    if pairs:
        said += "; " + listing([f"{one} is faster than {other} in eager, here slower" for one, other in pairs[:2]])
    return Finding(verdict, said, tuple(pairs[0]) if pairs else (), share, low, high, "share of pairs", tie=tie)


def with_top1(table: pd.DataFrame, published: pd.DataFrame | None = None) -> pd.DataFrame:
    """`table` with `top1` of the best published weights of each network, those without left out. published: as
    fields.accuracies gives them; default: the committed ones.
    """
    known = measured.accuracies() if published is None else published
    known = known.sort_values("top1", ascending=False, kind="stable")
    known = known.drop_duplicates(["arch", "img_size"])[["arch", "img_size", "top1"]]
    return table.merge(known, on=["arch", "img_size"], how="left").dropna(subset=["top1", "speed"])


def levit_fastest(table: pd.DataFrame) -> Finding:
    if thin := _thin(table):
        return thin
    table = table.assign(samples_per_sec=table["speed"])
    mine = table[table["family"] == "levit"]
    if mine.empty:
        return no_data("no LeViT was measured in it")
    best = leads(mine, table[table["family"] != "levit"]).sort_values("low").iloc[-1]
    side = "ahead of" if best["lead"] > 0 else "behind"
    said = f"{best['arch']} ({best['speed']:.3g} images/s, {best['top1']:.1f}%) "
    said += f"is {abs(best['lead']):.1f} points {side} {best['rival']}" if best["rival"] else "has no rival as fast"
    verdict, _ = decide(best["low"], best["high"])
    models = (best["arch"], best["rival"]) if best["rival"] else (best["arch"],)
    if verdict != FAILS:
        return Finding(NO_DATA, f"{said} among {counted(table['arch'].nunique(), 'network')}: too few to tell", models)
    return Finding(verdict, said, models, best["lead"], best["low"], best["high"], "points")


def gains_of(table: pd.DataFrame, precisions, published: pd.DataFrame | None = None) -> pd.DataFrame:
    """Networks with a published accuracy: `by_runtime` (the best runtime over eager; in fp32 only where the answers are
    eager's), `runtime`, `by_model` (the fastest network in eager that is not less accurate, over it), `model_taken`.
    """
    eager = with_top1(table[(table["runtime"] == HEADLINE[0]) & (table["precision"] == HEADLINE[1])], published)
    rest = table[table["precision"].isin(precisions)].dropna(subset=["times_eager"])
    rest = rest[~rest["precision"].eq("fp32") | rest["difference"].le(check.LARGEST_DIFFERENCE)]
    rows = []
    for row in eager.itertuples():
        own = rest[rest["model"] == row.model]
        if own.empty:
            continue
        best = own.loc[own["times_eager"].idxmax()]
        rivals = eager[eager["top1"] >= row.top1]
        taken = rivals.loc[rivals["speed"].idxmax()]
        rows.append(
            (row.arch, row.family, best["times_eager"], best["label"], taken["speed"] / row.speed, taken["arch"])
        )
    return pd.DataFrame(rows, columns=["arch", "family", "by_runtime", "runtime", "by_model", "model_taken"])


def runtime_over_model(gains: pd.DataFrame) -> Finding:
    if thin := _thin(gains):
        return thin
    logs = gains.assign(ratio=np.log(gains["by_runtime"] / gains["by_model"]))
    mean = float(np.exp(logs["ratio"].mean()))
    low, high = np.exp(by_families(logs, lambda drawn: drawn["ratio"].mean()))
    verdict, tie = decide(low, high, 1.0, 1.0)
    one, other = (float(np.exp(np.log(gains[name]).mean())) for name in ("by_runtime", "by_model"))
    more = int((gains["by_runtime"] > gains["by_model"]).sum())
    said = (
        f"the best runtime makes a network {one:.2f} times as fast on average, the best network measured that is as "
        f"accurate {other:.2f} times; for {more} of {len(gains)} the runtime brings more"
    )
    if verdict != FAILS and len(gains) < CENSUS:
        said += "; more rivals could only bring more, so this field is too thin to tell"
        return Finding(NO_DATA, said, (), mean, float(low), float(high), "times")
    return Finding(verdict, said, (), mean, float(low), float(high), "times", tie=tie)


def int8_published(table: pd.DataFrame) -> Finding:
    """Each network counts once, with the mean over its sets of weights."""
    if len(table) < LEAST_NETWORKS:
        return no_data(f"only {counted(len(table), 'published pair')}")
    table = table.assign(family=table["model"].str.partition("_")[0], loss=table["top1"] - table["top1_int8"])
    low, high = by_families(table, lambda drawn: drawn["loss"].mean())
    verdict, tie = decide(low, high, LOSS - 1e-9, LOSS)
    sure = table["loss"] > top1_uncertainty(table["top1"], table["top1_int8"])
    least = table["loss"].abs() > top1_least_uncertainty(table["top1"], table["top1_int8"])
    worst = table.sort_values("loss").iloc[-1]
    said = (
        f"{table['loss'].mean():.2f} points on average over {counted(len(table), 'set')} of weights; {int(sure.sum())} "
        f"lose more than chance among 50,000 pictures explains, {int(least.sum())} if both are wrong on the same ones; "
        f"{worst['model']} loses {worst['loss']:.1f}"
    )
    return Finding(verdict, said, (worst["model"],), table["loss"].mean(), low, high, "points", tie=tie)


def int8_on_photos(row: pd.Series) -> Finding:
    pictures = int(row["pictures"])
    changed = round((1 - row["equal_top1"]) * pictures)
    low, high = share_interval(changed, range(pictures))
    verdict, tie = decide(low, high, CHANGED - 1e-9, CHANGED)
    said = f"{changed} of {pictures:,} photos get another answer than in fp32"
    return Finding(verdict, said, (str(row["model"]),), changed / pictures, low, high, "share of answers", tie=tie)
