"""Make scripts/data/timm_names.csv again: what timm calls each model of 2022 today.

Needs timm and both vintages of tables.

python -m scripts.data.names_update
"""

from __future__ import annotations

import sys

import pandas as pd

from scripts.common.errors import cli, parser_of
from scripts.common.paths import atomic_csv
from scripts.data import read_data
from scripts.data.names import TABLE

# points of top-1: the furthest that one set of weights moved between the two tables, re-evaluated, is 0.3 (convnext,
# nfnet)
NEAR = 0.35


def update() -> pd.DataFrame:
    """Make the table from timm's registry and the two vintages of results. Returns it; `main` writes it."""
    import timm
    from timm.models import _registry

    then, now = (read_data.results(vintage) for vintage in read_data.VINTAGES)
    top1 = dict(zip(zip(now["model"], now["img_size"]), now["top1"]))
    by_arch = now.groupby("arch")["model"].agg(lambda names: sorted(set(names))).to_dict()
    weights = set(timm.list_models(pretrained=True, include_tags=True, exclude_filters=[]))

    def one(old: str, size: int, accuracy: float) -> tuple[str, str]:
        arch, _, tag = _registry._deprecated_models.get(old, old).partition(".")
        if old.startswith("ig_"):  # timm's register sends all four to the smallest
            real = old.removeprefix("ig_")
            if not _registry.is_model(real):
                return f"{arch}.{tag}", "timm loads these weights of a smaller network; the original ones are gone"
            arch = real
        if not _registry.is_model(arch):
            return "", "gone from timm"
        if tag and f"{arch}.{tag}" in weights:
            return f"{arch}.{tag}", ""
        near = sorted(
            (abs(top1[name, size] - accuracy), name) for name in by_arch.get(arch, []) if (name, size) in top1
        )
        if near and near[0][0] <= NEAR:
            return near[0][1], ""
        named = [name for name in sorted(weights) if tag and name.startswith(f"{arch}.{tag}")]
        default = timm.models.get_pretrained_cfg(arch)
        if named or (default and default.tag):
            return (named or [f"{arch}.{default.tag}"])[0], "timm's default weights" if size and not named else ""
        return arch, "an architecture without published weights"

    sizes = dict(zip(then["model"], zip(then["img_size"], then["top1"])))
    olds = sorted(set(sizes) | set(_registry._deprecated_models))
    rows = [(old, *one(old, *sizes.get(old, (0, 0.0)))) for old in olds]
    return pd.DataFrame(rows, columns=["old", "new", "note"])


@cli
def main(argv: list[str] | None = None) -> None:
    parser_of("scripts.data.names_update", __doc__, "python -m scripts.data.names_update").parse_args(argv)
    atomic_csv(update(), TABLE)
    print(f"wrote {TABLE.name}")


if __name__ == "__main__":
    sys.exit(main())
