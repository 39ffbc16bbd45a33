"""What the transfer page says: does ImageNet's order hold on other pictures, and what does it cost to trust it."""

from __future__ import annotations

import pandas as pd

from scripts.common import families
from scripts.common.errors import UserError
from scripts.common.paths import DATA
from scripts.common.tables import read_table
from scripts.common.words import counted, listing, signed
from scripts.data import fastai_timm, pepr, public
from scripts.figures import display_transfer
from scripts.findings import transfer
from scripts.pages import content, page

SHOWN = 5  # families at either end


@page.or_note()
def said() -> None:
    """The finding in two sentences, from the verdicts."""
    found = display_transfer.table()
    by = dict(list(found.groupby("verdict")))
    parts = [
        f"it holds in {len(by['holds'])}" if "holds" in by else "",
        f"on {listing(sorted(set(by['cannot tell']['what'])))} the runs cannot tell" if "cannot tell" in by else "",
        f"in {len(by['fails'])} it does not" if "fails" in by else "",
    ]
    scratch, tuned = (found[found["pretrained"] == value]["rho"] for value in ("False", "True"))
    page.markdown(
        f"\nDoes the order of networks on ImageNet hold elsewhere? Of {counted(len(found), 'case')}, each a set of "
        f"pictures and a way to train, "
        f"{listing([part for part in parts if part])}. Where training began from ImageNet’s weights the rank "
        f"correlation is {signed(tuned.min())} to {signed(tuned.max())}; from scratch it is {signed(scratch.min())} to "
        f"{signed(scratch.max())}.\n"
    )


def line() -> str:
    """How far an answer from ImageNet carries, for under it: rank correlations after fine-tuning, as text."""
    try:
        found = display_transfer.table()
    except UserError:
        return "ImageNet is not your data."
    tuned = found[found["pretrained"] == "True"]
    where = listing([f"{row.rho:.2f} on {row.what}" for row in tuned.itertuples()])
    return f"ImageNet is not your data: fine-tuned, its order of networks keeps a rank correlation of {where}."


@page.or_note()
def table() -> None:
    """Each set with its correlation, verdict and regrets."""
    found = display_transfer.table()
    page.table(
        {
            "Pictures": found["label"],
            "Networks": (found["networks"], "{:.0f}"),
            "Rank correlation": _with_ends(found, "rho", 2),
            "ImageNet’s order": found["verdict"],
            "Points lost": _with_ends(found, "regret_none", 1),
            "… in half the time": _with_ends(found, "regret_half", 1),
            "… in half the memory": _with_ends(found, "regret_memory_half", 1),
            "Size and accuracy": _with_ends(found, "rho_size", 2),
        },
        "ImageNet’s order on other pictures. Points lost: by taking ImageNet’s best network instead of the set’s "
        "own; among all, among the half that trains fastest, and the half that takes least memory. Size and accuracy: "
        "rank correlation of a network’s parameters with its accuracy on the set. In brackets: 95% intervals.",
        label="tbl-transfer",
        link=f"report/data/{transfer.FILE}",
    )


def _with_ends(found: pd.DataFrame, name: str, digits: int) -> list[str]:
    """A column's figures with their intervals."""
    low, high = (name + "_low", name + "_high") if f"{name}_low" in found else ("low", "high")
    return [content.with_ends(*row, digits) for row in found[[name, low, high]].itertuples(index=False)]


@page.or_note()
def travellers() -> None:
    """The families that do better, and worse, on fine-tuned sets than on ImageNet."""
    numbers = ["networks", "gain", "low", "high"]
    found = read_table(DATA / "transfer-families.csv", required=["dataset", "family"], numeric=numbers)
    tuned = [*fastai_timm.SETS, *pepr.PRETRAINED]
    found = found[found["dataset"].isin(tuned)].sort_values("gain", ascending=False, kind="stable")
    ends = pd.concat([found.head(SHOWN), found.tail(SHOWN)]).drop_duplicates()
    page.table(
        {
            "Family": [families.label(family) for family in ends["family"]],
            "Pictures": [fastai_timm.SETS.get(name) or pepr.SETS[name][0] for name in ends["dataset"]],
            "Networks": (ends["networks"].to_list(), "{:.0f}"),
            "Rank gained": _with_ends(ends, "gain", 2),
        },
        "Families that travel best and worst after fine-tuning. Rank gained: the mean rank on the set less that on "
        "ImageNet, in shares of all ranks, with its 95% interval over the family’s networks.",
        label="tbl-travellers",
        link="report/data/transfer-families.csv",
    )


@page.or_note()
def costs() -> None:
    """What the last point of accuracy costs in energy, or time, and memory."""
    numbers = ["best", "best_cost", "near", "near_cost", "factor", "low", "high"]
    found = read_table(DATA / "transfer-costs.csv", required=["dataset", "cost", "unit"], numeric=numbers)
    by = {cost: rows["factor"].median() for cost, rows in found.groupby("cost")}
    words = {"energy": "the energy", "time": "the training time", "memory": "the memory"}
    said = listing([f"{by[cost]:.1f} times {name}" for cost, name in words.items() if cost in by])
    page.markdown(
        f"\nThe most accurate network took {said} of the cheapest network within a point of it, at the median of the "
        "sets. Each factor is of what was paid, partly for luck: where a network was trained once, a second run may be "
        "a point lower.\n"
    )
    labels = display_transfer.table().set_index("dataset")["label"]
    page.table(
        {
            "Pictures": [labels.get(name, name) for name in found["dataset"]],
            "Cost": found["cost"],
            "Best (%)": (found["best"], "{:.1f}"),
            "Its cost": [f"{row.best_cost:.3g} {row.unit}" for row in found.itertuples()],
            "Within a point (%)": (found["near"], "{:.1f}"),
            "That one’s cost": [f"{row.near_cost:.3g} {row.unit}" for row in found.itertuples()],
            "Times as much": _with_ends(found, "factor", 1),
        },
        "What the last point of accuracy costs in training: the most accurate network against the cheapest within a "
        "point of it. In brackets: 95% intervals over families.",
        label="tbl-transfer-costs",
        link="report/data/transfer-costs.csv",
    )


@page.or_note()
def largest() -> None:
    """Whether a larger network is better on small data, in a sentence."""
    found = display_transfer.table()
    small = found[found["share"] < 1]
    better = small[small["rho_size_low"] > 0]
    worse = small[small["rho_size_high"] < 0]
    page.markdown(
        f"\nOf {counted(len(small), 'set')} with a tenth or a hundredth of the pictures, larger networks are better on "
        f"{len(better)}, worse on {len(worse)}, and on {len(small) - len(better) - len(worse)} the interval holds "
        "zero.\n"
    )


def credits() -> None:
    """Where the figures come from, under which licence."""
    page.markdown("\nSources: " + "; ".join(public.credit(name) for name in (pepr.SOURCE, fastai_timm.SOURCE)) + ".\n")
