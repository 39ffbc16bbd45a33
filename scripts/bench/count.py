"""Multiply-adds, activations and parameters of a model, without its weights: it is built and run on torch's meta
device.

The same counts as timm's tables (fvcore's): multiply-adds of convolutions and matrix products; activations are the
elements that these write. Attention is counted unfused, as timm does.
"""

from __future__ import annotations

from math import prod

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten


class _Counter(TorchDispatchMode):
    """Sums multiply-adds and written elements of the operations that run inside it."""

    def __init__(self):
        super().__init__()
        self.macs = 0
        self.activations = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        operation = function.overloadpacket
        if operation in (aten.mm, aten.bmm):
            self._add(out, args[0].shape[-1])
        elif operation in (aten.addmm, aten.baddbmm):
            self._add(out, args[1].shape[-1])
        elif operation in (aten.convolution, aten._convolution):
            self._add(out, prod(args[1].shape[1:]))  # weight: out, in / groups, height, width
        return out

    def _add(self, out, macs_an_element: int) -> None:
        elements = sum(leaf.numel() for leaf in tree_leaves(out))
        self.activations += elements
        self.macs += elements * macs_an_element


def count(model_name: str, input_size: tuple[int, int, int]) -> dict[str, float]:
    """param_count (millions), gmacs (1e9 multiply-adds an image) and macts (1e6 activations an image) at `input_size`
    (channels, height, width). gmacs and macts are NaN for a model that cannot run on the meta device.
    """
    import timm
    from timm.layers import set_fused_attn

    fused = timm.layers.use_fused_attn()
    set_fused_attn(False)
    try:
        with torch.device("meta"):
            model = timm.create_model(model_name, **size_argument(model_name, input_size)).eval()
            counter = _Counter()
            try:
                with torch.no_grad(), counter:  # inference mode would hide products inside linear layers
                    model(torch.empty(1, *input_size, device="meta"))
            except (RuntimeError, NotImplementedError):
                counter.macs = counter.activations = float("nan")
    finally:
        set_fused_attn(bool(fused))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return {"param_count": parameters / 1e6, "gmacs": counter.macs / 1e9, "macts": counter.activations / 1e6}


def size_argument(model_name: str, input_size: tuple[int, int, int]) -> dict:
    """`img_size` for a model that is built for one size (its configuration says so), nothing for one that takes any."""
    import timm

    config = timm.models.get_pretrained_cfg(model_name)
    return (
        {"img_size": input_size[-1]} if config and config.fixed_input_size and input_size != config.input_size else {}
    )
