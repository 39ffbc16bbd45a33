"""What the method page says: which rows were joined, how predictions were tested, and the steps on a graphics card."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pandas as pd

from scripts.bench import gpu
from scripts.common import hardware
from scripts.common.errors import UserError
from scripts.common.paths import DATA
from scripts.common.tables import read_table
from scripts.pages import page
from scripts.pages.content import MISSING
from scripts.predict import evaluate as predict_evaluate

PERCENT = "{:.1%}"


@page.or_note()
def join_audit() -> None:
    """What the join of speeds with accuracies did to each of timm's tables."""
    counts = ["results", "matched", "renamed", "wrong_size", "dropped", "timed_only"]
    named = ["vintage", "file", "date"]
    table = read_table(DATA / "joins.csv", required=named, numeric=counts, key=named[:2])
    table[counts] = table[counts].astype(int)
    page.table(
        {
            "Table": _bare(table["file"]),
            "Last changed": table["date"],
            "Accuracies": table["results"],
            "Matched": table["matched"],
            "of these renamed": table["renamed"],
            "Other size only": table["wrong_size"],
            "Not timed": table["dropped"],
            "Timed, no accuracy": table["timed_only"],
        },
        "The join, table by table: how many published accuracies found their speed.",
        label="tbl-joins",
        link="report/data/joins.csv",
    )


def _bare(files) -> pd.Series:
    """Names of tables without what all have."""
    return files.str.removeprefix("benchmark-").str.removesuffix(".csv")


def _rivals(found: pd.DataFrame) -> dict:
    """The columns of the simple rivals' errors."""
    names = {"similar": "Similar machine, scaled", "gmacs": "GMACs only", "activations": "Activations only"}
    return {title: (found[name], PERCENT) for name, title in names.items()}


def evaluation() -> None:
    """For the method page: errors and coverage with each machine left out, against simple rivals; by number of
    measurements; by kind of network."""
    try:
        frame = predict_evaluate.table()
    except UserError:
        page.note("Not computed yet", "`make data` evaluates the predictions.")
        return
    link = "report/data/predict-evaluation.csv"
    machines, generation, new = (
        predict_evaluate.by_machine(frame, case).set_index("machine") for case in ("like", "generation", "new")
    )
    generation, new = generation.reindex(machines.index), new.reindex(machines.index)
    own = generation["model"].fillna(machines["model"])  # where its generation has no other
    page.table(
        {
            "Machine": [hardware.named(slug).name for slug in machines.index],
            "Tables": (machines["tables"], "{:.0f}"),
            "Median error": (machines["model"], PERCENT),
            "Its generation left out": (own.where(machines["kind"] == "gpu"), PERCENT),
            "A new kind": (new["model"], PERCENT),
            "Rank correlation": (machines["spearman"], "{:.3f}"),
            "In the 90% interval": (machines["coverage"], "{:.0%}"),
            "As a new kind": (new["coverage"], "{:.0%}"),
            **_rivals(machines),
        },
        f"By machine, {predict_evaluate.MAIN} networks measured: medians over its tables of inference (coverage: "
        "mean). First the machine alone is left out, then every card of its generation, then all like it: only cards "
        "of one distant generation are known, or no processor. The last three columns are the median errors of simple "
        "rivals with the same measurements, the machine alone left out.",
        label="tbl-predict-by-machine",
        link=link,
    )
    every, frame = frame[frame["measured"] == predict_evaluate.MAIN], frame[frame["case"] == "like"]
    main = every[every["case"] == "like"]
    ours = main[main["method"] == "model"].set_index("file")
    new = every[(every["case"] == "new") & (every["method"] == "model")].set_index("file").reindex(ours.index)
    page.table(
        {
            "Table": _bare(ours.index),
            "Networks": ours["networks"].astype(int),
            "Median error": (ours["median_error"], PERCENT),
            "90% below": (ours["p90_error"], PERCENT),
            "Rank correlation": (ours["spearman"], "{:.3f}"),
            "In the 90% interval": (ours["coverage"], "{:.0%}"),
            "A new kind": (new["median_error"], PERCENT),
            **_rivals(main.pivot(index="file", columns="method", values="median_error").reindex(ours.index)),
        },
        f"Table by table: how far off speeds are when {predict_evaluate.MAIN} networks are measured and the others "
        "predicted, with every table of that hardware left out; *a new kind*: the median error with those like it left "
        "out, too; the last three columns are the median errors of simple rivals with the same measurements. Training "
        "tables: predicted from inference tables of other hardware.",
        label="tbl-predict-machines",
        link=link,
    )
    infer = frame[(frame["method"] == "model") & (frame["part"] == "infer")]
    grid = infer.pivot_table(index="machine", columns="measured", values="median_error", aggfunc="median")
    page.table(
        {
            "Machine": [hardware.named(slug).name for slug in grid.index],
            **{f"{int(number)} measured": (grid[number], PERCENT) for number in grid},
        },
        "Median error by the number of networks measured (median over a machine's tables).",
        label="tbl-predict-number",
        link=link,
    )
    if (DATA / "predict-networks.csv").exists():
        numbers = ["networks", "median_error", "p90_error"]
        kinds = read_table(DATA / "predict-networks.csv", required=["case", "kind", "network"], numeric=numbers)
        kinds = kinds[kinds["case"] == "like"]
        page.table(
            {
                "Processor": kinds["kind"].map({"gpu": "GPU", "cpu": "CPU"}),
                "Kind of network": kinds["network"],
                "Predictions": (kinds["networks"], "{:,.0f}"),
                "Median error": (kinds["median_error"], PERCENT),
                "90% below": (kinds["p90_error"], PERCENT),
            },
            "The same by kind of network.",
            label="tbl-predict-kinds",
            link="report/data/predict-networks.csv",
        )


