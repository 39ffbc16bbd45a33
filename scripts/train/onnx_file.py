"""A network as ONNX, and how far ONNX Runtime's answers are from PyTorch's."""

from __future__ import annotations

import contextlib
import inspect
import io
import logging
import warnings

import torch
from torch import Tensor, nn


def to_onnx(model: nn.Module, size: int) -> bytes:
    """`model` as ONNX: input `pixels` (n, 3, size, size) normalised, output `logits` (n, classes), any n."""
    argument = next(iter(inspect.signature(model.forward).parameters))
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model,
            (torch.zeros(2, 3, size, size),),
            dynamo=True,
            input_names=["pixels"],
            output_names=["logits"],
            dynamic_shapes={argument: {0: torch.export.Dim("n")}},
            verbose=False,
        )
    return program.model_proto.SerializeToString()


def onnx_difference(content: bytes, model: nn.Module, sample: Tensor) -> float:
    """Largest difference of a class probability between ONNX Runtime and PyTorch over `sample`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    logits = torch.from_numpy(session.run(None, {session.get_inputs()[0].name: sample.numpy()})[0])
    with torch.inference_mode():
        return float((logits.softmax(1) - model(sample).softmax(1)).abs().max())
