"""Playing games by chance alone, so that every rule is met, and noting all that was seen."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kit.league.game import Game, Verdict, View
from kit.league.seeds import derived_seed

LONGEST = 200


@dataclass
class Played:
    """What happened in one game."""

    views: list[View] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    rewards: tuple[float, ...] = ()


def chance_action(view: View, seed: int) -> str:
    """Return a legal action, drawn from the seed and what was shown."""
    return view.legal[derived_seed(seed, view.state) % len(view.legal)]


def play_on(game: Game, played: Played, seed: int) -> None:
    """Make one move by chance."""
    view = game.view()
    action = chance_action(view, derived_seed(seed, len(played.actions)))
    played.views.append(view)
    played.actions.append(action)
    played.verdicts.append(game.step(action))


def played_by_chance(game: Game, seed: int) -> Played:
    """Play one game to its end."""
    game.reset(seed)
    played = Played()
    while not game.over:
        assert len(played.actions) < LONGEST
        play_on(game, played, seed)
    played.rewards = game.rewards()
    return played


def replayed(game: Game, seed: int, actions: Sequence[str]) -> Played:
    """Make the same actions again; views are asked for twice, which must change nothing."""
    game.reset(seed)
    played = Played(actions=list(actions))
    for action in actions:
        played.views.append(game.view())
        assert game.view() == played.views[-1]
        played.verdicts.append(game.step(action))
    played.rewards = game.rewards()
    return played
