"""Every year that the site names is one that its data have: on all pages, in the charts' own texts, in alt texts, in
the files that pages load and in the README.

Allowed in a chart or a table are the years of the tables that it was made from (each table's own date, as the manifest
and the sidecars have it) and the day of measuring or computing. Allowed on a page are those of what it shows, and of
summary.csv, from which its sentences come. Works that are cited have years of their own.
"""

from __future__ import annotations

import calendar
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.common import provenance
from scripts.common.errors import UserError
from scripts.common.paths import CHARTS, DATA, IMAGES, ROOT
from scripts.common.tables import read_table
from scripts.data import download, measured, public
from scripts.pages import readme

YEAR = re.compile(r"(?<![\w./,-])20[12]\d(?![\w./,])")
# a work and its year: Taori et al., 2020; Howard and Wightman, 2022; arXiv numbers have a point; March 2022 is no work
MONTHS = "|".join(calendar.month_name[1:])
CITED = re.compile(rf"\b(?!(?:{MONTHS})\b)[A-ZÀ-Þ][\w’-]+(?: et al\.| and [A-ZÀ-Þ][\w’-]+)?,? \(?20[12]\d\)?")
SUMMARY = DATA / "summary.csv"
BESIDE = {
    "report/scale.html": ["scripts/cloud/cloud_prices.csv", "scripts/cloud/imagenet_plan.json"]
}  # typed with dates


def years(text: str) -> set[str]:
    return set(YEAR.findall(CITED.sub(" ", text)))


def of_sidecar(path: Path) -> set[str]:
    """The years of a table of the project: of those that it was computed from, and of the day on which it was made."""
    try:
        facts = provenance.read_sidecar(path)
    except UserError:
        return set()
    days = [facts.get("date", ""), *(one.get("date", "") for one in facts.get("sources", []))]
    return {str(day)[:4] for day in days if day}


def of_table(path: Path) -> set[str]:
    """`of_sidecar`, and the years that stand in the table itself; the name of a vintage is none."""
    rows = read_table(path)
    cells = rows.drop(columns=[name for name in rows if name == "vintage"]).to_csv(index=False)
    return of_sidecar(path) | {found[:4] for found in re.findall(r"\b20[12]\d(?:-\d\d-\d\d)?\b", cells)}


def of_entry(entry: dict) -> set[str]:
    """The years of what a chart was drawn from."""
    found = set()
    for one in entry["sources"]:
        assert not one.get("url") or one.get("date"), f"{one['path']}: without a date"
        found |= {str(one.get("date", ""))[:4]} if one.get("url") else of_sidecar(ROOT / one["path"])
    return found - {""}


@pytest.fixture(scope="module")
def charts() -> dict[str, dict]:
    return json.loads((IMAGES / "manifest.json").read_text())["charts"]


def test_a_charts_words_name_no_other_year(charts):
    for name, entry in charts.items():
        said = " ".join(str(entry[word]) for word in ("title", "alt", "caption", "hardware", "date"))
        assert years(f"{name.replace('_', ' ')} {said}") <= of_entry(entry), (name, said)


def test_the_texts_within_a_chart_name_no_other_year(every_drawing):
    """Titles, footers, axes and what a point says of itself, of the figures from which SVG and JPG are made."""
    for name, drawing in every_drawing.items():
        allowed = of_entry({"sources": drawing.sources})
        for figure in (drawing.figure, drawing.phone):
            texts = " \n ".join(strings(json.loads(figure))).replace("<br>", " ")
            assert years(texts) <= allowed, (name, years(texts), allowed)


