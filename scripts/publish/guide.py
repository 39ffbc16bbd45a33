"""What the page on the files of data/v1 says of them: how many there are, what their columns mean, what changed.

from scripts.publish import guide
guide.columns()                     # in a cell with `#| output: asis`
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from scripts.common import families, words
from scripts.data import licences, names
from scripts.pages import page
from scripts.publish.files import SCHEMAS, VERSION

CHANGES = Path(__file__).with_name("changes.json")
FILES = {
    "index.json": ("index", "what there is: models, machines, test sets, old names"),
    "models/<model>.json": ("model", "one set of weights: accuracies, speeds on every machine, what beats it"),
    "machines/<machine>.json": ("machine", "one machine: the speed of every model, measured or predicted"),
    "matrix.json": ("matrix", "the verdicts on every machine, with estimates and intervals"),
    "scoreboard.json": ("scoreboard", "predictions held against measurements, for each machine ever added"),
}


def counts() -> str:
    count = sum(families.family(name.partition(".")[0]) != families.TEST for name in licences.names())
    return (
        f"This is version {VERSION} of the format: {words.counted(count, 'set')} of weights, and "
        f"{words.counted(len(names.table()), 'old name')} that lead to today’s."
    )


def schema(name: str) -> dict:
    return json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))


def files() -> None:
    """Print the files with their schemas."""
    rows = [
        (page.code(file), meaning, page.link(f"{name}.json", f"/data/v1/schema/{name}.json"))
        for file, (name, meaning) in FILES.items()
    ]
    page.table(pd.DataFrame(rows, columns=["file", "what it holds", "schema"]), "The files under data/v1.")


def columns() -> None:
    """Print the columns of a model's tables."""
    parts = schema("model")["properties"]
    for part, title in TABLES.items():
        table = parts[part]["properties"]
        meanings = [item.get("description", "") for item in table["rows"]["items"]["prefixItems"]]
        rows = [(page.code(name), said or _PLAIN[name]) for name, said in zip(table["columns"]["const"], meanings)]
        page.table(pd.DataFrame(rows, columns=["column", "meaning"]), title)


TABLES = {
    "speeds": "Columns of a model’s speeds.",
    "accuracies": "Columns of a model’s accuracies.",
    "history": "Columns of a model’s history: speeds of earlier tables, where there are any.",
    "runtimes": "Columns of a model’s runtimes, where these were measured.",
    "memory": "Columns of a model’s memory, where it was measured.",
    "transfer": "Columns of a model’s transfer: accuracy on other pictures, where that is known (PePR’s table).",
}
_PLAIN = {
    "machine": "the machine’s key, as in index.json",
    "set": "the test set’s key, as in index.json",
    "top5": "percent; ImageNet only",
}


def changes() -> None:
    """Print what changed in methods and files, newest first, and which figures that moved."""
    rows = json.loads(CHANGES.read_text(encoding="utf-8"))
    shown = [(words.day(row["date"]), row["version"], row["what"], row["moved"]) for row in reversed(rows)]
    page.table(
        pd.DataFrame(shown, columns=["date", "version", "what changed", "figures that it moved"]),
        "Changes of methods and files, newest first.",
        sort=False,
    )
