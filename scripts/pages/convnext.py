"""What the ConvNeXt page says of it and of any other family, from report/data/families.csv.

from scripts.pages import convnext
convnext.trade("convnext")            # in a cell with `#| output: asis`
convnext.families_by_name()
"""

from __future__ import annotations

import urllib.parse

import pandas as pd

from scripts.common.errors import UserError
from scripts.common.paths import DATA
from scripts.common.tables import read_table
from scripts.pages import content, page

SOURCE = "report/data/families.csv"
NUMERIC = [
    "weights",
    "networks",
    "frontier",
    "top1",
    *(
        f"{what}_{name}"
        for what in ("picture", "network")
        for name in ("steps", "gain", "cost", "price", "low", "high")
    ),
]
# the explorer's state in the address: assets/explorer.js
CHART = "report/inference.html?frontier_gpu=a:{}#fig-frontier-gpu"
LARGER = {"picture": "the next larger picture", "network": "the next larger network"}


def table() -> pd.DataFrame:
    """report/data/families.csv. Raises UserError where it was never made or is damaged."""
    return read_table(
        DATA / "families.csv", required=["family", "label", "best", "more"], optional_numeric=NUMERIC, key=["family"]
    )


def count(number: float) -> str:
    """'none of them is a', '1 of them is a', '3 of them are', for a sentence."""
    if number != number:
        return "n/a"
    return f"{number:.0f} of them are" if number > 1 else f"{'1' if number else 'none'} of them is a"


def trade(family: str) -> None:
    """Print what a larger picture and a larger network buy in one family, and which of the two buys more."""
    try:
        row = table().set_index("family").loc[family]
    except (UserError, KeyError) as error:
        page.note("Not computed yet", page.quoted(error))
        return
    page.uses(SOURCE)
    lines = []
    for what, words in LARGER.items():
        if pd.notna(row[f"{what}_price"]):
            lines.append(
                f"- {words.capitalize()} gains **{row[f'{what}_gain']:.2f} points** and makes the model "
                f"**{row[f'{what}_cost']:.2f} times** slower (medians of "
                f"{row[f'{what}_steps']:.0f} steps): {row[f'{what}_price']:.1f} points per doubling of the time (95% "
                f"interval {row[f'{what}_low']:.1f} to {row[f'{what}_high']:.1f})."
            )
    verdict = {
        "picture": "A larger picture buys more for the same time.",
        "network": "A larger network buys more for the same time.",
        "tie": "The intervals overlap: which buys more cannot be told.",
        "": "There are too few steps of one kind to compare the two.",
    }[row["more"]]
    print("\n".join(lines) + f"\n\n{verdict}\n")


def families_by_name() -> None:
    """Print the table of all families, each linked to the chart that shows it alone."""
    try:
        found = table()
    except UserError as error:
        page.note("Not computed yet", page.quoted(error))
        return
    more = {"picture": "picture", "network": "network", "tie": "can't be told", "": ""}
    page.table(
        {
            "Family": [
                page.link(row.label, "/" + CHART.format(urllib.parse.quote(row.family))) for row in found.itertuples()
            ],
            "Weights": (found.weights, "{:.0f}"),
            "Networks": (found.networks, "{:.0f}"),
            "On the frontier": (found.frontier, "{:.0f}"),
            "Best top-1 (%)": (found.top1, "{:.1f}"),
            "Per doubling: picture": (found.picture_price, "{:.1f}"),
            "Per doubling: network": (found.network_price, "{:.1f}"),
            "Buys more": found.more.map(more),
        },
        f"Every family on an {content.numbers()['gpu.hardware']}: its members, and what a larger picture and a "
        "larger network bring for twice the time.",
        label="tbl-families",
        link=SOURCE,
    )
