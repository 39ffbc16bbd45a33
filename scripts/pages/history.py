"""What the page on inference says of one card since 2021, from report/data/history.csv and history-frontier.csv."""

from __future__ import annotations

import pandas as pd

from scripts.common.paths import DATA
from scripts.common.tables import read_table
from scripts.common.words import counted, day, month, short
from scripts.data import public, timm_history
from scripts.figures import display_history
from scripts.findings import history
from scripts.pages import content, page

LITTLE = 1.02  # times as fast: timm's timings of one model repeat within 1.026 (uncertainty.TIMING_SPREAD)
SHOWN = (72, 76, 80, 82, 84, 86, 88)  # percent top-1


@page.or_note()
def said() -> None:
    """How much came from networks, and how much from software, in three sentences."""
    since, steps = display_history.table("since"), display_history.table("step")
    last, batch = since.iloc[-1], steps[steps["change"] == history.BATCH]
    said = (
        f"From {month(last['first'])} to {month(last['last'])} the same accuracy came to be had "
        f"{last.together:.2f} times as fast ({last.together_low:.2f} to {last.together_high:.2f}). "
        f"Better networks brought a factor of {_factor(last, 'networks')}, newer software one of "
        f"{_factor(last, 'software')}: the same {counted(int(last.held), 'network')}, timed again. "
    )
    if len(batch):
        grew = float(batch["software"].prod())
        said += (
            f"Of the latter, {grew:.2f} came with larger batches in {month(batch['last'].iloc[0])}, PyTorch as before. "
        )
    best, still = steps.loc[steps["networks"].idxmax()], int((steps["networks"] < LITTLE).sum())
    said += (
        f"The largest step of the networks fell between {month(best['first'])} and {month(best['last'])}, with "
        f"{_factor(best, 'networks')}; in {still} of {counted(len(steps), 'step')} they brought less than "
        f"{LITTLE - 1:.0%}."
    )
    page.markdown(f"\n{said}\n")


def _factor(row: pd.Series, name: str) -> str:
    return content.with_ends(row[name], row[f"{name}_low"], row[f"{name}_high"])


@page.or_note()
def table() -> None:
    """The frontier year by year: the fastest speed at each accuracy."""
    found = read_table(
        DATA / history.FRONTIER_FILE,
        required=["date", "torch", "model"],
        numeric=["level", "samples_per_sec", "best", "weights"],
    )
    grid = found.pivot(index="date", columns="level", values="samples_per_sec")
    heads = found.drop_duplicates("date").set_index("date").loc[grid.index]
    levels = {
        f"{level}%": [short(value) if value == value else "–" for value in grid.get(level, pd.Series())]
        for level in SHOWN
    }
    one = public.source(next(iter(timm_history.STEPS)))
    page.table(
        {
            "Table of": [day(date) for date in grid.index],
            "PyTorch": [torch or "not said" for torch in heads["torch"]],
            "Weights": (heads["weights"].to_list(), "{:,.0f}"),
            **levels,
            "Best (%)": (heads["best"].to_list(), "{:.1f}"),
        },
        f"The frontier of the {timm_history.CARD} in each of timm’s tables: images per second of the fastest model "
        f"at least as accurate. Source: {one.cite} ({one.repository}; licence: {one.licence}).",
        label="tbl-history",
        link=f"report/data/{history.FRONTIER_FILE}",
        sort=False,
    )
