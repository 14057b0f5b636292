"""TextArena's games are played as they are, shown as their training form shows them, without their global seeding."""

import random
import sys

import numpy as np
import pytest

from kit.errors import GameError, MissingDependencyError, UnknownNameError, UsageError
from kit.league.games import textarena_library
from kit.league.games.registry import make_game
from kit.league.games.textarena_library import textarena
from tests.league.games.playing import Played, play_on, played_by_chance

KNOWN = ("TicTacToe-v0", "SimpleTak-v0", "KuhnPoker-v0")
OTHERS = {
    "ConnectFour-v0": ("3", "3"),
    "Nim-v0": ("1 1",),
    "PigDice-v0": ("roll", "hold", "roll"),
    "IteratedRockPaperScissors-v0": ("rock", "paper"),
    "LiarsDice-v0": ("Bid: 1, 2",),
}
"""Games without a compact form of their own, and moves that begin them."""


def squeezed(text: str) -> str:
    """Return the text with every gap as one blank."""
    return " ".join(text.split())


@pytest.mark.parametrize("stem", KNOWN)
def test_a_view_is_what_the_training_form_shows(stem):
    """Rules and state together are the observation of TextArena's own -train environment, to the word."""
    game, reference = make_game(f"{stem}-train"), textarena().make(f"{stem}-train")
    game.reset(17)
    reference.reset(num_players=2, seed=17)
    played = Played()
    while not game.over:
        player, shown = reference.get_observation()
        play_on(game, played, 17)
        view = played.views[-1]
        assert view.player == player
        assert squeezed(f"{view.rules} {view.state}") == squeezed(shown)
        reference.step(f"[{played.actions[-1]}]")
    rewards, _ = reference.close()
    assert game.rewards() == (rewards[0], rewards[1])


@pytest.mark.parametrize("suffix", ["", "-train", "-raw"])
@pytest.mark.parametrize("stem", [*KNOWN, "Kuhn-v0"])
def test_suffixes_mean_the_same_game(stem, suffix):
    """The same views, whichever of TextArena's forms the id names; the id itself is kept."""
    game = make_game(stem + suffix)
    assert game.env_id == stem + suffix
    assert played_by_chance(game, 1) == played_by_chance(make_game(stem), 1)


def test_tic_tac_toe_in_short():
    """A free cell is its number, a taken one its mark."""
    game = make_game("TicTacToe-v0-train")
    game.reset(0)
    game.step("4")
    game.step("[0]")
    view = game.view()
    assert (view.player, view.compact) == (0, "X 1 2 3 O 5 6 7 8")
    assert view.legal == ("1", "2", "3", "5", "6", "7", "8")
    assert "Available Moves" in view.state
    assert view.rules.startswith("You are Player 0 in Tic Tac Toe.")


def test_simple_tak_in_short():
    """Sixteen cells, and a large board has more."""
    game = make_game("SimpleTak-v0-train")
    game.reset(0)
    game.step("10")
    assert game.view().compact == "0 1 2 3 4 5 6 7 8 9 O 11 12 13 14 15"
    large = make_game("SimpleTak-v0-medium")
    large.reset(0)
    assert len(large.view().legal) == 25


def test_kuhn_poker_in_short():
    """Round, chips won before it, card, and what was done: each as the game's own text tells it."""
    game = make_game("KuhnPoker-v0-train")
    for seed in range(12):
        game.reset(seed)
        won, opener = [0, 0], 1
        for number in (1, 2, 3):
            check_round(game, number, won, opener, ["check", "bet", "fold"] if seed % 2 else ["bet", "fold"])
            folder = opener if seed % 2 else 1 - opener
            won[folder] -= 1
            won[1 - folder] += 1
            opener = 1 - opener
        assert game.over


def check_round(game, number: int, won: list[int], opener: int, actions: list[str]) -> None:
    """Play a round and hold every compact form against what is known of the game."""
    for turn, action in enumerate(actions):
        view = game.view()
        assert view.player == (opener + turn) % 2
        head, _, done = view.compact.partition("|")
        assert done == " ".join(actions[:turn])
        card = view.state.rpartition("Your card is: '")[2][0]
        assert head == f"{number} {won[view.player]:+d} {card}"
        assert action in view.legal
        assert game.step(action).legal


