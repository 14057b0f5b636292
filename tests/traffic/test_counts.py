"""Demand from CSV files of counts."""

from importlib import resources

import numpy as np
import pytest

from kit.errors import UsageError
from kit.traffic.counts import read_counts

HEADER = "time,approach,vehicles\n"


def rows(times, vehicles=150, approaches="NESW"):
    """Return a file with the same count everywhere."""
    return HEADER + "".join(f"{t},{a},{vehicles}\n" for t in times for a in approaches)


def read(tmp_path, text):
    """Write a file and read it."""
    path = tmp_path / "counts.csv"
    path.write_text(text, encoding="utf-8")
    return read_counts(path)


QUARTERS = ["07:00", "07:15", "07:30", "07:45"]


@pytest.mark.parametrize(
    "times",
    [
        QUARTERS,
        ["7:00:00", "7:15:00", "7:30:00", "7:45:00"],
        ["2026-03-05 07:00", "2026-03-05T07:15", "2026-03-05 07:30:00", "2026-03-05 07:45"],
        ["0", "900", "1800.0", "2700"],
    ],
)
def test_every_legal_way_to_write_a_time_means_the_same(tmp_path, times):
    """150 vehicles a quarter-hour are 600 veh/h, however the times are written."""
    demand = read(tmp_path, rows(times))
    assert demand.rates_veh_h.shape == (240, 4)
    assert np.allclose(demand.rates_veh_h, 600)
    assert demand.name == "counts"


def test_counts_keep_their_place_and_time(tmp_path):
    """Every count becomes the mean rate of its approach in its period, and the vehicles add up."""
    text = HEADER
    counts = {}
    for q, time in enumerate(QUARTERS):
        for a, name in enumerate("NESW"):
            counts[q, a] = 10 * q + a
            text += f"{time},{name},{counts[q, a]}\n"
    rates = read(tmp_path, text).rates_veh_h
    for (q, a), vehicles in counts.items():
        assert np.allclose(rates[60 * q : 60 * (q + 1), a], 4 * vehicles)
    assert (rates * 15 / 3600).sum() == pytest.approx(sum(counts.values()))


def test_other_columns_orders_and_delimiters_are_fine(tmp_path):
    """Extra columns, other orders, semicolons, lower case, a byte-order mark and blank lines are fine."""
    lines = ["\ufeffVehicles;Weather;Approach;Time"]
    lines += [f"150;rain;{a};{t}" for t in reversed(QUARTERS) for a in "nesw"]
    assert np.allclose(read(tmp_path, "\n".join(lines) + "\n\n").rates_veh_h, 600)


def test_of_a_longer_file_the_peak_hour_is_taken(tmp_path):
    """With two hours of counts the hour with most vehicles is simulated."""
    times = [f"{h:02d}:{m:02d}" for h in (6, 7) for m in (0, 15, 30, 45)]
    text = HEADER
    for q, time in enumerate(times):
        text += "".join(f"{time},{a},{200 if 3 <= q < 7 else 50}\n" for a in "NESW")
    assert np.allclose(read(tmp_path, text).rates_veh_h, 800)


def test_an_approach_that_never_occurs_has_no_traffic(tmp_path):
    """A T-junction is counted on three approaches; the fourth stays empty."""
    rates = read(tmp_path, rows(QUARTERS, approaches="NES")).rates_veh_h
    assert np.allclose(rates[:, :3], 600)
    assert not rates[:, 3].any()


def test_the_shipped_sample_is_legal():
    """The synthetic sample in the package can be read, and is below what the intersection can carry."""
    with resources.as_file(resources.files("kit.traffic") / "data" / "synthetic_counts.csv") as path:
        rates = read_counts(path).rates_veh_h
    assert 200 < rates.mean() < 600


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,approach\n", r"row 1: no column 'vehicles'"),
        ("", r"row 1: no column 'time'"),
        (HEADER + "07:00,N,5\nquarter past,N,5\n", r"row 3, column 'time': 'quarter past' .* 07:15:30"),
        (HEADER + "25:00,N,5\n", r"row 2, column 'time': '25:00'"),
        (HEADER + "07:00,North,5\n", r"row 2, column 'approach': 'North' .* N, E, S, W"),
        (HEADER + "07:00,N,5\n07:15,N,-3\n", r"row 3, column 'vehicles': '-3' .* >= 0"),
        (HEADER + "07:00,N,many\n", r"row 2, column 'vehicles': 'many'"),
        (HEADER + "07:00,N,nan\n", r"row 2, column 'vehicles': 'nan'"),
        (HEADER + "07:00,N\n", r"row 2: 2 values .* 3 columns"),
        (HEADER + "07:00,N,5\n07:00,N,6\n", r"row 3, column 'time': row 2 has this time and N too"),
        (HEADER + "07:00,N,5\n07:00,S,5\n07:15,N,6\n", r"row 4: approach S has no row"),
        (HEADER + "07:00,N,5\n", r"at least two"),
        (rows(["07:00", "07:15"]), r"cover 30 min; an episode needs 60"),
    ],
)
def test_a_bad_file_is_named_with_row_and_column(tmp_path, text, message):
    """Every way to spoil a file gives an error with the row, the column, and what is legal."""
    with pytest.raises(UsageError, match=message):
        read(tmp_path, text)


def test_a_missing_file_is_a_usage_error(tmp_path):
    """A path that does not exist, or is not text, is named."""
    with pytest.raises(UsageError, match=r"none\.csv"):
        read_counts(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(UsageError, match=r"binary\.csv"):
        read_counts(tmp_path / "binary.csv")
