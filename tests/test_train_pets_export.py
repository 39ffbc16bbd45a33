"""From a folder of photos to an export: what is wrong with the photos, an interrupted run, weights that can't be
had.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scripts.common.errors import UserError
from scripts.train import datasets, exported, features, finetune, frozen, pets_export, runs, tracking, weights
from scripts.train.stages import Stages
from tests.threads import one_thread  # noqa: F401 - used by every test of the module

ARCH, SIZE = "test_resnet", 32
FIND = weights.find


def draw(path: Path, bright: bool, rng) -> None:
    """A picture of 40×40 pixels: bright ones are one class, dark ones the other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((rng.integers(0, 90, (40, 40, 3)) + 160 * bright).astype(np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    for i in range(16):
        draw(tmp_path / "photos" / "day" / f"{i}.png", True, rng)
        draw(tmp_path / "photos" / "night" / f"{i}.png", False, rng)
    return tmp_path / "photos"


@pytest.fixture
def settings(tmp_path, folder, monkeypatch, moved):
    """Settings of a run that writes only into a temporary folder, and asks no hub."""
    moved(DATA=tmp_path / "data", CHARTS=tmp_path / "charts", CACHE=tmp_path / "cache")
    monkeypatch.setattr(tracking, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(tracking, "TensorBoard", lambda folder: tracking.Tracker())
    monkeypatch.setattr(weights, "find", lambda name, folder=None: (None, "the weights' hub cannot be reached"))
    monkeypatch.setattr(weights, "embedded_for", lambda size: None)
    monkeypatch.setattr(exported, "to_onnx", lambda model, config: b"")
    monkeypatch.setattr(exported, "onnx_difference", lambda content, model, sample: 0.0)
    (tmp_path / "cache").mkdir()
    return pets_export.Settings(
        str(folder), ARCH, epochs=3, size=SIZE, batch=8, out=tmp_path / "models" / "pets", tracker="none"
    )


def history(settings) -> pd.DataFrame:
    return pd.read_csv(next(path for path in pets_export.DATA.glob("pets-*.csv") if "predictions" not in path.name))


def test_a_folder_becomes_a_model(settings, folder, capsys):
    (folder / "day" / "broken.jpg").write_text("<html>no photo</html>")
    shutil.copy(folder / "day" / "1.png", folder / "day" / "copy.png")
    (settings.out.parent).mkdir()
    outcome = pets_export.run_all(settings)
    said = capsys.readouterr().err
    assert "trained from scratch, since the weights' hub cannot be reached" in said and "2 files left out" in said
    model = exported.load(settings.out)
    assert model.config.classes == ("day", "night") and model.config.weights == "scratch"
    found = history(settings)
    assert found.epoch.tolist() == [1, 2, 3]
    photos = pd.read_csv(next(pets_export.DATA.glob("*-predictions.csv")))
    assert (
        set(photos.split) == {"valid", "test"}
        and photos.photo.is_unique
        and "png" not in next(pets_export.DATA.glob("*-predictions.csv")).read_text()
    )
    assert np.allclose(photos.p_day + photos.p_night, 1, atol=1e-4)
    wrong = (photos.label != photos.predicted).groupby(photos.split).mean()
    assert outcome["error_rate"] == {"test": pytest.approx(wrong["test"]), "valid": pytest.approx(wrong["valid"])}
    facts = json.loads(next(pets_export.DATA.glob("*-predictions.json")).read_text())
    assert facts["excluded"] == 2
    (names,) = pets_export.CHARTS.glob("*-photos.csv")  # stays on this machine
    assert pd.read_csv(names).photo.tolist() == photos.photo.tolist() and "copy" not in names.read_text()
    assert str(folder.parent) not in json.dumps(facts)  # no path of this machine is published
    assert len(list((settings.out / "examples").glob("*.jpg"))) == 4


def test_the_learner_is_the_courses(settings, folder):
    from fastai.learner import load_learner

    pets_export.run_all(settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        learner = load_learner(settings.out / "model.pkl")
    photo = folder / "day" / "3.png"
    with learner.no_bar():
        name, _, shares = learner.predict(str(photo))
    assert name in ("day", "night")
    from scripts.train import photos

    model = exported.load(settings.out)
    with open(photo, "rb") as file:
        ours = model.probabilities(model.pixels(photos.decode(file.read(), model.config.side)))[0]
    np.testing.assert_allclose(ours, shares.numpy(), atol=0.02)
    trusted = exported.load(settings.out, trust_pickle=True)
    np.testing.assert_allclose(
        trusted.probabilities(model.pixels(Image.open(photo).convert("RGB"))),
        model.probabilities(model.pixels(Image.open(photo).convert("RGB"))),
        atol=1e-5,
    )


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(settings, monkeypatch):
    pets_export.run_all(settings)
    whole = history(settings)
    shutil.rmtree(pets_export.DATA)
    metrics = tracking.Run.metrics

    def stop_in_the_second_epoch(self, values, step=None, epoch=None):
        if step == 4:
            raise KeyboardInterrupt
        metrics(self, values, step, epoch)

    with monkeypatch.context() as patch:
        patch.setattr(tracking.Run, "metrics", stop_in_the_second_epoch)
        with pytest.raises(KeyboardInterrupt):
            pets_export.run_all(settings)
    assert not pets_export.DATA.exists()
    pets_export.run_all(dataclasses.replace(settings, tracker="local"))
    told = [point["epoch"] for point in runs.read_runs()[0]["history"] if point["epoch"] and "train_loss" in point]
    assert told == [1, 2, 3]  # its log tells of the epochs before the interruption, too
    resumed = history(settings)
    pd.testing.assert_frame_equal(resumed.drop(columns="seconds"), whole.drop(columns="seconds"), rtol=1e-3, atol=1e-5)
    assert not list((finetune.CACHE / "pets").iterdir())  # a finished run leaves nothing behind


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:20]),
        lambda path: path.write_text("[{}]"),
        lambda path: path.unlink(),
    ],
)
@pytest.mark.parametrize("which", ["*.json", "*.pth"])
def test_a_damaged_checkpoint_is_not_used(settings, tmp_path, damage, which):
    from types import SimpleNamespace

    import torch

    model = torch.nn.Linear(2, 2)
    loaded = []
    learner = SimpleNamespace(model=model, opt=model, load=lambda name, with_opt: loaded.append(name))
    journal = finetune.Epochs({"a": 1})
    journal.history = [{"epoch": 1}]
    journal.save(learner)
    finetune.Epochs({"a": 1}).resume(learner)
    assert loaded == [journal.weights.stem]
    damage(next((finetune.CACHE / "pets").glob(which)))
    again = finetune.Epochs({"a": 1})
    again.resume(learner)
    assert again.history == [] and len(loaded) == 1


