"""Pages without cells, through Pandoc: numbering, references, Quarto's blocks, links, and what is refused."""

import re

import pytest

from scripts.common.errors import UserError
from scripts.site.builtin import build as builtin
from tests.site_fixtures import CONFIG, HOSTILE, add_chart, project


def rendered(tmp_path, text: str, settings: str = CONFIG, **pages: str) -> str:
    """The main part of the page that `text` makes."""
    root = project(
        tmp_path,
        {"index.qmd": text, **{name.replace("__", "/") + ".qmd": body for name, body in pages.items()}},
        settings,
    )
    add_chart(root)
    out = tmp_path / "out"
    out.mkdir()
    builtin.render(root, out)
    html = (out / "index.html").read_text()
    return html[html.index("<main") : html.index("</main>")]


def words(html: str) -> str:
    return " ".join(
        re.sub(r"<annotation.*?</annotation>|<[^>]+>", " ", html, flags=re.S).replace("\u00a0", " ").split()
    )


def test_figures_and_tables_are_numbered_as_quarto_numbers_them(tmp_path):
    text = """::: {#fig-a .chart-figure}
![](/images/dots.jpg){fig-alt="dots"}

First
:::

::: {#tbl-b}

| a |
|---|
| 1 |

Numbers
:::

::: {#fig-b}
![](/images/dots.jpg)

Second
:::
"""
    html = rendered(tmp_path, text)
    assert "Figure 1: First" in words(html) and "Figure 2: Second" in words(html) and "Table 1: Numbers" in words(html)
    assert html.index("Numbers") < html.index("<td>")  # a table's caption stands above it
    assert 'id="fig-a"' in html and 'id="tbl-b"' in html


def test_callouts_and_tabsets_take_their_headings(tmp_path):
    html = rendered(
        tmp_path,
        """::: {.callout-warning}
## Mind **this**
Body.
:::

::: {.callout-tip title="Set <b>"}
Words.
:::

::: {.panel-tabset}
## GPU
fast

### Very
indeed

## CPU
slow
:::

## Section
""",
    )
    assert re.search('class="callout callout-style-default callout-warning[^>]*>.*?<strong>this</strong>', html, re.S)
    assert "Set &lt;b&gt;" in html
    assert html.count('role="tab"') == html.count('role="tabpanel"') == 2 and html.count('aria-selected="true"') == 1
    assert "<h2" not in html[: html.index('id="section"')] and words(html).endswith("slow Section")
    inner = html[html.index('id="very"') : html.index('id="tabset-1-2"')]
    assert inner.count("</section>") == 1  # a heading inside a pane ends with it


def test_links_and_pictures_work_in_any_folder(tmp_path):
    root = project(
        tmp_path,
        {
            "report/two.qmd": "---\ntitle: Two\n---\n[home](../index.qmd#x) [also](/index.qmd) "
            '![a](/images/dots.jpg){fig-alt="An alt"}\n\n'
            '```{=html}\n<img src="/images/dots.jpg" alt=""><a href="/charts/dots.csv">c</a><a '
            'href="//x.org">d</a>\n```\n'
        },
    )
    add_chart(root)
    (tmp_path / "out").mkdir()
    builtin.render(root, tmp_path / "out")
    html = (tmp_path / "out" / "report" / "two.html").read_text()
    assert 'href="../index.html#x"' in html and 'href="../index.html">also' in html
    assert (
        html.count('src="../images/dots.jpg"') == 2 and 'href="../charts/dots.csv"' in html and 'href="//x.org"' in html
    )
    assert 'alt="An alt"' in html and 'src="../assets/charts.js"' in html and 'href="../assets/site.css"' in html
    assert '<a href="../report/two.html" aria-current="page">Two</a>' in html


REFUSED = [
    ("See @fig-none.\n", 1, "@fig-none: references and citations are not supported"),
    ("\n\nAs [@knuth84] said.\n", 3, "citations are not supported"),
    ("text\n\n## A {#sec-a}\n", 3, "one that Quarto numbers"),
    ("a\n\n::: {.panel-sidebar}\nx\n:::\n", 3, ".panel-sidebar"),
    ("a\n\n[b]{.badge}\n", 3, ".badge"),
    ("a\n\n::: {#thm-x}\nx\n:::\n", 3, "thm-"),
    ("a\n\n![b](/images/dots.jpg){.lightbox}\n", 3, ".lightbox"),
    ('a\n\n```{.python filename="x.py"}\n1\n```\n', 3, "filename"),
    ("a\n\n![b](/images/gone.jpg)\n", 3, "/images/gone.jpg is not there"),
    ("a\n\n![b](https://example.org/x.jpg)\n", 3, "another site"),
    ("a\n\n[b](gone.qmd)\n", 3, "leads to no page"),
    ("a\n\n::: {.panel-tabset}\nno heading\n:::\n", 3, "tabset"),
    ("a\n\n::: {layout-ncol=2}\ntwo\n:::\n", 3, "layout-ncol"),
    ('a\n\n::: {.callout-note collapse="true"}\nb\n:::\n', 3, "collapse"),
    ("a\n\n![b](/images/dots.jpg){#fig-a}\n", 3, "one that Quarto numbers"),
    ("a\n\n\\newpage{}\n", 3, "raw tex"),
    ("::: {#fig-a}\na\n:::\n\n::: {#fig-a}\nb\n:::\n", 1, "stands twice"),
    (":::: {#fig-a}\n::: {#fig-b}\na\n:::\n\nCaption\n::::\n", 1, "subfigures"),
]


@pytest.mark.parametrize("text, line, message", REFUSED)
def test_what_would_look_otherwise_than_under_quarto_is_refused(tmp_path, text, line, message):
    with pytest.raises(UserError) as error:
        rendered(tmp_path, text)
    assert str(error.value).startswith(f"index.qmd:{line}: ") and message in str(error.value)


def test_a_title_is_markdown_but_not_a_way_into_the_head(tmp_path):
    root = project(
        tmp_path, {"index.qmd": "---\ntitle: '*A* </title> & <script>'\ndescription: 'a \\\" b'\n---\nText\n"}
    )
    (tmp_path / "out").mkdir()
    builtin.render(root, tmp_path / "out")
    head = (tmp_path / "out" / "index.html").read_text().split("</head>")[0]
    assert "<title>A &amp; – Small site</title>" in head and 'content="a &quot; b"' in head
    assert head.count("<script>") == 2


def test_navigation_that_leads_nowhere_is_refused(tmp_path):
    root = project(tmp_path, {}, CONFIG.replace("href: report/two.qmd", "href: report/three.qmd"))
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match="report/three.qmd, which is no page"):
        builtin.render(root, tmp_path / "out")


def test_hostile_text_in_markdown_attributes_stays_text(tmp_path):
    alt = HOSTILE.replace('"', "'").replace("{{< include /etc/passwd >}}", "")
    html = rendered(tmp_path, f'![c](/images/dots.jpg){{fig-alt="{alt}"}}\n')
    assert html.count("<img") == 1 and "<script" not in html
