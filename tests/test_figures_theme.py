"""The chart language: ticks, frontier, colours that can be told apart by everyone, texts that fit."""

from __future__ import annotations

import itertools
import math
import re
from html import unescape

import numpy as np
import pandas as pd
import pytest

from scripts.common import families
from scripts.common.words import short
from scripts.figures import theme
from scripts.figures.labels import Area
from scripts.figures.theme import PHONE, WIDE, Axis, Canvas, contrast, frontier, label_boxes, nice_range, ticks

# Machado, Oliveira & Fernandes 2009, severity 1.0, on linear sRGB.
VISION = {
    "normal": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def apart(figure, *where) -> None:
    """No name lies on another or leaves the picture; figure: of Plotly, or its JSON."""
    boxes, layout = label_boxes(figure), figure["layout"]
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        assert not a.overlaps(b), (*where, one, other)
    for text, box in boxes:
        assert Area(0, 0, layout["width"], layout["height"]).holds(box), (*where, text)


def seen(colour: str, vision: str) -> np.ndarray:
    """CIELAB (D65) of a #rrggbb colour as someone with that vision sees it."""
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    xyz = XYZ @ np.clip(VISION[vision] @ linear, 0, 1) / np.array([0.95047, 1, 1.08883])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def ciede2000(one, other) -> float:
    """Sharma, Wu & Dalal 2005."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    chroma = (math.hypot(a1, b1) + math.hypot(a2, b2)) / 2
    g = 0.5 * (1 - math.sqrt(chroma**7 / (chroma**7 + 25**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1, h2 = math.degrees(math.atan2(b1, a1)) % 360, math.degrees(math.atan2(b2, a2)) % 360
    turn = 0.0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    dh = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn / 2))
    lm, cm = (l1 + l2) / 2, (c1 + c2) / 2
    hm = h1 + h2 if c1 * c2 == 0 else (h1 + h2) / 2 if abs(h1 - h2) <= 180 else ((h1 + h2) / 2 + 180) % 360
    cos = lambda degrees: math.cos(math.radians(degrees))
    t = 1 - 0.17 * cos(hm - 30) + 0.24 * cos(2 * hm) + 0.32 * cos(3 * hm + 6) - 0.20 * cos(4 * hm - 63)
    sl, sc, sh = 1 + 0.015 * (lm - 50) ** 2 / math.sqrt(20 + (lm - 50) ** 2), 1 + 0.045 * cm, 1 + 0.015 * cm * t
    rotation = (
        -math.sin(math.radians(60 * math.exp(-(((hm - 275) / 25) ** 2)))) * 2 * math.sqrt(cm**7 / (cm**7 + 25**7))
    )
    return math.sqrt(
        ((l2 - l1) / sl) ** 2 + ((c2 - c1) / sc) ** 2 + (dh / sh) ** 2 + rotation * (c2 - c1) / sc * dh / sh
    )


@pytest.mark.parametrize(
    "one, other, distance",
    [  # from the data that the formula's authors published to check it
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 2.5, 0), (56, -27, -3), 31.9030),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
        ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
        ((50, 2.5, 0), (50, 0, -2.5), 4.3065),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ],
)
def test_colour_distance_is_ciede2000(one, other, distance):
    assert ciede2000(one, other) == pytest.approx(distance, abs=1e-4)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("dark", [0, 1], ids=["light", "dark"])
def test_families_can_be_told_apart_by_everyone(vision, dark):
    colours = {name: seen(pair[dark], vision) for name, pair in families.COLOURS.items()}
    distance, *pair = min((ciede2000(colours[a], colours[b]), a, b) for a, b in itertools.combinations(colours, 2))
    assert distance >= 15, pair


@pytest.mark.parametrize("dark", [0, 1], ids=["light", "dark"])
def test_marks_and_texts_stand_out_from_the_paper(dark):
    for name, pair in families.COLOURS.items():
        assert contrast(pair[dark], theme.PAPER[dark]) >= 3, name
    for pair in (theme.INK, theme.MUTED):
        assert contrast(pair[dark], theme.PAPER[dark]) >= 4.5
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def test_family_names_are_readable_text_in_both_themes():
    swap = theme.dark_map()
    for name in families.COLOURS:
        light = theme.text_colour(name)
        assert contrast(light, theme.PAPER[0]) >= 4.5, name
        assert contrast(swap[light], theme.PAPER[1]) >= 4.5, name


def test_every_colour_of_a_chart_has_a_dark_one():
    canvas = Canvas(WIDE, "t", "s", "f", Axis("x", 1, 1000, log=True), Axis("y", 70, 90))
    canvas.step(pd.DataFrame({"x": [10, 100], "y": [88, 80]}), "x", "y")
    canvas.label([(10, 88, "name", {"veil": True}), (11, 88, "other", {"colour": theme.text_colour("levit")})])
    swap = theme.dark_map()
    used = set(re.findall(r'"(#[0-9a-f]{6})"', canvas.figure.update_layout(meta=None).to_json()))
    assert used and used <= set(swap)


def test_ticks_are_1_2_5_with_full_labels():
    assert [short(value) for value in ticks(100, 60_000, 900)] == "100 200 500 1k 2k 5k 10k 20k 50k".split()
    assert [short(value) for value in ticks(0.04, 3, 900)] == ["0.05", "0.1", "0.2", "0.5", "1", "2"]
    assert short(1_500_000) == "1.5M"


def test_ticks_thin_out_before_they_touch():
    many = ticks(1, 10_000_000, 300)
    assert [short(value) for value in many] == ["1", "10", "100", "1k", "10k", "100k", "1M", "10M"]


def test_frontier_is_what_nothing_beats():
    table = pd.DataFrame({"samples_per_sec": [10, 20, 20, 30, 40, 5], "top1": [90, 80, 85, 85, 70, 60]})
    assert frontier(table).values.tolist() == [[10, 90], [30, 85], [40, 70]]
    assert len(frontier(table.iloc[:1])) == 1


def test_step_line_promises_nothing_that_does_not_exist():
    """At any speed the line is as high as the best model that is at least so fast."""
    canvas = Canvas(WIDE, "t", "s", "f", Axis("x", 1, 1000, log=True), Axis("y", 70, 90))
    edge = pd.DataFrame({"x": [10.0, 100.0, 500.0], "y": [88.0, 80.0, 75.0]})
    canvas.step(edge, "x", "y")
    line = canvas.figure.data[-1]
    for speed in (2, 9.9, 10.1, 99, 101, 499):
        above = max(y for x0, x1, y in zip(line.x, line.x[1:], line.y) if x0 <= speed <= x1 and x0 != x1)
        assert above == edge.y[edge.x >= speed].max()


def test_one_value_still_makes_an_axis():
    low, high = nice_range([100.0], log=True)
    assert low < 100 < high
    low, high = nice_range([0.0], log=False)
    assert low < 0 < high


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_long_title_stays_in_the_picture(size):
    canvas = Canvas(
        size,
        "A finding that takes many words " * 6,
        "and a subtitle " * 12,
        "Source: somewhere " * 20,
        Axis("images per second", 1, 1000, log=True),
        Axis("top-1", 70, 90),
    )
    assert canvas.area.bottom - canvas.area.top > 200
    for note in canvas.figure.layout.annotations:
        style = "Semibold" if note.font.weight == 600 else "Regular"
        for line in note.text.split("<br>"):
            assert theme.width(unescape(line), note.font.size, style) <= size[0] - 2 * canvas.side
    title = next(note for note in canvas.figure.layout.annotations if note.name == "title")
    subtitle = next(note for note in canvas.figure.layout.annotations if note.name == "subtitle")
    assert title.yshift - subtitle.yshift >= (title.text.count("<br>") + 1) * title.font.size * theme.LINE


def test_titles_are_text():
    canvas = Canvas(
        WIDE, "<b>x</b> & <script>", "<i>", "<a href='javascript:1'>", Axis("<u>", 1, 10, log=True), Axis("y", 0, 1)
    )
    assert "<" not in "".join(note.text for note in canvas.figure.layout.annotations)


def test_labels_outside_the_axes_are_left_out():
    canvas = Canvas(WIDE, "t", "s", "f", Axis("x", 1, 1000, log=True), Axis("y", 70, 90))
    assert canvas.label([(5000, 80, "too fast", {}), (100, 80, "inside", {})]) == ["inside"]
    ((text, box),) = label_boxes(canvas.figure)
    x, y = canvas.pixels(100, 80)[0]
    assert text == "inside" and abs((box.left + box.right) / 2 - x) < 60 and abs((box.top + box.bottom) / 2 - y) < 30


def test_names_at_the_ends_of_lines_do_not_overlap():
    canvas = Canvas(WIDE, "t", "s", "f", Axis("epoch", 1, 30), Axis("y", 50, 100), right=140)
    canvas.label_ends([(30, 90 + i / 10, f"network_{i}", {}) for i in range(12)] + [(30, 51, "a" * 80, {})])
    apart(canvas.figure)
    boxes = [box for _, box in label_boxes(canvas.figure)]
    assert len(boxes) == 13
    assert all(canvas.area.top - 12 <= box.top and box.bottom <= canvas.area.bottom + 12 for box in boxes)


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_a_picture_has_two_pixels_for_each_one_shown_and_not_many_more(size):
    layout = Canvas(size, "t", "s", "f", Axis("x", 1, 10), Axis("y", 1, 10)).figure.layout
    wide, high = (side * layout.meta["scale"] for side in size)
    assert wide == int(wide) and high == int(high) and 2 <= wide / theme.SHOWN[size] <= 2.5
