"""The plan on paper: arithmetic that can be done by hand, and inputs that say where they come from."""

from types import SimpleNamespace

import pandas as pd
import pytest

from scripts.cloud import imagenet, prices
from scripts.common.errors import UserError

GIVEN = SimpleNamespace(
    images=1000,
    epochs=10,
    pixels=224,
    stored_pixels=256,
    utilisation=0.5,
    efficiency=0.8,
    decode_per_core=100,
    cards={"x": {"tflops": 1}},
    vcpus={"one": 4, "four": 16, "other": 4},
)
PRICES = pd.DataFrame(
    {
        "instance": ["one", "four", "other", "unlisted"],
        "card": ["x", "x", "y", "x"],
        "gpus": [1, 4, 1, 1],
        "usd_per_hour": [2.0, 9.0, 1.0, 1.0],
    }
)


def test_hours_cost_and_loading_by_hand():
    zoo = pd.DataFrame(
        {"model": ["a", "b"], "gmacs": [1.0, 1.0], "pixels": [224, 112]}
    )  # b at 224 pixels: four times as much
    found = imagenet.plan(zoo, GIVEN, PRICES).set_index("instance")
    assert list(found.index) == ["one", "four"]  # a card or machine of which nothing is known is left out
    seconds = 3 * 2e9 * (1 + 4) * 1000 * 10 / (1e12 * 0.5)
    assert found.hours["one"] == pytest.approx(seconds / 3600) and found.usd["one"] == pytest.approx(2 * seconds / 3600)
    assert found.hours["one"] / found.hours["four"] == pytest.approx(4 * 0.8)
    assert found.images_per_sec["one"] == pytest.approx(2 * 1000 * 10 / seconds) and found.cores_needed[
        "one"
    ] == pytest.approx(found.images_per_sec["one"] / 100)
    assert found.disk_gb_per_sec["one"] == pytest.approx(found.images_per_sec["one"] * 3 * 256**2 / 1e9)


def test_every_input_has_a_source_and_the_file_a_date():
    given = vars(imagenet.inputs())
    assert pd.Timestamp(given["date"]) > pd.Timestamp("2026-01-01")
    for name in ("images", "epochs", "utilisation", "efficiency", "decode", "disk", "vcpus"):
        assert given[f"{name}_source"]
    assert all(card["source"] and card["tflops"] > 0 for card in given["cards"].values())
    assert set(prices.load()["instance"]) <= set(given["vcpus"]) and set(prices.load()["card"]) <= set(given["cards"])


def test_a_damaged_file_is_one_line(tmp_path):
    (tmp_path / "imagenet_plan.json").write_text("{")
    with pytest.raises(UserError, match="imagenet_plan.json: cannot be read"):
        imagenet.inputs(tmp_path / "imagenet_plan.json")


def test_without_measured_networks_there_is_no_zoo(tmp_path):
    assert imagenet.networks(tmp_path).empty and len(imagenet.networks()) > 5
