"""How long something waited for a core: Linux's count, and none where there is none."""

from pathlib import Path

import pytest

from kit.harness.contention import PRESSURE, Contention, stalled_s

COUNT = "some avg10=1.00 avg60=2.00 avg300=3.00 total={}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"


def test_the_share_is_what_the_count_grew_by(tmp_path: Path):
    """Three seconds of stalls in five; never more than all of it, and none in no time."""
    file = tmp_path / "cpu"
    file.write_text(COUNT.format(2_000_000))
    contention = Contention(10.0, file)
    file.write_text(COUNT.format(5_000_000))
    assert contention.share(15.0) == pytest.approx(0.6)
    assert contention.share(11.0) == 1.0
    assert contention.share(10.0) == 0.0


@pytest.mark.parametrize("text", ["", "some avg10=1.00", "some total=x", "some total", "full total=5"])
def test_where_nobody_counts_there_is_none(tmp_path: Path, text: str):
    """An older kernel, or one that counts otherwise."""
    (tmp_path / "cpu").write_text(text)
    assert stalled_s(tmp_path / "cpu") is None
    assert stalled_s(tmp_path / "nowhere") is None
    assert Contention(0.0, tmp_path / "cpu").share(9.0) == 0.0


@pytest.mark.skipif(not PRESSURE.exists(), reason="this kernel does not count stalls")
def test_this_machine_counts():
    """Seconds since boot, that do not go back."""
    first, second = stalled_s(), stalled_s()
    assert first is not None
    assert second is not None
    assert 0 <= first <= second
