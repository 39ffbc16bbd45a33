"""The web app under load: how long it takes to start, how long one photo takes, and whether twenty people at once all
get their answer.

Without a model it takes an untrained ResNet-18 at 224 pixels, which is as slow as a trained one. Its runtime is chosen
before, as `make train` does.

    python -m scripts.perf.demo [models/pets] [--users 20] [--rounds 2]
    python -m scripts.perf.demo --runtime eager  # PyTorch, to compare with
    python -m scripts.perf.demo --write          # also report/data/demo-<hardware>.csv, for the page on cats and dogs
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from scripts.common import provenance
from scripts.common.errors import UserError, cli
from scripts.common.hardware import describe, slug
from scripts.common.paths import DATA, relative
from scripts.demo import choose_runtime
from scripts.demo.serving import ask, load, photo, start, stop, untrained

SETTLED_SECONDS = 3
LIMITS = {"photo_ms": 300, "start_seconds": 10.0, "users": 20}  # what the app has to reach on two cores


def about(model: Path) -> dict:
    """Which network it is: model, arch, img_size."""
    from scripts.train import exported

    config = exported.load(model).config
    name = model.resolve().name if config.trained else "untrained"
    return {"model": name, "arch": config.arch, "img_size": config.size}


def settled(address: str, content: bytes, page: str) -> None:
    """Ask until the same runtime has answered for SETTLED_SECONDS: PyTorch answers while the chosen one is loaded, and
    the first photo of a page makes its session.
    """
    since, before = time.monotonic(), ""
    while time.monotonic() - since < SETTLED_SECONDS:
        said = str(ask(address, "photo.png", content, session=page)["data"][:1])
        runtime = said.rpartition("(")[2]
        since, before = since if runtime == before else time.monotonic(), runtime


def write(row: dict, runtime: str) -> Path:
    """The figures with a sidecar, as report/data/demo-<hardware>.csv."""
    facts = provenance.sidecar(packages=("torch", "gradio"), runtime=runtime)
    return provenance.write_pair(pd.DataFrame([row]).round(3), DATA / f"demo-{slug()}.csv", facts)


@cli
def main() -> int:
    parser = argparse.ArgumentParser(description="The web app under load, on the loopback.")
    parser.add_argument("model", type=Path, nargs="?", help="its folder (default: an untrained ResNet-18)")
    parser.add_argument("--users", type=int, default=LIMITS["users"])
    parser.add_argument("--rounds", type=int, default=2)
    what = "write the figures to report/data/demo-<hardware>.csv, for the report"
    parser.add_argument("--write", action="store_true", help=what)
    parser.add_argument("--runtime", default="auto", help="as of the app; auto: the fastest whose answers hold")
    given = parser.parse_args()
    for name in ("users", "rounds"):
        if getattr(given, name) < 1:
            raise UserError(f"--{name} {getattr(given, name)}: at least 1")
    with tempfile.TemporaryDirectory() as temporary:
        model = given.model or untrained(Path(temporary) / "resnet18")
        facts = about(model)
        load_before = os.getloadavg()[0]
        if given.runtime == "auto":
            choose_runtime.main([str(model)])
        process, address, started = start([model.resolve()], "--runtime", given.runtime)
        try:
            content, page = photo(), secrets.token_hex(6)
            settled(address, content, page)
            alone = [ask(address, "photo.png", content, session=page) for _ in range(10)]
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
        print(relative(write(row, given.runtime)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
