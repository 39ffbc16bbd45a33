"""Train one network: epochs, checkpoints, out of memory, divergence, and the clock.

Pixels live on the device as uint8 where they fit (else in the memory-mapped cache) and are augmented there, a batch at
a time. Nothing inside an epoch waits for the device. Every epoch draws its order and its augmentation from (seed,
epoch) alone, so that a run resumed from a checkpoint goes on with the very batches an uninterrupted one would have
seen.
"""

from __future__ import annotations

import contextlib
import io
import math
import pickle
import re
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scripts.common import device as devices
from scripts.common.errors import UserError
from scripts.common.paths import atomic_write
from scripts.common.words import duration
from scripts.train import distributed, recipe as recipes
from scripts.train.datasets import Dataset
from scripts.train.recipe import Recipe

EVALUATION_BATCH = 256
CHECKPOINT_SECONDS = 20.0  # at most so much training is lost to a kill, and one epoch more


class Failed(Exception):
    """Why this network's training stopped; the others go on."""


@dataclass
class Outcome:
    """What came out of one training run. probabilities: float32 (test images, classes); history: one dict an epoch."""

    probabilities: np.ndarray
    history: list[dict]
    train_seconds: float
    infer_images_per_sec: float
    peak_memory_mb: float
    micro_batch: int
    notes: list[str] = field(default_factory=list)


