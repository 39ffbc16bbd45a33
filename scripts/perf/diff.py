"""How long the figure diff takes, what drawing everything again costs, and how much pictures differ that show the same.

    python -m scripts.perf.diff            # 40 changed figures; make verify against make figures
    python -m scripts.perf.diff --noise    # the measurements behind the limits of scripts/diff/pixels.py

Prints: seconds for 40 changed figures of 2,000 x 1,400 pixels, report included (limit 20 s on two cores); the ratio of
`make verify` to drawing every chart (limit 1.5), both in this run; or, with --noise, the largest differences after
saving the committed pictures again.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from scripts.common.errors import cli, parser_of
from scripts.common.hardware import cores
from scripts.common.paths import IMAGES
from scripts.common.provenance import sha256
from scripts.diff import compare, pixels, report, sides, verify
from scripts.figures.export import MANIFEST, SCHEMA, export

FIGURES = 40


def forty(folder: Path) -> tuple[float, float]:
    """(wall, processor) seconds for the diff of FIGURES figures, all of them changed. They are the committed ones
    at 2,000 x 1,400 pixels.
    """
    from PIL import Image, ImageDraw

    sources = sorted(IMAGES.glob("*.jpg"), key=lambda path: -path.stat().st_size)[:8]
    for side in ("base", "head"):
        (folder / side / "images").mkdir(parents=True)
        charts = {}
        for number in range(FIGURES):
            with Image.open(sources[number % len(sources)]) as source:
                image = source.convert("RGB").resize((2000, 1400))
            pen = ImageDraw.Draw(image)
            pen.text((100, 40), f"{side} {number}", fill="black", font_size=40)
            pen.ellipse([50 * number, 700, 50 * number + 40, 740], fill="#2ea584" if side == "base" else "#b884b3")
            path = folder / side / "images" / f"chart_{number}.jpg"
            image.save(path, quality=92)
            charts[path.stem] = {"figure_sha256": side, "sources": [], "jpg": {"sha256": sha256(path)}}
        content = json.dumps({"schema": SCHEMA, "charts": charts})
        (folder / side / "images" / MANIFEST).write_text(content, encoding="utf-8")
    started, worked = time.perf_counter(), time.process_time()
    with sides.side(str(folder / "base")) as base, sides.side(str(folder / "head")) as head:
        made = compare.compare(base, head)
        report.write(made, folder / "out")
    assert len(made.loud) == FIGURES
    return time.perf_counter() - started, time.process_time() - worked


def again(folder: Path) -> tuple[float, float]:
    """(seconds to draw every chart, seconds to verify them), interleaved halves of two runs each."""
    from scripts.figures.catalogue import CHARTS

    spent = [0.0, 0.0]
    for turn in range(2):
        started = time.perf_counter()
        export(CHARTS, out=folder / f"drawn-{turn}", force=True)
        spent[0] += time.perf_counter() - started
        started = time.perf_counter()
        made = verify.verify(CHARTS, folder / f"verified-{turn}")
        report.write(made, folder / "report")
        spent[1] += time.perf_counter() - started
    return spent[0] / 2, spent[1] / 2


def noise(folder: Path) -> None:
    """Print what saving the committed pictures again changes, at its largest."""
    from PIL import Image

    print("quality   off by at most   blocks   pixels changed   similarity at least")
    for quality in (95, 90, 80, 60):
        found = []
        for path in sorted(IMAGES.glob("*.jpg")):
            with Image.open(path) as image:
                image.save(folder / path.name, quality=quality)
            found.append(pixels.measure(path, folder / path.name))
        print(
            f"{quality:7} {max(seen.maximum for seen in found):16} {max(seen.block for seen in found):8} "
            f"{report.share(max(seen.changed for seen in found)):>16} {min(seen.ssim for seen in found):21.4f}"
        )


@cli
def main(arguments: list[str] | None = None) -> int:
    parser = parser_of("scripts.perf.diff", __doc__, "python -m scripts.perf.diff --noise")
    parser.add_argument("--noise", action="store_true", help="the measurements behind the limits")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="perf-diff-") as folder:
        if options.noise:
            noise(Path(folder))
            return 0
        wall, work = forty(Path(folder) / "forty")
        print(
            f"diff of {FIGURES} changed figures, report included: {wall:.1f} s on {cores()} cores (limit 20), "
            f"{work:.1f} s of processor time"
        )
        drawn, verified = again(Path(folder))
        print(f"verify {verified:.1f} s / figures {drawn:.1f} s = {verified / drawn:.2f} (limit 1.5)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
