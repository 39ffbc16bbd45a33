"""What pretrained weights are worth on one's own photos: the same network on the same photos from three starts.

    python -m scripts.train.starts --data FOLDER
    python -m scripts.train.starts --data FOLDER --arch tf_efficientnet_lite2 --seeds 5

scratch: random weights, all of it trained. frozen: pretrained weights left as they are, a linear probe on its features.
fine-tuned: from that probe on, all of it trained. Each seed draws other photos for validation, which nothing looks at
here, and another order; the three learn from the same photos at the same size, and are asked about the same test
photos. From scratch gets more epochs, since it needs them. What is trained is what scripts.train.pets_export trains.

Writes report/data/starts-<dataset>-<hardware>.csv with a row for each start and seed. Again goes on where it stopped,
after the last whole epoch.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys

import numpy as np

from scripts.common import device as devices, hardware
from scripts.common.errors import UserError, cli
from scripts.common.paths import DATA, relative
from scripts.common.progress import Progress
from scripts.common.provenance import now, sidecar
from scripts.common.table_run import Run, locked
from scripts.common.uncertainty import share_interval
from scripts.train import finetune, frozen, pets_export, tracking
from scripts.train.finetune import Settings, warnings_off

STARTS = ("frozen", "fine-tuned", "scratch")
COLUMNS = (
    "model start seed weights img_size train_size epochs train_images test_images correct accuracy accuracy_low "
    "accuracy_high status measured_at"
).split()


def train(start: str, seed: int, dataset, begun: frozen.Start, settings: Settings) -> dict:
    """A row of COLUMNS. Raises UserError."""
    import timm
    import torch

    cfg = timm.models.get_pretrained_cfg(f"{begun.arch}.{begun.source.tag}")
    rows = dataset.split(seed, pets_export.VALID_FRACTION)
    learning, valid, test = rows
    torch.manual_seed(seed)
    settings = dataclasses.replace(settings, seed=seed)
    probed = frozen.begin(dataset, (learning, valid), begun, settings.device)
    settings = dataclasses.replace(settings, train_size=frozen.smaller(probed.model[0], begun.size))
    epochs = {"frozen": 0, "fine-tuned": settings.epochs, "scratch": pets_export.SCRATCH_EPOCHS}[start]
    settings = dataclasses.replace(settings, epochs=epochs)
    if start == "frozen":
        found = probed.answers(dataset, test)
    else:
        with warnings_off():
            dls = finetune.loaders(dataset, (learning, valid), settings, (tuple(cfg.mean), tuple(cfg.std)))
            learner = (
                finetune.learner_from_probe(dls, probed.model)
                if start == "fine-tuned"
                else finetune.learner_from_scratch(dls, settings)
            )
            facts = {"of": "starts", "start": start, "checksum": dataset.checksum, "arch": settings.arch}
            journal = finetune.Epochs({**facts, "epochs": epochs, "seed": seed, "size": settings.train_size})
            learner.create_opt()
            journal.resume(learner)
            with finetune.fast_arithmetic(learner.model, settings.device):
                nobody = tracking.Run("starts", None)
                finetune.train(learner, settings, journal, nobody, pretrained=start == "fine-tuned")
            model = learner.model.cpu().eval()
            found = (
                frozen.answers(model, probed.network, dataset, test, settings.device)
                if start == "fine-tuned"
                else finetune.answers(learner, dataset, test)
            )
            journal.forget()
    correct = int((found.argmax(1) == dataset.labels[test]).sum())
    low, high = share_interval(correct, range(len(test)))
    return {
        "model": begun.arch,
        "start": start,
        "seed": seed,
        "weights": "" if start == "scratch" else begun.source.tag,
        "img_size": begun.size,
        "train_size": "" if start == "frozen" else settings.train_size,
        "epochs": epochs,
        "train_images": len(learning),
        "test_images": len(test),
        "correct": correct,
        **{"accuracy": round(correct / len(test), 5), "accuracy_low": round(low, 5), "accuracy_high": round(high, 5)},
        "status": "ok",
        "measured_at": now(),
    }


@cli
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="a folder of photos with test photos")
    parser.add_argument("--arch", default="", help="a network whose weights can be had (default: an embedded one)")
    parser.add_argument("--size", type=int, default=0, help="pixels a side (default: the network's)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--starts", nargs="+", choices=STARTS, default=list(STARTS))
    parser.add_argument("--device", default="auto", help=devices.CHOICES)
    parser.add_argument("--fresh", action="store_true", help="begin anew where an interrupted run could go on")
    options = parser.parse_args(argv)
    if options.seeds < 1:
        raise UserError(f"--seeds {options.seeds}: give a number of 1 or more")
    from scripts.train import distributed

    asked = Settings(options.data, options.arch, size=options.size, pretrained="auto",
                     device=distributed.device(options.device))  # fmt: skip
    dataset, begun, settings = pets_export.prepare(asked)
    if begun.source is None:
        raise UserError(f"{begun.arch}: no pretrained weights to compare with ({begun.said}); name another --arch")
    if not np.any(dataset.test):
        raise UserError(f"{options.data}: no test photos; put them into a folder test_set beside training_set")
    facts = sidecar(settings.device, ("torch", "timm", "fastai"), **dataset.facts(), classes=dataset.classes)
    out = DATA / f"starts-{hardware.slugify(dataset.name)}-{hardware.slug(settings.device)}.csv"
    with locked(out):
        tasks = [
            {"model": begun.arch, "start": start, "seed": seed}
            for start in STARTS
            if start in options.starts
            for seed in range(options.seeds)
        ]
        same = {"checksum": dataset.checksum, "size": begun.size, "epochs": settings.epochs, "batch": settings.batch}
        run = Run(out, COLUMNS, tasks, same, facts, options.fresh)
        run.note()
        with Progress(len(tasks), "trainings", done=len(tasks) - len(run.left())) as progress:
            for task in run.left():
                row = train(task["start"], task["seed"], dataset, begun, settings)
                run.add(row)
                progress.advance(f"{task['start']}, seed {task['seed']}: {row['accuracy']:.1%} of the test photos")
        run.finish()
    print(f"{relative(out)}: {len(run.rows)} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
