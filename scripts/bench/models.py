"""Which models to measure: names, globs, and named sets.

`key` are the original notebook's families, every one with a published ImageNet accuracy in report/data/accuracy.csv;
`quick` a dozen small and middling ones that a laptop measures in minutes; `compiled` the twenty for torch.compile;
`repeat` the thirty that are measured again and again for the run-to-run difference; `design` those that tell most about
all the others on this kind of processor, most telling first, until one more would hardly help
(scripts/predict/design.py), and `check` thirty to test such predictions by; `all` is everything timm can build.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Iterable

from scripts.common import device as devices
from scripts.common.errors import UserError

QUICK = (
    "levit_128s",
    "levit_256",
    "resnet18",
    "resnet50",
    "regnetx_004",
    "regnetx_016",
    "vgg11",
    "tf_efficientnetv2_b0",
    "convnext_atto",
    "convnext_tiny",
    "vit_tiny_patch16_224",
    "vit_small_patch16_224",
    "beit_base_patch16_224",
)
COMPILED = (
    "levit_128s",
    "levit_256",
    "levit_384",
    "resnet18",
    "resnet50",
    "resnet101",
    "resnet50d",
    "regnetx_016",
    "regnetx_080",
    "vgg16",
    "convnext_atto",
    "convnext_tiny",
    "convnext_small",
    "convnext_base",
    "tf_efficientnetv2_b0",
    "tf_efficientnetv2_s",
    "vit_small_patch16_224",
    "vit_base_patch16_224",
    "beit_base_patch16_224",
    "beitv2_base_patch16_224",
)
REPEAT = (
    *COMPILED,
    "levit_192",
    "resnet34",
    "resnet152",
    "regnetx_004",
    "regnetx_032",
    "vgg11",
    "convnext_nano",
    "tf_efficientnetv2_b2",
    "vit_tiny_patch16_224",
    "vit_base_patch32_224",
)


def key() -> list[str]:
    """The architectures of report/data/accuracy.csv, in its order."""
    from scripts.data import accuracy

    return list(dict.fromkeys(accuracy.load()["arch"]))


def designed(role: str, kind: str) -> list[str]:
    """The models of `design` (role measure) or `check`, for a 'cpu' or 'cuda' device."""
    from scripts.predict import design as predict_design

    return predict_design.design(None, devices.group(kind), role=role)


def choose(wanted: Iterable[str], exact: bool = False, kind: str = "cpu") -> list[str]:
    """timm model names for names (with or without a tag), globs and sets, in order and without doubles. exact: names
    only. kind: of the device.

    Raises UserError for one that timm doesn't know, with the nearest that it does.
    """
    import timm

    known = timm.list_models()
    architectures = set(known)
    chosen: list[str] = []
    for word in wanted:
        sets = {
            "quick": lambda: QUICK,
            "key": key,
            "compiled": lambda: COMPILED,
            "repeat": lambda: REPEAT,
            "all": lambda: known,
            "design": lambda: designed("measure", kind),
            "check": lambda: designed("check", kind),
        }
        if not exact and word in sets:
            chosen += sets[word]()
        elif not exact and re.search(r"[*?\[]", word):
            found = [name for name in known if fnmatch.fnmatchcase(name, word)]
            if not found:
                raise UserError(
                    f"--models {word}: no timm model matches; `python -m scripts.bench.sweep --list` names them all"
                )
            chosen += found
        else:
            architecture, _, tag = word.partition(".")
            if architecture not in architectures or (tag and word not in timm.list_pretrained(architecture + ".*")):
                pool = [*known, *timm.list_pretrained(architecture + ".*")] if architecture in architectures else known
                near = difflib.get_close_matches(word, pool, n=3, cutoff=0.5)
                raise UserError(
                    f"unknown model {word!r}; "
                    + (
                        f"did you mean {', '.join(near)}?"
                        if near
                        else "`python -m scripts.bench.sweep --list` names them all"
                    )
                )
            chosen.append(word)
    return list(dict.fromkeys(chosen))
