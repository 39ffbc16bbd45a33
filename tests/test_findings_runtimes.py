"""Runtimes: what was measured as rows, and verdicts that need an interval, a field and equal answers."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from scripts.common import provenance
from scripts.common.errors import DataMissing, UserError
from scripts.figures import display_runtimes
from scripts.findings import claims_runtimes as claims, runtimes
from scripts.findings.claims import CONDITIONAL, FAILS, HOLDS, NO_DATA
from scripts.pages import runtimes as page
from scripts.runtimes import timed

NETWORKS = {
    "levit_128s": 90, "levit_256": 25, "resnet18": 20, "resnet50": 9, "regnetx_004": 60, "regnetx_016": 18, "vgg11": 5,
    "tf_efficientnetv2_b0": 30, "convnext_atto": 45, "vit_tiny_patch16_224": 26, "beit_base_patch16_224": 3,
}  # fmt: skip


def written(folder, gains=None, slug="test_cpu", **change):
    """A table with eager and, for each (runtime, precision) of `gains`, a function of the network's place -> gain."""
    rows = []
    for place, (model, speed) in enumerate(NETWORKS.items()):
        for (runtime, precision), gain in {("eager", "fp32"): lambda _: 1.0, **(gains or {})}.items():
            times = gain(place)
            rows.append(
                {
                    **dict.fromkeys([*timed.NUMBERS, *timed.MORE, *timed.SECONDS], ""),
                    **{"model": model, "runtime": runtime, "precision": precision, "status": "ok", "reason": ""},
                    **{"version": "1", "threads": 1, "infer_batch_size": 4, "infer_img_size": 224, "core_share": 0.5},
                    **{"infer_samples_per_sec": speed * times, "times_eager": times, "difference": 1e-6},
                    **change,
                }
            )
    path = folder / f"runtimes-infer-batch4-pt2150-cpu1t-{slug}.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    facts = {
        "schema": 1,
        "date": "2026-11-28T10:00:00Z",
        "hardware": {"slug": slug, "name": "Test CPU"},
        "versions": {},
    }
    path.with_suffix(".json").write_text(json.dumps(facts))
    return path


def others_of(table, runtime="openvino", precision="fp32"):
    return claims.beside_eager(table, runtime, precision)


def test_the_same_order_holds_and_a_turned_one_fails(tmp_path):
    gains = {
        ("openvino", "fp32"): lambda _: 2.0,
        ("onnxruntime", "fp32"): lambda place: list(NETWORKS.values())[place] ** -2,
    }
    written(tmp_path, gains)
    table = runtimes.speeds(tmp_path)
    assert claims.same_ranking(others_of(table)).verdict == HOLDS
    turned = claims.same_ranking(others_of(table, "onnxruntime"))
    assert turned.verdict == FAILS and turned.estimate == 1.0


def test_a_swap_within_the_timing_spread_is_none(tmp_path):
    two = pd.DataFrame({"arch": ["a", "b"], "eager": [10.0, 10.1], "other": [20.0, 18.0]})
    assert np.isnan(claims.swaps(two)[0])
    two["eager"] = [10.0, 11.0]
    assert claims.swaps(two) == (1.0, [("b", "a")])


def test_a_thin_field_gives_no_verdict(tmp_path):
    written(tmp_path, {("openvino", "fp32"): lambda _: 2.0})
    table = runtimes.speeds(tmp_path)
    few = table[table["family"].isin(["levit", "resnet"])]
    assert claims.same_ranking(others_of(few)).verdict == NO_DATA
    assert claims.runtime_over_model(claims.gains_of(few, ("fp32",))).verdict == NO_DATA


def test_a_lead_among_few_networks_is_no_finding_but_a_lag_is(tmp_path):
    written(tmp_path)
    own = claims.with_top1(runtimes.speeds(tmp_path))
    mine = own["family"] == "levit"
    assert claims.levit_fastest(own.assign(speed=own["speed"] * (1 + 99 * mine))).verdict == NO_DATA
    slow = claims.levit_fastest(own.assign(speed=own["speed"] / (1 + 999 * mine)))
    assert slow.verdict == FAILS and slow.high < 0


def test_other_answers_do_not_count_as_a_gain_in_fp32(tmp_path):
    written(tmp_path, {("openvino", "fp32"): lambda _: 3.0, ("openvino", "bf16"): lambda _: 6.0}, difference=0.1)
    table = runtimes.speeds(tmp_path)
    assert claims.gains_of(table, ("fp32",)).empty
    assert claims.gains_of(table, ("fp32", "bf16"))["by_runtime"].eq(6).all()


def test_the_runtime_against_the_model(tmp_path):
    written(tmp_path, {("openvino", "fp32"): lambda _: 100.0})
    found = claims.runtime_over_model(claims.gains_of(runtimes.speeds(tmp_path), ("fp32",)))
    assert found.verdict == NO_DATA and found.low > 1  # more networks could only lower it
    written(tmp_path, {("openvino", "fp32"): lambda _: 1.0})
    assert claims.runtime_over_model(claims.gains_of(runtimes.speeds(tmp_path), ("fp32",))).verdict == FAILS


@pytest.mark.parametrize(("changed", "verdict"), [(0, HOLDS), (10, CONDITIONAL), (80, FAILS)])
def test_int8_on_photos_is_judged_by_its_interval(changed, verdict):
    row = pd.Series({"model": "m", "pictures": 1000, "equal_top1": 1 - changed / 1000})
    assert claims.int8_on_photos(row).verdict == verdict


