"""Pictures and manifest agree, whatever goes wrong in between: nothing is half written, nothing whole is lost."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from PIL import Image

from scripts.common import browser
from scripts.common.errors import DataMissing, UserError, cli
from scripts.common.paths import writing
from scripts.data.read_data import TablesMissing
from scripts.figures import export as exporting
from scripts.figures.drawing import Chart, Drawing
from scripts.figures.export import export, read_manifest
from tests.killing import kills, snapshot
from tests.waiting import until

HOW = {"plotly": "7", "kaleido": "1", "browser": "Chromium 1", "font": "Source Sans Pro 1"}


def chart(name: str, text: str = "", size: tuple[int, int] = (120, 80), phone: bool = False, **more) -> Chart:
    def draw() -> Drawing:
        figure = go.Figure(layout={"width": size[0], "height": size[1], "title": text or name})
        small = go.Figure(layout={"width": 60, "height": 90, "title": text or name}) if phone else None
        return Drawing(
            figure,
            title=text or name,
            alt=f"alt of {name}",
            caption="c",
            data=pd.DataFrame({"x": [1]}),
            sources=[{"path": "a.csv", "sha256": "0"}],
            hardware="here",
            date="2026-01-01",
            phone=small,
        )

    return Chart(name, draw, more.get("needs", "timm"))


def failing(name: str, error: Exception) -> Chart:
    def draw():
        raise error

    return Chart(name, draw, "timm")


def catalogue(*charts: Chart) -> dict[str, Chart]:
    return {one.name: one for one in charts}


def jpg(size: tuple[int, int], colour: str) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", size, colour).save(target, "JPEG")
    return target.getvalue()


@pytest.fixture
def pretend(monkeypatch):
    """A browser that draws plain rectangles in a colour of the title; `pretend.drawn` lists what it was asked for."""

    class Pretend:
        drawn: ClassVar[list[str]] = []
        crash_at: str | None = None

        def draw(self, figures, **_):
            for name, figure in figures.items():
                if name == self.crash_at:
                    raise UserError("chrome crashed")
                self.drawn.append(name)
                layout = figure["layout"]
                yield (
                    name,
                    jpg((layout["width"], layout["height"]), "#%06x" % (hash(layout["title"]["text"]) % 0xFFFFFF)),
                )

    it = Pretend()
    it.drawn = []
    monkeypatch.setattr(browser, "draw", it.draw)
    monkeypatch.setattr(exporting, "renderer", lambda: dict(HOW))
    return it


def whole(folder: Path) -> dict[str, bytes]:
    """Every JPG of the folder, opened to its last byte, and what the manifest says of each."""
    pictures = {}
    for path in sorted(folder.glob("*.jpg")):
        with Image.open(path) as image:
            image.load()
        pictures[path.stem] = path.read_bytes()
    entries = read_manifest(folder)["charts"]
    for name, entry in entries.items():
        assert entry["jpg"]["sha256"] == exporting._digest(pictures[name]), name
    assert not list(folder.glob(".*.tmp"))
    return pictures


def test_writes_picture_figure_data_and_manifest(tmp_path, pretend):
    done = export(catalogue(chart("one", phone=True), chart("two")), out=tmp_path)
    assert done["drawn"] == ["one", "one-phone", "two"] and set(whole(tmp_path)) == {"one", "one-phone", "two"}
    assert json.loads((tmp_path / "charts/one.json").read_text())["layout"]["width"] == 120
    assert (tmp_path / "charts/one.csv").read_text() == "x\n1\n"
    entry = read_manifest(tmp_path)["charts"]["one"]
    assert entry["renderer"] == HOW and entry["jpg"]["width"] == 120 and entry["shown"] == {"width": 120, "height": 80}
    assert (entry["alt"], entry["hardware"], entry["date"], entry["sources"][0]["path"]) == (
        "alt of one",
        "here",
        "2026-01-01",
        "a.csv",
    )


def test_what_is_unchanged_is_not_drawn_again(tmp_path, pretend):
    charts = catalogue(chart("one"), chart("two"))
    export(charts, out=tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    pretend.drawn.clear()
    assert export(charts, out=tmp_path)["same"] == ["one", "two"] and pretend.drawn == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before


def test_only_what_changed_is_drawn(tmp_path, pretend, monkeypatch):
    export(catalogue(chart("one"), chart("two"), chart("three")), out=tmp_path)
    pretend.drawn.clear()
    (tmp_path / "three.jpg").write_bytes((tmp_path / "three.jpg").read_bytes()[:200])
    export(catalogue(chart("one"), chart("two", "new title"), chart("three")), out=tmp_path)
    assert pretend.drawn == ["two", "three"]
    whole(tmp_path)


def test_another_browser_leaves_the_pictures_of_unchanged_figures(tmp_path, pretend, monkeypatch):
    """A fresh clone's `git status` stays clean, and no browser is asked for its version."""
    export(catalogue(chart("one"), chart("two")), out=tmp_path)
    before = snapshot(tmp_path)
    pretend.drawn.clear()
    monkeypatch.setattr(exporting, "renderer", lambda: pytest.fail("nothing to draw"))
    export(catalogue(chart("one"), chart("two")), out=tmp_path)
    assert snapshot(tmp_path) == before
    monkeypatch.setattr(exporting, "renderer", lambda: {**HOW, "browser": "Chromium 2"})
    export(catalogue(chart("one"), chart("two", "new title")), out=tmp_path)
    assert pretend.drawn == ["two"]
    assert [read_manifest(tmp_path)["charts"][name]["renderer"]["browser"] for name in ("one", "two")] == [
        "Chromium 1",
        "Chromium 2",
    ]
    export(catalogue(chart("one"), chart("two", "new title")), out=tmp_path, force=True)
    assert pretend.drawn == ["two", "one", "two"]  # as `make verify` does
    whole(tmp_path)


