"""What the page about the reader's own machine says: measured and predicted speeds, the frontier with its uncertainty,
what to measure next.

    from scripts.pages import yours
    yours.frontier()                 # prints Markdown, in a cell with `#| output: asis`

What is predicted was kept by `make predict` (scripts/predict/stored.py). Where nothing was, one line says why, and what
was measured is still shown.
"""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from scripts.common import families, hardware
from scripts.common.errors import UserError
from scripts.common.paths import DATA
from scripts.common.provenance import sha256
from scripts.common.words import images_per_second
from scripts.data import measured
from scripts.pages import home, method, page
from scripts.pages.content import MISSING
from scripts.predict import command as predict_command, design as predict_design, kinds, speeds, stored
from scripts.predict.evaluate import MAIN


def _kept() -> tuple[stored.Stored | None, str]:
    """(this machine's predictions, why there are none)."""
    try:
        return stored.read(), ""
    except UserError as error:
        return None, str(error)


def _stale(kept: stored.Stored) -> list[str]:
    """A line where something was measured since."""
    try:
        same = speeds.machine_rows()["file"].iloc[0] == kept.file and kept.sha256 == sha256(DATA / kept.file)
    except (UserError, OSError):
        same = True  # what the predictions were made from is not here: they stand as they are
    return [] if same else ["Measured again since these predictions were made: `make predict` makes them anew."]


def facts() -> SimpleNamespace:
    """For prose: name (of the machine), used (measurements), within (the factor that half of the predicted networks'
    90% intervals stay within), and words: how many networks were measured and predicted."""
    kept, _ = _kept()
    if kept is None:
        try:
            rows = speeds.machine_rows()
        except UserError:
            name, used, words = "no machine yet", 0, "nothing has been measured yet"
        else:
            name, used = page.text(rows["hardware_name"].iloc[0]), len(rows)
            words = f"{used} networks were measured, and no others predicted yet"
        return SimpleNamespace(name=name, used=used, within=MISSING, words=words)
    made = kept.parts["infer"]
    guessed = made.networks[made.networks["status"] == "predicted"]
    return SimpleNamespace(
        name=page.text(made.hardware_name),
        used=made.used,
        within=float(((guessed["high"] / guessed["low"]) ** 0.5).median()) if len(guessed) else MISSING,
        words=f"{made.used} networks were measured, and {len(guessed):,} others predicted from these and from timm's "
        "tables",
    )


def trust() -> None:
    """How wide the predictions' intervals are, and how well predictions did on machines that were left out; of the two
    what is known."""
    within, e = facts().within, method.evaluation_facts()
    if within == within:
        print(f"\nHalf of the predicted networks' 90% intervals stay within a factor of {within:.2f} either way.\n")
    if e is None:
        return
    print(
        f"\nTested on each machine in turn, itself left out and {MAIN} of its networks measured: the "
        f"median error is at most {e.gpu:.1%} on any inference table of a graphics card, {e.cpu:.1%} on any of a "
        f"processor and {e.train:.1%} on any training table. "
        "That is what to expect of a machine like those timed. Of a new kind of machine it is more: with only cards of "
        f"one other generation known up to {e.new_gpu:.1%}, with no processor known up to {e.new_cpu:.1%}.\n"
    )
    kept, _ = _kept()
    if kept:
        case, name = kept.parts["infer"].case, page.quoted(kept.parts["infer"].hardware_name)
        covered = e.covered.get(case)
        print(
            f"**{name} counts as {kinds.WORDS.get(case, 'a new kind of machine')}**: "
            + ("" if case == "like" else "no machine of its generation is among those timed. ")
            + "Its intervals are as wide as was needed in that case"
            + (f", where {covered[0]:.0%} to {covered[1]:.0%} of a machine's speeds lay in theirs" if covered else "")
            + ".\n"
        )
    print(
        f"Scaling the table of the most similar machine did better on {e.beaten} of {e.tables} tables, and, over all "
        f"of a machine's tables, on {e.machines_beaten} of {e.machines} machines.\n"
    )


def notes() -> None:
    """What a reader should know of the measurements, or why nothing is predicted."""
    kept, why = _kept()
    lines = [*_stale(kept), *kept.parts["infer"].notes] if kept else [why]
    if not lines:
        return
    title = "About these measurements" if kept else "Nothing is predicted"
    body = "".join(f"<li>{page.escaped(line)}</li>" for line in lines)
    print(f"\n::: {{.callout-{'note' if kept else 'warning'}}}\n## {title}\n")
    page.html(f"<ul>{body}</ul>")
    print("\n:::\n")


