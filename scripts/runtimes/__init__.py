"""One network behind one interface: eager, eager that keeps freed memory, channels last, torch.compile, ONNX Runtime,
OpenVINO; fp32, bf16, int8; on a GPU CUDA graphs and the providers of ONNX Runtime too.

    network = of_timm("resnet18")
    loaded = load(network, "openvino", "bf16", threads=2)
    logits = loaded(pixels)                       # float32 (n, 3, h, w) -> float32 (n, classes)
    check.agreement(network, loaded, pictures)    # against eager fp32
"""
