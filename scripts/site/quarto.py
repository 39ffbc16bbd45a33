"""Quarto, where there is one: on PATH, named by QUARTO_PATH, or in the virtual environment."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

from scripts.common.errors import UserError
from scripts.site.builtin.kernel import environment

# Warnings to Quarto, broken pages to a reader.
BROKEN = re.compile(r"Unable to resolve (crossref|link)|Shortcode .* not found")


def find() -> str | None:
    """Quarto's program, or None. QUARTO_PATH may name the program or its folder; naming one that is not there is an
    error.
    """
    named = os.environ.get("QUARTO_PATH")
    if named:
        for path in (Path(named), Path(named) / "quarto", Path(named) / "bin" / "quarto"):
            if path.is_file() and os.access(path, os.X_OK):
                return str(path)
        raise UserError(f"QUARTO_PATH: {named} is no Quarto; mend or unset it")
    return shutil.which("quarto") or shutil.which("quarto", path=os.path.dirname(sys.executable))


def version(program: str) -> str:
    """Quarto's version. Raises UserError where the program does not run."""
    kept = {"capture_output": True, "encoding": "utf-8", "errors": "replace"}
    try:
        return subprocess.run([program, "--version"], timeout=120, check=True, **kept).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        raise UserError(f"{program}: does not run ({error}); mend it, or use --renderer builtin") from None


def render(program: str, root: Path, out: Path, limit: float, pages: int) -> None:
    """Run `quarto render` of the project in `root` into `out` (a folder below root), passing its progress on.

    limit: seconds for each of `pages`. Raises UserError with Quarto's last words where it fails or takes longer.
    """
    process = subprocess.Popen(
        [program, "render", ".", "--output-dir", out.relative_to(root).as_posix(), "--no-clean", "--no-execute-daemon"],
        cwd=root,
        encoding="utf-8",
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env={**environment(root), "QUARTO_PYTHON": sys.executable, "NO_COLOR": "1", "BEST_IMAGE_MODELS_RENDER": "1"},
    )
    whole = limit * max(1, pages)
    clock = threading.Timer(whole, lambda: _end(process))
    clock.start()
    lines: list[str] = []
    try:
        for line in process.stdout:
            lines.append(line.rstrip())
            if line.strip():
                print(f"quarto: {line.rstrip()}", file=sys.stderr, flush=True)
        code = process.wait()
    finally:
        late = not clock.is_alive()
        clock.cancel()
        _end(process)
    if late:
        raise UserError(f"quarto: ended after {whole:.0f} s; a cell hangs, or give --limit more seconds for a page")
    wrong = next((line for line in lines if BROKEN.search(line)), None)
    if wrong:
        raise UserError(f"quarto: {wrong.strip()[:300]}; mend the page")
    if code:
        words = [line for line in lines if line.strip()]
        raise UserError(f"quarto: failed with exit code {code}: {' '.join(words[-6:])[-500:]}")


def _end(process: subprocess.Popen) -> None:
    """End Quarto and all it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
