"""The frontier chart of the pages in a real browser, on invented speeds: its rules are Python's, its state
survives, bad data do no harm.
"""

import html
import json
import math
import re
import shutil
from urllib.parse import quote, unquote
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from scripts.common import families, words
from scripts.common.frontier import on_frontier
from scripts.common.paths import ROOT
from scripts.figures import display_frontier, explorer, frontier_chart, theme
from scripts.pages import convnext
from scripts.site import chart_files
from scripts.site.check.views import served
from tests.site_fixtures import HOSTILE

LONG = "convnext_" + "x" * 71
MEMBERS = ("levit", "convnext", "beit", "vit", "resnet", "swin")
PRETRAINS = [
    ["in1k", "ImageNet-1k only"],
    ["distilled", "ImageNet-1k, distilled"],
    ["in21k", "ImageNet-12k/21k/22k"],
    ["web", "web-scale data"],
    ["unknown", "not known"],
]


def picker(rows: int = 240, seed: int = 1) -> dict[str, dict]:
    """charts/picker as scripts/choose/files.py lays it out: machine 'fast' (all rows), 'slow' (half of them,
    training too), 'empty' (none).
    """
    rng = np.random.default_rng(seed)
    names = [f"{MEMBERS[i % 6]}_{i}.a{i % 3}" for i in range(rows)]
    family = [i % 6 for i in range(rows)]
    names[0], names[1], names[2] = LONG + ".tag", f"{HOSTILE}.evil", "vgg11.only"
    family[2] = 6
    speed = 10 ** rng.uniform(1.5, 4.5, rows)
    top1 = 92 - 4 * np.log10(speed) + rng.normal(0, 1.5, rows)
    speed[1], top1[1] = (
        speed.max() * 1.2,
        79.5,
    )  # the hostile one is the fastest, so on the frontier; the long one the most accurate
    top1[0] = 95.0
    kinds = ["convnet", "transformer", "hybrid", "mlp"]
    models = {
        "schema": 1,
        "names": names,
        "family": family,
        "kind": [0 if i % 6 in (1, 4) or i == 2 else 1 for i in range(rows)],
        "pretrain": [i % 4 for i in range(rows)],
        "commercial": [0] * rows,
        "licence": [0] * rows,
        "families": [[name, families.label(name)] for name in (*MEMBERS, "vgg")],
        "kinds": kinds,
        "pretrains": PRETRAINS,
        "commercials": ["yes"],
        "licences": ["mit"],
        "old": {},
        "rules": {},
        "rows": {
            "name": list(range(rows)),
            "size": [224] * rows,
            "top1": top1.round(2).tolist(),
            "params": rng.uniform(1, 300, rows).round(1).tolist(),
        },
        "machines": [
            {
                "key": key,
                "name": name,
                "kind": kind,
                "year": 2025,
                "compiled": False,
                "models": rows,
                "latency": False,
                "training": key == "slow",
                "source": source,
                "training_source": "trained long ago" if key == "slow" else "",
            }
            for key, name, kind, source in (
                ("fast", "RTX 9090", "gpu", "timm's table"),
                ("slow", "Core i1", "cpu", "measured here, today"),
                ("empty", "Abacus", "cpu", "timm's table"),
            )
        ],
    }
    half = [value if i % 2 == 0 or i < 3 else None for i, value in enumerate((speed / 40).tolist())]
    return {
        "models": models,
        "fast": {"key": "fast", "speed": speed.tolist(), "latency_ms": None, "training": None, "params": {}},
        "slow": {
            "key": "slow",
            "speed": half,
            "latency_ms": None,
            "training": [value and value / 3 for value in half],
            "params": {},
        },
        "empty": {"key": "empty", "speed": [None] * rows, "latency_ms": None, "training": None, "params": {}},
    }


def table(data: dict, key: str = "fast") -> pd.DataFrame:
    """The rows of a machine as Python's charts take them."""
    models = data["models"]
    frame = pd.DataFrame(
        {
            "model": models["names"],
            "arch": [name.split(".")[0] for name in models["names"]],
            "family": [models["families"][i][0] for i in models["family"]],
            "kind": [models["kinds"][i] for i in models["kind"]],
            "pretrain": [PRETRAINS[i][0] for i in models["pretrain"]],
            "img_size": 224,
            "top1": models["rows"]["top1"],
            "samples_per_sec": pd.to_numeric(pd.Series(data[key]["speed"], dtype=object), errors="coerce"),
        }
    )
    return frame.dropna(subset=["samples_per_sec"]).reset_index(drop=True)


