"""A watched command: what it held at its peak is seen from outside."""

import sys
from pathlib import Path

import pytest

from benchmarks.watched_process import watch

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read in /proc")
LINGERS = "import threading; threading.Event().wait(0.1)"


def test_the_peak_is_that_of_the_command_and_not_of_who_watches():
    """Beside a process that holds 200 MB more, and beside this one, which holds 300 MB more than both."""
    held = bytearray(300_000_000)
    held[::4096] = bytes(len(range(0, len(held), 4096))).replace(b"\0", b"\1")  # every page is really there
    small = watch([sys.executable, "-c", LINGERS])
    large = watch([sys.executable, "-c", f"held = bytes([1]) * 200_000_000; del held; {LINGERS}"])
    assert 190e6 < large.peak_bytes - small.peak_bytes < 210e6
    assert small.peak_bytes < 100e6 < len(held)


def test_what_it_said_and_how_it_ended_comes_back():
    """Both streams, and the exit code."""
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    done = watch([sys.executable, "-c", f"{LINGERS}; {code}"])
    assert (done.code, done.out, done.err) == (3, "out\n", "err\n")
    assert done.seconds >= 0.1
