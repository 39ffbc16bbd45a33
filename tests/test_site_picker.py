"""The picker page in a real browser, opened as a file: its answers are compared with the command line's rules on
the same data.
"""

from __future__ import annotations

import random
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from scripts.choose import files as picker_files, rules
from scripts.common import paths

HOSTILE = "vit_<img src=x onerror=document.title='owned'>.in1k"


def made_up(hardware: str, seed: int) -> pd.DataFrame:
    """A tidy table of 200 invented weights (real family names, random figures, ties among them), with one hostile
    name.
    """
    dice = np.random.default_rng(seed)
    names = [
        f"{arch}_{seed}{i:03}.{tag}"
        for i, (arch, tag) in enumerate(
            zip(
                dice.choice(["levit", "convnext", "vit", "resnet50", "beit"], 199),
                dice.choice(["in1k", "fb_in22k_ft_in1k", "fb_dist_in1k", "laion2b_ft_in1k"], 199),
            )
        )
    ] + [HOSTILE if seed == 1 else "vit_plain.in1k"]
    rows = len(names)
    return pd.DataFrame(
        {
            "model": names,
            "arch": [name.partition(".")[0] for name in names],
            "tag": [name.partition(".")[2] for name in names],
            "family": [re.match(r"[a-z]+", name)[0] for name in names],
            "kind": "convnet",
            "pretrain": dice.choice(["in1k", "distilled", "in21k", "web"], rows),
            "img_size": dice.choice([160, 224, 384], rows),
            "top1": np.append(dice.integers(700, 900, rows - 1) / 10, 95),
            "top5": 95.0,
            "param_count": dice.integers(10, 900, rows) / 10,
            "gmacs": 1.0,
            "macts": 1.0,
            "part": "infer",
            "samples_per_sec": dice.permutation(np.arange(10, 10 + 2 * rows, 2)).astype(float),
            "batch_size": dice.choice([1, 64], rows),
            "hardware": hardware,
            "precision": "amp",
            "layout": "nchw",
            "compiled": False,
            "torch": "2.9.1",
            "vintage": "newest",
            "date": "2026-01-06",
        }
    ).assign(secs=lambda t: 1 / t.samples_per_sec)


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return {
        "rtx5090": made_up("rtx5090", 1),
        "rtx4090": made_up("rtx4090", 2).drop(columns="batch_size").assign(batch_size=64),
    }


def others(tables) -> pd.DataFrame:
    """Speeds of the RTX 4090's networks in two runtimes, some unknown in the second; the first is measured in the
    first."""
    own = tables["rtx4090"].drop_duplicates(["arch", "img_size"])
    dice = np.random.default_rng(5)
    parts = []
    for runtime, precision, gain in (
        ("openvino", "fp32", 1.5),
        ("openvino", "int8", 4.0),
        ("onnxruntime", "fp32", 1.6),
    ):
        speed = own["samples_per_sec"] * gain * np.exp(dice.normal(0, 0.3, len(own)))
        made = own[["arch", "img_size"]].assign(runtime=runtime, precision=precision, samples_per_sec=speed)
        made = made.assign(low=speed / 1.4, high=speed * 1.4, status="predicted")
        parts.append(made if precision == "fp32" else made.iloc[::2])
    parts[0].loc[parts[0].index[0], "status"] = "measured"
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def site(tables, tmp_path_factory):
    """A folder with the page's own form, script and the made-up data, as it lies in the site."""
    folder = tmp_path_factory.mktemp("picker")
    for name in ("assets", "report", "charts/picker"):
        (folder / name).mkdir(parents=True)
    for name in ("rules.js", "picker.js"):
        shutil.copyfile(paths.ASSETS / name, folder / "assets" / name)
    for name, text in picker_files.scripts(picker_files.picker_data(tables, {}, {"rtx4090": others(tables)})).items():
        (folder / "charts" / "picker" / name).write_text(text)
    form = re.search(r"```\{=html\}\n(.*?)```", (paths.ROOT / "report" / "picker.qmd").read_text(), re.S)[1]
    (folder / "report" / "picker.html").write_text(
        f"<!doctype html><meta charset=utf-8><title>page</title>{form}<script src=../assets/rules.js></script>"
        "<script src=../assets/picker.js></script>"
    )
    return folder / "report" / "picker.html"


