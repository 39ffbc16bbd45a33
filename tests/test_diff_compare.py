"""The figure diff on a small repository whose pictures are drawn by Pillow: each planted change is named with its
cause, and nothing else.
"""

import contextlib
import hashlib
import inspect
import json
import random
import struct
import subprocess
import zlib

import pytest
from PIL import Image, ImageDraw, ImageFont

from scripts.common.provenance import sha256
from scripts.diff import comment, compare, report, sides
from scripts.diff.causes import (
    ADDED,
    DATA,
    REMOVED,
    RENAMED,
    RENDERER,
    REWRITTEN,
    SIDECAR,
    STYLE,
    UNREADABLE,
    UNRECORDED,
    WITHIN,
)
from scripts.figures.export import SCHEMA

SPEED = "report/data/benchmark-infer-amp-nhwc-pt2150-cu130-rtx5090.csv"
SCORES = "report/data/scores.csv"
RENDER = {"plotly": "7.1.0", "kaleido": "1.5.0", "browser": "Chromium 156.0", "font": "Source Sans Pro 1.0"}


class Studio:
    """A repository of two tables and six figures, and a `make figures` for it."""

    def __init__(self, root):
        self.root = root
        self.stack = contextlib.ExitStack()  # keeps the files of a revision until the test ends
        self.render, self.quality = dict(RENDER), 95
        for folder in ("images", "report/data"):
            (root / folder).mkdir(parents=True)
        spread = random.Random(8)
        speeds = [(f"levit_{n}", 224, round(spread.uniform(50, 9000), 2)) for n in range(30)]
        self.write(SPEED, "model,infer_img_size,infer_samples_per_sec", speeds)
        scores = [(name, round(spread.uniform(70, 90), 3), 5 + n) for n, (name, *_) in enumerate(speeds)]
        self.write(SCORES, "model,top1,param_count", scores)
        self.sidecar(SPEED, hardware={"slug": "rtx5090", "name": "RTX 5090"})
        look = {"colour": "#2ea584", "font": 22, "size": [600, 420]}
        self.figures = {
            f"chart_{n}": {"title": f"Chart {n}", "source": SPEED if n < 3 else SCORES, **look} for n in range(6)
        }
        self.draw()
        self.git("init", "-q", "-b", "main")
        self.commit()

    def git(self, *arguments):
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
        return subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True).stdout

    def commit(self):
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x")

    def write(self, path, header, rows):
        (self.root / path).write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")

    def sidecar(self, path, **facts):
        (self.root / path).with_suffix(".json").write_text(
            json.dumps({"schema": 1, "date": "2026-11-01T00:00:00Z", **facts})
        )

    def lines(self, path):
        return (self.root / path).read_text().splitlines()

    def edit(self, path, row, column, value):
        """Set a cell (row 0 is the first after the header)."""
        lines = self.lines(path)
        cells = lines[row + 1].split(",")
        cells[lines[0].split(",").index(column)] = str(value)
        lines[row + 1] = ",".join(cells)
        (self.root / path).write_text("\n".join(lines) + "\n")

    def cell(self, path, row, column):
        lines = self.lines(path)
        return lines[row + 1].split(",")[lines[0].split(",").index(column)]

    def picture(self, name):
        return self.root / f"images/{name}.jpg"

    def draw(self, only=None):
        manifest = self.root / "images/manifest.json"
        charts = json.loads(manifest.read_text())["charts"] if manifest.exists() else {}
        for name, style in self.figures.items():
            if only and name not in only:
                continue
            rows = [line.split(",") for line in self.lines(style["source"])[1:]]
            figure = hashlib.sha256(json.dumps([style, rows]).encode()).hexdigest()
            wide, high = style["size"]
            image = Image.new("RGB", (wide, high), "white")
            pen = ImageDraw.Draw(image)
            pen.text((20, 12), style["title"], fill="black", font=ImageFont.load_default(style["font"]))
            for at, row in enumerate(rows):
                x, y = 20 + at * (wide - 50) / 30, high - 20 - (high - 80) * (float(row[-1]) % 997 / 997)
                pen.ellipse([x, y, x + 9, y + 9], fill=style["colour"])
            jpg = self.picture(name)
            image.save(jpg, quality=self.quality)
            charts[name] = {
                "title": style["title"],
                "alt": f"{len(rows)} points",
                "caption": "c",
                "figure_sha256": figure,
                "renderer": dict(self.render),
                "sources": [{"path": style["source"], "sha256": sha256(self.root / style["source"])}],
                "jpg": {"width": wide, "height": high, "bytes": jpg.stat().st_size, "sha256": sha256(jpg)},
            }
        charts = {name: entry for name, entry in charts.items() if name in self.figures}
        manifest.write_text(json.dumps({"schema": SCHEMA, "charts": charts}))

    def manifest(self, edit):
        path = self.root / "images/manifest.json"
        content = json.loads(path.read_text())
        edit(content["charts"])
        path.write_text(json.dumps(content))

    def diff(self, base="HEAD"):
        """Report of the working tree against `base`."""
        return compare.compare(*(self.stack.enter_context(sides.side(what)) for what in (base, "")))

    def causes(self, base="HEAD"):
        return {change.path.split("/")[-1]: change.cause for change in self.diff(base).changes}


