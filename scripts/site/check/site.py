"""Check the built site: its files, then every page in Chrome, in light and dark, at desktop and phone width.

    make check-site
    python -m scripts.site.check.site --site _site [--pages report/zoo.html …] [--no-browser]

Every link and anchor resolves, ids are unique, HTML is valid, pictures have alt text, no request leaves the site,
nothing fails to load, no error on the console, charts are drawn, nothing sticks out of a phone's screen, and axe finds
nothing of any level. The site is served from a folder of a server on loopback, as GitHub Pages does. One line per
problem; exit code 0 none, 1 some, 2 could not check.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from scripts.common.errors import UserError, cli, parser_of
from scripts.common.paths import SITE
from scripts.site.check import views
from scripts.site.check.html import SAMPLE, Problem, looked_at, problems
from scripts.site.extras import MODELS

# axe: all rules that it runs on its own, and the one of WCAG 2.2 AA that it does not (targets of 24 pixels). Without
# preload: its own fetching of style sheets takes an @import for relative to the page.
AXE = {"resultTypes": ["violations"], "preload": False, "rules": {"target-size": {"enabled": True}}}
MODELS_OPENED = 4
REFRESH = 'http-equiv="refresh"'  # a page that only leads on
REDRAWN_MS = 400  # after which the charts stand in a new width (assets/charts.js waits for 150)
# What the page says about itself once everything on it has been scrolled into view.
LOOK = """() => ({
  wide: document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth,
  broken: [...document.images].filter(i => i.currentSrc && i.complete && !i.naturalWidth).map(i => i.currentSrc),
  undrawn: [...document.querySelectorAll('.chart[data-src]')]
    .filter(c => c.offsetParent && c.dataset.drawn !== 'true').map(c => c.dataset.figure),
})"""


def in_browser(site: Path, names: list[str]) -> list[Problem]:
    """What is wrong with the pages `names` in Chrome, one browser per processor core. Raises UserError where there
    is no Chrome.
    """
    seen: dict[tuple[str, str], list[str]] = {}
    look = lambda page, address, name, view, scheme: sorted(set(_look(page, address, name, view)))
    for name, view, scheme, found in views.each(site, names, look, "check-site"):
        for what in found:
            seen.setdefault((name, what), []).append(f"{view} {scheme}")
    every = len(views.VIEWS) * len(views.SCHEMES)
    return [
        Problem(name, what if len(where) == every else f"{what} [{', '.join(where)}]")
        for (name, what), where in sorted(seen.items())
    ]


def _pulled(page, view: str) -> Iterator[tuple[int, int]]:
    """(width, by how many pixels the page is wider) for the other widths of a view."""
    for width in views.MORE_WIDTHS[view]:
        page.set_viewport_size({"width": width, "height": page.viewport_size["height"]})
        page.wait_for_timeout(REDRAWN_MS)
        yield width, page.evaluate(LOOK)["wide"]


def _look(page, address: str, name: str, view: str) -> Iterator[str]:
    """Open one page and say what is wrong with it."""
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import Error

    events: list[str] = []

    def heard(kind: str, words: Callable[..., str], when: Callable[..., bool] = lambda _: True) -> None:
        """Keep `words(event)` of the page's events of a kind, where `when(event)`."""
        page.on(kind, lambda event: events.append(words(event)) if when(event) else None)

    heard("console", lambda said: f"on the console: {said.text[:200]}", lambda said: said.type in ("error", "warning"))
    heard("pageerror", lambda failure: f"a script failed: {str(failure)[:200]}")
    page.on("dialog", lambda dialog: (events.append(f"a dialog opened: {dialog.message[:80]}"), dialog.dismiss()))
    own = lambda one: one.url.removeprefix(address)[:200]
    heard("response", lambda one: f"{own(one)} answers {one.status}", lambda one: one.status >= 400)
    heard("requestfailed", lambda one: f"{own(one)} could not be loaded", lambda one: one.url.startswith(address))

    def gate(route) -> None:
        url = route.request.url
        if url.startswith((address, "data:", "blob:")):
            route.continue_()
        else:
            events.append(f"a request left the site: {url[:200]}")
            route.abort()

    page.route("**/*", gate)
    try:
        views.open_whole(page, address + name)
        seen = page.evaluate(LOOK)
        results = Axe().run(page, options=AXE).response
        wide = [(page.viewport_size["width"], seen["wide"]), *_pulled(page, view)]
    except Error as failure:
        yield f"could not be looked at within {views.PAGE_LIMIT_S} s: {str(failure).splitlines()[0][:160]}"
        return
    yield from events
    yield from (f"it is {over} pixels wider than a screen of {width}" for width, over in wide if over > 1)
    yield from (f"the image {source.removeprefix(address)[:200]} is broken" for source in seen["broken"])
    yield from (f"the chart {chart!r} was not drawn" for chart in seen["undrawn"])
    for violation in results["violations"]:
        where = [" ".join(map(str, node["target"])) for node in violation["nodes"]]
        yield (
            f"axe, {violation['impact']}: {violation['help']} ({violation['id']}), {len(where)} times, first at "
            f"{where[0][:160]}"
        )


def opened(site: Path, names: list[str]) -> list[str]:
    """Of the pages `names` those to open in a browser: of the models' the first few, for one template makes them, and
    none that only leads on to another page, as old names do.
    """
    names = [name for name in names if REFRESH not in (site / name).read_text(encoding="utf-8", errors="replace")]
    models = [name for name in names if name.startswith(f"{MODELS}/")]
    return [name for name in names if name not in models[MODELS_OPENED:]]


@cli
def main(arguments: list[str] | None = None) -> int:
    parser = parser_of("scripts.site.check.site", __doc__, "python -m scripts.site.check.site --pages report/zoo.html")
    parser.add_argument("--site", type=Path, default=SITE, metavar="DIR", help="the built site (default: _site)")
    parser.add_argument("--pages", nargs="+", metavar="PAGE", help="open only these in the browser")
    parser.add_argument("--no-browser", action="store_true", help="look at the files only")
    options = parser.parse_args(arguments)
    wrong = problems(options.site)
    every = [path.relative_to(options.site).as_posix() for path in sorted(options.site.rglob("*.html"))]
    names = [path.relative_to(options.site).as_posix() for path in looked_at(options.site)]
    unknown = sorted(set(options.pages or []) - set(every))
    if unknown:
        raise UserError(f"{unknown[0]}: no such page in {options.site}; there are {', '.join(names)}")
    if not options.no_browser:
        wrong += in_browser(options.site, options.pages or opened(options.site, names))
    for problem in wrong:
        print(problem)
    if len(names) < len(every):
        print(f"check-site: of {len(every):,} pages {len(names):,} were read, of the models every {SAMPLE}th")
    print(
        f"check-site: {len(wrong)} problem{'s' * (len(wrong) != 1)} on {len(names)} page{'s' * (len(names) != 1)}"
        + ("" if options.no_browser else f", each in {len(views.VIEWS) * len(views.SCHEMES)} views"),
        file=sys.stderr,
    )
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
