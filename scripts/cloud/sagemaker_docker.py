"""SageMaker's training image in Docker on this machine: the SDK's local container mode. Needs `make cloud`, Docker,
and leave to pull the image.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from scripts.cloud import fast_local, files as cloud_files, jobs, sample


def run(options, hyperparameters: dict[str, str], took) -> int:
    """Train in the container and hand what it made to `took(results, models, options)`. Returns the exit code."""
    from sagemaker.core.training.configs import Compute, InputData, SourceCode
    from sagemaker.train import ModelTrainer
    from sagemaker.train.model_trainer import Mode

    instance = "local_gpu" if list(Path("/dev").glob("nvidia[0-9]*")) else "local_cpu"
    machine = jobs.Machine(instance, region=options.region, pytorch=options.pytorch)
    session = jobs.session(machine)
    with tempfile.TemporaryDirectory() as folder, jobs.spoken(machine):
        home = Path(folder)
        data = Path(options.data).expanduser() if options.data else sample.write(home)
        cloud_files.data_files(data, options.max_gb)
        source = home / "source" / "source.tar.gz"
        cloud_files.pack("train", source)
        like = "ml.g5.xlarge" if machine.instance == "local_gpu" else "ml.m5.xlarge"
        image = jobs.image(jobs.Machine(like, pytorch=options.pytorch), session.boto_session.region_name)
        ModelTrainer(
            training_mode=Mode.LOCAL_CONTAINER,
            sagemaker_session=session,
            training_image=image,
            base_job_name=jobs.PREFIX,
            source_code=SourceCode(
                source_dir=str(source), entry_script=fast_local.ENTRY, requirements=cloud_files.REQUIREMENTS
            ),
            compute=Compute(instance_type=machine.instance, instance_count=1),
            local_container_root=str(home),
            environment={fast_local.DATASET: data.resolve().name, "BEST_IMAGE_MODELS_CACHE": "/tmp/best-image-models"},
            hyperparameters=hyperparameters,
        ).train(input_data_config=[InputData(channel_name="training", data_source=str(data))], wait=True)
        for archive in home.rglob("*.tar.gz"):
            if archive.name in ("output.tar.gz", "model.tar.gz"):
                for name in cloud_files.unpack(archive, home / archive.name.removesuffix(".tar.gz")):
                    print(f"left out of what came back: {name}", file=sys.stderr)
        took(home / "output", home / "model", options)
    return 0
