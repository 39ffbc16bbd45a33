"""Cats and dogs the fastai way: a folder of photos in, a model that can be handed on out.

    python -m scripts.train.pets_export --data pets                                  # Oxford-IIIT Pets, downloaded
    python -m scripts.train.pets_export --data FOLDER --arch convnext_tiny --epochs 5
    python -m scripts.train.pets_export --data FOLDER --profile quick                # under four minutes on two cores
    # models/digits in half a minute, to try the app
    python -m scripts.train.pets_export --data digits

Writes models/pets/ (see scripts.train.exported) and, for the report,
report/data/pets-<dataset>-<architecture>-<hardware>.csv with the history by epoch and …-predictions.csv with every
validation and test photo by number, each with a sidecar (digits only give a model to try). charts/…-photos.csv, which
stays here, says which file each photo is. A run that was interrupted goes on after its last whole epoch.

Training begins where `make choose` ends: with the network that it found best on these photos, else with an embedded
one (scripts.train.weights), frozen, and a probe as its classifier. Then all of it is fine-tuned, as far as the time of
the profile allows, and what is better on the validation photos is kept. Where no pretrained weights can be had, or with
--pretrained no, the network learns from scratch and says so. Weights that are on a hub only are downloaded from there.

Oxford's labels come from the file names: an upper-case first letter is a cat. A fifth of the training photos, drawn by
the seed, is set aside for validation; the dataset's own test photos (or a fifth that depends on no seed) are looked at
once, at the end. A probe that is kept learns from the validation photos, too, once they have decided.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import shlex
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from scripts.common import device as devices, hardware, provenance
from scripts.common.errors import UserError, cli, printable
from scripts.common.paths import CHARTS, DATA, atomic_csv, relative, writing
from scripts.common.words import counted, duration
from scripts.train import datasets, finetune, frozen, homes, models, probed_network, results, runs, tracking, weights
from scripts.train.finetune import ARCH, BATCH, SIZE, Settings, warnings_off

SCRATCH_EPOCHS = 20
STEPS, EPOCHS = 250, (3, 12)  # of fine-tuning: so many steps, but no fewer and no more epochs
SCRATCH = {"epochs": 24, "size": 64, "batch": 32}  # of the quick profile, where nothing pretrained can be had
DIGITS = {"epochs": 5, "size": 32, "batch": 32}  # well under a minute, to have something to try
QUICK_SECONDS = 180  # for the quick profile's probe and epochs: a slower machine trains fewer
PROBE_LADDER = (12, 10, 8, 6, 4, 3, 2, 1, 0)  # epochs of fine-tuning to choose from where time is short
VALID_FRACTION = 0.2
CHECKED = 8  # test photos that the exported files are checked on
SHOWN, APP_SIDE = 4, 512  # photos kept as examples for the app, and how large at least


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


def prepare(settings: Settings) -> tuple[datasets.Dataset, frozen.Start, Settings]:
    """(dataset, what training starts from, settings without gaps). Raises UserError."""
    digits = settings.data == datasets.EMBEDDED
    small = DIGITS if digits else SCRATCH if settings.seconds else {"size": SIZE}
    scratch = frozen.Start(settings.arch or ARCH, settings.size or small["size"], None, "")
    pretrained = "no" if digits and settings.pretrained == "auto" else settings.pretrained
    # At the size that choose decodes to, so that its squares and features serve here, too.
    largest = max(embedded.size for embedded in weights.EMBEDDED.values())
    dataset = load_data(settings.data, scratch.size if pretrained == "no" else max(settings.size, largest))
    start = frozen.decide(settings.arch, settings.size, pretrained, settings.weights, dataset.checksum, scratch)
    if models.find(start.arch).build:
        raise UserError(f"{start.arch}: not an architecture of timm's, so fastai can't train it; choose another --arch")
    if dataset.size < start.size or (start.source is None and dataset.size != start.size):
        dataset = load_data(settings.data, start.size)
    epochs = settings.epochs
    batch = settings.batch or (small.get("batch", BATCH) if start.source is None else BATCH // 2)
    if epochs is None and start.source is None:
        epochs = small.get("epochs", SCRATCH_EPOCHS)
    elif epochs is None:
        training = (1 - VALID_FRACTION) * float((~dataset.test).sum())
        epochs = int(np.clip(round(STEPS * batch / training), *EPOCHS))
    settings = dataclasses.replace(settings, arch=start.arch, size=start.size, epochs=epochs, batch=batch)
    return dataclasses.replace(dataset, size=start.size), start, settings


def run_all(settings: Settings) -> dict:
    """Check, train, export, write the CSVs. Returns error rates, seconds and what was trained. Raises UserError."""
    import timm
    import torch

    from scripts.train import exported

    started = time.perf_counter()
    say = lambda text: print(text, file=sys.stderr, flush=True)
    dataset, start, settings = prepare(settings)
    name = results.own_name(dataset.name, dataset.checksum, lambda name: DATA / f"{stem(name, settings)}.csv")
    dataset = dataclasses.replace(dataset, name=name)
    for line in dataset.lines():
        say(line)
    cfg = timm.models.get_pretrained_cfg(f"{start.arch}.{start.source.tag}" if start.source else start.arch)
    stats = tuple(cfg.mean), tuple(cfg.std)
    train_rows, valid_rows, test_rows = dataset.split(settings.seed, VALID_FRACTION)
    torch.manual_seed(settings.seed)
    probed = None
    if start.source is not None:
        because = f" ({start.said})" if start.said else ""
        say(f"{start.arch} at {start.size} pixels, weights {start.source.tag} from {start.source.said}{because}")
        probed = frozen.begin(dataset, (train_rows, valid_rows), start, settings.device)
        also = f" and those of {counted(probed.stages, 'stage')} before" if probed.stages else ""
        say(f"a probe on its frozen features{also}: validation error rate {probed.wrong:.3f}, "
            f"{duration(probed.seconds)}")  # fmt: skip
        settings = dataclasses.replace(settings, train_size=frozen.smaller(probed.model[0], start.size))
    else:
        say(f"{start.arch}: trained from scratch" + (f", since {start.said}" if start.said else ""))
    with warnings_off():
        dls = finetune.loaders(dataset, (train_rows, valid_rows), settings, stats)
        learner = (
            finetune.learner_from_probe(dls, copy.deepcopy(probed.model))
            if probed
            else finetune.learner_from_scratch(dls, settings)
        )
        settings = in_time(learner, settings, probed, started)
    if probed and settings.seconds and not settings.epochs:
        say("no fine-tuning: an epoch does not fit into the quick profile; --profile full or --epochs 3 does it")
    facts = {
        "dataset": dataset.name,
        "arch": settings.arch,
        "epochs": settings.epochs,
        "size": settings.size,
        "batch": settings.batch,
        "seed": settings.seed,
        "weights": start.source.tag if start.source else "scratch",
        "device": settings.device,
        "train_images": len(train_rows),
        "valid_images": len(valid_rows),
        "test_images": len(test_rows),
    }
    journal = finetune.Epochs({**facts, "checksum": dataset.checksum, "train_size": settings.train_size})
    with tracking.start(f"pets-{settings.arch}", facts, settings.tracker) as run:
        run.summary(summary(learner.model, settings.size))
        learner.create_opt()
        journal.resume(learner)
        for row in journal.history:  # so that this run's log is whole, too
            run.metrics({name: row[name] for name in finetune.TOLD}, epoch=row["epoch"])
        with warnings_off(), finetune.fast_arithmetic(learner.model, settings.device):
            finetune.train(learner, settings, journal, run, probed is not None)
        with warnings_off():
            kept, found = judge(learner, dataset, (train_rows, valid_rows, test_rows), probed, journal, settings.device)
        facts |= {"kept": kept, "train_size": settings.train_size or settings.size}
        error = {split: float((part.label != part.predicted).mean()) for split, part in found.groupby("split")}
        if probed:
            facts |= {"probe_error_rate": probed.wrong, "stages": probed.stages, "crossed_error_rate": probed.crossed}
            tuned = journal.history[-1]["error_rate"] if journal.history else None
            say(
                f"kept: the {kept}"
                + (
                    f" (validation error rate {tuned:.3f} fine-tuned, {probed.wrong:.3f} probed)"
                    if tuned is not None
                    else ""
                )
            )
        run.confusion(confusion(found[found.split == "test"], dataset.classes), dataset.classes)
        run.metrics({"valid_error_rate": error["valid"], "test_error_rate": error["test"]}, epoch=len(journal.history))
        config = exported.Config(
            entry_name(settings.arch),
            tuple(dataset.classes),
            settings.size,
            *stats,
            builder=builder(probed),
            weights=facts["weights"],
            trained={**facts, "error_rate": error, "date": provenance.now()},
        )
        said = export(
            learner, dataset, settings, config, np.random.default_rng(settings.seed).permutation(test_rows)[:CHECKED]
        )
        run.file(settings.out / exported.WEIGHTS)
    homes.remember(settings.out, settings.data)
    if settings.data != datasets.EMBEDDED:
        write_tables(dataset, settings, facts, history(probed, journal), found, error)
        if settings.tracker != "none":
            runs.note(settings.device)
    journal.forget()
    for line in said:
        say(line)
    return {"error_rate": error, "seconds": time.perf_counter() - started, "arch": settings.arch, "kept": kept}


def builder(probed: frozen.Probed | None) -> str:
    """What builds the network again, as config.json says it."""
    if probed is None:
        return "fastai"
    return probed_network.STAGES if probed.stages else probed_network.NAME


def entry_name(arch: str) -> str:
    """timm's name of a network of the zoo."""
    return models.find(arch).arch


