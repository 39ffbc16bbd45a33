"""What the robustness page says: which families keep their accuracy on other test sets."""

from __future__ import annotations

from scripts.common.paths import DATA
from scripts.common.tables import read_table
from scripts.pages import page


@page.or_note()
def robust_families(column: str, name: str) -> None:
    """The ten families furthest above expectation on one test set, and how many points their median model loses
    there."""
    frame = read_table(DATA / "robustness-families.csv", required=["set", "family"], numeric=["n", "loss", "beyond"])
    best = frame[frame["set"] == column].nlargest(10, "beyond")
    shown = best[["family", "n", "loss", "beyond"]].set_axis(
        ["Family", "Weights", "Median loss (points)", "Beyond expectation (points)"], axis=1
    )
    page.table(
        shown,
        f"The ten families furthest above what their ImageNet accuracy lets one expect on {name}.",
        label=f"tbl-robust-{column}",
        link="report/data/robustness-families.csv",
        formats={"Weights": "{:.0f}", "Median loss (points)": "{:.1f}", "Beyond expectation (points)": "{:+.1f}"},
    )
