"""Is a contributed machine fit for the report? Checks each benchmark CSV of report/data and its sidecar, as CI does for
a pull request.

    make check-data
    python -m scripts.bench.contribute report/data/benchmark-infer-bf16-nhwc-pt2150-cu130-rtx5080.csv

The name says what the sidecar and the rows say; the columns are those that `make bench` writes; figures are possible
and fit together (the median lies in its interval, throughput times step time is the batch, nothing beats the machine's
arithmetic limit); models are known; the sidecar belongs to this very file, and names no person, host or folder, nor do
the sidecars of what was trained. One line per problem; exit code 0 fit, 1 not, 2 could not look.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pandas as pd

from scripts.bench import measure
from scripts.common import families, hardware, provenance
from scripts.common.errors import UserError, cli
from scripts.common.paths import DATA
from scripts.common.tables import read_table
from scripts.data import download

STATES = ("ok", "failed", "nonfinite")
TEXT = (
    "model",
    "status",
    "reason",
    "converged",
    "batch_asked",
    "precision",
    "layout",
    "compile_mode",
    "cuda_graph",
    "torch",
    "timm",
    "measured_at",
)
STEP_SLACK = 0.25  # batch / step time against throughput: both are medians, of blocks and of steps
LIMIT_PCT = 105  # of the arithmetic limit, which was measured too
PRIVATE = re.compile(
    r"(?<![\w.])/(?:home|Users|root|mnt|media|opt|srv|tmp|var|work|workspace|content|data)/|[A-Za-z]:\\\\|"
    r"[\w.+-]+@[\w-]+\.\w"
)


def check(path: Path) -> list[str]:
    """What is wrong with a benchmark CSV and its sidecar; [] where nothing is. Raises UserError where the CSV
    cannot be read as a table.
    """
    about = hardware.parse_benchmark_name(path.name)
    part = about["part"]
    frame = read_table(path, required=["model", "status"])
    wanted = measure.columns(part)
    if list(frame.columns) != wanted:
        odd = sorted(set(frame.columns) ^ set(wanted))
        return [
            f"columns of another form ({', '.join(odd[:3]) or 'in another order'}); use this version of `make bench`"
        ]
    numbers = [name for name in wanted if name not in TEXT]
    frame = read_table(path, optional_numeric=numbers, key=["model", f"{part}_img_size"])
    if provenance.sha256(path) in set(download.registry().values()):
        return ["is a copy of one of timm's own tables, which are read from timm and not committed"]
    return [*_rows(frame, part, about), *_sidecar(path, about, frame)]


def _rows(frame: pd.DataFrame, part: str, about: dict) -> list[str]:
    """What is impossible in the rows; a sentence per kind, with the first model concerned."""
    rate, batch = frame[f"{part}_samples_per_sec"], frame[f"{part}_batch_size"]
    ok = frame["status"] == "ok"
    odd = {
        "has an unknown status": ~frame["status"].isin(STATES),
        "failed without a reason": ~ok & (frame["reason"].str.strip() == ""),
        "has a reason that names a folder or an address; take it out": frame["reason"].map(
            lambda text: bool(PRIVATE.search(json.dumps(text)))
        ),
        "is ok without a speed": ok & ~rate.between(0, 1e8, inclusive="neither"),
        "failed, but has a speed": ~ok & rate.notna(),
        "has a speed outside its interval": ok
        & ~((frame["samples_per_sec_low"] <= rate) & (rate <= frame["samples_per_sec_high"])),
        "has a batch size or image size that is none": ok
        & ~((batch >= 1) & frame[f"{part}_img_size"].between(8, 4096)),
        "has a throughput that its step time and batch size contradict": ok
        & ~((batch / frame[f"{part}_step_time"] * 1000 / rate - 1).abs() <= STEP_SLACK),
        "has parameters that are none": ok & ~frame["param_count"].between(0, 1e5, inclusive="neither"),
        f"was measured in another precision than the file's name says ({about['precision']})": ok
        & (frame["precision"] != about["precision"]),
        f"was measured in another layout than the file's name says ({about['layout']})": ok
        & (frame["layout"] != about["layout"]),
        "was compiled or not, other than the file's name says": ok
        & ((frame["compile_mode"] != "") != about["compiled"]),
        f"is faster than {LIMIT_PCT}% of the arithmetic limit": frame["arithmetic_pct"] > LIMIT_PCT,
        "has no time of measurement": ok & ~frame["measured_at"].str.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
        "has a model name that timm would not give": ~frame["model"].str.fullmatch(
            r"[a-z0-9_]{2,80}(\.[a-z0-9_]{1,80})?"
        ),
    }
    found = [
        f"{frame['model'][mask].iloc[0][:80]} {what}" + (f" (and {mask.sum() - 1} more)" if mask.sum() > 1 else "")
        for what, mask in odd.items()
        if mask.any()
    ]
    if not ok.any():
        found.append("no model was measured")
    try:
        families.check(frame["model"].str.partition(".")[0])
    except UserError as error:
        found.append(str(error))
    return found


def _sidecar(path: Path, about: dict, frame: pd.DataFrame) -> list[str]:
    """What is wrong with the sidecar."""
    try:
        facts = provenance.read_sidecar(path)
    except UserError as error:
        return [str(error)]
    machine, versions = facts["hardware"], facts.get("versions") or {}
    found = []
    if facts.get("sha256") != provenance.sha256(path):
        found.append("the sidecar's checksum is of another file; commit the pair that `make bench` wrote")
    if hardware.named(str(machine.get("slug", ""))).slug != about["hardware"]:
        found.append(f"the sidecar is of {str(machine.get('slug'))[:60]}, the file's name of {about['hardware']}")
    if machine.get("kind") not in ("gpu", "cpu") or not str(machine.get("name", "")).strip():
        found.append("the sidecar does not say what machine it was")
    if machine.get("kind") == "gpu" and not machine.get("driver"):
        found.append("the sidecar does not say the GPU's driver")
    torch = str(versions.get("torch", ""))
    if hardware.torch_version(hardware.torch_digits(torch) or "00") != about["torch"]:
        found.append(f"the sidecar says torch {torch[:20] or 'unknown'}, the file's name {about['torch']}")
    if not re.search(
        r"\bscripts[./]bench[./]sweep\b", f"{facts.get('command')} {facts.get('code')}"
    ):  # bench.gpu and others call it
        found.append("the sidecar's command is not this project's sweep")
    try:
        made = datetime.fromisoformat(str(facts.get("date", "")).replace("Z", "+00:00"))
        if made.tzinfo is None or made > datetime.now(timezone.utc) + timedelta(days=1):
            found.append("the sidecar's date lies in the future, or has no time zone")
    except ValueError:
        found.append("the sidecar has no date")
    if facts.get("rows") not in (None, len(frame)):
        found.append(f"the sidecar counts {facts['rows']} rows, the table has {len(frame)}")
    return [*found, *_private(facts)]


def _private(facts) -> list[str]:
    """What in a sidecar names a folder or a person."""
    found = PRIVATE.search(json.dumps(facts))
    return [f"the sidecar names a folder or an address ({found.group()[:30]}); take it out"] if found else []


def other(path: Path) -> list[str]:
    """What is wrong with the sidecar of another result (networks trained here, …) as far as that may name somebody."""
    try:
        return _private(json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return ["is no readable sidecar"]


@cli
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench.contribute",
        description=__doc__.split("\n\n")[0],
        epilog="example: make check-data",
    )
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="CSV",
        help="default: every benchmark-*.csv in report/data, and of the other "
        "sidecars there whether they name somebody",
    )
    given = parser.parse_args(arguments).files
    chosen = given or sorted(DATA.glob("benchmark-*.csv"))
    others = [] if given else sorted(set(DATA.glob("*.json")) - {path.with_suffix(".json") for path in chosen})
    wrong = 0
    for path in [*chosen, *others]:
        try:
            problems = other(path) if path in others else check(path)
        except UserError as error:
            problems = [str(error)]
        wrong += len(problems)
        for problem in problems:
            print(f"{path.name}: {problem}")
    print(
        f"check-data: {len(chosen)} table{'s' * (len(chosen) != 1)}, {wrong or 'no'} problem{'s' * (wrong != 1)}",
        file=sys.stderr,
    )
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
