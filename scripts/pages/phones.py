"""What the page on phones and boards says, from report/data/phones.csv and phones-devices.csv."""

from __future__ import annotations

from scripts.common import families
from scripts.common.paths import DATA
from scripts.common.tables import read_table
from scripts.common.words import counted, listing
from scripts.data import public, qualcomm
from scripts.figures import display_phones
from scripts.findings import int8, phones
from scripts.pages import content, page

NAMES = {"googlenet": "GoogLeNet", "shufflenet": "ShuffleNet", "squeezenet": "SqueezeNet", "gpunet": "GPUNet"}
CLAIMED = {"levit": "LeViT", "convnext": "ConvNeXt", "beit": "BEiT"}  # the families of the original claims


@page.or_note()
def said() -> None:
    """The notebook's three families on the phone, each in a sentence."""
    found = display_phones.table()
    lines = []
    for family, name in CLAIMED.items():
        own = found[found["family"] == family]
        if own.empty:
            continue
        states = [
            f"{page.breakable(row.network)} "
            + {
                "yes": "is on the frontier",
                "near": "is behind it by less than the accuracies tell",
                "no": "is behind the frontier",
            }.get(row.on_frontier, "has no accuracy")
            for row in own.itertuples()
        ]
        lines.append(f"{name}: {listing(states)}.")
    page.markdown(
        f"\nOn a {phones.PHONE} " + " ".join(lines) + "\n\n"
        f"[The findings](findings.qmd) judge the old claims on it, on a laptop ({phones.OTHERS[0]}) and on a board "
        f"({phones.OTHERS[1]}); [the picker](picker.qmd) offers all three.\n"
    )


@page.or_note()
def quantising() -> None:
    """What quantising wins and costs, in sentences."""
    found = display_phones.table().dropna(subset=["gain"])
    told = found[(found["loss_told"] == "yes") & (found["loss"] > 0)]
    slower = found[found["gain"] < 1]
    page.markdown(
        f"\nQuantised, {counted(len(found), 'network')} are {found['gain'].median():.1f} times as fast at the median; "
        f"{len(slower)} are slower. A loss of accuracy that {qualcomm.IMAGES:,} pictures can tell shows in "
        f"{len(told)} of them"
        + (f" ({listing([page.breakable(name) for name in told['network']])})" if len(told) else "")
        + ".\n"
    )


@page.or_note()
def table() -> None:
    """Each network on the phone."""
    found = display_phones.table()
    page.table(
        {
            "Network": found["network"],
            "Family": [families.label(family) if family else "" for family in found["family"]],
            "Floats (ms)": (found["float_ms"], "{:.2f}"),
            "Top-1 (%)": (found["float_top1"], "{:.1f}"),
            "Quantised (ms)": (found["int8_ms"], "{:.2f}"),
            "Top-1 quantised (%)": (found["int8_top1"], "{:.1f}"),
            "Times as fast": (found["gain"], "{:.2f}"),
            "Memory (MB)": (found["int8_memory_mb"].fillna(found["float_memory_mb"]), "{:.0f}"),
            "Ran on": found["int8_unit"].where(found["int8_unit"] != "", found["float_unit"]),
            "Frontier": found["on_frontier"],
        },
        f"Networks on a {phones.PHONE}, each in its fastest runtime; accuracies on {qualcomm.IMAGES:,} pictures.",
        label="tbl-phones",
        link="report/data/phones.csv",
    )


@page.or_note()
def survivors() -> None:
    """Which families survive 8 bits, in sentences and a table."""
    numbers = ["weights", "loss", "low", "high"]
    found = read_table(DATA / int8.FILE, required=["family", "source", "verdict"], numeric=numbers)
    shown, lines = [_family(name) for name in found["family"]], []
    for source, rows in found[found["source"] != int8.OURS].groupby("source", sort=False):
        by = {word: [shown[i] for i in own.index] for word, own in rows.groupby("verdict")}
        told = [
            f"less than {int8.LITTLE:g} point is lost by {listing(by[int8.SURVIVES])}" if int8.SURVIVES in by else "",
            f"a loss is sure for {listing(by[int8.LOSES])}" if int8.LOSES in by else "",
            f"of {counted(len(by[int8.UNKNOWN]), 'family', 'families')} nobody can tell" if int8.UNKNOWN in by else "",
        ]
        lines.append(f"By {source}’s figures {listing([part for part in told if part])}.")
    ours = found[found["source"] == int8.OURS]
    if len(ours):
        least, most = ours["loss"].min(), ours["loss"].max()
        names = listing([_family(name) for name in ours["family"]])
        share = f"{least:.1f}%" if least == most else f"{least:.1f} to {most:.1f}%"
        lines.append(f"On our own photos {share} of the answers of {names} change; how many were right is not counted.")
    page.markdown("\n" + " ".join(lines) + "\n")
    page.table(
        {
            "Family": shown,
            "Source": found["source"],
            "Weights": (found["weights"], "{:.0f}"),
            "Points lost": list(map(content.with_ends, found["loss"], found["low"], found["high"])),
            "Verdict": found["verdict"],
        },
        "What 8-bit weights cost by family, with 95% intervals: points of top-1; on our photos, percent of answers "
        "that changed. Networks of a family are tested on the same pictures, so that their errors do not average out.",
        label="tbl-int8-families",
        link=f"report/data/{int8.FILE}",
        sort=False,
    )


def _family(name: str) -> str:
    """What a family is called, those that are in no table of ours by their authors' spelling."""
    return NAMES.get(name) or families.label(name)


@page.or_note()
def devices() -> None:
    """Each device, and how well its speeds follow from a card's and a processor's."""
    numbers = ["networks", "median_ms", "rho", "gain", "slower_quantised", "predicted_off"]
    found = read_table(DATA / "phones-devices.csv", required=["device"], optional_numeric=numbers)
    page.table(
        {
            "Device": found["device"],
            "Networks": (found["networks"], "{:.0f}"),
            "Median (ms)": (found["median_ms"], "{:.2f}"),
            "Ranks as the phone": (found["rho"], "{:.3f}"),
            "Times as fast quantised": (found["gain"], "{:.2f}"),
            "Slower quantised": (found["slower_quantised"], "{:.0f}"),
            "Off by": (found["predicted_off"], "{:.2f}×"),
        },
        "Devices. Off by: the typical factor by which a speed is off that was predicted from a graphics card’s and a "
        f"processor’s, the other devices’ and {phones.LEVEL_FROM} networks of its own.",
        label="tbl-devices",
        link="report/data/phones-devices.csv",
    )


def credits() -> None:
    """Where the figures come from, under which licence."""
    page.markdown(
        f"\nSource: {public.credit(qualcomm.SOURCE)}. Computed from its tables; latencies and accuracies are "
        "Qualcomm’s.\n"
    )
