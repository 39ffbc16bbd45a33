"""What few models have beside accuracies and speeds: earlier tables of the same machines, other runtimes, memory,
and accuracy on other pictures. Each is a small table, `columns` and `rows`, of the network whatever its weights.

    more.collect()       # the facts of `facts.collect`, with this in every model that has any of it
"""

from __future__ import annotations

from collections import defaultdict

import pandas as pd

from scripts.common import hardware
from scripts.common.paths import DATA
from scripts.common.provenance import Source, read_sidecar, sources
from scripts.common.tables import read_table
from scripts.data import measured, names, pepr, public, read_data
from scripts.publish.facts import Facts, Machine, collect as facts_at_hand

COLUMNS = {
    "history": ["table", "img_size", "images_per_second"],  # table: its place in Facts.earlier
    "runtimes": [
        *("machine", "img_size", "runtime", "precision", "batch_size"),
        *("images_per_second", "low", "high", "memory_mb"),
    ],
    "memory": ["machine", "img_size", "peak_memory_mb"],
    "transfer": ["set", "what", "pretrained", "accuracy"],
}
Rows = dict[str, list[list]]  # network -> rows


def collect() -> Facts:
    """All models and machines of the tables at hand, with what is known beside."""
    found = facts_at_hand()
    add(found)
    return found


def add(facts: Facts) -> None:
    """Put into each model's `more` what is known of its network. Tables that can't be had are left out: `Facts.notes`
    says so already."""
    found = {
        "history": _at_hand(lambda: history(facts)),
        "runtimes": runtimes(),
        "memory": memory(),
        "transfer": _at_hand(transfer),
    }
    for model in facts.models.values():
        sizes = set(model.sizes)
        for name, rows in found.items():
            at = COLUMNS[name].index("img_size") if "img_size" in COLUMNS[name] else None
            own = [row for row in rows.get(model.arch, []) if at is None or row[at] in sizes]
            if own:
                model.more[name] = {"columns": COLUMNS[name], "rows": own}


def _at_hand(made) -> Rows:
    try:
        return made()
    except read_data.TablesMissing:
        return {}


def history(facts: Facts) -> Rows:
    """Speeds of earlier tables of timm's, of the same machine in the same setting, the earliest first; `Facts.earlier`
    is filled with these tables. Raises TablesMissing."""
    by_setting = {
        (_slug(one), *map(one.setting.get, ("precision", "layout", "compiled"))): one for one in facts.machines.values()
    }
    today = set(read_data.results(read_data.NOW)["arch"])
    tables = []
    for vintage in (read_data.THEN, read_data.NOW):
        for file in read_data.configs(vintage, "infer"):
            about = hardware.parse_benchmark_name(file)
            one = by_setting.get(tuple(about[name] for name in ("hardware", "precision", "layout", "compiled")))
            if one is not None and not one.source.path.endswith(file):
                table = read_data.benchmark(vintage, file)
                tables.append((one.key, max(each.date for each in sources(table)), about["torch"], table))
    tables.sort(key=lambda each: each[:3])
    facts.earlier[:] = [list(each[:3]) for each in tables]
    found: Rows = defaultdict(list)
    for place, (*_, table) in enumerate(tables):
        seen = set()
        for row in table.itertuples():
            bare = row.model.partition(".")[0]
            arch = bare if bare in today else names.today(bare).partition(".")[0] or bare
            if (arch, row.img_size) not in seen:
                seen.add((arch, row.img_size))
                found[arch].append([place, int(row.img_size), float(f"{row.samples_per_sec:.4g}")])
    return found


def _slug(machine: Machine) -> str:
    return machine.key.removesuffix("-compiled").removesuffix("-measured")


def runtimes() -> Rows:
    """Speeds that were measured here in each runtime and precision, the fastest first."""
    found: Rows = defaultdict(list)
    for path in sorted(DATA.glob("runtimes-infer-*.csv")):
        slug = read_sidecar(path)["hardware"].get("slug", "")
        frame = read_table(
            path,
            required=["model", "runtime", "precision", "status"],
            optional_numeric=[f"infer_{name}" for name in ("samples_per_sec", "img_size", "batch_size")]
            + ["samples_per_sec_low", "samples_per_sec_high", "memory_mb"],
        )
        frame = frame[frame["status"].eq("ok") & frame["infer_samples_per_sec"].notna()]
        for row in frame.sort_values("infer_samples_per_sec", ascending=False, kind="stable").itertuples():
            numbers = (row.infer_samples_per_sec, row.samples_per_sec_low, row.samples_per_sec_high, row.memory_mb)
            known = [None if pd.isna(value) else float(f"{value:.4g}") for value in numbers]
            about = [slug, int(row.infer_img_size), row.runtime, row.precision, int(row.infer_batch_size)]
            found[row.model.partition(".")[0]].append([*about, *known])
    return found


def memory() -> Rows:
    """Peak memory at the fastest batch, where this project measured it."""
    found: Rows = defaultdict(list)
    rows = measured.load("infer")
    if "peak_memory_mb" not in rows:
        return found
    rows = rows.assign(peak=pd.to_numeric(rows["peak_memory_mb"], errors="coerce")).dropna(subset=["peak"])
    for row in rows.drop_duplicates(["arch", "img_size", "hardware"]).itertuples():
        found[row.arch].append([row.hardware, int(row.img_size), float(f"{row.peak:.4g}")])
    return found


def transfer() -> Rows:
    """Accuracy (percent) on other pictures, the whole sets, one run each. Raises TablesMissing."""
    found: Rows = defaultdict(list)
    for row in pepr.load().itertuples():
        what, share = pepr.SETS[row.dataset]
        if share == 1:
            arch = (names.today(row.model) or row.model).partition(".")[0]
            found[arch].append([row.dataset, what, bool(row.pretrained), round(float(row.accuracy), 2)])
    return {arch: sorted({row[0]: row for row in rows}.values()) for arch, rows in found.items()}


def source() -> Source:
    """Where accuracy on other pictures comes from."""
    one = public.source(pepr.SOURCE)
    return Source(f"{pepr.SOURCE}/all_results.csv", "", one.date, one.licence, url=one.address("all_results.csv"))
