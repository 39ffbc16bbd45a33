"""Train and compare the model zoo on one image dataset, the same way for all.

    # this machine's profile, on scikit-learn's digits
    python -m scripts.train.train_models
    python -m scripts.train.train_models --models resnet18,vit --data FOLDER --epochs 5
    # the whole zoo, five seeds: for a GPU
    python -m scripts.train.train_models --profile full --data FOLDER --seeds 5
    # one process per GPU, or per core with --device cpu
    torchrun --nproc_per_node 4 -m scripts.train.train_models --data FOLDER

Writes report/data/zoo-<dataset>-<hardware>.csv, its -history, -classes and -predictions, each with a sidecar; the
columns are listed in scripts/train/results.py. A row is written when its model is done. A killed run goes on from its
last checkpoint when the same command is given again; a finished one starts afresh and replaces its rows one by one. A
model that fails is named and left out; the rest goes on. With several processes only the first writes. In a SageMaker
container it takes data and folders from there (scripts/cloud/contract.py).
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import json
import math
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

if (
    not __package__
):  # started by its path, as SageMaker does: the project's root is where imports begin, not this folder
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import numpy as np
import pandas as pd

from scripts.cloud import contract
from scripts.common import device as devices, hardware, provenance
from scripts.common.errors import UserError, cli
from scripts.common.journal import Journal
from scripts.common.paths import CACHE, CHARTS, DATA, local
from scripts.common.progress import Progress
from scripts.train import results

# What a profile trains where nothing else is said: models, epochs, and pixels a side for folders of pictures.
PROFILES = {"quick": {"epochs": 6, "size": 64}, "full": {"epochs": 60, "size": 128}}
DIGITS_SIZE = 32
DIGITS = {"scale": 0.7, "colour": 0.0}  # a digit is small and grey; a third of a 6 may be a 0
PRETRAINED = {"lr": 2e-4}  # weights that know something already are not to be shaken up
# What makes sense; batch norm needs two images.
RANGES = [
    ("valid", 0, 0.5),
    ("seed", 0, 2**31),
    ("seeds", 1, 1000),
    ("epochs", 0, 100_000),
    ("size", 0, 2048),
    ("target", 0, 1),
    ("threads", 0, 1024),
    ("batch", 2, 2**20),
    ("lr", 1e-9, 100),
    ("weight_decay", 0, 10),
    ("smoothing", 0, 0.9),
    ("warmup", 0, 0.9),
    ("scale", 0.01, 1),
    ("ratio", 1, 10),
    ("rotate", 0, 180),
    ("colour", 0, 1),
    ("mix", 0, 1),
    ("ema", 0, 0.99999),
    ("clip", 0, 1e9),
]
TIMES = [
    "seconds_per_epoch",
    "train_seconds",
    "train_images_per_sec",
    "seconds_to_target",
    "infer_images_per_sec",
    "seconds",
    "elapsed_seconds",
    "images_per_sec",
]


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    from scripts.train.recipe import Recipe

    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "--data",
        default="digits",
        help="digits, pets, or a folder (one folder per class, or training_set/ and test_set/)",
    )
    parser.add_argument("--models", default="", help="comma-separated names; python -m scripts.train.models lists them")
    parser.add_argument(
        "--profile",
        choices=("auto", *PROFILES),
        default="auto",
        help="quick: a dozen small models; auto: full on a GPU",
    )
    parser.add_argument(
        "--pretrained",
        choices=("auto", "yes", "no"),
        default="no",
        help="start from pretrained weights; auto: where they can be had",
    )
    parser.add_argument(
        "--size", type=int, default=0, help="pixels a side; 0: 32 on digits, else 64 (quick) or 128 (full)"
    )
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds")
    parser.add_argument("--valid", type=float, default=0.1, help="share of the training images kept for validation")
    parser.add_argument("--target", type=float, default=0.8, help="validation accuracy to time")
    parser.add_argument("--device", default="auto", help=devices.CHOICES)
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16", "fp16"), default="auto")
    parser.add_argument(
        "--compile", type=contract.boolean, nargs="?", const=True, default=False, metavar="", help="torch.compile"
    )
    parser.add_argument("--threads", type=int, default=0, help="processor threads; 0: torch's choice")
    parser.add_argument(
        "--untimed",
        type=contract.boolean,
        nargs="?",
        const=True,
        default=False,
        metavar="",
        help="other programs use the machine: leave the times out",
    )
    parser.add_argument("--out", type=local, default=DATA, help="folder for the CSVs")
    parser.add_argument(
        "--keep",
        type=local,
        default=None,
        help="folder to keep the trained networks in, one folder each; default: none is kept",
    )
    for knob in dataclasses.fields(Recipe):
        default = 0 if knob.name == "epochs" else None
        parser.add_argument(
            f"--{knob.name.replace('_', '-')}",
            type=int if knob.name in ("epochs", "batch") else float,
            default=default,
            help=f"recipe; {'0: the profile’s' if knob.name == 'epochs' else f'default {knob.default:g}'}",
        )
    if home := contract.found():
        parser.set_defaults(out=home.results, keep=home.models, **({"data": str(home.data)} if home.data else {}))
    found = parser.parse_args(argv)
    for name, low, high in RANGES:
        value = getattr(found, name)
        if value is not None and not low <= value <= high:  # also refuses nan
            parser.error(f"--{name.replace('_', '-')} {value}: give a value from {low:g} to {high:g}")
    return found


@dataclasses.dataclass
class Job:
    """One model with one seed."""

    entry: object
    size: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.entry.name}, seed {self.seed}"


def plain_attention(forward: Callable) -> Callable:
    """`forward` without the fused attention, for training in bf16 on a processor: a step of ViT-Ti takes 0.65 times as
    long so on 16 tokens, 0.8 on 64, 0.95 on 196 (EPYC, one thread, PyTorch 2.15).
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel

    def plain(pictures):
        with sdpa_kernel(SDPBackend.MATH):
            return forward(pictures)

    return plain


