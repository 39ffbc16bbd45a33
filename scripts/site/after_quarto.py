"""Complete the site after a plain `quarto render`, as `make site` does: chart data, plotly.js, fonts, download. Quarto
runs this itself (post-render in _quarto.yml); it does nothing when `scripts.site.render` is at work, which completes
the site on its own."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    if os.environ.get("BEST_IMAGE_MODELS_RENDER") or not os.environ.get("QUARTO_PROJECT_RENDER_ALL"):
        return 0
    python = ROOT / ".venv" / "bin" / "python"
    if python.exists() and Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        os.execv(python, [str(python), __file__])
    sys.path.insert(0, str(ROOT))
    from scripts.common.errors import cli
    from scripts.site import extras, finish, models

    @cli
    def complete() -> None:
        out = Path(os.environ.get("QUARTO_PROJECT_OUTPUT_DIR", "_site"))
        out = out if out.is_absolute() else ROOT / out
        finish.finish(ROOT, out, "Quarto")
        models.add(ROOT, out, extras.site_url())
        extras.add(out, extras.site_url())

    return complete()


if __name__ == "__main__":
    sys.exit(main())
