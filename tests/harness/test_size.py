"""Sizes: read as people write them, refused with the legal forms."""

import pytest

from kit.errors import UsageError
from kit.harness.size import format_size, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("12GB", 12 * 10**9),
        ("12g", 12 * 10**9),
        ("1.5 TB", 15 * 10**11),
        ("500MiB", 500 * 2**20),
        ("4096", 4096),
        (4096, 4096),
        ("100b", 100),
    ],
)
def test_sizes_are_read(text, size):
    """Decimal and binary units in any case, a bare number is bytes."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "0", "12 parsecs", "1iB", "nan", "1e9999", True, "12GBB"])
def test_what_is_no_size_is_refused(text):
    """The error names the value and the legal forms."""
    with pytest.raises(UsageError, match=r"12GB, 1\.5TB, 500MiB, or bytes") as caught:
        parse_size(text)
    assert repr(text) in str(caught.value)


def test_a_near_miss_is_told_what_was_meant():
    """`12 gigs` is answered with 12GB."""
    with pytest.raises(UsageError, match="Did you mean '12GB'"):
        parse_size("12 gigs")


def test_sizes_are_written_short():
    """One digit after the point, decimal units."""
    assert [format_size(size) for size in (512, 3_200_000, 12e9, 5e12)] == [
        "512 B",
        "3.2 MB",
        "12.0 GB",
        "5.0 TB",
    ]
