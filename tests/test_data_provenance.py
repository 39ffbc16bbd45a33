"""A table knows where it comes from, from the reader to the footer, and each file is read and hashed once."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from scripts.common import provenance, words
from scripts.common.paths import DATA, ROOT
from scripts.common.provenance import Source
from scripts.common.tables import Text, read_table
from scripts.data import download, read_data
from scripts.figures import published
from scripts.figures.drawing import Drawing
from scripts.figures.theme import Canvas

FILE = "benchmark-infer-amp-nchw-pt291-cu130-5090.csv"
OLDER = "benchmark-infer-fp32-nchw-pt240-cpu-i7_12700h-dynamo.csv"


@pytest.fixture
def real(timm_tables, monkeypatch):
    monkeypatch.setenv("TIMM_RESULTS", str(timm_tables))
    return timm_tables


def test_every_pinned_file_has_a_day_of_its_own_and_none_is_the_vintages():
    for vintage, one in download.pinned()["vintages"].items():
        for file, facts in one["files"].items():
            assert date.fromisoformat(facts["date"]) <= date.fromisoformat(vintage), file
            assert re.fullmatch(r"[0-9a-f]{64}", facts["sha256"]), file
    newest = download.pinned()["vintages"][read_data.NOW]["files"]
    assert len({facts["date"] for facts in newest.values()}) > 5
    assert read_data.NOW not in {facts["date"] for facts in newest.values()}


def test_a_table_carries_its_sources_through_what_is_done_to_it(real):
    table = read_data.load("infer", read_data.NOW, OLDER)
    speeds, accuracies = provenance.sources(table)
    assert (speeds.date, accuracies.date) == ("2024-09-04", "2025-10-30") and set(table["date"]) == {"2024-09-04"}
    assert speeds.setting == "Core i7-12700H, 32-bit floats, compiled, PyTorch 2.4.0" and accuracies.setting == ""
    assert speeds.sha256 == download.registry()[f"{read_data.NOW}/{OLDER}"] and speeds.licence == "Apache-2.0"
    assert speeds.url.endswith(f"/{download.VINTAGES[read_data.NOW]}/results/{OLDER}")
    worked = table[table["top1"] > 80].dropna(subset=["top1"]).assign(x=1).sort_values("top1").reset_index(drop=True)
    assert provenance.sources(worked) == (speeds, accuracies)
    dates = "speeds of 4 September 2024 and accuracies of 30 October 2025"
    said = f"Source: timm’s published {dates} · {speeds.setting}"
    assert published.footer(worked) == said
    assert published.provenance(worked)["date"] == "2024-09-04"
    newer = read_data.load("infer", read_data.NOW, FILE)
    assert published.provenance(worked, newer)["date"] == "2024-09-04 to 2026-01-06"
    assert len(published.provenance(worked, newer)["sources"]) == 3, "the accuracies once"


def test_a_table_that_lost_its_sources_gets_no_footer():
    with pytest.raises(ValueError, match="carry"):
        published.footer(pd.DataFrame({"model": ["resnet50"]}))


def test_what_is_not_the_pinned_file_is_undated(real, tmp_path, monkeypatch, capsys):
    """Its date is not known, so none is claimed: neither the pinned file's nor the vintage's."""
    for vintage in download.VINTAGES:
        (tmp_path / vintage).mkdir()
    for name in (FILE, read_data.RESULTS):
        text = (real / read_data.NOW / name).read_text()
        (tmp_path / read_data.NOW / name).write_text(text.replace("resnet18d", "resnet18t"))
    monkeypatch.setenv("TIMM_RESULTS", str(tmp_path))
    table = read_data.load("infer", read_data.NOW, FILE)
    assert set(table["date"]) == {""} and words.year(table["date"].iloc[0]) == "undated"
    assert published.footer(table).startswith("Source: timm’s published speeds and accuracies, undated · RTX 5090")
    assert not re.search(r"20\d\d", published.footer(table) + published.provenance(table)["date"])
    assert not any(source.get("url") for source in published.provenance(table)["sources"])


@pytest.mark.parametrize(
    "days, said",
    [
        (["2026-01-06"], "6 January 2026"),
        (["2026-01-06", "2024-09-04", "2025-01-01"], "4 September 2024 to 6 January 2026"),
        (["2026-01-06", ""], "6 January 2026 (some undated)"),
        (["", ""], "undated"),
        ([], "undated"),
    ],
)
def test_several_days_in_words(days, said):
    assert words.span(days, words.day) == said


def test_years_apart():
    assert words.apart("2022-03-29", "2024-09-04") == pytest.approx(2.44, abs=0.01)
    assert np.isnan(words.apart("", "2024-09-04"))


def test_a_derived_table_says_from_what_it_was_computed():
    """The day of computing is not the data's: footers and charts speak from the sources in the sidecar."""
    found = provenance.made_from(provenance.read_sidecar(DATA / "machines-succession.csv"))
    speeds = sorted(one.date for one in found if one.setting)
    assert speeds[0] == "2022-03-29" and "2022" < speeds[-1][:4] < "2026", "the same card's newest table is of 2024"
    for path in DATA.glob("*.json"):
        facts = json.loads(path.read_text())
        for one in provenance.made_from(facts):
            vintage = one.path.split("/")[1] if one.path.startswith(provenance.TIMM) else ""
            pinned = download.pinned()["vintages"].get(vintage, {}).get("files", {}).get(Path(one.path).name)
            assert pinned is None or one.date == pinned["date"], f"{path.name}: {one.path}"


