"""SageMaker's container contract, as a training script meets it: where its data lie, where its results go, how it says
that it failed.

`found` reads it inside a container (or inside the copy that `scripts.cloud.fast_local` makes); outside one it finds
nothing, and a command runs as always. What a run must not lose when a spot machine is taken away lies in the checkpoint
folder, which SageMaker keeps on S3 and puts back; at the end it is copied to where the contract wants it.

Sources: github.com/aws/sagemaker-training-toolkit/blob/master/ENVIRONMENT_VARIABLES.md; the SDK's
train/container_drivers/scripts/environment.py.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.common.hardware import short_name

OURS = ("code", "sm_drivers")  # channels that carry the program, not data
DATASET = "BEST_IMAGE_MODELS_DATASET"  # what to call the dataset, whose folder is called after its channel
FAILURE_CHARACTERS = 1024  # SageMaker keeps so much of the failure file


@dataclass(frozen=True)
class Contract:
    """data: the channel's folder, or None; model, output: what is handed back; checkpoints: kept through
    interruptions, or None.
    """

    data: Path | None
    model: Path
    output: Path
    failure: Path
    checkpoints: Path | None
    dataset: str

    @property
    def results(self) -> Path:
        """Where the CSVs are written meanwhile."""
        return self.checkpoints / "results" if self.checkpoints else self.output

    @property
    def models(self) -> Path:
        """Where trained models are written meanwhile."""
        return self.checkpoints / "models" if self.checkpoints else self.model

    def hand_over(self) -> None:
        """Copy what lies in the checkpoint folder to where the contract wants it."""
        for source, target in ((self.results, self.output), (self.models, self.model)):
            if source != target and source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)

    def fail(self, reason: str) -> None:
        """Write the failure file, from which SageMaker takes the job's FailureReason."""
        self.failure.parent.mkdir(parents=True, exist_ok=True)
        self.failure.write_text(reason[:FAILURE_CHARACTERS] + "\n", encoding="utf-8")


def found(environment: Mapping[str, str] = os.environ) -> Contract | None:
    """The contract of the container this process runs in; None outside one."""
    if "SM_MODEL_DIR" not in environment:
        return None
    model = Path(environment["SM_MODEL_DIR"])
    channels = {
        key.removeprefix("SM_CHANNEL_").lower(): Path(value)
        for key, value in environment.items()
        if key.startswith("SM_CHANNEL_")
    }
    data = [
        channels[name] for name in ("training", "train", *sorted(channels)) if name in channels and name not in OURS
    ]
    checkpoints = model.parent / "checkpoints"
    return Contract(
        data[0] if data else None,
        model,
        Path(environment.get("SM_OUTPUT_DATA_DIR", model.parent / "output" / "data")),
        Path(environment.get("SM_OUTPUT_FAILURE", model.parent / "output" / "failure")),
        checkpoints if checkpoints.is_dir() else None,
        short_name(environment.get(DATASET, "")),
    )


def boolean(text: str) -> bool:
    """A switch's value: hyperparameters have one always (`--compile true`). Raises argparse's error for anything
    but true and false.
    """
    if text.lower() not in ("true", "false", "1", "0"):
        raise argparse.ArgumentTypeError(f"{text!r}: true or false")
    return text.lower() in ("true", "1")