def build(folder, data: dict, machine: str = "fast"):
    """A page with one explorer in `folder`."""
    for path in (ROOT / "assets").glob("*.*s"):
        (folder / "assets").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / "assets" / path.name)
    (folder / "assets" / "fonts").mkdir()
    (folder / "assets" / "fonts" / "fonts.css").write_text("")
    chart_files.write(folder, folder)
    (folder / "charts" / "picker").mkdir(parents=True)
    for key, value in data.items():
        (folder / "charts" / "picker" / f"{key}.js").write_text(
            f"pickerData({json.dumps(key)}, {json.dumps(value).replace('<', chr(92) + 'u003c')});"
        )
    pixel = "data:image/gif;base64,R0lGODlhAQABAAAAACw="
    page = f"""<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Chart</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="assets/site.css"></head><body><script>
document.documentElement.className =
  matchMedia("(prefers-color-scheme: dark)").matches ? "quarto-dark" : "quarto-light"
</script>
<main class="content" style="max-width:900px;margin:auto;padding:0 16px"><h1>Chart</h1><figure id="fig-f"
 style="margin:0"><div class="chart" data-figure="f" data-explore="{machine}" data-part="infer"><picture>
<source media="(max-width: 600px)" srcset="{pixel}" width="540" height="824"><img src="{pixel}" width="1000"
 height="700" alt="A chart."></picture></div>
<figcaption>Caption.</figcaption></figure></main><script src="assets/charts.js" defer></script></body></html>"""
    (folder / "index.html").write_text(page)
    return folder


@pytest.fixture(scope="module")
def data():
    return picker()


@pytest.fixture(scope="module")
def site(tmp_path_factory, data):
    folder = build(tmp_path_factory.mktemp("explorer"), data)
    with served(folder) as address:
        yield folder, address


class Visit:
    """The page in a context of its own, the chart drawn."""

    def __init__(self, browser, address, state="", drawn=True, **settings):
        self.context = browser.new_context(
            **{"viewport": {"width": 1000, "height": 900}, "reduced_motion": "reduce", **settings}
        )
        self.page = self.context.new_page()
        self.errors = []
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(address + "index.html" + (f"?f={quote(state)}" if state else ""))
        if drawn:
            self.page.wait_for_selector('.chart[data-drawn="true"]')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def text(self, selector):
        return self.page.locator(selector).inner_text()

    def listed(self):
        """The models of the frontier's table, opened if need be."""
        button = self.page.get_by_role("button", name="Table")
        if button.get_attribute("aria-expanded") != "true":
            button.click()
        return self.page.locator(".explorer-panel tbody th").all_inner_texts()

    def labels(self):
        """(text, left, top, right, bottom, font size) of the chart's texts, within the plot."""
        return self.page.evaluate("""() => {
          const o = document.querySelector('.explorer-plot').getBoundingClientRect();
          return [...document.querySelectorAll('.explorer-plot svg text')].map(t => {
            const b = t.getBoundingClientRect(), size = parseFloat(getComputedStyle(t).fontSize);
            return [t.firstChild.textContent,
                    b.left - o.left, b.top - o.top, b.right - o.left, b.bottom - o.top, size];
          });
        }""")


def edge_of(frame):
    edge = frame[frame.top1 >= display_frontier.FLOOR]
    return edge[on_frontier(edge)].sort_values("top1", ascending=False)


def test_the_frontier_and_the_headline_are_pythons(site, browser, data):
    frame = table(data)
    edge = edge_of(frame)
    there, gone = display_frontier.verdict(frame)
    with Visit(browser, site[1]) as visit:
        assert visit.listed() == edge.model.to_list()
        assert visit.text(".explorer-title") == display_frontier.headline("an RTX 9090", there, gone)
        assert visit.errors == []


