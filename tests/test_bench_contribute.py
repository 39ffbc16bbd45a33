"""`make check-data`: a fit contribution passes, and each way of being unfit is named."""

import json
import os

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from scripts.bench import contribute, measure
from scripts.common import provenance
from scripts.data import download
from tests.bounds import bounded

NAME = "benchmark-infer-bf16-nhwc-pt2150-cu130-rtx5090.csv"
ROW = {
    "infer_samples_per_sec": 1000.0,
    "infer_step_time": 64.0,
    "infer_batch_size": 64,
    "infer_img_size": 224,
    "param_count": 25.56,
    "infer_gmacs": 4.1,
    "infer_macts": 11.1,
    "status": "ok",
    "samples_per_sec_low": 995.0,
    "samples_per_sec_high": 1004.0,
    "converged": True,
    "batch_asked": "auto",
    "batch_halved": 0,
    "precision": "bf16",
    "layout": "nhwc",
    "compile_mode": "",
    "cuda_graph": False,
    "arithmetic_pct": 40.0,
    "torch": "2.15.0",
    "timm": "1.0.31",
    "measured_at": "2026-11-01T10:00:00Z",
}
FACTS = {
    "schema": 1,
    "command": "python -m scripts.bench.sweep --device cuda",
    "commit": "0" * 40,
    "dirty": False,
    "date": "2026-11-01T10:05:00Z",
    "rows": 2,
    "hardware": {"slug": "rtx5090", "name": "RTX 5090", "kind": "gpu", "driver": "580.1"},
    "versions": {"torch": "2.15.0", "timm": "1.0.31"},
}


def contribution(folder, rows=None, facts=None, name=NAME):
    """Write a pair: `rows` change the rows' cells by number, `facts` the sidecar."""
    table = [
        {**dict.fromkeys(measure.columns("infer"), ""), **ROW, "model": model} for model in ("resnet50", "levit_128s")
    ]
    for number, cells in (rows or {}).items():
        table[number].update(cells)
    path = folder / name
    pd.DataFrame(table).to_csv(path, index=False)
    provenance.write_sidecar(path, {**FACTS, **(facts or {})})
    return path


def test_a_fit_one_passes(tmp_path, capsys):
    path = contribution(tmp_path)
    assert contribute.check(path) == []
    assert contribute.main([str(path)]) == 0
    assert "1 table, no problem" in capsys.readouterr().err


@pytest.mark.parametrize(
    "cells, words",
    [
        ({"infer_samples_per_sec": "", "status": "ok"}, "is ok without a speed"),
        ({"infer_samples_per_sec": -3}, "is ok without a speed"),
        ({"status": "fine"}, "unknown status"),
        ({"status": "failed"}, "failed without a reason"),
        ({"status": "failed", "reason": "out of memory"}, "failed, but has a speed"),
        (
            {
                "status": "failed",
                "infer_samples_per_sec": "",
                "reason": "levit_128s: no file /tmp/torchinductor_jane/x.so",
            },
            "a reason that names a folder or an address",
        ),
        ({"samples_per_sec_low": 1001}, "outside its interval"),
        ({"infer_step_time": 6.4}, "step time and batch size contradict"),
        ({"infer_batch_size": 0}, "batch_size outside 1"),
        ({"infer_img_size": 100000}, "img_size outside 8 to 4096"),
        ({"infer_img_size": 224.5}, "img_size that is no whole number"),
        ({"infer_batch_size": 63.5}, "batch_size that is no whole number"),
        ({"infer_gmacs": -4.1}, "gmacs outside 0"),
        ({"infer_macts": -1}, "macts outside 0"),
        ({"param_count": 0}, "param_count outside"),
        ({"param_count": 1e-300}, "param_count outside"),
        ({"param_count": ""}, "parameters that are none"),
        ({"power_capped": 1.5}, "power_capped outside 0 to 1"),
        ({"torch": "9.9.9"}, "another torch than"),
        ({"timm": "55.0.1"}, "version that does not exist"),
        ({"measured_at": "2026-02-30T10:00:00Z"}, "one that never was"),
        ({"measured_at": "2999-01-01T10:00:00Z"}, "one that never was"),
        ({"measured_at": "1970-01-01T00:00:00Z"}, "one that never was"),
        ({"compile_mode": "=1+1"}, "compile_mode of another form"),
        ({"precision": "fp32"}, "another precision"),
        ({"layout": "nchw"}, "another layout"),
        ({"compile_mode": "max-autotune"}, "compiled or not"),
        ({"arithmetic_pct": 140}, "arithmetic limit"),
        ({"measured_at": "yesterday"}, "no time of measurement"),
        ({"model": "my_own_net"}, "no family for 1 architecture: my_own_net"),
        ({"model": "<script>alert(1)</script>"}, "a model name that timm would not give"),
    ],
    ids=str,
)
def test_an_unfit_row_is_named(tmp_path, cells, words):
    found = contribute.check(contribution(tmp_path, {1: cells}))
    assert any(words in problem for problem in found), found
    assert any(str(cells.get("model", "levit_128s"))[:60] in problem for problem in found)


