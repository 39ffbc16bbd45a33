"""The charts themselves: as many marks as rows, labels that neither overlap nor are cut, words computed from the
data, hostile names as text.
"""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from scripts.common import families
from scripts.common.errors import DataMissing
from scripts.common.words import counted, listing, plain, wait
from scripts.data import read_data
from scripts.figures import (
    display_data,
    display_frontier,
    display_measured,
    display_sub_data,
    display_zoo,
    frontier_chart,
)
from scripts.figures.catalogue import CHARTS
from scripts.figures.export import figure_json
from scripts.figures.theme import PHONE, WIDE, frontier, label_boxes
from scripts.train import results, zoo_runs
from tests.test_figures_theme import apart

REPLICAS = {  # and their rows
    "inference_graph_1": 165,
    "inference_graph_2": 61,
    "training_graph_1": 168,
    "training_graph": 62,
    "speed_vs_parameters": 165,
    "convnext": 11,
}
OWN = ["frontier_gpu", "frontier_cpu", "frontier_then_now"]
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>%{y}"
LONG = "resnet" + "50x" * 25


@pytest.fixture(scope="module")
def drawings(timm_tables):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIMM_RESULTS", str(timm_tables))
        return {name: CHARTS[name].draw() for name in (*REPLICAS, *OWN)}


def tidy(rows: int = 60, seed: int = 0) -> pd.DataFrame:
    """Invented models of several families, one of them with a single member, with names of 80 characters and of
    HTML.
    """
    rng = np.random.default_rng(seed)
    names = [f"{family}_{i}" for i in range(rows) for family in ("levit", "convnext", "beit", "vit", "swin")][:rows]
    table = pd.DataFrame(
        {
            "model": names,
            "arch": names,
            "family": [name.split("_")[0] for name in names],
            "img_size": 224,
            "samples_per_sec": 10 ** rng.uniform(1, 4, rows),
            "param_count": rng.uniform(1, 300, rows),
        }
    )
    table["top1"] = 91 - 4 * np.log10(table.samples_per_sec) + rng.normal(0, 1, rows)
    table.loc[0, ["model", "arch"]] = LONG
    table.loc[1, ["model", "arch"]] = EVIL
    table.loc[2, "family"] = "eva"
    table.loc[3, "param_count"] = np.nan
    table.loc[4, ["model", "arch"]] = "NA"
    table["kind"] = [
        "transformer" if family in ("beit", "vit", "swin", "eva") else "convnet" for family in table.family
    ]
    return table


def marks(figure) -> int:
    return sum(len(trace.x) for trace in figure.data if trace.mode == "markers")


# --- the replicas -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, rows", REPLICAS.items())
def test_replicas_draw_every_row_of_the_notebook(drawings, name, rows):
    drawing = drawings[name]
    assert marks(drawing.figure) == len(drawing.data) == rows
    assert (drawing.figure.layout.width, drawing.figure.layout.height) == (1000, 800)


@pytest.mark.parametrize("name", ["inference_graph_1", "inference_graph_2", "training_graph_1", "training_graph"])
def test_replicas_keep_the_look_of_the_notebook(drawings, name):
    figure = drawings[name].figure
    axes = figure.layout.xaxis, figure.layout.yaxis
    assert axes[0].type == "log" and [axis.title.text for axis in axes] == ["secs", "top1"]
    bubbles = [trace for trace in figure.data if trace.mode == "markers"]
    assert {trace.name for trace in bubbles} == set(drawings[name].data.family)
    assert all(trace.marker.sizemode == "area" for trace in bubbles)
    sizes = np.concatenate([trace.marker.size for trace in bubbles])
    part = "infer" if name.startswith("inference") else "train"
    assert sorted(sizes) == sorted(drawings[name].data[f"{part}_img_size"] ** 2)


@pytest.mark.parametrize("name", ["inference_graph_2", "training_graph"])
def test_lines_are_least_squares_on_the_log_of_the_seconds(drawings, name):
    figure, table = drawings[name].figure, drawings[name].data
    lines = {trace.name: trace for trace in figure.data if trace.mode == "lines"}
    assert set(lines) == set(table.family)
    own = table[table.family == "regnetx"]
    slope, intercept = np.polyfit(np.log10(own.secs), own.top1, 1)
    assert np.asarray(lines["regnetx"].y) == pytest.approx(slope * np.log10(np.asarray(lines["regnetx"].x)) + intercept)


