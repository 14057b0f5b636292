"""The accelerator that a probe measures on: waits for it, and tells what its memory held at most.

torch is asked only where the process has loaded it, and CUDA only once torch has initialised it: a probe of something
else pulls in neither.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from kit.harness.gpu import from_command, from_library


@dataclass(frozen=True)
class DeviceMemory:
    """What the memory of the device that held most came to, in bytes.

    Attributes:
        peak_bytes: the most during the probe; None where there is no device.
        peak_from: ``torch`` (what torch had allocated at most), ``driver`` (what the driver saw at the beginning and
            the end, all processes together) or ``absent``.
        used_bytes: what the driver sees after the probe, all processes, context and torch's reserve included; None
            where there is no driver to ask.
    """

    peak_bytes: int | None
    peak_from: str
    used_bytes: int | None


class Device:
    """Every CUDA device that torch uses in this process; none is none, and then everything here is free of charge."""

    def __init__(self) -> None:
        self._read = from_library() or from_command
        self._before = self._read()
        cuda = _cuda()
        # Waiting for a device that nobody uses would make a context on it, which takes memory.
        self._used: list[int] = []
        if cuda:
            for index in range(cuda.device_count()):
                cuda.reset_peak_memory_stats(index)
                if cuda.memory_reserved(index):
                    self._used.append(index)

    def synchronise(self) -> None:
        """Wait until the devices have done what they were given: CUDA calls return before their work is done."""
        cuda = _cuda()
        if cuda:
            for index in {*self._used, cuda.current_device()}:
                cuda.synchronize(index)

    def name(self) -> str:
        """Return the name of the first device in use, such as ``tesla-t4``, or ``none``."""
        cuda = _cuda()
        return str(cuda.get_device_name(0)).lower().replace(" ", "-") if cuda else "none"

    def computing(self) -> str:
        """Return the name of the device that held most since this was made, or ``cpu`` where none held anything."""
        cuda = _cuda()
        held = [int(cuda.max_memory_allocated(index)) for index in range(cuda.device_count())] if cuda else []
        return str(cuda.get_device_name(held.index(max(held)))) if cuda and any(held) else "cpu"

    def memory(self) -> DeviceMemory:
        """Return what was held at most since this was made."""
        seen = self._read()
        used = max((one.used_bytes for one in seen), default=None)
        cuda = _cuda()
        if cuda:
            peak = max(int(cuda.max_memory_allocated(index)) for index in range(cuda.device_count()))
            return DeviceMemory(peak, "torch", used)
        if used is None:
            return DeviceMemory(None, "absent", None)
        return DeviceMemory(max(one.used_bytes for one in [*self._before, *seen]), "driver", used)


def _cuda() -> Any | None:
    """Return torch.cuda once it is in use in this process, else None."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    return cuda if cuda is not None and cuda.is_initialized() else None
