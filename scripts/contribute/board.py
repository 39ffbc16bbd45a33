"""The scoreboard: for each machine ever added, how far off its predictions were, and how many lay in their interval.

    python -m scripts.contribute.board           # writes report/data/scoreboard.csv and its sidecar
    python -m scripts.contribute.board --check   # are the stored predictions whole? exit code 1 where not
    python -m scripts.contribute.board --again   # and does today's method predict the same from the same networks?

A machine's row says how its predictions came about. before: stored before the networks were measured (`promise`).
after: compared when all had been measured, so the rest is a matter of trust. left_out: timm's tables, each machine's
put away in turn; like and new say what else was. No table of timm's is needed but for --again: all of it stands in
report/data.
"""

from __future__ import annotations

import argparse
import re
import sys

import pandas as pd

from scripts.common import hardware
from scripts.common.errors import UserError, cli
from scripts.common.paths import DATA
from scripts.common.provenance import Source, now, origin, read_sidecar, sha256, sidecar, write_derived
from scripts.common.tables import read_table
from scripts.contribute import promise
from scripts.predict import command, evaluate, kinds

FILE = "scoreboard.csv"
TEXTS = ["hardware", "name", "kind", "how", "case", "table", "added"]
FIGURES = ["median_error", "p90_error", "spearman", "coverage"]
COLUMNS = [*TEXTS, "measured", "networks", *FIGURES]
BEFORE, AFTER, LEFT_OUT = "before", "after", "left_out"


def scores() -> pd.DataFrame:
    """The scoreboard anew, `COLUMNS`, the surest kind of row first. Raises UserError for a damaged table."""
    rows = [_stored(path) for path in promise.kept()]
    done = {row["table"] for row in rows}
    rows += [row for path in sorted(DATA.glob("predict-check-*.csv")) if (row := _later(path))["table"] not in done]
    frame = pd.DataFrame([*rows, *_left_out()], columns=COLUMNS)
    frame[FIGURES] = frame[FIGURES].astype(float).round(4)
    return frame


def _stored(path) -> dict:
    """The row of predictions that were kept before."""
    compared, facts = promise.compared(path), promise.read(path)[1]
    machine = facts["hardware"]
    return {
        **_machine(str(machine.get("slug", "")), machine),
        "how": BEFORE,
        "case": facts.get("case", "new"),
        "table": facts["table"],
        "added": str(facts.get("date", ""))[:10],
        "measured": facts.get("used"),
        **(command.checked(compared) if len(compared) else {"networks": 0}),
    }


def _later(path) -> dict:
    """The row of a machine whose networks had all been measured when predictions were compared."""
    slug = path.stem.removeprefix("predict-check-")
    compared, facts = command.read_check(slug)
    own = [str(one.get("path", "")).rpartition("/")[2] for one in facts.get("sources", [])]
    table = next((name for name in own if re.fullmatch(r"benchmark-infer-.*\.csv", name) and slug in name), "")
    added = read_sidecar(DATA / table).get("date", "") if table and (DATA / table).exists() else facts.get("date", "")
    return {
        **_machine(slug, facts["hardware"]),
        "how": AFTER,
        "case": kinds.case(slug, set(evaluate.table()["machine"])),
        "table": table,
        "added": str(added)[:10],
        "measured": facts.get("used"),
        **command.checked(compared),
    }


def _machine(slug: str, about: dict) -> dict:
    known = hardware.named(slug)
    return {
        "hardware": slug,
        "name": str(about.get("name") or known.name),
        "kind": str(about.get("kind") or known.kind),
    }


def _left_out() -> list[dict]:
    """timm's machines: medians over a machine's tables of inference, and the mean of their coverage."""
    try:
        frame = evaluate.table()
    except UserError:
        return []
    main = frame[(frame["measured"] == evaluate.MAIN) & (frame["part"] == "infer") & (frame["method"] == "model")]
    found = []
    for (slug, case), rows in main[main["case"].isin(promise.CASES)].groupby(["machine", "case"], sort=False):
        found.append(
            {
                **_machine(str(slug), {}),
                "how": LEFT_OUT,
                "case": case,
                "table": "",
                "added": "",
                "measured": evaluate.MAIN,
                "networks": int(rows["networks"].sum()),
                **rows[FIGURES[:-1]].median().to_dict(),
                "coverage": rows["coverage"].mean(),
            }
        )
    return sorted(found, key=lambda row: (row["case"], row["kind"], row["name"]))


def write() -> bool:
    """Keep the scoreboard where it changed; whether it did."""
    names = [*promise.kept(), *sorted(DATA.glob("predict-check-*.csv")), DATA / "predict-evaluation.csv"]
    read_ = [Source(f"report/data/{path.name}", sha256(path)) for path in names if path.is_file()]
    facts = sidecar(packages=("pandas", "numpy"), **origin(read_, "predictions held against measurements"))
    return write_derived(scores(), DATA / FILE, facts)


def load() -> pd.DataFrame:
    """The committed scoreboard, numbers as numbers. Raises UserError where it is missing or damaged."""
    return read_table(
        DATA / FILE,
        required=TEXTS,
        optional_numeric=COLUMNS[len(TEXTS) :],
        key=["hardware", "how", "case", "table"],
    )


def problems() -> list[str]:
    """What is wrong with the stored predictions, a sentence each."""
    found = []
    for path in promise.kept():
        if path.is_symlink():
            found.append(f"{path.name}: a link where a file should be; put the file itself there")
            continue
        try:
            compared, (_, facts) = promise.compared(path), promise.read(path)
        except UserError as error:
            found.append(str(error))
            continue
        when, present = promise.moment(facts.get("date")), promise.moment(now())
        if when is None or (present and when > present):
            found.append(f"{path.name}: its sidecar's date is none, or lies in the future")
        elif compared.empty:
            found.append(f"{path.name}: nothing was measured after it was kept; run `make contribute` again")
    return found


@cli
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.contribute.board",
        description=__doc__.split("\n\n")[0],
        epilog="example: make check-data",
    )
    parser.add_argument("--check", action="store_true", help="only look whether the stored predictions are whole")
    parser.add_argument(
        "--again", action="store_true", help="predict again from the same networks and say how far it is"
    )
    options = parser.parse_args(arguments)
    if options.again:
        for path in promise.kept():
            print(f"{path.name}: {promise.again(path):.1%} from what today's method says of the same networks (median)")
        return 0
    if options.check:
        found = problems()
        print("\n".join(found) or f"stored predictions: {len(promise.kept())}, no problem", file=sys.stderr)
        return int(bool(found))
    write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
