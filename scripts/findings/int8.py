"""Which families survive quantising to 8 bits: torchvision's published accuracies, Qualcomm's, and our own answers.

    python -m scripts.findings.int8            # report/data/int8-families.csv with its sidecar

Made from committed tables alone. The loss of a family is the mean over its weights. All of them are tested on the same
pictures, so that their errors do not average out: the interval of a mean is the mean of the intervals. torchvision's
rests on 50,000 pictures (bound *apart* of `uncertainty`), Qualcomm's on 1,000 (as in `phones`). Ours are answers that
changed, not accuracies: a share, of which nobody knows how many were right before.
"""

from __future__ import annotations

import argparse
import re
import sys

import numpy as np
import pandas as pd

from scripts.common import families
from scripts.common.errors import DataMissing, cli
from scripts.common.paths import DATA
from scripts.common.provenance import sha256, sidecar, write_derived
from scripts.common.tables import read_table
from scripts.common.uncertainty import SIGMAS, share_interval, top1_se, top1_uncertainty
from scripts.data import qualcomm

FILE = "int8-families.csv"
TORCHVISION, PHONE, OURS = "torchvision", "Qualcomm", "our photos"
LITTLE = 1.0  # points
SURVIVES, LOSES, UNKNOWN = "survives", "loses", "cannot tell"
COLUMNS = ["family", "source", "weights", "loss", "low", "high", "verdict"]


def verdict(low: float, high: float) -> str:
    """survives: less than LITTLE is lost, interval and all; loses: more than nothing is; else nobody can tell."""
    return SURVIVES if high < LITTLE else LOSES if low > 0 else UNKNOWN


def family(name: str) -> str:
    """The family of a network by its name at torchvision's or Qualcomm's; the name without its size where there is no
    such family.
    """
    arch = qualcomm.TIMM.get(name) or re.sub(r"^mobilenet_v", "mobilenetv", name)
    known = families.lookup(arch)
    return known.family if known else re.split(r"[_\d]", name)[0]


def _means(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """table: family, loss, doubt (points) of each set of weights."""
    found = table.groupby("family").agg(weights=("loss", "size"), loss=("loss", "mean"), doubt=("doubt", "mean"))
    found = found.assign(source=source, low=found["loss"] - found["doubt"], high=found["loss"] + found["doubt"])
    found["verdict"] = [verdict(low, high) for low, high in zip(found["low"], found["high"])]
    return found.reset_index()[COLUMNS]


def compute() -> pd.DataFrame:
    """`COLUMNS`, a row a family and source, the largest loss first; loss, low, high in points, for our photos in
    percent of the answers. Raises DataMissing where none of the three tables is there.
    """
    parts = []
    if (path := DATA / "runtimes-published.csv").exists():
        table = read_table(path, required=["model"], numeric=["top1", "top1_int8"])
        doubt = top1_uncertainty(table["top1"], table["top1_int8"])
        parts.append(_means(_rows(table["model"], table["top1"] - table["top1_int8"], doubt), TORCHVISION))
    if (path := DATA / "phones.csv").exists():
        table = read_table(path, required=["network"], optional_numeric=["float_top1", "int8_top1"])
        table = table.dropna(subset=["float_top1", "int8_top1"])
        each = [top1_se(table[name], qualcomm.IMAGES) for name in ("float_top1", "int8_top1")]
        loss = table["float_top1"] - table["int8_top1"]
        parts.append(_means(_rows(table["network"], loss, SIGMAS * np.maximum(*each)), PHONE))
    for path in sorted(DATA.glob("runtimes-answers-*.csv")):
        table = read_table(path, required=["model", "precision"], optional_numeric=["equal_top1", "pictures"])
        table = table[table["precision"].eq("int8") & table["equal_top1"].notna()]
        for name, own in table.groupby(table["model"].map(family)):
            best = own.loc[own.groupby("model")["equal_top1"].idxmax()]
            pictures = int(best["pictures"].min())
            changed = 1 - best["equal_top1"].mean()
            low, high = share_interval(round(changed * pictures), range(pictures))
            row = (name, OURS, len(best), 100 * changed, 100 * low, 100 * high, "answers changed")
            parts.append(pd.DataFrame([row], columns=COLUMNS))
    if not parts:
        raise DataMissing("no table of quantised networks is there; run `make data`")
    found = pd.concat(parts, ignore_index=True)
    order = {source: i for i, source in enumerate((TORCHVISION, PHONE, OURS))}
    place = found.assign(at=found["source"].map(order)).sort_values(["at", "loss"], ascending=[True, False]).index
    return found.loc[place].reset_index(drop=True).round(3)


def _rows(models: pd.Series, loss: pd.Series, doubt) -> pd.DataFrame:
    return pd.DataFrame({"family": models.map(family), "loss": loss, "doubt": doubt})


def update() -> bool:
    """Compute and write the table with its sidecar. Returns whether it changed."""
    inputs = [path for path in sorted(DATA.glob("*.csv")) if path.name.startswith(("runtimes-p", "runtimes-an"))]
    inputs += [DATA / "phones.csv"]
    made = [{"path": f"report/data/{path.name}", "sha256": sha256(path)} for path in inputs if path.exists()]
    facts = sidecar(packages=("pandas", "numpy"), sources=made)
    return write_derived(compute(), DATA / FILE, facts)


@cli
def main(argv: list[str] | None = None) -> None:
    argparse.ArgumentParser(
        prog="python -m scripts.findings.int8",
        description=__doc__.split("\n\n")[0],
        epilog="example: python -m scripts.findings.int8",
    ).parse_args(argv)
    try:
        print(f"int8: {FILE} {'written' if update() else 'stands as it was'}")
    except DataMissing as missing:
        print(f"notice: {missing}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