def test_convnext_names_every_model(drawings):
    figure = drawings["convnext"].figure
    assert {text for text, _ in label_boxes(figure)} == set(drawings["convnext"].data.model)
    apart(figure)


def notebook_like() -> pd.DataFrame:
    names = {"img_size": "infer_img_size", "param_count": "param_count_x", "samples_per_sec": "infer_samples_per_sec"}
    table = tidy(30).rename(columns=names)
    return table.assign(secs=1 / table.infer_samples_per_sec)


@pytest.mark.parametrize(
    "draw",
    [
        lambda table: display_data.all_families(table, "infer"),
        display_data.by_parameters,
        lambda table: display_sub_data.with_lines(table, "infer"),
        display_sub_data.convnext,
    ],
)
def test_replicas_draw_hostile_names_as_text(draw):
    text = figure_json(draw(notebook_like()))
    assert "<script" not in text and "<img" not in text and "%{y}" not in re.sub(r'"hovertemplate":"[^"]*"', "", text)
    assert "&lt;script&gt;" in text


def test_family_of_one_member_still_draws():
    table = notebook_like()
    assert (table.family == "eva").sum() == 1
    assert marks(display_sub_data.with_lines(table, "infer")) == len(table)


# --- our own charts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OWN)
def test_no_label_overlaps_or_is_cut(drawings, name):
    for figure, size in ((drawings[name].figure, WIDE), (drawings[name].phone, PHONE)):
        assert (figure.layout.width, figure.layout.height) == size
        assert len(label_boxes(figure)) >= 5
        apart(figure)


@pytest.mark.parametrize("name", ["frontier_gpu", "frontier_cpu"])
def test_frontier_charts_name_five_to_seven_models_and_every_key_family(drawings, name):
    drawing = drawings[name]
    texts = [text for text, _ in label_boxes(drawing.figure)]
    named = [text for text in texts if text.split(",")[0] in set(drawing.data.arch)]
    assert 5 <= len(named) <= 7
    kin = {
        families.SHARED_COLOUR.get(family, family) for family in drawing.data.family if family in families.KEY_FAMILIES
    }
    assert {text.split(" / ")[0] for text in texts if text not in named} == {families.label(family) for family in kin}


@pytest.mark.parametrize("name", ["frontier_gpu", "frontier_cpu"])
def test_frontier_charts_draw_every_row(drawings, name):
    assert marks(drawings[name].figure) == marks(drawings[name].phone) == len(drawings[name].data)
    assert drawings[name].data.on_frontier.sum() == len(frontier(drawings[name].data))


def test_headline_says_what_is_on_the_frontier(drawings):
    for name in ("frontier_gpu", "frontier_cpu"):
        edge = drawings[name].data[drawings[name].data.on_frontier]
        still = {claim for claim, names in display_frontier.CLAIMS.items() if edge.family.isin(names).any()}
        title = drawings[name].title
        first = title.split("; ")[0] if "; " in title else title
        assert {claim for claim in display_frontier.CLAIMS if claim in first} == (still or set(display_frontier.CLAIMS))


@pytest.mark.parametrize("name", ["frontier_gpu", "frontier_cpu"])
def test_captions_count_the_frontier_below_the_floor_too(drawings, monkeypatch, timm_tables, name):
    monkeypatch.setenv("TIMM_RESULTS", str(timm_tables))
    whole = frontier(display_frontier.table_of(name.removeprefix("frontier_")))
    below = int((whole.top1 < display_frontier.FLOOR).sum())
    assert below and f"{below} of them on the whole frontier of {len(whole)}." in drawings[name].caption


@pytest.mark.parametrize(
    "there, gone, sentence",
    [
        (["LeViT"], ["ConvNeXt", "BEiT"], "On X, LeViT reaches the frontier; ConvNeXt and BEiT no longer do"),
        ([], ["LeViT", "BEiT"], "On X, none of LeViT and BEiT is on the frontier any more"),
        (["LeViT", "ConvNeXt", "BEiT"], [], "On X, LeViT, ConvNeXt and BEiT are all on the frontier"),
    ],
)
def test_headlines_for_every_outcome(there, gone, sentence):
    assert display_frontier.headline("X", there, gone) == sentence


