"""The pages of the models in the site: frame, old names, weight, the search and the comparison in a real browser."""

from __future__ import annotations

import json
import shutil
from urllib.parse import quote

import html5lib
import pytest

from scripts.common import paths
from scripts.publish import address
from scripts.site import extras, models
from scripts.site.check import html as check, site as check_site, views
from tests.publish_fixtures import HOSTILE, made_up
from tests.site_fixtures import project

LIGHTEST_LIMIT = 60_000  # bytes of a model's page


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return project(tmp_path_factory.mktemp("project"), {})


@pytest.fixture(scope="module")
def site(root, tmp_path_factory):
    """A site of made-up models, with the pages that they link to."""
    folder = tmp_path_factory.mktemp("site")
    for part in ("assets", "report"):
        (folder / part).mkdir()
    for path in [*paths.ASSETS.glob("*.js"), *paths.ASSETS.glob("*.css"), paths.ASSETS / "favicon.svg"]:
        shutil.copyfile(path, folder / "assets" / path.name)
    css = folder / "assets" / "site.css"
    css.write_text(css.read_text().replace('@import url("fonts/fonts.css");', ""))
    models.add(root, folder, facts=made_up())
    for name in ("index", "report/two", "report/picker", "report/files"):
        (folder / f"{name}.html").write_text('<!DOCTYPE html><html lang="en"><title>x</title><main><h1>x</h1></main>')
    (folder / "social-card.jpg").write_bytes(b"")
    return folder


def test_every_name_has_a_page_that_says_it_as_text(site):
    index = json.loads((site / "data/v1/index.json").read_text())
    for name in HOSTILE:
        path = site / "model" / f"{address.of(name)}.html"
        parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("etree"), namespaceHTMLElements=False)
        page = parser.parse(path.read_text(encoding="utf-8"))
        assert not parser.errors, (name, parser.errors[:3])
        assert "".join(page.find(".//h1").itertext()) == name
        assert page.find("head/title").text.startswith(" ".join(name.split())[:20])
        assert [one.get("src") for one in page.iter("script") if one.get("src")] == [
            "../assets/shell.js",
            "../assets/tables.js",
        ]
    assert len(list((site / "model").glob("*.html"))) == len(index["models"]) + len(index["renamed"]) + 2


def test_an_old_name_leads_to_todays(site):
    page = (site / "model" / "levit_old.html").read_text()
    assert '<meta http-equiv="refresh" content="0;url=levit_1.in1k.html">' in page
    gone = (site / "model" / "gone_net.html").read_text()
    assert "refresh" not in gone and "is gone from timm" in gone and "noindex" in gone


def test_the_check_finds_nothing_on_them(site):
    found = [one for one in check.problems(site) if one.where not in ("404.html", "feed.xml", "results.zip")]
    mine = [str(one) for one in found if "data:," not in one.what]  # the small project has no favicon
    assert [one for one in mine if one.startswith("model/")] == []


def test_the_check_reads_a_sample_and_every_odd_name(site):
    read = {path.stem for path in check.looked_at(site) if path.parent.name == "model"}
    everything = {path.stem for path in (site / "model").glob("*.html")}
    assert {address.of(name) for name in HOSTILE if address.of(name) != name} <= read < everything
    names = sorted(path.relative_to(site).as_posix() for path in check.looked_at(site))
    opened = check_site.opened(site, names)
    assert "index.html" in opened and len(opened) <= len(names)
    old = ["model/levit_old.html", "index.html"]  # a browser is gone from it before it can be looked at
    assert check_site.opened(site, old) == ["index.html"]


def test_the_sitemap_has_the_models_and_not_their_old_names(site):
    pages = extras.model_pages(site)
    assert "model/levit_1.in1k.html" in pages and "model/levit_old.html" not in pages
    assert all((site / page).is_file() for page in pages)
    (site.parent / "empty").mkdir(exist_ok=True)
    assert extras.model_pages(site.parent / "empty") == []


def test_ten_times_the_models_weigh_ten_times_and_a_page_the_same(root, tmp_path):
    sizes = {}
    for count in (100, 1000):
        folder = tmp_path / str(count)
        folder.mkdir()
        models.add(root, folder, facts=made_up(count, machines=3, hostile=False))
        pages = [path.stat().st_size for path in (folder / "model").glob("levit_*.in1k.html")]
        files = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
        sizes[count] = (sum(pages) / len(pages), max(pages), sum(files))
    assert sizes[1000][1] < LIGHTEST_LIMIT
    assert sizes[1000][0] == pytest.approx(sizes[100][0], rel=0.05)
    assert sizes[1000][2] < 10 * sizes[100][2]


