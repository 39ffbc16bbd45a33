"""An exported model: a folder that can be handed on, and loaded without running anything in it.

    models/pets/model.safetensors   the weights, and nothing but numbers
               /config.json         architecture, classes, size, normalisation, how it was trained
               /model.onnx          for ONNX runtimes, where the architecture allows it
               /model.pkl           a fastai Learner, as the course makes; opening it runs whatever it holds
               /SHA256SUMS          sha256sum -c SHA256SUMS

`load` believes nothing: checksums first, then config.json by its schema, the network built from its name, and the
weights from safetensors, every tensor with the shape that the network has. A checksum in the same folder finds damage
and mix-ups; against someone who rewrites the folder it is no protection, which is why the pickle stays shut without
--trust-pickle.

    python -m scripts.train.exported models/pets               # check a model and say what it is
    python -m scripts.train.exported models/pets --onnx-check PHOTO…     # largest difference between ONNX and PyTorch
"""

from __future__ import annotations

import argparse
import io
import json
import math
import re
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL.Image import Image, fromarray
from torch import Tensor, nn

from scripts.common.errors import UserError, cli, printable
from scripts.common.paths import make_folder, relative, writing
from scripts.common.sealed import MAX_TEXT as MAX_CONFIG, REMEDY, checksums, seal, verified
from scripts.runtimes.onnx_file import onnx_difference, to_onnx
from scripts.train import photos, probed_network
from scripts.train.fastai_network import fastai_network

SCHEMA = 1
BUILDERS = ("fastai", "zoo", probed_network.NAME, probed_network.STAGES)
MAX_NAME = 1024  # letters of a class: a folder has 255 bytes, and one that is no UTF-8 is written as four letters
WEIGHTS, CONFIG, PICKLE, ONNX = "model.safetensors", "config.json", "model.pkl", "model.onnx"
MAX_HEADER = 16 * 2**20  # bytes of a safetensors file beside the numbers
MAX_DEPTH = 8  # of what config.json says of the training
JOINERS = dict.fromkeys(map(ord, "\u200c\u200d"))  # invisible, and part of words in Persian and many scripts of India
WAIT = 60  # seconds for another run to write the same model, which takes one
ONNX_TOLERANCE = 1e-3  # of a probability; fp32 convolutions summed in another order differ by about 1e-6


@dataclass(frozen=True)
class Config:
    """What config.json says. builder: 'probed' (timm body, one linear layer), 'stages' (that layer on all its stages),
    'fastai' (timm body, fastai's head) or 'zoo' (scripts.train.models); size: pixels a side.

    A photo's shorter side is scaled to `margin` times `size`, the central size×size is divided by 255 and normalised
    by mean and std.
    """

    arch: str
    classes: tuple[str, ...]
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    builder: str = "zoo"
    margin: float = 8 / 7
    weights: str = "scratch"  # or the tag of the pretrained weights it started from
    trained: dict = field(
        default_factory=dict
    )  # dataset, counts, epochs, seed, error_rate: for people, not for loading

    @property
    def side(self) -> int:
        return math.ceil(round(self.size * self.margin, 6))  # rounded: 224·8/7 is 256, not 257


@dataclass
class Exported:
    """A loaded model, in evaluation mode. name: of its folder."""

    name: str
    config: Config
    model: nn.Module
    folder: Path

    def pixels(self, image: Image) -> Tensor:
        """An RGB Pillow image as the network's input, float32 (1, 3, size, size)."""
        return preprocess(photos.square(image, self.config.side), self.config)

    @torch.inference_mode()
    def probabilities(self, pixels: Tensor) -> np.ndarray:
        """float32 (n, classes)."""
        return self.model(pixels).float().softmax(1).numpy()


def preprocess(square: np.ndarray, config: Config) -> Tensor:
    """uint8 (3, side, side) -> float32 (1, 3, size, size), as the model was validated."""
    top = (config.side - config.size) // 2
    cropped = (
        torch.from_numpy(np.ascontiguousarray(square[:, top : top + config.size, top : top + config.size])).float()
        / 255
    )
    return ((cropped - torch.tensor(config.mean)[:, None, None]) / torch.tensor(config.std)[:, None, None])[None]


# --- the network ------------------------------------------------------------------------------------------------------


