"""What the site's tests share: a small project to render, a server on loopback, a real browser."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.common import paths

CODE = Path(__file__).resolve().parents[1]
CONFIG = """project:
  type: website
  render: [index.qmd, report/*.qmd]
website:
  title: Small site
  navbar:
    search: false
    left:
      - href: index.qmd
        text: Home
      - href: report/two.qmd
execute:
  warning: false
format:
  html:
    css: assets/site.css
    include-after-body:
      - text: <script src="/assets/charts.js" defer></script>
      - text: <script src="/assets/tables.js" defer></script>
    toc: true
    html-math-method: mathml
"""
HOSTILE = (
    """<img src=x onerror="window.hacked=1"><script>window.hacked=2</script> '"` """
    """{{< include /etc/passwd >}} ::: $x$ *b* @fig-x"""
)


def project(folder: Path, pages: dict[str, str], config: str = CONFIG) -> Path:
    """A project in `folder`: `pages` by path, this project's own assets, and one drawn chart called 'dots'."""
    shutil.copytree(CODE / "assets", folder / "assets")
    (folder / "_quarto.yml").write_text(config)
    for name, text in {
        "index.qmd": "---\ntitle: Home\n---\n\nHello.\n",
        "report/two.qmd": "---\ntitle: Two\n---\n\n## Deep\n",
        **pages,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (paths.BUILD / "fonts").mkdir(parents=True, exist_ok=True)
    (folder / "build").mkdir()
    (folder / "build" / "fonts").symlink_to(
        paths.BUILD / "fonts"
    )  # subsetting the typeface takes seconds and is the same for all
    return folder


def add_chart(folder: Path, name: str = "dots", text: str = "plain", **entry) -> None:
    """Draw a chart as `make figures` leaves it: picture, figure, CSV, manifest."""
    from PIL import Image

    for sub in ("images", "charts"):
        (folder / sub).mkdir(exist_ok=True)
    Image.new("RGB", (1000, 700), "#88aacc").save(folder / "images" / f"{name}.jpg")
    Image.new("RGB", (540, 824), "#88aacc").save(folder / "images" / f"{name}-phone.jpg")
    figure = {
        "data": [
            {
                "type": "scatter",
                "mode": "markers",
                "x": [1, 2, 3],
                "y": [3, 1, 2],
                "text": [text] * 3,
                "marker": {"color": "#154470"},
            }
        ],
        "layout": {
            "width": 1000,
            "height": 700,
            "title": {"text": "A title that says what was found"},
            "paper_bgcolor": "#ffffff",
            "plot_bgcolor": "#ffffff",
            "font": {"color": "#1b1f24"},
            "meta": {"dark": {"#ffffff": "#15181c", "#154470": "#75d6fb", "#1b1f24": "#e8eaed"}},
        },
    }
    (folder / "charts" / f"{name}.json").write_text(json.dumps(figure))
    figure["layout"] |= {"width": 540, "height": 824}
    (folder / "charts" / f"{name}-phone.json").write_text(json.dumps(figure))
    (folder / "charts" / f"{name}.csv").write_text("x,y\n1,3\n")
    manifest = {
        "schema": 1,
        "charts": {
            name: {
                "title": text,
                "alt": text,
                "caption": text,
                "hardware": text,
                "date": "2026-01-02",
                "sources": [{"path": "report/data/a.csv", "sha256": "0" * 64}],
                "jpg": {"width": 1000, "height": 700},
                "shown": {"width": 1000, "height": 700},
                **entry,
            }
        },
    }
    manifest["charts"][f"{name}-phone"] = {
        **manifest["charts"][name],
        "jpg": {"width": 540, "height": 824},
        "shown": {"width": 540, "height": 824},
    }
    (folder / "images" / "manifest.json").write_text(json.dumps(manifest))


def command(root: Path, *arguments: str, **environment: str) -> dict:
    """Arguments for subprocess: the renderer's command line on the project `root`."""
    env = {
        **{k: v for k, v in os.environ.items() if k not in ("QUARTO_PATH", "TIMM_RESULTS")},
        "BEST_IMAGE_MODELS_ROOT": str(root),
        "PYTHONPATH": str(CODE),
        **environment,
    }
    return {
        "args": [sys.executable, "-m", "scripts.site.render", "--out", str(root / "_site"), *arguments],
        "cwd": str(root),
        "env": env,
        "text": True,
    }


def run(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """The renderer's command line, to its end."""
    return subprocess.run(**command(root, *arguments, **environment), capture_output=True)


def rendered(root: Path) -> None:
    """Render the project `root` in a thread of its own: the renderer's event loop has no room beside a browser's."""
    from scripts.site import render

    with ThreadPoolExecutor(1) as pool:
        pool.submit(render.render, root, root / "_site", "builtin").result()
