"""Which model for my photos? Ranks pretrained networks on a folder of photos, on this machine, in minutes.

    make choose DATA=photos                  # in five minutes
    make choose DATA=photos MINUTES=2
    python -m scripts.choose photos --backbones tf_efficientnet_lite0@160 convnext_atto histogram
    python -m scripts.choose photos --weights folder-of-weights --downloads 0

Each network's features are computed once a photo, in the fastest runtime that is here, and kept (.cache/choose); on
them a linear probe and nearest neighbours are cross-validated. Backbones are compared on the same photos, so that a
tie is called one. The choice uses the training photos alone; test photos, where the folder has its own, are looked at
once, at the end. Writes report/data/choose-<dataset>-<hardware>.csv, which holds nothing of the photos but how many
there are and the names of their classes, and charts/choose-<dataset>-doubtful.jpg, which stays here.

With a hub, it may download: networks of this machine's frontier, the smallest first, up to --downloads MB.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.choose import candidates, compare, groups, look, race, said, table
from scripts.common import device as devices, hardware, provenance
from scripts.common.errors import UserError, cli
from scripts.common.paths import DATA, local, relative
from scripts.common.words import duration
from scripts.train import choice, datasets, features

MINUTES = 5.0
RACE = 0.94  # of the time, for the race; the rest is for what else is said of the photos


def load(data: str, size: int) -> tuple[datasets.Dataset, race.Photos]:
    """The dataset, checked, and its photos as the race wants them. Raises UserError."""
    dataset = datasets.load(data, size)
    own = np.flatnonzero(dataset.test)
    drawn = np.array_equal(own, datasets.stratified(dataset.labels, datasets.TEST_FRACTION, datasets.TEST_SEED))
    train = np.arange(len(dataset.labels)) if drawn else np.flatnonzero(~dataset.test)
    sizes = np.bincount(dataset.labels[train])
    alike = groups.near_copies(dataset.pixels)
    order = race.drawing_order(dataset.labels[train])
    lone = [
        name for at, name in enumerate(dataset.classes) if len(np.unique(alike[train[dataset.labels[train] == at]])) < 2
    ]
    if lone:
        raise UserError(
            f"{dataset.name}: the photos of {lone[0]!r} are near-copies of one another; a class needs two photos of "
            f"different things"
        )
    return dataset, race.Photos(
        dataset.pixels, features.hashes(dataset.pixels), dataset.labels, dataset.classes, train[order],
        np.array([], int) if drawn else own, alike, bool(sizes.max() >= race.UNBALANCED * sizes.min()),
    )  # fmt: skip


def run(
    data: str, minutes: float, named: list[str], weights: Path | None, downloads: float, out: Path, device: str
) -> pd.DataFrame:
    """Load, race, write, print. Returns the table."""
    began = time.monotonic()
    deadline = began + RACE * 60 * minutes

    def say(text: str) -> None:
        print(f"[{duration(time.monotonic() - began)}] {text}", file=sys.stderr, flush=True)

    backbones, lines = candidates.choose(named, weights, downloads)
    dataset, photos = load(data, max(one.size for one in backbones))
    for line in [*dataset.lines(), *lines]:
        say(line)
    copies = len(photos.groups) - len(np.unique(photos.groups))
    if copies:
        say(f"{dataset.name}: {copies} near-copies, kept together when photos are held out")
    runners = [race.Runner(features.Extractor(one, device, hardware.cores())) for one in backbones]
    best = race.run(runners, photos, deadline, say)
    frame = table.table(runners, best, photos)
    curve, confusion = look.learning_curve(best, photos, deadline=deadline), look.confusion(best, photos)
    doubtful = look.doubtful(best, photos, dataset.files)
    texts = [
        said.sentence(frame, len(photos.test), photos.balanced),
        said.more_photos(look.forecast(curve), curve),
        said.confused(confusion),
    ]
    facts = {
        "dataset": dataset.name,
        "checksum": dataset.checksum,
        "classes": dataset.classes,
        "training_images": len(photos.train),
        "test_images": len(photos.test),
        "near_copies": copies,
        "balanced": photos.balanced,
        "excluded": len(dataset.excluded),
        "doubtful": len(doubtful),
        "level": compare.LEVEL,
        "minutes": minutes,
        "seconds": round(time.monotonic() - began, 1),
        "said": texts,
    }
    path = write(frame, curve, confusion, facts, out, device)
    picture = look.show(doubtful, photos, dataset.name)
    print(said.text_table(frame))
    for text in filter(None, [*texts, said.unfinished(frame)]):
        print(f"\n{text}")
    if picture:
        print(
            f"\n{len(doubtful)} photos look as if they had the wrong label: {relative(picture)} shows them, the CSV "
            f"beside it lists them."
        )
    print(f"\n{relative(path)}\nNext: {said.next_command(data)}")
    return frame


def write(
    frame: pd.DataFrame, curve: pd.DataFrame, confusion: pd.DataFrame, facts: dict, out: Path, device: str
) -> Path:
    """Write the three tables, each with its sidecar. Returns the main one's path."""
    slug = hardware.slug(device)
    name = facts["dataset"]
    main = choice.path(name, slug, folder=out)
    if main.exists() and provenance.sidecar_path(main).exists() and _checksum(main) != facts["checksum"]:
        name = f"{name}-{facts['checksum'][:6]}"  # other photos under the same name: neither result is lost
    sidecar = provenance.sidecar(
        device, ("torch", "timm", "openvino", "onnxruntime", "scikit-learn"), **{**facts, "dataset": name}
    )
    for part, content in (("-curve", curve), ("-confusion", confusion), ("", table.rounded(frame))):
        path = choice.path(name, slug, part, out)
        if part == "-confusion" and content.empty:
            path.unlink(missing_ok=True)
            provenance.sidecar_path(path).unlink(missing_ok=True)
            continue
        provenance.write_pair(content, path, sidecar)
    return path


def _checksum(main: Path) -> str:
    """Of the photos that a table speaks of; '' where its sidecar is damaged, which costs nobody the minutes that a new
    result took."""
    try:
        return str(provenance.read_sidecar(main).get("checksum"))
    except UserError:
        return ""


@cli
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Rank pretrained networks on a folder of photos.")
    parser.add_argument("data", help="a folder of photos with a folder per class, pets, or digits")
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"how long it may take (default {MINUTES:.0f})")
    parser.add_argument(
        "--backbones", nargs="+", default=[], metavar="NAME[@PIXELS]", help="these alone; also histogram, random"
    )
    parser.add_argument("--weights", type=Path, metavar="FOLDER", help="a folder of pretrained weights")
    parser.add_argument("--downloads", type=float, default=candidates.DOWNLOADS_MB, metavar="MB",
                        help=f"at most so much from the hub (default {candidates.DOWNLOADS_MB})")  # fmt: skip
    parser.add_argument("--device", default="auto", help=devices.CHOICES)
    parser.add_argument("--out", type=local, default=DATA, help="where the tables go (default report/data)")
    given = parser.parse_args(argv)
    if not (math.isfinite(given.minutes) and 0 < given.minutes <= 10_000):
        raise UserError(f"--minutes {given.minutes}: choose a number over 0")
    if not (math.isfinite(given.downloads) and given.downloads >= 0):
        raise UserError(f"--downloads {given.downloads}: choose a number of megabytes, 0 for none")
    from scripts.train import distributed

    run(
        given.data,
        given.minutes,
        given.backbones,
        given.weights,
        given.downloads,
        given.out,
        distributed.device(given.device),
    )


if __name__ == "__main__":
    sys.exit(main())
