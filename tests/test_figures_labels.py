"""Labels never overlap, never leave the chart, survive any name, and cover as little as they can."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from scripts.figures.labels import GAP, Area, Label, balanced, fit, place, safe, width, wrap

AREA = Area(50, 50, 950, 650)


def overlaps(placed) -> list:
    return [(a.label.text, b.label.text) for a, b in itertools.combinations(placed, 2) if a.box.overlaps(b.box)]


def test_forty_labels_on_one_spot_do_not_overlap():
    rng = np.random.default_rng(0)
    labels = [Label(f"model_number_{i}", *rng.normal((500, 350), 12)) for i in range(40)]
    placed = place(labels, AREA)
    assert len(placed) >= 20 and overlaps(placed) == []
    assert all(AREA.holds(one.box) for one in placed)


def test_labels_in_the_corners_stay_inside():
    labels = [Label("eva02_large_patch14_448", x, y) for x in (50, 950) for y in (50, 650)]
    placed = place(labels, AREA)
    assert len(placed) == 4 and all(AREA.holds(one.box) for one in placed)


def test_name_of_eighty_characters_is_not_cut_by_the_edge():
    (placed,) = place([Label("x" * 80, 940, 640)], AREA)
    assert AREA.holds(placed.box) and placed.box.right - placed.box.left >= width("x" * 80, 13)


def test_name_wider_than_the_chart_is_left_out():
    assert place([Label("w" * 400, 500, 300), Label("short", 500, 300)], AREA)[0].label.text == "short"


def test_most_important_label_wins_the_only_room():
    tight = Area(0, 0, 70, 24)
    assert [one.label.text for one in place([Label("first", 5, 12), Label("second", 6, 12)], tight)] == ["first"]


def test_empty_side_is_chosen_over_points():
    points = np.column_stack([np.linspace(505, 620, 60), np.linspace(330, 352, 60)])
    (placed,) = place([Label("convnext_tiny", 500, 340)], AREA, points)
    inside = (
        (points[:, 0] > placed.box.left)
        & (points[:, 0] < placed.box.right)
        & (points[:, 1] > placed.box.top)
        & (points[:, 1] < placed.box.bottom)
    ).sum()
    assert inside == 0


def test_line_is_not_crossed_where_there_is_room():
    (placed,) = place([Label("levit_256", 500, 340)], AREA, segments=np.array([[0, 340, 1000, 340]]))
    assert not placed.box.top < 340 < placed.box.bottom


def test_what_is_taken_stays_free():
    taken = Area(500, 300, 800, 338)
    (placed,) = place([Label("beit_base", 500, 340)], AREA, taken=[taken])
    assert not placed.box.overlaps(taken, GAP - 0.01)


def test_ten_thousand_points_take_seconds_not_minutes():
    rng = np.random.default_rng(1)
    points = rng.uniform((50, 50), (950, 650), (10_000, 2))
    assert len(place([Label(f"name_{i}", *points[i]) for i in range(8)], AREA, points)) == 8


@pytest.mark.parametrize(
    "name, shown",
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("<img src=x onerror=y>", "&lt;img src=x onerror=y&gt;"),
        ("a&b", "a&amp;b"),
        ("<b>bold", "&lt;b&gt;bold"),
        ("two\nlines\x00", "two lines "),
        ("NA", "NA"),
        (None, "None"),
    ],
)
def test_names_are_drawn_as_text(name, shown):
    assert safe(name) == shown


def test_name_cannot_call_a_template():
    assert "%{" not in safe("100%{customdata}")


def test_long_name_ends_in_an_ellipsis():
    assert safe("m" * 80, 32) == "m" * 31 + "…"
    assert width(fit("w" * 80, 13, 100), 13) <= 100 and fit("short", 13, 100) == "short"


def test_lines_are_no_wider_than_the_room():
    text = "On a laptop’s i7-12700H, LeViT, ConvNeXt and BEiT are all still on the frontier " + "x" * 200
    for lines in (wrap(text, 24, 500, "Semibold"), balanced(text, 24, 500, "Semibold")):
        assert all(width(line, 24, "Semibold") <= 500 for line in lines)
    assert " ".join(wrap("a b c", 12, 1000)) == "a b c"


def test_title_leaves_no_single_word_on_its_last_line():
    text = "the finding of this chart takes just one word more than there is room"
    room = width(text, 24, "Semibold") - 10
    assert len(wrap(text, 24, room, "Semibold")[-1].split()) == 1
    assert len(balanced(text, 24, room, "Semibold")[-1].split()) > 4
