"""What holds of every game, ours and TextArena's: it ends, is fair, repeats itself, and leaves the process alone."""

import os
import random
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.errors import GameError
from kit.league.games.registry import make_game
from tests.league.games.playing import Played, play_on, played_by_chance, replayed

IDS = ("Kuhn-v0", "TicTacToe-v0-train", "SimpleTak-v0-train", "KuhnPoker-v0-train")
EVERY = pytest.mark.parametrize("env_id", IDS)
SEEDS = st.integers(min_value=0, max_value=2**63 - 1)
FEW = settings(max_examples=12)


@EVERY
@FEW
@given(seed=SEEDS)
def test_legal_play_ends_and_sums_to_zero(env_id, seed):
    """What the game calls legal it takes; rewards are 0 before the end and sum to 0 at it."""
    game = make_game(env_id)
    game.reset(seed)
    played = Played()
    while not game.over:
        assert game.rewards() == (0.0, 0.0)
        assert game.player == game.view().player
        play_on(game, played, seed)
    assert all(verdict.legal for verdict in played.verdicts)
    assert len(game.rewards()) == game.num_players == 2
    assert sum(game.rewards()) == 0.0
    assert game.player == played.views[-1].player
    assert game.view().legal == ()


@EVERY
@FEW
@given(seed=SEEDS)
def test_seed_and_actions_are_the_whole_of_a_game(env_id, seed):
    """Replayed in the same object and in a new one, every view, verdict and reward is the same."""
    game = make_game(env_id)
    first = played_by_chance(game, seed)
    assert replayed(game, seed, first.actions) == first
    assert replayed(make_game(env_id), seed, first.actions) == first


@EVERY
def test_games_before_do_not_count(env_id):
    """The tenth game of an object is the one that a new object plays with that seed."""
    game = make_game(env_id)
    for seed in range(9):
        played_by_chance(game, seed)
    assert played_by_chance(game, 9) == played_by_chance(make_game(env_id), 9)


@EVERY
def test_the_seed_is_used_as_it_is(env_id):
    """Seeds that differ beyond 32 bits are different seeds: of sixty games more than ten are different."""
    game = make_game(env_id)
    games = [played_by_chance(game, n << 40).views for n in range(60)]
    assert len({tuple(view.compact for view in views) for views in games}) > 10


@EVERY
def test_no_global_generator_is_touched(env_id):
    """Neither Python's nor NumPy's, by making, beginning, looking, moving, or an illegal move."""
    python, numpy = random.getstate(), np.random.get_state()
    game = make_game(env_id)
    played_by_chance(game, 3)
    game.reset(4)
    game.step("nonsense")
    assert random.getstate() == python
    after = np.random.get_state()
    assert after[2:] == numpy[2:]
    assert (after[1] == numpy[1]).all()


@EVERY
def test_what_others_draw_changes_nothing(env_id):
    """A process that draws from the global generator between the moves sees the same games."""
    game, quiet = make_game(env_id), played_by_chance(make_game(env_id), 11)
    random.seed(1)
    game.reset(11)
    noisy = Played()
    while not game.over:
        random.random()
        play_on(game, noisy, 11)
    assert (noisy.views, noisy.actions) == (quiet.views, quiet.actions)


@pytest.mark.parametrize("other", IDS)
@EVERY
def test_two_games_at_once_do_not_disturb_each_other(env_id, other):
    """Move by move in turns, each is the game that it is alone."""
    alone = [played_by_chance(make_game(env_id), 5), played_by_chance(make_game(other), 6)]
    games, together = [make_game(env_id), make_game(other)], [Played(), Played()]
    for game, seed in zip(games, (5, 6), strict=True):
        game.reset(seed)
    while not all(game.over for game in games):
        for game, played, seed in zip(games, together, (5, 6), strict=True):
            if not game.over:
                play_on(game, played, seed)
    for game, played, expected in zip(games, together, alone, strict=True):
        played.rewards = game.rewards()
        assert played == expected


def test_threads_may_play_at_once():
    """Twenty games in four threads are the twenty games of one."""
    ids = [IDS[number % len(IDS)] for number in range(20)]
    alone = [played_by_chance(make_game(env_id), seed) for seed, env_id in enumerate(ids)]
    found: dict[int, Played] = {}

    def play(start: int) -> None:
        for seed in range(start, 20, 4):
            found[seed] = played_by_chance(make_game(ids[seed]), seed)

    threads = [threading.Thread(target=play, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[seed] for seed in range(20)] == alone


@pytest.mark.parametrize("action", ["", "nonsense", "99", "-1", "[", "]["])
@EVERY
def test_an_illegal_or_empty_move_loses_at_once(env_id, action):
    """There is no second chance: its player gets the game's worst, the other one its best, and a reason is given."""
    game = make_game(env_id)
    game.reset(0)
    mover = game.player
    verdict = game.step(action)
    worst = -2.0 if env_id == "Kuhn-v0" else -1.0
    assert not verdict.legal
    assert verdict.reason
    assert game.over
    assert game.player == mover
    assert game.rewards() == ((worst, -worst) if mover == 0 else (-worst, worst))


@EVERY
def test_a_game_that_is_not_under_way_says_so(env_id):
    """Neither before reset nor after the end is a move made, and no view is shown of nothing."""
    game = make_game(env_id)
    with pytest.raises(GameError, match="reset"):
        game.view()
    with pytest.raises(GameError, match="reset"):
        game.step("0")
    played_by_chance(game, 0)
    with pytest.raises(GameError, match="over"):
        game.step("0")


@EVERY
def test_each_role_has_one_text_of_rules(env_id):
    """Rules are the same in every game of a role, which is what lets their prompt be computed once."""
    game = make_game(env_id)
    rules: dict[int, set[str]] = {}
    for seed in range(20):
        for view in played_by_chance(game, seed).views:
            rules.setdefault(view.player, set()).add(view.rules)
    assert {player: len(texts) for player, texts in rules.items()} == {0: 1, 1: 1}
    assert rules[0] != rules[1]


@EVERY
def test_the_compact_form_says_what_is_legal(env_id):
    """Two positions of a role with the same compact form have the same legal actions."""
    game = make_game(env_id)
    legal: dict[tuple[int, str], set[tuple[str, ...]]] = {}
    for seed in range(30):
        for view in played_by_chance(game, seed).views:
            legal.setdefault((view.player, view.compact), set()).add(view.legal)
            assert len(view.compact) <= len(view.state)
    assert all(len(each) == 1 for each in legal.values())


IN_ANOTHER_PROCESS = """
import sys
from hashlib import sha256
from kit.league.games.registry import make_game
from tests.league.games.playing import played_by_chance
print(sha256(repr([played_by_chance(make_game(env_id), 8) for env_id in sys.argv[1:]]).encode()).hexdigest())
"""


@pytest.mark.slow
def test_games_are_the_same_in_every_process(repository):
    """A run that is resumed replays its games in a process whose strings hash otherwise."""
    digests = set()
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", IN_ANOTHER_PROCESS, *IDS],
            cwd=repository,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(done.stdout)
    assert len(digests) == 1