def test_rules_in_the_page_are_those_of_the_pictures(site, browser, data):
    edge = edge_of(table(data)).sort_values("samples_per_sec").reset_index(drop=True)
    rows = [
        {"id": row.model, "family": row.family, "top1": row.top1, "speed": row.samples_per_sec}
        for row in edge.itertuples()
    ]
    with Visit(browser, site[1]) as visit:
        for number in (3, 5, 7):
            named = visit.page.evaluate(
                "([rows, number]) => explorerRules.leaders(rows, 70, number, ['beit']).map(row => row.id)",
                [rows, number],
            )
            assert named == frontier_chart.leaders(edge, "samples_per_sec", 70, number, ("beit",)).model.to_list()
        for low, high, room in ((30, 90_000, 800), (30, 90_000, 300), (0.5, 30, 250), (3, 4000, 600)):
            got = visit.page.evaluate(
                "([low, high, room]) => explorerRules.logTicks(low, high, room, text => 7 * text.length)",
                [low, high, room],
            )
            assert (
                set(got) <= {digit * 10.0**power for digit in (1, 2, 3, 5) for power in range(-2, 6)} and len(got) >= 2
            )
        numbers = [0.0466, 7, 199.96, 1500, 20_000, 1.5e6]
        assert visit.page.evaluate("values => values.map(explorerRules.short)", numbers) == [
            words.short(value) for value in numbers
        ]


def test_keys_walk_the_frontier_and_pin(site, browser, data):
    edge = edge_of(table(data))
    with Visit(browser, site[1]) as visit:
        visit.page.locator(".explorer-plot").focus()
        visit.page.keyboard.press("End")
        assert edge.model.iloc[-1] in visit.text(".explorer-tip") and visit.page.evaluate("window.hacked") is None
        visit.page.keyboard.press("ArrowLeft")
        model = edge.iloc[-2]
        assert model.model in visit.text(".explorer-tip") and f"{model.top1:.2f}%" in visit.text(".explorer-tip")
        assert model.model in visit.page.locator(".explorer [role=status]").inner_text()
        visit.page.keyboard.press("Enter")
        pin = visit.text(".explorer-pin")
        assert (
            f'timm.create_model("{model.model}", pretrained=True)' in pin
            and "On the frontier" in pin
            and "licence: mit" in pin
        )
        visit.page.keyboard.press("Escape")
        assert not visit.page.locator(".explorer-tip").is_visible()
        visit.page.get_by_role("button", name=f"Remove {model.model}").click()
        assert visit.page.locator(".explorer-pin").count() == 0 and visit.errors == []


def test_hover_names_and_click_pins(site, browser, data):
    with Visit(browser, site[1]) as visit:
        visit.page.locator(".explorer-plot").focus()
        for _ in range(3):
            visit.page.keyboard.press("ArrowRight")
        said = visit.text(".explorer-tip strong")
        ring = visit.page.locator(".explorer-ring").last.bounding_box()
        visit.page.keyboard.press("Escape")
        x, y = ring["x"] + ring["width"] / 2, ring["y"] + ring["height"] / 2
        visit.page.mouse.move(x, y)
        assert visit.text(".explorer-tip strong") == said
        visit.page.mouse.click(x, y)
        assert said in visit.text(".explorer-pin")
        visit.page.mouse.click(x, y)
        assert visit.page.locator(".explorer-pin").count() == 0


def test_hostile_names_are_text_everywhere(site, browser):
    with Visit(browser, site[1], f"pin:{HOSTILE.replace(';', '')}.evil@224") as visit:
        visit.page.locator(".explorer-plot").focus()
        visit.page.keyboard.press("End")
        visit.page.keyboard.press("Enter")
        visit.listed()
        assert "<script>" in visit.text(".explorer-tip") and "<script>" in visit.text(".explorer-panel")
        assert (
            visit.page.evaluate("window.hacked") is None
            and visit.page.locator(".explorer img, .explorer-panel img, .explorer script").count() == 0
        )


