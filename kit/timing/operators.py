"""The dearest operators of a step, by torch's profiler: where the compute part itself goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MOST = 20


@dataclass(frozen=True)
class Operator:
    """One operator over the profiled steps; seconds are its own, without the operators it calls."""

    name: str
    calls: int
    cpu_s: float
    device_s: float


def profile(take_step: Callable[[], object], steps: int, most: int = MOST) -> tuple[Operator, ...]:
    """Take ``steps`` more steps under torch.profiler and return the ``most`` dearest operators.

    Profiling slows each step, so these are apart from those whose time is measured.
    """
    import torch
    from torch.profiler import ProfilerActivity

    cuda = torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    with torch.profiler.profile(activities=activities) as profiler:
        for _ in range(steps):
            take_step()
    found = [
        Operator(
            str(event.key),
            int(event.count),
            event.self_cpu_time_total / 1e6,
            getattr(event, "self_device_time_total", 0.0) / 1e6,
        )
        for event in profiler.key_averages()
    ]
    found.sort(key=lambda operator: -(operator.cpu_s + operator.device_s))
    return tuple(found[:most])
