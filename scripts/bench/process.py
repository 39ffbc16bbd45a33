"""The measuring process, seen from the sweep: started when needed, and started again when a model took it down.

On a CPU each model has a process of its own, since what was measured before decides how glibc gives memory back, and so
how fast a light model is. It is forked from one that has imported torch and timm, which takes 0.1 s instead of 5.
"""

from __future__ import annotations

import multiprocessing
import os
import signal

from scripts.bench import measure, worker
from scripts.bench.settings import Settings
from scripts.common.errors import UserError

PRELOADED = ["__main__", "torch", "timm", "pandas", "scripts.bench.measure", "scripts.bench.count"]
PATIENCE = 600.0  # seconds without an answer, over twenty times a model's budget: compiling a large model takes minutes


class Crashed(UserError):
    """The measuring process ended without an answer; the message says how."""


def context():
    """How processes start: forked from one that has imported much but computed nothing, where the system can."""
    if "forkserver" not in multiprocessing.get_all_start_methods():  # Windows
        return multiprocessing.get_context("spawn")
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(PRELOADED)
    return found


def begin(serve, pipe, environment: dict[str, str]) -> None:
    """`serve` with the environment as it is now; a forked process has that of the first start."""
    os.environ.clear()
    os.environ.update(environment)
    serve(pipe)


class Measurer:
    """A context manager. `ask` one of `worker.VERBS`; `measure` a model, whatever it does to the process."""

    def __init__(self, serve=worker.serve):
        self.serve, self.process, self.pipe = serve, None, None
        self.context = context()

    def __enter__(self) -> "Measurer":
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def ask(self, verb: str, *arguments, patience: float = PATIENCE):
        """The answer to `verb`. Raises UserError as the process did, or Crashed."""
        if self.process is None:
            self.pipe, theirs = self.context.Pipe()
            self.process = self.context.Process(target=begin, args=(self.serve, theirs, dict(os.environ)), daemon=True)
            self.process.start()
            theirs.close()
        try:
            self.pipe.send((verb, arguments))
            if not self.pipe.poll(patience):
                self.stop()
                raise Crashed(f"no answer in {patience:.0f} s")
            status, answer = self.pipe.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self.process.join(10)
            code = self.process.exitcode
            self.stop()
            raise Crashed(
                f"the process ended by {signal.Signals(-code).name}"
                if code and code < 0
                else f"the process ended with exit code {code}"
            ) from None
        if status == "error":
            raise UserError(answer)
        return answer

    def stop(self) -> None:
        if self.process:
            self.pipe.close()
            self.process.kill()
            self.process.join(10)
        self.process = None

    def measure(self, name: str, settings: Settings, ceilings: dict | None) -> dict:  # noqa: RET503 - returns or raises
        """The row of a model. One that takes the process down is tried again in a fresh one, alone; then it is a
        row with the reason.
        """
        patience = PATIENCE + 20 * settings.seconds
        if settings.kind == "cpu":
            self.stop()
        for last in (False, True):
            try:
                return self.ask("measure", name, settings, ceilings, patience=patience)
            except Crashed as crash:
                self.stop()
                if last:
                    return measure.blank(name, settings, str(crash))
