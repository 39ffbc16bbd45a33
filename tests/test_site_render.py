"""The command: which renderer, whole sites or none, what stays when it fails or is killed."""

import shutil
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from scripts.common.errors import UserError
from scripts.common.paths import set_aside, writing
from scripts.site import quarto, render
from tests.site_fixtures import add_chart, command, project, run
from tests.waiting import alive, until

FAKE = """#!{python}
import os, sys, pathlib, time
if sys.argv[1:] == ["--version"]:
    print("9.9.9"); sys.exit()
out = pathlib.Path(sys.argv[sys.argv.index("--output-dir") + 1]); assert not out.is_absolute()
print("fake quarto at work", flush=True)
{body}
(out / "report").mkdir(parents=True, exist_ok=True)
for name in ("index.html", "report/two.html"):
    said = os.environ["PYTHONPATH"].split(os.pathsep)[0] + " " + os.environ["QUARTO_PYTHON"]
    (out / name).write_text('''<html><head>{head}</head><body><main>''' + said + "</main></body></html>")
"""


def fake_quarto(folder, body="", head=""):
    path = folder / "quarto"
    path.write_text(FAKE.format(python=sys.executable, body=body, head=head))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.fixture
def site(tmp_path):
    root = project(tmp_path / "project" if (tmp_path / "project").mkdir() is None else None, {})
    add_chart(root)
    return root


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A project and what its first run gave, for `made`."""
    root = tmp_path_factory.mktemp("first") / "project"
    root.mkdir()
    project(root, {})
    add_chart(root)
    return root, run(root, PATH="/nonexistent")


@pytest.fixture
def made(first, tmp_path):
    """A project whose site is made already."""
    assert first[1].returncode == 0
    return shutil.copytree(first[0], tmp_path / "project", symlinks=True)


def snapshot(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_without_quarto_the_built_in_renderer_makes_a_whole_site(first):
    site, done = first
    assert done.returncode == 0, done.stderr
    assert "no Quarto found, the built-in renderer makes the same site" in done.stderr
    out = site / "_site"
    for name in (
        "index.html",
        "report/two.html",
        "assets/charts.js",
        "assets/site.css",
        "assets/plotly.min.js",
        "assets/fonts/LICENSE.txt",
        "charts/dots.js",
        "charts/dots.csv",
        "images/dots.jpg",
        "images/manifest.json",
    ):
        assert (out / name).is_file(), name
    assert "Page made by the built-in renderer" in (out / "index.html").read_text()
    assert not list((site / "build").glob("site-new-*")) and (out.stat().st_mode & 0o777) == 0o755


def test_quarto_is_used_where_it_is_found_and_finished_alike(site, tmp_path):
    done = run(site, QUARTO_PATH=fake_quarto(tmp_path))
    assert done.returncode == 0, done.stderr
    page = (site / "_site" / "report" / "two.html").read_text()
    assert (
        f"{site} {sys.executable}" in page
        and "Page made by Quarto 9.9.9" in page
        and "quarto: fake quarto at work" in done.stderr
    )
    assert (site / "_site" / "assets" / "plotly.min.js").is_file() and (site / "_site" / "charts" / "dots.js").is_file()


@pytest.mark.parametrize(
    "body, head, words",
    [
        (
            "print('ERROR: cell failed'); sys.exit(1)",
            "",
            "quarto: failed with exit code 1: fake quarto at work ERROR: cell failed",
        ),
        ("", '<script src="https://cdn.example.org/require.js"></script>', "would load"),
        ("", '<link href="//fonts.example.org/a.css" rel="stylesheet">', "would load"),
        ("time.sleep(600)", "", "ended after 2 s"),
    ],
)
def test_when_quarto_fails_hangs_or_reaches_for_a_cdn_the_old_site_stays(site, tmp_path, body, head, words):
    (site / "_site").mkdir()
    (site / "_site" / ".nojekyll").touch()
    (site / "_site" / "index.html").write_text("old")
    limit = "1" if "sleep" in body else "9"
    done = run(site, "--limit", limit, QUARTO_PATH=fake_quarto(tmp_path, body, head))
    assert done.returncode == 2 and words in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
    assert (site / "_site" / "index.html").read_text() == "old" and not list((site / "build").glob("site-new-*"))


def test_a_quarto_that_is_named_but_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("QUARTO_PATH", str(tmp_path / "none"))
    with pytest.raises(UserError, match="is no Quarto; mend or unset it"):
        quarto.find()


def test_quarto_asked_for_and_not_found(site):
    done = run(site, "--renderer", "quarto", PATH="/nonexistent")
    assert done.returncode == 2 and done.stderr.startswith("error: quarto: not found")


def test_a_failing_page_publishes_nothing(made):
    site, before = made, snapshot(made / "_site")
    (site / "index.qmd").write_text("# New\n\nbetter\n")
    (site / "report" / "two.qmd").write_text("```{python}\n1 / 0\n```\n")
    done = run(site, "--renderer", "builtin")
    assert (
        done.returncode == 2
        and "error: report/two.qmd:2: ZeroDivisionError" in done.stderr
        and "Traceback" not in done.stderr
    )
    assert snapshot(site / "_site") == before


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_in_the_middle_the_old_site_is_whole_and_no_kernel_stays(made, how):
    site, before = made, snapshot(made / "_site")
    marker = site / "kernel.pid"
    (site / "index.qmd").write_text(
        f"```{{python}}\nimport os, time\nopen({str(marker)!r}, 'w').write(str(os.getpid()))\ntime.sleep(120)\n```\n"
    )
    process = subprocess.Popen(**command(site, "--renderer", "builtin"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until(lambda: marker.exists() and marker.read_text(), "the cell runs")
    process.send_signal(how)
    _, said = process.communicate()
    if how == signal.SIGINT:
        assert process.returncode == 130 and said.strip().splitlines()[-1].startswith("interrupted")
    assert snapshot(site / "_site") == before
    kernel = int(marker.read_text())
    until(lambda: not alive(kernel), "the kernel ends")
    (site / "index.qmd").write_text("# New\n")
    assert run(site, "--renderer", "builtin").returncode == 0  # the next run goes on, and clears up
    assert "New" in (site / "_site" / "index.html").read_text() and not list((site / "build").glob("site-new-*"))


def test_killed_between_two_renames_the_old_site_comes_back(made):
    site = made
    (site / "_site").rename(set_aside(site / "_site"))
    (site / "index.qmd").write_text("{{< nothing >}}\n")
    assert run(site, "--renderer", "builtin").returncode == 2
    assert (site / "_site" / "index.html").is_file()


def test_a_folder_of_somebody_elses_is_not_replaced(site, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    for target in (tmp_path / "mine", site, site.parent):
        with pytest.raises(UserError, match="--out"):
            render.render(site, target, "builtin")
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def test_two_renders_at_once_do_not_mix(site, tmp_path):
    from filelock import FileLock

    with FileLock(site / "build" / "site.lock"):
        with pytest.raises(UserError, match="another render is at work"):
            render.render(site, site / "_site", "builtin")
    with writing(tmp_path / "elsewhere"):  # another clone renders to the same place
        with pytest.raises(UserError, match="elsewhere: another run is writing it"), ThreadPoolExecutor() as pool:
            pool.submit(render.render, site, tmp_path / "elsewhere", "builtin").result()


@pytest.mark.parametrize("there", [False, True])
def test_a_site_on_another_file_system(site, other_disk, there):
    out = other_disk / "deep" / "site"
    if there:
        out.mkdir(parents=True)
        (out / ".nojekyll").touch()
    render.render(site, out, "builtin")
    assert (out / "report" / "two.html").is_file() and [path.name for path in out.parent.iterdir()] == ["site"]


def test_another_file_system_that_is_full_or_read_only_keeps_its_site(site, other_disk, monkeypatch):
    out = other_disk / "site"
    out.mkdir()
    (out / ".nojekyll").touch()
    (out / "index.html").write_text("old")
    filler = other_disk / "filler"
    filler.write_bytes(b"x" * (shutil.disk_usage(other_disk).free - 100_000))
    with pytest.raises(UserError, match="disk is full"):
        render.render(site, out, "builtin")
    assert sorted(path.name for path in other_disk.iterdir()) == ["filler", "site"]
    assert (out / "index.html").read_text() == "old"
    monkeypatch.setattr(render.builtin, "render", lambda *_: pytest.fail("rendered for nothing"))
    subprocess.run(["mount", "-o", "remount,ro", str(other_disk)], check=True)
    with pytest.raises(UserError, match="read-only"):
        render.render(site, out, "builtin")
    assert (out / "index.html").read_text() == "old"


def test_a_site_cannot_stand_where_a_file_system_is_mounted(site, other_disk, monkeypatch):
    monkeypatch.setattr(render.builtin, "render", lambda *_: pytest.fail("rendered for nothing"))
    with pytest.raises(UserError, match="mounted right there; name a folder inside"):
        render.render(site, other_disk, "builtin")


def test_a_full_disk_is_one_line(small_disk, site):
    done = subprocess.run(
        **{
            **command(site, "--renderer", "builtin"),
            "args": [
                sys.executable,
                "-c",
                (
                    "import sys, tempfile; from scripts.site import render; make = tempfile.mkdtemp;"
                    f"render.tempfile.mkdtemp = lambda **kw: make(prefix='site-new-', dir={str(small_disk)!r});"
                    f"sys.exit(render.main(['--renderer', 'builtin', '--out', {str(site / '_site')!r}]))"
                ),
            ],
        },
        capture_output=True,
    )
    assert done.returncode == 2 and "disk is full" in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
    assert not (site / "_site").exists()


def test_the_foot_stands_where_the_page_asks_for_it_else_at_the_end_and_a_known_address_has_a_sitemap(site):
    (site / "index.qmd").write_text("---\ntitle: T\n---\nbefore\n\n```{=html}\n<p>data</p><!-- site: foot -->\n```\n")
    known = {"SOURCE_DATE_EPOCH": "86400", "SITE_URL": "https://example.org/s/"}
    assert run(site, "--renderer", "builtin", **known).returncode == 0
    first, second = ((site / "_site" / name).read_text() for name in ("index.html", "report/two.html"))
    assert (
        'data</p><p class="build-line">Page made by' in first
        and first.count("build-line") == second.count("build-line") == 1
    )
    assert "on 1970-01-02." in first
    assert "<loc>https://example.org/s/report/two.html</loc>" in (site / "_site" / "sitemap.xml").read_text()


def test_a_project_in_a_folder_of_any_name_is_rendered(tmp_path):
    place = tmp_path / "a?b=1 %41 Größe #d 'a' \"b\" & $HOME"
    place.mkdir()
    root = project(place / "p", {})
    done = run(root, "--renderer", "builtin")
    assert done.returncode == 0 and (root / "_site" / "report" / "two.html").is_file(), done.stderr
