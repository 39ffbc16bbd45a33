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
from scripts.pages.content import Missing
from scripts.predict import (
    evaluate as predict_evaluate,
)


@page.or_note()
def join_audit() -> None:
    """What the join of speeds with accuracies did to each of timm's tables."""
    counts = ["results", "matched", "renamed", "wrong_size", "dropped", "timed_only"]
    named = ["vintage", "file", "date"]
    table = read_table(DATA / "joins.csv", required=named, numeric=counts, key=named[:2])
    table[counts] = table[counts].astype(int)
    table = table[["file", "date", *counts]]
    table["file"] = table["file"].str.removeprefix("benchmark-").str.removesuffix(".csv")
    table.columns = [
        "Table",
        "Last changed",
        "Accuracies",
        "Matched",
        "of these renamed",
        "Other size only",
        "Not timed",
        "Timed, no accuracy",
    ]
    page.table(
        table,
        "The join, table by table: how many published accuracies found their speed.",
        label="tbl-joins",
        link="report/data/joins.csv",
    )


def evaluation() -> None:
    """For the method page: errors and coverage with each machine left out, against simple rivals; by number of
    measurements; by kind of network.
    """
    try:
        frame = predict_evaluate.table()
    except UserError:
        print("\n::: {.callout-note}\n## Not computed yet\n`make data` evaluates the predictions.\n:::\n")
        return
    percent = "{:.1%}".format
    machines = predict_evaluate.by_machine(frame)
    harder = {
        case: predict_evaluate.by_machine(frame, case).set_index("machine").reindex(machines["machine"])
        for case in ("generation", "new")
    }
    own = harder["generation"]["model"].fillna(machines.set_index("machine")["model"])
    shown = pd.DataFrame(
        {
            "Machine": [hardware.named(slug).name for slug in machines["machine"]],
            "Tables": machines["tables"],
            "Median error": machines["model"],
            "Its generation left out": own.where(machines.set_index("machine")["kind"] == "gpu").to_numpy(),
            "A new kind": harder["new"]["model"].to_numpy(),
            "Rank correlation": machines["spearman"],
            "In the 90% interval": machines["coverage"],
            "As a new kind": harder["new"]["coverage"].to_numpy(),
            "Similar machine, scaled": machines["similar"],
            "GMACs only": machines["gmacs"],
            "Activations only": machines["activations"],
        }
    )
    page.table(
        shown,
        f"By machine, {predict_evaluate.MAIN} networks measured: medians over its tables of inference (coverage: "
        "mean). First the machine alone is left out, then every card of its generation, then all like it: only cards "
        "of one distant generation are known, or no processor. The last three columns are the median errors of simple "
        "rivals with the same measurements, the machine alone left out.",
        label="tbl-predict-by-machine",
        link="report/data/predict-evaluation.csv",
        formats={
            "Tables": "{:.0f}",
            "Rank correlation": "{:.3f}",
            "In the 90% interval": "{:.0%}",
            "As a new kind": "{:.0%}",
            **dict.fromkeys(
                (
                    "Median error",
                    "Its generation left out",
                    "A new kind",
                    "Similar machine, scaled",
                    "GMACs only",
                    "Activations only",
                ),
                percent,
            ),
        },
    )
    frame, every = frame[frame["case"] == "like"], frame
    main = frame[(frame["measured"] == predict_evaluate.MAIN)]
    new = every[(every["measured"] == predict_evaluate.MAIN) & (every["case"] == "new") & (every["method"] == "model")]
    ours = main[main["method"] == "model"].set_index("file")
    rivals = main.pivot(index="file", columns="method", values="median_error").reindex(ours.index)
    shown = pd.DataFrame(
        {
            "Table": ours.index.str.removeprefix("benchmark-").str.removesuffix(".csv"),
            "Networks": ours["networks"].astype(int),
            "Median error": ours["median_error"],
            "90% below": ours["p90_error"],
            "Rank correlation": ours["spearman"],
            "In the 90% interval": ours["coverage"],
            "A new kind": new.set_index("file")["median_error"].reindex(ours.index),
            "Similar machine, scaled": rivals["similar"],
            "GMACs only": rivals["gmacs"],
            "Activations only": rivals["activations"],
        }
    )
    page.table(
        shown,
        f"Table by table: how far off speeds are when {predict_evaluate.MAIN} networks are measured and the others "
        "predicted, with every table of that hardware left out; *a new kind*: the median error with those like it left "
        "out, too; the last three columns are the median errors of simple rivals with the same measurements. Training "
        "tables: predicted from inference tables of other hardware.",
        label="tbl-predict-machines",
        link="report/data/predict-evaluation.csv",
        formats={
            "Rank correlation": "{:.3f}",
            "In the 90% interval": "{:.0%}",
            **dict.fromkeys(
                (
                    "Median error",
                    "90% below",
                    "A new kind",
                    "Similar machine, scaled",
                    "GMACs only",
                    "Activations only",
                ),
                percent,
            ),
        },
    )
    infer = frame[(frame["method"] == "model") & (frame["part"] == "infer")]
    grid = infer.pivot_table(index="machine", columns="measured", values="median_error", aggfunc="median")
    grid.insert(0, "Machine", [hardware.named(slug).name for slug in grid.index])
    grid.columns = [name if isinstance(name, str) else f"{int(name)} measured" for name in grid.columns]
    page.table(
        grid,
        "Median error by the number of networks measured (median over a machine's tables).",
        label="tbl-predict-number",
        link="report/data/predict-evaluation.csv",
        formats=dict.fromkeys(grid.columns[1:], percent),
    )
    if (DATA / "predict-networks.csv").exists():
        kinds = read_table(
            DATA / "predict-networks.csv",
            required=["case", "kind", "network"],
            numeric=["networks", "median_error", "p90_error"],
        )
        kinds = kinds[kinds["case"] == "like"].drop(columns="case")
        kinds = kinds.assign(kind=kinds["kind"].map({"gpu": "GPU", "cpu": "CPU"})).set_axis(
            ["Processor", "Kind of network", "Predictions", "Median error", "90% below"], axis=1
        )
        page.table(
            kinds,
            "The same by kind of network.",
            label="tbl-predict-kinds",
            link="report/data/predict-networks.csv",
            formats={"Predictions": "{:,.0f}", "Median error": percent, "90% below": percent},
        )


