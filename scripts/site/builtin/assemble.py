"""Put a page's Markdown together from its text and what its cells gave, in the form in which Quarto hands it to
Pandoc.
"""

from __future__ import annotations

import base64
import re

from scripts.common.errors import UserError
from scripts.site.builtin.source import INLINE, Cell, Page, Text, title_yaml

_SPECIAL = re.compile(r"([\\`*_{}\[\]()>#+\-.!<&$@~^|\"'])")
_MARKS = re.compile(r"`{3,}")


def markdown(page: Page, results: list) -> tuple[str, dict[str, bytes]]:
    """(Markdown with a title block, pictures by file name) of `page`; `results` as `kernel.run` gives them."""
    pictures: dict[str, bytes] = {}
    pieces = [title_yaml(page)]
    cells = 0
    for part, result in zip(page.parts, results):
        if isinstance(part, Text):
            if result:
                filled = (_value(page, value) for value in result)
                pieces.append(INLINE.sub(lambda match, filled=filled: match[1] + next(filled), part.text))
            else:
                pieces.append(part.text)
        else:
            cells += 1
            pieces.append(_cell(page, part, result, cells, pictures))
    return "\n\n".join(pieces) + "\n", pictures


def _value(page: Page, value: dict) -> str:
    """An inline value: Markdown where it says so, else its text, in which nothing is markup."""
    data, at = value["data"], f"{page.name}:{value['line']}"
    if "text/markdown" in data:
        return data["text/markdown"]
    if "text/html" in data:
        raise UserError(f"{at}: an inline value gives HTML; return Markdown or text")
    text = data["text/plain"]
    if re.match(r"np\.\w+\(", text):
        raise UserError(f'{at}: an inline value would read {text!r}; format it, as in f"{{x:.1f}}"')
    if len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]:
        return _SPECIAL.sub(r"\\\1", text[1:-1])
    return text if re.fullmatch(r"[\w.,+ -]*", text) else _SPECIAL.sub(r"\\\1", text)


def fence(text: str) -> str:
    """A run of backticks longer than any in `text`."""
    return "`" * max([3, *(len(run) + 1 for run in _MARKS.findall(text))])


def _cell(page: Page, cell: Cell, outputs: list, number: int, pictures: dict[str, bytes]) -> str:
    if not page.option(cell, "include", True):
        return ""
    output = page.option(cell, "output", True)
    label, out = cell.options.get("label", ""), []
    if page.option(cell, "echo", True):
        out.append(_code(cell))
    asis, names = output == "asis", (f"cell-{number}-{i}" for i in range(1, len(outputs) + 1))
    shown = [_output(page, cell, one, asis, name, pictures) for one, name in zip(outputs if output else (), names)]
    body = "\n\n".join(filter(None, shown))
    kind = label.partition("-")[0]
    caption = cell.options.get(f"{kind}-cap", "") if kind in ("fig", "tbl") else ""
    stray = [key for key in ("fig-cap", "tbl-cap") if key in cell.options and key != f"{kind}-cap"]
    if stray:
        raise UserError(
            f"{page.name}:{cell.line}: '{stray[0]}' needs '#| label: {stray[0][:3]}-…' to be numbered; give one"
        )
    if body and kind in ("fig", "tbl"):
        body = f"::: {{#{label}}}\n{body}\n\n{caption}\n:::"
    out.append(body)
    text = "\n\n".join(filter(None, out))
    return text if (asis and len(out) == 1) or not text else f"::::: {{.cell}}\n{text}\n:::::"


def _code(cell: Cell) -> str:
    mark = fence(cell.code)
    return f"{mark} {{.python .cell-code}}\n{cell.code.strip(chr(10))}\n{mark}"


def _output(page: Page, cell: Cell, output: dict, asis: bool, stem: str, pictures: dict[str, bytes]) -> str:
    if output["output_type"] == "stream":
        if asis and output["name"] == "stdout":
            return output["text"]
        if output["name"] == "stderr" and not page.option(cell, "warning", True):
            return ""
        return _verbatim(output["text"], f".cell-output .cell-output-{output['name']}")
    data, content = output.get("data", {}), ""
    if "text/markdown" in data:
        content = data["text/markdown"]
    elif "text/html" in data:
        raise UserError(
            f"{page.name}:{cell.line}: this cell gives HTML, for which Quarto adds scripts from a CDN; use "
            "page.table(), page.chart(), or '#| output: asis' and print Markdown"
        )
    elif picture := next((kind for kind in ("image/svg+xml", "image/png", "image/jpeg") if kind in data), None):
        name = f"{stem}.{'svg' if 'svg' in picture else picture.split('/')[1]}"
        pictures[name] = data[picture].encode() if "svg" in picture else base64.b64decode(data[picture])
        alt = str(cell.options.get("fig-alt", "")).replace("\\", "\\\\").replace('"', '\\"')
        content = f'![](/{page.name.removesuffix(".qmd")}_files/{name}){{fig-alt="{alt}"}}'
    elif "text/plain" in data:
        return _verbatim(data["text/plain"], ".cell-output .cell-output-display")
    return content if asis else f":::: {{.cell-output .cell-output-display}}\n{content}\n::::"


def _verbatim(text: str, classes: str) -> str:
    mark = fence(text)
    return f":::: {{{classes}}}\n{mark}\n{text.rstrip(chr(10))}\n{mark}\n::::"
