"""Render the website: through Quarto where it is found, else through the built-in renderer, which makes the same site.

    python -m scripts.site.render                            # auto
    python -m scripts.site.render --renderer builtin --out _site

What comes out is a folder to put on any web server. It is made in build/ and changes places with the old one at the
end, across file systems too: a page that fails, Ctrl-C, a full disk or kill -9 leaves the old site whole. Pages whose
text, data and scripts have not changed are not run again (built-in renderer).
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

from scripts.common.errors import UserError, cli, disk_error
from scripts.common.paths import ROOT, SITE, bring_back, check_place, local, make_folder, publish, writing
from scripts.site import extras, finish, models, quarto
from scripts.site.builtin import build as builtin, config, pandoc


def render(root: Path, out: Path, renderer: str = "auto", limit: float = 300) -> str:
    """Render the project in `root` to the folder `out`. Returns what rendered it, as the pages' feet say it.

    limit: seconds for the cells of one page. Raises UserError (file and line); `out` then is as it was.
    """
    root, out = root.resolve(), out.resolve()
    if out in (root, *root.parents) or (out.exists() and not out.is_dir()):
        raise UserError(f"--out {out}: choose a folder of its own for the site")
    if out.is_dir() and any(out.iterdir()) and not (out / ".nojekyll").exists():
        raise UserError(f"--out {out}: this folder holds something else than a site; choose another or empty it")
    program = quarto.find() if renderer in ("auto", "quarto") else None
    if renderer == "quarto" and not program:
        raise UserError("quarto: not found on PATH, in QUARTO_PATH or in .venv; install it, or use --renderer builtin")
    if renderer == "auto":
        none = "no Quarto found, the built-in renderer makes the same site"
        print(f"site: {f'rendering with Quarto at {program}' if program else none}", file=sys.stderr)
    try:
        make_folder(root / "build")
        with FileLock(root / "build" / "site.lock", timeout=0), writing(out):
            return _locked(root, out, program, limit)
    except Timeout:
        raise UserError("site: another render is at work on this project; wait for it to end") from None


def _locked(root: Path, out: Path, program: str | None, limit: float) -> str:
    for leftover in root.joinpath("build").glob("site-new-*"):  # of a run that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    bring_back(out)
    check_place(out)
    new = Path(tempfile.mkdtemp(prefix="site-new-", dir=root / "build"))
    try:
        if program:
            line = f"Quarto {quarto.version(program)}"
            quarto.render(program, root, new, limit, _count(root))
        else:
            line = f"the built-in renderer (Pandoc {pandoc.version()})"
            builtin.render(root, new, limit)
        finish.finish(root, new, line)
        if root == ROOT.resolve():  # another project has none of our data
            models.add(root, new, extras.site_url())
        extras.add(new, extras.site_url())
        new.chmod(0o755)
        publish(new, out)
        return line
    except OSError as error:
        raise disk_error(error, error.filename or new) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _count(root: Path) -> int:
    try:
        return len(config.load(root).pages)
    except UserError:  # Quarto may know what the built-in renderer does not
        return 20


@cli
def main(arguments: list[str] | None = None) -> None:
    epilog = "Details are at the head of scripts/site/render.py."
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], epilog=epilog)
    parser.add_argument("--renderer", choices=["auto", "quarto", "builtin"], default="auto", help="default: auto")
    parser.add_argument("--out", type=local, default=SITE, metavar="DIR", help="default: _site")
    limit = "for the cells of one page; default: 300"
    parser.add_argument("--limit", type=float, default=300, metavar="SECONDS", help=limit)
    options = parser.parse_args(arguments)
    line = render(ROOT, options.out, options.renderer, options.limit)
    print(f"site: {options.out / 'index.html'} made by {line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
