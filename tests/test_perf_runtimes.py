"""The ratios of runtimes: a runtime with other answers is no gain, and a network that can't be measured is said."""

from __future__ import annotations

import pytest

from scripts.common.errors import UserError
from scripts.perf import runtimes


def row(runtime, precision, times, difference=1e-6):
    return {"runtime": runtime, "precision": precision, "times_eager": times, "difference": difference}


def test_a_mean_is_taken_of_the_fastest_with_equal_answers_and_of_the_fastest(monkeypatch):
    rows = {
        "a": [row("eager", "fp32", 1.0), row("openvino", "fp32", 2.0), row("onnxruntime", "fp32", 9.0, 0.1)],
        "b": [row("eager", "fp32", 1.0), row("openvino", "fp32", 0.5), row("openvino", "int8", 8.0, 0.3)],
    }
    monkeypatch.setattr(runtimes, "measure", lambda model, *_: rows[model])
    found = runtimes.gains(["a", "b"], 0.1)
    assert found == {"fp32": pytest.approx(2**0.5), "any": pytest.approx(72**0.5)}


def test_a_network_without_any_speed_is_one_line(monkeypatch):
    monkeypatch.setattr(runtimes, "measure", lambda *_: [row("eager", "fp32", "")])
    with pytest.raises(UserError, match="could not be measured"):
        runtimes.gains(["a"], 0.1)
