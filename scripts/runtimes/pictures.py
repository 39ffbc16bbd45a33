"""Real pictures for a network: to calibrate int8 on, and to hold a runtime's answers against PyTorch's.

From a folder that the user names, or, without one, from the photos that scikit-image, scikit-learn and matplotlib
carry, cut at several places: enough to compare arithmetic on, and too few to calibrate a network that is to be trusted.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from scripts.common.errors import UserError
from scripts.runtimes.network import Network, side

CARRIED = {
    "skimage": "data/astronaut.png data/chelsea.png data/coffee.png data/rocket.jpg data/motorcycle_left.png",
    "sklearn": "datasets/images/china.jpg datasets/images/flower.jpg",
    "matplotlib": "mpl-data/sample_data/grace_hopper.jpg",
}
ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
CUTS = 8  # of each carried photo: corners and middle, whole and at half the size
FEWEST = 32  # calibration photos: below that the ranges of activations are those of a few pictures


def carried() -> list[np.ndarray]:
    """The photos in the packages that are there, each in CUTS cuts, uint8 (h, w, 3)."""
    found = []
    for package, names in CARRIED.items():
        spec = find_spec(package)
        home = Path(next(iter(spec.submodule_search_locations))) if spec and spec.submodule_search_locations else None
        for name in names.split():
            if home and (home / name).is_file():
                with Image.open(home / name) as image:
                    found.append(np.asarray(image.convert("RGB")))
    cuts = []
    for photo in found:
        height, width = photo.shape[:2]
        for share in (1.0, 0.6):
            high, wide = round(height * share), round(width * share)
            for top, left in ((0, 0), (0, width - wide), (height - high, 0), (height - high, width - wide))[
                : CUTS // 2
            ]:
                cut = photo[top : top + high, left : left + wide]
                cuts.append(cut if share < 1 or top == left == 0 else cut[:, ::-1])
    unique = {cut.tobytes(): cut for cut in cuts}
    return list(unique.values())


def files(folder: Path, most: int) -> list[Path]:
    """Up to `most` picture files below `folder`, evenly from all its folders. Raises UserError where there is none."""
    if not folder.is_dir():
        raise UserError(f"--pictures {folder}: no such folder")
    by_folder: dict[Path, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in ENDINGS and path.is_file() and not path.name.startswith("."):
            by_folder.setdefault(path.parent, []).append(path)
    if not by_folder:
        raise UserError(f"--pictures {folder}: no pictures in it; name a folder of photos")
    each = max(1, -(-most // len(by_folder)))
    chosen = [path for group in by_folder.values() for path in spread(group, each)]
    return spread(chosen, most)


def spread(items: list, most: int) -> list:
    """`most` of `items` at equal distances; all where there are fewer."""
    return items if len(items) <= most else [items[i * len(items) // most] for i in range(most)]


def check_calibration(folder: Path, chosen: list[Path]) -> None:
    """Raise UserError for photos that int8 ranges should not rest on: too few, or from one of several classes."""
    if len(chosen) < FEWEST:
        raise UserError(
            f"--pictures {folder}: {len(chosen)} pictures; int8 is calibrated on {FEWEST} or more, of all classes"
        )
    siblings = [path for path in folder.parent.iterdir() if path.is_dir() and not path.name.startswith(".")]
    if len({path.parent for path in chosen}) == 1 and chosen[0].parent == folder and len(siblings) > 1:
        others = ", ".join(sorted(path.name for path in siblings if path != folder)[:3])
        raise UserError(
            f"--pictures {folder}: one class, beside {others}: an int8 network made from it answers worse for the "
            f"others; name {folder.parent}"
        )


def cut(image: Image.Image, network: Network) -> np.ndarray:
    """An RGB picture as the network's input, float32 (3, size, size): scaled, centre cut, normalised."""
    whole, size = side(network), network.size
    square = np.asarray(ImageOps.fit(image, (whole, whole), Image.Resampling.BILINEAR))
    top = (whole - size) // 2
    pixels = square[top : top + size, top : top + size].astype(np.float32) / 255
    mean, std = np.asarray(network.mean, np.float32), np.asarray(network.std, np.float32)
    return ((pixels - mean) / std).transpose(2, 0, 1)


def batch(network: Network, folder: Path | None = None, most: int = 300, calibrate: bool = False) -> np.ndarray:
    """Pictures for the network, float32 (n, 3, size, size): from `folder`, or the carried ones.

    calibrate: check that the folder is fit for that. Raises UserError for it, and where no picture can be read.
    """
    if folder is None:
        images = (Image.fromarray(photo) for photo in spread(carried(), most))
        return np.stack([cut(image, network) for image in images])
    chosen = files(Path(folder), most)
    if calibrate:
        check_calibration(Path(folder), chosen)
    found = []
    for path in chosen:
        try:
            with Image.open(path) as image:
                image.draft("RGB", (2 * network.size, 2 * network.size))
                found.append(cut(ImageOps.exif_transpose(image).convert("RGB"), network))
        except Exception:  # a decoder facing any bytes raises whatever it likes
            continue
    if len(found) < (FEWEST if calibrate else 1):
        raise UserError(f"--pictures {folder}: {len(found)} of {len(chosen)} pictures can be read; name another folder")
    return np.stack(found)
