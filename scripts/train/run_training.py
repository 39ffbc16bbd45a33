"""Run scripts.train.train_models where there is more to compute with: here in a container's surroundings, in Docker, or
on a rented machine.

    # a made-up sample, here, as SageMaker would start it
    python -m scripts.train.run_training
    python -m scripts.train.run_training --data FOLDER --models resnet18 --epochs 10 --processes 4
    # what a rented machine would be asked, and what it can cost
    python -m scripts.train.run_training --execution_mode aws --data FOLDER --models resnet50 \\
        --instance_type ml.g5.xlarge --spot --dry_run --price 1.41
    # follow a job again and fetch what it made
    python -m scripts.train.run_training --execution_mode aws --attach JOB

  fast_local_mode  no Docker, no account: the entry point in a process (torchrun for several), with SageMaker's
                   folders and variables
  local            SageMaker's own image in Docker on this machine
  aws              a training job: uploads program and data, follows the log, fetches networks and tables

Tables go to report/data and networks to models/, as from a run here (those of the made-up sample to
build/training-sample). What is not an option of this command is handed to train_models: --models, --epochs, --lr …
`local` and `aws` need `make cloud`; `aws` an AWS account.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.cloud import fast_local, jobs as cloud_jobs, sample
from scripts.common import hardware
from scripts.common.errors import UserError, cli
from scripts.common.paths import BUILD, CACHE, DATA, ROOT
from scripts.train import take_in

SAMPLE = {"models": "lenet5", "epochs": "2", "size": "32"}  # for the made-up sample, where nothing else is said


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    options.add_argument("--execution_mode", choices=("fast_local_mode", "local", "aws"), default="fast_local_mode")
    options.add_argument("--data", default="", help="folder of photos, as for train_models; default: a made-up sample")
    options.add_argument(
        "--processes", type=int, default=0, help="fast_local_mode: how many (default: one per GPU, one without)"
    )
    options.add_argument("--out", type=Path, help="folder for the tables (default: report/data)")
    options.add_argument("--keep", type=Path, help="folder for the trained networks (default: models)")
    machine = options.add_argument_group("a rented machine")
    machine.add_argument("--instance_type", default="ml.g5.xlarge")
    machine.add_argument("--instance_count", type=int, default=1)
    machine.add_argument(
        "--spot",
        action="store_true",
        help="spare capacity, cheaper; may be interrupted, and resumes from its checkpoint",
    )
    machine.add_argument(
        "--max_run",
        type=int,
        default=4 * 3600,
        help="seconds of computing after which the job is stopped (default: 4 hours)",
    )
    machine.add_argument(
        "--max_wait",
        type=int,
        default=0,
        help="with --spot: seconds of computing and waiting together (default: half as long again)",
    )
    machine.add_argument(
        "--role",
        default="",
        help="ARN or name of the role the job runs as (default: SAGEMAKER_ROLE, the SDK's configuration, or yours)",
    )
    machine.add_argument("--region", default="", help="default: that of your AWS configuration")
    machine.add_argument("--bucket", default="", help="default: SageMaker's own of the account")
    machine.add_argument(
        "--pytorch", default="", help="version of SageMaker's image (default: the newest of its PyTorch images)"
    )
    machine.add_argument("--volume_gb", type=int, default=50, help="disk")
    machine.add_argument("--max_gb", type=float, default=20.0, help="largest folder to upload, in 10⁹ bytes")
    machine.add_argument(
        "--dry_run", action="store_true", help="print the request and what it can cost; nothing is sent"
    )
    machine.add_argument(
        "--price", type=float, help="US dollars an hour and machine, for the cost: look it up for your region"
    )
    machine.add_argument("--attach", default="", metavar="JOB", help="follow a job that was started earlier")
    machine.add_argument("--poll", type=float, default=10.0, help="seconds between two looks at the job")
    return options


def pairs(rest: list[str]) -> dict[str, str]:
    """`--key value` and `--key=value` as hyperparameters; a key alone is true. Raises UserError for anything else."""
    found, key = {}, ""
    for part in rest:
        if part.startswith("--"):
            key, _, value = part[2:].partition("=")
            found[key] = value or "true"
        elif key and found[key] == "true":
            found[key] = part
        else:
            raise UserError(f"{part}: no option and no option's value; give what is for train_models as --name value")
    return found


def check(hyperparameters: dict[str, str]) -> None:
    """Let train_models look at its options now and not on a machine that is paid for; where torch is not installed,
    it will look there.
    """
    if importlib.util.find_spec("torch"):
        from scripts.train import train_models

        train_models.arguments([part for name, value in hyperparameters.items() for part in (f"--{name}", value)])


def fast_local_mode(options: argparse.Namespace, hyperparameters: dict[str, str]) -> int:
    processes = options.processes or max(1, len(list(Path("/dev").glob("nvidia[0-9]*"))))
    if processes < 1:
        raise UserError(f"--processes {options.processes}: give 1 or more")
    with tempfile.TemporaryDirectory(prefix="sagemaker-") as folder:
        home = Path(folder)
        data = Path(options.data).expanduser() if options.data else sample.write(home)
        if not data.is_dir():
            raise UserError(
                f"{data}: no such folder; name one with a folder per class, or leave --data away for a small sample"
            )
        key = hashlib.sha256(
            json.dumps([str(data.resolve()) if options.data else sample.NAME, hyperparameters], sort_keys=True).encode()
        ).hexdigest()[:12]
        code, ml = fast_local.run(home, data, hyperparameters, processes, CACHE / "fast-local" / key)
        took(ml / "output" / "data", ml / "model", options)
        if code:
            failure = ml / "output" / "failure"
            said = failure.read_text(encoding="utf-8").strip() if failure.exists() else f"exit code {code}"
            print(
                f"error: the training failed: {said}; what it had finished is kept, the same command goes on from "
                "there",
                file=sys.stderr,
            )
            return 130 if code == 130 else 1
    return 0


def took(results: Path, models: Path, options: argparse.Namespace) -> None:
    """Put tables and networks where local ones go, and say so."""
    for name, paths in (
        ("tables", take_in.tables(results, options.out)),
        ("networks", take_in.networks(models, options.keep)),
    ):
        if paths:
            print(
                f"{name}: "
                f"{', '.join(str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path) for path in paths)}"
            )


def docker_mode(options: argparse.Namespace, hyperparameters: dict[str, str]) -> int:
    """SageMaker's image in Docker here, by the SDK's container mode. Raises UserError where Docker doesn't answer."""
    docker()
    from scripts.cloud import sagemaker_docker

    return sagemaker_docker.run(options, hyperparameters, took)


