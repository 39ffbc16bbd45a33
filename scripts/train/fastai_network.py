"""The network that fastai's `vision_learner` builds around a timm architecture, without importing fastai, which takes 6
s.

An exported model is served from here: parameters under the same names, the same answers. Source: fastai 2.8
`create_timm_model`, `create_head`; a test holds both against each other.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scripts.common.errors import UserError


class ConcatPool(nn.Module):
    """fastai's pooling: the maximum and the mean of each map."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.amax((2, 3), keepdim=True), x.mean((2, 3), keepdim=True)], 1)


class TimmBody(nn.Module):
    """A timm network without its classifier, as fastai wraps it: maps where it pools at the end, features where it
    doesn't.
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.pools = model.default_cfg.get("pool_size") is not None
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model.forward_features(x) if self.pools else self.model(x)


def fastai_network(arch: str, classes: int, size: int) -> nn.Module:
    """The untrained network of `vision_learner(dls, arch)` for `classes` classes and photos of `size` pixels.
    Raises what timm raises.
    """
    import timm

    from scripts.train import models

    body = TimmBody(timm.create_model(arch, num_classes=0, **models.find(arch).options(size)))
    features = body.model.num_features * (2 if body.pools else 1)
    pooling = [ConcatPool(), nn.Flatten()] if body.pools else []
    return nn.Sequential(
        body,
        nn.Sequential(
            *pooling,
            nn.BatchNorm1d(features),
            nn.Dropout(0.25),
            nn.Linear(features, 512, bias=False),
            nn.ReLU(inplace=True),
            nn.BatchNorm1d(512),
            nn.Dropout(0.5),
            nn.Linear(512, classes, bias=False),
        ),
    )


def probe(model: nn.Module, arch: str, size: int) -> None:
    """One look through the network before training. Raises UserError where its parts don't fit (maps with channels
    last, a fixed size…).
    """
    model.eval()
    try:
        with torch.inference_mode():
            model(torch.zeros(1, 3, size, size, device=next(model.parameters()).device))
    except (RuntimeError, ValueError, AssertionError, IndexError) as error:
        raise UserError(
            f"{arch}: does not work at {size} pixels with fastai's head ({str(error).splitlines()[0][:80]}); choose "
            "another "
            "--arch or --size"
        ) from None
