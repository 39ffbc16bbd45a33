"""What stands before the web app: requests of its own page alone, and no more on the disk than a limit.

A page from elsewhere that is open in the same browser could send requests here without reading the answers. Browsers
say where a request comes from (`Origin`, `Sec-Fetch-Site`); what comes from elsewhere is refused, but for a link to the
first page. What says nothing is no browser: programs of this machine may ask.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from pathlib import Path

from scripts.demo.limits import GRACE_SECONDS, MAX_BYTES, TOTAL_BYTES

HEADERS = {
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'none'; "
    "form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
MAX_REQUEST = 2**20  # bytes of anything but an upload
FORM = 2**16  # bytes of an upload beside the photo
UNASKED_SECONDS = 60  # where room is needed, photos that nobody asked about go after this


class Store:
    """The files that were brought, in the folder `home`: how much room is left, and which go when. Threads share it."""

    def __init__(self, home: Path, total: int = TOTAL_BYTES, grace: float = GRACE_SECONDS):
        self.home, self.total, self.grace = home.resolve(), total, grace
        self.kept: set[Path] = set()  # the examples
        self.asked: Counter[str] = Counter()  # path -> how many answers are still to come
        self.coming = 0  # bytes of uploads that are on their way
        self.lock = threading.Lock()

    def keep(self) -> None:
        """What is there now stays."""
        self.kept = {path for path, *_ in self._files()}

    def _files(self) -> list[tuple[Path, int, float]]:
        found = []
        for path in self.home.rglob("*"):
            try:
                if path.is_file() and path not in self.kept:
                    found.append((path, path.stat().st_size, path.stat().st_mtime))
            except OSError:  # gone meanwhile
                continue
        return found

    def take(self, size: int) -> bool:
        """Reserve room for an upload of `size` bytes; False where there is none."""
        with self.lock:
            files = sorted(self._files(), key=lambda file: file[2])
            taken = sum(size for _, size, _ in files) + self.coming
            for path, bytes_, changed in files:
                if taken + size <= self.total:
                    break
                if not self.asked[str(path)] and time.time() - changed > UNASKED_SECONDS:
                    path.unlink(missing_ok=True)
                    taken -= bytes_
            if taken + size > self.total:
                return False
            self.coming += size
            return True

    def arrived(self, size: int) -> None:
        """An upload is over: what is there of it is on the disk."""
        with self.lock:
            self.coming -= size

    def ask(self, path: str) -> None:
        """An answer about `path` is to come."""
        if path.startswith(f"{self.home}/") and len(path) < 4096:
            with self.lock:
                self.asked[path] += 1

    def answered(self, path: str) -> None:
        """One was given. After the last the file goes, once the browser has had time to show it."""
        with self.lock:
            self.asked[path] -= 1
            last = self.asked[path] <= 0
            if last:
                del self.asked[path]
        if last and Path(path).resolve().is_relative_to(self.home) and Path(path) not in self.kept:
            self._later(path)

    def _later(self, path: str) -> None:
        timer = threading.Timer(self.grace, self._forget, [path])
        timer.daemon = True
        timer.start()

    def _forget(self, path: str) -> None:
        with self.lock:
            if self.asked[path]:
                return  # its own answer lets it go
            try:
                young = time.time() - Path(path).stat().st_mtime < self.grace  # the same photo came again just now
            except OSError:
                return
            if not young:
                Path(path).unlink(missing_ok=True)
        if young:
            self._later(path)


class Guard:
    """Plain ASGI, so that streams keep flowing: refuses what is foreign or too much, adds HEADERS to each answer."""

    def __init__(self, app, store: Store):
        self.app, self.store = app, store

    async def __call__(self, scope, receive, send):
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}

        async def with_headers(message):
            if message["type"] == "http.response.start":
                added = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        if foreign(scope, headers):
            return await refuse(scope, with_headers, 403, "This app answers its own page only.")
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD", "OPTIONS"):
            return await self._write(scope, headers, receive, with_headers)
        return await self.app(scope, receive, with_headers)

    async def _write(self, scope, headers: dict, receive, send):
        upload = scope["path"].rstrip("/").endswith("/upload")
        size = headers.get("content-length", "")
        if not (size.isascii() and size.isdigit() and len(size) < 15):
            return await refuse(scope, send, 411, "A request has to say how long it is.")
        if int(size) > (MAX_BYTES + FORM if upload else MAX_REQUEST):
            return await refuse(scope, send, 413, f"At most {MAX_BYTES >> 20} MB are taken.")
        if upload:
            if not self.store.take(int(size)):
                return await refuse(scope, send, 503, "Too many photos are waiting. Try again in a minute.")
            try:
                return await self.app(scope, receive, send)
            finally:
                self.store.arrived(int(size))
        if scope["path"].rstrip("/").endswith("/queue/join"):
            receive = await self._joined(receive)
        return await self.app(scope, receive, send)

    async def _joined(self, receive):
        """Note which file an answer is asked for; returns what gives the same body again."""
        messages, body, more = [], b"", True
        while more:
            messages.append(message := await receive())
            body += message.get("body", b"")
            more = message["type"] == "http.request" and message.get("more_body", False)
        try:
            for value in json.loads(body)["data"]:
                if isinstance(value, dict) and isinstance(value.get("path"), str):
                    self.store.ask(value["path"])
        except (ValueError, KeyError, TypeError, RecursionError):
            pass  # the app says what is wrong with it

        async def again():
            return messages.pop(0) if messages else await receive()

        return again


def foreign(scope, headers: dict) -> bool:
    """Whether a request comes from a page of another origin, by what its browser says; a link to the first page may."""
    site, origin = headers.get("sec-fetch-site", "none"), headers.get("origin")
    link = (
        scope["type"] == "http"
        and scope["method"] == "GET"
        and scope["path"] in ("", "/")
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )
    if site not in ("same-origin", "none") and not link:
        return True
    scheme = {"ws": "http", "wss": "https"}.get(scope.get("scheme", "http"), scope.get("scheme", "http"))
    return origin is not None and origin != f"{scheme}://{headers.get('host', '')}"


async def refuse(scope, send, status: int, text: str):
    """Answer with a line of text."""
    if scope["type"] == "websocket":
        return await send({"type": "websocket.close", "code": 1008})
    content = text.encode()
    lines = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    return await send({"type": "http.response.body", "body": content})
