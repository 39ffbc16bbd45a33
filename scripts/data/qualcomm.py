"""Qualcomm's AI Hub models as tidy rows: image classifiers on phones, tablets, laptops and boards (BSD-3-Clause).

Each network has three YAML files: info (what it is), perf (latency by precision, device and runtime), numerics (top-1
on 1,000 pictures of ImageNet by precision and runtime, on one phone).
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import pandas as pd
import yaml

from scripts.common.errors import UserError
from scripts.data import public

SOURCE = "qualcomm-ai-hub"
MAX_BYTES = 1 << 20  # the largest is 45 kB
LATENCY_MS = (0.01, 20_000)  # theirs are 0.095 to 1,117; in seconds or microseconds some would lie outside
IMAGES = 1_000  # pictures that an accuracy rests on
# names of theirs -> architecture of timm's, where the two are the same network
TIMM = {
    "beit": "beit_base_patch16_224",
    "convnext_base": "convnext_base",
    "convnext_tiny": "convnext_tiny",
    "densenet121": "densenet121",
    "dla102x": "dla102x",
    "efficientformer": "efficientformer_l1",
    "efficientnet_b0": "efficientnet_b0",
    "efficientnet_b4": "efficientnet_b4",
    "efficientnet_v2_s": "tf_efficientnetv2_s",
    "efficientvit_b2_cls": "efficientvit_b2",
    "efficientvit_l2_cls": "efficientvit_l2",
    "inception_v3": "inception_v3",
    "levit": "levit_128s",
    "mnasnet05": "mnasnet_050",
    "mobile_vit": "mobilevit_s",
    "mobilenet_v2": "mobilenetv2_100",
    "mobilenet_v3_large": "mobilenetv3_large_100",
    "mobilenet_v3_small": "mobilenetv3_small_100",
    "nasnet": "nasnetalarge",
    "regnet": "regnetx_032",
    "regnet_y_800mf": "regnety_008",
    "resnet101": "resnet101",
    "resnet18": "resnet18",
    "resnet50": "resnet50",
    "resnext101": "resnext101_32x8d",
    "resnext50": "resnext50_32x4d",
    "sequencer2d": "sequencer2d_s",
    "vit": "vit_base_patch16_224",
    "wideresnet50": "wide_resnet50_2",
}


class LOADER(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Plain values only, the C one where it is there (ten times as fast); a key that stands twice is an error."""

    def construct_mapping(self, node, deep=False):
        keys = [child.value for child, _ in node.value]
        if len(set(map(str, keys))) < len(keys):
            twice = next(key for i, key in enumerate(keys) if key in keys[:i])
            raise yaml.YAMLError(f"{str(twice)[:40]!r} stands twice in one mapping")
        return super().construct_mapping(node, deep)


