"""Every chart of the catalogue that can be drawn here, at both of its sizes: texts large enough to read, none cut,
no two overlapping, as figure and as Chrome draws it.
"""

from __future__ import annotations

import itertools
import json
import re

import pytest
from plotly.offline import get_plotlyjs

from scripts.figures.theme import PHONE, REPLICA, SHOWN, WIDE
from tests.test_figures_theme import apart

READABLE = 12  # pixels on the screen
AIR = 4  # pixels that the line boxes of two texts may share: they hold air above and below the letters
TIGHT = {"frontier_gpu": 3, "frontier_cpu": 3, "frontier_then_now": 3}
# in the browser: draws the figure, and gives (text, left, top, right, bottom) of each text in it
DRAWN = """async figure => {
    const chart = document.querySelector('#chart');
    await Plotly.newPlot(chart, figure.data, figure.layout, {staticPlot: true});
    const boxes = [...chart.querySelectorAll('svg text')]
        .filter(text => text.textContent.trim())
        .map(text => [text.textContent, text.getBoundingClientRect()])
        .map(([text, b]) => [text, b.left, b.top, b.right, b.bottom]);
    Plotly.purge(chart);
    return boxes;
}"""


@pytest.fixture(scope="module")
def figures(every_drawing):
    """{(chart, 'wide' or 'phone'): figure as a dict}; charts whose data nobody measured here are left out."""
    found = {}
    for name, drawing in every_drawing.items():
        found[name, "wide"] = json.loads(drawing.figure)
        assert drawing.phone is not None, f"{name} has no version for a phone"
        found[name, "phone"] = json.loads(drawing.phone)
    assert len(found) >= 24
    return found


def sizes(part, inside=""):
    """(where, size) of every text size in a figure."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "size" and inside.endswith("font") and isinstance(value, (int, float)):
                yield inside, value
            if key != "template":
                yield from sizes(value, key)
    elif isinstance(part, list):
        for value in part:
            yield from sizes(value, inside)


def test_sizes_are_those_of_the_chart_language(figures):
    for (name, kind), figure in figures.items():
        size = (figure["layout"]["width"], figure["layout"]["height"])
        assert size == PHONE if kind == "phone" else size in (WIDE, REPLICA), (name, kind)


def test_every_text_can_be_read_where_it_is_shown(figures):
    wrong = []
    for (name, kind), figure in figures.items():
        if kind == "wide" and not figure["layout"].get("meta"):
            continue  # a replica keeps the notebook's look
        size = PHONE if kind == "phone" else WIDE
        least = READABLE * size[0] / SHOWN[size]
        wrong += [(name, kind, where, value, least) for where, value in sizes(figure) if value < least - 0.01]
    assert not wrong, "\n".join(map(str, wrong))


def test_no_two_names_overlap(figures):
    for (name, kind), figure in figures.items():
        # a replica without names leaves its margins to Plotly
        if any(note.get("name") == "label" for note in figure["layout"].get("annotations", [])):
            apart(figure, name, kind)


def test_texts_as_chrome_draws_them_neither_overlap_nor_are_cut(figures, browser):
    wrong = []
    with browser.new_page(viewport={"width": 1100, "height": 900}) as page:
        page.set_content("<body style='margin:0'><div id='chart'></div></body>")
        page.add_script_tag(content=get_plotlyjs())
        for (name, kind), figure in figures.items():
            boxes = page.evaluate(DRAWN, figure)
            assert len(boxes) > (15 if name in TIGHT else 3), (name, kind)
            wide, high = figure["layout"]["width"], figure["layout"]["height"]
            wrong += [
                (name, kind, "cut", text)
                for text, left, top, right, bottom in boxes
                if left < -0.5 or top < -0.5 or right > wide + 0.5 or bottom > high + 0.5
            ]
            for (one, *a), (other, *b) in itertools.combinations(boxes, 2):
                across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
                if across > 1 and down > TIGHT.get(name, AIR):
                    wrong.append((name, kind, one, other))
    assert not wrong, "\n".join(map(str, wrong))


def test_alternative_texts_say_what_the_chart_shows(every_drawing):
    seen = {}
    for name, drawing in every_drawing.items():
        alt = drawing.alt
        assert 80 < len(alt) < 1200 and re.match(r"[A-Z0-9]", alt) and alt.endswith(".") and re.search(r"\d", alt), (
            name,
            alt,
        )
        assert not re.search(r"\bnan\b|None|\{|\}|<br>|\s\s", alt), (name, alt)
        assert alt not in seen.values(), (name, "same words as another chart")
        seen[name] = alt