def centre(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_families_are_filtered_by_chip_and_by_label(site, browser, data):
    frame = table(data)
    with Visit(browser, site[1]) as visit:
        visit.page.locator(".explorer-chips").get_by_role("button", name="ConvNeXt").click()
        assert visit.page.locator(".explorer-own").count() == 1 and "f=f" in visit.page.url
        visit.page.locator(".explorer-plot").focus()
        visit.page.keyboard.press("Home")
        best = edge_of(frame[frame.family == "convnext"]).iloc[0]
        assert visit.text(".explorer-tip strong") == best.model
        visit.page.locator(".explorer-chips").get_by_role("button", name="ConvNeXt").click()
        tried = []
        for group in visit.page.locator(".explorer-family").evaluate_all("all => all.map(one => one.dataset.group)"):
            label = visit.page.locator(f'.explorer-family[data-group="{group}"]')
            name, at = label.evaluate("one => one.firstChild.textContent"), centre(label)
            visit.page.mouse.move(*at)
            ring = visit.page.locator(".explorer-ring").first  # around the point that the mouse is near
            on_top = label.evaluate("(one, at) => document.elementFromPoint(...at) === one", at)
            if not on_top or (ring.count() and math.dist(at, centre(ring)) < 7):
                continue  # a point under the label, or what is said of one, goes first
            visit.page.mouse.click(*at)
            assert visit.page.locator('.explorer-chips [aria-pressed="true"]').all_inner_texts() == [name]
            assert visit.page.locator(".explorer-pin").count() == 0
            visit.page.locator(".explorer-chips").get_by_role("button", name=name, exact=True).click()
            tried.append(name)
        assert tried


def test_every_link_to_a_family_shows_that_family_alone(tmp_path, browser, data, moved, capsys):
    names = ("beit", "beitv2", "regnet", "swin", "resnet", "gmlp", "vgg")  # of one colour, and of none
    folder = build(
        tmp_path / "site",
        {**data, "models": {**data["models"], "families": [[name, families.label(name)] for name in names]}},
    )
    numbers = {name: [1.0] * len(names) for name in convnext.NUMERIC}
    pd.DataFrame(
        {"family": names, "label": [families.label(name) for name in names], "best": "x", "more": "", **numbers}
    ).to_csv(tmp_path / "families.csv", index=False)
    moved(DATA=tmp_path)
    convnext.families_by_name()
    states = re.findall(r"frontier_gpu=([^#]+)#", html.unescape(capsys.readouterr().out))
    assert len(states) == len(names)
    with served(folder) as address:
        for name, state in zip(names, states):
            own = [
                model
                for model, of, speed, top1 in zip(
                    data["models"]["names"],
                    data["models"]["family"],
                    data["fast"]["speed"],
                    data["models"]["rows"]["top1"],
                )
                if names[of] == name and speed and top1 >= display_frontier.FLOOR
            ]
            with Visit(browser, address, unquote(state)) as visit:
                walked = visit.page.evaluate(
                    """steps => Array.from({length: steps}, () => {
                    const key = {key: "ArrowRight", shiftKey: true, bubbles: true, cancelable: true};
                    document.querySelector(".explorer-plot").dispatchEvent(new KeyboardEvent("keydown", key));
                    return document.querySelector(".explorer-tip strong").textContent;
                    })""",
                    len(own),
                )
                assert sorted(walked) == sorted(own) and own
                assert visit.page.locator('.explorer-chips [aria-pressed="true"]').all_inner_texts() == [
                    f"Only {families.label(name)}"
                ]
        with Visit(browser, address, "a:regnet") as visit:
            visit.page.get_by_role("button", name="Only RegNet").click()
            assert (
                "a:" not in visit.page.url.partition("?")[2]
                and visit.page.locator(".explorer-own").count() == 0
                and visit.errors == []
            )


def test_pretraining_compares_like_with_like(site, browser, data):
    frame = table(data)
    with Visit(browser, site[1]) as visit:
        visit.page.get_by_role("button", name="ImageNet-1k only").click()
        visit.page.get_by_role("button", name="web-scale data").click()
        assert visit.listed() == edge_of(frame[frame.pretrain.isin(["in1k", "web"])]).model.to_list()
        assert visit.text(".explorer-title").startswith("ImageNet-1k only and web-scale data: on an RTX 9090")


def test_another_machine_keeps_zoom_and_pins_and_the_address_keeps_all(site, browser, data):
    names = data["models"]["names"]
    with Visit(browser, site[1], f"pin:{names[10]}@224,{names[11]}@224") as visit:
        visit.page.locator(".explorer-plot").focus()
        visit.page.keyboard.press("+")
        ticks = [text for text, *_ in visit.labels() if text.endswith("%")]
        visit.page.locator(".explorer-machine").select_option("slow")
        visit.page.wait_for_function("document.querySelector('.explorer-title').textContent.includes('Core i1')")
        assert [text for text, *_ in visit.labels() if text.endswith("%")] == ticks
        pins = visit.page.locator(".explorer-pin").all_inner_texts()
        assert len(pins) == 2 and names[10] in pins[0] and "Not timed on this machine" in pins[1]
        visit.page.get_by_role("button", name="Training").click()
        visit.page.wait_for_function("document.querySelector('.explorer-title').textContent.includes('training')")
        assert "trained long ago" in visit.text(".explorer-foot") and "measured here" not in visit.text(
            ".explorer-foot"
        )
        before = visit.labels(), visit.text(".explorer-panel"), visit.page.url
        visit.page.reload()
        visit.page.wait_for_selector('.chart[data-drawn="true"]')
        assert (visit.labels(), visit.text(".explorer-panel"), visit.page.url) == before
        visit.page.get_by_role("button", name="Show everything").click()
        assert "z:" not in visit.page.url and visit.errors == []


@pytest.fixture(scope="module")
def richer(tmp_path_factory):
    """The same, with what real data have more: first tables, memory and intervals on one machine, the rules."""
    more = picker()
    rows = len(more["models"]["names"])
    more["models"]["rules"] = {"images": 50_000, "sigmas": 2, "timing_spread": 1.026}
    more["models"]["since"] = {
        "days": ["2022-01-23", "2024-09-04"],
        "name": [None if i == 5 else i % 2 for i in range(rows)],
    }
    more["slow"]["memory_mb"] = [None if i % 3 else 100 + i for i in range(rows)]
    more["slow"]["within"] = [2.0] * rows
    with served(build(tmp_path_factory.mktemp("richer"), more)) as address:
        yield more, address


def test_parameters_memory_and_first_tables_are_axes_and_less_is_better(richer, browser):
    data, address = richer
    params = pd.Series(data["models"]["rows"]["params"], data["models"]["names"])
    frame = table(data)
    with Visit(browser, address, "x:params") as visit:
        wanted = edge_of(frame.assign(samples_per_sec=1 / frame["model"].map(params)))
        assert visit.listed() == wanted.model.to_list()
        assert f"{len(wanted)} of" in visit.text(".explorer-title") and "parameters" in visit.text(".explorer-title")
        names = [text for text, *_ in visit.labels()]
        assert any(text.startswith("parameters in millions") and text.endswith("less →") for text in names)
        axis = visit.page.get_by_label("Horizontal axis")
        assert "Memory (not measured here)" in axis.inner_text() and "Energy (not measured here)" in axis.inner_text()
        axis.select_option("since")
        visit.page.wait_for_function("document.querySelector('.explorer-unknown').textContent.includes('no table')")
        since = data["models"]["since"]["name"]
        known = frame[[since[data["models"]["names"].index(name)] is not None for name in frame.model]]
        early = [1 / (1 + since[data["models"]["names"].index(name)]) for name in known.model]
        assert visit.listed() == edge_of(known.assign(samples_per_sec=early)).model.to_list()
        years = {text: left for text, left, *_ in visit.labels() if re.fullmatch(r"20\d\d", text)}
        assert years["2023"] < years["2024"] and "x:since" in unquote(visit.page.url)
        visit.page.locator(".explorer-machine").select_option("slow")
        visit.page.wait_for_function("document.querySelector('.explorer-title').textContent.includes('Core i1')")
        axis.select_option("memory")
        visit.page.wait_for_function("document.querySelector('.explorer-title').textContent.includes('memory')")
        assert all(data["models"]["names"].index(name) % 3 == 0 for name in visit.listed()) and visit.errors == []


@pytest.mark.parametrize("state", ["x:energy", "x:constructor", "x:__proto__;o:nosuch;i:2;usd:-1,x", "o:fast"])
def test_an_axis_or_overlay_that_is_none_is_ignored(richer, browser, state):
    with Visit(browser, richer[1], state) as visit:
        assert visit.page.get_by_label("Horizontal axis").input_value() == "speed"
        assert visit.page.locator(".explorer-laid").count() == 0 and visit.errors == []


def test_a_second_machine_is_laid_over_with_intervals_and_the_address_keeps_it(richer, browser):
    data, address = richer
    both = edge_of(table(data, "slow")).model.iloc[0]
    with Visit(browser, address, f"m:slow;o:fast;i:1;pin:{both}@224") as visit:
        edge = visit.listed()
        assert visit.page.locator(".explorer-laid").count() == 1
        assert visit.page.locator(".explorer-interval").count() == len(edge)
        wide = visit.page.locator(".explorer-interval").first.evaluate("one => one.getBBox().width")
        assert wide > 20  # a factor of four of the axis' decades
        assert "dotted line: RTX 9090, timm's table" in visit.text(".explorer-foot")
        assert "images/s on RTX 9090" in visit.text(".explorer-pin")
        before = visit.labels(), visit.page.url
        visit.page.reload()
        visit.page.wait_for_selector('.chart[data-drawn="true"]')
        assert (visit.labels(), visit.page.url) == before
        visit.page.get_by_role("button", name="Show everything").click()
        visit.page.wait_for_function("!document.querySelector('.explorer-laid')")
        assert "o:" not in unquote(visit.page.url.split("f=")[-1]) and visit.errors == []


def test_what_is_shown_is_saved_as_csv_and_svg(richer, browser, tmp_path):
    data, address = richer
    with Visit(browser, address, "x:params;o:slow") as visit:
        for kind in ("CSV", "SVG"):
            with visit.page.expect_download() as waiting:
                visit.page.get_by_role("button", name=f"as {kind}").click()
            assert waiting.value.suggested_filename == f"f.{kind.lower()}"
            waiting.value.save_as(tmp_path / kind)
        saved = pd.read_csv(tmp_path / "CSV")
        params = dict(zip(data["models"]["names"], data["models"]["rows"]["params"]))
        assert set(saved["model"]) <= set(params) and len(saved) > 100
        assert saved["parameters"].tolist() == [params[name] for name in saved["model"]]
        assert saved[saved["frontier"]]["model"].to_list() == visit.listed()
        assert saved["images_per_second_Core i1"].notna().any() and set(saved["machine"]) == {"fast"}
        picture = ElementTree.parse(tmp_path / "SVG").getroot()
        said = "".join(picture.itertext())
        assert "beaten by none" in said and "less →" in said and visit.errors == []
        assert not [one for one in picture.iter() if one.tag.endswith(("script", "foreignObject"))]


def test_money_is_by_a_known_price_or_the_readers_own(richer, browser):
    with Visit(browser, richer[1], "x:usd") as visit:
        assert "No price of this machine is known" in visit.text(".explorer-unknown")
        field = visit.page.get_by_label("Dollars an hour", exact=True)
        field.fill("3.6")
        field.press("Enter")
        field.blur()
        visit.page.wait_for_function("document.querySelector('.explorer-unknown').textContent.includes('you gave')")
        assert visit.listed() == edge_of(table(richer[0])).model.to_list()  # one price: the same order
        assert "usd:3.6,0" in unquote(visit.page.url)
        visit.page.locator(".explorer-plot").focus()
        visit.page.keyboard.press("End")
        assert "images per US dollar" in visit.text(".explorer-tip") and visit.errors == []


@pytest.mark.parametrize(
    "state",
    [
        "m:nosuch;t:x;p:zz;f:zz;a:zz;pin:a@b,,;z:1,2,x",
        "z:0.5,0.5,70,70",
        ";;;:::",
        "__proto__:1;constructor:2;a:constructor",
    ],
)
def test_a_broken_address_is_ignored(site, browser, state):
    with Visit(browser, site[1], state) as visit:
        assert "RTX 9090" in visit.text(".explorer-title") and visit.errors == []


def no_overlap(labels, width, height):
    for i, (one, left, top, right, bottom, size) in enumerate(labels):
        assert size >= 12, one
        assert left >= -0.5 and right <= width + 0.5 and top >= -2 and bottom <= height + 2, one  # line boxes hold air
        for other, *box, _ in labels[i + 1 :]:
            assert min(right, box[2]) - max(left, box[0]) <= 1 or min(bottom, box[3]) - max(top, box[1]) <= 3, (
                one,
                other,
            )


@pytest.mark.parametrize("width", [340, 390, 760, 1000])
@pytest.mark.parametrize("state", ["", "p:in1k", "f:vit", "z:0.3,0.6,78,84", "m:slow"])
def test_no_label_overlaps_or_is_cut(site, browser, data, width, state):
    with Visit(browser, site[1], state, viewport={"width": width, "height": 900}) as visit:
        plot = visit.page.locator(".explorer-plot").bounding_box()
        labels = visit.labels()
        assert len(labels) > 10 and visit.page.locator(".explorer-name").count() >= 1
        no_overlap(labels, plot["width"], plot["height"])
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        small = visit.page.evaluate("""() => [...document.querySelectorAll('.explorer *, .explorer-panel *')]
          .filter(e => e.offsetParent && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
          .filter(e => parseFloat(getComputedStyle(e).fontSize) < 12).map(e => e.textContent)""")
        assert small == []


def test_the_page_does_not_shift_when_the_chart_takes_the_pictures_place(site, browser):
    for viewport in ({"width": 1000, "height": 900}, {"width": 390, "height": 844}):
        with Visit(browser, site[1], viewport=viewport) as visit:
            image = visit.page.evaluate(
                "(() => { const p = document.querySelector('picture'); p.style.cssText = "
                "'position:static;visibility:visible'; const h = "
                "document.querySelector('img').getBoundingClientRect().height; p.style.cssText = ''; return h; })()"
            )
            assert abs(visit.page.locator(".explorer").bounding_box()["height"] - image) <= 2


def test_a_tap_pins_and_the_sheet_of_filters_opens_on_a_phone(site, browser):
    with Visit(browser, site[1], viewport={"width": 390, "height": 844}, has_touch=True) as visit:
        visit.page.locator(".explorer-plot").focus()
        visit.page.keyboard.press("Home")
        ring = visit.page.locator(".explorer-ring").last.bounding_box()
        visit.page.keyboard.press("Escape")
        visit.page.touchscreen.tap(ring["x"] + 8, ring["y"] + 8)
        assert visit.page.locator(".explorer-pin").count() == 1
        assert not visit.page.get_by_role("button", name="VGG").is_visible()
        visit.page.get_by_role("button", name="Filter").click()
        visit.page.get_by_role("button", name="VGG").click()
        visit.page.keyboard.press("Escape")
        assert (
            not visit.page.get_by_role("button", name="VGG").is_visible()
            and visit.page.locator(".explorer-own").count() == 1
        )
        low = [
            box
            for box in visit.page.evaluate(
                "[...document.querySelectorAll('.explorer button, .explorer select')].filter(b => "
                "b.offsetParent).map(b => Math.min(b.offsetWidth, b.offsetHeight))"
            )
            if box < 24
        ]
        assert low == []


def test_it_works_from_a_folder_without_a_server(site, browser):
    with Visit(browser, site[0].as_uri() + "/") as visit:
        assert "RTX 9090" in visit.text(".explorer-title") and visit.errors == []


def test_a_machine_without_a_model_says_so(site, browser):
    with Visit(browser, site[1], "m:empty") as visit:
        assert "Nothing was timed" in visit.page.locator(".explorer-over").text_content() and visit.errors == []
        visit.page.locator(".explorer-machine").select_option("fast")
        visit.page.wait_for_function("document.querySelectorAll('.explorer-name').length > 2")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.pop("models"),
        lambda data: data["models"].update(schema=2),
        lambda data: data["models"].pop("rows"),
        lambda data: data.pop("fast"),
    ],
)
def test_without_its_data_the_picture_stays(tmp_path, browser, damage):
    broken = picker()
    damage(broken)
    with served(build(tmp_path, broken)) as address:
        with Visit(browser, address, drawn=False) as visit:
            visit.page.wait_for_timeout(500)
            assert visit.page.locator("img").is_visible() and visit.page.locator(".explorer").count() == 0


