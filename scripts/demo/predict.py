"""Ask an exported model about a photo: class probabilities, the time taken, and where in the photo the answer came
from.

Grad-CAM (Selvaraju et al. 2016, arXiv:1610.02391) where the network has square maps in its second half; the gradient of
the answer by the input's pixels (Simonyan et al. 2013, arXiv:1312.6034) for the others, such as plain vision
transformers.
"""

from __future__ import annotations

import math
import threading
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from scripts.common.errors import UserError
from scripts.demo import fastest
from scripts.demo.photo import (
    MAX_BYTES as MAX_BYTES,  # for those who ask a model: how a photo is opened, and what is none
    MAX_PIXELS as MAX_PIXELS,
    SHOWN,
    NotAPhoto,
    open_photo as open_photo,
    read_file as read_file,
)
from scripts.train import exported, photos

MIN_MAP = 4  # the smallest map that still says roughly where something is


class Answer(NamedTuple):
    """probabilities: class -> share, most likely first; milliseconds: network and heat map; heat: float (size,
    size), 0 to 1, or None; runtime: what computed it, for people.
    """

    probabilities: dict[str, float]
    milliseconds: float
    heat: np.ndarray | None
    method: str
    runtime: str = ""


class Layer(NamedTuple):
    """Where Grad-CAM looks: the output of a module at its `call`-th call in one pass (a shared one runs several
    times), from 0.
    """

    module: nn.Module
    call: int


class Predictor:
    """One exported model, ready to answer. Threads may share it; they take turns. Raises UserError where it can't
    be loaded or answers no number.

    runtime: see fastest.asked_for; 'auto' is PyTorch until `take_remembered`.
    """

    def __init__(self, folder: Path | str, trust_pickle: bool = False, runtime: str = "eager"):
        self.exported = exported.load(folder, trust_pickle)
        self.name, self.config, self.model = self.exported.name, self.exported.config, self.exported.model
        self.model.requires_grad_(False)
        self.lock, self.fast, self.chosen = threading.Lock(), None, fastest.Chosen(*fastest.EAGER)
        self.layer = find_layer(self.model, self.config.size)
        try:
            self.ask(
                Image.new("RGB", (SHOWN, SHOWN), "grey")
            )  # the first answer takes longer; nobody should wait for it
        except NotAPhoto:
            raise UserError(
                f"{folder}: gives no number for a grey picture, so its weights are damaged or were never trained; "
                "export it again"
            ) from None
        if runtime != "auto":
            self.chosen, self.fast = fastest.asked_for(self, runtime)

    def ask(self, image: Image.Image, heat: bool = True) -> Answer:
        """What the model says about an RGB image. Raises NotAPhoto where its answer is no number."""
        pixels = self.exported.pixels(image)
        with self.lock:
            started = time.perf_counter()
            if self.fast is not None:
                logits, found, method = self._quickly(pixels, heat)
            elif not heat:
                with torch.inference_mode():
                    logits, found, method = self.model(pixels), None, ""
            else:
                logits, found, method = self.where(pixels)
            milliseconds = 1e3 * (time.perf_counter() - started)
        shares = logits[0].detach().float().softmax(0)
        if not torch.isfinite(shares).all():
            raise NotAPhoto(
                f"The model {self.name} gives no number for this photo; its weights are damaged or were never trained."
            )
        order = shares.argsort(descending=True).tolist()
        return Answer(
            {self.config.classes[i]: float(shares[i]) for i in order},
            milliseconds,
            None if found is None else found.numpy(),
            method,
            self.chosen.label,
        )

    def take_remembered(self) -> None:
        """Answer in the runtime that was chosen on this machine, if one was and still can be had."""
        with self.lock:  # it looks at the maps of the network, which is not to answer meanwhile
            try:
                if chosen := fastest.remembered(self):
                    self.fast, self.chosen = fastest.made(self, chosen), chosen
            except (UserError, OSError):
                self.fast, self.chosen = None, fastest.Chosen(*fastest.EAGER)

    def where(self, pixels: Tensor) -> tuple[Tensor, Tensor, str]:
        """(logits, heat, method) in PyTorch."""
        return where(self.model, self.layer, pixels)

    def _quickly(self, pixels: Tensor, heat: bool) -> tuple[Tensor, Tensor | None, str]:
        """(logits, heat, method) in the runtime that was chosen."""
        if not heat:
            return torch.from_numpy(self.fast.outputs(pixels)[0]), None, ""
        logits, found = self.fast.ask(pixels)
        if found is None:
            return logits, input_gradient(self.model, pixels)[1], "input gradient"
        return logits, scaled(found, pixels.shape[-1]), "Grad-CAM"


