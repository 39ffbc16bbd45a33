"""The lines that put a network into a runtime and run it there, for people to copy.

    lines.of("levit_256.fb_dist_in1k", 224, "openvino", "int8")

The picker's page fills the same templates (assets/rules.js: filled).
"""

from __future__ import annotations

import re

CREATE = 'timm.create_model("{model}", pretrained=True)'
EXPORT = (
    "python -m scripts.runtimes.export {model} --img-size {size} --runtime {runtime} --precision {precision}{photos}"
)
RUN = {
    "onnxruntime": (
        "import numpy, onnxruntime",
        'session = onnxruntime.InferenceSession("{folder}/model.onnx", providers=["CPUExecutionProvider"])',
        'logits = session.run(None, {"{input}": numpy.zeros((1, 3, {size}, {size}), "float32")})[0]',
    ),
    "openvino": (
        "import numpy, openvino",
        'hint = {"INFERENCE_PRECISION_HINT": "{hint}"}',
        'compiled = openvino.Core().compile_model("{folder}/model.xml", "CPU", hint)',
        'logits = compiled(numpy.zeros((1, 3, {size}, {size}), "float32"))[0]',
    ),
}
TEMPLATES = {
    "eager": (CREATE + "{cast}  # {size}×{size} pixels",),
    "nhwc": (CREATE + "{cast}.to(memory_format=torch.channels_last)  # {size}×{size} pixels",),
    "compile": ("torch.compile(" + CREATE + "{cast}.eval())  # {size}×{size} pixels",),
    **{runtime: (EXPORT, *run) for runtime, run in RUN.items()},
}
PRECISIONS = {  # what a precision changes in a line
    "fp32": {"cast": "", "hint": "f32", "photos": ""},
    "bf16": {"cast": ".bfloat16()", "hint": "bf16", "photos": ""},
    # what is not int8 is in bf16, as it was timed; a processor without bf16 computes it in fp32
    "int8": {"cast": "", "hint": "bf16", "photos": " --pictures path/to/photos"},
}
FOLDER = "models/runtimes/{model}-{runtime}-{precision}"


def filled(template: str, values: dict) -> str:
    """`template` with each {name} that `values` has replaced; other braces stay."""
    return re.sub(r"\{(\w+)\}", lambda found: str(values.get(found[1], found[0])), template)


def run(runtime: str, precision: str, folder: str, size: int, name: str = "pixels") -> list[str]:
    """What runs an exported folder in Python; nothing for PyTorch's own. name: of the network's input."""
    values = {"folder": folder, "size": size, "input": name, **PRECISIONS[precision]}
    return [filled(line, values) for line in RUN.get(runtime, ())]


def of(model: str, size: int, runtime: str = "eager", precision: str = "fp32") -> list[str]:
    """The lines for a set of timm's weights at a size; the first exports it where a runtime needs that."""
    values = {"model": model, "size": size, "runtime": runtime, "precision": precision, "input": "pixels"}
    values |= {"folder": filled(FOLDER, values), **PRECISIONS[precision]}
    return [filled(line, values) for line in TEMPLATES.get(runtime, TEMPLATES["eager"])]
