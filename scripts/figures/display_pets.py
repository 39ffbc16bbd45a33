"""Charts of cats and dogs, of the plain convnet, of the runs on disk and of the search.

pets_curves, pets_confusion, pets_losses: the fastai run with the most photos. pets_starts: a network from scratch,
frozen and fine-tuned on each set of photos. cnn_curves: every run of the convnet
beside its reference. runs_compared: a metric by epoch, a line per run. search_parallel, search_importance: the search
with the most trials.

    python -m scripts.figures.export --only pets_curves pets_confusion pets_losses pets_starts cnn_curves
    python -m scripts.figures.export --only runs_compared search_parallel search_importance
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from scripts.common import families, words
from scripts.common.errors import DataMissing
from scripts.common.provenance import source
from scripts.common.words import counted, listing, plain, short
from scripts.figures import list_chart
from scripts.figures.drawing import Drawing
from scripts.figures.labels import fit, safe
from scripts.figures.theme import (
    GRID,
    INK,
    MUTED,
    PERCENT,
    VEIL,
    Axis,
    Canvas,
    Head,
    Size,
    beside,
    both,
    mix,
    readable,
    text_colour,
)
from scripts.train import photo_results
from scripts.train.photo_results import Training
from scripts.train.train_cnn import REFERENCE

# Lines here are runs and splits, not families; they still take the house's colours, in this order.
ORDER = ("convnext", "levit", "beit", "eva", "vit", "resnet", "efficientnet", "vgg")
MOST_RUNS = 8  # lines, each in a colour of ORDER
WORST = 16
GUESSING = 0.05  # an accuracy no further than this above a guess's is none to speak of
WORDS = {
    "lr": "learning rate",
    "batch": "batch size",
    "smoothing": "label smoothing",
    "scale": "smallest crop",
    "mix": "mixing",
    "ema": "averaging",
}


def first(found: list[Training], what: str, how: str) -> Training:
    if not found:
        raise DataMissing(f"no {what} yet; run {how}")
    return found[0]


def footer(run: Training, photos: str = "") -> str:
    """photos: what it learned from, where that is more than the run's own."""
    versions = run.facts.get("versions", {})
    torch = f", PyTorch {versions['torch'].split('+')[0]}" if "torch" in versions else ""
    told = [f"trained by this project on {words.day(run.date)}", f"{run.hardware}{torch}", photos or run.dataset]
    return "Source: " + " · ".join(told)


def about(run: Training, *parts: str) -> dict:
    return {"sources": [source(run.paths[part]) for part in parts], "hardware": run.hardware, "date": run.date}


def lines(
    table: dict[str, pd.DataFrame],
    x: str,
    y: str,
    head: Head,
    write: Callable[[float], str],
    size: Size,
    across: str = "",
    marks: Sequence[tuple[str, float, str]] = (),
) -> Canvas:
    """A named line for each frame of `table`; across: title of the x-axis, if not its column; marks: (name, height,
    colour family) of dotted lines across.
    """
    steps = Axis.around(across or x, *(frame[x] for frame in table.values()), before=0.02, after=0.01, whole=True)
    heights = [*(frame[y] for frame in table.values()), *(height for _, height, _ in marks)]
    values = Axis.around("", *heights, before=0.05, after=0.05, write=write)
    canvas = Canvas(size, *head, steps, values, right=beside([*table, *(name for name, _, _ in marks)], size))
    ends = []
    for name, height, family in marks:
        whole = [steps.low, steps.high]
        canvas.line(whole, [height, height], families.colour(family), 1.4, "dot", name=safe(name))
        ends.append((steps.high, height, name, {"colour": text_colour(family)}))
    for (name, frame), family in zip(table.items(), ORDER):
        colour = families.colour(family)
        canvas.marks(
            frame[x],
            frame[y],
            [f"<b>{safe(name, 80)}</b><br>{x} {short(at)}: {write(value)}" for at, value in zip(frame[x], frame[y])],
            {"color": colour, "size": 9},
            mode="lines" if len(frame) > 1 else "markers",
            name=safe(name),
            line={"color": colour, "width": 2.4},
        )
        ends.append((float(frame[x].iloc[-1]), float(frame[y].iloc[-1]), name, {"colour": text_colour(family)}))
    canvas.label_ends(ends)
    return canvas


