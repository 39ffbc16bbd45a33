"""What a picture's file says besides its pixels: cut away before the file is decoded, and read for one thing only, how
the picture has to be turned. Cameras, editors and years of copying break the rest, and a good picture must not go with
it.

Cut away: PNG's text and all other ancillary chunks but transparency; JPEG's application segments but those that say
what its colours are; TIFF's tags that describe no pixels; the EXIF of HEIC and AVIF, which are turned by their own
boxes. Structures: PNG specification 11; JPEG T.81 annex B; TIFF 6.0 section 2; EXIF 2.32 section 4.6.
"""

from __future__ import annotations

import re
import struct

PNG = b"\x89PNG\r\n\x1a\n"
PNG_NEEDED = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
ORIENTATION = 274
TIFF_NEEDED = frozenset(
    # size, bits, compression, colours; strips and tiles; palette, predictor, alpha, sample format; JPEG in TIFF; YCbCr
    [254, *range(256, 260), 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, *range(322, 326), 330, 332, 334, 336]
    + [338, 339, 347, *range(512, 522), 529, 530, 531, 532]
)
SUB_IFDS, REDUCED = 330, 254
XMP_TURN = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')


def without(data: bytes) -> tuple[bytes, int]:
    """(the file without what its pixels don't need, how the picture has to be turned: EXIF's 1 to 8, where 1 is not at
    all). A file that isn't built as it should be comes back as it is.
    """
    try:
        if data.startswith(PNG):
            return _png(data)
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
        if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return _tiff(data)
        if data[4:8] == b"ftyp":  # the item of EXIF gets a type that nobody looks for
            return re.sub(rb"(infe.{8,10}?)Exif", rb"\1none", data[: 1 << 20], flags=re.S) + data[1 << 20 :], 1
    except (struct.error, IndexError, ValueError, OverflowError):
        pass
    return data, 1


def orientation(exif: bytes | None) -> int:
    """How EXIF says that the picture has to be turned, 1 to 8; 1 where it doesn't say or can't be read."""
    while exif and exif.startswith(b"Exif\0\0"):  # some write it twice
        exif = exif[6:]
    try:
        return _turn(_Tags(exif)) if exif else 1
    except (struct.error, ValueError, OverflowError):
        return 1


class _Tags:
    """The first directory of a TIFF structure: entries [(tag, type, count, entry)] as far as they are there."""

    def __init__(self, data: bytes):
        self.end = {b"II": "<", b"MM": ">"}.get(data[:2], "")
        self.big = self.end and struct.unpack(f"{self.end}H", data[2:4])[0] == 43
        if not self.end:
            raise ValueError("no TIFF structure")
        at = struct.unpack(f"{self.end}Q", data[8:16])[0] if self.big else struct.unpack(f"{self.end}I", data[4:8])[0]
        width, size, head = (8, 20, "HHQ") if self.big else (2, 12, "HHI")
        (count,) = struct.unpack(self.end + ("Q" if self.big else "H"), data[at : at + width])
        whole = (data[at + width + size * i :][:size] for i in range(min(count, 4096, len(data) // size)))
        self.entries = [
            (*struct.unpack(self.end + head, entry[: 12 if self.big else 8]), entry)
            for entry in whole
            if len(entry) == size
        ]

    def number(self, tag: int) -> int:
        """The value of a tag that holds one whole number, 0 where there is none."""
        for found, kind, count, entry in self.entries:
            if found == tag and kind in (1, 3, 4) and count == 1:
                code, value = {1: "B", 3: "H", 4: "I"}[kind], entry[12 if self.big else 8 :]
                return struct.unpack(self.end + code, value[: struct.calcsize(code)])[0]
        return 0


def _turn(tags: _Tags) -> int:
    found = tags.number(ORIENTATION)
    return found if 1 <= found <= 8 else 1


def _png(data: bytes) -> tuple[bytes, int]:
    kept, exif, text, at = [PNG], b"", b"", len(PNG)
    while at + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        end = at + 12 + length
        if kind in PNG_NEEDED:
            kept.append(data[at:end])
        elif kind == b"eXIf":
            exif = data[at + 8 : end - 4]
        elif kind == b"iTXt" and data.startswith(b"XML:com.adobe.xmp\0", at + 8):
            text = data[at + 8 : end - 4]
        at = end
    return b"".join(kept), _either(exif, text)


def _jpeg(data: bytes) -> tuple[bytes, int]:
    kept, exif, text, at = [data[:2]], b"", b"", 2
    while True:
        while data[at] == 0xFF == data[at + 1]:  # filling
            at += 1
        if data[at] != 0xFF:
            return data, _either(exif, text)  # not built as it should be: Pillow may still find its way
        marker = data[at + 1]
        if marker == 0xDA:  # the picture itself
            return b"".join(kept) + data[at:], _either(exif, text)
        end = (
            at + 2
            if marker == 0x01 or 0xD0 <= marker <= 0xD8
            else at + 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
        )
        body = data[at + 4 : end]
        if marker == 0xE0 and body.startswith(b"JFIF"):
            kept.append(JFIF)
        elif marker == 0xE1 and body.startswith(b"Exif"):
            exif = exif or body
        elif marker == 0xE1 and b"ns.adobe.com/xap" in body[:40]:
            text = text or body
        elif not (0xE0 <= marker <= 0xEF or marker == 0xFE) or (body.startswith(b"Adobe") and len(body) >= 12):
            kept.append(data[at:end])
        at = end


def _tiff(data: bytes) -> tuple[bytes, int]:
    tags = _Tags(data)
    kept = [entry for tag, _, _, entry in tags.entries if tag in TIFF_NEEDED]
    at = len(data) + len(data) % 2
    count = struct.pack(tags.end + ("Q" if tags.big else "H"), len(kept))
    head = data[:8] + struct.pack(f"{tags.end}Q", at) if tags.big else data[:4] + struct.pack(f"{tags.end}I", at)
    new = count + b"".join(kept) + bytes(8)  # and no next directory: the first picture is the one
    return head + data[len(head) : len(data)] + bytes(at - len(data)) + new, _turn(tags)


def _either(exif: bytes, text: bytes) -> int:
    """By EXIF, else by XMP, which some editors write alone."""
    turn = orientation(exif)
    found = XMP_TURN.search(text) if turn == 1 else None
    return int(found[1]) if found else turn


def raw(data: bytes) -> bool:
    """Whether a TIFF is a camera's raw file, of which Pillow would read the preview."""
    if data[8:10] == b"CR" or data[:4] in (b"IIRO", b"IIU\0", b"MMOR"):
        return True
    try:
        tags = _Tags(data)
    except (struct.error, ValueError, OverflowError):
        return False
    names = {tag for tag, *_ in tags.entries}
    return 50706 in names or (bool(tags.number(REDUCED) & 1) and SUB_IFDS in names)  # DNG; NEF, ARW, PEF
