"""What the page on runtimes says: each sentence and table from report/data/runtimes-*.csv."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pandas as pd

from scripts.common.errors import DataMissing
from scripts.common.paths import DATA
from scripts.common.provenance import read_sidecar
from scripts.common.tables import read_table
from scripts.common.words import counted, day, listing, plain, wait
from scripts.figures import display_runtimes
from scripts.findings import runtimes
from scripts.pages import findings, page
from scripts.predict import in_runtimes
from scripts.runtimes import check, kinds

SETTINGS = "int8-settings.csv"
RAISED = r": \w+(Error|Exception): .*"  # what a package said; the table has it whole
QUICK = 1.5  # times fp32, from which int8 is worth its changes


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Print nothing where nothing was measured: the page says so once."""
    with contextlib.suppress(DataMissing):
        yield


@page.or_note()
def said() -> None:
    """Machine, date, and what another runtime brings."""
    table = runtimes.speeds()
    found = display_runtimes.by_network(table)
    best = found.loc[found["any_gain"].idxmax()]
    leader = found["equal_label"].value_counts().index[0]
    count = int((found["equal_label"] == leader).sum())
    page.markdown(
        f"\nMeasured on {page.escaped(display_runtimes.where(table))}, {day(table['date'].iloc[0])}: "
        f"{counted(len(found), 'network')}, random weights. With equal answers the fastest runtime is "
        f"**{display_runtimes.mean(found['equal_gain']):.2f} times** as fast as PyTorch eager (geometric mean); "
        f"{page.escaped(leader)} is the fastest for {count} of them. With bf16 or int8 the mean is "
        f"**{display_runtimes.mean(found['any_gain']):.2f} times**, at most {best['any_gain']:.1f} "
        f"({page.breakable(best['model'])} in {page.escaped(best['any_label'])}).\n"
    )


@page.or_note()
@quiet()
def shared() -> None:
    """Whether something else ran on the machine: what the processes got of their core says it."""
    table = runtimes.speeds()
    known = pd.to_numeric(table["core_share"], errors="coerce").dropna()
    if len(known) and known.min() < 0.97:  # alone on two cores a process got 0.997 of its core at least
        page.note(
            "Other work ran on this machine",
            f"A process got {known.median():.0%} of its core at the median, {known.min():.0%} at least. The time that "
            "counts is the processor’s, what each process got, and the runtimes of a network took turns; caches and "
            "memory were shared with the other work.",
        )


@page.or_note()
@quiet()
def changed_places() -> None:
    """Pairs of networks whose order depends on the runtime."""
    found = runtimes.claims()
    rows = found[(found["claim"] == "ranking_same") & found["estimate"].gt(0)].sort_values("estimate", ascending=False)
    if len(rows):
        row = rows.iloc[0]
        page.markdown(
            f"\nThe order of the networks changes most in {page.escaped(row['configuration'])}: "
            f"{page.escaped(row['evidence'])}.\n"
        )


@page.or_note()
def verdicts() -> None:
    """Each claim with its estimand, rule, and the verdict in each runtime."""
    found = runtimes.claims()
    for _, own in found.groupby("claim", sort=False):
        head = own.iloc[0]
        print(f"\n### {page.quoted(head['sentence'])} {{#{findings.anchor(head['claim'])}}}\n")
        print(f"*Estimated*: {head['estimand']}.\n\n*Rule*: {head['rule']}.\n")
        told = findings.outcome(own.assign(tie=own["tie"].eq("True")))
        link = f"report/data/{runtimes.CLAIMS}"
        page.table({"Where": own["configuration"].to_list(), **told}, head["sentence"], link=link)


@page.or_note()
def table() -> None:
    """Each network in each runtime and precision, as times eager; the last columns in images/s."""
    found = runtimes.speeds()
    known = found.dropna(subset=["speed", "times_eager"])
    order = [kinds.label(one, two) for one in kinds.RUNTIMES for two in kinds.PRECISIONS]
    grid = known.pivot_table(index="model", columns="label", values="times_eager", sort=False)
    columns = [name for name in order if name in grid.columns and name != kinds.label("eager", "fp32")]
    first = known[(known["runtime"] == "eager") & (known["precision"] == "fp32")].set_index("model")["speed"]
    grid = grid[columns].assign(eager=first).sort_values("eager", ascending=False)
    spent = {
        f"Fastest, {words}": (values.groupby(known["model"]).min().reindex(grid.index), plain)
        for words, values in display_runtimes.costs(known).items()
    }
    page.table(
        {
            "Network": grid.index,
            "Eager fp32, images/s": (grid["eager"], plain),
            **{name: (grid[name], "{:.2f}") for name in columns},
            **spent,
        },
        f"Times as fast as PyTorch eager in fp32, {display_runtimes.where(found)}. A dash: not measured, or not "
        "possible.",
        label="tbl-runtimes",
        link=f"report/data/{found['file'].iloc[0]}",
    )


