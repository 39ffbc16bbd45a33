"""Whatever a file says besides its pixels, the pixels are the same, turned as it says where that can be read."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image, PngImagePlugin

from scripts.train import metadata, photos

HEIF = "HEIF" in photos.FORMATS
SHAPE = (48, 32)


def picture(mode="RGB") -> Image.Image:
    ramp = np.linspace(0, 255, SHAPE[0] * SHAPE[1]).reshape(SHAPE[1], SHAPE[0]).astype(np.uint8)
    return Image.merge("RGB", [Image.fromarray(layer) for layer in (ramp, ramp[::-1].copy(), ramp // 2)]).convert(mode)


def encoded(kind: str, image: Image.Image | None = None, **options) -> bytes:
    buffer = io.BytesIO()
    (image or picture()).save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(entries: list[bytes], tail=b"", order="<") -> bytes:
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    return head + struct.pack(order + "H", len(entries)) + b"".join(entries) + struct.pack(order + "I", 0) + tail


def entry(tag: int, kind: int, count: int, value: bytes, order="<") -> bytes:
    return struct.pack(order + "HHI", tag, kind, count) + value.ljust(4, b"\0")


def turned(by: int, order="<") -> bytes:
    return entry(274, 3, 1, struct.pack(order + "HH", by, 0), order)


def app(payload: bytes, number=1) -> bytes:
    return bytes((0xFF, 0xE0 + number)) + struct.pack(">H", len(payload) + 2) + payload


def jpeg(*segments: bytes) -> bytes:
    data = encoded("JPEG", quality=95)
    return data[:2] + b"".join(segments) + data[2:]


def chunk(kind: bytes, body: bytes, damage=0) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) ^ damage)


def png(*chunks: bytes) -> bytes:
    data = encoded("PNG")
    return data[:33] + b"".join(chunks) + data[33:]


def same(data: bytes, clean: bytes, by: int = 1) -> None:
    """`data` decodes without a word to the picture of `clean`, turned."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = photos.decode(data)
    expected = Image.open(io.BytesIO(clean)).convert("RGB")
    expected = expected.transpose(photos.TURNS[by]) if by in photos.TURNS else expected
    assert found.size == expected.size and np.array_equal(np.asarray(found), np.asarray(expected))


AT_38 = struct.pack("<I", 38)  # where the values of two entries begin
EXIF = {
    "the header twice": (b"Exif\0\0" + tiff([turned(6)]), 6),
    "no TIFF": (b"junk that is none", 1),
    "empty": (b"", 1),
    "a signed fraction of zero": (tiff([turned(6), entry(282, 10, 1, AT_38)], struct.pack("<ii", -1, 0)), 6),
    "two resolutions": (tiff([turned(6), entry(282, 5, 2, AT_38)], struct.pack("<4I", 72, 1, 72, 1)), 6),
    "text that is a fraction": (tiff([turned(3), entry(305, 5, 1, AT_38)], struct.pack("<II", 1, 1)), 3),
    "a pointer beyond the end": (tiff([turned(8), entry(34665, 4, 1, struct.pack("<I", 60000))]), 8),
    "a pointer to itself": (tiff([turned(8), entry(34665, 4, 1, struct.pack("<I", 8))]), 8),
    "an orientation that is text": (tiff([entry(274, 2, 4, b"abc\0")]), 1),
    "two orientations": (tiff([entry(274, 3, 2, struct.pack("<HH", 6, 3))]), 1),
    "an orientation of 99": (tiff([turned(99)]), 1),
    "an orientation in four bytes": (tiff([entry(274, 4, 1, struct.pack("<I", 6))]), 6),
    "big-endian": (tiff([turned(5, ">")], order=">"), 5),
    "cut short": (tiff([turned(6)] * 3)[:24], 6),
    "65,535 entries": (tiff([turned(2)])[:8] + b"\xff\xff" + turned(2), 2),
    "a directory beyond the end": (b"II*\0\xff\xff\xff\x7f", 1),
    "unknown types": (tiff([entry(256, 99, 1, b"xxxx"), turned(7)]), 7),
}  # fmt: skip


@pytest.mark.parametrize("name", EXIF)
def test_broken_exif_changes_nothing(name):
    exif, by = EXIF[name]
    same(jpeg(app(b"Exif\0\0" + exif)), jpeg(), by)
    same(png(chunk(b"eXIf", exif)), png(), by)
    webp = encoded("WEBP", lossless=True)
    same(encoded("WEBP", lossless=True, exif=b"Exif\0\0" + exif), webp, by)


