"""Networks in every runtime of a machine: the committed runtimes-*.csv as tidy rows, and the claims about them.

    python -m scripts.findings.runtimes        # report/data/runtimes-claims.csv and runtimes-published.csv, sidecars

A speed belongs to a network, runtime and precision. `times_eager` is the speed over PyTorch eager's in fp32, measured
in the same rounds. Published accuracies in int8 are torchvision's, from its own metadata.
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from scripts.common.errors import DataMissing, UserError, cli
from scripts.common.files import sha256
from scripts.common.paths import DATA, relative
from scripts.common.provenance import read_sidecar, sidecar, write_derived
from scripts.common.tables import read_table
from scripts.data import measured, read_data
from scripts.findings import claims_runtimes, fields
from scripts.runtimes.timed import speeds

ANSWERS, PUBLISHED, CLAIMS = ("runtimes-answers-*.csv", "runtimes-published.csv", "runtimes-claims.csv")
TIMM = "timm's results"
ANSWER_NUMBERS = ["pictures", "equal_top1", "equal_top1_low", "equal_top1_high", "times_eager"]


def answers(slug: str, folder: Path | None = None) -> pd.DataFrame:
    """How far answers with real weights on real photos are those of eager fp32 on a machine; empty where nobody
    measured it.
    """
    path = (folder or DATA) / ANSWERS.replace("*", slug)
    if not path.exists():
        return pd.DataFrame(columns=["model", "runtime", "precision", *ANSWER_NUMBERS])
    return read_table(
        path,
        required=["model", "runtime", "precision", "reason"],
        optional_numeric=ANSWER_NUMBERS,
        key=["model", "runtime", "precision"],
    ).assign(file=path.name)


def published(folder: Path | None = None) -> pd.DataFrame:
    """torchvision's accuracies as published: model, weights, top1, top1_int8; empty where the file is not there."""
    path = (folder or DATA) / PUBLISHED
    columns = ["model", "weights", "top1", "top1_int8"]
    if not path.exists():
        return pd.DataFrame(columns=columns)
    return read_table(path, required=columns, numeric=["top1", "top1_int8"], key=["model", "weights"])


def torchvision_int8() -> pd.DataFrame:
    """torchvision's own metadata: each quantised set of weights and the one that it was made from."""
    from torchvision import models

    rows = []
    for name in models.list_models(models.quantization):
        for weights in models.get_model_weights(name):
            before = weights.meta.get("unquantized")
            if before is not None:
                top1 = [one.meta["_metrics"]["ImageNet-1K"]["acc@1"] for one in (before, weights)]
                rows.append((name.removeprefix("quantized_"), weights.name, weights.meta["backend"], *top1))
    return pd.DataFrame(rows, columns=["model", "weights", "backend", "top1", "top1_int8"])


def claims(folder: Path | None = None) -> pd.DataFrame:
    """The committed verdicts. Raises DataMissing where they were never made."""
    path = (folder or DATA) / CLAIMS
    if not path.exists():
        raise DataMissing(f"{CLAIMS} is not there; run `python -m scripts.findings.runtimes`")
    numbers = ["estimate", "low", "high"]
    return read_table(path, required=["claim", "sentence", "verdict", "evidence"], optional_numeric=numbers)


def update(folder: Path | None = None) -> bool:
    """Compute and write the claims, and torchvision's accuracies where torchvision is at hand. Returns whether one
    changed. Raises DataMissing where nothing was measured.
    """
    folder = folder or DATA
    changed = False
    if find_spec("torchvision"):
        facts = sidecar(packages=("torchvision",), source="torchvision's metadata of its weights")
        changed = not _known(facts, folder) and write_derived(torchvision_int8(), folder / PUBLISHED, facts)
    table = speeds(folder)
    known = answers(table["hardware"].iloc[0], folder)
    inputs = {
        name: sha256(folder / name) for name in (table["file"].iloc[0], *known.get("file", pd.Series(dtype=str))[:1])
    }
    try:
        read_data.results(read_data.NOW)
        theirs = [TIMM]
    except read_data.TablesMissing:
        theirs = []
        if _committed(folder) == {"judged_on": inputs, "accuracies": [TIMM, measured.ACCURACY]}:
            return changed  # what was found with timm's accuracies still stands
    found = claims_runtimes.judged(table, known, published(folder), fields.accuracies())
    facts = sidecar(
        packages=("pandas", "numpy"),
        source=" and ".join(f"report/data/{name}" for name in (*inputs, PUBLISHED)),
        judged_on=inputs,
        accuracies=[*theirs, measured.ACCURACY],
    )
    return write_derived(found, folder / CLAIMS, facts) or changed


def _known(facts: dict, folder: Path) -> bool:
    """Whether this torchvision's accuracies stand there already, written by today's scripts: importing torchvision
    takes longer than all the rest.
    """
    try:
        then = read_sidecar(folder / PUBLISHED)
        same = then.get("code") == facts["code"] and _torchvision(then) == _torchvision(facts)
        return same and then.get("sha256") == sha256(folder / PUBLISHED)
    except (UserError, OSError):
        return False


def _torchvision(facts: dict) -> str | None:
    return facts.get("versions", {}).get("torchvision")


def _committed(folder: Path) -> dict:
    """What the committed verdicts were judged on; {} where they were never made, or a kill left half of the pair."""
    try:
        facts = read_sidecar(folder / CLAIMS)
        if facts.get("sha256") != sha256(folder / CLAIMS):
            return {}
    except (UserError, OSError):
        return {}
    return {name: facts.get(name) for name in ("judged_on", "accuracies")}


@cli
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.findings.runtimes",
        description=__doc__.split("\n\n")[0],
        epilog="example: python -m scripts.findings.runtimes",
    )
    parser.add_argument("--quiet", action="store_true", help="write the files and say only how many verdicts there are")
    options = parser.parse_args(argv)
    try:
        changed = update()
    except DataMissing as missing:
        print(f"notice: {missing}", file=sys.stderr)
        return
    if options.quiet:
        print(f"{len(claims())} verdicts in {relative(DATA / CLAIMS)}")
        return
    print(f"{relative(DATA / CLAIMS)}: {'written' if changed else 'as it was'}")
    for row in claims().itertuples():
        print(f"{row.verdict:<12}{row.sentence} ({row.configuration})\n            {row.evidence}")


if __name__ == "__main__":
    sys.exit(main())
