"""Made-up models and machines for the tests of the models' pages and files."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scripts.publish import facts, more

HOSTILE = [
    "constructor",
    "__proto__",
    "NA",
    "Mixed_Case.in1k",
    "mixed_case.in1k",
    "vit_<img src=x onerror=document.title='owned'>.in1k",
    "a&b \"quoted\" 'too'.in1k",
    "résumé/../../etc.in1k",
    "con",
    "%%body%%",
    "x" * 80,
    "y" * 300 + ".in1k",
]


def table(names: list[str], machine: str, seed: int = 0, **fixed) -> pd.DataFrame:
    """A tidy table of these weights with random figures, ties among them."""
    dice, rows = np.random.default_rng(seed), len(names)
    return pd.DataFrame(
        {
            "model": names,
            "arch": [name.partition(".")[0] for name in names],
            "tag": [name.partition(".")[2] for name in names],
            "img_size": dice.choice([160, 224, 384], rows),
            "top1": dice.integers(7000, 9000, rows) / 100,
            "top5": 95.0,
            "pretrain": "in1k",
            "param_count": dice.integers(10, 900, rows) / 10,
            "gmacs": 1.5,
            "macts": 2.5,
            "samples_per_sec": dice.integers(10, 4000, rows).astype(float),
            "batch_size": pd.array(dice.choice([1, 64], rows), dtype="Int64"),
            "hardware": machine,
            "precision": "amp",
            "layout": "nchw",
            "compiled": False,
            "torch": "2.9.1",
            "vintage": "2026-08-08",
            "date": "2026-01-06",
            "file": f"benchmark-infer-amp-nchw-pt291-cu130-{machine}.csv",
            **fixed,
        }
    )


def made_up(models: int = 60, machines: int = 2, hostile: bool = True) -> facts.Facts:
    """Facts of so many invented models (and the hostile ones) on so many machines; one more machine with three rows,
    one model without speed, one without accuracy, one without anything, an old name and one that is gone."""
    names = [f"levit_{i}.in1k" for i in range(models)] + (HOSTILE if hostile else [])
    tables = {f"m{i}": table(names, f"m{i}", i) for i in range(machines)}
    tables["three"] = table(names[:3], "three", 7)
    bare = table(["bare"], "m0").assign(top1=np.nan)
    tables["m0"] = pd.concat([tables["m0"], bare], ignore_index=True)
    every = pd.concat(tables.values())
    sizes = every.dropna(subset=["top1"]).drop_duplicates(["model", "img_size"])
    accuracies = pd.concat([sizes, sizes.iloc[:1].assign(model="slow.in1k", arch="slow")])
    scores = accuracies.assign(v2=60.5, a=12.25)
    renamed = {"levit_old": "levit_1.in1k", "gone_net": ""}
    made = facts.join(accuracies, scores, tables, {}, ["nothing.in1k"], renamed)
    made.earlier = [["m0", "2022-03-29", "1.11"], ["m0", "2023-02-06", "1.13"]]
    for name in ("levit_1.in1k", "constructor"):
        rows = {
            "history": [[0, 224, 61.5], [1, 224, 73.25]],
            "runtimes": [
                ["m0", 224, "onnxruntime", "int8", 4, 190.5, None, None, 88.0],
                ["gone", 224, "new<b>", "fp32", 1, 7.5, 7.25, 7.75, None],
            ],
            "memory": [["m0", 224, 154.4], ["gone<b>", 288, 1200.0]],
            "transfer": [["derma", "skin lesions", False, 71.25], ["derma_pt", "skin <lesions>", True, 84.5]],
        }
        if name in made.models:
            made.models[name].more = {key: {"columns": more.COLUMNS[key], "rows": own} for key, own in rows.items()}
    return made
