"""What the app does with a file before and after the model sees it: hostile pictures, and where the model looked."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from scripts.common.errors import UserError
from scripts.demo import classify, predict
from scripts.train import exported

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An exported network that was never trained."""
    config = exported.Config("test_resnet", ("cat", "dog"), 96, MEAN, STD, builder="fastai")
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "small"
    exported.save(folder, exported.build(config), config, onnx=False)
    return folder


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def bomb(side: int = 6000) -> bytes:
    """A PNG of side×side pixels, all one colour: 36 megapixels in 35 kB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"\x00" * ((side // 8 + 1) * side), 9)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("../../etc/cron.d/x", "* * * * * root true")
    return buffer.getvalue()


PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    "content, what",
    [
        (bomb(), "36 megapixels"),
        (b"", "empty file"),
        (b"hello", "not an image"),
        (b"<html><body>404</body></html>", "a web page"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "no photo"),
        (zipped(), "not an image"),
        (encoded(PHOTO)[:200], "no photo"),
        (encoded(PHOTO, "JPEG")[:300], "no photo"),
        (encoded(Image.new("RGB", (3, 3))), "3×3 pixels"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 50, "no photo"),
        (b"GIF89a" + b"\xff" * 40, "no photo"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9", "not an image"),
        (b"x" * (predict.MAX_BYTES + 1), "MB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_photo_is_said_in_a_sentence(content, what):
    with pytest.raises(predict.NotAPhoto, match=what) as said:
        predict.open_photo(content)
    assert "\n" not in str(said.value) and str(said.value).endswith(".")


def test_the_bomb_is_as_small_as_it_should_be():
    assert len(bomb()) < 36_000


def rotated() -> bytes:
    meta = Image.Exif()
    meta[0x0112] = 6  # turn it by 90° to the right
    return encoded(PHOTO, "JPEG", exif=meta)


@pytest.mark.parametrize(
    "content, size",
    [
        (encoded(PHOTO.convert("CMYK"), "JPEG"), (160, 120)),
        (encoded(PHOTO.convert("L")), (160, 120)),
        (encoded(PHOTO.convert("P")), (160, 120)),
        (encoded(PHOTO.convert("RGBA")), (160, 120)),
        (encoded(Image.fromarray(np.full((20, 30), 40_000, np.uint16))), (30, 20)),
        (rotated(), (120, 160)),
        (encoded(PHOTO, "GIF", save_all=True, append_images=[PHOTO.rotate(90)]), (160, 120)),
        (encoded(PHOTO, "WEBP"), (160, 120)),
        (encoded(PHOTO, "TIFF"), (160, 120)),
        (encoded(PHOTO, "BMP"), (160, 120)),
    ],
)
def test_odd_but_honest_photos_are_read(content, size):
    image = predict.open_photo(content)
    assert image.mode == "RGB" and image.size == size


def test_a_file_that_cannot_be_read_is_said(tmp_path):
    for path in (tmp_path, tmp_path / "none.jpg"):
        with pytest.raises(predict.NotAPhoto, match="cannot be read"):
            predict.read_file(path)


class LeftEye(torch.nn.Module):
    """Says 'bright' as far as the left half of the picture is."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 4, 3, padding=1)
        self.last = torch.nn.Conv2d(4, 4, 3, padding=1)
        for layer in (self.first, self.last):
            torch.nn.init.constant_(layer.weight, 0.1)
            torch.nn.init.zeros_(layer.bias)

    def forward(self, x):
        maps = self.last(self.first(x + 0.1).relu()).relu()
        bright = maps[..., : maps.shape[-1] // 2].mean((1, 2, 3))
        return torch.stack([bright, torch.zeros_like(bright)], 1)


@pytest.mark.parametrize("method", ["grad-cam", "input gradient"])
def test_the_heat_is_where_the_answer_comes_from(method):
    model = LeftEye()
    pixels = torch.zeros(1, 3, 32, 32)
    pixels[..., :12] = 1.0
    if method == "grad-cam":
        layer = predict.find_layer(model, 32)
        assert layer == (model.last, 0)
        logits, heat = predict.grad_cam(model, layer, pixels)
    else:
        logits, heat = predict.input_gradient(model, pixels)
    assert heat.shape == (32, 32) and 0 <= float(heat.min()) and float(heat.max()) == pytest.approx(1)
    assert float(heat[:, :12].mean()) > 1.5 * float(heat[:, 20:].mean())
    with torch.no_grad():
        assert torch.allclose(logits, model(pixels))  # looking at it doesn't change the answer


def test_maps_that_all_speak_against_the_answer_give_way_to_the_gradient(monkeypatch):
    model, pixels = LeftEye(), torch.rand(1, 3, 32, 32)
    layer = predict.find_layer(model, 32)
    assert predict.where(model, layer, pixels)[2] == "Grad-CAM"
    monkeypatch.setattr(predict, "grad_cam", lambda model, layer, pixels: (model(pixels), torch.zeros(32, 32)))
    _, heat, method = predict.where(model, layer, pixels)
    assert method == "input gradient" and float(heat.max()) == pytest.approx(1)  # the picture is not all dark


def test_a_transformer_has_no_maps_to_look_at():
    import timm

    assert predict.find_layer(timm.create_model("test_vit", num_classes=2), 160) is None
    assert predict.find_layer(timm.create_model("resnet18", num_classes=2), 224) is not None


def test_a_shared_stage_is_looked_at_where_its_maps_are_large_enough():
    from scripts.train.models import SharedConvNet

    torch.manual_seed(0)
    model = SharedConvNet(2, 224).eval()
    layer = predict.find_layer(model, 224)
    assert (
        layer.module in model.shared and layer.call == 3
    )  # the stage runs at 28, 14, 7 pixels, and a fourth time before the last pooling
    pixels = torch.randn(1, 3, 224, 224)
    logits, heat = predict.grad_cam(model, layer, pixels)
    with torch.no_grad():
        assert torch.allclose(logits, model(pixels), atol=1e-5)
    assert heat.shape == (224, 224)


def test_an_answer_with_and_without_heat_is_the_same(folder):
    predictor = predict.Predictor(folder)
    image = predict.open_photo(encoded(PHOTO))
    one, other = predictor.ask(image), predictor.ask(image, heat=False)
    assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5) and sum(
        one.probabilities.values()
    ) == pytest.approx(1)
    assert other.heat is None and one.heat.shape == (96, 96)
    picture = predict.spotlight(image, one, predictor.config)
    assert picture.size == (predict.SHOWN, predict.SHOWN)


