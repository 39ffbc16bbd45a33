"""Claims about what decides speed: parameters, training against inference, transformers on processors, and the
compiler.

Each judge is documented in `claims`: it takes one configuration's tidy table and returns a verdict with its evidence.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from scripts.common import hardware
from scripts.common.frontier import on_frontier
from scripts.common.uncertainty import TIMING_SPREAD, spearman, spearman_uncertainty
from scripts.findings.claims import CONDITIONAL, FAILS, HOLDS, LEAST_ROWS, NOTEBOOK, Claim, Finding, Tables, no_data

NEWEST = "2026-08-08"  # the vintage whose GPUs a machine measured here is compared with
PENALTY = 1.1  # a kind of network that loses less than this against convnets has no penalty worth the name
LEAST_OF_A_KIND = 5
RESAMPLES = 400  # of the bootstrap; its quantiles move by less than 0.01 between seeds


def parameters_say_little(table: pd.DataFrame, tables: Tables) -> Finding:
    """Says little: below 0.7 in absolute rank correlation; says much: 0.9 or more, a tenfold span at equal size
    notwithstanding.
    """
    nets = table.drop_duplicates(["arch", "img_size"]).dropna(subset=["param_count"])
    if len(nets) < LEAST_ROWS:
        return no_data(f"only {len(nets)} networks")
    rho = abs(spearman(nets["param_count"], nets["samples_per_sec"]))
    doubt = float(spearman_uncertainty(rho, len(nets)))
    outcome = HOLDS if rho < 0.7 else FAILS if rho >= 0.9 else CONDITIONAL
    alike = nets[nets["param_count"].between(20, 30)]["samples_per_sec"]
    said = f"rank correlation with speed −{rho:.2f} over {len(nets)} networks"
    if len(alike) > 1:
        span = alike.max() / alike.min()
        said += (
            f", yet those of 20 to 30 M span {span:.0f}×" if span >= 10 else f"; those of 20 to 30 M span {span:.1f}×"
        )
    for column, name in (("macts", "activations"), ("gmacs", "GMACs")):
        if nets[column].notna().mean() > 0.9:
            said += f"; {name} −{abs(spearman(nets[column], nets['samples_per_sec'])):.2f}"
    margin = min((0.7, 0.9), key=lambda bound: abs(bound - rho)) - rho
    return Finding(outcome, said, (), margin, doubt, "rank correlation", tie=abs(margin) <= doubt)


def training_like_inference(table: pd.DataFrame, tables: Tables) -> Finding:
    other = tables.find(table.iloc[0], part="infer")
    if other is None:
        return no_data("no inference table of the same machine and torch")
    both = table.merge(
        other[["model", "img_size", "samples_per_sec"]], on=["model", "img_size"], suffixes=("", "_infer")
    )
    if len(both) < LEAST_ROWS:
        return no_data(f"only {len(both)} models timed both ways")
    rho = spearman(both["samples_per_sec"], both["samples_per_sec_infer"])
    doubt = float(spearman_uncertainty(rho, len(both)))
    cost = (both["samples_per_sec_infer"] / both["samples_per_sec"]).quantile([0.1, 0.5, 0.9]).to_list()
    said = (
        f"rank correlation {rho:.3f} over {len(both)} models; a training step costs {cost[1]:.1f} inferences "
        f"({cost[0]:.1f} to {cost[2]:.1f} for eight in ten)"
    )
    outcome, margin = (
        (HOLDS, rho - 0.9) if rho >= 0.9 else (CONDITIONAL, rho - 0.9) if rho >= 0.7 else (FAILS, rho - 0.7)
    )
    return Finding(outcome, said, (), margin, doubt, "rank correlation", tie=abs(margin) <= doubt)


def same_network(parameters, others) -> np.ndarray:
    """Whether two parameter counts (millions) are of one network. timm rounds to 0.01; fusing or re-parameterising
    layers changes more.
    """
    return np.isclose(parameters, others, rtol=1e-4, atol=0.011)


def slowdowns(cpu: pd.DataFrame, gpu: pd.DataFrame) -> pd.DataFrame:
    """How many times faster each network is on the GPU: arch, img_size, kind, slowdown. Those whose parameter count
    differs between the two tables (re-parameterised) are left out."""
    columns = ["arch", "img_size", "kind", "param_count", "samples_per_sec"]
    both = cpu.drop_duplicates(columns[:2])[columns].merge(
        gpu.drop_duplicates(columns[:2])[columns], on=["arch", "img_size", "kind"], suffixes=("", "_gpu")
    )
    both = both[same_network(both["param_count"], both["param_count_gpu"])]
    return both.assign(slowdown=both["samples_per_sec_gpu"] / both["samples_per_sec"])[
        ["arch", "img_size", "kind", "slowdown"]
    ]


def penalty(both: pd.DataFrame, kind: str = "transformer") -> tuple[float, float, float]:
    """(ratio, low, high): median slowdown of `kind` over that of convnets, with its 95% bootstrap interval. NaN
    where either has too few.
    """
    groups = [both.loc[both["kind"] == name, "slowdown"].to_numpy() for name in (kind, "convnet")]
    if min(map(len, groups)) < LEAST_OF_A_KIND:
        return (float("nan"),) * 3
    random = np.random.default_rng(0)
    medians = [np.median(random.choice(values, (RESAMPLES, len(values))), axis=1) for values in groups]
    low, high = np.quantile(medians[0] / medians[1], [0.025, 0.975])
    return float(np.median(groups[0]) / np.median(groups[1])), float(low), float(high)


def on_cpu(head: pd.Series) -> bool:
    """Whether a row was an inference on a processor: timm's tables say so by name, ours by the sidecar."""
    return (
        head["part"] == "infer" and (hardware.named(head["hardware"]).kind or head.get("kind_of_hardware", "")) == "cpu"
    )


