"""The measuring process, seen from the sweep: started when needed, and started again when a model took it down."""

from __future__ import annotations

import multiprocessing
import signal

from scripts.bench import measure, worker
from scripts.bench.settings import Settings
from scripts.common.errors import UserError

PATIENCE = 600.0  # seconds without an answer, over twenty times a model's budget: compiling a large model takes minutes


class Crashed(UserError):
    """The measuring process ended without an answer; the message says how."""


class Measurer:
    """A context manager. `ask` one of `worker.VERBS`; `measure` a model, whatever it does to the process."""

    def __init__(self, serve=worker.serve):
        self.serve, self.process, self.pipe = serve, None, None
        self.context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork

    def __enter__(self) -> "Measurer":
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def ask(self, verb: str, *arguments, patience: float = PATIENCE):
        """The answer to `verb`. Raises UserError as the process did, or Crashed."""
        if self.process is None:
            self.pipe, theirs = self.context.Pipe()
            self.process = self.context.Process(target=self.serve, args=(theirs,), daemon=True)
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
        for last in (False, True):
            try:
                return self.ask("measure", name, settings, ceilings, patience=patience)
            except Crashed as crash:
                self.stop()
                if last:
                    return measure.blank(name, settings, str(crash))
