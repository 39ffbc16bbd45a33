"""Choose the runtime in which exported models answer fastest on this machine; the web app and classify then use it.

python -m scripts.demo.choose_runtime models/pets        # chosen once, remembered in the cache
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time

from scripts.common.errors import cli
from scripts.common.paths import ROOT, local


def end_with(parent: int) -> None:
    """End this process once `parent` is no longer its parent: a choice must not outlive the app that asked for it."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


@cli
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.demo.choose_runtime",
        description="Choose the runtime in which exported models answer fastest on this machine.",
        epilog="example: python -m scripts.demo.choose_runtime models/pets",
    )
    parser.add_argument(
        "models", type=local, nargs="*", metavar="MODEL", help="folders such as models/pets (default: all)"
    )
    parser.add_argument("--parent", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.parent:
        threading.Thread(target=end_with, args=(options.parent,), daemon=True).start()
    from scripts.demo.fastest import choose, remembered
    from scripts.demo.predict import Predictor

    for folder in options.models or sorted(path.parent for path in (ROOT / "models").glob("*/SHA256SUMS")):
        predictor = Predictor(folder)
        chosen = remembered(predictor) or choose(predictor)
        print(f"{predictor.name}: {chosen.said}" + (f"; {chosen.agreement}" if chosen.agreement else ""))


if __name__ == "__main__":
    sys.exit(main())
