"""Since when timm's tables have a network: the earliest table at hand that times it or has its accuracy.

    first_seen.dates()["convnext_tiny"]      # '2022-03-29'

No table says when a network was published. This is the nearest that the tables know: it was out by then. Names from
before timm's renaming are read under today's.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from scripts.common.provenance import sources
from scripts.data import names, read_data


@functools.lru_cache(maxsize=1)
def dates() -> Mapping[str, str]:
    """{network: day of the earliest table that has it}; networks of undated tables alone are left out. Raises
    TablesMissing where timm's tables can't be had."""
    today = set(read_data.results(read_data.NOW)["arch"])
    found: dict[str, str] = {}
    for vintage in (read_data.THEN, read_data.NOW):
        speeds = [read_data.benchmark(vintage, one) for one in read_data.configs(vintage)]
        for frame in (read_data.results(vintage), *speeds):
            day = max((one.date for one in sources(frame)), default="")
            for name in frame["model"].str.partition(".")[0].unique() if day else ():
                arch = name if name in today else names.today(name).partition(".")[0] or name
                found[arch] = min(day, found.get(arch, day))
    return found
