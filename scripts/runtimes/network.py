"""A network as the runtimes take it: a PyTorch module, an ONNX file, or either made from the other's place.

of_timm("resnet18")                    # random weights from a seed: for speed
of_module("pets", module, size=224)    # one that is trained
of_folder("models/pets")               # its model.onnx; torch is not needed to run it
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.common.errors import UserError
from scripts.common.sealed import MAX_TEXT, REMEDY, checksums, verified
from scripts.runtimes import kinds, store

if TYPE_CHECKING:
    from torch import nn

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CANNOT = "cannot be exported as ONNX"


class NotExportable(UserError):
    """The network has no ONNX file; the message says why, and what runs it instead."""


@dataclass
class Network:
    """name: for people; size: pixels a side; margin: the picture's shorter side over `size` before the centre is cut.

    build: gives the module, in evaluation mode, when it is first needed; None where there is an ONNX file alone.
    identity: the same for the same network with the same weights. classes: their names, () where nobody says.
    """

    name: str
    size: int
    mean: tuple[float, ...] = IMAGENET[0]
    std: tuple[float, ...] = IMAGENET[1]
    margin: float = 8 / 7
    build: Callable[[], nn.Module] | None = None
    content: bytes | None = None
    identity: str = ""
    classes: tuple[str, ...] = ()
    export_seconds: float = 0.0

    @functools.cached_property
    def module(self) -> nn.Module | None:
        return self.build() if self.build else None

    def onnx(self) -> bytes:
        """The ONNX file, exported once a machine and kept in the cache. Raises NotExportable."""
        if self.content is None:
            key = {"what": "onnx", "network": self.identity, "torch": kinds.versions().get("torch", "")}
            folder = store.kept(key, lambda: {"model.onnx": self._export()})
            self.content = (folder / "model.onnx").read_bytes()
            self.export_seconds = store.read(folder)["seconds"]
        return self.content

    def _export(self) -> bytes:
        from scripts.runtimes.onnx_file import to_onnx

        try:
            return to_onnx(self.module, self.size)
        except ImportError as error:
            raise NotExportable(
                f"{self.name}: {CANNOT}: {error.name} is not installed; --runtime eager runs it"
            ) from None
        except Exception as error:  # torch's exporters have a dozen kinds of their own
            reason = " ".join(str(error).split())[:120] or type(error).__name__
            raise NotExportable(f"{self.name}: {CANNOT} ({reason}); --runtime compile or eager runs it") from None


def of_module(name: str, module: nn.Module, size: int, **facts) -> Network:
    """A network from a module on the CPU; its identity is that of its weights and its structure."""
    module = module.eval()
    digest = hashlib.sha256(f"{name} {size} {module}".encode())
    for key, value in module.state_dict().items():
        digest.update(key.encode())
        digest.update(value.detach().contiguous().flatten().numpy().tobytes())
    return Network(name, size, build=lambda: module, identity=digest.hexdigest()[:32], **facts)


def of_timm(name: str, img_size: int | None = None, seed: int = 0) -> Network:
    """timm's network with random weights of `seed`, at `img_size` or the size that timm tests it at."""
    import timm
    import torch

    config = timm.models.get_pretrained_cfg(name)
    own = (config.test_input_size or config.input_size)[-1] if config else 224
    size = img_size or own
    fixed = {"img_size": size} if config and config.fixed_input_size and size != config.input_size[-1] else {}

    def build() -> nn.Module:
        torch.manual_seed(seed)
        return timm.create_model(name, **fixed).eval()

    mean, std = (tuple(config.mean), tuple(config.std)) if config else IMAGENET
    identity = f"{name} {size}px seed {seed} timm {timm.__version__} torch {torch.__version__}"
    margin = 1 / config.crop_pct if config and config.crop_pct else 8 / 7
    return Network(name, size, mean, std, margin, build, identity=identity)


def of_folder(folder: Path | str) -> Network:
    """The ONNX file of an exported model, once its checksum holds. Raises UserError: damaged, another version, none."""
    folder = Path(folder)
    sums = checksums(folder)
    try:
        config = json.loads(verified(folder, "config.json", sums, MAX_TEXT))
        size, classes = int(config["size"]), tuple(map(str, config["classes"]))
        mean, std = tuple(map(float, config["mean"])), tuple(map(float, config["std"]))
        margin = float(config["margin"])
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        raise UserError(f"{folder / 'config.json'}: not the configuration of an exported model; {REMEDY}") from None
    if "model.onnx" not in sums:
        raise NotExportable(f"{folder}: has no model.onnx, its network {CANNOT}; --runtime eager runs it")
    content = verified(folder, "model.onnx", sums)
    identity = hashlib.sha256(content).hexdigest()[:32]
    name = folder.resolve().name
    return Network(name, size, mean, std, margin, content=content, identity=identity, classes=classes)


def side(network: Network) -> int:
    """Pixels of the square from which the centre is cut: 224 at a margin of 8/7 is 256."""
    return math.ceil(round(network.size * network.margin, 6))
