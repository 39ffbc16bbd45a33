"""What the page about one machine says: what was measured on it, and how much energy a picture took."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from scripts.common.errors import UserError
from scripts.common.paths import DATA
from scripts.common.provenance import read_sidecar
from scripts.common.words import counted, day, images_per_second
from scripts.contribute import board
from scripts.data import measured
from scripts.pages import page
from scripts.predict import speeds

NOT_EVERYWHERE = {  # what a file or a machine may not tell: the column's title, name and format
    "ms for one": ("batch1_p50_ms", "{:.1f}"),
    "% of roofline": ("roofline_pct", "{:.0f}"),
    "Joules for one": ("energy_j", "{:.2g}"),
    "Top-1 (%)": ("top1", "{:.1f}"),
}


def here(part: str | None = None) -> pd.DataFrame:
    """This machine's measured rows (of one part), fastest first; empty where nothing was measured."""
    frame = measured.load(part)
    return (
        frame[frame.hardware == measured.machine()].sort_values("samples_per_sec", ascending=False)
        if len(frame)
        else frame
    )


def facts() -> SimpleNamespace:
    """The machine that the page is about: name, detail (memory, versions), date; says so where nothing was measured."""
    frame = here()
    if frame.empty:
        return SimpleNamespace(name="no machine yet", detail="run `make bench`", date="no day yet")
    newest = frame.sort_values("date").iloc[-1]
    facts = read_sidecar(DATA / newest.file)
    detail = [
        f"{facts['hardware'].get('memory_gb', 0):.0f} GB of memory",
        f"PyTorch {newest.torch}",
        f"timm {facts['versions'].get('timm', '?')}",
    ]
    return SimpleNamespace(name=newest.hardware_name, detail=", ".join(detail), date=newest.date)


def table(part: str) -> None:
    """This machine's measurements of `part` as a table, fastest first."""
    frame = here(part)
    if frame.empty:
        page.note("Nothing measured yet", "`make bench` measures this machine.")
        return
    frame = (  # of each network the most accurate weights: all of its weights are as fast
        frame.sort_values("top1", ascending=False)
        .drop_duplicates(["file", "arch", "img_size"])
        .sort_values("samples_per_sec", ascending=False)
    )
    ends = zip(frame.samples_per_sec_low, frame.samples_per_sec_high)
    told = {
        title: (pd.to_numeric(frame[name], errors="coerce"), how)
        for title, (name, how) in NOT_EVERYWHERE.items()
        if name in frame
    }
    what = "inference" if part == "infer" else "a training step"
    page.table(
        {
            "Network": frame.arch,
            "Pixels": frame.img_size.astype(int),
            "Parameters (M)": (frame.param_count, "{:.1f}"),
            "Images/s": (frame.samples_per_sec, images_per_second),
            "95% interval": ([f"{images_per_second(low)} to {images_per_second(high)}" for low, high in ends], str),
            "Batch": frame.batch_size.astype(int),
            **{title: column for title, column in told.items() if column[0].notna().any()},
        },
        f"Measured here: {what}. Top-1 is that of the most accurate weights that accuracy.csv lists for the "
        "architecture at that size; there may be better ones.",
        label=f"tbl-machine-{part}",
        link=f"report/data/{frame.file.iloc[0]}",
    )


def energy() -> page.text:
    """A sentence on the energy that a picture takes on this machine, or on why it is not known."""
    try:
        rows = speeds.machine_rows()
    except UserError:
        return page.text("")
    joules = pd.to_numeric(rows.get("energy_j", pd.Series(dtype=float)), errors="coerce")
    if not (joules > 0).any():
        return page.text(
            "How much energy a picture takes is not known here: it is read from NVIDIA's graphics cards alone."
        )
    least, most = rows.loc[joules.idxmin()], rows.loc[joules.idxmax()]
    return page.text(
        f"A picture takes between {joules.min():.2g} joules ({least['arch']}) and {joules.max():.2g} joules "
        f"({most['arch']}), by the card's own meter, the idle share included."
    )


HOW = {
    board.BEFORE: "stored before measuring",
    board.AFTER: "compared afterwards",
    board.LEFT_OUT: "its tables put away",
}
LIKE = {"like": "machines like it", "new": "no machine like it"}


def scoreboard() -> None:
    """The scoreboard of predictions as a table, and a sentence on what is missing from it."""
    try:
        rows = board.load()
    except UserError:
        return
    stored = int(rows["how"].eq(board.BEFORE).sum())
    said = (
        "No prediction was stored yet before its machine was measured: the one made here was compared after all its "
        "networks had been timed"
        if not stored
        else f"{counted(stored, 'table')} came that way"
    )
    print(f"\n{said}.\n")
    page.table(
        {
            "Machine": rows["name"],
            "How": rows["how"].map(HOW),
            "Known": rows["case"].map(LIKE),
            "Added": ([day(text) if text else "–" for text in rows["added"]], str),
            "From": (rows["measured"], "{:.0f}"),
            "Networks": (rows["networks"], "{:,.0f}"),
            "Median error": (rows["median_error"], "{:.1%}"),
            "Nine in ten within": (rows["p90_error"], "{:.1%}"),
            "In the 90% interval": (rows["coverage"], "{:.0%}"),
            "Rank correlation": (rows["spearman"], "{:.3f}"),
        },
        "Predictions against measurements. From: how many networks were measured to predict the others. timm’s "
        "machines stand here twice: with the others’ tables at hand, and with none of a machine like it.",
        label="tbl-scoreboard",
        link="report/data/scoreboard.csv",
    )
