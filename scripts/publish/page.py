"""A model's page as HTML, without the site's frame: what is known of it, and how to use it and to measure it again.

The page shows what the model's file in data/v1 holds, and nothing else: it is made from the same dictionary. Closing
tags that HTML does not ask for (</td>, </tr>, </p>) are left out: with 1,300 pages they are a megabyte.
"""

from __future__ import annotations

import json
import shlex
from html import escape
from urllib.parse import quote

from scripts.common import words
from scripts.common.hardware import PRECISIONS
from scripts.common.uncertainty import SIGMAS
from scripts.data import pepr
from scripts.data.pretraining import LABELS
from scripts.pages.markup import breaking
from scripts.publish import badge, files
from scripts.publish.facts import PREDICTED, SETS, Facts, Machine, Model
from scripts.runtimes import kinds

_rate = words.images_per_second
KINDS = {"convnet": "convnet", "transformer": "transformer", "hybrid": "hybrid", "mlp": "MLP"}


def described(about: dict) -> str:
    """The page in a sentence, for search engines and shared links."""
    best = _best(about)
    score = f"{best['top1']:.2f}% top-1 at {best['img_size']} pixels" if best else "no published accuracy"
    return f"{about['model']}: {score}, {badge.words(about['frontiers'])}."


def subtitle(about: dict) -> str:
    kind = KINDS.get(about["kind"], "")
    parts = [about["family"], kind if kind.lower() != about["family"].lower() else "", _pretrained(about)]
    return escape(", ".join(filter(None, parts)))


def body(one: Model, about: dict, facts: Facts) -> str:
    """The page's text. about: the model's file (`files.model`)."""
    parts = [_head(one, about), _accuracies(about), _transfer(about), _speeds(one, about, facts)]
    parts += [_history(about, facts), _peak(about, facts), _runtimes(about, facts), _use(about), _origins(one, facts)]
    return "\n".join(filter(None, parts))


def _table_of(about: dict, name: str) -> list[dict]:
    """The rows of one of a file's tables, of which few models have all (`publish.more`)."""
    table = about.get(name, {"columns": [], "rows": []})
    return [dict(zip(table["columns"], row)) for row in table["rows"]]


def _best(about: dict) -> dict | None:
    rows = [row for row in _table_of(about, "accuracies") if row["set"] == "imagenet"]
    return max(rows, key=lambda row: row["top1"], default=None)


def _pretrained(about: dict) -> str:
    known = about["pretraining"]
    return "" if known == "unknown" else f"pretraining: {LABELS[known]}"


def _head(one: Model, about: dict) -> str:
    best, file = _best(about), one.file
    said = []
    if best:
        error = SIGMAS * best["se"]
        said.append(f"{best['top1']:.2f} ± {error:.2f}% top-1 on ImageNet at {best['img_size']} pixels.")
    else:
        said.append("No accuracy of it is published.")
    said.append(f"{badge.words(about['frontiers']).capitalize()}.")
    licence = {"yes": "allows commercial use", "no": "no commercial use", "own": "the vendor’s own terms"}
    terms = licence.get(about["commercial_use"])
    said.append(f"Licence, as timm states it: {escape(about['licence'])}{f' ({terms})' if terms else ''}.")
    if about["old_names"]:
        said.append(f"Known before as {words.listing([breaking(name) for name in about['old_names']])}.")
    if "phone" in about:
        phone = about["phone"]
        times = [f"{phone[f'{k}_ms']:g} ms{_memory(phone, k)} {what}" for k, what in _PHONE if f"{k}_ms" in phone]
        if times:
            said.append(f"One picture on a {escape(phone['device'])}: {words.listing(times)}.")
    rival = next((row["better"] for row in _rows(about) if row["better"]), "")
    other = f",{_address(rival)}" if rival else ""
    links = [
        f'<a href="compare.html#m={_address(one.name)}{other}">Compare it</a>',
        f'<a href="../report/picker.html#replace={_address(about["arch"])}">Replace it</a>',
        f"<a href=../data/v1/models/{file}.json>The figures as JSON</a>",
        f"<a href=../data/v1/badges/{file}.svg>Badge</a>",
    ]
    return f"<p>{' '.join(said)}\n<p>{' · '.join(links)}"


_PHONE = (("float", "as floats"), ("int8", "quantised"))


def _memory(phone: dict, form: str) -> str:
    key = f"{form}_memory_mb"
    return f" and {phone[key]:g} MB" if key in phone else ""


def _address(name: str) -> str:
    return quote(name, safe=".-_@")