def test_every_chart_says_what_it_shows_and_where_from(every_drawing):
    for name, drawing in every_drawing.items():
        if CHARTS[name].needs != "timm":
            continue
        assert len(drawing.alt) > 80 and len(drawing.caption) > 60 and drawing.title, name
        assert not re.search(r"\d\.?e[+-]?\d", drawing.alt + drawing.caption + drawing.title), name
        assert "nan" not in (drawing.alt + drawing.caption + drawing.title).lower().replace("finance", ""), name
        assert drawing.sources and all(
            re.fullmatch(r"[0-9a-f]{64}", source["sha256"])
            and (source.get("url", "").startswith("https://github.com/") or source["path"].startswith("report/data/"))
            for source in drawing.sources
        )
        assert drawing.hardware
        assert re.fullmatch(r"20\d\d-\d\d-\d\d( to 20\d\d-\d\d-\d\d)?", drawing.date)


@pytest.mark.parametrize("size", [WIDE, PHONE])
@pytest.mark.parametrize("everyone", [False, True])
def test_hostile_names_are_text_and_fit(size, everyone):
    table = tidy(24)
    table.loc[1, "top1"] = 95.0  # on the frontier, so that it is named
    canvas = frontier_chart.draw(table, f"{EVIL} wins", EVIL, EVIL, size=size, everyone=everyone)
    shown = json.loads(figure_json(canvas.figure))
    for trace in shown["data"]:
        trace.pop("customdata", None)  # raw, for the page's own script
    text = json.dumps(shown, ensure_ascii=False)
    assert "<script" not in text and "<img" not in text and "&lt;script&gt;" in text
    apart(canvas.figure)
    assert all(len(text) <= 140 for text, _ in label_boxes(canvas.figure))


def test_ten_thousand_points_draw():
    rng = np.random.default_rng(0)
    table = pd.concat([tidy(50, seed) for seed in range(200)], ignore_index=True)
    table["top1"] += rng.normal(0, 0.5, len(table))
    canvas = frontier_chart.draw(table, "t", "s", "f")
    assert marks(canvas.figure) == 10_000
    apart(canvas.figure)


def test_one_model_alone_draws():
    canvas = frontier_chart.draw(
        tidy(10).iloc[5:6].assign(arch="resnet50", family="resnet"), "t", "s", "f", everyone=True
    )
    assert [text for text, _ in label_boxes(canvas.figure)] == ["resnet50"]


# --- what was measured and trained here -------------------------------------------------------------------------------


@pytest.fixture
def measured(monkeypatch, moved, tmp_path):
    """Invented measurements of one machine; the fixture's table may be changed before drawing."""
    table = tidy(16).assign(
        top5=99.0, precision="fp32", layout="nchw", compiled=False, torch="2.15.0", hardware="box",
        hardware_name=f"Box {EVIL[:8]}", kind_of_hardware="cpu", date="2026-11-21", threads="1",
        file="benchmark-infer-fp32-nchw-pt2150-cpu-box.csv",
    )  # fmt: skip
    table["samples_per_sec_low"], table["samples_per_sec_high"] = (table.samples_per_sec * end for end in (0.9, 1.1))
    table["batch1_p50_ms"], table["batch1_p90_ms"] = 1500 / table.samples_per_sec, 1800 / table.samples_per_sec
    (tmp_path / table.file[0]).write_text("model\n")
    moved(DATA=tmp_path)
    monkeypatch.setattr(display_measured.measured, "load", lambda part: table)
    monkeypatch.setattr(display_measured.measured, "machine", lambda: "box")
    return table


def test_measured_charts_name_every_model_there_is_room_for(measured):
    drawing = display_measured.draw_measured("infer")
    assert marks(drawing.figure) == 16 and len(label_boxes(drawing.figure)) == 16
    for figure in (drawing.figure, drawing.phone):
        apart(figure)
    assert drawing.sources[0]["path"] == measured.file[0] and drawing.date == "2026-11-21"
    assert "1 thread" in drawing.hardware
    bars = [trace.error_x for trace in drawing.figure.data if trace.mode == "markers"]
    assert all(len(bar.array) for bar in bars)


