"""Files that somebody might bring to the web app instead of a photo: bombs, polyglots, archives, damaged and odd
pictures. Made up here, the same at each call, none over 15 MB.
"""

from __future__ import annotations

import gzip
import io
import pickle
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable

from PIL import Image, PngImagePlugin

MAGICS = {
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "avif": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1",
    "mp4": b"\0\0\0\x18ftypmp42",
    "psd": b"8BPS\0\1" + b"\0" * 6,
    "pdf": b"%PDF-1.7\n",
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "jp2": b"\0\0\0\x0cjP  \r\n\x87\n",
    "dds": b"DDS \x7c\0\0\0",
    "pcx": b"\x0a\x05\x01\x08",
    "wmf": b"\xd7\xcd\xc6\x9a\0\0",
    "fits": b"SIMPLE  =                    T",
    "hdf5": b"\x89HDF\r\n\x1a\n",
    "7z": b"7z\xbc\xaf\x27\x1c",
    "rar": b"Rar!\x1a\x07\0",
    "elf": b"\x7fELF\x02\x01\x01",
    "icns": b"icns\0\1\0\0ic09",
    "webp": b"RIFF\xff\xff\xff\x7fWEBPVP8 ",
    "cr2": b"II*\0\x10\0\0\0CR\2\0",
    "ico": b"\0\0\1\0\xff\xff",
    "xcf": b"gimp xcf v011\0",
}


def _saved(picture: Image.Image, kind: str, **how) -> bytes:
    target = io.BytesIO()
    picture.save(target, kind, **how)
    return target.getvalue()


def noise(side: int = 300, mode: str = "RGB") -> Image.Image:
    return Image.effect_noise((side, side), 60).convert(mode)


def bomb(side: int = 6000) -> bytes:
    """A small PNG of many pixels."""
    return _saved(Image.new("RGB", (side, side)), "PNG")


def slow_photo() -> bytes:
    """A picture that takes a decoder seconds: a JPEG that refines every coefficient again and again."""
    data = _saved(Image.effect_noise((4000, 4000), 60), "JPEG", progressive=True, quality=95)
    scan = data.rindex(b"\xff\xda")
    return data[:scan] + data[scan:-2] * 400 + data[-2:]


def endless_gif() -> bytes:
    frames = [Image.new("P", (500, 500), number % 255) for number in range(60)]
    return _saved(frames[0], "GIF", save_all=True, append_images=frames[1:])


def tiff(*tags: tuple[int, int, int, int], after: bytes = b"\0" * 4096, follow: int = 0) -> bytes:
    body = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\x00\x08\x00\x00\x00" + body + struct.pack("<I", follow) + after


def tiles(count: int = 2**27) -> bytes:
    """A TIFF that says it has so many tiles."""
    tags = [(256, 4, 1, 5000), (257, 4, 1, 5000), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    tags += [(277, 3, 1, 1), (322, 4, 1, 16), (323, 4, 1, 16), (324, 4, count, 8), (325, 4, count, 8)]
    return tiff(*tags, after=b"\0" * 2**20)


def chunks(*parts: tuple[bytes, bytes], width: int = 300, height: int = 300) -> bytes:
    """A PNG with `parts`, chunks by name, before its pixels; width and height as its head claims them."""
    picture = _saved(noise(), "PNG")
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    made = b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in ((b"IHDR", head), *parts)
    )
    return picture[:8] + made + picture[33:]


def zipped(size: int = 10**7) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../x.jpg", b"\0" * size)
    return target.getvalue()


