"""Training jobs on Amazon SageMaker: start one, follow it, fetch what it made. Used by train.run_training (networks)
and bench.cloud (speeds).

Needs the packages of `make cloud` (the SDK's ModelTrainer, boto3) and an AWS account. Everything lies under
s3://BUCKET/best-image-models/: the program and data that a job reads, what it keeps while it runs (checkpoints/), what
it leaves (output/).
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import re
import sys
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from scripts.cloud import files as cloud_files
from scripts.common.errors import UserError
from scripts.common.paths import ROOT
from scripts.common.words import duration

PYTHON = ROOT / ".venv" / "cloud" / "bin" / "python"
PREFIX = "best-image-models"
LOGS = "/aws/sagemaker/TrainingJobs"
CHECKPOINTS = "/opt/ml/checkpoints"
DONE = ("Completed", "Failed", "Stopped")
TAIL = 15  # log lines shown of a job that failed
NO_CREDENTIALS = (
    "AWS: no credentials found; run `aws configure` or `aws sso login`, or set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY"
)
NO_REGION = "AWS: no region; give --region, for example --region eu-central-1, or set AWS_DEFAULT_REGION"


@dataclass(frozen=True)
class Machine:
    """What to rent. Times in seconds: max_run of computing, max_wait with the waiting for spot capacity; role: ''
    for the account's default.
    """

    instance: str
    count: int = 1
    spot: bool = False
    max_run: int = 4 * 3600
    max_wait: int = 0
    region: str = ""
    role: str = ""
    bucket: str = ""
    pytorch: str = ""
    volume_gb: int = 50

    def check(self) -> None:
        """Raise UserError for what SageMaker would refuse, before anything is uploaded."""
        if not re.fullmatch(r"ml\.[a-z0-9-]+\.[a-z0-9]+", self.instance):
            raise UserError(f"--instance_type {self.instance}: not the form of one; for example ml.g5.xlarge")
        if self.count < 1 or self.max_run < 60 or self.volume_gb < 1:
            raise UserError("--instance_count, --max_run and --volume_gb: give at least 1 machine, 60 seconds and 1 GB")
        if self.max_wait and not self.spot:
            raise UserError("--max_wait: only with --spot")
        if self.spot and self.max_wait and self.max_wait < self.max_run:
            raise UserError(
                f"--max_wait {self.max_wait}: less than --max_run {self.max_run}; waiting counts on top of computing"
            )

    @property
    def wait(self) -> int | None:
        """MaxWaitTimeInSeconds: with spot machines half as long again as the computing, unless it was given."""
        return (self.max_wait or self.max_run * 3 // 2) if self.spot else None


@dataclass
class Work:
    """What a job does. kind: train or bench; entry or command: a script with hyperparameters, or a shell command;
    key: names its checkpoints.
    """

    kind: str
    key: str
    entry: str = ""
    command: str = ""
    hyperparameters: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)


def into_cloud(module: str, argv: list[str]) -> None:
    """Go on in the environment of `make cloud`, if this is not it. Raises UserError where there is none."""
    if importlib.util.find_spec("sagemaker"):
        return
    if not PYTHON.exists():
        raise UserError("Amazon's SDK is not installed; run `make cloud` first")
    sys.stdout.flush(), sys.stderr.flush()
    os.execve(PYTHON, [str(PYTHON), "-m", module, *argv], {**os.environ, "PYTHONPATH": str(ROOT)})


# --- errors -----------------------------------------------------------------------------------------------------------


def explain(error: Exception, machine: Machine | None = None) -> UserError:
    """The one line for an error of AWS, of the SDK or of the way there."""
    instance = machine.instance if machine else "the instance type"
    response = getattr(error, "response", None)
    told = response["Error"] if response else {"Code": type(error).__name__, "Message": str(error)}
    code, said = told.get("Code", ""), told.get("Message", "")
    short = " ".join(said.split())[:160]
    uploading = code == "S3UploadFailedError"  # its message holds the code of S3's own error
    if code in (
        *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"),
        *("TokenRetrievalError", "UnauthorizedSSOTokenError"),
    ):
        return UserError(NO_CREDENTIALS)
    if code in (
        *("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
        *("ExpiredToken", "ExpiredTokenException", "AuthFailure", "InvalidSignatureException"),
    ):
        return UserError(
            f"AWS: the credentials are refused ({code}); renew them with `aws configure` or `aws sso login`"
        )
    if code == "NoRegionError" or "Must setup local AWS configuration with a region" in said:
        return UserError(NO_REGION)
    if code == "ResourceLimitExceeded":
        return UserError(
            f"AWS: your quota of {instance} is used up or 0 ({short}); ask for more in Service Quotas, or choose "
            "another --instance_type"
        )
    if code in ("CapacityError", "InsufficientCapacityException"):
        return UserError(
            f"AWS: no {instance} is free at present ({short}); try again later, another --region or another "
            "--instance_type"
        )
    of_bucket = code == "404" and getattr(error, "operation_name", "") == "HeadBucket"
    if of_bucket or code in ("NoSuchBucket", "BucketNotFound") or (uploading and "NoSuchBucket" in said):
        return UserError(
            f"AWS: the bucket {machine.bucket if machine else ''} is not there; create it, or leave --bucket away "
            "for SageMaker's own"
        )
    if code in ("AccessDenied", "AccessDeniedException", "403", "RoleValidationError", "UnauthorizedOperation"):
        return UserError(
            f"AWS: not allowed ({short}); give a --role that SageMaker may use, with s3:GetObject, s3:PutObject and "
            "s3:ListBucket on the bucket"
        )
    if "enum value set" in said or ("nstance type" in said and code == "ValidationException"):
        return UserError(
            f"AWS: {instance} is not an instance type for training in this region; aws.amazon.com/sagemaker/pricing "
            "lists them"
        )
    if code == "ValidationException" and "role" in said.lower():
        return UserError(
            f"AWS: the role is refused ({short}); give the ARN of one that SageMaker may assume with --role"
        )
    if code == "ValidationException" and re.search(r"not.?found", said):
        return UserError(f"AWS: no such training job ({short}); check its name and --region")
    if code in (
        *("EndpointConnectionError", "ConnectTimeoutError", "ConnectionClosedError"),
        *("ReadTimeoutError", "ProxyConnectionError"),
    ):
        return UserError(
            f"AWS: cannot be reached ({short}); check the network and --region. A job that runs goes on: take it up "
            "with --attach"
        )
    if uploading and "AccessDenied" in said:
        return UserError(
            f"AWS: not allowed to write to the bucket ({short}); choose another --bucket, or ask its owner"
        )
    return UserError(f"AWS: {code}: {short}")


@contextlib.contextmanager
def spoken(machine: Machine | None = None):
    """Turns what AWS, boto3 and the SDK raise in the block into one line."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError
    from sagemaker.core.helper.iam_role_resolver import RoleValidationError

    try:
        yield
    # ValueError: the SDK's and pydantic's
    except (ClientError, BotoCoreError, Boto3Error, RoleValidationError, ValueError) as error:
        raise explain(error, machine) from None


