"""Whether a GPU that was asked for is the one that computes."""

from __future__ import annotations

from dataclasses import dataclass

from kit.harness.size import format_size
from kit.preflight.check import Check, Verdict, fails, notes, passes
from kit.preflight.gpu_asked import asked_device


@dataclass(frozen=True)
class DeviceSeen:
    """The device asked for, the one that the weights lie on, what a GPU held at most, and whether there is one."""

    asked: str
    used: str
    peak_bytes: int
    available: bool


def _look_at_device(seen: DeviceSeen) -> Verdict:
    on_gpu = asked_device(seen.used)
    if asked_device(seen.asked) and not on_gpu:
        return fails(f"{seen.asked!r} was asked for, and the weights are on {seen.used!r}.")
    if on_gpu and not seen.peak_bytes:
        return fails(f"The weights should be on {seen.used!r}, and nothing was ever held there.")
    if on_gpu:
        return passes(f"The weights are on {seen.used!r}, which held {format_size(seen.peak_bytes)} at most.")
    if seen.available:
        return notes(
            f"A GPU is there and trains nothing: device is {seen.asked!r}, the weights are on {seen.used!r}."
        )
    return passes(f"No GPU was asked for (device is {seen.asked!r}), and none is used.")


GPU_USED = Check(
    "GPU asked for and really used",
    "A GPU that idles costs its hours of the weekly quota, and the run takes as long as without.",
    "Move model and batches to the device and look at nvidia-smi; or ask for no GPU, if the network is small.",
    _look_at_device,
)
