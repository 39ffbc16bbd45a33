"""The notebook for machines that one doesn't have, run from a zip of made photos to the model's zip."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

from scripts.common.paths import ROOT

NOTEBOOK = ROOT / "report" / "notebooks" / "choose.ipynb"
pytestmark = pytest.mark.slow


def execute(folder: Path, monkeypatch, **settings: str) -> str:
    """What the notebook prints, run in `folder` with these settings. Raises CellExecutionError."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=1100, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.get("text", "") for output in outputs)


@pytest.fixture
def project(tmp_path) -> Path:
    """A folder with the project in it, as after the notebook's installing, so that the run writes nothing here."""
    target = tmp_path / "best-image-models"
    shutil.copytree(ROOT / "scripts", target / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Makefile", target)
    (target / "report" / "data").mkdir(parents=True)
    (target / ".venv").symlink_to((ROOT / ".venv").resolve())
    return tmp_path


def test_photos_become_a_model_that_can_be_taken_home(project, monkeypatch):
    random = np.random.default_rng(0)
    with zipfile.ZipFile(project / "photos.zip", "w") as archive:
        for name, colour in (("sea", (60, 90, 190)), ("wood", (80, 170, 60))):
            for number in range(16):
                blocks = np.clip(random.integers(-80, 80, (6, 6, 3)) + np.array(colour), 0, 255).astype(np.uint8)
                path = project / "one.png"
                Image.fromarray(np.kron(blocks, np.ones((20, 20, 1), np.uint8))).save(path)
                archive.write(path, f"trip/{name}/{number}.png")
    one = "tf_efficientnet_lite0@64"  # ten would be compiled otherwise, which takes minutes
    said = execute(project, monkeypatch, PHOTOS="photos.zip", BACKBONES=one, PROFILE="quick")
    assert "sea: 16 files" in said and "90% interval" in said and "Next: make train" in said
    with zipfile.ZipFile(project / "my-model.zip") as archive:
        assert {"model.safetensors", "config.json", "SHA256SUMS"} <= {Path(name).name for name in archive.namelist()}


def test_a_missing_zip_is_said_in_a_line(project, monkeypatch):
    with pytest.raises(CellExecutionError, match=r"nothing\.zip: no such zip or folder"):
        execute(project, monkeypatch, PHOTOS="nothing.zip")


def test_without_the_project_its_address_is_asked_for(tmp_path, monkeypatch):
    with pytest.raises(CellExecutionError, match="paste the project's address"):
        execute(tmp_path, monkeypatch, PHOTOS="photos.zip", REPOSITORY="")
