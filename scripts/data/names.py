"""What timm calls a model of 2022 today: `convnext_tiny_in22ft1k` is `convnext_tiny.fb_in22k_ft_in1k`.

    python -m scripts.data.names convnext_tiny_in22ft1k resnet50      # one line each: OLD -> NEW
    # make timm_names.csv again (needs timm and the tables)
    python -m scripts.data.names_update   # make timm_names.csv again (needs timm and the tables)

Three sources, in this order: timm's own register of deprecated names, as far as it leads to weights that exist; where
the name is still an architecture, the weights whose published top-1 at the same size is nearest to that of 2022 (timm's
default weights have changed since for one model in ten, so the default is no translation); timm's default.
`timm_names.csv` holds the outcome, so that nothing here needs timm at run time. A name that is gone has an empty
translation.
"""

from __future__ import annotations

import argparse
import difflib
import functools
import sys
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from scripts.common.errors import UserError, cli
from scripts.common.tables import read_table

TABLE = Path(__file__).with_name("timm_names.csv")


@functools.lru_cache(maxsize=1)
def table() -> pd.DataFrame:
    """`old`, `new` (architecture.tag, '' where gone), `note` for every name of 2022 and every name that timm has
    deprecated.
    """
    return read_table(TABLE, required=["old", "new", "note"], key=["old"])


@functools.lru_cache(maxsize=1)
def _today() -> dict[str, str]:
    frame = table()
    return dict(zip(frame["old"], frame["new"]))


def translate(old: str) -> str:
    """Today's name of a model of 2022, `architecture.tag`. A name of today comes back unchanged.

    Raises UserError for a name that is gone from timm and for one never heard of, with the nearest ones.
    """
    old = str(old).strip()
    if "." in old:
        return old
    new = _today().get(old)
    if new:
        return new
    if new == "":
        raise UserError(f"{old} is gone from timm, and no weights took its place; choose another model")
    near = nearest(old, _today())
    raise UserError(
        f"{old[:80]!r} is not a name in timm's tables of 2022"
        + (f"; the nearest: {', '.join(near)}" if near else "; check the spelling")
    )


def today(old: str) -> str:
    """As `translate`, but '' for a name without translation instead of an error."""
    return old if "." in old else _today().get(old, "")


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Up to `count` of the names `known` that look most like `name`."""
    return difflib.get_close_matches(str(name)[:80], list(dict.fromkeys(known)), n=count, cutoff=0.6)


def note(old: str) -> str:
    """What is odd about the translation of `old`; '' for most."""
    frame = table()
    found = frame.loc[frame["old"] == old, "note"]
    return found.iloc[0] if len(found) else ""


@cli
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.data.names", description="What timm calls a model of 2022 today."
    )
    parser.add_argument("names", nargs="*", metavar="OLD", help="names as of 2022")
    options = parser.parse_args(argv)
    if not options.names:
        raise UserError("no name given; try `python -m scripts.data.names convnext_tiny_in22ft1k`")
    for old in options.names:
        new = translate(old)
        print(f"{old} -> {new}" + (f"   ({note(old)})" if note(old) else ""))


if __name__ == "__main__":
    sys.exit(main())
