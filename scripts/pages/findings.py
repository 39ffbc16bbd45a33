"""The findings on the page: the matrix of verdicts on the home page, and each claim's evidence on a page of its own.

    from scripts.pages import findings
    findings.matrix()                    # in a cell with `#| output: asis`
    findings.headline()
    findings.summary()
    findings.claims()

A cell of the matrix opens its evidence (an HTML popover: no script, works by keyboard). Sentences that state a verdict
are made here from report/data/findings.csv, so none can outlive its data.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable

import pandas as pd

from scripts.common import uncertainty
from scripts.common.paths import DATA
from scripts.common.words import counted, listing, signed
from scripts.findings import phone_tables, phones, verdicts
from scripts.findings.claims import CONDITIONAL, FAILS, HOLDS, NO_DATA
from scripts.pages import page

SIGNS = {HOLDS: "●", CONDITIONAL: "◐", FAILS: "○", NO_DATA: "·"}
CLASSES = {HOLDS: "holds", CONDITIONAL: "conditional", FAILS: "fails", NO_DATA: "no-data"}
SOURCE = "report/data/findings.csv"


@page.or_note()
def matrix() -> None:
    """Claims down, machines and years across; each verdict is a button that opens its evidence."""
    if not (DATA / verdicts.FILE).exists():
        page.note("No findings yet", "`make data` computes them from timm's tables.")
        return
    frame = _shown(verdicts.load())
    grid = verdicts.matrix(frame)
    known = {claim.sentence: claim for claim in verdicts.CLAIMS}
    evidence = {
        (row.claim, f"{row.hardware_name} · {row.year}"): row
        for row in frame[frame.main & (frame.hardware != "")].itertuples()
    }
    links = {sentence: f"report/findings.html#{anchor(known[sentence].key)}" for sentence in grid.index}
    shown = {"Claim": [page.link(sentence, address) for sentence, address in links.items()]}
    ours = frame[frame.main & frame.vintage.isin(verdicts.SMALL)].groupby(["hardware_name", "year"]).weights.max()
    few = {f"{name} · {year}": f"{counted(int(most), 'set')} of weights" for (name, year), most in ours.items()}
    popovers = []
    # a machine on which no claim could be judged is left to the evidence page
    for column in grid.columns[~grid.isin([NO_DATA, ""]).all()]:
        cells = []
        for sentence in grid.index:
            row, number = evidence.get((known[sentence].key, column)), f"{len(popovers)}"
            cells.append(page.Html("" if row is None else button(row.verdict, number)))
            if row is not None:
                popovers.append(popover(row, sentence, column, known[sentence].rule, number))
        shown[column] = cells
    page.table(
        shown,
        "Do the findings hold? "
        + ", ".join(f"{sign} {verdict}" for verdict, sign in SIGNS.items())
        + ". Open a verdict for its evidence."
        + "".join(f" {column}: {said}." for column, said in few.items() if column in shown),
        label="tbl-findings",
        link=SOURCE,
        sort=False,
    )
    page.html("".join(popovers))


def tie(top1: float) -> float:
    """Points by which two models of about this accuracy (percent) must differ to be told apart."""
    return float(uncertainty.top1_uncertainty(top1, top1))


def timing() -> float:
    """The share within which timings of one model on one card repeat."""
    return uncertainty.TIMING_SPREAD - 1


def anchor(key: str) -> str:
    return key.replace("_", "-")


def button(verdict: str, number: str) -> str:
    """A verdict that opens its `popover` of the same number, which is the page's only one."""
    return (
        f'<button type="button" class="verdict {CLASSES[verdict]}" popovertarget="evidence-{number}">'
        f'<span aria-hidden="true">{SIGNS[verdict]}</span> {page.escaped(verdict)}</button>'
    )


def popover(row, sentence: str, column: str, rule: str, number: str) -> str:
    """The evidence of a row of findings (`verdict`, `evidence`, `estimate`, `low`, `high`, `unit`, `tie`)."""
    safe, figures = page.escaped, ""
    if told := estimate(row):
        figures = f"<p>Estimate {told} ({safe(row.unit)}){': a tie' if row.tie else ''}; {safe(rule)}.</p>"
    return (
        f'<div popover id="evidence-{number}" class="evidence"><p><strong>{safe(sentence)}: {safe(row.verdict)}'
        f"</strong> ({safe(column)})</p><p>{safe(row.evidence)}.</p>{figures}</div>"
    )


def estimate(row) -> str:
    """What was estimated with its interval: '−0.70, 95% interval −1.18 to −0.23'; an end without bound is left
    open; '' where there is none."""
    if pd.isna(row.estimate) and pd.isna(row.low):
        return ""
    value, low, high = ("" if pd.isna(number) else signed(number) for number in (row.estimate, row.low, row.high))
    ends = f"{low} to {high}" if low and high else f"at least {low}" if low else f"at most {high}"
    return ", ".join(filter(None, [value, f"95% interval {ends}"]))


@page.or_note()
def headline() -> None:
    """Print a sentence on how many of the claims hold, hold with conditions or fail, over the newest tables of the
    machines that the matrix shows."""
    if not (DATA / verdicts.FILE).exists():
        return
    judged = newest()
    ours = judged[judged.claim.isin([claim.key for claim in verdicts.ON_HARDWARE])]
    if sides := [set(rows) for _, rows in ours.groupby("claim").verdict]:
        holds, fails = sides.count({HOLDS}), sides.count({FAILS})
        print(
            f"On the newest tables of {counted(judged.hardware_name.nunique(), 'machine')}, of "
            f"{counted(len(sides), 'claim')} **{_many(holds)}** on every machine that can tell, "
            f"**{_many(fails, 'fails', 'fail')}** on every one, and for **{len(sides) - holds - fails}** the answer "
            f"needs a condition or a machine{_untold(len(verdicts.ON_HARDWARE) - len(sides))}.\n"
        )