# --- starting ---------------------------------------------------------------------------------------------------------


def session(machine: Machine, pretend=None):
    """The SDK's session, with its telemetry off. pretend: a handler of boto's `before-send` event that answers in AWS's
    place, for a dry run.

    Raises UserError without region or credentials.
    """
    import boto3
    from sagemaker.core.config import load_sagemaker_config
    from sagemaker.core.helper.session_helper import Session

    logging.getLogger("sagemaker").setLevel(logging.ERROR)
    logging.getLogger("sagemaker.core").setLevel(logging.ERROR)
    with spoken(machine):
        boto = boto3.Session(
            region_name=machine.region or None,
            **({"aws_access_key_id": "none", "aws_secret_access_key": "none"} if pretend else {}),
        )
        if not boto.region_name:
            raise UserError(NO_REGION)
        if boto.get_credentials() is None:
            raise UserError(NO_CREDENTIALS)
        if pretend:
            boto.events.register("before-send", pretend)
        config = load_sagemaker_config() or {"SchemaVersion": "1.0"}
        modules = config.setdefault("SageMaker", {}).setdefault("PythonSDK", {}).setdefault("Modules", {})
        modules["TelemetryOptOut"] = True
        found = Session(boto_session=boto, default_bucket=machine.bucket or None, sagemaker_config=config)
        if machine.bucket and not pretend:
            boto.client("s3").head_bucket(Bucket=machine.bucket)  # the SDK would create it
        return found


