"""The family table: every architecture has one row, none by accident, and the colours can be told apart."""

from __future__ import annotations

import csv
import re

import pytest

from scripts.common import families
from scripts.common.errors import UserError
from scripts.data import names


def all_architectures(timm_tables) -> set[str]:
    found = set()
    for path in timm_tables.glob("20*/*.csv"):
        with open(path, newline="") as file:
            found |= {row["model"].split(".")[0] for row in csv.DictReader(file)}
    return found


def test_every_architecture_of_both_vintages_has_a_family(timm_tables):
    archs = all_architectures(timm_tables)
    assert len(archs) > 1400
    families.check(archs)


def test_no_architecture_fits_two_families(timm_tables):
    """Order decides between rows of one family (its special cases), never between two families."""
    for arch in all_architectures(timm_tables) | set(names.table()["old"]):
        fitting = {row.family for row in families.TABLE if re.fullmatch(row.pattern, arch)}
        assert len(fitting) == 1 or "test" in fitting, (arch, fitting)


def test_every_architecture_that_timm_has_today(timm_tables):
    timm = pytest.importorskip("timm")
    families.check(timm.list_models())


@pytest.mark.parametrize(
    "arch, family, kind",
    [
        ("vit_base_patch16_224", "vit", "transformer"),
        ("vit_base_r50_s16_224", "vit", "hybrid"),
        ("crossvit_15_240", "crossvit", "transformer"),
        ("efficientvit_b0", "efficientvit", "hybrid"),
        ("maxvit_tiny_tf_224", "maxvit", "hybrid"),
        ("mobilevit_s", "mobilevit", "hybrid"),
        ("levit_128s", "levit", "hybrid"),
        ("beit_base_patch16_224", "beit", "transformer"),
        ("beitv2_base_patch16_224", "beitv2", "transformer"),
        ("beit3_base_patch16_224", "beit3", "transformer"),
        ("repvgg_a0", "repvgg", "convnet"),
        ("vgg16_bn", "vgg", "convnet"),
        ("convnext_tiny_in22ft1k", "convnext", "convnet"),
        ("convnextv2_tiny", "convnext", "convnet"),
        ("inception_next_tiny", "inception_next", "convnet"),
        ("tf_efficientnetv2_s_in21ft1k", "efficientnet", "convnet"),
        ("haloregnetz_b", "halonet", "hybrid"),
        ("regnetz_040h", "regnet", "convnet"),
        ("eva_giant_patch14_224", "eva", "transformer"),
        ("resnetv2_50x1_bit_distilled", "resnet", "convnet"),
        ("nf_resnet50", "nfnet", "convnet"),
        ("mobilenetv4_hybrid_medium", "mobilenetv4", "hybrid"),
        ("mobilenetv4_conv_small", "mobilenetv4", "convnet"),
        ("mixer_b16_224", "mixer", "mlp"),
    ],
)
def test_names_that_look_like_another_family(arch, family, kind):
    assert (families.family(arch), families.kind(arch)) == (family, kind)


def test_unmapped_names_are_all_named_with_where_to_add_them():
    with pytest.raises(UserError) as error:
        families.check(["resnet50", "quantumnet_b0", "NA", "levitating_cat"])
    message = str(error.value)
    assert all(name in message for name in ("quantumnet_b0", "NA", "levitating_cat", "scripts/common/families.py"))
    assert "resnet50" not in message


def test_a_thousand_unmapped_names_still_make_one_readable_line():
    with pytest.raises(UserError) as error:
        families.check(f"future_{i}" for i in range(1000))
    assert "980 more" in str(error.value) and len(str(error.value)) < 1000


def test_every_row_is_well_formed():
    for row in families.TABLE:
        assert row.kind in families.KINDS and re.compile(row.pattern)
        assert not row.pattern.startswith(".*"), (
            f"{row.family}: a pattern that starts with anything swallows other families"
        )


def test_key_families_have_a_colour_and_the_rest_are_grey():
    for name in families.KEY_FAMILIES:
        assert families.colour(name) != families.GREY[0], name
    assert families.colour("swin") == families.GREY[0] and families.colour("swin", dark=True) == families.GREY[1]


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark, paper", [(False, "#ffffff"), (True, "#16181d")])
def test_contrast_with_the_page_is_three_to_one(dark, paper):
    for pair in [*families.COLOURS.values(), families.GREY]:
        low, high = sorted([luminance(pair[dark]), luminance(paper)])
        assert (high + 0.05) / (low + 0.05) >= 3, pair[dark]
