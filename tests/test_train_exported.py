"""Exported models: what was exported comes back, and nothing else gets in. No file of a model may run anything."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pickle
import resource
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL.Image import fromarray

from scripts.common import sealed
from scripts.common.errors import UserError
from scripts.train import exported, fastai_network
from tests.bounds import bounded
from tests.killing import kills, snapshot

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
CONFIG = exported.Config("test_resnet", ("cat", "dog", "fish"), 32, MEAN, STD, builder="fastai")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """(folder, network) of a model that was exported with ONNX."""
    torch.manual_seed(1)
    folder, model = tmp_path_factory.mktemp("models") / "original", exported.build(CONFIG)
    for layer in model.modules():  # an untrained network answers the same to everything; this one doesn't
        if isinstance(layer, torch.nn.BatchNorm1d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
    said = exported.save(folder, model, CONFIG, sample=torch.randn(3, 3, 32, 32))
    return folder, model.eval(), said


@pytest.fixture
def model(original, tmp_path):
    shutil.copytree(original[0], tmp_path / "model")
    return tmp_path / "model"


def rewrite(folder, name: str, content: bytes) -> None:
    """Replace a file and its checksum, as someone who tampers would."""
    (folder / name).write_bytes(content)
    sums = dict(line.split("  ")[::-1] for line in (folder / sealed.SUMS).read_text().splitlines())
    sums[name] = hashlib.sha256(content).hexdigest()
    (folder / sealed.SUMS).write_text("".join(f"{value}  {key}\n" for key, value in sums.items()))


class Evil:
    """Pickled, it makes a file when it is opened."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


def test_the_same_answers_come_back(original):
    pixels = torch.randn(4, 3, 32, 32)
    with torch.inference_mode():
        wanted = original[1](pixels).softmax(1).numpy()
    loaded = exported.load(original[0])
    assert loaded.config == CONFIG
    np.testing.assert_allclose(loaded.probabilities(pixels), wanted, atol=1e-6)


def test_onnx_was_checked_and_gives_the_same(original):
    assert "ONNX against PyTorch on 3 real photos" in " ".join(original[2])
    content = (original[0] / exported.ONNX).read_bytes()
    assert exported.onnx_difference(content, original[1], torch.randn(5, 3, 32, 32)) < 1e-4
    other = exported.build(CONFIG).eval()
    assert exported.onnx_difference(content, other, torch.randn(5, 3, 32, 32)) > 1e-4  # the comparison can fail


