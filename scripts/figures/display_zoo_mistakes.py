"""What our own networks get wrong: what is taken for what, how the choice could be traded, how far their confidence can
be believed.

zoo_confusion: confusion matrices of the best network of each family. zoo_roc: ROC curves, one class against the rest.
zoo_calibration: how often a network is right by how sure it is. Each for photos, and as zoo_digits_… for
scikit-learn's digits, of which zoo_digits_mistakes shows the ones that most networks got wrong. `zoo_runs.chosen` says
from which run.

    python -m scripts.figures.export --only zoo_confusion zoo_roc zoo_calibration zoo_digits_mistakes
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from scripts.common import families
from scripts.common.errors import DataMissing
from scripts.common.provenance import source
from scripts.common.words import counted, listing
from scripts.figures.display_zoo import NAMED, strongest
from scripts.figures.drawing import Drawing
from scripts.figures.labels import fit, safe, width
from scripts.figures.theme import (
    CONTEXT,
    GRID,
    INK,
    LINE,
    MUTED,
    PAPER,
    Axis,
    Canvas,
    Head,
    Size,
    both,
    contrast,
    corner,
    mix,
    text_colour,
)
from scripts.train import results
from scripts.train.zoo_runs import DIGITS, Run, chosen

MATRICES = 6
READABLE = 12  # classes, to how many a matrix has names and numbers
FEW = 10  # pictures, under which a point of the calibration chart says nothing


def shown(run: Run, most: int) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """(the best networks of each colour, best first; label -> its predictions over all seeds)."""
    long = run.predictions()
    models = run.models()
    rows = strongest(models[models.label.isin(long.network)], most).reset_index(drop=True)
    return rows, {name: long[long.network == name].dropna(axis=1, how="all") for name in rows.label}


# --- confusion --------------------------------------------------------------------------------------------------------


def draw_confusion(which: str = "photos") -> Drawing:
    run = chosen(which)
    rows, long = shown(run, MATRICES)
    counts = {name: results.confusion(one) for name, one in long.items()}
    classes = len(next(iter(counts.values())))
    if classes > READABLE:
        rows = rows.head(1)
        counts = {rows.label[0]: counts[rows.label[0]]}
    best = rows.label[0]
    label, taken, wrong = worst(counts[best])
    total = int(counts[best].loc[label].sum())
    title = (
        f"{run.name}: {best} most often takes {label} for {taken}, {wrong:,} of {total:,} times"
        if wrong
        else f"{run.name}: {best} gets every test picture right"
    )
    over = f", added up over {run.seeds} seeds" if run.seeds > 1 else ""
    subtitle = (
        f"Test pictures by what they show (rows) and what the network says (columns){over}; the stronger the colour, "
        "the larger the share of the row"
    )
    head = title, subtitle, run.footer()
    frames = [
        matrix.reset_index(names="label")
        .melt("label", var_name="predicted", value_name="pictures")
        .assign(network=name)
        for name, matrix in counts.items()
    ]
    said = []
    for name, matrix in counts.items():
        a, b, n = worst(matrix)
        right = np.trace(matrix.to_numpy()) / matrix.to_numpy().sum()
        said.append(
            f"{name}: {right:.1%} right"
            + (f", most often wrong with {a} taken for {b} ({n:,} of {int(matrix.loc[a].sum()):,})" if n else "")
        )
    return Drawing(
        **both(matrices, rows, counts, head),
        title=title,
        data=pd.concat(frames)[["network", "label", "predicted", "pictures"]],
        alt=f"Confusion matrices of {counted(len(counts), 'network')} over {counted(classes, 'class', 'classes')}. "
        f"{'. '.join(said)}.",
        caption=f"What is taken for what on {run.dataset}, by the best network of each family. On the diagonal are the "
        "pictures that are right.",
        **run.about("-predictions"),
    )


def worst(counts: pd.DataFrame) -> tuple[str, str, int]:
    """(what is shown, what it is taken for, how often): the most frequent mistake as a share of its row."""
    values = counts.to_numpy().astype(float)
    shares = values / values.sum(1, keepdims=True).clip(1)
    np.fill_diagonal(shares, -1)
    row, column = np.unravel_index(shares.argmax(), shares.shape)
    return str(counts.index[row]), str(counts.columns[column]), int(values[row, column])


def panes(canvas: Canvas, number: int, columns: int) -> list[tuple[float, float, float, float]]:
    """`number` equal parts of the plot, row by row: (left, top, width, height) in pixels from its upper left corner."""
    wide, high = canvas.area.wide, canvas.area.high
    down = -(-number // columns)
    return [
        (i % columns * wide / columns, i // columns * high / down, wide / columns, high / down) for i in range(number)
    ]


def blank(head: Head, size: Size) -> Canvas:
    """A canvas without axes, whose coordinates are shares of its width and height."""
    canvas = Canvas(size, *head, Axis("", 0, 1, names=[]), Axis("", 0, 1, names=[]))
    canvas.figure.update_xaxes(visible=False, fixedrange=True)
    canvas.figure.update_yaxes(visible=False, fixedrange=True)
    return canvas


def write(
    canvas: Canvas, across: float, down: float, text: str, size: float, colour: str, weight: int = 0, **more
) -> None:
    """`text` at pixels from the plot's upper left corner."""
    canvas.note(
        x=across / canvas.area.wide,
        y=1 - down / canvas.area.high,
        text=text,
        name="pane",
        borderpad=0,
        font={"size": size, "color": colour, **({"weight": weight} if weight else {})},
        **more,
    )


