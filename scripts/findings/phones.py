"""What holds on a phone: 35 networks on Qualcomm's phones, tablets, laptops and boards, by runtime and precision.

    TABLES=folder python -m scripts.findings.phones       # report/data/phones*.csv with sidecars

phones.csv: each network on the phone on which accuracies were taken, as floats and quantised; phones-others.csv: the
same of a laptop and a board, with the phone's accuracies. phones-devices.csv: each device, how alike it ranks the
networks, and how well its speeds follow from a graphics card's and a processor's.

Accuracies rest on 1,000 pictures. Float and quantised answers are to the same ones, but which answers changed is not
published, so a loss is told from none only where it exceeds twice the larger of the two standard errors: an assumption,
between the bounds of answers that err together and answers that err apart.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from scripts.common import families
from scripts.common.errors import UserError, cli, parser_of
from scripts.common.frontier import on_frontier
from scripts.common.paths import DATA
from scripts.common.provenance import sidecar, write_derived
from scripts.common.uncertainty import SIGMAS, spearman, top1_se
from scripts.data import public, qualcomm, read_data

PHONE = "Samsung Galaxy S25"
OTHERS = "Snapdragon X Elite CRD", "Dragonwing IQ-9075 EVK"  # a laptop and a board, with the phone in matrix and picker
OTHERS_FILE = "phones-others.csv"
FLOAT, QUANTISED = "float", ("w8a8", "w8a16", "w8a8_mixed_fp16", "w8a8_mixed_int16", "w8a16_mixed_int16")
CARD = "benchmark-infer-amp-nchw-pt291-cu130-5090.csv"
PROCESSOR = "benchmark-infer-fp32-nchw-pt240-cpu-i7_12700h-dynamo.csv"
LEVEL_FROM = 5  # networks measured on a device before the others are predicted
DRAWS = 200


def fastest(table: pd.DataFrame) -> pd.DataFrame:
    """The row of the shortest latency of each network and device."""
    return table.loc[table.groupby(["network", "device"])["latency_ms"].idxmin()].reset_index(drop=True)


def by_network(latencies: pd.DataFrame, accuracies: pd.DataFrame, device: str = PHONE) -> pd.DataFrame:
    """A row a network on `device`: its fastest latency as floats and quantised, what ran it, accuracies, and what
    quantising won (times as fast) and cost (points of top-1; loss_told says whether 1,000 pictures can tell it).
    """
    rows = []
    here = latencies[latencies["device"] == device]
    for network, runs in here.groupby("network"):
        row: dict = {"network": network, "arch": runs["arch"].iloc[0]}
        found = families.lookup(row["arch"]) if row["arch"] else None
        row |= {"family": found.family if found else "", "kind": found.kind if found else "", **_info(network)}
        scores = accuracies[accuracies["network"] == network]
        for name, wanted in (("float", (FLOAT,)), ("int8", QUANTISED)):
            part = runs[runs["precision"].isin(wanted)]
            if part.empty:
                continue
            best = part.loc[part["latency_ms"].idxmin()]
            alike = scores["runtime"].eq(best["runtime"]) & scores["precision"].eq(best["precision"])
            top1 = scores.loc[alike, "top1"]
            row |= {f"{name}_ms": best["latency_ms"]}
            row |= {f"{name}_{what}": best[what] for what in ("runtime", "precision", "unit", "memory_mb")}
            row |= {f"{name}_top1": float(top1.iloc[0]) if len(top1) else np.nan}
        rows.append(row)
    frame = pd.DataFrame(rows)
    if frame.empty:
        raise UserError(f"no network was timed on {device}: are these the right files?")
    frame["gain"] = frame["float_ms"] / frame["int8_ms"]
    frame["loss"] = frame["float_top1"] - frame["int8_top1"]
    error = SIGMAS * np.maximum(*(top1_se(frame[name], qualcomm.IMAGES) for name in ("float_top1", "int8_top1")))
    frame["loss_told"] = np.where(frame["loss"].isna(), "", np.where(frame["loss"].abs() > error, "yes", "no"))
    return frame.sort_values("float_ms", kind="stable").reset_index(drop=True)


def _info(network: str) -> dict[str, float]:
    """`params` (millions) and `img_size` (pixels) of a network, NaN where its description does not say."""
    try:
        return {"params": qualcomm.parameters(network), "img_size": qualcomm.size(network) or np.nan}
    except UserError:
        return {"params": np.nan, "img_size": np.nan}


def with_frontier(table: pd.DataFrame) -> pd.DataFrame:
    """`table` with `on_frontier`: yes where no network is both faster and more accurate on the phone, in the faster of
    its two precisions with a known accuracy; near where one is, by less than the accuracies' uncertainty.
    """
    ms, top1 = (table[[f"float_{what}", f"int8_{what}"]].to_numpy(float) for what in ("ms", "top1"))
    ms = np.where(np.isnan(top1), np.inf, ms)
    at = np.arange(len(table)), ms.argmin(axis=1)
    points = table.assign(samples_per_sec=1000 / np.where(np.isinf(ms[at]), np.nan, ms[at]), top1=top1[at])
    known = points.dropna(subset=["samples_per_sec", "top1"])
    best = known[on_frontier(known)].index
    said = []
    for index, row in points.iterrows():
        faster = known[known["samples_per_sec"] > row["samples_per_sec"]]["top1"]
        behind = faster.max() - row["top1"] if len(faster) else -np.inf
        near = behind <= SIGMAS * top1_se(row["top1"], qualcomm.IMAGES)
        said.append("yes" if index in best else "near" if near else "no" if row["top1"] == row["top1"] else "")
    return points.assign(on_frontier=said)


def devices(latencies: pd.DataFrame) -> pd.DataFrame:
    """A row a device: `networks`, its median latency as floats, `rho` of its ranking with the phone's, the networks
    that are faster as floats than quantised, and the compute unit that ran most.
    """
    rows = []
    floats = fastest(latencies[latencies["precision"] == FLOAT])
    quantised = fastest(latencies[latencies["precision"].isin(QUANTISED)])
    phone = floats[floats["device"] == PHONE].set_index("network")["latency_ms"]
    for device, part in latencies.groupby("device"):
        mine = floats[floats["device"] == device].set_index("network")["latency_ms"]
        other = quantised[quantised["device"] == device].set_index("network")["latency_ms"]
        both = pd.concat([mine, phone], axis=1, keys=["mine", "phone"]).dropna()
        two = pd.concat([mine, other], axis=1, keys=["float", "int8"]).dropna()
        rows.append(
            {
                "device": device,
                "networks": part["network"].nunique(),
                "float_networks": len(mine),
                "median_ms": mine.median(),
                "rho": spearman(both["mine"], both["phone"]) if len(both) > 3 else np.nan,
                "quantised_networks": len(two),
                "gain": (two["float"] / two["int8"]).median() if len(two) else np.nan,
                "slower_quantised": int((two["int8"] > two["float"]).sum()),
                "on_npu": float((part["unit"] == "NPU").mean()),
            }
        )
    return pd.DataFrame(rows).sort_values("median_ms", kind="stable", na_position="last").reset_index(drop=True)


def predictable(latencies: pd.DataFrame) -> pd.Series:
    """How far speeds on a device follow from a graphics card's and a processor's: device -> median factor by which a
    prediction is off. The slopes come from all other devices, the level from LEVEL_FROM of its networks, drawn DRAWS
    times. Raises TablesMissing without timm's tables.
    """
    floats = fastest(latencies[latencies["precision"] == FLOAT])
    others = [read_data.load("infer", read_data.NOW, file) for file in (CARD, PROCESSOR)]
    others = [one.sort_values("img_size", kind="stable").drop_duplicates("arch").set_index("arch") for one in others]
    known = pd.concat([one["samples_per_sec"] for one in others], axis=1).dropna()
    table = floats[floats["arch"].isin(known.index)]
    x = np.log(known.loc[table["arch"]].to_numpy())
    y, device = -np.log(table["latency_ms"].to_numpy()), table["device"].to_numpy()
    random, off = np.random.default_rng(0), {}
    for one in np.unique(device):
        mine, rest = device == one, device != one
        if mine.sum() < LEVEL_FROM + 5 or not rest.any():
            continue
        slope = np.linalg.lstsq(_centred(x[rest], device[rest]), _centred(y[rest], device[rest]), rcond=None)[0]
        left = y[mine] - x[mine] @ slope
        errors = []
        for _ in range(DRAWS):
            mixed = random.permutation(left)
            errors.append(np.median(np.abs(mixed[LEVEL_FROM:] - mixed[:LEVEL_FROM].mean())))
        off[one] = float(np.exp(np.mean(errors)))
    return pd.Series(off, name="predicted_off")


def _centred(values: np.ndarray, device: np.ndarray) -> np.ndarray:
    """`values` less each device's mean: its level says nothing of slopes."""
    return np.concatenate([values[device == one] - values[device == one].mean(axis=0) for one in np.unique(device)])


