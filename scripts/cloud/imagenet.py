"""A plan on paper: what training our zoo on ImageNet would take on rented machines. Nothing here has been run.

    python -m scripts.cloud.imagenet

Arithmetic: a training step is three times the multiply-accumulates of a forward pass (one forward, two backward: Kaplan
et al. 2020, arXiv:2001.08361, section 2.1), two operations each; a card does `utilisation` of its peak. The networks
and their multiply-accumulates are those that this project measures (report/data/benchmark-train-*.csv), prices from
scripts/cloud/cloud_prices.csv, all other inputs, with date and source, from scripts/cloud/imagenet_plan.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from scripts.cloud import prices
from scripts.common.errors import UserError, cli
from scripts.common.paths import DATA
from scripts.common.tables import read_table

INPUTS = Path(__file__).with_name("imagenet_plan.json")


def inputs(path: Path = INPUTS) -> SimpleNamespace:
    """The plan's inputs. Raises UserError where the file is damaged."""
    try:
        return SimpleNamespace(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path.name}: cannot be read ({str(error)[:80]}); restore it") from None


def networks(folder: Path = DATA) -> pd.DataFrame:
    """model, gmacs (of a forward pass at `pixels`), pixels: the networks whose training was measured. Empty where
    none was.
    """
    files = sorted(folder.glob("benchmark-train-*.csv"))
    if not files:
        return pd.DataFrame(columns=["model", "gmacs", "pixels"])
    columns = {"train_gmacs": "gmacs", "train_img_size": "pixels"}
    frame = pd.concat(
        [read_table(path, required=["model", "status"], optional_numeric=list(columns)) for path in files]
    )
    frame = frame[frame["status"] == "ok"].drop_duplicates("model").rename(columns=columns)
    return frame[["model", "gmacs", "pixels"]].dropna().reset_index(drop=True)


def plan(zoo: pd.DataFrame, given: SimpleNamespace, table: pd.DataFrame) -> pd.DataFrame:
    """Per instance type: hours, usd (US dollars), images_per_sec (mean while training), cores_needed, cores,
    disk_gb_per_sec of decoded photos.

    zoo: model, gmacs, pixels; table: prices. Multiply-accumulates are scaled to the plan's pixels by area.
    """
    operations = 3 * 2e9 * (zoo["gmacs"] * (given.pixels / zoo["pixels"]) ** 2).sum() * given.images * given.epochs
    rows = []
    for row in table.itertuples():
        if row.card not in given.cards or row.instance not in given.vcpus:
            continue
        rate = row.gpus * given.cards[row.card]["tflops"] * 1e12 * given.utilisation
        rate *= given.efficiency if row.gpus > 1 else 1
        hours = operations / rate / 3600
        speed = given.images * given.epochs * len(zoo) / (hours * 3600)
        rows.append(
            {
                "instance": row.instance,
                "gpus": row.gpus,
                "hours": hours,
                "usd": hours * row.usd_per_hour,
                "images_per_sec": speed,
                "cores_needed": speed / given.decode_per_core,
                "cores": given.vcpus[row.instance],
                "disk_gb_per_sec": speed * 3 * given.stored_pixels**2 / 1e9,
            }
        )
    return pd.DataFrame(rows)


@cli
def main() -> None:
    given = inputs()
    zoo = networks()
    print(
        f"{len(zoo)} networks, {given.images:,} images, {given.epochs} epochs at {given.pixels} pixels; inputs of "
        f"{given.date}"
    )
    print(plan(zoo, given, prices.load()).round(2).to_string(index=False))


if __name__ == "__main__":
    sys.exit(main())
