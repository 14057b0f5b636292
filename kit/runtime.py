"""What the last bits of a result depend on beside the settings: threads and the device."""

from __future__ import annotations

import sys


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