def build(config: Config) -> nn.Module:
    """The untrained network that `config` names. Raises UserError for an unknown one, or one that refuses its size."""
    from scripts.train import models

    entry = models.find(config.arch)
    if config.builder == "zoo":
        return models.build(entry, len(config.classes), config.size).model
    if entry.build:
        raise UserError(
            f"{config.arch}: not an architecture of timm's, so fastai can't train it; choose another --arch"
        )
    try:
        if config.builder == "fastai":
            return fastai_network(entry.arch, len(config.classes), config.size)
        stages = config.builder == probed_network.STAGES
        return probed_network.probed_network(entry.arch, len(config.classes), config.size, stages)
    except (RuntimeError, ValueError, AssertionError, TypeError, AttributeError) as error:
        raise UserError(
            f"{config.arch}: does not take {config.size} pixels ({str(error).splitlines()[0][:80]}); choose another "
            "size"
        ) from None


# --- writing ----------------------------------------------------------------------------------------------------------


def save(
    folder: Path,
    model: nn.Module,
    config: Config,
    pickle: bytes | None = None,
    examples: Iterable[Image] = (),
    sample: Tensor | None = None,
    onnx: bool = True,
) -> list[str]:
    """Write the folder. sample: normalised photos (n, 3, size, size) to check ONNX on. Returns what to tell the user.

    Raises UserError (full disk, no permission, another run at the same folder); the old model then is whole.
    """
    from safetensors.torch import save as to_bytes

    model = model.cpu().eval()
    said, files = [], {}
    make_folder(folder)
    files[WEIGHTS] = to_bytes({name: value.contiguous() for name, value in model.state_dict().items()})
    files[CONFIG] = (json.dumps({"schema": SCHEMA, **asdict(config)}, indent=2, ensure_ascii=False) + "\n").encode()
    if pickle is not None:
        files[PICKLE] = pickle
    try:
        if onnx:
            content = to_onnx(model, config.size)
            difference = onnx_difference(content, model, sample) if sample is not None else 0.0
            files[ONNX] = content
    # the exporter has errors of its own for what it can't express; onnx or onnxruntime may not be installed
    except Exception as error:
        said.append(f"no ONNX file: {config.arch} cannot be exported or checked here ({type(error).__name__})")
    if ONNX in files and sample is not None:
        said.append(
            f"ONNX against PyTorch on {len(sample)} real photos: probabilities differ by at most {difference:.1e}"
        )
        if not difference <= ONNX_TOLERANCE:
            del files[ONNX]
            said.append(f"no ONNX file: that is more than {ONNX_TOLERANCE:g}")
    pictures = {f"examples/{number}.jpg": _jpeg(picture) for number, picture in enumerate(examples, 1)}
    with writing(folder, WAIT):
        if pictures:
            make_folder(folder / "examples")
        seal(folder, files, pictures)
        for old in (folder / PICKLE, folder / ONNX, *folder.glob("examples/*.jpg")):
            if old.relative_to(folder).as_posix() not in {**files, **pictures}:
                old.unlink(missing_ok=True)
    return said


