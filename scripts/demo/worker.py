"""The models of the web app, in a process of their own.

Torch and gradio then load side by side, the server stays responsive while a network computes, and what crashes a
network or takes for ever costs this process, which is started again, and not the app. It gets pixels, which other
processes read (scripts.demo.photo). It ends by itself when the app does, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

from scripts.common.errors import UserError
from scripts.common.paths import ROOT
from scripts.demo.apart import Apart
from scripts.demo.photo import Readers

CHOOSING_SECONDS = 600  # a choice that takes longer is given up; PyTorch goes on answering
ANSWER_SECONDS = 60  # a photo that takes longer is given up
CLOSING = "The app is closing."


class About(NamedTuple):
    """One model: its name, architecture, classes, pixels a side, and what its export says about its training."""

    name: str
    arch: str
    classes: tuple[str, ...]
    size: int
    trained: dict


class Shown(NamedTuple):
    """One model's answer: class -> share, most likely first; milliseconds; a Pillow image, bright where the answer
    came from; what computed it.
    """

    name: str
    probabilities: dict[str, float]
    milliseconds: float
    picture: Any
    runtime: str = ""


def choose(predictors: list, folders: list[Path]) -> None:
    """Let each predictor answer in its fastest runtime; chosen in a process apart where it is not yet known, while
    PyTorch answers.
    """
    from scripts.demo import fastest

    for one, folder in zip(predictors, folders):
        one.take_remembered()
        if one.fast is None and fastest.remembered(one) is None:
            command = [sys.executable, "-m", "scripts.demo.choose_runtime", str(folder), "--parent", str(os.getpid())]
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                subprocess.run(command, cwd=ROOT, capture_output=True, timeout=CHOOSING_SECONDS)
            one.take_remembered()


def serve(pipe, folders: list[Path], trust_pickle: bool, runtime: str = "auto") -> None:
    """In the process: load, say so, and answer one photo after the other until the other end is gone."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the app's to handle
    try:
        import torch
        from PIL import Image

        from scripts.demo.predict import NotAPhoto, load_all, spotlight

        predictors = load_all(folders, trust_pickle, runtime)
    except (UserError, OSError) as error:
        pipe.send(("error", str(error)))
        return
    pipe.send(
        (
            "ready",
            [
                About(one.name, one.config.arch, one.config.classes, one.config.size, one.config.trained)
                for one in predictors
            ],
        )
    )
    if runtime == "auto" and not trust_pickle:
        threading.Thread(target=choose, args=(predictors, folders), daemon=True).start()
    while True:
        try:
            size, pixels = pipe.recv()
        except (EOFError, OSError):
            return
        if all(one.fast is not None for one in predictors) and torch.get_num_threads() > 1:
            # What is left to PyTorch beside another runtime takes longer in two threads: ResNet-18 to its heat map 16.6
            # ms, 12.8 in one (two cores). Once and for all: to go back and forth costs more than it gains.
            torch.set_num_threads(1)
        try:
            image = Image.frombytes("RGB", size, pixels)
            found = [(one, one.ask(image)) for one in predictors]
            pipe.send(
                (
                    "answer",
                    [
                        Shown(
                            one.name,
                            answer.probabilities,
                            answer.milliseconds,
                            spotlight(image, answer, one.config),
                            answer.runtime,
                        )
                        for one, answer in found
                    ],
                )
            )
        except NotAPhoto as reason:
            pipe.send(("refused", str(reason)))
        except (MemoryError, RuntimeError) as error:
            pipe.send(("refused", f"This photo could not be classified ({type(error).__name__}). Try another."))


class Models(Apart):
    """The other end, with the readers of photos. Threads may share it: photos are read side by side, and answered in
    turn.
    """

    def __init__(self, folders: list[Path], trust_pickle: bool = False, runtime: str = "auto"):
        self.folders, self.trust_pickle, self.runtime = folders, trust_pickle, runtime
        self.lock = threading.Lock()  # of the answer
        super().__init__()
        self.readers = Readers()

    def start(self) -> None:
        self.about: list[About] = []
        self.launch(serve, self.folders, self.trust_pickle, self.runtime)

    def ready(self) -> list[About]:
        """Wait until the models are loaded. Raises UserError where one can't be."""
        if not self.about:
            try:
                kind, value = self.pipe.recv()
            except (EOFError, OSError):
                kind, value = (
                    "error",
                    f"the models' process ended while it loaded {self.folders[0]}; is there enough memory?",
                )
            if kind == "error":
                raise UserError(value)
            self.about = value
        return self.about

    def ask(self, path: str) -> list[Shown] | str:
        """Each model's answer for the file at `path`, or a sentence on why there is none."""
        photo = self.readers.read(path)
        if isinstance(photo, str):
            return CLOSING if self.closed else photo
        with self.lock:
            if self.closed:
                return CLOSING
            try:
                self.ready()
                self.pipe.send((photo.size, photo.tobytes()))
                if not self.pipe.poll(ANSWER_SECONDS):
                    self.restart()
                    return f"This photo took more than {ANSWER_SECONDS} seconds and was given up. Try another."
                return self.pipe.recv()[1]
            except (EOFError, OSError, UserError):
                self.restart()
                return (
                    CLOSING
                    if self.closed
                    else "This photo made the models' process end; it was started again. Try another photo."
                )

    def close(self) -> None:
        super().close()
        self.readers.close()
