"""`make data`: fetch timm's tables, verify and join them, and compute from them what the report quotes.

    python -m scripts.findings.update
    TIMM_RESULTS=copy/of/tables python -m scripts.findings.update

Where the tables cannot be had it says so in one line and succeeds: what was computed from them before is committed and
still stands.
"""

from __future__ import annotations

import sys

from scripts.common.errors import cli, parser_of
from scripts.common.words import counted, listing
from scripts.data import public, read_data
from scripts.findings import aggregates, history, phones, summary, transfer
from scripts.predict import command as predict_command, evaluate as predict_evaluate


@cli
def main(arguments: list[str] | None = None) -> None:
    parser_of("scripts.findings.update", __doc__, "make data").parse_args(arguments)
    try:
        print(f"timm's tables: {read_data.fetch()} files at hand")
    except read_data.TablesMissing as missing:
        print(f"notice: {missing}; what was computed from them before still stands", file=sys.stderr)
        return
    there = list(public.at_hand())
    for one in (one for one, why in there if not why):
        print(f"{one.name}: {counted(len(one.files), 'file')} at hand")
    if away := [one.name for one, why in there if why]:
        print(f"not at hand: {listing(away)}")
    for step in (transfer, phones, history, summary, aggregates, predict_evaluate, predict_command):
        if step is predict_evaluate:  # it takes as long as all before it, and says nothing
            print("predictions: each machine is left out in turn, and predicted from the others", flush=True)
        try:
            step.update()
        except read_data.TablesMissing as missing:  # or timm dropped what this was computed from
            print(f"notice: {missing}; what was computed from them before still stands", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
