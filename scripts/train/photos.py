"""One picture file in, one uint8 square out, or the reason why not. Files come from anywhere, so nothing about them is
believed.

Handled: CMYK, greyscale, palettes, transparency (on white), EXIF rotation, animations (first frame), HEIC and AVIF, and
16 bits a colour, scaled by what the file holds (12 bits of a microscope in 16 are not black). Only pixels decide:
scripts.train.metadata cuts away what else the file says. Refused with a reason (scripts.train.formats): what is no
picture, truncated or damaged files, more than 64 megapixels, under 8 pixels a side, files over 64 MB. Only decoders for
the formats named here are ever opened.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from scripts.common.errors import UserError
from scripts.common.paths import read_file
from scripts.train import formats, metadata
from scripts.train.folders import kind

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF")
with contextlib.suppress(ImportError):
    import pillow_heif

    pillow_heif.register_heif_opener()
    FORMATS += ("HEIF",)
MAX_PIXELS = 64_000_000  # one of 100 megapixels takes 300 MB as RGB, for each core that decodes
MAX_BYTES = 64 * 2**20
MIN_SIDE = 8
DEPTHS = (8, 10, 12, 14, 16)  # bits that cameras, microscopes and X-ray panels write into 16
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # EXIF's orientation -> what makes it upright

# MAX_PIXELS is the stricter limit; what else Pillow has to say of a file's metadata is nothing to the user.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", module=r"PIL\.|pillow_heif")
logging.getLogger("PIL").setLevel(logging.CRITICAL)


class Refused(Exception):
    """Why a file is not used: a few words."""


class TooLarge(Refused):
    """More pixels than are wanted: how many million."""

    def __init__(self, megapixels: float, limit: int):
        super().__init__(f"{megapixels:.0f} megapixels, at most {limit / 1e6:.0f}")
        self.megapixels = megapixels


class Picture(NamedTuple):
    """pixels: uint8 (3, side, side); sha256: of the file's bytes; note: what was done to its values, '' for nothing."""

    pixels: np.ndarray
    sha256: str
    note: str = ""


class Decoded(NamedTuple):
    """image: upright, 8-bit RGB; note: what was done to its values, '' for nothing."""

    image: Image.Image
    note: str


def read(path: Path | str, side: int) -> Picture:
    """Decode `path` to a square of `side` pixels: shorter side scaled to it, centre kept. Raises Refused with the
    reason.
    """
    path = Path(path)
    what, reason = kind(path)
    if what != "file":
        raise Refused(reason or "a folder")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Refused(f"larger than {MAX_BYTES >> 20} MB")
        data = read_file(path, MAX_BYTES, links=True)
    except OSError as error:
        raise Refused(error.strerror or "unreadable") from None
    except UserError as error:  # it changed since it was looked at
        raise Refused(str(error)) from None
    image, note = decoded(data, side)
    return Picture(square(image, side), hashlib.sha256(data).hexdigest(), note)


