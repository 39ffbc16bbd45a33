"""What the pages' cells print: escaped, readable where something is missing, and with its sources at the foot."""

import json

import pandas as pd
import pytest

from scripts.common.errors import UserError
from scripts.pages import page
from scripts.site.builtin import pandoc
from tests.site_fixtures import HOSTILE, add_chart


@pytest.fixture
def root(tmp_path, monkeypatch):
    for name, path in (("ROOT", tmp_path), ("IMAGES", tmp_path / "images"), ("CHARTS", tmp_path / "charts")):
        monkeypatch.setattr(page, name, path)
    monkeypatch.setattr(page, "_used", {})
    return tmp_path


def html(capsys) -> str:
    """What was printed, through Pandoc."""
    return pandoc.call(capsys.readouterr().out, "test", "--from=markdown", "--to=html5", "--wrap=none")


def tags(text: str) -> set[str]:
    from html.parser import HTMLParser

    found = set()

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attributes):
            found.add(tag)
            found.update(name for name, _ in attributes if name.startswith("on"))

    Reader().feed(text)
    return found


def test_a_chart_shows_its_picture_data_and_sources(root, capsys):
    add_chart(
        root,
        caption="What it says.",
        alt="Dots.",
        hardware="RTX 3090",
        sources=[{"path": "t/x.csv", "sha256": "1" * 64, "url": "https://example.org/x.csv"}],
    )
    page.chart("dots")
    page.footer()
    text = html(capsys)
    assert 'id="fig-dots"' in text and 'data-figure="dots" data-src="charts/dots.json"' in text
    assert 'alt="Dots."' in text
    assert 'href="/charts/dots.csv"' in text and 'href="https://example.org/x.csv"' in text and "RTX 3090" in text
    assert "2026-01-02" in text
    assert "Data behind this page: 1 table" in text and "111111111111" in text and "<!-- site: foot -->" in text


def test_a_phone_picture_is_used_where_there_is_one(root, capsys):
    add_chart(root)
    manifest = json.loads((root / "images" / "manifest.json").read_text())
    manifest["charts"]["dots-phone"] = {**manifest["charts"]["dots"], "shown": {"width": 540, "height": 824}}
    (root / "images" / "manifest.json").write_text(json.dumps(manifest))
    for ending in ("images/dots-phone.jpg", "charts/dots-phone.json"):
        (root / ending).write_bytes(b"x")
    page.chart("dots")
    text = html(capsys)
    assert 'data-phone="charts/dots-phone.json"' in text and 'srcset="/images/dots-phone.jpg" width="540"' in text


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda root: (root / "images" / "manifest.json").unlink(), "have not been drawn yet: run"),
        (lambda root: (root / "images" / "manifest.json").write_text('{"charts": '), "cannot be read"),
        (lambda root: (root / "images" / "manifest.json").write_text("[]"), "cannot be read"),
        (lambda root: (root / "images" / "manifest.json").write_text('{"charts": {}}'), "is not in"),
        (lambda root: (root / "images" / "dots.jpg").unlink(), "is missing: run"),
    ],
)
def test_a_missing_chart_says_what_to_run(root, capsys, spoil, words):
    add_chart(root)
    spoil(root)
    page.chart("dots")
    text = html(capsys)
    assert words in text and "<code>make figures</code>" in text and "<img" not in text and 'id="fig-dots"' in text


def test_no_figure_drawn_here_leaves_the_picture(root, capsys):
    add_chart(root)
    for path in (root / "charts").iterdir():
        path.unlink()
    page.chart("dots")
    text = html(capsys)
    assert "<img" in text and "data-src" not in text and "dots.csv" not in text


def test_a_name_with_a_path_in_it_is_no_chart(root, capsys):
    page.chart("../secret")
    assert "is no chart" in html(capsys)


