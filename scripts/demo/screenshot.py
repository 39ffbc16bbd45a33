"""Take the picture of the web app that the report shows: images/app.jpg.

    python -m scripts.demo.screenshot models/pets models/cnn

The photo in it is scikit-image's cat (Chelsea, public domain); the models' own example photos stay out of it, since
nobody may have agreed to publish them. Needs playwright and a Chrome.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import tempfile
from pathlib import Path

from scripts.common.errors import UserError, cli
from scripts.common.paths import IMAGES, atomic_write, local, relative

SIZE, SCALE, QUALITY = (1120, 760), 2, 82


def take(models: list[Path]) -> bytes:
    """A JPEG of the app with an answer of each of `models`. Raises UserError."""
    from PIL import Image
    from playwright.sync_api import Error

    from scripts.common.browser import window
    from scripts.demo.serving import photo, start, stop

    with tempfile.TemporaryDirectory() as home:
        copies = [
            Path(shutil.copytree(model, Path(home) / model.resolve().name, ignore=shutil.ignore_patterns("examples")))
            for model in models
        ]
        process, address, _ = start(copies)
        try:
            with window() as chrome:
                page = chrome.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}, device_scale_factor=SCALE)
                page.goto(address)
                page.wait_for_selector("#photo input[type=file]", state="attached")
                page.set_input_files(
                    "#photo input[type=file]", {"name": "chelsea.png", "mimeType": "image/png", "buffer": photo()}
                )
                page.wait_for_selector("#answer [role=status]:has-text('ms')")
                page.wait_for_selector("img[alt*='bright where']")
                page.wait_for_timeout(1500)  # bars grow
                picture = page.screenshot(full_page=True)
        except Error as error:
            raise UserError(
                f"the browser failed: {str(error).splitlines()[0][:120]}; python -m scripts.common.browser says "
                "which one is used"
            ) from None
        finally:
            stop(process)
    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return buffer.getvalue()


@cli
def main() -> None:
    parser = argparse.ArgumentParser(description="Take the picture of the web app for the report.")
    parser.add_argument("models", type=local, nargs="+", metavar="MODEL", help="folders such as models/pets")
    print(relative(atomic_write(IMAGES / "app.jpg", take(parser.parse_args().models))))


if __name__ == "__main__":
    sys.exit(main())
