"""Records that lie: what was planted by hand beside, under or into a picture, table, sidecar or manifest is named with
its cause, by `make diff` and by `make verify`, and nothing else is. With those of test_diff_compare it is over sixty.
"""

import json
import os

import pytest
from PIL import Image, ImageDraw

from scripts.common import browser
from scripts.common.provenance import sha256
from scripts.diff import compare, sides, verify
from scripts.diff.causes import (
    ADDED,
    DATA,
    OTHER,
    REMOVED,
    RENAMED,
    RENDERER,
    REWRITTEN,
    SIDECAR,
    STYLE,
    SWAPPED,
    UNREADABLE,
    UNRECORDED,
)
from scripts.figures import export
from tests.test_diff_compare import SCORES, SCORES_NAME, SPEED, SPEED_NAME, Studio, figures, planted
from tests.test_diff_verify import Catalogue, painted


@pytest.fixture
def studio(tmp_path, monkeypatch):
    """The small repository of test_diff_compare, each table with a sidecar that names its checksum."""
    for module in (sides, compare, sides.repository):
        monkeypatch.setattr(module, "ROOT", tmp_path / "project")
    made = Studio(tmp_path / "project")
    for path in (SPEED, SCORES):
        sign(made, path)
    made.commit()
    with made.stack:
        yield made


def sign(s, path):
    facts = {"hardware": {"slug": "rtx5090", "name": "RTX 5090"}} if path == SPEED else {"hardware": {}}
    s.sidecar(path, **facts, sha256=sha256(s.root / path))


def note(s, path, **facts):
    """Change what the sidecar of a table says; None takes a fact out."""
    sidecar = (s.root / path).with_suffix(".json")
    known = {**json.loads(sidecar.read_text()), **facts}
    sidecar.write_text(json.dumps({name: value for name, value in known.items() if value is not None}))


def paint(path, at=(200, 200)):
    """Move what a chart says: a white patch and a dot elsewhere."""
    image = Image.open(path).convert("RGB")
    pen = ImageDraw.Draw(image)
    pen.rectangle([at[0], at[1], at[0] + 30, at[1] + 30], fill="white")
    pen.ellipse([at[0] + 50, at[1], at[0] + 59, at[1] + 9], fill="#2ea584")
    image.save(path, quality=95)


def accept(studio):
    """Rewrite the manifest for the pictures as they are."""
    with sides.side("HEAD") as base, sides.side() as head:
        compare.accept(compare.compare(base, head).changes, head, studio.root)


def exchange(one, two):
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)


# --- make diff --------------------------------------------------------------------------------------------------------
def painted_over(s):
    paint(s.picture("chart_1"))
    return figures(UNRECORDED, 1)


def painted_over_and_accepted(s):
    paint(s.picture("chart_1"))
    accept(s)
    return figures(UNRECORDED, 1)


def painted_over_and_said_to_be_of_another_browser(s):
    paint(s.picture("chart_1"))
    accept(s)
    s.manifest(lambda charts: charts["chart_1"]["renderer"].update(browser="Chromium 157"))
    return figures(UNRECORDED, 1)


def a_dot_painted_out_and_said_to_be_of_another_font(s):
    image = Image.open(s.picture("chart_2")).convert("RGB")
    x, y = next(
        (x, y) for x in range(20, 590) for y in range(60, 410) if sum(image.getpixel((x, y))) < 500
    )  # of some dot
    ImageDraw.Draw(image).rectangle([x - 2, y - 9, x + 12, y + 9], fill="white")
    image.save(s.picture("chart_2"), quality=95)
    accept(s)
    s.manifest(lambda charts: charts["chart_2"]["renderer"].update(font="Source Sans Pro 2"))
    return figures(UNRECORDED, 2)


def pictures_swapped(s):
    exchange(s.picture("chart_1"), s.picture("chart_4"))
    return figures(SWAPPED, 1, 4)


def pictures_swapped_and_accepted(s):
    pictures_swapped(s)
    accept(s)
    return figures(SWAPPED, 1, 4)


def pictures_swapped_with_their_entries(s):
    pictures_swapped(s)

    def swap(charts):
        charts["chart_1"], charts["chart_4"] = charts["chart_4"], charts["chart_1"]

    s.manifest(swap)
    return figures(SWAPPED, 1, 4)


