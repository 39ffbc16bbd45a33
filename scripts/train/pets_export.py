"""Cats and dogs the fastai way: a folder of photos in, a model that can be handed on out.

    python -m scripts.train.pets_export --data pets                                  # Oxford-IIIT Pets, downloaded
    python -m scripts.train.pets_export --data FOLDER --arch convnext_tiny --epochs 5
    python -m scripts.train.pets_export --data FOLDER --profile quick                # under four minutes on two cores
    # models/digits in half a minute, to try the app
    python -m scripts.train.pets_export --data digits

Writes models/pets/ (see scripts.train.exported) and, for the report,
report/data/pets-<dataset>-<architecture>-<hardware>.csv with the history by epoch and …-predictions.csv with every
validation and test photo, each with a sidecar (digits only give a model to try). A run that was interrupted goes on
after its last whole epoch.

Oxford's labels come from the file names: an upper-case first letter is a cat. A fifth of the training photos, drawn by
the seed, is set aside for validation; the dataset's own test photos (or a fifth that depends on no seed) are looked at
once, at the end. Where pretrained weights can be had the network is fine-tuned (fastai's `fine_tune`: one epoch for the
head, then everything); where not, it learns from scratch and says so.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from scripts.common import hardware, provenance
from scripts.common.errors import UserError, cli
from scripts.common.paths import DATA, relative, writing
from scripts.common.words import duration
from scripts.train import datasets, finetune, homes, results, runs, tracking
from scripts.train.finetune import ARCH, BATCH, SIZE, Settings, warnings_off

EPOCHS, SCRATCH_EPOCHS = 3, 20  # fine-tuned; without pretrained weights three are not enough
QUICK = {"epochs": 24, "size": 64, "batch": 32}
DIGITS = {"epochs": 5, "size": 32, "batch": 32}  # well under a minute, to have something to try
QUICK_SECONDS = 180  # for the epochs of the quick profile: a slower machine trains fewer
VALID_FRACTION = 0.2
CHECKED, SHOWN, APP_SIDE = (
    8,
    4,
    512,
)  # test photos that the exported files are checked on; those kept as examples, and how large at least


def load_data(data: str, size: int) -> datasets.Dataset:
    """The checked dataset; Oxford-IIIT Pets (downloaded or a folder of it) with the two labels of the course
    instead of 37 breeds.
    """
    dataset = datasets.load(data, size)
    if data == "pets" or all(name.startswith("images/") for name in dataset.files):
        cat = np.array([Path(name).name[:1].isupper() for name in dataset.files])
        if cat.all() or not cat.any():
            raise UserError(
                f"{dataset.name}: only {'cats' if cat.all() else 'dogs'} by their file names; both are needed"
            )
        dataset = dataclasses.replace(dataset, classes=["cat", "dog"], labels=np.where(cat, 0, 1).astype(np.int64))
    return dataset


def confusion(frame: pd.DataFrame, classes: list[str]) -> list[list[int]]:
    """Counts by label (rows) and prediction (columns)."""
    table = pd.crosstab(frame.label, frame.predicted).reindex(index=classes, columns=classes, fill_value=0)
    return table.to_numpy().tolist()


def run_all(settings: Settings) -> dict:
    """Check, train, export, write the CSVs. Returns error rates, seconds and what was said. Raises UserError."""
    import timm
    import torch

    from scripts.train import exported, models

    started = time.perf_counter()
    entry = models.find(settings.arch)
    if entry.build:
        raise UserError(
            f"{settings.arch}: not an architecture of timm's, so fastai can't train it; choose another --arch"
        )
    cfg = timm.models.get_pretrained_cfg(entry.arch)
    stats = tuple(cfg.mean), tuple(cfg.std)
    dataset = load_data(settings.data, settings.size)
    name = results.own_name(dataset.name, dataset.checksum, lambda name: DATA / f"{stem(name, settings)}.csv")
    dataset = dataclasses.replace(dataset, name=name)
    say = lambda text: print(text, file=sys.stderr, flush=True)
    for line in dataset.lines():
        say(line)
    train_rows, valid_rows, test_rows = dataset.split(settings.seed, VALID_FRACTION)
    with warnings_off():
        dls = finetune.loaders(dataset, (train_rows, valid_rows), settings, stats)
        torch.manual_seed(settings.seed)
        learner, weights, reason = finetune.make_learner(dataset, dls, settings)
    pretrained = weights != "scratch"
    settings = dataclasses.replace(settings, epochs=settings.epochs or (EPOCHS if pretrained else SCRATCH_EPOCHS))
    if settings.seconds:
        with warnings_off(), finetune.fast_arithmetic(learner.model, settings.device):
            settings = dataclasses.replace(settings, epochs=finetune.affordable(learner, settings))
    scratch = "trained from scratch" + (f", since {reason}" if reason else "")
    say(f"{settings.arch}: {'fine-tuning the weights ' + weights if pretrained else scratch}")
    facts = {
        "dataset": dataset.name,
        "arch": settings.arch,
        "epochs": settings.epochs,
        "size": settings.size,
        "batch": settings.batch,
        "seed": settings.seed,
        "weights": weights,
        "device": settings.device,
        "train_images": len(train_rows),
        "valid_images": len(valid_rows),
        "test_images": len(test_rows),
    }
    journal = finetune.Epochs({**facts, "checksum": dataset.checksum})
    with tracking.start(f"pets-{settings.arch}", facts, settings.tracker) as run:
        run.summary(summary(learner.model, settings.size))
        learner.create_opt()
        journal.resume(learner)
        for row in journal.history:  # so that this run's log is whole, too
            run.metrics({name: row[name] for name in finetune.TOLD}, epoch=row["epoch"])
        with warnings_off():
            with finetune.fast_arithmetic(learner.model, settings.device):
                finetune.train(learner, settings, journal, run, pretrained)
            found = pd.concat(
                [
                    finetune.predictions(learner, dataset, valid_rows, "valid"),
                    finetune.predictions(learner, dataset, test_rows, "test"),
                ],
                ignore_index=True,
            )
        error = {split: float((part.label != part.predicted).mean()) for split, part in found.groupby("split")}
        run.confusion(confusion(found[found.split == "test"], dataset.classes), dataset.classes)
        run.metrics({"valid_error_rate": error["valid"], "test_error_rate": error["test"]}, epoch=len(journal.history))
        config = exported.Config(
            entry.arch,
            tuple(dataset.classes),
            settings.size,
            *stats,
            builder="fastai",
            weights=weights,
            trained={**facts, "error_rate": error, "date": provenance.now()},
        )
        said = export(
            learner, dataset, settings, config, np.random.default_rng(settings.seed).permutation(test_rows)[:CHECKED]
        )
        run.file(settings.out / exported.WEIGHTS)
    homes.remember(settings.out, settings.data)
    if settings.data != datasets.EMBEDDED:
        write_tables(dataset, settings, facts, journal.history, found, error)
        if settings.tracker != "none":
            runs.note(settings.device)
    journal.forget()
    for line in said:
        say(line)
    return {"error_rate": error, "seconds": time.perf_counter() - started}


def summary(model, size: int) -> str:
    """torchinfo's table, two levels deep."""
    import torchinfo

    return str(torchinfo.summary(model, (1, 3, size, size), depth=2, verbose=0, device="cpu"))


