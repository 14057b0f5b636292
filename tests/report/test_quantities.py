import math

import pytest

from kit.report.quantities import count, decimal, duration, number, plural, share, size


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.00034, "340 µs"),
        (0.0123, "12 ms"),
        (0.0, "0.0 s"),
        (8.4, "8.4 s"),
        (59.97, "1 min"),
        (312, "5 min 12 s"),
        (12_095, "3 h 22 min"),
        (43_200, "12 h"),
        (-5, "−5.0 s"),
        (math.nan, "–"),
    ],
)
def test_durations_read_as_a_person_writes_them(seconds: float, words: str) -> None:
    """A duration is written in the unit of its size."""
    assert duration(seconds) == words


def test_numbers_never_hide_behind_exponents() -> None:
    """Everyday numbers have no exponent; only very large and very small ones do."""
    assert [number(value) for value in (0.266, 21.83, 12_345.6, -0.5, 0, math.inf)] == [
        "0.266", "21.8", "12,346", "−0.500", "0", "–",
    ]  # fmt: skip
    assert number(1e12) == "1.00e+12"


def test_a_small_share_is_not_written_as_none() -> None:
    """Something that took time never reads 0 %."""
    assert [share(0.1, 100), share(0, 100), share(43, 100), share(1, 0)] == ["<1 %", "0 %", "43 %", "0 %"]


def test_sizes_counts_and_plurals() -> None:
    """Sizes are in powers of a thousand, counts have separators, one is not plural."""
    assert [size(812), size(34_000_000), size(2.5e13)] == ["812 B", "34.0 MB", "25.0 TB"]
    assert [count(24_000), count(math.nan)] == ["24,000", "–"]
    assert [plural(1, "seed"), plural(20, "seed")] == ["1 seed", "20 seeds"]
    assert [decimal(21.54), decimal(-7), decimal(12_345)] == ["21.5", "−7.0", "12,345"]