def in_time(learner, settings: Settings, probed: frozen.Probed | None, started: float) -> Settings:
    """`settings` with as many epochs as their time allows."""
    if not settings.seconds or not settings.epochs:
        return settings
    left = max(0.0, settings.seconds - (time.perf_counter() - started if probed else 0.0))
    with finetune.fast_arithmetic(learner.model, settings.device):
        ladder = PROBE_LADDER if probed else finetune.LADDER
        epochs = finetune.affordable(learner, dataclasses.replace(settings, seconds=left), ladder)
    return dataclasses.replace(settings, epochs=epochs)


def judge(learner, dataset, rows, probed: frozen.Probed | None, journal, device) -> tuple[str, pd.DataFrame]:
    """(what is kept, a row per validation and test photo): the fine-tuned network, or the probe where that is at least
    as good on the validation photos; then the Learner's model is that one.
    """
    train, valid, test = rows
    if probed is None:
        answers = {"valid": finetune.answers(learner, dataset, valid), "test": finetune.answers(learner, dataset, test)}
        kept = "network from scratch"
    elif journal.history and journal.history[-1]["error_rate"] < probed.wrong:
        model, network = learner.model.cpu().eval(), probed.network
        answers = {
            split: frozen.answers(model, network, dataset, of, device)
            for split, of in (("valid", valid), ("test", test))
        }
        kept = "fine-tuned network"
    else:
        probed = frozen.again(probed, dataset, np.concatenate([train, valid]))
        learner.model = probed.model
        answers, kept = {"valid": probed.valid, "test": probed.answers(dataset, test)}, "probe"
    frames = [
        finetune.predictions(dataset, of, answers[split], split) for split, of in (("valid", valid), ("test", test))
    ]
    return kept, pd.concat(frames, ignore_index=True)


