"""What the pages say, computed: sentences, tables and figures that would otherwise be typed.

    from scripts.pages import content
    n = content.numbers()                # figures for inline code: n["gpu.best.top1"]
    content.answer()                     # prints Markdown, in a cell with `#| output: asis`

Everything comes from the CSVs in report/data, so that pages render where timm's tables cannot be had.
"""

from __future__ import annotations

import math
from types import SimpleNamespace

import pandas as pd

from scripts.common import families, hardware
from scripts.common.errors import UserError
from scripts.common.paths import DATA
from scripts.common.provenance import read_sidecar
from scripts.common.tables import read_table
from scripts.common.words import images_per_second
from scripts.data import measured
from scripts.findings import summary
from scripts.pages import page

VALIDATION_IMAGES = 50_000  # ImageNet's validation set
MACHINES = {"then": "{hardware}, 2022", "gpu": "{hardware}, today", "cpu": "{hardware}, today"}
WORDS = {"fast": "Fast", "balanced": "Balanced", "accurate": "Accurate"}


class Missing(float):
    """A figure that is not there: NaN, and 'n/a' in a sentence."""

    def __format__(self, _: str) -> str:
        return "n/a"

    def __str__(self) -> str:
        return "n/a"

    __repr__ = __str__


class Numbers(dict):
    """The summary's figures by key. A key that is not there says n/a on the page instead of failing it."""

    def __missing__(self, key: str) -> float:
        return Missing("nan")


def numbers() -> Numbers:
    return Numbers(summary.numbers())


def top1_standard_error(top1: float) -> float:
    """Binomial standard error in points of a top-1 accuracy (%) on ImageNet's validation set."""
    share = top1 / 100
    return 100 * math.sqrt(share * (1 - share) / VALIDATION_IMAGES)


def pick_table() -> pd.DataFrame:
    """report/data/picks.csv, numbers as numbers."""
    return read_table(
        DATA / "picks.csv",
        required=["machine", "hardware", "need", "model", "family", "vintage"],
        numeric=["floor_samples_per_sec", "img_size", "top1", "samples_per_sec", "param_count"],
        key=["machine", "need"],
    )


def answer() -> None:
    """The answer in one sentence: the balanced pick of each kind of machine, and the most accurate; by their whole
    names, for timm gives other weights to the bare name of an architecture."""
    if not (DATA / "picks.csv").exists():
        print("\n::: {.callout-note}\n## No answer yet\n`make data` computes it from timm's tables.\n:::\n")
        return
    table = pick_table().set_index(["machine", "need"])

    def named(machine: str, need: str) -> str:
        return f"**{page.text(table.model[machine, need])._repr_markdown_()}**"

    def on(machine: str) -> str:
        return hardware.named(table.hardware[machine, "balanced"]).name

    def figures(machine: str, need: str) -> str:
        where = " on ImageNet" if machine == there[0] else ""
        return (
            f"{table.top1[machine, need]:.1f}% right{where}, "
            f"{images_per_second(table.samples_per_sec[machine, need])} images a second"
        )

    there = [machine for machine in ("gpu", "cpu") if (machine, "balanced") in table.index]
    best = {table.model[machine, "accurate"]: machine for machine in there}
    sentence = "For a balance of speed and accuracy " + "; ".join(
        f"on {'an' if m == 'gpu' else 'a'} {on(m)} {'' if i else 'take '}{named(m, 'balanced')} "
        f"({figures(m, 'balanced')})"
        for i, m in enumerate(there)
    )
    if len(best) == 1 and len(there) > 1:
        sentence += (
            f"; and where only accuracy counts, on both, {named(there[0], 'accurate')} "
            f"({table.top1[there[0], 'accurate']:.1f}% right)"
        )
    else:
        sentence += "; and where only accuracy counts, " + " and ".join(
            f"{named(m, 'accurate')} on the {on(m)}" for m in there
        )
    print(f"::: {{.lead .answer}}\n{sentence}.\n:::\n" if there else "")