def word(setting: str) -> str:
    """A setting's name for people."""
    return WORDS.get(setting, setting.replace("_", " "))


def listed(rows: pd.DataFrame, axis: Axis, title: str, subtitle: str, footer: str, size: Size) -> Canvas:
    """A list chart whose rows are no networks: what stands on hover is the label and the details."""
    canvas = list_chart.draw(rows, axis, title, subtitle, footer, size)
    canvas.figure.data[-1].text = [f"<b>{safe(row.label, 80)}</b><br>{row.details}" for row in rows.itertuples()]
    return canvas


def loss(value: float) -> str:
    return f"{value:.2f}"


# --- cats and dogs ----------------------------------------------------------------------------------------------------


def pets_run() -> Training:
    return first(photo_results.pets(), "model of cats and dogs", "make train DATA=FOLDER")


def draw_pets_curves() -> Drawing:
    """Of the first run that has epochs to show: a probe alone has none."""
    run = next((run for run in photo_results.pets() if run.epochs > 1), pets_run())
    history, facts = run.tables[""], run.facts
    error = facts["error_rate"]
    right = f"is right on {1 - error['test']:.1%} of the test photos"
    title = (
        f"A probe on {facts['arch']} {right}"
        if facts.get("kept") == "probe"
        else f"{facts['arch']} {right} after {counted(run.epochs, 'epoch')}"
    )
    long = {
        name: history[["epoch", column]].set_axis(["epoch", "loss"], axis=1)
        for name, column in (("training", "train_loss"), ("validation", "valid_loss"))
    }
    learned = "trained from scratch"
    if facts["weights"] != "scratch":
        learned = f"the probe (epoch 0), then fine-tuning from {facts['weights']},"
    subtitle = f"Cross-entropy by epoch, {learned} on {facts['train_images']:,} photos at {facts['size']} pixels"
    ends = {name: frame.loss.iloc[-1] for name, frame in long.items()}
    return Drawing(
        **both(lines, long, "epoch", "loss", (title, subtitle, footer(run)), loss),
        title=title,
        data=pd.concat([frame.assign(split=name) for name, frame in long.items()]),
        alt=f"Line chart of the loss by epoch of {facts['arch']} on {run.dataset}. It ends at {ends['training']:.2f} "
        f"on the training photos and {ends['validation']:.2f} on the validation photos.",
        caption=f"How {facts['arch']} learns {run.dataset}: error rate {error['valid']:.1%} on "
        f"{facts['valid_images']:,} validation photos, {error['test']:.1%} on "
        f"{facts['test_images']:,} test photos it never saw. The training loss is measured with augmentation.",
        **about(run, ""),
    )


def confusion(run: Training) -> pd.DataFrame:
    """Counts of the test photos by label (rows) and prediction (columns)."""
    tested = run.tables["-predictions"].query("split == 'test'")
    return pd.crosstab(tested.label, tested.predicted).reindex(index=run.classes, columns=run.classes, fill_value=0)


def matrix_chart(counts: pd.DataFrame, head: Head, size: Size) -> Canvas:
    """Squares of counts, darker for a larger share of the row; columns named below, rows at the left."""
    n = len(counts)
    names, said = ([str(name) for name in one] for one in (counts.index, counts.columns))
    x, y = Axis("predicted", -0.5, n - 0.5, names=said), Axis("", -0.5, n - 0.5, names=names[::-1])
    canvas = Canvas(size, *head, x, y)
    shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    dark = families.colour("convnext")
    texts = [
        [
            f"{int(counts.iloc[row, column]):,} {safe(names[row], 40)} taken for {safe(said[column], 40)}"
            for column in range(n)
        ]
        for row in reversed(range(n))
    ]
    across = list(range(n))
    canvas.heat(shares.to_numpy()[::-1], texts, dark, gap=4, x=across, y=across)
    text = canvas.base + 8 if n <= 4 else canvas.small if n <= 10 else 11
    for row in range(n):
        for column in range(n):
            share, count = float(shares.iloc[row, column]), int(counts.iloc[row, column])
            canvas.note(
                x=column,
                y=n - 1 - row,
                name="count",
                text=f"<b>{count:,}</b><br>{share:.0%}",
                font={"size": text, "color": readable(dark, share)},
            )
    return canvas


