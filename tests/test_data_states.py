"""Old states of timm's results: sizes that moved, names of their day, files that are gone. Each is read as far as it
can be, and what can't is named; nothing stops.

The small tables here have the shapes of those states. TIMM_MIRROR=<git directory of a clone of timm's repository> runs
the same on every state since 2022.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from scripts.common.hardware import parse_benchmark_name
from scripts.common.paths import DATA
from scripts.data import read_data
from scripts.figures import display_family, display_frontier, display_machines
from scripts.findings import robustness, summary, update, verdicts

pytestmark = pytest.mark.slow  # each judges all findings again

GPU = "benchmark-infer-amp-nhwc-pt111-cu113-rtx3090.csv"
COMPILED = "benchmark-infer-amp-nchw-pt240-cu124-rtx4090-dynamo.csv"
HEADS = {
    "results": "model,img_size,top1,top1_err,top5,top5_err,param_count,crop_pct,interpolation",
    "infer": "model,infer_samples_per_sec,infer_step_time,infer_batch_size,infer_img_size,param_count",
    "train": "model,train_samples_per_sec,train_step_time,train_batch_size,train_img_size,param_count",
}
# architecture, size, top-1, images/s: two families beside the ResNets, which there are enough of to judge claims
NETWORKS = [(f"resnet{10 + i}", 224, 65.0 + i, 9000 / 1.5**i) for i in range(12)]
NETWORKS += [("levit_128", 224, 78.6, 8000.0), ("levit_256", 224, 81.6, 5000.0)]
NETWORKS += [("convnext_tiny", 224, 82.1, 900.0), ("convnext_base", 224, 83.8, 400.0)]
NETWORKS += [("vgg19", 224, 72.4, 300.0), ("beit_base_patch16_224", 224, 85.2, 250.0)]


def results(sizes: dict[str, int] | None = None, tag: str = ".x_in1k") -> str:
    """The accuracies; `sizes` by the beginning of a name, `tag` after each."""
    lines = [HEADS["results"]]
    for arch, size, top1, _ in NETWORKS:
        size = next((moved for name, moved in (sizes or {}).items() if arch.startswith(name)), size)
        lines.append(f"{arch}{tag},{size},{top1},{100 - top1:.3f},95.0,5.0,25.0,0.95,bicubic")
    return "\n".join(lines) + "\n"


def speeds(part: str = "infer", factor: float = 1.0, **renamed: str) -> str:
    lines = [HEADS[part]]
    lines += [f"{renamed.get(arch, arch)},{rate * factor},1.0,256,{size},25.0" for arch, size, _, rate in NETWORKS]
    return "\n".join(lines) + "\n"


@pytest.fixture
def state(tmp_path, monkeypatch, moved):
    """A function that lays out a state of timm's results as the newest vintage, with a small older one beside it.
    Returns the folder in which the project's tables are then."""
    folder = tmp_path / "tables"
    notebook = {read_data.NOTEBOOK_FILE.format(part=part): speeds(part) for part in read_data.PARTS}
    write(folder / read_data.THEN, {read_data.RESULTS: results(tag=""), **notebook})
    own = tmp_path / "data"
    own.mkdir()
    for path in DATA.glob("*"):
        shutil.copy(path, own)
    moved(DATA=own)
    monkeypatch.setattr(read_data, "_said", set())
    for name in ("transfer", "phones", "predict_evaluate", "predict_command"):  # not from timm's, or tested elsewhere
        monkeypatch.setattr(update, name, SimpleNamespace(update=lambda: None))

    def lay(files: dict[str, str]) -> Path:
        write(folder / read_data.NOW, files)
        monkeypatch.setenv("TIMM_RESULTS", str(folder))
        return own

    return lay


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)


def everything(capsys) -> str:
    """Run what reads timm's tables; returns what it said on the error stream."""
    assert update.main([]) == 0
    verdicts.update()
    said = capsys.readouterr().err
    assert "Traceback" not in said and "error" not in said.replace("top1_err", "")
    return said


def test_a_file_whose_sizes_moved_is_left_out_with_families_and_reason(state, capsys):
    """timm 0.6.12, 0.9.2 and 2023: results were tested at new sizes, the speeds beside them not timed again."""
    moved = results(sizes={"convnext": 288, "levit": 256})
    state({read_data.RESULTS: moved, GPU: speeds(), COMPILED: speeds(factor=1.5)})
    said = everything(capsys)
    for file in (GPU, COMPILED):
        (line,) = [line for line in said.splitlines() if line.startswith(f"notice: left out: {file}")]
        assert "convnext (0 of 2, 2 timed at another size)" in line and "levit (0 of 2" in line
    mine = verdicts.load().query("vintage == @read_data.NOW and hardware != ''")
    assert set(mine["verdict"]) == {"no data"} and mine["evidence"].str.contains("convnext").all()


