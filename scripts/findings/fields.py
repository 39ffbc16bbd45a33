"""The tables that claims are judged on: timm's, and ours with every published accuracy that is known.

for table in fields.configurations(): ...
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from scripts.common import families, hardware
from scripts.data import download, measured, read_data
from scripts.findings import phone_tables
from scripts.findings.claims_speed import NETWORK

WEIGHTS = ["model", "tag", *NETWORK, "top1", "top5", "pretrain"]


def configurations() -> Iterable[pd.DataFrame]:
    """The tidy table of each configuration, ours last, without timm's test networks. Vintages that can't be had are
    left out; of a table that can't be joined or lacks a column only the configuration is there, in one row with why it
    was `left_out`: nothing can be told from it."""
    for vintage in read_data.VINTAGES:
        for part in read_data.PARTS:
            broken: dict[str, str] = {}
            try:
                for table in read_data.tables(part, vintage, broken):
                    yield families.contenders(table).reset_index(drop=True)
            except read_data.TablesMissing:
                continue
            for file, reason in broken.items():
                about = {**hardware.parse_benchmark_name(file), "vintage": vintage, "left_out": reason}
                yield pd.DataFrame([{**about, "date": download.table(vintage, file).source.date}])
    yield from phone_tables.for_claims()
    for _, table in measured.load().groupby("file"):
        yield families.contenders(with_accuracies(table)).reset_index(drop=True)


def phone() -> dict[str, pd.DataFrame]:
    """{slug: a row per weights of the networks timed as floats} of the phone, the laptop and the board; {} without."""
    return {slug: with_accuracies(table) for slug, table in phone_tables.floats().items()}


def with_accuracies(table: pd.DataFrame, published: pd.DataFrame | None = None) -> pd.DataFrame:
    """A table of `measured.load` with a row for each set of weights of which an accuracy is published: timm's where its
    tables can be had, and report/data/accuracy.csv. A speed belongs to the network, whatever its weights. Networks
    without published accuracy keep a row with empty top1."""
    if published is None:
        published = accuracies()
    speeds = table.drop_duplicates(NETWORK).drop(columns=[name for name in WEIGHTS if name not in NETWORK])
    frame = speeds.merge(published, on=NETWORK, how="left", validate="1:m")
    bare = frame["model"].isna()
    return frame.assign(
        model=frame["model"].fillna(frame["arch"]),
        tag=frame["tag"].fillna(""),
        pretrain=frame["pretrain"].mask(bare, "unknown"),
    )[list(table)]


def accuracies() -> pd.DataFrame:
    """Every published accuracy at hand (`WEIGHTS`): timm's newest, then what report/data/accuracy.csv has beside it."""
    ours = measured.accuracies()[WEIGHTS]
    try:
        theirs = read_data.results(read_data.NOW)
    except read_data.TablesMissing:
        return ours
    theirs = theirs.assign(pretrain=theirs["model"].map(read_data.pretraining))[WEIGHTS]
    return pd.concat([theirs, ours]).drop_duplicates(["model", "img_size"], ignore_index=True)