def draw_pets_confusion() -> Drawing:
    run = pets_run()
    counts = confusion(run)
    wrong = counts.where(~np.eye(len(counts), dtype=bool)).stack()
    label, predicted = wrong.idxmax()
    title = (
        f"Most often wrong: {label} taken for {predicted}, {int(wrong.max()):,} of {counts.loc[label].sum():,} photos"
    )
    subtitle = "Test photos by what they show (rows) and what the model says (columns)"
    return Drawing(
        **both(matrix_chart, counts, (title, subtitle, footer(run))),
        title=title,
        data=counts.reset_index(),
        alt="Confusion matrix of the test photos. "
        + "; ".join(
            f"{counts.loc[name].sum():,} {name}: "
            + listing([f"{counts.loc[name, other]:,} as {other}" for other in counts.columns])
            for name in counts.index
        )
        + ".",
        caption=f"{int(np.trace(counts.to_numpy())):,} of {int(counts.to_numpy().sum()):,} test photos lie on the "
        "diagonal: what they show is what the model says.",
        **about(run, "-predictions"),
    )


def draw_pets_losses() -> Drawing:
    run = pets_run()
    photos = run.tables["-predictions"]
    worst = photos[photos.label != photos.predicted].nlargest(WORST, "loss")
    if not len(worst):
        raise DataMissing(f"{run.paths[''].stem}: the model gets every photo right, so there are no top losses")
    rows = pd.DataFrame(
        {
            "label": [f"photo {number:,.0f}" for number in worst.photo],
            "value": 100 * worst.probability,
            "family": "levit",
            "details": [
                f"shows {safe(label, 40)}, taken for {safe(said, 40)}"
                for label, said in zip(worst.label, worst.predicted)
            ],
        }
    )
    surest = worst.iloc[0]
    title = (
        f"The model is {surest.probability:.0%} sure that {rows.label.iloc[0]} shows {surest.predicted}; it shows "
        f"{surest.label}"
    )
    subtitle = f"The {counted(len(rows), 'photo')} with the highest loss, by how sure the model is of its wrong answer"
    axis = Axis.around("", rows.value, before=0.1, after=0.05, write=PERCENT)
    return Drawing(
        **both(listed, rows, axis, title, subtitle, footer(run)),
        title=title,
        data=worst,
        alt=f"List of the {counted(len(rows), 'validation and test photo')} with the highest loss; the model is "
        f"{rows.value.min():.0f} to {rows.value.max():.0f}% sure of a wrong answer.",
        caption="The top losses. Look at these photos first: what is wrong here may be the label or the photo, and not "
        "the model.",
        **about(run, "-predictions"),
    )


# --- the convnet ------------------------------------------------------------------------------------------------------


