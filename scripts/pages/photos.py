"""Figures and tables of the pages on cats and dogs, the plain convnet, and the runs on disk.

from scripts.pages import photos
p = photos.pets()                    # p.arch, p.error, … as text for inline code
photos.convnet_table()               # in a cell with `#| output: asis`
"""

from __future__ import annotations

import json
from types import SimpleNamespace

import pandas as pd

from scripts.common.paths import relative
from scripts.common.words import counted, listing, wait
from scripts.demo import limits as app_limits
from scripts.figures import display_zoo
from scripts.figures.drawing import DataMissing
from scripts.pages import page
from scripts.train import photo_results
from scripts.train.train_cnn import RECIPES, REFERENCE

COMMAND = "python -m scripts.train.train_cnn --data FOLDER"


def note(title: str, text: str) -> None:
    print(f"\n::: {{.callout-note}}\n## {title}\n{text}\n:::\n")


def pets() -> SimpleNamespace:
    """What the run of the page is about, as text for sentences; there: whether there is one."""
    found = photo_results.pets()
    if not found:
        return SimpleNamespace(
            there=False,
            arch="no network yet",
            dataset="no photos yet",
            error="n/a",
            valid_error="n/a",
            train="no",
            valid="no",
            test="no",
            epochs="no",
            size="no",
            seconds="no time",
            how="not trained",
            hardware="no machine yet",
            date="no day yet",
        )
    run = found[0]
    facts = run.facts
    return SimpleNamespace(
        there=True,
        arch=facts["arch"],
        dataset=run.dataset,
        error=f"{facts['error_rate']['test']:.1%}",
        valid_error=f"{facts['error_rate']['valid']:.1%}",
        train=f"{facts['train_images']:,}",
        valid=f"{facts['valid_images']:,}",
        test=f"{facts['test_images']:,}",
        epochs=counted(len(run.tables[""]), "epoch"),
        size=str(facts["size"]),
        seconds=wait(1000 * run.tables[""].seconds.sum(), 2),
        how="from scratch" if facts["weights"] == "scratch" else f"fine-tuned from {facts['weights']}",
        hardware=run.hardware,
        date=run.date,
    )


def beside_zoo() -> None:
    """A paragraph on why the zoo's page gives the same network another accuracy on the same photos, where it does."""
    found = photo_results.pets()
    try:
        zoo = display_zoo.chosen("photos")
    except DataMissing:
        return
    if not found or not found[0].facts.get("checksum") or zoo.facts.get("checksum") != found[0].facts["checksum"]:
        return
    facts = found[0].facts
    rows = zoo.table[(zoo.table.arch == facts["arch"]) & (zoo.table.weights == facts["weights"])]
    if not len(rows):
        return
    row = rows.iloc[0]
    words = (
        f"On the same photos {facts['arch']} gets {rows.accuracy.mean():.1%} right there and "
        f"{1 - facts['error_rate']['test']:.1%} here. There it learned from "
        f"{row.train_images:,.0f} of them at {row.img_size:.0f} pixels in {counted(int(row.epochs), 'epoch')}, here "
        f"from {facts['train_images']:,} at {facts['size']} "
        f"pixels in {counted(len(found[0].tables['']), 'epoch')}, and the recipes differ."
    )
    page.markdown(f"[Training our own](/report/zoo.qmd) compares networks. {page.text(words)._repr_markdown_()}")


def pets_table() -> None:
    """Every exported model of photos: what it is and how often it is wrong."""
    found = photo_results.pets()
    if not found:
        note("Nothing trained yet", "`make train DATA=FOLDER` trains a model on the photos in a folder.")
        return
    rows = pd.DataFrame(
        [
            {
                "Architecture": run.facts["arch"],
                "Photos": run.dataset,
                "Weights": run.facts["weights"],
                "Pixels": run.facts["size"],
                "Epochs": len(run.tables[""]),
                "Learned from": run.facts["train_images"],
                "Validation error": run.facts["error_rate"]["valid"],
                "Test error": run.facts["error_rate"]["test"],
                "Time": wait(1000 * run.tables[""].seconds.sum(), 2),
                "Machine": run.hardware,
            }
            for run in found
        ]
    )
    page.table(
        rows,
        "Models trained with fastai. Test photos are looked at once, after training.",
        label="tbl-pets",
        link=relative(found[0].paths[""]),
        formats={"Validation error": "{:.1%}", "Test error": "{:.1%}", "Learned from": "{:,.0f}"},
    )


