"""A timm network that gives, beside its features, the mean of each map of its later stages.

Where photos are not what a network was pretrained on, earlier stages hold what its last one has let go of: texture and
material (Evci et al. 2022, arXiv:2201.03529). A probe on all of them is still one linear layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

QUARTERS = (1, 2, 3, 4)  # of the network's depth


class Stages(nn.Module):
    """Pixels -> features, then the mean of the maps at each quarter of the depth, in one row a photo.

    network: a timm network without a classifier. blocks: how many numbers each of these has. Raises what timm raises
    where the network doesn't show its maps.
    """

    def __init__(self, network: nn.Module, size: int):
        super().__init__()
        self.network = network
        last = len(network.feature_info) - 1
        self.levels = sorted({round(last * quarter / len(QUARTERS)) for quarter in QUARTERS})
        with torch.inference_mode():
            self.blocks = tuple(one.shape[1] for one in self.each(torch.zeros(1, 3, size, size)))

    def each(self, pixels: Tensor) -> list[Tensor]:
        """(n, numbers) of each block."""
        last, maps = self.network.forward_intermediates(pixels, indices=self.levels)
        return [self.network.forward_head(last, pre_logits=True), *(one.mean((2, 3)) for one in maps)]

    def forward(self, pixels: Tensor) -> Tensor:
        return torch.cat(self.each(pixels), 1)


def shown(network: nn.Module, size: int) -> nn.Module:
    """`network` as Stages for pictures of `size` pixels; itself where it doesn't show its maps."""
    pixels = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    try:
        with torch.inference_mode():
            found = Stages(network.eval(), size)
            same = torch.allclose(found.each(pixels)[0], network(pixels), atol=1e-4, rtol=1e-3)
    except Exception:  # timm's networks have errors of their own for what they don't do
        return network
    return found if same else network