@pytest.fixture
def studio(tmp_path, monkeypatch):
    for module in (sides, compare, sides.repository):
        monkeypatch.setattr(module, "ROOT", tmp_path / "project")
    made = Studio(tmp_path / "project")
    with made.stack:
        yield made


def figures(cause, *numbers):
    return {f"chart_{n}.jpg": cause for n in numbers}


SPEED_NAME, SCORES_NAME = SPEED.split("/")[-1], "scores.csv"


# --- twenty planted changes: (what is done, what the diff must say, nothing more) -------------------------------------
def moved_by_half_a_percent(s):
    s.edit(SCORES, 4, "top1", float(s.cell(SCORES, 4, "top1")) * 1.005)
    s.draw()
    return {SCORES_NAME: DATA, **figures(DATA, 3, 4, 5)}


def timing_within_tolerance(s):
    s.edit(SPEED, 4, "infer_samples_per_sec", round(float(s.cell(SPEED, 4, "infer_samples_per_sec")) * 1.004, 3))
    return {SPEED_NAME: WITHIN}


def timing_beyond_tolerance(s):
    s.edit(SPEED, 4, "infer_samples_per_sec", float(s.cell(SPEED, 4, "infer_samples_per_sec")) * 1.3)
    s.draw()
    return {SPEED_NAME: DATA, **figures(DATA, 0, 1, 2)}


def row_dropped(s):
    lines = s.lines(SCORES)
    (s.root / SCORES).write_text("\n".join(lines[:7] + lines[8:]) + "\n")
    s.draw()
    return {SCORES_NAME: DATA, **figures(DATA, 3, 4, 5)}


def row_added(s):
    (s.root / SPEED).write_text("\n".join([*s.lines(SPEED), "beit_base,224,312.5"]) + "\n")
    s.draw()
    return {SPEED_NAME: DATA, **figures(DATA, 0, 1, 2)}


def rows_in_another_order(s):
    lines = s.lines(SCORES)
    (s.root / SCORES).write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    return {SCORES_NAME: REWRITTEN}


def numbers_spelt_otherwise(s):
    s.edit(SCORES, 3, "param_count", f"{float(s.cell(SCORES, 3, 'param_count')):.2f}")
    return {SCORES_NAME: REWRITTEN}


def column_renamed(s):
    lines = s.lines(SCORES)
    (s.root / SCORES).write_text("\n".join([lines[0].replace("param_count", "params"), *lines[1:]]) + "\n")
    return {SCORES_NAME: DATA}


def sidecar_changed(s):
    s.sidecar(SPEED, hardware={"slug": "rtx5090", "name": "RTX 5090"}, note="warm")
    return {SPEED_NAME: SIDECAR}


def other_machine_added(s):
    path = SPEED.replace("rtx5090", "h200")
    (s.root / path).write_bytes((s.root / SPEED).read_bytes() + b"vgg11,224,9\n")
    return {path.split("/")[-1]: ADDED}


def table_removed(s):
    (s.root / SPEED).unlink()
    (s.root / SPEED).with_suffix(".json").unlink()
    return {SPEED_NAME: REMOVED}


