"""Shared by all tests: marks by what a test needs, the real tables and photos where they are at hand, one browser for
all tests of a worker, and disks of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import itertools
import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil
import pytest
from filelock import FileLock

from scripts.common import browser as drawing, paths
from scripts.common.errors import UserError
from scripts.common.hardware import cores
from scripts.data import download
from tests import cloud_server

SHARED = paths.ROOT.parent / "shared"
NEEDS = {"timm_tables": "tables", "browser": "browser", "chrome": "browser", "cloud": "cloud", "photos": "photos"}
# Files whose tests, where they need nothing of the above and are not marked slow, make up `make check`: no torch here.
QUICK = ("common", "data", "findings", "predict", "choose", "pages", "diff", "setup", "workflows")
# What takes longest, by the beginnings of files, in about this order; what shares a server or drawings stands together.
LONG = (
    ("diff_portable", "site_years", "figures_every_chart"),
    ("demo_",),
    ("site_check_", "site_render"),
    ("cloud_",),
    ("site_explorer", "site_browser", "site_picker"),
    ("train_distributed", "train_tracking"),
    ("bench_",),
    ("common_browser", "common_telemetry"),
    ("train_pets_export", "train_run_training"),
    ("train_train_", "train_search"),
    ("data_provenance", "data_states"),
    ("choose_main", "notebooks_choose"),
    ("figures_export", "publish_files"),
)
PATIENCE_S = 240  # for what takes a second: eight busy processes beside the tests make thirty of it


if "PYTEST_XDIST_WORKER" in os.environ:  # each worker and what it starts on one core: networks of tests are small
    os.environ["OMP_NUM_THREADS"] = "1"

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # in the background: what a test starts would ignore Ctrl-C too
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)  # `-p no:xdist` is for debuggers
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """With `-n auto`, half as many workers again as cores, since tests wait as long as they compute: for browsers,
    servers and what is killed. Each takes up to 2 GB.
    """
    if config.option.numprocesses != "auto":
        return None
    return max(1, min(cores() + cores() // 2, psutil.virtual_memory().total // 2**31))


gc.disable()  # looking for garbage among what is imported took 4 of the 15 seconds in which a worker finds its tests


def pytest_collection_finish() -> None:
    """From now on the collector looks past all that is imported: a quarter of a second each time, with torch in it."""
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    gc.unfreeze()  # else libraries report at the end what was not freed


def _is_quick(path: Path) -> bool:
    return path.stem.removeprefix("test_").startswith(QUICK)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m quick`, files that have none are not even imported: torch alone takes seconds."""
    skip = config.option.markexpr == "quick" and collection_path.suffix == ".py" and not _is_quick(collection_path)
    return True if skip else None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]):
    for item in items:  # before pytest looks at -m
        needs = {mark for fixture, mark in NEEDS.items() if fixture in getattr(item, "fixturenames", ())}
        for mark in needs:
            item.add_marker(mark)
        if not needs and _is_quick(item.path) and not item.get_closest_marker("slow"):
            item.add_marker("quick")
    yield
    if workers := getattr(config, "workerinput", {}).get("workercount"):
        items[:] = _long_ones_first(items, workers)


