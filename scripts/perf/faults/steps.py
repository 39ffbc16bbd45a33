"""The steps that kills and disks disturb: each a command on small made-up inputs in a copy of the project, started in a
process of its own.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import http.server
import importlib
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from scripts.common.errors import UserError
from scripts.common.paths import ROOT
from scripts.demo.serving import free_port
from scripts.perf.faults.outcome import MADE, look, odd

LEFT = ".git .venv .cache build charts models runs _site __pycache__ .mypy_cache .ruff_cache".split()
PATIENCE_S = 120  # for what takes seconds
CHARTS = ("machines_stable", "machines_ours")  # of committed tables alone
PHOTOS = ("--data", "tmp/shades", "--device", "cpu")


@dataclass(frozen=True)
class Step:
    """One command: `module` with `arguments`. before: makes the state that the command finds. made: the files that
    have to be whole at any moment (patterns in the copy). preload: what is imported once, for all rounds. serves:
    it answers until it is ended.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    before: Callable[[], object] = lambda: None
    made: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()
    serves: bool = False


def _older(pattern: str, count: int = 1) -> Callable[[], None]:
    """Tables as an older run would have left them: some of their rows, with a sidecar that fits."""

    def work() -> None:
        from scripts.common import provenance

        for path in sorted(Path("report/data").glob(pattern)):
            facts = provenance.read_sidecar(path)
            frame = pd.read_csv(path, dtype=str, keep_default_na=False)
            provenance.write_pair(frame.iloc[: -count or None], path, facts)

    return work


def _tables() -> None:
    """Made-up tables under the names of timm's, on a server that takes a moment for each."""

    class Tables(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            content = f"model,{self.path}\n".encode() + b"resnet18,1\n" * 9_000
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            for start in range(0, len(content), 20_000):
                with contextlib.suppress(OSError):  # whoever asked is gone
                    self.wfile.write(content[start : start + 20_000])
                time.sleep(0.002)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tables)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ["TIMM_RESULTS"] = f"http://127.0.0.1:{server.server_port}"


