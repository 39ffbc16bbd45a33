"""What a reader does with the site, the same steps in Chromium, Firefox and WebKit; each must have the same outcome.

    python -m scripts.site.check.interactions                       # the engines that this machine has
    python -m scripts.site.check.interactions firefox --pictures build/engines

The answer's cards, theme, menus, chart, verdicts, picker, tabs, tables, keyboard, a phone of 360 pixels. An error on a
page (thrown, or on the console) is a failed step. Exit code 1 where a step failed.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from scripts.common.errors import UserError, cli, parser_of
from scripts.common.paths import SITE, atomic_write
from scripts.site.check import engines
from scripts.site.check.views import Quiet, served

WAIT_S = 30  # for an outcome; most are there at once
SETTLE_S = 0.15
DESKTOP, PHONE = (1280, 900), (360, 780)  # pixels; WebKit under Xvfb has no window narrower than 447
# The first thing on each page: it keeps what goes wrong, in every engine alike.
WATCH = """<script>
window.wrongs = [];
addEventListener("error", (event) => wrongs.push(String(event.message || event.target?.src)), true);
addEventListener("unhandledrejection", (event) => wrongs.push(String(event.reason)));
for (const kind of ["error", "warn"]) console[kind] = (...said) => wrongs.push(said.join(" "));
</script>"""
# `$(selector, words)`: the first element that is shown, with these words in it
FIND = """((selector, words) => [...document.querySelectorAll(selector)]
  .find((one) => one.checkVisibility() && one.textContent.includes(words)))"""


class Watched(Quiet):
    """Serves the site's pages with WATCH in their heads."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path.partition("?")[0].partition("#")[0]))
        if path.suffix != ".html" or not path.is_file():
            with contextlib.suppress(ConnectionError):  # the page was left before it had all
                super().do_GET()
            return
        body = path.read_text(encoding="utf-8").replace("<head>", f"<head>{WATCH}", 1).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Reader:
    """A reader at an engine: opens pages, clicks what is shown, presses keys, and says what came of it."""

    def __init__(self, engine, address: str):
        self.engine, self.address = engine, address

    def open(self, page: str, size: tuple[int, int] = DESKTOP) -> None:
        self.engine.open("about:blank", *size)  # so that an address that differs by its # is loaded anew
        self.engine.open(self.address + page, *size)

    def click(self, selector: str, words: str = "") -> None:
        """Click the first shown element of `selector` that has `words` in it."""
        found = f"{FIND}({json.dumps(selector)}, {json.dumps(words)})"
        self.see(f"!!{found}")
        self.engine.js(f"{found}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        box, before = self._middle(found), None
        while box != before:  # what moves is waited for
            time.sleep(SETTLE_S)
            box, before = self._middle(found), box
        self.engine.click(*box)

    def _middle(self, found: str) -> list[float]:
        box = self.engine.js(f"(r => [r.x + r.width / 2, r.y + r.height / 2])({found}.getBoundingClientRect())")
        return [round(one) for one in box]

    def choose(self, selector: str, value: str) -> None:
        """Set a field or list to `value`, as typing or choosing does."""
        self.engine.js(
            f"((f, value) => {{ f.focus(); f.value = value; for (const kind of ['input', 'change']) "
            f"f.dispatchEvent(new Event(kind, {{bubbles: true}})); return true; }})"
            f"(document.querySelector({json.dumps(selector)}), {json.dumps(value)})"
        )

    def see(self, expression: str) -> None:
        """Wait until the JavaScript `expression` is true. Raises UserError where it never is."""
        end = time.monotonic() + WAIT_S
        while not self.engine.js(f"Boolean({expression})"):
            if time.monotonic() > end:
                raise UserError(f"never true: {expression[:160]}")
            time.sleep(0.03)

    def calm(self) -> None:
        """Raises UserError where something went wrong on the page."""
        wrongs = self.engine.js("window.wrongs")
        if wrongs:
            raise UserError(f"on the page: {str(wrongs[0])[:200]}")


def count(selector: str) -> str:
    return f"[...document.querySelectorAll({json.dumps(selector)})].filter((one) => one.checkVisibility()).length"


HERE = "document.activeElement"
DARK = "document.documentElement.classList.contains('quarto-dark')"
TABS = "[...document.querySelectorAll('[data-group=dataset] [role=tablist]')]"
SELECTED = "list.querySelector('[aria-selected=true]').textContent.includes"
BEST = "document.querySelector('#picks strong')?.textContent"
ROWS = count("main table.table tbody tr")


def steps(do: Reader) -> Iterator[str]:
    """The steps, each with its outcome awaited; yields what was done after each."""
    do.open("index.html")
    do.see(f"{count('.answer ol')} === 1 && {count('.answer li')} === 3")
    yield "the home page answers with three cards"
    other = do.engine.js("document.querySelector('.answer select').options[1].value")
    do.choose(".answer select", other)
    do.see(f"document.querySelector('.answer [data-machine={other}]').checkVisibility() && {count('.answer ol')} === 1")
    yield "another machine shows its cards"
    do.open("index.html")
    do.see(f"document.querySelector('.answer [data-machine={other}]').checkVisibility()")
    yield "the machine is remembered"
    dark = do.engine.js(DARK)
    do.click(".quarto-color-scheme-toggle")
    do.see(f"{DARK} !== {json.dumps(dark)}")
    yield "the switch changes dark and light"
    do.open("index.html")
    do.see(f"{DARK} !== {json.dumps(dark)}")
    do.click(".quarto-color-scheme-toggle")
    do.see(f"{DARK} === {json.dumps(dark)}")
    yield "the colours are remembered, and changed back"
    do.click(".dropdown summary", "Evidence")
    do.see(f"{count('.dropdown[open]')} === 1 && {count('.dropdown[open] a')} > 3")
    yield "a menu opens"
    do.click(".dropdown summary", "Method")
    do.see(f"{count('.dropdown[open]')} === 1 && {count('.dropdown[open] a[href*=glossary]')} === 1")
    yield "another menu closes the first"
    do.engine.press("Escape")
    do.see(f"{count('.dropdown[open]')} === 0 && {HERE}.tagName === 'SUMMARY'")
    yield "Escape closes it and keeps the place"
    do.see("document.querySelector('.chart[data-drawn=true] .explorer-frontier')")
    yield "the chart is drawn"
    do.click(".explorer-chips button", "ConvNeXt")
    do.see("document.querySelector('.explorer-chips [aria-pressed=true]')")
    yield "a family is shown alone"
    do.click(".explorer-chips button", "ConvNeXt")
    do.see("!document.querySelector('.explorer-chips [aria-pressed=true]')")
    yield "and all again"
    do.engine.js("document.querySelector('.explorer-plot').focus()")
    do.engine.press("End", "ArrowLeft")
    do.see(f"{count('.explorer-tip strong')} === 1")
    yield "keys walk along the frontier"
    do.engine.press("Enter")
    do.see("document.querySelector('.explorer-pin')?.textContent.includes('timm.create_model')")
    yield "Enter keeps a model"
    do.click(".explorer-pin button", "Remove")
    do.see("!document.querySelector('.explorer-pin')")
    yield "and it is taken away"
    do.engine.js("document.querySelector('.explorer-plot').focus()")
    do.engine.press("+")
    do.see("/z(:|%3A)/.test(location.search)")
    time.sleep(4 * SETTLE_S)  # points travel
    yield "+ zooms, and the address keeps it"
    do.click(".explorer button", "Reset")
    do.see("!/z(:|%3A)/.test(location.search)")
    yield "Reset shows everything"
    do.click("button.verdict")
    do.see("document.querySelector('.evidence:popover-open')")
    yield "a verdict opens its evidence"
    do.engine.press("Escape")
    do.see("!document.querySelector('.evidence:popover-open')")
    yield "Escape closes it"
    do.click("button.made", "how it was made")
    do.see("document.querySelector('.made-panel:popover-open')")
    do.click(".made-panel:popover-open button", "Close")
    do.see("!document.querySelector('.made-panel:popover-open')")
    yield "how a chart was made opens and closes"
    do.calm()
    do.open("report/picker.html")
    do.see(f"{count('#picker')} === 1 && {count('#picks > li')} === 3")
    yield "the picker answers"
    first = do.engine.js(BEST)
    do.choose("[name=min_throughput]", "5000")
    do.see(f"{BEST} !== {json.dumps(first)} && location.hash.includes('5000')")
    yield "a limit changes the answer, and the address keeps it"
    do.choose("[name=min_throughput]", "")
    do.choose("[name=replace]", "resnet50")
    do.see("location.hash.includes('replace=resnet50') && document.querySelector('#picks > li')")
    yield "a model to replace is understood"
    do.click("#picker .tick")
    do.see("document.querySelector('[name=commercial]').checked && location.hash.includes('commercial')")
    yield "a box is ticked by its words"
    do.click("#picker button", "Start again")
    do.see(f"!location.hash.includes('resnet50') && {BEST} === {json.dumps(first)}")
    yield "Start again forgets"
    do.calm()
    do.open("report/zoo.html")
    do.click("[role=tab]", "Digits")
    do.see(f"{TABS}.length > 3 && {TABS}.every((list) => {SELECTED}('Digits'))")
    yield "tabs of one group change together"
    do.engine.press("ArrowLeft")
    do.see(f"{TABS}.every((list) => {SELECTED}('Photos')) && {HERE}.getAttribute('role') === 'tab'")
    yield "arrows change tabs"
    do.calm()
    do.open("report/hardware.html")
    do.click("main table.table:not(.fixed) thead .sort")
    do.see("document.querySelector('main th[aria-sort]')")
    yield "a column sorts"
    before = do.engine.js(ROWS)
    do.choose(".table-tools input", "vit")
    do.see(f"{ROWS} < {before} && document.querySelector('.table-tools [role=status]').textContent.includes(' of ')")
    yield "a filter leaves the rows that fit"
    do.open("report/inference.html")
    do.engine.press("Tab")
    do.see(f"{HERE}.classList.contains('skip-link') || {HERE} === document.body")  # WebKit may skip links by Tab
    yield "the first stop of the keyboard leads past the menus"
    do.click("#TOC a", "On a processor")
    do.see("(y => y >= 0 && y < innerHeight / 3)(document.querySelector(location.hash).getBoundingClientRect().y)")
    yield "the contents lead to their sections, below the menus"
    do.calm()
    do.open("index.html", PHONE)
    do.see(f"{count('.navbar-links')} === 0")
    do.click(".navbar-toggler")
    do.see(f"{count('.navbar-links')} === 1 && document.querySelector('.navbar-toggler').ariaExpanded === 'true'")
    yield "the menu opens on a phone"
    do.engine.js("document.querySelector('.chart').scrollIntoView({block: 'center', behavior: 'instant'})")
    do.see("document.querySelector('.chart[data-drawn=true] .explorer-plot')")
    do.see("document.scrollingElement.scrollWidth <= innerWidth + 1")
    yield "nothing sticks out of 360 pixels"
    do.click(".explorer button", "Filter")
    do.see(f"{count('.explorer-chips button')} > 5")
    do.engine.press("Escape")
    do.see(f"{count('.explorer-chips button')} === 0")
    yield "the sheet of filters opens and closes"
    do.open("report/method.html", PHONE)
    do.click(".show-all")
    do.see("document.querySelector('.show-all').textContent.includes('first')")
    yield "a long table unfolds"
    do.calm()


def walk(name: str, site: Path, pictures: Path | None = None) -> list[str]:
    """Go through the steps in the engine `name`; what was done, in order. Raises UserError naming the step that failed.

    pictures: a folder for a picture after each step.
    """
    if not (site / "charts" / "frontier_gpu.js").is_file():
        raise UserError(
            f"{site}: made without timm's tables, which these steps are about; `make data`, then `make site`"
        )
    done: list[str] = []
    with served(site, Watched) as address, engines.engine(name) as engine:
        try:
            for what in steps(Reader(engine, address)):
                done.append(what)
                if pictures:
                    atomic_write(pictures / f"{name}-{len(done):02}.png", engine.picture())
        except UserError as error:
            after = done[-1] if done else "the start"
            raise UserError(f"{name}: after step {len(done)} ({after}): {error}") from None
    return done


@cli
def main(arguments: list[str] | None = None) -> int:
    called = "scripts.site.check.interactions"
    parser = parser_of(called, __doc__, f"python -m {called} firefox")
    which = f"{', '.join(engines.NAMES)}; default: all there are"
    parser.add_argument("engines", nargs="*", metavar="ENGINE", help=which)
    parser.add_argument("--site", type=Path, default=SITE, metavar="DIR", help="the built site (default: _site)")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="a picture of the window after each step")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.engines if name not in engines.NAMES]
    if unknown or not (options.site / "index.html").is_file():
        raise UserError(f"{unknown[0]}: no such engine" if unknown else f"{options.site}: no site; run `make site`")
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    failed = False
    for name in options.engines or engines.NAMES:
        try:
            print(f"{name}: {len(walk(name, options.site, options.pictures))} steps went well")
        except UserError as error:
            print(error)
            failed = failed or "not on this machine" not in str(error) or name in options.engines
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