@pytest.mark.parametrize(
    "facts, words",
    [
        (
            {"hardware": {**FACTS["hardware"], "slug": "rtx4090"}},
            "the sidecar is of rtx4090, the file's name of rtx5090",
        ),
        ({"hardware": {**FACTS["hardware"], "name": ""}}, "does not say what machine"),
        ({"hardware": {**FACTS["hardware"], "driver": ""}}, "the GPU's driver"),
        ({"versions": {}}, "torch unknown"),
        ({"versions": {"torch": "2.4.0"}}, "torch 2.4.0"),
        ({"command": "by hand"}, "not this project's sweep"),
        ({"date": "2999-01-01T00:00:00Z"}, "in the future"),
        ({"date": "soon"}, "date is none"),
        ({"rows": 7}, "counts 7 rows"),
        ({"date": "2026-02-30T10:00:00Z"}, "date is none"),
        ({"note": "/home/alice/x"}, "names a folder"),
        ({"note": "on janes-macbook.local"}, "names a folder or an address"),
        ({"note": "192.168.1.7 answered"}, "names a folder or an address"),
        ({"note": "from fe80::1ff:fe23:4567:890a"}, "names a folder or an address"),
        ({"note": "see ~jane/x"}, "names a folder or an address"),
        ({"note": "see ~/x"}, "names a folder or an address"),
        ({"note": "\\\\server\\share\\x"}, "names a folder or an address"),
        ({"note": "C:\\Users\\jane"}, "names a folder or an address"),
        ({"note": "jörg@müller.de"}, "names a folder or an address"),
        ({"note": "jane@box"}, "names a folder or an address"),
        ({"note": "/Volumes/USB/x"}, "names a folder or an address"),
        ({"note": "/nfs/jane"}, "names a folder or an address"),
        ({"note": "--data=/scratch/jane/x"}, "names a folder or an address"),
        ({"/home/jane/x": 1}, "names a folder or an address"),
        ({"hardware": {**FACTS["hardware"], "name": "<script>alert(1)</script>"}}, "has a name that is none"),
        ({"hardware": {**FACTS["hardware"], "name": "=HYPERLINK(1)"}}, "has a name that is none"),
        ({"hardware": {**FACTS["hardware"], "name": "RTX \u202e5090"}}, "not to be seen"),
        ({"hardware": {**FACTS["hardware"], "name": "RTX\x1b[31m"}}, "not to be seen"),
        ({"hardware": {**FACTS["hardware"], "slug": ["rtx5090"]}}, "the sidecar is of"),
        ({"versions": ["torch"]}, "does not say the versions"),
        ({"versions": {"torch": "2.15.0", "timm": "55"}}, "timm 55, a version that does not exist"),
        ({"versions": {"torch": 2}}, "torch 2, a version that does not exist"),
        ({"note": "x" * 10_000}, "a text of 10,000 characters"),
        ({"rows": 10**300}, "the sidecar counts 1000"),
        ({"schema": -5}, "schema -5"),
        ({"note": "alice@example.org"}, "names a folder or an address"),
        ({"schema": 99}, "schema 99"),
    ],
    ids=str,
)
def test_an_unfit_sidecar_is_named(tmp_path, facts, words):
    found = contribute.check(contribution(tmp_path, facts=facts))
    assert any(words in problem for problem in found), found


def test_a_sweep_that_another_command_called_counts(tmp_path):
    facts = {
        "command": "python -m scripts.bench.gpu eager",
        "code": {"scripts/bench/gpu.py": "0", "scripts/bench/sweep.py": "1"},
    }
    assert contribute.check(contribution(tmp_path, facts=facts)) == []
    assert contribute.check(contribution(tmp_path, facts={**facts, "code": {"scripts/bench/gpu.py": "0"}})) == [
        "the sidecar's command is not this project's sweep"
    ]