def grid(
    canvas: Canvas,
    left: float,
    top: float,
    cell: float,
    values: np.ndarray,
    dark: str,
    gap: int,
    texts: list[list[str]],
) -> None:
    """Squares of `values` (0-1) from GRID to `dark`, ink from paper; cell: a side in pixels; texts: for the hover."""
    wide, high = canvas.area.wide, canvas.area.high
    across = {"x0": (left + cell / 2) / wide, "dx": cell / wide}
    down = {"y0": 1 - (top + cell / 2) / high, "dy": -cell / high}
    paper = PAPER[0] if dark == INK[0] else GRID[0]
    canvas.heat(values, texts, dark, gap, paper=paper, hoverinfo="text", **across, **down)


def matrices(rows: pd.DataFrame, counts: dict[str, pd.DataFrame], head: Head, size: Size) -> Canvas:
    """A matrix for each network, shaded by the share of its row."""
    canvas = blank(head, size)
    if canvas.phone and len(rows) > 2 and len(counts[rows.label[0]]) > 4:
        rows = rows.iloc[[0, -1]]  # the best and the last: smaller squares could not be read
    columns = min(len(rows), (1 if len(rows) == 2 else 2) if canvas.phone else 3)
    for row, (left, top, wide, high) in zip(rows.itertuples(), panes(canvas, len(rows), columns)):
        matrix = counts[row.label]
        n, names = len(matrix), [str(name) for name in matrix.index]
        colour = families.colour(row.family)
        small = canvas.small
        named = n <= READABLE
        aside = min(wide * 0.25, max(width(name, small) for name in names) + 8) if named else 0
        heading = canvas.base * LINE + 6
        under = small * LINE + 4 if named else 0
        side = min(wide - aside - 12, high - heading - under - 14)
        cell = side / n
        heading_text = safe(fit(f"{row.label}, {row.accuracy:.1%} right", canvas.base, wide - aside, "Semibold"))
        ink = text_colour(row.family)
        write(canvas, left + aside, top + heading / 2, heading_text, canvas.base, ink, 600, xanchor="left")
        shares = matrix.to_numpy() / matrix.to_numpy().sum(1, keepdims=True).clip(1)
        texts = [
            [
                f"<b>{safe(row.label, 80)}</b><br>{int(matrix.iloc[i, j]):,} of {int(matrix.iloc[i].sum()):,} "
                f"{safe(names[i], 40)} taken for {safe(names[j], 40)} ({shares[i, j]:.1%})"
                for j in range(n)
            ]
            for i in range(n)
        ]
        grid(canvas, left + aside, top + heading, cell, shares, colour, 1, texts)
        if not named:
            continue
        step = max(1, math.ceil(1.2 * small / cell))  # of many small squares every second or third is named
        for i, name in enumerate(names):
            if i % step == 0:
                down, across = top + heading + (i + 0.5) * cell, left + aside + (i + 0.5) * cell
                write(canvas, left + aside - 5, down, safe(fit(name, small, aside)), small, MUTED[0], xanchor="right")
                below = top + heading + side + under / 2 + 1
                write(canvas, across, below, safe(fit(name, small, cell * step)), small, MUTED[0])
            for j in range(n):
                if matrix.iloc[i, j] and cell * 0.5 >= small:  # where a number can be read; the hover has them all
                    ground = mix(GRID[0], colour, float(shares[i, j]))
                    ink = max((INK[0], PAPER[0]), key=lambda ink: contrast(ink, ground))
                    write(
                        canvas,
                        left + aside + (j + 0.5) * cell,
                        top + heading + (i + 0.5) * cell,
                        f"{int(matrix.iloc[i, j]):,}",
                        min(22, max(small, cell * 0.4)),
                        ink,
                        600 if i == j else 400,
                    )
    return canvas


