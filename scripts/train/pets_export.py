"""Cats and dogs the fastai way: a folder of photos in, a model that can be handed on out.

    python -m scripts.train.pets_export --data pets                                  # Oxford-IIIT Pets, downloaded
    python -m scripts.train.pets_export --data FOLDER --arch convnext_tiny --epochs 5
    python -m scripts.train.pets_export --data ../shared/cats-and-dogs --profile quick   # under four minutes on two cores

Writes models/pets/ (see scripts.train.exported) and, for the report, report/data/pets-<dataset>-<architecture>-<hardware>.csv with the
history by epoch and …-predictions.csv with every validation and test photo, each with a sidecar. A run that was interrupted goes on after
its last whole epoch.

Oxford's labels come from the file names: an upper-case first letter is a cat. A fifth of the training photos, drawn by the seed, is set
aside for validation; the dataset's own test photos (or a fifth that depends on no seed) are looked at once, at the end. Where pretrained
weights can be had the network is fine-tuned (fastai's `fine_tune`: one epoch for the head, then everything); where not, it learns from
scratch and says so.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import io
import json
import math
import random
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.common import hardware, provenance
from scripts.common.errors import UserError, cli
from scripts.common.paths import CACHE, DATA, ROOT, atomic_csv, atomic_write, make_folder, relative
from scripts.common.progress import Progress, duration
from scripts.train import datasets, tracking

ARCH, EPOCHS, SIZE, BATCH = "resnet18", 3, 224, 64
SCRATCH_EPOCHS = 20                                                   # without pretrained weights three are not enough
QUICK = {"epochs": 12, "size": 96, "batch": 32}                       # scratch, 1,600 photos: two to three minutes on two cores
QUICK_SECONDS, QUICK_LADDER = 150, (12, 8, 5, 3, 2)                   # a slower machine trains fewer epochs in about that time
FINE_TUNE_LR, SCRATCH_LR = 2e-3, 3e-3                                 # fastai's default for fine_tune; for fit_one_cycle from scratch
VALID_FRACTION = 0.2
CHECKED_PHOTOS = 8                                                    # real photos that the exported files are checked on


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a run is asked for. out: folder of the model; pretrained: auto, yes or no."""

    data: str
    arch: str = ARCH
    epochs: int = 0      # 0: EPOCHS fine-tuned, SCRATCH_EPOCHS from scratch
    size: int = SIZE
    batch: int = BATCH
    seed: int = 0
    out: Path = ROOT / "models" / "pets"
    pretrained: str = "auto"
    tracker: str = "local"
    device: str = "cpu"
    seconds: float = 0   # about so much time for training: fewer epochs of QUICK_LADDER where they would take longer; 0: no matter


def load_data(data: str, size: int) -> datasets.Dataset:
    """The checked dataset; Oxford-IIIT Pets (downloaded or a folder of it) with the two labels of the course instead of 37 breeds."""
    dataset = datasets.load(data, size)
    if data == "pets" or all(name.startswith("images/") for name in dataset.files):
        cat = np.array([Path(name).name[:1].isupper() for name in dataset.files])
        if cat.all() or not cat.any():
            raise UserError(f"{dataset.name}: only {'cats' if cat.all() else 'dogs'} by their file names; both are needed")
        dataset = dataclasses.replace(dataset, classes=["cat", "dog"], labels=np.where(cat, 0, 1).astype(np.int64))
    return dataset


def loaders(dataset: datasets.Dataset, rows: tuple[np.ndarray, np.ndarray], settings: Settings, stats: tuple, items=None):
    """fastai's DataLoaders over decoded squares, or over `items` [(path, class), …] to give an exported Learner transforms for files."""
    from fastai.vision.all import (CategoryBlock, CropPad, DataBlock, ImageBlock, IndexSplitter, ItemGetter, Normalize, RandomResizedCrop,
                                   Resize, aug_transforms)
    train, valid = rows
    if items is None:
        order = np.concatenate([train, valid])
        items = [(dataset.pixels[row].transpose(1, 2, 0), dataset.classes[dataset.labels[row]]) for row in order]
        split = IndexSplitter(list(range(len(train), len(order))))
    else:
        split = IndexSplitter([0])
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock(vocab=dataset.classes)), splitter=split, get_x=ItemGetter(0), get_y=ItemGetter(1),
        item_tfms=[Resize(math.ceil(settings.size * 8 / 7)), RandomResizedCrop(settings.size, min_scale=0.35, split_idx=0, order=2),
                   CropPad(settings.size, split_idx=1, order=2)],
        batch_tfms=[*aug_transforms(do_flip=dataset.flip, max_rotate=10.0, max_zoom=1.0, max_warp=0.0), Normalize.from_stats(*stats)])
    return block.dataloaders(items, bs=min(settings.batch, max(2, len(train))), num_workers=0, device=settings.device)


