"""Training that begins where `make choose` ends: a pretrained network, frozen, with a probe as its classifier.

The probe is fitted in seconds (scripts.train.probe) and becomes one linear layer behind the network's pooled features,
or behind those of its earlier stages, too, where these know better (scripts.train.stages).
Fine-tuning starts from it (Kumar et al. 2022, arXiv:2202.10054: a random classifier would first spoil the features), on
smaller pictures than the network is used at where it takes any size (Touvron et al. 2019, arXiv:1906.06423: crops make
things look larger in training). What is better on the validation photos is kept.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits
from torch import nn

from scripts.common import hardware
from scripts.common.errors import UserError
from scripts.runtimes import network as networks
from scripts.train import choice, features, models, probe, stages, weights
from scripts.train.datasets import Dataset
from scripts.train.probed_network import with_head

SMALLER, STEP = 0.72, 32  # pictures in training, of the size in use, in whole steps


class Start(NamedTuple):
    """What training starts from. source: None for scratch; said: why it is this one, for the user."""

    arch: str
    size: int
    source: weights.Source | None
    said: str


class Probed(NamedTuple):
    """model: the network with the probe that learned from the training photos as classifier; head: that probe.

    valid: (n, classes), its probabilities for the validation photos; loss and wrong: on them; seconds: for all of it;
    network: what the runtimes had, without a classifier; crossed: error rates on the training photos by
    cross-validation, of a probe on the features and, where the network shows them, of one on its stages, too.
    """

    model: nn.Sequential
    head: probe.Head
    extractor: features.Extractor
    network: networks.Network
    valid: np.ndarray
    train_loss: float
    loss: float
    wrong: float
    seconds: float
    crossed: dict[str, float]

    @property
    def stages(self) -> int:
        """How many of the network's stages the probe looks at beside its features."""
        body = self.model[0]
        return len(body.blocks) - 1 if isinstance(body, stages.Stages) else 0

    def answers(self, dataset: Dataset, rows: np.ndarray) -> np.ndarray:
        """float32 (n, classes), the probe's probabilities for the photos `rows`."""
        known = extract(self.extractor, dataset, rows)
        return self.head.probabilities(known[:, : len(self.head.weight)])


def decide(arch: str, size: int, pretrained: str, folder: Path | None, checksum: str, default: Start) -> Start:
    """The network to train. arch '' and size 0: what `make choose` found on these photos, else the best embedded one.

    default: what to train from scratch. Raises UserError as weights.choose does.
    """
    if pretrained == "no":
        return default
    if not arch and (chosen := choice.of(checksum)) is not None:
        best = chosen.best
        try:
            source, _ = weights.find(str(best["backbone"]), folder)
        except UserError:  # a colour histogram
            source = None
        if source is not None and best["weights"] == source.tag:
            pixels = size or int(best["img_size"])
            return Start(source.arch, pixels, source, "the best on these photos by make choose")
    wanted = arch or weights.embedded_for(size) or default.arch
    picked = weights.choose(wanted, size, pretrained, folder)
    if picked.source is None:
        return default._replace(said=picked.reason.partition(": ")[2])
    return Start(
        picked.arch, size or weights.own_size(picked.source), picked.source, picked.reason and f"since {picked.reason}"
    )


def backbone(source: weights.Source, size: int, every: bool = False) -> features.Backbone:
    """The network of `source` for pictures of `size` pixels, downloaded when it is first used; also choose's. every:
    with its stages (scripts.train.stages), where it shows them.
    """
    import timm

    from scripts.data.pretraining import pretraining

    full = f"{source.arch}.{source.tag}" if source.tag else source.arch
    name = source.arch if source.arch in weights.EMBEDDED else full
    cfg = timm.models.get_pretrained_cfg(full)

    def make() -> networks.Network:
        module = weights.network(source, 0, **models.find(source.arch).options(size))
        module = stages.shown(module, size) if every else module
        return networks.of_module(name, module, size, mean=tuple(cfg.mean), std=tuple(cfg.std))

    shown = f"{name}, its stages" if every else name
    return features.Backbone(shown, size, source.tag, weights.digest(source), make, pretraining(full), source.bytes)