def test_a_machine_that_cannot_be_loaded_leaves_the_chart_and_can_be_chosen_again(site, browser):
    with Visit(browser, site[1]) as visit:
        title, machine = visit.text(".explorer-title"), visit.page.locator(".explorer-machine")
        visit.page.route("**/slow.js", lambda route: route.abort())
        machine.select_option("slow")
        visit.page.wait_for_function(
            "document.querySelector('.explorer-foot').textContent.includes('Core i1 could not be loaded')"
        )
        assert (
            machine.input_value() == "fast" and visit.text(".explorer-title") == title and "slow" not in visit.page.url
        )
        visit.page.unroute("**/slow.js")
        machine.select_option("slow")
        visit.page.wait_for_function("document.querySelector('.explorer-title').textContent.includes('Core i1')")


def test_missing_columns_and_ten_thousand_points(tmp_path, browser):
    many = picker(10_000)
    many["models"]["rows"].pop("params")
    many["models"].pop("licence")
    with served(build(tmp_path, many)) as address, Visit(browser, address) as visit:
        visit.page.locator(".explorer-plot").focus()
        visit.page.keyboard.press("Home")
        visit.page.keyboard.press("Enter")
        assert "parameters not known" in visit.text(".explorer-pin") and LONG in visit.text(".explorer-pin")
        plot = visit.page.locator(".explorer-plot").bounding_box()
        no_overlap(visit.labels(), plot["width"], plot["height"])
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 1000 and visit.errors == []


