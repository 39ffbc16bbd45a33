"""`make setup`: everything the other targets need, on a machine that has only Python and make.

    python3 scripts/setup/install.py           # all of it
    python3 scripts/setup/install.py --light   # without torch: enough for `make figures` and `make site`
    python3 scripts/setup/install.py --cloud   # what renting machines needs, besides, in .venv/cloud

Makes .venv, installs the locked packages (versions and hashes), finds or installs a Chrome that can draw the charts,
finds or installs Quarto, and says what it found. What it found is written to .venv/found.json. Runs on the system's
Python: standard library only.
"""

from __future__ import annotations

import argparse
import ast
import functools
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
CLOUD = "cloud"  # a folder in .venv: an environment of its own, whose packages contradict those of requirements.lock
LOG = ROOT / "build" / "setup.log"
OLDEST_PYTHON = (3, 10)  # of those that CI runs the tests on
TRIED = (ROOT / ".quarto-version").read_text(encoding="utf-8").strip()  # Quarto's, with which the pages were tried
UNVERIFIED: list[str] = []  # what was fetched without a checksum; the packages have theirs in the lock files
# What a pip.conf or the environment may say about where packages go: they go into .venv. Where they come from (index,
# proxy, certificates) stays the user's.
ELSEWHERE = ("user", "target", "prefix", "root", "dry-run", "no-deps")
PIP = ("-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")  # arguments of a Python
QUARTO = f"quarto-cli=={TRIED}"  # carries no Quarto itself: it downloads one from GitHub while it installs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], epilog="example: make setup")
    parser.add_argument("--light", action="store_true", help="without torch: enough for `make figures` and `make site`")
    parser.add_argument("--cloud", action="store_true", help="the packages for renting machines, in .venv/cloud")
    options = parser.parse_args()
    light = options.light
    if sys.version_info < OLDEST_PYTHON:
        return fail(
            f"Python {sys.version.split()[0]} is too old; install {'.'.join(map(str, OLDEST_PYTHON))} or newer and run "
            "`make setup PYTHON=python3.12`, or whatever yours is called"
        )
    if missing := no_packages(light):
        return fail(missing)
    LOG.parent.mkdir(exist_ok=True)
    LOG.write_text("", encoding="utf-8")
    if not make_venv(any_python=options.cloud):
        return fail(
            f"could not make .venv (see {LOG.relative_to(ROOT)}); on Debian and Ubuntu: apt-get install python3-venv"
        )
    if options.cloud:
        say("installing the packages of requirements-cloud.lock in .venv/cloud …")
        if install_cloud():
            return 0
        return fail(
            f"could not install requirements-cloud.lock; the reason is in {LOG.relative_to(ROOT)}. Everything "
            "but `--execution_mode aws`, `local` and scripts.cloud.bench works without it"
        )
    lock = "requirements-site.lock" if light else "requirements.lock"
    say(f"installing the packages of {lock}" + ("" if light else " (torch is large: a few minutes)") + " …")
    if not install(lock):
        return fail(
            f"could not install {lock}; the reason is in {LOG.relative_to(ROOT)} (no network? a full disk?). Run "
            "`make setup` again"
        )
    browser, quarto = find_browser(), find_quarto()
    (VENV / "found.json").write_text(
        json.dumps({"browser": browser, "quarto": quarto}, indent=2) + "\n", encoding="utf-8"
    )
    say(f"Python   {'.'.join(map(str, sys.version_info[:2]))} in .venv, {lock}")
    pictures = "none: charts keep their committed pictures. Install Chrome or Chromium, or set BROWSER_PATH"
    pages = "none: the built-in renderer makes the site. To use Quarto, install it from quarto.org"
    say(f"Chrome   {browser or f'{pictures}, then `make setup`'}")
    say(f"Quarto   {quarto or f'{pages}, then `make setup`'}")
    for what in UNVERIFIED:
        say(f"not verified by a checksum: {what}; to have one that is, install it yourself before `make setup`")
    return 0


def no_packages(light: bool) -> str:
    """'' or, before anything is downloaded, why the locked packages can't be had here. They come built: torch for macOS
    14 on Apple's chips and for glibc 2.28, OpenVINO on ARM for glibc 2.35, none of the two for musl (Alpine). light:
    without torch and OpenVINO."""
    system, arm = platform.system(), platform.machine().lower() in ("arm64", "aarch64")
    if system == "Linux":
        libc, version = platform.libc_ver()
        need = (2, 35) if arm and not light else (2, 28)
        if libc != "glibc":
            return "there are no packages for a Linux without glibc, such as Alpine; use Debian, Ubuntu or Fedora"
        if tuple(map(int, version.split(".")[:2])) < need:
            newer = "Ubuntu 22.04 or Debian 12" if need > (2, 28) else "Debian 10 or Ubuntu 20.04"
            has = f"{newer} and what is newer has glibc {need[0]}.{need[1]}"
            return f"glibc {version} is too old for the packages; {has}"
    if system == "Darwin" and not light:
        if not arm:
            return (
                "PyTorch makes no packages for Intel Macs, or for a Python made for them; charts and site can be "
                "made here: python3 scripts/setup/install.py --light, then make figures and make site"
            )
        if int(platform.mac_ver()[0].split(".")[0] or 14) < 14:
            return f"macOS {platform.mac_ver()[0]} is too old for PyTorch's packages; macOS 14 and newer have them"
    return ""


for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a letter shows a question mark
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")