def export(learner, dataset: datasets.Dataset, settings: Settings, config, rows: np.ndarray) -> list[str]:
    """Write the model's folder, read it back the safe way, and hold it against fastai on the test photos `rows`.
    Returns what to tell the user.
    """
    import torch

    from scripts.train import exported, photos

    learner.model.cpu().eval()
    if settings.data == datasets.EMBEDDED:
        files, pictures = [], [Image.fromarray(dataset.pixels[row].transpose(1, 2, 0)) for row in rows]
    else:
        files = [dataset.paths[row] for row in rows]
        try:
            pictures = [photos.decode(path.read_bytes(), APP_SIDE) for path in files]
        except (OSError, photos.Refused) as reason:
            raise UserError(
                f"{settings.data}: a test photo cannot be read any more ({reason}); run it again, no epoch is lost"
            ) from None
    pixels = torch.cat([exported.preprocess(photos.square(picture, config.side), config) for picture in pictures])
    with warnings_off():
        pickle = finetune.pickled(learner, dataset, settings, (config.mean, config.std), files[0] if files else None)
        said = exported.save(settings.out, learner.model, config, pickle, pictures[:SHOWN], pixels)
        back = exported.load(settings.out)
    with torch.inference_mode():
        difference = float(
            (torch.from_numpy(back.probabilities(pixels)) - learner.model(pixels).softmax(1)).abs().max()
        )
    if not difference < 1e-5:
        raise UserError(
            f"{settings.out}: the exported model's answers differ from the trained one's by {difference:.1e}; please "
            "report this"
        )
    return said


