"""Where a training process runs: its device, its threads, and the processes beside it."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from ..processes import rank_and_world
from .settings import TrainSettings


@dataclass(frozen=True)
class Place:
    """This process's number, how many there are, its device, and the precision it works in."""

    rank: int
    world: int
    device: torch.device
    precision: str

    @property
    def bfloat16(self) -> bool:
        """Whether matrix products are made in bfloat16: where it is wanted, or a GPU has it."""
        can = self.device.type == "cuda" and torch.cuda.is_bf16_supported(
            including_emulation=False  # A T4 would emulate it, which is slow.
        )
        return self.precision == "bf16" or (self.precision == "auto" and can)

    @property
    def slow_bfloat16(self) -> bool:
        """Whether it makes them so on a CPU known to have no units for it, which is slow."""
        if not self.bfloat16 or self.device.type != "cpu":
            return False
        try:
            return not has_bfloat16_units(Path("/proc/cpuinfo").read_text(encoding="utf-8"))
        except OSError:
            return False  # Not Linux: nobody knows.

    def autocast(self) -> AbstractContextManager[Any]:
        """What a forward pass runs under."""
        if self.bfloat16:
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return nullcontext()

    def agreed(self, value: float) -> float:
        """The first process's value, so that all of them take the same turns."""
        if self.world == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(shared, 0)
        return float(shared)

    def add_up(self, weights: Iterable[torch.Tensor], total: torch.Tensor) -> None:
        """Sum gradients and loss over all processes; each has divided by the whole batch."""
        if self.world == 1:
            return
        for p in weights:
            if p.requires_grad:
                p.grad = torch.zeros_like(p) if p.grad is None else p.grad
                dist.all_reduce(p.grad)
        dist.all_reduce(total)

    def wait(self) -> None:
        """Until all processes are here."""
        if self.world > 1:
            dist.barrier()

    def leave(self) -> None:
        """The end of working together."""
        self.wait()
        if self.world > 1:
            dist.destroy_process_group()


def place(settings: TrainSettings) -> Place:
    """Where this process is to train; threads are set as well."""
    torch.set_num_threads(settings.threads or _physical_cores())
    cuda = settings.device != "cpu" and torch.cuda.is_available()
    rank, world = rank_and_world()
    local = int(os.environ.get("LOCAL_RANK") or 0) if world > 1 else 0
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    else:
        _spare_page_faults()
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if cuda else "gloo")
    return Place(rank, world, device, settings.precision)


def has_bfloat16_units(cpuinfo: str) -> bool:
    """Whether a processor multiplies matrices in bfloat16, by Linux's account of it.

    Example:
        >>> has_bfloat16_units("flags : sse2 avx512f avx512_bf16")
        True
    """
    return re.search(r"\b(avx512_bf16|amx_bf16|bf16)\b", cpuinfo) is not None


def can_compile(device: torch.device) -> bool:
    """Whether `torch.compile` works there, found out by a trial.

    Beside a compiler it needs Python's headers, PyTorch's own, and on a Mac OpenMP's.
    """
    from torch._inductor.cpp_builder import get_cpp_compiler

    try:
        # First, since what was compiled before is found without a compiler.
        if device.type == "cpu" and not get_cpp_compiler():
            return False
        torch.compile(lambda x: x + 1)(torch.ones(8, device=device))
    except Exception:  # torch has errors of its own for each thing that is absent or broken
        return False
    return True


def compiles(
    settings: TrainSettings, device: torch.device, progress: Callable[[str], None]
) -> bool:
    """Whether the layers are compiled: if that is wanted, and works here."""
    if not settings.compile:
        return False
    found = can_compile(device)
    if not found:
        progress(
            "torch.compile doesn't work here (it needs a C++ compiler such as g++ or clang++, and "
            "Python's headers, as in python3-dev); training is slower without"
        )
    return found


def _spare_page_faults() -> None:
    """Tell glibc to keep what is freed, and PyTorch to ask for large pages.

    Every large tensor is mapped anew otherwise, and the kernel clears its pages each time: half of
    a training step was spent there, measured on two cores. Large pages are fewer to clear.
    """
    # Read when the first tensor is made; later it does nothing.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(mmap_max, 0)
        libc.mallopt(trim_threshold, -1)  # Never.
    except (OSError, AttributeError):
        pass  # Another libc; it is only a matter of speed.


def _physical_cores() -> int:
    """Cores without their second threads, which only get in the way of matrix products."""
    affinity = getattr(os, "sched_getaffinity", None)
    usable = affinity(0) if affinity else range(os.cpu_count() or 1)
    topology = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    try:
        return len({Path(topology.format(core)).read_text(encoding="ascii") for core in usable})
    except OSError:
        return len(usable)