def test_one_old_file_keeps_no_other_from_being_judged(state, capsys):
    old = "benchmark-infer-amp-nchw-pt110-cu113-rtx3090.csv"
    other = speeds(levit_128="levit_128s", levit_256="levit_384")
    state({read_data.RESULTS: results(), GPU: speeds(), old: other})
    assert f"left out: {old}" in (said := everything(capsys)) and "levit (0 of 2, none timed under its name)" in said
    mine = verdicts.load().query("vintage == @read_data.NOW and torch == '1.11'").set_index("claim")
    assert mine.loc["levit_fastest", "verdict"] != "no data"


def test_a_table_without_a_column_is_left_out_and_named(state, capsys):
    state({read_data.RESULTS: results(), GPU: speeds(), COMPILED: speeds().replace("param_count", "params")})
    said = everything(capsys)
    assert f"left out: {COMPILED}" in said and "param_count" in said
    assert (verdicts.load().query("vintage == @read_data.NOW and torch == '1.11'")["verdict"] != "no data").any()


def test_names_as_timm_once_wrote_them(state, capsys):
    """May 2023: SelecSls42b in the results, selecsls42b among the speeds."""
    more = "SelecSls42b.in1k,224,77.2,22.8,93.4,6.6,32.5,0.875,bicubic\n"
    state({read_data.RESULTS: results() + more, GPU: speeds()})
    everything(capsys)
    assert read_data.results(read_data.NOW)["arch"].str.startswith("SelecSls").any()


def test_robustness_tables_that_are_not_there_are_no_data(state, capsys):
    state({read_data.RESULTS: results(), GPU: speeds()})
    everything(capsys)
    mine = verdicts.load().query("vintage == @read_data.NOW and hardware == ''")
    assert len(mine) == len(robustness.SETS) and set(mine["verdict"]) == {"no data"}


def test_upstream_drops_the_files_that_charts_are_drawn_from(state, capsys):
    """The nearest table takes their place, and the chart speaks of that one; without any the chart is left as it is."""
    own = state({read_data.RESULTS: results(), COMPILED: speeds()})
    assert summary.chosen("gpu") == (read_data.NOW, COMPILED) == summary.chosen("card")
    drawing = display_frontier.draw_frontier("gpu", "an {}")
    assert drawing.title.startswith("On an RTX 4090") and "RTX 4090" in drawing.hardware and drawing.date == "undated"
    said = everything(capsys)
    assert "timm has no table of a processor that can be read; the pages do without it" in said
    assert set(pd.read_csv(own / "picks.csv")["machine"]) == {"then", "gpu"}
    assert "machines-succession.csv is kept as it is" in said, "no newer table of the notebook's card"
    display_family._table.cache_clear()
    for draw in (
        lambda: display_frontier.draw_frontier("cpu", "a {}"),
        display_frontier.draw_years,
        display_machines.draw_compiling,
    ):
        with pytest.raises(read_data.TablesMissing):  # `export` keeps the committed picture then
            draw()


def test_upstream_drops_every_table_of_a_card(state, capsys):
    state({read_data.RESULTS: results()})
    said = everything(capsys)
    assert "timm has no table of a graphics card that can be read" in said


def test_the_nearest_table_is_of_the_same_card_then_of_the_same_kind(state):
    newer = "benchmark-infer-amp-nchw-pt2100-cu130-5090.csv"
    files = [GPU, COMPILED, newer, newer.replace("nchw", "nhwc"), newer.replace(".csv", "-dynamo.csv")]
    state({read_data.RESULTS: results(), **dict.fromkeys(files, speeds())})
    assert summary.chosen("gpu")[1] == newer
    assert summary.chosen("card")[1] == GPU, "the notebook's card, and its layout"


# ---- the real ones


def mirror() -> str:
    return os.environ.get("TIMM_MIRROR", "")


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", "-C", mirror(), *arguments], check=True, capture_output=True, timeout=120).stdout


def states() -> list[str]:
    """Commits since 2022 that changed timm's results, oldest first."""
    return git("log", "--reverse", "--format=%H", "--since=2022-01-01", "--", "results").decode().split()


@pytest.mark.skipif(not mirror(), reason="TIMM_MIRROR names no clone of timm's repository")
@pytest.mark.timeout(3600)
def test_every_state_since_2022_is_read_without_a_stop(state, capsys):
    found = states()
    assert len(found) >= 28
    for commit in found:
        names = git("ls-tree", "--name-only", commit, "results/").decode().split()
        tables = {Path(name).name: git("show", f"{commit}:{name}") for name in names if name.endswith(".csv")}
        state(tables)
        said = everything(capsys)
        left = [line for line in said.splitlines() if line.startswith("notice: left out")]
        benchmarks = [name for name in tables if name.startswith(("benchmark-infer-", "benchmark-train-"))]
        assert len(left) < len(benchmarks) or not benchmarks or "table of a graphics card" in said, commit
        assert all(" timed at another size" in line or " none timed under" in line for line in left), commit
        judged = verdicts.load().query("vintage == @read_data.NOW and hardware != ''")
        # what a state does not have keeps the finding that is committed
        assert {parse_benchmark_name(name)["hardware"] for name in benchmarks} <= set(judged["hardware"]), commit
