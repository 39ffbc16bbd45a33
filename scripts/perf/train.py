"""Our training against a plain PyTorch loop, and real photos against synthetic ones: both sides in one run, taking
turns.

    # this machine's processor: 128 pixels, a small network
    python -m scripts.perf.train --data FOLDER
    python -m scripts.perf.train --data FOLDER --device cuda --model resnet18   # a GPU: 224 and 128 pixels

Time to the same validation accuracy: the plain loop decodes every photo with Pillow every epoch in DataLoader workers,
augments it there (the same crops, flips and colours), and trains in fp32 with Adam at a constant rate. Both start from
the same weights, split and seed; an epoch of one follows an epoch of the other, so that a busy neighbour slows both;
each stops at the target. Timed: training and, on our side, decoding all photos once beforehand and capturing CUDA
graphs; not validation.

Real over synthetic: images per second of our step on the dataset, over the same step on one batch that lies ready.
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from scripts.common import hardware
from scripts.common.errors import UserError, cli
from scripts.perf import verdict as how

TARGETS = {"cpu": {128: 2.0}, "cuda": {224: 3.0, 128: 8.0}}  # of the ratio of times, by pixels
SYNTHETIC = {"cpu": 0.9, "cuda": 0.97}


def jpegs(folder: Path, count: int = 600) -> Path:
    """scikit-learn's digits as photo-sized JPEGs, a folder per class, for machines without a dataset."""
    from PIL import Image
    from sklearn.datasets import load_digits

    bunch = load_digits()
    for i, (image, label) in enumerate(zip(bunch.images[:count], bunch.target)):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray((image * 15.9375).astype("uint8")).resize((240, 200), Image.Resampling.BILINEAR)
        picture.save(folder / str(label) / f"{i}.jpg")
    return folder


class Plain:
    """The loop that tutorials show: PIL, DataLoader, fp32, Adam."""

    def __init__(self, model, dataset, root: Path, seed: int, device: str, recipe, flip: bool, valid: float):
        import torch
        from PIL import Image
        from torchvision import transforms

        from scripts.train.recipe import MEAN, STD

        self.model, self.device = model.to(device), device
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        finish = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
        crop = transforms.RandomResizedCrop(dataset.size, (recipe.scale, 1.0), (1 / recipe.ratio, recipe.ratio))
        flips = [transforms.RandomHorizontalFlip()] if flip else []
        learn = transforms.Compose([crop, *flips, transforms.ColorJitter(*[recipe.colour] * 3), *finish])
        square = [transforms.Resize(round(dataset.size * 8 / 7)), transforms.CenterCrop(dataset.size)]
        look = transforms.Compose([*square, *finish])

        class Files(torch.utils.data.Dataset):
            def __init__(self, rows, transform):
                self.rows, self.transform = rows, transform

            def __len__(self):
                return len(self.rows)

            def __getitem__(self, i):
                row = self.rows[i]
                with Image.open(root / dataset.files[row]) as image:
                    return self.transform(image.convert("RGB")), int(dataset.labels[row])

        train, held_out, _ = dataset.split(seed, valid)
        loader = dict(
            num_workers=hardware.cores(),
            persistent_workers=True,
            pin_memory=device != "cpu",
            multiprocessing_context="fork" if os.name == "posix" else None,
        )
        torch.manual_seed(seed)
        Loader = torch.utils.data.DataLoader
        self.train = Loader(Files(train, learn), recipe.batch, shuffle=True, drop_last=True, **loader)
        self.valid = Loader(Files(held_out, look), recipe.batch, **loader)

    def epoch(self) -> float:
        """Seconds of one training epoch."""
        import torch

        self.model.train()
        started = time.perf_counter()
        for pictures, labels in self.train:
            pictures, labels = pictures.to(self.device, non_blocking=True), labels.to(self.device, non_blocking=True)
            self.optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(self.model(pictures), labels)
            loss.backward()
            self.optimizer.step()
        loss.item()
        return time.perf_counter() - started

    def accuracy(self) -> float:
        import torch

        self.model.eval()
        right = total = 0
        with torch.inference_mode():
            for pictures, labels in self.valid:
                right += (self.model(pictures.to(self.device)).argmax(1).cpu() == labels).sum().item()
                total += len(labels)
        return right / total


class Side(NamedTuple):
    """Training seconds of one side until the validation accuracy first reached the target; or all it had, where it
    never did.
    """

    seconds: float
    reached: bool


def to_accuracy(options, dataset, root: Path, seed: int, decoding: float) -> tuple[Side, Side]:
    """(plain, ours), an epoch each in turn. The plain loop may take three times as many epochs, and stops early
    only at the target.
    """
    import torch

    from scripts.train import fit, models
    from scripts.train.recipe import Recipe

    recipe = Recipe(epochs=options.epochs, batch=options.batch)
    torch.manual_seed(seed)
    model = models.build(models.find(options.model), len(dataset.classes), dataset.size).model
    precision = fit.precision_for(options.device, model)
    ours = fit.Trainer(
        copy.deepcopy(model), dataset, recipe, seed, options.device, precision, options.compile, valid=options.valid
    )
    started = time.perf_counter()
    ours.capture()
    before = decoding + time.perf_counter() - started
    plain = Plain(model, dataset, root, seed, options.device, recipe, dataset.flip, options.valid)

    def our_epoch(number: int) -> tuple[float, float]:
        started = time.perf_counter()
        ours.epoch(number)
        return time.perf_counter() - started, ours.validate()[0]

    sides = {
        "plain": (lambda number: (plain.epoch(), plain.accuracy()), 3 * options.epochs),
        "ours": (our_epoch, options.epochs),
    }
    spent = {"plain": Side(0.0, False), "ours": Side(before, False)}
    for number in range(3 * options.epochs):
        for name, (epoch, most) in sides.items():
            if not spent[name].reached and number < most:
                seconds, accuracy = epoch(number)
                spent[name] = Side(spent[name].seconds + seconds, accuracy >= options.target)
                what = f"  {dataset.size} px, seed {seed}, epoch {number + 1}, {name}"
                print(f"{what}: {spent[name].seconds:.1f} s, {accuracy:.3f}", file=sys.stderr, flush=True)
    return spent["plain"], spent["ours"]