def read(path: Path) -> dict:
    """The mapping in a YAML file: plain values only. Raises UserError: too large, damaged, objects or aliases in it."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path.parent.name}/{path.name}: larger than any such file; is it the right one?")
        text = path.read_text(encoding="utf-8")
        if not text.endswith("\n"):
            raise yaml.YAMLError("cut short: its last line has no end")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=LOADER)):
            raise yaml.YAMLError("an alias, which could expand without end")
        found = yaml.load(text, Loader=LOADER)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        what = str(error).splitlines()[0][:80] if str(error) else type(error).__name__
        raise UserError(f"{path.parent.name}/{path.name}: not readable YAML ({what}); download it again") from None
    if not isinstance(found, dict):
        raise UserError(f"{path.parent.name}/{path.name}: no mapping in it; download it again")
    return found


def _number(value, least: float, most: float, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise UserError(f"{what}: {str(value)[:40]!r} is not a number; download the file again")
    if not least <= value <= most:
        raise UserError(f"{what}: {value:g} is outside {least:g} to {most:g}; was a unit changed?")
    return float(value)


def networks() -> list[str]:
    """The names of the networks that have a table of latencies."""
    return sorted(file.split("/")[0] for file in public.source(SOURCE).files if file.endswith("/perf.yaml"))


def latencies() -> pd.DataFrame:
    """A row per network, device, runtime and precision whose job passed: `network`, `arch` (timm's, '' where none is
    the same), `device`, `runtime`, `precision`, `latency_ms`, `memory_mb` (peak, the upper estimate), `unit` (the
    compute unit that ran most), `on_unit` (share of layers there).

    Raises TablesMissing; UserError for a damaged file, a device without a name, a latency of 0, a doubled job.
    """
    rows = []
    for name in networks():
        found = read(public.locate(SOURCE, f"{name}/perf.yaml"))
        for precision, about in _items(found.get("precisions"), name):
            for _, component in _items(_get(about, "components", name), name):
                for device, runtimes in _items(_get(component, "performance_metrics", name), name):
                    if not device.strip():
                        raise UserError(f"{name}/perf.yaml: a device without a name; download it again")
                    for runtime, job in _items(runtimes, name):
                        if job.get("job_status") == "Passed":
                            rows.append(_row(name, precision, device, runtime, job))
    frame = pd.DataFrame(rows)
    key = ["network", "device", "runtime", "precision"]
    if frame.empty:
        raise UserError("no job of any network passed: are these the right files?")
    if frame.duplicated(key).any():
        twice = frame.loc[frame.duplicated(key), key].iloc[0]
        raise UserError(f"{twice.network}/perf.yaml: {', '.join(twice)} stands twice; download it again")
    return frame


def _row(name: str, precision: str, device: str, runtime: str, job: dict) -> dict:
    layers = job.get("layer_counts") or {}
    unit = str(job.get("primary_compute_unit", ""))[:8]
    total = layers.get("total") or 0
    return {
        "network": name,
        "arch": TIMM.get(name, ""),
        "device": device,
        "runtime": runtime,
        "precision": precision,
        "latency_ms": _number(job.get("inference_time_milliseconds"), *LATENCY_MS, f"{name}/perf.yaml, {device}"),
        "memory_mb": _number(
            (job.get("estimated_peak_memory_range_mb") or {}).get("max", 0), 0, 1e6, f"{name}/perf.yaml, memory"
        ),
        "unit": unit,
        "on_unit": layers.get(unit.lower(), 0) / total if total else math.nan,
    }


def accuracies() -> pd.DataFrame:
    """A row per network, runtime and precision: `top1` on IMAGES pictures, percent, as the phone computed it."""
    rows = []
    for name in networks():
        file = f"{name}/numerics.yaml"
        if file not in public.source(SOURCE).files:
            continue
        for metric in read(public.locate(SOURCE, file)).get("metrics") or []:
            if not isinstance(metric, dict) or metric.get("metric_name") != "Classification Accuracy":
                continue
            for device, precisions in _items(metric.get("device_metric"), name):
                for precision, runtimes in _items(precisions, name):
                    for runtime, one in _items(runtimes, name):
                        top1 = _number(one.get("partial_metric"), 1, 100, f"{file}, {device}")
                        rows.append(
                            {
                                "network": name,
                                "arch": TIMM.get(name, ""),
                                "device": device,
                                "runtime": runtime,
                                "precision": precision,
                                "top1": top1,
                            }
                        )
    return pd.DataFrame(rows, columns=["network", "arch", "device", "runtime", "precision", "top1"])


def parameters(name: str) -> float:
    """Millions of parameters of a network, as its info says; NaN where it does not."""
    details = read(public.locate(SOURCE, f"{name}/info.yaml")).get("technical_details") or {}
    found = re.fullmatch(r"([\d.]{1,8})M", str(details.get("Number of parameters", "")))
    return float(found[1]) if found else math.nan


def size(name: str) -> int:
    """Pixels of a side of the picture that a network takes, as its info says (224x224, 1x3x224x224); 0 where it does
    not.
    """
    details = read(public.locate(SOURCE, f"{name}/info.yaml")).get("technical_details") or {}
    found = re.fullmatch(r"(?:\d{1,4}x)*(\d{1,4})", str(details.get("Input resolution", "")))
    return int(found[1]) if found else 0


def _get(found, name: str, network: str) -> dict:
    if not isinstance(found, dict):
        raise UserError(f"{network}/perf.yaml: another form than this reads; pin the commit that it was written for")
    return found.get(name) or {}


def _items(found, network: str):
    """The entries of a mapping of mappings."""
    if not isinstance(found, dict) or any(not isinstance(value, dict) for value in found.values()):
        raise UserError(f"{network}: another form than this reads; pin the commit that it was written for")
    return [(str(name), value) for name, value in found.items()]
