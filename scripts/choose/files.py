"""The picker page's data: names once, and a small file per machine that is loaded when it is chosen.

    python -m scripts.choose.files --out FOLDER      # models.js and a .js per machine; prints their sizes

The page has to work from file://, where a browser refuses fetch(): each file is a script of one call,
`pickerData("models", {…});` or `pickerData("rtx5090", {…});`, whose second argument is plain JSON. Schema 1:

models.js
    schema      1
    names       [str]   'architecture.tag', each once
    family, kind, pretrain, commercial      [int] per name: index into families, kinds, pretrains, commercials
    families    [[name, label]]             kinds [str]
    pretrains   [[class, label]]            classes of scripts/data/pretraining.py
    commercials [str]                       yes, no, own (a vendor's own terms), unknown; timm's word
    licences    [str]                       licence [int] per name: index into it
    rows        {name: [int], size: [int], top1: [float], params: [float]}
                one entry per weights and image size; params in millions
    since       {days: [str], name: [int|null]}   per name: the day of timm's first table with that network
    old         {name of 2022: index into names}    so that a model can be found by it
    machines    [{key, name, kind, year, compiled, models, latency, training, source, training_source, usd, price}]
                kind: gpu, cpu, phone or ''; latency, training: whether the file has that column; source: the table
                that the speeds come from, and its date; training_source: the same of the training speeds, which may
                be older; '' without them; usd: US dollars an hour of the cheapest rented one, null where nobody has a
                price; price: of which, and its date
    rules       {images: 50000, sigmas: 2, timing_spread: 1.026, picks: 3, ties: 5, step: 1.05}
    runtimes    {name: label}   of those that some machine has, PyTorch eager first
    lines       {runtime: [template]}, precisions {precision: {name: text}}, folder template: scripts/runtimes/lines.py
<key>.js
    key         str
    speed       [float|null] per row: images per second (null: not timed)
    latency_ms  [float|null] per row at batch 1, or null
    training    [float|null] per row: images per second of a training step, or null
    within      [float|null] per row: the factor either way of the interval of speed, where the table has one; else left
                out
    memory_mb   [float|null] per row: peak memory, where it was measured; else left out
    params      {row: millions} where the timed network differs from the published one (re-parameterised), else empty
    joules      [float|null] per row: of an image, or null
    runtimes    [{runtime, precision, steps, measured, within}], only where runtimes are known: steps [int|null] per
                row: so often `rules.step` times `speed`; measured [int]: rows; within: the factor of a prediction's 90%
                interval, the median

Rules of the page, the same as scripts/choose/rules.py: keep the rows that satisfy every need (null never does); of
these take the frontier (no row at least as fast and more accurate, or faster and as accurate), one row a name, most
accurate first, then the rest by accuracy; the first three are the picks. Ties of a pick: rows that fit whose top-1
differs by at most sigmas·√(se(a)² + se(b)²), se(p) = √(p(100−p)/images) in points. Replace: rows of other
architectures with speed·timing_spread ≥ its speed whose top-1 exceeds its by more than that, then as above. A
runtime replaces each row's speed (of several, the fastest counts) and leaves out the rows that have none.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.choose import rules
from scripts.cloud import prices
from scripts.common import families, hardware
from scripts.common.errors import UserError, cli
from scripts.common.paths import atomic_write
from scripts.common.uncertainty import IMAGES, SIGMAS, TIMING_SPREAD
from scripts.data import first_seen, licences, names
from scripts.data.pretraining import CLASSES, LABELS
from scripts.findings import fields, machines, phone_tables
from scripts.predict import in_runtimes, stored
from scripts.runtimes import kinds, lines

SCHEMA = 1
COMMERCIALS = ("yes", "no", "own", "unknown")


def picker_data(
    tables: dict[str, pd.DataFrame] | None = None,
    training: dict[str, pd.DataFrame] | None = None,
    runtimes: dict[str, pd.DataFrame] | None = None,
) -> dict[str, dict]:
    """{'models': …, machine: …} as described above, ready for JSON. tables, training: as from
    `machines.main_tables`; runtimes: {machine: speeds in others, as of `in_runtimes.read`}; default: all at hand.

    Only our own machines where timm's tables can't be had. Raises UserError where no machine has a model with a
    published accuracy.
    """
    predicted = [
        stored.picker_table(part) if given is None else None for part, given in (("infer", tables), ("train", training))
    ]
    if runtimes is None:
        runtimes = {predicted[0][0]: in_runtimes.read()} if predicted[0] and in_runtimes.there() else {}
    tables = {**machines.main_tables(), **fields.phone()} if tables is None else tables
    training = machines.main_tables("train") if training is None else training
    if predicted[0]:
        tables = {**tables, predicted[0][0]: predicted[0][1]}
    if predicted[1]:
        training = {**training, predicted[1][0]: predicted[1][1]}
    full = {
        key: rules.complete(rows.dropna(subset=["top1"]), training.get(key.removesuffix("-compiled")))
        for key, rows in tables.items()
    }
    full = {key: rows for key, rows in full.items() if len(rows)}
    if not full:
        raise UserError(
            "picker: no machine with published accuracies at hand; run `make data`, or `make bench` with "
            "report/data/accuracy.csv"
        )
    every = pd.concat(
        [rows[[*machines.KEY, "arch", "family", "kind", "pretrain", "top1", "param_count"]] for rows in full.values()]
    )
    rows = every.drop_duplicates(machines.KEY).sort_values(["model", "img_size"]).reset_index(drop=True)
    models = rows.drop_duplicates("model").reset_index(drop=True)
    position = {name: i for i, name in enumerate(models["model"])}
    family_names, kinds, licence_names = (
        sorted(models["family"].unique()),
        list(families.KINDS),
        sorted({licences.licence(m) for m in models["model"]}),
    )
    data = {
        "models": {
            "schema": SCHEMA,
            "names": models["model"].tolist(),
            "family": [family_names.index(name) for name in models["family"]],
            "kind": [kinds.index(name) for name in models["kind"]],
            "pretrain": [CLASSES.index(name) for name in models["pretrain"]],
            "commercial": [COMMERCIALS.index(licences.commercial(name)) for name in models["model"]],
            "licence": [licence_names.index(licences.licence(name)) for name in models["model"]],
            "families": [[name, families.label(name)] for name in family_names],
            "kinds": kinds,
            "pretrains": [[name, LABELS[name]] for name in CLASSES],
            "commercials": list(COMMERCIALS),
            "licences": licence_names,
            "rows": {
                "name": [position[name] for name in rows["model"]],
                "size": rows["img_size"].tolist(),
                "top1": _numbers(rows["top1"]),
                "params": _numbers(rows["param_count"]),
            },
            "since": _since(models["arch"]),
            "old": {
                old: position[new]
                for old, new in zip(names.table()["old"], names.table()["new"])
                if new in position and old != new.split(".")[0]
            },
            "machines": [
                _machine(key, table, training.get(key.removesuffix("-compiled"))) for key, table in full.items()
            ],
            "rules": {
                "images": IMAGES,
                "sigmas": SIGMAS,
                "timing_spread": TIMING_SPREAD,
                "picks": rules.PICKS,
                "ties": rules.TIES,
                "step": rules.STEP,
            },
            **_runtimes(runtimes),
        }
    }
    for key, table in full.items():
        data[key] = _columns(key, table, rows)
        if key in runtimes:
            data[key]["runtimes"] = _ways(table, runtimes[key], rows)
    return data


def _runtimes(runtimes: dict[str, pd.DataFrame]) -> dict:
    """What the page needs to name runtimes and write their lines."""
    there = {name for table in runtimes.values() for name in table["runtime"]}
    names = [name for name in kinds.RUNTIMES if name in {"eager", *there} and name in lines.TEMPLATES]
    return {
        "runtimes": {name: kinds.RUNTIMES[name].label for name in names},
        "lines": {name: list(lines.TEMPLATES[name]) for name in names},
        "precisions": lines.PRECISIONS,
        "folder": lines.FOLDER,
    }


def _ways(table: pd.DataFrame, speeds: pd.DataFrame, rows: pd.DataFrame) -> list[dict]:
    """The runtimes and precisions of a machine, aligned with `rows`; only those whose lines can be told."""
    found = []
    ways = rules.with_ways(rows.merge(table[[*machines.KEY, "samples_per_sec"]], on=machines.KEY, how="left"), speeds)
    for runtime, precision in ways["way"].drop_duplicates():
        own = ways[ways["way"] == (runtime, precision)].set_index("row").reindex(range(len(rows)))
        guessed = own[own["status"] == "predicted"]
        within = np.sqrt(guessed["high"] / guessed["low"]).median() if len(guessed) else 1.0
        found.append(
            {
                "runtime": runtime,
                "precision": precision,
                "steps": [None if pd.isna(value) else int(value) for value in own["steps"]],
                "measured": own.index[own["status"] == "measured"].tolist(),
                "within": round(float(within), 2),
            }
        )
    return found


def _since(archs: pd.Series) -> dict:
    """The day of the first of timm's tables with each network; nothing where these can't be had."""
    try:
        known = first_seen.dates()
    except UserError:
        known = {}
    days = sorted({known[arch] for arch in archs if arch in known})
    return {"days": days, "name": [days.index(known[arch]) if arch in known else None for arch in archs]}


def _more(table: pd.DataFrame) -> dict[str, pd.Series]:
    """What few tables have: within and memory_mb."""

    def numbers(*names: str) -> pd.Series:
        name = next((name for name in names if name in table), None)
        return pd.to_numeric(table[name], errors="coerce") if name else pd.Series(np.nan, table.index)

    low, high = (numbers(end, f"samples_per_sec_{end}") for end in ("low", "high"))
    return {"within": np.sqrt(high / low).where(low > 0), "memory_mb": numbers("peak_memory_mb")}


def _source(head: pd.Series) -> str:
    """Where a table's speeds come from, by its first row: "timm’s table of 2026-01-06, torch 2.9.1, amp"."""
    theirs = f"timm’s table of {head['date']}" if head["date"] else "timm’s table, undated"
    source = {
        "measured": f"measured here, {head.get('date')}",
        "predicted": f"measured and predicted here, {head.get('date')}",
        phone_tables.VINTAGE: f"Qualcomm’s table of {head['date']}",
    }.get(head["vintage"], theirs)
    if not head["torch"]:
        return f"{source}, {head['precision']}, each network’s fastest runtime"
    return f"{source}, torch {head['torch']}, {head['precision']}"


