"""What training our own networks showed: how good each became, how it learned, how long it took, how fast it is
afterwards.

zoo_accuracy: test accuracy of every network with its 95% interval. zoo_curves: validation accuracy by epoch. zoo_time
and zoo_speed: test accuracy against the seconds of training and against images per second afterwards. Each for photos,
and as zoo_digits_… for scikit-learn's digits; `train.zoo_runs.chosen` says which run. What the networks get wrong is
drawn by display_zoo_mistakes.

    python -m scripts.figures.export --only zoo_accuracy zoo_curves zoo_time zoo_speed
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from scripts.common import families
from scripts.common.errors import DataMissing
from scripts.common.words import counted, listing, plain, short, wait
from scripts.figures import list_chart
from scripts.figures.drawing import Drawing
from scripts.figures.labels import safe
from scripts.figures.theme import (
    CONTEXT,
    PAPER,
    PERCENT,
    Axis,
    Canvas,
    Head,
    Size,
    bars,
    beside,
    both,
    frontier,
    nice_range,
    text_colour,
)
from scripts.train.zoo_runs import Run, chosen

NAMED = 7  # networks, each of another colour


def draw_accuracy(which: str = "photos") -> Drawing:
    run = chosen(which)
    table = run.models()
    best, worst = table.iloc[0], table.iloc[-1]
    scratch = table[table.weights == "scratch"]
    title = f"{run.name}: {best.label} is right on {100 * best.accuracy:.1f}% of the test pictures"
    if best.weights != "scratch" and len(scratch):
        title += f"; from scratch {scratch.iloc[0].model} leads with {100 * scratch.iloc[0].accuracy:.1f}%"
    tests = int(run.table.test_images.max())
    rows = table.assign(value=100 * table.accuracy, low=100 * table.accuracy_low, high=100 * table.accuracy_high)
    rows["details"] = [
        f"{row.value:.2f}%, interval {row.low:.2f} to {row.high:.2f}%<br>{plain(row.param_count)} M parameters"
        f"{_after(row.train_seconds, ' of training')}"
        for row in rows.itertuples()
    ]
    axis = Axis.around("accuracy", rows.value, rows.low, rows.high, before=0.05, after=0.05, write=PERCENT)
    subtitle = f"Accuracy on {tests:,} test pictures, with the 95% interval{_means(run)}"
    return Drawing(
        **both(list_chart.draw, rows, axis, title, subtitle, run.footer()),
        title=title,
        data=table,
        alt=f"List of {counted(len(table), 'trained network')} by accuracy on {tests:,} test pictures, each with its "
        f"95% interval; best {best.label} ({100 * best.accuracy:.1f}%)"
        + (f", last {worst.label} ({100 * worst.accuracy:.1f}%)." if len(table) > 1 else "."),
        caption=f"Test accuracy of {counted(len(table), 'network')} trained on {run.pictures:,} pictures of "
        f"{run.dataset}; "
        + (
            f"the lines are 95% bootstrap intervals. Networks whose lines overlap are hardly told apart by {tests:,} "
            "pictures."
            if len(table) > 1
            else "the line is the 95% bootstrap interval."
        ),
        **run.about(),
    )


def draw_curves(which: str = "photos") -> Drawing:
    run = chosen(which)
    models, history = run.models(), run.history()
    ends = history.groupby("label", sort=False).last()
    halfway = max(1, int(history.epoch.max()) // 2)
    early = history[history.epoch == halfway].set_index("label").percent
    alone = len(ends) == 1
    equal = int((ends.percent > ends.percent.max() - 0.05).sum())  # as the caption shows them
    ended = (
        f"{ends.percent.idxmax()} ends {'' if alone else 'highest, '}" if equal == 1 else f"{equal} networks end level "
    )
    title = f"{run.name}: {ended}at {ends.percent.max():.0f}%"
    if early.idxmax() != ends.percent.idxmax():
        title += f"; after {counted(halfway, 'epoch')} {early.idxmax()} led with {early.max():.0f}%"
    named = "" if alone else "; the best of each family by name"
    head = title, f"Accuracy on validation pictures by epoch{named}{_means(run, 'medians')}", run.footer()
    best = listing([f"{name} ({percent:.1f}%)" for name, percent in ends.percent.nlargest(3).items()])
    return Drawing(
        **both(curves_chart, models, history, head),
        title=title,
        data=history,
        alt=f"Line chart of {counted(ends.shape[0], 'network')}: accuracy on validation pictures by epoch of "
        f"training. {'At the end' if alone else 'Highest at the end'}: {best}.",
        caption=f"How {counted(ends.shape[0], 'network')} learned {run.dataset}. "
        f"{'At the end' if alone else 'Highest at the end'}: {best}.",
        **run.about("-history"),
    )


def strongest(models: pd.DataFrame, number: int) -> pd.DataFrame:
    """The best network of each colour, and the best of all the grey ones."""
    colour = models.family.map(families.colour)
    return models[~colour.duplicated()].head(number)


def curves_chart(models: pd.DataFrame, history: pd.DataFrame, head: Head, size: Size) -> Canvas:
    """A line per network; the best of each family by name and in colour, the others pale."""
    lines = dict(iter(history.groupby("label", sort=False)))
    models = models[models.label.isin(lines)]
    chosen = set(strongest(models, NAMED).label)
    y = Axis.around("", history.percent, after=0.05, write=PERCENT)
    x = Axis.around("epoch", history.epoch, before=0.02, after=0.01, whole=True)
    canvas = Canvas(size, *head, x, y, right=beside(chosen, size, air=32))
    ends = []
    for row in sorted(models.itertuples(), key=lambda row: row.label in chosen):  # the named ones on top
        line, strong = lines[row.label], row.label in chosen
        colour = families.colour(row.family) if strong else CONTEXT[0]
        texts = [
            f"<b>{safe(row.label, 80)}</b><br>epoch {int(point.epoch)}{_after(point.elapsed_seconds)}: "
            f"{point.percent:.2f}%"
            for point in line.itertuples()
        ]
        dash = "solid" if row.weights == "scratch" else "dash"
        canvas.marks(
            line.epoch,
            line.percent,
            texts,
            {"color": colour, "size": 9},
            mode="lines" if len(line) > 1 else "markers",
            name=safe(row.label),
            line={"color": colour, "width": 2.4 if strong else 1.4, "dash": dash},
        )
        if strong:
            last = line.iloc[-1]
            ends.append((float(last.epoch), float(last.percent), row.label, {"colour": text_colour(row.family)}))
    canvas.label_ends(ends)
    return canvas


def _means(run: Run, what: str = "means") -> str:
    return f"; {what} where a network has several seeds" if run.seeds > 1 else ""


def _after(seconds: float, what: str = "") -> str:
    """The time, where it was measured."""
    return f", {wait(1000 * seconds)}{what}" if seconds == seconds else ""


def draw_time(which: str = "photos") -> Drawing:
    """Accuracy against seconds of training; less is to the right."""
    run = chosen(which)
    table = priced(run, "train_seconds").assign(speed=lambda table: -table.train_seconds)
    edge = frontier(table, "speed", "percent")
    quick, best = edge.iloc[-1], edge.iloc[0]
    title = f"{run.name}: {quick.percent:.0f}% takes {wait(1000 * quick.train_seconds, 2)} of training ({quick.label})"
    if len(edge) > 1:
        title += f", {best.percent:.0f}% takes {wait(1000 * best.train_seconds, 2)} ({best.label})"
    subtitle = (
        "Test accuracy against seconds of training (log scale, less to the right); the line is the best accuracy in "
        "that time or less"
    )
    most, least = reversed(nice_range(table.train_seconds, log=True, before=0.09, after=0.04))
    axis = Axis("seconds of training (log scale)", most, least, log=True, write=lambda seconds: f"{short(seconds)} s")
    told = lambda row: f"{wait(1000 * row.train_seconds)} of training"
    return Drawing(
        **both(price_chart, table, edge, "train_seconds", axis, told, (title, subtitle, run.footer())),
        title=title,
        data=table.drop(columns="speed").assign(on_frontier=table.index.isin(edge.index)),
        alt=f"Scatter chart of {counted(len(table), 'trained network')}: seconds of training on a log axis, less to "
        f"the right, against test accuracy. {counted(len(edge), 'network')} {'is' if len(edge) == 1 else 'are'} on the "
        f"frontier, from {best.label} ({best.percent:.1f}% in {wait(1000 * best.train_seconds, 2)}) to {quick.label} "
        f"({quick.percent:.1f}% in {wait(1000 * quick.train_seconds, 2)}).",
        caption=f"What the time buys: test accuracy on {run.dataset} against the seconds of training on {run.where}. "
        "The thin lines are 95% intervals.",
        **run.about(),
    )


def draw_speed(which: str = "photos") -> Drawing:
    """Accuracy against images per second when the trained network predicts, on the machine that trained it."""
    run = chosen(which)
    table = priced(run, "infer_images_per_sec")
    edge = frontier(table, "infer_images_per_sec", "percent")
    fast, best = edge.iloc[-1], edge.iloc[0]
    per_second = lambda row: f"{plain(row.infer_images_per_sec, 2)} images/s"
    title = f"{run.name}: {best.label} predicts best ({best.percent:.1f}%), {per_second(best)}"
    if len(edge) > 1:
        title += f"; {fast.label} is fastest, {per_second(fast)} and {fast.percent:.1f}%"
    subtitle = (
        "Test accuracy against images per second when predicting (log scale); the line is the best accuracy at that "
        "speed or faster"
    )
    axis = Axis.around(
        "images per second, preprocessing included (log scale)", table.infer_images_per_sec, log=True, after=0.09
    )
    return Drawing(
        **both(price_chart, table, edge, "infer_images_per_sec", axis, per_second, (title, subtitle, run.footer())),
        title=title,
        data=table.assign(on_frontier=table.index.isin(edge.index)),
        alt=f"Scatter chart of {counted(len(table), 'trained network')}: images per second on a log axis against test "
        f"accuracy. {counted(len(edge), 'network')} {'is' if len(edge) == 1 else 'are'} on the frontier, from "
        f"{best.label} ({best.percent:.1f}%, {per_second(best)}) to {fast.label} ({fast.percent:.1f}%, "
        f"{per_second(fast)}).",
        caption=f"The same networks once they are trained: test accuracy on {run.dataset} against the speed of "
        f"predicting it on {run.where}, in batches.",
        **run.about(),
    )


def priced(run: Run, column: str) -> pd.DataFrame:
    """The networks for which `column` is known, with `percent`. Raises DataMissing for fewer than two: one alone is
    no choice.
    """
    table = run.models()
    known = table[column] > 0 if column in table else pd.Series(False, table.index)
    if known.sum() < 2:
        raise DataMissing(
            f"{run.path.stem}: times of {counted(int(known.sum()), 'network')}, a comparison needs two; run `make "
            "train`"
        )
    return table[known].assign(percent=lambda table: 100 * table.accuracy).reset_index(drop=True)


def price_chart(
    table: pd.DataFrame,
    edge: pd.DataFrame,
    column: str,
    x: Axis,
    told: Callable[[Any], str],
    head: Head,
    size: Size,
) -> Canvas:
    """Accuracy with its interval against `column`, better to the right; filled marks are on the frontier.
    told(row): the price in words.
    """
    low, high = (100 * table[f"accuracy_{end}"].fillna(table.accuracy) for end in ("low", "high"))
    canvas = Canvas(size, *head, x, Axis.around("", low, high, before=0.03, after=0.06, write=PERCENT))
    segments = canvas.step(edge, column, "percent")
    for row, a, b in zip(table.itertuples(), low, high):
        there, price = row.Index in edge.index, getattr(row, column)
        colour, form = families.colour(row.family), "" if there else "-open"
        rim = {"width": 1, "color": PAPER[0]} if there else {"width": 2, "color": colour}
        symbol = families.SYMBOLS[row.kind] + form
        canvas.marks(
            [price],
            [row.percent],
            [f"<b>{safe(row.label, 80)}</b><br>{row.percent:.2f}%, interval {a:.2f} to {b:.2f}%<br>{told(row)}"],
            {"size": 10 if there else 8, "color": colour, "symbol": symbol, "line": rim},
            name=safe(row.label),
            error_y=bars([b - row.percent], [row.percent - a]),
        )
    reach = canvas.segments(table[column], low, table[column], high)
    named = pd.concat([edge, table.drop(edge.index)])
    canvas.label(
        [
            (
                getattr(row, column),
                row.percent,
                row.label,
                {"style": "Semibold", "radius": 7, "colour": text_colour(row.family)},
            )
            for row in named.itertuples()
        ],
        canvas.pixels(table[column], table.percent),
        np.vstack([segments, reach]),
    )
    return canvas
