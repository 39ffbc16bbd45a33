"""Draw every chart to images/<name>.jpg through one browser, and write down what each was drawn from.

    python -m scripts.figures.export                                # all charts
    python -m scripts.figures.export --only convnext --out /tmp/x   # some, elsewhere
    # also those whose data and figure are unchanged
    python -m scripts.figures.export --force

Writes images/<name>.jpg and images/manifest.json (committed), charts/<name>.json (the figure, for the page) and
charts/<name>.csv (what is drawn). Charts of our own come twice, the second as <name>-phone. A chart is drawn again only
when its figure, its data or the picture itself changed: another browser draws the same figure a little differently, and
that is no reason for another file. Each file is written whole or not at all, the manifest after each picture, so that
an interrupted run leaves only whole, recorded pictures and the next run goes on.

Where timm's tables cannot be had, their charts keep the committed picture. Exit code 2 when Chrome is missing, crashes
or hangs.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import sys
import time
from dataclasses import dataclass, field
from importlib.metadata import version as installed
from pathlib import Path

import numpy as np

from scripts.common import beside, browser
from scripts.common.errors import DataMissing, UserError, cli
from scripts.common.hardware import cores
from scripts.common.paths import (
    CHARTS,
    DATA,
    IMAGES,
    ROOT,
    atomic_write,
    make_folder,
    relative,
    sweep,
    write_together,
    writing,
)
from scripts.common.progress import Progress
from scripts.common.provenance import sha256
from scripts.common.words import counted, listing
from scripts.data.read_data import TablesMissing
from scripts.figures.drawing import Chart, Drawing

SCHEMA = 1
MANIFEST = "manifest.json"
DIGITS = 9  # significant digits of what is drawn; processors differ in the sixteenth
WAIT = 900  # seconds to wait for another run on the same folder
PHONE = "-phone"  # after the name of a chart: its picture for a phone


def read_manifest(folder: Path = IMAGES) -> dict:
    """The manifest of `folder` ({} entries where there is none yet). Raises UserError where it is damaged or from a
    newer version.
    """
    path = folder / MANIFEST
    if not path.exists():
        return {"schema": SCHEMA, "charts": {}}
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        known = isinstance(manifest["charts"], dict) and 1 <= int(manifest["schema"]) <= SCHEMA
    except (ValueError, TypeError, KeyError, OSError, RecursionError) as error:
        raise UserError(
            f"{path}: not a readable manifest ({type(error).__name__}); restore it with git, or delete it and draw "
            "again"
        ) from None
    if not known:
        raise UserError(f"{path}: schema {manifest['schema']!r}, this version knows {SCHEMA}; update the project")
    return manifest


def figure_json(figure) -> str:
    """A Plotly figure as canonical JSON: sorted keys and DIGITS significant digits, so that equal figures have
    equal bytes on any processor.
    """
    return json.dumps(_rounded(json.loads(figure.to_json())), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _rounded(value):
    """JSON with its numbers to DIGITS significant digits, also those that Plotly packs as base64: vector units
    differ in the last of theirs.
    """
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") + 0.0  # -0.0 is 0.0
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("dtype") in ("f8", "f4") and isinstance(value.get("bdata"), str):
        numbers = np.frombuffer(base64.b64decode(value["bdata"]), value["dtype"])
        packed = np.array([_rounded(float(one)) for one in numbers.tolist()], value["dtype"])
        return {**value, "bdata": base64.b64encode(packed.tobytes()).decode()}
    return {key: _rounded(one) for key, one in value.items()}


def renderer() -> dict:
    """What turns figures into pictures here: versions of plotly, kaleido, the browser and the typeface."""
    return {
        "plotly": installed("plotly"),
        "kaleido": installed("kaleido"),
        "browser": browser.version(browser.browser()),
        "font": f"{browser.FONT} {installed('font-source-sans-pro')}",
    }


def words(drawing: Drawing, data: str) -> dict:
    """The part of the manifest's entry that does not depend on the renderer; `data` is the drawn CSV."""
    return {
        "title": drawing.title,
        "alt": drawing.alt,
        "caption": drawing.caption,
        "hardware": drawing.hardware,
        "date": drawing.date,
        "sources": drawing.sources,
        "data_sha256": _digest(data.encode()),
        **({"explore": drawing.explore} if drawing.explore else {}),
    }


