"""The site in three engines: the same steps, the same outcome, no error on a page."""

import pytest

from scripts.common.errors import UserError
from scripts.common.paths import SITE
from scripts.site.check import engines, interactions


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", engines.NAMES)
def test_a_reader_does_the_same_in_every_engine(name):
    if not (SITE / "index.html").is_file():
        pytest.skip("no site; `make site` builds it")
    try:
        assert len(interactions.walk(name, SITE)) >= 30
    except UserError as error:
        if "not on this machine" in str(error) or "made without timm's tables" in str(error):
            pytest.skip(str(error))
        raise


class Broken:
    """An engine in whose pages nothing is ever true."""

    def open(self, *_):
        pass

    def js(self, expression):
        return ["oh no"] if "wrongs" in expression else False


def test_a_step_that_fails_is_named(monkeypatch):
    monkeypatch.setattr(interactions, "WAIT_S", 0)
    reader = interactions.Reader(Broken(), "http://127.0.0.1/")
    with pytest.raises(UserError, match="never true: .*answer"):
        list(interactions.steps(reader))
    with pytest.raises(UserError, match="on the page: oh no"):
        reader.calm()


def test_a_site_without_timms_tables_is_said_before_a_browser_starts(tmp_path):
    with pytest.raises(UserError, match="made without timm's tables.*make data"):
        interactions.walk("chromium", tmp_path)


def test_what_goes_wrong_on_a_page_is_kept(tmp_path):
    (tmp_path / "index.html").write_text(
        "<html><head></head><body><script>throw Error('broken')</script></body></html>"
    )
    with interactions.served(tmp_path, interactions.Watched) as address, engines.engine("chromium") as chromium:
        reader = interactions.Reader(chromium, address)
        reader.open("index.html")
        with pytest.raises(UserError, match="on the page: .*broken"):
            reader.calm()


def test_an_engine_that_is_not_there_says_what_to_do(monkeypatch):
    monkeypatch.setattr(engines, "_playwrights", lambda *_: None)
    monkeypatch.setattr(engines.shutil, "which", lambda _: None)
    with pytest.raises(UserError, match="firefox: not on this machine; `make engines`"), engines.engine("firefox"):
        pass
