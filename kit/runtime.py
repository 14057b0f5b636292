"""What the last bits of a result depend on beside the settings: threads, the device and the processor."""

from __future__ import annotations

import functools
import platform
import re
import sys
from pathlib import Path


def threads_in_use(asked_for: int) -> int:
    """Return torch's threads where torch is loaded, else ``asked_for``."""
    if "torch" not in sys.modules:
        return asked_for
    import torch

    return torch.get_num_threads()


def device_in_use() -> str:
    """Return the name of the CUDA device that this process has begun to use, else ``"cpu"``."""
    if "torch" in sys.modules:
        import torch

        if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            return str(torch.cuda.get_device_name())
    return "cpu"


@functools.cache
def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the kind of processor, such as ``GenuineIntel 6 85``: vendor, family and model.

    Libraries of linear algebra choose their kernels by it, and sum in another order on another one. The clock rate,
    which the model's name holds too, decides nothing.
    """
    try:
        with cpuinfo.open() as file:
            first = file.read(4096).partition("\n\n")[0]
    except OSError:
        return platform.machine()
    found = dict(re.findall(r"^(vendor_id|cpu family|model)[ \t]*: (.*)$", first, re.MULTILINE))
    return " ".join(found.values()) or platform.machine()
