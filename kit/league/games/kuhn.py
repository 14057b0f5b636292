"""Our own Kuhn poker, ``Kuhn-v0``: one hand, the right pot, rewards in chips.

TextArena's ``KuhnPoker-v0`` never adds a bet to the pot, so that betting costs nothing and its equilibrium is
another one; this is the game of the literature, whose value and best responses are known exactly.

=============  ===========================================================================================
players        two; player 0 acts first (who sits where is the scheduler's to decide)
chance         the deal, one of six, from the seed
actions        ``check``, ``bet``, ``call``, ``fold``, whatever their case
end            two checks, a call, a fold, or an illegal move
reward         chips won, −2 to 2, zero sum
illegal move   ends the hand: its player gets −2, the other one 2. A fold costs 1, so that no hand is better
               thrown away by nonsense than played
=============  ===========================================================================================

What a player sees is its card and what was done, the twelve information sets of kuhn_rules.py; ``compact`` is
the information set's name.
"""

from __future__ import annotations

from kit.errors import GameError
from kit.league.game import Verdict, View
from kit.league.games.kuhn_rules import DEALS, LEGAL, MOST, History, information_set, mover, payoff
from kit.league.seeds import derived_seed

ENV_ID = "Kuhn-v0"
RULES = """You play one hand of Kuhn poker against one opponent.
The deck is J, Q, K; K is the highest. Each of you has paid an ante of 1 chip and holds one card.
check: do not bet, where nobody has bet. bet: pay 1 chip, where nobody has bet.
call: pay 1 chip to match a bet. fold: give up after a bet and lose the ante.
After two checks or a call the higher card wins the pot. An illegal action loses 2 chips.
"""
ROLES = (
    "You are player 0 and act first.",
    "You are player 1 and act second.",
)


class KuhnGame:
    """One hand of Kuhn poker. Attributes as in kit.league.game.Game."""

    def __init__(self, env_id: str = ENV_ID) -> None:
        self.env_id = env_id
        self.num_players = 2
        self._deal: tuple[str, str] | None = None
        self._history: History = ()
        self._illegal_by: int | None = None

    def reset(self, seed: int) -> None:
        """Deal; the same seed deals the same cards."""
        self._deal = DEALS[derived_seed(seed, ENV_ID, "deal") % len(DEALS)]
        self._history, self._illegal_by = (), None

    @property
    def over(self) -> bool:
        """Whether the hand has ended."""
        return self._illegal_by is not None or self._history not in LEGAL

    @property
    def player(self) -> int:
        """Whose move it is; the last mover's number once it is over."""
        if self._illegal_by is not None:
            return self._illegal_by
        return mover(self._history) if self._history in LEGAL else mover(self._history[:-1])

    def view(self) -> View:
        """Return what that player sees; once the hand is over there is nothing legal in it."""
        return kuhn_view(self.player, self._cards()[self.player], self._history, over=self.over)

    def step(self, action: str) -> Verdict:
        """Make an action as the player whose move it is.

        Raises:
            GameError: no hand is under way.
        """
        self._cards()
        if self.over:
            raise GameError(f"{self.env_id}: the hand is over, {action!r} cannot be made any more.")
        asked, legal = action.strip().lower(), LEGAL[self._history]
        if asked not in legal:
            self._illegal_by = self.player
            return Verdict(False, f"{action!r} is not legal here. Legal: {', '.join(legal)}.")
        self._history = (*self._history, asked)
        return Verdict(True)

    def rewards(self) -> tuple[float, ...]:
        """Return the chips each player won, 0 for both before the end."""
        if not self.over:
            return (0.0, 0.0)
        if self._illegal_by is not None:
            return (-MOST, MOST) if self._illegal_by == 0 else (MOST, -MOST)
        won = payoff(self._cards(), self._history)
        return (won, -won)

    def _cards(self) -> tuple[str, str]:
        if self._deal is None:
            raise GameError(f"{self.env_id}: no hand has been dealt yet; reset(seed) deals one.")
        return self._deal


def kuhn_view(player: int, card: str, history: History, *, over: bool = False) -> View:
    """Return what ``player`` sees with ``card`` after ``history``: all that a policy may depend on."""
    legal = () if over else LEGAL[history]
    lines = [f"Your card: {card}.", f"Done so far: {', '.join(history) or 'nothing'}."]
    if legal:
        lines.append(f"Legal actions: {', '.join(legal)}.")
    return View(player, RULES + ROLES[player], "\n".join(lines), information_set(card, history), legal)