def picture_facts(name: str, figure: str, how: dict, picture: bytes) -> dict:
    """The rest of the entry. Raises UserError when `picture` is not a whole JPG of the figure's size."""
    from PIL import Image

    layout = json.loads(figure)["layout"]
    scale = (layout.get("meta") or {}).get("scale", 1)
    want = (round(layout["width"] * scale), round(layout["height"] * scale))
    try:
        with Image.open(io.BytesIO(picture)) as image:
            image.load()
            size, kind = image.size, image.format
    except OSError as error:
        raise UserError(f"the browser returned no whole picture of {name} ({error}); run it again") from None
    if (size, kind) != (want, "JPEG"):
        raise UserError(
            f"the browser returned a {kind} of {size[0]}x{size[1]} for {name} where {want[0]}x{want[1]} was asked for"
        )
    return {
        "figure_sha256": _digest(figure.encode()),
        "renderer": how,
        "shown": {"width": layout["width"], "height": layout["height"]},
        "jpg": {"width": size[0], "height": size[1], "bytes": len(picture), "sha256": _digest(picture)},
    }


@dataclass(frozen=True)
class Made:
    """What a chart function gave, as text: the drawn CSV, what the manifest says whatever the renderer, and the figures
    by picture; or why it gave nothing.
    """

    data: str = ""
    about: dict = field(default_factory=dict)
    figures: dict[str, str] = field(default_factory=dict)
    missing: DataMissing | TablesMissing | None = None


def make(chart: Chart) -> Made:
    """`chart` made, not yet drawn by the browser."""
    try:
        drawing = chart.draw()
    except (DataMissing, TablesMissing) as missing:
        return Made(missing=missing)
    data = drawing.data.to_csv(index=False, lineterminator="\n", float_format=f"%.{DIGITS}g")
    both = {chart.name: drawing.figure, chart.name + PHONE: drawing.phone}
    figures = {picture: figure_json(figure) for picture, figure in both.items() if figure is not None}
    return Made(data, words(drawing, data), figures)


def make_named(name: str) -> Made:
    """The chart of the catalogue called `name`, made: work that any process can do."""
    from scripts.figures import catalogue

    return make(catalogue.CHARTS[name])


def export(
    charts: dict[str, Chart],
    only: list[str] | None = None,
    out: Path = IMAGES,
    force: bool = False,
    processes: int = 1,
) -> dict[str, list[str]]:
    """Draw `charts` (or those named in `only`) into `out`. Returns names by what became of them: drawn, same
    (pictures), kept, skipped (charts).

    processes: that make the figures, for charts of the catalogue. One run at a time writes to a folder; another waits.
    Raises UserError: unknown name, damaged manifest, Chrome missing, crashed or hung, disk full. What was drawn until
    then stays.
    """
    with writing(out, WAIT):
        return _export(charts, only, out, force, processes)


def _export(
    charts: dict[str, Chart], only: list[str] | None, out: Path, force: bool, processes: int
) -> dict[str, list[str]]:
    unknown = sorted(set(only or []) - set(charts))
    if unknown:
        raise UserError(f"no chart called {', '.join(unknown)}; there are {', '.join(charts)}")
    done: dict[str, list[str]] = {"drawn": [], "same": [], "kept": [], "skipped": []}
    manifest = read_manifest(out)
    side = CHARTS if out.resolve() == IMAGES.resolve() else out / "charts"
    for folder in (out, side):
        sweep(make_folder(folder))
    entries: dict[str, dict] = {}  # picture -> what the manifest says of it whatever the renderer
    figures: dict[str, str] = {}  # picture -> its figure
    reasons: dict[str, list[str]] = {}  # why -> charts that cannot be drawn for it
    names = list(dict.fromkeys(only or charts))
    all_made = (
        beside.done(make_named, names, processes) if processes > 1 else ((one, make(charts[one])) for one in names)
    )
    for name, made in all_made:
        if isinstance(made.missing, TablesMissing):
            done["kept"].append(name)
            why = made.missing
            continue
        if made.missing:
            done["skipped"].append(name)
            reasons.setdefault(str(made.missing), []).append(name)
            continue
        _write_if_new(side / f"{name}.csv", made.data)
        for picture, figure in made.figures.items():
            entries[picture], figures[picture] = made.about, figure
            _write_if_new(side / f"{picture}.json", figure)
    for reason, names in reasons.items():
        print(f"figures: no {listing(names, 'or')}: {reason}", file=sys.stderr)
    if done["kept"]:
        print(
            f"figures: {counted(len(done['kept']), 'chart')} from timm's tables keep their committed pictures: {why}",
            file=sys.stderr,
        )
    if not entries:
        return done
    todo = {}
    for name, figure in figures.items():
        old = manifest["charts"].get(name, {})
        new = {**entries[name], "figure_sha256": _digest(figure.encode())}
        if not force and _unchanged(old, new, out / f"{name}.jpg"):
            manifest["charts"][name] = {**old, **entries[name]}
            done["same"].append(name)
        else:
            todo[name] = figure
    if only is None:
        _forget(manifest, charts, set(entries), set(done["skipped"]), out)
    _write_if_new(out / MANIFEST, _text(manifest, charts))
    how = renderer() if todo else {}
    with Progress(len(todo), "figures") as progress:
        for name, picture in browser.draw({name: json.loads(figure) for name, figure in todo.items()}):
            entry = {**entries[name], **picture_facts(name, todo[name], how, picture)}
            manifest["charts"][name] = entry
            write_together({out / f"{name}.jpg": picture, out / MANIFEST: _text(manifest, charts)})
            done["drawn"].append(name)
            progress.advance(f"{name}.jpg, {len(picture) / 1000:.0f} kB")
    return done


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _unchanged(old: dict, new: dict, picture: Path) -> bool:
    """Whether the picture on the disk shows this figure of this data, whatever browser drew it."""
    return (
        all(old.get(name) == new[name] for name in ("figure_sha256", "data_sha256"))
        and picture.is_file()
        and _digest(picture.read_bytes()) == old.get("jpg", {}).get("sha256")
    )


