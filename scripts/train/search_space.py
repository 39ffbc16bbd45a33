"""What a search tries: a JSON file of settings, each a list of values or a range.

    {"model": ["resnet20", "regnetx_002"], "batch": [32, 64],
     "lr": {"low": 3e-4, "high": 1e-2, "log": true}, "mix": {"low": 0, "high": 1}}

The names are `model` and the knobs of scripts/train/recipe.py. Used by python -m scripts.train.search --space FILE.
"""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

from scripts.common.errors import UserError

SPACE = {
    "lr": {"low": 3e-4, "high": 2e-2, "log": True},
    "weight_decay": {"low": 1e-3, "high": 0.3, "log": True},
    "smoothing": {"low": 0.0, "high": 0.2},
    "scale": {"low": 0.3, "high": 1.0},
    "batch": [32, 64, 128],
}
MOST_POINTS = 1000
GRID_POINTS = 3  # of a range, where the grid is searched


def read_space(path: Path | None) -> dict:
    """The space in a JSON file, checked. Raises UserError naming the setting that is wrong."""
    if path is None:
        return SPACE
    try:
        space = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); name a JSON file with --space") from None
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise UserError(f"{path}: not JSON ({str(error)[:60]}); see python -m scripts.train.search --help") from None
    return check_space(space, path.name)


def check_space(space, where: str) -> dict:
    """`space` itself. Raises UserError naming the setting that is wrong."""
    from scripts.train.recipe import Recipe
    from scripts.train.train_models import RANGES

    known = {"model", *(knob.name for knob in dataclasses.fields(Recipe))} - {"epochs"}
    ranges = {name: (low, high) for name, low, high in RANGES}
    if not isinstance(space, dict) or not space:
        raise UserError(f"{where}: not a JSON object of settings; see python -m scripts.train.search --help")
    for name, values in space.items():
        if name not in known:
            raise UserError(f"{where}: no setting called {name[:40]!r}; there are {', '.join(sorted(known))}")
        least, most = ranges.get(name, (0, 0))
        number = lambda value: (
            isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most  # noqa: B023
        )  # refuses nan, too
        if isinstance(values, list):
            good = len(values) > 0 and all(
                isinstance(value, str) if name == "model" else number(value) for value in values
            )
        else:
            good = (
                isinstance(values, dict)
                and name != "model"
                and set(values) <= {"low", "high", "log", "points"}
                and number(values.get("low"))
                and number(values.get("high"))
                and values["low"] < values["high"]
                and (not values.get("log") or values["low"] > 0)
                and isinstance(points := values.get("points", GRID_POINTS), int)
                and 2 <= points <= MOST_POINTS
            )
        if not good:
            raise UserError(
                f"{where}: {name} is neither a list of values nor "  # as the file has to say it:
                '{"low": …, "high": …, "log": true} with low < high'
                + (f", from {least:g} to {most:g}" if name in ranges else "")
            )
    return space


def grid(space: dict) -> dict[str, list]:
    """Every setting as a list of values; a range gives `points` of them (GRID_POINTS), its ends included."""
    found = {}
    for name, values in space.items():
        if isinstance(values, dict):
            points = values.get("points", GRID_POINTS)
            bend, back = (math.log, math.exp) if values.get("log") else (float, float)
            low, high = bend(values["low"]), bend(values["high"])
            values = [float(f"{back(low + (high - low) * i / (points - 1)):.6g}") for i in range(points)]
            values = list(dict.fromkeys(round(value) for value in values)) if name == "batch" else values
        found[name] = values
    return found


def suggest(trial, space: dict, sampler: str) -> dict:
    """One setting of each kind, drawn by `trial`."""
    if sampler == "grid":
        return {name: trial.suggest_categorical(name, values) for name, values in grid(space).items()}
    drawn = {}
    for name, values in space.items():
        if isinstance(values, list):
            drawn[name] = trial.suggest_categorical(name, values)
        elif name == "batch":
            drawn[name] = trial.suggest_int(name, int(values["low"]), int(values["high"]), log=bool(values.get("log")))
        else:
            drawn[name] = trial.suggest_float(name, values["low"], values["high"], log=bool(values.get("log")))
    return drawn
