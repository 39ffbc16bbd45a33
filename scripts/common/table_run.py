"""A run on its CSV: which tasks are done, the rows, the sidecar, and a journal from which a killed run goes on.

The CSV and its sidecar are written anew after every row by temporary file and rename; the journal says which run the
rows belong to. It stands in the ignored cache, or beside the CSV where the folder is to be carried to another machine.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pandas as pd

from scripts.common import paths
from scripts.common.errors import UserError
from scripts.common.journal import Journal, digest
from scripts.common.provenance import now, write_sidecar
from scripts.common.tables import read_table


class Run:
    """A run on one CSV: its tasks, what is done, and the rows. A journal in the ignored cache says which run the rows
    belong to.

    columns: of the CSV. tasks: dictionaries of the columns that tell rows apart (model, and seed or round where the
    file has several of a model). beside: keep the journal beside the CSV, so that the folder can be carried to another
    machine and the run go on there.
    """

    def __init__(
        self,
        out: Path,
        columns: list[str],
        tasks: list[dict],
        settings: dict,
        facts: dict,
        fresh: bool = False,
        beside: bool = False,
    ):
        self.out, self.tasks, self.facts, self.columns = out, tasks, facts, columns
        self.key = [*tasks[0]]
        self.rows = self._read()
        # other settings or tasks are another run, which begins anew beside the old one's rows
        name = f"{out.stem[:80]}-{digest([out.name if beside else str(out.resolve()), settings, tasks])}.json"
        self.journal = Journal(out.parent / f".{name}" if beside else paths.CACHE / "runs" / name)
        self.state = {} if fresh else self._resume()
        if not self.state:
            self.state = {"began": now(), "done": [], "settings": settings}

    def _read(self) -> dict[tuple, dict]:
        """The rows that are there, by key. Raises UserError for a file of another form: it is never appended to."""
        if not self.out.exists():
            return {}
        found = read_table(self.out)
        if list(found.columns) != self.columns:
            odd = sorted(set(found.columns) ^ set(self.columns))
            raise UserError(
                f"{self.out.name}: columns of another form ({', '.join(odd[:3]) or 'in another order'}); it was left "
                "as it is: move it away, or name another file with --out"
            )
        rows = {self._key(row): row for row in found.to_dict("records")}
        if len(rows) < len(found):
            raise UserError(
                f"{self.out.name}: the same {' + '.join(self.key)} stands twice; it was left as it is: mend it or "
                "move it away"
            )
        return rows

    def _resume(self) -> dict:
        """The journal of an interrupted run with the same settings; {} where there is none, or it is damaged."""
        state = self.journal.read("done", "began")
        return state if state and isinstance(state["done"], list) and isinstance(state["began"], str) else {}

    def _key(self, row: dict) -> tuple:
        return tuple(str(row[name]) for name in self.key)

    def left(self) -> list[dict]:
        """Tasks that this run has not done; one whose row is gone from the file is done again."""
        done = {tuple(key) for key in self.state["done"]}
        return [task for task in self.tasks if self._key(task) not in done or self._key(task) not in self.rows]

    def row(self, task: dict) -> dict | None:
        """The row of a task, None where there is none yet."""
        return self.rows.get(self._key(task))

    def note(self) -> None:
        """Write the journal."""
        self.journal.write(self.state)

    def add(self, row: dict) -> None:
        """Put a measured row in its place (or at the end) and write CSV, sidecar and journal."""
        key = self._key(row)
        self.rows[key] = {name: row.get(name, "") for name in self.columns}
        self.state["done"].append(list(key))
        self.write()
        self.note()

    def write(self) -> None:
        """Write the CSV, then its sidecar."""
        paths.atomic_csv(pd.DataFrame(list(self.rows.values()), columns=self.columns), self.out)
        mine = {self._key(task) for task in self.tasks}
        write_sidecar(
            self.out,
            {
                **self.facts,
                "date": now(),
                **{name: value for name, value in self.state.items() if name != "done"},
                "models": len({task["model"] for task in self.tasks}),
                "rows": len(self.rows),
                "rows_of_other_runs": len(set(self.rows) - mine),
                "complete": not self.left(),
            },
        )

    def finish(self) -> None:
        self.journal.forget()


@contextlib.contextmanager
def locked(out: Path):
    """Hold the lock of `out` until the process ends, however that ends; UserError where another run holds it."""
    with paths.writing(out):
        paths.sweep(out.parent, out.stem[:70])  # of a run that was killed while it wrote
        yield


def folder_of(out: Path | None) -> Path | None:
    """The folder that --out names, if it names one."""
    return out if out and out.is_dir() and out.suffix != ".csv" else None


def check_out(out: Path) -> Path:
    """`out`, if a CSV can be written there. Raises UserError before anything is measured."""
    if out.suffix != ".csv":
        raise UserError(f"--out {out}: name a file that ends in .csv, or a folder that is there")
    if not out.parent.is_dir():
        raise UserError(f"--out {out}: the folder {out.parent} does not exist; create it first")
    if out.is_dir() or not os.access(out.parent, os.W_OK) or (out.exists() and not os.access(out, os.W_OK)):
        raise UserError(f"--out {out}: cannot be written; choose another place or change its permissions")
    return out