# --- ROC --------------------------------------------------------------------------------------------------------------

# False-positive rates at which curves of several classes and seeds are averaged.
STEPS = np.r_[0, np.geomspace(5e-4, 1, 240)]


def roc(long: pd.DataFrame) -> pd.DataFrame:
    """One network's ROC curve: with two classes that of the second, else the mean of all against the rest; over
    seeds the mean. fpr, tpr.
    """
    classes = sorted(name[2:] for name in long if name.startswith("p:"))
    curves = [
        results.roc(one, name)
        for _, one in long.groupby("seed")
        for name in (classes[1:] if len(classes) == 2 else classes)
    ]
    heights = [curve.tpr.to_numpy()[np.searchsorted(curve.fpr.to_numpy(), STEPS, side="right") - 1] for curve in curves]
    return pd.DataFrame({"fpr": STEPS, "tpr": np.mean(heights, axis=0)})


def draw_roc(which: str = "photos") -> Drawing:
    run = chosen(which)
    rows, long = shown(run, NAMED)
    rows = rows[rows.roc_auc.notna()].sort_values("roc_auc", ascending=False)
    if not len(rows):
        raise DataMissing(f"{run.path.stem}: no ROC curve, since the test pictures lack a class; see the table's notes")
    curves = {name: roc(long[name]) for name in rows.label}
    classes = sorted(name[2:] for name in long[rows.label.iloc[0]] if name.startswith("p:"))
    best = rows.iloc[0]
    height = lambda rate: float(np.interp(rate, curves[best.label].fpr, curves[best.label].tpr))
    rate = next((rate for rate in (0.05, 0.01) if height(rate) < 0.995), 0.01)
    what, found = f"mean of the {len(classes)} classes, each against the rest", "a class"
    if len(classes) == 2:
        what, found = f"{classes[1]} against {classes[0]}", classes[1]
    title = f"{run.name}: with {100 * rate:g}% false alarms {best.label} finds {height(rate):.0%} of {found}"
    subtitle = f"ROC curves, {what}; after the names the area under the curve"
    axes = "false alarms (false positives over negatives)", "found"
    return Drawing(
        **both(lines_chart, rows, curves, ("roc_auc", "area"), axes, (title, subtitle, run.footer())),
        title=title,
        data=pd.concat([curve.assign(network=name) for name, curve in curves.items()]),
        alt=f"ROC curves of {counted(len(rows), 'network')}, {what}. Areas under the curve: "
        f"{listing([f'{row.label} {row.roc_auc:.3f}' for row in rows.itertuples()])}.",
        caption=f"How many more pictures a network finds where more false alarms are allowed, on {run.dataset}. An "
        "area of 0.5 is guessing (dotted), 1 is faultless.",
        **run.about("-predictions"),
    )


