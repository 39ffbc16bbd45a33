"""timm's published tables as one tidy table, and as the original notebook saw them.

    # fetch every table of both vintages into the cache
    python -m scripts.data.read_data
    python -m scripts.data.read_data --list
    python -m scripts.data.read_data --part infer --vintage 2026-08-08 --out tidy.csv \\
        --file benchmark-infer-amp-nchw-pt291-cu130-5090.csv
    python -m scripts.data.read_data --part train --vintage 2022-04-01 --view notebook --out notebook.csv

Speeds and accuracies stand in different files. They are joined on (architecture, image size): a speed belongs to an
architecture and a size, an accuracy to one set of weights of it. Joining on names alone matched 580 rows in 2022, and
none today. Files measured before timm renamed its models are read under today's names. A family that is in both files
and finds no match is an error with its name.
"""

from __future__ import annotations

import argparse
import functools
import sys
from pathlib import Path

import pandas as pd

from scripts.common import families
from scripts.common.errors import UserError, cli
from scripts.common.hardware import parse_benchmark_name
from scripts.common.paths import atomic_csv
from scripts.common.progress import Progress
from scripts.common.tables import read_table
from scripts.data import download, names
from scripts.data.download import VINTAGES, TablesMissing
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
]
# Of a family's rows whose architecture was timed, the share whose size was timed too. The lowest in timm's tables is 2
# of 6 (vovnet,
# RTX 3090, torch 1.13: results moved to another size since); a broken join finds next to nothing.
LEAST_COVERAGE = 0.25

# What the notebook drew: fast.ai's "Which image models are best?" (Jeremy Howard, Ross Wightman), code cells 4 and 7.
NOTEBOOK_FILE = "benchmark-{part}-amp-nhwc-pt111-cu113-rtx3090.csv"
NOTEBOOK_FAMILY = r"^([a-z]+?(?:v2)?)(?:\d|_|$)"
NOTEBOOK_FILTER = r"^re[sg]netd?|beit|convnext|levit|efficient|vit|vgg"
NOTEBOOK_SUBSET = r"levit|resnetd?|regnetx|vgg|convnext.*|efficientnetv2|beit"


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
    path = download.locate(vintage, file)
    return _results(path, _stamp(path)).copy()


def load(part: str, vintage: str, file: str | None = None) -> pd.DataFrame:
    """The tidy table of `part` ('infer' or 'train') of one vintage: one row per (configuration, weights, image size),
    columns `TIDY`.

    file: one benchmark file; None puts all of the part's below each other. `secs` is seconds per image, top1 and top5
    are percent, param_count, gmacs and macts millions, 10⁹ and 10⁶ of the timed network (NaN where timm's file lacks
    them). Raises TablesMissing without tables, UserError for an unknown file, a damaged one, or a join that lost a
    family.
    """
    _known_part(part)
    chosen = configs(vintage, part) if file is None else [file]
    if file is not None and not file.startswith(f"benchmark-{part}-"):
        raise UserError(
            f"{file[:100]}: not a benchmark-{part}-… file; choose one of {', '.join(configs(vintage, part))}"
        )
    return pd.concat([_joined(part, vintage, name)[0] for name in chosen], ignore_index=True)


def audit(vintage: str, file: str) -> pd.DataFrame:
    """What the join did to one file, per family: `results` rows, of them `matched` (of these `renamed`: under an older
    name), `wrong_size` (timed at another size only) and `dropped` (not timed); `timed_only`: timed rows without
    published accuracy."""
    return _joined(parse_benchmark_name(file)["part"], vintage, file)[1].copy()


def audits() -> pd.DataFrame:
    """`audit` of every table of both vintages, with `vintage` and `file`."""
    return pd.concat(
        [audit(vintage, file).assign(vintage=vintage, file=file) for vintage in VINTAGES for file in configs(vintage)],
        ignore_index=True,
    )