def evaluation_facts() -> SimpleNamespace | None:
    """For prose: worst median errors over GPU and CPU tables of inference (new_gpu, new_cpu: as of a new kind) and over
    training tables, least and most coverage by machine (covered: by case), and on how many of how many tables, and of
    how many machines, the best rival does better; None where nothing was evaluated."""
    try:
        frame = predict_evaluate.table()
    except UserError:
        return None
    main = frame[frame["measured"] == predict_evaluate.MAIN]
    model = main[main["method"] == "model"]
    train = model.loc[(model["case"] == "like") & (model["part"] == "train"), "median_error"].max()
    main, model = main[main["part"] == "infer"], model[model["part"] == "infer"]
    ours = model[model["case"] == "like"].set_index("file")
    rivals = main[(main["case"] == "like") & (main["method"] != "model")]
    best = rivals.groupby("file")["median_error"].min().reindex(ours.index)
    worst = model.groupby(["case", "kind"])["median_error"].max()
    coverage = {case: predict_evaluate.by_machine(frame, case)["coverage"] for case in ("like", "new")}
    machines = predict_evaluate.by_machine(frame)
    return SimpleNamespace(
        gpu=worst.get(("like", "gpu"), MISSING),
        cpu=worst.get(("like", "cpu"), MISSING),
        train=train if train == train else MISSING,
        new_gpu=worst.get(("new", "gpu"), MISSING),
        new_cpu=worst.get(("new", "cpu"), MISSING),
        covered={case: (share.min(), share.max()) for case, share in coverage.items()},
        tables=len(ours),
        beaten=int((best < ours["median_error"]).sum()),
        machines=len(machines),
        machines_beaten=int((machines[list(predict_evaluate.RIVALS)].min(axis=1) < machines["model"]).sum()),
    )


DEVICES = {  # what a table's name says -> for people, --device
    "cpu": ("Processor", "cpu"),
    "cu": ("NVIDIA GPU", "cuda"),
    "rocm": ("AMD GPU (ROCm)", "cuda"),
    "mps": ("Apple GPU (Metal)", "mps"),
    "xpu": ("Intel GPU", "xpu"),
}


def ran_where() -> None:
    """Which kinds of device the code has run on: those of the committed tables; the others were rehearsed."""
    rows = []
    for said, (name, option) in DEVICES.items():
        count = sum(len([*DATA.glob(f"benchmark-*-{part}-*.csv")]) for part in (f"pt*-{said}[0-9]*", said))
        rehearsed = "no GPU of this kind yet: its functions and names are tested with stand-ins on a processor"
        rows.append((name, page.Html(f"<code>--device {option}</code>"), count, "measured" if count else rehearsed))
    page.table(
        pd.DataFrame(rows, columns=["Device", "Option", "Tables here", "What has run"]),
        "What has run where. Whatever PyTorch knows as an accelerator is measured, trained and chosen on by the same "
        "commands; all that differs between devices stands in scripts/common/device.py.",
        label="tbl-ran-where",
        formats={"Tables here": "{:.0f}"},
    )


def gpu_steps() -> None:
    """The GPU's measurements, step by step."""
    shown = pd.DataFrame(
        [
            (name, _with_code(what[:1].upper() + what[1:]), minutes, _command(arguments))
            for name, (minutes, what, arguments) in gpu.STEPS.items()
        ],
        columns=["Step", "What it measures", "Minutes expected", "Command"],
    )
    yet = "" if any(DATA.glob("benchmark-*-cu*-*.csv")) else "; none has been run on a card yet"
    page.table(
        shown,
        f"The steps of make bench-gpu. The minutes are what a card like the H200 is expected to take{yet}.",
        label="tbl-gpu-steps",
        formats={"Minutes expected": "{:.0f}"},
    )


def _with_code(words: str) -> page.Html:
    """Words in which `…` is code."""
    return page.Html(re.sub(r"`([^`]+)`", r"<code>\1</code>", page.escaped(words)))


def _command(arguments: list[str]) -> page.Html:
    """A sweep's command; no line ends within an option."""
    parts = [f'<span class="text-nowrap">{page.escaped(part)}</span>' for part in arguments]
    return page.Html(f"<code>scripts.bench.sweep {' '.join(parts)}</code>")
