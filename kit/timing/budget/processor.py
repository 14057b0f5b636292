"""What a probe computed on, and whether a stage counts time of that: seconds of a CPU make no GPU-hours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kit.timing.budget.plan_file import Stage

CPU = "cpu"
NO_GPU = "gpu:none"
"""What the kind of a machine says where no GPU was in use."""


def is_cpu(card: str) -> bool:
    """Whether a card of the budget is a CPU: one of the words of its name says so."""
    return CPU in card.lower().split()


def names(machine: str, card: str) -> bool:
    """Whether the machine's description names the card, its memory aside: 'NVIDIA A100-SXM4-40GB' names 'A100 40GB'."""
    if is_cpu(card):
        return NO_GPU in machine.lower() or CPU in machine.lower()
    words = [word for word in card.lower().split() if not word.endswith(("gb", "gib"))]
    return all(word in machine.lower() for word in words)


def ran_on_cpu(probe: Mapping[str, Any]) -> bool:
    """Whether a probe says that no GPU computed: by its device, its machine, or a device memory that is null."""
    if probe.get("device") is not None:
        return str(probe["device"]).lower() == CPU
    absent = "device_peak_bytes" in probe and probe["device_peak_bytes"] is None
    return absent or NO_GPU in str(probe.get("machine", "")).lower()


def why_not_measured(stage: Stage, probe: Mapping[str, Any]) -> str:
    """Return why ``probe`` measures nothing of ``stage``; empty where it does.

    The first card of a stage is the one that its hours are charged on. A probe of another GPU than that is taken, and
    named among the contradictions; one of a CPU only where that card is a CPU.
    """
    if not ran_on_cpu(probe) or is_cpu(stage.cards[0]):
        return ""
    return (
        f"The probe ran on a CPU ({probe.get('machine')}), and stage {stage.name!r} is planned on "
        f"{' or '.join(stage.cards)}: its seconds make no GPU-hours. Probe the stage on one of these cards; or, where "
        "it is to run on a CPU, name a card with CPU in its name first under the stage's 'gpu'."
    )
