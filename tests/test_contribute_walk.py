"""`make contribute`: the walk with a stand-in that measures nothing, on invented machines and tables."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import ClassVar

import pandas as pd
import pytest

from scripts.bench import measure, sweep
from scripts.common import hardware, paths, provenance
from scripts.common.errors import UserError
from scripts.common.paths import ROOT
from scripts.contribute import __main__ as command, board, look, plausible, promise, text, walk
from scripts.predict import design, tables as predict_tables
from tests.test_bench_sweep import KNOWN
from tests.test_predict_speeds import ARCHS, tables  # noqa: F401

TELLING, OTHERS = ARCHS[:8], ARCHS[8:14]
FILE = "benchmark-infer-fp32-nchw-pt2150-cpu1t-box.csv"


class Measurer:
    """Answers as the measuring process would. seen: what it measured; hurry: seconds by which its clock is off; stop:
    after how many it is interrupted; speeds: of the networks."""

    hurry, stop = 5, 99
    seen: ClassVar[list[str]] = []
    speeds: ClassVar[dict] = {}
    template: ClassVar[dict] = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def ask(self, verb, *arguments, patience=0.0):
        return list(arguments[0]) if verb == "choose" else KNOWN[verb]

    def measure(self, name, settings, ceilings):
        if len(Measurer.seen) >= Measurer.stop:
            raise KeyboardInterrupt
        Measurer.seen.append(name)
        then = datetime.now(timezone.utc) + timedelta(seconds=Measurer.hurry)
        key = Measurer.keys.loc[name]
        rate = Measurer.speeds[name]
        return Measurer.template | {
            "model": name,
            "infer_samples_per_sec": rate,
            "samples_per_sec_low": 0.99 * rate,
            "samples_per_sec_high": 1.01 * rate,
            "infer_batch_size": 1,
            "infer_step_time": 1000 / rate,
            "infer_img_size": int(key["img_size"]),
            "param_count": key["param_count"],
            "measured_at": then.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }


@pytest.fixture
def box(tables, monkeypatch, tmp_path):
    """box(*options) walks on an invented machine, a third as fast as one of the tables' processors; returns the exit
    code. Its files lie in box.folder."""
    rows, keys = tables
    own = next(ROOT.glob("report/data/benchmark-infer-fp32-*-amd_epyc_2c.csv"))
    template = pd.read_csv(own, keep_default_na=False, dtype=str).iloc[0].to_dict()
    assert list(template) == measure.columns("infer")
    i7 = rows[rows["file"].str.contains("i7_")].set_index("arch")["samples_per_sec"] / 3
    monkeypatch.setattr(Measurer, "template", template)
    monkeypatch.setattr(Measurer, "keys", keys.set_index("arch"), raising=False)
    monkeypatch.setattr(Measurer, "speeds", i7.to_dict())
    monkeypatch.setattr(Measurer, "seen", [])
    for name in ("hurry", "stop"):
        monkeypatch.setattr(Measurer, name, getattr(Measurer, name))
    monkeypatch.setattr(sweep, "Measurer", Measurer)
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(
        design, "design", lambda n, kind="cpu", role="measure": (TELLING if role == "measure" else OTHERS)[:n]
    )
    machine = {"slug": "box", "name": "A box", "kind": "cpu", "year": 0, "cpu": "A box", "cores": 2, "memory_gb": 4.0}
    monkeypatch.setattr(hardware, "describe", lambda *_: dict(machine))
    monkeypatch.setattr(look, "around", lambda device: [look.Seen("other work", look.FINE, "none")])
    plausible.usual.cache_clear()
    folder = tmp_path / "out"
    folder.mkdir()

    def go(*options):
        given = ["--out", str(folder), "--telling", "8", "--others", "6", "--device", "cpu"]
        return command.main([*given, *options])

    go.folder, go.table = folder, folder / FILE
    yield go
    plausible.usual.cache_clear()


def test_the_walk_predicts_before_it_measures_and_ends_with_a_text(box, moved, capsys):
    assert box() == 0 and Measurer.seen == TELLING + OTHERS
    kept, facts = promise.read(promise.path_of(box.table))
    assert not set(kept["arch"]) & set(TELLING) and set(OTHERS) <= set(kept["arch"]) and facts["used"] == 8
    compared = promise.compared(promise.path_of(box.table))
    assert set(compared["arch"]) == set(OTHERS)
    assert (compared["predicted"] / compared["samples_per_sec"] - 1).abs().max() < 0.3
    said = (box.folder / f"{box.table.stem}.md").read_text()
    assert said.startswith("Add A box\n") and "6 networks predicted" in said and "Nothing is doubtful" in said
    assert str(box.folder) not in said and "rehearsal" in capsys.readouterr().out
    for name in ("predict-evaluation.csv", "predict-evaluation.json"):
        shutil.copy(ROOT / "report" / "data" / name, box.folder)
    moved(DATA=box.folder)
    row = board.scores().iloc[0]
    assert (row["hardware"], row["how"], row["networks"], row["table"]) == ("box", board.BEFORE, 6, FILE)
    assert board.problems() == []


@pytest.mark.parametrize("after", [3, 11])
def test_interrupted_it_goes_on_where_it_was_and_keeps_the_first_prediction(box, monkeypatch, after):
    monkeypatch.setattr(Measurer, "stop", after)
    assert box() == 130
    path = promise.path_of(box.table)
    before = path.read_bytes() if path.exists() else b""
    monkeypatch.setattr(Measurer, "stop", 99)
    assert box() == 0 and Measurer.seen == TELLING + OTHERS
    assert not before or path.read_bytes() == before
    assert box() == 0 and len(Measurer.seen) == 14  # nothing is measured twice


def test_what_was_measured_before_the_prediction_does_not_count(box, monkeypatch):
    monkeypatch.setattr(Measurer, "hurry", -60)
    assert box() == 0
    assert promise.compared(promise.path_of(box.table)).empty
    assert "othing that was predicted has been measured yet" in (box.folder / f"{box.table.stem}.md").read_text()
    monkeypatch.setattr(Measurer, "hurry", 5)
    assert box() == 0 and Measurer.seen[14:] == OTHERS


def test_a_prediction_changed_afterwards_is_refused(box, moved, capsys):
    box()
    path = promise.path_of(box.table)
    path.write_text(path.read_text().replace("\nresnet", "\nresnet", 1) + "levit_999,224,1,1,1\n")
    assert box() == 2 and "changed since it was kept" in capsys.readouterr().err
    moved(DATA=box.folder)
    assert "changed since it was kept" in board.problems()[0]


def test_predictions_made_by_other_means_are_far_from_the_methods(box, moved, capsys):
    box()
    path = promise.path_of(box.table)
    assert promise.again(path) < 1e-4  # five digits are kept
    frame, facts = promise.read(path)
    ends = {name: 2 * frame[name] for name in ("predicted", "low", "high")}
    provenance.write_pair(frame.assign(**ends), path, facts)  # with a checksum that fits
    for name in ("predict-calibration.csv", "predict-families.csv"):
        shutil.copy(box.folder.parent / name, box.folder)
    moved(DATA=box.folder)
    assert board.main(["--again"]) == 0 and "100.0% from what today's method says" in capsys.readouterr().out
    provenance.write_pair(frame.assign(low=frame["high"]), path, facts)
    assert "outside its own interval" in board.problems()[0]


LONG = "promised-infer-fp32-nchw-pt2150-cpu1t-box.csv"
MACHINE = {"slug": "box", "name": "A box", "kind": "cpu"}


@pytest.fixture
def stranger(tmp_path, moved):
    """stranger(name=value, …): `make check-data`'s lines about predictions that somebody hands in, whose sidecar says
    those; the file lies in stranger.path."""
    facts = {"schema": 1, "date": "2026-01-01T00:00:00Z", "table": FILE, "from": ["resnet18@224"], "used": 8}
    moved(DATA=tmp_path)

    def lines(path=tmp_path / LONG, **said):
        text = "arch,img_size,predicted,low,high\nresnet50,224,2,1,3\n"
        provenance.write_pair(text, path, {**facts, "hardware": MACHINE, **said})
        return board.problems()

    lines.path = tmp_path / LONG
    return lines


@pytest.mark.parametrize(
    "said",
    [
        {"from": [["resnet18@224"]]},
        {"from": [{"resnet18": 224}]},
        {"from": "resnet18@224"},
        {"used": [8]},
        {"used": 10**400},
        {"case": "<b>new</b>"},
        {"case": ["new"]},
        {"table": FILE.replace("box", "other")},
        {"hardware": {}},
        {"hardware": {**MACHINE, "name": "=HYPERLINK(1)"}},
        {"hardware": {**MACHINE, "name": "<script>"}},
        {"hardware": {**MACHINE, "name": {"a": 1}}},
        {"hardware": {**MACHINE, "slug": ["box"]}},
        {"hardware": {**MACHINE, "slug": "other"}},
        {"hardware": {**MACHINE, "kind": "tpu"}},
    ],
)
def test_predictions_of_a_strange_machine_are_one_line(stranger, said):
    assert "nothing was measured" in stranger()[0]  # the others are fine
    (line,) = stranger(**said)
    assert "does not say which machine it is of" in line
    with pytest.raises(UserError):
        board.scores()


def test_predictions_that_are_no_file_of_a_table_are_one_line(stranger, tmp_path):
    stranger(tmp_path / "promised-=cmd.csv", table="benchmark-=cmd.csv")
    (line,) = board.problems()
    assert "not a benchmark file's name" in line
    (tmp_path / "promised-=cmd.csv").rename(tmp_path / "elsewhere")
    stranger.path.symlink_to(tmp_path / "elsewhere")
    (line,) = board.problems()
    assert "a link where a file should be" in line


def test_a_busy_machine_is_not_measured_unless_asked_for(box, monkeypatch, capsys):
    monkeypatch.setattr(look, "around", lambda device: [look.Seen("other work", look.TROUBLE, "busy", "end it")])
    assert box() == 1 and not Measurer.seen and "end it" in capsys.readouterr().out
    assert box("--anyway") == 0 and "- other work: busy" in (box.folder / f"{box.table.stem}.md").read_text()


def test_a_dry_run_measures_and_writes_nothing(box, capsys):
    assert box("--dry-run") == 0
    assert not Measurer.seen and not list(box.folder.iterdir()) and "8 of 8 telling" in capsys.readouterr().out


def test_too_few_networks_are_refused_before_anything(box, capsys):
    assert box("--telling", "4") == 2 and not Measurer.seen and "at least 5" in capsys.readouterr().err


def test_numbers_unlike_any_machines_are_doubted_with_the_reason(box, monkeypatch, capsys):
    for i, name in enumerate(TELLING + OTHERS):
        Measurer.speeds[name] *= 6 if i % 2 else 1 / 6
    monkeypatch.setitem(Measurer.template, "core_share", "0.5")
    assert box() == 1 and not promise.path_of(box.table).exists()  # nothing sensible can be predicted from these
    said = capsys.readouterr().out
    assert "doubtful: its order of networks is like no machine's" in said
    assert "other work took part of the processor (50% of a core was left)" in said


def test_one_network_that_all_others_contradict_is_named(box):
    Measurer.speeds[TELLING[0]] /= 20
    box()
    said = (box.folder / f"{box.table.stem}.md").read_text()
    assert f"Doubtful: {TELLING[0]} is 20 times slower than any table" in said
    assert "measure it again" in said


@pytest.mark.parametrize(
    "battery, state",
    [
        (None, look.FINE),
        (SimpleNamespace(power_plugged=True), look.FINE),
        (SimpleNamespace(power_plugged=False), look.TROUBLE),
        (SimpleNamespace(power_plugged=None), look.UNKNOWN),
    ],
)
def test_the_mains(monkeypatch, battery, state):
    monkeypatch.setattr(look.psutil, "sensors_battery", lambda: battery, raising=False)
    assert look.mains().state == state


@pytest.mark.parametrize("idle, steal, troubles", [(95, 0, 0), (40, 0, 1), (95, 5, 1), (0, 90, 1), (20, 30, 2)])
def test_other_work_and_a_host_that_lends_the_time_to_others(monkeypatch, idle, steal, troubles):
    monkeypatch.setattr(look.psutil, "process_iter", lambda *_: [])
    monkeypatch.setattr(
        look.psutil, "cpu_times_percent", lambda interval: SimpleNamespace(idle=idle, iowait=0, steal=steal)
    )
    monkeypatch.setattr(look.psutil.Process, "cpu_percent", lambda *_: 0.0)
    assert sum(one.state == look.TROUBLE for one in look.load()) == troubles


@pytest.mark.parametrize("may, state", [("3000000", look.FINE), ("1200000", look.TROUBLE), (None, look.UNKNOWN)])
def test_a_processor_held_below_its_clock(monkeypatch, tmp_path, may, state):
    monkeypatch.setattr(look.sys, "platform", "linux")
    monkeypatch.setattr(look, "_FREQUENCY", tmp_path)
    if may:
        (tmp_path / "cpuinfo_max_freq").write_text("3000000")
        (tmp_path / "scaling_max_freq").write_text(may)
    assert look.clock().state == state


@pytest.mark.parametrize(
    "told, states",
    [
        ("0, 40, 0x0000000000000001", [look.FINE]),
        ("97, 80, 0x0000000000000000", [look.TROUBLE]),
        ("0, 90, 0x0000000000000020", [look.FINE, look.TROUBLE]),
        ("", [look.UNKNOWN]),
        ("N/A, N/A, N/A", [look.UNKNOWN]),
    ],
)
def test_the_card(monkeypatch, told, states):
    monkeypatch.setattr(look, "output", lambda *_: told)
    assert [one.state for one in look.card("cuda:0")] == states


def test_the_text_names_no_folder_of_the_readers():
    seen = [look.Seen("other work", look.TROUBLE, "something in /home/jane/work")]
    about = text.Contribution({"name": "A box"}, seen, None, {}, "", [], [], [])
    assert "jane" not in text.body(about)


def test_without_tables_it_says_so_before_it_measures(box, monkeypatch, capsys):
    def missing():
        raise UserError("timm's tables can't be had")

    monkeypatch.setattr(predict_tables, "published", missing)
    assert box() == 2 and not Measurer.seen and "can't be had" in capsys.readouterr().err


def test_the_committed_scoreboard_is_what_the_tables_say():
    kept = board.load()
    again = board.scores()
    assert kept[board.TEXTS].values.tolist() == again[board.TEXTS].values.tolist()
    assert kept[board.FIGURES].to_numpy() == pytest.approx(again[board.FIGURES].to_numpy(), nan_ok=True)
    assert walk.TELLING == 20 and provenance.read_sidecar(paths.DATA / board.FILE)
