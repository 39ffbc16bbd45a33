"""Is a contributed machine fit for the report? Checks each benchmark CSV of report/data and its sidecar, as CI does for
a pull request.

    make check-data
    python -m scripts.bench.contribute report/data/benchmark-infer-bf16-nhwc-pt2150-cu130-rtx5080.csv

The name says what the sidecar and the rows say; the columns are those that `make bench` writes; figures are possible
and fit together (the median lies in its interval, throughput times step time is the batch, nothing beats the machine's
arithmetic limit); models are known; the sidecar belongs to this very file, and names no person, host or folder, nor do
the sidecars of what was trained. What is possible in a column stands in its contract (scripts/common/schema). Files are
read up to a limit, links and pipes not at all. One line per problem; exit code 0 fit, 1 not, 2 could not look.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pandas as pd

from scripts.bench import measure
from scripts.common import families, hardware, provenance, schema
from scripts.common.errors import UserError, cli, printable
from scripts.common.paths import DATA, read_file
from scripts.common.schema.bench import TEXTS
from scripts.common.tables import read_table
from scripts.data import download

STATES = ("ok", "failed", "nonfinite")
STEP_SLACK = 0.25  # batch / step time against throughput: both are medians, of blocks and of steps
LIMIT_PCT = 105  # of the arithmetic limit, which was measured too
MAX_TABLE = 2 * 2**20  # bytes; our largest has 30 kB, timm's largest 0.2 MB
MAX_TEXT = 2_000  # characters of a fact in a sidecar: a command may name a hundred models
MAX_DEPTH = 12  # of facts in facts
FIRST_DAY = datetime(2021, 1, 1, tzinfo=timezone.utc)  # nothing was measured before this project's first tables
SLUG = re.compile(r"[a-z0-9][a-z0-9_.]{0,79}")
VERSION = re.compile(r"\d{1,4}(\.\d{1,6}){0,3}[\w.+-]{0,40}")
KNOWN_VERSIONS = {"torch": ((1, 8), (3, 99)), "timm": ((0, 4), (2, 99)), "python": ((3, 8), (3, 40))}  # first, last
# Each alternative starts at a character of its own and looks no further than a few dozen: linear in any text.
PRIVATE = re.compile(
    r"(?<![\w.:/~-])/(?!(?:dev|proc|sys)/)[\w.+-]{1,60}/[\w.+~-]"  # /home/jane, /Volumes/x, /scratch/jane
    r"|(?<![\w.])~[\w.-]{0,40}[/\\]"  # ~/x, ~jane/x
    r"|(?<!\w)[A-Za-z]:[\\/](?!/)"  # C:\\x
    r"|\\\\[\w.-]{1,60}\\"  # \\\\server\\share
    r"|(?<=[\w.+-])@(?=\w)"  # jane@example.org, jane@box
    r"|(?<=[\w-])\.(?:local|lan|home|corp|internal|intranet|localdomain|home\.arpa|fritz\.box)(?![\w-])"
    r"|(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.])"  # 192.168.1.7
    r"|(?<![\w:])(?:[0-9a-f]{1,4}:){3,7}[0-9a-f:]{1,20}|(?<![\w:])(?:fe80|f[cd][0-9a-f]{2}):",  # IPv6, MAC
    re.IGNORECASE,
)


def check(path: Path) -> list[str]:
    """What is wrong with a benchmark CSV and its sidecar; [] where nothing is. Raises UserError where the CSV
    cannot be read as a table.
    """
    about = hardware.parse_benchmark_name(path.name)
    part = about["part"]
    wanted = measure.columns(part)
    content = _content(path, MAX_TABLE)
    first = content[:100_000].decode("utf-8-sig", "replace").split("\n")[0]
    header = first.rstrip("\r").split(",")  # none of ours is quoted
    if header != wanted:
        read_table(path, required=["model", "status"])  # says what it is, where it is no table
        odd = sorted(set(header) ^ set(wanted))
        return [
            f"columns of another form ({', '.join(odd[:3])[:200] or 'in another order'}); use this version of "
            "`make bench`"
        ]
    numbers = [name for name in wanted if name not in TEXTS]
    frame = read_table(path, optional_numeric=numbers, key=["model", f"{part}_img_size"])
    if hashlib.sha256(content).hexdigest() in set(download.registry().values()):
        return ["is a copy of one of timm's own tables, which are read from timm and not committed"]
    return [*_rows(path.name, frame, part, about), *_sidecar(path, about, frame, content)]


def _content(path: Path, limit: int) -> bytes:
    """The bytes of a file that a stranger handed in. Raises UserError: missing, a link, a pipe, too large."""
    try:
        return read_file(path, limit)
    except FileNotFoundError:
        raise UserError(f"{path.name}: no such file") from None
    except OSError as error:
        raise UserError(f"{path.name}: cannot be read ({error.strerror})") from None


def _rows(name: str, frame: pd.DataFrame, part: str, about: dict) -> list[str]:
    """What is impossible in the rows; a sentence per kind, with the first model concerned."""
    rate, batch = frame[f"{part}_samples_per_sec"], frame[f"{part}_batch_size"]
    ok = frame["status"] == "ok"
    odd = {
        "has an unknown status": ~frame["status"].isin(STATES),
        "failed without a reason": ~ok & (frame["reason"].str.strip() == ""),
        "has a reason that names a folder or an address; take it out": frame["reason"].map(
            lambda text: bool(PRIVATE.search(text[:MAX_TEXT]))
        ),
        "is ok without a speed": ok & ~rate.between(0, 1e8, inclusive="neither"),
        "failed, but has a speed": ~ok & rate.notna(),
        "has a speed outside its interval": ok
        & ~((frame["samples_per_sec_low"] <= rate) & (rate <= frame["samples_per_sec_high"])),
        "has a batch size or image size that is none": ok & (batch.isna() | frame[f"{part}_img_size"].isna()),
        "has a throughput that its step time and batch size contradict": ok
        & ~((batch / frame[f"{part}_step_time"] * 1000 / rate - 1).abs() <= STEP_SLACK),
        "has parameters that are none": ok & frame["param_count"].isna(),
        f"was measured in another precision than the file's name says ({about['precision']})": ok
        & (frame["precision"] != about["precision"]),
        f"was measured in another layout than the file's name says ({about['layout']})": ok
        & (frame["layout"] != about["layout"]),
        "was compiled or not, other than the file's name says": ok
        & ((frame["compile_mode"] != "") != about["compiled"]),
        f"is faster than {LIMIT_PCT}% of the arithmetic limit": frame["arithmetic_pct"] > LIMIT_PCT,
        "has no time of measurement, or one that never was": ok & ~frame["measured_at"].map(_is_past),
        "has a model name that timm would not give": ~frame["model"].str.fullmatch(TEXTS["model"]),
        f"was measured with another torch than the file's name says ({about['torch']})": ok
        & ~frame["torch"].map(lambda version: _torch(version) == about["torch"]),
        "has a version that does not exist": ok & ~frame["timm"].map(lambda version: _exists("timm", version)),
        **schema.impossible(name, frame),
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


def _torch(version: str) -> str:
    return hardware.torch_version(hardware.torch_digits(version[:40]) or "00")


def _is_past(text: str) -> bool:
    """Whether `text` is a moment with its time zone that has been, an hour's slack for clocks aside."""
    try:
        moment = datetime.fromisoformat(text[:40].replace("Z", "+00:00"))
        return moment.tzinfo is not None and FIRST_DAY <= moment <= datetime.now(timezone.utc) + timedelta(hours=1)
    except (ValueError, OverflowError):
        return False


