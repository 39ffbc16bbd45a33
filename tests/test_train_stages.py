"""A probe on a network's stages: one linear layer, judged by photos it didn't see, exported and read back alike."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from scripts.train import exported, finetune, probe, probed_network
from scripts.train.stages import Stages, shown

SIZE, CLASSES = 64, ("glass", "paper", "tin")


@pytest.fixture(scope="module")
def model() -> nn.Sequential:
    torch.manual_seed(0)
    return probed_network.probed_network("test_resnet", len(CLASSES), SIZE, stages=True).eval()


def test_its_row_begins_with_the_networks_own_features(model):
    body, pixels = model[0], torch.rand(2, 3, SIZE, SIZE)
    found = body.eval()(pixels)
    assert torch.allclose(found[:, : body.blocks[0]], body.network(pixels), atol=1e-5)
    assert found.shape == (2, sum(body.blocks)) and len(body.blocks) == 5


def test_a_network_that_shows_no_maps_stays_itself():
    plain = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    assert shown(plain, 2) is plain


def test_the_probe_is_that_of_standardised_blocks_as_one_layer():
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 20)
    features = random.normal(size=(60, 8)).astype(np.float32)
    features[:, 6] += 0.5 * labels  # what tells them apart, in numbers a thousand times as small as the others
    features[:, 5:] = features[:, 5:] * 1e-3 + 7
    features[:, 4] = 3  # the same for all
    blocks, fold = (5, 3), probe.folds(labels, np.arange(60))
    found = probe.judge_blocks(features, blocks, labels, fold, 3)
    spread = features.std(0)
    scaled = np.where(spread > 1e-6, (features - features.mean(0)) / np.maximum(spread, 1e-6), 0)
    by_hand = probe.judge(scaled / np.sqrt(np.repeat(blocks, blocks)), labels, fold, 3)
    assert np.allclose(found.probabilities, by_hand.probabilities, atol=1e-5)
    assert np.allclose(found.head.probabilities(features), by_hand.head.probabilities(
        scaled / np.sqrt(np.repeat(blocks, blocks))), atol=1e-3)  # fmt: skip
    right = lambda judged: (judged.probabilities.argmax(1) == labels).mean()
    assert right(found) > right(probe.judge(features, labels, fold, 3))


def test_it_is_exported_and_read_back(model, tmp_path):
    config = exported.Config("test_resnet", CLASSES, SIZE, (0.5,) * 3, (0.2,) * 3, builder=probed_network.STAGES)
    exported.save(tmp_path / "model", model, config)
    back, pixels = exported.load(tmp_path / "model"), torch.rand(2, 3, SIZE, SIZE)
    assert isinstance(back.model[0], Stages) and torch.equal(back.model(pixels), model(pixels))


def test_the_learner_needs_nothing_of_the_project(model, tmp_path):
    content = finetune.dumped(model)
    (tmp_path / "model.pkl").write_bytes(content)
    code = "import torch; print(tuple(torch.load('model.pkl', weights_only=False)(torch.rand(2, 3, 64, 64)).shape))"
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "(2, 3)"
