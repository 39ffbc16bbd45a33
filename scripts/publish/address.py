"""The file name of a model: one that any file system and any address takes, and that no two models share.

    address.of("convnext_tiny.fb_in22k_ft_in1k")     # as it is
    address.of("Résumé<b>")                          # 'r_sum_b_-' and eight digits of its SHA-256
    address.all_of(names)                            # {name: file name}; raises where two would share one

A name of timm's is its own address. Any other (capitals, which macOS and Windows don't tell apart, signs that mean
something in an address or in HTML, names that Windows keeps for devices, long ones) is made safe and ends in digits
that stand for the whole name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from scripts.common.errors import UserError

LONGEST = 80  # characters; with .html or .json far below what any file system takes
_PLAIN = re.compile(r"[a-z0-9](?:[a-z0-9_.-]{0,78}[a-z0-9])?")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?")  # names that Windows keeps, whatever their ending
_HASHED = re.compile(r".*-[0-9a-f]{8}")
_OURS = ("index", "compare", "embed")  # pages of ours beside the models'


def of(name: str) -> str:
    """The file name, without ending, of the model `name`."""
    if _PLAIN.fullmatch(name) and not (_DEVICE.fullmatch(name) or _HASHED.fullmatch(name) or name in _OURS):
        return name
    safe = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")[: LONGEST - 9] or "model"
    return f"{safe}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def all_of(names: Iterable[str]) -> dict[str, str]:
    """{name: file name}. Raises UserError where two names would share a file."""
    found = {name: of(name) for name in names}
    owners: dict[str, str] = {}
    for name, file in found.items():
        if owners.setdefault(file, name) != name:
            raise UserError(f"{name[:80]!r} and {owners[file][:80]!r} would share the page {file}.html; rename one")
    return found
