"""Each table is opened once by a command: what is checked is what is read, and nothing is hashed or parsed twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from scripts.common.paths import ROOT

# Counts what is opened for reading while a module runs, and writes it to argv[1].
COUNT = """
import collections, json, os, runpy, sys
opened = collections.Counter()
def watch(event, arguments):
    if event == "open" and str(arguments[0]).endswith(".csv") and not arguments[2] & (os.O_WRONLY | os.O_RDWR):
        opened[os.path.realpath(arguments[0])] += 1
sys.addaudithook(watch)
result, sys.argv = sys.argv[1], sys.argv[2:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
except SystemExit as end:
    assert not end.code, end.code
finally:
    open(result, "w").write(json.dumps(opened))
"""
COMMANDS = {
    "a chart": (["scripts.figures.export", "--only", "frontier_gpu", "--out", "{tmp}"], ["browser"]),
    "the picker's files": (["scripts.choose.files", "--out", "{tmp}"], []),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", COMMANDS)
def test_no_table_is_read_twice(what, timm_tables, tmp_path, request):
    command, needs = COMMANDS[what]
    if needs:
        request.getfixturevalue("chrome")
    subprocess.run(
        [
            sys.executable,
            "-c",
            COUNT,
            tmp_path / "opened.json",
            *(part.format(tmp=tmp_path / "out") for part in command),
        ],
        cwd=ROOT,
        env={**os.environ, "TIMM_RESULTS": str(timm_tables)},
        check=True,
        capture_output=True,
    )
    opened = json.loads((tmp_path / "opened.json").read_text())
    theirs = {path: times for path, times in opened.items() if path.startswith(str(timm_tables.resolve()))}
    assert len(theirs) > 10, "the speeds of several machines, and accuracies"
    assert {path: times for path, times in opened.items() if times > 1} == {}