def _machine(facts: Facts, key: str) -> str:
    """A machine's name, its key where it is not among the facts."""
    return facts.machines[key].name if key in facts.machines else key


def _transfer(about: dict) -> str:
    """Accuracy on other pictures."""
    said = [
        f"{escape(row['what'])} {row['accuracy']:.1f}%" + (" from ImageNet’s weights" if row["pretrained"] else "")
        for row in _table_of(about, "transfer")
    ]
    return f"<p>The network trained on other pictures, one run each: {', '.join(said)}." if said else ""


def _runtimes(about: dict, facts: Facts) -> str:
    """Runtimes and precisions as they were measured here."""
    lines = []
    for row in _table_of(about, "runtimes"):
        label = kinds.RUNTIMES[row["runtime"]].label if row["runtime"] in kinds.RUNTIMES else row["runtime"]
        ends = "" if row["low"] is None else f" ({_rate(row['low'])} to {_rate(row['high'])})"
        rate, machine = f"{_rate(row['images_per_second'])}{ends}", escape(_machine(facts, row["machine"]))
        cells = [machine, row["img_size"], rate, row["batch_size"], _plain(row["memory_mb"])]
        told = f"{escape(label)}, {escape(row['precision'])}"
        lines.append(f"<tr><th>{told}{''.join(f'<td>{cell}' for cell in cells)}")
    if not lines:
        return ""
    heads = ["Runtime", "Machine", "Pixels", "Images/s", "Batch", "Memory (MB)"]
    return f"<h3 id=runtimes>In other runtimes, measured</h3>{_table('Other runtimes', 'runtimes', heads, lines)}"


def _history(about: dict, facts: Facts) -> str:
    """Speeds of earlier tables of the same machines."""
    groups: dict[tuple, list[str]] = {}
    for row in _table_of(about, "history"):
        machine, date, _ = facts.earlier[row["table"]]
        key = facts.machines[machine].name, row["img_size"]
        groups.setdefault(key, []).append(f"{_rate(row['images_per_second'])} ({date[:7]})")
    said = [f"{escape(name)} at {size} px {', '.join(rates)}" for (name, size), rates in groups.items()]
    return f"<p class=source>Images/s in earlier tables: {'; '.join(said)}." if said else ""


def _peak(about: dict, facts: Facts) -> str:
    """Memory, where it was measured."""
    said = [
        f"{_plain(row['peak_memory_mb'])} MB on {escape(_machine(facts, row['machine']))} at {row['img_size']} px"
        for row in _table_of(about, "memory")
    ]
    return f"<p class=source>Peak memory, measured at the fastest batch: {'; '.join(said)}." if said else ""


def _rows(about: dict) -> list[dict]:
    names, rows = [*about["rivals"], ""], _table_of(about, "speeds")  # None counts the last
    return [row | {key: names[-1 if row[key] is None else row[key]] for key in ("better", "faster")} for row in rows]


def _accuracies(about: dict) -> str:
    """Sizes down, test sets across."""
    scores = {(row["img_size"], row["set"]): row for row in _table_of(about, "accuracies")}
    shown = [key for key in SETS if any(name == key for _, name in scores)]
    sizes = about["sizes"]
    if not sizes:
        return ""
    facts = [(key, head) for key, head in _SIZES if any(key in size for size in sizes)]
    heads = ["Pixels", *(name for _, name in facts), *(SETS[key][0] for key in shown)]
    lines = []
    for size in sizes:
        cells = [f"<th>{size['img_size']}", *(f"<td>{_plain(size.get(key))}" for key, _ in facts)]
        for key in shown:
            score = scores.get((size["img_size"], key))
            cells.append("<td>" + (f"{score['top1']:.2f} ± {SIGMAS * score['se']:.2f}" if score else ""))
        lines.append(f"<tr>{''.join(cells)}")
    note = "<p class=source>Top-1 in percent, ± twice its standard error." if shown else ""
    return f"<h2 id=accuracy>Accuracy and size</h2>\n{_table('Accuracy and size', 'figures', heads, lines)}{note}"


_SIZES = (("params_m", "Parameters (M)"), ("gmacs", "GMACs"), ("macts", "Activations (M)"))


def _plain(value) -> str:
    return "" if value is None else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _table(name: str, kind: str, heads: list[str], lines: list[str]) -> str:
    head, rows = "".join(f"<th>{head}" for head in heads), "".join(lines)
    return (
        f'<div class=table-scroll tabindex=0 role=region aria-label="{name}"><table class="table {kind}">'
        f"<thead><tr>{head}<tbody>{rows}</table></div>"
    )


