"""A timm network without its classifier, and one linear layer behind it: what a probe on frozen features is exported
as, and what fine-tuning starts from.
"""

from __future__ import annotations

import torch
from torch import nn

from scripts.train import probe
from scripts.train.stages import Stages

NAME, STAGES = "probed", "stages"  # the builders', in config.json: on the network's features, or on its stages', too


def probed_network(arch: str, classes: int, size: int, stages: bool = False) -> nn.Sequential:
    """The untrained network for `classes` classes and photos of `size` pixels. Raises what timm raises."""
    import timm

    from scripts.train import models

    body = timm.create_model(arch, num_classes=0, **models.find(arch).options(size)).eval()
    if stages:
        body = Stages(body, size)
        return nn.Sequential(body, nn.Linear(sum(body.blocks), classes))
    with torch.inference_mode():
        features = body(torch.zeros(1, 3, size, size)).shape[-1]
    return nn.Sequential(body, nn.Linear(features, classes))


def with_head(body: nn.Module, head: probe.Head) -> nn.Sequential:
    """`body` (photos -> features) with a probe as classifier."""
    linear = nn.Linear(*head.weight.shape)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(head.weight.T.copy()))
        linear.bias.copy_(torch.from_numpy(head.offset))
    return nn.Sequential(body, linear)