def colour(s):
    s.figures["chart_1"]["colour"] = "#2ea58a"
    s.draw(["chart_1"])
    return figures(STYLE, 1)


def title(s):
    s.figures["chart_2"]["title"] = "Another chart 2"
    s.draw(["chart_2"])
    return figures(STYLE, 2)


def font(s):
    s.figures["chart_3"]["font"] = 23
    s.draw(["chart_3"])
    return figures(STYLE, 3)


def resized(s):
    s.figures["chart_0"]["size"] = [640, 420]
    s.draw(["chart_0"])
    return figures(STYLE, 0)


def other_browser(s):
    s.render["browser"], s.quality = "Chromium 157.0", 93
    s.draw()
    return figures(RENDERER, *range(6))


def one_pixel(s):
    image = Image.open(s.picture("chart_4")).convert("RGB")
    image.putpixel((300, 40), (0, 0, 0))
    image.save(s.picture("chart_4"), quality=95)
    return figures(UNRECORDED, 4)


def saved_again(s):
    Image.open(s.picture("chart_5")).save(s.picture("chart_5"), quality=80)
    return figures(UNRECORDED, 5)


def renamed(s):
    s.figures["graph_0"] = s.figures.pop("chart_0")
    s.picture("chart_0").rename(s.picture("graph_0"))
    s.draw(["graph_0"])
    return {"graph_0.jpg": RENAMED}


def new_figure(s):
    s.figures["chart_6"] = {**s.figures["chart_5"], "title": "New"}
    s.draw(["chart_6"])
    return figures(ADDED, 6)


def figure_removed(s):
    del s.figures["chart_5"]
    s.picture("chart_5").unlink()
    s.draw(["chart_4"])
    return figures(REMOVED, 5)


def only_words(s):
    s.manifest(lambda charts: charts["chart_2"].update(alt="other words"))
    return figures(STYLE, 2)


def drawn_again(s):
    s.draw()
    return {}


def planted(here):
    """Of a module's names the functions that take a studio `s` and nothing else, in their order."""
    return [one for one in here.values() if inspect.isfunction(one) and [*inspect.signature(one).parameters] == ["s"]]


PLANTED = planted(dict(globals()))


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_planted_change_is_named_with_its_cause_and_nothing_else(studio, plant):
    expected = plant(studio)
    assert studio.causes() == expected


def test_all_planted_at_once_are_told_apart(studio):
    """Changes to different files do not colour each other."""
    expected = {}
    for plant in (colour, title, one_pixel, new_figure, renamed, numbers_spelt_otherwise, timing_within_tolerance):
        expected |= plant(studio)
    assert studio.causes() == expected


def test_a_table_in_another_order_is_no_reason_to_blame_the_data(studio):
    rows_in_another_order(studio)
    studio.figures["chart_3"]["colour"] = "#b884b3"
    studio.draw()
    assert studio.causes() == {SCORES_NAME: REWRITTEN, **figures(STYLE, 3, 4, 5)}


def test_what_was_drawn_decides_where_the_manifests_know_it(studio):
    """A row that a chart does not show moved in its table: the chart's other colour is style."""

    def know(charts):
        charts["chart_3"]["data_sha256"] = f"the drawn rows {studio.cell(SCORES, 1, 'top1')}"
        charts["chart_4"]["data_sha256"] = "the drawn rows"

    studio.manifest(know)
    studio.commit()
    studio.edit(SCORES, 1, "top1", 99)
    studio.figures["chart_4"]["colour"] = "#b884b3"
    studio.draw(["chart_3", "chart_4"])
    studio.manifest(know)
    assert studio.causes() == {SCORES_NAME: DATA, **figures(DATA, 3), **figures(STYLE, 4)}


def test_a_moved_value_is_shown_with_its_relative_change(studio):
    was = studio.cell(SCORES, 4, "top1")
    moved_by_half_a_percent(studio)
    change = next(change for change in studio.diff().changes if change.kind == "table")
    (cell,) = change.table.cells
    assert (cell.key, cell.column, cell.base) == ("levit_4", "top1", was)
    assert cell.change == pytest.approx(0.005)


