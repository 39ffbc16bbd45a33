"""All that is published about each model and each machine, read once: what the model pages show and data/v1 holds.

    facts.collect()        # Facts of the tables at hand

Speeds are those of the picker (`machines.main_tables`: a machine's newest table, ours beside timm's), and for machines
that were predicted, `scripts.predict.stored`. Accuracies are timm's on ImageNet and five other test sets, or
report/data/accuracy.csv. Where timm's tables can't be had, `Facts.notes` says so, and the models keep their name,
pretraining and licence.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from scripts.choose import rules
from scripts.common import families, hardware
from scripts.common.frontier import on_frontier
from scripts.common.paths import DATA
from scripts.common.provenance import Source, sha256, sources
from scripts.common.tables import read_table
from scripts.common.uncertainty import IMAGES, top1_se
from scripts.data import licences, measured, names, read_data
from scripts.data.pretraining import pretraining
from scripts.findings import fields, machines, phones, robustness
from scripts.predict import stored
from scripts.publish import address
from scripts.publish.rivals import rivals

SETS = {"imagenet": ("ImageNet", IMAGES), **{key: (row[1], row[3]) for key, row in robustness.SETS.items()}}
SPEED = ["samples_per_sec", "low", "high", "latency_ms", "train_samples_per_sec"]
PUBLISHED, MEASURED, PREDICTED = "published", "measured", "predicted"


@dataclass
class Machine:
    """key: as in the picker's data; rows: a row per model and size, `model`, `img_size`, `top1`, `SPEED`, `batch_size`,
    `status`, `date`, `frontier`, and the rivals' positions `better` and `faster`; source: of the speeds."""

    key: str
    name: str
    kind: str
    year: int
    setting: dict
    rows: pd.DataFrame
    source: Source

    @functools.cached_property
    def records(self) -> list[dict]:
        """`rows` as dictionaries: a frame's own rows cost 20 times as much to read one by one."""
        return self.rows.to_dict("records")


@dataclass
class Model:
    """One set of weights: sizes (with params_m, gmacs, macts of the network), accuracies per size and test set, and
    the rows of each machine that it was timed on, as (machine, position); more: small tables (`publish.more`)."""

    name: str
    file: str
    old: list[str] = field(default_factory=list)
    sizes: dict[int, dict] = field(default_factory=dict)
    accuracies: list[dict] = field(default_factory=list)
    speeds: list[tuple[Machine, int]] = field(default_factory=list)
    phone: dict = field(default_factory=dict)
    more: dict[str, dict] = field(default_factory=dict)

    @property
    def arch(self) -> str:
        return self.name.partition(".")[0]

    @property
    def tag(self) -> str:
        return self.name.partition(".")[2]

    @property
    def family(self) -> str:
        """The family's key; '' for an architecture that no family is known of."""
        found = families.lookup(self.arch)
        return found.family if found else ""

    @property
    def kind(self) -> str:
        found = families.lookup(self.arch)
        return found.kind if found else ""

    @property
    def pretrain(self) -> str:
        return pretraining(self.name)

    @property
    def licence(self) -> str:
        return licences.licence(self.name)


@dataclass
class Facts:
    """models by name; machines by key; renamed: an old name -> today's, '' where it is gone; sources: of the
    accuracies; notes: what could not be had, a sentence each; earlier: tables before the machines' newest, as [machine,
    date, torch]."""

    models: dict[str, Model]
    machines: dict[str, Machine]
    renamed: dict[str, str]
    sources: tuple[Source, ...] = ()
    notes: list[str] = field(default_factory=list)
    earlier: list[list[str]] = field(default_factory=list)