def test_other_data_behind_the_same_figure_is_drawn_again(tmp_path, pretend):
    export(catalogue(chart("one"), chart("two")), out=tmp_path)
    pretend.drawn.clear()
    other = dataclasses.replace(chart("two").draw(), data=pd.DataFrame({"x": [2]}))
    export(catalogue(chart("one"), Chart("two", lambda: other, "timm")), out=tmp_path)
    assert pretend.drawn == ["two"]


def test_killed_at_any_step_the_next_run_ends_as_an_undisturbed_one(tmp_path, pretend):
    """Pictures, manifest and what the pages load; the old chart goes."""
    charts = catalogue(chart("one", "new"), chart("two"), chart("three"))
    out = tmp_path / "images"

    def reset():
        shutil.rmtree(out, ignore_errors=True)
        export(catalogue(chart("one"), chart("two"), chart("old")), out=out)

    reset()
    export(charts, out=out)
    undisturbed = snapshot(out)
    for _ in kills(lambda: export(charts, out=out), reset):
        export(charts, out=out)
        whole(out)
        assert snapshot(out) == undisturbed


def test_new_words_need_no_new_picture(tmp_path, pretend):
    export(catalogue(chart("one")), out=tmp_path)
    pretend.drawn.clear()

    def reworded():
        drawing = chart("one").draw()
        drawing.alt = "better"
        return drawing

    export({"one": Chart("one", reworded, "timm")}, out=tmp_path)
    assert pretend.drawn == [] and read_manifest(tmp_path)["charts"]["one"]["alt"] == "better"


def test_missing_tables_keep_picture_and_entry_with_one_line(tmp_path, pretend, capsys):
    export(catalogue(chart("one"), chart("two"), chart("mine", needs="measured")), out=tmp_path)
    before, entries = whole(tmp_path), read_manifest(tmp_path)["charts"]
    gone = TablesMissing("no network and no cache")
    done = export(catalogue(failing("one", gone), failing("two", gone), chart("mine", "anew")), out=tmp_path)
    assert done["kept"] == ["one", "two"] and done["drawn"] == ["mine"]
    after = whole(tmp_path)
    assert after["one"] == before["one"] and after["two"] == before["two"] and after["mine"] != before["mine"]
    assert read_manifest(tmp_path)["charts"]["one"] == entries["one"]
    lines = [line for line in capsys.readouterr().err.splitlines() if "keep" in line]
    assert lines == ["figures: 2 charts from timm's tables keep their committed pictures: no network and no cache"]


def test_only_missing_tables_need_no_browser(tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "renderer", lambda: pytest.fail("the browser was looked for"))
    assert export(catalogue(failing("one", TablesMissing("offline"))), out=tmp_path)["kept"] == ["one"]


def test_nothing_measured_is_a_line_and_no_error(tmp_path, pretend, capsys):
    done = export(
        catalogue(failing("mine", DataMissing("nothing measured yet; run `make bench`")), chart("one")), out=tmp_path
    )
    assert done["skipped"] == ["mine"] and done["drawn"] == ["one"]
    assert "figures: no mine: nothing measured yet; run `make bench`" in capsys.readouterr().err


