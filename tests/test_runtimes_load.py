"""The same network answers the same in every runtime; what can't be taken is a reason."""

from __future__ import annotations

import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
import torch
from torch import nn

from scripts.common import paths
from scripts.common.errors import UserError
from scripts.runtimes import check, kinds, one_core, pictures, quantise
from scripts.runtimes.load import Unable, load
from scripts.runtimes.network import NotExportable, of_module, of_timm

HERE = [(runtime, precision) for runtime in kinds.RUNTIMES for precision in kinds.PRECISIONS]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    before, paths.CACHE = paths.CACHE, tmp_path_factory.mktemp("cache")
    yield
    paths.CACHE = before


@pytest.fixture(scope="module")
def network():
    return of_timm("test_resnet", 64)


@pytest.fixture(scope="module")
def asked(network):
    pixels = pictures.batch(network, most=8)
    return pixels, check.reference(network, pixels)


@pytest.mark.parametrize(("runtime", "precision"), HERE)
def test_every_runtime_answers_as_eager_does(runtime, precision, network, asked):
    if runtime in ("compile", "kept"):
        pytest.skip("a compiler takes minutes on a busy machine; kept memory is the whole process's")
    if reason := kinds.why_not(runtime, precision):
        with pytest.raises(Unable, match=r"\w"):
            load(network, runtime, precision)
        assert reason.count("\n") == 0
        return
    pixels, expected = asked
    loaded = load(network, runtime, precision)
    found = check.compare(expected, check.answers(loaded, pixels, 3))
    assert found.finite and found.holds(precision)
    assert found.difference < {"fp32": 1e-4, "bf16": 0.05, "int8": 0.2}[precision]
    assert loaded(pixels[:1]).shape == (1, 1000)  # any batch


def test_a_fixed_batch_answers_for_pictures_that_do_not_fill_it(network, asked):
    pixels, expected = asked
    runtime = "openvino" if not kinds.why_not("openvino", "fp32") else "onnxruntime"
    loaded = load(network, runtime, batch=5)
    assert check.compare(expected, check.answers(loaded, pixels, 5)).holds()
    assert check.compare(expected[:2], check.answers(loaded, pixels[:2], 5)).holds()