def real_over_synthetic(options, dataset, rounds: int = 12) -> float:
    """Images per second of a training step on the dataset, over the same step on a batch that lies ready: medians
    of steps taking turns.
    """
    import torch

    from scripts.train import fit, models, recipe as recipes

    model = models.build(models.find(options.model), len(dataset.classes), dataset.size).model
    recipe, precision = recipes.Recipe(epochs=10_000, batch=options.batch), fit.precision_for(options.device, model)
    trainer = fit.Trainer(model, dataset, recipe, 0, options.device, precision)
    trainer.capture()
    generator = torch.Generator(trainer.device).manual_seed(0)

    def some() -> torch.Tensor:
        return trainer.train_rows[torch.randperm(len(trainer.train_rows), device=trainer.device)[: trainer.batch]]

    rows = some()
    ready = recipes.augment(trainer.pixels.batch(rows), dataset.size, trainer.recipe, dataset.flip, generator)
    augment, batch = recipes.augment, trainer.pixels.batch
    steps = 1 if options.device == "cpu" else 20  # a GPU's queue is filled before the clock is read

    def seconds(real: bool) -> float:
        recipes.augment = augment if real else (lambda *_: ready)
        trainer.pixels.batch = batch if real else (lambda rows: None)
        started = time.perf_counter()
        for _ in range(steps):
            loss = trainer.step(some() if real else rows, False, generator)
        loss.item()
        return time.perf_counter() - started

    try:
        seconds(True), seconds(False)
        pairs = [(seconds(True), seconds(False)) for _ in range(rounds)]
    finally:
        recipes.augment = augment
    return statistics.median(synthetic for _, synthetic in pairs) / statistics.median(real for real, _ in pairs)


def verdict(options, dataset, pairs: list[tuple[Side, Side]], wanted: float | None) -> str:
    """One line: both times, their ratio (the median over seeds), and whether it reaches the target."""
    what = f"{options.model}, {dataset.name}, {dataset.size} px, {len(pairs)} seed{'s' * (len(pairs) > 1)}"
    if not all(ours.reached for _, ours in pairs):
        return f"{what}: ours did not reach {options.target:.0%} validation accuracy within {options.epochs} epochs"
    least = "" if all(plain.reached for plain, _ in pairs) else "at least "
    ratio = statistics.median(plain.seconds / ours.seconds for plain, ours in pairs)
    theirs, mine = (statistics.median(side.seconds for side in sides) for sides in zip(*pairs))
    met = f", target {wanted:g}: {how(ratio >= wanted)}" if wanted else ""
    return (
        f"{what}: {options.target:.0%} validation accuracy after {mine:.1f} s, by the plain loop "
        f"{least}{theirs:.1f} s; ratio {least}{ratio:.2f}{met}"
    )


@cli
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    where = "folder of photos, or DATA of the environment; empty: digits as JPEGs"
    parser.add_argument("--data", default=os.environ.get("DATA", ""), help=where)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--model", default="regnetx_002")
    parser.add_argument("--size", type=int, nargs="*", default=[], help="pixels; empty: those with a target")
    parser.add_argument("--target", type=float, default=0.65, help="validation accuracy to reach")
    parser.add_argument("--valid", type=float, default=0.25, help="share kept for validation")
    times = "of our schedule, 0: 8 on a processor, 15 on a GPU; the plain loop gets three times as many"
    parser.add_argument("--epochs", type=int, default=0, help=times)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="torch.compile on our side")
    parser.add_argument("--threads", type=int, default=0, help="processor threads; 0: torch's choice")
    options = parser.parse_args(argv)
    import torch

    from scripts.train import datasets

    if options.device != "cpu" and not torch.cuda.is_available():
        raise UserError(f"--device {options.device}: torch sees no GPU here; use --device cpu")
    if options.threads:
        torch.set_num_threads(options.threads)
    kind = "cpu" if options.device == "cpu" else "cuda"
    options.epochs = options.epochs or (8 if kind == "cpu" else 15)
    with tempfile.TemporaryDirectory() as temporary:
        root = datasets.unwrap(Path(options.data) if options.data else jpegs(Path(temporary) / "digits-jpeg"))
        for size in options.size or TARGETS[kind]:
            started = time.perf_counter()
            dataset = datasets.load(str(root), size, cache=Path(temporary) / f"cache-{size}")
            decoding = time.perf_counter() - started
            dataset.flip = bool(options.data)
            pairs = [to_accuracy(options, dataset, root, seed, decoding) for seed in range(options.seeds)]
            print(verdict(options, dataset, pairs, TARGETS[kind].get(size)))
            ratio = real_over_synthetic(options, dataset)
            print(
                f"{options.model}, {size} px: real over synthetic images/s {ratio:.3f}, target {SYNTHETIC[kind]:g}: "
                f"{how(ratio >= SYNTHETIC[kind])}"
            )


if __name__ == "__main__":
    sys.exit(main())
