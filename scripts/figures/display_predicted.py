"""Every model on this machine, of which a few were measured: measured ones solid, predicted ones hollow, the frontier
with its uncertainty.

predicted_inference: this machine, which is the present one if it was measured, else the one measured last.
predicted_check: models of it that were predicted first and measured then.

    python -m scripts.figures.export --only predicted_inference predicted_check
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from scripts.common import families, words
from scripts.common.errors import DataMissing, UserError
from scripts.common.paths import DATA
from scripts.common.provenance import TIMM, made_from, published as said, source
from scripts.common.words import counted, plain
from scripts.data import measured, read_data
from scripts.figures import frontier_chart, list_chart
from scripts.figures.display_measured import setting
from scripts.figures.drawing import Drawing
from scripts.figures.theme import (
    CONTEXT,
    GRID,
    TIMES,
    Axis,
    Canvas,
    Head,
    Size,
    both,
    frontier,
    pale,
    text_colour,
)
from scripts.predict import command as predict_command, speeds as predict, stored


def draw() -> Drawing:
    """Raises DataMissing where nothing is predicted, TablesMissing without timm's tables."""
    try:
        kept = stored.read()
        table = stored.weights()
    except read_data.TablesMissing:
        raise
    except UserError as error:
        raise DataMissing(str(error)) from None
    prediction, likely = kept.parts["infer"], kept.frontier
    shown = frontier_chart.visible(table, stored.FLOOR).reset_index(drop=True)
    edge = frontier(shown)
    done = shown.status == "measured"
    where, number = prediction.hardware_name, counted(prediction.used, "network")
    sure = likely[likely.expected & (likely.sure >= 0.8)]
    within = np.sqrt((table.high / table.low)[table.status == "predicted"]).median()
    title = (
        f"{where}: {number} measured tell the speed of {int(table.status.eq('predicted').sum()):,} others, half of "
        f"them to a factor of {within:.2f}"
    )
    subtitle = (
        "ImageNet top-1 accuracy against images per second in inference; solid: measured, hollow: predicted, lines: "
        "90% intervals; the step is the expected frontier, the shade where it lies with 90% certainty"
    )
    rows = predict.machine_rows(measured.machine())
    foot = (
        f"Source: measured by this project on {words.day(rows.date.iloc[0])} · {where}, {setting(rows)} · "
        f"predicted from timm’s published {said(kept.sources)}"
    )
    best, fast = edge.iloc[0], edge.iloc[-1]
    return Drawing(
        **both(_draw, kept.band, shown, (title, subtitle, foot)),
        title=title,
        data=shown.merge(likely[["model", "img_size", "expected", "sure"]], on=["model", "img_size"], how="left"),
        alt=f"Scatter chart of {counted(len(shown), 'set')} of weights on {where}: images per second on a log axis "
        f"against ImageNet top-1 accuracy. {int(done.sum())} are measured, the others predicted. The expected frontier "
        f"falls from {best.model} ({best.top1:.1f}%, {plain(best.samples_per_sec)} images/s) to {fast.model} "
        f"({fast.top1:.1f}%, {plain(fast.samples_per_sec)} images/s), with a shaded band of uncertainty around it.",
        caption=f"Speeds on {where}, predicted from {number} measured there and from timm’s tables of other "
        f"machines. {counted(int(likely.expected.sum()), 'set')} of weights "
        f"{'is' if likely.expected.sum() == 1 else 'are'} on the expected frontier, {len(sure)} of them with at least "
        "80% certainty.",
        sources=[
            *(source(stored.path(name, rows.hardware.iloc[0])) for name in ("speeds", "frontier", "band")),
            *(one.facts() for one in kept.sources if one.path.startswith(TIMM)),
        ],
        explore={"machine": f"{rows.hardware.iloc[0]}-predicted", "part": "infer"},
        hardware=f"{where}, {setting(rows)}",
        date=rows.date.iloc[0],
    )