def image(machine: Machine, region: str) -> str:
    """The address of SageMaker's newest PyTorch image for training that the SDK knows (or of version
    `machine.pytorch`).

    From 2.11 on the SDK lists images of another make, on Amazon Linux, whose packages are not documented: only by
    --pytorch.
    """
    from sagemaker.core import image_uris

    number = lambda version: tuple(int(part) for part in version.split("."))
    known = {
        framework: image_uris.config_for_framework(framework)["training"]["versions"]
        for framework in ("pytorch", "pytorch-amzn2023")
    }
    version = machine.pytorch or max(known["pytorch"], key=number)
    for framework, versions in known.items():
        whole = [name for name in versions if name == version or name.startswith(f"{version}.")]
        if whole:
            newest = max(whole, key=number)
            return image_uris.retrieve(
                framework, region, version=newest, instance_type=machine.instance, image_scope="training"
            )
    exist = ", ".join([*list(known["pytorch"])[-3:], *known["pytorch-amzn2023"]])
    raise UserError(f"--pytorch {version}: SageMaker has no such image; {exist} exist")


def gpus(instance: str, region: str) -> int:
    """GPUs of an instance type, by the SDK's table; 1 where it says nothing: torchrun then counts for itself only
    where there are more machines.
    """
    from sagemaker.core import image_uris

    table = image_uris.config_for_framework("instance_gpu_info")
    found = [types[instance]["Count"] for types in [table.get(region, {}), *table.values()] if instance in types]
    return int(found[0]) if found else 1


