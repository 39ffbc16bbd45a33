"""A data frame as an HTML table that reads well anywhere: numbers aligned at the decimal point, rows as cards on a
phone where there are sentences in them, sorted and filtered by assets/tables.js.

    tables.html(frame, {"Top-1 (%)": "{:.2f}"}, "The caption, which names the table to a screen reader")
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable, Mapping

import pandas as pd

from scripts.pages.markup import Html, breaking, safe

FILTER_FROM = 12  # rows from which a table gets a field to filter them
# characters up to which a column of text keeps to one line, from which it is wide, or full of sentences
SHORT, LONG, PROSE = 14, 20, 60
_NUMBER = re.compile(r"[+−-]?[\d,]+(\.\d+)?([^\d.]*)")
_POINT, _DIGIT = "\u2008", "\u2007"  # blanks as wide as a point and as a digit


def html(frame: pd.DataFrame, formats: Mapping[str, str | Callable], caption: str = "", sort: bool = True) -> str:
    """`frame` (at least one row) without its index: the first column heads the rows, the rest of the arguments as in
    `page.table`.

    sort: whether readers may sort it; False for a table whose order says something that no column does."""
    columns = [_column(frame.iloc[:, i], formats.get(name)) for i, name in enumerate(frame.columns)]
    prose = sum(kind == "prose" for kind, _ in columns)
    names = [safe(name) for name in frame.columns]
    style = [f' class="{kind}"' if kind else "" for kind, _ in columns]
    label = [f' data-label="{name}"' if prose else "" for name in names]
    head = "".join(f'<th scope="col"{s}>{name}</th>' for name, s in zip(names, style))
    rows = []
    for cells in zip(*(cells for _, cells in columns)):
        first, *others = cells
        rows.append(
            f'<tr><th scope="row"{style[0]}>{first}</th>'
            + "".join(f"<td{s}{n}>{c}</td>" for s, n, c in zip(style[1:], label[1:], others))
            + "</tr>"
        )
    name = f' role="region" aria-label="{safe(caption)}"' if caption else ""
    kinds = f"table{' cards' * bool(prose)}{' one' * (prose == 1)}{'' if sort and len(frame) > 2 else ' fixed'}"
    tools = _TOOLS.format(rows=len(frame)) if sort and len(frame) >= FILTER_FROM else ""
    return (
        f'{tools}<div class="table-scroll" tabindex="0"{name}><table class="{kinds}" '
        f'data-quarto-disable-processing="true">\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{chr(10).join(rows)}\n</tbody></table></div>"
    )


_TOOLS = (
    '<div class="table-tools"><label>Filter <input type="search" autocomplete="off" spellcheck="false"></label> '
    '<span role="status">{rows} rows</span></div>'
)


def _column(column: pd.Series, how: str | Callable | None) -> tuple[str, list[str]]:
    """(class, cells) of a column: 'number', or for text 'short', 'long' or 'prose'."""
    cells = [cell(value, how) for value in column]
    numeric = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
    if numeric or how is not None:
        return "number", aligned(cells)
    longest = max(len(re.sub(r"<[^>]*>", "", one)) for one in cells)
    return "prose" if longest > PROSE else "long" if longest > LONG else "short" if longest <= SHORT else "", cells


def aligned(cells: list[str]) -> list[str]:
    """Numbers of differing precision with blanks behind, so that their points stand below each other where the column
    is set flush right."""
    found = [_NUMBER.fullmatch(one) for one in cells]
    most = max((len(match[1] or "") for match in found if match), default=0)
    out = []
    for one, match in zip(cells, found):
        missing = most - len(match[1] or "") if match else 0
        blanks = (_DIGIT * missing if match and match[1] else _POINT + _DIGIT * (missing - 1)) if missing else ""
        out.append(one[: match.start(2)] + blanks + match[2] if blanks else one)
    return out


def cell(value: object, how: str | Callable | None = None) -> str:
    """One value as escaped HTML; '–' for what is missing."""
    if isinstance(value, Html):
        return value
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if how is not None:
        made = how.format(value) if isinstance(how, str) else how(value)
        return made if isinstance(made, Html) else safe(made)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return f"{int(value):,}"
    if isinstance(value, numbers.Real):
        return f"{float(value):,.4g}" if abs(value) < 1000 else f"{float(value):,.0f}"
    return breaking(value)
