"""The model zoo: one registry of the architectures we train, each with source, input size and citation.

    python -m scripts.train.models             # the registry as a table

Small networks are written here to their papers; the rest comes from timm and torchvision. Any other name that timm
knows works too (`--models regnetx_002`). Vision transformers keep the patch that their name says, or take a smaller one
where that would leave fewer than 4×4 tokens.
"""

from __future__ import annotations

import argparse
import difflib
import functools
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scripts.common.errors import UserError, cli

# --- written here -----------------------------------------------------------------------------------------------------


class Subsample(nn.Module):
    """LeNet's S layers: 2×2 mean with one trainable coefficient and one bias per map."""

    def __init__(self, maps: int):
        super().__init__()
        self.coefficient = nn.Parameter(torch.ones(maps, 1, 1))
        self.bias = nn.Parameter(torch.zeros(maps, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 2) * self.coefficient + self.bias


class LeNet5(nn.Module):
    """LeNet-5 as LeCun et al. drew it (Proc. IEEE 86, 1998, §II.B): 60,000 trainable parameters before the output
    layer.

    C3 sees the maps that its table I says, activations are 1.7159 tanh(2x/3). Its fixed RBF output is a linear layer
    here. Input: 32×32 pixels; colours become grey.
    """

    # Table I: which of the six S2 maps each of the sixteen C3 maps sees.
    TABLE = (
        [[(i + k) % 6 for k in range(3)] for i in range(6)]
        + [[(i + k) % 6 for k in range(4)] for i in range(6)]
        + [[0, 1, 3, 4], [1, 2, 4, 5], [0, 2, 3, 5], [0, 1, 2, 3, 4, 5]]
    )

    def __init__(self, classes: int):
        super().__init__()
        self.c1, self.s2 = nn.Conv2d(1, 6, 5), Subsample(6)
        self.c3 = nn.ModuleList(nn.Conv2d(len(seen), 1, 5) for seen in self.TABLE)
        self.s4 = Subsample(16)
        self.c5, self.f6, self.output = nn.Conv2d(16, 120, 5), nn.Linear(120, 84), nn.Linear(84, classes)

    def forward(self, x: Tensor) -> Tensor:
        squash = lambda x: 1.7159 * torch.tanh(2 / 3 * x)
        x = squash(self.s2(self.c1(x.mean(1, keepdim=True))))
        x = squash(self.s4(torch.cat([conv(x[:, seen]) for conv, seen in zip(self.c3, self.TABLE)], 1)))
        return self.output(squash(self.f6(squash(self.c5(x)).flatten(1))))


class BasicBlock(nn.Module):
    """Two 3×3 convolutions with an identity shortcut that pads with zeros where maps are added (He et al. 2015,
    option A).
    """

    def __init__(self, maps_in: int, maps: int, stride: int):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(maps_in, maps, 3, stride, 1, bias=False), nn.BatchNorm2d(maps)
        self.conv2, self.norm2 = nn.Conv2d(maps, maps, 3, 1, 1, bias=False), nn.BatchNorm2d(maps)
        self.stride, self.pad = stride, (maps - maps_in) // 2

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(y + F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.pad, self.pad)))