def test_the_largest_change_comes_first(studio):
    for row, factor in ((1, 1.01), (2, 0.5), (3, 1.2)):
        studio.edit(SCORES, row, "top1", float(studio.cell(SCORES, row, "top1")) * factor)
    (change,) = studio.diff().changes
    assert [cell.key for cell in change.table.cells] == ["levit_2", "levit_3", "levit_1"]


def test_a_figure_names_the_tables_that_moved_under_it_and_a_table_the_figures_left_behind(studio):
    row_dropped(studio)
    why = {change.name: change.why for change in studio.diff().changes}
    assert any(SCORES in reason and "1 row gone" in reason for reason in why["chart_3.jpg"])
    studio.git("checkout", "-q", ".")
    studio.edit(SCORES, 1, "top1", 99)
    (change,) = studio.diff().changes
    assert any(reason.startswith("chart_3 was not drawn again") for reason in change.why)


def test_a_machine_s_tables_stand_apart(studio):
    (name,) = other_machine_added(studio)
    timing_beyond_tolerance(studio)
    machines = {change.name: change.machine for change in studio.diff().changes if change.kind == "table"}
    assert machines == {SPEED_NAME: "RTX 5090", name: "NVIDIA H200"}


# --- the command ------------------------------------------------------------------------------------------------------
def run(studio, *arguments):
    return compare.main([*arguments, "--out", str(studio.root.parent / "out")])


def test_exit_codes_and_files(studio, capsys):
    out = studio.root.parent / "out"
    assert run(studio, "--base", "HEAD") == 0
    assert {path.name for path in out.iterdir()} == {"index.html", "summary.md", "diff.json"}
    colour(studio)
    assert run(studio) == 1  # the default base: main
    assert json.loads((out / "diff.json").read_text())["causes"] == {STYLE: 1}
    studio.picture("chart_0").write_text("<html>not found</html>")
    capsys.readouterr()
    assert run(studio, "--base", "HEAD") == 2
    said = capsys.readouterr()
    assert said.err == "error: chart_0.jpg: not an image; draw it again with `make figures`, or restore it with git\n"
    assert "style" in said.out and (out / "index.html").stat().st_size > 10_000  # the rest is compared all the same


def test_the_base_can_be_a_folder_and_is_brought_up_to_date_on_accept(studio, tmp_path):
    old = tmp_path / "old"
    studio.git("worktree", "add", "-q", str(old))
    for plant in (colour, row_dropped, figure_removed, other_machine_added, renamed):
        plant(studio)
    assert run(studio, "--base", str(old)) == 1
    assert run(studio, "--base", str(old), "--accept") == 0
    assert run(studio, "--base", str(old)) == 0
    assert json.loads((old / "images/manifest.json").read_text()) == json.loads(
        (studio.root / "images/manifest.json").read_text()
    )


def test_accept_records_a_picture_as_it_is(studio):
    one_pixel(studio)
    assert run(studio, "--base", "HEAD", "--accept") == 0
    entry = json.loads((studio.root / "images/manifest.json").read_text())["charts"]["chart_4"]
    assert entry["jpg"]["sha256"] == sha256(studio.picture("chart_4"))
    assert studio.causes() == figures(UNRECORDED, 4)  # accepted as it is, and still drawn by nothing that is recorded


def test_accept_of_a_revision_leaves_the_working_tree_alone(studio, capsys):
    studio.commit()
    colour(studio)
    before = {path: path.read_bytes() for path in (studio.root / "images").iterdir()}
    assert run(studio, "--head", "HEAD", "--accept") == 2 and "no folder to write to" in capsys.readouterr().err
    studio.commit()
    assert run(studio, "--head", "HEAD~1", "--accept") == 2
    assert {path: path.read_bytes() for path in (studio.root / "images").iterdir()} == before


def test_accept_writes_nothing_while_something_cannot_be_read(studio, capsys):
    one_pixel(studio)
    studio.picture("chart_0").write_bytes(b"")
    before = (studio.root / "images/manifest.json").read_bytes()
    assert run(studio, "--base", "HEAD", "--accept") == 2
    assert "nothing was accepted" in capsys.readouterr().err
    assert (studio.root / "images/manifest.json").read_bytes() == before