def _interval(low: float, high: float) -> str:
    return f"{images_per_second(low)} to {images_per_second(high)}"


def _speeds(rows: pd.DataFrame) -> dict:
    """The columns of accuracy and speed, and whether it was measured or predicted."""
    return {
        "Top-1 (%)": (rows["top1"], "{:.1f}"),
        "Images/s": (rows["samples_per_sec"], images_per_second),
        "90% interval": (list(map(_interval, rows["low"], rows["high"])), str),
        "How": rows["status"],
    }


def picks() -> None:
    """The pick for each need, and how sure it is."""
    kept, _ = _kept()
    if kept is None:
        return
    rows = kept.picks
    wanted = rows["measure"].str.split()
    page.table(
        {
            "You need it": rows["need"].map(home.WORDS),
            "Model": rows["model"],
            "Pixels": rows["img_size"].astype(int),
            **_speeds(rows),
            "Sure": (rows["sure"], "{:.0%}"),
            "Else most likely": rows["rival"].replace("", "–"),
            "To be sure, measure": [" and ".join(names) or "–" for names in wanted],
        },
        "The most accurate model that is fast enough, and in what share of the possible speeds it stays that: fast "
        "means among the fastest tenth, balanced at least as fast as the median. The last column names the one or two "
        "models that decide between a pick and its likeliest rival.",
        label="tbl-yours-picks",
    )
    if names := list(dict.fromkeys(name for some in wanted for name in some)):
        print(_sweep(names))


def measure_next() -> None:
    """Which one or two models to measure to be surer of the frontier, with the command."""
    kept, _ = _kept()
    if kept is None:
        kind = "gpu" if hardware.has_gpu() else "cpu"
        try:
            wanted = predict_design.design(MAIN, kind) if measured_count() < MAIN else []
        except UserError:
            wanted = []
        if wanted:
            print(f"\nThe most telling models to measure:\n{_sweep(wanted)}")
        return
    if not kept.next:
        print("\nNothing on the frontier is open: measuring more would not change it.\n")
        return
    said = " and ".join(f"{page.code(row['arch'])} ({row['gain']:.0%} of what is open)" for row in kept.next)
    wanted = [row["arch"] for row in kept.next]
    print(f"\nTo be surer of the frontier, measure `{said}`{{=html}}:\n{_sweep(wanted)}")


def _sweep(names: list[str]) -> str:
    """The command that measures them, as Markdown."""
    return f"\n```bash\npython -m scripts.bench.sweep --models {' '.join(names)}\n```\n"


def measured_count() -> int:
    try:
        return len(speeds.machine_rows())
    except UserError:
        return 0


def frontier() -> None:
    """The expected frontier as a table, fastest first, with how sure each place is."""
    kept, _ = _kept()
    if kept is None:
        return
    rows = kept.frontier[kept.frontier["expected"]]
    page.table(
        {
            "Model": rows["model"],
            "Pixels": rows["img_size"].astype(int),
            "Family": rows["family"].map(families.label),
            **_speeds(rows),
            "On the frontier": (rows["sure"], "{:.0%}"),
        },
        "The expected frontier, fastest first, and how probable it is that a model is on it.",
        label="tbl-yours-frontier",
    )


def other_parts() -> None:
    """The frontier's models in training and at batch 1, where that was measured and tables allow it."""
    kept, _ = _kept()
    if kept is None:
        return
    rows = kept.frontier[kept.frontier["expected"]].drop_duplicates(speeds.KEY)
    shown: dict = {"Network": rows["arch"], "Pixels": rows["img_size"].astype(int)}
    for part, name in (("train", "Training (images/s)"), ("latency", "One picture (ms)")):
        other = kept.parts[part].networks
        if len(other):
            speed = other.set_index(speeds.KEY).reindex(pd.MultiIndex.from_frame(rows[speeds.KEY]))
            value, low, high = (speed[c].to_numpy(float) for c in ("samples_per_sec", "low", "high"))
            if part == "latency":
                value, low, high = 1000 / value, 1000 / high, 1000 / low
            cells = [
                None if pd.isna(v) else f"{images_per_second(v)} ({_interval(lo, hi)})"
                for v, lo, hi in zip(value, low, high)
            ]
            shown[name] = (cells, str)
    if len(shown) > 2:
        page.table(
            shown,
            "The same models in a training step and one picture at a time, with 90% intervals. – : too unlike what "
            "was measured.",
            label="tbl-yours-others",
        )


def check() -> None:
    """Measured on this machine by design against predicted, as found; a line on how to make it where it was not
    measured."""
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
