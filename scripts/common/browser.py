"""Turn Plotly figures into pictures with one Chrome that cannot hang, linger or draw in the wrong typeface.

Why: kaleido needs 3-5 s per figure when each call starts its own browser, waits for ever when Chrome hangs, and leaves
Chrome behind when it is killed. So one worker process drives one browser for all figures. Worker and browser share a
process group, which is killed when a figure takes too long, when we are interrupted, and (the worker listens for our
end on its stdin) when we are killed.

    for name, picture in draw({"chart": figure_dict}):   # bytes, as they are finished
    python -m scripts.common.browser                    # which browser would be used, and which font it would draw
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from scripts.common.errors import UserError, cli, disk_error
from scripts.common.paths import BUILD, atomic_write
from scripts.common.temporary import remove, short_place, temporary_folder

CODE = Path(__file__).resolve().parents[2]
FONT = "Source Sans Pro"
START_LIMIT = 60.0  # seconds from the start of the browser to the first picture; 2-4 s on two idle cores
FIGURE_LIMIT = 45.0  # seconds for each further picture; 0.3-1 s on two idle cores
# Chrome asks its maker's servers for this and that as it starts; a chart and a page of ours are all there.
ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"
REMEDY = "name a working Chrome or Chromium with BROWSER_PATH, or run `make setup`"


def browser() -> str:
    """Path of the Chrome or Chromium to draw with: BROWSER_PATH, then what plotly_get_chrome installed, PATH, the usual
    places.

    Raises UserError when there is none, or when BROWSER_PATH does not name a program.
    """
    named = os.environ.get("BROWSER_PATH")
    if named:
        found = shutil.which(named)
        if not found:
            raise UserError(f"BROWSER_PATH names {named}, which is not a program; {REMEDY}")
        return found
    from choreographer.browsers.chromium import Chromium

    found = Chromium.find_browser(skip_local=False)
    if not found:
        raise UserError(f"no Chrome or Chromium on this machine, and charts are drawn with one; {REMEDY}")
    return str(found)


def version(path: str, limit: float = 20.0) -> str:
    """Name and version of the browser at `path`: 'Chromium 156.0.8078.79'. Raises UserError where it tells none."""
    process = subprocess.Popen(
        [path, "--version"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        out, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        raise UserError(f"{path} did not answer --version within {limit:.0f} s and was ended; {REMEDY}") from None
    finally:
        _end(process)
    found = re.search(r"([A-Z][\w ]*?) (\d+(?:\.\d+)+)", out)
    if process.returncode or not found:
        raise UserError(f"{path} --version ended with {process.returncode} and does not look like a Chrome; {REMEDY}")
    return f"{found[1]} {found[2]}"


def _places(folder: Path) -> dict[str, str]:
    """Environment in which Chrome leaves nothing in the user's home: there it puts an identifier for crash reports."""
    return dict.fromkeys(("BREAKPAD_DUMP_LOCATION", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), str(folder))


@contextlib.contextmanager
def window(path: str = "", **settings) -> Iterator:
    """A headless Chrome for looking at pages: playwright's Browser, closed at the end. path: as from `browser`;
    settings: as playwright's `launch` takes them.

    Raises UserError where there is none, or it does not start.
    """
    from playwright.sync_api import Error, sync_playwright

    path = path or browser()
    with temporary_folder("browser", short_place()) as folder, sync_playwright() as playwright:
        settings["env"] = {**(settings.get("env") or os.environ), **_places(folder)}
        try:
            chrome = playwright.chromium.launch(
                executable_path=path, args=["--no-sandbox", "--disable-background-networking", ALONE], **settings
            )
        except Error as error:
            raise UserError(f"{path} did not start ({str(error).splitlines()[0][:160]}); {REMEDY}") from None
        try:
            yield chrome
        finally:
            chrome.close()


def font_files() -> dict[str, Path]:
    """The project's typeface as TTF files by style: Regular, It, Semibold, Bold, …"""
    import font_source_sans_pro

    folder = Path(font_source_sans_pro.font_directory)
    return {path.stem.split("-")[1]: path for path in sorted(folder.glob("SourceSansPro-*.ttf"))}


def font_config() -> Path:
    """A fontconfig file in build/ that adds the project's typeface to the system's fonts; Chrome on Linux reads
    FONTCONFIG_FILE.

    The package holds each style as TTF and as OTF; the OTFs are turned away so that it is always the same file that
    draws.
    """
    system = os.environ.get("FONTCONFIG_FILE") or "/etc/fonts/fonts.conf"
    folder = next(iter(font_files().values())).parent
    target = BUILD / "fonts.conf"
    text = f"""<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir>{escape(str(folder))}</dir>
  <selectfont><rejectfont><glob>{escape(str(folder))}/*.otf</glob></rejectfont></selectfont>
  <cachedir>{escape(str(BUILD / "font-cache"))}</cachedir>
  <include ignore_missing="yes">{escape(system)}</include>
</fontconfig>
"""
    if system != str(target) and not (target.exists() and target.read_text(encoding="utf-8") == text):
        BUILD.mkdir(parents=True, exist_ok=True)
        atomic_write(target, text)
    return target


