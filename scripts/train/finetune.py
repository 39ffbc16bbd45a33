"""Train a fastai Learner on checked photos: fine-tuned where weights can be had, from scratch where not, and resumed
where it was stopped.

fastai's `vision_learner` with any timm architecture. With pretrained weights it does what `Learner.fine_tune` does (one
epoch for the head, then everything, at smaller rates); without, one cycle. Each epoch draws its order and its
augmentation from (seed, epoch), and the last whole epoch stays on disk until the run has ended. Used by
scripts.train.pets_export.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import io
import json
import math
import random
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.common import journal as state_file
from scripts.common.errors import UserError
from scripts.common.paths import CACHE, ROOT, make_folder, write_together
from scripts.common.progress import Progress
from scripts.train import datasets, stages, tracking

ARCH, SIZE, BATCH = "resnet18", 224, 64
BODY_LR, HEAD_LR = 2e-4, 1e-3  # largest of one cycle, from a probe; the second is fastai's for fine_tune
SCRATCH_LR = 3e-3  # for fit_one_cycle from scratch
TOLD = ("train_loss", "valid_loss", "error_rate", "seconds")  # to the tracker, each epoch
LADDER = (24, 18, 14, 10, 8, 6, 4, 3, 2)  # epochs to choose from where time is short; from a probe 1 and 0, too


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a run is asked for. out: folder of the model; pretrained: auto, yes or no; weights: a folder of them."""

    data: str
    arch: str = ""  # '': what make choose found on these photos, else an embedded network, else ARCH from scratch
    epochs: int | None = None  # None: as scripts.train.pets_export says; 0: the probe alone
    size: int = 0  # 0: that of the choice, or the network's
    batch: int = 0  # 0: BATCH, or less from a probe
    seed: int = 0
    out: Path = ROOT / "models" / "pets"
    pretrained: str = "auto"
    tracker: str = "local"
    device: str = "cpu"
    weights: Path | None = None
    train_size: int = 0  # pixels in training, 0: as in use
    seconds: float = (
        0  # about so much time for training: fewer epochs of LADDER where they would take longer; 0: no matter
    )


@contextlib.contextmanager
def warnings_off():
    """fastai and torch warn about each other's deprecations, which is nothing to the user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def loaders(
    dataset: datasets.Dataset, rows: tuple[np.ndarray, np.ndarray], settings: Settings, stats: tuple, items=None
):
    """fastai's DataLoaders over decoded squares, or over `items` [(path, class), …] to give an exported Learner
    transforms for files.
    """
    from fastai.vision.all import (
        CategoryBlock,
        CropPad,
        DataBlock,
        ImageBlock,
        IndexSplitter,
        ItemGetter,
        Normalize,
        RandomResizedCrop,
        Resize,
        aug_transforms,
    )

    train, valid = rows
    in_training = settings.train_size or settings.size
    if items is None:
        order = np.concatenate([train, valid])
        items = [(dataset.pixels[row].transpose(1, 2, 0), dataset.classes[dataset.labels[row]]) for row in order]
        split = IndexSplitter(list(range(len(train), len(order))))
    else:
        split = IndexSplitter([0])
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock(vocab=dataset.classes)),
        splitter=split,
        get_x=ItemGetter(0),
        get_y=ItemGetter(1),
        item_tfms=[
            Resize(math.ceil(settings.size * 8 / 7)),
            RandomResizedCrop(in_training, min_scale=0.35, split_idx=0, order=2),
            CropPad(settings.size, split_idx=1, order=2),
        ],
        batch_tfms=[
            *aug_transforms(do_flip=dataset.flip, max_rotate=10.0, max_zoom=1.0, max_warp=0.0),
            Normalize.from_stats(*stats),
        ],
    )
    return block.dataloaders(items, bs=min(settings.batch, max(2, len(train))), num_workers=0, device=settings.device)


def learner_from_scratch(dls, settings: Settings):
    """fastai's vision_learner with random weights. Raises UserError where the network refuses the size."""
    from fastai.vision.all import error_rate, vision_learner

    from scripts.train import fastai_network, models

    entry = models.find(settings.arch)
    options = dict(metrics=error_rate, opt_func=_adam(), normalize=False, path=CACHE, model_dir="pets")
    try:
        learner = vision_learner(dls, entry.arch, pretrained=False, **options, **entry.options(settings.size))
    except (RuntimeError, ValueError, AssertionError, TypeError) as error:
        raise UserError(
            f"{settings.arch}: does not take {settings.size} pixels ({str(error).splitlines()[0][:80]}); choose "
            "another --size"
        ) from None
    learner.unfreeze()
    fastai_network.probe(learner.model, settings.arch, settings.size)
    return learner


