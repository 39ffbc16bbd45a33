"""A small made-up dataset, so that a command works before one has photos: circles and squares in all colours and
places.

Nothing in it is anybody's picture; it trains to well over chance in an epoch or two.
"""

from __future__ import annotations

import colorsys
import random
from pathlib import Path

NAME = "shapes-sample"
CLASSES = ("circle", "square")


def write(folder: Path, images: int = 40, side: int = 64, seed: int = 0) -> Path:
    """Write `images` PNGs of side×side pixels per class under `folder`/shapes-sample. Returns that folder."""
    from PIL import Image, ImageDraw

    draws, root = random.Random(seed), Path(folder) / NAME
    for label in CLASSES:
        (root / label).mkdir(parents=True, exist_ok=True)
        for number in range(images):
            colours = [
                tuple(round(255 * part) for part in colorsys.hsv_to_rgb(draws.random(), 0.7, value))
                for value in (0.9, 0.35)
            ]
            draws.shuffle(colours)
            canvas = Image.new("RGB", (side, side), colours[0])
            radius = draws.uniform(0.22, 0.4) * side
            x, y = (draws.uniform(radius, side - radius) for _ in range(2))
            shape = ImageDraw.Draw(canvas).ellipse if label == "circle" else ImageDraw.Draw(canvas).rectangle
            shape((x - radius, y - radius, x + radius, y + radius), fill=colours[1])
            canvas.save(root / label / f"{number:03d}.png")
    return root
