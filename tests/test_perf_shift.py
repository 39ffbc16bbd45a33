"""How far a page jumps: what moves is seen, what keeps its room is not."""

import pytest

from scripts.perf import shift
from scripts.perf.site import served

LATE = (
    "<body><p>First</p><div id=a></div><p>{}</p><script>setTimeout(() => {{ a.style.height = '400px'; }}, 900)</script>"
)


@pytest.mark.parametrize("room, moves", [("", True), ("<style>#a { min-height: 400px; }</style>", False)])
def test_what_comes_late_moves_the_page_unless_it_has_its_room(browser, tmp_path, room, moves):
    (tmp_path / "index.html").write_text(f"<!DOCTYPE html>{room}{LATE.format('word ' * 400)}")
    with served(tmp_path) as server:
        assert (shift.shift(browser, server.address + "index.html", 390) > 0.05) == moves


def test_a_page_that_is_not_there_is_named(tmp_path, capsys):
    assert shift.main(["--site", str(tmp_path), "--pages", "gone.html"]) == 2
    assert "no page gone.html" in capsys.readouterr().err
