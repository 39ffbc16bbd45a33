"""A file that somebody brought, as a picture or a sentence on why not. Light: what reads photos loads no torch.

A reader is a process of its own, with a limit of processor time for each photo and one of memory: a photo that takes
for ever, takes all memory or crashes a decoder costs that process, which is started again. There are two, so that an
honest photo is read beside a hostile one. They end by themselves when the app does, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
from pathlib import Path

from PIL import Image

from scripts.demo.apart import Apart
from scripts.demo.limits import MAX_BYTES, MAX_PIXELS, READ_MEMORY, READ_SECONDS, READERS, WAIT_SECONDS
from scripts.train import photos
from scripts.train.folders import kind

SHOWN = 384  # pixels a side of the picture that shows where the model looked


class NotAPhoto(Exception):
    """Why a file can't be classified, in a sentence for the person who brought it."""


def open_photo(data: bytes) -> Image.Image:
    """An upright RGB image of about SHOWN pixels or more. Raises NotAPhoto."""
    if len(data) > MAX_BYTES:
        raise NotAPhoto(
            f"This file has {len(data) / 2**20:.0f} MB; at most {MAX_BYTES >> 20} MB are read. Scale the photo down."
        )
    try:
        return photos.decode(data, SHOWN, MAX_PIXELS)
    except photos.TooLarge as found:
        raise NotAPhoto(
            f"This picture has {found.megapixels:.0f} megapixels; at most {MAX_PIXELS / 1e6:.0f} are opened. Scale it "
            "down."
        ) from None
    except photos.Refused as reason:
        raise NotAPhoto(
            f"This is no photo that can be read: {reason}. Choose a JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF file."
        ) from None


def read_file(path: Path | str) -> bytes:
    """The bytes of a file, no more than MAX_BYTES + 1 of them. Raises NotAPhoto; a pipe doesn't hang it."""
    what, reason = kind(Path(path))
    if what != "file":
        why = reason if reason.startswith("cannot be read") else f"cannot be read: it is {reason or 'a folder'}"
        raise NotAPhoto(f"This file {why}.")
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise NotAPhoto(f"This file cannot be read: {error.strerror}.") from None


def serve(pipe) -> None:
    """In the process: answer one path after the other, until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the app's to handle
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends this process, whatever decoder is at it
    with contextlib.suppress(ImportError, ValueError, OSError):  # Linux alone tells, and counts, a process's addresses
        import resource

        used = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + READ_MEMORY, used + READ_MEMORY))
    while True:
        try:
            path = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            signal.setitimer(signal.ITIMER_PROF, READ_SECONDS)
            image = open_photo(read_file(path))
            signal.setitimer(signal.ITIMER_PROF, 0)
            pipe.send(("photo", image.size, image.tobytes()))
            del image
        except NotAPhoto as reason:
            signal.setitimer(signal.ITIMER_PROF, 0)
            pipe.send(("refused", str(reason), b""))
        except MemoryError:
            signal.setitimer(signal.ITIMER_PROF, 0)
            pipe.send(("refused", "This photo takes too much memory to open. Scale it down.", b""))


class Reader(Apart):
    """The other end of one such process."""

    def start(self) -> None:
        self.launch(serve)

    def read(self, path: str) -> Image.Image | str:
        """The photo at `path`, or a sentence on why there is none."""
        if not self.process.is_alive():
            self.restart()
        try:
            self.pipe.send(path)
            if not self.pipe.poll(WAIT_SECONDS):
                self.restart()
                return f"This photo took more than {WAIT_SECONDS} seconds to open and was given up. Try another."
            kind, said, content = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(5)
            late = self.process.exitcode == -signal.SIGPROF
            self.restart()
            return (
                f"This photo takes more than {READ_SECONDS} seconds to open and was given up. Try another."
                if late
                else "This photo made the process that reads it end; it was started again. Try another photo."
            )
        return said if kind == "refused" else Image.frombytes("RGB", said, content)


class Readers:
    """All of them. Threads share them: each takes the next that is free."""

    def __init__(self) -> None:
        self.all = [Reader() for _ in range(READERS)]
        self.free: queue.Queue[Reader] = queue.Queue()
        for reader in self.all:
            self.free.put(reader)

    def read(self, path: str) -> Image.Image | str:
        """The photo at `path`, or a sentence on why there is none."""
        reader = self.free.get()
        try:
            return reader.read(path)
        finally:
            self.free.put(reader)

    def close(self) -> None:
        for reader in self.all:
            reader.close()
