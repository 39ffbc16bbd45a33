"""What rented machines cost, from scripts/cloud/cloud_prices.csv: a small table with the date and source of each price,
kept by hand.

    python -m scripts.cloud.prices            # images per dollar of the rented cards that have been measured
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from scripts.common.errors import cli
from scripts.common.tables import read_table

PRICES = Path(__file__).with_name("cloud_prices.csv")


def load(path: Path = PRICES) -> pd.DataFrame:
    """instance, card (slug as in file names), gpus, usd_per_hour (US dollars, on demand), region, date, source.
    Raises UserError where damaged.
    """
    frame = read_table(
        path,
        required=["instance", "card", "region", "date", "source"],
        numeric=["gpus", "usd_per_hour"],
        key=["instance", "region"],
    )
    return frame.astype({"gpus": int})


def of(instance: str, region: str = "", table: pd.DataFrame | None = None) -> tuple[float | None, str]:
    """US dollars per hour of an instance type, and the region whose price that is: `region`, or the first that is
    known; (None, '') where none is.
    """
    table = load() if table is None else table
    found = table[table["instance"] == instance]
    here = found[found["region"] == region] if (found["region"] == region).any() else found
    return (float(here["usd_per_hour"].iloc[0]), str(here["region"].iloc[0])) if len(here) else (None, "")


def of_card(card: str, table: pd.DataFrame | None = None) -> tuple[float | None, str]:
    """US dollars per hour of the cheapest instance with one such card (a slug), and which that is, of which date;
    (None, '') where the file has none.
    """
    table = load() if table is None else table
    found = table[(table["card"] == card) & (table["gpus"] == 1)].sort_values("usd_per_hour")
    if found.empty:
        return None, ""
    row = found.iloc[0]
    return float(row["usd_per_hour"]), f"{row['instance']}, ${row['usd_per_hour']:g} an hour, {row['date']}"


def per_million(usd_per_hour: float, samples_per_sec: float) -> float:
    """US dollars for a million images."""
    return usd_per_hour / 3600 / samples_per_sec * 1e6


def per_dollar(speeds: pd.DataFrame, prices: pd.DataFrame) -> pd.DataFrame:
    """Images per US dollar of each measured (hardware, model) on the cheapest instance with one such card.

    speeds: hardware (slug), model, samples_per_sec (a second, of one card). Returns those columns and instance,
    usd_per_hour, date, images_per_usd; the most first. Cards that nobody rents out are left out.
    """
    one = prices[prices["gpus"] == 1].sort_values("usd_per_hour").drop_duplicates("card")
    joined = speeds.merge(one, left_on="hardware", right_on="card", how="inner", validate="m:1")
    joined["images_per_usd"] = joined["samples_per_sec"] * 3600 / joined["usd_per_hour"]
    columns = ["instance", "hardware", "model", "samples_per_sec", "usd_per_hour", "date", "images_per_usd"]
    return joined.sort_values("images_per_usd", ascending=False)[columns].reset_index(drop=True)


def measured() -> pd.DataFrame:
    """`per_dollar` of the inference speeds in report/data."""
    from scripts.data import measured as ours

    frame, columns = ours.load("infer"), ["hardware", "model", "samples_per_sec"]
    if frame.empty:
        return per_dollar(pd.DataFrame(columns=columns), load())
    best = frame.sort_values("samples_per_sec").drop_duplicates(["hardware", "arch"], keep="last")
    return per_dollar(best.drop(columns="model").rename(columns={"arch": "model"})[columns], load())


@cli
def main() -> None:
    frame = measured()
    none = "no rented card has been measured yet: python -m scripts.cloud.bench --instance ml.g5.xlarge"
    print(frame.to_string(index=False) if len(frame) else none)


if __name__ == "__main__":
    sys.exit(main())
