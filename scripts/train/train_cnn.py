"""The plain convnet on cats and dogs: three convolution stages, the last applied four times with shared weights, as it
was and by the zoo's recipe.

    # as it was: Adam 1e-4, batches of 32, 20 epochs, 224 pixels
    python -m scripts.train.train_cnn --data FOLDER --device cuda
    # the recipe of scripts/train/recipe.py, 60 epochs
    python -m scripts.train.train_cnn --data FOLDER --device cuda --recipe zoo
    python -m scripts.train.train_cnn --data FOLDER --limit 100 --epochs 2           # shows on a CPU that it runs
    # the layers, as torchinfo counts them
    python -m scripts.train.train_cnn --summary

Writes report/data/cnn-<dataset>-<recipe>-<hardware>.csv (one row: losses and accuracies on training and test photos,
sizes, seconds) and …-history.csv by epoch, each with a sidecar, and exports the network to models/cnn; --summary
writes report/data/cnn-summary.csv. A run that was stopped goes on when the command is given again. At 224 pixels a
photo takes 13.6 G multiply-adds, three times that to learn from: `train_images_per_sec` of a run with --limit 24
--epochs 1 says how long all of yours will take.

"As it was" is what is known of the original run: the network, Adam at 1e-4, batches of 32, 20 epochs. Its augmentation
is not known, so there is none but mirroring here. A tenth of the training photos is kept for validation; the test
photos are looked at once.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import json
import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from scripts.common import device as devices, hardware, provenance
from scripts.common.errors import UserError, cli
from scripts.common.paths import CACHE, DATA, local, make_folder, relative
from scripts.common.progress import Progress
from scripts.train import results, runs, tracking

NAME = "sharedconvnet"
# The original run, on 8,000 training photos: what the page compares with.
REFERENCE = {
    "train_images": 8000,
    "train_loss": 0.1495,
    "test_loss": 0.1815,
    "train_accuracy": 0.93,
    "test_accuracy": 0.93,
    "epochs": 20,
    "size": 224,
}
RECIPES = {"original": {"epochs": 20, "batch": 32, "lr": 1e-4}, "zoo": {"epochs": 60}}
CHECKED = 8  # test photos that the ONNX file is checked on
PLAIN = {"weight_decay": 0.0, "smoothing": 0.0, "warmup": 0.0, "scale": 1.0, "ratio": 1.0, "colour": 0.0, "clip": 0.0}


def load_data(data: str, size: int, limit: int):
    """The dataset in squares of exactly `size` pixels (no margin: the whole photo is seen), `limit` training photos
    a class (0: all).
    """
    from scripts.train import datasets

    dataset = datasets.load(data, size * 7 // 8)
    side = dataset.pixels.shape[-1]
    dataset = dataclasses.replace(dataset, size=side)
    if limit:
        rng = np.random.default_rng(0)
        keep = np.sort(
            np.concatenate(
                [
                    rng.permutation(np.flatnonzero((dataset.labels == label) & (dataset.test == test)))[:limit]
                    for label in range(len(dataset.classes))
                    for test in (False, True)
                ]
            )
        )
        dataset = dataclasses.replace(
            dataset,
            pixels=dataset.pixels[keep],
            labels=dataset.labels[keep],
            test=dataset.test[keep],
            files=[dataset.files[row] for row in keep],
            paths=[dataset.paths[row] for row in keep] if dataset.paths else [],
        )
    return dataset


def trainer(recipe_name: str, model, dataset, recipe, seed: int, device: str, precision: str, checkpoint: Path, report):
    """The zoo's Trainer; for the original recipe with plain Adam at a constant rate instead of its optimiser and
    schedule.
    """
    import torch

    from scripts.train import fit

    class Original(fit.Trainer):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.optimizer = torch.optim.Adam(self.model.parameters(), lr=self.recipe.lr)
            self.schedule = torch.optim.lr_scheduler.ConstantLR(self.optimizer, factor=1.0)

    kind = Original if recipe_name == "original" else fit.Trainer
    return kind(model, dataset, recipe, seed, device, precision, checkpoint=checkpoint, report=report)


def scores(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """(log loss, accuracy) of float (n, classes) against (n,)."""
    chosen = np.clip(probabilities[np.arange(len(labels)), labels], 1e-7, 1.0)
    return float(-np.log(chosen).mean()), float((probabilities.argmax(1) == labels).mean())


def summary(size: int = 224, classes: int = 2) -> tuple[pd.DataFrame, dict]:
    """(a row per layer that runs: stage, kind, output, parameters, megabytes of output, mult_adds; the totals as
    torchinfo counts them).

    A layer that is used again has no parameters the second time, as in torchinfo's table. Megabytes are 10⁶ bytes.
    """
    import torchinfo

    from scripts.train.models import SharedConvNet

    found = torchinfo.summary(SharedConvNet(classes, size), (1, 3, size, size), verbose=0, device="cpu")
    rows = [
        {
            "stage": layer.parent_info.var_name,
            "kind": layer.class_name,
            "output": "×".join(map(str, layer.output_size[1:])),
            "parameters": 0 if layer.is_recursive else layer.num_params,
            "used_before": layer.is_recursive,
            "output_mb": math.prod(layer.output_size) * 4 / 1e6,
            "mult_adds": layer.macs,
        }
        for layer in found.summary_list
        if layer.is_leaf_layer
    ]
    totals = {
        "parameters": found.total_params,
        "mult_adds": found.total_mult_adds,
        "input_mb": found.total_input / 1e6,
        "forward_backward_mb": found.total_output_bytes / 1e6,
        "parameters_mb": found.total_param_bytes / 1e6,
        "total_mb": (found.total_input + found.total_output_bytes + found.total_param_bytes) / 1e6,
        "size": size,
        "classes": classes,
    }
    return pd.DataFrame(rows), totals


def write_summary() -> Path:
    rows, totals = summary()
    facts = provenance.sidecar(packages=("torch", "torchinfo"), totals=totals)
    return provenance.write_pair(rows.round({"output_mb": 3}), DATA / "cnn-summary.csv", facts)


def train(given: argparse.Namespace, device: str) -> dict:
    """Train, test, export, write the CSVs. Returns the row. Raises UserError."""
    import torch

    from scripts.train import exported, fit, homes, models, recipe as recipes
    from scripts.train.recipe import MEAN, STD, Recipe

    dataset = load_data(given.data, given.size, given.limit)
    limited = f"-{given.limit}" if given.limit else ""
    place = lambda name: DATA / f"cnn-{name}-{given.recipe}{limited}-{hardware.slug(device)}.csv"
    dataset = dataclasses.replace(dataset, name=results.own_name(dataset.name, dataset.checksum, place))
    print("\n".join(dataset.lines()), file=sys.stderr)
    side = dataset.size
    chosen = {name: getattr(given, name) or value for name, value in RECIPES[given.recipe].items()}
    extra = {name: getattr(given, name) for name in ("batch", "lr") if getattr(given, name)}
    recipe = Recipe(**{**(PLAIN if given.recipe == "original" else {}), **chosen, **extra})
    torch.manual_seed(given.seed)
    model = models.build(models.find(NAME), len(dataset.classes), side).model
    precision = given.precision or ("fp32" if given.recipe == "original" else fit.precision_for(device, model))
    facts = {
        "dataset": dataset.name,
        "recipe": given.recipe,
        "arch": NAME,
        "size": side,
        "seed": given.seed,
        "precision": precision,
        "epochs": recipe.epochs,
        "batch": recipe.batch,
        "lr": recipe.lr,
        "limit": given.limit,
    }
    key = hashlib.sha256(json.dumps([facts, dataset.checksum], sort_keys=True).encode()).hexdigest()[:16]
    checkpoint = make_folder(CACHE / "train") / f"cnn-{key}.pt"
    with (
        tracking.start(f"cnn-{given.recipe}", facts, given.tracker) as run,
        Progress(recipe.epochs, f"{NAME}, {given.recipe} recipe, {side} pixels") as progress,
    ):
        with contextlib.suppress(ImportError):  # a lent machine may do without torchinfo
            import torchinfo

            run.summary(str(torchinfo.summary(model, (1, 3, side, side), depth=2, verbose=0, device="cpu")))
        told = 0

        def report(text: str) -> None:
            nonlocal told
            new, told = trains.history[told:], len(trains.history)
            for number, loss in enumerate(trains.losses if new else [], start=(told - 1) * trains.steps):
                run.metrics({"loss": loss}, step=number)
            for row in new:
                run.metrics(
                    {name: row[name] for name in ("train_loss", "valid_loss", "valid_accuracy", "seconds")},
                    epoch=row["epoch"],
                )
            if text.startswith("epoch"):
                progress.advance(text)
            else:  # resumed, out of memory, not compiled
                progress.done = progress.first = told
                print(text, file=sys.stderr)

        trains = trainer(given.recipe, model, dataset, recipe, given.seed, device, precision, checkpoint, report)
        try:
            outcome = trains.run()
        except fit.Failed as error:
            raise UserError(f"{NAME}: {error}") from None
        test, train_rows = trains.test_rows.cpu().numpy(), trains.train_rows
        train_loss, train_accuracy = scores(
            trains.predict(train_rows).cpu().numpy(), dataset.labels[train_rows.cpu().numpy()]
        )
        test_loss, test_accuracy = scores(outcome.probabilities, dataset.labels[test])
        run.metrics(
            {"train_accuracy": train_accuracy, "test_loss": test_loss, "test_accuracy": test_accuracy},
            epoch=recipe.epochs,
        )
        counts = (
            pd.crosstab(dataset.labels[test], outcome.probabilities.argmax(1))
            .reindex(index=range(len(dataset.classes)), columns=range(len(dataset.classes)), fill_value=0)
            .to_numpy()
            .tolist()
        )
        run.confusion(counts, dataset.classes)
        row = {
            **facts,
            "train_images": len(train_rows),
            "valid_images": len(trains.valid_rows),
            "test_images": len(test),
            "train_loss": train_loss,
            "test_loss": test_loss,
            "train_accuracy": train_accuracy,
            "test_accuracy": test_accuracy,
            "train_seconds": outcome.train_seconds,
            "train_images_per_sec": outcome.history[-1]["images_per_sec"],
            "peak_memory_mb": outcome.peak_memory_mb,
        }
        config = exported.Config(
            NAME,
            tuple(dataset.classes),
            side,
            MEAN,
            STD,
            builder="zoo",
            margin=1.0,
            weights="scratch",
            trained={**{name: row[name] for name in row if name != "arch"}, "error_rate": {"test": 1 - test_accuracy}},
        )
        weights = trains.average.module if trains.average else trains.model
        seen = trains.test_rows[:: -(-len(test) // CHECKED)]
        for line in exported.save(
            given.out, weights.float(), config, sample=recipes.plain(trains.pixels.batch(seen), side).cpu()
        ):
            print(line, file=sys.stderr)
        run.file(given.out / exported.WEIGHTS)
    homes.remember(given.out, given.data)
    stem = place(dataset.name).stem
    sidecar = provenance.sidecar(
        device,
        ("torch", "timm", "torchinfo"),
        **{
            **dataset.facts(),
            "seed": given.seed,
            "size": side,
            "limit": given.limit,
            "recipe": dataclasses.asdict(recipe),
            "classes": dataset.classes,
            "confusion": counts,
        },
    )
    for name, frame in ((f"{stem}.csv", pd.DataFrame([row])), (f"{stem}-history.csv", pd.DataFrame(outcome.history))):
        provenance.write_pair(frame.map(results.significant), DATA / name, sidecar)
    checkpoint.unlink(missing_ok=True)
    if given.tracker != "none":
        runs.note(device)
    return row


@cli
def main() -> None:
    parser = argparse.ArgumentParser(description="Train the plain convnet with shared weights.")
    parser.add_argument("--data", help="a folder of photos, pets or digits")
    parser.add_argument("--recipe", choices=tuple(RECIPES), default="original")
    parser.add_argument("--epochs", type=int, default=0, help="default 20 (original) or 60 (zoo)")
    parser.add_argument(
        "--batch", type=int, default=0, help="default 32 (original), that of scripts/train/recipe.py (zoo)"
    )
    parser.add_argument(
        "--lr", type=float, default=0.0, help="default 1e-4 (original), that of scripts/train/recipe.py (zoo)"
    )
    parser.add_argument(
        "--size", type=int, default=224, help="pixels a side, a multiple of 64 or near it (default 224)"
    )
    parser.add_argument(
        "--precision", choices=("fp32", "bf16", "fp16"), help="default fp32 (original), the device's fastest (zoo)"
    )
    parser.add_argument("--limit", type=int, default=0, help="only so many training and test photos of each class")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=local, help="the model's folder (default models/cnn, see scripts.train.homes)")
    parser.add_argument("--tracker", choices=tracking.TRACKERS, default="local")
    parser.add_argument("--device", default="auto", help=devices.CHOICES)
    parser.add_argument(
        "--summary", action="store_true", help="only count layers and parameters, into report/data/cnn-summary.csv"
    )
    given = parser.parse_args()
    for name, low in (("epochs", 0), ("batch", 0), ("lr", 0.0), ("limit", 0), ("size", 64)):
        if not getattr(given, name) >= low:
            raise UserError(f"--{name} {getattr(given, name)}: at least {low}")
    if given.limit == 1:
        raise UserError(
            "--limit 1: each class needs a photo to learn from and another for validation; give 2 or more, or 0 for all"
        )
    if given.summary:
        print(relative(write_summary()))
        return
    if not given.data:
        raise UserError("which photos? name a folder with --data FOLDER (or --summary for the layers alone)")
    from scripts.train import distributed, homes

    given.out = given.out or homes.home("cnn", given.data)
    row = train(given, distributed.device(given.device))
    print(
        f"{relative(given.out)}: loss {row['train_loss']:.4f} on {row['train_images']:,} training photos and "
        f"{row['test_loss']:.4f} on "
        f"{row['test_images']:,} test photos, accuracy {row['train_accuracy']:.1%} and {row['test_accuracy']:.1%}"
    )


if __name__ == "__main__":
    sys.exit(main())