def make_learner(dataset: datasets.Dataset, dls, settings: Settings):
    """(learner, weights, reason): fastai's vision_learner, pretrained where it can be; `weights` and `reason` as in scripts.train.models."""
    from fastai.vision.all import error_rate, vision_learner
    from scripts.train import exported, models
    entry = models.find(settings.arch)
    options = dict(metrics=error_rate, normalize=False, path=CACHE, model_dir="pets", **entry.options(settings.size))
    reason = "" if settings.pretrained == "no" else models.weights_out_of_reach(entry)
    learner = None
    if settings.pretrained != "no" and not reason:
        try:
            learner = vision_learner(dls, entry.arch, **options)
        except Exception as error:  # the hub's client has a dozen kinds of its own
            reason = f"weights could not be loaded ({type(error).__name__})"
    if reason and settings.pretrained == "yes":
        raise UserError(f"{settings.arch}: {reason}; use --pretrained auto to train it from scratch instead")
    if learner is None:
        try:
            learner = vision_learner(dls, entry.arch, pretrained=False, **options)
        except (RuntimeError, ValueError, AssertionError, TypeError) as error:
            raise UserError(f"{settings.arch}: does not take {settings.size} pixels ({str(error).splitlines()[0][:80]}); choose another --size") from None
        learner.unfreeze()
    exported.probe(learner.model, settings.arch, settings.size)
    import timm
    weights = "scratch" if not learner.pretrained else timm.models.get_pretrained_cfg(entry.arch).tag or "pretrained"
    return learner, weights, reason


class Journal:
    """History of one run and its last epoch on disk, so that an interrupted run goes on. key: what must be equal to go on."""

    def __init__(self, key: dict):
        name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
        self.file, self.weights = CACHE / "pets" / f"{name}.json", CACHE / "pets" / f"{name}.pth"
        self.history: list[dict] = []

    def resume(self, learner) -> None:
        """Take up what an earlier run left, if it is whole."""
        try:
            history = json.loads(self.file.read_text())
            if hashlib.sha256(self.weights.read_bytes()).hexdigest() != history.pop()["sha256"]:
                return
            learner.load(self.weights.stem, with_opt=True)
            self.history = history
        except (OSError, ValueError, KeyError, IndexError, RuntimeError, AttributeError):
            return

    def save(self, learner) -> None:
        """Weights and optimiser first, history last: one without the other is not used."""
        import torch
        buffer = io.BytesIO()
        torch.save({"model": learner.model.state_dict(), "opt": learner.opt.state_dict()}, buffer)
        make_folder(self.weights.parent)
        atomic_write(self.weights, buffer.getvalue())
        atomic_write(self.file, json.dumps([*self.history, {"sha256": hashlib.sha256(buffer.getvalue()).hexdigest()}]))

    def forget(self) -> None:
        for path in (self.file, self.weights):
            path.unlink(missing_ok=True)


def watcher(journal: Journal, run: tracking.Run, progress: Progress, seed: int, phases: dict):
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
                    raise UserError(f"the loss is {self.losses[-1]} in epoch {len(journal.history) + 1}; try another --arch or --seed")

        def after_epoch(self):
            if len(self.recorder.log) < 4:  # a skipped epoch
                return
            valid_loss, error = (float(value) for value in self.recorder.log[2:4])
            train_loss = float(np.mean(self.losses))  # the recorder's is smoothed over the epochs before
            row = {"epoch": len(journal.history) + 1, "phase": "head" if phases["frozen"] else "all", "train_loss": train_loss,
                   "valid_loss": valid_loss, "error_rate": error, "lr": self.recorder.lrs[-1],
                   "seconds": time.perf_counter() - self.started}
            journal.history.append(row)
            journal.save(self.learn)
            run.metrics({name: row[name] for name in ("train_loss", "valid_loss", "error_rate", "seconds")}, epoch=row["epoch"])
            progress.advance(f"loss {train_loss:.3f}, validation error rate {error:.3f}")

    return Watcher()