def three_pictures_in_turn(s):
    exchange(s.picture("chart_0"), s.picture("chart_1"))
    exchange(s.picture("chart_1"), s.picture("chart_2"))
    return figures(SWAPPED, 0, 1, 2)


def a_picture_over_another(s):
    s.picture("chart_1").write_bytes(s.picture("chart_4").read_bytes())
    accept(s)
    return figures(UNRECORDED, 1)


def entry_removed(s):
    s.manifest(lambda charts: charts.pop("chart_3"))
    return figures(UNRECORDED, 3)


def entry_without_a_picture(s):
    s.manifest(lambda charts: charts.update(ghost=charts["chart_3"]))
    return {"ghost.jpg": UNRECORDED}


def checksum_of_a_picture(s):
    s.manifest(lambda charts: charts["chart_3"]["jpg"].update(sha256="0" * 64))
    return figures(UNRECORDED, 3)


def size_of_a_picture(s):
    s.manifest(lambda charts: charts["chart_3"]["jpg"].update(width=17))
    return figures(SIDECAR, 3)


def digest_of_the_data(s):
    s.manifest(lambda charts: charts["chart_3"].update(data_sha256="0" * 64))
    return figures(SIDECAR, 3)


def checksum_of_a_source(s):
    s.manifest(lambda charts: charts["chart_3"]["sources"][0].update(sha256="0" * 64))
    return figures(SIDECAR, 3)


def date_and_machine(s):
    s.manifest(lambda charts: charts["chart_3"].update(date="2031-01-01", hardware="a dream"))
    return figures(SIDECAR, 3)


def renderer_alone(s):
    s.manifest(lambda charts: charts["chart_3"]["renderer"].update(browser="Chromium 157"))
    return figures(SIDECAR, 3)


def hash_of_a_figure(s):
    s.manifest(lambda charts: charts["chart_3"].update(figure_sha256="0" * 64))
    return figures(STYLE, 3)


def words_in_the_shade_of_another_browser(s):
    s.render["browser"], s.quality = "Chromium 157.0", 93
    s.draw(["chart_3"])
    s.manifest(lambda charts: charts["chart_3"].update(alt="the opposite"))
    return figures(STYLE, 3)


def hidden_picture(s):
    (s.root / "images/.chart_9.jpg").write_bytes(s.picture("chart_1").read_bytes() + b"x")
    return {".chart_9.jpg": ADDED}


def hidden_table(s):
    (s.root / "report/data/.scores.csv").write_text("a\n1\n")
    return {".scores.csv": ADDED}


def table_edited(s):
    s.edit(SCORES, 4, "top1", 99)
    return {SCORES_NAME: UNRECORDED}


def table_rewritten(s):
    lines = s.lines(SCORES)
    (s.root / SCORES).write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    return {SCORES_NAME: UNRECORDED}


def table_rewritten_by_its_command(s):
    table_rewritten(s)
    sign(s, SCORES)
    return {SCORES_NAME: REWRITTEN}


def table_changed_by_its_command(s):
    s.edit(SCORES, 4, "top1", 99)
    sign(s, SCORES)
    return {SCORES_NAME: DATA}


def tables_swapped(s):
    exchange(s.root / SPEED, s.root / SCORES)
    return {SPEED_NAME: SWAPPED, SCORES_NAME: SWAPPED}


def tables_swapped_with_their_sidecars(s):
    tables_swapped(s)
    exchange(*((s.root / path).with_suffix(".json") for path in (SPEED, SCORES)))
    return {SPEED_NAME: SWAPPED, SCORES_NAME: SWAPPED}


def sidecars_swapped(s):
    exchange(*((s.root / path).with_suffix(".json") for path in (SPEED, SCORES)))
    return {SPEED_NAME: UNRECORDED, SCORES_NAME: UNRECORDED}


def checksum_of_a_sidecar(s):
    note(s, SPEED, sha256="0" * 64)
    return {SPEED_NAME: UNRECORDED}


def sidecar_without_checksum(s):
    note(s, SPEED, sha256=None)
    return {SPEED_NAME: UNRECORDED}


def sidecar_gone(s):
    (s.root / SPEED).with_suffix(".json").unlink()
    return {SPEED_NAME: UNRECORDED}


