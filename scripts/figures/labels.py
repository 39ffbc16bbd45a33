"""Names beside points that never overlap, never leave the chart and cover as little data as they can. Plotly places
none of this itself.

Texts are measured with the font that draws them. Placement is greedy: labels in order of importance, each at the
cheapest of some hundred places around its point; a label for which there is no free place is left out (its name is
still in the hover and in the CSV).

    placed = place([Label("levit_384", x=310, y=80)], Area(60, 90, 980, 640), points, segments)
    figure.add_annotation(**placed[0].annotation(x=math.log10(secs), y=top1))
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from html import escape

import numpy as np

from scripts.common.browser import FONT, font_files

GAP = 3.0  # pixels of air between two labels
LEADER_FROM = 15.0  # from this distance (pixels) on, a thin line ties the label to its point
ANGLES = np.radians(np.arange(0, 360, 15))
DISTANCES = (0, 5, 11, 18, 27, 38, 52, 70, 92, 120)
LONGEST = 32  # characters of a name in a chart
COSTS = {  # of a place; what it covers costs the covered points' weights
    "distance": 0.35,  # a pixel from the marker's rim
    "line": 25.0,  # a line that it crosses
    "nearer": 9.0,  # a point that counts and is nearer to it than its own
    "anchor": 12.0,  # another label's point under it
    "leader": 6.0,  # a line that ties it to its point
    "through": 30.0,  # another label under that line
    "past": 10.0,  # another label's point under that line
}


@functools.cache
def _font(style: str, size: int):
    from PIL import ImageFont

    return ImageFont.truetype(str(font_files()[style]), size)


def width(text: str, size: float, style: str = "Regular") -> float:
    """Pixels that `text` (plain, one line) takes at `size` pixels in the project's typeface."""
    return _length(text, style) * size / 100


@functools.lru_cache(maxsize=10_000)  # a chart is drawn at two sizes, a line measured word by word
def _length(text: str, style: str) -> float:
    return _font(style, 100).getlength(text)


def wrap(text: str, size: float, room: float, style: str = "Regular") -> list[str]:
    """Break `text` into lines no wider than `room` pixels; a word wider than that is cut with an ellipsis."""
    lines: list[str] = []
    for word in text.split():
        word = fit(word, size, room, style)
        if lines and width(f"{lines[-1]} {word}", size, style) <= room:
            lines[-1] += " " + word
        else:
            lines.append(word)
    return lines


def balanced(text: str, size: float, room: float, style: str = "Regular") -> list[str]:
    """`wrap`, with lines of much the same length: no single word on the last one."""
    lines = wrap(text, size, room, style)
    while len(lines) > 1 and len(narrower := wrap(text, size, room - size, style)) == len(lines):
        lines, room = narrower, room - size
        if any("…" in line for line in lines):
            break
    return lines


def fit(text: str, size: float, room: float, style: str = "Regular") -> str:
    """`text`, or its beginning and an ellipsis if it is wider than `room` pixels."""
    if width(text, size, style) <= room:
        return text
    keep = len(text)
    while keep > 1 and width(text[:keep] + "…", size, style) > room:
        keep -= 1
    return text[:keep] + "…"


def safe(text: object, longest: int | None = None) -> str:
    """`text` as Plotly shall draw it: its pseudo-HTML escaped, control characters and template braces defused, cut
    at `longest` characters.
    """
    plain = "".join(character if character.isprintable() else " " for character in str(text))
    if longest and len(plain) > longest:
        plain = plain[: longest - 1] + "…"
    return escape(plain, quote=False).replace("%{", "%\u200b{")


@dataclass(frozen=True)
class Area:
    """A rectangle in pixels, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def wide(self) -> float:
        return self.right - self.left

    @property
    def high(self) -> float:
        return self.bottom - self.top

    def overlaps(self, other: "Area", gap: float = 0.0) -> bool:
        return (
            self.left < other.right + gap
            and other.left < self.right + gap
            and self.top < other.bottom + gap
            and other.top < self.bottom + gap
        )

    def holds(self, other: "Area") -> bool:
        return (
            self.left <= other.left
            and self.top <= other.top
            and self.right >= other.right
            and self.bottom >= other.bottom
        )


@dataclass(frozen=True)
class Label:
    """A text (plain) to stand at the point (x, y), pixels; `radius` is that of the marker."""

    text: str
    x: float
    y: float
    size: float = 13.0
    style: str = "Regular"
    radius: float = 5.0
    colour: str | None = None
    veil: bool = False  # a see-through ground, for names that stand among points


@dataclass(frozen=True)
class Placed:
    label: Label
    box: Area
    distance: float

    def annotation(self, x: float, y: float, **more) -> dict:
        """Arguments for `figure.add_annotation`; x and y in axis coordinates (log10 on a log axis)."""
        label = self.label
        text = safe(label.text)
        bold = label.style in ("Semibold", "Bold")
        leader = self.distance > LEADER_FROM
        return {
            "x": x,
            "y": y,
            "text": text,
            "showarrow": True,
            "xanchor": "center",
            "yanchor": "middle",
            "ax": round((self.box.left + self.box.right) / 2 - label.x, 1),
            "ay": round((self.box.top + self.box.bottom) / 2 - label.y, 1),
            "arrowhead": 0,
            "arrowwidth": 1,
            "arrowcolor": "#8a929b" if leader else "rgba(0,0,0,0)",
            "standoff": label.radius + 1,
            "font": {
                "size": label.size,
                "family": FONT,
                "weight": 600 if bold else 400,
                **({"color": label.colour} if label.colour else {}),
            },
            "borderpad": 0,
            **more,
        }


def box_size(label: Label) -> tuple[float, float]:
    """Width and height in pixels of the label's text as Plotly draws it (line height 1.3 of the size)."""
    return width(label.text, label.size, label.style) + 2, label.size * 1.3


