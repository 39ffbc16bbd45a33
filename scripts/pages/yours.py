"""What the page about the reader's own machine says: measured and predicted speeds, the frontier with its uncertainty,
what to measure next; and, for the method page, how well the predictions do.

    from scripts.pages import yours
    yours.frontier()                 # prints Markdown, in a cell with `#| output: asis`
    yours.evaluation()               # the same, for the method page; from report/data alone

Without timm's tables, or with too few measurements, the predictions give way to one line that says so, and what was
measured is still shown.
"""

from __future__ import annotations

import functools
from types import SimpleNamespace

import pandas as pd

from scripts.common import families, hardware
from scripts.common.errors import UserError
from scripts.common.words import images_per_second
from scripts.data import measured
from scripts.pages import method, page
from scripts.pages.content import Missing
from scripts.predict import (
    choice as predict_choice,
    command as predict_command,
    design as predict_design,
    evaluate as predict_evaluate,
    speeds,
)

WORDS = {"fast": "Fast", "balanced": "Balanced", "accurate": "Accurate"}
PARTS = {"infer": "inference", "train": "a training step", "latency": "one picture at a time"}


@functools.lru_cache(maxsize=4)
def _made(part: str = "infer") -> tuple[speeds.Prediction | None, str]:
    """(prediction, why there is none)."""
    try:
        return speeds.here(part), ""
    except UserError as error:
        return None, str(error)


@functools.lru_cache(maxsize=1)
def _edge() -> pd.DataFrame:
    return predict_choice.frontier(_made()[0])


def facts() -> SimpleNamespace:
    """For prose: name (of the machine), used (measurements), within (the factor that half of the predicted networks'
    90% intervals stay within), and words: how many networks were measured and predicted."""
    made, _ = _made()
    if made is None:
        try:
            rows = speeds.machine_rows()
        except UserError:
            return SimpleNamespace(
                name="no machine yet", used=0, within=Missing("nan"), words="nothing has been measured yet"
            )
        return SimpleNamespace(
            name=page.text(rows["hardware_name"].iloc[0]),
            used=len(rows),
            within=Missing("nan"),
            words=f"{len(rows)} networks were measured, and no others predicted yet",
        )
    guessed = made.networks[made.networks["status"] == "predicted"]
    return SimpleNamespace(
        name=page.text(made.hardware_name),
        used=made.used,
        within=float(((guessed["high"] / guessed["low"]) ** 0.5).median()) if len(guessed) else Missing("nan"),
        words=f"{made.used} networks were measured, and {len(guessed):,} others predicted from these and from timm's "
        "tables",
    )


def trust() -> None:
    """How wide the predictions' intervals are, and how well predictions did on machines that were left out; of the
    two what is known.
    """
    within, e = facts().within, method.evaluation_facts()
    if within == within:
        print(
            f"\nHalf of the predicted networks' 90% intervals stay within a factor of {within:.2f} either way. "
            "Intervals are as wide as was needed on machines that were left out in turn.\n"
        )
    if e.tables:
        print(
            f"\nTested on each machine in turn, itself left out and {predict_evaluate.MAIN} of its networks "
            f"measured, the median error is at most {e.gpu:.1%} on any inference table of a graphics card, {e.cpu:.1%} "
            f"on any of a processor and {e.train:.1%} on any training table, and "
            f"between {e.covered_least:.0%} and {e.covered_most:.0%} of a machine's speeds lay in their interval. "
            f"Scaling the table of the most similar machine did better on {e.beaten} "
            f"of {e.tables} tables, and, over all of a machine's tables, on {e.machines_beaten} of {e.machines} "
            "machines.\n"
        )


def notes() -> None:
    """What a reader should know of the measurements, or why nothing is predicted."""
    made, why = _made()
    lines = [why] if made is None else list(made.notes)
    if not lines:
        return
    title = "Nothing is predicted" if made is None else "About these measurements"
    body = "".join(f"<li>{page.escaped(line)}</li>" for line in lines)
    print(f"\n::: {{.callout-{'warning' if made is None else 'note'}}}\n## {title}\n")
    page.html(f"<ul>{body}</ul>")
    print("\n:::\n")


def _interval(row) -> str:
    return f"{images_per_second(row.low)} to {images_per_second(row.high)}"