def sidecar_of_another_date(s):
    note(s, SPEED, date="2031-01-01T00:00:00Z")
    return {SPEED_NAME: SIDECAR}


def sidecar_cut_short(s):
    path = (s.root / SPEED).with_suffix(".json")
    path.write_text(path.read_text()[:20])
    return {SPEED_NAME: UNREADABLE}


def table_renamed(s):
    for suffix in (".csv", ".json"):
        (s.root / SCORES).with_suffix(suffix).rename(s.root / f"report/data/points{suffix}")
    return {"points.csv": RENAMED}


def picture_for_a_link(s):
    s.picture("chart_1").rename(s.root / "elsewhere.jpg")
    s.picture("chart_1").symlink_to(s.root / "elsewhere.jpg")
    return figures(REMOVED, 1)


PLANTED = planted(dict(globals()))


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_lie_is_named_with_its_cause_and_nothing_else_is(studio, plant):
    expected = plant(studio)
    assert studio.causes() == expected


def test_what_was_wrong_before_and_was_not_touched_is_no_change(studio):
    for plant in (painted_over, checksum_of_a_sidecar, entry_without_a_picture):
        plant(studio)
    studio.commit()
    assert studio.causes() == {}


# --- make verify ------------------------------------------------------------------------------------------------------
TABLE = "a.csv"


@pytest.fixture
def committed(tmp_path, monkeypatch):
    """Two charts and their pictures, and a table with its sidecar, in a project of their own."""
    monkeypatch.setattr(browser, "draw", painted)
    monkeypatch.setattr(export, "renderer", lambda: {"browser": "Chromium 156"})
    made = Catalogue(tmp_path)
    data = tmp_path / "report/data"
    data.mkdir(parents=True)
    (data / TABLE).write_text("a\n1\n")
    signed = {"schema": 1, "hardware": {}, "sha256": sha256(data / TABLE)}
    (data / TABLE).with_suffix(".json").write_text(json.dumps(signed))
    made.data = data
    return made


def entries(c, edit):
    path = c.folder / export.MANIFEST
    content = json.loads(path.read_text())
    edit(content["charts"])
    path.write_text(json.dumps(content))


def record(c, name="one"):
    """Write into the manifest what the picture is now."""
    path = c.folder / f"{name}.jpg"
    entries(c, lambda charts: charts[name]["jpg"].update(sha256=sha256(path), bytes=path.stat().st_size))


def v_painted(c):
    paint(c.folder / "one.jpg", (100, 100))
    return {"one.jpg": UNRECORDED}


def v_painted_and_recorded(c):
    v_painted(c)
    record(c)
    return {"one.jpg": UNRECORDED}


def v_painted_recorded_and_of_another_browser(c):
    v_painted_and_recorded(c)
    entries(c, lambda charts: charts["one"]["renderer"].update(browser="Chromium 1"))
    return {"one.jpg": UNRECORDED}


def v_swapped(c):
    exchange(c.folder / "one.jpg", c.folder / "two.jpg")
    return {"one.jpg": SWAPPED, "two.jpg": SWAPPED}


def v_swapped_with_entries(c):
    v_swapped(c)

    def swap(charts):
        charts["one"], charts["two"] = charts["two"], charts["one"]

    entries(c, swap)
    return {"one.jpg": SWAPPED, "two.jpg": SWAPPED}


def v_swapped_with_checksums(c):
    v_swapped(c)
    record(c, "one")
    record(c, "two")
    return {"one.jpg": SWAPPED, "two.jpg": SWAPPED}


def v_entry_removed(c):
    entries(c, lambda charts: charts.pop("two"))  # of a chart without sources
    return {"two.jpg": ADDED}


def v_picture_removed(c):
    (c.folder / "two.jpg").unlink()
    return {"two.jpg": REMOVED}


def v_ghost(c):
    entries(c, lambda charts: charts.update(ghost=charts["one"]))
    return {"ghost.jpg": REMOVED}


def v_checksum(c):
    entries(c, lambda charts: charts["one"]["jpg"].update(sha256="0" * 64))
    return {"one.jpg": UNRECORDED}


def v_data_digest(c):
    entries(c, lambda charts: charts["one"].update(data_sha256="0" * 64))
    return {"one.jpg": SIDECAR}