def _machine(key: str, table: pd.DataFrame, training: pd.DataFrame | None) -> dict:
    head = table.iloc[0]
    known, trained = hardware.named(head["hardware"]), bool(table["train_samples_per_sec"].notna().any())
    price = prices.of_card(head["hardware"])
    return {
        "key": key,
        "name": machines.name_of(key, {key: table}),
        "kind": known.kind or str(head.get("kind_of_hardware", "")),
        "year": known.year,
        "compiled": bool(head["compiled"]),
        "models": len(table),
        "latency": bool(table["latency_ms"].notna().any()),
        "training": trained,
        "source": _source(head),
        "usd": price[0],
        "price": price[1],
        "training_source": _source(training.iloc[0]) if trained else "",
    }


def _columns(key: str, table: pd.DataFrame, rows: pd.DataFrame) -> dict:
    """The machine's columns aligned with `rows`. Of a model's rows at one size (by threads, say) the fastest counts."""
    table = table.sort_values("samples_per_sec", ascending=False, kind="stable").drop_duplicates(machines.KEY)
    known = ["samples_per_sec", "latency_ms", "train_samples_per_sec", "energy_j", "param_count"]
    more = _more(table)
    there = rows[[*machines.KEY, "param_count"]].merge(
        table.assign(**more)[[*machines.KEY, *known, *more]],
        on=machines.KEY,
        how="left",
        suffixes=("_rows", ""),
        validate="1:1",
    )
    other = there["param_count"].notna() & ((there["param_count"] - there["param_count_rows"]).abs() > 0.011)
    digits = 3 if table["vintage"].eq("predicted").all() else 4  # a repeat differs in the second or third
    return {
        "key": key,
        "speed": _numbers(there["samples_per_sec"], digits),
        "latency_ms": _numbers(there["latency_ms"], 3),
        "training": _numbers(there["train_samples_per_sec"], 3),
        "joules": _numbers(there["energy_j"]),
        **{name: found for name in more if (found := _numbers(there[name], 3))},
        "params": {str(i): round(float(there["param_count"][i]), 2) for i in there.index[other]},
    }


