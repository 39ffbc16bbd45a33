"""The claims about other pictures than ImageNet's: their matrix and their evidence, from transfer-claims.csv.

    from scripts.pages import other_pictures
    other_pictures.matrix()              # in a cell with `#| output: asis`

No machine comes into these claims: the columns say how the networks were trained.
"""

from __future__ import annotations

import pandas as pd

from scripts.common.errors import DataMissing
from scripts.common.paths import DATA
from scripts.common.tables import read_table
from scripts.data import fastai_timm, pepr, public
from scripts.findings import transfer
from scripts.pages import findings, page

SOURCE = f"report/data/{transfer.CLAIMS}"


def table() -> pd.DataFrame:
    """The committed verdicts; tie as boolean. Raises DataMissing where they were never made."""
    path = DATA / transfer.CLAIMS
    if not path.exists():
        raise DataMissing(f"{path.name} is not there; run `make data`")
    required = ["claim", "sentence", "configuration", "sets", "verdict", "unit", "estimand", "rule", "evidence"]
    frame = read_table(path, required=required, numeric=["networks"], optional_numeric=["estimate", "low", "high"])
    return frame.assign(tie=frame["tie"].eq("True"))


@page.or_note()
def matrix() -> None:
    """Claims down, ways of training across; each verdict is a button that opens its evidence."""
    frame = table()
    sentences = dict(zip(frame["claim"], frame["sentence"]))
    shown = {
        "Claim": [page.link(said, f"report/findings.html#{findings.anchor(key)}") for key, said in sentences.items()]
    }
    popovers = []
    for at, (column, rows) in enumerate(frame.groupby("configuration", sort=False)):
        buttons = dict.fromkeys(sentences, page.Html(""))
        for row in rows.itertuples():
            number = f"on-{row.claim}-{at}"
            buttons[row.claim] = page.Html(findings.button(row.verdict, number))
            popovers.append(findings.popover(row, row.sentence, column, row.rule, number))
        shown[column[:1].upper() + column[1:]] = [*buttons.values()]
    page.table(
        shown,
        "Does ImageNet’s order hold on other pictures? By how the networks were trained; the same on every machine. "
        "Open a verdict for its evidence.",
        label="tbl-other-pictures",
        link=SOURCE,
        sort=False,
    )
    page.html("".join(popovers))


@page.or_note()
def claims() -> None:
    """Every claim with its verdicts and evidence: a section that can be linked."""
    for key, rows in table().groupby("claim", sort=False):
        head = rows.iloc[0]
        print(f"\n## {page.quoted(head['sentence'])} {{#{findings.anchor(str(key))}}}\n")
        print(f"Claimed by: this report.\n\n*Estimated*: {head['estimand']}.\n\n*Rule*: {head['rule']}.\n")
        told = findings.outcome(rows.assign(evidence=rows["evidence"].str.replace(" -", " −")))
        page.table({"Trained": rows["configuration"].to_list(), **told}, str(head["sentence"]), link=SOURCE)
    credit = "; ".join(public.credit(name) for name in (pepr.SOURCE, fastai_timm.SOURCE))
    page.markdown(f"\nSources of these: {credit}.\n")
