"""Main commands under all hostile surroundings at once give what they give in the user's own; see tests/hostile.py for
the others and for each of the surroundings alone."""

import pytest

from tests import hostile

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return hostile.Pair(tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize("command", ["data", "status", "check-data", "photos", "by label"])
def test_the_result_is_the_same(pair, command, timm_tables, monkeypatch):
    monkeypatch.setenv("TIMM_RESULTS", str(timm_tables))
    assert pair.differs(command, hostile.SURROUNDINGS) == ""


def test_what_differs_is_named_with_its_surroundings(pair, monkeypatch):
    monkeypatch.setitem(hostile.COMMANDS, "odd", hostile.Command(("site",), lambda work, said: said))
    assert pair.differs("odd", ["optimise", "terminal"]) == ""
    monkeypatch.setitem(hostile.SURROUNDINGS, "other", {"PYTHONPATH": "/elsewhere"})
    assert pair.differs("odd", ["optimise", "other", "terminal"]).startswith("under other: ")
