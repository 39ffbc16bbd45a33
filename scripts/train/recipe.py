"""The training recipe, the same for every architecture: optimiser, schedule, loss, and augmentation in batches on the
device.

| part | what | source | |---|---|---| | optimiser | AdamW, fused; no weight decay on norms and biases | Loshchilov and
Hutter 2017, arXiv:1711.05101; He et al. 2018, arXiv:1812.01187 | | schedule | one cycle, cosine | Smith and Topin 2017,
arXiv:1708.07120 | | loss | cross entropy, labels smoothed | Szegedy et al. 2015, arXiv:1512.00567 | | crops | random
resized crop, flip | Szegedy et al. 2014, arXiv:1409.4842 | | colour | brightness, contrast, saturation | Howard 2013,
arXiv:1312.5402 | | mixing | CutMix and Mixup, half of the batches each (`--mix`) | Yun et al. 2019, arXiv:1905.04899;
Zhang et al. 2017, arXiv:1710.09412 | | averaging | exponential moving average of the weights (`--ema`) | Tarvainen and
Valpola 2017, arXiv:1703.01780 |

Pictures are uint8 until a batch needs them. Crop, flip and rotation are one grid sample, colour and normalisation one
3×3 matrix product, for the whole batch at once: no Python per picture, nothing that waits for the device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, as the pretrained weights expect
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, for saturation


@dataclass(frozen=True)
class Recipe:
    """Every knob of the recipe, with the defaults of a run from scratch. lr is for batches of `batch` pictures."""

    epochs: int = 30
    batch: int = 64
    lr: float = 2e-3
    weight_decay: float = 0.05
    smoothing: float = 0.1
    warmup: float = 0.2  # share of the steps in which the rate rises
    scale: float = 0.35  # smallest crop, as a share of the picture's area
    ratio: float = 4 / 3  # widest crop, width over height
    rotate: float = 0.0  # degrees either way
    colour: float = 0.3  # brightness, contrast, saturation: factors in 1 ± this
    mix: float = 0.0  # probability that a batch is mixed
    ema: float = 0.0  # largest decay a step; 0: none
    clip: float = 1.0  # largest norm of the gradient; 0: none


def optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW over two groups: matrices with weight decay, vectors (norms, biases) and what the model names
    (positions) without.
    """
    from timm.optim import param_groups_weight_decay

    spared = model.no_weight_decay() if hasattr(model, "no_weight_decay") else ()
    groups = param_groups_weight_decay(model, recipe.weight_decay, no_weight_decay_list=spared)
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.99), fused=True)


def schedule(optimizer: torch.optim.Optimizer, recipe: Recipe, steps: int) -> torch.optim.lr_scheduler.OneCycleLR:
    """One cycle over `steps` optimiser steps; the rate rises in the first `warmup` (0 to under 1) of them."""
    steps = max(2, steps)
    one = math.isclose(recipe.warmup * steps, 1)  # torch divides by (steps of warm-up - 1)
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        recipe.lr,
        total_steps=steps,
        pct_start=recipe.warmup * (1 + 1e-6 * one),
        cycle_momentum=False,
        div_factor=10,
        final_div_factor=1000,
    )


def average(model: nn.Module, recipe: Recipe):
    """timm's moving average of the weights, None where the recipe has none. Its decay grows from 0, so that short
    runs are averaged too.
    """
    from timm.utils import ModelEmaV3

    return ModelEmaV3(model, recipe.ema, use_warmup=True, warmup_power=0.75) if recipe.ema else None


