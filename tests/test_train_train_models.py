import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from scripts.common import paths
from scripts.common.errors import UserError
from scripts.train import fit, metrics, models, results, take_in, train_models
from tests.threads import one_thread  # noqa: F401 - used by every test of the module
from tests.waiting import until


@pytest.fixture
def home(tmp_path, moved):
    """A folder for the tables, with a cache of its own."""
    moved(CACHE=tmp_path / ".cache")
    return tmp_path


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """Bright and dark pictures, which anything can tell apart."""
    root = tmp_path_factory.mktemp("data") / "shades"
    random = np.random.default_rng(0)
    for name, low in (("bright", 128), ("dark", 0)):
        (root / name).mkdir(parents=True)
        for i in range(20):
            Image.fromarray(random.integers(low, low + 128, (40, 48, 3), np.uint8)).save(root / name / f"{i}.png")
    return root


def command(home, data, *extra, models="lenet5"):
    return train_models.arguments(
        [
            "--data",
            str(data),
            "--models",
            models,
            "--epochs",
            "2",
            "--batch",
            "8",
            "--device",
            "cpu",
            "--threads",
            "1",
            "--out",
            str(home / "out"),
            *extra,
        ]
    )


def journals(home):
    return list((home / ".cache" / "train").glob("*")) if (home / ".cache" / "train").exists() else []


@pytest.mark.parametrize("precision, fused", [("bf16", False), ("fp32", True)])
def test_only_training_in_bf16_does_without_the_fused_attention(precision, fused, home, pets, monkeypatch):
    seen, forward = set(), models.LeNet5.forward

    def watched(network, pictures):
        seen.add((network.training, torch.backends.cuda.flash_sdp_enabled()))
        return forward(network, pictures)

    monkeypatch.setattr(models.LeNet5, "forward", watched)
    train_models.train(command(home, pets, "--precision", precision))
    assert seen == {(True, fused), (False, True)} and torch.backends.cuda.flash_sdp_enabled()


def test_tables_sidecars_and_predictions_agree(home, pets):
    path = train_models.train(command(home, pets, "--seeds", "2"))
    frame = results.read(path)
    assert path.name.startswith("zoo-shades-") and frame["seed"].tolist() == [0, 1]
    assert frame.loc[0, ["train_images", "valid_images", "test_images"]].tolist() == [28, 4, 8]
    long = results.predictions(results.part(path, "-predictions"))
    for _, row in frame.iterrows():  # any metric can be computed again from the predictions
        mine = long[long["seed"] == row["seed"]]
        again = metrics.evaluate(
            mine[["p:bright", "p:dark"]].to_numpy(),
            (mine["label"] == "dark").to_numpy().astype(int),
            ["bright", "dark"],
        )
        for name in metrics.NAMES:
            assert again.values[name][0] == pytest.approx(row[name], abs=1e-5, nan_ok=True), name
    assert (
        len(results.read(results.part(path, "-history"))) == 4
        and len(results.read(results.part(path, "-classes"))) == 4
    )
    facts = json.loads(path.with_suffix(".json").read_text())
    assert (
        facts["dataset"] == "shades" and facts["training_images"] == {"bright": 16, "dark": 16} and facts["seeds"] == 2
    )
    assert str(home) not in json.dumps(facts) and all(
        path.with_name(f"{path.stem}{name}.json").exists() for name in results.PARTS
    )
    assert not journals(home)  # a finished run leaves nothing to go on with


def test_a_finished_run_starts_afresh_and_keeps_other_rows(home, pets):
    path = train_models.train(command(home, pets, models="lenet5,resnet20"))
    first = results.read(path).set_index("model")
    train_models.train(command(home, pets, "--lr", "0.0001"))
    second = results.read(path).set_index("model")
    assert second.loc["lenet5", "lr"] == 0.0001 and first.loc["lenet5", "lr"] != 0.0001
    assert second.loc["resnet20"].equals(first.loc["resnet20"])


def test_pictures_that_changed_get_a_table_of_their_own(home, pets, tmp_path):
    grown = tmp_path / "grown" / pets.name
    shutil.copytree(pets, grown)
    Image.new("RGB", (40, 40), (250, 200, 150)).save(grown / "bright" / "new.png")
    first = train_models.train(command(home, pets, "--epochs", "1"))
    before = {path.name: path.read_bytes() for path in (home / "out").iterdir()}
    other, again = (
        train_models.train(command(home, grown, "--epochs", "1", models=name)) for name in ("lenet5", "resnet20")
    )
    assert other == again != first and results.read(other).model.tolist() == ["lenet5", "resnet20"]
    assert {name: (home / "out" / name).read_bytes() for name in before} == before
    assert other.name.startswith(f"zoo-{json.loads(other.with_suffix('.json').read_text())['dataset']}-")
    # From elsewhere, under the folder's own name: into the table of those pictures.
    (tmp_path / "elsewhere").mkdir()
    for name in results.PARTS:
        for kind in (".csv", ".json"):
            shutil.copy(
                results.part(other, name).with_suffix(kind),
                tmp_path / "elsewhere" / results.part(first, name).with_suffix(kind).name,
            )
    assert take_in.tables(tmp_path / "elsewhere", home / "out") == [other]
    assert (home / "out" / first.name).read_bytes() == before[first.name]