# --- calibration ------------------------------------------------------------------------------------------------------


def draw_calibration(which: str = "photos") -> Drawing:
    run = chosen(which)
    rows, long = shown(run, NAMED)
    bins = {name: results.reliability(one) for name, one in long.items()}
    bins = {name: table[table.images >= FEW] for name, table in bins.items()}
    rows = rows[rows.ece.notna()].sort_values("ece")
    best, worst_ = rows.iloc[0], rows.iloc[-1]
    lean = np.average(
        np.concatenate([(table.accuracy - table.confidence) for table in bins.values()]),
        weights=np.concatenate([table.images for table in bins.values()]),
    )
    title = f"{run.name}: {best.label} is {best.ece * 100:.1f} points off its confidence"
    if len(rows) > 1:
        title += f", {worst_.label} {worst_.ece * 100:.1f}"
    title += "; most are too modest" if lean > 0.02 else "; most are too sure" if lean < -0.02 else ""
    subtitle = (
        "Share of test pictures that are right, by how sure the network is: above the dotted line too modest, below "
        "it too sure; after the names the mean distance"
    )
    score, axes, head = ("ece", "mean distance (ECE)"), ("confidence", "right"), (title, subtitle, run.footer())
    return Drawing(
        **both(lines_chart, rows, bins, score, axes, head, lean=lean),
        title=title,
        data=pd.concat([table.assign(network=name) for name, table in bins.items()]),
        alt=f"Calibration curves of {counted(len(rows), 'network')}: accuracy against confidence. Expected calibration "
        f"errors: {listing([f'{row.label} {row.ece:.3f}' for row in rows.itertuples()])}.",
        caption=f"Whether a network that is 90% sure is right nine times in ten, on {run.dataset}. Points stand for "
        f"{results.reliability.__defaults__[0]} equal steps of "
        f"confidence; those of fewer than {FEW} pictures are left out.",
        **run.about("-predictions"),
    )


def lines_chart(
    rows: pd.DataFrame,
    curves: dict[str, pd.DataFrame],
    score: tuple[str, str],
    titles: tuple[str, str],
    head: Head,
    size: Size,
    lean: float = 1.0,
) -> Canvas:
    """Curves in the unit square over a dotted diagonal. rows: a network each; curves: by label, columns x, y and, where
    points are drawn, images; score: column of `rows` that stands after the names, and what it is. The names stand in
    the corner that is free: lower right where the curves lie above the diagonal (lean > 0), else upper left.
    """
    percent = lambda share: f"{100 * share:g}%"
    canvas = Canvas(size, *head, *(Axis(title, 0, 1.005, write=percent) for title in titles), right=24)
    fifths = {"tickvals": [0, 0.2, 0.4, 0.6, 0.8, 1], "ticktext": [percent(i / 5) for i in range(6)]}
    canvas.figure.update_layout(xaxis=fifths, yaxis=fifths)
    canvas.line([0, 1], [0, 1], CONTEXT[0], 1.5, "dot")
    column, what = score
    for row in rows[::-1].itertuples():
        curve, colour = curves[row.label], families.colour(row.family)
        x, y = (curve.iloc[:, at].to_list() for at in (0, 1))
        of, dots = [""] * len(x), None
        if "images" in curve:
            of = [f", {counted(int(number), 'picture')}" for number in curve.images]
            sizes = [4 + 14 * math.sqrt(number / max(curve.images)) for number in curve.images]
            dots = {"size": sizes, "color": colour, "symbol": families.SYMBOLS[row.kind]}
        texts = [
            f"<b>{safe(row.label, 80)}</b><br>{titles[0].partition(' (')[0]} {a:.1%}, {titles[1]} "
            f"{b:.1%}{n}<br>{what} {getattr(row, column):.4f}"
            for a, b, n in zip(x, y, of)
        ]
        mode = "lines+markers" if dots else "lines"
        line = {"color": colour, "width": 2.2}
        canvas.marks(x, y, texts, dots, mode=mode, name=safe(row.label), line=line)
    high, right = canvas.base * LINE + 3, lean > 0
    for i, row in enumerate(rows.itertuples()):
        name = f"{row.label}  {getattr(row, column):.3f}"
        up = (len(rows) - 1 - i) * high + 10 if right else canvas.area.high - i * high - high
        canvas.note(
            **corner("right" if right else "left", "bottom", xshift=-8 if right else 8, yshift=up),
            text=safe(fit(name, canvas.base, size[0] * 0.6, "Semibold")),
            borderpad=0,
            name="key",
            font={"size": canvas.base, "color": text_colour(row.family), "weight": 600},
        )
    return canvas


