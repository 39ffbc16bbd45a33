"""What another runtime brings: each network's speed in each, and what is won against what it costs in changed answers.

python -m scripts.figures.export --only runtimes_speed runtimes_cost
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from scripts.cloud import prices
from scripts.common import families
from scripts.common.errors import DataMissing
from scripts.common.paths import DATA
from scripts.common.provenance import source
from scripts.common.words import counted, day, listing, plain, short
from scripts.figures.drawing import Drawing
from scripts.figures.labels import safe
from scripts.figures.theme import (
    CONTEXT,
    INK,
    MUTED,
    PAPER,
    PERCENT,
    PHONE,
    TIMES,
    WIDE,
    Axis,
    Canvas,
    Head,
    Size,
    both,
    even,
    look,
    text_colour,
)
from scripts.findings import runtimes
from scripts.runtimes import check

ROOM = {WIDE: 24, PHONE: 20}  # rows


def by_network(table: pd.DataFrame) -> pd.DataFrame:
    """A row a network, fastest first: `eager`, `equal` (the fastest in fp32 whose answers are eager's) and `any` (the
    fastest in any precision) in images/s by the ratio to eager, their labels, and gains.
    """
    rows = []
    for _, own in table.groupby("model", sort=False):
        first = own[(own["runtime"] == "eager") & (own["precision"] == "fp32")]["speed"]
        known = own.dropna(subset=["speed", "times_eager"])
        equal = known[known["precision"].eq("fp32") & known["difference"].fillna(1).le(check.LARGEST_DIFFERENCE)]
        if first.isna().all() or equal.empty:
            continue
        one, other = (some.loc[some["times_eager"].idxmax()] for some in (equal, known))
        rows.append(
            {
                **{name: own[name].iloc[0] for name in ("model", "arch", "family", "kind")},
                "eager": float(first.iloc[0]),
                **{name: best["times_eager"] * first.iloc[0] for name, best in (("equal", one), ("any", other))},
                **{f"{name}_label": best["label"] for name, best in (("equal", one), ("any", other))},
                "equal_gain": one["times_eager"],
                "any_gain": other["times_eager"],
            }
        )
    if not rows:
        raise DataMissing("no network was measured in two runtimes; run `make bench`")
    return pd.DataFrame(rows).sort_values("any", ascending=False, kind="stable").reset_index(drop=True)


def mean(values) -> float:
    """Geometric mean."""
    return float(np.exp(np.log(np.asarray(values, float)).mean()))


def where(table: pd.DataFrame) -> str:
    row = table.iloc[0]
    return (
        f"{row['hardware_name']}, {counted(int(row['threads']), 'thread')}, "
        f"{counted(int(row['batch']), 'picture')} at a time"
    )


def costs(table: pd.DataFrame) -> dict[str, pd.Series]:
    """What images cost there, by the words for it: US dollars for a million, joules for one; only what is known."""
    usd, _ = prices.of_card(str(table["hardware"].iloc[0]))
    found = {}
    if usd is not None:
        found["US dollars for a million images"] = prices.per_million(usd, table["speed"])
    if table["energy_j"].notna().any():
        found["joules an image"] = table["energy_j"]
    return found


def _costs_said(table: pd.DataFrame) -> dict[tuple[str, str], str]:
    """(network, runtime with precision) -> its costs for a tooltip."""
    keys = list(zip(table["model"], table["label"]))
    said = dict.fromkeys(keys, "")
    for words, values in costs(table).items():
        for key, value in zip(keys, values):
            said[key] += "" if pd.isna(value) else f"<br>{plain(value)} {words}"
    return said


def _about(table: pd.DataFrame, *more: str) -> dict:
    files = [table["file"].iloc[0], *more]
    return {"sources": [source(DATA / name) for name in files], "hardware": where(table), "date": table["date"].iloc[0]}


def _footer(table: pd.DataFrame) -> str:
    return f"Source: measured by this project on {day(table['date'].iloc[0])} · {where(table)}"


def draw_speed() -> Drawing:
    """Each network's speed in eager, in the fastest runtime with equal answers, and in the fastest precision."""
    table = runtimes.speeds()
    found = by_network(table)
    title = (
        f"Another runtime makes a network {mean(found['equal_gain']):.1f} times as fast with equal answers, "
        f"with fewer bits {mean(found['any_gain']):.1f} times"
    )
    subtitle = (
        "Images per second of each network. Ring: PyTorch eager in fp32; filled: the fastest runtime in fp32; arrow: "
        "the fastest in any precision; dashes: the others"
    )
    return Drawing(
        **both(_dumbbells, table, found, title, subtitle),
        title=title,
        data=table.drop(columns=["file"]),
        alt=f"For {counted(len(found), 'network')} on {where(table)} the speed in each runtime: "
        + listing(
            [
                f"{row.model} {plain(row.eager)} in eager, {plain(row.any)} in {row.any_label}"
                for row in found.head(6).itertuples()
            ]
        )
        + ".",
        caption=f"{title}, the geometric mean over {counted(len(found), 'network')}. The runtimes of a network took "
        "turns, so a busy machine slows all alike; weights are random.",
        **_about(table),
    )


