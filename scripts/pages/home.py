"""What the home page says: the answer at a glance, the picks of each kind of machine, and what was true then."""

from __future__ import annotations

import pandas as pd

from scripts.common import families, hardware
from scripts.common.errors import UserError
from scripts.common.paths import DATA
from scripts.common.tables import read_table
from scripts.common.words import images_per_second, listing, month, year
from scripts.pages import page

MACHINES = ("then", "gpu", "cpu")
WORDS = {"fast": "Fast", "balanced": "Balanced", "accurate": "Accurate"}


def pick_table() -> pd.DataFrame:
    """report/data/picks.csv, numbers as numbers."""
    return read_table(
        DATA / "picks.csv",
        required=["machine", "hardware", "need", "model", "family", "date", "compiled", "runner_up"],
        numeric=["floor_samples_per_sec", "img_size", "top1", "samples_per_sec", "param_count"],
        optional_numeric=["runner_up_top1", "runner_up_samples_per_sec"],
        key=["machine", "need"],
    )


def answer() -> None:
    """The answer at a glance: three cards (fast, balanced, accurate) for the machine that the reader chooses, which
    assets/shell.js shows and remembers. Models by their whole names, for timm gives other weights to the bare name."""
    if not (DATA / "picks.csv").exists():
        page.note("No answer yet", "`make data` computes it from timm's tables.")
        return
    table = pick_table().query("machine != 'then'").drop_duplicates(["hardware", "need"])
    by_machine = dict(list(table.groupby("hardware", sort=False)))
    if not by_machine:
        return
    known = {slug: hardware.named(slug) for slug in by_machine}
    # cards before processors, newer before older, as the picker begins with the newest card; timm's own choice first
    order = sorted(known, key=lambda slug: (known[slug].kind == "cpu", -known[slug].year))
    heads = {rows.hardware.iloc[0]: machine_heads(rows)[rows.machine.iloc[0]] for rows in by_machine.values()}
    options = "".join(f'<option value="{page.escaped(slug)}">{page.escaped(heads[slug])}</option>' for slug in order)
    cards = [_cards(by_machine[slug], slug, hidden=at > 0) for at, slug in enumerate(order)]
    page.html(
        f'<div class="answer"><p class="answer-machine"><label>On <select autocomplete="off">{options}</select>'
        f"</label></p>{''.join(cards)}</div>"
    )


def _cards(table: pd.DataFrame, slug: str, hidden: bool) -> str:
    """The cards of one machine, as HTML."""
    said = []
    for need, row in table.set_index("need").reindex([need for need in WORDS if need in set(table.need)]).iterrows():
        network, point, weights = str(row.model).partition(".")
        said.append(
            f'<li class="{need}"><p class="need">{WORDS[need]}</p><p><code><b>{page.breakable(network)}</b><wbr>'
            f"{point}{page.breakable(weights)}</code></p><p><strong>{row.top1:.1f}%</strong> right on ImageNet</p>"
            f"<p><strong>{images_per_second(row.samples_per_sec)}</strong> images a second</p></li>"
        )
    return f'<ol data-machine="{page.escaped(slug)}"{" hidden" if hidden else ""}>{"".join(said)}</ol>'


def machine_heads(table: pd.DataFrame) -> dict[str, str]:
    """For the columns of the picks: {'cpu': 'Core i7-12700H, compiled, September 2024'}, the month of the speeds."""
    return {
        row.machine: f"{hardware.named(row.hardware).name}, {'compiled' if row.compiled == 'True' else 'eager'}, "
        f"{month(row.date)}"
        for row in table.drop_duplicates("machine").itertuples()
    }


def picks() -> None:
    """The table of picks: needs down, machines across."""
    if not (DATA / "picks.csv").exists():
        return
    table = pick_table()
    table["cell"] = [
        page.Html(
            f'<code>{page.breakable(row.model)}</code><br><span class="facts">{row.top1:.1f}% · '
            f"{images_per_second(row.samples_per_sec)} images/s · {row.img_size:.0f} px{_runner_up(row)}</span>"
        )
        for row in table.itertuples()
    ]
    wide = table.pivot(index="need", columns="machine", values="cell").reindex(
        index=list(WORDS), columns=list(MACHINES)
    )
    heads = machine_heads(table)
    wide.columns = [heads.get(machine, "no table") for machine in MACHINES]
    wide.insert(0, "You need it", [WORDS[need] for need in wide.index])
    page.table(
        wide.iloc[:, [0, 2, 3, 1]],  # today's machines before the notebook's
        "The most accurate model that is fast enough, by need and machine: ImageNet top-1, images per second, "
        "picture size. The month is that of timm’s table of speeds.",
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


def when(machine: str, write: str = "month") -> str:
    """The month, or the year, of a machine's speeds in the picks; 'n/a' where they are not there."""
    try:
        date = pick_table().drop_duplicates("machine").set_index("machine").date[machine]
    except (UserError, KeyError):
        return "n/a"
    return month(date) if write == "month" else year(date)


def then() -> str:
    """What the rule of the picks gives on the notebook's tables: 'LeViT, EfficientNet and BEiT'; 'n/a' where they are
    not there."""
    try:
        old = pick_table().set_index(["machine", "need"]).loc["then"]
    except (UserError, KeyError):
        return "n/a"
    return listing([families.label(old.family[need]) for need in WORDS if need in old.index])