def _draw(band: pd.DataFrame, shown: pd.DataFrame, head: Head, size: Size) -> Canvas:
    x, y = Axis.speed(shown.samples_per_sec), Axis.top1(shown.top1)
    canvas = Canvas(size, *head, x, y)
    area = band[band.samples_per_sec.between(x.low, x.high)]
    canvas.figure.add_scatter(
        x=[*area.samples_per_sec, *area.samples_per_sec[::-1]],
        y=[*area.most, *area.least[::-1]],
        mode="lines",
        fill="toself",
        fillcolor=GRID[0],
        line={"width": 0},
        hoverinfo="skip",
        name="90% of frontiers",
    )
    edge = frontier(shown)
    key, done = shown.family.isin(families.KEY_FAMILIES), shown.status == "measured"
    on_edge = shown.index.isin(edge.index)
    _points(canvas, shown[~key & ~on_edge & ~done], "others", {"size": 4.5, "color": CONTEXT[0]}, "-open")
    for family in frontier_chart.key_families(shown):
        rows = shown[(shown.family == family) & ~on_edge & ~done]
        _points(canvas, rows, family, {"size": 5.5, "color": pale(family)}, "-open")
    segments = canvas.step(edge, "samples_per_sec", "top1")
    for family, rows in shown[on_edge & ~done].groupby("family", sort=False):
        hollow = {"size": 9, "color": families.colour(family), "line": {"width": 2}}
        _points(canvas, rows, family, hollow, "-open", bounds=rows[["low", "high"]])
    for family, rows in shown[done].groupby("family", sort=False):
        solid = {"size": 9.5, **frontier_chart.rimmed(family)}
        _points(canvas, rows, family, solid, bounds=rows[["low", "high"]])
    weights = np.where(on_edge, 3.0, np.where(done, 2.0, np.where(key, 0.5, 0.2)))
    points = canvas.weighed(shown.samples_per_sec, shown.top1, weights)
    # on the frontier, the surest first; then what was measured
    named = frontier_chart.leaders(edge, "samples_per_sec", y.low, 5 if canvas.phone else frontier_chart.NAMED)
    named = pd.concat([named, shown[done].drop_duplicates("arch").nlargest(3 if canvas.phone else 6, "top1")])
    named = named[~named.index.duplicated()]
    style = lambda row: {"colour": text_colour(row.family), "veil": True}
    frontier_chart.name_models(canvas, named, points, segments, style)
    return canvas


def _points(canvas: Canvas, rows: pd.DataFrame, family: str, marker: dict, form: str = "", bounds=None) -> None:
    """`frontier_chart.scatter`, whose marks say how their speed is known."""
    texts = [
        f"{text}<br>{'measured' if row.status == 'measured' else 'predicted'}, {plain(row.low)} to {plain(row.high)} "
        "images/s"
        for text, row in zip(frontier_chart.hover(rows), rows.itertuples())
    ]
    frontier_chart.scatter(canvas, rows, family, marker, form, texts, bounds)


def draw_check() -> Drawing:
    """Models that were predicted and then measured: how far off, and the interval that was given. Raises
    DataMissing where that was not done.
    """
    try:
        compared, about = predict_command.read_check(measured.machine())
    except UserError as error:
        raise DataMissing(str(error)) from None
    found, where = predict_command.checked(compared), str(about["hardware"].get("name", measured.machine()))
    rows = compared.assign(
        value=lambda t: t.samples_per_sec / t.predicted,
        low=compared.low / compared.predicted,
        high=compared.high / compared.predicted,
        label=compared.arch,
        family=compared.arch.map(families.family),
        kind=compared.arch.map(families.kind),
    ).sort_values("value", ascending=False, kind="stable")
    rows["details"] = [
        f"measured {plain(row.samples_per_sec)} images/s<br>predicted {plain(row.predicted)}, 90% between "
        f"{plain(row.low * row.predicted)} and {plain(row.high * row.predicted)}"
        for row in rows.itertuples()
    ]
    inside = int(rows.value.between(rows.low, rows.high).sum())
    title = (
        f"{where}: half of {len(rows)} predictions are within {found['median_error']:.0%}, {inside} of {len(rows)} "
        "in their 90% interval"
        if len(rows) > 1
        else f"{where}: the one prediction is off by {found['median_error']:.0%}, {'inside' if inside else 'outside'} "
        "its 90% interval"
    )
    axis = Axis.around(
        "measured / predicted speed", rows.value, rows.low, rows.high, before=0.05, after=0.05, write=TIMES
    )
    subtitle = (
        "Speed of models that were predicted first and measured then; the dot is the measurement, the line the 90% "
        "interval given for it"
    )
    foot = (
        f"Source: measured by this project on {words.day(str(about['date'])[:10])} · {where} · predicted from "
        f"{about['used']} other models and timm’s published {said(made_from(about))}"
    )
    first, last = rows.iloc[0], rows.iloc[-1]
    return Drawing(
        **both(list_chart.draw, rows, axis, title, subtitle, foot, mark=(1.0, "as predicted")),
        title=title,
        data=rows,
        alt=f"List of {counted(len(rows), 'model')} by measured over predicted speed on {where}, from {first.arch} "
        f"({first.value:.2f} times the prediction) to "
        f"{last.arch} ({last.value:.2f} times); {inside} lie within the interval given for them.",
        caption=f"Predicted from {about['used']} measured models, then measured: median error "
        f"{found['median_error']:.0%}, rank correlation {found['spearman']:.3f}, "
        f"{found['coverage']:.0%} within the 90% interval.",
        sources=[source(DATA / f"predict-check-{measured.machine()}.csv")],
        hardware=where,
        date=str(about["date"])[:10],
    )