def affordable(learner, settings: Settings) -> int:
    """Epochs that fit into `settings.seconds`, by the time of three steps. A ladder, so that a run which goes on finds the same number."""
    photos, labels = learner.dls.one_batch()
    learner.model.train()
    steps = []
    for _ in range(3):
        started = time.perf_counter()
        learner.loss_func(learner.model(photos), labels).backward()
        steps.append(time.perf_counter() - started)
    learner.model.zero_grad()
    epoch = 1.4 * min(steps) * len(learner.dls.train)  # decoding, optimiser and validation take the rest
    return next((epochs for epochs in QUICK_LADDER if epochs <= settings.epochs and epochs * epoch <= settings.seconds), QUICK_LADDER[-1])


@contextlib.contextmanager
def fast_arithmetic(model, device: str):
    """Channels last and, where the hardware multiplies it, bfloat16 inside the network; its output stays float32. fastai's own needs a GPU."""
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


def train(learner, settings: Settings, journal: Journal, run: tracking.Run, pretrained: bool) -> None:
    """Train to the end from where the journal stands: fine_tune, or one cycle from scratch. Raises UserError where the loss is no number."""
    epochs = settings.epochs + pretrained  # fine_tune's first epoch trains the head alone
    phases = {"frozen": False, "steps": 0}
    learner.logger = lambda log: None
    with learner.no_bar(), Progress(epochs, f"{settings.arch} on {settings.size} pixels", done=len(journal.history)) as progress:
        watch = watcher(journal, run, progress, settings.seed, phases)
        learner.add_cb(watch)
        phases["steps"] = len(journal.history) * len(learner.dls.train)
        done = len(journal.history)
        try:
            if pretrained and not done:
                phases["frozen"] = True
                learner.freeze()
                learner.fit_one_cycle(1, slice(FINE_TUNE_LR), pct_start=0.99)
                phases["frozen"], done = False, 1
            if pretrained:  # what Learner.fine_tune does, apart so that it can go on in the middle
                learner.unfreeze()
                learner.fit_one_cycle(settings.epochs, slice(FINE_TUNE_LR / 200, FINE_TUNE_LR / 2), pct_start=0.3, div=5.0, start_epoch=done - 1)
            elif done < epochs:
                learner.fit_one_cycle(epochs, SCRATCH_LR, start_epoch=done)
        except (RuntimeError, MemoryError) as error:
            if "out of memory" in str(error) or "can't allocate memory" in str(error) or isinstance(error, MemoryError):
                raise UserError(f"out of memory with {settings.batch} photos at once; choose a smaller --batch or --size") from None
            raise
        finally:
            learner.remove_cb(watch)


def predictions(learner, dataset: datasets.Dataset, rows: np.ndarray, split: str) -> pd.DataFrame:
    """A row per photo: file, split, label, predicted, probability of the prediction, loss, and a column p_<class> for each class."""
    items = [(dataset.pixels[row].transpose(1, 2, 0), dataset.classes[dataset.labels[row]]) for row in rows]
    with learner.no_bar():
        probabilities = learner.get_preds(dl=learner.dls.test_dl(items, with_labels=True))[0].float().numpy()
    labels = dataset.labels[rows]
    frame = pd.DataFrame({"file": [dataset.files[row] for row in rows], "split": split, "label": [dataset.classes[label] for label in labels],
                          "predicted": [dataset.classes[label] for label in probabilities.argmax(1)], "probability": probabilities.max(1),
                          "loss": -np.log(np.clip(probabilities[np.arange(len(rows)), labels], 1e-7, 1.0))})
    return frame.join(pd.DataFrame(probabilities, columns=[f"p_{name}" for name in dataset.classes]).round(6)).round({"probability": 6, "loss": 6})


def confusion(frame: pd.DataFrame, classes: list[str]) -> list[list[int]]:
    """Counts by label (rows) and prediction (columns)."""
    table = pd.crosstab(frame.label, frame.predicted).reindex(index=classes, columns=classes, fill_value=0)
    return table.to_numpy().tolist()


