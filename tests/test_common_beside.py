"""Work on several processes: order, errors, processes that are killed, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.common import beside, paths
from scripts.common.errors import UserError
from tests.waiting import alive, until

KEYS = [str(number) for number in range(12)]


def square(key: str) -> int:
    return int(key) ** 2


def fail_at_seven(key: str) -> int:
    if key == "7":
        raise UserError("seven: mend it")
    return 0


def die_elsewhere(key: str) -> str:
    if os.getppid() == int(os.environ["THE_TEST"]):
        os.kill(os.getpid(), signal.SIGKILL)
    return key


def wait(key: str) -> None:
    Path(os.environ["BEGUN"], str(os.getpid())).write_text("")
    signal.pause()


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_order_however_many_processes_there_are(processes):
    assert list(beside.done(square, KEYS, processes)) == [(key, int(key) ** 2) for key in KEYS]
    assert list(beside.done(square, [], processes)) == []


def test_an_error_elsewhere_is_the_error_here():
    with pytest.raises(UserError, match="seven: mend it"):
        list(beside.done(fail_at_seven, KEYS, 2))


def test_what_a_killed_process_should_have_done_is_done_here(monkeypatch):
    monkeypatch.setenv("THE_TEST", str(os.getpid()))
    assert [key for key, _ in beside.done(die_elsewhere, KEYS, 2)] == KEYS


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_the_one_that_started_it(number, tmp_path):
    code = "from scripts.common import beside; from tests import test_common_beside as t; "
    process = subprocess.Popen(
        [sys.executable, "-c", f"{code}list(beside.done(t.wait, 'ab', 2))"],
        cwd=paths.ROOT,
        env={**os.environ, "BEGUN": str(tmp_path)},
        stderr=subprocess.PIPE,
    )
    until(lambda: len(list(tmp_path.iterdir())) == 2, "both at work")
    process.send_signal(number)
    said = process.communicate(timeout=60)[1].decode()
    assert said.count("Traceback") == (number == signal.SIGINT)  # that of this `-c` only
    for path in tmp_path.iterdir():
        until(lambda: not alive(int(path.name)), "the end of both")  # noqa: B023
