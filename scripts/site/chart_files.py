"""What the charts of the pages load: figures as scripts (a page may load those from file:// too), plotly.js, and
the explorer's colours and rules.
"""

from __future__ import annotations

import json
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

from scripts.common.errors import UserError

PART = Path(__file__).resolve().parents[2] / "assets" / "vendor" / "plotly-cartesian.min.js"


def write(root: Path, out: Path) -> None:
    """Write charts/<name>.js for each charts/<name>.json of the project `root`, assets/plotly.min.js and
    assets/explorer-theme.js into the site `out`.
    """
    from scripts.figures import explorer

    (out / "charts").mkdir(parents=True, exist_ok=True)
    for path in sorted((root / "charts").glob("*.json")):
        figure = path.read_text(encoding="utf-8").replace("<", "\\u003c")
        script = f"chartData({json.dumps(path.stem)}, {figure});\n"
        (out / "charts" / f"{path.stem}.js").write_text(script, encoding="utf-8")
    (out / "assets").mkdir(exist_ok=True)
    shutil.copyfile(plotly_script(), out / "assets" / "plotly.min.js")
    theme = f"window.explorerTheme = {json.dumps(explorer.data(), separators=(',', ':'))};\n"
    (out / "assets" / "explorer-theme.js").write_text(theme, encoding="utf-8")


def hints(html: str, up: str) -> str:
    """A page's HTML; where the first chart is an explorer before the first heading, with what that loads fetched at
    once, not after charts.js asks.
    """
    first = re.search(r'<div class="chart"[^>]*>', html)
    machine = first and re.search(r'\sdata-explore="([\w.-]+)"', first[0])
    if not machine or "</h2>" in html[html.find("<main") : first.start()]:
        return html
    parts = ("-rules", "-theme", "-axes", "-panel", "-draw", "-input", "")
    files = [f"assets/explorer{part}.js" for part in parts]
    files += [f"charts/picker/{name}.js" for name in ("models", machine[1])]
    links = "".join(f'<link rel="preload" href="{up}{name}" as="script">\n' for name in files)
    links += f'<link rel="preload" href="{up}assets/explorer.css" as="style">\n'
    return html.replace("</head>", links + "</head>", 1)


def plotly_script() -> Path:
    """The plotly.js that the pages load: the bundle of charts with two axes in assets/vendor, a third of the whole, or
    the whole one of the plotly package where that holds another version than the bundle. Raises UserError where there
    is none."""
    spec = find_spec("plotly")
    whole = Path(spec.origin).parent / "package_data" / "plotly.min.js" if spec else None
    if not whole or not whole.exists():
        raise UserError("plotly: its package does not hold plotly.min.js; run `make setup`")
    return PART if version(PART) == version(whole) else whole


def version(script: Path) -> str:
    """The version that a plotly.js says of itself in its first lines; '' where it says none, or is not there."""
    if not script.exists():
        return ""
    with open(script, encoding="utf-8") as file:
        found = re.search(r"plotly\.js\b.*? v(\d[\d.]*)", file.read(300))
    return found[1] if found else ""