def _older_pictures() -> None:
    """Pictures that were drawn from something else, and a manifest that says so."""
    from PIL import Image

    manifest = json.loads(Path("images/manifest.json").read_text(encoding="utf-8"))
    for name in (name for chart in CHARTS for name in (chart, f"{chart}-phone") if name in manifest["charts"]):
        path, entry = Path(f"images/{name}.jpg"), manifest["charts"][name]
        with Image.open(path) as picture:
            picture.convert("L").convert("RGB").save(path, quality=60)
        entry["figure_sha256"] = "0" * 64
        entry["jpg"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    Path("images/manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _judged() -> None:
    """Older findings, and today's computed beforehand: that takes ten seconds, and kills are about the writing."""
    from scripts.findings import fields, verdicts

    _older("findings.csv")()
    tables = list(fields.configurations())
    frame = verdicts.compute(tables)
    fields.configurations, verdicts.compute = lambda: tables, lambda _: frame.copy()


CONFIG = """project: {type: website, render: [index.qmd, report/*.qmd]}
website: {title: Small site, navbar: {search: false, left: [{href: index.qmd, text: Home}]}}
format: {html: {css: assets/site.css, toc: true, html-math-method: mathml}}
"""


def _pages(text: str) -> None:
    """Two pages with a cell each, in the place of the report's."""
    from scripts.site import models

    models.add = lambda *_: 0  # 1,300 pages take ten seconds, in the folder that changes places like the others
    for path in Path("report").glob("*.qmd"):
        path.unlink()
    for path in (Path("index.qmd"), Path("report/two.qmd")):
        path.write_text(f"---\ntitle: {text}\n---\n\n```{{python}}\n'{text}' * 3\n```\n", encoding="utf-8")
    Path("_quarto.yml").write_text(CONFIG, encoding="utf-8")


def _older_site() -> None:
    _pages("Older")
    run("scripts.site.render", ("--renderer", "builtin"))
    _pages("Newer")


def shades() -> None:
    """Bright and dark pictures, which any network can tell apart."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    for name, low in (("bright", 128), ("dark", 0)):
        folder = Path("tmp/shades") / name
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(20):
            pixels = random.integers(low, low + 128, (40, 48, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")


def _trained(module: str, *arguments: str) -> Callable[[], None]:
    """The photos, and what an earlier run with other settings made of them."""

    def work() -> None:
        shades()
        run(module, (*PHOTOS, *arguments))

    return work


def _space() -> None:
    shades()
    Path("tmp/space.json").write_text('{"lr": [0.001, 0.01], "batch": [8, 16]}', encoding="utf-8")


def _model() -> None:
    """A network that was never trained, of a size that answers at once."""
    import torch

    from scripts.train import exported

    shades()
    torch.manual_seed(0)
    config = exported.Config("test_resnet", ("cat", "dog"), 96, (0.5,) * 3, (0.25,) * 3, builder="fastai")
    exported.save(Path("models/small"), exported.build(config), config, onnx=False)


def asked(address: str, alive: Callable[[], bool] = lambda: True) -> list:
    """What the app says of a photo, times aside; waits until it is up. Raises UserError where it is not in time."""
    import httpx

    from scripts.demo.serving import ask

    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and alive():
        with contextlib.suppress(httpx.HTTPError):
            answer = ask(address, "photo.png", Path("tmp/shades/bright/0.png").read_bytes())
            return [item.get("confidences") for item in answer["data"] if isinstance(item, dict)]
        time.sleep(0.05)
    raise UserError(f"{address}: the app did not answer within {PATIENCE_S} s")


ZOO = ("--models", "lenet5,resnet20", "--batch", "8", "--threads", "1", "--untimed", "--epochs")
NET = ("--arch", "test_resnet", "--pretrained", "no", "--tracker", "none", "--size", "32", "--batch", "8", "--epochs")
TRIALS = ("--model", "lenet5", "--epochs", "1", "--trials", "4", "--sampler", "grid", "--space", "tmp/space.json")
STEPS = {
    step.name: step
    for step in (
        Step("data", "scripts.data.read_data", (), _tables, (".cache/timm-results*/*",), ("requests", "pooch")),
        Step("findings", "scripts.findings.verdicts", ("--quiet",), _judged, ("report/data/*",)),
        Step("figures", "scripts.figures.export", ("--only", *CHARTS), _older_pictures, ("images/*", "charts/*"),
             ("plotly", "kaleido", "scripts.figures.catalogue")),
        Step("site", "scripts.site.render", ("--renderer", "builtin"), _older_site, ("_site/*",), ("nbclient",)),
        Step("zoo", "scripts.train.train_models", (*PHOTOS, *ZOO, "3"),
             _trained("scripts.train.train_models", *ZOO, "1"), ("report/data/*",),
             ("torch", "timm", "scripts.train.fit")),
        Step("export", "scripts.train.pets_export", (*PHOTOS, *NET, "2"),
             _trained("scripts.train.pets_export", *NET, "1"), ("models/*", "report/data/*"),
             ("fastai.vision.all", "torch.onnx")),
        Step("search", "scripts.train.search",
             (*PHOTOS, *TRIALS),
             _space, ("report/data/*",), ("torch", "timm", "optuna", "sqlalchemy", "scripts.train.fit")),
        Step("app", "scripts.demo.app", ("models/small", "--runtime", "eager"), _model, preload=("torch", "timm"),
             serves=True),
    )
}  # fmt: skip


def known(names: list[str], there: Iterable[str] = STEPS) -> None:
    """Raise UserError for a name that is no step."""
    for name in names:
        if name not in there:
            raise UserError(f"{name}: no such step; choose from {', '.join(there)}")


def prepared(step: Step, kept: Path) -> dict[str, str]:
    """What there is before `step` (`look`), made here and kept in the folder `kept`, its modules imported."""
    for name in (*step.preload, step.module):
        importlib.import_module(name)
    step.before()
    for name in MADE:
        shutil.copytree(name, kept / name, symlinks=True)
    return look(step.made)


def copy(home: Path) -> None:
    """The project without what was built, made or downloaded."""
    shutil.copytree(ROOT, home, ignore=shutil.ignore_patterns(*LEFT), symlinks=True, dirs_exist_ok=True)
    for name in MADE:
        (home / name).mkdir(parents=True, exist_ok=True)


def environment() -> dict[str, str]:
    """This process's, for the copy: none of our own settings, one thread so that results are the same."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("BEST_IMAGE_MODELS_")}
    return {**own, "OMP_NUM_THREADS": "1"}


def begin(module: str, arguments: tuple[str, ...], said: Path) -> int:
    """Start the command in a process of its own, as `python -m` does, what it prints into `said`; returns its id. The
    imports are done: a random moment lies in the work.
    """
    loaded = importlib.import_module(module)
    if (process := os.fork()) == 0:
        code = 1
        try:
            os.setsid()
            with said.open("wb") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.argv = [module, *arguments]
            sys.orig_argv = ["python", "-m", *sys.argv]
            code = loaded.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            with contextlib.suppress(BaseException):
                threading._shutdown()  # what a normal end does
                atexit._run_exitfuncs()
            os._exit(code or 0)
    return process


def finish(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def last_words(said: Path) -> str:
    return said.read_text(encoding="utf-8", errors="replace")[-800:]


def run(module: str, arguments: tuple[str, ...], said: Path = Path("said.txt")) -> None:
    """The command to its end. Raises UserError with what it said last where it failed."""
    if code := finish(begin(module, arguments, said)):
        raise UserError(f"{module} {' '.join(arguments)}: exit code {code}: {last_words(said)}")


def undisturbed(step: Step) -> dict[str, str]:
    """Run the step to its end and look at what there is then. Raises UserError where it fails."""
    answer = None
    if step.serves:
        port = str(free_port())
        process = begin(step.module, (*step.arguments, "--port", port), Path("said.txt"))
        answer = asked(f"http://127.0.0.1:{port}")
        os.kill(process, signal.SIGTERM)
        if code := finish(process):
            raise UserError(f"{step.name}: exit code {code}: {last_words(Path('said.txt'))}")
    else:
        run(step.module, step.arguments)
    if strange := odd():
        raise UserError(f"{step.name}: {', '.join(strange)}")
    return {**look(step.made), **({"answer": str(answer)} if step.serves else {})}
