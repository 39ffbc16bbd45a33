"""All charts through one browser against one kaleido call each: the same figures, both sides in one run.

    python -m scripts.perf.figures            # every chart that can be drawn here
    python -m scripts.perf.figures --most 6   # the first six

The target: together costs at most a third of one by one.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

from scripts.common import browser
from scripts.common.errors import UserError, cli, parser_of
from scripts.figures.export import figure_json
from scripts.perf import verdict

TARGET = 1 / 3


def figures(most: int) -> dict[str, str]:
    """Up to `most` figures of the catalogue as JSON; those without data here are left out."""
    from scripts.figures.catalogue import drawings

    found = {}
    for name, drawing in drawings():
        sizes = {name: drawing.figure, f"{name}-phone": drawing.phone}
        found |= {own: figure_json(figure) for own, figure in sizes.items() if figure is not None}
        if len(found) >= most:
            break
    return dict(list(found.items())[:most])


@cli
def main(arguments: list[str] | None = None) -> None:
    parser = parser_of("scripts.perf.figures", __doc__, "python -m scripts.perf.figures --most 6")
    parser.add_argument("--most", type=int, default=1000, metavar="N", help="time no more than N figures")
    options = parser.parse_args(arguments)
    todo = figures(options.most)
    if len(todo) < 2:
        raise UserError("fewer than two charts can be drawn here; run `make data` first")
    os.environ["BROWSER_PATH"] = browser.browser()
    os.environ["FONTCONFIG_FILE"] = str(browser.font_config())

    started = time.perf_counter()
    together = dict(browser.draw({name: json.loads(figure) for name, figure in todo.items()}))
    one_browser = time.perf_counter() - started

    import kaleido

    logging.disable(logging.CRITICAL)  # choreographer reports each browser's last words
    single = []
    with tempfile.TemporaryDirectory() as folder:
        for name, figure in todo.items():
            spec = json.loads(figure)
            layout = spec["layout"]
            opts = {"format": "jpg", "width": layout["width"], "height": layout["height"]}
            opts["scale"] = (layout.get("meta") or {}).get("scale", 1)
            path = Path(folder) / f"{name}.jpg"
            started = time.perf_counter()
            kaleido.write_fig_sync(spec, path=path, opts=opts, kopts={"mathjax": False})
            single.append(time.perf_counter() - started)
            if path.read_bytes() != together[name]:
                print(f"note: {name} came out differently the two ways")
    one_each, ratio = sum(single), one_browser / sum(single)
    print(
        f"{len(todo)} charts with one browser: {one_browser:.1f} s; one call each: {one_each:.1f} s "
        f"({min(single):.1f} to {max(single):.1f} s a call)"
    )
    print(f"ratio {ratio:.2f}, target at most {TARGET:.2f}: {verdict(ratio <= TARGET)}")


if __name__ == "__main__":
    sys.exit(main())
