"""Where the charts of timm's published tables come from: files, addresses, hardware and date, for footers and the
manifest.
"""

from __future__ import annotations

from scripts.common.hardware import named, parse_benchmark_name
from scripts.common.provenance import sha256
from scripts.common.words import day
from scripts.data import download, read_data

ADDRESS = "https://github.com/huggingface/pytorch-image-models/blob/{commit}/results/{file}"
PRECISIONS = {"amp": "mixed precision", "fp32": "32-bit floats", "bf16": "bfloat16", "amp_bf16": "mixed bfloat16"}


def notebook_file(part: str) -> str:
    """The benchmark file that the notebook drew."""
    return read_data.NOTEBOOK_FILE.format(part=part)


def sources(vintage: str, *files: str) -> list[dict]:
    """Manifest entries of timm's tables: the accuracies and the benchmark `files` of one vintage."""
    return [
        {
            "path": f"timm-results/{vintage}/{file}",
            "sha256": sha256(download.locate(vintage, file)),
            "url": ADDRESS.format(commit=download.VINTAGES[vintage], file=file),
        }
        for file in (read_data.RESULTS, *files)
    ]


def setting(file: str) -> str:
    """How a benchmark file was measured: RTX 5090, mixed precision, eager, PyTorch 2.9.1."""
    about = parse_benchmark_name(file)
    return ", ".join(
        [
            named(about["hardware"]).name,
            PRECISIONS.get(about["precision"], about["precision"]),
            "compiled" if about["compiled"] else "eager",
            f"PyTorch {about['torch']}",
        ]
    )


def provenance(vintage: str, *files: str) -> dict:
    """sources, hardware and date of a Drawing made from timm's tables."""
    return {
        "sources": sources(vintage, *files),
        "hardware": "; ".join(dict.fromkeys(map(setting, files))),
        "date": vintage,
    }


def footer(vintage: str, file: str) -> str:
    return f"Source: timm’s published results of {day(vintage)} · {setting(file)}"