def docker() -> None:
    try:
        answer = subprocess.run(["docker", "info"], capture_output=True, encoding="utf-8", errors="replace", timeout=30)
        if answer.returncode == 0:
            return
    except (OSError, subprocess.SubprocessError):
        pass
    raise UserError(
        "--execution_mode local: Docker does not answer here; start it, or use --execution_mode fast_local_mode, "
        "which needs none"
    )


def aws(options: argparse.Namespace, hyperparameters: dict[str, str]) -> int:
    from scripts.cloud import files as cloud_files

    jobs = cloud_jobs
    machine = jobs.Machine(
        options.instance_type,
        options.instance_count,
        options.spot,
        options.max_run,
        options.max_wait,
        options.region,
        options.role,
        options.bucket,
        options.pytorch,
        options.volume_gb,
    )
    machine.check()
    if options.attach:
        return finish(jobs, jobs.session(machine), options.attach, options)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(options.data).expanduser() if options.data else sample.write(Path(folder))
        files = cloud_files.data_files(data, options.max_gb)
        source = Path(folder) / "source.tar.gz"
        cloud_files.pack("train", source)
        key = hashlib.sha256(
            json.dumps([hyperparameters, cloud_files.fingerprint(data, files)], sort_keys=True).encode()
        ).hexdigest()[:12]
        work = jobs.Work(
            "train",
            key,
            fast_local.ENTRY,
            hyperparameters=hyperparameters,
            environment={fast_local.DATASET: hardware.short_name(data.resolve().name)},
        )
        if options.dry_run:
            print(json.dumps(jobs.rehearse(work, machine, source, data=True), indent=2))
            print(estimate(machine, options.price, sum(size for _, size in files)))
            return 0
        session = jobs.session(machine)
        with jobs.spoken(machine):
            job = jobs.start(work, machine, session, source, jobs.send_data(session, data, files))
    print(f"started {job}; --attach {job} takes it up again", file=sys.stderr)
    return finish(jobs, session, job, options)


