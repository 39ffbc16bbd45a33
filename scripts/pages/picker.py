"""What stands behind the picker: the machines that it offers, and the tables that its answers come from.

from scripts.pages import picker
picker.machines()                   # in a cell with `#| output: asis`
"""

from __future__ import annotations

import json

from scripts.common.errors import UserError
from scripts.common.paths import CHARTS, DATA
from scripts.data import measured
from scripts.pages import page


def machines() -> None:
    """Print the machines in charts/picker/models.js with the table that each comes from, and name our own tables at the
    page's foot."""
    for name in [*(path.name for part in ("infer", "train") for path in measured.files(part)), measured.ACCURACY]:
        if (DATA / name).exists():
            page.uses(f"report/data/{name}")
    try:
        offered = known()
    except UserError as error:
        page.note("Nothing to choose from yet", page.quoted(error))
        return
    page.table(
        {
            "Machine": [one["name"] for one in offered],
            "Models": ([one["models"] for one in offered], "{:,.0f}"),
            "One at a time": ["timed" if one["latency"] else "–" for one in offered],
            "Training": ["timed" if one["training"] else "–" for one in offered],
            "Source": [
                "; training: ".join(dict.fromkeys(filter(None, [one["source"], one.get("training_source")])))
                for one in offered
            ],
        },
        "The machines that the picker knows, and the table that each answer comes from.",
        label="tbl-picker-machines",
    )


def known() -> list[dict]:
    """The machines of charts/picker/models.js. Raises UserError where it is missing or damaged."""
    path = CHARTS / "picker" / "models.js"
    try:
        # pages that are opened as files may load scripts only, so it is a call: pickerData("models", {…});
        text = path.read_text(encoding="utf-8")
        return json.loads(f"[{text[text.index('(') + 1 : text.rindex(')')]}]")[1]["machines"]
    except (OSError, ValueError, KeyError, IndexError):
        raise UserError("charts/picker/models.js is missing or damaged; run `make data`") from None
