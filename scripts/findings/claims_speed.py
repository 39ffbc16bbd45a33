"""Claims about what decides speed: parameters, training against inference, transformers on processors, and the
compiler.

Each judge is documented in `claims`: it takes one configuration's tidy table and returns a verdict with its evidence.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from scripts.common import hardware
from scripts.common.frontier import on_frontier
from scripts.common.uncertainty import (
    TIMING_SPREAD,
    family_totals,
    interval,
    share_difference,
    spearman,
    spearman_interval,
    top1_uncertainty,
)
from scripts.data.download import VINTAGES
from scripts.findings.claims import KEY, LEAST_ROWS, NOTEBOOK, Claim, Finding, Tables, decide, no_data

NEWEST = list(VINTAGES)[-1]  # the vintage whose GPUs a machine measured here is compared with
NETWORK = ["arch", "img_size"]
LEAST_OF_A_KIND = 5


def parameters_say_little(table: pd.DataFrame, tables: Tables) -> Finding:
    nets = table.drop_duplicates(NETWORK).dropna(subset=["param_count"])
    if len(nets) < LEAST_ROWS:
        return no_data(f"only {len(nets)} networks")
    pair = -nets["param_count"], nets["samples_per_sec"]
    rho, (low, high) = spearman(*pair), spearman_interval(nets["family"], *pair)
    outcome, tie = decide(low, high, 0.7, 0.9)
    alike = nets[nets["param_count"].between(20, 30)]["samples_per_sec"]
    said = f"rank correlation with speed −{rho:.2f} over {len(nets)} networks"
    if len(alike) > 1:
        span = alike.max() / alike.min()
        span_said = (
            f", yet those of 20 to 30 M span {span:.0f}×" if span >= 10 else f"; those of 20 to 30 M span {span:.1f}×"
        )
        said += span_said
    for column, name in (("macts", "activations"), ("gmacs", "GMACs")):
        if nets[column].notna().mean() > 0.9:  # they are missing from some of timm's files
            said += f"; {name} −{abs(spearman(nets[column], nets['samples_per_sec'])):.2f}"
    return Finding(outcome, said, (), rho, low, high, "rank correlation", tie=tie)


def training_like_inference(table: pd.DataFrame, tables: Tables) -> Finding:
    other = tables.find(table.iloc[0], part="infer")
    if other is None:
        return no_data("no inference table of the same machine and torch")
    both = table.drop_duplicates(NETWORK).merge(
        other.drop_duplicates(NETWORK)[[*NETWORK, "samples_per_sec"]], on=NETWORK, suffixes=("", "_infer")
    )
    if len(both) < LEAST_ROWS:
        return no_data(f"only {len(both)} networks timed both ways")
    pair = both["samples_per_sec"], both["samples_per_sec_infer"]
    rho, (low, high) = spearman(*pair), spearman_interval(both["family"], *pair)
    cost = (both["samples_per_sec_infer"] / both["samples_per_sec"]).quantile([0.1, 0.5, 0.9]).to_list()
    said = (
        f"rank correlation {rho:.3f} over {len(both)} networks; a training step costs {cost[1]:.1f} inferences "
        f"({cost[0]:.1f} to {cost[2]:.1f} for eight in ten)"
    )
    outcome, tie = decide(low, high, 0.9, 0.7)
    return Finding(outcome, said, (), rho, low, high, "rank correlation", tie=tie)


def same_network(parameters, others) -> np.ndarray:
    """Whether parameter counts (millions, rounded to 0.01) are of one network; fusing layers changes more."""
    return np.isclose(parameters, others, rtol=1e-4, atol=0.011)


def slowdowns(cpu: pd.DataFrame, gpus: list[pd.DataFrame]) -> pd.DataFrame:
    """How many times faster each network is on GPUs: arch, img_size, family, kind, gmacs, `slowdown` (geometric mean
    over the GPUs that timed it). Networks whose parameter count differs between two tables (re-parameterised) are left
    out, and those without known multiply-adds."""
    columns = [*NETWORK, "family", "kind", "gmacs", "param_count", "samples_per_sec"]
    here, parts = cpu.drop_duplicates(NETWORK)[columns], []
    for gpu in gpus:
        there = gpu.drop_duplicates(NETWORK)[[*NETWORK, "gmacs", "param_count", "samples_per_sec"]]
        both = here.merge(there, on=NETWORK, suffixes=("", "_gpu"))
        both["gmacs"] = both["gmacs"].fillna(both["gmacs_gpu"])
        both = both[same_network(both["param_count"], both["param_count_gpu"]) & (both["gmacs"] > 0)]
        parts.append(both.assign(slowdown=np.log(both["samples_per_sec_gpu"] / both["samples_per_sec"])))
    if not parts:
        return here.iloc[:0].assign(slowdown=[])[[*NETWORK, "family", "kind", "gmacs", "slowdown"]]
    found = pd.concat(parts).groupby([*NETWORK, "family", "kind"], as_index=False)[["gmacs", "slowdown"]].mean()
    return found.assign(slowdown=np.exp(found["slowdown"]))


def penalty(both: pd.DataFrame, kind: str = "transformer") -> tuple[float, float, float]:
    """(ratio, low, high): how many times as much networks of `kind` slow down as convnets of as many multiply-adds (a
    straight line in logs with one step between the two), families resampled. NaN where either has too few."""
    pair = both[both["kind"].isin([kind, "convnet"])]
    if pair["kind"].value_counts().reindex([kind, "convnet"]).fillna(0).min() < LEAST_OF_A_KIND:
        return (float("nan"),) * 3
    log, other = np.log(pair["gmacs"].to_numpy(float)), pair["kind"].eq(kind).to_numpy(float)
    terms = np.column_stack([np.ones(len(pair)), log, other])
    slower = np.log(pair["slowdown"].to_numpy(float))
    products = (terms[:, :, None] * np.column_stack([terms, slower])[:, None, :]).reshape(len(pair), -1)

    def step(sums: np.ndarray) -> np.ndarray:
        """The step's factor by least squares, of sums of `products`; NaN for a draw without one of the two kinds."""
        squares = sums.reshape(-1, 3, 4)
        known = (squares[:, 2, 2] > 0) & (squares[:, 2, 2] < squares[:, 0, 0])
        found = np.full(len(squares), np.nan)
        found[known] = np.linalg.solve(squares[known, :, :3], squares[known, :, 3:])[:, 2, 0]
        return np.exp(found)

    return float(step(products.sum(axis=0))[0]), *interval(step(family_totals(pair["family"], products)))


