"""Whether a runtime's answers hold: against PyTorch eager in fp32, on real pictures."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scripts.runtimes.load import Loaded, load
from scripts.runtimes.network import Network

LARGEST_DIFFERENCE = 1e-3  # of the largest logit, in fp32; another order of sums makes about 1e-6
SAME_ANSWERS = 0.97  # share of pictures with the same top-1 class, in any precision


class Agreement(NamedTuple):
    """difference: largest of a logit, over the largest logit; probability: largest of a class probability; equal_top1:
    share of pictures with the same most likely class; finite: no answer is NaN or infinite; pictures: how many.
    """

    difference: float
    probability: float
    equal_top1: float
    finite: bool
    pictures: int

    def holds(self, precision: str = "fp32") -> bool:
        """Whether such answers may stand for eager fp32's."""
        same = self.difference <= LARGEST_DIFFERENCE if precision == "fp32" else self.equal_top1 >= SAME_ANSWERS
        return self.finite and same

    def said(self) -> str:
        if not self.finite:
            return "some answers are no numbers"
        return (
            f"the same class on {self.equal_top1:.1%} of {self.pictures} pictures, probabilities differ by at most "
            f"{self.probability:.1e}"
        )


def softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


def answers(loaded: Loaded, pixels: np.ndarray, batch: int) -> np.ndarray:
    """Logits, float32 (n, classes), `batch` pictures at a time; the last ones repeated to fill a batch."""
    filled = np.concatenate([pixels, pixels[: -len(pixels) % batch]]) if len(pixels) >= batch else np.resize(
        pixels, (batch, *pixels.shape[1:])
    )  # fmt: skip
    found = [loaded(filled[i : i + batch]) for i in range(0, len(filled), batch)]
    return np.concatenate(found)[: len(pixels)]


def reference(network: Network, pixels: np.ndarray, threads: int = 1, batch: int = 4) -> np.ndarray:
    """Eager fp32's logits; those of the ONNX file in ONNX Runtime or OpenVINO where there is no module."""
    if network.module is not None:
        return answers(load(network, "eager", "fp32", threads), pixels, batch)
    from scripts.runtimes import kinds

    runtime = "onnxruntime" if not kinds.why_not("onnxruntime", "fp32") else "openvino"
    return answers(load(network, runtime, "fp32", threads), pixels, batch)


def compare(expected: np.ndarray, found: np.ndarray) -> Agreement:
    """Logits against logits, (n, classes) each."""
    finite = bool(np.isfinite(found).all())
    if not finite:
        return Agreement(float("nan"), float("nan"), 0.0, False, len(expected))
    largest = float(np.abs(expected - found).max() / np.abs(expected).max())
    off = float(np.abs(softmax(expected.astype(np.float64)) - softmax(found.astype(np.float64))).max())
    return Agreement(largest, off, float((expected.argmax(1) == found.argmax(1)).mean()), True, len(expected))
