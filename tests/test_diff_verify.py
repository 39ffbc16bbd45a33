"""`make verify` on a catalogue of two small charts: what fails, what is only said, what cannot be drawn here."""

import contextlib
import io
import json
import subprocess

import pandas as pd
import plotly.graph_objects as go
import pytest
from PIL import Image, ImageDraw

from scripts.common import browser, hardware
from scripts.common.errors import DataMissing, UserError
from scripts.common.provenance import sha256
from scripts.data.read_data import TablesMissing
from scripts.diff import sides, verify
from scripts.diff.causes import ADDED, DATA, OTHER, REMOVED, RENDERER, SIDECAR, STYLE, UNREADABLE, UNRECORDED
from scripts.figures import export
from scripts.figures.drawing import Chart, Drawing


class Catalogue:
    """Two charts whose data, colour and words a test can change, and the folder of their committed pictures."""

    def __init__(self, folder):
        self.folder, self.table = folder / "images", folder / "t.csv"
        self.ys, self.colour, self.alt, self.missing = [1.0, 2.0, 3.0], "#2ea584", "three points", ()
        self.table.write_text("y\n1\n2\n3\n")
        self.export()

    def draw(self, name):
        if name in self.missing:
            raise TablesMissing("no tables here")
        figure = go.Figure(
            go.Scatter(y=self.ys if name == "one" else [3, 2, 1], mode="markers", marker_color=self.colour)
        )
        figure.update_layout(width=300, height=240)
        sources = [{"path": "report/data/t.csv", "sha256": sha256(self.table)}] if name == "one" else []
        return Drawing(
            figure,
            name,
            self.alt if name == "one" else "x",
            "c",
            pd.DataFrame({"y": self.ys if name == "one" else [3]}),
            sources,
        )

    @property
    def charts(self):
        return {name: Chart(name, lambda name=name: self.draw(name), "measured") for name in ("one", "two")}

    def export(self):
        export.export(self.charts, out=self.folder)

    def verify(self, tmp_path, only=None):
        made = verify.verify(self.charts, tmp_path / "again", only, self.folder)
        return {change.name: change.cause for change in made.changes}, verify.exit_code(made), made


def painted(figures, *_, **__):
    """Stands for Chrome: a picture that depends on the figure alone."""
    for name, figure in figures.items():
        image = Image.new("RGB", (figure["layout"]["width"], figure["layout"]["height"]), "white")
        ImageDraw.Draw(image).text((5, 50), str(figure["data"][0]["y"]), fill=figure["data"][0]["marker"]["color"])
        out = io.BytesIO()
        image.save(out, "JPEG")
        yield name, out.getvalue()


@pytest.fixture
def catalogue(tmp_path, monkeypatch):
    monkeypatch.setattr(browser, "draw", painted)
    monkeypatch.setattr(export, "renderer", lambda: {"browser": "Chromium 156"})
    return Catalogue(tmp_path)


def test_nothing_changed_in_ten_redraws(catalogue, tmp_path):
    for _ in range(10):
        assert catalogue.verify(tmp_path)[:2] == ({}, 0)


def data(c):
    c.ys = [1.0, 2.0, 3.015]
    c.table.write_text("y\n1\n2\n3.015\n")
    return {"one.jpg": DATA}


def style(c):
    c.colour = "#b884b3"
    return {"one.jpg": STYLE, "two.jpg": STYLE}


def words(c):
    c.alt = "3 points"
    return {"one.jpg": STYLE}


def checksum(c):
    """The table was spelt otherwise: same figure, but the manifest's checksum, which the page shows, is of another
    file.
    """
    c.table.write_text("y\n1.0\n2.0\n3.0\n")
    return {"one.jpg": SIDECAR}


def no_longer_drawn(c):
    manifest = json.loads((c.folder / "manifest.json").read_text())
    manifest["charts"]["gone"] = manifest["charts"]["one"]
    (c.folder / "manifest.json").write_text(json.dumps(manifest))
    (c.folder / "gone.jpg").write_bytes((c.folder / "two.jpg").read_bytes())
    return {"gone.jpg": REMOVED}