def tarred() -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        link = tarfile.TarInfo("photo.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return target.getvalue()


def flipped(content: bytes, seed: int, many: int = 30) -> bytes:
    """`content` with random bytes in random places."""
    chance, changed = random.Random(seed), bytearray(content)
    for _ in range(many):
        changed[chance.randrange(8, len(changed))] = chance.randrange(256)
    return bytes(changed)


class Evil:
    def __reduce__(self):
        return (print, ("run",))


def files() -> dict[str, tuple[str, Callable[[], bytes]]]:
    """File name -> (kind, what makes its content)."""
    photo, png = _saved(noise(), "JPEG"), _saved(noise(), "PNG")
    text, deep = PngImagePlugin.PngInfo(), b'<svg xmlns="http://www.w3.org/2000/svg">'
    text.add_text("Comment", "x" * 2**20, zip=True)
    laughs = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
    )
    webp = dict(save_all=True, append_images=[noise(), noise()])
    some: dict[str, tuple[str, Callable[[], bytes]]] = {
        "note.txt": ("text", lambda: b"hello"),
        "empty.jpg": ("empty", lambda: b""),
        "one.jpg": ("empty", lambda: b"\xff"),
        "archive.jpg": ("archive", zipped),
        "linked.tar.gz": ("archive", tarred),
        "bomb.gz": ("archive", lambda: gzip.compress(b"\0" * 2 * 10**8, 1)),
        "drawing.svg": ("SVG", lambda: deep + b"<script>alert(1)</script></svg>"),
        "entity.svg": ("SVG", lambda: b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + deep + b"&a;</svg>"),
        "laughs.svg": ("SVG", lambda: laughs + b"]>" + deep + b"&j;</svg>"),
        "page.html": ("web page", lambda: b"<html><script>alert(1)</script></html>"),
        "lfs.jpg": ("pointer", lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
        "model.pkl": ("pickle", lambda: pickle.dumps(Evil())),
        "bomb.png": ("bomb", bomb),
        "just-under.png": ("bomb", lambda: bomb(5600)),
        "bomb.gif": ("bomb", lambda: b"GIF89a\xff\xff\xff\xff\x80\0\0" + b"\0" * 6 + _saved(noise(), "GIF")[13:]),
        "bomb.tif": ("bomb", lambda: _saved(Image.new("L", (12_000, 12_000)), "TIFF", compression="tiff_lzw")),
        "bomb.bmp": (
            "bomb",
            lambda: b"BM" + struct.pack("<IHHIIiiHHI", 99, 0, 0, 54, 40, 60_000, -60_000, 1, 24, 1) + b"\0" * 99,
        ),
        "bomb.ppm": ("bomb", lambda: b"P6 99999 99999 255\n" + b"\0" * 99),
        "bomb.jpg": ("bomb", lambda: photo.replace(struct.pack(">HH", 300, 300), b"\xff\xff\xff\xff", 1)),
        "bomb.webp": ("bomb", lambda: _saved(Image.new("RGB", (8_000, 8_000)), "WEBP")),
        "lying.png": ("lying size", lambda: chunks(width=5000, height=5000)),
        "lying2.png": ("lying size", lambda: chunks(width=2**31 - 1, height=1)),
        "zero.png": ("lying size", lambda: chunks(width=0, height=0)),
        "text.png": ("huge metadata", lambda: _saved(noise(), "PNG", pnginfo=text)),
        "text-bomb.png": ("huge metadata", lambda: chunks((b"zTXt", b"c\0\0" + zlib.compress(b"x" * 2 * 10**8, 9)))),
        "profile-bomb.png": ("huge metadata", lambda: chunks((b"iCCP", b"c\0\0" + zlib.compress(b"x" * 2 * 10**8, 9)))),
        "many-chunks.png": ("huge metadata", lambda: chunks(*[(b"tEXt", b"a\0b")] * 300_000)),
        "exif.jpg": (
            "huge metadata",
            lambda: photo[:2] + (b"\xff\xe1\xff\xffExif\0\0" + b"I" * 65527) * 100 + photo[2:],
        ),
        "exif-loop.jpg": (
            "huge metadata",
            lambda: (
                photo[:2]
                + b"\xff\xe1\0\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0"
                + photo[2:]
            ),
        ),
        "comment.jpg": ("huge metadata", lambda: photo[:2] + (b"\xff\xfe\xff\xff" + b"x" * 65533) * 200 + photo[2:]),
        "scans.jpg": ("slow", lambda: slow_photo()[: 14 * 2**20]),
        "tiles.tif": ("slow", tiles),
        "loop.tif": ("slow", lambda: tiff((256, 4, 1, 9), (257, 4, 1, 9), follow=8)),
        "strips.tif": ("slow", lambda: tiff((256, 4, 1, 9), (257, 4, 1, 9), (273, 4, 2**30, 8), (279, 4, 2**30, 8))),
        "ascii.ppm": ("slow", lambda: b"P3 5000 5000 255\n" + b"1 " * 7 * 10**6),
        "frames.gif": ("animated", endless_gif),
        "frames.webp": ("animated", lambda: _saved(noise(), "WEBP", **webp)),
        "frames.png": ("animated", lambda: _saved(noise(), "PNG", **webp)),
        "pages.tif": ("animated", lambda: _saved(noise(), "TIFF", **webp)),
        "deep.png": ("16 bits", lambda: _saved(Image.new("I;16", (300, 300), 4000), "PNG")),
        "deep.tif": ("16 bits", lambda: _saved(Image.new("I;16", (300, 300), 4000), "TIFF")),
        "whole.tif": ("odd pixels", lambda: _saved(Image.new("I", (300, 300), -5), "TIFF")),
        "float.tif": ("odd pixels", lambda: _saved(Image.new("F", (300, 300), float("nan")), "TIFF")),
        "bits.png": ("odd pixels", lambda: _saved(noise(300, "1"), "PNG")),
        "print.jpg": ("CMYK", lambda: _saved(noise(300, "CMYK"), "JPEG")),
        "print.tif": ("CMYK", lambda: _saved(noise(300, "CMYK"), "TIFF")),
        "lab.tif": ("odd pixels", lambda: _saved(Image.new("LAB", (300, 300)), "TIFF")),
        "palette.png": ("palette", lambda: _saved(noise(300, "P"), "PNG", transparency=b"\0" * 256)),
        "grey-alpha.png": ("palette", lambda: _saved(noise(300, "LA"), "PNG")),
        "dot.png": ("odd shape", lambda: _saved(noise(1), "PNG")),
        "line.png": ("odd shape", lambda: _saved(Image.new("RGB", (60_000, 1)), "PNG")),
        "column.jpg": ("odd shape", lambda: _saved(Image.new("RGB", (1, 60_000)), "JPEG")),
        "gif.js": ("polyglot", lambda: b"GIF89a/*" + _saved(noise(), "GIF")[8:] + b"*/=1;alert(1)"),
        "photo.zip.jpg": ("polyglot", lambda: photo + zipped(10**5)),
        "photo.html": ("polyglot", lambda: photo + b"<script>alert(1)</script>"),
        "photo.pdf": ("polyglot", lambda: b"%PDF-1.4\n" + photo),
        "photo.php.jpg": ("polyglot", lambda: photo[:2] + b"\xff\xfe\0\x1a<?php system('id'); ?>xxx" + photo[2:]),
        "../../../../tmp/evil.jpg": ("name", lambda: photo),
        "x" * 300 + ".jpg": ("name", lambda: photo),
        "a\u202egpj.exe": ("name", lambda: photo),
        "$(id);`id`.jpg": ("name", lambda: photo),
        "<img src=x onerror=alert(1)>.jpg": ("name", lambda: photo),
        "icon.ico": ("icon", lambda: _saved(noise(256), "ICO")),
        "icon-bomb.ico": (
            "icon",
            lambda: (
                struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, 99, 22) + chunks(width=30_000, height=30_000)
            ),
        ),
    }
    for share in (0.1, 0.5, 0.9):
        some[f"cut-{share}.jpg"] = ("truncated", lambda share=share: photo[: int(len(photo) * share)])
        some[f"cut-{share}.png"] = ("truncated", lambda share=share: png[: int(len(png) * share)])
    for seed in range(4):
        some[f"flipped-{seed}.jpg"] = ("damaged", lambda seed=seed: flipped(photo, seed))
        some[f"flipped-{seed}.png"] = ("damaged", lambda seed=seed: flipped(png, seed))
    for number, (kind, magic) in enumerate(MAGICS.items()):
        rest = random.Random(number).randbytes(20_000)
        some[f"junk.{kind}"] = (f"junk called {kind}", lambda magic=magic, rest=rest: magic + rest)
    return some


def requests() -> list:
    """What a browser would not send: paths of this machine, pipes and devices, addresses, nonsense."""
    paths = ("/etc/passwd", "/dev/zero", "/dev/stdin", "/proc/self/mem", "../../etc/passwd", "/", "\0", "x" * 5000)
    files_ = [{"path": path, "meta": {"_type": "gradio.FileData"}} for path in paths]
    return [*files_, {"url": "file:///etc/passwd", "path": None}, {"path": "http://127.0.0.1:1/x.png"}, "text", [1], 3]
