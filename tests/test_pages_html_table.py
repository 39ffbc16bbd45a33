"""Tables: numbers stand below each other, long words and sentences find room, nothing hostile lives, and readers
can sort and filter them.
"""

import re

import pandas as pd
import pytest

from scripts.pages import html_table
from scripts.site.check.views import served
from tests.site_fixtures import HOSTILE, project, rendered

NAME80 = "vit_enormous_patch14_reg4_siglip_384_with_a_head_of_its_own_and_then_some_more_x"


@pytest.mark.parametrize(
    "cells, made",
    [
        (["1.5", "22", "–"], ["1.5", "22\u2008\u2007", "–"]),
        (["0.42", "22.7", "3,930"], ["0.42", "22.7\u2007", "3,930\u2008\u2007\u2007"]),
        (["1.50×", "12×"], ["1.50×", "12\u2008\u2007\u2007×"]),
        (["+1.0", "−0.25"], ["+1.0\u2007", "−0.25"]),
        (["2.35 to 2.40", "1.5"], ["2.35 to 2.40", "1.5"]),
        (["7", "12"], ["7", "12"]),
        (["<b>1.5</b>", "2.25"], ["<b>1.5</b>", "2.25"]),
    ],
)
def test_decimal_points_stand_below_each_other(cells, made):
    assert html_table.aligned(cells) == made


def test_a_table_with_sentences_becomes_cards_whose_values_are_named():
    html = html_table.html(pd.DataFrame({"Where": ["here"], "Why <b>": ["a sentence " * 10]}), {})
    assert 'class="table cards one fixed"' in html and 'data-label="Why &lt;b&gt;"' in html and 'class="prose"' in html


def test_numbers_and_short_words_stay_a_table():
    html = html_table.html(
        pd.DataFrame({"Model": [NAME80] * 3, "Top-1": [80.0, 81.25, None]}), {"Top-1": "{:.2f}"}, "Caption"
    )
    assert 'class="table cards one"' in html  # a name of 80 characters takes the room of a sentence
    short = pd.DataFrame({"Model": ["vit_base_patch16_224"] * 3, "Top-1": [80.0] * 3})
    assert 'class="table"' in html_table.html(short, {})
    assert html.count('class="number"') == 4 and ">–</td>" in html and 'aria-label="Caption"' in html


def test_a_long_table_gets_a_filter_and_one_in_an_order_of_its_own_does_not():
    frame = pd.DataFrame({"n": range(html_table.FILTER_FROM)})
    html, fixed = html_table.html(frame, {}), html_table.html(frame, {}, sort=False)
    assert 'type="search"' in html and f"{html_table.FILTER_FROM} rows" in html
    assert 'type="search"' not in fixed and 'class="table fixed"' in fixed
    assert 'type="search"' not in html_table.html(frame.iloc[:-1], {})


def test_hostile_cells_and_heads_are_text():
    html = html_table.html(pd.DataFrame({HOSTILE: [HOSTILE, "x" * 70]}), {}, HOSTILE)
    assert not re.search(r"<(img|script)", html) and "{{<" not in html


# --- in a browser

PAGE = """---
title: Tables
---

```{python}
#| output: asis
#| echo: false
import pandas as pd
from scripts.pages import page
speeds = {"Model": ["b_2", "a_10", "a_9"], "Images/s": [22.73, None, 3928.9], "Note": ["x", "y", "z"]}
page.table(pd.DataFrame(speeds), "Speeds", label="tbl-speeds",
           formats={"Images/s": lambda v: f"{v:,.0f}" if v > 1000 else f"{v:.1f}"})
many = {"Model": [f"model_{i}" for i in range(20)], "Kind": ["convnet", "transformer"] * 10}
page.table(pd.DataFrame(many), "Many", label="tbl-many")
evidence = ["because of all that was measured on that machine in that year and since"] * 3
page.table(pd.DataFrame({"Claim": ["one", "two", "three"], "Verdict": ["holds"] * 3, "Evidence": evidence}),
           "Evidence", label="tbl-evidence")
wide = {"Model": ["NAME80"] * 10, **{f"column {i}": [1234.5] * 10 for i in range(9)}}
page.table(pd.DataFrame(wide), "Wide", label="tbl-wide")
page.table(pd.DataFrame({"Model": []}), "Nothing", label="tbl-none")
page.table(pd.DataFrame({"Order": ["first", "second", "third"]}), "As it is", label="tbl-fixed", sort=False)
```
""".replace("NAME80", NAME80)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    root = project(tmp_path_factory.mktemp("tables"), {"index.qmd": PAGE})
    rendered(root)
    with served(root / "_site") as found:
        yield found