def history(probed: frozen.Probed | None, journal) -> list[dict]:
    """The epochs, and before them, as epoch 0, the probe."""
    if probed is None:
        return journal.history
    first = {"epoch": 0, "phase": "probe", "train_loss": probed.train_loss, "valid_loss": probed.loss,
             "error_rate": probed.wrong, "lr": 0.0, "seconds": probed.seconds}  # fmt: skip
    return [first, *journal.history]


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
    names = pd.DataFrame({"photo": found.photo, "file": [dataset.files[number - 1] for number in found.photo]})
    atomic_csv(names, CHARTS / f"{start}-photos.csv")


@cli
def main() -> None:
    parser = argparse.ArgumentParser(description="Train a classifier on photos with fastai and export it.")
    parser.add_argument(
        "--data", default="pets", help="pets (Oxford-IIIT, downloaded), digits, or a folder of photos (default pets)"
    )
    parser.add_argument(
        "--arch",
        default="",
        help=f"any architecture of timm's (default: make choose's, else an embedded one, else {ARCH})",
    )
    parser.add_argument("--epochs", type=int, help="of fine-tuning, 0 for the probe alone; or from scratch")
    parser.add_argument("--size", type=int, help="pixels a side (default: make choose's, or the network's)")
    parser.add_argument("--batch", type=int, help=f"photos a step (default {BATCH}, {BATCH // 2} from a probe)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--out",
        type=Path,
        help="the model's folder (default models/digits or models/pets, or one of its own beside other photos' model)",
    )
    parser.add_argument("--pretrained", choices=("auto", "yes", "no"), default="auto",
                        help="yes: its own weights or none; no: from scratch; auto: else an embedded "
                        "network's")  # fmt: skip
    parser.add_argument("--weights", type=Path, metavar="FOLDER", help="a folder of pretrained weights")
    parser.add_argument("--tracker", choices=tracking.TRACKERS, default="local")
    parser.add_argument("--device", default="auto", help=devices.CHOICES)
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
    for name, low, high in (("epochs", 0, 10_000), ("size", 8, 2048), ("batch", 2, 65_536)):
        if (value := getattr(given, name)) is not None and not low <= value <= high:
            raise UserError(f"--{name} {value}: choose a number from {low} to {high}")
    out = given.out or homes.home("digits" if digits else "pets", given.data)
    with writing(out):  # another run would train for nothing
        outcome = run_all(
            Settings(
                given.data,
                given.arch,
                given.epochs,
                given.size or 0,
                given.batch or 0,
                given.seed,
                out,
                given.pretrained,
                given.tracker,
                device,
                given.weights,
                seconds=QUICK_SECONDS if quick and not digits and given.epochs is None else 0,
            )
        )
    print(
        f"{relative(out)}: {outcome['arch']}, the {outcome['kept']}, error rate "
        f"{outcome['error_rate']['valid']:.3f} on the validation photos, "
        f"{outcome['error_rate']['test']:.3f} on the test photos, {duration(outcome['seconds'])}; try it with: make "
        f"demo MODEL={relative(out)}"
    )
    if quick and not digits:
        print(
            "to compare a dozen networks on these photos: python -m scripts.train.train_models --data "
            + printable(shlex.quote(given.data))
        )


if __name__ == "__main__":
    sys.exit(main())
