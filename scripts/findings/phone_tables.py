"""The phone of report/data/phones.csv as tables of a machine: one for the claims, one for the picker and its chart.

    from scripts.findings import phone_tables
    phone_tables.for_claims()            # Qualcomm's own accuracies, on 1,000 pictures, at the faster precision
    phone_tables.floats()                # its latencies as floats; `fields.phone` gives them published accuracies

A claim is about what was timed and tested together. The picker's speeds belong to networks, whatever their weights, as
on every other machine there.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from scripts.common import families, hardware
from scripts.common.errors import UserError
from scripts.common.paths import DATA, relative
from scripts.common.provenance import Source, carry, sha256
from scripts.common.tables import read_table
from scripts.data import public, qualcomm
from scripts.data.read_data import TIDY
from scripts.findings import phones

VINTAGE = "qualcomm"
SLUG = hardware.slugify(phones.PHONE.removeprefix("Samsung "))
KIND = "phone"
FILE = "phones.csv"


def _table() -> pd.DataFrame:
    """phones.csv with what is alike in both tables; empty where it is not there or damaged."""
    numbers = ["img_size", "params", "float_ms", "samples_per_sec", "top1"]
    try:
        frame = read_table(DATA / FILE, required=["network", "arch"], optional_numeric=numbers, key=["network"])
    except (UserError, FileNotFoundError):
        return pd.DataFrame(columns=["network", "arch", *numbers])
    frame = frame.dropna(subset=["img_size"])
    arch = frame["arch"].where(frame["arch"] != "", frame["network"])
    known = {name: row for name in arch if (row := families.lookup(name))}
    date = public.source(qualcomm.SOURCE).date
    return frame.assign(
        arch=arch,
        model=arch,
        tag="",
        family=[known[name].family if name in known else name for name in arch],
        kind=[known[name].kind if name in known else "convnet" for name in arch],
        pretrain="unknown",
        img_size=frame["img_size"].astype(int),
        top5=np.nan,
        param_count=frame["params"],
        gmacs=np.nan,
        macts=np.nan,
        part="infer",
        batch_size=pd.array([1] * len(frame), "Int64"),
        hardware=SLUG,
        layout="",
        compiled=False,
        torch="",
        vintage=VINTAGE,
        date=date,
        file=FILE,
        hardware_name=phones.PHONE,
        kind_of_hardware=KIND,
    )


def _source() -> Source:
    return Source(
        relative(DATA / FILE),
        sha256(DATA / FILE),
        public.source(qualcomm.SOURCE).date,
        public.source(qualcomm.SOURCE).licence,
        phones.PHONE,
    )


def for_claims() -> pd.DataFrame | None:
    """A row a network in the faster of its two precisions, with the accuracy there; `pictures`: on how many it rests.
    None without phones.csv.
    """
    table = _table().dropna(subset=["samples_per_sec"])
    if table.empty:
        return None
    table = table.assign(precision="float or int8", secs=1 / table["samples_per_sec"])
    table = table[[*TIDY, "hardware_name", "kind_of_hardware"]].assign(pictures=qualcomm.IMAGES)
    carry(table, _source())
    return families.contenders(table).reset_index(drop=True)


def floats() -> pd.DataFrame | None:
    """A row a network that is timm's, too, timed as floats, one picture at a time; without accuracies, which are those
    of all its weights (`fields.phone`). None without phones.csv.
    """
    table = _table().dropna(subset=["float_ms"])
    table = table[table["arch"] != table["network"]] if len(table) else table
    if table.empty:
        return None
    table = table.assign(precision="float", samples_per_sec=1000 / table["float_ms"], secs=table["float_ms"] / 1000)
    table = table[[*TIDY, "hardware_name", "kind_of_hardware"]].reset_index(drop=True)
    carry(table, _source())
    return table
