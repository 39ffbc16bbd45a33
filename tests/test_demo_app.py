"""The web app, started as a user starts it: limits, hostile requests, twenty people at once, and a real browser."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from scripts.common.errors import UserError
from scripts.common.paths import ROOT
from scripts.demo import app, serving
from scripts.pages import pets
from scripts.perf import demo as load_test
from scripts.perf.faults import hostile
from scripts.perf.faults.files import endless_gif, slow_photo, tiles
from scripts.train import exported
from tests.test_demo_predict import PHOTO, bomb, encoded, zipped
from tests.waiting import PATIENCE_S, alive, until

EAGER = ("--runtime", "eager")  # else each app looks for the fastest runtime, which takes seconds of all cores


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two exported networks that were never trained; the second has a name and classes that would be markup."""
    torch.manual_seed(0)
    home = tmp_path_factory.mktemp("models")
    for name, classes in (("pets", ("cat", "dog")), ("<b>two", ("<img src=x onerror=alert(1)>", "dog", "fish"))):
        config = exported.Config(
            "test_resnet",
            classes,
            96,
            (0.485, 0.456, 0.406),
            (0.229, 0.224, 0.225),
            builder="fastai",
            trained={"error_rate": {"test": 0.25}, "test_images": 1500},
        )
        exported.save(home / name, exported.build(config), config, onnx=False)
    return [home / "pets", home / "<b>two"]


@pytest.fixture(scope="module")
def disk(tmp_path_factory) -> Path:
    """Where the running app's temporary files lie."""
    return tmp_path_factory.mktemp("disk")


