"""The longer games' benchmark: exact worth by known values, rows from made-up facts, figures, a run cut short."""

import json
from dataclasses import asdict, replace

import pytest

from benchmarks.league.long import WANTED
from benchmarks.league.long_exact import OPPONENTS, boards, both_sides, greedy, illegal_mass, view_of, worth
from benchmarks.league.long_figures import draw
from benchmarks.league.long_learning import learnt
from benchmarks.league.long_matches import Match, both, played
from benchmarks.league.long_measuring import missing
from benchmarks.league.long_results import PREFIXES, rows_of, score_of, wilson
from benchmarks.league.long_settings import TAK, TIC_TAC_TOE
from benchmarks.league.long_template import MARKS
from benchmarks.league.measuring import SEEDS
from benchmarks.league.table import markdown, plain
from kit.league.games.registry import make_game
from kit.league.games.tic_tac_toe_rules import best_cells, free_cells
from kit.lm.language_model import LanguageModel
from tests.league.small_player import small_player


def moves_by(choice):
    """Return the moves of a policy that takes every cell of ``choice(board)`` with the same probability."""
    return {board: [float(at in choice(board)) / len(choice(board)) for at in range(9)] for board in boards()}


def test_random_against_random_is_what_is_known():
    """Who begins wins 737/1260, the other 121/420, and 8/63 are drawn."""
    moves = moves_by(free_cells)
    assert worth(moves, OPPONENTS["random"], "O") == pytest.approx((737 / 1260, 8 / 63, 121 / 420))
    assert worth(moves, OPPONENTS["random"], "X") == pytest.approx((121 / 420, 8 / 63, 737 / 1260))
    assert illegal_mass(moves) == pytest.approx(0.0, abs=1e-12)


def test_perfect_play_draws_with_perfect_play_and_seldom_fails_to_beat_random():
    """Minimax against minimax is drawn; against random it never loses."""
    moves = moves_by(best_cells)
    assert both_sides(moves, OPPONENTS["minimax"]) == pytest.approx((0.0, 1.0, 0.0))
    won, _, lost = both_sides(moves, OPPONENTS["random"])
    assert won > 0.85
    assert lost == pytest.approx(0.0)


def test_what_is_no_free_cell_loses():
    """A policy that says so half of the time loses at least half of its games; the greedy one never does."""
    half = {board: [one / 2 for one in chances] for board, chances in moves_by(best_cells).items()}
    assert illegal_mass(half) == pytest.approx(0.5)
    assert both_sides(half, OPPONENTS["random"])[2] >= 0.5
    assert both_sides(greedy(half), OPPONENTS["minimax"]) == pytest.approx((0.0, 1.0, 0.0))


@pytest.mark.parametrize("env_id", ["TicTacToe-v0", "SimpleTak-v0"])
def test_a_mark_tells_its_cell(env_id):
    """Every cell of every position has a sign of its own, the same for both players' own marks."""
    game = make_game(env_id)
    game.reset(0)
    assert MARKS.rest(game.view()).startswith("01234")
    game.step("4")
    assert MARKS.rest(game.view()).startswith("0123З5")
    game.step("0")
    assert MARKS.rest(game.view()).startswith("Б123E5")


def test_views_are_those_of_the_game():
    """What is scored on a board is what the game shows there."""
    game = make_game("TicTacToe-v0")
    game.reset(3)
    for move in ("4", "0", "8"):
        game.step(move)
    there, made = game.view(), view_of("X...O...O")
    assert MARKS.prompt(there) == MARKS.prompt(made)
    assert there.legal == made.legal
    assert len(boards()) == 4520


def test_the_interval_of_a_share_by_hand():
    """Wilson's for 50 of 100 is 0.404 to 0.596; half a win each it is the same."""
    assert wilson([50, 0, 50]) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert wilson([0, 100, 0]) == wilson([50, 0, 50])
    assert wilson([100, 0, 0])[1] == pytest.approx(1.0)
    assert score_of([1, 1, 2]) == 0.375


