"""The predictions for a machine, made once and kept as files; page, picker and chart read these.

    # this machine's: writes report/data/predict-{speeds,frontier,picks,band}-<machine>.csv, with sidecars
    python -m scripts.predict.stored
    stored.read()                       # in a page: `Stored` of this machine

speeds: every network that tables know, measured or predicted, by part (infer, train, latency); frontier: the weights
that may be on it, with how sure that is; picks: the most accurate for each need; band: where the frontier lies with 90%
certainty. The sidecars say from which measurements, how many counted, what a reader should know of them, and what to
measure next. Accuracies are not in speeds: with them, `weights` needs timm's tables.
"""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scripts.common import families
from scripts.common.errors import UserError, cli, parser_of
from scripts.common.paths import DATA
from scripts.common.provenance import Source, made_from, origin, read_sidecar, sha256, sidecar, write_derived
from scripts.common.tables import read_table, significant
from scripts.data import measured, read_data
from scripts.predict import choice, kinds, speeds
from scripts.predict.speeds import SPEED, path
from scripts.predict.tables import KEY

FLOOR = 70.0  # percent top-1 from which the band is drawn: below, the chart would be mostly empty
BAND = (0.05, 0.95)
POINTS = 160  # speeds at which the band is computed
COLUMNS = {
    "speeds": ["part", *KEY, "gmacs", "macts", "status", *SPEED],
    "frontier": ["model", *KEY, "family", "top1", "status", *SPEED, "expected", "sure"],
    "picks": ["need", "model", *KEY, "family", "top1", "status", *SPEED, "floor", "sure", "rival", "measure"],
    "band": ["samples_per_sec", "least", "most"],
}


@dataclass(frozen=True)
class Part:
    """One part of a machine's predictions, as `speeds.Prediction` has them: networks, settings, hardware_name, used,
    notes, case; why: why there are none, then networks is empty."""

    networks: pd.DataFrame
    settings: dict
    hardware_name: str = ""
    used: int = 0
    notes: tuple[str, ...] = ()
    case: str = ""
    why: str = ""


@dataclass(frozen=True)
class Stored:
    """What `write` kept of a machine: parts (by name), frontier, picks and band (`COLUMNS`), next (what to measure:
    arch, gain), file (the measurements), its sha256, date (their day), sources (the published tables)."""

    parts: dict[str, Part]
    frontier: pd.DataFrame
    picks: pd.DataFrame
    band: pd.DataFrame
    next: list[dict]
    file: str
    sha256: str
    date: str
    sources: tuple[Source, ...]


def band(prediction: speeds.Prediction, rows: pd.DataFrame) -> pd.DataFrame:
    """What the best accuracy at a speed or faster is in 90% of draws, from the weights of at least FLOOR: `COLUMNS`."""
    order = rows[rows["top1"] >= FLOOR].sort_values("top1", ascending=False, kind="stable").reset_index(drop=True)
    drawn = np.exp(speeds.draws(prediction, order))
    grid = np.geomspace(order["samples_per_sec"].min() / 1.5, order["samples_per_sec"].max() * 2, POINTS)
    top1 = np.append(order["top1"].to_numpy(), np.nan)
    best = np.empty((len(drawn), POINTS))
    # the fastest among those at least as accurate
    for draw, sample in enumerate(np.maximum.accumulate(drawn, axis=1)):
        best[draw] = top1[np.searchsorted(sample, grid)]
    floor = order["top1"].min()
    least, most = np.quantile(np.nan_to_num(best, nan=floor), BAND, axis=0)
    made = pd.DataFrame({"samples_per_sec": grid, "least": least, "most": most})
    return made[(most > floor) | (grid <= order["samples_per_sec"].max())]


def write(hardware: str) -> None:
    """Predict a measured machine and keep what changed. Raises TablesMissing, and UserError where inference can't be
    predicted from what was measured."""
    made: dict[str, speeds.Prediction] = {}
    parts: dict[str, dict] = {}
    for part in speeds.PARTS:
        try:
            made[part] = one = speeds.predict(speeds.machine_rows(hardware, part), part)
        except read_data.TablesMissing:
            raise
        except UserError as error:  # training and latency are not measured everywhere
            if part == "infer":
                raise
            parts[part] = {"why": str(error)}
        else:
            about = {"hardware_name": one.hardware_name, "used": one.used, "notes": one.notes, "case": one.case}
            parts[part] = {**about, "settings": one.settings}
    rows = speeds.machine_rows(hardware)
    infer = made["infer"]
    table = speeds.weights(infer)
    edge = choice.frontier(infer, table)
    chosen = choice.picks(infer, table)
    written = {
        "speeds": pd.concat([one.networks.assign(part=part) for part, one in made.items()], ignore_index=True),
        "frontier": edge,
        "picks": chosen.assign(measure=chosen["measure"].map(" ".join)),
        "band": band(infer, table),
    }
    following = choice.measure_next(infer, edge)[["arch", "gain"]].round(4).to_dict("records")
    file = str(rows["file"].iloc[0])
    facts = {
        **sidecar(packages=("pandas", "numpy"), **origin(infer.known.sources, file)),
        "hardware": read_sidecar(DATA / file)["hardware"],
        "measured": {"file": file, "sha256": sha256(DATA / file), "date": str(rows["date"].iloc[0])},
        "parts": parts,
        "next": following,
    }
    for name, frame in written.items():
        frame = frame[COLUMNS[name]]
        write_derived(significant(frame, frame.select_dtypes("float"), 5), path(name, hardware), facts)


