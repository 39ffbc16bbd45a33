"""The small tables that the hardware and robustness pages show, computed from timm's large ones and committed, so that
the pages render where those cannot be had. Also families.csv: a row per family with what a larger picture and a larger
network buy.

    # writes report/data/machines-*.csv, families.csv and robustness*.csv, with sidecars, where they changed
    python -m scripts.findings.aggregates
"""

from __future__ import annotations

import sys

import pandas as pd

from scripts.common import families
from scripts.common.errors import UserError, cli, parser_of
from scripts.common.paths import DATA
from scripts.common.provenance import origin, sidecar, sources, write_derived
from scripts.common.uncertainty import spearman
from scripts.data import read_data
from scripts.findings import family, machines, robustness, summary
from scripts.findings.claims_speed import same_network


def stable(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Models on the frontier of at least half of the machines that timed them: model, img_size, family, top1,
    machines, timed, where (their names).
    """
    found = machines.stable_picks(tables)
    found = found[(found["machines"] >= 2) & (found["machines"] * 2 >= found["timed"])]
    where = ["; ".join(machines.name_of(key, tables) for key in keys.split()) for keys in found["where"]]
    found = found.assign(family=found["family"].map(families.label), where=where).round({"top1": 2})
    return found[["model", "img_size", "family", "top1", "machines", "timed", "where"]]


def frontiers(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Per machine: how many models, how many of them on the frontier, and which families hold it, fastest first."""
    front = machines.frontiers(tables)
    rows = []
    for key, table in tables.items():
        mine = front[front["machine"] == key]
        if len(mine):
            head, kin = table.iloc[0], ", ".join(map(families.label, mine["family"].unique()))
            count = int(table["top1"].notna().sum())
            rows.append((machines.name_of(key, tables), head["torch"], head["date"], count, len(mine), kin))
    return pd.DataFrame(rows, columns=["machine", "torch", "date", "weights", "frontier", "families"])


def agreement(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Rank correlations of the networks' speeds, a row per machine, a column per machine."""
    square = machines.agreement(tables)
    names = [machines.name_of(str(key), tables) for key in square]
    return square.round(3).set_axis(names, axis=1).assign(machine=names)[["machine", *names]]


def penalties(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """How much more each kind of network loses than convnets on a CPU (see `machines.cpu_penalties`)."""
    found = machines.cpu_penalties(tables)
    return found.assign(cpu=[machines.name_of(key, tables) for key in found["cpu"]]).round(3)


def compiling(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """What compiling gives on each machine with both tables: networks, their median speed-up and its 5th and 95th
    percentile, by kind; changed: networks left out because their parameter count differs between the tables."""
    rows = []
    for key in tables:
        if f"{key}-compiled" not in tables:
            continue
        gain = machines.speedups(tables[key], tables[f"{key}-compiled"])
        for kind, part in [("all", gain), *gain.groupby("kind")]:
            speedup = part["speedup"].dropna()
            if len(speedup):
                about = machines.name_of(key, tables), kind, len(speedup)
                rows.append((*about, *speedup.quantile([0.5, 0.05, 0.95]), int(part["changed"].sum())))
    return pd.DataFrame(rows, columns=["machine", "kind", "networks", "median", "p05", "p95", "changed"]).round(3)


def succession() -> pd.DataFrame:
    """What became of the notebook's frontier on its card. Raises UserError where timm has no newer table of it."""
    found = machines.succession()
    found["still"] = found["still"].map({True: "yes", False: "no"}).fillna("not timed")
    digits = {"samples_per_sec": 1, "by_samples_per_sec": 1}
    return found.assign(family=found["family"].map(families.label)).round(digits)


def robustness_families() -> pd.DataFrame:
    """Median loss and effective robustness per family and test set."""
    found = robustness.families_losses(read_data.NOW)
    return found.assign(family=found["family"].map(families.label)).round(2)


def ours(published: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Our measured machines beside timm's, on the networks that both timed: rank correlation, how many times as fast
    timm's is (median, least, most), and the same for one picture at a time (latency_…), where timm's table was timed
    at batch 1 and ours too. Re-parameterised networks are left out."""
    rows = []
    columns = [*machines.NETWORK, "param_count", "samples_per_sec", "batch_size"]
    spread = ["median", "min", "max"]
    for key, mine in machines.main_tables().items():
        if mine["vintage"].iloc[0] != "measured":
            continue
        mine = mine.assign(
            single=pd.to_numeric(mine["batch1_p50_ms"], errors="coerce") if "batch1_p50_ms" in mine else float("nan")
        )
        for other, table in published.items():
            both = mine.drop_duplicates(machines.NETWORK)[[*columns, "single"]].merge(
                table[columns].drop_duplicates(machines.NETWORK), on=machines.NETWORK, suffixes=("", "_theirs")
            )
            both = both[same_network(both["param_count"], both["param_count_theirs"])]
            if len(both) < 5:
                continue
            ratio = both["samples_per_sec_theirs"] / both["samples_per_sec"]
            single = both[both["batch_size_theirs"].eq(1).fillna(False).astype(bool)]
            alone = (single["single"] * single["samples_per_sec_theirs"] / 1000).dropna()
            names = machines.name_of(key, {key: mine}), machines.name_of(other, published)
            rho = spearman(both["samples_per_sec"], both["samples_per_sec_theirs"])
            rows.append((*names, len(both), rho, *ratio.agg(spread), len(alone), *alone.agg(spread)))
    latency = "latency_networks latency_ratio latency_least latency_most"
    return pd.DataFrame(rows, columns=f"ours theirs networks rho ratio least most {latency}".split()).round(3)


def family_overview(table: pd.DataFrame) -> pd.DataFrame:
    """Every family on one card (see `family.overview`), its name for people, rounded."""
    found = family.overview(table)
    return found.assign(label=found["family"].map(families.label)).round(3)


def update() -> None:
    """Compute all and write those that changed. Raises TablesMissing where timm's tables can't be had."""
    published = machines.main_tables(ours=False)
    try:
        gpu = [summary.table_of("gpu")]
    except read_data.TablesMissing:
        gpu = []
    every = sources(*published.values())
    then = read_data.load("infer", read_data.THEN, read_data.NOTEBOOK_FILE.format(part="infer"))
    eager = machines.main_tables(ours=False, compiled=False)
    both = [then, *(table for table in eager.values() if table["hardware"].iloc[0] == then["hardware"].iloc[0])]
    series = list(read_data.tables("infer", read_data.NOW))
    scores = robustness.load(read_data.NOW)
    mine = "report/data/benchmark-infer-*.csv"
    made = {  # table -> (what computes it, from which of timm's, from which of ours)
        "machines-stable": (lambda: stable(published), every, ""),
        "machines-frontiers": (lambda: frontiers(published), every, ""),
        "machines-agreement": (lambda: agreement(published), every, ""),
        "machines-cpu_penalty": (lambda: penalties(published), every, ""),
        "machines-compiling": (lambda: compiling(published), every, ""),
        "machines-succession": (succession, sources(*both), ""),
        "machines-ours": (lambda: ours(published), every, mine),
        "machines-software": (lambda: machines.software().round(3), sources(*series), ""),
        "families": (lambda: family_overview(gpu[0]), sources(*gpu), ""),
        "robustness": (lambda: robustness.correlations(read_data.NOW).round(5), sources(scores), ""),
        "robustness-families": (robustness_families, sources(scores), ""),
    }
    facts, written = sidecar(packages=("pandas",)), 0
    for name, (compute, found, own) in made.items():
        if not found:
            print(f"notice: {name}.csv is kept as it is: timm no longer has its tables", file=sys.stderr)
            continue
        try:
            write_derived(compute(), DATA / f"{name}.csv", {**facts, **origin(found, own)})
            written += 1
        except UserError as error:
            print(f"notice: {name}.csv is kept as it is: {error}", file=sys.stderr)
    print(f"{written} tables about machines and robustness in report/data")


@cli
def main() -> None:
    parser_of(
        "scripts.findings.aggregates", __doc__, "TIMM_RESULTS=copy/of/tables python -m scripts.findings.aggregates"
    ).parse_args()
    update()


if __name__ == "__main__":
    sys.exit(main())
