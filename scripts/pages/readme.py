"""Keep the README's answer in step with the data: its table is written between two markers from report/data/picks.csv.

python -m scripts.pages.readme            # rewrite it
python -m scripts.pages.readme --check    # exit 2 if it is out of date
"""

from __future__ import annotations

import argparse
import itertools
import sys
import textwrap

from scripts.common import words
from scripts.common.errors import UserError, cli
from scripts.common.paths import ROOT, atomic_write
from scripts.pages import home

START, END = "<!-- answer -->", "<!-- /answer -->"


def answer() -> str:
    """The picks as GitHub Markdown: a table with a row for each, and what it rests on, wrapped."""
    table = home.pick_table()
    heads = {machine: head.rpartition(", ") for machine, head in home.machine_heads(table).items()}
    there = [machine for machine in home.MACHINES if machine in heads]
    picks = table.set_index(["need", "machine"])
    lines = ["| choice | machine | model | top-1 | images/s |", "|---|---|---|---:|---:|"]
    for need, machine in itertools.product(home.WORDS, there):
        pick = picks.loc[need, machine]
        speed = words.images_per_second(pick.samples_per_sec)
        lines.append(f"| **{home.WORDS[need]}** | {heads[machine][0]} | `{pick.model}` | {pick.top1:.1f}% | {speed} |")
    months = words.listing([f"{heads[machine][2]} for the {heads[machine][0].partition(',')[0]}" for machine in there])
    below = (
        "ImageNet top-1 and throughput. *Fast*: the most accurate among the fastest tenth of the models in timm's "
        "table of speeds for that machine; *balanced*: among the faster half; *accurate*: at any speed. The months of "
        f"these tables: {months}."
    )
    source = "From timm's published results, joined and recomputed by `make data`."
    wrapped = textwrap.fill(below, 120, break_long_words=False, break_on_hyphens=False)
    return "\n".join([*lines, "", wrapped, source])


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