def v_date(c):
    entries(c, lambda charts: charts["one"].update(date="2031-01-01"))
    return {"one.jpg": SIDECAR}


def v_sources_trimmed(c):
    entries(c, lambda charts: charts["one"].update(sources=[]))
    return {"one.jpg": SIDECAR}


def v_words_and_another_browser(c):
    Image.open(c.folder / "one.jpg").save(c.folder / "one.jpg", quality=60)
    record(c)
    entries(c, lambda charts: charts["one"].update(alt="x", renderer={"browser": "Chromium 1"}))
    return {"one.jpg": STYLE}


def v_saved_again_with_another_browser(c):
    Image.open(c.folder / "one.jpg").save(c.folder / "one.jpg", quality=60)
    record(c)
    entries(c, lambda charts: charts["one"].update(renderer={"browser": "Chromium 1"}))
    return {"one.jpg": RENDERER}


def v_stray(c):
    (c.folder / "three.jpg").write_bytes((c.folder / "one.jpg").read_bytes())
    return {"three.jpg": UNRECORDED}


def v_hidden(c):
    (c.folder / ".one.jpg").write_bytes(b"x")
    return {".one.jpg": UNRECORDED}


def v_painted_and_not_drawn_again(c):
    v_painted(c)
    c.missing = ("one", "two")
    return {"one.jpg": UNRECORDED}


def v_table_edited(c):
    (c.data / TABLE).write_text("a\n2\n")
    return {TABLE: UNRECORDED}


def v_sidecar_gone(c):
    (c.data / TABLE).with_suffix(".json").unlink()
    return {TABLE: UNRECORDED}


def v_table_gone(c):
    (c.data / TABLE).unlink()
    return {"a.json": UNRECORDED}


def v_sidecar_damaged(c):
    (c.data / TABLE).with_suffix(".json").write_text("{")
    return {TABLE: UNREADABLE}


def v_hidden_table(c):
    (c.data / ".b.csv").write_text("a\n1\n")
    return {".b.csv": UNRECORDED}


def v_link(c):
    (c.data / "b.csv").symlink_to("/etc/passwd")
    return {"b.csv": UNRECORDED}


FOOLED = [value for name, value in list(globals().items()) if name.startswith("v_")]
PASSES = (v_saved_again_with_another_browser,)


@pytest.mark.parametrize("plant", FOOLED, ids=lambda plant: plant.__name__)
def test_verify_believes_no_record(committed, tmp_path, plant):
    assert committed.verify(tmp_path)[:2] == ({}, 0)
    expected = plant(committed)
    causes, code, _ = committed.verify(tmp_path)
    assert causes == expected
    assert code == (0 if plant in PASSES else 2 if UNREADABLE in expected.values() else 1)


def test_results_that_are_not_new_excuse_nothing(committed, tmp_path, monkeypatch):
    """A picture painted over, its entry made to look like one of older results: the others were there already."""
    for module in (verify, sides, sides.repository):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    table = tmp_path / "report/data/benchmark-x-h200.csv"
    table.write_text("y\n1\n2\n3\n")
    facts = {"schema": 1, "hardware": {"slug": "h200"}, "sha256": sha256(table)}
    table.with_suffix(".json").write_text(json.dumps(facts))
    source = {"path": "report/data/benchmark-x-h200.csv", "sha256": sha256(table)}
    drawn = committed.draw
    committed.draw = lambda name: (drawing := drawn(name), drawing.sources.append(source))[0]
    committed.export()
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@x", "commit", "-qm", "x"]):
        sides.git(*words)
    assert committed.verify(tmp_path)[:2] == ({}, 0)
    v_painted_and_recorded(committed)
    lie = {"sources": [], "figure_sha256": "0" * 64, "data_sha256": "0" * 64}
    entries(committed, lambda charts: charts["one"].update(lie))
    causes, code, _ = committed.verify(tmp_path)
    assert (causes, code) == ({"one.jpg": DATA}, 1) and OTHER not in causes.values()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_for_a_sidecar_does_not_hang(committed, tmp_path):
    path = (committed.data / TABLE).with_suffix(".json")
    path.unlink()
    os.mkfifo(path)
    assert committed.verify(tmp_path)[0] == {TABLE: UNRECORDED}