def cnn_runs() -> list[Training]:
    found = photo_results.cnn()
    first(found, "run of the plain convnet", "python -m scripts.train.train_cnn --data FOLDER")
    return found[: MOST_RUNS // 2]


def run_names(found: list[Training]) -> list[str]:
    """By recipe, and by pixels or photos where those differ; beside a line there is room for little more."""
    rows = [run.tables[""].iloc[0] for run in found]
    ways = (
        [f"{row.recipe} recipe" for row in rows],
        [f"{row.recipe}, {row['size']:.0f} px" for row in rows],
        [f"{row.recipe}, {row.train_images:,.0f} photos" for row in rows],
        [f"{row.recipe}, {row.train_images:,.0f} at {row['size']:.0f} px" for row in rows],
    )
    return next((names for names in ways if len({*names}) == len(rows)), ways[-1])


STARTS = {"fine-tuned": "convnext", "frozen": "levit", "scratch": "vgg"}  # and the colour of each
STARTED = {"fine-tuned": "fine-tuned", "frozen": "frozen + probe", "scratch": "from scratch"}


def draw_starts() -> Drawing:
    """A dot for each set of photos and start: mean test accuracy over the seeds, with a line from worst to best."""
    found = photo_results.starts()
    newest = first(found, "comparison of starts", "`python -m scripts.train.starts --data FOLDER`")
    table = pd.concat([run.tables[""].assign(dataset=run.dataset) for run in found], ignore_index=True)
    groups = table.groupby(["dataset", "start"], sort=False)["accuracy"].agg(["mean", "min", "max", "size"])
    order = [(run.dataset, start) for run in found for start in STARTS if (run.dataset, start) in groups.index]
    rows = groups.loc[order].reset_index()
    write = "{:.1%}".format
    rows = rows.assign(
        label=[f"{name.replace('-', ' ')} · {STARTED[start]}" for name, start in order],
        value=rows["mean"],
        low=rows["min"],
        high=rows["max"],
        family=[STARTS[start] for _, start in order],
        details=[
            f"{write(mean)}, {write(low)} to {write(high)}<br>{counted(int(seeds), 'seed')}"
            for mean, low, high, seeds in groups.loc[order].itertuples(index=False)
        ],
    )
    gains = {name: part.set_index("start")["mean"] for name, part in rows.groupby("dataset", sort=False)}
    whole = {name: means for name, means in gains.items() if {"scratch", "frozen"} <= set(means.index)}
    if whole:
        name, means = next(iter(whole.items()))
        title = (
            f"{name.replace('-', ' ').capitalize()}: {write(means['scratch'])} right from scratch, "
            f"{write(means.drop('scratch').max())} from pretrained weights"
        )
    else:
        title = f"{newest.dataset.capitalize()} from different starts"
    model = listing(sorted({*table.model}))
    size = " or ".join(f"{size:.0f}" for size in sorted({*table.img_size}))
    subtitle = f"{model} at {size} pixels: test photos that are right, mean of the seeds; lines: worst to best seed"
    axis = Axis.around("test accuracy", rows["low"], rows["high"], after=0.03, write="{:.0%}".format)
    below = footer(newest, listing([run.dataset for run in found]))
    return Drawing(
        **both(list_chart.draw, rows, axis, title, subtitle, below),
        title=title,
        data=rows[["dataset", "start", "mean", "min", "max", "size"]],
        sources=[source(run.paths[""]) for run in found],
        hardware=newest.hardware,
        date=newest.date,
        alt=f"List of sets of photos and starts of {model} by test accuracy: "
        f"{listing([f'{row.label} {write(row.value)}' for row in rows.itertuples()])}.",
        caption=f"{title}. On each set the same photos, size and network from each start.",
    )


def draw_cnn_curves() -> Drawing:
    found = cnn_runs()
    table = {name: run.tables["-history"][["epoch", "valid_loss"]] for name, run in zip(run_names(found), found)}
    best = min(found, key=lambda run: run.tables[""].test_loss.iloc[0])
    row = best.tables[""].iloc[0]
    guessing = row.test_accuracy <= 1 / max(2, len(best.classes)) + GUESSING
    title = (
        f"The plain convnet runs; with {row.test_accuracy:.0%} of the test photos right after "
        f"{counted(int(row.epochs), 'epoch')} it has not learned anything yet"
        if guessing
        else f"The plain convnet: test loss {row.test_loss:.2f} after {counted(int(row.epochs), 'epoch')} of "
        f"{row.train_images:,.0f} photos; the reference {REFERENCE['test_loss']:.2f} after {REFERENCE['epochs']} of "
        f"{REFERENCE['train_images']:,}"
    )
    subtitle = "Cross-entropy on validation photos by epoch; dotted: the reference's on its test photos"
    head, mark = (title, subtitle, footer(best)), ("reference", REFERENCE["test_loss"], "beit")
    return Drawing(
        **both(lines, table, "epoch", "valid_loss", head, loss, marks=[mark]),
        title=title,
        data=pd.concat([frame.assign(run=name) for name, frame in table.items()]),
        alt=f"Line chart of the validation loss by epoch of {counted(len(table), 'run')} of the plain convnet, with "
        f"the reference's test loss ({REFERENCE['test_loss']}) as a dotted line. Ends: "
        + listing([f"{name} {frame.valid_loss.iloc[-1]:.2f}" for name, frame in table.items()])
        + ".",
        caption=f"The reference learned from {REFERENCE['train_images']:,} photos of {REFERENCE['size']} pixels in "
        f"{REFERENCE['epochs']} epochs; here it was "
        + listing(
            [
                f"{row.train_images:,.0f} of {row['size']:.0f} pixels in {counted(int(row.epochs), 'epoch')} "
                f"({row.recipe} recipe)"
                for row in (run.tables[""].iloc[0] for run in found)
            ]
        )
        + ".",
        **{**about(best), "sources": [one for run in found for one in about(run, "", "-history")["sources"]]},
    )


# --- runs and searches ------------------------------------------------------------------------------------------------


def draw_runs() -> Drawing:
    found = photo_results.runs()
    if found is None or "valid_loss" not in found.tables["-history"]:
        raise DataMissing("no runs written down; train something, for example make train DATA=FOLDER")
    history = found.tables["-history"].dropna(subset=["valid_loss"])
    frames = {}
    once = history.drop_duplicates("run").name.value_counts() == 1
    for run, frame in history.groupby("run", sort=False):
        stamp = re.match(r"\d{4}(\d\d)(\d\d)-(\d\d)(\d\d)", str(run))
        name = frame["name"].iloc[0]
        name = name if once[name] else f"{name}, {stamp[1]}-{stamp[2]} {stamp[3]}:{stamp[4]}" if stamp else str(run)
        frames[name] = frame[["epoch", "valid_loss"]]
    frames = dict(list(frames.items())[:MOST_RUNS])
    if not frames:
        raise DataMissing("no run got to the end of an epoch; train something, for example make train DATA=FOLDER")
    best = min(frames, key=lambda name: frames[name].valid_loss.min())
    lowest = f"{frames[best].valid_loss.min():.2f}"
    title = (
        f"Of {counted(len(frames), 'run')}, {best} gets the lowest validation loss: {lowest}"
        if len(frames) > 1
        else f"The validation loss of {best} goes down to {lowest}"
    )
    foot = f"Source: the log of each run, written down on {words.day(found.date)} · {found.hardware}"
    head = title, "Cross-entropy on validation photos by epoch, a line per run", foot
    return Drawing(
        **both(lines, frames, "epoch", "valid_loss", head, loss),
        title=title,
        data=history,
        alt=f"Line chart of the validation loss by epoch of {counted(len(frames), 'training run')}; the lowest is "
        f"{lowest}, of {best}.",
        caption="Runs on different photos cannot be compared with each other; the table says what each run was.",
        **about(found, "-history"),
    )


def search_run() -> Training:
    return first(photo_results.searches(), "search", "python -m scripts.train.search")


def parallel_chart(table: pd.DataFrame, settings: pd.DataFrame, head: Head, size: Size) -> Canvas:
    """A line per trial through one upright axis per setting and, last, its accuracy; the better, the darker."""
    columns = [*settings.columns, "accuracy"]
    x = Axis("", -0.25, len(columns) - 0.75 + 0.2, names=[word(name) for name in columns])
    canvas = Canvas(size, *head, x, Axis("", -0.06, 1.06, write=lambda value: ""), right=30)
    canvas.figure.update_yaxes(showgrid=False, showticklabels=False)
    heights, ends = {}, {}
    for name in columns:
        values = table[name] if name == "accuracy" else settings[name]
        if not pd.api.types.is_numeric_dtype(values):
            kinds = sorted(values.unique())
            heights[name] = values.map({kind: i / max(1, len(kinds) - 1) for i, kind in enumerate(kinds)})
            ends[name] = [(i / max(1, len(kinds) - 1), str(kind)) for i, kind in enumerate(kinds)]
            continue
        low, high = float(values.min()), float(values.max())
        say = "{:.1%}".format if name == "accuracy" else plain
        ends[name] = [(0.0, say(low)), (1.0, say(high))]
        scale = values.astype(float)
        if low > 0 and high / low > 20:
            scale, low, high = scale.map(math.log), math.log(low), math.log(high)
        heights[name] = (scale - low) / ((high - low) or 1.0)
    rank = table.accuracy.rank(pct=True)
    dark = families.colour("convnext")
    for row in rank.sort_values(kind="stable").index:
        done = table.state[row] == "complete"
        colour = mix(GRID[0], dark, round(float(rank[row]) ** 2, 3))
        words = ", ".join(f"{name}={_value(settings[name][row], '{:.4g}'.format)}" for name in settings)
        said = f"<b>{table.accuracy[row]:.1%}</b> {'' if done else '(pruned)'}<br>{safe(words, 160)}"
        style = {"color": colour, "width": 2.6 if rank[row] > 0.9 else 1.5, "dash": "solid" if done else "dot"}
        canvas.marks(
            list(range(len(columns))),
            [float(heights[name][row]) for name in columns],
            [said] * len(columns),
            mode="lines",
            name=f"trial {int(table.trial[row])}",
            line=style,
        )
    room = 0.95 * canvas.area.wide / len(columns)
    for at, name in enumerate(columns):
        canvas.figure.add_shape(type="line", x0=at, x1=at, y0=0, y1=1, line={"color": MUTED[0], "width": 1})
        for height, text in ends[name]:
            down = canvas.base * (1 if height == 0 else -1)
            canvas.note(
                x=at,
                y=height,
                yshift=-down,
                text=safe(fit(text, canvas.small, room)),
                name="end",
                font={"size": canvas.small, "color": INK[0]},
                bgcolor=VEIL[0],
            )
    return canvas


def _value(value, write: Callable[[float], str]) -> str:
    """A setting's value for people; whole numbers and names as they are."""
    return write(value) if isinstance(value, float) else str(value)


def draw_search_parallel() -> Drawing:
    run = search_run()
    table = run.tables[""].dropna(subset=["accuracy"]).reset_index(drop=True)
    settings = photo_results.settings(table)
    if not len(table):
        raise DataMissing(f"{run.paths[''].stem}: no trial was finished; run the search again")
    best = table.accuracy.idxmax()
    pruned = int((table.state == "pruned").sum())
    words = listing([f"{word(name)} {_value(settings[name][best], plain)}" for name in settings])
    title = f"The best of {counted(len(table), 'trial')}: {table.accuracy[best]:.1%} with {words}"
    subtitle = (
        f"A line per trial of {run.facts.get('model')}, darker where validation accuracy is higher; dotted: given up "
        "early"
    )
    return Drawing(
        **both(parallel_chart, table, settings, (title, subtitle, footer_of_search(run))),
        title=title,
        data=table,
        alt=f"Parallel coordinates of {counted(len(table), 'trial')} over {listing([word(name) for name in settings])} "
        f"and accuracy, which lies between {table.accuracy.min():.1%} and {table.accuracy.max():.1%}.",
        caption=f"What the search tried: {counted(len(table), 'trial')}, {pruned} of them given up early because they "
        "fell behind the median.",
        **about(run, ""),
    )


def footer_of_search(run: Training) -> str:
    return (
        f"Source: searched by this project on {words.day(run.date)} · {run.hardware} · {run.facts.get('data')}, "
        f"{counted(int(run.facts.get('epochs', 0)), 'epoch')} a trial, {run.facts.get('sampler')} sampler"
    )


def draw_search_importance() -> Drawing:
    run = search_run()
    importance = pd.Series(run.facts.get("importance", {}), dtype=float).sort_values(ascending=False, kind="stable")
    if not len(importance):
        raise DataMissing(
            f"{run.paths[''].stem}: too few trials to tell what mattered; run the search again with more --trials"
        )
    rows = pd.DataFrame(
        {
            "label": [word(name) for name in importance.index],
            "value": 100 * importance.to_numpy(),
            "low": 0.0,
            "high": 100 * importance.to_numpy(),
            "family": "convnext",
            "details": "share of the importance",
        }
    )
    title = f"{rows.label.iloc[0].capitalize()} matters most: {importance.iloc[0]:.0%} of the importance"
    axis = Axis("", 0, max(rows.value) * 1.08, write=PERCENT)
    trials = len(run.tables[""])
    subtitle = f"Share of each setting in what tells good trials from bad ones (PED-ANOVA, {trials} trials)"
    return Drawing(
        **both(listed, rows, axis, title, subtitle, footer_of_search(run)),
        title=title,
        data=rows[["label", "value"]],
        alt="List of settings by importance: "
        + listing([f"{row.label} {row.value:.0f}%" for row in rows.itertuples()])
        + ".",
        caption=f"Which settings mattered, over {counted(trials, 'trial')}. A setting of little importance may still "
        "matter outside the range that was searched.",
        **about(run, ""),
    )
