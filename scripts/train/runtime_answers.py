"""How many answers a runtime changes: networks with real weights, on real photos, against PyTorch eager in fp32.

    python -m scripts.train.runtime_answers photos/test --calibrate photos/train
    python -m scripts.train.runtime_answers photos/test --calibrate photos/train --models tf_efficientnet_lite0

Out comes report/data/runtimes-answers-{hardware}.csv: for each network whose weights are on this machine, runtime and
precision the share of photos with the same most likely class. int8 is calibrated on photos that are not among those
asked about. Again goes on where it stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import torch

from scripts.common import hardware, paths
from scripts.common.errors import UserError, cli
from scripts.common.progress import Progress
from scripts.common.provenance import now, sidecar
from scripts.common.table_run import Run, locked
from scripts.common.uncertainty import share_interval
from scripts.runtimes import check, kinds, pictures
from scripts.runtimes.load import Unable, load
from scripts.runtimes.network import Network, of_timm
from scripts.train import weights

COLUMNS = (
    "model weights runtime precision status reason pictures equal_top1 equal_top1_low equal_top1_high difference "
    "probability calibrated_on version measured_at"
).split()
BATCH, CALIBRATE = 8, 200  # pictures
PAIRS = [  # fp32 in one runtime is enough: sums in another order
    ("openvino", "int8"), ("onnxruntime", "int8"), ("openvino", "bf16"), ("openvino", "fp32"),
]  # fmt: skip


def network_of(name: str) -> tuple[Network, weights.Source]:
    """A network with the weights that are on this machine, its own 1,000 classes. Raises UserError where there are
    none.
    """
    source, reason = weights.find(name)
    if source is None or source.file is None:
        raise UserError(f"{name}: {reason or 'its weights are not on this machine'}; name another with --models")

    def build():
        import timm

        found, model = weights.tensors(source), timm.create_model(source.arch)
        if source.kind == "package":  # under other names, in timm's order
            found = dict(zip(model.state_dict(), found.values()))
        model.load_state_dict(found)
        return model.eval()

    identity = f"{source.arch}.{source.tag} {source.sha256} torch {torch.__version__}"
    return dataclasses.replace(of_timm(name), build=build, identity=identity), source


def rows_of(name: str, photos: Path, calibrate: Path, many: int, threads: int):
    """A row of COLUMNS for each of PAIRS."""
    network, source = network_of(name)
    sample = pictures.batch(network, photos, many)
    ranges = pictures.batch(network, calibrate, CALIBRATE, calibrate=True)
    expected = check.reference(network, sample, threads, BATCH)
    for runtime, precision in PAIRS:
        row = {
            "model": name,
            "weights": source.tag,
            "runtime": runtime,
            "precision": precision,
            "status": "ok",
            "version": kinds.versions().get(runtime, ""),
            "measured_at": now(),
        }
        try:
            loaded = load(network, runtime, precision, threads, batch=BATCH, calibration=ranges)
            found = check.compare(expected, check.answers(loaded, sample, BATCH))
        except Unable as error:
            yield row | {"status": "failed", "reason": str(error)}
            continue
        if not found.finite:
            yield row | {"status": "nonfinite", "reason": "an answer held NaN or infinity"}
            continue
        same = round(found.equal_top1 * len(sample))
        low, high = share_interval(same, range(len(sample)))
        yield row | {
            "pictures": len(sample),
            "equal_top1": round(found.equal_top1, 5),
            "equal_top1_low": round(low, 5),
            "equal_top1_high": round(high, 5),
            "difference": float(f"{found.difference:.3g}"),
            "probability": float(f"{found.probability:.3g}"),
            "calibrated_on": len(ranges) if precision == "int8" else "",
        }


@cli
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="a folder of photos to ask about")
    parser.add_argument("--calibrate", type=Path, required=True, help="a folder of other photos, for int8's ranges")
    parser.add_argument("--models", nargs="+", default=list(weights.EMBEDDED), metavar="NAME")
    parser.add_argument("--pictures", type=int, default=1000, help="how many to ask about (default 1000)")
    parser.add_argument("--fresh", action="store_true", help="begin anew where an interrupted run could go on")
    options = parser.parse_args(argv)
    if options.photos.resolve() == options.calibrate.resolve():
        raise UserError(f"--calibrate {options.calibrate}: the photos asked about; name a folder of others")
    if options.pictures < 1:
        raise UserError(f"--pictures {options.pictures}: give a number of 1 or more")
    packages = ("torch", "timm", "onnx", "onnxruntime", "openvino", "nncf")
    dataset = {"name": options.photos.resolve().parent.name, "pictures": options.pictures}
    facts = sidecar(packages=packages, instructions=kinds.instructions(), dataset=dataset)
    out = paths.DATA / f"runtimes-answers-{facts['hardware']['slug']}.csv"
    with locked(out):
        tasks = [{"model": name, "runtime": one, "precision": two} for name in options.models for one, two in PAIRS]
        same = {"pictures": options.pictures, "versions": facts["versions"]}
        run = Run(out, COLUMNS, tasks, same, facts, options.fresh)
        run.note()
        with Progress(len(options.models), "answers") as progress:
            for name in options.models:
                if any(task["model"] == name for task in run.left()):
                    for row in rows_of(name, options.photos, options.calibrate, options.pictures, hardware.cores()):
                        run.add(row)
                progress.advance(name)
        run.finish()
    print(f"{paths.relative(out)}: {len(run.rows)} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