@page.or_note()
@quiet()
def costs() -> None:
    """What getting a network into each runtime takes, and which could not."""
    found = runtimes.speeds()
    known = found.dropna(subset=["speed"])
    made = {
        "export_secs": "the ONNX file",
        "quantise_secs": "making it int8",
        "compile_secs": "loading it up to the first answer",
    }
    parts = []
    for column, what in made.items():
        values = known[column][known[column] > 0] if column in known else pd.Series(dtype=float)
        if len(values):
            parts.append(f"{what} {wait(1000 * values.median())} at the median, {wait(1000 * values.max())} at most")
    if parts:
        page.markdown(f"\nWhat it takes once: {listing(parts)}.\n")
    spent = " ".join(display_runtimes.costs(known))
    if "dollars" not in spent:
        page.markdown(
            "\nWhat a million images costs in money is not known here: `scripts/cloud/cloud_prices.csv` has no rented "
            "machine of this kind.\n"
        )
    if "joules" not in spent:
        page.markdown(
            "\nHow many joules an image takes is not known here: neither RAPL nor NVML could be read on this machine.\n"
        )
    failed = found[found["reason"].ne("")]
    failed = failed.assign(reason=failed["reason"].str.replace(RAISED, "", regex=True))
    reasons = failed.groupby(["label", "reason"])["model"].apply(list)
    lines = [
        f"- {page.escaped(label)}: {page.escaped(reason)} ({listing([page.breakable(name) for name in names[:4]])})"
        for (label, reason), names in reasons.items()
    ]
    if lines:
        page.markdown("\nNot measured:\n\n" + "\n".join(lines) + "\n")


@page.or_note()
@quiet()
def answers() -> None:
    """What int8 and bf16 change on real photos."""
    found, _ = display_runtimes.cost_table()
    lines = []
    for precision in kinds.PRECISIONS[1:]:
        own = found[found["precision"] == precision]
        if len(own):
            enough = int((own["equal_top1"] >= check.SAME_ANSWERS).sum())
            reached = "reached there" if enough else "not reached there"
            if len(own) > 1:
                reached = f"reached by {enough or 'none'} of {len(own)} combinations of network and runtime"
            ends = dict.fromkeys(f"{share:.1%}" for share in (own["equal_top1"].min(), own["equal_top1"].max()))
            lines.append(
                f"In {precision}, {' to '.join(ends)} of the answers are those of fp32. The "
                f"{check.SAME_ANSWERS:.0%} that the app asks for are {reached}."
            )
    page.markdown("\n" + " ".join(lines) + "\n")


@page.or_note()
@quiet()
def tried() -> None:
    """What was tried so that int8 changes fewer answers, and why the rest changes."""
    path = DATA / SETTINGS
    runtimes.speeds()
    if not path.exists():
        return
    found = read_table(path, required=["setting", "runtime", "model"], numeric=["pictures", "equal_top1", "times_fp32"])
    facts = read_sidecar(path)
    changed, model = facts["changed"], found["model"].iloc[0]
    enough = found[found["equal_top1"] >= check.SAME_ANSWERS].sort_values("times_fp32", ascending=False)
    quick = found[found["times_fp32"] >= QUICK].sort_values("equal_top1").iloc[-1]
    words = "; ".join(
        f"{row.setting} in {kinds.RUNTIMES[row.runtime].label} ({row.equal_top1:.1%})" for row in enough.itertuples()
    )
    page.markdown(
        f"\nThe answers that int8 changed were near ties: at the median fp32 gave the first class "
        f"{100 * changed['margin']:.1f} points of probability more than the second, for the other photos "
        f"{100 * changed['margin_of_others']:.0f}, and {changed['to_the_second']:.0%} of the new answers are that "
        f"second class. Of {counted(len(found), 'setting')} tried on {model}, "
        + (f"{counted(len(enough), 'setting')} reached {check.SAME_ANSWERS:.0%}: {words}, " if len(enough) else "none ")
        + (f"at {enough['times_fp32'].iloc[0]:.2f} times the speed of fp32 there. " if len(enough) else "reached it. ")
        + f"Of those at least {QUICK} times as fast the best keeps {quick['equal_top1']:.1%}.\n"
    )
    page.table(
        {
            "Setting": found["setting"],
            "In": [kinds.RUNTIMES[name].label for name in found["runtime"]],
            "Same class (%)": (100 * found["equal_top1"], "{:.1f}"),
            "Times ONNX Runtime fp32": (found["times_fp32"], "{:.2f}"),
        },
        f"What was tried on {model} with ImageNet weights, by hand on {day(facts['date'][:10])}, on "
        f"{facts['hardware']['name']}, which others used, too: {found['pictures'].iloc[0]:,.0f} photos of cats and "
        "dogs.",
        label="tbl-int8-tried",
        link=f"report/data/{SETTINGS}",
    )


