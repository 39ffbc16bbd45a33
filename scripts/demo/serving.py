"""The web app as a browser meets it, started by a program: for the app's picture, its load test and the tests.

Starts the app on a free loopback port and asks it as a browser does (upload, queue, event stream). Without a model it
makes an untrained ResNet-18 at 224 pixels, which is as slow as a trained one.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.common.errors import UserError
from scripts.common.paths import ROOT

ANSWER_SECONDS = 120


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


def _end_with_parent() -> None:
    """Linux ends this process when its parent is killed, so that no server stays behind; elsewhere nothing happens."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # 1: PR_SET_PDEATHSIG


def start(models: list[Path], *more: str, wait: float = 120.0) -> tuple[subprocess.Popen, str, float]:
    """(process, address, seconds until it answered). more: further options of the app. Raises UserError where it
    doesn't come up; the process is then ended.
    """
    import httpx

    address = f"http://127.0.0.1:{(port := free_port())}"
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.demo.app", *map(str, models), "--port", str(port), *more],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=_end_with_parent,
    )
    with httpx.Client(trust_env=False, timeout=5) as client:
        while time.perf_counter() - began < wait:
            if process.poll() is not None:
                raise UserError(f"the app ended at once: {process.stdout.read()[-400:]}")
            try:
                if client.get(f"{address}/config").status_code == 200:
                    return process, address, time.perf_counter() - began
            except httpx.HTTPError:
                time.sleep(0.05)
    stop(process)
    raise UserError(f"the app did not answer within {wait:.0f} s")


def stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def ask(address: str, name: str, content: bytes | None, payload: dict | None = None, session: str = "") -> dict:
    """One photo through the app's queue: {'success': bool, 'data': [...], 'error': …, 'seconds': float}, seconds from
    bringing the photo on a page that is open to its answer.

    payload replaces the uploaded file's description, to try what a browser would not send; session: the open page's,
    where it asks again. Raises httpx.HTTPError.
    """
    import httpx

    session = session or secrets.token_hex(6)
    with httpx.Client(base_url=address, trust_env=False, timeout=ANSWER_SECONDS) as client:
        config = client.get("/config").json()
        index = next(i for i, item in enumerate(config["dependencies"]) if item.get("api_name") == "classify")
        began = time.perf_counter()
        if payload is None:
            found = client.post("/gradio_api/upload", files={"files": (name, content)})
            found.raise_for_status()
            payload = {"path": found.json()[0], "orig_name": name, "meta": {"_type": "gradio.FileData"}}
        joined = client.post(
            "/gradio_api/queue/join",
            json={
                "data": [payload],
                "fn_index": config["dependencies"][index].get("id", index),
                "session_hash": session,
            },
        )
        joined.raise_for_status()
        with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as stream:
            for line in stream.iter_lines():
                event = json.loads(line[5:]) if line.startswith("data:") else {}
                if event.get("msg") == "process_completed":
                    output = event.get("output") or {}
                    return {
                        "success": bool(event.get("success")),
                        "data": output.get("data") or [],
                        "error": output.get("error"),
                        "seconds": time.perf_counter() - began,
                    }
    return {
        "success": False,
        "data": [],
        "error": "the stream ended without an answer",
        "seconds": time.perf_counter() - began,
    }


def load(address: str, content: bytes, users: int, rounds: int = 1) -> list[dict]:
    """`rounds` photos from each of `users` simultaneous users; every answer, errors included."""
    import httpx

    def one(number: int) -> dict:
        try:
            return ask(address, f"photo-{number}.png", content)
        except httpx.HTTPError as error:
            return {"success": False, "data": [], "error": f"{type(error).__name__}: {error}", "seconds": float("nan")}

    with ThreadPoolExecutor(users) as pool:
        return list(pool.map(one, range(users * rounds)))


def photo() -> bytes:
    """A real photo: scikit-image's cat."""
    import skimage

    return (Path(skimage.__file__).parent / "data" / "chelsea.png").read_bytes()


def untrained(folder: Path) -> Path:
    """An exported ResNet-18 that was never trained."""
    import torch

    from scripts.train import exported

    config = exported.Config(
        "resnet18", ("cat", "dog"), 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), builder="fastai"
    )
    torch.manual_seed(0)
    exported.save(folder, exported.build(config), config, onnx=False)
    return folder
