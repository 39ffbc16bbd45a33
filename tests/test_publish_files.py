"""The files of data/v1 and the models' pages: names that break file systems, addresses and HTML; schemas; rivals by the
picker's own rule; every figure on a page in its file, and the other way round."""

from __future__ import annotations

import json
import random
import re

import html5lib
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from scripts.choose import rules
from scripts.common import words
from scripts.common.errors import UserError
from scripts.common.uncertainty import TIMING_SPREAD
from scripts.contribute import board
from scripts.data import download
from scripts.publish import address, badge, facts, files, more, page
from scripts.publish.rivals import rivals
from tests.publish_fixtures import HOSTILE, made_up, table

HTML = "{http://www.w3.org/1999/xhtml}"


@pytest.fixture(scope="module")
def known() -> facts.Facts:
    return made_up()


# --- file names -------------------------------------------------------------------------------------------------------


def test_a_name_of_timms_is_its_own_file():
    for name in ("convnext_tiny.fb_in22k_ft_in1k", "resnet50", "vit_base_patch16_224.augreg2_in21k_ft_in1k"):
        assert address.of(name) == name


def test_no_two_names_share_a_file_even_where_case_does_not_count():
    found = address.all_of([*HOSTILE, "CON", "index", "compare", "na", "Con.x", "a.", ".a", "", " ", "\ud800"])
    assert len({file.lower() for file in found.values()}) == len(found)
    for file in found.values():
        assert re.fullmatch(r"[a-z0-9_][a-z0-9_.-]{0,79}", file) and ".." not in file
        assert file.partition(".")[0] not in ("con", "nul", "index", "compare", "embed")


def test_a_name_made_to_look_like_anothers_file_gets_one_of_its_own():
    name = address.of("NA")
    assert address.of(name) != name


def test_two_names_of_one_file_are_an_error(monkeypatch):
    monkeypatch.setattr(address, "of", lambda name: "same")
    with pytest.raises(UserError, match="would share the page same.html"):
        address.all_of(["a", "b"])


# --- rivals -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_what_beats_a_model_is_the_pickers_answer(seed):
    rows = table([f"{arch}_{i}.in1k" for i in range(40) for arch in ("levit", "vit", "beit")], "m", seed)
    rows["arch"] = rows["arch"].str.partition("_")[0] + (rows.index % 17).astype(str)
    rows = rules.complete(rows)
    found = rivals(rows)
    for at in random.Random(seed).sample(list(rows.index), 40):
        mine = rows.loc[[at]]
        picked = rules.replace(_only(rows, at), rows["model"][at]).rows
        expected = tuple(picked.iloc[0][["model", "img_size"]]) if len(picked) else None
        got = found["better"][at]
        assert (tuple(rows.iloc[got][["model", "img_size"]]) if got >= 0 else None) == expected, mine.T


def _only(rows, at):
    """`rows` without the architecture's others: `replace` speaks for a model's best row."""
    return rows[(rows["arch"] != rows["arch"][at]) | (rows.index == at)]


def test_the_faster_rival_is_as_accurate_and_the_fastest():
    rows = table([f"levit_{i}.in1k" for i in range(50)], "m", 3)
    found = rivals(rows)["faster"]
    for at in rows.index:
        row = rows.loc[at]
        as_good = rows[(rows["arch"] != row["arch"]) & (rows["top1"] >= row["top1"])]
        best = as_good["samples_per_sec"].max() if len(as_good) else -np.inf
        expected = best if best > row["samples_per_sec"] * TIMING_SPREAD else None
        assert (rows["samples_per_sec"][found[at]] if found[at] >= 0 else None) == expected


def test_rows_without_speed_or_accuracy_have_no_rivals_and_are_none():
    rows = table(["a.x", "b.x", "c.x"], "m")
    rows[["samples_per_sec", "top1"]] = [[10, 80], [20, np.nan], [np.nan, 99]]
    assert (rivals(rows) == -1).all(axis=None)
    assert len(rivals(rows.iloc[:0])) == 0


# --- files ------------------------------------------------------------------------------------------------------------


def checked(folder) -> int:
    """How many files of `folder` were held against their schemas; each error is raised with its file."""
    count = 0
    for kind, found in {
        "index": [folder / "index.json"],
        "matrix": [folder / "matrix.json"],
        "scoreboard": [folder / "scoreboard.json"],
        "machine": sorted((folder / "machines").glob("*.json")),
        "model": sorted((folder / "models").glob("*.json")),
    }.items():
        schema = json.loads((folder / "schema" / f"{kind}.json").read_text())
        Draft202012Validator.check_schema(schema)
        validator = Draft202012Validator(schema)
        for path in found:
            text = path.read_text(encoding="utf-8")
            assert "NaN" not in text and "Infinity" not in text, path
            wrong = next(validator.iter_errors(json.loads(text)), None)
            assert wrong is None, f"{path.name} {wrong.json_path}: {wrong.message[:200]}"
            assert (path.parent / json.loads(text)["$schema"]).resolve() == (
                folder / "schema" / f"{kind}.json"
            ).resolve()
            count += 1
    return count


