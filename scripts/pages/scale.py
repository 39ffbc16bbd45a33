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
    """model, size, processes, images_per_sec and step_ms (medians over rounds), ratio to one process, efficiency
    (ratio over processes), rounds.
    """
    frame = read_table(
        path,
        required=["model"],
        numeric=["size", "processes", "round", "images_per_sec", "step_ms"],
        key=["model", "size", "processes", "round"],
    )
    by = frame.groupby(["model", "size", "processes"])
    found = by[["images_per_sec", "step_ms"]].median().assign(rounds=by.size()).reset_index()
    one = found.groupby(["model", "size"])["images_per_sec"].transform("first")
    return found.assign(
        ratio=found["images_per_sec"] / one, efficiency=found["images_per_sec"] / one / found["processes"]
    )


def facts() -> SimpleNamespace:
    """For sentences: measured and added (of the newest scaling, '' where there is none), networks, the plan's
    inputs (given), and what its cheapest and its quickest instance take ('n/a' without a plan).
    """
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
            "times as many images a second as one, on "
            f"{sidecar['hardware']['name']} ({sidecar['date'][:10]})."
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
        print(
            "\n::: {.callout-note}\n## Nothing measured yet\n`python -m scripts.perf.scaling --write` measures this "
            "machine.\n:::\n"
        )
    for path in runs:
        frame, sidecar = medians(path), read_sidecar(path)
        shown = frame[["size", "processes", "images_per_sec", "ratio", "efficiency", "step_ms", "rounds"]].set_axis(
            ["Pixels", "Processes", "Images/s", "Of one process", "Efficiency", "A step (ms)", "Runs"], axis=1
        )
        asked = sidecar["settings"]
        page.table(
            shown,
            f"{frame['model'].iloc[0]}, {asked['batch']} pictures a step in all, {asked['precision']}, on "
            f"{sidecar['hardware']['name']}: "
            f"medians of runs that took turns.",
            label=f"tbl-scaling-{path.stem.removeprefix('scaling-').replace('_', '-').replace('.', '-')}",
            link=f"report/data/{path.name}",
            formats={
                "Pixels": "{:.0f}",
                "Processes": "{:.0f}",
                "Images/s": images_per_second,
                "Of one process": "{:.2f}×",
                "Efficiency": "{:.0%}",
                "A step (ms)": "{:.0f}",
                "Runs": "{:.0f}",
            },
        )


def plan() -> None:
    """What the zoo on ImageNet would take, by instance type."""
    given, zoo = imagenet.inputs(), imagenet.networks()
    if zoo.empty:
        print(
            "\n::: {.callout-note}\n## Nothing to plan with yet\n`make bench` measures the networks whose arithmetic "
            "the plan adds up.\n:::\n"
        )
        return
    frame = imagenet.plan(zoo, given, prices.load())
    shown = frame[
        ["instance", "gpus", "hours", "usd", "images_per_sec", "cores_needed", "cores", "disk_gb_per_sec"]
    ].set_axis(
        ["Instance", "GPUs", "Hours", "Cost ($)", "Images/s", "Cores to decode", "Cores it has", "Disk (GB/s)"], axis=1
    )
    page.table(
        shown,
        f"On paper, not run: {len(zoo)} networks, {given.images:,} images, {given.epochs} epochs at {given.pixels} "
        "pixels, one after the other on one instance. "
        f"Inputs of {given.date}.",
        label="tbl-imagenet",
        formats={
            "GPUs": "{:.0f}",
            "Hours": "{:,.0f}",
            "Cost ($)": "{:,.0f}",
            "Images/s": "{:,.0f}",
            "Cores to decode": "{:.1f}",
            "Cores it has": "{:.0f}",
            "Disk (GB/s)": "{:.2f}",
        },
    )


def price_list() -> None:
    """The prices that costs are computed from."""
    frame = prices.load()
    frame["card"] = [hardware.named(slug).name for slug in frame["card"]]
    shown = frame[["instance", "card", "gpus", "usd_per_hour", "region", "date"]].set_axis(
        ["Instance", "Card", "GPUs", "$ an hour", "Region", "Looked up"], axis=1
    )
    page.table(
        shown,
        "Prices on demand, as quoted publicly on that day; yours depend on region and contract.",
        label="tbl-prices",
        formats={"GPUs": "{:.0f}", "$ an hour": "{:.3f}"},
    )


def per_dollar() -> None:
    """Images per dollar on the rented cards that were measured; says so where none was."""
    frame = prices.measured()
    if frame.empty:
        print(
            "\n::: {.callout-note}\n## No rented card has been measured yet\n`python -m scripts.cloud.bench` "
            "measures one; images per dollar then stand here.\n:::\n"
        )
        return
    frame["hardware"] = [hardware.named(slug).name for slug in frame["hardware"]]
    shown = (
        frame.head(20)[["model", "hardware", "instance", "samples_per_sec", "usd_per_hour", "images_per_usd"]]
        .set_axis(["Model", "Card", "Instance", "Images/s", "$ an hour", "Million images per $"], axis=1)
        .assign(**{"Million images per $": lambda table: table["Million images per $"] / 1e6})
    )
    page.table(
        shown,
        "Inference on rented cards: images per dollar on the cheapest instance with one such card.",
        label="tbl-per-dollar",
        formats={"Images/s": images_per_second, "$ an hour": "{:.3f}", "Million images per $": "{:.1f}"},
    )
