"""The runs of the model zoo that are at hand, for charts and pages: each zoo-<dataset>-<hardware>.csv with its history
and predictions, and which of them to show. Needs pandas only.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from scripts.common import families, hardware
from scripts.common.errors import DataMissing
from scripts.common.provenance import read_sidecar, source
from scripts.common.words import day
from scripts.train import results

DIGITS = "digits"  # the embedded dataset; every other one is photos


class Run:
    """One zoo-<dataset>-<hardware>.csv with its history and sidecar."""

    def __init__(self, path: Path):
        self.path, self.facts = path, read_sidecar(path)
        self.table = results.read(path).dropna(subset=["accuracy"])
        self.slug, self.hardware = path.stem.removeprefix("zoo-").rpartition("-")[::2]
        self.dataset = self.slug.replace("_", " ").replace("-", " ")
        self.name = self.dataset[:1].upper() + self.dataset[1:]
        self.where = self.facts["hardware"].get("name") or hardware.named(self.hardware).name
        self.date = str(self.facts.get("date", ""))[:10]
        self.pictures = int(self.table.train_images.max()) if len(self.table) else 0
        self.networks = int(self.table.model.nunique())
        self.seeds = int(self.table.groupby(["model", "weights"]).seed.nunique().max()) if len(self.table) else 0

    def footer(self) -> str:
        versions = self.facts.get("versions", {})
        torch = f", PyTorch {versions['torch'].split('+')[0]}" if "torch" in versions else ""
        return (
            f"Source: trained by this project on {day(self.date)} · {self.where}{torch} · {self.dataset}, "
            f"{self.pictures:,} training pictures"
        )

    def about(self, *parts: str) -> dict:
        return {
            "sources": [source(self.path if not part else results.part(self.path, part)) for part in ("", *parts)],
            "hardware": self.where,
            "date": self.date,
        }

    def models(self) -> pd.DataFrame:
        """A row per network and weights, means over seeds, best first, with `family`, `kind` and `label`."""
        table = results.summary(self.table).sort_values("accuracy", ascending=False, kind="stable")
        found = [families.lookup(str(arch)) for arch in table.arch]
        return table.assign(
            family=[row.family if row else "" for row in found],
            kind=[row.kind if row else "convnet" for row in found],
            label=[label(row.model, row.weights) for row in table.itertuples()],
        ).reset_index(drop=True)

    def history(self) -> pd.DataFrame:
        """Validation accuracy (percent) and training seconds by epoch, medians over seeds, with `label`."""
        table = results.read(results.part(self.path, "-history")).dropna(subset=["valid_accuracy"])
        if not len(table):
            raise DataMissing(f"{self.path.stem}: no epoch was recorded; run `make train`")
        table = (
            table.groupby(["model", "weights", "epoch"], sort=False)[["valid_accuracy", "elapsed_seconds"]]
            .median()
            .reset_index()
        )
        return table.assign(
            label=[label(row.model, row.weights) for row in table.itertuples()], percent=100 * table.valid_accuracy
        )

    def predictions(self) -> pd.DataFrame:
        """A row per network, seed and test picture (see `results.predictions`), with `network`, the label."""
        path = results.part(self.path, "-predictions")
        if not path.exists():
            raise DataMissing(f"{self.path.stem}: its predictions are not here; run `make train`")
        long = results.predictions(path)
        return long.assign(network=[label(model, weights) for model, weights in zip(long.model, long.weights)])


def label(model: str, weights: str) -> str:
    return model if weights == "scratch" else f"{model}, pretrained"


def all_runs() -> list[Run]:
    """Every run that has a result, the one to show first; `chosen` says how they are ordered."""
    runs = [run for run in map(Run, results.runs()) if len(run.table)]
    most = max((run.networks for run in runs), default=0)
    mine = hardware.present()
    return sorted(
        runs, key=lambda run: (2 * run.networks >= most, run.hardware in mine, run.pictures, run.date), reverse=True
    )


def chosen(which: str = "photos") -> Run:
    """The run that the charts of 'photos' or 'digits' show: this machine's where it trained at least half as many
    networks as any other, of those the one with the most pictures, of equals the newest. Raises DataMissing where there
    is none.
    """
    runs = [run for run in all_runs() if (run.slug == DIGITS) == (which == DIGITS)]
    if not runs:
        raise DataMissing(
            f"nothing trained on {which} yet; run "
            f"`{'make train' if which == DIGITS else 'python -m scripts.train.train_models --data FOLDER'}`"
        )
    return runs[0]