def collect() -> Facts:
    """All models and machines of the tables at hand. Raises UserError for a damaged table or two models that would
    share a file."""
    notes = []
    try:
        scores = robustness.load(read_data.NOW)
    except read_data.TablesMissing:
        notes.append(
            "timm’s tables were not at hand when this was made: accuracies and speeds of most models are left out"
        )
        scores = pd.DataFrame(columns=["model", "img_size"])
    accuracies = families.contenders(fields.accuracies())
    tables, predicted = machines.main_tables(), _predicted()
    tables = {key: _every_weights(table) for key, table in tables.items()}
    tables |= {key: _both(tables.get(key), table) for key, table in predicted.items()}
    listed = pd.DataFrame({"model": licences.names()})
    listed["arch"] = listed["model"].str.partition(".")[0]
    known = families.contenders(listed)["model"]
    training = machines.main_tables("train")
    facts = join(accuracies, scores, tables, training, known, dict(zip(names.table()["old"], names.table()["new"])))
    facts.notes += notes
    return facts


def join(
    accuracies: pd.DataFrame,
    scores: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    training: Mapping[str, pd.DataFrame],
    known: Iterable[str] = (),
    renamed: Mapping[str, str] | None = None,
) -> Facts:
    """Facts of these tables: accuracies as `fields.accuracies`, scores as `robustness.load`, tables and training as
    `machines.main_tables`; known: models that have a page even if no table has them; renamed: old name -> today's."""
    found = {
        key: _machine(key, rows, training.get(key.removesuffix("-compiled")))
        for key, rows in tables.items()
        if len(rows)
    }
    every = sorted({*accuracies["model"], *known, *(name for one in found.values() for name in one.rows["model"])})
    models = {name: Model(name, file) for name, file in address.all_of(every).items()}
    _add_accuracies(models, accuracies, scores)
    for machine in found.values():
        _add_speeds(models, machine)
    _add_phones(models)
    moved = {old: new for old, new in (renamed or {}).items() if old not in models}
    for old, new in moved.items():
        if new in models:
            models[new].old.append(old)
    address.all_of([*models, *moved])
    return Facts(models, found, moved, (*sources(scores), *_ours()))


def _predicted() -> dict[str, pd.DataFrame]:
    """{machine: measured and predicted rows} of every machine that predictions are kept of."""
    found = {}
    for path in sorted(DATA.glob("predict-speeds-*.csv")):
        slug = re.sub(r"^predict-speeds-|\.csv$", "", path.name)
        table = stored.picker_table("infer", slug)
        if table:
            edge = stored.read(slug).frontier[[*machines.KEY, "expected", "sure"]]
            found[slug] = table[1].merge(edge, on=machines.KEY, how="left", validate="1:1")
    return found


def _every_weights(table: pd.DataFrame) -> pd.DataFrame:
    """A table of ours with a row for each set of weights of its networks; timm's have one already."""
    return fields.with_accuracies(table) if table["vintage"].eq("measured").all() else table


def _both(own: pd.DataFrame | None, predicted: pd.DataFrame) -> pd.DataFrame:
    """The predicted rows, then the measured ones that they lack (weights whose accuracy timm does not give)."""
    if own is None:
        return predicted
    batches = own.drop_duplicates(machines.KEY).set_index(machines.KEY)["batch_size"]  # a prediction has none
    given = batches.reindex(pd.MultiIndex.from_frame(predicted[machines.KEY])).array
    predicted = predicted.assign(batch_size=pd.Series(given, predicted.index).where(predicted["status"] != PREDICTED))
    known = set(map(tuple, predicted[machines.KEY].to_numpy()))
    rest = own[[tuple(key) not in known for key in own[machines.KEY].to_numpy()]]
    return pd.concat([predicted, rest.assign(status=MEASURED)], ignore_index=True) if len(rest) else predicted


