"""Failing connections over loopback, by the libraries that we use."""

import contextlib
import http.server
import socket
import ssl
import subprocess
import threading
import urllib.request

import pytest
import requests

from scripts.common import net

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@contextlib.contextmanager
def serving(handler, wrap=lambda sock: sock):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.socket = wrap(server.socket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


class Refuses(http.server.BaseHTTPRequestHandler):
    status = 403

    def do_CONNECT(self):
        self.send_error(self.status)

    def log_message(self, *_):
        pass


class Asks(Refuses):
    status = 407


def by_requests(url):
    requests.get(url, timeout=5)


def by_urllib(url):
    urllib.request.build_opener().open(url, timeout=5).close()  # urlopen keeps the proxies of its first call


def reason(get, url) -> str:
    try:
        get(url)
    except Exception as error:
        return net.why(error, url)
    raise AssertionError("it answered")


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


@pytest.mark.parametrize("get", [by_requests, by_urllib])
@pytest.mark.parametrize("handler, words", [(Refuses, r"refuses the connection \(403\)"), (Asks, "name and password")])
def test_a_proxy_that_says_no(monkeypatch, get, handler, words):
    import re

    with serving(handler) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://jane:secret@127.0.0.1:{port}")
        said = reason(get, "https://example.invalid/x")
    assert re.search(words, said) and "HTTPS_PROXY" in said and "secret" not in said


@pytest.mark.parametrize("get", [by_requests, by_urllib])
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
def test_a_proxy_that_is_not_there(monkeypatch, get, name):
    monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert "doesn't answer; check or unset HTTPS_PROXY" in reason(get, "https://example.invalid/x")


@pytest.mark.parametrize("name", ["ALL_PROXY", "all_proxy", "HTTPS_PROXY"])
@pytest.mark.parametrize("value", ["socks://127.0.0.1:7890/", "socks5://127.0.0.1:7890", "socks5h://127.0.0.1:7890"])
def test_socks_is_told(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    said = reason(by_requests, "https://example.invalid/x")
    assert "speaks SOCKS" in said and "unset ALL_PROXY" in said


def certificate(folder, name: str) -> tuple[str, str]:
    key, cert = folder / "key.pem", folder / "cert.pem"
    try:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x", "-addext",
             f"subjectAltName={name}", "-keyout", key, "-out", cert], check=True, capture_output=True
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs openssl")
    return str(cert), str(key)


@pytest.mark.parametrize("get", [by_requests, by_urllib])
def test_a_certificate_that_nobody_knows(tmp_path, get):
    cert, key = certificate(tmp_path, "IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with serving(Refuses, lambda sock: context.wrap_socket(sock, server_side=True)) as port:
        assert "REQUESTS_CA_BUNDLE" in reason(get, f"https://127.0.0.1:{port}/x")


def test_a_certificate_of_another_host(tmp_path, monkeypatch):
    cert, key = certificate(tmp_path, "DNS:elsewhere.example")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", cert)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with serving(Refuses, lambda sock: context.wrap_socket(sock, server_side=True)) as port:
        assert "another host's" in reason(by_requests, f"https://127.0.0.1:{port}/x")


def test_no_tls_at_all():
    with serving(Refuses) as port:
        assert "no TLS connection" in reason(by_requests, f"https://127.0.0.1:{port}/x")


def test_nobody_listens_and_nothing_more_is_known():
    assert "refuses the connection" in reason(by_requests, f"http://127.0.0.1:{free_port()}/x")
    assert net.why(TimeoutError("too slow")) == "" and net.why(None) == ""
    assert net.proxy("no address") == ""
