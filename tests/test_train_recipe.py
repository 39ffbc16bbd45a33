import dataclasses

import pytest
import torch

from scripts.train import recipe as recipes
from scripts.train.recipe import Recipe

STILL = Recipe(scale=1.0, ratio=1.0, colour=0.0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pixels(n=6, side=20, seed=0):
    return torch.randint(0, 256, (n, 3, side, side), generator=generator(seed), dtype=torch.uint8)


def test_without_augmentation_a_picture_is_only_normalised():
    batch = pixels()
    assert torch.allclose(recipes.augment(batch, 20, STILL, False, generator()), recipes.plain(batch, 20), atol=1e-4)


def test_plain_takes_the_centre():
    batch = pixels(side=23)
    assert torch.equal(recipes.plain(batch, 20), recipes.plain(batch[:, :, 1:21, 1:21], 20))


def test_flip_mirrors_some_and_only_where_allowed():
    batch = pixels(n=64)
    out, straight = recipes.augment(batch, 20, STILL, True, generator()), recipes.plain(batch, 20)
    same = [torch.allclose(a, b, atol=1e-3) for a, b in zip(out, straight)]
    mirrored = [torch.allclose(a, b.flip(-1), atol=1e-3) for a, b in zip(out, straight)]
    assert all(a != b for a, b in zip(same, mirrored)) and 15 < sum(mirrored) < 49


def test_crops_stay_inside_the_picture():
    white = torch.full((200, 3, 20, 20), 255, dtype=torch.uint8)
    out = recipes.augment(white, 16, dataclasses.replace(STILL, scale=0.2, ratio=4 / 3), True, generator())
    assert torch.allclose(
        out, recipes.plain(white[:, :, :16, :16], 16), atol=1e-3
    )  # a crop that left it would see black


def test_colour_changes_each_picture_its_own_way_and_grey_stays_grey():
    grey = torch.full((8, 3, 20, 20), 100, dtype=torch.uint8)
    out = recipes.augment(grey, 20, dataclasses.replace(STILL, colour=0.4), False, generator())
    levels = out * torch.tensor(recipes.STD)[:, None, None] + torch.tensor(recipes.MEAN)[:, None, None]
    assert levels.mean((1, 2, 3)).std() > 0.02 and (levels.amax(1) - levels.amin(1)).max() < 1e-4


def test_the_same_generator_gives_the_same_batch():
    batch = pixels()
    first, again, other = (recipes.augment(batch, 16, Recipe(rotate=10), True, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.is_contiguous(memory_format=torch.channels_last)


def test_mixed_targets_follow_the_pixels():
    pictures = torch.arange(4.0)[:, None, None, None].expand(4, 3, 16, 16).contiguous()
    targets = torch.eye(4)
    for seed in range(20):
        mixed, shares = recipes.mix(pictures, targets, generator(seed))
        assert torch.allclose(shares.sum(1), torch.ones(4))
        # pictures of constant value k, labelled k: the mean pixel is the mean label
        assert torch.allclose(mixed.mean((1, 2, 3)), shares @ torch.arange(4.0), atol=1e-4)


def test_norms_and_biases_are_spared_weight_decay():
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(), torch.nn.Linear(4, 2)
    )
    groups = recipes.optimiser(model, Recipe(weight_decay=0.1)).param_groups
    decayed = {id(p) for group in groups for p in group["params"] if group["weight_decay"]}
    assert decayed == {id(model[0].weight), id(model[3].weight)}
    assert sum(len(group["params"]) for group in groups) == 6


def test_the_rate_rises_then_falls_to_almost_nothing():
    optimizer = recipes.optimiser(torch.nn.Linear(2, 2), Recipe(lr=0.1))
    schedule = recipes.schedule(optimizer, Recipe(lr=0.1, warmup=0.2), 100)
    rates = []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step() if len(rates) < 100 else None
    assert (
        rates[0] == pytest.approx(0.01)
        and max(rates) == pytest.approx(0.1)
        and rates.index(max(rates)) in (19, 20)
        and rates[-1] < 1e-4
    )


@pytest.mark.parametrize("steps, warmup", [(1, 0.2), (2, 0.5), (3, 1 / 3), (5, 0.2), (10, 0.1), (10, 0.0), (40, 0.9)])
def test_short_runs_have_a_schedule_too(steps, warmup):
    optimizer = recipes.optimiser(torch.nn.Linear(2, 2), Recipe(lr=0.1))
    schedule = recipes.schedule(
        optimizer, Recipe(lr=0.1, warmup=warmup), steps
    )  # a warm-up of exactly one step divided by zero
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert all(0 < rate <= 0.1 + 1e-12 for rate in rates) and len(rates) == steps and (steps < 10 or max(rates) > 0.09)
