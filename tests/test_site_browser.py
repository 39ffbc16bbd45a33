"""The rendered site in a real browser: charts drawn, nothing hostile alive, nothing fetched from elsewhere; dark,
narrow, without JavaScript.
"""

import json

import pytest

from scripts.site.check.views import served
from tests.site_fixtures import CONFIG, HOSTILE, add_chart, project, rendered, run

PAGE = """---
title: Charts
---

```{python}
#| output: asis
#| echo: false
import pandas as pd
from scripts.pages import page
name = open("hostile.txt").read()
page.chart("dots")
wide = {"a very long heading": [name], **{f"column {i}": [1234.5] for i in range(12)}}
page.table(pd.DataFrame(wide), name, label="tbl-x")
page.chart("missing")
```

A name: `{python} page.text(name)` and
`averyveryveryveryveryveryveryveryveryveryveryveryverylongname_without_a_place_to_break`.

::: {.panel-tabset}
## GPU
fast

## CPU
slow
:::

```python
x = "a line of code that is longer than any telephone is wide, so that it has to scroll in its own box and nowhere else"
```

```{python}
#| output: asis
#| echo: false
page.footer()
```
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    root = project(tmp_path_factory.mktemp("site"), {"index.qmd": PAGE})
    add_chart(root, text=HOSTILE)
    (root / "hostile.txt").write_text(HOSTILE)
    rendered(root)
    with served(root / "_site") as address:
        yield root / "_site", address


class Visit:
    """A page opened in a context of its own, with what went wrong on it."""

    def __init__(self, browser, address, path="index.html", routes=(), **settings):
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
        self.page = self.context.new_page()
        self.errors, self.requests = [], []
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        for pattern, handler in routes:
            self.page.route(pattern, handler)
        self.page.goto(address + path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def drawn(self):
        self.page.wait_for_selector('.chart[data-drawn="true"] .main-svg')
        return self.page.locator(".chart")


def test_a_chart_is_drawn_without_an_error_or_a_request_elsewhere(site, browser):
    _, address = site
    with Visit(browser, address) as visit:
        chart = visit.drawn()
        assert chart.locator(".scatterlayer .point").count() == 3
        assert not chart.locator("img").is_visible() and chart.locator("img").get_attribute("alt") == HOSTILE
        assert visit.errors == [] and all(url.startswith((address, "data:", "blob:")) for url in visit.requests)
        assert sum("plotly.min.js" in url for url in visit.requests) == 1
        family = visit.page.evaluate(
            "document.fonts.check('16px \"Source Sans Pro\"') && [...document.fonts].some(f => f.status === 'loaded')"
        )
        assert family


def test_hostile_words_from_data_do_nothing(site, browser):
    _, address = site
    with Visit(browser, address) as visit:
        visit.drawn()
        box = visit.page.locator(".scatterlayer .point").first.bounding_box()
        visit.page.mouse.move(box["x"] + 2, box["y"] + 2)
        visit.page.wait_for_timeout(300)
        assert visit.page.evaluate("window.hacked") is None
        assert visit.page.locator("main img").count() == 1 and "<script>" in visit.page.locator("main").inner_text()


def test_a_page_without_charts_fetches_no_plotly(site, browser):
    _, address = site
    with Visit(browser, address, "report/two.html") as visit:
        visit.page.wait_for_load_state("networkidle")
        assert not any("plotly" in url for url in visit.requests) and visit.errors == []


def test_a_chart_far_below_is_fetched_when_it_comes_near(site, browser):
    folder, address = site
    html = (
        (folder / "index.html")
        .read_text()
        .replace('<div id="fig-dots"', '<div style="height:4000px"></div><div id="fig-dots"')
    )
    (folder / "far.html").write_text(html)
    with Visit(browser, address, "far.html") as visit:
        visit.page.wait_for_load_state("networkidle")
        assert not any("plotly" in url or "dots.js" in url for url in visit.requests)
        visit.page.locator(".chart").scroll_into_view_if_needed()
        visit.drawn()


def test_without_javascript_the_picture_stands(site, browser):
    _, address = site
    with Visit(browser, address, java_script_enabled=False) as visit:
        image = visit.page.locator(".chart img")
        image.scroll_into_view_if_needed()
        assert image.is_visible() and image.bounding_box()["width"] > 500
        assert visit.page.get_by_text("slow").is_visible()  # all tabs are open
        assert not any("plotly" in url for url in visit.requests)


@pytest.mark.parametrize(
    "pattern, handler",
    [
        ("**/plotly.min.js", lambda route: route.abort()),
        ("**/plotly.min.js", lambda route: route.fulfill(body="not javascript (")),
        ("**/charts/*.js", lambda route: route.fulfill(status=404)),
        ("**/charts/*.js", lambda route: route.fulfill(body='chartData("dots", {"data": ')),
        ("**/charts/*.js", lambda route: route.fulfill(body='chartData("dots", {"data": 3, "layout": 4});')),
    ],
)
def test_whatever_fails_the_picture_stays(site, browser, pattern, handler):
    _, address = site
    with Visit(browser, address, routes=[(pattern, handler)]) as visit:
        with visit.page.expect_console_message(lambda message: "the picture stays" in message.text, timeout=20_000):
            visit.page.reload()
        assert (
            visit.page.locator(".chart img").is_visible()
            and visit.page.locator('.chart[data-drawn="true"]').count() == 0
        )


def colours(page):
    return page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color,"
        " document.querySelector('.chart .main-svg').style.background, document.querySelector('.chart "
        ".point').style.fill]"
    )


def test_dark_follows_the_system_and_the_switch_and_the_charts_follow_both(site, browser):
    _, address = site
    with Visit(browser, address, color_scheme="dark") as visit:
        visit.drawn()
        dark = ["rgb(21, 24, 28)", "rgb(232, 234, 237)", "rgb(21, 24, 28)", "rgb(117, 214, 251)"]
        assert colours(visit.page) == dark
        visit.page.get_by_role("button", name="Dark or light").click()
        visit.page.wait_for_function("document.querySelector('.chart .point').style.fill === 'rgb(21, 68, 112)'")
        assert colours(visit.page) == [
            "rgb(255, 255, 255)",
            "rgb(27, 31, 36)",
            "rgb(255, 255, 255)",
            "rgb(21, 68, 112)",
        ]
        assert visit.page.locator(".chart .drawing").count() == 1
        visit.page.reload()  # the choice is kept
        visit.drawn()
        assert colours(visit.page)[0] == "rgb(255, 255, 255)"
        visit.page.get_by_role("button", name="Dark or light").click()
        visit.page.wait_for_function("document.querySelector('.chart .point').style.fill === 'rgb(117, 214, 251)'")
        assert colours(visit.page) == dark and visit.errors == []


@pytest.mark.parametrize("width", [360, 390, 820, 1280])
def test_nothing_makes_the_page_scroll_sideways(site, browser, width):
    _, address = site
    with Visit(browser, address, viewport={"width": width, "height": 800}) as visit:
        visit.drawn()
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        chart = visit.page.locator(".chart .drawing").bounding_box()
        assert chart["x"] >= 0 and chart["x"] + chart["width"] <= width
        text = visit.page.locator("main p:visible").last.bounding_box()
        assert text["width"] <= 40 * 17 + 1


def test_a_chart_is_drawn_anew_when_the_screen_turns(site, browser):
    _, address = site
    with Visit(browser, address, viewport={"width": 390, "height": 800}) as visit:
        visit.drawn()
        before = visit.page.locator(".chart .drawing").bounding_box()
        assert before["height"] > before["width"]
        visit.page.set_viewport_size({"width": 1000, "height": 700})
        visit.page.wait_for_function(  # all at once: between two questions the drawing may give way to the next
            "(all => all.length === 1 && all[0].clientWidth > 600 && all[0].clientHeight < all[0].clientWidth)"
            "(document.querySelectorAll('.chart .drawing'))"
        )
        assert visit.errors == []


def test_the_menu_and_the_tabs_work_by_keyboard(site, browser):
    _, address = site
    with Visit(browser, address, viewport={"width": 360, "height": 800}) as visit:
        menu = visit.page.get_by_role("button", name="Menu")
        assert not visit.page.get_by_role("link", name="Two").is_visible()
        menu.focus()
        visit.page.keyboard.press("Enter")
        assert visit.page.get_by_role("link", name="Two").is_visible() and menu.get_attribute("aria-expanded") == "true"
        visit.page.get_by_role("tab", name="GPU").focus()
        visit.page.keyboard.press("ArrowRight")
        assert (
            visit.page.get_by_text("slow").is_visible() and not visit.page.get_by_text("fast", exact=True).is_visible()
        )
        assert visit.page.get_by_role("tab", name="CPU").get_attribute("aria-selected") == "true"


def test_on_paper_the_picture_is_printed(site, browser):
    _, address = site
    with Visit(browser, address) as visit:
        visit.drawn()
        visit.page.emulate_media(media="print")
        assert visit.page.locator(".chart img").is_visible() and not visit.page.locator(".chart .drawing").is_visible()


def test_what_is_missing_is_said_and_named_at_the_foot(site, browser):
    _, address = site
    with Visit(browser, address) as visit:
        assert "make figures" in visit.page.locator("#fig-missing").inner_text()
        visit.page.get_by_text("Data behind this page").click()
        foot = visit.page.locator(".provenance").inner_text()
        assert "a.csv" in foot and "Page made by the built-in renderer" in foot


@pytest.mark.parametrize("width, scheme", [(1280, "light"), (360, "dark")])
def test_axe_finds_nothing(site, browser, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    _, address = site
    with Visit(browser, address, color_scheme=scheme, viewport={"width": width, "height": 800}) as visit:
        visit.drawn()
        found = axe.Axe().run(visit.page).response["violations"]
        assert not found, json.dumps([(one["id"], [node["target"] for node in one["nodes"]]) for one in found])


def test_a_menu_of_pages_opens_and_closes(tmp_path, browser):
    menu = "      - text: More\n        menu:\n          - href: report/two.qmd\n            text: Second\n"
    root = project(tmp_path, {}, CONFIG.replace("      - href: report/two.qmd\n", menu))
    assert run(root, "--renderer", "builtin").returncode == 0
    with served(root / "_site") as address, Visit(browser, address) as visit:
        second = visit.page.get_by_role("link", name="Second")
        visit.page.get_by_text("More").click()
        assert second.is_visible()
        visit.page.keyboard.press("Escape")
        assert not second.is_visible() and visit.page.evaluate("document.activeElement.tagName") == "SUMMARY"
        visit.page.keyboard.press("Enter")
        visit.page.locator("main").click()
        assert not second.is_visible()
        visit.page.get_by_text("More").click()
        second.click()
        visit.page.wait_for_url("**/report/two.html")
        assert visit.errors == []


def test_a_click_on_a_mark_keeps_its_words(site, browser):
    _, address = site
    with Visit(browser, address) as visit:
        visit.drawn()
        box = visit.page.locator(".scatterlayer .point").first.bounding_box()
        for number in (1, 0):
            visit.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            visit.page.wait_for_function(f"document.querySelectorAll('.explorer-pin').length === {number}")
            visit.page.wait_for_timeout(400)  # not a double click
        assert visit.page.evaluate("window.hacked") is None and visit.errors == []
