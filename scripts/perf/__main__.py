"""Run the benchmarks of our own code, one after the other, in processes of their own.

python -m scripts.perf                 # all
python -m scripts.perf figures bench   # some
"""

from __future__ import annotations

import pkgutil
import subprocess
import sys

from scripts import perf
from scripts.common.errors import UserError, cli, parser_of
from scripts.common.paths import ROOT


@cli
def main() -> int:
    names = sorted(module.name for module in pkgutil.iter_modules(perf.__path__) if not module.ispkg)
    parser = parser_of("scripts.perf", __doc__, "python -m scripts.perf figures")
    which = f"which ones: {', '.join(names)}; all where none is given"
    parser.add_argument("names", nargs="*", metavar="NAME", help=which)
    chosen = parser.parse_args().names or names
    for name in chosen:
        if name not in names:
            raise UserError(f"{name}: no such benchmark; choose from {', '.join(names)}")
    failed = []
    for name in chosen:
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"scripts.perf.{name}"], cwd=ROOT).returncode:
            failed.append(name)
    if failed:
        raise UserError(f"benchmarks that did not finish: {', '.join(failed)}; their own messages stand above")
    return 0


if __name__ == "__main__":
    sys.exit(main())
