"""Training jobs against a moto server over HTTP, with Amazon's SDK and boto3: what is asked for, what comes back,
and what goes wrong.
"""

import io
import json
import tarfile

import numpy as np
import pandas as pd
import pytest

from scripts.cloud import fast_local, sample
from scripts.common import provenance
from scripts.train import results
from tests import cloud_server
from tests.cloud_server import ROLE

pytestmark = pytest.mark.skipif(bool(cloud_server.skip_reason()), reason=cloud_server.skip_reason() or "installed")
AWS = ["--execution_mode", "aws", "--role", ROLE, "--bucket", "our-bucket", "--poll", "0.05"]


@pytest.fixture
def photos(tmp_path):
    return sample.write(tmp_path / "my photos", images=6)


def run(cloud, tmp_path, *more, **env):
    return cloud.command(*AWS, "--out", tmp_path / "out", "--keep", tmp_path / "models", *more, **env)


def one_line(answer, *words):
    """The command failed with one line that holds `words`."""
    errors = [line for line in answer.err.splitlines() if line.startswith("error:")]
    assert answer.code == 2 and len(errors) == 1 and "Traceback" not in answer.err, answer.err
    assert all(word in errors[0] for word in words), errors
    return errors[0]


def leave_results(cloud, folder, hardware="nvidia_a10g", accuracy=0.9):
    """Make a created job leave one network's tables on S3."""
    test = pd.DataFrame(
        {"file": ["a.png", "b.png"], "label": ["circle", "square"], "circle": [0.9, 0.2], "square": [0.1, 0.8]}
    )
    losses = {"train_loss": 0.5, "valid_loss": 0.4, "valid_accuracy": accuracy, "lr": 0.1}
    history = pd.DataFrame([{"epoch": 1, **losses, "seconds": 1.0, "elapsed_seconds": 1.0, "images_per_sec": 10.0}])
    classes = pd.DataFrame({"class": ["circle", "square"], "precision": [1.0, 1.0], "images": [1, 1]})
    row = {"model": "lenet5", "weights": "scratch", "seed": 0, "arch": "lenet5", "source": "x", "img_size": 32}
    row |= {"epochs": 1, "batch": 2, "lr": 0.1, "recipe": "default", "precision": "fp32", "accuracy": accuracy}
    row |= {"note": "", "date": "2026-01-01T00:00:00Z"}
    main = results.path("shapes-sample", hardware, folder=folder)
    folder.mkdir(parents=True, exist_ok=True)
    results.record(main, row, history, classes, test)
    for name in results.PARTS:
        facts = {"schema": 1, "hardware": {"name": "NVIDIA A10G", "slug": hardware}}
        provenance.write_sidecar(results.part(main, name), facts)
    content = cloud_server.archive(folder)
    cloud.on_create = lambda body: cloud.put(
        f"{body['OutputDataConfig']['S3OutputPath']}/{body['TrainingJobName']}/output/output.tar.gz", content
    )
    return main


