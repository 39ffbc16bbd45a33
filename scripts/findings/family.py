"""A family up close, by name: its members by pretraining and size, and what a larger picture buys against what a larger
network buys.

    python -m scripts.findings.family convnext                          # on the RTX 5090
    python -m scripts.findings.family swin --hardware i7_12700h-compiled

A step changes one thing. *Picture*: the same network and recipe at the next larger picture. *Network*: the next larger
network of the same series and recipe at the same picture. Its gain is in points of top-1, its cost how many times
slower the model becomes; `points per doubling of the time` makes the two comparable. Steps are read off the names, in
which timm keeps size, picture and recipe apart.
"""

from __future__ import annotations

import argparse
import re
import sys

import numpy as np
import pandas as pd

from scripts.common import families
from scripts.common.errors import UserError, cli
from scripts.common.frontier import on_frontier
from scripts.common.uncertainty import LEVEL, TIMING_SPREAD
from scripts.common.words import rate
from scripts.data import names, pretraining
from scripts.findings import machines

STEP = ["what", "series", "recipe", "from_model", "to_model", "from_size", "to_size", "gain", "cost"]
LEAST_GROWTH = 1.1  # a network with fewer than a tenth more parameters is a variant, not the next size
LEAST_STEPS = 3  # fewer say nothing about a family
RESAMPLES = 1000
WORDS = (
    "zepto atto femto pico nano micro mini xxtiny xtiny tiny xxs xs s small m medium medium_plus base b mediumd l "
    "large xl xlarge xxl xxlarge h huge g giant gigantic"
).split()
_SIZE = re.compile(r"(?:\d+[a-z]{0,2}|(?!p)[a-z]\d{1,2}|" + "|".join(WORDS) + r")$")
_DEPTH = re.compile(r"(?<=[a-z])\d{2,3}[a-z]?$")  # resnet50, vgg16, densenet121, so400m
_RECIPE_SIZE = re.compile(r"(^|_)r?\d{3}(?=_|$)")  # …_ft_in1k_384, e600_r384_in1k


def resolve(name: str, known) -> str:
    """The key of a family (`convnext`) from its key or label in any case. Raises UserError with the nearest."""
    keys = sorted(set(known))
    wanted = str(name).strip().lower()
    for key in keys:
        if wanted in (key, families.label(key).lower()):
            return key
    near = names.nearest(wanted, keys)
    what = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(keys)}"
    raise UserError(f"{str(name)[:60]!r} is no family in this table; {what}")


def members(table: pd.DataFrame, key: str) -> pd.DataFrame:
    """The rows of one family with known accuracy, and of each: `base` (its architecture without a picture's size),
    `series` (that without the network's size), `recipe` (its tag without a picture's size), `front` (on the frontier of
    the whole table). Smallest network first."""
    known = table.dropna(subset=["top1"])
    known = known if "front" in known else known.assign(front=on_frontier(known))
    own = known[known["family"] == key]
    sizes = own.groupby("arch")["img_size"].agg(set)

    def base(arch: str) -> str:
        return re.sub(r"_(\d{3})(?=_|$)", lambda found: "" if int(found[1]) in sizes[arch] else found[0], arch)

    own = own.assign(base=own["arch"].map(base))
    own["series"] = own["base"].map(series)
    own["recipe"] = [_RECIPE_SIZE.sub("", tag).strip("_") for tag in own["tag"].fillna("")]
    return own.sort_values(["series", "recipe", "param_count", "img_size"], kind="stable").reset_index(drop=True)


def series(base: str) -> str:
    """A name without its size: resnet50 -> resnet, vit_base_patch16_clip -> vit_patch16_clip."""
    kept = [part for part in re.sub(r"window\d+(to\d+)?", "window", base).split("_") if not _SIZE.match(part)]
    kept = [part if re.match(r"(patch|reg|p)\d", part) else _DEPTH.sub("", part) for part in kept]
    return "_".join(kept) or base


def steps(own: pd.DataFrame) -> pd.DataFrame:
    """Every step (`STEP`) of a family's `members`; what: 'picture' or 'network'. gain: points; cost: times slower."""
    picture = _steps("picture", own, ["base", "recipe"], "img_size", "img_size")
    network = _steps("network", own, ["series", "recipe", "img_size"], "param_count", "base")
    found = pd.concat([picture, network], ignore_index=True)
    return found[found["cost"] > TIMING_SPREAD**2].reset_index(drop=True)  # a step that costs no time has no price


