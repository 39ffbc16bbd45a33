"""The contract of the two renderers: the built-in one gives what Quarto gave, for every feature that a page has."""

import difflib

from scripts.site.check import outline


def test_the_built_in_renderer_gives_quartos_outline(tmp_path):
    ours, quartos = outline.everything(tmp_path, "builtin"), outline.STORED.read_text(encoding="utf-8").splitlines()
    assert ours == quartos, "\n".join(difflib.unified_diff(quartos, ours, "quarto", "built-in", n=1, lineterm=""))


def test_links_are_told_from_the_sites_root():
    page = '<main><p>See <a href="./a.html#x">a</a>, <a href="../b.csv">b</a>, <a href="#c">c</a></p></main>'
    assert outline.outline(page, "report/one.html")[1:] == ["href=report/a.html#x", "href=b.csv", "href=#c"]
    assert outline.outline(page, "report/one.html")[0] == "See a, b, c"


def test_what_one_site_lacks_is_a_difference(tmp_path):
    for side, words in (("one", "same"), ("two", "other")):
        (tmp_path / side).mkdir()
        (tmp_path / side / "index.html").write_text(f"<main><h2 id='a'>Head</h2><p>{words}</p></main>")
    (tmp_path / "one" / "more.html").write_text("<main><p>only here</p></main>")
    found = outline.differences(tmp_path / "one", tmp_path / "two")
    assert {"-same", "+other", "-only here"} <= set(found) and not any("Head" in line for line in found)
