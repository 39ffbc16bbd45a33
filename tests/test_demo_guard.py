"""What stands before the web app: who may ask, how much may lie on the disk, and when a photo goes."""

import asyncio
import json
import os
import time

import pytest

from scripts.demo.guard import HEADERS, Guard, Store, foreign
from scripts.demo.limits import MAX_BYTES

OWN = "http://127.0.0.1:7860"


def scope(method="POST", path="/gradio_api/upload", kind="http", **headers):
    headers = {"host": "127.0.0.1:7860", "content-length": "10", **headers}
    lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": kind,
        "method": method,
        "path": path,
        "headers": lines,
        "scheme": "ws" if kind != "http" else "http",
    }


async def whole(scope, receive, send):
    """An app that reads the whole request and says how long it was."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(len(body)).encode()})


def asked(scope, store, body=b"0123456789", app=whole):
    """(status, headers, body) of the answer to a request that comes in two pieces."""
    pieces = [
        {"type": "http.request", "body": body[:5], "more_body": True},
        {"type": "http.request", "body": body[5:], "more_body": False},
    ]
    sent = []

    async def receive():
        return pieces.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(Guard(app, store)(scope, receive, send))
    if sent[0]["type"] == "websocket.close":
        return sent[0]["code"], {}, b""
    names = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], names, b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},  # another port of this machine
        {"sec_fetch_site": "nonsense"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "https://127.0.0.1:7860"},
        {"origin": "https://evil.example", "sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"},
    ],
    ids=str,
)
def test_what_comes_from_another_page_is_refused(tmp_path, headers):
    store = Store(tmp_path)
    assert asked(scope(**headers), store)[0] == 403
    assert asked(scope("GET", "/gradio_api/file=x", **headers), store)[0] == 403
    assert asked(scope(kind="websocket", **headers), store)[0] == 1008


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "same-origin", "origin": OWN},
        {"origin": OWN},
        {"host": "localhost:7860", "origin": "http://localhost:7860"},
    ],
    ids=str,
)
def test_the_own_page_and_programs_of_this_machine_are_answered(tmp_path, headers):
    status, names, body = asked(scope(**headers), Store(tmp_path))
    assert (status, body) == (200, b"10")
    assert all(names[name.lower()] == value for name, value in HEADERS.items())


def test_a_link_from_elsewhere_leads_to_the_first_page_alone():
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    headers = {name.replace("_", "-"): value for name, value in link.items()}
    assert not foreign(scope("GET", "/"), headers)
    assert foreign(scope("GET", "/gradio_api/file=x"), headers) and foreign(scope("POST", "/"), headers)
    assert foreign(scope("GET", "/"), {**headers, "sec-fetch-dest": "iframe"})


@pytest.mark.parametrize(
    "size, path, status",
    [
        ("", "/gradio_api/upload", 411),
        ("-1", "/gradio_api/upload", 411),
        ("1e3", "/gradio_api/upload", 411),
        ("²", "/gradio_api/upload", 411),
        ("9" * 400, "/gradio_api/upload", 411),
        (str(MAX_BYTES + 10**6), "/gradio_api/upload", 413),
        (str(2**21), "/gradio_api/queue/join", 413),
    ],
)
def test_a_request_says_its_length_and_keeps_to_the_limit(tmp_path, size, path, status):
    with_length = scope(path=path)
    with_length["headers"] = [(b"host", b"127.0.0.1:7860"), (b"content-length", size.encode("latin-1"))]
    assert asked(with_length, Store(tmp_path))[0] == status


def test_no_more_than_the_total_lies_on_the_disk(tmp_path):
    store = Store(tmp_path, total=25)
    (tmp_path / "example.jpg").write_bytes(b"x" * 100)
    store.keep()

    async def keeping(scope, receive, send):
        (tmp_path / str(time.time_ns())).write_bytes(b"0123456789")
        await whole(scope, receive, send)

    assert [asked(scope(), store, app=keeping)[0] for _ in range(4)] == [200, 200, 503, 503]
    assert store.coming == 0
    waiting, forgotten = sorted(path for path in tmp_path.iterdir() if path.name != "example.jpg")
    store.ask(str(waiting))
    for path in (waiting, forgotten):
        os.utime(path, (1, 1))
    assert asked(scope(), store, app=keeping)[0] == 200  # what nobody asked about made room
    assert waiting.exists() and not forgotten.exists() and (tmp_path / "example.jpg").exists()


def test_uploads_on_their_way_count(tmp_path):
    store = Store(tmp_path, total=25)
    assert [store.take(10) for _ in range(3)] == [True, True, False]
    store.arrived(10)
    assert store.take(10)


def gone(path, seconds=10):
    deadline = time.monotonic() + seconds
    while path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return not path.exists()


def test_a_photo_goes_when_its_last_answer_is_given(tmp_path):
    store, photo = Store(tmp_path, grace=0.1), tmp_path / "hash" / "photo.jpg"
    photo.parent.mkdir()
    photo.write_bytes(b"x")
    body = json.dumps({"data": [{"path": str(photo)}, None, "x", 3]}).encode()
    for _ in range(2):
        assert asked(scope(path="/gradio_api/queue/join"), store, body)[2] == str(len(body)).encode()
    store.answered(str(photo))
    time.sleep(0.5)
    assert photo.exists()  # another answer about it is to come
    store.answered(str(photo))
    assert gone(photo) and not store.asked


def test_nothing_but_photos_that_were_brought_goes(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    example, other = home / "example.jpg", tmp_path / "mine.jpg"
    for path in (example, other):
        path.write_bytes(b"x")
    store = Store(home, grace=0.05)
    store.keep()
    for path in (example, other, home / "none.jpg", home / ".." / "mine.jpg"):
        store.ask(str(path))
        store.answered(str(path))
    time.sleep(0.5)
    assert example.exists() and other.exists()


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"data": 3}', b"[" * 10**5, b'{"data": [{"path": 3}]}'])
def test_a_strange_request_reaches_the_app_whole(tmp_path, body):
    store = Store(tmp_path)
    assert asked(scope(path="/gradio_api/queue/join"), store, body)[2] == str(len(body)).encode()
    assert not store.asked
