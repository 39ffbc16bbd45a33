"""What holds on a phone: its frontier, and what quantising wins there, from report/data/phones.csv.

python -m scripts.figures.export --only phones_frontier phones_quantised
"""

from __future__ import annotations

import pandas as pd

from scripts.common.errors import DataMissing
from scripts.common.paths import DATA
from scripts.common.provenance import source
from scripts.common.tables import read_table
from scripts.common.uncertainty import SIGMAS, top1_se
from scripts.common.words import counted, day, listing, plain
from scripts.data import public, qualcomm
from scripts.figures import frontier_chart, list_chart
from scripts.figures.drawing import Drawing
from scripts.figures.theme import TIMES, WIDE, Axis, both, frontier
from scripts.findings import phones

FILE = "phones.csv"
NUMBERS = ("params", "float_ms", "float_top1", "float_memory_mb", "int8_ms", "int8_top1", "int8_memory_mb", "gain")
FLOOR = 60.0  # percent top-1; below, the chart would be mostly empty


def table() -> pd.DataFrame:
    """report/data/phones.csv. Raises DataMissing where it is not there."""
    path = DATA / FILE
    if not path.exists():
        raise DataMissing(f"{FILE} is not there; run `make data`")
    more = (*NUMBERS, "loss", "samples_per_sec", "top1")
    return read_table(path, required=["network", "family", "loss_told", "on_frontier"], optional_numeric=more)


def _footer() -> str:
    one = public.source(qualcomm.SOURCE)
    return f"Source: Qualcomm AI Hub Models ({one.licence}), {day(one.date)} · {phones.PHONE}"


def _about() -> dict:
    return {
        "sources": [source(DATA / FILE)],
        "hardware": phones.PHONE,
        "date": public.source(qualcomm.SOURCE).date,
    }


def draw_frontier() -> Drawing:
    """Speed against accuracy on the phone, each network in the faster of its two precisions."""
    found = table().dropna(subset=["samples_per_sec", "top1"])
    rows = found.assign(
        model=found["network"],
        arch=found["network"],
        img_size=224,
        param_count=found["params"],
        **_look(found),
    )
    edge = frontier(rows)
    levit = found[found["family"] == "levit"]
    near = levit["on_frontier"].isin(["yes", "near"]).any()
    title = (
        f"{phones.PHONE}: {len(edge)} of {counted(len(rows), 'network')} on the frontier, "
        f"LeViT {'is among or near them' if near else 'is not near it'}"
    )
    subtitle = (
        f"Top-1 on {qualcomm.IMAGES:,} ImageNet pictures (±{_uncertainty(rows['top1'].median()):.1f} points) against "
        "pictures per second, in the faster of floats and integers"
    )
    shown, head = frontier_chart.visible(rows, FLOOR), (title, subtitle, _footer())
    return Drawing(
        **both(lambda size: frontier_chart.draw(shown, *head, size, everyone=size == WIDE)),
        title=title,
        data=found,
        alt=f"Top-1 accuracy against pictures per second of {counted(len(rows), 'network')} on a {phones.PHONE}; on "
        f"the frontier: {listing(edge['model'].tolist())}.",
        caption=f"{title}. An accuracy on {qualcomm.IMAGES:,} pictures is uncertain by about "
        f"{_uncertainty(rows['top1'].median()):.1f} points, so neighbours on the frontier may be tied.",
        **_about(),
    )


def _look(found: pd.DataFrame) -> dict[str, pd.Series]:
    """Kind and family as charts draw them, also of a network that timm does not know."""
    return {name: found[name].where(found[name] != "", other) for name, other in list_chart.UNKNOWN.items()}


def _uncertainty(top1: float) -> float:
    return float(SIGMAS * top1_se(top1, qualcomm.IMAGES))


def draw_quantised() -> Drawing:
    """How many times as fast each network is quantised as it is with floats, on the phone."""
    found = table().dropna(subset=["gain"]).sort_values("gain", ascending=False, kind="stable")
    slower = found[found["gain"] < 1]
    title = (
        f"Quantised, {found['network'].iloc[0]} is {found['gain'].iloc[0]:.1f} times as fast on a {phones.PHONE}; "
        f"{len(slower)} of {counted(len(found), 'network')} {'is' if len(slower) == 1 else 'are'} slower"
    )
    rows = found.assign(
        label=found["network"],
        value=found["gain"],
        **_look(found),
        details=[
            f"{plain(row.float_ms)} ms as floats, {plain(row.int8_ms)} ms as {row.int8_precision}<br>"
            f"top-1 {row.float_top1:.1f}% and {row.int8_top1:.1f}%"
            for row in found.itertuples()
        ],
    )
    axis = Axis.around("times as fast as floats", found["gain"], log=True, after=0.08, write=TIMES)
    subtitle = (
        "Latency of one picture with floats over its latency quantised (8-bit weights), each in its fastest runtime"
    )
    return Drawing(
        **both(list_chart.draw, rows, axis, title, subtitle, _footer(), mark=(1.0, "as fast")),
        title=title,
        data=found,
        alt=f"List of {counted(len(found), 'network')} by how many times as fast they are quantised: "
        f"{listing([f'{row.network} {row.gain:.2f}' for row in found.head(6).itertuples()])} lead.",
        caption=f"{title}.",
        **_about(),
    )
