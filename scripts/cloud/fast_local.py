"""A SageMaker training container without Docker: its folders, files and variables, made in a temporary folder, and the
entry point in a process.

    /opt/ml/input/config    hyperparameters.json, inputdataconfig.json, resourceconfig.json
           /input/data/*    a folder per channel (a link: nothing is copied)
           /model           what becomes model.tar.gz
           /output/data     what becomes output.tar.gz
           /output/failure  why it failed
           /checkpoints     what is kept when a spot machine is taken away

What passes here passes the same arguments, variables and folders to the same script as on a rented machine. It differs
in the packages, and in that /opt/ml lies elsewhere. Sources: as of scripts/cloud/contract.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from scripts.cloud.contract import DATASET
from scripts.common import hardware
from scripts.common.paths import ROOT, make_folder

ENTRY = "scripts/train/train_models.py"
INSTANCE = "local"
HOST = "algo-1"


def tree(
    home: Path, channels: dict[str, Path], hyperparameters: dict[str, str], checkpoints: Path | None = None
) -> Path:
    """Make /opt/ml under `home`, with a link for each channel, and for the checkpoints where they are to outlive
    it. Returns it.
    """
    ml = home / "opt" / "ml"
    for folder in ("input/config", "input/data", "model", "output/data", *(() if checkpoints else ("checkpoints",))):
        (ml / folder).mkdir(parents=True, exist_ok=True)
    if checkpoints:
        make_folder(checkpoints)
        (ml / "checkpoints").symlink_to(checkpoints.resolve(), target_is_directory=True)
    for name, folder in channels.items():
        (ml / "input" / "data" / name).symlink_to(Path(folder).resolve(), target_is_directory=True)
    for name, content in (
        ("hyperparameters", hyperparameters),
        ("inputdataconfig", inputs(channels)),
        ("resourceconfig", resources()),
    ):
        (ml / "input" / "config" / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return ml


def inputs(channels: dict[str, Path]) -> dict:
    return {
        name: {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
        for name in channels
    }


def resources() -> dict:
    return {
        "current_host": HOST,
        "current_instance_type": INSTANCE,
        "current_group_name": "homogeneousCluster",
        "hosts": [HOST],
        "instance_groups": [{"instance_group_name": "homogeneousCluster", "instance_type": INSTANCE, "hosts": [HOST]}],
        "network_interface_name": "lo",
    }


def variables(
    ml: Path, channels: dict[str, Path], hyperparameters: dict[str, str], job: str, gpus: int
) -> dict[str, str]:
    """The SM_… variables that the SDK's container drivers set, and TRAINING_JOB_NAME, which SageMaker sets."""
    values = {name: plain(value) for name, value in hyperparameters.items()}
    folders = {name: str(ml / "input" / "data" / name) for name in channels}
    both = {  # as variables of their own, and together in SM_TRAINING_ENV
        "model_dir": str(ml / "model"),
        "input_dir": str(ml / "input"),
        "input_data_dir": str(ml / "input" / "data"),
        "input_config_dir": str(ml / "input" / "config"),
        "output_data_dir": str(ml / "output" / "data"),
        "log_level": 20,
        "master_addr": HOST,
        "master_port": 7777,
        "current_host": HOST,
        "current_instance_type": INSTANCE,
        "hosts": [HOST],
        "network_interface_name": "lo",
        "num_cpus": hardware.cores(),
        "num_gpus": gpus,
        "num_neurons": 0,
        "resource_config": resources(),
        "input_data_config": inputs(channels),
    }
    found = {
        **{f"SM_{name.upper()}": value for name, value in both.items()},
        **{f"SM_CHANNEL_{name.upper()}": folder for name, folder in folders.items()},
        **{f"SM_HP_{name.replace('-', '_').upper()}": value for name, value in values.items()},
        "SM_OUTPUT_DIR": str(ml / "output"),
        "SM_OUTPUT_FAILURE": str(ml / "output" / "failure"),
        "SM_SOURCE_DIR": str(ROOT),
        "SM_ENTRY_SCRIPT": ENTRY,
        "SM_CHANNELS": list(channels),
        "SM_HPS": values,
        "SM_HOST_COUNT": 1,
        "SM_CURRENT_HOST_RANK": 0,
        "SM_TRAINING_ENV": {**both, "channel_input_dirs": folders, "hyperparameters": values, "job_name": job},
        "TRAINING_JOB_NAME": job,
    }
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in found.items()}


def plain(text: str):
    """A hyperparameter as the drivers read it: JSON where it is some, else text."""
    with contextlib.suppress(ValueError):
        return json.loads(text)
    return text


def command(hyperparameters: dict[str, str], processes: int) -> list[str]:
    """What the container's drivers would start: the entry point by its path, every hyperparameter as `--key value`;
    torchrun for several processes.
    """
    given = [part for name, value in hyperparameters.items() for part in (f"--{name}", value)]
    several = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    return [sys.executable, *(several if processes > 1 else []), str(ROOT / ENTRY), *given]


def run(
    home: Path, data: Path, hyperparameters: dict[str, str], processes: int, checkpoints: Path | None = None
) -> tuple[int, Path]:
    """Train in a container's surroundings under `home`. Returns (exit code, /opt/ml). Output goes to this process's
    own.

    checkpoints: a folder that outlives an interruption, as S3 does for a rented machine; removed when the training is
    done.
    """
    channels = {"training": data}
    ml = tree(home, channels, hyperparameters, checkpoints)
    # The machine's GPUs, asked from the driver only where there is a device file: starting nvidia-smi costs a tenth of
    # a second.
    gpus = len(list(Path("/dev").glob("nvidia[0-9]*")))
    job = f"fast-local-{time.strftime('%Y-%m-%d-%H-%M-%S')}"
    environment = {**os.environ, **variables(ml, channels, hyperparameters, job, gpus)}
    environment.pop(DATASET, None)  # the channel is a link here, and the photos' own folder gives the name
    code = subprocess.run(command(hyperparameters, processes), env=environment, cwd=ROOT).returncode
    if checkpoints and not code:
        shutil.rmtree(checkpoints, ignore_errors=True)
    return code, ml
