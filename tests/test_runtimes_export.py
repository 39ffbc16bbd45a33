"""The export of a network for another runtime: a whole folder or none, and one line for what can't be."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from scripts.common import paths
from scripts.common.errors import UserError
from scripts.common.sealed import checksums, verified
from scripts.runtimes import export, kinds
from scripts.runtimes.network import of_folder, of_timm

RUNTIME = next((one for one in ("openvino", "onnxruntime") if not kinds.why_not(one, "fp32")), "")
pytestmark = pytest.mark.skipif(not RUNTIME, reason="no other runtime is installed")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch, moved):
    moved(CACHE=tmp_path / "cache")
    monkeypatch.setattr(export, "TURN", 0.01)


@pytest.fixture(scope="module")
def network():
    return of_timm("test_resnet", 64)


@pytest.fixture(scope="module", autouse=True)
def briefly():
    """The comparison of speeds, three seconds of all cores each time, is long enough to give a number."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "TURN", 0.01)
        yield


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    """A folder that was exported for onnxruntime."""
    if reason := kinds.why_not("onnxruntime", "fp32"):
        pytest.skip(reason)
    out = tmp_path_factory.mktemp("exported") / "out"
    export.export(network, "onnxruntime", "fp32", out)
    return out


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_what_is_exported_runs_as_the_printed_lines_say(runtime, network, tmp_path):
    if reason := kinds.why_not(runtime, "fp32"):
        pytest.skip(reason)
    out = tmp_path / "out"
    said = export.export(network, runtime, "fp32", out)
    assert "times as fast" in said[1] and "100.0%" in said[1]
    for name in (sums := checksums(out)):
        verified(out, name, sums)
    scope: dict = {}
    exec("\n".join(said[2:]).replace(paths.relative(out), str(out)), scope)
    expected = network.module(torch.zeros(1, 3, 64, 64)).detach().numpy()
    assert np.abs(scope["logits"] - expected).max() < 1e-3 * np.abs(expected).max()
    if runtime == "onnxruntime":
        again = of_folder(out)  # and it can be exported once more
        assert again.size == 64 and export.export(again, runtime, "fp32", tmp_path / "two")


def test_int8_asks_for_enough_photos_of_all_classes(network, tmp_path):
    if reason := kinds.why_not(RUNTIME, "int8"):
        pytest.skip(reason)
    random = np.random.default_rng(0)
    for folder, many in (("few", 5), ("set/cat", 40), ("set/dog", 40)):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(many):
            pixels = random.integers(0, 255, (70, 70, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.jpg")
    for folder, problem in (("few", "5 pictures"), ("set/cat", "one class"), ("none", "no such folder")):
        with pytest.raises(UserError, match=problem):
            export.export(network, RUNTIME, "int8", tmp_path / "out", tmp_path / folder)
        assert not (tmp_path / "out").exists()
    said = export.export(network, RUNTIME, "int8", tmp_path / "out", tmp_path / "set")
    assert "of 40 pictures" in said[1] and not any("that packages carry" in line for line in said)
    facts = json.loads((tmp_path / "out" / "about.json").read_text())
    assert facts["precision"] == "int8" and facts["agreement"]["pictures"] == 40


def test_a_folder_of_others_is_never_replaced(network, tmp_path):
    (tmp_path / "photo.txt").write_text("mine")
    with pytest.raises(UserError, match="not made by this command"):
        export.export(network, RUNTIME, "fp32", tmp_path)
    assert (tmp_path / "photo.txt").read_text() == "mine"


def test_what_fails_half_way_leaves_the_old_folder(network, tmp_path, monkeypatch):
    out = tmp_path / "out"
    export.export(network, RUNTIME, "fp32", out)
    before = (out / "SHA256SUMS").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "files_of", full)
    with pytest.raises(UserError):
        export.export(network, RUNTIME, "fp32", out)
    assert (out / "SHA256SUMS").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["resnet_nix"], "neither a folder nor a network"),
        (["test_resnet", "--random", "--runtime", "eager"], "nothing to export"),
        (["test_resnet", "--weights", "none.safetensors"], "no such file"),
        (["none/here"], "no such folder"),
        (["test_resnet", "--random", "--img-size", "1"], "16 to 4096 pixels"),
        (["models/none", "--random"], "leave --weights, --random"),
    ],
)
def test_what_cannot_be_is_one_line(arguments, problem, capsys):
    assert export.main(arguments) == 2
    said = capsys.readouterr().err
    assert problem in said and said.count("\n") == 1


def test_weights_of_another_network_are_refused(tmp_path, capsys):
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(2)}, tmp_path / "a.safetensors")
    assert export.main(["test_resnet", "--weights", str(tmp_path / "a.safetensors")]) == 2
    assert "not those of test_resnet" in capsys.readouterr().err


def test_answers_that_are_no_numbers_are_not_exported(network, tmp_path, monkeypatch):
    broken = export.check.Agreement(float("nan"), float("nan"), 0.0, False, 3)
    monkeypatch.setattr(export.check, "compare", lambda *_: broken)
    with pytest.raises(UserError, match="no numbers"):
        export.export(network, RUNTIME, "fp32", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("harm", ["another network", "another version", "cut"])
def test_an_exported_file_that_is_not_what_was_exported_is_refused(harm, exported, tmp_path):
    out = shutil.copytree(exported, tmp_path / "out")
    assert of_folder(out).size == 64
    if harm == "another network":
        (out / "model.onnx").write_bytes(of_timm("test_vit", 160).onnx())
    elif harm == "cut":
        (out / "model.onnx").write_bytes((out / "model.onnx").read_bytes()[:-1])
    else:
        (out / "config.json").write_text('{"arch": "resnet18"}')
    with pytest.raises(UserError, match="model.onnx|config.json"):
        of_folder(out)
