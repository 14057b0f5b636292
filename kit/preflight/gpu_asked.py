"""Whether the GPU that the notebook asks for is there."""

from __future__ import annotations

from kit.harness.gpu import from_command, from_library
from kit.preflight.check import Check, Verdict, fails, notes, passes
from kit.preflight.launching import Launching

NAMES = ("device", "accelerator")
GPU_WORDS = ("cuda", "gpu")


def asked_device(value: object) -> bool:
    """Whether a device's name asks for a GPU."""
    return str(value).lower().startswith(GPU_WORDS)


def _look_for_gpu(launching: Launching) -> Verdict:
    asked = [name for name in NAMES if asked_device(launching.parameters.get(name, ""))]
    read = from_library()
    found = len(read() if read is not None else from_command())
    if asked and not found:
        return fails(f"{asked[0]} is {launching.parameters[asked[0]]!r}, and no GPU answers on this machine.")
    if found and not asked and any(name in launching.parameters for name in NAMES):
        return notes(f"{found} GPU(s) answer, and the notebook asks for none.")
    return passes(f"{'A GPU is' if asked else 'No GPU is'} asked for by a parameter; {found} answer(s).")


GPU_THERE = Check(
    "GPU asked for is there",
    "Where CUDA is missing, training goes on without a word on the CPU, and takes far longer than was planned.",
    "Switch the accelerator on (Kaggle: enable_gpu), or ask for the CPU.",
    _look_for_gpu,
)
