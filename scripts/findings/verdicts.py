"""Do the findings still hold? Every claim, judged on every hardware configuration: timm's tables of both vintages, and
ours.

    # writes report/data/findings.csv with its sidecar, and prints the matrix
    python -m scripts.findings.verdicts
    python -m scripts.findings.verdicts --claim levit_fastest          # one claim's verdicts with their evidence

findings.csv has a row per claim and configuration: verdict, whether it is a tie, what it would be were the errors of
two models nested (`paired`), the estimate and the interval that decides, in `unit`, the models concerned and the
evidence in a sentence. `main` marks the row that stands for a machine and year in the matrix: eager before compiled,
the newest torch, the layout that the notebook used. Claims about other test sets have no hardware. What is a claim: see
`claims`.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd

from scripts.common import families, hardware, words
from scripts.common.errors import UserError, cli
from scripts.common.files import sha256
from scripts.common.paths import DATA, ROOT
from scripts.common.provenance import Source, made_from, origin, read_sidecar, sidecar, sources, write_derived
from scripts.common.tables import read_table
from scripts.data import measured, qualcomm, read_data
from scripts.findings import claims_families, claims_speed, fields, phone_tables, robustness
from scripts.findings.claims import (
    CENSUS,
    CONFIGURATION,
    LEAST_ROWS,
    NO_DATA,
    VERDICTS,
    Claim,
    Finding,
    Tables,
    no_data,
    version_key,
)

FILE = "findings.csv"
TIE = "the interval reaches the limit"
# in the matrix' order: who is fast, in the middle and slow, then what decides speed
ON_HARDWARE = (*claims_families.CLAIMS[:3], *claims_speed.CLAIMS, *claims_families.CLAIMS[3:])
CLAIMS: tuple[Claim, ...] = (*ON_HARDWARE, *robustness.CLAIMS)
SMALL = {  # vintages of a few dozen networks
    "measured": "measured here",
    phone_tables.VINTAGE: f"that Qualcomm timed; accuracies rest on {qualcomm.IMAGES:,} pictures, on a phone",
}
NUMBERS = ["estimate", "low", "high"]
KEY = ["claim", *CONFIGURATION]
COLUMNS = [
    *KEY,
    *"hardware_name year weights verdict tie paired".split(),
    *NUMBERS,
    *"unit models evidence main".split(),
]


def judge(claim: Claim, table: pd.DataFrame, tables: Tables) -> tuple[Finding, int]:
    """The claim's finding on one configuration, and on how many weights (or networks) it rests; 'no data' where the
    table lacks a column, or enough rows."""
    if "left_out" in table:
        return no_data(table["left_out"].iloc[0]), 0
    try:
        head = table.iloc[0]
        field = tables.complete(table) if claim.rivals else table
        field = field.dropna(subset=["samples_per_sec", "top1"] if claim.accuracy else ["samples_per_sec"])
        field = field if claim.accuracy else field.drop_duplicates(fields.NETWORK)
        if len(field) < LEAST_ROWS:
            also = " and published accuracy" if claim.accuracy else ""
            return no_data(f"only {len(field)} models with speed{also}"), len(field)
        found = claim.judge(field.reset_index(drop=True), tables)
    except KeyError as error:
        return no_data(f"the table lacks {error}"), 0
    said = found.evidence + (f"; a tie: {TIE}" if found.tie else "")
    if found.paired:
        said += f"; were the two wrong on the same pictures, it would be: {found.paired}"
    if claim.rivals and field["lent"].ne("").any():
        lent = field[field["lent"].ne("") & field["model"].isin(found.models)]
        said += "".join(
            f"; {row.model} was timed with this torch in {row.lent} only: its speed there counts, scaled by what both "
            "files timed"
            for row in lent.itertuples()
        )
    if head["vintage"] in SMALL:  # a few dozen networks are no census
        said += f" (among the {field['arch'].nunique()} architectures {SMALL[head['vintage']]})"
        if found.verdict not in (*claim.sound, NO_DATA) and len(field) < CENSUS:
            why = f"{len(field)} weights are too few to tell: fewer than {CENSUS} are no field of rivals"
            return no_data(f"{why}; among them, {said}"), len(field)
    return replace(found, evidence=said), len(field)


def compute(tables: list[pd.DataFrame] | None = None) -> pd.DataFrame:
    """All findings (`COLUMNS`), a row per claim and configuration. tables: tidy, one each; default: all."""
    tables = list(fields.configurations()) if tables is None else [*map(families.contenders, tables)]
    known, rows = Tables([table for table in tables if "model" in table]), []
    for table in tables:
        head = table.iloc[0]
        about = {
            **{name: head[name] for name in CONFIGURATION},
            "hardware_name": head.get("hardware_name", hardware.named(head["hardware"]).name),
            "year": words.year(head["date"]),
        }
        for claim in ON_HARDWARE:
            if claim.applies(head):
                found, weights = judge(claim, table, known)
                rows.append({"claim": claim.key, **about, "weights": weights, **vars(found)})
    for vintage in dict.fromkeys(table.iloc[0]["vintage"] for table in tables):
        if vintage in read_data.VINTAGES:
            scores = robustness.load(vintage)
            year = words.year(words.span([one.date for one in sources(scores)[:1]]))
            about = {"vintage": vintage, "compiled": False, "year": year, "weights": len(scores)}
            rows += [{"claim": claim.key, **about, **vars(claim.judge(scores, known))} for claim in robustness.CLAIMS]
    frame = pd.DataFrame(rows).reindex(columns=COLUMNS)
    frame["models"] = frame["models"].map(" ".join)
    for column in ("hardware", "part", "precision", "layout", "torch", "hardware_name"):
        frame[column] = frame[column].fillna("")
    frame["main"] = _main(frame)
    return frame


def _main(frame: pd.DataFrame) -> pd.Series:
    """Boolean: the row that stands for its claim, machine and year in the matrix."""
    order = pd.DataFrame(
        {
            "part": (frame["part"] == "train") & (frame["claim"] != "training"),
            "compiled": frame["compiled"].astype(bool),
            "torch": [tuple(-number for number in version_key(text)) for text in frame["torch"]],
            "precision": ~frame["precision"].isin(["amp", "fp32"]),
            "layout": (frame["layout"] == "nhwc") != (frame["vintage"] == read_data.THEN),
        },
        index=frame.index,
    )
    ranked = frame.assign(rank=list(order.itertuples(index=False, name=None))).sort_values("rank", kind="stable")
    ranked = ranked.drop_duplicates(["claim", "vintage", "hardware"])
    # two vintages may hold tables of one year; the one that can tell stands for it
    told = ranked["verdict"].ne(NO_DATA) if len(ranked) else ranked["verdict"]
    first = ranked.assign(told=told, ours=ranked["vintage"] == "measured").sort_values(
        ["told", "vintage"], ascending=[False, True], kind="stable"
    )
    first = first.drop_duplicates(["claim", "year", "hardware", "ours"]).index
    return pd.Series(frame.index.isin(first), index=frame.index)


def load() -> pd.DataFrame:
    """The committed findings (`COLUMNS`; `NUMBERS` as numbers, tie, compiled and main as booleans).

    Raises UserError where they were never made or are damaged.
    """
    frame = read_table(DATA / FILE, required=COLUMNS, optional_numeric=[*NUMBERS, "weights"], key=KEY)
    for column in ("tie", "compiled", "main"):
        frame[column] = frame[column].eq("True")
    strange = frame[~frame["verdict"].isin(VERDICTS) | ~frame["claim"].isin([claim.key for claim in CLAIMS])]
    if len(strange):
        raise UserError(
            f"{FILE}: {strange['claim'].iloc[0][:40]} {strange['verdict'].iloc[0][:40]!r} is unknown; run `python -m "
            "scripts.findings.verdicts`"
        )
    return frame


def matrix(frame: pd.DataFrame) -> pd.DataFrame:
    """Claims down, machines and years across, verdicts in the cells; '' where a claim is not about the machine."""
    frame = frame[frame["main"] & (frame["hardware"] != "")]
    years = frame["year"].astype(str)
    column = frame["hardware_name"] + " · " + years
    place = {vintage: i for i, vintage in enumerate([*read_data.VINTAGES, *reversed(SMALL)])}
    place[read_data.THEN] = place[read_data.NOW]  # a year's tables of timm's stand together
    order = [name for *_, name in sorted(set(zip(years, frame["vintage"].map(place), frame["hardware"], column)))]
    cells = {"index": "claim", "columns": "column", "values": "verdict", "aggfunc": "first", "fill_value": ""}
    grid = frame.assign(column=column).pivot_table(**cells)
    present = [claim for claim in ON_HARDWARE if claim.key in grid.index]
    grid = grid.loc[[claim.key for claim in present], order]
    return grid.set_axis([claim.sentence for claim in present], axis=0).rename_axis(index=None, columns=None)


def update() -> pd.DataFrame:
    """Judge everything, write findings.csv where it changed, and return it. Where timm's tables can't be had now, what
    was found with them stays as committed.
    """
    tables = list(fields.configurations())
    frame, before = compute(tables), _committed()
    found = sources(*(table for table in tables if "model" in table), measured.load())
    away = set(read_data.VINTAGES) - set(frame["vintage"])
    known = _known() if away and len(before) else ()
    kept = _kept(before, frame, away, known) if away else before.iloc[:0]
    if frame.empty and kept.empty:
        raise UserError(
            "nothing to judge: neither timm's tables nor measurements are at hand; run `make data` or `make bench`"
        )
    ours = frame["vintage"] == "measured"  # on a card of timm's it has a column of its own in the matrix
    theirs = {*frame["hardware"][~ours], *kept["hardware"][kept["vintage"] != "measured"]}
    frame.loc[ours & frame["hardware"].isin(theirs), "hardware_name"] += ", measured here"
    if len(kept):
        place = {key: i for i, key in enumerate(_keys(before))}
        frame = pd.concat([kept, frame], ignore_index=True).drop_duplicates(KEY, ignore_index=True)
        order = pd.Series([place.get(key, len(place)) for key in _keys(frame)]).sort_values(kind="stable")
        frame = _in_order(frame.loc[order.index].reset_index(drop=True))
        frame["main"] = _main(frame)
        found = tuple({one.path: one for one in (*known, *found)}.values())
    numbers = frame[NUMBERS].astype(float).replace([float("inf"), float("-inf")], float("nan")).round(4)
    rounded = frame.assign(**numbers, weights=frame["weights"].astype(int))
    facts = sidecar(packages=("pandas", "numpy"), **origin(found, "report/data/benchmark-*.csv"))
    write_derived(rounded, DATA / FILE, facts)
    return rounded


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows as `compute` gives them: what is about machines first, old tables before new ones, ours last."""
    vintages = [*read_data.VINTAGES, *reversed(SMALL)]
    place = pd.DataFrame({"all": frame["hardware"] == "", "vintage": frame["vintage"].map(vintages.index)})
    return frame.loc[place.sort_values(["all", "vintage"], kind="stable").index].reset_index(drop=True)


