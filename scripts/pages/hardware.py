"""What the page that compares machines says."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pandas as pd

from scripts.common import hardware
from scripts.common.errors import UserError
from scripts.common.paths import DATA
from scripts.common.tables import read_table
from scripts.pages import content, page


def _square() -> pd.DataFrame:
    """Rank correlations between machines: machines down and across. Raises UserError where they were never computed or
    are damaged."""
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


def facts() -> SimpleNamespace:
    """For the hardware page: least rank correlation between two cards run the same way (gpu_agreement) and between a
    card and a processor (cpu_agreement), and sentences: what was timed (words), whether an order travels (advice), and
    what a processor costs transformers (penalty)."""
    try:
        square = _square()
    except UserError:
        none = content.MISSING
        return SimpleNamespace(gpu_agreement=none, cpu_agreement=none, words="several machines", advice="", penalty="")
    kind = {name: (hardware.lookup(name) or hardware.named(name)).kind for name in square}
    compiled = {name: name.endswith(", compiled") for name in square}
    pairs = [(a, b, square.loc[a, b]) for i, a in enumerate(square) for b in list(square)[:i]]
    alike = [value for a, b, value in pairs if kind[a] == kind[b] == "gpu" and compiled[a] == compiled[b]]
    unlike = [value for a, b, value in pairs if {kind[a], kind[b]} == {"gpu", "cpu"}]
    cards, across = min(alike, default=content.MISSING), min(unlike, default=content.MISSING)
    count = Counter({name.removesuffix(", compiled"): kind[name] for name in square}.values())
    # cards run alike agree by 0.987 at least, a card and a processor by 0.905 to 0.950 (machines-agreement.csv)
    if cards != cards or across != across:
        advice = ""
    elif cards >= 0.95 > across:
        advice = "An order that holds on one card holds, nearly, on the next. On a processor it is another order."
    elif min(cards, across) >= 0.95:
        advice = "An order that holds on one machine holds, nearly, on the next."
    else:
        advice = "An order that holds on one machine need not hold on the next."
    words = f"{count['gpu']} graphics cards and {count['cpu']} processors"
    return SimpleNamespace(gpu_agreement=cards, cpu_agreement=across, words=words, advice=advice, penalty=_penalty())


def _penalty() -> str:
    """What moving to a processor costs transformers, chip by chip, in a sentence."""
    try:
        numbers = ["ratio", "low", "high"]
        frame = read_table(DATA / "machines-cpu_penalty.csv", required=["cpu", "kind"], numeric=numbers)
    except UserError:
        return ""
    rows = frame[frame.kind == "transformer"].sort_values("ratio", ascending=False)
    told = "; ".join(
        f"on a {row.cpu.removesuffix(', compiled')} {content.with_ends(row.ratio, row.low, row.high)}, "
        + ("a loss" if row.low > 1 else "a gain" if row.high < 1 else "which can’t be told from none")
        for row in rows.itertuples()
    )
    return f"For transformers: {told}." if told else ""


def beside_timm() -> None:
    """Our machines' speeds as ranks and ratios beside timm's tables, from report/data/machines-ours.csv; then one
    picture at a time."""
    both = {"ours": "Measured here", "theirs": "timm's machine"}
    content.stored(
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
    content.stored(
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
