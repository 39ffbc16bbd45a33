import json
import math
import os
import subprocess
import sys

import pytest

from scripts.common import hardware, processor

ARM = "processor\t: {}\nFeatures\t: fp asimd\nCPU implementer\t: {}\nCPU architecture: 8\nCPU part\t: {}\n\n"


def says(monkeypatch, files: dict[str, str]) -> None:
    monkeypatch.setattr(processor, "_read", lambda path: files.get(str(path), ""))
    monkeypatch.setattr(processor.platform, "processor", lambda: "aarch64")
    monkeypatch.setattr(processor.sys, "platform", "linux")


@pytest.mark.parametrize(
    "cores, name",
    [
        ([("0x41", "0xd08")] * 4, "ARM Cortex-A72"),
        ([("0x41", "0xd40")] * 2, "ARM Neoverse-V1"),
        ([("0x41", "0xd0c")], "ARM Neoverse-N1"),
        ([("0x61", "0x022"), ("0x61", "0x023")], "Apple M1"),
        ([("0x61", "0x099")], "Apple part 0x099"),
        ([("0xc0", "0xac3")], "Ampere Ampere-1"),
        ([("0x41", "0xd05")] * 4 + [("0x41", "0xd0b")] * 4, "ARM Cortex-A55 and ARM Cortex-A76"),
        ([("0x77", "0x1")], "ARM implementer 0x77 part 0x1"),
    ],
)
def test_arm_by_implementer_and_part(monkeypatch, cores, name):
    text = "".join(ARM.format(number, *pair) for number, pair in enumerate(cores))
    says(monkeypatch, {"/proc/cpuinfo": text})
    assert processor.model() == name


def test_a_board_is_called_as_its_device_tree_says(monkeypatch):
    says(monkeypatch, {"/proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
                       "/proc/cpuinfo": ARM.format(0, "0x41", "0xd08")})  # fmt: skip
    assert processor.model() == "Raspberry Pi 4 Model B"
    says(monkeypatch, {"/proc/cpuinfo": ARM.format(0, "0x41", "0xd08") + "Model\t\t: Raspberry Pi 400 Rev 1.0\n"})
    assert processor.model() == "Raspberry Pi 400"


def test_a_processor_that_says_nothing_keeps_its_kind(monkeypatch):
    says(monkeypatch, {})
    assert processor.model() == "aarch64"


V1 = "5:memory:/x\n2:cpu,cpuacct:/docker/1\n"


@pytest.mark.parametrize(
    "files, expected",
    [
        ({}, math.inf),
        ({"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "max 100000\n"}, math.inf),
        ({"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "50000 100000\n"}, 0.5),
        ({"/sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
        (
            {"/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/cpu.max": "100000 100000\n",
             "/sys/fs/cgroup/a/b/cpu.max": "300000 100000\n"},
            1.0,
        ),
        ({"/proc/self/cgroup": "0::/../other\n", "/sys/fs/cgroup/cpu.max": "rubbish\n"}, math.inf),
        (
            {"/proc/self/cgroup": V1, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000\n",
             "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"},
            2.0,
        ),
        (
            {"/proc/self/cgroup": V1, "/sys/fs/cgroup/cpu/docker/1/cpu.cfs_quota_us": "-1\n",
             "/sys/fs/cgroup/cpu/docker/1/cpu.cfs_period_us": "100000\n"},
            math.inf,
        ),
    ],
)  # fmt: skip
def test_a_containers_quota(monkeypatch, files, expected):
    says(monkeypatch, files)
    assert processor.quota() == expected


def test_what_is_measured_says_the_quota(monkeypatch):
    monkeypatch.setattr(processor, "allowed", lambda: 8)
    monkeypatch.setattr(processor, "quota", lambda: 1.5)
    assert processor.cores() == 2 and processor.share() == 1.5
    monkeypatch.setattr(hardware, "cpu_model", lambda: "12th Gen Intel(R) Core(TM) i7-12700H")
    found = hardware.describe("cpu")
    assert (found["slug"], found["cores"], found["cpu_quota"]) == ("i7_12700h_1_5c", 2, 1.5)
    assert found["name"] == "Core i7-12700H, 1.5 cores of a container"
    monkeypatch.setattr(processor, "quota", lambda: 16.0)
    assert hardware.describe("cpu")["slug"] == "i7_12700h" and "cpu_quota" not in hardware.describe("cpu")


@pytest.mark.parametrize("told, expected", [({}, "1"), ({"OMP_NUM_THREADS": "3"}, "3")])
def test_the_quota_decides_the_threads_unless_the_user_does(monkeypatch, told, expected):
    monkeypatch.setattr(processor, "allowed", lambda: 8)
    monkeypatch.setattr(processor, "quota", lambda: 0.5)
    monkeypatch.setattr(processor.os, "environ", dict(told))
    processor.limit_threads()
    assert processor.os.environ["OMP_NUM_THREADS"] == expected


def test_without_a_quota_threads_are_the_librarys_choice():
    code = "import os, json, scripts; print(json.dumps(os.environ.get('OMP_NUM_THREADS')))"
    clean = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", env=clean, check=True)
    assert (json.loads(said.stdout) is None) == (processor.share() == 0)
