"""Where the charts of timm's published tables come from: sources, hardware and date, for footers and the manifest. All
of it is what the tables themselves carry (`scripts.common.provenance.sources`).
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from scripts.common import words
from scripts.common.provenance import Source, published, sources


def provenance(*tables: pd.DataFrame) -> dict:
    """sources, hardware and date of a Drawing made from timm's tables."""
    found = _of(*tables)
    return {
        "sources": [one.facts() for one in found],
        "hardware": "; ".join(settings(found)),
        "date": date(found),
    }


def settings(found: Iterable[Source]) -> list[str]:
    """How the speeds among them were measured, each setting once: RTX 5090, mixed precision, eager, PyTorch 2.9.1."""
    return list(dict.fromkeys(one.setting for one in found if one.setting))


def date(found: Iterable[Source]) -> str:
    """The days of the speeds (of the accuracies where there are none): 2024-09-04 to 2026-01-06."""
    found = list(found)
    return words.span([one.date for one in found if one.setting] or [one.date for one in found])


def footer(*tables: pd.DataFrame) -> str:
    """Source: timm’s published speeds of 6 January 2026 and accuracies of 30 October 2025 · RTX 5090, …"""
    found = _of(*tables)
    return f"Source: timm’s published {published(found)} · {'; '.join(settings(found))}"


def _of(*tables: pd.DataFrame) -> tuple[Source, ...]:
    """What the tables carry. Raises ValueError where one has lost it: no chart without its source."""
    if not all(map(sources, tables)):
        raise ValueError("a table that no longer knows where it was read; carry its sources along (provenance.carry)")
    return sources(*tables)