def _untold(count: int) -> str:
    return f"; {count} more no machine can tell" if count else ""


def _many(count: int, one: str = "holds", more: str = "hold") -> str:
    return f"{count or 'none'} {one if count <= 1 else more}"


@page.or_note()
def summary() -> None:
    """One sentence per old claim: on how many of the newest tables it holds."""
    judged, lines = newest(), []
    for claim in verdicts.ON_HARDWARE:
        rows = judged[judged.claim == claim.key]
        if len(rows):
            lines.append(f"- {page.quoted(claim.sentence)}: {tally(rows.verdict)}.")
    print("\n".join(lines) + "\n")


def newest() -> pd.DataFrame:
    """The main verdicts on each machine's newest table, those measured here included: `matrix`'s newest columns."""
    frame = _shown(verdicts.load())
    newest_ = frame.vintage.isin([*verdicts.SMALL, frame[~frame.vintage.isin(verdicts.SMALL)].vintage.max()])
    return frame[frame.main & (frame.hardware != "") & newest_ & (frame.verdict != NO_DATA)]


def _shown(frame: pd.DataFrame) -> pd.DataFrame:
    """Without the laptop and the board that stand beside the phone: the matrix fits a screen, and they tell the same;
    their evidence is on the page of findings."""
    beside = [phone_tables.slug(device) for device in phones.OTHERS]
    return frame[~frame.hardware.isin(beside)]


def last_told(claim: str) -> str:
    """The year of timm's last table on which a claim could be judged; '' where there is none."""
    frame = verdicts.load()
    judged = frame[(frame.claim == claim) & ~frame.vintage.isin(verdicts.SMALL) & (frame.verdict != NO_DATA)]
    return str(judged.year.max()) if len(judged) else ""


def tally(column: pd.Series, what: str = "machine") -> str:
    """holds on all 6 machines; holds on 2, fails on 4 of 6 machines. what: of which there is a verdict each."""
    counts, total = Counter(column), len(column)
    if len(counts) == 1:
        verdict = next(iter(counts))
        return f"**{_word(verdict)}** on " + (f"all {total} {what}s" if total > 1 else f"the one {what} with data")
    parts = [f"**{_word(verdict)}** on {counts[verdict]}" for verdict in (HOLDS, CONDITIONAL, FAILS) if counts[verdict]]
    return ", ".join(parts) + f" of {total} {what}s"


def _word(verdict: str) -> str:
    return "holds with conditions" if verdict == CONDITIONAL else verdict


@page.or_note()
def claims() -> None:
    """Every claim with its origin and, for each configuration, its verdict and evidence: a section that can be
    linked."""
    frame = verdicts.load()
    for claim in verdicts.CLAIMS:
        rows = frame[frame.claim == claim.key]
        if rows.empty:
            continue
        print(f"\n## {page.quoted(claim.sentence)} {{#{anchor(claim.key)}}}\n")
        judged = rows[rows.main & (rows.verdict != NO_DATA)]
        if len(judged):
            tallied = f" Verdict: {tally(judged.verdict, 'table')} ({_origins(judged)})."
            print(f"Claimed by: {page.quoted(claim.origin)}.{tallied if claim in verdicts.ON_HARDWARE else ''}\n")
        print(f"*Estimated*: {claim.estimand}.\n\n*Rule*: {claim.rule}.\n")
        if 0 < len(judged) < len(rows):
            page.table(_evidence(judged), claim.sentence, link=SOURCE)
            page.html(f'<details class="more"><summary>All {len(rows)} tables on which this was tested</summary>')
            page.table(_evidence(rows), f"{claim.sentence}: all tables", link=SOURCE)
            page.html("</details>")
        else:
            page.table(_evidence(rows), claim.sentence, link=SOURCE)


def _origins(rows: pd.DataFrame) -> str:
    """The years of the tables, and whether there are ours: 2022, 2024, 2026 and our own."""
    years = sorted(set(rows.year[rows.vintage != "measured"].astype(str)))
    return listing([*years, *(["our own"] if (rows.vintage == "measured").any() else [])])


def said(row, more: str = "") -> page.Html:
    """The verdict of a row of findings with its sign, and whether it is a tie."""
    known = row.verdict if row.verdict in SIGNS else NO_DATA
    return page.Html(
        f'<span class="verdict {CLASSES[known]}"><span aria-hidden="true">{SIGNS[known]}</span> '
        f"{page.escaped(row.verdict)}{', a tie' if row.tie else ''}{page.escaped(more)}</span>"
    )


def _evidence(rows: pd.DataFrame) -> dict:
    """What was tested where, with what came out, as a table's columns."""
    where = [
        [
            row.hardware_name or "all weights",
            row.part,
            row.precision,
            row.layout,
            "compiled" if row.compiled else "",
            f"torch {row.torch}" if row.torch else "",
        ]
        for row in rows.itertuples()
    ]
    return {
        "Where": [" ".join(filter(None, parts)) for parts in where],
        "Year": rows.year.astype(str).to_list(),
        **outcome(rows, rows.paired),
    }


def outcome(rows: pd.DataFrame, paired: Iterable[str] = itertools.repeat("")) -> dict:
    """Verdicts with estimates and evidence, as a table's columns. paired: the verdict were the errors of two models
    nested, where that is another."""
    return {
        "Verdict": [said(row, f" (or {other})" if other else "") for row, other in zip(rows.itertuples(), paired)],
        "Estimate": [estimate(row).replace(", 95% interval", ";") or "–" for row in rows.itertuples()],
        "Evidence": rows.evidence.to_list(),
    }