def _exists(package: str, version) -> bool:
    """Whether `version` may be one of `package`."""
    if not isinstance(version, str) or not VERSION.fullmatch(version):
        return False
    first, last = KNOWN_VERSIONS.get(package, ((0,), (9999,)))
    parts = tuple(map(int, re.match(r"\d+(?:\.\d+)?", version).group().split(".")))
    return first <= parts <= last


def _sidecar(path: Path, about: dict, frame: pd.DataFrame, table: bytes) -> list[str]:
    """What is wrong with the sidecar."""
    beside = provenance.sidecar_path(path)
    if beside.is_symlink():
        return [f"{beside.name}: a link where a file should be; put the file itself there"]
    try:
        facts = provenance.read_sidecar(path)
    except UserError as error:
        return [str(error)]
    if found := _strange(facts):
        return [f"the sidecar {found}"]
    machine, versions = facts["hardware"], facts.get("versions")
    found = []
    if facts.get("sha256") != hashlib.sha256(table).hexdigest():
        found.append("the sidecar's checksum is of another file; commit the pair that `make bench` wrote")
    slug = str(machine.get("slug", ""))
    if not SLUG.fullmatch(slug) or hardware.named(slug).slug != about["hardware"]:
        found.append(f"the sidecar is of {printable(slug[:60])}, the file's name of {about['hardware']}")
    if machine.get("kind") not in ("gpu", "cpu") or not str(machine.get("name", "")).strip():
        found.append("the sidecar does not say what machine it was")
    for name in ("name", "cpu", "reported_name"):
        if name in machine and not (isinstance(machine[name], str) and hardware.MACHINE_NAME.fullmatch(machine[name])):
            found.append(
                f"the sidecar's hardware has a {name} that is none: letters, digits and . , / ( ) + - make one"
            )
    if machine.get("kind") == "gpu" and not machine.get("driver"):
        found.append("the sidecar does not say the GPU's driver")
    if not isinstance(versions, dict) or not versions:
        versions = {}
        found.append("the sidecar does not say the versions")
    found += [
        f"the sidecar says {name[:40]} {str(version)[:40]}, a version that does not exist"
        for name, version in versions.items()
        if not _exists(name, version)
    ][:3]
    torch = str(versions.get("torch", ""))
    if _torch(torch) != about["torch"]:
        found.append(f"the sidecar says torch {torch[:20] or 'unknown'}, the file's name {about['torch']}")
    if not re.search(
        r"\bscripts[./]bench[./]sweep\b", f"{facts.get('command')} {facts.get('code')}"
    ):  # bench.gpu and others call it
        found.append("the sidecar's command is not this project's sweep")
    for name in ("date", *(["began"] if "began" in facts else [])):
        if not _is_past(str(facts.get(name, ""))):
            found.append(f"the sidecar's {name} is none, lies in the future, or has no time zone")
    if facts.get("rows") not in (None, len(frame)):
        found.append(f"the sidecar counts {str(facts['rows'])[:20]} rows, the table has {len(frame)}")
    return [*found, *_private(facts)]


