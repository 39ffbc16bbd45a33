"""Under which licence each set of timm's weights stands, and whether that allows commercial use.

    python -m scripts.data.licences --update        # make timm_licences.csv again (needs timm and the tables)

timm states a licence for nearly all weights (`timm.models.get_pretrained_cfg(name).license`); the table keeps that, so
that the picker needs no timm. This is timm's word, not legal advice: the link to the weights' own page is what counts.
"""

from __future__ import annotations

import argparse
import functools
import sys
from pathlib import Path

import pandas as pd

from scripts.common.errors import cli
from scripts.common.paths import atomic_csv
from scripts.common.tables import read_table

TABLE = Path(__file__).with_name("timm_licences.csv")
# commercial use: yes, no, or 'own' (a vendor's own terms, to be read)
COMMERCIAL = {
    **dict.fromkeys(("apache-2.0", "mit", "bsd-3-clause", "bsd-2-clause", "cc-by-4.0", "cc0-1.0"), "yes"),
    **dict.fromkeys(("cc-by-nc-4.0", "cc-by-nc-sa-4.0", "seer-license"), "no"),
}


@functools.lru_cache(maxsize=1)
def _known() -> dict[str, str]:
    frame = read_table(TABLE, required=["model", "licence"], key=["model"])
    return dict(zip(frame["model"], frame["licence"]))


def names() -> list[str]:
    """Every set of weights that the table knows."""
    return list(_known())


def licence(model: str) -> str:
    """timm's word for the licence of `architecture.tag`, such as 'apache-2.0'; 'unknown' where it says none."""
    return _known().get(model, "unknown")


def commercial(model: str) -> str:
    """'yes', 'no', 'own' (a vendor's own terms) or 'unknown'."""
    name = licence(model)
    return COMMERCIAL.get(name, "unknown" if name == "unknown" else "own")


def update() -> pd.DataFrame:
    """Ask timm for the licence of every set of weights with published accuracy."""
    import timm

    from scripts.data import measured, read_data

    models = sorted(set(read_data.results(read_data.NOW)["model"]) | set(measured.accuracies()["model"]))
    configs = {model: timm.models.get_pretrained_cfg(model) for model in models}
    return pd.DataFrame(
        {"model": models, "licence": [getattr(configs[model], "license", None) or "unknown" for model in models]}
    )


@cli
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.data.licences", description="Licences of timm's weights.")
    parser.add_argument("--update", action="store_true", help="make timm_licences.csv again from timm")
    parser.add_argument("models", nargs="*", metavar="MODEL", help="architecture.tag")
    options = parser.parse_args(argv)
    if options.update:
        atomic_csv(update(), TABLE)
        print(f"wrote {TABLE.name}")
    for model in options.models:
        print(f"{model}: {licence(model)} (commercial use: {commercial(model)})")


if __name__ == "__main__":
    sys.exit(main())