def estimate(machine, price: float | None, data_bytes: int) -> str:
    """The most that a job can cost, from a price that the user looked up."""
    hours = machine.max_run / 3600
    what = (
        f"{machine.count} × {machine.instance}, at most {hours:g} h{' on spot capacity' if machine.spot else ''}, "
        f"{data_bytes / 1e6:.3g} MB of data"
    )
    if price is None:
        return (
            f"cost: {what}; give --price (US dollars an hour and machine, from aws.amazon.com/sagemaker/pricing) for "
            "the sum"
        )
    return (
        f"cost: at most ${price * machine.count * hours:,.2f}: {what}, at ${price:g} an hour; storage and transfer "
        "come on top"
    )


def finish(jobs, session, job: str, options: argparse.Namespace) -> int:
    """Follow a job to its end, fetch what it left, and say what it cost. Returns the exit code."""
    try:
        with jobs.spoken():
            found = jobs.follow(session, job, options.poll)
    except KeyboardInterrupt:
        print(f"stopped following; the job goes on and costs: --attach {job} takes it up again", file=sys.stderr)
        return 130
    except UserError as error:
        raise UserError(
            f"{error}" if "--attach" in str(error) else f"{error}; the job may go on: --attach {job} takes it up again"
        ) from None
    with tempfile.TemporaryDirectory() as folder:
        with jobs.spoken():
            refused = jobs.fetch(session, found, Path(folder))
        for name in refused:
            print(f"left out of what came back: {name}", file=sys.stderr)
        took(Path(folder) / "results", Path(folder) / "models", options)
    if options.price is not None:
        print(f"cost: {jobs.cost(found, options.price)}")
    if found["TrainingJobStatus"] == "Completed":
        with jobs.spoken():
            jobs.forget_checkpoints(session, found)
        return 0
    lines = "".join(f"\n  {line}" for line in found["Tail"])
    print(f"the last lines of its log:{lines or ' none'}", file=sys.stderr)
    reason = " ".join(found.get("FailureReason", "").split()) or found["SecondaryStatus"]
    print(
        f"error: {job} {found['TrainingJobStatus'].lower()}: {reason}; the same command goes on from its checkpoint",
        file=sys.stderr,
    )
    return 1


@cli
def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    options, rest = parser().parse_known_args(argv)
    hyperparameters = pairs(rest)
    made_up = not options.data
    if made_up:
        hyperparameters = {**SAMPLE, **hyperparameters}
    options.out = options.out or (BUILD / "training-sample" if made_up and not options.attach else DATA)
    options.keep = options.keep or (BUILD / "training-sample" if made_up and not options.attach else ROOT / "models")
    if options.execution_mode == "fast_local_mode":
        return fast_local_mode(options, hyperparameters)
    if options.execution_mode == "local":
        docker()
    if not options.attach:
        check(hyperparameters)
    cloud_jobs.into_cloud("scripts.train.run_training", argv)
    return docker_mode(options, hyperparameters) if options.execution_mode == "local" else aws(options, hyperparameters)


if __name__ == "__main__":
    sys.exit(main())