@pytest.fixture
def width() -> int:
    """Pixels; a test may ask for another."""
    return 1280


@pytest.fixture
def page(browser, address, width):
    opened = browser.new_context(viewport={"width": width, "height": 800}).new_page()
    opened.errors = []
    opened.on("pageerror", lambda error: opened.errors.append(str(error)))
    opened.goto(address)
    yield opened
    assert opened.errors == []
    opened.context.close()


phone = pytest.mark.parametrize("width", [360])


def first(page, label):
    """The first column's texts."""
    return [text.strip() for text in page.locator(f"#{label} tbody tr").evaluate_all(FIRST)]


FIRST = "rows => rows.map(row => row.cells[0].textContent)"
SORTED = "heads => heads.map(head => head.getAttribute('aria-sort'))"


def speeds(page):
    """(the models' order, how each head says it is sorted)."""
    return first(page, "tbl-speeds"), page.locator("#tbl-speeds thead th").evaluate_all(SORTED)


def test_a_click_sorts_another_turns_round_a_third_restores(page):
    head = page.locator("#tbl-speeds").get_by_role("button", name="Images/s")
    assert speeds(page) == (["b_2", "a_10", "a_9"], [None, None, None])
    head.click()  # numbers: the largest first, what is missing last
    assert speeds(page) == (["a_9", "b_2", "a_10"], [None, "descending", None])
    head.click()
    assert speeds(page) == (["b_2", "a_9", "a_10"], [None, "ascending", None])
    head.click()
    assert speeds(page) == (["b_2", "a_10", "a_9"], [None, None, None])


def test_words_sort_with_the_numbers_in_them_and_by_keyboard(page):
    head = page.locator("#tbl-speeds").get_by_role("button", name="Model")
    head.focus()
    page.keyboard.press("Enter")
    assert speeds(page) == (["a_9", "a_10", "b_2"], ["ascending", None, None])
    assert "Sorted by Model, ascending" in page.locator("p[role=status].visually-hidden").inner_text()


def test_a_filter_keeps_rows_with_all_its_words_and_counts_them(page):
    field, status = page.get_by_label("Filter"), page.locator(".table-tools [role=status]")
    assert field.count() == 1 and status.inner_text() == "20 rows"
    field.fill("TRANS model_1")
    assert status.inner_text() == "6 of 20 rows" and page.locator("#tbl-many tbody tr:visible").count() == 6
    field.fill("nothing like it")
    assert status.inner_text() == "0 of 20 rows"
    page.keyboard.press("Escape")
    assert status.inner_text() == "20 rows" and page.locator("#tbl-many tbody tr:visible").count() == 20


def test_a_table_in_an_order_of_its_own_has_no_buttons(page):
    assert (
        page.locator("#tbl-fixed th button").count() == 0
        and page.locator("#tbl-none").inner_text().count("nothing to show yet") == 1
    )


@pytest.mark.parametrize("width", [320, 360, 600, 1280])
def test_no_table_widens_the_page_whatever_the_names(page, width):
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width


@phone
def test_on_a_phone_a_long_table_shows_its_first_dozen_until_all_are_asked_for(page):
    many = page.locator("#tbl-many")
    assert many.locator("tbody tr:visible").count() == 12 and page.locator(".show-all:visible").count() == 1
    many.get_by_label("Filter").fill("model_1")  # found wherever they stand
    assert many.locator("tbody tr:visible").count() == 11 and page.locator(".show-all:visible").count() == 0
    many.get_by_label("Filter").fill("")
    page.get_by_role("button", name="Show all 20 rows").click()
    assert many.locator("tbody tr:visible").count() == 20
    page.get_by_role("button", name="Show the first twelve rows").click()
    page.emulate_media(media="print")
    assert many.locator("tbody tr:visible").count() == 20


@phone
def test_on_a_phone_sentences_stand_in_cards_and_a_wide_table_keeps_its_first_column(page):
    assert page.locator("#tbl-evidence tbody td").last.bounding_box()["width"] > 280
    assert page.locator("#tbl-evidence table").get_attribute("role") == "table"
    page.locator("#tbl-evidence").get_by_role("button", name="Claim").click()
    assert first(page, "tbl-evidence") == ["one", "three", "two"]
    page.evaluate("document.querySelector('#tbl-wide .table-scroll').scrollLeft = 300")
    assert page.locator("#tbl-wide tbody th").first.bounding_box()["x"] >= 0