@pytest.fixture
def pretrained(settings, tmp_path, monkeypatch, moved):
    """Settings of a run that finds weights of test_resnet in a folder. (They are made up.)"""
    import timm
    from safetensors.torch import save_file

    (tmp_path / "weights").mkdir()
    save_file(timm.create_model(ARCH).state_dict(), tmp_path / "weights" / f"{ARCH}.safetensors")
    monkeypatch.setattr(weights, "find", FIND)
    monkeypatch.setattr(features, "RUNTIMES", {"cpu": (("eager", "fp32"),)})
    moved(CACHE=tmp_path / "cache")
    return dataclasses.replace(settings, weights=tmp_path / "weights", epochs=2)


def test_training_begins_with_a_probe_and_keeps_the_better_one(pretrained, capsys):
    outcome = pets_export.run_all(pretrained)
    found, said = history(pretrained), capsys.readouterr().err
    assert found.phase.tolist() == ["probe", "all", "all"] and found.epoch.tolist() == [0, 1, 2]
    assert "from the folder given" in said and "kept: the" in said
    back = exported.load(pretrained.out)
    assert back.config.builder == "probed" and back.config.weights != "scratch"
    best = "probe" if found.error_rate[0] <= found.error_rate[2] else "fine-tuned network"
    assert outcome["kept"] == best and outcome["error_rate"]["test"] <= 0.5


@pytest.mark.parametrize("better", [True, False])
def test_fine_tuning_that_spoils_the_probe_is_not_kept(pretrained, monkeypatch, better):
    """Whichever is kept, the exported model answers as the table says."""
    train = finetune.train

    def spoil(learner, settings, journal, run, from_probe):
        train(learner, settings, journal, run, from_probe)
        journal.history[-1]["error_rate"] = -1.0 if better else 1.0

    monkeypatch.setattr(finetune, "train", spoil)
    outcome = pets_export.run_all(pretrained)
    assert outcome["kept"] == ("fine-tuned network" if better else "probe")
    answers_as_its_table_says(pretrained)