# --- the digits that were wrong ---------------------------------------------------------------------------------------


def draw_digits() -> Drawing:
    """The digits that most networks got wrong, from the -mistakes table."""
    run = chosen(DIGITS)
    path = results.part(run.path, results.MISTAKES)
    if not path.exists():
        raise DataMissing(
            f"{run.path.stem}: which digits were wrong is not written down; run python -m scripts.train.mistakes "
            "--data digits"
        )
    table = results.mistakes(path)
    first = table.iloc[0]
    runs, unit = int(first.runs), "network" if run.seeds == 1 else "training"
    many = f"All {counted(runs, unit)}" if first.wrong == runs > 1 else f"{first.wrong:.0f} of {counted(runs, unit)}"
    title = f"{many} {'takes' if first.wrong == 1 else 'take'} the first {first.label} for another digit"
    subtitle = (
        f"The {counted(len(table), 'test digit')} that most networks get wrong: what it is → the surest wrong "
        "answer, and how many give a wrong one"
    )
    return Drawing(
        **both(digits_chart, table, (title, subtitle, run.footer())),
        title=title,
        data=table.assign(pixels=[" ".join(map(str, values)) for values in table.pixels]),
        alt=f"{counted(len(table), 'handwritten digit')} that networks took for another: "
        + listing([f"{row.label} for {row.predicted}" for row in table.itertuples()])
        + ".",
        caption="Digits of 8×8 pixels by scikit-learn, from E. Alpaydin and C. Kaynak, Optical Recognition of "
        "Handwritten Digits (UCI, 1998, CC BY 4.0). Some would puzzle people, too.",
        sources=[source(path)],
        hardware=run.where,
        date=run.date,
    )


def digits_chart(table: pd.DataFrame, head: Head, size: Size) -> Canvas:
    canvas = blank(head, size)
    columns = min(len(table), 4 if canvas.phone else 6)
    for row, (left, top, wide, high) in zip(table.itertuples(), panes(canvas, len(table), columns)):
        under = canvas.base * LINE + 8
        side = min(wide - 16, high - under - 10, 190)
        said = f"<b>{safe(row.label)} → {safe(row.predicted)}</b>"
        words = f"{said}, {row.confidence:.1%} sure; {row.wrong:.0f} of {row.runs:.0f} wrong<br>{safe(row.file)}"
        shades = np.array(row.pixels, float).reshape(8, 8) / 16
        grid(canvas, left + (wide - side) / 2, top, side / 8, shades, INK[0], 0, [[words] * 8] * 8)
        below = f"{said}  {row.wrong:.0f} of {row.runs:.0f}"
        write(canvas, left + wide / 2, top + side + under / 2, below, canvas.base, INK[0])
    return canvas
