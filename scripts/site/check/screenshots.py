"""Photograph every page of the built site as a reader sees it: desktop and phone, light and dark, with its charts
drawn, and lay all on one sheet.

    make screenshots
    python -m scripts.site.check.screenshots --pages index.html --out build/screenshots

Out come <page>-<view>-<scheme>.png of whole pages and contact-sheet.jpg: a row per page, a column per view. Nothing is
judged here; that is for whoever looks at the sheet (and for `make check-site`). Each picture is put in place whole, so
an interrupted run leaves no half ones.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from scripts.common.errors import UserError, cli, parser_of
from scripts.common.paths import BUILD, SITE, atomic_write
from scripts.site.check.views import SCHEMES, VIEWS, each, open_whole

HIGHEST = 12_000  # pixels of a page that are photographed: Chrome's own limit is 16,384
THUMB = {"desktop": (420, 560), "phone": (200, 560)}  # pixels on the sheet; what is longer is cut at the bottom
GAP, HEAD = 16, 28
SHEET = "contact-sheet.jpg"


def name_of(page: str, view: str, scheme: str) -> str:
    """report/zoo.html on a phone in the dark -> report-zoo-phone-dark.png."""
    return f"{page.removesuffix('.html').replace('/', '-')}-{view}-{scheme}.png"


def photograph(site: Path, names: list[str], out: Path) -> list[Path]:
    """Write a picture of each page in each view into `out` and return their paths. Raises UserError where there is
    no Chrome, or a page does not open.
    """
    from playwright.sync_api import Error

    def shoot(page, address: str, name: str, view: str, scheme: str) -> Path:
        try:
            open_whole(page, address + name)
            height = min(HIGHEST, page.evaluate("document.documentElement.scrollHeight"))
            whole = {"x": 0, "y": 0, "width": VIEWS[view]["width"], "height": height}
            shot = page.screenshot(full_page=True, clip=whole)
        except Error as error:
            why = str(error).splitlines()[0][:160]
            raise UserError(f"{name}: could not be photographed ({why}); see `make check-site`") from None
        return atomic_write(out / name_of(name, view, scheme), shot)

    return [path for *_, path in each(site, names, shoot, "screenshots")]


def sheet(names: list[str], out: Path) -> Path:
    """Lay the pictures in `out` of the pages `names` on one sheet, and return its path."""
    from PIL import Image, ImageDraw, ImageFont

    from scripts.common.browser import font_files

    font = ImageFont.truetype(str(font_files()["Regular"]), 17)
    columns = [(view, scheme) for view in VIEWS for scheme in SCHEMES]
    width = GAP + sum(THUMB[view][0] + GAP for view, _ in columns)
    row = HEAD + max(height for _, height in THUMB.values()) + GAP
    page = Image.new("RGB", (width, GAP + row * len(names)), "#8a929b")
    pen = ImageDraw.Draw(page)
    for at, name in enumerate(names):
        top, left = GAP + at * row, GAP
        pen.text((left, top), name, fill="#000000", font=font)
        for view, scheme in columns:
            room = THUMB[view]
            path = out / name_of(name, view, scheme)
            if path.is_file():
                with Image.open(path) as shot:
                    bottom = min(shot.height, round(room[1] * shot.width / room[0]))
                    seen = shot.convert("RGB").crop((0, 0, shot.width, bottom))
                small = (room[0], round(seen.height * room[0] / seen.width))
                page.paste(seen.resize(small, Image.Resampling.LANCZOS), (left, top + HEAD))
            left += room[0] + GAP
    content = io.BytesIO()
    page.save(content, "JPEG", quality=85, optimize=True)
    return atomic_write(out / SHEET, content.getvalue())


@cli
def main(arguments: list[str] | None = None) -> None:
    called = "scripts.site.check.screenshots"
    parser = parser_of(called, __doc__, f"python -m {called} --pages index.html report/zoo.html")
    parser.add_argument("--site", type=Path, default=SITE, metavar="DIR", help="the built site (default: _site)")
    parser.add_argument(
        "--out", type=Path, default=BUILD / "screenshots", metavar="DIR", help="default: build/screenshots"
    )
    parser.add_argument("--pages", nargs="+", metavar="PAGE", help="only these")
    options = parser.parse_args(arguments)
    names = [path.relative_to(options.site).as_posix() for path in sorted(options.site.rglob("*.html"))]
    if not names:
        raise UserError(f"{options.site}: no pages in it; build the site first (`make site`)")
    unknown = sorted(set(options.pages or []) - set(names))
    if unknown:
        raise UserError(f"{unknown[0]}: no such page in {options.site}; there are {', '.join(names)}")
    names = options.pages or sorted(names, key=lambda name: (name != "index.html", name))
    options.out.mkdir(parents=True, exist_ok=True)
    made = photograph(options.site, names, options.out)
    print(
        f"screenshots: {len(made)} of {len(names)} page{'s' * (len(names) != 1)}, all on "
        f"{os.path.relpath(sheet(names, options.out))}",
        file=sys.stderr,
    )


if __name__ == "__main__":
    sys.exit(main())