def answers_as_its_table_says(pretrained):
    table = pd.read_csv(next(pets_export.DATA.glob("*-predictions.csv")))
    dataset = datasets.load(pretrained.data, SIZE)
    back = exported.load(pretrained.out)
    test = table[table.split == "test"]
    for number, predicted, probability in zip(test.photo, test.predicted, test.probability):
        answer = back.probabilities(exported.preprocess(np.asarray(dataset.pixels[number - 1]), back.config))[0]
        assert back.config.classes[answer.argmax()] == predicted and abs(answer.max() - probability) < 0.03


def test_the_probe_alone(pretrained, capsys):
    outcome = pets_export.run_all(dataclasses.replace(pretrained, epochs=0))
    assert outcome["kept"] == "probe" and history(pretrained).phase.tolist() == ["probe"]


def test_a_probe_on_its_stages_where_that_is_better(pretrained, monkeypatch, capsys):
    fit = frozen.fit

    def worse(known, labels, dataset, body):
        judged = fit(known, labels, dataset, body)
        return judged if isinstance(body, Stages) else judged._replace(probabilities=-judged.probabilities)

    monkeypatch.setattr(frozen, "fit", worse)
    pets_export.run_all(dataclasses.replace(pretrained, epochs=0))
    assert "and those of 4 stages before" in capsys.readouterr().err
    assert exported.load(pretrained.out).config.builder == "stages"
    answers_as_its_table_says(pretrained)


def test_a_slow_machine_keeps_to_the_probe_and_says_so(pretrained, monkeypatch, capsys):
    monkeypatch.setattr(finetune, "affordable", lambda learner, settings, ladder: ladder[-1])
    outcome = pets_export.run_all(dataclasses.replace(pretrained, seconds=1.0, epochs=None))
    assert outcome["kept"] == "probe" and "no fine-tuning: an epoch does not fit" in capsys.readouterr().err


def test_damaged_weights_are_one_line(pretrained):
    file = pretrained.weights / f"{ARCH}.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(UserError, match="cut short"):
        pets_export.run_all(pretrained)
    with pytest.raises(UserError, match="no weights called"):
        pets_export.run_all(dataclasses.replace(pretrained, arch="resnet99"))


def test_a_loss_that_is_no_number_stops_the_run(settings, monkeypatch):
    monkeypatch.setattr(finetune, "SCRATCH_LR", 1e30)
    with pytest.raises(UserError, match="the loss is"):
        pets_export.run_all(settings)
    assert not settings.out.exists() and not pets_export.DATA.exists()


@pytest.mark.parametrize(
    "arch, what",
    [
        ("resnet1888", "did you mean"),
        ("lenet5", "not an architecture of timm's"),
        ("../../x", "no architecture"),
        ("swin_tiny_patch4_window7_224", "swin_tiny"),
    ],
)
def test_an_architecture_that_cannot_be_trained_is_named(settings, arch, what):
    with pytest.raises(UserError, match=what):
        pets_export.run_all(dataclasses.replace(settings, arch=arch))


def empty(folder):
    shutil.rmtree(folder), folder.mkdir()


def no_photos(folder):
    [path.write_text("no photo") for path in folder.rglob("*.png")]


def one_class(folder):
    shutil.rmtree(folder / "night")


def too_few(folder):
    [path.unlink() for path in list((folder / "night").iterdir())[2:]]


def both_labels(folder):
    [shutil.copy(path, folder / "night" / path.name) for path in (folder / "day").iterdir()]


def gone(folder):
    shutil.rmtree(folder)


@pytest.mark.parametrize("spoil", [empty, no_photos, one_class, too_few, both_labels, gone])
def test_photos_that_cannot_be_learned_from_are_refused(settings, folder, spoil):
    spoil(folder)
    with pytest.raises(UserError):
        pets_export.run_all(settings)
    assert not settings.out.exists()


def test_digits_give_a_model_to_try_and_no_tables(settings, monkeypatch):
    from sklearn import datasets as sklearn_datasets

    found = sklearn_datasets.load_digits()
    found.images, found.target = found.images[::9], found.target[::9]  # 200 of them: all take 24 s of a core
    monkeypatch.setattr(sklearn_datasets, "load_digits", lambda: found)
    pets_export.run_all(dataclasses.replace(settings, data="digits", epochs=1, batch=64))
    model = exported.load(settings.out)
    assert len(model.config.classes) == 10 and len(list((settings.out / "examples").glob("*.jpg"))) == pets_export.SHOWN
    assert not pets_export.DATA.exists()


