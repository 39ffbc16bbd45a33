"""On what a model was trained before it saw ImageNet-1k, from its tag today or its name of 2022.

A lead bought with more data is not a lead of the architecture: a fair comparison stays inside one class.

    in1k        ImageNet-1k only
    in21k       also ImageNet-12k, -21k or -22k
    web         also images from the web by the ten million or more (LAION, WebLI, CLIP's, JFT, Instagram, YFCC100M,
                EVA's merged sets)
    distilled   ImageNet-1k only, but taught by a larger network
    unknown     the name does not say

The first of web, in21k, distilled, in1k that fits decides: a model distilled on ImageNet-22k counts as in21k.
"""

from __future__ import annotations

import functools
import re

from scripts.data import names

CLASSES = ("in1k", "distilled", "in21k", "web", "unknown")
LABELS = {
    "in1k": "ImageNet-1k only",
    "distilled": "ImageNet-1k, distilled",
    "in21k": "ImageNet-12k/21k/22k",
    "web": "web-scale data",
    "unknown": "not known",
}

_WEB = re.compile(
    r"laion|openai|webli|clip|jft|ig1b|yfcc|swag|seer|m30m|m38m|datacomp|metaclip|dfn|merged|lvd|mobileclip|wsl"
)
_IN21K = re.compile(r"in(12|21|22)k")
_DISTILLED = re.compile(r"(^|_)(dist|distilled|snap_dist|ssld|deit_dist)(_|$)")
_DISTILLED_ARCH = re.compile(r"distilled|_dist(_|$)|^levit_")  # LeViT's own recipe distils throughout
_OLD_WEB = re.compile(r"^(ig|swsl|ssl)_|_ns(_|$)")
_OLD_IN21K = re.compile(r"in(21|22)|22kft1k|bitm$|^beit_|_miil(_in21k)?$")


@functools.lru_cache(maxsize=None)
def pretraining(name: str) -> str:
    """The class (see above) of `architecture.tag`, of a bare tag such as 'fb_in22k_ft_in1k', or of a name of 2022."""
    name = str(name)
    arch, dot, tag = name.partition(".")
    if not dot and re.search(r"in1k|in(12|21|22)k", name) and not names.today(name):
        arch, tag = "", name  # a bare tag
    elif not dot:
        arch, _, tag = names.today(name).partition(".")
        if _OLD_WEB.search(name):
            return "web"
        if _OLD_IN21K.search(name):
            return "in21k"
        arch = arch or name
    if _WEB.search(tag):
        return "web"
    if _IN21K.search(tag):
        return "in21k"
    if _DISTILLED.search(tag) or _DISTILLED_ARCH.search(arch):
        return "distilled"
    return "in1k" if "in1k" in tag else "unknown"