@pytest.mark.parametrize("env_id", OTHERS)
def test_any_other_game_is_played_by_its_id(env_id):
    """Its moves are taken, its state is all of what it shows, and the same seed shows the same."""
    shown = []
    for _ in range(2):
        game = make_game(env_id)
        game.reset(5)
        views = []
        for action in OTHERS[env_id]:
            view = game.view()
            assert view.compact == view.state
            assert view.rules
            views.append(view)
            assert game.step(action).legal
        shown.append(views)
    assert shown[0] == shown[1]


def test_a_game_that_draws_from_numpy():
    """Its rooms come from the seed alone, and no generator is moved; games known here have nothing to do with it."""
    assert not any(textarena_library.draws_from_numpy(stem) for stem in KNOWN)
    assert textarena_library.draws_from_numpy("Sokoban-v0")
    rooms = []
    for noise in (1, 2):
        np.random.seed(noise)
        before = np.random.get_state()[1].tolist()
        game = make_game("Sokoban-v0", 1)
        game.reset(7)
        assert game.step("up").legal
        rooms.append(game.view())
        assert np.random.get_state()[1].tolist() == before
    assert rooms[0] == rooms[1]


def test_a_game_of_three():
    """It is begun by three players and gives three rewards."""
    game = make_game("ThreePlayerTicTacToe-v0-train", 3)
    played = played_by_chance(game, 2)
    assert {view.player for view in played.views} == {0, 1, 2}
    assert len(played.rewards) == 3


def test_a_game_that_two_cannot_play_says_so():
    """The error names the game, the number, and what TextArena says of it."""
    with pytest.raises(UsageError, match=r"cannot be begun by 2 players.*three"):
        make_game("ThreePlayerTicTacToe-v0", 2)
    with pytest.raises(UsageError, match=r"cannot be begun by 1 player:"):
        make_game("TicTacToe-v0", 1)
    with pytest.raises(UsageError, match="played by 2 players, not by 3"):
        make_game("Kuhn-v0", 3)
    with pytest.raises(UsageError, match="1 player or more"):
        make_game("TicTacToe-v0", 0)


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("TicTacTo-v0", "TicTacToe-v0"),
        ("SimpelTak-v0-train", "SimpleTak-v0-train"),
        ("kuhn-v0", "Kuhn-v0"),
        ("KuhnPoker", "KuhnPoker-v0"),
    ],
)
def test_an_unknown_id_names_the_nearest(wrong, nearest):
    """And not hundreds of others."""
    with pytest.raises(UnknownNameError) as caught:
        make_game(wrong)
    assert caught.value.nearest == nearest
    assert f"Did you mean {nearest!r}?" in str(caught.value)
    assert len(caught.value.legal) < 20


def test_without_textarena_our_own_game_is_still_there(monkeypatch):
    """What is missing is named with the command that installs it."""
    textarena_library.textarena.cache_clear()
    monkeypatch.setitem(sys.modules, "textarena", None)
    try:
        assert make_game("Kuhn-v0").num_players == 2
        with pytest.raises(MissingDependencyError, match=r"pip install -r requirements-llm\.txt"):
            make_game("TicTacToe-v0")
    finally:
        textarena_library.textarena.cache_clear()


def test_rewards_that_are_none_are_a_broken_game():
    """TextArena's countdown, of an illegal move, gives its reason where the reward belongs."""
    game = make_game("Countdown-v0", 1)
    game.reset(0)
    assert not game.step("nonsense").legal
    with pytest.raises(GameError, match=r"Countdown-v0 is over, and these are its rewards: .*Invalid"):
        game.rewards()


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="its code can be read from Python 3.12 on")
def test_a_game_that_this_python_cannot_read_says_so():
    """TextArena's chess is written for Python 3.12."""
    with pytest.raises(MissingDependencyError, match=r"Chess-v0 cannot be read by Python 3\.11"):
        make_game("Chess-v0")


def test_an_environment_that_throws_is_heard(monkeypatch):
    """Its own exception comes through, and the generators are put back all the same."""
    game = make_game("TicTacToe-v0")
    game.reset(0)
    environment = type(game._environment)
    monkeypatch.setattr(environment, "step", lambda *_, **__: random.random() / 0)
    before = random.getstate()
    with pytest.raises(ZeroDivisionError):
        game.step("4")
    assert random.getstate() == before
