"""What is no photo is named as what it is, with what to do about it."""

import io
import os
import socket

import numpy as np
import pytest
from PIL import Image

from scripts.train import photos


def box(brand: bytes, *others: bytes) -> bytes:
    body = brand + b"\0\0\0\0" + b"".join(others)
    return (len(body) + 8).to_bytes(4, "big") + b"ftyp" + body + bytes(400)


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:a\nsize 1\n", "Git LFS.*git lfs pull"),
        (b"%PDF-1.7\n", "a PDF; save"),
        (box(b"heic", b"mif1", b"heic"), "HEIC"),
        (box(b"mif1", b"avif"), "AVIF"),
        (box(b"avif"), "AVIF"),
        (box(b"isom"), "a video"),
        (box(b"qt  "), "a video"),
        (box(b"crx "), "raw file"),
        (b"\xff\x0a" + bytes(400), "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40), "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), "JPEG 2000"),
        (b"PK\3\4" + bytes(40), "an archive, not an image; unpack"),
        (b"\x1f\x8b\x08" + bytes(40), "an archive, not an image; unpack"),
        (bytes(257) + b"ustar" + bytes(40), "an archive, not an image; unpack"),
        (b"RIFF\0\0\0\0AVI LIST", "a video"),
        (b"RIFF\0\0\0\0WEBPjunk", "not an image|damaged"),
        (b"\x1aE\xdf\xa3", "a video"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"\r\n<!DOCTYPE HTML><title>404", "web page"),
        (b"\xd0\xcf\x11\xe0" + bytes(40), "Office"),
        (bytes(132)[:128] + b"DICM", "DICOM"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(40), "raw file"),
        (b"FUJIFILMCCD-RAW", "raw file"),
        (b"8BPS\0\1", "Photoshop"),
        (bytes(5000), "nothing but zeros"),
        (b"label,file\n", "not an image"),
    ],
)
def test_kinds_of_files(data, reason):
    with pytest.raises(photos.Refused, match=reason):
        photos.decode(data)


def test_a_raw_file_is_not_read_as_its_preview():
    buffer = io.BytesIO()
    Image.new("RGB", (160, 120)).save(buffer, "TIFF", tiffinfo={254: 1, 330: 8, 271: "NIKON CORPORATION"})
    with pytest.raises(photos.Refused, match="raw file"):
        photos.decode(buffer.getvalue())
    buffer = io.BytesIO()
    Image.new("RGB", (160, 120)).save(buffer, "TIFF", tiffinfo={50706: b"\1\4\0\0"})
    with pytest.raises(photos.Refused, match="raw file"):
        photos.decode(buffer.getvalue())


def test_what_is_no_file_at_all(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "link.jpg").symlink_to("nowhere")
    (tmp_path / "folder.jpg").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.getcwd()
        os.chdir(tmp_path)  # a socket's path has to be short
        try:
            listening.bind("socket.jpg")
        finally:
            os.chdir(here)
        for name, reason in (
            ("pipe", "a named pipe"),
            ("link", "a link to nothing"),
            ("folder", "a folder"),
            ("socket", "a socket"),
        ):
            with pytest.raises(photos.Refused, match=reason):
                photos.read(tmp_path / f"{name}.jpg", 16)
    with pytest.raises(photos.Refused, match="a device"):
        photos.read("/dev/zero", 16)


# --- depth ------------------------------------------------------------------------------------------------------------

DEPTHS = [8, 10, 12, 14, 16]


def ramp(bits: int) -> np.ndarray:
    return np.linspace(0, (1 << bits) - 1, 40 * 30).reshape(30, 40).astype(np.uint16)


def check(data: bytes, bits: int, exact=1) -> None:
    image, note = photos.decoded(data)
    found = np.asarray(image, int)
    expected = ramp(bits).astype(int) * 255 // ((1 << bits) - 1)
    assert abs(found[..., 0] - expected).max() <= exact and found[..., 0].max() == 255
    assert (f"{bits} bits in 16" in note) == (bits < 16)


@pytest.mark.parametrize("bits", DEPTHS)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_is_scaled_by_what_it_holds(bits, kind):
    buffer = io.BytesIO()
    Image.fromarray(ramp(bits)).save(buffer, kind)
    check(buffer.getvalue(), bits)


@pytest.mark.parametrize("bits", DEPTHS)
@pytest.mark.parametrize("bands", [2, 3, 4])
def test_png_in_colour_is_scaled_too(bits, bands):
    import struct
    import zlib

    values = np.repeat(ramp(bits)[..., None], bands, axis=-1)
    if bands in (2, 4):
        values[..., -1] = 65535  # opaque
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    head = struct.pack(">IIBBBBB", 40, 30, 16, {2: 4, 3: 2, 4: 6}[bands], 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    check(data, bits)


@pytest.mark.parametrize("bits", DEPTHS)
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_in_colour_is_scaled_too(bits, order, compression):
    tifffile = pytest.importorskip("tifffile")
    buffer = io.BytesIO()
    values = np.repeat(ramp(bits)[..., None], 3, axis=-1)
    tifffile.imwrite(buffer, values, photometric="rgb", byteorder=order, compression=compression)
    check(buffer.getvalue(), bits)


@pytest.mark.parametrize("values, top", [(np.float32(1), 255), (np.float32(200), 200), (np.float32(4095), 255)])
def test_floating_point_is_scaled_by_what_it_holds(values, top):
    buffer = io.BytesIO()
    Image.fromarray(np.linspace(0, values, 400, dtype=np.float32).reshape(20, 20)).save(buffer, "TIFF")
    assert np.asarray(photos.decode(buffer.getvalue())).max() == top


@pytest.mark.parametrize("values", [np.arange(-1024, -624), np.arange(-10, 390)])
def test_values_below_zero_are_no_brightness(values):
    buffer = io.BytesIO()
    Image.fromarray(values.astype(np.int32).reshape(20, 20)).save(buffer, "TIFF")
    with pytest.raises(photos.Refused, match="values from -.* to .*no brightness"):
        photos.decode(buffer.getvalue())


def test_more_than_16_bits_are_not_white():
    buffer = io.BytesIO()
    Image.fromarray(np.linspace(0, 2**20, 400).astype(np.int32).reshape(20, 20)).save(buffer, "TIFF")
    image, note = photos.decoded(buffer.getvalue())
    assert np.asarray(image).mean() < 128 and "21 bits in 32" in note


def test_the_dataset_says_what_was_scaled(tmp_path):
    from scripts.train import datasets

    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(6):
            shifted = np.roll(ramp(12), number + 10 * (name == "a"))
            Image.fromarray(shifted).save(tmp_path / "data" / name / f"{number}.tif")
    for _ in range(2):  # also from the cache
        lines = datasets.load(str(tmp_path / "data"), 16, cache=tmp_path / "cache").lines()
        assert "data: 12 pictures with 12 bits in 16, scaled by what they hold" in lines
