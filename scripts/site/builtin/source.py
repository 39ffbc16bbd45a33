"""A .qmd page as Quarto reads it: front matter, Markdown, and ```{python} cells with their `#|` options, each with its
line.

Cells are split off here, before Pandoc, which would read ```{python} as an inline code span. What the built-in renderer
does not support (another language's cell, a cell option, a shortcode, a div without an end) is refused by file and
line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from scripts.common.errors import UserError
from scripts.site.builtin import config

CELL_OPTIONS = {**config.EXECUTE, "label": str, "fig-cap": str, "fig-alt": str, "tbl-cap": str}
INLINE = re.compile(r"(^|[^`])`\{python\}[ \t]([^`]+)`", re.M)

_FENCE = re.compile(r"^(\s*)(`{3,}|~{3,})\s*(.*?)\s*$")
_OPTION = re.compile(r"^#\s*\| ?")
_DIV = re.compile(r"^\s*(:{3,})\s*(.*?)\s*:*\s*$")
_SHORTCODE = re.compile(r"\{\{<\s*(\S+)")
_CODE_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")


@dataclass
class Text:
    """Markdown between cells, and the line of the file it starts at."""

    text: str
    line: int


@dataclass
class Cell:
    """One ```{python} cell. `line` is the fence's, `first` that of the code's first line (after the options)."""

    code: str
    options: dict
    line: int
    first: int


@dataclass
class Page:
    """A page: path as in `_quarto.yml`, metadata (page over site), parts in order, the file's text, the folder its
    cells run in.
    """

    name: str
    meta: dict
    parts: list[Text | Cell] = field(default_factory=list)
    text: str = ""
    folder: Path = Path()

    def option(self, cell: Cell, key: str, default):
        """A cell's option, else the page's `execute` or top-level one, else `default`."""
        if key in cell.options:
            return cell.options[key]
        return self.meta.get("execute", {}).get(key, self.meta.get(key, default))

    def line_of(self, pattern: str) -> str:
        """'page.qmd:LINE' of the first match of the regular expression `pattern`, 'page.qmd' where a cell printed
        it.
        """
        for number, line in enumerate(self.text.split("\n"), 1):
            if re.search(pattern, line):
                return f"{self.name}:{number}"
        return f"{self.name}, in what a cell prints"


def head(site: config.Site, name: str, strict: bool = True) -> tuple[Page, int]:
    """(the page `name` without its parts, lines of its front matter). Raises UserError with file and line."""
    try:
        text = (site.root / name).read_text(encoding="utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{name}: cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8 text'})") from None
    meta, skip = config.front_matter(text, name, strict)
    meta = {**site.html, "lang": site.lang, **meta, "execute": {**site.execute, **meta.get("execute", {})}}
    folder = site.root if site.execute_dir == "project" else (site.root / name).parent
    return Page(name, meta, text=text, folder=folder), skip


def read(site: config.Site, name: str) -> Page:
    """Read and split the page `name`. Raises UserError with file and line."""
    page, skip = head(site, name)
    text = page.text
    lines = text.split("\n")
    divs: list[int] = []
    buffer: list[str] = []
    start, at = skip + 1, skip
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        if not fence or (fence[2][0] == "`" and "`" in fence[3]):
            _scan(lines[at], name, at + 1, divs)
            buffer.append(lines[at])
            at += 1
            continue
        end = _fence_end(lines, at, fence[2])
        if end is None:
            raise UserError(f"{name}:{at + 1}: the code block that starts here has no end")
        if _is_cell(fence, name, at + 1):
            page.parts.append(Text("\n".join(buffer), start))
            page.parts.append(_cell(lines[at + 1 : end], name, at + 1))
            buffer, start = [], end + 2
        else:
            buffer += lines[at : end + 1]
        at = end + 1
    if divs:
        raise UserError(f"{name}:{divs[-1]}: the ::: block that starts here has no end")
    page.parts.append(Text("\n".join(buffer), start))
    _labels(page)
    return page


def _fence_end(lines: list[str], start: int, mark: str) -> int | None:
    closing = re.compile(rf"^\s*{re.escape(mark[0])}{{{len(mark)},}}\s*$")
    return next((i for i in range(start + 1, len(lines)) if closing.match(lines[i])), None)


def _is_cell(fence: re.Match, name: str, line: int) -> bool:
    indent, _, info = fence.groups()
    language = re.match(r"^\{+\s*([A-Za-z][\w-]*)\s*([^}]*)\}+$", info)
    if not language:
        return False
    if language[1] != "python" or info.startswith("{{"):
        raise UserError(
            f"{name}:{line}: a {info} block is not supported by the built-in renderer; only {{python}} cells are"
        )
    if language[2]:
        raise UserError(f"{name}:{line}: write the cell's options as '#| key: value' lines, not as {info}")
    if indent:
        raise UserError(
            f"{name}:{line}: an indented cell is not supported by the built-in renderer; start it at the margin"
        )
    return True


def _cell(lines: list[str], name: str, fence_line: int) -> Cell:
    count = next((i for i, line in enumerate(lines) if not _OPTION.match(line)), len(lines))
    text = "\n".join(_OPTION.sub("", line) for line in lines[:count])
    options = config.parse(text, name, fence_line + 1, CELL_OPTIONS)
    label = options.get("label", "")
    if label and not re.fullmatch(r"[A-Za-z][\w-]*", label):
        raise UserError(f"{name}:{fence_line + 1}: the label {label!r} may hold letters, digits, - and _ only")
    return Cell("\n".join(lines[count:]), options, fence_line, fence_line + count + 1)


def _scan(line: str, name: str, number: int, divs: list[int]) -> None:
    """Refuse a shortcode; keep count of ::: blocks."""
    shortcode = _SHORTCODE.search(_CODE_SPAN.sub("", line))
    if shortcode:
        raise UserError(
            f"{name}:{number}: the shortcode {{{{< {shortcode[1]} >}}}} is not supported by the built-in renderer"
        )
    div = _DIV.match(line)
    if div and div[2]:
        divs.append(number)
    elif div:
        if not divs:
            raise UserError(f"{name}:{number}: this ::: ends a block that was never begun")
        divs.pop()


def _labels(page: Page) -> None:
    seen: dict[str, int] = {}
    for cell in page.parts:
        label = cell.options.get("label") if isinstance(cell, Cell) else None
        if label and label in seen:
            raise UserError(f"{page.name}:{cell.line}: the label {label!r} stands already at line {seen[label]}")
        if label:
            seen[label] = cell.line


def title_yaml(page: Page) -> str:
    """The metadata that Pandoc formats (titles hold Markdown), as a YAML block."""
    kept = {key: page.meta[key] for key in ("title", "subtitle", "description") if key in page.meta}
    return f"---\n{yaml.safe_dump(kept, allow_unicode=True)}---\n\n" if kept else ""