def transformers_lose_on_cpus(table: pd.DataFrame, tables: Tables) -> Finding:
    vintage = table.iloc[0]["vintage"]
    vintage = NEWEST if vintage == "measured" else vintage
    found = [ratio for gpu in tables.gpus("infer", vintage) if (ratio := penalty(slowdowns(table, gpu)))[0] == ratio[0]]
    if not found:
        return no_data("too few transformers or convnets timed both here and on a GPU")
    ratios, lows, highs = zip(*found)
    outcome = HOLDS if min(lows) > PENALTY else FAILS if max(ratios) <= PENALTY else CONDITIONAL
    said = (
        f"against GPUs, the median transformer loses {min(ratios):.2f} to {max(ratios):.2f} times what the median "
        f"convnet loses ({len(found)} GPU tables)"
    )
    margin = float(np.median(ratios)) - PENALTY
    doubt = float(np.median([(high - low) / 2 for low, high in zip(lows, highs)]))
    return Finding(outcome, said, (), margin, doubt, "times", tie=abs(margin) <= doubt)


def compiling_changes_ranking(table: pd.DataFrame, tables: Tables) -> Finding:
    eager = tables.find(table.iloc[0], compiled=False)
    if eager is None:
        return no_data("no eager table of the same machine and torch")
    key = ["model", "img_size"]
    both = table.merge(eager[[*key, "samples_per_sec"]], on=key, suffixes=("", "_eager"))
    if len(both) < LEAST_ROWS:
        return no_data(f"only {len(both)} models timed both ways")
    gain = both["samples_per_sec"] / both["samples_per_sec_eager"]
    before, after = both[on_frontier(both, "samples_per_sec_eager")], on_frontier(both)
    # a member of the eager frontier is dethroned only if it stays off when everything of its own is as much faster as
    # timing may be wrong
    lost = [name for name, i in zip(before["model"], before.index) if not after[i] and not _near(both, i)]
    share = len(lost) / len(before)
    rho = spearman(both["samples_per_sec"], both["samples_per_sec_eager"])
    said = (
        f"compiling makes the median model {gain.median():.2f}× as fast ({gain.quantile(0.1):.2f} to "
        f"{gain.quantile(0.9):.2f} for eight in ten); "
    )
    said += f"{len(lost)} of {len(before)} models leave the frontier, rank correlation of speeds {rho:.3f}"
    outcome = HOLDS if share >= 1 / 3 else CONDITIONAL if lost else FAILS
    doubt = 2 * (share * (1 - share) / len(before)) ** 0.5
    return Finding(
        outcome, said, tuple(lost[:5]), share - 1 / 3, doubt, "share of the frontier", tie=abs(share - 1 / 3) <= doubt
    )


def _near(table: pd.DataFrame, index) -> bool:
    """Whether the row would be on the frontier were it faster by the timing spread."""
    row = table.loc[index]
    faster = table[table["samples_per_sec"] >= row["samples_per_sec"] * TIMING_SPREAD]
    return not (faster["top1"] > row["top1"]).any()


CLAIMS = (
    Claim("parameters", "Parameter count says little about speed", NOTEBOOK, parameters_say_little, accuracy=False),
    Claim(
        "training",
        "Training trends look like inference trends",
        NOTEBOOK,
        training_like_inference,
        accuracy=False,
        applies=lambda head: head["part"] == "train",
    ),
    Claim(
        "transformers_cpu",
        "Transformers may do worse on CPUs",
        NOTEBOOK,
        transformers_lose_on_cpus,
        accuracy=False,
        applies=on_cpu,
    ),
    Claim(
        "compiling",
        "Compiling changes the ranking",
        "this report",
        compiling_changes_ranking,
        applies=lambda head: bool(head["compiled"]),
    ),
)
