"""`make screenshots`: every page in every view on one sheet, and a sentence where there is nothing to photograph."""

import pytest
from PIL import Image

from scripts.site.check import screenshots

PAGE = (
    '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light '
    'dark"><title>t</title><body style="margin:0;height:{height}px">x</body></html>'
)


@pytest.fixture
def site(tmp_path):
    (tmp_path / "site" / "report").mkdir(parents=True)
    (tmp_path / "site" / "index.html").write_text(PAGE.format(height=2000))
    (tmp_path / "site" / "report" / "long.html").write_text(PAGE.format(height=4_000))
    return tmp_path / "site"


def test_pictures_are_named_by_page_and_view():
    assert screenshots.name_of("report/zoo.html", "phone", "dark") == "report-zoo-phone-dark.png"


def test_the_sheet_has_a_row_per_page_and_survives_a_picture_that_is_missing(tmp_path):
    Image.new("RGB", (1280, 900), "#ff0000").save(tmp_path / screenshots.name_of("index.html", "desktop", "light"))
    with Image.open(screenshots.sheet(["index.html", "report/gone.html"], tmp_path)) as sheet:
        assert sheet.format == "JPEG" and sheet.height > 2 * max(height for _, height in screenshots.THUMB.values())
        red, _, blue = sheet.getpixel((screenshots.GAP + 40, screenshots.GAP + screenshots.HEAD + 40))
        assert red > 200 and blue < 60


@pytest.mark.parametrize(
    "arguments, words", [(["--site", "nowhere"], "make site"), (["--pages", "gone.html"], "no such page")]
)
def test_what_cannot_be_photographed_is_said_in_a_line(site, capsys, monkeypatch, arguments, words):
    monkeypatch.chdir(site.parent)
    assert screenshots.main(["--site", "site", "--out", "out", *arguments]) == 2
    assert words in capsys.readouterr().err and not (site.parent / "out").exists()


def test_every_view_of_a_page_is_photographed_and_endless_ones_are_cut(site, chrome, tmp_path, monkeypatch):
    monkeypatch.setattr(screenshots, "HIGHEST", 1500)
    assert screenshots.main(["--site", str(site), "--out", str(tmp_path / "out"), "--pages", "report/long.html"]) in (
        None,
        0,
    )
    made = sorted((tmp_path / "out").glob("*.png"))
    assert len(made) == 4 and (tmp_path / "out" / screenshots.SHEET).is_file()
    sizes = {path.name: Image.open(path).size for path in made}
    assert (
        sizes["report-long-desktop-light.png"] == (1280, screenshots.HIGHEST)
        and sizes["report-long-phone-dark.png"][0] == 360
    )
    light, dark = (
        Image.open(tmp_path / "out" / f"report-long-phone-{scheme}.png").convert("L").getpixel((200, 500))
        for scheme in ("light", "dark")
    )
    assert light > 200 > 60 > dark