def draw(
    figures: Mapping[str, dict],
    path: str | None = None,
    image: str = "jpg",
    start_limit: float = START_LIMIT,
    figure_limit: float = FIGURE_LIMIT,
) -> Iterator[tuple[str, bytes]]:
    """Draw `figures` (name -> Plotly figure as a dict with layout.width and height; `layout.meta.scale` = pixels per
    unit, default 1).

    Yields (name, bytes of a jpg, png or svg) as each is finished, in order. Raises UserError when Chrome is missing,
    crashes, or takes longer than `start_limit` seconds to the first picture or `figure_limit` to a further one; no
    process is left behind then.
    """
    if not figures:
        return
    path = path or browser()
    with temporary_folder("charts", short_place()) as folder, contextlib.ExitStack() as ending:
        jobs = [{"name": name, "figure": figure} for name, figure in figures.items()]
        (folder / "jobs.json").write_text(json.dumps({"browser": path, "image": image, "jobs": jobs}), encoding="utf-8")
        environment = {
            **os.environ,
            "FONTCONFIG_FILE": str(font_config()),
            "TMPDIR": str(folder),
            "PYTHONPATH": str(CODE),
            **_places(folder / "home"),
        }
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "scripts.common.browser", "--work", str(folder)],
                cwd=CODE,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        ending.callback(_end, process)
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
        limit = start_limit
        for name in figures:
            try:
                answer = json.loads(lines.get(timeout=limit) or "{}")
            except queue.Empty:
                raise UserError(
                    f"{path} hung while drawing {name} and was ended after {limit:.0f} s; the other pictures are "
                    "unharmed; run it again, or " + REMEDY
                ) from None
            if answer.get("name") != name:
                raise UserError(
                    f"{path} {_last_words(answer, folder / 'log')} while drawing {name}; the other pictures are "
                    f"unharmed; {REMEDY}"
                )
            if "errno" in answer:
                raise disk_error(OSError(answer["errno"], os.strerror(answer["errno"])), folder)
            if "error" in answer:
                raise RuntimeError(f"chart {name} cannot be drawn: {answer['error']}")
            yield name, (folder / answer["file"]).read_bytes()
            limit = figure_limit


def _read(stream, lines: queue.Queue) -> None:
    """Pass on the worker's answers, then an empty one: it has ended."""
    for line in stream:
        if line.startswith(b"{"):
            lines.put(line.decode(errors="replace"))
    lines.put("")


def _last_words(answer: dict, log: Path) -> str:
    if answer.get("crash"):
        return f"crashed or did not start ({answer['crash'][:160]})"
    words = log.read_text(encoding="utf-8", errors="replace").split("\n")
    said = next((line.strip() for line in reversed(words) if line.strip()), "it said nothing")
    return f"ended ({said[:160]})"


def _end(process: subprocess.Popen) -> None:
    """Kill the process and all of its group, also when the process itself has already gone, and reap it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # PermissionError: macOS, when only zombies are left
        pass
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()


def _work(folder: Path) -> int:
    """The worker: draw the jobs of `folder`, writing one JSON line per picture to stdout."""
    from choreographer.browsers.chromium import Chromium
    from kaleido import Kaleido

    class InOurGroup(Chromium):
        """choreographer gives the browser a session of its own, where our kill could not reach it."""

        def get_popen_args(self):
            return {**super().get_popen_args(), "start_new_session": False}

        def get_cli(self):
            return [*super().get_cli(), "--disable-background-networking", ALONE]

    def end_with_parent() -> None:
        os.read(0, 1)  # returns when the other end closes: our parent is gone, and cannot clean up any more
        group = os.getpgrp()
        if os.fork() == 0:  # the child leaves the group and outlives it: Chrome makes its folders again until it ends
            try:
                os.setsid()
                os.killpg(group, signal.SIGKILL)
                remove(folder)
            finally:
                os._exit(0)

    threading.Thread(target=end_with_parent, daemon=True).start()
    todo = json.loads((folder / "jobs.json").read_text(encoding="utf-8"))

    async def work() -> None:
        # mathjax would come from a CDN; how long it may take is for the process that waits to say
        async with Kaleido(path=todo["browser"], mathjax=False, timeout=None, browser_cls=InOurGroup) as kaleido:
            for number, job in enumerate(todo["jobs"]):
                layout = job["figure"]["layout"]
                opts = {
                    "format": todo["image"],
                    "width": layout["width"],
                    "height": layout["height"],
                    "scale": (layout.get("meta") or {}).get("scale", 1),
                }
                answer = {"name": job["name"], "file": str(number)}
                try:
                    drawn = await kaleido.calc_fig(job["figure"], opts=opts)
                except Exception as error:
                    # The pipe to a browser that has gone breaks as an OSError, choreographer's own among them.
                    if isinstance(error, OSError) or "rowser" in type(error).__name__:
                        raise
                    answer["error"] = f"{type(error).__name__}: {error}"
                else:
                    try:
                        (folder / str(number)).write_bytes(drawn)
                    except OSError as error:
                        answer["errno"] = error.errno
                print(json.dumps(answer), flush=True)

    try:
        asyncio.run(work())
    except Exception as error:
        print(json.dumps({"crash": " ".join(f"{type(error).__name__}: {error}".split())}), flush=True)
        return 1
    return 0


@cli
def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["--work"]:
        return _work(Path(arguments[1]))
    path = browser()
    print(f"{path}: {version(path)}; draws {FONT} from {font_files()['Regular'].parent}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