def picks() -> None:
    """The table of picks: needs down, machines across."""
    if not (DATA / "picks.csv").exists():
        return
    table = pick_table()
    table["cell"] = [
        page.Html(
            f'<code>{page.breakable(row.model)}</code><br><span class="facts">{row.top1:.1f}% · '
            f"{images_per_second(row.samples_per_sec)} images/s · "
            f"{row.img_size:.0f} px</span>"
        )
        for row in table.itertuples()
    ]
    wide = table.pivot(index="need", columns="machine", values="cell").reindex(
        index=list(WORDS), columns=list(MACHINES)
    )
    slugs = table.groupby("machine").hardware.first()
    wide.columns = [
        MACHINES[machine].format(hardware=hardware.named(slugs[machine]).name if machine in slugs else "no table")
        for machine in MACHINES
    ]
    wide.insert(0, "You need it", [WORDS[need] for need in wide.index])
    page.table(
        wide.iloc[:, [0, 2, 3, 1]],
        "The most accurate model that is fast enough, by need and machine: ImageNet top-1, images per second, "
        "picture size.",
        label="tbl-picks",
        link="report/data/picks.csv",
        sort=False,
    )


def then() -> str:
    """What the rule of the picks gives on the tables of the first vintage: 'LeViT, EfficientNet and BEiT'; 'n/a'
    where they are not there.
    """
    try:
        old = pick_table().set_index(["machine", "need"]).loc["then"]
    except (UserError, KeyError):
        return "n/a"
    names = [families.label(old.family[need]) for need in WORDS if need in old.index]
    return ", ".join(names[:-1]) + f" and {names[-1]}"


def here(part: str | None = None) -> pd.DataFrame:
    """This machine's measured rows (of one part), fastest first; empty where nothing was measured."""
    frame = measured.load(part)
    return (
        frame[frame.hardware == measured.machine()].sort_values("samples_per_sec", ascending=False)
        if len(frame)
        else frame
    )


def machine() -> SimpleNamespace:
    """The machine that the page is about: name, detail (memory, versions), date; says so where nothing was measured."""
    frame = here()
    if frame.empty:
        return SimpleNamespace(name="no machine yet", detail="run `make bench`", date="no day yet")
    newest = frame.sort_values("date").iloc[-1]
    facts = read_sidecar(DATA / newest.file)
    detail = [
        f"{facts['hardware'].get('memory_gb', 0):.0f} GB of memory",
        f"PyTorch {newest.torch}",
        f"timm {facts['versions'].get('timm', '?')}",
    ]
    return SimpleNamespace(name=newest.hardware_name, detail=", ".join(detail), date=newest.date)


