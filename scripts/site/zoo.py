"""The training page's figures, from the run that its charts show.

    from scripts.site import zoo
    z = zoo.about()                      # z.dataset, z.hardware, z.date, … for inline code
    zoo.table()                          # in a cell with `#| output: asis`
"""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from scripts.common.paths import relative
from scripts.figures import display_zoo
from scripts.figures.drawing import DataMissing
from scripts.site import page

UNKNOWN = {"dataset": "no dataset yet", "hardware": "no machine yet", "date": "no day yet", "networks": "no", "train_images": "no", "test_images": "no",
           "epochs": "no", "best": "none", "best_accuracy": "n/a", "seeds": "no"}


def about() -> SimpleNamespace:
    """What the run is about, as text for sentences; says so where nothing was trained."""
    try:
        run = display_zoo.main_run()
    except DataMissing:
        return SimpleNamespace(**UNKNOWN)
    rows = run.table
    best = run.models().iloc[0]
    return SimpleNamespace(dataset=run.name, hardware=run.where, date=run.date, networks=f"{rows.model.nunique()}", seeds=f"{rows.seed.nunique()}",
                           train_images=f"{rows.train_images.max():,.0f}", test_images=f"{rows.test_images.max():,.0f}",
                           epochs=" to ".join(f"{value:.0f}" for value in sorted({rows.epochs.min(), rows.epochs.max()})), best=best.model,
                           best_accuracy=f"{100 * best.accuracy:.1f}%")


def table() -> None:
    """Every network's result, best first: accuracy with its 95% interval, log loss, calibration, time."""
    try:
        run = display_zoo.main_run()
    except DataMissing:
        print("\n::: {.callout-note}\n## Nothing trained yet\n`make train` trains the networks on this machine.\n:::\n")
        return
    rows = run.models()
    shown = pd.DataFrame({
        "Network": rows.model, "Weights": rows.weights, "Parameters (M)": rows.param_count, "Accuracy (%)": 100 * rows.accuracy,
        "95% interval": [f"{100 * low:.1f} to {100 * high:.1f}" for low, high in zip(rows.accuracy_low, rows.accuracy_high)],
        "Log loss": rows.log_loss, "ECE": rows.ece, "Seconds/epoch": rows.seconds_per_epoch, "Epochs": rows.epochs.astype(int)})
    page.table(shown, f"{run.name}: {rows.test_images.max():,.0f} test pictures, never seen in training. ECE is the expected calibration error.",
               label="tbl-zoo", link=relative(run.path),
               formats={"Parameters (M)": "{:.2f}", "Accuracy (%)": "{:.1f}", "Log loss": "{:.3f}", "ECE": "{:.3f}", "Seconds/epoch": "{:.1f}"})