def listed(s3, bucket: str, prefix: str) -> dict[str, int]:
    """Key -> bytes of what lies on S3 under `prefix`."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}


def send_data(sm_session, folder: Path, files: list[tuple[str, int]]) -> str:
    """Upload `files` of `folder`, those that are not there yet. Returns the S3 address of the folder."""
    bucket, s3 = sm_session.default_bucket(), sm_session.boto_session.client("s3")
    prefix = f"{PREFIX}/data/{cloud_files.fingerprint(folder, files)}"
    there = listed(s3, bucket, f"{prefix}/")
    todo = [(name, size) for name, size in files if there.get(f"{prefix}/{name}") != size]
    started, spoken_at, sent, total = time.monotonic(), time.monotonic(), 0, sum(size for _, size in todo)
    with ThreadPoolExecutor(8) as pool:
        for size in pool.map(
            lambda item: s3.upload_file(str(folder / item[0]), bucket, f"{prefix}/{item[0]}") or item[1], todo
        ):
            sent += size
            if time.monotonic() - spoken_at > 10:
                spoken_at = time.monotonic()
                say(
                    f"uploading {folder.name}: {sent / 1e6:,.0f} of {total / 1e6:,.0f} MB, about "
                    f"{duration((spoken_at - started) / max(sent, 1) * (total - sent))} left"
                )
    before = f", {len(files) - len(todo):,} of them from before" if len(todo) < len(files) else ""
    say(f"{folder.name}: {len(files):,} files on S3{before}")
    return f"s3://{bucket}/{prefix}"


def start(work: Work, machine: Machine, sm_session, source: Path, data: str = "") -> str:
    """Start the job. source: the packed program; data: its S3 address, '' for none. Returns the job's name. AWS's
    errors are the caller's.
    """
    from sagemaker.core.training.configs import (
        CheckpointConfig,
        Compute,
        InputData,
        OutputDataConfig,
        SourceCode,
        StoppingCondition,
    )
    from sagemaker.train import ModelTrainer
    from sagemaker.train.distributed import Torchrun

    bucket, region = sm_session.default_bucket(), sm_session.boto_session.region_name
    several = bool(work.entry) and (machine.count > 1 or gpus(machine.instance, region) > 1)
    waiting = {"max_wait_time_in_seconds": machine.wait} if machine.spot else {}
    code = {"entry_script": work.entry} if work.entry else {"command": work.command}
    trainer = ModelTrainer(
        sagemaker_session=sm_session,
        role=machine.role or os.environ.get("SAGEMAKER_ROLE") or None,
        training_image=image(machine, region),
        base_job_name=f"{PREFIX}-{work.kind}-{machine.instance.removeprefix('ml.').replace('.', '-')}",
        input_s3_key_prefix=f"{PREFIX}/code",
        source_code=SourceCode(
            source_dir=str(source),
            requirements=cloud_files.REQUIREMENTS,
            ignore_patterns=[*cloud_files.SECRETS, "__pycache__"],
            **code,
        ),
        distributed=Torchrun() if several else None,
        compute=Compute(
            instance_type=machine.instance,
            instance_count=machine.count,
            volume_size_in_gb=machine.volume_gb,
            enable_managed_spot_training=machine.spot,
        ),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=machine.max_run, **waiting),
        output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/{PREFIX}/output"),
        checkpoint_config=CheckpointConfig(
            s3_uri=f"s3://{bucket}/{PREFIX}/checkpoints/{work.key}", local_path=CHECKPOINTS
        ),
        environment={"PYTHONUNBUFFERED": "1", "BEST_IMAGE_MODELS_CACHE": "/tmp/best-image-models", **work.environment},
        hyperparameters=work.hyperparameters,
    )
    trainer.train(
        input_data_config=[InputData(channel_name="training", data_source=data)] if data else None,
        wait=False,
        logs=False,
    )
    return trainer._latest_training_job.training_job_name


class Request(Exception):
    """The request that a dry run would have sent."""

    def __init__(self, body: dict):
        super().__init__("dry run")
        self.body = body


def pretend(request, event_name: str = "", **_):
    """Answers in the place of S3, STS and IAM, and raises `Request` with what would have gone to SageMaker."""
    from botocore.awsrequest import AWSResponse

    operation = event_name.rpartition(".")[2]
    if operation == "CreateTrainingJob":
        raise Request(json.loads(request.body))
    body = {
        "GetCallerIdentity": b"<GetCallerIdentityResponse><GetCallerIdentityResult>"
        b"<Arn>arn:aws:iam::000000000000:root</Arn><UserId>x</UserId><Account>000000000000</Account>"
        b"</GetCallerIdentityResult></GetCallerIdentityResponse>",
        "ListBuckets": b"<ListAllMyBucketsResult><Buckets></Buckets></ListAllMyBucketsResult>",
    }.get(operation, b"")

    class Raw:
        def stream(self, *_, **__):
            yield body

        def read(self, *_, **__):
            return body

    return AWSResponse(request.url, 200, {"ETag": '"0"', "content-length": str(len(body))}, Raw())


def rehearse(work: Work, machine: Machine, source: Path, data: bool) -> dict:
    """The CreateTrainingJob request that `start` would send; needs no account and sends nothing."""
    os.environ["SAGEMAKER_VALIDATE_ROLE"] = "false"
    role = machine.role or os.environ.get("SAGEMAKER_ROLE") or "your-sagemaker-role"
    region = machine.region or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    machine = replace(
        machine,
        role=role if role.startswith("arn:") else f"arn:aws:iam::000000000000:role/{role}",
        region=region,
        bucket=machine.bucket or f"sagemaker-{region}-your-account",
    )
    address = f"s3://{machine.bucket}/{PREFIX}/data" if data else ""
    try:
        with spoken(machine):
            start(work, machine, session(machine, pretend), source, address)
    except Request as found:
        return found.body
    raise AssertionError("a dry run ends at the request")


# --- following and fetching -------------------------------------------------------------------------------------------


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Log:
    """The job's log lines as they come, of all machines."""

    def __init__(self, client, job: str):
        self.client, self.job, self.at, self.tail = client, job, {}, deque(maxlen=TAIL)

    def lines(self) -> list[str]:
        from botocore.exceptions import ClientError

        found = []
        try:
            streams = self.client.describe_log_streams(logGroupName=LOGS, logStreamNamePrefix=self.job + "/")
            for stream in [each["logStreamName"] for each in streams["logStreams"]]:
                while True:
                    place = {"nextToken": self.at[stream]} if stream in self.at else {}
                    page = self.client.get_log_events(
                        logGroupName=LOGS, logStreamName=stream, startFromHead=True, **place
                    )
                    found += [event["message"].rstrip() for event in page["events"]]
                    if page["nextForwardToken"] == self.at.get(stream) or not page["events"]:
                        break
                    self.at[stream] = page["nextForwardToken"]
        except ClientError as error:
            # no log yet; may not read logs: the job's state is still told
            quiet = ("ResourceNotFoundException", "AccessDeniedException", "ThrottlingException")
            if error.response["Error"]["Code"] not in quiet:
                raise
        self.tail.extend(found)
        return found