def picks() -> None:
    """The pick for each need, and how sure it is."""
    made, _ = _made()
    if made is None:
        return
    rows = predict_choice.picks(made)
    shown = pd.DataFrame(
        {
            "You need it": rows["need"].map(WORDS),
            "Model": rows["model"],
            "Pixels": rows["img_size"].astype(int),
            "Top-1 (%)": rows["top1"],
            "Images/s": rows["samples_per_sec"],
            "90% interval": [_interval(row) for row in rows.itertuples()],
            "How": rows["status"],
            "Sure": rows["sure"],
            "Else most likely": rows["rival"].replace("", "–"),
            "To be sure, measure": [" and ".join(names) or "–" for names in rows["measure"]],
        }
    )
    page.table(
        shown,
        "The most accurate model that is fast enough, and in what share of the possible speeds it stays that: fast "
        "means among the fastest tenth, balanced at "
        "least as fast as the median. The last column names the one or two models that decide between a pick and its "
        "likeliest rival.",
        label="tbl-yours-picks",
        formats={"Top-1 (%)": "{:.1f}", "Images/s": images_per_second, "90% interval": str, "Sure": "{:.0%}"},
    )
    wanted = list(dict.fromkeys(name for names in rows["measure"] for name in names))
    if wanted:
        print(f"\n```bash\npython -m scripts.bench.sweep --models {' '.join(wanted)}\n```\n")


def measure_next() -> None:
    """Which one or two models to measure to be surer of the frontier, with the command."""
    made, _ = _made()
    if made is None:
        count = measured_count()
        kind = "gpu" if hardware.has_gpu() else "cpu"
        try:
            wanted = predict_design.design(20, kind) if count < 20 else []
        except UserError:
            wanted = []
        if wanted:
            print(
                "\nThe most telling models to measure:\n\n```bash\npython -m scripts.bench.sweep --models "
                f"{' '.join(wanted)}\n```\n"
            )
        return
    rows = predict_choice.measure_next(made, _edge())
    if rows.empty:
        print("\nNothing on the frontier is open: measuring more would not change it.\n")
        return
    said = " and ".join(f"{page.code(row.arch)} ({row.gain:.0%} of what is open)" for row in rows.itertuples())
    names = " ".join(rows["arch"])
    print(
        f"\nTo be surer of the frontier, measure `{said}`{{=html}}:\n\n```bash\npython -m scripts.bench.sweep "
        f"--models {names}\n```\n"
    )


def measured_count() -> int:
    try:
        return len(speeds.machine_rows())
    except UserError:
        return 0


def frontier() -> None:
    """The expected frontier as a table, fastest first, with how sure each place is."""
    made, _ = _made()
    if made is None:
        return
    rows = _edge()[_edge()["expected"]]
    shown = pd.DataFrame(
        {
            "Model": rows["model"],
            "Pixels": rows["img_size"].astype(int),
            "Family": rows["family"].map(families.label),
            "Top-1 (%)": rows["top1"],
            "Images/s": rows["samples_per_sec"],
            "90% interval": [_interval(row) for row in rows.itertuples()],
            "How": rows["status"],
            "On the frontier": rows["sure"],
        }
    )
    page.table(
        shown,
        "The expected frontier, fastest first, and how probable it is that a model is on it.",
        label="tbl-yours-frontier",
        formats={
            "Top-1 (%)": "{:.1f}",
            "Images/s": images_per_second,
            "90% interval": str,
            "On the frontier": "{:.0%}",
        },
    )


def other_parts() -> None:
    """The frontier's models in training and at batch 1, where that was measured and tables allow it."""
    made, _ = _made()
    if made is None:
        return
    rows = _edge()[_edge()["expected"]].drop_duplicates(speeds.KEY)
    shown = pd.DataFrame({"Network": rows["arch"], "Pixels": rows["img_size"].astype(int)})
    formats = {}
    for part, name in (("train", "Training (images/s)"), ("latency", "One picture (ms)")):
        other, _ = _made(part)
        if other is not None:
            speed = other.networks.set_index(speeds.KEY).reindex(pd.MultiIndex.from_frame(rows[speeds.KEY]))
            value, low, high = (speed[c].to_numpy(float) for c in ("samples_per_sec", "low", "high"))
            if part == "latency":
                value, low, high = 1000 / value, 1000 / high, 1000 / low
            shown[name] = [
                None if pd.isna(v) else f"{images_per_second(v)} ({images_per_second(lo)} to {images_per_second(hi)})"
                for v, lo, hi in zip(value, low, high)
            ]
            formats[name] = str
    if formats:
        page.table(
            shown,
            "The same models in a training step and one picture at a time, with 90% intervals. – : too unlike what "
            "was measured.",
            label="tbl-yours-others",
            formats=formats,
        )


def check() -> None:
    """Measured on this machine by design against predicted, as found; a line on how to make it where it was not
    measured.
    """
    try:
        compared, about = predict_command.read_check(measured.machine())
    except UserError:
        print(
            "\nThis machine has not been checked yet: `python -m scripts.perf.predict --measure` measures twenty "
            "models, predicts thirty others and measures them too.\n"
        )
        return
    found = predict_command.checked(compared)
    print(
        f"\nOn this machine, {about['used']} measured models of the design predicted {found['networks']} others, "
        "which were then measured too: half of the "
        f"predictions are off by less than {found['median_error']:.0%}, nine in ten by less than "
        f"{found['p90_error']:.0%}; the rank correlation is "
        f"{found['spearman']:.3f}, and {found['coverage']:.0%} of the measured speeds lie within their 90% interval.\n"
    )
    page.chart("predicted_check")