class Finished:
    """What a run has finished, so that the same command goes on after a kill; removed when the run ends."""

    def __init__(self, folder: Path):
        self.folder, self.journal = folder, Journal(folder / "journal.json")
        try:
            found = self.journal.read("done", "failed")
            self.done, self.failed = [tuple(job) for job in found["done"]], list(found["failed"])
        except (KeyError, TypeError):
            self.done, self.failed = [], []

    def finish(self, job: Job, failure: str = "") -> None:
        from scripts.train import distributed

        self.done.append((job.entry.name, job.seed))
        if failure:
            self.failed.append({"model": job.entry.name, "seed": job.seed, "reason": failure})
        if distributed.rank():
            return
        self.journal.write({"done": self.done, "failed": self.failed})
        self.checkpoint(job).unlink(missing_ok=True)

    def checkpoint(self, job: Job) -> Path:
        return self.folder / f"{job.entry.name}-{job.seed}.pt"

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class Run:
    """All that the jobs of one command share."""

    def __init__(self, options: argparse.Namespace):
        import torch

        from scripts.train import datasets, distributed, models
        from scripts.train.recipe import Recipe

        self.options = options
        self.device = distributed.device(options.device)
        if options.threads:
            torch.set_num_threads(options.threads)
        profile = options.profile if options.profile != "auto" else "full" if devices.on_gpu(self.device) else "quick"
        names = [name.strip() for name in options.models.split(",") if name.strip()] or (
            models.QUICK if profile == "quick" else models.FULL
        )
        entries = list(dict.fromkeys(models.find(name) for name in names))
        digits = options.data == datasets.EMBEDDED
        size = options.size or (DIGITS_SIZE if digits else PROFILES[profile]["size"])
        given = {
            knob.name: getattr(options, knob.name)
            for knob in dataclasses.fields(Recipe)
            if getattr(options, knob.name) is not None
        }
        self.recipe = Recipe(
            **{**(DIGITS if digits else {}), **given, "epochs": options.epochs or PROFILES[profile]["epochs"]}
        )
        distributed.check(self.recipe.batch)
        self.given = given
        self.sets, self.facts = {}, {}
        self.failed_sizes, self.name = {}, ""
        self.jobs = []
        for entry in entries:
            try:
                side = models.size_for(entry, size, chosen=bool(options.size))
                self.jobs += [Job(entry, side, options.seed + i) for i in range(options.seeds)]
            except UserError as error:
                self.failed_sizes[entry.name] = str(error)
        if not self.jobs:
            raise UserError("; ".join(self.failed_sizes.values()))
        self.dataset(self.jobs[0].size)
        self.slug = hardware.slug(self.device)
        found = self.sets[self.jobs[0].size][0]
        self.name = name = results.apart(found.name, found.checksum, self.slug, options.out)
        if name != found.name:
            print(
                f"{found.name}: the table of that name is of other pictures; these go to "
                f"{results.path(name, self.slug).name}",
                file=sys.stderr,
            )
            found.name = name
        self.csv = results.path(name, self.slug, folder=options.out)
        options.out.mkdir(parents=True, exist_ok=True)
        settings = {
            **vars(options),
            "out": None,
            "threads": None,
            "data": name,
            "checksum": found.checksum,
            "keep": None,
            "device": self.device.partition(":")[0],
            "models": [entry.name for entry in entries],
            "recipe": dataclasses.asdict(self.recipe),
        }
        key = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:12]
        home = contract.found()
        folder = home.checkpoints if home and home.checkpoints else CACHE / "train"
        self.journal = Finished(folder / f"{self.csv.stem}-{key}")
        self.journal.done, self.journal.failed = distributed.same((self.journal.done, self.journal.failed))

    def dataset(self, size: int):
        """(Dataset, its Pixels on the device) for an input size; kept for the next model of that size."""
        if size not in self.sets:
            from scripts.train import datasets, distributed, fit

            with distributed.first():
                found = datasets.load(self.options.data, size)
            home = contract.found()
            found.name = self.name or (home.dataset if home else "") or found.name
            if not self.sets:
                print("\n".join(found.lines()), file=sys.stderr)
            self.sets[size] = found, fit.Pixels(found, self.device)
        return self.sets[size]

    def job(self, job: Job, say) -> dict:
        """Train one model, record it, and return its row. Raises fit.Failed or UserError where it can't be trained."""
        import torch

        from scripts.train import distributed, fit, metrics, models

        dataset, pixels = self.dataset(job.size)
        torch.manual_seed(job.seed)
        with distributed.first():  # weights are downloaded once
            built = models.build(job.entry, len(dataset.classes), job.size, self.options.pretrained)
        recipe = dataclasses.replace(self.recipe, lr=self.recipe.lr * job.entry.lr_scale)
        if built.weights != "scratch" and "lr" not in self.given:
            recipe = dataclasses.replace(recipe, **PRETRAINED)
        precision = (
            fit.precision_for(self.device, built.model) if self.options.precision == "auto" else self.options.precision
        )
        self.journal.folder.mkdir(parents=True, exist_ok=True)
        trainer = fit.Trainer(
            built.model,
            dataset,
            recipe,
            job.seed,
            self.device,
            precision,
            self.options.compile,
            valid=self.options.valid,
            checkpoint=self.journal.checkpoint(job),
            pixels=pixels,
            report=say,
        )
        if precision == "bf16" and trainer.device.type == "cpu":
            trainer.forward = plain_attention(trainer.forward)
        outcome = trainer.run()
        test = trainer.test_rows.cpu().numpy()
        # Four digits are kept of each probability, and the metrics are computed from those: the table gives the same
        # values again.
        probabilities = np.array([[float(f"{value:.4g}") for value in row] for row in outcome.probabilities.tolist()])
        measured = metrics.evaluate(probabilities, dataset.labels[test], dataset.classes)
        history = pd.DataFrame(outcome.history)
        reached = history.loc[history["valid_accuracy"] >= self.options.target, "elapsed_seconds"]
        settled = (
            history["seconds"].iloc[1:] if len(history) > 2 else history["seconds"]
        )  # the first epoch warms up or compiles
        notes = [
            *measured.reasons,
            *([f"{built.reason}; trained from scratch"] if built.reason else []),
            *outcome.notes,
        ]
        row = {
            "model": job.entry.name,
            "arch": job.entry.arch,
            "source": job.entry.source,
            "weights": built.weights,
            "seed": job.seed,
            "img_size": job.size,
            "epochs": recipe.epochs,
            "batch": trainer.batch,
            "lr": recipe.lr,
            "recipe": difference(recipe),
            "precision": precision,
            "compiled": "yes" if trainer.compiled else "graphs" if trainer.graphs else "no",
            "micro_batch": outcome.micro_batch,
            "param_count": models.parameters(built.model) / 1e6,
            "train_images": len(trainer.train_rows),
            "valid_images": len(trainer.valid_rows),
            "test_images": len(test),
        }
        for name, values in measured.values.items():
            row |= dict(zip((name, f"{name}_low", f"{name}_high"), values))
        row |= {
            "seconds_per_epoch": settled.median(),
            "train_seconds": outcome.train_seconds,
            "train_images_per_sec": trainer.steps * trainer.batch / settled.median(),
            "target_accuracy": self.options.target,
            "seconds_to_target": reached.iloc[0] if len(reached) else math.nan,
            "infer_images_per_sec": outcome.infer_images_per_sec,
            "peak_memory_mb": outcome.peak_memory_mb,
            "note": "; ".join(dict.fromkeys(notes)),
            "date": provenance.now(),
        }
        if self.options.untimed:
            row |= {name: math.nan for name in TIMES if name in row} | {
                "note": "; ".join(filter(None, [row["note"], "times n/a: other programs used the machine"]))
            }
            history[[name for name in TIMES if name in history]] = math.nan
        row = {name: results.significant(value) for name, value in row.items()}
        if distributed.rank():
            return row
        if self.options.keep:
            self.keep(job, dataset, trainer, row)
        images = pd.DataFrame(
            {"file": [dataset.files[i] for i in test], "label": [dataset.classes[i] for i in dataset.labels[test]]}
        )
        images = pd.concat([images, pd.DataFrame(probabilities, columns=dataset.classes)], axis=1)
        with lock(self.csv):
            results.record(
                self.csv,
                row,
                history.map(results.significant),
                measured.per_class.map(lambda value: round(value, 6) if isinstance(value, float) else value),
                images,
            )
            self.sidecars()
        return row

    def keep(self, job: Job, dataset, trainer, row: dict) -> None:
        """Write the trained network as a folder that scripts.train.exported reads."""
        from scripts.train import exported, recipe

        said = {name: row[name] for name in ("seed", "epochs", "train_images", "test_images", "accuracy", "date")}
        config = exported.Config(
            job.entry.name,
            tuple(dataset.classes),
            job.size,
            recipe.MEAN,
            recipe.STD,
            margin=dataset.pixels.shape[-1] / job.size,
            weights=row["weights"],
            trained={"dataset": dataset.name, **said},
        )
        network = trainer.average.module if trainer.average else trainer.model
        exported.save(self.options.keep / f"{dataset.name}-{job.entry.name}-{job.seed}", network, config, onnx=False)

    def sidecars(self) -> None:
        """Write the four sidecars again: the rows they speak of have changed."""
        if not self.facts:  # asks git and the driver: once is enough
            self.facts = provenance.sidecar(
                self.device,
                ("torch", "torchvision", "timm", "scikit-learn", "pillow"),
                **next(iter(self.sets.values()))[0].facts(),
                recipe=dataclasses.asdict(self.recipe),
                seed=self.options.seed,
                seeds=self.options.seeds,
                pretrained=self.options.pretrained,
            )
        facts = {**self.facts, "date": provenance.now(), "failed": self.journal.failed}
        for name in results.PARTS:
            provenance.write_sidecar(results.part(self.csv, name), facts)


