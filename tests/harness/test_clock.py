"""Time is injected: what the clocks promise to everything that reads them."""

import os
import subprocess
import sys
import time

import pytest

from kit.harness.clock import SYSTEM_CLOCK, Clock, ManualClock, process_age_s


def test_manual_clock_moves_only_when_advanced():
    """A manual clock stands still, and advancing moves monotonic and wall time by the same seconds."""
    clock = ManualClock(monotonic=5.0, wall=100.0)
    assert (clock.monotonic(), clock.wall(), clock.cpu()) == (5.0, 100.0, 0.0)
    clock.advance(2.5)
    assert (clock.monotonic(), clock.wall(), clock.cpu()) == (7.5, 102.5, 0.0)
    clock.burn(1.0)
    assert (clock.monotonic(), clock.wall(), clock.cpu()) == (8.5, 103.5, 1.0)


def test_manual_clock_refuses_to_go_back():
    """A monotonic clock cannot be set back, not even by a test."""
    with pytest.raises(ValueError, match="-1"):
        ManualClock().advance(-1)


@pytest.mark.parametrize("clock", [SYSTEM_CLOCK, ManualClock()])
def test_clocks_keep_the_protocol(clock):
    """Both clocks can stand wherever a Clock is asked for."""
    assert isinstance(clock, Clock)


def test_monotonic_time_is_shared_between_processes():
    """An absolute monotonic time read in one process means the same instant in another."""
    program = "from kit.harness.clock import SYSTEM_CLOCK as c; print(c.monotonic())"
    before = SYSTEM_CLOCK.monotonic()
    there = float(subprocess.check_output([sys.executable, "-c", program], text=True))
    assert before < there < SYSTEM_CLOCK.monotonic()


def test_process_age_counts_from_creation():
    """The age of a process is the time since it was started, to the few ticks of 10 ms that the kernel keeps."""
    slack_s = 3 / os.sysconf("SC_CLK_TCK")
    before = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", "print(input())"], stdin=subprocess.PIPE) as child:
        started = time.monotonic()
        age_s = process_age_s(child.pid)
        after = time.monotonic()
        child.communicate(b"\n")
    assert age_s is not None
    assert -slack_s <= age_s - (after - started) <= (started - before) + slack_s


def test_age_of_no_process_is_unknown():
    """A process that is not there has no age, and asking raises nothing."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert process_age_s(child.pid) is None


def test_age_of_process_one_is_known_here():
    """Where /proc/1 can be read its age is a number, and not below this process's own."""
    own, first = process_age_s(os.getpid()), process_age_s(1)
    if first is None:
        pytest.skip("this machine does not tell when process 1 was created")
    assert own is not None
    assert first >= own