def pickled(learner, dataset: datasets.Dataset, settings: Settings, stats: tuple, example: Path | None) -> bytes:
    """The Learner as fastai exports it, with transforms that take a file: `load_learner(…).predict("photo.jpg")`."""
    if example is not None:
        two = np.array([0, 1])
        learner.dls = loaders(dataset, (two, two), settings, stats, [(example, dataset.classes[0])] * 2)
    buffer = io.BytesIO()
    learner.dls = learner.dls.new_empty()
    learner.opt = None
    import cloudpickle
    import torch
    torch.save(learner, buffer, pickle_module=cloudpickle, pickle_protocol=2)
    return buffer.getvalue()


def run_all(settings: Settings) -> dict:
    """Check, train, export, write the CSVs. Returns error rates, seconds and what was said. Raises UserError."""
    import timm
    import torch
    from scripts.train import exported, models
    started = time.perf_counter()
    entry = models.find(settings.arch)
    if entry.build:
        raise UserError(f"{settings.arch}: not an architecture of timm's, so fastai can't train it; choose another --arch")
    cfg = timm.models.get_pretrained_cfg(entry.arch)
    stats = tuple(cfg.mean), tuple(cfg.std)
    dataset = load_data(settings.data, settings.size)
    say = lambda text: print(text, file=sys.stderr, flush=True)
    for line in dataset.lines():
        say(line)
    train_rows, valid_rows, test_rows = dataset.split(settings.seed, VALID_FRACTION)
    with warnings_off():
        dls = loaders(dataset, (train_rows, valid_rows), settings, stats)
        torch.manual_seed(settings.seed)
        learner, weights, reason = make_learner(dataset, dls, settings)
    pretrained = weights != "scratch"
    settings = dataclasses.replace(settings, epochs=settings.epochs or (EPOCHS if pretrained else SCRATCH_EPOCHS))
    if settings.seconds:
        with warnings_off(), fast_arithmetic(learner.model, settings.device):
            settings = dataclasses.replace(settings, epochs=affordable(learner, settings))
    say(f"{settings.arch}: {'fine-tuning the weights ' + weights if pretrained else 'trained from scratch' + (f', since {reason}' if reason else '')}")
    facts = {"dataset": dataset.name, "arch": settings.arch, "epochs": settings.epochs, "size": settings.size, "batch": settings.batch,
             "seed": settings.seed, "weights": weights, "device": settings.device, "train_images": len(train_rows),
             "valid_images": len(valid_rows), "test_images": len(test_rows)}
    journal = Journal({**facts, "checksum": dataset.checksum})
    with tracking.start(f"pets-{settings.arch}", facts, settings.tracker) as run:
        run.summary(summary(learner.model, settings.size))
        learner.create_opt()
        journal.resume(learner)
        with warnings_off():
            with fast_arithmetic(learner.model, settings.device):
                train(learner, settings, journal, run, pretrained)
            found = pd.concat([predictions(learner, dataset, valid_rows, "valid"), predictions(learner, dataset, test_rows, "test")], ignore_index=True)
        error = {split: float((part.label != part.predicted).mean()) for split, part in found.groupby("split")}
        run.confusion(confusion(found[found.split == "test"], dataset.classes), dataset.classes)
        run.metrics({"valid_error_rate": error["valid"], "test_error_rate": error["test"]}, epoch=len(journal.history))
        config = exported.Config(entry.arch, tuple(dataset.classes), settings.size, *stats, builder="fastai", weights=weights,
                                 trained={**facts, "error_rate": error, "date": provenance.now()})
        root = None if settings.data == datasets.EMBEDDED else photo_root(settings.data)
        checked = [root / dataset.files[row] for row in np.random.default_rng(settings.seed).permutation(test_rows)[:CHECKED_PHOTOS]] if root else []
        said = export(learner, dataset, settings, config, checked)
        run.file(settings.out / exported.WEIGHTS)
    write_tables(dataset, settings, facts, journal.history, found, error)
    journal.forget()
    for line in said:
        say(line)
    return {"error_rate": error, "seconds": time.perf_counter() - started}


@contextlib.contextmanager
def warnings_off():
    """fastai and torch warn about each other's deprecations, which is nothing to the user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def photo_root(data: str) -> Path:
    """The folder that the dataset's file names are relative to."""
    return datasets.pets_folder(CACHE) if data == "pets" else datasets.unwrap(Path(data).expanduser())


