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


def table() -> None:
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
        page.note("Not trained here yet", f"`{COMMAND}` trains it.")


def said() -> str:
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
                f"{counted(int(row.epochs), 'epoch')} on {row.train_images:,.0f} photos of {row['size']:.0f} pixels "
                f"({duration(float(row.train_seconds))}, {row.precision})"
                for row in rows
            )
        )
    )
    return (
        f"What was trained here is much less: {runs}, on "
        f"{listing(list(dict.fromkeys(run.hardware for run in found)))}. "
        "That says nothing about what the network can reach."
    )