def test_charts_that_miss_the_same_share_a_line(tmp_path, pretend, capsys):
    gone = DataMissing("nothing measured on a GPU yet")
    export(
        catalogue(failing("one", gone), failing("two", gone), failing("three", DataMissing("nothing trained yet"))),
        out=tmp_path,
    )
    assert capsys.readouterr().err.splitlines() == [
        "figures: no one or two: nothing measured on a GPU yet",
        "figures: no three: nothing trained yet",
    ]


def test_crash_midway_keeps_what_was_drawn_and_goes_on_there(tmp_path, pretend):
    charts = catalogue(chart("one"), chart("two"), chart("three"))
    pretend.crash_at = "two"
    with pytest.raises(UserError, match="chrome crashed"):
        export(charts, out=tmp_path)
    assert set(whole(tmp_path)) == {"one"}
    assert (tmp_path / "charts/three.json").exists(), "the page's figures do not need the browser"
    pretend.crash_at, pretend.drawn[:] = None, []
    export(charts, out=tmp_path)
    assert pretend.drawn == ["two", "three"] and set(whole(tmp_path)) == {"one", "two", "three"}


def test_missing_chrome_is_exit_code_two_and_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "none"))
    assert cli(lambda: export(catalogue(chart("one")), out=tmp_path) and None)() == 2
    error = capsys.readouterr().err
    assert error.startswith("error: BROWSER_PATH names") and error.count("\n") == 1
    assert (tmp_path / "charts/one.json").exists()


@pytest.mark.parametrize("answer", [jpg((119, 80), "red"), jpg((120, 80), "red")[:-400], b"", b"<html>"])
def test_picture_that_is_not_the_one_asked_for_is_refused(tmp_path, monkeypatch, answer, pretend):
    export(catalogue(chart("one")), out=tmp_path)
    before = whole(tmp_path)
    monkeypatch.setattr(browser, "draw", lambda figures: iter([("one", answer)]))
    with pytest.raises(UserError, match="one"):
        export(catalogue(chart("one", "other")), out=tmp_path)
    assert whole(tmp_path) == before


def test_unknown_name_lists_the_known(tmp_path):
    with pytest.raises(UserError, match="no chart called nonsense; there are one, two"):
        export(catalogue(chart("one"), chart("two")), only=["nonsense"], out=tmp_path)


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "not a readable manifest"),
        ("[]", "not a readable manifest"),
        ('{"schema": 1}', "not a readable manifest"),
        ('{"schema": 99, "charts": {}}', "update the project"),
    ],
)
def test_damaged_or_newer_manifest_is_one_line_and_stays(tmp_path, text, message, pretend):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(UserError, match=message):
        export(catalogue(chart("one")), out=tmp_path)
    assert (tmp_path / "manifest.json").read_text() == text


