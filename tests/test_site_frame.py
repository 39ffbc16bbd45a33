"""Quarto's pages in our own frame."""

import pytest

from scripts.common.errors import UserError
from scripts.site import frame
from tests.site_fixtures import project

PAGE = """<!DOCTYPE html><html><head><meta name="generator" content="quarto-1.10.18">
<script src="site_libs/bootstrap/bootstrap.min.js"></script>
<link href="site_libs/bootstrap.min.css" rel="stylesheet"></head>
<body class="nav-fixed quarto-light"><header id="quarto-header">Quarto's own</header>
<div id="quarto-content" class="quarto-container page-columns">
<nav id="TOC" role="doc-toc" class="toc-active"><h2 id="toc-title">On this page</h2>
<ul class="collapse"><li><a href="#deep" id="toc-deep" class="nav-link active"
 data-scroll-target="#deep">Deep &amp; wide</a></li></ul></nav>
<main class="content" id="quarto-document-content">
<header id="title-block-header" class="quarto-title-block default"><div class="quarto-title">
<h1 class="title">Two</h1><p class="subtitle lead">A <em>second</em> page</p></div></header>
<div class="tabset-margin-container"></div><div class="panel-tabset">
<ul class="nav nav-tabs" role="tablist"><li role="presentation">
<a class="nav-link active" id="t-1-tab"
 data-bs-toggle="tab" data-bs-target="#t-1" role="tab" aria-controls="t-1"
 aria-selected="true" href="">One</a></li></ul>
<div class="tab-content">
<div id="t-1" class="tab-pane active"
 role="tabpanel" aria-labelledby="t-1-tab">x</div></div></div>
<section id="deep" class="level2">
<h2 class="anchored" data-anchor-id="deep">Deep</h2><p><a href="">kept</a></p></section>
</main></div><script>quarto()</script></body></html>"""


@pytest.fixture
def made(tmp_path):
    return frame.Frame(project(tmp_path, {}))


def test_the_text_is_quartos_and_the_frame_is_ours(made):
    html = made.page("report/two.html", PAGE)
    assert 'content="quarto-1.10.18"' in html and "site_libs" not in html and "Quarto's own" not in html
    assert "quarto()" not in html and "data-bs-" not in html and "tabset-margin-container" not in html
    assert html.count("<h1") == 1 and '<p class="subtitle lead">A <em>second</em> page</p>' in html
    assert '<a class="skip-link" href="#quarto-document-content">' in html and "../assets/shell.css" in html
    assert '<li><a href="#deep">Deep &amp; wide</a></li>' in html
    assert '<section id="deep" class="level2">' in html


def test_a_tab_is_a_button_and_no_link_to_nowhere(made):
    html = made.page("report/two.html", PAGE)
    assert '<button type="button" class="nav-link active" id="t-1-tab"' in html and ">One</button>" in html
    assert html.count('href=""') == 1  # one that a page wrote itself stays, for the check to find


def test_what_quarto_knows_and_the_built_in_renderer_does_not_is_no_hindrance(tmp_path):
    root = project(tmp_path, {"index.qmd": "---\ntitle: Home\ncomments: {hypothesis: true}\n---\n\n{{< video x >}}\n"})
    (root / "_quarto.yml").write_text(
        (root / "_quarto.yml").read_text() + "    anchor-sections: true\nbibliography: x\n"
    )
    assert "<h1" in frame.Frame(root).page("index.html", PAGE)


def test_other_pages_stay_as_they_are_and_strange_ones_are_refused(made):
    assert made.page("404.html", "<main>ours</main>") == "<main>ours</main>"
    with pytest.raises(UserError, match="report/gone.html: not a page of the project"):
        made.page("report/gone.html", PAGE)
    with pytest.raises(UserError, match="not a page of the project as Quarto writes them"):
        made.page("report/two.html", PAGE.replace("</main>", ""))