def test_every_file_fits_its_schema_whatever_the_names(known, tmp_path):
    files.write(tmp_path, known)
    assert checked(tmp_path) == 3 + len(known.machines) + len(known.models)
    index = json.loads((tmp_path / "index.json").read_text())
    assert set(index["models"]) == set(known.models) and {*HOSTILE, "nothing.in1k", "bare"} <= set(index["models"])
    for name, file in index["models"].items():
        assert json.loads((tmp_path / file).read_text())["model"] == name
    assert index["renamed"] == {"levit_old": "levit_1.in1k", "gone_net": ""}


def test_the_scoreboard_of_the_page_is_the_files(tmp_path):
    made, kept = files.scoreboard(), board.load()
    rows = [dict(zip(made["columns"], row)) for row in made["rows"]]
    assert [row["name"] for row in rows] == list(kept["name"]) and made["columns"] == board.COLUMNS
    assert [row["coverage"] for row in rows] == pytest.approx(list(kept["coverage"]))


def test_a_schema_refuses_what_no_file_may_hold(known, tmp_path):
    files.write(tmp_path, known)
    schema = Draft202012Validator(json.loads((tmp_path / "schema" / "model.json").read_text()))
    good = files.model(known.models["levit_1.in1k"], known)
    for key, bad in (("version", "2.0.0"), ("commercial_use", "maybe"), ("page", "model/../x.html"), ("rivals", ["x"])):
        assert not schema.is_valid({**good, key: bad}), key
    row = good["speeds"]["rows"][0]
    for wrong in (row[:-1], [*row, 1], [row[0], 0, *row[2:]], [row[0], row[1], -3.0, *row[3:]]):
        assert not schema.is_valid({**good, "speeds": {**good["speeds"], "rows": [wrong]}}), wrong


def test_a_model_without_anything_has_a_file_and_a_page(known):
    about = files.model(known.models["nothing.in1k"], known)
    assert about["speeds"]["rows"] == [] and about["accuracies"]["rows"] == []
    assert about["frontiers"] == {"on": [], "of": 0}
    text = page.body(known.models["nothing.in1k"], about, known)
    assert "No accuracy of it is published" in text and "not timed on any machine" in text.replace("was not", "not")
    assert badge.words(about["frontiers"]) == "not timed yet"


def test_a_machine_file_and_the_models_files_say_the_same(known):
    for machine in known.machines.values():
        made = files.machine(machine, known)
        rows = [dict(zip(made["columns"], row)) for row in made["rows"]]
        assert len(rows) == len(machine.rows) and made["models"] == machine.rows["model"].nunique()
        for row in rows:
            theirs = files.model(known.models[row["model"]], known)["speeds"]
            same = [dict(zip(theirs["columns"], one)) for one in theirs["rows"]]
            same = [one for one in same if (one["machine"], one["img_size"]) == (machine.key, row["img_size"])]
            assert len(same) == 1
            assert {key: value for key, value in row.items() if key not in ("model", "top1")}.items() <= same[0].items()


def test_names_for_the_search_cannot_end_a_script(known):
    text = files.search(known)
    assert "<" not in text and text.startswith("modelNames({") and text.endswith("});\n")
    found = json.loads(text[len("modelNames(") : -3])
    assert [name for name, _, _ in found["models"]] == list(known.models)
    assert found["old"] == [["levit_old", list(known.models).index("levit_1.in1k")]]


def test_without_timms_tables_the_files_say_so_and_keep_names_and_licences(tmp_path, monkeypatch, moved):
    monkeypatch.delenv("TIMM_RESULTS", raising=False)
    moved(CACHE=tmp_path / "cache")
    monkeypatch.setattr(download, "REMOTE", "http://127.0.0.1:9/{commit}/{file}")
    monkeypatch.setattr(download, "_unreachable", set())
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    away = facts.collect()
    assert len(away.notes) == 1 and "left out" in away.notes[0]
    assert len(away.models) > 1200 and away.models["convnext_tiny.fb_in22k_ft_in1k"].licence == "apache-2.0"
    (tmp_path / "v1").mkdir()
    files.write(tmp_path / "v1", away)
    assert checked(tmp_path / "v1") > 1200
    one = away.models["convnext_tiny.fb_in22k_ft_in1k"]
    assert away.notes[0] in page.body(one, files.model(one, away), away)


# --- pages ------------------------------------------------------------------------------------------------------------


def parsed(text: str):
    parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("etree"))
    root = parser.parse(f"<!DOCTYPE html><title>x</title><main>{text}</main>")
    assert not parser.errors, parser.errors
    return root


