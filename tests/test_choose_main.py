"""Ranking backbones on a folder: what is dropped when time is short, what is called a tie, and what a user does
wrong."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scripts.choose import __main__ as command, candidates, look, race, said, table
from scripts.common import provenance
from scripts.common.errors import UserError
from scripts.train import choice, features, frozen, hub
from tests.killing import kills, snapshot


def draw(path: Path, colour: tuple[int, int, int], random) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.clip(random.integers(-80, 80, (6, 6, 3)) + np.array(colour), 0, 255).astype(np.uint8)
    Image.fromarray(np.kron(blocks, np.ones((8, 8, 1), np.uint8))).save(path)


@pytest.fixture
def folder(tmp_path) -> Path:
    random = np.random.default_rng(0)
    for split, count in (("train", 24), ("test", 8)):
        for number in range(count):
            draw(tmp_path / "photos" / split / "sea" / f"{number}.png", (60, 90, 190), random)
            draw(tmp_path / "photos" / split / "wood" / f"{number}.png", (80, 170, 60), random)
    return tmp_path / "photos"


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch, moved):
    """Caches and pictures in a temporary folder, no hub."""
    moved(CACHE=tmp_path / "cache")
    monkeypatch.setattr("scripts.train.datasets.CACHE", tmp_path / "cache")
    moved(CHARTS=tmp_path / "charts")
    monkeypatch.setattr(hub, "answers", lambda: False)
    monkeypatch.setattr(hub, "cached", lambda repository: None)


def run(folder: Path, out: Path, *more: str) -> int:
    return command.main([str(folder), "--out", str(out), "--backbones", "histogram", *more])


@pytest.mark.slow
def test_a_folder_is_ranked_and_nothing_of_it_is_told(folder, tmp_path, capsys):
    out = tmp_path / "data"
    out.mkdir()
    assert run(folder, out, "random@32") == 0
    printed = capsys.readouterr().out
    assert "right on" in printed and "90% interval" in printed and f"Next: make train DATA={folder}" in printed
    (found,) = choice.runs(out)
    assert found.dataset == "photos" and found.judged_on == "test" and len(found.table) == 2
    assert found.facts["test_images"] == 16 and found.facts["training_images"] == 48
    written = " ".join(path.read_text() for path in out.iterdir())
    assert not re.search(r"\d+\.png", written) and str(tmp_path) not in written
    assert choice.of(found.facts["checksum"], out).dataset == "photos" and choice.of("another", out) is None


@pytest.mark.slow
def test_the_same_command_computes_nothing_again(folder, tmp_path, monkeypatch):
    assert run(folder, tmp_path) == 0
    monkeypatch.setattr(features.Extractor, "_features", lambda self, squares: pytest.fail("computed again"))
    assert run(folder, tmp_path) == 0


@pytest.mark.slow
def test_other_photos_under_the_same_name_lose_no_result(folder, tmp_path):
    assert run(folder, tmp_path) == 0
    draw(folder / "train" / "sea" / "new.png", (60, 90, 190), np.random.default_rng(9))
    assert run(folder, tmp_path) == 0
    assert len(choice.runs(tmp_path)) == 2 and len({found.facts["checksum"] for found in choice.runs(tmp_path)}) == 2


@pytest.fixture
def write(tmp_path, monkeypatch):
    """write(checksum, rows) keeps made-up tables as the command does; their folder is write.out."""
    monkeypatch.setattr(command.table, "rounded", lambda frame: frame)
    monkeypatch.setattr(provenance, "sidecar", lambda *_, **facts: {"schema": 1, "hardware": {}, **facts})
    monkeypatch.setattr(command.hardware, "slug", lambda device: "box")
    out = tmp_path / "out"
    out.mkdir()

    def keep(checksum: str, rows: int) -> Path:
        one = pd.DataFrame({"a": range(rows)})
        return command.write(one, one, one, {"dataset": "photos", "checksum": checksum}, out, "cpu")

    keep.out = out
    return keep


def test_a_kill_while_tables_are_written_is_mended_by_the_next_run(write):
    write("old", 1)
    before = snapshot(write.out)
    write("old", 2)
    after = snapshot(write.out)

    def reset():
        for name, content in before.items():
            (write.out / name).write_bytes(content)

    for _ in kills(lambda: write("old", 2), reset):
        found = snapshot(write.out, ".csv", ".json")
        assert all(content in (before[name], after[name]) for name, content in found.items())
        write("old", 2)
        assert snapshot(write.out) == after


def test_a_damaged_record_of_an_earlier_run_costs_no_result(write):
    main = write("old", 1)
    before = main.read_bytes()
    for content in ("{", "<<<<<<< HEAD", '{"schema": 1}'):
        main.with_suffix(".json").write_text(content)
        assert write("new", 2).name == "choose-photos-new-box.csv" and main.read_bytes() == before


def test_without_test_photos_all_are_cross_validated(folder, tmp_path):
    assert run(folder / "train", tmp_path) == 0
    (found,) = choice.runs(tmp_path)
    assert found.judged_on == "cv" and found.table["photos"].max() == 48 and found.facts["test_images"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said_so"),
    [
        (["--minutes", "0"], "choose a number over 0"),
        (["--minutes", "nan"], "choose a number over 0"),
        (["--downloads", "-1"], "megabytes"),
        (["--backbones", "no_such_network"], "no weights called 'no_such_network'"),
        (["--backbones", "resnet18@99999"], "maybe with @pixels"),
        (["--backbones", "resnet18@4"], "32 to 1024 pixels"),
        (["--backbones", "rm -rf"], "a network of timm's"),
        (["--backbones", "resnet18"], "hub cannot be reached"),
        (["--weights", "/no/such/folder"], "no such folder of weights"),
        (["--minutes", "0.0001"], "choose about MINUTES="),
        (["--device", "tpu"], "auto, cpu, cuda"),
    ],
)
def test_a_mistake_is_one_line(folder, tmp_path, capsys, arguments, said_so):
    if "--backbones" not in arguments and "--weights" not in arguments:
        arguments = [*arguments, "--backbones", "histogram"]
    assert command.main([str(folder), "--out", str(tmp_path), *arguments]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error:") and said_so in last


def test_a_class_of_near_copies_is_named(folder, tmp_path, capsys):
    random = np.random.default_rng(3)
    draw(tmp_path / "one.png", (200, 80, 80), random)
    original = np.asarray(Image.open(tmp_path / "one.png")).astype(int)
    for split, count in (("train", 8), ("test", 2)):
        for number in range(count):
            path = folder / split / "brick" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            noise = random.integers(-3, 3, original.shape)
            Image.fromarray(np.clip(original + noise, 0, 255).astype(np.uint8)).save(path)
    assert run(folder, tmp_path) == 2
    assert "'brick' are near-copies" in capsys.readouterr().err


# --- the race, with backbones that are made up ------------------------------------------------------------------------


class Made:
    """An extractor whose features are right by a signal, at a cost a photo."""

    def __init__(self, name: str, signal: float, labels: np.ndarray, cost: float = 0.0, weights: str = "made-up"):
        self.backbone = features.Backbone(name, 32, weights)
        random = np.random.default_rng(len(name))
        self.values = random.normal(size=(len(labels), 20)) + signal * np.eye(20)[labels]
        self.known, self.seconds, self.timings, self.running = {}, 0.0, [], None
        self.speed, self.cost, self.runtime, self.precision, self.threads = 1 / max(cost, 1e-6), cost, "none", "fp32", 1

    def missing(self, hashes):
        return [row for row, one in enumerate(hashes) if one not in self.known]

    def seconds_for(self, hashes):
        return len(self.missing(hashes)) * self.cost

    def run(self, pixels, hashes, deadline=float("inf")):
        for row in self.missing(hashes):
            if time.monotonic() > deadline:
                return False
            self.known[hashes[row]] = self.values[int(hashes[row])]
        return True

    def matrix(self, hashes):
        return np.stack([self.known[one] for one in hashes]).astype(np.float32)


@pytest.fixture
def photos() -> race.Photos:
    labels = np.arange(2000) % 2
    order = race.drawing_order(labels[:1500])
    return race.Photos(np.zeros((2000, 3, 4, 4), np.uint8), [str(row).encode() for row in range(2000)], labels,
                       ["a", "b"], order, np.arange(1500, 2000), np.arange(2000))  # fmt: skip


def compete(photos, minutes: float, **made) -> tuple[list[race.Runner], race.Runner, list[str]]:
    lines: list[str] = []
    runners = [race.Runner(Made(name, *how[:1], photos.labels, *how[1:])) for name, how in made.items()]
    best = race.run(runners, photos, time.monotonic() + 60 * minutes, lines.append)
    return runners, best, lines


def test_the_better_one_wins_and_a_tie_is_called_one(photos):
    runners, best, _ = compete(photos, 60, good=(1.2, 0.002), alike=(1.2, 0.001), poor=(0.3,), none=(0.0, 0, "random"))
    frame = table.table(runners, best, photos).set_index("backbone")
    assert best.name.startswith(("good", "alike")) and frame["photos"].eq(1500).all()
    assert set(frame["verdict"]) == {"best", "tied", "behind", "floor"} and frame.loc["poor", "verdict"] == "behind"
    text = said.sentence(table.table(runners, best, photos), 500)
    assert "500 test photos" in text and "at 32 pixels" in text
    assert frame["test_accuracy"].notna().all() and frame.loc["none", "cv_accuracy"] < 0.6


def test_what_is_really_behind_is_dropped_when_time_is_short(photos):
    runners, best, lines = compete(photos, 0.1, good=(1.2, 0.002), poor=(0.2, 0.002), floor=(0.0, 0.001, "random"))
    states = {runner.extractor.backbone.name: runner.state for runner in runners}
    assert states == {"good": "whole", "poor": "dropped", "floor": "dropped"} and best.extractor.backbone.name == "good"
    assert any("really behind good" in line for line in lines)
    row = table.table(runners, best, photos).set_index("backbone").loc["poor"]
    assert row["photos"] == 240 and row["verdict"] == "behind" and row["behind_low"] > 0


def test_time_for_all_photos_of_one_is_kept_back(photos):
    runners, best, _ = compete(photos, 0.06, slow=(1.2, 0.004), slower=(1.2, 0.005), quick=(1.0, 0.0005))
    assert best.state == "whole" and best.test_probabilities is not None and best.extractor.backbone.name == "quick"
    assert any("longer than the time left" in runner.note for runner in runners)


def test_what_cannot_be_tried_is_said(photos, monkeypatch):
    waiting = lambda runners: [one for one in runners if one.state == "racing" and not one.right]
    monkeypatch.setattr(race, "too_late", lambda runners, *_: 0 < len(waiting(runners)) <= 2)
    runners, best, _ = compete(photos, 60, one=(1.2, 0.001), two=(1.2, 0.001), three=(1.2, 0.001), four=(1.2, 0.001))
    frame = table.table(runners, best, photos)
    assert best.state == "whole" and frame["verdict"].tolist() == ["best", "tied", "untried", "untried"]
    assert "really ahead of all" not in said.sentence(frame, 500)
    assert "judge 2 networks on all photos" in said.unfinished(frame) and said.unfinished(frame.head(2)) == ""
    assert frame["note"].iloc[-1] == "the time did not suffice to try it" and "not tried" in said.text_table(frame)


def test_a_rung_that_takes_longer_than_planned_still_ends_with_one_whole(photos):
    slow = race.Runner(Made("slow", 1.15, photos.labels, 0.0001))
    runners = [race.Runner(Made("best", 1.6, photos.labels, 0.0001)), slow]
    whole = slow.extractor.run

    def run(pixels, hashes, deadline):  # a neighbour comes: from the second rung on it takes ten times as long
        slow.extractor.cost = 10.0 if len(hashes) > 240 else slow.extractor.cost
        return whole(pixels, hashes, deadline)

    slow.extractor.run = run
    best = race.run(runners, photos, time.monotonic() + 5, lambda line: None)
    assert best is runners[0] and best.state == "whole"


def test_another_is_tried_only_while_one_can_still_see_all_photos(photos):
    runners = [race.Runner(Made("one", 1.2, photos.labels, 0.001)), race.Runner(Made("two", 1.2, photos.labels))]
    rows, everything = photos.train[:240], [*photos.train, *photos.test]
    race.advance(runners[0], photos, rows, 240, time.monotonic() + 60, lambda line: None)  # 1.8 s for the others
    late = [race.too_late(runners, photos, everything, 1.0, time.monotonic() + left) for left in (5.0, 2.5)]
    assert late == [False, True]


def test_a_run_that_time_cuts_short_still_says_what_it_knows(photos):
    runner = race.Runner(Made("slow", 1.2, photos.labels, 0.001))
    whole = runner.extractor.run
    runner.extractor.run = lambda pixels, hashes, deadline: len(hashes) < 1000 and whole(pixels, hashes, deadline)
    best = race.run([runner], photos, time.monotonic() + 60, lambda line: None)
    assert best.photos == 960 and best.test_probabilities is None
    assert look.learning_curve(best, photos)["photos"].max() < 960
    assert "by a probe that had not seen it" in said.sentence(table.table([runner], best, photos), 500)


def test_with_time_nothing_is_dropped(photos):
    runners, _, _ = compete(photos, 60, good=(1.2, 0.002), poor=(0.2, 0.004))
    assert all(runner.state == "whole" for runner in runners)


def test_one_that_fails_is_left_out_and_said(photos):
    def fails(*_, **__):
        raise UserError("its weights are damaged")

    runners = [race.Runner(Made("good", 1.2, photos.labels)), race.Runner(Made("bad", 1.2, photos.labels))]
    runners[1].extractor.run = fails
    best = race.run(runners, photos, time.monotonic() + 600, lambda line: None)
    frame = table.table(runners, best, photos)
    assert frame["verdict"].tolist() == ["best", "failed"] and "damaged" in frame["note"].iloc[1]
    runners[0].extractor.run = fails
    with pytest.raises(UserError, match="no backbone could be used"):
        race.run([race.Runner(one.extractor) for one in runners], photos, time.monotonic() + 600, lambda line: None)


def test_any_first_part_of_the_order_holds_each_class_in_its_share():
    labels = np.array([0] * 900 + [1] * 90 + [2] * 10)
    order = race.drawing_order(labels)
    assert sorted(order) == list(range(1000))
    assert np.bincount(labels[order[:200]], minlength=3).tolist() == pytest.approx([180, 18, 2], abs=1)


def test_wrong_labels_are_found_and_shown_here_alone(photos, tmp_path):
    photos.labels = photos.labels.copy()
    signal = photos.labels.copy()
    photos.labels[[3, 1600]] ^= 1
    runner = race.Runner(Made("good", 6.0, signal))
    best = race.run([runner], photos, time.monotonic() + 600, lambda line: None)
    found = look.doubtful(best, photos, [f"{row}.jpg" for row in range(2000)])
    assert set(found["file"]) == {"3.jpg", "1600.jpg"}
    picture = look.show(found, photos, "photos", tmp_path)
    assert picture.exists() and "3.jpg" in picture.with_suffix(".csv").read_text()
    assert look.show(found.iloc[:0], photos, "photos", tmp_path) is None and not picture.exists()
    assert look.confusion(best, photos)["photos"].sum() == 2


def test_the_learning_curve_says_whether_more_photos_would_help(photos):
    best = race.run([race.Runner(Made("good", 1.0, photos.labels))], photos, time.monotonic() + 600, lambda line: None)
    curve = look.learning_curve(best, photos)
    assert curve["photos"].iloc[-1] == 1500 and curve["accuracy"].iloc[-1] >= curve["accuracy"].iloc[0] - 0.02
    assert "More photos would" in said.more_photos(look.forecast(curve), curve)
    perfect = curve.assign(accuracy=1.0)
    assert look.forecast(perfect) is None and said.more_photos(None, perfect) == ""


def test_candidates_without_a_hub_are_the_embedded_ones_and_two_floors():
    found, lines = candidates.choose([], None)
    real = [one for one in found if one.make and one.weights != candidates.RANDOM]
    assert len(real) >= 8 and len(found) - len(real) == 2 and "hub cannot be reached" in lines[0]
    assert len({(one.name, one.size) for one in real}) == len(real)


def test_each_kind_of_pretraining_has_its_turn():
    assert candidates.in_turn([["a", "b", "c"], ["d"], ["b", "e"]]) == ["a", "d", "b", "e", "c"]


def test_training_begins_with_what_was_chosen(folder, tmp_path, moved):
    assert run(folder, tmp_path) == 0
    (main,) = [path for path in tmp_path.glob("choose-photos-*.csv") if not path.stem.endswith(choice.PARTS)]
    checksum = json.loads(main.with_suffix(".json").read_text())["checksum"]
    default = frozen.Start("resnet18", 64, None, "")
    moved(DATA=tmp_path)
    found = frozen.decide("", 0, "auto", None, checksum, default)
    assert found.arch.startswith("tf_efficientnet_lite")  # the best is a colour histogram, which nothing can be made of
    main.write_text(main.read_text().replace("colour histogram,,128", "tf_efficientnet_lite1,in1k,192"))
    found = frozen.decide("", 0, "auto", None, checksum, default)
    assert (found.arch, found.size) == ("tf_efficientnet_lite1", 192) and "make choose" in found.said
    assert frozen.decide("", 0, "no", None, checksum, default) == default
    assert frozen.decide("", 128, "auto", None, "another", default).size == 128