def begin(dataset: Dataset, rows: tuple[np.ndarray, np.ndarray], start: Start, device: str = "cpu") -> Probed:
    """Features of the training and validation photos, kept in the cache, and the probe on them: on those of all stages
    where that errs on fewer of the training photos, each judged by a probe that didn't see it. Raises UserError.
    """
    began = time.monotonic()
    train, valid = rows
    extractor = features.Extractor(backbone(start.source, start.size, every=True), device, hardware.cores())
    known = extract(extractor, dataset, np.concatenate([train, valid]))
    network, _ = extractor.running or extractor.start()
    labels, truth = dataset.labels[train], dataset.labels[valid]
    whole, own = network.module, known.shape[1]
    fitted = {}
    if isinstance(whole, stages.Stages):
        own = whole.blocks[0]  # its features stand first
        fitted["stages"] = whole, fit(known[: len(train)], labels, dataset, whole)
        whole = whole.network
    fitted["features"] = whole, fit(known[: len(train), :own], labels, dataset, whole)
    crossed = {name: float((one.probabilities.argmax(1) != labels).mean()) for name, (_, one) in fitted.items()}
    body, judged = fitted[min(sorted(crossed), key=crossed.get)]  # where they are as good, the features
    found = judged.head.probabilities(known[len(train) :, : len(judged.head.weight)])
    return Probed(
        with_head(body, judged.head),
        judged.head,
        extractor,
        network,
        found,
        surprise(judged.probabilities, labels),
        surprise(found, truth),
        float((found.argmax(1) != truth).mean()),
        time.monotonic() - began,
        crossed,
    )


def fit(known: np.ndarray, labels: np.ndarray, dataset: Dataset, body: nn.Module) -> probe.Judged:
    """A probe on `known`, what `body` gave for the photos."""
    classes = len(dataset.classes)
    share = np.bincount(labels, minlength=classes)
    weight = (1 / share[labels]) if share.max() >= 10 * share.min() else None
    fold = probe.folds(labels, np.arange(len(labels)))
    with threadpool_limits(1):
        if isinstance(body, stages.Stages):
            return probe.judge_blocks(known, body.blocks, labels, fold, classes, weight)
        return probe.judge(known, labels, fold, classes, weight)


def again(probed: Probed, dataset: Dataset, rows: np.ndarray) -> Probed:
    """The probe learned once more from `rows`: training and validation photos, once nothing is decided by these."""
    body = probed.model[0]
    known = extract(probed.extractor, dataset, rows)[:, : len(probed.head.weight)]
    head = fit(known, dataset.labels[rows], dataset, body).head
    return probed._replace(model=with_head(body, head), head=head)


def extract(extractor: features.Extractor, dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    """float32 (n, features) of the photos `rows`."""
    hashes = features.hashes(features.Rows(dataset.pixels, rows))
    missing = len(extractor.missing(hashes))
    if missing:
        print(f"{extractor.backbone.label}: features of {missing:,} photos", file=sys.stderr, flush=True)
    extractor.run(features.Rows(dataset.pixels, rows), hashes)
    return extractor.matrix(hashes)


def answers(model: nn.Module, network: networks.Network, dataset: Dataset, rows: np.ndarray, device: str) -> np.ndarray:
    """float32 (n, classes): probabilities of a fine-tuned `model` for the photos `rows`, in the fastest fp32 runtime.

    network: what it was before, for size and normalisation.
    """
    made = lambda: networks.of_module("fine-tuned", model, network.size, mean=network.mean, std=network.std)
    tuned = features.Backbone("fine-tuned", network.size, "", make=made)
    extractor = features.Extractor(tuned, device, hardware.cores(), keep=False, exact=True)
    return probe.softmax(extract(extractor, dataset, rows))


def surprise(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean cross entropy."""
    return float(-np.log(np.clip(probabilities[np.arange(len(labels)), labels], 1e-7, 1)).mean())


def smaller(model: nn.Module, size: int) -> int:
    """Pixels a side to fine-tune at: smaller than in use, where the network takes that."""
    import torch

    pixels = max(STEP, round(SMALLER * size / STEP) * STEP)
    try:
        with torch.inference_mode():
            model.eval()(torch.zeros(1, 3, pixels, pixels))
    except (RuntimeError, ValueError, AssertionError, IndexError):  # networks for one size have errors of their own
        return size
    return pixels
