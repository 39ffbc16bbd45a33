"""The main commands in hostile surroundings: the same result as in the user's own, and no traceback.

    python -m tests.hostile --model models/pets        # each command in all surroundings at once
    python -m tests.hostile --alone                    # each command in each of them, which takes an hour
    python -m tests.hostile choose classify --surroundings place proxies

Each runs in a copy of the project that has no repository. Where a result differs, surroundings are taken away until
only those are left that do it.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from scripts.common.paths import ROOT
from scripts.common.temporary import temporary_folder

PLACE = """Größe 'a' "b" %41 #c ?d=1 & $HOME"""  # what folders of clones, photos and models may be called
GROUP = Path("/sys/fs/cgroup/cpu")
PROXIES = {f"{name}_proxy": "http://127.0.0.1:9" for name in ("http", "https", "ftp")} | {"all_proxy": "socks://x:9/"}
SURROUNDINGS = {
    "place": {},
    "locale": {"LC_ALL": "C", "LANGUAGE": "de", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "encoding": {"PYTHONIOENCODING": "latin-1:strict"},
    "optimise": {"PYTHONOPTIMIZE": "2"},
    "safe path": {"PYTHONSAFEPATH": "1"},
    "home": {"HOME": "/proc/none", "XDG_CACHE_HOME": "/proc/none", "XDG_CONFIG_HOME": "/proc/none",
             "MPLCONFIGDIR": "/proc/none", "XDG_DATA_HOME": "/proc/none"},
    "proxies": {**PROXIES, **{name.upper(): value for name, value in PROXIES.items()}, "no_proxy": "corp.example"},
    "git": {"GIT_DIR": "/nowhere", "GIT_WORK_TREE": "/", "GIT_INDEX_FILE": "/nowhere/index"},
    "terminal": {"TERM": "dumb", "COLUMNS": "20", "LINES": "2", "FORCE_COLOR": "1", "TZ": "nowhere", "PAGER": "false"},
    "tools": {"PIP_USER": "1", "PIP_TARGET": "/nowhere", "MPLBACKEND": "TkAgg", "PYTHONSTARTUP": "/nowhere",
              "PLOTLY_RENDERER": "browser", "GRADIO_SHARE": "True", "GRADIO_SERVER_NAME": "0.0.0.0",
              "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "7", "CDPATH": "/", "MAKEFLAGS": "-n"},
    "quota": {},
}  # fmt: skip


@dataclass(frozen=True)
class Command:
    """words: after `python -m`, WORK for the folder with photos and model; result: what has to be equal, from the
    folder of the copy and what was printed; seconds: of patience.
    """

    words: tuple[str, ...]
    result: Callable[[Path, str], object]
    seconds: float = 240


def table(pattern: str, *columns: str) -> Callable[[Path, str], object]:
    """Columns of the tables that a command wrote; all columns where none is named."""

    def read(work: Path, _: str) -> object:
        found = {}
        for path in sorted(work.glob(pattern)):
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            found[path.name] = [[row[name] for name in columns or row] for row in rows]
        return list(found.values())  # a quota is in the names

    return read


def said(_: Path, text: str) -> str:
    return text


def answers(_: Path, text: str) -> object:
    return [(one.get("class"), one.get("error"), Path(one["file"]).name) for one in json.loads(text)]


def files(pattern: str) -> Callable[[Path, str], object]:
    """The names of the files that were made, whatever the share of the machine in them."""

    def names(work: Path, _: str) -> object:
        found = [path.relative_to(work).as_posix() for path in work.glob(pattern) if path.is_file()]
        return sorted(re.sub(r"_\d+(_\d+)?c(?=[-.])", "_c", name) for name in found)

    return names


COMMANDS = {
    "data": Command(("scripts.data.read_data",), said),
    "findings": Command(("scripts.findings.verdicts", "--quiet"), table("../report/data/findings.csv")),
    "status": Command(("scripts.common.status",), said),
    "check-data": Command(("scripts.bench.contribute",), said),
    "photos": Command(("scripts.train.datasets", "WORK/photos", "--size", "32"), said),
    "by label": Command(("scripts.train.by_label", "WORK/photos/Café", "WORK/sorted", "--pattern", "(.)"),
                        files("sorted/**/*")),
    "choose": Command(
        ("scripts.choose", "WORK/photos", "--backbones", "histogram", "--downloads", "0", "--out", "WORK/out"),
        table("out/choose-photos-*[!ne].csv", "backbone"),
    ),
    "train": Command(
        ("scripts.train.train_models", "--data", "WORK/photos", "--models", "lenet5", "--epochs", "1", "--size", "32",
         "--device", "cpu", "--out", "WORK/zoo"),
        files("zoo/*"),
    ),
    "export": Command(
        ("scripts.train.pets_export", "--data", "WORK/photos", "--arch", "test_resnet", "--epochs", "1", "--size", "32",
         "--batch", "8", "--pretrained", "no", "--tracker", "local", "--device", "cpu", "--out", "WORK/model"),
        files("model/**/*"),
    ),
    "classify": Command(("scripts.demo.classify", "WORK/models/one", "--json", "WORK/photos/Café/3 ü.png",
                         "WORK/photos/b", "WORK/none.jpg"), answers),
    "figures": Command(("scripts.figures.export", "--only", "frontier_gpu", "--force", "--out", "WORK/images"),
                       files("images/*")),
    "site": Command(("scripts.site.render", "--renderer", "builtin", "--out", "WORK/site"), files("site/**/*.html")),
    "app": Command(("scripts.demo.app", "WORK/models/one", "--port", "PORT"), said),
}  # fmt: skip


def copy(folder: Path, model: Path | None = None) -> Path:
    """The project's tracked files in `folder`, the results as committed: one measured here meanwhile may be refused by
    check-data. Photos and a model to work on lie beside. Returns `folder`.
    """
    git = lambda *words: subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(git("archive", "HEAD", "report/data"))) as results:
        results.extractall(folder, filter="data")
    for name in filter(None, os.fsdecode(git("ls-files", "-z")).split("\0")):
        if (ROOT / name).is_file() and not (folder / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    from PIL import Image

    for number, label in enumerate(("Café", "b")):
        (folder / "work" / "photos" / label).mkdir(parents=True)
        for i in range(12):
            picture = Image.linear_gradient("L").resize((48, 40)).rotate(30 * i + 7 * number).convert("RGB")
            picture.putpixel((i, number), (200, 9, 9 * i))
            picture.save(folder / "work" / "photos" / label / f"{i} ü.png")
    if model:
        shutil.copytree(model, folder / "work" / "models" / "one")
    return folder


@contextlib.contextmanager
def quota():
    """A control group of half a core, or None where this machine lets nobody make one."""
    group = GROUP / f"hostile-{os.getpid()}"
    try:
        group.mkdir()
        (group / "cpu.cfs_quota_us").write_text("50000", encoding="ascii")
    except OSError:
        yield None
        return
    try:
        yield group
    finally:
        time.sleep(0.2)
        with contextlib.suppress(OSError):
            group.rmdir()


def outcome(name: str, root: Path, surroundings: Iterable[str]) -> tuple[object, str]:
    """(result, what was printed) of a command in the copy at `root`. A result that is a str begins with what is wrong
    where there is a traceback or the exit code is not 0.
    """
    command, work = COMMANDS[name], root / "work"
    keep = {"photos", "models"}
    for old in work.iterdir():
        if old.name not in keep:
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    words = [word.replace("WORK", str(work)).replace("PORT", str(port)) for word in command.words]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    for one in surroundings:
        environment |= SURROUNDINGS[one]
    with quota() if "quota" in surroundings else contextlib.nullcontext() as group:
        program = [str(root / ".venv/bin/python"), "-m", *words]
        if group:
            program = ["sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh", *program]
        spoken = [work / "out.log", work / "err.log"]
        with spoken[0].open("wb") as out, spoken[1].open("wb") as err:
            process = subprocess.Popen(
                program, cwd=root, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                start_new_session=True,
            )  # fmt: skip
        page = look(port, process, spoken[0], command.seconds) if name == "app" else ""
        try:
            process.wait(command.seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return f"no end in {command.seconds:.0f} s", ""
    out, err = (path.read_text(encoding="utf-8", errors="replace") for path in spoken)
    printed = f"{out}\n--- stderr\n{err}"
    usual = 1 if name == "classify" else 0  # one of its photos is a folder
    if "Traceback" in printed or process.returncode != usual:
        return f"exit {process.returncode}", printed
    try:
        return (page if page else plain(command.result(work, out))), printed
    except (ValueError, KeyError, OSError) as error:
        return f"no result: {error!r}", printed


def look(port: int, process: subprocess.Popen, spoken: Path, patience: float) -> str:
    """Ask the app for its page once it says that it is there, end it with Ctrl-C, and say what came."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + patience
    found = "no page"
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.2)
        if b"open http" not in spoken.read_bytes():
            continue
        with contextlib.suppress(OSError), opener.open(f"http://127.0.0.1:{port}/", timeout=20) as page:
            found = f"page {page.status}, {len(page.read()) > 1000}"
            break
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    return found


def plain(result: object) -> object:
    """Without what a locale's terminal can't show, and without times."""
    if not isinstance(result, str):
        return result
    return re.sub(r"\d+(\.\d+)? (ms|s|min)\b", "T", re.sub(r"[^ -~\n]+|\?+", "?", result))


class Pair:
    """A copy of the project at a usual place, and one at PLACE."""

    def __init__(self, folder: Path, model: Path | None = None):
        self.usual, self.odd = copy(folder / "project", model), copy(folder / PLACE / "project", model)

    def differs(self, name: str, surroundings: Iterable[str]) -> str:
        """What a command gives other than in the user's own surroundings, '' for nothing, and which ones do it."""
        expected, printed = outcome(name, self.usual, ())
        if isinstance(expected, str) and expected.startswith(("exit", "no ")):
            return f"in the user's own surroundings: {expected}: {printed[-1500:]}"
        guilty = list(surroundings)
        found, printed = self._outcome(name, guilty)
        if found == expected:
            return ""
        for one in list(guilty):
            fewer = [other for other in guilty if other != one]
            if fewer and (again := self._outcome(name, fewer))[0] != expected:
                guilty, (found, printed) = fewer, again
        return f"under {', '.join(guilty)}: {found}, not {expected}: {printed[-1500:]}"

    def _outcome(self, name: str, surroundings: list[str]) -> tuple[object, str]:
        return outcome(name, self.odd if "place" in surroundings else self.usual, surroundings)


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the main commands in hostile surroundings.")
    parser.add_argument("commands", nargs="*", help=f"of {', '.join(COMMANDS)} (default: all)")
    parser.add_argument("--surroundings", nargs="+", choices=SURROUNDINGS, default=list(SURROUNDINGS))
    parser.add_argument("--alone", action="store_true", help="one after the other, not all at once")
    parser.add_argument("--model", type=Path, help="an exported model; without it classify and app are left out")
    given = parser.parse_args()
    wanted = given.commands or [name for name in COMMANDS if given.model or name not in ("classify", "app")]
    with temporary_folder("hostile") as folder:
        return compare(Pair(folder, given.model), wanted, given)


def compare(pair: Pair, wanted: list[str], given: argparse.Namespace) -> int:
    """Run, print a line each, and return the exit code."""
    wrong = 0
    for name in wanted:
        for some in [[one] for one in given.surroundings] if given.alone else [given.surroundings]:
            began = time.monotonic()
            found = pair.differs(name, some)
            wrong += bool(found)
            print(f"{name}, {', '.join(some)}: {found or 'the same'} ({time.monotonic() - began:.0f} s)", flush=True)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
