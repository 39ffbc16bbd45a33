"""The training page's tables and sentences, from the runs that its charts show: 'photos' or 'digits' (see
zoo_runs.chosen).

from scripts.pages import zoo
    z = zoo.about("photos")              # z.dataset, z.hardware, … for inline code
    zoo.quality("photos")                # in a cell with `#| output: asis`
"""

from __future__ import annotations

import base64
from types import SimpleNamespace

import numpy as np
import pandas as pd

from scripts.common.errors import DataMissing, UserError
from scripts.common.paths import CHARTS, relative
from scripts.common.tables import read_table
from scripts.common.words import counted, listing
from scripts.figures import display_zoo
from scripts.pages import glossary, page
from scripts.train import results, zoo_runs

NOTHING = ("Nothing trained yet", "`make train` trains the networks on this machine.")
NOTES = 6  # reasons listed below a table; the rest stands in the CSV
UNKNOWN = {
    "there": False,
    "dataset": "no dataset yet",
    "hardware": "no machine yet",
    "networks": "no network",
    "train_images": "no",
    "test_images": "no",
    "epochs": "no",
    "best": "none",
    "best_accuracy": "n/a",
    "seeds": "no seed",
    "close": "",
    "pixels": "no",
    "leader": "none",
}
ALIKE = {
    "img_size": "{} pixels",
    "epochs": "{} epochs",
    "batch": "batches of {}",
    "lr": "a learning rate of {}",
    "precision": "{} arithmetic",
    "recipe": "the recipe {}",
}


def about(which: str) -> SimpleNamespace:
    """What the run is about, as text for sentences; says so where nothing was trained."""
    try:
        run = zoo_runs.chosen(which)
    except DataMissing:
        return SimpleNamespace(**UNKNOWN)
    rows, models = run.table, run.models()
    best = models.iloc[0]
    level, seeds = len(near(models)), counted(run.seeds, "seed")
    leader = f"{best.model} ({seeds})"
    if run.networks > 1:
        rest = f"level with {level} of the other {run.networks - 1}"
        leader = f"{best.model}, {rest if level else f'the best of {run.networks} networks'} ({seeds}),"
    span = lambda values: " to ".join(f"{value:.0f}" for value in sorted({values.min(), values.max()}))
    return SimpleNamespace(
        there=True,
        dataset=run.dataset,
        hardware=run.where,
        networks=counted(run.networks, "network"),
        seeds=seeds,
        train_images=f"{rows.train_images.max():,.0f}",
        test_images=f"{rows.test_images.max():,.0f}",
        epochs=span(rows.epochs),
        pixels=span(rows.img_size),
        best=best.model,
        best_accuracy=f"{100 * best.accuracy:.1f}%",
        close=close(models),
        leader=leader,
    )


def exceptions() -> str:
    """What was not the same for all networks of a run, in a sentence for each run that the page shows; '' where all of
    it was."""
    said = []
    for which in ("photos", zoo_runs.DIGITS):
        try:
            run = zoo_runs.chosen(which)
        except DataMissing:
            continue
        rows, apart = run.table.drop_duplicates(["model", "weights", *ALIKE]), []
        for name, words in ALIKE.items():
            usual = rows[name].mode().iloc[0]
            apart += [
                f"{words.format(value)} instead of {usual} for {listing(sorted({*found.model}))}"
                for value, found in rows[rows[name] != usual].groupby(name)
            ]
        if apart:
            said.append(f"Exceptions with {run.dataset}: {'; '.join(apart)}.")
    return " ".join(said)


def close(models: pd.DataFrame) -> str:
    """A sentence on the networks whose interval reaches into that of the best one."""
    level = len(near(models))
    if not level:
        return "" if len(models) < 2 else "No other network’s interval reaches into its own."
    return (
        f"{counted(level, 'other network')} {'has an interval' if level == 1 else 'have intervals'} that "
        f"{'reaches' if level == 1 else 'reach'} into its own, so these pictures do not tell them apart."
    )


def near(models: pd.DataFrame) -> pd.DataFrame:
    """Of the networks, best first, those whose interval reaches into that of the best one."""
    return models.iloc[1:][models.iloc[1:].accuracy_high >= models.iloc[0].accuracy_low]


