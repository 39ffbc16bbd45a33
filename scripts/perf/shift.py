"""How far each page jumps while it loads on a slow line, at a phone's and a desktop's width, in Chromium.

    make site && python -m scripts.perf.shift
    python -m scripts.perf.shift --pages index.html report/picker.html --fallback "Liberation Sans Narrow"

The layout shift (Chromium's own measure: what moves by how much, as a share of the screen) of a visit without touch:
open, wait until all is still, scroll down. The line has 1.6 Mbit/s, the processor a quarter of its speed. Where the
page's typeface came late, text would stand in another one first, so that one is set to a face that does not fit.
"""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.common.errors import UserError, cli, parser_of
from scripts.common.paths import SITE
from scripts.common.progress import Progress
from scripts.perf.site import SHIFT, report, served, throttle

SIZES = {390: 844, 1280: 900}  # width -> height, pixels
MISFIT = "DejaVu Sans"  # 15% wider than Source Sans Pro
STILL_MS, STEP_MS = 2_500, 400
SYSTEM = 'system-ui, "Segoe UI", Arial, sans-serif'  # what follows the typeface in assets/site.css
WATCH = """
window.shift = 0;
new PerformanceObserver(list => { for (const one of list.getEntries()) if (!one.hadRecentInput) shift += one.value; })
  .observe({type: 'layout-shift', buffered: true});
"""
SCROLL = """async (pause) => {
  for (let y = 0; y < Math.min(document.body.scrollHeight, 6000); y += innerHeight * .7) {
    scrollTo({top: y, behavior: 'instant'});
    await new Promise(done => setTimeout(done, pause));
  }
}"""


def shift(browser, address: str, width: int) -> float:
    """The layout shift of one visit to the page at `address`."""
    context = browser.new_context(viewport={"width": width, "height": SIZES[width]})
    tab = context.new_page()
    tab.set_default_timeout(120_000)
    tab.add_init_script(WATCH)
    throttle(tab)
    tab.goto(address, wait_until="load")
    tab.wait_for_timeout(STILL_MS)
    tab.evaluate(SCROLL, STEP_MS)
    found = tab.evaluate("window.shift")
    context.close()
    return found


@cli
def main(arguments: list[str] | None = None) -> None:
    parser = parser_of("scripts.perf.shift", __doc__, "python -m scripts.perf.shift --pages index.html")
    parser.add_argument("--site", type=Path, default=SITE, metavar="DIR", help="the built site (default: _site)")
    parser.add_argument("--pages", nargs="+", metavar="PAGE", help="only these")
    parser.add_argument("--fallback", default=MISFIT, metavar="FACE", help=f"default: {MISFIT}")
    options = parser.parse_args(arguments)
    known = sorted(path.relative_to(options.site).as_posix() for path in options.site.rglob("*.html"))
    names = options.pages or known
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise UserError(f"{options.site}: no page {unknown[0] if unknown else ''} in it; run `make site`")
    style = (options.site / "assets" / "site.css").read_text(encoding="utf-8")
    if SYSTEM not in style:
        raise UserError(f"assets/site.css: the faces after the site's own are not {SYSTEM}; mend scripts/perf/shift.py")
    from scripts.common.browser import browser, version, window

    other, visits = style.replace(SYSTEM, f'"{options.fallback}"'), [(name, width) for name in names for width in SIZES]
    found = {}
    with (
        served(options.site, {"assets/site.css": other}) as server,
        window(browser()) as chrome,
        Progress(len(visits), "shift") as progress,
    ):
        for name, width in visits:
            found[name, width] = shift(chrome, server.address + name, width)
            progress.advance(f"{name}, {width} pixels")
    for (name, width), value in sorted(found.items(), key=lambda item: -item[1])[:5]:
        print(f"{value:.3f} {name}, {width} pixels")
    report(f"layout shift, worst of {len(found)} visits", max(found.values()), SHIFT, f"in {version(browser())}")


if __name__ == "__main__":
    sys.exit(main())