def _long_ones_first(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """`items` in an order in which each worker, which takes its part in one piece, begins with LONG files."""
    of = lambda item: item.path.stem.removeprefix("test_")
    long = [[item for item in items if of(item).startswith(names)] for names in LONG]
    others = iter([item for item in items if not of(item).startswith(tuple(itertools.chain(*LONG)))])
    found: list[pytest.Item] = []
    for number in range(workers):
        own = list(itertools.chain(*long[number::workers]))
        room = (len(items) - len(found)) // (workers - number) - len(own)
        found += [*own, *itertools.islice(others, max(0, room))]
    return [*found, *others]


@pytest.fixture(scope="session")
def timm_tables() -> Path:
    """The folder of timm's real tables, two vintages; the test is skipped where they are not at hand."""
    for candidate in (os.environ.get("TIMM_RESULTS", ""), SHARED / "timm-results", paths.CACHE / "timm-results"):
        if candidate and all((Path(candidate) / vintage).is_dir() for vintage in download.VINTAGES):
            return Path(candidate)
    pytest.skip("timm's tables are not at hand; `make data` fetches them")


@pytest.fixture(scope="session")
def photos() -> Path:
    """The folder of real cat and dog photos; the test is skipped where they are not at hand."""
    if not (SHARED / "cats-and-dogs" / "training_set").is_dir():
        pytest.skip("the cat and dog photos are not at hand")
    return SHARED / "cats-and-dogs"


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """once(name, make): the folder that make(folder) filled, made by the worker that asks first; the others wait."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder, part = root / f"once-{name}", root / f"once-{name}-part"
        with FileLock(root / f"once-{name}.lock"):
            if not folder.is_dir():
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
                make(part)
                part.rename(folder)
        return folder

    return made


@pytest.fixture(scope="session")
def every_drawing(timm_tables: Path, once) -> dict:
    """Every chart of the catalogue that can be drawn here, by name, with its figures as the text of `figure_json`."""

    def draw(folder: Path) -> None:
        from scripts.figures.catalogue import drawings
        from scripts.figures.export import figure_json

        found = {}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TIMM_RESULTS", str(timm_tables))
            for name, one in drawings():
                texts = figure_json(one.figure), one.phone and figure_json(one.phone)
                found[name] = dataclasses.replace(one, figure=texts[0], phone=texts[1])
        (folder / "drawings.pickle").write_bytes(pickle.dumps(found))

    return pickle.loads((once("drawings", draw) / "drawings.pickle").read_bytes())


@pytest.fixture(scope="session")
def every_verdict(timm_tables: Path, once) -> pd.DataFrame:
    """The verdicts on timm's real tables."""

    def judge(folder: Path) -> None:
        from scripts.findings import verdicts

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TIMM_RESULTS", str(timm_tables))
            verdicts.compute().to_pickle(folder / "verdicts.pickle")

    return pd.read_pickle(once("verdicts", judge) / "verdicts.pickle")


@pytest.fixture
def moved():
    """A function that puts folders of the project elsewhere for this test, for whoever uses them:
    moved(DATA=folder, CACHE=other).
    """
    took = []

    def move(**folders: Path) -> None:
        for name, folder in folders.items():
            here = getattr(paths, name)
            took.append((name, folder, here))
            for module in _project():
                if getattr(module, name, None) == here:
                    setattr(module, name, folder)

    yield move
    for name, folder, here in reversed(took):
        for module in _project():  # those that were first imported meanwhile, too
            if getattr(module, name, None) == folder:
                setattr(module, name, here)


def _project() -> list:
    return [module for name, module in list(sys.modules.items()) if name.startswith("scripts.") and module]


# --- rented machines --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def amazon(tmp_path_factory):
    """The worker's moto server and the process with Amazon's SDK, which takes seconds to import."""
    found = cloud_server.Cloud(tmp_path_factory.mktemp("cloud")).start()
    # the SDK asks for the default bucket's name at a fixed address of Amazon's
    found.put("s3://our-bucket/made-before", b"")
    yield found
    found.stop()


@pytest.fixture
def cloud(amazon):
    """tests.cloud_server.Cloud without requests, refusals and variables of the tests before."""
    amazon.forget()
    return amazon


# --- a browser --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def chrome() -> str:
    """The path of a Chrome; the test is skipped where there is none."""
    try:
        return drawing.browser()
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def browser(chrome: str):
    """The worker's browser (playwright's Browser); each test takes pages or contexts of its own and closes them."""
    with drawing.window(chrome, env={**os.environ, "FONTCONFIG_FILE": str(drawing.font_config())}) as window:
        context, page = window.new_context, window.new_page
        window.new_context = lambda **settings: _patient(context(**settings))
        window.new_page = lambda **settings: _patient(page(**settings))
        loop = asyncio.get_running_loop()
        yield window
        asyncio._set_running_loop(loop)


def _patient(opened):
    opened.set_default_timeout(PATIENCE_S * 1000)
    return opened


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item):
    """Playwright leaves its event loop running between tests, and a test without a browser may run one of its own."""
    loop = asyncio._get_running_loop()
    if loop is None or "browser" in getattr(item, "fixturenames", ()):
        return (yield)
    asyncio._set_running_loop(None)
    try:
        return (yield)
    finally:
        asyncio._set_running_loop(loop)


# --- disks ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def tmpfs(folder: Path, size: str):
    """A file system of its own at `folder`. Needs root on Linux; skipped elsewhere."""
    folder.mkdir()
    if not (hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("mount")):
        pytest.skip("a small tmpfs needs root")
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True
    ).returncode:
        pytest.skip("tmpfs cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path):
    """A full disk: a 256 kB tmpfs with 4 kB left."""
    with tmpfs(tmp_path / "small-disk", "256k") as folder:
        (folder / "filler").write_bytes(b"x" * 252 * 1024)
        yield folder


@pytest.fixture
def other_disk(tmp_path):
    """Another file system: an empty tmpfs of 64 MB."""
    with tmpfs(tmp_path / "other-disk", "64m") as folder:
        yield folder