def test_a_pre_release_fits_its_name(tmp_path):
    assert contribute.check(contribution(tmp_path, facts={"versions": {"torch": "2.15.0a0+b4e4ee81d3.nv26.1"}})) == []


def test_what_was_trained_names_nobody_either(tmp_path, moved, capsys):
    moved(DATA=tmp_path)
    contribution(tmp_path)
    (tmp_path / "zoo-cats-box.json").write_text(
        json.dumps({"command": "python -m scripts.train.train_models --data=/home/jane/photos"})
    )
    assert contribute.main([]) == 1 and "zoo-cats-box.json: the sidecar names a folder" in capsys.readouterr().out
    (tmp_path / "zoo-cats-box.json").write_text("{}")
    assert contribute.main([]) == 0


def test_no_models_measured(tmp_path):
    failed = {"status": "failed", "reason": "x", "infer_samples_per_sec": ""}
    assert "no model was measured" in contribute.check(contribution(tmp_path, {0: failed, 1: failed}))


def test_an_edited_table_no_longer_fits_its_sidecar(tmp_path):
    path = contribution(tmp_path)
    path.write_text(path.read_text().replace("resnet50,1000.0", "resnet50,1000.1"))
    assert contribute.check(path) == [
        "the sidecar's checksum is of another file; commit the pair that `make bench` wrote"
    ]


def test_a_table_without_sidecar(tmp_path):
    path = contribution(tmp_path)
    path.with_suffix(".json").unlink()
    assert "is missing" in contribute.check(path)[0]


def test_a_copy_of_timm_s_table_is_refused(tmp_path, monkeypatch):
    path = contribution(tmp_path)
    monkeypatch.setattr(download, "registry", lambda: {"x": provenance.sha256(path)})
    assert "copy of one of timm's own" in contribute.check(path)[0]


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("my-results.csv", "a\n1\n", "not a benchmark file's name"),
        (NAME, "model,status\nx,ok\n", "columns of another form"),
        (NAME, "<html>", "a web page"),
        (NAME, "model,status\nx,ok,3\n", "3 cells where the header has 2"),
    ],
)
def test_what_is_no_table_gives_one_line(tmp_path, capsys, name, content, words):
    (tmp_path / name).write_text(content)
    assert contribute.main([str(tmp_path / name)]) == 1
    said = capsys.readouterr().out
    assert words in said and said.count("\n") == 1


@pytest.mark.parametrize(
    "text", ["a" * 2**20, "a." * 2**19, "@" * 2**20, "/a" * 2**19, "~" * 2**20, "1." * 2**19, "a:" * 2**19]
)
def test_no_text_takes_longer_than_its_length(text):
    """A cell of a megabyte took minutes. Twice as long takes twice the time: no more than a second in all."""
    import time

    began = time.process_time()
    contribute.PRIVATE.search(text)
    assert time.process_time() - began < 5


def link(path):
    path.rename(path.with_suffix(".kept"))
    path.symlink_to(path.with_suffix(".kept"))


def device(path):
    path.unlink()
    path.symlink_to("/dev/zero")


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def huge(path):
    with path.open("ab") as file:
        file.truncate(2**33)


def deep(path):
    path.write_text('{"hardware": {}, "schema": 1, "x": ' + "[" * 900 + "]" * 900 + "}")


def deeper(path):
    path.write_text("[" * 10**6)


def digits(path):
    path.write_text(json.dumps({**FACTS, "rows": 1}).replace('"rows": 1', '"rows": 1' + "0" * 5000))


def binary(path):
    path.write_bytes(b"\x00\xff" * 1000)


def one_long_cell(path):
    path.write_text(path.read_text() + '"' + "a" * 2**20 + '"\n')


def many_columns(path):
    path.write_text(",".join(f"c{n}" for n in range(100_000)) + "\n" + ",".join("1" * 100_000) + "\n")


def many_rows(path):
    path.write_text(path.read_text() + ",\n" * 500_000)


