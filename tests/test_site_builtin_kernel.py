"""Cells in a real kernel: what they give, how they fail, that they end, and when a page is run again."""

import asyncio
import os
import time

import psutil
import pytest

from scripts.common.errors import UserError
from scripts.site.builtin import assemble, config, kernel, source
from tests.site_fixtures import CONFIG, project
from tests.waiting import PATIENCE_S


def run(root, name="index.qmd", limit=PATIENCE_S):
    page = source.read(config.load(root), name)
    return page, asyncio.run(kernel.run(page, root, limit))


def markdown(root, name="index.qmd"):
    return assemble.markdown(*run(root, name))[0]


def children():
    return {p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE}


@pytest.fixture
def nothing_left():
    """What a test starts has ended with it; what earlier tests left running (a resource tracker, a browser) is not
    its business.
    """
    before = children()
    yield
    time.sleep(0.5)
    assert not children() - before


def test_a_page_gives_what_its_options_say(tmp_path):
    root = project(
        tmp_path,
        {
            "report/two.qmd": """---
title: Two
---
```{python}
#| include: false
import os, sys, warnings, numpy as np
secret = 42
```

Values: `{python} secret + 1` and `{python} "<b> *x* $y$"` and `{python} f"{1/3:.2f}"`. Not code: ``{python} secret``.

```{python}
#| output: asis
#| echo: false
print("**asis**", os.path.basename(os.getcwd()))
```

```{python}
print("plain *text*")
print("loud", file=sys.stderr)
secret
```

```{python}
#| eval: false
raise SystemExit
```

```{python}
#| output: false
print("unseen")
```

```{python}
#| label: fig-dot
#| fig-cap: "A dot"
#| fig-alt: "One \\"dot\\""
#| echo: false
from IPython.display import Image
Image(data=b"\\x89PNG\\r\\n\\x1a\\n", format="png")
```
"""
        },
    )
    text = markdown(root, "report/two.qmd")
    assert (
        "secret = 42" not in text
        and "Values: 43 and \\<b\\> \\*x\\* \\$y\\$ and 0\\.33. Not code: ``{python} secret``." in text
    )
    assert "**asis** report" in text and ":::: {.cell-output .cell-output-stdout}\n```\nplain *text*\n```" in text
    assert "\nloud" not in text  # _quarto.yml says warning: false
    assert "{.python .cell-code}" in text and "raise SystemExit" in text
    assert 'print("unseen")' in text and "\nunseen" not in text
    assert "::: {#fig-dot}" in text and '{fig-alt="One \\"dot\\""}' in text and "A dot" in text


def test_cells_run_in_the_projects_folder_where_it_says_so(tmp_path):
    root = project(
        tmp_path,
        {"report/two.qmd": "```{python}\nopen('_quarto.yml').name\n```\n"},
        CONFIG.replace("website\n", "website\n  execute-dir: project\n", 1),
    )
    assert "'_quarto.yml'" in markdown(root, "report/two.qmd")


@pytest.mark.parametrize(
    "cell, line, words",
    [
        (
            "x = 1\n\nraise ValueError('broken\\nin two lines')",
            8,
            "ValueError: broken in two lines; the traceback is in build/site-pages/index.log",
        ),
        ("def f():\n    return 1 +\n", 7, "SyntaxError"),
        ("import os\nos._exit(3)", 4, "kernel died"),
        ("import pandas\npandas.DataFrame({'a': [1]})", 4, "adds scripts from a CDN"),
    ],
)
def test_a_failing_cell_names_page_line_and_error_in_one_line(tmp_path, nothing_left, cell, line, words):
    root = project(tmp_path, {"index.qmd": f"---\ntitle: T\n---\n```{{python}}\n#| echo: false\n{cell}\n```\n"})
    with pytest.raises(UserError) as error:
        markdown(root)
    assert (
        str(error.value).startswith(f"index.qmd:{line}: ")
        and words in str(error.value)
        and "\n" not in str(error.value)
    )
    if "ValueError" in words:
        log = (root / "build" / "site-pages" / "index.log").read_text()
        assert "Traceback" in log and "\x1b" not in log


@pytest.mark.parametrize(
    "expression, words", [("missing", "NameError"), ("__import__('numpy').float64(0.5)", "format it")]
)
def test_an_inline_value_that_fails_or_would_read_oddly(tmp_path, expression, words):
    root = project(tmp_path, {"index.qmd": f"```{{python}}\n1\n```\n\ntext\n`{{python}} {expression}`\n"})
    with pytest.raises(UserError) as error:
        markdown(root)
    assert str(error.value).startswith("index.qmd:6: ") and words in str(error.value)


