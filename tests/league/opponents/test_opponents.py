"""Opponents without a network: each plays as it says, from either seat, and the same move for the same seed."""

from collections import Counter

import pytest

from kit.errors import UnknownNameError, UsageError
from kit.league.game import Game
from kit.league.games.kuhn import KuhnGame
from kit.league.games.registry import make_game
from kit.league.opponents.endpoint import EndpointOpponent
from kit.league.opponents.opponent import Opponent
from kit.league.opponents.registry import make_opponent
from kit.league.seeds import derived_seed

GAMES = {
    "random": ("Kuhn-v0", "KuhnPoker-v0-train", "TicTacToe-v0-train", "SimpleTak-v0-train"),
    "scripted": (
        "Kuhn-v0-train",
        "KuhnPoker-v0",
        "TicTacToe-v0-train",
        "SimpleTak-v0-train",
        "SimpleTak-v0-medium",
    ),
    "minimax": ("Kuhn-v0", "TicTacToe-v0-train"),
}
PAIRS = [(name, env_id) for name, env_ids in GAMES.items() for env_id in env_ids]


def played(game: Game, seats: tuple[Opponent, Opponent], seed: int) -> tuple[float, ...]:
    """Play one game; every move must be legal."""
    game.reset(seed)
    turn = 0
    while not game.over:
        action = seats[game.player].act(game, derived_seed(seed, "move", turn))
        assert game.step(action).legal, (action, game.env_id)
        turn += 1
    return game.rewards()


def mean_reward(env_id: str, name: str, against: str, games: int) -> float:
    """Return what ``name`` wins a game on average, half of them from each seat."""
    game, one, other = make_game(env_id), make_opponent(name), make_opponent(against)
    total = 0.0
    for seed in range(games):
        seats = (one, other) if seed % 2 == 0 else (other, one)
        total += played(game, seats, seed)[seed % 2]
    return total / games


@pytest.mark.parametrize(("name", "env_id"), PAIRS)
def test_only_legal_moves_from_either_seat(name, env_id):
    """Six games against itself."""
    game, player = make_game(env_id), make_opponent(name)
    for seed in range(6):
        played(game, (player, player), seed)


@pytest.mark.parametrize(("name", "env_id"), PAIRS)
def test_the_seed_decides(name, env_id):
    """The same position and seed, the same move; looking changes nothing."""
    game = make_game(env_id)
    game.reset(3)
    view = game.view()
    for seed in range(10):
        assert make_opponent(name).act(game, seed) == make_opponent(name).act(game, seed)
    assert game.view() == view


def test_random_is_uniform():
    """Nine cells, 1,800 seeds, about 200 each (within 5 standard deviations, 67)."""
    game = make_game("TicTacToe-v0")
    game.reset(0)
    moves = Counter(make_opponent("random").act(game, seed) for seed in range(1800))
    assert set(moves) == set("012345678")
    assert all(abs(times - 200) < 67 for times in moves.values())


def position(env_id: str, *actions: str) -> Game:
    """Return a game after these moves."""
    game = make_game(env_id)
    game.reset(0)
    for action in actions:
        assert game.step(action).legal
    return game


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        (("0", "4", "1", "3"), {"2"}),  # O wins at 2, though X threatens 5
        (("0", "3", "1"), {"2"}),  # X blocks
        (("0",), {"4"}),  # the centre
        (("4",), {"0", "2", "6", "8"}),  # a corner
        (("0", "4", "8", "2", "6"), {"3", "7"}),  # X blocks one of two threats
    ],
)
def test_the_script_for_tic_tac_toe(actions, expected):
    """Win, block, centre, corner, in this order; what is equal is left to the seed."""
    game = position("TicTacToe-v0", *actions)
    assert {make_opponent("scripted").act(game, seed) for seed in range(40)} == expected


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        (
            ("0", "12", "1", "13", "2", "11"),
            {"3"},
        ),  # O completes the top row, though X could the bottom one later
        (("0", "15", "1", "11", "2"), {"3"}),  # X blocks
        (
            ("5", "15"),
            {"1", "4", "6", "7", "9", "13"},
        ),  # O extends: a second stone in the row or column of the first
    ],
)
def test_the_script_for_simple_tak(actions, expected):
    """Win, block, or extend the path that needs the fewest stones."""
    game = position("SimpleTak-v0", *actions)
    assert {make_opponent("scripted").act(game, seed) for seed in range(60)} <= expected


