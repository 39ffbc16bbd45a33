"""No dependency reports anything: all in a fresh process with an empty home, whatever the environment asked for; then
our commands in another.
"""

import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.common.paths import ROOT
from scripts.common.telemetry import OFF

REPORTS = re.compile(
    r"telemetr|analytics\.|sentry|usage_?(report|stat|data)|phone_?home|mixpanel|posthog|amplitude|error_track|"
    r"crash_?report|version_?check|update_?check",
    re.IGNORECASE,
)
LOOKED_AT = {  # package -> what its module of such a name does, and what keeps it from doing that here
    "comet-ml": "its own errors go to Sentry: COMET_ERROR_TRACKING_ENABLE",
    "cuda-bindings": "compares versions of the driver",
    "debugpy": "compares versions of Python",
    "fastapi": "OpenTelemetry where it is asked for: FASTAPI_OTEL_AUTO_CONFIGURE, OTEL_SDK_DISABLED",
    "gradio": "starts and errors: GRADIO_ANALYTICS_ENABLED, analytics_enabled=False",
    "huggingface-hub": "downloads: HF_HUB_DISABLE_TELEMETRY, DO_NOT_TRACK",
    "nncf": "uses, through openvino-telemetry: NNCF_CI, REFUSED",
    "onnxruntime": "an identifier and a queue of events: ORT_DISABLE_TELEMETRY",
    "openvino": "uses, through openvino-telemetry: REFUSED",
    "openvino-telemetry": "never imported: REFUSED",
    "opentelemetry-api": "an interface, which sends nothing without its SDK: OTEL_SDK_DISABLED",
    "pandas": "its own tests",
    "sentry-sdk": "what comet-ml tells it: COMET_ERROR_TRACKING_ENABLE",
    "starlette": "OpenTelemetry where it is asked for: OTEL_SDK_DISABLED",
}
READS = {  # switch -> the file that reads it, and what stands there
    "COMET_DISABLE_ANNOUNCEMENT": ("comet_ml/config/config_map.py", "comet.disable_announcement"),
    "COMET_ERROR_TRACKING_ENABLE": ("comet_ml/config/config_map.py", "comet.error_tracking.enable"),
    "DO_NOT_TRACK": ("huggingface_hub/constants.py", "DO_NOT_TRACK"),
    "FASTAPI_OTEL_AUTO_CONFIGURE": ("fastapi/telemetry/_runtime.py", "FASTAPI_OTEL_AUTO_CONFIGURE"),
    "GRADIO_ANALYTICS_ENABLED": ("gradio/analytics.py", "GRADIO_ANALYTICS_ENABLED"),
    "HF_HUB_DISABLE_TELEMETRY": ("huggingface_hub/constants.py", "HF_HUB_DISABLE_TELEMETRY"),
    "HF_HUB_DISABLE_UPDATE_CHECK": ("huggingface_hub/constants.py", "HF_HUB_DISABLE_UPDATE_CHECK"),
    "NNCF_CI": ("nncf/definitions.py", "NNCF_CI"),
    "ORT_DISABLE_TELEMETRY": ("onnxruntime/capi/onnxruntime_pybind11_state*.so", "ORT_DISABLE_TELEMETRY"),
    "OTEL_SDK_DISABLED": ("fastapi/telemetry/_runtime.py", "OTEL_SDK_DISABLED"),
}
QUANTISE = """
import numpy, openvino, nncf
from openvino import opset13 as op
a = op.parameter([1, 3, 8, 8], numpy.float32)
weights = numpy.ones((2, 3, 3, 3), numpy.float32)
network = openvino.Model([op.convolution(a, weights, [1, 1], [0, 0], [0, 0], [1, 1])], [a])
nncf.quantize(network, nncf.Dataset([numpy.ones((1, 3, 8, 8), numpy.float32)]), subset_size=1)
import openvino.tools.ovc
import sys
assert sys.modules["openvino_telemetry"] is None  # not even imported
"""
USES = {
    "onnxruntime": "import onnxruntime; onnxruntime.SessionOptions()",
    "openvino": "import openvino; openvino.Core().available_devices",
    "nncf": QUANTISE,
    "gradio": "import gradio; gradio.Blocks()",
    "comet_ml": "import comet_ml",
    "optuna": "import optuna",
    "fastapi": "import fastapi; fastapi.FastAPI(); import fastapi.telemetry",
    "huggingface_hub": "import huggingface_hub.utils as utils; utils.send_telemetry('x', library_name='x')",
    "kaleido": "import kaleido, choreographer, plotly.express as px; px.scatter(x=[1], y=[1]).to_json()",
}
START = """
import json, os, pathlib, runpy, scripts, socket, sys, traceback
def refused(*_, **__):
    os.write(2, b"it reached for the network\\n")  # of a thread that raises, nobody hears
    raise SystemExit("it reached for the network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refused
home = pathlib.Path.home()
def did(name, ended):
    files = [path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()]
    print("=====", json.dumps([name, ended, files]), flush=True)
    os.write(2, f"===== {name} did that\\n".encode())
"""
USE = (
    START
    + """
for name, use in json.loads(sys.argv[1]).items():
    try:
        exec(use, {})
        did(name, "")
    except BaseException:
        did(name, traceback.format_exc())
"""
)