def limits() -> SimpleNamespace:
    """What the web app lets in, as text."""
    return SimpleNamespace(
        host=app_limits.HOST,
        megabytes=f"{app_limits.MAX_BYTES >> 20} MB",
        megapixels=f"{app_limits.MAX_PIXELS / 1e6:.0f} megapixels",
    )


def load_said() -> str:
    """How quick the app was where it was measured, in a sentence or two; '' where it was not."""
    found = photo_results.loads()
    if not found:
        return ""
    row = found[0].tables[""].iloc[0]
    return (
        f"On {found[0].hardware} it starts in {row.start_seconds:.1f} seconds, and a photo is answered "
        f"{row.photo_ms:.0f} milliseconds after it was uploaded "
        f"({row.arch} at {float(row.img_size):.0f} pixels). With {row.users:.0f} people at once, {row.answered:.0f} "
        f"of {row.asked:.0f} photos got their answer, the last "
        f"after {row.slowest_seconds:.1f} seconds."
    )


def convnet_sizes() -> SimpleNamespace:
    """The convnet's totals as torchinfo counts them, as text."""
    found, recipe = photo_results.layers(), RECIPES["original"]
    known = {
        "reference_photos": f"{REFERENCE['train_images']:,}",
        "rate": f"{recipe['lr']:g}",
        "batch": str(recipe["batch"]),
        "epochs": counted(recipe["epochs"], "epoch"),
    }
    if found is None:
        return SimpleNamespace(**known, parameters="n/a", mult_adds="n/a", forward="n/a", total="n/a")
    totals = found[1]
    return SimpleNamespace(
        **known,
        parameters=f"{totals['parameters']:,}",
        mult_adds=f"{totals['mult_adds'] / 1e9:.2f} G",
        forward=f"{totals['forward_backward_mb']:.2f} MB",
        total=f"{totals['total_mb']:.2f} MB",
    )


def convnet_layers() -> None:
    found = photo_results.layers()
    if found is None:
        note("Not counted yet", "`python -m scripts.train.train_cnn --summary` counts the layers.")
        return
    table = found[0]
    shown = pd.DataFrame(
        {
            "Stage": table.stage,
            "Layer": table.kind,
            "Output": table.output,
            "Parameters": table.parameters,
            "Output (MB)": table.output_mb,
            "Multiply-adds (M)": table.mult_adds / 1e6,
        }
    )
    shown["Parameters"] = [
        page.Html("shared") if used == "True" and kind in ("Conv2d", "BatchNorm2d") else value
        for used, value, kind in zip(table.used_before, [f"{value:,.0f}" for value in table.parameters], table.kind)
    ]
    page.table(
        shown,
        "The layers in the order in which they run, for one photo of 224×224 pixels, as torchinfo counts them. The "
        "last stage runs four times "
        "with the same parameters.",
        label="tbl-layers",
        link="report/data/cnn-summary.csv",
        formats={"Parameters": str, "Output (MB)": "{:.2f}", "Multiply-adds (M)": "{:,.1f}"},
    )


def convnet_table() -> None:
    """Each run of the convnet beside the reference."""
    rows = [
        {
            "Run": "reference",
            "Photos": REFERENCE["train_images"],
            "Epochs": REFERENCE["epochs"],
            "Train loss": REFERENCE["train_loss"],
            "Test loss": REFERENCE["test_loss"],
            "Train accuracy": REFERENCE["train_accuracy"],
            "Test accuracy": REFERENCE["test_accuracy"],
            "Machine": "unknown",
        }
    ]
    found = photo_results.cnn()
    for run in found:
        row = run.tables[""].iloc[0]
        rows.append(
            {
                "Run": f"{row.recipe} recipe, {row['size']:.0f} pixels",
                "Photos": row.train_images,
                "Epochs": row.epochs,
                "Train loss": row.train_loss,
                "Test loss": row.test_loss,
                "Train accuracy": row.train_accuracy,
                "Test accuracy": row.test_accuracy,
                "Machine": run.hardware,
            }
        )
    page.table(
        pd.DataFrame(rows),
        "The plain convnet here and in its original run. Photos are those learned from; losses are cross-entropies "
        "after training, "
        "without augmentation.",
        label="tbl-convnet",
        link=relative(found[0].paths[""]) if found else None,
        formats={
            "Train accuracy": "{:.1%}",
            "Test accuracy": "{:.1%}",
            "Train loss": "{:.4f}",
            "Test loss": "{:.4f}",
            "Photos": "{:,.0f}",
            "Epochs": "{:.0f}",
        },
    )
    if not found:
        note("Not trained here yet", f"`{COMMAND}` trains it.")


