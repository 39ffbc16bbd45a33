"""Run a page's cells in a real kernel, under a time limit, and keep what came out until something that the page reads
changes.

The kernel is this very Python (no kernelspec need be installed), in the folder that Quarto would take, one for each
page. A failing cell is a UserError with page, line and error; its traceback goes to a log under build/. A cell that
hangs is ended with all its children.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
import sys
import time
from pathlib import Path

from scripts.common import hardware, provenance
from scripts.common.errors import UserError
from scripts.common.paths import atomic_write
from scripts.common.temporary import short_place, temporary_folder
from scripts.site.builtin.source import INLINE, Cell, Page, Text

SCHEMA = 2
# Programs that read no files of ours; the machine is part of a record's key.
ASK_THE_MACHINE = {"nvidia-smi", "sysctl", "uname"}
CODE = Path(__file__).resolve().parents[3]
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_START = "import scripts.site.builtin.trace as _t; _t.start(); del _t"
_REPORT = "__import__('json').dumps(__import__('scripts.site.builtin.trace', fromlist=['x']).report())"


def environment(root: Path, name: str = "") -> dict[str, str]:
    """The environment in which the cells of page `name` run: the project importable, and what Quarto tells a kernel."""
    given = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    path = os.pathsep.join(dict.fromkeys([str(root), str(CODE), *given]))
    own = {
        "QUARTO_DOCUMENT_PATH": str((root / name).parent),
        "QUARTO_DOCUMENT_FILE": Path(name).name,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    # ipykernel drops the first entry of its path, which is the current folder unless PYTHONSAFEPATH keeps that out.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    return {
        **kept,
        "PYTHONPATH": path,
        "BEST_IMAGE_MODELS_ROOT": str(root),
        "IPYTHONDIR": str(root / "build" / "ipython"),  # the user's own may run anything at each start
        "QUARTO_PROJECT_ROOT": str(root),
        "PYTHONHASHSEED": "0",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        **(own if name else {}),
    }


async def run(page: Page, root: Path, limit: float) -> list:
    """Results of `page`'s parts: a cell's outputs (nbformat dictionaries) or the list of a text's inline values (mime
    bundles).

    limit: seconds for the whole page. Raises UserError for a failing, hung or dying cell.
    """
    if not any(isinstance(part, Cell) or INLINE.search(part.text) for part in page.parts):
        return [[] for _ in page.parts]
    kept = _kept(page, root)
    if kept is not None:
        return kept
    began = time.time()
    results, reads = await _execute(page, root, limit)
    _keep(page, root, began, results, reads)
    return results


# --- running


@contextlib.asynccontextmanager
async def _kernel(page: Page, root: Path, limit: float):
    """An nbclient client with a running kernel, which ends with all it started however this is left.

    nbclient's own set-up is not used: it takes Ctrl-C for itself and reports a dead kernel.
    """
    import nbformat
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpec
    from nbclient import NotebookClient

    deadline = time.monotonic() + limit
    closing = contextlib.ExitStack()
    folder = closing.enter_context(temporary_folder("site-kernel", short_place()))
    own = {"transport": "ipc", "ip": f"{folder}/k"}  # sockets rather than ports that anybody here can talk to
    manager = AsyncKernelManager(connection_file=f"{folder}/kernel.json", **(own if hasattr(socket, "AF_UNIX") else {}))
    manager._kernel_spec = KernelSpec(
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        language="python",
        display_name="Python 3",
        metadata={"debugger": False},
    )
    client = NotebookClient(
        nbformat.v4.new_notebook(),
        km=manager,
        store_widget_state=False,
        startup_timeout=max(1, int(limit)),
        timeout_func=lambda cell: max(1, int(deadline - time.monotonic())),
    )
    client.log.setLevel("CRITICAL")
    try:
        await client.async_start_new_kernel(cwd=str(page.folder), env=environment(root, page.name))
        await client.async_start_new_kernel_client()
        yield client
    finally:
        if client.kc:
            client.kc.stop_channels()
        if await manager.is_alive():
            await manager.shutdown_kernel(now=True)
        closing.close()


async def _execute(page: Page, root: Path, limit: float) -> tuple[list, dict]:
    """(results as `run` gives them, what the cells read)."""
    import nbformat
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    results: list = []
    cells: list = []
    line = 0
    try:
        async with _kernel(page, root, limit) as client:
            await _ask(client, _START, {})
            for part in page.parts:
                line = part.line
                if isinstance(part, Text):
                    results.append(await _inline(client, page, part))
                    continue
                if not page.option(part, "eval", True) or not part.code.strip():
                    results.append([])
                    continue
                cells.append(nbformat.v4.new_code_cell(part.code))
                client.nb.cells.append(cells[-1])
                await client.async_execute_cell(cells[-1], len(cells) - 1)
                results.append(json.loads(json.dumps(cells[-1].outputs)))
            answer = await _ask(client, "", {"reads": _REPORT})
            return results, json.loads(ast.literal_eval(answer["reads"]["data"]["text/plain"]))
    except CellExecutionError as error:
        lines = next((one["traceback"] for one in cells[-1].outputs if one.output_type == "error"), [str(error)])
        traceback = _ANSI.sub("", "\n".join(lines))
        inside = re.findall(r"Cell In\[\d+\], line (\d+)", traceback)
        number = part.first + int(inside[0]) - 1 if inside else line
        raise UserError(
            f"{page.name}:{number}: {error.ename}: {_short(error.evalue)}; the traceback is in "
            f"{_log(page, root, traceback)}"
        ) from None
    except CellTimeoutError:
        raise UserError(
            f"{page.name}:{line}: this cell was ended, the page's time limit of {limit:.0f} s is over; "
            "mend it, or give --limit more seconds"
        ) from None
    except DeadKernelError:
        # another page failed, or Ctrl-C: nbclient takes that for a dead kernel
        if getattr(asyncio.current_task(), "cancelling", int)():
            raise asyncio.CancelledError from None
        raise UserError(
            f"{page.name}:{line}: the kernel died in this cell (out of memory, or the cell ended it)"
        ) from None
    except RuntimeError as error:
        raise UserError(f"{page.name}: the kernel did not start ({_short(str(error))}); try `make setup`") from None


async def _ask(client, code: str, expressions: dict) -> dict:
    """Run `code` silently and evaluate `expressions`; returns their results by name, each with its status."""
    message = client.kc.execute(code, silent=not expressions, store_history=False, user_expressions=expressions)
    reply = await client.async_wait_for_reply(message, cell={"source": "\n".join(expressions.values()), "metadata": {}})
    return reply["content"].get("user_expressions", {})


async def _inline(client, page: Page, part: Text) -> list:
    matches = list(INLINE.finditer(part.text))
    if not matches:
        return []
    answers = await _ask(client, "", {str(i): match[2].strip() for i, match in enumerate(matches)})
    values = []
    for i, match in enumerate(matches):
        answer, line = answers[str(i)], part.line + part.text.count("\n", 0, match.start(2))
        if answer["status"] == "error":
            raise UserError(
                f"{page.name}:{line}: `{{python}} {match[2].strip()}`: {answer['ename']}: {_short(answer['evalue'])}"
            )
        values.append({"line": line, "data": answer["data"]})
    return values


def _short(text: str) -> str:
    return " ".join(_ANSI.sub("", str(text)).split())[:300]


def _log(page: Page, root: Path, text: str) -> str:
    path = atomic_write(_record(page, root).with_suffix(".log"), text + "\n")
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


# --- keeping


def _record(page: Page, root: Path) -> Path:
    folder = root / "build" / "site-pages"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / (page.name.removesuffix(".qmd").replace("/", "--") + ".json")


def _key(page: Page, root: Path) -> str:
    """Hash of what decides a page's outputs besides the files it reads: its text and options, Python, installed
    packages, settings.
    """
    installed = {entry for folder in sys.path if os.path.isdir(folder) for entry in os.listdir(folder)}
    packages = sorted(entry for entry in installed if entry.endswith(".dist-info"))
    asked = ("TIMM_RESULTS", "DATA", "TZ", "LANG", "LC_ALL")
    settings = {key: value for key, value in os.environ.items() if key in asked}
    machine = [hardware.cpu_model(), hardware.cores(), shutil.which("nvidia-smi")]
    facts = [SCHEMA, page.text, page.meta.get("execute"), sys.version, str(page.folder), packages, settings, machine]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def _state(reads: dict) -> dict[str, str]:
    """Hash of each file and listing now; 'missing' where there is none."""
    state = dict.fromkeys([*reads["files"], *(path + os.sep for path in reads["folders"])], "missing")
    for path in state:
        with contextlib.suppress(OSError):
            state[path] = _listing(path) if path.endswith(os.sep) else provenance.sha256(path)
    return state


def _listing(folder: str) -> str:
    """Hash of the names in `folder`, hidden ones apart."""
    names = sorted(name for name in os.listdir(folder) if name[0] != "." and name != "__pycache__")
    return hashlib.sha256("\0".join(names).encode()).hexdigest()


def _keep(page: Page, root: Path, began: float, results: list, reads: dict) -> None:
    changed = [path for path in reads["files"] if os.path.exists(path) and os.stat(path).st_mtime >= began]
    # what a program reads is not seen; what changed may have been read before or after
    if set(reads["programs"]) - ASK_THE_MACHINE or changed:
        _record(page, root).unlink(missing_ok=True)
        return
    record = {"key": _key(page, root), "reads": reads, "state": _state(reads), "results": results}
    atomic_write(_record(page, root), json.dumps(record))


def _kept(page: Page, root: Path) -> list | None:
    try:
        record = json.loads(_record(page, root).read_text(encoding="utf-8"))
        same = record["key"] == _key(page, root) and record["state"] == _state(record["reads"])
        return record["results"] if same else None
    except (OSError, ValueError, KeyError, TypeError):  # none, or damaged: run the page
        return None