def test_sha256sum_agrees(original):
    for line in (original[0] / sealed.SUMS).read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((original[0] / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("name", [exported.WEIGHTS, exported.CONFIG])
def test_one_flipped_byte_is_refused(model, name):
    content = bytearray((model / name).read_bytes())
    content[len(content) // 2] ^= 1
    (model / name).write_bytes(content)
    with pytest.raises(UserError, match="checksum"):
        exported.load(model)


@pytest.mark.parametrize("name", [exported.WEIGHTS, exported.CONFIG, sealed.SUMS])
def test_a_file_cut_short_or_missing_is_refused(model, name):
    content = (model / name).read_bytes()
    (model / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError):
        exported.load(model)
    (model / name).unlink()
    with pytest.raises(UserError, match=name):
        exported.load(model)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 8,
        b"\x00" * 100,
        (2**60).to_bytes(8, "little") + b"{}",
        b"PK\x03\x04" + b"a" * 100,
        (10).to_bytes(8, "little") + b'{"a":[[[[[',
    ],
)
def test_what_is_no_safetensors_is_refused_even_with_its_checksum(model, content):
    rewrite(model, exported.WEIGHTS, content)
    with pytest.raises(UserError, match="safetensors"):
        exported.load(model)


def test_another_networks_weights_are_refused(model):
    from safetensors.torch import save

    rewrite(model, exported.WEIGHTS, save({"weight": torch.zeros(2, 2)}))
    with pytest.raises(UserError, match="not the weights of test_resnet"):
        exported.load(model)


@pytest.mark.parametrize("name", [exported.WEIGHTS, exported.PICKLE])
def test_nothing_in_a_pickle_runs(model, tmp_path, name):
    marker = tmp_path / "it ran"
    rewrite(model, name, pickle.dumps(Evil(marker)))
    if name == exported.WEIGHTS:
        with pytest.raises(UserError):
            exported.load(model)
    else:
        exported.load(model)
    assert not marker.exists()


def test_a_tampered_pickle_is_refused_even_when_pickles_are_trusted(model, tmp_path):
    marker = tmp_path / "it ran"
    rewrite(model, exported.PICKLE, b"the one that was exported")
    (model / exported.PICKLE).write_bytes(pickle.dumps(Evil(marker)))
    with pytest.raises(UserError, match="checksum"):
        exported.load(model, trust_pickle=True)
    assert not marker.exists()
    (model / exported.PICKLE).unlink()
    with pytest.raises(UserError, match="cannot be read"):
        exported.load(model, trust_pickle=True)


def test_an_architecture_may_be_named_with_its_weights_tag(model):
    rewrite(
        model,
        exported.CONFIG,
        (model / exported.CONFIG).read_bytes().replace(b'"test_resnet"', b'"test_resnet.r160_in1k"'),
    )
    assert exported.load(model).config.arch == "test_resnet.r160_in1k"


@pytest.mark.parametrize(
    "change, what",
    [
        ({"schema": 99}, "schema 99"),
        ({"arch": "../../etc/passwd"}, "arch"),
        ({"arch": "hf-hub:someone/else"}, "arch"),
        ({"arch": "no_such_net"}, "no architecture"),
        ({"classes": ["cat"]}, "classes"),
        ({"classes": ["cat", "cat", "dog"]}, "classes"),
        ({"classes": "catdog"}, "classes"),
        ({"classes": ["a"] * 20_000}, "classes"),
        ({"size": 10**9}, "size"),
        ({"size": True}, "size"),
        ({"size": "32"}, "size"),
        ({"mean": [0, 0]}, "mean"),
        ({"std": [0, 1, 1]}, "std"),
        ({"std": [float("nan")] * 3}, "std"),
        ({"builder": "eval"}, "builder"),
        ({"margin": 0}, "margin"),
        ({"margin": None}, "margin"),
        ({"arch": "lenet5"}, "not an architecture of timm's"),
    ],
)
def test_a_configuration_of_someone_elses_making_is_refused(model, change, what):
    rewrite(
        model, exported.CONFIG, json.dumps({**json.loads((model / exported.CONFIG).read_text()), **change}).encode()
    )
    with pytest.raises(UserError, match=what):
        exported.load(model)


@pytest.mark.parametrize(
    "change, what",
    [
        ({"mean": [10**400, 0, 0]}, "'mean'"),
        ({"std": [1e-300, 1, 1]}, "'std'"),
        ({"margin": 10**400}, "'margin'"),
        ({"margin": True}, "'margin'"),
        ({"schema": 10**400}, "schema 1000"),
        ({"classes": ["a\ud800", "b"]}, "not to be seen"),
        ({"classes": ["a\x1b[31m", "b"]}, "not to be seen"),
        ({"classes": ["\u202ea", "b"]}, "not to be seen"),
        ({"arch": "eva_giant_patch14_224"}, "not the weights|too large|at most"),
        ({"arch": "vit_giant_patch14_224"}, "not the weights|too large|at most"),
    ],
    ids=str,
)
def test_a_hostile_configuration_costs_no_memory(model, change, what):
    config = json.loads((model / exported.CONFIG).read_text())
    rewrite(model, exported.CONFIG, json.dumps({**config, **change}).encode())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match=what) as said:
        exported.load(model)
    assert str(said.value).isprintable()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB; eva_giant has 4 GB


