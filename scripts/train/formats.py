"""What a file is that can't be read as a photo, in words that say what to do about it."""

from __future__ import annotations

SAVE = "save it as JPEG or PNG"
RAW = f"a camera's raw file; {SAVE}"
VIDEO = "a video; save frames of it as JPEG or PNG"
ARCHIVE = "an archive, not an image; unpack it"

# By the bytes at its beginning: (where, what, words), the more specific first.
MAGIC = [
    (0, b"version https://git-lfs", "a pointer of Git LFS, not the photo; fetch it with git lfs pull"),
    (0, b"%PDF", f"a PDF; {SAVE}"),
    (0, b"%!PS", f"PostScript, not an image; {SAVE}"),
    (0, b"8BPS", f"a Photoshop file; {SAVE}"),
    (0, b"gimp xcf", f"a GIMP file; {SAVE}"),
    (0, b"\xff\x0a", f"JPEG XL, which is not read; {SAVE}"),
    (4, b"JXL \r\n", f"JPEG XL, which is not read; {SAVE}"),
    (4, b"jP  \r\n", f"JPEG 2000, which is not read; {SAVE}"),
    (0, b"\xff\x4f\xff\x51", f"JPEG 2000, which is not read; {SAVE}"),
    (0, b"\x00\x00\x01\x00", f"an icon; {SAVE}"),
    (0, b"DDS ", f"a texture; {SAVE}"),
    (0, b"\x76\x2f\x31\x01", f"OpenEXR, which is not read; {SAVE}"),
    (0, b"\x93NUMPY", f"a NumPy array; {SAVE}"),
    (0, b"\x89HDF", f"HDF5, not an image; {SAVE}"),
    (128, b"DICM", f"a DICOM file; {SAVE}"),
    (0, b"SIMPLE  =", f"a FITS file; {SAVE}"),
    (0, b"FUJIFILMCCD-RAW", RAW),
    (0, b"IIRO", RAW),
    (0, b"IIU\x00", RAW),
    (0, b"\x1a\x45\xdf\xa3", VIDEO),
    (0, b"FLV\x01", VIDEO),
    (0, b"\x00\x00\x01\xba", VIDEO),
    (0, b"OggS", "sound or a video; save frames of it as JPEG or PNG"),
    (0, b"ID3", "sound, not an image"),
    (0, b"PK\x03\x04", ARCHIVE),
    (0, b"Rar!", ARCHIVE),
    (0, b"7z\xbc\xaf\x27\x1c", ARCHIVE),
    (0, b"\x1f\x8b", ARCHIVE),
    (0, b"BZh", ARCHIVE),
    (0, b"\xfd7zXZ", ARCHIVE),
    (0, b"\x28\xb5\x2f\xfd", ARCHIVE),
    (257, b"ustar", ARCHIVE),
    (0, b"\xd0\xcf\x11\xe0", "an Office document or Windows' list of thumbnails, not an image"),
    (0, b"SQLite format 3", "a database, not an image"),
    (0, b"\x00\x00\x00\x01Bud1", "the Mac's notes on a folder, not an image"),
    (0, b"\x7fELF", "a program, not an image"),
]
HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1", b"mif2")
AVIF = (b"avif", b"avis")


def what(data: bytes) -> str:
    """What the bytes of a file are that no decoder took, with the remedy where there is one."""
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not data:
        return "empty file"
    if data[:4] == b"RIFF":
        return {b"AVI ": VIDEO, b"WAVE": "sound, not an image"}.get(data[8:12], "not an image")
    if data[4:8] == b"ftyp":
        return _boxes(data)
    for at, magic, words in MAGIC:
        if data.startswith(magic, at):
            return words
    if b"<svg" in head:
        return f"SVG, a drawing; {SAVE}"
    if b"<html" in head or head.startswith(b"<!doctype html"):
        return "a web page, not an image; download the photo again"
    if not any(data[:4096]):
        return "nothing but zeros; copy or download it again"
    return "not an image"


def _boxes(data: bytes) -> str:
    """A file of ISO boxes, by its brands: HEIC, AVIF, Canon's raw files and most videos are."""
    size = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, size, 4))}
    for name, known in (("AVIF", AVIF), ("HEIC", HEIC)):
        if data[8:12] in known or brands & set(known):
            return f"{name} that can't be read: cut short, damaged, or without the package that reads it; {SAVE}"
    return RAW if b"crx " in brands else VIDEO
