"""What the home page says: the answer in a sentence, the picks of each kind of machine, and what was true then."""

from __future__ import annotations

import pandas as pd

from scripts.common import families, hardware
from scripts.common.errors import UserError
from scripts.common.paths import DATA
from scripts.common.tables import read_table
from scripts.common.words import images_per_second
from scripts.pages import page

MACHINES = {"then": "{hardware}, 2022", "gpu": "{hardware}, today", "cpu": "{hardware}, today"}
WORDS = {"fast": "Fast", "balanced": "Balanced", "accurate": "Accurate"}


def pick_table() -> pd.DataFrame:
    """report/data/picks.csv, numbers as numbers."""
    return read_table(
        DATA / "picks.csv",
        required=["machine", "hardware", "need", "model", "family", "vintage", "runner_up"],
        numeric=["floor_samples_per_sec", "img_size", "top1", "samples_per_sec", "param_count"],
        optional_numeric=["runner_up_top1", "runner_up_samples_per_sec"],
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
            f"{row.img_size:.0f} px{_runner_up(row)}</span>"
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


def _runner_up(row) -> str:
    """What to take should this pick's speed turn out a little lower, as HTML; '' where it is clearly fast enough."""
    if not row.runner_up:
        return ""
    return (
        f"<br>only just fast enough; surely so: <code>{page.breakable(row.runner_up)}</code> "
        f"({row.runner_up_top1:.1f}%, {images_per_second(row.runner_up_samples_per_sec)} images/s)"
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
