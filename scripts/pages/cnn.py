"""What the page on the plain convnet says: its layers, its runs and what they cost."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from scripts.common.paths import relative
from scripts.common.words import counted, duration, listing
from scripts.pages import page
from scripts.train import photo_results
from scripts.train.train_cnn import RECIPES, REFERENCE

COMMAND = "python -m scripts.train.train_cnn --data FOLDER"


def sizes() -> SimpleNamespace:
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


def layers() -> None:
    found = photo_results.layers()
    if found is None:
        page.note("Not counted yet", "`python -m scripts.train.train_cnn --summary` counts the layers.")
        return
    table = found[0]
    # a layer that runs again has its parameters already
    parameters = [
        "shared" if row.used_before == "True" and row.kind in ("Conv2d", "BatchNorm2d") else f"{row.parameters:,.0f}"
        for row in table.itertuples()
    ]
    page.table(
        {
            "Stage": table.stage,
            "Layer": table.kind,
            "Output": table.output,
            "Parameters": (parameters, str),
            "Output (MB)": (table.output_mb, "{:.2f}"),
            "Multiply-adds (M)": (table.mult_adds / 1e6, "{:,.1f}"),
        },
        "The layers in the order in which they run, for one photo of 224×224 pixels, as torchinfo counts them. The "
        "last stage runs four times with the same parameters.",
        label="tbl-layers",
        link="report/data/cnn-summary.csv",
    )


def table() -> None:
    """Each run of the convnet beside the reference."""
    found = photo_results.cnn()
    rows = [{**REFERENCE, "run": "reference", "machine": "unknown"}]
    for run in found:
        row = run.tables[""].iloc[0]
        rows.append({**row, "run": f"{row.recipe} recipe, {row['size']:.0f} pixels", "machine": run.hardware})
    shown = pd.DataFrame(rows)
    page.table(
        {
            "Run": shown.run,
            "Photos": (shown.train_images, "{:,.0f}"),
            "Epochs": (shown.epochs, "{:.0f}"),
            "Train loss": (shown.train_loss, "{:.4f}"),
            "Test loss": (shown.test_loss, "{:.4f}"),
            "Train accuracy": (shown.train_accuracy, "{:.1%}"),
            "Test accuracy": (shown.test_accuracy, "{:.1%}"),
            "Machine": shown.machine,
        },
        "The plain convnet here and in its original run. Photos are those learned from; losses are cross-entropies "
        "after training, without augmentation.",
        label="tbl-convnet",
        link=relative(found[0].paths[""]) if found else None,
    )
    if not found:
        page.note("Not trained here yet", f"`{COMMAND}` trains it.")


def said() -> str:
    """What the runs here are, in a sentence or two."""
    found = photo_results.cnn()
    if not found:
        return "It has not been trained here yet."
    rows = [run.tables[""].iloc[0] for run in found]
    photos, epochs = REFERENCE["train_images"] / 8, RECIPES["original"]["epochs"] / 2
    if any(row.train_images >= photos and row.epochs >= epochs for row in rows):
        return ""
    told = dict.fromkeys(
        f"{counted(int(row.epochs), 'epoch')} on {row.train_images:,.0f} photos of {row['size']:.0f} pixels "
        f"({duration(float(row.train_seconds))}, {row.precision})"
        for row in rows
    )
    machines = dict.fromkeys(run.hardware for run in found)
    return (
        f"What was trained here is much less: {listing([*told])}, on {listing([*machines])}. That says nothing about "
        "what the network can reach."
    )