def done(command: list[str], environment: dict) -> dict[str, tuple[str, list[str], str]]:
    """(how it ended, files in the home folder by then, what was on stderr) of each thing that the process did."""
    run = subprocess.run(
        [sys.executable, "-c", *command], cwd=ROOT, env=environment, capture_output=True, encoding="utf-8"
    )
    errors = iter(re.split(r"^===== .*\n", run.stderr, flags=re.M))
    lines = [json.loads(line.removeprefix("=====")) for line in run.stdout.splitlines() if line.startswith("=====")]
    found = {name: (ended, files, next(errors)) for name, ended, files in lines}
    return {**found, "the end": (f"exit code {run.returncode}" if run.returncode else "", [], run.stderr)}


def test_what_a_dependency_may_report_has_been_looked_at():
    """A package that is new in the lock, or new at this, has to be read before it is used."""
    found = set()
    for package in importlib.metadata.distributions():
        names = [str(file) for file in package.files or [] if file.suffix in (".py", ".so")]
        if any(REPORTS.search(name) for name in names):
            found.add(re.sub(r"[-_.]+", "-", package.metadata["Name"]).lower())
    assert found - LOOKED_AT.keys() == set()


@pytest.mark.parametrize("switch", OFF)
def test_each_switch_is_still_read(switch):
    place, text = READS[switch]
    package = importlib.util.find_spec(place.split("/")[0])
    if not package:
        pytest.skip("not installed")
    packages = Path(package.submodule_search_locations[0]).parent
    assert any(text.encode() in file.read_bytes() for file in packages.glob(place))


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """What became of each package of USES that is here, one after the other."""
    here = {name: use for name, use in USES.items() if importlib.util.find_spec(name)}
    environment = {
        **os.environ,
        **dict.fromkeys(OFF, "0"),
        "GRADIO_ANALYTICS_ENABLED": "True",
        "COMET_ERROR_TRACKING_ENABLE": "true",
        "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "HOME": str(tmp_path_factory.mktemp("home")),
    }
    environment.pop("PYTEST_CURRENT_TEST", None)
    return done([USE, json.dumps(here)], environment)


@pytest.mark.slow
@pytest.mark.parametrize("package", [*USES, "the end"])
def test_a_package_writes_nothing_into_the_home_folder_and_asks_no_host(package, used):
    if package in USES and not importlib.util.find_spec(package):
        pytest.skip("not installed")
    ended, written, errors = used[package]
    assert not ended and "reached for the network" not in errors, errors[-800:]
    known = (".cache/matplotlib", ".config/matplotlib", ".cache/huggingface", ".cache/fontconfig")
    assert not [name for name in written if not name.startswith(known)]


COMMANDS = {
    "status": ["scripts.common.status"],
    "check-data": ["scripts.bench.contribute"],
    "choose": ["scripts.choose", "PHOTOS", "--backbones", "histogram", "--downloads", "0", "--minutes", "0.1", "--out",
               "OUT"],
    "photos": ["scripts.train.datasets", "PHOTOS", "--size", "32"],
    "train": ["scripts.train.train_models", "--data", "PHOTOS", "--models", "lenet5", "--epochs", "1", "--size", "32",
              "--device", "cpu", "--out", "OUT"],
    "export": ["scripts.train.pets_export", "--data", "PHOTOS", "--arch", "test_resnet", "--epochs", "1",
               "--size", "32", "--batch", "8", "--pretrained", "no", "--tracker", "none", "--device", "cpu",
               "--out", "OUT"],
}  # fmt: skip
RUN = (
    START
    + """
import scripts.common.paths as paths
paths.DATA = pathlib.Path(sys.argv[1])
for name, words in json.loads(sys.argv[2]).items():
    sys.argv = words
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
        did(name, "")
    except SystemExit as end:
        did(name, str(end.code or ""))
    except BaseException:
        did(name, traceback.format_exc())
"""
)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """What became of each of COMMANDS, one after the other."""
    image = pytest.importorskip("PIL.Image")
    places = {name: tmp_path_factory.mktemp(name) for name in ("home", "PHOTOS", "OUT", "data", "cache")}
    for label in "ab":
        (places["PHOTOS"] / label).mkdir()
        for number in range(12):
            image.effect_noise((40, 40), 90).convert("RGB").save(places["PHOTOS"] / label / f"{number}.png")
    for name in COMMANDS:
        (places["OUT"] / name).mkdir()
    words = {
        name: [str(places["OUT"] / name if word == "OUT" else places.get(word, word)) for word in command]
        for name, command in COMMANDS.items()
    }
    environment = {**os.environ, "HOME": str(places["home"]), "BEST_IMAGE_MODELS_CACHE": str(places["cache"])}
    environment = {name: value for name, value in environment.items() if not name.startswith("XDG_")}
    for name in ("TIMM_RESULTS", "TABLES"):  # else the tables are fetched, as they should be
        environment.setdefault(name, str(places["OUT"]))
    return done([RUN, str(places["data"]), json.dumps(words)], environment)


@pytest.mark.slow
@pytest.mark.parametrize("command", [*COMMANDS, "the end"])
def test_a_command_leaves_nothing_in_an_empty_home_and_opens_no_connection(command, ran):
    ended, left, errors = ran[command]
    assert not ended and "reached for the network" not in errors, (ended, errors[-800:])
    assert not [name for name in left if not name.startswith((".cache/matplotlib", ".cache/fontconfig"))]
