"""Pretrained weights: files that are damaged, of another network or hostile, and a hub that answers badly."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import pickle
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from scripts.common.errors import UserError
from scripts.train import hub, weights

LITE0 = "tf_efficientnet_lite0"
SMALL = "test_resnet.r160_in1k"  # timm's own, for tests: 0.5 million parameters


@pytest.fixture
def embedded() -> Path:
    source, reason = weights.find(LITE0)
    if source is None:
        pytest.skip(reason)
    return source.file


@pytest.fixture
def no_hub(monkeypatch):
    monkeypatch.setattr(hub, "answers", lambda: False)
    monkeypatch.setattr(hub, "cached", lambda repository: None)


def test_the_embedded_network_is_the_one_that_google_trained(embedded):
    source, _ = weights.find(LITE0)
    model = weights.network(source, 3)
    assert source.kind == "package" and source.tag == "in1k" and not model.training
    first = torch.load(embedded, weights_only=True)["_conv_stem.weight"]
    assert torch.equal(model.conv_stem.weight, first)
    assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 3)
    assert weights.network(source)(torch.zeros(1, 3, 64, 64)).shape == (1, 1280)


def test_a_flipped_byte_is_found(embedded, tmp_path, monkeypatch):
    content = bytearray(embedded.read_bytes())
    content[len(content) // 2] ^= 1
    bad = tmp_path / embedded.name
    bad.write_bytes(content)
    monkeypatch.setattr(weights, "_in_package", lambda embedded: bad)
    source, _ = weights.find(LITE0)
    with pytest.raises(UserError, match="checksum is not the known one.*nothing of it was used"):
        weights.network(source)


def test_a_network_that_does_not_know_a_palace_is_refused(embedded, monkeypatch):
    monkeypatch.setattr(weights, "PALACE", 1)
    with pytest.raises(UserError, match="takes a palace for ImageNet’s class 698"):
        weights.network(weights.find(LITE0)[0])


class Hostile:
    def __reduce__(self):
        return open, ("/tmp/weights-ran-something", "w")


def spoil(kind: str, folder: Path) -> None:
    """A file for test_resnet in `folder` that is not its weights."""
    import timm
    from safetensors.torch import save_file

    good = timm.create_model("test_resnet").state_dict()
    if kind == "cut short":
        save_file(good, folder / "test_resnet.safetensors")
        content = (folder / "test_resnet.safetensors").read_bytes()
        (folder / "test_resnet.safetensors").write_bytes(content[: len(content) // 2])
    elif kind == "another network":
        save_file(timm.create_model("test_vit").state_dict(), folder / "test_resnet.safetensors")
    elif kind == "a wrong shape":
        save_file({**good, "conv1.conv1.weight" if "conv1.conv1.weight" in good else next(iter(good)): torch.zeros(7)},
                  folder / "test_resnet.safetensors")  # fmt: skip
    elif kind == "not finite":
        name = next(iter(good))
        save_file({**good, name: torch.full_like(good[name], float("nan"))}, folder / "test_resnet.safetensors")
    elif kind == "a pickle that runs something":
        (folder / "test_resnet.pth").write_bytes(pickle.dumps({"weight": Hostile()}))
    elif kind == "no weights":
        torch.save({"epoch": 3}, folder / "test_resnet.pth")
    elif kind == "a web page":
        (folder / "test_resnet.bin").write_text("<!doctype html><title>Sign in</title>")
    elif kind == "empty":
        (folder / "test_resnet.pth").touch()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("cut short", "cut short"),
        ("another network", "do not fit"),
        ("a wrong shape", "do not fit"),
        ("not finite", "not finite"),
        ("a pickle that runs something", "not a file of weights"),
        ("no weights", "holds no weights"),
        ("a web page", "not a file of weights"),
        ("empty", "not a file of weights"),
    ],
)
def test_what_is_not_the_networks_is_refused_in_one_line(kind, said, tmp_path, no_hub):
    spoil(kind, tmp_path)
    source, _ = weights.find("test_resnet", tmp_path)
    with pytest.raises(UserError, match=said) as refused:
        weights.network(source)
    assert "\n" not in str(refused.value) and not Path("/tmp/weights-ran-something").exists()


def test_a_folder_gives_what_the_hub_would(tmp_path, no_hub):
    import timm
    from safetensors.torch import save_file

    model = timm.create_model("test_resnet")
    (tmp_path / SMALL).mkdir()
    save_file(model.state_dict(), tmp_path / SMALL / "model.safetensors")
    source, _ = weights.find("test_resnet", tmp_path)
    assert source.kind == "folder" and source.arch in [found.arch for found in weights.at_hand(tmp_path)]
    assert torch.equal(next(weights.network(source).parameters()), next(model.parameters()))
    with pytest.raises(UserError, match="no such folder of weights"):
        weights.find("test_resnet", tmp_path / "nowhere")


def test_auto_takes_the_best_embedded_network_and_says_so(embedded, no_hub):
    choice = weights.choose("resnet18", 224)
    assert choice.arch == LITE0 and "resnet18: the weights' hub cannot be reached" in choice.reason
    assert weights.choose("resnet18", 260).arch == "tf_efficientnet_lite2"
    assert weights.choose(LITE0, 224).reason == "" and weights.choose("resnet18", 224, "no").source is None
    with pytest.raises(UserError, match="--pretrained auto"):
        weights.choose("resnet18", 224, "yes")


def test_without_the_packages_it_is_from_scratch(no_hub, monkeypatch):
    monkeypatch.setattr(weights, "_in_package", lambda embedded: None)
    choice = weights.choose("resnet18", 224)
    assert choice.source is None and choice.arch == "resnet18" and choice.reason


@pytest.mark.parametrize("name", ["resnet99", "resnet18.no_such_tag", "", "../../etc/passwd"])
def test_an_unknown_name_is_one_line(name):
    with pytest.raises(UserError, match="no weights called"):
        weights.named(name)


# --- the hub ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A hub on loopback that has SMALL. `behave` changes how it answers; `asked` counts downloads."""
    import timm
    from huggingface_hub import constants
    from safetensors.torch import save

    content = save(timm.create_model("test_resnet").state_dict())
    state = SimpleNamespace(how="well", asked=0, content=content, digest=hashlib.sha256(content).hexdigest())

    class Hub(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_HEAD(self):
            self.answer(False)

        def do_GET(self):
            state.asked += 1
            self.answer(True)

        def answer(self, body: bool):
            if state.how == "html":
                page = b"<html>Please sign in</html>"
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                if body:
                    self.wfile.write(page)
                return
            if self.path != "/" and not self.path.endswith("model.safetensors"):
                self.send_error(404)
                return
            sent = bytearray(state.content)
            if state.how == "another file":
                sent[len(sent) // 2] ^= 1
            start = int((self.headers.get("Range") or "bytes=0-").partition("=")[2].partition("-")[0])
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(sent) - 1}/{len(sent)}")
            self.send_header("Content-Length", str(len(sent) - start))
            self.send_header("ETag", f'"{state.digest}"')
            self.send_header("X-Linked-Etag", f'"{state.digest}"')
            self.send_header("X-Linked-Size", str(len(sent)))
            self.send_header("X-Repo-Commit", "a" * 40)
            self.end_headers()
            if not body:
                return
            if state.how == "half-way":
                self.wfile.write(sent[start : start + (len(sent) - start) // 2])
            elif state.how == "drips":
                for at in range(start, len(sent), 50_000):
                    self.wfile.write(sent[at : at + 50_000])
                    time.sleep(0.05)
            else:
                self.wfile.write(sent[start:])

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "answers", lambda: True)
    monkeypatch.setattr(time, "sleep", lambda seconds, sleep=time.sleep: sleep(min(seconds, 0.05)))  # between retries
    yield state
    server.shutdown()


def test_a_download_says_its_size_and_is_kept(served, capsys):
    source, _ = weights.find(SMALL)
    assert source.kind == "hub" and source.file is None and not served.asked  # nothing is downloaded by looking
    model = weights.network(source, 2)
    assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 2)
    assert f"{len(served.content) / 1e6:.1f} MB to download" in capsys.readouterr().err
    asked = served.asked
    again, _ = weights.find(SMALL)
    weights.network(again)
    assert again.kind == "cache" and again.sha256 == served.digest and served.asked == asked


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("html", "does not give them"),
        ("half-way", "broke off"),
        ("another file", "not what the hub announced"),
        ("drips", "kB a second"),
    ],
)
def test_a_hub_that_answers_badly_is_one_line(served, monkeypatch, how, said):
    monkeypatch.setattr(hub, "PATIENCE", 0.2)
    monkeypatch.setattr(hub, "SLOWEST", 10**9)
    source, _ = weights.find(SMALL)
    served.how = how
    with pytest.raises(UserError, match=said) as refused:
        weights.network(source)
    assert "\n" not in str(refused.value)
    served.how = "well"  # and the next time it works
    monkeypatch.setattr(hub, "PATIENCE", 60)
    assert weights.network(weights.find(SMALL)[0]) is not None


def test_a_disk_too_small_is_said_before_the_download(served, monkeypatch):
    monkeypatch.setattr(hub.shutil, "disk_usage", lambda path: SimpleNamespace(free=10**6))
    with pytest.raises(UserError, match="the disk has 1 MB free"):
        weights.network(weights.find(SMALL)[0])
    assert not served.asked


def test_weights_that_were_spoiled_in_the_cache_are_found(served):
    weights.network(weights.find(SMALL)[0])
    source, _ = weights.find(SMALL)
    content = bytearray(source.file.read_bytes())
    content[-1] ^= 1
    source.file.resolve().write_bytes(content)
    with pytest.raises(UserError, match="checksum is not the known one"):
        weights.network(dataclasses.replace(weights.find(SMALL)[0]))
