"""timm's published tables as one tidy table, and as the original notebook saw them.

    # fetch every table of both vintages into the cache
    python -m scripts.data.read_data
    python -m scripts.data.read_data --list           # their names, vintage/file
    python -m scripts.data.read_data --part infer --vintage VINTAGE --file FILE --out tidy.csv
    python -m scripts.data.read_data --part train --vintage VINTAGE --view notebook --out notebook.csv

Speeds and accuracies stand in different files. They are joined on (architecture, image size): a speed belongs to an
architecture and a size, an accuracy to one set of weights of it. Joining on names alone matched 580 rows in 2022, and
none today. Files measured before timm renamed its models are read under today's names. A family that is in both files
and finds no match is an error with its name (`LostFamilies`); where all files of a part are read, such a one is left
out, and the command says so.

A table knows where it comes from: `date` and `file` of each row's speeds, and for footers and sidecars
`scripts.common.provenance.sources(table)`.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from scripts.common import families
from scripts.common.errors import UserError, cli
from scripts.common.hardware import parse_benchmark_name
from scripts.common.paths import atomic_csv
from scripts.common.progress import Progress
from scripts.common.provenance import carry
from scripts.common.tables import MissingColumn, Text, read_text, typed
from scripts.data import download, names
from scripts.data.download import VINTAGES, Table, TablesMissing
from scripts.data.pretraining import pretraining

THEN, NOW = VINTAGES
PARTS = ("infer", "train")
RESULTS = "results-imagenet.csv"
TIDY = [
    "model",
    "arch",
    "tag",
    "family",
    "kind",
    "pretrain",
    "img_size",
    "top1",
    "top5",
    "param_count",
    "gmacs",
    "macts",
    "part",
    "samples_per_sec",
    "secs",
    "batch_size",
    "hardware",
    "precision",
    "layout",
    "compiled",
    "torch",
    "vintage",
    "date",
    "file",
]
# Of a family's rows whose architecture was timed, the share whose size was timed too. The lowest in timm's tables is 2
# of 6 (vovnet, RTX 3090, torch 1.13: results moved to another size since); a broken join finds next to nothing.
LEAST_COVERAGE = 0.25

# What the notebook drew: fast.ai's "Which image models are best?" (Jeremy Howard, Ross Wightman), code cells 4 and 7.
NOTEBOOK_FILE = "benchmark-{part}-amp-nhwc-pt111-cu113-rtx3090.csv"
NOTEBOOK_FAMILY = r"^([a-z]+?(?:v2)?)(?:\d|_|$)"
NOTEBOOK_FILTER = r"^re[sg]netd?|beit|convnext|levit|efficient|vit|vgg"
NOTEBOOK_SUBSET = r"levit|resnetd?|regnetx|vgg|convnext.*|efficientnetv2|beit"


_said: set[str] = set()  # why files were left out, as far as the reader was told


class LostFamilies(UserError):
    """A benchmark file whose families the join lost: names or sizes that are not those of the accuracies beside it."""


def configs(vintage: str, part: str | None = None) -> list[str]:
    """Names of the benchmark files of one vintage (of one part), each a hardware configuration.

    Raises TablesMissing where there is neither network nor cache nor TIMM_RESULTS.
    """
    _known_part(part)
    download.locate(vintage, RESULTS)
    return [name for name in download.files(vintage) if name.startswith(f"benchmark-{part or ''}")]


def results(vintage: str, file: str = RESULTS) -> pd.DataFrame:
    """One table of accuracies (percent): model, arch, tag, img_size, top1, top5, param_count (millions), with numbers
    as numbers.

    `file` may be a robustness table (results-sketch.csv, …). Raises UserError for a damaged one or an architecture
    without family.
    """
    return _results(download.table(vintage, file)).copy()


def load(part: str, vintage: str, file: str | None = None) -> pd.DataFrame:
    """The tidy table of `part` ('infer' or 'train') of one vintage: one row per (configuration, weights, image size),
    columns `TIDY`.

    file: one benchmark file; None puts all of the part's below each other. `secs` is seconds per image, top1 and top5
    are percent, param_count, gmacs and macts millions, 10⁹ and 10⁶ of the timed network (NaN where timm's file
    lacks them). Raises TablesMissing without tables, UserError for an unknown file, a damaged one, or a join that lost
    a family.
    """
    _known_part(part)
    if file is None:
        return pd.concat(list(tables(part, vintage)), ignore_index=True)
    if not file.startswith(f"benchmark-{part}-"):
        raise UserError(
            f"{file[:100]}: not a benchmark-{part}-… file; choose one of {', '.join(configs(vintage, part))}"
        )
    return _joined(part, vintage, file)[0].copy()


def tables(part: str, vintage: str, broken: dict[str, str] | None = None) -> Iterator[pd.DataFrame]:
    """`load` of every file of the part, one by one. One that can't be joined, for its sizes moved or a column is not
    there, is left out with a line that says why; `broken` gets it as {file: why}. Raises TablesMissing without tables,
    UserError for a damaged one.
    """
    for file in configs(vintage, part):
        try:
            yield load(part, vintage, file)
        except (LostFamilies, MissingColumn) as error:
            if broken is not None:
                broken[file] = str(error)
            if str(error) not in _said:
                _said.add(str(error))
                print(f"notice: left out: {error}", file=sys.stderr)


def every_table(*parts: str) -> list[pd.DataFrame]:
    """`tables` of both vintages, of these parts or of both."""
    return [table for vintage in VINTAGES for part in parts or PARTS for table in tables(part, vintage)]


def audit(vintage: str, file: str) -> pd.DataFrame:
    """What the join did to one file, per family: `results` rows, of them `matched` (of these `renamed`: under an older
    name), `wrong_size` (timed at another size only) and `dropped` (not timed); `timed_only`: timed rows without
    published accuracy."""
    return _joined(parse_benchmark_name(file)["part"], vintage, file)[1].copy()


def audits() -> pd.DataFrame:
    """`audit` of every table of both vintages that can be joined, with `vintage`, `file` and its `date`."""
    found = [
        audit(*table.iloc[0][["vintage", "file"]]).assign(**table.iloc[0][["vintage", "file", "date"]])
        for table in every_table()
    ]
    return pd.concat(found, ignore_index=True).sort_values(["vintage", "file"], kind="stable", ignore_index=True)


def notebook(part: str, subset: bool = False) -> pd.DataFrame:
    """The 2022 tables as the original notebook merged and filtered them, quirks included (`param_count_x` is the
    benchmark's).

    165 rows for 'infer', 168 for 'train'; subset: only what it called the key families, 61 and 62.
    Columns as in the notebook: model, {part}_samples_per_sec, …, top1, img_size, secs, family.
    """
    _known_part(part)
    file = NOTEBOOK_FILE.format(part=part)
    numeric = [f"{part}_samples_per_sec", f"{part}_step_time", f"{part}_batch_size", f"{part}_img_size", "param_count"]
    sides = [download.table(THEN, name) for name in (file, RESULTS)]
    speeds = typed(_text(sides[0]), required=["model"], numeric=numeric, key=["model"])
    accuracies = typed(
        _text(sides[1]),
        required=["model"],
        key=["model"],
        numeric=["top1", "top1_err", "top5", "top5_err", "param_count", "img_size"],
    )
    frame = speeds.merge(accuracies, on="model", validate="1:1")
    frame["secs"] = 1.0 / frame[f"{part}_samples_per_sec"]
    frame["family"] = frame["model"].str.extract(NOTEBOOK_FAMILY, expand=False).fillna("")
    frame = frame[~frame["model"].str.endswith("gn")].copy()
    frame.loc[frame["model"].str.contains("in22"), "family"] += "_in22"
    frame.loc[frame["model"].str.contains("resnet.*d"), "family"] += "d"
    frame = frame[frame["family"].str.contains(NOTEBOOK_FILTER)]
    frame = frame[frame["family"].str.fullmatch(NOTEBOOK_SUBSET)] if subset else frame
    if frame.empty:
        raise UserError(f"{file}: no row passes the notebook's filter; is this the table of {THEN}?")
    frame = frame.reset_index(drop=True)
    carry(frame, *(side.source for side in sides))
    return frame


def _known_part(part: str | None) -> None:
    if part not in (*PARTS, None):
        raise UserError(f"part {str(part)[:40]!r}: no such one; choose infer or train")


@functools.lru_cache(maxsize=64)
def _text(table: Table) -> Text:
    """A table's cells, parsed once."""
    return read_text(table.path)


@functools.lru_cache(maxsize=32)
def _results(table: Table) -> pd.DataFrame:
    numbers = ["top1", "top5", "param_count", "img_size"]
    frame = typed(_text(table), required=["model"], numeric=numbers, key=["model", "img_size"])[["model", *numbers]]
    for column, least, most in (("top1", 0, 100), ("top5", 0, 100), ("param_count", 0, 1e6), ("img_size", 1, 1e5)):
        _within(frame, column, least, most, table.path.name)
    parts = frame["model"].str.partition(".")
    frame = frame.assign(arch=parts[0], tag=parts[2], img_size=frame["img_size"].astype(int))
    families.check(frame["arch"])
    carry(frame, table.source)
    return frame


def _within(frame: pd.DataFrame, column: str, least: float, most: float, file: str) -> None:
    bad = frame[~frame[column].between(least, most) | ((column == "img_size") & (frame[column] % 1 != 0))]
    if len(bad):
        raise UserError(
            f"{file}: {column} of {bad['model'].iloc[0][:60]} is {bad[column].iloc[0]:g}; expected {least:g} to "
            f"{most:g}"
            f"{', a whole number' if column == 'img_size' else ''}; mend the row or download the file again"
        )


def benchmark(vintage: str, file: str) -> pd.DataFrame:
    """One benchmark file with the part's prefix taken off its columns: model, img_size, samples_per_sec, batch_size,
    param_count, and gmacs and macts (NaN where missing). Rows without a speed (it ran out of memory) are left out."""
    return _benchmark(download.table(vintage, file)).copy()


@functools.lru_cache(maxsize=64)
def _benchmark(table: Table) -> pd.DataFrame:
    part = parse_benchmark_name(table.path.name)["part"]
    numbers = [f"{part}_img_size", "param_count"]
    maybe = [f"{part}_samples_per_sec", f"{part}_batch_size", f"{part}_gmacs", f"{part}_macts"]
    key = ["model", f"{part}_img_size"]
    frame = typed(_text(table), required=["model", *maybe[:2]], numeric=numbers, optional_numeric=maybe, key=key)
    frame = frame.rename(columns={name: str(name).removeprefix(f"{part}_") for name in frame})
    frame = frame.reindex(columns=list(dict.fromkeys([*frame.columns, "gmacs", "macts"])))
    frame = frame[frame["samples_per_sec"].notna()]
    for column, least, most in (("samples_per_sec", 1e-9, 1e9), ("img_size", 1, 1e5), ("param_count", 0, 1e6)):
        _within(frame, column, least, most, table.path.name)
    families.check(frame["model"].str.partition(".")[0])
    floats = {column: frame[column].astype(float) for column in ("gmacs", "macts")}
    frame = frame.assign(img_size=frame["img_size"].astype(int), **floats).reset_index(drop=True)
    carry(frame, table.source)
    return frame


def _today(speeds: pd.DataFrame, accuracies: pd.DataFrame) -> pd.DataFrame:
    """Speeds keyed by (`arch`, `img_size`), unique. Old names (`renamed`) fill only keys that no row has under today's
    name; of several, the network with the fewest parameters counts (the others carry a head for 21,000 classes)."""
    speeds = speeds.assign(arch=speeds["model"], renamed=False)
    if not accuracies["tag"].ne("").any():  # the tables of 2022 use its names on both sides
        return speeds
    old = speeds[~speeds["model"].isin(accuracies["arch"])]
    old = old.assign(arch=[names.today(name).partition(".")[0] for name in old["model"]], renamed=True)
    old = (
        old[old["arch"].isin(accuracies["arch"])]
        .sort_values(["param_count", "model"])
        .drop_duplicates(["arch", "img_size"])
    )
    return pd.concat([speeds, old]).drop_duplicates(["arch", "img_size"])


def _joined(part: str, vintage: str, file: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    return _join(part, vintage, download.table(vintage, file), download.table(vintage, RESULTS))


@functools.lru_cache(maxsize=128)
def _join(part: str, vintage: str, table: Table, results: Table) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(tidy rows, audit) of one benchmark file."""
    file = table.path.name
    about = parse_benchmark_name(file)
    accuracies, speeds = _results(results), _benchmark(table)
    keyed = _today(speeds, accuracies)
    frame = accuracies.merge(
        keyed.drop(columns="model"), on=["arch", "img_size"], how="left", validate="m:1", suffixes=("_results", "")
    )
    rows = {arch: families.lookup(arch) for arch in set(frame["arch"]) | set(speeds["model"])}
    frame["family"] = frame["arch"].map(families.family)
    report = _audit(frame, keyed, speeds, rows, file)
    frame = frame[frame["samples_per_sec"].notna()].copy()
    frame["kind"] = frame["arch"].map(families.kind)
    frame["pretrain"] = frame["model"].map(pretraining)
    frame["secs"] = 1.0 / frame["samples_per_sec"]
    frame["batch_size"] = frame["batch_size"].astype("Int64")
    for column in ("hardware", "precision", "layout", "compiled", "torch"):
        frame[column] = about[column]
    frame = frame.assign(part=part, vintage=vintage, date=table.source.date, file=file)
    frame = frame[TIDY].reset_index(drop=True)
    carry(frame, table.source, results.source)
    return frame, report


def _audit(frame: pd.DataFrame, keyed: pd.DataFrame, speeds: pd.DataFrame, rows: dict, file: str) -> pd.DataFrame:
    """Counts per family; raises LostFamilies naming each family that the join lost, and why."""
    matched, timed = frame["samples_per_sec"].notna(), frame["arch"].isin(keyed["arch"])
    renamed = frame["renamed"].eq(True)
    counts = (
        pd.DataFrame(
            {
                "family": frame["family"],
                "results": 1,
                "matched": matched,
                "renamed": renamed,
                "wrong_size": timed & ~matched,
                "dropped": ~timed,
            }
        )
        .groupby("family", as_index=False)
        .sum()
    )
    measured = speeds["model"].map(lambda arch: rows[arch].family)
    used = set(zip(frame["arch"][matched], frame["img_size"][matched]))
    alone = keyed[[key not in used for key in zip(keyed["arch"], keyed["img_size"])]]
    only = alone[~alone["renamed"]]["arch"].map(lambda arch: rows[arch].family).value_counts()
    counts["timed_only"] = counts["family"].map(only).fillna(0).astype(int)
    lost = counts[
        counts["family"].isin(measured)
        & ((counts["matched"] == 0) | (counts["matched"] < LEAST_COVERAGE * (counts["matched"] + counts["wrong_size"])))
    ]
    if len(lost) or not matched.any():
        which = "; ".join(_lost(row) for row in lost.itertuples()) or "every one"
        raise LostFamilies(
            f"{file}: the join with {RESULTS} lost families: {which}; the names or sizes of the two files do not fit "
            "together, compare their 'model' columns"
        )
    return counts


def _lost(row) -> str:
    """One family of `_audit` that the join lost, and why: 'convnext (3 of 24, 21 timed at another size)'."""
    why = f"{row.wrong_size} timed at another size" if row.wrong_size else "none timed under its name"
    return f"{row.family} ({row.matched} of {row.results}, {why})"


def fetch() -> int:
    """Bring every table of both vintages into the cache. Returns how many there are."""
    wanted = [(vintage, file) for vintage in VINTAGES for file in download.files(vintage)]
    with Progress(len(wanted), "timm's tables") as progress:
        for vintage, file in wanted:
            download.table(vintage, file)
            progress.advance(f"{vintage}/{file}")
    return len(wanted)


@cli
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.data.read_data", description="timm's tables as one tidy table."
    )
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--vintage", choices=list(VINTAGES))
    parser.add_argument("--file", help="one benchmark file; without it, all of the part's")
    parser.add_argument(
        "--view", choices=("tidy", "notebook"), default="tidy", help="notebook: as the original of 2022 drew it"
    )
    parser.add_argument("--out", type=Path, help="the CSV to write")
    parser.add_argument("--list", action="store_true", help="name the tables")
    options = parser.parse_args(argv)
    if options.list:
        print("\n".join(f"{vintage}/{file}" for vintage in VINTAGES for file in download.files(vintage)))
        return
    if not (options.part or options.vintage or options.file or options.out):
        try:
            print(f"timm's tables: {fetch()} files at hand")
        except TablesMissing as error:
            print(f"notice: {error}; charts from timm's tables keep their committed pictures", file=sys.stderr)
        return
    if not (options.part and options.vintage and options.out):
        parser.error("--part, --vintage and --out belong together")
    if options.view == "notebook":
        if options.vintage != THEN or options.file not in (None, NOTEBOOK_FILE.format(part=options.part)):
            raise UserError(
                f"the notebook's view is of {NOTEBOOK_FILE.format(part=options.part)} of {THEN}; leave --file out "
                "and name that vintage"
            )
        frame = notebook(options.part)
    else:
        frame = load(options.part, options.vintage, options.file)
    atomic_csv(frame, options.out)
    print(f"wrote {len(frame):,} rows to {options.out}")


if __name__ == "__main__":
    sys.exit(main())