def decode(data: bytes, side: int = 0, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The first frame of an image file's bytes as upright 8-bit RGB; JPEGs may come smaller, never under `side`
    pixels. Raises Refused.
    """
    return decoded(data, side, max_pixels).image


def decoded(data: bytes, side: int = 0, max_pixels: int = MAX_PIXELS) -> Decoded:
    """As `decode`, and what was done to the file's values."""
    try:
        if metadata.raw(data):
            raise Refused(formats.RAW)
        plain, turn = metadata.without(data)
        with Image.open(io.BytesIO(plain), formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise TooLarge(width * height / 1e6, max_pixels)
            if min(width, height) < MIN_SIDE:
                raise Refused(f"{width}×{height} pixels, at least {MIN_SIDE} a side")
            if side and image.format == "JPEG":
                image.draft(None, (side, side))  # libjpeg decodes large photos at 1/2, 1/4 or 1/8
            tiles = list(image.tile)
            image.load()
            if image.format in ("WEBP", "AVIF"):  # their boxes are read by the decoder
                turn = metadata.orientation(image.info.get("exif"))
            upright, note = rgb(_deep(plain, image, tiles))
            return Decoded(upright.transpose(TURNS[turn]) if turn in TURNS else upright, note)
    except (Refused, KeyboardInterrupt):
        raise
    except Image.DecompressionBombError:
        raise Refused(f"over {MAX_PIXELS / 1e6:.0f} megapixels") from None
    except Image.UnidentifiedImageError:
        raise Refused(formats.what(data)) from None
    # a decoder facing hostile bytes raises whatever it likes: OSError, SyntaxError, struct.error, MemoryError…
    except Exception as error:
        text = " ".join(str(error).split())[:80]
        raise Refused(
            "truncated"
            if "truncated" in text or "end of file" in text.lower()
            else f"damaged ({text or type(error).__name__})"
        ) from None


def _deep(data: bytes, image: Image.Image, tiles: list) -> Image.Image | np.ndarray:
    """The loaded image, or all 16 bits of each colour, uint16 (height, width, bands), where they hold fewer than 16:
    Pillow keeps the upper eight, which are black then.

    Pillow has decoders for both byte orders, and takes the first or the second byte of each pair: one gives the upper
    bytes of a file, the other the lower ones.
    """
    modes = {tile.args if isinstance(tile.args, str) else tile.args[0] for tile in tiles if tile.args}
    mode = modes.pop() if len(modes) == 1 else ""
    if not isinstance(mode, str) or ";16" not in mode or image.mode.startswith("I"):
        return image
    upper = np.asarray(image)
    if upper[..., :3].max(initial=0) >= 1 << DEPTHS[-2] - 8:
        return image
    with Image.open(io.BytesIO(data), formats=FORMATS) as again:
        # Grey with alpha has no other order; read as RGBA its four bytes come one by one.
        other = "RGBA" if mode == "LA;16B" else mode[:-1] + {"B": "L", "L": "B", "N": "B"}[mode[-1]]
        again.tile = [
            tile._replace(args=other if isinstance(tile.args, str) else (other, *tile.args[1:])) for tile in again.tile
        ]
        again.load()
        lower = np.asarray(again)
    if mode == "LA;16B":
        lower = lower[..., [1, 1, 1, 3]]
    return upper.astype(np.uint16) << 8 | lower


def rgb(image: Image.Image | np.ndarray) -> Decoded:
    """Any Pillow mode, or values of 16 bits, as 8-bit RGB. Raises Refused for values that are no brightness."""
    if isinstance(image, np.ndarray):
        values, note = eight_bits(image[..., :3])
        if image.shape[-1] == 4:
            values = np.concatenate([values, (image[..., 3:] >> 8).astype(np.uint8)], axis=-1)
        return Decoded(rgb(Image.fromarray(values)).image, note)
    if image.mode.startswith("I"):  # 16 bits a pixel, or 32
        values, note = eight_bits(np.asarray(image).astype(np.int64))
        return Decoded(Image.fromarray(values).convert("RGB"), note)
    if image.mode == "F":
        values = np.asarray(image)
        if not (np.isfinite(values).all() and 0 <= values.min() and values.max() <= 65535):
            raise Refused("floating-point pixels outside 0 to 65535")
        values, note = eight_bits(values) if values.max() > 1 else ((values * 255).round().astype(np.uint8), "")
        return Decoded(Image.fromarray(values).convert("RGB"), note)
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return Decoded(image.convert("RGB"), "")


def eight_bits(values: np.ndarray) -> tuple[np.ndarray, str]:
    """(values as uint8, what was done): scaled from the least of DEPTHS that holds them all. Raises Refused below 0."""
    low, high = values.min(initial=0), values.max(initial=0)
    if low < 0:
        raise Refused(f"values from {low:,.4g} to {high:,.4g}, which are no brightness; {formats.SAVE}")
    bits = next((depth for depth in DEPTHS if high < 1 << depth), int(high).bit_length())
    note = "" if bits == 16 else f"with {bits} bits in {16 if bits < 16 else 32}, scaled by what they hold"
    return (values.astype(np.float64 if values.dtype.kind == "f" else np.int64) * 255 // ((1 << bits) - 1)).astype(
        np.uint8
    ), note


def square(image: Image.Image, side: int) -> np.ndarray:
    """An RGB image as uint8 (3, side, side)."""
    fitted = ImageOps.fit(image, (side, side), Image.Resampling.BILINEAR)  # antialiased when it shrinks
    return np.asarray(fitted).transpose(2, 0, 1)