def _speeds(one: Model, about: dict, facts: Facts) -> str:
    rows = _rows(about)
    if not rows:
        return "<h2 id=speed>Speed</h2>\n<p>It was not timed on any machine that this report knows."
    shown = [(key, head) for key, head in _SPEEDS if any(row[key] is not None for row in rows)]
    heads = ["Machine", "Pixels", *(name for _, name in shown), "Frontier, or what beats it"]
    lines = []
    linked: set[str] = set()
    for row in rows:
        machine = facts.machines[row["machine"]]
        cells = [f"<th>{escape(machine.name)}", f"<td>{row['img_size']}"]
        for key, _ in shown:
            value = _rate(row[key]) if row[key] is not None and key != "batch_size" else row[key]
            cells.append(f"<td>{'' if value is None else value}{_interval(row) if key == 'images_per_second' else ''}")
        lines.append(f"<tr>{''.join(cells)}<td>{_standing(row, one, facts, linked)}")
    settings: dict[str, list[str]] = {}
    for key in dict.fromkeys(row["machine"] for row in rows):
        settings.setdefault(_setting(facts.machines[key]), []).append(escape(facts.machines[key].name))
    note = "<p class=source>What beats it is no slower, and more accurate beyond the test’s error. "
    *few, most = sorted(settings.items(), key=lambda item: len(item[1]))
    said = [f"{words.listing(names)}: {setting}" for setting, names in few]
    note += "; ".join([*said, f"{'the others' if few else 'all'}: {most[0]}"]) + "."
    return f"<h2 id=speed>Speed</h2>\n{_table('Speed', 'speeds', heads, lines)}{note}"


_SPEEDS = (
    ("images_per_second", "Images/s"),
    ("batch_size", "Batch"),
    ("latency_ms", "One picture (ms)"),
    ("training_images_per_second", "Training, images/s"),
)


def _interval(row: dict) -> str:
    if row["low"] is None or row["high"] is None:
        return ""
    word = ", predicted" if row["status"] == PREDICTED else ""
    return f" ({_rate(row['low'])} to {_rate(row['high'])}{word})"


def _standing(row: dict, one: Model, facts: Facts, linked: set[str]) -> str:
    """What beats a row; the first time a rival is named, its name is a link (again and again they were 0.6 MB)."""
    if row["frontier"]:
        return "on the frontier"
    rival = row["better"] or row["faster"]
    if not rival:
        return "no accuracy" if not one.accuracies else "as good as the frontier"
    name = rival.rpartition("@")[0]
    # no <wbr> in it, which every other name has: the styles break these, and that is half a megabyte
    link = escape(name) if name in linked else f"<a href={facts.models[name].file}.html>{escape(name)}</a>"
    linked.add(name)
    return link if row["better"] else f"{link}, as accurate and faster"


def _setting(machine: Machine) -> str:
    about = machine.setting
    precision = PRECISIONS.get(about["precision"], about["precision"])
    return f"{escape(precision)}, PyTorch {escape(about['torch'])}, {escape(machine.source.date)}"


def _use(about: dict) -> str:
    """The lines that create, export and measure it."""
    best = _best(about)
    size = best["img_size"] if best else about["sizes"][0]["img_size"] if about["sizes"] else 224
    name = json.dumps(about["model"], ensure_ascii=True)
    made = f"model = timm.create_model({name}, pretrained=True).eval()  # {size}×{size} pixels"
    export = f'torch.onnx.export(model, torch.zeros(1, 3, {size}, {size}), "model.onnx", dynamo=True)'
    command = f"python -m scripts.bench.sweep --part infer --models {shlex.quote(about['arch'])}"
    python = "\n".join(["import timm, torch", made, export, f"# in a shell, in this project: {command}"])
    lines = escape(python, quote=False)
    return f"<h2 id=use>Use it, measure it again</h2>\n<pre tabindex=0><code>{lines}</code></pre>"


def _origins(one: Model, facts: Facts) -> str:
    found = []
    for each in files.origins(one, facts):
        theirs = {"timm-results": "timm’s results", pepr.SOURCE: "PePR"}
        name = next((said for key, said in theirs.items() if key in each["tables"]), "this project")
        link = f"<a href={escape(each['url'])}>{name}</a>" if "url" in each else name
        found.append(f"{link}, {escape(each['date'])}, {escape(each['licence'])}")
    said = f"Figures: {'; '.join(found)}. " if found else ""
    notes = " ".join(f"{escape(note)}." for note in facts.notes)
    return f"<p class=source>{said}{notes}<a href=../report/files.html>What the figures mean</a>."
