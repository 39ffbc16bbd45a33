"""What both renderers leave to do: chart data, plotly.js, fonts and CSVs into the site, each page's foot, and a last
look.

Nothing on a page may come from another site; a page that would load something from elsewhere is refused.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
from datetime import datetime, timezone
from html import escape
from pathlib import Path

from scripts.common import git, provenance
from scripts.common.errors import UserError, disk_error
from scripts.site import chart_files, weight
from scripts.site.frame import MADE, Frame

FOOT = "<!-- site: foot -->"
_EXTERNAL = re.compile(
    r"""<(?:script|img|iframe|video|audio|source|embed)\b[^>]*?\s(?:src|srcset)=["'](?:https?:)?//[^"']+"""
    r"""|<link\b(?=[^>]*\srel=["']?(?:stylesheet|preload|icon|preconnect|modulepreload))"""
    r"""[^>]*?\shref=["'](?:https?:)?//[^"']+""",
    re.I,
)
_TEXT = re.compile(r"(<(code|pre|script|style|textarea)\b.*?</\2>|<[^>]*>)", re.S)  # what is no text
_PRE = re.compile(r"<pre(?![^>]*\stabindex)(?=[\s>])")


def finish(root: Path, out: Path, renderer: str) -> None:
    """Complete the site in `out`. `renderer` is the line for each page's foot. Raises UserError for a page that
    asks other sites for something.
    """
    try:
        _copy(root, out)
        chart_files.write(root, out)
        weight.fonts(out / "assets" / "fonts")
        weight.styles(out)
    except OSError as error:
        raise disk_error(error, error.filename or out) from error
    foot = f'<p class="build-line">{escape(built(renderer))}</p>'
    pages = sorted(out.rglob("*.html"))
    weight.pictures((path.read_text(encoding="utf-8") for path in pages), out)
    frame = Frame(root) if any(MADE in path.read_text(encoding="utf-8") for path in pages) else None
    for path in pages:
        html, name = path.read_text(encoding="utf-8"), path.relative_to(out).as_posix()
        asked = _EXTERNAL.search(html)
        if asked:
            raise UserError(
                f"{name}: the page would load {asked[0][-120:]!r} from another site; a cell that gives HTML does this "
                "under Quarto, print Markdown instead"
            )
        html = frame.page(name, html) if frame else html
        html = _PRE.sub(r'<pre tabindex="0"', html)  # code that scrolls sideways can be reached by keyboard
        up = "../" * name.count("/")
        html = re.sub(r'(\ssrcset=")/(?!/)', rf"\1{up}", html)  # Quarto makes src and href relative, but not this
        html = apostrophes(html)
        html = chart_files.hints(weight.page(html, out), up)
        html = html.replace(FOOT, foot) if FOOT in html else html.replace("</main>", foot + "\n</main>", 1)
        path.write_text(html, encoding="utf-8")
    if frame:  # what no page of ours asks for: Bootstrap and its kin, and the index of a search that is off
        shutil.rmtree(out / "site_libs", ignore_errors=True)
        (out / "search.json").unlink(missing_ok=True)
    (out / ".nojekyll").touch()


def apostrophes(html: str) -> str:
    """A page with ’ for ' within and after words, as Pandoc sets it in Markdown; what cells print as HTML has '."""
    parts = _TEXT.split(html)  # text, markup, the markup's name, text, …
    mark = re.compile(r"(?<=\w)(?:'|&#x27;|&#39;)(?=\w)|(?<=s)(?:'|&#x27;|&#39;)(?=\s)")
    parts[::3] = [mark.sub("’", part) for part in parts[::3]]
    return "".join(part for at, part in enumerate(parts) if at % 3 != 2)


def built(renderer: str) -> str:
    """The foot's line: renderer, code's commit, date."""
    return f"Page made by {renderer}, {revision()}."


def revision() -> str:
    """The code's commit and today's date (SOURCE_DATE_EPOCH where it is set), in words."""
    commit, dirty = provenance.git_commit()
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    date = datetime.fromtimestamp(int(epoch), timezone.utc).strftime("%Y-%m-%d") if epoch else provenance.now()[:10]
    if not commit:
        return f"of an unknown commit ({git.why_not() or 'none yet'}), on {date}"
    return f"from commit {commit[:9]}{' with changes not yet committed' if dirty else ''}, on {date}"


def _copy(root: Path, out: Path) -> None:
    """Charts (what `make figures` drew), pictures, measured CSVs with their sidecars, and the page's own styles and
    scripts.
    """
    for pattern in (
        *("charts/*.csv", "charts/picker/*.js", "images/*.jpg", "images/manifest.json", "report/data/*.csv"),
        *("report/data/*.json", "assets/*.css", "assets/*.js", "assets/*.svg"),
    ):
        for name in glob.glob(pattern, root_dir=root):
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, out / name)