@pytest.fixture(scope="module")
def tab(site, browser):
    tab = browser.new_page()
    tab.errors = []
    tab.on("pageerror", lambda error: tab.errors.append(str(error)))
    tab.goto(site.as_uri())
    tab.wait_for_selector("#picker[data-answered]")
    yield tab
    tab.close()


def ask(tab, **fields) -> list[dict]:
    """Fill the form, wait for the answer, and return the picks as {name, ties}."""
    before = int(tab.get_attribute("#picker", "data-answered") or 0)
    tab.evaluate(
        """fields => { const form = document.getElementById('picker'); form.reset();
        for (const field of form.elements)
          if (field.type === 'checkbox') field.checked = (fields[field.name] || []).includes(field.value);
          else if (field.name in fields) field.value = fields[field.name];
        form.dispatchEvent(new Event('input', {bubbles: true})); }""",
        {key: value if isinstance(value, list) else str(value) for key, value in fields.items()},
    )
    tab.wait_for_timeout(60)
    tab.wait_for_function("before => Number(document.getElementById('picker').dataset.answered) > before", arg=before)
    tab.wait_for_timeout(20)
    return tab.evaluate("""() => [...document.querySelectorAll('#picks > li')].map(li => {
        const said = (li.querySelector('.source') || {textContent: ''}).textContent;
        const ties = said.replace(/^.*can tell: /, '').replace(/\\.$/, '').split(', ').filter(Boolean);
        return {name: li.querySelector('strong').textContent, ties};
    })""")


def expected(tables, key, needs, replace=None):
    rows = rules.complete(tables[key], None)
    found = rules.replace(rows, replace, needs) if replace else rules.pick(rows, needs)
    return [{"name": row.model, "ties": list(row.ties)} for row in found.rows.itertuples()] if len(found.rows) else []


def same(got, wanted):
    assert got == wanted


def test_it_answers_as_the_command_line_does(tab, tables):
    dice = random.Random(3)
    for _ in range(25):
        key, fields, needs = dice.choice(["rtx5090", "rtx4090"]), {}, {}
        for name, low, high in (
            ("min_throughput", 10, 350),
            ("max_params", 5, 90),
            ("max_size", 160, 384),
            ("min_top1", 70, 88),
        ):
            if dice.random() < 0.4:
                needs[name] = fields[name] = dice.randint(low, high)
        if dice.random() < 0.4:
            needs["pretrain"] = tuple(dice.sample(["in1k", "distilled", "in21k", "web"], 2))
            fields["pretrain"] = list(needs["pretrain"])
        same(ask(tab, machine=key, **fields), expected(tables, key, rules.Needs(**needs)))


def test_runtimes_and_precisions_answer_as_the_command_line_does(tab, tables):
    frame, speeds = rules.complete(tables["rtx4090"], None), others(tables)
    for runtime, precision, least in (
        ("openvino", "", 150),
        ("openvino", "int8", 300),
        ("onnxruntime", "", 90),
        ("any", "any", 400),
        ("", "", 100),
        ("", "int8", 100),
    ):
        got = ask(tab, machine="rtx4090", runtime=runtime, precision=precision, min_throughput=least)
        rows = rules.in_runtime(frame, speeds, runtime or "eager", precision or "fp32")
        found = rules.pick(rows, rules.Needs(min_throughput=least)).rows if len(rows) else rows
        same(got, [{"name": row.model, "ties": list(row.ties)} for row in found.itertuples()])
        codes = tab.eval_on_selector_all("#picks pre", "found => found.map(one => one.textContent)")
        assert [code.replace("\n", "\n    ") for code in codes] == [rules.code(row) for row in found.itertuples()]
    assert "choose another" in tab.inner_text("#picker-said") and tab.is_disabled("[name=precision] :text('int8')")
    ask(tab, machine="rtx4090", runtime="openvino", precision="int8")
    assert "runtime=openvino" in tab.url and "precision=int8" in tab.url
    assert "bf16 and int8 change some answers" in tab.inner_text("#picker-said")
    assert re.search(r"in OpenVINO int8 \(predicted, 90%: [\d.,k]+ to [\d.,k]+\)", tab.inner_text("#picks"))
    same(ask(tab, machine="rtx5090", runtime="openvino"), expected(tables, "rtx5090", rules.Needs()))
    assert tab.is_hidden("[name=runtime]") and "were left out" in tab.inner_text("#picker-said")