def machine_table(part: str) -> None:
    """This machine's measurements of `part` as a table, fastest first."""
    frame = here(part)
    if frame.empty:
        print("\n::: {.callout-note}\n## Nothing measured yet\n`make bench` measures this machine.\n:::\n")
        return
    frame = (
        frame.sort_values("top1", ascending=False)
        .drop_duplicates(["file", "arch", "img_size"])
        .sort_values("samples_per_sec", ascending=False)
    )
    shown = pd.DataFrame(
        {
            "Network": frame.arch,
            "Pixels": frame.img_size.astype(int),
            "Parameters (M)": frame.param_count,
            "Images/s": frame.samples_per_sec,
            "95% interval": [
                f"{images_per_second(low)} to {images_per_second(high)}"
                for low, high in zip(frame.samples_per_sec_low, frame.samples_per_sec_high)
            ],
            "Batch": frame.batch_size.astype(int),
            "ms for one": _column(frame, "batch1_p50_ms"),
            "% of roofline": _column(frame, "roofline_pct"),
            "Joules for one": _column(frame, "energy_j"),
            "Top-1 (%)": frame.top1.astype(float),
        }
    ).dropna(axis=1, how="all")
    what = "inference" if part == "infer" else "a training step"
    page.table(
        shown,
        f"Measured here: {what}. Top-1 is the best published accuracy on ImageNet of weights for that architecture "
        "at that size.",
        label=f"tbl-machine-{part}",
        link=f"report/data/{frame.file.iloc[0]}",
        formats={
            "Parameters (M)": "{:.1f}",
            "Images/s": images_per_second,
            "95% interval": str,
            "ms for one": "{:.1f}",
            "% of roofline": "{:.0f}",
            "Joules for one": "{:.2g}",
            "Top-1 (%)": "{:.1f}",
        },
    )


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column of our own CSVs as numbers; empty where the file lacks it."""
    return pd.to_numeric(frame[name], errors="coerce") if name in frame else pd.Series(float("nan"), index=frame.index)


@page.or_note()
def join_audit() -> None:
    """What the join of speeds with accuracies did to each of timm's tables."""
    counts = ["results", "matched", "renamed", "wrong_size", "dropped", "timed_only"]
    table = read_table(DATA / "joins.csv", required=["vintage", "file"], numeric=counts, key=["vintage", "file"])
    table[counts] = table[counts].astype(int)
    table["file"] = table["file"].str.removeprefix("benchmark-").str.removesuffix(".csv")
    table.columns = [
        "Vintage",
        "Table",
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


@page.or_note()
def stored(
    name: str,
    columns: dict[str, str],
    caption: str,
    numeric: tuple[str, ...] = (),
    formats: dict | None = None,
    rows=None,
    label: str = "",
) -> None:
    """Print a table of report/data by its file name: `columns` renames and orders, `numeric` are read as numbers,
    `rows` filters the frame.
    """
    path = DATA / f"{name}.csv"
    if not path.exists():
        print(f"\n::: {{.callout-note}}\n## Not computed yet\n`make data` writes `report/data/{name}.csv`.\n:::\n")
        return
    frame = read_table(path, required=list(columns), optional_numeric=numeric)
    frame = frame if rows is None else frame[rows(frame)]
    page.table(
        frame[list(columns)].rename(columns=columns),
        caption,
        label=label or f"tbl-{name.replace('_', '-')}",
        link=f"report/data/{name}.csv",
        formats=formats,
    )


def _square() -> pd.DataFrame:
    """Rank correlations between machines: machines down and across. Raises UserError where they were never computed
    or are damaged.
    """
    path = DATA / "machines-agreement.csv"
    names = list(read_table(path, key=["machine"])["machine"])
    return read_table(path, numeric=names).set_index("machine")[names]


@page.or_note()
def agreement() -> None:
    """The square of rank correlations between machines."""
    square = _square()
    page.table(
        square.rename_axis("Machine").reset_index(),
        "How alike two machines rank the same networks by speed: Spearman's rank correlation, 1 is the same order.",
        label="tbl-agreement",
        link="report/data/machines-agreement.csv",
        formats=dict.fromkeys(square, "{:.3f}"),
    )


@page.or_note()
def robust_families(column: str, name: str) -> None:
    """The ten families that do best beyond expectation on one test set, and how many points their median model
    loses there.
    """
    frame = read_table(DATA / "robustness-families.csv", required=["set", "family"], numeric=["n", "loss", "beyond"])
    best = frame[frame["set"] == column].nlargest(10, "beyond")
    shown = best[["family", "n", "loss", "beyond"]].set_axis(
        ["Family", "Weights", "Median loss (points)", "Beyond expectation (points)"], axis=1
    )
    page.table(
        shown,
        f"The ten families that keep most of their accuracy on {name}.",
        label=f"tbl-robust-{column}",
        link="report/data/robustness-families.csv",
        formats={"Weights": "{:.0f}", "Median loss (points)": "{:.1f}", "Beyond expectation (points)": "{:+.1f}"},
    )


def machine_facts() -> SimpleNamespace:
    """For the hardware page: least rank correlation between two cards run the same way (gpu_agreement) and between a
    card and a processor (cpu_agreement), and sentences: what was timed (words), whether an order travels (advice), and
    what a processor costs transformers (penalty)."""
    try:
        square = _square()
    except UserError:
        return SimpleNamespace(
            gpu_agreement=Missing("nan"), cpu_agreement=Missing("nan"), words="several machines", advice="", penalty=""
        )
    kind = {name: (hardware.lookup(name) or hardware.named(name)).kind for name in square}
    compiled = {name: name.endswith(", compiled") for name in square}
    pairs = [(a, b, square.loc[a, b]) for i, a in enumerate(square) for b in list(square)[:i]]
    cards = min(
        (value for a, b, value in pairs if kind[a] == kind[b] == "gpu" and compiled[a] == compiled[b]),
        default=Missing("nan"),
    )
    across = min((value for a, b, value in pairs if {kind[a], kind[b]} == {"gpu", "cpu"}), default=Missing("nan"))
    count = {
        one: len({name.removesuffix(", compiled") for name in square if kind[name] == one}) for one in ("gpu", "cpu")
    }
    advice = (
        ""
        if cards != cards or across != across
        else (
            "An order that holds on one card holds, nearly, on the next. On a processor it is another order."
            if cards >= 0.95 > across
            else "An order that holds on one machine holds, nearly, on the next."
            if min(cards, across) >= 0.95
            else "An order that holds on one machine need not hold on the next."
        )
    )
    return SimpleNamespace(
        gpu_agreement=cards,
        cpu_agreement=across,
        words=f"{count['gpu']} graphics cards and {count['cpu']} processors",
        advice=advice,
        penalty=_penalty(),
    )


def _penalty() -> str:
    """What moving to a processor costs transformers, chip by chip, in a sentence."""
    try:
        frame = read_table(
            DATA / "machines-cpu_penalty.csv", required=["cpu", "kind"], numeric=["median", "least", "most"]
        )
    except UserError:
        return ""
    rows = frame[frame.kind == "transformer"].sort_values("median", ascending=False)
    said = {
        row.cpu.removesuffix(", compiled"): "a loss"
        if row.least > 1.1
        else "none worth the name"
        if row.most <= 1.1
        else "more on some cards' account than on others'"
        for row in rows.itertuples()
    }
    told = "; ".join(f"on a {name} {row.median:.2f}, {said[name]}" for name, row in zip(said, rows.itertuples()))
    end = (
        " It is one answer on one processor and another on the next, so mistrust whoever tells you without naming "
        "the chip."
        if len(set(said.values())) > 1
        else ""
    )
    return f"For transformers: {told}.{end}" if said else ""


def beside_timm() -> None:
    """Our machines' speeds as ranks and ratios beside timm's tables, from report/data/machines-ours.csv; then one
    picture at a time.
    """
    both = {"ours": "Measured here", "theirs": "timm's machine"}
    stored(
        "machines-ours",
        {
            **both,
            "networks": "Networks",
            "rho": "Rank correlation",
            "ratio": "Theirs over ours (median)",
            "least": "Least",
            "most": "Most",
        },
        "The networks that we measured, beside timm's tables of the same networks at the same size: images per second.",
        numeric=("networks", "rho", "ratio", "least", "most"),
        formats={
            "Networks": "{:.0f}",
            "Rank correlation": "{:.3f}",
            "Theirs over ours (median)": "{:,.1f}×",
            "Least": "{:,.1f}×",
            "Most": "{:,.1f}×",
        },
    )
    stored(
        "machines-ours",
        {
            **both,
            "latency_networks": "Networks timed singly",
            "latency_ratio": "Our wait over theirs (median)",
            "latency_least": "Least wait",
            "latency_most": "Most wait",
        },
        "The wait for one picture at a time: ours over theirs.",
        numeric=("latency_networks", "latency_ratio", "latency_least", "latency_most"),
        rows=lambda frame: frame.latency_networks > 0,
        label="tbl-machines-latency",
        formats={
            "Networks timed singly": "{:.0f}",
            "Our wait over theirs (median)": "{:.1f}×",
            "Least wait": "{:.1f}×",
            "Most wait": "{:.1f}×",
        },
    )