def _committed() -> pd.DataFrame:
    """The findings as they stand; none where they were never made, or come from an older version or are damaged."""
    try:
        return load() if (DATA / FILE).exists() else pd.DataFrame(columns=COLUMNS)
    except UserError:
        return pd.DataFrame(columns=COLUMNS)


def _known() -> tuple[Source, ...]:
    """What the committed findings were made from; nothing where their sidecar is missing or damaged."""
    try:
        return made_from(read_sidecar(DATA / FILE))
    except UserError:
        return ()


def _kept(before: pd.DataFrame, frame: pd.DataFrame, away: set[str], known: tuple[Source, ...]) -> pd.DataFrame:
    """Of the findings `before` those that today's `frame`, made without the vintages `away`, can't judge as well: on
    the tables that are away; on measurements that have not changed since (`known`), for they are compared with timm's;
    and on changed ones where no answer would take the place of one.
    """
    same = [one.path for one in known if (ROOT / one.path).is_file() and sha256(ROOT / one.path) == one.sha256]
    unchanged = {_configuration(Path(path).name) for path in same if Path(path).name.startswith("benchmark-")}
    now = dict(zip(_keys(frame), frame["verdict"]))
    ours = [
        vintage == "measured" and key in now and (key[2:] in unchanged or now[key] == NO_DATA)
        for vintage, key in zip(before["vintage"], _keys(before))
    ]
    return before[before["vintage"].isin(away) | pd.Series(ours, before.index, dtype=bool)]


