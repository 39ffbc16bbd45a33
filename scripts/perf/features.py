"""Features of photos our way against a plain PyTorch loop, as a ratio of photos per second, both sides taking turns.

    python -m scripts.perf.features                      # on made photos
    python -m scripts.perf.features --data FOLDER --model tf_efficientnet_lite0

The plain loop opens, scales and cuts every photo with Pillow and runs the network eagerly in fp32. Ours
(scripts.train.features) takes decoded squares and runs the network in the fastest runtime here; the decoding of the
photos counts once for all candidates of `make choose`, as it is done once. Starting a network is left out on both
sides.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from scripts.common import hardware
from scripts.common.errors import UserError, cli, parser_of

TARGET, PHOTOS, ROUNDS = 5.0, 64, 5
CANDIDATES = 8  # networks at their sizes that share the decoded photos


def plain(files: list[Path], network, module) -> np.ndarray:
    """Features of `files` as a loop from a tutorial computes them."""
    import torch
    from PIL import Image

    side = -(-network.size * 8 // 7)
    cut = (side - network.size) // 2
    found = []
    for start in range(0, len(files), 32):
        batch = []
        for file in files[start : start + 32]:
            image = Image.open(file).convert("RGB")
            scale = side / min(image.size)
            image = image.resize([round(scale * length) for length in image.size], Image.Resampling.BILINEAR)
            left, top = ((length - side) // 2 + cut for length in image.size)
            pixels = np.asarray(image.crop((left, top, left + network.size, top + network.size)), np.float32) / 255
            batch.append(((pixels - network.mean) / network.std).transpose(2, 0, 1).astype(np.float32))
        with torch.inference_mode():
            found.append(module(torch.from_numpy(np.stack(batch))).numpy())
    return np.concatenate(found)


@cli
def main(argv: list[str] | None = None) -> int:
    parser = parser_of("scripts.perf.features", __doc__, "python -m scripts.perf.features --data FOLDER")
    parser.add_argument("--data", type=Path, help="a folder of photos (default: made ones)")
    parser.add_argument("--model", default="tf_efficientnet_lite0")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args(argv)
    import torch

    from scripts.perf.train import jpegs
    from scripts.train import features, frozen, photos, weights

    source, reason = weights.find(given.model)
    if source is None:
        raise UserError(f"--model {given.model}: {reason}")
    with tempfile.TemporaryDirectory() as folder:
        root = given.data or jpegs(Path(folder), PHOTOS)
        files = sorted(path for path in root.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))[:PHOTOS]
        if len(files) < 32:
            raise UserError(f"{root}: fewer than 32 JPEGs")
        extractor = features.Extractor(
            frozen.backbone(source, weights.own_size(source)), threads=hardware.cores(), keep=False
        )
        network, _ = extractor.start()
        side = -(-network.size * 8 // 7)
        ratios, ours_rate = [], []
        torch.set_num_threads(hardware.cores())
        for number in range(given.rounds + 1):
            began = time.perf_counter()
            theirs = plain(files, network, network.module)
            between = time.perf_counter()
            squares = np.stack([photos.square(photos.decode(file.read_bytes(), side), side) for file in files])
            decoded = time.perf_counter()
            extractor.known.clear()
            hashes = features.hashes(squares)
            extractor.run(squares, hashes)
            ours = extractor.matrix(hashes)
            done = time.perf_counter()
            if number:  # the first round warms both
                seconds = done - decoded + (decoded - between) / CANDIDATES
                ratios.append((between - began) / seconds)
                ours_rate.append(len(files) / seconds)
        close = float(np.mean([np.corrcoef(one, other)[0, 1] for one, other in zip(ours, theirs)]))
    ratio = statistics.median(ratios)
    print(
        f"{given.model} at {network.size} pixels in {extractor.runtime} {extractor.precision}: {ratio:.1f} times the "
        f"photos per second of a plain loop (rounds {min(ratios):.1f} to {max(ratios):.1f}, {max(ours_rate):.0f} a "
        f"second at best), target {TARGET:.0f}; features correlate {close:.3f}"
    )
    return 0 if ratio >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
