"""Features of photos, once per photo and backbone, kept by what is in the photo.

.cache/choose/<backbone>/<n>.npz holds up to 512 photos' features each, written by temporary file and rename: a run that
is killed loses the part in hand, and the next one computes only what is missing. A photo is known by the hash of its
decoded square, so a renamed photo is the same one, and a changed one another.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from scripts.common import hardware
from scripts.common.errors import UserError
from scripts.common.paths import CACHE, atomic_write, make_folder
from scripts.runtimes.load import Loaded, Unable, load
from scripts.runtimes.network import Network

BATCH, PART = 32, 512
RECENT = 16  # batches that say how fast it goes at present, whatever else the machine does
SPEED = "speed.json"  # photos a second, measured in turn with other backbones
BINS = 8  # of a colour histogram, a channel
HALF_MAX = 60_000  # what float16 holds; features beyond it are kept as float32
# The fastest first, as measured (2-core AMD EPYC, batch 32, EfficientNet-Lite0: 144, 75, 61, 12 and 6 photos a second).
RUNTIMES = {
    "cpu": (("openvino", "bf16"), ("openvino", "fp32"), ("onnxruntime", "fp32"), ("nhwc", "fp32"), ("eager", "fp32")),
    "cuda": (("nhwc", "bf16"), ("eager", "bf16"), ("eager", "fp32")),
}


@dataclass(frozen=True)
class Backbone:
    """What turns a photo into features.

    name: of the network, 'colour histogram' for none; size: pixels a side that it sees; weights: their tag, 'random',
    or '' for none; digest: of the weights; make: builds the network, None for the histogram; pretrain: what it was
    pretrained on, as scripts.data.pretraining names it; bytes: to download first.
    """

    name: str
    size: int
    weights: str
    digest: str = ""
    make: Callable[[], Network] | None = field(default=None, compare=False)
    pretrain: str = ""
    bytes: int = 0

    @property
    def label(self) -> str:
        """For people: name and size, and weights that are none."""
        return f"{self.name}{' (random weights)' if self.weights == 'random' else ''} at {self.size} pixels"


@dataclass
class Extractor:
    """Features of one backbone, as they become known. seconds: spent on them in this process."""

    backbone: Backbone
    device: str = "cpu"
    threads: int = 1
    cache: Path | None = None
    keep: bool = True  # False: for a network that is used once
    exact: bool = False  # in fp32 alone
    seconds: float = 0.0
    known: dict[bytes, np.ndarray] = field(default_factory=dict)
    timings: list[tuple[int, float, float]] = field(default_factory=list)  # photos, seconds of the network, of all
    runtime: str = "numpy"
    precision: str = "fp32"
    running: tuple[Network, Loaded] | None = None
    in_turn: float = float("nan")  # photos a second, measured in turn with the others; NaN where it was not

    def __post_init__(self):
        own = f"{self.backbone.name} {self.backbone.weights} {self.backbone.size} {self.backbone.digest[:12]}"
        self.folder = (self.cache or CACHE / "choose") / hardware.slugify(own)
        for part in sorted(self.folder.glob("*.npz")) if self.keep else ():
            try:
                with np.load(part, allow_pickle=False) as kept:
                    self.known.update(zip(map(bytes, kept["hashes"]), kept["features"]))
                    self.timings += [(int(count), spent, whole) for count, spent, whole in kept["timings"].tolist()]
                    self.runtime, self.precision = map(str, kept["runtime"])
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # not whole: computed again
                part.unlink(missing_ok=True)
        try:
            self.in_turn = float(json.loads((self.folder / SPEED).read_bytes())) if self.keep else self.in_turn
        except (OSError, ValueError, TypeError):
            pass

    def missing(self, hashes: list[bytes]) -> list[int]:
        """Positions of the photos whose features are not known yet."""
        return [row for row, one in enumerate(hashes) if one not in self.known]

    @property
    def speed(self) -> float:
        """Photos a second through the network alone: in turn with others, else the median of its whole batches; NaN
        before it ran.
        """
        if not math.isnan(self.in_turn):
            return self.in_turn
        rates = [count / spent for count, spent, _ in self.timings if count == BATCH and spent > 0]
        return float(np.median(rates)) if rates else float("nan")

    def seconds_for(self, hashes: list[bytes]) -> float:
        """About how long what is missing of these photos would take, without the start; NaN before it ran."""
        count, recent = len(self.missing(hashes)), self.timings[-RECENT:]
        if not count:
            return 0.0
        done = sum(photos for photos, _, _ in recent)
        return count * sum(whole for _, _, whole in recent) / done if done else float("nan")

    def time_one(self, squares: np.ndarray) -> float:
        """Photos a second of the network that is running, for one batch."""
        return len(squares) / self._features(squares)[1]

    def note_speed(self, rate: float) -> None:
        """Keep what was measured in turn with other backbones."""
        self.in_turn = rate
        if self.keep:
            make_folder(self.folder)
            atomic_write(self.folder / SPEED, json.dumps(rate).encode())

    def run(self, pixels: np.ndarray, hashes: list[bytes], deadline: float = float("inf")) -> bool:
        """Compute what is missing of these photos, until `deadline` (time.monotonic). Returns whether all are known.

        pixels: uint8 (n, 3, side, side), maybe memory-mapped. Raises UserError: weights, a full disk, no finite answer.
        """
        rows, began, noted = self.missing(hashes), time.monotonic(), len(self.timings)
        fresh: list[int] = []
        try:
            for start in range(0, len(rows), BATCH):
                if time.monotonic() > deadline:
                    break
                batch = rows[start : start + BATCH]
                if self.running is None and self.backbone.make:
                    self.start()
                at = time.perf_counter()
                found, spent = self._features(np.array(pixels[batch]))  # a copy: the photos lie in a read-only file
                self.timings.append((len(batch), spent, time.perf_counter() - at))
                self.known.update((hashes[row], value) for row, value in zip(batch, found))
                fresh += batch
                if len(fresh) >= PART:
                    noted, fresh = self._keep(fresh, hashes, noted), []
        finally:
            if fresh:
                self._keep(fresh, hashes, noted)
            self.seconds += time.monotonic() - began
        return not self.missing(hashes)

    def matrix(self, hashes: list[bytes]) -> np.ndarray:
        """float32 (n, features) of photos that are known."""
        return np.stack([self.known[one] for one in hashes]).astype(np.float32)

    def _features(self, squares: np.ndarray) -> tuple[np.ndarray, float]:
        """(features, seconds of the network alone)."""
        if self.running is None:
            began = time.perf_counter()
            return histogram(squares).astype(np.float16), time.perf_counter() - began
        network, loaded = self.running
        placed = loaded.place(normalised(crop(squares, network.size), network))
        began = time.perf_counter()
        found = loaded.fetch(loaded.run(placed))
        spent = time.perf_counter() - began
        if not np.isfinite(found).all():
            raise UserError(f"{self.backbone.label}: its features are not all finite; leave it out with --backbones")
        return found.astype(np.float16) if np.abs(found).max() < HALF_MAX else found, spent

    def start(self) -> tuple[Network, Loaded]:
        """Build the network and load it into the fastest runtime that takes it. Raises UserError where none does."""
        network = self.backbone.make()
        reasons = []
        for runtime, precision in RUNTIMES.get(self.device.partition(":")[0], (("nhwc", "fp32"), ("eager", "fp32"))):
            if self.exact and precision != "fp32":
                continue
            try:
                loaded = load(network, runtime, precision, self.threads, self.device)
            except Unable as reason:
                reasons.append(f"{runtime}: {reason}")
                continue
            self.runtime, self.precision = runtime, precision
            self.running = network, loaded
            return self.running
        raise UserError(f"{self.backbone.label}: no runtime here takes it ({'; '.join(reasons)[:300]})")

    def _keep(self, rows: list[int], hashes: list[bytes], noted: int) -> int:
        if not self.keep:
            return len(self.timings)
        buffer = io.BytesIO()
        np.savez(
            buffer,
            hashes=np.stack([np.frombuffer(hashes[row], np.uint8) for row in rows]),
            features=np.stack([self.known[hashes[row]] for row in rows]),
            timings=np.array(self.timings[noted:], float).reshape(-1, 3),
            runtime=np.array([self.runtime, self.precision]),
        )
        make_folder(self.folder)
        last = max((int(part.stem) for part in self.folder.glob("*.npz") if part.stem.isdigit()), default=0)
        atomic_write(self.folder / f"{last + 1:06d}.npz", buffer.getvalue())
        return len(self.timings)


class Rows:
    """Some rows of a memory-mapped array, read when they are asked for."""

    def __init__(self, pixels: np.ndarray, rows: np.ndarray):
        self.pixels, self.rows = pixels, rows

    def __getitem__(self, at):
        return self.pixels[self.rows[at]]

    def __iter__(self):
        return (self.pixels[row] for row in self.rows)


def hashes(pixels: np.ndarray) -> list[bytes]:
    """16 bytes a photo, of its decoded square."""
    return [hashlib.blake2b(np.ascontiguousarray(square), digest_size=16).digest() for square in pixels]


def crop(squares: np.ndarray, size: int) -> np.ndarray:
    """uint8 (n, 3, side, side) -> (n, 3, size, size): scaled to 8/7 of `size`, the centre kept, as exports are used."""
    import torch

    side = -(-size * 8 // 7)
    found = torch.from_numpy(squares)
    if found.shape[-1] != side:
        found = torch.nn.functional.interpolate(found, size=(side, side), mode="bilinear", antialias=True)
    top = (side - size) // 2
    return np.ascontiguousarray(found[..., top : top + size, top : top + size].numpy())


def normalised(pixels: np.ndarray, network: Network) -> np.ndarray:
    """uint8 (n, 3, size, size) -> float32, as the network expects it."""
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (network.mean, network.std))
    return (pixels * (1 / (255 * std)) - mean / std).astype(np.float32, copy=False)


def histogram(squares: np.ndarray) -> np.ndarray:
    """float32 (n, BINS³): the share of a photo's pixels of each colour, its root, so that rare colours count."""
    bins = (squares >> 5).astype(np.int32)
    codes = (bins[:, 0] * BINS + bins[:, 1]) * BINS + bins[:, 2]
    counts = np.stack([np.bincount(code.ravel(), minlength=BINS**3) for code in codes])
    return np.sqrt(counts / codes[0].size).astype(np.float32)