def _texts(facts, depth: int = 0) -> Iterator[str]:
    """Every text in a sidecar, names included. Raises UserError where it is nested deeper than any of ours."""
    if depth > MAX_DEPTH:
        raise UserError("is nested too deep")
    if isinstance(facts, str):
        yield facts
    elif isinstance(facts, dict):
        for name, value in facts.items():
            yield name
            yield from _texts(value, depth + 1)
    elif isinstance(facts, list):
        for value in facts:
            yield from _texts(value, depth + 1)


def _strange(facts) -> str:
    """What is in a sidecar that no sidecar holds: how it goes on after "the sidecar"; '' for nothing."""
    try:
        for text in _texts(facts):
            if len(text) > MAX_TEXT:
                return f"holds a text of {len(text):,} characters"
            if not text.isprintable():
                return f"holds characters that are not to be seen ({printable(text)[:40]})"
    except UserError as error:
        return str(error)
    return ""


def _private(facts) -> list[str]:
    """What in a sidecar names a folder, a machine or a person."""
    for text in _texts(facts):
        if (found := PRIVATE.search(text)) and not VERSION.fullmatch(text):  # cuDNN's have four numbers, as addresses
            shown = text[max(0, found.start() - 20) : found.end() + 20]
            return [f"the sidecar names a folder or an address ({shown}); take it out"]
    return []


def other(path: Path) -> list[str]:
    """What is wrong with the sidecar of another result (networks trained here, …) where that may name somebody."""
    try:
        facts = json.loads(_content(path, provenance.MAX_BYTES))
        return [f"the sidecar {found}"] if (found := _strange(facts)) else _private(facts)
    except (ValueError, RecursionError):
        return ["is no readable sidecar"]


def shown(path: Path) -> str:
    """A file's name for the log: one that is none of ours in quotes, so that it is no command to what shows the log."""
    return path.name if re.fullmatch(r"[\w.+-]{1,200}", path.name, re.ASCII) else repr(printable(path.name)[:200])


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
        except Exception as error:  # a stranger's file must not end the check of all others
            problems = [f"cannot be checked ({type(error).__name__})"]
        wrong += len(problems)
        for problem in problems:
            print(f"{shown(path)}: {printable(problem)[:MAX_TEXT]}")
    print(
        f"check-data: {len(chosen)} table{'s' * (len(chosen) != 1)}, {wrong or 'no'} problem{'s' * (wrong != 1)}",
        file=sys.stderr,
    )
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