def test_latency_counts_only_where_it_was_measured(tab, tables):
    same(ask(tab, machine="rtx5090", max_latency=20), expected(tables, "rtx5090", rules.Needs(max_latency=20)))
    ask(tab, machine="rtx4090")
    assert tab.get_attribute(
        "[name=max_latency]", "placeholder"
    ) == "Not measured on RTX 4090" and "Nothing is asked for yet" in tab.inner_text("#picker-said")
    assert tab.is_disabled("[name=max_latency]") and not tab.is_disabled("[name=min_throughput]")


def test_it_begins_with_the_newest_card(site, browser, tables):
    page = browser.new_page()
    page.goto(site.as_uri())
    page.wait_for_selector("#picker[data-answered]")
    assert (
        page.eval_on_selector("[name=machine]", "field => field.value") == list(tables)[-1]
    )  # tables come in the order of their years
    page.close()


def test_replacing_a_model(tab, tables):
    mine = tables["rtx5090"].sort_values("top1").iloc[40].model
    same(ask(tab, machine="rtx5090", replace=mine), expected(tables, "rtx5090", rules.Needs(), mine))
    assert ask(tab, machine="rtx5090", replace="no_such_net") == []
    assert "no_such_net" in tab.inner_text("#picker-said")
    assert ask(tab, machine="rtx5090", replace="constructor") == []
    assert "“constructor” was not timed" in tab.inner_text("#picker-said")


def test_nothing_fits_says_what_is_nearest(tab):
    assert ask(tab, machine="rtx5090", min_throughput=1e9) == []
    assert tab.inner_text("#picker-said").startswith("Nothing fits; the nearest is")


def test_the_address_keeps_the_choice_and_takes_no_strange_machine(tab, site, browser):
    wanted = ask(tab, machine="rtx4090", min_throughput=200)
    other = browser.new_page()
    other.goto(tab.url)
    other.wait_for_selector("#picker[data-answered]")
    assert [li.inner_text() for li in other.query_selector_all("#picks > li strong")] == [one["name"] for one in wanted]
    other.goto(f"{site.as_uri()}#machine=../../evil")
    other.reload()
    other.wait_for_selector("#picker[data-answered]")
    assert other.eval_on_selector("[name=machine]", "field => field.value") in ("rtx4090", "rtx5090")
    other.close()


def test_a_hostile_name_stays_text(tab):
    ask(tab, machine="rtx5090")
    assert HOSTILE in tab.inner_text("#picks") and tab.title() == "page" and not tab.errors


def test_it_works_by_keyboard(tab):
    ask(tab, machine="rtx5090")
    tab.focus("[name=min_throughput]")
    before = tab.inner_text("#picker-said")
    tab.keyboard.type("300")
    tab.wait_for_timeout(200)
    assert tab.inner_text("#picker-said") != before


def test_data_that_are_missing_are_named(site, browser, tmp_path):
    shutil.copytree(site.parent.parent, tmp_path / "copy")
    (tmp_path / "copy" / "charts" / "picker" / "models.js").unlink()
    page = browser.new_page()
    page.goto((tmp_path / "copy" / "report" / "picker.html").as_uri())
    page.wait_for_function("document.getElementById('picker-said').textContent.includes('make data')")
    page.close()


# ---- more of what readers do