def test_a_page_of_ten_times_the_machines_is_still_light(root, tmp_path):
    models.add(root, tmp_path, facts=made_up(20, machines=100, hostile=False))
    assert max(path.stat().st_size for path in (tmp_path / "model").glob("levit_*.in1k.html")) < LIGHTEST_LIMIT


# --- in a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture
def page(browser, site):
    with views.served(site) as where:
        one = browser.new_page(viewport={"width": 360, "height": 780})
        one.where, one.asked = where, []
        one.on("request", lambda request: one.asked.append(request.url.removeprefix(where)))
        one.on("pageerror", lambda error: pytest.fail(f"a script failed: {error}"))
        yield one
        one.close()


def options(page) -> list[str]:
    return [text.split("\n")[0] for text in page.locator("[role=option]").all_inner_texts()]


def test_the_search_opens_by_key_loads_on_first_use_and_leads_to_the_page(page):
    page.goto(page.where + "model/levit_2.in1k.html")
    assert not [url for url in page.asked if "search" in url or "names.js" in url]
    page.keyboard.press("/")
    field = page.get_by_role("combobox")
    field.wait_for()
    page.keyboard.type("levit old")
    page.get_by_role("option", name="levit_old").wait_for()
    assert page.evaluate("document.activeElement.getAttribute('aria-activedescendant')") == "model-search-0"
    page.keyboard.press("Enter")
    page.wait_for_url("**/model/levit_1.in1k.html")


def test_the_search_takes_any_text_and_shows_names_as_text(page):
    page.goto(page.where + "model/levit_2.in1k.html")
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox")
    field.wait_for()
    for text, expected in (
        ("img src", HOSTILE[5]),
        ("constructor", "constructor"),
        ("proto", "__proto__"),
        ("MIXED case", "Mixed_Case.in1k"),
        ("x" * 80, "x" * 80),
    ):
        field.fill(text)
        page.get_by_role("option", name=expected, exact=False).first.wait_for()
        assert expected in options(page)
    for text in ("zzz", "\\", "(((", "<script>", "'; drop", "%%%"):
        field.fill(text)
        page.locator("dialog [role=status]").wait_for()
        assert options(page) == [] and page.title() != "owned"
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0


def test_a_slash_typed_into_a_field_is_a_slash(page):
    page.goto(page.where + "model/levit_2.in1k.html")
    page.evaluate("document.querySelector('main').append(document.createElement('input'))")
    page.locator("main input").press("/")
    assert page.locator("dialog[open]").count() == 0 and page.locator("main input").input_value() == "/"


def test_a_comparison_is_in_its_address_and_refuses_what_it_does_not_know(page):
    hostile = quote(HOSTILE[5], safe="'")
    page.goto(f"{page.where}model/compare.html#m=levit_old,{hostile},nope,{quote('<img src=x>')},levit_3.in1k@9")
    page.wait_for_selector("#compare[data-shown='3']")
    heads = [one.replace("\u200b", "") for one in page.locator("#compare thead th a").all_inner_texts()]
    assert heads == ["levit_1.in1k", HOSTILE[5], "levit_3.in1k"] and page.title() != "owned"
    said = page.inner_text("#compare-said")
    for words in ("“nope” is no model", "“<img src=x>” is no model", "not known at 9 pixels"):
        assert words in said
    page.get_by_role("button", name="Remove levit_1.in1k").click()
    page.wait_for_selector("#compare[data-shown='2']")
    assert page.url.endswith(f"#m={hostile},levit_3.in1k")


@pytest.mark.parametrize("hash_", ["#m=", "#", "#m=%E0%A4%A", "#m=,,,@@@", "#q=1&m=@224", "#m=" + "a," * 5000])
def test_nonsense_in_the_address_is_said_and_breaks_nothing(page, hash_):
    page.goto(page.where + "model/compare.html" + hash_)
    page.get_by_text("Add a model").first.wait_for()
    page.wait_for_function("document.getElementById('compare-said').textContent.includes('Nothing is chosen')")


def test_no_more_than_four_and_the_same_one_once(page):
    page.goto(page.where + "model/compare.html#m=" + ",".join(f"levit_{i}.in1k" for i in (1, 1, 2, 3, 4, 5)))
    page.wait_for_selector("#compare[data-shown='4']")
    assert "More than 4 were asked for" in page.inner_text("#compare-said")
    assert page.locator("#compare-add").is_disabled()


