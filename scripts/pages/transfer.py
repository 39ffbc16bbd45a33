"""What the transfer page says: does ImageNet's order hold on other pictures, and what does it cost to trust it."""

from __future__ import annotations

import pandas as pd

from scripts.common import families
from scripts.common.errors import UserError
from scripts.common.paths import DATA
from scripts.common.tables import read_table
from scripts.common.words import counted, listing
from scripts.data import fastai_timm, pepr, public
from scripts.figures import display_transfer
from scripts.findings import transfer
from scripts.pages import page

SHOWN = 5  # families at either end


@page.or_note()
def said() -> None:
    """The finding in two sentences, from the verdicts."""
    found = display_transfer.table()
    by = dict(list(found.groupby("verdict")))
    parts = [
        f"it holds on {counted(len(by['holds']), 'set')}" if "holds" in by else "",
        f"on {listing(sorted(set(by['cannot tell']['what'])))} the runs cannot tell" if "cannot tell" in by else "",
        f"on {counted(len(by['fails']), 'set')} it does not" if "fails" in by else "",
    ]
    scratch, tuned = (found[found["pretrained"] == value]["rho"] for value in ("False", "True"))
    said = (
        f"\nDoes the order of networks on ImageNet hold elsewhere? Of {counted(len(found), 'set')} of pictures, "
        f"{listing([part for part in parts if part])}. Where training began from ImageNet’s weights the rank "
        f"correlation is {tuned.min():.2f} to {tuned.max():.2f}; from scratch it is {scratch.min():.2f} to "
        f"{scratch.max():.2f}.\n"
    )
    page.markdown(said.replace("-", "−"))


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
    shown = pd.DataFrame(
        {
            "Pictures": found["label"],
            "Networks": found["networks"],
            "Rank correlation": [
                f"{row.rho:.2f} ({row.rho_low:.2f} to {row.rho_high:.2f})" for row in found.itertuples()
            ],
            "ImageNet’s order": found["verdict"],
            "Points lost": found["regret_none"],
            "… among the cheaper half": found["regret_half"],
            "Size and accuracy": [
                f"{row.rho_size:.2f} ({row.rho_size_low:.2f} to {row.rho_size_high:.2f})" for row in found.itertuples()
            ],
        }
    )
    page.table(
        shown,
        "ImageNet’s order on other pictures. Points lost: by taking ImageNet’s best network instead of the set’s own. "
        "Size and accuracy: rank correlation of a network’s parameters with its accuracy on the set.",
        label="tbl-transfer",
        link=f"report/data/{transfer.FILE}",
        formats={"Networks": "{:.0f}", "Points lost": "{:.1f}", "… among the cheaper half": "{:.1f}"},
    )


@page.or_note()
def travellers() -> None:
    """The families that do better, and worse, on fine-tuned sets than on ImageNet."""
    found = read_table(DATA / "transfer-families.csv", required=["dataset", "family"], numeric=["networks", "gain"])
    tuned = [*fastai_timm.SETS, *pepr.PRETRAINED]
    found = found[found["dataset"].isin(tuned)].sort_values("gain", ascending=False, kind="stable")
    ends = pd.concat([found.head(SHOWN), found.tail(SHOWN)]).drop_duplicates()
    page.table(
        pd.DataFrame(
            {
                "Family": [families.label(family) for family in ends["family"]],
                "Pictures": ends["dataset"].to_list(),
                "Networks": ends["networks"].to_list(),
                "Rank gained": ends["gain"].to_list(),
            }
        ),
        "Families that travel best and worst after fine-tuning. Rank gained: the mean rank on the set less that on "
        "ImageNet, in shares of all ranks.",
        label="tbl-travellers",
        link="report/data/transfer-families.csv",
        formats={"Networks": "{:.0f}", "Rank gained": "{:+.2f}"},
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
