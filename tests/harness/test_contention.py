"""What others cost a process of the cores: by Linux's counters, and nothing where there are none."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from kit.harness.contention import PRESSURE, Contention, Reading, others_share, stalled_s

COUNT = "some avg10=1.00 avg60=2.00 avg300=3.00 total={}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
SPIN = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"
counted = pytest.mark.skipif(Reading.take() is None, reason="nobody counts here")


@pytest.mark.parametrize(
    ("stalled_s", "machine_s", "own_s", "share"),
    [
        (
            6.0,
            20.0,
            5.0,
            0.6,
        ),  # three quarters of the CPU went to others, but there was waiting in 6 of 10 s only
        (6.0, 20.0, 16.0, 0.2),  # much waiting, nearly all of it for its own children
        (6.0, 20.0, 20.0, 0.0),
        (0.0, 20.0, 5.0, 0.0),  # a core for each
        (6.0, 0.0, 0.0, 0.0),
        (6.0, 5.0, 9.0, 0.0),  # counters that contradict each other
    ],
)
def test_others_cost_no_more_than_was_waited_nor_than_they_took(stalled_s, machine_s, own_s, share):
    """The smaller of the two bounds, over ten seconds."""
    before, after = (
        Reading(100.0, 1_000.0, 50.0),
        Reading(100.0 + stalled_s, 1_000.0 + machine_s, 50.0 + own_s),
    )
    assert others_share(before, after, 10.0) == pytest.approx(share)
    assert others_share(before, after, 0.0) == 0.0


@pytest.mark.parametrize("text", ["", "some avg10=1.00", "some total=x", "some total", "full total=5"])
def test_where_nobody_counts_there_is_none(tmp_path: Path, text: str):
    """An older kernel, or one that counts otherwise."""
    (tmp_path / "cpu").write_text(text)
    assert stalled_s(tmp_path / "cpu") is None
    assert stalled_s(tmp_path / "nowhere") is None
    assert Reading.take(tmp_path / "cpu") is None
    (tmp_path / "cpu").write_text(COUNT.format(2_500_000))
    assert stalled_s(tmp_path / "cpu") == 2.5


@pytest.mark.skipif(not PRESSURE.exists(), reason="this kernel does not count stalls")
def test_this_machine_counts():
    """Seconds since boot, that do not go back."""
    first, second = stalled_s(), stalled_s()
    assert first is not None
    assert second is not None
    assert 0 <= first <= second


@counted
@pytest.mark.slow
def test_what_ones_own_children_take_is_not_taken_by_others():
    """Three children that spin on the cores there are: much waiting, hardly any of it for others on a quiet machine."""
    contention, began_s = Contention(time.monotonic()), time.monotonic()
    first = Reading.take()
    spinning = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(3)]
    try:
        while time.monotonic() - began_s < 3.0:
            pass
        last, share = Reading.take(), contention.share(time.monotonic())
    finally:
        for process in spinning:
            process.kill()
            process.wait()
    assert first is not None
    assert last is not None
    assert last.own_s - first.own_s > 0.3 * (last.machine_s - first.machine_s)
    assert share < (last.stalled_s - first.stalled_s) / 3.0
