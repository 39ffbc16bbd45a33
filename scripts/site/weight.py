"""What makes the pages light: letters in use instead of whole typefaces, pictures in the size in which they are shown,
the first things first.

Why: on a line of 1.6 Mbit/s every 20 kB are a tenth of a second. A face of Source Sans Pro is 42 kB as WOFF2; the
letters of these pages are 11 kB, the signs beyond them a file of their own that is fetched where one is used. A chart's
JPG is twice as wide as it is shown on most screens.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from scripts.common.errors import UserError
from scripts.common.hardware import cores
from scripts.common.paths import BUILD, atomic_write

# file -> style, weights that it serves
FACES = {"Regular": ("normal", "400"), "It": ("italic", "400"), "Semibold": ("normal", "600 700")}
# Unicode ranges: what nearly every page prints, and accents, Greek, arrows and mathematical signs
CORE = [
    *((0x20, 0x7E), (0xA0, 0xFF), (0x2007, 0x2009), (0x2010, 0x2026)),
    *((0x2030, 0x203A), (0x2122, 0x2122), (0x2190, 0x2193), (0x2212, 0x2212)),
]
MORE = [
    *((0x100, 0x17F), (0x2B0, 0x2FF), (0x370, 0x3FF), (0x2044, 0x2044), (0x2070, 0x20CF), (0x2100, 0x2121)),
    *((0x2123, 0x218F), (0x2194, 0x2211), (0x2213, 0x22FF), (0x25A0, 0x25FF), (0x2700, 0x27BF)),
]
FEATURES = ["kern", "liga", "ccmp", "locl", "mark", "mkmk", "calt", "tnum", "lnum"]
WIDEST = 1000  # pixels that a picture takes at most on a page
QUALITY = 82  # of WebP: at 90 the pictures are a third larger, and charts look the same


def fonts(folder: Path) -> None:
    """Source Sans Pro from its Python package into `folder`, with fonts.css: where fontTools and brotli are there as
    WOFF2, the letters in use inside fonts.css and the other signs in files of their own; else whole.
    """
    spec = find_spec("font_source_sans_pro")
    if not spec:
        raise UserError("font-source-sans-pro: not installed; run `make setup`")
    source = Path(spec.origin).parent / "files"
    folder.mkdir(parents=True, exist_ok=True)
    small = find_spec("fontTools") and (find_spec("brotli") or find_spec("brotlicffi"))
    rules = []
    for face, (style, weight) in FACES.items():
        whole = source / f"SourceSansPro-{face}.ttf"
        files = [(_subset(whole, part), part) for part in (CORE, MORE)] if small else [(whole, None)]
        for path, part in files:
            # in the style sheet, and asked for by the page's head: no text is ever set in another face first
            if part is CORE:
                address, display = f"data:font/woff2;base64,{base64.b64encode(path.read_bytes()).decode()}", "block"
            else:  # a sign or two on a page: set in what the system has where it comes late
                address, display = f"SourceSansPro-{face}{'-more' if part else ''}{path.suffix}", "optional"
                shutil.copyfile(path, folder / address)
            only = ";unicode-range:" + ",".join(f"U+{low:X}-{high:X}" for low, high in part) if part else ""
            rules.append(
                f"@font-face{{font-family:'Source Sans Pro';font-style:{style};font-weight:{weight};"
                f"font-display:{display};src:url({address}) format('{'woff2' if small else 'truetype'}'){only}}}"
            )
    (folder / "fonts.css").write_text("\n".join(rules) + "\n", encoding="utf-8")
    shutil.copyfile(source / "LICENSE.txt", folder / "LICENSE.txt")


def _subset(path: Path, ranges: list[tuple[int, int]]) -> Path:
    """The face as WOFF2 of `ranges`, without hints for screens of the past, kept in build/: making it takes a
    second.
    """
    facts = (ranges, FEATURES, version("fonttools"), path.stat().st_size)
    state = hashlib.sha256(repr(facts).encode()).hexdigest()[:12]
    kept = BUILD / "fonts" / f"{path.stem}-{state}.woff2"
    if not kept.exists():
        from fontTools import subset

        options = subset.Options()
        options.flavor, options.layout_features, options.hinting = "woff2", FEATURES, False
        font = subset.load_font(str(path), options)
        chooser = subset.Subsetter(options)
        chooser.populate(unicodes=[code for low, high in ranges for code in range(low, high + 1)])
        chooser.subset(font)
        small = io.BytesIO()
        subset.save_font(font, small, options)
        kept.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(kept, small.getvalue())
    return kept


def styles(out: Path) -> None:
    """Put the typeface's rules into site.css in the place of its @import, which would be one more round trip before
    the first letter.
    """
    path, rules = out / "assets" / "site.css", out / "assets" / "fonts" / "fonts.css"
    if path.is_file() and rules.is_file():
        faces = re.sub(r"url\((?!data:)", "url(fonts/", rules.read_text(encoding="utf-8"))
        style = path.read_text(encoding="utf-8").replace('@import url("fonts/fonts.css");', faces)
        path.write_text(style, encoding="utf-8")
        rules.unlink()


# --- pictures


def small_picture(path: Path, shown: int) -> Path:
    """The JPG at `path` as WebP, `shown` pixels wide or as wide as it is, kept in build/ by its content."""
    content = path.read_bytes()
    state = hashlib.sha256(content + repr((shown, QUALITY)).encode()).hexdigest()[:16]
    kept = BUILD / "pictures" / f"{path.stem[:60]}-{state}.webp"
    if not kept.exists():
        from PIL import Image

        with Image.open(io.BytesIO(content)) as picture:
            picture = picture.convert("RGB")
        if picture.width > shown:
            picture = picture.resize((shown, round(picture.height * shown / picture.width)), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        picture.save(out, "WEBP", quality=QUALITY, method=4)
        kept.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(kept, out.getvalue())
    return kept


_IMAGE = re.compile(r'<(?:img|source)\b[^>]*?\s(?:src|srcset)="(?:\.\./|\./)*(images/[\w-]+\.jpg)"[^>]*>')
_ADDRESS = re.compile(r'\s(src|srcset)="((?:\.\./|\./)*images/[\w-]+)\.jpg"')
SIZES = "(max-width: 1100px) 100vw, 62rem"


@lru_cache
def _size(path: Path) -> tuple[int, int]:
    from PIL import Image

    with Image.open(path) as picture:
        return picture.size


def _shown(tag: str, full: int) -> tuple[bool, int]:
    """Whether a picture's tag says how wide it is shown, and that width, at most `full` pixels."""
    declared = re.search(r'\swidth="(\d+)"', tag)
    return bool(declared), min(int(declared[1]) if declared and int(declared[1]) else WIDEST, full)


