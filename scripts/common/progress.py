"""Progress of long work: a bar with the time left on a terminal, one plain line per step in a log.

with Progress(len(models), "inference") as progress:
for model in models:
    ...
    progress.advance(f"{model}: 123 images/s")
"""

from __future__ import annotations

import sys
import time

from scripts.common.words import duration

QUIET_S = 2.0  # seconds between two lines in a log, so that quick steps do not fill it


class Progress:
    """Counts `total` steps of work called `label`; see the module. `done` steps were finished by an earlier run."""

    def __init__(self, total: int, label: str, done: int = 0):
        self.total, self.label, self.done, self.first = total, label, done, done
        self.started, self.spoken = time.monotonic(), -QUIET_S
        self.bar = _bar() if sys.stderr.isatty() else None
        if self.bar:
            self.task = self.bar.add_task(label, total=total, completed=done)

    def __enter__(self) -> "Progress":
        if self.bar:
            self.bar.start()
        elif self.first:
            print(f"{self.label}: going on after {self.first} of {self.total}", file=sys.stderr, flush=True)
        return self

    def __exit__(self, *_) -> None:
        if self.bar:
            self.bar.stop()

    def advance(self, text: str = "") -> None:
        """One step is finished; `text` says what came out."""
        self.done += 1
        if self.bar:
            self.bar.update(self.task, completed=self.done, description=f"{self.label}: {text}"[:80])
            return
        spent = time.monotonic() - self.started
        if self.done < self.total and spent - self.spoken < QUIET_S:
            return
        self.spoken = spent
        left = spent / max(1, self.done - self.first) * (self.total - self.done)
        tail = f"; about {duration(left)} left" if self.done < self.total else f"; done in {duration(spent)}"
        print(f"[{self.done}/{self.total}] {self.label}: {text}{tail}", file=sys.stderr, flush=True)


def _bar():
    """rich's, imported here: a log needs none, and the machine that only measures does not always have it."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress as Bar, TextColumn, TimeRemainingColumn
    except ImportError:
        return None
    text = TextColumn("{task.description}", markup=False)
    return Bar(text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True))
