"""data/v1: what others can build on. One JSON for each model and machine, the verdicts, an index, and their schemas.

    write(site / "data" / "v1", facts, dates)     # returns the number of files
    python -m scripts.publish.files --out FOLDER  # the same without the site; prints what it weighs

Every file names its schema, the version of the format, and the tables that its figures come from with their date and
licence. A column or key is added without notice; one that goes, changes its name or its meaning makes it data/v2.
What is not known is left out, never null in an object; in rows it is null.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pandas as pd

from scripts.common import families, words
from scripts.common.errors import UserError, cli, disk_error
from scripts.common.paths import local, make_folder
from scripts.common.provenance import Source
from scripts.common.uncertainty import IMAGES, SIGMAS, TIMING_SPREAD
from scripts.contribute import board
from scripts.data import licences
from scripts.findings import verdicts
from scripts.publish import badge, more
from scripts.publish.facts import SETS, Facts, Machine, Model

VERSION = "1.2.0"
SCHEMAS = Path(__file__).with_name("schema")
COLUMNS = {  # a machine's rows: name in the file -> in facts
    "model": "model",
    "img_size": "img_size",
    "top1": "top1",
    "images_per_second": "samples_per_sec",
    "low": "low",
    "high": "high",
    "batch_size": "batch_size",
    "latency_ms": "latency_ms",
    "training_images_per_second": "train_samples_per_sec",
    "status": "status",
    "frontier": "frontier",
}
REQUIRED = ("model", "img_size", "top1", "images_per_second", "status", "frontier")  # in every machine's file
SPEEDS = ("machine", *(name for name in COLUMNS if name not in ("model", "top1")), "better", "faster")  # a model's rows
SCORES = ("img_size", "set", "top1", "top5", "se")


def number(value, digits: int = 5):
    """A number of so many significant digits as JSON takes it; None for a missing one."""
    if value is None or value != value or value is pd.NA:
        return None
    short = float(f"{float(value):.{digits}g}")
    return int(short) if short == int(short) else short


def source(one: Source) -> dict:
    """A table as the files name it."""
    return {"path": one.path, **{key: value for key, value in one.facts().items() if key in ("date", "licence", "url")}}


def speeds(one: Model) -> tuple[list[list], list[str]]:
    """(a model's rows on all machines, `SPEEDS` wide, a number that is not known being None; the rivals that their last
    two columns count)."""
    found, rivals = [], {}
    for machine, at in one.speeds:
        row = machine.records[at]
        found.append(
            [
                machine.key,
                *(_value(name, row[column]) for name, column in COLUMNS.items() if name not in ("model", "top1")),
                _rival(machine, row["better"], rivals),
                _rival(machine, row["faster"], rivals) if row["better"] < 0 else None,
            ]
        )
    return found, list(rivals)


def _rival(machine: Machine, at: int, rivals: dict[str, int]) -> int | None:
    return rivals.setdefault(named(machine.records[at]), len(rivals)) if at >= 0 else None


def named(row: dict) -> str:
    """A model at a size, as files and addresses write it: resnet50.a1_in1k@288."""
    return f"{row['model']}@{row['img_size']}"


def _value(name: str, value):
    return str(value) if name in ("model", "status") else bool(value) if name == "frontier" else number(value)


def model(one: Model, facts: Facts) -> dict:
    """A model's file."""
    rows, rivals = speeds(one)
    on = sorted({row[0] for row in rows if row[SPEEDS.index("frontier")]})
    return {
        "$schema": "../schema/model.json",
        "version": VERSION,
        "model": one.name,
        "arch": one.arch,
        "tag": one.tag,
        "page": f"model/{one.file}.html",
        "family": families.label(one.family) if one.family else "",
        "kind": one.kind,
        "pretraining": one.pretrain,
        "licence": one.licence,
        "commercial_use": licences.commercial(one.name),
        "old_names": one.old,
        "sizes": [{"img_size": size, **_rounded(about)} for size, about in sorted(one.sizes.items())],
        "accuracies": {
            "columns": list(SCORES),
            "rows": [[_score(name, score.get(name)) for name in SCORES] for score in one.accuracies],
        },
        "speeds": {"columns": list(SPEEDS), "rows": rows},
        "rivals": rivals,
        "frontiers": {"on": on, "of": len({row[0] for row in rows})},
        **({"phone": one.phone} if one.phone else {}),
        **one.more,
        "sources": [{key: value for key, value in each.items() if key != "url"} for each in origins(one, facts)],
    }


def _score(name: str, value):
    return value if name in ("set", "img_size") else number(value, 3 if name == "se" else 5)


def origins(one: Model, facts: Facts) -> list[dict]:
    """The tables that a model's figures come from: of each folder and licence once, with the first and last date."""
    used = [*(facts.sources if one.accuracies else ()), *{id(m): m.source for m, _ in one.speeds}.values()]
    used += [more.source()] if "transfer" in one.more else []
    groups: dict[tuple[str, str], list[Source]] = {}
    for each in used:
        groups.setdefault((each.path.rpartition("/")[0], each.licence or "MIT"), []).append(each)
    found = []
    for (folder, licence), members in groups.items():
        url = next((each.url.rpartition("/")[0] for each in members if each.url), "")
        about = {"tables": folder, "date": words.span([each.date for each in members if each.date]), "licence": licence}
        found.append({**about, **({"url": url} if url else {})})
    return found


