"""GPU memory: read from the driver's library (NVML), else from nvidia-smi, else there is none to watch."""

from __future__ import annotations

import ctypes
import functools
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from kit.harness.size import format_size

LIBRARY_EVERY_S = 5.0
COMMAND_EVERY_S = 60.0
COMMAND = ("nvidia-smi", "--query-gpu=memory.used,memory.total", "--format=csv,noheader,nounits")
NAMES = ("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
COMMAND_TIMEOUT_S = 20.0
FULL_SHARE = 0.95


@dataclass(frozen=True)
class GpuMemory:
    """One device's memory in bytes, all processes together."""

    used_bytes: int
    total_bytes: int


Reader = Callable[[], list[GpuMemory]]


class _Memory(ctypes.Structure):
    """NVML's nvmlMemory_t, in bytes."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


def _devices() -> tuple[ctypes.CDLL, list[ctypes.c_void_p]] | None:
    """Return NVML and its handles of the devices, or None where there is no driver or device."""
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    count = ctypes.c_uint()
    if library.nvmlInit_v2() or library.nvmlDeviceGetCount_v2(ctypes.byref(count)) or not count.value:
        return None
    devices = []
    for index in range(count.value):
        device = ctypes.c_void_p()
        if not library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)):
            devices.append(device)
    return library, devices


@functools.cache
def gpu_kind() -> str:
    """Return the kind of GPU in this machine, such as ``tesla-t4x2``, in use or not, or ``none``."""
    return kind_of(_names_from_library() or _names_from_command())


def kind_of(names: list[str]) -> str:
    """Return one word for devices of these names; where they differ, all of them count and the first names them."""
    if not names:
        return "none"
    word = "-".join(names[0].removeprefix("NVIDIA ").lower().split())
    return word if len(names) == 1 else f"{word}x{len(names)}"


def _names_from_library() -> list[str]:
    found = _devices()
    if found is None:
        return []
    library, devices = found
    names, text = [], ctypes.create_string_buffer(96)
    for device in devices:
        if not library.nvmlDeviceGetName(device, text, len(text)):
            names.append(text.value.decode(errors="replace"))
    return names


def _names_from_command() -> list[str]:
    return [line.strip() for line in _answer(NAMES).splitlines() if line.strip()]


def _answer(command: tuple[str, ...]) -> str:
    """Return what a command prints; empty where there is none, or it fails or does not answer."""
    try:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return answer.stdout


def from_library() -> Reader | None:
    """Return a reader on NVML, which every driver brings along, or None where there is no driver or device."""
    found = _devices()
    if found is None:
        return None
    library, devices = found

    def read() -> list[GpuMemory]:
        readings, memory = [], _Memory()
        for device in devices:
            if not library.nvmlDeviceGetMemoryInfo(device, ctypes.byref(memory)):
                readings.append(GpuMemory(int(memory.used), int(memory.total)))
        return readings

    return read


def from_command() -> list[GpuMemory]:
    """Ask nvidia-smi, which takes a process a reading; empty where there is none or it does not answer."""
    try:
        rows = [
            [int(value) * 2**20 for value in line.split(",")]
            for line in _answer(COMMAND).splitlines()
            if line
        ]
        return [GpuMemory(used, total) for used, total in rows]
    except ValueError:
        return []


class GpuWatch:
    """Records the peak of GPU memory and warns once when a device is nearly full; ``absent`` where there is none."""

    def __init__(self) -> None:
        self._read: Reader | None = None
        self._every_s = 0.0
        self._looked_s: float | None = None
        self._warned = False
        self.absent = False
        self.peak_bytes = 0

    def look(self, now_s: float) -> str | None:
        """Take a reading when one is due; return a warning, once, or None."""
        if self.absent or (self._looked_s is not None and now_s - self._looked_s < self._every_s):
            return None
        self._looked_s = now_s
        readings = self._readings()
        self.peak_bytes = max([self.peak_bytes, *(one.used_bytes for one in readings)])
        full = [one for one in readings if one.used_bytes > FULL_SHARE * one.total_bytes]
        if not full or self._warned:
            return None
        self._warned = True
        used, total = format_size(full[0].used_bytes), format_size(full[0].total_bytes)
        return f"GPU memory is nearly full: {used} of {total}."

    def _readings(self) -> list[GpuMemory]:
        if self._read is None:
            library = from_library()
            self._read = library or from_command
            self._every_s = LIBRARY_EVERY_S if library else COMMAND_EVERY_S
            first = self._read()
            self.absent = not first
            return first
        return self._read()
