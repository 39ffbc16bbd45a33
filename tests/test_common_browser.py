"""The browser draws with our typeface, gives the same bytes twice, and can neither hang, linger nor cost what was
drawn.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from scripts.common import browser
from scripts.common.errors import UserError
from scripts.figures.labels import width
from tests.waiting import alive, until

MARK = "CHART_TEST_MARK"


def figure(text: str = "hello", **layout) -> dict:
    return {
        "data": [{"x": [1, 2, 3], "y": [3, 1, 2], "mode": "markers", "type": "scatter"}],
        "layout": {"width": 300, "height": 200, "title": {"text": text}, "font": {"family": browser.FONT}, **layout},
    }


@pytest.fixture
def marked(monkeypatch, tmp_path):
    """Marks every process started by the test; calling it lists those that run."""
    mark = str(tmp_path)
    monkeypatch.setenv(MARK, mark)

    def own() -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.pid != os.getpid() and alive(process.pid) and process.environ().get(MARK) == mark:
                    found.append(process)
        return found

    return own


def started(marked) -> list[psutil.Process]:
    """The marked processes and theirs: Chrome's own children write over their environment."""
    found = {}
    for process in marked():
        with contextlib.suppress(psutil.NoSuchProcess):
            found |= {one.pid: one for one in [process, *process.children(recursive=True)] if alive(one.pid)}
    return list(found.values())


def gone(marked) -> None:
    until(lambda: not marked(), "what was started ends")


def fake(folder: Path, script: str) -> str:
    """A browser that answers --version well and otherwise does `script`."""
    path = folder / "chrome"
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "Chromium 1.2.3" && exit 0\n{script}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_named_browser_that_is_missing_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "no-chrome"))
    with pytest.raises(UserError, match="BROWSER_PATH names .*no-chrome, which is not a program"):
        browser.browser()


def test_no_browser_anywhere_is_one_line(monkeypatch):
    from choreographer.browsers.chromium import Chromium

    monkeypatch.delenv("BROWSER_PATH", raising=False)
    monkeypatch.setattr(Chromium, "find_browser", classmethod(lambda cls, **_: None))
    with pytest.raises(UserError, match="no Chrome or Chromium"):
        browser.browser()


def test_named_browser_wins(monkeypatch, tmp_path):
    monkeypatch.setenv("BROWSER_PATH", path := fake(tmp_path, "exit 1"))
    assert browser.browser() == path and browser.version(path) == "Chromium 1.2.3"


@pytest.mark.parametrize(
    "script, message",
    [("exit 7", "ended with 7"), ("echo hello", "does not look like a Chrome"), ("sleep 600", "did not answer")],
)
def test_version_of_what_is_no_browser(tmp_path, marked, script, message):
    path = tmp_path / "program"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    with pytest.raises(UserError, match=message):
        browser.version(str(path), limit=1.0)
    gone(marked)


def test_crashing_browser_is_one_line(tmp_path, marked):
    with pytest.raises(UserError, match="while drawing one") as error:
        list(browser.draw({"one": figure()}, path=fake(tmp_path, "echo dying >&2; exit 1"), start_limit=30))
    assert "\n" not in str(error.value) and "BROWSER_PATH" in str(error.value)
    gone(marked)


def test_a_window_of_a_crashing_browser_is_one_line(tmp_path):
    with pytest.raises(UserError, match="did not start .*BROWSER_PATH"), browser.window(fake(tmp_path, "exit 1")):
        pass


@pytest.mark.slow
def test_hanging_browser_is_ended_with_all_its_children(tmp_path, marked):
    with pytest.raises(UserError, match="hung while drawing one and was ended after 4 s"):
        list(browser.draw({"one": figure()}, path=fake(tmp_path, "sleep 600 & sleep 600"), start_limit=4))
    gone(marked)


MANY = {str(number): figure(str(number)) for number in range(60)}  # more than are drawn before a test can interfere


def test_browser_that_hangs_midway_keeps_what_was_drawn(chrome, marked):
    done = []
    with pytest.raises(UserError, match="hung while drawing") as error:
        for name, _ in browser.draw(MANY, path=chrome, figure_limit=2):
            done.append(name)
            for process in started(marked):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if "type=renderer" in " ".join(process.cmdline()):
                        process.suspend()
    assert done == list(MANY)[: len(done)] and f"hung while drawing {len(done)} " in str(error.value)
    gone(marked)


def test_browser_killed_midway_is_a_crash(chrome, marked):
    done = []
    with pytest.raises(UserError, match="while drawing") as error:
        for name, _ in browser.draw(MANY, path=chrome):
            done.append(name)
            for process in started(marked):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if process.name().startswith("chrom"):
                        process.kill()
    assert done == list(MANY)[: len(done)] and f"while drawing {len(done)}" in str(error.value)
    gone(marked)


