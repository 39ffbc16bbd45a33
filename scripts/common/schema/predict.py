"""The tables of predicted speeds."""

from __future__ import annotations

from scripts.common.schema.base import MODEL, RHO, Column, Table

INTERVAL = {
    "samples_per_sec": Column("throughput, measured or expected", "images/s", True),
    "low": Column("lower end of its interval: 90% of a prediction, 95% of a measurement", "images/s", True),
    "high": Column("upper end", "images/s", True),
}
WAY = {
    "runtime": Column("what computes: a name of scripts.runtimes.kinds"),
    "precision": Column("fp32, bf16 or int8"),
}
NETWORK = {name: MODEL[name] for name in ("arch", "img_size")}
WEIGHTS = {name: MODEL[name] for name in ("model", "arch", "img_size", "family", "top1")}
COMPARED = {
    "samples_per_sec": Column("throughput, measured", "images/s", True),
    "predicted": Column("throughput, predicted", "images/s", True),
    "low": Column("lower end of the 90% interval that was predicted", "images/s", True),
    "high": INTERVAL["high"],
}
ERRORS = {"median_error": Column("median relative error"), "p90_error": Column("90% are off by less")}
TABLES = [
    Table(
        "predict-design.csv",
        "Which networks to measure",
        "a network in the order of measuring, for a kind of processor",
        "kind role place",
    ).of(
        kind=Column("cpu or gpu"),
        role=Column("measure, or check predictions by"),
        place=Column("order, the most telling first"),
        model=MODEL["model"],
        img_size=MODEL["img_size"],
        gmacs=Column("multiply-accumulates of a forward pass", "10⁹"),
        expected_error=Column("what is left after it: the typical factor by which a prediction is off, less one"),
    ),
    Table(
        "predict-evaluation.csv",
        "How well speeds are predicted",
        "a table of timm's that was left out, what else was, a count of measurements, and a method",
        "file case measured method",
    ).of(
        machine=Column("the machine left out"),
        kind=Column("cpu or gpu"),
        part=Column("infer or train"),
        file=Column("timm's table"),
        case=Column("left out: like, the machine; generation, its generation; new, all but a distant one"),
        measured=Column("networks that count as measured"),
        method=Column("model: ours; similar, gmacs, activations: rivals"),
        networks=Column("networks predicted"),
        **ERRORS,
        spearman=RHO,
        coverage=Column("share within the 90% interval"),
    ),
    Table(
        "predict-check-*.csv",
        "Predictions held against measurements",
        "a network that was predicted on a machine and then measured there",
        "arch img_size",
    ).of(**NETWORK, **COMPARED),
    Table(
        "predict-calibration.csv",
        "How wide intervals must be",
        "a case and a count of measurements",
        "case measured level",
    ).of(
        case=Column("like: a machine like those timed; new: a new kind"),
        measured=Column("networks measured"),
        level=Column("of the interval"),
        multiplier=Column("of the model's own spread"),
    ),
    Table("predict-families.csv", "Which families are harder to predict", "a family", "family").of(
        family=MODEL["family"], factor=Column("of the spread for this family")
    ),
    Table(
        "predict-networks.csv",
        "How well kinds of networks are predicted",
        "a case, a kind of processor and of network",
        "case kind network",
    ).of(
        case=Column("what was left out, as in predict-evaluation.csv"),
        kind=Column("cpu or gpu"),
        network=Column("convnet, transformer, hybrid, mlp"),
        networks=Column("predictions"),
        **ERRORS,
    ),
    Table(
        "predict-speeds-*.csv",
        "Every network on a machine of which a few were measured",
        "a part of the work and a network",
        "part arch img_size",
    ).of(
        part=Column("infer, train, or latency: one picture at a time"),
        **NETWORK,
        gmacs=Column("multiply-adds of a picture", "10⁹"),
        macts=Column("activations of a picture", "10⁶"),
        status=Column("measured, predicted, or unlike: too far from what was measured"),
        **INTERVAL,
    ),
    Table(
        "predict-runtimes-*.csv",
        "Every network in every runtime of a machine",
        "a runtime, a precision and a network",
        "runtime precision arch img_size",
    ).of(**WAY, **NETWORK, status=Column("measured or predicted"), **INTERVAL),
    Table(
        "predict-left-out-*.csv",
        "Predictions in every runtime held against measurements",
        "a network that was measured in a runtime, predicted without its own figures",
        "left_out runtime precision arch img_size",
    ).of(
        left_out=Column("itself, or all held out: measured afterwards, predicted from the others together"),
        **WAY,
        **NETWORK,
        **COMPARED,
    ),
    Table(
        "predict-frontier-*.csv",
        "The frontier there, as likely as it is",
        "a set of weights at an image size that may be on it",
        "model img_size",
    ).of(
        **WEIGHTS,
        status=Column("measured or predicted"),
        **INTERVAL,
        expected=Column("on the frontier of expected speeds"),
        sure=Column("in what share of the possible speeds it is on the frontier", "", True),
    ),
    Table("predict-picks-*.csv", "The short answer there", "a need", "need").of(
        **WEIGHTS,
        need=Column("fast, balanced or accurate"),
        status=Column("measured or predicted"),
        **INTERVAL,
        floor=Column("the least speed that counts as enough", "images/s", True),
        sure=Column("in what share of the possible speeds it is the pick", "", True),
        rival=Column("what else it would be most often"),
        measure=Column("what to measure to be sure"),
    ),
    Table("predict-band-*.csv", "Where the frontier lies there, with 90% certainty", "a speed", "samples_per_sec").of(
        samples_per_sec=Column("images per second", "images/s", True),
        least=Column("the best accuracy at that speed or faster, 5% of the possible speeds", "%", True),
        most=Column("95%", "%", True),
    ),
    Table(
        "promised-*.csv",
        "What was predicted for a machine before it was measured",
        "a network that no measurement of that machine was known of",
        "arch img_size",
    ).of(
        **NETWORK,
        predicted=Column("throughput, predicted", "images/s"),
        low=Column("lower end of the 90% interval that was predicted", "images/s"),
        high=Column("upper end", "images/s"),
    ),
    Table(
        "scoreboard.csv",
        "How predictions did on each machine ever added",
        "a machine, how its predictions came about, and what was known of others",
        "hardware how case table",
    ).of(
        hardware=Column("the machine, as in the names of files"),
        name=Column("the machine, for people"),
        kind=Column("cpu or gpu"),
        how=Column(
            "before: stored before the networks were measured; after: compared afterwards; left_out: a table of "
            "timm's, put away"
        ),
        case=Column("like: a machine like those timed; new: a new kind"),
        table=Column("the measurements; empty for all of a machine's tables at timm"),
        added=Column("the day of the measurements, or of the stored predictions"),
        measured=Column("networks that it was predicted from"),
        networks=Column("networks predicted and measured, over all its tables"),
        **ERRORS,
        spearman=RHO,
        coverage=Column("share within the 90% interval"),
    ),
]
