"""Fine-tuning runs of 92 timm networks with fastai on two sets of pictures (Thomas Capelle, 2022).

No licence is stated in the repository: its rows are read when the report is built and never shown or copied.
"""

from __future__ import annotations

import pandas as pd

from scripts.common.errors import UserError
from scripts.common.tables import read_table
from scripts.data import public

SOURCE = "fastai-timm"
FILE = "fastai_timm.csv"
MOST = pd.Series({"GPU_mem": 400.0, "fit_time": 13_000.0})  # GB, seconds: thirty times the largest of theirs
SETS = {"pets": "breeds of pets", "planet": "satellite pictures"}


def load() -> pd.DataFrame:
    """A row a run: `model` (timm's name of 2022), `dataset`, `error` (percent of the validation pictures),
    `memory_gb`, `train_seconds`.

    Raises TablesMissing; UserError for a table that is cut short, has other columns or impossible figures.
    """
    runs = read_table(
        public.locate(SOURCE, FILE),
        required=["dataset", "model_name", "GPU_mem", "error_rate", "fit_time"],
        optional_numeric=["GPU_mem", "error_rate", "fit_time"],  # a run that failed has no figures
    )
    runs = runs[runs["error_rate"].notna()]
    odd = sorted(set(runs["dataset"]) - set(SETS))
    if odd:
        raise UserError(f"{FILE}: no such set of pictures is known: {odd[0][:40]!r}; add it to SETS in fastai_timm.py")
    costs = runs[list(MOST.index)]
    if not runs["error_rate"].between(0, 1).all() or (costs <= 0).any(axis=None) or (costs > MOST).any(axis=None):
        raise UserError(
            f"{FILE}: an error rate outside 0 to 1, or a cost of zero or less or out of all reason; was a unit changed?"
        )
    twice = runs[runs.duplicated()]
    if len(twice):
        which = twice["model_name"].iloc[0][:40]
        raise UserError(f"{FILE}: a run of {which} stands twice, figure by figure; download it again")
    if (runs["model_name"].str.strip() == "").any():
        raise UserError(f"{FILE}: a run without the name of its network; download it again")
    return pd.DataFrame(
        {
            "model": runs["model_name"],
            "dataset": runs["dataset"],
            "error": 100 * runs["error_rate"],
            "memory_gb": runs["GPU_mem"],
            "train_seconds": runs["fit_time"],
        }
    )
