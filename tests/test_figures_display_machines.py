"""Charts about machines and about one family: drawn from small tables, words computed from them, hostile names as
text, missing tables left out.
"""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from scripts.common import words as wording
from scripts.common.errors import DataMissing, UserError
from scripts.common.paths import DATA
from scripts.figures import display_family, display_machines, export
from scripts.figures.theme import contrast, mix
from scripts.findings import family, machines
from tests.test_figures_theme import apart
from tests.test_findings_family import stairs
from tests.test_findings_verdicts import field

EVIL = "vit_<img src=x onerror=alert(1)>"
FROM_TABLES = {
    "agreement": display_machines.draw_agreement,
    "cpu_penalty": display_machines.draw_penalty,
    "succession": display_machines.draw_succession,
    "ours": display_machines.draw_ours,
    "stable": display_machines.draw_stable,
}


@pytest.fixture
def data(tmp_path, moved):
    """report/data with the machines' tables alone; a function that rewrites one of them."""
    for name in FROM_TABLES:
        for end in ("csv", "json"):
            shutil.copyfile(DATA / f"machines-{name}.{end}", tmp_path / f"machines-{name}.{end}")
    moved(DATA=tmp_path)

    def rewrite(name, change):
        path = tmp_path / f"machines-{name}.csv"
        change(pd.read_csv(path, keep_default_na=False)).to_csv(path, index=False)

    return rewrite


def words(drawing) -> str:
    return f"{drawing.title} {drawing.alt} {drawing.caption} {drawing.figure.to_json()} {drawing.phone.to_json()}"


@pytest.mark.parametrize("name", FROM_TABLES)
def test_charts_are_drawn_from_the_committed_tables(data, name):
    drawing = FROM_TABLES[name]()
    assert (
        drawing.title
        and drawing.alt
        and drawing.caption
        and len(drawing.data)
        and drawing.sources[0]["path"].endswith(f"machines-{name}.csv")
    )
    theirs = [one.date for one in display_machines.behind(name) if one.setting]
    ours = [table.date.iloc[0] for table in display_machines.our_tables().values()] if name == "ours" else []
    assert theirs and drawing.date == wording.span(theirs + ours), "that of the speeds, not the day of computing"
    assert all(wording.day(day) in plain_text(drawing.figure) for day in (min(theirs), max(theirs)))
    assert "nan" not in f"{drawing.title} {drawing.alt} {drawing.caption}".lower().replace("nano", "")
    for figure in (drawing.figure, drawing.phone):
        apart(figure)


@pytest.mark.parametrize("name", FROM_TABLES)
def test_a_table_that_was_never_made_leaves_its_chart_out(data, name, tmp_path):
    (tmp_path / f"machines-{name}.csv").unlink()
    with pytest.raises(DataMissing, match="make data"):
        FROM_TABLES[name]()


def test_a_damaged_table_is_an_error_that_names_it(data):
    data("ours", lambda table: table.assign(ratio="fast"))
    with pytest.raises(UserError, match="machines-ours.csv.*not a number"):
        display_machines.draw_ours()


def test_titles_follow_the_figures(data):
    data("cpu_penalty", lambda table: table.assign(ratio=[9.87] * len(table), low=9.0, high=10.0))
    title = display_machines.draw_penalty().title
    assert "lose more than convnets on a Core" in title and "9.87 times, 9.00 to 10.00" in title
    data("cpu_penalty", lambda table: table.assign(ratio=[0.5] * len(table), low=0.4, high=0.6))
    assert "lose less than convnets" in display_machines.draw_penalty().title
    data("cpu_penalty", lambda table: table.assign(ratio=[1.1] * len(table), low=0.9, high=1.3))
    assert "On no processor can it be told" in display_machines.draw_penalty().title
    data("succession", lambda table: table.assign(still="yes", by="", by_top1="", by_samples_per_sec=""))
    assert (
        f"{int((display_machines.small('succession', [], ['top1'])[0].top1 >= 70).sum())} are still there"
        in display_machines.draw_succession().title
    )
    data("agreement", lambda table: table.assign(**{table.columns[1]: [1.0] + [0.123] * (len(table) - 1)}))
    assert "from 0.12 to" in display_machines.draw_agreement().title


def test_hostile_names_stay_text(data):
    data("stable", lambda table: table.assign(model=[f"{EVIL}.x", *table.model[1:]]))
    data("ours", lambda table: table.assign(theirs=[EVIL, *table.theirs[1:]]))
    for drawing in (display_machines.draw_stable(), display_machines.draw_ours()):
        assert "<img" not in drawing.figure.to_json() and "<img" not in drawing.phone.to_json()