def difference(recipe) -> str:
    """The knobs that are not at their defaults and have no column of their own, such as 'mix=0.5 ema=0.99';
    'default' where all are.
    """
    apart = [
        f"{knob.name}={getattr(recipe, knob.name):g}"
        for knob in dataclasses.fields(recipe)
        if knob.name not in ("epochs", "batch", "lr") and getattr(recipe, knob.name) != knob.default
    ]
    return " ".join(apart) or "default"


def lock(path: Path):
    """Keeps two runs from writing the same tables at once, where filelock is installed."""
    try:
        from filelock import FileLock
    except ImportError:
        return contextlib.nullcontext()
    folder = CACHE / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f"{path.name}.lock")


def train(options: argparse.Namespace) -> Path:
    """Run all jobs of one command. Returns the main CSV. Raises UserError where none can be trained."""
    from scripts.train import distributed

    with distributed.together(distributed.device(options.device)):
        return _train(options)


def _train(options: argparse.Namespace) -> Path:
    from scripts.train import distributed, fit

    run = Run(options)
    if run.csv.exists():
        results.read(run.csv)  # a damaged table is found before hours of training
    for reason in run.failed_sizes.values():
        print(f"left out: {reason}", file=sys.stderr)
    todo = [job for job in run.jobs if (job.entry.name, job.seed) not in run.journal.done]
    with Progress(len(run.jobs), "training", len(run.jobs) - len(todo)) as progress:
        for job in todo:
            say = Speaker(job.name)
            try:
                row = run.job(job, say)
            except (fit.Failed, UserError) as error:
                if isinstance(error.__cause__, OSError) or (
                    distributed.world() > 1 and fit.memory_ran_out(error.__cause__)
                ):
                    # a full disk, say: no model's fault, and the next one would meet it too; or one that the other
                    # processes wait for
                    raise
                run.journal.finish(job, str(error))
                print(f"{job.name}: left out: {error}", file=sys.stderr, flush=True)
                progress.advance(f"{job.name}: left out")
                continue
            run.journal.finish(job)
            progress.advance(
                f"{job.name}: accuracy {row['accuracy']:.3f}, log loss {row['log_loss']:.3f}, "
                f"{row['seconds_per_epoch']:.1f} s an epoch"
            )
    failed, done = run.journal.failed, len(run.jobs) - len(run.journal.failed)
    if done and failed and not distributed.rank():
        run.sidecars()
    if not distributed.rank():
        run.journal.close()
    if not done:
        raise UserError(f"no model could be trained; {failed[0]['model']}: {failed[0]['reason']}")
    if distributed.rank():
        return run.csv
    if contract.found():  # the photos stay where they are; scripts.train.mistakes shows them from the tables
        return run.csv
    from scripts.train import mistakes

    mistakes.write(run.sets[max(run.sets)][0], run.csv, CHARTS if options.out == DATA else options.out)
    return run.csv