def test_training_nested_deep_is_refused_and_joined_letters_are_not(model):
    config = json.loads((model / exported.CONFIG).read_text())
    deep = json.dumps({**config, "trained": "DEEP"}).replace('"DEEP"', '{"a":' * 900 + "1" + "}" * 900)
    rewrite(model, exported.CONFIG, deep.encode())
    with pytest.raises(UserError, match="nested deeper"):
        exported.load(model)
    rewrite(model, exported.CONFIG, json.dumps({**config, "classes": ["می\u200cخواهم", "b", "c"]}).encode())
    assert exported.load(model).config.classes[0] == "می\u200cخواهم"


@pytest.mark.parametrize("name", [exported.WEIGHTS, exported.CONFIG, sealed.SUMS])
@pytest.mark.parametrize("how", ["link", "device", "pipe", "sparse"])
def test_what_is_no_regular_file_of_its_size_is_refused(model, name, how):
    path = model / name
    if how == "link":
        path.rename(model / "kept")
        path.symlink_to(model / "kept")
    elif how == "sparse":
        with path.open("ab") as file:
            file.truncate(2**33 - 1)
    else:
        path.unlink()
        path.symlink_to("/dev/zero") if how == "device" else os.mkfifo(path)
    with pytest.raises(UserError, match="link|pipe|at most"):
        exported.load(model)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b"[" * 100_000, b"\xff\xfe"])
def test_a_configuration_that_is_none_is_refused(model, content):
    rewrite(model, exported.CONFIG, content)
    with pytest.raises(UserError, match="config.json"):
        exported.load(model)


def test_checksums_of_files_elsewhere_are_not_followed(model):
    with open(model / sealed.SUMS, "a") as file:
        file.write(f"{'0' * 64}  ../../etc/passwd\n")
    assert "../../etc/passwd" not in sealed.checksums(model)


def test_what_is_no_model_is_named(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        exported.load(tmp_path / "nothing")
    with pytest.raises(UserError, match="no exported model"):
        exported.load(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="a file"):
        exported.load(tmp_path / "file")


@pytest.mark.parametrize("arch", ["test_resnet", "test_vit", "test_convnext"])
def test_the_network_is_fastais(arch):
    """Without fastai we build what fastai builds: same parameters, same answers."""
    from fastai.vision.all import create_timm_model, default_split

    theirs = create_timm_model(arch, 3, default_split, pretrained=False)[0].eval()
    size = 160
    ours = fastai_network.fastai_network(arch, 3, size).eval()
    ours.load_state_dict(theirs.state_dict())
    pixels = torch.randn(2, 3, size, size)
    with torch.no_grad():
        assert torch.equal(ours(pixels), theirs(pixels))


def test_a_network_that_does_not_fit_fastais_head_is_named():
    model = fastai_network.fastai_network("swin_tiny_patch4_window7_224", 2, 224)
    with pytest.raises(UserError, match="swin_tiny"):
        fastai_network.probe(model, "swin_tiny_patch4_window7_224", 224)


def test_a_full_disk_is_one_line_and_leaves_the_old_model(original, other_disk):
    folder, red = other_disk / "model", fromarray(np.zeros((9, 9, 3), np.uint8))
    exported.save(folder, original[1], CONFIG, pickle=b"old", examples=[red, red], onnx=False)
    before = snapshot(folder)
    (other_disk / "filler").write_bytes(b"x" * (shutil.disk_usage(other_disk).free - 100_000))
    with pytest.raises(UserError, match="disk is full"):
        exported.save(folder, original[1], CONFIG, pickle=None, examples=[red], onnx=False)
    assert snapshot(folder) == before


def test_killed_at_any_step_of_an_export_nothing_half_is_taken_for_whole(original, tmp_path):
    folder, red = tmp_path / "model", fromarray(np.zeros((9, 9, 3), np.uint8))
    other = dataclasses.replace(CONFIG, classes=("a", "b", "c"))

    def export(config, count):
        exported.save(folder, original[1], config, b"p" * count, [red] * count, onnx=False)

    def reset():
        shutil.rmtree(folder, ignore_errors=True)
        export(CONFIG, 1)

    whole = []
    for _ in kills(lambda: export(other, 2), reset):
        try:
            whole.append(exported.load(folder).config == CONFIG)
        except UserError as error:
            assert "its checksum" in str(error)
        export(other, 2)
        assert exported.load(folder).config == other
        assert sorted(path.name for path in folder.glob("examples/*.jpg")) == ["1.jpg", "2.jpg"]
    assert whole.count(True) > 5 and len(set(whole)) == 2  # while it writes the old one is whole, at the end the new


def test_two_runs_of_one_model_take_turns(original, tmp_path):
    def export(config):
        exported.save(tmp_path / "model", original[1], config, onnx=False)

    configs = [dataclasses.replace(CONFIG, classes=(name, "b", "c")) for name in "xyz"]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(export, configs * 4))
    assert exported.load(tmp_path / "model").config in configs


