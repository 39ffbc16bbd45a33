"""`make check-site`: a good small site passes, and each thing that can be wrong is found and named."""

import io
import re
import shutil
import subprocess
import zipfile
from datetime import datetime, timezone

import pytest

from scripts.common.errors import UserError
from scripts.common.paths import ROOT
from scripts.site import extras
from scripts.site.check import html as check_html, site as check, views

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – Small site</title><meta name="description" content="A small site">
<link rel="stylesheet" href="{up}assets/site.css"></head>
<body><main><h1>{title}</h1>{body}</main></body></html>
"""
PICTURE = (
    '<div class="chart" data-figure="dots"><img src="{up}images/dots.jpg" alt="three dots" width="100" '
    'height="80"></div>'
)

ENTRY = {
    "commit": "1",
    "title": "1 verdict changed",
    "lines": ["x"],
    "date": datetime.now(timezone.utc),
    "link": "report/two.html#deep",
}  # of the feed


def write(site, name, body="", title="A page"):
    up = "../" * name.count("/")
    (site / name).parent.mkdir(parents=True, exist_ok=True)
    (site / name).write_text(PAGE.format(title=title, up=up, body=body.replace("{up}", up)))


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    from PIL import Image

    site = tmp_path_factory.mktemp("site")
    (site / "images").mkdir()
    (site / "assets").mkdir()
    Image.new("RGB", (100, 80), "#88aacc").save(site / "images/dots.jpg")
    (site / "assets/site.css").write_text(
        ":root { color-scheme: light dark } body { background: light-dark(#fff, #111); color: light-dark(#111, #fff) }"
        " a { color: light-dark(#00f, #8cf) } .x { background: url(../images/dots.jpg) } /* url(gone.png) */"
    )
    write(
        site,
        "index.html",
        '<p><a href="report/two.html#deep">Two</a>, <a href="#top">up</a>, <a '
        f'href="https://example.org/">out</a></p>{PICTURE}',
        "Home",
    )
    write(
        site,
        "report/two.html",
        f'<h2 id="deep">Deep</h2><p><a href="../index.html">Home</a> <a href="../">Home</a></p>{PICTURE}',
        "Two",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extras, "changes", lambda: [ENTRY])
        extras.add(site, "https://example.org/bim/")
    return site


@pytest.fixture
def site(good, tmp_path):
    shutil.copytree(good, tmp_path / "site")
    return tmp_path / "site"


def add(site, html, page="report/two.html"):
    text = (site / page).read_text()
    (site / page).write_text(text.replace("</main>", html + "</main>"))


def test_a_good_site_has_no_problem(good):
    assert [str(problem) for problem in check_html.problems(good)] == []


def test_without_a_site_it_says_what_to_do(tmp_path, capsys):
    assert check.main(["--site", str(tmp_path / "nothing")]) == 2
    assert "make site" in capsys.readouterr().err
    assert extras.main(["--site", str(tmp_path)]) == 2


@pytest.mark.parametrize(
    "html, words",
    [
        ('<a href="gone.html">x</a>', "no such file"),
        ('<a href="../index.html#gone">x</a>', "no such anchor"),
        ('<a href="#gone">x</a>', "no such anchor"),
        ('<a href="/report/two.html">x</a>', "starts at the server's root"),
        ('<a href="../../../etc/passwd">x</a>', "leads out of the site"),
        ('<a href="javascript:alert(1)">x</a>', "of the kind javascript"),
        ('<a href="">x</a>', "an empty address"),
        ('<a href="https://">x</a>', "no valid address"),
        ('<a href="Two.html">x</a>', "no such file"),
        ('<img src="../images/dots.jpg">', "has no alt text"),
        ('<div class="chart" data-figure="d"><img src="../images/dots.jpg" alt=" "></div>', "no picture with alt text"),
        ('<img src="https://cdn.example/x.png" alt="x">', "fetches something from another site"),
        ('<img src="//cdn.example/x.png" alt="x">', "fetches something from another site"),
        (
            '<picture><source srcset="/images/dots.jpg 2x"><img src="../images/dots.jpg" alt="x"></picture>',
            "starts at the server's root",
        ),
        ('<script src="https://cdn.example/x.js"></script>', "fetches something from another site"),
        ('<iframe src="gone.html" title="x"></iframe>', "no such file"),
        (
            '<div class="chart" data-figure="d" data-src="charts/gone.json"><img src="../images/dots.jpg" '
            'alt="x"></div>',
            "no such file",
        ),
        (
            '<div class="chart" data-figure="d" data-explore="gone"><img src="../images/dots.jpg" alt="x"></div>',
            "no such file",
        ),
        ('<p style="background: url(https://cdn.example/x.png)">x</p>', "fetches something from another site"),
        ('<p id="deep">x</p>', "'deep' stands twice"),
        ('<p id="a b">x</p>', "one with a blank"),
        ('<label for="nobody">x</label>', "names no id"),
        ('<p onclick="x()">x</p>', "has a script in onclick"),
        ("<h1>Again</h1>", "2 headings <h1>"),
        ("<p>See ?@fig-x</p>", "stands in the text"),
        ("<p>{{&lt; include x &gt;}}</p><p>{{< video</p>", "stands in the text"),
        ("<table><tbody><tr><td>NaN</td></tr></tbody></table>", "stands in the text"),
        ("<p>top-1 of <b>nan%</b></p>", "stands in the text"),
        ("<p>they stay within a factor of nan either way</p>", "stands in the text"),
        ("<table><tr><p>x</table>", "not valid HTML"),
        ('<p class="a" class="b">x</p>', "not valid HTML"),
        ("<b>x</i>", "not valid HTML"),
    ],
    ids=lambda value: value[:40],
)
def test_what_is_wrong_on_a_page_is_named(site, html, words):
    add(site, html)
    found = [str(problem) for problem in check_html.problems(site)]
    assert found and all(problem.startswith("report/two.html") for problem in found)
    assert any(words in problem for problem in found), found


def test_code_may_show_what_prose_may_not(site):
    add(site, "<pre><code>::: {#fig-x}\n?@fig-x {{&lt; include x >}} NaN</code></pre>")
    assert check_html.problems(site) == []


@pytest.mark.parametrize(
    "file, content, words",
    [
        ("404.html", None, "no such page"),
        ("feed.xml", None, "no such file"),
        ("feed.xml", "<rss", "not well-formed"),
        ("feed.xml", "<feed/>", "not an RSS feed"),
        ("feed.xml", '<!DOCTYPE x [<!ENTITY a "aaaa">]><rss>&a;</rss>', "DOCTYPE"),
        ("results.zip", None, "no archive"),
        ("results.zip", "PK", "no archive"),
        ("assets/site.css", "@import 'gone.css'; p { background: url(https://cdn.example/x.png) }", "gone.css"),
    ],
)
def test_what_is_wrong_with_the_whole_is_named(site, file, content, words):
    (site / file).unlink() if content is None else (site / file).write_text(content)
    found = [str(problem) for problem in check_html.problems(site)]
    assert any(problem.startswith(file) and words in problem for problem in found), found


def test_what_quarto_itself_writes_is_let_through(site):
    add(
        site,
        '<a href="" onclick="window.quartoToggleColorScheme(); return false;">dark</a><p>The output held NaN or '
        "infinity.</p>",
    )
    text = (site / "report/two.html").read_text()
    (site / "report/two.html").write_text(
        text.replace(
            "</head>", '<link id="quarto-bootstrap" rel="stylesheet" href="../assets/site.css">' * 2 + "</head>"
        )
    )
    assert check_html.problems(site) == []
    add(site, '<a href="" onclick="steal()">x</a>')
    assert len(check_html.problems(site)) == 2


def test_a_page_that_the_sitemap_lacks_is_named(site):
    write(site, "report/new.html", "<p>New</p>", "New")
    found = [str(problem) for problem in check_html.problems(site)]
    assert "sitemap.xml: report/new.html is not in it" in found


def test_what_a_chart_loads_is_looked_for_as_the_script_it_is(site):
    (site / "charts/picker").mkdir(parents=True)
    for name in ("dots", "picker/models", "picker/rtx_5090"):
        (site / f"charts/{name}.js").write_text("")
    add(
        site,
        '<div class="chart" data-figure="d" data-src="charts/dots.json" data-phone="charts/dots.json" '
        'data-explore="rtx_5090"><img src="../images/dots.jpg" alt="x"></div>',
    )
    assert check_html.problems(site) == []


# --- in Chrome --------------------------------------------------------------------------------------------------------
def test_a_good_site_has_no_problem_in_a_browser(good, chrome):
    assert [str(problem) for problem in check.in_browser(good, ["report/two.html"])] == []


def test_what_only_a_browser_sees(site, chrome, monkeypatch):
    add(
        site,
        '<script>fetch("https://evil.example/x").catch(() => 0); console.error("oh no"); undefinedFunction()</script>',
    )
    add(site, '<p style="color: #999; background: #aaa">pale</p><div style="width: 600px">wide</div>')
    add(
        site,
        '<h2>Next</h2><h5>too deep</h5><div><button style="all: unset; display: block; width: 9px; height: '
        '9px">a</button><button style="all: unset; display: block; width: 9px; height: 9px">b</button></div>',
    )
    add(
        site,
        '<script>if (matchMedia("(prefers-color-scheme: dark)").matches) document.body.append(Object.assign(new '
        'Image(), {src: "gone.jpg", alt: "x"}))</script>',
    )
    (site / "charts").mkdir()
    (site / "charts/dots.js").write_text("")
    add(
        site,
        '<div class="chart" data-figure="dots" data-src="charts/dots.json"><img src="../images/dots.jpg" '
        'alt="x"></div>',
    )
    monkeypatch.setattr(views, "DRAWN_LIMIT_S", 1)
    found = [str(problem) for problem in check.in_browser(site, ["report/two.html"])]
    for words in (
        "a request left the site: https://evil.example/x",
        "on the console: oh no",
        "a script failed: undefinedFunction",
        "axe, serious: Elements must meet",
        "(heading-order)",
        "(target-size)",
        "pixels wider than a screen of 360",
        "gone.jpg answers 404 [desktop dark, phone dark]",
        "the chart 'dots' was not drawn",
    ):
        assert any(words in problem for problem in found), (words, found)


# --- extras -----------------------------------------------------------------------------------------------------------
def test_each_page_can_be_shared_and_followed(good):
    text = (good / "report/two.html").read_text()
    assert 'property="og:title" content="Two"' in text and 'content="https://example.org/bim/social-card.jpg"' in text
    assert (
        'href="../feed.xml"' in text and 'property="og:url" content="https://example.org/bim/report/two.html"' in text
    )
    from PIL import Image

    assert Image.open(good / "social-card.jpg").size == extras.CARD_SIZE


def test_a_page_that_links_to_the_feed_is_not_taken_for_done(tmp_path):
    (tmp_path / "index.html").write_text(PAGE.format(title="Home", up="", body='<a href="feed.xml">RSS</a>'))
    extras.add(tmp_path)
    assert 'property="og:title"' in (tmp_path / "index.html").read_text()


def test_a_second_run_changes_nothing(site):
    extras.add(site, "https://example.org/bim/")
    before = {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}
    extras.add(site, "https://example.org/bim/")
    assert before == {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}


def test_a_site_that_moves_takes_its_shared_links_along(site):
    extras.add(site)
    assert 'content="../social-card.jpg"' in (site / "report/two.html").read_text()
    extras.add(site, "https://elsewhere.example/")
    text = (site / "report/two.html").read_text()
    assert (
        re.findall('property="og:image" content="([^"]*)"', text) == ["https://elsewhere.example/social-card.jpg"]
        and text.count("application/rss+xml") == 1
    )


def test_hostile_titles_stay_text(tmp_path):
    (tmp_path / "index.html").write_text(PAGE.format(title="&lt;script&gt;x&lt;/script&gt;&quot;", up="", body=""))
    extras.add(tmp_path)
    for page in ("index.html", "404.html"):
        assert not re.search(r"<script", (tmp_path / page).read_text())
    assert not (tmp_path / "sitemap.xml").exists()


@pytest.mark.parametrize(
    "address", ["example.org", "javascript:alert(1)", "https://", "https://a b", 'https://x/"><script>']
)
def test_a_site_address_that_is_none(monkeypatch, address):
    monkeypatch.setenv("SITE_URL", address)
    with pytest.raises(UserError, match="not a web address"):
        extras.site_url()


def test_the_download_holds_every_table_and_is_the_same_each_time(monkeypatch):
    content = extras.download()
    names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert {f"best-image-models/{path.name}" for path in (ROOT / "report/data").glob("*.csv")} <= set(names)
    assert all(name.startswith("best-image-models/") and ".." not in name for name in names)
    assert content == extras.download()


def test_the_feed_tells_what_a_commit_changed(tmp_path, monkeypatch, moved):
    def git(*arguments):
        subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )

    def findings(verdict):
        (tmp_path / "report/data/findings.csv").write_text(
            ",".join([*extras.FINDING, "verdict", "year"])
            + f"\nlevit_fastest,then,rtx,infer,amp,nchw,False,1.11,{verdict},2024\n"
        )

    monkeypatch.setattr(extras, "ROOT", tmp_path)
    monkeypatch.setattr(extras.git, "ROOT", tmp_path)
    moved(DATA=tmp_path / "report/data")
    assert extras.changes() == []  # no repository
    (tmp_path / "report/data").mkdir(parents=True)
    git("init", "-q")
    findings("holds")
    git("add", "-A")
    git("commit", "-qm", "one")
    findings("fails")
    (tmp_path / "report/data/new.csv").write_text("a\n1\n")
    git("add", "-A")
    git("commit", "-qm", "<b>two</b>")
    last, first = extras.changes()
    assert (first["title"], last["title"]) == ("1 new table", "1 verdict changed, 1 new table, 1 changed table")
    assert last["lines"][0].endswith("(rtx, 2024): holds → fails")
    assert (last["link"], first["link"]) == ("report/findings.html#levit-fastest", "report/data.html")
    assert b"<link>https://example.org/report/findings.html#levit-fastest</link>" in extras.feed(
        "x", "https://example.org/", [last]
    )


def test_a_feed_that_links_to_no_anchor_is_found(site):
    (site / "feed.xml").write_bytes(
        extras.feed("Small site", "https://example.org/bim/", [{**ENTRY, "link": "report/two.html#gone"}])
    )
    assert [problem.what for problem in check_html.problems(site) if problem.where == "feed.xml"] == [
        "item 1 links to 'https://example.org/bim/report/two.html#gone': there is no such anchor on that page"
    ]


def test_a_button_that_opens_nothing_is_found(site):
    write(site, "report/two.html", '<h2 id="deep">x</h2><button type="button" popovertarget="gone">open</button>')
    assert any("popovertarget='gone'" in problem.what for problem in check_html.problems(site))


def test_findings_have_the_columns_that_the_feed_reads():
    header = (ROOT / "report/data/findings.csv").read_text().split("\n")[0].split(",")
    assert set(extras.FINDING) | {"verdict"} <= set(header)
