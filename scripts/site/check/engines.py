"""One small browser interface over three engines: Chromium, Firefox and WebKit, each driven by what a machine has.

Chromium, and Playwright's own Firefox and WebKit, by Playwright. Debian's firefox-esr by WebDriver BiDi (a WebSocket),
its webkit2gtk-driver by WebDriver (HTTP) on a virtual screen (Xvfb). An engine opens a page in a window of a size,
evaluates JavaScript, and takes clicks, keys and pictures; what goes wrong on a page, the page itself keeps
(`window.wrongs`, see interactions.py).
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from scripts.common.errors import UserError
from scripts.demo.serving import free_port

NAMES = ("chromium", "firefox", "webkit")
START_S, ANSWER_S = 60, 60
# WebDriver's signs for keys that are no letters
KEYS = {
    **{"Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c", "End": "\ue010", "Home": "\ue011"},
    **{"ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015"},
}


class Playwrights:
    """An engine that Playwright drives."""

    def __init__(self, browser):
        self._browser, self._page = browser, None

    def open(self, address: str, width: int, height: int) -> None:
        if self._page is None:
            self._page = self._browser.new_context(viewport={"width": width, "height": height}).new_page()
        self._page.set_viewport_size({"width": width, "height": height})
        self._page.goto(address, wait_until="load")

    def js(self, expression: str):
        return self._page.evaluate(f"() => ({expression})")

    def click(self, x: float, y: float) -> None:
        self._page.mouse.click(x, y)

    def press(self, *keys: str) -> None:
        for key in keys:
            self._page.keyboard.press(key)

    def picture(self) -> bytes:
        return self._page.screenshot()


class _Actions:
    """Clicks and keys as WebDriver's actions, which BiDi takes alike."""

    def _perform(self, actions: list[dict]) -> None:
        raise NotImplementedError

    def click(self, x: float, y: float) -> None:
        steps = [{"type": "pointerMove", "x": round(x), "y": round(y)}]
        steps += [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self._perform([{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps}])

    def press(self, *keys: str) -> None:
        steps = [{"type": kind, "value": KEYS.get(key, key)} for key in keys for kind in ("keyDown", "keyUp")]
        self._perform([{"type": "key", "id": "keys", "actions": steps}])


class Bidi(_Actions):
    """Firefox by WebDriver BiDi over the WebSocket `socket`."""

    def __init__(self, socket):
        self._socket, self._number = socket, 0
        self._ask("session.new", capabilities={})
        self._context = self._ask("browsingContext.getTree")["contexts"][0]["context"]

    def _ask(self, method: str, **parameters) -> dict:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=ANSWER_S))
            if answer.get("id") == self._number:
                if answer.get("type") == "error":
                    raise UserError(f"firefox: {method}: {answer.get('message', '')[:200]}")
                return answer["result"]

    def open(self, address: str, width: int, height: int) -> None:
        size = {"width": width, "height": height}
        self._ask("browsingContext.setViewport", context=self._context, viewport=size)
        self._ask("browsingContext.navigate", context=self._context, url=address, wait="complete")

    def js(self, expression: str):
        said = self._ask(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({expression})) ?? 'null')()",
            target={"context": self._context},
            awaitPromise=True,
        )
        if said["type"] != "success":
            raise UserError(f"firefox: {said['exceptionDetails']['text'][:200]}")
        return json.loads(said["result"]["value"])

    def _perform(self, actions: list[dict]) -> None:
        self._ask("input.performActions", context=self._context, actions=actions)

    def picture(self) -> bytes:
        return base64.b64decode(self._ask("browsingContext.captureScreenshot", context=self._context)["data"])