def place(
    labels: list[Label],
    area: Area,
    points: np.ndarray | None = None,
    segments: np.ndarray | None = None,
    taken: list[Area] | None = None,
) -> list[Placed]:
    """Find a place for each label inside `area` that overlaps no other and none of `taken`.

    points: (n, 2) or (n, 3) pixels that should rather not be covered, with a weight (from 1 on a label near them would
    be taken for theirs); segments: (m, 4) lines (x0, y0, x1, y1) likewise. Returns the labels that found a place, in
    the given order.
    """
    points = np.empty((0, 3)) if points is None or not len(points) else np.asarray(points, float)
    if points.shape[1] == 2:
        points = np.column_stack([points, np.ones(len(points))])
    segments = np.empty((0, 4)) if segments is None or not len(segments) else np.asarray(segments, float)
    strong = points[points[:, 2] >= 1]
    boxes, placed = list(taken or []), []
    anchors = [(label.x, label.y) for label in labels]
    for label in labels:
        best = None
        for box, distance, lean in _candidates(label):
            if best and distance * COSTS["distance"] >= best[0]:
                break  # candidates come by distance: none further out can be cheaper
            if not area.holds(box) or any(box.overlaps(other, GAP) for other in boxes):
                continue
            cost = distance * COSTS["distance"] + lean + _covered(box, points)
            cost += COSTS["line"] * _crossed(box, segments) + COSTS["nearer"] * _nearer(box, strong, label)
            cost += COSTS["anchor"] * sum(_inside(box, x, y, 4) for x, y in anchors if (x, y) != (label.x, label.y))
            if distance > LEADER_FROM:
                line = (label.x, label.y, (box.left + box.right) / 2, (box.top + box.bottom) / 2)
                cost += COSTS["leader"] + COSTS["through"] * sum(_meets(line, other) for other in boxes)
                cost += COSTS["past"] * sum(
                    _meets(line, Area(x - 5, y - 5, x + 5, y + 5)) for x, y in anchors if (x, y) != (label.x, label.y)
                )
            if best is None or cost < best[0]:
                best = (cost, box, distance)
        if best:
            boxes.append(best[1])
            placed.append(Placed(label, best[1], best[2]))
    return placed


def _candidates(label: Label):
    """(box, distance from the marker's rim, preference) by growing distance; to the right and above is preferred a
    little.
    """
    wide, high = box_size(label)
    for distance in DISTANCES:
        for angle in ANGLES:
            reach = label.radius + 3 + distance
            x, y = label.x + reach * math.cos(angle), label.y - reach * math.sin(angle)
            # the box hangs on the point of its rim that faces the marker
            x += math.cos(angle) * wide / 2 if abs(math.cos(angle)) > 0.3 else math.cos(angle) * wide / 3
            y -= math.sin(angle) * high / 2
            lean = 0.6 * (1 - math.cos(angle)) + 0.4 * (1 - math.sin(angle))
            yield Area(x - wide / 2, y - high / 2, x + wide / 2, y + high / 2), distance, lean


def _covered(box: Area, points: np.ndarray) -> float:
    inside = (
        (points[:, 0] > box.left - 3)
        & (points[:, 0] < box.right + 3)
        & (points[:, 1] > box.top - 2)
        & (points[:, 1] < box.bottom + 2)
    )
    return float(points[inside, 2].sum())


def _nearer(box: Area, points: np.ndarray, label: Label) -> int:
    """How many points lie nearer to the box than the label's own does: the reader would take it for theirs."""
    across = np.maximum(np.maximum(box.left - points[:, 0], points[:, 0] - box.right), 0)
    down = np.maximum(np.maximum(box.top - points[:, 1], points[:, 1] - box.bottom), 0)
    own = math.hypot(max(box.left - label.x, label.x - box.right, 0), max(box.top - label.y, label.y - box.bottom, 0))
    return int((np.hypot(across, down) < own - 1).sum())


def _inside(box: Area, x: float, y: float, gap: float) -> bool:
    return box.left - gap < x < box.right + gap and box.top - gap < y < box.bottom + gap


_STEPS = np.linspace(0, 1, 25)[None, :]


def _crossed(box: Area, segments: np.ndarray) -> float:
    """How many segments touch the box; exact for horizontal and vertical ones, by sampling for others."""
    if not len(segments):
        return 0.0
    x0, y0, x1, y1 = segments.T
    spans = (  # what lies beside the box, as most do, needs no samples
        (np.minimum(x0, x1) < box.right + 2)
        & (np.maximum(x0, x1) > box.left - 2)
        & (np.minimum(y0, y1) < box.bottom + 1)
        & (np.maximum(y0, y1) > box.top - 1)
    )
    if not spans.any():
        return 0.0
    near = segments[spans]
    lean = near[(near[:, 0] != near[:, 2]) & (near[:, 1] != near[:, 3])]
    if not len(lean):
        return float(len(near))
    x = lean[:, :1] + (lean[:, 2:3] - lean[:, :1]) * _STEPS
    y = lean[:, 1:2] + (lean[:, 3:4] - lean[:, 1:2]) * _STEPS
    sampled = ((x > box.left - 2) & (x < box.right + 2) & (y > box.top - 1) & (y < box.bottom + 1)).any(axis=1)
    return float(len(near) - len(lean) + sampled.sum())


def _meets(line: tuple[float, float, float, float], box: Area) -> bool:
    x0, y0, x1, y1 = line
    beside = min(x0, x1) >= box.right + 2 or max(x0, x1) <= box.left - 2
    beside |= min(y0, y1) >= box.bottom + 1 or max(y0, y1) <= box.top - 1
    return not beside and bool(_crossed(box, np.array([line])))
