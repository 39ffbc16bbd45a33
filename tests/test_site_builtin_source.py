"""What the built-in renderer reads and what it refuses, by file and line, before anything runs."""

import pytest

from scripts.common.errors import UserError
from scripts.site.builtin import config, source
from tests.site_fixtures import CONFIG, project

REFUSED = [
    ("text\n\n{{< video x.mp4 >}}\n", 3, "shortcode {{< video"),
    ("```{r}\n1\n```\n", 1, "only {python} cells"),
    ("a\n\n```{mermaid}\ngraph LR\n```\n", 3, "only {python} cells"),
    ("```{python echo=false}\n1\n```\n", 1, "'#| key: value'"),
    ("- item\n\n  ```{python}\n  1\n  ```\n", 3, "indented"),
    ("```{python}\n#| echo: false\n#| fig-width: 3\n1\n```\n", 3, "'fig-width'"),
    ("```{python}\n#| echo: maybe\n1\n```\n", 2, "'echo'"),
    ("```{python}\n#| label: a b\n1\n```\n", 2, "label"),
    ("```{python}\n#| label: a\n```\n\n```{python}\n#| label: a\n```\n", 5, "stands already at line 1"),
    ("x\n\n```{python}\n1\n", 3, "has no end"),
    ("x\n\n::: {.callout-note}\nbody\n", 3, "has no end"),
    ("x\n\n:::\n", 3, "never begun"),
    ("---\ntitle: A\n\ntext\n", 1, "has no end"),
    ("---\ntitle: A\nbibliography: b.bib\n---\n", 3, "'bibliography'"),
    ("---\ntitle: [1\n---\n", 2, "not valid YAML"),
    ("---\ntitle: A\ntoc: 3\n---\n", 3, "'toc' should be true or false"),
    ("---\nexecute:\n  echo: true\n  cache: true\n---\n", 4, "'execute.cache'"),
]


@pytest.mark.parametrize("text, line, words", REFUSED)
def test_what_is_not_supported_is_refused_by_file_and_line(tmp_path, text, line, words):
    site = config.load(project(tmp_path, {"index.qmd": text}))
    with pytest.raises(UserError) as error:
        source.read(site, "index.qmd")
    assert str(error.value).startswith(f"index.qmd:{line}: ") and words in str(error.value)


def test_examples_of_syntax_inside_code_are_not_syntax(tmp_path):
    text = "Use `{{< include x >}}`.\n\n````markdown\n```{r}\n```\n::: {.callout-note}\n{{< video x >}}\n````\n"
    page = source.read(config.load(project(tmp_path, {"index.qmd": text})), "index.qmd")
    assert page.parts == [source.Text(text, 1)]


def test_cells_keep_their_lines_and_options(tmp_path):
    text = (
        '---\ntitle: T\nexecute:\n  echo: false\n---\nbefore\n\n```{python}\n#| label: fig-a\n#| fig-cap: "A: b"\nx '
        "= 1\n```\nafter\n"
    )
    page = source.read(config.load(project(tmp_path, {"index.qmd": text})), "index.qmd")
    before, cell, after = page.parts
    assert (before.line, cell.line, cell.first, after.line) == (6, 8, 11, 13)
    assert cell.code == "x = 1" and cell.options == {"label": "fig-a", "fig-cap": "A: b"}
    assert (
        page.option(cell, "echo", True) is False and page.option(cell, "warning", True) is False
    )  # page, then _quarto.yml


@pytest.mark.parametrize(
    "change, line, words",
    [
        (("type: website", "type: book"), 2, "project.type: book"),
        (("title: Small site", "title: Small site\n  reader-mode: true"), 6, "'website.reader-mode'"),
        (("    toc: true", "    toc: true\n    embed-resources: true"), 21, "'format.html.embed-resources'"),
        (("html-math-method: mathml", "html-math-method: mathjax"), 21, "mathjax"),
        (("search: false", "search: true"), 7, "search"),
    ],
)
def test_unknown_settings_are_refused_by_line(tmp_path, change, line, words):
    root = project(tmp_path, {}, CONFIG.replace(*change))
    with pytest.raises(UserError) as error:
        config.load(root)
    assert str(error.value).startswith(f"_quarto.yml:{line}: ") and words in str(error.value)


def test_a_page_on_the_list_that_is_not_there(tmp_path):
    root = project(tmp_path, {}, CONFIG.replace("index.qmd, report/*.qmd", "index.qmd, gone.qmd"))
    with pytest.raises(UserError, match="gone.qmd, which is not there"):
        config.load(root)


def test_no_list_of_pages_is_refused_because_renderers_would_differ(tmp_path):
    root = project(tmp_path, {}, CONFIG.replace("  render: [index.qmd, report/*.qmd]\n", ""))
    with pytest.raises(UserError, match="'render' list"):
        config.load(root)


def test_pages_come_in_order_without_those_taken_out(tmp_path):
    root = project(tmp_path, {"report/a.qmd": "a"}, CONFIG.replace("report/*.qmd]", "report/*.qmd, '!report/two.qmd']"))
    assert config.load(root).pages == ["index.qmd", "report/a.qmd"]