@pytest.mark.parametrize("suffix", [".csv", ".json"])
@pytest.mark.parametrize(
    "spoil",
    [link, device, pipe, huge, deep, deeper, digits, binary, one_long_cell, many_columns, many_rows],
    ids=lambda spoil: spoil.__name__,
)
def test_a_hostile_file_is_a_line_and_the_others_are_checked(tmp_path, capsys, spoil, suffix):
    good = contribution(tmp_path)
    bad = contribution(
        tmp_path, name=NAME.replace("rtx5090", "rtx4090"), facts={"hardware": {**FACTS["hardware"], "slug": "rtx4090"}}
    )
    spoil(bad.with_suffix(suffix))
    assert contribute.main([str(good), str(bad)]) == 1
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and said.startswith(bad.name) and len(said) < 700


def test_a_name_is_no_command_to_what_shows_the_log(tmp_path, moved, capsys):
    moved(DATA=tmp_path)
    for name in ("::error file=x::y.json", "a\x1b[31m\n::warning::b.json"):
        (tmp_path / name).write_text("{")
    contribute.main([])
    said = capsys.readouterr().out
    assert "\x1b" not in said and said.count("\n") == 2 and all(line.startswith("'") for line in said.splitlines())


@pytest.fixture
def read_once(monkeypatch):
    """A table that is the same each time is read and judged the first time."""

    def once(work):
        found = []

        def first(*given, **more):
            if not found:
                found.append(work(*given, **more))
            return found[0]

        return first

    for name in ("read_table", "_rows"):
        monkeypatch.setattr(contribute, name, once(getattr(contribute, name)))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from([*FACTS, "note"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
            max_leaves=8,
        ),
        min_size=1,
    )
)
def test_no_sidecar_ends_in_a_traceback(tmp_path, read_once, facts):
    """A hundred made up: each is one list of sentences, and none passes with another fact than a note."""
    found = contribute.check(contribution(tmp_path, facts=facts))
    assert all(isinstance(problem, str) and "\n" not in problem for problem in found)
    told = {name: value for name, value in facts.items() if name in ("schema", "date", "hardware", "versions")}
    assert found or not any(value != FACTS[name] for name, value in told.items())


def test_the_same_model_twice(tmp_path, capsys):
    assert contribute.main([str(contribution(tmp_path, {1: {"model": "resnet50"}}))]) == 1
    assert "stands twice" in capsys.readouterr().out


def test_the_sidecars_of_the_project_name_nobody():
    for path in contribute.DATA.glob("*.json"):
        assert not contribute.PRIVATE.search(json.dumps(json.loads(path.read_text()))), path.name


IMPOSSIBLE = (
    "=1+1",
    "<script>",
    "\x1b[31m",
    "\u202e9",
    "9" * 300,
    "-1",
    "1e999",
    "é" * 600,
    "/home/jane/x",
    "[" * 999,
)
FREE = {"reason", "notes"}  # columns where a text may stand, as long as it names nobody


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([name for name in measure.columns("infer") if name not in FREE]),
    st.sampled_from(IMPOSSIBLE) | st.binary(max_size=30).map(lambda some: "?" + some.decode("latin-1")),
    st.integers(0, 1),
)
def test_no_hostile_cell_is_accepted(tmp_path, capsys, column, cell, row):
    """A hundred made up: one line or a few, none accepted, none dear."""
    path = contribution(tmp_path, {row: {column: cell}})
    with bounded():
        assert contribute.main([str(path)]) == 1, (column, cell)
    said = capsys.readouterr().out
    assert all(line.startswith(path.name) and line.isprintable() and len(line) < 700 for line in said.splitlines())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([".csv", ".json"]), st.data())
def test_no_damaged_file_is_accepted(tmp_path, capsys, suffix, data):
    """A hundred pairs of which one file has bytes changed, added, cut or repeated."""
    path = contribution(tmp_path)
    target = path.with_suffix(suffix)
    content = bytearray(target.read_bytes())
    where = data.draw(st.integers(0, len(content) - 2))
    how = data.draw(st.sampled_from(["change", "cut", "add", "repeat"]))
    some = data.draw(st.binary(min_size=1, max_size=20)) + b"\xff"  # no UTF-8
    if how == "cut":
        del content[where:]
    else:
        content[where : where + (how == "change")] = some if how != "repeat" else bytes(content[:where] + some) * 50
    target.write_bytes(bytes(content))
    with bounded():
        assert contribute.main([str(path)]) == 1
    assert all(line.isprintable() and len(line) < 700 for line in capsys.readouterr().out.splitlines())