@pytest.mark.parametrize("rows", [4, 10])
def test_few_rows(tmp_path, browser, rows):
    with served(build(tmp_path, picker(rows))) as address, Visit(browser, address) as visit:
        plot = visit.page.locator(".explorer-plot").bounding_box()
        no_overlap(visit.labels(), plot["width"], plot["height"])
        assert visit.errors == []


@pytest.mark.parametrize("width, scheme", [(1000, "light"), (360, "dark")])
def test_axe_finds_nothing(site, browser, data, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    with Visit(
        browser,
        site[1],
        f"p:in1k;f:vit;pin:{data['models']['names'][10]}@224",
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
    ) as visit:
        visit.listed()
        if width < 600:
            visit.page.get_by_role("button", name="Filter").click()
        found = (
            axe.Axe()
            .run(visit.page, options={"preload": False, "rules": {"target-size": {"enabled": True}}})
            .response["violations"]
        )
        assert not found, json.dumps([(one["id"], [node["target"] for node in one["nodes"]]) for one in found])


def test_the_theme_is_the_chart_language():
    sent = json.loads(json.dumps(explorer.data()))
    assert (
        sent["families"]["levit"]["strong"] == list(families.COLOURS["levit"])
        and sent["floor"] == display_frontier.FLOOR
    )
    for pair in sent["families"].values():
        for paper, text in zip(sent["colours"]["paper"], pair["text"]):
            assert theme.contrast(text, paper) >= 4.5


def test_the_vendored_bundle_is_the_one_that_its_note_describes():
    import hashlib

    from scripts.site.chart_files import PART, plotly_script, version

    note = (PART.parent / "README.md").read_text()
    assert (
        hashlib.sha256(PART.read_bytes()).hexdigest() in note
        and f"`plotly.js-cartesian-dist-min` {version(PART)}" in note
    )
    assert plotly_script() == PART, "plotly was updated: renew assets/vendor as its README says"


def test_another_plotly_brings_its_own_bundle(tmp_path, monkeypatch):
    other = tmp_path / "plotly-cartesian.min.js"
    other.write_text("/**\n* plotly.js (cartesian - minified) v1.2.3\n*/")
    monkeypatch.setattr(chart_files, "PART", other)
    assert chart_files.plotly_script().parent.name == "package_data"


def test_points_travel_where_motion_is_welcome(site, browser):
    with Visit(browser, site[1], reduced_motion="no-preference") as visit:
        visit.page.locator(".explorer-machine").select_option("slow")
        visit.page.wait_for_selector(".explorer-over.moving", state="attached")
        visit.page.locator(".explorer-machine").select_option("fast")  # in the middle of it
        visit.page.wait_for_function(
            "!document.querySelector('.explorer-over').classList.contains('moving') && "
            "document.querySelectorAll('.explorer-name').length > 2"
        )
        assert visit.errors == []
