"""The same models on many machines: frontier of each, how alike their rankings are, what stays on top everywhere, what
compiling gives, and what dethroned the frontier of 2022.

    from scripts.findings import machines
    # {key: tidy table}, one per machine: 'rtx5090', 'rtx5090-compiled', 'rtx5090-measured' (ours)
    tables = machines.main_tables()
    machines.stable_picks(tables)                  # models by the number of machines on whose frontier they are

Networks whose parameter count changed between two tables were re-parameterised in between (repvgg, mobileone, …):
their speed-up is not the machine's or the compiler's. They are flagged and left out of every speed-up here.
"""

from __future__ import annotations

import pandas as pd

from scripts.common import families, hardware
from scripts.common.errors import UserError
from scripts.common.frontier import on_frontier
from scripts.common.uncertainty import spearman
from scripts.data import download, measured, names, read_data
from scripts.findings.claims import KEY, leads, version_key
from scripts.findings.claims_speed import NETWORK, penalty, same_network, slowdowns

PRECISIONS = ("amp", "fp32")  # what timm times cards and processors in


def key_of(head: pd.Series, theirs: frozenset[str] = frozenset()) -> str:
    """What a configuration's machine is called here: its slug; '-measured' where it is ours and `theirs` (`published`)
    has that card too; '-compiled' where it was."""
    ours = head.get("vintage") == "measured" and head["hardware"] in theirs
    return head["hardware"] + ("-measured" if ours else "") + ("-compiled" if head["compiled"] else "")


def name_of(key: str, tables: dict[str, pd.DataFrame] | None = None) -> str:
    """The machine's name for people: 'RTX 5090, compiled', 'RTX 5090, measured here'."""
    machine, compiled = key.removesuffix("-compiled"), key.endswith("-compiled")
    slug, ours = machine.removesuffix("-measured"), machine.endswith("-measured")
    name = hardware.named(slug).name
    if tables and key in tables and "hardware_name" in tables[key]:
        name = str(tables[key]["hardware_name"].iloc[0])
    return name + (", measured here" if ours else "") + (", compiled" if compiled else "")


def published(vintage: str = read_data.NOW) -> frozenset[str]:
    """Slugs of the machines that timm's tables of a vintage are of, by their files' names, inference or training."""
    files = [file for file in download.files(vintage) if file.startswith("benchmark-")]
    return frozenset(hardware.parse_benchmark_name(file)["hardware"] for file in files)


def main_tables(
    part: str = "infer", vintage: str = read_data.NOW, ours: bool = True, compiled: bool = True
) -> dict[str, pd.DataFrame]:
    """One tidy table per machine (and per compiled machine): its newest torch, mixed precision on GPUs and fp32 on
    CPUs, nchw before nhwc.

    timm's test networks are left out. Only our own machines where timm's tables can't be had; ours=False leaves ours
    out; compiled=False leaves compiled tables out where the machine has an eager one. A few models measured here never
    displace timm's whole table of the same card: they stand beside it (`key_of`).
    """
    try:
        tables = list(read_data.tables(part, vintage))
    except read_data.TablesMissing:
        tables = []
    theirs = published(vintage) if ours else frozenset()
    if ours:
        tables += [table for _, table in measured.load(part).groupby("file")]
    chosen: dict[str, tuple] = {}
    for table in tables:
        head = table.iloc[0]
        if head["precision"] not in PRECISIONS:
            continue
        # a CPU measured by us on one thread and on all: the all-threads table has the higher speeds
        rank = (version_key(head["torch"]), head["layout"] == "nchw", table["samples_per_sec"].median())
        key = key_of(head, theirs)
        if key not in chosen or rank > chosen[key][0]:
            chosen[key] = (rank, families.contenders(table).reset_index(drop=True))
    found = {key: table for key, (_, table) in chosen.items()}
    if not compiled:
        eager = {key for key in found if not key.endswith("-compiled")}
        found = {
            key: table for key, table in found.items() if key in eager or key.removesuffix("-compiled") not in eager
        }
    return dict(sorted(found.items(), key=lambda item: (_year(item[0]), item[0])))


def _year(key: str) -> tuple:
    known = hardware.named(key.removesuffix("-compiled").removesuffix("-measured"))
    return known.kind != "gpu", known.year or 9999


