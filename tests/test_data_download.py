"""Downloads of timm's tables from a server that lies, stops, or is not there. All on the loopback interface."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import socket
import threading
import time

import pytest

from scripts.common.errors import UserError
from scripts.data import download, read_data

VINTAGE, FILE = read_data.NOW, "results-imagenet.csv"
CONTENT = b"model,img_size,top1,top5,param_count\nresnet50.a1_in1k,224,80.2,94.6,25.56\n"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every request as `server.mode` says; a reader that goes away before the end is no error."""

    def do_GET(self):
        with contextlib.suppress(ConnectionError):
            self.answer()

    def answer(self):
        self.server.asked.append(self.path)
        mode, body = self.server.mode, CONTENT
        if mode == "html":
            body = b"<!DOCTYPE html><html><body>Sign in to the hotel's network</body></html>"
        elif mode == "wrong":
            body = CONTENT.replace(b"80.2", b"88.2")
        elif mode == "short":
            body = CONTENT[:-30]
        self.send_response({"404": 404, "500": 503}.get(mode, 200))
        self.send_header("Content-Length", str(len(CONTENT) if mode in ("cut", "trickle") else len(body)))
        self.end_headers()
        if mode == "trickle":
            for _ in range(100):
                self.wfile.write(b"m")
                self.wfile.flush()
                time.sleep(0.1)
        self.wfile.write(body[:20] if mode == "cut" else body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch, moved):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.mode, server.asked, server.daemon_threads = "fine", [], True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "TIMM_RESULTS"):
        monkeypatch.delenv(name, raising=False)
    moved(CACHE=tmp_path / "cache")
    monkeypatch.setattr(download, "REMOTE", f"http://127.0.0.1:{server.server_port}/{{commit}}/results/{{file}}")
    monkeypatch.setattr(download, "registry", lambda: {f"{VINTAGE}/{FILE}": hashlib.sha256(CONTENT).hexdigest()})
    monkeypatch.setattr(download, "_unreachable", set())
    monkeypatch.setattr(download, "_noticed", set())
    yield server
    server.shutdown()
    server.server_close()


def cached(tmp_path) -> list[str]:
    return [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_table_is_fetched_once_from_the_pinned_commit(server):
    path = download.locate(VINTAGE, FILE)
    assert path.read_bytes() == CONTENT and server.asked == [f"/{download.VINTAGES[VINTAGE]}/results/{FILE}"]
    server.mode = "404"
    assert download.locate(VINTAGE, FILE) == path and len(server.asked) == 1


def test_a_damaged_cache_is_fetched_again(server):
    path = download.locate(VINTAGE, FILE)
    path.write_bytes(CONTENT[:-5])
    assert download.locate(VINTAGE, FILE).read_bytes() == CONTENT


@pytest.mark.parametrize(
    "mode, said",
    [("html", "wrong SHA-256"), ("wrong", "wrong SHA-256"), ("short", "wrong SHA-256"), ("404", "404"), ("500", "503")],
)
def test_what_is_not_the_table_is_refused_and_never_kept(server, tmp_path, mode, said):
    server.mode = mode
    with pytest.raises(UserError, match=said) as error:
        download.locate(VINTAGE, FILE)
    assert FILE in str(error.value) and cached(tmp_path) == []
    server.mode = "fine"
    assert download.locate(VINTAGE, FILE).read_bytes() == CONTENT


def test_a_connection_that_breaks_off(server, tmp_path):
    server.mode = "cut"
    with pytest.raises(UserError, match="cut short|stopped answering"):
        download.locate(VINTAGE, FILE)
    assert cached(tmp_path) == []


def test_a_server_that_trickles_is_given_up(server, monkeypatch):
    server.mode = "trickle"
    monkeypatch.setattr(download, "WHOLE_S", 0.5)
    with pytest.raises(download.TablesMissing):  # of what the trickle ends with, the checksum would be wrong
        download.locate(VINTAGE, FILE)


def test_no_network_and_no_cache_is_asked_once(server, monkeypatch):
    asked = []

    def refuse(*_, **__):
        asked.append(1)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    for _ in range(3):
        with pytest.raises(download.TablesMissing, match="TIMM_RESULTS"):
            download.locate(VINTAGE, FILE)
    assert len(asked) == 1 and server.asked == []


def test_a_name_that_never_resolves_is_bounded(server, monkeypatch):
    monkeypatch.setattr(download, "CONNECT_S", 0.2)
    over = threading.Event()

    def never(*_, **__):
        over.wait()
        raise OSError

    monkeypatch.setattr(socket, "create_connection", never)
    with pytest.raises(download.TablesMissing):
        download.locate(VINTAGE, FILE)
    assert not over.is_set()
    over.set()


def test_no_network_but_a_cache(server, monkeypatch):
    path = download.locate(VINTAGE, FILE)
    monkeypatch.setattr(download, "REMOTE", "http://127.0.0.1:9/{commit}/{file}")
    assert download.locate(VINTAGE, FILE) == path


def test_the_fetch_command_without_network_is_a_notice_and_no_failure(server, monkeypatch, capsys):
    monkeypatch.setattr(download, "REMOTE", "http://127.0.0.1:9/{commit}/{file}")
    assert read_data.main([]) == 0
    said = capsys.readouterr().err.splitlines()
    lines = [line for line in said if any(word in line for word in ("notice", "error", "Traceback"))]
    assert len(lines) == 1 and lines[0].startswith("notice:")


def test_a_base_url_as_copy(server, monkeypatch, tmp_path):
    monkeypatch.setenv("TIMM_RESULTS", f"http://127.0.0.1:{server.server_port}/copy/")
    assert download.locate(VINTAGE, FILE).read_bytes() == CONTENT and server.asked == [f"/copy/{VINTAGE}/{FILE}"]
    server.mode = "html"
    monkeypatch.setenv("TIMM_RESULTS", f"http://127.0.0.1:{server.server_port}/other")
    with pytest.raises(UserError, match="web page"):
        download.locate(VINTAGE, FILE)


def test_a_newer_copy_is_taken_with_one_notice(server, monkeypatch, tmp_path, capsys):
    for vintage in download.VINTAGES:
        (tmp_path / "copy" / vintage).mkdir(parents=True)
    (tmp_path / "copy" / VINTAGE / FILE).write_bytes(CONTENT + b"vgg11.tv_in1k,224,69,89,132.9\n")
    monkeypatch.setenv("TIMM_RESULTS", str(tmp_path / "copy"))
    download.locate(VINTAGE, FILE), download.locate(VINTAGE, FILE)
    assert capsys.readouterr().err.count("notice:") == 1


@pytest.mark.parametrize("value, said", [("/no/such/folder", "no folder"), ("", None)])
def test_a_copy_that_is_not_there(server, monkeypatch, value, said):
    monkeypatch.setenv("TIMM_RESULTS", value)
    with pytest.raises(UserError, match=said) if said else contextlib.nullcontext():
        assert download.locate(VINTAGE, FILE).exists(), "an empty TIMM_RESULTS means the download"


def test_a_file_outside_the_registry_is_not_asked_for(server):
    with pytest.raises(UserError, match="not one of timm's tables"):
        download.locate(VINTAGE, "../../etc/passwd")
    assert server.asked == []


def test_the_registry_holds_both_vintages():
    digests = download.registry()
    assert {name.split("/")[0] for name in digests} == set(download.VINTAGES)
    assert all(len(digest) == 64 and int(digest, 16) >= 0 for digest in digests.values())


def test_the_registry_is_that_of_the_real_tables(timm_tables):
    for name, digest in download.registry().items():
        path = timm_tables / name
        if path.exists():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == digest, name