def test_the_request_has_image_inputs_hyperparameters_spot_and_limits(cloud, tmp_path, photos):
    leave_results(cloud, tmp_path / "made")
    answer = run(
        cloud,
        tmp_path,
        "--data",
        photos,
        *"--models lenet5,vit --lr 0.001 --compile --instance_type ml.g5.12xlarge --instance_count 2".split(),
        *"--spot --max_run 3600 --max_wait 7200 --volume_gb 80".split(),
    )
    assert answer.code == 0, answer.err
    (body,) = cloud.created()
    assert body["AlgorithmSpecification"]["TrainingImage"].endswith(
        "us-east-1.amazonaws.com/pytorch-training:2.10.0-gpu-py313"
    )
    assert body["HyperParameters"] == {"models": "lenet5,vit", "lr": "0.001", "compile": "true"}
    assert body["ResourceConfig"] == {"InstanceType": "ml.g5.12xlarge", "InstanceCount": 2, "VolumeSizeInGB": 80}
    assert (
        body["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200}
        and body["EnableManagedSpotTraining"] is True
    )
    assert body["RoleArn"] == ROLE and body["CheckpointConfig"]["LocalPath"] == "/opt/ml/checkpoints"
    assert body["CheckpointConfig"]["S3Uri"].startswith("s3://our-bucket/best-image-models/checkpoints/")
    assert body["Environment"]["BEST_IMAGE_MODELS_DATASET"] == "shapes-sample"
    channels = {each["ChannelName"]: each["DataSource"]["S3DataSource"]["S3Uri"] for each in body["InputDataConfig"]}
    assert set(channels) == {"training", "code", "sm_drivers"}
    uploaded = cloud.puts()
    assert {
        name.removeprefix("/" + channels["training"].removeprefix("s3://") + "/")
        for name in uploaded
        if "/data/" in name
    } == {f"{label}/{number:03d}.png" for label in sample.CLASSES for number in range(6)}
    script = next(body for name, body in uploaded.items() if name.endswith("sm_train.sh")).decode()
    assert "torchrun_driver.py" in script and "tar -xzf source.tar.gz" in script  # several GPUs: one process each
    launch = json.loads(next(body for name, body in uploaded.items() if name.endswith("sourcecode.json")))
    assert launch["entry_script"] == fast_local.ENTRY


def test_results_come_back_and_are_put_into_the_tables_that_are_there(cloud, tmp_path, photos):
    out = tmp_path / "out"
    main = leave_results(cloud, out, accuracy=0.5)  # an earlier run on that card, by another seed
    frame = pd.read_csv(main)
    frame.assign(seed=7).to_csv(main, index=False)
    leave_results(cloud, tmp_path / "made", accuracy=0.9)
    answer = run(cloud, tmp_path, "--data", photos, "--models", "lenet5", "--price", "2")
    assert answer.code == 0 and "cost: $" in answer.out, answer.err
    table = results.read(main)
    assert dict(zip(table["seed"], table["accuracy"])) == {7: 0.5, 0: 0.9}
    assert provenance.read_sidecar(main)["sha256"] == provenance.sha256(main)
    assert np.isclose(results.predictions(results.part(main, "-predictions"))["p:circle"].iloc[0], 0.9)


def test_the_same_photos_are_uploaded_once_and_a_finished_job_leaves_no_checkpoints(cloud, tmp_path, photos):
    def leave(body):
        cloud.put(body["CheckpointConfig"]["S3Uri"] + "/journal.json", b"{}")

    cloud.on_create = leave
    assert run(cloud, tmp_path, "--data", photos, "--models", "lenet5").code == 0
    first = [name for name in cloud.puts() if "/data/" in name]
    cloud.requests.clear()
    answer = run(cloud, tmp_path, "--data", photos, "--models", "lenet5")
    assert (
        len(first) == 12
        and not [name for name in cloud.puts() if "/data/" in name]
        and "of them from before" in answer.err
    )
    deleted = b"".join(
        body for name, body in cloud.requests if name.startswith("POST /our-bucket") and "delete" in name
    )
    assert b"/checkpoints/" in deleted and b"journal.json" in deleted


def test_what_was_uploaded_trains_and_what_it_leaves_comes_home(cloud, tmp_path, photos):
    """The uploaded program, run from its archive as a container would, is complete; tables and network land where
    local ones do.
    """

    def job(body):
        source = next(content for name, content in cloud.puts().items() if name.endswith("source.tar.gz"))
        assert (
            cloud_server.container(source, photos, body["HyperParameters"], body["Environment"], tmp_path / "box") == 0
        ), (tmp_path / "box" / "log.txt").read_text()[-1500:]
        for name, folder in (("output", "output/data"), ("model", "model")):
            cloud.put(
                f"{body['OutputDataConfig']['S3OutputPath']}/{body['TrainingJobName']}/output/{name}.tar.gz",
                cloud_server.archive(tmp_path / "box" / "opt" / "ml" / folder),
            )
        cloud.log(body["TrainingJobName"], (tmp_path / "box" / "log.txt").read_text().splitlines())

    cloud.on_create = job
    answer = run(
        cloud, tmp_path, "--data", photos, "--models", "lenet5", "--epochs", "1", "--size", "32", "--batch", "4"
    )
    assert answer.code == 0, answer.err
    assert "training: lenet5, seed 0: accuracy" in answer.err  # its log, followed
    (main,) = results.runs(tmp_path / "out")
    assert main.name.startswith("zoo-shapes-sample-") and list(results.read(main)["model"]) == ["lenet5"]
    from scripts.train import exported

    assert exported.load(tmp_path / "models" / "shapes-sample-lenet5-0").config.classes == sample.CLASSES


def test_a_dry_run_sends_nothing_and_needs_no_account(cloud, tmp_path, photos):
    answer = run(
        cloud,
        tmp_path,
        "--data",
        photos,
        *"--models lenet5 --dry_run --price 1.5 --spot --max_run 7200".split(),
        AWS_ACCESS_KEY_ID=None,
        AWS_SECRET_ACCESS_KEY=None,
    )
    again = cloud.command(
        "--help", AWS_ACCESS_KEY_ID="testing", AWS_SECRET_ACCESS_KEY="testing"
    )  # the variables for the tests to come
    assert again.code == 0 and answer.code == 0 and cloud.requests == [], answer.err
    body = json.loads(answer.out[: answer.out.rindex("}") + 1])
    assert body["HyperParameters"] == {"models": "lenet5"} and body["EnableManagedSpotTraining"] is True
    assert "at most $3.00" in answer.out


def test_a_job_taken_up_again_is_told_from_its_start(cloud, tmp_path, photos):
    leave_results(cloud, tmp_path / "made")
    moves = [
        {"Status": status, "StatusMessage": "", "StartTime": 1.0}
        for status in ("Starting", "Training", "Interrupted", "Training", "Completed")
    ]
    cloud.lives = [
        {"TrainingJobStatus": "InProgress", "SecondaryStatus": "Training", "SecondaryStatusTransitions": moves[:2]},
        {"TrainingJobStatus": "InProgress", "SecondaryStatus": "Interrupted", "SecondaryStatusTransitions": moves[:3]},
        {"TrainingJobStatus": "Completed", "SecondaryStatus": "Completed", "SecondaryStatusTransitions": moves},
    ]
    first = run(cloud, tmp_path, "--data", photos, "--models", "lenet5", "--spot")
    name = cloud.created()[0]["TrainingJobName"]
    assert (
        first.code == 0 and f"--attach {name}" in first.err and "interrupted: spot capacity was taken back" in first.err
    )
    cloud.requests.clear()
    again = cloud.command(*AWS, "--attach", name, "--out", tmp_path / "elsewhere", "--keep", tmp_path / "models")
    assert again.code == 0 and not cloud.created() and results.runs(tmp_path / "elsewhere")


def test_a_failed_job_says_its_reason_and_last_lines_and_loses_nothing(cloud, tmp_path, photos):
    made = leave_results(cloud, tmp_path / "made")

    def fails(body):
        for path in made.parent.iterdir():
            cloud.put(f"{body['CheckpointConfig']['S3Uri']}/results/{path.name}", path.read_bytes())
        cloud.log(body["TrainingJobName"], [f"line {number}" for number in range(40)])

    cloud.on_create = fails
    why = "AlgorithmError: the loss is nan in epoch 3"
    cloud.lives = [{"TrainingJobStatus": "Failed", "SecondaryStatus": "Failed", "FailureReason": why}]
    answer = run(cloud, tmp_path, "--data", photos, "--models", "lenet5")
    assert answer.code == 1 and f"failed: {why}" in answer.err.splitlines()[-1]
    log = answer.err.split("the last lines of its log:")[1]
    assert "\n  line 39\n" in log and "line 24\n" not in log
    assert results.read(tmp_path / "out" / made.name)["accuracy"][0] == 0.9  # what it had finished
    assert not [name for name, _ in cloud.requests if "delete" in name]  # its checkpoints stay


LIMIT = "The account-level service limit 'ml.g5.xlarge for training job usage' is 0 Instances"
NO_ROLE = "Could not assume role arn:aws:iam::1:role/x. Please ensure that the role exists"
NO_TYPE = (
    "Value 'ml.g99.xlarge' at 'resourceConfig.instanceType' failed to satisfy constraint: Member must satisfy enum "
    "value set: [ml.p3.2xlarge, ml.m5.large]"
)
TOKEN = "The security token included in the request is"


@pytest.mark.parametrize(
    "code, said, words",
    [
        ("ResourceLimitExceeded", LIMIT, ["quota", "ml.g5.xlarge", "Service Quotas"]),
        ("AccessDeniedException", "User: x is not authorized to perform: iam:PassRole", ["not allowed", "--role"]),
        ("ValidationException", NO_ROLE, ["role is refused", "--role"]),
        ("ValidationException", NO_TYPE, ["not an instance type"]),
        ("UnrecognizedClientException", f"{TOKEN} invalid.", ["credentials are refused"]),
        ("ExpiredTokenException", f"{TOKEN} expired", ["credentials are refused"]),
        ("AccessDenied", "Access Denied", ["not allowed to write to the bucket", "--bucket"]),
    ],
)
def test_what_amazon_refuses_is_one_line(cloud, tmp_path, photos, code, said, words):
    cloud.refuse = {"PUT /": (403, code, said)} if code == "AccessDenied" else {"CreateTrainingJob": (400, code, said)}
    one_line(run(cloud, tmp_path, "--data", photos, "--models", "lenet5", "--instance_type", "ml.g5.xlarge"), *words)


def test_what_is_wrong_here_is_one_line_before_anything_is_sent(cloud, tmp_path, photos):
    for more, words in (
        (["--instance_type", "g5.xlarge"], ["--instance_type g5.xlarge", "ml.g5.xlarge"]),
        (["--spot", "--max_run", "7200", "--max_wait", "3600"], ["--max_wait 3600"]),
        (["--max_wait", "9000"], ["only with --spot"]),
        (["--max_gb", "0.000001"], ["more than 1e-06 GB", "--max_gb"]),
        (["--pytorch", "9.9"], ["--pytorch 9.9", "2.10"]),
        (["stray"], ["stray"]),
    ):
        line = one_line(run(cloud, tmp_path, "--data", photos, *more), *words)
        assert not cloud.created() and "AWS: ValueError" not in line
    one_line(run(cloud, tmp_path, "--data", tmp_path / "nowhere"), "no such folder")
    (tmp_path / "empty").mkdir()
    one_line(run(cloud, tmp_path, "--data", tmp_path / "empty"), "no files")


def test_a_bucket_that_is_not_there_and_a_job_that_is_not_there(cloud, tmp_path, photos):
    one_line(
        run(cloud, tmp_path, "--data", photos, "--bucket", "nobody-has-this-bucket"),
        "nobody-has-this-bucket",
        "not there",
    )
    assert not list(cloud.puts()) and not [
        name for name, _ in cloud.requests if name.startswith("PUT /nobody")
    ]  # nor was it made
    assert "AWS:" in one_line(cloud.command(*AWS, "--attach", "no-such-job"))


def test_no_credentials_no_region_no_network(cloud, tmp_path, photos):
    one_line(
        run(cloud, tmp_path, "--data", photos, AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None), "no credentials"
    )
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    one_line(run(cloud, tmp_path, "--data", photos, **keys, AWS_DEFAULT_REGION=None), "no region")
    one_line(
        run(cloud, tmp_path, "--data", photos, AWS_DEFAULT_REGION="us-east-1", AWS_ENDPOINT_URL="http://127.0.0.1:9"),
        "cannot be reached",
    )
    assert cloud.command("--help", AWS_ENDPOINT_URL=cloud.url).code == 0


def test_hostile_archives_write_nothing_outside(tmp_path):
    from scripts.cloud import files as cloud_files
    from scripts.common.errors import UserError

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        outside = "../zoo-x-y.csv /tmp/zoo-x-y.csv zoo-x-y.csv/../../b run.py net/model.pkl".split()
        for name in (*outside, "zoo-a-b.csv", "net/config.json"):
            member = tarfile.TarInfo(name)
            member.size = 2
            tar.addfile(member, io.BytesIO(b"ab"))
        link = tarfile.TarInfo("zoo-link-x.csv")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    (tmp_path / "bad.tar.gz").write_bytes(buffer.getvalue())
    refused = cloud_files.unpack(tmp_path / "bad.tar.gz", tmp_path / "in")
    assert sorted(
        path.relative_to(tmp_path / "in").as_posix() for path in (tmp_path / "in").rglob("*") if path.is_file()
    ) == ["net/config.json", "zoo-a-b.csv"]
    assert len(refused) == 6
    (tmp_path / "cut.tar.gz").write_bytes(buffer.getvalue()[:60])
    with pytest.raises(UserError, match="cannot be unpacked"):
        cloud_files.unpack(tmp_path / "cut.tar.gz", tmp_path / "cut")