def find_layer(model: nn.Module, size: int) -> Layer | None:
    """What Grad-CAM uses: the last output in the network's second half that is square maps of MIN_MAP pixels or
    more, or None.
    """
    calls: list[tuple[nn.Module, tuple]] = []

    def note(module, inputs, output):
        calls.append((module, tuple(output.shape) if isinstance(output, Tensor) else ()))

    handles = [module.register_forward_hook(note) for module in model.modules()]
    try:
        with torch.inference_mode():
            model(torch.zeros(1, 3, size, size))
    finally:
        for handle in handles:
            handle.remove()
    maps = [at for at, (_, shape) in enumerate(calls) if len(shape) == 4 and shape[2] == shape[3] >= MIN_MAP]
    if not maps or maps[-1] + 1 <= len(calls) / 2:
        return None
    module = calls[maps[-1]][0]
    return Layer(module, sum(other is module for other, _ in calls[: maps[-1]]))


def where(model: nn.Module, layer: Layer | None, pixels: Tensor) -> tuple[Tensor, Tensor, str]:
    """(logits, heat, method): Grad-CAM where there is a layer for it and some map speaks for the answer, else the
    input's gradient.
    """
    if layer is not None:
        logits, heat = grad_cam(model, layer, pixels)
        if heat.any():
            return logits, heat, "Grad-CAM"
    return *input_gradient(model, pixels), "input gradient"


def grad_cam(model: nn.Module, layer: Layer, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """(logits, heat): only what follows `layer` is differentiated, so it costs little more than the answer alone."""
    kept: list[Tensor] = []

    def cut(module, inputs, output):
        kept.append(output.detach().requires_grad_(len(kept) == layer.call))
        return kept[-1] if len(kept) <= layer.call + 1 else None

    handle = layer.module.register_forward_hook(cut)
    try:
        with torch.enable_grad():
            logits = model(pixels)
            (gradient,) = torch.autograd.grad(logits[0].max(), kept[layer.call])
    finally:
        handle.remove()
    weights = gradient.mean((2, 3), keepdim=True)
    return logits, scaled((weights * kept[layer.call].detach()).sum(1, keepdim=True).clamp_min(0), pixels.shape[-1])


def input_gradient(model: nn.Module, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """(logits, heat): how much the answer moves with each pixel, smoothed over a sixteenth of the picture."""
    pixels = pixels.clone().requires_grad_(True)
    with torch.enable_grad():
        logits = model(pixels)
        (gradient,) = torch.autograd.grad(logits[0].max(), pixels)
    blur = max(1, pixels.shape[-1] // 16) | 1
    return logits, scaled(F.avg_pool2d(gradient.abs().amax(1, keepdim=True), blur, 1, blur // 2), pixels.shape[-1])


def scaled(heat: Tensor, size: int) -> Tensor:
    """(1, 1, h, w) -> (size, size) from 0 to 1; all zero stays so."""
    heat = F.interpolate(heat, size=(size, size), mode="bicubic", align_corners=False)[0, 0].clamp_min(0)
    return heat / heat.max().clamp_min(1e-12)


def spotlight(image: Image.Image, answer: Answer, config: exported.Config) -> Image.Image:
    """The part of the photo that the model saw, bright where its answer came from and dim and grey elsewhere."""
    side = math.ceil(SHOWN * config.side / config.size)
    square = Image.fromarray(photos.square(image, side).transpose(1, 2, 0))
    top = (side - SHOWN) // 2
    square = square.crop((top, top, top + SHOWN, top + SHOWN))
    if answer.heat is None:
        return square
    mask = Image.fromarray((answer.heat * 255).astype(np.uint8)).resize((SHOWN, SHOWN), Image.Resampling.BICUBIC)
    dim = square.convert("L").point(lambda value: value * 0.35).convert("RGB")
    return Image.composite(square, dim, mask)


def load_all(folders: list[Path], trust_pickle: bool = False, runtime: str = "eager") -> list[Predictor]:
    """A predictor per folder. Raises UserError for the first that can't be loaded, or for two of one name."""
    predictors = [Predictor(folder, trust_pickle, runtime) for folder in folders]
    names = [predictor.name for predictor in predictors]
    if len(set(names)) < len(names):
        raise UserError(f"two models are called {max(names, key=names.count)!r}; rename one of the folders")
    return predictors
