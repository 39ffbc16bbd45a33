"""timm's tables of one card, as they stood at each of seven commits since 2021: speeds and accuracies, joined.

    timm_history.load("timm-3090-2021-10")

Each step is a source of its own in the registry (`public`), pinned by its commit. The file of 2021 does not say its
PyTorch; until January 2022 batches held at most 256 pictures, later 1,024 where they fit.
"""

from __future__ import annotations

import pandas as pd

from scripts.common import families
from scripts.common.errors import UserError
from scripts.common.tables import read_table
from scripts.data import names, public

CARD = "RTX 3090"
RESULTS = "results-imagenet.csv"
# source -> version of PyTorch, '' where the file does not say; at its commit the file of January 2022 was of 1.10
STEPS = {
    "timm-3090-2021-10": "",
    "timm-3090-2022-01": "1.10",
    "timm-3090-2022-04": "1.10",
    "timm-3090-2022-07": "1.12",
    "timm-3090-2023-02": "1.13",
    "timm-3090-2023-11": "2.1.0",
    "timm-3090-2024-09": "2.4.0",
}
LEAST_JOINED = 0.8  # of the weights with an accuracy, those timed at their size; the seven tables reach 0.99
PREFIX = "infer_"


def load(step: str) -> pd.DataFrame:
    """A row per weights and size with a speed: `model` (as the table calls it), `net` (today's architecture), `family`,
    `img_size` (pixels), `top1` (percent), `samples_per_sec`, `batch_size`, `param_count` (millions).

    Raises TablesMissing; UserError for a damaged table, a speed of 0, changed units, and a join that lost its rows.
    """
    file = next(name for name in public.source(step).files if name != RESULTS)
    needed = [f"{PREFIX}{name}" for name in ("img_size", "samples_per_sec", "step_time", "batch_size")]
    speeds = read_table(
        public.locate(step, file),
        required=["model", *needed],
        numeric=[needed[0], "param_count"],
        optional_numeric=needed[1:],  # a network that ran out of memory has no figures
        key=["model", needed[0]],
    )
    speeds = speeds.rename(columns={name: name.removeprefix(PREFIX) for name in needed}).dropna(
        subset=["samples_per_sec"]
    )
    _check(speeds, f"{step}/{file}")
    scores = read_table(
        public.locate(step, RESULTS), required=["model"], numeric=["top1", "img_size"], key=["model", "img_size"]
    )[["model", "top1", "img_size"]]
    if not scores["top1"].between(0, 100).all():
        raise UserError(f"{step}/{RESULTS}: a top-1 outside 0 to 100; was a unit changed?")
    tagged = scores["model"].str.contains(".", regex=False).any()
    scores = scores.assign(key=scores["model"].str.partition(".")[0])
    columns = ["key", "img_size", "samples_per_sec", "batch_size", "param_count"]
    timed = speeds.assign(key=_keys(speeds, set(scores["key"])) if tagged else speeds["model"])
    timed = timed.sort_values("param_count", kind="stable").drop_duplicates(["key", "img_size"])[columns]
    joined = scores.merge(timed, on=["key", "img_size"], how="left", validate="m:1")
    found = joined.dropna(subset=["samples_per_sec"])
    if len(found) < LEAST_JOINED * len(joined):
        raise UserError(
            f"{step}: only {len(found)} of {len(joined)} accuracies have a speed; do the files belong together?"
        )
    nets = [(names.today(model).partition(".")[0] or model.partition(".")[0]) for model in found["model"]]
    known = [families.lookup(net) for net in nets]
    found = found.assign(net=nets, family=[row.family if row else net for row, net in zip(known, nets)])
    return found.drop(columns="key")[found["family"] != "test"].reset_index(drop=True)


def _keys(speeds: pd.DataFrame, known: set[str]) -> list[str]:
    """What each timed network is called among the accuracies: itself, or today's name of an old one."""
    return [name if name in known else names.today(name).partition(".")[0] or name for name in speeds["model"]]


def _check(speeds: pd.DataFrame, file: str) -> None:
    if (speeds["model"].str.strip() == "").any():
        raise UserError(f"{file}: a speed without the name of its network; download it again")
    if speeds.empty or (speeds[["samples_per_sec", "step_time", "batch_size"]] <= 0).any(axis=None):
        raise UserError(f"{file}: no speeds, or a speed, time or batch of 0 or less; download it again")
    ratio = speeds["samples_per_sec"] * speeds["step_time"] / 1000 / speeds["batch_size"]
    if not 0.9 < ratio.median() < 1.1:
        raise UserError(f"{file}: speeds, times (ms) and batches do not fit together; was a unit changed?")