def test_a_whole_choice_by_keyboard_alone(tab, tables, browser, site):
    """Tab from field to field, type, tick with the space bar: the same answer as from the command line, and the
    focus stays where it was.
    """
    page = browser.new_page()
    page.goto(site.as_uri())
    page.wait_for_selector("#picker[data-answered]")
    page.focus("[name=machine]")
    page.keyboard.press(
        "End" if tab.evaluate("document.querySelector('[name=machine]').options[0].value") == "rtx4090" else "Home"
    )
    machine = page.eval_on_selector("[name=machine]", "field => field.value")
    page.keyboard.press("Tab")
    page.keyboard.type("120")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.value") == "in21k":
            break
    page.keyboard.press("Space")
    page.wait_for_timeout(250)
    assert page.evaluate("document.activeElement.value") == "in21k" and page.is_checked("[value=in21k]")
    wanted = expected(tables, machine, rules.Needs(min_throughput=120, pretrain=("in21k",)))
    assert (
        page.eval_on_selector_all("#picks > li strong", "found => found.map(one => one.textContent)")
        == [one["name"] for one in wanted]
        and wanted
    )
    page.close()


def test_what_a_screen_reader_hears(tab):
    ask(tab, machine="rtx5090")
    unnamed = tab.evaluate("""() => [...document.querySelectorAll('#picker input, #picker select, #picker button')]
        .filter(field => !(field.labels?.length || field.textContent.trim())).map(field => field.name)""")
    assert unnamed == [] and tab.get_attribute("#picker-said", "role") == "status"
    assert (
        tab.locator("#picker").get_by_role("spinbutton").count() == 6
        and tab.locator("#picker").get_by_role("group").count() >= 1
    )
    assert (
        tab.get_by_role("combobox", name="Hardware").count() == 1
        and tab.get_by_role("combobox", name="Replace my model").count() == 1
    )
    before = tab.inner_text("#picker-said")
    ask(tab, machine="rtx5090", min_throughput=100)
    assert tab.inner_text("#picker-said") != before, "the status line, which is read out, tells of the new answer"


def test_the_line_of_code_creates_the_model_that_is_named(tab):
    for one, code in zip(
        ask(tab, machine="rtx4090"),
        tab.eval_on_selector_all("#picks code", "found => found.map(one => one.textContent)"),
    ):
        made = re.fullmatch(r'timm\.create_model\("(.+)", pretrained=True\)  # (\d+)×\2 pixels', code)
        assert made[1] == one["name"]


def test_a_limit_that_is_no_number_is_named_and_left_out(tab, tables):
    picks = ask(tab, machine="rtx5090", min_throughput=-5, min_top1=75)
    same(picks, expected(tables, "rtx5090", rules.Needs(min_top1=75)))
    assert "“At least, images per second” is not a number above 0" in tab.inner_text("#picker-said")
    assert (
        tab.get_attribute("[name=min_throughput]", "aria-invalid") == "true"
        and tab.get_attribute("[name=min_top1]", "aria-invalid") == "false"
    )


def test_a_limit_that_a_machine_cannot_answer_is_named_and_kept_for_another(tab, tables):
    ask(tab, machine="rtx5090", max_latency=20)
    tab.select_option("[name=machine]", "rtx4090")
    tab.wait_for_function("document.getElementById('picker-said').textContent.includes('was not measured on')")
    assert "max_latency=20" in tab.url and "was left out" in tab.inner_text("#picker-said")
    tab.select_option("[name=machine]", "rtx5090")
    tab.wait_for_function("!document.getElementById('picker-said').textContent.includes('was not measured on')")
    names = [one["name"] for one in expected(tables, "rtx5090", rules.Needs(max_latency=20))]
    assert tab.eval_on_selector_all("#picks > li strong", "found => found.map(one => one.textContent)") == names


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"commercial": ["yes"]}, "its licence is unknown"),
        ({"min_top1": 99, "max_size": 10}, "asked for at"),
        ({"pretrain": ["web"], "max_params": 0.001}, "parameters (M) is"),
        ({"commercial": ["yes"], "replace": "resnet50", "min_top1": 99.9}, "resnet50"),
    ],
)
def test_impossible_combinations_say_what_stands_in_the_way(tab, fields, said):
    assert ask(tab, machine="rtx5090", **fields) == [] and said in tab.inner_text("#picker-said")


