"""The home page's chart against the same chart the usual way, in Chromium, both sides in one run and by turns.

    make site && python -m scripts.perf.site              # 5 turns
    python -m scripts.perf.site --turns 9 --site _site

Bytes: all that the browser asked for until the chart could be used, gzipped (pictures and typefaces, which are
compressed already, as they are), over those of `plotly`'s to_html of the frontier chart. Time: from the request to the
chart drawn, over that of a page with plotly.js whole and the series of every machine. Then the page alone on a
throttled line and processor: when its text can be read, when the chart is drawn, how far it shifts. The pages come from
a server on loopback, so the first two times hold no line.
"""

from __future__ import annotations

import contextlib
import gzip
import http.server
import mimetypes
import platform
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from scripts.common.errors import UserError, cli, parser_of
from scripts.common.paths import SITE
from scripts.perf import verdict
from scripts.site.check.views import serving

BYTES, TIME = 0.25, 0.35  # targets: ours over theirs
READABLE_S, DRAWN_S, SHIFT = 2.0, 4.0, 0.05
# ms of round trip; bytes/s
LINE = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 0.75e6 / 8}
SLOWER = 4  # times, the processor
PACKED = (".jpg", ".webp", ".woff2", ".png")
OURS = '.chart[data-drawn="true"] :is(.explorer-frontier, .main-svg)'
THEIRS = ".main-svg .scatterlayer .point"
WATCH = """(selector => {
  window.seen = {drawn: null, shift: 0};
  const add = list => { for (const one of list.getEntries()) if (!one.hadRecentInput) seen.shift += one.value; };
  new PerformanceObserver(add).observe({type: 'layout-shift', buffered: true});
  const drawn = () => { seen.drawn = performance.now(); };
  const look = () => requestAnimationFrame(document.querySelector(selector) ? drawn : look);
  look();
})"""


class Server(NamedTuple):
    """A folder on loopback: where, and the bytes of each answer's body by path."""

    address: str
    sizes: dict[str, int]


@contextlib.contextmanager
def served(folder: Path, instead: dict[str, str] | None = None) -> Iterator[Server]:
    """Serves `folder`, gzipped. instead: texts that take the place of files, by path."""
    sizes: dict[str, int] = {}
    bodies = {name: gzip.compress(text.encode(), 9, mtime=0) for name, text in (instead or {}).items()}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.split("?")[0].lstrip("/")
            path = folder / name
            if ".." in name or not path.is_file():
                self.send_error(404)
                return
            packed = path.suffix in PACKED
            if name not in bodies:
                bodies[name] = path.read_bytes() if packed else gzip.compress(path.read_bytes(), 9, mtime=0)
            sizes[name] = len(bodies[name])
            self.send_response(200)
            self.send_header("Content-Type", mimetypes.guess_type(name)[0] or "application/octet-stream")
            self.send_header("Content-Length", str(len(bodies[name])))
            if not packed:
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            self.wfile.write(bodies[name])

        def log_message(self, *_):
            pass

    with serving(Handler) as address:
        yield Server(f"{address}/", sizes)


def usual_pages(folder: Path) -> None:
    """one.html: the frontier chart by to_html. all.html: the same with the series of every machine, all but the
    first hidden.
    """
    import plotly.graph_objects as go

    from scripts.figures import frontier_chart
    from scripts.figures.catalogue import CHARTS
    from scripts.figures.display_frontier import FLOOR
    from scripts.findings import machines

    figure = CHARTS["frontier_gpu"].draw().figure
    (folder / "one.html").write_text(figure.to_html(), encoding="utf-8")
    every = go.Figure(figure)
    for key, table in machines.main_tables().items():
        known = table[table.top1.notna()]
        canvas = frontier_chart.draw(frontier_chart.visible(known, FLOOR), machines.name_of(key), "", "")
        every.add_traces([trace.update(visible=False) for trace in canvas.figure.data])
    (folder / "all.html").write_text(every.to_html(), encoding="utf-8")


