"""Open the pages of the built site in Chrome as readers see them: desktop and phone, in light and dark, with their
charts drawn.

    from scripts.site.check import views
    for name, view, scheme, found in views.each(site, ["index.html"], visit, "check-site"): …

The site is served from a folder of a server on loopback, as GitHub Pages does.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from scripts.common import hardware
from scripts.common.progress import Progress

FOLDER = "/best-image-models/"  # where the site lies on the server
VIEWS = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 360, "height": 780}}
MORE_WIDTHS = {"desktop": (768, 1920), "phone": (390,)}  # pixels that a view's page is pulled to, too
SCHEMES = ("light", "dark")
PAGE_LIMIT_S = 60  # for one page in one view; 2-4 s on two idle cores
DRAWN_LIMIT_S = 20  # for its charts

SCROLL = """async () => {
  for (let y = 0; y < document.body.scrollHeight; y += innerHeight / 2) {
    scrollTo(0, y);
    await new Promise(r => setTimeout(r, 30));
  }
}"""
DRAWN = (
    "() => [...document.querySelectorAll('.chart[data-src]')].every(c => !c.offsetParent || c.dataset.drawn === 'true')"
)
Found = TypeVar("Found")


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves the site under FOLDER, and its 404 page for what is not there."""

    def translate_path(self, path: str) -> str:
        if not path.startswith(FOLDER):
            return str(Path(self.directory) / ".not-here")
        return super().translate_path("/" + path.removeprefix(FOLDER))

    def log_message(self, *_) -> None:
        pass


@contextlib.contextmanager
def served(site: Path, handler: type[Quiet] = Quiet) -> Iterator[str]:
    """The address of `site` on a server of its own on loopback."""
    with serving(functools.partial(handler, directory=str(site))) as address:
        yield f"{address}{FOLDER}"


@contextlib.contextmanager
def serving(handler: Callable[..., http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server on loopback, without a slash at its end; `handler` answers each request."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def each(site: Path, names: list[str], visit: Callable[..., Found], task: str) -> list[tuple[str, str, str, Found]]:
    """(page, view, scheme, what `visit(page, address, name, view, scheme)` returned) for the pages `names` in every
    view, one browser per processor core.

    visit gets a fresh page of playwright and the site's address. task: its name in the progress. Raises UserError where
    there is no Chrome.
    """
    from scripts.common.browser import browser, window

    path, kinds = browser(), [(view, scheme) for view in VIEWS for scheme in SCHEMES]

    def look(own: list[tuple[str, str]]) -> list[tuple[str, str, str, Found]]:
        found = []
        with window(path) as chrome:
            for view, scheme in own:
                context = chrome.new_context(
                    viewport=VIEWS[view], color_scheme=scheme, has_touch=view == "phone", reduced_motion="reduce"
                )
                for name in names:
                    page = context.new_page()
                    page.set_default_timeout(PAGE_LIMIT_S * 1000)
                    found.append((name, view, scheme, visit(page, address, name, view, scheme)))
                    page.close()
                    progress.advance(f"{name}, {view}, {scheme}")
                context.close()
        return found

    browsers = min(len(kinds), hardware.cores())
    with (
        served(site) as address,
        Progress(len(names) * len(kinds), task) as progress,
        ThreadPoolExecutor(browsers) as pool,
    ):
        found = pool.map(look, [kinds[first::browsers] for first in range(browsers)])
        return sorted((one for some in found for one in some), key=lambda one: kinds.index(one[1:3]))


def open_whole(page, address: str) -> None:
    """Open `address` and scroll through it, so that everything on it is loaded; wait for its charts as long as they
    may take. Raises playwright's Error.
    """
    from playwright.sync_api import Error

    page.goto(address, wait_until="load")
    page.evaluate(SCROLL)
    with contextlib.suppress(Error):  # whoever looks sees that a chart is not drawn
        page.wait_for_function(DRAWN, timeout=DRAWN_LIMIT_S * 1000)
    page.evaluate("scrollTo(0, 0)")
