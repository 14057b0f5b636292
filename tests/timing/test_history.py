import json
import logging

import pytest

from kit.errors import UsageError
from kit.timing.history import (
    Merged,
    add_pair,
    merge_history,
    read_pairs,
    shipped_pairs,
    user_history,
)
from kit.timing.pair import Ahead, Pair


def pairs(*ratios: float, machine: str = "here") -> list[Pair]:
    """Runs whose actual time was that many times the predicted."""
    return [Pair("n", machine, 100.0, 100.0 * ratio, "2026-01-01") for ratio in ratios]


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
        "[" * 100_000,
        json.dumps(vars(pairs(1.0)[0]) | {"actual_s": 10**400}),
        json.dumps(vars(pairs(1.0)[0]) | {"phases": {"rollout": [1.0, 10**400]}}),
        json.dumps(vars(pairs(1.0)[0]) | {"ahead": [{"share": 0.5}]}),
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


def test_the_shipped_history_can_be_read():
    """What comes with the kit are pairs, or nothing."""
    assert all(isinstance(pair, Pair) for pair in shipped_pairs())


def test_histories_merge_and_a_run_counts_once(tmp_path):
    """Lines of another machine's file are added, those that are there already are not, in whatever order."""
    mine, other = tmp_path / "mine.jsonl", tmp_path / "other.jsonl"
    for pair in pairs(1.1, 1.2):
        add_pair(pair, mine)
    for pair in pairs(1.2, 1.3, machine="here") + pairs(1.2, machine="there"):
        add_pair(pair, other)
    assert merge_history(other, mine) == Merged(3, 2)
    assert merge_history(other, mine) == Merged(3, 0)
    assert read_pairs(mine) == [*pairs(1.1, 1.2, 1.3), *pairs(1.2, machine="there")]


def test_the_shipped_form_merges_too(tmp_path):
    """A history may be one JSON list, as the shipped one is."""
    (tmp_path / "list.json").write_text(json.dumps([pair.as_json() for pair in pairs(1.1, 1.2)]))
    assert merge_history(tmp_path / "list.json", tmp_path / "mine").added == 2


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "holds no pair"),
        ("[", "is no history of forecasts"),
        ("[1]", "entry 1, is not a pair"),
        (json.dumps(pairs(1.0)[0].as_json()) + "\n{}\n", "line 2, is not a pair"),
        (json.dumps(pairs(1.0)[0].as_json() | {"actual_s": -3}), "line 1, .*0.001 to 1e"),
    ],
)
def test_a_history_with_a_fault_is_refused_with_the_place(tmp_path, text, place):
    """Nothing of it is added: half a history would be an interval made from nothing."""
    (tmp_path / "other").write_text(text)
    with pytest.raises(UsageError, match=place):
        merge_history(tmp_path / "other", tmp_path / "mine")
    assert not (tmp_path / "mine").exists()
    with pytest.raises(UsageError, match="cannot be read"):
        merge_history(tmp_path, tmp_path / "mine")


def test_keys_of_a_later_version_are_left_out(tmp_path):
    """At whatever depth: an older kit reads what a newer one wrote."""
    data = pairs(1.0)[0].as_json() | {
        "later": 1,
        "ahead": [{"share": 0.5, "predicted_s": 1, "actual_s": 2, "later": 3}],
    }
    assert Pair.from_json(data).ahead == (Ahead(0.5, 1.0, 2.0),)
