"""The web app under load: how long it takes to start, how long one photo takes, and whether twenty people at once all
get their answer.

Starts the app with an exported model on a free loopback port, and asks it as a browser does (upload, queue, event
stream). Without a model it makes an untrained ResNet-18 at 224 pixels in a temporary folder, which is as slow as a
trained one.

    python -m scripts.perf.demo [models/pets] [--users 20] [--rounds 2]
    python -m scripts.perf.demo --write          # also report/data/demo-<hardware>.csv, for the page on cats and dogs
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from scripts.common import provenance
from scripts.common.errors import UserError, cli
from scripts.common.hardware import describe, slug
from scripts.common.paths import DATA, ROOT, atomic_csv, relative

LIMITS = {"photo_ms": 300, "start_seconds": 10.0, "users": 20}  # what the app has to reach on two cores
ANSWER_SECONDS = 120


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


def _end_with_parent() -> None:
    """Linux ends this process when its parent is killed, so that no server stays behind; elsewhere nothing happens."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # 1: PR_SET_PDEATHSIG


def start(models: list[Path], wait: float = 120.0) -> tuple[subprocess.Popen, str, float]:
    """(process, address, seconds until it answered). Raises UserError where it doesn't come up; the process is then
    ended.
    """
    import httpx

    address = f"http://127.0.0.1:{(port := free_port())}"
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.demo.app", *map(str, models), "--port", str(port)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
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


def ask(address: str, name: str, content: bytes | None, payload: dict | None = None) -> dict:
    """One photo through the app's queue: {'success': bool, 'data': [...], 'error': …, 'seconds': float}.

    payload replaces the uploaded file's description, to try what a browser would not send. Raises httpx.HTTPError.
    """
    import httpx

    began = time.perf_counter()
    session = secrets.token_hex(6)
    with httpx.Client(base_url=address, trust_env=False, timeout=ANSWER_SECONDS) as client:
        config = client.get("/config").json()
        index = next(i for i, item in enumerate(config["dependencies"]) if item.get("api_name") == "classify")
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


def about(model: Path) -> dict:
    """Which network it is: model, arch, img_size."""
    from scripts.train import exported

    config = exported.load(model).config
    return {
        "model": model.resolve().name if config.trained else "untrained",
        "arch": config.arch,
        "img_size": config.size,
    }


def write(row: dict) -> Path:
    """The figures with a sidecar, as report/data/demo-<hardware>.csv."""
    path = atomic_csv(pd.DataFrame([row]).round(3), DATA / f"demo-{slug()}.csv")
    provenance.write_sidecar(path, provenance.sidecar(packages=("torch", "gradio")))
    return path


@cli
def main() -> int:
    parser = argparse.ArgumentParser(description="The web app under load, on the loopback.")
    parser.add_argument("model", type=Path, nargs="?", help="its folder (default: an untrained ResNet-18)")
    parser.add_argument("--users", type=int, default=LIMITS["users"])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--write", action="store_true", help="write the figures to report/data/demo-<hardware>.csv, for the report"
    )
    given = parser.parse_args()
    for name in ("users", "rounds"):
        if getattr(given, name) < 1:
            raise UserError(f"--{name} {getattr(given, name)}: at least 1")
    with tempfile.TemporaryDirectory() as temporary:
        model = given.model or untrained(Path(temporary) / "resnet18")
        facts = about(model)
        load_before = os.getloadavg()[0]
        process, address, started = start([model.resolve()])
        try:
            content = photo()
            alone = [ask(address, "photo.png", content) for _ in range(10)]
            together = load(address, content, given.users, given.rounds)
        finally:
            stop(process)
    failed = [answer for answer in alone + together if not answer["success"]]
    row = {
        **facts,
        "start_seconds": started,
        "photo_ms": 1e3 * statistics.median(answer["seconds"] for answer in alone),
        "photos": len(alone),
        "users": given.users,
        "asked": len(together),
        "answered": sum(answer["success"] for answer in together),
        "slowest_seconds": max(answer["seconds"] for answer in together),
        "load_before": load_before,
    }
    print(f"{describe()['name']}, load average {load_before:.1f} before")
    print(f"start: {started:.1f} s (to reach: under {LIMITS['start_seconds']:.0f})")
    print(
        f"one photo, from upload to answer: median {row['photo_ms']:.0f} ms of {len(alone)} (to reach: under "
        f"{LIMITS['photo_ms']})"
    )
    print(
        f"{given.users} users at once, {given.rounds} photos each: {row['answered']} of {len(together)} answered, "
        f"the slowest in {row['slowest_seconds']:.1f} s"
    )
    if failed:
        raise UserError(f"{len(failed)} requests failed; the first: {failed[0]['error']}")
    if given.write:
        print(relative(write(row)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
