"""A network as ONNX, and how far ONNX Runtime's answers are from PyTorch's.

torch has two exporters. The older one, which traces, takes 0.4 to 1.2 s for a small network where the newer one takes 4
to 12 s (2-core AMD EPYC), so it goes first; what a trace misses shows in the answers for another batch, and the newer
one is tried then.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import logging
import warnings

import torch
from torch import Tensor, nn

TOLERANCE = 1e-3  # of the largest logit; fp32 sums in another order differ by about 1e-6


def to_onnx(model: nn.Module, size: int) -> bytes:
    """`model` as ONNX: input `pixels` (n, 3, size, size) normalised, output `logits` (n, classes), any n.

    Raises what the newer exporter raises where neither can express the network, ValueError where the file answers
    otherwise than the network.
    """
    sample = torch.rand(3, 3, size, size, generator=torch.Generator().manual_seed(0)) - 0.5
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    problem: Exception = ValueError("no exporter")
    for export in (_traced, _captured):
        try:
            with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
                warnings.simplefilter("ignore")
                content = export(model, size)
                expected = model(sample)
            off = float((logits_of(content, sample) - expected).abs().max())
        except Exception as error:  # the exporters, and torch in a trace, have a dozen kinds of their own
            problem = error
            continue
        if off <= TOLERANCE * float(expected.abs().max()):
            return content
        problem = ValueError(f"the file's logits differ from the network's by {off:.1e}")
    raise problem


def _traced(model: nn.Module, size: int) -> bytes:
    file = io.BytesIO()
    torch.onnx.export(
        model,
        (torch.zeros(2, 3, size, size),),
        file,
        dynamo=False,
        input_names=["pixels"],
        output_names=["logits"],
        dynamic_axes={"pixels": {0: "n"}, "logits": {0: "n"}},
    )
    return file.getvalue()


def _captured(model: nn.Module, size: int) -> bytes:
    argument = next(iter(inspect.signature(model.forward).parameters))
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


def logits_of(content: bytes, sample: Tensor) -> Tensor:
    """What ONNX Runtime answers for `sample`, float32."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {session.get_inputs()[0].name: sample.numpy()})[0])


def onnx_difference(content: bytes, model: nn.Module, sample: Tensor) -> float:
    """Largest difference of a class probability between ONNX Runtime and PyTorch over `sample`."""
    with torch.inference_mode():
        return float((logits_of(content, sample).softmax(1) - model(sample).softmax(1)).abs().max())