def _jpeg(picture: Image) -> bytes:
    """A photo for the web app to offer, written anew, so that nothing but the picture is kept."""
    buffer = io.BytesIO()
    # pixels alone: Pillow hands a photo's comment on
    fromarray(np.asarray(picture)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


# --- reading ----------------------------------------------------------------------------------------------------------


def read_config(content: bytes, where: Path) -> Config:
    """config.json by its schema. Raises UserError naming what is wrong."""

    def wrong(what: str) -> UserError:
        return UserError(f"{where}: {what}; {REMEDY}")

    try:
        raw = json.loads(content)
    except (ValueError, RecursionError):
        raise wrong("not JSON") from None
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        raise wrong(
            f"schema {str(raw.get('schema'))[:40]}, this version knows {SCHEMA}"
            if isinstance(raw, dict)
            else "not a configuration"
        )
    classes, size = raw.get("classes"), raw.get("size")
    if not (isinstance(raw.get("arch"), str) and re.fullmatch(r"[a-z0-9_]{1,80}(\.[a-z0-9_]{1,80})?", raw["arch"])):
        raise wrong("'arch' is not the name of an architecture")
    if not (
        isinstance(classes, list)
        and 2 <= len(classes) <= 10_000
        and all(isinstance(name, str) and 0 < len(name) <= MAX_NAME for name in classes)
        and len(set(classes)) == len(classes)
    ):
        raise wrong("'classes' is not a list of two or more different names")
    if not all(name.translate(JOINERS).isprintable() for name in classes):
        raise wrong("'classes' has a name with characters that are not to be seen")
    if not (isinstance(size, int) and not isinstance(size, bool) and photos.MIN_SIDE <= size <= 2048):
        raise wrong("'size' is not a number of pixels from 8 to 2048")
    for name in ("mean", "std"):
        values = raw.get(name)
        if not (
            isinstance(values, list)
            and len(values) == 3
            and all(_number(value, *((-1e3, 1e3) if name == "mean" else (1e-6, 1e3))) for value in values)
        ):
            raise wrong(f"{name!r} is not three numbers{' over 0' if name == 'std' else ''} of at most 1,000")
    if not _number(margin := raw.get("margin"), 1, 2):
        raise wrong("'margin' is not a number from 1 to 2")
    if raw.get("builder") not in BUILDERS:
        raise wrong(f"'builder' is none of {', '.join(BUILDERS)}")
    trained = raw.get("trained")
    if not _shallow(trained):
        raise wrong("'trained' is nested deeper than any of ours")
    return Config(
        raw["arch"],
        tuple(classes),
        size,
        tuple(map(float, raw["mean"])),
        tuple(map(float, raw["std"])),
        raw["builder"],
        float(margin),
        printable(str(raw.get("weights", ""))[:80]),
        trained if isinstance(trained, dict) else {},
    )


def _number(value, least: float, most: float) -> bool:
    """Whether it is a number from `least` to `most`; one of 400 digits can be compared, but not turned into a float."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most


def _shallow(value, depth: int = 0) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth <= MAX_DEPTH and all(_shallow(one, depth + 1) for one in inner)


def load(folder: Path | str, trust_pickle: bool = False) -> Exported:
    """The exported model in `folder`, for the CPU. Raises UserError for anything that isn't as it was exported; nothing
    of it then ran.

    trust_pickle: take the network out of model.pkl instead, after its checksum held. That runs code from the file, and
    needs fastai.
    """
    folder = Path(folder)
    sums = checksums(folder)
    config = read_config(verified(folder, CONFIG, sums, MAX_CONFIG), folder / CONFIG)
    if trust_pickle:
        return Exported(folder.resolve().name, config, _unpickle(folder, sums), folder)
    from safetensors.torch import load as from_bytes

    with torch.device("meta"):  # shapes without memory: a line in config.json may name a network of 17 GB
        wanted = {name: tuple(value.shape) for name, value in build(config).state_dict().items()}
    most = MAX_HEADER + sum(8 * math.prod(shape) for shape in wanted.values())
    content = verified(folder, WEIGHTS, sums, most)
    try:
        weights = from_bytes(content)
    except Exception as error:
        raise UserError(f"{folder / WEIGHTS}: not a safetensors file ({type(error).__name__}); {REMEDY}") from None
    if {name: tuple(value.shape) for name, value in weights.items()} != wanted:
        raise UserError(
            f"{folder / WEIGHTS}: not the weights of {config.arch} with {len(config.classes)} classes; {REMEDY}"
        )
    model = build(config)
    model.load_state_dict(weights)
    return Exported(folder.resolve().name, config, model.eval(), folder)


def _unpickle(folder: Path, sums: dict[str, str]) -> nn.Module:
    content = verified(folder, PICKLE, sums)
    try:
        from fastai.learner import load_learner

        return load_learner(io.BytesIO(content), cpu=True).model.eval()
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{folder / PICKLE}: not a fastai Learner ({type(error).__name__}); {REMEDY}") from None


@cli
def main() -> None:
    parser = argparse.ArgumentParser(description="Check an exported model and say what it is.")
    parser.add_argument("model", type=Path, help="its folder, such as models/pets")
    parser.add_argument(
        "--onnx-check", nargs="+", type=Path, metavar="PHOTO", help="compare model.onnx with PyTorch on these photos"
    )
    parser.add_argument("--trust-pickle", action="store_true", help="load model.pkl, which may run anything")
    arguments = parser.parse_args()
    exported = load(arguments.model, arguments.trust_pickle)
    sums = checksums(arguments.model)
    for name in sums:
        verified(arguments.model, name, sums)
    config = exported.config
    print(
        f"{relative(arguments.model)}: {config.arch}, {len(config.classes)} classes "
        f"({', '.join(config.classes[:8])}), {config.size} pixels, "
        f"{len(sums)} files as exported"
    )
    if arguments.onnx_check:
        try:
            sample = torch.cat(
                [exported.pixels(photos.decode(path.read_bytes(), config.side)) for path in arguments.onnx_check]
            )
        except (OSError, photos.Refused) as error:
            raise UserError(f"a photo cannot be read ({error}); choose others") from None
        difference = onnx_difference(verified(arguments.model, ONNX, sums), exported.model, sample)
        print(f"ONNX against PyTorch on {len(sample)} photos: probabilities differ by at most {difference:.1e}")


if __name__ == "__main__":
    sys.exit(main())
