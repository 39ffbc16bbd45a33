"""A network as a file that another runtime runs: any name of timm's, or a model that `make train` exported.

    python -m scripts.runtimes.export levit_256 --runtime openvino                          # timm's pretrained weights
    python -m scripts.runtimes.export models/pets --runtime openvino --precision int8 --pictures photos
    python -m scripts.runtimes.export resnet50 --random --runtime onnxruntime --precision int8     # for its speed
    python -m scripts.runtimes.export convnext_atto --weights mine.safetensors --runtime openvino --precision bf16

Out comes a folder, models/runtimes/<name>-<runtime>-<precision>: model.onnx, or model.xml and model.bin; config.json
with size and normalisation; checksums. It says how many answers are those of PyTorch eager in fp32, how fast it is, and
the lines that run it. int8 is calibrated on half of --pictures and compared on the other half.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from scripts.common import hardware, paths
from scripts.common.errors import UserError, cli, disk_error
from scripts.common.files import sha256
from scripts.common.words import duration
from scripts.runtimes import check, kinds, lines, pictures, quantise, store
from scripts.runtimes.load import Loaded, Unable, load
from scripts.runtimes.network import Network, of_folder, of_timm

PICTURES = 600  # at most; half calibrates
TURNS, TURN = 6, 0.25  # of the comparison of speeds; seconds of each


def network_of(model: str, weights: Path | None, random: bool, img_size: int | None = None) -> Network:
    """The network that a user names. Raises UserError: no such one, its weights can't be had or are another's."""
    if "/" in model or Path(model).is_dir():
        if weights or random or img_size:
            also = "--weights, --random and --img-size"
            raise UserError(f"{model}: an exported model has its weights and its size; leave {also} out")
        return of_folder(model)
    import timm

    if not timm.is_model(model.partition(".")[0]):
        close = timm.list_models(f"*{model[:12]}*")[:3]
        also = f"such as {', '.join(close)}" if close else "see timm.list_models()"
        raise UserError(f"{model[:80]}: neither a folder nor a network of timm's; name one, {also}")
    network = of_timm(model, img_size)
    if random:
        return network
    config = timm.models.get_pretrained_cfg(model)
    other = config and config.fixed_input_size and network.size != config.input_size[-1]
    fixed = {"img_size": network.size} if other else {}

    def build():
        if weights is None:
            return timm.create_model(model, pretrained=True, **fixed).eval()
        from safetensors.torch import load_file

        module = timm.create_model(model, **fixed)
        module.load_state_dict(load_file(weights))
        return module.eval()

    if weights is not None and not weights.is_file():
        raise UserError(f"--weights {weights}: no such file")
    identity = f"{network.identity} weights {sha256(weights) if weights else 'pretrained'}"
    network = dataclasses.replace(network, build=build, identity=identity)
    try:
        network.module  # noqa: B018 - built now, so that what is wrong with the weights is said first
    except Exception as error:  # a hub, a file of weights and timm have a dozen kinds of their own
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        what = f"--weights {weights}: not those of {model}" if weights else f"{model}: its weights can't be had here"
        raise UserError(f"{what} ({reason}); name a file with --weights, or --random for a speed alone") from None
    return network


def files_of(network: Network, runtime: str, precision: str, calibration: np.ndarray | None) -> dict[str, bytes]:
    """Name -> content of what the runtime reads."""
    content = quantise.int8(network, calibration, runtime=runtime)[0] if precision == "int8" else network.onnx()
    if runtime != "openvino":
        return {"model.onnx": content}
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "model.xml"
        openvino.save_model(openvino.Core().read_model(content), target, compress_to_fp16=False)
        return {name: (target.parent / name).read_bytes() for name in ("model.xml", "model.bin")}


def config_of(network: Network, runtime: str, precision: str) -> bytes:
    facts = {name: getattr(network, name) for name in ("name", "size", "mean", "std", "margin", "classes")}
    return (json.dumps({**facts, "runtime": runtime, "precision": precision}, indent=2) + "\n").encode()


def times_as_fast(first: Loaded, other: Loaded, pixels: np.ndarray) -> float:
    """Speed of `other` over that of `first`, one picture at a time; they take turns."""
    ratios = []
    for _ in range(TURNS):
        means = []
        for loaded in (first, other):
            placed, steps, begun = loaded.place(pixels[:1]), 0, time.perf_counter()
            while time.perf_counter() - begun < TURN:
                loaded.fetch(loaded.run(placed))
                steps += 1
            means.append((time.perf_counter() - begun) / steps)
        ratios.append(means[0] / means[1])
    return median(ratios)


def export(network: Network, runtime: str, precision: str, out: Path, photos: Path | None = None) -> list[str]:
    """Write the folder `out`, whole or not at all. Returns what to tell the user. Raises UserError."""
    if not kinds.RUNTIMES[runtime].exported:
        names = ", ".join(name for name in lines.RUN)
        raise UserError(f"--runtime {runtime}: PyTorch runs the network itself, there is nothing to export; {names}")
    if reason := kinds.why_not(runtime, precision):
        raise UserError(f"--runtime {runtime} --precision {precision}: {reason}")
    if out.exists() and not (out / store.ABOUT).is_file():
        raise UserError(f"--out {out}: there, and not made by this command; name another folder")
    sample = pictures.batch(network, photos, PICTURES, calibrate=precision == "int8" and photos is not None)
    half = precision == "int8" and photos is not None
    ranges, asked = (sample[::2], sample[1::2]) if half else (None, sample)
    begun, threads = time.perf_counter(), hardware.cores()
    with paths.writing(out, store.WAIT):
        try:
            loaded = load(network, runtime, precision, threads, batch=1, calibration=ranges)
            files = files_of(network, runtime, precision, ranges)
        except Unable as error:
            raise UserError(f"{network.name} in {kinds.label(runtime, precision)}: {error}") from None
        except OSError as error:
            raise disk_error(error, out) from None
        plain = load(network, "eager" if network.module is not None else "onnxruntime", "fp32", threads, batch=1)
        found = check.compare(check.answers(plain, asked, 1), check.answers(loaded, asked, 1))
        if not found.finite:
            raise UserError(f"{network.name} in {kinds.label(runtime, precision)}: some answers are no numbers")
        facts = {"network": network.name, "identity": network.identity, "runtime": runtime, "precision": precision}
        facts |= {"agreement": found._asdict(), "versions": kinds.versions(), "machine": kinds.machine()}
        files["config.json"] = config_of(network, runtime, precision)
        store.publish(out, files, facts)
    other = kinds.label("eager" if network.module is not None else "onnxruntime", "fp32")
    size = sum(map(len, files.values())) / 1e6
    said = [
        f"{paths.relative(out)}: {', '.join(files)}, {size:.1f} MB, in {duration(time.perf_counter() - begun)}",
        f"against {other}: {found.said()}; {times_as_fast(plain, loaded, asked):.2f} times as fast, a photo at a time",
    ]
    if not found.holds(precision):
        remedy = "more --pictures, or bf16" if precision == "int8" else "fp32"
        said.append(f"fewer than {check.SAME_ANSWERS:.0%} of the answers are the same: try {remedy}")
    if half is False and precision == "int8":
        said.append("calibrated on a few pictures that packages carry: good for a speed, not for answers; --pictures")
    return said + lines.run(runtime, precision, paths.relative(out), network.size)


@cli
def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a name of timm's, or the folder of an exported model")
    parser.add_argument("--runtime", default="openvino", choices=list(kinds.RUNTIMES), metavar="R")
    parser.add_argument("--precision", default="fp32", choices=kinds.PRECISIONS, metavar="P")
    parser.add_argument("--pictures", type=Path, help="a folder of photos, of all classes: to calibrate and compare on")
    parser.add_argument("--weights", type=Path, help="a .safetensors of the network, instead of timm's pretrained ones")
    parser.add_argument("--random", action="store_true", help="random weights: for a speed alone")
    parser.add_argument("--img-size", type=int, help="pixels; default: what the network is tested at")
    parser.add_argument("--out", type=Path, help="the folder (default: models/runtimes/<name>-<runtime>-<precision>)")
    options = parser.parse_args(argv)
    if options.img_size is not None and not 16 <= options.img_size <= 4096:
        raise UserError(f"--img-size {options.img_size}: give 16 to 4096 pixels")
    network = network_of(options.model, options.weights, options.random, options.img_size)
    out = options.out or paths.ROOT / "models" / "runtimes" / f"{network.name}-{options.runtime}-{options.precision}"
    print("\n".join(export(network, options.runtime, options.precision, out, options.pictures)))


if __name__ == "__main__":
    sys.exit(main())
