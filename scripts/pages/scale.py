"""The page about leaving the machine: measured scaling, prices, and the plan for ImageNet, from their files.

from scripts.pages import scale
    s = scale.facts()                 # s.ratio, s.hardware, … for inline code
    scale.scaling()                   # in a cell with `#| output: asis`
"""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from scripts.cloud import imagenet, prices
from scripts.common import hardware
from scripts.common.paths import DATA
from scripts.common.provenance import read_sidecar
from scripts.common.tables import read_table
from scripts.common.words import images_per_second
from scripts.pages import page


def _runs() -> list:
    """The measured scalings, the newest last."""
    return sorted(DATA.glob("scaling-*.csv"), key=lambda path: read_sidecar(path).get("date", ""))


def medians(path) -> pd.DataFrame:
    """model, size, processes, images_per_sec and step_ms (medians over rounds), ratio to one process, efficiency (ratio
    over processes), rounds."""
    key = ["model", "size", "processes", "round"]
    frame = read_table(path, required=["model"], numeric=[*key[1:], "images_per_sec", "step_ms"], key=key)
    by = frame.groupby(["model", "size", "processes"])
    found = by[["images_per_sec", "step_ms"]].median().assign(rounds=by.size()).reset_index()
    one = found.groupby(["model", "size"])["images_per_sec"].transform("first")
    return found.assign(
        ratio=found["images_per_sec"] / one, efficiency=found["images_per_sec"] / one / found["processes"]
    )


def facts() -> SimpleNamespace:
    """For sentences: measured and added (of the newest scaling, '' where there is none), networks, the plan's inputs
    (given), and what its cheapest and its quickest instance take ('n/a' without a plan)."""
    given, zoo = imagenet.inputs(), imagenet.networks()
    plan = imagenet.plan(zoo, given, prices.load()) if len(zoo) else pd.DataFrame()
    found = SimpleNamespace(measured="", added="", given=given, networks=len(zoo), cheapest="n/a", quickest="n/a")
    if len(plan):
        found.cheapest, found.quickest = (
            f"{row['hours']:,.0f} hours and ${row['usd']:,.0f} on {row['instance']}"
            for row in (plan.loc[plan["usd"].idxmin()], plan.loc[plan["hours"].idxmin()])
        )
    if runs := _runs():
        sidecar, frame = read_sidecar(runs[-1]), medians(runs[-1])
        most = frame[frame["processes"] == frame["processes"].max()].sort_values("size")
        ratios = [f"{most['ratio'].min():.2f}", f"{most['ratio'].max():.2f}"]
        found.measured = (
            f"Measured here: {most['processes'].iloc[0]:.0f} processes train {' to '.join(dict.fromkeys(ratios))} "
            f"times as many images a second as one, on {sidecar['hardware']['name']} ({sidecar['date'][:10]})."
        )
        found.added = (
            f"The first adds {sidecar['fast_local_seconds']:.1f} seconds to the plain command, measured on "
            f"{sidecar['hardware']['name']}."
        )
    return found


def scaling() -> None:
    """A table per machine on which scaling was measured."""
    runs = _runs()
    if not runs:
        page.note("Nothing measured yet", "`python -m scripts.perf.scaling --write` measures this machine.")
    for path in runs:
        frame, sidecar = medians(path), read_sidecar(path)
        asked = sidecar["settings"]
        page.table(
            {
                "Pixels": (frame["size"], "{:.0f}"),
                "Processes": (frame["processes"], "{:.0f}"),
                "Images/s": (frame["images_per_sec"], images_per_second),
                "Of one process": (frame["ratio"], "{:.2f}×"),
                "Efficiency": (frame["efficiency"], "{:.0%}"),
                "A step (ms)": (frame["step_ms"], "{:.0f}"),
                "Runs": (frame["rounds"], "{:.0f}"),
            },
            f"{frame['model'].iloc[0]}, {asked['batch']} pictures a step in all, {asked['precision']}, on "
            f"{sidecar['hardware']['name']}: medians of runs that took turns.",
            label=f"tbl-scaling-{path.stem.removeprefix('scaling-').replace('_', '-').replace('.', '-')}",
            link=f"report/data/{path.name}",
        )


def plan() -> None:
    """What the zoo on ImageNet would take, by instance type."""
    given, zoo = imagenet.inputs(), imagenet.networks()
    if zoo.empty:
        words = "`make bench` measures the networks whose arithmetic the plan adds up."
        page.note("Nothing to plan with yet", words)
        return
    frame = imagenet.plan(zoo, given, prices.load())
    page.table(
        {
            "Instance": frame["instance"],
            "GPUs": (frame["gpus"], "{:.0f}"),
            "Hours": (frame["hours"], "{:,.0f}"),
            "Cost ($)": (frame["usd"], "{:,.0f}"),
            "Images/s": (frame["images_per_sec"], "{:,.0f}"),
            "Cores to decode": (frame["cores_needed"], "{:.1f}"),
            "Cores it has": (frame["cores"], "{:.0f}"),
            "Disk (GB/s)": (frame["disk_gb_per_sec"], "{:.2f}"),
        },
        f"On paper, not run: {len(zoo)} networks, {given.images:,} images, {given.epochs} epochs at {given.pixels} "
        f"pixels, one after the other on one instance. Inputs of {given.date}.",
        label="tbl-imagenet",
    )


def price_list() -> None:
    """The prices that costs are computed from."""
    frame = prices.load()
    page.table(
        {
            "Instance": frame["instance"],
            "Card": [hardware.named(slug).name for slug in frame["card"]],
            "GPUs": (frame["gpus"], "{:.0f}"),
            "$ an hour": (frame["usd_per_hour"], "{:.3f}"),
            "Region": frame["region"],
            "Looked up": frame["date"],
        },
        "Prices on demand, as quoted publicly on that day; yours depend on region and contract.",
        label="tbl-prices",
    )


def per_dollar() -> None:
    """Images per dollar on the rented cards that were measured; says so where none was."""
    frame = prices.measured().head(20)
    if frame.empty:
        words = "`python -m scripts.cloud.bench` measures one; images per dollar then stand here."
        page.note("No rented card has been measured yet", words)
        return
    page.table(
        {
            "Model": frame["model"],
            "Card": [hardware.named(slug).name for slug in frame["hardware"]],
            "Instance": frame["instance"],
            "Images/s": (frame["samples_per_sec"], images_per_second),
            "$ an hour": (frame["usd_per_hour"], "{:.3f}"),
            "Million images per $": (frame["images_per_usd"] / 1e6, "{:.1f}"),
        },
        "Inference on rented cards: images per dollar on the cheapest instance with one such card.",
        label="tbl-per-dollar",
    )