def facts_of(settings, seed=0, won=60, **changes):
    """Return facts of a seed as the measuring leaves them."""
    match = {"first": [won, 30, 70 - won], "second": [won, 30, 70 - won]}
    last = {"random": {"sampled": match, "greedy": match}}
    other = "minimax" if settings is TIC_TAC_TOE else "scripted"
    last[other] = {"sampled": match, "greedy": match}
    even = {"first": [35, 30, 35], "second": [35, 30, 35]}
    warm = {name: {"sampled": even, "greedy": even} for name in last}
    names = ("eval_score_random", "eval_draws_minimax")
    figures = {f"{name}_{how}": 0.5 for name in names for how in ("sampled", "greedy")}
    facts = {
        "name": "long",
        "game": settings.env_id,
        "seed": seed,
        "date": "2026-01-02",
        "machine": "elsewhere",
        "wall_s": 480.0,
        "cpu_s": 470.0,
        "status": "complete",
        "settings": json.loads(json.dumps(asdict(settings))),
        "updates": 3,
        "games": 500,
        "moves": 3000,
        "illegal": 0.01,
        "warm_up": figures,
        "curve": [
            {"update": at, "games": 100.0 * at, "eval_score/SimpleTak-v0/random": 0.6, **figures}
            for at in (1, 2)
        ],
        "matches": {"warm_up": warm, "last": last},
    }
    return facts | changes


def row_named(rows, name):
    """Return the one row of that name."""
    [found] = (row for row in rows if row["name"] == name)
    return found


def test_the_worst_seed_decides():
    """0.75 where 0.90 is asked is missed, 30 % of draws where 50 % are; a score above its old interval is met."""
    rows = rows_of([facts_of(TAK, won=65), facts_of(TIC_TAC_TOE, won=60), facts_of(TIC_TAC_TOE, 1, won=65)])
    score = row_named(rows, "TicTacToe learnt, worst of 2, sampled: against random")
    assert (score["value"], score["met"]) == (0.75, False)
    draws = row_named(rows, "TicTacToe learnt, worst of 2, greedy: minimax draws")
    assert (draws["value"], draws["met"]) == (30.0, False)
    tak = row_named(rows, "SimpleTak learnt, seed 0, sampled: against random")
    assert (tak["value"], tak["met"]) == (0.8, True)
    assert all(row["name"].startswith(PREFIXES) for row in rows)
    assert all(set(row) >= {"name", "value", "unit", "against", "ratio", "date", "machine"} for row in rows)
    assert "**missed**" in markdown(rows)
    assert "missed" in plain(rows)
    assert max(map(len, plain(rows).splitlines())) <= 120


def test_results_are_written_of_the_whole_benchmark_only():
    """All seeds of both games, complete, with the settings as they are; anything else is named."""
    whole = [facts_of(settings, seed) for settings in (TIC_TAC_TOE, TAK) for seed in SEEDS]
    assert missing(whole, WANTED, SEEDS) == []
    assert missing(whole[1:], WANTED, SEEDS) == ["TicTacToe-v0 of seed 0 is not there"]
    other = json.loads(json.dumps(asdict(replace(TAK, updates=1))))
    found = missing([*whole[:-1], facts_of(TAK, 2) | {"settings": other}], WANTED, SEEDS)
    assert found == ["SimpleTak-v0 of seed 2 was learnt with other settings"]


def test_curves_are_drawn(tmp_path):
    """A picture for each question, small enough to be kept beside the text."""
    facts = [facts_of(settings, seed) for settings in (TIC_TAC_TOE, TAK) for seed in SEEDS]
    drawn = draw(facts, tmp_path)
    assert [path.name for path in drawn] == [
        "tic-tac-toe-random.png",
        "tic-tac-toe-minimax.png",
        "simple-tak-random.png",
    ]
    assert all(1_000 < path.stat().st_size < 100_000 for path in drawn)


def test_a_match_has_as_many_games_on_either_side():
    """And comes out the same every time; a model that knows another game loses by illegal moves."""
    lm = LanguageModel.load(small_player())
    match = Match("TicTacToe-v0", "random", 6, 1.0, 3, seed=1)
    counts = played(lm, None, match)
    assert {side: sum(one) for side, one in counts.items()} == {"first": 3, "second": 3}
    assert counts == played(lm, None, match)
    assert both(counts)[2] > 0


@pytest.mark.slow
@pytest.mark.parametrize("settings", [TIC_TAC_TOE, TAK], ids=lambda one: one.env_id)
def test_a_seed_is_measured(settings, tmp_path):
    """Two updates of a smaller run leave a curve, matches before and after, and rows."""
    small = replace(
        settings,
        updates=2,
        look_every=1,
        look_games=settings.look_games and 4,
        matches=4,
        batch_size=64,
        workers=16,
        warm_up_games=20,
        warm_up_steps=10,
    )
    found = learnt(tmp_path, 0, small)
    assert (found["status"], found["updates"], len(found["curve"])) == ("complete", 2, 2)
    stamp = {"seed": 0, "date": "2026-01-02", "machine": "elsewhere", "wall_s": 1.0, "cpu_s": 1.0}
    rows = rows_of([found | stamp | {"game": settings.env_id, "settings": asdict(small)}])
    assert len(rows) == (10 if settings is TIC_TAC_TOE else 6)
