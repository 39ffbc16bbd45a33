"""The process that measures. It imports torch and timm once, then answers requests until its pipe closes.

A model may take the process down (a crash, the kernel's out-of-memory killer, a CUDA fault); `sweep` then starts
another.
"""

from __future__ import annotations

import functools
import gc
import os
import signal
import threading
import warnings


def serve(pipe, verbs: dict | None = None) -> None:
    """Answer (verb, arguments) from `pipe` with ("ok", answer) or ("error", message). Ends with the process that
    started it. verbs: name -> function, instead of VERBS.
    """
    import multiprocessing

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the sweep's to handle
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()
    warnings.filterwarnings("ignore")
    from scripts.common.errors import UserError

    while True:
        try:
            verb, arguments = pipe.recv()
        except EOFError:
            return
        try:
            answer = ("ok", (verbs or VERBS)[verb](*arguments))
        except UserError as error:
            answer = ("error", str(error))
        # a GPU without memory for the ceilings, say. A fault in a model's measurement ends the process: it may be
        # broken
        except Exception as error:
            if verb == "measure":
                raise
            answer = ("error", f"{verb}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
        pipe.send(answer)


def _end_with(parent) -> None:
    """kill -9 of the sweep must not leave a model running: it would disturb the next measurement."""
    if parent:
        parent.join()
        os._exit(1)


def describe(device: str) -> dict:
    """The checked device, the versions that make a file's name, which card it is, and the fingerprints of the scripts
    that measure.
    """
    import timm
    import torch

    from scripts.bench import count, measure, models, roofline  # noqa: F401 - loaded, so that `code.running` sees them
    from scripts.bench.settings import check_device
    from scripts.common import code, device as devices

    device = check_device(device)
    return {
        "device": device,
        "platform": devices.in_file_names(device),
        "torch": str(torch.__version__),  # a class of torch's: who receives it would import torch
        "timm": timm.__version__,
        "code": code.running(),
        "uuid": devices.uuid(device),
    }


def choose(words: list[str], device: str = "cpu") -> list[str]:
    from scripts.bench import models

    return models.choose(words, kind=device.partition(":")[0])


def ceilings(device: str, precision: str, threads: int) -> dict:
    from scripts.bench import roofline

    return roofline.ceilings(device, precision, threads)


@functools.cache
def import_once() -> None:
    """Import what measuring needs and take it out of the garbage collector's sight, before the first model: looking
    through torch and timm took 0.19 s each time, and each model asks six times. What a model leaves is still found.
    """
    import timm  # noqa: F401
    import torch  # noqa: F401

    gc.freeze()


def measure(name: str, settings, ceilings_: dict) -> dict:
    from scripts.bench import measure as module

    import_once()
    return module.measure(name, settings, ceilings_)


VERBS = {"describe": describe, "choose": choose, "ceilings": ceilings, "measure": measure}