def test_the_script_for_kuhn_poker():
    """K bets and calls, J folds and bluffs one time in three, Q checks and calls every second time."""
    moves = {name: Counter(acts) for name, acts in kuhn_moves("scripted").items()}
    assert moves["K|"] == {"bet": 600}
    assert moves["K|bet"] == {"call": 600}
    assert moves["J|bet"] == {"fold": 600}
    assert moves["Q|"] == {"check": 600}
    assert 150 < moves["J|"]["bet"] < 250
    assert 250 < moves["Q|bet"]["call"] < 350


def test_perfect_play_in_kuhn_poker_is_an_equilibrium():
    """Its frequencies are those of the equilibrium with alpha 1/6, within 5 standard deviations (61)."""
    moves = {name: Counter(acts) for name, acts in kuhn_moves("minimax").items()}
    assert moves["Q|"] == {"check": 600}
    assert moves["J|bet"] == {"fold": 600}
    assert moves["K|bet"] == {"call": 600}
    assert abs(moves["J|"]["bet"] - 100) < 61
    assert abs(moves["K|"]["bet"] - 300) < 61
    assert abs(moves["Q|bet"]["call"] - 200) < 61


def kuhn_moves(name: str) -> dict[str, list[str]]:
    """Return what an opponent does in each information set of the first two moves, 600 seeds each."""
    player, moves = make_opponent(name), dict[str, list[str]]()
    for deal in range(40):
        for actions in ((), ("bet",)):
            game = KuhnGame()
            game.reset(deal)
            for action in actions:
                game.step(action)
            if game.view().compact not in moves:
                moves[game.view().compact] = [player.act(game, seed) for seed in range(600)]
    return moves


def test_perfect_play_never_loses_at_tic_tac_toe():
    """Against chance, the script and itself, from both seats; itself it only draws with."""
    game, perfect = make_game("TicTacToe-v0"), make_opponent("minimax")
    for name in ("random", "scripted", "minimax"):
        other = make_opponent(name)
        for seed in range(20):
            assert played(game, (perfect, other), seed)[0] >= 0
            assert played(game, (other, perfect), seed)[1] >= 0
            assert name != "minimax" or game.rewards() == (0, 0)


def test_perfect_play_is_not_always_the_same():
    """Uniform over the best moves: the empty board is begun in nine ways, a corner is answered in one."""
    player = make_opponent("minimax")
    assert {player.act(position("TicTacToe-v0"), seed) for seed in range(200)} == set("012345678")
    assert {player.act(position("TicTacToe-v0", "0"), seed) for seed in range(50)} == {"4"}


def test_the_scripts_are_better_than_chance():
    """They rank as they should: random below scripted, in every game; scripted below perfect play."""
    for env_id, games in {
        "Kuhn-v0": 400,
        "KuhnPoker-v0": 200,
        "TicTacToe-v0": 40,
        "SimpleTak-v0": 10,
    }.items():
        assert mean_reward(env_id, "scripted", "random", games) > 0.1, env_id
    assert mean_reward("TicTacToe-v0", "minimax", "scripted", 40) > 0


def test_what_they_do_not_know_they_say():
    """The error names the game and what is legal."""
    tak, four = position("SimpleTak-v0"), position("ConnectFour-v0")
    with pytest.raises(UsageError, match=r"SimpleTak-v0 is too large.*Legal: Kuhn-v0, TicTacToe-v0"):
        make_opponent("minimax").act(tak, 0)
    with pytest.raises(UsageError, match=r"no script for ConnectFour-v0\. Legal: .*TicTacToe-v0"):
        make_opponent("scripted").act(four, 0)
    with pytest.raises(UsageError, match="ConnectFour-v0: the game does not tell"):
        make_opponent("random").act(four, 0)


def test_opponents_are_made_by_name():
    """A slash is a model at the default endpoint; anything else that is not known names the nearest."""
    environ = {"OPENROUTER_API_KEY": "k"}
    assert [make_opponent(name).uid for name in GAMES] == list(GAMES)
    assert isinstance(make_opponent("google/gemini-2.0-flash-lite-001", environ), EndpointOpponent)
    assert make_opponent("endpoint:m@http://localhost/v1", {}).uid == "endpoint:m@http://localhost/v1"
    with pytest.raises(UnknownNameError, match="Did you mean 'minimax'"):
        make_opponent("minmax")
