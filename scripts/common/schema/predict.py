"""The tables of predicted speeds."""

from __future__ import annotations

from scripts.common.schema.base import MODEL, RHO, Column, Table

TABLES = [
    Table(
        "predict-design.csv",
        "Which networks to measure",
        "a network in the order of measuring, for a kind of processor",
        ("kind", "role", "place"),
        {
            "kind": Column("cpu or gpu"),
            "role": Column("measure, or check predictions by"),
            "place": Column("order, the most telling first"),
            "model": MODEL["model"],
            "img_size": MODEL["img_size"],
            "gmacs": Column("multiply-accumulates of a forward pass", "10⁹"),
            "expected_error": Column(
                "what is left after it: the typical factor by which a prediction is off, less one"
            ),
        },
    ),
    Table(
        "predict-evaluation.csv",
        "How well speeds are predicted",
        "a table of timm's that was left out, a count of measurements, and a method",
        ("file", "measured", "method"),
        {
            "machine": Column("the machine left out"),
            "kind": Column("cpu or gpu"),
            "part": Column("infer or train"),
            "file": Column("timm's table"),
            "measured": Column("networks that count as measured"),
            "method": Column("model: ours; similar, gmacs, activations: rivals"),
            "networks": Column("networks predicted"),
            "median_error": Column("median relative error"),
            "p90_error": Column("90% are off by less"),
            "spearman": RHO,
            "coverage": Column("share within the 90% interval"),
        },
    ),
    Table(
        "predict-check-*.csv",
        "Predictions held against measurements",
        "a network that was predicted on a machine and then measured there",
        ("arch", "img_size"),
        {
            "arch": MODEL["arch"],
            "img_size": MODEL["img_size"],
            "samples_per_sec": Column("throughput, measured", "images/s", True),
            "predicted": Column("throughput, predicted", "images/s", True),
            "low": Column("lower end of the 90% interval that was predicted", "images/s", True),
            "high": Column("upper end", "images/s", True),
        },
    ),
    Table(
        "predict-calibration.csv",
        "How wide intervals must be",
        "a count of measurements",
        ("measured", "level"),
        {
            "measured": Column("networks measured"),
            "level": Column("of the interval"),
            "multiplier": Column("of the model's own spread"),
        },
    ),
    Table(
        "predict-families.csv",
        "Which families are harder to predict",
        "a family",
        ("family",),
        {"family": MODEL["family"], "factor": Column("of the spread for this family")},
    ),
    Table(
        "predict-networks.csv",
        "How well kinds of networks are predicted",
        "a kind of processor and of network",
        ("kind", "network"),
        {
            "kind": Column("cpu or gpu"),
            "network": Column("convnet, transformer, hybrid, mlp"),
            "networks": Column("predictions"),
            "median_error": Column("median relative error"),
            "p90_error": Column("90% are off by less"),
        },
    ),
]
