"""Read what pets_export, train_cnn, search and runs wrote. Needs pandas only, so that charts and pages can import it.

| file in report/data | a row is | read by |
|---|---|---|
| pets-<dataset>-<architecture>-<hardware>.csv | an epoch: losses, error rate | `pets` |
| …-predictions.csv | a photo, by number: split, label, predicted, probability, loss, p_<class> | `pets` |
| cnn-<dataset>-<recipe>[-<photos a class>]-<hardware>.csv | a run: sizes, losses, accuracies | `cnn` |
| …-history.csv | an epoch | `cnn` |
| cnn-summary.csv | a layer of the convnet that runs | `layers` |
| search-<study>-<hardware>.csv | a trial: state, accuracy, epochs, seconds, note, then the settings | `searches` |
| runs-<hardware>.csv, …-history.csv | a run; a run's epoch | `runs` |
| starts-<dataset>-<hardware>.csv | a training from a start with a seed | `starts` |
| demo-<hardware>.csv | the web app under load, as scripts.perf.demo measured it | `loads` |
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from scripts.common.paths import DATA
from scripts.common.provenance import read_sidecar
from scripts.common.tables import read_table
from scripts.common.words import counted

MEASURES = [
    "train_loss",
    "valid_loss",
    "error_rate",
    "valid_accuracy",
    "test_error_rate",
    "test_accuracy",
    "test_loss",
]  # of runs, where told
LEDGER = [
    "trial",
    "state",
    "accuracy",
    "epochs",
    "seconds",
    "note",
]  # of a search's table; the other columns are settings


@dataclass
class Training:
    """One training run: its tables by part ('' is the main one), their paths, and the sidecar of the main one."""

    paths: dict[str, Path]
    tables: dict[str, pd.DataFrame]
    facts: dict

    @property
    def hardware(self) -> str:
        return self.facts["hardware"].get("name", "")

    @property
    def date(self) -> str:
        return str(self.facts.get("date", ""))[:10]

    @property
    def dataset(self) -> str:
        return str(self.facts.get("dataset", ""))

    @property
    def epochs(self) -> int:
        """Epochs of training; a probe before them is none."""
        table = self.tables[""]
        return int((table["phase"] != "probe").sum()) if "phase" in table else len(table)

    @property
    def way(self) -> str:
        """How the model that was kept came about: from scratch, a probe on frozen features, or fine-tuned."""
        if self.facts.get("weights") == "scratch":
            return "from scratch"
        if self.facts.get("kept") != "probe":
            return "fine-tuned"
        stages = self.facts.get("stages", 0)
        return "a probe on frozen features" + (f" and those of {counted(stages, 'stage')} before" if stages else "")

    @property
    def classes(self) -> list[str]:
        return [str(name) for name in self.facts.get("classes", [])]


def _trainings(prefix: str, parts: dict[str, dict], folder: Path | None) -> list[Training]:
    """Every run whose tables are all there, newest first; parts: '' or '-history' … -> arguments of read_table."""
    found = []
    for path in sorted((folder or DATA).glob(f"{prefix}-*.csv")):
        if path.stem.endswith(tuple(part for part in parts if part)) or not path.with_suffix(".json").exists():
            continue
        paths = {part: path.with_name(f"{path.stem}{part}.csv") for part in parts}
        if all(file.exists() for file in paths.values()):
            found.append(
                Training(
                    paths, {part: read_table(paths[part], **how) for part, how in parts.items()}, read_sidecar(path)
                )
            )
    return sorted(found, key=lambda run: str(run.facts.get("date", "")), reverse=True)


def pets(folder: Path | None = None) -> list[Training]:
    """Runs of pets_export on photos, those with most training photos first, of equals the newest."""
    parts = {
        "": {"required": ["phase"], "numeric": ["epoch", "train_loss", "valid_loss", "error_rate", "seconds"]},
        "-predictions": {
            "required": ["split", "label", "predicted"],
            "numeric": ["photo", "probability", "loss"],
            "key": ["photo"],
        },
    }
    return sorted(_trainings("pets", parts, folder), key=lambda run: -run.facts.get("train_images", 0))


def cnn(folder: Path | None = None) -> list[Training]:
    """Runs of train_cnn, those with most training photos first."""
    parts = {
        "": {
            "required": ["recipe"],
            "numeric": [
                "train_images",
                "valid_images",
                "test_images",
                "train_loss",
                "test_loss",
                "train_accuracy",
                "test_accuracy",
                "epochs",
                "batch",
                "lr",
                "size",
                "train_seconds",
            ],
        },
        "-history": {"numeric": ["epoch", "train_loss", "valid_loss", "valid_accuracy", "seconds"]},
    }
    return sorted(
        (run for run in _trainings("cnn", parts, folder)), key=lambda run: -run.tables[""].train_images.iloc[0]
    )


def layers(folder: Path | None = None) -> tuple[pd.DataFrame, dict] | None:
    """(the convnet's layers, its totals), or None where they have not been counted."""
    path = (folder or DATA) / "cnn-summary.csv"
    if not path.exists():
        return None
    return read_table(
        path, required=["stage", "kind", "output"], numeric=["parameters", "output_mb", "mult_adds"]
    ), read_sidecar(path)["totals"]


def searches(folder: Path | None = None) -> list[Training]:
    """Searches, those with most trials first; the settings' columns follow LEDGER."""
    parts = {"": {"required": LEDGER, "numeric": ["trial"], "optional_numeric": ["accuracy", "epochs", "seconds"]}}
    return sorted(_trainings("search", parts, folder), key=lambda run: -len(run.tables[""]))


def settings(table: pd.DataFrame) -> pd.DataFrame:
    """A search's settings alone, as numbers where they are."""
    found = table.drop(columns=LEDGER)
    return found.apply(
        lambda column: (
            pd.to_numeric(column, errors="coerce") if pd.to_numeric(column, errors="coerce").notna().all() else column
        )
    )


def runs(folder: Path | None = None) -> Training | None:
    """The runs of one machine, that which wrote them down last: a row per run, and '-history', a row per run and
    epoch. None where there are none.
    """
    parts = {
        "": {
            "required": ["name", "status", "settings"],
            "numeric": ["minutes", "epochs"],
            "key": ["run"],
            "optional_numeric": MEASURES,
        },
        "-history": {"required": ["name"], "numeric": ["epoch"], "key": ["run", "epoch"], "optional_numeric": MEASURES},
    }
    return next(iter(_trainings("runs", parts, folder)), None)


def starts(folder: Path | None = None) -> list[Training]:
    """The same network from three starts, by dataset, those with most training photos first: a row per start and
    seed.
    """
    numbers = ["seed", "img_size", "epochs", "train_images", "test_images", "accuracy"]
    parts = {"": {"required": ["model", "start"], "numeric": numbers, "key": ["model", "start", "seed"]}}
    return sorted(_trainings("starts", parts, folder), key=lambda run: -run.tables[""].train_images.max())


def loads(folder: Path | None = None) -> list[Training]:
    """The web app under load, newest first: one row each."""
    return _trainings(
        "demo",
        {"": {"numeric": ["start_seconds", "photo_ms", "users", "asked", "answered", "slowest_seconds"]}},
        folder,
    )