def follow(sm_session, job: str, poll: float = 10.0, speak=say, wait=time.sleep) -> dict:
    """Tell a job's states and log until it ends. Returns SageMaker's last description, with the log's tail as `Tail`.

    wait: pauses for `poll` seconds; what it returns, if true, stops the following: KeyboardInterrupt, for in a thread
    Ctrl-C raises none.
    """
    client, log = sm_session.sagemaker_client, Log(sm_session.boto_session.client("logs"), job)
    told, started = 0, time.monotonic()
    while True:
        found = client.describe_training_job(TrainingJobName=job)
        moves = found.get("SecondaryStatusTransitions", [])
        for move in moves[told:]:
            what = (
                "interrupted: spot capacity was taken back; it goes on from its checkpoint when there is some again"
                if move["Status"] == "Interrupted"
                else move["Status"].lower()
            )
            why = f" ({move['StatusMessage']})" if move.get("StatusMessage") else ""
            speak(f"{job}: {what}, after {duration(time.monotonic() - started)}{why}")
        told = len(moves)
        for line in log.lines():
            speak(f"  {line}")
        if found["TrainingJobStatus"] in DONE:
            return {**found, "Tail": list(log.tail)}
        if wait(poll):
            raise KeyboardInterrupt


def fetch(sm_session, found: dict, folder: Path) -> list[str]:
    """Download and unpack what a job left into `folder`/results and `folder`/models. Returns names that were not
    unpacked.

    A job that ended early left no output: what it had kept by then is taken from its checkpoints.
    """
    from botocore.exceptions import ClientError

    s3, refused = sm_session.boto_session.client("s3"), []
    output = f"{found['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{found['TrainingJobName']}/output"
    model = found.get("ModelArtifacts", {}).get("S3ModelArtifacts", f"{output}/model.tar.gz")
    for address, home in ((f"{output}/output.tar.gz", "results"), (model, "models")):
        (folder / home).mkdir(parents=True, exist_ok=True)
        bucket, _, key = address.removeprefix("s3://").partition("/")
        archive = folder / key.rpartition("/")[2]
        try:
            s3.download_file(bucket, key, str(archive))
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchKey"):
                raise
            continue
        refused += cloud_files.unpack(archive, folder / home)
    if not any((folder / "results").iterdir()) and "CheckpointConfig" in found:
        bucket, _, prefix = found["CheckpointConfig"]["S3Uri"].removeprefix("s3://").partition("/")
        for key in listed(s3, bucket, f"{prefix.rstrip('/')}/results/"):
            name = key.rpartition("/")[2]
            if cloud_files.TABLE.fullmatch(name):
                s3.download_file(bucket, key, str(folder / "results" / name))
            elif not name.startswith("."):  # the sweep's journal
                refused.append(name[:80])
    return refused


def forget_checkpoints(sm_session, found: dict) -> None:
    """Remove a completed job's checkpoints: the same command later starts afresh. Only under our own prefix."""
    bucket, _, prefix = found.get("CheckpointConfig", {}).get("S3Uri", "").removeprefix("s3://").partition("/")
    if prefix.startswith(f"{PREFIX}/checkpoints/"):
        sm_session.boto_session.resource("s3").Bucket(bucket).objects.filter(Prefix=prefix.rstrip("/") + "/").delete()


def cost(found: dict, price: float) -> str:
    """What a finished job cost, from SageMaker's billable seconds and the user's price per machine and hour."""
    seconds = found.get("BillableTimeInSeconds", found.get("TrainingTimeInSeconds", 0))
    seconds *= found["ResourceConfig"].get("InstanceCount", 1)
    return f"${seconds / 3600 * price:,.2f} ({duration(seconds)} at ${price:g} an hour)"
