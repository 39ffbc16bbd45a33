"""PePR's table as tidy rows: 131 timm networks trained on medical pictures (Selvan et al. 2025, arXiv:2403.09441).

A row is a network on a set of pictures, one run of up to ten epochs. Only derma_pt began from pretrained weights; the
sets called small have a tenth of the pictures, smallest a hundredth.
"""

from __future__ import annotations

import pandas as pd

from scripts.common.errors import UserError
from scripts.common.tables import read_table
from scripts.data import public

SOURCE = "pepr"
EPOCHS = [f"test_{epoch:02d}" for epoch in range(10)]
PRETRAINED = ("derma_pt",)
# GB, kWh, seconds an epoch: thirty times the largest of theirs, and less than the least in the next smaller unit
MOST = pd.Series({"memM": 600.0, "energy": 10.0, "train_time": 6000.0})
# what a set's name means: (what is seen, share of its pictures)
SETS = {
    "derma": ("skin lesions", 1.0),
    "derma_pt": ("skin lesions", 1.0),
    "derma_small": ("skin lesions", 0.1),
    "derma_smallest": ("skin lesions", 0.01),
    "lidc": ("lung nodules", 1.0),
    "lidc_small": ("lung nodules", 0.1),
    "pneumonia": ("chest X-rays", 1.0),
    "pneumonia_small": ("chest X-rays", 0.1),
}


def load() -> pd.DataFrame:
    """`model`, `dataset`, `pretrained`, `accuracy` (percent, the best epoch's on the test pictures), `top1`
    (ImageNet's, percent; NaN where theirs is 0, which stands for unknown), `params` (millions), `energy_kwh`,
    `memory_gb`, `train_seconds` (an epoch).

    Raises TablesMissing; UserError for a table that is cut short, has other columns, a doubled or a strange row.
    """
    runs = read_table(
        public.locate(SOURCE, "all_results.csv"),
        required=["model", "dataset"],
        numeric=["num_param", "memM", "energy", "train_time", *EPOCHS],
        key=["model", "dataset"],
    )
    known = read_table(
        public.locate(SOURCE, "full_data_pepr_imagenet.csv"), required=["model"], numeric=["top1"], key=["model"]
    )
    odd = sorted(set(runs["dataset"]) - set(SETS))
    if odd:
        raise UserError(
            f"all_results.csv: no such set of pictures is known: {odd[0][:40]!r}; add it to SETS in pepr.py"
        )
    if any((table["model"].str.strip() == "").any() for table in (runs, known)):
        raise UserError("all_results.csv: a run without the name of its network; download it again")
    scores, costs = runs[EPOCHS], runs[list(MOST.index)]
    if ((scores < 0) | (scores > 1)).any(axis=None) or (costs <= 0).any(axis=None) or (costs > MOST).any(axis=None):
        raise UserError(
            "all_results.csv: an accuracy outside 0 to 1, or a cost of zero or less or out of all reason; was a unit "
            "changed?"
        )
    if not known["top1"].between(0, 100).all() or known["top1"].max() <= 1:
        raise UserError("full_data_pepr_imagenet.csv: top1 is not in percent; was a unit changed?")
    return pd.DataFrame(
        {
            "model": runs["model"],
            "dataset": runs["dataset"],
            "pretrained": runs["dataset"].isin(PRETRAINED),
            "accuracy": 100 * scores.max(axis=1),
            "top1": runs["model"].map(known.set_index("model")["top1"].where(lambda top1: top1 > 1)),
            "params": runs["num_param"] / 1e6,
            "energy_kwh": runs["energy"],
            "memory_gb": runs["memM"],
            "train_seconds": runs["train_time"],
        }
    )
