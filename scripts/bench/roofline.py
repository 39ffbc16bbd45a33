"""How far each model is from what the machine can do: two measured ceilings, and each row's percentage of them.

The ceilings are the fastest matrix product in the working precision and the fastest copy within the device's memory;
on a processor the first is that of a convolution where this is faster, since another library computes it: on one
thread of an AMD EPYC (Zen 5) PyTorch reached 0.12 TFLOP/s in products and 0.26 in convolutions. A step that needs 2 ·
GMACs of arithmetic can't take less than that over the first: the *arithmetic limit*, a strict bound (as long as
convolutions are computed directly; a Winograd or FFT kernel needs fewer multiplications). The *roofline* is
max(arithmetic, bytes / bandwidth). Its second term is an estimate: it counts each activation of a convolution or
matrix product as written and read once and each weight as read once a step, while caches and fused kernels move less
and normalisation, padding and copies move more. So over 100% of the roofline is possible. A training step is counted
as three times the arithmetic and the activations of inference.

    python -m scripts.bench.roofline --device cpu --threads 1                # the ceilings, as JSON
    # and the percentages of the rows of a measured CSV
    python -m scripts.bench.roofline --rows report/data/benchmark-infer-….csv
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time

from scripts.bench.settings import add_arguments, check_device, prepare, settings_from
from scripts.bench.timing import CpuClock, QueueClock
from scripts.common import device as devices
from scripts.common.errors import cli
from scripts.common.tables import read_table

TRAINING_PASSES = 3  # forward, gradient of the inputs, gradient of the weights: each about one inference
OPTIMISER_PASSES = (
    7  # over the weights: forward, backward, gradient written and read, momentum read and written, weights written
)


def percentages(row: dict, part: str, ceilings: dict) -> dict[str, float]:
    """arithmetic_pct and roofline_pct of a row with timm's columns. ceilings: matmul_tflops and copy_gbps, measured in
    the row's precision.

    Raises KeyError for a row without the columns. Empty where the row has no counts.
    """
    number = lambda key: float(row[key]) if row[key] not in ("", None) else math.nan
    passes = TRAINING_PASSES if part == "train" else 1
    element = 4 if row["precision"] == "fp32" else 2
    arithmetic = 2 * number(f"{part}_gmacs") * 1e9 * passes / (ceilings["matmul_tflops"] * 1e12)
    weights = (
        number("param_count")
        * 1e6
        * element
        * (OPTIMISER_PASSES if part == "train" else 1)
        / number(f"{part}_batch_size")
    )
    moved = 2 * number(f"{part}_macts") * 1e6 * element * passes + weights
    roofline = max(arithmetic, moved / (ceilings["copy_gbps"] * 1e9))
    rate = number(f"{part}_samples_per_sec")
    found = {"arithmetic_pct": 100 * arithmetic * rate, "roofline_pct": 100 * roofline * rate}
    return {key: round(value, 2) if math.isfinite(value) else "" for key, value in found.items()}


def ceilings(device: str, precision: str, threads: int, seconds: float = 0.5) -> dict:
    """matmul_tflops (1e12 operations a second, a multiply-add being two, of products or, on a processor, convolutions)
    and copy_gbps (1e9 bytes a second, read and written both counted).

    The fastest of repeated runs over several sizes, for about `seconds` each: a ceiling is the best that was seen.
    """
    import torch

    prepare(device, threads)
    on_gpu = devices.on_gpu(device)
    dtype = {"fp32": torch.float32, "amp": devices.amp_type(device)}.get(precision, torch.bfloat16)
    products, copies = 0.0, 0.0
    with torch.inference_mode():
        sizes = (4096, 8192) if on_gpu else (768, 1536)
        for n in sizes:
            a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
            out = torch.empty(n, n, device=device, dtype=dtype)
            products = max(
                products,
                2 * n**3 / _fastest(lambda: torch.mm(a, b, out=out), device, seconds / len(sizes)),  # noqa: B023
            )
        if not on_gpu:
            maps, filters = (
                torch.randn(*shape, dtype=dtype).to(memory_format=torch.channels_last)
                for shape in ((2, 256, 28, 28), (256, 256, 3, 3))
            )
            convolve = lambda: torch.nn.functional.conv2d(maps, filters, padding=1)
            products = max(products, 2 * maps.numel() * 256 * 9 / _fastest(convolve, device, seconds))
        room = (
            min(1 << 30, devices.free_bytes(device) // 4) if on_gpu else 256 << 20
        )  # of the GPU's memory, others may hold most
        source = torch.ones(room, device=device, dtype=torch.uint8)
        target = torch.empty_like(source)
        copies = 2 * source.numel() / _fastest(lambda: target.copy_(source), device, seconds)
    return {
        "matmul_tflops": round(products / 1e12, 4),
        "copy_gbps": round(copies / 1e9, 2),
        "dtype": str(dtype).removeprefix("torch."),
        "threads": threads,
        "device": device,
    }


def _fastest(work, device: str, seconds: float) -> float:
    """The least seconds that `work` took, over repetitions for `seconds`, after two that don't count."""
    clock = QueueClock(device) if devices.on_gpu(device) else CpuClock(1)
    step, best, end = (lambda i: work()), math.inf, time.perf_counter() + seconds
    clock.run(step, 0, 2)
    while time.perf_counter() < end or best == math.inf:
        times, _ = clock.run(step, 0, 3)
        best = min(best, *times)
    return best


@cli
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", help="a measured CSV: print each model's percentages too")
    add_arguments(parser)
    options = parser.parse_args(arguments)
    rows = (
        read_table(options.rows, required=["model", "status", "precision", "param_count"]).to_dict("records")
        if options.rows
        else []
    )
    settings = settings_from(options, check_device(options.device))
    found = ceilings(settings.device, settings.precision, settings.threads)
    print(json.dumps(found, indent=2))
    for row in rows:
        if row["status"] == "ok":
            share = percentages(row, "train" if "train_samples_per_sec" in row else "infer", found)
            print(
                f"{row['model']:40} {share['arithmetic_pct']:>7}% of the arithmetic limit  "
                f"{share['roofline_pct']:>7}% of the roofline"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
