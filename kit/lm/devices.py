"""Device, number format and threads of a language model, by what the machine has; and its seeded beginnings."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

import torch

from kit.errors import UsageError, choose

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_generators = threading.RLock()
"""Held by whoever draws from torch's global generators: models on several GPUs answer in threads."""


def pick_device(wanted: str | torch.device | None = None) -> torch.device:
    """Return the device that is asked for; without a wish the first GPU, where there is one, else the CPU.

    Raises:
        UsageError: there is no such device here.
    """
    if wanted is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise UsageError(f"{wanted!r} is no device; cpu, cuda and cuda:1 are.", "cpu") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"There is no {device} here: torch sees {torch.cuda.device_count()} GPUs.", "cpu")
    return device


def pick_devices(wanted: str | Sequence[str] | None = None) -> list[torch.device]:
    """Return the devices that are asked for; ``cuda`` without a number is every GPU, and no wish every GPU or the CPU.

    Raises:
        UsageError: there is no such device here, a GPU is named twice, or the list is empty.
    """
    names = [wanted] if isinstance(wanted, str) else wanted
    if names is None:
        names = ["cuda" if torch.cuda.is_available() else "cpu"]
    found: list[torch.device] = []
    for device in map(pick_device, names):
        every = device.type == "cuda" and device.index is None
        found += [torch.device("cuda", n) for n in range(torch.cuda.device_count())] if every else [device]
    gpus = [str(device) for device in found if device.type == "cuda"]
    if not found or len(set(gpus)) < len(gpus):
        raise UsageError(
            f"Each GPU can be asked for once, and at least one device must be, not {list(names)}."
        )
    return found


def pick_dtype(device: torch.device, wanted: str | torch.dtype | None = None) -> torch.dtype:
    """Return the number format that is asked for, or the one that suits the device.

    That is float32 on a CPU; on a GPU bfloat16 from compute capability 8.0 (Ampere) on, else float16: a T4 (7.5)
    only emulates bfloat16.

    Raises:
        UnknownNameError: a name that is none of ``DTYPES``.
    """
    if isinstance(wanted, torch.dtype):
        return wanted
    if wanted is not None:
        return choose("dtype", wanted.removeprefix("torch."), DTYPES)
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16


@contextlib.contextmanager
def one_thread(device: torch.device) -> Iterator[None]:
    """Let torch work with one thread in the block where it works on a CPU.

    Decoding is thousands of tiny operations, between which a second thread does nothing but spin: with two it was
    25 to 50 times slower. And sums of a fixed number of threads have the same last bits on any machine of a kind.
    """
    before = torch.get_num_threads()
    if device.type != "cpu" or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw what libraries take from torch's global generators from ``seed`` in the block, and put them back."""
    with _generators, torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield
