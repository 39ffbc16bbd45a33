"""The photos that most networks got wrong, as one picture: for the reader's own run, never committed.

    python -m scripts.train.mistakes --data FOLDER        # for the newest run on that dataset

Writes charts/mistakes-<dataset>.jpg (a grid of squares) and charts/mistakes-<dataset>.csv (file, label, predicted,
confidence, wrong, runs, row, column), both in an ignored folder. train_models does it at the end of each run, but not
where it was sent to (scripts.train.run_training). Of scikit-learn's digits, whose licence permits it, the pictures also
stand in report/data/zoo-digits-<hardware>-mistakes.csv, which is drawn as zoo_digits_mistakes.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.common import provenance
from scripts.common.errors import UserError, cli
from scripts.common.paths import CHARTS, DATA, atomic_csv, atomic_write
from scripts.train import datasets, results

ROWS, COLUMNS, SIDE, GAP = 3, 6, 128, 4


def hardest(csv_path: Path, most: int = ROWS * COLUMNS) -> pd.DataFrame:
    """The test images that most runs (a network and seed each) of `csv_path` got wrong, of equals the one with the
    surest wrong answer first.

    Columns: file, label, predicted (the surest wrong answer), confidence (of that answer), wrong and runs (how many of
    how many).
    """
    long = results.predictions(results.part(csv_path, "-predictions"))
    long = long.assign(confidence=long[[name for name in long.columns if name.startswith("p:")]].max(axis=1))
    runs = long.groupby("file").size()
    wrong = long[~long["right"]].sort_values("confidence", ascending=False, kind="stable")
    table = wrong.groupby("file", sort=False).agg(
        label=("label", "first"),
        predicted=("predicted", "first"),
        confidence=("confidence", "first"),
        wrong=("file", "size"),
    )
    table = table.assign(runs=runs.reindex(table.index)).sort_values(
        ["wrong", "confidence"], ascending=False, kind="stable"
    )
    return table.head(most).reset_index()


def sheet(dataset: datasets.Dataset, files: list[str]):
    """The squares of `files` in a grid, row by row, as a Pillow image."""
    from PIL import Image

    step = SIDE + GAP
    canvas = Image.new("RGB", (COLUMNS * step - GAP, -(-len(files) // COLUMNS) * step - GAP), "white")
    for i, file in enumerate(files):
        pixels = np.ascontiguousarray(dataset.pixels[dataset.files.index(file)].transpose(1, 2, 0))
        canvas.paste(
            Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC),
            (i % COLUMNS * step, i // COLUMNS * step),
        )
    return canvas


def write(dataset: datasets.Dataset, csv_path: Path, folder: Path = CHARTS) -> Path | None:
    """Write the sheet and its table. Returns the sheet's path, None where nothing is wrong or none of the photos is
    at hand.
    """
    wrong = hardest(csv_path)
    wrong = wrong[wrong["file"].isin(dataset.files)]
    if dataset.name == datasets.EMBEDDED:
        digits(wrong, csv_path)
    if wrong.empty:
        return None
    buffer = io.BytesIO()
    sheet(dataset, list(wrong["file"])).save(buffer, "JPEG", quality=88)
    number = np.arange(len(wrong))
    atomic_csv(
        wrong.assign(row=number // COLUMNS + 1, column=number % COLUMNS + 1), folder / f"mistakes-{dataset.name}.csv"
    )
    return atomic_write(folder / f"mistakes-{dataset.name}.jpg", buffer.getvalue())


def digits(wrong: pd.DataFrame, csv_path: Path) -> None:
    """Write the wrong digits with their pixels beside the run's tables; where none is wrong, an older table goes."""
    from sklearn.datasets import load_digits

    path = results.part(csv_path, results.MISTAKES)
    if wrong.empty:
        path.unlink(missing_ok=True)
        provenance.sidecar_path(path).unlink(missing_ok=True)
        return
    images = load_digits().images.astype(int)
    pixels = [" ".join(map(str, images[int(file.rpartition("/")[2])].flat)) for file in wrong["file"]]
    provenance.write_derived(wrong.assign(pixels=pixels), path, provenance.read_sidecar(csv_path))


@cli
def main() -> None:
    parser = argparse.ArgumentParser(description="The photos that most networks got wrong.")
    parser.add_argument("--data", required=True, help="digits, pets, or a folder")
    parser.add_argument("--size", type=int, default=SIDE * 7 // 8, help="pixels to decode to")
    arguments = parser.parse_args()
    dataset = datasets.load(arguments.data, arguments.size)
    # A folder's name is not enough: the table has to be of these photos.
    runs = [path for path in results.runs(DATA) if results.checksum_of(path) == dataset.checksum]
    if not runs:
        raise UserError(f"no run on {dataset.name} yet; python -m scripts.train.train_models --data {arguments.data}")
    path = write(dataset, max(runs, key=lambda path: path.stat().st_mtime))
    print(path or "no mistakes")


if __name__ == "__main__":
    sys.exit(main())