@pytest.mark.parametrize(
    "segments",
    [
        [app(b"JFIF\0", 0)],
        [app(b"JFIF", 0)],
        [app(b"MPF\0II*\0junk", 2)],
        [app(b"MPF\0" + tiff([entry(45056, 7, 4, b"0100"), entry(45057, 4, 1, b"\2\0\0\0")]), 2)],
        [app(b"ICC_PROFILE\0\1\1junk", 2)],
        [app(b"Photoshop 3.0\x008BIM\x03\xed\0\0\0\0\0\1x", 13)],
        [app(b"Adobe", 14)],
        [app(b"Exif\0\0" + b"x" * 60_000)] * 30,
        [app(b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta" + b"\xff" * 1000)],
        [b"\xff\xfe" + struct.pack(">H", 60_002) + b"\0\xff" * 30_000],
    ],
)
def test_junk_in_a_jpeg_changes_nothing(segments):
    same(jpeg(*segments), jpeg())
    same(jpeg(*segments) + b"\0junk at the end" * 1000, jpeg())


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 3_000_000))],
        [chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(b"x" * 3_000_000))],
        [chunk(b"tEXt", b"Comment\0" + b"x" * 3_000_000)],
        [chunk(b"tEXt", b"k\0" + b"x" * 900_000)] * 100,
        [chunk(b"iCCP", b"icc\0\0junk")],
        [chunk(b"iCCP", b"")],
        [chunk(b"pHYs", b"1")],
        [chunk(b"gAMA", b"")],
        [chunk(b"cHRM", b"x")],
        [chunk(b"sRGB", b"")],
        [chunk(b"tEXt", b"a\0b", damage=1)],
        [chunk(b"acTL", b"\0\0\0\2\0\0\0\0")],
        [chunk(b"caBX", b"\0" * 100)],
        [chunk(b"tEXt", b"Raw profile type exif\0\n" + b"exif\n  9\nnothex")],
    ],
)
def test_junk_in_a_png_changes_nothing(chunks):
    same(png(*chunks), png())
    same(png() + b"".join(chunks), png())


def test_xmp_turns_where_exif_does_not():
    text = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    same(jpeg(app(b"http://ns.adobe.com/xap/1.0/\0" + text)), jpeg(), 6)
    same(png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + text)), png(), 6)
    same(jpeg(app(b"Exif\0\0" + tiff([turned(3)])), app(b"http://ns.adobe.com/xap/1.0/\0" + text)), jpeg(), 3)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "jpeg"])
@pytest.mark.parametrize("by", [1, 6])
def test_a_tiffs_tags_change_nothing(compression, by):
    tags = TIFF_TAGS | ({274: by} if by != 1 else {})
    clean = encoded("TIFF", compression=compression)
    same(encoded("TIFF", compression=compression, tiffinfo=tags), clean, by)
    broken = bytearray(encoded("TIFF", compression=compression, tiffinfo=tags))
    for tag in (34665, 305, 282):  # EXIF's directory, software, resolution: values from beyond the end
        at = broken.find(struct.pack("<HH", tag, {34665: 4, 305: 2, 282: 5}[tag]))
        if at > 0:
            broken[at + 4 : at + 12] = struct.pack("<II", 60000, 0x7FFFFFFF)
    same(bytes(broken), clean, by)


TIFF_TAGS = {305: "a program", 306: "no date", 315: "me", 33432: "ours"}


@pytest.mark.skipif(not HEIF, reason="pillow-heif is not installed")
@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
@pytest.mark.parametrize(
    "exif", [b"", b"Exif\0\0" + tiff([turned(1)]), b"Exif\0\0junk", b"Exif\0\0" + EXIF["cut short"][0]]
)
def test_photos_of_phones_are_read_whatever_their_exif(kind, exif):
    data = encoded(kind, quality=90, **({"exif": b"Exif\0\0" + tiff([turned(1)])} if exif else {}))
    at = data.find(b"II*\0")
    if exif and at > 0:  # the encoders refuse what cameras write
        data = data[:at] + exif[6:].ljust(26, b"\0")[:26] + data[at + 26 :]
    found = photos.decode(data)
    assert found.size == SHAPE and abs(np.asarray(found, int) - np.asarray(picture(), int)).mean() < 8


def test_avif_and_heic_turn_by_their_own_box():
    held = Image.Exif()
    held[274] = 6
    assert photos.decode(encoded("AVIF", exif=held)).size == SHAPE[::-1]  # Pillow writes the box
    if HEIF:
        assert photos.decode(encoded("HEIF", exif=held)).size == SHAPE  # no box: EXIF alone says nothing in HEIC


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP"]), st.data())
def test_a_file_with_flipped_bytes_is_read_or_refused_with_a_reason(kind, data):
    content = bytearray(encoded(kind))
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=6)):
        content[at] = data.draw(st.integers(0, 255))
    content = bytes(content[: data.draw(st.integers(0, len(content)))]) if data.draw(st.booleans()) else bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            assert photos.decode(content).mode == "RGB"
        except photos.Refused as reason:
            assert str(reason) and "\n" not in str(reason)


def test_pillows_own_writer_of_text_is_read(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_itxt("Title", "é" * 10, zip=True)
    same(encoded("PNG", pnginfo=info), png())


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=200), st.sampled_from([metadata.PNG, b"\xff\xd8\xff", b"II*\0", b"MM\0+", b"\0\0\0\x18ftypheic"])
)
def test_any_bytes_come_back(junk, head):
    data, turn = metadata.without(head + junk)
    assert isinstance(data, bytes) and 1 <= turn <= 8 and isinstance(metadata.raw(head + junk), bool)
