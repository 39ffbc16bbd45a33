"""A family up close: names taken apart, steps that change one thing, what they buy; and against a plain computation
on the real tables.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scripts.common.errors import UserError
from scripts.data import read_data
from scripts.findings import family, machines
from tests.test_findings_verdicts import field, table

FILE = "benchmark-infer-amp-nchw-pt291-cu130-5090.csv"


@pytest.mark.parametrize(
    "arch, expected",
    [
        ("convnext_tiny", "convnext"),
        ("convnextv2_tiny", "convnextv2"),
        ("convnext_large_mlp", "convnext_mlp"),
        ("convnext_zepto_rms_ols", "convnext_rms_ols"),
        ("levit_conv_128s", "levit_conv"),
        ("resnet50", "resnet"),
        ("resnetv2_101", "resnetv2"),
        ("resnet50_gn", "resnet_gn"),
        ("vgg16_bn", "vgg_bn"),
        ("vit_base_patch16_clip", "vit_patch16_clip"),
        ("vit_small_patch32", "vit_patch32"),
        ("vit_base_patch16_reg4_gap", "vit_patch16_reg4_gap"),
        ("efficientnet_b0", "efficientnet"),
        ("tf_efficientnetv2_xl", "tf_efficientnetv2"),
        ("xcit_small_12_p16", "xcit_p16"),
        ("regnety_320", "regnety"),
        ("swin_base_patch4_window12", "swin_patch4_window"),
        ("beitv2_large_patch16", "beitv2_patch16"),
        ("deit3_base_patch16", "deit3_patch16"),
        ("50", "50"),
    ],
)
def test_a_series_is_the_name_without_the_size(arch, expected):
    assert family.series(arch) == expected


def test_a_number_in_a_name_is_a_size_of_picture_only_where_such_a_picture_was_tested():
    rows = [
        ("levit_256.fb_dist_in1k", 224, 81.5, 900, 18.9),
        ("vit_base_patch16_384.augreg_in1k", 384, 81.0, 90, 86.9),
        ("vit_base_patch16_224.augreg_in1k", 224, 79.0, 300, 86.6),
    ]
    frame = table(rows)
    assert family.members(frame, "levit")["base"].tolist() == ["levit_256"]
    assert set(family.members(frame, "vit")["base"]) == {"vit_base_patch16"}


def test_a_step_changes_either_the_picture_or_the_network():
    frame = table(
        [
            ("convnext_tiny.fb_in1k", 224, 82.0, 1000, 28.6),
            ("convnext_tiny.fb_in1k", 288, 83.0, 500, 28.6),
            ("convnext_small.fb_in1k", 224, 84.0, 500, 50.2),
            ("convnext_small.fb_in22k_ft_in1k", 224, 85.0, 500, 50.2),
            ("convnext_tiny.fb_in1k_384", 384, 84.0, 250, 28.6),
        ]
    )
    found = family.steps(family.members(frame, "convnext"))
    columns = ["what", "from_model", "to_model", "gain", "cost"]
    assert sorted(found[columns].round(6).itertuples(index=False, name=None)) == [
        ("network", "convnext_tiny.fb_in1k", "convnext_small.fb_in1k", 2.0, 2.0),
        ("picture", "convnext_tiny.fb_in1k", "convnext_tiny.fb_in1k", 1.0, 2.0),
        ("picture", "convnext_tiny.fb_in1k", "convnext_tiny.fb_in1k_384", 1.0, 2.0),
    ]


def test_a_variant_of_the_same_size_and_a_step_that_costs_no_time_are_no_steps():
    frame = table(
        [
            ("convnext_tiny.a_in1k", 224, 82.0, 1000, 28.6),
            ("convnext_small.a_in1k", 224, 82.5, 900, 29.0),
            ("convnext_base.a_in1k", 224, 83.0, 890, 88.0),
        ]
    )
    assert family.steps(family.members(frame, "convnext")).empty


def stairs(gain_network: float, gain_picture: float) -> pd.DataFrame:
    sizes = ["tiny", "small", "base", "large", "xlarge"]
    rows = [
        (f"convnext_{size}.a_in1k", pixels, 70 + gain_network * i + gain_picture * j, 4000 / 2**i / 2**j, 10.0 * 2**i)
        for i, size in enumerate(sizes)
        for j, pixels in enumerate((224, 288, 384))
    ]
    return table(rows)


@pytest.mark.parametrize(
    "network, picture, expected", [(2.0, 1.0, "network"), (1.0, 2.0, "picture"), (1.0, 1.0, "tie")]
)
def test_which_buys_more(network, picture, expected):
    found = family.steps(family.members(stairs(network, picture), "convnext"))
    assert family.compare(found) == expected
    for what, price, n in (("network", network, 12), ("picture", picture, 10)):
        of = family.trade(found, what)
        assert of["price"] == pytest.approx(price) and of["n"] == n


def test_too_few_steps_tell_nothing():
    found = family.steps(family.members(field(), "resnet"))
    assert np.isnan(family.trade(found, "network")["price"]) and family.compare(found) == ""


def test_a_family_by_key_label_or_with_a_slip():
    known = ["convnext", "vit", "swin", "eva"]
    assert family.resolve("ConvNeXt", known) == family.resolve(" convnext ", known) == "convnext"
    with pytest.raises(UserError, match="did you mean convnext"):
        family.resolve("convnet", known)
    with pytest.raises(UserError, match="there are"):
        family.resolve("<script>", known)


def test_the_overview_has_every_family_with_accuracy_once():
    frame = pd.concat([field(), stairs(1, 1)], ignore_index=True)
    found = family.overview(frame)
    assert found["family"].tolist() == ["convnext", "resnet"] and found["weights"].tolist() == [15, 12]
    blind = frame.assign(top1=frame["top1"].where(frame["family"] == "resnet"))
    assert family.overview(blind)["family"].tolist() == ["resnet"]


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        (["resnet"], 0, "too few steps"),
        (["hamster"], 2, "no family"),
        (["resnet", "--hardware", "rtx9090"], 2, "not among"),
        (["resnet", "--hardware", "blind"], 2, "published accuracy"),
    ],
)
def test_command_line(monkeypatch, capsys, arguments, code, said):
    monkeypatch.setattr(machines, "main_tables", lambda: {"rtx5090": field(), "blind": field().assign(top1=np.nan)})
    assert family.main(arguments) == code
    both = capsys.readouterr()
    assert said in both.out + both.err and "Traceback" not in both.err


def test_convnext_on_the_real_table(timm_tables, monkeypatch):
    """Prices again from the raw CSVs: pairs of names that differ in one word."""
    monkeypatch.setenv("TIMM_RESULTS", str(timm_tables))
    found = family.steps(family.members(read_data.load("infer", read_data.NOW, FILE), "convnext"))
    folder = timm_tables / read_data.NOW
    results = pd.read_csv(folder / "results-imagenet.csv", thousands=",")[["model", "img_size", "top1"]]
    results["arch"] = results["model"].str.split(".").str[0]
    speed = pd.read_csv(folder / FILE, thousands=",").rename(columns={"model": "arch", "infer_img_size": "img_size"})
    both = results.merge(speed[["arch", "img_size", "infer_samples_per_sec"]], on=["arch", "img_size"])
    both = both[both["arch"].str.startswith("convnext")]
    at = {(row.model, row.img_size): (row.top1, row.infer_samples_per_sec) for row in both.itertuples()}
    order = ["atto", "femto", "pico", "nano", "tiny", "small", "base", "large", "xlarge", "huge"]
    for step in found[found["what"] == "network"].itertuples():
        one, two = at[step.from_model, step.from_size], at[step.to_model, step.to_size]
        assert step.gain == pytest.approx(two[0] - one[0]) and step.cost == pytest.approx(one[1] / two[1])
        assert step.from_size == step.to_size
        sizes = [
            next(i for i, word in enumerate(order) if f"_{word}" in name.split(".")[0])
            for name in (step.from_model, step.to_model)
        ]
        v2 = [name.startswith("convnextv2") for name in (step.from_model, step.to_model)]
        assert sizes[0] < sizes[1] and v2[0] == v2[1]
    for step in found[found["what"] == "picture"].itertuples():
        assert step.from_size < step.to_size and step.from_model.split(".")[0] == step.to_model.split(".")[0]
    expected = {
        (f"convnext_{a}.fb_in1k", f"convnext_{b}.fb_in1k", size)
        for a, b in (("tiny", "small"), ("small", "base"), ("base", "large"))
        for size in (224, 288)
    }
    assert expected <= set(zip(found["from_model"], found["to_model"], found["from_size"]))
    networks = found[found["what"] == "network"]
    prices = [
        (at[b, size][0] - at[a, size][0]) / np.log2(at[a, size][1] / at[b, size][1])
        for a, b, size in zip(networks["from_model"], networks["to_model"], networks["from_size"])
    ]
    assert family.trade(found, "network")["price"] == pytest.approx(np.median(prices))