def _numbers(column: pd.Series, digits: int = 5) -> list | None:
    """Numbers of so many significant digits, None for missing ones; None for a column without any."""
    if column.isna().all():
        return None
    short = [None if pd.isna(value) else float(f"{value:.{digits}g}") for value in column]
    return [int(value) if value is not None and value == int(value) else value for value in short]


def scripts(data: dict[str, dict] | None = None) -> dict[str, str]:
    """{'models.js': text, 'rtx5090.js': text, …}: each a script of one call, safe to load from a page."""
    data = picker_data() if data is None else data
    return {f"{key}.js": f"pickerData({json.dumps(key)}, {_json(value)});\n" for key, value in data.items()}


def _json(value) -> str:
    """Compact JSON that no HTML parser can mistake for markup, whatever is in a name."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def write(folder: Path) -> dict[str, int]:
    """Write the scripts into `folder` (made if its parent is there). Returns each file's size in bytes when gzipped."""
    made = scripts()
    for name, text in made.items():
        atomic_write(folder / name, text)
    return {name: len(gzip.compress(text.encode(), 9)) for name, text in made.items()}


@cli
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.choose.files", description="The picker page's data.")
    parser.add_argument("--out", type=Path, required=True, help="folder for models.js and a .js per machine")
    for name, size in write(parser.parse_args(argv).out).items():
        print(f"{name:<28}{size / 1000:6.1f} kB gzipped")


if __name__ == "__main__":
    sys.exit(main())
