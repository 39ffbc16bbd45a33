"""Numbers and lists in words: how pages, charts and commands write them, each in one place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import date

UNKNOWN = "undated"  # a table that is not the pinned one
MONTHS = "January February March April May June July August September October November December".split()


def rate(value: float) -> str:
    """Images per second for a sentence: 33, 994, 1.07k, 44.5k."""
    return f"{value / 1000:.3g}k" if value >= 1000 else f"{value:.3g}"


def images_per_second(value: float) -> str:
    """Three significant figures: 0.42, 22.7, 3,930, 14,000."""
    digits = 3 - 1 - math.floor(math.log10(value)) if value > 0 else 0
    return f"{round(value, digits):,.{max(0, digits)}f}"


def short(number: float) -> str:
    """A number as ticks and labels write it: 0.05, 7, 200, 1k, 20k, 1.5M."""
    for size, suffix in ((1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g}{suffix}"
    return f"{number:.3g}"


def plain(value: float, digits: int = 3) -> str:
    """`value` to so many significant digits, without an exponent: 64,200; 0.047."""
    return f"{float(f'{value:.{digits}g}'):,.12g}"


def signed(value: float, digits: int = 2) -> str:
    """`value` to so many decimals, with a minus sign instead of a hyphen: −0.78."""
    return f"{value:.{digits}f}".replace("-", "−")


def counted(number: int, what: str, many: str = "") -> str:
    """1 model, 2 models."""
    return f"{number:,} {what if number == 1 else many or what + 's'}"


def listing(names: list[str], last: str = "and") -> str:
    """a; a and b; a, b and c."""
    return f" {last} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def duration(seconds: float) -> str:
    """`seconds` for people: 8 s, 3 min 05 s, 2 h 10 min."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


def wait(milliseconds: float, digits: int = 3) -> str:
    """5 ms, 200 ms, 2 s, 3 min 20 s."""
    if milliseconds < 999.5:  # else it would be written as 1,000 ms
        return f"{plain(milliseconds, digits)} ms"
    seconds = milliseconds / 1000
    if seconds < 120:
        return f"{plain(seconds, digits)} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min" + (f" {rest} s" if rest else "")


def day(text: str) -> str:
    """2026-01-06 as 6 January 2026; a text that is no date stays as it is."""
    parts = str(text)[:10].split("-")
    if len(parts) != 3 or not all(map(str.isdigit, parts)):
        return str(text)
    return f"{int(parts[2])} {MONTHS[int(parts[1]) - 1]} {parts[0]}"


def month(text: str) -> str:
    """2026-01-06 as January 2026; a text that is no date stays as it is."""
    return day(text).partition(" ")[2] or str(text)


def year(text: str) -> str:
    """2026-01-06 as 2026; UNKNOWN for ''."""
    return UNKNOWN if text in ("", UNKNOWN) else str(text)[:4]


def span(days: Iterable[str], write: Callable[[str], str] = str) -> str:
    """The one day, or the first and the last: 2024-09-04 to 2026-01-06; UNKNOWN where none is known."""
    days = list(days)
    known = sorted({str(one)[:10] for one in days if one})
    if not known:
        return UNKNOWN
    said = " to ".join(dict.fromkeys(map(write, (known[0], known[-1]))))
    return said if all(days) else f"{said} (some {UNKNOWN})"


def apart(first: str, last: str) -> float:
    """Years from one day to another; NaN where one is unknown."""
    try:
        return (date.fromisoformat(last[:10]) - date.fromisoformat(first[:10])).days / 365.25
    except ValueError:
        return float("nan")