@pytest.fixture(scope="module")
def running(models, disk):
    """(process, address) of the running app."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(disk))
        process, address, _ = serving.start(models, *EAGER, wait=PATIENCE_S)
    yield process, address
    serving.stop(process)


@pytest.fixture(scope="module")
def served(running):
    return running[1]


@pytest.fixture(scope="module")
def client(served):
    import httpx

    with httpx.Client(base_url=served, trust_env=False, timeout=PATIENCE_S) as client:
        yield client


def test_a_photo_is_answered_by_every_model(served):
    answer = serving.ask(served, "photo.png", encoded(PHOTO))
    line, first, picture, second, _ = answer["data"]
    assert (
        answer["success"]
        and {item["label"] for item in first["confidences"]} == {"cat", "dog"}
        and len(second["confidences"]) == 3
    )
    assert "pets: " in line and " ms" in line and "&lt;b&gt;two" in line and "<b>two" not in line
    assert picture["url"].endswith(".jpeg") or picture["path"].endswith(".jpeg")


@pytest.mark.parametrize(
    "name, content, what",
    [
        ("note.txt", b"hello", "not an image"),
        ("photo.jpg", zipped(), "not an image"),
        ("photo.png", bomb(), "36 megapixels"),
        ("drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "no photo"),
        ("photo.jpg", b"", "empty file"),
        ("../../../../tmp/evil.jpg", b"hello", "not an image"),
        ("x" * 300 + ".jpg", b"hello", "not an image"),
    ],
)
def test_what_is_no_photo_gets_a_sentence(served, name, content, what):
    answer = serving.ask(served, name, content)
    assert answer["success"] and what in answer["data"][0] and 'role="alert"' in answer["data"][0]
    assert not any(answer["data"][1:])


@pytest.mark.parametrize(
    "payload",
    [
        {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
        {"path": "../../etc/passwd", "meta": {"_type": "gradio.FileData"}},
        {"path": str(ROOT / "README.md"), "meta": {"_type": "gradio.FileData"}},
        {"url": "data:image/png;base64,AAAA", "path": None, "meta": {"_type": "gradio.FileData"}},
        {"path": "/etc/passwd"},
        "text",
        [1],
        {"a": {"a": {}}},
    ],
)
def test_a_path_or_an_address_instead_of_a_file_is_refused(served, payload):
    answer = serving.ask(served, "x", None, payload)
    shown = str(answer["data"])
    assert "ms" not in shown and "root:" not in shown
    assert not answer["success"] or "cannot be read" in shown or "no photo" in shown


@pytest.mark.parametrize(
    "form", [{"path": "{}"}, {"path": "{}", "url": "{}"}, {"path": "x.png", "url": "{}"}, {"path": None, "url": "{}"}]
)
def test_an_address_is_never_fetched(served, form):
    import http.server
    import threading

    asked = []

    class Notes(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(encoded(PHOTO))

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Notes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/x.png"
    try:
        answer = serving.ask(
            served,
            "x",
            None,
            {
                **{name: value and value.format(address) for name, value in form.items()},
                "meta": {"_type": "gradio.FileData"},
            },
        )
    finally:
        server.shutdown()
    assert not asked and (not answer["success"] or 'role="alert"' in str(answer["data"]))


def test_a_file_that_is_too_large_is_refused(client):
    from scripts.demo.predict import MAX_BYTES

    assert client.post("/gradio_api/upload", files={"files": ("big.jpg", b"x" * (MAX_BYTES + 1000))}).status_code == 413
    assert client.post("/gradio_api/upload", files={"files": ("small.jpg", b"x" * 1000)}).status_code == 200


def test_it_talks_to_this_machine_only(served, client):
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400  # a name that was bent to 127.0.0.1
    assert client.get("/").status_code == 200
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'self'" in policy and "http" not in policy
    port = int(served.rpartition(":")[2])
    outside = next(
        (
            found[4][0]
            for found in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET)
            if not found[4][0].startswith("127.")
        ),
        "",
    )
    if outside:
        with socket.socket() as trial:
            trial.settimeout(2)
            assert trial.connect_ex((outside, port)) != 0


def test_nothing_is_told_to_anyone(client):
    config = client.get("/config").json()
    assert not config.get("analytics_enabled") and not config.get("share_url") and not config.get("is_space")


def test_the_files_of_this_machine_are_not_served(client):
    for path in (
        "/gradio_api/file=/etc/passwd",
        f"/gradio_api/file={ROOT}/README.md",
        "/gradio_api/file=../../etc/passwd",
        "/monitoring",
    ):
        assert client.get(path).status_code in (403, 404), path


def test_twenty_people_at_once_all_get_an_answer(served):
    answers = serving.load(served, encoded(PHOTO), users=20)
    assert len(answers) == 20 and [answer["error"] for answer in answers if not answer["success"]] == []


def test_what_was_measured_is_written_down_and_said_on_the_page(models, tmp_path, moved):
    from scripts.common import schema

    moved(DATA=tmp_path)
    assert pets.load_said() == ""
    load_test.write(
        {
            **load_test.about(models[0]),
            "start_seconds": 3.72,
            "photo_ms": 76.4,
            "photos": 10,
            "users": 20,
            "asked": 40,
            "answered": 39,
            "slowest_seconds": 1.7,
            "load_before": 0.1,
        },
        "auto",
    )
    said = pets.load_said()
    assert (
        "3.7 seconds" in said
        and "76 milliseconds" in said
        and "39 of 40" in said
        and "test_resnet at 96 pixels" in said
    )
    assert not schema.unknown(tmp_path)


def children(pid: int) -> list[int]:
    return [int(pid) for task in Path(f"/proc/{pid}/task").iterdir() for pid in (task / "children").read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
def test_a_crash_over_one_photo_is_a_sentence_and_the_next_is_answered(running):
    process, address = running
    for child in children(process.pid):
        os.kill(child, 9)
    assert "started again" in serving.ask(address, "photo.png", encoded(PHOTO))["data"][0]
    again = serving.ask(address, "photo.png", encoded(PHOTO))
    assert again["success"] and " ms" in again["data"][0]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
def test_nothing_stays_behind_when_the_app_is_killed(models):
    process, _, _ = serving.start(models[:1], *EAGER, wait=PATIENCE_S)
    left = children(process.pid)
    assert left
    process.kill()
    process.wait()
    until(lambda: not any(map(alive, left)), "the models' process ends")


def test_a_damaged_model_is_one_line_before_anything_is_served(models, tmp_path):
    shutil.copytree(models[0], tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").write_bytes(b"x")
    done = subprocess.run(
        [sys.executable, "-m", "scripts.demo.app", str(tmp_path / "model"), "--port", str(serving.free_port())],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "checksum" in done.stderr


def test_a_taken_port_is_said_before_anything_is_loaded(models, served):
    port = served.rpartition(":")[2]
    with pytest.raises(UserError, match=f"port {port} is taken; choose another with --port"):
        app.launch([models[0]], int(port))


@pytest.mark.parametrize("port", [0, -1, 70000])
def test_a_port_that_is_none_is_one_line(port):
    with pytest.raises(UserError, match="from 1 to 65535"):
        app.check_port(port)


def test_without_models_it_says_how_to_make_one(tmp_path, monkeypatch):
    monkeypatch.setattr(app, "ROOT", tmp_path)
    with pytest.raises(UserError, match="make train"):
        app.find_models()


def test_the_model_of_digits_is_served_only_where_it_is_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(app, "ROOT", tmp_path)
    for name in ("digits", "pets"):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "SHA256SUMS").touch()
        assert [folder.name for folder in app.find_models()] == [name]


def test_nothing_is_written_beside_the_code(served):
    assert not list((ROOT / "scripts").rglob("*.pyi"))


def started(model, tmp_path, *more, **options):
    """(process, address) of an app of its own, whose temporary files lie in `tmp_path`. more: arguments."""
    port = serving.free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.demo.app", str(model), "--port", str(port), *more],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        **options,
    )
    return process, f"http://127.0.0.1:{port}"


def test_it_ends_when_told_and_leaves_nothing(models, tmp_path):
    """Also where a shell in the background started it, with Ctrl-C switched off; what it printed meanwhile holds no
    control characters.
    """
    ignore = lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)
    process, address = started(models[0], tmp_path, preexec_fn=ignore)
    try:
        assert "Ctrl-C ends it" in process.stdout.readline()
        left = children(process.pid) if Path("/proc/self/task").exists() else []
        odd = {"path": "/tmp/\x1b[31m\x07x", "meta": {"_type": "gradio.FileData"}}
        serving.ask(address, "x", None, odd)
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert "\x1b" not in printed + said and "\x07" not in printed + said
    assert not list(tmp_path.iterdir())
    assert all_gone(left)


def all_gone(processes: list[int], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while any(map(alive, processes)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not any(map(alive, processes))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_it_ends_with_photos_in_the_queue_and_starts_nothing_again(models, tmp_path):
    process, address = started(models[0], tmp_path, *EAGER)
    try:
        assert "Ctrl-C ends it" in process.stdout.readline()
        slow = made("scans.jpg")
        with ThreadPoolExecutor(6) as pool:
            for number in range(6):
                pool.submit(serving.ask, address, f"{number}.jpg", slow)
            time.sleep(1)
            left = children(process.pid) if Path("/proc/self/task").exists() else []
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0 and "Bad file descriptor" not in said and "Traceback" not in said
    assert not list(tmp_path.iterdir()) and all_gone(left)


# --- pictures that hold up others -------------------------------------------------------------------------------------
HOSTILE = {"scans.jpg": slow_photo, "tiles.tif": tiles, "frames.gif": endless_gif, "bomb.png": bomb}


@functools.cache
def made(name: str) -> bytes:
    return HOSTILE[name]()[: 14 * 2**20]


@pytest.mark.parametrize("name", HOSTILE)
def test_an_honest_photo_does_not_wait_for_a_hostile_one(served, name):
    """By the order of the answers, which holds on a busy machine, too, where both are read side by side."""
    content = made(name)
    with ThreadPoolExecutor(2) as pool:
        hostile = pool.submit(serving.ask, served, name, content)
        time.sleep(0.3)
        answer = serving.ask(served, f"honest-{name}.png", encoded(PHOTO))
        assert answer["success"] and " ms" in answer["data"][0]
        assert hostile.result()["success"]
    again = serving.ask(served, f"again-{name}.png", encoded(PHOTO))
    assert again["success"] and " ms" in again["data"][0]


def test_a_photo_that_was_answered_goes_from_the_disk(served, disk):
    for number in range(3):
        assert serving.ask(served, f"mine-{number}.png", encoded(PHOTO))["success"]
    until(lambda: not list(disk.rglob("mine-*")), "the photos go")


def test_on_a_full_disk_it_goes_on(models, other_disk):
    process, address = started(models[0], other_disk, *EAGER)
    try:
        assert "Ctrl-C ends it" in process.stdout.readline()
        filler = other_disk / "filler"
        filler.write_bytes(b"x" * shutil.disk_usage(other_disk).free)
        answer = hostile.brought(address, "mine.png", encoded(PHOTO))
        assert not hostile.answered(answer) and answer["seconds"] < PATIENCE_S
        filler.unlink()
        assert hostile.answered(hostile.brought(address, "mine.png", encoded(PHOTO)))
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        process.kill()
    assert process.returncode == 0 and not list(other_disk.iterdir()), said


# --- in a real browser ------------------------------------------------------------------------------------------------


@pytest.fixture
def page(browser, served):
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    page = context.new_page()
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail("markup was run"))
    page.goto(served)
    page.wait_for_selector("#photo input[type=file]", state="attached")
    yield page
    context.close()


FOREIGN = """<!doctype html><title>elsewhere</title><form id=f method=post enctype=multipart/form-data target=t
  action="APP/gradio_api/upload"><input name=files value=x></form><iframe name=t id=t></iframe><script>