def test_machines_side_by_side_with_a_tie_and_one_of_three_rows(page, site):
    index = json.loads((site / "data/v1/index.json").read_text())
    small = next(key for key in index["machines"] if key not in ("m0", "m1"))
    page.goto(f"{page.where}model/compare.html#m=levit_1.in1k&machines=m0,{small},m1,m0,constructor,__proto__")
    page.wait_for_selector("#compare-machines[data-shown='3']")
    page.wait_for_selector("#compare[data-shown='1']")
    said = page.inner_text("#compare-machines-said")
    for words in ("“constructor” is no machine", "“__proto__” is no machine", "too few to compare"):
        assert words in said
    rows = {
        row.inner_text().split("\t")[0]: row.inner_text() for row in page.locator("#compare-machines tbody tr").all()
    }
    file = json.loads((site / "data/v1/machines/m1.json").read_text())
    first = json.loads((site / "data/v1/machines/m0.json").read_text())
    speeds = [
        {(row[0], row[1]): row[one["columns"].index("images_per_second")] for row in one["rows"]}
        for one in (file, first)
    ]
    both = [speeds[0][key] / speeds[1][key] for key in speeds[0] if key in speeds[1]]
    spread = index["uncertainty"]["timing_spread"]
    faster, slower = sum(one > spread for one in both), sum(one < 1 / spread for one in both)
    assert f"{faster}, {slower}, {len(both) - faster - slower}" in rows["Models faster, slower, tied"]
    assert "only" in rows["Same order of models"] or "–" in rows["Same order of models"]
    page.get_by_role("button", name="Remove", exact=False).last.click()
    page.wait_for_selector("#compare-machines[data-shown='2']")
    assert page.url.endswith(f"#m=levit_1.in1k&machines=m0,{small}")
    page.get_by_label("Add a machine").select_option("m1")
    page.wait_for_selector("#compare-machines[data-shown='3']")
    page.get_by_role("button", name="Remove levit_1.in1k").click()
    page.wait_for_function("location.hash.startsWith('#machines=')")


def test_a_machine_beside_itself_in_another_guise_is_a_tie(page, site):
    own = json.loads((site / "data/v1/machines/m0.json").read_text())
    page.route("**/machines/m1.json", lambda route: route.fulfill(json={**own, "name": "m0 again"}))
    page.goto(f"{page.where}model/compare.html#machines=m0,m1")
    page.wait_for_selector("#compare-machines[data-shown='2']")
    assert "m0 again and m0 are a tie over" in page.inner_text("#compare-machines-said")
    assert "a tie" in page.inner_text("#compare-machines tbody")


def test_the_card_for_other_pages_checks_its_address(page):
    page.goto(page.where + "model/embed.html#m=levit_1.in1k&machine=m0&theme=dark")
    page.get_by_text("images/s on m0").wait_for()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    for wrong in ("../../index", "%3Cimg%3E", "levit_1.in1k/../x", "nothere.in1k"):
        page.goto("about:blank")
        page.goto(page.where + "model/embed.html#m=" + wrong)
        page.get_by_text("No such model").wait_for()


def test_a_table_is_saved_as_the_page_shows_it(page, tmp_path):
    page.goto(page.where + "model/levit_2.in1k.html")
    with page.expect_download() as waiting:
        page.locator(".save").last.click()
    text = (tmp_path / "saved.csv").resolve()
    waiting.value.save_as(text)
    lines = text.read_text(encoding="utf-8").splitlines()
    assert waiting.value.suggested_filename == "levit_2.in1k.csv"
    assert lines[0].startswith('"Machine","Pixels","Images/s"') and len(lines) == 1 + 3


def test_a_cell_that_a_spreadsheet_would_run_is_text(page, tmp_path):
    page.goto(page.where + "model/levit_2.in1k.html")
    page.evaluate("document.querySelector('table.speeds tbody th').textContent = '=cmd|x!A1'")
    page.evaluate("document.querySelector('table.speeds tbody td').textContent = '-1,234'")
    with page.expect_download() as waiting:
        page.locator(".save").last.click()
    waiting.value.save_as(tmp_path / "saved.csv")
    assert (tmp_path / "saved.csv").read_text().splitlines()[1].startswith('"\'=cmd|x!A1","-1234"')