def test_hostile_words_stay_words_everywhere(root, capsys):
    add_chart(root, text=HOSTILE, sources=[{"path": HOSTILE, "sha256": HOSTILE, "url": "javascript:alert(1)"}])
    page.chart("dots")
    page.table(pd.DataFrame({HOSTILE: [HOSTILE, "```\n\n::: x"], "n": [1, 2]}), HOSTILE, label="tbl-x")
    print(page.text(HOSTILE)._repr_markdown_(), page.code(HOSTILE))
    print(page.link(HOSTILE, "javascript:alert(1)"), page.link("a", 'https://x.org/"onclick="'))
    page.footer()
    raw = capsys.readouterr().out
    assert "{{<" not in raw  # Quarto looks for shortcodes in raw HTML too
    text = pandoc.call(raw, "test", "--from=markdown", "--to=html5")
    assert not tags(text) & {"script", "onerror", "onclick"}
    assert "javascript:" not in "".join(part.split('"')[0] for part in text.split('href="')[1:])
    assert text.count("<img") == 1 and "citation" not in text and "<math" not in text


def test_a_table_aligns_numbers_and_shows_what_is_missing(root, capsys):
    frame = pd.DataFrame(
        {
            "model": ["NA", "b"],
            "rate": [1234.567, float("nan")],
            "n": [20000, 3],
            "ok": [True, False],
            "link": [page.link("x", "/y"), None],
        }
    )
    page.table(frame, "Cap", formats={"rate": "{:,.1f}"}, link="report/data/a.csv")
    text = html(capsys)
    assert (
        '<th scope="row" class="short">NA</th><td class="number">1,234.6</td><td class="number">20,000</td><td '
        'class="short">yes</td><td class="short"><a href="/y">x</a></td>' in text
    )
    assert '<td class="number">–</td>' in text and text.count('<td class="short">–</td>') == 1
    assert "data-quarto-disable-processing" in text
    assert 'aria-label="Cap"' in text and 'href="/report/data/a.csv"' in text


def test_columns_with_their_formats_are_a_table(root, capsys):
    page.table({"model": ["a", "b"], HOSTILE: ([1234.567, None], "{:,.1f}")}, "Cap", label="tbl-a")
    made = capsys.readouterr().out
    frame = pd.DataFrame({"model": ["a", "b"], HOSTILE: [1234.567, None]})
    page.table(frame, "Cap", label="tbl-a", formats={HOSTILE: "{:,.1f}"})
    assert made == capsys.readouterr().out and "1,234.6" in made


def test_an_empty_table_says_so(root, capsys):
    page.table(pd.DataFrame({"a": []}), "Cap", label="tbl-a")
    assert "nothing to show" in html(capsys)


def test_mistakes_of_the_author_are_named(root):
    with pytest.raises(UserError, match="should look like 'tbl-name'"):
        page.table(pd.DataFrame({"a": [1]}), label="picks")
    with pytest.raises(UserError, match="no such file"):
        page.data_link("report/data/none.csv")


def test_the_foot_tells_of_measured_data_by_their_sidecars(root, capsys):
    (root / "report" / "data").mkdir(parents=True)
    (root / "report" / "data" / "a.csv").write_text("x\n1\n")
    (root / "report" / "data" / "a.json").write_text(
        json.dumps({"schema": 1, "hardware": {"name": "Card <b>"}, "date": "2026-03-04T00:00:00Z", "sha256": "2" * 64})
    )
    page.data_link("report/data/a.csv")
    page.footer()
    text = html(capsys)
    assert "Card &lt;b&gt; · 2026-03-04" in text and 'href="/report/data/a.json"' in text and "222222222222" in text


def test_a_frontier_chart_offers_the_readers_machine_where_the_speeds_are_there(root, capsys):
    add_chart(root, explore={"machine": 'box"><script>', "part": "train"})
    page.chart("dots")
    assert "data-explore" not in html(capsys)
    add_chart(root, explore={"machine": "box", "part": "train"})
    (root / "charts" / "picker").mkdir()
    for name in ("models", "box"):
        page.chart("dots")
        assert "data-explore" not in html(capsys)
        (root / "charts" / "picker" / f"{name}.js").write_text("")
    page.chart("dots")
    assert 'data-explore="box" data-part="train"' in html(capsys)


def test_an_empty_text_leaves_nothing_on_the_page():
    assert page.text("")._repr_markdown_() == "`<!-- -->`{=html}" and page.text(" a ")._repr_markdown_() == "`a`{=html}"


def test_a_note_shows_commands_as_code_and_nothing_as_markup(capsys):
    with page.or_note():
        raise UserError("<b>x.csv</b> is not there; run `make bench`, or `<i>`")
    said = capsys.readouterr().out
    assert "&lt;b&gt;x.csv" in said and "<code>make bench</code>" in said and "<i>" not in said
