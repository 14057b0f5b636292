"""The league's benchmark: its rows from made-up facts, its ladder for real, and a seed of Kuhn poker cut short."""

from dataclasses import asdict, replace

import pytest

from benchmarks.league.__main__ import what_is_missing
from benchmarks.league.kuhn import KuhnSettings, learnt
from benchmarks.league.ladder import PAIRINGS, RUNGS, climb
from benchmarks.league.measuring import SEEDS
from benchmarks.league.results import first_at, rows_of
from benchmarks.league.table import markdown, plain


def kuhn_facts(seed=0, average=(0.3, 0.09, 0.08), **changes):
    """Return facts of a seed as the measuring leaves them."""
    facts = {
        "name": "kuhn",
        "seed": seed,
        "date": "2026-01-02",
        "machine": "elsewhere",
        "wall_s": 12.0,
        "status": "complete",
        "settings": asdict(KuhnSettings()),
        "updates": len(average),
        "warm_up": 0.4,
        "average": list(average),
        "last": [0.3, 0.2, 0.1],
        "illegal": 0.01,
        "games": 500,
        "mus": [25.0, 25.0],
    }
    return facts | changes


def ladder_facts(seed=0, name="ladder-even", minimax=29.0):
    """Return facts of a ladder."""
    return {
        "name": name,
        "seed": seed,
        "date": "2026-01-02",
        "machine": "elsewhere",
        "wall_s": 1.0,
        "games": 60,
        "ratings": {"random": [20.0, 0.9], "scripted": [28.0, 0.8], "minimax": [minimax, 0.7]},
        "matches": {
            "random-scripted": [1, 2, 17],
            "random-minimax": [0, 1, 19],
            "scripted-minimax": [0, 18, 2],
        },
    }


def row_named(rows, name):
    """Return the one row of that name."""
    [found] = (row for row in rows if row["name"] == name)
    return found


def test_rows_hold_what_was_found_against_what_was_asked():
    """The worst seed decides; ratios are to what a figure is held against; a rating that moved is a miss."""
    rows = rows_of([kuhn_facts(), kuhn_facts(1, (0.3, 0.15, 0.12), mus=[25.0, 24.5])])
    worst = row_named(rows, "Kuhn: worst average of 2 seeds")
    assert (worst["value"], worst["ratio"], worst["met"]) == (0.12, 1.2, False)
    moved = row_named(rows, "Mirror-only: largest change of μ")
    assert (moved["value"], moved["met"]) == (0.5, False)
    assert row_named(rows, "Kuhn seed 0: average policy")["ratio"] == pytest.approx(0.2)
    assert all(set(row) >= {"name", "value", "unit", "against", "ratio", "date", "machine"} for row in rows)


@pytest.mark.parametrize(
    ("average", "update"),
    [((0.3, 0.1, 0.05), 2), ((0.3, 0.1, 0.2, 0.05), 4), ((0.3, 0.2), None), ((0.05,), 1)],
)
def test_the_first_update_at_a_limit_is_that_from_which_it_stays_there(average, update):
    """An average that comes back above it had not got there yet."""
    assert first_at(average, 0.1) == update


def test_a_rank_that_is_missed_is_said_so():
    """Where minimax is rated below scripted the step is negative and missed; where nothing is asked nothing is met."""
    rows = rows_of([ladder_facts(minimax=27.5), ladder_facts(name="ladder-all", minimax=27.5)])
    even = row_named(rows, "TicTacToe seed 0, even pairs: scripted < minimax")
    assert (even["value"], even["met"]) == (-0.5, False)
    assert "met" not in row_named(rows, "TicTacToe seed 0, all pairs: scripted < minimax")
    assert "missed" in plain(rows)
    assert "**missed**" in markdown(rows)
    assert max(map(len, plain(rows).splitlines())) <= 120


def test_results_are_written_of_the_whole_benchmark_only():
    """All seeds, complete, with the settings as they are; anything else is named."""
    names = [f"ladder-{pairing}" for pairing in PAIRINGS]
    whole = [kuhn_facts(seed) for seed in SEEDS]
    whole += [ladder_facts(seed, name) for seed in SEEDS for name in names]
    assert what_is_missing(whole) == []
    other = asdict(replace(KuhnSettings(), updates=3))
    assert what_is_missing([*whole[1:], kuhn_facts(0, settings=other)]) == [
        "Kuhn poker of seed 0 was learnt with other settings"
    ]
    assert what_is_missing(whole[1:]) == ["kuhn of seed 0 is not there"]


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_a_ladder_is_the_same_every_time_and_beginners_come_last(pairing):
    """Games between players without a network come from the seed alone; whoever plays at random is rated lowest."""
    found = climb(5, 60, pairing)
    assert found == climb(5, 60, pairing)
    assert found["games"] == 60
    assert found["broken"] == 0
    assert sum(sum(row) for row in found["matches"].values()) == 60
    assert min(RUNGS, key=lambda uid: found["ratings"][uid][0]) == "random"


@pytest.mark.slow
def test_a_seed_of_kuhn_poker_is_measured(tmp_path):
    """Two updates of a smaller run leave a figure each, a baseline, and ratings that did not move."""
    settings = replace(
        KuhnSettings(), updates=2, batch_size=64, workers=32, warm_up_games=50, warm_up_steps=20
    )
    found = learnt(tmp_path, 0, settings)
    assert (found["status"], found["updates"]) == ("complete", 2)
    assert len(found["average"]) == len(found["last"]) == 2
    assert 0.0 < found["warm_up"] < 2.0
    assert set(found["mus"]) == {25.0}