def throttle(tab) -> None:
    """Give a tab of Chromium the slow line and the slow processor."""
    line = tab.context.new_cdp_session(tab)
    line.send("Network.enable")
    line.send("Network.emulateNetworkConditions", LINE)
    line.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})


def visit(browser, server: Server, page: str, selector: str, throttled: bool = False) -> dict:
    """Open `page` once: milliseconds to the chart (`drawn`) and to the first text (`readable`), `shift`, and the
    `bytes` served until then.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    tab.set_default_timeout(120_000)
    tab.add_init_script(f"{WATCH}({selector!r})")
    if throttled:
        throttle(tab)
    asked: list[str] = []
    tab.on("requestfinished", lambda request: asked.append(request.url.removeprefix(server.address).split("?")[0]))
    tab.goto(server.address + page, wait_until="commit")
    tab.wait_for_function("document.readyState !== 'loading'")
    tab.evaluate(
        "document.querySelector('.chart, .plotly-graph-div')?.scrollIntoView({block: 'center', behavior: 'instant'})"
    )
    tab.wait_for_function("window.seen && seen.drawn")
    seen = tab.evaluate(
        "({...seen, readable: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null})"
    )
    until = list(dict.fromkeys(asked))
    context.close()
    return {**seen, "bytes": sum(server.sizes.get(name, 0) for name in until), "files": until}


@cli
def main(arguments: list[str] | None = None) -> None:
    parser = parser_of("scripts.perf.site", __doc__, "python -m scripts.perf.site --turns 9")
    parser.add_argument("--turns", type=int, default=5, metavar="N", help="visits of each page (default 5)")
    parser.add_argument("--site", type=Path, default=SITE, metavar="DIR", help="the built site (default: _site)")
    options = parser.parse_args(arguments)
    if options.turns < 1:
        raise UserError(f"--turns {options.turns}: at least 1 is needed")
    page = options.site / "index.html"
    if not page.is_file() or "data-explore" not in page.read_text(encoding="utf-8"):
        raise UserError(f"{page}: no home page with a frontier chart whose data are there; run `make data site`")
    from scripts.common.browser import browser, version, window

    path = browser()
    with tempfile.TemporaryDirectory() as folder:
        usual_pages(Path(folder))
        with served(options.site) as ours, served(Path(folder)) as theirs, window(path) as chrome:
            one = visit(chrome, theirs, "one.html", THEIRS)
            visits: dict[str, list[dict]] = {"ours": [], "theirs": []}
            for _ in range(options.turns):
                visits["ours"].append(visit(chrome, ours, "index.html", OURS))
                visits["theirs"].append(visit(chrome, theirs, "all.html", THEIRS))
            slow = [visit(chrome, ours, "index.html", OURS, throttled=True) for _ in range(min(3, options.turns))]
    size = statistics.median(turn["bytes"] for turn in visits["ours"])
    times = {side: [turn["drawn"] for turn in turns] for side, turns in visits.items()}
    ratio = statistics.median(a / b for a, b in zip(times["ours"], times["theirs"]))
    print(f"{version(path)} on {platform.machine()}, {options.turns} turns")
    sizes = f"{size / 1000:.0f} kB over {one['bytes'] / 1000:.0f} kB, gzipped"
    report("bytes to the chart", size / one["bytes"], BYTES, sizes)
    took = [f"{statistics.median(each):.0f} ms ({min(each):.0f} to {max(each):.0f})" for each in times.values()]
    report("time to the chart", ratio, TIME, " over ".join(took))
    print(f"throttled to 1.6 Mbit/s, {LINE['latency']} ms, a {SLOWER}th of the processor; medians of {len(slow)}:")
    for words, key, target in (("text readable", "readable", READABLE_S), ("chart drawn", "drawn", DRAWN_S)):
        report(words, statistics.median(turn[key] or float("inf") for turn in slow) / 1000, target, "s")
    report("layout shift", statistics.median(turn["shift"] for turn in slow), SHIFT, "")


def report(what: str, value: float, target: float, detail: str) -> None:
    print(f"{what}: {value:.3f} {detail}, target at most {target:g}: {verdict(value <= target)}")


if __name__ == "__main__":
    sys.exit(main())