def test_a_photo_that_goes_missing_at_the_end_loses_no_epoch(settings, monkeypatch):
    learn = finetune.train

    def then_lose_the_photos(*arguments):
        learn(*arguments)
        for path in Path(settings.data).rglob("*.png"):
            path.unlink()

    with monkeypatch.context() as patch:
        patch.setattr(finetune, "train", then_lose_the_photos)
        with pytest.raises(UserError, match="cannot be read any more"):
            pets_export.run_all(settings)
    assert list((finetune.CACHE / "pets").glob("*.pth")) and not settings.out.exists()


def test_oxfords_labels_come_from_the_file_names(tmp_path, moved):
    rng = np.random.default_rng(0)
    moved(CACHE=tmp_path / "cache")
    root = tmp_path / "oxford"
    for breed, cat in (("Abyssinian", True), ("beagle", False), ("Bengal", True), ("pug", False)):
        for i in range(10):
            draw(root / "images" / f"{breed}_{i}.jpg", cat, rng)
    lines = {
        split: "".join(f"{path.stem} 1 1 1\n" for path in sorted((root / "images").glob(f"*_[{digits}].jpg")))
        for split, digits in (("trainval", "0-6"), ("test", "7-9"))
    }
    (root / "annotations").mkdir()
    for split, text in lines.items():
        (root / "annotations" / f"{split}.txt").write_text(text)
    dataset = pets_export.load_data(str(root), SIZE)
    assert dataset.classes == ["cat", "dog"]
    for name, label in zip(dataset.files, dataset.labels):
        assert dataset.classes[label] == ("cat" if Path(name).name[0].isupper() else "dog")
    assert len(dataset.files) == 40


def test_a_slow_machine_trains_fewer_epochs(settings, monkeypatch):
    from types import SimpleNamespace

    import torch

    class Slow(torch.nn.Module):
        def forward(self, pixels):
            finetune.time.sleep(0.02)
            return self.weight * pixels

    model = Slow()
    model.weight = torch.nn.Parameter(torch.ones(1))
    learner = SimpleNamespace(
        model=model,
        loss_func=lambda out, labels: out.sum(),
        dls=SimpleNamespace(one_batch=lambda: (torch.ones(2), None), train=range(10)),
    )
    quick = dataclasses.replace(settings, epochs=14)  # ten steps of 20 ms and 30% more: an epoch takes 0.26 s
    epochs = [finetune.affordable(learner, dataclasses.replace(quick, seconds=seconds)) for seconds in (0.1, 1.2, 1000)]
    assert epochs[0] == 2 and 3 <= epochs[1] <= 4 and epochs[2] == 14 and model.weight.grad is None


def test_fast_arithmetic_leaves_the_network_as_it_was(monkeypatch):
    import torch

    from scripts.train import fit

    monkeypatch.setattr(fit, "precision_for", lambda device, model: "bf16")
    model = torch.nn.Conv2d(3, 4, 3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    pixels = torch.randn(1, 3, 8, 8)
    exact = model(pixels)
    with pytest.raises(KeyboardInterrupt), finetune.fast_arithmetic(model, "cpu"):
        rough = model(pixels)
        raise KeyboardInterrupt
    assert rough.dtype == torch.float32 and not torch.equal(rough, exact) and torch.allclose(rough, exact, atol=0.05)
    assert torch.equal(model(pixels), exact) and model.weight.is_contiguous()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_full_disk_is_one_line(settings, small_disk):
    with pytest.raises(UserError, match="disk is full"):
        pets_export.run_all(dataclasses.replace(settings, out=small_disk / "model"))


def test_the_command_says_what_is_wrong_in_one_line(settings, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["pets_export", "--data", "/no/such/folder", "--epochs", "1"])
    assert pets_export.main() == 2
    assert (
        capsys.readouterr().err
        == "error: /no/such/folder: no such folder; name one with a folder per class, or with training_set/ and "
        "test_set/\n"
    )
    monkeypatch.setattr("sys.argv", ["pets_export", "--size", "100000"])
    assert pets_export.main() == 2 and "--size 100000" in capsys.readouterr().err
