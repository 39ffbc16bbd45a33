"""Pretrained networks on one's own photos, from report/data/choose-*.csv (`make choose`).

choose_<dataset>: accuracy on these photos against images per second on the machine that ran it, for the sets of the
report; choose_own: for the newest other one. choose_curve: how many photos a probe needs.

    python -m scripts.figures.export --only choose_trash choose_curve
"""

from __future__ import annotations

import pandas as pd

from scripts.choose.said import label, share
from scripts.common import families
from scripts.common.errors import DataMissing
from scripts.common.provenance import source
from scripts.common.words import counted, day, listing
from scripts.figures import display_pets, frontier_chart
from scripts.figures.drawing import Drawing
from scripts.figures.theme import PERCENT, WIDE, both, frontier
from scripts.train import choice

SETS = ("cats-and-dogs", "trash", "seedlings")  # of the report; photos of a reader's are drawn as `own`
OWN = "own"


def found(name: str) -> choice.Chosen:
    """The newest run on the dataset `name`, or with OWN on any that is not the report's. Raises DataMissing."""
    those = [run for run in choice.runs() if (run.dataset not in SETS if name == OWN else run.dataset == name)]
    if not those:
        raise DataMissing(f"no choice for {'photos of your own' if name == OWN else name} yet; make choose DATA=FOLDER")
    return max(those, key=lambda run: str(run.facts.get("date", "")))


def of_the_report() -> list[choice.Chosen]:
    """The runs on SETS that are there, in their order."""
    there = []
    for name in SETS:
        try:
            there.append(found(name))
        except DataMissing:
            continue
    return there


def rows(run: choice.Chosen) -> pd.DataFrame:
    """The networks that saw photos, floors apart, as frontier_chart wants them; accuracy as the run says it."""
    table = run.table[
        run.table["verdict"].isin(["best", "ahead", "tied", "behind"]) & run.table["images_per_sec"].gt(0)
    ]
    accuracy = table[f"{run.judged_on}_accuracy"].fillna(table["cv_accuracy"])
    arch = table["backbone"].str.partition(".")[0]
    return table.assign(
        model=[label(row) for _, row in table.iterrows()],
        arch=arch,
        family=[families.family(name) for name in arch],
        kind=[families.kind(name) for name in arch],
        top1=100 * accuracy,
        param_count=float("nan"),
        samples_per_sec=table["images_per_sec"],
    ).reset_index(drop=True)


def machine(run: choice.Chosen) -> str:
    return str(run.facts["hardware"].get("name", ""))


def footer(run: choice.Chosen) -> str:
    runtimes = listing(sorted(set(rows(run)["runtime"] + " " + rows(run)["precision"])))
    return f"Source: make choose, {day(str(run.facts['date'])[:10])} · {machine(run)}, {runtimes}"


def draw_frontier(name: str) -> Drawing:
    """Accuracy of a probe on frozen features against the network's speed, on one dataset."""
    run = found(name)
    table, best = rows(run), run.best
    if len(table) < 2:
        raise DataMissing(f"{run.paths[''].name}: fewer than two networks were tried")
    edge = frontier(table)
    floors = run.table[run.table["verdict"].eq("floor") & run.table["cv_accuracy"].notna()]
    on = "test" if run.judged_on == "test" else "cv"
    value, low, high = (best[f"{on}_{end}"] for end in ("accuracy", "low", "high"))
    title = f"{run.dataset}: {label(best)} is right on {100 * value:.1f}% of the photos"
    photos = int(run.facts["test_images"] if on == "test" else best["photos"])
    subtitle = (
        f"Accuracy of a probe on frozen features, {photos:,} {'test photos' if on == 'test' else 'photos held out'}, "
        f"against images per second through the network{'; some saw fewer' if table['photos'].nunique() > 1 else ''}"
    )
    head = title, subtitle, footer(run)
    least = f" Without pretraining: {', '.join(f'{label(row)} {row.cv_accuracy:.1%}' for _, row in floors.iterrows())}."
    return Drawing(
        **both(lambda size: frontier_chart.draw(table, *head, size, everyone=size == WIDE)),
        title=title,
        data=run.table,
        alt=f"Accuracy on {run.dataset} against images per second of {counted(len(table), 'network')}; on the "
        f"frontier: {listing(edge['model'].tolist())}.",
        caption=f"{title}: {share(value, low, high)}, {run.facts['level']:.0%} interval. Networks whose intervals "
        f"overlap may be tied; the table says which are.{least if len(floors) else ''}",
        sources=[source(run.paths[""])],
        hardware=machine(run),
        date=str(run.facts["date"])[:10],
    )


def draw_curve() -> Drawing:
    """How the accuracy of the chosen network's probe grows with the photos that it learns from, for each dataset."""
    runs = [run for run in of_the_report() if "-curve" in run.parts]
    if not runs:
        raise DataMissing("no choice for photos yet; make choose DATA=FOLDER")
    lines = {run.dataset: run.parts["-curve"].assign(percent=100 * run.parts["-curve"]["accuracy"]) for run in runs}
    gains = {name: frame["percent"].iloc[-1] - frame["percent"].iloc[0] for name, frame in lines.items()}
    most = max(gains, key=gains.get)
    first, last = lines[most].iloc[0], lines[most].iloc[-1]
    title = (
        f"{most} gains most from more photos: {first.percent:.0f}% with {first.photos:,.0f}, {last.percent:.0f}% with "
        f"{last.photos:,.0f}"
    )
    subtitle = "Accuracy of a probe on the chosen network’s features by the photos it learned from, mean of draws"
    head = title, subtitle, footer(runs[0])
    return Drawing(
        **both(display_pets.lines, lines, "photos", "percent", head, PERCENT, across="photos learned from"),
        title=title,
        data=pd.concat([frame.assign(dataset=name) for name, frame in lines.items()]),
        alt="Line chart of accuracy by number of photos. "
        + " ".join(
            f"{name}: from {frame.percent.iloc[0]:.1f}% with {frame.photos.iloc[0]:,.0f} to "
            f"{frame.percent.iloc[-1]:.1f}% with {frame.photos.iloc[-1]:,.0f}."
            for name, frame in lines.items()
        ),
        caption=f"{title}. Each point is the mean of draws of so many photos.",
        sources=[source(run.paths["-curve"]) for run in runs],
        hardware=machine(runs[0]),
        date=max(str(run.facts["date"])[:10] for run in runs),
    )
