"""GPU readings, with a stand-in for NVML: there is no GPU where the tests run."""

from __future__ import annotations

import math
import sys
import types

import pytest

from scripts.bench import nvml


@pytest.fixture
def chip(monkeypatch):
    """A stand-in for pynvml; its `values` are what the functions return (an exception is raised)."""
    torch = pytest.importorskip("torch")

    class NVMLError(Exception):
        pass

    module = types.ModuleType("pynvml")
    module.NVMLError = NVMLError
    module.values = {
        "nvmlDeviceGetTotalEnergyConsumption": [1000, 6000],
        "nvmlDeviceGetClockInfo": [1980, 1500, 1900],
        "nvmlDeviceGetCurrentClocksEventReasons": [0x4, 0x40, 0x0],
    }

    def function(name):
        def read(*_):
            value = module.values[name].pop(0)
            if isinstance(value, Exception):
                raise value
            return value

        return read

    for name in module.values:
        setattr(module, name, function(name))
    module.nvmlInit = lambda: None
    module.nvmlDeviceGetHandleByUUID = lambda uuid: uuid
    monkeypatch.setitem(sys.modules, "pynvml", module)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: types.SimpleNamespace(uuid="1234"))
    return module


def test_clocks_energy_and_slowing(chip):
    meter = nvml.meter("cuda:0")
    assert meter.handle == "GPU-1234"
    slowed = []
    for _ in range(3):
        meter.sample()
        slowed.append(meter.slowed())
    found = meter.stop(steps=10)
    assert slowed == [False, True, False]  # a power cap is normal, heat is not
    assert found["sm_clock_mhz"] == 1900 and found["sm_clock_min_mhz"] == 1500
    assert found["energy_j_per_step"] == pytest.approx(0.5)
    assert found["slowed"] == pytest.approx(1 / 3) and found["power_capped"] == pytest.approx(1 / 3)


def test_an_older_package_knows_the_reasons_by_another_name(chip):
    chip.nvmlDeviceGetCurrentClocksThrottleReasons = lambda handle: 0x8
    del chip.nvmlDeviceGetCurrentClocksEventReasons
    meter = nvml.meter("cuda")
    meter.sample()
    assert meter.slowed()


def test_a_chip_that_does_not_say_leaves_blanks(chip):
    chip.values = {name: [chip.NVMLError("not supported")] * 9 for name in chip.values}
    meter = nvml.meter("cuda")
    meter.sample()
    assert not meter.slowed()
    found = meter.stop(steps=10)
    assert math.isnan(found["energy_j_per_step"]) and math.isnan(found["sm_clock_mhz"])


def test_no_meter_without_gpu_or_package(monkeypatch):
    assert nvml.meter("cpu") is None
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert nvml.meter("cuda") is None