def _run(which: str) -> zoo_runs.Run | None:
    try:
        return zoo_runs.chosen(which)
    except DataMissing:
        if which == zoo_runs.DIGITS:
            page.note(*NOTHING)
        else:
            page.note(
                "No photos trained yet",
                "`python -m scripts.train.train_models --data FOLDER` trains the networks on the photos in a folder.",
            )
        return None


def _with_interval(rows: pd.DataFrame, name: str, scale: float = 1, digits: int = 3) -> tuple[list, type]:
    """Values with their intervals below them, as a table's column; None where a value is n/a."""

    def one(value: float, low: float, high: float):
        if not np.isfinite(value):
            return None
        within = f'<br><small class="text-nowrap">({scale * low:.{digits}f}–{scale * high:.{digits}f})</small>'
        return page.Html(f"{scale * value:.{digits}f}{within if np.isfinite([low, high]).all() else ''}")

    ends = rows.reindex(columns=[name, f"{name}_low", f"{name}_high"])
    return [one(*values) for values in ends.itertuples(index=False)], str


def quality(which: str) -> None:
    """Every network's metrics on the test pictures with their 95% intervals, best first."""
    run = _run(which)
    if run is None:
        return
    rows = run.models()
    over, seeds = {}, ""
    if run.seeds > 1:
        spread = zip(rows.accuracy_sd, rows.seeds)
        over["Over seeds"] = [f"± {100 * sd:.1f} ({count})" if count > 1 else "one seed" for sd, count in spread]
        seeds = ", means over seeds; Over seeds: standard deviation of the accuracy and how many seeds"
    page.table(
        {
            "Network": rows.label,
            "Accuracy (%)": _with_interval(rows, "accuracy", 100, 1),
            **over,
            "Precision": _with_interval(rows, "precision_macro"),
            "Recall": _with_interval(rows, "recall_macro"),
            "F1": _with_interval(rows, "f1_macro"),
            "ROC AUC": _with_interval(rows, "roc_auc"),
            "Log loss": _with_interval(rows, "log_loss"),
            "ECE": _with_interval(rows, "ece"),
        },
        f"{run.name}: metrics on {rows.test_images.max():,.0f} test pictures, never seen in training, with 95% "
        f"bootstrap intervals{seeds}. Precision, recall and "
        "F1 are means over the classes; ECE is the expected calibration error.",
        label=f"tbl-zoo-{which}",
        link=relative(run.path),
    )
    page.markdown(
        "What the columns mean: "
        f"{glossary.links('precision', 'recall', 'f1', 'roc-auc', 'log-loss', 'ece', 'bootstrap', 'seed', 'epoch')}."
    )
    reasons = run.table[run.table.note.astype(str) != ""] if "note" in run.table else run.table.head(0)
    if len(reasons):
        lines = []
        for note, rows in reasons.assign(note=reasons.note.str.split("; ")).explode("note").groupby("note", sort=False):
            who = [f"{zoo_runs.label(row.model, row.weights)}, seed {int(row.seed)}" for row in rows.itertuples()]
            who = ["all networks"] if len(rows) == len(run.table) else who
            lines.append(f"<li>{page.escaped('; '.join(who))}: {page.escaped(note)}</li>")
        page.html(
            f'<ul class="notes">{"".join(lines[:NOTES])}</ul>'
            + (f"<p>{len(lines) - NOTES} more notes stand in the CSV.</p>" if len(lines) > NOTES else "")
        )


