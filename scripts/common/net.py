"""Why a connection failed, in words that name the cause and the remedy. Standard library alone.

A company's proxy, its own certificates and a desktop's SOCKS setting look alike from inside a library: "cannot be
reached". They are mended in different places.
"""

from __future__ import annotations

import re
import socket
import ssl
import urllib.request
from urllib.parse import urlsplit


def proxy(url: str) -> str:
    """The proxy that the environment names for `url`, without a password, '' where there is none."""
    parts = urlsplit(url)
    known = urllib.request.getproxies()
    if not parts.hostname or urllib.request.proxy_bypass(parts.hostname):
        return ""
    found = known.get(parts.scheme) or known.get("all") or ""
    return re.sub(r"//[^/@]*@", "//", found)


def why(error: BaseException | None, url: str = "") -> str:
    """What made a request to `url` fail and what to do about it, '' where nothing more is known than that it did."""
    errors = _chain(error)
    said = " ".join(str(one) for one in errors)
    through = proxy(url)
    if "socks" in f"{through} {said}".lower():
        return (
            f"the proxy {through or 'in ALL_PROXY'} speaks SOCKS, which is not supported; set HTTPS_PROXY to an HTTP "
            "proxy, or unset ALL_PROXY and HTTPS_PROXY"
        )
    if found := next((one for one in errors if isinstance(one, ssl.SSLCertVerificationError)), None):
        return _certificate(found)
    if through:
        status = re.search(r"Tunnel connection failed: (\d{3})", said)
        if status:
            need = "asks for a name and password" if status[1] == "407" else f"refuses the connection ({status[1]})"
            return f"the proxy {through} {need}; check HTTPS_PROXY"
        if re.search(r"proxy", said, re.I) or any(isinstance(one, (ConnectionError, TimeoutError)) for one in errors):
            return f"the proxy {through} doesn't answer; check or unset HTTPS_PROXY"
    if any(isinstance(one, ssl.SSLError) for one in errors):
        return "no TLS connection comes about; does something between here and there end it?"
    if any(isinstance(one, socket.gaierror) for one in errors):
        return "its name can't be looked up; is this machine connected?"
    if any(isinstance(one, ConnectionRefusedError) for one in errors):
        return "it refuses the connection"
    return ""


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    text = f"{error.verify_message} {error}".lower()
    if "mismatch" in text or "doesn't match" in text or "not valid for" in text:
        return "its certificate is another host's; check the address"
    if "expired" in text or "not yet valid" in text:
        return "its certificate is out of date; check this machine's clock"
    return (
        "its certificate is signed by an authority that Python doesn't know, as where a company's proxy opens "
        "connections; name that authority's file in REQUESTS_CA_BUNDLE and SSL_CERT_FILE"
    )


def _chain(error: BaseException | None) -> list[BaseException]:
    """An error and all that it came from, as `requests`, `urllib3`, `httpx` and `urllib` wrap them."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            waiting += [getattr(one, "reason", None), one.__cause__, one.__context__, *one.args]
    return found
