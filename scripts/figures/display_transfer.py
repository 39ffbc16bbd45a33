"""Does ImageNet's order hold on other pictures? A dot for each set of pictures, from report/data/transfer.csv.

python -m scripts.figures.export --only transfer_order
"""

from __future__ import annotations

import pandas as pd

from scripts.common.errors import DataMissing
from scripts.common.paths import DATA
from scripts.common.provenance import source
from scripts.common.tables import read_table
from scripts.common.words import counted, day, listing
from scripts.data import fastai_timm, pepr, public
from scripts.figures import list_chart
from scripts.figures.drawing import Drawing
from scripts.figures.theme import Axis, both
from scripts.findings import transfer

NUMBERS = ("share", "networks", "families", "runs", "rho", "rho_low", "rho_high", "best")


def table() -> pd.DataFrame:
    """report/data/transfer.csv, strongest order first, with `label`. Raises DataMissing where it is not there."""
    path = DATA / transfer.FILE
    if not path.exists():
        raise DataMissing(f"{path.name} is not there; run `make data`")
    regrets = [f"regret_{name}{end}" for name in transfer.BUDGETS for end in ("", "_low", "_high")]
    sizes = ["rho_size", "rho_size_low", "rho_size_high"]
    found = read_table(path, required=["dataset", "what", "verdict"], numeric=[*NUMBERS, *regrets, *sizes])
    found["label"] = [_label(row) for row in found.itertuples()]
    return found.sort_values("rho", ascending=False, kind="stable").reset_index(drop=True)


def _label(row) -> str:
    share = "" if row.share == 1 else f" {row.share:.0%}"
    return f"{row.what}{share} · {'fine-tuned' if row.pretrained == 'True' else 'scratch'}"


def footer() -> str:
    return "Sources: " + " · ".join(
        f"{public.source(name).repository} (licence: {public.source(name).licence}, {day(public.source(name).date)})"
        for name in (pepr.SOURCE, fastai_timm.SOURCE)
    )


def draw_order() -> Drawing:
    """Rank correlation of ImageNet's top-1 with the accuracy on each set of pictures, with its 95% interval."""
    found = table()
    holds = found[found["verdict"] == "holds"]
    title = (
        f"ImageNet’s order surely holds in {len(holds)} of {counted(len(found), 'case')} of other pictures; "
        f"it is strongest on {found['what'].iloc[0]} ({found['rho'].iloc[0]:.2f})"
    )
    rows = found.assign(
        value=found["rho"],
        low=found["rho_low"],
        high=found["rho_high"],
        details=[
            f"{row.rho:.2f}, interval {row.rho_low:.2f} to {row.rho_high:.2f}<br>"
            f"{counted(int(row.networks), 'network')} of {counted(int(row.families), 'family', 'families')}"
            for row in found.itertuples()
        ],
    )
    ends = found["rho_low"], found["rho_high"], 0.0
    axis = Axis.around("rank correlation with ImageNet", *ends, after=0.05, write="{:g}".format)
    subtitle = (
        "Spearman’s rank correlation of ImageNet top-1 with accuracy on the set; lines: 95% interval over families"
    )
    mark = transfer.HOLDS, "an order that holds"
    return Drawing(
        **both(list_chart.draw, rows, axis, title, subtitle, footer(), mark=mark),
        title=title,
        data=found,
        hardware="of the published runs",
        date=max(public.source(name).date for name in (pepr.SOURCE, fastai_timm.SOURCE)),
        sources=[source(DATA / transfer.FILE)],
        alt="List of sets of pictures by how far ImageNet's order of networks holds on them: "
        f"{listing([f'{row.label} {row.rho:.2f}' for row in found.itertuples()])}.",
        caption=f"{title}. At 1 the networks would stand in ImageNet’s order, at 0 in one unrelated to it.",
    )