def cost(which: str) -> None:
    """What every network cost: charts of training time and of the speed of predicting, where there are two networks to
    compare, and a table of all."""
    run = _run(which)
    if run is None:
        return
    for column, name in (("train_seconds", "time"), ("infer_images_per_sec", "speed")):
        try:
            display_zoo.priced(run, column)
        except DataMissing:
            continue
        page.chart(f"zoo_digits_{name}" if which == zoo_runs.DIGITS else f"zoo_{name}")
    rows = run.models().sort_values("train_seconds", na_position="last")
    target = f"To {100 * rows.target_accuracy.max():.0f}% (s)"
    timed = rows.train_seconds.notna().any()
    rows = rows if timed else rows.sort_values("param_count")
    times = {
        "Epoch (s)": (rows.seconds_per_epoch, "{:.2f}"),
        "Training (s)": (rows.train_seconds, "{:,.1f}"),
        target: (rows.seconds_to_target, "{:,.1f}"),
        "Predicting (images/s)": (rows.infer_images_per_sec, "{:,.0f}"),
    }
    page.table(
        {
            "Network": rows.label,
            "Parameters (M)": (rows.param_count, "{:.2f}"),
            "Pixels": (rows.img_size, "{:.0f}"),
            "Epochs": (rows.epochs, "{:.0f}"),
            **(times if timed else {}),
            "Memory (MB)": (rows.peak_memory_mb, "{:,.0f}"),
        },
        f"{run.name}: what each network cost on {run.where}, "
        + (
            f"the quickest first. {target[:-4]}: seconds of training until that accuracy on the validation pictures."
            if timed
            else "the smallest first. No times: other programs used the machine."
        ),
        label=f"tbl-zoo-cost-{which}",
        link=relative(run.path),
    )


def classes(which: str) -> None:
    """Precision, recall and F1 of the best network by class."""
    run = _run(which)
    if run is None:
        return
    best = run.models().iloc[0]
    path = results.part(run.path, "-classes")
    table = results.read(path)
    table = table[(table.model == best.model) & (table.weights == best.weights)].drop(columns=["seed"])
    rows = table.groupby("class", sort=False).mean(numeric_only=True).reset_index()
    page.table(
        {
            "Class": rows["class"],
            "Precision": _with_interval(rows, "precision"),
            "Recall": _with_interval(rows, "recall"),
            "F1": _with_interval(rows, "f1"),
            "Test pictures": rows.images.astype(int),
        },
        f"{run.name}: {best.label} by class, with 95% bootstrap intervals. Precision: of what it calls so; recall: "
        "of what is so.",
        label=f"tbl-zoo-classes-{which}",
        link=relative(path),
    )


def runs() -> None:
    """Every run there is: dataset, machine, how many networks, the best."""
    found = zoo_runs.all_runs()
    if not found:
        page.note(*NOTHING)
        return
    found.sort(key=lambda run: (run.dataset, run.where))
    best = [run.models().iloc[0] for run in found]
    page.table(
        {
            "Dataset": [run.dataset for run in found],
            "Machine": [run.where for run in found],
            "Networks": [run.networks for run in found],
            "Seeds": [run.seeds for run in found],
            "Best": [one.label for one in best],
            "Accuracy (%)": ([100 * one.accuracy for one in best], "{:.1f}"),
            "Day": [run.date for run in found],
            "Data": [page.data_link(relative(run.path), "CSV") for run in found],
        },
        "All runs that this report knows, each with its own table. The charts show, for each dataset, this machine’s "
        "run where it has one of comparable size.",
        label="tbl-zoo-runs",
    )


def mistakes() -> None:
    """The photos that most networks got wrong: the reader's own, from charts/, inside the page. Photos are never part
    of the project."""
    run = _run("photos")
    if run is None:
        return
    picture = CHARTS / f"mistakes-{run.slug}.jpg"
    try:
        table = read_table(
            picture.with_suffix(".csv"), required=["label", "predicted"], numeric=["confidence", "wrong", "runs"]
        )
        data = base64.b64encode(picture.read_bytes()).decode()
    except (UserError, OSError):
        page.note(
            "Photos are the reader’s own",
            "This project holds none. After `python -m scripts.train.train_models --data FOLDER` the photos that "
            "most networks got wrong stand here.",
        )
        return
    said = "; ".join(
        f"{row.label} taken for {row.predicted} ({row.confidence:.0%} sure, {row.wrong:.0f} of {row.runs:.0f} wrong)"
        for row in table.itertuples()
    )
    caption = (
        f"The photos of {run.dataset} that most networks got wrong, row by row, with the surest wrong answer: {said}."
    )
    page.html(
        f'<figure><img class="img-fluid" src="data:image/jpeg;base64,{data}" '
        f'alt="{len(table)} photos in a grid, named in the caption">'
        f"<figcaption>{page.escaped(caption)}</figcaption></figure>"
    )
