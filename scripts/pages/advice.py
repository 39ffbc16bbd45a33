"""What a reader should do today, in prose: for each claim a sentence that its verdicts choose, so that no advice
outlives its data.

    from scripts.pages import advice
    advice.today()                       # in a cell with `#| output: asis`

The verdicts are those of each machine's newest table in report/data/findings.csv. A claim that holds on every machine
that can tell, on some or on none has a sentence for each case; where no newest table can tell, the reader is told to
measure.
"""

from __future__ import annotations

import pandas as pd

from scripts.common.errors import UserError
from scripts.common.paths import DATA
from scripts.common.tables import read_table
from scripts.common.words import listing
from scripts.findings import verdicts as findings
from scripts.findings.claims import FAILS, HOLDS
from scripts.pages import findings as verdicts, page

# claim -> (question, sentence where it holds on every machine, on some, on none); {yes} and {no}: machines where it
# holds and where it fails, {best}: the model that is most often named as the one that decides, {times}: the median
# estimate
WORDS: dict[str, tuple[str, str, str, str]] = {
    "levit_fastest": (
        "Is speed what counts?",
        "Take a LeViT: nothing as fast is more accurate, on any of these machines.",
        "Look at LeViT first. Some of its sizes still lead; others are beaten, so compare at the speed that you need.",
        "Not LeViT any more: everywhere something as fast is more accurate.",
    ),
    "convnext_middle": (
        "Something in the middle?",
        "Take a ConvNeXt.",
        "ConvNeXt is one good choice, no longer the one: where it leads, it needs more pretraining data for it, or the "
        "lead is too small to tell.",
        "Not ConvNeXt any more: none of it is on the frontier.",
    ),
    "beit_slow": (
        "Is accuracy all that counts?",
        "Take a BEiT.",
        "BEiT is close to the top on some machines only.",
        "Not BEiT any more: {best} is more accurate.",
    ),
    "pretraining": (
        "Two models compared?",
        "Compare within one kind of pretraining, and take weights that saw more than ImageNet-1k where their licence "
        "allows: most leaders did, and the same network is more accurate with them.",
        "Compare within one kind of pretraining: on some machines the leaders saw more data than the rest, on others "
        "that can’t be told.",
        "The leaders saw no more pretraining data than the rest.",
    ),
    "vgg": (
        "Still on VGG?",
        "Replace it: something more accurate is {times} times as fast (median over the machines).",
        "Replace it where something more accurate is clearly faster, which is not everywhere.",
        "It still holds its ground.",
    ),
    "parameters": (
        "Choosing by parameter count?",
        "Don't: it says little about speed.",
        "Don't rely on it: it orders models by speed only roughly.",
        "You may: it orders models by speed well enough.",
    ),
    "training": (
        "Going to train?",
        "What is fast in inference is fast in training.",
        "What is fast in inference is mostly fast in training.",
        "Measure a training step: inference says little about it.",
    ),
    "transformers_cpu": (
        "On a processor?",
        "Prefer convnets and hybrids: transformers lose more.",
        "Measure before you believe: transformers lose more than convnets on {yes}, but not on {no}.",
        "Transformers lose no more than convnets do.",
    ),
    "compiling": (
        "Going to compile?",
        "Compile first and choose then: compiling changes who leads.",
        "Choose by the figures of the way in which you will run it. Compiling moves some models off the frontier; so "
        "does a newer torch, and which of the two moves more can’t be told.",
        "Choose and compile in any order: the leaders stay as they do with a newer torch.",
    ),
}


def today() -> None:
    """Print one sentence of advice per claim, with the tally of verdicts behind it. Prints nothing where there are no
    findings."""
    try:
        newest = verdicts.newest()
    except UserError:
        return
    lines = []
    for claim in findings.ON_HARDWARE:
        rows = newest[newest.claim == claim.key]
        if claim.key in WORDS:
            lines.append(
                f"- **{WORDS[claim.key][0]}** {sentence(claim.key, rows, verdicts.last_told(claim.key))} "
                f"[{_behind(claim, rows)}](report/findings.qmd#{verdicts.anchor(claim.key)})"
            )
    print("\n".join(lines) + "\n")


