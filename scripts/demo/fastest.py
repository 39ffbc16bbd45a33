"""The runtime in which an exported model answers fastest on this machine, its answers being PyTorch's: chosen once,
remembered in the cache (scripts.demo.choose_runtime).

The network is cut where Grad-CAM looks: everything up to those maps runs in the runtime, and what follows them, a few
small layers, in PyTorch, which the heat map differentiates. A network that can't be cut so runs in PyTorch, as does
everything where no other runtime is installed.
"""

from __future__ import annotations

import io
import json
import time
from statistics import median
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scripts.common import hardware
from scripts.common.errors import UserError
from scripts.runtimes import check, kinds, pictures, store
from scripts.runtimes.load import Loaded, Unable, load
from scripts.runtimes.network import Network, of_module
from scripts.train.stages import Stages

CANDIDATES = [("openvino", "bf16"), ("openvino", "fp32"), ("onnxruntime", "fp32")]
PROBABILITY = 0.02  # a class probability may differ by as much
WORTH = 0.9  # of PyTorch's time; less is won by chance
TURNS, PICTURES = 5, 12
NAME = "choice.json"
EAGER = ("eager", "fp32")


class Chosen(NamedTuple):
    """runtime, precision; times: as fast as PyTorch, to the answer with its heat map; agreement: in words."""

    runtime: str
    precision: str
    times: float = 1.0
    agreement: str = ""

    @property
    def label(self) -> str:
        return kinds.label(self.runtime, self.precision)

    @property
    def said(self) -> str:
        """For people: OpenVINO bf16, 2.4 times as fast as PyTorch here."""
        return self.label + (f", {self.times:.1f} times as fast as PyTorch here" if self.runtime != "eager" else "")


class Body(nn.Module):
    """A network that gives (logits, the maps that `layer` gave)."""

    def __init__(self, model: nn.Module, layer):
        super().__init__()
        self.model, self.layer = model, layer

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        kept: list[Tensor] = []
        handle = self.layer.module.register_forward_hook(lambda module, inputs, output: kept.append(output))
        try:
            logits = self.model(pixels)
        finally:
            handle.remove()
        return logits, kept[self.layer.call]


def tail(model: nn.Module, layer, size: int):
    """What makes the logits of the maps of `layer`, but for what these maps don't change: a call, or None where none of
    the usual ones gives the network's own.
    """
    if layer is None:
        return None
    pixels = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0)) - 0.5
    with torch.inference_mode():
        logits, maps = Body(model, layer)(pixels)
    usual = [getattr(model, "forward_head", None)]
    if isinstance(model, nn.Sequential) and len(model) == 2 and isinstance(model[0], Stages):
        body, head = model
        own = body.blocks[0]  # features; the means of earlier maps stand behind them
        with torch.inference_mode():
            logits = logits - F.linear(body(pixels)[:, own:], head.weight[:, own:], head.bias)
        usual = [lambda found: F.linear(body.network.forward_head(found, pre_logits=True), head.weight[:, :own])]
    elif isinstance(model, nn.Sequential) and len(model) == 2:
        body, head = model
        inner = getattr(body, "forward_head", None)
        usual += [head] + ([lambda found: head(inner(found, pre_logits=True))] if inner else [])
    for call in filter(None, usual):
        try:
            with torch.inference_mode():
                if torch.allclose(call(maps), logits, atol=1e-4, rtol=1e-3):
                    return call
        except (RuntimeError, TypeError, ValueError, IndexError):
            continue
    return None


def exported(body: Body, size: int) -> bytes:
    """`body` as ONNX with two outputs."""
    file = io.BytesIO()
    torch.onnx.export(
        body,
        (torch.zeros(1, 3, size, size),),
        file,
        dynamo=False,
        input_names=["pixels"],
        output_names=["logits", "maps"],
        dynamic_axes={"pixels": {0: "n"}, "logits": {0: "n"}, "maps": {0: "n"}},
    )
    return file.getvalue()