def read(hardware: str = "") -> Stored:
    """The predictions kept for a machine (default: this one). Raises UserError where there are none, or damaged."""
    slug = hardware or measured.machine()
    if not path("speeds", slug).exists():
        raise UserError(f"{slug}: nothing predicted yet; measure twenty models with `make bench`, then `make predict`")
    return _read(slug, tuple(path(name, slug).stat().st_mtime_ns for name in COLUMNS if path(name, slug).exists()))


@functools.lru_cache(maxsize=4)
def _read(slug: str, stamps) -> Stored:
    keys = {"speeds": ["part", *KEY], "frontier": ["model", "img_size"], "picks": ["need"], "band": ["samples_per_sec"]}
    texts = {"part", "arch", "family", "kind", "status", "model", "expected", "need", "rival", "measure"}
    frames = {}
    for name, columns in COLUMNS.items():
        numbers = [column for column in columns if column not in texts]
        must = [column for column in columns if column in texts]
        frames[name] = read_table(path(name, slug), required=must, optional_numeric=numbers, key=keys[name])
        if "img_size" in columns:
            frames[name]["img_size"] = frames[name]["img_size"].astype(int)
    networks = frames["speeds"]
    families.check(networks["arch"])
    rows = {arch: families.lookup(arch) for arch in networks["arch"].unique()}
    for column in ("family", "kind"):
        networks[column] = [getattr(rows[arch], column) for arch in networks["arch"]]
    facts = read_sidecar(path("speeds", slug))
    try:
        source, about = facts["measured"], facts["parts"]
        parts = {}
        for part, one in about.items():
            own = networks[networks["part"] == part].reset_index(drop=True)
            parts[part] = Part(own, **{"settings": {}, **one, "notes": tuple(one.get("notes", ()))})
        following, file, digest, date = facts["next"], source["file"], source["sha256"], source["date"]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f"{path('speeds', slug).stem}.json is not ours ({error}); run `make predict`") from None
    frames["frontier"]["expected"] = frames["frontier"]["expected"].eq("True")
    frontier, picks, edge = (frames[name] for name in ("frontier", "picks", "band"))
    return Stored(parts, frontier, picks, edge, following, file, digest, date, made_from(facts))


def weights(part: str = "infer", hardware: str = "") -> pd.DataFrame:
    """`speeds.weights` of what is kept. Raises UserError where nothing is, and TablesMissing without timm's tables."""
    one = read(hardware).parts[part]
    if one.why:
        raise UserError(one.why)
    return speeds.weights(one)


def picker_table(part: str = "infer", hardware: str = "") -> tuple[str, pd.DataFrame] | None:
    """(key, tidy table) of a machine's measured and predicted speeds; None where it can't be made."""
    try:
        table, kept = weights(part, hardware), read(hardware)
    except UserError:
        return None
    table = table.assign(hardware_name=f"{kept.parts[part].hardware_name}, mostly predicted", date=kept.date)
    single = kept.parts["latency"].networks
    if len(single):
        speed = single.set_index(KEY)["samples_per_sec"]
        table["batch1_p50_ms"] = 1000 / speed.reindex(pd.MultiIndex.from_frame(table[KEY])).to_numpy(float)
    return f"{kept.parts[part].settings['hardware']}-predicted", table


@cli
def main() -> None:
    parser_of("scripts.predict.stored", __doc__, "make predict").parse_args()
    try:
        write(measured.machine())
    except UserError as error:  # nothing measured, too little, or no tables: what is kept still stands
        print(f"notice: {error}", file=sys.stderr)
        return
    kept = read()
    one = kept.parts["infer"]
    guessed = int(one.networks["status"].eq("predicted").sum())
    print(f"{one.hardware_name}: {guessed} speeds predicted from {one.used} measured, as for {kinds.WORDS[one.case]}")


if __name__ == "__main__":
    sys.exit(main())
