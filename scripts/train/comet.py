"""Tell a run to Comet: online with COMET_API_KEY, else into a zip that can be uploaded later.

    python -m scripts.train.pets_export --data FOLDER --tracker comet       # its zip's path is printed
    python -m scripts.train.runs --comet RUN                                # afterwards, from a run's log

No network, or a key that Comet does not take, is one line and an offline run. Source: comet_ml's `Experiment` and
`OfflineExperiment`.
"""

from __future__ import annotations

import logging
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

PROBE_SECONDS = 3.0  # Comet's own client tries for 35 s where there is no network


class Comet:
    """Comet: online with COMET_API_KEY where the server answers and takes the key, offline otherwise. Nothing is
    logged but what it's told.
    """

    name = "Comet"
    QUIET: ClassVar = {
        "log_code": False,
        "log_graph": False,
        "auto_param_logging": False,
        "auto_metric_logging": False,
        "auto_output_logging": False,
        "parse_args": False,
        "log_git_metadata": False,
        "log_git_patch": False,
        "log_env_details": False,
        "log_env_gpu": False,
        "log_env_cpu": False,
        "log_env_host": False,
        "display_summary_level": 0,
    }

    def __init__(self, folder: Path, name: str, say: Callable[[str], None]):
        logging.getLogger("comet_ml").setLevel(logging.CRITICAL)
        key, why = os.environ.get("COMET_API_KEY", "").strip(), ""
        if key and not _answers(os.environ.get("COMET_URL_OVERRIDE", "https://www.comet.com/clientlib/")):
            why = "Comet's server cannot be reached"
        import comet_ml

        logging.getLogger("comet_ml").setLevel(logging.CRITICAL)
        self.experiment = None
        if key and not why:
            try:
                self.experiment = comet_ml.Experiment(api_key=key, project_name="best-image-models", **self.QUIET)
            except Exception as error:  # its client has errors of every kind, ValueError among them
                why = f"Comet refused ({type(error).__name__})"
            if self.experiment is not None and not self.experiment.alive:
                self.experiment, why = None, "Comet did not take the key in COMET_API_KEY"
        self.zip: Path | None = None
        if self.experiment is None:
            folder.mkdir(parents=True, exist_ok=True)
            self.experiment = comet_ml.OfflineExperiment(
                project_name="best-image-models", offline_directory=str(folder), **self.QUIET
            )
            self.zip = folder / f"{self.experiment.id}.zip"
            if why:
                say(f"{why}; this run is kept offline")
        self.experiment.set_name(name)
        self.say = say

    def params(self, values):
        self.experiment.log_parameters(dict(values))

    def metrics(self, values, step=None, epoch=None):
        self.experiment.log_metrics(dict(values), step=step, epoch=epoch)

    def confusion(self, matrix, classes):
        self.experiment.log_confusion_matrix(matrix=[list(row) for row in matrix], labels=list(classes))

    def summary(self, text):
        self.experiment.set_model_graph(text)

    def file(self, path):
        self.experiment.log_model(Path(path).parent.name, str(path))

    def close(self, status):
        self.experiment.log_other("status", status)
        self.experiment.end()
        if self.zip and self.zip.is_file():
            self.say(f"offline run for Comet: {self.zip}; upload it with: comet upload {self.zip}")


def _answers(url: str, timeout: float = PROBE_SECONDS) -> bool:
    """Whether any HTTP server answers at `url`."""
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=timeout).close()
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False
    return True
