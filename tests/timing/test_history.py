import json
import logging
import math
import random

import pytest

from kit.timing.history import Pair, add_pair, interval_for, read_pairs, shipped_pairs, user_history


def pairs(*ratios: float, machine: str = "here") -> list[Pair]:
    """Runs whose actual time was that many times the predicted."""
    return [Pair("n", machine, 100.0, 100.0 * ratio, "2026-01-01") for ratio in ratios]


def test_nine_pairs_are_the_fewest_that_carry_90_percent():
    """With nine the rank is the ninth, the widest; with ten still the tenth; with nineteen the eighteenth."""
    nine = pairs(*(1 + 0.01 * k for k in range(1, 10)))
    interval = interval_for("here", nine, [])
    assert (interval.level, interval.calibrated, interval.pairs) == (0.9, True, 9)
    assert interval.factor == pytest.approx(1.09)
    nineteen = pairs(*(1 + 0.01 * k for k in range(1, 20)))
    assert interval_for("here", nineteen, []).factor == pytest.approx(1.18)


def test_too_early_and_too_late_count_alike():
    """The score is the distance of the logarithms: half and double are the same miss."""
    assert interval_for("here", pairs(*[1.0] * 8, 0.5), []).factor == pytest.approx(2.0)
    assert interval_for("here", pairs(*[1.0] * 8, 2.0), []).factor == pytest.approx(2.0)


def test_fewer_than_nine_fall_back_to_those_shipped():
    """On a machine kind without nine pairs of its own the shipped ones count, and nothing is calibrated."""
    own = pairs(*[1.5] * 8) + pairs(*[9.0] * 20, machine="there")
    interval = interval_for("here", own, pairs(*[1.2] * 12, machine="shipped"))
    assert (interval.calibrated, interval.pairs, interval.level) == (False, 12, 0.9)
    assert interval.factor == pytest.approx(1.2)


def test_a_few_shipped_pairs_support_a_lower_level_and_none_a_guess():
    """Four pairs carry 80 %; without any it is a factor of two, at no level."""
    few = interval_for("here", [], pairs(1.1, 1.2, 1.3, 1.4))
    assert (few.level, few.calibrated, few.factor) == (0.8, False, pytest.approx(1.4))
    none = interval_for("here", [], [])
    assert (none.factor, none.level, none.calibrated, none.pairs) == (2.0, 0.0, False, 0)
    assert none.around(10.0) == (5.0, 20.0)


def test_the_interval_covers_what_it_says():
    """Of 2,000 new runs like the 40 before, at least 85 % lie within an interval of 90 %."""
    rng = random.Random(1)
    covered = 0
    for _ in range(2_000):
        interval = interval_for("here", pairs(*(rng.lognormvariate(0, 0.3) for _ in range(40))), [])
        low, high = interval.around(100.0)
        covered += low <= 100.0 * rng.lognormvariate(0, 0.3) <= high
    assert 0.88 <= covered / 2_000 <= 0.95


def test_pairs_are_appended_and_read_back(tmp_path):
    """The file grows by a line a run, in the user's cache folder by default."""
    path = tmp_path / "deep" / "history.jsonl"
    assert read_pairs(path) == []
    for pair in pairs(1.1, 1.2):
        add_pair(pair, path)
    assert read_pairs(path) == pairs(1.1, 1.2)
    add_pair(pairs(1.3)[0])
    assert read_pairs() == read_pairs(user_history()) != []


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "{}",
        json.dumps({"notebook": "n"}),
        '"x"',
        json.dumps(vars(pairs(1.0)[0]) | {"actual_s": 0}),
        b'{"notebook": "torn, wi',
        b"\xff\xfe\n",
    ],
)
def test_a_corrupted_line_is_skipped_and_named(tmp_path, line, caplog):
    """A warning says which file and line; the pairs around it count, and no run ends because of it."""
    path = tmp_path / "history.jsonl"
    add_pair(pairs(1.0)[0], path)
    with path.open("ab") as file:
        file.write(line if isinstance(line, bytes) else line.encode() + b"\n")
    add_pair(pairs(1.2)[0], path)
    with caplog.at_level(logging.WARNING):
        assert read_pairs(path) == pairs(1.0, 1.2)
    assert "history.jsonl, line 2, is not a pair of times" in caplog.text


def test_a_history_that_cannot_be_read_or_written_ends_nothing(tmp_path, caplog):
    """With a file where the cache folder should be the run goes on; two warnings say what is lost."""
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        add_pair(pairs(1.0)[0], tmp_path / "file" / "history.jsonl")
        assert read_pairs(tmp_path / "file" / "history.jsonl") == []
        assert read_pairs(tmp_path) == []
    assert "is not added to the history" in caplog.text
    assert caplog.text.count("cannot be read") == 2


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf])
def test_a_time_of_nothing_is_no_pair(seconds):
    """A ratio needs two times above zero."""
    with pytest.raises(ValueError, match="more than zero"):
        Pair("n", "m", seconds, 1.0, "d")


def test_the_shipped_history_can_be_read():
    """What comes with the kit are pairs, or nothing."""
    assert all(isinstance(pair, Pair) for pair in shipped_pairs())
