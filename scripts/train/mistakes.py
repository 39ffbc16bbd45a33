"""The photos that a network got wrong and was surest about, as one picture: for the reader's own run, never committed.

    python -m scripts.train.mistakes --data FOLDER        # for the newest run on that dataset

Writes charts/mistakes-<dataset>.jpg (a grid of squares) and charts/mistakes-<dataset>.csv (row, column, file, label, predicted,
confidence), both in an ignored folder. train_models does it at the end of each run.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.common.errors import UserError, cli
from scripts.common.paths import CHARTS, DATA, atomic_csv, atomic_write
from scripts.train import datasets, results

ROWS, COLUMNS, SIDE, GAP = 3, 6, 128, 4


def surest(csv_path: Path, most: int = ROWS * COLUMNS) -> pd.DataFrame:
    """The test images that the most accurate run of `csv_path` got wrong, surest first: model, file, label, predicted, confidence."""
    frame = results.read(csv_path)
    best = frame.loc[frame["accuracy"].idxmax()]
    long = results.predictions(results.part(csv_path, "-predictions"))
    mine = long[(long["model"] == best["model"]) & (long["weights"] == best["weights"]) & (long["seed"] == best["seed"]) & ~long["right"]]
    scores = mine[[name for name in mine.columns if name.startswith("p:")]]
    return mine.assign(confidence=scores.max(axis=1)).nlargest(most, "confidence")[["model", "file", "label", "predicted", "confidence"]]


def sheet(dataset: datasets.Dataset, files: list[str]):
    """The squares of `files` in a grid, row by row, as a Pillow image."""
    from PIL import Image
    step = SIDE + GAP
    canvas = Image.new("RGB", (COLUMNS * step - GAP, -(-len(files) // COLUMNS) * step - GAP), "white")
    for i, file in enumerate(files):
        pixels = np.ascontiguousarray(dataset.pixels[dataset.files.index(file)].transpose(1, 2, 0))
        canvas.paste(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC), (i % COLUMNS * step, i // COLUMNS * step))
    return canvas


def write(dataset: datasets.Dataset, csv_path: Path, folder: Path = CHARTS) -> Path | None:
    """Write the sheet and its table. Returns the sheet's path, None where nothing is wrong or none of the photos is at hand."""
    wrong = surest(csv_path)
    wrong = wrong[wrong["file"].isin(dataset.files)]
    if wrong.empty:
        return None
    buffer = io.BytesIO()
    sheet(dataset, list(wrong["file"])).save(buffer, "JPEG", quality=88)
    number = np.arange(len(wrong))
    atomic_csv(wrong.assign(row=number // COLUMNS + 1, column=number % COLUMNS + 1), folder / f"mistakes-{dataset.name}.csv")
    return atomic_write(folder / f"mistakes-{dataset.name}.jpg", buffer.getvalue())


@cli
def main() -> None:
    parser = argparse.ArgumentParser(description="The photos that a network got wrong and was surest about.")
    parser.add_argument("--data", required=True, help="digits, pets, or a folder")
    parser.add_argument("--size", type=int, default=SIDE * 7 // 8, help="pixels to decode to")
    arguments = parser.parse_args()
    dataset = datasets.load(arguments.data, arguments.size)
    runs = [path for path in results.runs(DATA) if path.stem.startswith(f"zoo-{dataset.name}-")]
    if not runs:
        raise UserError(f"no run on {dataset.name} yet; python -m scripts.train.train_models --data {arguments.data}")
    path = write(dataset, max(runs, key=lambda path: path.stat().st_mtime))
    print(path or "no mistakes")


if __name__ == "__main__":
    sys.exit(main())