def _rounded(about: dict) -> dict:
    return {key: number(value) for key, value in about.items() if number(value) is not None}


def machine(one: Machine, facts: Facts) -> dict:
    """A machine's file: its rows as a table, and how and when they were measured. A column that would be empty is left
    out."""
    columns = {name: column for name, column in COLUMNS.items() if one.rows[column].notna().any() or name in REQUIRED}
    return {
        "$schema": "../schema/machine.json",
        "version": VERSION,
        "machine": one.key,
        "name": one.name,
        "kind": one.kind,
        "year": one.year,
        **one.setting,
        "models": int(one.rows["model"].nunique()),
        "timing_spread": TIMING_SPREAD,
        "source": {**source(one.source), "licence": one.source.licence or "MIT", "sha256": one.source.sha256},
        "accuracies": [source(each) for each in facts.sources[:1]],
        "columns": list(columns),
        "rows": [[_value(name, row[column]) for name, column in columns.items()] for row in one.records],
    }


def matrix() -> dict:
    """The verdicts: every claim on every machine and table, with its estimate and interval."""
    try:
        frame = verdicts.load()
    except UserError:
        frame = pd.DataFrame(columns=verdicts.COLUMNS)
    kept = [name for name in frame.columns if name not in ("models", "evidence")] + ["evidence"]
    claims = {claim.key: claim.sentence for claim in verdicts.CLAIMS}
    return {
        "$schema": "schema/matrix.json",
        "version": VERSION,
        "claims": claims,
        "source": {"path": f"report/data/{verdicts.FILE}", "licence": "MIT"},
        "columns": kept,
        "rows": _rows(frame[kept]),
    }


def scoreboard() -> dict:
    """How predictions did on each machine ever added."""
    try:
        frame = board.load()
    except UserError:
        frame = pd.DataFrame(columns=board.COLUMNS)
    return {
        "$schema": "schema/scoreboard.json",
        "version": VERSION,
        "source": {"path": f"report/data/{board.FILE}", "licence": "MIT"},
        "columns": board.COLUMNS,
        "rows": _rows(frame[board.COLUMNS].where(frame[board.COLUMNS].ne(""))),
    }


def _rows(frame: pd.DataFrame) -> list[list]:
    """A frame's rows as JSON takes them."""
    rows = frame.astype(object).where(frame.notna(), None)
    return [[_plain(value) for value in row] for row in rows.itertuples(index=False)]


def _plain(value):
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, bool) or type(value).__name__ == "bool_":
        return bool(value)
    return number(value, 6)


def index(facts: Facts) -> dict:
    """What there is, and what a model's file is called."""
    return {
        "$schema": "schema/index.json",
        "version": VERSION,
        "notes": facts.notes,
        "sets": {key: {"name": name, "images": images} for key, (name, images) in SETS.items()},
        "uncertainty": {"images": IMAGES, "sigmas": SIGMAS, "timing_spread": TIMING_SPREAD},
        "models": {name: f"models/{one.file}.json" for name, one in facts.models.items()},
        "machines": {key: {"name": one.name, "file": f"machines/{key}.json"} for key, one in facts.machines.items()},
        "renamed": facts.renamed,
        "earlier": {"columns": ["machine", "date", "torch"], "rows": facts.earlier},
        "sources": [source(one) for one in facts.sources],
    }


def search(facts: Facts) -> str:
    """What the search knows, as a script that a page may load from file:// too: [name, file or '' where it is the name,
    top-1 or null], the old names [old, position], the machines."""
    best = {
        name: max((each["top1"] for each in one.accuracies if each["set"] == "imagenet"), default=None)
        for name, one in facts.models.items()
    }
    known = [[name, "" if one.file == name else one.file, best[name]] for name, one in facts.models.items()]
    position = {name: at for at, name in enumerate(facts.models)}
    old = [[name, position[new]] for name, new in facts.renamed.items() if new in position]
    text = text_of({"models": known, "old": old}).replace("<", "\\u003c").replace("&", "\\u0026")
    return f"modelNames({text});\n"


def text_of(value: dict) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def write(folder: Path, facts: Facts, models: dict[str, dict] | None = None) -> int:
    """Write all of it into `folder`, which is part of a site that nobody sees yet. Returns the number of files.

    models: each model's file, where it was made already. Raises UserError where the disk is full."""
    files: dict[str, str] = {
        "index.json": text_of(index(facts)),
        "matrix.json": text_of(matrix()),
        "scoreboard.json": text_of(scoreboard()),
        "names.js": search(facts),
        **{f"schema/{path.name}": path.read_text(encoding="utf-8") for path in sorted(SCHEMAS.glob("*.json"))},
        **{f"machines/{key}.json": text_of(machine(one, facts)) for key, one in facts.machines.items()},
    }
    for name, one in facts.models.items():
        about = models[name] if models else model(one, facts)
        files[f"models/{one.file}.json"] = text_of(about)
        files[f"badges/{one.file}.svg"] = badge.svg(about["frontiers"])
    try:
        for part in ("models", "machines", "badges", "schema"):
            make_folder(folder / part)
        for name, content in files.items():
            (folder / name).write_text(content, encoding="utf-8")
    except OSError as error:
        raise disk_error(error, error.filename or folder) from error
    return len(files)


@cli
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.publish.files", description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=local, required=True, metavar="DIR", help="the folder to write into")
    out = parser.parse_args(argv).out
    count = write(out, more.collect())
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{out}: {count:,} files, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    sys.exit(main())
