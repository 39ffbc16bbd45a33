"""What the page on one's own photos says: which pretrained network, on three sets of photos, from `make choose`."""

from __future__ import annotations

import pandas as pd

from scripts.choose import table as choose_table
from scripts.choose.said import label, share
from scripts.common.errors import DataMissing
from scripts.common.paths import relative
from scripts.common.words import counted, day, duration, listing
from scripts.figures import display_choose
from scripts.pages import page
from scripts.train import choice, photo_results

CONFUSED = 3  # pairs of classes a set


def runs() -> list[choice.Chosen]:
    """The runs of the page. Raises DataMissing where there is none."""
    there = display_choose.of_the_report()
    if not there:
        raise DataMissing("nothing chosen yet: `make choose DATA=FOLDER` ranks pretrained networks on your photos")
    return there


def value(run: choice.Chosen, row: pd.Series) -> tuple[float, float, float]:
    """(accuracy, low, high) of a row: on the test photos where they were looked at, else by cross-validation."""
    on = "cv" if pd.isna(row["test_accuracy"]) else run.judged_on
    return tuple(row[f"{on}_{end}"] for end in ("accuracy", "low", "high"))


@page.or_note()
def said() -> None:
    """What came out, a sentence a set, and on which machine."""
    for run in runs():
        tried = run.table["cv_accuracy"].notna() & run.table["verdict"].isin(["best", "ahead", "tied", "behind"])
        page.markdown(f"\n**{run.dataset}**. {page.escaped(run.facts['said'][0])}\n")
        known = tried & run.table["seconds"].eq(0)  # features that were at hand took no time
        page.markdown(
            f"\n{counted(int(tried.sum()), 'network')} and picture sizes, {run.facts['training_images']:,} photos to "
            f"learn from; on {page.escaped(display_choose.machine(run))}, {day(str(run.facts['date'])[:10])}, in a "
            f"budget of {counted(int(run.facts['minutes']), 'minute')}; {kept(int(known.sum()))}\n"
        )


def kept(number: int) -> str:
    """Whether earlier runs of the command had done some of the work, as the end of a sentence."""
    if not number:
        return "no features were known before."
    return f"the features of {counted(number, 'network')} were kept from earlier runs of the command."


@page.or_note()
def table(name: str) -> None:
    """Every candidate on one set."""
    run = display_choose.found(name)
    rows = []
    for _, row in run.table.iterrows():
        accuracy, low, high = value(run, row)
        looked = pd.notna(row["test_accuracy"])
        rows.append(
            {
                "Network": label(row),
                "Right": share(accuracy, low, high) if pd.notna(accuracy) else "–",
                "On": "test photos" if looked else f"{row['photos']:,.0f} by cross-validation",
                "Behind the best": ""
                if pd.isna(row["behind_low"])
                else f"{100 * row['behind_low']:+.1f} to {100 * row['behind_high']:+.1f}".replace("-", "−"),
                "Images per second": row["images_per_sec"],
                "Verdict": choice.VERDICTS[row["verdict"]],
            }
        )
    page.table(
        pd.DataFrame(rows),
        f"Networks on {run.dataset}. Behind the best: in points, on the same photos, with the "
        f"{run.facts['level']:.0%} interval; those dropped early were judged on fewer photos.",
        label=f"tbl-choose-{name}",
        link=relative(run.paths[""]),
        formats={"Images per second": "{:.0f}"},
    )


@page.or_note()
def order() -> None:
    """Does ImageNet's best win on each set, in a sentence each."""
    lines = []
    for run in runs():
        known = run.table.dropna(subset=["imagenet_top1"]) if "imagenet_top1" in run.table else run.table.iloc[:0]
        known = known[known["cv_accuracy"].notna()]
        if len(known) < 2:
            continue
        first = known.loc[known["imagenet_top1"].idxmax()]
        how = {
            "best": "is the best here, too",
            "ahead": "is ahead on the few photos that time allowed",
            "tied": "cannot be told apart from the best here",
            "behind": f"is really behind {label(run.best)} here",
        }.get(first["verdict"], "was not judged")
        there = f"{label(first)} ({first['imagenet_top1']:.1f}% there)"
        lines.append(f"On {run.dataset} ImageNet’s best, {there}, {how}.")
    said = page.escaped(" ".join(lines)) if lines else "ImageNet’s accuracies are not at hand."
    page.markdown(f"\n{said}\n")