class Speaker:
    """Says how one model is doing, at most every half a minute; memory that ran out and resumed runs at once."""

    def __init__(self, name: str, every: float = 30.0):
        self.name, self.every, self.last = name, every, time.monotonic()

    def __call__(self, text: str) -> None:
        if time.monotonic() - self.last >= self.every or not text.startswith("epoch"):
            self.last = time.monotonic()
            print(f"{self.name}: {text}", file=sys.stderr, flush=True)


@cli
def main() -> None:
    home = contract.found()
    try:
        path = train(arguments())
    except BaseException as error:  # whatever it is, the job's owner wants to know why
        if home and not (isinstance(error, SystemExit) and not error.code):
            home.fail(str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}")
        raise
    from scripts.train import distributed

    if distributed.rank():
        return
    if home:
        home.hand_over()
    frame = results.summary(results.read(path)).sort_values("accuracy", ascending=False)
    spread = [f"± {sd:.3f}" if seeds > 1 else "" for sd, seeds in zip(frame["accuracy_sd"], frame["seeds"])]
    shown = frame[["model", "weights", "img_size", "epochs", "seeds", "accuracy"]].assign(
        over_seeds=spread, log_loss=frame["log_loss"].round(3), seconds_per_epoch=frame["seconds_per_epoch"].round(2)
    )
    print(shown.round({"accuracy": 3}).to_string(index=False))
    print(f"{len(frame)} models in {path}")


if __name__ == "__main__":
    sys.exit(main())
