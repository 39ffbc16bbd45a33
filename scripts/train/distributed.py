"""Training with several processes, one per GPU or processor core (PyTorch's DistributedDataParallel; torchrun starts
them).

    # NCCL on GPUs, gloo on CPUs
    torchrun --nproc_per_node 4 -m scripts.train.train_models --models resnet50 --data FOLDER

The global batch, the schedule and the order of the photos are those of one process: each process takes its share of
every batch, and the gradients are those of the whole batch. What differs is the augmentation's chance, and on CPUs that
batch norm sees a share of the batch (GPUs synchronise it); running statistics are averaged over the processes before
they are used. Without torchrun everything here is a no-op.

Sources: Goyal et al. 2017, arXiv:1706.02677; Li et al. 2020, "PyTorch Distributed", arXiv:2006.15704.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import time
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from scripts.common import device as devices
from scripts.common.errors import UserError

APART = 10**12  # between the seeds of two processes: further than any seed and epoch reach
SAID_BY_THE_FIRST = 30  # seconds that another process keeps an error to itself
TIMEOUT = timedelta(minutes=30)  # for a collective: the first process may be decoding a large dataset


def _started(name: str, alone: int) -> int:
    """What torchrun says; other launchers' variables of the same name are not for us."""
    return int(os.environ.get(name, alone)) if "TORCHELASTIC_RUN_ID" in os.environ else alone


def world() -> int:
    """How many processes train together: 1 without torchrun."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else _started("WORLD_SIZE", 1)


def rank() -> int:
    """This process's number, from 0. Rank 0 alone writes and speaks."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else _started("RANK", 0)


def local_rank() -> int:
    return _started("LOCAL_RANK", 0)


def device(asked: str) -> str:
    """What this process computes on, of what --device says: its own GPU where there are several processes.

    Raises UserError for what torch does not know or find, and where a GPU would serve two processes.
    """
    chosen = devices.check(asked)
    if chosen == "cpu" or world() == 1:
        return chosen
    if ":" in chosen:
        raise UserError(f"--device {asked}: with several processes each takes its own GPU; leave --device away")
    if not devices.traits(chosen).collectives:
        raise UserError(f"--device {asked}: several processes can't train together on it; use one, or --device cpu")
    there = devices.found()[1]
    if local_rank() >= there:
        raise UserError(
            f"--nproc_per_node is more than the {there} GPUs here; use as many processes as GPUs, or --device cpu"
        )
    return f"{chosen}:{local_rank()}"


@contextlib.contextmanager
def together(where: str):
    """Join the processes that torchrun started, for the time of a run; nothing for a single one. where: what
    `device` said.
    """
    if world() == 1:
        yield
        return
    if devices.on_gpu(where):
        devices.module(where).set_device(where)
    dist.init_process_group(devices.traits(where).collectives, timeout=TIMEOUT)
    try:
        with quiet():
            yield
        dist.barrier()  # nobody hangs up while another still listens, which gloo answers with an abort
    finally:
        dist.destroy_process_group()


@contextlib.contextmanager
def quiet():
    """Every process but the first says nothing while it works; its errors are still its own to print."""
    if rank() == 0:
        yield
        return
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        try:
            yield
        except UserError:
            time.sleep(
                SAID_BY_THE_FIRST
            )  # a mistake that all meet is said once: torchrun ends the others when the first process ends
            raise


@contextlib.contextmanager
def first():
    """The first process of each machine goes through this block before the others: it downloads and decodes, they find
    it done.

    Also where it fails in it: the others wait, and go on to the same failure.
    """
    if world() > 1 and local_rank() > 0:
        dist.barrier()
    try:
        yield
    finally:
        if world() > 1 and local_rank() == 0:
            dist.barrier()


def same(value):
    """Rank 0's `value`, on every process."""
    if world() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def share(rows: Tensor) -> Tensor:
    """This process's part of `rows`; the parts of all processes are `rows`, in order."""
    return rows.tensor_split(world())[rank()] if world() > 1 else rows


def gather(mine: Tensor, rows: int) -> Tensor:
    """The parts of all processes end to end, on each: (own rows, …) -> (rows, …), as `share` cut them."""
    if world() == 1:
        return mine
    largest = -(-rows // world())
    padded = torch.zeros((largest, *mine.shape[1:]), dtype=mine.dtype, device=mine.device)
    padded[: len(mine)] = mine
    parts = [torch.empty_like(padded) for _ in range(world())]
    dist.all_gather(parts, padded)
    sizes = [len(part) for part in torch.arange(rows).tensor_split(world())]
    return torch.cat([part[:size] for part, size in zip(parts, sizes)])


def total(value: Tensor) -> Tensor:
    """Sum over the processes, on each."""
    if world() > 1:
        dist.all_reduce(value)
    return value


def check(batch: int) -> None:
    """Raise UserError where a process's share of the batch is too small for batch norm."""
    if batch // world() < 2:
        raise UserError(
            f"--batch {batch} over {world()} processes leaves fewer than 2 images for each; use fewer processes or a "
            "larger --batch"
        )


def synchronised(model: nn.Module, where: torch.device) -> nn.Module:
    """On GPUs batch norm over the whole batch, as on one process. CPUs have no such kernel: there `level` averages
    the statistics.
    """
    if world() == 1 or not devices.on_gpu(where.type):
        return model
    from timm.layers import convert_sync_batchnorm  # knows timm's own norms, which torch's converter would break

    return convert_sync_batchnorm(model)


def wrap(model: nn.Module, where: torch.device) -> nn.Module:
    """`model` as DDP, which adds up the gradients while they are computed. The graph never changes; parameters it
    leaves out stay as they are.
    """
    if world() == 1:
        return model
    from torch.nn.parallel import DistributedDataParallel

    newer = (
        "forward_sync_buffers" in inspect.signature(DistributedDataParallel).parameters
    )  # PyTorch 2.10, of SageMaker's image, has the old name
    return DistributedDataParallel(
        model,
        device_ids=[where.index] if devices.on_gpu(where.type) else None,
        static_graph=True,
        gradient_as_bucket_view=True,
        **{"forward_sync_buffers" if newer else "broadcast_buffers": False},
    )


@torch.no_grad()
def level(*models: nn.Module | None) -> None:
    """Average the running statistics (floating-point buffers) of each model over the processes."""
    if world() == 1:
        return
    for model in filter(None, models):
        found = [value for value in model.buffers() if value.is_floating_point()]
        if found:
            flat = torch.cat([value.flatten().float() for value in found])
            dist.all_reduce(flat)
            for value, mean in zip(found, (flat / world()).split([value.numel() for value in found])):
                value.copy_(mean.view_as(value))


def note(where: torch.device) -> list[str]:
    """What a result's note says of it."""
    how = devices.traits(where.type).collectives
    return [f"{world()} processes ({how if how == 'gloo' else how.upper()})"] if world() > 1 else []