def _uniform(n: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.rand(n, generator=generator, device=generator.device) * (high - low) + low


def augment(pixels: Tensor, size: int, recipe: Recipe, flip: bool, generator: torch.Generator) -> Tensor:
    """uint8 (n, 3, side, side) -> normalised float32 (n, 3, size, size), channels last, each picture cropped,
    turned and tinted its own way.
    """
    n, device = len(pixels), pixels.device
    area = _uniform(n, recipe.scale, 1.0, generator)
    stretch = torch.exp(_uniform(n, -math.log(recipe.ratio), math.log(recipe.ratio), generator) / 2)
    width, height = (area.sqrt() * stretch).clamp(max=1), (area.sqrt() / stretch).clamp(max=1)
    x = (1 - width) * _uniform(n, -1, 1, generator)
    y = (1 - height) * _uniform(n, -1, 1, generator)
    mirror = torch.sign(_uniform(n, -1, 1, generator)) if flip else torch.ones(n, device=device)
    turn = _uniform(n, -recipe.rotate, recipe.rotate, generator) * (math.pi / 180)
    cos, sin = turn.cos(), turn.sin()
    # The grid by hand and in place: affine_grid takes ten times as long on a CPU.
    line = (torch.arange(size, device=device) * 2 + 1) / size - 1  # pixel centres in -1…1
    across, down = line[None, None, :], line[None, :, None]
    of = lambda values: values[:, None, None]
    grid = torch.empty(n, size, size, 2, device=device)
    torch.sub(of(x) + of(width * cos * mirror) * across, of(width * sin) * down, out=grid[..., 0])
    torch.add(of(y) + of(height * sin * mirror) * across, of(height * cos) * down, out=grid[..., 1])
    cropped = F.grid_sample(
        pixels.float(),
        grid,
        mode="bilinear",
        padding_mode="reflection" if recipe.rotate else "border",
        align_corners=False,
    )
    return tint(cropped, recipe.colour, generator).contiguous(memory_format=torch.channels_last)


def tint(pixels: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Random brightness, contrast and saturation, then normalisation: float32 (n, 3, h, w) in 0…255 -> normalised,
    by one matrix a picture.
    """
    n, device = len(pixels), pixels.device
    luma = torch.tensor(LUMA, device=device)
    mean, std = 255 * torch.tensor(MEAN, device=device), 255 * torch.tensor(STD, device=device)
    brightness, contrast, saturation = (
        _uniform(n, 1 - strength, 1 + strength, generator)[:, None, None] for _ in range(3)
    )
    matrix = saturation * torch.eye(3, device=device) + (1 - saturation) * luma.expand(3, 3)
    middle = (pixels.mean((2, 3)) @ luma)[:, None, None]  # contrast turns about the picture's own mean grey
    matrix, offset = brightness * contrast * matrix, brightness * (1 - contrast) * middle
    matrix, offset = matrix / std[:, None], (offset - mean[:, None]) / std[:, None]
    return torch.baddbmm(offset, matrix, pixels.flatten(2)).view_as(pixels)


def plain(pixels: Tensor, size: int) -> Tensor:
    """For evaluation: the central size×size of uint8 (n, 3, side, side), normalised float32, channels last."""
    top = (pixels.shape[-1] - size) // 2
    mean, std = (255 * torch.tensor(values, device=pixels.device)[:, None, None] for values in (MEAN, STD))
    return ((pixels[:, :, top : top + size, top : top + size].float() - mean) / std).contiguous(
        memory_format=torch.channels_last
    )


def mix(pictures: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """CutMix or Mixup, evenly: each picture with its neighbour in the batch. targets: (n, classes) shares. Both by
    λ ~ U(0, 1) (Beta(1, 1)).
    """
    share, which, x, y = torch.rand(4, generator=generator, device=generator.device)
    size = pictures.shape[-1]
    other, other_targets = pictures.roll(1, 0), targets.roll(1, 0)
    half = (1 - share).sqrt() / 2
    across = (torch.arange(size, device=pictures.device) + 0.5) / size
    inside = ((across - x).abs() < half)[None, :] & ((across - y).abs() < half)[:, None]
    cut = which < 0.5
    weight = torch.where(cut, 1 - inside.float(), share)  # of the picture itself, per pixel: (size, size)
    mixed = pictures * weight + other * (1 - weight)
    kept = weight.mean()
    return mixed.contiguous(memory_format=torch.channels_last), targets * kept + other_targets * (1 - kept)


def soft_targets(labels: Tensor, classes: int) -> Tensor:
    """int64 (n,) -> float32 (n, classes), one 1 a row."""
    return F.one_hot(labels, classes).float()