def test_unknown_accuracy_leaves_a_model_out_and_none_known_is_a_notice(measured):
    measured.loc[:5, "top1"] = np.nan
    assert marks(display_measured.draw_measured("infer").figure) == 10
    measured["top1"] = np.nan
    with pytest.raises(DataMissing, match="no published accuracy"):
        display_measured.draw_measured("infer")


def test_latency_rows_are_sorted_and_long_names_are_shortened(measured):
    drawing = display_measured.draw_latency()
    dots = next(trace for trace in drawing.figure.data if trace.mode == "markers")
    assert list(dots.x) == sorted(dots.x) and len(drawing.figure.layout.yaxis.ticktext) == 16
    assert all(len(text) <= 60 and "<" not in text for text in drawing.figure.layout.yaxis.ticktext)
    assert drawing.figure.layout.margin.l < 330 and "shown" not in drawing.figure.to_json()


def test_a_list_of_more_than_there_is_room_for_says_so(measured, monkeypatch):
    many = pd.concat([measured.assign(arch=[f"net_{i}_{j}" for j in range(16)]) for i in range(2)], ignore_index=True)
    monkeypatch.setattr(display_measured.measured, "load", lambda part: many)
    drawing = display_measured.draw_latency()
    assert "shown: 24 of 32" in drawing.figure.to_json() and "shown: 17 of 32" in drawing.phone.to_json().replace(
        "<br>", " "
    ).replace("\\u003cbr\\u003e", " ")


def test_one_model_measured_is_one(measured, monkeypatch, tmp_path):
    one = measured.iloc[5:6].assign(hardware_name="Box", arch="levit_1", batch1_p50_ms=5.0)
    monkeypatch.setattr(display_measured.measured, "load", lambda part: one)
    assert display_measured.draw_latency().title == "Box: 1 of 1 model keeps up with a camera of 30 pictures a second"
    card = one.assign(kind_of_hardware="gpu")
    (tmp_path / "compiled.csv").write_text("model\n")
    monkeypatch.setattr(
        display_measured.measured,
        "load",
        lambda part: pd.concat(
            [card, card.assign(compiled=True, file="compiled.csv", samples_per_sec=card.samples_per_sec * 2)]
        ),
    )
    drawing = display_measured.draw_compiled()
    assert drawing.title == "Box: compiling makes levit_1 2.00 times as fast"
    assert "1 of 1 model becomes faster" in drawing.caption


def test_gpu_charts_need_a_gpu_and_both_ways_of_running(measured, monkeypatch):
    with pytest.raises(DataMissing, match="nothing measured on a GPU"):
        display_measured.draw_measured("infer", gpu=True)
    card = measured.assign(kind_of_hardware="gpu", hardware="card", hardware_name="Card", precision="bf16")
    monkeypatch.setattr(display_measured.measured, "load", lambda part: card)
    assert display_measured.draw_measured("infer", gpu=True).title.startswith("Card: ")
    with pytest.raises(DataMissing, match="compiled models not measured on Card"):
        display_measured.draw_compiled()


def test_compiled_chart_shows_the_ratio_of_the_same_model(measured, monkeypatch, tmp_path):
    eager = measured.assign(kind_of_hardware="gpu", hardware="card", hardware_name="Card")
    file = eager.file[0].replace("box", "card-compiled")
    (tmp_path / file).write_text("model\n")
    compiled = eager.assign(
        compiled=True, file=file, samples_per_sec=eager.samples_per_sec * np.linspace(0.9, 2.4, len(eager))
    ).iloc[3:]
    monkeypatch.setattr(display_measured.measured, "load", lambda part: pd.concat([eager, compiled], ignore_index=True))
    drawing = display_measured.draw_compiled()
    dots = next(trace for trace in drawing.figure.data if trace.mode == "markers")
    assert len(dots.x) == 13 and list(dots.x) == sorted(dots.x, reverse=True) and max(dots.x) == pytest.approx(2.4)
    assert [source["path"] for source in drawing.sources] == sorted([eager.file[0], file])


