"""Accelerators that are not here: each kind's own words and functions, against stand-ins and PyTorch's own modules."""

from types import SimpleNamespace

import pytest

from scripts.common import device, hardware, processor
from scripts.common.errors import UserError

INTEL = SimpleNamespace(name="Intel(R) Arc(TM) B580 Graphics", total_memory=12 << 30, driver_version="1.6.33578")
RADEON = SimpleNamespace(name="AMD Radeon RX 7900 XTX", total_memory=24 << 30, L2_cache_size=6 << 20)


@pytest.fixture
def here(monkeypatch):
    """here(kind, count, **functions): torch finds this accelerator, whose module has these functions."""

    def put(kind, count=1, **functions):
        monkeypatch.setattr(device, "found", lambda: (kind, count))
        monkeypatch.setattr(device, "module", lambda device: SimpleNamespace(**functions))

    return put


@pytest.mark.parametrize("kind", ["cuda", "mps", "xpu", "npu"])
def test_auto_is_the_accelerator_that_torch_finds(here, kind):
    here(kind, 2)
    assert device.check("auto") == device.check(kind) == kind and device.check(f"{kind}:1") == f"{kind}:1"
    assert device.check("cpu") == "cpu"
    for missing in (f"{kind}:2", "mps" if kind != "mps" else "xpu"):
        with pytest.raises(UserError, match="torch finds .* here; use --device cpu"):
            device.check(missing)


@pytest.mark.parametrize(
    "asked, hint", [("rocm:0", "calls it cuda"), ("CUDA", "calls it cuda"), ("Metal", "mps"), ("gpu", "calls it auto")]
)
def test_another_name_is_refused_with_pytorchs(here, asked, hint):
    here("", 0)
    with pytest.raises(UserError, match=f"not a device; .*{hint}"):
        device.check(asked)


@pytest.mark.parametrize("asked", ["", "cpu:0", "cuda:", "cuda:0,1", "cuda:-1", "xla", "tpu", "cuda:99999", "mps\n"])
def test_no_device_is_one_line(here, asked):
    here("", 0)
    with pytest.raises(UserError, match="--device") as refused:
        device.check(asked)
    assert asked == "mps\n" or "\n" not in str(refused.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, names",
    [
        ("cuda", "Event synchronize empty_cache set_device mem_get_info max_memory_allocated reset_peak_memory_stats"),
        ("mps", "Event synchronize empty_cache driver_allocated_memory recommended_max_memory"),
        ("xpu", "Event synchronize empty_cache set_device mem_get_info max_memory_allocated is_bf16_supported"),
    ],
)
def test_what_is_asked_of_an_accelerator_is_what_pytorch_has(kind, names):
    pytest.importorskip("torch")
    there = device.module(kind)
    assert not [name for name in names.split() if not hasattr(there, name)]
    assert device.amp_type(kind).is_floating_point and device.traits(kind).name


def test_memory_is_counted_as_each_has_it(here):
    counted = []
    here(
        "cuda",
        mem_get_info=lambda device: (7, 9),
        reset_peak_memory_stats=counted.append,
        max_memory_allocated=lambda device: 5,
        get_device_properties=lambda device: RADEON,
    )
    device.reset_peak("cuda:0")
    assert (device.free_bytes("cuda:0"), device.peak_bytes("cuda:0"), counted) == (7, 5, ["cuda:0"])
    assert device.cache_bytes("cuda") == 6 << 20
    here(
        "mps",
        recommended_max_memory=lambda: 10,
        driver_allocated_memory=lambda: 4,
        empty_cache=lambda: counted.append("emptied"),
    )
    device.reset_peak("mps")
    assert (device.free_bytes("mps"), device.peak_bytes("mps"), counted[-1]) == (6, 4, "emptied")
    assert device.cache_bytes("mps") == 0
    here("npu")
    assert device.peak_bytes("npu") != device.peak_bytes("npu")  # NaN


def test_training_uses_less_than_fp32_only_where_the_hardware_multiplies_it(here):
    for capability, expected in (((8, 0), "bf16"), ((7, 5), "fp16"), ((12, 0), "bf16")):
        here("cuda", get_device_capability=lambda device, found=capability: found)
        assert device.training_precision("cuda") == expected
    for supported, expected in ((True, "bf16"), (False, "fp32")):
        here("xpu", is_bf16_supported=lambda found=supported: found)
        assert device.training_precision("xpu:0") == expected
    assert device.training_precision("mps") == device.training_precision("npu") == "fp32"


def test_a_machine_is_called_what_its_accelerator_says(here, monkeypatch):
    pytest.importorskip("torch")
    here("xpu", get_device_properties=lambda device: INTEL)
    found = hardware.describe("xpu")
    assert (found["slug"], found["kind"]) == ("intel_r_arc_tm_b580_graphics", "gpu") or "b580" in found["slug"]
    assert found["gpu_memory"] == "12288 MiB" and found["driver"] == "1.6.33578"
    here("mps")
    monkeypatch.setattr(processor, "model", lambda: "Apple M2 Pro")
    assert hardware.describe("mps")["slug"] == "apple_m2_pro_gpu"
    monkeypatch.setattr(hardware, "_rocm", lambda: True)
    here("cuda", get_device_properties=lambda device: RADEON)
    assert hardware.describe("cuda")["slug"] == "amd_radeon_rx_7900_xtx"

    def gone(device):
        raise RuntimeError("Torch not compiled with XPU enabled")

    here("xpu", get_device_properties=gone)
    with pytest.raises(UserError, match="xpu:3: no such GPU"):
        hardware.describe("xpu:3")


@pytest.mark.parametrize("kind, said", [("mps", "mps"), ("xpu:1", "xpu"), ("cpu", "cpu")])
def test_a_tables_name_says_what_it_was_measured_on(kind, said):
    pytest.importorskip("torch")
    assert device.in_file_names(kind) == said
    name = hardware.benchmark_name("infer", "amp", "nhwc", "2.15.0", said, "apple_m2_gpu", False)
    assert hardware.parse_benchmark_name(name)["cuda"] == said


@pytest.mark.parametrize(
    "system, chip, tag, expected",
    [
        ("darwin", "arm64", "2.15.0", "mps"),
        ("darwin", "x86_64", "2.15.0", ""),
        ("linux", "x86_64", "2.15.0+xpu", "xpu"),
        ("linux", "x86_64", "2.15.0+rocm6.4", "xpu"),
        ("linux", "x86_64", "2.15.0+cu132", ""),
    ],
)
def test_which_accelerator_without_loading_torch(here, monkeypatch, system, chip, tag, expected):
    here("xpu")
    monkeypatch.setattr(device.processor, "output", lambda *command: "")
    monkeypatch.setattr(device.sys, "platform", system)
    monkeypatch.setattr(device.platform, "machine", lambda: chip)
    monkeypatch.setattr(device, "version", lambda name: tag)
    assert device.without_torch() == expected