def pictures(pages: Iterable[str], out: Path) -> None:
    """Make the small pictures that the HTML of `pages` asks for, several at a time, so that `page` finds them: Pillow
    computes outside Python's lock.
    """
    tags = {(out / match[1], match[0]) for html in pages for match in _IMAGE.finditer(html)}
    wanted = {(path, _shown(tag, _size(path)[0])[1]) for path, tag in tags if path.is_file() and ".webp " not in tag}
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(lambda one: small_picture(*one), sorted(wanted)))


def page(html: str, out: Path) -> str:
    """A page's HTML with its pictures in two sizes, the first of them at once and the others when they come near.

    out: the site's folder.
    """
    seen = 0

    def lighter(match: re.Match) -> str:
        nonlocal seen
        tag, path = match[0], out / match[1]
        if not path.is_file() or ".webp " in tag:
            return tag
        full, height = _size(path)
        declared, shown = _shown(tag, full)
        if not declared:  # room for it before it is there
            tag = re.sub(r"\s*/?>$", f' width="{shown}" height="{round(height * shown / full)}">', tag)
        shutil.copyfile(small_picture(path, shown), path.with_suffix(".webp"))
        address = _ADDRESS.search(tag)
        choice = f"{address[2]}.webp {shown}w" + (f", {address[2]}.jpg {full}w" if full > shown else "")
        source = tag.startswith("<source")
        sizes = "100vw" if source else SIZES
        if source:
            return tag.replace(address[0], f' srcset="{choice}" sizes="{sizes}"')
        seen += 1
        tag = tag.replace(address[0], f'{address[0]} srcset="{choice}" sizes="{sizes}"')
        return tag.replace('loading="lazy"', 'fetchpriority="high"') if seen == 1 else tag

    # letters are not fetched ahead: from file:// that is an error, and it moves nothing and saves no time
    return _IMAGE.sub(lighter, html)