def test_killed_in_the_middle_it_goes_on_and_ends_the_same(home, pets, tmp_path):
    whole = results.read(train_models.train(command(home, pets, "--epochs", "6", models="lenet5,resnet20"))).set_index(
        "model"
    )
    again = command(tmp_path / "b", pets, "--epochs", "6", models="lenet5,resnet20")
    (tmp_path / "b").mkdir()
    start = "from scripts.train import fit, train_models; fit.CHECKPOINT_SECONDS = 0; train_models.main()"
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            start,
            "--data",
            str(pets),
            "--models",
            "lenet5,resnet20",
            "--epochs",
            "6",
            "--batch",
            "8",
            "--device",
            "cpu",
            "--threads",
            "1",
            "--out",
            str(tmp_path / "b" / "out"),
        ],
        cwd=paths.ROOT,
        env={**os.environ, "BEST_IMAGE_MODELS_ROOT": str(home)},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    kept = home / ".cache" / "train"
    until(lambda: list(kept.glob("*/resnet20-0.pt")) or process.poll() is not None, "the second network trains")
    process.send_signal(signal.SIGKILL)
    process.wait()
    main = next((tmp_path / "b" / "out").glob("zoo-shades-*[!sy].csv"))
    assert results.read(main)["model"].tolist() == ["lenet5"]
    path = train_models.train(again)
    resumed = results.read(path).set_index("model")
    assert "resumed after epoch" in resumed.loc["resnet20", "note"] and resumed.loc["lenet5", "note"] == ""
    for name in ("accuracy", "log_loss"):
        assert resumed[name].tolist() == whole[name].tolist()
    assert not list(home.rglob("*.tmp")) and not journals(home)


def test_a_model_that_diverges_is_left_out_and_the_rest_goes_on(home, pets, monkeypatch, capsys):
    monkeypatch.setattr(fit.Trainer, "run", diverging(fit.Trainer.run))
    path = train_models.train(command(home, pets, models="resnet20,lenet5"))
    assert results.read(path)["model"].tolist() == ["lenet5"]
    assert json.loads(path.with_suffix(".json").read_text())["failed"] == [
        {"model": "resnet20", "seed": 0, "reason": "the loss is nan"}
    ]
    assert "resnet20, seed 0: left out: the loss is nan" in capsys.readouterr().err
    with pytest.raises(UserError, match="no model could be trained; resnet20: the loss is nan"):
        train_models.train(command(home, pets, models="resnet20"))


def diverging(run):
    def wrapped(self):
        if isinstance(self.model, models.ResNet20):
            raise fit.Failed("the loss is nan")
        return run(self)

    return wrapped


def test_a_size_that_one_network_refuses_leaves_the_others(home, pets, capsys):
    path = train_models.train(command(home, pets, "--size", "64", models="lenet5,resnet20"))
    assert results.read(path)["model"].tolist() == ["resnet20"]
    assert "left out: lenet5: takes only 32 pixels, not 64" in capsys.readouterr().err
    with pytest.raises(UserError, match="lenet5: takes only 32"):
        train_models.train(command(home, pets, "--size", "64"))


def test_weights_out_of_reach_are_in_the_results(home, pets, monkeypatch):
    monkeypatch.setattr(models, "weights_out_of_reach", lambda entry: "the weights' hub cannot be reached")
    frame = results.read(train_models.train(command(home, pets, "--pretrained", "auto")))
    assert frame["weights"][0] == "scratch" and "hub cannot be reached; trained from scratch" in frame["note"][0]


def test_a_damaged_table_is_found_before_training(home, pets, monkeypatch):
    path = train_models.train(command(home, pets))
    path.write_text(path.read_text()[:-9])
    monkeypatch.setattr(fit.Trainer, "run", lambda self: pytest.fail("trained"))
    with pytest.raises(UserError, match=path.name):
        train_models.train(command(home, pets))


