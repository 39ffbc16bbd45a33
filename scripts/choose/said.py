"""What a race comes to, in words and as a table on the terminal."""

from __future__ import annotations

import math
import shlex

import pandas as pd

from scripts.choose import compare
from scripts.choose.look import WORTH, Forecast
from scripts.choose.table import cheaper
from scripts.common.words import counted, images_per_second
from scripts.train import choice


def label(row: pd.Series) -> str:
    """tf_efficientnet_lite0 at 224 pixels."""
    known = {"random": " with random weights"}.get(row["weights"], "")
    return (
        row["backbone"]
        if row["backbone"] == "colour histogram"
        else f"{row['backbone']}{known} at {row['img_size']:.0f} pixels"
    )


def share(value: float, low: float, high: float) -> str:
    """99.3% (98.8 to 99.6%)."""
    return f"{100 * value:.1f}% ({100 * low:.1f} to {100 * high:.1f}%)"


def measured(row: pd.Series) -> tuple[float, float, float, str]:
    """(accuracy, low, high, on what): on the test photos where they were looked at, else by cross-validation."""
    test = not math.isnan(row["test_accuracy"])
    name = "test" if test else "cv"
    return (
        row[f"{name}_accuracy"],
        row[f"{name}_low"],
        row[f"{name}_high"],
        "test photos" if test else "photos, each by a probe that had not seen it",
    )


def sentence(frame: pd.DataFrame, test_photos: int, balanced: bool = False) -> str:
    """The model, how sure, what is tied with it and cheaper."""
    best = frame.iloc[0]
    value, low, high, on = measured(best)
    count = test_photos if on == "test photos" else int(best["photos"])
    said = (
        f"{label(best)}: a probe on its features is right on {share(value, low, high)} of {count:,} {on}"
        f"{', each class counted the same' if balanced else ''} ({100 * compare.LEVEL:.0f}% interval)."
    )
    tied = frame[(frame["verdict"] == "tied") & (frame["photos"] == best["photos"])]
    other = cheaper(frame)
    if other is not None:
        faster = other["images_per_sec"] / best["images_per_sec"]
        ahead = 100 * other["behind"]
        said += (
            f" {label(other)} cannot be told apart from it on these photos ({ahead:+.1f} points, "
            f"{100 * other['behind_low']:+.1f} to {100 * other['behind_high']:+.1f}) and is {faster:.1f} times as fast."
        )
    elif len(tied):
        said += f" {counted(len(tied), 'other')} cannot be told apart from it, none of them faster."
    elif (frame["verdict"] == "behind").any() and frame["verdict"].iloc[1:].isin(["behind", "floor", "failed"]).all():
        said += " It is really ahead of all the others."
    return said


def unfinished(frame: pd.DataFrame) -> str:
    """Which networks time cut short that may be the better ones; '' where none was."""
    rest = frame[frame["verdict"].isin(["tied", "ahead", "untried"]) & (frame["photos"] < frame["photos"].iloc[0])]
    rest = rest[(rest["weights"] != "random") & (rest["backbone"] != "colour histogram")]
    if rest.empty:
        return ""
    return (
        f"Time was too short to judge {counted(len(rest), 'network')} on all photos that may be as good or better; the "
        "same command goes on from here, with a larger MINUTES."
    )


def more_photos(found: Forecast | None, curve: pd.DataFrame) -> str:
    """Whether more photos would help."""
    if found is None:
        return ""
    first, last = curve.iloc[0], curve.iloc[-1]
    rose = (
        f"from {first['photos']:,.0f} to {last['photos']:,.0f} photos to learn from its accuracy went from "
        f"{100 * first['accuracy']:.1f} to {100 * last['accuracy']:.1f}%"
    )
    would = f"at this pace twice as many would bring about {found.gain:.1f} points"
    return f"More photos {'would help' if found.gain >= WORTH else 'would hardly help'}: {rose}; {would}."


def confused(table: pd.DataFrame, most: int = 3) -> str:
    """Which classes are taken for which others."""
    if table.empty:
        return "No class is taken for another."
    shown = [f"{row.label} for {row.predicted} ({row.photos} of {row.of})" for row in table.head(most).itertuples()]
    return f"Taken for another most often: {'; '.join(shown)}."


def text_table(frame: pd.DataFrame) -> str:
    """The table for a terminal."""
    head = ["backbone", "px", "photos", "right (CV)", "right (test)", "behind the best", "photos/s", ""]
    lines = [head]
    for _, row in frame.iterrows():
        name = row["backbone"] + (" (random)" if row["weights"] == "random" else "")
        lines.append(
            [
                name[:44],
                f"{row['img_size']:.0f}",
                f"{row['photos']:,.0f}",
                "" if math.isnan(row["cv_accuracy"]) else share(row["cv_accuracy"], row["cv_low"], row["cv_high"]),
                ""
                if math.isnan(row["test_accuracy"])
                else share(row["test_accuracy"], row["test_low"], row["test_high"]),
                ""
                if math.isnan(row["behind"])
                else f"{100 * row['behind_low']:+.1f} to {100 * row['behind_high']:+.1f}",
                "" if math.isnan(row["images_per_sec"]) else images_per_second(row["images_per_sec"]),
                choice.VERDICTS[row["verdict"]]
                + (f"; {row['note']}" if row["note"] and row["verdict"] != "floor" else ""),
            ]
        )
    widths = [max(len(line[at]) for line in lines) for at in range(len(head) - 1)]
    padded = [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:-1], widths[1:]), line[-1]]).rstrip()
        for line in lines
    ]
    return "\n".join(padded)


def next_command(data: str) -> str:
    return f"make train DATA={shlex.quote(data)}"