def _machine(key: str, table: pd.DataFrame, training: pd.DataFrame | None) -> Machine:
    head = table.iloc[0]
    known = hardware.named(head["hardware"])
    # of a model and size timed twice (threads of a processor) the fastest counts, as in the picker
    rows = rules.complete(table, training).sort_values("samples_per_sec", ascending=False, kind="stable")
    rows = rows.drop_duplicates(machines.KEY).reset_index(drop=True)
    ours = rows["vintage"].isin(["measured", "predicted"])
    unknown = pd.Series(np.nan, rows.index)
    predicted = rows.get("status", unknown).eq(PREDICTED)
    rows["status"] = np.where(ours, np.where(predicted, PREDICTED, MEASURED), PUBLISHED)
    for end in ("low", "high"):
        rows[end] = rows.get(end, unknown).fillna(rows.get(f"samples_per_sec_{end}", unknown))
    told = rows["top1"].notna() & rows["samples_per_sec"].notna()
    rows["frontier"] = False
    if "expected" in rows:
        rows["frontier"] = rows["expected"].eq(True)
    else:
        rows.loc[told, "frontier"] = on_frontier(rows[told])
    rows = pd.concat([rows, rivals(rows)], axis=1)
    setting = {name: head[name] for name in ("precision", "layout", "torch")} | {"compiled": bool(head["compiled"])}
    wanted = [*machines.KEY, "arch", "top1", *SPEED, "batch_size", "status", "frontier", "better", "faster"]
    wanted += [name for name in ("param_count", "gmacs", "macts", "peak_memory_mb", "sure") if name in rows]
    name = machines.name_of(key, {key: table}).removesuffix(", mostly predicted")
    file = str(head["file"])
    source = next((one for one in sources(table) if one.path.endswith(file)), None) or _source(file, str(head["date"]))
    kind = known.kind or str(head.get("kind_of_hardware", ""))
    return Machine(key, name, kind, known.year, setting, rows[wanted], source)


def _source(file: str, date: str) -> Source:
    """One of our own tables; its checksum is its sidecar's."""
    path = DATA / file
    return Source(f"report/data/{file}", sha256(path) if path.is_file() else "", date, "MIT")


def _ours() -> tuple[Source, ...]:
    path = DATA / measured.ACCURACY
    return (_source(path.name, ""),) if path.is_file() else ()


def _add_accuracies(models: dict[str, Model], accuracies: pd.DataFrame, scores: pd.DataFrame) -> None:
    """Top-1 (percent) with its standard error (points) of each size and test set."""
    others = {(row.model, row.img_size): row for row in scores.itertuples()}
    for row in accuracies.sort_values(machines.KEY).itertuples():
        more = others.get((row.model, row.img_size))
        for key, (_, images) in SETS.items():
            top1 = row.top1 if key == "imagenet" else getattr(more, key, np.nan)
            if pd.isna(top1):
                continue
            top5 = {"top5": row.top5} if key == "imagenet" and pd.notna(row.top5) else {}
            about = {"img_size": int(row.img_size), "set": key, "top1": float(top1), **top5}
            models[row.model].accuracies.append({**about, "se": float(top1_se(top1, images))})
        params = {"params_m": float(more.param_count)} if more is not None and pd.notna(more.param_count) else {}
        models[row.model].sizes.setdefault(int(row.img_size), {}).update(params)


def _add_speeds(models: dict[str, Model], machine: Machine) -> None:
    for at, row in enumerate(machine.rows.itertuples()):
        model = models[row.model]
        model.speeds.append((machine, at))
        size = model.sizes.setdefault(int(row.img_size), {})
        for column, key in (("param_count", "params_m"), ("gmacs", "gmacs"), ("macts", "macts")):
            value = getattr(row, column, np.nan)
            if pd.notna(value):
                size.setdefault(key, float(value))


def _add_phones(models: dict[str, Model]) -> None:
    """Latencies on the phone of findings.phones, of the network whatever its weights."""
    path = DATA / "phones.csv"
    if not path.is_file():
        return
    numbers = ["float_ms", "int8_ms", "float_memory_mb", "int8_memory_mb"]
    table = read_table(path, required=["network", "arch"], optional_numeric=numbers, key=["network"])
    by_arch: dict[str, list[Model]] = defaultdict(list)
    for model in models.values():
        by_arch[model.arch].append(model)
    for row in table[table["arch"] != ""].itertuples():
        known = {name: float(getattr(row, name)) for name in numbers if pd.notna(getattr(row, name))}
        for model in by_arch[row.arch]:
            model.phone = {"device": phones.PHONE, **known}
