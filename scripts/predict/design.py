"""Which networks to measure, most telling first, so that a run stopped early is the best of its length; and thirty to
check predictions by.

    # writes report/data/predict-design.csv and its sidecar (needs timm and the tables)
    python -m scripts.predict.design
    python -m scripts.predict --design 20      # reads it: what to give `python -m scripts.bench.sweep --models`

The order minimises the variance that is left over all networks (scripts/predict/model.py), given all tables; it does
not depend on what is then measured. Chosen among networks that are quick to measure and that `make bench` measures at a
size that the tables have. predict-design.csv: kind (of processor), role (measure or check), place, model, img_size,
gmacs, expected_error (what is left after it: the typical factor by which a prediction is off, less one).
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import pandas as pd

from scripts.common.errors import UserError, cli
from scripts.common.paths import DATA
from scripts.common.provenance import origin, sidecar, write_derived
from scripts.common.tables import read_table
from scripts.predict import model as predict_model, tables as predict_tables
from scripts.predict.evaluate import MAIN, candidates

FILE = "predict-design.csv"
LONGEST, CHECKED = 40, 30
SETTLED = 0.01  # a further measurement that lowers the expected error by less than this share is not worth its time
SEED = 20
# the machine that a list is for: what tables of its kind have most
MACHINES = {"cpu": {"precision": "fp32", "layout": "nchw"}, "gpu": {"precision": "amp", "layout": "nchw"}}


def table() -> pd.DataFrame:
    """predict-design.csv, numbers as numbers. Raises UserError where it is missing or damaged."""
    return read_table(
        DATA / FILE,
        required=["kind", "role", "model"],
        numeric=["place", "img_size", "gmacs"],
        optional_numeric=["expected_error"],
        key=["kind", "role", "place"],
    )


def design(
    count: int | None = 20, kind: str = "gpu", measured: set[str] | None = None, role: str = "measure"
) -> list[str]:
    """The first `count` models to measure (None: MAIN, and more while each lowers the expected error by SETTLED),
    without those `measured`.

    Raises UserError for a count or kind that there is no list for.
    """
    rows = table()
    rows = rows[(rows["kind"] == kind) & (rows["role"] == role)].sort_values("place")
    if rows.empty:
        raise UserError(f"kind {str(kind)[:40]!r}: choose gpu or cpu")
    if count is None:
        fall = 1 - rows["expected_error"] / rows["expected_error"].shift()
        small = np.flatnonzero((fall < SETTLED).to_numpy() & (rows["place"] > predict_model.LEAST).to_numpy())
        count = max(min(MAIN, len(rows)), int(small[0]) if len(small) else len(rows))
    if not 1 <= count <= len(rows):
        raise UserError(f"a design of {count} models: choose 1 to {len(rows)}")
    return [model for model in rows["model"].head(count) if model not in (measured or set())]


def expected(kind: str = "gpu") -> list[float]:
    """The error (a share) that is expected of predictions after the first, second, … model of the design."""
    rows = table()
    return rows[(rows["kind"] == kind) & (rows["role"] == "measure")].sort_values("place")["expected_error"].tolist()


def made() -> pd.DataFrame:
    """The lists anew, from all tables and timm's default sizes. Raises TablesMissing, and ImportError without timm."""
    import timm

    known = predict_tables.references()
    newest = known.tables.sort_values("torch", key=lambda column: column.map(predict_model.version))["torch"].iloc[-1]
    rows = []
    for kind, settings in MACHINES.items():
        prior = predict_model.Prior(
            known, {"hardware": "", "kind": kind, "part": "infer", "compiled": False, "torch": newest, **settings}
        )
        sizes = {arch: _own_size(timm, arch) for arch in known.keys["arch"].unique()}
        possible = np.array(
            [i for i in candidates(known, kind) if sizes[known.keys["arch"][i]] == known.keys["img_size"][i]]
        )
        order, left = predict_model.design(prior, possible, LONGEST)
        others = np.setdiff1d(possible, order)
        # the check: spread over speeds, one from each of thirty equal parts
        parts = np.array_split(others[np.argsort(prior.mean[others])], CHECKED)
        chosen = [int(np.random.default_rng(SEED + i).choice(part)) for i, part in enumerate(parts)]
        for role, positions, errors in (("measure", order, np.expm1(left)), ("check", chosen, [np.nan] * CHECKED)):
            for place, (i, error) in enumerate(zip(positions, errors), 1):
                key = known.keys.iloc[i]
                rows.append(
                    (
                        kind,
                        role,
                        place,
                        key["arch"],
                        int(key["img_size"]),
                        round(float(key["gmacs"]), 2),
                        round(float(error), 4),
                    )
                )
    return pd.DataFrame(rows, columns=["kind", "role", "place", "model", "img_size", "gmacs", "expected_error"])


def _own_size(timm, arch: str) -> int:
    """The size at which `make bench` measures inference: timm's test size of the default weights. 0 for what this
    timm can't build.
    """
    if not timm.is_model(arch):
        return 0
    config = timm.models.get_pretrained_cfg(arch, allow_unregistered=True)
    return (config.test_input_size or config.input_size)[-1] if config else 224


def update() -> None:
    """Write the lists if they changed. Raises TablesMissing where the tables can't be had."""
    write_derived(
        made(),
        DATA / FILE,
        sidecar(packages=("pandas", "numpy", "timm"), seed=SEED, **origin(predict_tables.references().sources)),
    )


@cli
def main() -> None:
    argparse.ArgumentParser(
        prog="python -m scripts.predict.design",
        description=__doc__.split("\n\n")[0],
        epilog="example: TIMM_RESULTS=copy/of/tables python -m scripts.predict.design",
    ).parse_args()
    update()
    for kind in MACHINES:
        print(f"{kind}: {' '.join(design(20, kind))}")


if __name__ == "__main__":
    sys.exit(main())
