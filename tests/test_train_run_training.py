"""fast_local_mode against the plain command, SageMaker's container contract, and what may leave this machine."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from scripts.cloud import contract, fast_local, files as cloud_files, jobs as cloud_jobs, sample
from scripts.common.errors import UserError
from scripts.common.paths import ROOT
from scripts.train import results, run_training
from tests import cloud_server

HYPER = {"models": "lenet5,vit", "lr": "0.001", "compile": "true", "weight-decay": "0.05"}


def command(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "scripts.train.run_training", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("SM_")},
            "OMP_NUM_THREADS": "1",
            **environment,
        },
    )


# --- fast_local_mode --------------------------------------------------------------------------------------------------


def test_the_plain_command_trains_a_sample_and_brings_everything_home(tmp_path):
    done = command(
        "--epochs",
        "3",
        "--out",
        tmp_path / "out",
        "--keep",
        tmp_path / "models",
        "--device",
        "cpu",
        TMPDIR=str(tmp_path),
        BEST_IMAGE_MODELS_CACHE=str(tmp_path / "cache"),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (main,) = results.runs(tmp_path / "out")
    frame = results.read(main)
    assert (
        main.name.startswith("zoo-shapes-sample-")
        and list(frame["epochs"]) == [3]
        and list(frame["model"]) == ["lenet5"]
    )
    assert (tmp_path / "models" / "shapes-sample-lenet5-0" / "model.safetensors").exists()
    assert not list(
        (tmp_path / "out").glob("*mistakes*")
    )  # they name the reader's own photos, and tables may be committed
    assert not list(tmp_path.glob("sagemaker-*"))  # the temporary /opt/ml is gone


def test_a_failure_is_the_reason_in_one_line_and_exit_1(tmp_path, monkeypatch, moved, capfd):
    (tmp_path / "photos" / "one").mkdir(parents=True)
    moved(CACHE=tmp_path / "cache")
    monkeypatch.setenv("BEST_IMAGE_MODELS_CACHE", str(tmp_path / "cache"))  # of the training, a process of its own
    places = ["--out", str(tmp_path / "out"), "--keep", str(tmp_path / "models")]
    assert run_training.main(["--data", str(tmp_path / "photos"), "--models", "lenet5", *places]) == 1
    said = capfd.readouterr().err
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("error: the training failed: ")
    assert "two classes or more" in said.splitlines()[-1]
    assert not (tmp_path / "out").exists() or not results.runs(tmp_path / "out")


def test_an_interrupted_run_keeps_its_checkpoints_and_a_finished_one_leaves_none(tmp_path, monkeypatch):
    photos, kept = sample.write(tmp_path, images=1), tmp_path / "kept"
    seen = []

    def stand_in(code):
        def run(command, env, cwd):
            home = contract.found(env)
            seen.append(sorted(path.name for path in home.results.glob("*")))
            home.results.mkdir(exist_ok=True)
            (home.results / "zoo-a-b.csv").write_text("x")
            return subprocess.CompletedProcess(command, code)

        return run

    for number, code in enumerate((130, 0)):
        monkeypatch.setattr(fast_local.subprocess, "run", stand_in(code))
        assert fast_local.run(tmp_path / str(number), photos, HYPER, 1, kept)[0] == code
    assert seen == [[], ["zoo-a-b.csv"]] and not kept.exists()


def test_several_processes_are_torchruns(tmp_path):
    line = fast_local.command(HYPER, 4)
    assert line[1:6] == ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "4"]
    assert line[6:] == [
        str(ROOT / fast_local.ENTRY),
        "--models",
        "lenet5,vit",
        "--lr",
        "0.001",
        "--compile",
        "true",
        "--weight-decay",
        "0.05",
    ]
    assert fast_local.command(HYPER, 1)[1] == str(ROOT / fast_local.ENTRY)


def test_the_tree_is_sagemakers(tmp_path):
    photos = sample.write(tmp_path, images=1)
    ml = fast_local.tree(tmp_path / "home", {"training": photos}, HYPER)
    read = lambda name: json.loads((ml / "input" / "config" / name).read_text())
    assert read("hyperparameters.json") == HYPER and read("resourceconfig.json")["hosts"] == ["algo-1"]
    assert (
        list(read("inputdataconfig.json")) == ["training"]
        and (ml / "input" / "data" / "training" / "circle" / "000.png").exists()
    )
    for folder in ("model", "output/data", "checkpoints"):
        assert (ml / folder).is_dir()


@pytest.mark.skipif(bool(cloud_server.skip_reason()), reason=cloud_server.skip_reason() or "installed")
def test_the_variables_are_those_of_the_sdks_own_driver(tmp_path):
    """The SDK's environment.py, run on our tree, writes the same names; and the same values but for the paths and
    the machine.
    """
    photos = sample.write(tmp_path, images=1)
    ml = fast_local.tree(tmp_path / "home", {"training": photos}, HYPER)
    code = """