def strings(value, key: str = ""):
    """Every text of a figure but for packed numbers and names of families, models and colours."""
    if isinstance(value, str) and key not in ("bdata", "dtype", "template"):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from strings(one, key)
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from strings(one, name)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The whole site: the folder SITE_BUILT, else what `make site` made and nothing is newer than, else made here."""
    if os.environ.get("SITE_BUILT"):
        return Path(os.environ["SITE_BUILT"])
    stamp, made = ROOT / "build" / "site.stamp", ROOT / "_site"
    sources = [path for name in ("scripts", "report", "assets", "images") for path in (ROOT / name).rglob("*.*")]
    sources = [path for path in [*sources, *ROOT.glob("*.*")] if path.is_file() and path.suffix != ".pyc"]
    if stamp.exists() and made.is_dir() and stamp.stat().st_mtime > max(path.stat().st_mtime for path in sources):
        return made
    out = tmp_path_factory.mktemp("years") / "site"
    command = [sys.executable, "-m", "scripts.site.render", "--renderer", "builtin", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr[-1500:]
    return out


@pytest.mark.timeout(1800)
def test_no_page_names_a_year_that_its_data_do_not_have(site, charts):
    bs4 = pytest.importorskip("bs4")
    pages = sorted(path for path in site.rglob("*.html") if path.name != "404.html")
    assert len(pages) >= 18
    shown = set()
    earlier = json.loads((site / "data" / "v1" / "index.json").read_text(encoding="utf-8"))["earlier"]
    history = {row[earlier["columns"].index("date")][:4] for row in earlier["rows"]}  # of a model's speeds
    for path in pages:
        page = path.relative_to(site).as_posix()
        text = path.read_text(encoding="utf-8")
        known = of_sidecar(SUMMARY) | (history if page.startswith("model/") else set())
        if not years(text) - known and "data-figure=" not in text and "table-figure" not in text:
            continue  # a page of a model, mostly: no other year in all of its file
        soup = bs4.BeautifulSoup(text, "html.parser")
        allowed = known
        for file in BESIDE.get(page, []):
            allowed |= set(re.findall(r"\b20[12]\d(?=-\d\d)", (ROOT / file).read_text()))
        for one in soup.select("div.chart[data-figure]"):
            name = one["data-figure"]
            shown.add(name)
            own = of_entry(charts[name])
            block = one.find_parent(id=re.compile("^fig-")) or one.parent
            assert years(words(block)) <= own, (page, name, years(words(block)), own)
            allowed |= own
            block.extract()
        for link in soup.select("a[href$='.csv']"):
            file = DATA / Path(link["href"]).name
            if file.is_file():
                allowed |= of_table(file)
        for block in soup.select(".table-figure"):
            files = [DATA / Path(link["href"]).name for link in block.select(".source a[href$='.csv']")]
            files = [file for file in files if file.is_file()]
            if files:
                own = set().union(*map(of_table, files))
                assert years(words(block)) <= own, (page, block.get("id"), years(words(block)), own)
                block.extract()
        for block in soup.select(".build-line"):  # the day of rendering
            block.extract()
        assert years(words(soup)) <= allowed, (page, years(words(soup)) - allowed)
    assert len(shown) > 20


def words(block) -> str:
    """What a reader can see or hear of a part of a page: its text and the alternative texts and titles in it."""
    seen = [
        str(tag[name])
        for tag in block.select("[alt], [title], [aria-label], meta[content]")
        for name in ("alt", "title", "aria-label", "content")
        if tag.has_attr(name)
    ]
    return " \n ".join([block.get_text(" "), *seen])


def test_what_the_picker_says_of_a_table_is_its_own_date():
    path = CHARTS / "picker" / "models.js"
    if not path.is_file():
        pytest.skip("the picker's files are not made; `make site` makes them")
    data = json.loads("[" + path.read_text().partition("(")[2].rpartition(")")[0] + "]")[1]
    pinned = download.pinned()["vintages"]
    days = {facts["date"] for one in pinned.values() for facts in one["files"].values()}
    days |= set(measured.load()["date"]) | {one.date for one in public.sources().values()}
    said = [machine[key] for machine in data["machines"] for key in ("source", "training_source") if machine[key]]
    found = {day for text in said for day in re.findall(r"20\d\d-\d\d-\d\d", text)}
    assert found and found <= days and not found & (set(pinned) - days)


def test_the_readme_names_the_months_of_its_tables():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.updated(text) == text
    table = read_table(DATA / "picks.csv", required=["date"])
    assert years(text.replace("|", " ")) == {day[:4] for day in table["date"]}


@pytest.mark.parametrize("path", sorted(DATA.glob("*.json")), ids=lambda path: path.stem)
def test_a_sidecar_speaks_of_the_dates_of_its_sources(path):
    facts = json.loads(path.read_text())
    allowed = of_sidecar(path) | {str(facts.get("date", ""))[:4]}
    assert years(str(facts.get("source", ""))) <= allowed