def test_a_dot_for_each_machine_on_whose_frontier_a_model_is(data):
    drawing = display_machines.draw_stable()
    shown = drawing.data.head(22)
    dots = sum(len(trace.x) for trace in drawing.figure.data if trace.mode == "markers")
    assert dots == shown.machines.sum(), "names of machines in the two tables must agree"


def test_one_machine_in_two_settings_is_one_machine(data):
    names = ["RTX 5090", "RTX 5090, compiled", "Core i7, compiled"]
    data("agreement", lambda table: pd.DataFrame(0.9, index=range(3), columns=names).assign(machine=names))
    data("stable", lambda table: table.head(1).assign(machines=3, timed=3, where="; ".join(names)))
    stable, agreement = display_machines.draw_stable(), display_machines.draw_agreement()
    assert (
        "1 model is on the frontier in all 3 settings of 2 machines" in stable.title
        and "3 settings of 2 machines" in agreement.alt
    )
    assert stable.hardware == agreement.hardware == "3 settings of timm's 2 machines"
    data("agreement", lambda table: table[["machine", names[0], names[2]]].iloc[[0, 2]])
    data("stable", lambda table: table.assign(machines=2, timed=2))
    assert "of all 2 machines" in display_machines.draw_stable().title


def test_the_heat_map_reads_by_day_and_by_night(data):
    figure = display_machines.draw_agreement().figure
    heat, dark = figure.data[0], figure.layout.meta["dark"]
    assert all(colour in dark for _, colour in heat.colorscale), "a page in dark mode exchanges both ends"
    values = {(x, y): value for y, row in zip(heat.y, heat.z) for x, value in zip(heat.x, row)}
    ends = [colour for _, colour in heat.colorscale]
    for note in (one for one in figure.layout.annotations if one.name == "cell"):
        share = (values[note.x, note.y] - heat.zmin) / (heat.zmax - heat.zmin)
        for ink, ground in (
            (note.font.color, mix(*ends, share)),
            (dark[note.font.color], mix(*(dark[one] for one in ends), share)),
        ):
            assert contrast(ink, ground) >= 3.4


def test_how_ours_was_measured_stands_beside_the_ratio(data, monkeypatch):
    own = pd.DataFrame(
        {
            "file": ["one", "all"],
            "hardware_name": "AMD EPYC, 2 cores",
            "kind_of_hardware": "cpu",
            "precision": "fp32",
            "layout": "nchw",
            "compiled": False,
            "torch": "2.15.0",
            "threads": ["1", "2"],
            "samples_per_sec": [1.0, 2.0],
            "date": ["2026-01-01", "2026-01-02"],
        }
    )
    monkeypatch.setattr(display_machines.measured, "load", lambda part: own)
    drawing = display_machines.draw_ours()
    ours = "AMD EPYC, 2 cores, 32-bit floats, eager, 2 threads, PyTorch 2.15.0"
    assert drawing.date.startswith("2024-09-04 to ") and "2 January 2026" in plain_text(drawing.figure)
    assert drawing.hardware == ours and ours in drawing.caption and "mixed precision on cards" in drawing.caption
    assert all(
        "2 threads" in plain_text(figure) and "mixed precision" in plain_text(figure)
        for figure in (drawing.figure, drawing.phone)
    )
    assert "Core i7-12700H, compiled, is" in drawing.title
    monkeypatch.setattr(display_machines.measured, "load", lambda part: own.head(0))
    assert display_machines.how_ours() == "" and display_machines.draw_ours().hardware == "AMD EPYC, 2 cores"


def plain_text(figure) -> str:
    """A figure's JSON with its lines of text joined."""
    return figure.to_json().replace("\\u003cbr\\u003e", " ").replace("<br>", " ")


def speeds(factor, **about):
    frame = field(
        ("levit_256.fb_dist_in1k", 224, 81.0, 9000, 19.0),
        ("convnext_tiny.fb_in22k_ft_in1k", 224, 83.0, 400, 28.6),
        **about,
    )
    return frame.assign(samples_per_sec=frame.samples_per_sec * factor)