def test_nothing_measured_is_missing_data(monkeypatch):
    monkeypatch.setattr(display_measured.measured, "load", lambda part: pd.DataFrame())
    for draw in (lambda: display_measured.draw_measured("train"), display_measured.draw_latency):
        with pytest.raises(DataMissing, match="make bench"):
            draw()


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A small zoo-*.csv with history and sidecar."""
    models = [("resnet18", "resnet18", 0.9), ("lenet5", "lenet5", 0.7), ("vit_tiny", "vit_tiny_patch16_224", 0.8),
              (EVIL, "", 0.6), (LONG, "resnet50", 0.85)]  # fmt: skip
    rows = [
        {
            "model": name, "arch": arch, "source": "timm", "weights": "scratch", "seed": seed, "recipe": "",
            "precision": "fp32", "train_images": 1000, "test_images": 200, "accuracy": score + seed / 100,
            "accuracy_low": score - 0.02, "accuracy_high": score + 0.03, "param_count": 5.0,
            "train_seconds": 10.0 * (i + 1),
        }
        for i, (name, arch, score) in enumerate(models)
        for seed in (0, 1)
    ]  # fmt: skip
    history = [
        {
            **{name: row[name] for name in ("model", "weights", "seed")},
            "epoch": epoch,
            "valid_accuracy": row["accuracy"] - 0.3 / epoch,
            "elapsed_seconds": epoch * 2.0,
        }
        for row in rows
        for epoch in range(1, 6)
    ]
    path = tmp_path / "zoo-cats_and_dogs-box.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    pd.DataFrame(history).to_csv(results.part(path, "-history"), index=False)
    facts = {
        "schema": 1,
        "hardware": {"name": "Box"},
        "date": "2026-11-21T00:00:00Z",
        "versions": {"torch": "2.15.0+cu1"},
    }
    path.with_suffix(".json").write_text(json.dumps(facts))
    monkeypatch.setattr(zoo_runs.results, "runs", lambda: [path])
    return path


@pytest.mark.parametrize("draw", [display_zoo.draw_accuracy, display_zoo.draw_curves, display_zoo.draw_time])
def test_training_charts(trained, draw):
    drawing = draw()
    for figure, size in ((drawing.figure, WIDE), (drawing.phone, PHONE)):
        assert (figure.layout.width, figure.layout.height) == size
        apart(figure)
        assert "<script" not in figure_json(figure)
    assert drawing.title.startswith("Cats and dogs: ") and "Box" in drawing.hardware
    assert drawing.sources[0]["path"] == trained.name


def test_training_chart_of_accuracy_has_a_row_a_network_best_first(trained):
    drawing = display_zoo.draw_accuracy()
    dots = next(trace for trace in drawing.figure.data if trace.mode == "markers")
    assert len(dots.x) == 5 and list(dots.x) == sorted(dots.x, reverse=True)
    assert dots.x[0] == pytest.approx(90.5), "the mean over seeds"


def test_nothing_trained_is_missing_data(monkeypatch):
    monkeypatch.setattr(zoo_runs.results, "runs", lambda: [])
    with pytest.raises(DataMissing, match="train_models --data FOLDER"):
        display_zoo.draw_curves()


def test_words():
    assert listing(["a"]) == "a" and listing(["a", "b"]) == "a and b" and listing(["a", "b", "c"]) == "a, b and c"
    numbers = (64_212, 0.0466, 122.7, 5, 1234567)
    assert [plain(value) for value in numbers] == ["64,200", "0.0466", "123", "5", "1,230,000"]
    milliseconds = (0.0466, 200, 999.4, 2170, 68_400, 200_000, 180_000)
    said = ["0.0466 ms", "200 ms", "999 ms", "2.17 s", "68.4 s", "3 min 20 s", "3 min"]
    assert [wait(value) for value in milliseconds] == said
    assert counted(1, "model") == "1 model" and counted(2000, "model") == "2,000 models"
    assert counted(2, "family", "families") == "2 families"


def test_the_catalogue_holds_the_charts_that_were_asked_for():
    assert set(REPLICAS) <= set(CHARTS)
    assert all(
        re.fullmatch(r"[a-z0-9_]+", name) and chart.needs in ("timm", "measured", "trained")
        for name, chart in CHARTS.items()
    )
    assert read_data.THEN < read_data.NOW
