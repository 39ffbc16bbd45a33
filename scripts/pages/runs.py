"""What the page on the runs on disk says, and on the search for settings."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pandas as pd

from scripts.common.paths import relative
from scripts.common.words import counted
from scripts.pages import page
from scripts.train import photo_results


def said() -> SimpleNamespace:
    found = photo_results.runs()
    if found is None:
        return SimpleNamespace(count=counted(0, "run"), where="")
    return SimpleNamespace(count=counted(len(found.tables[""]), "run"), where=f"on {found.hardware}")


def table() -> None:
    """Every run: when, how it ended, its settings, and its last validation figures."""
    found = photo_results.runs()
    if found is None:
        page.note(
            "No runs yet",
            "Every training of a single network writes a log into `runs/`; `make train DATA=FOLDER` makes the first.",
        )
        return
    table = found.tables[""]
    history = found.tables["-history"]
    seconds = pd.to_numeric(history.get("seconds"), errors="coerce").groupby(history["run"]).sum()
    metrics = {
        "valid_loss": ("Validation loss", "{:.3f}"),
        "error_rate": ("Validation error", "{:.1%}"),
        "valid_accuracy": ("Validation accuracy", "{:.1%}"),
        "test_error_rate": ("Test error", "{:.1%}"),
        "test_accuracy": ("Test accuracy", "{:.1%}"),
    }
    there = [name for name in metrics if name in table and table[name].notna().any()]
    page.table(
        {
            "Run": table["name"],
            "Date (UTC)": table.date,
            "Ended": table.status,
            "Minutes": (table["run"].map(seconds) / 60, "{:.1f}"),
            "Epochs": (table.epochs, "{:.0f}"),
            **{metrics[name][0]: (table[name], metrics[name][1]) for name in there},
            "Settings": [_settings(text) for text in table.settings],
        },
        f"Runs on {found.hardware}, newest first. Minutes: of all epochs, those before an interruption included.",
        label="tbl-runs",
        link=relative(found.paths[""]),
    )


def _settings(text: str) -> str:
    try:
        found = json.loads(text)
    except (ValueError, TypeError):
        return ""
    shown = ("dataset", "size", "batch", "lr", "weights", "train_images", "seed")
    return ", ".join(f"{name} {value}" for name, value in found.items() if name in shown)


def searched() -> bool:
    return bool(photo_results.searches())


def search_table(rows: int = 10) -> None:
    """The best trials of the search that the charts show."""
    found = photo_results.searches()
    if not found:
        page.note("No search yet", "`python -m scripts.train.search` looks for the settings that train best.")
        return
    run = found[0]
    table = run.tables[""]
    best = table.dropna(subset=["accuracy"]).nlargest(rows, "accuracy")
    settings = photo_results.settings(best)
    page.table(
        {
            "Trial": best.trial.astype(int),
            "Accuracy": (best.accuracy, "{:.1%}"),
            "Ended": best.state,
            **{name.replace("_", " "): settings[name] for name in settings},
        },
        f"The best {len(best)} of {counted(len(table), 'trial')} on {run.facts.get('data')}, by validation accuracy.",
        label="tbl-search",
        link=relative(run.paths[""]),
    )