def test_machines_and_compiling_from_tidy_tables(monkeypatch):
    tables = {
        "rtx5090": speeds(1.0),
        "rtx5090-compiled": speeds(1.7, compiled=True),
        "i7_12700h-compiled": speeds(0.01, hardware="i7_12700h", compiled=True, precision="fp32"),
    }
    monkeypatch.setattr(
        machines,
        "main_tables",
        lambda ours=True, compiled=True: {
            key: table for key, table in tables.items() if compiled or key != "rtx5090-compiled"
        },
    )
    file = "benchmark-infer-amp-nchw-pt291-cu130-5090.csv"
    monkeypatch.setattr(display_machines, "chosen", lambda machine: ("today", file))
    fronts, gain = display_machines.draw_frontiers(), display_machines.draw_compiling()
    assert "on that of all 2" in fronts.title and fronts.hardware == "rtx5090; i7_12700h"
    assert "1.70 times as fast, 0 networks slower" in gain.title and len(gain.data) == 14
    with monkeypatch.context() as alone:
        alone.setattr(machines, "main_tables", lambda ours, compiled: {"rtx5090": tables["rtx5090"]})
        assert display_machines.draw_frontiers().title.endswith("on the frontier of RTX 5090")
    tables["rtx5090-compiled"].loc[0, "param_count"] *= 2
    assert (
        len(display_machines.draw_compiling().data) == 13
        and "1 network whose parameter count differs between the tables is left out"
        in display_machines.draw_compiling().caption
    )


# ---- one family


@pytest.fixture
def own(monkeypatch):
    def use(frame):
        monkeypatch.setattr(display_family, "_table", lambda: frame)
        monkeypatch.setattr(
            display_family.published,
            "provenance",
            lambda vintage, *files: {"sources": [], "hardware": "", "date": vintage},
        )

    return use


def test_every_member_of_a_family_is_a_mark_of_its_shade(own):
    frame = pd.concat(
        [stairs(2, 1), field(), field(("convnextv2_tiny.fcmae_ft_in22k_in1k", 224, 83.0, 300, 28.6)).tail(1)],
        ignore_index=True,
    )
    own(frame)
    drawing = display_family.draw_family("convnext")
    members = [trace for trace in drawing.figure.data if trace.mode == "markers" and trace.name]
    assert sum(len(trace.x) for trace in members) == 16 == len(drawing.data)
    colours = {trace.name: trace.marker.color for trace in members}
    assert len(set(colours.values())) == 2 and all(
        colour in drawing.figure.layout.meta["dark"] for colour in colours.values()
    )
    assert any("open" in str(trace.marker.symbol) for trace in members), "version 2 is hollow"
    keys = [note for note in drawing.figure.layout.annotations if note.name == "key"]
    assert all(
        note.font.color in drawing.figure.layout.meta["dark"]
        and note.bgcolor in drawing.figure.layout.meta["dark"]
        and "color" not in note.text
        for note in keys
    )
    assert set(colours.values()) <= {note.font.color for note in keys}
    apart(drawing.figure)
    apart(drawing.phone)


def test_the_title_says_which_step_buys_more(own):
    own(stairs(2, 1))
    assert "larger network buys more" in display_family.draw_steps("convnext").title
    own(stairs(1, 2))
    assert "larger picture buys more" in display_family.draw_steps("convnext").title
    own(stairs(1, 1))
    assert "about as much" in display_family.draw_steps("convnext").title


def test_a_family_of_one_or_without_steps_is_refused(own):
    own(field(("levit_256.fb_dist_in1k", 224, 81.0, 9000, 19.0)))
    with pytest.raises(UserError, match="1 member"):
        display_family.draw_family("levit")
    with pytest.raises(UserError, match="too few steps"):
        display_family.draw_steps("resnet")


def test_a_hostile_member_stays_text(own):
    own(
        field(
            (f"levit_{EVIL}.in1k", 224, 81.0, 9000, 19.0),
            ("levit_b.in1k", 224, 80.0, 9500, 19.0),
            ("levit_c.in1k", 224, 79.0, 9900, 19.0),
        ).assign(
            family=lambda rows: rows.family.where(~rows.model.str.startswith("levit"), "levit"),
            kind=lambda rows: rows.kind.fillna("hybrid"),
        )
    )
    drawing = display_family.draw_family("levit")
    assert "<img" not in drawing.figure.to_json() and np.isfinite(drawing.data.top1).all()


def test_any_family_by_name_on_the_command_line(own, capsys, monkeypatch, tmp_path):
    own(pd.concat([stairs(2, 1), field()], ignore_index=True))
    made = {}
    monkeypatch.setattr(export, "export", lambda charts, *_: made.update(charts) or {"drawn": list(charts)})
    assert export.main(["--family", "ConvNeXt", "--out", str(tmp_path)]) == 0 and list(made) == ["family_convnext"]
    assert export.main(["--family", "ConvNeXt"]) == 2 and "--out" in capsys.readouterr().err
    assert (
        export.main(["--family", "hamster", "--out", str(tmp_path)]) == 2
        and "there are convnext, resnet" in capsys.readouterr().err
    )
    assert family.resolve("resnet", ["resnet"]) == "resnet"