def _dumbbells(table: pd.DataFrame, found: pd.DataFrame, title: str, subtitle: str, size: Size) -> Canvas:
    if len(found) > ROOM[size]:
        subtitle += f"; shown: {ROOM[size]} of {len(found)}"
    found = even(found, ROOM[size])
    x = Axis.around("images per second", found["eager"], found["any"], log=True, write=short)
    canvas = Canvas(size, title, subtitle, _footer(table), x, Axis.rows(found["model"].to_list()))
    heights = {name: at for at, name in enumerate(found["model"][::-1])}
    for row in found.itertuples():
        canvas.line([row.eager, row.any], [heights[row.model]] * 2, CONTEXT[0], 3)
    eager, spent = found.set_index("model")["eager"], _costs_said(table)

    def marks(models: pd.Series, speeds: pd.Series, ways: Iterable[str], marker: dict) -> None:
        texts = [
            f"<b>{safe(model, 80)}</b><br>{way}<br>{plain(speed)} images/s"
            for model, speed, way in zip(models, speeds, ways)
        ]
        canvas.marks(speeds, [heights[model] for model in models], texts, marker)

    def told(models: pd.Series, labels: pd.Series, gains: pd.Series) -> list[str]:
        return [f"{one}, {gain:.2f}× eager{spent[model, one]}" for model, one, gain in zip(models, labels, gains)]

    rest = table[table["model"].isin(eager.index)].dropna(subset=["speed", "times_eager"])
    dash = {"symbol": "line-ns-open", "size": 8, "color": MUTED[0], "line": {"width": 1.2, "color": MUTED[0]}}
    gains = rest["times_eager"]
    marks(rest["model"], gains * rest["model"].map(eager), told(rest["model"], rest["label"], gains), dash)
    models, colours = found["model"], [families.colour(family) for family in found["family"]]
    ring = {"symbol": "circle", "size": 11, "color": PAPER[0], "line": {"width": 2, "color": colours}}
    marks(models, found["eager"], ["PyTorch eager fp32"] * len(found), ring)
    for name, symbol in (("equal", "circle"), ("any", "triangle-right")):
        ways = told(models, found[f"{name}_label"], found[f"{name}_gain"])
        marks(models, found[name], ways, {"symbol": symbol, "size": 11, "color": colours})
    return canvas


