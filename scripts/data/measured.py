"""Our own measurements: the committed benchmark-*.csv files of report/data as tidy rows, with published accuracies
where there are some.

    from scripts.data import measured
    measured.load("infer")             # every machine that was measured here
    measured.machine()                 # the slug that "this machine" stands for

Speeds depend on the architecture and the image size, so they were measured with random weights; top-1 comes from
accuracy.csv (published figures, each with its source) for every set of weights of that architecture and size. Rows
without accuracy are kept, top1 empty.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from scripts.common import families, hardware
from scripts.common.errors import UserError
from scripts.common.files import sha256
from scripts.common.hardware import named, parse_benchmark_name, setting
from scripts.common.paths import DATA, relative
from scripts.common.provenance import Source, carry, read_sidecar, sources
from scripts.common.tables import read_table
from scripts.data.pretraining import pretraining
from scripts.data.read_data import PARTS, TIDY

ACCURACY = "accuracy.csv"
EXTRA = ["hardware_name", "kind_of_hardware"]  # after the tidy columns; then whatever else the CSV holds


def files(part: str | None = None, folder: Path | None = None) -> list[Path]:
    """The measured CSVs (of one part), by name."""
    if part not in (*PARTS, None):
        raise UserError(f"part {str(part)[:40]!r}: no such one; choose infer or train")
    return sorted((folder or DATA).glob(f"benchmark-{part or '*'}-*.csv"))


def load(part: str | None = None, folder: Path | None = None) -> pd.DataFrame:
    """Measured rows of all machines (of one part), models that failed left out: the columns of `read_data.TIDY`, then
    `EXTRA`, then the CSV's own such as samples_per_sec_low. `vintage` is 'measured', `date` the day (UTC), from the
    sidecar. The table carries its sources: the CSVs and the accuracies.

    One row per weights where accuracy.csv knows several for an architecture and size, one with an empty top1 where it
    knows none. Empty (with the columns) where nothing was measured. Raises UserError for a damaged CSV or a missing
    sidecar.
    """
    tables = [_one(path) for path in files(part, folder)]
    if not tables:
        return pd.DataFrame(columns=TIDY + EXTRA)
    path = (folder or DATA) / ACCURACY
    frame = _with_accuracy(pd.concat(tables, ignore_index=True), path)
    frame = frame[[*TIDY, *EXTRA, *(column for column in frame if column not in {*TIDY, *EXTRA})]]
    known = [Source(relative(path), sha256(path))] if path.exists() else []
    carry(frame, *sources(*tables), *known)
    return frame


def curve(hardware: str, folder: Path | None = None) -> pd.DataFrame | None:
    """The fullest curve of speed by batch size on a machine: model, family, kind, batch, samples_per_sec,
    samples_per_sec_low and _high, hardware_name, file; by model and batch. None where none was measured. Raises
    UserError for a damaged CSV or a missing sidecar."""
    found = []
    for path in sorted((folder or DATA).glob("curve-infer-*.csv")):
        if parse_benchmark_name(path.name.replace("curve", "benchmark", 1))["hardware"] == hardware:
            numbers = ["batch_asked", "infer_samples_per_sec", "samples_per_sec_low", "samples_per_sec_high"]
            frame = read_table(
                path, required=["model", "status"], optional_numeric=numbers, key=["model", "batch_asked"]
            )
            frame = frame[frame["status"].eq("ok") & (frame["infer_samples_per_sec"] > 0)].rename(
                columns={"infer_samples_per_sec": "samples_per_sec"}
            )
            arch = frame["model"].str.partition(".")[0]
            families.check(arch)
            name = read_sidecar(path)["hardware"].get("name") or named(hardware).name
            found.append(
                frame.assign(
                    family=arch.map(families.family),
                    kind=arch.map(families.kind),
                    batch=frame["batch_asked"].astype(int),
                    hardware_name=name,
                    file=path.name,
                )
            )
    if not found:
        return None
    columns = [
        "model",
        "family",
        "kind",
        "batch",
        "samples_per_sec",
        "samples_per_sec_low",
        "samples_per_sec_high",
        "hardware_name",
        "file",
    ]
    return max(found, key=len)[columns].sort_values(["model", "batch"], kind="stable").reset_index(drop=True)


def machines(folder: Path | None = None) -> pd.DataFrame:
    """Measured machines, newest first: hardware (slug), hardware_name, kind_of_hardware, date."""
    found = []
    for path in files(folder=folder):
        about = parse_benchmark_name(path.name)["hardware"]
        facts = read_sidecar(path)
        found.append(
            (
                about,
                facts["hardware"].get("name") or named(about).name,
                facts["hardware"].get("kind", ""),
                str(facts.get("date", "")),
            )
        )
    frame = pd.DataFrame(found, columns=["hardware", "hardware_name", "kind_of_hardware", "date"])
    return frame.sort_values("date", ascending=False, kind="stable").drop_duplicates("hardware").reset_index(drop=True)


def machine(folder: Path | None = None) -> str:
    """The slug of "this machine": the present one (its GPU before its CPU) if it was measured, else the one measured
    last.

    Raises UserError where nothing was measured.
    """
    measured = machines(folder)
    if measured.empty:
        raise UserError("report/data: nothing was measured yet; run `make bench`")
    for slug in hardware.present():
        if slug in set(measured["hardware"]):
            return slug
    return measured["hardware"].iloc[0]


def _one(path: Path) -> pd.DataFrame:
    """One measured CSV, tidy but for accuracy."""
    about, facts = parse_benchmark_name(path.name), read_sidecar(path)
    part = about["part"]
    numbers = [f"{part}_{name}" for name in ("samples_per_sec", "batch_size", "img_size", "gmacs", "macts")] + [
        "param_count",
        "samples_per_sec_low",
        "samples_per_sec_high",
    ]
    frame = read_table(
        path,
        required=["model", *numbers[:3], "param_count"],
        optional_numeric=numbers,
        key=["model", f"{part}_img_size"],
    )
    frame = frame.rename(columns={name: str(name).removeprefix(f"{part}_") for name in frame})
    frame = frame[frame["samples_per_sec"].notna() & frame.get("status", pd.Series("ok", frame.index)).eq("ok")]
    bad = frame[~(frame["samples_per_sec"].between(0, 1e9, inclusive="neither") & frame["img_size"].between(1, 1e5))]
    if len(bad):
        raise UserError(
            f"{path.name}: {bad['model'].iloc[0][:60]} has no sensible speed or image size; remove the row and run "
            "`make bench`"
        )
    frame["arch"], frame["tag"] = frame["model"].str.partition(".")[0], frame["model"].str.partition(".")[2]
    families.check(frame["arch"])
    for column in ("gmacs", "macts"):
        frame[column] = frame[column].astype(float) if column in frame else float("nan")
    date = str(facts.get("date", ""))[:10]
    frame = frame.assign(
        family=frame["arch"].map(families.family),
        kind=frame["arch"].map(families.kind),
        part=part,
        secs=1.0 / frame["samples_per_sec"],
        img_size=frame["img_size"].astype(int),
        batch_size=frame["batch_size"].astype("Int64"),
        **{column: about[column] for column in ("hardware", "precision", "layout", "compiled", "torch")},
        vintage="measured",
        hardware_name=facts["hardware"].get("name") or named(about["hardware"]).name,
        kind_of_hardware=facts["hardware"].get("kind", ""),
        date=date,
        file=path.name,
    )
    carry(frame, Source(relative(path), sha256(path), date, setting=setting(path.name)))
    return frame


def accuracies(path: Path | None = None) -> pd.DataFrame:
    """Published accuracies (percent) by weights: model, arch, tag, img_size, top1, top5, pretrain. Empty where the
    file is not there.
    """
    path = path or DATA / ACCURACY
    columns = ["model", "arch", "tag", "img_size", "top1", "top5", "pretrain"]
    if not path.exists():
        return pd.DataFrame(columns=columns)
    frame = read_table(
        path, required=columns, numeric=["img_size", "top1"], optional_numeric=["top5"], key=["model", "img_size"]
    )
    return frame[columns].assign(img_size=frame["img_size"].astype(int), pretrain=frame["model"].map(pretraining))


def _with_accuracy(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """`frame` with top1, top5, pretrain, and model and tag of the weights. A row measured under a tag takes that
    tag's accuracy only.
    """
    known = accuracies(path)
    bare = (
        frame[frame["tag"] == ""]
        .drop(columns=["model", "tag"])
        .merge(known, on=["arch", "img_size"], how="left", validate="m:m")
    )
    tagged = frame[frame["tag"] != ""].merge(
        known.drop(columns="model"), on=["arch", "tag", "img_size"], how="left", validate="m:1"
    )
    frame = pd.concat([part for part in (bare, tagged) if len(part)] or [bare], ignore_index=True)
    return frame.assign(
        model=frame["model"].fillna(frame["arch"]),
        tag=frame["tag"].fillna(""),
        top1=frame["top1"].astype(float),
        top5=frame["top5"].astype(float),
        pretrain=frame["pretrain"].fillna("unknown"),
    )
