"""Typeface and pictures as light as they can be: what is shown, in the size in which it is shown; nothing breaks
where the means are missing.
"""

import re

import pytest
from PIL import Image

from scripts.common import paths
from scripts.site import finish, weight


@pytest.fixture
def site(tmp_path):
    (tmp_path / "images").mkdir()
    Image.effect_noise((2000, 1400), 40).convert("RGB").save(tmp_path / "images" / "dots.jpg", quality=90)
    Image.new("RGB", (1080, 1648), "#88aacc").save(tmp_path / "images" / "dots-phone.jpg")
    return tmp_path


CHART = (
    '<title>t</title><div class="chart"><picture><source media="(max-width: 600px)" '
    'srcset="../images/dots-phone.jpg" width="540" height="824">'
    '<img src="../images/dots.jpg" alt="a &gt; b" width="1000" height="700" loading="lazy"></picture></div>'
)


def test_a_picture_comes_in_the_size_in_which_it_is_shown(site):
    html = weight.page(CHART, site)
    assert (
        'srcset="../images/dots.webp 1000w, ../images/dots.jpg 2000w" sizes="' in html
        and 'src="../images/dots.jpg"' in html
    )
    assert (
        'srcset="../images/dots-phone.webp 540w, ../images/dots-phone.jpg 1080w" sizes="100vw"' in html
        and 'alt="a &gt; b"' in html
    )
    with Image.open(site / "images" / "dots.webp") as small:
        assert small.size == (1000, 700)
    assert (site / "images" / "dots.webp").stat().st_size < 0.5 * (site / "images" / "dots.jpg").stat().st_size


def test_only_the_first_picture_is_fetched_at_once(site):
    html = weight.page(CHART + CHART, site)
    assert html.count('fetchpriority="high"') == html.count('loading="lazy"') == 1 and html.index(
        "fetchpriority"
    ) < html.index("lazy")


def test_a_picture_without_measures_gets_its_room(site):
    html = weight.page('<p><img src="images/dots.jpg" class="img-fluid" alt="x" /></p>', site)
    assert re.search(r'alt="x" width="1000" height="700">', html)


@pytest.mark.parametrize(
    "tag",
    [
        '<img src="images/gone.jpg" alt="">',
        '<img src="https://example.org/images/dots.jpg" alt="">',
        '<img src="images/dots.png" alt="">',
        '<img src="images/../../dots.jpg" alt="">',
    ],
)
def test_what_is_no_picture_of_the_site_stays_as_it_is(site, tag):
    assert weight.page(tag, site) == tag


def test_a_page_made_twice_is_made_the_same(site):
    once = weight.page(CHART, site)
    assert weight.page(once, site) == once


def test_the_typeface_is_its_letters_and_the_rest_apart(tmp_path):
    pytest.importorskip("fontTools")
    pytest.importorskip("brotli")
    weight.fonts(tmp_path / "assets" / "fonts")
    files = {path.name for path in (tmp_path / "assets" / "fonts").glob("*.woff2")}
    assert files == {f"SourceSansPro-{face}-more.woff2" for face in weight.FACES}
    rules = (tmp_path / "assets" / "fonts" / "fonts.css").read_text()
    assert rules.count("font-display:block;src:url(data:font/woff2;base64,") == len(weight.FACES)
    assert rules.count("font-display:optional") == len(weight.FACES) and "swap" not in rules  # nothing moves
    assert len(rules) < 60_000
    assert (
        weight.page("<title>t</title>", tmp_path) == "<title>t</title>"
    )  # Chrome refuses to fetch a typeface ahead from file://


def test_every_letter_that_the_pages_print_is_in_a_range():
    ranges = weight.CORE + weight.MORE
    assert not [(a, b) for a in weight.CORE for b in weight.MORE if a[0] <= b[1] and b[0] <= a[1]]
    missing = {
        sign
        for path in [paths.ROOT / "index.qmd", *(paths.ROOT / "report").glob("*.qmd")]
        for sign in path.read_text()
        if ord(sign) > 31 and not any(low <= ord(sign) <= high for low, high in ranges)
    }
    assert not missing


def test_a_site_without_the_fonts_small_form_carries_them_whole(tmp_path, monkeypatch):
    real = weight.find_spec
    monkeypatch.setattr(weight, "find_spec", lambda name: None if name.startswith("brotli") else real(name))
    weight.fonts(tmp_path / "fonts")
    assert (
        "truetype" in (tmp_path / "fonts" / "fonts.css").read_text()
        and (tmp_path / "fonts" / "SourceSansPro-Regular.ttf").stat().st_size > 100_000
    )


def test_the_rules_of_the_typeface_stand_in_the_style_sheet(tmp_path):
    (tmp_path / "assets" / "fonts").mkdir(parents=True)
    (tmp_path / "assets" / "fonts" / "fonts.css").write_text("@font-face{src:url(data:b)}@font-face{src:url(a.woff2)}")
    (tmp_path / "assets" / "site.css").write_text('@import url("fonts/fonts.css");\nbody{}')
    weight.styles(tmp_path)
    assert (tmp_path / "assets" / "site.css").read_text() == (
        "@font-face{src:url(data:b)}@font-face{src:url(fonts/a.woff2)}\nbody{}"
    )


def test_apostrophes_in_text_are_typographic_and_code_stays():
    page = """<p title="it's">timm's and models' <code>'a'</code> isn&#x27;t 'so'</p><script>it's</script>"""
    assert finish.apostrophes(page) == (
        """<p title="it's">timm’s and models’ <code>'a'</code> isn’t 'so'</p><script>it's</script>"""
    )