class Fast:
    """A network cut in two: `ask` gives logits and heat map as predict.grad_cam does. Raises Unable."""

    def __init__(self, model: nn.Module, layer, size: int, runtime: str, precision: str, name: str = "app"):
        if reason := kinds.why_not(runtime, precision):
            raise Unable(reason)
        self.head = tail(model, layer, size)
        if self.head is None:
            raise Unable("its maps can't be had apart from its answer")
        network = _network(model, layer, size, name)
        self.loaded: Loaded = load(network, runtime, precision, hardware.cores(), batch=1)

    def outputs(self, pixels: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """(logits, maps) of one picture."""
        raw = self.loaded.run(self.loaded.place(np.ascontiguousarray(pixels.numpy())))
        return np.array(raw[0], np.float32), np.array(raw[1], np.float32)

    def ask(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """(logits, heat before scaling, or None where no map speaks for the answer)."""
        logits, found = self.outputs(pixels)
        maps = torch.from_numpy(found).requires_grad_(True)
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(self.head(maps)[0, int(logits[0].argmax())], maps)
        heat = (gradient.mean((2, 3), keepdim=True) * maps.detach()).sum(1, keepdim=True).clamp_min(0)
        return torch.from_numpy(logits), heat if heat.any() else None


def _network(model: nn.Module, layer, size: int, name: str) -> Network:
    """The cut network, its ONNX file made once and kept."""
    network = of_module(name, model, size)
    key = {"what": "cut", "network": network.identity, "torch": kinds.versions().get("torch", "")}
    try:
        folder = store.kept(key, lambda: {"model.onnx": exported(Body(model, layer).eval(), size)})
    except UserError:
        raise
    except Exception as error:  # the exporter has a dozen kinds of its own for what it cannot express
        raise Unable(f"it cannot be exported ({type(error).__name__})") from None
    network.content = (folder / "model.onnx").read_bytes()
    return network


def key_of(predictor) -> dict:
    """What a choice depends on."""
    return {
        "what": "choice",
        "network": of_module("app", predictor.model, predictor.config.size).identity,
        "machine": kinds.machine(),
        "versions": kinds.versions(),
    }


def remembered(predictor) -> Chosen | None:
    """What was chosen for it on this machine; None where nothing was, or it is damaged."""
    folder = store.find(key_of(predictor))
    try:
        return Chosen(**json.loads((folder / NAME).read_text(encoding="utf-8"))) if folder else None
    except (OSError, TypeError, ValueError):
        return None


def choose(predictor) -> Chosen:
    """The fastest of CANDIDATES whose answers hold, PyTorch where none is worth it; remembered. Raises UserError."""
    store.kept(key_of(predictor), lambda: {NAME: json.dumps(_measured(predictor)._asdict()).encode()})
    return remembered(predictor) or Chosen(*EAGER)


def made(predictor, chosen: Chosen) -> Fast | None:
    """The network in the runtime that was chosen; None where that is PyTorch. Raises Unable, UserError."""
    if chosen.runtime == "eager":
        return None
    return Fast(predictor.model, predictor.layer, predictor.config.size, chosen.runtime, chosen.precision)


def asked_for(predictor, wanted: str) -> tuple[Chosen, Fast | None]:
    """The runtime that a user names: eager, onnxruntime, openvino, or one with a precision, openvino-bf16. Raises
    UserError where it can't be had or its answers are not PyTorch's.
    """
    runtime, _, precision = wanted.partition("-")
    kinds.check(runtime, precision or "fp32")
    chosen = Chosen(runtime, precision or "fp32")
    try:
        fast = made(predictor, chosen)
    except Unable as error:
        raise UserError(f"--runtime {wanted}: {error}; --runtime auto takes what works") from None
    if fast is None:
        return Chosen(*EAGER), None
    found = _agreement(predictor, fast)
    if not _holds(found):
        raise UserError(f"--runtime {wanted}: its answers are not PyTorch's: {found.said()}; leave --runtime out")
    return chosen._replace(times=_times(predictor, fast), agreement=found.said()), fast


def _measured(predictor) -> Chosen:
    """The first of CANDIDATES, fastest first by what we know of processors, that holds and is worth it."""
    for runtime, precision in CANDIDATES:
        try:
            fast = Fast(predictor.model, predictor.layer, predictor.config.size, runtime, precision)
        except Unable:
            continue
        found = _agreement(predictor, fast)
        if _holds(found) and (times := _times(predictor, fast)) > 1 / WORTH:
            return Chosen(runtime, precision, round(times, 3), found.said())
    return Chosen(*EAGER)


def _asked(predictor) -> np.ndarray:
    config = predictor.config
    return pictures.batch(Network("app", config.size, config.mean, config.std, config.margin), most=PICTURES)


@torch.inference_mode()
def _agreement(predictor, fast: Fast) -> check.Agreement:
    asked = torch.from_numpy(_asked(predictor))
    expected = np.concatenate([predictor.model(one[None]).numpy() for one in asked])
    return check.compare(expected, np.concatenate([fast.outputs(one[None])[0] for one in asked]))


def _holds(agreement: check.Agreement) -> bool:
    close = agreement.probability <= PROBABILITY
    return agreement.finite and close and agreement.equal_top1 >= check.SAME_ANSWERS


def _times(predictor, fast: Fast) -> float:
    """How many times as fast `fast` is as PyTorch, to the answer with its heat map; they take turns."""
    pixels, ratios = torch.from_numpy(_asked(predictor)[:1]), []
    for _ in range(TURNS):
        times = []
        for call in (lambda: predictor.where(pixels), lambda: fast.ask(pixels)):
            begun = time.perf_counter()
            call()
            times.append(time.perf_counter() - begun)
        ratios.append(times[0] / times[1])
    return float(median(ratios))