def summary(model, size: int) -> str:
    """torchinfo's table, two levels deep."""
    import torchinfo
    return str(torchinfo.summary(model, (1, 3, size, size), depth=2, verbose=0, device="cpu"))


def export(learner, dataset: datasets.Dataset, settings: Settings, config, checked: list[Path]) -> list[str]:
    """Write the model's folder, read it back the safe way, and hold it against fastai on real photos. Returns what to tell the user."""
    import torch
    from scripts.train import exported, photos
    learner.model.cpu().eval()
    sample = [exported.preprocess(photos.read(path, config.side).pixels, config) for path in checked]
    pixels = torch.cat(sample) if sample else None
    with warnings_off():
        pickle = pickled(learner, dataset, settings, (config.mean, config.std), checked[0] if checked else None)
        said = exported.save(settings.out, learner.model, config, pickle, checked[:4], pixels)
        back = exported.load(settings.out)
    if pixels is not None:
        with torch.inference_mode():
            difference = float((torch.from_numpy(back.probabilities(pixels)) - learner.model(pixels).softmax(1)).abs().max())
        if not difference < 1e-5:
            raise UserError(f"{settings.out}: the exported model's answers differ from the trained one's by {difference:.1e}; please report this")
    return said


def write_tables(dataset, settings: Settings, facts: dict, history: list[dict], found: pd.DataFrame, error: dict) -> None:
    stem = f"pets-{dataset.name}-{hardware.slugify(settings.arch)}-{hardware.slug(settings.device)}"
    sidecar = provenance.sidecar(settings.device, ("torch", "timm", "fastai"), **{**dataset.facts(), **{name: value for name, value in facts.items() if name != "device"}},
                                 error_rate=error, classes=dataset.classes)
    for name, frame in ((f"{stem}.csv", pd.DataFrame(history).round(6)), (f"{stem}-predictions.csv", found)):
        provenance.write_sidecar(atomic_csv(frame, DATA / name), sidecar)


@cli
def main() -> None:
    parser = argparse.ArgumentParser(description="Train a classifier on photos with fastai and export it.")
    parser.add_argument("--data", default="pets", help="pets (Oxford-IIIT, downloaded), digits, or a folder of photos (default pets)")
    parser.add_argument("--arch", default=ARCH, help=f"any architecture of timm's (default {ARCH})")
    parser.add_argument("--epochs", type=int, help=f"default {EPOCHS} fine-tuned, {SCRATCH_EPOCHS} from scratch")
    parser.add_argument("--size", type=int, help=f"pixels a side (default {SIZE})")
    parser.add_argument("--batch", type=int, help=f"photos a step (default {BATCH})")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "models" / "pets", help="the model's folder (default models/pets)")
    parser.add_argument("--pretrained", choices=("auto", "yes", "no"), default="auto")
    parser.add_argument("--tracker", choices=tracking.TRACKERS, default="local")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda")
    parser.add_argument("--profile", choices=("auto", "quick", "full"), default="full",
                        help="quick: small photos and few epochs, under four minutes on two cores; auto: full where there is a GPU")
    given = parser.parse_args()
    device = ("cuda" if hardware.has_gpu() else "cpu") if given.device == "auto" else given.device
    quick = given.profile == "quick" or (given.profile == "auto" and device == "cpu")
    defaults = QUICK if quick else {"epochs": 0, "size": SIZE, "batch": BATCH}
    chosen = {name: getattr(given, name) if getattr(given, name) is not None else value for name, value in defaults.items()}
    for name, low, high in (("epochs", 0, 10_000), ("size", 8, 2048), ("batch", 2, 65_536)):
        if not low <= chosen[name] <= high:
            raise UserError(f"--{name} {chosen[name]}: choose a number from {max(low, 1)} to {high}")
    outcome = run_all(Settings(given.data, given.arch, **chosen, seed=given.seed, out=given.out, pretrained=given.pretrained,
                               tracker=given.tracker, device=device,
                               seconds=QUICK_SECONDS if quick and given.epochs is None else 0))
    print(f"{relative(given.out)}: {given.arch}, error rate {outcome['error_rate']['valid']:.3f} on the validation photos, "
          f"{outcome['error_rate']['test']:.3f} on the test photos, {duration(outcome['seconds'])}; try it with: make demo MODEL={relative(given.out)}")


if __name__ == "__main__":
    sys.exit(main())