def frontiers(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The frontier rows of every machine, fastest first, with `machine` (its key)."""
    known = {key: table.dropna(subset=["top1"]) for key, table in tables.items()}
    parts = [
        table[on_frontier(table)].sort_values("samples_per_sec", ascending=False, kind="stable").assign(machine=key)
        for key, table in known.items()
        if len(table)
    ]
    if not parts:
        raise UserError("no table with accuracies at hand; run `make data`, or add report/data/accuracy.csv")
    return pd.concat(parts, ignore_index=True)


def stable_picks(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Models on some machine's frontier: model, img_size, family, top1, `machines` (on how many frontiers), `timed` (on
    how many machines it was timed), `where` (their keys); most machines first, then the more accurate."""
    front = frontiers(tables)
    timed = pd.concat([table[KEY].drop_duplicates() for table in tables.values()]).value_counts().rename("timed")
    found = front.groupby(KEY, as_index=False).agg(
        family=("family", "first"), top1=("top1", "first"), machines=("machine", "nunique"), where=("machine", " ".join)
    )
    found = found.merge(timed.reset_index(), on=KEY, validate="1:1")
    return found.sort_values(["machines", "top1"], ascending=False, kind="stable", ignore_index=True)


def agreement(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Rank correlation of the networks' speeds between every two machines: a square frame, keys on both sides."""
    columns = [table.drop_duplicates(NETWORK).set_index(NETWORK)["samples_per_sec"] for table in tables.values()]
    speeds, keys = pd.concat(columns, axis=1, keys=list(tables)), list(tables)
    return pd.DataFrame([[spearman(speeds[a], speeds[b]) for b in keys] for a in keys], index=keys, columns=keys)


def cpu_penalties(tables: dict[str, pd.DataFrame], kinds=("transformer", "hybrid", "mlp")) -> pd.DataFrame:
    """How much more each kind of network loses than convnets of as many multiply-adds when it moves from GPUs to a CPU
    run the same way: cpu, kind, ratio, low, high (95%, families resampled), gpus, networks.
    """
    kind = {
        key: hardware.named(table.iloc[0]["hardware"]).kind or str(table.iloc[0].get("kind_of_hardware", ""))
        for key, table in tables.items()
    }

    def alike(cpu: str, gpu: str) -> bool:
        return all(tables[cpu][name].iloc[0] == tables[gpu][name].iloc[0] for name in ("compiled", "layout"))

    rows = []
    for cpu in (key for key in tables if kind[key] == "cpu"):
        cards = [tables[key] for key in tables if kind[key] == "gpu" and alike(cpu, key)]
        both = slowdowns(tables[cpu], cards)
        for name in kinds:
            counted = int(both["kind"].isin([name, "convnet"]).sum())
            rows.append((cpu, name, *penalty(both, name), len(cards), counted))
    columns = ["cpu", "kind", "ratio", "low", "high", "gpus", "networks"]
    return pd.DataFrame(rows, columns=columns).dropna(ignore_index=True)


def speedups(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Per network in both tables: arch, img_size, family, kind, `speedup` (after over before) and `changed`: its
    parameter count differs, so that it is another network and its speed-up NaN."""
    columns = [*NETWORK, "family", "kind", "param_count", "samples_per_sec"]
    later = after.drop_duplicates(NETWORK)[[*NETWORK, "param_count", "samples_per_sec"]]
    both = before.drop_duplicates(NETWORK)[columns].merge(later, on=NETWORK, suffixes=("", "_after"), validate="1:1")
    changed = ~same_network(both["param_count"], both["param_count_after"])
    gain = both["samples_per_sec_after"] / both["samples_per_sec"]
    return both.assign(speedup=gain.mask(changed), changed=changed)[[*NETWORK, "family", "kind", "speedup", "changed"]]


def software(vintage: str = read_data.NOW) -> pd.DataFrame:
    """The same machine before and after a newer torch: machine, before, after, networks, median, p01, p99 (of the
    speed-up), changed (networks that were re-parameterised in between, left out of it) and families (theirs). One row
    per pair of consecutive tables run the same way."""
    tables: dict[tuple, list[pd.DataFrame]] = {}
    for table in read_data.tables("infer", vintage):
        head = table.iloc[0]
        tables.setdefault((head["hardware"], head["precision"], head["layout"], bool(head["compiled"])), []).append(
            families.contenders(table)
        )
    rows = []
    for series in tables.values():
        series.sort(key=lambda table: version_key(table["torch"].iloc[0]))
        for before, after in zip(series, series[1:]):
            gain = speedups(before, after)
            flagged, speedup = gain[gain["changed"]], gain["speedup"].dropna()
            if len(speedup):
                head, torch = before.iloc[0], after["torch"].iloc[0]
                names_ = ", ".join(families.label(name) for name in flagged["family"].value_counts().index)
                about = name_of(key_of(head)), head["layout"], head["torch"], torch, len(speedup)
                rows.append((*about, *speedup.quantile([0.5, 0.01, 0.99]), len(flagged), names_))
    columns = "machine layout before after networks median p01 p99 changed families".split()
    return pd.DataFrame(rows, columns=columns)


def succession(card: str = "rtx3090") -> pd.DataFrame:
    """What became of the frontier of 2022 on the card that both vintages timed: a row per member, fastest first.

    model, img_size, family, top1, samples_per_sec (2022); `still` on the frontier of today's table; else `by`, the most
    accurate model that is at least as fast there, with `by_top1` and `by_samples_per_sec`. A member no longer timed has
    empty `still` and `by`.
    """
    then = read_data.load("infer", read_data.THEN, read_data.NOTEBOOK_FILE.format(part="infer"))
    today = main_tables(ours=False, compiled=False).get(card)
    if today is None:
        raise UserError(f"{card}: no table of {read_data.NOW} for this card; choose one that both vintages timed")
    front = then[on_frontier(then)].sort_values("samples_per_sec", ascending=False, kind="stable")
    front = front.assign(today=[names.today(model) for model in front["model"]])
    now_front = set(map(tuple, today.loc[on_frontier(today), KEY].to_numpy()))
    rows, about = [], [*KEY, "family", "top1", "samples_per_sec"]
    for old in front.itertuples():
        row = {name: getattr(old, name) for name in about}
        same = today[(today["model"] == old.today) & (today["img_size"] == old.img_size)]
        if len(same):
            better = leads(same, today[today["model"] != old.today]).iloc[0]
            row["still"] = (old.today, old.img_size) in now_front
            if not row["still"] and better["rival"]:
                rivals = today["model"].eq(better["rival"]) & (today["samples_per_sec"] >= better["samples_per_sec"])
                rival = today[rivals].nlargest(1, "top1").iloc[0]
                row |= {"by": rival["model"], "by_top1": rival["top1"], "by_samples_per_sec": rival["samples_per_sec"]}
        rows.append(row)
    return pd.DataFrame(rows, columns=[*about, "still", "by", "by_top1", "by_samples_per_sec"])
