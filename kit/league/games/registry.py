"""Games by name: our own beside TextArena's."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from functools import cache

from kit.errors import UnknownNameError, UsageError
from kit.league.game import Game
from kit.league.games import kuhn
from kit.league.games.kuhn import KuhnGame
from kit.league.games.textarena_game import TextArenaGame
from kit.league.games.textarena_library import library_id, stem, stems

OWN_GAMES: Mapping[str, Callable[[str], Game]] = {kuhn.ENV_ID: KuhnGame}
"""Games of ours, by id without suffix: what makes one under the id that was asked for. All are for two players."""
WELL_KNOWN = ("TicTacToe-v0", "SimpleTak-v0", "KuhnPoker-v0")
NEAREST = 12
"""An unknown id is answered by so many of TextArena's hundreds."""


def make_game(env_id: str, num_players: int = 2) -> Game:
    """Return a game that ``reset(seed)`` begins; ids with ``-train`` or ``-raw`` mean the same game as without.

    Raises:
        UnknownNameError: there is no such game; lists the nearest ones.
        UsageError: it is not played by so many players.
        MissingDependencyError: it is none of ours, and TextArena, or something that the game needs, is not installed.
    """
    own = OWN_GAMES.get(stem(env_id))
    if own is not None:
        if num_players != 2:
            raise UsageError(f"{env_id} is played by 2 players, not by {num_players}.")
        return own(env_id)
    if num_players < 1:
        raise UsageError(f"A game is played by 1 player or more, not by {num_players}.")
    known = library_id(env_id)
    if known is None:
        raise _unknown(env_id)
    _begun_once(known, num_players)
    return TextArenaGame(env_id, known, num_players)


@cache
def _begun_once(env_id: str, num_players: int) -> None:
    """Begin such a game and throw it away, once in a process: only so can it be known that it can be."""
    TextArenaGame(env_id, env_id, num_players).reset(0)


def _unknown(env_id: str) -> UnknownNameError:
    names = [*OWN_GAMES, *stems()]
    suffix = env_id.removeprefix(stem(env_id))
    near = difflib.get_close_matches(stem(env_id), names, n=NEAREST, cutoff=0.3)
    kind = f"game ({len(names)} are known, these are the nearest)"
    return UnknownNameError(kind, env_id, {name + suffix for name in (*OWN_GAMES, *WELL_KNOWN, *near)})