def update() -> bool:
    """Compute and write the tables with their sidecars. Returns whether one changed."""
    latencies, accuracies = qualcomm.latencies(), qualcomm.accuracies()
    facts = sidecar(packages=("pandas", "numpy"), sources=[public.record(qualcomm.SOURCE)])
    table = with_frontier(by_network(latencies, accuracies))
    others = pd.concat([with_frontier(by_network(latencies, accuracies, one)).assign(device=one) for one in OTHERS])
    about = devices(latencies)
    try:
        about = about.merge(predictable(latencies), left_on="device", right_index=True, how="left")
    except read_data.TablesMissing:
        about["predicted_off"] = np.nan
    made = {"phones.csv": table, OTHERS_FILE: others, "phones-devices.csv": about}
    changed = [write_derived(frame.round(3), DATA / name, facts) for name, frame in made.items()]
    return any(changed)


@cli
def main(argv: list[str] | None = None) -> None:
    parser_of("scripts.findings.phones", __doc__, "TABLES=folder python -m scripts.findings.phones").parse_args(argv)
    try:
        changed = update()
    except read_data.TablesMissing as missing:
        print(f"notice: {missing}; phones.csv stays as it is", file=sys.stderr)
        return
    print(f"phones: {'written' if changed else 'as it was'}")


if __name__ == "__main__":
    sys.exit(main())