def say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def fail(text: str) -> int:
    print(f"error: setup: {text}", file=sys.stderr)
    return 2


@functools.lru_cache(maxsize=1)
def surroundings() -> dict[str, str]:
    """The environment without what would put packages ELSEWHERE. An empty value does not take back a pip.conf's: where
    one names a place, pip reads none, and is told the rest of it by variables."""
    variable = lambda name: f"PIP_{name.upper().replace('-', '_')}"
    kept = {name: value for name, value in os.environ.items() if name not in map(variable, ELSEWHERE)}
    try:
        asked = [str(PYTHON if PYTHON.exists() else sys.executable), "-I", "-m", "pip", "config", "list"]
        said = subprocess.run(asked, capture_output=True, encoding="utf-8", errors="replace", env=kept).stdout
    except OSError:
        return kept
    found = dict(re.findall(r"^(?:global|install)\.([\w-]+)=(.*)$", said, re.M))
    if not set(found) & set(ELSEWHERE):
        return kept
    rest = {variable(name): str(ast.literal_eval(value)) for name, value in found.items() if name not in ELSEWHERE}
    return {**rest, **kept, "PIP_CONFIG_FILE": os.devnull}


def run(*command: str, timeout_s: int = 3600, **environment: str) -> bool:
    """Run a command with its output in the log. True if it went well."""
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"\n$ {' '.join(command)}\n")
        log.flush()
        streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT}
        try:
            env = {**surroundings(), **environment}
            return subprocess.run(command, **streams, timeout=timeout_s, env=env).returncode == 0
        except (OSError, subprocess.SubprocessError) as error:
            log.write(f"{error}\n")
            return False


def make_venv(any_python: bool = False) -> bool:
    """Make .venv, or keep the one that works: one that was moved, lost its Python or has another (3.10 for 3.12) is
    made anew.

    any_python: keep it whatever its Python, as what is only added to it does."""
    same = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    works = PYTHON.exists() and run(str(PYTHON), "-I", "-m", "pip", "--version")
    if works and (any_python or run(str(PYTHON), "-c", same)):
        return True
    try:
        venv.EnvBuilder(with_pip=True, clear=True, symlinks=True).create(VENV)
        return True
    except (OSError, subprocess.SubprocessError) as error:
        LOG.write_text(f"{error}\n", encoding="utf-8")
        return False


def install(lock: str) -> bool:
    """Install a lock file: by uv, which is several times faster; by pip where uv cannot (it reads no pip
    configuration). Uv leaves the bytecode to the first import: most of what is installed is never imported."""
    pip = [str(PYTHON), *PIP, "--require-hashes"]
    uv = [str(VENV / "bin" / "uv"), "pip", "install", "--python", str(PYTHON), "--require-hashes"]
    set_up = run(*pip, "-r", str(ROOT / "requirements-setup.lock"))
    return (set_up and run(*uv, "-r", str(ROOT / lock))) or run(*pip, "-r", str(ROOT / lock))


def install_cloud() -> bool:
    """Make .venv/cloud: by uv, else by venv and pip. The lock is complete, and a package that the SDK asks for is left
    out of it on purpose."""
    folder, uv, lock = VENV / CLOUD, str(VENV / "bin" / "uv"), str(ROOT / "requirements-cloud.lock")
    python = str(folder / "bin" / "python")
    sync = [uv, "pip", "sync", "--python", python, "--require-hashes", lock]
    if run(uv, "venv", "--clear", "--python", str(PYTHON), str(folder)) and run(*sync):
        return True
    pip = [python, *PIP, "--no-deps", "--require-hashes", "-r", lock]
    return run(str(PYTHON), "-m", "venv", "--clear", str(folder)) and run(*pip)


def find_browser() -> str | None:
    """A Chrome that can draw the charts: BROWSER_PATH, PATH, the usual places, Debian's package, Plotly's own
    download."""
    if found := look_for_browser():
        return found
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        say("installing Chromium …")
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", timeout_s=300, **quiet)
        run("apt-get", "install", "-y", "--no-install-recommends", "chromium", timeout_s=900, **quiet)
        if found := look_for_browser():
            return found
    say("fetching Chrome …")
    run(str(VENV / "bin" / "plotly_get_chrome"), "-y", timeout_s=600)
    if found := look_for_browser():
        UNVERIFIED.append("Chrome, which Plotly's package downloads")
    return found


def look_for_browser() -> str | None:
    """The browser that kaleido itself would take."""
    if os.environ.get("BROWSER_PATH"):
        return os.environ["BROWSER_PATH"]
    code = "from choreographer.browsers.chromium import Chromium; print(Chromium.find_browser(skip_local=False) or '')"
    asked = subprocess.run([str(PYTHON), "-c", code], capture_output=True, encoding="utf-8", errors="replace")
    return asked.stdout.strip() or None


def find_quarto() -> str | None:
    """Quarto: on PATH, in .venv, or through its package; None where it cannot be had."""
    for candidate in (shutil.which("quarto"), str(VENV / "bin" / "quarto")):
        if candidate and Path(candidate).exists() and run(candidate, "--version", timeout_s=60):
            return candidate
    say("installing Quarto …")
    own = str(VENV / "bin" / "quarto")
    if not (run(str(PYTHON), *PIP, QUARTO, timeout_s=300) and run(own, "--version", timeout_s=60)):
        return None
    UNVERIFIED.append("Quarto, which its package downloads")
    return own


if __name__ == "__main__":
    sys.exit(main())