def test_charts_that_are_no_more_are_forgotten(tmp_path, pretend):
    export(catalogue(chart("one"), chart("old", phone=True)), out=tmp_path)
    (tmp_path / "by_hand.jpg").write_bytes(jpg((5, 5), "red"))
    export(catalogue(chart("one")), only=["one"], out=tmp_path)
    assert (tmp_path / "old.jpg").exists(), "a run of some charts forgets none"
    export(catalogue(chart("one")), out=tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.jpg")) == ["by_hand.jpg", "one.jpg"]
    assert list(read_manifest(tmp_path)["charts"]) == ["one"]


def test_manifest_cannot_make_us_delete_elsewhere(tmp_path, pretend):
    victim = tmp_path / "victim.jpg"
    victim.write_bytes(b"x")
    out = tmp_path / "images"
    out.mkdir()
    (out / "manifest.json").write_text(json.dumps({"schema": 1, "charts": {"../victim": {}}}))
    export(catalogue(chart("one")), out=out)
    assert victim.exists() and list(read_manifest(out)["charts"]) == ["one"]


def test_full_disk_keeps_the_old_picture(small_disk, monkeypatch, pretend):
    (small_disk / "filler").write_bytes(b"x" * 222 * 1024)
    export(catalogue(chart("one")), out=small_disk)
    before = whole(small_disk)
    (small_disk / "filler").unlink()
    (small_disk / "filler2").write_bytes(b"x" * 232 * 1024)
    monkeypatch.setattr(browser, "draw", lambda figures: iter([("one", jpg((1200, 800), "red") + b"\0" * 60_000)]))
    with pytest.raises(UserError, match="disk is full"):
        export(catalogue(chart("one", "large", (1200, 800))), out=small_disk)
    assert whole(small_disk)["one"] == before["one"]


def test_leftovers_of_a_killed_run_are_swept(tmp_path, pretend):
    (tmp_path / ".one.jpg.abc.tmp").write_bytes(b"half")
    export(catalogue(chart("one")), out=tmp_path)
    assert set(whole(tmp_path)) == {"one"}


def test_two_runs_on_one_folder_take_turns(tmp_path, monkeypatch, pretend, capsys):
    monkeypatch.setattr(exporting, "WAIT", 0.2)
    with writing(tmp_path), ThreadPoolExecutor() as pool:
        with pytest.raises(UserError, match="another run is writing it"):
            pool.submit(export, catalogue(chart("one")), out=tmp_path).result()
    assert capsys.readouterr().err == f"{tmp_path.name}: another run is writing it; waiting for that one\n"


KILLED = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_figures_export import catalogue, chart, export
export(catalogue(*[chart(f"chart_{{i:02}}", size=(400, 300)) for i in range(14)]), out=Path({out!r}))
"""


def test_kill_in_the_middle_leaves_whole_pictures_and_the_next_run_goes_on(chrome, tmp_path):
    out = tmp_path / "images"
    code = KILLED.format(tests=str(Path(__file__).parent), out=str(out))
    process = subprocess.Popen([sys.executable, "-c", code], cwd=browser.CODE, stderr=subprocess.DEVNULL)
    until(lambda: len(list(out.glob("*.jpg"))) >= 3, "three pictures are drawn")
    process.send_signal(signal.SIGKILL)
    process.wait()
    for path in out.glob("*.jpg"):
        with Image.open(path) as image:
            image.load()
    drawn = set(read_manifest(out)["charts"])
    assert 2 <= len(drawn) < 14
    done = export(catalogue(*[chart(f"chart_{i:02}", size=(400, 300)) for i in range(14)]), out=out)
    assert set(done["same"]) >= drawn and len(whole(out)) == 14


def test_a_picture_whose_tables_went_is_dropped_and_one_of_untouched_tables_stays(
    pretend, tmp_path, monkeypatch, moved
):
    monkeypatch.setattr(exporting, "ROOT", tmp_path)
    moved(DATA=tmp_path / "report/data")
    monkeypatch.setattr(exporting, "relative", lambda path: Path(path).relative_to(tmp_path).as_posix())
    (tmp_path / "report/data").mkdir(parents=True)
    for name in ("kept", "went", "changed"):
        (tmp_path / f"report/data/{name}.csv").write_text("x")
    charts = catalogue(*(chart(name, needs="trained", phone=True) for name in ("kept", "went", "changed", "local")))
    export(charts, out=tmp_path / "images")
    manifest = read_manifest(tmp_path / "images")
    for name, entry in manifest["charts"].items():
        path = f"report/data/{name.removesuffix('-phone')}.csv"
        entry["sources"] = [] if "local" in name else [{"path": path, "sha256": exporting.sha256(tmp_path / path)}]
    (tmp_path / "images/manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "report/data/went.csv").unlink()
    (tmp_path / "report/data/changed.csv").write_text("y")
    export(
        {**{name: failing(name, DataMissing("nothing")) for name in charts}, "new": chart("new")},
        out=tmp_path / "images",
    )
    assert (
        {path.stem for path in (tmp_path / "images").glob("*.jpg")}
        == {"kept", "kept-phone", "local", "local-phone", "new"}
        == set(read_manifest(tmp_path / "images")["charts"])
    )


def test_a_phone_picture_that_no_longer_comes_is_dropped(pretend, tmp_path):
    export(catalogue(chart("dots", phone=True)), out=tmp_path)
    export(catalogue(chart("dots")), out=tmp_path)
    assert {path.name for path in tmp_path.glob("*.jpg")} == {"dots.jpg"}


def test_a_figures_json_knows_one_zero():
    figures = [{"ax": zero, "x": np.array([zero, 1.5])} for zero in (0.0, -0.0)]
    one, other = (exporting.figure_json(go.Figure(layout={"annotations": [{"ax": f["ax"]}]}, data=[{"x": f["x"]}]))
                  for f in figures)  # fmt: skip
    assert one == other
