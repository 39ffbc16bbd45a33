"""The GPU's steps in pieces: what is done, what goes on, and what came out. The sweep itself is a stand-in."""

from __future__ import annotations

import pandas as pd
import pytest

from scripts.bench import gpu, measure, process, sweep, worker
from scripts.common import paths


@pytest.fixture
def swept(monkeypatch, moved, tmp_path):
    """The command lines that sweeps got; `remaining` of each is 0, or what a test sets by the step's word."""
    moved(CACHE=tmp_path / "cache")
    seen, remaining = [], {}

    def go(arguments):
        seen.append(arguments)
        return tmp_path / f"{len(seen)}.csv", next((count for word, count in remaining.items() if word in arguments), 0)

    monkeypatch.setattr(gpu.sweep, "go", go)
    return seen, remaining


def test_every_step_is_a_sweep_that_the_command_line_knows():
    for minutes, what, arguments in gpu.STEPS.values():
        options = sweep.parser().parse_args(arguments)
        assert minutes > 0 and what and options.models


def test_steps_run_in_order_and_again_when_all_were_done(swept, tmp_path, capsys):
    seen, _ = swept
    assert gpu.main(["--out", str(tmp_path / "out")]) == 0 and "all steps done" in capsys.readouterr().out
    assert [arguments[3] for arguments in seen] == ["key", "compiled", "compiled", "repeat", "key", "design"] and list(
        (tmp_path / "out").iterdir()
    ) == []
    gpu.main(["--out", str(tmp_path / "out")])
    assert len(seen) == 2 * len(gpu.STEPS)


def test_a_step_that_was_asked_for_alone_is_not_all(swept, tmp_path, capsys):
    assert gpu.main(["eager", "--out", str(tmp_path)]) == 0
    assert (
        "nothing left of those asked for" in capsys.readouterr().out
        and len(gpu.Steps(tmp_path).left()) == len(gpu.STEPS) - 1
    )


def test_a_step_that_ran_out_of_time_goes_on_and_the_done_ones_do_not(swept, tmp_path, capsys):
    seen, remaining = swept
    remaining["reduce-overhead"] = 7
    gpu.main(["--out", str(tmp_path / "out"), "--minutes", "9"])
    assert "left: best, repeat, train, predict" in capsys.readouterr().out and len(seen) == 3
    assert all("--minutes" in arguments and "--out" in arguments for arguments in seen)
    remaining.clear()
    (tmp_path / "out").rename(tmp_path / "elsewhere")
    gpu.main(["--out", str(tmp_path / "elsewhere"), "--minutes", "9"])
    assert "all steps done" in capsys.readouterr().out and len(seen) == 3 + 4 and "reduce-overhead" in seen[3]


def test_no_step_is_begun_in_the_last_half_minute(swept, tmp_path):
    gpu.main(["--out", str(tmp_path), "--minutes", "0.4"])
    assert swept[0] == []


def test_damaged_notes_of_what_is_done_count_for_nothing(swept, tmp_path):
    for text in ("{", "[1]", '{"other": "x.csv"}'):
        (tmp_path / ".gpu-steps.json").write_text(text)
        assert gpu.Steps(tmp_path).left() == list(gpu.STEPS)


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["fast"], "no such step"),
        (["--minutes", "0"], "--minutes"),
        (["--minutes", "nan"], "--minutes"),
        (["--out", "x.csv"], "a folder"),
    ],
)
def test_odd_arguments_are_one_line(swept, arguments, says, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert gpu.main(arguments) == 2
    error = capsys.readouterr().err.strip()
    assert says in error and len(error.splitlines()) == 1 and swept[0] == []


class Here(process.Measurer):
    """The measuring process's answers without a process, which takes seconds to import torch and timm."""

    def ask(self, verb, *arguments, **_):
        return worker.VERBS[verb](*arguments)


def test_no_gpu_is_one_line(moved, tmp_path, capsys, monkeypatch):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    moved(CACHE=tmp_path)
    monkeypatch.setattr(sweep, "Measurer", Here)
    assert gpu.main(["plain", "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err.strip()
    assert "--device cuda" in error and len(error.splitlines()) == 1 and not list(tmp_path.glob("*.csv"))


def test_the_summary_says_what_came_out(tmp_path):
    def table(name, rates, roofline, **more):
        rows = [
            {
                **dict.fromkeys(measure.columns("infer"), ""),
                "model": model,
                "status": "ok",
                "infer_samples_per_sec": rate,
                "roofline_pct": roofline,
                **more,
            }
            for model, rate in rates
        ]
        return pd.DataFrame(rows), tmp_path / name

    for frame, path in (
        table("benchmark-infer-amp-nchw-pt2110-cu130-h200.csv", [("a", 100), ("b", 100), ("c", 100)], 20),
        table("benchmark-infer-bf16-nhwc-pt2110-cu130-h200-compiled.csv", [("a", 200), ("b", 450)], 55),
    ):
        frame.to_csv(path, index=False)
    pd.concat([table("", [("a", 100 + turn)], 20, round=turn)[0] for turn in (1, 2)]).to_csv(
        tmp_path / "repeat-infer-amp-nhwc-pt2110-cu130-h200.csv", index=False
    )
    said = gpu.summary(tmp_path)
    assert (
        "best over plain: 3.00 (geometric mean over 2" in said[0]
        and "compiled: 55" in said[1]
        and "p95 0.99% over 1" in said[2]
    )
    assert gpu.summary(tmp_path / "nowhere") == []
    for frame, path in (
        table("benchmark-infer-amp-nchw-pt2110-cu130-rtx5090.csv", [("a", 1000), ("b", 1000)], 20),
        table("benchmark-infer-amp-nchw-pt2110-cu130-rtx5090-compiled.csv", [("a", 9000), ("b", 9000)], 30),
        table("benchmark-infer-bf16-nhwc-pt2110-cu130-rtx5090-compiled.csv", [("a", 2000), ("b", 2000)], 40),
    ):
        frame.to_csv(path, index=False)
    said = gpu.summary(tmp_path)
    assert (
        "NVIDIA H200: best over plain: 3.00 (geometric mean over 2" in said[0]
        and "RTX 5090: best over plain: 2.00" in said[3]
    )


def test_the_steps_and_the_design_need_no_package_beyond_pandas():
    """What a lent machine may lack; torch and timm are for the measuring process alone."""
    import subprocess
    import sys

    code = (
        "import sys\nfor name in ('rich', 'psutil', 'pynvml', 'plotly', 'sklearn', 'scipy', 'torch', "
        "'timm'): sys.modules[name] = None\n"
        "from scripts.bench import gpu\nfrom scripts.predict import "
        "design as predict_design\ngpu.main(['--list'])\nprint(len(predict_design.design(None, 'gpu')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in gpu.STEPS) and int(done.stdout.splitlines()[-1]) >= 20