@page.or_note()
def order_table() -> None:
    """ImageNet's order beside each set's, with intervals, for weights whose top-1 is published."""
    there = runs()
    known = [run.table.dropna(subset=["imagenet_top1"]) for run in there if "imagenet_top1" in run.table]
    if not known:
        return
    names = pd.concat(known).drop_duplicates(choice.KEY).sort_values("imagenet_top1", ascending=False, kind="stable")
    rows = []
    for _, one in names.iterrows():
        shown = {"Network": label(one), "ImageNet top-1": one["imagenet_top1"]}
        for run in there:
            own = run.table[(run.table[choice.KEY] == one[choice.KEY]).all(axis=1)]
            got = value(run, own.iloc[0]) if len(own) and pd.notna(own.iloc[0]["cv_accuracy"]) else None
            shown[run.dataset] = share(*got) if got else "–"
            if got and own.iloc[0]["photos"] < run.best["photos"]:
                shown[run.dataset] += f", on {own.iloc[0]['photos']:,.0f} photos alone"
        rows.append(shown)
    page.table(
        pd.DataFrame(rows),
        "ImageNet’s order, and what a probe on the same networks gets on each set, with intervals. Networks at the "
        "size that their published accuracy belongs to; those dropped early learned from fewer photos, which costs "
        "accuracy.",
        label="tbl-choose-order",
        link=relative(there[0].paths[""]),
        formats={"ImageNet top-1": "{:.1f}"},
    )


@page.or_note()
def curve() -> None:
    """Would more photos help, a sentence a set."""
    lines = [f"{run.dataset}: {text}" for run in runs() for text in run.facts["said"][1:2] if text]
    page.markdown("\n" + page.escaped(" ".join(lines)) + "\n")


@page.or_note()
def confusion() -> None:
    """Which classes are taken for which others, the most frequent of each set."""
    rows = [
        {"Photos": run.dataset, "Class": row.label, "Taken for": row.predicted, "So many": row.photos, "Of": row.of}
        for run in runs() if "-confusion" in run.parts
        for row in run.parts["-confusion"].head(CONFUSED).itertuples()
    ]  # fmt: skip
    if not rows:
        return
    page.table(
        pd.DataFrame(rows),
        "Classes that the best network’s probe takes for others most often, in photos that it had not seen.",
        label="tbl-choose-confusion",
        link=relative(next(run.paths["-confusion"] for run in runs() if "-confusion" in run.parts)),
    )


@page.or_note()
def hurry() -> None:
    """From photos to an app: what each of the three commands printed, from the tables that they left."""
    run, found = runs()[0], [one for one in photo_results.pets() if "kept" in one.facts]
    trained = [one for one in found if one.facts.get("checksum") == run.facts["checksum"]]
    before = int((run.table["seconds"].eq(0) & run.table["photos"].gt(0)).sum())
    again = f", where {kept(before).rstrip('.')}" if before else ""
    steps = [(f"make choose DATA={run.dataset}", run.facts["said"][0], f"{duration(run.facts['seconds'])}{again}.")]
    if trained:
        one = max(trained, key=lambda found: str(found.facts.get("date", "")))
        error, spent = one.facts["error_rate"], one.tables[""].seconds.sum()
        steps.append(
            (
                f"make train DATA={run.dataset}",
                f"{one.facts['arch']}, the {one.facts['kept']}: right on {1 - error['test']:.1%} of "
                f"{one.facts['test_images']:,} test photos.",
                f"{duration(float(spent))} of training.",
            )
        )
    loads = photo_results.loads()
    if loads:
        row = loads[0].tables[""].iloc[0]
        steps.append(
            ("make demo", f"An app in the browser; {row.arch} answers a photo in {row.photo_ms:.0f} milliseconds.", "")
        )
    for number, (command, printed, took) in enumerate(steps, 1):
        page.markdown(f"\n{number}. `{command}`\n\n   {page.escaped(printed)} {page.escaped(took)}\n")


def cheaper() -> str:
    """What is as good and faster, on the first set, as text; '' where nothing is."""
    try:
        found = runs()
    except DataMissing:
        return ""
    told = []
    for run in found:
        other = choose_table.cheaper(run.table)
        if other is not None:
            faster = other["images_per_sec"] / run.best["images_per_sec"]
            told.append(f"on {run.dataset} {label(other)} is {faster:.1f} times as fast")
    return f"A tie is worth something: {listing(told)}, and not told apart from the best." if told else ""