def _steps(what: str, own: pd.DataFrame, alike: list[str], larger: str, once: str) -> pd.DataFrame:
    """The steps from each to the next by `larger` among those that are `alike`, the most accurate of `once` alone."""
    order = own.assign(group=own.groupby(alike, sort=False).ngroup()).sort_values(["group", larger, "top1"])
    order = order.drop_duplicates(["group", once], keep="last").reset_index(drop=True)
    a, b = order.iloc[:-1], order.iloc[1:].reset_index(drop=True)
    grown = what == "picture" or b["param_count"] >= LEAST_GROWTH * a["param_count"]
    next_one = (a["group"] == b["group"]) & grown
    a, b = a[next_one], b[next_one]
    sides = {"from_model": a["model"], "to_model": b["model"], "from_size": a["img_size"], "to_size": b["img_size"]}
    gain, cost = b["top1"] - a["top1"], a["samples_per_sec"] / b["samples_per_sec"]
    return a.assign(what=what, **sides, gain=gain, cost=cost)[STEP]


def trade(found: pd.DataFrame, what: str) -> dict:
    """Of the steps of one kind: n, and medians of `gain`, `cost` and `price` (points per doubling of the time) with the
    latter's 95% bootstrap interval `low` to `high`. Medians, because a few published weights were tested far off their
    best. NaN below LEAST_STEPS."""
    part = found[found["what"] == what]
    if len(part) < LEAST_STEPS:
        return {"n": len(part), **dict.fromkeys(("gain", "cost", "price", "low", "high"), float("nan"))}
    price = (part["gain"] / np.log2(part["cost"])).to_numpy()
    drawn = np.random.default_rng(0).integers(0, len(part), (RESAMPLES, len(part)))
    low, high = np.quantile(np.median(price[drawn], axis=1), LEVEL)
    medians = {"gain": part["gain"].median(), "cost": part["cost"].median(), "price": np.median(price)}
    return {"n": len(part), **medians, "low": low, "high": high}


def compare(found: pd.DataFrame) -> str:
    """Which buys more for the same time: picture, network, tie (intervals overlap); '' for too few steps."""
    picture, network = trade(found, "picture"), trade(found, "network")
    if np.isnan(picture["price"]) or np.isnan(network["price"]):
        return ""
    return "picture" if picture["low"] > network["high"] else "network" if network["low"] > picture["high"] else "tie"


def overview(table: pd.DataFrame) -> pd.DataFrame:
    """A row per family: family (key), weights, networks, frontier (its weights on the table's), best (model), top1,
    then for picture and network `…_steps`, `…_gain`, `…_cost`, `…_price`, `…_low`, `…_high`, and `more`
    (see `compare`). Most weights first."""
    rows, table = [], table.dropna(subset=["top1"])
    table = table.assign(front=on_frontier(table))
    for key in sorted(set(families.contenders(table)["family"])):
        own = members(table, key)
        if own.empty:
            continue
        found, best = steps(own), own.iloc[own["top1"].argmax()]
        row = {
            "family": key,
            "weights": len(own),
            "networks": own["arch"].nunique(),
            "frontier": int(own["front"].sum()),
            "best": best["model"],
            "top1": best["top1"],
        }
        for what in ("picture", "network"):
            of = trade(found, what)
            row |= {f"{what}_{'steps' if name == 'n' else name}": value for name, value in of.items()}
        rows.append({**row, "more": compare(found)})
    return pd.DataFrame(rows).sort_values(["weights", "family"], ascending=[False, True], ignore_index=True)


@cli
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.findings.family",
        description="All members of a family, and what a larger picture or network buys.",
    )
    parser.add_argument("name", help="such as convnext, ViT or swin")
    parser.add_argument(
        "--hardware", default="rtx5090", help="a machine of `python -m scripts.choose.rules --list` (default: rtx5090)"
    )
    options = parser.parse_args(argv)
    known = machines.main_tables()
    if options.hardware not in known:
        there = ", ".join(known) or "the tables at hand (run `make data` or `make bench`)"
        raise UserError(f"hardware {options.hardware[:60]!r}: not among {there}")
    table = known[options.hardware]
    own = members(table, resolve(options.name, table["family"]))
    if own.empty:
        raise UserError(f"{options.name[:60]}: no member timed on {options.hardware} has a published accuracy")
    for kind, rows in own.groupby(own["pretrain"].map(pretraining.LABELS), sort=False):
        print(f"{kind}:")
        for row in rows.sort_values("samples_per_sec", ascending=False, kind="stable").itertuples():
            print(
                f"  {row.model:<64}{row.img_size:>4} px {row.top1:6.2f}% {rate(row.samples_per_sec):>7} images/s "
                f"{row.param_count:8.1f} M{'  on the frontier' if row.front else ''}"
            )
    found = steps(own)
    for what, words in (("picture", "A larger picture"), ("network", "A larger network")):
        of = trade(found, what)
        said = f"too few steps to tell ({of['n']})"
        if of["n"] >= LEAST_STEPS:
            said = (
                f"{of['gain']:+.2f} points for {of['cost']:.2f} times the time (medians of {of['n']} steps), "
                f"{of['price']:.2f} points per doubling of the time (95%: {of['low']:.2f} to {of['high']:.2f})"
            )
        print(f"{words}: {said}")


if __name__ == "__main__":
    sys.exit(main())
