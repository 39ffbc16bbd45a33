"""`load(network, runtime, precision, threads)`: a call that gives a network's logits, whatever computes them.

What a runtime takes is prepared apart from the call (`place`), so that a timing holds the network alone: a tensor in
the right precision and layout, a NumPy array, memory on the GPU. On a GPU `run` returns before the answer is there;
`fetch` waits for it. The GPU's paths were written from documentation and have not been run by us: no GPU was at hand.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from scripts.common.device import captured
from scripts.common.errors import UserError
from scripts.runtimes import allocator, kinds, one_core, quantise
from scripts.runtimes.network import Network


class Unable(UserError):
    """The runtime can't take the network or isn't here; the message is the reason, in a few words."""


@dataclass
class Loaded:
    """place: float32 (n, 3, h, w) -> what `run` takes; run: -> an answer; fetch: answer -> float32 (n, classes).

    computes: the precision as the runtime itself states it, '' where it does not. compile_seconds: until the first
    answer.
    """

    runtime: str
    precision: str
    threads: int
    place: Callable[[np.ndarray], Any]
    run: Callable[[Any], Any]
    fetch: Callable[[Any], np.ndarray]
    computes: str = ""
    export_seconds: float = 0.0
    quantise_seconds: float = 0.0
    compile_seconds: float = 0.0

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        return self.fetch(self.run(self.place(pixels)))


def load(
    network: Network,
    runtime: str = "eager",
    precision: str = "fp32",
    threads: int = 1,
    device: str = "cpu",
    batch: int | None = None,
    calibration: np.ndarray | None = None,
) -> Loaded:
    """The network in `runtime` at `precision`, warmed by one call.

    batch: fixed, where a runtime may then do better (compiled and exported networks); None takes any.
    calibration: pictures for int8, float32 (n, 3, size, size). Raises Unable with the reason.
    """
    if reason := kinds.why_not(runtime, precision, device):
        raise Unable(reason)
    started = time.perf_counter()
    export_seconds = quantise_seconds = 0.0
    try:
        if kinds.RUNTIMES[runtime].exported:
            content, export_seconds = network.onnx(), network.export_seconds
            if precision == "int8":
                content, quantise_seconds = quantise.int8(network, calibration, runtime=runtime)
            started = time.perf_counter()
            loaded = EXPORTED[runtime](content, precision, threads, device, batch)
        else:
            if network.module is None:
                raise Unable("an ONNX file alone; PyTorch needs the network itself")
            loaded = _torch(network, runtime, precision, threads, device)
        loaded(np.zeros((batch or 1, 3, network.size, network.size), np.float32))
    except UserError as error:
        raise error if isinstance(error, Unable) else Unable(str(error)) from None
    except Exception as error:  # each runtime has errors of its own for what it cannot take
        raise Unable(f"{kinds.RUNTIMES[runtime].label} cannot take it: {_short(error)}") from None
    loaded.runtime, loaded.precision, loaded.threads = runtime, precision, threads
    loaded.export_seconds, loaded.quantise_seconds = export_seconds, quantise_seconds
    loaded.compile_seconds = time.perf_counter() - started
    return loaded


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"


def _torch(network: Network, runtime: str, precision: str, threads: int, device: str) -> Loaded:
    import torch

    if runtime == "kept" and not allocator.keep_freed_memory():
        raise Unable("this system's C library has no switch for it")
    torch.set_num_threads(threads)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    layout = torch.channels_last if runtime == "nhwc" else torch.contiguous_format
    changed = precision != "fp32" or runtime == "nhwc" or device != "cpu"
    module = copy.deepcopy(network.module) if changed else network.module
    module = module.to(device=device, dtype=dtype, memory_format=layout).eval()  # type: ignore[union-attr]
    call = module
    if runtime == "compile":
        import torch._inductor.config as inductor

        inductor.freezing = True  # weights become constants
        call = torch.compile(module, dynamic=False)

    def place(pixels: np.ndarray):
        return torch.from_numpy(pixels).to(device=device, dtype=dtype).contiguous(memory_format=layout)

    def run(placed):
        with torch.inference_mode():
            return call(placed)

    if runtime == "cudagraph":
        run = _graphed(module)
    return Loaded(runtime, precision, threads, place, run, lambda out: out.float().cpu().numpy(), str(dtype)[6:])


def _graphed(module) -> Callable:
    """Replays a captured CUDA graph; captured anew for another shape."""
    import torch

    held: dict = {}

    def run(placed):
        with torch.inference_mode():
            if held.get("shape") != placed.shape:
                held.update(shape=placed.shape, input=placed.clone())
                held["replay"] = captured(lambda: held.update(output=module(held["input"])))
            held["input"].copy_(placed)
            held["replay"]()
            return held["output"]

    return run


def _onnxruntime(
    content: bytes, precision: str, threads: int, device: str, batch: int | None, provider: str = ""
) -> Loaded:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    if batch:
        options.add_free_dimension_override_by_name("n", batch)
    cuda = not device.startswith("cpu")
    first = provider or ("CUDAExecutionProvider" if cuda else "CPUExecutionProvider")
    settings = [{"device_id": int(device.partition(":")[2] or 0)}] if cuda else [{}]
    if first == "TensorrtExecutionProvider":
        settings[0] |= {"trt_bf16_enable": precision == "bf16", "trt_int8_enable": precision == "int8"}
    session = onnxruntime.InferenceSession(content, options, providers=[first], provider_options=settings)
    if session.get_providers()[0] != first:
        raise Unable(f"{first} did not start")
    name = session.get_inputs()[0].name
    if not cuda:
        return Loaded(
            "onnxruntime", precision, threads, np.ascontiguousarray,
            lambda placed: session.run(None, {name: placed}), lambda out: np.asarray(out[0], np.float32),
        )  # fmt: skip
    output = session.get_outputs()[0].name

    def run(placed):
        binding = session.io_binding()
        binding.bind_ortvalue_input(name, placed)
        binding.bind_output(output, "cuda", settings[0]["device_id"])
        session.run_with_iobinding(binding)
        return binding

    def place(pixels: np.ndarray):
        return onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(pixels), "cuda", settings[0]["device_id"])

    return Loaded(
        "onnxruntime", precision, threads, place, run,
        lambda binding: binding.copy_outputs_to_cpu()[0].astype(np.float32),
    )  # fmt: skip


def _tensorrt(content: bytes, precision: str, threads: int, device: str, batch: int | None) -> Loaded:
    return _onnxruntime(content, precision, threads, device, batch, "TensorrtExecutionProvider")


def _openvino(content: bytes, precision: str, threads: int, device: str, batch: int | None) -> Loaded:
    core = one_core.core()
    model = core.read_model(content)
    if batch:
        shape = model.input(0).get_partial_shape()
        shape[0] = batch
        model.reshape(shape)
    # What is not int8 is in bf16 where that is fast. In fp32 efficientnet_lite0 keeps 96.3% of its answers instead of
    # 95.4%, and is slower (6.1 times eager instead of 9.6) than in bf16 throughout (7.0, 96.5%)
    hint = "bf16" if precision == "bf16" or (precision == "int8" and kinds.instructions()["bf16"]) else "f32"
    settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": hint}
    compiled = core.compile_model(model, "CPU", settings)
    request = compiled.create_infer_request()
    says = str(compiled.get_property("INFERENCE_PRECISION_HINT").to_string())
    if precision == "bf16" and says != "bf16":
        raise Unable(f"OpenVINO computes {says} on this processor, which has no bf16")
    return Loaded(
        "openvino", precision, threads, np.ascontiguousarray,
        lambda placed: request.infer({0: placed}, share_inputs=True, share_outputs=True),
        lambda out: np.array(out[0], np.float32), "int8" if precision == "int8" else says,
    )  # fmt: skip


EXPORTED = {"onnxruntime": _onnxruntime, "tensorrt": _tensorrt, "openvino": _openvino}