window.told = [];
const tell = (name) => (answer) => told.push([name, String(answer && (answer.status ?? answer.type))]);
const post = (mode, body, headers) => fetch('APP/gradio_api/upload', {method: 'POST', mode, body, headers});
const form = new FormData();
form.append('files', new Blob(['x'.repeat(1000)]), 'foreign.jpg');
window.done = Promise.allSettled([
  post('no-cors', form).then(tell('no-cors')),
  post('cors', form).then((answer) => answer.text()).then((text) => told.push(['read', text])),
  post('no-cors', 'x', {'Content-Type': 'text/plain'}).then(tell('text')),
  fetch('APP/config').then((answer) => answer.text()).then((text) => told.push(['read', text])),
  fetch('APP/gradio_api/queue/join', {method: 'POST', mode: 'no-cors', body: '{"data": []}'}).then(tell('join')),
  new Promise((done) => { const socket = new WebSocket('APP/gradio_api/queue/join'.replace('http', 'ws'));
    socket.onopen = () => { told.push(['read', 'socket']); done(); }; socket.onerror = done; }),
  new Promise((done) => { const events = new EventSource('APP/gradio_api/heartbeat/x');
    const end = () => { events.close(); done(); };
    events.onopen = () => { told.push(['read', 'events']); end(); }; events.onerror = end; }),
  new Promise((done) => { const image = new Image(); image.onload = () => { told.push(['read', 'image']); done(); };
    image.onerror = done; image.src = 'APP/gradio_api/file=EXAMPLE'; }),
]).then(() => { navigator.sendBeacon('APP/gradio_api/upload', form); document.getElementById('f').submit(); });
</script>"""


def test_browser_a_page_from_elsewhere_can_neither_read_nor_write(browser, served, disk):
    import http.server
    import threading

    example = next(iter(disk.rglob("*.png")), "none")

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(FOREIGN.replace("APP", served).replace("EXAMPLE", str(example)).encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    before = set(disk.rglob("*"))
    try:
        for host in ("127.0.0.1", "localhost"):  # the first is of the same site, by a browser's rules
            context = browser.new_context()
            page = context.new_page()
            page.goto(f"http://{host}:{server.server_port}/")
            page.evaluate("window.done")
            page.wait_for_timeout(500)
            read = [text for what, text in page.evaluate("window.told") if what == "read"]
            assert set(read) <= {"This app answers its own page only."}
            context.close()
        assert set(disk.rglob("*")) <= before  # photos of other tests may go meanwhile
    finally:
        server.shutdown()


def test_browser_works_under_its_other_name_too(browser, served, disk):
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(served.replace("127.0.0.1", "localhost"))
    page.wait_for_selector("#photo input[type=file]", state="attached")
    page.set_input_files(
        "#photo input[type=file]", {"name": "other-name.png", "mimeType": "image/png", "buffer": encoded(PHOTO)}
    )
    page.wait_for_selector("#answer [role=status]:has-text('ms')")
    until(lambda: not list(disk.rglob("other-name*")), "the photo goes")  # from the disk, and stays on the page
    assert page.evaluate("[...document.querySelectorAll('#photo img')].every((image) => image.naturalWidth > 0)")
    context.close()


def test_browser_upload_and_result(page, served):
    page.set_input_files(
        "#photo input[type=file]", {"name": "photo.png", "mimeType": "image/png", "buffer": encoded(PHOTO)}
    )
    page.wait_for_selector("#answer [role=status]:has-text('ms')")
    text = page.inner_text("body")
    assert "pets" in text and "cat" in text and "75% right on 1,500 test photos" in text and "<img src=x" in text
    page.wait_for_selector("img[alt*='bright where pets found its answer']")
    assert page.locator("b:has-text('two')").count() == 0
    assert {url.split("/")[2] for url in page.asked if url.startswith(("http", "ws"))} == {
        served.removeprefix("http://")
    }  # nothing comes from elsewhere


def test_browser_text_file_is_an_error(page):
    page.set_input_files("#photo input[type=file]", {"name": "note.txt", "mimeType": "text/plain", "buffer": b"hello"})
    page.wait_for_selector("text=/note.txt/")
    assert "nvalid file type" in page.inner_text("body")


def test_browser_text_renamed_to_jpg_is_an_error(page):
    page.set_input_files("#photo input[type=file]", {"name": "note.jpg", "mimeType": "image/jpeg", "buffer": b"hello"})
    page.wait_for_selector("#answer [role=alert]")
    assert "not an image" in page.inner_text("#answer")


def test_browser_by_keyboard_alone(page):
    """Tab to the upload, Enter opens the chooser; tab on to an example, Enter classifies it; everything that has
    the focus shows it.
    """
    with page.expect_file_chooser() as chooser:
        for _ in range(12):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.closest('#photo') && document.activeElement.tagName == 'BUTTON'"):
                break
        page.keyboard.press("Enter")
    assert chooser.value
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("!!document.activeElement.querySelector('img') && !document.activeElement.closest('#photo')"):
            break
    outline = page.evaluate(
        "getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth"
    )
    assert outline == "solid3px"
    page.keyboard.press("Enter")
    page.wait_for_selector("#answer [role=status]:has-text('ms')")


def test_browser_phone_does_not_scroll_sideways(page):
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
