"""One picture file in, one uint8 square out, or the reason why not. Files come from anywhere, so nothing about them is
believed.

Handled: CMYK, greyscale, palettes, transparency (on white), 16-bit (scaled, where Pillow would clip to white), EXIF
rotation, animations (first frame). Refused with a reason: what is no picture (HTML, text), truncated or damaged files,
more than 64 megapixels, under 8 pixels a side, files over 64 MB. Only Pillow's decoders for the formats named here are
ever opened.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
MAX_PIXELS = 64_000_000  # one of 100 megapixels takes 300 MB as RGB, for each core that decodes
MAX_BYTES = 64 * 2**20
MIN_SIDE = 8

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # MAX_PIXELS is the stricter limit


class Refused(Exception):
    """Why a file is not used: a few words."""


class Picture(NamedTuple):
    """pixels: uint8 (3, side, side); sha256: of the file's bytes; note: what was done to its values, '' for nothing."""

    pixels: np.ndarray
    sha256: str
    note: str = ""


def read(path: Path | str, side: int) -> Picture:
    """Decode `path` to a square of `side` pixels: shorter side scaled to it, centre kept. Raises Refused with the
    reason.
    """
    try:
        path = Path(path)
        if path.stat().st_size > MAX_BYTES:
            raise Refused(f"larger than {MAX_BYTES >> 20} MB")
        data = path.read_bytes()
        return Picture(square(decode(data, side), side), hashlib.sha256(data).hexdigest())
    except OSError as error:
        raise Refused(error.strerror or "unreadable") from None


def decode(data: bytes, side: int = 0) -> Image.Image:
    """The first frame of an image file's bytes as upright 8-bit RGB; JPEGs may come smaller, never under `side`
    pixels. Raises Refused.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise Refused(f"{width * height / 1e6:.0f} megapixels, at most {MAX_PIXELS / 1e6:.0f}")
            if min(width, height) < MIN_SIDE:
                raise Refused(f"{width}×{height} pixels, at least {MIN_SIDE} a side")
            if side and image.format == "JPEG":
                image.draft(None, (side, side))  # libjpeg decodes large photos at 1/2, 1/4 or 1/8
            image.load()
            return rgb(ImageOps.exif_transpose(image))
    except (Refused, KeyboardInterrupt):
        raise
    except Image.DecompressionBombError:
        raise Refused(f"over {MAX_PIXELS / 1e6:.0f} megapixels") from None
    except Image.UnidentifiedImageError:
        raise Refused(
            "empty file"
            if not data
            else "a web page, not an image"
            if b"<html" in data[:1000].lower()
            else "not an image"
        ) from None
    # a decoder facing hostile bytes raises whatever it likes: OSError, SyntaxError, struct.error, MemoryError…
    except Exception as error:
        text = " ".join(str(error).split())[:80]
        raise Refused(
            "truncated"
            if "truncated" in text or "end of file" in text.lower()
            else f"damaged ({text or type(error).__name__})"
        ) from None


def rgb(image: Image.Image) -> Image.Image:
    """Any Pillow mode as 8-bit RGB. Raises Refused for floating-point pixels outside 0…1."""
    if image.mode.startswith("I"):  # 16 bits a pixel, or 32 of which PNG fills 16
        return Image.fromarray((np.clip(np.asarray(image).astype(np.int64), 0, 65535) // 257).astype(np.uint8)).convert(
            "RGB"
        )
    if image.mode == "F":
        values = np.asarray(image)
        if not (np.isfinite(values).all() and 0 <= values.min() and values.max() <= 1):
            raise Refused("floating-point pixels outside 0 to 1")
        return Image.fromarray((values * 255).round().astype(np.uint8)).convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def square(image: Image.Image, side: int) -> np.ndarray:
    """An RGB image as uint8 (3, side, side)."""
    fitted = ImageOps.fit(image, (side, side), Image.Resampling.BILINEAR)  # antialiased when it shrinks
    return np.asarray(fitted).transpose(2, 0, 1)