def convnet_said() -> str:
    """What the runs here are, in a sentence or two."""
    found = photo_results.cnn()
    if not found:
        return "It has not been trained here yet."
    rows = [run.tables[""].iloc[0] for run in found]
    few = [
        row
        for row in rows
        if row.train_images < REFERENCE["train_images"] / 8 or row.epochs < RECIPES["original"]["epochs"] / 2
    ]
    if len(few) < len(rows):
        return ""
    runs = listing(
        list(
            dict.fromkeys(
                f"{counted(int(row.epochs), 'epoch')} on {row.train_images:,.0f} photos of {row['size']:.0f} pixels"
                for row in rows
            )
        )
    )
    return (
        f"What was trained here only shows that it runs: {runs}, on "
        f"{listing(list(dict.fromkeys(run.hardware for run in found)))}. "
        "That says nothing about what the network can reach."
    )


def runs_said() -> SimpleNamespace:
    found = photo_results.runs()
    number = 0 if found is None else len(found.tables[""])
    return SimpleNamespace(
        count=counted(number, "run"),
        are="is" if number == 1 else "are",
        where="" if found is None else f"on {found.hardware}",
    )


def runs_table() -> None:
    """Every run: when, how it ended, its settings, and its last validation figures."""
    found = photo_results.runs()
    if found is None:
        note(
            "No runs yet",
            "Every training of a single network writes a log into `runs/`; `make train DATA=FOLDER` makes the first.",
        )
        return
    table = found.tables[""]
    names = {
        "valid_loss": "Validation loss",
        "error_rate": "Validation error",
        "valid_accuracy": "Validation accuracy",
        "test_error_rate": "Test error",
        "test_accuracy": "Test accuracy",
    }
    metrics = [name for name in names if name in table and table[name].notna().any()]
    shown = pd.DataFrame(
        {
            "Run": table["name"],
            "Date (UTC)": table.date,
            "Ended": table.status,
            "Minutes": table.minutes,
            "Epochs": table.epochs,
            **{names[name]: table[name] for name in metrics},
            "Settings": [_settings(text) for text in table.settings],
        }
    )
    page.table(
        shown,
        f"Runs on {found.hardware}, newest first.",
        label="tbl-runs",
        link=relative(found.paths[""]),
        formats={
            "Minutes": "{:.1f}",
            "Epochs": "{:.0f}",
            "Validation loss": "{:.3f}",
            **{names[name]: "{:.1%}" for name in metrics if name != "valid_loss"},
        },
    )


def _settings(text: str) -> str:
    try:
        found = json.loads(text)
    except (ValueError, TypeError):
        return ""
    return ", ".join(
        f"{name} {value}"
        for name, value in found.items()
        if name in ("dataset", "size", "batch", "lr", "weights", "train_images", "seed")
    )


def searched() -> bool:
    return bool(photo_results.searches())


def search_table(rows: int = 10) -> None:
    """The best trials of the search that the charts show."""
    found = photo_results.searches()
    if not found:
        note("No search yet", "`python -m scripts.train.search` looks for the settings that train best.")
        return
    run = found[0]
    table = run.tables[""]
    best = table.dropna(subset=["accuracy"]).nlargest(rows, "accuracy")
    settings = photo_results.settings(best)
    shown = pd.DataFrame(
        {
            "Trial": best.trial.astype(int),
            "Accuracy": best.accuracy,
            "Ended": best.state,
            **{name.replace("_", " "): settings[name] for name in settings},
        }
    )
    page.table(
        shown,
        f"The best {len(shown)} of {counted(len(table), 'trial')} on {run.facts.get('data')}, by validation accuracy.",
        label="tbl-search",
        link=relative(run.paths[""]),
        formats={"Accuracy": "{:.1%}"},
    )