@page.or_note()
def published() -> None:
    """torchvision's accuracies in fp32 and int8."""
    if not (DATA / runtimes.PUBLISHED).exists():
        page.note("No published accuracies yet", "`python -m scripts.findings.runtimes` writes them.")
        return
    found = runtimes.published()
    found = found.assign(loss=found["top1"] - found["top1_int8"]).sort_values("loss", ascending=False)
    page.table(
        {
            "Network": found["model"],
            "Weights": found["weights"],
            "Top-1 (%)": (found["top1"], "{:.1f}"),
            "Top-1 in int8 (%)": (found["top1_int8"], "{:.1f}"),
            "Points lost": (found["loss"], "{:.2f}"),
        },
        "ImageNet top-1 of torchvision’s quantised weights and of those that they were made from, from its own "
        "metadata.",
        label="tbl-int8",
        link=f"report/data/{runtimes.PUBLISHED}",
    )


@page.or_note()
@quiet()
def predicted() -> None:
    """How well speeds in each runtime are predicted, and where to look them up."""
    slug = runtimes.speeds()["hardware"].iloc[0]
    if not in_runtimes.there(slug):
        page.note("Not predicted yet", "`make predict` predicts the speeds of all other networks from these.")
        return
    table, compared = in_runtimes.read(slug), in_runtimes.read(slug, "left-out")
    networks = table.groupby(["arch", "img_size"])["status"].agg(lambda some: some.eq("measured").any())
    given = set(map(tuple, table.loc[table["status"] == "predicted", in_runtimes.WAY].drop_duplicates().to_numpy()))
    foreseen = [way in given for way in zip(compared["runtime"], compared["precision"])]
    every = compared[foreseen].assign(runtime="all", precision="")
    said = [
        f"**{row.median_error:.0%}** (median; {row.coverage:.0%} lie in their 90% interval) for "
        f"{what} ({counted(row.networks, 'speed')} of {counted(some['arch'].nunique(), 'network')})"
        for name, what in (
            ("itself", "each network predicted without its own measurements"),
            ("all held out", "networks that were chosen before they were measured, predicted from all others"),
        )
        if len(some := every[every["left_out"] == name])
        for row in in_runtimes.summary(some).itertuples()
    ]
    page.markdown(
        f"\nFrom {counted(int(networks.sum()), 'network')} measured in several runtimes the speed of "
        f"{len(networks):,} is predicted in each: eager’s speed, measured or predicted, times the gain that networks "
        f"like it have. They are off by {listing(said)}. [Choose a model](picker.qmd) takes a runtime and a precision "
        "and answers with these speeds.\n"
    )
    itself, held = (
        in_runtimes.summary(compared[compared["left_out"] == name]).set_index(in_runtimes.WAY)
        for name in ("itself", "all held out")
    )
    off = [(kinds.label(*way), error) for way, error in itself["median_error"].items() if way not in given]
    if off:
        names = listing([f"{label} (off by {error:.0%})" for label, error in off])
        page.markdown(f"\nNot predicted, because networks left out are too far off: {page.escaped(names)}.\n")
    page.table(
        {
            "In": [kinds.label(*way) for way in itself.index],
            "Networks": itself["networks"],
            "Off by, median": (itself["median_error"], "{:.0%}"),
            "90% off by less than": (itself["p90_error"], "{:.0%}"),
            "In the 90% interval": (itself["coverage"], "{:.0%}"),
            "Held out: off by, median": (held["median_error"].reindex(itself.index), "{:.0%}"),
        },
        "Speeds in each runtime predicted without the network’s own measurements, against those measured.",
        label="tbl-runtimes-predicted",
        link=f"report/data/{in_runtimes.path('left-out', slug).name}",
    )
    page.uses(f"report/data/{in_runtimes.path('runtimes', slug).name}")
