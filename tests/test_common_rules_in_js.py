"""Rules that stand once in Python and once in JavaScript: both run on the same cases. Needs node."""

from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from scripts.choose import rules as choose_rules
from scripts.cloud import prices
from scripts.common import paths, uncertainty, words
from scripts.common.frontier import on_frontier
from scripts.figures import explorer, labels, theme
from scripts.runtimes import lines

node = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")


def run(script: str, cases) -> list:
    """What `script` (the body of a function of `cases`) returns, with the page's rules loaded and no page."""
    files = [paths.ASSETS / name for name in ("rules.js", "explorer-rules.js")]
    text = "\n".join(
        [
            "const window = globalThis;",
            f"window.explorerTheme = {json.dumps(explorer.data())};",
            *(file.read_text(encoding="utf-8") for file in files),
            "const S = window.sharedRules, R = window.explorerRules;",
            f"console.log(JSON.stringify(((cases) => {{ {script} }})({json.dumps(cases)})));",
        ]
    )
    done = subprocess.run(["node", "-"], input=text, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def clouds(count: int = 60) -> list[pd.DataFrame]:
    """Tables with ties on one axis and on both."""
    random = np.random.default_rng(0)
    made = []
    for i in range(count):
        n, grain = int(random.integers(1, 60)), int(random.integers(3, 40))
        made.append(
            pd.DataFrame(
                {"speed": random.integers(1, grain, n).astype(float), "top1": random.integers(60, 60 + grain, n) / 2.0}
            ).assign(id=range(n), case=i)
        )
    return made


@node
def test_the_frontier_is_one():
    tables = clouds()
    cases = [table[["id", "speed", "top1"]].to_dict("records") for table in tables]
    for table, mine, places in zip(
        tables,
        run("return cases.map((rows) => S.frontier(rows).map((row) => row.id));", cases),
        run("return cases.map((rows) => R.frontier(rows).map((row) => [row.speed, row.top1]));", cases),
    ):
        assert sorted(mine) == table.index[on_frontier(table, "speed")].tolist()
        # the chart's: one row for each place, the most accurate first, as the pictures have it
        assert places == theme.frontier(table, "speed")[["speed", "top1"]].to_numpy().tolist()


@node
def test_what_is_a_tie_is_one():
    pairs = [(60.0, 61.0), (85.0, 85.3), (99.9, 10.0), (0.0, 100.0)]
    rules = {"images": uncertainty.IMAGES, "sigmas": uncertainty.SIGMAS}
    found = run(f"return cases.map(([a, b]) => S.doubt(a, b, {json.dumps(rules)}));", pairs)
    assert found == pytest.approx([float(uncertainty.top1_uncertainty(*pair)) for pair in pairs])


@node
def test_numbers_and_ticks_are_one():
    numbers = [0.05, 0.5, 7, 12.5, 200, 999, 1000, 1234, 20_000, 1_500_000]
    assert run("return cases.map(S.short);", numbers) == [words.short(number) for number in numbers]
    axes = [(30, 90_000, 800), (30, 90_000, 300), (30, 90_000, 190), (0.5, 30, 250), (3, 4000, 600), (90, 7000, 333)]
    widest = {word: labels.width(word, 13) for low, high, _ in axes for word in map(words.short, _ticks(low, high))}
    found = run(
        f"const widths = {json.dumps(widest)};"
        "return cases.map(([low, high, room]) => R.logTicks(low, high, room, (word) => widths[word]));",
        axes,
    )
    for axis, mine in zip(axes, found):
        assert mine == pytest.approx(theme.ticks(*axis)), axis


def _ticks(low: float, high: float) -> list[float]:
    return [digit * 10.0**decade for decade in range(-2, 7) for digit in (1, 2, 3, 5)]


@node
def test_labels_stand_at_the_same_places():
    """Names of all lengths on crowded charts, with steps and points that count: to the tenth of a pixel."""
    random, area = np.random.default_rng(3), labels.Area(60, 20, 760, 500)
    names = ["levit_384", "eva02_large_patch14_448", "vit_b", "convnext_tiny", "x" * 30, "mobilenetv4_conv_small"]
    cases, expected = [], []
    for _ in range(12):
        n = int(random.integers(3, 14))
        wanted = [
            labels.Label(str(random.choice(names)), *random.uniform((80, 40), (740, 480)).round(1), radius=7.0)
            for _ in range(n)
        ]
        points = np.column_stack(
            [random.uniform((60, 20), (760, 500), (150, 2)), random.choice([0.2, 0.5, 3.0], 150)]
        ).round(2)
        steps = np.sort(random.uniform((60, 20), (760, 500), (5, 2)), axis=0).round(1)
        lines = [
            line
            for (x0, y0), (x1, y1) in zip(steps, steps[1:])
            for line in ((x0, y0, x0, y1), (x0, y1, x1, y1), (x0, y0, x1, y1))
        ]
        placed = labels.place(wanted, area, points, np.array(lines))
        expected.append([(one.label.text, one.label.x, one.box, one.distance > labels.LEADER_FROM) for one in placed])
        cases.append(
            {
                "labels": [
                    {"text": one.text, "x": one.x, "y": one.y, "radius": one.radius}
                    | dict(zip(("width", "height"), labels.box_size(one)))
                    for one in wanted
                ],
                "points": points.tolist(),
                "lines": lines,
                "area": vars(area),
            }
        )
    found = run("return cases.map((one) => R.place(one.labels, one.area, one.points, one.lines));", cases)
    assert sum(map(len, expected)) > 60 and any(leader for case in expected for *_, leader in case)
    for mine, theirs in zip(found, expected):
        assert [(one["text"], one["x"], one["leader"]) for one in mine] == [
            (t, x, leader) for t, x, _, leader in theirs
        ]
        for one, (_, _, box, _) in zip(mine, theirs):
            sides = [one["box"][side] for side in ("left", "top", "right", "bottom")]
            assert sides == pytest.approx([box.left, box.top, box.right, box.bottom], abs=0.1)


@node
def test_runtimes_prices_and_lines_are_one():
    frame = pd.DataFrame({"arch": list("abc"), "img_size": 224, "samples_per_sec": [10.0, 20.0, 33.3]})
    gains = [(0, "openvino", 2.0), (0, "onnxruntime", 2.0), (1, "openvino", 0.4), (1, "onnxruntime", 1.1)]
    others = pd.DataFrame(
        {
            **{"arch": ["abc"[at] for at, *_ in gains], "img_size": 224, "precision": "fp32", "status": "predicted"},
            **{"runtime": [name for _, name, _ in gains], "low": 1.0, "high": 9.0},
            "samples_per_sec": [frame["samples_per_sec"][at] * gain for at, _, gain in gains],
        }
    )
    every = choose_rules.with_ways(frame, others)
    best = choose_rules.fastest_way(every)
    cases = [
        {"speed": speed, "steps": [*map(int, own["steps"]), None]}
        for speed, (_, own) in zip(frame["samples_per_sec"], every.groupby("row"))
    ]
    mine = run(
        f"const step = {choose_rules.STEP};"
        "return cases.map(({speed, steps}) => { const all = steps.map((n) => S.gained(speed, n, step));"
        "const best = S.fastestWay(all); return [best, all[best]]; });",
        cases,
    )
    names = ["openvino", "onnxruntime"]
    assert [names[at] for at, _ in mine] == [way[0] for way in best["way"]] == ["openvino", "onnxruntime"]
    assert [speed for _, speed in mine] == pytest.approx(best["samples_per_sec"].tolist())
    assert run("return cases.map((some) => S.fastestWay(some));", [[], [None], [None, 1, 1]]) == [None, None, 1]
    assert run("return cases.map(([usd, speed]) => S.perMillion(usd, speed));", [[1.5, 100], [0.7, 3]]) == [
        pytest.approx(prices.per_million(*one)) for one in ([1.5, 100], [0.7, 3])
    ]
    texts = [['{a} {b} {{c}} {"x": {a}}', {"a": "1", "c": "2"}], ["no", {}]]
    assert run("return cases.map(([text, values]) => S.filled(text, values));", texts) == [
        lines.filled(*one) for one in texts
    ]