import sys, json, importlib.util, pathlib, os
ml, names = sys.argv[1], None
spec = importlib.util.find_spec("sagemaker.train.container_drivers.scripts.environment")
text = pathlib.Path(spec.origin).read_text()
drivers = pathlib.Path(spec.origin).parents[1]
sys.path.insert(0, str(drivers))
space = {"__name__": "driver", "__file__": spec.origin}
exec(compile(text.replace("/opt/ml", ml), spec.origin, "exec"), space)
space["read_source_code_json"] = lambda: {"entry_script": "scripts/train/train_models.py"}
space["read_distributed_json"] = lambda: None
os.environ["TRAINING_JOB_NAME"] = "job"
space["main"]()
"""
    done = subprocess.run([cloud_server.PYTHON, "-c", code, str(ml)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1500:]
    theirs = dict(
        line.removeprefix("export ").split("=", 1)
        for line in (ml / "input" / "sm_training.env").read_text().splitlines()
    )
    theirs = {name: value[1:-1] for name, value in theirs.items()}
    ours = fast_local.variables(ml, {"training": photos}, HYPER, "job", 0)
    assert set(theirs) == set(ours) - {"TRAINING_JOB_NAME"}
    same = set(theirs) - {"SM_SOURCE_DIR", "SM_NUM_CPUS", "SM_TRAINING_ENV", "SM_NUM_GPUS"}
    assert {name: theirs[name] for name in same} == {name: ours[name] for name in same}
    assert set(json.loads(theirs["SM_TRAINING_ENV"])) == set(json.loads(ours["SM_TRAINING_ENV"]))


# --- the contract, as the entry point reads it ------------------------------------------------------------------------


def test_data_results_and_checkpoints_are_where_the_contract_says(tmp_path):
    variables = {
        "SM_MODEL_DIR": str(tmp_path / "model"),
        "SM_OUTPUT_DATA_DIR": str(tmp_path / "output" / "data"),
        "SM_CHANNEL_CODE": "/code",
        "SM_CHANNEL_SM_DRIVERS": "/drivers",
        "SM_CHANNEL_PHOTOS": "/photos",
        contract.DATASET: "My Photos",
    }
    home = contract.found(variables)
    assert (
        home.data == Path("/photos")
        and home.checkpoints is None
        and home.results == tmp_path / "output" / "data"
        and home.dataset == "my-photos"
    )  # as file names hold it
    (tmp_path / "checkpoints").mkdir()
    home = contract.found(variables)
    assert home.results == tmp_path / "checkpoints" / "results"  # what an interruption must not lose
    for folder, name in ((home.results, "zoo.csv"), (home.models, "net")):
        folder.mkdir(parents=True)
        (folder / name).write_text("x")
    home.hand_over()
    assert (tmp_path / "output" / "data" / "zoo.csv").exists() and (tmp_path / "model" / "net").exists()
    home.fail("why " * 1000)
    assert len((tmp_path / "output" / "failure").read_text()) <= contract.FAILURE_CHARACTERS + 1
    assert contract.found({}) is None


def test_an_interrupted_job_goes_on_from_its_checkpoint_folder(tmp_path):
    """A spot machine is taken away after the first network: the next machine has only the checkpoints, and trains
    only the second.
    """
    photos = sample.write(tmp_path, images=12)
    source = tmp_path / "source.tar.gz"
    cloud_files.pack("train", source)
    variables = {contract.DATASET: "shapes-sample"}
    first, second = tmp_path / "first", tmp_path / "second"
    # The first machine: killed when the second seed begins.
    hyper = {"models": "lenet5", "seeds": "2", "epochs": "1", "size": "32", "batch": "4"}
    code = first / "code"
    with tarfile.open(source) as tar:
        tar.extractall(code, filter="data")
    ml = fast_local.tree(first, {"training": photos}, hyper)
    killer = (
        f"import sys, os; sys.argv[1:] = {[part for pair in hyper.items() for part in ('--' + pair[0], pair[1])]!r} "
        "+ ['--device', 'cpu']\n"
        "from scripts.train import train_models\nfinish = train_models.Finished.finish\n"
        "def kill(self, job, failure=''):\n    finish(self, job, failure)\n    os._exit(9)\n"
        "train_models.Finished.finish = kill\ntrain_models.main()"
    )
    killed = subprocess.run(
        [sys.executable, "-c", killer],
        cwd=code,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            **fast_local.variables(ml, {"training": photos}, hyper, "job", 0),
            **variables,
            "BEST_IMAGE_MODELS_CACHE": str(first / "cache"),
        },
    )
    assert killed.returncode == 9, killed.stderr[-1500:]
    (second / "opt" / "ml").mkdir(parents=True)
    (ml / "checkpoints").rename(second / "opt" / "ml" / "checkpoints")  # what SageMaker puts back on the next machine
    assert cloud_server.container(source.read_bytes(), photos, hyper, variables, second) == 0, (
        second / "log.txt"
    ).read_text()[-1500:]
    assert "going on after 1 of 2" in (second / "log.txt").read_text()
    table = results.read(results.runs(second / "opt" / "ml" / "output" / "data")[0])
    assert sorted(table["seed"]) == [0, 1]
    assert len(list((second / "opt" / "ml" / "model").iterdir())) == 2  # the first machine's network too


def test_switches_have_values_as_hyperparameters():
    assert contract.boolean("true") and not contract.boolean("False")
    with pytest.raises(Exception, match="true or false"):
        contract.boolean("maybe")
    assert run_training.pairs(["--models", "a,b", "--compile", "--lr=0.1"]) == {
        "models": "a,b",
        "compile": "true",
        "lr": "0.1",
    }
    with pytest.raises(UserError, match="stray: no option"):
        run_training.pairs(["--lr", "1", "stray"])


# --- what may leave ---------------------------------------------------------------------------------------------------

PRIVATE = [
    ".env",
    ".env.local",
    "prod.env",
    ".aws/credentials",
    ".git/config",
    ".comet.config",
    ".netrc",
    "netrc",
    "id_rsa",
    "id_ed25519.pub",
    "server.pem",
    "tls.key",
    "credentials.json",
    "aws_credentials.csv",
    "client_secret.json",
    "my-Token.json",
    "passwords.csv",
    "kaggle.json",
    "service-account.json",
    "study.sqlite",
    ".ssh/id_rsa.py",
]


def project(root: Path) -> Path:
    for name in ("__init__.py", "common/paths.py", "train/train_models.py"):
        (root / "scripts" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "scripts" / name).write_text("x = 1\n")
    (root / "requirements.lock").write_text("timm==1.0 \\\npandas==2.0\npandas==3.0\n")
    return root


@pytest.mark.parametrize("name", PRIVATE)
def test_a_secret_is_never_packed(tmp_path, name):
    root = project(tmp_path / "p")
    path = root / "scripts" / "train" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("hush")
    cloud_files.pack("train", tmp_path / "s.tar.gz", root)
    with tarfile.open(tmp_path / "s.tar.gz") as tar:
        assert sorted(tar.getnames()) == [
            "requirements.txt",
            "scripts/__init__.py",
            "scripts/common/paths.py",
            "scripts/train/train_models.py",
        ]
        assert b"hush" not in b"".join(tar.extractfile(member).read() for member in tar)
    photos = tmp_path / "photos"
    (photos / "cat" / name).parent.mkdir(parents=True)
    (photos / "cat" / name).write_text("hush")
    (photos / "cat" / "1.jpg").write_bytes(b"x")
    assert cloud_files.data_files(photos, 1) == [("cat/1.jpg", 1)]


def test_photos_go_whatever_their_class_is_called_and_what_stays_is_said(tmp_path, capsys):
    for name in (
        "secretary_bird/1.jpg",
        "art_history/token_2.PNG",
        "art_history/.DS_Store",
        ".thumbs/1.jpg",
        "secretary_bird/id_rsa",
    ):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(b"x")
    assert [name for name, _ in cloud_files.data_files(tmp_path / "photos", 1)] == [
        "art_history/token_2.PNG",
        "secretary_bird/1.jpg",
    ]
    said = capsys.readouterr().err
    assert "3 stay here" in said and all(
        name in said for name in (".thumbs", "art_history/.DS_Store", "secretary_bird/id_rsa")
    )


@pytest.mark.parametrize("linked", ["cat/2.jpg", "dog"])
def test_a_link_among_the_photos_is_refused_since_a_training_here_would_follow_it(tmp_path, linked):
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    (tmp_path / "photos" / "cat" / "1.jpg").write_bytes(b"x")
    (tmp_path / "photos" / linked).symlink_to(
        tmp_path / "photos" / "cat" / "1.jpg" if "." in linked else tmp_path / "photos" / "cat"
    )
    with pytest.raises(UserError, match=f"{linked} is a link"):
        cloud_files.data_files(tmp_path / "photos", 1)


def test_the_same_program_is_packed_to_the_same_bytes(tmp_path, monkeypatch):
    root = project(tmp_path / "p")
    packed = []
    for moment in (1e9, 2e9):
        monkeypatch.setattr("time.time", lambda now=moment: now)
        cloud_files.pack("train", tmp_path / f"{moment}.tar.gz", root)
        packed.append((tmp_path / f"{moment}.tar.gz").read_bytes())
    assert packed[0] == packed[1]


def test_no_flipped_bit_of_an_archive_is_unpacked_in_silence(tmp_path):
    content = bytes(range(256)) * 2
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        (tmp_path / "zoo-a-b.csv").write_bytes(content)
        tar.add(tmp_path / "zoo-a-b.csv", "zoo-a-b.csv")
    whole = (tmp_path / "a.tar.gz").read_bytes()
    for at in range(len(whole)):
        (tmp_path / "a.tar.gz").write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        shutil.rmtree(tmp_path / "in", ignore_errors=True)
        try:
            assert cloud_files.unpack(tmp_path / "a.tar.gz", tmp_path / "in") == []
        except UserError:
            continue
        assert (tmp_path / "in" / "zoo-a-b.csv").read_bytes() == content, at


# Made up, and put together here so that no scanner takes this file for one that leaks.
KEYS = [
    "AKIA" + "IOSFODNN7EXAMPLE",
    "-----BEGIN RSA " + "PRIVATE KEY-----",
    "gh" + "p_" + "a" * 36,
    "hf_" + "b" * 34,
    "sk-" + "c" * 40,
]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_inside_the_program_stops_the_upload(tmp_path, key):
    root = project(tmp_path / "p")
    (root / "scripts" / "train" / "mine.py").write_text(f"KEY = '{key}'\n")
    with pytest.raises(UserError, match=r"scripts/train/mine.py: holds what looks like a key") as error:
        cloud_files.pack("train", tmp_path / "s.tar.gz", root)
    assert key not in str(error.value)


def test_links_out_of_the_program_are_not_followed(tmp_path):
    root = project(tmp_path / "p")
    (tmp_path / "outside.py").write_text("hush")
    (root / "scripts" / "train" / "link.py").symlink_to(tmp_path / "outside.py")
    assert "scripts/train/link.py" not in cloud_files.pack("train", tmp_path / "s.tar.gz", root)


def test_the_real_program_packs_small_and_pinned(tmp_path):
    names = cloud_files.pack("train", tmp_path / "s.tar.gz")
    assert (
        fast_local.ENTRY in names
        and "scripts/common/paths.py" in names
        and not any(name.startswith(("tests/", "report/", "scripts/site")) for name in names)
    )
    assert (tmp_path / "s.tar.gz").stat().st_size < 1e6
    pins = cloud_files.requirements("train").splitlines()
    assert (
        len(pins) == len(cloud_files.PACKAGES["train"])
        and all("==" in pin for pin in pins)
        and not any(pin.startswith("torch==") for pin in pins)
    )


# --- a user's mistakes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--data", "/no/such/folder"], "no such folder"),
        (["--processes", "-1"], "--processes -1"),
        (["--execution_mode", "local"], "Docker does not answer"),
        (["oops"], "oops: no option"),
    ],
)
def test_mistakes_are_one_line(arguments, words, capsys, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    assert run_training.main(arguments) == 2
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 1 and err[0].startswith("error: ") and words in err[0]


def test_without_the_cloud_packages_it_says_how_to_get_them(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(cloud_jobs, "PYTHON", tmp_path / "nothing")
    monkeypatch.setattr(run_training, "check", lambda _: None)
    assert run_training.main(["--execution_mode", "aws"]) == 2
    assert "make cloud" in capsys.readouterr().err


def test_options_of_train_models_are_looked_at_before_a_machine_is_paid_for(capsys):
    with pytest.raises(SystemExit):
        run_training.main(["--execution_mode", "aws", "--epochs", "many"])
    assert "--epochs" in capsys.readouterr().err
