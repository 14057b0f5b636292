"""Which machine this is: Kaggle, Colab or local. Where output goes, which limits hold, when a session began.

Kaggle is tested for first: its image is built on Colab's and carries Colab's modules and variables too.
"""

from __future__ import annotations

import os
import platform as stdlib_platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from kit.harness.clock import SYSTEM_CLOCK, Clock, process_age_s
from kit.harness.deadline import HOUR_S

Kind = Literal["kaggle", "colab", "local"]

_KAGGLE_VARIABLES = ("KAGGLE_KERNEL_RUN_TYPE", "KAGGLE_URL_BASE")
_COLAB_VARIABLES = ("COLAB_RELEASE_TAG",)
_TPU_VARIABLES = ("TPU_ACCELERATOR_TYPE", "TPU_NAME", "COLAB_TPU_ADDR")
KAGGLE_FOLDER = "KIT_KAGGLE_FOLDER"
"""Set by a rehearsal alone, where it cannot make a folder ``/kaggle``: what stands in for it."""


@dataclass(frozen=True)
class Platform:
    """What is known of the place a run executes in.

    ``output_root`` is the folder below which run folders go and outlive the session. ``session_limit_s`` and
    ``idle_limit_s`` are the place's published limits in seconds, None where there is none; a push may set a
    shorter one, so an explicit limit comes before it.
    """

    kind: Kind
    output_root: Path
    session_limit_s: float | None
    interactive: bool
    idle_limit_s: float | None = None
    disk_limit_bytes: int | None = None
    """What ``output_root`` may hold, None where only its file system limits it."""
    input_root: Path | None = None
    """Where a run of an earlier session may lie that is only read from; None where there is no such place."""


DRIVE = Path("/content/drive/MyDrive")
"""Where Colab mounts the user's Google Drive."""


def detect(environ: Mapping[str, str] = os.environ, drive: Path = DRIVE) -> Platform:
    """Tell Kaggle, Colab and a local machine apart by their environment variables.

    On Colab output goes to ``drive`` where that is mounted.
    """
    tpu = any(environ.get(name) for name in _TPU_VARIABLES)
    if any(environ.get(name) for name in _KAGGLE_VARIABLES):
        # Only a batch run is certain; anything else that Kaggle names has a person in front of it.
        interactive = environ.get("KAGGLE_KERNEL_RUN_TYPE", "Batch").lower() != "batch"
        return Platform(
            kind="kaggle",
            output_root=kaggle_folder(environ) / "working",
            session_limit_s=(9 if tpu else 12) * HOUR_S,
            interactive=interactive,
            idle_limit_s=20 * 60.0 if interactive else None,
            disk_limit_bytes=20 * 10**9,
            input_root=kaggle_folder(environ) / "input",
        )
    if any(environ.get(name) for name in _COLAB_VARIABLES):
        local = Path("/content")
        if not drive.is_dir():
            return Platform("colab", local, 12 * HOUR_S, interactive=True)
        # There a run outlives the machine; one that was begun before the Drive was mounted is taken over.
        return Platform("colab", drive, 12 * HOUR_S, interactive=True, input_root=local / "runs")
    return Platform("local", Path.cwd(), None, interactive=False)


def kaggle_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return ``/kaggle``, which holds ``working`` and the read-only ``input``, or what a rehearsal has in its place."""
    return Path(environ.get(KAGGLE_FOLDER) or "/kaggle")


def session_began(
    platform: Platform,
    launched_monotonic: float | None,
    explicit_limit: bool,
    clock: Clock = SYSTEM_CLOCK,
    age_of: Callable[[int], float | None] = process_age_s,
) -> float:
    """Return the absolute monotonic time (s) from which the session's limits count.

    On Kaggle and Colab that is the creation of process 1: installing packages and starting the kernel are
    part of the 12 hours. Elsewhere, and for a limit given explicitly, it is the launch of the command.
    Where process 1 cannot be read it is the launch too; where that is not known either, the creation of
    this process.

    Args:
        platform: Where the run executes.
        launched_monotonic: When the command was launched, on the shared monotonic clock, if known.
        explicit_limit: Whether somebody gave a limit for this command.
        clock: Where the time comes from.
        age_of: Seconds since a process was created, by its id; None where unknown.
    """
    now = clock.monotonic()
    if platform.kind != "local" and not explicit_limit:
        age_s = age_of(1)
        if age_s is not None:
            return now - age_s
    if launched_monotonic is not None:
        return launched_monotonic
    own_age_s = age_of(os.getpid())
    return now if own_age_s is None else now - own_age_s


def machine() -> dict[str, str | int]:
    """Describe the machine for records and benchmarks, without anything that names it.

    Keys: ``cpu`` (model), ``cores`` (that this process may use), ``memory_bytes`` (total, or the control
    group's limit), ``python``, ``os``, ``arch``.
    """
    return {
        "cpu": _cpu_model(),
        "cores": _usable_cores(),
        "memory_bytes": _memory_bytes(),
        "python": stdlib_platform.python_version(),
        "os": f"{stdlib_platform.system()} {stdlib_platform.release()}",
        "arch": stdlib_platform.machine(),
    }


def cache_folder() -> Path:
    """Return where the kit keeps what belongs to the user and to no run; raises RuntimeError without a home."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "training-kit"


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    except OSError:
        pass
    return stdlib_platform.processor() or stdlib_platform.machine() or "unknown"


def _usable_cores() -> int:
    if sys.platform == "linux":
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(allowed, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no control group, or its quota reads "max"
        return allowed


def _memory_bytes() -> int:
    total = int(psutil.virtual_memory().total)
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            return min(total, int(Path(name).read_text()))
        except (OSError, ValueError):  # no such group, or its limit reads "max"
            continue
    return total