def on_cpu(head: pd.Series) -> bool:
    """Whether a row was an inference on a processor: timm's tables say so by name, ours by the sidecar."""
    kind = hardware.named(head["hardware"]).kind or head.get("kind_of_hardware", "")
    return head["part"] == "infer" and kind == "cpu"


def transformers_lose_on_cpus(table: pd.DataFrame, tables: Tables) -> Finding:
    head = table.iloc[0]
    cards = tables.gpus(head, NEWEST if head["vintage"] == "measured" else head["vintage"])
    ratio, low, high = penalty(slowdowns(table, cards))
    if ratio != ratio:  # NaN
        return no_data("too few transformers or convnets timed both here and, run the same way, on a GPU")
    each = [one for gpu in cards if (one := penalty(slowdowns(table, [gpu]))[0]) == one]
    outcome, tie = decide(low, high, 1.0, 1.0)
    said = (
        f"at equal multiply-adds a transformer loses {ratio:.2f} times what a convnet loses ({min(each):.2f} to "
        f"{max(each):.2f} over {len(each)} cards, {'compiled' if head['compiled'] else 'eager'} as here, in mixed "
        f"precision against {head['precision']})"
    )
    return Finding(outcome, said, (), ratio, low, high, "times", tie=tie)


def dethroned(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """The frontier of `before` among the networks that both tables timed: model, family, `lost`: in `after` another is
    faster by more than the timing spread and more accurate by more than the uncertainty."""
    both = before.merge(after[[*KEY, "samples_per_sec", "param_count"]], on=KEY, suffixes=("", "_after"))
    both = both[same_network(both["param_count"], both["param_count_after"])].reset_index(drop=True)
    front = both[on_frontier(both)]
    speed, top1 = both["samples_per_sec_after"].to_numpy(), both["top1"].to_numpy()
    lost = [
        bool(((speed >= s * TIMING_SPREAD) & (top1 - t > top1_uncertainty(top1, t))).any())
        for s, t in zip(front["samples_per_sec_after"], front["top1"])
    ]
    return front[["model", "family"]].assign(lost=lost)


def compiling_changes_ranking(table: pd.DataFrame, tables: Tables) -> Finding:
    head = table.iloc[0]
    eager = tables.find(head, compiled=False)
    if eager is None:
        return no_data("no eager table of the same machine and torch")
    both = table.merge(eager[[*KEY, "samples_per_sec"]], on=KEY, suffixes=("", "_eager"))
    if len(both) < LEAST_ROWS:
        return no_data(f"only {len(both)} models timed both ways")
    updates = tables.updates(NEWEST if head["vintage"] == "measured" else head["vintage"])
    own = [pair for pair in updates if pair[0]["hardware"].iloc[0] == head["hardware"]] or updates
    if not own:
        return no_data("no card was timed with two versions of torch, to compare with")
    known = [frame.dropna(subset=["top1"]) for frame in (eager, table)]
    moved = dethroned(*known)
    usual = pd.concat([dethroned(*(frame.dropna(subset=["top1"]) for frame in pair)) for pair in own])
    more, low, high = share_difference(moved["lost"], moved["family"], usual["lost"], usual["family"])
    outcome, tie = decide(low, high)
    gain = both["samples_per_sec"] / both["samples_per_sec_eager"]
    rho = spearman(both["samples_per_sec"], both["samples_per_sec_eager"])
    said = (
        f"compiling makes the median model {gain.median():.2f}× as fast ({gain.quantile(0.1):.2f} to "
        f"{gain.quantile(0.9):.2f} for eight in ten); {int(moved['lost'].sum())} of {len(moved)} models of the eager "
        f"frontier are clearly beaten then, by a newer torch alone {int(usual['lost'].sum())} of {len(usual)} "
        f"({_named(own)}); rank correlation of speeds {rho:.3f}"
    )
    models = tuple(moved["model"][moved["lost"]].head(5))
    return Finding(outcome, said, models, more, low, high, "of the frontier, more than a newer torch", tie=tie)


def _named(pairs: list[tuple[pd.DataFrame, pd.DataFrame]]) -> str:
    """'RTX 4090, 2.4.0 to 2.9.1'; 'RTX 3090 and RTX 4090, 5 updates'."""
    cards = list(dict.fromkeys(hardware.named(before["hardware"].iloc[0]).name for before, _ in pairs))
    if len(pairs) == 1:
        return f"{cards[0]}, {pairs[0][0]['torch'].iloc[0]} to {pairs[0][1]['torch'].iloc[0]}"
    return f"{' and '.join(cards)}, {len(pairs)} updates"


CLAIMS = (
    Claim(
        "parameters",
        "Parameter count says little about speed",
        NOTEBOOK,
        "rank correlation of parameter count with slowness over all networks timed, families resampled",
        "holds below 0.7, fails above 0.9, each by the whole interval",
        parameters_say_little,
        accuracy=False,
    ),
    Claim(
        "training",
        "Training trends look like inference trends",
        NOTEBOOK,
        "rank correlation of the speeds in training and in inference over the networks timed both ways on the same "
        "machine with the same torch, families resampled",
        "holds above 0.9, fails below 0.7, each by the whole interval",
        training_like_inference,
        accuracy=False,
        applies=lambda head: head["part"] == "train",
    ),
    Claim(
        "transformers_cpu",
        "Transformers may do worse on CPUs",
        NOTEBOOK,
        "how many times as much a transformer slows down as a convnet of as many multiply-adds does, from graphics "
        "cards run the same way (eager or compiled, same layout) to this processor; families resampled. Cards were "
        "timed in mixed precision, processors in 32-bit floats: that stays mixed in",
        "holds where the whole interval is above 1, fails where it is below 1",
        transformers_lose_on_cpus,
        accuracy=False,
        applies=on_cpu,
    ),
    Claim(
        "compiling",
        "Compiling changes the ranking",
        "this report",
        "the share of the eager frontier that is clearly beaten once all is compiled, less the share that a newer "
        "torch alone dethrones (the same card run eagerly with two versions, or all cards of which there are two)",
        "holds where the whole interval is above 0, fails where it is below 0; weights of one family count together",
        compiling_changes_ranking,
        sound=(),
        applies=lambda head: bool(head["compiled"]),
    ),
)