def learner_from_probe(dls, model):
    """A Learner of a pretrained network with a probe as classifier (scripts.train.frozen), all of it to be trained, the
    classifier at a larger rate.
    """
    from fastai.vision.all import CrossEntropyLossFlat, Learner, error_rate

    learner = Learner(
        dls,
        model,
        loss_func=CrossEntropyLossFlat(),
        opt_func=_adam(),
        splitter=lambda model: [list(part.parameters()) for part in model],
        metrics=error_rate,
        path=CACHE,
        model_dir="pets",
    )
    learner.unfreeze()
    return learner


def _adam():
    """fastai's own takes 0.1 s a step on one core, a quarter of the time."""
    import torch
    from fastai.vision.all import OptimWrapper

    return functools.partial(OptimWrapper, opt=torch.optim.AdamW, fused=True)


class Epochs:
    """History of one run and its last epoch on disk, so that an interrupted run goes on. key: what must be equal to
    go on.
    """

    def __init__(self, key: dict):
        name = state_file.digest(key)
        self.journal, self.weights = state_file.Journal(CACHE / "pets" / f"{name}.json"), CACHE / "pets" / f"{name}.pth"
        self.history: list[dict] = []

    def resume(self, learner) -> None:
        """Take up what an earlier run left, if it is whole."""
        try:
            found = self.journal.read("history", "sha256")
            if not found or hashlib.sha256(self.weights.read_bytes()).hexdigest() != found["sha256"]:
                return
            learner.load(self.weights.stem, with_opt=True)
            self.history = found["history"]
        except (OSError, ValueError, KeyError, RuntimeError, AttributeError):
            return

    def save(self, learner) -> None:
        """Weights and optimiser, then the history, which says whose it is: one without the other is not used."""
        import torch

        buffer = io.BytesIO()
        torch.save({"model": learner.model.state_dict(), "opt": learner.opt.state_dict()}, buffer)
        make_folder(self.weights.parent)
        told = {"history": self.history, "sha256": hashlib.sha256(buffer.getvalue()).hexdigest()}
        write_together({self.weights: buffer.getvalue(), self.journal.path: json.dumps(told)})

    def forget(self) -> None:
        self.journal.forget()
        self.weights.unlink(missing_ok=True)


def watcher(journal: Epochs, run: tracking.Run, progress: Progress, seed: int, phases: dict):
    """A fastai callback that seeds each epoch, writes down every step and epoch, and keeps the last epoch on disk."""
    from fastai.vision.all import Callback, set_seed

    class Watcher(Callback):
        order = 80  # after fastai's SkipToEpoch (70), so that skipped epochs are not seen

        def before_epoch(self):
            set_seed(seed * 1000 + len(journal.history))
            self.dls.train.rng = random.Random(seed * 1000 + len(journal.history))  # what shuffles the photos
            self.started, self.losses = time.perf_counter(), []

        def after_batch(self):
            if self.training:
                self.losses.append(self.loss.item())
                run.metrics({"loss": self.losses[-1], "lr": self.opt.hypers[-1]["lr"]}, step=phases["steps"])
                phases["steps"] += 1
                if not math.isfinite(self.losses[-1]):
                    raise UserError(
                        f"the loss is {self.losses[-1]} in epoch {len(journal.history) + 1}; try another --arch or "
                        "--seed"
                    )

        def after_epoch(self):
            if len(self.recorder.log) < 4:  # a skipped epoch
                return
            valid_loss, error = (float(value) for value in self.recorder.log[2:4])
            train_loss = float(np.mean(self.losses))  # the recorder's is smoothed over the epochs before
            row = {
                "epoch": len(journal.history) + 1,
                "phase": "all",
                "train_loss": train_loss,
                "valid_loss": valid_loss,
                "error_rate": error,
                "lr": self.recorder.lrs[-1],
                "seconds": time.perf_counter() - self.started,
            }
            journal.history.append(row)
            journal.save(self.learn)
            run.metrics({name: row[name] for name in TOLD}, epoch=row["epoch"])
            progress.advance(f"loss {train_loss:.3f}, validation error rate {error:.3f}")

    return Watcher()


def affordable(learner, settings: Settings, ladder: tuple[int, ...] = LADDER) -> int:
    """Epochs that fit into `settings.seconds`, by the time of three steps. A ladder, so that a run which goes on
    finds the same number; its last step where none fits.
    """
    learner.model.train()
    steps = []
    for _ in range(3):
        started = time.perf_counter()
        photos, labels = learner.dls.one_batch()
        learner.loss_func(learner.model(photos), labels).backward()
        steps.append(time.perf_counter() - started)
    learner.model.zero_grad()
    epoch = 1.3 * min(steps) * len(learner.dls.train)  # the optimiser and the validation photos take the rest
    return next(
        (epochs for epochs in ladder if epochs <= settings.epochs and epochs * epoch <= settings.seconds), ladder[-1]
    )