def test_start_again_forgets_everything_but_the_page(tab):
    everything = ask(tab, machine="rtx5090", min_throughput=300, pretrain=["web"], replace="levit")
    tab.click("button[type=reset]")
    tab.wait_for_function("document.getElementById('picks').children.length === 3")
    assert (
        "min_throughput" not in tab.url
        and "pretrain" not in tab.url
        and "replace" not in tab.url
        and len(everything) <= 3
    )


def test_an_address_opened_beside_another_takes_its_place(tab, site, tables):
    ask(tab, machine="rtx5090", min_throughput=300, pretrain=["web"])
    tab.evaluate("location.hash = 'machine=rtx4090&max_params=40'")
    tab.wait_for_function(
        "document.querySelector('[name=max_params]').value === '40' && "
        "document.querySelector('[name=min_throughput]').value === ''"
    )
    tab.wait_for_timeout(150)
    names = [one["name"] for one in expected(tables, "rtx4090", rules.Needs(max_params=40))]
    assert tab.eval_on_selector_all(
        "#picks > li strong", "found => found.map(one => one.textContent)"
    ) == names and not tab.is_checked("[value=web]")


def test_a_machine_whose_data_are_missing_is_named(site, browser, tmp_path):
    shutil.copytree(site.parent.parent, tmp_path / "copy")
    (tmp_path / "copy" / "charts" / "picker" / "rtx5090.js").unlink()
    page = browser.new_page()
    page.goto((tmp_path / "copy" / "report" / "picker.html").as_uri() + "#machine=rtx5090")
    page.wait_for_function(
        "document.getElementById('picker-said').textContent.includes('RTX 5090 could not be loaded')"
    )
    page.select_option("[name=machine]", "rtx4090")
    page.wait_for_function("document.getElementById('picks').children.length === 3")
    page.close()


def test_without_script_the_page_says_how_to_ask(site, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.as_uri())
    assert "python -m scripts.choose.rules" in page.text_content("noscript") and not page.is_visible("#picker")
    context.close()


@pytest.fixture(scope="module")
def real_page(timm_tables, tmp_path_factory, browser):
    """The page with timm's real tables, opened as a file."""
    from scripts.perf.picker import page as written

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIMM_RESULTS", str(timm_tables))
        path, size = written(tmp_path_factory.mktemp("real") / "site")
        tab = browser.new_page()
        tab.goto(path.as_uri())
        tab.wait_for_selector("#picker[data-answered]")
        yield tab, size
        tab.close()


def test_on_the_real_tables_page_and_command_line_agree(real_page):
    """Licence, training, latency, names of 2022: everything that the made-up tables lack."""
    tab, size = real_page
    assert size < 150, "kB, gzipped, data and script together"
    asked = [
        (
            "rtx4090",
            {"min_throughput": 5000, "commercial": ["yes"]},
            rules.Needs(min_throughput=5000, commercial=True),
            None,
        ),
        ("rtx3090", {"min_training": 800}, rules.Needs(min_training=800), None),
        (
            "i7_12700h-compiled",
            {"max_latency": 20, "max_params": 30, "pretrain": ["in1k", "distilled"]},
            rules.Needs(max_latency=20, max_params=30, pretrain=("in1k", "distilled")),
            None,
        ),
        ("rtx5090", {"replace": "resnet50"}, rules.Needs(), "resnet50"),
        (
            "rtx5090-compiled",
            {"replace": "convnext_tiny_in22ft1k", "commercial": ["yes"]},
            rules.Needs(commercial=True),
            "convnext_tiny_in22ft1k",
        ),
    ]
    for machine, fields, needs, replaced in asked:
        rows = rules.table(machine)
        found = rules.replace(rows, replaced, needs) if replaced else rules.pick(rows, needs)
        assert [one["name"] for one in ask(tab, machine=machine, **fields)] == found.rows["model"].tolist() and len(
            found.rows
        ), (machine, fields)
    assert ask(tab, machine="rtx5090", min_throughput=1e6, commercial=["yes"]) == []
    assert "Nothing fits; the nearest is" in tab.inner_text("#picker-said")