def test_killed_parent_takes_the_browser_along(chrome, marked):
    before = set(Path("/tmp").glob("charts-*"))
    code = (
        "import sys, time\nfrom scripts.common import browser\n"
        f"figures = {{str(i): {figure()!r} for i in range(200)}}\n"
        "for name, _ in browser.draw(figures):\n    print(name, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=browser.CODE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "0"
    work = " ".join(" ".join(child.cmdline()) for child in psutil.Process(process.pid).children(recursive=True))
    process.send_signal(signal.SIGKILL)
    process.wait()
    gone(marked)
    left = lambda: [folder for folder in set(Path("/tmp").glob("charts-*")) - before if folder.name in work]
    until(lambda: not left(), "its folder is removed")


def test_same_bytes_in_another_browser_and_where_temporary_folders_have_long_paths(chrome, tmp_path, monkeypatch):
    figures = {"one": figure("Frontier 5 µs – ½"), "two": figure(meta={"scale": 2})}
    first = dict(browser.draw(figures, path=chrome))
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    second = dict(browser.draw(figures, path=chrome))
    assert first == second and first["one"][:3] == b"\xff\xd8\xff"
    assert list(first) == ["one", "two"]


def test_figure_that_cannot_be_drawn_is_our_defect(chrome):
    with pytest.raises(RuntimeError, match="chart broken cannot be drawn"):
        list(browser.draw({"broken": figure()}, path=chrome, image="tiff"))


def test_nothing_to_draw_needs_no_browser(monkeypatch):
    monkeypatch.setenv("BROWSER_PATH", "/no/such/browser")
    assert list(browser.draw({})) == []


@pytest.mark.skipif(sys.platform != "linux", reason="fontconfig finds fonts on Linux only")
def test_fontconfig_finds_our_files_before_any_other():
    config = browser.font_config()
    for style, weight in (("Regular", 80), ("Semibold", 180), ("Bold", 200)):
        found = subprocess.run(
            ["fc-match", f"{browser.FONT}:weight={weight}", "-f", "%{file}"],
            env={**os.environ, "FONTCONFIG_FILE": str(config)},
            capture_output=True,
            text=True,
        ).stdout
        assert Path(found).resolve() == browser.font_files()[style].resolve()


@pytest.mark.skipif(sys.platform != "linux", reason="fontconfig finds fonts on Linux only")
def test_drawn_text_has_the_widths_of_our_font(chrome):
    """Each text is drawn alone, black on white; its ink must be as wide as PIL draws it with our file, and not as
    wide as in Arial.
    """
    import io

    import numpy as np
    from PIL import Image, ImageFont

    texts = {
        "regular": ("levit_conv_128s Willing 1234", "Regular", 400),
        "semibold": ("convnextv2_base illi MMM 90.06%", "Semibold", 600),
    }

    def spec(text: str, weight: int, family: str) -> dict:
        place = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False}
        font = {"family": family, "size": 40, "color": "#000000", "weight": weight}
        layout = {
            "width": 900,
            "height": 100,
            "template": "none",
            "annotations": [{"text": text, **place, "font": font}],
        }
        return {"data": [], "layout": {**layout, "xaxis": {"visible": False}, "yaxis": {"visible": False}}}

    jobs = {
        f"{name}-{family}": spec(text, weight, family)
        for name, (text, _, weight) in texts.items()
        for family in (browser.FONT, "Liberation Sans, Arial")
    }
    drawn = dict(browser.draw(jobs, path=chrome, image="png"))

    def ink(picture: bytes) -> int:
        columns = np.flatnonzero((np.asarray(Image.open(io.BytesIO(picture)).convert("L")) < 128).any(axis=0))
        return int(columns[-1] - columns[0])

    for name, (text, style, _) in texts.items():
        left, _, right, _ = ImageFont.truetype(str(browser.font_files()[style]), 40).getbbox(text)
        assert abs(ink(drawn[f"{name}-{browser.FONT}"]) - (right - left)) <= 5, name
        assert abs(ink(drawn[f"{name}-Liberation Sans, Arial"]) - (right - left)) > 12, (
            "the comparison font is as wide: the test says nothing"
        )
        assert width(text, 40, style) == pytest.approx(right - left, abs=5)


def test_command_says_what_it_would_use(chrome, capsys):
    assert browser.main([]) == 0
    assert chrome in capsys.readouterr().out


@pytest.mark.parametrize("use", ["draw", "window"])
def test_chrome_leaves_nothing_in_an_empty_home_and_looks_up_no_name(chrome, tmp_path, monkeypatch, marked, use):
    """It would leave an identifier for crash reports there, and ask its maker's servers as it starts."""
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    lines: list[str] = []

    def look():
        for process in started(marked):
            with contextlib.suppress(psutil.Error):
                lines.append(" ".join(process.cmdline()))

    if use == "draw":
        for _ in browser.draw(MANY, path=chrome):
            if not lines:
                look()
    else:
        with browser.window(chrome) as window:
            assert window.new_page().evaluate("1") == 1
            look()
    assert [line for line in lines if browser.ALONE in line]
    left = [path.name for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert [name for name in left if "fontconfig" not in name] == []