@contextlib.contextmanager
def fast_arithmetic(model, device: str):
    """Channels last and, where the hardware multiplies it, bfloat16 inside the network; its output stays float32.
    fastai's own needs a GPU.
    """
    import torch

    from scripts.train import fit

    model.to(memory_format=torch.channels_last)
    forward = model.forward
    if fit.precision_for(device, model) == "bf16":
        cast = torch.autocast(torch.device(device).type, torch.bfloat16)(forward)
        model.forward = lambda pixels: cast(pixels).float()
    try:
        yield
    finally:
        model.__dict__.pop("forward", None)
        model.to(memory_format=torch.contiguous_format)


def train(learner, settings: Settings, journal: Epochs, run: tracking.Run, pretrained: bool) -> None:
    """Train to the end from where the journal stands: fine-tuned from a probe, or from scratch, one cycle each. Raises
    UserError where the loss is no number.
    """
    epochs, phases, done = (
        settings.epochs,
        {"steps": len(journal.history) * len(learner.dls.train)},
        len(journal.history),
    )
    learner.logger = lambda log: None
    pixels = settings.train_size or settings.size
    with learner.no_bar(), Progress(epochs, f"{settings.arch} on {pixels} pixels", done=done) as progress:
        watch = watcher(journal, run, progress, settings.seed, phases)
        learner.add_cb(watch)
        try:
            if pretrained and done < epochs:  # what Learner.fine_tune does once its classifier is trained
                learner.fit_one_cycle(epochs, slice(BODY_LR, HEAD_LR), pct_start=0.3, div=5.0, start_epoch=done)
            elif done < epochs:
                learner.fit_one_cycle(epochs, SCRATCH_LR, start_epoch=done)
        except (RuntimeError, MemoryError) as error:
            if "out of memory" in str(error) or "can't allocate memory" in str(error) or isinstance(error, MemoryError):
                raise UserError(
                    f"out of memory with {settings.batch} photos at once; choose a smaller --batch or --size"
                ) from None
            raise
        finally:
            learner.remove_cb(watch)


def predictions(dataset: datasets.Dataset, rows: np.ndarray, probabilities: np.ndarray, split: str) -> pd.DataFrame:
    """A row per photo: its number among the dataset's, from 1, split, label, predicted, probability of the prediction,
    loss, and a column p_<class> for each class.
    """
    labels = dataset.labels[rows]
    frame = pd.DataFrame(
        {
            "photo": rows + 1,
            "split": split,
            "label": [dataset.classes[label] for label in labels],
            "predicted": [dataset.classes[label] for label in probabilities.argmax(1)],
            "probability": probabilities.max(1),
            "loss": -np.log(np.clip(probabilities[np.arange(len(rows)), labels], 1e-7, 1.0)),
        }
    )
    return frame.join(pd.DataFrame(probabilities, columns=[f"p_{name}" for name in dataset.classes]).round(6)).round(
        {"probability": 6, "loss": 6}
    )


def answers(learner, dataset: datasets.Dataset, rows: np.ndarray) -> np.ndarray:
    """float32 (n, classes), the Learner's probabilities for the photos `rows`."""
    items = [(dataset.pixels[row].transpose(1, 2, 0), dataset.classes[dataset.labels[row]]) for row in rows]
    with learner.no_bar():
        return learner.get_preds(dl=learner.dls.test_dl(items, with_labels=True))[0].float().numpy()


def pickled(learner, dataset: datasets.Dataset, settings: Settings, stats: tuple, example: Path | None) -> bytes:
    """The Learner as fastai exports it, with transforms that take a file: `load_learner(…).predict("photo.jpg")`."""
    if example is not None:
        two = np.array([0, 1])
        learner.dls = loaders(dataset, (two, two), settings, stats, [(example, dataset.classes[0])] * 2)
    learner.dls = learner.dls.new_empty()
    learner.opt = None
    from fastai.torch_core import trainable_params

    learner.splitter = trainable_params  # fastai's own, so that the file needs nothing of this project
    return dumped(learner)


def dumped(learner) -> bytes:
    """As a pickle that opens where this project isn't."""
    import cloudpickle
    import torch

    buffer = io.BytesIO()
    cloudpickle.register_pickle_by_value(stages)
    try:
        torch.save(learner, buffer, pickle_module=cloudpickle, pickle_protocol=2)
    finally:
        cloudpickle.unregister_pickle_by_value(stages)
    return buffer.getvalue()
