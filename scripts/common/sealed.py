"""A folder of files with their checksums in SHA256SUMS, as `sha256sum -c SHA256SUMS` reads it.

A checksum in the same folder finds damage and mix-ups; against someone who rewrites the folder it is no protection.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from scripts.common.errors import UserError
from scripts.common.paths import read_file, write_together

SUMS = "SHA256SUMS"
MAX_FILE, MAX_TEXT = 8 * 2**30, 2**20  # bytes
REMEDY = "export it again, or copy the whole folder again"
MAKE = "make one with python -m scripts.train.pets_export"


def seal(folder: Path, files: dict[str, bytes], beside: dict[str, bytes] | None = None) -> None:
    """Write `files` (name -> content) with their checksums, and what lies `beside` them without, as one: the checksums
    come last, so that a folder that was killed half-way is refused. Raises UserError; the old files then stand.
    """
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items())]
    everything = {**files, **(beside or {}), SUMS: "".join(lines).encode()}
    write_together({folder / name: content for name, content in everything.items()})


def checksums(folder: Path) -> dict[str, str]:
    """File name -> SHA-256 as SHA256SUMS says. Raises UserError where it is missing or not one."""
    try:
        text = read_file(folder / SUMS, MAX_TEXT).decode("utf-8-sig")
    except FileNotFoundError:
        what = "no such folder" if not folder.is_dir() else f"no {SUMS} in it, so it is no exported model"
        raise UserError(f"{folder}: {what}; {MAKE}") from None
    except NotADirectoryError:
        raise UserError(f"{folder}: a file; name the model's folder") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{folder / SUMS}: cannot be read ({type(error).__name__}); {REMEDY}") from None
    lines = re.finditer(r"^([0-9a-f]{64}) [ *]([a-z0-9_.-]+)\r?$", text, re.M | re.I)  # editors change ends and letters
    found = {match[2]: match[1].lower() for match in lines}
    if not found:
        raise UserError(f"{folder / SUMS}: holds no checksums; {REMEDY}")
    return found


def verified(folder: Path, name: str, sums: dict[str, str], limit: int = MAX_FILE) -> bytes:
    """The bytes of a file of the model. Raises UserError: missing, too large, not what was exported."""
    path = folder / name
    if name not in sums:
        raise UserError(f"{path}: not listed in {SUMS}; {REMEDY}")
    try:
        content = read_file(path, limit)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {REMEDY}") from None
    if hashlib.sha256(content).hexdigest() != sums[name]:
        if hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest() == sums[name]:
            raise UserError(f"{path}: its line ends were changed, by git's autocrlf or an editor; copy it as it was")
        raise UserError(
            f"{path}: its checksum is not the one in {SUMS}, so it is damaged or another file; nothing of it was "
            f"used; {REMEDY}"
        )
    return content