def cost_table() -> tuple[pd.DataFrame, pd.DataFrame]:
    """(networks with real weights by runtime and precision: `gain` over eager, `equal_top1` with its interval,
    `pictures`; the table of speeds). Raises DataMissing where nobody compared answers.
    """
    table = runtimes.speeds()
    answers = runtimes.answers(table["hardware"].iloc[0]).dropna(subset=["equal_top1"])
    if answers.empty:
        raise DataMissing("answers on real photos not compared; run `python -m scripts.train.runtime_answers --help`")
    speeds = table[["model", "runtime", "precision", "family", "kind", "label", "times_eager", "speed"]]
    both = answers.merge(speeds, on=["model", "runtime", "precision"], how="inner").dropna(subset=["times_eager"])
    if both.empty:
        raise DataMissing("no network has both a speed and compared answers; run `make bench`")
    return both.assign(gain=both["times_eager"]).sort_values("gain", kind="stable").reset_index(drop=True), table


def draw_cost() -> Drawing:
    """How much faster against how many answers stay as they were."""
    found, table = cost_table()
    best, equal = found.loc[found["gain"].idxmax()], found[found["equal_top1"] >= 1 - 1e-9]
    free = equal.loc[equal["gain"].idxmax()] if len(equal) else None
    title = (
        f"{best['model']} in {best['label']} is {best['gain']:.1f} times as fast and changes "
        f"{1 - best['equal_top1']:.1%} of its answers"
    )
    if free is not None:
        title += f"; in {free['label']} {free['gain']:.1f} times, and none changes"
    pictures = int(found["pictures"].max())
    subtitle = (
        f"Share of {pictures:,} real photos with the same most likely class as in PyTorch eager fp32, against the "
        f"speed over eager’s; {counted(found['model'].nunique(), 'network')} with ImageNet weights; "
        "lines: 95% interval"
    )
    return Drawing(
        **both(_cost, found, (title, subtitle, _footer(table))),
        title=title,
        data=found.drop(columns=["file"], errors="ignore"),
        alt="Scatter plot of speed over PyTorch eager against the share of equal answers: "
        + listing(
            [
                f"{row.model} in {row.label} {row.gain:.1f} times, {row.equal_top1:.1%}"
                for row in found.sort_values("gain", ascending=False).head(6).itertuples()
            ]
        )
        + ".",
        caption=f"{title}. A changed answer may be a better one: what accuracy it costs is a smaller figure.",
        **_about(table, runtimes.ANSWERS.replace("*", table["hardware"].iloc[0])),
    )


def _cost(found: pd.DataFrame, head: Head, size: Size) -> Canvas:
    low = min(float(found["equal_top1_low"].min()), check.SAME_ANSWERS - 0.01)
    x = Axis.around("times as fast as PyTorch eager", found["gain"], log=True, before=0.08, after=0.08, write=TIMES)
    canvas = Canvas(size, *head, x, Axis("", 100 * low - 0.3, 100.5, write=PERCENT))
    limit = 100 * check.SAME_ANSWERS
    canvas.figure.add_hline(y=limit, line={"color": MUTED[0], "width": 1, "dash": "dot"})
    for row in found.itertuples():
        canvas.line([row.gain] * 2, [100 * row.equal_top1_low, 100 * row.equal_top1_high], CONTEXT[0], 3)
    texts = [
        f"<b>{safe(row.model, 80)}</b><br>{safe(row.label)}<br>{row.gain:.2f}× eager, {row.equal_top1:.1%} equal"
        for row in found.itertuples()
    ]
    marker = {"size": 11, **look(found["family"], found["kind"]), "line": {"color": PAPER[0], "width": 1}}
    canvas.marks(found["gain"], 100 * found["equal_top1"], texts, marker)
    wanted = []
    for _, own in found.sort_values("gain", ascending=False).groupby("label", sort=False):
        row = own.iloc[0]
        wanted.append((row["gain"], 100 * row["equal_top1"], row["label"], {"colour": text_colour(row["family"])}))
    wanted.append((x.low * 1.02, limit, f"{limit:g}%: the least that the app asks for", {"colour": INK[0]}))
    canvas.label(wanted, points=canvas.pixels(found["gain"], 100 * found["equal_top1"]))
    return canvas