def test_a_finding_has_the_year_of_its_speeds():
    """93 of 151 findings stood under the year of the commit."""
    findings = read_table(DATA / "findings.csv", required=["vintage", "hardware", "torch", "year"])
    for row in findings[findings["vintage"].isin(download.VINTAGES) & (findings["hardware"] != "")].itertuples():
        files = [
            facts["date"][:4]
            for file, facts in download.pinned()["vintages"][row.vintage]["files"].items()
            if file.startswith(f"benchmark-{row.part}-{row.precision}-{row.layout}-")
            and (about := read_data.parse_benchmark_name(file))["hardware"] == row.hardware
            and about["torch"] == row.torch
            and str(about["compiled"]) == row.compiled
        ]
        assert files == [row.year], row
    others = findings[findings["hardware"] == ""]
    assert set(zip(others["vintage"], others["year"])) == {(read_data.THEN, "2022"), (read_data.NOW, "2025")}


# ---- once


READS = """
import collections, hashlib, json, os, sys
opened, hashed, real = collections.Counter(), collections.Counter(), hashlib.sha256
folder = os.environ["TIMM_RESULTS"]
def hear(event, args):
    if event == "open" and isinstance(args[0], str) and args[0].startswith(folder):
        opened[os.path.relpath(args[0], folder)] += 1
def counting(data=b"", **more):
    if len(data) > 1000:
        hashed[real(data).hexdigest()] += 1
    return real(data, **more)
sys.addaudithook(hear)
hashlib.sha256 = counting
import pathlib, tempfile
from scripts.data import download, read_data
from scripts.figures.catalogue import CHARTS
from scripts.findings import aggregates, fields, machines, robustness, summary
from scripts.predict import tables
summary.DATA = pathlib.Path(tempfile.mkdtemp())
summary.update()
list(fields.configurations())
machines.main_tables(), machines.software(), machines.succession()
robustness.load(read_data.NOW)
tables.published()
for name in ("frontier_gpu", "inference_graph_1", "training_graph_1"):
    CHARTS[name].draw()
wanted = download.registry()
print(json.dumps({"opened": opened, "hashed": {name: hashed[digest] for name, digest in wanted.items()}}))
"""


def test_each_file_is_read_and_hashed_once(real, tmp_path):
    """In one command that reads every table for findings, predictions and charts."""
    done = subprocess.run(
        [sys.executable, "-c", READS], cwd=ROOT, env={**os.environ}, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    read = {name for name in found["opened"] if "benchmark" in name or "results" in name}
    assert len(read) >= 39 and set(found["opened"].values()) == {1}, found["opened"]
    assert {found["hashed"][name] for name in read} == {1}, found["hashed"]


def holds(value, cell: float, deep: int = 2) -> bool:
    """Whether a value that a function returned has the cell in it: as bytes, text, table, figure or JSON."""
    if value is None or isinstance(value, (int, float)):
        return False
    if isinstance(value, str):  # what most functions return
        if not value.startswith('{"data"'):
            return False
        packed = [base64.b64decode(one) for one in re.findall(r'"bdata":"([^"]+)"', value)]
        return any(len(one) % 8 == 0 and cell in np.frombuffer(one, "f8") for one in packed) or str(cell) in value
    if isinstance(value, bytes):
        return f",{cell}".encode() in value
    if isinstance(value, Text):
        return bool((value.cells == str(cell)).any(axis=None))
    if isinstance(value, pd.DataFrame):
        return bool(value.isin([cell, str(cell)]).any(axis=None))
    if isinstance(value, (Canvas, Drawing)):
        return holds(value.figure, cell)
    if isinstance(value, go.Figure):
        return any(trace.x is not None and cell in np.asarray(trace.x).tolist() for trace in value.data)
    if isinstance(value, (tuple, list)) and deep:
        return any(holds(one, cell, deep - 1) for one in value)
    return isinstance(value, dict) and deep > 0 and any(holds(one, cell, deep - 1) for one in value.values())


def test_a_cell_passes_through_at_most_eight_modules_on_its_way_to_a_pixel(real, tmp_path, monkeypatch):
    """Of frontier_gpu.jpg: which modules hand it on, by what their functions return."""
    from scripts.figures import export
    from scripts.figures.catalogue import CHARTS

    table = read_data.load("infer", read_data.NOW, FILE)
    cell = float(table[table["arch"] == "resnet101"]["samples_per_sec"].iloc[0])
    for cached in (read_data._text, read_data._results, read_data._benchmark, read_data._join):
        cached.cache_clear()
    seen: set[str] = set()
    folder = str(ROOT / "scripts")

    def enter(frame, event, _):
        """Listens to what our functions return, and to no line; `sys.setprofile` would hear each call of C, too."""
        code = frame.f_code
        if code.co_filename in seen or not code.co_filename.startswith(folder) or code.co_name == "<lambda>":
            return None
        frame.f_trace_lines = False
        return leave

    def leave(frame, event, value):
        path = frame.f_code.co_filename
        if event == "return" and path not in seen and holds(value, cell):
            seen.add(path)
        return leave

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        text = export.figure_json(CHARTS["frontier_gpu"].draw().figure)
    finally:
        sys.settrace(before)
    assert holds(text, cell), "the cell is in the picture"
    assert 3 < len(seen) + 1 <= 8, f"{sorted(seen)} and the browser"


def test_a_source_is_itself_when_pandas_copies_what_a_frame_carries():
    one = Source("timm-results/x/a.csv", "0" * 64, "2026-01-06")
    frame = pd.DataFrame({"a": [1, 2]})
    provenance.carry(frame, one)
    assert provenance.sources(frame.head(1).assign(b=2), frame)[0] is one
    assert provenance.made_from({"sources": [one.facts(), {"path": "no digest"}, {}]}) == (one,)