def cells(root, kind: str) -> list[list[str]]:
    for one in root.iter(f"{HTML}table"):
        if kind in one.get("class").split():
            body = one.find(f"{HTML}tbody")
            return [["".join(cell.itertext()).strip() for cell in row] for row in body.iter(f"{HTML}tr")]
    return []


def test_a_name_is_text_on_its_page(known):
    for name in HOSTILE:
        one = known.models[name]
        root = parsed(page.body(one, files.model(one, known), known))
        assert not list(root.iter(f"{HTML}img")) and not list(root.iter(f"{HTML}script"))
        code = "".join(next(root.iter(f"{HTML}code")).itertext())
        made = re.search(r"create_model\((.*), pretrained", code)
        assert json.loads(made[1]) == name


def compare_page_and_file(known: facts.Facts, one: facts.Model) -> None:
    """Every figure of the page's tables is in the file, and every figure of the file in the tables."""
    about = files.model(one, known)
    root = parsed(page.body(one, about, known))
    rows = [dict(zip(about["speeds"]["columns"], row)) for row in about["speeds"]["rows"]]
    shown = cells(root, "speeds")
    assert len(shown) == len(rows)
    for row, line in zip(rows, shown):
        expected = {str(row["img_size"])}
        for key in ("images_per_second", "latency_ms", "training_images_per_second", "low", "high"):
            expected |= {words.images_per_second(row[key])} if row[key] is not None else set()
        expected |= {str(row["batch_size"])} if row["batch_size"] is not None else set()
        assert set(re.findall(r"\d[\d,.]*(?<!,)", " ".join(line[1:-1]))) == expected, (one.name, line)
    compare_more(known, about, root)
    scores = {(row[0], row[1]): row for row in about["accuracies"]["rows"]}
    wanted = sorted(f"{top1:.2f} ± {2 * se:.2f}" for _, _, top1, _, se in scores.values())
    assert sorted(cell for line in cells(root, "figures") for cell in line if "±" in cell) == wanted


def compare_more(known: facts.Facts, about: dict, root) -> None:
    """The same of the tables that few models have."""

    def column(table: str, name: str) -> list:
        own = about.get(table, {"columns": [name], "rows": []})
        return [row[own["columns"].index(name)] for row in own["rows"]]

    told = [words.images_per_second(rate) for rate in column("runtimes", "images_per_second")]
    assert [line[3].split(" ")[0] for line in cells(root, "runtimes")] == told
    text = ["".join(one.itertext()) for one in root.iter(f"{HTML}p")]
    history = next((one for one in text if one.startswith("Images/s in earlier tables")), "")
    months = [known.earlier[place][1][:7] for place in column("history", "table")]
    rates = [words.images_per_second(rate) for rate in column("history", "images_per_second")]
    assert sorted(re.findall(r"([\d.,]+) \((\d{4}-\d\d)\)", history)) == sorted(zip(rates, months))
    peak = next((one for one in text if one.startswith("Peak memory")), "")
    found = [float(one.replace(",", "")) for one in re.findall(r"([\d.,]+) MB", peak)]
    assert found == column("memory", "peak_memory_mb")
    other = next((one for one in text if one.startswith("The network trained on other pictures")), "")
    assert re.findall(r"([\d.]+)%", other) == [f"{share:.1f}" for share in column("transfer", "accuracy")]


def test_what_few_models_have_is_on_the_page_and_names_in_it_are_text(known):
    one = known.models["levit_1.in1k"]
    about = files.model(one, known)
    assert {"history", "runtimes", "transfer"} <= set(about)
    html = page.body(one, about, known)
    root = parsed(html)
    assert not list(root.iter(f"{HTML}b")) and "<lesions>" not in html and "skin &lt;lesions&gt;" in html
    assert any(source["tables"] == "pepr" for source in about["sources"]) and ">PePR</a>" in html


def test_every_figure_on_a_page_is_in_its_file_and_the_other_way_round(known):
    for one in known.models.values():
        compare_page_and_file(known, one)


@pytest.mark.slow
def test_the_real_models(timm_tables, tmp_path, monkeypatch):
    monkeypatch.setenv("TIMM_RESULTS", str(timm_tables))
    real = more.collect()
    files.write(tmp_path, real)
    assert checked(tmp_path) > 1200 and not real.notes
    for one in list(real.models.values())[::7]:
        compare_page_and_file(real, one)
    table = rules.table("rtx5090")
    for row in random.Random(0).sample(real.machines["rtx5090"].records, 60):
        one = _only(table, table.index[(table["model"] == row["model"]) & (table["img_size"] == row["img_size"])][0])
        picked = rules.replace(one, row["model"]).rows
        better = real.machines["rtx5090"].records[row["better"]]["model"] if row["better"] >= 0 else None
        assert better == (picked["model"].iloc[0] if len(picked) else None)
