"""Which models a command names."""

from __future__ import annotations

import pytest

pytest.importorskip("timm")

from scripts.bench import models
from scripts.common.errors import UserError


def test_names_globs_and_sets_in_order_without_doubles():
    assert models.choose(["resnet50", "levit_*", "resnet50"])[:2] == ["resnet50", "levit_128"]
    assert models.choose(["resnet50.a1_in1k"]) == ["resnet50.a1_in1k"]
    assert models.choose(["quick"]) == list(models.QUICK)
    assert len(models.choose(["all"])) > 1000
    assert models.choose(["key"]) == models.key()


def test_quick_has_every_family_the_report_speaks_of():
    for start in ("levit_", "convnext_", "beit_", "resnet", "regnetx_", "vgg", "tf_efficientnetv2_", "vit_"):
        assert any(name.startswith(start) for name in models.QUICK), start


def test_the_sets_have_the_sizes_they_are_called_by():
    assert (len(set(models.COMPILED)), len(set(models.REPEAT))) == (20, 30)


def test_the_design_is_that_of_the_processor_and_can_be_built():
    from scripts.predict import design as predict_design

    cpu, card = models.choose(["design"], kind="cpu"), models.choose(["design"], kind="cuda")
    assert cpu == predict_design.design(None, "cpu") and card == predict_design.design(None, "gpu") and cpu != card
    assert 10 <= len(cpu) <= 40 and len(models.choose(["check"])) == 30 and not set(cpu) & set(models.choose(["check"]))
    assert models.choose([*cpu, "check"], kind="cpu")[: len(cpu)] == cpu  # every one is a model of this timm
    assert models.choose(["quick", "design"])[: len(models.QUICK)] == list(models.QUICK)


@pytest.mark.parametrize(
    "word, near",
    [
        ("resnt50", "resnet50"),
        ("convnext-tiny", "convnext_tiny"),
        ("resnet50.a1_in2k", "resnet50.a1_in1k"),
        ("LeViT_128", "levit_128"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(word, near):
    with pytest.raises(UserError, match=f"did you mean.*{near}"):
        models.choose([word])


@pytest.mark.parametrize("word", ["zzz*", "qqqqqqqqqqqq", "", "resnet50; rm -rf"])
def test_what_names_nothing_is_an_error(word):
    with pytest.raises(UserError):
        models.choose([word])


def test_one_model_means_a_name():
    with pytest.raises(UserError):
        models.choose(["quick"], exact=True)