# --- bad input --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["nosuchrev", "--output=/tmp/x", "HEAD~99", "0" * 40])
def test_a_revision_that_is_not_there(studio, capsys, name):
    assert run(studio, f"--base={name}") == 2
    assert "neither a folder nor a revision" in capsys.readouterr().err


def test_a_shallow_clone_is_told_what_to_fetch(studio, tmp_path, monkeypatch, capsys):
    studio.commit()
    clone = tmp_path / "shallow"
    studio.git("clone", "-q", "--depth", "1", f"file://{studio.root}", str(clone))
    studio.root = clone
    monkeypatch.setattr(sides, "ROOT", clone)
    monkeypatch.setattr(sides.repository, "ROOT", clone)
    assert run(studio, "--base", "HEAD~1") == 2
    assert "fetch --unshallow" in capsys.readouterr().err
    studio.git("checkout", "-q", "--orphan", "alone")
    studio.commit()
    assert run(studio) == 2
    assert "no common commit" in capsys.readouterr().err


def broken_manifest(s):
    (s.root / "images/manifest.json").write_text('{"schema": 1, "charts"')
    return "not a readable manifest"


def newer_manifest(s):
    (s.root / "images/manifest.json").write_text(json.dumps({"schema": SCHEMA + 1, "charts": {"x": {"new": "form"}}}))
    return f"schema {SCHEMA + 1}, this version knows {SCHEMA}"


def damaged_entry(s):
    (s.root / "images/manifest.json").write_text(
        json.dumps({"schema": SCHEMA, "charts": {"chart_1": {"sources": "x"}}})
    )
    return "the entry of 'chart_1' is damaged"


def endless_manifest(s):
    (s.root / "images/manifest.json").write_text("[" * 200_000)
    return "not a readable manifest"


@pytest.mark.parametrize(
    "spoil", [broken_manifest, newer_manifest, damaged_entry, endless_manifest], ids=lambda spoil: spoil.__name__
)
def test_a_manifest_that_cannot_be_read(studio, capsys, spoil):
    words = spoil(studio)
    assert run(studio, "--base", "HEAD") == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1


def cut_short(s):
    s.picture("chart_0").write_bytes(s.picture("chart_0").read_bytes()[:900])
    return "chart_0.jpg", "damaged image"


def a_hundred_megapixels(s):
    Image.new("1", (10_000, 10_000)).save(s.root / "images/chart_0.jpg", "PNG")
    return "chart_0.jpg", "100 megapixels"


def a_picture_of_four_gigapixels(s):
    (s.root / "images/new.png").write_bytes(_png_header(65_000, 65_000))
    return "new.png", "megapixels"


def binary_csv(s):
    (s.root / SCORES).write_bytes(bytes(range(256)) * 10)
    return "scores.csv", "not a text file"


def ragged_csv(s):
    (s.root / SCORES).write_text("model,top1\na,1,2\n")
    return "scores.csv", "3 cells where the header has 2"


def web_page_csv(s):
    (s.root / SCORES).write_text("<!doctype html>\n")
    return "scores.csv", "a web page"


def broken_sidecar(s):
    (s.root / SPEED).with_suffix(".json").write_text("{")
    return SPEED_NAME, "not a readable sidecar"


SPOILT = [cut_short, a_hundred_megapixels, a_picture_of_four_gigapixels, binary_csv, ragged_csv, web_page_csv]


@pytest.mark.parametrize("spoil", [*SPOILT, broken_sidecar], ids=lambda spoil: spoil.__name__)
def test_a_file_that_cannot_be_read_is_named_and_the_rest_compared(studio, spoil):
    colour(studio)
    name, words = spoil(studio)
    made = studio.diff()
    causes = {change.name: change for change in made.changes}
    assert causes[name].cause == UNREADABLE and words in causes[name].why[0]
    assert causes["chart_1.jpg"].cause == STYLE and len(causes) == 2
    assert made.exit_code == 2
    report.html(made)


def _png_header(wide, high):
    def chunk(body):
        return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR" + struct.pack(">IIBBBBB", wide, high, 8, 2, 0, 0, 0))
        + chunk(b"IDAT" + zlib.compress(b"0"))
    )


