"""No dependency reports anything: each in a fresh process with an empty home, whatever the environment asked for."""

import os
import subprocess
import sys

import pytest

from scripts.common.paths import ROOT
from scripts.common.telemetry import OFF

QUANTISE = """
import numpy, openvino, nncf
from openvino import opset13 as op
a = op.parameter([1, 3, 8, 8], numpy.float32)
weights = numpy.ones((2, 3, 3, 3), numpy.float32)
network = openvino.Model([op.convolution(a, weights, [1, 1], [0, 0], [0, 0], [1, 1])], [a])
nncf.quantize(network, nncf.Dataset([numpy.ones((1, 3, 8, 8), numpy.float32)]), subset_size=1)
import openvino.tools.ovc
"""
USES = {
    "onnxruntime": "import onnxruntime; onnxruntime.SessionOptions()",
    "openvino": "import openvino; openvino.Core().available_devices",
    "nncf": QUANTISE,
    "gradio": "import gradio; gradio.Blocks()",
    "comet_ml": "import comet_ml",
    "optuna": "import optuna",
}
SOCKETS = """
import socket
def refused(*_, **__):
    raise SystemExit("it reached for the network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refused
"""


@pytest.mark.slow
@pytest.mark.parametrize("package", USES)
def test_a_package_writes_nothing_into_the_home_folder_and_asks_no_host(package, tmp_path):
    pytest.importorskip(package)
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        **os.environ,
        **dict.fromkeys(OFF, "0"),
        "GRADIO_ANALYTICS_ENABLED": "True",
        "COMET_ERROR_TRACKING_ENABLE": "true",
        "HOME": str(home),
    }
    environment.pop("PYTEST_CURRENT_TEST", None)
    found = subprocess.run(
        [sys.executable, "-c", f"import scripts{SOCKETS}{USES[package]}"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr[-800:]
    written = [path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()]
    known = [
        name
        for name in written
        if not name.startswith((".cache/matplotlib", ".config/matplotlib", ".cache/huggingface", ".cache/fontconfig"))
    ]
    assert not known


@pytest.mark.slow
def test_telemetry_of_openvino_is_not_even_imported():
    pytest.importorskip("nncf")
    code = "import scripts, sys, nncf, openvino; print(sys.modules['openvino_telemetry'])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert found.stdout.strip() == "None", found.stderr[-800:]
