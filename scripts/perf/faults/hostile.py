"""The web app among hostile uploads: is an honest photo answered beside each, and does the app stay as it was?

About a hundred files of some forty kinds (bombs, polyglots, SVG, archives, truncated, animated, 16-bit, CMYK, huge
metadata, damaged, odd names; scripts.perf.faults.files) and requests that no browser sends (pipes, devices, paths) are
brought one by one, each with an honest photo beside it; then honest photos and hostile files at random, from eight
people at once; then a thousand honest photos. It has to reach: every honest photo answered, within 5 s beside a hostile
one; memory flat; no file that was brought left on the disk, and nothing at all once the app has ended.

    python -m scripts.perf.faults.hostile                            # an untrained ResNet-18
    python -m scripts.perf.faults.hostile models/pets --part many --photos 1000
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from scripts.common.errors import UserError, cli
from scripts.common.hardware import describe
from scripts.demo.limits import GRACE_SECONDS
from scripts.demo.serving import ask, photo, start, stop, untrained
from scripts.perf.faults import files

LIMITS = {"beside_seconds": 5.0, "growth": 1.1}  # growth: of memory, from the first hundred photos to the last
PARTS = ("beside", "mixed", "many")
MIX, PEOPLE = 200, 8  # of the load with hostile files in it
PEOPLE_AFTER = 4  # who bring the thousand


def memory(process) -> float:
    """Megabytes of the app and all its processes, what they share counted once."""
    everyone = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    return sum(one.memory_full_info().pss for one in everyone) / 2**20


def brought(address: str, name: str, content: bytes | None, payload=None) -> dict:
    """`serving.ask`; what the app refuses at once, or ends, is an answer, too."""
    import httpx

    began = time.perf_counter()
    try:
        return ask(address, name, content, payload)
    except (httpx.HTTPError, OSError, ValueError) as error:
        return {"success": False, "data": [], "error": str(error), "seconds": time.perf_counter() - began}


def answered(answer: dict) -> bool:
    """Whether it says what the models found."""
    return answer["success"] and " ms" in str(answer["data"][:1]) and 'role="alert"' not in str(answer["data"][:1])


def beside(address: str, honest: bytes, name: str, content: bytes | None, payload=None) -> tuple[dict, dict]:
    """(answer to the honest photo, answer to the hostile file that was brought just before)."""
    with ThreadPoolExecutor(1) as pool:
        hostile = pool.submit(brought, address, name, content, payload)
        time.sleep(0.1)  # it is there first
        return brought(address, "honest.png", honest), hostile.result()


def left(folder: Path) -> list[str]:
    """Files that somebody brought and that are still there, pictures of answers and examples apart."""
    return [path.name for path in folder.rglob("*") if path.is_file() and path.name.startswith(("honest", "hostile"))]


def beside_each(address: str, hostile: dict, honest: bytes) -> list[str]:
    """Each hostile file with an honest photo beside it; returns what fell short."""
    requests = {f"request {number}": payload for number, payload in enumerate(files.requests())}
    pairs = {
        **{name: beside(address, honest, name, content) for name, (_, content) in hostile.items()},
        **{name: beside(address, honest, name, None, payload) for name, payload in requests.items()},
    }
    slow = sorted(((first["seconds"], name) for name, (first, _) in pairs.items()), reverse=True)
    failed = [name for name, (first, _) in pairs.items() if not answered(first)]
    said = sum('role="alert"' in str(second["data"][:1]) for _, second in pairs.values())
    print(
        f"{len(hostile)} hostile files of {len({kind for kind, _ in hostile.values()})} kinds and {len(requests)} "
        f"requests: {said} got a sentence, {sum(answered(second) for _, second in pairs.values())} were pictures after "
        f"all, the others were refused\nhonest photos beside them: {len(pairs) - len(failed)} of {len(pairs)} "
        f"answered, median {slow[len(slow) // 2][0]:.2f} s, the slowest in {slow[0][0]:.2f} s beside {slow[0][1][:40]} "
        f"(to reach: {LIMITS['beside_seconds']:.0f} s)",
        flush=True,
    )
    return [f"honest photos beside {', '.join(failed) or slow[0][1]}"] * bool(
        failed or slow[0][0] > LIMITS["beside_seconds"]
    )


def mixed(address: str, hostile: dict, honest: bytes, chance: random.Random) -> list[str]:
    """Honest photos and hostile files at random from several people at once; returns what fell short."""

    def one(number: int) -> tuple[bool, dict]:
        if number % 2:
            return True, brought(address, "honest.png", honest)
        name, (_, content) = chance.choice(list(hostile.items()))
        return False, brought(address, f"hostile-{Path(name).name}"[:100], content)

    with ThreadPoolExecutor(PEOPLE) as pool:
        answers = [answer for good, answer in pool.map(one, range(MIX)) if good]
    lost = sum(not answered(answer) for answer in answers)
    print(
        f"{PEOPLE} people at once, {len(answers)} honest photos among {MIX - len(answers)} hostile files: "
        f"{lost or 'none'} lost, the slowest in {max(answer['seconds'] for answer in answers):.1f} s",
        flush=True,
    )
    return [f"{lost} honest photos in the mixed load"] * bool(lost)


def many(address: str, process, honest: bytes, photos: int) -> list[str]:
    """Honest photos and the app's memory over them; returns what fell short."""
    seen, lost = [], 0
    with ThreadPoolExecutor(PEOPLE_AFTER) as pool:
        for _ in range(max(1, photos // 100)):
            answers = list(pool.map(lambda _: brought(address, "honest.png", honest), range(min(100, photos))))
            lost += sum(not answered(answer) for answer in answers)
            seen.append(memory(process))
            print(f"{100 * len(seen):,} photos: {seen[-1]:,.0f} MB", flush=True)
    print(
        f"memory of all its processes: {seen[0]:,.0f} MB after the first hundred photos, {seen[-1]:,.0f} MB after "
        f"{100 * len(seen):,}, at most {max(seen):,.0f} MB; {lost or 'none'} of them lost",
        flush=True,
    )
    grown = seen[-1] > LIMITS["growth"] * seen[0]
    return [f"{lost} of the many photos"] * bool(lost) + [f"memory, {seen[0]:,.0f} to {seen[-1]:,.0f} MB"] * grown


def run(address: str, process, folder: Path, parts: list[str], photos: int, seed: int) -> list[str]:
    """The parts, told as they go; returns what fell short."""
    honest, wrong = photo(), []
    hostile = {name: (kind, make()) for name, (kind, make) in files.files().items()} if parts != ["many"] else {}
    for _ in range(20):
        brought(address, "honest.png", honest)
    if "beside" in parts:
        wrong += beside_each(address, hostile, honest)
    if "mixed" in parts:
        wrong += mixed(address, hostile, honest, random.Random(seed))
    if "many" in parts:
        wrong += many(address, process, honest, photos)
    deadline = time.monotonic() + 10 * GRACE_SECONDS
    while (still := left(folder)) and time.monotonic() < deadline:
        time.sleep(0.2)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20
    print(f"on the disk: {len(still) or 'none'} of the files that were brought, {size:.0f} MB of answers' pictures")
    return [*wrong, *([f"{len(still)} files left, {still[0]} among them"] if still else [])]


@cli
def main() -> int:
    parser = argparse.ArgumentParser(description="The web app among hostile uploads.")
    parser.add_argument("model", type=Path, nargs="?", help="its folder (default: an untrained ResNet-18)")
    parser.add_argument("--part", choices=PARTS, help="one part of it (default: all)")
    parser.add_argument("--photos", type=int, default=1000, help="honest ones at the end (default 1000)")
    parser.add_argument("--seed", type=int, default=0, help="of the mix")
    given = parser.parse_args()
    if given.photos < 1:
        raise UserError(f"--photos {given.photos}: at least 1")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "tmp"
        folder.mkdir()
        model = given.model or untrained(Path(temporary) / "resnet18")
        print(f"{describe()['name']}, load average {os.getloadavg()[0]:.1f} before")
        os.environ["TMPDIR"] = str(folder)
        process, address, _ = start([model.resolve()], "--runtime", "eager")
        try:
            wrong = run(address, process, folder, [given.part] if given.part else [*PARTS], given.photos, given.seed)
        finally:
            stop(process)
        print(f"load average {os.getloadavg()[0]:.1f} after")
        over = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        if process.returncode or over:
            wrong.append(f"it ended with {process.returncode}, and left {', '.join(over[:5]) or 'nothing'}")
    print("once it had ended: nothing left" if not wrong else f"fell short: {'; '.join(wrong)}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
