import re
import sys
from types import SimpleNamespace

import pytest

from scripts.common import hardware, provenance
from scripts.common.errors import UserError


@pytest.mark.parametrize(
    "name, expected",
    [
        ("infer-amp-nhwc-pt111-cu113-rtx3090", ("infer", "amp", "nhwc", "1.11", "cu113", "rtx3090", False)),
        ("infer-amp-nchw-pt291-cu128-4090-dynamo", ("infer", "amp", "nchw", "2.9.1", "cu128", "rtx4090", True)),
        (
            "infer-amp_bf16-nchw-pt291-cu130-pro6000maxq-dynamo",
            ("infer", "amp_bf16", "nchw", "2.9.1", "cu130", "pro6000maxq", True),
        ),
        ("train-fp32-nchw-pt2150-cpu-amd_epyc_2c", ("train", "fp32", "nchw", "2.15.0", "cpu", "amd_epyc_2c", False)),
    ],
)
def test_file_names_are_read(name, expected):
    assert tuple(hardware.parse_benchmark_name(f"benchmark-{name}.csv").values()) == expected


def test_a_written_name_reads_back():
    name = hardware.benchmark_name("infer", "bf16", "nhwc", "2.15.0+cu130", "cu130", "h200", True)
    found = hardware.parse_benchmark_name(name)
    assert tuple(found.values()) == ("infer", "bf16", "nhwc", "2.15.0", "cu130", "h200", True)
    assert list(found) == ["part", "precision", "layout", "torch", "cuda", "hardware", "compiled"]


@pytest.mark.parametrize(
    "torch, base",
    [
        ("2.12.0.dev20260101+cu130", "2.12.0"),
        ("2.11.0a0+b4e4ee81d3.nv26.1", "2.11.0"),
        ("2.15.0rc1", "2.15.0"),
        ("2.16", "2.16.0"),
    ],
)
def test_a_pre_release_is_filed_as_its_release(torch, base):
    name = hardware.benchmark_name("infer", "amp", "nhwc", torch, "cu130", "h200", False)
    assert hardware.parse_benchmark_name(name)["torch"] == base


@pytest.mark.parametrize(
    "name",
    [
        "results-imagenet.csv",
        "benchmark-infer.csv",
        "benchmark-infer-amp-nhwc-ptx-cu1-a.csv",
        "benchmark-infer-amp-nhwc-pt291-cu130-<script>.csv",
    ],
)
def test_other_names_are_refused(name):
    with pytest.raises(UserError, match="not a benchmark file's name"):
        hardware.parse_benchmark_name(name)


@pytest.mark.parametrize(
    "reported, slug",
    [
        ("NVIDIA GeForce RTX 3090", "rtx3090"),
        ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", "pro6000maxq"),
        ("NVIDIA H200", "h200"),
        ("12th Gen Intel(R) Core(TM) i7-12700H", "i7_12700h"),
    ],
)
def test_known_hardware_is_named(reported, slug):
    assert hardware.lookup(reported).slug == slug


@pytest.mark.parametrize(
    "reported",
    [
        "NVIDIA GeForce RTX 4090 Laptop GPU",
        "NVIDIA GeForce RTX 5090 Laptop GPU",
        "NVIDIA GeForce RTX 3090 Ti",
        "GeForce RTX 3090Ti",
        "NVIDIA GeForce RTX 5090 D",
        "NVIDIA GeForce RTX 5090 D v2",
        "NVIDIA GeForce RTX 4090 D",
        "NVIDIA H200 NVL",
        "NVIDIA H100 PCIe",
        "NVIDIA L40",
        "NVIDIA A10",
        "GRID T4-16Q",
        "Core i7-12700HX",
        "AMD EPYC",
        "",
    ],
)
def test_its_neighbours_are_not_guessed_and_keep_their_names_in_files(reported):
    slug = hardware.slugify(reported)
    assert hardware.lookup(reported) is None and hardware.named(slug).slug == slug and hardware.named(slug).year == 0


@pytest.mark.parametrize("known", [known for _, known in hardware.KNOWN], ids=lambda known: known.slug)
def test_a_known_slug_reads_back_from_a_file_name(known):
    name = hardware.benchmark_name(
        "infer", "amp", "nchw", "2.9.1", "cu130" if known.kind == "gpu" else "cpu", known.slug, False
    )
    assert hardware.named(hardware.parse_benchmark_name(name)["hardware"]) == known


def test_an_unknown_machine_gets_an_honest_slug(monkeypatch):
    monkeypatch.setattr(hardware, "cpu_model", lambda: "Kraken <9000>/../x")
    found = hardware.describe("cpu")
    assert re.fullmatch(r"kraken_9000_x_\d+c", found["slug"]) and found["year"] == 0


def test_a_gpu_that_is_not_there_is_one_line(monkeypatch):
    monkeypatch.setattr(hardware, "_output", lambda *command: "")
    with pytest.raises(UserError, match="cuda:7: no such GPU"):
        hardware.describe("cuda:7")


def nvidia_smi(monkeypatch, cards: dict[str, str]):
    """A driver that counts `cards` (uuid -> name) by their slot."""

    def answer(*command):
        at = next((part.removeprefix("--id=") for part in command if part.startswith("--id=")), None)
        every = list(cards.values())
        known = {**cards, **{str(slot): name for slot, name in enumerate(every)}}
        chosen = every if at is None else [known[at]] if at in known else []
        return "\n".join(f"{name}, 580.1, 24564 MiB, 3105 MHz, 10501 MHz, 450.00 W" for name in chosen)

    monkeypatch.setattr(hardware, "_output", answer)


def test_a_card_is_asked_by_its_uuid_since_torch_counts_otherwise(monkeypatch):
    nvidia_smi(monkeypatch, {"GPU-aa": "NVIDIA GeForce RTX 3090", "GPU-bb": "NVIDIA GeForce RTX 5090"})
    assert hardware.describe("cuda:0", "bb")["slug"] == hardware.describe("cuda:1")["slug"] == "rtx5090"
    assert provenance.sidecar("cuda", uuid="bb")["hardware"]["slug"] == "rtx5090"
    with pytest.raises(UserError, match="no such GPU"):  # rather than another one's name
        hardware.describe("cuda:0", "cc")
    nvidia_smi(monkeypatch, {"GPU-aa": "NVIDIA H200"})
    assert hardware.describe("cuda", "a-part-of-it")["slug"] == "h200"


def test_where_torch_computes_it_says_which_card(monkeypatch):
    cuda = SimpleNamespace(is_initialized=lambda: True, get_device_properties=lambda device: SimpleNamespace(uuid="bb"))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    nvidia_smi(monkeypatch, {"GPU-aa": "NVIDIA GeForce RTX 3090", "GPU-bb": "NVIDIA GeForce RTX 5090"})
    assert hardware.describe("cuda:0")["slug"] == "rtx5090"
    cuda.is_initialized = lambda: False
    assert hardware.describe("cuda:0")["slug"] == "rtx3090"


def test_another_machine_can_stand_in_for_this_one(monkeypatch):
    monkeypatch.setattr(hardware, "_detected", lambda: ("rtx5090", "some_cpu"))
    with hardware.standing_in(["h200"]):
        assert hardware.present() == ("h200",)
        with hardware.standing_in([]):  # nobody named
            assert hardware.present() == ("rtx5090", "some_cpu")
        assert hardware.present() == ("h200",)
    with pytest.raises(RuntimeError), hardware.standing_in(["h200"]):
        raise RuntimeError
    assert hardware.present() == ("rtx5090", "some_cpu")