def test_a_link_out_of_the_folder_is_not_followed(studio, tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n")
    (studio.root / "report/data/link.csv").symlink_to(secret)
    assert studio.causes() == {}
    studio.commit()
    assert studio.causes() == {}


def test_without_manifest_a_difference_has_no_cause(studio):
    (studio.root / "images/manifest.json").unlink()
    studio.commit()
    colour(studio)
    (change,) = studio.diff().changes
    assert change.cause == UNRECORDED and "cause cannot be told" in change.why[0]


# --- the report -------------------------------------------------------------------------------------------------------
EVIL = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "'\"><svg onload=alert(3)>",
    "</script><b>",
    "[x](javascript:alert(4))",
    "@everyone www.evil.example",
    "https://evil.example/x",
    "a|b`c",
    "![p](https://evil.example/p.png)",
]


def poisoned(s):
    rows = [(json.dumps(text).replace('\\"', '""'), n, 1) for n, text in enumerate(EVIL)]
    s.write(SCORES, "model,top1,param_count", rows)
    s.commit()
    s.write(SCORES, "model,top1,param_count", [(name, n + 5, f'"{EVIL[0]}"') for name, n, _ in rows])
    s.figures["chart_1"]["title"] = EVIL[1]
    s.draw(["chart_1"])
    return s.diff()


def test_markup_from_a_table_is_text_in_the_report(studio):
    import html5lib

    page = html5lib.parse(report.html(poisoned(studio)), namespaceHTMLElements=False)
    assert len(page.findall(".//script")) == 1 and not page.findall(".//svg")
    assert not [name for node in page.iter() for name in node.attrib if name.startswith("on")]
    text = " ".join(page.itertext())
    assert all(" ".join(evil.split()) in text for evil in EVIL)


def test_markup_from_a_table_is_text_in_the_comment(studio):
    text = comment.markdown(report.as_json(poisoned(studio)))
    assert text.startswith(comment.MARKER)
    assert (
        "<script" not in text
        and "<img" not in text
        and "://" not in text
        and "@everyone" not in text
        and "](" not in text.replace("\\]\\(", "")
    )


def test_a_comment_never_exceeds_what_github_takes(studio):
    studio.write(SCORES, "model,top1,param_count", [(f"{'x' * 70}{n}", n, 1) for n in range(3000)])
    studio.commit()
    studio.write(SCORES, "model,top1,param_count", [(f"{'x' * 70}{n}", n + 1, 2) for n in range(3000)])
    for n in range(600):
        (studio.root / f"report/data/{'t' * 60}{n}.csv").write_text("a,b\n1,2\n")
    made = studio.diff()
    assert len(comment.markdown(report.as_json(made))) < 65_536
    table = next(change.table for change in made.changes if change.table)
    assert table.moved == 6000 and len(table.cells) == 500


def test_the_report_works_in_a_browser(studio, browser, tmp_path):
    """View modes, filters and keys in Chromium; no error on the console, no request, and the hostile cells do
    nothing.
    """
    resized(studio)
    title(studio)
    new_figure(studio)
    studio.edit(SCORES, 1, "top1", f'"{EVIL[1]}"')
    report.write(studio.diff(), tmp_path / "out")
    problems = []
    with browser.new_page() as page:
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(dialog.message))
        page.on(
            "request",
            lambda request: problems.append(request.url) if not request.url.startswith(("file:", "data:")) else None,
        )
        page.goto((tmp_path / "out/index.html").as_uri())
        assert page.locator("article").count() == 4
        assert (
            page.evaluate("[...document.images].filter(image => image.offsetParent && !image.naturalWidth).length") == 0
        )
        page.keyboard.press("2")
        page.keyboard.press("j")
        article = page.locator("article.current")
        clip = article.locator(".pane.new .frame")
        before = clip.evaluate("node => getComputedStyle(node).clipPath")
        page.keyboard.press("ArrowRight")
        assert clip.evaluate("node => getComputedStyle(node).clipPath") != before
        page.keyboard.press("4")
        assert page.locator("article.pixels .over").first.is_visible()
        page.get_by_role("button", name="added").click()
        assert [node.get_attribute("data-cause") for node in page.locator("article:visible").all()] == [ADDED]
        page.keyboard.press("0")
        assert page.locator("article:visible").count() == 4
        page.keyboard.press("?")
        assert page.locator("dialog").is_visible()
    assert problems == []