def test_published_losses_are_judged_by_their_interval():
    names = [f"net{number}_a" for number in range(10)]
    none = pd.DataFrame({"model": names, "weights": "w", "top1": 75.0, "top1_int8": 75.0})
    assert claims.int8_published(none).verdict == HOLDS
    assert claims.int8_published(none.assign(top1_int8=73.0)).verdict == FAILS
    assert claims.int8_published(none.head(3)).verdict == NO_DATA


def test_nothing_measured_and_only_failures_are_said(tmp_path):
    with pytest.raises(DataMissing, match="make bench"):
        runtimes.speeds(tmp_path)
    written(tmp_path, status="failed", reason="no room", infer_samples_per_sec="")
    with pytest.raises(DataMissing, match="no network could be measured"):
        runtimes.speeds(tmp_path)


def test_a_runtime_of_another_version_is_refused(tmp_path):
    path = written(tmp_path)
    path.write_text(path.read_text().replace("eager", "warp"))
    with pytest.raises(UserError, match="warp"):
        runtimes.speeds(tmp_path)


@pytest.mark.slow
def test_verdicts_are_written_once_and_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(runtimes, "find_spec", lambda name: None)
    written(tmp_path, {("openvino", "fp32"): lambda _: 2.0})
    assert runtimes.update(tmp_path) and not runtimes.update(tmp_path)
    found = runtimes.claims(tmp_path)
    assert set(found["claim"]) == {"ranking_same", "levit_fastest", "runtime_over_model", "int8_free"}


def test_half_of_a_pair_is_not_taken_for_what_was_judged(tmp_path):
    judged = {"judged_on": {"a.csv": "0"}, "accuracies": ["timm"]}
    path = provenance.write_pair("claim\nx\n", tmp_path / runtimes.CLAIMS, {"schema": 1, "hardware": {}, **judged})
    assert runtimes._committed(tmp_path) == judged
    path.write_text("claim\ny\n")  # killed before the sidecar followed
    assert runtimes._committed(tmp_path) == {}
    path.unlink()
    assert runtimes._committed(tmp_path) == {}


PARTS = "said shared changed_places table costs answers published verdicts predicted tried".split()


def test_costs_are_shown_where_they_are_known_and_said_where_not(tmp_path, monkeypatch, moved, capsys):
    moved(DATA=tmp_path)
    written(tmp_path, {("openvino", "fp32"): lambda _: 2.0})
    page.costs()
    said = capsys.readouterr().out
    assert "money is not known here" in said and "joules an image takes is not known" in said
    written(tmp_path, {("openvino", "fp32"): lambda _: 2.0}, energy_j=0.5)
    monkeypatch.setattr(display_runtimes.prices, "of_card", lambda card: (3.6, "x"))
    page.costs()
    page.table()
    said = capsys.readouterr().out
    assert "not known" not in said and "US dollars for a million images" in said and "joules an image" in said
    money = display_runtimes.costs(runtimes.speeds(tmp_path))["US dollars for a million images"]
    assert money.iloc[0] == pytest.approx(1000 / 90)
    text = str(display_runtimes.draw_speed().figure.to_dict())
    assert "US dollars for a million images" in text and "0.5 joules an image" in text


@pytest.mark.slow
def test_the_page_prints_every_part(tmp_path, moved, capsys):
    moved(DATA=tmp_path)
    written(tmp_path, {("openvino", "fp32"): lambda _: 2.0, ("openvino", "int8"): lambda place: 3.0 + place})
    runtimes.update(tmp_path)
    for part in PARTS:
        getattr(page, part)()
    said = capsys.readouterr().out
    assert "2.00 times" in said and "50% of its core" in said and "nan" not in said and "Traceback" not in said
    drawing = display_runtimes.draw_speed()
    assert "2.0 times as fast with equal answers" in drawing.title and drawing.phone is not None
    with pytest.raises(DataMissing, match="runtime_answers"):
        display_runtimes.draw_cost()


def test_without_measurements_the_page_says_so(tmp_path, moved, capsys):
    moved(DATA=tmp_path)
    for part in PARTS:
        getattr(page, part)()
    said = capsys.readouterr().out
    assert "make bench" in said and said.count("callout") <= 4


def test_torchvision_is_asked_again_only_for_another_version_or_code_or_a_damaged_table(tmp_path, monkeypatch):
    asked, path = [], tmp_path / runtimes.PUBLISHED
    row = {"model": "resnet18", "weights": "V1", "backend": "fbgemm", "top1": 69.8, "top1_int8": 69.5}
    monkeypatch.setattr(runtimes, "find_spec", lambda name: True)
    monkeypatch.setattr(runtimes, "torchvision_int8", lambda: asked.append(1) or pd.DataFrame([row]))

    def times(**change):
        """How often torchvision was asked, once the sidecar says otherwise."""
        if change:
            about = json.loads(path.with_suffix(".json").read_text())
            path.with_suffix(".json").write_text(json.dumps(about | change))
        with pytest.raises(DataMissing):  # nothing measured here
            runtimes.update(tmp_path)
        return len(asked)

    assert [times(), times(), times(code={}), times(), times(versions={"torchvision": "0"})] == [1, 1, 2, 2, 3]
    path.write_text(path.read_text().replace("69.5", "59.5"))
    assert times() == 4 and "69.5" in path.read_text()