class Odd(nn.Module):
    """Cannot be captured: its answer is made outside torch."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 4)

    def forward(self, x):
        return self.layer(torch.from_numpy(x.mean((2, 3)).detach().numpy() * float(np.abs(x.numpy()).max())))


def test_a_network_that_does_not_export_is_a_reason_and_names_what_runs_it():
    network = of_module("odd", Odd(), 16)
    with pytest.raises(NotExportable, match="--runtime compile or eager") as caught:
        network.onnx()
    assert "\n" not in str(caught.value)
    with pytest.raises(Unable, match="odd"):
        load(network, "onnxruntime")
    assert load(network, "eager")(np.ones((2, 3, 16, 16), np.float32)).shape == (2, 4)


def test_the_identity_is_that_of_the_weights():
    torch.manual_seed(0)
    one, other = nn.Linear(3, 4), nn.Linear(3, 4)
    assert of_module("a", one, 16).identity == of_module("a", one, 16).identity != of_module("a", other, 16).identity


def test_no_numbers_never_hold():
    expected = np.ones((4, 3), np.float32)
    broken = expected.copy()
    broken[2, 1] = np.nan
    found = check.compare(expected, broken)
    assert not found.finite and not found.holds() and not found.holds("int8") and "no numbers" in found.said()


def test_answers_of_another_network_do_not_hold():
    random = np.random.default_rng(0)
    found = check.compare(random.normal(size=(50, 10)), random.normal(size=(50, 10)))
    assert found.finite and not found.holds() and not found.holds("int8")


def test_an_unknown_runtime_names_those_there_are():
    with pytest.raises(UserError, match="openvino"):
        kinds.why_not("tvm", "fp32")
    with pytest.raises(UserError, match="int8"):
        kinds.why_not("eager", "int4")


def test_without_a_compiler_torch_compile_is_a_reason(monkeypatch, network):
    monkeypatch.setenv("CXX", "no_such_compiler++")
    with pytest.raises(Unable, match="needs a C\\+\\+ compiler, and no_such_compiler"):
        load(network, "compile")
    assert kinds.why_not("compile", "fp32", "cuda") == "", "Triton compiles for a GPU"


def test_without_openvino_all_else_goes_on(monkeypatch, network):
    monkeypatch.setattr(kinds, "find_spec", lambda name: None if name == "openvino" else object())
    assert "not installed" in kinds.why_not("openvino", "fp32")
    with pytest.raises(Unable, match="not installed"):
        load(network, "openvino")
    assert kinds.why_not("eager", "fp32") == "" == kinds.why_not("onnxruntime", "fp32")


def test_skipped_layers_stay_as_they_are(network):
    if kinds.why_not("onnxruntime", "int8"):
        pytest.skip("no quantiser")
    import onnx

    def quantised(content):
        return [node.op_type for node in onnx.load_from_string(content).graph.node].count("QuantizeLinear")

    sample = pictures.batch(network, most=4)
    whole, _ = quantise.int8(network, sample)
    part, _ = quantise.int8(network, sample, skip=4)
    assert 0 < quantised(part) < quantised(whole)


def test_onnx_runtime_gets_one_range_an_activation():
    """With a range a channel it would compute depthwise convolutions in fp32."""
    if kinds.why_not("onnxruntime", "int8"):
        pytest.skip("no quantiser")
    import onnx

    def ranges(content):
        graph = onnx.load_from_string(content).graph
        sizes = {one.name: one.dims[0] if one.dims else 1 for one in graph.initializer}
        asked = [node.input[1] for node in graph.node if node.op_type == "QuantizeLinear"]
        return max(sizes.get(name, 1) for name in asked)

    network = of_timm("test_efficientnet", 64)
    sample = pictures.batch(network, most=2)
    assert ranges(quantise.int8(network, sample, skip=0, runtime="onnxruntime")[0]) == 1
    assert ranges(quantise.int8(network, sample, skip=0, runtime="openvino")[0]) > 1


def test_a_processor_without_bf16_is_a_reason_and_no_quiet_fp32(network, monkeypatch):
    """OpenVINO takes the hint and computes fp32: what it says it computes counts, not what was asked for."""
    compiled = mock.MagicMock()
    compiled.get_property.return_value.to_string.return_value = "f32"
    core = mock.MagicMock()
    core.compile_model.return_value = compiled
    monkeypatch.setattr(one_core, "core", lambda: core)
    monkeypatch.setattr(kinds, "find_spec", lambda name: object())
    with pytest.raises(Unable, match="computes f32 on this processor, which has no bf16"):
        load(network, "openvino", "bf16", batch=1)


def test_a_processor_that_names_no_instructions_for_a_precision_is_told_to_measure(monkeypatch, capsys):
    monkeypatch.setattr(kinds, "instructions", lambda: {"bf16": ["avx512_bf16"], "int8": []})
    kinds.main()
    said = capsys.readouterr().out
    assert "no instructions for int8: it may be slower than fp32; measure it" in said
    assert "no instructions for bf16" not in said


def test_a_signal_is_handled_after_two_networks_in_openvino_ended_in_the_order_they_began():
    code = (
        "import gc, os, signal\nfrom scripts.runtimes.load import load\nfrom scripts.runtimes.network import of_timm\n"
        "network = of_timm('test_resnet', 64)\nloaded = [load(network, 'openvino') for _ in range(2)]\n"
        "while loaded:\n    del loaded[0]\n    gc.collect()\n"
        "signal.signal(signal.SIGINT, lambda *_: print('handled'))\nos.kill(os.getpid(), signal.SIGINT)"
    )
    if kinds.why_not("openvino", "fp32"):
        pytest.skip("no OpenVINO here")
    done = subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr[-2000:]