def stem(name: str, settings: Settings) -> str:
    """What the tables of a run are called, without their ending."""
    return f"pets-{name}-{hardware.slugify(settings.arch)}-{hardware.slug(settings.device)}"


def write_tables(
    dataset, settings: Settings, facts: dict, history: list[dict], found: pd.DataFrame, error: dict
) -> None:
    sidecar = provenance.sidecar(
        settings.device,
        ("torch", "timm", "fastai"),
        **{**dataset.facts(), **{name: value for name, value in facts.items() if name != "device"}},
        error_rate=error,
        classes=dataset.classes,
    )
    start = stem(dataset.name, settings)
    for name, frame in ((f"{start}.csv", pd.DataFrame(history).round(6)), (f"{start}-predictions.csv", found)):
        provenance.write_pair(frame, DATA / name, sidecar)


@cli
def main() -> None:
    parser = argparse.ArgumentParser(description="Train a classifier on photos with fastai and export it.")
    parser.add_argument(
        "--data", default="pets", help="pets (Oxford-IIIT, downloaded), digits, or a folder of photos (default pets)"
    )
    parser.add_argument("--arch", default=ARCH, help=f"any architecture of timm's (default {ARCH})")
    parser.add_argument("--epochs", type=int, help=f"default {EPOCHS} fine-tuned, {SCRATCH_EPOCHS} from scratch")
    parser.add_argument("--size", type=int, help=f"pixels a side (default {SIZE})")
    parser.add_argument("--batch", type=int, help=f"photos a step (default {BATCH})")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--out",
        type=Path,
        help="the model's folder (default models/digits or models/pets, or one of its own beside other photos' model)",
    )
    parser.add_argument("--pretrained", choices=("auto", "yes", "no"), default="auto")
    parser.add_argument("--tracker", choices=tracking.TRACKERS, default="local")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument(
        "--profile",
        choices=("auto", "quick", "full"),
        default="full",
        help="quick: small photos and few epochs, under four minutes on two cores; auto: full where there is a GPU",
    )
    given = parser.parse_args()
    from scripts.train import distributed

    device = distributed.device(given.device)
    quick = given.profile == "quick" or (given.profile == "auto" and device == "cpu")
    digits = given.data == datasets.EMBEDDED
    defaults = DIGITS if digits else QUICK if quick else {"epochs": 0, "size": SIZE, "batch": BATCH}
    chosen = {
        name: getattr(given, name) if getattr(given, name) is not None else value for name, value in defaults.items()
    }
    for name, low, high in (("epochs", 0, 10_000), ("size", 8, 2048), ("batch", 2, 65_536)):
        if not low <= chosen[name] <= high:
            raise UserError(f"--{name} {chosen[name]}: choose a number from {max(low, 1)} to {high}")
    out = given.out or homes.home("digits" if digits else "pets", given.data)
    with writing(out):  # another run would train for nothing
        outcome = run_all(
            Settings(
                given.data,
                given.arch,
                **chosen,
                seed=given.seed,
                out=out,
                pretrained=given.pretrained,
                tracker=given.tracker,
                device=device,
                seconds=QUICK_SECONDS if quick and not digits and given.epochs is None else 0,
            )
        )
    print(
        f"{relative(out)}: {given.arch}, error rate {outcome['error_rate']['valid']:.3f} on the validation photos, "
        f"{outcome['error_rate']['test']:.3f} on the test photos, {duration(outcome['seconds'])}; try it with: make "
        f"demo MODEL={relative(out)}"
    )


if __name__ == "__main__":
    sys.exit(main())