def test_examples_keep_nothing_but_the_picture(original, tmp_path):
    import io

    from PIL import Image

    from scripts.train import photos

    meta, buffer = Image.Exif(), io.BytesIO()
    meta[0x010E] = "where I live"
    Image.new("RGB", (40, 30), "red").save(buffer, "JPEG", exif=meta, comment="where I live")
    assert buffer.getvalue().count(b"where I live") == 2
    for count in (3, 1):  # the earlier ones go
        exported.save(tmp_path, original[1], CONFIG, examples=[photos.decode(buffer.getvalue())] * count, onnx=False)
    kept = list((tmp_path / "examples").iterdir())
    assert [path.name for path in kept] == ["1.jpg"]
    assert b"where I live" not in kept[0].read_bytes()


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def once(original, folder):
    return folder if folder.exists() else shutil.copytree(original, folder)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["schema", "arch", "classes", "size", "mean", "std", "margin", "builder"]), JUNK)
def test_no_configuration_of_junk_is_accepted(original, tmp_path, name, junk):
    """A hundred made up; a number may happen to be one that fits."""
    folder = once(original[0], tmp_path / "model")
    config = {**json.loads((original[0] / exported.CONFIG).read_text()), name: junk}
    rewrite(folder, exported.CONFIG, json.dumps(config).encode())
    with bounded():
        try:
            found = exported.load(folder).config
        except UserError as error:
            assert str(error).isprintable() and len(str(error)) < 500
        else:
            assert isinstance(junk, (int, float)) and getattr(found, name, junk) == junk


def safetensors(header: bytes, body: bytes = b"", length: int | None = None) -> bytes:
    return (len(header) if length is None else length).to_bytes(8, "little") + header + body


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.builds(
        lambda header, body, length: safetensors(json.dumps(header).encode(), body, length),
        st.dictionaries(
            st.text(max_size=10) | st.just("__metadata__"),
            st.fixed_dictionaries(
                {
                    "dtype": st.sampled_from(["F32", "F64", "I64", "BF16", "X9"]),
                    "shape": st.lists(st.integers(0, 2**63), max_size=4),
                    "data_offsets": st.lists(st.integers(0, 2**64 - 1), min_size=2, max_size=2),
                }
            )
            | JUNK,
            max_size=4,
        ),
        st.binary(max_size=100),
        st.none() | st.integers(0, 2**64 - 1),
    )
    | st.binary(max_size=200)
)
def test_no_weights_that_are_made_up_are_accepted(original, tmp_path, content):
    folder = once(original[0], tmp_path / "model")
    rewrite(folder, exported.WEIGHTS, content)
    with bounded(), pytest.raises(UserError) as said:
        exported.load(folder)
    assert str(said.value).isprintable() and len(str(said.value)) < 500
