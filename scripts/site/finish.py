"""What both renderers leave to do: chart data, plotly.js, fonts and CSVs into the site, each page's foot, and a last look.

Nothing on a page may come from another site; a page that would load something from elsewhere is refused.
"""

from __future__ import annotations

import glob
import hashlib
import io
import os
import re
import shutil
from datetime import datetime, timezone
from html import escape
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from scripts.common import provenance
from scripts.common.errors import UserError, disk_error
from scripts.common.paths import BUILD, atomic_write

FACES = ("Regular", "It", "Semibold", "Bold")  # what assets/site.css asks for
FOOT = "<!-- site: foot -->"
_EXTERNAL = re.compile(r"""<(?:script|img|iframe|video|audio|source|embed)\b[^>]*?\s(?:src|srcset)=["'](?:https?:)?//[^"']+"""
                       r"""|<link\b(?=[^>]*\srel=["']?(?:stylesheet|preload|icon|preconnect|modulepreload))[^>]*?\shref=["'](?:https?:)?//[^"']+""", re.I)
_PRE = re.compile(r"<pre(?![^>]*\stabindex)(?=[\s>])")
# Latin with accents, punctuation, arrows, mathematical signs, superscripts: what the pages can print
_RANGES = [(0x20, 0x17F), (0x2B0, 0x2FF), (0x370, 0x3FF), (0x2000, 0x206F), (0x2070, 0x20CF), (0x2100, 0x22FF), (0x25A0, 0x25FF), (0x2700, 0x27BF)]


def finish(root: Path, out: Path, renderer: str) -> None:
    """Complete the site in `out`. `renderer` is the line for each page's foot. Raises UserError for a page that asks other sites for something."""
    try:
        _copy(root, out)
        _fonts(out / "assets" / "fonts")
        _plotly(out / "assets")
    except OSError as error:
        raise disk_error(error, error.filename or out) from error
    foot = f'<p class="build-line">{escape(built(renderer))}</p>'
    pages = sorted(out.rglob("*.html"))
    for path in pages:
        html = path.read_text(encoding="utf-8")
        asked = _EXTERNAL.search(html)
        if asked:
            raise UserError(f"{path.relative_to(out).as_posix()}: the page would load {asked[0][-120:]!r} from another site; a cell that gives HTML does "
                            "this under Quarto, print Markdown instead")
        html = _PRE.sub(r'<pre tabindex="0"', html)  # code that scrolls sideways can be reached by keyboard
        up = "../" * (len(path.relative_to(out).parts) - 1)
        html = re.sub(r'(\ssrcset=")/(?!/)', rf"\1{up}", html)  # Quarto makes src and href relative, but not this
        html = html.replace(FOOT, foot) if FOOT in html else html.replace("</main>", foot + "\n</main>", 1)
        path.write_text(html, encoding="utf-8")
    (out / ".nojekyll").touch()


def built(renderer: str) -> str:
    """The foot's line: renderer, code's commit, date (SOURCE_DATE_EPOCH where it is set)."""
    commit, dirty = provenance.git_commit()
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    date = datetime.fromtimestamp(int(epoch), timezone.utc).strftime("%Y-%m-%d") if epoch else provenance.now()[:10]
    code = f"from commit {commit[:9]}{' with changes not yet committed' if dirty else ''}" if commit else "outside a git checkout"
    return f"Page made by {renderer}, {code}, on {date}."


def _copy(root: Path, out: Path) -> None:
    """Charts (what `make figures` drew), pictures, measured CSVs with their sidecars, and the page's own styles and scripts."""
    for pattern in ("charts/*.json", "charts/*.csv", "charts/picker/*.js", "images/*.jpg", "images/manifest.json", "report/data/*.csv", "report/data/*.json",
                    "assets/*.css", "assets/*.js", "assets/*.svg"):
        for name in glob.glob(pattern, root_dir=root):
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, out / name)


def _plotly(assets: Path) -> None:
    spec = find_spec("plotly")
    path = Path(spec.origin).parent / "package_data" / "plotly.min.js" if spec else None
    if not path or not path.exists():
        raise UserError("plotly: its package does not hold plotly.min.js; run `make setup`")
    assets.mkdir(exist_ok=True)
    shutil.copyfile(path, assets / "plotly.min.js")


def _fonts(folder: Path) -> None:
    """Source Sans Pro from its Python package: as WOFF2 of the letters in use where fontTools and brotli are there, else whole."""
    spec = find_spec("font_source_sans_pro")
    if not spec:
        raise UserError("font-source-sans-pro: not installed; run `make setup`")
    source = Path(spec.origin).parent / "files"
    folder.mkdir(parents=True, exist_ok=True)
    small = find_spec("fontTools") and (find_spec("brotli") or find_spec("brotlicffi"))
    for face in FACES:
        if small:
            shutil.copyfile(_subset(source / f"SourceSansPro-{face}.ttf"), folder / f"SourceSansPro-{face}.woff2")
        else:
            shutil.copyfile(source / f"SourceSansPro-{face}.ttf", folder / f"SourceSansPro-{face}.ttf")
    kind, ending = ("woff2", "woff2") if small else ("truetype", "ttf")
    rules = [f"@font-face{{font-family:'Source Sans Pro';font-style:{'italic' if face == 'It' else 'normal'};font-display:swap;"
             f"font-weight:{dict(Semibold=600, Bold=700).get(face, 400)};src:url(SourceSansPro-{face}.{ending}) format('{kind}')}}" for face in FACES]
    (folder / "fonts.css").write_text("\n".join(rules) + "\n")
    shutil.copyfile(source / "LICENSE.txt", folder / "LICENSE.txt")


def _subset(path: Path) -> Path:
    """The face as WOFF2 of `_RANGES`, kept in build/: making it takes a second or two."""
    state = hashlib.sha256(repr((_RANGES, version("fonttools"), path.stat().st_size)).encode()).hexdigest()[:12]
    kept = BUILD / "fonts" / f"{path.stem}-{state}.woff2"
    if not kept.exists():
        from fontTools import subset
        options = subset.Options()
        options.flavor, options.layout_features = "woff2", ["*"]
        font = subset.load_font(str(path), options)
        chooser = subset.Subsetter(options)
        chooser.populate(unicodes=[code for low, high in _RANGES for code in range(low, high + 1)])
        chooser.subset(font)
        small = io.BytesIO()
        subset.save_font(font, small, options)
        kept.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(kept, small.getvalue())
    return kept
