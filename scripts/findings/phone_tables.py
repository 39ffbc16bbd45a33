"""The phone of report/data/phones.csv, and the laptop and board of phones-others.csv, as tables of a machine.

    from scripts.findings import phone_tables
    phone_tables.for_claims()            # Qualcomm's own accuracies, on 1,000 pictures, at the faster precision
    phone_tables.floats()                # their latencies as floats; `fields.phone` gives them published accuracies

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
KIND = "phone"  # a class of hardware: phones, and what else runs on their chips
FILES = {phones.PHONE: "phones.csv", **dict.fromkeys(phones.OTHERS, phones.OTHERS_FILE)}


def slug(device: str) -> str:
    """What a device is called among the machines."""
    return hardware.slugify(device.removeprefix("Samsung "))


def _table(device: str) -> pd.DataFrame:
    """A device's rows with what is alike in both tables; empty where its file is not there or damaged."""
    numbers = ["img_size", "params", "float_ms", "samples_per_sec", "top1"]
    key = ["network"] if device == phones.PHONE else ["device", "network"]
    try:
        frame = read_table(DATA / FILES[device], required=["arch"], optional_numeric=numbers, key=key)
    except (UserError, FileNotFoundError):
        return pd.DataFrame(columns=["network", "arch", *numbers])
    frame = frame[frame["device"] == device] if "device" in frame else frame
    frame = frame.dropna(subset=["img_size"])  # its description does not say it: no key to join by
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
        hardware=slug(device),
        layout="",
        compiled=False,
        torch="",
        vintage=VINTAGE,
        date=date,
        file=FILES[device],
        hardware_name=device,
        kind_of_hardware=KIND,
    )


def _source(device: str) -> Source:
    path, one = DATA / FILES[device], public.source(qualcomm.SOURCE)
    devices = ", ".join(name for name, file in FILES.items() if file == path.name)
    return Source(relative(path), sha256(path), one.date, one.licence, devices)


def for_claims() -> list[pd.DataFrame]:
    """A table a device: a row a network, its faster precision and the accuracy there, on how many `pictures`."""
    found = []
    for device in FILES:
        table = _table(device).dropna(subset=["samples_per_sec"])
        if len(table):
            table = table.assign(precision="float or int8", secs=1 / table["samples_per_sec"])
            table = table[[*TIDY, "hardware_name", "kind_of_hardware"]].assign(pictures=qualcomm.IMAGES)
            carry(table, _source(device))
            found.append(families.contenders(table).reset_index(drop=True))
    return found


def floats() -> dict[str, pd.DataFrame]:
    """{slug: a row a network that is timm's, too, timed as floats, one picture at a time}; without accuracies, which
    are those of all its weights (`fields.phone`).
    """
    found = {}
    for device in FILES:
        table = _table(device).dropna(subset=["float_ms"])
        table = table[table["arch"] != table["network"]] if len(table) else table
        if len(table):
            speed = {"samples_per_sec": 1000 / table["float_ms"], "secs": table["float_ms"] / 1000}
            table = table.assign(precision="float", **speed)
            table = table[[*TIDY, "hardware_name", "kind_of_hardware"]].reset_index(drop=True)
            carry(table, _source(device))
            found[slug(device)] = table
    return found