def test_a_full_disk_stops_the_run_in_one_line_and_keeps_what_was_there(home, pets, small_disk, capsys, monkeypatch):
    options = [
        "train",
        "--data",
        str(pets),
        "--models",
        "lenet5,resnet20",
        "--epochs",
        "1",
        "--batch",
        "8",
        "--device",
        "cpu",
        "--out",
        str(small_disk),
    ]
    (small_disk / "more").write_bytes(b"x" * 4096)
    monkeypatch.setattr(sys, "argv", options)
    assert train_models.main() == 2
    said = capsys.readouterr().err.splitlines()
    assert (
        said[-1].startswith("error: cannot write")
        and "disk is full" in said[-1]
        and not any("Traceback" in line for line in said)
    )
    assert sorted(file.name for file in small_disk.iterdir()) == ["filler", "more"]
    (small_disk / "filler").unlink()
    assert train_models.main() == 0
    assert len(results.read(next(small_disk.glob("zoo-*-*[!sy].csv")))) == 2


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--models", "resnet81"], "no architecture called 'resnet81'"),
        (["--data", "/nowhere/at/all"], "no such folder"),
        (["--device", "cuda:99"], "finds .* GPU"),
        (["--device", "toaster"], "not a device"),
    ],
)
def test_a_user_s_mistake_is_one_line(home, monkeypatch, capsys, arguments, message):
    import re

    monkeypatch.setattr(sys, "argv", ["train", "--out", str(home / "out"), *arguments])
    assert train_models.main() == 2
    said = capsys.readouterr().err.strip()
    assert re.search(message, said) and said.count("\n") == 0


def test_times_on_a_busy_machine_are_na_with_the_reason_and_the_metrics_stay(home, pets):
    assert not command(home, pets).untimed and command(home, pets, "--untimed").untimed
    path = train_models.train(command(home, pets, "--untimed", "true"))  # as a container's hyperparameters come
    row, history = results.read(path).iloc[0], results.read(results.part(path, "-history"))
    assert (
        row[["seconds_per_epoch", "train_seconds", "train_images_per_sec", "infer_images_per_sec"]].isna().all()
        and row["accuracy"] >= 0
    )
    assert "times n/a: other programs used the machine" in row["note"]
    assert (
        history[["seconds", "elapsed_seconds", "images_per_sec"]].isna().all().all()
        and history["train_loss"].notna().all()
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--seeds", "0"],
        ["--valid", "0.9"],
        ["--batch", "1"],
        ["--size", "100000"],
        ["--bogus"],
        ["--lr", "0"],
        ["--lr", "nan"],
        ["--warmup", "1"],
        ["--smoothing", "1"],
        ["--scale", "0"],
        ["--ema", "1"],
        ["--clip", "-1"],
        ["--seed", "-1"],
    ],
)
def test_impossible_settings_are_refused(arguments):
    with pytest.raises(SystemExit) as stopped:
        train_models.arguments(arguments)
    assert stopped.value.code == 2


BLOCKER = """
import importlib.metadata as metadata, re, sys
from importlib.machinery import PathFinder
from packaging.requirements import Requirement

def closure(names):
    seen, todo = set(), list(names)
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            wanted = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        asked = map(Requirement, wanted)
        todo += [one.name for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]
    return seen

allowed = closure(["torch", "timm", "torchvision", "pandas", "scikit-learn"]) - {"rich", "psutil"}
homes = {name: home for name, home in metadata.packages_distributions().items() if name not in ("scripts", "tests")}

class Few:
    # finds what the paths hold, but for packages that are not allowed

    def find_spec(self, name, path=None, target=None):
        home = homes.get(name.partition(".")[0], [])
        if home and not any(re.sub(r"[-_.]+", "-", one).lower() in allowed for one in home):
            return None
        return PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Few()
import json, runpy
for words in json.loads(sys.argv[1]):
    sys.argv = words
    print("=====", words[0], flush=True)
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code:
            raise
"""


def test_it_runs_with_torch_timm_torchvision_pandas_and_scikit_learn_alone(home, pets):
    """As on a lent machine that only trains: every other package is hidden, and of what those five ask for
    rich and psutil too.
    """
    (home / "report" / "data").mkdir(parents=True)
    out = ["--out", str(home / "out")]
    commands = {
        "scripts.train.train_models": "--models lenet5,resnet18,vit,levit,convnext --size 32 --epochs 1 --ema 0.9 "
        "--mix 0.5",
        "scripts.train.train_cnn": "--size 64 --epochs 1 --limit 6 --batch 4",
        "scripts.perf.train": "--model resnet20 --size 32 --epochs 1 --target 0.1 --batch 8",
    }
    words = [
        [module, "--data", str(pets), "--device", "cpu", *text.split(), *(out if ".perf." not in module else [])]
        for module, text in commands.items()
    ]
    done = subprocess.run(
        [sys.executable, "-c", BLOCKER, json.dumps(words)],
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "BEST_IMAGE_MODELS_ROOT": str(home), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.lower().split("===== ")[1:]
    assert [text.split()[0] for text in said] == list(commands)
    assert "5 models in" in said[0] and "accuracy" in said[1] and "real over synthetic" in said[2]