def precision_for(device: str, model: nn.Module) -> str:
    """The fastest arithmetic for `model` there: bf16 where the hardware multiplies it, else fp16 on a GPU and fp32 on a
    CPU.

    Networks of depthwise convolutions stay in fp32 on CPUs: oneDNN's bf16 depthwise kernels are slower (EfficientNet-B0
    on an EPYC of 2022, 32 pixels, one thread: 389 images/s in fp32, 158 in bf16), where ResNet-18 gains 1.8×.
    """
    if devices.on_gpu(device):
        return devices.training_precision(device)
    if any(isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1 for module in model.modules()):
        return "fp32"
    try:
        return (
            "bf16"
            if re.search(r"\b(avx512_bf16|amx_bf16)\b", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
            else "fp32"
        )
    except OSError:
        return "fp32"


class Pixels:
    """A dataset's pictures and labels where batches are made: on the device where they fit in half of its free
    memory.
    """

    def __init__(self, dataset: Dataset, device: str):
        self.device = torch.device(device)
        pixels, self.labels = (
            torch.from_numpy(_writable(dataset.pixels)),
            torch.from_numpy(dataset.labels).to(self.device),
        )
        fits = self.device.type == "cpu" or pixels.nbytes < devices.free_bytes(device) / 2
        self.pixels = pixels.to(self.device) if fits else pixels

    def batch(self, rows: Tensor) -> Tensor:
        """uint8 (n, 3, side, side) on the device."""
        if self.pixels.device == self.device:
            return self.pixels[rows]
        return devices.pinned(self.pixels[rows.cpu()]).to(self.device, non_blocking=True)


def _writable(pixels: np.ndarray) -> np.ndarray:
    """The same memory without numpy's read-only mark, which torch warns about; nobody writes to it."""
    return (
        pixels
        if pixels.flags.writeable
        else np.memmap(pixels.filename, np.uint8, "c", shape=pixels.shape)
        if isinstance(pixels, np.memmap) and pixels.filename
        else pixels.copy()
    )


class Graphed(nn.Module):
    """A network with its autocast, to be captured as CUDA graphs; the network itself stays as it is, for evaluation
    and as the way back.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype | None):
        super().__init__()
        self.model, self.dtype = model, dtype

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cuda", self.dtype, enabled=self.dtype is not None, cache_enabled=False):
            return self.model(x)


def memory_ran_out(error: BaseException) -> bool:
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in str(error)


class Trainer:
    """One network on one dataset by one recipe; `run` does it all. report(text) is called after each epoch.

    compiled: by torch.compile; graphs: captured as CUDA graphs where there is a GPU and no compiler.
    """

    def __init__(
        self,
        model: nn.Module,
        dataset: Dataset,
        recipe: Recipe,
        seed: int,
        device: str = "cpu",
        precision: str = "fp32",
        compiled: bool = False,
        graphs: bool = True,
        valid: float = 0.1,
        checkpoint: Path | None = None,
        pixels: Pixels | None = None,
        report: Callable[[str], None] = lambda text: None,
    ):
        self.dataset, self.recipe, self.seed, self.device, self.precision = (
            dataset,
            recipe,
            seed,
            torch.device(device),
            precision,
        )
        self.traits = devices.traits(self.device.type)
        self.model = distributed.synchronised(model.to(self.device, memory_format=torch.channels_last), self.device)
        self.compiled = compiled
        self.graphs = (
            graphs and not compiled and self.traits.graphs and precision != "fp16" and distributed.world() == 1
        )
        self.plain = distributed.wrap(self.model, self.device)
        self.forward = (
            torch.compile(self.plain, mode="reduce-overhead" if self.traits.graphs else None)
            if compiled
            else self.plain
        )
        self.pixels = pixels or Pixels(dataset, device)
        rows = dataset.split(seed, valid)
        self.train_rows, self.valid_rows, self.test_rows = (torch.from_numpy(part).to(self.device) for part in rows)
        self.batch = min(recipe.batch, len(self.train_rows))
        distributed.check(self.batch)
        self.micro = self.batch
        self.steps = len(self.train_rows) // self.batch  # an epoch; what is left over differs from epoch to epoch
        self.optimizer = recipes.optimiser(self.model, recipe)
        self.schedule = recipes.schedule(self.optimizer, recipe, recipe.epochs * self.steps)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "fp16")
        self.average = recipes.average(self.model, recipe)
        self.history: list[dict] = []
        self.losses: list[float] = []  # of the newest epoch's steps
        self.notes: list[str] = distributed.note(self.device)
        self.checkpoint, self.report = checkpoint, report

    # --- speed --------------------------------------------------------------------------------------------------------

    def capture(self) -> None:
        """Capture forward and backward as CUDA graphs, which spares small networks the launch of each kernel; said
        where it can't be.
        """
        if not (self.graphs and self.micro == self.batch):
            return
        before = {name: value.clone() for name, value in self.model.named_buffers()}
        dtype = torch.bfloat16 if self.precision == "bf16" else None
        self.model.train()
        try:
            pictures = recipes.plain(self.pixels.batch(self.train_rows[: self.batch]), self.dataset.size)
            self.forward = torch.cuda.make_graphed_callables(
                Graphed(self.model, dtype).train(), (pictures,), allow_unused_input=True
            )
        except Exception as error:
            self.eager(error)
        for name, value in self.model.named_buffers():  # warming up has moved the norms' statistics
            value.copy_(before[name])
        self.optimizer.zero_grad(set_to_none=True)

    def eager(self, error: Exception) -> None:
        """Go on without the compiler or the graphs, whose errors are of many kinds. A fault of the network's own
        comes again without them.
        """
        what = "compiled" if self.compiled else "captured as CUDA graphs"
        self.compiled, self.graphs, self.forward = False, False, self.plain
        self.notes.append(f"not {what}: {type(error).__name__}")
        self.report(self.notes[-1])

    # --- one epoch ----------------------------------------------------------------------------------------------------

    def autocast(self):
        dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision)
        return torch.autocast(self.device.type, dtype) if dtype else contextlib.nullcontext()

    def epoch(self, number: int) -> float:
        """One pass over the training photos. Returns the mean loss. Raises Failed where it is no number."""
        seed = self.seed * 100_003 + number
        draws = torch.Generator(self.device).manual_seed(seed)  # the same on every process: it orders the photos
        generator = (
            torch.Generator(self.device).manual_seed(seed + distributed.APART * distributed.rank())
            if distributed.rank()
            else draws
        )
        coin = torch.Generator().manual_seed(seed)  # on the CPU: whether a batch is mixed is a branch
        torch.manual_seed(seed + distributed.APART * distributed.rank())  # dropout and its kin
        order = self.train_rows[torch.randperm(len(self.train_rows), generator=draws, device=self.device)]
        self.model.train()
        losses = torch.zeros(self.steps, device=self.device)
        for step in range(self.steps):
            rows = order[step * self.batch : (step + 1) * self.batch]
            mixed = bool(torch.rand((), generator=coin) < self.recipe.mix)
            losses[step] = self.step(rows, mixed, generator)
        self.losses = distributed.total(losses).tolist()
        loss = sum(self.losses) / self.steps
        distributed.level(self.model, self.average)
        if not math.isfinite(loss):
            raise Failed(f"the loss is {loss} in epoch {number + 1}; try a smaller --lr")
        return loss

    def step(self, rows: Tensor, mixed: bool, generator: torch.Generator) -> Tensor:
        """One optimiser step on the batch `rows`, in as many parts as memory asks for. Returns its mean loss, on
        the device.
        """
        while True:
            try:
                loss = self.gradients(rows, mixed, generator)
                break
            except Exception as error:
                if memory_ran_out(error):
                    self.shrink(error)
                elif self.compiled or self.graphs:
                    self.eager(error)
                else:
                    raise
        self.scaler.unscale_(self.optimizer)
        if self.recipe.clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        if self.average:
            self.average.update(self.model, step=self.schedule.last_epoch)  # counts optimiser steps
        return loss

    def gradients(self, rows: Tensor, mixed: bool, generator: torch.Generator) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.device)
        for part in distributed.share(rows).split(self.micro):
            pictures = recipes.augment(
                self.pixels.batch(part), self.dataset.size, self.recipe, self.dataset.flip, generator
            )
            targets = recipes.soft_targets(self.pixels.labels[part], len(self.dataset.classes))
            if mixed:
                pictures, targets = recipes.mix(pictures, targets, generator)
            if self.compiled:
                torch.compiler.cudagraph_mark_step_begin()
            with self.autocast():
                logits = self.forward(pictures)
            loss = F.cross_entropy(logits.float(), targets, label_smoothing=self.recipe.smoothing) * (
                len(part) / len(rows)
            )
            self.scaler.scale(loss * distributed.world()).backward()  # DDP takes the mean over processes
            total += loss.detach()
        return total

    def shrink(self, error: BaseException) -> None:
        """Halve what goes through the network at once; the batch stays, its gradients add up."""
        if distributed.world() > 1:  # the others wait for this one's gradients
            raise UserError(
                f"out of memory with {self.batch // distributed.world()} pictures in each of {distributed.world()} "
                "processes; choose a "
                "smaller --batch or --size, or more GPUs"
            ) from error
        if self.micro < 4:
            raise Failed(f"out of memory even with {self.micro} pictures at once; choose a smaller --size") from error
        self.optimizer.zero_grad(set_to_none=True)
        self.micro = (self.micro + 1) // 2
        if self.graphs:  # captured for one batch size
            self.graphs, self.forward = False, self.plain
        devices.empty_cache(self.device.type)
        said = (
            f"out of memory: {self.micro} pictures at once, gradients of {-(-self.batch // self.micro)} such parts "
            "added up"
        )
        self.notes = [note for note in self.notes if not note.startswith("out of memory")] + [said]
        self.report(self.notes[-1])

    # --- evaluation ---------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def predict(self, rows: Tensor) -> Tensor:
        """float32 (n, classes): class probabilities, by the averaged weights where there are any."""
        model = (self.average.module if self.average else self.model).eval()
        everything, rows = len(rows), distributed.share(rows)
        size, out, at = (
            min(EVALUATION_BATCH, 4 * self.micro),
            [torch.empty(0, len(self.dataset.classes), device=self.device)],
            0,
        )
        while at < len(rows):
            try:
                with self.autocast():
                    logits = model(recipes.plain(self.pixels.batch(rows[at : at + size]), self.dataset.size))
                out.append(logits.float().softmax(1))
                at += size
            except (RuntimeError, MemoryError) as error:
                if not memory_ran_out(error) or size == 1:
                    raise
                size = (size + 1) // 2
        return distributed.gather(torch.cat(out), everything)

    def validate(self) -> tuple[float, float]:
        """(accuracy, log loss) on the validation photos."""
        probabilities, labels = self.predict(self.valid_rows), self.pixels.labels[self.valid_rows]
        accuracy = (probabilities.argmax(1) == labels).float().mean()
        return accuracy.item(), F.nll_loss(probabilities.clamp_min(1e-7).log(), labels).item()

    # --- the whole run ------------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Train from the last checkpoint, or from the start, to the end; then predict the test photos, once. Raises
        Failed.
        """
        self.resume()
        reset_peak(self.device)
        torch.backends.cudnn.benchmark = True  # shapes never change
        self.capture()
        saved = time.monotonic()
        for number in range(len(self.history), self.recipe.epochs):
            rate = self.optimizer.param_groups[0]["lr"]
            started = time.perf_counter()
            loss = self.epoch(number)
            seconds = time.perf_counter() - started
            accuracy, valid_loss = self.validate()
            elapsed = seconds + (self.history[-1]["elapsed_seconds"] if self.history else 0.0)
            self.history.append(
                {
                    "epoch": number + 1,
                    "train_loss": loss,
                    "valid_loss": valid_loss,
                    "valid_accuracy": accuracy,
                    "lr": rate,
                    "seconds": seconds,
                    "elapsed_seconds": elapsed,
                    "images_per_sec": self.steps * self.batch / seconds,
                }
            )
            left = float(np.median([row["seconds"] for row in self.history[-5:]])) * (self.recipe.epochs - number - 1)
            self.report(
                f"epoch {number + 1}/{self.recipe.epochs}, loss {loss:.3f}, validation accuracy {accuracy:.3f}"
                + (f", about {duration(left)} left" if left else "")
            )
            if (
                self.checkpoint
                and distributed.rank() == 0
                and number + 1 < self.recipe.epochs
                and time.monotonic() - saved >= CHECKPOINT_SECONDS
            ):
                self.save()
                saved = time.monotonic()
        self.predict(self.valid_rows)  # warms up, so that the clock below is fair to networks of few epochs
        started = time.perf_counter()
        probabilities = self.predict(self.test_rows).cpu().numpy()
        speed = len(self.test_rows) / (time.perf_counter() - started)
        if not np.isfinite(probabilities).all():
            raise Failed("its predictions are not numbers; try a smaller --lr")
        return Outcome(
            probabilities,
            self.history,
            self.history[-1]["elapsed_seconds"],
            speed,
            peak_mb(self.device),
            self.micro,
            self.notes,
        )

    def identity(self) -> dict:
        """What a checkpoint must share with this run."""
        return {
            "recipe": asdict(self.recipe),
            "seed": self.seed,
            "precision": self.precision,
            "dataset": self.dataset.checksum,
            "size": self.dataset.size,
            "valid": len(self.valid_rows),
            "weights": sum(weight.numel() for weight in self.model.parameters()),
        }

    def save(self) -> None:
        """Write the checkpoint whole, or leave the old one. Raises UserError (full disk, …)."""
        state = {
            "identity": self.identity(),
            "history": self.history,
            "notes": self.notes,
            "micro": self.micro,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": self.average.state_dict() if self.average else None,
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        atomic_write(self.checkpoint, buffer.getvalue())

    def stored(self) -> dict | str | None:
        """The checkpoint, or why it can't be read, or None where there is none; rank 0 alone looks."""
        if distributed.rank() or not (self.checkpoint and self.checkpoint.exists()):
            return None
        try:  # a checkpoint may hold data, never code
            return torch.load(
                self.checkpoint, map_location=self.device if distributed.world() == 1 else "cpu", weights_only=True
            )
        except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
            return str(error) or type(error).__name__

    def resume(self) -> None:
        """Take up the checkpoint where there is one of this very run; say so where it can't be used."""
        state = distributed.same(self.stored())
        if state is None:
            return
        try:
            if isinstance(state, str):
                raise ValueError(state)
            if state["identity"] != self.identity():
                raise ValueError("it is another run's")
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            self.scaler.load_state_dict(state["scaler"])
            if self.average:
                self.average.load_state_dict(state["average"])
            self.history, self.notes, self.micro = state["history"], state["notes"], state["micro"]
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            print(
                f"{self.checkpoint.name}: not used ({str(error).splitlines()[0][:80]}); this model starts anew",
                file=sys.stderr,
            )
            return
        self.notes.append(f"resumed after epoch {len(self.history)}")
        self.report(self.notes[-1])


def reset_peak(device: torch.device) -> None:
    """Start counting peak memory: of the device's allocator, or of this process where Linux lets us reset its
    high-water mark.
    """
    if devices.on_gpu(device.type):
        devices.reset_peak(str(device))
    else:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_mb(device: torch.device) -> float:
    """Peak memory since `reset_peak` in MB (10⁶ bytes); NaN where the system doesn't say."""
    if devices.on_gpu(device.type):
        return devices.peak_bytes(str(device)) / 1e6
    with contextlib.suppress(OSError):
        found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"), re.M)
        if found:
            return int(found.group(1)) * 1024 / 1e6
    return math.nan