def sentence(key: str, rows: pd.DataFrame, told: str = "") -> str:
    """The advice that the verdicts in `rows` (one claim, a row per machine) choose, as Markdown in which data are
    escaped. told: the year of the last table that can tell, where none of the newest can."""
    if rows.empty:
        last = f"The last tables that can tell are of {told}" if told else "No table can tell"
        return f"{last}: measure it on [your own machine](report/machine.qmd)."
    found = set(rows.verdict)
    words = WORDS[key][1 if found == {HOLDS} else 3 if found == {FAILS} else 2]
    if "{yes}" in words and not {HOLDS, FAILS} <= found:  # it names machines on both sides, and ties are on neither
        return "Measure before you believe: the answer is not clear on any processor."
    deciding = rows.models[rows.models != ""].str.split().str[-1]
    times = rows.estimate.median()
    return words.format(
        yes=_names(rows, HOLDS),
        no=_names(rows, FAILS),
        times=f"{times:.0f}" if times == times else "several",
        best=page.quoted(deciding.mode().iloc[0].partition(".")[0]) if len(deciding) else "something else",
    )


def carries_over() -> None:
    """Print whether the order on ImageNet carries over to the other test sets, from report/data/robustness.csv."""
    try:
        table = read_table(
            DATA / "robustness.csv", required=["name"], numeric=["rho", "rho_low", "rho_high", "rho_best", "loss"]
        )
    except UserError:
        return
    # the limits are those of the claims on carrying over (findings.robustness.RULE)
    worst, near = table.loc[table.rho_low.idxmin()], table.loc[table.rho_best.idxmin()]
    word = (
        "carries over"
        if worst.rho_low > 0.9
        else "carries over in part"
        if worst.rho_high >= 0.7
        else "does not carry over everywhere"
    )
    lines = [
        f"Over all [weights](glossary.qmd#weights) the order {word}: the lowest rank correlation is {worst.rho:.2f} "
        f"(95%: {worst.rho_low:.2f} to {worst.rho_high:.2f}), on {page.quoted(worst['name'])}."
    ]
    if (table.rho_best < table.rho).all():
        lines.append(
            f"Among the best hundred it does so less (down to {near.rho_best:.2f}, on {page.quoted(near['name'])}): "
            "near the top, ImageNet's validation set tells models apart less well."
        )
    gains = table[table.loss < 0]
    if len(gains):
        lines.append(
            f"A negative loss is a gain: the median model gains {-gains.loss.min():.1f} points on "
            f"{page.quoted(gains.loc[gains.loss.idxmin(), 'name'])}, whose labels forgive what the old ones got wrong."
            if list(gains["name"]) == ["ReaL"]
            else "A negative loss is a gain."
        )
    print(" ".join(lines) + "\n")


def speed_goes_with(figures: dict) -> str:
    """Which of parameters, multiply-adds and activations goes best with speed on the card and on the processor of the
    summary, as a sentence."""
    words = {
        "parameters": "the number of parameters",
        "gmacs": "the arithmetic (multiply-adds)",
        "macts": "the numbers that it writes to memory (activations)",
    }
    best = {}
    for machine in ("gpu", "cpu"):
        known = {
            name: abs(value)
            for name in words
            if isinstance(value := figures.get(f"{machine}.spearman.{name}"), float) and value == value
        }
        if not known:
            return ""
        best[machine] = max(known, key=known.get)
    if best["gpu"] == best["cpu"]:
        return f"On both, a network's speed goes best with {words[best['gpu']]}."
    return (
        f"On the graphics card, a network's speed goes best with {words[best['gpu']]}; on the processor, with "
        f"{words[best['cpu']]}."
    )


def alike(correlation: float) -> str:
    """Whether two orders with this rank correlation are alike, in a word or two, by the limits of the claim `training`;
    '' where it is not known."""
    if correlation != correlation:
        return ""
    return "They do." if correlation >= 0.9 else "Mostly they do." if correlation >= 0.7 else "They need not."


def _names(rows: pd.DataFrame, verdict: str) -> str:
    return listing([f"a {page.quoted(name)}" for name in rows.hardware_name[rows.verdict == verdict].unique()])


def _behind(claim, rows: pd.DataFrame) -> str:
    """The claim with its tally, as the words of a link: 'BEiT is the most accurate of the slow: fails on all 6
    machines'."""
    tally = verdicts.tally(rows.verdict).replace("**", "") if len(rows) else "no data"
    return f"{page.quoted(claim.sentence)}: {tally}"
