"""`python -m scripts.contribute`: add this machine to the report, a step at a time. See scripts/contribute/walk.py."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scripts.common import device as devices
from scripts.common.errors import UserError, cli
from scripts.contribute import walk
from scripts.predict import model


@cli
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.contribute",
        description=walk.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--device", default="auto", help=devices.CHOICES)
    parser.add_argument("--threads", help="CPU threads: a number, or all (default 1, as `make bench`)")
    parser.add_argument("--seconds", type=float, help="time budget a network (default as `make bench`)")
    parser.add_argument("--minutes", type=float, help="stop after so long; again goes on")
    parser.add_argument("--telling", type=int, default=walk.TELLING, metavar="N", help="networks to predict from")
    parser.add_argument("--others", type=int, default=walk.OTHERS, metavar="N", help="networks to test it by")
    parser.add_argument("--out", type=Path, metavar="DIR", help="a rehearsal: everything goes into that folder")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done and how long it takes")
    parser.add_argument("--anyway", action="store_true", help="measure though the machine is not fit to be measured")
    options = parser.parse_args(arguments)
    if options.telling < model.LEAST or options.others < 1:
        raise UserError(f"--telling {options.telling} --others {options.others}: at least {model.LEAST} and 1")
    return walk.walk(options)


if __name__ == "__main__":
    sys.exit(main())
