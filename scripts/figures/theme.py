"""The chart language of our own charts as code: sizes, type, colours of paper and ink, 1-2-5 ticks, step frontier,
titles that wrap.

A chart is a `Canvas`: it knows its pixels, so that labels can be placed before Plotly draws. A chart function draws one
for each of the two sizes (`both`), with `Canvas.line`, `.marks`, `.heat`, `.step`, `.note` and `.label`. The replicas
of the notebook's charts keep Plotly's own look and use only `REPLICA` from here. Colours and symbols of families come
from scripts.common.families.

The figure carries `layout.meta`: scale (pixels per unit of the JPG) and dark (light colour -> dark colour, for a page
in dark mode).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import unescape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from scripts.common import families
from scripts.common.browser import FONT
from scripts.common.frontier import on_frontier
from scripts.common.words import short
from scripts.figures.labels import LEADER_FROM, LONGEST, Area, Label, Placed, balanced, fit, place, safe, width, wrap

Size = tuple[int, int]
Head = tuple[str, str, str]  # title, subtitle and footer of a Canvas

REPLICA = (1000, 800)  # the notebook's size
WIDE = (1000, 700)
PHONE = (540, 824)
# Pixels that a page shows the picture at, at least: no text is smaller than 12 of those.
SHOWN = {WIDE: 900, PHONE: 360}
# Sizes of axes and names, of the smallest text, of the title.
TEXT = {WIDE: (14.0, 13.4, 24.0), PHONE: (19.0, 18.0, 26.0)}
# Pixels per unit in the JPGs of our own charts: two or more for each that a page shows, sharp on current screens.
SCALE = {WIDE: 2, PHONE: 1.5}
PALE = 0.56  # share of paper in the colour of a dominated model
LINE = 1.3  # line height, as Plotly draws it

PAPER = ("#ffffff", "#15181c")  # light, dark
INK = ("#1b1f24", "#e8eaed")  # 16.5:1 and 14.8:1
MUTED = ("#57606a", "#a3acb5")  # 6.4:1 and 7.8:1
GRID = ("#e7e9ec", "#2a2f36")
CONTEXT = ("#c9ced4", "#434a53")  # what is there only for comparison
VEIL = ("rgba(255,255,255,0.75)", "rgba(21,24,28,0.75)")  # behind names that stand on points
LEADER = ("#8a929b", "#6f7882")
FONT_STACK = f"{FONT}, Arial, sans-serif"
HOVER = "%{text}<extra></extra>"  # on hover a mark says its text and nothing else
PERCENT, TIMES = "{:g}%".format, "{:g}×".format  # how ticks are written


def contrast(one: str, other: str) -> float:
    """WCAG contrast ratio of two #rrggbb colours."""
    bright, dim = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour: str) -> float:
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def mix(colour: str, other: str, share: float) -> str:
    """`colour` with `share` (0-1) of `other` in it."""
    pairs = ((int(colour[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


@functools.cache
def for_text(colour: str, paper: str, ink: str) -> str:
    """`colour`, moved towards `ink` until text in it reads on `paper` (4.5:1)."""
    for share in np.arange(0, 1.01, 0.05):
        if contrast(mixed := mix(colour, ink, share), paper) >= 4.5:
            return mixed
    return ink


def text_colour(family: str) -> str:
    """The family's colour, dark enough for text on light paper."""
    return for_text(families.colour(family), PAPER[0], INK[0])


def pale(family: str) -> str:
    """The family's colour for models that others dominate."""
    return mix(families.colour(family), PAPER[0], PALE)


def look(names: Iterable[str], kinds: Iterable[str], form: str = "") -> dict:
    """Colours and symbols of marks by their families and kinds of network; form: '-open' for hollow ones."""
    return {"color": [families.colour(name) for name in names], "symbol": symbols(kinds, form)}


def symbols(kinds: Iterable[str], form: str = "") -> list[str]:
    return [families.SYMBOLS.get(kind, "circle") + form for kind in kinds]


def bars(above, below) -> dict:
    """Thin intervals at marks: how far each reaches above (right) and below (left)."""
    return {"type": "data", "array": above, "arrayminus": below, "color": LEADER[0], "thickness": 1, "width": 3}


def dark_map() -> dict[str, str]:
    """Each light colour that our charts use -> what replaces it on dark paper."""
    swap = dict([PAPER, INK, MUTED, GRID, CONTEXT, LEADER, families.GREY, VEIL])
    for light, dark in (*families.COLOURS.values(), families.GREY):
        swap[light] = dark
        swap[for_text(light, PAPER[0], INK[0])] = for_text(dark, PAPER[1], INK[1])
        swap[mix(light, PAPER[0], PALE)] = mix(dark, PAPER[1], PALE)
    return swap


def readable(colour: str, share: float) -> str:
    """Of ink and paper the one that reads better on a square with `share` of `colour`, by day and by night."""
    grounds = [mix(grid, full, share) for grid, full in zip(GRID, (colour, dark_map().get(colour, colour)))]
    return max((INK, PAPER), key=lambda pair: min(contrast(one, ground) for one, ground in zip(pair, grounds)))[0]


TICK_PAD = 5  # pixels of air on each side of a tick's label


def ticks(low: float, high: float, room: float, size: float = 13, write: Callable[[float], str] = short) -> list[float]:
    """1-2-5 ticks between `low` and `high` for a log axis of `room` pixels; fewer per decade where their labels
    would touch.
    """
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        values = [digit * 10.0**decade for decade in decades for digit in digits]
        values = [value for value in values if low * 0.999 <= value <= high * 1.001]
        pixels = [math.log(value / low) / math.log(high / low) * room for value in values]
        halves = [width(write(value), size) / 2 + TICK_PAD for value in values]
        if all(
            right - left >= half + other for left, right, half, other in zip(pixels, pixels[1:], halves, halves[1:])
        ):
            return values
    return values


def nice_range(values, log: bool, before: float = 0.04, after: float = 0.04) -> tuple[float, float]:
    """Axis limits around `values` with shares of air before and after; a single value gets room on both sides."""
    numbers = np.asarray(values, float)
    numbers = np.log10(numbers) if log else numbers
    low, high = float(np.nanmin(numbers)), float(np.nanmax(numbers))
    if high - low < 1e-9:
        low, high = (
            (low - 0.3, high + 0.3) if log else (low - max(1.0, abs(low) * 0.02), high + max(1.0, abs(high) * 0.02))
        )
    span = high - low
    low, high = low - before * span, high + after * span
    return (10**low, 10**high) if log else (low, high)


def even(table: pd.DataFrame, number: int) -> pd.DataFrame:
    """`number` rows of the table at even distances, first and last among them; all where there are no more."""
    if len(table) <= number:
        return table
    return table.iloc[[round(i * (len(table) - 1) / (number - 1)) for i in range(number)]]


def beside(names: Iterable[str], size: Size, text: float = 13.5, air: int = 20) -> int:
    """Room for `names` at the ends of lines, up to a third of the picture: the `right` of a Canvas."""
    return round(min(max(width(name, text, "Semibold") for name in names), size[0] / 3)) + air


def both(draw: Callable[..., Canvas], *args, **more) -> dict:
    """figure and phone of a Drawing, from a function that draws a Canvas; the size is its last positional argument."""
    return dict(zip(("figure", "phone"), (draw(*args, size, **more).figure for size in (WIDE, PHONE))))


def frontier(table: pd.DataFrame, x: str = "samples_per_sec", y: str = "top1") -> pd.DataFrame:
    """The rows that no other beats in `x` and `y` (bigger is better), slowest first, one row for each place."""
    return table[on_frontier(table, x, y)].drop_duplicates([x, y]).sort_values(x, kind="stable")


def corner(x: str, y: str, **more) -> dict:
    """Where a note in a corner of the plot stands: x 'left' or 'right', y 'top' or 'bottom'; more: shifts in pixels."""
    at = {"x": int(x == "right"), "y": int(y == "top"), "xanchor": x, "yanchor": y}
    return {"xref": "paper", "yref": "paper", **at, **more}


@dataclass
class Axis:
    title: str
    low: float
    high: float
    log: bool = False
    write: Callable[[float], str] | None = None  # of a tick; default 1.5k on a log axis, 1500 on another
    whole: bool = False  # only whole numbers
    names: list[str] | None = None  # of the rows 0, 1, 2, … instead of numbers

    @classmethod
    def around(cls, title: str, *values, log: bool = False, before: float = 0.04, after: float = 0.04, **more) -> Axis:
        """An axis that shows all `values` (columns or numbers), with shares of air as in `nice_range`."""
        return cls(title, *nice_range(np.hstack(values), log, before, after), log=log, **more)

    @classmethod
    def speed(cls, *values, before: float = 0.03, after: float = 0.07) -> Axis:
        return cls.around("images per second (log scale)", *values, log=True, before=before, after=after)

    @classmethod
    def top1(cls, *values, before: float = 0.03, after: float = 0.07) -> Axis:
        return cls.around("top-1", *values, before=before, after=after, write=PERCENT)

    @classmethod
    def rows(cls, names: list[str], above: float = 0) -> Axis:
        """Of a list that is read downwards: names[0] is the top row; above: more room there, in rows."""
        return cls("", -0.7, len(names) - 0.3 + above, names=names[::-1])

    def share(self, values) -> np.ndarray:
        """Where `values` lie between low (0) and high (1)."""
        values = np.asarray(values, float)
        if self.log:
            return np.log(values / self.low) / math.log(self.high / self.low)
        return (values - self.low) / (self.high - self.low)

    def coordinate(self, value: float) -> float:
        """The value as annotations and ranges take it."""
        return math.log10(value) if self.log else float(value)


class Canvas:
    """A chart of `size` (WIDE or PHONE) with title, subtitle and footer; x and y are its axes. Texts are plain; they
    are escaped here.

    base, small: sizes of text in its pixels. right: room for names beside the plot, in pixels of WIDE (on a phone text
    and room are larger)."""

    def __init__(self, size: Size, title: str, subtitle: str, footer: str, x: Axis, y: Axis, right: int | None = None):
        self.size, self.x, self.y = size, x, y
        phone = size[0] < 700
        self.phone = phone
        self.base, self.small, title_size = TEXT[PHONE if phone else WIDE]
        right = min(round(right * self.base / TEXT[WIDE][0]), round(0.36 * size[0])) if right else (16 if phone else 24)
        self.side = 18 if phone else 24
        room = size[0] - 2 * self.side
        heading = balanced(title, title_size, room, "Semibold")
        below = wrap(subtitle, self.base + 1, room)
        foot = wrap(footer, self.small, room)
        under_title = 14 + len(heading) * title_size * LINE + 2
        top = under_title + len(below) * (self.base + 1) * LINE + 16
        lines = 1 if x.names is None else max((text.count("\n") + 1 for text in self._ticktext(x, [])), default=1)
        below_axis = 8 if phone else 0  # the first labels of both axes meet at the corner
        bottom = (lines + bool(x.title)) * self.base * LINE + 26 + below_axis + len(foot) * (self.small) * LINE
        heights = self._ticktext(y, self._tickvals(y, size[1] - top - bottom))
        left = self.side + max((width(text, self.base) for text in heights), default=0) + 10
        self.area = Area(round(left), round(top), size[0] - right, size[1] - round(bottom))
        self.taken: list[Area] = []
        axis = {
            "gridcolor": GRID[0],
            "zeroline": False,
            "showline": False,
            "ticks": "",
            "automargin": False,
            "fixedrange": False,
            "tickfont": {"size": self.base, "color": MUTED[0]},
            "title": None,
        }
        self._notes, self._noted = [], 0
        self._figure = go.Figure(
            layout={
                "width": size[0],
                "height": size[1],
                "template": "none",
                "paper_bgcolor": PAPER[0],
                "plot_bgcolor": PAPER[0],
                "font": {"family": FONT_STACK, "size": self.base, "color": INK[0]},
                "showlegend": False,
                "hovermode": "closest",
                "margin": {
                    "l": self.area.left,
                    "t": self.area.top,
                    "r": size[0] - self.area.right,
                    "b": size[1] - self.area.bottom,
                    "pad": 4,
                    "autoexpand": False,
                },
                "hoverlabel": {"font": {"family": FONT_STACK, "size": self.base}, "align": "left", "namelength": -1},
                "meta": {"scale": SCALE.get(size, SCALE[WIDE]), "dark": dark_map()},
                "xaxis": {**axis, **self._axis(x, self.area.wide), "ticklabelstandoff": below_axis},
                "yaxis": {**axis, **self._axis(y, self.area.high)},
            }
        )
        self._lines("title", heading, 14, {"size": title_size, "weight": 600, "color": INK[0]})
        self._lines("subtitle", below, under_title, {"size": self.base + 1, "color": MUTED[0]})
        footer_top = size[1] - 10 - len(foot) * (self.small) * LINE
        self._lines("footer", foot, footer_top, {"size": self.small, "color": MUTED[0]})
        self.note(
            name="x-title",
            text=safe(x.title),
            font={"size": self.base, "color": MUTED[0]},
            **corner("right", "bottom", yanchor="top", yshift=-round(self.base * LINE + 8 + below_axis)),
        )

    @property
    def figure(self) -> go.Figure:
        """The figure so far. Annotations are handed over all at once: one by one Plotly checks all of them each
        time.
        """
        if self._noted < len(self._notes):
            self._figure.layout.annotations = (*self._figure.layout.annotations, *self._notes[self._noted :])
            self._noted = len(self._notes)
        return self._figure

    def note(self, **annotation) -> None:
        """Like `figure.add_annotation`, but without an arrow, and handed over with the others."""
        self._notes.append({"showarrow": False, **annotation})

    def line(self, x, y, colour: str, line_width: float, dash: str | None = None, **more) -> None:
        """A line that says nothing on hover; x and y in data units."""
        style = {"color": colour, "width": line_width, **({"dash": dash} if dash else {})}
        self.figure.add_scatter(x=x, y=y, mode="lines", hoverinfo="skip", line=style, **more)

    def marks(self, x, y, text, marker: dict | None = None, mode: str = "markers", **more) -> None:
        """Marks at (x, y), data units, each with its `text` (Plotly's HTML) on hover; mode 'lines': a line alone."""
        self.figure.add_scatter(x=x, y=y, mode=mode, text=text, hovertemplate=HOVER, marker=marker, **more)

    def heat(
        self,
        shares: np.ndarray,
        texts: list[list[str]],
        colour: str,
        gap: int,
        low: float = 0,
        paper: str = GRID[0],
        **at,
    ) -> None:
        """Squares of `shares` (low to 1) from `paper` to `colour`, `gap` pixels apart, each with its text on hover; at:
        x and y, or x0, dx, y0 and dy, as of `go.Heatmap`.
        """
        style = {"xgap": gap, "ygap": gap, "zmin": low, "zmax": 1, "colorscale": [[0, paper], [1, colour]]}
        self.figure.add_trace(
            go.Heatmap(z=shares.tolist(), text=texts, hovertemplate=HOVER, showscale=False, **style, **at)
        )

    def _lines(self, name: str, lines: list[str], top: float, font: dict) -> None:
        """Write `lines` at the left edge, `top` pixels from the upper edge of the picture."""
        self.note(
            name=name,
            text="<br>".join(safe(line) for line in lines),
            font=font,
            align="left",
            borderpad=0,
            **corner("left", "top", xshift=self.side - self.area.left, yshift=self.area.top - top),
        )

    def _tickvals(self, axis: Axis, room: float) -> list[float]:
        if axis.names is not None:
            return list(range(len(axis.names)))
        if axis.log:
            return ticks(*sorted((axis.low, axis.high)), room, self.base, axis.write or short)
        span = axis.high - axis.low
        step = next(
            step
            for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 10**9)
            if span / step <= max(3, room / (4.5 * self.base)) and (step >= 1 or not axis.whole)
        )
        return [
            round(value, 6)
            for value in np.arange(math.ceil(axis.low / step - 1e-9) * step, axis.high + step * 1e-6, step)
        ]

    def _ticktext(self, axis: Axis, values: list[float]) -> list[str]:
        """Plain texts; those of names on the x-axis may hold line breaks."""
        if axis.names is not None:
            names = [name if len(name) <= LONGEST else name[: LONGEST - 1] + "…" for name in axis.names]
            if axis is self.y:
                return [fit(name, self.base, 0.45 * self.size[0]) for name in names]
            return [
                "\n".join(wrap(name, self.base, 0.9 * (self.size[0] - 3 * self.side) / len(names))) for name in names
            ]
        write = axis.write or (short if axis.log else "{:g}".format)
        return [write(value) for value in values]

    def _axis(self, axis: Axis, room: float) -> dict:
        values = self._tickvals(axis, room)
        return {
            "type": "log" if axis.log else "linear",
            "range": [axis.coordinate(axis.low), axis.coordinate(axis.high)],
            "tickvals": values,
            "ticktext": ["<br>".join(map(safe, text.split("\n"))) for text in self._ticktext(axis, values)],
            "showgrid": axis.names is None,
        }

    def pixels(self, x, y) -> np.ndarray:
        """(n, 2) pixels of points in data units."""
        across = self.area.left + self.x.share(x) * self.area.wide
        down = self.area.bottom - self.y.share(y) * self.area.high
        return np.column_stack([np.atleast_1d(across), np.atleast_1d(down)])

    def segments(self, x0, y0, x1, y1) -> np.ndarray:
        """(n, 4) pixels of straight lines between points in data units, for the placing of labels."""
        return np.hstack([self.pixels(x0, y0), self.pixels(x1, y1)])

    def weighed(self, x, y, weights) -> np.ndarray:
        """(n, 3) pixels of points in data units with their weights, for the placing of labels."""
        pixels = self.pixels(x, y)
        return np.column_stack([pixels, np.broadcast_to(weights, len(pixels))])

    def step(
        self,
        edge: pd.DataFrame,
        x: str,
        y: str,
        colour: str = INK[0],
        name: str = "frontier",
        dash: str = "solid",
        line_width: float = 1.6,
    ) -> np.ndarray:
        """Draw the frontier `edge` (slowest first) as a step line; returns its segments in pixels, for the placing
        of labels.
        """
        speeds, scores = edge[x].to_list(), edge[y].to_list()
        xs, ys = [self.x.low, speeds[0]], [scores[0], scores[0]]
        for speed, score in zip(speeds[1:], scores[1:]):
            xs += [xs[-1], speed]
            ys += [score, score]
        xs.append(xs[-1])
        ys.append(self.y.low)
        self.line(xs, ys, colour, line_width, dash, name=name)
        path = self.pixels(xs, ys)
        return np.hstack([path[:-1], path[1:]])

    def label_ends(self, wanted: list[tuple[float, float, str, dict]]) -> None:
        """Name lines where they end: texts below each other right of the plot, as close to the height of their (x,
        y) as they can be.
        """
        room, high = self.size[0] - 4 - (self.area.right + 12), self.base * LINE + 1
        ends = sorted(
            ((float(self.pixels(x, y)[0, 1]), x, y, text, options) for x, y, text, options in wanted),
            key=lambda end: end[0],
        )
        heights = [end[0] for end in ends]
        for _ in range(200):  # push neighbours apart, keep all within the plot
            for i in range(1, len(heights)):
                if (lack := high - (heights[i] - heights[i - 1])) > 0:
                    heights[i - 1], heights[i] = heights[i - 1] - lack / 2, heights[i] + lack / 2
            heights = [
                min(max(height, self.area.top + i * high), self.area.bottom - (len(heights) - 1 - i) * high)
                for i, height in enumerate(heights)
            ]
        for (down, x, y, text, options), height in zip(ends, heights):
            text = fit(text, self.base, room, "Semibold")
            half = width(text, self.base, "Semibold") / 2
            box = Area(self.area.right + 12, height - high / 2, self.area.right + 12 + 2 * half, height + high / 2)
            across = float(self.pixels(x, y)[0, 0])
            label = Label(text, across, down, self.base, "Semibold", radius=3, colour=options.get("colour"))
            placed = Placed(label, box, LEADER_FROM + 1)
            self.note(**placed.annotation(self.x.coordinate(x), self.y.coordinate(y), name="label"))

    def label(
        self,
        wanted: list[tuple[float, float, str, dict]],
        points: np.ndarray | None = None,
        segments: np.ndarray | None = None,
    ) -> list[str]:
        """Name points: `wanted` holds (x, y, text, options of Label) in order of importance. Returns the texts that
        found a place.
        """
        labels, where = [], {}
        for x, y, text, options in wanted:
            ((across, down),) = self.pixels(x, y)
            if not (0 <= self.x.share(x) <= 1 and 0 <= self.y.share(y) <= 1):
                continue
            label = Label(text, float(across), float(down), **{"size": self.base, **options})
            labels.append(label)
            where[id(label)] = (x, y)
        inner = Area(self.area.left + 2, self.area.top + 2, self.size[0] - 6, self.area.bottom - 2)
        placed = place(labels, inner, points, segments, self.taken)
        for one in placed:
            x, y = where[id(one.label)]
            self.taken.append(one.box)
            ground = {"bgcolor": VEIL[0]} if one.label.veil else {}
            self.note(**one.annotation(self.x.coordinate(x), self.y.coordinate(y), name="label", **ground))
        return [one.label.text for one in placed]


def label_boxes(figure: go.Figure | dict) -> list[tuple[str, Area]]:
    """(text, box in pixels) of every label on a figure made by Canvas, from the figure alone: what the tests hold
    against each other.
    """
    layout = figure.layout.to_plotly_json() if isinstance(figure, go.Figure) else figure["layout"]
    margin = layout["margin"]
    wide, high = layout["width"] - margin["l"] - margin["r"], layout["height"] - margin["t"] - margin["b"]
    found = []
    for note in layout.get("annotations", []):
        if note.get("name") != "label":
            continue
        (x0, x1), (y0, y1) = layout["xaxis"]["range"], layout["yaxis"]["range"]
        centre_x = margin["l"] + (note["x"] - x0) / (x1 - x0) * wide + note["ax"]
        centre_y = margin["t"] + (y1 - note["y"]) / (y1 - y0) * high + note["ay"]
        font = note["font"]
        half_w = width(unescape(note["text"]), font["size"], "Semibold" if font.get("weight") == 600 else "Regular") / 2
        half_h = font["size"] * 0.65
        found.append((note["text"], Area(centre_x - half_w, centre_y - half_h, centre_x + half_w, centre_y + half_h)))
    return found
