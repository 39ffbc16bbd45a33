"""The same work for many keys, by this process and others beside it, so that each core has some.

for name, made in beside.done(make, names, cores()):
    ...

The standard library's pool of processes is not used: this process is to work too, and a pool whose tasks were cancelled
hangs in Python 3.11 when one of its processes is killed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future

MOST = 4  # processes: each imports all that this one did, and reads the same tables
LOST = object()  # in place of a result: the process was killed meanwhile


def done(work: Callable, keys: Iterable[str], processes: int) -> Iterator[tuple[str, object]]:
    """(key, work(key)) in the order of `keys`. This process takes them from the front, the others, if there are
    several `processes` (at most MOST), from the back.

    work: a function of a module, which others can import; what it returns or raises must bear pickling. What a process
    that was killed should have done, this one does.
    """
    keys = list(keys)
    left = deque(keys)
    results: dict[str, Future] = {key: Future() for key in keys}
    others = _others(work, min(processes, MOST, len(keys)) - 1)
    try:
        for _, pipe in others:
            threading.Thread(target=_ask, args=(pipe, left, results), daemon=True).start()
        for key in keys:
            try:
                left.remove(key)  # nobody has begun it
                result = LOST
            except ValueError:
                result = results[key].result()
            yield key, work(key) if result is LOST else result
    finally:
        left.clear()
        for process, _ in others:
            process.kill()
            process.join()


def _others(work: Callable, many: int) -> list[tuple]:
    """(process, pipe) of `many` that wait for keys. Ctrl-C is this process's to handle: they start deaf to it."""
    context = multiprocessing.get_context("spawn")  # a fork would copy locks of threads that are gone
    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if main and many > 0 else None
    found = []
    try:
        for _ in range(many):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(work, theirs), daemon=True)
            process.start()
            theirs.close()  # so that ours ends when the process does
            found.append((process, ours))
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
    return found


def _ask(pipe, left: deque, results: dict[str, Future]) -> None:
    """A thread of this process: gives keys to one other until none is left, or that one is gone."""
    while left:
        try:
            key = left.pop()
        except IndexError:
            return
        try:
            pipe.send(key)
            well, answer = pipe.recv()
        except (EOFError, OSError):
            results[key].set_result(LOST)
            return
        (results[key].set_result if well else results[key].set_exception)(answer)


def _serve(work: Callable, pipe) -> None:
    """Another process: does what it is asked to; ends with the one that started it."""
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    while True:
        try:
            key = pipe.recv()
        except EOFError:
            return
        try:
            answer = (True, work(key))
        except Exception as error:  # to be raised there
            answer = (False, error)
        pipe.send(answer)


def _end_with(parent) -> None:
    parent.join()
    os._exit(1)