def _write_if_new(path: Path, content: bytes | str) -> None:
    data = content.encode() if isinstance(content, str) else content
    if not (path.is_file() and path.read_bytes() == data):
        atomic_write(path, data)


def _text(manifest: dict, charts: dict[str, Chart]) -> str:
    """The manifest as it is written, charts in the catalogue's order."""
    order = {name: number for number, name in enumerate(charts)}
    manifest["charts"] = dict(
        sorted(
            manifest["charts"].items(),
            key=lambda entry: (order.get(entry[0].removesuffix(PHONE), len(order)), entry[0]),
        )
    )
    return json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"


def _forget(manifest: dict, charts: dict[str, Chart], drawn: set[str], skipped: set[str], out: Path) -> None:
    """Drop the entries, and the pictures, of charts that are no longer in the catalogue, that no longer come for a
    phone, or that can't be drawn any more because the project's tables behind them changed or went. One of untouched
    tables (another machine's), or of no table, stays.
    """
    for name, entry in list(manifest["charts"].items()):
        chart = name.removesuffix(PHONE)
        if chart not in charts or (chart in drawn and name not in drawn) or (chart in skipped and _outdated(entry)):
            del manifest["charts"][name]
            (out / f"{Path(name).name}.jpg").unlink(missing_ok=True)


def _outdated(entry: dict) -> bool:
    """Whether a table of the project that the picture was drawn from is another one now, or gone."""
    ours = {
        source["path"]: source["sha256"]
        for source in entry.get("sources", [])
        if source["path"].startswith(f"{relative(DATA)}/")
    }
    return any(not (ROOT / path).is_file() or sha256(ROOT / path) != digest for path, digest in ours.items())


@cli
def main(arguments: list[str] | None = None) -> None:
    from scripts.figures import catalogue, display_family

    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], epilog="example: python -m scripts.figures.export --only convnext"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="draw only these charts")
    parser.add_argument(
        "--out", type=Path, default=IMAGES, metavar="DIR", help="folder for the pictures (default: images)"
    )
    parser.add_argument("--family", metavar="NAME", help="draw any family, such as swin, instead (with --out)")
    parser.add_argument("--force", action="store_true", help="draw also what is unchanged")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    charts = catalogue.CHARTS
    if options.family:
        if options.out == IMAGES:
            raise UserError("--family: name a folder for the picture with --out; images/ is for the report's charts")
        one = display_family.chart(options.family)
        charts = {one.name: one}
    done = export(charts, options.only, options.out, options.force, 1 if options.family else cores())
    said = ", ".join(f"{len(names)} {word}" for word, names in done.items() if names) or "nothing to draw"
    print(f"figures: {said} in {time.monotonic() - started:.1f} s ({options.out.name}/)")


if __name__ == "__main__":
    sys.exit(main())
