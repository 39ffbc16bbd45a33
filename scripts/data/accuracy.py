"""Published ImageNet-1k accuracies of the architectures that we measure, so that our own charts can be drawn offline.

report/data/accuracy.csv is a table of facts compiled by hand: one row per set of weights and image size, with where
each figure was published. Where timm's tables can be had, every row is compared with them: over 0.15 points apart is an
error with the model's name.

    python -m scripts.data.accuracy            # what is in it
    python -m scripts.data.accuracy --check    # against timm's table
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from scripts.common.errors import UserError, cli
from scripts.common.paths import DATA
from scripts.common.tables import read_table

PATH = DATA / "accuracy.csv"
COLUMNS = ["model", "arch", "tag", "img_size", "top1", "top5", "param_count", "pretrain", "source"]
TOLERANCE = 0.15  # points: papers round to 0.1, and resize with another filter


def load(path: Path = PATH) -> pd.DataFrame:
    """The table: `COLUMNS`; top1 and top5 in percent (top5 empty where not published), img_size in pixels, param_count
    in millions.

    Raises UserError for a damaged table, a model that is not arch.tag, an accuracy that is none, or a row without
    source.
    """
    numbers, key = ["img_size", "top1", "param_count"], ["model", "img_size"]
    frame = read_table(path, required=COLUMNS, numeric=numbers, optional_numeric=["top5"], key=key)
    bad = frame[
        (frame["model"] != frame["arch"] + "." + frame["tag"])
        | ~frame["top1"].between(1, 100)
        | frame["source"].str.strip().eq("")
        | (frame["top5"].notna() & ~(frame["top5"].between(1, 100) & (frame["top5"] >= frame["top1"])))
    ]
    if len(bad):
        raise UserError(
            f"{path.name}: {bad['model'].iloc[0][:60]} is not arch.tag with a source and accuracies in percent; mend "
            "the row"
        )
    return frame[COLUMNS].assign(img_size=frame["img_size"].astype(int))


def differences(published: pd.DataFrame, table: pd.DataFrame, tolerance: float = TOLERANCE) -> list[str]:
    """What of `published` (of `load`) disagrees with `table` (model, img_size, top1, top5 in percent), by name."""
    key, theirs = ["model", "img_size"], table[["model", "img_size", "top1", "top5"]]
    joined = published.merge(theirs, on=key, how="left", validate="1:1", suffixes=("", "_table"), indicator=True)
    missing = joined[joined["_merge"] != "both"]
    found = [f"{row.model} at {row.img_size}: not in the table" for row in missing.itertuples()]
    for metric in ("top1", "top5"):
        apart = joined[(joined[metric] - joined[f"{metric}_table"]).abs() > tolerance + 1e-9]
        found += [
            f"{row.model} at {row.img_size}: {metric} {getattr(row, metric):g}, the table says "
            f"{getattr(row, metric + '_table'):g}"
            for row in apart.itertuples()
        ]
    return found


@cli
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with timm's table")
    options = parser.parse_args(arguments)
    frame = load()
    print(
        f"{len(frame)} accuracies of {frame['arch'].nunique()} architectures from {frame['source'].nunique()} sources"
    )
    if options.check:
        from scripts.data import read_data

        found = differences(frame, read_data.results(read_data.NOW))
        if found:
            raise UserError(f"{PATH.name}: {len(found)} disagree with timm's table: {'; '.join(found[:5])}")
        print(f"all within {TOLERANCE} points of timm's table of {read_data.NOW}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
