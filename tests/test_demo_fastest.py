"""The app's runtime: its answers are PyTorch's, it is remembered, and whatever goes wrong PyTorch answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from scripts.common import paths
from scripts.common.errors import UserError
from scripts.demo import classify, fastest, worker
from scripts.demo.predict import Predictor
from scripts.runtimes import check, kinds, store
from scripts.runtimes.load import Unable
from scripts.train import exported

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HERE = next((one for one in ("openvino", "onnxruntime") if not kinds.why_not(one, "fp32")), "")
PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8))
pytestmark = pytest.mark.skipif(not HERE, reason="no other runtime is installed")


@pytest.fixture(autouse=True)
def cache(tmp_path, moved):
    moved(CACHE=tmp_path / "cache")


@pytest.fixture(scope="module", params=["fastai", "probed", "stages", "zoo"])
def folder(request, tmp_path_factory):
    config = exported.Config("test_resnet", ("cat", "dog"), 128, MEAN, STD, builder=request.param)
    torch.manual_seed(0)
    found = tmp_path_factory.mktemp("models") / request.param
    exported.save(found, exported.build(config), config, onnx=False)
    return found


def test_answers_and_heat_are_pytorchs(folder):
    plain, quick = Predictor(folder), Predictor(folder, runtime=HERE)
    one, other = plain.ask(PHOTO), quick.ask(PHOTO)
    assert quick.fast is not None and other.runtime == kinds.label(HERE, "fp32") and "eager" in one.runtime
    assert other.probabilities == pytest.approx(one.probabilities, abs=1e-4) and other.method == one.method
    assert np.abs(one.heat - other.heat).max() < 0.01
    assert quick.ask(PHOTO, heat=False).probabilities == pytest.approx(one.probabilities, abs=1e-4)


@pytest.fixture
def predictor(tmp_path):
    config = exported.Config("test_resnet", ("cat", "dog"), 128, MEAN, STD, builder="fastai")
    torch.manual_seed(0)
    exported.save(tmp_path / "small", exported.build(config), config, onnx=False)
    return Predictor(tmp_path / "small")


def test_a_choice_is_made_once_and_remembered(predictor, monkeypatch):
    monkeypatch.setattr(fastest, "CANDIDATES", [(HERE, "fp32")])
    monkeypatch.setattr(fastest, "_times", lambda predictor, fast: 3.0)
    assert fastest.remembered(predictor) is None
    assert fastest.choose(predictor)[:3] == (HERE, "fp32", 3.0)
    monkeypatch.setattr(fastest, "_measured", lambda predictor: pytest.fail("measured twice"))
    fastest.choose(predictor)
    predictor.take_remembered()
    assert predictor.ask(PHOTO).runtime == kinds.label(HERE, "fp32")
    monkeypatch.setattr(kinds, "machine", lambda: "another processor")
    assert fastest.remembered(predictor) is None
    predictor.fast = None
    predictor.take_remembered()
    assert predictor.fast is None


@pytest.mark.parametrize(
    ("times", "found"),
    [
        (1.05, check.Agreement(0, 0, 1.0, True, 12)),  # not worth it
        (9.0, check.Agreement(0.1, 0.3, 1.0, True, 12)),  # other probabilities
        (9.0, check.Agreement(0.1, 0.01, 0.9, True, 12)),  # other classes
        (9.0, check.Agreement(float("nan"), float("nan"), 0.0, False, 12)),
    ],
)
def test_what_is_not_worth_it_or_answers_otherwise_is_not_chosen(predictor, monkeypatch, times, found):
    monkeypatch.setattr(fastest, "_times", lambda *_: times)
    monkeypatch.setattr(fastest, "_agreement", lambda *_: found)
    assert fastest.choose(predictor) == fastest.Chosen("eager", "fp32")
    predictor.take_remembered()
    assert predictor.fast is None and "eager" in predictor.ask(PHOTO).runtime


def test_another_runtime_that_answers_otherwise_is_refused_when_asked_for(predictor, monkeypatch):
    monkeypatch.setattr(fastest, "_agreement", lambda *_: check.Agreement(0.1, 0.3, 0.5, True, 12))
    with pytest.raises(UserError, match="not PyTorch's"):
        fastest.asked_for(predictor, HERE)
    with pytest.raises(UserError, match="choose from"):
        fastest.asked_for(predictor, "warp")
    monkeypatch.setattr(kinds, "why_not", lambda *_: "it is not installed")
    with pytest.raises(UserError, match="not installed"):
        fastest.asked_for(predictor, HERE)


def test_a_network_that_cannot_be_cut_runs_in_pytorch(predictor, monkeypatch):
    monkeypatch.setattr(fastest, "tail", lambda *_: None)
    with pytest.raises(Unable, match="can't be had"):
        fastest.Fast(predictor.model, predictor.layer, 128, HERE, "fp32")
    assert fastest.choose(predictor).runtime == "eager"


def test_a_damaged_choice_or_file_is_none(predictor, monkeypatch):
    monkeypatch.setattr(fastest, "CANDIDATES", [(HERE, "fp32")])
    monkeypatch.setattr(fastest, "_times", lambda *_: 3.0)
    fastest.choose(predictor)
    place = store.place(fastest.key_of(predictor)) / fastest.NAME
    place.write_text("{")
    assert fastest.remembered(predictor) is None
    assert fastest.choose(predictor).runtime == HERE  # made anew
    monkeypatch.setattr(fastest, "exported", lambda *_: (_ for _ in ()).throw(RuntimeError("disk")))
    for kept in (paths.CACHE / "runtimes").glob("cut-*/model.onnx"):
        kept.write_bytes(b"no")
    predictor.take_remembered()
    assert predictor.fast is None and predictor.ask(PHOTO).probabilities


def test_the_worker_goes_on_in_pytorch_where_choosing_fails(predictor, tmp_path, monkeypatch):
    def fails(*_, **__):
        raise OSError("no process")

    monkeypatch.setattr(worker.subprocess, "run", fails)
    worker.choose([predictor], [tmp_path / "small"])
    assert predictor.fast is None


def test_the_terminal_says_what_computed(predictor, tmp_path):
    PHOTO.save(tmp_path / "a.png")
    (found,) = classify.classify(tmp_path / "small", [tmp_path / "a.png"], runtime=HERE)
    assert found["runtime"] == kinds.label(HERE, "fp32")
    (found,) = classify.classify(tmp_path / "small", [tmp_path / "a.png"])
    assert "eager" in found["runtime"]
