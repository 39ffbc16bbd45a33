"""Ceilings, percentages, and the counts they stand on."""

from __future__ import annotations

import math

import pytest

from scripts.bench import roofline

CEILINGS = {"matmul_tflops": 1.0, "copy_gbps": 100.0}
ROW = {
    "precision": "fp32",
    "infer_gmacs": 5.0,
    "infer_macts": 10.0,
    "param_count": 20.0,
    "infer_batch_size": 1,
    "infer_samples_per_sec": 50.0,
}


def test_percentages_by_hand():
    found = roofline.percentages(ROW, "infer", CEILINGS)
    assert found["arithmetic_pct"] == 50.0  # 10 GFLOP at 1 TFLOP/s is 10 ms; it took 20
    moved = (
        2 * 10e6 * 4 + 20e6 * 4
    )  # activations written and read, weights read: 160 MB at 100 GB/s is 1.6 ms, under the 10
    assert moved / 100e9 < 0.01 and found["roofline_pct"] == 50.0


def test_memory_binds_where_arithmetic_is_little():
    found = roofline.percentages({**ROW, "infer_gmacs": 0.1}, "infer", CEILINGS)
    assert found["arithmetic_pct"] == 1.0 and found["roofline_pct"] == pytest.approx(8.0)
    halved = roofline.percentages({**ROW, "infer_gmacs": 0.1, "precision": "bf16"}, "infer", CEILINGS)
    assert halved["roofline_pct"] == pytest.approx(4.0)
    many = roofline.percentages({**ROW, "infer_gmacs": 0.1, "infer_batch_size": 1000}, "infer", CEILINGS)
    assert many["roofline_pct"] < found["roofline_pct"]  # weights are read once a step


def test_training_is_three_passes():
    row = {key.replace("infer", "train"): value for key, value in ROW.items()}
    assert roofline.percentages(row, "train", CEILINGS)["arithmetic_pct"] == 150.0


def test_rows_from_a_csv_and_rows_without_counts():
    assert (
        roofline.percentages({key: str(value) for key, value in ROW.items()}, "infer", CEILINGS)["arithmetic_pct"]
        == 50.0
    )
    assert roofline.percentages({**ROW, "infer_gmacs": ""}, "infer", CEILINGS) == {
        "arithmetic_pct": "",
        "roofline_pct": "",
    }
    with pytest.raises(KeyError):
        roofline.percentages({"precision": "fp32"}, "infer", CEILINGS)


def test_ceilings_of_this_machine_are_above_what_a_model_reaches():
    pytest.importorskip("torch")
    found = roofline.ceilings("cpu", "fp32", threads=1, seconds=0.2)
    assert (
        found["matmul_tflops"] > 0.001
        and found["copy_gbps"] > 0.1
        and found["dtype"] == "float32"
        and found["threads"] == 1
    )


def test_a_processors_ceiling_is_that_of_convolutions_where_they_are_faster(monkeypatch):
    pytest.importorskip("torch")
    for convolution_s, tflops in ((0.1, 2 * 2 * 256 * 28**2 * 256 * 9 / 0.1e12), (100.0, 2 * 1536**3 / 1e12)):
        seconds = {4: convolution_s, 2: 1.0, 1: 1.0}  # by the dimensions of what was computed
        monkeypatch.setattr(roofline, "_fastest", lambda work, *_: seconds[work().dim()])  # noqa: B023
        assert roofline.ceilings("cpu", "fp32", threads=1)["matmul_tflops"] == round(tflops, 4)


# (model, size): parameters (millions), GMACs, activations (millions), as published in the models' papers and model
# cards.
@pytest.mark.parametrize(
    "name, size, parameters, gmacs, activations",
    [
        ("resnet50", 224, 25.6, 4.1, 11.1),
        ("vit_base_patch16_224", 224, 86.6, 17.6, 23.9),
        ("convnext_tiny", 224, 28.6, 4.5, 13.4),
        ("regnetx_032", 224, 15.3, 3.2, 11.4),
        ("vgg16", 224, 138.4, 15.5, 13.6),
    ],
)
def test_counts_agree_with_published_ones(name, size, parameters, gmacs, activations):
    pytest.importorskip("timm")
    from scripts.bench.count import count

    found = count(name, (3, size, size))
    assert found["param_count"] == pytest.approx(parameters, rel=0.01)
    assert found["gmacs"] == pytest.approx(gmacs, rel=0.02) and found["macts"] == pytest.approx(activations, rel=0.02)


def test_counts_grow_with_the_image_and_a_fixed_size_can_be_changed():
    pytest.importorskip("timm")
    from scripts.bench.count import count

    small, large = (count("resnet18", (3, size, size))["gmacs"] for size in (128, 256))
    assert large == pytest.approx(4 * small, rel=0.02)
    assert count("vit_tiny_patch16_224", (3, 96, 96))["gmacs"] < 0.4


def test_a_model_that_cannot_be_counted_has_no_counts(monkeypatch):
    torch, timm = pytest.importorskip("torch"), pytest.importorskip("timm")
    from scripts.bench.count import count

    class Picky(torch.nn.Linear):
        def forward(self, images):
            return images.sum().item()  # has no value on the meta device

    monkeypatch.setattr(timm, "create_model", lambda name, **_: Picky(2, 2))
    found = count("resnet18", (3, 32, 32))
    assert found["param_count"] == 6e-6 and math.isnan(found["gmacs"])


def test_the_command_reads_the_rows_before_it_measures(tmp_path, capsys):
    pytest.importorskip("torch")
    (tmp_path / "rows.csv").write_text("model,status\na,ok\n")
    assert roofline.main(["--rows", str(tmp_path / "rows.csv")]) == 2
    error = capsys.readouterr().err
    assert "precision" in error and len(error.strip().splitlines()) == 1
