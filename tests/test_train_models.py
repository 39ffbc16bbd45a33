import pytest
import torch

from scripts.common.errors import UserError
from scripts.train import models


def test_the_shared_convnet_has_exactly_2_668_418_parameters_and_13_62_g_multiply_adds():
    model = models.SharedConvNet(2, 224)
    assert models.parameters(model) == 2_668_418
    seen = []
    for module in model.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            module.register_forward_hook(
                lambda module, inputs, out: seen.append(  # as torchinfo counts: weights and biases per position
                    sum(p.numel() for p in module.parameters())
                    * (out.shape[-1] * out.shape[-2] if out.dim() == 4 else 1)
                )
            )
    assert model.to("meta")(torch.empty(1, 3, 224, 224, device="meta")).shape == (1, 2)
    assert round(sum(seen) / 1e9, 2) == 13.62


def test_lenet5_has_the_sixty_thousand_parameters_of_the_paper():
    model = models.LeNet5(10)
    assert models.parameters(model) - models.parameters(model.output) == 60_000
    assert sum(len(seen) for seen in model.TABLE) == 60  # the paper's 60 connections from S2 to C3


def test_resnet20_has_the_parameters_of_the_paper():
    assert round(models.parameters(models.ResNet20(10)) / 1e6, 2) == 0.27


@pytest.mark.parametrize("name", list(models.REGISTRY))
def test_every_architecture_answers_for_its_classes(name):
    entry = models.REGISTRY[name]
    size = models.size_for(entry, 32, chosen=False)
    with torch.device("meta"):  # shapes without arithmetic or memory
        model = entry.build(3, size) if entry.build else models._timm(entry, 3, size, False)
        assert model.eval()(torch.empty(2, 3, size, size)).shape == (2, 3)
    assert entry.citation and (entry.lr_scale == 1 or entry.note)


def test_the_quick_zoo_has_ten_and_the_families_of_the_report():
    assert len(models.QUICK) >= 10 and set(models.QUICK) | set(models.FULL) <= set(models.REGISTRY)
    for family in ("levit", "convnext", "beit", "resnet", "vit", "efficientnet"):
        assert any(name.startswith(family) for name in models.QUICK)


def test_an_unknown_name_suggests_one():
    with pytest.raises(UserError, match="no architecture called 'resnet81'; did you mean .*resnet18"):
        models.find("resnet81")
    with pytest.raises(UserError, match="no architecture called"):
        models.find("../../etc/passwd")


def test_aliases_and_timm_names():
    assert models.find("vit").name == "vit_tiny" and models.find("lenet") is models.REGISTRY["lenet5"]
    assert models.find("lcnet_050").source == "timm"


def test_sizes_that_a_network_refuses():
    lenet, inception = models.REGISTRY["lenet5"], models.REGISTRY["inception_v3"]
    assert models.size_for(lenet, 96, chosen=False) == 32 and models.size_for(inception, 32, chosen=False) == 75
    with pytest.raises(UserError, match="lenet5: takes only 32 pixels, not 96"):
        models.size_for(lenet, 96, chosen=True)
    with pytest.raises(UserError, match="inception_v3: takes 75 pixels or more, not 64"):
        models.size_for(inception, 64, chosen=True)
    with pytest.raises(UserError, match="vit_tiny|patch"):
        models.build(models.REGISTRY["vit_tiny"], 2, 97)
    with pytest.raises(UserError, match="swin_tiny_patch4_window7_224: does not take 64×64 pixels"):
        models.build(models.find("swin_tiny_patch4_window7_224"), 2, 64)


@pytest.mark.parametrize("size, expected", [(32, 8), (48, 12), (64, 16), (128, 16), (224, 16), (100, 10)])
def test_patches_leave_four_by_four_tokens(size, expected):
    assert models.patch(size) == expected


def test_out_of_reach_weights_are_found_out_and_said(monkeypatch):
    monkeypatch.setattr(models, "hub_answers", lambda: False)
    monkeypatch.setattr(models, "_cached", lambda arch: False)
    built = models.build(models.REGISTRY["resnet18"], 2, 32, "auto")
    assert built.weights == "scratch" and "cannot be reached" in built.reason
    with pytest.raises(UserError, match="resnet18: the weights' hub cannot be reached; use --pretrained auto"):
        models.build(models.REGISTRY["resnet18"], 2, 32, "yes")
    assert "no pretrained weights" in models.build(models.REGISTRY["lenet5"], 2, 32, "auto").reason


def test_a_hub_that_does_not_answer_costs_seconds_not_minutes(monkeypatch):
    import socket

    from huggingface_hub import constants

    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen()  # accepts, then says nothing
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    models.hub_answers.cache_clear()
    assert not models.hub_answers(timeout=0.2) and constants.HF_HUB_OFFLINE
    models.hub_answers.cache_clear()
    silent.close()


def test_weights_that_fail_to_load_are_said(monkeypatch):
    def broken(entry, classes, size, pretrained):
        if pretrained:
            raise ConnectionResetError("cut off")
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * size * size, classes))

    monkeypatch.setattr(models, "weights_out_of_reach", lambda entry: "")
    monkeypatch.setattr(models, "_timm", broken)
    built = models.build(models.REGISTRY["resnet18"], 2, 32, "auto")
    assert built.weights == "scratch" and built.reason == "weights could not be loaded (ConnectionResetError)"


@pytest.mark.parametrize(
    "name, size, patch",
    [
        ("vit_base_patch32_224", 224, 32),
        ("vit_base_patch32_224", 64, 16),
        ("vit_base_patch14_dinov2", 224, 14),
        ("vit_tiny", 224, 16),
        ("vit_tiny", 32, 8),
        ("vit_base_patch8_224", 64, 8),
    ],
)
def test_an_architecture_keeps_its_own_patch_where_the_picture_allows_it(name, size, patch):
    assert models.find(name).options(size) == {"img_size": size, "patch_size": patch}
