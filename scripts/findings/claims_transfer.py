"""Claims about other pictures than ImageNet's: a verdict for each way of training, over the sets of that kind.

    python -m scripts.findings.transfer          # writes report/data/transfer-claims.csv, too

No machine comes into them, so their matrix has how the networks were trained for columns. Where several sets belong to
one cell, the estimate is the mean over them; its interval comes from drawing whole families and, as there are several,
the sets: both are what is independent.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from scripts.common.uncertainty import interval, spearman, spearman_draws
from scripts.common.words import counted, listing
from scripts.findings.claims import Finding, TableClaim, decide, no_data

HOLDS = 0.5  # a rank correlation above it, interval and all, is called an order that holds
LEAST = 10  # networks; fewer say nothing of an order
PETS, SATELLITE, OWN = "pets", "planet", "own"
ORDER = "rank correlation of ImageNet’s top-1 with the accuracy on the set, mean over the sets"
ORDER_RULE = f"holds above {HOLDS}, fails below it, each by the whole interval; families and sets are drawn whole"
TUNED, FROZEN, SCRATCH = "fine-tuned", "frozen features", "from scratch"


ON_PETS = TableClaim("order_pets", "ImageNet’s order holds on pets", ORDER, ORDER_RULE)
ON_SATELLITE = TableClaim("order_satellite", "ImageNet’s order holds on satellite pictures", ORDER, ORDER_RULE)
ON_MEDICAL = TableClaim("order_medical", "ImageNet’s order holds on medical pictures", ORDER, ORDER_RULE)
ON_OURS = TableClaim("order_own", "ImageNet’s order holds on our three photo sets", ORDER, ORDER_RULE)
LARGER = TableClaim(
    "larger_small_data",
    "A larger network is better on small data",
    "rank correlation of a network’s parameters with its accuracy on the set, mean over the sets with a tenth or "
    "less of their pictures",
    "holds above 0, fails below it, each by the whole interval; families and sets are drawn whole",
)
CLAIMS = (ON_PETS, ON_SATELLITE, ON_MEDICAL, ON_OURS, LARGER)
COLUMNS = "claim sentence configuration sets networks verdict tie estimate low high unit estimand rule evidence".split()


def configuration(one: dict) -> str:
    """How the networks of a set were trained, as the matrix' columns call it."""
    if one["source"] == OWN:
        return FROZEN
    share = "" if one["share"] == 1 else f", {one['share']:.0%} of the pictures"
    return f"{TUNED if one['pretrained'] else SCRATCH}{share}"


def judged(found: list[dict]) -> pd.DataFrame:
    """`COLUMNS`: a row a claim and way of training. found: as `transfer.sets` gives them, with `table`, a row a network
    (`transfer.networks`).
    """
    rows = []
    for claim in CLAIMS:
        about = [one for one in found if _about(claim, one)]
        for name in dict.fromkeys(configuration(one) for one in about):
            mine = [one for one in about if configuration(one) == name]
            by, limit = ("params", 0.0) if claim is LARGER else ("top1", HOLDS)
            sets, networks = " ".join(one["dataset"] for one in mine), max(len(one["table"]) for one in mine)
            outcome = finding(mine, by, limit)
            rows.append(claim.row(outcome, configuration=name, sets=sets, networks=networks))
    return pd.DataFrame(rows, columns=COLUMNS)


def _about(claim: TableClaim, one: dict) -> bool:
    domain = {PETS: ON_PETS, SATELLITE: ON_SATELLITE}.get(one["dataset"], ON_MEDICAL)
    if one["source"] == OWN:
        return claim is ON_OURS
    return one["share"] < 1 if claim is LARGER else claim is domain


def finding(found: list[dict], by: str, limit: float) -> Finding:
    """The verdict over one or several sets: `by` (top1, params) against accuracy, judged by `limit`."""
    few = min(len(one["table"]) for one in found)
    names = listing([f"{one['what']} ({one['dataset']})" for one in found])
    if few < LEAST:
        return no_data(
            f"only {counted(few, 'network')} with a known ImageNet accuracy on {names}: too few for an order"
        )
    pairs = [(one["table"]["family"], one["table"][by], one["table"]["accuracy"]) for one in found]
    each = [spearman(*pair[1:]) for pair in pairs]
    drawn = np.array([spearman_draws(*pair) for pair in pairs])  # (sets, draws)
    if len(found) > 1:  # a draw of sets for each draw of families
        which = np.random.default_rng(1).integers(0, len(found), (len(found), drawn.shape[1]))
        drawn = drawn[which, np.arange(drawn.shape[1])]
    low, high = interval(drawn.mean(axis=0))
    verdict, tie = decide(low, high, limit, limit)
    said = "; ".join(f"{one['what']} ({one['dataset']}) {rho:.2f}" for one, rho in zip(found, each))
    table = found[0]["table"]
    said += f"; {counted(len(table), 'network')} of {counted(table['family'].nunique(), 'family', 'families')}"
    said += "" if found[0]["several"] else ", each trained once"
    return Finding(verdict, said, (), float(np.mean(each)), low, high, "rank correlation", tie=tie)


def own_sets(tables: dict[str, pd.DataFrame]) -> Iterator[dict]:
    """Our own photo sets as sets of `transfer.sets`: frozen features of each backbone whose ImageNet accuracy at the
    size is known. tables: report/data/choose-<set>-*.csv by the set's name.
    """
    for name, table in tables.items():
        known = table[table["imagenet_top1"].notna()].drop_duplicates("backbone")
        known = known.rename(columns={"backbone": "model", "imagenet_top1": "top1", "seconds": "cost"})
        runs = known.assign(
            family=known["model"], accuracy=100 * known["test_accuracy"], params=np.nan, memory_gb=np.nan
        )
        about = {"source": OWN, "dataset": name, "what": name.replace("-", " "), "share": 1.0, "several": False}
        yield {**about, "pretrained": True, "runs": runs}
