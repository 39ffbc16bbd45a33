"""Keep the README's answer in step with the data: its table is written between two markers from report/data/picks.csv.

python -m scripts.pages.readme            # rewrite it
python -m scripts.pages.readme --check    # exit 2 if it is out of date
"""

from __future__ import annotations

import argparse
import sys

from scripts.common import words
from scripts.common.errors import UserError, cli
from scripts.common.paths import ROOT, atomic_write
from scripts.pages import home

START, END = "<!-- answer -->", "<!-- /answer -->"


def answer() -> str:
    """The table of picks as GitHub Markdown."""
    table = home.pick_table()
    named = home.machine_heads(table)
    there = [machine for machine in home.MACHINES if machine in named]
    heads = [named[machine] for machine in there]
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    cells = {
        (
            row.machine,
            row.need,
        ): f"`{row.model}`<br>{row.top1:.1f}%, {words.images_per_second(row.samples_per_sec)} images/s"
        for row in table.itertuples()
    }
    lines += [
        f"| **{home.WORDS[need]}** | {' | '.join(cells[machine, need] for machine in there)} |" for need in home.WORDS
    ]
    return (
        "\n".join(lines)
        + "\n\nImageNet top-1 and throughput. *Fast*: the most accurate among the fastest tenth of the models in "
        "that table; "
        "*balanced*: among the faster half; *accurate*: at any speed. The month is that of timm's table of speeds. "
        "From timm's published results, joined and recomputed by `make data`."
    )


def updated(text: str) -> str:
    """`text` with the present answer between the markers. Raises UserError where a marker is missing."""
    if text.count(START) != 1 or text.count(END) != 1:
        raise UserError(
            f"README.md: the markers {START} and {END} must each stand there once; put them back around the table"
        )
    head, _, rest = text.partition(START)
    return f"{head}{START}\n{answer()}\n{END}{rest.partition(END)[2]}"


@cli
def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.pages.readme",
        description=__doc__.split("\n\n")[0],
        epilog="example: python -m scripts.pages.readme --check",
    )
    parser.add_argument("--check", action="store_true", help="change nothing; exit 2 if the README is out of date")
    check = parser.parse_args().check
    path = ROOT / "README.md"
    old = path.read_text(encoding="utf-8")
    new = updated(old)
    if check and new != old:
        raise UserError(
            "README.md: its table is older than report/data/picks.csv; run `python -m scripts.pages.readme`"
        )
    if new != old:
        atomic_write(path, new)


if __name__ == "__main__":
    sys.exit(main())
