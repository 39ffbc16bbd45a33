"""The hub of pretrained weights (huggingface.co, or what HF_ENDPOINT names): whether it answers, how large a file is,
and the download, with its size and a bar.

Refused in one line: a disk too small, a hub that answers with something else, a download that only drips or breaks off
(the next one goes on from there), bytes that are not the announced ones.
"""

from __future__ import annotations

import functools
import re
import shutil
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from scripts.common.errors import UserError
from scripts.common.provenance import sha256

FILES = ("model.safetensors", "pytorch_model.bin")
SLOWEST, PATIENCE = 20_000, 60  # bytes a second, and over how many seconds, below which a download is given up
DISK_LEFT = 500 * 10**6  # bytes that a download must leave free
WAIT = 10  # seconds for an answer


def cached(repository: str) -> Path | None:
    """The file of weights in the hub's cache on this machine."""
    from huggingface_hub import try_to_load_from_cache

    found = (try_to_load_from_cache(repository, name) for name in FILES)
    return next((Path(file) for file in found if isinstance(file, str) and Path(file).is_file()), None)


@functools.lru_cache(maxsize=1)
def answers(timeout: float = 3.0) -> bool:
    """Whether the hub answers, asked once a process. Its own client retries for minutes where it does not; from then
    on it stays offline."""
    from huggingface_hub import constants

    try:
        if constants.HF_HUB_OFFLINE:
            return False
        with urllib.request.urlopen(urllib.request.Request(constants.ENDPOINT, method="HEAD"), timeout=timeout):
            return True
    except (OSError, ValueError, urllib.error.URLError):
        constants.HF_HUB_OFFLINE = True
        return False


def size(repository: str) -> tuple[str, int, str]:
    """(file name, bytes, SHA-256 or '') of the weights on the hub. Raises UserError: not there, no answer, no sense
    in the answer."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    reason = ""
    for name in FILES:
        try:
            about = get_hf_file_metadata(hf_hub_url(repository, name), timeout=WAIT)
        except Exception as error:  # the hub's client has a dozen kinds of its own
            reason = reason or type(error).__name__
            continue
        if about.size and about.etag and about.commit_hash:
            return name, about.size, about.etag if re.fullmatch("[0-9a-f]{64}", about.etag) else ""
        reason = "its answer is not a hub's"
    raise UserError(
        f"{repository}: the weights' hub does not give them ({reason}); try again, or put them into a folder "
        "and name it with --weights"
    )


def fetch(repository: str) -> tuple[Path, str, int]:
    """(file, SHA-256 or '', bytes), downloaded. Raises UserError: disk too small, download too slow, broken off, or
    not whole.
    """
    from huggingface_hub import constants, hf_hub_download

    name, count, digest = size(repository)
    cache = Path(constants.HF_HUB_CACHE)
    there = next(folder for folder in (cache, *cache.parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    if free < count + DISK_LEFT:
        raise UserError(
            f"{repository}: {count / 1e6:.0f} MB to download, but the disk has {free / 1e6:.0f} MB free and "
            f"{DISK_LEFT / 1e6:.0f} MB must stay; free some space, or set HF_HOME to another disk"
        )
    print(f"{repository}: {count / 1e6:.1f} MB to download, kept in the hub's cache", file=sys.stderr, flush=True)
    try:
        file = Path(hf_hub_download(repository, name, etag_timeout=WAIT, tqdm_class=_bar()))
    except UserError:
        raise
    except Exception as error:  # as above
        raise UserError(
            f"{repository}: the download broke off ({type(error).__name__}); run it again, and it goes on from there"
        ) from None
    if digest and sha256(file) != digest:
        file.resolve().unlink(missing_ok=True)
        file.unlink(missing_ok=True)
        raise UserError(f"{repository}: what came is not what the hub announced; nothing of it was used; run it again")
    return file, digest, count


def _bar():
    """tqdm's bar of bytes, none where nobody looks, that gives up on a download which only drips."""
    from tqdm.auto import tqdm

    class Bar(tqdm):
        def __init__(self, *args, **options):
            options.pop("name", None)  # the hub's own, which tqdm does not know
            super().__init__(*args, **{**options, "disable": not sys.stderr.isatty()})
            self.since, self.bytes = time.monotonic(), 0

        def update(self, n=1):
            self.bytes += n
            if (spent := time.monotonic() - self.since) > PATIENCE:
                if self.bytes < SLOWEST * spent:
                    raise UserError(
                        f"the weights' hub sends {self.bytes / spent / 1000:.1f} kB a second; try again later, and "
                        f"it goes on from there"
                    )
                self.since, self.bytes = time.monotonic(), 0
            return super().update(n)

    return Bar
