"""Take in a fastai Learner that was exported elsewhere: from model.pkl to a folder that is safe to hand on.

    python -m scripts.train.learner model.pkl --trust-pickle --out models/mine --photos cat.jpg dog.jpg

Opening a pickle runs whatever it holds, so this asks for --trust-pickle. Classes, picture size and normalisation are
taken from the Learner, its network's numbers are put into one that is built from its name, and both must answer alike.
What comes out is an exported model like any other (scripts.train.exported): `make demo` explains its answers,
`python -m scripts.bench.runtimes` measures it, and nothing in the folder is run. Networks of timm's only, as
`vision_learner(dls, "convnext_tiny")` builds them: torchvision's have other parts.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import torch
from torch import nn

from scripts.common.errors import UserError, cli
from scripts.common.paths import relative
from scripts.common.words import counted
from scripts.train import exported, photos
from scripts.train.stages import Stages

TOLERANCE = 1e-4  # of a probability, on the same numbers
UNKNOWN = "this network is none of timm's with fastai's head; export it from vision_learner(dls, 'a timm name')"


def opened(path: Path):
    """The Learner in `path`. Runs code from the file. Raises UserError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); name a model.pkl") from None
    try:
        from fastai.learner import load_learner

        learner = load_learner(io.BytesIO(content), cpu=True)
        if not len(learner.dls.vocab):
            raise ValueError("it has no classes")
        return learner
    except Exception as error:  # a pickle can raise anything
        raise UserError(
            f"{path}: not a fastai Learner of pictures ({type(error).__name__}: {' '.join(str(error).split())[:120]})"
        ) from None


def config_of(learner, path: Path) -> exported.Config:
    """What the Learner says of itself. Raises UserError where it is not the kind that can be built again."""
    from fastai.vision.all import CropPad, Normalize, RandomResizedCrop, Resize

    body = next(iter(learner.model.children()), None)
    every = type(body).__name__ == Stages.__name__  # one of ours, whose class came along in the file
    inner = body.network if every else getattr(body, "model", body)
    arch = str((getattr(inner, "default_cfg", None) or {}).get("architecture", ""))
    if not arch:
        raise UserError(f"{path}: {UNKNOWN}")
    builder = "fastai" if inner is not body else exported.probed_network.NAME
    builder = exported.probed_network.STAGES if every else builder
    items = [one for one in learner.dls.after_item.fs if isinstance(one, (Resize, CropPad, RandomResizedCrop))]
    last = [one for one in items if getattr(one, "split_idx", None) != 0]
    batch = [one for one in learner.dls.after_batch.fs if hasattr(one, "size") and one.size]
    normalise = [one for one in learner.dls.after_batch.fs if isinstance(one, Normalize)]
    if not (last or batch):
        raise UserError(f"{path}: its Learner scales no picture, so the size is unknown; add Resize to item_tfms")
    height, width = _pair((batch or last)[-1].size)
    if height != width:
        raise UserError(f"{path}: its pictures are {width}×{height}; only squares can be exported")
    first = _pair(last[0].size)[0] if last and not batch else width
    mean, std = ((0.0,) * 3, (1.0,) * 3)
    if normalise:
        mean, std = (tuple(map(float, values.flatten().tolist())) for values in (normalise[-1].mean, normalise[-1].std))
    vocab = tuple(str(name) for name in learner.dls.vocab)
    return exported.Config(arch, vocab, int(width), mean, std, builder, max(1.0, first / width), "unknown")


def _pair(size) -> tuple[int, int]:
    values = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    return int(values[0]), int(values[-1])


def rebuilt(learner, config: exported.Config, path: Path) -> nn.Module:
    """The Learner's numbers in a network that is built from its name, which answers as it does. Raises UserError."""
    model = exported.build(config)
    theirs, ours = learner.model.cpu().eval().state_dict(), model.state_dict()
    if [tuple(value.shape) for value in theirs.values()] != [tuple(value.shape) for value in ours.values()]:
        raise UserError(f"{path}: {UNKNOWN}")
    model.load_state_dict(dict(zip(ours, theirs.values(), strict=True)))
    model.eval()
    sample = torch.rand(2, 3, config.size, config.size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        off = float((model(sample).softmax(1) - torch.as_tensor(learner.model(sample)).softmax(1)).abs().max())
    if not off <= TOLERANCE:
        raise UserError(f"{path}: built again as {config.arch}, it answers otherwise (by {off:.1e}); {UNKNOWN}")
    return model


def take_in(path: Path, out: Path, files: list[Path]) -> list[str]:
    """Write the folder `out`. files: photos to compare the Learner's own answers on. Returns what to tell the user."""
    learner = opened(path)
    config = config_of(learner, path)
    model = rebuilt(learner, config, path)
    try:
        pictures = [photos.decode(file.read_bytes(), config.side) for file in files]
    except (OSError, photos.Refused) as error:
        raise UserError(f"a photo cannot be read ({error}); choose others") from None
    pixels = [exported.preprocess(photos.square(picture, config.side), config) for picture in pictures]
    said = exported.save(out, model, config, sample=torch.cat(pixels) if pixels else None)
    if files:
        back = exported.load(out)
        same, most = 0, 0.0
        for file, one in zip(files, pixels):
            with learner.no_bar():
                theirs = learner.predict(file)[2]
            ours = back.probabilities(one)[0]
            same += int(ours.argmax() == int(theirs.argmax()))
            most = max(most, float(abs(torch.from_numpy(ours) - theirs).max()))
        said.append(
            f"the same class as the Learner on {same} of {counted(len(files), 'photo')}, probabilities differ by at "
            f"most {most:.2f} (it scales pictures otherwise)"
        )
    return [
        f"{relative(out)}: {config.arch}, {len(config.classes)} classes, {config.size} pixels; try it with: make demo "
        f"MODEL={relative(out)}",
        *said,
    ]


@cli
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Take in a fastai Learner that was exported elsewhere.")
    parser.add_argument("pickle", type=Path, metavar="MODEL.PKL")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write, such as models/mine")
    parser.add_argument("--photos", nargs="+", type=Path, default=[], metavar="PHOTO", help="compare answers on these")
    parser.add_argument("--trust-pickle", action="store_true", help="open it, which may run anything")
    given = parser.parse_args(argv)
    if not given.trust_pickle:
        raise UserError(f"{given.pickle}: opening a pickle runs what it holds; say --trust-pickle if you trust it")
    for line in take_in(given.pickle, given.out, given.photos):
        print(line)


if __name__ == "__main__":
    sys.exit(main())