def evaluation_facts() -> SimpleNamespace:
    """For prose: worst median errors over GPU and CPU tables of inference (new_gpu, new_cpu: as of a new kind) and over
    training tables, least rank correlation on GPUs, least and most coverage by machine (covered: by case), and on how
    many of how many tables, and of how many machines, the best rival does better."""
    try:
        frame = predict_evaluate.table()
    except UserError:
        nan = Missing("nan")
        return SimpleNamespace(
            gpu=nan,
            cpu=nan,
            train=nan,
            spearman=nan,
            new_gpu=nan,
            new_cpu=nan,
            covered_least=nan,
            covered_most=nan,
            covered={},
            tables=0,
            beaten=0,
            machines=0,
            machines_beaten=0,
        )
    main = frame[frame["measured"] == predict_evaluate.MAIN]
    like = main[(main["case"] == "like") & (main["method"] == "model")]
    train = like[like["part"] == "train"]["median_error"].max()
    main = main[main["part"] == "infer"]
    covered = {}
    for case in ("like", "new"):
        share = predict_evaluate.by_machine(frame, case)["coverage"]
        covered[case] = (share.min(), share.max())
    hard = main[(main["case"] == "new") & (main["method"] == "model")].groupby("kind")["median_error"].max()
    main = main[main["case"] == "like"]
    ours = main[main["method"] == "model"].set_index("file")
    best = main[main["method"] != "model"].groupby("file")["median_error"].min().reindex(ours.index)
    machines = predict_evaluate.by_machine(frame)
    kind = ours.groupby("kind")
    return SimpleNamespace(
        gpu=kind["median_error"].max().get("gpu", Missing("nan")),
        cpu=kind["median_error"].max().get("cpu", Missing("nan")),
        train=train if train == train else Missing("nan"),
        spearman=kind["spearman"].min().get("gpu", Missing("nan")),
        new_gpu=hard.get("gpu", Missing("nan")),
        new_cpu=hard.get("cpu", Missing("nan")),
        covered_least=covered["like"][0],
        covered_most=covered["like"][1],
        covered=covered,
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
        count = len(
            list(DATA.glob(f"benchmark-*-pt*-{said}[0-9]*-*.csv")) + list(DATA.glob(f"benchmark-*-{said}-*.csv"))
        )
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
