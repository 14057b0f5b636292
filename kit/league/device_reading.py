"""DeviceReading: how busy the machine is right now, for somebody who looks; nothing in it decides anything."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

import psutil

from kit.harness.clock import SYSTEM_CLOCK, Clock
from kit.harness.gpu import from_command, from_library, gpu_kind

ASK = (
    "nvidia-smi",
    "--query-gpu=utilization.gpu,power.draw,memory.used,memory.total",
    "--format=csv,noheader,nounits",
)
ASK_EVERY_S = 10.0
ASK_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class GpuReading:
    """One GPU.

    Attributes:
        used_bytes: of its memory, all processes together.
        total_bytes: of its memory.
        load: share of the time that it computed, 0 to 1; None where the driver does not say.
        power_w: what it draws, watts; None where the driver does not say.
    """

    used_bytes: int
    total_bytes: int
    load: float | None = None
    power_w: float | None = None


@dataclass(frozen=True)
class DeviceReading:
    """The machine.

    Attributes:
        cpu_load: share of all cores' time since the last reading, 0 to 1.
        cores: as many as it has.
        used_bytes: of its memory.
        total_bytes: of its memory.
        process_bytes: that this process holds.
        gpu_kind: such as ``tesla-t4x2``, or ``none``.
        gpus: each of them.
    """

    cpu_load: float
    cores: int
    used_bytes: int
    total_bytes: int
    process_bytes: int
    gpu_kind: str = "none"
    gpus: tuple[GpuReading, ...] = ()


class DeviceReader:
    """Reads the machine; nvidia-smi, which takes a process a reading, every ten seconds, and not without GPUs."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._process = psutil.Process()
        self._kind = gpu_kind()
        self._asked_s: float | None = None
        self._said: tuple[GpuReading, ...] = ()

    def read(self) -> DeviceReading:
        """Return how it is now."""
        memory = psutil.virtual_memory()
        return DeviceReading(
            cpu_load=psutil.cpu_percent() / 100.0,
            cores=psutil.cpu_count() or 1,
            used_bytes=memory.total - memory.available,
            total_bytes=memory.total,
            process_bytes=self._process.memory_info().rss,
            gpu_kind=self._kind,
            gpus=self._gpus() if self._kind != "none" else (),
        )

    def _gpus(self) -> tuple[GpuReading, ...]:
        now_s = self._clock.monotonic()
        if self._asked_s is None or now_s - self._asked_s >= ASK_EVERY_S:
            self._asked_s, self._said = now_s, read_answer(_answer()) or _memory_only()
        return self._said


def read_answer(text: str) -> tuple[GpuReading, ...]:
    """Return what nvidia-smi's answer says; nothing where memory is not in it."""
    found = []
    for line in text.splitlines():
        values = [_number(cell) for cell in line.split(",")]
        if len(values) == 4 and values[2] is not None and values[3] is not None:
            load = None if values[0] is None else values[0] / 100.0
            found.append(GpuReading(int(values[2] * 2**20), int(values[3] * 2**20), load, values[1]))
    return tuple(found)


def _number(cell: str) -> float | None:
    """Return a cell's number; ``[N/A]`` and ``[Not Supported]`` are none."""
    try:
        return float(cell)
    except ValueError:
        return None


def _answer() -> str:
    try:
        done = subprocess.run(
            ASK, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ASK_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout


def _memory_only() -> tuple[GpuReading, ...]:
    seen = (from_library() or from_command)()
    return tuple(GpuReading(one.used_bytes, one.total_bytes) for one in seen)
