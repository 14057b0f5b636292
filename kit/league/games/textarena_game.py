"""Any TextArena game behind the league's protocol.

What it makes of TextArena, the same for every game:

- **Chance** is the game's own: while its code runs, Python's and NumPy's global generators hold the game's states,
  and nobody else sees them move.
- **A new environment for each game**: some carry things over a reset (Kuhn poker's deck is shuffled where it lies),
  so that a game would depend on those before it.
- **What a player sees** is what TextArena's ``-train`` wrapper shows: ``rules`` its prompt for that player, ``state``
  the rest of it, ``compact`` a short form where the game is one of compact_forms.py and else ``state``.
- **An illegal move** has no second chance. TextArena would allow one, shown the same text again; here its player
  loses at once, reward −1, and the other one wins (with more than two players, or one, what the game's own code
  does with a player out of chances).
- **Exceptions** of the environment come through as they are: who plays the game makes a fault of them.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

from kit.errors import GameError, UsageError
from kit.league.game import Verdict, View
from kit.league.games.compact_forms import compact_form
from kit.league.games.legal_text import told_actions
from kit.league.games.private_random import PrivateRandom
from kit.league.games.textarena_library import bare_environment, draws_from_numpy, textarena, wrapping


class TextArenaGame:
    """A game of TextArena. Attributes as in kit.league.game.Game; ``library_id`` is what TextArena calls it."""

    def __init__(self, env_id: str, library_id: str, num_players: int = 2) -> None:
        self.env_id, self.library_id, self.num_players = env_id, library_id, num_players
        self._wrapping, self._numpy = wrapping(library_id), draws_from_numpy(library_id)
        self._environment: Any = None
        self._over = False

    def reset(self, seed: int) -> None:
        """Begin a game.

        Raises:
            UsageError: it cannot be played by so many players.
            MissingDependencyError: it needs a library or data that is not installed.
        """
        self._random = PrivateRandom(seed, numpy=self._numpy)
        with self._random.lent():
            self._environment = self._begun(seed)
        self._show = self._wrapping.show(self._environment)
        self._reads = [read(self._environment) for read in self._wrapping.read]
        self._said: dict[int, list[tuple[int, str, Any]]] = {}
        self._illegal = _illegal_moves(self._environment.state)
        self._over = bool(self._environment.state.done)
        self._player = int(self._environment.state.current_player_id)
        self._view: View | None = None

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._over

    @property
    def player(self) -> int:
        """Whose move it is; the last mover's number once it is over."""
        self._started()
        return self._player

    def view(self) -> View:
        """Return what that player sees; asking twice changes nothing."""
        self._started()
        if self._view is None:
            self._view = self._looked()  # nothing of it draws
        return self._view

    def step(self, action: str) -> Verdict:
        """Make a bare action; brackets are put around it where the game wants them.

        Raises:
            GameError: no game is under way.
            Exception: whatever the environment throws.
        """
        if self._over:
            raise GameError(f"{self.env_id}: the game is over, {action!r} cannot be made any more.")
        self.view()  # what was said to this player until now belongs to its view
        self._illegal.clear()
        with self._random.lent():
            for read in self._reads:
                action = read.action(action)
            done, _ = self._environment.step(action)
        self._over, self._view = bool(done), None
        if not self._over:
            self._player = int(self._environment.state.current_player_id)
        return Verdict(not self._illegal, self._illegal[-1] if self._illegal else "")

    def rewards(self) -> tuple[float, ...]:
        """Return each player's reward once it is over, 0 for all before.

        Raises:
            GameError: the game is over and gave no rewards.
        """
        if not self._over:
            return (0.0,) * self.num_players
        given = self._environment.state.rewards
        found: list[Any] = [(given or {}).get(pid) for pid in range(self.num_players)]
        if not all(isinstance(reward, Real) for reward in found):
            raise GameError(f"{self.env_id} is over, and these are its rewards: {given!r}.")
        return tuple(float(reward) for reward in found)

    def _begun(self, seed: int) -> Any:
        environment = bare_environment(self.library_id)
        try:
            environment.reset(num_players=self.num_players, seed=seed)
        except (AssertionError, ValueError) as error:
            players = "1 player" if self.num_players == 1 else f"{self.num_players} players"
            raise UsageError(f"{self.env_id} cannot be begun by {players}: {error}") from error
        environment.state.error_allowance = 0
        return environment

    def _looked(self) -> View:
        said = self._said.setdefault(self._player, [])
        new = self._heard()
        said.extend(new)
        shown = self._show.observation(self._player, new)
        kinds = textarena().ObservationType
        prompt = next((text for _, text, kind in said if kind is kinds.PROMPT), "")
        boards = [text for _, text, kind in said if kind is kinds.GAME_BOARD]
        state = _without(shown, prompt)
        short = None if self._over else compact_form(self._environment, self._player)
        legal = told_actions(boards[-1]) if boards and not self._over else ()
        return View(self._player, prompt, state, state if short is None else short, legal)

    def _heard(self) -> list[tuple[int, str, Any]]:
        """Return what the game has said to the player since it last looked."""
        if not self._over:
            return list(self._environment.get_observation()[1])
        state = self._environment.state  # at the end it may already be another one's turn
        heard, state.observations[self._player] = state.observations[self._player], []
        return list(heard)

    def _started(self) -> None:
        if self._environment is None:
            raise GameError(f"{self.env_id}: no game has begun yet; reset(seed) begins one.")


def _illegal_moves(state: Any) -> list[str]:
    """Return a list that gets the reason of every move that the game calls illegal from now on."""
    reasons: list[str] = []
    count_as_illegal = getattr(state, "set_invalid_move", None)
    if count_as_illegal is None:
        return reasons

    def noted(*args: Any, **kwargs: Any) -> Any:
        words = [value for value in (kwargs.get("reason"), *args) if isinstance(value, str)]
        reasons.append(words[0] if words else "illegal")
        return count_as_illegal(*args, **kwargs)

    state.set_invalid_move = noted
    return reasons


def _without(shown: str, prompt: str) -> str:
    """Return what is shown beside the prompt; a sender's tag before it goes with it."""
    before, found, after = shown.partition(prompt) if prompt else ("", "", shown)
    if not found:
        return shown.strip()
    head = before.strip().removesuffix("[GAME]").strip()
    return "\n".join(part for part in (head, after.strip()) if part)