def notebook(part: str, subset: bool = False) -> pd.DataFrame:
    """The 2022 tables as the original notebook merged and filtered them, quirks included (`param_count_x` is the
    benchmark's).

    165 rows for 'infer', 168 for 'train'; subset: only what it called the key families, 61 and 62.
    Columns as in the notebook: model, {part}_samples_per_sec, …, top1, img_size, secs, family.
    """
    _known_part(part)
    file = NOTEBOOK_FILE.format(part=part)
    numeric = [f"{part}_samples_per_sec", f"{part}_step_time", f"{part}_batch_size", f"{part}_img_size", "param_count"]
    speeds = read_table(download.locate(THEN, file), required=["model"], numeric=numeric, key=["model"])
    accuracies = read_table(
        download.locate(THEN, RESULTS),
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
    return frame.reset_index(drop=True)


def _known_part(part: str | None) -> None:
    if part not in (*PARTS, None):
        raise UserError(f"part {str(part)[:40]!r}: no such one; choose infer or train")


def _stamp(path: Path) -> tuple[int, int]:
    return path.stat().st_mtime_ns, path.stat().st_size


@functools.lru_cache(maxsize=32)
def _results(path: Path, stamp) -> pd.DataFrame:
    numbers = ["top1", "top5", "param_count", "img_size"]
    frame = read_table(path, required=["model"], numeric=numbers, key=["model", "img_size"])[["model", *numbers]]
    for column, least, most in (("top1", 0, 100), ("top5", 0, 100), ("param_count", 0, 1e6), ("img_size", 1, 1e5)):
        _within(frame, column, least, most, path.name)
    parts = frame["model"].str.partition(".")
    frame = frame.assign(arch=parts[0], tag=parts[2], img_size=frame["img_size"].astype(int))
    families.check(frame["arch"])
    return frame


def _within(frame: pd.DataFrame, column: str, least: float, most: float, file: str) -> None:
    bad = frame[~frame[column].between(least, most) | ((column == "img_size") & (frame[column] % 1 != 0))]
    if len(bad):
        raise UserError(
            f"{file}: {column} of {bad['model'].iloc[0][:60]} is {bad[column].iloc[0]:g}; expected {least:g} to "
            f"{most:g}"
            f"{', a whole number' if column == 'img_size' else ''}; mend the row or download the file again"
        )


def read_benchmark(path: Path, part: str) -> pd.DataFrame:
    """One benchmark file with the part's prefix taken off its columns: model, img_size, samples_per_sec, batch_size,
    param_count, and gmacs and macts (NaN where missing). Rows without a speed (it ran out of memory) are left out."""
    numbers = [f"{part}_img_size", "param_count"]
    maybe = [f"{part}_samples_per_sec", f"{part}_batch_size", f"{part}_gmacs", f"{part}_macts"]
    frame = read_table(
        path, required=["model", *maybe[:2]], numeric=numbers, optional_numeric=maybe, key=["model", f"{part}_img_size"]
    )
    frame = frame.rename(columns={name: str(name).removeprefix(f"{part}_") for name in frame})
    frame = frame.reindex(columns=list(dict.fromkeys([*frame.columns, "gmacs", "macts"])))
    frame = frame[frame["samples_per_sec"].notna()]
    for column, least, most in (("samples_per_sec", 1e-9, 1e9), ("img_size", 1, 1e5), ("param_count", 0, 1e6)):
        _within(frame, column, least, most, path.name)
    families.check(frame["model"].str.partition(".")[0])
    return frame.assign(
        img_size=frame["img_size"].astype(int), **{c: frame[c].astype(float) for c in ("gmacs", "macts")}
    ).reset_index(drop=True)


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
    paths = download.locate(vintage, file), download.locate(vintage, RESULTS)
    return _join(part, vintage, *paths, tuple(_stamp(path) for path in paths))


@functools.lru_cache(maxsize=128)
def _join(part: str, vintage: str, path: Path, results_path: Path, stamps) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(tidy rows, audit) of one benchmark file."""
    about = parse_benchmark_name(path.name)
    accuracies = _results(results_path, stamps[1])
    speeds = read_benchmark(path, part)
    keyed = _today(speeds, accuracies)
    frame = accuracies.merge(
        keyed.drop(columns="model"), on=["arch", "img_size"], how="left", validate="m:1", suffixes=("_results", "")
    )
    rows = {arch: families.lookup(arch) for arch in set(frame["arch"]) | set(speeds["model"])}
    frame["family"] = frame["arch"].map(families.family)
    report = _audit(frame, keyed, speeds, rows, path.name)
    frame = frame[frame["samples_per_sec"].notna()].copy()
    frame["kind"] = frame["arch"].map(families.kind)
    frame["pretrain"] = frame["model"].map(pretraining)
    frame["secs"] = 1.0 / frame["samples_per_sec"]
    frame["batch_size"] = frame["batch_size"].astype("Int64")
    for column in ("hardware", "precision", "layout", "compiled", "torch"):
        frame[column] = about[column]
    return frame.assign(part=part, vintage=vintage)[TIDY].reset_index(drop=True), report


def _audit(frame: pd.DataFrame, keyed: pd.DataFrame, speeds: pd.DataFrame, rows: dict, file: str) -> pd.DataFrame:
    """Counts per family; raises UserError naming each family that the join lost."""
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
        which = ", ".join(f"{row.family} ({row.matched} of {row.results})" for row in lost.itertuples()) or "every one"
        raise UserError(
            f"{file}: the join with {RESULTS} lost families: {which}; the names or sizes of the two files do not fit "
            "together, "
            "compare their 'model' columns"
        )
    return counts


def fetch() -> int:
    """Bring every table of both vintages into the cache. Returns how many there are."""
    wanted = [(vintage, file) for vintage in VINTAGES for file in download.files(vintage)]
    with Progress(len(wanted), "timm's tables") as progress:
        for vintage, file in wanted:
            download.locate(vintage, file)
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
