import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from scripts.train import photos


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def picture(mode: str = "RGB", size=(40, 30)) -> Image.Image:
    ramp = np.linspace(0, 255, size[0] * size[1]).reshape(size[1], size[0]).astype(np.uint8)
    return Image.merge("RGB", [Image.fromarray(layer) for layer in (ramp, ramp[::-1].copy(), ramp // 2)]).convert(mode)


def test_cmyk_and_grey_become_rgb_of_about_the_same_colours():
    photo = picture()
    for mode, kind in (("CMYK", "JPEG"), ("L", "JPEG"), ("P", "PNG"), ("1", "PNG"), ("LA", "PNG")):
        decoded = photos.decode(encoded(photo.convert(mode), kind))
        assert decoded.mode == "RGB" and decoded.size == photo.size, mode
        expected = photo.convert(mode).convert("RGB")
        assert abs(np.asarray(decoded, int) - np.asarray(expected, int)).mean() < 6, mode


def test_sixteen_bits_are_scaled_not_clipped():
    deep = np.linspace(0, 65535, 1200).astype(np.uint16).reshape(30, 40)
    for kind in ("PNG", "TIFF"):
        decoded = np.asarray(photos.decode(encoded(Image.fromarray(deep), kind)))[..., 0]
        assert decoded[0, 0] == 0 and decoded[-1, -1] == 255 and 120 < decoded.mean() < 135, (
            kind
        )  # Pillow's own convert whitens all above 255


def test_exif_rotation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: rotate by 90° to show
    decoded = photos.decode(encoded(picture(size=(80, 40)), "JPEG", exif=exif))
    assert decoded.size == (40, 80)


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    assert photos.decode(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])).getpixel((5, 5)) == (
        255,
        0,
        0,
    )


def test_transparency_is_white():
    clear = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    assert photos.decode(encoded(clear)).getpixel((3, 3)) == (255, 255, 255)


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "empty file"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "a web page"),
        (b"hello, this is no picture at all", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\n", "not an image"),  # would be run by Ghostscript
    ],
)
def test_what_is_no_picture(data, reason):
    with pytest.raises(photos.Refused, match=reason):
        photos.decode(data)


def test_truncated_and_damaged_files():
    whole = encoded(picture(size=(200, 200)), "JPEG")
    with pytest.raises(photos.Refused, match="truncated"):
        photos.decode(whole[: len(whole) // 2])
    png = encoded(picture(size=(200, 200)))
    with pytest.raises(photos.Refused, match="truncated|damaged"):
        photos.decode(png[: len(png) // 2])


def test_a_hundred_megapixels_in_a_few_bytes_are_refused_before_they_are_decoded():
    header = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0)
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(photos.Refused, match="100 megapixels"):
        photos.decode(bomb)


def test_a_sliver_is_refused():
    with pytest.raises(photos.Refused, match="400×2 pixels"):
        photos.decode(encoded(Image.new("RGB", (400, 2))))


def test_floating_point_pixels():
    assert photos.decode(encoded(Image.fromarray(np.full((20, 20), 0.5, np.float32)), "TIFF")).getpixel((0, 0)) == (
        128,
        128,
        128,
    )
    with pytest.raises(photos.Refused, match="floating-point"):
        photos.decode(encoded(Image.fromarray(np.full((20, 20), 7e9, np.float32)), "TIFF"))


def test_a_square_keeps_the_centre(tmp_path):
    wide = Image.new("RGB", (90, 30), "black")
    wide.paste("white", (30, 0, 60, 30))
    wide.save(tmp_path / "wide.png")
    found = photos.read(tmp_path / "wide.png", 24)
    assert found.pixels.shape == (3, 24, 24) and found.pixels[:, :, 2:-2].min() == 255


def test_a_file_that_cannot_be_read_is_a_reason_not_a_crash(tmp_path):
    with pytest.raises(photos.Refused, match="No such file"):
        photos.read(tmp_path / "gone.jpg", 24)
    (tmp_path / "huge.jpg").write_bytes(b"")
    with (tmp_path / "huge.jpg").open("r+b") as file:
        file.truncate(photos.MAX_BYTES + 1)
    with pytest.raises(photos.Refused, match="larger than 64 MB"):
        photos.read(tmp_path / "huge.jpg", 24)