def _keys(frame: pd.DataFrame) -> list[tuple[str, ...]]:
    """What names each finding, as text."""
    return list(frame[KEY].astype(str).itertuples(index=False, name=None))


def _configuration(file: str) -> tuple[str, ...]:
    """What comes after claim and vintage in the key of findings on a benchmark file."""
    about = hardware.parse_benchmark_name(file)
    return tuple(str(about[name]) for name in KEY[2:])


@cli
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.findings.verdicts", description="Every claim, judged on every machine."
    )
    parser.add_argument(
        "--claim", choices=[claim.key for claim in CLAIMS], help="print one claim's verdicts with their evidence"
    )
    parser.add_argument("--quiet", action="store_true", help="write the file and say only how many findings it holds")
    options = parser.parse_args(argv)
    frame = update()
    if options.quiet:
        print(f"{len(frame)} findings in report/data/{FILE}")
        return
    if options.claim:
        for row in frame[frame["claim"] == options.claim].itertuples():
            compiled = "compiled" if row.compiled else ""
            about = f"{row.vintage} {row.hardware_name} {row.part} {row.precision} {row.layout} {compiled}"
            print(f"{row.verdict:<12}{'tie  ' if row.tie else '     '}{about}\n            {row.evidence}")
        return
    print(matrix(frame).to_string())
    sentences = {claim.key: claim.sentence for claim in CLAIMS}
    for row in frame[frame["hardware"] == ""].itertuples():
        print(f"{sentences[row.claim]} ({row.year}): {row.verdict}")


if __name__ == "__main__":
    sys.exit(main())