def never_committed(c):
    manifest = json.loads((c.folder / "manifest.json").read_text())
    del manifest["charts"]["one"]
    (c.folder / "manifest.json").write_text(json.dumps(manifest))
    return {"one.jpg": ADDED}


def not_a_picture(c):
    (c.folder / "one.jpg").write_text("x")
    return {"one.jpg": UNREADABLE}


@pytest.mark.parametrize(
    "change, code",
    [(data, 1), (style, 1), (words, 1), (checksum, 1), (no_longer_drawn, 1), (never_committed, 1), (not_a_picture, 2)],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_what_fails(catalogue, tmp_path, change, code):
    expected = change(catalogue)
    causes, found, _ = catalogue.verify(tmp_path)
    assert (causes, found) == (expected, code)


def test_a_picture_edited_by_hand_fails(catalogue, tmp_path):
    Image.open(catalogue.folder / "one.jpg").rotate(180).save(catalogue.folder / "one.jpg")
    assert catalogue.verify(tmp_path)[:2] == ({"one.jpg": UNRECORDED}, 1)


def test_another_browser_is_only_reported(catalogue, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "renderer", lambda: {"browser": "Chromium 157"})
    assert catalogue.verify(tmp_path)[:2] == ({}, 0)  # the same bytes all the same

    def blurred(figures, *arguments, **options):
        for name, picture in painted(figures):
            out = io.BytesIO()
            Image.open(io.BytesIO(picture)).save(out, "JPEG", quality=60)
            yield name, out.getvalue()

    monkeypatch.setattr(browser, "draw", blurred)
    causes, code, made = catalogue.verify(tmp_path)
    assert (causes, code) == ({"one.jpg": RENDERER, "two.jpg": RENDERER}, 0)
    assert "browser Chromium 156 → Chromium 157" in made.changes[0].why[0]


def test_charts_without_tables_are_named_and_do_not_fail(catalogue, tmp_path):
    catalogue.missing = ("two",)
    causes, code, made = catalogue.verify(tmp_path)
    assert (causes, code) == ({}, 0) and made.identical == 1
    assert made.notes == ["1 chart not drawn again, their tables cannot be had here: two"]
    catalogue.missing = ("one", "two")
    assert catalogue.verify(tmp_path)[:2] == ({}, 0)


def test_some_charts_only(catalogue, tmp_path):
    style(catalogue)
    assert catalogue.verify(tmp_path, ["two"])[0] == {"two.jpg": STYLE}
    with pytest.raises(UserError, match="no chart called three"):
        catalogue.verify(tmp_path, ["three"])


@pytest.mark.slow
def test_with_a_real_browser_the_bytes_are_the_same(tmp_path):
    try:
        browser.browser()
    except UserError:
        pytest.skip("no Chrome here")
    catalogue = Catalogue(tmp_path)
    assert catalogue.verify(tmp_path)[:2] == ({}, 0)


# --- results of other machines ----------------------------------------------------------------------------------------
class Bench:
    """A project whose one chart shows this machine's speeds: the present machine if it was measured, else the one
    measured last.
    """

    def __init__(self, root):
        self.root, self.images = root, root / "images"
        (root / "report/data").mkdir(parents=True)
        self.measured = []
        self.measure("h200", 900)

    def path(self, slug):
        return f"report/data/benchmark-infer-amp-nchw-pt2150-cu130-{slug}.csv"

    def measure(self, slug, speed):
        file = self.root / self.path(slug)
        file.write_text(f"model,speed\nlevit,{speed}\n")
        file.with_suffix(".json").write_text(json.dumps({"schema": 1, "hardware": {"slug": slug, "name": slug}}))
        self.measured = [*(one for one in self.measured if one != slug), slug]

    def draw(self):
        slug = next((one for one in hardware.present() if one in self.measured), self.measured[-1])
        path = self.root / self.path(slug)
        data = pd.read_csv(path)
        figure = go.Figure(go.Scatter(y=data.speed, mode="markers", marker_color="#2ea584"))
        figure.update_layout(width=300, height=240)
        return Drawing(figure, slug, "a", "c", data, [{"path": self.path(slug), "sha256": sha256(path)}])

    def verify(self, tmp_path, *names):
        made = verify.verify(
            {name: Chart(name, self.draw, "measured") for name in ("speed", *names)},
            tmp_path / "again",
            None,
            self.images,
        )
        return {change.name: change.cause for change in made.changes}, verify.exit_code(made)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setattr(browser, "draw", painted)
    monkeypatch.setattr(export, "renderer", lambda: {"browser": "Chromium 156"})
    monkeypatch.setattr(verify, "ROOT", tmp_path / "project")
    monkeypatch.setattr(hardware, "_detected", lambda: ("rtx5090",))
    made = Bench(tmp_path / "project")
    with hardware.standing_in(["h200"]):
        export.export({"speed": Chart("speed", made.draw, "measured")}, out=made.images)
    return made


def test_a_picture_of_this_machine_can_be_verified_on_another(bench, tmp_path):
    assert bench.verify(tmp_path) == ({}, 0)
    bench.measure("rtx5090", 400)  # the verifying machine was measured too
    bench.measure("rtx5080", 300)  # and another one since
    assert bench.verify(tmp_path) == ({}, 0)


def test_other_results_that_a_chart_prefers_are_said_and_no_failure(bench, tmp_path, monkeypatch):
    bench.measure("rtx5090", 400)
    monkeypatch.setattr(
        hardware, "standing_in", lambda slugs: contextlib.nullcontext()
    )  # a chart that takes what is newest
    assert bench.verify(tmp_path) == ({"speed.jpg": OTHER}, 0)
    bench.measure("h200", 901)  # but the picture's own table was changed
    assert bench.verify(tmp_path) == ({"speed.jpg": DATA}, 1)


def test_the_shown_machine_s_own_results_that_moved_are_a_failure(bench, tmp_path):
    bench.measure("h200", 950)
    assert bench.verify(tmp_path) == ({"speed.jpg": DATA}, 1)


def test_the_shown_machine_s_results_that_went_are_a_failure(bench, tmp_path):
    bench.measure("rtx5090", 400)
    (bench.root / bench.path("h200")).unlink()
    bench.measured.remove("h200")
    assert bench.verify(tmp_path) == ({"speed.jpg": DATA}, 1)


def test_a_first_chart_of_results_that_came_after_the_pictures_is_no_failure_but_a_forgotten_one_is(
    bench, tmp_path, monkeypatch
):
    def commit():
        for words in (
            ["init", "-q"],
            ["add", "-A"],
            ["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "x"],
        ):
            subprocess.run(["git", *words], cwd=bench.root, check=True, capture_output=True)

    monkeypatch.setattr(sides, "ROOT", bench.root)
    monkeypatch.setattr(sides.repository, "ROOT", bench.root)
    commit()
    assert bench.verify(tmp_path, "again") == (
        {"again.jpg": ADDED},
        1,
    )  # a new chart of the results that are drawn already
    bench.measure("rtx5090", 400)
    assert bench.verify(tmp_path, "gpu") == ({"gpu.jpg": OTHER}, 0)
    commit()  # as a contributed machine comes, without pictures
    assert bench.verify(tmp_path, "gpu") == ({"gpu.jpg": OTHER}, 0)


def test_a_chart_of_what_only_its_machine_has_is_named_and_does_not_fail(catalogue, tmp_path):
    """`two` has no source in the project, as the chart of the runs on disk."""

    def missing():
        raise DataMissing("no runs on disk")

    charts = {**catalogue.charts, "two": Chart("two", missing, "trained")}
    made = verify.verify(charts, tmp_path / "again", None, catalogue.folder)
    assert (made.changes, verify.exit_code(made)) == ([], 0)
    assert made.notes == ["1 chart not drawn again, what they show lies on the machine that drew them: two"]
