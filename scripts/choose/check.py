"""Are the intervals honest, and is the choice right? Repeated draws of half the photos, on features that are known.

    make choose DATA=photos MINUTES=30           # first: the features of every network on all photos
    python -m scripts.choose.check photos --draws 100

In each draw half of the training photos is what a reader would have. On it each network is cross-validated, as in
`make choose`. Two shares come out:

- covered: how often the cross-validated accuracy on the half and the same probe's accuracy on the other half lie as far
  apart as two intervals allow (the interval, times √2, as both halves vary). At 90% it should be near 0.90.
- right: how often the network chosen is the one with most test photos right, or not told apart from it, by the test
  photos or by the half itself.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from scripts.choose import candidates, compare, race
from scripts.choose.__main__ import load
from scripts.common.errors import UserError, cli
from scripts.common.words import counted
from scripts.train import features, probe

DRAWS = 100


def known(backbones: list[features.Backbone], photos: race.Photos) -> dict[str, np.ndarray]:
    """label -> features (n, d) of all photos, of those whose features are whole; floors apart."""
    found = {}
    for one in backbones:
        extractor = features.Extractor(one)
        if one.make and one.weights != candidates.RANDOM and not extractor.missing(photos.hashes):
            found[one.label] = extractor.matrix(photos.hashes)
    return found


def draw(values: dict[str, np.ndarray], photos: race.Photos, seed: int) -> tuple[np.ndarray, dict, dict]:
    """(rows of a random half of the training photos, name -> which of them are right by cross-validation, name -> which
    of the others are right by the probe of the half).
    """
    order = race.drawing_order(photos.labels[photos.train], seed)
    half, rest = np.split(photos.train[order], [len(order) // 2])
    fold = probe.folds(photos.labels[half], photos.groups[half], seed)
    inside, outside = {}, {}
    for name, value in values.items():
        judged = probe.judge(value[half], photos.labels[half], fold, len(photos.classes), photos.weights(half))
        inside[name] = judged.probabilities.argmax(1) == photos.labels[half]
        outside[name] = judged.head.probabilities(value[rest]).argmax(1) == photos.labels[rest]
    return half, inside, outside


def covered(inside: np.ndarray, outside: np.ndarray, weight: np.ndarray, groups: np.ndarray) -> bool:
    """Whether the two shares lie no further apart than the interval, widened for two samples, says."""
    found = compare.accuracy(inside, weight, groups)
    other = float(outside.mean())
    reach = (found.value - found.low) if other < found.value else (found.high - found.value)
    return abs(other - found.value) <= np.sqrt(2) * reach + 1e-12


def truth(values: dict[str, np.ndarray], photos: race.Photos) -> dict[str, np.ndarray]:
    """name -> which test photos a probe on all training photos gets right."""
    fold = probe.folds(photos.labels[photos.train], photos.groups[photos.train])
    labels, weight = photos.labels[photos.train], photos.weights(photos.train)
    return {
        name: probe.judge(value[photos.train], labels, fold, len(photos.classes), weight)
        .head.probabilities(value[photos.test])
        .argmax(1)
        == photos.labels[photos.test]
        for name, value in values.items()
    }


def check(values: dict[str, np.ndarray], photos: race.Photos, draws: int) -> pd.DataFrame:
    """A row per draw: named (the choice), right (bool), covered (share of the networks)."""
    tested = truth(values, photos)
    test = photos.weights(photos.test), photos.groups[photos.test]
    winner = max(tested, key=lambda name: tested[name].mean())
    alike = {name for name, ahead in compare.ties(tested, winner, *test).items() if ahead.low <= 0} | {winner}
    rows = []
    for seed in range(1, draws + 1):
        half, inside, outside = draw(values, photos, seed)
        here = photos.weights(half), photos.groups[half]
        named = max(inside, key=lambda name: (inside[name] * here[0]).sum())
        tied = {name for name, ahead in compare.ties(inside, named, *here).items() if ahead.low <= 0} | {named}
        shares = [covered(inside[name], outside[name], *here) for name in values]
        rows.append({"named": named, "right": named in alike or winner in tied, "covered": np.mean(shares)})
    return pd.DataFrame(rows)


@cli
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Check intervals and choice on repeated halves of the photos.")
    parser.add_argument("data", help="a folder of photos with a test part, whose features are known")
    parser.add_argument("--draws", type=int, default=DRAWS, help=f"default {DRAWS}")
    given = parser.parse_args(argv)
    if not 1 <= given.draws <= 100_000:
        raise UserError(f"--draws {given.draws}: choose 1 to 100,000")
    backbones, _ = candidates.choose([], None, 0)
    dataset, photos = load(given.data, max(one.size for one in backbones))
    values = known(backbones, photos)
    if len(values) < 2 or not len(photos.test):
        raise UserError(f"{dataset.name}: two networks with the features of all photos, and a test part, are needed; "
                        "make choose DATA=… MINUTES=30 computes them")  # fmt: skip
    with threadpool_limits(1):
        found = check(values, photos, given.draws)
    print(
        f"{dataset.name}: {counted(len(values), 'network')}, {counted(given.draws, 'draw')} of half the photos: "
        f"{compare.LEVEL:.0%} intervals cover {found['covered'].mean():.1%}, the choice is right in "
        f"{found['right'].mean():.1%}"
    )


if __name__ == "__main__":
    sys.exit(main())
