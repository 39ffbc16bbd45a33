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


COMMANDS = {
    "status": ["scripts.common.status"],
    "check-data": ["scripts.bench.contribute"],
    "photos": ["scripts.train.datasets", "PHOTOS", "--size", "32"],
    "train": ["scripts.train.train_models", "--data", "PHOTOS", "--models", "lenet5", "--epochs", "1", "--size", "32",
              "--device", "cpu", "--out", "OUT"],
    "export": ["scripts.train.pets_export", "--data", "PHOTOS", "--arch", "test_resnet", "--epochs", "1",
               "--size", "32", "--batch", "8", "--pretrained", "no", "--tracker", "none", "--device", "cpu",
               "--out", "OUT"],
}  # fmt: skip
RUN = f"""
import scripts, runpy, sys
{SOCKETS}
import scripts.common.paths as paths, pathlib
paths.DATA = pathlib.Path(sys.argv[1])
sys.argv = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_leaves_nothing_in_an_empty_home_and_opens_no_connection(command, tmp_path):
    places = {name: tmp_path / name for name in ("home", "PHOTOS", "OUT", "data", "cache")}
    for place in places.values():
        place.mkdir()
    image = pytest.importorskip("PIL.Image")
    for label, colour in (("a", 40), ("b", 200)):
        (places["PHOTOS"] / label).mkdir()
        for number in range(12):
            image.new("RGB", (40, 40), (colour, 9 * number, 80)).save(places["PHOTOS"] / label / f"{number}.png")
    words = [str(places.get(word, word)) for word in COMMANDS[command]]
    environment = {**os.environ, "HOME": str(places["home"]), "BEST_IMAGE_MODELS_CACHE": str(places["cache"])}
    environment = {name: value for name, value in environment.items() if not name.startswith("XDG_")}
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(places["data"]), *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert "reached for the network" not in done.stderr and done.returncode == 0, done.stderr[-800:]
    left = [path.relative_to(places["home"]).as_posix() for path in places["home"].rglob("*") if path.is_file()]
    assert not [name for name in left if not name.startswith((".cache/matplotlib", ".cache/fontconfig"))]
