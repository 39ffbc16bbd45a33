"""No package that we use reports anything about its user. scripts/__init__.py calls this, so before any is imported.

By default each of these sends or stores something, or asks whether it may: Gradio its starts, Comet its own errors, the
Hugging Face hub its downloads; ONNX Runtime (1.29 and newer) writes a device's identifier and a queue of events into
the home folder; openvino-telemetry, which openvino and nncf import where it is there, an identifier and a count of
uses. That one has no switch but a file in the home folder, so its import is refused: both then use their own stand-in.
FastAPI, on which Gradio stands, would send its requests to where OTEL_EXPORTER_OTLP_ENDPOINT says, if it is told to.
"""

from __future__ import annotations

import os
import sys

OFF = {
    "COMET_ERROR_TRACKING_ENABLE": "false",
    "COMET_DISABLE_ANNOUNCEMENT": "1",
    "DO_NOT_TRACK": "1",
    "FASTAPI_OTEL_AUTO_CONFIGURE": "false",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "NNCF_CI": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "OTEL_SDK_DISABLED": "true",
}
REFUSED = ("openvino_telemetry",)


def switch_off() -> None:
    """Set OFF in this process and those it starts, whatever the environment said, and refuse the imports of REFUSED."""
    os.environ.update(OFF)
    for name in REFUSED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # `import` then raises ImportError
