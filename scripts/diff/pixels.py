"""How much two pictures differ: size, share of pixels, mean, maximum and structural similarity, antialiasing tolerated.

    measure(base_path, head_path) -> Pixels

Where the limits come from (this project's charts, 1,000 x 800 to 2,000 x 1,400 pixels; `python -m scripts.perf.diff
--noise` repeats the first two):

    what differs                   off by at most   blocks   changed     similarity
    drawn again                           0            0     0           1
    saved again at quality 90            46            8     < 0.004%    > 0.9994
    drawn by Chromium 150, not 156        0            0     0           1
    text without hinting                231                  < 0.03%     > 0.996
    text fully hinted, or another font  > 200                > 0.15%     < 0.987
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from scripts.common.errors import UserError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
MAX_PIXELS = 50_000_000  # our largest chart has 2.8 million
TOLERANCE = 32  # levels of 255 that a channel may be off before a pixel counts as changed
EDGE = 3  # antialiasing: a pixel may take any value between those of its 3 x 3 neighbours in the other picture

SAME, NOISE, SLIGHT, VISIBLE = "same pixels", "noise of JPEG", "slight", "visible"
NOISE_MAXIMUM = 48  # up to this maximum, and this difference of 8 x 8 blocks, it is noise of JPEG
NOISE_BLOCK = 9
SLIGHT_SHARE = 0.001  # above this share of changed pixels, or below this similarity, a difference is called visible
SLIGHT_SSIM = 0.99
RENDERER_BLOCK = 32  # of twenty charts: without hinting at most 29; a digit 9 to 102, a point moved by 2% 118 to 234
RENDERER_EDGES = 10  # edge pixels for each changed one: without hinting 14 or more; a digit 0.2 to 5, a point 0.1


@dataclass
class Pixels:
    """What was measured. Sizes are (width, height) in pixels; shares are of all pixels; mean and maximum in levels
    of 255.
    """

    base_size: tuple[int, int]
    head_size: tuple[int, int]
    touched: float = 0.0  # share that differs at all
    changed: float = 0.0  # share beyond TOLERANCE that antialiasing does not explain
    antialiased: float = 0.0  # share beyond TOLERANCE that it does
    mean: float = 0.0
    maximum: int = 0
    block: int = 0  # largest difference of 8 x 8 pixel means: a colour that shifted, where JPEG's noise averages out
    ssim: float = 1.0  # mean structural similarity of the pictures in grey at half size
    ssim_worst: float = 1.0  # of its worst window
    # left, top, right, bottom of changed regions, largest first
    boxes: list[tuple[int, int, int, int]] = field(default_factory=list)
    # PNG: changed pixels in magenta, antialiased ones in amber, the rest clear
    overlay: bytes = field(default=b"", repr=False)

    @property
    def resized(self) -> bool:
        return self.base_size != self.head_size

    @property
    def by_renderer(self) -> bool:
        """Whether another browser, font or kaleido may have drawn it: no more differs than those draw differently, and
        it is edges, all over. What was painted over is few pixels, and not at edges alone.
        """
        edges = self.block <= RENDERER_BLOCK and self.antialiased >= RENDERER_EDGES * self.changed
        return self.level in (SAME, NOISE) or (self.level == SLIGHT and edges)

    @property
    def level(self) -> str:
        """In a word: 'resized', or one of SAME, NOISE, SLIGHT, VISIBLE."""
        if self.resized:
            return "resized"
        if not self.touched:
            return SAME
        if self.maximum <= NOISE_MAXIMUM and self.block <= NOISE_BLOCK:
            return NOISE
        return VISIBLE if self.changed > SLIGHT_SHARE or self.ssim < SLIGHT_SSIM else SLIGHT


def open_image(path: Path | str) -> np.ndarray:
    """(height, width, 3) uint8 of the picture at `path`. Raises UserError: no image, cut short, larger than
    MAX_PIXELS.
    """
    from PIL import Image

    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(path.read_bytes()), formats=("JPEG", "PNG", "WEBP")) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise UserError(
                        f"{path.name}: {image.width * image.height / 1e6:.0f} megapixels, more than the "
                        f"{MAX_PIXELS / 1e6:.0f} that are compared; draw it smaller"
                    )
                return np.asarray(image.convert("RGB"))
    except Image.DecompressionBombError:
        raise UserError(f"{path.name}: far more than {MAX_PIXELS / 1e6:.0f} megapixels; draw it smaller") from None
    except (OSError, ValueError, SyntaxError) as error:
        why = "not an image" if "cannot identify" in str(error) else f"a damaged image ({error})"
        raise UserError(f"{path.name}: {why}; draw it again with `make figures`, or restore it with git") from None


def measure(base: Path | str, head: Path | str) -> Pixels:
    """Compare two pictures. Pictures of two sizes are not compared by pixel. Raises UserError as `open_image` does."""
    one, two = open_image(base), open_image(head)
    sizes = (one.shape[1], one.shape[0]), (two.shape[1], two.shape[0])
    if one.shape != two.shape:
        return Pixels(*sizes)
    delta = np.maximum(one, two) - np.minimum(one, two)
    # delta.max(axis=2) takes five times as long
    worst = np.maximum(np.maximum(delta[..., 0], delta[..., 1]), delta[..., 2])
    if not worst.any():
        return Pixels(*sizes)
    changed, edges = _changed(one, two, worst)
    ssim, ssim_worst = _similarity(one, two)
    return Pixels(
        *sizes,
        touched=float((worst > 0).mean()),
        changed=float(changed.mean()),
        antialiased=float(edges.mean()),
        mean=float(delta.mean()),
        maximum=int(worst.max()),
        block=_block(one, two),
        ssim=ssim,
        ssim_worst=ssim_worst,
        boxes=_boxes(changed),
        overlay=_overlay(changed, edges),
    )


def _changed(one: np.ndarray, two: np.ndarray, worst: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(really changed, explained by antialiasing): two masks of pixels beyond TOLERANCE, computed only where there
    are such.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    beyond = worst > TOLERANCE
    edges = np.zeros_like(beyond)
    if not beyond.any():
        return beyond, edges
    around = [np.flatnonzero(beyond.any(axis=axis)) for axis in (1, 0)]  # rows, columns
    area = tuple(slice(max(0, at[0] - EDGE), at[-1] + EDGE + 1) for at in around)
    explained = np.ones(beyond[area].shape, bool)
    for pixel, other in ((one[area], two[area]), (two[area], one[area])):
        low = np.maximum(minimum_filter(other, (EDGE, EDGE, 1)), TOLERANCE) - TOLERANCE
        high = np.minimum(maximum_filter(other, (EDGE, EDGE, 1)), 255 - TOLERANCE) + TOLERANCE
        explained &= ((pixel >= low) & (pixel <= high)).all(axis=2)
    edges[area] = beyond[area] & explained
    return beyond & ~edges, edges


def _block(one: np.ndarray, two: np.ndarray) -> int:
    """The largest difference between the means of 8 x 8 pixels, in levels of 255."""
    from PIL import Image

    means = [np.asarray(Image.fromarray(picture).reduce(8)).astype(np.int16) for picture in (one, two)]
    return int(np.abs(means[0] - means[1]).max())


def _similarity(one: np.ndarray, two: np.ndarray) -> tuple[float, float]:
    """Mean and lowest structural similarity (Wang et al. 2004) in grey at half size: a tenth of the time, and
    closer to how it is seen.
    """
    from PIL import Image
    from skimage.metrics import structural_similarity

    grey = [np.asarray(Image.fromarray(picture).convert("L").reduce(2)) for picture in (one, two)]
    if min(grey[0].shape) < 7:  # smaller than the window
        same = bool((grey[0] == grey[1]).all())
        return float(same), float(same)
    mean, each = structural_similarity(*grey, full=True, data_range=255)
    return float(mean), float(each.min())


def _boxes(changed: np.ndarray, cell: int = 24, most: int = 12) -> list[tuple[int, int, int, int]]:
    """Boxes around groups of changed pixels that lie within `cell` pixels of each other, those with most pixels
    first.
    """
    from scipy.ndimage import find_objects, label, maximum_filter

    if not changed.any():
        return []
    high, wide = changed.shape
    padded = np.pad(changed, ((0, -high % cell), (0, -wide % cell)))
    cells = padded.reshape(padded.shape[0] // cell, cell, -1, cell).any(axis=(1, 3))
    groups, _ = label(maximum_filter(cells, 3))
    found = []
    for down, across in find_objects(groups):
        top, left = down.start * cell, across.start * cell
        inside = changed[top : down.stop * cell, left : across.stop * cell]
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        box = (left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1)
        found.append((int(inside.sum()), tuple(int(side) for side in box)))
    return [box for _, box in sorted(found, reverse=True)[:most]]


def _overlay(changed: np.ndarray, edges: np.ndarray) -> bytes:
    """A PNG of two colours on clear ground; where few pixels changed they grow by two, so that a single one can be
    seen.
    """
    from PIL import Image
    from scipy.ndimage import binary_dilation

    grown = binary_dilation(changed, np.ones((5, 5), bool)) if 0 < changed.sum() < 200 else changed
    image = Image.fromarray(np.where(grown, 2, edges).astype(np.uint8), "P")
    image.putpalette([255, 255, 255, 176, 120, 0, 214, 0, 142])
    out = io.BytesIO()
    image.save(out, "PNG", transparency=0, compress_level=6)
    return out.getvalue()