class ResNet20(nn.Sequential):
    """The 20-layer residual network for 32×32 pixels (He et al., arXiv:1512.03385, §4.2): 0.27 million parameters."""

    def __init__(self, classes: int):
        blocks = [BasicBlock(16, 16, 1) for _ in range(3)]
        for maps_in, maps in ((16, 32), (32, 64)):
            blocks += [BasicBlock(maps_in, maps, 2), BasicBlock(maps, maps, 1), BasicBlock(maps, maps, 1)]
        super().__init__(
            nn.Conv2d(3, 16, 3, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            *blocks,
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, classes),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def stage(maps_in: int, maps: int) -> nn.Sequential:
    """3×3 convolution with padding, ReLU, batch norm, max-pool 2."""
    return nn.Sequential(nn.Conv2d(maps_in, maps, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(maps), nn.MaxPool2d(2))


class SharedConvNet(nn.Module):
    """A plain convnet whose last stage runs four times with the same weights: 3→64, 64→512, 512→512 (×4),
    flatten, linear.

    For 224×224 pixels and two classes: 2,668,418 parameters, 13.62 G multiply-adds. Each of the six stages halves the
    picture.
    """

    def __init__(self, classes: int, size: int = 224):
        super().__init__()
        self.stage1, self.stage2, self.shared = stage(3, 64), stage(64, 512), stage(512, 512)
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(512 * (size // 64) ** 2, classes))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stage2(self.stage1(x))
        for _ in range(4):
            x = self.shared(x)
        return self.classifier(x)


# --- the registry -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """One architecture. build(classes, size) makes it where the source is not timm; arch is timm's name where it is.

    size: the only input size it takes (0: any from min_size on). options(size): more arguments for timm.create_model.
    lr_scale: times the recipe's learning rate.
    """

    name: str
    arch: str
    source: str
    citation: str
    build: Callable[[int, int], nn.Module] | None = None
    size: int = 0
    min_size: int = 32
    options: Callable[[int], dict] = lambda size: {}
    pretrained: bool = True
    note: str = ""
    lr_scale: float = 1.0


def patch(size: int, own: int = 16) -> int:
    """The architecture's `own` patch where it divides `size` and leaves 4×4 tokens or more; else the largest of 4 to
    16 pixels that does.

    Raises UserError where none does.
    """
    if size % own == 0 and size // own >= 4:
        return own
    for candidate in range(min(16, size // 4), 3, -1):
        if size % candidate == 0:
            return candidate
    raise UserError(f"no patch of 4 to 16 pixels divides a picture of {size}; choose a multiple of 16")


def _vit(size: int, arch: str = "patch16") -> dict:
    named = re.search(r"patch(\d+)", arch)
    return {"img_size": size, **({"patch_size": patch(size, int(named[1]))} if named else {})}


def _torchvision(name: str, **options) -> Callable[[int, int], nn.Module]:
    def build(classes: int, size: int) -> nn.Module:
        import torchvision

        return torchvision.models.get_model(name, num_classes=classes, **options)

    return build


HALF = "half the learning rate: patchify stems are sensitive to it (Xiao et al. 2021, arXiv:2106.14881)"
_HE, _VIT = "He et al. 2015, arXiv:1512.03385", "Dosovitskiy et al. 2020, arXiv:2010.11929"
_CONVNEXT, _LEVIT, _BEIT = (
    "Liu et al. 2022, arXiv:2201.03545",
    "Graham et al. 2021, arXiv:2104.01136",
    "Bao et al. 2021, arXiv:2106.08254",
)
_MOBILENET, _EFFICIENTNET = "Howard et al. 2019, arXiv:1905.02244", "Tan and Le 2019, arXiv:1905.11946"

ENTRIES = [
    Entry(
        "lenet5",
        "lenet5",
        "here",
        "LeCun et al. 1998, Proc. IEEE 86(11)",
        lambda classes, size: LeNet5(classes),
        size=32,
        pretrained=False,
        note="sees 32×32 grey pixels whatever the others see",
    ),
    Entry("resnet20", "resnet20", "here", _HE, lambda classes, size: ResNet20(classes), min_size=8, pretrained=False),
    Entry("sharedconvnet", "sharedconvnet", "here", "this project", SharedConvNet, min_size=64, pretrained=False),
    Entry(
        "alexnet",
        "alexnet",
        "torchvision",
        "Krizhevsky 2014, arXiv:1404.5997",
        _torchvision("alexnet"),
        min_size=63,
        pretrained=False,
    ),
    Entry("vgg11_bn", "vgg11_bn", "timm", "Simonyan and Zisserman 2014, arXiv:1409.1556"),
    Entry("vgg16_bn", "vgg16_bn", "timm", "Simonyan and Zisserman 2014, arXiv:1409.1556"),
    Entry(
        "googlenet",
        "googlenet",
        "torchvision",
        "Szegedy et al. 2014, arXiv:1409.4842",
        _torchvision("googlenet", aux_logits=False, init_weights=True),
        pretrained=False,
        note="without its auxiliary classifiers",
    ),
    Entry("inception_v3", "inception_v3", "timm", "Szegedy et al. 2015, arXiv:1512.00567", min_size=75),
    Entry("resnet18", "resnet18", "timm", _HE),
    Entry("resnet50", "resnet50", "timm", _HE),
    Entry("densenet121", "densenet121", "timm", "Huang et al. 2016, arXiv:1608.06993"),
    Entry("mobilenetv3_small", "mobilenetv3_small_100", "timm", _MOBILENET),
    Entry("mobilenetv3_large", "mobilenetv3_large_100", "timm", _MOBILENET),
    Entry("efficientnet_b0", "efficientnet_b0", "timm", _EFFICIENTNET),
    Entry("regnetx_002", "regnetx_002", "timm", "Radosavovic et al. 2020, arXiv:2003.13678"),
    Entry("vit_tiny", "vit_tiny_patch16_224", "timm", _VIT, options=_vit, lr_scale=0.5, note=HALF),
    Entry("vit_small", "vit_small_patch16_224", "timm", _VIT, options=_vit, lr_scale=0.5, note=HALF),
    Entry("levit_128s", "levit_128s", "timm", _LEVIT, options=lambda size: {"img_size": size}),
    Entry("levit_256", "levit_256", "timm", _LEVIT, options=lambda size: {"img_size": size}),
    Entry("convnext_atto", "convnext_atto", "timm", _CONVNEXT),
    Entry("convnext_tiny", "convnext_tiny", "timm", _CONVNEXT),
    Entry(
        "beit_tiny",
        "beit_base_patch16_224",
        "timm",
        _BEIT,
        pretrained=False,
        lr_scale=0.5,
        note=f"BEiT as narrow as ViT-Ti (192 wide, 3 heads), which the paper has not; {HALF}",
        options=lambda size: {**_vit(size), "embed_dim": 192, "num_heads": 3},
    ),
    Entry("beit_base", "beit_base_patch16_224", "timm", _BEIT, options=_vit, lr_scale=0.5, note=HALF),
]
REGISTRY = {entry.name: entry for entry in ENTRIES}
ALIASES = {
    "lenet": "lenet5",
    "vgg": "vgg16_bn",
    "inception": "inception_v3",
    "resnet": "resnet18",
    "densenet": "densenet121",
    "mobilenet": "mobilenetv3_small",
    "mobilenetv3": "mobilenetv3_small",
    "efficientnet": "efficientnet_b0",
    "vit": "vit_tiny",
    "levit": "levit_128s",
    "convnext": "convnext_atto",
    "beit": "beit_tiny",
}
# Two CPU cores train all of these on digits in minutes; between them every kind of network of the report.
QUICK = [
    "lenet5",
    "resnet20",
    "resnet18",
    "googlenet",
    "densenet121",
    "mobilenetv3_small",
    "efficientnet_b0",
    "regnetx_002",
    "vit_tiny",
    "levit_128s",
    "convnext_atto",
    "beit_tiny",
]
FULL = [
    "lenet5",
    "resnet20",
    "sharedconvnet",
    "alexnet",
    "vgg16_bn",
    "googlenet",
    "inception_v3",
    "resnet18",
    "resnet50",
    "densenet121",
    "mobilenetv3_large",
    "efficientnet_b0",
    "vit_tiny",
    "vit_small",
    "levit_128s",
    "levit_256",
    "convnext_atto",
    "convnext_tiny",
    "beit_tiny",
    "beit_base",
]


def find(name: str) -> Entry:
    """The registry's entry, an alias's, or one made for any other architecture that timm has. Raises UserError for
    an unknown name.
    """
    name = ALIASES.get(name, name)
    if name in REGISTRY:
        return REGISTRY[name]
    import timm

    if timm.is_model(name):
        return Entry(
            name,
            name,
            "timm",
            "timm",
            options=lambda size: _vit(size, name) if name.startswith(("vit_", "deit", "beit")) else {},
        )
    near = difflib.get_close_matches(name, [*REGISTRY, *ALIASES, *timm.list_models()], n=3)
    raise UserError(
        f"no architecture called {name[:60]!r}; "
        + (f"did you mean {' or '.join(near)}?" if near else "see python -m scripts.train.models")
    )


def size_for(entry: Entry, size: int, chosen: bool) -> int:
    """The input size to train `entry` at. A size that the user chose is an error where the network refuses it; a
    default is adapted.
    """
    best = entry.size or max(size, entry.min_size)
    if chosen and best != size:
        raise UserError(
            f"{entry.name}: takes {'only ' if entry.size else ''}{best} pixels{'' if entry.size else ' or more'}, "
            f"not {size}; "
            "leave --size out or choose another"
        )
    return best


class Built(NamedTuple):
    """model; weights: 'scratch' or the tag of the pretrained weights; reason: why they are not the wanted ones (''
    where they are).
    """

    model: nn.Module
    weights: str
    reason: str


def build(entry: Entry, classes: int, size: int, pretrained: str = "no") -> Built:
    """The network for `classes` classes and `size`×`size` pixels. pretrained: 'yes', 'no', or 'auto' (where the
    weights can be had).

    Raises UserError where the architecture refuses the size, or where pretrained is 'yes' and there are no weights.
    """
    reason = ""
    if pretrained != "no":
        reason = weights_out_of_reach(entry)
        if not reason:
            try:
                model = _timm(entry, classes, size, True)
                return Built(_checked(entry, model, size), model.pretrained_cfg.get("tag") or "pretrained", "")
            except UserError:
                raise
            except Exception as error:  # the hub's client has a dozen kinds of its own
                reason = f"weights could not be loaded ({type(error).__name__})"
        if pretrained == "yes":
            raise UserError(f"{entry.name}: {reason}; use --pretrained auto to train it from scratch instead")
    try:
        model = entry.build(classes, size) if entry.build else _timm(entry, classes, size, False)
    except UserError:
        raise
    except (RuntimeError, ValueError, AssertionError, TypeError) as error:
        raise _refuses(entry, size, error) from None
    return Built(_checked(entry, model, size), "scratch", reason)


def _timm(entry: Entry, classes: int, size: int, pretrained: bool) -> nn.Module:
    import timm

    return timm.create_model(entry.arch, pretrained=pretrained, num_classes=classes, **entry.options(size))


def _checked(entry: Entry, model: nn.Module, size: int) -> nn.Module:
    """`model` after one look through it, without arithmetic where it can be (meta tensors): a refused size is found
    before training.
    """
    import copy

    try:
        with torch.no_grad():
            copy.deepcopy(model).to("meta").eval()(torch.empty(2, 3, size, size, device="meta"))
    except (RuntimeError, ValueError, AssertionError) as error:
        raise _refuses(entry, size, error) from None
    return model


def _refuses(entry: Entry, size: int, error: Exception) -> UserError:
    return UserError(
        f"{entry.name}: does not take {size}×{size} pixels ({str(error).splitlines()[0][:80]}); choose another --size"
    )


def weights_out_of_reach(entry: Entry) -> str:
    """Why `entry` can't start from pretrained weights, or ''. Asks the hub once a process, for three seconds at
    most.
    """
    if not entry.pretrained or entry.source != "timm":
        return "no pretrained weights for it"
    import timm

    if (
        entry.arch not in timm.list_pretrained(exclude_filters=[])
        and not timm.models.get_pretrained_cfg(entry.arch).has_weights
    ):
        return "no pretrained weights for it"
    return "" if hub_answers() or _cached(entry.arch) else "the weights' hub cannot be reached"


@functools.lru_cache(maxsize=1)
def hub_answers(timeout: float = 3.0) -> bool:
    """Whether the Hugging Face hub answers. Its own client retries for minutes where it does not; from then on it
    is told to stay offline.
    """
    from huggingface_hub import constants

    try:
        with urllib.request.urlopen(urllib.request.Request(constants.ENDPOINT, method="HEAD"), timeout=timeout):
            return True
    except (OSError, ValueError, urllib.error.URLError):
        constants.HF_HUB_OFFLINE = True
        return False


def _cached(arch: str) -> bool:
    """Whether the hub's cache on this machine holds the weights of `arch`."""
    import timm
    from huggingface_hub import try_to_load_from_cache

    repository = timm.models.get_pretrained_cfg(arch).hf_hub_id
    return bool(repository) and any(
        isinstance(try_to_load_from_cache(repository, name), str) for name in ("model.safetensors", "pytorch_model.bin")
    )


def parameters(model: nn.Module) -> int:
    """Trainable parameters."""
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


@cli
def main() -> None:
    argparse.ArgumentParser(description="List the architectures of the zoo.").parse_args()
    for entry in ENTRIES:
        size = f"{entry.size} px" if entry.size else f"{entry.min_size}+ px"
        print(f"{entry.name:18} {size:8} {entry.source:12} {entry.citation}{f' ({entry.note})' if entry.note else ''}")


if __name__ == "__main__":
    sys.exit(main())
