"""An int8 network from an ONNX file: weights a channel, activations a tensor or a channel, ranges from given pictures.

NNCF writes an ONNX file with QuantizeLinear and DequantizeLinear that ONNX Runtime and OpenVINO both run.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import warnings

import numpy as np

from scripts.runtimes import kinds, pictures, store
from scripts.runtimes.network import Network

MULTIPLIES = ("Conv", "Gemm", "MatMul")
LEFT = 8  # one in so many layers, the first from the picture on, stays as it is
FOR_SPEED = 8  # pictures to calibrate on where only a speed is wanted
# Runtimes whose int8 convolutions take one range for all channels: ONNX Runtime computes a depthwise convolution with a
# range a channel in fp32. efficientnet_lite0: 2.5 times as fast, equal top-1 on 95.6% instead of 95.5% of 1,000 photos.
WHOLE = ("onnxruntime", "tensorrt")


def int8(
    network: Network, calibration: np.ndarray | None = None, skip: int | None = None, runtime: str = "openvino"
) -> tuple[bytes, float]:
    """(ONNX file, seconds that making it took), made once a network, calibration and kind of file, kept in the cache.

    calibration: float32 (n, 3, size, size); None takes a few pictures that packages carry, enough for a speed.
    skip: so many layers from the picture on stay as they are; None: one in LEFT. On efficientnet_lite0 the first 6 of
    50 took a third of the changed answers with them, the next 18 another sixth.
    """
    sample = pictures.batch(network, most=FOR_SPEED) if calibration is None else calibration
    key = {
        "what": "int8",
        "network": network.identity,
        "pictures": hashlib.sha256(np.ascontiguousarray(sample).tobytes()).hexdigest()[:32],
        "skip": -1 if skip is None else skip,
        "whole": runtime in WHOLE,
        "versions": {name: number for name, number in kinds.versions().items() if name in ("torch", "nncf", "onnx")},
    }
    content = network.onnx()
    folder = store.kept(key, lambda: {"model.onnx": quantised(content, sample, skip, runtime in WHOLE)})
    return (folder / "model.onnx").read_bytes(), store.read(folder)["seconds"]


def layers(model) -> list[str]:
    """Names of the layers of an onnx.ModelProto that multiply, from the picture on."""
    return [node.name for node in model.graph.node if node.op_type in MULTIPLIES]


def quantised(content: bytes, sample: np.ndarray, skip: int | None = None, whole: bool = False) -> bytes:
    """`content` in int8, its ranges the smallest and largest values over `sample`.

    whole: one range an activation, also before depthwise convolutions, where NNCF would take one a channel.

    On efficientnet_lite0's real weights NNCF's defaults name the same top-1 class as fp32 on 91.8% of 500 photos;
    without its guard against overflow, which processors with VNNI need not have, 93.2%; with smallest and largest
    values, 94.2%.
    """
    import nncf
    import onnx
    from nncf.quantization.advanced_parameters import OverflowFix, QuantizationParameters
    from nncf.quantization.range_estimator import (
        AggregatorType,
        RangeEstimatorParameters,
        StatisticsCollectorParameters,
        StatisticsType,
    )

    logging.getLogger("nncf").setLevel(logging.ERROR)
    model = onnx.load_from_string(content)
    name, names = model.graph.input[0].name, layers(model)
    left = names[: len(names) // LEFT if skip is None else skip]
    smallest = StatisticsCollectorParameters(statistics_type=StatisticsType.MIN, aggregator_type=AggregatorType.MIN)
    largest = StatisticsCollectorParameters(statistics_type=StatisticsType.MAX, aggregator_type=AggregatorType.MAX)
    options = nncf.AdvancedQuantizationParameters(
        overflow_fix=OverflowFix.DISABLE if kinds.instructions()["int8"] else OverflowFix.FIRST_LAYER,
        activations_range_estimator_params=RangeEstimatorParameters(min=smallest, max=largest),
        activations_quantization_params=QuantizationParameters(per_channel=False) if whole else None,
    )
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # NNCF draws its own bars
        warnings.simplefilter("ignore")
        found = nncf.quantize(
            model,
            nncf.Dataset([{name: sample[i : i + 1]} for i in range(len(sample))]),
            subset_size=len(sample),
            ignored_scope=nncf.IgnoredScope(names=left) if left else None,
            advanced_parameters=options,
        )
    return found.SerializeToString()