def test_two_models_of_one_name_are_refused(folder):
    with pytest.raises(UserError, match="two models are called 'small'"):
        predict.load_all([folder, folder])


def test_a_photo_whose_name_begins_with_a_dash_is_a_photo(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("-x.jpg", "--json.jpg", "-1.jpg", "b.jpg"):
        Image.new("RGB", (40, 40), "red").save(name)
    monkeypatch.setattr("sys.argv", ["classify", str(folder), "-1.jpg", "--json.jpg", "-x.jpg", "b.jpg"])
    assert classify.main() == 0 and len(capsys.readouterr().out.splitlines()) == 4
    for missing in (["-y.jpg", "b.jpg"], ["--jsn", "b.jpg"], []):
        monkeypatch.setattr("sys.argv", ["classify", str(folder), *missing])
        with pytest.raises(SystemExit):
            classify.main()


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii", "cp1252"])
def test_json_is_json_whatever_the_terminal_can_write(folder, tmp_path, monkeypatch, encoding):
    names = ["写真 ü.png", "none.jpg", os.fsdecode(b"\xe9.jpg")]
    monkeypatch.chdir(tmp_path)
    Path(names[0]).write_bytes(encoded(PHOTO))
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setattr("sys.argv", ["classify", str(folder), "--json", *names])  # an option before the photos
    assert classify.main() == 1
    stream.flush()
    answers = json.loads(stream.buffer.getvalue().decode("utf-8"))
    assert [one["file"] for one in answers] == names and "class" in answers[0] and "error" in answers[1]


def test_the_terminal_answers_in_json(folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "good.png").write_bytes(encoded(PHOTO))
    (tmp_path / "bad\x1b[31m.txt").write_text("hello")
    files = [str(tmp_path / "good.png"), str(tmp_path / "bad\x1b[31m.txt"), str(tmp_path / "none.png")]
    monkeypatch.setattr("sys.argv", ["classify", str(folder), *files, "--json"])
    assert classify.main() == 1
    good, bad, missing = json.loads(capsys.readouterr().out)
    assert (
        good["class"] in ("cat", "dog")
        and sum(good["probabilities"].values()) == pytest.approx(1, abs=1e-4)
        and good["milliseconds"] > 0
    )
    assert "not an image" in bad["error"] and "cannot be read" in missing["error"]
    monkeypatch.setattr("sys.argv", ["classify", str(folder), *files])
    assert classify.main() == 1
    said = capsys.readouterr()
    assert said.out.count("\n") == 1 and said.err.count("\n") == 2 and "\x1b" not in said.err
    monkeypatch.setattr("sys.argv", ["classify", str(folder), files[0]])
    assert classify.main() == 0
    monkeypatch.setattr("sys.argv", ["classify", str(tmp_path), files[0]])
    capsys.readouterr()
    assert classify.main() == 2 and capsys.readouterr().err.count("\n") == 1


def test_a_model_of_no_numbers_is_one_line(tmp_path, monkeypatch, capsys):
    config = exported.Config("test_resnet", ("cat", "dog"), 96, MEAN, STD, builder="fastai")
    network = exported.build(config)
    torch.nn.init.constant_(next(network.parameters()), float("nan"))
    exported.save(tmp_path / "nan", network, config, onnx=False)
    monkeypatch.setattr("sys.argv", ["classify", str(tmp_path / "nan"), "cat.jpg"])
    assert classify.main() == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "damaged or were never trained" in said


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("nowhere", path),
                                  lambda path: os.symlink("/dev/zero", path)])  # fmt: skip
def test_the_terminal_waits_for_nothing_that_is_no_file(folder, tmp_path, monkeypatch, capsys, make):
    make(tmp_path / "x.jpg")
    (tmp_path / "good.png").write_bytes(encoded(PHOTO))
    monkeypatch.setattr("sys.argv", ["classify", str(folder), str(tmp_path / "x.jpg"), str(tmp_path / "good.png")])
    assert classify.main() == 1
    said = capsys.readouterr()
    assert "x.jpg: This file cannot be read" in said.err and "good.png: " in said.out
