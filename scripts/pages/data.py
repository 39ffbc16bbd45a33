"""The data dictionary on the page: each table with its files, where they come from, and what its columns mean.

from scripts.pages import data
data.show()                         # in a cell with `#| output: asis`
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from scripts.common import provenance, schema
from scripts.common.errors import UserError
from scripts.common.paths import relative
from scripts.common.tables import read_table
from scripts.pages import how_made, page


def show() -> None:
    """Print the dictionary as Markdown: a section per table with its files, where they come from, and its columns."""
    for entry in schema.TABLES:
        here = schema.files(entry)
        if not here:
            continue
        print(f"\n## {entry.title}\n\nOne row is {entry.row}. Key: {', '.join(f'`{name}`' for name in entry.key)}.\n")
        rows = []
        for path in here:
            try:
                facts = provenance.read_sidecar(path)
                date = [page.escaped(str(facts.get("date", ""))[:10]), how_made.mark([relative(path)])]
                made = (
                    page.link("JSON", f"/{relative(provenance.sidecar_path(path))}"),
                    facts["hardware"].get("name", ""),
                    page.Html(" ".join(filter(None, date))),
                    page.code(facts.get("command", "")),
                )
            except UserError:
                made = ("", "", "", "by hand")
            rows.append((page.data_link(relative(path)), len(read_table(path)), *made))
        page.table(pd.DataFrame(rows, columns=["file", "rows", "sidecar", "machine", "date", "made by"]))
        columns = [
            (page.code(name), column.meaning, column.unit)
            for name, column in entry.columns.items()
            if any(_has(path, name) for path in here)
        ]
        page.html(f'<details class="more"><summary>What its {len(columns)} columns mean</summary>')
        page.table(pd.DataFrame(columns, columns=["column", "meaning", "unit"]).replace("", None))
        page.html("</details>")


def _has(path: Path, name: str) -> bool:
    """Whether a file has a column of that name or pattern."""
    return any(fnmatchcase(column, name) for column in read_table(path).columns)