def test_a_hung_cell_is_ended_with_what_it_started(tmp_path, nothing_left):
    root = project(
        tmp_path,
        {
            "index.qmd": "text\n\n```{python}\nimport subprocess, time\nsubprocess.Popen(['sleep', "
            "'600'])\ntime.sleep(600)\n```\n"
        },
    )
    for limit_s in (8, 32, 128):  # a busy machine takes longer to start the kernel
        with pytest.raises(UserError) as error:
            run(root, limit=limit_s)
        if "the kernel did not start" not in str(error.value):
            break
    assert f"index.qmd:3: this cell was ended, the page's time limit of {limit_s} s is over" in str(error.value)


def test_a_page_is_run_again_when_something_it_read_changed_and_only_then(tmp_path):
    root = project(
        tmp_path,
        {
            "index.qmd": """```{python}
#| output: asis
from pathlib import Path
import helper, os
runs = Path("build/runs")
runs.mkdir(exist_ok=True)
(runs / str(os.getpid())).touch()
print(open("data.csv").read(), helper.VALUE, os.listdir("folder"))
try:
    print(open("later.csv").read())
except FileNotFoundError:
    print("none yet")
```
"""
        },
    )
    (root / "data.csv").write_text("one")
    (root / "helper.py").write_text("VALUE = 'old'\n")
    (root / "folder").mkdir()
    time.sleep(0.02)
    ran = lambda: len(list((root / "build" / "runs").iterdir()))

    def again(expected, text):
        assert text in markdown(root)
        assert ran() == expected

    again(1, "none yet")
    again(1, "none yet")  # nothing changed: not run
    for count, (name, content) in enumerate(
        [("data.csv", "two"), ("helper.py", "VALUE = 'new and longer'\n"), ("folder/x", ""), ("later.csv", "here")], 2
    ):
        (root / name).write_text(content)
        os.utime(root / name, (1, 1))  # an old date must not hide the change, nor one that lies before the run
        again(count, {"data.csv": "two", "helper.py": "new and longer", "folder/x": "['x']", "later.csv": "here"}[name])
    (root / "index.qmd").write_text((root / "index.qmd").read_text() + "\nmore\n")
    again(6, "more")
    record = next((root / "build" / "site-pages").glob("index.json"))
    record.write_text(record.read_text()[:100])  # a damaged record is no record
    again(7, "more")


def test_a_page_whose_input_changed_while_it_ran_is_not_kept(tmp_path):
    root = project(
        tmp_path,
        {"index.qmd": "```{python}\nprint(open('data.csv').read()); open('data.csv', 'w').write('new')\n```\n"},
    )
    (root / "data.csv").write_text("old")
    os.utime(root / "data.csv", (1, 1))
    assert "old" in markdown(root) and "new" in markdown(root)


@pytest.mark.parametrize(
    "name, variable, value", [("Größe 'a' %41#c?d", "PYTHONSAFEPATH", "1"), ('"x" & $HOME', "MPLBACKEND", "TkAgg")]
)
def test_a_cell_finds_the_projects_modules_wherever_it_is(tmp_path, monkeypatch, name, variable, value):
    monkeypatch.setenv(variable, value)
    (tmp_path / name).mkdir()
    page = "---\ntitle: A\n---\n\n```{python}\nimport scripts, helper\nprint(helper.__file__[-9:])\n```\n"
    root = project(tmp_path / name / "p", {"index.qmd": page})
    (root / "helper.py").write_text("", encoding="utf-8")
    assert "helper.py" in markdown(root)


def test_a_cell_runs_without_the_users_startup_files_and_with_a_long_place_for_temporary_ones(tmp_path, monkeypatch):
    startup = tmp_path / "home" / ".ipython" / "profile_default" / "startup" / "00.py"
    startup.parent.mkdir(parents=True)
    startup.write_text("import builtins\nbuiltins.sum = lambda x: 7\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "home" / ".ipython"))
    (tmp_path / ("long" * 25)).mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("long" * 25)))  # sockets have room for 107 characters
    root = project(tmp_path, {"index.qmd": "---\ntitle: A\n---\n\n```{python}\nprint(sum([1, 2]))\n```\n"})
    assert "\n3\n" in markdown(root)
    assert [path.name for path in (tmp_path / "home").rglob("*") if path.is_file()] == ["00.py"]
