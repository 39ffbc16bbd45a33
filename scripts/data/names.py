"""What timm calls a model of 2022 today: `convnext_tiny_in22ft1k` is `convnext_tiny.fb_in22k_ft_in1k`.

    python -m scripts.data.names convnext_tiny_in22ft1k resnet50      # one line each: OLD -> NEW
    # make timm_names.csv again (needs timm and the tables)
    python -m scripts.data.names --update

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
from scripts.common.paths import atomic_csv
from scripts.common.tables import read_table

TABLE = Path(__file__).with_name("timm_names.csv")
# points of top-1: the furthest that one set of weights moved between the two tables, re-evaluated, is 0.3 (convnext,
# nfnet)
NEAR = 0.35


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


def update() -> pd.DataFrame:
    """Make the table from timm's registry and the two vintages of results. Returns it; `main` writes it."""
    import timm
    from timm.models import _registry

    from scripts.data import read_data

    then, now = (read_data.results(vintage) for vintage in read_data.VINTAGES)
    top1 = {(row.model, row.img_size): row.top1 for row in now.itertuples()}
    by_arch = now.groupby("arch")["model"].agg(lambda names: sorted(set(names))).to_dict()
    weights = set(timm.list_models(pretrained=True, include_tags=True, exclude_filters=[]))

    def one(old: str, size: int, accuracy: float) -> tuple[str, str]:
        arch, _, tag = _registry._deprecated_models.get(old, old).partition(".")
        if old.startswith("ig_"):  # timm's register sends all four to the smallest
            real = old.removeprefix("ig_")
            if not _registry.is_model(real):
                return f"{arch}.{tag}", "timm loads these weights of a smaller network; the original ones are gone"
            arch = real
        if not _registry.is_model(arch):
            return "", "gone from timm"
        if tag and f"{arch}.{tag}" in weights:
            return f"{arch}.{tag}", ""
        near = sorted(
            (abs(top1[name, size] - accuracy), name) for name in by_arch.get(arch, []) if (name, size) in top1
        )
        if near and near[0][0] <= NEAR:
            return near[0][1], ""
        named = [name for name in sorted(weights) if tag and name.startswith(f"{arch}.{tag}")]
        default = timm.models.get_pretrained_cfg(arch)
        if named or (default and default.tag):
            return (named or [f"{arch}.{default.tag}"])[0], "timm's default weights" if size and not named else ""
        return arch, "an architecture without published weights"

    sizes = {row.model: (row.img_size, row.top1) for row in then.itertuples()}
    olds = sorted(set(sizes) | set(_registry._deprecated_models))
    rows = [(old, *one(old, *sizes.get(old, (0, 0.0)))) for old in olds]
    return pd.DataFrame(rows, columns=["old", "new", "note"])


@cli
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.data.names", description="What timm calls a model of 2022 today."
    )
    parser.add_argument("names", nargs="*", metavar="OLD", help="names as of 2022")
    parser.add_argument("--update", action="store_true", help="make timm_names.csv again from timm and the tables")
    options = parser.parse_args(argv)
    if options.update:
        atomic_csv(update(), TABLE)
        print(f"wrote {TABLE.name}")
    elif not options.names:
        raise UserError("no name given; try `python -m scripts.data.names convnext_tiny_in22ft1k`")
    for old in options.names:
        new = translate(old)
        print(f"{old} -> {new}" + (f"   ({note(old)})" if note(old) else ""))


if __name__ == "__main__":
    sys.exit(main())
