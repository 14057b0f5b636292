"""GPU memory: read from nvidia-smi where there is no library, and left alone where there is neither."""

from pathlib import Path

import pytest

from kit.harness import gpu
from kit.harness.gpu import GpuMemory, GpuWatch, from_command, from_library, kind_of


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for an nvidia-smi, first on the path, on a machine without the driver's library."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(gpu, "from_library", lambda: None)
    return tmp_path / "nvidia-smi"


def answer(command: Path, script: str) -> None:
    """Make the command one that does this."""
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)


def test_a_device_is_read_and_warned_of_once_when_nearly_full(command):
    """Its peak is kept; readings come once a minute."""
    answer(command, 'echo "1000, 16000"; echo "15500, 16000"')
    watch = GpuWatch()
    assert "16.3 GB of 16.8 GB" in str(watch.look(0.0))
    assert watch.peak_bytes == 15_500 * 2**20
    answer(command, 'echo "100, 16000"')
    assert [watch.look(float(at)) for at in range(1, 200)] == [None] * 199
    assert watch.peak_bytes == 15_500 * 2**20


@pytest.mark.parametrize("script", ["exit 9", "echo '[N/A], [N/A]'", "echo No devices were found", ""])
def test_an_answer_that_is_none_means_no_device(command, script):
    """A driver that is broken, or a card that does not tell, is not asked again."""
    answer(command, script)
    watch = GpuWatch()
    assert watch.look(0.0) is None
    assert watch.absent


def test_without_a_command_there_is_none(command, monkeypatch):
    """No nvidia-smi: nothing to watch, nothing raised."""
    monkeypatch.setenv("PATH", str(command.parent))
    assert from_command() == []


@pytest.mark.gpu
def test_the_library_reads_a_device():
    """NVML tells used and total memory of each device."""
    read = from_library()
    assert read is not None
    found = read()
    assert found
    assert all(isinstance(one, GpuMemory) and 0 < one.used_bytes <= one.total_bytes for one in found)


def test_machines_are_told_apart_by_their_devices(command):
    """Kaggle's two cards are another kind of machine than one of them; none is a kind as well."""
    answer(command, 'echo "Tesla T4"; echo "Tesla T4"')
    assert kind_of(gpu._names_from_command()) == "tesla-t4x2"
    answer(command, 'echo "NVIDIA H200"')
    assert kind_of(gpu._names_from_command()) == "h200"
    answer(command, "exit 9")
    assert kind_of(gpu._names_from_command()) == "none"
