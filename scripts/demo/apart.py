"""A process beside the app that is started again when it crashes or hangs, until it is closed for good."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable


class Apart:
    """This end of it; `pipe` leads to the other. Those who inherit say in `start` what runs there."""

    def __init__(self) -> None:
        self.closed, self.guard = False, threading.Lock()  # the guard is of starting and ending
        self.start()

    def start(self) -> None:
        raise NotImplementedError

    def launch(self, target: Callable, *arguments) -> None:
        """Start `target` in a new process, with its end of a new pipe before `arguments`."""
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=target, args=(other, *arguments), daemon=True)
        self.process.start()
        other.close()  # so that a process that ends is noticed

    def restart(self) -> None:
        with self.guard:
            if not self.closed:
                self.end()
                self.pipe.close()
                self.start()

    def close(self) -> None:
        """End it for good: nothing starts again, and whoever waits for an answer gets a sentence at once."""
        with self.guard:
            self.closed = True
            self.end()

    def end(self) -> None:
        self.process.kill()
        self.process.join(10)