class WebDriver(_Actions):
    """WebKit by WebDriver at the address of its driver."""

    def __init__(self, driver: str, options: dict):
        self._base = f"{driver}/session"
        made = self._call("POST", "", {"capabilities": {"alwaysMatch": options}})
        self._base += f"/{made['sessionId']}"

    def _call(self, method: str, path: str, body: dict | None = None):
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(self._base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise UserError(f"webkit: {path}: {json.load(error)['value'].get('message', '')[:200]}") from None

    def open(self, address: str, width: int, height: int) -> None:
        self._call("POST", "/window/rect", {"width": width, "height": height})
        self._call("POST", "/url", {"url": address})
        outer = self.js("[innerWidth, innerHeight]")  # the window has a frame of its own
        if outer != [width, height]:
            self._call("POST", "/window/rect", {"width": 2 * width - outer[0], "height": 2 * height - outer[1]})

    def js(self, expression: str):
        return self._call("POST", "/execute/sync", {"script": f"return ({expression})", "args": []})

    def _perform(self, actions: list[dict]) -> None:
        self._call("POST", "/actions", {"actions": actions})

    def picture(self) -> bytes:
        return base64.b64decode(self._call("GET", "/screenshot"))

    def close(self) -> None:
        self._call("DELETE", "")


@contextlib.contextmanager
def engine(name: str) -> Iterator[Playwrights | Bidi | WebDriver]:
    """The engine `name`. Raises UserError where this machine has none."""
    with contextlib.ExitStack() as stack:
        drivers = {"firefox": _firefox, "webkit": _webkit}
        found = _playwrights(name, stack) or (drivers[name](stack) if name in drivers else None)
        if not found:
            raise UserError(f"{name}: not on this machine; `make engines` installs Playwright's")
        yield found


def _playwrights(name: str, stack: contextlib.ExitStack) -> Playwrights | None:
    from playwright.sync_api import Error, sync_playwright

    from scripts.common.browser import browser, window

    if name == "chromium":
        return Playwrights(stack.enter_context(window(browser())))
    playwright = stack.enter_context(sync_playwright())
    try:
        own = getattr(playwright, name)
        there = Path(own.executable_path).exists()
        return Playwrights(stack.enter_context(contextlib.closing(own.launch()))) if there else None
    except Error:
        return None


def _firefox(stack: contextlib.ExitStack) -> Bidi | None:
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if not program:
        return None
    from websockets.sync.client import connect

    profile = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
    arguments = ["--headless", "--remote-debugging-port=0", "--no-remote", "--profile", profile, "about:blank"]
    process = _started(stack, [program, *arguments], stderr=subprocess.PIPE)
    address = next((found[0] for line in process.stderr if (found := re.search(r"ws://[\w.:]+", line))), "")
    return Bidi(stack.enter_context(connect(f"{address}/session", max_size=None, open_timeout=START_S)))


def _webkit(stack: contextlib.ExitStack) -> WebDriver | None:
    driver, screen = shutil.which("WebKitWebDriver"), shutil.which("Xvfb")
    shells = sorted(Path("/usr/lib").glob("*/webkit2gtk-4*/MiniBrowser"))
    if not (driver and screen and shells):
        return None
    size = ["-screen", "0", "2000x1400x24", "-nolisten", "tcp"]
    shown = _started(stack, [screen, "-displayfd", "1", *size], stdout=subprocess.PIPE)
    port = free_port()
    # as root there is no sandbox for WebKit; it sees only this site, on loopback
    own = {"DISPLAY": f":{shown.stdout.readline().strip()}", "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1"}
    _started(stack, [driver, f"--port={port}"], env={**os.environ, **own})
    options = {"webkitgtk:browserOptions": {"binary": str(shells[-1]), "args": ["--automation"]}}
    for _ in range(START_S):
        try:
            return stack.enter_context(contextlib.closing(WebDriver(f"http://127.0.0.1:{port}", options)))
        except OSError:
            time.sleep(1)
    return None


def _started(stack: contextlib.ExitStack, command: list[str], **settings) -> subprocess.Popen:
    settings = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **settings}
    process = subprocess.Popen(command, encoding="utf-8", errors="replace", **settings)

    def end() -> None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()

    stack.callback(end)
    return process
